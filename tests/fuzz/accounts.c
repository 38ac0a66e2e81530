/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the reader of token and password files. Nothing may crash or leak, a
 * refusal has a reason, and whoever a file lets in is found in it again.
 */
#include "accounts.h"
#include "csv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore_log(void *context, int level, const char *format, ...) COX_PRINTF(3, 4);
static void ignore_log(void *context, int level, const char *format, ...)
{
	(void)context;
	(void)level;
	(void)format;
}

static void fill(void *data, size_t size)
{
	memset(data, 7, size);
}

/* Every line that counts is found by its secret or user, and with its secret. */
static void find_all(const struct accounts *accounts, enum accounts_key key, const char *text,
		     size_t size)
{
	struct csv_record record = {.count = 0};
	struct csv_reader reader;

	csv_begin(&reader, text, size);
	while (csv_next(&reader, &record, NULL) > 0) {
		const char *secret = csv_field(&record, 0), *user = csv_field(&record, 1);
		const struct account *found =
			accounts_find(accounts, key == ACCOUNTS_BY_SECRET ? secret : user);

		if (!*secret && key == ACCOUNTS_BY_SECRET ? found != NULL : *secret && !found)
			abort();
		if (found && key == ACCOUNTS_BY_SECRET && !account_has_secret(found, secret))
			abort();
	}
	csv_record_free(&record);
}

static void check(const struct cox_host *host, enum accounts_key key, const char *text, size_t size)
{
	cox_autobuf why = COX_BUF_INIT;
	struct accounts *accounts = accounts_parse(host, key, "f", text, size, &why);

	if (!accounts != (why.size != 0))
		abort();
	if (accounts)
		find_all(accounts, key, text, size);
	accounts_free(accounts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cox_host host = {
		.struct_size = sizeof(host), .log = ignore_log, .random = fill};

	check(&host, ACCOUNTS_BY_SECRET, (const char *)data, size);
	check(&host, ACCOUNTS_BY_USER, (const char *)data, size);
	return 0;
}
