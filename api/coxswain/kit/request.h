/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that plugins make all the time, each as one call. `struct
 * cox_place` says where an object is; strings that do not apply are NULL.
 */
#ifndef COXSWAIN_KIT_REQUEST_H
#define COXSWAIN_KIT_REQUEST_H

#include <coxswain/cluster.h>
#include <coxswain/kit/buf.h>
#include <stdbool.h>

struct cox_place {
	const struct cox_resource *resource;
	const char *namespace_name;
	const char *name;
	const char *subresource;
};

int cox_get(const struct cox_cluster *cluster, const struct cox_call *call,
	    const struct cox_place *place, struct cox_object **object,
	    struct cox_error *err) COX_MUST_CHECK;
/* Creates, updates or patches; `answer` may be NULL. */
int cox_write(const struct cox_cluster *cluster, const struct cox_call *call, enum cox_verb verb,
	      const struct cox_place *place, const struct cox_buf *body, struct cox_object **answer,
	      struct cox_error *err) COX_MUST_CHECK;

/* How to delete; "" and NULL where not said. */
struct cox_delete {
	const char *uid;      /* only the object with this uid */
	const char *revision; /* only this revision of it */
	const char *policy;   /* propagationPolicy */
	int64_t grace;	      /* seconds; negative: not said */
};
int cox_delete(const struct cox_cluster *cluster, const struct cox_call *call,
	       const struct cox_place *place, const struct cox_delete *how,
	       struct cox_error *err) COX_MUST_CHECK;
/* A document of the server, as "/apis". */
int cox_get_path(const struct cox_cluster *cluster, const struct cox_call *call, const char *path,
		 struct cox_object **document, struct cox_error *err) COX_MUST_CHECK;

/* Whether a request failed for this reason; if so the error is cleared. */
bool cox_failed_so(const struct cox_cluster *cluster, enum cox_reason reason,
		   struct cox_error *err);

/* A key of a queue, taken apart; free with cox_key_free. */
struct cox_key {
	char *namespace_name; /* NULL: the key has no '/' */
	const char *name;     /* borrowed from the key */
};
struct cox_key cox_key_split(const char *key);
void cox_key_free(struct cox_key *key);
#define cox_autokey __attribute__((cleanup(cox_key_free))) struct cox_key

#endif
