/* SPDX-License-Identifier: Apache-2.0 */
/* What this process remembers of services, and when they may try again. */
#include "service.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define FIRST_RETRY (5 * SECOND)
#define LAST_RETRY (300 * SECOND)

void known_init(struct known_map *known)
{
	pthread_mutex_init(&known->mutex, NULL);
}

static void entry_free(struct known *entry)
{
	cox_buf_free(&entry->asked);
	cox_buf_free(&entry->ingress);
	free(entry->uid);
	free(entry);
}

void known_destroy(struct known_map *known)
{
	void *entry;

	for (size_t at = 0; cox_map_next(&known->entries, &at, NULL, NULL, &entry);)
		entry_free(entry);
	cox_map_free(&known->entries);
	pthread_mutex_destroy(&known->mutex);
}

struct known *known_find(struct known_map *known, const char *key)
{
	struct known *entry;

	pthread_mutex_lock(&known->mutex);
	entry = cox_map_get(&known->entries, key, strlen(key));
	pthread_mutex_unlock(&known->mutex);
	return entry;
}

struct known *known_add(struct known_map *known, const char *key, const struct cox_objects *objects,
			const struct cox_object *service)
{
	struct known *entry = cox_new(struct known);

	balancer_name(objects, service, entry->balancer);
	entry->uid = cox_strdup(objects->uid(service));
	known_asked(entry, objects, service);
	pthread_mutex_lock(&known->mutex);
	cox_map_put(&known->entries, key, strlen(key), entry);
	pthread_mutex_unlock(&known->mutex);
	return entry;
}

void known_forget(struct known_map *known, const char *key)
{
	struct known *entry;

	pthread_mutex_lock(&known->mutex);
	entry = cox_map_remove(&known->entries, key, strlen(key));
	pthread_mutex_unlock(&known->mutex);
	if (entry)
		entry_free(entry);
}

void known_asked(struct known *entry, const struct cox_objects *objects,
		 const struct cox_object *service)
{
	const struct cox_bytes json = objects->json(service);

	cox_buf_clear(&entry->asked);
	cox_buf_add(&entry->asked, json.data, json.size);
	entry->wish = service_wish(objects, service);
}

uint64_t known_failed(struct known_map *known, struct known *entry, uint64_t now)
{
	uint64_t wait = FIRST_RETRY;

	pthread_mutex_lock(&known->mutex);
	for (unsigned i = 0; i < entry->failures && wait < LAST_RETRY; i++)
		wait *= 2;
	if (wait > LAST_RETRY)
		wait = LAST_RETRY;
	entry->failures++;
	entry->retry_ns = now + wait;
	pthread_mutex_unlock(&known->mutex);
	return wait;
}

void known_succeeded(struct known_map *known, struct known *entry)
{
	pthread_mutex_lock(&known->mutex);
	entry->failures = 0;
	entry->retry_ns = 0;
	pthread_mutex_unlock(&known->mutex);
}

uint64_t known_wait(struct known_map *known, const struct known *entry, uint64_t now)
{
	uint64_t wait;

	pthread_mutex_lock(&known->mutex);
	wait = entry->retry_ns > now ? entry->retry_ns - now : 0;
	pthread_mutex_unlock(&known->mutex);
	return wait;
}

void known_retry_all(struct known_map *known, void (*emit)(void *context, const char *key),
		     void *context)
{
	const char *key;
	size_t size;
	void *value;

	pthread_mutex_lock(&known->mutex);
	for (size_t at = 0; cox_map_next(&known->entries, &at, &key, &size, &value);) {
		struct known *entry = value;
		char *copy;

		if (!entry->failures)
			continue;
		entry->retry_ns = 0;
		copy = cox_strndup(key, size);
		emit(context, copy);
		free(copy);
	}
	pthread_mutex_unlock(&known->mutex);
}

/* Only compared with others of this process. */
uint64_t service_wish(const struct cox_objects *objects, const struct cox_object *service)
{
	static const uint64_t seed[2] = {0, 0};
	const struct cox_value *root = objects->root(service);
	const struct cox_value *parts[] = {objects->get(root, "spec"),
					   objects->get(root, "metadata.annotations")};
	cox_autobuf text = COX_BUF_INIT;
	const struct cox_writer writer = {cox_buf_sink, &text};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i])
			objects->write(parts[i], &writer);
		cox_buf_char(&text, '\n');
	}
	cox_buf_str(&text, cox_deleting(objects, service) ? "deleting" : "");
	return cox_siphash13(seed, text.data, text.size);
}

/* "a" and the uid without its hyphens, as clouds have always known them. */
void balancer_name(const struct cox_objects *objects, const struct cox_object *service,
		   char out[BALANCER_NAME_SIZE])
{
	const char *uid = objects->uid(service);
	size_t size = 0;

	out[size++] = 'a';
	for (; *uid && size < BALANCER_NAME_SIZE - 1; uid++) {
		if (isalnum((unsigned char)*uid))
			out[size++] = (char)tolower((unsigned char)*uid);
	}
	out[size] = '\0';
}
