/* SPDX-License-Identifier: Apache-2.0 */
/* Comma separated values; see the header. */
#include "csv.h"

#include <coxswain/kit/text.h>
#include <string.h>

void csv_begin(struct csv_reader *reader, const char *data, size_t size)
{
	*reader = (struct csv_reader){data, data + size, 1};
}

void csv_record_free(struct csv_record *record)
{
	if (record->text.data)
		explicit_bzero(record->text.data, record->text.capacity);
	cox_buf_free(&record->text);
	record->count = 0;
}

const char *csv_field(const struct csv_record *record, size_t index)
{
	return index < record->count ? record->text.data + record->starts[index] : "";
}

static int wrong(struct cox_buf *why, const char *text)
{
	cox_buf_str(why, text);
	return -1;
}

static bool at_text(const struct csv_reader *reader, const char *text)
{
	size_t size = strlen(text);

	return (size_t)(reader->end - reader->at) >= size && memcmp(reader->at, text, size) == 0;
}

/* Steps over the end of a line, if here is one. */
static bool take_line_end(struct csv_reader *reader)
{
	if (!at_text(reader, "\n") && !at_text(reader, "\r\n"))
		return false;
	reader->at += *reader->at == '\r' ? 2 : 1;
	reader->line++;
	return true;
}

static bool at_field_end(const struct csv_reader *reader)
{
	return reader->at == reader->end || *reader->at == ',' || at_text(reader, "\n") ||
	       at_text(reader, "\r\n");
}

static int check_mark(const struct csv_reader *reader, struct cox_buf *why)
{
	static const struct {
		const char *bytes, *name;
	} marks[] = {
		{"\xe2\x80\x98", "U+2018"}, {"\xe2\x80\x99", "U+2019"}, {"\xe2\x80\x9c", "U+201C"},
		{"\xe2\x80\x9d", "U+201D"}, {"\xc2\xab", "U+00AB"},	{"\xc2\xbb", "U+00BB"},
		{"\xef\xbb\xbf", "U+FEFF"}, {"\xc2\xa0", "U+00A0"},
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (!at_text(reader, marks[i].bytes))
			continue;
		cox_buf_printf(why,
			       "a field begins with the character %s; quote with plain "
			       "\"quotation marks\"",
			       marks[i].name);
		return -1;
	}
	return 0;
}

static int read_quoted(struct csv_reader *reader, struct cox_buf *out, struct cox_buf *why)
{
	unsigned begin = reader->line;

	for (reader->at++; reader->at < reader->end; reader->at++) {
		if (*reader->at == '"' && !at_text(reader, "\"\"")) {
			reader->at++;
			return at_field_end(reader)
				       ? 0
				       : wrong(why, "text after a closing quotation mark");
		}
		if (*reader->at == '"')
			reader->at++;
		else if (*reader->at == '\n')
			reader->line++;
		cox_buf_char(out, *reader->at);
	}
	reader->line = begin;
	return wrong(why, "a quotation mark is never closed");
}

static int read_plain(struct csv_reader *reader, struct cox_buf *out, struct cox_buf *why)
{
	for (; !at_field_end(reader); reader->at++) {
		if (*reader->at == '"')
			return wrong(why, "a quotation mark inside a field that does not begin "
					  "with one");
		cox_buf_char(out, *reader->at);
	}
	return 0;
}

static int read_field(struct csv_reader *reader, struct csv_record *record, struct cox_buf *why)
{
	size_t start = record->text.size;
	unsigned line = reader->line;
	const char *field;
	size_t size;

	if (record->count == CSV_FIELDS_MAX) {
		cox_buf_printf(why, "more than %d columns", CSV_FIELDS_MAX);
		return -1;
	}
	if (check_mark(reader, why) != 0)
		return -1;
	if (at_text(reader, "\"") ? read_quoted(reader, &record->text, why)
				  : read_plain(reader, &record->text, why))
		return -1;
	size = record->text.size - start;
	cox_buf_char(&record->text, '\0');
	field = record->text.data + start;
	record->starts[record->count++] = start;
	if (strlen(field) == size && cox_utf8_valid(field, size, NULL))
		return 0;
	reader->line = line;
	return wrong(why, strlen(field) != size ? "a zero byte" : "bytes that are not UTF-8");
}

int csv_next(struct csv_reader *reader, struct csv_record *record, struct cox_buf *why)
{
	while (take_line_end(reader))
		;
	if (reader->at == reader->end)
		return 0;
	cox_buf_clear(&record->text);
	record->count = 0;
	record->line = reader->line;
	for (;;) {
		if (read_field(reader, record, why) != 0)
			return -1;
		if (reader->at == reader->end || take_line_end(reader))
			return 1;
		reader->at++; /* the comma; a field follows, be it empty */
	}
}
