/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects in the form that a client asked for: another version of the same
 * collection, Table, PartialObjectMetadata, each as JSON, YAML or protobuf. Made
 * from the canonical bytes by the tables. These functions may take their time; they run
 * on workers and stream threads. Any thread.
 */
#ifndef COX_APISERVER_SHAPE_H
#define COX_APISERVER_SHAPE_H

#include "apiserver/negotiate.h"
#include "apiserver/server.h"

#include <coxswain/kit/buf.h>

/* What is kept in the store's cache of forms, each in every form; see shape_form. */
enum shape_part {
	FORM_ADDED = 1, /* a frame of a watch */
	FORM_MODIFIED,
	FORM_DELETED,
	FORM_ITEM /* an entry of a list, which is the object but for its envelope */
};

/* What is asked for; texts are borrowed while the form is in use. */
struct shape {
	const struct api_resource *resource;
	enum media_format format;
	enum media_shape form;
	const char *form_version; /* "v1", "v1beta1" of meta.k8s.io */
	bool pretty;		  /* with JSON only */
	/* Table: which part of the object its rows carry, ?includeObject= */
	enum { INCLUDE_METADATA = 0, INCLUDE_OBJECT, INCLUDE_NONE } include;
	bool no_columns; /* Table: without columnDefinitions, in a watch */
};

/* The canonical bytes are the answer: no transcoding at all. */
bool shape_is_canonical(const struct shape *shape);
/*
 * The number under which a part is kept in the cache of forms; 0: it is not
 * kept. Tables tell how old things are, and what is pretty is for people.
 */
uint64_t shape_form(const struct shape *shape, enum shape_part part);

/* One object. `json` is canonical, with its resourceVersion. */
int shape_object(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
		 struct cox_error *err) COX_MUST_CHECK;
/*
 * The object as an entry of a list. In protobuf it lacks its envelope, whose
 * beginning and end shape_open and shape_close append; they append nothing else.
 */
int shape_item(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
	       struct cox_error *err) COX_MUST_CHECK;
void shape_open(const struct shape *shape, size_t size, struct cox_buf *out);
void shape_close(const struct shape *shape, struct cox_buf *out);

/* The row of a Table, as JSON. */
int shape_row(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
	      struct cox_error *err) COX_MUST_CHECK;

/* The metadata of a list. Texts may be "". */
struct list_meta {
	uint64_t version;
	const char *continue_;
	int64_t remaining; /* -1: not told */
};

/* A list: begin, each object, end. What an item is made of comes in whole. */
struct shape_list {
	const struct shape *shape;
	struct cox_buf *out;
	struct list_meta meta;
	size_t count;
	size_t start; /* of `out`, where the list begins */
};

void shape_list_begin(struct shape_list *list, const struct shape *shape,
		      const struct list_meta *meta, struct cox_buf *out);
int shape_list_add(struct shape_list *list, struct cox_bytes json,
		   struct cox_error *err) COX_MUST_CHECK;
/* An item that shape_item made. */
void shape_list_add_item(struct shape_list *list, struct cox_bytes item);
void shape_list_end(struct shape_list *list);

/*
 * For those who stream a list: what stands before its items and behind them.
 * In protobuf the head tells how many bytes the items take, as shape_list_add
 * writes them; `size` counts for nothing else.
 */
void shape_list_head(const struct shape *shape, const struct list_meta *meta, uint64_t size,
		     struct cox_buf *out);
void shape_list_tail(const struct shape *shape, const struct list_meta *meta, bool any,
		     struct cox_buf *out);

/*
 * One frame of a watch. JSON: {"type":…,"object":…} and a newline. Protobuf: a
 * WatchEvent behind its length in four bytes, the highest first. `type` is
 * "ADDED" and so on; `json` the object (for "BOOKMARK" an object with nothing
 * but metadata; for "ERROR" a Status).
 */
int shape_watch_frame(const struct shape *shape, const char *type, struct cox_bytes json,
		      struct cox_buf *out, struct cox_error *err) COX_MUST_CHECK;

#endif
