/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pull reader and what all of JSON shares: strings, numbers, errors. The
 * reader keeps one state and one bit a level; json_skip is the same grammar as
 * json_next without handing out tokens, because reads of stored objects skip
 * most of what they see.
 */
#include "machinery/json.h"
#include "machinery/json_scan.h"

#include "base/character.h"

enum {
	AT_VALUE = 0,
	AT_FIRST_ITEM, /* behind [ */
	AT_FIRST_KEY,  /* behind { */
	AT_KEY,	       /* behind a comma in an object */
	BEHIND_VALUE,
	FAILED
};

int json_error_at(const char *data, size_t size, size_t offset, const char *why,
		  struct cox_error *err)
{
	char found[CHARACTER_TEXT_SIZE];
	size_t line, column;

	character_position(data, offset, &line, &column);
	character_describe(data + offset, size - offset, found);
	return error_set(err, COX_REASON_BAD_REQUEST,
			 "invalid JSON at line %zu, column %zu (byte %zu): found %s: %s", line,
			 column, offset, offset == size ? "the end of the text" : found, why);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits at `at`, or -1 with the first that is none in *bad. */
static int32_t read_hex4(const char *at, const char *end, const char **bad)
{
	int32_t code = 0;

	for (int i = 0; i < 4; i++, at++) {
		int digit = at < end ? hex_digit(*at) : -1;

		if (digit < 0) {
			*bad = at;
			return -1;
		}
		code = code << 4 | digit;
	}
	return code;
}

static const char *scan_unicode_escape(const char *at, const char *end, const char **bad,
				       const char **why)
{
	const char *start = at - 2; /* the backslash */
	int32_t code = read_hex4(at, end, bad);

	*why = "expected four hexadecimal digits after \\u";
	if (code < 0)
		return NULL;
	at += 4;
	if (code >= 0xd800 && code <= 0xdbff) {
		if (end - at >= 2 && at[0] == '\\' && at[1] == 'u') {
			code = read_hex4(at + 2, end, bad);
			if (code < 0)
				return NULL;
			if (code >= 0xdc00 && code <= 0xdfff)
				return at + 6;
		}
		code = 0xdc00;
	}
	if (code >= 0xdc00 && code <= 0xdfff) {
		*bad = start;
		*why = "half of a surrogate pair stands alone";
		return NULL;
	}
	return at;
}

const char *json_scan_escape(const char *at, const char *end, const char **bad, const char **why)
{
	uint32_t code;
	size_t length;

	*bad = at;
	if (at == end) {
		*why = "expected the closing quote of the string";
		return NULL;
	}
	if (*at == '\\') {
		*bad = ++at;
		if (at < end && *at == 'u')
			return scan_unicode_escape(at + 1, end, bad, why);
		if (at < end && *at && strchr("\"\\/bfnrt", *at))
			return at + 1;
		*why = "expected one of \" \\ / b f n r t u after a backslash";
		return NULL;
	}
	if ((unsigned char)*at < 0x20) {
		*why = "not allowed inside a string, write an escape";
		return NULL;
	}
	length = character_decode(at, (size_t)(end - at), &code);
	*why = "strings must be UTF-8";
	return length ? at + length : NULL;
}

static const char *scan_digits(const char *at, const char *end, const char **bad, const char **why)
{
	const char *start = at;

	while (at < end && *at >= '0' && *at <= '9')
		at++;
	if (at > start)
		return at;
	*bad = at;
	*why = "expected a digit";
	return NULL;
}

const char *json_scan_number(const char *at, const char *end, bool *whole, const char **bad,
			     const char **why)
{
	*whole = true;
	if (*at == '-')
		at++;
	if (at < end && *at == '0') {
		at++;
		if (at < end && *at >= '0' && *at <= '9') {
			*bad = at;
			*why = "a number must not begin with a zero";
			return NULL;
		}
	} else if (!(at = scan_digits(at, end, bad, why))) {
		return NULL;
	}
	if (at < end && *at == '.') {
		*whole = false;
		at = scan_digits(at + 1, end, bad, why);
	}
	if (at && at < end && (*at | 0x20) == 'e') {
		*whole = false;
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		at = scan_digits(at, end, bad, why);
	}
	return at;
}

const char *json_scan_word(const char *at, const char *end, const char **bad, const char **why)
{
	const char *word = *at == 't' ? "true" : *at == 'f' ? "false" : "null";

	*why = JSON_WHY_VALUE;
	*bad = at;
	for (; *word; word++, at++) {
		if (at == end)
			*bad = at;
		if (at == end || *at != *word)
			return NULL;
	}
	return at;
}

void json_reader_init(struct json_reader *reader, const void *data, size_t size)
{
	*reader = (struct json_reader){.data = data, .size = size};
}

static bool in_array(const struct json_reader *reader, unsigned depth)
{
	return reader->arrays[(depth - 1) / 64] >> ((depth - 1) % 64) & 1;
}

static enum json_token fail(struct json_reader *reader, const char *at, const char *why)
{
	reader->at = (size_t)(at - reader->data);
	reader->why = why;
	reader->state = FAILED;
	return JSON_BAD;
}

static enum json_token open_level(struct json_reader *reader, const char *at, bool array)
{
	uint64_t bit;

	if (reader->depth == JSON_DEPTH_MAX)
		return fail(reader, at, JSON_WHY_DEPTH);
	bit = (uint64_t)1 << (reader->depth % 64);
	if (array)
		reader->arrays[reader->depth / 64] |= bit;
	else
		reader->arrays[reader->depth / 64] &= ~bit;
	reader->depth++;
	reader->at = (size_t)(at + 1 - reader->data);
	reader->state = array ? AT_FIRST_ITEM : AT_FIRST_KEY;
	return array ? JSON_ARRAY_BEGIN : JSON_OBJECT_BEGIN;
}

static enum json_token close_level(struct json_reader *reader, const char *at)
{
	reader->depth--;
	reader->at = (size_t)(at + 1 - reader->data);
	reader->state = BEHIND_VALUE;
	return *at == ']' ? JSON_ARRAY_END : JSON_OBJECT_END;
}

/* A string whose opening quote is at `at`; what stands behind it, or NULL. */
static const char *take_string(struct json_reader *reader, const char *at)
{
	const char *bad, *why, *close;

	close = json_scan_string(at + 1, reader->data + reader->size, &reader->escaped, &bad, &why);
	if (!close) {
		fail(reader, bad, why);
		return NULL;
	}
	reader->text = at + 1;
	reader->text_size = (size_t)(close - at - 1);
	reader->at = (size_t)(close + 1 - reader->data);
	reader->state = BEHIND_VALUE;
	return close + 1;
}

static enum json_token read_key(struct json_reader *reader, const char *at)
{
	const char *end = reader->data + reader->size;

	at = take_string(reader, at);
	if (!at)
		return JSON_BAD;
	at = json_skip_blanks(at, end);
	if (at == end || *at != ':')
		return fail(reader, at, JSON_WHY_COLON);
	reader->at = (size_t)(at + 1 - reader->data);
	reader->state = AT_VALUE;
	return JSON_KEY;
}

static enum json_token read_scalar(struct json_reader *reader, const char *at)
{
	const char *end = reader->data + reader->size, *bad, *why, *stop;
	enum json_token token = *at == 't' ? JSON_TRUE : *at == 'f' ? JSON_FALSE : JSON_NULL;
	bool whole;

	if (*at == 't' || *at == 'f' || *at == 'n') {
		stop = json_scan_word(at, end, &bad, &why);
	} else if (*at == '-' || (*at >= '0' && *at <= '9')) {
		stop = json_scan_number(at, end, &whole, &bad, &why);
		token = JSON_NUMBER;
	} else {
		return fail(reader, at, JSON_WHY_VALUE);
	}
	if (!stop)
		return fail(reader, bad, why);
	reader->text = at;
	reader->text_size = (size_t)(stop - at);
	reader->escaped = false;
	reader->at = (size_t)(stop - reader->data);
	reader->state = BEHIND_VALUE;
	return token;
}

static enum json_token read_value(struct json_reader *reader, const char *at)
{
	if (at == reader->data + reader->size)
		return fail(reader, at, JSON_WHY_VALUE);
	if (*at == '"')
		return take_string(reader, at) ? JSON_STRING : JSON_BAD;
	if (*at == '{' || *at == '[')
		return open_level(reader, at, *at == '[');
	return read_scalar(reader, at);
}

static enum json_token behind_value(struct json_reader *reader, const char *at)
{
	const char *end = reader->data + reader->size;
	bool array;

	if (!reader->depth) {
		reader->at = (size_t)(at - reader->data);
		return at == end ? JSON_END : fail(reader, at, JSON_WHY_TRAILING);
	}
	array = in_array(reader, reader->depth);
	if (at < end && *at == (array ? ']' : '}'))
		return close_level(reader, at);
	if (at == end || *at != ',')
		return fail(reader, at, array ? JSON_WHY_ITEM_END : JSON_WHY_MEMBER_END);
	at = json_skip_blanks(at + 1, end);
	reader->start = (size_t)(at - reader->data);
	if (array)
		return read_value(reader, at);
	if (at == end || *at != '"')
		return fail(reader, at, JSON_WHY_KEY);
	return read_key(reader, at);
}

enum json_token json_next(struct json_reader *reader)
{
	const char *end = reader->data + reader->size;
	const char *at;

	if (reader->state == FAILED)
		return JSON_BAD;
	at = json_skip_blanks(reader->data + reader->at, end);
	reader->start = (size_t)(at - reader->data);
	switch (reader->state) {
	case BEHIND_VALUE:
		return behind_value(reader, at);
	case AT_FIRST_KEY:
		if (at < end && *at == '}')
			return close_level(reader, at);
		if (at == end || *at != '"')
			return fail(reader, at, JSON_WHY_FIRST_KEY);
		return read_key(reader, at);
	case AT_FIRST_ITEM:
		if (at < end && *at == ']')
			return close_level(reader, at);
		return read_value(reader, at);
	default:
		return read_value(reader, at);
	}
}

/*
 * One scalar or string at `at` for json_skip: what stands behind it, or NULL
 * after telling the reader.
 */
static inline const char *skip_scalar(struct json_reader *reader, const char *at, const char *end)
{
	const char *bad = at, *why = JSON_WHY_VALUE, *stop = NULL;
	bool flag;

	if (at == end)
		;
	else if (*at == '"')
		stop = json_scan_string(at + 1, end, &flag, &bad, &why);
	else if (*at == '-' || (*at >= '0' && *at <= '9'))
		stop = json_scan_number(at, end, &flag, &bad, &why);
	else if (*at == 't' || *at == 'f' || *at == 'n')
		stop = json_scan_word(at, end, &bad, &why);
	if (!stop) {
		fail(reader, bad, why);
		return NULL;
	}
	return *at == '"' ? stop + 1 : stop;
}

/* A key and its colon, for json_skip; as skip_scalar. */
static inline const char *skip_key(struct json_reader *reader, const char *at, const char *end,
				   const char *why)
{
	const char *bad;
	bool escaped;

	if (at == end || *at != '"') {
		fail(reader, at, why);
		return NULL;
	}
	at = json_scan_string(at + 1, end, &escaped, &bad, &why);
	if (!at) {
		fail(reader, bad, why);
		return NULL;
	}
	at = json_skip_blanks(at + 1, end);
	if (at == end || *at != ':') {
		fail(reader, at, JSON_WHY_COLON);
		return NULL;
	}
	return json_skip_blanks(at + 1, end);
}

/*
 * Skips what is left of the levels above `floor`; `at` stands behind the
 * bracket of a level that was just opened. Returns what stands behind, or NULL.
 */
static const char *skip_levels(struct json_reader *reader, const char *at, const char *end,
			       unsigned floor)
{
	bool array = in_array(reader, reader->depth), opened = true;
	char close = array ? ']' : '}';

	for (;;) {
		at = json_skip_blanks(at, end);
		if (!opened || at == end || *at != close) {
			if (!array && !(at = skip_key(reader, at, end,
						      opened ? JSON_WHY_FIRST_KEY : JSON_WHY_KEY)))
				return NULL;
			if (at < end && (*at == '{' || *at == '[')) {
				array = *at == '[';
				close = array ? ']' : '}';
				opened = true;
				if (open_level(reader, at++, array) == JSON_BAD)
					return NULL;
				continue;
			}
			at = skip_scalar(reader, at, end);
			if (!at)
				return NULL;
			at = json_skip_blanks(at, end);
		}
		while (at < end && *at == close) {
			at++;
			if (--reader->depth == floor)
				return at;
			array = in_array(reader, reader->depth);
			close = array ? ']' : '}';
			at = json_skip_blanks(at, end);
		}
		if (at == end || *at != ',') {
			fail(reader, at, array ? JSON_WHY_ITEM_END : JSON_WHY_MEMBER_END);
			return NULL;
		}
		at++;
		opened = false;
	}
}

int json_skip(struct json_reader *reader)
{
	const char *end = reader->data + reader->size;
	const char *at = reader->data + reader->at;

	if (reader->state == AT_VALUE) {
		at = json_skip_blanks(at, end);
		reader->start = (size_t)(at - reader->data);
		if (at < end && (*at == '{' || *at == '[')) {
			if (open_level(reader, at, *at == '[') == JSON_BAD)
				return -1;
			at = skip_levels(reader, at + 1, end, reader->depth - 1u);
		} else {
			at = skip_scalar(reader, at, end);
		}
	} else if (reader->state == AT_FIRST_ITEM || reader->state == AT_FIRST_KEY) {
		at = skip_levels(reader, at, end, reader->depth - 1u);
	} else {
		return reader->state == FAILED ? -1 : 0; /* a scalar that was read whole */
	}
	if (!at)
		return -1;
	reader->at = (size_t)(at - reader->data);
	reader->state = BEHIND_VALUE;
	return 0;
}

int json_reader_error(const struct json_reader *reader, struct cox_error *err)
{
	return json_error_at(reader->data, reader->size, reader->at,
			     reader->why ? reader->why : JSON_WHY_VALUE, err);
}

static char *put_utf8(char *out, uint32_t code)
{
	if (code < 0x80) {
		*out++ = (char)code;
		return out;
	}
	if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*out++ = (char)(0xe0 | code >> 12);
		} else {
			*out++ = (char)(0xf0 | code >> 18);
			*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (code & 0x3f));
	return out;
}

/* The text was scanned before, so that its escapes are known to be whole. */
size_t json_unescape(const char *text, size_t size, char *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *end = text + size, *bad;
	char *start = out;

	while (text < end) {
		const char *found;
		int32_t code;

		if (*text != '\\') {
			*out++ = *text++;
			continue;
		}
		if (text[1] != 'u') {
			found = memchr(from, text[1], sizeof(from) - 1);
			*out++ = found ? to[found - from] : text[1];
			text += 2;
			continue;
		}
		code = read_hex4(text + 2, end, &bad);
		text += 6;
		if (code >= 0xd800 && code <= 0xdbff && end - text >= 6) {
			code = 0x10000 + ((code - 0xd800) << 10) +
			       (read_hex4(text + 2, end, &bad) - 0xdc00);
			text += 6;
		}
		out = put_utf8(out, (uint32_t)code);
	}
	return (size_t)(out - start);
}
