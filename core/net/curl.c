/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl behind net/curl.h. Requests use easy handles of a small pool, which
 * keep their connections; streams are driven by one thread with a multi
 * handle. Every handle is made by easy_new, where the rules about certificates,
 * protocols and descriptors are.
 *
 * Lock: set.mutex over the pool and the list of streams. No callback runs with
 * it held.
 */
#include "net/curl.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/plugin.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { POOL_MAX = 16, POLL_MS = 1000, PATH_SIZE = 64, CONNECT_SECONDS = 30 };

/* A PEM file, or PEM text in a memfd that libcurl reads as a file. */
struct pem {
	char *path;
	int fd;
};

struct stream {
	struct set *set;
	struct stream *next;
	CURL *easy;
	struct curl_slist *headers;
	struct curl_sink sink;
	char why[CURL_ERROR_SIZE];
	bool added;   /* to the multi handle */
	bool closing; /* stream_close waits for the thread to let go */
	bool released;
	bool ended;
};

struct set {
	struct pem ca, certificate, key;
	struct curl_slist *connect_to;
	char *socket; /* NULL: by TCP */
	bool insecure;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	CURL *pool[POOL_MAX];
	size_t pooled;
	CURLM *multi;
	pthread_t thread;
	bool thread_started;
	bool stopping;
	struct stream *streams;
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void global_init(void)
{
	global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- certificates ---- */

static int pem_open(struct pem *pem, const char *name, const char *file, const char *data,
		    char *why)
{
	char path[PATH_SIZE];
	size_t size;

	pem->fd = -1;
	if (!data || !*data) {
		pem->path = file && *file ? cox_strdup(file) : NULL;
		return 0;
	}
	size = strlen(data);
	pem->fd = memfd_create(name, MFD_CLOEXEC);
	if (pem->fd < 0 || write(pem->fd, data, size) != (ssize_t)size) {
		snprintf(why, CURL_WHY_SIZE, "%s: %s", name, strerror(errno));
		return -1;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pem->fd);
	pem->path = cox_strdup(path);
	return 0;
}

static void pem_close(struct pem *pem)
{
	if (pem->fd >= 0)
		close(pem->fd);
	free(pem->path);
}

/* ---- handles ---- */

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)context;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static CURL *easy_new(const struct set *set)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	/* Else every public authority would be trusted beside ours, at 4 MB a connection. */
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (set->ca.path)
		curl_easy_setopt(easy, CURLOPT_CAINFO, set->ca.path);
	if (set->certificate.path)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, set->certificate.path);
	if (set->key.path)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, set->key.path);
	if (set->connect_to)
		curl_easy_setopt(easy, CURLOPT_CONNECT_TO, set->connect_to);
	if (set->socket)
		curl_easy_setopt(easy, CURLOPT_ABSTRACT_UNIX_SOCKET, set->socket);
	if (set->insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	return easy;
}

static CURL *pool_take(struct set *set)
{
	CURL *easy = NULL;

	pthread_mutex_lock(&set->mutex);
	if (set->pooled)
		easy = set->pool[--set->pooled];
	pthread_mutex_unlock(&set->mutex);
	return easy ? easy : easy_new(set);
}

static void pool_give(struct set *set, CURL *easy)
{
	pthread_mutex_lock(&set->mutex);
	if (set->pooled < POOL_MAX) {
		set->pool[set->pooled++] = easy;
		easy = NULL;
	}
	pthread_mutex_unlock(&set->mutex);
	if (easy)
		curl_easy_cleanup(easy);
}

static struct curl_slist *header_list(const struct curl_request *request)
{
	/* libcurl would wait a second for "100 Continue". */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	for (size_t i = 0; request->headers && request->headers[i]; i++) {
		struct curl_slist *longer = curl_slist_append(list, request->headers[i]);

		if (longer)
			list = longer;
	}
	return list;
}

static void prepare(CURL *easy, const struct curl_request *request, struct curl_slist *headers)
{
	bool body = request->body_size || !strcmp(request->method, "POST") ||
		    !strcmp(request->method, "PUT") || !strcmp(request->method, "PATCH");

	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	if (body) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body ? request->body : "");
	} else {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static int code_of(CURL *easy)
{
	long code = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
	return (int)code;
}

/* ---- requests ---- */

struct transfer {
	CURL *easy;
	const struct curl_sink *sink;
	bool stopped;
};

static size_t transfer_data(char *data, size_t one, size_t size, void *context)
{
	struct transfer *transfer = context;

	(void)one;
	if (transfer->sink->data(transfer->sink->to, code_of(transfer->easy), data, size)) {
		transfer->stopped = true;
		return 0;
	}
	return size;
}

static enum curl_result result_of(const struct transfer *transfer, CURLcode done,
				  const char *detail, char *why)
{
	if (done == CURLE_OK)
		return CURL_RESULT_OK;
	snprintf(why, CURL_WHY_SIZE, "%.200s", *detail ? detail : curl_easy_strerror(done));
	if (transfer->stopped)
		return CURL_RESULT_STOPPED;
	return done == CURLE_OPERATION_TIMEDOUT ? CURL_RESULT_TIMEOUT : CURL_RESULT_FAILED;
}

static enum curl_result set_perform(void *self, const struct curl_request *request,
				    const struct curl_sink *sink, int *code, char *content_type,
				    char *why)
{
	struct set *set = self;
	struct transfer transfer = {pool_take(set), sink, false};
	struct curl_slist *headers = header_list(request);
	char detail[CURL_ERROR_SIZE] = "";
	const char *type = NULL;
	enum curl_result result;

	*code = 0;
	if (!transfer.easy) {
		curl_slist_free_all(headers);
		snprintf(why, CURL_WHY_SIZE, "libcurl: no handle");
		return CURL_RESULT_FAILED;
	}
	prepare(transfer.easy, request, headers);
	curl_easy_setopt(transfer.easy, CURLOPT_WRITEFUNCTION, transfer_data);
	curl_easy_setopt(transfer.easy, CURLOPT_WRITEDATA, &transfer);
	curl_easy_setopt(transfer.easy, CURLOPT_ERRORBUFFER, detail);
	result = result_of(&transfer, curl_easy_perform(transfer.easy), detail, why);
	*code = code_of(transfer.easy);
	if (content_type) {
		curl_easy_getinfo(transfer.easy, CURLINFO_CONTENT_TYPE, &type);
		snprintf(content_type, 128, "%s", type ? type : "");
	}
	curl_easy_setopt(transfer.easy, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(transfer.easy, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	pool_give(set, transfer.easy);
	return result;
}

/* ---- streams ---- */

static size_t stream_data(char *data, size_t one, size_t size, void *context)
{
	struct stream *stream = context;

	(void)one;
	return stream->sink.data(stream->sink.to, code_of(stream->easy), data, size) ? 0 : size;
}

static void stream_end(struct stream *stream, CURLcode done)
{
	const char *why = *stream->why ? stream->why : curl_easy_strerror(done);

	if (stream->ended)
		return;
	stream->ended = true;
	stream->sink.end(stream->sink.to, code_of(stream->easy), done == CURLE_OK ? "" : why);
}

/* Adds what is new and lets go of what is to be closed. */
static void streams_settle(struct set *set)
{
	pthread_mutex_lock(&set->mutex);
	for (struct stream *stream = set->streams; stream; stream = stream->next) {
		if (stream->closing && !stream->released) {
			if (stream->added)
				curl_multi_remove_handle(set->multi, stream->easy);
			stream->added = false;
			stream->released = true;
			pthread_cond_broadcast(&set->changed);
		} else if (!stream->added && !stream->ended && !stream->released) {
			stream->added = true;
			curl_multi_add_handle(set->multi, stream->easy);
		}
	}
	pthread_mutex_unlock(&set->mutex);
}

static void streams_ended(struct set *set)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(set->multi, &left))) {
		struct stream *stream = NULL;
		CURLcode done = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&stream);
		curl_multi_remove_handle(set->multi, message->easy_handle);
		pthread_mutex_lock(&set->mutex);
		stream->added = false;
		pthread_mutex_unlock(&set->mutex);
		stream_end(stream, done);
	}
}

static void *streams_run(void *argument)
{
	struct set *set = argument;
	bool stopping = false;

	while (!stopping) {
		int running;

		streams_settle(set);
		curl_multi_perform(set->multi, &running);
		streams_ended(set);
		curl_multi_poll(set->multi, NULL, 0, POLL_MS, NULL);
		pthread_mutex_lock(&set->mutex);
		stopping = set->stopping;
		pthread_mutex_unlock(&set->mutex);
	}
	return NULL;
}

static int streams_start(struct set *set, char *why)
{
	int failed = 0;

	pthread_mutex_lock(&set->mutex);
	if (!set->thread_started) {
		if (!set->multi)
			set->multi = curl_multi_init();
		failed = set->multi ? pthread_create(&set->thread, NULL, streams_run, set) : ENOMEM;
		set->thread_started = !failed;
	}
	pthread_mutex_unlock(&set->mutex);
	if (failed)
		snprintf(why, CURL_WHY_SIZE, "start the stream thread: %s", strerror(failed));
	return failed ? -1 : 0;
}

static void *set_stream_open(void *self, const struct curl_request *request,
			     const struct curl_sink *sink, char *why)
{
	struct set *set = self;
	struct stream *stream;

	if (streams_start(set, why))
		return NULL;
	stream = cox_new(struct stream);
	stream->set = set;
	stream->sink = *sink;
	stream->easy = easy_new(set);
	if (!stream->easy) {
		free(stream);
		snprintf(why, CURL_WHY_SIZE, "libcurl: no handle");
		return NULL;
	}
	stream->headers = header_list(request);
	prepare(stream->easy, request, stream->headers);
	curl_easy_setopt(stream->easy, CURLOPT_WRITEFUNCTION, stream_data);
	curl_easy_setopt(stream->easy, CURLOPT_WRITEDATA, stream);
	curl_easy_setopt(stream->easy, CURLOPT_ERRORBUFFER, stream->why);
	curl_easy_setopt(stream->easy, CURLOPT_PRIVATE, stream);
	pthread_mutex_lock(&set->mutex);
	stream->next = set->streams;
	set->streams = stream;
	pthread_mutex_unlock(&set->mutex);
	curl_multi_wakeup(set->multi);
	return stream;
}

static void set_stream_close(void *self)
{
	struct stream *stream = self, **at;
	struct set *set = stream->set;

	pthread_mutex_lock(&set->mutex);
	stream->closing = true;
	curl_multi_wakeup(set->multi);
	while (!stream->released)
		pthread_cond_wait(&set->changed, &set->mutex);
	for (at = &set->streams; *at != stream; at = &(*at)->next)
		;
	*at = stream->next;
	pthread_mutex_unlock(&set->mutex);
	curl_easy_cleanup(stream->easy);
	curl_slist_free_all(stream->headers);
	free(stream);
}

/* ---- sets ---- */

static void set_close(void *self)
{
	struct set *set = self;

	if (set->thread_started) {
		pthread_mutex_lock(&set->mutex);
		set->stopping = true;
		pthread_mutex_unlock(&set->mutex);
		curl_multi_wakeup(set->multi);
		pthread_join(set->thread, NULL);
	}
	curl_multi_cleanup(set->multi);
	while (set->pooled)
		curl_easy_cleanup(set->pool[--set->pooled]);
	curl_slist_free_all(set->connect_to);
	free(set->socket);
	pem_close(&set->ca);
	pem_close(&set->certificate);
	pem_close(&set->key);
	pthread_cond_destroy(&set->changed);
	pthread_mutex_destroy(&set->mutex);
	free(set);
}

static void *set_open(const struct curl_setup *setup, char *why)
{
	struct set *set;

	pthread_once(&global_once, global_init);
	if (global_result != CURLE_OK) {
		snprintf(why, CURL_WHY_SIZE, "libcurl: %s", curl_easy_strerror(global_result));
		return NULL;
	}
	set = cox_new(struct set);
	set->ca.fd = set->certificate.fd = set->key.fd = -1;
	set->insecure = setup->insecure;
	pthread_mutex_init(&set->mutex, NULL);
	pthread_cond_init(&set->changed, NULL);
	if (setup->connect_to)
		set->connect_to = curl_slist_append(NULL, setup->connect_to);
	if (setup->socket)
		set->socket = cox_strdup(setup->socket);
	if (!pem_open(&set->ca, "ca", setup->ca_file, setup->ca_data, why) &&
	    !pem_open(&set->certificate, "certificate", setup->certificate_file,
		      setup->certificate_data, why) &&
	    !pem_open(&set->key, "key", setup->key_file, setup->key_data, why))
		return set;
	set_close(set);
	return NULL;
}

extern COX_EXPORT const struct curl_module cox_curl_module;
const struct curl_module cox_curl_module = {
	.abi = CURL_MODULE_ABI,
	.size = sizeof(struct curl_module),
	.open = set_open,
	.close = set_close,
	.perform = set_perform,
	.stream_open = set_stream_open,
	.stream_close = set_stream_close,
};
