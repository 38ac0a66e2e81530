/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread that reads the files and the URL now and then, compares what they
 * have with what it was, and keeps the mirrors. A manifest that cannot be read
 * leaves the pod that it gave before as it is.
 *
 * Lock: sources.lock over what is said to be so, never held across a call.
 */
#include "kubelet/sources.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/module.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MANIFEST_MAX = 10 << 20, FILES_MAX = 10000 };

static const uint64_t retry_period = CLOCK_SECOND;
static const uint64_t look_period = 60 * CLOCK_SECOND; /* at mirrors */

struct origin {
	char *name; /* a path, or the URL */
	COX_VEC(struct cox_object *) pods;
	bool seen; /* in this pass */
};

struct sources {
	struct kubelet *kubelet;
	bool has_files, has_url, runs;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping, woken, files_read, url_read; /* lock */
	/* the thread's own */
	COX_VEC(struct origin *) origins;
	struct cox_buf problems; /* of the last pass, so that each is told once */
	uint64_t files_at, url_at;
	enum sources_state first_look; /* lock */
};

/* ---- what an origin gives ---- */

static void free_pods(struct origin *origin)
{
	for (size_t i = 0; i < origin->pods.count; i++)
		object_unref(origin->pods.items[i]);
	cox_vec_free(&origin->pods);
}

static struct origin *find_origin(struct sources *sources, const char *name)
{
	struct origin *origin;

	for (size_t i = 0; i < sources->origins.count; i++)
		if (!strcmp(sources->origins.items[i]->name, name))
			return sources->origins.items[i];
	origin = cox_new(struct origin);
	origin->name = cox_strdup(name);
	cox_vec_push(&sources->origins, origin);
	return origin;
}

static void take_pod(void *context, struct cox_object *pod)
{
	struct origin *origin = context;

	cox_vec_push(&origin->pods, pod);
}

/* A name that another origin gave before. */
static bool is_taken(const struct sources *sources, const struct origin *but,
		     const struct cox_object *pod)
{
	for (size_t i = 0; i < sources->origins.count; i++) {
		const struct origin *origin = sources->origins.items[i];

		for (size_t j = 0; origin != but && j < origin->pods.count; j++)
			if (!strcmp(object_name(origin->pods.items[j]), object_name(pod)) &&
			    !strcmp(object_namespace(origin->pods.items[j]), object_namespace(pod)))
				return true;
	}
	return false;
}

static bool has_pod(const struct origin *origin, const char *uid)
{
	for (size_t i = 0; i < origin->pods.count; i++)
		if (!strcmp(object_uid(origin->pods.items[i]), uid))
			return true;
	return false;
}

/* From what an origin gave before to what it gives now. */
static void change(struct sources *sources, struct origin *origin, const struct origin *now)
{
	for (size_t i = 0; i < origin->pods.count; i++)
		if (!has_pod(now, object_uid(origin->pods.items[i])))
			pods_remove_static(sources->kubelet, object_uid(origin->pods.items[i]));
	for (size_t i = 0; i < now->pods.count; i++)
		if (!has_pod(origin, object_uid(now->pods.items[i])))
			pods_add_static(sources->kubelet, now->pods.items[i]);
	free_pods(origin);
	memcpy(&origin->pods, &now->pods, sizeof(origin->pods));
}

static void take_text(struct sources *sources, const char *source, const char *name,
		      struct cox_bytes text, struct cox_buf *problems)
{
	struct origin *origin = find_origin(sources, name), now = {.name = NULL};
	cox_autoerror err = COX_ERROR_INIT;
	size_t kept = 0;

	origin->seen = true;
	if (manifest_read(sources->kubelet->parts.node_name, source, name, text, take_pod, &now,
			  &err)) {
		cox_buf_printf(problems, "%s: %s\n", name, error_text(&err));
		return;
	}
	for (size_t i = 0; i < now.pods.count; i++) {
		struct cox_object *pod = now.pods.items[i];

		if (!is_taken(sources, origin, pod)) {
			now.pods.items[kept++] = pod;
			continue;
		}
		cox_buf_printf(problems, "%s: there is a static pod %s/%s already\n", name,
			       object_namespace(pod), object_name(pod));
		object_unref(pod);
	}
	now.pods.count = kept;
	change(sources, origin, &now);
}

static void drop_origin(struct sources *sources, size_t at)
{
	static const struct origin nothing;
	struct origin *origin = sources->origins.items[at];

	change(sources, origin, &nothing);
	free(origin->name);
	free(origin);
	sources->origins.items[at] = sources->origins.items[--sources->origins.count];
}

/* ---- files ---- */

static int read_file(struct sources *sources, const char *path, struct cox_buf *problems)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cox_autobuf text = COX_BUF_INIT;
	struct stat facts;
	ssize_t got = 1;

	if (fd < 0 || fstat(fd, &facts) != 0)
		return -1;
	if (!S_ISREG(facts.st_mode))
		return 0; /* not a manifest */
	while (got > 0 && text.size <= MANIFEST_MAX) {
		got = read(fd, cox_buf_reserve(&text, 65536), 65536);
		if (got > 0)
			cox_buf_added(&text, (size_t)got);
	}
	if (got < 0)
		return -1;
	if (text.size > MANIFEST_MAX) {
		find_origin(sources, path)->seen = true;
		cox_buf_printf(problems, "%s: larger than %d bytes\n", path, MANIFEST_MAX);
		return 0;
	}
	/* One that is being written is empty for a moment. */
	if (!text.size) {
		find_origin(sources, path)->seen = true;
		return 0;
	}
	take_text(sources, "file", path, (struct cox_bytes){text.data, text.size}, problems);
	return 0;
}

/* 0, or -1 with errno: the file or directory as such cannot be read. */
static int read_files(struct sources *sources, struct cox_buf *problems)
{
	const char *root = sources->kubelet->config->config;
	const struct dirent *entry;
	unsigned files = 0;
	struct stat facts;
	DIR *list;

	if (stat(root, &facts) != 0)
		return errno == ENOENT ? 0 : -1; /* what is not there has no pods */
	if (!S_ISDIR(facts.st_mode))
		return read_file(sources, root, problems);
	list = opendir(root);
	if (!list)
		return -1;
	while ((entry = readdir(list)) && files < FILES_MAX) {
		cox_autobuf path = COX_BUF_INIT;

		if (entry->d_name[0] == '.')
			continue;
		files++;
		cox_buf_printf(&path, "%s/%s", root, entry->d_name);
		if (read_file(sources, path.data, problems) != 0 && errno != ENOENT) {
			find_origin(sources, path.data)->seen = true;
			cox_buf_printf(problems, "%s: %s\n", path.data, strerror(errno));
		}
	}
	closedir(list);
	return 0;
}

static void look_at_files(struct sources *sources, struct cox_buf *problems)
{
	const char *url = sources->kubelet->config->manifest_url;

	for (size_t i = 0; i < sources->origins.count; i++)
		sources->origins.items[i]->seen =
			sources->has_url && !strcmp(sources->origins.items[i]->name, url);
	if (read_files(sources, problems) != 0) {
		cox_buf_printf(problems, "%s: %s\n", sources->kubelet->config->config,
			       strerror(errno));
		return;
	}
	for (size_t i = sources->origins.count; i > 0; i--)
		if (!sources->origins.items[i - 1]->seen)
			drop_origin(sources, i - 1);
	cox_lock_scope(&sources->lock);
	sources->files_read = true;
	pthread_cond_broadcast(&sources->changed);
}

/* ---- the URL ---- */

static int take_body(void *to, int code, const void *data, size_t size)
{
	struct cox_buf *body = to;

	(void)code;
	if (body->size + size > MANIFEST_MAX)
		return -1;
	cox_buf_add(body, data, size);
	return 0;
}

static int fetch(struct sources *sources, struct cox_buf *body, struct cox_error *err)
{
	const struct kubelet_config *config = sources->kubelet->config;
	const char *header = config->manifest_url_header;
	const char *const headers[] = {header && *header ? header : NULL, NULL};
	const struct curl_request request = {.method = "GET",
					     .url = config->manifest_url,
					     .headers = headers,
					     .timeout_ms = 10000};
	const struct curl_sink sink = {take_body, NULL, body};
	const struct curl_setup setup = {.ca_file = NULL};
	const struct curl_module *module = client_curl_module(err);
	char why[CURL_WHY_SIZE] = "";
	int code = 0, failed;
	void *set;

	if (!module)
		return -1;
	set = module->open(&setup, why);
	if (!set)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "%s", why);
	failed = module->perform(set, &request, &sink, &code, NULL, why) != CURL_RESULT_OK;
	module->close(set);
	if (failed)
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "%s", why);
	if (code != 200)
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "the server answered %d",
				 code);
	return 0;
}

static void look_at_url(struct sources *sources, struct cox_buf *problems)
{
	const char *url = sources->kubelet->config->manifest_url;
	cox_autobuf body = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (fetch(sources, &body, &err)) {
		cox_buf_printf(problems, "%s: %s\n", url, error_text(&err));
		return;
	}
	take_text(sources, "http", url, (struct cox_bytes){cox_buf_cstr(&body), body.size},
		  problems);
	cox_lock_scope(&sources->lock);
	sources->url_read = true;
	pthread_cond_broadcast(&sources->changed);
}

/* ---- the thread ---- */

static uint64_t or_second(uint64_t period)
{
	return period >= 10 * CLOCK_MILLISECOND ? period : CLOCK_SECOND;
}

/* The first one is of all there is. */
static void note_first_look(struct sources *sources, bool broken)
{
	cox_lock_scope(&sources->lock);
	if (sources->first_look == SOURCES_UNREAD)
		sources->first_look = broken ? SOURCES_BROKEN : SOURCES_READ;
}

static void look(struct sources *sources)
{
	const struct kubelet_config *config = sources->kubelet->config;
	uint64_t now = clock_monotonic();
	cox_autobuf problems = COX_BUF_INIT;
	bool files = sources->has_files && now >= sources->files_at;
	bool url = sources->has_url && now >= sources->url_at;

	if (files) {
		look_at_files(sources, &problems);
		sources->files_at = now + or_second(config->file_check_frequency);
	}
	if (url) {
		look_at_url(sources, &problems);
		sources->url_at = now + or_second(config->http_check_frequency);
	}
	if (!files && !url)
		return;
	note_first_look(sources, problems.size > 0);
	if (!strcmp(cox_buf_cstr(&problems), cox_buf_cstr(&sources->problems)))
		return;
	if (problems.size)
		log_error("static pods: %.*s", (int)problems.size - 1, problems.data);
	cox_buf_clear(&sources->problems);
	cox_buf_str(&sources->problems, cox_buf_cstr(&problems));
}

static uint64_t longer(uint64_t retry)
{
	if (!retry)
		return retry_period;
	return retry * 2 < look_period ? retry * 2 : look_period;
}

static void *run(void *context)
{
	struct sources *sources = context;
	uint64_t retry = 0;
	bool stop = false;

	while (!stop) {
		uint64_t until;
		struct timespec when;

		look(sources);
		/* The namespace of one may never come. */
		retry = mirror_pods_reconcile(sources->kubelet) ? 0 : longer(retry);
		until = clock_monotonic() + (retry ? retry : look_period);
		if (sources->has_files && sources->files_at < until)
			until = sources->files_at;
		if (sources->has_url && sources->url_at < until)
			until = sources->url_at;
		when = (struct timespec){(time_t)(until / CLOCK_SECOND),
					 (long)(until % CLOCK_SECOND)};
		cox_lock_scope(&sources->lock);
		while (!sources->stopping && !sources->woken && clock_monotonic() < until)
			pthread_cond_clockwait(&sources->changed, &sources->lock, CLOCK_MONOTONIC,
					       &when);
		sources->woken = false;
		stop = sources->stopping;
	}
	return NULL;
}

static bool is_set(const char *text)
{
	return text && *text;
}

struct sources *sources_new(struct kubelet *kubelet)
{
	struct sources *sources = cox_new(struct sources);

	sources->kubelet = kubelet;
	sources->has_files = is_set(kubelet->config->config);
	sources->has_url = is_set(kubelet->config->manifest_url);
	pthread_mutex_init(&sources->lock, NULL);
	pthread_cond_init(&sources->changed, NULL);
	return sources;
}

int sources_start(struct sources *sources, struct cox_error *err)
{
	int failure = pthread_create(&sources->thread, NULL, run, sources);

	if (failure)
		return error_errno(err, failure, "start the thread of static pods");
	sources->runs = true;
	return 0;
}

void sources_stop(struct sources *sources)
{
	if (!sources || !sources->runs)
		return;
	pthread_mutex_lock(&sources->lock);
	sources->stopping = true;
	pthread_cond_broadcast(&sources->changed);
	pthread_mutex_unlock(&sources->lock);
	pthread_join(sources->thread, NULL);
	sources->runs = false;
}

void sources_free(struct sources *sources)
{
	if (!sources)
		return;
	sources_stop(sources);
	for (size_t i = 0; i < sources->origins.count; i++) {
		free_pods(sources->origins.items[i]);
		free(sources->origins.items[i]->name);
		free(sources->origins.items[i]);
	}
	cox_vec_free(&sources->origins);
	cox_buf_free(&sources->problems);
	pthread_cond_destroy(&sources->changed);
	pthread_mutex_destroy(&sources->lock);
	free(sources);
}

bool sources_any(const struct sources *sources)
{
	return sources->has_files || sources->has_url;
}

bool sources_ready(struct sources *sources)
{
	cox_lock_scope(&sources->lock);
	return (!sources->has_files || sources->files_read) &&
	       (!sources->has_url || sources->url_read);
}

enum sources_state sources_first_look(struct sources *sources)
{
	cox_lock_scope(&sources->lock);
	return sources->first_look;
}

void sources_wait(struct sources *sources, uint64_t deadline)
{
	struct timespec when = {(time_t)(deadline / CLOCK_SECOND), (long)(deadline % CLOCK_SECOND)};

	cox_lock_scope(&sources->lock);
	while (sources->has_files && !sources->files_read && !sources->stopping &&
	       clock_monotonic() < deadline)
		pthread_cond_clockwait(&sources->changed, &sources->lock, CLOCK_MONOTONIC, &when);
}

void sources_wake(struct sources *sources)
{
	if (!sources)
		return;
	cox_lock_scope(&sources->lock);
	sources->woken = true;
	pthread_cond_broadcast(&sources->changed);
}
