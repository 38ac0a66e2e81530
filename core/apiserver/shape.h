/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects in the form that a client asked for: another version of the same
 * collection, Table, PartialObjectMetadata. Made from the
 * canonical bytes by the tables. These functions may take their time; they run
 * on workers and stream threads. Any thread.
 */
#ifndef COX_APISERVER_SHAPE_H
#define COX_APISERVER_SHAPE_H

#include "apiserver/negotiate.h"
#include "apiserver/server.h"

#include <coxswain/kit/buf.h>

/* Forms that are kept in the store's cache of forms. */
enum {
	FORM_ADDED = 1, /* the frame of a watch, canonical JSON */
	FORM_MODIFIED,
	FORM_DELETED
};

/* What is asked for; texts are borrowed while the form is in use. */
struct shape {
	const struct api_resource *resource;
	enum media_shape form;
	const char *form_version; /* "v1", "v1beta1" of meta.k8s.io */
	bool pretty;
	/* Table: which part of the object its rows carry, ?includeObject= */
	enum { INCLUDE_METADATA = 0, INCLUDE_OBJECT, INCLUDE_NONE } include;
	bool no_columns; /* Table: without columnDefinitions, in a watch */
};

/* The canonical bytes are the answer: no transcoding at all. */
bool shape_is_canonical(const struct shape *shape);

/* One object. `json` is canonical, with its resourceVersion. */
int shape_object(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
		 struct cox_error *err) COX_MUST_CHECK;

/* The metadata of a list. Texts may be "". */
struct list_meta {
	uint64_t version;
	const char *continue_;
	int64_t remaining; /* -1: not told */
};

/* A list: begin, each object, end. */
struct shape_list {
	const struct shape *shape;
	struct cox_buf *out;
	struct list_meta meta;
	size_t count;
};

void shape_list_begin(struct shape_list *list, const struct shape *shape,
		      const struct list_meta *meta, struct cox_buf *out);
int shape_list_add(struct shape_list *list, struct cox_bytes json,
		   struct cox_error *err) COX_MUST_CHECK;
void shape_list_end(struct shape_list *list);

/* The beginning and end of the canonical list, for those who stream it. */
void shape_list_open(const struct api_resource *resource, const struct list_meta *meta,
		     struct cox_buf *out);
void shape_list_close(struct cox_buf *out);

/*
 * One frame of a watch: {"type":…,"object":…} and a newline. `type` is "ADDED" and so on; `json`
 * the object (for "BOOKMARK" an object with nothing but metadata; for "ERROR" a Status).
 */
int shape_watch_frame(const struct shape *shape, const char *type, struct cox_bytes json,
		      struct cox_buf *out, struct cox_error *err) COX_MUST_CHECK;

#endif
