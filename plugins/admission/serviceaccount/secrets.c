/* SPDX-License-Identifier: Apache-2.0 */
/* Where pods refer to secrets, and whether their account lends these. */
#include "serviceaccount.h"

#include <string.h>

#define ENFORCE "kubernetes.io/enforce-mountable-secrets"

const struct container_kind container_kinds[CONTAINER_KINDS] = {
	{"initContainers", "init container"},
	{"containers", "container"},
	{"ephemeralContainers", "ephemeral container"},
};

/* Members of volumes that hold the name of a secret. */
static const char *const volume_secrets[] = {
	"azureFile.secretName",	     "cephfs.secretRef.name",
	"cinder.secretRef.name",     "csi.nodePublishSecretRef.name",
	"flexVolume.secretRef.name", "iscsi.secretRef.name",
	"rbd.secretRef.name",	     "scaleIO.secretRef.name",
	"secret.secretName",	     "storageos.secretRef.name"};

static bool volume_refers(const struct cox_objects *objects, const struct cox_value *volume)
{
	const struct cox_value *sources = objects->get(volume, "projected.sources"), *source;

	for (size_t i = 0; i < sizeof(volume_secrets) / sizeof(volume_secrets[0]); i++)
		if (*objects->text(volume, volume_secrets[i]))
			return true;
	for (size_t i = 0; (source = objects->at(sources, i, NULL)); i++)
		if (objects->get(source, "secret"))
			return true;
	return false;
}

static bool container_refers(const struct cox_objects *objects, const struct cox_value *container)
{
	const struct cox_value *env = objects->get(container, "env");
	const struct cox_value *from = objects->get(container, "envFrom"), *item;

	for (size_t i = 0; (item = objects->at(env, i, NULL)); i++)
		if (objects->get(item, "valueFrom.secretKeyRef"))
			return true;
	for (size_t i = 0; (item = objects->at(from, i, NULL)); i++)
		if (objects->get(item, "secretRef"))
			return true;
	return false;
}

bool refers_to_secrets(const struct cox_objects *objects, const struct cox_value *pod)
{
	const struct cox_value *spec = objects->get(pod, "spec");
	const struct cox_value *volumes = objects->get(spec, "volumes"), *item;

	if (objects->count(objects->get(spec, "imagePullSecrets")))
		return true;
	for (size_t i = 0; (item = objects->at(volumes, i, NULL)); i++)
		if (volume_refers(objects, item))
			return true;
	for (size_t k = 0; k < CONTAINER_KINDS; k++) {
		const struct cox_value *list = objects->member(spec, container_kinds[k].member);

		for (size_t i = 0; (item = objects->at(list, i, NULL)); i++)
			if (container_refers(objects, item))
				return true;
	}
	return false;
}

bool projects_token(const struct cox_objects *objects, const struct cox_value *pod)
{
	const struct cox_value *volumes = objects->get(pod, "spec.volumes"), *volume, *source;

	for (size_t i = 0; (volume = objects->at(volumes, i, NULL)); i++) {
		const struct cox_value *sources = objects->get(volume, "projected.sources");

		for (size_t s = 0; (source = objects->at(sources, s, NULL)); s++)
			if (objects->get(source, "serviceAccountToken"))
				return true;
	}
	return false;
}

/* Whether a list of references has the name. */
static bool has_name(const struct cox_objects *objects, const struct cox_value *list,
		     const char *name)
{
	const struct cox_value *item;

	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++)
		if (strcmp(objects->text(item, "name"), name) == 0)
			return true;
	return false;
}

static int check_container(const struct accounts *self, const struct container_kind *kind,
			   const struct cox_value *container, const struct cox_value *account,
			   struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *lent = objects->get(account, "secrets");
	const struct cox_value *env = objects->get(container, "env");
	const struct cox_value *from = objects->get(container, "envFrom"), *item;
	const char *name;

	for (size_t i = 0; (item = objects->at(env, i, NULL)); i++) {
		name = objects->text(item, "valueFrom.secretKeyRef.name");
		if (objects->get(item, "valueFrom.secretKeyRef") && !has_name(objects, lent, name))
			return self->host->fail(
				err, COX_REASON_FORBIDDEN,
				"%s %s with envVar %s referencing secret.secretName=\"%s\" is not "
				"allowed because service account %s does not reference that secret",
				kind->told, objects->text(container, "name"),
				objects->text(item, "name"), name,
				objects->text(account, "metadata.name"));
	}
	for (size_t i = 0; (item = objects->at(from, i, NULL)); i++) {
		name = objects->text(item, "secretRef.name");
		if (objects->get(item, "secretRef") && !has_name(objects, lent, name))
			return self->host->fail(
				err, COX_REASON_FORBIDDEN,
				"%s %s with envFrom referencing secret.secretName=\"%s\" is not "
				"allowed because service account %s does not reference that secret",
				kind->told, objects->text(container, "name"), name,
				objects->text(account, "metadata.name"));
	}
	return 0;
}

static int check_containers(const struct accounts *self, const struct cox_value *spec,
			    const struct cox_value *account, struct cox_error *err)
{
	const struct cox_value *container;

	for (size_t k = 0; k < CONTAINER_KINDS; k++) {
		const struct cox_value *list =
			self->objects->member(spec, container_kinds[k].member);

		for (size_t i = 0; (container = self->objects->at(list, i, NULL)); i++)
			if (check_container(self, &container_kinds[k], container, account, err) !=
			    0)
				return -1;
	}
	return 0;
}

static int check_volumes(const struct accounts *self, const struct cox_value *spec,
			 const struct cox_value *account, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *volumes = objects->get(spec, "volumes"), *volume;
	const struct cox_value *lent = objects->get(account, "secrets");

	for (size_t i = 0; (volume = objects->at(volumes, i, NULL)); i++) {
		const char *name = objects->text(volume, "secret.secretName");

		if (objects->get(volume, "secret") && !has_name(objects, lent, name))
			return self->host->fail(
				err, COX_REASON_FORBIDDEN,
				"volume with secret.secretName=\"%s\" is not allowed because "
				"service account %s does not reference that secret",
				name, objects->text(account, "metadata.name"));
	}
	return 0;
}

int check_secrets(const struct accounts *self, const struct cox_value *pod,
		  const struct cox_value *account, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *spec = objects->get(pod, "spec");
	const struct cox_value *pulls = objects->get(spec, "imagePullSecrets"), *pull;
	const struct cox_value *enforce =
		objects->member(objects->get(account, "metadata.annotations"), ENFORCE);

	if (strcmp(objects->text(enforce, ""), "true") != 0)
		return 0;
	if (check_volumes(self, spec, account, err) != 0 ||
	    check_containers(self, spec, account, err) != 0)
		return -1;
	for (size_t i = 0; (pull = objects->at(pulls, i, NULL)); i++) {
		const char *name = objects->text(pull, "name");

		if (!has_name(objects, objects->get(account, "imagePullSecrets"), name))
			return self->host->fail(
				err, COX_REASON_FORBIDDEN,
				"imagePullSecrets[].name=\"%s\" is not allowed because service "
				"account %s does not reference that imagePullSecret",
				name, objects->text(account, "metadata.name"));
	}
	return 0;
}
