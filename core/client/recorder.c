/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event recorder. What was said before is remembered in two bounded maps,
 * which only the writing thread touches; when one is full it is emptied, which
 * costs a second Event for something said before, never a wrong one.
 *
 * Lock: `mutex` over the queue of notes.
 */
#include "client/recorder.h"

#include "base/clock.h"
#include "base/log.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/map.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define SIMILAR_WINDOW (600 * CLOCK_SECOND)
#define SPAM_INTERVAL (300 * CLOCK_SECOND)

enum {
	NOTES_MAX = 1000,
	REMEMBERED_MAX = 1024,
	MESSAGE_MAX = 1024,
	SIMILAR_MAX = 10,
	SPAM_BURST = 25,
	TRIES = 3
};

struct note {
	struct note *next;
	struct cox_object *about; /* held: only its texts are read */
	char *component, *part, *type, *reason, *message;
	uint64_t when;
};

/* One Event there is, by everything that makes it the same. */
struct written {
	char *name;
	uint64_t first;
	unsigned count;
};

/* How often something was said in other words, and how talkative a source is. */
struct talk {
	uint64_t since;
	unsigned messages;
	uint64_t spam_slot;
};

struct recorder {
	struct client *client;
	char *component, *host;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct note *first, **last;
	size_t waiting;
	bool working;
	uint64_t dropped;
	bool stopping;
	pthread_t thread;
	double rate, burst, tokens; /* a second; 0: no limit */
	uint64_t tokens_at;
	struct cox_map written;
	struct cox_map talks;
	uint64_t last_name; /* event names come from the clock, made unique */
};

static void note_free(struct note *note)
{
	object_release(note->about);
	free(note->component);
	free(note->part);
	free(note->type);
	free(note->reason);
	free(note->message);
	free(note);
}

/* ---- memory ---- */

static void forget_written(struct recorder *recorder)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	while (cox_map_next(&recorder->written, &at, &key, &size, &value)) {
		free(((struct written *)value)->name);
		free(value);
	}
	cox_map_free(&recorder->written);
}

static void forget_talks(struct recorder *recorder)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	while (cox_map_next(&recorder->talks, &at, &key, &size, &value))
		free(value);
	cox_map_free(&recorder->talks);
}

static struct talk *talk_of(struct recorder *recorder, const struct cox_buf *key)
{
	struct talk *talk = cox_map_get(&recorder->talks, key->data, key->size);

	if (talk)
		return talk;
	if (recorder->talks.count >= REMEMBERED_MAX)
		forget_talks(recorder);
	talk = cox_new(struct talk);
	cox_map_put(&recorder->talks, key->data, key->size, talk);
	return talk;
}

static void add_key(struct cox_buf *key, const char *text)
{
	cox_buf_str(key, text);
	cox_buf_char(key, '\n');
}

static void key_object(struct cox_buf *key, const struct note *note)
{
	add_key(key, note->component);
	add_key(key, object_kind(note->about));
	add_key(key, object_namespace(note->about));
	add_key(key, object_name(note->about));
	add_key(key, object_uid(note->about));
	add_key(key, note->part);
}

/* Whether the source has said too much about this object. */
static bool is_spam(struct recorder *recorder, const struct note *note)
{
	cox_autobuf key = COX_BUF_INIT;
	uint64_t earliest = note->when - SPAM_BURST * SPAM_INTERVAL;
	struct talk *talk;

	key_object(&key, note);
	talk = talk_of(recorder, &key);
	if (talk->spam_slot < earliest)
		talk->spam_slot = earliest;
	if (talk->spam_slot + SPAM_INTERVAL > note->when)
		return true;
	talk->spam_slot += SPAM_INTERVAL;
	return false;
}

/* Gives a message that came in too many wordings its common form. */
static void combine(struct recorder *recorder, struct note *note, bool known)
{
	cox_autobuf key = COX_BUF_INIT, text = COX_BUF_INIT;
	struct talk *talk;

	key_object(&key, note);
	add_key(&key, note->type);
	add_key(&key, note->reason);
	talk = talk_of(recorder, &key);
	if (note->when - talk->since > SIMILAR_WINDOW) {
		talk->since = note->when;
		talk->messages = 0;
	}
	if (!known)
		talk->messages++;
	if (talk->messages <= SIMILAR_MAX || known)
		return;
	cox_buf_printf(&text, "(combined from similar events): %s", note->message);
	free(note->message);
	note->message = cox_buf_steal(&text);
}

static void key_written(struct cox_buf *key, const struct note *note)
{
	static const char combined[] = "(combined from similar events)";

	cox_buf_clear(key);
	key_object(key, note);
	add_key(key, note->type);
	add_key(key, note->reason);
	add_key(key, strncmp(note->message, combined, strlen(combined)) ? note->message : combined);
}

/* ---- writing ---- */

static const char *event_namespace(const struct note *note)
{
	const char *namespace = object_namespace(note->about);

	return *namespace ? namespace : "default";
}

static void write_times(struct cox_json *json, uint64_t first, uint64_t last)
{
	char text[CLOCK_RFC3339_SIZE];

	if (first) {
		clock_format(first, text);
		cox_json_text(json, "firstTimestamp", text);
	}
	clock_format(last, text);
	cox_json_text(json, "lastTimestamp", text);
}

static void write_new(struct recorder *recorder, const struct note *note, const char *name,
		      uint64_t first, unsigned count, struct cox_buf *body)
{
	struct cox_json json = COX_JSON_INIT(body);

	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "Event");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "name", name);
	cox_json_text(&json, "namespace", event_namespace(note));
	cox_json_end(&json);
	cox_json_object(&json, "involvedObject");
	cox_json_text_set(&json, "kind", object_kind(note->about));
	cox_json_text_set(&json, "namespace", object_namespace(note->about));
	cox_json_text_set(&json, "name", object_name(note->about));
	cox_json_text_set(&json, "uid", object_uid(note->about));
	cox_json_text_set(&json, "apiVersion", object_api_version(note->about));
	cox_json_text_set(&json, "resourceVersion", object_revision(note->about));
	cox_json_text_set(&json, "fieldPath", note->part);
	cox_json_end(&json);
	cox_json_text(&json, "reason", note->reason);
	cox_json_text(&json, "message", note->message);
	cox_json_object(&json, "source");
	cox_json_text(&json, "component", note->component);
	cox_json_text_set(&json, "host", recorder->host);
	cox_json_end(&json);
	write_times(&json, first, note->when);
	cox_json_int(&json, "count", count);
	cox_json_text(&json, "type", note->type);
	cox_json_null(&json, "eventTime");
	cox_json_text(&json, "reportingComponent", note->component);
	cox_json_text(&json, "reportingInstance", recorder->host ? recorder->host : "");
	cox_json_end(&json);
}

static void write_repeat(const struct note *note, unsigned count, struct cox_buf *body)
{
	struct cox_json json = COX_JSON_INIT(body);

	cox_json_object(&json, NULL);
	cox_json_int(&json, "count", count);
	write_times(&json, 0, note->when);
	cox_json_text(&json, "message", note->message);
	cox_json_end(&json);
}

/* One request; a server that is not there is tried again a little later. */
static int send_event(struct recorder *recorder, struct client_request *request,
		      struct cox_error *err)
{
	request->version = "v1";
	request->resource = "events";
	for (int i = 0;; i++) {
		struct timespec pause = {.tv_nsec = 100000000L << i};

		error_clear(err);
		if (!client_call(recorder->client, request, NULL, err))
			return 0;
		if (i + 1 == TRIES || error_http_code(err->reason) < 500)
			return -1;
		nanosleep(&pause, NULL);
	}
}

static int send_repeat(struct recorder *recorder, const struct note *note,
		       const struct written *written, struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT;
	struct client_request request = {.verb = CLIENT_PATCH,
					 .namespace = event_namespace(note),
					 .name = written->name,
					 .content_type = CLIENT_STRATEGIC_PATCH};

	write_repeat(note, written->count + 1, &body);
	request.body = body.data;
	request.body_size = body.size;
	return send_event(recorder, &request, err);
}

static int send_new(struct recorder *recorder, const struct note *note, struct written *written,
		    struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT, name = COX_BUF_INIT;
	struct client_request request = {.verb = CLIENT_CREATE, .namespace = event_namespace(note)};

	if (recorder->last_name >= note->when)
		recorder->last_name++;
	else
		recorder->last_name = note->when;
	cox_buf_printf(&name, "%.200s.%" PRIx64, object_name(note->about), recorder->last_name);
	if (!written->first)
		written->first = note->when;
	write_new(recorder, note, name.data, written->first, written->count + 1, &body);
	request.body = body.data;
	request.body_size = body.size;
	if (send_event(recorder, &request, err))
		return -1;
	free(written->name);
	written->name = cox_buf_steal(&name);
	return 0;
}

static void write_note(struct recorder *recorder, struct note *note)
{
	cox_autobuf key = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct written *written;
	int failed = 0;

	if (is_spam(recorder, note))
		return;
	key_written(&key, note);
	combine(recorder, note, cox_map_has(&recorder->written, key.data, key.size));
	key_written(&key, note);
	written = cox_map_get(&recorder->written, key.data, key.size);
	if (!written) {
		if (recorder->written.count >= REMEMBERED_MAX)
			forget_written(recorder);
		written = cox_new(struct written);
		cox_map_put(&recorder->written, key.data, key.size, written);
	}
	if (written->name)
		failed = send_repeat(recorder, note, written, &err);
	/* The Event may have run out meanwhile: then it is a new one. */
	if (!written->name || (failed && err.reason == COX_REASON_NOT_FOUND))
		failed = send_new(recorder, note, written, &err);
	if (!failed)
		written->count++;
	else
		log_verbose(2, "event %s about %s was not written: %s", note->reason,
			    object_name(note->about), error_text(&err));
}

/* ---- the queue ---- */

void recorder_limit(struct recorder *recorder, double rate, int64_t burst)
{
	cox_lock_scope(&recorder->mutex);
	recorder->rate = rate;
	recorder->burst = burst > 1 ? (double)burst : 1;
	recorder->tokens = recorder->burst;
	recorder->tokens_at = clock_monotonic();
}

/* When the next Event may be written; 0: now, and it is counted. Under the mutex. */
static uint64_t take_token(struct recorder *recorder)
{
	uint64_t now = clock_monotonic();

	if (recorder->rate <= 0)
		return 0;
	recorder->tokens +=
		(double)(now - recorder->tokens_at) / (double)CLOCK_SECOND * recorder->rate;
	recorder->tokens_at = now;
	if (recorder->tokens > recorder->burst)
		recorder->tokens = recorder->burst;
	if (recorder->tokens < 1)
		return now +
		       (uint64_t)((1 - recorder->tokens) / recorder->rate * (double)CLOCK_SECOND) +
		       1;
	recorder->tokens -= 1;
	return 0;
}

static void *recorder_run(void *argument)
{
	struct recorder *recorder = argument;

	pthread_mutex_lock(&recorder->mutex);
	for (;;) {
		struct note *note = recorder->first;
		uint64_t until;

		if (!note) {
			if (recorder->stopping)
				break;
			pthread_cond_wait(&recorder->changed, &recorder->mutex);
			continue;
		}
		until = take_token(recorder);
		if (until) {
			const struct timespec when = {(time_t)(until / CLOCK_SECOND),
						      (long)(until % CLOCK_SECOND)};

			pthread_cond_timedwait(&recorder->changed, &recorder->mutex, &when);
			continue;
		}
		recorder->first = note->next;
		if (!recorder->first)
			recorder->last = &recorder->first;
		recorder->waiting--;
		recorder->working = true;
		pthread_mutex_unlock(&recorder->mutex);
		write_note(recorder, note);
		note_free(note);
		pthread_mutex_lock(&recorder->mutex);
		recorder->working = false;
		pthread_cond_broadcast(&recorder->changed);
	}
	pthread_mutex_unlock(&recorder->mutex);
	return NULL;
}

struct recorder *recorder_new(struct client *client, const char *component, const char *host,
			      struct cox_error *err)
{
	struct recorder *recorder = cox_new(struct recorder);
	pthread_condattr_t attributes;
	int failed;

	recorder->client = client;
	recorder->component = cox_strdup(component);
	recorder->host = host ? cox_strdup(host) : NULL;
	recorder->last = &recorder->first;
	pthread_mutex_init(&recorder->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&recorder->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	failed = pthread_create(&recorder->thread, NULL, recorder_run, recorder);
	if (!failed)
		return recorder;
	error_errno(err, failed, "start the event recorder");
	recorder->stopping = true;
	pthread_cond_destroy(&recorder->changed);
	pthread_mutex_destroy(&recorder->mutex);
	free(recorder->component);
	free(recorder->host);
	free(recorder);
	return NULL;
}

void recorder_flush(struct recorder *recorder, uint64_t deadline)
{
	struct timespec when = {.tv_sec = (time_t)(deadline / CLOCK_SECOND),
				.tv_nsec = (long)(deadline % CLOCK_SECOND)};

	cox_lock_scope(&recorder->mutex);
	while ((recorder->first || recorder->working) && clock_monotonic() < deadline)
		pthread_cond_timedwait(&recorder->changed, &recorder->mutex, &when);
}

void recorder_free(struct recorder *recorder)
{
	struct note *note;

	if (!recorder)
		return;
	recorder_flush(recorder, clock_monotonic() + 2 * CLOCK_SECOND);
	pthread_mutex_lock(&recorder->mutex);
	recorder->stopping = true;
	while ((note = recorder->first)) {
		recorder->first = note->next;
		note_free(note);
	}
	recorder->last = &recorder->first;
	pthread_cond_broadcast(&recorder->changed);
	pthread_mutex_unlock(&recorder->mutex);
	pthread_join(recorder->thread, NULL);
	forget_written(recorder);
	forget_talks(recorder);
	pthread_cond_destroy(&recorder->changed);
	pthread_mutex_destroy(&recorder->mutex);
	free(recorder->component);
	free(recorder->host);
	free(recorder);
}

/* Cuts at MESSAGE_MAX bytes, never inside a character. */
static void cut_message(struct cox_buf *text)
{
	size_t size = MESSAGE_MAX;

	if (text->size <= MESSAGE_MAX)
		return;
	while (size && ((unsigned char)text->data[size] & 0xc0) == 0x80)
		size--;
	cox_buf_truncate(text, size);
}

void recorder_vevent(struct recorder *recorder, const char *component,
		     const struct cox_object *about, const char *type, const char *reason,
		     const char *format, va_list args)
{
	recorder_vevent_part(recorder, component, about, "", type, reason, format, args);
}

void recorder_vevent_part(struct recorder *recorder, const char *component,
			  const struct cox_object *about, const char *part, const char *type,
			  const char *reason, const char *format, va_list args)
{
	struct note *note = cox_new(struct note);
	struct cox_buf text = COX_BUF_INIT;
	bool full;

	cox_buf_vprintf(&text, format, args);
	cut_message(&text);
	note->about = object_hold(about);
	note->component = cox_strdup(component ? component : recorder->component);
	note->part = cox_strdup(part);
	note->type = cox_strdup(type);
	note->reason = cox_strdup(reason);
	note->message = cox_buf_steal(&text);
	note->when = clock_realtime();
	pthread_mutex_lock(&recorder->mutex);
	full = recorder->waiting >= NOTES_MAX || recorder->stopping;
	if (full) {
		recorder->dropped++;
	} else {
		*recorder->last = note;
		recorder->last = &note->next;
		recorder->waiting++;
		pthread_cond_broadcast(&recorder->changed);
	}
	pthread_mutex_unlock(&recorder->mutex);
	if (full) {
		log_verbose(2, "event %s about %s was dropped: too many wait", reason,
			    object_name(about));
		note_free(note);
	}
}

void recorder_event(struct recorder *recorder, const struct cox_object *about, const char *type,
		    const char *reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	recorder_vevent(recorder, NULL, about, type, reason, format, args);
	va_end(args);
}
