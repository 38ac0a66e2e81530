/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scheduling Policy (kind Policy, v1, JSON): the predicates and priorities
 * that are to be used, by name, with weights and arguments.
 */
#ifndef COX_SCHEDULER_POLICY_H
#define COX_SCHEDULER_POLICY_H

#include "base/arena.h"
#include "base/error.h"
#include "machinery/value.h"

#include <coxswain/kit/vec.h>
#include <stdbool.h>

struct policy_entry {
	const char *name;
	const char *part;	      /* the argument's only member, or the name */
	const struct value *argument; /* the value of that member; NULL: none */
	int32_t weight;		      /* of a priority */
};

struct policy_list {
	struct policy_entry *items;
	size_t count;
	size_t capacity;
};

struct policy {
	struct arena arena;
	bool has_predicates, has_priorities; /* what is left out is as without a policy */
	struct policy_list predicates, priorities;
};

#define POLICY_INIT                                                                                \
	{                                                                                          \
		.arena = ARENA_INIT                                                                \
	}
void policy_free(struct policy *policy); /* leaves it empty */

/* The messages are those of the first release where it had one. */
int policy_parse(struct policy *policy, const void *data, size_t size,
		 struct cox_error *err) COX_MUST_CHECK;
/* `*found` false: there is no such file, which is no error. */
int policy_read(struct policy *policy, const char *path, bool *found,
		struct cox_error *err) COX_MUST_CHECK;

#endif
