/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the plugin named by the first argument and asks it three questions. */
#include "host/host.h"

#include <coxswain/authorizer.h>
#include <stdio.h>

static void print_reason(const struct cox_reason_sink *sink, const char *text)
{
	(void)sink;
	printf(" (%s)", text);
}

static void ask(struct host_plugin *plugin, const char *user, const char *name)
{
	static const char *const answers[] = {"error", "no opinion", "allow", "deny"};
	const struct cox_authorizer_ops *ops = host_ops(plugin);
	struct cox_call call = {.struct_size = sizeof(call)};
	struct cox_reason_sink sink = {.struct_size = sizeof(sink), .reason = print_reason};
	struct cox_attributes attributes = {.struct_size = sizeof(attributes),
					    .is_resource = 1,
					    .user = user,
					    .verb = "get",
					    .resource = "pods",
					    .namespace_ = name};
	enum cox_decision decision;

	printf("%s in %s", user, name);
	{
		host_call_scope(plugin);
		decision = ops->authorize(host_self(plugin), &call, &attributes, &sink, NULL);
	}
	printf(": %s\n", answers[decision + 1]);
}

static int use(struct host *host, const char *path, struct cox_error *err)
{
	struct host_plugin *plugin = host_open(host, "authorizer", path, NULL, err);
	int result;

	if (!plugin)
		return -1;
	result = host_set_option(plugin, "prefix", "home-", "command line", err);
	if (result == 0)
		result = host_configure(plugin, err);
	if (result == 0)
		result = host_get_ready(plugin, err);
	if (result == 0)
		result = host_start(plugin, err);
	if (result == 0) {
		ask(plugin, "alice", "home-alice");
		ask(plugin, "bob", "home-alice");
		ask(plugin, "bob", "default");
	}
	host_close(plugin);
	return result;
}

int main(int argc, char **argv)
{
	struct host *host = host_new("use", NULL);
	cox_autoerror err = COX_ERROR_INIT;
	int result = argc == 2 ? use(host, argv[1], &err) : -1;

	if (result < 0)
		printf("%s\n", error_text(&err));
	host_free(host);
	return result < 0;
}
