/* SPDX-License-Identifier: Apache-2.0 */
/* Loading and asking authenticators; see the header. */
#include "harness.h"

#include "access/identity.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"
#include "pki/key.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char harness_directory[] = "/tmp/coxswain-authenticator.XXXXXX";
static struct host *host;

int harness_begin(void **state)
{
	const char *build = getenv("builddir");
	char plugins[4096];

	(void)state;
	snprintf(plugins, sizeof(plugins), "%s/plugins/.libs", build ? build : ".");
	host = host_new("kube-apiserver", plugins);
	return mkdtemp(harness_directory) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

int harness_end(void **state)
{
	(void)state;
	host_free(host);
	return nftw(harness_directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct host_plugin *harness_open(const char *name, const struct option *options,
				 struct cox_error *err)
{
	struct host_plugin *plugin = host_open(host, "authenticator", name, "f:4", err);
	bool failed = !plugin;

	for (; !failed && options->key; options++)
		failed = host_set_option(plugin, options->key, options->value, "f:5", err) != 0;
	if (!failed && host_configure(plugin, err) == 0)
		return plugin;
	host_close(plugin);
	return NULL;
}

static int bring_up(struct host_plugin *plugin, const struct cox_cluster *cluster,
		    struct cox_error *err)
{
	const struct cox_authenticator_ops *ops = host_ops(plugin);

	if (host_get_ready(plugin, err) != 0)
		return -1;
	if (ops->setup && cluster) {
		host_call_scope(plugin);
		if (ops->setup(host_self(plugin), cluster, err) != 0)
			return -1;
	}
	return host_start(plugin, err);
}

struct host_plugin *harness_start(const char *name, const struct option *options,
				  const struct cox_cluster *cluster)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct host_plugin *plugin = harness_open(name, options, &err);

	if (!plugin || bring_up(plugin, cluster, &err) != 0)
		fail_msg("%s", error_text(&err));
	return plugin;
}

void harness_refused(const char *name, const struct option *options, const char *format, ...)
{
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf wanted = COX_BUF_INIT;
	struct host_plugin *plugin = harness_open(name, options, &err);
	va_list args;

	if (plugin)
		assert_int_equal(bring_up(plugin, NULL, &err), -1);
	host_close(plugin);
	va_start(args, format);
	cox_buf_vprintf(&wanted, format, args);
	va_end(args);
	assert_string_equal(error_text(&err), wanted.data);
}

static void put_list(struct cox_buf *out, const char *key, const char *const *items, size_t count)
{
	if (count)
		cox_buf_printf(out, " %s=", key);
	for (size_t i = 0; i < count; i++)
		cox_buf_printf(out, "%s%s", i ? "," : "", items[i]);
}

static void put_identity(struct cox_buf *out, const struct identity *identity)
{
	size_t groups = identity->group_count;

	cox_buf_printf(out, "yes %s", identity->user);
	if (*identity->uid)
		cox_buf_printf(out, " uid=%s", identity->uid);
	/* the host adds it at the end */
	if (groups && strcmp(identity->groups[groups - 1], "system:authenticated") == 0)
		groups--;
	put_list(out, "groups", identity->groups, groups);
	for (size_t i = 0; i < identity->extra_count; i++)
		put_list(out, identity->extra[i].key, identity->extra[i].values,
			 identity->extra[i].value_count);
	put_list(out, "aud", identity->audiences, identity->audience_count);
	if (identity->expires)
		cox_buf_printf(out, " expires=%" PRIu64, identity->expires / CLOCK_SECOND);
}

char *harness_ask(struct host_plugin *plugin, const struct cox_authn_request *request)
{
	const struct cox_authenticator_ops *ops = host_ops(plugin);
	const struct cox_call call = {.struct_size = sizeof(call)};
	struct identity_builder builder;
	struct identity *identity;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;
	enum cox_authn_answer answer;

	identity_builder_init(&builder);
	{
		host_call_scope(plugin);
		answer = ops->authenticate(host_self(plugin), &call, request, &builder.sink, &err);
	}
	switch (answer) {
	case COX_AUTHN_YES:
		identity = identity_builder_finish(&builder, &err);
		assert_non_null(identity);
		put_identity(&out, identity);
		identity_unref(identity);
		break;
	case COX_AUTHN_NOT_MINE:
		assert_null(err.message);
		cox_buf_str(&out, "not mine");
		break;
	case COX_AUTHN_BAD:
		assert_int_equal(err.reason, COX_REASON_UNAUTHORIZED);
		cox_buf_printf(&out, "bad: %s", error_text(&err));
		break;
	case COX_AUTHN_ERROR:
		cox_buf_printf(&out, "error: %s", error_text(&err));
		break;
	default:
		fail_msg("an answer of %d", (int)answer);
	}
	identity_builder_clear(&builder);
	return cox_buf_steal(&out);
}

void harness_expect(struct host_plugin *plugin, const struct cox_authn_request *request,
		    const char *answer)
{
	cox_autofree char *got = harness_ask(plugin, request);

	assert_string_equal(got, answer);
}

const char *harness_path(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", harness_directory, name);
	return path;
}

void harness_write(const char *name, const char *data, size_t size)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (pki_file_write(harness_path(name), data, size, 0600, &err) != 0)
		fail_msg("%s", error_text(&err));
}

void harness_text(const char *name, const char *text)
{
	harness_write(name, text, strlen(text));
}

unsigned harness_logged(const char *text)
{
	enum { SIZE = 1 << 20 };
	cox_autofree char *lines = cox_calloc(1, SIZE + 1);
	unsigned count = 0;

	lines[log_tail(lines, SIZE)] = '\0';
	for (const char *at = lines; (at = strstr(at, text)); at += strlen(text))
		count++;
	return count;
}
