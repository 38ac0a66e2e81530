/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs of pods; see the header. The first bytes of the kubelet's answer decide
 * what the client gets: a stream, or a Status made of what the kubelet said.
 * The curl module calls the sink from its one thread; `lock` of a transfer
 * guards what that thread and the client's stream share.
 */
#include "apiserver/podlog.h"

#include "apiserver/credentials.h"
#include "apiserver/status.h"
#include "base/log.h"
#include "client/module.h"
#include "machinery/json.h"
#include "store/snapshot.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSAL_MAX = 16 * 1024 };

struct transfer;

/* `lock` guards all but the config. */
struct kubelets {
	const struct apiserver_config *config;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const struct curl_module *module;
	void *set; /* the module's connections; made at the first use */
	struct transfer *transfers;
	bool stopping;
};

/*
 * One log on its way. Whoever may still come back to it holds it: serve(), the
 * module's sink, the client's stream, and a job that cuts it. The last one
 * cleans up.
 */
struct transfer {
	atomic_int holders;
	struct apiserver *server;
	struct kubelets *kubelets;
	struct transfer *next, **link; /* the kubelets' */
	struct api_call *call;	       /* until it is answered */
	pthread_mutex_t lock;
	struct http_stream *stream; /* once the answer has begun */
	bool stream_closed;
	/* serve()'s word to those who cut: the module's stream is known, or there is none. */
	atomic_bool asked;
	void *curl; /* the module's stream */
	atomic_bool cut;
	bool begun; /* ask() has, and so it ends it */
	bool ended; /* the sink has heard its last */
	struct cox_buf refusal;
	int code;
};

struct kubelets *kubelets_new(const struct apiserver_config *config)
{
	struct kubelets *kubelets = cox_new(struct kubelets);

	kubelets->config = config;
	pthread_mutex_init(&kubelets->lock, NULL);
	pthread_cond_init(&kubelets->changed, NULL);
	return kubelets;
}

void kubelets_free(struct kubelets *kubelets)
{
	if (!kubelets)
		return;
	/* Those whose clients are gone are being cut on workers. */
	pthread_mutex_lock(&kubelets->lock);
	while (kubelets->transfers)
		pthread_cond_wait(&kubelets->changed, &kubelets->lock);
	pthread_mutex_unlock(&kubelets->lock);
	if (kubelets->set)
		kubelets->module->close(kubelets->set);
	pthread_cond_destroy(&kubelets->changed);
	pthread_mutex_destroy(&kubelets->lock);
	free(kubelets);
}

static int open_set(struct kubelets *kubelets, struct cox_error *err)
{
	const struct apiserver_config *config = kubelets->config;
	cox_autofree char *certificate = credentials_kubelet_certificate(config);
	cox_autofree char *key = credentials_kubelet_key(config);
	struct curl_setup setup = {.certificate_file = certificate, .key_file = key};
	char why[CURL_WHY_SIZE] = "";

	cox_lock_scope(&kubelets->lock);
	if (kubelets->stopping)
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "the server is stopping");
	if (kubelets->set)
		return 0;
	kubelets->module = client_curl_module(err);
	if (!kubelets->module)
		return -1;
	/* Kubelets sign their own certificates unless a CA for them is named. */
	if (*config->kubelet_certificate_authority)
		setup.ca_file = config->kubelet_certificate_authority;
	else
		setup.insecure = 1;
	kubelets->set = kubelets->module->open(&setup, why);
	if (!kubelets->set)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "connections to kubelets: %s",
				 why);
	return 0;
}

/* Which container of which pod on which node */

static struct value *read_object(struct api_call *call, const char *resource,
				 const char *namespace_, const char *name, struct cox_error *err)
{
	struct api_resource *of = apiserver_stored(call->server, "", resource);
	struct store_entry *entry cox_auto(store_entry_release) =
		store_get(of->collection, namespace_, name);
	struct cox_bytes json;

	if (!entry || store_entry_error(entry)) {
		status_not_found(err, "", resource, name);
		return NULL;
	}
	json = store_entry_json(entry);
	return json_parse(call->arena, json.data, json.size, NULL, err);
}

static const char *const container_lists[] = {"containers", "initContainers",
					      "ephemeralContainers"};

static bool has_container(const struct value *spec, const char *name)
{
	for (size_t l = 0; l < 3; l++) {
		const struct value *list = value_get(spec, container_lists[l]);

		for (size_t i = 0; value_at(list, i); i++)
			if (value_string_is(value_get(value_at(list, i), "name"), name))
				return true;
	}
	return false;
}

static const char *choose_container(struct api_call *call, const struct value *pod,
				    struct cox_error *err)
{
	const struct value *spec = value_get(pod, "spec");
	const struct value *containers = value_get(spec, "containers");
	const char *wanted = call_param(call, "container");
	cox_autobuf names = COX_BUF_INIT;

	if (wanted && *wanted) {
		if (has_container(spec, wanted))
			return wanted;
		error_set(err, COX_REASON_BAD_REQUEST, "container %s is not valid for pod %s",
			  wanted, call->route.name);
		return NULL;
	}
	if (containers && containers->count == 1)
		return value_get_text(value_at(containers, 0), "name");
	wanted = value_get_text(value_path(pod, "metadata.annotations"),
				"kubectl.kubernetes.io/default-container");
	if (*wanted && has_container(spec, wanted))
		return wanted;
	for (size_t i = 0; value_at(containers, i); i++)
		cox_buf_printf(&names, "%s%s", i ? " " : "",
			       value_get_text(value_at(containers, i), "name"));
	error_set(err, COX_REASON_BAD_REQUEST,
		  "a container name must be specified for pod %s, choose one of: [%s]",
		  call->route.name, cox_buf_cstr(&names));
	return NULL;
}

/* The node's address by the configured order of kinds of addresses. */
static const char *address_of(const struct apiserver_config *config, const struct value *node)
{
	const struct flag_list *types = &config->kubelet_preferred_address_types;
	const struct value *addresses = value_path(node, "status.addresses");

	for (size_t t = 0; t < types->count; t++)
		for (size_t i = 0; value_at(addresses, i); i++) {
			const struct value *entry = value_at(addresses, i);

			/* A name is of use only if it can be looked up: prefer numbers. */
			if (strcmp(types->items[t], "Hostname") != 0 &&
			    value_string_is(value_get(entry, "type"), types->items[t]))
				return value_get_text(entry, "address");
		}
	return value_get_text(value_get(node, "metadata"), "name");
}

/* A node says its address itself: it must not become more of the URL than that. */
static int add_host(struct cox_buf *url, const char *address, struct cox_error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._:";
	bool version6 = strchr(address, ':') != NULL;

	if (!*address || address[strspn(address, allowed)])
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "the node's address \"%s\" is neither a name nor an IP address",
				 address);
	cox_buf_printf(url, "%s%s%s", version6 ? "[" : "", address, version6 ? "]" : "");
	return 0;
}

static void add_escaped(struct cox_buf *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			cox_buf_char(out, *text);
		else
			cox_buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}

static int make_url(struct api_call *call, const struct apiserver_config *config,
		    struct cox_buf *url, struct cox_error *err)
{
	static const char *const passed[] = {"follow",	   "previous",	"sinceSeconds", "sinceTime",
					     "timestamps", "tailLines", "limitBytes",	"stream"};
	const char *name = call->route.name, *node_name, *container;
	struct value *pod = read_object(call, "pods", call->route.namespace_, name, err);
	struct value *node;
	bool any = false;

	if (!pod)
		return -1;
	container = choose_container(call, pod, err);
	if (!container)
		return -1;
	node_name = value_text(value_path(pod, "spec.nodeName"));
	if (!*node_name)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "pod %s does not have a host assigned", name);
	node = read_object(call, "nodes", "", node_name, err);
	if (!node)
		return -1;
	cox_buf_str(url, config->kubelet_https ? "https://" : "http://");
	if (add_host(url, address_of(config, node), err) != 0)
		return -1;
	cox_buf_printf(url, ":%" PRId64 "/containerLogs/%s/%s/%s",
		       value_get_int(value_path(node, "status.daemonEndpoints.kubeletEndpoint"),
				     "Port", config->kubelet_port),
		       call->route.namespace_, name, container);
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		const char *value = call_param(call, passed[i]);

		if (!value)
			continue;
		cox_buf_printf(url, "%c%s=", any ? '&' : '?', passed[i]);
		add_escaped(url, value);
		any = true;
	}
	return 0;
}

/* Transfers */

static struct transfer *transfer_new(struct api_call *call)
{
	struct transfer *transfer = cox_new(struct transfer);
	struct kubelets *kubelets = call->server->kubelets;

	transfer->kubelets = kubelets;
	transfer->server = call->server;
	transfer->call = call;
	pthread_mutex_init(&transfer->lock, NULL);
	/* The sink, and serve() until it knows the module's stream. */
	atomic_init(&transfer->holders, 2);
	cox_lock_scope(&kubelets->lock);
	transfer->next = kubelets->transfers;
	transfer->link = &kubelets->transfers;
	if (transfer->next)
		transfer->next->link = &transfer->next;
	kubelets->transfers = transfer;
	return transfer;
}

static void end_transfer(void *context)
{
	struct transfer *transfer = context;
	struct kubelets *kubelets = transfer->kubelets;

	if (transfer->curl && !atomic_load(&transfer->cut))
		kubelets->module->stream_close(transfer->curl);
	if (transfer->stream)
		http_stream_release(transfer->stream);
	cox_buf_free(&transfer->refusal);
	pthread_mutex_destroy(&transfer->lock);
	pthread_mutex_lock(&kubelets->lock);
	*transfer->link = transfer->next;
	if (transfer->next)
		transfer->next->link = transfer->link;
	pthread_cond_broadcast(&kubelets->changed);
	pthread_mutex_unlock(&kubelets->lock);
	free(transfer);
}

static void run_later(struct transfer *transfer, void (*job)(void *context))
{
	while (workers_run(transfer->server->workers, WORKERS_IMPORTANT, job, transfer) != 0)
		sched_yield();
}

/* The last one to let go hands the end to a worker: it may not be done in a sink. */
static void let_go(struct transfer *transfer)
{
	if (atomic_fetch_sub(&transfer->holders, 1) == 1)
		run_later(transfer, end_transfer);
}

static void fail_stopped(struct transfer *transfer)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct api_call *call = transfer->call;

	transfer->call = NULL;
	error_set(&err, COX_REASON_SERVICE_UNAVAILABLE,
		  "the log was cut off before the kubelet answered");
	call_fail(call, &err);
}

/* Ends a transfer whose client is gone, or when the server stops. Holds it. */
static void cut(void *context)
{
	struct transfer *transfer = context;

	while (!atomic_load(&transfer->asked))
		sched_yield();
	if (transfer->curl && !atomic_exchange(&transfer->cut, true)) {
		transfer->kubelets->module->stream_close(transfer->curl);
		if (!transfer->ended) {
			transfer->ended = true;
			if (transfer->call)
				fail_stopped(transfer);
			else
				http_stream_end(transfer->stream);
			let_go(transfer); /* for the sink */
		}
	}
	let_go(transfer);
}

/* The client hung up before there was an answer; called under a lock. */
static void client_hung_up(void *context)
{
	struct transfer *transfer = context;

	atomic_fetch_add(&transfer->holders, 1);
	if (workers_run(transfer->server->workers, WORKERS_IMPORTANT, cut, transfer) != 0)
		atomic_fetch_sub(&transfer->holders, 1);
}

/* The client's stream has ended; what it held goes to the job that cuts. */
static void client_gone(struct http_stream *stream, void *context, bool complete)
{
	struct transfer *transfer = context;

	(void)stream;
	(void)complete;
	pthread_mutex_lock(&transfer->lock);
	transfer->stream_closed = true;
	pthread_mutex_unlock(&transfer->lock);
	run_later(transfer, cut);
}

static void begin_stream(struct transfer *transfer)
{
	static const struct http_stream_callbacks callbacks = {.closed = client_gone};
	struct api_call *call = transfer->call;
	struct http_response head = {.status = 200, .content_type = "text/plain"};
	struct http_request *request = call->request;

	head.headers = call_headers(call, NULL, 0, &head.header_count);
	atomic_fetch_add(&transfer->holders, 1);
	transfer->call = NULL;
	call_end(call);
	transfer->stream = http_stream_open(request, &head, &callbacks, transfer);
}

static int log_data(void *to, int code, const void *data, size_t size)
{
	struct transfer *transfer = to;
	bool closed;

	transfer->code = code;
	if (code != 200) {
		if (transfer->refusal.size + size <= REFUSAL_MAX)
			cox_buf_add(&transfer->refusal, data, size);
		return 0;
	}
	if (!transfer->stream)
		begin_stream(transfer);
	pthread_mutex_lock(&transfer->lock);
	closed = transfer->stream_closed;
	pthread_mutex_unlock(&transfer->lock);
	if (closed)
		return -1;
	/* A client that reads too slowly is cut: logs are not kept for it. */
	return http_stream_copy(transfer->stream, data, size);
}

static void answer_refusal(struct transfer *transfer, int code, const char *why)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct api_call *call = transfer->call;
	const char *text = cox_buf_cstr(&transfer->refusal);

	transfer->call = NULL;
	if (code == 0)
		error_set(&err, COX_REASON_INTERNAL_ERROR, "the kubelet did not answer: %s", why);
	else if (code == 404)
		error_set(&err, COX_REASON_NOT_FOUND, "%s", text);
	else
		error_set(&err, code < 500 ? COX_REASON_BAD_REQUEST : COX_REASON_INTERNAL_ERROR,
			  "%s", *text ? text : "the kubelet refused without a word");
	call_fail(call, &err);
}

static void log_end(void *to, int code, const char *why)
{
	struct transfer *transfer = to;

	transfer->ended = true;
	if (transfer->stream) {
		http_stream_end(transfer->stream);
	} else if (code == 200) {
		struct api_call *call = transfer->call;

		transfer->call = NULL;
		call_answer(call, 200, "text/plain", "", 0);
	} else {
		answer_refusal(transfer, code, why);
	}
	let_go(transfer);
}

static void ask(struct api_call *call)
{
	struct transfer *transfer = call->job;
	struct kubelets *kubelets = transfer->kubelets;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf url = COX_BUF_INIT;
	static const char *const headers[] = {"Accept: text/plain, */*", NULL};
	struct curl_request request = {.method = "GET", .headers = headers};
	struct curl_sink sink = {.data = log_data, .end = log_end, .to = transfer};
	char why[CURL_WHY_SIZE] = "";

	transfer->begun = true;
	if (open_set(kubelets, &err) == 0 && make_url(call, kubelets->config, &url, &err) == 0) {
		request.url = url.data;
		transfer->curl = kubelets->module->stream_open(kubelets->set, &request, &sink, why);
		if (!transfer->curl)
			error_set(&err, COX_REASON_INTERNAL_ERROR, "ask the kubelet: %s", why);
	}
	if (!transfer->curl) {
		transfer->call = NULL;
		call_fail(call, &err);
		let_go(transfer); /* for the sink, which there never was */
	}
	atomic_store(&transfer->asked, true);
	let_go(transfer);
}

/* The call ended before anybody could ask: there was no worker for it. */
static void give_up(void *context)
{
	struct transfer *transfer = context;

	if (transfer->begun)
		return;
	transfer->call = NULL;
	atomic_store(&transfer->asked, true);
	let_go(transfer);
	let_go(transfer);
}

void podlog_serve(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct transfer *transfer;

	if (call->local) {
		error_set(&err, COX_REASON_METHOD_NOT_ALLOWED,
			  "logs are for clients outside of the server's process");
		call_fail(call, &err);
		return;
	}
	transfer = transfer_new(call);
	call->job = transfer;
	call_on_end(call, give_up, transfer);
	if (call->deferred) {
		ask(call);
		return;
	}
	call->deferred = true;
	http_defer(call->request, client_hung_up, transfer);
	call_resume(call, ask);
}

void kubelets_stop(struct kubelets *kubelets)
{
	if (!kubelets)
		return;
	cox_lock_scope(&kubelets->lock);
	kubelets->stopping = true;
	for (struct transfer *at = kubelets->transfers; at; at = at->next) {
		int holders = atomic_load(&at->holders);

		/* One that nobody holds is on its way out. */
		while (holders &&
		       !atomic_compare_exchange_weak(&at->holders, &holders, holders + 1))
			;
		if (holders)
			run_later(at, cut);
	}
}
