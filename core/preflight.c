/* SPDX-License-Identifier: Apache-2.0 */
/* The entry of the command preflight: reads what the daemons are told, and has it checked. */
#include "preflight.h"

#include "daemon.h"
#include "preflight/preflight.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct flag preflight_flags[] = {
	FLAG_ENTRY(struct preflight_config, STRING, "role", role, "both",
		   "What this machine is to be: master, node or both"),
	FLAG_ENTRY(struct preflight_config, BOOL, "probe", probe, "false",
		   "Only try what the kernel can do, for a preflight that started this one",
		   .traits = FLAG_HIDDEN),
};
/* clang-format on */
const size_t preflight_flag_count = FLAG_COUNT(preflight_flags);

static bool is_role(const struct preflight_config *config, const char *role)
{
	return strcmp(config->role, role) == 0;
}

int preflight_check_flags(struct daemon *daemon, struct cox_error *err)
{
	static const char *const others[] = {"check-config", "list-plugins"};
	const struct preflight_config *config = daemon->config;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (flags_given(daemon->flags, others[i]))
			return error_set(err, COX_REASON_INVALID,
					 "--%s: ask a daemon for that, for example kubelet --%s",
					 others[i], others[i]);
	if (is_role(config, "master") || is_role(config, "node") || is_role(config, "both"))
		return 0;
	return error_set(err, COX_REASON_INVALID,
			 "--role=%s: want one of \"master\", \"node\", \"both\"", config->role);
}

/*
 * What the daemon's files say. Where they have a mistake, which the check of
 * the files tells, the other checks go by the defaults.
 */
static struct settings *read_settings(const struct personality *personality, const char *directory)
{
	static const char *const none[] = {"--v=0"};
	cox_autobuf word = COX_BUF_INIT;
	const char *words[1];
	bool usage_error;
	struct settings *settings;

	cox_buf_printf(&word, "--config-dir=%s", directory);
	words[0] = word.data;
	settings = settings_read(personality, words, 1, &usage_error, NULL);
	return settings ? settings : settings_read(personality, none, 1, &usage_error, NULL);
}

int preflight_run_command(struct daemon *daemon)
{
	const struct preflight_command *command =
		(const struct preflight_command *)(const void *)daemon->personality;
	const struct preflight_config *config = daemon->config;
	size_t count = command->master_count + command->node_count;
	struct preflight_daemon *daemons;
	struct settings **settings;
	struct preflight preflight = {.out = stdout,
				      .master = !is_role(config, "node"),
				      .node = !is_role(config, "master"),
				      .config_dir = flags_value(daemon->flags, "config-dir"),
				      .plugin_dir = flags_value(daemon->flags, "plugin-dir")};

	if (config->probe)
		return preflight_probe(stdout);
	daemons = cox_calloc(count, sizeof(*daemons));
	settings = cox_calloc(count, sizeof(struct settings *));
	for (size_t i = 0; i < count; i++) {
		bool master = i < command->master_count;
		const struct personality *part =
			master ? command->master[i] : command->node[i - command->master_count];

		settings[i] = read_settings(part, preflight.config_dir);
		daemons[i] = (struct preflight_daemon){.name = part->name,
						       .wanted = master ? preflight.master
									: preflight.node,
						       .flags = &settings[i]->flags};
	}
	preflight.daemons = daemons;
	preflight.daemon_count = count;
	preflight_check(&preflight);
	for (size_t i = 0; i < count; i++)
		settings_free(settings[i]);
	free(settings);
	free(daemons);
	if (fflush(stdout) != 0 || ferror(stdout))
		return EXIT_FAILURE;
	return preflight.errors ? EXIT_FAILURE : EXIT_SUCCESS;
}
