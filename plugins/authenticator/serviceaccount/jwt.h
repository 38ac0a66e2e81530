/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a JSON web token (RFC 7519, compact form) apart. Nothing that it says
 * is to be believed before its signature was checked.
 */
#ifndef COX_SERVICEACCOUNT_JWT_H
#define COX_SERVICEACCOUNT_JWT_H

#include <json-c/json.h>
#include <stddef.h>

enum {
	JWT_SIZE_MAX = 64 * 1024, /* longer tokens are not looked at */
	JWT_HEADER_MAX = 4096,
	JWT_SIGNATURE_MAX = 2048,
	JWT_ALGORITHM_SIZE = 16
};

struct jwt {
	struct json_object *claims;
	const char *signed_text; /* header.claims, borrowed from the token */
	size_t signed_size;
	unsigned char signature[JWT_SIGNATURE_MAX];
	size_t signature_size;
	char algorithm[JWT_ALGORITHM_SIZE];
};

/* 0; -1: not a token of this form. Free it in both cases. */
int jwt_parse(struct jwt *jwt, const char *token) __attribute__((warn_unused_result));
void jwt_free(struct jwt *jwt);

#endif
