/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of admission plugins: called in the configured order, the first
 * refusal ends the request. Built once and never changed after; counted, as the
 * other chains are. Any thread.
 */
#ifndef COX_APISERVER_ADMISSION_H
#define COX_APISERVER_ADMISSION_H

#include "base/error.h"

struct admission;
struct host_plugin;
struct write;

struct admission *admission_new(void);
/* In the order of calling; takes the plugin over. Only before first use. */
void admission_add(struct admission *chain, struct host_plugin *plugin);
void admission_unref(struct admission *chain); /* NULL is fine; closes the plugins */

/* May change write->object, which is then decoded and defaulted again. */
int admission_admit(struct admission *chain, struct write *write,
		    struct cox_error *err) COX_MUST_CHECK;
int admission_validate(struct admission *chain, struct write *write,
		       struct cox_error *err) COX_MUST_CHECK;

#endif
