/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduling queue: two heaps and two lists over one map; see the header. */
#include "scheduler/pending.h"

#include "base/clock.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST CLOCK_SECOND
#define BACKOFF_LAST (60 * CLOCK_SECOND)
#define WAITING_LONGEST (300 * CLOCK_SECOND)
#define WAITING_LOOK (10 * CLOCK_SECOND) /* between looks at who waited longest */

enum { PLACES = PENDING_FLYING + 1 };

struct pending {
	struct cox_map pods;			      /* uid -> struct pending_pod */
	COX_VEC(struct pending_pod *) places[PLACES]; /* ready and back-off are heaps */
	uint64_t look;				      /* at the waiting ones, next */
	pending_order *order;
	void *context;
};

uint64_t pending_backoff(unsigned attempts)
{
	uint64_t pause = BACKOFF_FIRST;

	for (unsigned i = 1; i < attempts && pause < BACKOFF_LAST; i++)
		pause *= 2;
	return pause < BACKOFF_LAST ? pause : BACKOFF_LAST;
}

struct pending *pending_new(void)
{
	return cox_new(struct pending);
}

void pending_free(struct pending *pending)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	if (!pending)
		return;
	while (cox_map_next(&pending->pods, &at, &key, &size, &value)) {
		pod_facts_unref(((struct pending_pod *)value)->pod);
		free(value);
	}
	cox_map_free(&pending->pods);
	for (size_t i = 0; i < PLACES; i++)
		cox_vec_free(&pending->places[i]);
	free(pending);
}

/* ---- order ---- */

static bool before(const struct pending *pending, const struct pending_pod *a,
		   const struct pending_pod *b)
{
	if (a->place == PENDING_BACKOFF)
		return a->due < b->due;
	if (pending->order)
		return pending->order(pending->context, a, b) < 0;
	if (a->pod->row.priority != b->pod->row.priority)
		return a->pod->row.priority > b->pod->row.priority;
	return a->since < b->since;
}

static void place_at(struct pending *pending, struct pending_pod *pod, size_t at)
{
	pending->places[pod->place].items[at] = pod;
	pod->at = at;
}

static void sift_up(struct pending *pending, struct pending_pod *pod)
{
	size_t at = pod->at;

	while (at) {
		struct pending_pod *above = pending->places[pod->place].items[(at - 1) / 2];

		if (!before(pending, pod, above))
			break;
		place_at(pending, above, at);
		at = (at - 1) / 2;
	}
	place_at(pending, pod, at);
}

static void sift_down(struct pending *pending, struct pending_pod *pod)
{
	size_t count = pending->places[pod->place].count, at = pod->at;
	struct pending_pod **items = pending->places[pod->place].items;

	for (;;) {
		size_t below = 2 * at + 1;

		if (below + 1 < count && before(pending, items[below + 1], items[below]))
			below++;
		if (below >= count || !before(pending, items[below], pod))
			break;
		place_at(pending, items[below], at);
		at = below;
	}
	place_at(pending, pod, at);
}

static bool is_heap(enum pending_place place)
{
	return place == PENDING_READY || place == PENDING_BACKOFF;
}

static void leave(struct pending *pending, struct pending_pod *pod)
{
	size_t at = pod->at, last = --pending->places[pod->place].count;
	struct pending_pod *moved = pending->places[pod->place].items[last];

	if (moved == pod)
		return;
	place_at(pending, moved, at);
	if (!is_heap(pod->place))
		return;
	sift_up(pending, moved);
	sift_down(pending, moved);
}

static void enter(struct pending *pending, struct pending_pod *pod, enum pending_place place)
{
	pod->place = place;
	pod->at = pending->places[place].count;
	cox_vec_push(&pending->places[place], pod);
	if (is_heap(place))
		sift_up(pending, pod);
}

static void go(struct pending *pending, struct pending_pod *pod, enum pending_place place)
{
	leave(pending, pod);
	enter(pending, pod, place);
}

void pending_set_order(struct pending *pending, pending_order *order, void *context)
{
	size_t count = pending->places[PENDING_READY].count;

	pending->order = order;
	pending->context = context;
	for (size_t i = count; i > 0; i--)
		sift_down(pending, pending->places[PENDING_READY].items[i - 1]);
}

/* ---- pods ---- */

struct pending_pod *pending_find(const struct pending *pending, const char *uid)
{
	return cox_map_get(&pending->pods, uid, strlen(uid));
}

void pending_put(struct pending *pending, struct pod_facts *pod, bool gated, uint64_t now)
{
	struct pending_pod *at = pending_find(pending, pod->row.uid);
	bool same;

	pod_facts_ref(pod);
	if (!at) {
		at = cox_new(struct pending_pod);
		at->pod = pod;
		at->since = now;
		cox_map_put(&pending->pods, pod->row.uid, strlen(pod->row.uid), at);
		enter(pending, at, gated ? PENDING_GATED : PENDING_READY);
		return;
	}
	/* Out of the heap while its priority may change. */
	leave(pending, at);
	same = at->pod->digest == pod->digest;
	pod_facts_unref(at->pod);
	at->pod = pod;
	/* News of its status alone, which may be our own, are no reason to try again. */
	if (!same && at->place != PENDING_FLYING && at->place != PENDING_BACKOFF)
		at->place = gated ? PENDING_GATED : PENDING_READY;
	enter(pending, at, at->place);
}

void pending_remove(struct pending *pending, const char *uid)
{
	struct pending_pod *pod = cox_map_remove(&pending->pods, uid, strlen(uid));

	if (!pod)
		return;
	leave(pending, pod);
	pod_facts_unref(pod->pod);
	free(pod);
}

struct pending_pod *pending_take(struct pending *pending, uint64_t now)
{
	struct pending_pod *pod;

	pending_advance(pending, now);
	if (!pending->places[PENDING_READY].count)
		return NULL;
	pod = pending->places[PENDING_READY].items[0];
	go(pending, pod, PENDING_FLYING);
	pod->attempts++;
	return pod;
}

void pending_return(struct pending *pending, const char *uid, bool wait, uint64_t now)
{
	struct pending_pod *pod = pending_find(pending, uid);

	if (!pod || pod->place != PENDING_FLYING)
		return;
	leave(pending, pod);
	pod->due = now + (wait ? WAITING_LONGEST : pending_backoff(pod->attempts));
	enter(pending, pod, wait ? PENDING_WAITING : PENDING_BACKOFF);
}

void pending_move(struct pending *pending, struct pending_pod *pod, uint64_t now)
{
	uint64_t failed;

	if (pod->place != PENDING_WAITING)
		return;
	failed = pod->due - WAITING_LONGEST;
	pod->due = failed + pending_backoff(pod->attempts);
	leave(pending, pod);
	enter(pending, pod, pod->due <= now ? PENDING_READY : PENDING_BACKOFF);
}

static void release_waiting(struct pending *pending, uint64_t now)
{
	for (size_t i = 0; i < pending->places[PENDING_WAITING].count;) {
		struct pending_pod *pod = pending->places[PENDING_WAITING].items[i];

		if (pod->due <= now)
			go(pending, pod, PENDING_READY); /* another one is i-th now */
		else
			i++;
	}
	pending->look = now + WAITING_LOOK;
}

uint64_t pending_advance(struct pending *pending, uint64_t now)
{
	uint64_t next = 0;

	while (pending->places[PENDING_BACKOFF].count) {
		struct pending_pod *pod = pending->places[PENDING_BACKOFF].items[0];

		if (pod->due > now) {
			next = pod->due;
			break;
		}
		go(pending, pod, PENDING_READY);
	}
	if (!pending->places[PENDING_WAITING].count)
		return next;
	if (pending->look <= now)
		release_waiting(pending, now);
	return !next || pending->look < next ? pending->look : next;
}

struct pending_pod *pending_at(const struct pending *pending, enum pending_place place,
			       size_t index)
{
	if (index >= pending->places[place].count)
		return NULL;
	return pending->places[place].items[index];
}

void pending_open_gate(struct pending *pending, struct pending_pod *pod)
{
	if (pod->place == PENDING_GATED)
		go(pending, pod, PENDING_READY);
}

size_t pending_count(const struct pending *pending, enum pending_place place)
{
	return pending->places[place].count;
}
