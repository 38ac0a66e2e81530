/* SPDX-License-Identifier: Apache-2.0 */
/* Counting reasons and telling them; see the header. */
#include "scheduler/diagnosis.h"

#include <coxswain/kit/map.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_NODES_MAX = 100 };

struct reason {
	char *text; /* "2 Insufficient cpu" */
};

void diagnosis_clear(struct diagnosis *diagnosis)
{
	cox_vec_free(&diagnosis->nodes);
}

void diagnosis_add(struct diagnosis *diagnosis, const char *node, const char *part, const char *why)
{
	const struct diagnosis_node added = {node, part, why};

	cox_vec_push(&diagnosis->nodes, added);
}

static void count_reasons(struct cox_map *counts, const char *why)
{
	while (*why) {
		size_t size = strcspn(why, "\n");
		uintptr_t count = (uintptr_t)cox_map_get(counts, why, size);

		cox_map_put(counts, why, size, (void *)(count + 1));
		why += size;
		why += *why == '\n';
	}
}

static int compare_reasons(const void *a, const void *b)
{
	return strcmp(((const struct reason *)a)->text, ((const struct reason *)b)->text);
}

/* Sorted as the texts are that people read, counts included. */
static void tell_reasons(const struct cox_map *counts, struct cox_buf *message)
{
	COX_VEC(struct reason) reasons = {0};
	size_t at = 0, size;
	const char *key;
	void *value;

	while (cox_map_next(counts, &at, &key, &size, &value)) {
		struct cox_buf text = COX_BUF_INIT;

		cox_buf_printf(&text, "%zu %.*s", (size_t)(uintptr_t)value, (int)size, key);
		cox_vec_push(&reasons, (struct reason){cox_buf_steal(&text)});
	}
	if (reasons.count)
		qsort(reasons.items, reasons.count, sizeof(*reasons.items), compare_reasons);
	for (size_t i = 0; i < reasons.count; i++) {
		cox_buf_printf(message, "%s %s", i ? "," : ":", reasons.items[i].text);
		free(reasons.items[i].text);
	}
	cox_vec_free(&reasons);
}

static void tell_log(const struct diagnosis *diagnosis, const char *pod, struct cox_buf *log)
{
	size_t count = diagnosis->nodes.count;

	for (size_t i = 0; i < count && i < LOG_NODES_MAX; i++)
		cox_buf_printf(log, "failed to find fit for pod %s on node %s: %s\n", pod,
			       diagnosis->nodes.items[i].node, diagnosis->nodes.items[i].part);
	if (count > LOG_NODES_MAX)
		cox_buf_printf(log, "failed to find fit for pod %s on %zu more nodes\n", pod,
			       count - LOG_NODES_MAX);
}

void diagnosis_tell(const struct diagnosis *diagnosis, const char *pod, size_t total,
		    const char *all, struct cox_buf *message, struct cox_buf *log)
{
	struct cox_map counts = COX_MAP_INIT;

	if (!total) {
		cox_buf_str(message, "no nodes available to schedule pods");
		return;
	}
	cox_buf_printf(message, "0/%zu nodes are available", total);
	if (all) {
		cox_buf_printf(message, ": %s.", all);
		return;
	}
	for (size_t i = 0; i < diagnosis->nodes.count; i++)
		count_reasons(&counts, diagnosis->nodes.items[i].why);
	tell_reasons(&counts, message);
	cox_buf_char(message, '.');
	cox_map_free(&counts);
	tell_log(diagnosis, pod, log);
}
