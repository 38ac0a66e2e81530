/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubelet: runs the pods that the API server has bound to this node.
 *
 * What is where: pods.c keeps a record of every pod that is wanted or still
 * there; pod_worker.c brings one pod a step further, for one thread at a time;
 * sandbox.c, container.c, images.c, volumes.c and probes.c are its hands;
 * pod_status.c says how a pod fares and report.c tells the API server; node.c
 * does the same for the node. What takes long (pulls, stops, probes) is a job
 * on a thread of its own (jobs.c), which wakes the pod's worker at its end.
 *
 * Lock: kubelet.lock guards the table of pods and those members of records
 * that say so. It is never held across a call into a plugin or the client.
 */
#ifndef COX_KUBELET_KUBELET_H
#define COX_KUBELET_KUBELET_H

#include "base/cancel.h"
#include "base/error.h"
#include "client/client.h"
#include "client/cluster.h"
#include "client/informer.h"
#include "client/queue.h"
#include "client/recorder.h"
#include "host/host.h"
#include "kubelet/flags.h"
#include "kubelet/jobs.h"
#include "machinery/object.h"

#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <coxswain/network.h>
#include <coxswain/runtime.h>
#include <coxswain/volume.h>
#include <pthread.h>
#include <stdbool.h>

enum { KUBELET_WORKERS = 4, KUBELET_REPORTERS = 2 };

/* What a kubelet is made of; everything outlives it. */
struct kubelet_parts {
	const struct kubelet_config *config;
	const char *node_name;
	struct client *client;
	bool standalone; /* there is no API server: every call of the client fails */
	struct host_plugin *runtime;
	struct host_plugin *network; /* NULL: pods have no network of their own */
	struct host_plugin *const *volumes;
	size_t volume_count;
	uint16_t port;			/* of the server, as the node tells it; 0: none */
	const char *const *kept_images; /* ids: not removed for want of space */
	size_t kept_image_count;
	uint64_t housekeeping_period; /* 0: the usual ones */
	uint64_t progress_period;     /* between words about a pull; 0: the usual one */
	/* The steps of the back-off of restarts and pulls; 0: 10 s to 5 min. */
	uint64_t backoff_first, backoff_last;
};

struct housekeeper;
struct sources;
struct node;
struct prober;

struct kubelet {
	struct kubelet_parts parts;
	const struct kubelet_config *config;
	const struct cox_runtime_ops *runtime;
	const struct cox_network_ops *network; /* NULL: none */
	char runtime_name[64];		       /* as in containerID: "oci" */
	char *node_ip;			       /* of this node */
	struct cox_object *node_ref;	       /* what events about it are about */

	struct informers *informers;
	struct recorder *recorder;
	struct cluster cluster; /* what volume plugins get */
	struct cox_lister *pod_lister;
	struct cox_lister *service_lister;
	struct cox_lister *node_lister;

	struct jobs *jobs;
	struct queue *queue;   /* uids of pods to look at */
	struct queue *reports; /* uids of pods to tell of */
	pthread_t workers[KUBELET_WORKERS];
	pthread_t reporters[KUBELET_REPORTERS];
	pthread_t keeper; /* looks at everything now and then */
	unsigned worker_count, reporter_count;
	bool keeper_runs;
	struct node *_Atomic node; /* jobs look whether it is there yet */
	struct housekeeper *housekeeper;
	struct sources *sources;
	struct prober *prober;
	struct cox_runtime_event_sink event_sink;
	void *event_watch;

	struct cox_cancel cancel; /* of all calls into plugins */

	pthread_mutex_t lock;
	pthread_cond_t changed;	       /* the keeper's alarm, and the table's */
	struct cox_map pods;	       /* uid → struct pod */
	bool synced;		       /* the lister was complete once */
	bool stopping;		       /* threads are to end */
	bool emptying;		       /* all pods are to stop: --stop-pods-on-exit */
	double pull_tokens;	       /* --registry-qps */
	uint64_t pulls_at;	       /* when they were counted */
	bool events_lost;	       /* list at once */
	bool memory_short, disk_short; /* as the node's conditions say */
	pthread_mutex_t admit_lock;    /* one admission at a time; before `lock` */
	pthread_mutex_t pull_lock;     /* --serialize-image-pulls */
};

/* NULL: `err` says why. Nothing runs yet. */
struct kubelet *kubelet_new(const struct kubelet_parts *parts, struct cox_error *err);
int kubelet_start(struct kubelet *kubelet, struct cox_error *err) COX_MUST_CHECK;
/* Ends all threads; containers go on, unless --stop-pods-on-exit. */
void kubelet_stop(struct kubelet *kubelet);
void kubelet_free(struct kubelet *kubelet); /* stopped, or never started */

/* A call into a plugin that must end within `timeout` (0: no limit). */
struct cox_call kubelet_call(struct kubelet *kubelet, uint64_t timeout);

/* One operation of the runtime: 0 or -1, as it says. */
#define runtime_call(kubelet, timeout, op, ...)                                                    \
	__extension__({                                                                            \
		struct cox_call call_ = kubelet_call((kubelet), (timeout));                        \
		host_call_scope((kubelet)->parts.runtime);                                         \
		(kubelet)->runtime->op(host_self((kubelet)->parts.runtime), &call_, __VA_ARGS__);  \
	})
#define network_call(kubelet, timeout, op, ...)                                                    \
	__extension__({                                                                            \
		struct cox_call call_ = kubelet_call((kubelet), (timeout));                        \
		host_call_scope((kubelet)->parts.network);                                         \
		(kubelet)->network->op(host_self((kubelet)->parts.network), &call_, __VA_ARGS__);  \
	})

/* The same for values of a tree, across the line to plugins. */
static inline const struct cox_value *kubelet_plugin_value(const struct value *value)
{
	return (const struct cox_value *)(const void *)value;
}
static inline const struct value *kubelet_core_value(const struct cox_value *value)
{
	return (const struct value *)(const void *)value;
}

#endif
