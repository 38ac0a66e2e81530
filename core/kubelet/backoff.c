/* SPDX-License-Identifier: Apache-2.0 */
/* Back-off: see the header. */
#include "kubelet/backoff.h"

#include "base/clock.h"

#define FIRST (10 * CLOCK_SECOND)
#define LAST (300 * CLOCK_SECOND)

void backoff_next(struct backoff *backoff, uint64_t now, uint64_t first, uint64_t last)
{
	first = first ? first : FIRST;
	last = last ? last : LAST;
	if (!backoff->delay || (now > backoff->since && now - backoff->since > 2 * last))
		backoff->delay = first;
	else
		backoff->delay = backoff->delay * 2 < last ? backoff->delay * 2 : last;
	backoff->since = now;
}

uint64_t backoff_left(const struct backoff *backoff, uint64_t since, uint64_t now, uint64_t last)
{
	uint64_t until = since + backoff->delay;

	last = last ? last : LAST;
	/* What went well for so long is not held to what was before. */
	if (since > backoff->since && since - backoff->since > 2 * last)
		return 0;
	return backoff->delay && until > now ? until - now : 0;
}
