/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the tables as C: constants without one pointer in the rows. */
#include "gen.h"

#include <string.h>

/* FNV-1a; what is hashed decides how a stored value is read. */
static uint32_t hash_text(uint32_t hash, const char *text)
{
	do {
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	} while (*text++);
	return hash;
}

static uint32_t hash_number(uint32_t hash, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		hash = (hash ^ (number >> (8 * i) & 255)) * 16777619u;
	return hash;
}

static uint32_t epoch(const struct gen *gen)
{
	uint32_t hash = gen->epoch;

	for (size_t i = 0; i < gen->types.count; i++) {
		const struct schema_type *type = &gen->types.items[i];

		hash = hash_text(hash, pool_get(gen, type->name));
		hash = hash_number(hash, type->form);
		for (size_t f = 0; f < type->field_count; f++) {
			const struct schema_field *field = &gen->fields.items[type->fields + f];

			hash = hash_text(hash, pool_get(gen, field->name));
			hash = hash_text(hash, pool_get(gen, field->applied));
			hash = hash_number(hash, (uint32_t)field->kind << 24 |
							 (uint32_t)field->element << 16 |
							 field->flags);
			hash = hash_number(hash, field->type);
		}
		for (size_t d = 0; d < type->default_count; d++) {
			const struct schema_default *row = &gen->defaults.items[type->defaults + d];

			hash = hash_text(hash, pool_get(gen, row->path));
			hash = hash_text(hash, pool_get(gen, row->value));
			hash = hash_text(hash, pool_get(gen, row->condition));
			hash = hash_text(hash, pool_get(gen, row->rule));
		}
	}
	for (size_t i = 0; i < gen->resources.count; i++) {
		uint32_t list = gen->resources.items[i].conversion;

		for (uint32_t c = 0; list && c < gen->lists.items[list]; c++)
			hash = hash_text(hash, pool_get(gen, gen->lists.items[list + 1 + c]));
	}
	return hash ? hash : 1;
}

static void emit_texts(const struct gen *gen, FILE *out)
{
	size_t column = 0;

	fputs("static const char texts[] =\n\t\"", out);
	for (size_t i = 0; i < gen->texts.size; i++) {
		unsigned char c = (unsigned char)gen->texts.data[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '?')
			fputc(c, out);
		else
			fprintf(out, "\\%03o", c);
		if (c == '\0' && ++column % 4 == 0 && i + 1 < gen->texts.size)
			fputs("\"\n\t\"", out);
	}
	fputs("\";\n\n", out);
}

static void emit_types(const struct gen *gen, FILE *out)
{
	fputs("static const struct schema_type types[] = {\n", out);
	for (size_t i = 0; i < gen->types.count; i++) {
		const struct schema_type *t = &gen->types.items[i];

		fprintf(out,
			"\t{%u, %u, %u, %u, %u, %u, %u, %u, %u, %u, %u, %u, {0, 0}}, /* %s */\n",
			t->name, t->group, t->version, t->kind, t->description, t->fields, t->order,
			t->defaults, t->field_count, t->default_count, t->form, t->flags,
			pool_get(gen, t->name));
	}
	fputs("};\n\nstatic const struct schema_field fields[] = {\n", out);
	for (size_t i = 0; i < gen->fields.count; i++) {
		const struct schema_field *f = &gen->fields.items[i];

		fprintf(out,
			"\t{%u, %u, %u, %u, %u, %u, %u, %u, %u, %u, %d, %d, %u, %u, %u, %u, %u, "
			"{%u, %u, %u, %u}, %u, {0}}, /* %s */\n",
			f->name, f->type, f->description, f->enumeration, f->merge_key, f->map_keys,
			f->published, f->applied, f->format, f->gate, f->minimum, f->maximum,
			f->flags, f->kind, f->element, f->list_type, f->depth, f->number[0],
			f->number[1], f->number[2], f->number[3], f->wrapped,
			pool_get(gen, f->name));
	}
	fputs("};\n\nstatic const struct schema_default defaults[] = {\n", out);
	for (size_t i = 0; i < gen->defaults.count; i++) {
		const struct schema_default *d = &gen->defaults.items[i];

		fprintf(out, "\t{%u, %u, %u, %u},\n", d->path, d->value, d->condition, d->rule);
	}
	fputs("};\n\n", out);
}

static void emit_resources(const struct gen *gen, FILE *out)
{
	fputs("static const struct schema_group groups[] = {\n", out);
	for (size_t i = 0; i < gen->groups.count; i++)
		fprintf(out, "\t{%u, %u},\n", gen->groups.items[i].name,
			gen->groups.items[i].versions);
	fputs("};\n\nstatic const struct schema_resource resources[] = {\n", out);
	for (size_t i = 0; i < gen->resources.count; i++) {
		const struct schema_resource *r = &gen->resources.items[i];

		fprintf(out,
			"\t{%u, %u, %u, %u, %u, %u, %u, %u, %u, %u, %u, %u, %u, %u, %u, %u, %u, "
			"%u, %u, "
			"%u, %u, %u, %u, %u, %u, %u}, /* %s */\n",
			r->group, r->version, r->name, r->kind, r->singular, r->type, r->list_kind,
			r->short_names, r->categories, r->verbs, r->prefix, r->storage_group,
			r->storage_version, r->storage_resource, r->storage_hash, r->conversion,
			r->description, r->name_format, r->deprecated, r->subresources, r->columns,
			r->labels, r->subresource_count, r->column_count, r->label_count, r->flags,
			pool_get(gen, r->name));
	}
	fputs("};\n\nstatic const struct schema_subresource subresources[] = {\n", out);
	for (size_t i = 0; i < gen->subresources.count; i++) {
		const struct schema_subresource *s = &gen->subresources.items[i];

		fprintf(out, "\t{%u, %u, %u, %u, %u, %u},\n", s->name, s->type, s->group,
			s->version, s->kind, s->verbs);
	}
	fputs("};\n\nstatic const struct schema_column columns[] = {\n", out);
	for (size_t i = 0; i < gen->columns.count; i++) {
		const struct schema_column *c = &gen->columns.items[i];

		fprintf(out, "\t{%u, %u, %u, %u, %d},\n", c->name, c->type, c->format,
			c->description, c->priority);
	}
	fputs("};\n\nstatic const struct schema_label labels[] = {\n", out);
	for (size_t i = 0; i < gen->labels.count; i++) {
		const struct schema_label *l = &gen->labels.items[i];

		fprintf(out, "\t{%u, %u, %u, %u},\n", l->name, l->maps_to, l->values, l->flags);
	}
	fputs("};\n\n", out);
}

void emit(const struct gen *gen, FILE *out)
{
	fputs("/* Generated from api/types and api/kinds; not for editing. */\n"
	      "#include \"machinery/schema.h\"\n\n",
	      out);
	emit_texts(gen, out);
	fputs("static const uint32_t lists[] = {", out);
	for (size_t i = 0; i < gen->lists.count; i++)
		fprintf(out, "%s%u,", i % 12 ? " " : "\n\t", gen->lists.items[i]);
	fputs("\n};\n\nstatic const uint16_t orders[] = {", out);
	for (size_t i = 0; i < gen->orders.count; i++)
		fprintf(out, "%s%u,", i % 16 ? " " : "\n\t", gen->orders.items[i]);
	fputs("\n};\n\n", out);
	emit_types(gen, out);
	emit_resources(gen, out);
	fprintf(out,
		"const struct schema schema_builtin = {\n"
		"\ttexts, lists, orders, types, fields, defaults, groups, resources,\n"
		"\tsubresources, columns, labels,\n"
		"\t%zu, %zu, %zu, %zu, 0x%08xu, 0,\n};\n",
		gen->types.count, gen->fields.count, gen->groups.count, gen->resources.count,
		epoch(gen));
}
