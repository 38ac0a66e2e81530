/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator of the schema tables: reads api/types and api/kinds, checks
 * them and writes one C file of constants. A program of the build only. Any
 * mistake in the YAML ends it with `file:line: what is wrong`.
 */
#ifndef COX_GEN_H
#define COX_GEN_H

#include "machinery/tables.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <stdbool.h>
#include <stdio.h>
#include <yaml.h>

/* One YAML file; nodes live as long as it. */
struct source {
	char *path; /* as errors name it */
	yaml_document_t document;
	yaml_node_t *root;
};

struct known_type {
	char *name;
	uint8_t form;
};

struct gate {
	char *name;
	bool on;
};

struct gen {
	struct cox_buf texts;
	struct cox_map text_offsets; /* text to offset + 1 */
	struct cox_map list_offsets; /* the list's bytes to offset */
	COX_VEC(uint32_t) lists;
	COX_VEC(struct known_type) known; /* sorted: a type's index is its place here */
	COX_VEC(struct gate) gates;
	COX_VEC(struct schema_type) types;
	COX_VEC(struct schema_field) fields;
	COX_VEC(uint16_t) orders;
	COX_VEC(struct schema_default) defaults;
	COX_VEC(struct schema_group) groups;
	COX_VEC(struct schema_resource) resources;
	COX_VEC(struct schema_subresource) subresources;
	COX_VEC(struct schema_column) columns;
	COX_VEC(struct schema_label) labels;
	uint32_t epoch;
};

/* source.c */
void source_load(struct source *source, const char *directory, const char *path);
void source_free(struct source *source);
_Noreturn void source_fail(const struct source *source, const yaml_node_t *node, const char *format,
			   ...) __attribute__((format(printf, 3, 4)));
/* `allowed` ends with NULL; refuses other keys and keys given twice. */
void source_keys(struct source *source, yaml_node_t *mapping, const char *const *allowed);
yaml_node_t *source_get(struct source *source, yaml_node_t *mapping, const char *key);
yaml_node_t *source_need(struct source *source, yaml_node_t *mapping, const char *key);
const char *source_text(struct source *source, yaml_node_t *node);
/* NULL if the key is absent. */
const char *source_get_text(struct source *source, yaml_node_t *mapping, const char *key);
bool source_get_bool(struct source *source, yaml_node_t *mapping, const char *key, bool fallback);
bool source_get_number(struct source *source, yaml_node_t *mapping, const char *key,
		       int32_t *number);
size_t source_count(struct source *source, yaml_node_t *sequence); /* 0 for NULL */
yaml_node_t *source_item(struct source *source, yaml_node_t *sequence, size_t index);
size_t source_pairs(struct source *source, yaml_node_t *mapping); /* 0 for NULL */
yaml_node_t *source_pair(struct source *source, yaml_node_t *mapping, size_t index,
			 yaml_node_t **value); /* returns the key */

/* pool.c */
uint32_t pool_text(struct gen *gen, const char *text);
uint32_t pool_list(struct gen *gen, const uint32_t *texts, size_t count);
uint32_t pool_sequence(struct gen *gen, struct source *source, yaml_node_t *sequence);
static inline const char *pool_get(const struct gen *gen, uint32_t text)
{
	return gen->texts.data + text;
}

/* types.c, kinds.c, emit.c */
void types_collect(struct gen *gen, struct source *source);
void types_sort(struct gen *gen);
void types_build(struct gen *gen, struct source *source);
/* Marks the types below which there are defaults, or rules for validation. */
void types_spread_flags(struct gen *gen);
void gates_build(struct gen *gen, struct source *source);
/* Index + 1 of the type with this group, version and kind; 0: none. */
uint32_t types_of_kind(const struct gen *gen, const char *group, const char *version,
		       const char *kind);
void groups_build(struct gen *gen, struct source *source);
void kinds_build(struct gen *gen, struct source *source);
void kinds_sort(struct gen *gen);
void emit(const struct gen *gen, FILE *out);

#endif
