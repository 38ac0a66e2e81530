/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token's volume: a token of an hour that the kubelet renews, the cluster's
 * CA and the name of the namespace, where programs in pods look for them.
 */
#include "serviceaccount.h"

#include <coxswain/kit/json.h>
#include <coxswain/kit/text.h>
#include <stdio.h>
#include <string.h>

#define VOLUME_PREFIX "kube-api-access-"

enum {
	/* An hour and a little: marks tokens that were asked for by this plugin. */
	TOKEN_SECONDS = 3607,
	FILE_MODE = 0644,
	SUFFIX_SIZE = 5
};

bool wants_token(const struct accounts *self, const struct cox_value *pod,
		 const struct cox_value *account)
{
	const struct cox_value *said = self->objects->get(pod, "spec.automountServiceAccountToken");

	if (self->objects->kind(said) != COX_VALUE_BOOL)
		said = self->objects->get(account, "automountServiceAccountToken");
	return self->objects->kind(said) != COX_VALUE_BOOL || self->objects->boolean(said, "");
}

/* Ephemeral containers come later and bring their own mounts. */
static const struct cox_value *containers(const struct accounts *self, const struct cox_value *pod,
					  size_t kind)
{
	return self->objects->member(self->objects->get(pod, "spec"), container_kinds[kind].member);
}

static bool has_mount(const struct cox_objects *objects, const struct cox_value *container)
{
	const struct cox_value *mounts = objects->get(container, "volumeMounts"), *mount;

	for (size_t i = 0; (mount = objects->at(mounts, i, NULL)); i++)
		if (strcmp(objects->text(mount, "mountPath"), TOKEN_MOUNT_PATH) == 0)
			return true;
	return false;
}

bool lacks_token_mount(const struct accounts *self, const struct cox_value *pod)
{
	const struct cox_value *container;

	for (size_t k = 0; k < CONTAINER_KINDS - 1; k++)
		for (size_t i = 0;
		     (container = self->objects->at(containers(self, pod, k), i, NULL)); i++)
			if (!has_mount(self->objects, container))
				return true;
	return false;
}

static void write_source(struct cox_json *json, const char *source, const char *key,
			 const char *value, const char *item, const char *path)
{
	cox_json_object(json, NULL);
	cox_json_object(json, source);
	cox_json_text_set(json, "name", value);
	cox_json_array(json, "items");
	cox_json_object(json, NULL);
	cox_json_text_set(json, key, item);
	cox_json_text(json, "path", path);
	if (!key) {
		cox_json_object(json, "fieldRef");
		cox_json_text(json, "apiVersion", "v1");
		cox_json_text(json, "fieldPath", "metadata.namespace");
		cox_json_end(json);
	}
	cox_json_end(json);
	cox_json_end(json);
	cox_json_end(json);
	cox_json_end(json);
}

static void write_volume(struct cox_json *json, const char *name)
{
	cox_json_object(json, NULL);
	cox_json_text(json, "name", name);
	cox_json_object(json, "projected");
	cox_json_array(json, "sources");
	cox_json_object(json, NULL);
	cox_json_object(json, "serviceAccountToken");
	cox_json_int(json, "expirationSeconds", TOKEN_SECONDS);
	cox_json_text(json, "path", "token");
	cox_json_end(json);
	cox_json_end(json);
	write_source(json, "configMap", "key", "kube-root-ca.crt", "ca.crt", "ca.crt");
	write_source(json, "downwardAPI", NULL, NULL, NULL, "namespace");
	cox_json_end(json);
	cox_json_int(json, "defaultMode", FILE_MODE);
	cox_json_end(json);
	cox_json_end(json);
}

static void write_mount(struct cox_json *json, const char *volume)
{
	cox_json_object(json, NULL);
	cox_json_text(json, "name", volume);
	cox_json_bool(json, "readOnly", true);
	cox_json_text(json, "mountPath", TOKEN_MOUNT_PATH);
	cox_json_end(json);
}

/* Adds one item, written by `write`, to the list at `path`, which may not be there yet. */
static int append(const struct accounts *self, const struct cox_value *list, const char *path,
		  void (*write)(struct cox_json *json, const char *name), const char *name,
		  const struct cox_admission_changes *changes, struct cox_error *err)
{
	bool there = self->objects->kind(list) == COX_VALUE_ARRAY;
	cox_autobuf text = COX_BUF_INIT;
	cox_autobuf where = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&text);

	cox_buf_printf(&where, "%s%s", path, there ? "/-" : "");
	if (!there)
		cox_json_array(&json, NULL);
	write(&json, name);
	if (!there)
		cox_json_end(&json);
	return changes->set(changes, where.data, text.data, err);
}

/* "kube-api-access-" and five letters that spell no words. */
static void make_name(const struct accounts *self, char name[sizeof(VOLUME_PREFIX) + SUFFIX_SIZE])
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	unsigned char bytes[SUFFIX_SIZE];

	self->host->random(bytes, sizeof(bytes));
	memcpy(name, VOLUME_PREFIX, sizeof(VOLUME_PREFIX));
	for (size_t i = 0; i < SUFFIX_SIZE; i++)
		name[sizeof(VOLUME_PREFIX) - 1 + i] = letters[bytes[i] % (sizeof(letters) - 1)];
	name[sizeof(VOLUME_PREFIX) - 1 + SUFFIX_SIZE] = '\0';
}

int mount_token(const struct accounts *self, const struct cox_value *pod,
		const struct cox_admission_changes *changes, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *volumes = objects->get(pod, "spec.volumes"), *volume, *container;
	char made[sizeof(VOLUME_PREFIX) + SUFFIX_SIZE];
	const char *name = NULL;

	for (size_t i = 0; !name && (volume = objects->at(volumes, i, NULL)); i++)
		if (cox_starts_with(objects->text(volume, "name"), VOLUME_PREFIX))
			name = objects->text(volume, "name");
	if (!name) {
		make_name(self, made);
		name = made;
		if (append(self, volumes, "/spec/volumes", write_volume, name, changes, err) != 0)
			return -1;
	}
	for (size_t k = 0; k < CONTAINER_KINDS - 1; k++) {
		const struct cox_value *list = containers(self, pod, k);

		for (size_t i = 0; (container = objects->at(list, i, NULL)); i++) {
			char path[64];

			if (has_mount(objects, container))
				continue;
			snprintf(path, sizeof(path), "/spec/%s/%zu/volumeMounts",
				 container_kinds[k].member, i);
			if (append(self, objects->get(container, "volumeMounts"), path, write_mount,
				   name, changes, err) != 0)
				return -1;
		}
	}
	return 0;
}

int copy_pull_secrets(const struct accounts *self, const struct cox_value *pod,
		      const struct cox_value *account, const struct cox_admission_changes *changes,
		      struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *secrets = objects->get(account, "imagePullSecrets");
	cox_autobuf json = COX_BUF_INIT;
	const struct cox_writer writer = {cox_buf_sink, &json};

	if (!objects->count(secrets) || objects->count(objects->get(pod, "spec.imagePullSecrets")))
		return 0;
	objects->write(secrets, &writer);
	return changes->set(changes, "/spec/imagePullSecrets", json.data, err);
}
