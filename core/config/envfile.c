/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of environment files; see the header. The grammar is systemd's
 * (src/basic/env-file.c describes it): comments only at the start of a line,
 * values bare, in single or in double quotes, backslash and newline join
 * lines. Where systemd guesses, this refuses.
 */
#include "config/envfile.h"

#include "config/typo.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct reader {
	const char *path;
	const char *at;
	const char *end;
	unsigned line;	/* of `at` */
	unsigned start; /* line where the assignment began */
	struct cox_error *err;
};

static int refuse(struct reader *reader, unsigned line, const char *format, ...) COX_PRINTF(3, 4);

static int refuse(struct reader *reader, unsigned line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_vset(reader->err, COX_REASON_INVALID, format, args);
	va_end(args);
	return error_wrap(reader->err, "%s:%u", reader->path, line);
}

static bool is_newline(char c)
{
	return c == '\n' || c == '\r';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char take(struct reader *reader)
{
	char c = *reader->at++;

	if (c == '\n')
		reader->line++;
	return c;
}

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && is_blank(*reader->at))
		reader->at++;
}

static const char *line_end(const struct reader *reader, const char *at)
{
	while (at < reader->end && !is_newline(*at))
		at++;
	return at;
}

/* What systemd versions read differently is refused: does the comment go on? */
static int skip_comment(struct reader *reader)
{
	const char *end = line_end(reader, reader->at);

	if (end[-1] == '\\')
		return refuse(reader, reader->line,
			      "the comment ends with '\\', which makes the next line part of it; "
			      "take it away");
	reader->at = end;
	return 0;
}

/* Names a look-alike in what has just been read, which explains all that follows from it. */
static int check_typos(struct reader *reader, const char *from, const char *to)
{
	struct typo typo;
	unsigned line = reader->start;
	char flag[64];

	if (!typo_find(from, (size_t)(to - from), &typo))
		return 0;
	for (const char *at = from; at < from + typo.at; at++)
		line += *at == '\n';
	if (strcmp(typo.instead, "-") == 0) {
		typo_flag_after(from + typo.at, (size_t)(to - from) - typo.at, flag, sizeof(flag));
		if (flag[0])
			return refuse(reader, line,
				      "U+%04X (%s) in place of \"-\": did you mean \"--%s\"?",
				      typo.code_point, typo.name, flag);
	}
	if (strcmp(typo.instead, "a blank") == 0 || strcmp(typo.instead, "nothing") == 0)
		return refuse(reader, line, "U+%04X (%s) in place of %s", typo.code_point,
			      typo.name, typo.instead);
	if (strcmp(typo.instead, "\"") == 0)
		return refuse(reader, line, "U+%04X (%s) in place of '\"'", typo.code_point,
			      typo.name);
	return refuse(reader, line, "U+%04X (%s) in place of \"%s\"", typo.code_point, typo.name,
		      typo.instead);
}

static bool key_valid(const char *key, size_t size)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
				      "0123456789";

	if (!size || (key[0] >= '0' && key[0] <= '9'))
		return false;
	for (size_t i = 0; i < size; i++)
		if (!key[i] || !strchr(allowed, key[i]))
			return false;
	return true;
}

static int read_key(struct reader *reader, char **key)
{
	const char *from = reader->at, *end = line_end(reader, from);
	const char *equals = memchr(from, '=', (size_t)(end - from));
	size_t size;

	if (!equals) {
		if (check_typos(reader, from, end) < 0)
			return -1;
		return refuse(reader, reader->line,
			      "\"%.*s\" is no assignment; want KEY=\"--flag=value\"",
			      (int)(end - from > 80 ? 80 : end - from), from);
	}
	size = (size_t)(equals - from);
	while (size && is_blank(from[size - 1]))
		size--;
	if (!key_valid(from, size)) {
		if (check_typos(reader, from, end) < 0)
			return -1;
		return refuse(reader, reader->line, "\"%.*s\" is no name of a variable%s",
			      (int)(size > 80 ? 80 : size), from,
			      size > 7 && strncmp(from, "export ", 7) == 0
				      ? "; take away \"export\", this is no shell script"
				      : "");
	}
	*key = cox_strndup(from, size);
	reader->at = equals + 1;
	return 0;
}

static int read_quoted(struct reader *reader, struct cox_buf *value)
{
	char quote = take(reader);
	const char *end;

	for (;;) {
		char c;

		if (reader->at == reader->end)
			return refuse(reader, reader->start, "the quote %c is never closed", quote);
		c = take(reader);
		if (c == quote)
			break;
		if (quote == '"' && c == '\\' && reader->at < reader->end) {
			char next = take(reader);

			if (next == '\n')
				continue;
			if (!strchr("\"\\`$", next))
				cox_buf_char(value, '\\');
			c = next;
		}
		cox_buf_char(value, c);
	}
	skip_blanks(reader);
	end = line_end(reader, reader->at);
	if (end > reader->at)
		return refuse(reader, reader->line,
			      "text behind the closing quote: \"%.*s\"; a comment needs a line of "
			      "its own",
			      (int)(end - reader->at > 80 ? 80 : end - reader->at), reader->at);
	return 0;
}

static void read_bare(struct reader *reader, struct cox_buf *value)
{
	size_t keep = 0; /* escaped blanks at the end stay */

	while (reader->at < reader->end && !is_newline(*reader->at)) {
		char c = take(reader);

		if (c == '\\') {
			if (reader->at == reader->end)
				break;
			c = take(reader);
			if (c == '\n')
				continue;
			cox_buf_char(value, c);
			keep = value->size;
			continue;
		}
		cox_buf_char(value, c);
	}
	while (value->size > keep && is_blank(value->data[value->size - 1]))
		cox_buf_truncate(value, value->size - 1);
}

static int read_assignment(struct reader *reader, struct envfile *env)
{
	cox_autobuf value = COX_BUF_INIT, origin = COX_BUF_INIT;
	cox_autofree char *key = NULL;
	const char *from = reader->at;
	int result = 0;

	reader->start = reader->line;
	if (read_key(reader, &key) < 0)
		return -1;
	skip_blanks(reader);
	if (reader->at < reader->end && (*reader->at == '"' || *reader->at == '\''))
		result = read_quoted(reader, &value);
	else
		read_bare(reader, &value);
	if (check_typos(reader, from, result < 0 ? line_end(reader, reader->at) : reader->at) < 0 ||
	    result < 0)
		return -1;
	cox_buf_printf(&origin, "%s:%u", reader->path, reader->start);
	cox_vec_push(&env->entries, (struct envfile_entry){cox_steal(key), cox_buf_steal(&value),
							   cox_buf_steal(&origin)});
	return 0;
}

static int check_bytes(struct reader *reader)
{
	size_t bad, size = (size_t)(reader->end - reader->at);
	bool valid = cox_utf8_valid(reader->at, size, &bad);
	unsigned line = 1;

	for (size_t i = 0; i < (valid ? size : bad); i++) {
		unsigned char c = (unsigned char)reader->at[i];

		if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f)
			return refuse(reader, line, "control character 0x%02x", c);
		line += c == '\n';
	}
	if (!valid)
		return refuse(reader, line, "byte 0x%02x is not UTF-8",
			      (unsigned char)reader->at[bad]);
	return 0;
}

int envfile_parse(struct envfile *env, const char *path, const char *text, size_t size,
		  struct cox_error *err)
{
	struct reader reader = {
		.path = path, .at = text, .end = text + size, .line = 1, .start = 1, .err = err};

	if (check_bytes(&reader) < 0)
		return -1;
	for (;;) {
		while (reader.at < reader.end && (is_blank(*reader.at) || is_newline(*reader.at)))
			take(&reader);
		if (reader.at == reader.end)
			return 0;
		if (*reader.at == '#' || *reader.at == ';') {
			if (skip_comment(&reader) < 0)
				return -1;
		} else if (read_assignment(&reader, env) < 0) {
			return -1;
		}
	}
}

int envfile_read(struct envfile *env, const char *path, struct cox_error *err)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cox_autobuf text = COX_BUF_INIT;
	struct stat info;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &info) < 0)
		return error_errno(err, errno, "%s", path);
	if (!S_ISREG(info.st_mode))
		return error_set(err, COX_REASON_INVALID, "%s: not a regular file", path);
	for (;;) {
		ssize_t got = read(fd, cox_buf_reserve(&text, 4096), 4096);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, errno, "%s", path);
		if (got == 0)
			break;
		cox_buf_added(&text, (size_t)got);
		if (text.size > ENVFILE_SIZE_MAX)
			return error_set(err, COX_REASON_INVALID, "%s: larger than 1 MiB", path);
	}
	return envfile_parse(env, path, cox_buf_cstr(&text), text.size, err);
}

void envfile_free(struct envfile *env)
{
	for (size_t i = 0; i < env->entries.count; i++) {
		free(env->entries.items[i].key);
		free(env->entries.items[i].value);
		free(env->entries.items[i].origin);
	}
	cox_vec_free(&env->entries);
}

const struct envfile_entry *envfile_get(const struct envfile *env, const char *key)
{
	for (size_t i = env->entries.count; i > 0; i--)
		if (strcmp(env->entries.items[i - 1].key, key) == 0)
			return &env->entries.items[i - 1];
	return NULL;
}

void envfile_words_free(struct envfile_words *words)
{
	for (size_t i = 0; i < words->items.count; i++)
		free(words->items.items[i]);
	cox_vec_free(&words->items);
}

/* One word, quotes and backslashes taken off; returns where it ends, NULL: quote left open. */
static const char *split_word(const char *at, struct cox_buf *word)
{
	char quote = '\0';

	for (; *at; at++) {
		if (quote && *at == quote) {
			quote = '\0';
		} else if (!quote && (*at == '"' || *at == '\'')) {
			quote = *at;
		} else if (!quote && (is_blank(*at) || is_newline(*at))) {
			break;
		} else {
			if (*at == '\\' && quote != '\'' && at[1])
				at++;
			cox_buf_char(word, *at);
		}
	}
	return quote ? NULL : at;
}

int envfile_split(const struct envfile_entry *entry, struct envfile_words *words,
		  struct cox_error *err)
{
	const char *at = entry->value;

	for (;;) {
		cox_autobuf word = COX_BUF_INIT;

		while (is_blank(*at) || is_newline(*at))
			at++;
		if (!*at)
			return 0;
		at = split_word(at, &word);
		if (!at)
			return error_set(err, COX_REASON_INVALID,
					 "%s: a quote inside the value of %s is never closed",
					 entry->origin, entry->key);
		cox_vec_push(&words->items, cox_buf_steal(&word));
	}
}
