/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The users of a file with a line each: secret,user,uid and, if wanted, groups,
 * several of them as "one,two". Found by secret (tokens) or by user (passwords)
 * in time that tells nothing about the secrets: the search is by a keyed hash,
 * whose key nobody knows, and what it finds is compared in constant time.
 * Immutable once made.
 */
#ifndef COX_AUTHENTICATOR_ACCOUNTS_H
#define COX_AUTHENTICATOR_ACCOUNTS_H

#include "watched.h"

#include <coxswain/authenticator.h>

enum accounts_key { ACCOUNTS_BY_SECRET, ACCOUNTS_BY_USER };

struct account {
	char *secret, *user, *uid;
	char **groups;
	size_t group_count;
	uint64_t hash; /* of the key */
	unsigned line;
};

struct accounts;

/*
 * NULL: `why` says file, line and what is wrong there. Lines that are legal but
 * do nothing (an empty secret, one given twice) are said through host->log.
 */
struct accounts *accounts_parse(const struct cox_host *host, enum accounts_key key,
				const char *path, const char *data, size_t size,
				struct cox_buf *why);
void accounts_free(struct accounts *accounts); /* wipes */
size_t accounts_count(const struct accounts *accounts);
/* NULL: nobody. With ACCOUNTS_BY_USER the password is not looked at. */
const struct account *accounts_find(const struct accounts *accounts, const char *key);
bool account_has_secret(const struct account *account, const char *secret);
void account_tell(const struct account *account, const struct cox_identity_sink *sink);

/* The accounts of a file that may change: what an instance of a plugin is. */
struct accounts_file {
	const struct cox_host *host;
	enum accounts_key key;
	struct watched file;
	pthread_rwlock_t lock; /* of `accounts`; readers keep it while they use an account */
	struct accounts *accounts;
};

struct accounts_file *accounts_file_new(const struct cox_host *host, enum accounts_key key);
/* The plugins' config, get_ready and destroy. */
int accounts_file_config(void *self, const char *key, const char *value, struct cox_error *err);
int accounts_file_get_ready(void *self, struct cox_error *err);
void accounts_file_destroy(void *self);

/* clang-format off */
#define ACCOUNTS_FILE_OPTIONS(columns)                                                             \
	{"file", NULL, "file with lines " columns, COX_OPT_PATH, COX_OPTION_REQUIRED},             \
	{                                                                                          \
		"check-interval", "10s", "how often the file is looked at for changes",            \
			COX_OPT_DURATION, 0                                                        \
	}
/* clang-format on */

#endif
