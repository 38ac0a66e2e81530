/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a request: query parameters, and DeleteOptions in a body,
 * with today's rules about what goes together. No parameter of a list or watch
 * is ever silently ignored: a wrong one is refused with its name.
 */
#ifndef COX_APISERVER_OPTIONS_H
#define COX_APISERVER_OPTIONS_H

#include "base/arena.h"
#include "base/error.h"
#include "machinery/selector.h"
#include "machinery/value.h"
#include "net/http.h"

#include <stdbool.h>
#include <stdint.h>

enum version_match {
	MATCH_UNSET = 0,
	MATCH_EXACT,
	MATCH_NOT_OLDER
};

/* meta/v1 ListOptions. Release with list_options_clear. */
struct list_options {
	struct label_selector *labels; /* NULL: everything */
	struct field_selector *fields; /* NULL: everything */
	const char *label_text, *field_text; /* as sent, "" if not */
	bool watch;
	bool bookmarks; /* allowWatchBookmarks */
	bool version_set;
	uint64_t version; /* resourceVersion; 0 with version_set: "0" */
	enum version_match match;
	uint64_t limit;		  /* 0: none */
	const char *continue_;	  /* "" if not sent */
	uint64_t timeout_seconds; /* 0: not sent */
	bool initial_events;	  /* sendInitialEvents=true */
	bool initial_events_set;
};

void list_options_clear(struct list_options *options);
/* `watch` is the verb's, also for the old path form. */
int list_options_parse(const struct http_parameter *params, size_t count, bool watch,
		       struct list_options *options, struct cox_error *err) COX_MUST_CHECK;

enum field_validation {
	VALIDATION_WARN = 0,
	VALIDATION_STRICT,
	VALIDATION_IGNORE
};

/* CreateOptions, UpdateOptions, PatchOptions; texts are borrowed. */
struct write_options {
	bool dry_run;
	bool force; /* of an apply patch */
	bool force_set;
	enum field_validation validation;
	const char *manager; /* fieldManager; "" if not sent; see fieldmanager.h */
};

/* `kind`: as what they are refused, "CreateOptions". */
int write_options_parse(const struct http_parameter *params, size_t count, const char *kind,
			struct write_options *options, struct cox_error *err) COX_MUST_CHECK;
/* An Invalid error of a kind of options: `kind.meta.k8s.io "" is invalid: field: text`. */
int option_invalid(struct cox_error *err, const char *kind, const char *field, const char *reason,
		   const char *format, ...) COX_PRINTF(5, 6);

enum propagation {
	PROPAGATION_UNSET = 0,
	PROPAGATION_BACKGROUND,
	PROPAGATION_FOREGROUND,
	PROPAGATION_ORPHAN
};

struct delete_options {
	bool dry_run;
	bool grace_set;
	int64_t grace_seconds;
	enum propagation propagation;
	const char *uid; /* preconditions; "" if not set */
	bool version_set;
	uint64_t version;
};

/* `body` is a decoded DeleteOptions, or NULL; parameters win over it. */
int delete_options_parse(const struct http_parameter *params, size_t count,
			 const struct value *body, struct delete_options *options,
			 struct cox_error *err) COX_MUST_CHECK;

/* A resourceVersion as clients send it back: decimal, or "" and "0". */
int version_parse(const char *text, uint64_t *version, struct cox_error *err) COX_MUST_CHECK;

/* The last value of that name, or NULL. */
const char *param_get(const struct http_parameter *params, size_t count, const char *name);
/* As the API reads booleans in queries: 1 t T TRUE true True and their opposites; "" is true. */
int param_bool(const struct http_parameter *params, size_t count, const char *name, bool *value,
	       bool *given, struct cox_error *err) COX_MUST_CHECK;
int param_int(const struct http_parameter *params, size_t count, const char *name, int64_t *value,
	      bool *given, struct cox_error *err) COX_MUST_CHECK;

/*
 * Continue tokens: where a paged list goes on, and at which revision. `start`
 * is the key behind the last one, below the collection; revision 0 asks for
 * the present state (what an inconsistent continue offers).
 */
char *continue_make(struct arena *arena, const char *start, size_t size, uint64_t revision);
int continue_read(struct arena *arena, const char *token, const char **start, size_t *size,
		  uint64_t *revision, struct cox_error *err) COX_MUST_CHECK;

#endif
