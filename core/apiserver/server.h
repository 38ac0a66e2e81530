/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server as its parts see it: what one running server consists of. It
 * is assembled by assemble.c and not changed while it serves, except for the
 * chains, which a reload swaps whole.
 */
#ifndef COX_APISERVER_SERVER_H
#define COX_APISERVER_SERVER_H

#include "access/authenticate.h"
#include "access/authorize.h"
#include "base/workers.h"
#include "machinery/schema.h"
#include "net/http.h"
#include "store/forms.h"
#include "store/store.h"

#include <coxswain/kit/map.h>
#include <pthread.h>

struct admission;
struct allocators;
struct client;
struct informers;
struct kubelets;
struct measures;
struct pki_key;
struct recorder;
struct strategy;
struct watch_hub;

/* One group, version and plural that is served. Lives as long as the server. */
struct api_resource {
	struct apiserver *server;
	const struct schema_resource *row;
	const struct schema_type *type;
	const char *group, *version, *name, *kind;
	bool namespaced;
	/*
	 * The stored form; the same row and type unless this is a view of
	 * another version's collection. NULL collection: never stored.
	 */
	const struct schema_resource *stored_row;
	const struct schema_type *stored_type;
	struct store_collection *collection;
	struct store_decoder decoder;
	const struct strategy *strategy; /* never NULL */
	struct measures *measures;	 /* see measure.h */
};

/* Who may do what: counted, so that a request keeps what it began with. */
struct api_chains {
	atomic_uint references;
	struct apiserver *server; /* that counts them among the replaced; NULL: in force */
	struct authenticators *authenticators;
	struct authorizers *authorizers;
	struct admission *admission;
	/*
	 * None of them are there yet, or any more: no port is open, and the
	 * parts of the server that call it themselves are let through.
	 */
	bool closed;
};

struct apiserver {
	const struct schema *schema;
	struct store *store;
	struct store_forms *forms;
	struct workers *workers;
	struct watch_hub *watches;
	struct allocators *allocators;
	struct kubelets *kubelets;
	/* What admission plugins see the cluster through. */
	struct client *client;
	struct informers *informers;
	struct recorder *recorder;

	struct api_resource *resources; /* in discovery's order */
	size_t resource_count;
	struct cox_map resource_map; /* "group/version/plural" */

	pthread_mutex_t chains_lock;
	struct api_chains *chains;
	atomic_uint replaced; /* chains that are not in force and not freed yet */

	/* How long a watch without timeoutSeconds lasts, at least. */
	uint64_t min_watch_seconds;
	uint32_t event_ttl_seconds;
	/* Tokens of service accounts. NULL key: none are signed. */
	struct pki_key *token_key;
	const char *issuer;
	const char *const *audiences;
	size_t audience_count;
	/* Extra lines of /readyz and /livez. */
	atomic_bool ready;
	atomic_bool stopping;
	bool offers_basic;	       /* --basic-auth-file is set: a 401 says so */
	const char *external_hostname; /* --external-hostname; "" */
	char etag[40];		       /* of documents that change only with the program */
};

/* NULL: not served. */
struct api_resource *apiserver_resource(struct apiserver *server, const char *group,
					const char *version, const char *name);
/* The resource that stores objects of that group and plural, in any version. */
struct api_resource *apiserver_stored(struct apiserver *server, const char *group,
				      const char *name);

/* The chains in force, for apiserver_release_chains. Never NULL from the first swap on. */
struct api_chains *apiserver_chains(struct apiserver *server);
/*
 * The end of a request may be on a thread that the plugins of a chain wait for
 * when they stop (the store's, an informer's): the last one has a worker do it.
 */
void apiserver_release_chains(struct apiserver *server, struct api_chains *chains);
void apiserver_swap_chains(struct apiserver *server, struct api_chains *chains);
/* Waits until all that were replaced are gone; when nothing is served any more. */
void apiserver_settle_chains(struct apiserver *server);
struct api_chains *api_chains_new(void); /* one reference, all parts NULL */
void api_chains_unref(struct api_chains *chains);

/*
 * The handler of the secure port, and of the other one: everybody who reaches
 * the insecure port is a member of system:masters and needs no permission. The
 * third one is of the socket of the process that started this one, which says
 * by headers (client.h) which of its parts asks.
 */
void apiserver_handle(struct http_request *request);
void apiserver_handle_insecure(struct http_request *request);
void apiserver_handle_own(struct http_request *request);

#endif
