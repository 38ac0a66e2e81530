/* SPDX-License-Identifier: Apache-2.0 */
/* Errors; see the header for the convention. */
#include "base/error.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <ctype.h>
#include <string.h>

static const struct {
	const char *name;
	int code;
} reasons[] = {
	[COX_REASON_NONE] = {"", 200},
	[COX_REASON_BAD_REQUEST] = {"BadRequest", 400},
	[COX_REASON_UNAUTHORIZED] = {"Unauthorized", 401},
	[COX_REASON_FORBIDDEN] = {"Forbidden", 403},
	[COX_REASON_NOT_FOUND] = {"NotFound", 404},
	[COX_REASON_METHOD_NOT_ALLOWED] = {"MethodNotAllowed", 405},
	[COX_REASON_NOT_ACCEPTABLE] = {"NotAcceptable", 406},
	[COX_REASON_ALREADY_EXISTS] = {"AlreadyExists", 409},
	[COX_REASON_CONFLICT] = {"Conflict", 409},
	[COX_REASON_GONE] = {"Gone", 410},
	[COX_REASON_EXPIRED] = {"Expired", 410},
	[COX_REASON_ENTITY_TOO_LARGE] = {"RequestEntityTooLarge", 413},
	[COX_REASON_UNSUPPORTED_MEDIA] = {"UnsupportedMediaType", 415},
	[COX_REASON_INVALID] = {"Invalid", 422},
	[COX_REASON_TOO_MANY_REQUESTS] = {"TooManyRequests", 429},
	[COX_REASON_INTERNAL_ERROR] = {"InternalError", 500},
	[COX_REASON_SERVER_TIMEOUT] = {"ServerTimeout", 500},
	[COX_REASON_SERVICE_UNAVAILABLE] = {"ServiceUnavailable", 503},
	[COX_REASON_TIMEOUT] = {"Timeout", 504},
	[COX_REASON_INSUFFICIENT_STORAGE] = {"InsufficientStorage", 507},
	[COX_REASON_STORE_READ_ERROR] = {"StorageReadError", 500},
};

static int known_reason(enum cox_reason reason)
{
	return (size_t)reason < sizeof(reasons) / sizeof(reasons[0]);
}

const char *error_reason_name(enum cox_reason reason)
{
	return known_reason(reason) ? reasons[reason].name : "InternalError";
}

int error_http_code(enum cox_reason reason)
{
	return known_reason(reason) ? reasons[reason].code : 500;
}

void error_clear(struct cox_error *err)
{
	for (size_t i = 0; i < err->cause_count; i++) {
		free(err->causes[i].field);
		free(err->causes[i].message);
	}
	free(err->causes);
	free(err->message);
	free(err->group);
	free(err->kind);
	free(err->name);
	free(err->uid);
	*err = (struct cox_error)COX_ERROR_INIT;
}

int error_vset(struct cox_error *err, enum cox_reason reason, const char *format, va_list args)
{
	cox_autobuf text = COX_BUF_INIT;

	if (!err)
		return -1;
	/* The text may be made of what err holds: format before clearing. */
	cox_buf_vprintf(&text, format, args);
	error_clear(err);
	err->reason = reason;
	err->message = cox_buf_steal(&text);
	return -1;
}

int error_set(struct cox_error *err, enum cox_reason reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_vset(err, reason, format, args);
	va_end(args);
	return -1;
}

int error_errno(struct cox_error *err, int number, const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	char why[128];
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	return error_set(err, COX_REASON_INTERNAL_ERROR, "%s: %s", cox_buf_cstr(&text),
			 strerror_r(number, why, sizeof(why)));
}

int error_open(struct cox_error *err, int number, const char *path)
{
	char room[128];
	const char *why = strerror_r(number, room, sizeof(room));

	if (!err)
		return -1;
	return error_set(err, COX_REASON_INTERNAL_ERROR, "open %s: %c%s", path,
			 tolower((unsigned char)*why), *why ? why + 1 : "");
}

int error_wrap(struct cox_error *err, const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	if (!err || !err->message)
		return -1;
	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	cox_buf_printf(&text, ": %s", err->message);
	free(err->message);
	err->message = cox_buf_steal(&text);
	return -1;
}

void error_add_cause(struct cox_error *err, const char *reason, const char *field,
		     const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	err->causes = cox_reallocarray(err->causes, err->cause_count + 1, sizeof(*err->causes));
	err->causes[err->cause_count++] =
		(struct error_cause){reason, field ? cox_strdup(field) : NULL,
				     cox_buf_steal(&text)};
}

static void replace(char **slot, const char *text)
{
	if (text) {
		free(*slot);
		*slot = cox_strdup(text);
	}
}

void error_set_details(struct cox_error *err, const char *group, const char *kind,
		       const char *name)
{
	if (!err)
		return;
	replace(&err->group, group);
	replace(&err->kind, kind);
	replace(&err->name, name);
}

void error_move(struct cox_error *to, struct cox_error *from)
{
	if (to) {
		error_clear(to);
		*to = *from;
		*from = (struct cox_error)COX_ERROR_INIT;
	} else {
		error_clear(from);
	}
}

const char *error_text(const struct cox_error *err)
{
	return err->message ? err->message : "failed without saying why";
}
