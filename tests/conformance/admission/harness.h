/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission plugins under test: loaded by the host, called by the chain of the
 * API server, in front of a fake cluster. What a test asks for goes through
 * decoding and defaults as a request does, so that a plugin sees what it would
 * see there.
 */
#ifndef ADMISSION_HARNESS_H
#define ADMISSION_HARNESS_H

#include "unit/unit.h"

#include "apiserver/write.h"
#include "base/error.h"
#include "lib/eventually.h"
#include "lib/fake_server.h"

#include <stdbool.h>

struct fixture {
	struct fake_server *server;
	struct client *client;
	struct informers *informers;
	struct recorder *recorder;
	struct host *host;
	struct admission *chain;
};

struct fixture *fixture_new(void);
void fixture_free(struct fixture *f);
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Another server's chain on the same fixture. */
struct admission *chain_new(void);
void chain_free(struct admission *chain);

/*
 * Adds a plugin to the chain, with one option (NULL: none), and waits until it
 * is ready: what the server has by then is in its listers.
 */
void add_plugin(struct fixture *f, const char *name, const char *key, const char *value);
/* The same, and its listers stay empty until the watches go on. */
void add_plugin_unready(struct fixture *f, const char *name);
/* Opening, or setting the option, must fail; the text of the error. */
void refuse_option(struct fixture *f, const char *name, const char *key, const char *value,
		   const char *text);

/* One request. What is not set is "", NULL, false: a creation in `default`. */
struct attempt {
	enum write_operation operation;
	const char *group, *resource; /* resource NULL: pods */
	const char *subresource;
	const char *namespace_; /* NULL: "default" */
	const char *name;	/* NULL: "web" */
	const char *object, *old;
	bool dry_run;
	uint64_t id; /* 0: a new request */
	unsigned number;
};

/* What came of it; answer_free. */
struct answer {
	int status;
	struct cox_error err;
	struct cox_object *object; /* as it would be stored */
};

struct answer answer_to(struct fixture *f, const struct attempt *attempt);
void answer_free(struct answer *answer);

/* Goes through, and this is what becomes of it; the caller's reference. */
struct cox_object *admitted(struct fixture *f, const struct attempt *attempt);
void passes(struct fixture *f, const struct attempt *attempt);
/* Refused, with exactly this reason and text. */
void refused(struct fixture *f, const struct attempt *attempt, enum cox_reason reason,
	     const char *text);

/* The value at a path as JSON must be this. */
void is_json(const struct cox_object *object, const char *path, const char *json);
/* As is_json, of an object of the server's in `default`. */
void stored_is(struct fixture *f, const char *resource, const char *name, const char *path,
	       const char *json);

/* "in" the namespaces of the fake server */
void put_namespace(struct fixture *f, const char *name, const char *phase);

/* The suites. */
extern const struct CMUnitTest namespace_tests[], pod_tests[], limit_tests[], quota_tests[],
	account_tests[], chain_tests[], volume_tests[];
extern const size_t namespace_test_count, pod_test_count, limit_test_count, quota_test_count,
	account_test_count, chain_test_count, volume_test_count;

#define SUITE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
#define SUITE_END(name)                                                                            \
	const size_t name##_test_count = sizeof(name##_tests) / sizeof(name##_tests[0])

#endif
