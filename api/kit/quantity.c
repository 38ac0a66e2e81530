/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantities; see the header. A text is digits × 2^b × 10^d: the digits are
 * read as one 128-bit number, then scaled to billionths with every product
 * checked.
 */
#include <coxswain/kit/quantity.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 unsigned_wide;

enum { NANO_DIGITS = 9 };

static const int64_t nano_per_unit = 1000000000;
static const int64_t nano_per_milli = 1000000;

#define WIDE_MAX ((wide)((~(unsigned_wide)0) >> 1))

static const struct suffix {
	const char *text;
	int8_t binary;	/* 2^binary */
	int8_t decimal; /* 10^decimal */
} suffixes[] = {
	{"n", 0, -9},  {"u", 0, -6},  {"m", 0, -3},  {"", 0, 0},    {"k", 0, 3},   {"M", 0, 6},
	{"G", 0, 9},   {"T", 0, 12},  {"P", 0, 15},  {"E", 0, 18},  {"Ki", 10, 0}, {"Mi", 20, 0},
	{"Gi", 30, 0}, {"Ti", 40, 0}, {"Pi", 50, 0}, {"Ei", 60, 0},
};

/* The parts of a text. */
struct parts {
	unsigned_wide digits;
	bool negative;
	bool rest; /* digits were dropped that are not zero */
	int32_t binary;
	int32_t decimal;
	uint8_t format;
};

static int refuse_form(const char **why)
{
	*why = "quantities must match the regular expression "
	       "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
	return -1;
}

static int refuse_suffix(const char **why)
{
	*why = "unable to parse quantity's suffix";
	return -1;
}

static int refuse_size(const char **why)
{
	*why = "unable to parse numeric part of quantity: it is out of range";
	return -1;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Reads [+-]digits[.digits]. What does not fit any more is dropped: before the
 * point that raises the exponent, behind it it is below a billionth anyway.
 */
static const char *read_digits(const char *at, const char *end, struct parts *parts)
{
	bool point = false, full = false;
	size_t seen = 0;

	if (at < end && (*at == '+' || *at == '-'))
		parts->negative = *at++ == '-';
	for (; at < end && (is_digit(*at) || (*at == '.' && !point)); at++) {
		unsigned_wide more;

		if (*at == '.') {
			point = true;
			continue;
		}
		seen++;
		if (full || __builtin_mul_overflow(parts->digits, 10, &more) ||
		    __builtin_add_overflow(more, (unsigned)(*at - '0'), &more)) {
			full = true;
			parts->rest |= *at != '0';
			parts->decimal += !point;
		} else {
			parts->digits = more;
			parts->decimal -= point;
		}
	}
	return seen ? at : NULL;
}

/* e3, E-6: 0; -1 if it is no exponent. */
static int read_exponent(const char *at, const char *end, struct parts *parts)
{
	bool negative;
	int32_t exponent = 0;

	if (at == end || (*at != 'e' && *at != 'E'))
		return -1;
	at++;
	negative = at < end && *at == '-';
	if (at < end && (*at == '-' || *at == '+'))
		at++;
	if (at == end)
		return -1;
	for (; at < end; at++) {
		if (!is_digit(*at))
			return -1;
		/* far out of range stays so */
		if (exponent < 100000)
			exponent = exponent * 10 + (*at - '0');
	}
	parts->decimal += negative ? -exponent : exponent;
	parts->format = COX_QUANTITY_DECIMAL_EXPONENT;
	return 0;
}

static int read_suffix(const char *at, const char *end, struct parts *parts, const char **why)
{
	size_t size = (size_t)(end - at);

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (strlen(suffixes[i].text) != size || memcmp(suffixes[i].text, at, size) != 0)
			continue;
		parts->binary = suffixes[i].binary;
		parts->decimal += suffixes[i].decimal;
		parts->format =
			suffixes[i].binary ? COX_QUANTITY_BINARY_SI : COX_QUANTITY_DECIMAL_SI;
		return 0;
	}
	if (read_exponent(at, end, parts) == 0)
		return 0;
	/* an unknown suffix is one thing, a character that is in none another */
	at += strspn(at, "eEinumkKMGTP") < size ? strspn(at, "eEinumkKMGTP") : size;
	if (at < end && (*at == '-' || *at == '+'))
		at++;
	while (at < end && is_digit(*at))
		at++;
	return at == end ? refuse_suffix(why) : refuse_form(why);
}

/* digits × 2^binary × 10^decimal in billionths, rounded up. */
static int scale(const struct parts *parts, unsigned_wide *nano, const char **why)
{
	int32_t decimal = parts->decimal + NANO_DIGITS;
	unsigned_wide sum = parts->digits;
	bool rest = parts->rest;

	if (!sum && !rest) {
		*nano = 0;
		return 0;
	}
	/* dropped digits that would still count */
	if (rest && (decimal >= 0 || parts->binary))
		return refuse_size(why);
	if (parts->binary && __builtin_mul_overflow(sum, (unsigned_wide)1 << parts->binary, &sum))
		return refuse_size(why);
	for (; decimal > 0; decimal--)
		if (__builtin_mul_overflow(sum, 10, &sum))
			return refuse_size(why);
	for (; decimal < 0 && sum; decimal++) {
		rest |= sum % 10 != 0;
		sum /= 10;
	}
	sum += rest;
	if (sum > (unsigned_wide)WIDE_MAX)
		return refuse_size(why);
	*nano = sum;
	return 0;
}

int cox_quantity_parse(const char *text, size_t size, struct cox_quantity *out, const char **reason)
{
	const unsigned_wide binary_limit = (unsigned_wide)INT64_MAX * (unsigned_wide)nano_per_unit;
	const char *end = text + size, *at, *ignored;
	const char **why = reason ? reason : &ignored;
	struct parts parts = {0};
	char copy[128];
	unsigned_wide nano = 0;

	if (size >= sizeof(copy))
		return refuse_size(why);
	/* with a zero byte behind it, for the searches */
	memcpy(copy, text, size);
	copy[size] = '\0';
	end = copy + size;
	at = read_digits(copy, end, &parts);
	if (!at)
		return refuse_form(why);
	if (read_suffix(at, end, &parts, why) != 0 || scale(&parts, &nano, why) != 0)
		return -1;
	if (parts.format == COX_QUANTITY_BINARY_SI) {
		if (nano > binary_limit)
			nano = binary_limit;
		/* below one there is no binary form */
		if (nano && nano < (unsigned_wide)nano_per_unit)
			parts.format = COX_QUANTITY_DECIMAL_SI;
	}
	out->nano = parts.negative ? -(wide)nano : (wide)nano;
	out->format = parts.format;
	return 0;
}

struct cox_quantity cox_quantity_from_int(int64_t units, enum cox_quantity_format format)
{
	return (struct cox_quantity){(wide)units * nano_per_unit, (uint8_t)format};
}

struct cox_quantity cox_quantity_from_milli(int64_t milli, enum cox_quantity_format format)
{
	return (struct cox_quantity){(wide)milli * nano_per_milli, (uint8_t)format};
}

/* Decimal digits of a number, with its sign; returns the length. */
static size_t write_digits(unsigned_wide number, bool negative, char *out)
{
	char digits[40];
	size_t count = 0, size = 0;

	do {
		digits[count++] = (char)('0' + (int)(number % 10));
		number /= 10;
	} while (number);
	if (negative)
		out[size++] = '-';
	while (count)
		out[size++] = digits[--count];
	out[size] = '\0';
	return size;
}

static size_t format_decimal(unsigned_wide nano, bool negative, bool exponents, char *out)
{
	int exponent = -NANO_DIGITS;
	size_t size;

	/* SI names end at E; exponents go on */
	while (nano % 1000 == 0 && (exponents || exponent < 18)) {
		nano /= 1000;
		exponent += 3;
	}
	size = write_digits(nano, negative, out);
	if (exponents && exponent)
		size += (size_t)snprintf(out + size, COX_QUANTITY_TEXT_MAX - size, "e%d", exponent);
	for (size_t i = 0; !exponents && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (suffixes[i].binary || suffixes[i].decimal != exponent)
			continue;
		memcpy(out + size, suffixes[i].text, strlen(suffixes[i].text) + 1);
		size += strlen(suffixes[i].text);
	}
	return size;
}

static size_t format_binary(unsigned_wide units, bool negative, char *out)
{
	int exponent = 0;
	size_t size;

	while (units % 1024 == 0 && exponent < 60) {
		units /= 1024;
		exponent += 10;
	}
	size = write_digits(units, negative, out);
	if (exponent) {
		out[size++] = "KMGTPE"[exponent / 10 - 1];
		out[size++] = 'i';
		out[size] = '\0';
	}
	return size;
}

size_t cox_quantity_format(const struct cox_quantity *quantity, char out[COX_QUANTITY_TEXT_MAX])
{
	bool negative = quantity->nano < 0;
	unsigned_wide nano = negative ? (unsigned_wide)0 - (unsigned_wide)quantity->nano
				      : (unsigned_wide)quantity->nano;
	unsigned_wide units = nano / (unsigned_wide)nano_per_unit;

	if (!nano) {
		memcpy(out, "0", 2);
		return 1;
	}
	if (quantity->format == COX_QUANTITY_BINARY_SI && units >= 1024 &&
	    nano % (unsigned_wide)nano_per_unit == 0)
		return format_binary(units, negative, out);
	return format_decimal(nano, negative, quantity->format == COX_QUANTITY_DECIMAL_EXPONENT,
			      out);
}

int cox_quantity_compare(const struct cox_quantity *a, const struct cox_quantity *b)
{
	return (a->nano > b->nano) - (a->nano < b->nano);
}

int cox_quantity_sign(const struct cox_quantity *quantity)
{
	return (quantity->nano > 0) - (quantity->nano < 0);
}

static int keep_sum(struct cox_quantity *to, const struct cox_quantity *by, wide sum)
{
	if (!to->nano)
		to->format = by->format;
	to->nano = sum;
	return 0;
}

int cox_quantity_add(struct cox_quantity *to, const struct cox_quantity *by)
{
	wide sum;

	return __builtin_add_overflow(to->nano, by->nano, &sum) ? -1 : keep_sum(to, by, sum);
}

int cox_quantity_sub(struct cox_quantity *to, const struct cox_quantity *by)
{
	wide sum;

	return __builtin_sub_overflow(to->nano, by->nano, &sum) ? -1 : keep_sum(to, by, sum);
}

static int64_t rounded(wide nano, int64_t unit)
{
	wide quotient = nano / unit, rest = nano % unit;

	quotient += rest > 0 ? 1 : rest < 0 ? -1 : 0;
	return quotient > INT64_MAX   ? INT64_MAX
	       : quotient < INT64_MIN ? INT64_MIN
				      : (int64_t)quotient;
}

int64_t cox_quantity_units(const struct cox_quantity *quantity)
{
	return rounded(quantity->nano, nano_per_unit);
}

int64_t cox_quantity_milli(const struct cox_quantity *quantity)
{
	return rounded(quantity->nano, nano_per_milli);
}

bool cox_quantity_is_whole(const struct cox_quantity *quantity)
{
	return quantity->nano % nano_per_unit == 0;
}
