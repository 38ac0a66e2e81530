/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cloud plugin that --cloud-provider names, opened, set up from the file of
 * --cloud-config, and lent to the controllers.
 */
#ifndef COX_CONTROLLER_CLOUD_H
#define COX_CONTROLLER_CLOUD_H

#include "config/personality.h"
#include "controller/flags.h"
#include "host/host.h"

#include <coxswain/cloud.h>

struct cloud {
	struct host_plugin *plugin; /* NULL: none is named */
	struct cox_cloud table;	    /* what controllers see */
	struct cox_cloud_ops ops;
};

/*
 * Opens and configures it; nothing to do is success. What the file says counts
 * more than --plugin-option does. Close it in any case.
 */
int cloud_open(struct cloud *cloud, struct daemon *daemon,
	       const struct controller_manager_config *config,
	       struct cox_error *err) COX_MUST_CHECK;
int cloud_start(struct cloud *cloud, struct cox_error *err) COX_MUST_CHECK;
void cloud_close(struct cloud *cloud); /* after the controllers */

/* For a plugin that is open already (tests). -1: a group of operations has gaps. */
int cloud_lend(struct cloud *cloud, struct host_plugin *plugin,
	       struct cox_error *err) COX_MUST_CHECK;
/* NULL: there is none. */
const struct cox_cloud *cloud_table(const struct cloud *cloud);

#endif
