/* SPDX-License-Identifier: Apache-2.0 */
/* Telling of outages; see the header. */
#include "client/outage.h"

#include "base/clock.h"

#define TELL_AGAIN (60 * CLOCK_SECOND)

bool outage_goes_on(struct outage *outage, uint64_t now)
{
	uint64_t none = 0, told = atomic_load(&outage->told);

	if (atomic_compare_exchange_strong(&outage->since, &none, now)) {
		atomic_store(&outage->told, now);
		return true;
	}
	return now - told >= TELL_AGAIN &&
	       atomic_compare_exchange_strong(&outage->told, &told, now);
}

uint64_t outage_is_over(struct outage *outage, uint64_t now)
{
	uint64_t since = atomic_load(&outage->since);

	if (!since || !atomic_compare_exchange_strong(&outage->since, &since, 0))
		return 0;
	return now > since ? now - since : 1;
}
