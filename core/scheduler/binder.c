/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings and conditions; see the header. No lock of its own. */
#include "scheduler/binder.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/workers.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <stdlib.h>
#include <string.h>

#define PERMIT_LONGEST (600 * CLOCK_SECOND)
#define BIND_TIMEOUT (30 * CLOCK_SECOND)

enum { THREADS = 16, STACK = 256 << 10 };

struct binder {
	struct client *client;
	struct recorder *recorder;
	struct inbox *inbox;
	struct workers *workers;
};

struct job {
	struct binder *binder;
	struct attempt *attempt;
	const char *reason; /* of the condition */
};

struct binder *binder_new(struct client *client, struct recorder *recorder, struct inbox *inbox,
			  struct cox_error *err)
{
	const struct workers_config config = {
		.name = "bind", .threads = THREADS, .queue = BINDER_JOBS_MAX, .stack_bytes = STACK};
	struct binder *binder = cox_new(struct binder);

	binder->client = client;
	binder->recorder = recorder;
	binder->inbox = inbox;
	binder->workers = workers_open(&config, err);
	if (binder->workers)
		return binder;
	free(binder);
	return NULL;
}

void binder_free(struct binder *binder)
{
	if (!binder)
		return;
	workers_close(binder->workers);
	free(binder);
}

/* ---- telling ---- */

static void write_condition(struct cox_buf *out, const struct attempt *attempt, const char *reason)
{
	struct cox_json json = COX_JSON_INIT(out);
	char now[CLOCK_RFC3339_SIZE];

	clock_format(clock_realtime(), now);
	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "uid", attempt->row.uid); /* that pod, not its successor */
	cox_json_end(&json);
	cox_json_object(&json, "status");
	cox_json_array(&json, "conditions");
	cox_json_object(&json, NULL);
	cox_json_text(&json, "type", "PodScheduled");
	cox_json_text(&json, "status", "False");
	cox_json_null(&json, "lastProbeTime");
	cox_json_text(&json, "lastTransitionTime", now);
	cox_json_text(&json, "reason", reason);
	cox_json_text(&json, "message", cox_buf_cstr(&attempt->message));
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
}

/* Says it once: the same words again would only wake everybody who watches. */
static void set_condition(struct binder *binder, const struct attempt *attempt, const char *reason)
{
	cox_autobuf body = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct client_request request = {.verb = CLIENT_PATCH,
					 .version = "v1",
					 .resource = "pods",
					 .namespace = attempt->row.namespace_name,
					 .name = attempt->row.name,
					 .subresource = "status",
					 .content_type = CLIENT_STRATEGIC_PATCH,
					 .deadline = clock_monotonic() + BIND_TIMEOUT};

	if (!strcmp(attempt->pod->message, cox_buf_cstr(&attempt->message)))
		return;
	write_condition(&body, attempt, reason);
	request.body = body.data;
	request.body_size = body.size;
	if (client_call(binder->client, &request, NULL, &err) &&
	    err.reason != COX_REASON_NOT_FOUND && err.reason != COX_REASON_CONFLICT)
		log_warning("pod %s/%s: condition PodScheduled: %s", attempt->row.namespace_name,
			    attempt->row.name, error_text(&err));
}

static void tell(struct binder *binder, struct attempt *attempt, const char *reason)
{
	recorder_event(binder->recorder, attempt->row.object, "Warning", "FailedScheduling", "%s",
		       cox_buf_cstr(&attempt->message));
	set_condition(binder, attempt, reason);
}

static void run_tell(void *context)
{
	struct job *job = context;

	tell(job->binder, job->attempt, job->reason);
	inbox_result(job->binder->inbox, OUTCOME_TOLD, job->attempt);
	free(job);
}

/* ---- binding ---- */

static int post_binding(struct binder *binder, const struct attempt *attempt, struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	struct client_request request = {.verb = CLIENT_CREATE,
					 .version = "v1",
					 .resource = "pods",
					 .namespace = attempt->row.namespace_name,
					 .name = attempt->row.name,
					 .subresource = "binding",
					 .deadline = clock_monotonic() + BIND_TIMEOUT};

	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "Binding");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "name", attempt->row.name);
	cox_json_text(&json, "namespace", attempt->row.namespace_name);
	cox_json_text(&json, "uid", attempt->row.uid);
	cox_json_end(&json);
	cox_json_object(&json, "target");
	cox_json_text(&json, "kind", "Node");
	cox_json_text(&json, "name", attempt->node);
	cox_json_end(&json);
	cox_json_end(&json);
	request.body = body.data;
	request.body_size = body.size;
	if (client_call(binder->client, &request, NULL, err))
		return error_wrap(err, "binding rejected");
	return 0;
}

/* Whether the plugins let it go on now; else it waits, or has failed. */
static bool has_permit(struct attempt *attempt, enum outcome *outcome, struct cox_error *err)
{
	uint64_t again = 0, now;

	if (attempt_permit(attempt, &again, err))
		return false;
	if (!again)
		return true;
	now = clock_monotonic();
	if (now + again > attempt->began + PERMIT_LONGEST) {
		error_set(err, COX_REASON_TIMEOUT, "no permit within 10 minutes");
		return false;
	}
	attempt->parked = now + again;
	*outcome = OUTCOME_AGAIN;
	return false;
}

static enum outcome bind_pod(struct binder *binder, struct attempt *attempt)
{
	cox_autoerror err = COX_ERROR_INIT;
	enum outcome outcome = OUTCOME_FAILED;
	bool done = false;

	if (attempt->call.cancel && cancel_requested(attempt->call.cancel)) {
		attempt_unreserve(attempt);
		return OUTCOME_FAILED;
	}
	if (has_permit(attempt, &outcome, &err) && !attempt_bind(attempt, &done, &err) &&
	    (done || !post_binding(binder, attempt, &err)))
		outcome = OUTCOME_BOUND;
	if (outcome == OUTCOME_BOUND) {
		attempt_bound(attempt);
		recorder_event(binder->recorder, attempt->row.object, "Normal", "Scheduled",
			       "Successfully assigned %s/%s to %s", attempt->row.namespace_name,
			       attempt->row.name, attempt->node);
	} else if (outcome == OUTCOME_FAILED) {
		attempt_unreserve(attempt);
		log_warning("pod %s/%s: node %s: %s", attempt->row.namespace_name,
			    attempt->row.name, attempt->node, error_text(&err));
		cox_buf_str(&attempt->message, error_text(&err));
		tell(binder, attempt, "SchedulerError");
	}
	return outcome;
}

static void run_bind(void *context)
{
	struct job *job = context;
	enum outcome outcome = bind_pod(job->binder, job->attempt);

	inbox_result(job->binder->inbox, outcome, job->attempt);
	free(job);
}

static void submit(struct binder *binder, struct attempt *attempt, const char *reason,
		   void (*run)(void *context))
{
	struct job *job = cox_new(struct job);

	*job = (struct job){binder, attempt, reason};
	if (!workers_run(binder->workers, WORKERS_ORDINARY, run, job))
		return;
	/* Never full, since the loop counts; so it closes. */
	inbox_result(binder->inbox, run == run_bind ? OUTCOME_FAILED : OUTCOME_TOLD, attempt);
	free(job);
}

void binder_bind(struct binder *binder, struct attempt *attempt)
{
	submit(binder, attempt, NULL, run_bind);
}

void binder_tell(struct binder *binder, struct attempt *attempt, const char *reason)
{
	submit(binder, attempt, reason, run_tell);
}
