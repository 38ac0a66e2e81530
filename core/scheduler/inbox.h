/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the loop has to be told: changes of pods and nodes, of each object only
 * the last (so that it never holds more than the cluster does), and what
 * became of bindings. Any thread puts in, the loop takes out.
 */
#ifndef COX_SCHEDULER_INBOX_H
#define COX_SCHEDULER_INBOX_H

#include "scheduler/attempt.h"

#include <coxswain/kit/map.h>
#include <pthread.h>

enum change_kind { CHANGE_POD, CHANGE_NODE };

struct change {
	struct change *next;
	enum change_kind kind;
	char *key;		 /* uid of a pod, name of a node */
	struct pod_facts *pod;	 /* NULL: gone */
	struct node_facts *node; /* NULL: gone */
};

enum outcome { OUTCOME_BOUND, OUTCOME_FAILED, OUTCOME_AGAIN, OUTCOME_TOLD };

struct result {
	struct result *next;
	enum outcome outcome;
	struct attempt *attempt; /* the loop's now */
};

struct inbox {
	pthread_mutex_t mutex;
	pthread_cond_t news;
	struct cox_map waiting; /* kind and key -> struct change */
	struct change *first, **last;
	struct result *results;
	bool everything; /* something else has changed */
	bool closed;
};

void inbox_init(struct inbox *inbox);
void inbox_free(struct inbox *inbox);
/* Takes the reference of `pod` or `node`. */
void inbox_change(struct inbox *inbox, enum change_kind kind, const char *key,
		  struct pod_facts *pod, struct node_facts *node);
void inbox_result(struct inbox *inbox, enum outcome outcome, struct attempt *attempt);
void inbox_everything(struct inbox *inbox);
void inbox_close(struct inbox *inbox);
void inbox_wake(struct inbox *inbox);

struct inbox_load {
	struct change *changes; /* in the order of their first news */
	struct result *results;
	bool everything;
	bool closed;
};
/* Takes everything out, waiting until `until` (monotonic; 0: not) if it is empty. */
struct inbox_load inbox_take(struct inbox *inbox, uint64_t until);
void change_free(struct change *change);

#endif
