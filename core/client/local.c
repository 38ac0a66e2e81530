/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport "local": the API server of this process. Calls run on the caller's
 * thread. One pump thread serves all watches of a client: the server wakes a
 * watch, the pump drains it in turns, so that a busy watch does not starve the
 * others.
 *
 * Lock: local_client.mutex over the list of woken watches and over `running`.
 * Neither the server's functions nor callbacks are called with it held.
 */
#include "client/local.h"

#include "client/transport.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <string.h>

enum { TURN_EVENTS = 64 };

struct local_watch {
	struct client_watch base;
	struct client_request *request;
	struct client_watcher watcher;
	void *context;
	void *handle; /* the server's; NULL until it is open */
	struct local_watch *next_woken;
	struct local_watch *next; /* of all watches */
	bool woken;
	bool ended;
};

struct local_client {
	struct client base;
	struct client_local server;
	struct client_identity who;
	char **groups;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct local_watch *woken;
	struct local_watch **woken_end;
	struct local_watch *all;
	struct local_watch *running;
	pthread_t pump;
	bool pump_started;
	bool stopping;
};

static struct local_client *local_of(struct client *client)
{
	return (struct local_client *)client;
}

static int local_call(struct client *client, const struct client_request *request,
		      struct client_answer *answer, struct cox_error *err)
{
	struct local_client *local = local_of(client);

	return local->server.call(local->server.server, &local->who, request, answer, err);
}

/* Called with the mutex held. */
static void local_queue(struct local_client *local, struct local_watch *watch)
{
	if (watch->woken || watch->ended || !watch->handle)
		return;
	watch->woken = true;
	watch->next_woken = NULL;
	*local->woken_end = watch;
	local->woken_end = &watch->next_woken;
	pthread_cond_broadcast(&local->changed);
}

static void local_unqueue(struct local_client *local, struct local_watch *watch)
{
	struct local_watch **at = &local->woken;

	while (*at && *at != watch)
		at = &(*at)->next_woken;
	if (*at) {
		*at = watch->next_woken;
		if (!*at)
			local->woken_end = at;
		watch->woken = false;
	}
}

static void local_wake(void *waker)
{
	struct local_watch *watch = waker;
	struct local_client *local = local_of(watch->base.client);

	cox_lock_scope(&local->mutex);
	local_queue(local, watch);
}

/* Delivers some events: 1 if there may be more, 0 if not now, -1 at the end. */
static int local_drain(struct local_client *local, struct local_watch *watch)
{
	for (int i = 0; i < TURN_EVENTS; i++) {
		struct client_local_event event = {0};
		cox_autoerror why = COX_ERROR_INIT;
		int got =
			local->server.watch_next(local->server.server, watch->handle, &event, &why);

		if (got == 0)
			return 0;
		if (got < 0) {
			watch->watcher.ended(watch->context, &why);
			return -1;
		}
		watch->watcher.event(watch->context, event.type, event.object);
	}
	return 1;
}

static void *local_pump(void *argument)
{
	struct local_client *local = argument;

	pthread_mutex_lock(&local->mutex);
	while (!local->stopping) {
		struct local_watch *watch = local->woken;
		int more;

		if (!watch) {
			pthread_cond_wait(&local->changed, &local->mutex);
			continue;
		}
		local_unqueue(local, watch);
		local->running = watch;
		pthread_mutex_unlock(&local->mutex);
		more = local_drain(local, watch);
		pthread_mutex_lock(&local->mutex);
		local->running = NULL;
		if (more < 0) {
			watch->ended = true;
			local_unqueue(local, watch);
		} else if (more) {
			local_queue(local, watch);
		}
		pthread_cond_broadcast(&local->changed);
	}
	pthread_mutex_unlock(&local->mutex);
	return NULL;
}

static int local_start_pump(struct local_client *local, struct cox_error *err)
{
	int failed;

	cox_lock_scope(&local->mutex);
	if (local->pump_started)
		return 0;
	failed = pthread_create(&local->pump, NULL, local_pump, local);
	if (failed)
		return error_errno(err, failed, "start the watch thread");
	local->pump_started = true;
	return 0;
}

static struct client_watch *local_watch_open(struct client *client,
					     const struct client_request *request,
					     const struct client_watcher *watcher, void *context,
					     struct cox_error *err)
{
	struct local_client *local = local_of(client);
	struct local_watch *watch;
	void *handle;

	if (local_start_pump(local, err))
		return NULL;
	watch = cox_new(struct local_watch);
	watch->base.client = client;
	watch->watcher = *watcher;
	watch->context = context;
	watch->request = client_request_copy(request);
	handle = local->server.watch_open(local->server.server, &local->who, watch->request,
					  local_wake, watch, err);
	if (!handle) {
		free(watch->request);
		free(watch);
		return NULL;
	}
	cox_lock_scope(&local->mutex);
	watch->handle = handle;
	watch->next = local->all;
	local->all = watch;
	local_queue(local, watch); /* wakes that came before `handle` was known */
	return &watch->base;
}

static void local_watch_close(struct client_watch *base)
{
	struct local_watch *watch = (struct local_watch *)base;
	struct local_client *local = local_of(base->client);
	struct local_watch **at;

	pthread_mutex_lock(&local->mutex);
	watch->ended = true;
	local_unqueue(local, watch);
	while (local->running == watch)
		pthread_cond_wait(&local->changed, &local->mutex);
	for (at = &local->all; *at != watch; at = &(*at)->next)
		;
	*at = watch->next;
	pthread_mutex_unlock(&local->mutex);
	local->server.watch_close(local->server.server, watch->handle);
	free(watch->request);
	free(watch);
}

static void local_free(struct client *client)
{
	struct local_client *local = local_of(client);

	while (local->all)
		local_watch_close(&local->all->base);
	pthread_mutex_lock(&local->mutex);
	local->stopping = true;
	pthread_cond_broadcast(&local->changed);
	pthread_mutex_unlock(&local->mutex);
	if (local->pump_started)
		pthread_join(local->pump, NULL);
	pthread_cond_destroy(&local->changed);
	pthread_mutex_destroy(&local->mutex);
	for (size_t i = 0; i < local->who.group_count; i++)
		free(local->groups[i]);
	free(local->groups);
	free((char *)local->who.user);
	free((char *)local->who.user_agent);
	free(local);
}

static const struct client_transport local_transport = {
	.call = local_call,
	.watch_open = local_watch_open,
	.watch_close = local_watch_close,
	.free = local_free,
};

struct client *client_new_local(const struct client_local *server,
				const struct client_identity *who)
{
	struct local_client *local = cox_new(struct local_client);

	local->base.transport = &local_transport;
	local->server = *server;
	local->woken_end = &local->woken;
	pthread_mutex_init(&local->mutex, NULL);
	pthread_cond_init(&local->changed, NULL);
	local->groups = cox_calloc(who->group_count + 1, sizeof(char *));
	for (size_t i = 0; i < who->group_count; i++)
		local->groups[i] = cox_strdup(who->groups[i]);
	local->who.groups = (const char *const *)local->groups;
	local->who.group_count = who->group_count;
	local->who.user = cox_strdup(who->user);
	local->who.user_agent = who->user_agent ? cox_strdup(who->user_agent) : NULL;
	return &local->base;
}
