/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of events. One kind in two groups: events.k8s.io renames the fields of
 * the older form, and both write the same columns.
 */
#include "apiserver/printers.h"

#include <ctype.h>
#include <string.h>

/* Where each form of an event keeps what is shown. */
struct event_fields {
	const char *object, *message, *source, *reporter, *first_seen, *last_seen, *count;
};

/* A cell of text without the blanks around it. */
static void print_trimmed(struct table_row *row, const char *text)
{
	size_t size;

	while (isspace((unsigned char)*text))
		text++;
	for (size = strlen(text); size && isspace((unsigned char)text[size - 1]);)
		size--;
	cell_printf(row, "%.*s", (int)size, text);
}

/* "pod/web", in lower case as resources are typed. */
static void print_target(struct table_row *row, const struct value *object)
{
	const char *name = value_get_text(object, "name");
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_str(&text, value_get_text(object, "kind"));
	for (size_t i = 0; i < text.size; i++)
		text.data[i] = (char)tolower((unsigned char)text.data[i]);
	if (*name)
		cox_buf_printf(&text, "/%s", name);
	cell_text(row, cox_buf_cstr(&text));
}

static const char *first_set(const char *one, const char *other)
{
	return *one ? one : other;
}

/* Who tells it, and from where: the older fields count if they are set. */
static void print_source(struct table_row *row, const struct event_fields *fields)
{
	const struct value *source = value_get(row->object, fields->source);
	const char *component = first_set(value_get_text(source, "component"),
					  value_get_text(row->object, fields->reporter));
	const char *instance = first_set(value_get_text(source, "host"),
					 value_get_text(row->object, "reportingInstance"));

	cell_printf(row, "%s%s%s", component, *instance ? ", " : "", instance);
}

/* A series tells last and count of its own; both are missing from single events. */
static void print_either(struct table_row *row, const struct event_fields *fields)
{
	const struct value *event = row->object, *series = value_get(event, "series");
	const struct value *object = value_get(event, fields->object);
	const char *event_time = value_get_text(event, "eventTime");
	const char *first = first_set(value_get_text(event, fields->first_seen), event_time);
	const char *last = first_set(value_get_text(event, fields->last_seen), first);
	int64_t count = value_get_int(event, fields->count, 0);

	if (series) {
		last = value_get_text(series, "lastObservedTime");
		count = value_get_int(series, "count", 0);
	} else if (count == 0) {
		count = 1; /* one that happened once has no count in the newer form */
	}
	cell_age(row, last);
	cell_text(row, value_get_text(event, "type"));
	cell_text(row, value_get_text(event, "reason"));
	print_target(row, object);
	cell_text(row, value_get_text(object, "fieldPath"));
	print_source(row, fields);
	print_trimmed(row, value_get_text(event, fields->message));
	cell_age(row, first);
	cell_int(row, count);
	print_name(row);
}

void print_core_event(struct table_row *row)
{
	static const struct event_fields fields = {.object = "involvedObject",
						   .message = "message",
						   .source = "source",
						   .reporter = "reportingComponent",
						   .first_seen = "firstTimestamp",
						   .last_seen = "lastTimestamp",
						   .count = "count"};

	print_either(row, &fields);
}

void print_event(struct table_row *row)
{
	static const struct event_fields fields = {.object = "regarding",
						   .message = "note",
						   .source = "deprecatedSource",
						   .reporter = "reportingController",
						   .first_seen = "deprecatedFirstTimestamp",
						   .last_seen = "deprecatedLastTimestamp",
						   .count = "deprecatedCount"};

	print_either(row, &fields);
}
