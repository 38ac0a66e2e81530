/* SPDX-License-Identifier: Apache-2.0 */
/* The persistent tree against a sorted array, old versions included; counted bytes and names. */
#include "unit.h"

#include "base/bytes.h"
#include "base/intern.h"
#include "base/ptree.h"

#include <coxswain/kit/alloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct number {
	_Atomic int references;
	int value;
	int mark;
};

static _Atomic int alive;

static int compare_number(const struct ptree_type *type, const void *item, const void *key)
{
	int a = ((const struct number *)item)->value;
	int b = *(const int *)key;

	(void)type;
	return a < b ? -1 : a > b;
}

static void number_key(const struct ptree_type *type, const void *item, void *key)
{
	(void)type;
	*(int *)key = ((const struct number *)item)->value;
}

static void ref_number(void *item)
{
	atomic_fetch_add(&((struct number *)item)->references, 1);
}

static void unref_number(void *item)
{
	struct number *number = item;

	if (atomic_fetch_sub(&number->references, 1) == 1) {
		atomic_fetch_sub(&alive, 1);
		free(number);
	}
}

static const struct ptree_type numbers = {compare_number, number_key, ref_number, unref_number};

static struct number *make_number(int value, int mark)
{
	struct number *number = cox_new(struct number);

	number->references = 1;
	number->value = value;
	number->mark = mark;
	atomic_fetch_add(&alive, 1);
	return number;
}

static bool put(struct ptree *tree, int value, int mark)
{
	struct number *number = make_number(value, mark);
	bool fresh = ptree_put(tree, number);

	unref_number(number);
	return fresh;
}

enum { RANGE = 3000 };

/* The tree holds exactly the numbers whose mark is not 0, in order. */
static void check(const struct ptree *tree, const int marks[RANGE])
{
	struct ptree_cursor cursor;
	struct number *number;
	size_t count = 0;
	int value = 0;

	ptree_seek(tree, &cursor, NULL, false);
	while ((number = ptree_next(&cursor))) {
		for (; value < number->value; value++)
			assert_int_equal(marks[value], 0);
		assert_int_equal(number->mark, marks[value]);
		value++;
		count++;
	}
	for (; value < RANGE; value++)
		assert_int_equal(marks[value], 0);
	assert_int_equal(count, tree->count);
}

static void test_against_array(void **state)
{
	static int marks[RANGE], old_marks[RANGE];
	struct ptree tree, old;

	(void)state;
	srand(7);
	ptree_init(&tree, &numbers);
	ptree_init(&old, &numbers);
	for (int round = 1; round <= 60000; round++) {
		int value = rand() % RANGE;
		/* long phases of growth and of shrinking */
		bool grow = rand() % 10 < (round / 10000 % 2 ? 2 : 8);

		if (grow) {
			assert_int_equal(put(&tree, value, round), marks[value] == 0);
			marks[value] = round;
		} else {
			assert_int_equal(ptree_remove(&tree, &value), marks[value] != 0);
			marks[value] = 0;
		}
		if (round % 2500 == 0) {
			check(&tree, marks);
			check(&old, old_marks);
			ptree_clear(&old);
			ptree_copy(&old, &tree);
			memcpy(old_marks, marks, sizeof(marks));
		}
	}
	ptree_clear(&old);
	for (int value = 0; value < RANGE; value++)
		assert_int_equal(ptree_remove(&tree, &value), marks[value] != 0);
	assert_null(tree.root);
	assert_int_equal(tree.count, 0);
	assert_int_equal(alive, 0);
}

static void test_seek_and_rank(void **state)
{
	struct ptree tree;

	(void)state;
	ptree_init(&tree, &numbers);
	for (int i = 0; i < 1000; i++)
		put(&tree, i * 2, 1);
	for (int key = -1; key <= 2000; key++) {
		struct ptree_cursor cursor;
		struct number *number;
		int expected = key < 0 ? 0 : (key + 1) / 2 * 2;

		ptree_seek(&tree, &cursor, &key, false);
		number = ptree_next(&cursor);
		if (expected > 1998)
			assert_null(number);
		else
			assert_int_equal(number->value, expected);
		ptree_seek(&tree, &cursor, &key, true);
		number = ptree_next(&cursor);
		if (key >= 1998)
			assert_null(number);
		else
			assert_int_equal(number->value, key < 0 ? 0 : key / 2 * 2 + 2);
		assert_int_equal(ptree_rank(&tree, &key, false),
				 expected > 1998 ? 1000 : expected / 2);
		assert_int_equal(ptree_rank(&tree, &key, true),
				 key < 0 ? 0 : (key > 1998 ? 1000 : key / 2 + 1));
	}
	/* In order of keys the nodes are left full: a pointer and an eighth an item. */
	assert_true(ptree_memory(&tree) < 1000 * 12);
	ptree_clear(&tree);
	assert_int_equal(alive, 0);
}

struct reader {
	pthread_mutex_t lock;
	struct ptree shared;
	_Atomic bool stop;
	_Atomic int walks;
};

/* Every version holds consecutive numbers with one mark. */
static void *read_versions(void *argument)
{
	struct reader *reader = argument;

	while (!atomic_load(&reader->stop)) {
		struct ptree version;
		struct ptree_cursor cursor;
		struct number *number;
		int expected = -1, mark = 0;

		pthread_mutex_lock(&reader->lock);
		ptree_copy(&version, &reader->shared);
		pthread_mutex_unlock(&reader->lock);
		ptree_seek(&version, &cursor, NULL, false);
		while ((number = ptree_next(&cursor))) {
			if (expected < 0)
				mark = number->mark;
			if (number->mark != mark || (expected >= 0 && number->value != expected))
				abort();
			expected = number->value + 1;
		}
		ptree_clear(&version);
		atomic_fetch_add(&reader->walks, 1);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct reader reader = {.lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_t threads[2];
	struct ptree working;

	(void)state;
	ptree_init(&reader.shared, &numbers);
	ptree_init(&working, &numbers);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_versions, &reader), 0);
	for (int mark = 1; mark <= 60 || atomic_load(&reader.walks) < 20; mark++) {
		struct ptree old;

		for (int i = 0; i < 300; i++)
			put(&working, i, mark);
		pthread_mutex_lock(&reader.lock);
		old = reader.shared;
		ptree_copy(&reader.shared, &working);
		pthread_mutex_unlock(&reader.lock);
		ptree_clear(&old);
	}
	atomic_store(&reader.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ptree_clear(&working);
	ptree_clear(&reader.shared);
	assert_int_equal(alive, 0);
}

static void test_bytes(void **state)
{
	struct bytes *bytes = bytes_copy("abc", 3);

	(void)state;
	assert_int_equal(bytes->size, 3);
	assert_string_equal(bytes->data, "abc");
	assert_ptr_equal(bytes_ref(bytes), bytes);
	bytes_unref(bytes);
	assert_string_equal(bytes->data, "abc");
	bytes_unref(bytes);
	bytes = bytes_copy(NULL, 0);
	assert_string_equal(bytes->data, "");
	bytes_unref(bytes);
	bytes_unref(NULL);
}

static void *name_things(void *argument)
{
	(void)argument;
	for (int i = 0; i < 20000; i++) {
		char text[4] = {'n', (char)('a' + i % 5), 0, 0};
		const struct intern *name = intern_get(text, 2);
		const struct intern *again = intern_ref(name);

		if (strcmp(again->text, text) != 0 || name->size != 2)
			abort();
		intern_unref(again);
		intern_unref(name);
	}
	return NULL;
}

static void test_intern(void **state)
{
	const struct intern *one = intern_get("default", 7), *other = intern_get("defaul", 6);
	const struct intern *same = intern_get("default and more", 7), *empty = intern_get("", 0);
	pthread_t threads[2];

	(void)state;
	assert_ptr_equal(one, same);
	assert_ptr_not_equal(one, other);
	assert_string_equal(other->text, "defaul");
	assert_string_equal(empty->text, "");
	assert_int_equal(intern_count(), 3);
	intern_unref(one);
	assert_string_equal(same->text, "default");
	intern_unref(same);
	intern_unref(other);
	intern_unref(empty);
	intern_unref(NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, name_things, NULL), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(intern_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_array), cmocka_unit_test(test_seek_and_rank),
		cmocka_unit_test(test_threads),	      cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_intern),
	};

	return cmocka_run_group_tests_name("ptree", tests, NULL, NULL);
}
