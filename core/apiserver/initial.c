/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that every cluster has; see the header. */
#include "apiserver/initial.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/client.h"
#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <string.h>

static const uint64_t period = 10 * CLOCK_SECOND;

struct initial {
	struct client *client;
	char *address_range, *service_address, *advertised;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping;
};

/* One object: where it is, and its JSON. */
struct wanted {
	const char *group, *version, *resource, *namespace_, *name;
	const char *json;
	/* What has to be as wanted; NULL: it is enough that it exists. */
	const char *checked;
};

static int write_object(struct initial *initial, const struct wanted *wanted, enum client_verb verb,
			struct cox_error *err)
{
	struct client_request request = {.verb = verb,
					 .group = wanted->group,
					 .version = wanted->version,
					 .resource = wanted->resource,
					 .namespace = wanted->namespace_,
					 .name = verb == CLIENT_CREATE ? NULL : wanted->name,
					 .body = wanted->json,
					 .body_size = strlen(wanted->json)};

	if (verb == CLIENT_PATCH)
		request.content_type = CLIENT_MERGE_PATCH;
	return client_call(initial->client, &request, NULL, err);
}

static bool as_wanted(const struct wanted *wanted, const struct cox_buf *found)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *now, *want;

	if (!wanted->checked)
		return true;
	now = json_parse(&arena, found->data, found->size, NULL, NULL);
	want = json_parse(&arena, wanted->json, strlen(wanted->json), NULL, NULL);
	return value_equal(value_path(now, wanted->checked), value_path(want, wanted->checked));
}

static int ensure(struct initial *initial, const struct wanted *wanted, struct cox_error *err)
{
	struct client_request get = {.verb = CLIENT_GET,
				     .group = wanted->group,
				     .version = wanted->version,
				     .resource = wanted->resource,
				     .namespace = wanted->namespace_,
				     .name = wanted->name};
	cox_autoanswer found = CLIENT_ANSWER_INIT;
	cox_autoerror why = COX_ERROR_INIT;

	if (client_call(initial->client, &get, &found, &why) == 0) {
		if (as_wanted(wanted, &found.body))
			return 0;
		return write_object(initial, wanted, CLIENT_PATCH, err);
	}
	if (why.reason != COX_REASON_NOT_FOUND) {
		error_move(err, &why);
		return -1;
	}
	if (write_object(initial, wanted, CLIENT_CREATE, &why) == 0 ||
	    why.reason == COX_REASON_ALREADY_EXISTS)
		return 0;
	error_move(err, &why);
	return error_wrap(err, "make %s %s", wanted->resource, wanted->name);
}

static int ensure_namespace(struct initial *initial, const char *name, struct cox_error *err)
{
	cox_autobuf json = COX_BUF_INIT;
	struct wanted wanted = {"", "v1", "namespaces", NULL, name, NULL, NULL};

	cox_buf_printf(&json,
		       "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		       "\"%s\"}}",
		       name);
	wanted.json = json.data;
	return ensure(initial, &wanted, err);
}

static int ensure_range(struct initial *initial, struct cox_error *err)
{
	cox_autobuf json = COX_BUF_INIT;
	struct wanted wanted = {
		"networking.k8s.io", "v1", "servicecidrs", NULL, "kubernetes", NULL, NULL};

	cox_buf_printf(&json,
		       "{\"kind\":\"ServiceCIDR\",\"apiVersion\":\"networking.k8s.io/v1\","
		       "\"metadata\":{\"name\":\"kubernetes\"},\"spec\":{\"cidrs\":[\"%s\"]}}",
		       initial->address_range);
	wanted.json = json.data;
	return ensure(initial, &wanted, err);
}

static int ensure_service(struct initial *initial, struct cox_error *err)
{
	cox_autobuf json = COX_BUF_INIT;
	struct wanted wanted = {"", "v1", "services", "default", "kubernetes", NULL, "spec.ports"};

	cox_buf_printf(&json,
		       "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		       "\"kubernetes\",\"labels\":{\"component\":\"apiserver\",\"provider\":"
		       "\"kubernetes\"}},\"spec\":{\"ports\":[{\"name\":\"https\",\"protocol\":"
		       "\"TCP\",\"port\":443,\"targetPort\":%u}],\"clusterIP\":\"%s\"}}",
		       initial->port, initial->service_address);
	wanted.json = json.data;
	return ensure(initial, &wanted, err);
}

static int ensure_endpoints(struct initial *initial, struct cox_error *err)
{
	cox_autobuf endpoints = COX_BUF_INIT;
	cox_autobuf slice = COX_BUF_INIT;
	struct wanted wanted = {"", "v1", "endpoints", "default", "kubernetes", NULL, "subsets"};

	cox_buf_printf(&endpoints,
		       "{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		       "\"kubernetes\",\"labels\":{\"endpointslice.kubernetes.io/skip-mirror\":"
		       "\"true\"}},\"subsets\":[{\"addresses\":[{\"ip\":\"%s\"}],\"ports\":[{"
		       "\"name\":\"https\",\"port\":%u,\"protocol\":\"TCP\"}]}]}",
		       initial->advertised, initial->port);
	wanted.json = endpoints.data;
	if (ensure(initial, &wanted, err) != 0)
		return -1;
	cox_buf_printf(&slice,
		       "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\","
		       "\"metadata\":{\"name\":\"kubernetes\",\"labels\":{"
		       "\"kubernetes.io/service-name\":\"kubernetes\"}},\"addressType\":\"IPv4\","
		       "\"endpoints\":[{\"addresses\":[\"%s\"],\"conditions\":{\"ready\":true}}],"
		       "\"ports\":[{\"name\":\"https\",\"port\":%u,\"protocol\":\"TCP\"}]}",
		       initial->advertised, initial->port);
	wanted = (struct wanted){"discovery.k8s.io", "v1",	 "endpointslices", "default",
				 "kubernetes",	     slice.data, "endpoints"};
	return ensure(initial, &wanted, err);
}

static int ensure_all(struct initial *initial, struct cox_error *err)
{
	static const char *const namespaces[] = {"default", "kube-system", "kube-public",
						 "kube-node-lease"};

	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
		if (ensure_namespace(initial, namespaces[i], err) != 0)
			return -1;
	if (ensure_range(initial, err) != 0 || ensure_service(initial, err) != 0)
		return -1;
	return *initial->advertised ? ensure_endpoints(initial, err) : 0;
}

static void warn(const struct cox_error *err)
{
	log_warning("Look after the objects that every cluster has: %s", error_text(err));
}

static void *look_after(void *context)
{
	struct initial *initial = context;

	pthread_mutex_lock(&initial->lock);
	while (!initial->stopping) {
		uint64_t until = clock_monotonic() + period;
		struct timespec when = {(time_t)(until / CLOCK_SECOND),
					(long)(until % CLOCK_SECOND)};
		cox_autoerror err = COX_ERROR_INIT;

		pthread_cond_clockwait(&initial->changed, &initial->lock, CLOCK_MONOTONIC, &when);
		if (initial->stopping)
			break;
		pthread_mutex_unlock(&initial->lock);
		if (ensure_all(initial, &err) != 0)
			warn(&err);
		pthread_mutex_lock(&initial->lock);
	}
	pthread_mutex_unlock(&initial->lock);
	return NULL;
}

static void initial_free(struct initial *initial)
{
	pthread_cond_destroy(&initial->changed);
	pthread_mutex_destroy(&initial->lock);
	free(initial->address_range);
	free(initial->service_address);
	free(initial->advertised);
	free(initial);
}

struct initial *initial_start(struct client *client, const struct initial_options *options,
			      struct cox_error *err)
{
	struct initial *initial = cox_new(struct initial);
	cox_autoerror why = COX_ERROR_INIT;
	int failure;

	initial->client = client;
	initial->address_range = cox_strdup(options->address_range);
	initial->service_address = cox_strdup(options->service_address);
	initial->advertised = cox_strdup(options->advertised);
	initial->port = options->port;
	pthread_mutex_init(&initial->lock, NULL);
	pthread_cond_init(&initial->changed, NULL);
	if (ensure_all(initial, &why) != 0) {
		/* Authorizers do not speak about the server: this was admission. */
		if (why.reason != COX_REASON_FORBIDDEN) {
			initial_free(initial);
			error_move(err, &why);
			return NULL;
		}
		warn(&why);
	}
	failure = pthread_create(&initial->thread, NULL, look_after, initial);
	if (failure != 0) {
		error_errno(err, failure, "start a thread");
		initial_free(initial);
		return NULL;
	}
	return initial;
}

void initial_stop(struct initial *initial)
{
	if (!initial)
		return;
	pthread_mutex_lock(&initial->lock);
	initial->stopping = true;
	pthread_cond_signal(&initial->changed);
	pthread_mutex_unlock(&initial->lock);
	pthread_join(initial->thread, NULL);
	initial_free(initial);
}
