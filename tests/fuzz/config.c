/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the readers of what administrators write: the bytes are an environment
 * file, and the words of its values are flags of the kubelet, which has every
 * type. Nothing may crash, leak, or be refused without a message.
 */
#include "config/envfile.h"
#include "kubelet/flags.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int result, const struct cox_error *err)
{
	if ((result < 0) != (err->message != NULL))
		abort();
}

static void parse_entry(struct flag_set *set, const struct envfile_entry *entry)
{
	struct envfile_words words = {{NULL, 0, 0}};
	cox_autoerror err = COX_ERROR_INIT;
	int result = envfile_split(entry, &words, &err);

	check(result, &err);
	if (result == 0)
		check(flags_parse(set, (const char *const *)words.items.items, words.items.count,
				  entry->origin, &err),
		      &err);
	envfile_words_free(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envfile env = ENVFILE_INIT;
	struct kubelet_config config;
	struct flag_set set;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;

	check(envfile_parse(&env, "f", (const char *)data, size, &err), &err);
	flags_init(&set, "kubelet");
	flags_add(&set, kubelet_flags, kubelet_flag_count, &config);
	for (size_t i = 0; i < env.entries.count; i++)
		parse_entry(&set, &env.entries.items[i]);
	flags_dump(&set, &out);
	flags_free(&set);
	envfile_free(&env);
	return 0;
}
