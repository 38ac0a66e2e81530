/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of resources with their amounts, and what a pod asks for as a whole.
 * One thread at a time.
 */
#ifndef ADMISSION_AMOUNTS_H
#define ADMISSION_AMOUNTS_H

#include <coxswain/kit/buf.h>
#include <coxswain/kit/quantity.h>
#include <coxswain/kit/vec.h>
#include <coxswain/object.h>
#include <stdbool.h>

struct amount {
	char *name;
	struct cox_quantity quantity;
};

/* In the order of the names. */
struct amounts {
	COX_VEC(struct amount) list;
};

#define AMOUNTS_INIT                                                                               \
	{                                                                                          \
		{                                                                                  \
			NULL, 0, 0                                                                 \
		}                                                                                  \
	}

void amounts_free(struct amounts *amounts);
#define amounts_auto __attribute__((cleanup(amounts_free))) struct amounts

/* NULL: not in the list. Borrowed until the list changes. */
const struct cox_quantity *amounts_get(const struct amounts *amounts, const char *name);
void amounts_set(struct amounts *amounts, const char *name, const struct cox_quantity *quantity);
void amounts_set_int(struct amounts *amounts, const char *name, int64_t number);
/* Adds to what is there. A sum that does not fit becomes the largest amount. */
void amounts_add(struct amounts *amounts, const char *name, const struct cox_quantity *quantity);
void amounts_subtract(struct amounts *amounts, const char *name,
		      const struct cox_quantity *quantity);
void amounts_raise(struct amounts *amounts, const char *name,
		   const struct cox_quantity *quantity); /* to at least that */
void amounts_add_all(struct amounts *amounts, const struct amounts *more);
void amounts_remove(struct amounts *amounts, size_t index);

/* A ResourceList of the API. */
void amounts_read(struct amounts *amounts, const struct cox_objects *objects,
		  const struct cox_value *list);
/* One amount of the API; what is none reads as zero. */
struct cox_quantity amount_of(const struct cox_objects *objects, const struct cox_value *value);
/* "cpu=1,pods=3" */
void amounts_print(const struct amounts *amounts, struct cox_buf *out);

/*
 * What the whole pod requests or is limited to: its containers together, or
 * more if its init containers need more for a while; what the pod says for
 * itself; overhead. `what` is "requests" or "limits".
 */
void amounts_of_pod(struct amounts *amounts, const struct cox_objects *objects,
		    const struct cox_value *spec, const char *what);

#endif
