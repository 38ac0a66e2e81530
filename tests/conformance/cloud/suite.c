/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every cloud plugin with load balancers must do. It needs room for
 * fourteen of them.
 */
#include "harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 6, ROUNDS = 40 };

/* Words that a service with this load balancer has in its status. */
static void as_status(const struct cox_buf *text, char out[512])
{
	char copy[256], *at = copy, *word;
	size_t size = 0;

	snprintf(copy, sizeof(copy), "%s", cox_buf_cstr(text));
	out[0] = '\0';
	while ((word = strsep(&at, " ")) && *word) {
		char *mode = strchr(word, '/');

		if (mode)
			*mode++ = '\0';
		size += (size_t)snprintf(out + size, 512 - size,
					 mode ? "%s{'ip':'%s','ipMode':'%s'}"
					      : "%s{'hostname':'%s'}",
					 size ? "," : "", word, mode);
	}
}

static void test_life(void **state)
{
	auto_balancer balancer = balancer_new("a0", "", "");
	const struct cox_cloud *cloud = cloud_begin();
	cox_autobuf first = COX_BUF_INIT;
	cox_autobuf again = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(ask_get(cloud, &balancer, &first, &err), -1);
	assert_int_equal(err.reason, COX_REASON_NOT_FOUND);
	assert_string_equal(cox_buf_cstr(&first), "");
	error_clear(&err);
	cox_buf_str(&first, ensured(cloud, &balancer));
	assert_true(first.size > 1);
	/* Again: the same. */
	assert_string_equal(ensured(cloud, &balancer), first.data);
	assert_int_equal(ask_get(cloud, &balancer, &again, &err), 0);
	assert_string_equal(again.data, first.data);
	assert_int_equal(cloud->ops->balancer_update(cloud->self, &no_call, &balancer, &err), 0);
	removed(cloud, &balancer);
	removed(cloud, &balancer);
	assert_int_equal(ask_get(cloud, &balancer, NULL, &err), -1);
	assert_int_equal(err.reason, COX_REASON_NOT_FOUND);
	cloud_end();
}

/* Whatever the services are called: the name of the load balancer is the key. */
static void test_apart(void **state)
{
	auto_balancer one = balancer_new("a1", "", "");
	auto_balancer two = balancer_new("a2", "", "");
	const struct cox_cloud *cloud = cloud_begin();
	cox_autobuf first = COX_BUF_INIT;
	cox_autobuf second = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	cox_buf_str(&first, ensured(cloud, &one));
	cox_buf_str(&second, ensured(cloud, &two));
	assert_string_not_equal(first.data, second.data);
	removed(cloud, &one);
	assert_int_equal(ask_get(cloud, &one, NULL, &err), -1);
	error_clear(&err);
	assert_int_equal(ask_get(cloud, &two, &first, &err), 0);
	assert_string_equal(first.data, second.data);
	removed(cloud, &two);
	cloud_end();
}

/* A new process that is told what services say finds everything as it was. */
static void test_restart(void **state)
{
	static const char *const names[] = {"a3", "a4", "a5"};
	const struct cox_cloud *cloud = cloud_begin();
	struct cox_cloud_balancer before[3], after[3];
	struct cox_buf texts[3] = {COX_BUF_INIT, COX_BUF_INIT, COX_BUF_INIT};
	cox_autobuf found = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	char status[512];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		before[i] = balancer_new(names[i], "", "");
		cox_buf_str(&texts[i], ensured(cloud, &before[i]));
		as_status(&texts[i], status);
		after[i] = balancer_new(names[i], "", status);
	}
	/* The middle one goes: what is kept does not depend on the order of making. */
	removed(cloud, &before[1]);
	cloud_end();
	cloud = cloud_begin();
	if (cloud->ops->balancer_restore) {
		struct cox_cloud_balancer told[] = {after[2], after[0]};

		assert_int_equal(cloud->ops->balancer_restore(cloud->self, &no_call, told, 2, &err),
				 0);
	}
	assert_int_equal(ask_get(cloud, &after[2], &found, &err), 0);
	assert_string_equal(found.data, texts[2].data);
	assert_int_equal(ask_get(cloud, &after[1], NULL, &err), -1);
	assert_int_equal(err.reason, COX_REASON_NOT_FOUND);
	assert_string_equal(ensured(cloud, &after[0]), texts[0].data);
	for (size_t i = 0; i < 3; i++) {
		removed(cloud, &after[i]);
		balancer_free(&before[i]);
		balancer_free(&after[i]);
		cox_buf_free(&texts[i]);
	}
	cloud_end();
}

/* Whatever it knows of a machine, it knows twice. */
static void test_instance(void **state)
{
	const struct cox_cloud *cloud = cloud_begin();
	cox_autobuf first = COX_BUF_INIT;
	cox_autobuf again = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	if (!cloud->ops->instance) {
		cloud_end();
		skip();
	}
	assert_int_equal(ask_instance(cloud, "somebody", &first, &err),
			 ask_instance(cloud, "somebody", &again, &err));
	assert_string_equal(cox_buf_cstr(&first), cox_buf_cstr(&again));
	assert_true(!err.reason || err.reason == COX_REASON_NOT_FOUND);
	cloud_end();
}

/* ---- many at a time ---- */

struct worker {
	const struct cox_cloud *cloud;
	pthread_t thread;
	struct cox_cloud_balancer fixed, passing;
	struct cox_buf first;
	unsigned failures;
};

/* One that stays, and one that comes and goes. */
static void *work(void *argument)
{
	struct worker *worker = argument;
	cox_autobuf text = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (ask_ensure(worker->cloud, &worker->fixed, &worker->first, &err))
		worker->failures++;
	for (unsigned i = 0; i < ROUNDS && !worker->failures; i++) {
		if (ask_ensure(worker->cloud, &worker->passing, &text, &err) ||
		    !strcmp(cox_buf_cstr(&text), cox_buf_cstr(&worker->first)) ||
		    ask_ensure(worker->cloud, &worker->fixed, &text, &err) ||
		    strcmp(cox_buf_cstr(&text), cox_buf_cstr(&worker->first)) != 0 ||
		    worker->cloud->ops->balancer_remove(worker->cloud->self, &no_call,
							&worker->passing, &err))
			worker->failures++;
	}
	return NULL;
}

static void test_parallel(void **state)
{
	const struct cox_cloud *cloud = cloud_begin();
	struct worker workers[WORKERS];

	(void)state;
	for (unsigned i = 0; i < WORKERS; i++) {
		char fixed[8], passing[8];

		snprintf(fixed, sizeof(fixed), "f%u", i);
		snprintf(passing, sizeof(passing), "p%u", i);
		workers[i] = (struct worker){.cloud = cloud,
					     .fixed = balancer_new(fixed, "", ""),
					     .passing = balancer_new(passing, "", "")};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(workers[i].failures, 0);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(cox_buf_cstr(&workers[i].first),
						cox_buf_cstr(&workers[k].first));
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		removed(cloud, &workers[i].fixed);
		balancer_free(&workers[i].fixed);
		balancer_free(&workers[i].passing);
		cox_buf_free(&workers[i].first);
	}
	cloud_end();
}

int main(int argc, char **argv)
{
	static const char *const usual[] = {"addresses=192.0.2.0/27,2001:db8::/64"};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),	 cmocka_unit_test(test_apart),
		cmocka_unit_test(test_restart),	 cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_instance),
	};
	int failed;

	if (argc > 1)
		harness_begin(argv[1], (const char *const *)argv + 2, (size_t)argc - 2);
	else
		harness_begin("local", usual, 1);
	failed = cmocka_run_group_tests_name("cloud", tests, NULL, NULL);
	harness_end();
	return failed;
}
