/* SPDX-License-Identifier: Apache-2.0 */
/* The comparisons, and their words; see the header. */
#include "limits.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bounds what one answer tells; a pod has more containers than people read. */
enum { PROBLEMS_MAX = 200 };

/* One line of a limit range, and what there is to hold against it. */
struct check {
	const char *resource, *type;
	struct cox_quantity bound;
	const struct cox_quantity *request, *limit; /* NULL: not said */
	bool claim;
	struct limit_problems *problems;
};

void limit_problems_free(struct limit_problems *problems)
{
	for (size_t i = 0; i < problems->texts.count; i++)
		free(problems->texts.items[i]);
	cox_vec_free(&problems->texts);
}

void limit_problems_print(const struct limit_problems *problems, struct cox_buf *out)
{
	bool many = problems->texts.count > 1;

	cox_buf_str(out, many ? "[" : "");
	for (size_t i = 0; i < problems->texts.count; i++)
		cox_buf_printf(out, "%s%s", i ? ", " : "", problems->texts.items[i]);
	cox_buf_str(out, many ? "]" : "");
}

/* Takes the text over. */
static void add_problem(struct limit_problems *problems, char *text)
{
	bool known = problems->texts.count >= PROBLEMS_MAX;

	for (size_t i = 0; i < problems->texts.count && !known; i++)
		known = strcmp(problems->texts.items[i], text) == 0;
	if (known)
		free(text);
	else
		cox_vec_push(&problems->texts, text);
}

/* "minimum cpu usage per Pod is 1, but request is 500m" */
static void tell(const struct check *check, const char *extreme, const char *what,
		 const struct cox_quantity *found)
{
	struct cox_buf text = COX_BUF_INIT;
	char bound[COX_QUANTITY_TEXT_MAX], amount[COX_QUANTITY_TEXT_MAX];

	cox_quantity_format(&check->bound, bound);
	cox_buf_printf(&text, "%s %s usage per %s is %s", extreme, check->resource, check->type,
		       bound);
	if (found) {
		cox_quantity_format(found, amount);
		cox_buf_printf(&text, ", but %s is %s", what, amount);
	} else {
		cox_buf_printf(&text, ".  No %s is specified", what);
	}
	add_problem(check->problems, cox_buf_steal(&text));
}

static void check_min(const struct check *check)
{
	if (!check->request)
		tell(check, "minimum", "request", NULL);
	else if (cox_quantity_compare(check->request, &check->bound) < 0)
		tell(check, "minimum", "request", check->request);
	if (check->limit && cox_quantity_compare(check->limit, &check->bound) < 0)
		tell(check, "minimum", "limit", check->limit);
}

static void check_max(const struct check *check)
{
	if (check->claim && !check->request)
		tell(check, "maximum", "request", NULL);
	if (!check->claim && !check->limit)
		tell(check, "maximum", "limit", NULL);
	if (check->limit && cox_quantity_compare(check->limit, &check->bound) > 0)
		tell(check, "maximum", "limit", check->limit);
	if (check->request && cox_quantity_compare(check->request, &check->bound) > 0)
		tell(check, "maximum", "request", check->request);
}

static void tell_ratio(const struct check *check, const char *what, double ratio)
{
	struct cox_buf text = COX_BUF_INIT;
	char bound[COX_QUANTITY_TEXT_MAX];

	cox_quantity_format(&check->bound, bound);
	cox_buf_printf(&text, "%s max limit to request ratio per %s is %s, but ", check->resource,
		       check->type, bound);
	if (what)
		cox_buf_printf(&text, "no %s is specified or %s is 0", what, what);
	else
		cox_buf_printf(&text, "provided ratio is %f", ratio);
	add_problem(check->problems, cox_buf_steal(&text));
}

static double as_number(const struct cox_quantity *quantity)
{
	return (double)quantity->nano / 1e9;
}

static void check_ratio(const struct check *check)
{
	bool request = check->request && cox_quantity_sign(check->request) != 0;
	bool limit = check->limit && cox_quantity_sign(check->limit) != 0;

	if (!request)
		tell_ratio(check, "request", 0);
	if (!limit)
		tell_ratio(check, "limit", 0);
	if (request && limit) {
		double ratio = as_number(check->limit) / as_number(check->request);

		if (ratio > as_number(&check->bound))
			tell_ratio(check, NULL, ratio);
	}
}

void limits_check(const struct cox_objects *objects, const struct cox_value *item, const char *type,
		  const struct amounts *requests, const struct amounts *limits,
		  struct limit_problems *problems)
{
	static const struct {
		const char *member;
		void (*check)(const struct check *check);
	} bounds[] = {
		{"min", check_min}, {"max", check_max}, {"maxLimitRequestRatio", check_ratio}};

	for (size_t b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++) {
		const struct cox_value *list = objects->get(item, bounds[b].member), *value;
		const char *resource;

		if (!limits && bounds[b].check == check_ratio)
			continue;
		for (size_t i = 0; (value = objects->at(list, i, &resource)); i++) {
			struct check check = {.resource = resource,
					      .type = type,
					      .bound = amount_of(objects, value),
					      .request = amounts_get(requests, resource),
					      .limit =
						      limits ? amounts_get(limits, resource) : NULL,
					      .claim = !limits,
					      .problems = problems};

			bounds[b].check(&check);
		}
	}
}
