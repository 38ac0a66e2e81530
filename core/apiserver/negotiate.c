/* SPDX-License-Identifier: Apache-2.0 */
/* Content negotiation; see the header. */
#include "apiserver/negotiate.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
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
	struct piece as, version, group, stream, server, pretty;
	bool shaped; /* one of as, version and group was there */
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
	clause->shaped |= piece_is(name, "as") || piece_is(name, "v") || piece_is(name, "g");
	if (piece_is(name, "as"))
		clause->as = value;
	else if (piece_is(name, "v"))
		clause->version = value;
	else if (piece_is(name, "g"))
		clause->group = value;
	else if (piece_is(name, "stream"))
		clause->stream = value;
	else if (piece_is(name, "sv"))
		clause->server = value;
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
		if (piece_is(clause.type, "*"))
			clause.type = (struct piece){"*/*", 3};
		if (clause.type.size)
			clauses[count++] = clause;
		accept = *end ? end + 1 : end;
	}
	return count;
}

#define ALL_FORMATS (OFFER_JSON | OFFER_YAML | OFFER_PROTOBUF)

/* In the order in which they are preferred, and told. */
static const struct {
	const char *type;
	enum media_format format;
} formats[] = {
	{"application/json", MEDIA_JSON},
	{"application/yaml", MEDIA_YAML},
	{"application/vnd.kubernetes.protobuf", MEDIA_PROTOBUF},
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

/* How much to the point it is: any type 0, any of application 1, else 2. */
static int specificity(struct piece type)
{
	bool minor = type.size >= 2 && memcmp(type.text + type.size - 2, "/*", 2) == 0;

	return minor ? type.text[0] != '*' : 2;
}

/*
 * The offers without the formats that the header excludes: those whose clause
 * that is most to the point, among those about whole types, has no weight.
 */
static unsigned without_excluded(const struct clause *clauses, size_t count, unsigned offers)
{
	for (size_t k = 0; k < sizeof(formats) / sizeof(formats[0]); k++) {
		unsigned offer = offers & (1u << formats[k].format);
		int closest = -1, quality = 1;

		for (size_t i = 0; offer && i < count; i++) {
			const struct clause *clause = &clauses[i];
			int close = specificity(clause->type);

			if (clause->shaped || clause->stream.size || close <= closest ||
			    offered_format(clause->type, offer) == MEDIA_NONE)
				continue;
			closest = close;
			quality = clause->quality;
		}
		if (quality == 0)
			offers &= ~offer;
	}
	return offers;
}

/* What a clause may ask for with as, g and v. */
static const struct {
	const char *as, *group, *version;
	enum media_shape shape;
	unsigned offer;
	unsigned formats; /* that it has */
} shapes[] = {
	{"Table", "meta.k8s.io", "v1", SHAPE_TABLE, OFFER_TABLE, OFFER_JSON | OFFER_YAML},
	{"Table", "meta.k8s.io", "v1beta1", SHAPE_TABLE, OFFER_TABLE, OFFER_JSON | OFFER_YAML},
	{"PartialObjectMetadata", "meta.k8s.io", "v1", SHAPE_PARTIAL, OFFER_PARTIAL, ALL_FORMATS},
	{"PartialObjectMetadata", "meta.k8s.io", "v1beta1", SHAPE_PARTIAL, OFFER_PARTIAL,
	 ALL_FORMATS},
	{"PartialObjectMetadataList", "meta.k8s.io", "v1", SHAPE_PARTIAL_LIST, OFFER_PARTIAL_LIST,
	 ALL_FORMATS},
	{"PartialObjectMetadataList", "meta.k8s.io", "v1beta1", SHAPE_PARTIAL_LIST,
	 OFFER_PARTIAL_LIST, ALL_FORMATS},
	{"APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2", SHAPE_AGGREGATED, OFFER_AGGREGATED,
	 ALL_FORMATS},
	{"APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1", SHAPE_AGGREGATED,
	 OFFER_AGGREGATED, ALL_FORMATS},
};

enum { SHAPE_COUNT = sizeof(shapes) / sizeof(shapes[0]) };

static int offered_shape(const struct clause *clause, unsigned offers, struct media_choice *choice)
{
	choice->shape = SHAPE_OBJECT;
	choice->shape_version = "";
	if (!clause->shaped)
		return 0;
	for (size_t i = 0; i < SHAPE_COUNT; i++) {
		if (!(offers & shapes[i].offer) || !(shapes[i].formats & (1u << choice->format)) ||
		    !piece_is(clause->as, shapes[i].as) ||
		    !piece_is(clause->group, shapes[i].group) ||
		    !piece_is(clause->version, shapes[i].version))
			continue;
		choice->shape = shapes[i].shape;
		choice->shape_version = shapes[i].version;
		return 0;
	}
	return -1;
}

/* Streams of events are known as "watch", and have no YAML. */
static bool offered_stream(const struct clause *clause, enum media_format format)
{
	if (clause->server.size && !piece_is(clause->server, "v1"))
		return false;
	if (!clause->stream.size)
		return true;
	return piece_is(clause->stream, "watch") &&
	       (format == MEDIA_JSON || format == MEDIA_PROTOBUF);
}

static int refuse(unsigned offers, struct cox_error *err)
{
	cox_autobuf list = COX_BUF_INIT;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (offers & (1u << formats[i].format))
			cox_buf_printf(&list, "%s%s%s", list.size ? ", " : "", formats[i].type,
				       offers & OFFER_WATCH ? ";stream=watch" : "");
	return error_set(err, COX_REASON_NOT_ACCEPTABLE,
			 "only the following media types are accepted: %s", cox_buf_cstr(&list));
}

int negotiate_accept(const char *accept, unsigned offers, struct media_choice *choice,
		     struct cox_error *err)
{
	struct clause clauses[CLAUSES_MAX];
	size_t count = accept ? parse_clauses(accept, clauses) : 0;
	unsigned left;
	int best = 0;

	if (count == 0) {
		*choice = (struct media_choice){.shape_version = ""};
		choice->format = offered_format((struct piece){"*/*", 3}, offers);
		return 0;
	}
	left = without_excluded(clauses, count, offers);
	for (size_t i = 0; i < count; i++) {
		struct media_choice found = {.shape_version = ""};
		int rank = 4 * clauses[i].quality + specificity(clauses[i].type);

		if (clauses[i].quality == 0 || rank <= best)
			continue;
		found.format = offered_format(clauses[i].type, left);
		if (found.format == MEDIA_NONE || !offered_stream(&clauses[i], found.format) ||
		    offered_shape(&clauses[i], left, &found) != 0)
			continue;
		found.pretty = piece_is(clauses[i].pretty, "1");
		*choice = found;
		best = rank;
	}
	return best > 0 ? 0 : refuse(offers, err);
}

bool negotiate_indents(const char *user_agent)
{
	static const char *const people[] = {"curl", "Wget", "Mozilla/5.0"};

	for (size_t i = 0; user_agent && i < sizeof(people) / sizeof(people[0]); i++)
		if (strncmp(user_agent, people[i], strlen(people[i])) == 0)
			return true;
	return false;
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
