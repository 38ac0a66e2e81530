/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schedules of cron jobs: five fields, or a word like @daily, or @every
 * with a duration; and the names of time zones.
 */
#ifndef COX_MACHINERY_CRON_H
#define COX_MACHINERY_CRON_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Bit n is set if the schedule holds at n. */
struct cron {
	uint64_t minutes, hours, days, months, weekdays;
	bool any_day, any_weekday; /* written as * or ?: then the other of the two decides */
	bool every;		   /* @every: the sets are empty */
};

/* NULL, or what is wrong, in the arena. */
const char *cron_parse(struct arena *arena, const char *text, struct cron *cron) COX_MUST_CHECK;
/* Whether the system's database of time zones has it. */
bool cron_zone_exists(const char *name);

#endif
