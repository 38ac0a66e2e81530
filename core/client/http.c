/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport "http". libcurl is behind net/curl.h in a module that is opened
 * here at the first client; this file makes URLs and headers, and takes watch
 * streams apart into events, a line each.
 *
 * Lock: http_client.mutex over the bearer token, which is read again when its
 * file changes.
 */
#include "client/client.h"

#include "base/clock.h"
#include "client/module.h"
#include "client/transport.h"
#include "machinery/json.h"
#include "net/curl.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/vec.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TOKEN_MAX = 64 << 10, ERROR_BODY_MAX = 1 << 20 };

struct http_client {
	struct client base;
	const struct curl_module *curl;
	void *set;
	char *url; /* "https://host:port", no slash at the end */
	char *user_agent;
	char *basic;	      /* a whole header, or NULL */
	COX_VEC(char *) said; /* headers that say who this is, to a server that takes its word */
	pthread_mutex_t mutex;
	char *token;
	char *token_file;
	struct timespec token_changed;
	ino_t token_inode;
};

struct http_watch {
	struct client_watch base;
	void *stream;
	struct client_watcher watcher;
	void *context;
	struct cox_buf line;
	bool ended;
};

/* ---- headers ---- */

struct headers {
	COX_VEC(const char *) items;
};

static void headers_free(struct headers *headers)
{
	for (size_t i = 0; i < headers->items.count; i++)
		free((char *)headers->items.items[i]);
	cox_vec_free(&headers->items);
}

static void header_add(struct headers *headers, const char *name, const char *value)
{
	struct cox_buf line = COX_BUF_INIT;

	cox_buf_printf(&line, "%s: %s", name, value);
	cox_vec_push(&headers->items, cox_buf_steal(&line));
}

/* Reads the token file if it is another one than before; keeps the old token if it cannot. */
static void token_refresh(struct http_client *http)
{
	cox_autoclose int fd = open(http->token_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cox_autofree char *text = NULL;
	struct stat state;
	ssize_t size;

	if (fd < 0 || fstat(fd, &state) || !S_ISREG(state.st_mode))
		return;
	if (http->token && state.st_ino == http->token_inode &&
	    state.st_mtim.tv_sec == http->token_changed.tv_sec &&
	    state.st_mtim.tv_nsec == http->token_changed.tv_nsec)
		return;
	text = cox_alloc(TOKEN_MAX);
	size = read(fd, text, TOKEN_MAX - 1);
	while (size > 0 && strchr(" \r\n\t", text[size - 1]))
		size--;
	if (size <= 0 || memchr(text, '\n', (size_t)size))
		return;
	free(http->token);
	http->token = cox_strndup(text, (size_t)size);
	http->token_changed = state.st_mtim;
	http->token_inode = state.st_ino;
}

static void add_identity(struct http_client *http, struct headers *headers)
{
	struct cox_buf value = COX_BUF_INIT;

	for (size_t i = 0; i < http->said.count; i++)
		cox_vec_push(&headers->items, cox_strdup(http->said.items[i]));
	if (http->basic) {
		cox_vec_push(&headers->items, cox_strdup(http->basic));
		return;
	}
	{
		cox_lock_scope(&http->mutex);
		if (http->token_file)
			token_refresh(http);
		if (http->token)
			cox_buf_printf(&value, "Bearer %s", http->token);
	}
	if (value.size)
		header_add(headers, "Authorization", value.data);
	cox_buf_free(&value);
}

static void make_headers(struct http_client *http, const struct client_request *request,
			 struct headers *headers)
{
	header_add(headers, "Accept", request->accept ? request->accept : CLIENT_JSON);
	header_add(headers, "User-Agent", http->user_agent);
	if (request->body_size)
		header_add(headers, "Content-Type",
			   request->content_type ? request->content_type : CLIENT_JSON);
	add_identity(http, headers);
	cox_vec_push(&headers->items, NULL);
}

static void make_url(struct http_client *http, const struct client_request *request,
		     struct cox_buf *url)
{
	cox_autobuf query = COX_BUF_INIT;

	cox_buf_str(url, http->url);
	client_request_path(url, request);
	client_request_query(&query, request);
	if (!query.size)
		return;
	cox_buf_char(url, '?');
	cox_buf_add(url, query.data, query.size);
}

/* ---- calls ---- */

static int take_body(void *to, int code, const void *data, size_t size)
{
	struct client_answer *answer = to;

	(void)code;
	if (size > CLIENT_ANSWER_MAX - answer->body.size)
		return -1;
	cox_buf_add(&answer->body, data, size);
	return 0;
}

static int perform(struct http_client *http, const struct curl_request *made,
		   struct client_answer *answer, struct cox_error *err)
{
	const struct curl_sink sink = {take_body, NULL, answer};
	char why[CURL_WHY_SIZE] = "", type[128] = "";
	enum curl_result result =
		http->curl->perform(http->set, made, &sink, &answer->code, type, why);

	switch (result) {
	case CURL_RESULT_OK:
		answer->content_type = *type ? cox_strdup(type) : NULL;
		return 0;
	case CURL_RESULT_TIMEOUT:
		return error_set(err, COX_REASON_TIMEOUT, "%s %s: %s", made->method, made->url,
				 why);
	case CURL_RESULT_STOPPED:
		return error_set(err, COX_REASON_ENTITY_TOO_LARGE,
				 "%s %s: the answer is longer than %zu MiB", made->method,
				 made->url, CLIENT_ANSWER_MAX >> 20);
	case CURL_RESULT_FAILED:
		break;
	}
	answer->code = 0;
	return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "%s %s: %s", made->method, made->url,
			 why);
}

static int http_call(struct client *client, const struct client_request *request,
		     struct client_answer *answer, struct cox_error *err)
{
	struct http_client *http = (struct http_client *)client;
	__attribute__((cleanup(headers_free))) struct headers headers = {0};
	cox_autobuf url = COX_BUF_INIT;
	uint64_t now = clock_monotonic();
	struct curl_request made = {.method = client_method(request->verb),
				    .body = request->body,
				    .body_size = request->body_size};

	make_url(http, request, &url);
	make_headers(http, request, &headers);
	made.url = url.data;
	made.headers = headers.items.items;
	if (request->deadline <= now)
		return error_set(err, COX_REASON_TIMEOUT, "%s %s: no time is left", made.method,
				 made.url);
	made.timeout_ms = (request->deadline - now) / CLOCK_MILLISECOND + 1;
	return perform(http, &made, answer, err);
}

/* ---- watches ---- */

static void watch_ended(struct http_watch *watch, const struct cox_error *why)
{
	if (watch->ended)
		return;
	watch->ended = true;
	watch->watcher.ended(watch->context, why);
}

struct line_parts {
	const char *type;
	size_t type_size;
	const char *object;
	size_t object_size;
};

static bool text_is(const char *text, size_t size, const char *wanted)
{
	return size == strlen(wanted) && !memcmp(text, wanted, size);
}

/* {"type":"ADDED","object":{…}}, members in any order. */
static int line_take_apart(const char *line, size_t size, struct line_parts *parts)
{
	struct json_reader reader;

	json_reader_init(&reader, line, size);
	if (json_next(&reader) != JSON_OBJECT_BEGIN)
		return -1;
	while (json_next(&reader) == JSON_KEY) {
		if (text_is(reader.text, reader.text_size, "type")) {
			if (json_next(&reader) != JSON_STRING)
				return -1;
			parts->type = reader.text;
			parts->type_size = reader.text_size;
		} else if (text_is(reader.text, reader.text_size, "object")) {
			if (json_next(&reader) != JSON_OBJECT_BEGIN)
				return -1;
			parts->object = line + reader.start;
			if (json_skip(&reader))
				return -1;
			parts->object_size = (size_t)(line + reader.at - parts->object);
		} else if (json_skip(&reader)) {
			return -1;
		}
	}
	return parts->type && parts->object ? 0 : -1;
}

static void watch_line(struct http_watch *watch, const char *line, size_t size)
{
	static const char *const types[] = {
		[CLIENT_ADDED] = "ADDED",
		[CLIENT_MODIFIED] = "MODIFIED",
		[CLIENT_DELETED] = "DELETED",
		[CLIENT_BOOKMARK] = "BOOKMARK",
	};
	struct line_parts parts = {0};
	cox_autoerror err = COX_ERROR_INIT;

	if (line_take_apart(line, size, &parts)) {
		error_set(&err, COX_REASON_INTERNAL_ERROR, "watch: a line is no event");
		watch_ended(watch, &err);
		return;
	}
	if (text_is(parts.type, parts.type_size, "ERROR")) {
		client_status_error(500, parts.object, parts.object_size, &err);
		watch_ended(watch, &err);
		return;
	}
	for (int type = CLIENT_ADDED; type <= CLIENT_BOOKMARK; type++) {
		struct bytes *object;

		if (!text_is(parts.type, parts.type_size, types[type]))
			continue;
		object = bytes_copy(parts.object, parts.object_size);
		watch->watcher.event(watch->context, (enum client_event_type)type, object);
		bytes_unref(object);
	}
}

/* Hands on the whole lines that `line` holds and keeps the rest. */
static void watch_lines(struct http_watch *watch)
{
	size_t start = 0;
	const char *end;

	while (!watch->ended && start < watch->line.size &&
	       (end = memchr(watch->line.data + start, '\n', watch->line.size - start))) {
		size_t size = (size_t)(end - watch->line.data) - start;

		if (size)
			watch_line(watch, watch->line.data + start, size);
		start += size + 1;
	}
	if (!start)
		return;
	memmove(watch->line.data, watch->line.data + start, watch->line.size - start);
	cox_buf_truncate(&watch->line, watch->line.size - start);
}

static int on_data(void *to, int code, const void *data, size_t size)
{
	struct http_watch *watch = to;
	size_t most = code == 200 ? CLIENT_EVENT_MAX : ERROR_BODY_MAX;
	bool line_ends = memchr(data, '\n', size) != NULL;

	if (watch->ended || size > most - watch->line.size)
		return -1;
	cox_buf_add(&watch->line, data, size);
	if (code == 200 && line_ends)
		watch_lines(watch);
	return watch->ended ? -1 : 0;
}

static void on_end(void *to, int code, const char *why)
{
	struct http_watch *watch = to;
	cox_autoerror err = COX_ERROR_INIT;

	if (!code)
		error_set(&err, COX_REASON_SERVICE_UNAVAILABLE, "watch: %s", why);
	else if (code != 200)
		client_status_error(code, cox_buf_cstr(&watch->line), watch->line.size, &err);
	else if (*why)
		error_set(&err, COX_REASON_SERVICE_UNAVAILABLE, "watch was cut off: %s", why);
	watch_ended(watch, &err);
}

static struct client_watch *http_watch_open(struct client *client,
					    const struct client_request *request,
					    const struct client_watcher *watcher, void *context,
					    struct cox_error *err)
{
	struct http_client *http = (struct http_client *)client;
	__attribute__((cleanup(headers_free))) struct headers headers = {0};
	cox_autobuf url = COX_BUF_INIT;
	struct curl_request made = {.method = "GET"};
	struct http_watch *watch = cox_new(struct http_watch);
	const struct curl_sink sink = {on_data, on_end, watch};
	char why[CURL_WHY_SIZE] = "";

	make_url(http, request, &url);
	make_headers(http, request, &headers);
	made.url = url.data;
	made.headers = headers.items.items;
	watch->base.client = client;
	watch->watcher = *watcher;
	watch->context = context;
	watch->stream = http->curl->stream_open(http->set, &made, &sink, why);
	if (watch->stream)
		return &watch->base;
	free(watch);
	error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "watch: %s", why);
	return NULL;
}

static void http_watch_close(struct client_watch *base)
{
	struct http_watch *watch = (struct http_watch *)base;

	((struct http_client *)base->client)->curl->stream_close(watch->stream);
	cox_buf_free(&watch->line);
	free(watch);
}

/* ---- life ---- */

static void http_free(struct client *client)
{
	struct http_client *http = (struct http_client *)client;

	if (http->set)
		http->curl->close(http->set);
	pthread_mutex_destroy(&http->mutex);
	free(http->url);
	free(http->user_agent);
	free(http->basic);
	for (size_t i = 0; i < http->said.count; i++)
		free(http->said.items[i]);
	cox_vec_free(&http->said);
	free(http->token);
	free(http->token_file);
	free(http);
}

static const struct client_transport http_transport = {
	.call = http_call,
	.watch_open = http_watch_open,
	.watch_close = http_watch_close,
	.free = http_free,
};

static char *basic_header(const char *username, const char *password)
{
	cox_autobuf both = COX_BUF_INIT;
	struct cox_buf line = COX_BUF_INIT;
	size_t room;

	cox_buf_printf(&both, "%s:%s", username, password ? password : "");
	room = cox_base64_size(both.size);
	cox_buf_str(&line, "Authorization: Basic ");
	cox_base64_encode(both.data, both.size, cox_buf_reserve(&line, room));
	cox_buf_added(&line, room - 1);
	return cox_buf_steal(&line);
}

/* Splits "https://host:port" and checks it: no path, no user, no query. */
static int parse_server(const char *server, const char **host, bool *tls, struct cox_error *err)
{
	const char *rest = NULL;
	size_t size;

	*tls = cox_starts_with(server, "https://");
	if (*tls)
		rest = server + 8;
	else if (cox_starts_with(server, "http://"))
		rest = server + 7;
	size = rest ? strcspn(rest, "/?#@ ") : 0;
	if (!size || (rest[size] && strcmp(rest + size, "/") != 0))
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "server \"%s\": https://HOST:PORT or http://HOST:PORT is needed",
				 server);
	*host = rest;
	return 0;
}

/*
 * The URL names the host that the certificate must be for; where that is not
 * the one to connect to, `connect_to` says so in libcurl's form.
 */
static void make_server(struct http_client *http, const struct client_http_config *config,
			const char *host, bool tls, struct cox_buf *connect_to)
{
	struct cox_buf url = COX_BUF_INIT;
	size_t size = strcspn(host, "/");
	const char *colon = memrchr(host, ':', size);
	bool port = colon && !memchr(colon, ']', size - (size_t)(colon - host));
	size_t name = port ? (size_t)(colon - host) : size;

	cox_buf_str(&url, tls ? "https://" : "http://");
	if (tls && config->tls_server_name && *config->tls_server_name) {
		cox_buf_str(&url, config->tls_server_name);
		cox_buf_add(&url, host + name, size - name);
		cox_buf_printf(connect_to, "::%.*s", (int)size, host);
		if (!port)
			cox_buf_str(connect_to, ":443");
	} else {
		cox_buf_add(&url, host, size);
	}
	http->url = cox_buf_steal(&url);
}

static void say_identity(struct http_client *http, const struct client_identity *who)
{
	cox_autobuf line = COX_BUF_INIT;

	cox_buf_printf(&line, CLIENT_USER_HEADER ": %s", who->user);
	cox_vec_push(&http->said, cox_buf_steal(&line));
	for (size_t i = 0; i < who->group_count; i++) {
		cox_buf_printf(&line, CLIENT_GROUP_HEADER ": %s", who->groups[i]);
		cox_vec_push(&http->said, cox_buf_steal(&line));
	}
}

struct client *client_new_http(const struct client_http_config *config, struct cox_error *err)
{
	const struct curl_module *curl = client_curl_module(err);
	cox_autobuf connect_to = COX_BUF_INIT;
	struct http_client *http;
	const char *host = "";
	bool tls = false;
	char why[CURL_WHY_SIZE] = "";

	if (!curl || parse_server(config->server ? config->server : "", &host, &tls, err))
		return NULL;
	http = cox_new(struct http_client);
	http->base.transport = &http_transport;
	http->curl = curl;
	pthread_mutex_init(&http->mutex, NULL);
	http->user_agent = cox_strdup(config->user_agent ? config->user_agent : "coxswain");
	http->token = config->token && *config->token ? cox_strdup(config->token) : NULL;
	if (config->token_file && *config->token_file)
		http->token_file = cox_strdup(config->token_file);
	if (config->username && *config->username)
		http->basic = basic_header(config->username, config->password);
	if (config->socket && config->identity)
		say_identity(http, config->identity);
	make_server(http, config, host, tls, &connect_to);
	{
		const struct curl_setup setup = {
			.ca_file = config->ca_file,
			.ca_data = config->ca_data,
			.certificate_file = config->certificate_file,
			.certificate_data = config->certificate_data,
			.key_file = config->key_file,
			.key_data = config->key_data,
			.connect_to = connect_to.size ? connect_to.data : NULL,
			.socket = config->socket,
			.insecure = config->insecure,
		};

		http->set = curl->open(&setup, why);
	}
	if (http->set)
		return &http->base;
	error_set(err, COX_REASON_INTERNAL_ERROR, "client for %s: %s", http->url, why);
	http_free(&http->base);
	return NULL;
}
