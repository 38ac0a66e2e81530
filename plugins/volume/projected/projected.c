/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The projected volume: several sources in one directory, among them a token
 * of the pod's service account, which is fetched anew when 80 % of its life,
 * or a day, is over.
 *
 * Lock: projected.lock guards the tokens that were fetched.
 */
#include "../common/common.h"

#include <coxswain/kit/json.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/time.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define DAY (86400ull * 1000000000ull)

enum { TOKENS_MAX = 10000 };

struct token {
	char *text;
	uint64_t renew_at; /* realtime */
};

struct projected {
	struct volume_plain plain; /* first: volume_tear_down sees only it */
	pthread_mutex_t lock;
	struct cox_map tokens; /* directory, path → struct token */
};

static void *projected_create(const struct cox_host *host, struct cox_error *err)
{
	struct projected *projected = cox_new(struct projected);

	(void)err;
	projected->plain.host = host;
	pthread_mutex_init(&projected->lock, NULL);
	return projected;
}

static void free_token(struct token *token)
{
	if (!token)
		return;
	explicit_bzero(token->text, strlen(token->text));
	free(token->text);
	free(token);
}

static void forget_tokens(struct projected *projected)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	while (cox_map_next(&projected->tokens, &at, &key, &size, &value))
		free_token(value);
	cox_map_free(&projected->tokens);
}

static void projected_destroy(void *self)
{
	struct projected *projected = self;

	forget_tokens(projected);
	pthread_mutex_destroy(&projected->lock);
	free(projected);
}

static int projected_recognise(void *self, const struct cox_objects *objects,
			       const struct cox_value *source)
{
	(void)self;
	return objects->get(source, "projected") != NULL;
}

/* ---- tokens ---- */

static void write_request(const struct volume_pass *pass, const struct cox_value *source,
			  int64_t seconds, struct cox_buf *body)
{
	const struct cox_objects *objects = pass->volume->objects;
	const struct cox_object *pod = pass->volume->pod;
	struct cox_json json = COX_JSON_INIT(body);

	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "TokenRequest");
	cox_json_text(&json, "apiVersion", "authentication.k8s.io/v1");
	cox_json_object(&json, "spec");
	cox_json_array(&json, "audiences");
	if (*objects->text(source, "audience"))
		cox_json_text(&json, NULL, objects->text(source, "audience"));
	cox_json_end(&json);
	cox_json_int(&json, "expirationSeconds", seconds);
	cox_json_object(&json, "boundObjectRef");
	cox_json_text(&json, "kind", "Pod");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_text(&json, "name", objects->name(pod));
	cox_json_text(&json, "uid", objects->uid(pod));
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
}

static struct token *fetch_token(const struct volume_pass *pass, const struct cox_value *source,
				 struct cox_error *err)
{
	static const struct cox_resource accounts = {"", "v1", "serviceaccounts"};
	const struct cox_objects *objects = pass->volume->objects;
	const struct cox_cluster *cluster = pass->volume->cluster;
	int64_t seconds = objects->integer(source, "expirationSeconds", 3600);
	const char *account =
		objects->text(objects->root(pass->volume->pod), "spec.serviceAccountName");
	cox_autobuf body = COX_BUF_INIT;
	struct cox_object *answer = NULL;
	struct token *token;
	uint64_t now = pass->host->realtime_ns(), until, life;
	struct cox_request request = {.struct_size = sizeof(request),
				      .verb = COX_CREATE,
				      .resource = &accounts,
				      .namespace_name = objects->namespace_of(pass->volume->pod),
				      .name = *account ? account : "default",
				      .subresource = "token"};

	write_request(pass, source, seconds, &body);
	request.body = body.data;
	request.body_size = body.size;
	if (cluster->request(cluster->context, pass->call, &request, &answer, err))
		return NULL;
	if (!*objects->text(objects->root(answer), "status.token")) {
		objects->unref(answer);
		pass->host->fail(err, COX_REASON_INTERNAL_ERROR, "the server gave no token");
		return NULL;
	}
	if (cox_parse_time(objects->text(objects->root(answer), "status.expirationTimestamp"),
			   &until) ||
	    until <= now)
		until = now + (uint64_t)seconds * 1000000000ull;
	life = (until - now) / 10 * 8;
	token = cox_new(struct token);
	token->text = cox_strdup(objects->text(objects->root(answer), "status.token"));
	token->renew_at = now + (life < DAY ? life : DAY);
	objects->unref(answer);
	return token;
}

/* The one there is while it is good; an old one is better than none. */
static int add_token(struct projected *projected, struct volume_pass *pass,
		     const struct cox_value *source, int64_t mode, struct cox_error *err)
{
	const struct cox_objects *objects = pass->volume->objects;
	cox_autobuf key = COX_BUF_INIT;
	uint64_t now = pass->host->realtime_ns();
	struct token *have, *fresh = NULL;
	int failed;

	cox_buf_printf(&key, "%s\n%s", pass->volume->directory, objects->text(source, "path"));
	pthread_mutex_lock(&projected->lock);
	have = cox_map_get(&projected->tokens, key.data, key.size);
	if (!have || have->renew_at <= now) {
		pthread_mutex_unlock(&projected->lock);
		fresh = fetch_token(pass, source, err);
		pthread_mutex_lock(&projected->lock);
		if (projected->tokens.count >= TOKENS_MAX)
			forget_tokens(projected);
		if (fresh)
			free_token(cox_map_put(&projected->tokens, key.data, key.size, fresh));
		have = cox_map_get(&projected->tokens, key.data, key.size);
	}
	failed = have ? volume_add(pass, objects->text(source, "path"), have->text,
				   strlen(have->text), mode, err)
		      : -1;
	if (have) {
		uint64_t left = have->renew_at > now ? have->renew_at - now : 10000000000ull;

		if (!pass->again_ns || left < pass->again_ns)
			pass->again_ns = left;
	}
	pthread_mutex_unlock(&projected->lock);
	return failed;
}

/* ---- the volume ---- */

static int add_source(struct projected *projected, struct volume_pass *pass,
		      const struct cox_value *one, int64_t mode, struct cox_error *err)
{
	const struct cox_objects *objects = pass->volume->objects;
	const struct cox_value *source;

	if ((source = objects->get(one, "secret")))
		return volume_add_secret(pass, source, objects->text(source, "name"), mode, err);
	if ((source = objects->get(one, "configMap")))
		return volume_add_config_map(pass, source, mode, err);
	if ((source = objects->get(one, "downwardAPI")))
		return volume_add_downward(pass, source, mode, err);
	if ((source = objects->get(one, "serviceAccountToken")))
		return add_token(projected, pass, source, mode, err);
	return pass->host->fail(err, COX_REASON_INVALID,
				"a source of volume \"%s\" is of a kind that is not supported",
				pass->volume->name);
}

static int projected_set_up(void *self, const struct cox_call *call,
			    const struct cox_volume *volume, struct cox_volume_result *result,
			    struct cox_error *err)
{
	struct projected *projected = self;
	const struct cox_objects *objects = volume->objects;
	const struct cox_value *sources = objects->get(volume->source, "projected.sources"), *one;
	int64_t mode = objects->integer(volume->source, "projected.defaultMode", 0644);
	struct volume_pass pass = {.host = projected->plain.host, .call = call, .volume = volume};
	int failed = 0;

	for (size_t i = 0; !failed && (one = objects->at(sources, i, NULL)); i++)
		failed = add_source(projected, &pass, one, mode, err);
	if (!failed)
		failed = volume_write(&pass, result, err);
	volume_pass_free(&pass);
	return failed;
}

static int projected_tear_down(void *self, const struct cox_call *call, const char *directory,
			       struct cox_error *err)
{
	struct projected *projected = self;
	size_t at = 0, size, length = strlen(directory);
	const char *key;
	void *value;

	pthread_mutex_lock(&projected->lock);
	while (cox_map_next(&projected->tokens, &at, &key, &size, &value)) {
		if (size <= length || memcmp(key, directory, length) || key[length] != '\n')
			continue;
		free_token(cox_map_remove(&projected->tokens, key, size));
		at = 0; /* the map changed: from the beginning */
	}
	pthread_mutex_unlock(&projected->lock);
	return volume_tear_down(self, call, directory, err);
}

static const struct cox_volume_ops projected_ops = {
	.recognise = projected_recognise,
	.set_up = projected_set_up,
	.tear_down = projected_tear_down,
	.readonly = volume_always,
	.release = volume_release,
};

COX_VOLUME_PLUGIN(projected_ops, .name = "projected", .version = COX_RELEASE,
		  .description = "several sources in one directory, tokens among them",
		  .thread_model = COX_THREADS_PARALLEL, .create = projected_create,
		  .destroy = projected_destroy);
