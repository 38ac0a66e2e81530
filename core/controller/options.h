/* SPDX-License-Identifier: Apache-2.0 */
/* Which flags of kube-controller-manager feed which options of its plugins. */
#ifndef COX_CONTROLLER_OPTIONS_H
#define COX_CONTROLLER_OPTIONS_H

#include "controller/flags.h"
#include "host/host.h"

/*
 * Hands over what the flags say and is not their default, which is the
 * plugin's too. For plugins of the tree; others are told by --plugin-option.
 */
int controller_options_set(struct host_plugin *plugin,
			   const struct controller_manager_config *config,
			   struct cox_error *err) COX_MUST_CHECK;

#endif
