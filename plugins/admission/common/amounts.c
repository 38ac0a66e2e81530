/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of resources; see the header. */
#include "amounts.h"

#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 wide;

static const wide wide_max = (wide)((~(unsigned __int128)0) >> 1);

void amounts_free(struct amounts *amounts)
{
	for (size_t i = 0; i < amounts->list.count; i++)
		free(amounts->list.items[i].name);
	cox_vec_free(&amounts->list);
}

/* Where `name` is, or would be. */
static size_t place_of(const struct amounts *amounts, const char *name, bool *found)
{
	size_t low = 0, high = amounts->list.count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(amounts->list.items[middle].name, name);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct cox_quantity *amounts_get(const struct amounts *amounts, const char *name)
{
	bool found;
	size_t at = place_of(amounts, name, &found);

	return found ? &amounts->list.items[at].quantity : NULL;
}

/* The amount of `name`, zero if it is new. */
static struct cox_quantity *make_room(struct amounts *amounts, const char *name, bool *found)
{
	size_t at = place_of(amounts, name, found);
	struct amount *items;

	if (!*found) {
		cox_vec_push(&amounts->list, (struct amount){NULL, {0, 0}});
		items = amounts->list.items;
		memmove(&items[at + 1], &items[at],
			(amounts->list.count - 1 - at) * sizeof(*items));
		items[at] = (struct amount){cox_strdup(name), {0, 0}};
	}
	return &amounts->list.items[at].quantity;
}

void amounts_set(struct amounts *amounts, const char *name, const struct cox_quantity *quantity)
{
	bool found;

	*make_room(amounts, name, &found) = *quantity;
}

void amounts_set_int(struct amounts *amounts, const char *name, int64_t number)
{
	struct cox_quantity quantity = cox_quantity_from_int(number, COX_QUANTITY_DECIMAL_SI);

	amounts_set(amounts, name, &quantity);
}

void amounts_add(struct amounts *amounts, const char *name, const struct cox_quantity *quantity)
{
	bool found;
	struct cox_quantity *sum = make_room(amounts, name, &found);

	if (cox_quantity_add(sum, quantity) != 0)
		sum->nano = quantity->nano > 0 ? wide_max : -wide_max;
}

void amounts_subtract(struct amounts *amounts, const char *name,
		      const struct cox_quantity *quantity)
{
	struct cox_quantity negative = *quantity;

	negative.nano = -negative.nano;
	amounts_add(amounts, name, &negative);
}

void amounts_raise(struct amounts *amounts, const char *name, const struct cox_quantity *quantity)
{
	bool found;
	struct cox_quantity *high = make_room(amounts, name, &found);

	if (!found || cox_quantity_compare(high, quantity) < 0)
		*high = *quantity;
}

void amounts_add_all(struct amounts *amounts, const struct amounts *more)
{
	for (size_t i = 0; i < more->list.count; i++)
		amounts_add(amounts, more->list.items[i].name, &more->list.items[i].quantity);
}

void amounts_remove(struct amounts *amounts, size_t index)
{
	struct amount *items = amounts->list.items;

	free(items[index].name);
	amounts->list.count--;
	memmove(&items[index], &items[index + 1], (amounts->list.count - index) * sizeof(*items));
}

struct cox_quantity amount_of(const struct cox_objects *objects, const struct cox_value *value)
{
	const struct cox_quantity zero = {0, COX_QUANTITY_DECIMAL_SI};
	struct cox_quantity quantity;
	const char *text;

	if (objects->kind(value) == COX_VALUE_INTEGER)
		return cox_quantity_from_int(objects->integer(value, "", 0),
					     COX_QUANTITY_DECIMAL_SI);
	text = objects->text(value, "");
	return cox_quantity_parse(text, strlen(text), &quantity, NULL) == 0 ? quantity : zero;
}

void amounts_read(struct amounts *amounts, const struct cox_objects *objects,
		  const struct cox_value *list)
{
	const struct cox_value *value;
	const char *name;

	for (size_t i = 0; (value = objects->at(list, i, &name)); i++) {
		struct cox_quantity quantity = amount_of(objects, value);

		if (name)
			amounts_set(amounts, name, &quantity);
	}
}

void amounts_print(const struct amounts *amounts, struct cox_buf *out)
{
	for (size_t i = 0; i < amounts->list.count; i++) {
		char text[COX_QUANTITY_TEXT_MAX];

		cox_quantity_format(&amounts->list.items[i].quantity, text);
		cox_buf_printf(out, "%s%s=%s", i ? "," : "", amounts->list.items[i].name, text);
	}
}

/* Pods */

static void read_container(struct amounts *amounts, const struct cox_objects *objects,
			   const struct cox_value *container, const char *what)
{
	amounts_read(amounts, objects, objects->member(objects->get(container, "resources"), what));
}

/*
 * Init containers run one after another, beside the sidecars that were started
 * before them; sidecars (restartPolicy Always) stay.
 */
static void add_init_containers(struct amounts *total, const struct cox_objects *objects,
				const struct cox_value *spec, const char *what)
{
	const struct cox_value *list = objects->get(spec, "initContainers"), *container;
	amounts_auto sidecars = AMOUNTS_INIT;
	amounts_auto peak = AMOUNTS_INIT;

	for (size_t i = 0; (container = objects->at(list, i, NULL)); i++) {
		bool stays = strcmp(objects->text(container, "restartPolicy"), "Always") == 0;
		amounts_auto own = AMOUNTS_INIT;
		amounts_auto now = AMOUNTS_INIT;

		read_container(&own, objects, container, what);
		if (stays) {
			amounts_add_all(total, &own);
			amounts_add_all(&sidecars, &own);
			amounts_add_all(&now, &sidecars);
		} else {
			amounts_add_all(&now, &own);
			amounts_add_all(&now, &sidecars);
		}
		for (size_t k = 0; k < now.list.count; k++)
			amounts_raise(&peak, now.list.items[k].name, &now.list.items[k].quantity);
	}
	for (size_t k = 0; k < peak.list.count; k++)
		amounts_raise(total, peak.list.items[k].name, &peak.list.items[k].quantity);
}

void amounts_of_pod(struct amounts *amounts, const struct cox_objects *objects,
		    const struct cox_value *spec, const char *what)
{
	const struct cox_value *list = objects->get(spec, "containers"), *container;
	amounts_auto overhead = AMOUNTS_INIT;

	for (size_t i = 0; (container = objects->at(list, i, NULL)); i++) {
		amounts_auto own = AMOUNTS_INIT;

		read_container(&own, objects, container, what);
		amounts_add_all(amounts, &own);
	}
	add_init_containers(amounts, objects, spec, what);
	read_container(amounts, objects, spec, what);
	amounts_read(&overhead, objects, objects->get(spec, "overhead"));
	for (size_t i = 0; i < overhead.list.count; i++) {
		const struct amount *more = &overhead.list.items[i];
		const struct cox_quantity *now = amounts_get(amounts, more->name);

		/* what is not limited stays so */
		if (strcmp(what, "limits") != 0 || (now && cox_quantity_sign(now) != 0))
			amounts_add(amounts, more->name, &more->quantity);
	}
}
