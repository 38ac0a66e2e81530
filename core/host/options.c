/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a plugin: texts from files and flags, checked against the table
 * that the plugin brings, and handed over in one normal form: numbers and
 * sizes in decimal, durations in nanoseconds, paths absolute.
 */
#include "host/internal.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>

enum { DOCUMENT_DEPTH_MAX = 64, VALUE_SIZE_MAX = 1 << 20 };

static const char *const wanted[] = {
	[COX_OPT_BOOL] = "true or false",
	[COX_OPT_INT] = "a whole number",
	[COX_OPT_SIZE] = "a size such as 512, 64Ki, 8Mi or 2Gi",
	[COX_OPT_DURATION] = "a duration such as 250ms, 10s or 1h30m",
	[COX_OPT_PATH] = "a path",
	[COX_OPT_DOCUMENT] = "a JSON document",
};

static int wrong_value(const struct cox_option *option, const char *text, struct cox_error *err)
{
	if (option->flags & COX_OPTION_SECRET)
		return error_set(err, COX_REASON_INVALID, "option \"%s\": want %s", option->name,
				 wanted[option->type]);
	return error_set(err, COX_REASON_INVALID, "option \"%s\": invalid value \"%s\", want %s",
			 option->name, text, wanted[option->type]);
}

static bool json_valid(const char *text)
{
	struct json_tokener *tokener = json_tokener_new_ex(DOCUMENT_DEPTH_MAX);
	size_t size = strlen(text);
	struct json_object *object;
	bool valid;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* With the zero byte, so that a number at the end is seen to end. */
	object = json_tokener_parse_ex(tokener, text, (int)size + 1);
	valid = json_tokener_get_error(tokener) == json_tokener_success &&
		json_tokener_get_parse_end(tokener) >= size;
	json_object_put(object);
	json_tokener_free(tokener);
	return valid;
}

static char *absolute(const char *text)
{
	cox_autobuf path = COX_BUF_INIT;
	char here[PATH_MAX];

	if (text[0] != '/' && getcwd(here, sizeof(here)))
		cox_buf_printf(&path, "%s%s", here, strcmp(here, "/") == 0 ? "" : "/");
	cox_buf_str(&path, text);
	return cox_buf_steal(&path);
}

static char *number_text(const char *format, ...) COX_PRINTF(1, 2);

static char *number_text(const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	return cox_buf_steal(&text);
}

int options_convert(const struct cox_option *option, const char *text, char **converted,
		    struct cox_error *err)
{
	bool truth;
	int64_t number;
	uint64_t amount;

	if (strnlen(text, VALUE_SIZE_MAX + 1) > VALUE_SIZE_MAX)
		return error_set(err, COX_REASON_INVALID, "option \"%s\": longer than 1 MiB",
				 option->name);
	switch ((enum cox_option_type)option->type) {
	case COX_OPT_BOOL:
		if (cox_parse_bool(text, &truth) < 0)
			return wrong_value(option, text, err);
		*converted = cox_strdup(truth ? "true" : "false");
		return 0;
	case COX_OPT_INT:
		if (cox_parse_int(text, INT64_MIN, INT64_MAX, &number) < 0)
			return wrong_value(option, text, err);
		*converted = number_text("%" PRId64, number);
		return 0;
	case COX_OPT_SIZE:
		if (cox_parse_size(text, &amount) < 0)
			return wrong_value(option, text, err);
		*converted = number_text("%" PRIu64, amount);
		return 0;
	case COX_OPT_DURATION:
		if (cox_parse_duration(text, &amount) < 0)
			return wrong_value(option, text, err);
		*converted = number_text("%" PRIu64, amount);
		return 0;
	case COX_OPT_PATH:
		if (!text[0])
			return wrong_value(option, text, err);
		*converted = absolute(text);
		return 0;
	case COX_OPT_DOCUMENT:
		if (!json_valid(text))
			return wrong_value(option, text, err);
		break;
	case COX_OPT_STRING:
	case COX_OPT_LIST:
		break;
	}
	*converted = cox_strdup(text);
	return 0;
}

static int unknown_option(const struct host_plugin *plugin, const char *key, struct cox_error *err)
{
	const struct library *library = plugin->library;
	cox_autofree const char **names = cox_calloc(library->option_count + 1, sizeof(*names));
	const char *near;

	for (size_t i = 0; i < library->option_count; i++)
		names[i] = library->options[i].name;
	near = cox_nearest(key, names, library->option_count);
	return error_set(err, COX_REASON_INVALID, "%s plugin \"%s\" has no option \"%s\"%s%s%s",
			 host_kind(plugin), host_name(plugin), key, near ? ", did you mean \"" : "",
			 near ? near : "", near ? "\"?" : "");
}

static struct option_value *find_value(struct host_plugin *plugin, const struct cox_option *option)
{
	for (size_t i = 0; i < plugin->values.count; i++)
		if (plugin->values.items[i].option == option)
			return &plugin->values.items[i];
	return NULL;
}

static int set_option(struct host_plugin *plugin, const char *key, const char *value,
		      struct cox_error *err)
{
	const struct cox_option *option = NULL;
	struct option_value *known;
	char *converted = NULL;

	for (size_t i = 0; i < plugin->library->option_count; i++)
		if (strcmp(plugin->library->options[i].name, key) == 0)
			option = &plugin->library->options[i];
	if (!option)
		return unknown_option(plugin, key, err);
	if (options_convert(option, value, &converted, err) < 0)
		return error_wrap(err, "%s plugin \"%s\"", host_kind(plugin), host_name(plugin));
	known = find_value(plugin, option);
	if (known) {
		free(known->value);
		known->value = converted;
	} else {
		cox_vec_push(&plugin->values, (struct option_value){option, converted});
	}
	return 0;
}

bool host_has_option(const struct host_plugin *plugin, const char *key)
{
	for (size_t i = 0; i < plugin->library->option_count; i++) {
		if (strcmp(plugin->library->options[i].name, key) == 0)
			return true;
	}
	return false;
}

int host_set_option(struct host_plugin *plugin, const char *key, const char *value,
		    const char *origin, struct cox_error *err)
{
	if (plugin->state != INSTANCE_CREATED)
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "%s: option \"%s\" comes after the configuration ended",
				 plugin->label, key);
	if (set_option(plugin, key, value, err) < 0)
		return host_add_origin(err, origin);
	return 0;
}

static int hand_over_one(struct host_plugin *plugin, const char *key, const char *value,
			 struct cox_error *err)
{
	const struct cox_plugin *descriptor = &plugin->library->plugin;

	if (!descriptor->config)
		return error_set(err, COX_REASON_INVALID,
				 "%s: has options but no \"config\" function",
				 plugin->library->path);
	host_call_scope(plugin);
	if (descriptor->config(plugin->self, key, value, err) < 0) {
		host_op_failed(plugin, "config", err);
		return error_wrap(err, "%s plugin \"%s\": option \"%s\"", host_kind(plugin),
				  host_name(plugin), key);
	}
	return 0;
}

/* In the order of the plugin's table, so that a file's order never matters. */
int options_hand_over(struct host_plugin *plugin, struct cox_error *err)
{
	for (size_t i = 0; i < plugin->library->option_count; i++) {
		const struct cox_option *option = &plugin->library->options[i];
		const struct option_value *given = find_value(plugin, option);
		cox_autofree char *fallback = NULL;

		if (!given && option->fallback &&
		    options_convert(option, option->fallback, &fallback, err) < 0)
			return -1;
		if (given || fallback) {
			if (hand_over_one(plugin, option->name, given ? given->value : fallback,
					  err) < 0)
				return -1;
		} else if (option->flags & COX_OPTION_REQUIRED) {
			return error_set(err, COX_REASON_INVALID,
					 "%s plugin \"%s\" needs the option \"%s\" (%s)",
					 host_kind(plugin), host_name(plugin), option->name,
					 option->help);
		}
	}
	return 0;
}

void options_clear(struct host_plugin *plugin)
{
	for (size_t i = 0; i < plugin->values.count; i++) {
		/* May be a password. */
		explicit_bzero(plugin->values.items[i].value,
			       strlen(plugin->values.items[i].value));
		free(plugin->values.items[i].value);
	}
	cox_vec_free(&plugin->values);
}
