/* SPDX-License-Identifier: Apache-2.0 */
/* Options of requests; see the header. */
#include "apiserver/options.h"

#include "machinery/json.h"
#include "machinery/managers.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *param_get(const struct http_parameter *params, size_t count, const char *name)
{
	for (size_t i = count; i-- > 0;)
		if (strcmp(params[i].name, name) == 0)
			return params[i].value;
	return NULL;
}

int param_bool(const struct http_parameter *params, size_t count, const char *name, bool *value,
	       bool *given, struct cox_error *err)
{
	static const char *const yes[] = {"", "1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
	const char *text = param_get(params, count, name);

	if (given)
		*given = text != NULL;
	if (!text)
		return 0;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (strcmp(text, yes[i]) == 0) {
			*value = true;
			return 0;
		}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (strcmp(text, no[i]) == 0) {
			*value = false;
			return 0;
		}
	return error_set(err, COX_REASON_BAD_REQUEST,
			 "query parameter %s: \"%s\" is neither true nor false", name, text);
}

int param_int(const struct http_parameter *params, size_t count, const char *name, int64_t *value,
	      bool *given, struct cox_error *err)
{
	const char *text = param_get(params, count, name);

	if (given)
		*given = text && *text;
	if (!text || !*text)
		return 0;
	if (cox_parse_int(text, INT64_MIN, INT64_MAX, value) != 0)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "query parameter %s: \"%s\" is not a whole number", name, text);
	return 0;
}

int version_parse(const char *text, uint64_t *version, struct cox_error *err)
{
	int64_t value = 0;

	*version = 0;
	if (!*text)
		return 0;
	if (cox_parse_int(text, 0, INT64_MAX, &value) != 0) {
		error_set(err, COX_REASON_BAD_REQUEST,
			  "invalid resource version \"%s\": it must be a decimal number that this "
			  "server gave out",
			  text);
		return -1;
	}
	*version = (uint64_t)value;
	return 0;
}

/* 422 in the form that clients fall back on. */
static int invalid_list(struct cox_error *err, const char *field, const char *reason,
			const char *kind, const char *detail)
{
	error_set(err, COX_REASON_INVALID, "ListOptions.meta.k8s.io \"\" is invalid: %s: %s: %s",
		  field, kind, detail);
	error_set_details(err, "meta.k8s.io", "ListOptions", NULL);
	error_add_cause(err, reason, field, "%s: %s", kind, detail);
	return -1;
}

static int forbidden(struct cox_error *err, const char *field, const char *detail)
{
	return invalid_list(err, field, "FieldValueForbidden", "Forbidden", detail);
}

static int parse_match(const char *text, struct list_options *options, struct cox_error *err)
{
	if (!text || !*text)
		return 0;
	if (strcmp(text, "Exact") == 0) {
		options->match = MATCH_EXACT;
	} else if (strcmp(text, "NotOlderThan") == 0) {
		options->match = MATCH_NOT_OLDER;
	} else {
		cox_autobuf detail = COX_BUF_INIT;

		cox_buf_json_string(&detail, text, strlen(text));
		cox_buf_str(&detail, ": supported values: \"Exact\", \"NotOlderThan\"");
		return invalid_list(err, "resourceVersionMatch", "FieldValueNotSupported",
				    "Unsupported value", cox_buf_cstr(&detail));
	}
	return 0;
}

/* What goes together: KEP-2523 and KEP-3157 as today's servers check it. */
static int check_list(const struct list_options *options, struct cox_error *err)
{
	static const char field[] = "resourceVersionMatch";

	if (!options->watch) {
		if (options->initial_events_set)
			return forbidden(err, "sendInitialEvents",
					 "sendInitialEvents is forbidden for list");
		if (options->match == MATCH_UNSET) {
			if (*options->continue_ && options->version)
				return error_set(err, COX_REASON_BAD_REQUEST,
						 "specifying resource version is not allowed when "
						 "using continue");
			return 0;
		}
		if (!options->version_set)
			return forbidden(err, field,
					 "resourceVersionMatch is forbidden unless "
					 "resourceVersion is provided");
		if (*options->continue_)
			return forbidden(err, field,
					 "resourceVersionMatch is forbidden when continue is "
					 "provided");
		if (options->match == MATCH_EXACT && options->version == 0)
			return forbidden(err, field,
					 "resourceVersionMatch \"exact\" is forbidden for "
					 "resourceVersion \"0\"");
		return 0;
	}
	if (options->initial_events_set) {
		if (options->match != MATCH_NOT_OLDER)
			return forbidden(err, field,
					 "sendInitialEvents requires setting resourceVersionMatch "
					 "to NotOlderThan");
		if (*options->continue_)
			return forbidden(err, "continue",
					 "sendInitialEvents and continue cannot be combined");
		return 0;
	}
	if (options->match != MATCH_UNSET)
		return forbidden(err, field,
				 "resourceVersionMatch is forbidden for watch unless "
				 "sendInitialEvents is provided");
	return 0;
}

void list_options_clear(struct list_options *options)
{
	free(options->labels);
	free(options->fields);
	options->labels = NULL;
	options->fields = NULL;
}

static int parse_selectors(const struct http_parameter *params, size_t count,
			   struct list_options *options, struct cox_error *err)
{
	const char *text = param_get(params, count, "labelSelector");

	if (text && *text) {
		options->label_text = text;
		options->labels = label_selector_parse(text, strlen(text), err);
		if (!options->labels)
			return error_wrap(err, "unable to parse the label selector");
	}
	text = param_get(params, count, "fieldSelector");
	if (text && *text) {
		options->field_text = text;
		options->fields = field_selector_parse(text, strlen(text), err);
		if (!options->fields)
			return error_wrap(err, "unable to parse the field selector");
	}
	return 0;
}

int list_options_parse(const struct http_parameter *params, size_t count, bool watch,
		       struct list_options *options, struct cox_error *err)
{
	const char *text;
	int64_t limit = 0, timeout = 0;

	*options = (struct list_options){
		.label_text = "", .field_text = "", .continue_ = "", .watch = watch};
	if (parse_selectors(params, count, options, err) != 0 ||
	    param_bool(params, count, "allowWatchBookmarks", &options->bookmarks, NULL, err) != 0 ||
	    param_bool(params, count, "sendInitialEvents", &options->initial_events,
		       &options->initial_events_set, err) != 0 ||
	    param_int(params, count, "limit", &limit, NULL, err) != 0 ||
	    param_int(params, count, "timeoutSeconds", &timeout, NULL, err) != 0 ||
	    parse_match(param_get(params, count, "resourceVersionMatch"), options, err) != 0)
		goto fail;
	text = param_get(params, count, "resourceVersion");
	options->version_set = text && *text;
	if (options->version_set && version_parse(text, &options->version, err) != 0)
		goto fail;
	text = param_get(params, count, "continue");
	options->continue_ = text ? text : "";
	if (limit < 0 || timeout < 0) {
		error_set(err, COX_REASON_BAD_REQUEST, "query parameter %s must not be negative",
			  limit < 0 ? "limit" : "timeoutSeconds");
		goto fail;
	}
	options->limit = (uint64_t)limit;
	options->timeout_seconds = (uint64_t)(timeout < INT32_MAX ? timeout : INT32_MAX);
	if (check_list(options, err) != 0)
		goto fail;
	return 0;
fail:
	list_options_clear(options);
	return -1;
}

static int parse_dry_run(const char *text, bool *dry_run, struct cox_error *err)
{
	if (!text || !*text)
		return 0;
	if (strcmp(text, "All") != 0)
		return error_set(err, COX_REASON_INVALID,
				 "dryRun: Unsupported value: \"%s\": supported values: \"All\"",
				 text);
	*dry_run = true;
	return 0;
}

static int parse_validation(const char *text, enum field_validation *validation,
			    struct cox_error *err)
{
	if (!text || !*text || strcmp(text, "Warn") == 0)
		*validation = VALIDATION_WARN;
	else if (strcmp(text, "Strict") == 0)
		*validation = VALIDATION_STRICT;
	else if (strcmp(text, "Ignore") == 0)
		*validation = VALIDATION_IGNORE;
	else
		return error_set(err, COX_REASON_INVALID,
				 "fieldValidation: Unsupported value: \"%s\": supported values: "
				 "\"Ignore\", \"Strict\", \"Warn\"",
				 text);
	return 0;
}

int option_invalid(struct cox_error *err, const char *kind, const char *field, const char *reason,
		   const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	error_set(err, COX_REASON_INVALID, "%s.meta.k8s.io \"\" is invalid: %s: %s", kind, field,
		  cox_buf_cstr(&text));
	error_set_details(err, "meta.k8s.io", kind, NULL);
	error_add_cause(err, reason, field, "%s", cox_buf_cstr(&text));
	return -1;
}

static int check_manager(const char *manager, const char *kind, struct cox_error *err)
{
	const char *why = manager_name_problem(manager);

	if (!why)
		return 0;
	if (strlen(manager) > MANAGER_NAME_MAX)
		return option_invalid(err, kind, "fieldManager", "FieldValueTooLong", "%s", why);
	return option_invalid(err, kind, "fieldManager", "FieldValueInvalid",
			      "Invalid value: \"%s\": %s", manager, why);
}

int write_options_parse(const struct http_parameter *params, size_t count, const char *kind,
			struct write_options *options, struct cox_error *err)
{
	const char *manager = param_get(params, count, "fieldManager");

	*options = (struct write_options){.manager = manager ? manager : ""};
	if (check_manager(options->manager, kind, err) != 0 ||
	    parse_dry_run(param_get(params, count, "dryRun"), &options->dry_run, err) != 0 ||
	    parse_validation(param_get(params, count, "fieldValidation"), &options->validation,
			     err) != 0)
		return -1;
	return param_bool(params, count, "force", &options->force, &options->force_set, err);
}

static int parse_propagation(const char *text, enum propagation *propagation, struct cox_error *err)
{
	if (!text || !*text)
		return 0;
	if (strcmp(text, "Background") == 0)
		*propagation = PROPAGATION_BACKGROUND;
	else if (strcmp(text, "Foreground") == 0)
		*propagation = PROPAGATION_FOREGROUND;
	else if (strcmp(text, "Orphan") == 0)
		*propagation = PROPAGATION_ORPHAN;
	else
		return error_set(err, COX_REASON_INVALID,
				 "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: "
				 "Unsupported value: \"%s\": supported values: \"Foreground\", "
				 "\"Background\", \"Orphan\"",
				 text);
	return 0;
}

static int read_delete_body(const struct value *body, struct delete_options *options,
			    const char **policy, bool *orphan, bool *orphan_set,
			    struct cox_error *err)
{
	const struct value *grace = value_get(body, "gracePeriodSeconds");
	const struct value *preconditions = value_get(body, "preconditions");
	const struct value *dry_run = value_get(body, "dryRun");
	const char *version = value_get_text(preconditions, "resourceVersion");

	if (value_is(grace, VALUE_INT)) {
		options->grace_set = true;
		options->grace_seconds = grace->integer;
	}
	*policy = value_get_text(body, "propagationPolicy");
	*orphan_set = value_is(value_get(body, "orphanDependents"), VALUE_BOOL);
	*orphan = value_get_bool(body, "orphanDependents");
	options->uid = value_get_text(preconditions, "uid");
	options->version_set = *version != '\0';
	if (version_parse(version, &options->version, err) != 0)
		return -1;
	for (size_t i = 0; dry_run && dry_run->kind == VALUE_ARRAY && i < dry_run->count; i++)
		if (parse_dry_run(value_text(value_at(dry_run, i)), &options->dry_run, err) != 0)
			return -1;
	return 0;
}

int delete_options_parse(const struct http_parameter *params, size_t count,
			 const struct value *body, struct delete_options *options,
			 struct cox_error *err)
{
	bool orphan = false, orphan_set = false, grace_given = false, given = false;
	const char *policy = "";

	*options = (struct delete_options){.uid = ""};
	if (read_delete_body(body, options, &policy, &orphan, &orphan_set, err) != 0)
		return -1;
	if (param_int(params, count, "gracePeriodSeconds", &options->grace_seconds, &grace_given,
		      err) != 0 ||
	    param_bool(params, count, "orphanDependents", &orphan, &given, err) != 0 ||
	    parse_dry_run(param_get(params, count, "dryRun"), &options->dry_run, err) != 0)
		return -1;
	options->grace_set |= grace_given;
	orphan_set |= given;
	if (param_get(params, count, "propagationPolicy"))
		policy = param_get(params, count, "propagationPolicy");
	if (parse_propagation(policy, &options->propagation, err) != 0)
		return -1;
	if (orphan_set) {
		if (options->propagation != PROPAGATION_UNSET)
			return error_set(err, COX_REASON_INVALID,
					 "DeleteOptions.meta.k8s.io \"\" is invalid: "
					 "propagationPolicy: Invalid value: \"%s\": "
					 "orphanDependents and deletionPropagation cannot be both "
					 "set",
					 policy);
		options->propagation = orphan ? PROPAGATION_ORPHAN : PROPAGATION_BACKGROUND;
	}
	/* A negative grace period means: at once, but gracefully. */
	if (options->grace_set && options->grace_seconds < 0)
		options->grace_seconds = 1;
	return 0;
}

char *continue_make(struct arena *arena, const char *start, size_t size, uint64_t revision)
{
	cox_autobuf json = COX_BUF_INIT;
	char *token;

	cox_buf_printf(&json, "{\"v\":\"meta.k8s.io/v1\",\"rv\":%" PRIu64 ",\"start\":", revision);
	cox_buf_json_string(&json, start, size);
	cox_buf_char(&json, '}');
	token = arena_alloc(arena, cox_base64_size(json.size));
	cox_base64url_encode(json.data, json.size, token);
	return token;
}

int continue_read(struct arena *arena, const char *token, const char **start, size_t *size,
		  uint64_t *revision, struct cox_error *err)
{
	size_t length = strlen(token);
	char *json;
	int64_t json_size, version;
	const struct value *tree, *key;
	cox_autoerror ignored = COX_ERROR_INIT;

	if (length > 16384)
		goto bad;
	json = arena_alloc(arena, length + 1);
	json_size = cox_base64url_decode(token, length, json);
	if (json_size < 0)
		goto bad;
	tree = json_parse(arena, json, (size_t)json_size, NULL, &ignored);
	key = value_get(tree, "start");
	version = value_get_int(tree, "rv", -1);
	if (!value_string_is(value_get(tree, "v"), "meta.k8s.io/v1") ||
	    !value_is(key, VALUE_STRING) || key->count == 0 || version < 0)
		goto bad;
	*start = key->text;
	*size = key->count;
	*revision = (uint64_t)version;
	return 0;
bad:
	return error_set(err, COX_REASON_BAD_REQUEST, "continue key is not valid");
}
