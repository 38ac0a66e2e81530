/* SPDX-License-Identifier: Apache-2.0 */
/* Content negotiation; see the header. */
#include "apiserver/negotiate.h"

#include <coxswain/kit/text.h>
#include <string.h>
#include <strings.h>

enum { CLAUSES_MAX = 32 };

/* A piece of the header, not terminated. */
struct piece {
	const char *text;
	size_t size;
};

struct clause {
	struct piece type; /* "application/json" */
	struct piece as, version, group, stream, pretty;
	int quality; /* thousandths */
};

static bool piece_is(struct piece piece, const char *text)
{
	return piece.size == strlen(text) && strncasecmp(piece.text, text, piece.size) == 0;
}

static struct piece trim(const char *from, const char *to)
{
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	if (to - from >= 2 && *from == '"' && to[-1] == '"') {
		from++;
		to--;
	}
	return (struct piece){from, (size_t)(to - from)};
}

/* "0.5" to 500; anything else that is not a weight counts as 1. */
static int parse_quality(struct piece piece)
{
	int value = 0, unit = 1000;

	for (size_t i = 0; i < piece.size && i < 5; i++) {
		char c = piece.text[i];

		if (c == '.' && i == 1)
			continue;
		if (c < '0' || c > '9')
			return 1000;
		value += (c - '0') * unit;
		unit /= 10;
	}
	return piece.size && value <= 1000 ? value : 1000;
}

static void parse_parameter(struct clause *clause, const char *from, const char *to)
{
	const char *equals = memchr(from, '=', (size_t)(to - from));
	struct piece name, value;

	if (!equals)
		return;
	name = trim(from, equals);
	value = trim(equals + 1, to);
	if (piece_is(name, "as"))
		clause->as = value;
	else if (piece_is(name, "v"))
		clause->version = value;
	else if (piece_is(name, "g"))
		clause->group = value;
	else if (piece_is(name, "stream"))
		clause->stream = value;
	else if (piece_is(name, "pretty"))
		clause->pretty = value;
	else if (piece_is(name, "q"))
		clause->quality = parse_quality(value);
	/* Others, such as profile=…, change nothing. */
}

static size_t parse_clauses(const char *accept, struct clause clauses[CLAUSES_MAX])
{
	size_t count = 0;

	while (*accept && count < CLAUSES_MAX) {
		const char *end = accept + strcspn(accept, ",");
		const char *at = accept;
		struct clause clause = {.quality = 1000};

		for (bool first = true; at <= end; first = false) {
			size_t size = strcspn(at, ";,");
			const char *stop = at + size < end ? at + size : end;

			if (first)
				clause.type = trim(at, stop);
			else
				parse_parameter(&clause, at, stop);
			at = stop + 1;
		}
		if (clause.type.size)
			clauses[count++] = clause;
		accept = *end ? end + 1 : end;
	}
	return count;
}

static const struct {
	const char *type;
	enum media_format format;
} formats[] = {
	{"application/json", MEDIA_JSON},
	{"application/vnd.kubernetes.protobuf", MEDIA_PROTOBUF},
	{"application/yaml", MEDIA_YAML},
	{"text/plain", MEDIA_TEXT},
};

/* The first offered format that the clause's type covers. */
static enum media_format offered_format(struct piece type, unsigned offers)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		const char *slash = strchr(formats[i].type, '/');
		size_t major = (size_t)(slash - formats[i].type);

		if (!(offers & (1u << formats[i].format)))
			continue;
		if (piece_is(type, formats[i].type) || piece_is(type, "*/*"))
			return formats[i].format;
		if (type.size == major + 2 && type.text[major + 1] == '*' &&
		    strncasecmp(type.text, formats[i].type, major + 1) == 0)
			return formats[i].format;
	}
	return MEDIA_NONE;
}

/* What a clause may ask for with as, g and v. */
static const struct {
	const char *as, *group, *version;
	enum media_shape shape;
	unsigned offer;
} shapes[] = {
	{"Table", "meta.k8s.io", "v1", SHAPE_TABLE, OFFER_TABLE},
	{"Table", "meta.k8s.io", "v1beta1", SHAPE_TABLE, OFFER_TABLE},
	{"PartialObjectMetadata", "meta.k8s.io", "v1", SHAPE_PARTIAL, OFFER_PARTIAL},
	{"PartialObjectMetadata", "meta.k8s.io", "v1beta1", SHAPE_PARTIAL, OFFER_PARTIAL},
	{"PartialObjectMetadataList", "meta.k8s.io", "v1", SHAPE_PARTIAL_LIST, OFFER_PARTIAL_LIST},
	{"PartialObjectMetadataList", "meta.k8s.io", "v1beta1", SHAPE_PARTIAL_LIST,
	 OFFER_PARTIAL_LIST},
	{"APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2", SHAPE_AGGREGATED, OFFER_AGGREGATED},
	{"APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1", SHAPE_AGGREGATED,
	 OFFER_AGGREGATED},
};

enum { SHAPE_COUNT = sizeof(shapes) / sizeof(shapes[0]) };

static int offered_shape(const struct clause *clause, unsigned offers, struct media_choice *choice)
{
	choice->shape = SHAPE_OBJECT;
	choice->shape_version = "";
	if (!clause->as.size)
		return 0;
	/* These have a form of their own only as JSON. */
	if (choice->format != MEDIA_JSON)
		return -1;
	for (size_t i = 0; i < SHAPE_COUNT; i++) {
		if (!(offers & shapes[i].offer) || !piece_is(clause->as, shapes[i].as) ||
		    !piece_is(clause->group, shapes[i].group) ||
		    !piece_is(clause->version, shapes[i].version))
			continue;
		choice->shape = shapes[i].shape;
		choice->shape_version = shapes[i].version;
		return 0;
	}
	return -1;
}

int negotiate_accept(const char *accept, unsigned offers, struct media_choice *choice,
		     struct cox_error *err)
{
	struct clause clauses[CLAUSES_MAX];
	size_t count = accept ? parse_clauses(accept, clauses) : 0;
	int best = 0;

	if (count == 0) {
		*choice = (struct media_choice){.shape_version = ""};
		choice->format = offered_format((struct piece){"*/*", 3}, offers);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct media_choice found = {.shape_version = ""};

		if (clauses[i].quality <= best)
			continue;
		found.format = offered_format(clauses[i].type, offers);
		if (found.format == MEDIA_NONE || offered_shape(&clauses[i], offers, &found) != 0)
			continue;
		found.pretty = piece_is(clauses[i].pretty, "1");
		found.stream = piece_is(clauses[i].stream, "watch");
		*choice = found;
		best = clauses[i].quality;
	}
	if (best > 0)
		return 0;
	return error_set(err, COX_REASON_NOT_ACCEPTABLE,
			 "only the following media types are accepted: application/json%s%s%s",
			 offers & OFFER_YAML ? ", application/yaml" : "",
			 offers & OFFER_PROTOBUF ? ", application/vnd.kubernetes.protobuf" : "",
			 offers & OFFER_TEXT ? ", text/plain" : "");
}

const char *negotiate_content_type(const struct media_choice *choice, bool watch,
				   struct arena *arena)
{
	const char *type = "application/json";

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (formats[i].format == choice->format)
			type = formats[i].type;
	for (size_t i = 0; i < SHAPE_COUNT; i++)
		if (choice->shape == shapes[i].shape &&
		    strcmp(choice->shape_version, shapes[i].version) == 0)
			type = arena_printf(arena, "%s;g=%s;v=%s;as=%s", type, shapes[i].group,
					    shapes[i].version, shapes[i].as);
	if (watch && choice->format != MEDIA_JSON)
		type = arena_printf(arena, "%s;stream=watch", type);
	return type;
}

void negotiate_bare_type(const char *header, char *out, size_t size)
{
	struct piece piece = trim(header, header + strcspn(header, ";"));
	size_t n = piece.size < size - 1 ? piece.size : size - 1;

	for (size_t i = 0; i < n; i++) {
		char c = piece.text[i];

		out[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	out[n] = '\0';
}

enum media_format negotiate_body(const char *content_type)
{
	char bare[64];

	if (!content_type || !*content_type)
		return MEDIA_JSON;
	negotiate_bare_type(content_type, bare, sizeof(bare));
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (formats[i].format != MEDIA_TEXT && strcmp(bare, formats[i].type) == 0)
			return formats[i].format;
	return MEDIA_NONE;
}
