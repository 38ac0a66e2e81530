/* SPDX-License-Identifier: Apache-2.0 */
/* What facts.c, pod_facts.c and terms.c share. */
#ifndef COX_SCHEDULER_FACTS_INTERNAL_H
#define COX_SCHEDULER_FACTS_INTERNAL_H

#include "machinery/value.h"
#include "scheduler/pack.h"

#include <coxswain/scheduler.h>

int64_t facts_amount(const struct value *value, bool milli);
struct cox_scheduler_pairs facts_pairs(struct pack *pack, const struct value *map);
int64_t *facts_usual(struct cox_scheduler_resources *resources, const char *name);
struct cox_scheduler_resources facts_resources(struct pack *pack, const struct value *map);
/* Fill row->terms and row->spreads; its labels are there already. */
void facts_terms(struct pack *pack, struct cox_scheduler_pod *row, const struct value *spec);
void facts_spreads(struct pack *pack, struct cox_scheduler_pod *row, const struct value *spec);

#endif
