/* SPDX-License-Identifier: Apache-2.0 */
/* Several personalities in one process; see the header. */
#include "compose.h"

#include "base/log.h"
#include "client/local.h"
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
	const struct composition *composition =
		(const struct composition *)(const void *)daemon->personality;
	const struct compose_config *config = daemon->config;

	/* Whoever only looks wants to see all parts. */
	if (composition->single &&
	    (config->single_process || flags_given(daemon->flags, "check-config") ||
	     flags_given(daemon->flags, "list-plugins")))
		return composition->single;
	return composition;
}

/* One word for each line of the text: what is repeated is kept in lines. */
static void pass_on(struct compose_words *words, const char *name, const char *text)
{
	while (*text) {
		size_t size = strcspn(text, "\n");
		cox_autobuf word = COX_BUF_INIT;

		cox_buf_printf(&word, "--%s=%.*s", name, (int)size, text);
		cox_vec_push(&words->items, cox_buf_steal(&word));
		text += size + (text[size] == '\n');
	}
}

/*
 * The directory first, whether it was given or not: what stands before it is
 * weaker than its files, and with a flag but without it they would not be read.
 */
void compose_words_make(const struct daemon *daemon, struct compose_words *words)
{
	static const char *const passed[] = {"config-dir",
					     "plugin-dir",
					     "plugin-option",
					     "plugin-threads",
					     "allow-missing-plugins",
					     "v"};

	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		for (size_t k = 0; k < daemon->flags->flags.count; k++) {
			const struct flag_state *state = &daemon->flags->flags.items[k];

			if (strcmp(state->flag->name, passed[i]) != 0)
				continue;
			if (state->text)
				pass_on(words, passed[i], state->text);
			else if (i == 0)
				pass_on(words, passed[i], state->flag->fallback);
		}
}

void compose_words_free(struct compose_words *words)
{
	for (size_t i = 0; i < words->items.count; i++)
		free((char *)words->items.items[i]);
	cox_vec_free(&words->items);
}

/* Every part reads its own files, from the same directory. */
static struct settings *read_settings(const struct daemon *daemon,
				      const struct personality *personality, struct cox_error *err)
{
	struct compose_words words = {.items = {NULL, 0, 0}};
	struct settings *settings;
	bool usage_error;

	compose_words_make(daemon, &words);
	settings =
		settings_read(personality, words.items.items, words.items.count, &usage_error, err);
	compose_words_free(&words);
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
	part->daemon.own_socket = daemon->own_socket;
	adopt(part, settings);
	part->prepared = true;
	if (personality->check && personality->check(&part->daemon, err) != 0)
		return -1;
	return personality->prepare(&part->daemon, err);
}

int compose_prepare(struct daemon *daemon, struct cox_error *err)
{
	const struct composition *composition = composition_of(daemon);
	struct composed *composed = cox_calloc(
		1, sizeof(*composed) + composition->part_count * sizeof(composed->parts[0]));

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
		part->daemon.server_socket = daemon->server_socket;
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
