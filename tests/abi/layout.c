/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where every field of ABI 1 lies on a 64-bit machine. A line here may be added,
 * never changed: released plugins were built with these numbers. The sizes may
 * grow, by appended fields.
 */
#include "unit.h"

#include <coxswain/plugin.h>

#define AT(type, member, offset)                                                                   \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member " has moved")
#define AT_LEAST(type, size) _Static_assert(sizeof(struct type) >= (size), #type " has shrunk")

/* Other pointers, other numbers. */
#if UINTPTR_MAX == UINT64_MAX

AT(cox_plugin, magic, 0);
AT(cox_plugin, abi, 4);
AT(cox_plugin, struct_size, 8);
AT(cox_plugin, host_size, 12);
AT(cox_plugin, ops_abi, 16);
AT(cox_plugin, ops_size, 20);
AT(cox_plugin, thread_model, 24);
AT(cox_plugin, option_size, 28);
AT(cox_plugin, flags, 32);
AT(cox_plugin, reserved, 36);
AT(cox_plugin, kind, 40);
AT(cox_plugin, name, 48);
AT(cox_plugin, version, 56);
AT(cox_plugin, release, 64);
AT(cox_plugin, description, 72);
AT(cox_plugin, options, 80);
AT(cox_plugin, ops, 88);
AT(cox_plugin, create, 96);
AT(cox_plugin, config, 104);
AT(cox_plugin, config_complete, 112);
AT(cox_plugin, get_ready, 120);
AT(cox_plugin, start, 128);
AT(cox_plugin, stop, 136);
AT(cox_plugin, destroy, 144);
AT(cox_plugin, dump, 152);
AT_LEAST(cox_plugin, 160);

AT(cox_host, struct_size, 0);
AT(cox_host, abi, 4);
AT(cox_host, program, 8);
AT(cox_host, context, 16);
AT(cox_host, log, 24);
AT(cox_host, log_verbose, 32);
AT(cox_host, fail, 40);
AT(cox_host, fail_field, 48);
AT(cox_host, fail_retry_after, 56);
AT(cox_host, dump, 64);
AT(cox_host, monotonic_ns, 72);
AT(cox_host, realtime_ns, 80);
AT(cox_host, cancelled, 88);
AT(cox_host, random, 96);
AT(cox_host, count, 104);
AT(cox_host, gauge, 112);
AT(cox_host, spawn, 120);
AT(cox_host, objects, 128);
AT(cox_host, cluster, 136);
AT(cox_host, fail_about, 144);
AT(cox_host, fail_cause, 152);
AT(cox_host, log_at, 160);
AT_LEAST(cox_host, 168);

AT(cox_option, name, 0);
AT(cox_option, fallback, 8);
AT(cox_option, help, 16);
AT(cox_option, type, 24);
AT(cox_option, flags, 28);
AT_LEAST(cox_option, 32);

AT(cox_call, struct_size, 0);
AT(cox_call, flags, 4);
AT(cox_call, deadline_ns, 8);
AT(cox_call, cancel, 16);
AT(cox_call, user, 24);
AT(cox_call, trace_id, 32);
AT_LEAST(cox_call, 40);

AT(cox_spawn, struct_size, 0);
AT(cox_spawn, flags, 4);
AT(cox_spawn, path, 8);
AT(cox_spawn, argv, 16);
AT(cox_spawn, env, 24);
AT(cox_spawn, cwd, 32);
AT(cox_spawn, fds, 40);
AT(cox_spawn, fd_count, 48);
AT_LEAST(cox_spawn, 56);

AT(cox_spawn_fd, from, 0);
AT(cox_spawn_fd, to, 4);
AT_LEAST(cox_spawn_fd, 8);

AT(cox_bytes, data, 0);
AT(cox_bytes, size, 8);
AT_LEAST(cox_bytes, 16);

#endif

/* Numbers that cross the line; the compiler checks most of them by their use in the headers. */
static void numbers_stand(void **state)
{
	(void)state;
	assert_int_equal(COX_PLUGIN_MAGIC, 0x31584f43);
	assert_int_equal(COX_PLUGIN_ABI, 1);
	assert_int_equal(COX_REASON_NONE, 0);
	assert_int_equal(COX_REASON_BAD_REQUEST, 1);
	assert_int_equal(COX_REASON_UNAUTHORIZED, 2);
	assert_int_equal(COX_REASON_FORBIDDEN, 3);
	assert_int_equal(COX_REASON_NOT_FOUND, 4);
	assert_int_equal(COX_REASON_METHOD_NOT_ALLOWED, 5);
	assert_int_equal(COX_REASON_NOT_ACCEPTABLE, 6);
	assert_int_equal(COX_REASON_ALREADY_EXISTS, 7);
	assert_int_equal(COX_REASON_CONFLICT, 8);
	assert_int_equal(COX_REASON_GONE, 9);
	assert_int_equal(COX_REASON_EXPIRED, 10);
	assert_int_equal(COX_REASON_ENTITY_TOO_LARGE, 11);
	assert_int_equal(COX_REASON_UNSUPPORTED_MEDIA, 12);
	assert_int_equal(COX_REASON_INVALID, 13);
	assert_int_equal(COX_REASON_TOO_MANY_REQUESTS, 14);
	assert_int_equal(COX_REASON_INTERNAL_ERROR, 15);
	assert_int_equal(COX_REASON_SERVER_TIMEOUT, 16);
	assert_int_equal(COX_REASON_SERVICE_UNAVAILABLE, 17);
	assert_int_equal(COX_REASON_TIMEOUT, 18);
	assert_int_equal(COX_REASON_INSUFFICIENT_STORAGE, 19);
	assert_int_equal(COX_REASON_STORE_READ_ERROR, 20);
	assert_int_equal(COX_THREADS_SERIAL, 1);
	assert_int_equal(COX_THREADS_PER_INSTANCE, 2);
	assert_int_equal(COX_THREADS_PARALLEL, 3);
	assert_int_equal(COX_OPT_STRING, 1);
	assert_int_equal(COX_OPT_BOOL, 2);
	assert_int_equal(COX_OPT_INT, 3);
	assert_int_equal(COX_OPT_SIZE, 4);
	assert_int_equal(COX_OPT_DURATION, 5);
	assert_int_equal(COX_OPT_PATH, 6);
	assert_int_equal(COX_OPT_LIST, 7);
	assert_int_equal(COX_OPT_DOCUMENT, 8);
	assert_int_equal(COX_EXCLUSIVE, 1);
	assert_int_equal(COX_OPTION_REQUIRED, 1);
	assert_int_equal(COX_OPTION_SECRET, 2);
}

static void part_of_a_host_can_be_asked_for(void **state)
{
	(void)state;
	assert_int_equal(COX_HOST_SIZE_UP_TO(log), offsetof(struct cox_host, log_verbose));
	assert_true(COX_HOST_SIZE_UP_TO(spawn) <= sizeof(struct cox_host));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_stand),
		cmocka_unit_test(part_of_a_host_can_be_asked_for),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
