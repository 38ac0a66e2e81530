/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of answers; see the header. */
#include "net/body.h"
#include "net/transport.h"

#include <coxswain/kit/alloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum {
	GZIP_INPUT = 32 * 1024,
	GZIP_LEVEL = 1,
	GZIP_WINDOW = 15 + 16, /* zlib: with a gzip head */
	/* Each takes 300 KB until its client has read it, and may be one of 250 of that client. */
	GZIP_MOST = 128
};

/* Bodies that are compressed at present, in this process. */
static _Atomic unsigned compressing;

struct gzip {
	z_stream stream;
	bool input_ended, ended;
	unsigned char input[GZIP_INPUT];
};

struct body {
	int64_t (*produce)(void *producer, char *out, size_t room);
	void (*produce_end)(void *producer);
	void *producer;
	uint64_t length;
	struct gzip *gzip; /* NULL: as it is */
	size_t at, offset; /* in the pieces */
	size_t count;
	struct http_piece pieces[];
};

struct body *body_new(const struct http_response *response)
{
	size_t count = response->produce ? 0 : response->piece_count;
	struct body *body = cox_calloc(1, sizeof(*body) + count * sizeof(body->pieces[0]));

	if (response->produce) {
		body->produce = response->produce;
		body->produce_end = response->produce_end;
		body->producer = response->producer;
		body->length = response->length;
	}
	for (size_t i = 0; i < count; i++) {
		body->pieces[i] = response->pieces[i];
		body->length += response->pieces[i].size;
	}
	body->count = count;
	return body;
}

void http_response_discard(const struct http_response *response)
{
	body_free(body_new(response));
}

void body_free(struct body *body)
{
	for (size_t i = 0; i < body->count; i++)
		if (body->pieces[i].release)
			body->pieces[i].release(body->pieces[i].owner);
	if (body->produce_end)
		body->produce_end(body->producer);
	if (body->gzip) {
		deflateEnd(&body->gzip->stream);
		free(body->gzip);
		atomic_fetch_sub(&compressing, 1);
	}
	free(body);
}

int body_compress(struct body *body)
{
	struct gzip *gzip;

	if (atomic_fetch_add(&compressing, 1) >= GZIP_MOST) {
		atomic_fetch_sub(&compressing, 1);
		return -1;
	}
	gzip = cox_new(struct gzip);
	if (deflateInit2(&gzip->stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		free(gzip);
		atomic_fetch_sub(&compressing, 1);
		return -1;
	}
	body->gzip = gzip;
	body->length = HTTP_LENGTH_UNKNOWN;
	return 0;
}

uint64_t body_length(const struct body *body)
{
	return body->length;
}

const void *body_single(const struct body *body)
{
	if (body->produce || body->gzip || body->count > 1)
		return NULL;
	return body->count && body->pieces[0].size ? body->pieces[0].data : "";
}

struct body *body_for(const struct http_request *request, const struct http_response *response,
		      bool gzip_loopback, bool *gzip)
{
	struct body *body = body_new(response);

	*gzip = (response->flags & HTTP_RESPONSE_GZIP) && body_length(body) >= BODY_GZIP_MIN &&
		(!request->loopback || gzip_loopback) && http_takes_encoding(request, "gzip") &&
		body_compress(body) == 0;
	return body;
}

static int64_t read_plain(struct body *body, char *out, size_t room)
{
	size_t done = 0;

	if (body->produce)
		return body->produce(body->producer, out, room);
	while (done < room && body->at < body->count) {
		const struct http_piece *piece = &body->pieces[body->at];
		size_t part = piece->size - body->offset;

		if (part > room - done)
			part = room - done;
		if (part)
			memcpy(out + done, (const char *)piece->data + body->offset, part);
		done += part;
		body->offset += part;
		if (body->offset == piece->size) {
			body->offset = 0;
			body->at++;
		}
	}
	return (int64_t)done;
}

static int64_t read_compressed(struct body *body, char *out, size_t room)
{
	struct gzip *gzip = body->gzip;
	z_stream *stream = &gzip->stream;

	stream->next_out = (unsigned char *)out;
	stream->avail_out = (unsigned)room;
	while (stream->avail_out == room && !gzip->ended) {
		int result;

		if (stream->avail_in == 0 && !gzip->input_ended) {
			int64_t size = read_plain(body, (char *)gzip->input, GZIP_INPUT);

			if (size < 0)
				return -1;
			gzip->input_ended = size == 0;
			stream->next_in = gzip->input;
			stream->avail_in = (unsigned)size;
		}
		result = deflate(stream, gzip->input_ended ? Z_FINISH : Z_NO_FLUSH);
		if (result == Z_STREAM_END)
			gzip->ended = true;
		else if (result != Z_OK && result != Z_BUF_ERROR)
			return -1;
	}
	return (int64_t)(room - stream->avail_out);
}

int64_t body_read(struct body *body, char *out, size_t room)
{
	if (room > 1u << 30)
		room = 1u << 30;
	return body->gzip ? read_compressed(body, out, room) : read_plain(body, out, room);
}
