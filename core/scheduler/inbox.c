/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's inbox; see the header. Lock: inbox.mutex, nothing is called under it. */
#include "scheduler/inbox.h"

#include "base/clock.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <string.h>
#include <time.h>

void inbox_init(struct inbox *inbox)
{
	pthread_condattr_t attributes;

	*inbox = (struct inbox){.last = &inbox->first};
	pthread_mutex_init(&inbox->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&inbox->news, &attributes);
	pthread_condattr_destroy(&attributes);
}

void change_free(struct change *change)
{
	pod_facts_unref(change->pod);
	node_facts_unref(change->node);
	free(change->key);
	free(change);
}

void inbox_free(struct inbox *inbox)
{
	while (inbox->first) {
		struct change *change = inbox->first;

		inbox->first = change->next;
		change_free(change);
	}
	while (inbox->results) {
		struct result *result = inbox->results;

		inbox->results = result->next;
		attempt_free(result->attempt);
		free(result);
	}
	cox_map_free(&inbox->waiting);
	pthread_cond_destroy(&inbox->news);
	pthread_mutex_destroy(&inbox->mutex);
}

void inbox_change(struct inbox *inbox, enum change_kind kind, const char *key,
		  struct pod_facts *pod, struct node_facts *node)
{
	cox_autobuf index = COX_BUF_INIT;
	struct change *change;

	cox_buf_printf(&index, "%d %s", kind, key);
	cox_lock_scope(&inbox->mutex);
	change = cox_map_get(&inbox->waiting, index.data, index.size);
	if (change) {
		pod_facts_unref(change->pod);
		node_facts_unref(change->node);
	} else {
		change = cox_new(struct change);
		change->kind = kind;
		change->key = cox_strdup(key);
		*inbox->last = change;
		inbox->last = &change->next;
		cox_map_put(&inbox->waiting, index.data, index.size, change);
	}
	change->pod = pod;
	change->node = node;
	pthread_cond_signal(&inbox->news);
}

void inbox_result(struct inbox *inbox, enum outcome outcome, struct attempt *attempt)
{
	struct result *result = cox_new(struct result);

	result->outcome = outcome;
	result->attempt = attempt;
	cox_lock_scope(&inbox->mutex);
	result->next = inbox->results;
	inbox->results = result;
	pthread_cond_signal(&inbox->news);
}

void inbox_everything(struct inbox *inbox)
{
	cox_lock_scope(&inbox->mutex);
	inbox->everything = true;
	pthread_cond_signal(&inbox->news);
}

void inbox_close(struct inbox *inbox)
{
	cox_lock_scope(&inbox->mutex);
	inbox->closed = true;
	pthread_cond_signal(&inbox->news);
}

void inbox_wake(struct inbox *inbox)
{
	cox_lock_scope(&inbox->mutex);
	pthread_cond_signal(&inbox->news);
}

struct inbox_load inbox_take(struct inbox *inbox, uint64_t until)
{
	struct inbox_load load;

	cox_lock_scope(&inbox->mutex);
	if (until && !inbox->first && !inbox->results && !inbox->everything && !inbox->closed) {
		struct timespec when = {.tv_sec = (time_t)(until / CLOCK_SECOND),
					.tv_nsec = (long)(until % CLOCK_SECOND)};

		pthread_cond_timedwait(&inbox->news, &inbox->mutex, &when);
	}
	load = (struct inbox_load){inbox->first, inbox->results, inbox->everything, inbox->closed};
	if (inbox->first)
		cox_map_free(&inbox->waiting);
	inbox->first = NULL;
	inbox->last = &inbox->first;
	inbox->results = NULL;
	inbox->everything = false;
	return load;
}
