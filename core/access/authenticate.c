/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of authenticators; see the header. Yes-answers are remembered for
 * 10 s under the SHA-256 of everything that the answer depends on, in a table
 * of fixed size whose slots simply replace each other: no list to keep, no way
 * to fill it up. `lock` guards the table only and is never held over a call.
 */
#include "access/authenticate.h"

#include "base/clock.h"
#include "base/log.h"
#include "host/host.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/vec.h>
#include <gnutls/crypto.h>
#include <stdatomic.h>
#include <string.h>

enum { CACHE_SLOTS = 1024, DIGEST_SIZE = 32 };

static const uint64_t cache_life = 10 * CLOCK_SECOND;

struct cached_answer {
	unsigned char digest[DIGEST_SIZE];
	uint64_t until; /* monotonic */
	struct identity *identity;
};

/* Something that plugins of the chain use as long as they live. */
struct kept {
	void *context;
	void (*release)(void *context);
};

struct authenticators {
	atomic_uint references;
	COX_VEC(struct host_plugin *) plugins;
	COX_VEC(struct kept) kept;
	pthread_mutex_t lock;
	struct cached_answer cache[CACHE_SLOTS];
};

struct authenticators *authenticators_new(void)
{
	struct authenticators *chain = cox_new(struct authenticators);

	atomic_init(&chain->references, 1);
	pthread_mutex_init(&chain->lock, NULL);
	return chain;
}

void authenticators_add(struct authenticators *chain, struct host_plugin *plugin)
{
	cox_vec_push(&chain->plugins, plugin);
}

void authenticators_keep(struct authenticators *chain, void *context,
			 void (*release)(void *context))
{
	cox_vec_push(&chain->kept, (struct kept){context, release});
}

struct authenticators *authenticators_ref(struct authenticators *chain)
{
	atomic_fetch_add_explicit(&chain->references, 1, memory_order_relaxed);
	return chain;
}

void authenticators_unref(struct authenticators *chain)
{
	if (!chain || atomic_fetch_sub_explicit(&chain->references, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		identity_unref(chain->cache[i].identity);
	for (size_t i = chain->plugins.count; i-- > 0;)
		host_close(chain->plugins.items[i]);
	for (size_t i = chain->kept.count; i-- > 0;)
		chain->kept.items[i].release(chain->kept.items[i].context);
	cox_vec_free(&chain->plugins);
	cox_vec_free(&chain->kept);
	pthread_mutex_destroy(&chain->lock);
	free(chain);
}

static void digest_text(gnutls_hash_hd_t hash, const char *text)
{
	/* Absent and empty differ; the size keeps neighbours apart. */
	uint64_t size = text ? strlen(text) : UINT64_MAX;

	gnutls_hash(hash, &size, sizeof(size));
	if (text)
		gnutls_hash(hash, text, size);
}

/* -1: nothing to remember, there is no credential. */
static int digest_request(const struct cox_authn_request *request,
			  unsigned char digest[DIGEST_SIZE])
{
	gnutls_hash_hd_t hash;

	if (!request->bearer_token && !request->basic_user && !request->certificate_count)
		return -1;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0)
		return -1;
	digest_text(hash, request->bearer_token);
	digest_text(hash, request->basic_user);
	digest_text(hash, request->basic_password);
	for (size_t i = 0; i < request->certificate_count; i++) {
		uint64_t size = request->certificates[i].size;

		gnutls_hash(hash, &size, sizeof(size));
		gnutls_hash(hash, request->certificates[i].data, size);
	}
	for (size_t i = 0; i < request->audience_count; i++)
		digest_text(hash, request->audiences[i]);
	gnutls_hash_deinit(hash, digest);
	return 0;
}

static struct cached_answer *slot_of(struct authenticators *chain,
				     const unsigned char digest[DIGEST_SIZE])
{
	uint32_t word;

	memcpy(&word, digest, sizeof(word));
	return &chain->cache[word % CACHE_SLOTS];
}

static bool has_expired(const struct identity *identity)
{
	return identity->expires && identity->expires <= clock_realtime();
}

static struct identity *recall(struct authenticators *chain,
			       const unsigned char digest[DIGEST_SIZE])
{
	struct cached_answer *slot = slot_of(chain, digest);

	cox_lock_scope(&chain->lock);
	if (!slot->identity || slot->until <= clock_monotonic() || has_expired(slot->identity) ||
	    !cox_equal_secret(slot->digest, digest, DIGEST_SIZE))
		return NULL;
	return identity_ref(slot->identity);
}

static void remember(struct authenticators *chain, const unsigned char digest[DIGEST_SIZE],
		     struct identity *identity)
{
	struct cached_answer *slot = slot_of(chain, digest);
	struct identity *old;

	if (identity->flags & COX_AUTHN_VOLATILE)
		return;
	pthread_mutex_lock(&chain->lock);
	old = slot->identity;
	slot->identity = identity_ref(identity);
	slot->until = clock_monotonic() + cache_life;
	memcpy(slot->digest, digest, DIGEST_SIZE);
	pthread_mutex_unlock(&chain->lock);
	identity_unref(old);
}

struct identity *authenticators_recall(struct authenticators *chain,
				       const struct cox_authn_request *request)
{
	unsigned char digest[DIGEST_SIZE];

	if (digest_request(request, digest) != 0)
		return NULL;
	return recall(chain, digest);
}

/* One plugin's yes as an identity, NULL for everything else. */
static struct identity *ask_one(struct host_plugin *plugin, const struct cox_authn_request *request,
				const struct cox_call *call)
{
	const struct cox_authenticator_ops *ops = host_ops(plugin);
	struct identity_builder builder;
	cox_autoerror why = COX_ERROR_INIT;
	struct identity *identity = NULL;
	enum cox_authn_answer answer;

	identity_builder_init(&builder);
	{
		host_call_scope(plugin);
		answer = ops->authenticate(host_self(plugin), call, request, &builder.sink, &why);
	}
	switch (answer) {
	case COX_AUTHN_YES:
		identity = identity_builder_finish(&builder, &why);
		if (identity && has_expired(identity)) {
			identity_unref(identity);
			identity = NULL;
			error_set(&why, COX_REASON_UNAUTHORIZED, "the credential has expired");
		}
		break;
	case COX_AUTHN_NOT_MINE:
		break;
	case COX_AUTHN_BAD:
		if (!why.message)
			error_set(&why, COX_REASON_UNAUTHORIZED, "the credential is not valid");
		break;
	case COX_AUTHN_ERROR:
	default:
		host_op_failed(plugin, "authenticate", &why);
		log_warning("authenticator %s: %s", host_name(plugin), error_text(&why));
		break;
	}
	identity_builder_clear(&builder);
	if (why.message)
		log_verbose(2, "authenticator %s refused %s: %s", host_name(plugin),
			    request->remote_address ? request->remote_address : "a local caller",
			    error_text(&why));
	return identity;
}

struct identity *authenticators_ask(struct authenticators *chain,
				    const struct cox_authn_request *request,
				    const struct cox_call *call, struct cox_error *err)
{
	unsigned char digest[DIGEST_SIZE];
	bool keep = digest_request(request, digest) == 0;
	struct identity *identity = keep ? recall(chain, digest) : NULL;

	for (size_t i = 0; !identity && i < chain->plugins.count; i++) {
		identity = ask_one(chain->plugins.items[i], request, call);
		if (identity && keep)
			remember(chain, digest, identity);
	}
	if (!identity)
		error_set(err, COX_REASON_UNAUTHORIZED, "Unauthorized");
	return identity;
}
