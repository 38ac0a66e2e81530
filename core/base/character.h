/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Naming a character in an error, so that what looks right but is not (a
 * typographic quote, a no-break space) is told by name.
 */
#ifndef COX_BASE_CHARACTER_H
#define COX_BASE_CHARACTER_H

#include <stddef.h>
#include <stdint.h>

enum { CHARACTER_TEXT_SIZE = 96 };

/*
 * Reads one UTF-8 sequence; returns its length, or 0 if the bytes are none
 * (overlong forms, surrogates and what lies beyond U+10FFFF included).
 */
size_t character_decode(const char *data, size_t size, uint32_t *code);

/*
 * Writes what the first character is: 'x', a line break, “ (U+201C, a left
 * typographic quote), byte 0xff, or "the end" if size is 0.
 */
void character_describe(const char *data, size_t size, char out[CHARACTER_TEXT_SIZE]);

/* The name alone ("a no-break space"), or NULL for an ordinary character. */
const char *character_trap(uint32_t code);

/*
 * Of the first character beyond ASCII that has such a name: " (with U+00A0, a
 * no-break space)", to stand behind a text that shows it. "": there is none.
 */
void character_note(const char *text, size_t size, char out[CHARACTER_TEXT_SIZE]);

/* Line and column, both from 1, of a byte; a column is a character. */
void character_position(const char *data, size_t offset, size_t *line, size_t *column);

#endif
