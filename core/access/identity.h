/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who sent a request. Immutable and counted once made, so caches, requests and
 * threads share one. A part of the system that calls in-process has one, too.
 */
#ifndef COX_ACCESS_IDENTITY_H
#define COX_ACCESS_IDENTITY_H

#include <coxswain/authenticator.h>
#include <coxswain/authorizer.h>
#include <stdbool.h>

enum {
	IDENTITY_GROUPS_MAX = 1000,
	IDENTITY_EXTRA_MAX = 100,
	IDENTITY_EXTRA_VALUES_MAX = 100,
	IDENTITY_AUDIENCES_MAX = 32
};

struct identity {
	const char *user;
	const char *uid; /* "" if none */
	const char *const *groups;
	size_t group_count;
	const struct cox_extra *extra;
	size_t extra_count;
	const char *const *audiences; /* those that the credential is good for */
	size_t audience_count;
	uint64_t expires; /* real time in ns; 0: no end */
	uint32_t flags;	  /* COX_AUTHN_VOLATILE */
};

/* A counted copy of plain facts; release with identity_unref. */
struct identity *identity_new(const char *user, const char *const *groups, size_t group_count);
struct identity *identity_ref(struct identity *identity);
void identity_unref(struct identity *identity); /* NULL is fine */

bool identity_in_group(const struct identity *identity, const char *group);

/* Takes what a plugin says; identity_builder_finish makes the counted value. */
struct identity_builder {
	struct cox_identity_sink sink; /* first: plugins get its address */
	struct identity_draft *draft;
};

void identity_builder_init(struct identity_builder *builder);
void identity_builder_clear(struct identity_builder *builder);
/*
 * Adds the group system:authenticated, and empties the builder. NULL and an
 * error if no user was named or a bound was passed.
 */
struct identity *identity_builder_finish(struct identity_builder *builder, struct cox_error *err);

#endif
