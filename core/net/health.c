/* SPDX-License-Identifier: Apache-2.0 */
/* Answers what watches over a daemon asks; nothing here needs a password. */
#include "net/health.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "net/server.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

#define TEXT "text/plain; charset=utf-8"

enum { CONNECTIONS = 64 };

struct health {
	struct health_config config;
	struct http_server *server;
};

static void respond(struct http_request *request, unsigned status, const char *text)
{
	http_respond_text(request, status, TEXT, text, strlen(text));
}

static void respond_metrics(struct http_request *request)
{
	cox_autobuf text = COX_BUF_INIT;

	metrics_write(&text);
	http_respond_text(request, 200, "text/plain; version=0.0.4; charset=utf-8",
			  cox_buf_cstr(&text), text.size);
}

static void handle(struct http_request *request)
{
	const struct health_config *config = &((const struct health *)request->context)->config;
	const char *what = request->segment_count == 1 ? request->segments[0] : "";

	if (request->method != HTTP_GET && request->method != HTTP_HEAD)
		respond(request, 405, "method not allowed\n");
	else if (!strcmp(what, "healthz") || !strcmp(what, "livez"))
		respond(request, 200, "ok");
	else if (!strcmp(what, "readyz") && (!config->ready || config->ready(config->context)))
		respond(request, 200, "ok");
	else if (!strcmp(what, "readyz"))
		respond(request, 500, config->unready);
	else if (!strcmp(what, "metrics"))
		respond_metrics(request);
	else if (!strcmp(what, "proxyMode") && config->mode)
		respond(request, 200, config->mode);
	else
		respond(request, 404, "404 page not found\n");
}

struct health *health_open(const struct health_config *config, struct cox_error *err)
{
	struct health *health = cox_new(struct health);
	const struct http_listen listen = {
		.address = config->address, .port = config->port, .fd = -1};
	const struct http_config http = {.listens = &listen,
					 .listen_count = 1,
					 .handler = handle,
					 .context = health,
					 .threads = 1,
					 .stream_threads = 1,
					 .connections = CONNECTIONS};

	health->config = *config;
	health->server = http_server_open(&http, err);
	if (health->server)
		return health;
	free(health);
	return NULL;
}

void health_close(struct health *health)
{
	if (!health)
		return;
	http_server_close(health->server, CLOCK_SECOND);
	free(health);
}
