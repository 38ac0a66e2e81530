/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler on 5,000 nodes: real pods come all at once, each is told as
 * bound again by the watch. The API server is a table of functions that only
 * counts, so what is measured is the scheduler.
 */
#include "pod.h"

#include "base/clock.h"
#include "client/local.h"
#include "host/host.h"
#include "scheduler/facts.h"
#include "scheduler/scheduler.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NODES = 5000, PODS = 30000, FACTS = 20000 };

struct event {
	enum client_event_type type;
	struct bytes *object;
};

struct server {
	pthread_mutex_t mutex;
	struct cox_buf nodes, sets;
	COX_VEC(struct event) events; /* of pods */
	size_t told;
	uint64_t revision;
	void (*wake)(void *waker);
	void *waker;
	_Atomic size_t bound;
};

struct watch {
	struct server *server;
	bool pods;
	struct bytes *lent;
};

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The bench pod under another name, with another node or none. */
static struct bytes *make_pod(const char *name, const char *node, uint64_t revision)
{
	static const char old_name[] = "frontend-7d9c8b6f5-x2k4q";
	static const char old_uid[] = "6f0b6f2e-5c0c-4b5e-9f1a-2b7d8c9e0a11";
	static const char old_revision[] = "184467";
	static const char old_node[] = "\"nodeName\":\"node-17\",";
	const char *at[4] = {strstr(bench_pod, old_name), strstr(bench_pod, old_uid),
			     strstr(bench_pod, old_revision), strstr(bench_pod, old_node)};
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_add(&text, bench_pod, (size_t)(at[0] - bench_pod));
	cox_buf_str(&text, name);
	at[0] += sizeof(old_name) - 1;
	cox_buf_add(&text, at[0], (size_t)(at[1] - at[0]));
	cox_buf_printf(&text, "uid-%s", name);
	at[1] += sizeof(old_uid) - 1;
	cox_buf_add(&text, at[1], (size_t)(at[2] - at[1]));
	cox_buf_printf(&text, "%llu", (unsigned long long)revision);
	at[2] += sizeof(old_revision) - 1;
	cox_buf_add(&text, at[2], (size_t)(at[3] - at[2]));
	if (node)
		cox_buf_printf(&text, "\"nodeName\":\"%s\",", node);
	cox_buf_str(&text, at[3] + sizeof(old_node) - 1);
	return bytes_copy(text.data, text.size);
}

static void tell(struct server *server, enum client_event_type type, const char *name,
		 const char *node)
{
	struct event event = {type, make_pod(name, node, ++server->revision)};

	cox_vec_push(&server->events, event);
}

static void bind_pod(struct server *server, const struct client_request *request)
{
	static const char key[] = "\"target\":{\"kind\":\"Node\",\"name\":\"";
	const char *at = strstr(request->body, key) + sizeof(key) - 1;
	char node[64];

	snprintf(node, sizeof(node), "%.*s", (int)strcspn(at, "\""), at);
	pthread_mutex_lock(&server->mutex);
	tell(server, CLIENT_MODIFIED, request->name, node);
	pthread_mutex_unlock(&server->mutex);
	server->wake(server->waker);
	server->bound++;
}

static int serve(void *self, const struct client_identity *who,
		 const struct client_request *request, struct client_answer *answer,
		 struct cox_error *err)
{
	struct server *server = self;
	const char *items = "";

	(void)who;
	(void)err;
	answer->code = 200;
	if (request->verb == CLIENT_CREATE && request->subresource)
		bind_pod(server, request);
	if (request->verb != CLIENT_LIST) {
		cox_buf_str(&answer->body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\"}");
		return 0;
	}
	if (!strcmp(request->resource, "nodes"))
		items = cox_buf_cstr(&server->nodes);
	else if (!strcmp(request->resource, "replicasets"))
		items = cox_buf_cstr(&server->sets);
	cox_buf_printf(&answer->body,
		       "{\"kind\":\"ThingList\",\"apiVersion\":\"v1\",\"metadata\":{"
		       "\"resourceVersion\":\"1\"},\"items\":[%s]}",
		       items);
	return 0;
}

static void *watch_open(void *self, const struct client_identity *who,
			const struct client_request *request, void (*wake)(void *waker),
			void *waker, struct cox_error *err)
{
	struct server *server = self;
	struct watch *watch;

	(void)who;
	for (size_t i = 0; i < request->option_count; i++) {
		if (!strcmp(request->options[i].name, "sendInitialEvents")) {
			error_set(err, COX_REASON_INVALID, "sendInitialEvents is forbidden");
			return NULL;
		}
	}
	watch = cox_new(struct watch);
	watch->server = server;
	watch->pods = !strcmp(request->resource, "pods");
	if (watch->pods) {
		server->wake = wake;
		server->waker = waker;
	}
	return watch;
}

static int watch_next(void *self, void *handle, struct client_local_event *event,
		      struct cox_error *err)
{
	struct server *server = self;
	struct watch *watch = handle;

	(void)err;
	if (!watch->pods)
		return 0;
	cox_lock_scope(&server->mutex);
	if (server->told == server->events.count)
		return 0;
	bytes_unref(watch->lent);
	watch->lent = server->events.items[server->told].object;
	event->type = server->events.items[server->told++].type;
	event->object = watch->lent;
	return 1;
}

static void watch_close(void *self, void *handle)
{
	struct watch *watch = handle;

	(void)self;
	bytes_unref(watch->lent);
	free(watch);
}

static void fill(struct server *server)
{
	for (int i = 0; i < NODES; i++)
		cox_buf_printf(
			&server->nodes,
			"%s{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			"\"node-%05d\",\"uid\":\"n%d\",\"labels\":{\"zone\":\"z%d\","
			"\"kubernetes.io/hostname\":\"node-%05d\"}},\"status\":{"
			"\"allocatable\":{\"cpu\":\"32\",\"memory\":\"128Gi\",\"pods\":"
			"\"110\"},\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
			i ? "," : "", i, i, i % 3, i);
	cox_buf_str(&server->sets,
		    "{\"kind\":\"ReplicaSet\",\"apiVersion\":\"apps/v1\",\"metadata\":{\"name\":"
		    "\"frontend\",\"namespace\":\"default\",\"uid\":\"r\"},\"spec\":{\"selector\":{"
		    "\"matchLabels\":{\"app\":\"frontend\"}}}}");
}

static struct chain *open_chain(struct host *host, const char *name)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct host_plugin *plugin = host_open(host, "scheduler", name, NULL, &err);
	struct chain *chain = chain_new();
	struct chain_member member;

	if (plugin) {
		member = (struct chain_member){host_name(plugin), host_ops(plugin),
					       host_self(plugin), plugin};
		if (!chain_add(chain, &member, &err) && !host_configure(plugin, &err) &&
		    !chain_choose(chain, NULL, &err))
			return chain;
	}
	fprintf(stderr, "scheduler: %s\n", error_text(&err));
	exit(1);
}

/* Reading a pod, which is done when it comes and when it is bound: the floor. */
static double facts_rate(void)
{
	struct bytes *pod = make_pod("one", NULL, 1);
	double began = seconds(CLOCK_MONOTONIC);

	for (int i = 0; i < FACTS; i++) {
		struct cox_object *object = object_new(pod->data, pod->size, NULL);

		pod_facts_unref(pod_facts_new(object));
		object_unref(object);
	}
	bytes_unref(pod);
	return FACTS / (seconds(CLOCK_MONOTONIC) - began);
}

static void pause_until(struct scheduler *scheduler, const struct server *server, size_t bound)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	while (server->bound < bound || !scheduler_synced(scheduler))
		nanosleep(&pause, NULL);
}

static void run(struct host *host, const char *plugin)
{
	struct server server = {.mutex = PTHREAD_MUTEX_INITIALIZER, .revision = 1};
	const struct client_local table = {.server = &server,
					   .call = serve,
					   .watch_open = watch_open,
					   .watch_next = watch_next,
					   .watch_close = watch_close};
	const struct client_identity who = {.user = "system:kube-scheduler"};
	const struct scheduler_options options = {.name = "default-scheduler"};
	struct client *client = client_new_local(&table, &who);
	cox_autoerror err = COX_ERROR_INIT;
	struct scheduler *scheduler;
	double wall, cpu;
	char name[64];

	fill(&server);
	scheduler = scheduler_new(client, &options, &err);
	if (!scheduler || scheduler_use(scheduler, open_chain(host, plugin), &err) ||
	    scheduler_start(scheduler, &err)) {
		fprintf(stderr, "scheduler: %s\n", error_text(&err));
		exit(1);
	}
	pause_until(scheduler, &server, 0);
	pthread_mutex_lock(&server.mutex);
	for (int i = 0; i < PODS; i++) {
		snprintf(name, sizeof(name), "frontend-%05d", i);
		tell(&server, CLIENT_ADDED, name, NULL);
	}
	pthread_mutex_unlock(&server.mutex);
	wall = seconds(CLOCK_MONOTONIC);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	server.wake(server.waker);
	pause_until(scheduler, &server, PODS);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("scheduler %s: %d pods on %d nodes: %.0f pods/s, %.0f us CPU a pod\n", plugin, PODS,
	       NODES, PODS / wall, cpu / PODS * 1e6);
	fflush(stdout);
	scheduler_free(scheduler);
	client_free(client);
	for (; server.told < server.events.count; server.told++)
		bytes_unref(server.events.items[server.told].object);
	cox_vec_free(&server.events);
	cox_buf_free(&server.nodes);
	cox_buf_free(&server.sets);
}

int main(void)
{
	struct host *host = host_new("kube-scheduler", "plugins/.libs");

	printf("scheduler: reading a pod, twice each here: %.0f pods/s a core\n", facts_rate());
	run(host, "default");
	run(host, "packed");
	host_free(host);
	return 0;
}
