/* SPDX-License-Identifier: Apache-2.0 */
/* A host for storage plugins under test; see the header. */
#include "harness.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <dlfcn.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)
enum { DEADLINE_SECONDS = 30 };

char harness_logged[1024];

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(THREAD_SANITIZER)
/* leveldb is not instrumented, so the order that its atomics make is not seen. */
const char *__tsan_default_suppressions(void);
COX_EXPORT const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:libleveldb.so\n"
	       "called_from_lib:libsnappy.so\n"
	       "called_from_lib:libstdc++.so\n";
}
#endif

/* The host table */

static void host_log(void *context, int level, const char *format, ...) COX_PRINTF(3, 4);
static void host_log(void *context, int level, const char *format, ...)
{
	char line[sizeof(harness_logged)];
	va_list args;

	(void)context;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (level != COX_LOG_INFO)
		memcpy(harness_logged, line, sizeof(line));
	if (getenv("COX_TEST_VERBOSE"))
		fprintf(stderr, "# %c %s\n", level, line);
}

static void host_log_verbose(void *context, int verbosity, const char *format, ...)
	COX_PRINTF(3, 4);
static void host_log_verbose(void *context, int verbosity, const char *format, ...)
{
	(void)context;
	(void)verbosity;
	(void)format;
}

static int host_fail(struct cox_error *err, enum cox_reason reason, const char *format, ...)
	COX_PRINTF(3, 4);
static int host_fail(struct cox_error *err, enum cox_reason reason, const char *format, ...)
{
	char text[sizeof(err->text)];
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	memcpy(err->text, text, sizeof(text));
	err->reason = reason;
	return -1;
}

static void host_fail_field(struct cox_error *err, const char *path)
{
	(void)err;
	(void)path;
}

static void host_fail_retry_after(struct cox_error *err, uint32_t seconds)
{
	(void)err;
	(void)seconds;
}

static void host_dump(struct cox_dump *out, const char *key, const char *format, ...)
	COX_PRINTF(3, 4);
static void host_dump(struct cox_dump *out, const char *key, const char *format, ...)
{
	(void)out;
	(void)key;
	(void)format;
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

uint64_t harness_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static uint64_t host_realtime(void)
{
	return read_clock(CLOCK_REALTIME);
}

static int host_cancelled(const struct cox_call *call)
{
	return call && call->deadline_ns && harness_now() > call->deadline_ns;
}

static void host_random(void *data, size_t size)
{
	if (getrandom(data, size, 0) != (ssize_t)size)
		abort();
}

static void host_count(void *context, const char *what, uint64_t add)
{
	(void)context;
	(void)what;
	(void)add;
}

static void host_gauge(void *context, const char *what, int64_t value)
{
	(void)context;
	(void)what;
	(void)value;
}

static int host_spawn(void *context, const struct cox_spawn *what, int *pidfd, int32_t *pid,
		      struct cox_error *err)
{
	(void)context;
	(void)what;
	(void)pidfd;
	(void)pid;
	return host_fail(err, COX_REASON_INTERNAL_ERROR, "no processes here");
}

static const struct cox_host host = {.struct_size = sizeof(host),
				     .abi = COX_PLUGIN_ABI,
				     .program = "conformance",
				     .log = host_log,
				     .log_verbose = host_log_verbose,
				     .fail = host_fail,
				     .fail_field = host_fail_field,
				     .fail_retry_after = host_fail_retry_after,
				     .dump = host_dump,
				     .monotonic_ns = harness_now,
				     .realtime_ns = host_realtime,
				     .cancelled = host_cancelled,
				     .random = host_random,
				     .count = host_count,
				     .gauge = host_gauge,
				     .spawn = host_spawn};

/* Stores */

const struct cox_plugin *harness_load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct cox_plugin *plugin;

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(99);
	}
	/* Never closed: sanitizers want the symbols at the end. */
	plugin = dlsym(library, "cox_plugin");
	if (!plugin || plugin->magic != COX_PLUGIN_MAGIC || strcmp(plugin->kind, "storage") != 0) {
		fprintf(stderr, "%s: not a storage plugin\n", path);
		exit(99);
	}
	return plugin;
}

static bool takes_option(const struct cox_plugin *plugin, const char *name)
{
	for (const struct cox_option *option = plugin->options; option && option->name; option++)
		if (strcmp(option->name, name) == 0)
			return true;
	return false;
}

bool store_is_persistent(const struct cox_plugin *plugin)
{
	return takes_option(plugin, "directory");
}

/* Defaults first, as the host does; sizes are handed over in bytes. */
static int configure(struct store *store, const struct option_value *options, struct cox_error *err)
{
	const struct cox_plugin *plugin = store->plugin;

	for (const struct cox_option *option = plugin->options; option && option->name; option++) {
		const char *value = option->fallback;

		for (const struct option_value *own = options; own && own->name; own++)
			if (strcmp(own->name, option->name) == 0)
				value = own->value;
		if (strcmp(option->name, "directory") == 0)
			value = store->directory;
		if (value && plugin->config(store->self, option->name, value, err))
			return -1;
	}
	return plugin->config_complete ? plugin->config_complete(store->self, err) : 0;
}

int store_open(struct store *store, const struct cox_plugin *plugin, const char *directory,
	       const struct option_value *options, struct cox_error *err)
{
	*store = (struct store){.plugin = plugin, .ops = plugin->ops};
	if (takes_option(plugin, "directory"))
		snprintf(store->directory, sizeof(store->directory), "%s", directory);
	store->self = plugin->create(&host, err);
	if (!store->self)
		return -1;
	if (configure(store, options, err) == 0 &&
	    (!plugin->get_ready || plugin->get_ready(store->self, err) == 0)) {
		if (!plugin->start || plugin->start(store->self, err) == 0)
			return 0;
	}
	plugin->destroy(store->self);
	store->self = NULL;
	return -1;
}

void store_close(struct store *store)
{
	if (!store->self)
		return;
	if (store->plugin->stop)
		store->plugin->stop(store->self);
	store->plugin->destroy(store->self);
	store->self = NULL;
}

struct cox_bytes bytes_of(const char *text)
{
	return (struct cox_bytes){text, text ? strlen(text) : 0};
}

struct collect {
	struct cox_txn_sink sink; /* first */
	struct result *results;
	size_t left;
};

static void take_result(const struct cox_txn_sink *sink, void *cookie, enum cox_txn_result result,
			uint64_t revision, size_t index, enum cox_reason reason, const char *why)
{
	struct collect *collect = (struct collect *)(uintptr_t)sink;
	struct result *into = cookie;

	if (into->done)
		abort(); /* twice for one transaction */
	*into = (struct result){true, result, revision, index, reason, ""};
	if (why)
		snprintf(into->why, sizeof(into->why), "%s", why);
	collect->left--;
}

void store_submit(struct store *store, const struct cox_txn *txns, size_t count,
		  struct result *results)
{
	cox_autofree struct cox_txn *copies = cox_calloc(count, sizeof(*copies));
	struct collect collect = {{sizeof(struct cox_txn_sink), 0, take_result}, results, count};
	struct cox_call call = {.struct_size = sizeof(call)};
	struct cox_error err = {0};

	for (size_t i = 0; i < count; i++) {
		copies[i] = txns[i];
		copies[i].cookie = &results[i];
		results[i] = (struct result){0};
	}
	if (store->ops->submit(store->self, &call, copies, count, &collect.sink, &err))
		for (size_t i = 0; i < count; i++) {
			results[i] = (struct result){true, COX_TXN_FAILED, 0, 0, err.reason, ""};
			memcpy(results[i].why, err.text, sizeof(results[i].why) - 1);
		}
	else if (collect.left)
		abort(); /* our plugins answer before they return */
}

static struct result put_one(struct store *store, const char *key, const char *value,
			     uint64_t expected, uint32_t ttl, uint32_t durability)
{
	struct cox_compare compare = {bytes_of(key), expected};
	struct cox_put put = {bytes_of(key), bytes_of(value), 7, ttl};
	struct cox_txn txn = {.compares = &compare,
			      .compare_count = expected == ANY ? 0 : 1,
			      .puts = &put,
			      .put_count = 1,
			      .durability = durability};
	struct result result;

	store_submit(store, &txn, 1, &result);
	return result;
}

struct result store_put(struct store *store, const char *key, const char *value, uint64_t expected)
{
	return put_one(store, key, value, expected, 0, COX_DURABLE);
}

struct result store_put_relaxed(struct store *store, const char *key, const char *value)
{
	return put_one(store, key, value, ANY, 0, COX_RELAXED);
}

struct result store_put_ttl(struct store *store, const char *key, const char *value, uint32_t ttl)
{
	return put_one(store, key, value, ANY, ttl, COX_RELAXED);
}

struct result store_delete(struct store *store, const char *key, uint64_t expected)
{
	struct cox_compare compare = {bytes_of(key), expected};
	struct cox_bytes bytes = bytes_of(key);
	struct cox_txn txn = {.compares = &compare,
			      .compare_count = expected == ANY ? 0 : 1,
			      .deletes = &bytes,
			      .delete_count = 1};
	struct result result;

	store_submit(store, &txn, 1, &result);
	return result;
}

uint64_t must_put(struct store *store, const char *key, const char *value)
{
	struct result result = store_put(store, key, value, ANY);

	assert_string_equal(result.why, "");
	assert_int_equal(result.result, COX_TXN_COMMITTED);
	return result.revision;
}

uint64_t must_delete(struct store *store, const char *key)
{
	struct result result = store_delete(store, key, ANY);

	assert_string_equal(result.why, "");
	assert_int_equal(result.result, COX_TXN_COMMITTED);
	return result.revision;
}

uint64_t store_revision(struct store *store)
{
	struct cox_call call = {.struct_size = sizeof(call)};
	struct cox_error err = {0};
	uint64_t revision = store->ops->revision(store->self, &call, &err);

	assert_string_equal(err.text, "");
	return revision;
}

void store_compact(struct store *store, uint64_t revision)
{
	struct cox_call call = {.struct_size = sizeof(call)};
	struct cox_error err = {0};

	if (store->ops->compact(store->self, &call, revision, &err))
		fail_msg("compact: %s", err.text);
}

/* Ranges */

struct range_text {
	struct cox_range_sink sink; /* first */
	struct cox_buf text;
	struct cox_buf last; /* key */
};

static int take_entry(const struct cox_range_sink *sink, const struct cox_entry *entry)
{
	struct range_text *into = (struct range_text *)(uintptr_t)sink;

	if (into->last.size) {
		size_t size = into->last.size < entry->key.size ? into->last.size : entry->key.size;
		int order = memcmp(into->last.data, entry->key.data, size);

		if (order > 0 || (order == 0 && into->last.size >= entry->key.size))
			abort(); /* not in order */
		cox_buf_char(&into->text, ' ');
	}
	cox_buf_clear(&into->last);
	cox_buf_add(&into->last, entry->key.data, entry->key.size);
	cox_buf_add(&into->text, entry->key.data, entry->key.size);
	cox_buf_char(&into->text, '=');
	cox_buf_add(&into->text, entry->value.data ? entry->value.data : "", entry->value.size);
	return 0;
}

char *store_range(struct store *store, const char *start, const char *end, uint64_t at,
		  uint64_t limit, struct cox_range_result *result, struct cox_error *err)
{
	struct range_text into = {
		{sizeof(struct cox_range_sink), 0, take_entry}, COX_BUF_INIT, COX_BUF_INIT};
	struct cox_range range = {
		.start = bytes_of(start), .end = bytes_of(end), .at_revision = at, .limit = limit};
	struct cox_range_result own;
	struct cox_call call = {.struct_size = sizeof(call)};
	int failed;

	if (!result)
		result = &own;
	memset(result, 0, sizeof(*result));
	failed = store->ops->range(store->self, &call, &range, &into.sink, result, err);
	if (!failed && result->more)
		cox_buf_str(&into.text, " ...");
	cox_buf_free(&into.last);
	if (failed)
		cox_buf_free(&into.text);
	return failed ? NULL : cox_buf_steal(&into.text);
}

void assert_range(struct store *store, const char *start, const char *end, uint64_t at,
		  const char *expected)
{
	struct cox_error err = {0};
	cox_autofree char *text = store_range(store, start, end, at, 0, NULL, &err);

	assert_string_equal(err.text, "");
	assert_non_null(text);
	assert_string_equal(text, expected);
}

struct get {
	struct cox_range_sink sink; /* first */
	char *value;
	uint64_t revision;
};

static int take_value(const struct cox_range_sink *sink, const struct cox_entry *entry)
{
	struct get *into = (struct get *)(uintptr_t)sink;

	into->value = cox_strndup(entry->value.data ? entry->value.data : "", entry->value.size);
	into->revision = entry->revision;
	return 1;
}

char *store_get(struct store *store, const char *key, uint64_t *revision)
{
	struct get into = {{sizeof(struct cox_range_sink), 0, take_value}, NULL, 0};
	struct cox_range range = {.start = bytes_of(key), .end = {key, strlen(key) + 1}};
	struct cox_call call = {.struct_size = sizeof(call)};
	struct cox_range_result result = {0};
	struct cox_error err = {0};

	if (store->ops->range(store->self, &call, &range, &into.sink, &result, &err))
		fail_msg("get %s: %s", key, err.text);
	if (revision)
		*revision = into.revision;
	return into.value;
}

/* Watches */

static void broke(struct watcher *watcher, const char *rule)
{
	snprintf(watcher->broken, sizeof(watcher->broken), "%s", rule);
}

static void check_order(struct watcher *watcher, const struct cox_watch_event *event)
{
	bool seals = event->type == COX_EVENT_COMMIT || event->type == COX_EVENT_PROGRESS;

	if (watcher->lost)
		broke(watcher, "an event after LOST");
	if (!seals && event->revision <= watcher->sealed)
		broke(watcher, "an event at or before a COMMIT or PROGRESS");
	if (!seals && watcher->open && event->revision != watcher->event)
		broke(watcher, "a new revision before the COMMIT of the one before");
	if (event->type == COX_EVENT_COMMIT &&
	    (!watcher->open || event->revision != watcher->event))
		broke(watcher, "a COMMIT of what was not open");
	if (event->type == COX_EVENT_PROGRESS && watcher->open)
		broke(watcher, "PROGRESS inside a revision");
	if (seals && event->revision <= watcher->sealed)
		broke(watcher, "COMMIT or PROGRESS that does not go on");
}

static void take_event(const struct cox_watch_sink *sink, const struct cox_watch_event *event)
{
	struct watcher *watcher = (struct watcher *)(uintptr_t)sink;
	cox_lock_scope(&watcher->lock);

	watcher->entered = true;
	pthread_cond_broadcast(&watcher->news);
	while (watcher->blocked)
		pthread_cond_wait(&watcher->news, &watcher->lock);
	if (event->type == COX_EVENT_LOST) {
		watcher->lost = event->revision;
		pthread_cond_broadcast(&watcher->news);
		return;
	}
	check_order(watcher, event);
	if (event->type == COX_EVENT_PUT || event->type == COX_EVENT_DELETE) {
		cox_buf_printf(&watcher->text, "%s %.*s",
			       event->type == COX_EVENT_PUT ? "put" : "delete",
			       (int)event->key.size, (const char *)event->key.data);
		if (event->type == COX_EVENT_PUT)
			cox_buf_printf(&watcher->text, "=%.*s", (int)event->value.size,
				       event->value.data ? (const char *)event->value.data : "");
		cox_buf_printf(&watcher->text, " @%llu; ",
			       (unsigned long long)(event->revision - watcher->base));
		watcher->event = event->revision;
		watcher->open = true;
		return;
	}
	watcher->open = false;
	watcher->sealed = event->revision;
	pthread_cond_broadcast(&watcher->news);
}

int watcher_start(struct watcher *watcher, struct store *store, const char *start, const char *end,
		  uint64_t after, struct cox_error *err)
{
	struct cox_call call = {.struct_size = sizeof(call)};
	pthread_condattr_t attributes;

	*watcher = (struct watcher){.sink = {sizeof(struct cox_watch_sink), 0, take_event},
				    .store = store,
				    .base = after};
	pthread_mutex_init(&watcher->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&watcher->news, &attributes);
	pthread_condattr_destroy(&attributes);
	watcher->watch = store->ops->watch(store->self, &call, bytes_of(start), bytes_of(end),
					   after, &watcher->sink, err);
	return watcher->watch ? 0 : -1;
}

static bool wait_news(struct watcher *watcher)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += DEADLINE_SECONDS;
	return pthread_cond_timedwait(&watcher->news, &watcher->lock, &until) != ETIMEDOUT;
}

bool watcher_wait(struct watcher *watcher, uint64_t revision)
{
	cox_lock_scope(&watcher->lock);

	while (watcher->sealed < revision && !watcher->lost)
		if (!wait_news(watcher))
			return false;
	return watcher->sealed >= revision;
}

uint64_t watcher_wait_lost(struct watcher *watcher)
{
	cox_lock_scope(&watcher->lock);

	while (!watcher->lost)
		if (!wait_news(watcher))
			break;
	return watcher->lost;
}

void watcher_block(struct watcher *watcher, bool blocked)
{
	cox_lock_scope(&watcher->lock);

	watcher->blocked = blocked;
	pthread_cond_broadcast(&watcher->news);
}

void watcher_stop(struct watcher *watcher)
{
	watcher_block(watcher, false);
	if (watcher->watch)
		watcher->store->ops->watch_cancel(watcher->store->self, watcher->watch);
	cox_buf_free(&watcher->text);
	pthread_mutex_destroy(&watcher->lock);
	pthread_cond_destroy(&watcher->news);
}

void watcher_finish(struct watcher *watcher, uint64_t revision, const char *expected)
{
	bool came = watcher_wait(watcher, revision);
	cox_autofree char *text = NULL;
	char broken[sizeof(watcher->broken)];

	pthread_mutex_lock(&watcher->lock);
	text = cox_strdup(cox_buf_cstr(&watcher->text));
	memcpy(broken, watcher->broken, sizeof(broken));
	pthread_mutex_unlock(&watcher->lock);
	watcher_stop(watcher);
	assert_string_equal(broken, "");
	assert_true(came);
	if (expected)
		assert_string_equal(text, expected);
}

/* Directories */

static COX_VEC(char *) directories;

void harness_directory(char out[512])
{
	const char *base = getenv("TMPDIR");

	/* In memory if possible: what a sync is for is simulated, and it is slow. */
	if (!base)
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(out, 512, "%s/cox-storage-XXXXXX", base);
	if (!mkdtemp(out)) {
		perror(out);
		exit(99);
	}
	cox_vec_push(&directories, cox_strdup(out));
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

void harness_remove(const char *directory)
{
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void harness_cleanup(void)
{
	for (size_t i = 0; i < directories.count; i++) {
		harness_remove(directories.items[i]);
		free(directories.items[i]);
	}
	cox_vec_free(&directories);
}
