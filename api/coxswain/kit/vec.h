/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing arrays. COX_VEC(struct thing) things = {0}; cox_vec_push(&things, t);
 * things.items[i], things.count; cox_vec_free(&things) frees the array only.
 */
#ifndef COXSWAIN_KIT_VEC_H
#define COXSWAIN_KIT_VEC_H

#include <coxswain/kit/alloc.h>
#include <stddef.h>
#include <stdlib.h>

#define COX_VEC(type)                                                                          \
	struct {                                                                               \
		type *items;                                                                   \
		size_t count;                                                                  \
		size_t capacity;                                                               \
	}

#define cox_vec_reserve(vec, wanted)                                                           \
	do {                                                                                   \
		if ((vec)->capacity < (wanted)) {                                              \
			size_t cox_vec_new_ = (vec)->capacity ? (vec)->capacity * 2 : 8;       \
			if (cox_vec_new_ < (wanted))                                           \
				cox_vec_new_ = (wanted);                                       \
			(vec)->items = cox_reallocarray((vec)->items, cox_vec_new_,            \
							sizeof(*(vec)->items));                \
			(vec)->capacity = cox_vec_new_;                                        \
		}                                                                              \
	} while (0)

#define cox_vec_push(vec, ...)                                                                 \
	do {                                                                                   \
		cox_vec_reserve(vec, (vec)->count + 1);                                        \
		(vec)->items[(vec)->count++] = (__VA_ARGS__);                                  \
	} while (0)

#define cox_vec_free(vec)                                                                      \
	do {                                                                                   \
		free((vec)->items);                                                            \
		(vec)->items = NULL;                                                           \
		(vec)->count = (vec)->capacity = 0;                                            \
	} while (0)

#endif
