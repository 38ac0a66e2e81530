/* SPDX-License-Identifier: Apache-2.0 */
/* What is served besides API objects; see the header. */
#include "apiserver/endpoints.h"

#include "apiserver/discovery.h"
#include "apiserver/openapi.h"
#include "apiserver/watch.h"
#include "base/metrics.h"
#include "base/version.h"

#include <coxswain/kit/buf.h>
#include <string.h>

/* Paths */

void endpoints_not_found(struct api_call *call)
{
	static const char text[] = "404 page not found\n";

	call_answer(call, 404, "text/plain; charset=utf-8", text, sizeof(text) - 1);
}

static void serve_version(struct api_call *call)
{
	cox_autobuf out = COX_BUF_INIT;

	cox_buf_printf(&out,
		       "{\n  \"major\": \"%s\",\n  \"minor\": \"%s\",\n  \"gitVersion\": \"%s\",\n"
		       "  \"gitCommit\": \"\",\n  \"gitTreeState\": \"clean\",\n"
		       "  \"buildDate\": \"1970-01-01T00:00:00Z\",\n  \"goVersion\": \"none\",\n"
		       "  \"compiler\": \"%s\",\n  \"platform\": \"linux/%s\"\n}",
		       COX_KUBERNETES_MAJOR, COX_KUBERNETES_MINOR, COX_KUBERNETES_VERSION,
#ifdef __clang__
		       "clang",
#else
		       "gcc",
#endif
		       COX_PLATFORM);
	call_answer(call, 200, "application/json", out.data, out.size);
}

/* Health */

struct health_check {
	const char *name;
	/* 0, or -1 and what is wrong */
	int (*check)(struct apiserver *server, struct cox_error *err);
	bool live; /* counts for /livez and /healthz, too */
};

static int check_ping(struct apiserver *server, struct cox_error *err)
{
	(void)server;
	(void)err;
	return 0;
}

static int check_store(struct apiserver *server, struct cox_error *err)
{
	return store_health(server->store, err);
}

static int check_started(struct apiserver *server, struct cox_error *err)
{
	if (atomic_load(&server->ready))
		return 0;
	return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "not started yet");
}

static int check_stopping(struct apiserver *server, struct cox_error *err)
{
	if (!atomic_load(&server->stopping))
		return 0;
	return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "the server is stopping");
}

static const struct health_check checks[] = {
	{"ping", check_ping, true},
	{"etcd", check_store, true}, /* the name that monitors look for */
	{"poststarthook/start", check_started, false},
	{"shutdown", check_stopping, false},
};

enum { CHECK_COUNT = sizeof(checks) / sizeof(checks[0]) };

static bool is_excluded(const struct api_call *call, const char *name)
{
	for (size_t i = 0; i < call->request->parameter_count; i++)
		if (strcmp(call->request->parameters[i].name, "exclude") == 0 &&
		    strcmp(call->request->parameters[i].value, name) == 0)
			return true;
	return false;
}

/* One check by name (/readyz/etcd), or all of them. */
static void serve_health(struct api_call *call)
{
	const char *kind = call->request->segments[0];
	const char *only = NULL;
	bool ready = strcmp(kind, "readyz") == 0, failed = false, any = false;
	cox_autobuf out = COX_BUF_INIT;

	if (call->request->segment_count == 2)
		only = call->request->segments[1];
	else if (call->request->segment_count > 2)
		only = arena_printf(call->arena, "%s/%s", call->request->segments[1],
				    call->request->segments[2]);
	for (size_t i = 0; i < CHECK_COUNT; i++) {
		cox_autoerror err = COX_ERROR_INIT;

		if (only ? strcmp(only, checks[i].name) != 0 : !ready && !checks[i].live)
			continue;
		any = true;
		if (is_excluded(call, checks[i].name)) {
			cox_buf_printf(&out, "[+]%s excluded: ok\n", checks[i].name);
		} else if (checks[i].check(call->server, &err) == 0) {
			cox_buf_printf(&out, "[+]%s ok\n", checks[i].name);
		} else {
			failed = true;
			cox_buf_printf(&out, "[-]%s failed: %s\n", checks[i].name,
				       error_text(&err));
		}
	}
	if (!any) {
		endpoints_not_found(call);
		return;
	}
	if (failed)
		cox_buf_printf(&out, "%s check failed\n", kind);
	else if (call_param(call, "verbose"))
		cox_buf_printf(&out, "%s check passed\n", kind);
	else {
		cox_buf_clear(&out);
		cox_buf_str(&out, "ok");
	}
	call_answer(call, failed ? 500 : 200, "text/plain; charset=utf-8", out.data, out.size);
}

static void serve_metrics(struct api_call *call)
{
	struct apiserver *server = call->server;
	struct store_figures figures;
	cox_autobuf out = COX_BUF_INIT;

	store_figures(server->store, &figures);
	metrics_set(metrics_gauge("apiserver_storage_objects", "Objects in the cache.", NULL),
		    (int64_t)figures.entries);
	metrics_set(metrics_gauge("coxswain_store_entry_bytes",
				  "Memory of the objects in the cache.", NULL),
		    (int64_t)figures.entry_bytes);
	metrics_set(metrics_gauge("coxswain_store_unreadable_objects",
				  "Stored values that could not be understood.", NULL),
		    (int64_t)figures.bad_entries);
	metrics_set(metrics_gauge("coxswain_store_history_bytes",
				  "Memory of past objects that watches may still need.", NULL),
		    (int64_t)figures.history_bytes);
	metrics_set(metrics_gauge("apiserver_longrunning_requests", "Watches that are open.", NULL),
		    (int64_t)watch_hub_count(server->watches));
	metrics_write(&out);
	call_answer(call, 200, "text/plain; version=0.0.4; charset=utf-8", cox_buf_cstr(&out),
		    out.size);
}

static void serve_root(struct api_call *call)
{
	cox_autobuf out = COX_BUF_INIT;
	const char *last = "";

	cox_buf_str(&out, "{\"paths\":[\"/api\",\"/api/v1\",\"/apis\"");
	for (size_t i = 0; i < call->server->resource_count; i++) {
		const struct api_resource *resource = &call->server->resources[i];
		char *path;

		if (!*resource->group)
			continue;
		path = arena_printf(call->arena, "/apis/%s/%s", resource->group, resource->version);
		if (strcmp(path, last) != 0)
			cox_buf_printf(&out, ",\"/apis/%s\",\"%s\"", resource->group, path);
		last = path;
	}
	cox_buf_str(&out, ",\"/healthz\",\"/livez\",\"/metrics\",\"/openapi/v2\",\"/openapi/v3\","
			  "\"/readyz\",\"/version\"]}");
	call_answer(call, 200, "application/json", out.data, out.size);
}

static bool path_is(const struct api_call *call, const char *first, size_t count)
{
	return call->request->segment_count == count &&
	       (count == 0 || strcmp(call->request->segments[0], first) == 0);
}

static void serve_openapi(struct api_call *call)
{
	const char *const *segments = call->request->segments;
	size_t count = call->request->segment_count;

	if (count == 2 && strcmp(segments[1], "v2") == 0)
		openapi_v2(call);
	else if (count == 2 && strcmp(segments[1], "v3") == 0)
		openapi_v3_index(call);
	else if (count == 4 && strcmp(segments[1], "v3") == 0 && strcmp(segments[2], "api") == 0)
		openapi_v3(call, "", segments[3]);
	else if (count == 5 && strcmp(segments[1], "v3") == 0 && strcmp(segments[2], "apis") == 0)
		openapi_v3(call, segments[3], segments[4]);
	else
		endpoints_not_found(call);
}

static void serve_on_worker(struct api_call *call)
{
	const char *first = call->request->segments[0];

	if (strcmp(first, "openapi") == 0)
		serve_openapi(call);
	else if (strcmp(first, "swagger-2.0.0.pb-v1") == 0)
		openapi_v2_protobuf(call);
	else if (strcmp(first, "metrics") == 0)
		serve_metrics(call);
	else
		serve_health(call);
}

static bool is_health(const struct api_call *call)
{
	static const char *const names[] = {"healthz", "livez", "readyz"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (path_is(call, names[i], 1) || path_is(call, names[i], 2) ||
		    path_is(call, names[i], 3))
			return true;
	return false;
}

static void fail_method(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, COX_REASON_METHOD_NOT_ALLOWED,
		  "the server does not allow this method on the requested resource");
	call_fail(call, &err);
}

void endpoints_serve(struct api_call *call)
{
	const char *const *segments = call->request->segments;
	enum http_method method = call->request->method;

	if (method != HTTP_GET && method != HTTP_HEAD)
		fail_method(call);
	else if (path_is(call, "", 0))
		serve_root(call);
	else if (path_is(call, "version", 1))
		serve_version(call);
	else if (path_is(call, "api", 1))
		discovery_api(call);
	else if (path_is(call, "apis", 1))
		discovery_apis(call);
	else if (path_is(call, "api", 2))
		discovery_version(call, "", segments[1]);
	else if (path_is(call, "apis", 2))
		discovery_group(call, segments[1]);
	else if (path_is(call, "apis", 3))
		discovery_version(call, segments[1], segments[2]);
	else if (is_health(call) || path_is(call, "metrics", 1) ||
		 path_is(call, "swagger-2.0.0.pb-v1", 1) ||
		 (call->request->segment_count >= 2 && strcmp(segments[0], "openapi") == 0))
		call_work(call, serve_on_worker);
	else
		endpoints_not_found(call);
}
