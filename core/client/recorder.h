/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells people what happens to objects, as core/v1 Events. Recording never
 * blocks: events wait in a bounded queue (the newest are dropped and counted
 * when it is full) for one thread that writes them.
 *
 * The same thing said again raises `count` and `lastTimestamp` of the Event
 * there is. More than ten messages in ten minutes that differ only in their
 * text become one, "(combined from similar events): …". A source that speaks
 * about one object more than 25 times is held to one event in five minutes.
 */
#ifndef COX_CLIENT_RECORDER_H
#define COX_CLIENT_RECORDER_H

#include "client/client.h"
#include "machinery/object.h"

struct recorder;

/*
 * `component` as in source.component, where nothing else is said; `host` may be
 * NULL. The client outlives it.
 */
struct recorder *recorder_new(struct client *client, const char *component, const char *host,
			      struct cox_error *err);
/*
 * No more than so many Events a second, after so many at once; 0: no limit. What
 * is too much waits, as long as there is room. Before the first event.
 */
void recorder_limit(struct recorder *recorder, double rate, int64_t burst);
/* Writes what waits, for at most two seconds, and ends. */
void recorder_free(struct recorder *recorder);

/* `type` is "Normal" or "Warning". Any thread. */
void recorder_event(struct recorder *recorder, const struct cox_object *about, const char *type,
		    const char *reason, const char *format, ...) COX_PRINTF(5, 6);
/* The same for a part of the program; `component` NULL: the recorder's own. */
void recorder_vevent(struct recorder *recorder, const char *component,
		     const struct cox_object *about, const char *type, const char *reason,
		     const char *format, va_list args) __attribute__((format(printf, 6, 0)));

/* And about a part of the object: its fieldPath, as "spec.containers{web}"; "": all of it. */
void recorder_vevent_part(struct recorder *recorder, const char *component,
			  const struct cox_object *about, const char *part, const char *type,
			  const char *reason, const char *format, va_list args)
	__attribute__((format(printf, 7, 0)));

/* Returns when everything recorded before was written or given up; for tests and shutdown. */
void recorder_flush(struct recorder *recorder, uint64_t deadline);

#endif
