/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds the judge of requests with heads: a line with method, target and
 * version, then header lines. What passes must keep the judge's promises.
 */
#include "net/request.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct http_request *request, const struct request_body *body)
{
	if (request->raw_path[0] != '/' || (body->chunked && body->known))
		abort();
	for (size_t i = 0; i < request->segment_count; i++) {
		const char *segment = request->segments[i];

		if (!*segment || strchr(segment, '/') || strcmp(segment, ".") == 0 ||
		    strcmp(segment, "..") == 0 || !cox_utf8_valid(segment, strlen(segment), NULL))
			abort();
	}
	for (size_t i = 0; i < request->parameter_count; i++)
		if (!request->parameters[i].name || !request->parameters[i].value)
			abort();
	if (http_header_at(request, "Host", 1) || http_header_at(request, "Content-Length", 1) ||
	    http_header_at(request, "Authorization", 1))
		abort();
	http_header_has(request, "Connection", "upgrade");
}

/* Cuts the next line off; NULL at the end. */
static char *next_line(char **at)
{
	char *line = *at, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	*at = end ? end + 1 : NULL;
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_header headers[HEADERS];
	char *text = cox_strndup((const char *)data, size), *at = text, *line;
	struct http_request request = {.headers = headers};
	const char *version = "HTTP/1.1";
	struct request_body body;

	line = next_line(&at);
	if (line) {
		char *target = strchr(line, ' '), *last = strrchr(line, ' ');

		if (target && last > target) {
			*target = *last = '\0';
			request.method_name = line;
			request.target = target + 1;
			version = last + 1;
		}
	}
	while (request.header_count < HEADERS && (line = next_line(&at))) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = '\0';
		headers[request.header_count++] =
			(struct http_header){line, colon + 1 + strspn(colon + 1, " \t")};
	}
	if (request.target && request_judge(&request, version, &body, NULL) == 0)
		check(&request, &body);
	arena_free(&request.arena);
	free(text);
	return 0;
}
