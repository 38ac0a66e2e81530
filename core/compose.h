/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several personalities in one process, as one: each reads its own files, they
 * start one after the other and stop in the reverse order, and those behind
 * the API server reach it without a socket.
 */
#ifndef COX_COMPOSE_H
#define COX_COMPOSE_H

#include "config/personality.h"

#include <coxswain/kit/vec.h>

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
	/* What runs instead if that is asked for, and what is checked; NULL: this. */
	const struct composition *single;
};

/* For the initialiser of a composition's personality. */
extern const struct flag compose_flags[];
extern const size_t compose_flag_count;
struct compose_config {
	bool single_process;
};

int compose_prepare(struct daemon *daemon, struct cox_error *err);
int compose_start(struct daemon *daemon, struct cox_error *err);
int compose_reload(struct daemon *daemon, struct cox_error *err);
void compose_stop(struct daemon *daemon);

/* The words that pass on what `daemon` was told of the flags that all daemons have. */
struct compose_words {
	COX_VEC(const char *) items;
};
void compose_words_make(const struct daemon *daemon, struct compose_words *words);
void compose_words_free(struct compose_words *words);

#endif
