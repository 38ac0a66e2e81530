/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the reader of service account tokens, once with the bytes as a whole
 * token and once with them as the claims of one, so that both the form and the
 * meaning are reached. What passes the checks must be fit for a user name.
 */
#include "claims.h"
#include "jwt.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_claims(struct json_object *token)
{
	cox_autobuf why = COX_BUF_INIT;
	struct claims claims;

	(void)claims_issuer(token);
	if (claims_read(&claims, token, &why) != 0 || claims_check(&claims, 1000000, &why) != 0) {
		if (!why.size)
			abort();
		return;
	}
	if (why.size || !*claims.account.name || strpbrk(claims.account.name, "/:% ") ||
	    strpbrk(claims.namespace_name, "/.:% ") || strpbrk(claims.pod.name, "/:% ") ||
	    !cox_starts_with(claims.subject, "system:serviceaccount:"))
		abort();
}

static void check_token(const char *token)
{
	struct jwt jwt;

	if (jwt_parse(&jwt, token) == 0)
		check_claims(jwt.claims);
	jwt_free(&jwt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char header[] = "eyJhbGciOiJFUzI1NiJ9."; /* {"alg":"ES256"} */
	cox_autofree char *whole = cox_strndup((const char *)data, size);
	cox_autobuf made = COX_BUF_INIT;
	char *room;

	check_token(whole);
	if (size > JWT_SIZE_MAX)
		return 0;
	cox_buf_str(&made, header);
	room = cox_buf_reserve(&made, cox_base64_size(size));
	cox_base64url_encode(data, size, room);
	cox_buf_added(&made, strlen(room));
	cox_buf_str(&made, ".AA");
	check_token(made.data);
	return 0;
}
