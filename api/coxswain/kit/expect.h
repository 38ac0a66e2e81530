/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a controller has done and not yet seen in its listers. A controller that
 * creates three pods and looks again at once sees none of them and would create
 * three more; so it notes here what it does, its source tells what it sees, and
 * it changes nothing about a key until the two are even. What never shows up
 * is forgotten after five minutes. Any thread.
 */
#ifndef COXSWAIN_KIT_EXPECT_H
#define COXSWAIN_KIT_EXPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cox_expect;

struct cox_expect *cox_expect_new(uint64_t (*monotonic_ns)(void));
void cox_expect_free(struct cox_expect *expect);

/* Before doing: `count` creations, or the deletion of the objects with these uids. */
void cox_expect_creations(struct cox_expect *expect, const char *key, size_t count);
void cox_expect_deletions(struct cox_expect *expect, const char *key, const char *const *uids,
			  size_t count);
/* Seen, or failed and so never to be seen. */
void cox_expect_created(struct cox_expect *expect, const char *key);
void cox_expect_deleted(struct cox_expect *expect, const char *key, const char *uid);

bool cox_expect_met(struct cox_expect *expect, const char *key);
/* The key is gone. */
void cox_expect_forget(struct cox_expect *expect, const char *key);

#endif
