/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for static pods to run; see the header. */
#include "kubelet/run_once.h"

#include "base/clock.h"
#include "kubelet/pod.h"
#include "kubelet/sources.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <string.h>

#define LOOK_PERIOD (50 * CLOCK_MILLISECOND)

struct tally {
	size_t waiting, failed;
	struct cox_buf names; /* of the failed ones, or else of those that are waited for */
};

static void add_name(struct cox_buf *names, const struct pod *pod)
{
	cox_buf_printf(names, "%s%s/%s", names->size ? ", " : "", pod->namespace, pod->name);
}

/* Under the kubelet's lock. */
static void count_pods(struct kubelet *kubelet, bool failed, struct tally *tally)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	while (cox_map_next(&kubelet->pods, &at, &key, &size, &value)) {
		const struct pod *pod = value;
		bool has_failed = pod->phase && !strcmp(pod->phase, "Failed");

		if (!pod->is_static || pod->gone || (pod->all_run && !has_failed) ||
		    has_failed != failed)
			continue;
		*(failed ? &tally->failed : &tally->waiting) += 1;
		add_name(&tally->names, pod);
	}
}

static int judge(struct kubelet *kubelet, bool late, bool *done, struct cox_error *err)
{
	struct tally tally = {.names = COX_BUF_INIT};
	int status = 0;

	count_pods(kubelet, true, &tally);
	if (!tally.failed)
		count_pods(kubelet, false, &tally);
	if (tally.failed)
		status = error_set(err, COX_REASON_INTERNAL_ERROR, "pods failed: %s",
				   cox_buf_cstr(&tally.names));
	else if (tally.waiting && late)
		status = error_set(err, COX_REASON_TIMEOUT, "pods do not run in time: %s",
				   cox_buf_cstr(&tally.names));
	*done = !tally.waiting;
	cox_buf_free(&tally.names);
	return status;
}

int run_once_wait(struct kubelet *kubelet, uint64_t deadline, struct cox_error *err)
{
	bool done = false;

	while (!done) {
		uint64_t now = clock_monotonic(), until = now + LOOK_PERIOD;
		const struct timespec when = {(time_t)(until / CLOCK_SECOND),
					      (long)(until % CLOCK_SECOND)};
		enum sources_state state;

		/* The sources are there as long as nobody says that it stops. */
		cox_lock_scope(&kubelet->lock);
		if (kubelet->stopping)
			return -1;
		state = sources_first_look(kubelet->sources);
		if (state == SOURCES_BROKEN)
			return error_set(err, COX_REASON_INVALID,
					 "not all static pods could be read");
		if (state == SOURCES_UNREAD && now >= deadline)
			return error_set(err, COX_REASON_TIMEOUT,
					 "the static pods were not read in time");
		if (state == SOURCES_READ && judge(kubelet, now >= deadline, &done, err) != 0)
			return -1;
		if (!done)
			pthread_cond_clockwait(&kubelet->changed, &kubelet->lock, CLOCK_MONOTONIC,
					       &when);
	}
	return 0;
}
