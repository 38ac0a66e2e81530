/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads a storage plugin by the path of its .so, plays its host, and wraps its
 * operations so that a test reads as what it tests. Every wait has a deadline.
 */
#ifndef TESTS_STORAGE_HARNESS_H
#define TESTS_STORAGE_HARNESS_H

#include "../../unit/unit.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/vec.h>
#include <coxswain/storage.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* What the host side keeps of an error. */
struct cox_error {
	enum cox_reason reason;
	char text[1024];
};

struct store {
	const struct cox_plugin *plugin;
	const struct cox_storage_ops *ops;
	void *self;
	char directory[512]; /* "" for a plugin that keeps nothing on disk */
};

struct option_value {
	const char *name;
	const char *value;
};

/* The last line that a plugin logged as a warning or an error. */
extern char harness_logged[1024];

const struct cox_plugin *harness_load(const char *path);
bool store_is_persistent(const struct cox_plugin *plugin);
/*
 * Opens a store in `directory`; `options` (may be NULL) ends with a NULL name.
 * 0, or -1 with the error.
 */
int store_open(struct store *store, const struct cox_plugin *plugin, const char *directory,
	       const struct option_value *options, struct cox_error *err);
void store_close(struct store *store);

/* One result of a transaction. */
struct result {
	bool done;
	enum cox_txn_result result;
	uint64_t revision;
	size_t index;
	enum cox_reason reason;
	char why[600];
};

#define ANY UINT64_MAX /* no compare */

struct cox_bytes bytes_of(const char *text);
void store_submit(struct store *store, const struct cox_txn *txns, size_t count,
		  struct result *results);
/* `expected`: the revision that the key must have, or ANY. */
struct result store_put(struct store *store, const char *key, const char *value, uint64_t expected);
struct result store_put_relaxed(struct store *store, const char *key, const char *value);
struct result store_put_ttl(struct store *store, const char *key, const char *value, uint32_t ttl);
struct result store_delete(struct store *store, const char *key, uint64_t expected);
/* Puts that must succeed; the revision. */
uint64_t must_put(struct store *store, const char *key, const char *value);
uint64_t must_delete(struct store *store, const char *key);
uint64_t store_revision(struct store *store);
void store_compact(struct store *store, uint64_t revision);

/*
 * The entries as text, "key=value key=value", with " ..." behind when there are
 * more; free with free(). NULL and the error if the range failed.
 */
char *store_range(struct store *store, const char *start, const char *end, uint64_t at,
		  uint64_t limit, struct cox_range_result *result, struct cox_error *err);
void assert_range(struct store *store, const char *start, const char *end, uint64_t at,
		  const char *expected);
/* The value of one key, or NULL; free with free(). */
char *store_get(struct store *store, const char *key, uint64_t *revision);

/* Collects the events of a watch and checks on each that the rules hold. */
struct watcher {
	struct cox_watch_sink sink; /* first */
	struct store *store;
	void *watch;
	pthread_mutex_t lock;
	pthread_cond_t news;
	uint64_t base;	     /* revisions are written relative to it */
	struct cox_buf text; /* "put a=1 @1; delete a @2; ", COMMITs checked, not written */
	uint64_t event;	     /* revision of the newest put or delete */
	uint64_t sealed;     /* newest COMMIT or PROGRESS */
	uint64_t lost;	     /* of COX_EVENT_LOST; 0: none */
	bool open;	     /* a revision has events and no COMMIT yet */
	bool blocked;	     /* the sink waits until this is false */
	bool entered;	     /* the sink was called at least once */
	char broken[256];    /* the rule that was broken; "" none */
};

int watcher_start(struct watcher *watcher, struct store *store, const char *start, const char *end,
		  uint64_t after, struct cox_error *err);
/* Waits until everything up to `revision` has come; false: lost, or too late. */
bool watcher_wait(struct watcher *watcher, uint64_t revision);
/* Waits until the watch is lost; its oldest revision (0: too late). */
uint64_t watcher_wait_lost(struct watcher *watcher);
void watcher_block(struct watcher *watcher, bool blocked);
/* Waits, compares the text, stops. */
void watcher_finish(struct watcher *watcher, uint64_t revision, const char *expected);
void watcher_stop(struct watcher *watcher);

/* A fresh private directory, removed by harness_cleanup. */
void harness_directory(char out[512]);
void harness_remove(const char *directory); /* with all that is in it */
void harness_cleanup(void);

uint64_t harness_now(void); /* monotonic, ns */

#endif
