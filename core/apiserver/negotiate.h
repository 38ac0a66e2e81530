/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content negotiation: the Accept header in full (RFC 9110, section 12.5.1),
 * with the parameters as, v and g by which a client asks for an object as a
 * Table or as PartialObjectMetadata, and the Content-Type of bodies.
 */
#ifndef COX_APISERVER_NEGOTIATE_H
#define COX_APISERVER_NEGOTIATE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>

enum media_format {
	MEDIA_JSON,
	MEDIA_PROTOBUF,
	MEDIA_YAML,
	MEDIA_TEXT, /* only where an endpoint offers it */
	MEDIA_NONE
};

enum media_shape {
	SHAPE_OBJECT,
	SHAPE_TABLE,
	SHAPE_PARTIAL,	    /* PartialObjectMetadata */
	SHAPE_PARTIAL_LIST, /* PartialObjectMetadataList */
	SHAPE_AGGREGATED    /* APIGroupDiscoveryList of apidiscovery.k8s.io */
};

/* Bits of what an endpoint can answer with. */
#define OFFER_JSON (1u << MEDIA_JSON)
#define OFFER_PROTOBUF (1u << MEDIA_PROTOBUF)
#define OFFER_YAML (1u << MEDIA_YAML)
#define OFFER_TEXT (1u << MEDIA_TEXT)
#define OFFER_TABLE (1u << 8)
#define OFFER_PARTIAL (1u << 9)
#define OFFER_PARTIAL_LIST (1u << 10)
#define OFFER_AGGREGATED (1u << 11)
#define OFFER_WATCH (1u << 12) /* the answer is a stream of events */

struct media_choice {
	enum media_format format;
	enum media_shape shape;
	const char *shape_version; /* "v1" or "v1beta1" of meta.k8s.io; "v2", "v2beta1" */
	bool pretty;		   /* parameter pretty=1; see negotiate_indents */
};

/*
 * The best acceptable choice of the header: by q, then a type before a
 * wildcard, then by its place. What has q=0 is excluded from wildcards, too.
 * NULL or empty means anything. On failure NotAcceptable with the list of what
 * there is. Texts of `choice` are constants. Bounded: what lies behind the
 * first 32 clauses does not count.
 */
int negotiate_accept(const char *accept, unsigned offers, struct media_choice *choice,
		     struct cox_error *err) COX_MUST_CHECK;

/*
 * Whether this User-Agent (may be NULL) is one that people look at answers
 * with, so that JSON is indented unless ?pretty says otherwise.
 */
bool negotiate_indents(const char *user_agent);

/* What Content-Type the choice is answered under; `watch` for a stream of events. */
const char *negotiate_content_type(const struct media_choice *choice, bool watch,
				   struct arena *arena);

/*
 * The format of a body; "" or NULL is JSON. Parameters are ignored. MEDIA_NONE
 * for a type that the API does not take.
 */
enum media_format negotiate_body(const char *content_type);

/* The media type before its parameters, in lower case, cut at `size`. */
void negotiate_bare_type(const char *header, char *out, size_t size);

#endif
