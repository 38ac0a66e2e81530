/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every active namespace has for its pods to speak to the API server: the
 * service account "default", and the ConfigMap "kube-root-ca.crt" with the CA
 * that the server's certificate is checked against. Both come back when
 * somebody deletes them, the CA also when somebody changes it or when its
 * file changes. Secrets that ask for a token are the matter of tokens.c.
 *
 * Lock: mutex over `ca`, which the key CA_KEY replaces.
 */
#include "serviceaccount.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE "namespaces"
#define ACCOUNT "default"
#define CA_MAP "kube-root-ca.crt"
#define CA_MEMBER "ca.crt"
#define CA_KEY "/ca" /* no namespace is called so: look at the file again */
#define CA_PERIOD (60 * UINT64_C(1000000000))

enum { WORKERS = 5, CA_MAX = 1 << 20 };

static const struct cox_resource namespaces = {"", "v1", "namespaces"};
static const struct cox_resource accounts = {"", "v1", "serviceaccounts"};
static const struct cox_resource maps = {"", "v1", "configmaps"};

/* ---- the CA ---- */

/* Sets `*changed` if the file has something else than before. */
static int load_ca(struct accounts *self, bool *changed, struct cox_error *err)
{
	cox_autobuf text = COX_BUF_INIT;

	if (read_file(self->ca_file, CA_MAX, &text))
		return self->host->fail(err, COX_REASON_INVALID, "root CA: %s: %s", self->ca_file,
					strerror(errno));
	if (!strstr(cox_buf_cstr(&text), "-----BEGIN CERTIFICATE-----"))
		return self->host->fail(err, COX_REASON_INVALID,
					"root CA: %s: no certificate in PEM form", self->ca_file);
	cox_lock_scope(&self->mutex);
	*changed = strcmp(cox_buf_cstr(&self->ca), text.data) != 0;
	cox_buf_clear(&self->ca);
	cox_buf_add(&self->ca, text.data, text.size);
	return 0;
}

static int enqueue_namespace(void *to, const struct cox_object *room)
{
	struct accounts *self = to;

	self->setup->enqueue(self->setup->builder, QUEUE, self->objects->name(room), 0);
	return 0;
}

static int reload_ca(struct accounts *self, struct cox_error *err)
{
	const struct cox_object_sink sink = {enqueue_namespace, self};
	bool changed = false;

	if (load_ca(self, &changed, err))
		return -1;
	if (changed) {
		self->cluster->list(self->namespace_lister, NULL, &sink);
		tokens_enqueue(self, NULL, NULL);
	}
	return 0;
}

/* ---- what a namespace has ---- */

/* A creation that came too late, or too early, is settled by the next event. */
static int create(struct accounts *self, const struct cox_call *call,
		  const struct cox_resource *resource, const char *room, const struct cox_buf *body,
		  struct cox_error *err)
{
	const struct cox_place place = {resource, room, NULL, NULL};

	if (!cox_write(self->cluster, call, COX_CREATE, &place, body, NULL, err) ||
	    cox_failed_so(self->cluster, COX_REASON_ALREADY_EXISTS, err) ||
	    cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err))
		return 0;
	return -1;
}

static int ensure_account(struct accounts *self, const struct cox_call *call, const char *room,
			  struct cox_error *err)
{
	struct cox_object *found = self->cluster->get(self->account_lister, room, ACCOUNT);
	cox_autobuf body = COX_BUF_INIT;

	self->objects->unref(found);
	if (found)
		return 0;
	cox_buf_printf(&body,
		       "{\"kind\":\"ServiceAccount\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		       "\"%s\",\"namespace\":\"%s\"}}",
		       ACCOUNT, room);
	return create(self, call, &accounts, room, &body, err);
}

static void write_map(struct accounts *self, const char *room, const struct cox_object *found,
		      struct cox_buf *body)
{
	struct cox_json json = COX_JSON_INIT(body);

	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "ConfigMap");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "name", CA_MAP);
	cox_json_text(&json, "namespace", room);
	cox_json_text_set(&json, "uid", found ? self->objects->uid(found) : NULL);
	cox_json_object(&json, "annotations");
	cox_json_text(&json, "kubernetes.io/description",
		      "The CA that the API server's certificate is checked against by clients "
		      "inside the cluster");
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_object(&json, "data");
	pthread_mutex_lock(&self->mutex);
	cox_json_text(&json, CA_MEMBER, cox_buf_cstr(&self->ca));
	pthread_mutex_unlock(&self->mutex);
	cox_json_end(&json);
	cox_json_end(&json);
}

/* The map holds the CA and nothing else. */
static bool map_is_right(struct accounts *self, const struct cox_object *map)
{
	const struct cox_value *data = self->objects->get(self->objects->root(map), "data");
	const struct cox_value *ca = self->objects->member(data, CA_MEMBER);

	cox_lock_scope(&self->mutex);
	return ca && self->objects->count(data) == 1 &&
	       !strcmp(self->objects->text(ca, ""), cox_buf_cstr(&self->ca));
}

static int ensure_map(struct accounts *self, const struct cox_call *call, const char *room,
		      struct cox_error *err)
{
	const struct cox_place place = {&maps, room, CA_MAP, NULL};
	struct cox_object *found = self->cluster->get(self->map_lister, room, CA_MAP);
	cox_autobuf body = COX_BUF_INIT;
	int failed = 0;

	if (!found || !map_is_right(self, found)) {
		write_map(self, room, found, &body);
		failed =
			found ? cox_write(self->cluster, call, COX_UPDATE, &place, &body, NULL, err)
			      : create(self, call, &maps, room, &body, err);
	}
	self->objects->unref(found);
	return failed;
}

static int accounts_reconcile(void *instance, const struct cox_call *call, const char *queue,
			      const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct accounts *self = instance;
	struct cox_object *room;
	const char *phase;
	int failed = 0;

	(void)again_ns;
	if (!strcmp(queue, TOKEN_QUEUE))
		return tokens_reconcile(self, call, key, err);
	if (!strcmp(key, CA_KEY))
		return reload_ca(self, err);
	room = self->cluster->get(self->namespace_lister, NULL, key);
	phase = room ? self->objects->text(self->objects->root(room), "status.phase") : "";
	if (room && !cox_deleting(self->objects, room) && strcmp(phase, "Terminating") != 0)
		failed = ensure_account(self, call, key, err) || ensure_map(self, call, key, err);
	self->objects->unref(room);
	return failed ? -1 : 0;
}

/* ---- the plugin ---- */

/* An account or a map of ours: its namespace is looked at. */
static void content_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
			 const struct cox_keys *keys)
{
	const struct accounts *self = instance;
	const char *name = self->objects->name(now ? now : old);

	if (!strcmp(name, ACCOUNT) || !strcmp(name, CA_MAP))
		keys->emit(keys, self->objects->namespace_of(now ? now : old));
}

/* With tokens every account counts. */
static void account_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
			 const struct cox_keys *keys)
{
	struct accounts *self = instance;
	const struct cox_object *account = now ? now : old;

	content_keys(instance, old, now, keys);
	tokens_enqueue(self, self->objects->namespace_of(account), self->objects->name(account));
}

static struct cox_lister *open_content(const struct cox_controller_setup *setup,
				       const struct cox_resource *resource, const char *selector,
				       void (*keys)(void *instance, const struct cox_object *old,
						    const struct cox_object *now,
						    const struct cox_keys *keys),
				       struct cox_error *err)
{
	const struct cox_source source = {.struct_size = sizeof(source),
					  .resource = resource,
					  .field_selector = selector,
					  .queue = QUEUE,
					  .keys = keys};

	return setup->source(setup->builder, &source, err);
}

static int accounts_setup(void *instance, const struct cox_controller_setup *setup,
			  struct cox_error *err)
{
	struct accounts *self = instance;
	const struct cox_source source = {
		.struct_size = sizeof(source), .resource = &namespaces, .queue = QUEUE};

	self->setup = setup;
	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	if (setup->queue(setup->builder, QUEUE, WORKERS, err) ||
	    (self->ca_file && setup->every(setup->builder, QUEUE, CA_KEY, CA_PERIOD, err)))
		return -1;
	self->namespace_lister = setup->source(setup->builder, &source, err);
	if (!self->namespace_lister)
		return -1;
	if (self->signer && tokens_setup(self, setup, err))
		return -1;
	self->account_lister = self->signer
				       ? open_content(setup, &accounts, NULL, account_keys, err)
				       : open_content(setup, &accounts, "metadata.name=" ACCOUNT,
						      content_keys, err);
	if (!self->account_lister)
		return -1;
	self->map_lister = open_content(setup, &maps, "metadata.name=" CA_MAP, content_keys, err);
	return self->map_lister ? 0 : -1;
}

static void *accounts_create(const struct cox_host *host, struct cox_error *err)
{
	struct accounts *self = cox_new(struct accounts);

	(void)err;
	self->host = host;
	pthread_mutex_init(&self->mutex, NULL);
	return self;
}

static int accounts_config(void *instance, const char *key, const char *value,
			   struct cox_error *err)
{
	struct accounts *self = instance;
	char **to = strcmp(key, "root-ca-file") ? &self->key_file : &self->ca_file;

	(void)err;
	free(*to);
	*to = *value ? cox_strdup(value) : NULL;
	return 0;
}

static int accounts_ready(void *instance, struct cox_error *err)
{
	struct accounts *self = instance;
	bool changed;

	if (self->key_file) {
		self->signer = signer_load(self->host, self->key_file, err);
		if (!self->signer)
			return -1;
	}
	if (self->ca_file)
		return load_ca(self, &changed, err);
	self->host->log(self->host->context, COX_LOG_WARNING,
			"no root CA is given (--root-ca-file): pods cannot check the API "
			"server's certificate");
	return 0;
}

static void accounts_destroy(void *instance)
{
	struct accounts *self = instance;

	pthread_mutex_destroy(&self->mutex);
	cox_buf_free(&self->ca);
	free(self->ca_file);
	free(self->key_file);
	signer_free(self->signer);
	free(self);
}

static const struct cox_option accounts_options[] = {
	{"root-ca-file", NULL, "file with the CA of the API server's certificate", COX_OPT_PATH, 0},
	{"private-key-file", NULL, "file with the key that signs the tokens of secrets",
	 COX_OPT_PATH, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops accounts_ops = {
	.setup = accounts_setup,
	.reconcile = accounts_reconcile,
};

COX_CONTROLLER_PLUGIN(accounts_ops, .name = "serviceaccount", .version = "1",
		      .description = "Gives namespaces their default account and the CA",
		      .thread_model = COX_THREADS_PARALLEL, .options = accounts_options,
		      .create = accounts_create, .config = accounts_config,
		      .get_ready = accounts_ready, .destroy = accounts_destroy);
