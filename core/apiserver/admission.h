/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of admission plugins: called in the configured order, the first
 * refusal ends the request. Built once and never changed after; it belongs to
 * the counted chains. Any thread.
 */
#ifndef COX_APISERVER_ADMISSION_H
#define COX_APISERVER_ADMISSION_H

#include "base/error.h"

#include <stdbool.h>

struct admission;
struct client;
struct host_plugin;
struct informers;
struct recorder;
struct write;

struct admission *admission_new(void);
/*
 * In the order of calling; takes the plugin over, which got ready, and gives it
 * a view of the cluster through `client` (taken over, too). Only before first
 * use. -1: its setup failed; the plugin is closed.
 */
int admission_add(struct admission *chain, struct host_plugin *plugin, struct client *client,
		  struct informers *informers, struct recorder *recorder,
		  struct cox_error *err) COX_MUST_CHECK;
void admission_free(struct admission *chain); /* NULL is fine; closes the plugins */
/* Whether every plugin may be called. */
bool admission_is_ready(const struct admission *chain);

/* May change write->object, which is then decoded and defaulted again. */
int admission_admit(struct admission *chain, struct write *write,
		    struct cox_error *err) COX_MUST_CHECK;
int admission_validate(struct admission *chain, struct write *write,
		       struct cox_error *err) COX_MUST_CHECK;

#endif
