/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the token of a service account claims. There are two kinds: bound ones,
 * which end by themselves and may be bound to a pod, secret or node, and those
 * of the first releases, which live as long as the secret that holds them.
 */
#ifndef COX_SERVICEACCOUNT_CLAIMS_H
#define COX_SERVICEACCOUNT_CLAIMS_H

#include <coxswain/kit/buf.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#define CLAIMS_OLD_ISSUER "kubernetes/serviceaccount"

enum { CLAIMS_AUDIENCES_MAX = 32, CLAIMS_LEEWAY_SECONDS = 10 };

/* An object by name and uid; "" where not said. */
struct claims_object {
	const char *name, *uid;
};

/* Texts are never NULL and borrowed from the token; times are seconds, -1: not said. */
struct claims {
	const char *issuer, *subject, *id;
	const char *audiences[CLAIMS_AUDIENCES_MAX];
	size_t audience_count;
	int64_t expires, not_before, issued;
	const char *namespace_name;
	struct claims_object account, pod, secret, node;
	bool old; /* of the first releases */
};

/* Who issued a token that nobody has checked yet: "" if it does not say. */
const char *claims_issuer(struct json_object *token);
/* 0, or -1: `why` says which claim is missing or of a wrong type. */
int claims_read(struct claims *claims, struct json_object *token, struct cox_buf *why)
	__attribute__((warn_unused_result));
/* Whether the parts fit each other and the time is right: 0 or -1. */
int claims_check(const struct claims *claims, int64_t now, struct cox_buf *why)
	__attribute__((warn_unused_result));

#endif
