/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML into value trees; see the header. libyaml's events are turned into
 * values; an alias is a copy of the value it names, and every value copied is
 * counted, so that nested aliases cannot make much of little.
 */
#include "machinery/yaml.h"
#include "machinery/yaml_scalar.h"

#include "base/character.h"

#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* The way to the value at hand, for reports of duplicate keys. */
struct place {
	const struct place *parent;
	const char *key; /* NULL: an item */
	size_t index;
};

struct reader {
	struct arena *arena;
	struct cox_error *err;
	struct json_duplicates *duplicates;
	yaml_parser_t parser;
	yaml_event_t event;
	struct cox_map anchors; /* name → value */
	const char *data;
	size_t size;
	size_t made; /* values */
	unsigned depth;
};

/* A BadRequest for what is wrong at a mark; returns -1. */
static int fail_at(struct reader *reader, const yaml_mark_t *mark, const char *why)
{
	return error_set(reader->err, COX_REASON_BAD_REQUEST,
			 "invalid YAML at line %zu, column %zu: %s", mark->line + 1,
			 mark->column + 1, why);
}

/* The byte of a mark that counts characters; libyaml's index does. */
static size_t byte_of(const struct reader *reader, size_t index)
{
	size_t at = 0;

	while (at < reader->size && index > 0) {
		at++;
		while (at < reader->size && ((unsigned char)reader->data[at] & 0xc0) == 0x80)
			at++;
		index--;
	}
	return at;
}

/*
 * The first thing up to a line that looks like a blank in an indentation or
 * behind a colon: what libyaml stumbles over comes from there. Else the size.
 */
static size_t indentation_trap(const struct reader *reader, size_t last_line)
{
	bool indentation = true;

	for (size_t at = 0, line = 0; at < reader->size && line <= last_line;) {
		uint32_t code = 0;
		size_t length = character_decode(reader->data + at, reader->size - at, &code);

		if (!length)
			break;
		if (indentation && yaml_scalar_is_blank(code) && code != 0xfeff)
			return at;
		indentation = code == '\n' || code == ':' || (indentation && code == ' ');
		line += code == '\n';
		at += length;
	}
	return reader->size;
}

/* What was found at a byte, by name, and what libyaml says to it. */
static int fail_trap(struct reader *reader, size_t at, const char *why)
{
	char found[CHARACTER_TEXT_SIZE];
	size_t line, column;

	character_position(reader->data, at, &line, &column);
	character_describe(reader->data + at, reader->size - at, found);
	return error_set(reader->err, COX_REASON_BAD_REQUEST,
			 "invalid YAML at line %zu, column %zu: found %s: %s", line, column, found,
			 why);
}

/* libyaml's own complaint, with the character there if it is a trap. */
static int fail_parse(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	char found[CHARACTER_TEXT_SIZE];
	size_t at = byte_of(reader, parser->problem_mark.index), trap;
	uint32_t code = 0;

	if (parser->error == YAML_READER_ERROR) {
		character_describe(reader->data + (parser->problem_offset < reader->size
							   ? parser->problem_offset
							   : reader->size),
				   parser->problem_offset < reader->size
					   ? reader->size - parser->problem_offset
					   : 0,
				   found);
		return error_set(reader->err, COX_REASON_BAD_REQUEST,
				 "invalid YAML at byte %zu: found %s: %s", parser->problem_offset,
				 found, parser->problem ? parser->problem : "unreadable");
	}
	trap = indentation_trap(reader, parser->problem_mark.line);
	if (trap < reader->size)
		return fail_trap(reader, trap, "write a blank");
	if (at < reader->size && character_decode(reader->data + at, reader->size - at, &code) &&
	    code >= 0x80 && character_trap(code))
		return fail_trap(reader, at, parser->problem ? parser->problem : "malformed");
	return fail_at(reader, &parser->problem_mark,
		       parser->problem ? parser->problem : "malformed");
}

static int next_event(struct reader *reader)
{
	yaml_event_delete(&reader->event);
	memset(&reader->event, 0, sizeof(reader->event));
	return yaml_parser_parse(&reader->parser, &reader->event) ? 0 : fail_parse(reader);
}

static int count_value(struct reader *reader, size_t more, const yaml_mark_t *mark)
{
	reader->made += more;
	return reader->made <= YAML_VALUES_MAX
		       ? 0
		       : fail_at(reader, mark, "it makes more than 1000000 values");
}

static int deeper(struct reader *reader)
{
	if (reader->depth == JSON_DEPTH_MAX)
		return fail_at(reader, &reader->event.start_mark,
			       "nested too deeply (256 levels at most)");
	reader->depth++;
	return 0;
}

static void remember(struct reader *reader, const yaml_char_t *anchor, struct value *value)
{
	const char *name = (const char *)anchor;

	if (name)
		cox_map_put(&reader->anchors, name, strlen(name), value);
}

/*
 * A plain scalar that begins or ends with what only looks like a blank or a
 * quote was meant otherwise: say so instead of taking it as a text.
 */
static int check_traps(struct reader *reader)
{
	const yaml_event_t *event = &reader->event;
	const char *text = (const char *)event->data.scalar.value;
	size_t size = event->data.scalar.length, at = 0;
	char found[CHARACTER_TEXT_SIZE];
	uint32_t code = 0;

	if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return 0;
	at = yaml_scalar_trap(text, size, event->end_mark.line > event->start_mark.line);
	if (at == size)
		return 0;
	character_decode(text + at, size - at, &code);
	character_describe(text + at, size - at, found);
	return error_set(reader->err, COX_REASON_BAD_REQUEST,
			 "invalid YAML at line %zu: found %s: write %s", event->start_mark.line + 1,
			 found, yaml_scalar_is_blank(code) ? "a blank" : "\" or '");
}

/* The place as text: "spec.containers[0].name". */
static void write_place(const struct place *place, struct cox_buf *out)
{
	if (!place)
		return;
	write_place(place->parent, out);
	if (place->key)
		cox_buf_printf(out, "%s%s", out->size ? "." : "", place->key);
	else
		cox_buf_printf(out, "[%zu]", place->index);
}

static void tell_duplicate(struct reader *reader, const struct place *place)
{
	cox_autobuf path = COX_BUF_INIT;

	if (!reader->duplicates)
		return;
	write_place(place, &path);
	reader->duplicates->found(reader->duplicates, cox_buf_cstr(&path));
}

static struct value *read_value(struct reader *reader, const struct place *place);

static struct value *read_scalar(struct reader *reader)
{
	const yaml_event_t *event = &reader->event;
	const char *tag = (const char *)event->data.scalar.tag;
	const char *text = (const char *)event->data.scalar.value, *why = NULL;
	struct value *value;

	if (count_value(reader, 1, &event->start_mark) != 0 || check_traps(reader) != 0)
		return NULL;
	value = yaml_scalar_value(reader->arena, text, event->data.scalar.length, tag,
				  event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE, &why);
	if (!value) {
		fail_at(reader, &event->start_mark, why);
		return NULL;
	}
	remember(reader, event->data.scalar.anchor, value);
	return value;
}

/* Values in a tree, its levels too: what an alias to it costs. */
static size_t weigh(const struct value *value, unsigned level, unsigned *deepest)
{
	size_t sum = 1;

	if (level > *deepest)
		*deepest = level;
	for (uint32_t i = 0; value->kind == VALUE_ARRAY && i < value->count; i++)
		sum += weigh(value->array.items[i], level + 1, deepest);
	for (uint32_t i = 0; value->kind == VALUE_OBJECT && i < value->count; i++)
		sum += weigh(value->object.members[i].value, level + 1, deepest);
	return sum;
}

static struct value *read_alias(struct reader *reader)
{
	const yaml_event_t *event = &reader->event;
	const char *name = (const char *)event->data.alias.anchor;
	const struct value *value = cox_map_get(&reader->anchors, name, strlen(name));
	unsigned deepest = 0;

	if (!value) {
		fail_at(reader, &event->start_mark, "an alias names no anchor before it");
		return NULL;
	}
	if (count_value(reader, weigh(value, reader->depth, &deepest), &event->start_mark) != 0)
		return NULL;
	if (deepest > JSON_DEPTH_MAX) {
		fail_at(reader, &event->start_mark, "nested too deeply (256 levels at most)");
		return NULL;
	}
	return value_copy(reader->arena, value);
}

static struct value *read_sequence(struct reader *reader, const struct place *place)
{
	struct value *list = value_array(reader->arena);
	yaml_char_t *anchor = reader->event.data.sequence_start.anchor;
	const char *name = anchor ? arena_strdup(reader->arena, (const char *)anchor) : NULL;
	struct place here = {place, NULL, 0};

	if (count_value(reader, 1, &reader->event.start_mark) != 0 || deeper(reader) != 0)
		return NULL;
	for (;; here.index++) {
		struct value *item;

		if (next_event(reader) != 0)
			return NULL;
		if (reader->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		item = read_value(reader, &here);
		if (!item)
			return NULL;
		value_push(reader->arena, list, item);
	}
	reader->depth--;
	/* known only now: a value cannot hold itself */
	remember(reader, (const yaml_char_t *)name, list);
	return list;
}

/* Members of a `<<` that are not said otherwise. */
static int merge_members(struct reader *reader, struct value *object, const struct value *from)
{
	if (from->kind == VALUE_ARRAY) {
		for (uint32_t i = 0; i < from->count; i++)
			if (merge_members(reader, object, from->array.items[i]) != 0)
				return -1;
		return 0;
	}
	if (from->kind != VALUE_OBJECT)
		return fail_at(reader, &reader->event.start_mark, "<< wants a mapping");
	for (uint32_t i = 0; i < from->count; i++) {
		const struct value_member *member = &from->object.members[i];

		if (!value_get_n(object, member->key, member->key_size))
			value_set_n(reader->arena, object, member->key, member->key_size,
				    member->value);
	}
	return 0;
}

/* Reads a key's event into `here`. */
static int read_key(struct reader *reader, struct place *here, bool *merge)
{
	const yaml_event_t *event = &reader->event;

	if (event->type != YAML_SCALAR_EVENT)
		return fail_at(reader, &event->start_mark, "a key must be a plain text");
	if (check_traps(reader) != 0)
		return -1;
	if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
		return fail_at(reader, &event->start_mark, "a key must not hold a zero byte");
	here->key = arena_strndup(reader->arena, (const char *)event->data.scalar.value,
				  event->data.scalar.length);
	*merge =
		strcmp(here->key, "<<") == 0 && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return 0;
}

static int read_members(struct reader *reader, const struct place *place, struct value *object,
			struct value *merged)
{
	struct place here = {place, NULL, 0};

	for (;;) {
		struct value *value;
		bool merge = false;

		if (next_event(reader) != 0)
			return -1;
		if (reader->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (read_key(reader, &here, &merge) != 0 || next_event(reader) != 0)
			return -1;
		value = read_value(reader, &here);
		if (!value)
			return -1;
		if (merge) {
			value_push(reader->arena, merged, value);
			continue;
		}
		if (value_get(object, here.key))
			tell_duplicate(reader, &here);
		value_set(reader->arena, object, here.key, value);
	}
}

static struct value *read_mapping(struct reader *reader, const struct place *place)
{
	struct value *object = value_object(reader->arena), *merged = value_array(reader->arena);
	yaml_char_t *anchor = reader->event.data.mapping_start.anchor;
	const char *name = anchor ? arena_strdup(reader->arena, (const char *)anchor) : NULL;

	if (count_value(reader, 1, &reader->event.start_mark) != 0 || deeper(reader) != 0)
		return NULL;
	if (read_members(reader, place, object, merged) != 0 ||
	    merge_members(reader, object, merged) != 0)
		return NULL;
	reader->depth--;
	remember(reader, (const yaml_char_t *)name, object);
	return object;
}

/* The value whose first event was just read. */
static struct value *read_value(struct reader *reader, const struct place *place)
{
	switch (reader->event.type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(reader);
	case YAML_ALIAS_EVENT:
		return read_alias(reader);
	case YAML_SEQUENCE_START_EVENT:
		return read_sequence(reader, place);
	case YAML_MAPPING_START_EVENT:
		return read_mapping(reader, place);
	default:
		fail_at(reader, &reader->event.start_mark, "expected a value");
		return NULL;
	}
}

/* Stream start, one document or none, stream end. */
static struct value *read_document(struct reader *reader)
{
	struct value *value;

	if (next_event(reader) != 0 || next_event(reader) != 0)
		return NULL;
	if (reader->event.type == YAML_STREAM_END_EVENT)
		return value_null(reader->arena);
	if (next_event(reader) != 0)
		return NULL;
	value = read_value(reader, NULL);
	if (!value || next_event(reader) != 0 || next_event(reader) != 0)
		return NULL;
	if (reader->event.type != YAML_STREAM_END_EVENT) {
		fail_at(reader, &reader->event.start_mark, "expected one document only");
		return NULL;
	}
	return value;
}

struct value *yaml_parse(struct arena *arena, const void *data, size_t size,
			 struct json_duplicates *duplicates, struct cox_error *err)
{
	struct reader reader = {.arena = arena,
				.err = err,
				.duplicates = duplicates,
				.anchors = COX_MAP_INIT,
				.data = data,
				.size = size};
	struct value *value;

	if (!yaml_parser_initialize(&reader.parser)) {
		error_set(err, COX_REASON_INTERNAL_ERROR, "the YAML parser cannot be set up");
		return NULL;
	}
	/* bytes in another encoding would make marks and names lie */
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, data, size);
	value = read_document(&reader);
	yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	cox_map_free(&reader.anchors);
	return value;
}
