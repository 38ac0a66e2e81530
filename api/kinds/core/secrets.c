/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: keys, size, and what each type must hold. Values are never shown. */
#include "machinery/kinds.h"

#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>

enum { DATA_MAX = 1024 * 1024 };

static void validate_data(struct validation *v, const struct value *data)
{
	const struct field_path *at = FIELD(NULL, "data");
	size_t total = 0;

	for
		each_member(data, i)
		{
			const struct value_member *member = &data->object.members[i];
			const struct value key = {.kind = VALUE_STRING,
						  .count = member->key_size,
						  .text = member->key};

			validate_text(v, FIELD_KEY(at, member->key), &key, names_config_key);
			if (member->value->kind == VALUE_STRING)
				total += (size_t)member->value->count / 4 * 3;
		}
	if (total > DATA_MAX)
		field_too_long(v, at, DATA_MAX);
}

static void need_key(struct validation *v, const struct value *data, const char *key)
{
	if (!value_get(data, key))
		field_required(v, FIELD_KEY(FIELD(NULL, "data"), key), "");
}

/* A file of registry credentials is at least JSON. */
static void need_json(struct validation *v, const struct value *data, const char *key)
{
	const struct value *packed = value_get(data, key);
	cox_autofree char *plain = NULL;
	cox_autoerror err = COX_ERROR_INIT;
	int64_t size;

	need_key(v, data, key);
	if (!value_is(packed, VALUE_STRING))
		return;
	plain = cox_alloc((size_t)packed->count + 1);
	size = cox_base64_decode(packed->text, packed->count, plain);
	if (size < 0 || !json_parse(v->arena, plain, (size_t)size, NULL, &err))
		field_invalid_text(v, FIELD_KEY(FIELD(NULL, "data"), key),
				   "<secret contents redacted>", "%s",
				   err.message ? err.message : "not base64");
}

static void validate_type(struct validation *v, const struct value *secret)
{
	const char *type = value_get_text(secret, "type");
	const struct value *data = value_get(secret, "data");
	const struct field_path *at = FIELD(FIELD(NULL, "metadata"), "annotations");
	static const char *const account = "kubernetes.io/service-account.name";

	if (strcmp(type, "kubernetes.io/service-account-token") == 0) {
		if (is_unset(value_get(value_path(secret, "metadata.annotations"), account)))
			field_required(v, FIELD_KEY(at, account), "");
	} else if (strcmp(type, "kubernetes.io/dockercfg") == 0) {
		need_json(v, data, ".dockercfg");
	} else if (strcmp(type, "kubernetes.io/dockerconfigjson") == 0) {
		need_json(v, data, ".dockerconfigjson");
	} else if (strcmp(type, "kubernetes.io/basic-auth") == 0) {
		if (!value_get(data, "password"))
			need_key(v, data, "username");
		if (!value_get(data, "username"))
			need_key(v, data, "password");
	} else if (strcmp(type, "kubernetes.io/ssh-auth") == 0) {
		need_key(v, data, "ssh-privatekey");
	} else if (strcmp(type, "kubernetes.io/tls") == 0) {
		need_key(v, data, "tls.crt");
		need_key(v, data, "tls.key");
	}
}

static void validate_secret(struct validation *v, const struct value *secret)
{
	validate_data(v, value_get(secret, "data"));
	validate_type(v, secret);
}

static void validate_secret_update(struct validation *v, const struct value *secret,
				   const struct value *old, const char *subresource)
{
	static const char *const fields[] = {"data", NULL};

	(void)subresource;
	validate_immutable_data(v, secret, old, fields);
}

const struct kind_rules rules_secrets = {"", "secrets", validate_secret, validate_secret_update};
