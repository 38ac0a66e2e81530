/* SPDX-License-Identifier: Apache-2.0 */
/* Status objects; see the header. */
#include "apiserver/status.h"

#include <string.h>

static void member(struct cox_buf *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	cox_buf_printf(out, "\"%s\":", name);
	cox_buf_json_string(out, text, strlen(text));
	cox_buf_char(out, ',');
}

/* Removes the comma behind the last member. */
static void end_object(struct cox_buf *out)
{
	if (out->data[out->size - 1] == ',')
		cox_buf_truncate(out, out->size - 1);
	cox_buf_char(out, '}');
}

static void write_details(struct cox_buf *out, const struct cox_error *err)
{
	cox_buf_str(out, "\"details\":{");
	member(out, "name", err->name);
	member(out, "group", err->group);
	member(out, "kind", err->kind);
	member(out, "uid", err->uid);
	if (err->cause_count) {
		cox_buf_str(out, "\"causes\":[");
		for (size_t i = 0; i < err->cause_count; i++) {
			cox_buf_char(out, '{');
			member(out, "reason", err->causes[i].reason);
			member(out, "message", err->causes[i].message);
			member(out, "field", err->causes[i].field);
			end_object(out);
			cox_buf_char(out, i + 1 < err->cause_count ? ',' : ']');
		}
		cox_buf_char(out, ',');
	}
	if (err->retry_after)
		cox_buf_printf(out, "\"retryAfterSeconds\":%u,", err->retry_after);
	end_object(out);
	cox_buf_char(out, ',');
}

static bool has_details(const struct cox_error *err)
{
	return err->name || err->kind || err->uid || err->cause_count || err->retry_after;
}

void status_write_error(struct cox_buf *out, const struct cox_error *err)
{
	enum cox_reason reason =
		err->reason == COX_REASON_NONE ? COX_REASON_INTERNAL_ERROR : err->reason;

	cox_buf_str(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
			 "\"status\":\"Failure\",");
	member(out, "message", error_text(err));
	member(out, "reason", error_reason_name(reason));
	if (has_details(err))
		write_details(out, err);
	cox_buf_printf(out, "\"code\":%d}", error_http_code(reason));
}

void status_write_success(struct cox_buf *out, const char *group, const char *resource,
			  const char *name, const char *uid)
{
	cox_buf_str(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
			 "\"status\":\"Success\",\"details\":{");
	member(out, "name", name);
	member(out, "group", group);
	member(out, "kind", resource);
	member(out, "uid", uid);
	end_object(out);
	cox_buf_char(out, '}');
}

/* "pods", or "replicasets.apps" outside of the core group. */
static int fill(struct cox_error *err, enum cox_reason reason, const char *group,
		const char *resource, const char *name, const char *format_tail)
{
	error_set(err, reason, "%s%s%s \"%s\" %s", resource, *group ? "." : "", group, name,
		  format_tail);
	error_set_details(err, *group ? group : NULL, resource, name);
	return -1;
}

int status_not_found(struct cox_error *err, const char *group, const char *resource,
		     const char *name)
{
	return fill(err, COX_REASON_NOT_FOUND, group, resource, name, "not found");
}

int status_already_exists(struct cox_error *err, const char *group, const char *resource,
			  const char *name)
{
	return fill(err, COX_REASON_ALREADY_EXISTS, group, resource, name, "already exists");
}

int status_conflict(struct cox_error *err, const char *group, const char *resource,
		    const char *name)
{
	error_set(err, COX_REASON_CONFLICT,
		  "Operation cannot be fulfilled on %s%s%s \"%s\": the object has been modified; "
		  "please apply your changes to the latest version and try again",
		  resource, *group ? "." : "", group, name);
	error_set_details(err, *group ? group : NULL, resource, name);
	return -1;
}

int status_forbidden(struct cox_error *err, const char *group, const char *resource,
		     const char *name, const char *why)
{
	cox_autobuf text = COX_BUF_INIT;

	/* A list, or an object that has no name yet. */
	if (!name || !*name) {
		error_set(err, COX_REASON_FORBIDDEN, "%s%s%s is forbidden: %s", resource,
			  *group ? "." : "", group, why);
		error_set_details(err, *group ? group : NULL, resource, NULL);
		return -1;
	}
	cox_buf_printf(&text, "is forbidden: %s", why);
	return fill(err, COX_REASON_FORBIDDEN, group, resource, name, cox_buf_cstr(&text));
}
