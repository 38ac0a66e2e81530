/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How every component talks to the API server: one interface, two transports.
 * "local" calls the server of the same process through a function table that
 * main.c hands over (authentication by the identity given here; authorization
 * and admission as for anybody); "http" uses libcurl.
 *
 * A client may be used from any thread. Calls block until the answer is there
 * or the deadline has passed; watch events arrive by callback on the client's
 * own watch thread, so callbacks must be quick and must not call back into
 * client_call or client_watch_close for their own watch.
 */
#ifndef COX_CLIENT_CLIENT_H
#define COX_CLIENT_CLIENT_H

#include "base/bytes.h"
#include "base/error.h"

#include <coxswain/kit/buf.h>
#include <stdbool.h>

enum client_verb {
	CLIENT_GET = 1,
	CLIENT_LIST,
	CLIENT_CREATE,		  /* POST */
	CLIENT_UPDATE,		  /* PUT */
	CLIENT_PATCH,		  /* content_type says which kind of patch */
	CLIENT_DELETE,		  /* body: DeleteOptions, or none */
	CLIENT_DELETE_COLLECTION, /* of what the selectors match */
	CLIENT_WATCH		  /* with client_watch_open only */
};

#define CLIENT_JSON "application/json"
#define CLIENT_MERGE_PATCH "application/merge-patch+json"
#define CLIENT_STRATEGIC_PATCH "application/strategic-merge-patch+json"
#define CLIENT_JSON_PATCH "application/json-patch+json"
#define CLIENT_APPLY_PATCH "application/apply-patch+yaml"

/* One query parameter, plain (the HTTP transport escapes it). */
struct client_option {
	const char *name; /* "labelSelector" */
	const char *value;
};

/* Everything in it is borrowed for the call. NULL and "" mean the same. */
struct client_request {
	enum client_verb verb;
	const char *group; /* "" or NULL: core */
	const char *version;
	const char *resource;	 /* plural; NULL: `path` is used */
	const char *namespace;	 /* NULL: cluster-wide, or all namespaces */
	const char *name;	 /* NULL for list, create, watch, collections */
	const char *subresource; /* "status", "scale", "binding", … */
	const char *path;	 /* "/version", "/openapi/v2", … for non-resources */
	const struct client_option *options;
	size_t option_count;
	const void *body;
	size_t body_size;
	const char *content_type; /* NULL: application/json */
	const char *accept;	  /* NULL: application/json */
	uint64_t deadline;	  /* clock_monotonic() nanoseconds; 0: 60 s from now */
};

struct client_answer {
	int code;	     /* HTTP status code; 0: no answer came */
	struct cox_buf body; /* bounded to CLIENT_ANSWER_MAX */
	char *content_type;  /* NULL: not said */
};

#define CLIENT_ANSWER_INIT                                                                         \
	{                                                                                          \
		0, COX_BUF_INIT, NULL                                                              \
	}
#define CLIENT_ANSWER_MAX ((size_t)256 << 20)
#define CLIENT_EVENT_MAX ((size_t)16 << 20)
#define CLIENT_DEFAULT_TIMEOUT (60 * UINT64_C(1000000000))

void client_answer_clear(struct client_answer *answer);
#define cox_autoanswer __attribute__((cleanup(client_answer_clear))) struct client_answer

enum client_event_type { CLIENT_ADDED = 1, CLIENT_MODIFIED, CLIENT_DELETED, CLIENT_BOOKMARK };

/*
 * The two ends of a watch, called in order from one thread at a time. `ended`
 * comes exactly once, last, unless the watch was closed first; a `why` without
 * a reason says that the server ended it in the ordinary way. An ERROR event
 * arrives as `ended` with its Status in `why`.
 */
struct client_watcher {
	/* `object` is borrowed: bytes_ref to keep it without a copy. */
	void (*event)(void *context, enum client_event_type type, struct bytes *object);
	void (*ended)(void *context, const struct cox_error *why);
};

struct client;
struct client_watch;

/*
 * 0: the answer is a success (2xx), its body is in `answer`. -1: `err` has the
 * Status that the server answered, or what went wrong on the way; `answer` has
 * code and body if there was an answer. `answer` is cleared first and may be
 * NULL if only success matters.
 */
int client_call(struct client *client, const struct client_request *request,
		struct client_answer *answer, struct cox_error *err) COX_MUST_CHECK;

/*
 * Returns at once or after the answer's head has come; a refused watch is NULL
 * with the Status in `err`, or an `ended` callback. The strings of the request
 * are copied.
 */
struct client_watch *client_watch_open(struct client *client, const struct client_request *request,
				       const struct client_watcher *watcher, void *context,
				       struct cox_error *err);
/* Also after `ended`. No callback runs once it has returned. */
void client_watch_close(struct client_watch *watch);

/* All watches are closed first. */
void client_free(struct client *client);

/*
 * For those who try for ever: whether a failure is to be told now, or was told
 * by somebody else just before; and that the server has answered.
 */
bool client_tells_failure(struct client *client, const struct cox_error *why);
void client_is_back(struct client *client);

/* Who a client is, to a server that takes its word; borrowed for the call. */
struct client_identity {
	const char *user; /* "system:kube-controller-manager" */
	const char *const *groups;
	size_t group_count;
	const char *user_agent; /* "kube-controller-manager/v1.36.2 …" */
};

/* ---- transport "http"; "local" is in local.h ---- */

/* NULL where not set; *_data is PEM and wins over the file of the same name. */
struct client_http_config {
	const char *server; /* "https://10.0.0.1:6443", "http://kube-master:8080" */
	const char *ca_file;
	const char *ca_data;
	const char *certificate_file;
	const char *certificate_data;
	const char *key_file;
	const char *key_data;
	const char *token;
	const char *token_file; /* read again when it changes; wins over token */
	const char *username;	/* basic authentication */
	const char *password;
	const char *tls_server_name; /* the name the certificate must carry */
	const char *namespace;	     /* of the kubeconfig context; for callers */
	const char *user_agent;
	bool insecure;	    /* do not verify the server's certificate */
	const char *socket; /* abstract unix socket to connect to, whatever `server` says; */
	const struct client_identity *identity; /* who to be there */
};

/* Copies what it needs; connects at the first call. NULL: `err` says why. */
struct client *client_new_http(const struct client_http_config *config, struct cox_error *err);

/* What `identity` becomes on the wire; a group is a header of its own each time. */
#define CLIENT_USER_HEADER "X-Remote-User"
#define CLIENT_GROUP_HEADER "X-Remote-Group"

/* ---- helpers for callers ---- */

/*
 * The Status of a failed answer, decoded into `err`: reason, message, details,
 * causes, retry-after. Bodies that are no Status become their text. -1.
 */
int client_status_error(int code, const void *body, size_t size, struct cox_error *err);

/* "/api/v1/namespaces/a/pods/b/status", or request->path; no query. */
void client_request_path(struct cox_buf *out, const struct client_request *request);

#endif
