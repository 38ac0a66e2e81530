/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pods/NAME/log: the server finds the pod's node and hands on what its kubelet
 * says, as it comes. The kubelet is reached by HTTPS with the server's own
 * certificate; redirects are not followed, headers not copied.
 */
#ifndef COX_APISERVER_PODLOG_H
#define COX_APISERVER_PODLOG_H

#include "apiserver/call.h"
#include "apiserver/flags.h"

struct kubelets;

/* How kubelets are reached. The config outlives it; nothing is opened yet. */
struct kubelets *kubelets_new(const struct apiserver_config *config);
/* Ends the logs under way, and refuses more: they could last for ever. Before the ports close. */
void kubelets_stop(struct kubelets *kubelets);
/* Before the workers are closed; no call is under way. */
void kubelets_free(struct kubelets *kubelets); /* NULL is fine */

void podlog_serve(struct api_call *call);

#endif
