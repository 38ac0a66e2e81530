/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authenticator plugin: tells from the facts of a request who sent it.
 *
 * The host asks its authenticators in the configured order. The first that
 * answers COX_AUTHN_YES decides. "Not mine" (a credential of another kind) and
 * "bad" (my kind, but expired, forged or unknown) are different answers: after
 * a bad one the others are still asked, and if none says yes the request is
 * refused with 401. A request with no credential at all is asked about, too.
 *
 * Positive answers are cached by the host for at most 10 s, and never past
 * `expires`, unless the plugin says COX_AUTHN_VOLATILE.
 */
#ifndef COXSWAIN_AUTHENTICATOR_H
#define COXSWAIN_AUTHENTICATOR_H

#include <coxswain/cluster.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_AUTHENTICATOR_OPS_ABI 0u

/* What is known of a request. Borrowed for the call. */
struct cox_authn_request {
	uint32_t struct_size;
	uint32_t reserved;
	const char *remote_address; /* "192.0.2.7:4711"; NULL: a local caller */
	const char *bearer_token;   /* of "Authorization: Bearer"; NULL: none */
	const char *basic_user;     /* of "Authorization: Basic"; NULL: none */
	const char *basic_password; /* NULL: none */
	/*
	 * The client's certificate chain, DER, leaf first. Empty without TLS
	 * or if the client sent none. The TLS layer has proven that the client
	 * holds the key; whether the chain leads to a trusted root is for the
	 * plugin to judge.
	 */
	const struct cox_bytes *certificates;
	size_t certificate_count;
	/* What the token must be meant for; empty: the server's own. */
	const char *const *audiences;
	size_t audience_count;
};

enum cox_authn_answer {
	COX_AUTHN_ERROR = -1, /* cannot tell: `err` says why; counts as bad */
	COX_AUTHN_NOT_MINE = 0,
	COX_AUTHN_YES = 1, /* the sink has the identity */
	COX_AUTHN_BAD = 2  /* `err` may say why; the client is not told */
};

#define COX_AUTHN_VOLATILE 1u /* ask again every time */

/* Takes the identity; texts are copied. user() is called exactly once. */
struct cox_identity_sink {
	uint32_t struct_size;
	uint32_t reserved;
	void (*user)(const struct cox_identity_sink *sink, const char *name, const char *uid);
	void (*group)(const struct cox_identity_sink *sink, const char *group);
	/* Several values of one key: several calls. Keys in lower case. */
	void (*extra)(const struct cox_identity_sink *sink, const char *key, const char *value);
	/* One of the asked audiences that the credential is good for. */
	void (*audience)(const struct cox_identity_sink *sink, const char *audience);
	/* Real time in nanoseconds since 1970; not called: no end. */
	void (*expires)(const struct cox_identity_sink *sink, uint64_t realtime_ns);
	void (*flags)(const struct cox_identity_sink *sink, uint32_t flags);
};

struct cox_authenticator_ops {
	/* Required. */
	enum cox_authn_answer (*authenticate)(void *self, const struct cox_call *call,
					      const struct cox_authn_request *request,
					      const struct cox_identity_sink *sink,
					      struct cox_error *err);
	/*
	 * Called once between get_ready() and start(), with the cluster under
	 * the plugin's own identity; it stays valid until stop(). Not called
	 * where there is no cluster to ask: a plugin that cannot do without
	 * fails in start(). Optional.
	 */
	int (*setup)(void *self, const struct cox_cluster *cluster, struct cox_error *err);
};

COX_STATIC_ASSERT(sizeof(struct cox_authenticator_ops) % sizeof(void *) == 0, "no tail padding");

#define COX_AUTHENTICATOR_PLUGIN(ops_table, ...)                                               \
	COX_PLUGIN_DESCRIPTOR("authenticator", COX_AUTHENTICATOR_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
