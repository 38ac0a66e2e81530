/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a daemon's values come from: the defaults, then the files that its
 * unit would have read, in the unit's order, then the command line. A daemon
 * that its unit started has everything on the command line already, so the
 * files are read only if no flag of the daemon's own was given there, or if
 * --config-dir asks for them. As everywhere the later one wins: words before
 * --config-dir are weaker than the files, words behind it stronger; options of
 * plugins come from all of them, and there it is the later one of each option. So a unit
 * can name its variables first, and SIGHUP still sees the files change.
 */
#include "daemon.h"

#include "config/envfile.h"

#include <coxswain/kit/alloc.h>
#include <string.h>

#define COMMON(kind, name, member, fallback, help, ...)                                            \
	FLAG_ENTRY(struct common_config, kind, name, member, fallback, help, __VA_ARGS__)
#define META .traits = FLAG_META
#define NO_EFFECT .traits = FLAG_NO_EFFECT

/* clang-format off */
static const struct flag common_flags[] = {
	COMMON(BOOL, "help", help, NULL, "Print this list", META, .shorthand = 'h'),
	COMMON(BOOL, "version", version, NULL, "Print the version", META),
	COMMON(STRING, "config-dir", config_dir, COX_SYSCONF_DIRECTORY,
	       "Directory of the files that are read when no other flags are given", META),
	COMMON(STRING, "plugin-dir", plugin_dir, NULL,
	       "Directory of the plugins, instead of " COX_PLUGIN_DIRECTORY, META),
	COMMON(BOOL, "check-config", check_config, NULL,
	       "Read the files, load and configure the plugins, and end", META),
	COMMON(BOOL, "dump-config", dump_config, NULL,
	       "Print every value and where it comes from, and end", META),
	COMMON(BOOL, "list-plugins", list_plugins, NULL,
	       "Load the plugins, print what they are, and end", META),
	COMMON(STRING, "dump-plugin", dump_plugin, NULL,
	       "Print what KIND/NAME or the plugin in a file offers, and end", META),
	COMMON(LIST, "allow-missing-plugins", allow_missing, NULL,
	       "Plugins, KIND/NAME, without which to start if they cannot be loaded", META),
	COMMON(REPEAT, "plugin-option", plugin_options, NULL,
	       "KIND/NAME:OPTION=VALUE: sets an option of a plugin; may be repeated",
	       .traits = FLAG_META | FLAG_KEYED),
	COMMON(LIST, "plugin-threads", plugin_threads, NULL,
	       "KIND/NAME=serial|per_instance|parallel: narrows a plugin's thread model",
	       .traits = FLAG_META | FLAG_KEYED),
	COMMON(INT, "v", verbosity, "0", "Number for the log level verbosity",
	       .traits = FLAG_RELOAD, .shorthand = 'v', .low = 0, .high = 10),
	COMMON(BOOL, "logtostderr", logtostderr, "true", "Log to standard error", NO_EFFECT),
	COMMON(BOOL, "alsologtostderr", alsologtostderr, "false",
	       "Log to standard error as well as files", NO_EFFECT),
	COMMON(STRING, "stderrthreshold", stderrthreshold, "2",
	       "Lines of this level and above go to standard error", NO_EFFECT),
	COMMON(STRING, "log-dir", log_dir, NULL, "Write log files in this directory", NO_EFFECT),
	COMMON(STRING, "log-backtrace-at", log_backtrace_at, ":0",
	       "Write a stack trace at FILE:LINE", NO_EFFECT),
	COMMON(STRING, "vmodule", vmodule, NULL, "Log levels of single files", NO_EFFECT),
	COMMON(DURATION, "log-flush-frequency", log_flush_frequency, "5s",
	       "Longest time between flushes of the log", NO_EFFECT),
};
/* clang-format on */

static struct settings *settings_new(const struct personality *personality)
{
	struct settings *settings = cox_new(struct settings);

	settings->common = cox_new(struct common_config);
	settings->config = cox_calloc(1, personality->config_size ? personality->config_size : 1);
	flags_init(&settings->flags, personality->name);
	flags_add(&settings->flags, personality->flags, *personality->flag_count, settings->config);
	flags_add(&settings->flags, common_flags, FLAG_COUNT(common_flags), settings->common);
	return settings;
}

void settings_free(struct settings *settings)
{
	while (settings) {
		struct settings *before = settings->before;

		flags_free(&settings->flags);
		free(settings->config);
		free(settings->common);
		free(settings);
		settings = before;
	}
}

static int parse_entry(struct flag_set *flags, const struct envfile_entry *entry,
		       struct cox_error *err)
{
	struct envfile_words words = {{NULL, 0, 0}};
	int result = envfile_split(entry, &words, err);

	if (result == 0)
		result = flags_parse(flags, (const char *const *)words.items.items,
				     words.items.count, entry->origin, err);
	envfile_words_free(&words);
	return result;
}

static int parse_files(struct settings *settings, const struct personality *personality,
		       const char *directory, struct cox_error *err)
{
	struct envfile env = ENVFILE_INIT;
	cox_autobuf shared = COX_BUF_INIT, own = COX_BUF_INIT;
	int result;

	cox_buf_printf(&shared, "%s/config", directory);
	cox_buf_printf(&own, "%s/%s", directory, personality->env_file);
	result = envfile_read(&env, cox_buf_cstr(&shared), err);
	if (result == 0)
		result = envfile_read(&env, cox_buf_cstr(&own), err);
	for (size_t i = 0; result == 0 && personality->env_keys[i]; i++) {
		const struct envfile_entry *entry = envfile_get(&env, personality->env_keys[i]);

		if (entry)
			result = parse_entry(&settings->flags, entry, err);
	}
	envfile_free(&env);
	return result;
}

static int check_arguments(const struct settings *settings, struct cox_error *err)
{
	if (!settings->flags.arguments.count)
		return 0;
	return error_set(err, COX_REASON_INVALID,
			 "unexpected argument \"%s\": a flag begins with \"--\"",
			 settings->flags.arguments.items[0]);
}

/* How many words stand before --config-dir; all, if it is not there. */
static size_t words_before_files(const char *const *words, size_t count)
{
	static const char *const spellings[] = {"--config-dir", "--config_dir"};

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < 2; k++) {
			size_t size = strlen(spellings[k]);

			if (strncmp(words[i], spellings[k], size) == 0 &&
			    (!words[i][size] || words[i][size] == '='))
				return i;
		}
	return count;
}

struct settings *settings_read(const struct personality *personality, const char *const *words,
			       size_t count, bool *usage_error, struct cox_error *err)
{
	size_t early = words_before_files(words, count);
	/* The first reading only tells whether and where to look for files. */
	struct settings *first = settings_new(personality), *settings = NULL;
	bool read_files;
	int result;

	*usage_error = true;
	if (flags_parse(&first->flags, words, count, FLAGS_COMMAND_LINE, err) < 0 ||
	    check_arguments(first, err) < 0) {
		settings_free(first);
		return NULL;
	}
	settings = settings_new(personality);
	*usage_error = false;
	read_files = personality->env_file && !first->common->help && !first->common->version &&
		     (!first->flags.own_flags || flags_given(&first->flags, "config-dir"));
	if (!read_files || early == count)
		early = 0;
	result = flags_parse(&settings->flags, words, early, FLAGS_COMMAND_LINE, err);
	if (read_files && result == 0)
		result = parse_files(settings, personality, first->common->config_dir, err);
	if (result == 0)
		result = flags_parse(&settings->flags, words + early, count - early,
				     FLAGS_COMMAND_LINE, err);
	if (result == 0)
		result = check_arguments(settings, err);
	settings_free(first);
	if (result == 0)
		return settings;
	settings_free(settings);
	return NULL;
}
