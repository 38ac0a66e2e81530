/* SPDX-License-Identifier: Apache-2.0 */
/* Streamed lists; see the header. */
#include "apiserver/liststream.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

struct list_stream {
	struct store_snapshot *snapshot;
	struct selection *selection;
	struct store_iterator iterator;
	char *after; /* what `iterator` continues behind */
	uint64_t left;
	bool limited;
	struct cox_buf head, tail;
	/* What is being copied out now. */
	struct cox_bytes now;
	size_t at;
	enum { STREAM_HEAD, STREAM_COMMA, STREAM_ITEM, STREAM_TAIL, STREAM_DONE } state;
	struct store_entry *next; /* borrowed from the snapshot */
	bool any;
};

static struct store_entry *next_match(struct list_stream *stream)
{
	struct store_entry *entry;

	if (stream->limited && stream->left == 0)
		return NULL;
	while ((entry = store_iterator_next(&stream->iterator)))
		if (!store_entry_error(entry) && selection_matches(stream->selection, entry))
			break;
	stream->left--;
	return entry;
}

/* The bytes that follow those of the present state. */
static void step(struct list_stream *stream)
{
	static const struct cox_bytes comma = {",", 1};

	stream->at = 0;
	if (stream->state == STREAM_COMMA) {
		stream->state = STREAM_ITEM;
		stream->now = store_entry_json(stream->next);
		return;
	}
	if (stream->state == STREAM_TAIL) {
		stream->state = STREAM_DONE;
		stream->now = (struct cox_bytes){NULL, 0};
		return;
	}
	stream->next = next_match(stream);
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

static int64_t produce(void *producer, char *out, size_t room)
{
	struct list_stream *stream = producer;
	size_t done = 0;

	while (done < room && stream->state != STREAM_DONE) {
		size_t size = stream->now.size - stream->at;

		if (size == 0) {
			step(stream);
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
	free(stream->after);
	free(stream);
}

void liststream_answer(struct api_call *call, const struct list_source *source)
{
	struct list_stream *stream = cox_new(struct list_stream);
	struct http_response response = {.status = 200,
					 .flags = HTTP_RESPONSE_GZIP,
					 .content_type = "application/json",
					 .produce = produce,
					 .produce_end = produce_end,
					 .producer = stream,
					 .length = HTTP_LENGTH_UNKNOWN};

	stream->snapshot = source->snapshot;
	stream->selection = source->selection;
	stream->limited = source->limit != 0;
	stream->left = source->limit;
	stream->after = cox_memdup(source->after.data, source->after.size);
	store_iterate(&stream->iterator, stream->snapshot, &stream->selection->scope,
		      (struct cox_bytes){stream->after, source->after.size});
	shape_list_open(source->resource, &source->meta, &stream->head);
	shape_list_close(&stream->tail);
	stream->now = (struct cox_bytes){stream->head.data, stream->head.size};
	call_respond(call, &response);
}
