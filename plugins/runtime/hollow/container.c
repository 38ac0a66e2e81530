/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hollow containers. What one does is said by words among its command and
 * arguments; every other word is left alone:
 *	exit-after=200ms  it ends by itself after that time
 *	exit-code=3       with this code
 *	deaf              it does not hear the stop signal
 *	polite            it ends without fault at the stop signal
 *	say=TEXT          it writes TEXT, one line, when it starts
 */
#include "hollow.h"

#include <coxswain/kit/text.h>
#include <coxswain/kit/time.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void hollow_pairs_copy(struct hollow_pairs *to, const struct cox_pairs *from)
{
	to->count = from->count;
	to->items = cox_calloc(from->count + 1, sizeof(*to->items));
	for (size_t i = 0; i < from->count; i++)
		to->items[i] = (struct cox_pair){cox_strdup(from->items[i].key),
						 cox_strdup(from->items[i].value)};
}

void hollow_pairs_free(struct hollow_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		free((char *)(uintptr_t)pairs->items[i].key);
		free((char *)(uintptr_t)pairs->items[i].value);
	}
	free(pairs->items);
}

bool hollow_pairs_match(const struct hollow_pairs *have, const struct cox_pairs *wanted)
{
	for (size_t i = 0; i < wanted->count; i++) {
		size_t at = 0;

		while (at < have->count && (strcmp(have->items[at].key, wanted->items[i].key) ||
					    strcmp(have->items[at].value, wanted->items[i].value)))
			at++;
		if (at == have->count)
			return false;
	}
	return true;
}

void hollow_container_free(struct hollow_container *container)
{
	free(container->name);
	free(container->image);
	free(container->image_id);
	free(container->log_path);
	free(container->command);
	free(container->script.text);
	hollow_pairs_free(&container->labels);
	hollow_pairs_free(&container->annotations);
	free(container);
}

static void read_words(struct hollow_script *script, const struct cox_strings *words)
{
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i];
		uint64_t length;
		int64_t code;

		if (cox_starts_with(word, "exit-after=") &&
		    !cox_parse_duration(word + 11, &length)) {
			script->exit_after = length;
		} else if (cox_starts_with(word, "exit-code=") &&
			   !cox_parse_int(word + 10, 0, 255, &code)) {
			script->exit_code = (int)code;
		} else if (!strcmp(word, "deaf")) {
			script->deaf = true;
		} else if (!strcmp(word, "polite")) {
			script->polite = true;
		} else if (cox_starts_with(word, "say=")) {
			free(script->text);
			script->text = cox_strdup(word + 4);
		}
	}
}

int hollow_container_create(void *self, const struct cox_call *call, const char *sandbox_id,
			    const struct cox_container_config *config, char *id,
			    struct cox_error *err)
{
	struct hollow *hollow = self;
	struct hollow_container *container;
	struct hollow_sandbox *sandbox;
	const struct hollow_image *image;
	cox_autobuf path = COX_BUF_INIT;

	(void)call;
	cox_lock_scope(&hollow->lock);
	sandbox = hollow_find_sandbox(hollow, sandbox_id);
	if (!sandbox)
		return hollow->host->fail(err, COX_REASON_NOT_FOUND, "no sandbox \"%s\"",
					  sandbox_id);
	if (sandbox->state != COX_SANDBOX_READY)
		return hollow->host->fail(err, COX_REASON_CONFLICT, "sandbox \"%s\" has ended",
					  sandbox_id);
	image = hollow_find_image(hollow, *config->image_ref ? config->image_ref : config->image);
	if (!image)
		return hollow->host->fail(err, COX_REASON_NOT_FOUND, "no image \"%s\"",
					  config->image);
	if (hollow->containers.count >= HOLLOW_MAX)
		return hollow->host->fail(err, COX_REASON_TOO_MANY_REQUESTS,
					  "more than %d containers", HOLLOW_MAX);
	container = cox_new(struct hollow_container);
	container->sandbox = sandbox;
	container->name = cox_strdup(config->name);
	container->image = cox_strdup(config->image);
	container->image_id = cox_strdup(image->id);
	container->attempt = config->attempt;
	container->created_at = (int64_t)hollow->host->realtime_ns();
	container->reason = "";
	if (*config->log_path)
		cox_buf_printf(&path, "%s/%s", sandbox->log_directory, config->log_path);
	container->log_path = cox_buf_steal(&path);
	container->script.exit_after = hollow->exit_after ? hollow->exit_after : UINT64_MAX;
	container->script.exit_code = (int)hollow->exit_code;
	read_words(&container->script, &config->command);
	read_words(&container->script, &config->args);
	hollow_pairs_copy(&container->labels, &config->labels);
	hollow_pairs_copy(&container->annotations, &config->annotations);
	hollow_new_id(hollow, container->id);
	memcpy(id, container->id, sizeof(container->id));
	cox_vec_push(&hollow->containers, container);
	hollow_tell(hollow, COX_CONTAINER_EVENT_CREATED, container, sandbox);
	return 0;
}

/* A line in the log format of the container runtime interface. */
static void write_log(struct hollow *hollow, const struct hollow_container *container,
		      const char *text)
{
	char now[COX_TIME_SIZE];
	uint64_t time = hollow->host->realtime_ns();
	cox_autoclose int fd = -1;
	cox_autobuf directory = COX_BUF_INIT;

	if (!*container->log_path || !text)
		return;
	cox_buf_add(&directory, container->log_path,
		    (size_t)(strrchr(container->log_path, '/') - container->log_path));
	if (mkdir(directory.data, 0755) != 0 && errno != EEXIST)
		hollow->host->log(hollow->host->context, COX_LOG_WARNING, "create %s: %s",
				  directory.data, strerror(errno));
	fd = open(container->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	cox_format_time(time, now);
	now[strlen(now) - 1] = '\0'; /* the fraction comes before the Z */
	if (fd < 0 || dprintf(fd, "%s.%09lluZ stdout F %s\n", now,
			      (unsigned long long)(time % 1000000000u), text) < 0)
		hollow->host->log(hollow->host->context, COX_LOG_WARNING, "write %s: %s",
				  container->log_path, strerror(errno));
}

int hollow_container_start(void *self, const struct cox_call *call, const char *id,
			   struct cox_error *err)
{
	struct hollow *hollow = self;
	struct hollow_container *container;

	if (hollow_pause(hollow, call, hollow->start_delay, err))
		return -1;
	cox_lock_scope(&hollow->lock);
	container = hollow_find_container(hollow, id);
	if (!container)
		return hollow->host->fail(err, COX_REASON_NOT_FOUND, "no container \"%s\"", id);
	if (container->state != COX_CONTAINER_CREATED)
		return hollow->host->fail(err, COX_REASON_CONFLICT,
					  "container \"%s\" was started already", id);
	if (hollow_listed(hollow->failing_starts, container->image))
		return hollow->host->fail(err, COX_REASON_INTERNAL_ERROR,
					  "exec: \"%s\": no such file or directory",
					  container->image);
	container->state = COX_CONTAINER_RUNNING;
	container->started_at = (int64_t)hollow->host->realtime_ns();
	container->ends_at = UINT64_MAX;
	if (container->script.exit_after != UINT64_MAX)
		container->ends_at = hollow->host->monotonic_ns() + container->script.exit_after;
	write_log(hollow, container, container->script.text);
	hollow_tell(hollow, COX_CONTAINER_EVENT_STARTED, container, container->sandbox);
	pthread_cond_broadcast(&hollow->changed);
	return 0;
}

void hollow_end(struct hollow *hollow, struct hollow_container *container, int exit_code)
{
	container->state = COX_CONTAINER_EXITED;
	container->exit_code = exit_code;
	container->reason = exit_code ? "Error" : "Completed";
	container->finished_at = (int64_t)hollow->host->realtime_ns();
	hollow_tell(hollow, COX_CONTAINER_EVENT_STOPPED, container, container->sandbox);
	pthread_cond_broadcast(&hollow->changed);
}

int hollow_container_stop(void *self, const struct cox_call *call, const char *id,
			  uint64_t grace_ns, struct cox_error *err)
{
	struct hollow *hollow = self;
	uint64_t until = hollow->host->monotonic_ns() + grace_ns;
	struct hollow_container *container;

	cox_lock_scope(&hollow->lock);
	container = hollow_find_container(hollow, id);
	if (!container)
		return 0;
	if (container->state == COX_CONTAINER_CREATED)
		hollow_end(hollow, container, 137);
	if (container->state == COX_CONTAINER_RUNNING && !container->script.deaf && grace_ns)
		hollow_end(hollow, container, container->script.polite ? 0 : 143);
	while (container->state == COX_CONTAINER_RUNNING) {
		uint64_t now = hollow->host->monotonic_ns(), look = now + 100000000u;

		if (now >= until) {
			hollow_end(hollow, container, 137);
			break;
		}
		if (hollow->stopping || hollow->host->cancelled(call))
			return hollow->host->fail(err, COX_REASON_TIMEOUT, "the call was given up");
		hollow_wait(hollow, look < until ? look : until);
	}
	return 0;
}

int hollow_container_remove(void *self, const struct cox_call *call, const char *id,
			    struct cox_error *err)
{
	struct hollow *hollow = self;
	struct hollow_container *container;

	(void)call;
	(void)err;
	cox_lock_scope(&hollow->lock);
	container = hollow_find_container(hollow, id);
	if (!container)
		return 0;
	if (container->state == COX_CONTAINER_RUNNING)
		hollow_end(hollow, container, 137);
	container->gone = true;
	hollow_tell(hollow, COX_CONTAINER_EVENT_DELETED, container, container->sandbox);
	return 0;
}

static bool matches(const struct hollow_container *container,
		    const struct cox_runtime_filter *filter)
{
	if (container->gone)
		return false;
	if (!filter)
		return true;
	return (filter->state < 0 || (uint32_t)filter->state == container->state) &&
	       (!filter->id || !*filter->id || !strcmp(filter->id, container->id)) &&
	       (!filter->sandbox_id || !*filter->sandbox_id ||
		!strcmp(filter->sandbox_id, container->sandbox->id)) &&
	       hollow_pairs_match(&container->labels, &filter->labels);
}

int hollow_container_list(void *self, const struct cox_call *call,
			  const struct cox_runtime_filter *filter,
			  const struct cox_container_sink *sink, struct cox_error *err)
{
	struct hollow *hollow = self;
	COX_VEC(struct cox_container_status) found = {0};

	(void)call;
	(void)err;
	pthread_mutex_lock(&hollow->lock);
	for (size_t i = 0; i < hollow->containers.count; i++) {
		const struct hollow_container *container = hollow->containers.items[i];

		if (!matches(container, filter))
			continue;
		cox_vec_push(&found,
			     (struct cox_container_status){
				     .struct_size = sizeof(struct cox_container_status),
				     .state = container->state,
				     .attempt = container->attempt,
				     .exit_code = container->exit_code,
				     .id = container->id,
				     .sandbox_id = container->sandbox->id,
				     .name = container->name,
				     .image = container->image,
				     .image_ref = container->image_id,
				     .image_id = container->image_id,
				     .reason = container->reason,
				     .message = "",
				     .log_path = container->log_path,
				     .cgroup = "",
				     .created_at = container->created_at,
				     .started_at = container->started_at,
				     .finished_at = container->finished_at,
				     .labels = {container->labels.items, container->labels.count},
				     .annotations = {container->annotations.items,
						     container->annotations.count},
			     });
	}
	pthread_mutex_unlock(&hollow->lock);
	for (size_t i = 0; i < found.count; i++)
		if (sink->container(sink, &found.items[i]) != 0)
			break;
	cox_vec_free(&found);
	return 0;
}

int hollow_container_stats(void *self, const struct cox_call *call,
			   const struct cox_runtime_filter *filter,
			   const struct cox_stats_sink *sink, struct cox_error *err)
{
	struct hollow *hollow = self;
	COX_VEC(struct cox_container_stats) found = {0};

	(void)call;
	(void)err;
	pthread_mutex_lock(&hollow->lock);
	for (size_t i = 0; i < hollow->containers.count; i++) {
		const struct hollow_container *container = hollow->containers.items[i];

		if (matches(container, filter) && container->state == COX_CONTAINER_RUNNING)
			cox_vec_push(&found,
				     (struct cox_container_stats){
					     .struct_size = sizeof(*found.items),
					     .id = container->id,
					     .sandbox_id = container->sandbox->id,
					     .name = container->name,
					     .timestamp = (int64_t)hollow->host->realtime_ns(),
					     .processes = 1});
	}
	pthread_mutex_unlock(&hollow->lock);
	for (size_t i = 0; i < found.count; i++)
		if (sink->stats(sink, &found.items[i]) != 0)
			break;
	cox_vec_free(&found);
	return 0;
}

static int must_exist(struct hollow *hollow, const char *id, struct cox_error *err)
{
	cox_lock_scope(&hollow->lock);
	if (hollow_find_container(hollow, id))
		return 0;
	return hollow->host->fail(err, COX_REASON_NOT_FOUND, "no container \"%s\"", id);
}

/* There is nothing to hold to limits. */
int hollow_container_update(void *self, const struct cox_call *call, const char *id,
			    const struct cox_resources *resources, struct cox_error *err)
{
	(void)call;
	(void)resources;
	return must_exist(self, id, err);
}

/* Each line opens the file anew. */
int hollow_container_reopen_log(void *self, const struct cox_call *call, const char *id,
				struct cox_error *err)
{
	(void)call;
	return must_exist(self, id, err);
}
