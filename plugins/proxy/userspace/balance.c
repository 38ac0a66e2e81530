/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is: round robin over a shuffled list, and the memory of which
 * client went where if the service wants that. The memory is bounded; who has
 * been silent for longest is forgotten first.
 */
#include "userspace.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { AFFINITY_MAX = 65536 };

struct affinity {
	struct address endpoint;
	uint64_t used;
	unsigned char key[16];
	size_t key_size;
	TAILQ_ENTRY(affinity) link;
};

struct balance {
	atomic_uint references;
	pthread_mutex_t mutex;
	char *label;
	struct address *endpoints;
	size_t count;
	size_t next;
	uint64_t idle; /* affinity; 0: none */
	uint64_t complained;
	struct cox_map clients;	       /* bytes of an address -> struct affinity */
	TAILQ_HEAD(, affinity) by_use; /* longest silent first */
};

struct balance *balance_new(const char *label)
{
	struct balance *balance = cox_new(struct balance);

	atomic_init(&balance->references, 1);
	pthread_mutex_init(&balance->mutex, NULL);
	balance->label = cox_strdup(label);
	TAILQ_INIT(&balance->by_use);
	return balance;
}

struct balance *balance_ref(struct balance *balance)
{
	atomic_fetch_add_explicit(&balance->references, 1, memory_order_relaxed);
	return balance;
}

static void forget(struct balance *balance, struct affinity *affinity)
{
	cox_map_remove(&balance->clients, (const char *)affinity->key, affinity->key_size);
	TAILQ_REMOVE(&balance->by_use, affinity, link);
	free(affinity);
}

static void forget_all(struct balance *balance)
{
	while (!TAILQ_EMPTY(&balance->by_use))
		forget(balance, TAILQ_FIRST(&balance->by_use));
}

void balance_unref(struct balance *balance)
{
	if (!balance ||
	    atomic_fetch_sub_explicit(&balance->references, 1, memory_order_acq_rel) != 1)
		return;
	forget_all(balance);
	cox_map_free(&balance->clients);
	pthread_mutex_destroy(&balance->mutex);
	free(balance->endpoints);
	free(balance->label);
	free(balance);
}

const char *balance_label(const struct balance *balance)
{
	return balance->label;
}

static bool listed(const struct address *list, size_t count, const struct address *endpoint)
{
	for (size_t i = 0; i < count; i++) {
		if (address_equal(&list[i], endpoint))
			return true;
	}
	return false;
}

static bool same_set(const struct balance *balance, const struct address *endpoints, size_t count)
{
	if (count != balance->count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!listed(balance->endpoints, balance->count, &endpoints[i]))
			return false;
	}
	return true;
}

static void shuffle(struct address *list, size_t count, void (*random)(void *data, size_t size))
{
	for (size_t i = count; i > 1; i--) {
		struct address kept = list[i - 1];
		uint32_t number;

		random(&number, sizeof(number));
		list[i - 1] = list[number % i];
		list[number % i] = kept;
	}
}

void balance_set(struct balance *balance, const struct address *endpoints, size_t count,
		 void (*random)(void *data, size_t size))
{
	struct affinity *affinity, *next;

	cox_lock_scope(&balance->mutex);
	if (same_set(balance, endpoints, count))
		return;
	free(balance->endpoints);
	balance->endpoints = count ? cox_memdup(endpoints, count * sizeof(*endpoints)) : NULL;
	balance->count = count;
	balance->next = 0;
	balance->complained = 0;
	shuffle(balance->endpoints, count, random);
	for (affinity = TAILQ_FIRST(&balance->by_use); affinity; affinity = next) {
		next = TAILQ_NEXT(affinity, link);
		if (!listed(endpoints, count, &affinity->endpoint))
			forget(balance, affinity);
	}
}

void balance_set_affinity(struct balance *balance, uint64_t idle_ns)
{
	cox_lock_scope(&balance->mutex);
	balance->idle = idle_ns;
	if (!idle_ns)
		forget_all(balance);
}

/* The memory of this client: what it is kept under is its address without the port. */
static struct affinity *remember(struct balance *balance, const struct address *client)
{
	const void *key = client->any.sa_family == AF_INET ? (const void *)&client->v4.sin_addr
							   : (const void *)&client->v6.sin6_addr;
	size_t size = client->any.sa_family == AF_INET ? 4 : 16;
	struct affinity *affinity = cox_map_get(&balance->clients, key, size);

	if (affinity)
		return affinity;
	if (balance->clients.count >= AFFINITY_MAX)
		forget(balance, TAILQ_FIRST(&balance->by_use));
	affinity = cox_new(struct affinity);
	affinity->key_size = size;
	memcpy(affinity->key, key, size);
	cox_map_put(&balance->clients, key, size, affinity);
	TAILQ_INSERT_TAIL(&balance->by_use, affinity, link);
	return affinity;
}

/* Loops look at the clock at different moments: one may be a little behind another. */
static uint64_t since(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

bool balance_pick(struct balance *balance, const struct address *client, uint64_t now, bool again,
		  struct address *endpoint)
{
	struct affinity *affinity = NULL;

	cox_lock_scope(&balance->mutex);
	if (!balance->count)
		return false;
	if (balance->idle) {
		bool known;

		affinity = remember(balance, client);
		known = affinity->endpoint.size && since(affinity->used, now) < balance->idle &&
			!again;
		affinity->used = now;
		TAILQ_REMOVE(&balance->by_use, affinity, link);
		TAILQ_INSERT_TAIL(&balance->by_use, affinity, link);
		if (known) {
			*endpoint = affinity->endpoint;
			return true;
		}
	}
	*endpoint = balance->endpoints[balance->next];
	balance->next = (balance->next + 1) % balance->count;
	if (affinity)
		affinity->endpoint = *endpoint;
	return true;
}

bool balance_has(struct balance *balance, const struct address *endpoint)
{
	cox_lock_scope(&balance->mutex);
	return listed(balance->endpoints, balance->count, endpoint);
}

bool balance_may_complain(struct balance *balance, uint64_t now)
{
	cox_lock_scope(&balance->mutex);
	if (balance->complained && since(balance->complained, now) < SECOND)
		return false;
	balance->complained = now;
	return true;
}
