/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at a machine before a master or a node runs on it. One line for each
 * thing that was looked at, its parts separated by tabs:
 *
 *	LEVEL	THING	FOUND[	REMEDY]
 *
 * LEVEL is ok, warning (it works, but not as well as it could) or error (it
 * does not work). Nothing is changed on the machine, and whatever is waited for
 * has a time limit. One thread.
 */
#ifndef COX_PREFLIGHT_PREFLIGHT_H
#define COX_PREFLIGHT_PREFLIGHT_H

#include "config/flags.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One of the daemons, as its files tell it. */
struct preflight_daemon {
	const char *name;
	bool wanted;		      /* in the role that is asked for */
	const struct flag_set *flags; /* the defaults, where the files could not be read */
};

struct preflight {
	FILE *out;
	bool master, node; /* what this machine is to be */
	const char *config_dir;
	const char *plugin_dir; /* "": the built-in one */
	const struct preflight_daemon *daemons;
	size_t daemon_count;
	unsigned errors, warnings; /* counted */
};

/* Makes all checks; the two counts are the result. */
void preflight_check(struct preflight *preflight);

/*
 * The other side of the kernel's check, in a process of its own: tries in new
 * namespaces what containers need, and prints a line for each thing.
 */
int preflight_probe(FILE *out);

#endif
