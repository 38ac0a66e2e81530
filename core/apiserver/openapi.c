/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAPI over HTTP; see the header. A document is made at the first request
 * for it and kept as gzip, under the hash of its plain bytes, which changes
 * only with the program and with what is served. Most clients ask for gzip and
 * get the kept bytes as they are.
 */
#include "apiserver/openapi.h"

#include "apiserver/endpoints.h"
#include "apiserver/openapi_model.h"
#include "base/clock.h"
#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

enum {
	DOCUMENTS_MAX = 128,
	HASH_SIZE = 33,
	PACK_LEVEL = 6,
	GZIP_WINDOW = 15 + 16, /* zlib: with a gzip head */
	YEAR_SECONDS = 365 * 24 * 3600
};

static const char media_json[] = "application/json";
/* Clients ask with "@", which is no token character, and are answered with ".". */
static const char ask_v2[] = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
static const char media_v2[] = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/* Immutable, and counted: the list holds one reference, every answer another. */
struct document {
	struct document *next;
	atomic_uint references;
	uint64_t served; /* what was served when it was made */
	char hash[HASH_SIZE];
	unsigned char *packed;
	size_t packed_size, size;
	char name[]; /* "v2", "v2.pb", "v3/apps/v1" */
};

/* Guards the list and the making of documents, one at a time. */
static pthread_mutex_t documents_lock = PTHREAD_MUTEX_INITIALIZER;
static struct document *documents; /* the newest first */

static const uint64_t seeds[2][2] = {{0x6f70656e61706931u, 0x646f63756d656e74u},
				     {0x6f70656e61706932u, 0x636f6e74656e7473u}};

static void document_unref(void *owner)
{
	struct document *document = owner;

	if (atomic_fetch_sub_explicit(&document->references, 1, memory_order_acq_rel) != 1)
		return;
	free(document->packed);
	free(document);
}

/* Two servers in one process may serve different things, as tests do. */
static uint64_t served_hash(const struct apiserver *server)
{
	uint64_t hash = server->schema->epoch;

	for (size_t i = 0; i < server->resource_count; i++) {
		const struct schema_resource *row = server->resources[i].row;
		uint64_t key[2] = {hash, seeds[0][1]};

		hash = cox_siphash13(key, row, sizeof(*row));
	}
	return hash;
}

/* Making */

/* -1: zlib has no memory. One call suffices: deflateBound is room for all. */
static int pack(struct document *document, const struct cox_buf *plain)
{
	z_stream stream = {.next_in = (unsigned char *)plain->data,
			   .avail_in = (unsigned)plain->size};
	size_t room;

	if (deflateInit2(&stream, PACK_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return -1;
	room = deflateBound(&stream, plain->size);
	document->packed = cox_alloc(room);
	stream.next_out = document->packed;
	stream.avail_out = (unsigned)room;
	deflate(&stream, Z_FINISH);
	document->packed_size = room - stream.avail_out;
	document->packed = cox_realloc(document->packed, document->packed_size);
	document->size = plain->size;
	deflateEnd(&stream);
	return 0;
}

/* What to make; group and version count for version 3. */
struct order {
	enum { ORDER_V2, ORDER_V2_PROTOBUF, ORDER_V3 } what;
	const char *group, *version;
};

/* -1: there is no such document. */
static int write_document(const struct apiserver *server, const struct order *order,
			  struct cox_buf *out)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *tree =
		order->what == ORDER_V3
			? openapi_build_v3(&arena, server, order->group, order->version)
			: openapi_build_v2(&arena, server);

	if (!tree)
		return -1;
	if (order->what == ORDER_V2_PROTOBUF)
		openapi_write_protobuf(out, tree);
	else
		json_write(out, tree, 0);
	return 0;
}

static struct document *make_document(const struct apiserver *server, const struct order *order,
				      const char *name, uint64_t served)
{
	cox_autobuf plain = COX_BUF_INIT;
	struct document *document;

	if (write_document(server, order, &plain) != 0)
		return NULL;
	document = cox_calloc(1, sizeof(*document) + strlen(name) + 1);
	memcpy(document->name, name, strlen(name) + 1);
	document->served = served;
	atomic_init(&document->references, 1);
	snprintf(document->hash, HASH_SIZE, "%016" PRIX64 "%016" PRIX64,
		 cox_siphash13(seeds[0], plain.data, plain.size),
		 cox_siphash13(seeds[1], plain.data, plain.size));
	if (pack(document, &plain) == 0)
		return document;
	document_unref(document);
	return NULL;
}

/* The oldest goes when there are too many; answers that send it keep it. */
static void keep(struct document *document)
{
	struct document **slot = &documents;
	size_t count = 0;

	document->next = documents;
	documents = document;
	while (*slot && count++ < DOCUMENTS_MAX)
		slot = &(*slot)->next;
	if (*slot) {
		struct document *last = *slot;

		*slot = NULL;
		document_unref(last);
	}
}

/* With a reference for the caller. NULL: nothing of that group version is served. */
static struct document *get_document(const struct apiserver *server, const struct order *order)
{
	static const char *const names[] = {"v2", "v2.pb", "v3"};
	uint64_t served = served_hash(server);
	struct document *document;
	char name[512];

	snprintf(name, sizeof(name), "%s/%s/%s", names[order->what],
		 order->group ? order->group : "", order->version ? order->version : "");
	cox_lock_scope(&documents_lock);
	for (document = documents; document; document = document->next)
		if (document->served == served && strcmp(document->name, name) == 0)
			break;
	if (!document) {
		document = make_document(server, order, name, served);
		if (!document)
			return NULL;
		keep(document);
		malloc_trim(0); /* a tree was many times what is kept of it */
	}
	atomic_fetch_add_explicit(&document->references, 1, memory_order_relaxed);
	return document;
}

/* Answering */

/* The plain bytes, for the client that wants them. NULL: the kept ones are bad. */
static void *unpack(const struct document *document)
{
	unsigned char *plain = cox_alloc(document->size);
	z_stream stream = {.next_in = document->packed,
			   .avail_in = (unsigned)document->packed_size,
			   .next_out = plain,
			   .avail_out = (unsigned)document->size};
	bool whole = inflateInit2(&stream, GZIP_WINDOW) == Z_OK &&
		     inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;

	inflateEnd(&stream);
	if (whole)
		return plain;
	free(plain);
	return NULL;
}

static void fail_internal(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, COX_REASON_INTERNAL_ERROR, "the OpenAPI document cannot be made");
	call_fail(call, &err);
}

/* Kept bytes are sent under the caller's reference, unpacked ones are the answer's own. */
static struct http_piece body_of(struct document *document, bool gzip)
{
	void *plain;

	if (gzip)
		return (struct http_piece){.data = document->packed,
					   .size = document->packed_size,
					   .release = document_unref,
					   .owner = document};
	plain = unpack(document);
	return (struct http_piece){
		.data = plain, .size = document->size, .release = free, .owner = plain};
}

/* A year from now, as RFC 9110, section 5.6.7, writes times. */
static const char *far_future(struct arena *arena)
{
	time_t when = (time_t)(clock_realtime() / CLOCK_SECOND) + YEAR_SECONDS;
	char text[64];
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return arena_strdup(arena, text);
}

/* Takes the caller's reference. */
static void answer(struct api_call *call, struct document *document, const char *content_type)
{
	const char *known = http_header(call->request, "If-None-Match");
	const char *asked = call_param(call, "hash");
	const char *etag = arena_printf(call->arena, "\"%s\"", document->hash);
	bool gzip = http_takes_encoding(call->request, "gzip");
	struct http_header headers[5];
	struct http_response response = {
		.status = 200, .content_type = content_type, .headers = headers};
	struct http_piece piece;
	size_t count = 0;

	headers[count++] = (struct http_header){"Etag", etag};
	headers[count++] = (struct http_header){"Vary", "Accept, Accept-Encoding"};
	/* The hash names these very bytes: whoever asks by it need not ask again. */
	if (asked && strcmp(asked, document->hash) == 0) {
		headers[count++] = (struct http_header){"Cache-Control", "public, immutable"};
		headers[count++] = (struct http_header){"Expires", far_future(call->arena)};
	}
	if (known && strcmp(known, etag) == 0) {
		response.status = 304;
		response.content_type = NULL;
		response.header_count = count;
		document_unref(document);
		call_respond(call, &response);
		return;
	}
	piece = body_of(document, gzip);
	if (gzip)
		headers[count++] = (struct http_header){"Content-Encoding", "gzip"};
	else
		document_unref(document);
	if (!piece.data) {
		fail_internal(call);
		return;
	}
	response.header_count = count;
	response.pieces = &piece;
	response.piece_count = 1;
	call_respond(call, &response);
}

/* 0, or -1 when the client was told that there is no JSON for it. */
static int negotiate_json(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (negotiate_accept(http_header(call->request, "Accept"), OFFER_JSON, &call->media,
			     &err) == 0)
		return 0;
	call_fail(call, &err);
	return -1;
}

static void answer_order(struct api_call *call, const struct order *order, const char *content_type)
{
	struct document *document = get_document(call->server, order);

	if (document)
		answer(call, document, content_type);
	else
		endpoints_not_found(call);
}

/* Clients name one form, or protobuf before JSON; nobody weighs the two. */
static bool wants_protobuf(const struct http_request *request)
{
	const char *accept = http_header(request, "Accept");
	const char *protobuf, *json;

	if (!accept)
		return false;
	protobuf = strcasestr(accept, ask_v2);
	if (!protobuf)
		protobuf = strcasestr(accept, media_v2);
	json = strcasestr(accept, media_json);
	return protobuf && (!json || protobuf < json);
}

void openapi_v2_protobuf(struct api_call *call)
{
	answer_order(call, &(struct order){.what = ORDER_V2_PROTOBUF}, media_v2);
}

void openapi_v2(struct api_call *call)
{
	if (wants_protobuf(call->request))
		openapi_v2_protobuf(call);
	else if (negotiate_json(call) == 0)
		answer_order(call, &(struct order){.what = ORDER_V2}, media_json);
}

void openapi_v3(struct api_call *call, const char *group, const char *version)
{
	struct order order = {ORDER_V3, group, version};

	if (negotiate_json(call) == 0)
		answer_order(call, &order, media_json);
}

static void add_to_index(const struct apiserver *server, const char *group, const char *version,
			 struct cox_buf *out, bool first)
{
	struct order order = {ORDER_V3, group, version};
	struct document *document = get_document(server, &order);
	const char *kind = *group ? "apis/" : "api";

	if (!document)
		return;
	cox_buf_printf(out, "%s\"%s%s/%s\":{\"serverRelativeURL\":\"/openapi/v3/%s%s/%s?hash=%s\"}",
		       first ? "" : ",", kind, group, version, kind, group, version,
		       document->hash);
	document_unref(document);
}

/* The hashes are of the contents, so this makes every document once. */
void openapi_v3_index(struct api_call *call)
{
	const struct apiserver *server = call->server;
	const struct api_resource *last = NULL;
	cox_autobuf out = COX_BUF_INIT;

	if (negotiate_json(call) != 0)
		return;
	cox_buf_str(&out, "{\"paths\":{");
	for (size_t i = 0; i < server->resource_count; i++) {
		const struct api_resource *resource = &server->resources[i];

		if (last && strcmp(resource->group, last->group) == 0 &&
		    strcmp(resource->version, last->version) == 0)
			continue;
		add_to_index(server, resource->group, resource->version, &out, !last);
		last = resource;
	}
	cox_buf_str(&out, "}}");
	call_answer(call, 200, media_json, out.data, out.size);
}
