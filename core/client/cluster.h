/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The struct cox_cluster that a plugin instance gets: its own client, and the
 * informers and the event recorder that it shares with others.
 */
#ifndef COX_CLIENT_CLUSTER_H
#define COX_CLIENT_CLUSTER_H

#include "client/informer.h"
#include "client/recorder.h"

struct cluster {
	struct cox_cluster table; /* what the plugin sees; its context is this struct */
	struct client *client;
	struct informers *informers;
	struct recorder *recorder;
	const char *component; /* who speaks in events; NULL: the recorder's own */
};

/* The parts and `cluster` itself outlive the plugin's use of the table. */
void cluster_init(struct cluster *cluster, struct client *client, struct informers *informers,
		  struct recorder *recorder, const char *component);

#endif
