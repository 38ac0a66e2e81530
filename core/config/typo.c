/* SPDX-License-Identifier: Apache-2.0 */
/* A table of look-alikes, searched by code point; see the header. */
#include "config/typo.h"

#include <string.h>

static const struct {
	uint32_t code_point;
	const char *name;
	const char *instead;
} look_alikes[] = {
	{0x00a0, "no-break space", "a blank"},
	{0x00ab, "left double angle quotation mark", "\""},
	{0x00ad, "soft hyphen", "-"},
	{0x00bb, "right double angle quotation mark", "\""},
	{0x200b, "zero width space", "nothing"},
	{0x2010, "hyphen", "-"},
	{0x2011, "non-breaking hyphen", "-"},
	{0x2012, "figure dash", "-"},
	{0x2013, "en dash", "-"},
	{0x2014, "em dash", "-"},
	{0x2015, "horizontal bar", "-"},
	{0x2018, "left single quotation mark", "'"},
	{0x2019, "right single quotation mark", "'"},
	{0x201a, "single low-9 quotation mark", "'"},
	{0x201b, "single high-reversed-9 quotation mark", "'"},
	{0x201c, "left double quotation mark", "\""},
	{0x201d, "right double quotation mark", "\""},
	{0x201e, "double low-9 quotation mark", "\""},
	{0x201f, "double high-reversed-9 quotation mark", "\""},
	{0x202f, "narrow no-break space", "a blank"},
	{0x2032, "prime", "'"},
	{0x2033, "double prime", "\""},
	{0x2060, "word joiner", "nothing"},
	{0x2212, "minus sign", "-"},
	{0x3000, "ideographic space", "a blank"},
	{0xfeff, "byte order mark", "nothing"},
	{0xff02, "fullwidth quotation mark", "\""},
	{0xff07, "fullwidth apostrophe", "'"},
	{0xff0d, "fullwidth hyphen-minus", "-"},
	{0xff1d, "fullwidth equals sign", "="},
};

static size_t decode(const unsigned char *at, uint32_t *code_point)
{
	if (*at < 0x80) {
		*code_point = *at;
		return 1;
	}
	if (*at < 0xe0) {
		*code_point = (uint32_t)(*at & 0x1f) << 6 | (at[1] & 0x3f);
		return 2;
	}
	if (*at < 0xf0) {
		*code_point = (uint32_t)(*at & 0x0f) << 12 | (uint32_t)(at[1] & 0x3f) << 6 |
			      (at[2] & 0x3f);
		return 3;
	}
	*code_point = 0x10000; /* none of ours */
	return 4;
}

const struct typo *typo_find(const char *text, size_t size, struct typo *found)
{
	for (size_t at = 0; at < size;) {
		uint32_t code_point;
		size_t bytes = decode((const unsigned char *)text + at, &code_point);

		for (size_t i = 0;
		     code_point >= 0x80 && i < sizeof(look_alikes) / sizeof(look_alikes[0]); i++) {
			if (look_alikes[i].code_point != code_point)
				continue;
			*found = (struct typo){code_point, look_alikes[i].name,
					       look_alikes[i].instead, at, bytes};
			return found;
		}
		at += bytes;
	}
	return NULL;
}

void typo_flag_after(const char *text, size_t size, char *out, size_t out_size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";
	struct typo dash;
	size_t used = 0;

	/* One dash may have become one character, or each of two. */
	while (size && (*text == '-' || (typo_find(text, size, &dash) && dash.at == 0 &&
					 strcmp(dash.instead, "-") == 0))) {
		size_t bytes = *text == '-' ? 1 : dash.size;

		text += bytes;
		size -= bytes;
	}
	while (used < size && used + 1 < out_size && text[used] && strchr(allowed, text[used])) {
		out[used] = text[used];
		used++;
	}
	out[used] = '\0';
}
