/* SPDX-License-Identifier: Apache-2.0 */
/* What all personalities have in common; see daemon.c and service.c. */
#ifndef COX_DAEMON_H
#define COX_DAEMON_H

#include "config/personality.h"

#include "base/version.h"

/* Chooses a personality by argv[0] or argv[1] and runs it; the exit status. */
int daemon_main(const struct personality *const *personalities, size_t count, int argc,
		char **argv);

/* One reading of files and command line. */
struct settings {
	struct flag_set flags;
	void *config; /* the personality's */
	struct common_config *common;
	struct settings *before; /* kept, because threads may still read it */
};

struct common_config {
	bool help;
	bool version;
	bool check_config;
	bool dump_config;
	bool list_plugins;
	const char *dump_plugin;
	const char *plugin_dir;
	const char *config_dir;
	struct flag_list allow_missing;
	struct flag_list plugin_options;
	struct flag_list plugin_threads;
	int64_t verbosity;
	/* accepted, no effect */
	bool logtostderr;
	bool alsologtostderr;
	const char *stderrthreshold;
	const char *log_dir;
	const char *log_backtrace_at;
	const char *vmodule;
	uint64_t log_flush_frequency;
};

/*
 * Reads files (if the command line leaves room for them) and command line.
 * `*usage_error`: the command line itself was wrong. NULL: refused.
 */
struct settings *settings_read(const struct personality *personality, const char *const *words,
			       size_t count, bool *usage_error, struct cox_error *err);
void settings_free(struct settings *settings);

/* Runs `daemon` until it is told to stop; the exit status. A reload replaces `*settings`. */
int service_run(struct daemon *daemon, struct settings **settings, const char *const *words,
		size_t count);

#endif
