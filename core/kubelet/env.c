/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a container; see the header. */
#include "kubelet/env.h"

#include "base/clock.h"
#include "base/log.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { ENV_MAX = 100000 };

struct cox_object *env_fetch(struct kubelet *kubelet, const char *resource, const char *namespace,
			     const char *name, struct cox_error *err)
{
	const struct client_request request = {.verb = CLIENT_GET,
					       .version = "v1",
					       .resource = resource,
					       .namespace = namespace,
					       .name = name,
					       .deadline = clock_monotonic() + 10 * CLOCK_SECOND};
	cox_autoanswer answer = CLIENT_ANSWER_INIT;

	if (client_call(kubelet->parts.client, &request, &answer, err))
		return NULL;
	return object_new(cox_buf_cstr(&answer.body), answer.body.size, err);
}

void env_free(struct env *env)
{
	cox_vec_free(&env->pairs);
}

static const char *find(const struct env *env, const char *key, size_t size)
{
	for (size_t i = 0; i < env->pairs.count; i++)
		if (!strncmp(env->pairs.items[i].key, key, size) && !env->pairs.items[i].key[size])
			return env->pairs.items[i].value;
	return NULL;
}

/* The later one of two of the same name counts, in the place of the earlier. */
static void set(struct arena *arena, struct env *env, const char *key, const char *value)
{
	struct cox_pair pair = {arena_strdup(arena, key), arena_strdup(arena, value)};

	for (size_t i = 0; i < env->pairs.count; i++)
		if (!strcmp(env->pairs.items[i].key, key)) {
			env->pairs.items[i] = pair;
			return;
		}
	if (env->pairs.count < ENV_MAX)
		cox_vec_push(&env->pairs, pair);
}

/* ---- $(NAME) ---- */

static const char *expand(struct arena *arena, const struct env *env, const struct env *services,
			  const char *text)
{
	cox_autobuf out = COX_BUF_INIT;

	if (!strchr(text, '$'))
		return text;
	for (const char *at = text; *at; at++) {
		size_t size;
		const char *value;

		if (*at != '$') {
			cox_buf_char(&out, *at);
			continue;
		}
		if (at[1] == '$') {
			cox_buf_char(&out, *at++);
			continue;
		}
		size = at[1] == '(' ? strcspn(at + 2, ")") : 0;
		if (at[1] != '(' || at[2 + size] != ')') {
			cox_buf_char(&out, *at);
			continue;
		}
		value = find(env, at + 2, size);
		if (!value && services)
			value = find(services, at + 2, size);
		if (value)
			cox_buf_str(&out, value);
		else
			cox_buf_add(&out, at, size + 3);
		at += size + 2;
	}
	return arena_strndup(arena, cox_buf_cstr(&out), out.size);
}

const char *env_expand(struct arena *arena, const struct env *env, const char *text)
{
	return expand(arena, env, NULL, text);
}

/* ---- services ---- */

struct service_pass {
	struct arena *arena;
	struct env *env;
	const char *only; /* the one service that is wanted; NULL: all */
};

static char *upper(struct arena *arena, const char *name)
{
	char *out = arena_strdup(arena, name);

	for (char *at = out; *at; at++)
		*at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
	return out;
}

static void add_port(struct service_pass *pass, const char *name, const char *ip,
		     const struct value *port, bool first)
{
	struct arena *arena = pass->arena;
	const char *protocol = value_get_text(port, "protocol");
	long long number = value_get_int(port, "port", 0);
	const char *wide = upper(arena, *protocol ? protocol : "TCP");
	char *low = arena_strdup(arena, wide), *url, *prefix;

	for (char *at = low; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	url = arena_printf(arena, "%s://%s:%lld", low, ip, number);
	if (first)
		set(arena, pass->env, arena_printf(arena, "%s_PORT", name), url);
	prefix = arena_printf(arena, "%s_PORT_%lld_%s", name, number, wide);
	set(arena, pass->env, prefix, url);
	set(arena, pass->env, arena_printf(arena, "%s_PROTO", prefix), low);
	set(arena, pass->env, arena_printf(arena, "%s_PORT", prefix),
	    arena_printf(arena, "%lld", number));
	set(arena, pass->env, arena_printf(arena, "%s_ADDR", prefix), ip);
}

static int add_service(void *to, const struct cox_object *service)
{
	struct service_pass *pass = to;
	const struct value *spec = value_get(object_root(service), "spec");
	const struct value *ports = value_get(spec, "ports"), *port = value_at(ports, 0);
	const char *ip = value_get_text(spec, "clusterIP"), *name;
	struct arena *arena = pass->arena;

	if ((pass->only && strcmp(pass->only, object_name(service)) != 0) || !*ip ||
	    !strcmp(ip, "None") || !port)
		return 0;
	name = upper(arena, object_name(service));
	set(arena, pass->env, arena_printf(arena, "%s_SERVICE_HOST", name), ip);
	set(arena, pass->env, arena_printf(arena, "%s_SERVICE_PORT", name),
	    arena_printf(arena, "%lld", (long long)value_get_int(port, "port", 0)));
	for (size_t i = 0; (port = value_at(ports, i)); i++) {
		if (*value_get_text(port, "name"))
			set(arena, pass->env,
			    arena_printf(arena, "%s_SERVICE_PORT_%s", name,
					 upper(arena, value_get_text(port, "name"))),
			    arena_printf(arena, "%lld", (long long)value_get_int(port, "port", 0)));
		add_port(pass, name, ip, port, i == 0);
	}
	return 0;
}

static void add_services(const struct field_source *source, struct arena *arena, struct env *env)
{
	const struct value *spec = value_get(object_root(source->object), "spec");
	const struct value *links = value_get(spec, "enableServiceLinks");
	struct service_pass pass = {arena, env, "kubernetes"};
	const struct cox_object_sink sink = {add_service, &pass};
	struct kubelet *kubelet = source->kubelet;

	if (!kubelet->service_lister)
		return;
	lister_list(kubelet->service_lister, kubelet->config->master_service_namespace, &sink);
	pass.only = NULL;
	if (!links || (value_is(links, VALUE_BOOL) && links->boolean))
		lister_list(kubelet->service_lister, object_namespace(source->object), &sink);
}

/* ---- config maps and secrets ---- */

/* The text under `key`; NULL: none. */
static const char *data_text(struct arena *arena, const struct cox_object *object, bool secret,
			     const char *key)
{
	const struct value *data = value_get(value_get(object_root(object), "data"), key);
	char *plain;
	int64_t size;

	if (!data || !secret)
		return data ? value_text(data) : NULL;
	plain = arena_alloc(arena, data->count + 1);
	size = cox_base64_decode(value_text(data), data->count, plain);
	if (size < 0)
		return NULL;
	plain[size] = '\0';
	return plain;
}

/* 1: it is missing and may be. */
static int fetch(const struct field_source *source, bool secret, const struct value *ref,
		 struct cox_object **object, struct cox_error *err)
{
	const char *name = value_get_text(ref, "name");
	cox_autoerror why = COX_ERROR_INIT;

	*object = env_fetch(source->kubelet, secret ? "secrets" : "configmaps",
			    object_namespace(source->object), name, &why);
	if (*object)
		return 0;
	if (why.reason == COX_REASON_NOT_FOUND && value_get_bool(ref, "optional"))
		return 1;
	if (why.reason == COX_REASON_NOT_FOUND)
		return error_set(err, COX_REASON_NOT_FOUND, "%s \"%s\" not found",
				 secret ? "secret" : "configmap", name);
	error_move(err, &why);
	return -1;
}

static int from_key(const struct field_source *source, bool secret, const struct value *ref,
		    struct arena *arena, const char **text, struct cox_error *err)
{
	const char *key = value_get_text(ref, "key"), *found;
	cox_autoobject *object = NULL;
	int missing = fetch(source, secret, ref, &object, err);

	if (missing)
		return missing;
	found = data_text(arena, object, secret, key);
	if (!found && value_get_bool(ref, "optional"))
		return 1;
	if (!found)
		return error_set(err, COX_REASON_NOT_FOUND, "couldn't find key %s in %s %s/%s", key,
				 secret ? "Secret" : "ConfigMap", object_namespace(source->object),
				 value_get_text(ref, "name"));
	*text = arena_strdup(arena, found);
	return 0;
}

static int add_all(const struct field_source *source, const struct value *from, struct arena *arena,
		   struct env *env, struct cox_error *err)
{
	const struct value *secret = value_get(from, "secretRef"), *data;
	const struct value *ref = secret ? secret : value_get(from, "configMapRef");
	cox_autoobject *object = NULL;
	int missing = ref ? fetch(source, secret != NULL, ref, &object, err) : 1;

	if (missing)
		return missing < 0 ? -1 : 0;
	data = value_get(object_root(object), "data");
	for (uint32_t i = 0; value_is(data, VALUE_OBJECT) && i < data->count; i++) {
		const char *key = data->object.members[i].key;
		const char *text = data_text(arena, object, secret != NULL, key);

		if (text && !strchr(key, '='))
			set(arena, env,
			    arena_printf(arena, "%s%s", value_get_text(from, "prefix"), key), text);
	}
	return 0;
}

/* 1: it is not set at all. */
static int resolve(const struct field_source *source, const struct value *from, struct arena *arena,
		   const char **text, struct cox_error *err)
{
	const struct value *map = value_get(from, "configMapKeyRef");
	const struct value *secret = value_get(from, "secretKeyRef");
	cox_autobuf out = COX_BUF_INIT;

	if (map || secret)
		return from_key(source, !map, map ? map : secret, arena, text, err);
	if (fields_write(source, from, &out, err))
		return -1;
	*text = arena_strdup(arena, cox_buf_cstr(&out));
	return 0;
}

int env_make(const struct field_source *source, const struct value *container, struct arena *arena,
	     struct env *env, struct cox_error *err)
{
	struct env services = {0};
	const struct value *item;
	int failed = 0;

	add_services(source, arena, &services);
	for (size_t i = 0; !failed && (item = value_at(value_get(container, "envFrom"), i)); i++)
		failed = add_all(source, item, arena, env, err);
	for (size_t i = 0; !failed && (item = value_at(value_get(container, "env"), i)); i++) {
		const struct value *from = value_get(item, "valueFrom");
		const char *text = NULL;
		int unset = 0;

		if (from)
			unset = resolve(source, from, arena, &text, err);
		else
			text = expand(arena, env, &services, value_get_text(item, "value"));
		failed = unset < 0;
		if (!unset)
			set(arena, env, value_get_text(item, "name"), text);
	}
	for (size_t i = 0; !failed && i < services.pairs.count; i++) {
		const struct cox_pair *pair = &services.pairs.items[i];

		if (!find(env, pair->key, strlen(pair->key)))
			cox_vec_push(&env->pairs, *pair);
	}
	env_free(&services);
	return failed ? -1 : 0;
}
