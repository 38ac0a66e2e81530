/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows one collection of the server: fills it, watches it, resumes and
 * fills it again when it must. A reflector has no thread: its owner calls
 * reflector_step when the time has come or when `wake` was called.
 */
#ifndef COX_CLIENT_REFLECTOR_H
#define COX_CLIENT_REFLECTOR_H

#include "client/client.h"
#include "client/mirror.h"

struct reflector_source {
	const char *group;
	const char *version;
	const char *resource;
	const char *namespace;
	const char *label_selector;
	const char *field_selector;
};

/* `event` and `replace` never run at the same time; `wake` may, at any time. */
struct reflector_target {
	/* One change; ADDED for an object that is known is a change of it. */
	void (*event)(void *context, enum client_event_type type, struct cox_object *object);
	/* The whole collection anew. The list stays the reflector's. */
	void (*replace)(void *context, const struct object_list *objects);
	void (*wake)(void *context);
};

struct reflector;

struct reflector *reflector_new(struct client *client, const struct reflector_source *source,
				const struct reflector_target *target, void *context);
/* Does what is due, blocking for the server; returns when to come again (0: when woken). */
uint64_t reflector_step(struct reflector *reflector);
/* Ends the watch; the target is not called any more. */
void reflector_free(struct reflector *reflector);

#endif
