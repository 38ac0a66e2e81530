/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the YAML files, with errors that name file and line. */
#include "gen.h"

#include <coxswain/kit/text.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

_Noreturn void source_fail(const struct source *source, const yaml_node_t *node, const char *format,
			   ...)
{
	va_list args;

	fprintf(stderr, "%s:%zu: ", source->path, node ? node->start_mark.line + 1 : 1);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

void source_load(struct source *source, const char *directory, const char *path)
{
	yaml_parser_t parser;
	struct cox_buf full = COX_BUF_INIT;
	FILE *file;

	cox_buf_printf(&full, "%s/%s", directory, path);
	source->path = cox_buf_steal(&full);
	file = fopen(source->path, "re");
	if (!file) {
		fprintf(stderr, "%s: %s\n", source->path, strerror(errno));
		exit(EXIT_FAILURE);
	}
	if (!yaml_parser_initialize(&parser)) {
		fprintf(stderr, "%s: out of memory\n", source->path);
		exit(EXIT_FAILURE);
	}
	yaml_parser_set_input_file(&parser, file);
	if (!yaml_parser_load(&parser, &source->document)) {
		fprintf(stderr, "%s:%zu: %s\n", source->path, parser.problem_mark.line + 1,
			parser.problem ? parser.problem : "not YAML");
		exit(EXIT_FAILURE);
	}
	yaml_parser_delete(&parser);
	fclose(file);
	source->root = yaml_document_get_root_node(&source->document);
	if (!source->root || source->root->type != YAML_MAPPING_NODE)
		source_fail(source, source->root, "expected a mapping");
}

void source_free(struct source *source)
{
	yaml_document_delete(&source->document);
	free(source->path);
}

size_t source_pairs(struct source *source, yaml_node_t *mapping)
{
	if (!mapping)
		return 0;
	if (mapping->type != YAML_MAPPING_NODE)
		source_fail(source, mapping, "expected a mapping");
	return (size_t)(mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start);
}

yaml_node_t *source_pair(struct source *source, yaml_node_t *mapping, size_t index,
			 yaml_node_t **value)
{
	const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start + index;

	*value = yaml_document_get_node(&source->document, pair->value);
	return yaml_document_get_node(&source->document, pair->key);
}

const char *source_text(struct source *source, yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE)
		source_fail(source, node, "expected a text");
	if (strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
		source_fail(source, node, "a text with a zero byte");
	return (const char *)node->data.scalar.value;
}

yaml_node_t *source_get(struct source *source, yaml_node_t *mapping, const char *key)
{
	size_t pairs = source_pairs(source, mapping);

	for (size_t i = 0; i < pairs; i++) {
		yaml_node_t *value;
		yaml_node_t *name = source_pair(source, mapping, i, &value);

		if (strcmp(source_text(source, name), key) == 0)
			return value;
	}
	return NULL;
}

yaml_node_t *source_need(struct source *source, yaml_node_t *mapping, const char *key)
{
	yaml_node_t *node = source_get(source, mapping, key);

	if (!node)
		source_fail(source, mapping, "\"%s\" is missing", key);
	return node;
}

void source_keys(struct source *source, yaml_node_t *mapping, const char *const *allowed)
{
	size_t pairs = source_pairs(source, mapping);

	for (size_t i = 0; i < pairs; i++) {
		yaml_node_t *value;
		yaml_node_t *name = source_pair(source, mapping, i, &value);
		const char *key = source_text(source, name);
		size_t known = 0;

		while (allowed && allowed[known] && strcmp(allowed[known], key) != 0)
			known++;
		if (allowed && !allowed[known]) {
			const char *near = cox_nearest(key, allowed, known);

			source_fail(source, name, "unknown key \"%s\"%s%s%s", key,
				    near ? " (did you mean \"" : "", near ? near : "",
				    near ? "\"?)" : "");
		}
		if (source_get(source, mapping, key) != value)
			source_fail(source, name, "key \"%s\" given twice", key);
	}
}

const char *source_get_text(struct source *source, yaml_node_t *mapping, const char *key)
{
	yaml_node_t *node = source_get(source, mapping, key);

	return node ? source_text(source, node) : NULL;
}

bool source_get_bool(struct source *source, yaml_node_t *mapping, const char *key, bool fallback)
{
	yaml_node_t *node = source_get(source, mapping, key);
	const char *text;

	if (!node)
		return fallback;
	text = source_text(source, node);
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		source_fail(source, node, "\"%s\" is yes or no, not \"%s\"", key, text);
	return text[0] == 'y';
}

bool source_get_number(struct source *source, yaml_node_t *mapping, const char *key,
		       int32_t *number)
{
	yaml_node_t *node = source_get(source, mapping, key);
	int64_t wide;

	if (!node)
		return false;
	if (cox_parse_int(source_text(source, node), INT32_MIN, INT32_MAX, &wide))
		source_fail(source, node, "\"%s\" is not a number", source_text(source, node));
	*number = (int32_t)wide;
	return true;
}

size_t source_count(struct source *source, yaml_node_t *sequence)
{
	if (!sequence)
		return 0;
	if (sequence->type != YAML_SEQUENCE_NODE)
		source_fail(source, sequence, "expected a sequence");
	return (size_t)(sequence->data.sequence.items.top - sequence->data.sequence.items.start);
}

yaml_node_t *source_item(struct source *source, yaml_node_t *sequence, size_t index)
{
	return yaml_document_get_node(&source->document,
				      sequence->data.sequence.items.start[index]);
}
