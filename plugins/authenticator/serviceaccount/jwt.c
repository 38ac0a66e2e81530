/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens taken apart; see the header. */
#include "jwt.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <stdbool.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

void jwt_free(struct jwt *jwt)
{
	json_object_put(jwt->claims);
	jwt->claims = NULL;
}

/* A JSON object from base64url, or NULL. */
static struct json_object *read_object(const char *text, size_t size)
{
	cox_autofree char *json = cox_alloc(size + 1);
	int64_t decoded = cox_base64url_decode(text, size, json);
	struct json_tokener *tokener;
	struct json_object *object;
	bool valid;

	if (decoded <= 0)
		return NULL;
	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, json, (int)decoded);
	valid = json_tokener_get_error(tokener) == json_tokener_success &&
		json_tokener_get_parse_end(tokener) == (size_t)decoded &&
		json_object_is_type(object, json_type_object);
	json_tokener_free(tokener);
	if (valid)
		return object;
	json_object_put(object);
	return NULL;
}

static int read_header(struct jwt *jwt, const char *text, size_t size)
{
	struct json_object *header = size <= JWT_HEADER_MAX ? read_object(text, size) : NULL;
	struct json_object *algorithm = NULL;
	int result = -1;

	/* RFC 7515, 4.1.11: what is critical and not understood refuses the token. */
	if (header && !json_object_object_get_ex(header, "crit", NULL) &&
	    json_object_object_get_ex(header, "alg", &algorithm) &&
	    json_object_is_type(algorithm, json_type_string) &&
	    json_object_get_string_len(algorithm) < JWT_ALGORITHM_SIZE) {
		memcpy(jwt->algorithm, json_object_get_string(algorithm),
		       (size_t)json_object_get_string_len(algorithm) + 1);
		result = 0;
	}
	json_object_put(header);
	return result;
}

int jwt_parse(struct jwt *jwt, const char *token)
{
	size_t size = strnlen(token, JWT_SIZE_MAX + 1);
	const char *first = memchr(token, '.', size), *second;
	char signature[JWT_SIGNATURE_MAX + 4];
	size_t signature_text;
	int64_t decoded;

	jwt->claims = NULL;
	if (size > JWT_SIZE_MAX || !first)
		return -1;
	second = memchr(first + 1, '.', size - (size_t)(first + 1 - token));
	if (!second)
		return -1;
	signature_text = size - (size_t)(second + 1 - token);
	if (signature_text == 0 || signature_text / 4 * 3 > JWT_SIGNATURE_MAX - 3)
		return -1;
	decoded = cox_base64url_decode(second + 1, signature_text, signature);
	if (decoded <= 0)
		return -1;
	memcpy(jwt->signature, signature, (size_t)decoded);
	jwt->signature_size = (size_t)decoded;
	jwt->signed_text = token;
	jwt->signed_size = (size_t)(second - token);
	if (read_header(jwt, token, (size_t)(first - token)) != 0)
		return -1;
	jwt->claims = read_object(first + 1, (size_t)(second - first - 1));
	return jwt->claims ? 0 : -1;
}
