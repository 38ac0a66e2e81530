/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the schema tables that the programs have in them, for facts.py: a line
 * a field, with tabs between
 *   type, field, form, protobuf numbers, omit, pointer, gate, dropped, enum
 * where form is the protobuf type, "repeated" or "map" and the type of an
 * element in front of it.
 */
#include "machinery/schema.h"

#include <stdio.h>

static const struct schema *const s = &schema_builtin;

static const char *plain(unsigned kind)
{
	static const char *const names[] = {
		[SCHEMA_BOOL] = "bool",
		[SCHEMA_INT32] = "int32",
		[SCHEMA_INT64] = "int64",
		[SCHEMA_DOUBLE] = "double",
		[SCHEMA_STRING] = "string",
		[SCHEMA_BYTES] = "bytes",
		[SCHEMA_TIME] = "meta.v1.Time",
		[SCHEMA_MICRO_TIME] = "meta.v1.MicroTime",
		[SCHEMA_QUANTITY] = "resource.Quantity",
		[SCHEMA_INT_OR_STRING] = "intstr.IntOrString",
		[SCHEMA_RAW] = "raw",
		[SCHEMA_ANY] = "any",
		[SCHEMA_STRINGS] = "strings",
	};

	return kind < sizeof(names) / sizeof(*names) && names[kind] ? names[kind] : "?";
}

static const char *element_of(const struct schema_field *field, unsigned kind)
{
	return kind == SCHEMA_OBJECT ? schema_text(s, schema_field_type(s, field)->name)
				     : plain(kind);
}

static void print_form(const struct schema_field *field)
{
	if (field->kind == SCHEMA_ARRAY)
		printf("repeated %s", element_of(field, field->element));
	else if (field->kind == SCHEMA_MAP)
		printf("map %s", element_of(field, field->element));
	else
		printf("%s", element_of(field, field->kind));
}

static void print_field(const struct schema_type *type, const struct schema_field *field)
{
	size_t words = schema_list_count(s, field->enumeration);

	printf("%s\t%s\t", schema_text(s, type->name), schema_text(s, field->name));
	print_form(field);
	putchar('\t');
	for (unsigned i = 0; i < field->depth; i++)
		printf("%s%u", i ? "." : "", field->number[i]);
	printf("\t%s%s\t%d\t%s\t%d\t", field->flags & SCHEMA_OMIT_EMPTY ? "omitempty" : "",
	       field->flags & SCHEMA_OMIT_ZERO ? "+omitzero" : "",
	       field->flags & SCHEMA_POINTER ? 1 : 0, schema_text(s, field->gate),
	       field->flags & SCHEMA_DISABLED ? 1 : 0);
	for (size_t i = 0; i < words; i++) {
		const char *word = schema_list_at(s, field->enumeration, i);

		printf("%s%s", i ? "," : "", *word ? word : "\"\"");
	}
	putchar('\n');
}

int main(void)
{
	for (uint32_t t = 0; t < s->type_count; t++)
		for (size_t f = 0; f < s->types[t].field_count; f++)
			print_field(&s->types[t], schema_field_at(s, &s->types[t], f));
	return ferror(stdout) || fflush(stdout) != 0;
}
