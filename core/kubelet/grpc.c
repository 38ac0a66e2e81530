/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One unary call over HTTP/2 (RFC 9113): a connection, one stream, a request of
 * a few bytes and an answer of a few. Header blocks we send are literals that
 * need no compression state (RFC 7541, 6.2.2); those we get are not looked at,
 * since the answer is in the DATA frame: a server that has none has refused.
 */
#include "kubelet/grpc.h"

#include "kubelet/dial.h"

#include <coxswain/kit/cleanup.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum { FRAME_HEADER = 9, FRAME_MAX = 16384, FRAMES_MAX = 1000, SERVICE_MAX = 4096 };
enum { STREAM = 1, MESSAGE_HEADER = 5, SERVING = 1 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void add_frame(struct cox_buf *out, uint8_t type, uint8_t flags, uint32_t stream,
		      const struct cox_buf *payload)
{
	size_t size = payload ? payload->size : 0;
	const char header[FRAME_HEADER] = {
		(char)(size >> 16), (char)(size >> 8), (char)size, (char)type, (char)flags, 0, 0, 0,
		(char)stream};

	cox_buf_add(out, header, sizeof(header));
	if (size)
		cox_buf_add(out, payload->data, size);
}

/* A number with a prefix of 7 bits, as lengths have. */
static void add_length(struct cox_buf *out, size_t size)
{
	if (size < 127) {
		cox_buf_char(out, (char)size);
		return;
	}
	cox_buf_char(out, 127);
	for (size -= 127; size >= 128; size >>= 7)
		cox_buf_char(out, (char)(size | 128));
	cox_buf_char(out, (char)size);
}

static void add_text(struct cox_buf *out, const char *text)
{
	add_length(out, strlen(text));
	cox_buf_str(out, text);
}

static void add_headers(struct cox_buf *out, const char *host, uint16_t port)
{
	cox_autobuf block = COX_BUF_INIT, authority = COX_BUF_INIT;

	cox_buf_printf(&authority, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	cox_buf_add(&block, "\x83\x86\x04", 3); /* :method POST, :scheme http, :path ... */
	add_text(&block, "/grpc.health.v1.Health/Check");
	cox_buf_char(&block, 1); /* :authority */
	add_text(&block, authority.data);
	cox_buf_add(&block, "\x0f\x10", 2); /* content-type */
	add_text(&block, "application/grpc");
	cox_buf_char(&block, 0);
	add_text(&block, "te");
	add_text(&block, "trailers");
	cox_buf_add(&block, "\x0f\x2b", 2); /* user-agent */
	add_text(&block, "kube-probe/1.36");
	add_frame(out, HEADERS, END_HEADERS, STREAM, &block);
}

/* HealthCheckRequest { string service = 1; } */
static void add_message(struct cox_buf *out, const char *service)
{
	cox_autobuf message = COX_BUF_INIT, framed = COX_BUF_INIT;
	size_t size = strlen(service);

	if (size) {
		cox_buf_char(&message, 0x0a);
		for (; size >= 128; size >>= 7)
			cox_buf_char(&message, (char)(size | 128));
		cox_buf_char(&message, (char)size);
		cox_buf_str(&message, service);
	}
	{
		const char header[MESSAGE_HEADER] = {0, 0, 0, (char)(message.size >> 8),
						     (char)message.size};

		cox_buf_add(&framed, header, sizeof(header));
	}
	if (message.size)
		cox_buf_add(&framed, message.data, message.size);
	add_frame(out, DATA, END_STREAM, STREAM, &framed);
}

/* ---- the answer ---- */

struct call {
	int fd;
	uint64_t deadline;
	struct cox_buf got;  /* bytes that are not read yet */
	struct cox_buf body; /* of our stream */
	bool ended;
};

struct frame {
	size_t size;
	uint8_t type, flags;
	uint32_t stream;
	const uint8_t *payload;
};

/* 0, or -1: the connection ended, the time is over, or this is not HTTP/2. */
static int read_frame(struct call *call, struct frame *frame)
{
	for (;;) {
		const uint8_t *at = (const uint8_t *)call->got.data;

		if (call->got.size >= FRAME_HEADER) {
			*frame = (struct frame){
				.size = (size_t)(at[0] << 16 | at[1] << 8 | at[2]),
				.type = at[3],
				.flags = at[4],
				.stream = (uint32_t)(at[5] & 0x7f) << 24 |
					  (uint32_t)(at[6] << 16 | at[7] << 8 | at[8]),
				.payload = at + FRAME_HEADER};
			if (frame->size > FRAME_MAX)
				return -1;
			if (call->got.size >= FRAME_HEADER + frame->size)
				return 0;
		}
		if (dial_receive(call->fd, call->deadline, &call->got) <= 0)
			return -1;
	}
}

static void drop_frame(struct call *call, size_t size)
{
	size += FRAME_HEADER;
	memmove(call->got.data, call->got.data + size, call->got.size - size);
	cox_buf_truncate(&call->got, call->got.size - size);
}

static int take_data(struct call *call, const struct frame *frame)
{
	size_t padding = 0, skip = 0;

	if (frame->flags & PADDED) {
		if (!frame->size || frame->payload[0] + (size_t)1 > frame->size)
			return -1;
		padding = frame->payload[0];
		skip = 1;
	}
	if (call->body.size + frame->size > FRAME_MAX)
		return -1;
	cox_buf_add(&call->body, (const char *)frame->payload + skip, frame->size - skip - padding);
	return 0;
}

static int take_frame(struct call *call, const struct frame *frame)
{
	cox_autobuf answer = COX_BUF_INIT, payload = COX_BUF_INIT;

	if (frame->type == RST_STREAM || frame->type == GOAWAY)
		return -1;
	if (frame->type == SETTINGS && !(frame->flags & ACK))
		add_frame(&answer, SETTINGS, ACK, 0, NULL);
	if (frame->type == PING && !(frame->flags & ACK)) {
		cox_buf_add(&payload, (const char *)frame->payload, frame->size);
		add_frame(&answer, PING, ACK, 0, &payload);
	}
	if (answer.size && dial_send(call->fd, &answer, call->deadline))
		return -1;
	if (frame->stream != STREAM || (frame->type != DATA && frame->type != HEADERS))
		return 0;
	call->ended = frame->flags & END_STREAM;
	return frame->type == DATA ? take_data(call, frame) : 0;
}

/* HealthCheckResponse { ServingStatus status = 1; }; -1: it is not one. */
static int status_of(const struct cox_buf *body)
{
	const uint8_t *at = (const uint8_t *)body->data;
	size_t size;

	if (body->size < MESSAGE_HEADER || at[0])
		return -1;
	size = (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4];
	if (size != body->size - MESSAGE_HEADER)
		return -1;
	at += MESSAGE_HEADER;
	if (size == 0)
		return 0;
	return size == 2 && at[0] == 0x08 && at[1] < 128 ? at[1] : -1;
}

static int judge(const struct call *call, bool whole, struct cox_buf *output)
{
	static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
	int status = call->body.size ? status_of(&call->body) : -1;

	if (status == SERVING)
		return 0;
	if (status >= 0 && status < (int)(sizeof(names) / sizeof(names[0])))
		cox_buf_printf(output, "service unhealthy (responded with \"%s\")", names[status]);
	else if (whole)
		cox_buf_str(output, "error: this server does not implement the grpc health "
				    "protocol (grpc.health.v1.Health), or does not know the "
				    "service");
	else
		cox_buf_str(output, "error: health rpc did not complete in time, or the server "
				    "closed the connection");
	return 1;
}

int grpc_check(const char *host, uint16_t port, const char *service, uint64_t deadline,
	       struct cox_buf *output)
{
	cox_autobuf request = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoclose int fd = dial_tcp(host, port, deadline, &err);
	struct call call = {.fd = fd, .deadline = deadline};
	int frames = 0, failed, result;
	struct frame frame;

	if (fd < 0 || strlen(service) > SERVICE_MAX) {
		cox_buf_printf(output, "error: failed to connect service \"%s:%u\": %s", host, port,
			       fd < 0 ? error_text(&err) : "the service's name is too long");
		return 1;
	}
	cox_buf_str(&request, preface);
	add_frame(&request, SETTINGS, 0, 0, NULL);
	add_headers(&request, host, port);
	add_message(&request, service);
	failed = dial_send(fd, &request, deadline);
	while (!failed && !call.ended && frames++ < FRAMES_MAX) {
		failed = read_frame(&call, &frame) || take_frame(&call, &frame);
		if (!failed)
			drop_frame(&call, frame.size);
	}
	result = judge(&call, call.ended && !failed, output);
	cox_buf_free(&call.got);
	cox_buf_free(&call.body);
	return result;
}
