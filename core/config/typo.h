/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Characters that word processors and web pages put where ASCII belongs:
 * typographic quotes, dashes, and blanks that are not blanks.
 */
#ifndef COX_CONFIG_TYPO_H
#define COX_CONFIG_TYPO_H

#include <stddef.h>
#include <stdint.h>

struct typo {
	uint32_t code_point;
	const char *name;    /* "en dash" */
	const char *instead; /* what was meant: "\"", "'", "-", "a blank" */
	size_t at;	     /* offset of the character */
	size_t size;	     /* bytes it takes */
};

/* The first such character, or NULL with `found` as it was. Bytes must be UTF-8. */
const struct typo *typo_find(const char *text, size_t size, struct typo *found);
/*
 * The flag name that follows a dash, for "did you mean --master?"; empty
 * if none follows.
 */
void typo_flag_after(const char *text, size_t size, char *out, size_t out_size);

#endif
