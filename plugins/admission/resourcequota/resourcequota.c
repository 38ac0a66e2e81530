/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ResourceQuota: what a namespace uses stays within its quotas. Usage is added
 * to a quota's status before the object is stored, by compare-and-swap, so that
 * any number of servers together never let more through than there is; what was
 * added for a request that failed later comes off again when the quota is next
 * counted.
 *
 * Requests of one namespace take turns here, because all of them write the
 * same objects. A turn is held across requests to the server; these are for
 * the status of quotas, which this plugin does not handle, so nobody waits for
 * itself.
 */
#include "resourcequota.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WRITES_MAX = 10 };

static const uint64_t turn_wait_ns = UINT64_C(10000000000);

/* One request under all quotas. */
struct run {
	struct quotas *self;
	const struct cox_call *call;
	const struct cox_admission_request *request;
	struct amounts after, before; /* what the new and the old object use */
	struct charge charge;
};

static void run_end(struct run *run)
{
	amounts_free(&run->after);
	amounts_free(&run->before);
	charge_free(&run->charge);
}

/* Life */

static void *quota_create(const struct cox_host *host, struct cox_error *err)
{
	struct quotas *self = cox_new(struct quotas);
	pthread_condattr_t attributes;

	(void)err;
	self->host = host;
	pthread_mutex_init(&self->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	for (size_t i = 0; i < TURNS; i++) {
		pthread_mutex_init(&self->turns[i].mutex, NULL);
		pthread_cond_init(&self->turns[i].over, &attributes);
	}
	pthread_condattr_destroy(&attributes);
	return self;
}

static int quota_setup(void *me, const struct cox_cluster *cluster, struct cox_error *err)
{
	struct quotas *self = me;

	self->objects = cluster->objects;
	return lookup_open(&self->lookup, self->host, cluster, "resourcequotas", err);
}

static int quota_ready(void *me)
{
	const struct quotas *self = me;

	return lookup_is_ready(&self->lookup);
}

static void quota_stop(void *me)
{
	struct quotas *self = me;

	lookup_close(&self->lookup);
}

static void quota_destroy(void *me)
{
	struct quotas *self = me;

	lookup_close(&self->lookup);
	fresh_free(self);
	charge_free_all(self);
	for (size_t i = 0; i < TURNS; i++) {
		pthread_cond_destroy(&self->turns[i].over);
		pthread_mutex_destroy(&self->turns[i].mutex);
	}
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

static int quota_handles(void *me, const struct cox_admission_request *request)
{
	(void)me;
	return usage_counts(request);
}

/* Turns */

static struct turn *turn_of(struct quotas *self, const char *namespace_name)
{
	static const uint64_t seed[2] = {0, 0}; /* which turn is shared is no secret */

	return &self->turns[cox_siphash13(seed, namespace_name, strlen(namespace_name)) % TURNS];
}

/* NULL: it took too long. */
static struct turn *turn_take(struct quotas *self, const struct cox_call *call,
			      const char *namespace_name, struct cox_error *err)
{
	struct turn *turn = turn_of(self, namespace_name);
	uint64_t latest = self->host->monotonic_ns() + turn_wait_ns;
	struct timespec until;
	int status = 0;

	if (call->deadline_ns && call->deadline_ns < latest)
		latest = call->deadline_ns;
	until = (struct timespec){(time_t)(latest / 1000000000), (long)(latest % 1000000000)};
	cox_lock_scope(&turn->mutex);
	while (turn->taken && status == 0)
		status = pthread_cond_timedwait(&turn->over, &turn->mutex, &until);
	if (turn->taken) {
		self->host->fail(err, COX_REASON_INTERNAL_ERROR,
				 "Internal error occurred: resource quota evaluation timed out");
		return NULL;
	}
	turn->taken = true;
	return turn;
}

static void turn_end(struct turn **slot)
{
	struct turn *turn = *slot;

	if (!turn)
		return;
	cox_lock_scope(&turn->mutex);
	turn->taken = false;
	pthread_cond_signal(&turn->over);
}

/* Requests */

static void find_usage(struct run *run)
{
	const struct cox_objects *objects = run->self->objects;
	const struct cox_admission_request *request = run->request;
	const uint64_t now = run->self->host->realtime_ns();

	usage_of(objects, request, objects->root(request->object), now, &run->after);
	if (request->operation == COX_OPERATION_UPDATE && request->old)
		usage_of(objects, request, objects->root(request->old), now, &run->before);
}

static int evaluate_for(const struct run *run, const struct cox_object *quota, struct amounts *used,
			struct amounts *added, struct cox_error *err)
{
	return evaluate(run->self, run->request, quota, &run->after, &run->before,
			charge_find(&run->charge, run->self->objects->uid(quota)), used, added,
			err);
}

/* The quota as the server has it now; NULL with an empty error: it is gone. */
static struct cox_object *ask_again(const struct run *run, const char *name, int *missing,
				    struct cox_error *err)
{
	return lookup_ask(&run->self->lookup, run->call, run->request->namespace_, name, missing,
			  err);
}

/* Adds the request to one quota, from its newest state after every conflict. */
static int charge_quota(struct run *run, const struct cox_object *listed, struct cox_error *err)
{
	const struct cox_objects *objects = run->self->objects;
	lookup_auto_hold quota = {objects, objects->ref(listed)};
	int missing = 0;

	for (unsigned i = 0; i < WRITES_MAX; i++) {
		amounts_auto used = AMOUNTS_INIT;
		amounts_auto added = AMOUNTS_INIT;
		int status = evaluate_for(run, quota.object, &used, &added, err);

		if (status <= 0)
			return status;
		switch (write_used(run->self, run->call, quota.object, &used, err)) {
		case WRITTEN:
			charge_note(&run->charge, objects->uid(quota.object),
				    objects->name(quota.object), &added);
			return 0;
		case WRITTEN_NOT:
			return -1;
		case QUOTA_GONE:
			return 0;
		case WRITE_CONFLICT:
			break;
		}
		lookup_hold_end(&quota);
		quota.object = ask_again(run, objects->name(listed), &missing, err);
		if (!quota.object)
			return missing ? 0 : -1;
	}
	return run->self->host->fail(err, COX_REASON_CONFLICT,
				     "quota %s is changing too fast, try again",
				     objects->name(listed));
}

/* Takes off one quota again what the request had added. */
static void refund_quota(const struct run *run, const struct charged *charged)
{
	const struct cox_objects *objects = run->self->objects;

	for (unsigned i = 0; i < WRITES_MAX; i++) {
		int missing;
		lookup_auto_hold quota = {objects, ask_again(run, charged->name, &missing, NULL)};
		const struct cox_value *status;
		amounts_auto all = AMOUNTS_INIT;
		amounts_auto used = AMOUNTS_INIT;

		if (!quota.object || strcmp(objects->uid(quota.object), charged->uid) != 0)
			return;
		status = objects->get(objects->root(quota.object), "status.used");
		amounts_read(&all, objects, status);
		for (size_t k = 0; k < charged->amounts.list.count; k++) {
			const struct amount *amount = &charged->amounts.list.items[k];
			const struct cox_quantity *now = amounts_get(&all, amount->name);

			if (!now)
				continue;
			amounts_set(&used, amount->name, now);
			amounts_subtract(&used, amount->name, &amount->quantity);
		}
		if (write_used(run->self, run->call, quota.object, &used, NULL) != WRITE_CONFLICT)
			return;
	}
}

/*
 * Whether one quota has room. A refusal is worth a second look at what the
 * server has now, which then stands in the place of what was listed: room that
 * was given back a moment ago is not listed yet. NULL there: the quota is gone.
 */
static int check_quota(const struct run *run, struct cox_object **quota, struct cox_error *err)
{
	const struct cox_cluster *cluster = run->self->lookup.cluster;
	amounts_auto used = AMOUNTS_INIT;
	amounts_auto added = AMOUNTS_INIT;
	amounts_auto used_now = AMOUNTS_INIT;
	amounts_auto added_now = AMOUNTS_INIT;
	struct cox_error *first = cluster->error_new();
	int status = evaluate_for(run, *quota, &used, &added, first);
	struct cox_object *newest;
	int missing = 0;

	cluster->error_free(first);
	if (status >= 0)
		return status;
	newest = ask_again(run, run->self->objects->name(*quota), &missing, err);
	if (!newest && !missing)
		return -1;
	run->self->objects->unref(*quota);
	*quota = newest;
	return newest ? evaluate_for(run, newest, &used_now, &added_now, err) : 0;
}

static int charge_all(struct run *run, struct lookup_list *quotas, struct cox_error *err)
{
	int status = 0;

	/* Refused by one is not charged to another. */
	for (size_t i = 0; i < quotas->count && status >= 0; i++)
		status = check_quota(run, &quotas->items[i], err);
	if (run->request->flags & COX_ADMISSION_DRY_RUN)
		return status < 0 ? -1 : 0;
	for (size_t i = 0; i < quotas->count && status >= 0; i++)
		if (quotas->items[i])
			status = charge_quota(run, quotas->items[i], err);
	if (status >= 0) {
		charge_keep(run->self, &run->charge);
		return 0;
	}
	for (size_t i = 0; i < run->charge.quotas.count; i++)
		refund_quota(run, &run->charge.quotas.items[i]);
	return -1;
}

static int quota_validate(void *me, const struct cox_call *call,
			  const struct cox_admission_request *request,
			  const struct cox_admission_changes *changes, struct cox_error *err)
{
	struct quotas *self = me;
	struct run run __attribute__((cleanup(run_end))) = {
		.self = self, .call = call, .request = request};
	struct turn *turn __attribute__((cleanup(turn_end))) = NULL;
	lookup_auto_list quotas = LOOKUP_LIST_INIT;

	(void)changes;
	if (lookup_all(&self->lookup, call, request->namespace_, &quotas, err) != 0)
		return -1;
	if (!quotas.count)
		return 0;
	find_usage(&run);
	turn = turn_take(self, call, request->namespace_, err);
	if (!turn)
		return -1;
	for (size_t i = 0; i < quotas.count; i++) {
		struct cox_object *newest = fresh_or(self, quotas.items[i]);

		self->objects->unref(quotas.items[i]);
		quotas.items[i] = newest;
	}
	run.charge.id = request->id;
	if (request->attempt > 1)
		run.charge = charge_take(self, request->id);
	return charge_all(&run, &quotas, err);
}

static const struct cox_admission_ops quota_ops = {
	.setup = quota_setup,
	.ready = quota_ready,
	.handles = quota_handles,
	.validate = quota_validate,
};

COX_ADMISSION_PLUGIN(quota_ops, .name = "ResourceQuota", .version = COX_RELEASE,
		     .description = "keeps what a namespace uses within its quotas",
		     .thread_model = COX_THREADS_PARALLEL, .create = quota_create,
		     .stop = quota_stop, .destroy = quota_destroy);
