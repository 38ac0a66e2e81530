/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Value trees as YAML, by libyaml's emitter; yaml.h says in which style. Texts
 * that a reader could take for something else, by the rules of YAML 1.1 or 1.2,
 * are quoted.
 */
#include "machinery/yaml.h"
#include "machinery/yaml_scalar.h"

#include "base/character.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { SORT_ON_STACK = 32 };

struct writer {
	yaml_emitter_t emitter;
	struct arena scratch;
};

static int take_output(void *context, unsigned char *data, size_t size)
{
	cox_buf_add(context, data, size);
	return 1;
}

/* The emitter frees the event, whatever comes of it. */
static int emit(struct writer *writer, yaml_event_t *event, int made)
{
	return made && yaml_emitter_emit(&writer->emitter, event) ? 0 : -1;
}

/* Dates, times, and numbers of base 60: texts to us, not to everybody. */
static bool looks_like_number(const char *text, size_t size)
{
	if (!strchr("0123456789+-.", *text))
		return false;
	return strspn(text, "0123456789abcdefABCDEFxXoO_:.,TtZz+- ") == size;
}

/* All that YAML 1.1 takes for the end of a line; other than \n only escapes show them. */
static bool has_break(const char *text)
{
	return strpbrk(text, "\n\r") || strstr(text, "\xc2\x85") || strstr(text, "\xe2\x80\xa8") ||
	       strstr(text, "\xe2\x80\xa9");
}

static bool is_plain(struct writer *writer, const char *text, size_t size)
{
	const char *why = NULL;
	struct value *read;

	if (size == 0 || strlen(text) != size || has_break(text) || looks_like_number(text, size) ||
	    strcmp(text, "=") == 0 || strcmp(text, "<<") == 0 ||
	    yaml_scalar_trap(text, size, false) != size)
		return false;
	read = yaml_scalar_value(&writer->scratch, text, size, NULL, true, &why);
	return value_is(read, VALUE_STRING);
}

/*
 * Several lines that a block can show: nothing in them that needs an escape, and
 * no empty lines at the end, behind which libyaml would end the document.
 */
static bool is_block(const char *text, size_t size)
{
	if (!memchr(text, '\n', size) || strchr(" \t\n", *text) ||
	    (size > 1 && memcmp(text + size - 2, "\n\n", 2) == 0))
		return false;
	for (size_t at = 0; at < size;) {
		uint32_t code = 0;
		size_t length = character_decode(text + at, size - at, &code);

		if (!length || (code < 0x20 && code != '\n' && code != '\t') ||
		    (code >= 0x7f && code <= 0xa0) || code == 0x2028 || code == 0x2029 ||
		    code == 0xfeff || code >= 0xfffe)
			return false;
		at += length;
	}
	return true;
}

static int emit_scalar(struct writer *writer, const char *text, size_t size,
		       yaml_scalar_style_t style)
{
	yaml_event_t event;
	bool plain = style == YAML_PLAIN_SCALAR_STYLE;

	return emit(writer, &event,
		    yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
						 (int)size, plain, !plain, style));
}

static int emit_text(struct writer *writer, const char *text, size_t size, bool key)
{
	yaml_event_t event;
	yaml_scalar_style_t style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;

	if (is_plain(writer, text, size))
		style = YAML_PLAIN_SCALAR_STYLE;
	else if (!key && is_block(text, size))
		style = YAML_LITERAL_SCALAR_STYLE;
	/* The emitter may still quote it: then, too, it is a string. */
	return emit(writer, &event,
		    yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
						 (int)size, 1, 1, style));
}

static int emit_value(struct writer *writer, const struct value *value);

static int emit_list(struct writer *writer, const struct value *list)
{
	yaml_event_t event;

	if (emit(writer, &event,
		 yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
						      YAML_BLOCK_SEQUENCE_STYLE)) != 0)
		return -1;
	for (uint32_t i = 0; i < list->count; i++)
		if (emit_value(writer, list->array.items[i]) != 0)
			return -1;
	return emit(writer, &event, yaml_sequence_end_event_initialize(&event));
}

static int compare_keys(const void *left, const void *right)
{
	const struct value_member *a = *(struct value_member *const *)left;
	const struct value_member *b = *(struct value_member *const *)right;
	int order = memcmp(a->key, b->key, a->key_size < b->key_size ? a->key_size : b->key_size);

	return order ? order : (a->key_size > b->key_size) - (a->key_size < b->key_size);
}

static int emit_members(struct writer *writer, const struct value *object)
{
	const struct value_member *few[SORT_ON_STACK];
	cox_autofree const struct value_member **many = NULL;
	const struct value_member **sorted = few;

	if (object->count > SORT_ON_STACK)
		sorted = many = cox_reallocarray(NULL, object->count, sizeof(*many));
	for (uint32_t i = 0; i < object->count; i++)
		sorted[i] = &object->object.members[i];
	if (object->count > 1)
		qsort(sorted, object->count, sizeof(*sorted), compare_keys);
	for (uint32_t i = 0; i < object->count; i++)
		if (emit_text(writer, sorted[i]->key, sorted[i]->key_size, true) != 0 ||
		    emit_value(writer, sorted[i]->value) != 0)
			return -1;
	return 0;
}

static int emit_object(struct writer *writer, const struct value *object)
{
	yaml_event_t event;

	if (emit(writer, &event,
		 yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
						     YAML_BLOCK_MAPPING_STYLE)) != 0 ||
	    emit_members(writer, object) != 0)
		return -1;
	return emit(writer, &event, yaml_mapping_end_event_initialize(&event));
}

static int emit_value(struct writer *writer, const struct value *value)
{
	char number[24];
	const char *word;

	switch ((enum value_kind)value->kind) {
	case VALUE_NULL:
		return emit_scalar(writer, "null", 4, YAML_PLAIN_SCALAR_STYLE);
	case VALUE_BOOL:
		word = value->boolean ? "true" : "false";
		return emit_scalar(writer, word, strlen(word), YAML_PLAIN_SCALAR_STYLE);
	case VALUE_INT:
		snprintf(number, sizeof(number), "%" PRId64, value->integer);
		return emit_scalar(writer, number, strlen(number), YAML_PLAIN_SCALAR_STYLE);
	case VALUE_NUMBER:
		return emit_scalar(writer, value->text, value->count, YAML_PLAIN_SCALAR_STYLE);
	case VALUE_STRING:
		return emit_text(writer, value->text, value->count, false);
	case VALUE_ARRAY:
		return emit_list(writer, value);
	case VALUE_OBJECT:
		break;
	}
	return emit_object(writer, value);
}

static int emit_document(struct writer *writer, const struct value *value)
{
	yaml_event_t event;

	if (emit(writer, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) !=
		    0 ||
	    emit(writer, &event,
		 yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) != 0 ||
	    emit_value(writer, value) != 0 ||
	    emit(writer, &event, yaml_document_end_event_initialize(&event, 1)) != 0)
		return -1;
	return emit(writer, &event, yaml_stream_end_event_initialize(&event));
}

int yaml_write(struct cox_buf *out, const struct value *value, struct cox_error *err)
{
	struct writer writer = {.scratch = ARENA_INIT};
	int status = 0;

	if (!yaml_emitter_initialize(&writer.emitter))
		return error_set(err, COX_REASON_INTERNAL_ERROR, "cannot write YAML: no memory");
	yaml_emitter_set_output(&writer.emitter, take_output, out);
	yaml_emitter_set_unicode(&writer.emitter, 1);
	yaml_emitter_set_width(&writer.emitter, -1);
	if (emit_document(&writer, value) != 0)
		status = error_set(err, COX_REASON_INTERNAL_ERROR, "cannot write YAML: %s",
				   writer.emitter.problem ? writer.emitter.problem : "no memory");
	yaml_emitter_delete(&writer.emitter);
	arena_free(&writer.scratch);
	return status;
}

int yaml_write_item(struct cox_buf *out, const struct value *value, struct cox_error *err)
{
	cox_autobuf text = COX_BUF_INIT;
	const char *at, *end;
	bool first = true;

	if (yaml_write(&text, value, err) != 0)
		return -1;
	for (at = cox_buf_cstr(&text); *at; at = end) {
		end = strchr(at, '\n');
		end = end ? end + 1 : at + strlen(at);
		/* An empty line is part of a block and stays empty. */
		if (first || *at != '\n')
			cox_buf_str(out, first ? "- " : "  ");
		cox_buf_add(out, at, (size_t)(end - at));
		first = false;
	}
	return 0;
}
