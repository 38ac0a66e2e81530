/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error convention: functions that can fail return 0, or -1 (or NULL)
 * after filling the `struct cox_error` they were given; on success they leave
 * it alone. Start from COX_ERROR_INIT and end with error_clear (or declare it
 * `cox_autoerror`). A caller that does not care passes NULL. Errors are wrapped
 * on the way up ("load pod cache: ...") and logged once, where they are handled.
 *
 * An error is a Kubernetes Status in the making: reason, message, and where it
 * applies details and causes. One thread at a time.
 */
#ifndef COX_BASE_ERROR_H
#define COX_BASE_ERROR_H

#include <coxswain/plugin.h>
#include <stdarg.h>

/* One cause of a Status: what was wrong where. */
struct error_cause {
	const char *reason; /* "FieldValueRequired", …: a constant */
	char *field;        /* "spec.containers[0].image"; NULL: none */
	char *message;
};

struct cox_error {
	enum cox_reason reason; /* COX_REASON_NONE: no error */
	char *message;          /* NULL: no error */
	uint32_t retry_after;   /* seconds; 0: not said */
	/* Status.details; NULL where not said */
	char *group;
	char *kind; /* the resource, or the Kind for Invalid */
	char *name;
	char *uid;
	struct error_cause *causes;
	size_t cause_count;
};

#define COX_ERROR_INIT {COX_REASON_NONE, NULL, 0, NULL, NULL, NULL, NULL, NULL, 0}

void error_clear(struct cox_error *err);
#define cox_autoerror __attribute__((cleanup(error_clear))) struct cox_error

/* Replaces what was there; returns -1. */
int error_set(struct cox_error *err, enum cox_reason reason, const char *format, ...)
	COX_PRINTF(3, 4);
int error_vset(struct cox_error *err, enum cox_reason reason, const char *format, va_list args)
	COX_PRINTF(3, 0);
/* Internal error with strerror(number) behind the text; returns -1. */
int error_errno(struct cox_error *err, int number, const char *format, ...) COX_PRINTF(3, 4);
/* "open PATH: permission denied", in the words that users search logs for; returns -1. */
int error_open(struct cox_error *err, int number, const char *path);
/* Puts "text: " before the message, if there is an error; returns -1. */
int error_wrap(struct cox_error *err, const char *format, ...) COX_PRINTF(2, 3);
/* Adds a cause. `reason` is a constant; `field` may be NULL. */
void error_add_cause(struct cox_error *err, const char *reason, const char *field,
		     const char *format, ...) COX_PRINTF(4, 5);
/* Fills in details; NULL leaves a part as it is. */
void error_set_details(struct cox_error *err, const char *group, const char *kind,
		       const char *name);
/* Moves `from` to `to` (cleared first); `from` is empty after. */
void error_move(struct cox_error *to, struct cox_error *from);

/* "NotFound", …; "" for COX_REASON_NONE. */
const char *error_reason_name(enum cox_reason reason);
int error_http_code(enum cox_reason reason);
/* The message, or a standing text if there is none; never NULL. */
const char *error_text(const struct cox_error *err);

#endif
