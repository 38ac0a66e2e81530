/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A personality with one plugin and nothing else, to see what all daemons
 * share at work: files, flags, signals, reload, the crash report.
 */
#include "daemon.h"

#include "base/log.h"
#include "host/host.h"

#include <coxswain/storage.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct toy_config {
	const char *backend;
	const char *greeting;
	const char *fixed;
	bool crash;
};

#define ENTRY(kind, name, member, fallback, help, ...)                                             \
	FLAG_ENTRY(struct toy_config, kind, name, member, fallback, help, __VA_ARGS__)

static const struct flag toy_flags[] = {
	ENTRY(STRING, "storage-backend", backend, "good", "Storage plugin", .traits = 0),
	ENTRY(STRING, "greeting", greeting, "hello", "What to say", .traits = FLAG_RELOAD),
	ENTRY(STRING, "fixed", fixed, "stone", "What stays", .traits = 0),
	ENTRY(BOOL, "crash", crash, NULL, "Crash inside the plugin", .traits = 0),
};

static int toy_prepare(struct daemon *daemon, struct cox_error *err)
{
	const struct toy_config *config = daemon->config;
	struct host_plugin *plugin;

	if (daemon_open_plugin(daemon, "storage", config->backend, "storage-backend", &plugin,
			       err) < 0)
		return -1;
	daemon->state = plugin;
	return host_configure(plugin, err);
}

static int toy_start(struct daemon *daemon, struct cox_error *err)
{
	const struct toy_config *config = daemon->config;
	/* A page that may not be read. */
	const volatile int *forbidden =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (host_get_ready(daemon->state, err) < 0 || host_start(daemon->state, err) < 0)
		return -1;
	log_info("says %s", config->greeting);
	if (config->crash) {
		host_call_scope(daemon->state);
		log_info("number %d", *forbidden);
	}
	return 0;
}

static int toy_reload(struct daemon *daemon, struct cox_error *err)
{
	const struct toy_config *config = daemon->config;

	if (strcmp(config->greeting, "rude") == 0)
		return error_set(err, COX_REASON_INVALID, "that is no greeting");
	log_info("now says %s", config->greeting);
	return 0;
}

static void toy_stop(struct daemon *daemon)
{
	host_close(daemon->state);
	daemon->state = NULL;
	log_info("said goodbye");
}

static const char *const toy_keys[] = {"TOY_FIRST", "TOY_ARGS", NULL};

static const struct personality toy = {
	.name = "toy-daemon",
	.description = "For the tests",
	.flags = toy_flags,
	.flag_count = &(const size_t){FLAG_COUNT(toy_flags)},
	.config_size = sizeof(struct toy_config),
	.env_file = "toy",
	.env_keys = toy_keys,
	.prepare = toy_prepare,
	.start = toy_start,
	.reload = toy_reload,
	.stop = toy_stop,
};

int main(int argc, char **argv)
{
	static const struct personality *const personalities[] = {&toy};

	return daemon_main(personalities, 1, argc, argv);
}
