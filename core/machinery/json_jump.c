/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Skipping what is known to be JSON: 64 bytes at a time become sets of bits,
 * one a byte, for the quotes, backslashes and brackets among them. Which bytes
 * lie in a string follows from the quotes before them, and the brackets outside
 * strings say where the value ends.
 */
#include "machinery/json_scan.h"

enum { BLOCK = 64 };

struct marks {
	uint64_t quotes, slashes, opens, closes;
};

#ifdef __SSE2__
static uint64_t bits_of(__m128i bytes, unsigned at)
{
	return (uint64_t)(uint32_t)_mm_movemask_epi8(bytes) << at;
}

static struct marks mark(const char *block)
{
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
	const __m128i open = _mm_set1_epi8('{'), close = _mm_set1_epi8('}');
	const __m128i curly = _mm_set1_epi8(0x20);
	struct marks marks = {0};

	for (unsigned at = 0; at < BLOCK; at += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(block + at));
		__m128i either = _mm_or_si128(bytes, curly); /* [ and { are one bit apart */

		marks.quotes |= bits_of(_mm_cmpeq_epi8(bytes, quote), at);
		marks.slashes |= bits_of(_mm_cmpeq_epi8(bytes, slash), at);
		marks.opens |= bits_of(_mm_cmpeq_epi8(either, open), at);
		marks.closes |= bits_of(_mm_cmpeq_epi8(either, close), at);
	}
	return marks;
}
#else
static struct marks mark(const char *block)
{
	struct marks marks = {0};

	for (unsigned at = 0; at < BLOCK; at++) {
		uint64_t bit = (uint64_t)1 << at;
		char c = block[at];

		marks.quotes |= c == '"' ? bit : 0;
		marks.slashes |= c == '\\' ? bit : 0;
		marks.opens |= (c | 0x20) == '{' ? bit : 0;
		marks.closes |= (c | 0x20) == '}' ? bit : 0;
	}
	return marks;
}
#endif

/* The bytes behind a backslash that counts; *carry: the first of the next block is one. */
static uint64_t escaped_bytes(uint64_t slashes, uint64_t *carry)
{
	uint64_t escaped = *carry, left = slashes & ~*carry;

	*carry = 0;
	while (left) {
		uint64_t slash = left & -left;

		if (slash >> 63)
			*carry = 1;
		escaped |= slash << 1;
		left &= ~(slash | slash << 1);
	}
	return escaped;
}

/* Each bit becomes whether the number of bits up to it is odd. */
static uint64_t parities(uint64_t bits)
{
	for (unsigned step = 1; step < 64; step *= 2)
		bits ^= bits << step;
	return bits;
}

const char *json_jump(const char *at, const char *end)
{
	uint64_t carry = 0, inside = 0, depth = 0;

	for (; at < end; at += BLOCK) {
		char last[BLOCK] = {0};
		const char *block = at;
		uint64_t strings, brackets;
		struct marks marks;

		if (end - at < BLOCK)
			block = memcpy(last, at, (size_t)(end - at));
		marks = mark(block);
		strings = parities(marks.quotes & ~escaped_bytes(marks.slashes, &carry)) ^ inside;
		inside = strings >> 63 ? UINT64_MAX : 0;
		marks.opens &= ~strings;
		marks.closes &= ~strings;
		brackets = marks.opens | marks.closes;
		for (; brackets; brackets &= brackets - 1) {
			if (marks.opens & brackets & -brackets)
				depth++;
			else if (depth <= 1)
				return at + __builtin_ctzll(brackets) + 1;
			else
				depth--;
		}
		if (end - at < BLOCK)
			break;
	}
	return NULL;
}
