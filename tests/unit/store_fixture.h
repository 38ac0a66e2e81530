/* SPDX-License-Identifier: Apache-2.0 */
/* A store on the fake plugin, with pods and nodes, and short ways to use it. */
#ifndef COX_TESTS_STORE_FIXTURE_H
#define COX_TESTS_STORE_FIXTURE_H

#include "fake_storage.h"
#include "lib/eventually.h"
#include "store/submit.h"
#include "store/watch.h"

struct fixture {
	struct fake fake;
	struct store *store;
	struct store_collection *pods, *nodes;
};

extern const struct store_collection_options fixture_pods, fixture_nodes;
enum { FIXTURE_TAG = 7 };

/* Fills fixture->fake before the store starts, if given. */
void fixture_start(struct fixture *fixture, const struct store_options *options,
		   void (*fill)(struct fake *fake));
void fixture_stop(struct fixture *fixture);

/* {"metadata":{"name":…,"namespace":…,"labels":{"app":app}},"spec":{"nodeName":node}} */
const char *pod_json(char room[512], const char *namespace, const char *name, const char *app,
		     const char *node);

struct write {
	enum store_result result;
	uint64_t revision;
	enum cox_reason reason;
	char why[160];
};
/* Writes a pod; `expected` is the key's revision (0: absent), UINT64_MAX: any. */
struct write put_pod(struct fixture *fixture, const char *namespace, const char *name,
		     const char *app, const char *node, uint64_t expected);
struct write delete_pod(struct fixture *fixture, const char *namespace, const char *name);

#define ANY UINT64_MAX

#endif
