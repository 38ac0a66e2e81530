/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one scan that turns stored bytes into an entry. Internal to the store.
 */
#ifndef COX_STORE_SCAN_H
#define COX_STORE_SCAN_H

#include "base/arena.h"
#include "store/store.h"

enum { SCAN_PATHS_MAX = 64, SCAN_STEPS_MAX = 8 };

/* "status.podIPs[0].ip" taken apart. */
struct scan_path {
	uint8_t field; /* index of the selectable field that it feeds */
	uint8_t step_count;
	struct {
		const char *name;
		uint32_t size;
		bool first_item;
	} step[SCAN_STEPS_MAX];
};

enum scan_source { SCAN_FROM_PATH, SCAN_FROM_NAME, SCAN_FROM_NAMESPACE };

struct scan_field {
	const char *label;
	const char *absent;
	enum scan_source source;
	bool indexed;
};

/* What a collection wants to know of its objects. Constant once made. */
struct scan_plan {
	size_t prefix_size;
	bool namespaced;
	size_t field_count;
	char *text; /* the copied labels and paths */
	struct scan_field *field;
	size_t path_count;
	struct scan_path *path; /* in the order of preference */
};

int scan_plan_init(struct scan_plan *plan, const struct store_collection_options *options,
		   struct cox_error *err) COX_MUST_CHECK;
void scan_plan_free(struct scan_plan *plan);

/*
 * Makes the entry for canonical `json` stored under `key` at `revision`;
 * `scratch` is reset. NULL with an error that says what is wrong with the value.
 */
struct store_entry *scan_entry(const struct scan_plan *plan, struct arena *scratch,
			       struct cox_bytes key, struct cox_bytes json, uint64_t revision,
			       struct cox_error *err);
/* The entry that stands for a value that could not be understood. */
struct store_entry *scan_bad_entry(const struct scan_plan *plan, struct cox_bytes key,
				   uint64_t revision, const char *why);
/* Whether the rest of the key is a name, or a namespace and a name. */
bool scan_key_fits(const struct scan_plan *plan, struct cox_bytes key);

#endif
