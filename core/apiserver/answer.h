/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that are one object which is no stored one: a Status, a Scale, a
 * review, a list of resources. They are made as JSON and leave in the format
 * that the client accepts.
 */
#ifndef COX_APISERVER_ANSWER_H
#define COX_APISERVER_ANSWER_H

#include "apiserver/call.h"

#define ANSWER_FORMATS (OFFER_JSON | OFFER_YAML | OFFER_PROTOBUF)

/*
 * Fills call->media from the Accept header and ?pretty. NotAcceptable if none
 * of what is offered will do.
 */
int answer_negotiate(struct api_call *call, unsigned offers, struct cox_error *err) COX_MUST_CHECK;
/* `json` is an object of the named type ("meta.v1.Status"); copied. */
void answer_json(struct api_call *call, unsigned code, const char *type, const void *json,
		 size_t size);
/*
 * An error that is JSON already, in the best format that the client takes, or
 * JSON if it takes none: whoever asks for pictures still gets to read why not.
 */
void answer_error(struct api_call *call, unsigned code, const struct http_header *headers,
		  size_t header_count, const void *json, size_t size);

#endif
