/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entry of every personality: which one is meant, what it is told, and
 * the answers that need no running daemon (--help, --version, --dump-config,
 * --dump-plugin, --list-plugins, --check-config).
 */
#include "daemon.h"

#include "base/log.h"
#include "host/host.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

/* Without these a daemon would run with less policy, or no memory, than configured. */
static const char *const never_optional[] = {"storage", "authenticator", "authorizer", "admission"};

static void complain(const char *program, const struct cox_error *err)
{
	fprintf(stderr, "%s: %s\n", program, error_text(err));
}

/* Whether `item` begins with KIND/NAME and `end`; the rest goes to `*value`. */
static bool about_plugin(const char *item, const char *kind, const char *name, char end,
			 const char **value)
{
	size_t kind_size = strlen(kind), name_size = strlen(name);

	if (strncmp(item, kind, kind_size) != 0 || item[kind_size] != '/' ||
	    strncmp(item + kind_size + 1, name, name_size) != 0 ||
	    item[kind_size + 1 + name_size] != end)
		return false;
	*value = item + kind_size + 1 + name_size + (end ? 1 : 0);
	return true;
}

/* `text` is the rest of that item of the flag */
static int apply_option(struct daemon *daemon, struct host_plugin *plugin, size_t item,
			const char *text, struct cox_error *err)
{
	const char *equals = strchrnul(text, '=');
	cox_autofree char *key = strndup(text, (size_t)(equals - text));

	return host_set_option(plugin, key, *equals ? equals + 1 : "",
			       flags_item_origin(daemon->flags, "plugin-option", item), err);
}

static int apply_threads(struct host_plugin *plugin, const char *model, struct cox_error *err)
{
	if (strcmp(model, "serial") == 0)
		return host_limit_threads(plugin, COX_THREADS_SERIAL, err);
	if (strcmp(model, "per_instance") == 0)
		return host_limit_threads(plugin, COX_THREADS_PER_INSTANCE, err);
	if (strcmp(model, "parallel") == 0)
		return host_limit_threads(plugin, COX_THREADS_PARALLEL, err);
	return error_set(err, COX_REASON_INVALID,
			 "--plugin-threads: \"%s\" is none of serial, per_instance, parallel",
			 model);
}

static int apply_flags(struct daemon *daemon, struct host_plugin *plugin, struct cox_error *err)
{
	const char *kind = host_kind(plugin), *name = host_name(plugin), *value;

	for (size_t i = 0; i < daemon->plugin_options.count; i++)
		if (about_plugin(daemon->plugin_options.items[i], kind, name, ':', &value) &&
		    apply_option(daemon, plugin, i, value, err) < 0)
			return -1;
	for (size_t i = 0; i < daemon->plugin_threads.count; i++)
		if (about_plugin(daemon->plugin_threads.items[i], kind, name, '=', &value) &&
		    apply_threads(plugin, value, err) < 0)
			return -1;
	return 0;
}

int daemon_open_plugin(struct daemon *daemon, const char *kind, const char *name, const char *flag,
		       struct host_plugin **plugin, struct cox_error *err)
{
	const char *origin =
		flag && flags_given(daemon->flags, flag) ? flags_origin(daemon->flags, flag) : NULL;
	cox_autoerror why = COX_ERROR_INIT;
	const char *rest;

	*plugin = host_open(daemon->host, kind, name, origin, &why);
	if (*plugin) {
		if (apply_flags(daemon, *plugin, err) == 0)
			return 0;
		host_close(*plugin);
		*plugin = NULL;
		return -1;
	}
	for (size_t i = 0; i < daemon->allow_missing.count; i++) {
		if (!about_plugin(daemon->allow_missing.items[i], kind, name, '\0', &rest))
			continue;
		log_warning("Going on without the %s plugin \"%s\", as --allow-missing-plugins "
			    "says: %s",
			    kind, name, error_text(&why));
		return 0;
	}
	error_move(err, &why);
	return -1;
}

/* The three lists that speak of plugins: well formed, and nothing vital left out. */
static int check_common(const struct common_config *common, struct cox_error *err)
{
	for (size_t i = 0; i < common->plugin_options.count; i++) {
		const char *item = common->plugin_options.items[i];
		const char *slash = strchr(item, '/'), *colon = strchr(item, ':');

		if (!slash || !colon || slash > colon || !strchr(colon, '='))
			return error_set(err, COX_REASON_INVALID,
					 "--plugin-option=%.*s: want KIND/NAME:OPTION=VALUE",
					 (int)strcspn(item, "="), item);
	}
	for (size_t i = 0; i < common->plugin_threads.count; i++)
		if (!strchr(common->plugin_threads.items[i], '/') ||
		    !strchr(common->plugin_threads.items[i], '='))
			return error_set(err, COX_REASON_INVALID,
					 "--plugin-threads=%s: want KIND/NAME=MODEL",
					 common->plugin_threads.items[i]);
	for (size_t i = 0; i < common->allow_missing.count; i++) {
		const char *item = common->allow_missing.items[i];
		size_t size = strcspn(item, "/");

		if (!item[size])
			return error_set(err, COX_REASON_INVALID,
					 "--allow-missing-plugins=%s: want KIND/NAME", item);
		for (size_t k = 0; k < sizeof(never_optional) / sizeof(never_optional[0]); k++)
			if (strlen(never_optional[k]) == size &&
			    strncmp(item, never_optional[k], size) == 0)
				return error_set(err, COX_REASON_INVALID,
						 "--allow-missing-plugins=%s: %s plugins are never "
						 "optional",
						 item, never_optional[k]);
	}
	return 0;
}

static void print_usage(FILE *out, const struct personality *personality)
{
	cox_autobuf text = COX_BUF_INIT;
	bool usage_error;
	struct settings *empty =
		settings_read(personality, (const char *const[]){"--help"}, 1, &usage_error, NULL);

	fprintf(out, "Usage of %s:\n", personality->name);
	if (empty)
		flags_usage(&empty->flags, &text);
	fputs(cox_buf_cstr(&text), out);
	settings_free(empty);
}

static int answer(int result, const char *program, const struct cox_buf *text,
		  const struct cox_error *err)
{
	if (result < 0) {
		complain(program, err);
		return EXIT_FAILURE;
	}
	fputs(cox_buf_cstr(text), stdout);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Loads and configures everything as a start would, and takes it down again. */
static int try_plugins(struct daemon *daemon, const struct common_config *common)
{
	const struct personality *personality = daemon->personality;
	cox_autobuf text = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	int result = personality->prepare(daemon, &err);

	if (result == 0 && common->list_plugins)
		host_list(&text);
	personality->stop(daemon);
	return answer(result, personality->name, &text, &err);
}

static int run(const struct personality *personality, struct settings *settings,
	       const char *const *words, size_t count)
{
	const struct common_config *common = settings->common;
	cox_autobuf text = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct daemon daemon = {
		.personality = personality,
		.host = host_new(personality->name, common->plugin_dir),
		.flags = &settings->flags,
		.config = settings->config,
		.plugin_options = common->plugin_options,
		.plugin_threads = common->plugin_threads,
		.allow_missing = common->allow_missing,
		.own_socket = -1,
	};
	int status;

	if (common->dump_plugin[0]) {
		status = answer(host_dump(daemon.host, common->dump_plugin, &text, &err),
				personality->name, &text, &err);
	} else if (common->dump_config) {
		flags_dump(&settings->flags, &text);
		status = answer(0, personality->name, &text, &err);
	} else if (check_common(common, &err) < 0 ||
		   (personality->check && personality->check(&daemon, &err) < 0)) {
		status = answer(-1, personality->name, &text, &err);
	} else if (personality->run) {
		status = personality->run(&daemon);
	} else if (common->check_config || common->list_plugins) {
		status = try_plugins(&daemon, common);
	} else {
		status = service_run(&daemon, &settings, words, count);
	}
	host_free(daemon.host);
	settings_free(settings);
	return status;
}

/* `before`: what was typed before the personality's name. */
static int be(const struct personality *personality, const char *before, const char *const *words,
	      size_t count)
{
	cox_autoerror err = COX_ERROR_INIT;
	bool usage_error;
	struct settings *settings = settings_read(personality, words, count, &usage_error, &err);
	int status = EXIT_SUCCESS;

	if (!settings) {
		complain(personality->name, &err);
		/* Not the flags themselves: they would push the reason off the screen. */
		if (usage_error)
			fprintf(stderr, "See '%s%s --help' for usage.\n", before,
				personality->name);
		return EXIT_USAGE;
	}
	if (settings->common->help)
		print_usage(stdout, personality);
	else if (settings->common->version)
		printf("Kubernetes %s\n", COX_KUBERNETES_VERSION);
	else
		return run(personality, settings, words, count);
	settings_free(settings);
	return status;
}

static const struct personality *find(const struct personality *const *personalities, size_t count,
				      const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(personalities[i]->name, name) == 0)
			return personalities[i];
	return NULL;
}

static void print_commands(FILE *out, const struct personality *const *personalities, size_t count)
{
	fputs("Usage: coxswain COMMAND [FLAGS]\n\nCommands:\n", out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "  %-26s%s\n", personalities[i]->name, personalities[i]->description);
	fputs("\n\"coxswain COMMAND --help\" lists the flags of a command.\n", out);
}

static int refuse_command(const struct personality *const *personalities, size_t count,
			  const char *word)
{
	const char *names[32];
	const char *near;

	for (size_t i = 0; i < count && i < 32; i++)
		names[i] = personalities[i]->name;
	near = cox_nearest(word, names, count < 32 ? count : 32);
	if (*word == '-')
		fprintf(stderr, "coxswain: %s is no flag without a command before it\n", word);
	else
		fprintf(stderr, "coxswain: unknown command \"%s\"%s%s%s\n", word,
			near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
	print_commands(stderr, personalities, count);
	return EXIT_USAGE;
}

int daemon_main(const struct personality *const *personalities, size_t count, int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";
	const struct personality *chosen = find(personalities, count, name);
	const char *const *words = (const char *const *)argv;

	if (chosen)
		return be(chosen, "", words + 1, (size_t)argc - 1);
	if (argc < 2) {
		print_commands(stderr, personalities, count);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_commands(stdout, personalities, count);
		return EXIT_SUCCESS;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		printf("Kubernetes %s\n", COX_KUBERNETES_VERSION);
		return EXIT_SUCCESS;
	}
	chosen = find(personalities, count, argv[1]);
	if (!chosen)
		return refuse_command(personalities, count, argv[1]);
	return be(chosen, "coxswain ", words + 2, (size_t)argc - 2);
}
