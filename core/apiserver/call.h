/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One API request on its way through the pipeline: who asks (authenticate),
 * whether they may (authorize), what it is about (route, resource, options),
 * and the one answer. Lives in the request's arena; belongs to one thread at a
 * time.
 *
 * What must not run on an HTTP thread goes through call_work: it defers the
 * request and continues on a worker, or, for a caller inside the process, on
 * that caller's thread.
 */
#ifndef COX_APISERVER_CALL_H
#define COX_APISERVER_CALL_H

#include "apiserver/negotiate.h"
#include "apiserver/options.h"
#include "apiserver/route.h"
#include "apiserver/server.h"
#include "base/error.h"
#include "base/uuid.h"
#include "net/http.h"

#include <coxswain/kit/vec.h>

enum { CALL_WARNINGS_MAX = 50 };

/* Something to be released when the call ends. */
struct call_cleanup {
	void (*release)(void *what);
	void *what;
	struct call_cleanup *next;
};

struct api_call {
	struct apiserver *server;
	struct http_request *request;
	struct arena *arena; /* the request's, or one of its job for less than the call */
	struct api_chains *chains;
	struct identity *identity;
	bool trusted; /* no authorization: the insecure port */
	bool local;   /* a caller inside the process */
	bool deferred;

	struct api_route route;
	enum api_verb verb;
	const struct api_resource *resource;	      /* NULL: not an API object */
	const struct schema_subresource *subresource; /* NULL: the object itself */
	struct media_choice media;
	struct list_options list; /* lists, watches, collections of deletes */

	const char *warnings[CALL_WARNINGS_MAX];
	size_t warning_count, warning_size;
	struct call_cleanup *cleanups;
	char audit_id[UUID_SIZE];
	uint64_t began;

	void *job;  /* of the part that does the request */
	void *wait; /* of read_when_fresh */
	/* call_work's */
	void (*next)(struct api_call *call);
};

struct api_call *call_new(struct http_request *request, struct apiserver *server);

/*
 * Continues with `next` where it may block. If there is no room the client is
 * told so (429) and `next` never runs.
 */
void call_work(struct api_call *call, void (*next)(struct api_call *call));
/* Takes the request off its HTTP thread, if it is still there. */
void call_defer(struct api_call *call);
/* Like call_work, from a callback of the store, when the call is deferred already. */
void call_resume(struct api_call *call, void (*next)(struct api_call *call));

/* Called at the end, in the reverse order of their coming. */
void call_on_end(struct api_call *call, void (*release)(void *what), void *what);
/* Goes out as `Warning: 299 - "text"`, once; the text is copied. Number and size are bounded. */
void call_warn(struct api_call *call, const char *format, ...) COX_PRINTF(2, 3);

const char *call_param(const struct api_call *call, const char *name); /* or NULL */
/* The options of a write, refused under the name that they have for the verb. */
int call_write_options(const struct api_call *call, struct write_options *options,
		       struct cox_error *err) COX_MUST_CHECK;

/* The answers. After one of them the call is gone. */
void call_fail(struct api_call *call, const struct cox_error *err);
/* JSON (or text) that is copied. */
void call_answer(struct api_call *call, unsigned code, const char *content_type, const void *body,
		 size_t size);
/* The same with a buffer, which is taken over and left empty. */
void call_answer_buf(struct api_call *call, unsigned code, const char *content_type,
		     struct cox_buf *body);
/* A body that already is what the client accepts. The piece is taken over. */
void call_answer_piece(struct api_call *call, unsigned code, const char *content_type,
		       const struct http_piece *piece);
/*
 * Any response; common headers (Audit-Id, Cache-Control, Warning) are added to
 * those it has. Its status, type, body, flags and extra headers count.
 */
void call_respond(struct api_call *call, const struct http_response *response);
/* Common headers for a stream; the array lives in the arena. */
const struct http_header *call_headers(struct api_call *call, const struct http_header *extra,
				       size_t extra_count, size_t *count);
/* Everything but the answer: what call_respond does before it. For streams. */
void call_end(struct api_call *call);

/* The context for plugins: deadline, user, audit id. */
struct cox_call call_context(const struct api_call *call);

#endif
