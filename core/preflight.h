/* SPDX-License-Identifier: Apache-2.0 */
/* The command preflight: looks at this machine, changes nothing, and ends. */
#ifndef COX_PREFLIGHT_H
#define COX_PREFLIGHT_H

#include "config/personality.h"

struct preflight_command {
	struct personality personality; /* first: the command is reached through it */
	/* The daemons of the two roles. */
	const struct personality *const *master;
	size_t master_count;
	const struct personality *const *node;
	size_t node_count;
};

struct preflight_config {
	const char *role;
	bool probe;
};

extern const struct flag preflight_flags[];
extern const size_t preflight_flag_count;

int preflight_check_flags(struct daemon *daemon, struct cox_error *err);
int preflight_run_command(struct daemon *daemon);

#endif
