/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Component statuses; see the header. The storage answers for itself; the
 * scheduler and the controller manager are asked at their health ports on
 * loopback, where their defaults put them.
 */
#include "apiserver/components.h"

#include "apiserver/dispatch.h"
#include "apiserver/read.h"
#include "apiserver/select.h"
#include "apiserver/status.h"
#include "machinery/json.h"

#include <arpa/inet.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const int ask_timeout_ms = 2000;

struct component {
	const char *name;
	uint16_t port; /* 0: the storage */
};

static const struct component components[] = {
	{"controller-manager", 10252}, {"etcd-0", 0}, {"scheduler", 10251}};

enum { COMPONENT_COUNT = sizeof(components) / sizeof(components[0]) };

static int failed_to(struct cox_error *err, uint16_t port, const char *what)
{
	char why[128];

	return error_set(err, COX_REASON_SERVICE_UNAVAILABLE,
			 "Get \"http://127.0.0.1:%u/healthz\": %s 127.0.0.1:%u: %s", port, what,
			 port, strerror_r(errno, why, sizeof(why)));
}

/* GET /healthz over a connection of its own; the first bytes tell enough. */
static int ask(uint16_t port, struct cox_error *err)
{
	static const char request[] =
		"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cox_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd poller = {fd, POLLIN, 0};
	char answer[64];
	ssize_t size;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return failed_to(err, port, "dial tcp");
	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		return failed_to(err, port, "write");
	if (poll(&poller, 1, ask_timeout_ms) != 1)
		return error_set(err, COX_REASON_TIMEOUT,
				 "Get \"http://127.0.0.1:%u/healthz\": no answer within %d ms",
				 port, ask_timeout_ms);
	size = recv(fd, answer, sizeof(answer) - 1, 0);
	if (size < 0)
		return failed_to(err, port, "read");
	answer[size] = '\0';
	if (strstr(answer, " 200 ") != NULL)
		return 0;
	return error_set(err, COX_REASON_SERVICE_UNAVAILABLE,
			 "Get \"http://127.0.0.1:%u/healthz\": not healthy", port);
}

static struct value *component_object(struct api_call *call, const struct component *component)
{
	struct arena *arena = call->arena;
	struct value *object = value_object(arena), *condition = value_object(arena), *list;
	cox_autoerror err = COX_ERROR_INIT;
	bool healthy = component->port ? ask(component->port, &err) == 0
				       : store_health(call->server->store, &err) == 0;

	value_set_text(arena, object, "kind", "ComponentStatus");
	value_set_text(arena, object, "apiVersion", "v1");
	value_set_text(arena, value_make_object(arena, object, "metadata"), "name",
		       component->name);
	list = value_make_array(arena, object, "conditions");
	value_set_text(arena, condition, "type", "Healthy");
	value_set_text(arena, condition, "status", healthy ? "True" : "False");
	if (healthy)
		value_set_text(arena, condition, "message", "ok");
	else
		value_set_text(arena, condition, "error", error_text(&err));
	value_push(arena, list, condition);
	return object;
}

static struct cox_bytes component_json(struct api_call *call, const struct component *component)
{
	cox_autobuf out = COX_BUF_INIT;

	json_write(&out, component_object(call, component), 0);
	return (struct cox_bytes){arena_strndup(call->arena, out.data, out.size), out.size};
}

/* They have a name and no labels; the kind knows no other fields. */
static bool is_wanted(const struct api_call *call, const char *name)
{
	static const struct label_set none = {.pairs = ""};
	const struct field_selector *fields = call->list.fields;

	if (call->list.labels && !label_selector_matches(call->list.labels, &none))
		return false;
	for (uint32_t i = 0; fields && i < fields->count; i++) {
		const struct field_requirement *one = &fields->requirements[i];
		bool is_name = strcmp(one->field, "metadata.name") == 0;
		bool equal = strcmp(is_name ? name : "", one->value) == 0;

		if (equal == one->not_equal)
			return false;
	}
	return true;
}

static void list(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;
	struct list_meta meta = {.continue_ = "", .remaining = -1};
	struct shape_list all;
	struct shape shape;

	if (dispatch_list_options(call, &err) != 0 ||
	    (call->list.fields &&
	     select_check_fields(call->resource, call->list.fields, &err) != 0) ||
	    read_negotiate(call, call->resource, true, &shape, &err) != 0)
		goto fail;
	shape_list_begin(&all, &shape, &meta, &out);
	for (size_t i = 0; i < COMPONENT_COUNT; i++)
		if (is_wanted(call, components[i].name) &&
		    shape_list_add(&all, component_json(call, &components[i]), &err) != 0)
			goto fail;
	shape_list_end(&all);
	call_answer(call, 200, negotiate_content_type(&call->media, false, call->arena), out.data,
		    out.size);
	return;
fail:
	call_fail(call, &err);
}

static void get(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct shape shape;

	for (size_t i = 0; i < COMPONENT_COUNT; i++) {
		if (strcmp(call->route.name, components[i].name) != 0)
			continue;
		if (read_negotiate(call, call->resource, false, &shape, &err) != 0)
			call_fail(call, &err);
		else
			read_answer_json(call, 200, &shape, component_json(call, &components[i]));
		return;
	}
	status_not_found(&err, "", "componentstatuses", call->route.name);
	call_fail(call, &err);
}

void components_serve(struct api_call *call)
{
	if (call->verb == VERB_GET)
		get(call);
	else
		list(call);
}
