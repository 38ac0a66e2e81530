/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugins that must be refused, one for each value of BAD, and a good one
 * (GOOD) whose life can be followed. Built many times from this file; see
 * local.mk.
 */
#include <coxswain/storage.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the numbers of BAD mean; loader.c has the same list. */
#define MAGIC 1
#define ABI 2
#define HOST 3
#define KIND 4
#define NAME 5
#define OPS_ABI 6
#define RELEASE 7
#define OPS_SIZE 8
#define LACKS_OP 9
#define LACKS_CREATE 10
#define THREADS 11
#define FLAGS 12
#define OPTION_NAME 13
#define OPTION_TYPE 14
#define OPTION_TWICE 15
#define OPTION_DEFAULT 16
#define OPTION_SIZE 17
#define OPTION_HELP 18
#define SYMBOL 19
#define STRUCT_SIZE 20
#define NO_OPS 21
#define SHORT_OPS 22

#ifndef THREAD_MODEL
#define THREAD_MODEL COX_THREADS_SERIAL
#endif

static char trace[4096];
static const struct cox_host *host;

/* The test reads the life of an instance from the dump. */
static void note(const char *what, const char *value)
{
	size_t used = strlen(trace);

	snprintf(trace + used, sizeof(trace) - used, "%s%s%s%s;", what, value ? "(" : "",
		 value ? value : "", value ? ")" : "");
}

__attribute__((used)) static void *bad_create(const struct cox_host *given, struct cox_error *err)
{
	(void)err;
	host = given;
	note("create", NULL);
	return malloc(1);
}

static uint32_t bad_capabilities(void *self)
{
	(void)self;
	return 42;
}

static int bad_submit(void *self, const struct cox_call *call, const struct cox_txn *txns, size_t n,
		      const struct cox_txn_sink *sink, struct cox_error *err)
{
	(void)self, (void)call, (void)txns, (void)n, (void)sink;
	return host->fail(err, COX_REASON_CONFLICT, "refused %s", "always");
}

static int bad_range(void *self, const struct cox_call *call, const struct cox_range *range,
		     const struct cox_range_sink *sink, struct cox_range_result *result,
		     struct cox_error *err)
{
	(void)self, (void)call, (void)range, (void)sink, (void)result, (void)err;
	return -1;
}

static void *bad_watch(void *self, const struct cox_call *call, struct cox_bytes start,
		       struct cox_bytes end, uint64_t after, const struct cox_watch_sink *sink,
		       struct cox_error *err)
{
	(void)self, (void)call, (void)start, (void)end, (void)after, (void)sink, (void)err;
	return NULL;
}

static void bad_watch_cancel(void *self, void *watch)
{
	(void)self, (void)watch;
}

static uint64_t bad_revision(void *self, const struct cox_call *call, struct cox_error *err)
{
	(void)self, (void)call, (void)err;
	return 1;
}

static int bad_compact(void *self, const struct cox_call *call, uint64_t revision,
		       struct cox_error *err)
{
	(void)self, (void)call, (void)revision, (void)err;
	return 0;
}

static int bad_stats(void *self, struct cox_storage_stats *stats, struct cox_error *err)
{
	(void)self, (void)stats, (void)err;
	return 0;
}

__attribute__((used)) static int bad_health(void *self, const struct cox_call *call,
					    struct cox_error *err)
{
	(void)self, (void)call, (void)err;
	host->log(host->context, COX_LOG_WARNING, "health asked of %s", host->program);
	host->count(host->context, "health_total", 2);
	host->gauge(host->context, "mood", -1);
	return 0;
}

static int bad_config(void *self, const char *key, const char *value, struct cox_error *err)
{
	char text[256];

	(void)self;
	if (strcmp(value, "refuse") == 0)
		return host->fail(err, COX_REASON_INVALID, "not that one");
	snprintf(text, sizeof(text), "%s=%s", key, value);
	note("config", text);
	return 0;
}

static int bad_config_complete(void *self, struct cox_error *err)
{
	(void)self, (void)err;
	note("config_complete", NULL);
	return 0;
}

static int bad_get_ready(void *self, struct cox_error *err)
{
	(void)self, (void)err;
	note("get_ready", NULL);
	return 0;
}

static int bad_start(void *self, struct cox_error *err)
{
	(void)self, (void)err;
	note("start", NULL);
	return 0;
}

static void bad_stop(void *self)
{
	(void)self;
	note("stop", NULL);
}

static void bad_destroy(void *self)
{
	note("destroy", NULL);
	free(self);
}

static void bad_dump(const void *self, struct cox_dump *out)
{
	(void)self;
	host->dump(out, "trace", "%s", trace);
}

static const struct cox_option options[] = {
#if BAD == OPTION_NAME
	{"Big_Name", NULL, "Help", COX_OPT_STRING, 0},
#elif BAD == OPTION_TYPE
	{"some", NULL, "Help", 99, 0},
#elif BAD == OPTION_TWICE
	{"some", NULL, "Help", COX_OPT_STRING, 0},
	{"some", NULL, "Help", COX_OPT_STRING, 0},
#elif BAD == OPTION_DEFAULT
	{"some", "often", "Help", COX_OPT_INT, 0},
#elif BAD == OPTION_HELP
	{"some", NULL, NULL, COX_OPT_INT, 0},
#else
	{"directory", NULL, "Where to keep it", COX_OPT_PATH, COX_OPTION_REQUIRED},
	{"cache", "4Mi", "Bytes to keep in memory", COX_OPT_SIZE, 0},
	{"interval", "1m30s", "Time between looks", COX_OPT_DURATION, 0},
	{"eager", NULL, "Whether to hurry", COX_OPT_BOOL, 0},
	{"count", NULL, "How many", COX_OPT_INT, 0},
	{"rules", NULL, "Nested settings", COX_OPT_DOCUMENT, 0},
	{"password", NULL, "Not to be shown", COX_OPT_INT, COX_OPTION_SECRET},
	{"names", NULL, "Some names", COX_OPT_LIST, 0},
#endif
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_storage_ops ops = {
	.capabilities = bad_capabilities,
	.submit = bad_submit,
	.range = bad_range,
	.watch = bad_watch,
	.watch_cancel = bad_watch_cancel,
	.revision = bad_revision,
	.compact = bad_compact,
	.stats = bad_stats,
#if BAD != LACKS_OP
	.health = bad_health,
#endif
};

#if BAD == SYMBOL
extern COX_EXPORT const int cox_other;
const int cox_other = 1;
void *cox_use[] = {(void *)&ops,
		   (void *)options,
		   (void *)bad_create,
		   (void *)bad_config,
		   (void *)bad_config_complete,
		   (void *)bad_get_ready,
		   (void *)bad_start,
		   (void *)bad_stop,
		   (void *)bad_destroy,
		   (void *)bad_dump};
#else
/* Not the macro of the kind: several of its fields are to be wrong. */
extern COX_EXPORT const struct cox_plugin cox_plugin;
const struct cox_plugin cox_plugin = {
	.magic = BAD == MAGIC ? 7 : COX_PLUGIN_MAGIC,
	.abi = BAD == ABI ? 3 : COX_PLUGIN_ABI,
	.struct_size = BAD == STRUCT_SIZE ? 40 : sizeof(struct cox_plugin),
	.host_size = BAD == HOST ? 4096 : sizeof(struct cox_host),
	.ops_abi = BAD == OPS_ABI ? 9 : COX_STORAGE_OPS_ABI,
	.ops_size = BAD == OPS_SIZE ? 13
		    : BAD == SHORT_OPS ? 16
				       : sizeof(ops),
	.thread_model = BAD == THREADS ? 7 : THREAD_MODEL,
	.option_size = BAD == OPTION_SIZE ? 8 : sizeof(struct cox_option),
	.flags = BAD == FLAGS ? 0x80u : COX_EXCLUSIVE,
	.kind = BAD == KIND ? "authorizer" : "storage",
	.name = BAD == NAME ? "other" : PLUGIN_NAME,
	.version = "1.5",
	.release = BAD == RELEASE ? "0.0.1" : COX_RELEASE,
	.description = "Made for the tests of the loader",
	.options = options,
	.ops = BAD == NO_OPS ? NULL : &ops,
	.create = BAD == LACKS_CREATE ? NULL : bad_create,
	.config = bad_config,
	.config_complete = bad_config_complete,
	.get_ready = bad_get_ready,
	.start = bad_start,
	.stop = bad_stop,
	.destroy = bad_destroy,
	.dump = bad_dump,
};
#endif
