/* SPDX-License-Identifier: Apache-2.0 */
/* A label selector while it is being read; private to the selector's files. */
#ifndef COX_MACHINERY_SELECTOR_BUILD_H
#define COX_MACHINERY_SELECTOR_BUILD_H

#include "machinery/selector.h"

#include <coxswain/kit/vec.h>

struct selector_draft_requirement {
	const char *key;
	size_t first;	  /* of its values in the draft's */
	uint32_t count;	  /* of values */
	uint8_t relation; /* enum selector_operator */
	bool exact;
};

/* Texts are borrowed, or in the draft's own arena. */
struct selector_draft {
	COX_VEC(struct selector_draft_requirement) requirements;
	COX_VEC(const char *) values;
	struct arena arena;
};

#define SELECTOR_DRAFT_INIT                                                                        \
	{                                                                                          \
		{NULL, 0, 0}, {NULL, 0, 0}, ARENA_INIT                                             \
	}

void selector_draft_begin(struct selector_draft *draft, const char *key,
			  enum selector_operator relation, bool exact);
/* One more value of the requirement that was begun last. */
void selector_draft_value(struct selector_draft *draft, const char *value);
/* Checks, sorts and packs; NULL with a BadRequest. */
struct label_selector *selector_draft_finish(struct selector_draft *draft,
					     struct cox_error *err) COX_MUST_CHECK;
void selector_draft_free(struct selector_draft *draft);

#endif
