/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of /etc/kubernetes: systemd's EnvironmentFile grammar, read
 * strictly. What systemd would swallow in silence (typographic quotes and
 * dashes, no-break spaces, text behind a closing quote, a line that is no
 * assignment) is refused here with file, line and the character's name.
 */
#ifndef COX_CONFIG_ENVFILE_H
#define COX_CONFIG_ENVFILE_H

#include "base/error.h"

#include <coxswain/kit/vec.h>
#include <stdbool.h>
#include <stddef.h>

enum { ENVFILE_SIZE_MAX = 1 << 20 };

struct envfile_entry {
	char *key;
	char *value;
	char *origin; /* "FILE:LINE" of the assignment */
};

struct envfile {
	COX_VEC(struct envfile_entry) entries; /* in the order read */
};

#define ENVFILE_INIT                                                                               \
	{                                                                                          \
		{                                                                                  \
			NULL, 0, 0                                                                 \
		}                                                                                  \
	}

void envfile_free(struct envfile *env);
/* Adds a file's assignments behind what is there. A missing file is fine. */
int envfile_read(struct envfile *env, const char *path, struct cox_error *err) COX_MUST_CHECK;
/* The same from memory; `path` is for messages. */
int envfile_parse(struct envfile *env, const char *path, const char *text, size_t size,
		  struct cox_error *err) COX_MUST_CHECK;
/* The last assignment of `key`, or NULL. */
const struct envfile_entry *envfile_get(const struct envfile *env, const char *key);

struct envfile_words {
	COX_VEC(char *) items;
};

void envfile_words_free(struct envfile_words *words);
/* Splits a value as systemd does for $KEY: at blanks, quotes taken off. */
int envfile_split(const struct envfile_entry *entry, struct envfile_words *words,
		  struct cox_error *err) COX_MUST_CHECK;

#endif
