/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets, config maps and the downward API as files. */
#include "common.h"

#include <coxswain/kit/json.h>
#include <coxswain/kit/text.h>
#include <string.h>

/* 1: it is missing and may be. */
static int fetch(struct volume_pass *pass, const char *resource, const char *kind, const char *name,
		 bool optional, struct cox_object **object, struct cox_error *err)
{
	const struct cox_cluster *cluster = pass->volume->cluster;
	const struct cox_objects *objects = pass->volume->objects;
	const struct cox_resource what = {"", "v1", resource};
	const struct cox_request request = {.struct_size = sizeof(request),
					    .verb = COX_GET,
					    .resource = &what,
					    .namespace_name =
						    objects->namespace_of(pass->volume->pod),
					    .name = name};
	struct cox_error *why = cluster->error_new();
	int failed = cluster->request(cluster->context, pass->call, &request, object, why);
	bool missing = failed && cluster->reason(why) == COX_REASON_NOT_FOUND;

	if (missing && optional)
		failed = 1;
	else if (missing)
		failed = pass->host->fail(err, COX_REASON_NOT_FOUND, "%s \"%s\" not found", kind,
					  name);
	else if (failed)
		failed = pass->host->fail(err, cluster->reason(why), "%s \"%s\": %s", kind, name,
					  cluster->message(why));
	cluster->error_free(why);
	return failed;
}

static int add_value(struct volume_pass *pass, const char *path, const char *text, size_t size,
		     bool encoded, int64_t mode, struct cox_error *err)
{
	cox_autofree char *plain = NULL;
	int64_t bytes;
	int failed;

	if (!encoded)
		return volume_add(pass, path, text, size, mode, err);
	plain = cox_alloc(size + 1);
	bytes = cox_base64_decode(text, size, plain);
	if (bytes < 0)
		return pass->host->fail(err, COX_REASON_INVALID, "\"%s\" is not base64", path);
	failed = volume_add(pass, path, plain, (size_t)bytes, mode, err);
	explicit_bzero(plain, size + 1);
	return failed;
}

/* `data` holds values as they are, or base64 if `encoded`. */
static const struct cox_value *find(const struct cox_objects *objects,
				    const struct cox_object *object, const char *key, bool secret,
				    bool *encoded)
{
	const struct cox_value *root = objects->root(object);
	const struct cox_value *found = objects->member(objects->get(root, "data"), key);

	*encoded = secret;
	if (found || secret)
		return found;
	*encoded = true;
	return objects->member(objects->get(root, "binaryData"), key);
}

static int add_items(struct volume_pass *pass, const struct cox_value *items,
		     const struct cox_object *object, bool secret, bool optional, int64_t mode,
		     struct cox_error *err)
{
	const struct cox_objects *objects = pass->volume->objects;
	const struct cox_value *item;

	for (size_t i = 0; (item = objects->at(items, i, NULL)); i++) {
		const char *key = objects->text(item, "key");
		bool encoded;
		const struct cox_value *value = find(objects, object, key, secret, &encoded);
		const char *text = objects->text(value, "");

		if (!value && optional)
			continue;
		if (!value)
			return pass->host->fail(err, COX_REASON_NOT_FOUND,
						"references non-existent %s key: %s",
						secret ? "secret" : "config", key);
		if (add_value(pass, objects->text(item, "path"), text, strlen(text), encoded,
			      objects->integer(item, "mode", mode), err))
			return -1;
	}
	return 0;
}

static int add_all(struct volume_pass *pass, const struct cox_value *map, bool encoded,
		   int64_t mode, struct cox_error *err)
{
	const struct cox_objects *objects = pass->volume->objects;
	const struct cox_value *value;
	const char *key;

	for (size_t i = 0; (value = objects->at(map, i, &key)); i++) {
		const char *text = objects->text(value, "");

		if (add_value(pass, key, text, strlen(text), encoded, mode, err))
			return -1;
	}
	return 0;
}

int volume_add_secret(struct volume_pass *pass, const struct cox_value *source, const char *name,
		      int64_t mode, struct cox_error *err)
{
	const struct cox_objects *objects = pass->volume->objects;
	const struct cox_value *items = objects->get(source, "items");
	bool optional = objects->boolean(source, "optional");
	struct cox_object *object = NULL;
	int failed = fetch(pass, "secrets", "secret", name, optional, &object, err);

	if (failed)
		return failed < 0 ? -1 : 0;
	if (objects->count(items))
		failed = add_items(pass, items, object, true, optional, mode, err);
	else
		failed =
			add_all(pass, objects->get(objects->root(object), "data"), true, mode, err);
	objects->unref(object);
	return failed;
}

int volume_add_config_map(struct volume_pass *pass, const struct cox_value *source, int64_t mode,
			  struct cox_error *err)
{
	const struct cox_objects *objects = pass->volume->objects;
	const struct cox_value *items = objects->get(source, "items"), *root;
	bool optional = objects->boolean(source, "optional");
	struct cox_object *object = NULL;
	int failed = fetch(pass, "configmaps", "configmap", objects->text(source, "name"), optional,
			   &object, err);

	if (failed)
		return failed < 0 ? -1 : 0;
	root = objects->root(object);
	if (objects->count(items))
		failed = add_items(pass, items, object, false, optional, mode, err);
	else if (!(failed = add_all(pass, objects->get(root, "data"), false, mode, err)))
		failed = add_all(pass, objects->get(root, "binaryData"), true, mode, err);
	objects->unref(object);
	return failed;
}

int volume_add_downward(struct volume_pass *pass, const struct cox_value *source, int64_t mode,
			struct cox_error *err)
{
	const struct cox_objects *objects = pass->volume->objects;
	const struct cox_value *items = objects->get(source, "items"), *item;

	for (size_t i = 0; (item = objects->at(items, i, NULL)); i++) {
		cox_autobuf text = COX_BUF_INIT;
		const struct cox_writer writer = {cox_buf_sink, &text};

		if (pass->volume->field(pass->volume->context, item, &writer, err) ||
		    volume_add(pass, objects->text(item, "path"), cox_buf_cstr(&text), text.size,
			       objects->integer(item, "mode", mode), err))
			return -1;
	}
	return 0;
}
