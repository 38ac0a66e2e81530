/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The internal module with libcurl, internal-curl.so, which the HTTP client
 * opens at its first use: a daemon that never speaks HTTP as a client does not
 * pay for it. Across this line go scalars, strings and bytes only; all are
 * borrowed for the call. Any thread may call anything.
 */
#ifndef COX_NET_CURL_H
#define COX_NET_CURL_H

#include <stddef.h>
#include <stdint.h>

#define CURL_MODULE_ABI 2u
#define CURL_MODULE_FILE "internal-curl.so"
#define CURL_MODULE_SYMBOL "cox_curl_module"

/* NULL where not set; *_data is PEM. */
struct curl_setup {
	const char *ca_file;
	const char *ca_data;
	const char *certificate_file;
	const char *certificate_data;
	const char *key_file;
	const char *key_data;
	const char *connect_to; /* "::HOST:PORT": where to connect whatever the URL says */
	const char *socket;	/* the name of an abstract unix socket: likewise */
	int insecure;
};

struct curl_request {
	const char *method;
	const char *url;
	const char *const *headers; /* "Name: value", ends with NULL */
	const void *body;
	size_t body_size;
	uint64_t timeout_ms; /* of the whole; 0: none (streams) */
};

/* Takes the body as it comes; anything but 0 ends the transfer. */
struct curl_sink {
	int (*data)(void *to, int code, const void *data, size_t size);
	/* Streams: once, at the end. `code` 0: there was no answer; `why` says so. */
	void (*end)(void *to, int code, const char *why);
	void *to;
};

enum curl_result {
	CURL_RESULT_OK = 0,	 /* there was an answer, whatever its code */
	CURL_RESULT_FAILED = -1, /* there was none, or not all of it */
	CURL_RESULT_TIMEOUT = -2,
	CURL_RESULT_STOPPED = -3 /* by the sink */
};

enum { CURL_WHY_SIZE = 256 };

struct curl_module {
	uint32_t abi;
	uint32_t size;
	/* A set of connections with one setup; NULL: `why` says what is wrong. */
	void *(*open)(const struct curl_setup *setup, char *why);
	void (*close)(void *set); /* after its streams */
	/* Blocks. `content_type` (may be NULL) has 128 bytes. */
	enum curl_result (*perform)(void *set, const struct curl_request *request,
				    const struct curl_sink *sink, int *code, char *content_type,
				    char *why);
	/* Returns at once; the sink is called from the set's one stream thread. */
	void *(*stream_open)(void *set, const struct curl_request *request,
			     const struct curl_sink *sink, char *why);
	/* Also after `end`. Nothing is called once it has returned. Not from the sink. */
	void (*stream_close)(void *stream);
};

#endif
