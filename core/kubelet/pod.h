/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of a pod, and what the runtime says of it. A record lives from
 * the moment the pod is heard of (from the API, or from what an earlier
 * kubelet left in the runtime) until nothing of it is left in either.
 *
 * Members are the pod worker's own, which works on a pod with one thread at a
 * time, unless they stand under "lock": those belong to kubelet.lock.
 */
#ifndef COX_KUBELET_POD_H
#define COX_KUBELET_POD_H

#include "kubelet/backoff.h"
#include "kubelet/kubelet.h"

#include <stdatomic.h>

enum probe_kind { PROBE_STARTUP = 0, PROBE_LIVENESS, PROBE_READINESS, PROBE_KINDS };
enum probe_result { PROBE_UNKNOWN = 0, PROBE_SUCCESS, PROBE_FAILURE };

enum pull_state { PULL_NONE = 0, PULL_RUNNING, PULL_DONE, PULL_FAILED };

/* One container of the pod's specification, whatever becomes of it. */
struct container_record {
	char *name;
	bool init;
	const char *waiting_reason; /* NULL: nothing was tried yet */
	char *waiting_message;	    /* NULL: none */
	struct backoff restarts;
	struct backoff pulls;
	bool post_start_done; /* of the container there is now */

	/* lock */
	enum pull_state pull;
	char *pull_image;		   /* what is or was pulled; NULL: nothing yet */
	char *pull_ref;			   /* PULL_DONE: what to create the container of */
	char *pull_error;		   /* PULL_FAILED */
	char killing[COX_RUNTIME_ID_SIZE]; /* a stop is under way; "": none */
	uint64_t killing_grace;
	char probed[COX_RUNTIME_ID_SIZE]; /* the container that the results are of */
	enum probe_result results[PROBE_KINDS];
	char *probe_message; /* of a failed startup or liveness probe */
};

/* A volume of the pod that is a claim's, set up here. */
struct pod_claim {
	char *name;   /* as the pod calls it */
	char *path;   /* what to mount */
	char *volume; /* the persistent volume */
	bool readonly;
};

struct pod {
	char *uid;
	char *namespace;
	char *name;
	COX_VEC(struct container_record *) containers;
	bool admitted;
	bool adopted;		     /* it had containers when this kubelet began */
	const char *rejected_reason; /* NULL: it was not refused */
	char *rejected_message;
	bool terminated; /* no container runs and none will */
	bool cleaned;	 /* sandbox and volumes are gone too */
	bool emptied;	 /* of a node that empties itself: nothing of it runs or is mounted */
	bool volumes_ready;
	uint64_t volumes_again;	 /* monotonic: set them up anew; 0: never */
	atomic_bool volumes_due; /* whatever the time is */
	char *ips[2];		 /* of the sandbox; NULL: none yet */
	uint64_t started_at;	 /* realtime: startTime; 0: not yet */
	struct backoff trouble;	 /* sandbox or volumes cannot be made */
	uint64_t ending_since;	 /* monotonic: its containers began to be stopped; 0: not */
	int64_t orphan_grace;	 /* seconds, for a pod that the API does not have */

	/* admission: what it takes of the node */
	int64_t cpu_milli, memory;
	uint32_t *host_ports; /* port << 8 | protocol */
	size_t host_port_count;

	/* lock */
	struct cox_object *object;	   /* held; the newest; NULL: not in the API */
	bool is_static;			   /* of a file or URL */
	bool gone;			   /* the API had it and has it no more */
	bool evicting;			   /* to be stopped by --stop-pods-on-exit */
	char *status;			   /* to report; JSON of pod.status */
	char *reported;			   /* what was reported last */
	bool finished;			   /* nothing runs: report, then delete */
	const char *phase;		   /* as in `status`; NULL: not known yet */
	bool all_run;			   /* every container runs, or did what it is for */
	char sandbox[COX_RUNTIME_ID_SIZE]; /* newest; "": none known */
	unsigned users;			   /* who reads the record besides its worker */
	COX_VEC(struct pod_claim) claims;  /* the worker reads them without the lock */
};

/* ---- pods.c ---- */

/* The record, in use until pods_put; NULL: there is none. */
struct pod *pods_get(struct kubelet *kubelet, const char *uid);
void pods_put(struct kubelet *kubelet, struct pod *pod);
/* The same by name; the newest of several. */
struct pod *pods_find(struct kubelet *kubelet, const char *namespace, const char *name);
/* Takes the record out; it is freed with its last user. */
void pods_forget(struct kubelet *kubelet, struct pod *pod);
/* Makes a record of something found in the runtime, if there is none. */
void pods_adopt(struct kubelet *kubelet, const char *uid, const char *namespace, const char *name,
		const char *sandbox);
/* The newest object; a reader of the caller's, or NULL. */
struct cox_object *pods_object(struct kubelet *kubelet, struct pod *pod);
/* The lister's watcher; context is the kubelet. */
void pods_changed(void *context, const struct cox_object *old, const struct cox_object *now);
/* Those of files and the URL come and go by these. */
void pods_add_static(struct kubelet *kubelet, const struct cox_object *object);
void pods_remove_static(struct kubelet *kubelet, const char *uid);
/* Whether another pod of its name has to end before this one may begin. */
bool pods_must_wait(struct kubelet *kubelet, const struct pod *pod);
/* Wakes the worker of a pod. */
void pods_wake(struct kubelet *kubelet, const char *uid);
void pods_wake_all(struct kubelet *kubelet);
void pods_free(struct kubelet *kubelet);
/* By name, made if needed. */
struct container_record *pod_container(struct pod *pod, const char *name, bool init);
void pod_wait_for(struct container_record *container, const char *reason, const char *format, ...)
	COX_PRINTF(3, 4);

/* ---- view.c: what the runtime has of one pod ---- */

struct view_sandbox {
	const char *id;
	uint32_t state, attempt, network_mode;
	int64_t created_at;
	const char *network_namespace;
};

struct view_container {
	const char *id, *sandbox_id, *name, *image, *image_ref, *image_id;
	const char *reason, *message, *log_path, *hash;
	uint32_t state, attempt;
	int32_t exit_code;
	int64_t created_at, started_at, finished_at;
	int64_t grace; /* seconds, as its annotation says; -1: nothing */
	/*
	 * It ended because a kubelet stopped it with the whole node
	 * (--stop-pods-on-exit), whatever its exit code says.
	 */
	bool interrupted;
};

/* Both lists have the newest first. */
struct view {
	struct arena arena;
	COX_VEC(struct view_sandbox) sandboxes;
	COX_VEC(struct view_container) containers;
};

int view_read(struct kubelet *kubelet, const char *uid, struct view *view,
	      struct cox_error *err) COX_MUST_CHECK;
void view_free(struct view *view);
/* The newest of that name; `skip` older ones on. NULL: none. */
const struct view_container *view_container(const struct view *view, const char *name,
					    unsigned skip);
/* The newest sandbox, if it is ready. */
const struct view_sandbox *view_ready(const struct view *view);
bool view_running(const struct view *view); /* any container */

#endif
