/* SPDX-License-Identifier: Apache-2.0 */
/* The fixture of tests of controller plugins. */
#include "unit/unit.h"

#include "base/clock.h"
#include "lib/controllers.h"
#include "machinery/json.h"

#include <coxswain/kit/cleanup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fixture_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *build = getenv("builddir");
	cox_autobuf directory = COX_BUF_INIT;

	cox_buf_printf(&directory, "%s/plugins/.libs", build ? build : ".");
	f->server = fake_server_new();
	f->client = fake_server_client(f->server);
	f->host = host_new("kube-controller-manager", directory.data);
	*state = f;
	return 0;
}

void fixture_run(struct fixture *f, const char *name, ...)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct controller_plugin plugin = {.name = name};
	const char *key;
	va_list args;

	f->plugin = host_open(f->host, "controller", name, "test", &err);
	if (!f->plugin)
		fail_msg("%s", error_text(&err));
	va_start(args, name);
	while ((key = va_arg(args, const char *))) {
		if (host_set_option(f->plugin, key, va_arg(args, const char *), "test", &err))
			fail_msg("%s", error_text(&err));
	}
	va_end(args);
	if (host_configure(f->plugin, &err) || host_get_ready(f->plugin, &err))
		fail_msg("%s", error_text(&err));
	f->controllers = controllers_new(f->client, "kube-controller-manager", &err);
	assert_non_null(f->controllers);
	plugin.plugin = f->plugin;
	plugin.ops = host_ops(f->plugin);
	plugin.self = host_self(f->plugin);
	plugin.cloud = f->cloud;
	if (controllers_add(f->controllers, &plugin, &err) || host_start(f->plugin, &err) ||
	    controllers_start(f->controllers, &err))
		fail_msg("%s", error_text(&err));
}

int fixture_tear_down(void **state)
{
	struct fixture *f = *state;

	controllers_free(f->controllers);
	host_close(f->plugin);
	host_free(f->host);
	client_free(f->client);
	fake_server_free(f->server);
	free(f);
	return 0;
}

const char *field(struct fixture *f, const char *resource, const char *namespace, const char *name,
		  const char *path)
{
	static char texts[4][1024];
	static unsigned next;
	char *out = texts[next++ % 4];
	cox_autoobject *object = fake_get(f->server, resource, namespace, name);
	const struct value *value = object_path(object_root(object), path);

	if (value && !value_is(value, VALUE_STRING)) {
		cox_autobuf text = COX_BUF_INIT;

		json_write(&text, value, 0);
		snprintf(out, sizeof(texts[0]), "%s", text.data);
	} else {
		snprintf(out, sizeof(texts[0]), "%s", value_text(value));
	}
	return out;
}

bool exists(struct fixture *f, const char *resource, const char *namespace, const char *name)
{
	cox_autoobject *object = fake_get(f->server, resource, namespace, name);

	return object != NULL;
}

void put(struct fixture *f, const char *resource, const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	for (char *at = text.data; *at; at++) {
		if (*at == '\'')
			*at = '"';
	}
	fake_put(f->server, resource, text.data);
}

bool has_event(struct fixture *f, const char *reason, const char *message)
{
	for (size_t i = 0;; i++) {
		cox_autoobject *event = fake_at(f->server, "events", i);
		const struct value *root = object_root(event);

		if (!event)
			return false;
		if (!strcmp(value_get_text(root, "reason"), reason) &&
		    !strcmp(value_get_text(root, "message"), message))
			return true;
	}
}

void serve_discovery(struct fixture *f, const char *kinds)
{
	cox_autobuf text = COX_BUF_INIT;
	char words[512], *at = words, *word;

	snprintf(words, sizeof(words), "%s", kinds);
	cox_buf_str(&text, "{\"kind\":\"APIResourceList\",\"groupVersion\":\"v1\",\"resources\":[");
	while ((word = strsep(&at, " "))) {
		char *kind = strchr(word, '/'), *cluster = strchr(word, '!');

		*kind++ = '\0';
		if (cluster)
			*cluster = '\0';
		cox_buf_printf(&text,
			       "%s{\"name\":\"%s\",\"namespaced\":%s,\"kind\":\"%s\",\"verbs\":["
			       "\"create\",\"delete\",\"deletecollection\",\"get\",\"list\","
			       "\"patch\",\"update\",\"watch\"]}",
			       word == words ? "" : ",", word, cluster ? "false" : "true", kind);
	}
	cox_buf_str(&text, "]}");
	fake_document(f->server, "/api/v1", text.data);
	fake_document(f->server, "/apis", "{\"kind\":\"APIGroupList\",\"groups\":[]}");
}
