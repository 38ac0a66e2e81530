/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identities; see the header. Everything of one lies in an arena of its own,
 * which the last reference frees.
 */
#include "access/identity.h"

#include "base/arena.h"
#include "base/error.h"

#include <coxswain/kit/alloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char authenticated[] = "system:authenticated";

/* The counted object; `facts` is what others see. */
struct counted_identity {
	struct identity facts; /* first */
	atomic_uint references;
	struct arena arena;
};

struct draft_extra {
	const char *key;
	const char **values;
	size_t count;
};

/* A plugin's answer while it is being given. */
struct identity_draft {
	struct arena arena;
	const char *user, *uid;
	const char **groups;
	size_t group_count;
	struct draft_extra *extra;
	size_t extra_count;
	const char **audiences;
	size_t audience_count;
	uint64_t expires;
	uint32_t flags;
	const char *wrong; /* a bound that was passed, or user() called twice */
};

/* Appends to an array of texts in the draft's arena. */
static void add_text(struct identity_draft *draft, const char ***texts, size_t *count, size_t most,
		     const char *text, const char *wrong)
{
	if (*count >= most) {
		draft->wrong = wrong;
		return;
	}
	*texts = arena_grow(&draft->arena, *texts, *count * sizeof(**texts),
			    (*count + 1) * sizeof(**texts));
	(*texts)[(*count)++] = arena_strdup(&draft->arena, text);
}

static struct identity_draft *draft_of(const struct cox_identity_sink *sink)
{
	return ((const struct identity_builder *)(const void *)sink)->draft;
}

static void take_user(const struct cox_identity_sink *sink, const char *name, const char *uid)
{
	struct identity_draft *draft = draft_of(sink);

	if (draft->user)
		draft->wrong = "named two users";
	draft->user = arena_strdup(&draft->arena, name ? name : "");
	draft->uid = arena_strdup(&draft->arena, uid ? uid : "");
}

static void take_group(const struct cox_identity_sink *sink, const char *group)
{
	struct identity_draft *draft = draft_of(sink);

	add_text(draft, &draft->groups, &draft->group_count, IDENTITY_GROUPS_MAX, group,
		 "named too many groups");
}

static void take_extra(const struct cox_identity_sink *sink, const char *key, const char *value)
{
	struct identity_draft *draft = draft_of(sink);
	struct draft_extra *extra = NULL;

	for (size_t i = 0; i < draft->extra_count; i++)
		if (strcmp(draft->extra[i].key, key) == 0)
			extra = &draft->extra[i];
	if (!extra) {
		if (draft->extra_count >= IDENTITY_EXTRA_MAX) {
			draft->wrong = "gave too many extra keys";
			return;
		}
		draft->extra =
			arena_grow(&draft->arena, draft->extra, draft->extra_count * sizeof(*extra),
				   (draft->extra_count + 1) * sizeof(*extra));
		extra = &draft->extra[draft->extra_count++];
		*extra = (struct draft_extra){arena_strdup(&draft->arena, key), NULL, 0};
	}
	add_text(draft, &extra->values, &extra->count, IDENTITY_EXTRA_VALUES_MAX, value,
		 "gave too many values of an extra key");
}

static void take_audience(const struct cox_identity_sink *sink, const char *audience)
{
	struct identity_draft *draft = draft_of(sink);

	add_text(draft, &draft->audiences, &draft->audience_count, IDENTITY_AUDIENCES_MAX, audience,
		 "named too many audiences");
}

static void take_expires(const struct cox_identity_sink *sink, uint64_t realtime_ns)
{
	draft_of(sink)->expires = realtime_ns;
}

static void take_flags(const struct cox_identity_sink *sink, uint32_t flags)
{
	draft_of(sink)->flags = flags;
}

void identity_builder_init(struct identity_builder *builder)
{
	builder->sink = (struct cox_identity_sink){.struct_size = sizeof(builder->sink),
						   .user = take_user,
						   .group = take_group,
						   .extra = take_extra,
						   .audience = take_audience,
						   .expires = take_expires,
						   .flags = take_flags};
	builder->draft = cox_new(struct identity_draft);
}

void identity_builder_clear(struct identity_builder *builder)
{
	if (!builder->draft)
		return;
	arena_free(&builder->draft->arena);
	free(builder->draft);
	builder->draft = NULL;
}

static bool has_group(const struct identity_draft *draft, const char *group)
{
	for (size_t i = 0; i < draft->group_count; i++)
		if (strcmp(draft->groups[i], group) == 0)
			return true;
	return false;
}

struct identity *identity_builder_finish(struct identity_builder *builder, struct cox_error *err)
{
	struct identity_draft *draft = builder->draft;
	struct counted_identity *counted = NULL;
	struct cox_extra *extra;

	if (!draft->wrong && !draft->user)
		draft->wrong = "said yes without naming a user";
	if (draft->wrong) {
		error_set(err, COX_REASON_INTERNAL_ERROR, "the authenticator %s", draft->wrong);
		goto out;
	}
	if (!has_group(draft, authenticated) && strcmp(draft->user, "system:anonymous") != 0)
		add_text(draft, &draft->groups, &draft->group_count, IDENTITY_GROUPS_MAX + 1,
			 authenticated, NULL);
	extra = arena_calloc(&draft->arena, draft->extra_count * sizeof(*extra));
	for (size_t i = 0; i < draft->extra_count; i++)
		extra[i] = (struct cox_extra){draft->extra[i].key, draft->extra[i].values,
					      draft->extra[i].count};
	counted = cox_new(struct counted_identity);
	counted->facts = (struct identity){.user = draft->user,
					   .uid = draft->uid,
					   .groups = draft->groups,
					   .group_count = draft->group_count,
					   .extra = extra,
					   .extra_count = draft->extra_count,
					   .audiences = draft->audiences,
					   .audience_count = draft->audience_count,
					   .expires = draft->expires,
					   .flags = draft->flags};
	atomic_init(&counted->references, 1);
	counted->arena = draft->arena;
	draft->arena = (struct arena)ARENA_INIT;
out:
	identity_builder_clear(builder);
	return counted ? &counted->facts : NULL;
}

struct identity *identity_new(const char *user, const char *const *groups, size_t group_count)
{
	struct identity_builder builder;

	identity_builder_init(&builder);
	take_user(&builder.sink, user, "");
	for (size_t i = 0; i < group_count; i++)
		take_group(&builder.sink, groups[i]);
	return identity_builder_finish(&builder, NULL);
}

struct identity *identity_ref(struct identity *identity)
{
	struct counted_identity *counted = (struct counted_identity *)identity;

	atomic_fetch_add_explicit(&counted->references, 1, memory_order_relaxed);
	return identity;
}

void identity_unref(struct identity *identity)
{
	struct counted_identity *counted = (struct counted_identity *)identity;

	if (!counted ||
	    atomic_fetch_sub_explicit(&counted->references, 1, memory_order_acq_rel) != 1)
		return;
	arena_free(&counted->arena);
	free(counted);
}

bool identity_in_group(const struct identity *identity, const char *group)
{
	for (size_t i = 0; i < identity->group_count; i++)
		if (strcmp(identity->groups[i], group) == 0)
			return true;
	return false;
}
