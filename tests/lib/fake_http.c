/* SPDX-License-Identifier: Apache-2.0 */
/* A thread for each connection; one mutex over the list of connections. */
#include "fake_http.h"

#include <arpa/inet.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/vec.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HEAD_MAX = 16384, OPTIONS_MAX = 16 };

struct connection {
	struct fake_http *http;
	int fd;
	pthread_t thread;
	pthread_mutex_t mutex; /* over writing, and `over` */
	pthread_cond_t changed;
	bool over;
	struct cox_buf head;
};

struct fake_http {
	struct client *backend;
	int listener;
	char url[64];
	pthread_t thread;
	pthread_mutex_t mutex;
	COX_VEC(struct connection *) connections;
	char authorization[256];
	bool stopping;
};

/* ---- reading ---- */

/* Reads until the blank line; what is behind it stays in `rest`. */
static int read_head(struct connection *c, struct cox_buf *rest)
{
	char *end;

	cox_buf_clear(&c->head);
	cox_buf_add(&c->head, rest->data, rest->size);
	cox_buf_clear(rest);
	while (!c->head.size || !(end = strstr(c->head.data, "\r\n\r\n"))) {
		ssize_t got;

		if (c->head.size > HEAD_MAX)
			return -1;
		got = recv(c->fd, cox_buf_reserve(&c->head, 4096), 4096, 0);
		if (got <= 0)
			return -1;
		cox_buf_added(&c->head, (size_t)got);
	}
	cox_buf_add(rest, end + 4, c->head.size - (size_t)(end + 4 - c->head.data));
	cox_buf_truncate(&c->head, (size_t)(end + 2 - c->head.data));
	return 0;
}

static void header(struct connection *c, const char *name, char *out, size_t room)
{
	cox_autobuf wanted = COX_BUF_INIT;
	const char *at;

	cox_buf_printf(&wanted, "\r\n%s: ", name);
	at = strcasestr(c->head.data, wanted.data);
	snprintf(out, room, "%.*s", at ? (int)strcspn(at + wanted.size, "\r") : 0,
		 at ? at + wanted.size : "");
}

static int read_body(struct connection *c, struct cox_buf *rest, struct cox_buf *body)
{
	char length[32];
	size_t size;

	header(c, "Content-Length", length, sizeof(length));
	size = strtoul(length, NULL, 10);
	cox_buf_add(body, rest->data, rest->size < size ? rest->size : size);
	while (body->size < size) {
		ssize_t got = recv(c->fd, cox_buf_reserve(body, size), size - body->size, 0);

		if (got <= 0)
			return -1;
		cox_buf_added(body, (size_t)got);
	}
	if (rest->size > size)
		memmove(rest->data, rest->data + size, rest->size - size);
	cox_buf_truncate(rest, rest->size > size ? rest->size - size : 0);
	return 0;
}

static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		unsigned byte;

		if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
			*to++ = (char)byte;
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static bool next_part(char **at, char **part)
{
	*part = strsep(at, "/");
	if (*part)
		unescape(*part);
	return *part != NULL;
}

/* Cuts the target into the request; the strings stay in `target`. */
static void parse_target(char *target, const char *method, struct client_request *request,
			 struct client_option *options)
{
	char *query = strchr(target, '?'), *at = target + 1, *part, *pair;
	char nothing[] = "";
	bool watch = false;

	if (query)
		*query++ = '\0';
	request->options = options;
	while ((pair = strsep(&query, "&"))) {
		char *value = strchr(pair, '=');

		if (!value || request->option_count == OPTIONS_MAX)
			continue;
		*value++ = '\0';
		unescape(value);
		watch |= !strcmp(pair, "watch");
		options[request->option_count++] = (struct client_option){pair, value};
	}
	next_part(&at, &part); /* api or apis */
	if (!strcmp(part, "apis") && next_part(&at, &part))
		request->group = part;
	if (next_part(&at, &part))
		request->version = part;
	if (!next_part(&at, &part))
		part = nothing;
	if (!strcmp(part, "namespaces") && at && strchr(at, '/')) {
		next_part(&at, &part);
		request->namespace = part;
		next_part(&at, &part);
	}
	request->resource = part && *part ? part : NULL;
	if (next_part(&at, &part))
		request->name = part;
	if (next_part(&at, &part))
		request->subresource = part;
	request->verb = !strcmp(method, "POST")	    ? CLIENT_CREATE
			: !strcmp(method, "PUT")    ? CLIENT_UPDATE
			: !strcmp(method, "PATCH")  ? CLIENT_PATCH
			: !strcmp(method, "DELETE") ? CLIENT_DELETE
			: watch			    ? CLIENT_WATCH
			: request->name		    ? CLIENT_GET
						    : CLIENT_LIST;
}

/* ---- answering ---- */

static int send_all(int fd, const void *data, size_t size)
{
	while (size) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

		if (sent <= 0)
			return -1;
		data = (const char *)data + sent;
		size -= (size_t)sent;
	}
	return 0;
}

static int send_answer(struct connection *c, int code, const struct cox_buf *body)
{
	cox_autobuf head = COX_BUF_INIT;

	cox_buf_printf(&head,
		       "HTTP/1.1 %d Answer\r\nContent-Type: application/json\r\n"
		       "Content-Length: %zu\r\n\r\n",
		       code, body->size);
	cox_buf_add(&head, cox_buf_cstr(body), body->size);
	return send_all(c->fd, head.data, head.size);
}

static void send_chunk(struct connection *c, const struct cox_buf *data)
{
	cox_autobuf chunk = COX_BUF_INIT;

	cox_buf_printf(&chunk, "%zx\r\n", data->size);
	cox_buf_add(&chunk, data->data, data->size);
	cox_buf_str(&chunk, "\r\n");
	cox_lock_scope(&c->mutex);
	if (!c->over && send_all(c->fd, chunk.data, chunk.size))
		c->over = true;
}

static void on_event(void *context, enum client_event_type type, struct bytes *object)
{
	static const char *const types[] = {"", "ADDED", "MODIFIED", "DELETED", "BOOKMARK"};
	cox_autobuf line = COX_BUF_INIT;

	cox_buf_printf(&line, "{\"type\":\"%s\",\"object\":", types[type]);
	cox_buf_add(&line, object->data, object->size);
	cox_buf_str(&line, "}\n");
	send_chunk(context, &line);
}

static void on_ended(void *context, const struct cox_error *why)
{
	struct connection *c = context;
	cox_autobuf line = COX_BUF_INIT;

	if (why->reason) {
		cox_buf_printf(&line,
			       "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"reason\":"
			       "\"%s\",\"message\":\"%s\",\"code\":%d}}\n",
			       error_reason_name(why->reason), error_text(why),
			       error_http_code(why->reason));
		send_chunk(c, &line);
	}
	cox_lock_scope(&c->mutex);
	if (!c->over)
		send_all(c->fd, "0\r\n\r\n", 5);
	c->over = true;
	pthread_cond_broadcast(&c->changed);
}

static bool hung_up(int fd)
{
	struct pollfd poller = {fd, POLLIN | POLLRDHUP, 0};

	return poll(&poller, 1, 20) > 0;
}

/* Streams until the watch or the connection ends; the connection is used up then. */
static int serve_watch(struct connection *c, const struct client_request *request)
{
	static const struct client_watcher watcher = {on_event, on_ended};
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				   "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf body = COX_BUF_INIT;
	struct client_watch *watch;

	pthread_mutex_lock(&c->mutex);
	watch = client_watch_open(c->http->backend, request, &watcher, c, &err);
	if (watch)
		send_all(c->fd, head, sizeof(head) - 1);
	pthread_mutex_unlock(&c->mutex);
	if (!watch) {
		cox_buf_printf(&body,
			       "{\"kind\":\"Status\",\"reason\":\"%s\",\"message\":\"%s\","
			       "\"code\":%d}",
			       error_reason_name(err.reason), error_text(&err),
			       error_http_code(err.reason));
		return send_answer(c, error_http_code(err.reason), &body);
	}
	for (bool over = false; !over;) {
		over = hung_up(c->fd);
		pthread_mutex_lock(&c->mutex);
		over |= c->over;
		pthread_mutex_unlock(&c->mutex);
	}
	client_watch_close(watch);
	return -1;
}

static int serve(struct connection *c, struct cox_buf *rest)
{
	char method[16], target[4096], type[128];
	struct client_option options[OPTIONS_MAX];
	struct client_request request = {0};
	cox_autobuf body = COX_BUF_INIT;
	cox_autoanswer answer = CLIENT_ANSWER_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (read_head(c, rest) || sscanf(c->head.data, "%15s %4095s", method, target) != 2 ||
	    read_body(c, rest, &body))
		return -1;
	pthread_mutex_lock(&c->http->mutex);
	header(c, "Authorization", c->http->authorization, sizeof(c->http->authorization));
	pthread_mutex_unlock(&c->http->mutex);
	header(c, "Content-Type", type, sizeof(type));
	parse_target(target, method, &request, options);
	request.content_type = type;
	request.body = body.data;
	request.body_size = body.size;
	if (request.verb == CLIENT_WATCH)
		return serve_watch(c, &request);
	/* -1 is an answer too: its code and body go out as they are. */
	if (client_call(c->http->backend, &request, &answer, &err) && !answer.code)
		return -1;
	return send_answer(c, answer.code, &answer.body);
}

static void *connection_run(void *argument)
{
	struct connection *c = argument;
	cox_autobuf rest = COX_BUF_INIT;

	while (!serve(c, &rest))
		;
	shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

/* ---- the listener ---- */

static void *accept_run(void *argument)
{
	struct fake_http *http = argument;

	for (;;) {
		int fd = accept4(http->listener, NULL, NULL, SOCK_CLOEXEC);
		struct connection *c;

		if (fd < 0)
			return NULL;
		c = cox_new(struct connection);
		c->http = http;
		c->fd = fd;
		pthread_mutex_init(&c->mutex, NULL);
		pthread_cond_init(&c->changed, NULL);
		pthread_mutex_lock(&http->mutex);
		cox_vec_push(&http->connections, c);
		if (pthread_create(&c->thread, NULL, connection_run, c))
			abort();
		pthread_mutex_unlock(&http->mutex);
	}
}

struct fake_http *fake_http_new(struct client *backend)
{
	struct fake_http *http = cox_new(struct fake_http);
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);

	http->backend = backend;
	pthread_mutex_init(&http->mutex, NULL);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	http->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(http->listener, (struct sockaddr *)&address, size) || listen(http->listener, 64) ||
	    getsockname(http->listener, (struct sockaddr *)&address, &size))
		abort();
	snprintf(http->url, sizeof(http->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	if (pthread_create(&http->thread, NULL, accept_run, http))
		abort();
	return http;
}

const char *fake_http_url(const struct fake_http *http)
{
	return http->url;
}

unsigned fake_http_connections(struct fake_http *http)
{
	cox_lock_scope(&http->mutex);
	return (unsigned)http->connections.count;
}

void fake_http_authorization(struct fake_http *http, char out[256])
{
	cox_lock_scope(&http->mutex);
	snprintf(out, 256, "%s", http->authorization);
}

void fake_http_cut(struct fake_http *http)
{
	cox_lock_scope(&http->mutex);
	for (size_t i = 0; i < http->connections.count; i++)
		shutdown(http->connections.items[i]->fd, SHUT_RDWR);
}

void fake_http_free(struct fake_http *http)
{
	shutdown(http->listener, SHUT_RDWR);
	pthread_join(http->thread, NULL);
	close(http->listener);
	fake_http_cut(http);
	for (size_t i = 0; i < http->connections.count; i++) {
		struct connection *c = http->connections.items[i];

		pthread_join(c->thread, NULL);
		close(c->fd);
		cox_buf_free(&c->head);
		pthread_cond_destroy(&c->changed);
		pthread_mutex_destroy(&c->mutex);
		free(c);
	}
	cox_vec_free(&http->connections);
	pthread_mutex_destroy(&http->mutex);
	free(http);
}
