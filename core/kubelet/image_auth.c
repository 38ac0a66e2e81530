/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials of registries out of the pod's imagePullSecrets: secrets of the
 * types kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg.
 */
#include "kubelet/env.h"
#include "kubelet/images.h"

#include "base/log.h"
#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <string.h>

/* The registry of an image's name: what is before the first '/', if it looks like a host. */
static void registry_of(const char *image, char *out, size_t size)
{
	size_t host = strcspn(image, "/");

	if (image[host] != '/' || (!memchr(image, '.', host) && !memchr(image, ':', host) &&
				   !(host == 9 && !strncmp(image, "localhost", 9)))) {
		image = "docker.io";
		host = strlen(image);
	}
	if (host >= size)
		host = size - 1;
	memcpy(out, image, host);
	out[host] = '\0';
}

/* Whether a key like "https://index.docker.io/v1/" or "ghcr.io" means this registry. */
static bool key_fits(const char *key, const char *registry)
{
	size_t size;

	if (cox_starts_with(key, "https://"))
		key += 8;
	else if (cox_starts_with(key, "http://"))
		key += 7;
	size = strcspn(key, "/");
	if (!strcmp(registry, "docker.io") &&
	    (!strncmp(key, "index.docker.io", size) || !strncmp(key, "registry-1.docker.io", size)))
		return true;
	return strlen(registry) == size && !strncmp(key, registry, size);
}

static bool read_entry(struct arena *arena, const struct value *entry,
		       struct cox_registry_auth *auth)
{
	const struct value *packed = value_get(entry, "auth");
	const char *username = value_get_text(entry, "username");
	const char *password = value_get_text(entry, "password");
	char *plain, *colon;
	int64_t size;

	if (packed && packed->count) {
		plain = arena_alloc(arena, packed->count + 1);
		size = cox_base64_decode(value_text(packed), packed->count, plain);
		if (size < 0)
			return false;
		plain[size] = '\0';
		colon = strchr(plain, ':');
		if (!colon)
			return false;
		*colon = '\0';
		username = plain;
		password = colon + 1;
	}
	*auth = (struct cox_registry_auth){
		.struct_size = sizeof(*auth),
		.username = arena_strdup(arena, username),
		.password = arena_strdup(arena, password),
		.identity_token = arena_strdup(arena, value_get_text(entry, "identitytoken")),
		.registry_token = arena_strdup(arena, value_get_text(entry, "registrytoken")),
	};
	return true;
}

static bool read_secret(struct arena *arena, const struct cox_object *secret, const char *registry,
			struct cox_registry_auth *auth)
{
	const struct value *data = value_get(object_root(secret), "data");
	const struct value *json = value_get(data, ".dockerconfigjson");
	const struct value *old = value_get(data, ".dockercfg"), *auths, *file = json ? json : old;
	void *plain = file ? arena_alloc(arena, file->count + 1) : NULL;
	int64_t size = file ? cox_base64_decode(value_text(file), file->count, plain) : -1;

	if (size < 0)
		return false;
	auths = json_parse(arena, plain, (size_t)size, NULL, NULL);
	if (json)
		auths = value_get(auths, "auths");
	for (uint32_t i = 0; value_is(auths, VALUE_OBJECT) && i < auths->count; i++)
		if (key_fits(auths->object.members[i].key, registry))
			return read_entry(arena, auths->object.members[i].value, auth);
	return false;
}

bool images_auth(struct kubelet *kubelet, const struct cox_object *pod, const char *image,
		 struct arena *arena, struct cox_registry_auth *auth)
{
	const struct value *refs = object_path(object_root(pod), "spec.imagePullSecrets"), *ref;
	char registry[256];

	registry_of(image, registry, sizeof(registry));
	for (size_t i = 0; (ref = value_at(refs, i)); i++) {
		cox_autoerror err = COX_ERROR_INIT;
		cox_autoobject *secret = env_fetch(kubelet, "secrets", object_namespace(pod),
						   value_get_text(ref, "name"), &err);

		if (!secret)
			log_warning("pod %s/%s: imagePullSecrets: %s", object_namespace(pod),
				    object_name(pod), error_text(&err));
		else if (read_secret(arena, secret, registry, auth))
			return true;
	}
	return false;
}
