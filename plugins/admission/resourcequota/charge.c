/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What requests were charged. The host runs a write again when somebody else
 * was faster; the next attempt then pays only what the first did not. The ring
 * forgets after CHARGES_MAX requests: what a later attempt pays twice is put
 * right when the quota is counted again.
 */
#include "resourcequota.h"

#include <coxswain/kit/cleanup.h>
#include <stdlib.h>
#include <string.h>

struct charge charge_take(struct quotas *self, uint64_t id)
{
	struct charge taken = {.id = id};

	cox_lock_scope(&self->mutex);
	for (size_t i = 0; self->charges && i < CHARGES_MAX; i++) {
		if (self->charges[i].id != id)
			continue;
		taken = self->charges[i];
		self->charges[i] = (struct charge){0};
		break;
	}
	return taken;
}

void charge_keep(struct quotas *self, struct charge *charge)
{
	struct charge *slot;

	if (!charge->quotas.count)
		return;
	cox_lock_scope(&self->mutex);
	if (!self->charges)
		self->charges = cox_calloc(CHARGES_MAX, sizeof(*self->charges));
	slot = &self->charges[self->next_charge++ % CHARGES_MAX];
	charge_free(slot);
	*slot = *charge;
	*charge = (struct charge){0};
}

void charge_free(struct charge *charge)
{
	for (size_t i = 0; i < charge->quotas.count; i++) {
		free(charge->quotas.items[i].uid);
		free(charge->quotas.items[i].name);
		amounts_free(&charge->quotas.items[i].amounts);
	}
	cox_vec_free(&charge->quotas);
	charge->id = 0;
}

void charge_free_all(struct quotas *self)
{
	for (size_t i = 0; self->charges && i < CHARGES_MAX; i++)
		charge_free(&self->charges[i]);
	free(self->charges);
	self->charges = NULL;
}

const struct amounts *charge_find(const struct charge *charge, const char *uid)
{
	for (size_t i = 0; i < charge->quotas.count; i++)
		if (strcmp(charge->quotas.items[i].uid, uid) == 0)
			return &charge->quotas.items[i].amounts;
	return NULL;
}

void charge_note(struct charge *charge, const char *uid, const char *name,
		 const struct amounts *added)
{
	for (size_t i = 0; i < charge->quotas.count; i++)
		if (strcmp(charge->quotas.items[i].uid, uid) == 0) {
			amounts_add_all(&charge->quotas.items[i].amounts, added);
			return;
		}
	cox_vec_push(&charge->quotas,
		     (struct charged){cox_strdup(uid), cox_strdup(name), AMOUNTS_INIT});
	amounts_add_all(&charge->quotas.items[charge->quotas.count - 1].amounts, added);
}
