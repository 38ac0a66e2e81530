/* SPDX-License-Identifier: Apache-2.0 */
/* Expectations of controllers, <coxswain/kit/expect.h>. */
#include <coxswain/kit/expect.h>

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <string.h>

#define EXPECT_TIMEOUT (300 * UINT64_C(1000000000))

struct expected {
	size_t creations;
	COX_VEC(char *) deletions; /* uids */
	uint64_t since;
};

struct cox_expect {
	pthread_mutex_t mutex;
	struct cox_map keys;
	uint64_t (*monotonic_ns)(void);
};

static void expected_free(struct expected *expected)
{
	if (!expected)
		return;
	for (size_t i = 0; i < expected->deletions.count; i++)
		free(expected->deletions.items[i]);
	cox_vec_free(&expected->deletions);
	free(expected);
}

struct cox_expect *cox_expect_new(uint64_t (*monotonic_ns)(void))
{
	struct cox_expect *expect = cox_new(struct cox_expect);

	pthread_mutex_init(&expect->mutex, NULL);
	expect->monotonic_ns = monotonic_ns;
	return expect;
}

void cox_expect_free(struct cox_expect *expect)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	if (!expect)
		return;
	while (cox_map_next(&expect->keys, &at, &key, &size, &value))
		expected_free(value);
	cox_map_free(&expect->keys);
	pthread_mutex_destroy(&expect->mutex);
	free(expect);
}

static struct expected *expected_make(struct cox_expect *expect, const char *key)
{
	struct expected *expected = cox_map_get(&expect->keys, key, strlen(key));

	if (!expected) {
		expected = cox_new(struct expected);
		cox_map_put(&expect->keys, key, strlen(key), expected);
	}
	expected->since = expect->monotonic_ns();
	return expected;
}

/* With the mutex held: forgets a key that expects nothing any more. */
static void expected_settle(struct cox_expect *expect, const char *key,
			    const struct expected *expected)
{
	if (!expected->creations && !expected->deletions.count)
		expected_free(cox_map_remove(&expect->keys, key, strlen(key)));
}

void cox_expect_creations(struct cox_expect *expect, const char *key, size_t count)
{
	cox_lock_scope(&expect->mutex);
	if (count)
		expected_make(expect, key)->creations += count;
}

void cox_expect_deletions(struct cox_expect *expect, const char *key, const char *const *uids,
			  size_t count)
{
	struct expected *expected;

	if (!count)
		return;
	cox_lock_scope(&expect->mutex);
	expected = expected_make(expect, key);
	for (size_t i = 0; i < count; i++)
		cox_vec_push(&expected->deletions, cox_strdup(uids[i]));
}

void cox_expect_created(struct cox_expect *expect, const char *key)
{
	struct expected *expected;

	cox_lock_scope(&expect->mutex);
	expected = cox_map_get(&expect->keys, key, strlen(key));
	if (!expected || !expected->creations)
		return;
	expected->creations--;
	expected_settle(expect, key, expected);
}

void cox_expect_deleted(struct cox_expect *expect, const char *key, const char *uid)
{
	struct expected *expected;

	cox_lock_scope(&expect->mutex);
	expected = cox_map_get(&expect->keys, key, strlen(key));
	for (size_t i = 0; expected && i < expected->deletions.count; i++) {
		char **items = expected->deletions.items;

		if (strcmp(items[i], uid) != 0)
			continue;
		free(items[i]);
		items[i] = items[--expected->deletions.count];
		expected_settle(expect, key, expected);
		return;
	}
}

bool cox_expect_met(struct cox_expect *expect, const char *key)
{
	struct expected *expected;

	cox_lock_scope(&expect->mutex);
	expected = cox_map_get(&expect->keys, key, strlen(key));
	if (!expected)
		return true;
	if (expect->monotonic_ns() - expected->since < EXPECT_TIMEOUT)
		return false;
	expected_free(cox_map_remove(&expect->keys, key, strlen(key)));
	return true;
}

void cox_expect_forget(struct cox_expect *expect, const char *key)
{
	cox_lock_scope(&expect->mutex);
	expected_free(cox_map_remove(&expect->keys, key, strlen(key)));
}
