/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets of the type kubernetes.io/service-account-token: who makes one and
 * names an account in its annotation finds a token of that account in it, with
 * the CA and the namespace. The token has no end: it is good as long as the
 * secret and the account are there. Secrets of accounts that are gone go.
 */
#include "serviceaccount.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "kubernetes.io/service-account-token"
#define ACCOUNT_NAME "kubernetes.io/service-account.name"
#define ACCOUNT_UID "kubernetes.io/service-account.uid"
#define ISSUER "kubernetes/serviceaccount"
#define ISSUER_CLAIM(name) ISSUER "/" name
#define CA_MEMBER "ca.crt"

enum { WORKERS = 5 };

static const struct cox_resource accounts = {"", "v1", "serviceaccounts"};
static const struct cox_resource secrets = {"", "v1", "secrets"};

/* ---- secrets ---- */

static const char *annotation(const struct cox_objects *objects, const struct cox_object *secret,
			      const char *name)
{
	const struct cox_value *all = objects->get(objects->root(secret), "metadata.annotations");

	return objects->text(objects->member(all, name), "");
}

static bool is_for_tokens(const struct cox_objects *objects, const struct cox_object *secret)
{
	return !strcmp(objects->text(objects->root(secret), "type"), TYPE) &&
	       *annotation(objects, secret, ACCOUNT_NAME);
}

/* `*account`: as it is, a reference of the caller's; NULL: it is gone, or another one now. */
static int find_account(struct accounts *self, const struct cox_call *call,
			const struct cox_object *secret, struct cox_object **account,
			struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const char *name = annotation(objects, secret, ACCOUNT_NAME);
	const char *uid = annotation(objects, secret, ACCOUNT_UID);
	const struct cox_place place = {&accounts, objects->namespace_of(secret), name, NULL};

	*account = self->cluster->get(self->account_lister, place.namespace_name, name);
	if (*account && (!*uid || !strcmp(objects->uid(*account), uid)))
		return 0;
	/* Before a secret is deleted the server is asked. */
	objects->unref(*account);
	*account = NULL;
	if (cox_get(self->cluster, call, &place, account, err))
		return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
	if (*uid && strcmp(objects->uid(*account), uid) != 0) {
		objects->unref(*account);
		*account = NULL;
	}
	return 0;
}

/* Somebody changed it meanwhile, or deleted it: that comes here by itself. */
static int forgive(struct accounts *self, int failed, struct cox_error *err)
{
	return failed && !cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) &&
			       !cox_failed_so(self->cluster, COX_REASON_CONFLICT, err)
		       ? -1
		       : 0;
}

static int delete_secret(struct accounts *self, const struct cox_call *call,
			 const struct cox_object *secret, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_place place = {&secrets, objects->namespace_of(secret),
					objects->name(secret), NULL};
	const struct cox_delete how = {
		.uid = objects->uid(secret), .revision = objects->revision(secret), .grace = -1};

	self->host->log_verbose(self->host->context, 2,
				"deleting the token %s/%s of an account that is gone",
				place.namespace_name, place.name);
	return forgive(self, cox_delete(self->cluster, call, &place, &how, err), err);
}

/* ---- what is in them ---- */

static int make_token(struct accounts *self, const struct cox_object *secret,
		      const struct cox_object *account, struct cox_buf *token,
		      struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	cox_autobuf subject = COX_BUF_INIT;
	cox_autobuf claims = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&claims);

	cox_buf_printf(&subject, "system:serviceaccount:%s:%s", objects->namespace_of(account),
		       objects->name(account));
	cox_json_object(&json, NULL);
	cox_json_text(&json, "iss", ISSUER);
	cox_json_text(&json, ISSUER_CLAIM("namespace"), objects->namespace_of(account));
	cox_json_text(&json, ISSUER_CLAIM("secret.name"), objects->name(secret));
	cox_json_text(&json, ISSUER_CLAIM("service-account.name"), objects->name(account));
	cox_json_text(&json, ISSUER_CLAIM("service-account.uid"), objects->uid(account));
	cox_json_text(&json, "sub", subject.data);
	cox_json_end(&json);
	return signer_sign(self->signer, &claims, token, err);
}

static char *base64(const char *text, size_t size)
{
	char *encoded = cox_alloc(cox_base64_size(size));

	cox_base64_encode(text, size, encoded);
	return encoded;
}

/* Adds the member if the secret does not have it so; `anew`: whatever it has. */
static void put_member(const struct cox_objects *objects, const struct cox_value *data,
		       struct cox_json *json, const char *name, const struct cox_buf *text,
		       bool anew, bool *changed)
{
	const char *old = objects->text(objects->member(data, name), "");
	cox_autofree char *now = NULL;

	if (!text->size || (*old && !anew))
		return;
	now = base64(text->data, text->size);
	if (strcmp(old, now) != 0) {
		cox_json_text(json, name, now);
		*changed = true;
	}
	explicit_bzero(now, strlen(now));
}

static int write_secret(struct accounts *self, const struct cox_call *call,
			const struct cox_object *secret, const struct cox_buf *data,
			const struct cox_object *account, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_place place = {&secrets, objects->namespace_of(secret),
					objects->name(secret), NULL};
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	int failed;

	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "uid", objects->uid(secret));
	cox_json_text(&json, "resourceVersion", objects->revision(secret));
	cox_json_object(&json, "annotations");
	cox_json_text(&json, ACCOUNT_UID, objects->uid(account));
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_raw(&json, "data", data->data, data->size);
	cox_json_end(&json);
	failed = cox_write(self->cluster, call, COX_PATCH_MERGE, &place, &body, NULL, err);
	explicit_bzero(body.data, body.size);
	return forgive(self, failed, err);
}

static int fill_secret(struct accounts *self, const struct cox_call *call,
		       const struct cox_object *secret, const struct cox_object *account,
		       struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *has = objects->get(objects->root(secret), "data");
	bool changed = strcmp(annotation(objects, secret, ACCOUNT_UID), objects->uid(account)) != 0;
	cox_autobuf data = COX_BUF_INIT;
	cox_autobuf token = COX_BUF_INIT;
	cox_autobuf room = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&data);
	int failed = 0;

	if (!*objects->text(objects->member(has, "token"), "") &&
	    make_token(self, secret, account, &token, err))
		return -1;
	cox_buf_str(&room, objects->namespace_of(secret));
	cox_json_object(&json, NULL);
	put_member(objects, has, &json, "token", &token, false, &changed);
	pthread_mutex_lock(&self->mutex);
	put_member(objects, has, &json, CA_MEMBER, &self->ca, true, &changed);
	pthread_mutex_unlock(&self->mutex);
	put_member(objects, has, &json, "namespace", &room, false, &changed);
	cox_json_end(&json);
	if (changed)
		failed = write_secret(self, call, secret, &data, account, err);
	explicit_bzero(data.data, data.size);
	if (token.size)
		explicit_bzero(token.data, token.size);
	return failed;
}

int tokens_reconcile(struct accounts *self, const struct cox_call *call, const char *key,
		     struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	cox_autokey place = cox_key_split(key);
	struct cox_object *secret =
		self->cluster->get(self->secret_lister, place.namespace_name, place.name);
	struct cox_object *account = NULL;
	int failed = 0;

	if (secret && !cox_deleting(objects, secret) && is_for_tokens(objects, secret)) {
		failed = find_account(self, call, secret, &account, err);
		if (!failed)
			failed = account ? fill_secret(self, call, secret, account, err)
					 : delete_secret(self, call, secret, err);
	}
	objects->unref(account);
	objects->unref(secret);
	return failed;
}

/* ---- sources ---- */

static int enqueue_secret(void *to, const struct cox_object *secret)
{
	struct accounts *self = to;
	cox_autobuf key = COX_BUF_INIT;

	cox_buf_printf(&key, "%s/%s", self->objects->namespace_of(secret),
		       self->objects->name(secret));
	self->setup->enqueue(self->setup->builder, TOKEN_QUEUE, key.data, 0);
	return 0;
}

void tokens_enqueue(struct accounts *self, const char *namespace_name, const char *account)
{
	const struct cox_object_sink sink = {enqueue_secret, self};
	cox_autobuf value = COX_BUF_INIT;

	if (!self->secret_lister)
		return;
	if (!account) {
		self->cluster->list(self->secret_lister, NULL, &sink);
		return;
	}
	cox_buf_printf(&value, "%s/%s", namespace_name, account);
	self->cluster->find(self->secret_lister, "account", value.data, &sink);
}

static void secret_account(const struct cox_objects *objects, const struct cox_object *secret,
			   const struct cox_keys *values)
{
	cox_autobuf value = COX_BUF_INIT;

	if (!is_for_tokens(objects, secret))
		return;
	cox_buf_printf(&value, "%s/%s", objects->namespace_of(secret),
		       annotation(objects, secret, ACCOUNT_NAME));
	values->emit(values, value.data);
}

int tokens_setup(struct accounts *self, const struct cox_controller_setup *setup,
		 struct cox_error *err)
{
	static const struct cox_index indexes[] = {{"account", secret_account}, {NULL, NULL}};
	const struct cox_source source = {.struct_size = sizeof(source),
					  .resource = &secrets,
					  .field_selector = "type=" TYPE,
					  .indexes = indexes,
					  .queue = TOKEN_QUEUE};

	if (setup->queue(setup->builder, TOKEN_QUEUE, WORKERS, err))
		return -1;
	self->secret_lister = setup->source(setup->builder, &source, err);
	return self->secret_lister ? 0 : -1;
}
