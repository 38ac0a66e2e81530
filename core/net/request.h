/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge of requests. The HTTP library underneath lets ambiguous requests
 * through, and we pass requests on to others: what two readers could read in
 * two ways is refused before anything acts on it. Pure functions over a
 * request's head; no I/O.
 */
#ifndef COX_NET_REQUEST_H
#define COX_NET_REQUEST_H

#include "net/http.h"

#include <coxswain/kit/buf.h>

enum { REQUEST_SEGMENTS_MAX = 256, REQUEST_PARAMETERS_MAX = 512, REQUEST_HEADERS_MAX = 256 };

/* What the head says about the body. */
struct request_body {
	bool chunked;
	bool known;	 /* there is a Content-Length */
	uint64_t length; /* as it says */
};

/*
 * Reads method_name, target, headers and header_count and fills in the rest of
 * what the head says: method, path, segments, parameters, and `body`. -1: to be
 * refused with the error's code and text. Values that point into `arena`.
 */
int request_judge(struct http_request *request, const char *version, struct request_body *body,
		  struct cox_error *err) COX_MUST_CHECK;

/* A header as received: sizes count, so that a hidden zero byte is seen. */
int request_judge_header(const char *name, size_t name_size, const char *value, size_t value_size,
			 struct cox_error *err) COX_MUST_CHECK;

/* A Kubernetes Status as JSON, for answers made without the API server. */
void request_status_json(struct cox_buf *out, unsigned code, const char *reason,
			 const char *message);

#endif
