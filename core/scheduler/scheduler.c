/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop and what feeds it.
 *
 * Lock: scheduler.mutex over `next`, `chain` and whether the loop runs. It is
 * not held while a plugin is called. All else belongs to the loop's thread.
 */
#include "scheduler/scheduler.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "client/informer.h"
#include "scheduler/binder.h"
#include "scheduler/pending.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/vec.h>
#include <string.h>
#include <time.h>

#define SYNC_TIMEOUT (30 * CLOCK_SECOND)
#define SYNC_POLL (20 * CLOCK_MILLISECOND)
#define IDLE_LONGEST (5 * CLOCK_SECOND)

struct scheduler {
	struct client *client;
	struct scheduler_options options;
	struct informers *informers;
	struct recorder *recorder;
	struct cox_lister *pods, *nodes;
	struct inbox inbox;
	struct binder *binder;
	struct cox_cancel cancel;

	pthread_mutex_t mutex;
	struct chain *chain; /* the loop changes it, under the mutex */
	struct chain *next;  /* to be taken by the loop */
	bool running;
	pthread_t thread;

	/* the loop's */
	struct node_table *table;
	struct pending *pending;
	struct attempt_memory memory;
	COX_VEC(struct attempt *) parked;
	size_t jobs; /* of the binder, under way */
	double tokens;
	uint64_t tokens_at;
};

static struct metric *attempts_metric(const char *result)
{
	cox_autobuf labels = COX_BUF_INIT;

	metrics_label(&labels, "result", result);
	return metrics_counter("scheduler_schedule_attempts_total",
			       "Attempts to schedule pods, by result.", cox_buf_cstr(&labels));
}

/* ---- what others tell ---- */

static void pod_changed(void *self, const struct cox_object *old, const struct cox_object *now)
{
	struct scheduler *scheduler = self;

	/* One of the same name took its place. */
	if (old && (!now || strcmp(object_uid(old), object_uid(now)) != 0))
		inbox_change(&scheduler->inbox, CHANGE_POD, object_uid(old), NULL, NULL);
	if (now)
		inbox_change(&scheduler->inbox, CHANGE_POD, object_uid(now), pod_facts_new(now),
			     NULL);
}

static void node_changed(void *self, const struct cox_object *old, const struct cox_object *now)
{
	struct scheduler *scheduler = self;

	inbox_change(&scheduler->inbox, CHANGE_NODE, object_name(now ? now : old), NULL,
		     now ? node_facts_new(now) : NULL);
}

static void chain_changed(void *context)
{
	inbox_everything(&((struct scheduler *)context)->inbox);
}

/* ---- moving pods that wait ---- */

static bool may_help(const struct scheduler *scheduler, const struct cox_scheduler_pod *pod,
		     const struct cox_scheduler_event *event)
{
	for (size_t i = 0; i < scheduler->chain->member_count; i++) {
		const struct chain_member *member = &scheduler->chain->members[i];

		if (!member->ops->hint)
			return true;
		chain_call_scope(member);
		if (member->ops->hint(member->self, pod, event))
			return true;
	}
	return false;
}

/* `event` NULL: anything may have changed. */
static void move_waiting(struct scheduler *scheduler, const struct cox_scheduler_event *event)
{
	uint64_t now = clock_monotonic();
	struct pending_pod *pod;
	size_t at = 0;

	while ((pod = pending_at(scheduler->pending, PENDING_WAITING, at))) {
		if (!event || may_help(scheduler, &pod->pod->row, event))
			pending_move(scheduler->pending, pod, now);
		else
			at++;
	}
}

static void tell_event(struct scheduler *scheduler, enum cox_scheduler_event_type type,
		       const struct cox_scheduler_node *node, const struct cox_scheduler_pod *pod,
		       const struct cox_scheduler_pod *before)
{
	const struct cox_scheduler_event event = {sizeof(event), type, node, pod, before};

	if (node && pending_count(scheduler->pending, PENDING_WAITING))
		move_waiting(scheduler, &event);
}

static bool is_gated(const struct scheduler *scheduler, const struct cox_scheduler_pod *pod)
{
	for (size_t i = 0; i < scheduler->chain->member_count; i++) {
		const struct chain_member *member = &scheduler->chain->members[i];
		const char *why;

		if (!member->ops->pre_enqueue)
			continue;
		chain_call_scope(member);
		why = member->ops->pre_enqueue(member->self, pod);
		if (why)
			return true;
	}
	return false;
}

static void move_everything(struct scheduler *scheduler)
{
	struct pending_pod *pod;
	size_t at = 0;

	move_waiting(scheduler, NULL);
	while ((pod = pending_at(scheduler->pending, PENDING_GATED, at))) {
		if (is_gated(scheduler, &pod->pod->row))
			at++;
		else
			pending_open_gate(scheduler->pending, pod);
	}
}

/* ---- changes ---- */

static void remove_pod(struct scheduler *scheduler, const char *uid)
{
	const struct cox_scheduler_node *node;
	struct pod_facts *pod;

	pending_remove(scheduler->pending, uid);
	pod = node_table_remove_pod(scheduler->table, uid, &node);
	if (pod)
		tell_event(scheduler, COX_SCHEDULER_POD_GONE, node, &pod->row, NULL);
	pod_facts_unref(pod);
}

/* Whether pods without a node may see a difference. */
static bool matters(const struct cox_scheduler_pod *before, const struct cox_scheduler_pod *now)
{
	return before->labels_digest != now->labels_digest ||
	       now->requests.milli_cpu < before->requests.milli_cpu ||
	       now->requests.memory < before->requests.memory;
}

static void place_pod(struct scheduler *scheduler, struct pod_facts *pod)
{
	struct pod_facts *before = node_table_pod(scheduler->table, pod->row.uid);
	/* One of our own choice is told as placed when it is certain. */
	bool fresh = !before || node_table_is_assumed(scheduler->table, pod->row.uid);
	const struct cox_scheduler_node *node;

	if (before)
		pod_facts_ref(before);
	pending_remove(scheduler->pending, pod->row.uid);
	node = node_table_add_pod(scheduler->table, pod, pod->row.node_name, false);
	if (fresh)
		tell_event(scheduler, COX_SCHEDULER_POD_PLACED, node, &pod->row, NULL);
	else if (matters(&before->row, &pod->row))
		tell_event(scheduler, COX_SCHEDULER_POD_CHANGED, node, &pod->row, &before->row);
	pod_facts_unref(before);
}

static void want_pod(struct scheduler *scheduler, struct pod_facts *pod)
{
	const char *uid = pod->row.uid;

	if (pod->row.flags & COX_SCHEDULER_POD_DELETED) {
		pending_remove(scheduler->pending, uid);
		return;
	}
	/* Old news of one that is bound already must not bring it back. */
	if (!pending_find(scheduler->pending, uid) && node_table_has_pod(scheduler->table, uid))
		return;
	pending_put(scheduler->pending, pod, is_gated(scheduler, &pod->row), clock_monotonic());
}

static void apply_pod(struct scheduler *scheduler, const struct change *change)
{
	struct pod_facts *pod = change->pod;

	if (!pod || pod->ended)
		remove_pod(scheduler, change->key);
	else if (*pod->row.node_name)
		place_pod(scheduler, pod);
	else if (!strcmp(pod->scheduler_name, scheduler->options.name))
		want_pod(scheduler, pod);
	else
		pending_remove(scheduler->pending, change->key);
}

static void apply_node(struct scheduler *scheduler, const struct change *change)
{
	const struct cox_scheduler_node *node;
	enum node_news news;

	if (!change->node) {
		node_table_remove(scheduler->table, change->key);
		return;
	}
	node = node_table_set(scheduler->table, change->node, &news);
	if (news != NODE_SAME)
		tell_event(scheduler,
			   news == NODE_NEW ? COX_SCHEDULER_NODE_ADDED : COX_SCHEDULER_NODE_CHANGED,
			   node, NULL, NULL);
}

/* ---- results ---- */

static void forget_assumed(struct scheduler *scheduler, const char *uid)
{
	const struct cox_scheduler_node *node;
	struct pod_facts *pod;

	/* It may have been bound after all, and told so meanwhile. */
	if (!node_table_is_assumed(scheduler->table, uid))
		return;
	pod = node_table_remove_pod(scheduler->table, uid, &node);
	tell_event(scheduler, COX_SCHEDULER_POD_GONE, node, &pod->row, NULL);
	pod_facts_unref(pod);
}

static void apply_result(struct scheduler *scheduler, const struct result *result)
{
	struct attempt *attempt = result->attempt;
	const char *uid = attempt->row.uid;

	scheduler->jobs--;
	switch (result->outcome) {
	case OUTCOME_AGAIN:
		cox_vec_push(&scheduler->parked, attempt);
		return;
	case OUTCOME_BOUND:
		metrics_add(attempts_metric("scheduled"), 1);
		pending_remove(scheduler->pending, uid);
		break;
	case OUTCOME_FAILED:
		metrics_add(attempts_metric("error"), 1);
		forget_assumed(scheduler, uid);
		pending_return(scheduler->pending, uid, false, clock_monotonic());
		break;
	case OUTCOME_TOLD:
		break;
	}
	attempt_free(attempt);
}

/* ---- attempts ---- */

/* Zero: one more binding may go out now; else when. */
static uint64_t take_token(struct scheduler *scheduler, uint64_t now)
{
	double rate = scheduler->options.bind_qps;
	double most = scheduler->options.bind_burst > 1 ? (double)scheduler->options.bind_burst : 1;

	if (rate <= 0)
		return 0;
	scheduler->tokens += (double)(now - scheduler->tokens_at) / (double)CLOCK_SECOND * rate;
	scheduler->tokens_at = now;
	if (scheduler->tokens > most)
		scheduler->tokens = most;
	if (scheduler->tokens < 1)
		return now + (uint64_t)((1 - scheduler->tokens) / rate * (double)CLOCK_SECOND) + 1;
	scheduler->tokens -= 1;
	return 0;
}

static void log_lines(const char *text)
{
	for (const char *end; *text; text = end + 1) {
		end = strchr(text, '\n');
		log_info("%.*s", (int)(end - text), text);
	}
}

static void no_node(struct scheduler *scheduler, struct attempt *attempt, bool broken)
{
	const char *uid = attempt->row.uid;

	metrics_add(attempts_metric(broken ? "error" : "unschedulable"), 1);
	log_lines(cox_buf_cstr(&attempt->log));
	pending_return(scheduler->pending, uid, !broken, clock_monotonic());
	scheduler->jobs++;
	binder_tell(scheduler->binder, attempt, broken ? "SchedulerError" : "Unschedulable");
}

static void try_pod(struct scheduler *scheduler, struct pending_pod *pod)
{
	struct attempt *attempt = attempt_new(scheduler->chain, pod->pod, &scheduler->cancel);
	cox_autoerror err = COX_ERROR_INIT;
	int failed = attempt_choose(attempt, node_table_rows(scheduler->table), &scheduler->memory,
				    &err);

	metrics_observe_ns(metrics_histogram("scheduler_scheduling_algorithm_duration_seconds",
					     "Time to choose a node.", NULL, metrics_latency_bounds,
					     metrics_latency_bound_count),
			   clock_monotonic() - attempt->began);
	if (failed) {
		log_error("pod %s/%s: %s", attempt->row.namespace_name, attempt->row.name,
			  error_text(&err));
		cox_buf_clear(&attempt->message);
		cox_buf_str(&attempt->message, error_text(&err));
		no_node(scheduler, attempt, true);
		return;
	}
	if (!attempt->node) {
		no_node(scheduler, attempt, false);
		return;
	}
	log_verbose(2, "pod %s/%s: node %s", attempt->row.namespace_name, attempt->row.name,
		    attempt->node);
	node_table_add_pod(scheduler->table, attempt->pod, attempt->node, true);
	scheduler->jobs++;
	binder_bind(scheduler->binder, attempt);
}

/* Asks again for permits that are due; the next time that one is (0: none). */
static uint64_t unpark(struct scheduler *scheduler, uint64_t now)
{
	uint64_t next = 0;

	for (size_t i = 0; i < scheduler->parked.count;) {
		struct attempt *attempt = scheduler->parked.items[i];

		if (attempt->parked <= now && scheduler->jobs < BINDER_JOBS_MAX) {
			scheduler->parked.items[i] =
				scheduler->parked.items[--scheduler->parked.count];
			scheduler->jobs++;
			binder_bind(scheduler->binder, attempt);
			continue;
		}
		if (!next || attempt->parked < next)
			next = attempt->parked;
		i++;
	}
	return next;
}

/* ---- the loop ---- */

static int order_by_plugin(void *context, const struct pending_pod *a, const struct pending_pod *b)
{
	const struct chain_member *member = context;

	chain_call_scope(member);
	return member->ops->order(member->self, &a->pod->row, a->since, &b->pod->row, b->since);
}

static void use_order(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->chain->member_count; i++) {
		if (scheduler->chain->members[i].ops->order) {
			pending_set_order(scheduler->pending, order_by_plugin,
					  &scheduler->chain->members[i]);
			return;
		}
	}
	pending_set_order(scheduler->pending, NULL, NULL);
}

/* Permits that another chain's plugins were asked for are given up. */
static void give_up_parked(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->parked.count; i++) {
		struct attempt *attempt = scheduler->parked.items[i];

		attempt_unreserve(attempt);
		forget_assumed(scheduler, attempt->row.uid);
		pending_return(scheduler->pending, attempt->row.uid, false, clock_monotonic());
		attempt_free(attempt);
	}
	scheduler->parked.count = 0;
}

/* Another chain takes the place of this one. */
static void change_chain(struct scheduler *scheduler)
{
	struct chain *next;

	pthread_mutex_lock(&scheduler->mutex);
	next = scheduler->next;
	if (next) {
		scheduler->chain = next;
		scheduler->next = NULL;
	}
	pthread_mutex_unlock(&scheduler->mutex);
	if (!next)
		return;
	use_order(scheduler);
	give_up_parked(scheduler);
	move_everything(scheduler);
}

static void apply(struct scheduler *scheduler, struct inbox_load load)
{
	while (load.changes) {
		struct change *change = load.changes;

		load.changes = change->next;
		if (change->kind == CHANGE_POD)
			apply_pod(scheduler, change);
		else
			apply_node(scheduler, change);
		change_free(change);
	}
	while (load.results) {
		struct result *result = load.results;

		load.results = result->next;
		apply_result(scheduler, result);
		free(result);
	}
	if (load.everything)
		move_everything(scheduler);
}

static void show_counts(struct scheduler *scheduler)
{
	static const char *const names[] = {"active", "backoff", "unschedulable", "gated"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cox_autobuf labels = COX_BUF_INIT;

		metrics_label(&labels, "queue", names[i]);
		metrics_set(metrics_gauge("scheduler_pending_pods",
					  "Pods without a node, by queue.", cox_buf_cstr(&labels)),
			    (int64_t)pending_count(scheduler->pending, (enum pending_place)i));
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

/* One step; until when nothing is to be done (0: there is more to do now). */
static uint64_t step(struct scheduler *scheduler)
{
	uint64_t now = clock_monotonic(), next, token;
	struct pending_pod *pod;

	next = unpark(scheduler, now);
	next = earlier(next, pending_advance(scheduler->pending, now));
	if (scheduler->jobs < BINDER_JOBS_MAX && pending_count(scheduler->pending, PENDING_READY)) {
		token = take_token(scheduler, now);
		pod = token ? NULL : pending_take(scheduler->pending, now);
		if (pod) {
			try_pod(scheduler, pod);
			return 0;
		}
		next = earlier(next, token);
	}
	return earlier(next, now + IDLE_LONGEST);
}

static bool all_synced(struct scheduler *scheduler)
{
	return lister_synced(scheduler->pods) && lister_synced(scheduler->nodes) &&
	       chain_synced(scheduler->chain);
}

static void *loop_run(void *argument)
{
	struct scheduler *scheduler = argument;
	uint64_t until = 0, shown = 0;
	bool synced = false;

	use_order(scheduler);
	for (;;) {
		struct inbox_load load = inbox_take(&scheduler->inbox, until);

		change_chain(scheduler);
		apply(scheduler, load);
		if (load.closed)
			return NULL;
		if (!synced) {
			synced = all_synced(scheduler);
			/* What came before it was seen is still in the inbox. */
			until = synced ? 0 : clock_monotonic() + SYNC_POLL;
			continue;
		}
		until = step(scheduler);
		if (until || clock_monotonic() - shown > CLOCK_SECOND) {
			show_counts(scheduler);
			shown = clock_monotonic();
		}
	}
}

/* ---- chains ---- */

static int wait_synced(const struct chain *chain, struct cox_error *err)
{
	uint64_t deadline = clock_monotonic() + SYNC_TIMEOUT;
	const struct timespec pause = {.tv_nsec = SYNC_POLL};

	while (!chain_synced(chain)) {
		if (clock_monotonic() > deadline)
			return error_set(err, COX_REASON_TIMEOUT,
					 "the sources of the scheduler plugins were not complete "
					 "within 30 s");
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Waits until nobody uses it. */
static void retire(struct scheduler *scheduler, struct chain *chain)
{
	const struct timespec pause = {.tv_nsec = SYNC_POLL};
	bool used;

	do {
		pthread_mutex_lock(&scheduler->mutex);
		used = scheduler->chain == chain || atomic_load(&chain->users);
		pthread_mutex_unlock(&scheduler->mutex);
		if (used)
			nanosleep(&pause, NULL);
	} while (used);
	chain_free(chain);
}

int scheduler_use(struct scheduler *scheduler, struct chain *chain, struct cox_error *err)
{
	struct chain *old = scheduler->chain;

	if (chain_start(chain, scheduler->client, scheduler->informers, scheduler->recorder,
			scheduler->table, chain_changed, scheduler, err) ||
	    (old && wait_synced(chain, err))) {
		chain_free(chain);
		return -1;
	}
	pthread_mutex_lock(&scheduler->mutex);
	if (scheduler->running)
		scheduler->next = chain;
	else
		scheduler->chain = chain;
	pthread_mutex_unlock(&scheduler->mutex);
	inbox_wake(&scheduler->inbox);
	if (old)
		retire(scheduler, old);
	return 0;
}

/* ---- life ---- */

static struct cox_lister *watch(struct scheduler *scheduler, const char *resource,
				void (*changed)(void *self, const struct cox_object *old,
						const struct cox_object *now),
				struct cox_error *err)
{
	const struct cox_resource what = {"", "v1", resource};
	const struct cox_lister_watcher watcher = {changed, scheduler};
	const struct cox_lister_options options = {
		.struct_size = sizeof(options), .resource = &what, .watcher = &watcher};

	return lister_open(scheduler->informers, &options, err);
}

struct scheduler *scheduler_new(struct client *client, const struct scheduler_options *options,
				struct cox_error *err)
{
	struct scheduler *scheduler = cox_new(struct scheduler);

	scheduler->client = client;
	scheduler->options = *options;
	scheduler->table = node_table_new();
	scheduler->pending = pending_new();
	scheduler->memory.random = clock_realtime() | 1;
	scheduler->tokens = (double)options->bind_burst;
	scheduler->tokens_at = clock_monotonic();
	pthread_mutex_init(&scheduler->mutex, NULL);
	inbox_init(&scheduler->inbox);
	scheduler->informers = informers_new(client, err);
	if (scheduler->informers)
		scheduler->recorder = recorder_new(client, options->name, NULL, err);
	if (scheduler->recorder)
		scheduler->binder = binder_new(client, scheduler->recorder, &scheduler->inbox, err);
	if (scheduler->binder)
		scheduler->nodes = watch(scheduler, "nodes", node_changed, err);
	if (scheduler->nodes)
		scheduler->pods = watch(scheduler, "pods", pod_changed, err);
	if (scheduler->pods)
		return scheduler;
	scheduler_free(scheduler);
	return NULL;
}

int scheduler_start(struct scheduler *scheduler, struct cox_error *err)
{
	int error;

	cox_lock_scope(&scheduler->mutex);
	error = pthread_create(&scheduler->thread, NULL, loop_run, scheduler);
	if (error)
		return error_errno(err, error, "start the scheduling loop");
	scheduler->running = true;
	return 0;
}

bool scheduler_synced(struct scheduler *scheduler)
{
	cox_lock_scope(&scheduler->mutex);
	return scheduler->chain && all_synced(scheduler);
}

void scheduler_free(struct scheduler *scheduler)
{
	if (!scheduler)
		return;
	cancel_request(&scheduler->cancel);
	inbox_close(&scheduler->inbox);
	if (scheduler->running)
		pthread_join(scheduler->thread, NULL);
	binder_free(scheduler->binder);
	if (scheduler->pods)
		lister_close(scheduler->pods);
	if (scheduler->nodes)
		lister_close(scheduler->nodes);
	for (size_t i = 0; i < scheduler->parked.count; i++) {
		attempt_unreserve(scheduler->parked.items[i]);
		attempt_free(scheduler->parked.items[i]);
	}
	cox_vec_free(&scheduler->parked);
	inbox_free(&scheduler->inbox);
	chain_free(scheduler->chain);
	chain_free(scheduler->next);
	recorder_free(scheduler->recorder);
	informers_free(scheduler->informers);
	pending_free(scheduler->pending);
	node_table_free(scheduler->table);
	pthread_mutex_destroy(&scheduler->mutex);
	free(scheduler);
}
