/* SPDX-License-Identifier: Apache-2.0 */
/* Text, bytes and numbers; see the header for each rule. */
#include <coxswain/kit/text.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int cox_parse_int(const char *text, int64_t low, int64_t high, int64_t *value)
{
	bool negative = *text == '-';
	const char *at = text + negative;
	int64_t sum = 0;

	if (!*at)
		return -1;
	for (; *at; at++) {
		int digit = *at - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
			return -1;
	}
	if (sum < low || sum > high)
		return -1;
	*value = sum;
	return 0;
}

int cox_parse_bool(const char *text, bool *value)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return -1;
	*value = *text == 't';
	return 0;
}

/* Reads digits[.digits] as a multiple of `unit`; moves `at` behind it. */
static int read_scaled(const char **at, uint64_t *whole, uint64_t *fraction, uint64_t *scale)
{
	const char *start = *at;
	int digits = 0;

	*whole = *fraction = 0;
	*scale = 1;
	for (; **at >= '0' && **at <= '9'; (*at)++, digits++)
		if (__builtin_mul_overflow(*whole, 10, whole) ||
		    __builtin_add_overflow(*whole, (uint64_t)(**at - '0'), whole))
			return -1;
	if (**at == '.') {
		for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, digits++) {
			if (*scale >= 1000000000)
				continue; /* beyond a nanosecond of a second */
			*fraction = *fraction * 10 + (uint64_t)(**at - '0');
			*scale *= 10;
		}
	}
	return digits && *at > start ? 0 : -1;
}

int cox_parse_duration(const char *text, uint64_t *nanoseconds)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"ns", 1},
		     {"us", 1000},
		     {"µs", 1000},
		     {"ms", 1000000},
		     {"s", 1000000000},
		     {"m", 60000000000},
		     {"h", 3600000000000}};
	uint64_t total = 0;
	const char *at = text;

	if (strcmp(text, "0") == 0) {
		*nanoseconds = 0;
		return 0;
	}
	if (!*at)
		return -1;
	while (*at) {
		uint64_t whole, fraction, scale, part;
		size_t best = sizeof(units) / sizeof(units[0]);

		if (read_scaled(&at, &whole, &fraction, &scale) != 0)
			return -1;
		/* "m" and "ms" share a start: take the longest that fits */
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (cox_starts_with(at, units[i].name) &&
			    (best == sizeof(units) / sizeof(units[0]) ||
			     strlen(units[i].name) > strlen(units[best].name)))
				best = i;
		if (best == sizeof(units) / sizeof(units[0]))
			return -1;
		at += strlen(units[best].name);
		if (__builtin_mul_overflow(whole, units[best].ns, &part) ||
		    __builtin_add_overflow(total, part, &total) ||
		    __builtin_add_overflow(
			    total,
			    (uint64_t)((unsigned __int128)fraction * units[best].ns / scale),
			    &total))
			return -1;
	}
	if (total > INT64_MAX)
		return -1;
	*nanoseconds = total;
	return 0;
}

int cox_parse_size(const char *text, uint64_t *bytes)
{
	static const struct {
		const char *name;
		uint64_t factor;
	} units[] = {{"", 1},          {"Ki", 1u << 10},      {"Mi", 1u << 20},
		     {"Gi", 1u << 30}, {"Ti", 1ull << 40},    {"k", 1000},
		     {"M", 1000000},   {"G", 1000000000},     {"T", 1000000000000}};
	uint64_t value = 0;
	const char *at = text;

	if (*at < '0' || *at > '9')
		return -1;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(at, units[i].name) == 0)
			return __builtin_mul_overflow(value, units[i].factor, bytes) ? -1 : 0;
	return -1;
}

/* Appends the decimal fraction of value / unit, without trailing zeros. */
static int put_fraction(char *out, size_t size, uint64_t value, uint64_t unit, int digits,
			const char *suffix)
{
	int n = snprintf(out, size, "%" PRIu64 ".%0*" PRIu64, value / unit, digits, value % unit);

	while (out[n - 1] == '0')
		n--;
	if (out[n - 1] == '.')
		n--;
	return n + snprintf(out + n, size - (size_t)n, "%s", suffix);
}

void cox_format_duration(uint64_t nanoseconds, char out[32])
{
	const uint64_t second = 1000000000;
	uint64_t hours = nanoseconds / (3600 * second);
	uint64_t minutes = nanoseconds / (60 * second) % 60;
	int n = 0;

	if (nanoseconds == 0) {
		memcpy(out, "0s", 3);
		return;
	}
	if (nanoseconds < second) {
		if (nanoseconds < 1000)
			snprintf(out, 32, "%" PRIu64 "ns", nanoseconds);
		else if (nanoseconds < 1000000)
			put_fraction(out, 32, nanoseconds, 1000, 3, "µs");
		else
			put_fraction(out, 32, nanoseconds, 1000000, 6, "ms");
		return;
	}
	if (hours)
		n += snprintf(out + n, 32 - (size_t)n, "%" PRIu64 "h", hours);
	if (hours || minutes)
		n += snprintf(out + n, 32 - (size_t)n, "%" PRIu64 "m", minutes);
	put_fraction(out + n, 32 - (size_t)n, nanoseconds % (60 * second), second, 9, "s");
}

bool cox_utf8_valid(const char *data, size_t size, size_t *at)
{
	const unsigned char *in = (const unsigned char *)data;
	size_t i = 0;

	while (i < size) {
		unsigned char c = in[i];
		size_t more;
		unsigned low = 0x80, high = 0xbf;

		if (c < 0x80) {
			i++;
			continue;
		}
		more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		/* RFC 3629, section 4: no overlong forms, no surrogates */
		if (c < 0xc2 || c > 0xf4 || i + more >= size)
			goto bad;
		if (c == 0xe0)
			low = 0xa0;
		else if (c == 0xed)
			high = 0x9f;
		else if (c == 0xf0)
			low = 0x90;
		else if (c == 0xf4)
			high = 0x8f;
		if (in[i + 1] < low || in[i + 1] > high)
			goto bad;
		for (size_t k = 2; k <= more; k++)
			if ((in[i + k] & 0xc0) != 0x80)
				goto bad;
		i += more + 1;
	}
	return true;
bad:
	if (at)
		*at = i;
	return false;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned cox_edit_distance(const char *a, const char *b, unsigned limit)
{
	enum { MAX = 64 };
	unsigned rows[3][MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];
	size_t n = strnlen(a, MAX), m = strnlen(b, MAX);

	if ((n > m ? n - m : m - n) > limit)
		return limit + 1;
	for (size_t j = 0; j <= m; j++)
		last[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *spare = before;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

			best = least(best, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = least(best, before[j - 2] + 1);
			now[j] = best;
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[m] > limit ? limit + 1 : last[m];
}

static void lower_case(const char *text, char *out, size_t size)
{
	size_t i = 0;

	for (; text[i] && i + 1 < size; i++)
		out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
	out[i] = '\0';
}

const char *cox_nearest(const char *wrong, const char *const *names, size_t count)
{
	char wanted[65], name[65];
	unsigned best = 1 + (unsigned)strnlen(wrong, 64) / 3;
	const char *found = NULL;

	lower_case(wrong, wanted, sizeof(wanted));
	for (size_t i = 0; i < count; i++) {
		unsigned distance;

		lower_case(names[i], name, sizeof(name));
		distance = cox_edit_distance(wanted, name, best);
		if (distance < best || (distance == best && !found && distance <= best)) {
			best = distance;
			found = names[i];
		}
	}
	return found;
}

bool cox_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool cox_ends_with(const char *text, const char *suffix)
{
	size_t size = strlen(text), end = strlen(suffix);

	return size >= end && strcmp(text + size - end, suffix) == 0;
}

static const char base64_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t cox_base64_size(size_t bytes)
{
	return (bytes + 2) / 3 * 4 + 1;
}

static char *encode_base64(const char *alphabet, bool pad, const unsigned char *in, size_t size,
			   char *out)
{
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t word = (uint32_t)in[i] << 16;

		if (left > 1)
			word |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			word |= in[i + 2];
		*out++ = alphabet[word >> 18];
		*out++ = alphabet[word >> 12 & 63];
		if (left > 1)
			*out++ = alphabet[word >> 6 & 63];
		else if (pad)
			*out++ = '=';
		if (left > 2)
			*out++ = alphabet[word & 63];
		else if (pad)
			*out++ = '=';
	}
	*out = '\0';
	return out;
}

void cox_base64_encode(const void *data, size_t size, char *out)
{
	encode_base64(base64_alphabet, true, data, size, out);
}

void cox_base64url_encode(const void *data, size_t size, char *out)
{
	encode_base64(base64url_alphabet, false, data, size, out);
}

static int base64_digit(char c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	if (c == (url ? '_' : '/'))
		return 63;
	return -1;
}

/* `size` counts digits only. Bits that no byte uses must be zero. */
static int64_t decode_base64(const char *text, size_t size, bool url, unsigned char *out)
{
	uint32_t word = 0;
	int64_t count = 0;

	if (size % 4 == 1)
		return -1;
	for (size_t i = 0; i < size; i++) {
		int digit = base64_digit(text[i], url);

		if (digit < 0)
			return -1;
		word = word << 6 | (uint32_t)digit;
		if (i % 4 == 3) {
			out[count++] = (unsigned char)(word >> 16);
			out[count++] = (unsigned char)(word >> 8);
			out[count++] = (unsigned char)word;
			word = 0;
		}
	}
	if (size % 4 == 2) {
		if (word & 15)
			return -1;
		out[count++] = (unsigned char)(word >> 4);
	} else if (size % 4 == 3) {
		if (word & 3)
			return -1;
		out[count++] = (unsigned char)(word >> 10);
		out[count++] = (unsigned char)(word >> 2);
	}
	return count;
}

int64_t cox_base64_decode(const char *text, size_t size, void *out)
{
	if (size % 4 != 0)
		return -1;
	for (int i = 0; i < 2 && size && text[size - 1] == '='; i++)
		size--;
	return decode_base64(text, size, false, out);
}

int64_t cox_base64url_decode(const char *text, size_t size, void *out)
{
	return decode_base64(text, size, true, out);
}

bool cox_equal_secret(const void *a, const void *b, size_t size)
{
	const volatile unsigned char *left = a, *right = b;
	unsigned difference = 0;

	for (size_t i = 0; i < size; i++)
		difference |= left[i] ^ right[i];
	return difference == 0;
}
