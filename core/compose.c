/* SPDX-License-Identifier: Apache-2.0 */
/* Several personalities in one process; see the header. */
#include "compose.h"

#include "base/log.h"
#include "client/client.h"
#include "daemon.h"
#include "host/host.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <stdlib.h>
#include <string.h>

struct part {
	struct daemon daemon;
	struct settings *settings;
	bool prepared;
};

struct composed {
	struct client_local local;
	size_t part_count;
	struct part parts[];
};

/* A composition is told nothing but what all daemons are told. */
const struct flag compose_flags[] = {{.name = NULL}};
const size_t compose_flag_count = 0;

static const struct composition *composition_of(const struct daemon *daemon)
{
	return (const struct composition *)(const void *)daemon->personality;
}

void compose_pass_on(const struct daemon *daemon, const char *name, struct cox_buf *word)
{
	for (size_t i = 0; i < daemon->flags->flags.count; i++) {
		const struct flag_state *state = &daemon->flags->flags.items[i];

		if (strcmp(state->flag->name, name) == 0 && state->text)
			cox_buf_printf(word, "--%s=%s", name, state->text);
	}
}

/* Every part reads its own files, from the same directory. */
static struct settings *read_settings(const struct daemon *daemon,
				      const struct personality *personality, struct cox_error *err)
{
	static const char *const passed[] = {"config-dir", "plugin-dir", "v"};
	struct cox_buf words[3] = {COX_BUF_INIT, COX_BUF_INIT, COX_BUF_INIT};
	struct settings *settings;
	const char *given[3];
	size_t count = 0;
	bool usage_error;

	for (size_t i = 0; i < 3; i++) {
		compose_pass_on(daemon, passed[i], &words[i]);
		if (words[i].size)
			given[count++] = words[i].data;
	}
	settings = settings_read(personality, given, count, &usage_error, err);
	for (size_t i = 0; i < 3; i++)
		cox_buf_free(&words[i]);
	return settings;
}

static void adopt(struct part *part, struct settings *settings)
{
	part->settings = settings;
	part->daemon.flags = &settings->flags;
	part->daemon.config = settings->config;
	part->daemon.plugin_options = settings->common->plugin_options;
	part->daemon.plugin_threads = settings->common->plugin_threads;
	part->daemon.allow_missing = settings->common->allow_missing;
}

static int prepare_part(const struct daemon *daemon, struct part *part,
			const struct personality *personality, struct cox_error *err)
{
	struct settings *settings = read_settings(daemon, personality, err);

	if (!settings)
		return -1;
	part->daemon.personality = personality;
	part->daemon.host = host_new(personality->name, host_directory(daemon->host));
	adopt(part, settings);
	part->prepared = true;
	if (personality->check && personality->check(&part->daemon, err) != 0)
		return -1;
	return personality->prepare(&part->daemon, err);
}

int compose_prepare(struct daemon *daemon, struct cox_error *err)
{
	const struct composition *composition = composition_of(daemon);
	struct composed *composed =
		cox_calloc(1, sizeof(*composed) +
				      composition->part_count * sizeof(composed->parts[0]));

	daemon->state = composed;
	composed->part_count = composition->part_count;
	for (size_t i = 0; i < composed->part_count; i++)
		if (prepare_part(daemon, &composed->parts[i], composition->parts[i], err) != 0)
			return error_wrap(err, "%s", composition->parts[i]->name);
	return 0;
}

static int confine(const struct composition *composition, struct composed *composed,
		   struct cox_error *err)
{
	const struct daemon **parts = cox_calloc(composed->part_count, sizeof(*parts));
	int status;

	for (size_t i = 0; i < composed->part_count; i++)
		parts[i] = &composed->parts[i].daemon;
	status = composition->confine(parts, err);
	free(parts);
	return status;
}

int compose_start(struct daemon *daemon, struct cox_error *err)
{
	const struct composition *composition = composition_of(daemon);
	struct composed *composed = daemon->state;
	const struct client_local *local = NULL;

	if (composition->confine && confine(composition, composed, err) != 0)
		return -1;

	for (size_t i = 0; i < composed->part_count; i++) {
		struct part *part = &composed->parts[i];

		part->daemon.local = local;
		if (part->daemon.personality->start(&part->daemon, err) != 0)
			return error_wrap(err, "%s", part->daemon.personality->name);
		if (part->daemon.personality == composition->server) {
			composed->local = composition->local(&part->daemon);
			local = &composed->local;
		}
		log_info("Started %s", part->daemon.personality->name);
	}
	return 0;
}

int compose_reload(struct daemon *daemon, struct cox_error *err)
{
	struct composed *composed = daemon->state;

	for (size_t i = 0; i < composed->part_count; i++) {
		struct part *part = &composed->parts[i];
		struct settings *old = part->settings;
		struct settings *fresh = read_settings(daemon, part->daemon.personality, err);

		if (!fresh)
			return error_wrap(err, "%s", part->daemon.personality->name);
		fresh->before = old; /* threads may still read the old one */
		adopt(part, fresh);
		if (part->daemon.personality->reload &&
		    part->daemon.personality->reload(&part->daemon, err) != 0)
			return error_wrap(err, "%s", part->daemon.personality->name);
	}
	return 0;
}

void compose_stop(struct daemon *daemon)
{
	struct composed *composed = daemon->state;

	if (!composed)
		return;
	for (size_t i = composed->part_count; i-- > 0;) {
		struct part *part = &composed->parts[i];

		if (part->prepared)
			part->daemon.personality->stop(&part->daemon);
		if (part->daemon.host)
			host_free(part->daemon.host);
		settings_free(part->settings);
	}
	free(composed);
	daemon->state = NULL;
}
