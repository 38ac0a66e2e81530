/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP server; see the header. */
#include "proxy/health.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "net/server.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <stdlib.h>
#include <string.h>

struct health {
	struct health_config config;
	struct http_server *server;
};

static void answer(struct http_request *request, unsigned status, const char *text)
{
	http_respond_text(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void answer_metrics(struct http_request *request)
{
	cox_autobuf text = COX_BUF_INIT;

	metrics_write(&text);
	http_respond_text(request, 200, "text/plain; version=0.0.4; charset=utf-8",
			  cox_buf_cstr(&text), text.size);
}

static void handle(struct http_request *request)
{
	const struct health *health = request->context;
	const char *path = request->raw_path;

	if (request->method != HTTP_GET && request->method != HTTP_HEAD)
		answer(request, 405, "Method Not Allowed\n");
	else if (!strcmp(path, "/healthz") || !strcmp(path, "/livez"))
		answer(request, 200, "ok");
	else if (!strcmp(path, "/readyz") && health->config.ready(health->config.context))
		answer(request, 200, "ok");
	else if (!strcmp(path, "/readyz"))
		answer(request, 503, "services and endpoints are not known yet\n");
	else if (!strcmp(path, "/proxyMode"))
		answer(request, 200, health->config.mode);
	else if (!strcmp(path, "/metrics"))
		answer_metrics(request);
	else
		answer(request, 404, "404 page not found\n");
}

struct health *health_new(const struct health_config *config, struct cox_error *err)
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
					 .connections = 64};

	health->config = *config;
	health->server = http_server_open(&http, err);
	if (health->server)
		return health;
	free(health);
	return NULL;
}

void health_free(struct health *health)
{
	if (!health)
		return;
	http_server_close(health->server, CLOCK_SECOND);
	free(health);
}
