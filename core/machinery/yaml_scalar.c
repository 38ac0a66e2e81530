/* SPDX-License-Identifier: Apache-2.0 */
/* Typing of YAML scalars; see yaml.h for the rules. */
#include "machinery/yaml_scalar.h"

#include "base/character.h"
#include "machinery/json_scan.h"

#include <stdio.h>
#include <string.h>

bool yaml_scalar_is_blank(uint32_t code)
{
	return code == 0xa0 || code == 0x2007 || code == 0x200b || code == 0x202f ||
	       code == 0x3000 || code == 0xfeff;
}

static bool is_quote(uint32_t code)
{
	return (code >= 0x2018 && code <= 0x201e) || code == 0x2032 || code == 0x2033 ||
	       code == 0xff02;
}

size_t yaml_scalar_trap(const char *text, size_t size, bool folded)
{
	bool front = true, sign = false; /* behind what a blank gives its meaning, or a fold */
	size_t blanks = size;		 /* the first of a run that may reach the end */

	for (size_t at = 0; at < size;) {
		uint32_t code = 0;
		size_t length = character_decode(text + at, size - at, &code);
		bool blank = yaml_scalar_is_blank(code);

		if (!length)
			return size;
		if (blank && (front || sign))
			return at;
		if (front && is_quote(code))
			return at;
		/* Meant as a comment. */
		if (code == '#' && blanks < size)
			return blanks;
		if (!blank)
			blanks = size;
		else if (blanks == size)
			blanks = at;
		sign = code == ':' || (front && (code == '-' || code == '?')) ||
		       (folded && (code == ' ' || code == '\n'));
		front = false;
		at += length;
	}
	return blanks;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const trues[] = {"true", "True", "TRUE", "yes", "Yes", "YES",
				    "on",   "On",   "ON",   "y",   "Y",	  NULL};
static const char *const falses[] = {"false", "False", "FALSE", "no", "No", "NO",
				     "off",   "Off",   "OFF",	"n",  "N",  NULL};
static const char *const no_numbers[] = {".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",
					 ".INF",  "+.inf", "+.Inf", "+.INF", "-.inf",
					 "-.Inf", "-.INF", NULL};

static int digit_of(char c, int base)
{
	int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

	return (c <= '9' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')) && digit >= 0 && digit < base
		       ? digit
		       : -1;
}

/* Integers in all their bases, underscores between digits. */
static struct value *read_integer(struct arena *arena, const char *text)
{
	bool negative = *text == '-', seen = false;
	const char *at = text + (*text == '-' || *text == '+');
	uint64_t sum = 0;
	int base = 10;

	if (at[0] == '0' && at[1]) {
		base = (at[1] | 0x20) == 'x' ? 16 : (at[1] | 0x20) == 'b' ? 2 : 8;
		at += base != 8 || (at[1] | 0x20) == 'o' ? 2 : 1;
	}
	for (; *at; at++) {
		int digit = digit_of(*at, base);

		if (*at == '_' && seen)
			continue;
		if (digit < 0 || __builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)digit, &sum))
			return NULL;
		seen = true;
	}
	if (!seen)
		return NULL;
	if (sum <= INT64_MAX)
		return value_int(arena, negative ? -(int64_t)sum : (int64_t)sum);
	if (negative && sum == (uint64_t)INT64_MAX + 1)
		return value_int(arena, INT64_MIN);
	char number[24];

	return negative ? NULL
			: value_number_n(arena, number,
					 (size_t)snprintf(number, sizeof(number), "%llu",
							  (unsigned long long)sum));
}

/* A decimal number, brought into JSON's form: .5, 5., +5e3 and 1_0.5 are taken. */
static struct value *read_decimal(struct arena *arena, const char *text, size_t size)
{
	char *number = arena_alloc(arena, size + 4), *out = number;
	const char *bad, *why, *at = text, *end;
	bool whole;

	if (*at == '-' || *at == '+') {
		if (*at == '-')
			*out++ = '-';
		at++;
	}
	if (!strchr("0123456789.", *at) || !*at)
		return NULL;
	/* zeros that JSON does not have in front */
	while (at[0] == '0' && (at[1] == '_' || (at[1] >= '0' && at[1] <= '9')))
		at++;
	if (*at == '.')
		*out++ = '0';
	for (; *at; at++) {
		if (*at == '_')
			continue;
		*out++ = *at;
		/* a point without digits behind it */
		if (*at == '.' && !(at[1] >= '0' && at[1] <= '9')) {
			if (at == text || !(at[-1] >= '0' && at[-1] <= '9'))
				return NULL;
			*out++ = '0';
		}
	}
	*out = '\0';
	end = json_scan_number(number, out, &whole, &bad, &why);
	return end == out ? value_number_n(arena, number, (size_t)(out - number)) : NULL;
}

static struct value *read_plain(struct arena *arena, const char *text, size_t size,
				const char **why)
{
	struct value *value = NULL;

	if (strlen(text) != size)
		return value_string_n(arena, text, size);
	if (is_one_of(text, nulls))
		return value_null(arena);
	if (is_one_of(text, trues) || is_one_of(text, falses))
		return value_bool(arena, is_one_of(text, trues));
	if (is_one_of(text, no_numbers)) {
		*why = "JSON has no such number";
		return NULL;
	}
	if (strchr("0123456789+-.", *text)) {
		value = read_integer(arena, text);
		if (!value)
			value = read_decimal(arena, text, size);
	}
	return value ? value : value_string_n(arena, text, size);
}

struct value *yaml_scalar_value(struct arena *arena, const char *text, size_t size, const char *tag,
				bool plain, const char **why)
{
	static const char core[] = "tag:yaml.org,2002:";
	const char *name = tag && strncmp(tag, core, strlen(core)) == 0 ? tag + strlen(core) : NULL;
	struct value *value;
	bool fits;

	if (!tag)
		return plain ? read_plain(arena, text, size, why)
			     : value_string_n(arena, text, size);
	if (strcmp(tag, "!") == 0 || (name && strcmp(name, "str") == 0))
		return value_string_n(arena, text, size);
	/* the base64 stays as it is: so the API wants its bytes */
	if (name && strcmp(name, "binary") == 0)
		return value_string_n(arena, text, size);
	value = name ? read_plain(arena, text, size, why) : NULL;
	fits = value && ((strcmp(name, "int") == 0 && value->kind == VALUE_INT) ||
			 (strcmp(name, "float") == 0 &&
			  (value->kind == VALUE_INT || value->kind == VALUE_NUMBER)) ||
			 (strcmp(name, "bool") == 0 && value->kind == VALUE_BOOL) ||
			 (strcmp(name, "null") == 0 && value->kind == VALUE_NULL));
	if (fits)
		return value;
	*why = "the tag is unknown or does not fit";
	return NULL;
}
