/* SPDX-License-Identifier: Apache-2.0 */
/* Whether one quota has room for what a request adds. */
#include "resourcequota.h"

#include <string.h>

/* What a quota limits of what the request is about, and where it stands. */
struct standing {
	struct amounts hard, used;
};

static void standing_free(struct standing *standing)
{
	amounts_free(&standing->hard);
	amounts_free(&standing->used);
}

static void read_standing(const struct quotas *self, const struct cox_admission_request *request,
			  const struct cox_value *quota, struct standing *standing)
{
	amounts_read(&standing->hard, self->objects, self->objects->get(quota, "status.hard"));
	amounts_read(&standing->used, self->objects, self->objects->get(quota, "status.used"));
	for (size_t i = standing->hard.list.count; i-- > 0;)
		if (!usage_concerns(request, standing->hard.list.items[i].name))
			amounts_remove(&standing->hard, i);
}

/* A quota that was never counted cannot be kept. */
static int check_known(const struct quotas *self, const char *name, const struct standing *standing,
		       struct cox_error *err)
{
	cox_autobuf unknown = COX_BUF_INIT;

	for (size_t i = 0; i < standing->hard.list.count; i++) {
		const char *resource = standing->hard.list.items[i].name;

		if (!amounts_get(&standing->used, resource))
			cox_buf_printf(&unknown, "%s%s", unknown.size ? "," : "", resource);
	}
	return unknown.size ? self->host->fail(err, COX_REASON_FORBIDDEN,
					       "status unknown for quota: %s, resources: %s", name,
					       unknown.data)
			    : 0;
}

/* What of `delta` the quota limits, less what was added before. */
static void requested_of(const struct standing *standing, const struct amounts *delta,
			 const struct amounts *credit, struct amounts *requested)
{
	for (size_t i = 0; i < standing->hard.list.count; i++) {
		const char *name = standing->hard.list.items[i].name;
		const struct cox_quantity *more = amounts_get(delta, name);
		const struct cox_quantity *before = credit ? amounts_get(credit, name) : NULL;

		if (more)
			amounts_add(requested, name, more);
		if (before)
			amounts_subtract(requested, name, before);
	}
	for (size_t i = requested->list.count; i-- > 0;)
		if (cox_quantity_sign(&requested->list.items[i].quantity) == 0)
			amounts_remove(requested, i);
}

/* What grows beyond the limit. Usage that shrinks is always fine. */
static bool exceeds(const struct standing *standing, const struct amount *requested)
{
	const struct cox_quantity *hard = amounts_get(&standing->hard, requested->name);
	struct cox_quantity sum = *amounts_get(&standing->used, requested->name);

	if (cox_quantity_sign(&requested->quantity) <= 0)
		return false;
	return cox_quantity_add(&sum, &requested->quantity) != 0 ||
	       cox_quantity_compare(&sum, hard) > 0;
}

static int refuse_excess(const struct quotas *self, const char *name,
			 const struct standing *standing, const struct amounts *requested,
			 struct cox_error *err)
{
	amounts_auto asked = AMOUNTS_INIT;
	amounts_auto used = AMOUNTS_INIT;
	amounts_auto hard = AMOUNTS_INIT;
	cox_autobuf text = COX_BUF_INIT;

	for (size_t i = 0; i < requested->list.count; i++) {
		const struct amount *amount = &requested->list.items[i];

		if (!exceeds(standing, amount))
			continue;
		amounts_set(&asked, amount->name, &amount->quantity);
		amounts_set(&used, amount->name, amounts_get(&standing->used, amount->name));
		amounts_set(&hard, amount->name, amounts_get(&standing->hard, amount->name));
	}
	if (!asked.list.count)
		return 0;
	cox_buf_printf(&text, "exceeded quota: %s, requested: ", name);
	amounts_print(&asked, &text);
	cox_buf_str(&text, ", used: ");
	amounts_print(&used, &text);
	cox_buf_str(&text, ", limited: ");
	amounts_print(&hard, &text);
	return self->host->fail(err, COX_REASON_FORBIDDEN, "%s", text.data);
}

static void subtract_all(struct amounts *from, const struct amounts *amounts)
{
	for (size_t i = 0; i < amounts->list.count; i++)
		amounts_subtract(from, amounts->list.items[i].name,
				 &amounts->list.items[i].quantity);
}

int evaluate(const struct quotas *self, const struct cox_admission_request *request,
	     const struct cox_object *quota, const struct amounts *after,
	     const struct amounts *before, const struct amounts *credit, struct amounts *used,
	     struct amounts *added, struct cox_error *err)
{
	const struct cox_value *root = self->objects->root(quota);
	const struct cox_value *object = self->objects->root(request->object);
	const char *name = self->objects->name(quota);
	struct standing standing
		__attribute__((cleanup(standing_free))) = {AMOUNTS_INIT, AMOUNTS_INIT};
	cox_autobuf missing = COX_BUF_INIT;
	amounts_auto delta = AMOUNTS_INIT;
	bool was, is;

	read_standing(self, request, root, &standing);
	if (!standing.hard.list.count)
		return 0;
	is = scope_matches(self->objects, request, root, object);
	was = request->operation == COX_OPERATION_UPDATE && request->old &&
	      scope_matches(self->objects, request, root, self->objects->root(request->old));
	if (!is && !was)
		return 0;
	if (is) {
		usage_missing(self->objects, request, object, &standing.hard, &missing);
		amounts_add_all(&delta, after);
	}
	if (was)
		subtract_all(&delta, before);
	if (missing.size)
		return self->host->fail(err, COX_REASON_FORBIDDEN,
					"failed quota: %s: must specify %s", name, missing.data);
	if (check_known(self, name, &standing, err) != 0)
		return -1;
	requested_of(&standing, &delta, credit, added);
	if (refuse_excess(self, name, &standing, added, err) != 0)
		return -1;
	for (size_t i = 0; i < added->list.count; i++) {
		const struct amount *amount = &added->list.items[i];

		amounts_set(used, amount->name, amounts_get(&standing.used, amount->name));
		amounts_add(used, amount->name, &amount->quantity);
	}
	return added->list.count ? 1 : 0;
}
