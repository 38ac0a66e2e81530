/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer of <coxswain/kit/json.h>. */
#include <coxswain/kit/json.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void cox_json_key(struct cox_json *json, const char *key)
{
	uint64_t bit = json->depth ? UINT64_C(1) << (json->depth - 1) : 0;

	if (json->filled & bit)
		cox_buf_char(json->out, ',');
	json->filled |= bit;
	if (key && bit && !(json->arrays & bit)) {
		cox_buf_json_string(json->out, key, strlen(key));
		cox_buf_char(json->out, ':');
	}
}

static void json_begin(struct cox_json *json, const char *key, bool array)
{
	uint64_t bit;

	if (json->depth == COX_JSON_DEPTH_MAX)
		abort();
	cox_json_key(json, key);
	bit = UINT64_C(1) << json->depth++;
	json->filled &= ~bit;
	json->arrays = array ? json->arrays | bit : json->arrays & ~bit;
	cox_buf_char(json->out, array ? '[' : '{');
}

void cox_json_object(struct cox_json *json, const char *key)
{
	json_begin(json, key, false);
}

void cox_json_array(struct cox_json *json, const char *key)
{
	json_begin(json, key, true);
}

void cox_json_end(struct cox_json *json)
{
	if (!json->depth)
		abort();
	json->depth--;
	cox_buf_char(json->out, json->arrays & (UINT64_C(1) << json->depth) ? ']' : '}');
}

void cox_json_text_n(struct cox_json *json, const char *key, const char *text, size_t size)
{
	cox_json_key(json, key);
	cox_buf_json_string(json->out, text, size);
}

void cox_json_text(struct cox_json *json, const char *key, const char *text)
{
	if (text)
		cox_json_text_n(json, key, text, strlen(text));
	else
		cox_json_null(json, key);
}

void cox_json_text_set(struct cox_json *json, const char *key, const char *text)
{
	if (text && *text)
		cox_json_text(json, key, text);
}

void cox_json_int(struct cox_json *json, const char *key, int64_t value)
{
	cox_json_key(json, key);
	cox_buf_printf(json->out, "%" PRId64, value);
}

void cox_json_bool(struct cox_json *json, const char *key, bool value)
{
	cox_json_key(json, key);
	cox_buf_str(json->out, value ? "true" : "false");
}

void cox_json_null(struct cox_json *json, const char *key)
{
	cox_json_key(json, key);
	cox_buf_str(json->out, "null");
}

void cox_json_raw(struct cox_json *json, const char *key, const void *data, size_t size)
{
	cox_json_key(json, key);
	cox_buf_add(json->out, data, size);
}

void cox_buf_sink(void *to, const void *data, size_t size)
{
	cox_buf_add(to, data, size);
}
