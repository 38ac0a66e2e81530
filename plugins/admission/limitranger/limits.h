/* SPDX-License-Identifier: Apache-2.0 */
/* What a limit range says about amounts, compared with what is asked for. */
#ifndef LIMITRANGER_LIMITS_H
#define LIMITRANGER_LIMITS_H

#include "amounts.h"

/* What was found wrong, each once. */
struct limit_problems {
	COX_VEC(char *) texts;
};

#define LIMIT_PROBLEMS_INIT                                                                        \
	{                                                                                          \
		{                                                                                  \
			NULL, 0, 0                                                                 \
		}                                                                                  \
	}

void limit_problems_free(struct limit_problems *problems);
/* "one", or "[one, two]" */
void limit_problems_print(const struct limit_problems *problems, struct cox_buf *out);

/*
 * Checks against min, max and maxLimitRequestRatio of `item` (a
 * LimitRangeItem), whose type is `type`. A claim has no limits of its own:
 * NULL, then the requests alone count.
 */
void limits_check(const struct cox_objects *objects, const struct cox_value *item, const char *type,
		  const struct amounts *requests, const struct amounts *limits,
		  struct limit_problems *problems);

#endif
