/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of service account tokens; see the header. */
#include "claims.h"

#include <string.h>

enum { NAME_MAX_SIZE = 253 };

static const int64_t time_most = INT64_C(1) << 40; /* seconds: some 30,000 years */

const char *claims_issuer(struct json_object *token)
{
	struct json_object *issuer = NULL;

	if (!json_object_object_get_ex(token, "iss", &issuer) ||
	    !json_object_is_type(issuer, json_type_string))
		return "";
	return json_object_get_string(issuer);
}

static int wrong(struct cox_buf *why, const char *claim, const char *text)
{
	cox_buf_printf(why, "the claim %s %s", claim, text);
	return -1;
}

static int read_string(struct json_object *value, const char *claim, const char **text,
		       struct cox_buf *why)
{
	if (!json_object_is_type(value, json_type_string))
		return wrong(why, claim, "is not a text");
	*text = json_object_get_string(value);
	if (strlen(*text) != (size_t)json_object_get_string_len(value))
		return wrong(why, claim, "has a zero byte");
	return 0;
}

static int read_text(struct json_object *from, const char *claim, const char **text,
		     struct cox_buf *why)
{
	struct json_object *value = NULL;

	*text = "";
	if (!json_object_object_get_ex(from, claim, &value))
		return 0;
	return read_string(value, claim, text, why);
}

/* RFC 7519: a number, perhaps with a fraction. */
static int read_time(struct json_object *from, const char *claim, int64_t *seconds,
		     struct cox_buf *why)
{
	struct json_object *value = NULL;
	double number;

	*seconds = -1;
	if (!json_object_object_get_ex(from, claim, &value))
		return 0;
	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double))
		return wrong(why, claim, "is not a time");
	number = json_object_get_double(value);
	if (!(number >= 0) || number > (double)time_most)
		return wrong(why, claim, "is not a time");
	*seconds = (int64_t)number;
	return 0;
}

static int read_audiences(struct claims *claims, struct json_object *token, struct cox_buf *why)
{
	struct json_object *value = NULL;
	size_t count;

	if (!json_object_object_get_ex(token, "aud", &value))
		return 0;
	if (!json_object_is_type(value, json_type_array)) {
		claims->audience_count = 1;
		return read_string(value, "aud", &claims->audiences[0], why);
	}
	count = json_object_array_length(value);
	if (count > CLAIMS_AUDIENCES_MAX)
		return wrong(why, "aud", "has too many items");
	for (size_t i = 0; i < count; i++)
		if (read_string(json_object_array_get_idx(value, i), "aud", &claims->audiences[i],
				why) != 0)
			return -1;
	claims->audience_count = count;
	return 0;
}

static int read_reference(struct json_object *from, const char *claim, struct claims_object *object,
			  struct cox_buf *why)
{
	struct json_object *value = NULL;

	*object = (struct claims_object){"", ""};
	if (!json_object_object_get_ex(from, claim, &value))
		return 0;
	if (!json_object_is_type(value, json_type_object))
		return wrong(why, claim, "is not an object");
	if (read_text(value, "name", &object->name, why) != 0 ||
	    read_text(value, "uid", &object->uid, why) != 0)
		return -1;
	return *object->name && *object->uid ? 0 : wrong(why, claim, "lacks a name or a uid");
}

static int read_bound(struct claims *claims, struct json_object *token, struct cox_buf *why)
{
	struct json_object *own = NULL;

	if (!json_object_object_get_ex(token, "kubernetes.io", &own) ||
	    !json_object_is_type(own, json_type_object))
		return wrong(why, "kubernetes.io", "is missing");
	if (read_text(own, "namespace", &claims->namespace_name, why) != 0 ||
	    read_reference(own, "serviceaccount", &claims->account, why) != 0 ||
	    read_reference(own, "pod", &claims->pod, why) != 0 ||
	    read_reference(own, "secret", &claims->secret, why) != 0)
		return -1;
	return read_reference(own, "node", &claims->node, why);
}

static int read_old(struct claims *claims, struct json_object *token, struct cox_buf *why)
{
	claims->old = true;
	claims->pod = claims->node = (struct claims_object){"", ""};
	claims->secret.uid = "";
	if (read_text(token, CLAIMS_OLD_ISSUER "/namespace", &claims->namespace_name, why) != 0 ||
	    read_text(token, CLAIMS_OLD_ISSUER "/secret.name", &claims->secret.name, why) != 0 ||
	    read_text(token, CLAIMS_OLD_ISSUER "/service-account.name", &claims->account.name,
		      why) != 0 ||
	    read_text(token, CLAIMS_OLD_ISSUER "/service-account.uid", &claims->account.uid, why) !=
		    0)
		return -1;
	if (!*claims->secret.name)
		return wrong(why, CLAIMS_OLD_ISSUER "/secret.name", "is missing");
	return 0;
}

int claims_read(struct claims *claims, struct json_object *token, struct cox_buf *why)
{
	*claims = (struct claims){.old = false};
	if (read_text(token, "iss", &claims->issuer, why) != 0 ||
	    read_text(token, "sub", &claims->subject, why) != 0 ||
	    read_text(token, "jti", &claims->id, why) != 0 ||
	    read_time(token, "exp", &claims->expires, why) != 0 ||
	    read_time(token, "nbf", &claims->not_before, why) != 0 ||
	    read_time(token, "iat", &claims->issued, why) != 0 ||
	    read_audiences(claims, token, why) != 0)
		return -1;
	if (strcmp(claims->issuer, CLAIMS_OLD_ISSUER) == 0 &&
	    !json_object_object_get_ex(token, "kubernetes.io", NULL))
		return read_old(claims, token, why);
	return read_bound(claims, token, why);
}

/* A name as objects have it: it becomes part of a path and of a user name. */
static bool is_name(const char *text, bool dots)
{
	size_t size = strlen(text);

	if (size == 0 || size > NAME_MAX_SIZE)
		return false;
	for (size_t i = 0; i < size; i++) {
		bool inner = i > 0 && i < size - 1;

		if ((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9'))
			continue;
		if (!inner || (text[i] != '-' && !(dots && text[i] == '.')))
			return false;
	}
	return true;
}

static int check_names(const struct claims *claims, struct cox_buf *why)
{
	const struct claims_object *const objects[] = {&claims->pod, &claims->secret,
						       &claims->node};
	cox_autobuf subject = COX_BUF_INIT;

	if (!is_name(claims->namespace_name, false))
		return wrong(why, "namespace", "is not the name of a namespace");
	if (!is_name(claims->account.name, true))
		return wrong(why, "serviceaccount", "is not the name of an account");
	if (!*claims->account.uid)
		return wrong(why, "serviceaccount", "lacks a uid");
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (*objects[i]->name && !is_name(objects[i]->name, true)) {
			cox_buf_printf(why, "\"%.64s\" is not the name of an object",
				       objects[i]->name);
			return -1;
		}
	cox_buf_printf(&subject, "system:serviceaccount:%s:%s", claims->namespace_name,
		       claims->account.name);
	if (strcmp(subject.data, claims->subject) != 0)
		return wrong(why, "sub", "names another account than the token is for");
	return 0;
}

int claims_check(const struct claims *claims, int64_t now, struct cox_buf *why)
{
	if (claims->expires < 0 && !claims->old)
		return wrong(why, "exp", "is missing");
	if (claims->expires >= 0 && now >= claims->expires + CLAIMS_LEEWAY_SECONDS) {
		cox_buf_str(why, "the token has expired");
		return -1;
	}
	if (claims->not_before > now + CLAIMS_LEEWAY_SECONDS ||
	    claims->issued > now + CLAIMS_LEEWAY_SECONDS) {
		cox_buf_str(why, "the token is not valid yet");
		return -1;
	}
	return check_names(claims, why);
}
