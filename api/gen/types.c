/* SPDX-License-Identifier: Apache-2.0 */
/* api/types: types, fields, defaults and feature gates. */
#include "gen.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <string.h>

struct word {
	const char *name;
	unsigned value;
};

static const struct word forms[] = {{"quantity", SCHEMA_QUANTITY},
				    {"intOrString", SCHEMA_INT_OR_STRING},
				    {"raw", SCHEMA_RAW},
				    {"time", SCHEMA_TIME},
				    {"microTime", SCHEMA_MICRO_TIME},
				    {"any", SCHEMA_ANY},
				    {NULL, 0}};
static const struct word scalars[] = {{"string", SCHEMA_STRING}, {"int32", SCHEMA_INT32},
				      {"int64", SCHEMA_INT64},	 {"double", SCHEMA_DOUBLE},
				      {"bool", SCHEMA_BOOL},	 {"bytes", SCHEMA_BYTES},
				      {"any", SCHEMA_ANY},	 {NULL, 0}};
static const struct word list_types[] = {{"atomic", SCHEMA_LIST_ATOMIC},
					 {"set", SCHEMA_LIST_SET},
					 {"map", SCHEMA_LIST_MAP},
					 {NULL, 0}};
static const struct word patches[] = {{"merge", SCHEMA_MERGE},
				      {"replace", SCHEMA_REPLACE},
				      {"retainKeys", SCHEMA_RETAIN_KEYS},
				      {NULL, 0}};
static const struct word maps[] = {
	{"atomic", SCHEMA_ATOMIC_MAP}, {"granular", SCHEMA_GRANULAR_MAP}, {NULL, 0}};
static const struct word writes[] = {
	{"always", 0}, {"unlessZero", SCHEMA_OMIT_EMPTY | SCHEMA_OMIT_ZERO}, {NULL, 0}};

static const struct word *word_find(const struct word *words, const char *name)
{
	for (; words->name; words++) {
		if (strcmp(words->name, name) == 0)
			return words;
	}
	return NULL;
}

static unsigned word_need(struct source *source, yaml_node_t *node, const struct word *words)
{
	const struct word *word = word_find(words, source_text(source, node));

	if (!word)
		source_fail(source, node, "\"%s\" is no word that fits here",
			    source_text(source, node));
	return word->value;
}

/* "PodSpec" in the package core.v1 is core.v1.PodSpec; a name with dots is whole. */
static char *full_name(struct source *source, const char *name, size_t size)
{
	struct cox_buf full = COX_BUF_INIT;

	if (!memchr(name, '.', size))
		cox_buf_printf(&full, "%s.",
			       source_text(source, source_need(source, source->root, "package")));
	cox_buf_add(&full, name, size);
	return cox_buf_steal(&full);
}

void types_collect(struct gen *gen, struct source *source)
{
	static const char *const allowed[] = {"package", "types", NULL};
	yaml_node_t *types;
	size_t count;

	source_keys(source, source->root, allowed);
	types = source_need(source, source->root, "types");
	source_keys(source, types, NULL);
	count = source_pairs(source, types);
	for (size_t i = 0; i < count; i++) {
		struct known_type known = {.form = SCHEMA_OBJECT};
		yaml_node_t *type, *form;
		const char *name = source_text(source, source_pair(source, types, i, &type));

		form = source_get(source, type, "form");
		if (form)
			known.form = (uint8_t)word_need(source, form, forms);
		known.name = full_name(source, name, strlen(name));
		cox_vec_push(&gen->known, known);
	}
}

static int known_compare(const void *left, const void *right)
{
	const struct known_type *a = left, *b = right;

	return strcmp(a->name, b->name);
}

void types_sort(struct gen *gen)
{
	qsort(gen->known.items, gen->known.count, sizeof(*gen->known.items), known_compare);
	for (size_t i = 0; i < gen->known.count; i++) {
		if (i > 0 && known_compare(&gen->known.items[i - 1], &gen->known.items[i]) == 0) {
			fprintf(stderr, "api/types: type %s given twice\n",
				gen->known.items[i].name);
			exit(EXIT_FAILURE);
		}
		cox_vec_push(&gen->types, (struct schema_type){.form = gen->known.items[i].form});
	}
}

static const struct known_type *known_find(const struct gen *gen, char *name)
{
	struct known_type wanted = {.name = name};

	return bsearch(&wanted, gen->known.items, gen->known.count, sizeof(wanted), known_compare);
}

/* "list Container", "map string", "int32?", "meta.v1.Time". */
static void field_is(const struct gen *gen, struct source *source, yaml_node_t *node,
		     struct schema_field *field)
{
	const char *text = source_text(source, node);
	uint8_t outer = 0, inner;
	size_t size;
	const struct word *scalar;

	if (cox_starts_with(text, "list ")) {
		outer = SCHEMA_ARRAY;
		text += strlen("list ");
	} else if (cox_starts_with(text, "map ")) {
		outer = SCHEMA_MAP;
		text += strlen("map ");
	}
	size = strlen(text);
	if (size > 0 && text[size - 1] == '?') {
		field->flags |= SCHEMA_POINTER;
		size--;
	}
	cox_autofree char *base = cox_strndup(text, size);

	scalar = word_find(scalars, base);
	if (scalar) {
		inner = (uint8_t)scalar->value;
	} else if (outer && strcmp(base, "strings") == 0) {
		inner = SCHEMA_STRINGS;
	} else {
		cox_autofree char *name = full_name(source, base, size);
		const struct known_type *known = known_find(gen, name);

		if (!known)
			source_fail(source, node, "there is no type %s", name);
		field->type = (uint32_t)(known - gen->known.items) + 1;
		inner = known->form;
	}
	field->kind = outer ? outer : inner;
	field->element = outer ? inner : 0;
}

/* "2.10": field 10 of the message embedded as field 2. */
static void field_number(struct source *source, yaml_node_t *node, struct schema_field *field)
{
	const char *text = source_text(source, node);

	while (field->depth < 4) {
		size_t size = strcspn(text, ".");
		cox_autofree char *part = cox_strndup(text, size);
		int64_t number;

		if (cox_parse_int(part, 1, UINT8_MAX, &number))
			break;
		field->number[field->depth++] = (uint8_t)number;
		text += size;
		if (*text == '\0')
			return;
		text++;
	}
	source_fail(source, node, "\"%s\" is no protobuf number (1 to 255, at most 4 deep)",
		    source_text(source, node));
}

static void field_gates(struct gen *gen, struct source *source, yaml_node_t *node,
			struct schema_field *field)
{
	size_t count = node->type == YAML_SEQUENCE_NODE ? source_count(source, node) : 1;

	for (size_t i = 0; i < count; i++) {
		yaml_node_t *item =
			node->type == YAML_SEQUENCE_NODE ? source_item(source, node, i) : node;
		const char *name = source_text(source, item);
		size_t at = 0;

		while (at < gen->gates.count && strcmp(gen->gates.items[at].name, name) != 0)
			at++;
		if (at == gen->gates.count)
			source_fail(source, item, "gate %s is not in gates.yaml", name);
		if (!gen->gates.items[at].on)
			field->flags |= SCHEMA_DISABLED;
		if (i == 0)
			field->gate = pool_text(gen, name);
	}
}

/* A zero put into a field that does not tell zero from absent is no default. */
static bool is_zero(const char *json)
{
	static const char *const zeros[] = {"\"\"", "0", "false", "null", "{}", "[]"};

	for (size_t i = 0; i < sizeof(zeros) / sizeof(*zeros); i++) {
		if (strcmp(json, zeros[i]) == 0)
			return true;
	}
	return false;
}

static void field_default(struct gen *gen, struct source *source, yaml_node_t *body,
			  struct schema_field *field)
{
	const char *published = source_get_text(source, body, "default");
	const char *applied = source_get_text(source, body, "set");

	if (published)
		field->published = pool_text(gen, published);
	if (!applied)
		applied = published;
	if (applied && ((field->flags & SCHEMA_POINTER) || !is_zero(applied)))
		field->applied = pool_text(gen, applied);
}

static void field_flags(struct source *source, yaml_node_t *body, struct schema_field *field)
{
	static const struct word switches[] = {
		{"required", SCHEMA_REQUIRED},	 {"needed", SCHEMA_NEEDED},
		{"immutable", SCHEMA_IMMUTABLE}, {"unique", SCHEMA_UNIQUE},
		{"enumOpen", SCHEMA_ENUM_OPEN},	 {NULL, 0}};
	yaml_node_t *patch = source_get(source, body, "patch");
	yaml_node_t *write = source_get(source, body, "write");
	yaml_node_t *map = source_get(source, body, "map");
	size_t count = source_count(source, patch);
	unsigned flags = write ? word_need(source, write, writes) : SCHEMA_OMIT_EMPTY;

	for (const struct word *word = switches; word->name; word++) {
		if (source_get_bool(source, body, word->name, false))
			flags |= word->value;
	}
	for (size_t i = 0; i < count; i++)
		flags |= word_need(source, source_item(source, patch, i), patches);
	if (map)
		flags |= word_need(source, map, maps);
	if (source_get_number(source, body, "min", &field->minimum))
		flags |= SCHEMA_HAS_MINIMUM;
	if (source_get_number(source, body, "max", &field->maximum))
		flags |= SCHEMA_HAS_MAXIMUM;
	field->flags |= (uint16_t)flags;
}

static void field_build(struct gen *gen, struct source *source, const char *name, yaml_node_t *body)
{
	static const char *const allowed[] = {
		"is",	"no",	"required", "needed", "write",	   "patch",   "mergeKey", "list",
		"keys", "enum", "map",	    "set",    "default",   "format",  "enumOpen", "unique",
		"min",	"max",	"gate",	    "about",  "immutable", "wrapped", NULL};
	struct schema_field field = {.name = pool_text(gen, name)};
	yaml_node_t *node;

	source_keys(source, body, allowed);
	field_is(gen, source, source_need(source, body, "is"), &field);
	if ((node = source_get(source, body, "no")))
		field_number(source, node, &field);
	field_flags(source, body, &field);
	field.wrapped = source_get_bool(source, body, "wrapped", false);
	if (field.wrapped && (field.kind != SCHEMA_ARRAY || field.element != SCHEMA_STRING))
		source_fail(source, body, "field %s is wrapped and no list of strings", name);
	if ((node = source_get(source, body, "mergeKey")))
		field.merge_key = pool_text(gen, source_text(source, node));
	if ((node = source_get(source, body, "list")))
		field.list_type = (uint8_t)word_need(source, node, list_types);
	field.map_keys = pool_sequence(gen, source, source_get(source, body, "keys"));
	if ((field.list_type == SCHEMA_LIST_MAP) != (field.map_keys != 0))
		source_fail(source, body, "\"list: map\" and \"keys\" go together");
	if ((field.list_type || field.merge_key) && field.kind != SCHEMA_ARRAY &&
	    field.kind != SCHEMA_BYTES)
		source_fail(source, body, "field %s is no list", name);
	field.enumeration = pool_sequence(gen, source, source_get(source, body, "enum"));
	if ((node = source_get(source, body, "format")))
		field.format = pool_text(gen, source_text(source, node));
	if ((node = source_get(source, body, "about")))
		field.description = pool_text(gen, source_text(source, node));
	if ((node = source_get(source, body, "gate")))
		field_gates(gen, source, node, &field);
	field_default(gen, source, body, &field);
	cox_vec_push(&gen->fields, field);
}

/* "v1/Pod", "apps/v1/Deployment", "*" for the kinds of every group. */
static void type_kind(struct gen *gen, struct source *source, yaml_node_t *node, const char *name,
		      struct schema_type *type)
{
	const char *text = source_text(source, node);
	const char *kind = strrchr(text, '/');
	const char *version = strchr(text, '/');

	if (strcmp(text, "*") == 0) {
		type->flags |= SCHEMA_TYPE_ANY_GROUP;
		type->kind = pool_text(gen, name);
		return;
	}
	if (!kind)
		source_fail(source, node, "\"%s\" is not [GROUP/]VERSION/KIND", text);
	version = version == kind ? text : version + 1;
	cox_autofree char *group =
		cox_strndup(text, version > text ? (size_t)(version - text - 1) : 0);
	cox_autofree char *middle = cox_strndup(version, (size_t)(kind - version));

	type->group = pool_text(gen, group);
	type->version = pool_text(gen, middle);
	type->kind = pool_text(gen, kind + 1);
}

static void type_defaults(struct gen *gen, struct source *source, yaml_node_t *list,
			  struct schema_type *type)
{
	static const char *const allowed[] = {"at", "put", "if", "rule", NULL};
	size_t count = source_count(source, list);

	type->defaults = (uint32_t)gen->defaults.count;
	type->default_count = (uint16_t)count;
	for (size_t i = 0; i < count; i++) {
		yaml_node_t *item = source_item(source, list, i);
		const char *rule, *at, *put, *condition;

		source_keys(source, item, allowed);
		rule = source_get_text(source, item, "rule");
		at = source_get_text(source, item, "at");
		put = source_get_text(source, item, "put");
		condition = source_get_text(source, item, "if");
		if (rule ? at || put || condition : !at || !put)
			source_fail(source, item, "a default is a rule, or at and put");
		cox_vec_push(&gen->defaults,
			     (struct schema_default){
				     .path = pool_text(gen, at ? at : ""),
				     .value = pool_text(gen, put ? put : ""),
				     .condition = pool_text(gen, condition ? condition : ""),
				     .rule = pool_text(gen, rule ? rule : "")});
	}
}

/* For qsort, which hands no context through. */
static const struct gen *order_gen;
static uint32_t order_base;

static int order_compare(const void *left, const void *right)
{
	const struct schema_field *a =
		&order_gen->fields.items[order_base + *(const uint16_t *)left];
	const struct schema_field *b =
		&order_gen->fields.items[order_base + *(const uint16_t *)right];

	return strcmp(pool_get(order_gen, a->name), pool_get(order_gen, b->name));
}

/* By protobuf number; fields without one come last. */
static int wire_compare(const void *left, const void *right)
{
	const struct schema_field *a =
		&order_gen->fields.items[order_base + *(const uint16_t *)left];
	const struct schema_field *b =
		&order_gen->fields.items[order_base + *(const uint16_t *)right];

	if (!a->depth || !b->depth)
		return !a->depth - !b->depth;
	return memcmp(a->number, b->number, sizeof(a->number));
}

static void type_build(struct gen *gen, struct source *source, const char *name, yaml_node_t *body)
{
	static const char *const allowed[] = {"about",	"kind",	     "form",	 "atomic",
					      "fields", "published", "defaults", NULL};
	cox_autofree char *full = full_name(source, name, strlen(name));
	struct schema_type *type = &gen->types.items[known_find(gen, full) - gen->known.items];
	yaml_node_t *fields = source_get(source, body, "fields");
	yaml_node_t *kind = source_get(source, body, "kind");
	const char *about = source_get_text(source, body, "about");

	source_keys(source, body, allowed);
	type->name = pool_text(gen, full);
	type->description = pool_text(gen, about ? about : "");
	if (kind)
		type_kind(gen, source, kind, name, type);
	if (source_get_bool(source, body, "atomic", false))
		type->flags |= SCHEMA_TYPE_ATOMIC;
	if (!source_get_bool(source, body, "published", true))
		type->flags |= SCHEMA_TYPE_PRIVATE;
	if (fields && type->form != SCHEMA_OBJECT)
		source_fail(source, fields, "a type with a form of its own has no fields");
	source_keys(source, fields, NULL);
	type->fields = (uint32_t)gen->fields.count;
	type->order = (uint32_t)gen->orders.count;
	type->field_count = (uint16_t)source_pairs(source, fields);
	if (type->field_count > SCHEMA_FIELDS_MAX)
		source_fail(source, fields, "more than %d fields; raise SCHEMA_FIELDS_MAX",
			    SCHEMA_FIELDS_MAX);
	for (uint16_t i = 0; i < type->field_count; i++) {
		yaml_node_t *field;
		yaml_node_t *key = source_pair(source, fields, i, &field);

		field_build(gen, source, source_text(source, key), field);
		cox_vec_push(&gen->orders, i);
	}
	if (type->field_count > 0) {
		order_gen = gen;
		order_base = type->fields;
		qsort(gen->orders.items + type->order, type->field_count, sizeof(uint16_t),
		      order_compare);
		for (uint16_t i = 0; i < type->field_count; i++)
			cox_vec_push(&gen->orders, i);
		qsort(gen->orders.items + type->order + type->field_count, type->field_count,
		      sizeof(uint16_t), wire_compare);
	}
	type_defaults(gen, source, source_get(source, body, "defaults"), type);
}

void types_build(struct gen *gen, struct source *source)
{
	yaml_node_t *types = source_need(source, source->root, "types");
	size_t count = source_pairs(source, types);

	for (size_t i = 0; i < count; i++) {
		yaml_node_t *body;
		yaml_node_t *key = source_pair(source, types, i, &body);

		type_build(gen, source, source_text(source, key), body);
	}
}

static bool is_checked(const struct gen *gen, const struct schema_field *field)
{
	const unsigned rules = SCHEMA_NEEDED | SCHEMA_IMMUTABLE | SCHEMA_UNIQUE |
			       SCHEMA_HAS_MINIMUM | SCHEMA_HAS_MAXIMUM;

	return (field->flags & rules) ||
	       (field->enumeration && !(field->flags & SCHEMA_ENUM_OPEN)) ||
	       (field->format && strcmp(pool_get(gen, field->format), "milli") != 0);
}

/* What a type says of its own fields, and of those that come into being with it. */
static uint8_t spread_flags(const struct gen *gen, const struct schema_type *type)
{
	uint8_t flags = type->flags;

	if (type->default_count)
		flags |= SCHEMA_TYPE_SPRINGS | SCHEMA_TYPE_DEFAULTS;
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *field = &gen->fields.items[type->fields + i];
		uint8_t below = field->type ? gen->types.items[field->type - 1].flags : 0;

		if (field->applied)
			flags |= SCHEMA_TYPE_SPRINGS | SCHEMA_TYPE_DEFAULTS;
		if (is_checked(gen, field))
			flags |= SCHEMA_TYPE_CHECKED;
		flags |= below & (SCHEMA_TYPE_DEFAULTS | SCHEMA_TYPE_CHECKED);
		if (field->kind == SCHEMA_OBJECT && !(field->flags & SCHEMA_POINTER))
			flags |= below & SCHEMA_TYPE_SPRINGS;
	}
	return flags;
}

void types_spread_flags(struct gen *gen)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < gen->types.count; i++) {
			uint8_t flags = spread_flags(gen, &gen->types.items[i]);

			changed = changed || flags != gen->types.items[i].flags;
			gen->types.items[i].flags = flags;
		}
	}
}

uint32_t types_of_kind(const struct gen *gen, const char *group, const char *version,
		       const char *kind)
{
	for (size_t i = 0; i < gen->types.count; i++) {
		const struct schema_type *type = &gen->types.items[i];

		if (type->kind && strcmp(pool_get(gen, type->kind), kind) == 0 &&
		    strcmp(pool_get(gen, type->version), version) == 0 &&
		    strcmp(pool_get(gen, type->group), group) == 0)
			return (uint32_t)i + 1;
	}
	return 0;
}

void gates_build(struct gen *gen, struct source *source)
{
	static const char *const allowed[] = {"revision", "gates", NULL};
	yaml_node_t *gates;
	int32_t revision;
	size_t count;

	source_keys(source, source->root, allowed);
	if (!source_get_number(source, source->root, "revision", &revision))
		source_fail(source, source->root, "\"revision\" is missing");
	gen->epoch = 2166136261u ^ (uint32_t)revision;
	gates = source_need(source, source->root, "gates");
	source_keys(source, gates, NULL);
	count = source_pairs(source, gates);
	for (size_t i = 0; i < count; i++) {
		yaml_node_t *state;
		yaml_node_t *key = source_pair(source, gates, i, &state);
		const char *text = source_text(source, state);

		if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
			source_fail(source, state, "a gate is on or off, not \"%s\"", text);
		cox_vec_push(&gen->gates,
			     (struct gate){.name = cox_strdup(source_text(source, key)),
					   .on = strcmp(text, "on") == 0});
	}
}
