/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge of requests, and reading what it left behind; see the headers.
 * The target is split on '/' before anything is decoded, so that no encoding
 * of a slash or a dot can change what a path means.
 */
#include "net/request.h"

#include <coxswain/kit/text.h>
#include <string.h>
#include <strings.h>

static bool is_token_char(unsigned char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_token(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!is_token_char((unsigned char)text[i]))
			return false;
	return size > 0;
}

static int bad(struct cox_error *err, const char *text)
{
	return error_set(err, COX_REASON_BAD_REQUEST, "%s", text);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * Percent-decodes into the arena; `plus`: '+' is a blank, as in queries. NULL
 * for a broken escape, a zero byte or text that is not UTF-8.
 */
static char *decode(struct arena *arena, const char *text, size_t size, bool plus)
{
	char *out = arena_alloc(arena, size + 1);
	size_t length = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < size ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < size ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return NULL;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (plus && c == '+') {
			c = ' ';
		}
		if (c == '\0')
			return NULL;
		out[length++] = c;
	}
	out[length] = '\0';
	return cox_utf8_valid(out, length, NULL) ? out : NULL;
}

static int judge_segment(struct http_request *request, const char *raw, size_t size,
			 const char **segment, struct cox_error *err)
{
	if (size == 0)
		return bad(err, "the request path has an empty segment");
	*segment = decode(&request->arena, raw, size, false);
	if (!*segment)
		return bad(err, "the request path has a broken escape, a zero byte or text that is "
				"not UTF-8");
	if (strcmp(*segment, ".") == 0 || strcmp(*segment, "..") == 0)
		return bad(err, "the request path has a \".\" or \"..\" segment");
	if (strchr(*segment, '/'))
		return bad(err, "the request path has an encoded slash");
	return 0;
}

static int judge_path(struct http_request *request, const char *path, size_t size,
		      struct cox_error *err)
{
	size_t count = 0;
	const char *at, *end = path + size;
	const char **segments;

	for (at = path; at < end; at++)
		count += *at == '/';
	if (count > REQUEST_SEGMENTS_MAX)
		return bad(err, "the request path has too many segments");
	segments = arena_calloc(&request->arena, (count + 1) * sizeof(*segments));
	request->segments = segments;
	request->segment_count = 0;
	request->trailing_slash = end[-1] == '/';
	at = path + 1;
	while (at < end) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		const char *stop = slash ? slash : end;

		if (judge_segment(request, at, (size_t)(stop - at),
				  &segments[request->segment_count], err) != 0)
			return -1;
		request->segment_count++;
		at = stop + 1;
	}
	return 0;
}

static int judge_query(struct http_request *request, const char *query, struct cox_error *err)
{
	size_t count = *query ? 1 : 0;
	struct http_parameter *parameters;

	for (const char *at = query; *at; at++)
		count += *at == '&';
	if (count > REQUEST_PARAMETERS_MAX)
		return bad(err, "the request query has too many parameters");
	parameters = arena_calloc(&request->arena, (count + 1) * sizeof(*parameters));
	request->parameters = parameters;
	request->parameter_count = 0;
	for (const char *at = query; *at;) {
		size_t size = strcspn(at, "&");
		const char *equals = memchr(at, '=', size);
		size_t name_size = equals ? (size_t)(equals - at) : size;
		struct http_parameter *parameter = &parameters[request->parameter_count];

		if (size) {
			parameter->name = decode(&request->arena, at, name_size, true);
			parameter->value = equals ? decode(&request->arena, equals + 1,
							   size - name_size - 1, true)
						  : "";
			if (!parameter->name || !parameter->value)
				return bad(err, "the request query has a broken escape, a zero "
						"byte or text that is not UTF-8");
			request->parameter_count++;
		}
		at += size + (at[size] == '&');
	}
	return 0;
}

static int judge_target(struct http_request *request, struct cox_error *err)
{
	const char *target = request->target, *question = strchr(target, '?');
	size_t size = question ? (size_t)(question - target) : strlen(target);

	if (target[0] != '/')
		return bad(err, "the request target does not begin with \"/\"");
	for (const char *at = target; *at; at++)
		if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f || *at == '#' ||
		    *at == '\\')
			return bad(err, "the request target has a character that must be encoded");
	request->raw_path = question ? arena_strndup(&request->arena, target, size) : target;
	request->raw_query = question ? question + 1 : "";
	if (judge_path(request, target, size, err) != 0)
		return -1;
	return judge_query(request, request->raw_query, err);
}

int request_judge_header(const char *name, size_t name_size, const char *value, size_t value_size,
			 struct cox_error *err)
{
	if (!is_token(name, name_size))
		return bad(err, "a header name has a character that is not allowed");
	for (size_t i = 0; i < value_size; i++) {
		unsigned char c = (unsigned char)value[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return bad(err, "a header value has a control character");
	}
	return 0;
}

static size_t count_headers(const struct http_request *request, const char *name)
{
	size_t count = 0;

	while (http_header_at(request, name, count))
		count++;
	return count;
}

static int judge_host(const struct http_request *request, struct cox_error *err)
{
	size_t count = count_headers(request, "Host");
	const char *host;

	if (count > 1)
		return bad(err, "the request has more than one Host header");
	if (count == 0)
		return request->http10 ? 0 : bad(err, "the request has no Host header");
	host = http_header(request, "Host");
	for (const char *at = host; *at; at++)
		if ((unsigned char)*at <= 0x20 || strchr("/?#@\\,\"<>", *at))
			return bad(err, "the Host header has a character that is not allowed");
	return 0;
}

static int judge_body(const struct http_request *request, struct request_body *body,
		      struct cox_error *err)
{
	size_t lengths = count_headers(request, "Content-Length");
	size_t encodings = count_headers(request, "Transfer-Encoding");
	const char *text = http_header(request, "Content-Length");

	*body = (struct request_body){0};
	if (lengths > 1)
		return bad(err, "the request has more than one Content-Length header");
	if (lengths && encodings)
		return bad(err, "the request has both Content-Length and Transfer-Encoding");
	if (encodings > 1 ||
	    (encodings && strcasecmp(http_header(request, "Transfer-Encoding"), "chunked") != 0))
		return bad(err, "the only Transfer-Encoding supported is chunked");
	if (encodings && request->http10)
		return bad(err, "HTTP/1.0 has no Transfer-Encoding");
	body->chunked = encodings > 0;
	if (lengths) {
		if (strspn(text, "0123456789") != strlen(text) || !*text || strlen(text) > 18)
			return bad(err, "the Content-Length header is not a number");
		for (; *text; text++)
			body->length = body->length * 10 + (uint64_t)(*text - '0');
		body->known = true;
	}
	return 0;
}

static enum http_method method_of(const char *name)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET",	    [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
		[HTTP_PUT] = "PUT",	    [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
		[HTTP_OPTIONS] = "OPTIONS",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return (enum http_method)i;
	return HTTP_OTHER;
}

int request_judge(struct http_request *request, const char *version, struct request_body *body,
		  struct cox_error *err)
{
	*body = (struct request_body){0};
	if (!is_token(request->method_name, strlen(request->method_name)))
		return bad(err, "the request method has a character that is not allowed");
	request->method = method_of(request->method_name);
	request->http10 = strcmp(version, "HTTP/1.0") == 0;
	if (!request->http10 && strcmp(version, "HTTP/1.1") != 0)
		return bad(err, "the only protocol versions supported are HTTP/1.1 and HTTP/1.0");
	if (request->header_count > REQUEST_HEADERS_MAX)
		return bad(err, "the request has too many headers");
	for (size_t i = 0; i < request->header_count; i++)
		if (request_judge_header(request->headers[i].name, strlen(request->headers[i].name),
					 request->headers[i].value,
					 strlen(request->headers[i].value), err) != 0)
			return -1;
	if (judge_target(request, err) != 0 || judge_host(request, err) != 0 ||
	    judge_body(request, body, err) != 0)
		return -1;
	if (count_headers(request, "Authorization") > 1)
		return bad(err, "the request has more than one Authorization header");
	return 0;
}

void request_status_json(struct cox_buf *out, unsigned code, const char *reason,
			 const char *message)
{
	cox_buf_str(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
			 "\"status\":\"Failure\",\"message\":");
	cox_buf_json_string(out, message, strlen(message));
	if (*reason)
		cox_buf_printf(out, ",\"reason\":\"%s\"", reason);
	cox_buf_printf(out, ",\"code\":%u}\n", code);
}

const char *http_header_at(const struct http_request *request, const char *name, size_t index)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (strcasecmp(request->headers[i].name, name) == 0 && index-- == 0)
			return request->headers[i].value;
	return NULL;
}

const char *http_header(const struct http_request *request, const char *name)
{
	return http_header_at(request, name, 0);
}

bool http_header_has(const struct http_request *request, const char *name, const char *token)
{
	const char *value;
	size_t size = strlen(token);

	for (size_t i = 0; (value = http_header_at(request, name, i)); i++) {
		while (*value) {
			size_t length;

			value += strspn(value, ", \t");
			length = strcspn(value, ", \t;");
			if (length == size && strncasecmp(value, token, size) == 0)
				return true;
			value += strcspn(value, ",");
		}
	}
	return false;
}

/* The parameters at `text`, up to the next comma, say q=0, which is how a client says no. */
static bool is_excluded(const char *text)
{
	while (*text == ';') {
		text += 1 + strspn(text + 1, " \t");
		if (strncasecmp(text, "q=0", 3) == 0) {
			text += 3 + strspn(text + 3, ".0");
			return !(*text >= '1' && *text <= '9');
		}
		text += strcspn(text, ";,");
	}
	return false;
}

bool http_takes_encoding(const struct http_request *request, const char *coding)
{
	const char *value;
	size_t size = strlen(coding);

	for (size_t i = 0; (value = http_header_at(request, "Accept-Encoding", i)); i++) {
		while (*value) {
			size_t length;

			value += strspn(value, ", \t");
			length = strcspn(value, ", \t;");
			if (length == size && strncasecmp(value, coding, size) == 0)
				return !is_excluded(value + length + strspn(value + length, " \t"));
			value += strcspn(value, ",");
		}
	}
	return false;
}

const char *http_parameter_at(const struct http_request *request, const char *name, size_t index)
{
	for (size_t i = 0; i < request->parameter_count; i++)
		if (strcmp(request->parameters[i].name, name) == 0 && index-- == 0)
			return request->parameters[i].value;
	return NULL;
}

const char *http_parameter(const struct http_request *request, const char *name)
{
	return http_parameter_at(request, name, 0);
}
