/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hollow runtime plugin: containers that exist on paper only, for tests of
 * everything above pods and for clusters of many nodes on one machine. This
 * file is its descriptor, its life, its sandboxes and its one thread, which
 * ends containers when their time has come and delivers events.
 */
#include "hollow.h"

#include <coxswain/kit/text.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void *hollow_create(const struct cox_host *host, struct cox_error *err)
{
	struct hollow *hollow = cox_new(struct hollow);

	(void)err;
	hollow->host = host;
	hollow->disk = 102400;
	pthread_mutex_init(&hollow->lock, NULL);
	pthread_cond_init(&hollow->changed, NULL);
	return hollow;
}

static const struct cox_option hollow_options[] = {
	{"start-delay", "0s", "how long a container takes to start", COX_OPT_DURATION, 0},
	{"exit-after", "0s", "how long a container runs; 0s: until it is stopped", COX_OPT_DURATION,
	 0},
	{"exit-code", "0", "what a container that ends by itself exits with", COX_OPT_INT, 0},
	{"images-present", "true", "whether every image is there without a pull", COX_OPT_BOOL, 0},
	{"pull-delay", "0s", "how long a pull takes", COX_OPT_DURATION, 0},
	{"disk", "102400", "megabytes that images fit on", COX_OPT_INT, 0},
	{"failing-images", "", "images that cannot be pulled", COX_OPT_LIST, 0},
	{"failing-starts", "", "images whose containers cannot be started", COX_OPT_LIST, 0},
	{NULL, NULL, NULL, 0, 0}};

static int hollow_config(void *self, const char *key, const char *value, struct cox_error *err)
{
	struct hollow *hollow = self;
	int bad = 0;

	if (!strcmp(key, "failing-images") || !strcmp(key, "failing-starts")) {
		char **slot = key[8] == 'i' ? &hollow->failing_images : &hollow->failing_starts;

		free(*slot);
		*slot = cox_strdup(value);
	} else if (!strcmp(key, "images-present")) {
		bad = cox_parse_bool(value, &hollow->images_present);
	} else if (!strcmp(key, "disk")) {
		bad = cox_parse_int(value, 1, INT64_C(1) << 40, &hollow->disk);
	} else if (!strcmp(key, "exit-code")) {
		bad = cox_parse_int(value, 0, 255, &hollow->exit_code);
	} else {
		int64_t length = 0;

		/* Durations come as nanoseconds. */
		bad = cox_parse_int(value, 0, INT64_MAX, &length);
		if (!strcmp(key, "start-delay"))
			hollow->start_delay = (uint64_t)length;
		else if (!strcmp(key, "exit-after"))
			hollow->exit_after = (uint64_t)length;
		else
			hollow->pull_delay = (uint64_t)length;
	}
	return bad ? hollow->host->fail(err, COX_REASON_INVALID, "bad value of %s: \"%s\"", key,
					value)
		   : 0;
}

/* ---- with the lock held ---- */

struct hollow_sandbox *hollow_find_sandbox(struct hollow *hollow, const char *id)
{
	for (size_t i = 0; i < hollow->sandboxes.count; i++) {
		struct hollow_sandbox *sandbox = hollow->sandboxes.items[i];

		if (!sandbox->gone && !strcmp(sandbox->id, id))
			return sandbox;
	}
	return NULL;
}

struct hollow_container *hollow_find_container(struct hollow *hollow, const char *id)
{
	for (size_t i = 0; i < hollow->containers.count; i++) {
		struct hollow_container *container = hollow->containers.items[i];

		if (!container->gone && !strcmp(container->id, id))
			return container;
	}
	return NULL;
}

void hollow_new_id(struct hollow *hollow, char id[COX_RUNTIME_ID_SIZE])
{
	uint8_t random[24];

	hollow->host->random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	snprintf(id + 48, 17, "%016llx", (unsigned long long)++hollow->numbers);
}

void hollow_tell(struct hollow *hollow, uint32_t type, const struct hollow_container *container,
		 const struct hollow_sandbox *sandbox)
{
	struct hollow_event event = {.type = type, .time = (int64_t)hollow->host->realtime_ns()};

	/* Late listeners list anyway, and nobody may fill the memory. */
	if (!hollow->watches.count || hollow->events.count >= HOLLOW_MAX)
		return;
	memcpy(event.container, container ? container->id : sandbox->id, sizeof(event.container));
	memcpy(event.sandbox, sandbox->id, sizeof(event.sandbox));
	cox_vec_push(&hollow->events, event);
	pthread_cond_broadcast(&hollow->changed);
}

void hollow_wait(struct hollow *hollow, uint64_t until)
{
	struct timespec when = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};

	if (until == UINT64_MAX)
		pthread_cond_wait(&hollow->changed, &hollow->lock);
	else
		pthread_cond_clockwait(&hollow->changed, &hollow->lock, CLOCK_MONOTONIC, &when);
}

bool hollow_listed(const char *list, const char *item)
{
	size_t size = strlen(item);

	while (list && *list) {
		size_t word = strcspn(list, ",");

		if (word == size && !memcmp(list, item, size))
			return true;
		list += word + (list[word] == ',');
	}
	return false;
}

int hollow_pause(struct hollow *hollow, const struct cox_call *call, uint64_t length,
		 struct cox_error *err)
{
	uint64_t until = hollow->host->monotonic_ns() + length;
	bool cut = false;

	cox_lock_scope(&hollow->lock);
	while (!cut && hollow->host->monotonic_ns() < until) {
		/* Nobody signals a cancelled call: look ten times a second. */
		uint64_t look = hollow->host->monotonic_ns() + 100000000u;

		hollow_wait(hollow, look < until ? look : until);
		cut = hollow->stopping || hollow->host->cancelled(call);
	}
	return cut ? hollow->host->fail(err, COX_REASON_TIMEOUT, "the call was given up") : 0;
}

/* ---- the thread ---- */

static void deliver(struct hollow *hollow)
{
	struct hollow_event event = hollow->events.items[0];
	struct cox_container_event out = {.struct_size = sizeof(out),
					  .type = event.type,
					  .container_id = event.container,
					  .sandbox_id = event.sandbox,
					  .time = event.time};

	memmove(hollow->events.items, hollow->events.items + 1,
		--hollow->events.count * sizeof(event));
	for (size_t i = 0; i < hollow->watches.count; i++) {
		struct hollow_watch *watch = hollow->watches.items[i];

		if (watch->cancelled)
			continue;
		watch->busy = true;
		pthread_mutex_unlock(&hollow->lock);
		watch->sink->event(watch->sink, &out);
		pthread_mutex_lock(&hollow->lock);
		watch->busy = false;
		pthread_cond_broadcast(&hollow->changed);
	}
}

/* Ends those whose time has come; when the next one's comes. */
static uint64_t end_some(struct hollow *hollow)
{
	uint64_t next = UINT64_MAX, now = hollow->host->monotonic_ns();

	for (size_t i = 0; i < hollow->containers.count; i++) {
		struct hollow_container *container = hollow->containers.items[i];

		if (container->gone || container->state != COX_CONTAINER_RUNNING)
			continue;
		if (container->ends_at <= now)
			hollow_end(hollow, container, container->script.exit_code);
		else if (container->ends_at < next)
			next = container->ends_at;
	}
	return next;
}

static void *hollow_clock(void *self)
{
	struct hollow *hollow = self;

	cox_lock_scope(&hollow->lock);
	while (!hollow->stopping) {
		uint64_t next = end_some(hollow);

		if (hollow->events.count)
			deliver(hollow);
		else
			hollow_wait(hollow, next);
	}
	return NULL;
}

static int hollow_start(void *self, struct cox_error *err)
{
	struct hollow *hollow = self;

	if (pthread_create(&hollow->clock, NULL, hollow_clock, hollow) != 0)
		return hollow->host->fail(err, COX_REASON_INTERNAL_ERROR, "start a thread");
	hollow->running = true;
	return 0;
}

static void hollow_stop(void *self)
{
	struct hollow *hollow = self;

	pthread_mutex_lock(&hollow->lock);
	hollow->stopping = true;
	pthread_cond_broadcast(&hollow->changed);
	pthread_mutex_unlock(&hollow->lock);
	if (hollow->running)
		pthread_join(hollow->clock, NULL);
	hollow->running = false;
}

static void free_sandbox(struct hollow_sandbox *sandbox)
{
	free(sandbox->name);
	free(sandbox->uid);
	free(sandbox->namespace_name);
	free(sandbox->handler);
	free(sandbox->log_directory);
	free(sandbox->cgroup_parent);
	hollow_pairs_free(&sandbox->labels);
	hollow_pairs_free(&sandbox->annotations);
	free(sandbox);
}

static void hollow_destroy(void *self)
{
	struct hollow *hollow = self;

	for (size_t i = 0; i < hollow->containers.count; i++)
		hollow_container_free(hollow->containers.items[i]);
	for (size_t i = 0; i < hollow->sandboxes.count; i++)
		free_sandbox(hollow->sandboxes.items[i]);
	for (size_t i = 0; i < hollow->images.count; i++) {
		free(hollow->images.items[i]->name);
		free(hollow->images.items[i]->id);
		free(hollow->images.items[i]);
	}
	cox_vec_free(&hollow->containers);
	cox_vec_free(&hollow->sandboxes);
	cox_vec_free(&hollow->images);
	cox_vec_free(&hollow->watches);
	cox_vec_free(&hollow->events);
	free(hollow->failing_images);
	free(hollow->failing_starts);
	pthread_cond_destroy(&hollow->changed);
	pthread_mutex_destroy(&hollow->lock);
	free(hollow);
}

/* ---- operations ---- */

static int hollow_version(void *self, const struct cox_call *call,
			  struct cox_runtime_version *version, struct cox_error *err)
{
	(void)self;
	(void)call;
	(void)err;
	version->cgroup_version = 2;
	snprintf(version->runtime_name, sizeof(version->runtime_name), "hollow");
	snprintf(version->runtime_version, sizeof(version->runtime_version), "%s", COX_RELEASE);
	return 0;
}

static int hollow_status(void *self, const struct cox_call *call,
			 const struct cox_condition_sink *sink, struct cox_error *err)
{
	const struct cox_runtime_condition ready = {"RuntimeReady", 1, "", ""};
	const struct cox_runtime_condition network = {"NetworkReady", 1, "", ""};

	(void)self;
	(void)call;
	(void)err;
	if (sink->condition(sink, &ready) == 0)
		sink->condition(sink, &network);
	return 0;
}

static int hollow_sandbox_run(void *self, const struct cox_call *call,
			      const struct cox_sandbox_config *config, char *id,
			      struct cox_error *err)
{
	struct hollow *hollow = self;
	struct hollow_sandbox *sandbox = cox_new(struct hollow_sandbox);

	(void)call;
	(void)err;
	sandbox->name = cox_strdup(config->name);
	sandbox->uid = cox_strdup(config->uid);
	sandbox->namespace_name = cox_strdup(config->namespace_name);
	sandbox->handler = cox_strdup(config->runtime_handler);
	sandbox->log_directory = cox_strdup(config->log_directory);
	sandbox->cgroup_parent = cox_strdup(config->cgroup_parent);
	sandbox->attempt = config->attempt;
	sandbox->network_mode = config->security ? config->security->network_mode : 0;
	sandbox->created_at = (int64_t)hollow->host->realtime_ns();
	hollow_pairs_copy(&sandbox->labels, &config->labels);
	hollow_pairs_copy(&sandbox->annotations, &config->annotations);
	cox_lock_scope(&hollow->lock);
	hollow_new_id(hollow, sandbox->id);
	memcpy(id, sandbox->id, sizeof(sandbox->id));
	cox_vec_push(&hollow->sandboxes, sandbox);
	hollow_tell(hollow, COX_CONTAINER_EVENT_STARTED, NULL, sandbox);
	return 0;
}

static int hollow_sandbox_stop(void *self, const struct cox_call *call, const char *id,
			       struct cox_error *err)
{
	struct hollow *hollow = self;
	struct hollow_sandbox *sandbox;

	(void)call;
	(void)err;
	cox_lock_scope(&hollow->lock);
	sandbox = hollow_find_sandbox(hollow, id);
	if (!sandbox || sandbox->state == COX_SANDBOX_NOT_READY)
		return 0;
	for (size_t i = 0; i < hollow->containers.count; i++) {
		struct hollow_container *container = hollow->containers.items[i];

		if (container->sandbox == sandbox && container->state == COX_CONTAINER_RUNNING)
			hollow_end(hollow, container, 137);
	}
	sandbox->state = COX_SANDBOX_NOT_READY;
	hollow_tell(hollow, COX_CONTAINER_EVENT_STOPPED, NULL, sandbox);
	return 0;
}

static int hollow_sandbox_remove(void *self, const struct cox_call *call, const char *id,
				 struct cox_error *err)
{
	struct hollow *hollow = self;
	struct hollow_sandbox *sandbox;

	if (hollow_sandbox_stop(self, call, id, err))
		return -1;
	cox_lock_scope(&hollow->lock);
	sandbox = hollow_find_sandbox(hollow, id);
	if (!sandbox)
		return 0;
	for (size_t i = 0; i < hollow->containers.count; i++)
		if (hollow->containers.items[i]->sandbox == sandbox)
			hollow->containers.items[i]->gone = true;
	sandbox->gone = true;
	hollow_tell(hollow, COX_CONTAINER_EVENT_DELETED, NULL, sandbox);
	return 0;
}

static void show_sandbox(const struct hollow_sandbox *sandbox, struct cox_sandbox_status *status)
{
	*status = (struct cox_sandbox_status){
		.struct_size = sizeof(*status),
		.state = sandbox->state,
		.attempt = sandbox->attempt,
		.network_mode = sandbox->network_mode,
		.id = sandbox->id,
		.name = sandbox->name,
		.uid = sandbox->uid,
		.namespace_name = sandbox->namespace_name,
		.runtime_handler = sandbox->handler,
		.created_at = sandbox->created_at,
		.network_namespace = "",
		.cgroup_parent = sandbox->cgroup_parent,
		.labels = {sandbox->labels.items, sandbox->labels.count},
		.annotations = {sandbox->annotations.items, sandbox->annotations.count},
	};
}

static int hollow_sandbox_list(void *self, const struct cox_call *call,
			       const struct cox_runtime_filter *filter,
			       const struct cox_sandbox_sink *sink, struct cox_error *err)
{
	struct hollow *hollow = self;
	COX_VEC(struct cox_sandbox_status) found = {0};

	(void)call;
	(void)err;
	pthread_mutex_lock(&hollow->lock);
	for (size_t i = 0; i < hollow->sandboxes.count; i++) {
		const struct hollow_sandbox *sandbox = hollow->sandboxes.items[i];
		struct cox_sandbox_status status;

		if (sandbox->gone ||
		    (filter && ((filter->state >= 0 && (uint32_t)filter->state != sandbox->state) ||
				(filter->id && *filter->id && strcmp(filter->id, sandbox->id)) ||
				(filter->sandbox_id && *filter->sandbox_id &&
				 strcmp(filter->sandbox_id, sandbox->id)) ||
				!hollow_pairs_match(&sandbox->labels, &filter->labels))))
			continue;
		show_sandbox(sandbox, &status);
		cox_vec_push(&found, status);
	}
	pthread_mutex_unlock(&hollow->lock);
	for (size_t i = 0; i < found.count; i++)
		if (sink->sandbox(sink, &found.items[i]) != 0)
			break;
	cox_vec_free(&found);
	return 0;
}

static void *hollow_watch(void *self, const struct cox_call *call,
			  const struct cox_runtime_event_sink *sink, struct cox_error *err)
{
	struct hollow *hollow = self;
	struct hollow_watch *watch = cox_new(struct hollow_watch);

	(void)call;
	(void)err;
	watch->hollow = hollow;
	watch->sink = sink;
	cox_lock_scope(&hollow->lock);
	cox_vec_push(&hollow->watches, watch);
	return watch;
}

static void hollow_watch_cancel(void *self, void *cancelled)
{
	struct hollow *hollow = self;
	struct hollow_watch *watch = cancelled;

	cox_lock_scope(&hollow->lock);
	watch->cancelled = true;
	while (watch->busy)
		hollow_wait(hollow, UINT64_MAX);
	for (size_t i = 0; i < hollow->watches.count; i++)
		if (hollow->watches.items[i] == watch)
			hollow->watches.items[i] = hollow->watches.items[--hollow->watches.count];
	free(watch);
}

static const struct cox_runtime_ops hollow_ops = {
	.version = hollow_version,
	.status = hollow_status,
	.sandbox_run = hollow_sandbox_run,
	.sandbox_stop = hollow_sandbox_stop,
	.sandbox_remove = hollow_sandbox_remove,
	.sandbox_list = hollow_sandbox_list,
	.container_create = hollow_container_create,
	.container_start = hollow_container_start,
	.container_stop = hollow_container_stop,
	.container_remove = hollow_container_remove,
	.container_list = hollow_container_list,
	.container_stats = hollow_container_stats,
	.container_update = hollow_container_update,
	.container_reopen_log = hollow_container_reopen_log,
	.exec = hollow_exec,
	.exec_sync = hollow_exec_sync,
	.attach = hollow_attach,
	.port_forward = hollow_port_forward,
	.image_list = hollow_image_list,
	.image_status = hollow_image_status,
	.image_pull = hollow_image_pull,
	.image_remove = hollow_image_remove,
	.image_import = hollow_image_import,
	.image_filesystem = hollow_image_filesystem,
	.watch = hollow_watch,
	.watch_cancel = hollow_watch_cancel,
};

COX_RUNTIME_PLUGIN(hollow_ops, .name = "hollow", .version = COX_RELEASE,
		   .description = "containers that exist on paper only, for tests",
		   .thread_model = COX_THREADS_PARALLEL, .options = hollow_options,
		   .create = hollow_create, .config = hollow_config, .start = hollow_start,
		   .stop = hollow_stop, .destroy = hollow_destroy);
