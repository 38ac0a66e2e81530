/* SPDX-License-Identifier: Apache-2.0 */
/* Streamed lists; see the header. */
#include "apiserver/liststream.h"

#include "base/log.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

/*
 * A list that is shorter than this is answered with its length; others may be
 * compressed. So many objects are looked at to find that out.
 */
enum { WHOLE = 128 * 1024, LOOKED_AT = 2000 };

/* Where a list stands. */
struct position {
	const struct selection *selection;
	struct store_iterator iterator;
	uint64_t left;
	bool limited;
};

struct list_stream {
	struct store_snapshot *snapshot;
	struct selection *selection;
	struct position position;
	char *after; /* what the iterator continues behind */
	struct cox_buf head, tail;
	/* What is being copied out now. */
	struct cox_bytes now;
	size_t at;
	enum { STREAM_HEAD, STREAM_COMMA, STREAM_ITEM, STREAM_TAIL, STREAM_DONE } state;
	struct store_entry *next; /* borrowed from the snapshot */
	bool any;
	/* If it is transcoded: */
	struct shape shape;
	struct shape_list list;
	struct cox_buf item;
};

static void begin(struct position *position, const struct list_source *source)
{
	position->selection = source->selection;
	position->limited = source->limit != 0;
	position->left = source->limit;
	store_iterate(&position->iterator, source->snapshot, &source->selection->scope,
		      source->after);
}

static bool matches(const struct position *position, const struct store_entry *entry)
{
	return !store_entry_error(entry) && selection_matches(position->selection, entry);
}

static struct store_entry *next_match(struct position *position)
{
	struct store_entry *entry;

	if (position->limited && position->left == 0)
		return NULL;
	while ((entry = store_iterator_next(&position->iterator)))
		if (matches(position, entry))
			break;
	position->left--;
	return entry;
}

/* Transcoding */

/* Whether items are as the store notes the sizes of. */
static bool has_noted_sizes(const struct shape *shape)
{
	return shape->format == MEDIA_PROTOBUF && shape->form == SHAPE_OBJECT &&
	       shape->resource->row == shape->resource->stored_row;
}

/* One more item, made for this list alone. */
static int add_made(struct shape_list *list, struct store_entry *entry, struct cox_error *err)
{
	size_t before = list->out->size;

	if (shape_list_add(list, store_entry_json(entry), err) != 0)
		return -1;
	if (has_noted_sizes(list->shape) && list->out->size - before <= UINT32_MAX)
		store_entry_note_list_size(entry, (uint32_t)(list->out->size - before));
	return 0;
}

/* One more item; what was made is kept for others if `keep`. */
static int add_entry(struct shape_list *list, struct store_entry *entry, bool keep,
		     struct cox_error *err)
{
	struct store_forms *forms = list->shape->resource->server->forms;
	uint64_t form = shape_form(list->shape, FORM_ITEM);
	cox_autobuf item = COX_BUF_INIT;
	struct bytes *made;

	if (!form)
		return add_made(list, entry, err);
	made = store_forms_get(forms, entry, form);
	if (!made && !keep)
		return add_made(list, entry, err);
	if (!made) {
		if (shape_item(list->shape, store_entry_json(entry), &item, err) != 0)
			return -1;
		made = store_forms_put(forms, entry, form, bytes_copy(item.data, item.size));
	}
	shape_list_add_item(list, (struct cox_bytes){made->data, made->size});
	bytes_unref(made);
	return 0;
}

/* How many bytes all that is still to come takes. */
static int measure_rest(const struct shape *shape, struct position rest, uint64_t *size,
			struct cox_error *err)
{
	cox_autobuf item = COX_BUF_INIT;
	struct shape_list list = {.shape = shape, .out = &item};
	bool noted = has_noted_sizes(shape);
	struct store_entry *entry;

	*size = 0;
	while ((entry = next_match(&rest))) {
		if (noted && store_entry_list_size(entry)) {
			*size += store_entry_list_size(entry);
			continue;
		}
		cox_buf_clear(&item);
		if (add_entry(&list, entry, false, err) != 0)
			return -1;
		*size += item.size;
	}
	return 0;
}

/* Streaming */

/* The bytes that follow those of the present state; -1 if they cannot be made. */
static int step_made(struct list_stream *stream)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct store_entry *entry = next_match(&stream->position);

	cox_buf_clear(&stream->item);
	if (!entry) {
		stream->state = STREAM_TAIL;
		stream->now = (struct cox_bytes){stream->tail.data, stream->tail.size};
		return 0;
	}
	if (add_entry(&stream->list, entry, false, &err) != 0) {
		log_error("list of %s: %s", stream->shape.resource->name, error_text(&err));
		return -1;
	}
	stream->now = (struct cox_bytes){stream->item.data, stream->item.size};
	return 0;
}

static void step_canonical(struct list_stream *stream)
{
	static const struct cox_bytes comma = {",", 1};

	if (stream->state == STREAM_COMMA) {
		stream->state = STREAM_ITEM;
		stream->now = store_entry_json(stream->next);
		return;
	}
	stream->next = next_match(&stream->position);
	if (!stream->next) {
		stream->state = STREAM_TAIL;
		stream->now = (struct cox_bytes){stream->tail.data, stream->tail.size};
	} else if (stream->any) {
		stream->state = STREAM_COMMA;
		stream->now = comma;
	} else {
		stream->any = true;
		stream->state = STREAM_ITEM;
		stream->now = store_entry_json(stream->next);
	}
}

static int step(struct list_stream *stream)
{
	stream->at = 0;
	if (stream->state == STREAM_TAIL) {
		stream->state = STREAM_DONE;
		stream->now = (struct cox_bytes){NULL, 0};
		return 0;
	}
	if (stream->shape.resource)
		return step_made(stream);
	step_canonical(stream);
	return 0;
}

static int64_t produce(void *producer, char *out, size_t room)
{
	struct list_stream *stream = producer;
	size_t done = 0;

	while (done < room && stream->state != STREAM_DONE) {
		size_t size = stream->now.size - stream->at;

		if (size == 0) {
			if (step(stream) != 0)
				return -1;
			continue;
		}
		if (size > room - done)
			size = room - done;
		memcpy(out + done, (const char *)stream->now.data + stream->at, size);
		stream->at += size;
		done += size;
	}
	return (int64_t)done;
}

static void produce_end(void *producer)
{
	struct list_stream *stream = producer;

	store_snapshot_unref(stream->snapshot);
	selection_free(stream->selection);
	cox_buf_free(&stream->head);
	cox_buf_free(&stream->tail);
	cox_buf_free(&stream->item);
	free(stream->after);
	free(stream);
}

static struct list_stream *stream_new(const struct list_source *source)
{
	struct list_stream *stream = cox_new(struct list_stream);

	stream->snapshot = source->snapshot;
	stream->selection = source->selection;
	return stream;
}

static void respond(struct api_call *call, struct list_stream *stream, uint64_t length)
{
	struct http_response response = {.status = 200,
					 .flags = HTTP_RESPONSE_GZIP,
					 .produce = produce,
					 .produce_end = produce_end,
					 .producer = stream,
					 .length = length};

	response.content_type = negotiate_content_type(&call->media, false, call->arena);
	stream->now = (struct cox_bytes){stream->head.data, stream->head.size};
	call_respond(call, &response);
}

/* The length of a short list; that of a longer one is not worth the way. */
static uint64_t length_of(const struct list_stream *stream)
{
	struct position ahead = stream->position;
	uint64_t size = stream->head.size + stream->tail.size;
	bool any = false;

	for (int looked = 0; looked < LOOKED_AT && !(ahead.limited && ahead.left == 0); looked++) {
		struct store_entry *entry = store_iterator_next(&ahead.iterator);

		if (!entry)
			return size;
		if (!matches(&ahead, entry))
			continue;
		size += store_entry_json(entry).size + any;
		any = true;
		ahead.left--;
		if (size >= WHOLE)
			return HTTP_LENGTH_UNKNOWN;
	}
	return ahead.limited && ahead.left == 0 ? size : HTTP_LENGTH_UNKNOWN;
}

void liststream_answer(struct api_call *call, const struct list_source *source)
{
	struct list_stream *stream = stream_new(source);
	struct list_source copy = *source;

	/* The key lies in the request's arena, which may go first. */
	stream->after = cox_memdup(source->after.data, source->after.size);
	copy.after.data = stream->after;
	begin(&stream->position, &copy);
	shape_list_head(&source->shape, &source->meta, 0, &stream->head);
	shape_list_tail(&source->shape, &source->meta, true, &stream->tail);
	respond(call, stream, length_of(stream));
}

/* The rest behind the items that are in `made` is streamed. */
static void stream_rest(struct api_call *call, const struct list_source *source,
			const struct shape_list *made, const struct position *position)
{
	struct list_stream *stream = stream_new(source);
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t rest;

	stream->shape = source->shape;
	stream->position = *position;
	stream->list = *made;
	stream->list.shape = &stream->shape;
	stream->list.out = &stream->item;
	if (source->shape.format == MEDIA_PROTOBUF) {
		if (measure_rest(&stream->shape, *position, &rest, &err) != 0) {
			produce_end(stream);
			call_fail(call, &err);
			return;
		}
		shape_list_head(&stream->shape, &source->meta, made->out->size + rest,
				&stream->head);
	}
	cox_buf_add(&stream->head, made->out->data, made->out->size);
	shape_list_tail(&stream->shape, &source->meta, true, &stream->tail);
	respond(call, stream, HTTP_LENGTH_UNKNOWN);
}

void liststream_answer_made(struct api_call *call, const struct list_source *source)
{
	cox_autobuf out = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct store_entry *entry;
	struct position position;
	struct shape_list list;
	int status = 0;

	begin(&position, source);
	shape_list_begin(&list, &source->shape, &source->meta, &out);
	while (out.size < WHOLE && status == 0 && (entry = next_match(&position)))
		status = add_entry(&list, entry, true, &err);
	if (status == 0 && out.size >= WHOLE) {
		stream_rest(call, source, &list, &position);
		return;
	}
	store_snapshot_unref(source->snapshot);
	selection_free(source->selection);
	if (status != 0) {
		call_fail(call, &err);
		return;
	}
	shape_list_end(&list);
	call_answer_buf(call, 200, negotiate_content_type(&call->media, false, call->arena), &out);
}
