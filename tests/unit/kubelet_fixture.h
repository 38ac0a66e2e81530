/* SPDX-License-Identifier: Apache-2.0 */
/* A kubelet with the hollow runtime and the fake API server, for its tests. */
#ifndef COX_TESTS_KUBELET_FIXTURE_H
#define COX_TESTS_KUBELET_FIXTURE_H

#include "unit.h"

#include "base/clock.h"
#include "host/host.h"
#include "kubelet/kubelet.h"
#include "kubelet/volumes.h"
#include "lib/eventually.h"
#include "lib/fake_server.h"

#include <coxswain/kit/cleanup.h>
#include <string.h>
#include <unistd.h>

#undef eventually
#define eventually(condition) eventually_or(condition, show())

extern struct fixture {
	struct fake_server *server;
	struct client *client;
	struct host *host;
	struct host_plugin *runtime;
	struct host_plugin *volumes[7];
	size_t volume_count;
	struct kubelet_config config;
	struct kubelet *kubelet;
	uint64_t housekeeping_period, backoff_first, backoff_last;
	char directory[64], logs[80];
} at;

/* Why a test fails: everything that the server has. */
void show(void);
void start_kubelet(void);
void stop_kubelet(void);
void begin(const char *const *options);
void end(void);
/* A pod of this node: `spec` is what stands beside nodeName. */
void put_pod(const char *name, const char *metadata, const char *spec);
void delete_pod(const char *name, int64_t grace);
/* Whether the text at `path` of the pod is this. */
bool pod_has(const char *name, const char *path, const char *text);
bool pod_number(const char *name, const char *path, int64_t least);
bool condition_is(const char *name, const char *type, const char *status);
bool event_said(const char *pod, const char *reason, const char *message);
bool event_of(const char *pod, const char *reason, const char *part);
bool event_begins(const char *name, const char *reason, const char *message);
/* When it was said, as the names of events tell; 0: not yet. */
uint64_t said_at(const char *pod, const char *reason, const char *message);
/* It has seen what there is, and keeps a record of `count` pods. */
bool has_synced_pods(size_t count);

#endif
