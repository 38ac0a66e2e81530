/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the checks, what they say, and what they know of the daemons; see the header. */
#include "preflight/internal.h"

#include <coxswain/kit/cleanup.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"ok", "warning", "error"};

/* A text of somebody else's must not make a second line or a further part. */
static void put_part(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text, out);
}

void preflight_say(struct preflight *preflight, enum preflight_level level, const char *thing,
		   const char *remedy, const char *format, ...)
{
	cox_autobuf found = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&found, format, args);
	va_end(args);
	if (level == PREFLIGHT_ERROR)
		preflight->errors++;
	else if (level == PREFLIGHT_WARNING)
		preflight->warnings++;
	fprintf(preflight->out, "%s\t", level_names[level]);
	put_part(preflight->out, thing);
	fputc('\t', preflight->out);
	put_part(preflight->out, cox_buf_cstr(&found));
	if (remedy) {
		fputc('\t', preflight->out);
		put_part(preflight->out, remedy);
	}
	fputc('\n', preflight->out);
	/* Whoever waits for a slow check sees what came before it. */
	fflush(preflight->out);
}

static const struct preflight_daemon *find_daemon(const struct preflight *preflight,
						  const char *name)
{
	for (size_t i = 0; i < preflight->daemon_count; i++)
		if (strcmp(preflight->daemons[i].name, name) == 0)
			return &preflight->daemons[i];
	return NULL;
}

const char *preflight_any_flag(const struct preflight *preflight, const char *daemon,
			       const char *flag)
{
	const struct preflight_daemon *found = find_daemon(preflight, daemon);

	return found ? flags_value(found->flags, flag) : NULL;
}

const char *preflight_flag(const struct preflight *preflight, const char *daemon, const char *flag)
{
	const struct preflight_daemon *found = find_daemon(preflight, daemon);

	return found && found->wanted ? flags_value(found->flags, flag) : NULL;
}

const char *preflight_origin(const struct preflight *preflight, const char *daemon,
			     const char *flag)
{
	const struct preflight_daemon *found = find_daemon(preflight, daemon);

	return found ? flags_origin(found->flags, flag) : "default";
}

void preflight_plugin_option(const struct preflight *preflight, const char *daemon,
			     const char *option, const char *fallback, struct cox_buf *out)
{
	const char *at = preflight_any_flag(preflight, daemon, "plugin-option");
	size_t name = strlen(option);

	cox_buf_clear(out);
	cox_buf_str(out, fallback);
	while (at && *at) {
		size_t size = strcspn(at, "\n");

		/* The last one counts. */
		if (size > name && memcmp(at, option, name) == 0 && at[name] == '=') {
			cox_buf_clear(out);
			cox_buf_add(out, at + name + 1, size - name - 1);
		}
		at += size + (at[size] == '\n');
	}
}

void preflight_check(struct preflight *preflight)
{
	static void (*const checks[])(struct preflight *) = {
		preflight_check_files,	  preflight_check_user,	   preflight_check_directories,
		preflight_check_space,	  preflight_check_memory,  preflight_check_clock,
		preflight_check_names,	  preflight_check_servers, preflight_check_ports,
		preflight_check_firewall, preflight_check_kernel,  preflight_check_cgroups,
		preflight_check_runtime,  preflight_check_docker,
	};

	if (geteuid() != 0)
		preflight_say(preflight, PREFLIGHT_WARNING, "rights", "start it as root",
			      "not root: some things cannot be seen or tried");
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](preflight);
}
