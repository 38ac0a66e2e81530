/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several personalities in one process, as one: each reads its own files, they
 * start one after the other and stop in the reverse order, and those behind
 * the API server reach it without a socket.
 */
#ifndef COX_COMPOSE_H
#define COX_COMPOSE_H

#include "config/personality.h"

struct client_local;

struct composition {
	struct personality personality;
	const struct personality *const *parts;
	size_t part_count;
	/* The API server among the parts, once it has started; NULL: none is. */
	struct client_local (*local)(const struct daemon *part);
	const struct personality *server; /* which part that is */
	/*
	 * Between prepare and start: gives up what the process does not need.
	 * `parts` are part_count daemons. NULL: keeps its rights.
	 */
	int (*confine)(const struct daemon *const *parts, struct cox_error *err);
};

/* For the initialiser of a composition's personality. */
extern const struct flag compose_flags[];
extern const size_t compose_flag_count;
struct compose_config {
	bool unused;
};

int compose_prepare(struct daemon *daemon, struct cox_error *err);
int compose_start(struct daemon *daemon, struct cox_error *err);
int compose_reload(struct daemon *daemon, struct cox_error *err);
void compose_stop(struct daemon *daemon);

/* "--NAME=VALUE" of a common flag that `daemon` was given; nothing if it was not. */
void compose_pass_on(const struct daemon *daemon, const char *name, struct cox_buf *word);

#endif
