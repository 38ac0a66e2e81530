/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serviceaccount: the signed tokens of service accounts. A token of another
 * issuer is somebody else's; one of ours must be signed by one of the keys, be
 * in its time, meant for us, and belong to an account (and pod, secret or node)
 * that is still there.
 *
 * `lock` is over the keys of all files; it is held while a signature is
 * checked, never over a request.
 */
#include "claims.h"
#include "keys.h"
#include "lookup.h"
#include "watched.h"

#include <coxswain/authenticator.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/vec.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

struct key_file {
	struct serviceaccount *self;
	struct watched file;
	struct keys *keys;
};

typedef COX_VEC(char *) text_list;

struct serviceaccount {
	const struct cox_host *host;
	const struct cox_cluster *cluster; /* NULL: none was given */
	COX_VEC(struct key_file *) files;
	text_list issuers, audiences;
	uint64_t interval_ns;
	bool lookup;
	pthread_rwlock_t lock;
};

static void *serviceaccount_create(const struct cox_host *host, struct cox_error *err)
{
	struct serviceaccount *self = cox_new(struct serviceaccount);

	(void)err;
	self->host = host;
	pthread_rwlock_init(&self->lock, NULL);
	return self;
}

static void list_free(text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	cox_vec_free(list);
}

static void serviceaccount_destroy(void *instance)
{
	struct serviceaccount *self = instance;

	for (size_t i = 0; i < self->files.count; i++) {
		watched_free(&self->files.items[i]->file);
		keys_free(self->files.items[i]->keys);
		free(self->files.items[i]);
	}
	cox_vec_free(&self->files);
	list_free(&self->issuers);
	list_free(&self->audiences);
	pthread_rwlock_destroy(&self->lock);
	free(self);
}

/* Takes the keys of one file over; see watched.h. */
static int take_keys(void *owner, const char *path, const char *data, size_t size,
		     struct cox_buf *why)
{
	struct key_file *file = owner;
	struct keys *keys = keys_parse(path, data, size, why), *old;

	if (!keys)
		return -1;
	pthread_rwlock_wrlock(&file->self->lock);
	old = file->keys;
	file->keys = keys;
	pthread_rwlock_unlock(&file->self->lock);
	keys_free(old);
	return 0;
}

static void add_file(struct serviceaccount *self, const char *path)
{
	struct key_file *file = cox_new(struct key_file);

	file->self = self;
	file->file = (struct watched){.host = self->host, .take = take_keys, .owner = file};
	watched_init(&file->file, path);
	cox_vec_push(&self->files, file);
}

static int add_items(struct serviceaccount *self, const char *key, const char *value,
		     struct cox_error *err)
{
	while (value) {
		const char *comma = strchrnul(value, ',');
		cox_autofree char *item = cox_strndup(value, (size_t)(comma - value));

		if (!*item)
			return self->host->fail(err, COX_REASON_INVALID,
						"an empty item in the list; remove the stray "
						"comma");
		if (strcmp(key, "key-file") == 0)
			add_file(self, item);
		else if (strcmp(key, "issuer") == 0)
			cox_vec_push(&self->issuers, cox_steal(item));
		else
			cox_vec_push(&self->audiences, cox_steal(item));
		value = *comma ? comma + 1 : NULL;
	}
	return 0;
}

static int serviceaccount_config(void *instance, const char *key, const char *value,
				 struct cox_error *err)
{
	struct serviceaccount *self = instance;
	int64_t interval;

	if (strcmp(key, "lookup") == 0) {
		self->lookup = strcmp(value, "true") == 0;
		return 0;
	}
	if (strcmp(key, "check-interval") != 0)
		return add_items(self, key, value, err);
	if (cox_parse_int(value, 0, INT64_MAX, &interval) != 0)
		return self->host->fail(err, COX_REASON_INVALID, "not a duration");
	self->interval_ns = (uint64_t)interval;
	return 0;
}

static int serviceaccount_config_complete(void *instance, struct cox_error *err)
{
	struct serviceaccount *self = instance;

	(void)err;
	for (size_t i = 0; i < self->files.count; i++)
		self->files.items[i]->file.interval_ns = self->interval_ns;
	/* Who is not named otherwise is called like its first issuer. */
	for (size_t i = 0; self->audiences.count == 0 && i < self->issuers.count; i++)
		cox_vec_push(&self->audiences, cox_strdup(self->issuers.items[i]));
	return 0;
}

static int serviceaccount_get_ready(void *instance, struct cox_error *err)
{
	struct serviceaccount *self = instance;

	for (size_t i = 0; i < self->files.count; i++)
		if (watched_load(&self->files.items[i]->file, err) != 0)
			return -1;
	return 0;
}

static int serviceaccount_setup(void *instance, const struct cox_cluster *cluster,
				struct cox_error *err)
{
	(void)err;
	((struct serviceaccount *)instance)->cluster = cluster;
	return 0;
}

static int serviceaccount_start(void *instance, struct cox_error *err)
{
	struct serviceaccount *self = instance;

	if (self->lookup && !self->cluster)
		return self->host->fail(err, COX_REASON_INVALID,
					"there is no cluster here to look accounts up in; say "
					"lookup=false if a valid signature is enough");
	return 0;
}

/* Operations */

static bool in_list(const text_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

static bool is_signed(struct serviceaccount *self, const struct jwt *jwt)
{
	bool found = false;

	for (size_t i = 0; i < self->files.count; i++)
		watched_refresh(&self->files.items[i]->file);
	pthread_rwlock_rdlock(&self->lock);
	for (size_t i = 0; !found && i < self->files.count; i++)
		found = keys_signed(self->files.items[i]->keys, jwt);
	pthread_rwlock_unlock(&self->lock);
	return found;
}

static bool has_audience(const struct claims *claims, const char *wanted)
{
	for (size_t i = 0; i < claims->audience_count; i++)
		if (strcmp(claims->audiences[i], wanted) == 0)
			return true;
	return false;
}

/*
 * Tells the audiences that the token and the asker (or we) have in common;
 * false: none. Tokens of the first releases name none and are meant for us.
 */
static bool match_audiences(const struct serviceaccount *self, const struct claims *claims,
			    const struct cox_authn_request *request,
			    const struct cox_identity_sink *sink)
{
	bool ours = claims->old && claims->audience_count == 0, any = false;
	const char *const *wanted = request->audiences;
	size_t count = request->audience_count;

	if (count == 0) {
		wanted = (const char *const *)self->audiences.items;
		count = self->audiences.count;
	}
	for (size_t i = 0; i < count; i++)
		if (ours ? in_list(&self->audiences, wanted[i]) : has_audience(claims, wanted[i])) {
			sink->audience(sink, wanted[i]);
			any = true;
		}
	return any;
}

static void tell_extra(const struct cox_identity_sink *sink, const char *key, const char *prefix,
		       const char *value)
{
	cox_autobuf name = COX_BUF_INIT, text = COX_BUF_INIT;

	if (!*value)
		return;
	cox_buf_printf(&name, "authentication.kubernetes.io/%s", key);
	cox_buf_printf(&text, "%s%s", prefix, value);
	sink->extra(sink, name.data, text.data);
}

static void tell(const struct claims *claims, const struct cox_identity_sink *sink)
{
	cox_autobuf group = COX_BUF_INIT;

	cox_buf_printf(&group, "system:serviceaccounts:%s", claims->namespace_name);
	sink->user(sink, claims->subject, claims->account.uid);
	sink->group(sink, "system:serviceaccounts");
	sink->group(sink, group.data);
	tell_extra(sink, "pod-name", "", claims->pod.name);
	tell_extra(sink, "pod-uid", "", claims->pod.uid);
	tell_extra(sink, "node-name", "", claims->node.name);
	tell_extra(sink, "node-uid", "", claims->node.uid);
	tell_extra(sink, "credential-id", "JTI=", claims->id);
	if (claims->expires >= 0)
		sink->expires(sink, (uint64_t)(claims->expires + CLAIMS_LEEWAY_SECONDS) * SECOND);
}

static enum cox_authn_answer bad(const struct serviceaccount *self, struct cox_error *err,
				 const char *text)
{
	self->host->fail(err, COX_REASON_UNAUTHORIZED, "%s", text);
	return COX_AUTHN_BAD;
}

/* A token that says it is ours. */
static enum cox_authn_answer judge(struct serviceaccount *self, const struct cox_call *call,
				   const struct cox_authn_request *request, const struct jwt *jwt,
				   const struct cox_identity_sink *sink, struct cox_error *err)
{
	int64_t now = (int64_t)(self->host->realtime_ns() / SECOND);
	cox_autobuf why = COX_BUF_INIT;
	struct claims claims;

	if (!is_signed(self, jwt))
		return bad(self, err, "none of the keys signed the token");
	if (claims_read(&claims, jwt->claims, &why) != 0 || claims_check(&claims, now, &why) != 0)
		return bad(self, err, cox_buf_cstr(&why));
	if (!match_audiences(self, &claims, request, sink))
		return bad(self, err, "the token is meant for another audience");
	if (self->lookup) {
		enum cox_authn_answer answer = lookup_claims(self->host, self->cluster, call,
							     &claims, request->bearer_token, err);

		if (answer != COX_AUTHN_YES)
			return answer;
	}
	tell(&claims, sink);
	return COX_AUTHN_YES;
}

static enum cox_authn_answer serviceaccount_authenticate(void *instance,
							 const struct cox_call *call,
							 const struct cox_authn_request *request,
							 const struct cox_identity_sink *sink,
							 struct cox_error *err)
{
	struct serviceaccount *self = instance;
	enum cox_authn_answer answer = COX_AUTHN_NOT_MINE;
	struct jwt jwt;

	if (!request->bearer_token)
		return COX_AUTHN_NOT_MINE;
	if (jwt_parse(&jwt, request->bearer_token) == 0) {
		const char *issuer = claims_issuer(jwt.claims);

		if (in_list(&self->issuers, issuer) || strcmp(issuer, CLAIMS_OLD_ISSUER) == 0)
			answer = judge(self, call, request, &jwt, sink, err);
	}
	jwt_free(&jwt);
	return answer;
}

static const struct cox_option serviceaccount_options[] = {
	{"key-file", NULL, "files with the keys that sign tokens, PEM", COX_OPT_LIST,
	 COX_OPTION_REQUIRED},
	{"issuer", NULL, "who signs the tokens that are ours", COX_OPT_LIST, COX_OPTION_REQUIRED},
	{"audience", NULL, "whom tokens must be meant for; the issuers if not set", COX_OPT_LIST,
	 0},
	{"lookup", "true", "whether accounts, pods and secrets of tokens must exist", COX_OPT_BOOL,
	 0},
	{"check-interval", "10s", "how often the files are looked at for changes", COX_OPT_DURATION,
	 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_authenticator_ops serviceaccount_ops = {
	.authenticate = serviceaccount_authenticate,
	.setup = serviceaccount_setup,
};

COX_AUTHENTICATOR_PLUGIN(serviceaccount_ops, .name = "serviceaccount", .version = COX_RELEASE,
			 .description = "signed tokens of service accounts",
			 .thread_model = COX_THREADS_PARALLEL, .options = serviceaccount_options,
			 .create = serviceaccount_create, .config = serviceaccount_config,
			 .config_complete = serviceaccount_config_complete,
			 .get_ready = serviceaccount_get_ready, .start = serviceaccount_start,
			 .destroy = serviceaccount_destroy);
