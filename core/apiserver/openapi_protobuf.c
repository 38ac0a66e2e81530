/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents of version 2 as protobuf. The message types are those of gnostic
 * (openapi.v2.Document), which wraps many values in one more message than JSON
 * has braces, and carries free values (extensions, defaults) as YAML texts;
 * JSON is YAML. Tables say which member goes where; an unknown member of a
 * message is an extension if it begins with "x-" and is left out otherwise.
 */
#include "apiserver/openapi_model.h"

#include "machinery/json.h"

#include <string.h>

enum form {
	FORM_TEXT = 1,
	FORM_TEXTS, /* repeated string, also from a single text */
	FORM_BOOL,
	FORM_MESSAGE,
	FORM_MESSAGES, /* repeated, from an array */
	FORM_MAP,      /* a message of named entries */
	FORM_ENTRIES,  /* the same without that message around */
	FORM_LIST,     /* a StringArray */
	FORM_YAML,
	FORM_YAMLS, /* repeated */
	FORM_PARAMETERS
};

struct message;

/* Where a member goes; 0 in `wrap` ends the numbers of the messages around it. */
struct member {
	const char *name;
	uint8_t number, form;
	const struct message *message; /* of the value, or of the values of a map */
	uint8_t wrap[2];
	uint8_t entries; /* FORM_MAP: number of the entries; 0: 1 */
};

struct message {
	const struct member *members;
	uint8_t count, extensions; /* number of vendor_extension; 0: none */
};

#define MESSAGE(list, number)                                                                      \
	{                                                                                          \
		list, sizeof(list) / sizeof((list)[0]), number                                     \
	}

static const struct message schema_message;

/* Members that our documents have; the messages know more. */
static const struct member schema_members[] = {
	{"$ref", 1, FORM_TEXT, NULL, {0}, 0},
	{"format", 2, FORM_TEXT, NULL, {0}, 0},
	{"description", 4, FORM_TEXT, NULL, {0}, 0},
	{"default", 5, FORM_YAML, NULL, {0}, 0},
	{"uniqueItems", 16, FORM_BOOL, NULL, {0}, 0},
	{"required", 19, FORM_TEXTS, NULL, {0}, 0},
	{"enum", 20, FORM_YAMLS, NULL, {0}, 0},
	{"additionalProperties", 21, FORM_MESSAGE, &schema_message, {1}, 0},
	{"type", 22, FORM_LIST, NULL, {0}, 0},
	{"items", 23, FORM_MESSAGE, &schema_message, {1}, 0},
	{"properties", 25, FORM_MAP, &schema_message, {0}, 0},
};
static const struct message schema_message = MESSAGE(schema_members, 31);

static const struct member body_members[] = {
	{"description", 1, FORM_TEXT, NULL, {0}, 0},
	{"name", 2, FORM_TEXT, NULL, {0}, 0},
	{"in", 3, FORM_TEXT, NULL, {0}, 0},
	{"required", 4, FORM_BOOL, NULL, {0}, 0},
	{"schema", 5, FORM_MESSAGE, &schema_message, {0}, 0},
};
static const struct message body_message = MESSAGE(body_members, 6);

static const struct member query_members[] = {
	{"required", 1, FORM_BOOL, NULL, {0}, 0},     {"in", 2, FORM_TEXT, NULL, {0}, 0},
	{"description", 3, FORM_TEXT, NULL, {0}, 0},  {"name", 4, FORM_TEXT, NULL, {0}, 0},
	{"type", 6, FORM_TEXT, NULL, {0}, 0},	      {"format", 7, FORM_TEXT, NULL, {0}, 0},
	{"uniqueItems", 20, FORM_BOOL, NULL, {0}, 0},
};
static const struct message query_message = MESSAGE(query_members, 23);

/* Without allow_empty_value, so all that follows has a number less. */
static const struct member path_members[] = {
	{"required", 1, FORM_BOOL, NULL, {0}, 0},     {"in", 2, FORM_TEXT, NULL, {0}, 0},
	{"description", 3, FORM_TEXT, NULL, {0}, 0},  {"name", 4, FORM_TEXT, NULL, {0}, 0},
	{"type", 5, FORM_TEXT, NULL, {0}, 0},	      {"format", 6, FORM_TEXT, NULL, {0}, 0},
	{"uniqueItems", 19, FORM_BOOL, NULL, {0}, 0},
};
static const struct message path_message = MESSAGE(path_members, 22);

static const struct member response_members[] = {
	{"description", 1, FORM_TEXT, NULL, {0}, 0},
	{"schema", 2, FORM_MESSAGE, &schema_message, {1}, 0},
};
static const struct message response_message = MESSAGE(response_members, 5);

static const struct member operation_members[] = {
	{"tags", 1, FORM_TEXTS, NULL, {0}, 0},
	{"description", 3, FORM_TEXT, NULL, {0}, 0},
	{"operationId", 5, FORM_TEXT, NULL, {0}, 0},
	{"produces", 6, FORM_TEXTS, NULL, {0}, 0},
	{"consumes", 7, FORM_TEXTS, NULL, {0}, 0},
	{"parameters", 8, FORM_PARAMETERS, NULL, {0}, 0},
	{"responses", 9, FORM_MAP, &response_message, {1}, 0},
	{"schemes", 10, FORM_TEXTS, NULL, {0}, 0},
};
static const struct message operation_message = MESSAGE(operation_members, 13);

static const struct member item_members[] = {
	{"get", 2, FORM_MESSAGE, &operation_message, {0}, 0},
	{"put", 3, FORM_MESSAGE, &operation_message, {0}, 0},
	{"post", 4, FORM_MESSAGE, &operation_message, {0}, 0},
	{"delete", 5, FORM_MESSAGE, &operation_message, {0}, 0},
	{"patch", 8, FORM_MESSAGE, &operation_message, {0}, 0},
	{"parameters", 9, FORM_PARAMETERS, NULL, {0}, 0},
};
static const struct message item_message = MESSAGE(item_members, 10);

static const struct member info_members[] = {
	{"title", 1, FORM_TEXT, NULL, {0}, 0},
	{"version", 2, FORM_TEXT, NULL, {0}, 0},
};
static const struct message info_message = MESSAGE(info_members, 7);

static const struct member key_members[] = {
	{"type", 1, FORM_TEXT, NULL, {0}, 0},
	{"name", 2, FORM_TEXT, NULL, {0}, 0},
	{"in", 3, FORM_TEXT, NULL, {0}, 0},
	{"description", 4, FORM_TEXT, NULL, {0}, 0},
};
static const struct message key_message = MESSAGE(key_members, 5);

/* A security requirement: names with lists of scopes, which are empty here. */
static const struct message scopes_message = {NULL, 0, 0};

static const struct member document_members[] = {
	{"swagger", 1, FORM_TEXT, NULL, {0}, 0},
	{"info", 2, FORM_MESSAGE, &info_message, {0}, 0},
	{"paths", 8, FORM_MAP, &item_message, {0}, 2},
	{"definitions", 9, FORM_MAP, &schema_message, {0}, 0},
	{"security", 12, FORM_ENTRIES, &scopes_message, {0}, 0},
	{"securityDefinitions", 13, FORM_MAP, &key_message, {2}, 0},
};
static const struct message document_message = MESSAGE(document_members, 16);

/* The wire */

static size_t put_varint(char out[10], uint64_t value)
{
	size_t size = 0;

	while (value >= 0x80) {
		out[size++] = (char)(value | 0x80);
		value >>= 7;
	}
	out[size++] = (char)value;
	return size;
}

static void add_varint(struct cox_buf *out, uint64_t value)
{
	char bytes[10];

	cox_buf_add(out, bytes, put_varint(bytes, value));
}

/* Opens a field of bytes whose length is not known; returns where they begin. */
static size_t open_field(struct cox_buf *out, unsigned number)
{
	add_varint(out, number << 3 | 2);
	return out->size;
}

/* Puts the length in front of what was written since. */
static void close_field(struct cox_buf *out, size_t begin)
{
	char bytes[10];
	size_t size = out->size - begin;
	size_t shift = put_varint(bytes, size);

	cox_buf_reserve(out, shift);
	memmove(out->data + begin + shift, out->data + begin, size);
	memcpy(out->data + begin, bytes, shift);
	cox_buf_added(out, shift);
}

static void add_text(struct cox_buf *out, unsigned number, const char *text)
{
	add_varint(out, number << 3 | 2);
	add_varint(out, strlen(text));
	cox_buf_str(out, text);
}

/* An Any: its second field is the text; the first, a packed message, is not used. */
static void add_yaml(struct cox_buf *out, unsigned number, const struct value *value)
{
	size_t any = open_field(out, number), yaml = open_field(out, 2);

	json_write(out, value, 0);
	close_field(out, yaml);
	close_field(out, any);
}

/* Messages. The depth is that of the documents, which we made ourselves. */

static void write_message(struct cox_buf *out, const struct message *message,
			  const struct value *object);

/* A message inside the messages that `wrap` names, outermost first. */
static void write_wrapped(struct cox_buf *out, const uint8_t wrap[2], const struct message *message,
			  const struct value *object)
{
	size_t first = wrap[0] ? open_field(out, wrap[0]) : 0;
	size_t second = wrap[0] && wrap[1] ? open_field(out, wrap[1]) : 0;

	write_message(out, message, object);
	if (second)
		close_field(out, second);
	if (first)
		close_field(out, first);
}

/* A map is a run of messages {1: name, 2: value}; the order is that of the tree. */
static void write_entries(struct cox_buf *out, const struct member *member, const struct value *map)
{
	for (uint32_t i = 0; i < map->count; i++) {
		size_t entry = open_field(out, member->entries ? member->entries : 1), value;

		add_text(out, 1, map->object.members[i].key);
		value = open_field(out, 2);
		write_wrapped(out, member->wrap, member->message, map->object.members[i].value);
		close_field(out, value);
		close_field(out, entry);
	}
}

/* A parameter is one of several messages, by where it stands in the request. */
static void write_parameter(struct cox_buf *out, unsigned number, const struct value *parameter)
{
	bool body = value_string_is(value_get(parameter, "in"), "body");
	bool path = value_string_is(value_get(parameter, "in"), "path");
	size_t item = open_field(out, number), inner = open_field(out, 1);
	static const uint8_t body_wrap[2] = {1}, path_wrap[2] = {2, 4}, query_wrap[2] = {2, 3};

	if (body)
		write_wrapped(out, body_wrap, &body_message, parameter);
	else
		write_wrapped(out, path ? path_wrap : query_wrap,
			      path ? &path_message : &query_message, parameter);
	close_field(out, inner);
	close_field(out, item);
}

static void write_repeated(struct cox_buf *out, const struct member *member,
			   const struct value *array)
{
	const struct value *item;

	for (size_t i = 0; (item = value_at(array, i)); i++) {
		if (member->form == FORM_TEXTS) {
			add_text(out, member->number, value_text(item));
		} else if (member->form == FORM_YAMLS) {
			add_yaml(out, member->number, item);
		} else if (member->form == FORM_PARAMETERS) {
			write_parameter(out, member->number, item);
		} else {
			size_t begin = open_field(out, member->number);

			write_entries(out, member, item);
			close_field(out, begin);
		}
	}
}

static void write_member(struct cox_buf *out, const struct member *member,
			 const struct value *value)
{
	size_t begin;

	switch (member->form) {
	case FORM_TEXT:
		add_text(out, member->number, value_text(value));
		break;
	case FORM_BOOL:
		add_varint(out, (unsigned)member->number << 3);
		add_varint(out, value->boolean);
		break;
	case FORM_YAML:
		add_yaml(out, member->number, value);
		break;
	case FORM_MESSAGE:
		begin = open_field(out, member->number);
		write_wrapped(out, member->wrap, member->message, value);
		close_field(out, begin);
		break;
	case FORM_MAP:
		begin = open_field(out, member->number);
		write_entries(out, member, value);
		close_field(out, begin);
		break;
	case FORM_LIST:
		begin = open_field(out, member->number);
		add_text(out, 1, value_text(value));
		close_field(out, begin);
		break;
	default:
		write_repeated(out, member, value);
	}
}

/* A NamedAny. */
static void write_extension(struct cox_buf *out, unsigned number, const char *name,
			    const struct value *value)
{
	size_t begin = open_field(out, number);

	add_text(out, 1, name);
	add_yaml(out, 2, value);
	close_field(out, begin);
}

static void write_message(struct cox_buf *out, const struct message *message,
			  const struct value *object)
{
	for (size_t i = 0; i < message->count; i++) {
		const struct value *value = value_get(object, message->members[i].name);

		if (value)
			write_member(out, &message->members[i], value);
	}
	for (uint32_t i = 0; message->extensions && i < object->count; i++) {
		const struct value_member *member = &object->object.members[i];

		if (strncmp(member->key, "x-", 2) == 0)
			write_extension(out, message->extensions, member->key, member->value);
	}
}

void openapi_write_protobuf(struct cox_buf *out, const struct value *document)
{
	write_message(out, &document_message, document);
}
