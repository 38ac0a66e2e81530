/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store alone, on the fake plugin: loading and memory of 50,000 real pods,
 * reading, and what an event costs with 10,000 watches around it.
 */
#include "pod.h"
#include "unit/fake_storage.h"

#include "base/clock.h"
#include "store/submit.h"
#include "store/watch.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PODS = 50000, WATCHES = 10000, EVENTS = 2000, GETS = 1000000 };

static const struct store_field fields[] = {
	{"metadata.name", "metadata.name", NULL, false},
	{"spec.nodeName", "spec.nodeName", NULL, true},
	{"status.phase", "status.phase", NULL, false},
};

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The bench pod under another name, on another node. */
static void make_pod(char *json, size_t size, int number, int node)
{
	static const char name[] = "frontend-7d9c8b6f5-x2k4q", on[] = "\"nodeName\":\"node-17\"";
	const char *at_name = strstr(bench_pod, name), *at_node = strstr(bench_pod, on);

	snprintf(json, size, "%.*sfrontend-7d9c8b6f5-%05d%.*s\"nodeName\":\"node-%d\"%s",
		 (int)(at_name - bench_pod), bench_pod, number,
		 (int)(at_node - at_name - (long)sizeof(name) + 1), at_name + sizeof(name) - 1,
		 node, at_node + sizeof(on) - 1);
}

static void put_pod(struct fake *fake, int number, int node)
{
	char key[64], json[8192];

	snprintf(key, sizeof(key), "/registry/pods/default/frontend-7d9c8b6f5-%05d", number);
	make_pod(json, sizeof(json), number, node);
	fake_put(fake, key, json, 7);
}

static _Atomic uint64_t wakes;

static void count_wake(void *context)
{
	(void)context;
	atomic_fetch_add_explicit(&wakes, 1, memory_order_relaxed);
}

static void wait_until(struct store *store, struct fake *fake)
{
	uint64_t revision = fake_revision(fake);

	while (store_revision(store) < revision)
		usleep(50);
}

static uint64_t drain(struct store_watch **watches)
{
	struct store_watch_event event;
	uint64_t told = 0;

	for (int i = 0; i < WATCHES; i++) {
		while (store_watch_next(watches[i], &event) != STORE_WATCH_NONE) {
			told++;
			store_watch_event_clear(&event);
		}
	}
	return told;
}

/* CPU of everything from the plugin's event to the wakes, for each event. */
static double event_cost(struct store *store, struct fake *fake, int nodes)
{
	double begin;

	fake_set(fake, &fake->hold_events, true);
	for (int i = 0; i < EVENTS; i++)
		put_pod(fake, i, i % nodes);
	begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
	fake_set(fake, &fake->hold_events, false);
	wait_until(store, fake);
	return (seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) / EVENTS * 1e6;
}

static void bench_watches(struct store *store, struct store_collection *pods, struct fake *fake)
{
	struct store_watch **watches = calloc(WATCHES, sizeof(*watches));
	struct store_watch_options options = {.scope = STORE_SCOPE_ALL, .wake = count_wake};
	double alone = event_cost(store, fake, WATCHES), begin, among, each;
	struct mallinfo2 before = mallinfo2();
	char node[32];
	uint64_t told;

	for (int i = 0; i < WATCHES; i++) {
		snprintf(node, sizeof(node), "node-%d", i);
		options.scope.field = store_field_index(pods, "spec.nodeName");
		options.scope.value = (struct cox_bytes){node, strlen(node)};
		watches[i] = store_watch_open(pods, &options, store_revision(store), NULL);
	}
	printf("store: an idle watch: %zu bytes\n",
	       (mallinfo2().uordblks - before.uordblks) / WATCHES);
	drain(watches);
	among = event_cost(store, fake, WATCHES);
	printf("store: ingest of an event, no watch: %.1f us; one of %d watches concerned: %.1f "
	       "us\n",
	       alone, WATCHES, among);
	begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
	told = drain(watches);
	printf("store: wakes %llu, deliveries %llu, %.2f us each\n", (unsigned long long)wakes,
	       (unsigned long long)told,
	       (seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) / (double)(told ? told : 1) * 1e6);
	for (int i = 0; i < WATCHES; i++)
		store_watch_close(watches[i]);
	/* One event that concerns all of them. */
	options.scope = (struct store_scope)STORE_SCOPE_ALL;
	for (int i = 0; i < WATCHES; i++)
		watches[i] = store_watch_open(pods, &options, store_revision(store), NULL);
	drain(watches);
	begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
	put_pod(fake, 1, 1);
	wait_until(store, fake);
	told = drain(watches);
	each = (seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) / WATCHES * 1e6;
	printf("store: one event to %d watches: %llu deliveries, %.2f us each\n", WATCHES,
	       (unsigned long long)told, each);
	for (int i = 0; i < WATCHES; i++)
		store_watch_close(watches[i]);
	free(watches);
}

static void bench_reads(struct store_collection *pods)
{
	struct store_scope all = STORE_SCOPE_ALL;
	struct store_iterator iterator;
	struct store_snapshot *snapshot;
	double begin = seconds(CLOCK_MONOTONIC), end;
	struct store_entry *entry;
	size_t bytes = 0;
	char name[64];

	for (int i = 0; i < GETS; i++) {
		snprintf(name, sizeof(name), "frontend-7d9c8b6f5-%05d", (int)(i * 7919L % PODS));
		store_entry_unref(store_get(pods, "default", name));
	}
	end = seconds(CLOCK_MONOTONIC);
	printf("store: get: %.2f us\n", (end - begin) / GETS * 1e6);
	begin = seconds(CLOCK_MONOTONIC);
	snapshot = store_snapshot(pods);
	store_iterate(&iterator, snapshot, &all, (struct cox_bytes){NULL, 0});
	while ((entry = store_iterator_next(&iterator)))
		bytes += store_entry_json(entry).size;
	end = seconds(CLOCK_MONOTONIC);
	printf("store: walk %d pods (%zu MB of JSON): %.1f ms\n", PODS, bytes >> 20,
	       (end - begin) * 1e3);
	store_snapshot_unref(snapshot);
}

int main(void)
{
	struct store_collection_options options = {.name = "pods",
						   .prefix = "/registry/pods/",
						   .namespaced = true,
						   .tag = 7,
						   .fields = fields,
						   .field_count = 3};
	struct store_collection *pods;
	struct store_backend backend;
	struct mallinfo2 before, after;
	struct store *store;
	struct fake fake;
	double begin, end;
	size_t used;

	fake_start(&fake);
	for (int i = 0; i < PODS; i++)
		put_pod(&fake, i, i % 5000);
	backend = fake_backend(&fake);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	before = mallinfo2();
	store = store_create(&backend, NULL);
	pods = store_add_collection(store, &options, NULL);
	begin = seconds(CLOCK_MONOTONIC);
	if (!pods || store_start(store, NULL))
		return 1;
	end = seconds(CLOCK_MONOTONIC);
	after = mallinfo2();
	used = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
	printf("store: load %d pods: %.0f ms, %.1f us each\n", PODS, (end - begin) * 1e3,
	       (end - begin) / PODS * 1e6);
	printf("store: memory of a pod: %zu bytes, %zu of them its JSON\n", used / PODS,
	       sizeof(bench_pod) - 1);
	bench_reads(pods);
	bench_watches(store, pods, &fake);
	store_stop(store);
	store_free(store);
	fake_stop(&fake);
	return 0;
}
