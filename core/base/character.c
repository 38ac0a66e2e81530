/* SPDX-License-Identifier: Apache-2.0 */
/* Characters by name; see the header. */
#include "base/character.h"

#include <stdio.h>
#include <string.h>

size_t character_decode(const char *data, size_t size, uint32_t *code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *in = (const unsigned char *)data;
	size_t length;
	uint32_t sum;

	if (!size)
		return 0;
	if (in[0] < 0x80) {
		*code = in[0];
		return 1;
	}
	length = in[0] >= 0xf0 ? 4 : in[0] >= 0xe0 ? 3 : 2;
	if (in[0] < 0xc2 || in[0] > 0xf4 || length > size)
		return 0;
	sum = in[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((in[i] & 0xc0) != 0x80)
			return 0;
		sum = sum << 6 | (in[i] & 0x3f);
	}
	if (sum < smallest[length] || sum > 0x10ffff || (sum >= 0xd800 && sum <= 0xdfff))
		return 0;
	*code = sum;
	return length;
}

const char *character_trap(uint32_t code)
{
	static const struct {
		uint32_t code;
		const char *name;
	} traps[] = {
		{0x0009, "a tab"},
		{0x000a, "a line break"},
		{0x000d, "a carriage return"},
		{0x0085, "a next-line character"},
		{0x00a0, "a no-break space"},
		{0x00ab, "a left guillemet"},
		{0x00ad, "a soft hyphen"},
		{0x00bb, "a right guillemet"},
		{0x2007, "a figure space"},
		{0x200b, "a zero-width space"},
		{0x2010, "a typographic hyphen"},
		{0x2011, "a no-break hyphen"},
		{0x2013, "an en dash"},
		{0x2014, "an em dash"},
		{0x2018, "a left single typographic quote"},
		{0x2019, "a right single typographic quote"},
		{0x201c, "a left typographic quote"},
		{0x201d, "a right typographic quote"},
		{0x201e, "a low typographic quote"},
		{0x2028, "a line separator"},
		{0x2029, "a paragraph separator"},
		{0x202f, "a narrow no-break space"},
		{0x2032, "a prime"},
		{0x2033, "a double prime"},
		{0x2212, "a minus sign"},
		{0x3000, "an ideographic space"},
		{0xfeff, "a byte order mark"},
		{0xff02, "a full-width quote"},
		{0xff0c, "a full-width comma"},
		{0xff1a, "a full-width colon"},
	};

	for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++)
		if (traps[i].code == code)
			return traps[i].name;
	return NULL;
}

void character_describe(const char *data, size_t size, char out[CHARACTER_TEXT_SIZE])
{
	uint32_t code = 0;
	size_t length = character_decode(data, size, &code);
	const char *name = character_trap(code);

	if (!size)
		snprintf(out, CHARACTER_TEXT_SIZE, "the end");
	else if (!length)
		snprintf(out, CHARACTER_TEXT_SIZE, "byte 0x%02x (not UTF-8)",
			 (unsigned char)data[0]);
	else if (name && code < 0x80)
		snprintf(out, CHARACTER_TEXT_SIZE, "%s", name);
	else if (name)
		snprintf(out, CHARACTER_TEXT_SIZE, "%.*s (U+%04X, %s)", (int)length, data, code,
			 name);
	else if (code >= 0x20 && code < 0x7f)
		snprintf(out, CHARACTER_TEXT_SIZE, "'%c'", (char)code);
	else if (code < 0xa0)
		snprintf(out, CHARACTER_TEXT_SIZE, "the control character U+%04X", code);
	else
		snprintf(out, CHARACTER_TEXT_SIZE, "%.*s (U+%04X)", (int)length, data, code);
}

void character_note(const char *text, size_t size, char out[CHARACTER_TEXT_SIZE])
{
	size_t length;
	uint32_t code;

	out[0] = '\0';
	for (size_t at = 0; at < size; at += length) {
		length = character_decode(text + at, size - at, &code);
		if (!length)
			length = 1;
		else if (code >= 0x80 && character_trap(code)) {
			snprintf(out, CHARACTER_TEXT_SIZE, " (with U+%04X, %s)", code,
				 character_trap(code));
			return;
		}
	}
}

void character_position(const char *data, size_t offset, size_t *line, size_t *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < offset; i++) {
		if (data[i] == '\n') {
			++*line;
			*column = 1;
		} else if (((unsigned char)data[i] & 0xc0) != 0x80) {
			++*column;
		}
	}
}
