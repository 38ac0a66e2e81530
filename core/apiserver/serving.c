/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ports; see the header. `lock` guards the two servers and `stopping`; the
 * thread that tries again holds it only to look and to hand over.
 */
#include "apiserver/serving.h"

#include "apiserver/allocate.h"
#include "apiserver/credentials.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/server.h"

#include <arpa/inet.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

static const uint64_t retry_period = 15 * CLOCK_SECOND;
static const uint64_t stop_grace = 2 * CLOCK_SECOND;

struct serving {
	struct apiserver *server;
	const struct apiserver_config *config;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool stopping;
	bool thread_runs;
	struct http_server *secure, *insecure;
	struct http_server *own; /* for the process that started this one */
};

/* The first IPv4 address of an interface that is up and not loopback. */
static int first_address(char *out, size_t size, struct cox_error *err)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (getifaddrs(&all) != 0)
		return error_errno(err, errno, "list the network interfaces");
	for (struct ifaddrs *at = all; at && !found; at = at->ifa_next) {
		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET ||
		    (at->ifa_flags & IFF_LOOPBACK) || !(at->ifa_flags & IFF_UP))
			continue;
		found = inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)at->ifa_addr)->sin_addr,
				  out, (socklen_t)size) != NULL;
	}
	freeifaddrs(all);
	if (found)
		return 0;
	return error_set(err, COX_REASON_INVALID,
			 "this host has no address that others could reach it by; name one with "
			 "--advertise-address");
}

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
	       strcmp(address, "localhost") == 0;
}

int serving_advertised(const struct apiserver_config *config, char *out, size_t size,
		       struct cox_error *err)
{
	const char *address =
		*config->advertise_address ? config->advertise_address : config->bind_address;

	if (strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0 ||
	    (!*config->advertise_address && is_loopback(address)))
		return first_address(out, size, err);
	if (strlen(address) >= size)
		return error_set(err, COX_REASON_INVALID, "--advertise-address: \"%s\" is too long",
				 address);
	memcpy(out, address, strlen(address) + 1);
	return 0;
}

static struct http_server *open_server(struct serving *serving, const char *address, int64_t port,
				       const struct http_tls *tls, struct cox_error *err)
{
	struct http_listen listen = {.address = address, .port = (uint16_t)port, .fd = -1};
	struct http_config config = {.listens = &listen,
				     .listen_count = 1,
				     .tls = tls,
				     .handler = tls ? apiserver_handle : apiserver_handle_insecure,
				     .context = serving->server,
				     .http2_streams = (unsigned)serving->config->http2_max_streams,
				     .request_time = serving->config->request_timeout};

	return http_server_open(&config, err);
}

/* True: nothing is left to be done for this port. */
static bool try_insecure(struct serving *serving)
{
	const struct apiserver_config *config = serving->config;
	cox_autoerror err = COX_ERROR_INIT;
	struct http_server *opened;

	if (config->insecure_port == 0 || serving->insecure)
		return true;
	opened = open_server(serving, config->insecure_bind_address, config->insecure_port, NULL,
			     &err);
	if (!opened) {
		log_error("Unable to listen for insecure (%s); will try again.", error_text(&err));
		return false;
	}
	if (!is_loopback(config->insecure_bind_address))
		log_warning("The insecure port is open to everybody who can reach %s: no "
			    "authentication, no authorization",
			    config->insecure_bind_address);
	log_info("Serving insecurely on %s:%u", config->insecure_bind_address,
		 http_server_port(opened, 0));
	cox_lock_scope(&serving->lock);
	serving->insecure = opened;
	return true;
}

static bool try_secure(struct serving *serving)
{
	const struct apiserver_config *config = serving->config;
	cox_autofree char *certificate = credentials_server_certificate(config);
	cox_autofree char *key = credentials_server_key(config);
	cox_autofree char *client_ca = credentials_client_ca(config);
	struct http_tls tls = {
		.certificate_file = certificate, .key_file = key, .client_ca_file = client_ca};
	cox_autoerror err = COX_ERROR_INIT;
	struct http_server *opened;
	char advertised[64];

	if (config->secure_port == 0 || serving->secure)
		return true;
	if (credentials_make_server(
		    config, allocators_first_address(serving->server->allocators),
		    serving_advertised(config, advertised, sizeof(advertised), NULL) == 0
			    ? advertised
			    : NULL,
		    &err) != 0)
		log_error("Unable to generate self signed cert: %s", error_text(&err));
	opened = open_server(serving, config->bind_address, config->secure_port, &tls, &err);
	if (!opened) {
		log_error("Unable to listen for secure (%s); will try again.", error_text(&err));
		return false;
	}
	log_info("Serving securely on %s:%u", config->bind_address, http_server_port(opened, 0));
	cox_lock_scope(&serving->lock);
	serving->secure = opened;
	return true;
}

static int open_own(struct serving *serving, int fd, struct cox_error *err)
{
	const struct http_listen listen = {.inherited = true, .fd = fd};
	const struct http_config config = {.listens = &listen,
					   .listen_count = 1,
					   .handler = apiserver_handle_own,
					   .context = serving->server,
					   .request_time = serving->config->request_timeout};

	serving->own = http_server_open(&config, err);
	return serving->own ? 0 : -1;
}

static void *keep_trying(void *context)
{
	struct serving *serving = context;
	bool done = false;

	pthread_mutex_lock(&serving->lock);
	while (!serving->stopping && !done) {
		uint64_t until = clock_monotonic() + retry_period;
		struct timespec when = {(time_t)(until / CLOCK_SECOND),
					(long)(until % CLOCK_SECOND)};

		pthread_cond_clockwait(&serving->changed, &serving->lock, CLOCK_MONOTONIC, &when);
		if (serving->stopping)
			break;
		pthread_mutex_unlock(&serving->lock);
		done = try_insecure(serving);
		done &= try_secure(serving);
		pthread_mutex_lock(&serving->lock);
	}
	pthread_mutex_unlock(&serving->lock);
	return NULL;
}

struct serving *serving_start(struct apiserver *server, const struct apiserver_config *config,
			      int own_socket, struct cox_error *err)
{
	struct serving *serving = cox_new(struct serving);
	bool done;
	int failure;

	serving->server = server;
	serving->config = config;
	pthread_mutex_init(&serving->lock, NULL);
	pthread_cond_init(&serving->changed, NULL);
	if (own_socket >= 0 && open_own(serving, own_socket, err) != 0) {
		serving_stop(serving);
		return NULL;
	}
	done = try_secure(serving);
	done &= try_insecure(serving);
	if (done)
		return serving;
	failure = pthread_create(&serving->thread, NULL, keep_trying, serving);
	if (failure != 0) {
		error_errno(err, failure, "start the thread that opens ports");
		serving_stop(serving);
		return NULL;
	}
	serving->thread_runs = true;
	return serving;
}

void serving_stop(struct serving *serving)
{
	struct http_server *opened[3];

	if (!serving)
		return;
	pthread_mutex_lock(&serving->lock);
	serving->stopping = true;
	pthread_cond_signal(&serving->changed);
	pthread_mutex_unlock(&serving->lock);
	if (serving->thread_runs)
		pthread_join(serving->thread, NULL);
	opened[0] = serving->secure;
	opened[1] = serving->insecure;
	opened[2] = serving->own;
	for (size_t i = 0; i < sizeof(opened) / sizeof(opened[0]); i++)
		if (opened[i])
			http_server_quiesce(opened[i]);
	for (size_t i = 0; i < sizeof(opened) / sizeof(opened[0]); i++)
		if (opened[i])
			http_server_close(opened[i], stop_grace);
	pthread_cond_destroy(&serving->changed);
	pthread_mutex_destroy(&serving->lock);
	free(serving);
}
