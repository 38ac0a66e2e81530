/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's HTTP server: /healthz, /pods and the logs of containers. A log is
 * a stream: a thread of its own reads the file and writes lines as they come.
 * Without --client-ca-file the CA that the cluster's pods are given is asked
 * for, and the port opened when it is there; `lock` guards `secure` until then.
 */
#include "kubelet/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/client.h"
#include "kubelet/fields.h"
#include "kubelet/logs.h"
#include "kubelet/pod.h"
#include "kubelet/volumes.h"
#include "machinery/object.h"
#include "net/server.h"
#include "pki/certificate.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { STREAMS_MAX = 200, PIECE_BYTES = 64 * 1024, QUEUED_MAX = 256 * 1024 };

static const uint64_t year = UINT64_C(365) * 24 * 3600;

/* A kubelet waits as long for a cluster that is not complete yet. */
static const uint64_t ca_pause = CLOCK_SECOND;
static const uint64_t ca_limit = 10 * CLOCK_SECOND;

struct kubelet_server {
	struct kubelet *kubelet;
	struct http_server *secure, *health;
	struct jobs *jobs;
	atomic_bool stopping;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t opener; /* waits for the CA */
	bool opener_runs;
};

static void answer(struct http_request *request, unsigned status, const char *text)
{
	http_respond_text(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

/* ---- who may ask ---- */

static bool is_apiserver(const struct http_request *request)
{
	cox_autofacts facts = {0};

	if (!request->certificate_count ||
	    pki_certificate_read(request->certificates[0].data, request->certificates[0].size,
				 &facts, NULL))
		return false;
	for (size_t i = 0; i < facts.organization_count; i++)
		if (!strcmp(facts.organizations[i], "system:masters"))
			return true;
	return !strcmp(facts.common_name, "kube-apiserver") ||
	       !strcmp(facts.common_name, "kube-apiserver-kubelet-client");
}

/* ---- /pods ---- */

static void answer_pods(struct kubelet_server *server, struct http_request *request)
{
	struct kubelet *kubelet = server->kubelet;
	cox_autobuf body = COX_BUF_INIT;
	size_t at = 0, size;
	const char *key;
	void *value;
	bool first = true;

	cox_buf_str(&body,
		    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[");
	pthread_mutex_lock(&kubelet->lock);
	while (cox_map_next(&kubelet->pods, &at, &key, &size, &value)) {
		const struct pod *pod = value;
		struct cox_bytes json = {"", 0};

		if (pod->object && !pod->gone)
			json = object_json(pod->object);
		if (!json.size)
			continue;
		if (!first)
			cox_buf_char(&body, ',');
		cox_buf_add(&body, json.data, json.size);
		first = false;
	}
	pthread_mutex_unlock(&kubelet->lock);
	cox_buf_str(&body, "]}\n");
	http_respond_text(request, 200, "application/json", body.data, body.size);
}

/* ---- logs ---- */

struct log_stream {
	struct kubelet_server *server;
	struct http_request *request; /* until the stream is open */
	struct http_stream *stream;
	char *namespace, *pod, *container;
	struct log_options options;
	bool follow, previous;
	char id[COX_RUNTIME_ID_SIZE]; /* the container that is read */
	char uid[64];
	atomic_bool closed;
	atomic_uint holders; /* the job and the stream */
};

static void log_release(struct log_stream *log)
{
	if (atomic_fetch_sub(&log->holders, 1) != 1)
		return;
	if (log->stream)
		http_stream_release(log->stream);
	free(log->namespace);
	free(log->pod);
	free(log->container);
	free(log);
}

static void log_closed(struct http_stream *stream, void *context, bool complete)
{
	struct log_stream *log = context;

	(void)stream;
	(void)complete;
	atomic_store(&log->closed, true);
	log_release(log);
}

/* Why the container has no log yet, as the pod's status tells everybody else. */
static int say_waiting(const struct log_stream *log, const struct cox_object *object,
		       struct cox_error *err)
{
	const struct value *status = fields_status(object, log->container);
	const char *reason = value_get_text(value_path(status, "state.waiting"), "reason");

	if (strcmp(reason, "ErrImagePull") == 0)
		reason = "image can't be pulled";
	else if (strcmp(reason, "ImagePullBackOff") == 0)
		reason = "trying and failing to pull image";
	else if (!*reason)
		reason = "ContainerCreating";
	return error_set(err, COX_REASON_BAD_REQUEST,
			 "container \"%s\" in pod \"%s\" is waiting to start: %s", log->container,
			 log->pod, reason);
}

/* The log file of the container; malloc'd. NULL: `err` says why. */
static char *find_log(struct log_stream *log, struct cox_error *err)
{
	struct kubelet *kubelet = log->server->kubelet;
	struct pod *pod = pods_find(kubelet, log->namespace, log->pod);
	cox_autoobject *object = pod ? pods_object(kubelet, pod) : NULL;
	struct view view = {.arena = ARENA_INIT};
	const struct view_container *found;
	char *path = NULL;

	if (!pod) {
		error_set(err, COX_REASON_NOT_FOUND, "pod \"%s\" not found", log->pod);
		return NULL;
	}
	if (view_read(kubelet, pod->uid, &view, err)) {
		pods_put(kubelet, pod);
		return NULL;
	}
	found = view_container(&view, log->container, log->previous ? 1 : 0);
	if (found && *found->log_path && strlen(found->id) < sizeof(log->id) &&
	    strlen(pod->uid) < sizeof(log->uid)) {
		path = cox_strdup(found->log_path);
		memcpy(log->id, found->id, strlen(found->id) + 1);
		memcpy(log->uid, pod->uid, strlen(pod->uid) + 1);
	} else if (!fields_container(object, log->container)) {
		error_set(err, COX_REASON_NOT_FOUND, "container \"%s\" not found in pod \"%s\"",
			  log->container, log->pod);
	} else if (log->previous) {
		error_set(err, COX_REASON_BAD_REQUEST,
			  "previous terminated container \"%s\" in pod \"%s\" not found",
			  log->container, log->pod);
	} else {
		say_waiting(log, object, err);
	}
	view_free(&view);
	pods_put(kubelet, pod);
	return path;
}

static bool still_runs(struct log_stream *log)
{
	struct view view = {.arena = ARENA_INIT};
	bool runs = false;

	if (view_read(log->server->kubelet, log->uid, &view, NULL) == 0)
		for (size_t i = 0; i < view.containers.count; i++)
			runs |= !strcmp(view.containers.items[i].id, log->id) &&
				view.containers.items[i].state == COX_CONTAINER_RUNNING;
	view_free(&view);
	return runs;
}

/* Reads until the end, the limit, or the client has gone. */
static void pump(struct log_stream *log, struct log_reader *reader)
{
	struct http_stream *stream = log->stream;
	uint64_t look = 0;
	bool last = !log->follow;

	while (!atomic_load(&log->closed) && !atomic_load(&log->server->stopping)) {
		cox_autobuf out = COX_BUF_INIT;
		int more = 0;

		if (http_stream_queued(stream) < QUEUED_MAX)
			more = log_reader_next(reader, PIECE_BYTES, &out);
		else
			more = 2; /* the client's pace is ours */
		if (out.size && http_stream_copy(stream, out.data, out.size) != 0)
			return;
		if (more < 0 || (more == 0 && last))
			return;
		if (more == 1)
			continue;
		/* Once the container has ended, what is there is read and that is all. */
		if (more == 0 && clock_monotonic() >= look) {
			last = !still_runs(log);
			look = clock_monotonic() + CLOCK_SECOND;
		}
		if (!last || more == 2)
			usleep(20000);
	}
}

static void log_refuse(struct log_stream *log, const struct cox_error *err)
{
	answer(log->request, (unsigned)error_http_code(err->reason), error_text(err));
}

static void run_log(void *context)
{
	static const struct http_stream_callbacks callbacks = {.closed = log_closed};
	const struct http_response head = {.status = 200,
					   .content_type = "text/plain; charset=utf-8"};
	struct log_stream *log = context;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autofree char *path = find_log(log, &err);
	struct log_reader *reader = path ? log_reader_open(path, &log->options, &err) : NULL;

	if (!reader) {
		log_refuse(log, &err);
		log_release(log);
		return;
	}
	atomic_fetch_add(&log->holders, 1);
	log->stream = http_stream_open(log->request, &head, &callbacks, log);
	pump(log, reader);
	http_stream_end(log->stream);
	log_reader_close(reader);
	log_release(log);
}

static bool flag(const struct http_request *request, const char *name)
{
	const char *said = http_parameter(request, name);

	return said && (!strcmp(said, "true") || !strcmp(said, "1"));
}

/* -1: not said. False: it is no number. */
static bool number(const struct http_request *request, const char *name, int64_t *out)
{
	const char *said = http_parameter(request, name);

	*out = -1;
	return !said || !*said || cox_parse_int(said, 0, INT64_MAX, out) == 0;
}

static bool read_options(const struct http_request *request, struct log_stream *log)
{
	const char *since = http_parameter(request, "sinceTime");
	const char *stream = http_parameter(request, "stream");
	int64_t seconds;

	log->follow = flag(request, "follow");
	log->previous = flag(request, "previous");
	log->options.timestamps = flag(request, "timestamps");
	log->options.only_stdout = stream && !strcmp(stream, "Stdout");
	log->options.only_stderr = stream && !strcmp(stream, "Stderr");
	if (!number(request, "tailLines", &log->options.tail) ||
	    !number(request, "limitBytes", &log->options.limit) ||
	    !number(request, "sinceSeconds", &seconds))
		return false;
	if (seconds > 0 && (uint64_t)seconds < clock_realtime() / CLOCK_SECOND)
		log->options.since = clock_realtime() - (uint64_t)seconds * CLOCK_SECOND;
	return !since || !*since || clock_parse(since, strlen(since), &log->options.since) == 0;
}

static void begin_log(struct kubelet_server *server, struct http_request *request)
{
	struct log_stream *log = cox_new(struct log_stream);

	log->server = server;
	log->request = request;
	log->namespace = cox_strdup(request->segments[1]);
	log->pod = cox_strdup(request->segments[2]);
	log->container = cox_strdup(request->segments[3]);
	atomic_store(&log->holders, 1);
	if (!read_options(request, log)) {
		answer(request, 400,
		       "tailLines, limitBytes and sinceSeconds are numbers, sinceTime "
		       "a time");
		log_release(log);
		return;
	}
	http_defer(request, NULL, NULL);
	if (jobs_run(server->jobs, run_log, log) == 0)
		return;
	answer(request, 429, "too many logs are read");
	log_release(log);
}

/* ---- requests ---- */

static bool path_is(const struct http_request *request, const char *first, size_t count)
{
	return request->segment_count == count && !strcmp(request->segments[0], first);
}

static void handle_health(struct http_request *request)
{
	if (request->method != HTTP_GET && request->method != HTTP_HEAD)
		answer(request, 405, "Method Not Allowed");
	else if (path_is(request, "healthz", 1) || path_is(request, "healthz", 2))
		answer(request, 200, "ok");
	else
		answer(request, 404, "404 page not found\n");
}

static void handle_secure(struct http_request *request)
{
	struct kubelet_server *server = request->context;

	if (!is_apiserver(request))
		answer(request, 401, "Unauthorized");
	else if (request->method != HTTP_GET)
		answer(request, 405, "Method Not Allowed");
	else if (path_is(request, "pods", 1))
		answer_pods(server, request);
	else if (path_is(request, "containerLogs", 4) &&
		 server->kubelet->config->enable_debugging_handlers)
		begin_log(server, request);
	else
		handle_health(request);
}

/* ---- life ---- */

/* A certificate of our own, for a start without any: the apiserver may refuse it. */
static int make_certificate(struct kubelet *kubelet, struct cox_buf *certificate,
			    struct cox_buf *key_text, struct cox_error *err)
{
	const char *name = kubelet->parts.node_name;
	const char *addresses[] = {"127.0.0.1", fields_host_ip(kubelet)};
	const struct pki_subject subject = {.common_name = name,
					    .dns_names = &name,
					    .dns_count = 1,
					    .addresses = addresses,
					    .address_count = *addresses[1] ? 2 : 1,
					    .usage = PKI_SERVER,
					    .lifetime = year,
					    .backdated = 300};
	cox_autokey ca_key = pki_key_generate(PKI_ECDSA_P256, err);
	cox_autokey key = pki_key_generate(PKI_ECDSA_P256, err);
	cox_autobuf ca = COX_BUF_INIT;

	if (!ca_key || !key || pki_make_ca(ca_key, "kubelet-ca", year, &ca, err) ||
	    pki_sign(ca.data, ca.size, ca_key, key, &subject, certificate, err) ||
	    pki_key_pem(key, key_text, err))
		return error_wrap(err, "make the kubelet's certificate");
	return 0;
}

static int open_secure(struct kubelet_server *server, const struct cox_buf *ca,
		       struct cox_error *err)
{
	const struct kubelet_config *config = server->kubelet->config;
	cox_autobuf certificate = COX_BUF_INIT, key = COX_BUF_INIT;
	struct http_tls tls = {.client_ca_file = ca ? NULL : config->client_ca_file};
	struct http_server *opened;
	const struct http_listen listen = {
		.address = config->address, .port = (uint16_t)config->port, .fd = -1};
	const struct http_config http = {.listens = &listen,
					 .listen_count = 1,
					 .tls = &tls,
					 .handler = handle_secure,
					 .context = server,
					 .threads = 1,
					 .stream_threads = 1};

	if (ca)
		tls.client_ca = (struct cox_bytes){ca->data, ca->size};
	if (config->tls_cert_file && *config->tls_cert_file) {
		tls.certificate_file = config->tls_cert_file;
		tls.key_file = config->tls_private_key_file;
	} else {
		if (make_certificate(server->kubelet, &certificate, &key, err))
			return -1;
		tls.certificate = (struct cox_bytes){certificate.data, certificate.size};
		tls.key = (struct cox_bytes){key.data, key.size};
	}
	opened = http_server_open(&http, err);
	pki_wipe(&key);
	cox_lock_scope(&server->lock);
	server->secure = opened;
	return opened ? 0 : -1;
}

/* ---- the CA, if no file has it ---- */

/* What the controllers put into every namespace for pods to check the apiserver by. */
static int ask_for_ca(struct kubelet *kubelet, struct cox_buf *ca, struct cox_error *err)
{
	const struct client_request request = {.verb = CLIENT_GET,
					       .version = "v1",
					       .resource = "configmaps",
					       .namespace = "kube-system",
					       .name = "kube-root-ca.crt",
					       .deadline = clock_monotonic() + ca_limit};
	cox_autoanswer got = CLIENT_ANSWER_INIT;
	cox_autoobject *object = NULL;
	const char *text;

	if (client_call(kubelet->parts.client, &request, &got, err))
		return -1;
	object = object_new(cox_buf_cstr(&got.body), got.body.size, err);
	if (!object)
		return -1;
	text = value_get_text(object_path(object_root(object), "data"), "ca.crt");
	if (!*text)
		return error_set(err, COX_REASON_NOT_FOUND, "it has no ca.crt");
	cox_buf_str(ca, text);
	return 0;
}

/* True: it is time to end. */
static bool pause_opener(struct kubelet_server *server)
{
	uint64_t until = clock_monotonic() + ca_pause;
	struct timespec when = {(time_t)(until / CLOCK_SECOND), (long)(until % CLOCK_SECOND)};

	cox_lock_scope(&server->lock);
	while (!atomic_load(&server->stopping) && clock_monotonic() < until)
		pthread_cond_clockwait(&server->changed, &server->lock, CLOCK_MONOTONIC, &when);
	return atomic_load(&server->stopping);
}

static void *open_when_possible(void *context)
{
	struct kubelet_server *server = context;
	long long port = server->kubelet->config->port;
	bool told = false;

	do {
		cox_autobuf ca = COX_BUF_INIT;
		cox_autoerror err = COX_ERROR_INIT;

		if (ask_for_ca(server->kubelet, &ca, &err)) {
			if (!told)
				log_info("Port %lld waits for the cluster's CA, the ConfigMap "
					 "kube-system/kube-root-ca.crt, or for a restart with "
					 "--client-ca-file: %s",
					 port, error_text(&err));
			told = true;
			continue;
		}
		if (open_secure(server, &ca, &err))
			log_error("Port %lld: %s", port, error_text(&err));
		else
			log_info("Port %lld is open to whom the cluster's CA vouches for", port);
		break;
	} while (!pause_opener(server));
	return NULL;
}

static int start_server(struct kubelet_server *server, struct cox_error *err)
{
	const struct kubelet_config *config = server->kubelet->config;
	int failure;

	if (!config->enable_server)
		return 0;
	if (config->client_ca_file && *config->client_ca_file)
		return open_secure(server, NULL, err);
	failure = pthread_create(&server->opener, NULL, open_when_possible, server);
	server->opener_runs = failure == 0;
	return failure ? error_errno(err, failure, "start a thread") : 0;
}

static int open_health(struct kubelet_server *server, struct cox_error *err)
{
	const struct kubelet_config *config = server->kubelet->config;
	const struct http_listen listen = {.address = config->healthz_bind_address,
					   .port = (uint16_t)config->healthz_port,
					   .fd = -1};
	const struct http_config http = {.listens = &listen,
					 .listen_count = 1,
					 .handler = handle_health,
					 .context = server,
					 .threads = 1,
					 .stream_threads = 1};

	if (!config->healthz_port)
		return 0;
	server->health = http_server_open(&http, err);
	return server->health ? 0 : -1;
}

struct kubelet_server *kubelet_server_open(struct kubelet *kubelet, struct cox_error *err)
{
	struct kubelet_server *server = cox_new(struct kubelet_server);

	server->kubelet = kubelet;
	server->jobs = jobs_new(STREAMS_MAX);
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->changed, NULL);
	if (!open_health(server, err) && !start_server(server, err))
		return server;
	kubelet_server_close(server);
	return NULL;
}

void kubelet_server_close(struct kubelet_server *server)
{
	if (!server)
		return;
	pthread_mutex_lock(&server->lock);
	atomic_store(&server->stopping, true);
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
	if (server->opener_runs)
		pthread_join(server->opener, NULL);
	if (server->secure)
		http_server_quiesce(server->secure);
	jobs_wait(server->jobs);
	if (server->secure)
		http_server_close(server->secure, CLOCK_SECOND);
	if (server->health)
		http_server_close(server->health, CLOCK_SECOND);
	jobs_free(server->jobs);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

uint16_t kubelet_server_port(struct kubelet_server *server)
{
	cox_lock_scope(&server->lock);
	return server->secure ? http_server_port(server->secure, 0) : 0;
}

uint16_t kubelet_server_health_port(const struct kubelet_server *server)
{
	return server->health ? http_server_port(server->health, 0) : 0;
}
