/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of /etc/kubernetes say: that every daemon takes them, that the
 * names in them mean something, and that the servers they name answer.
 */
#include "preflight/internal.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONFIG_SECONDS = 30, CLOCK_DIFFERENCE_MAX = 20, URLS_MAX = 32 };

/* ---- every daemon ---- */

/* By the daemon itself, with the same words as at its start; it starts nothing. */
static void check_daemon(struct preflight *preflight, const struct preflight_daemon *daemon)
{
	cox_autobuf thing = COX_BUF_INIT, files = COX_BUF_INIT, plugins = COX_BUF_INIT;
	cox_autobuf complaint = COX_BUF_INIT, remedy = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	const char *argv[] = {program, daemon->name, NULL, "--check-config", NULL, NULL};
	int status = 0;

	program[length > 0 ? length : 0] = '\0';
	cox_buf_printf(&thing, "configuration %s", daemon->name);
	cox_buf_printf(&files, "--config-dir=%s", preflight->config_dir);
	argv[2] = files.data;
	if (*preflight->plugin_dir) {
		cox_buf_printf(&plugins, "--plugin-dir=%s", preflight->plugin_dir);
		argv[4] = plugins.data;
	}
	if (preflight_run(argv, CONFIG_SECONDS, NULL, &complaint, &status, &err) == 0 &&
	    status == 0) {
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL,
			      "its files in %s are right, and its plugins load",
			      preflight->config_dir);
		return;
	}
	cox_buf_printf(&remedy, "correct it, then: %s %s --check-config", daemon->name, files.data);
	preflight_say(preflight, PREFLIGHT_ERROR, thing.data, remedy.data, "%s",
		      err.message      ? err.message
		      : complaint.size ? preflight_last_line(&complaint)
				       : "the daemon does not take its files");
}

void preflight_check_files(struct preflight *preflight)
{
	for (size_t i = 0; i < preflight->daemon_count; i++)
		if (preflight->daemons[i].wanted)
			check_daemon(preflight, &preflight->daemons[i]);
}

/* ---- URLs ---- */

struct place {
	const char *daemon, *flag;
};

static const struct place places[] = {
	{"kube-controller-manager", "master"},
	{"kube-scheduler", "master"},
	{"kubelet", "api-servers"},
	{"kube-proxy", "master"},
	{"kube-apiserver", "etcd-servers"},
	{"kubelet", "manifest-url"},
};

struct server {
	struct preflight_url url;
	char text[512];
	const struct place *place; /* the first that names it */
};

struct servers {
	struct server items[URLS_MAX];
	size_t count;
};

static void add_server(struct preflight *preflight, struct servers *servers, const char *text,
		       size_t size, const struct place *place)
{
	struct server *server = &servers->items[servers->count];

	if (servers->count == URLS_MAX || size >= sizeof(server->text))
		return;
	memcpy(server->text, text, size);
	server->text[size] = '\0';
	for (size_t i = 0; i < servers->count; i++)
		if (strcmp(servers->items[i].text, server->text) == 0)
			return;
	server->place = place;
	if (preflight_parse_url(server->text, &server->url) == 0) {
		servers->count++;
		return;
	}
	preflight_say(preflight, PREFLIGHT_ERROR, "URL",
		      "write http://HOST:PORT or https://HOST:PORT",
		      "\"%s\" is none (--%s of %s, set in %s)", server->text, place->flag,
		      place->daemon, preflight_origin(preflight, place->daemon, place->flag));
}

static void collect_place(struct preflight *preflight, struct servers *servers,
			  const struct place *place)
{
	const char *list = preflight_flag(preflight, place->daemon, place->flag);

	while (list && *list) {
		size_t size = strcspn(list, ",");

		if (size)
			add_server(preflight, servers, list, size, place);
		list += size + (list[size] == ',');
	}
}

static bool is_address(const char *host)
{
	struct preflight_network network;

	return preflight_parse_network(host, &network) == 0;
}

void preflight_check_names(struct preflight *preflight)
{
	struct servers servers = {.count = 0};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		collect_place(preflight, &servers, &places[i]);
	for (size_t i = 0; i < servers.count; i++) {
		const struct server *server = &servers.items[i];
		cox_autobuf thing = COX_BUF_INIT, remedy = COX_BUF_INIT;
		cox_autoerror err = COX_ERROR_INIT;

		if (is_address(server->url.host))
			continue;
		cox_buf_printf(&thing, "name %s", server->url.host);
		if (preflight_resolve(server->url.host, &err) == 0) {
			preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL, "has an address");
			continue;
		}
		cox_buf_printf(&remedy, "write \"ADDRESS %s\" in /etc/hosts, or correct the URL",
			       server->url.host);
		preflight_say(
			preflight, PREFLIGHT_ERROR, thing.data, remedy.data,
			"no address: %s (--%s=%s of %s, set in %s)", error_text(&err),
			server->place->flag, server->text, server->place->daemon,
			preflight_origin(preflight, server->place->daemon, server->place->flag));
	}
}

/* ---- etcd ---- */

static bool is_etcd(const struct preflight_url *url)
{
	cox_autobuf answer = COX_BUF_INIT;
	cox_autoclose int fd = preflight_connect(url, NULL);

	return fd >= 0 && preflight_get(fd, url->host, "/version", &answer, NULL) == 0 &&
	       strstr(answer.data, "etcd");
}

/* The other port that etcd is known to use, if one answers there; else 0. */
static unsigned other_port(const struct preflight_url *url)
{
	struct preflight_url other = *url;

	if (url->tls || (url->port != 4001 && url->port != 2379))
		return 0;
	other.port = url->port == 4001 ? 2379 : 4001;
	return is_etcd(&other) ? other.port : 0;
}

static void check_etcd(struct preflight *preflight, const struct server *server)
{
	cox_autobuf thing = COX_BUF_INIT, remedy = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoclose int fd = preflight_connect(&server->url, &err);
	const char *origin = preflight_origin(preflight, "kube-apiserver", "etcd-servers");
	unsigned other;

	cox_buf_printf(&thing, "etcd %s", server->text);
	if (fd >= 0 && (server->url.tls || is_etcd(&server->url))) {
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL, "answers");
		return;
	}
	other = other_port(&server->url);
	if (other)
		cox_buf_printf(&remedy, "an etcd answers on port %u of that host: ", other);
	else
		cox_buf_str(&remedy,
			    "start etcd (systemctl start etcd); it listens on 2379, before "
			    "version 2 on 4001; or ");
	cox_buf_printf(&remedy, "correct --etcd-servers in %s",
		       strcmp(origin, "default") == 0 ? preflight->config_dir : origin);
	preflight_say(preflight, PREFLIGHT_ERROR, thing.data, remedy.data, "%s",
		      fd < 0 ? error_text(&err) : "somebody answers, but it is no etcd");
}

/* ---- apiserver ---- */

/* A node whose clock is not the master's is taken for dead, or its certificates are refused. */
static void compare_clocks(struct preflight *preflight, const char *thing, const char *answer)
{
	time_t now = time(NULL), theirs;
	long long difference;

	if (preflight_parse_date(answer, &theirs) != 0) {
		preflight_say(preflight, PREFLIGHT_OK, thing, NULL, "answers");
		return;
	}
	difference = (long long)now - (long long)theirs;
	if (difference > CLOCK_DIFFERENCE_MAX || difference < -CLOCK_DIFFERENCE_MAX)
		preflight_say(preflight, PREFLIGHT_ERROR, thing,
			      "set the clock of the machine that is wrong, and start chronyd or "
			      "systemd-timesyncd on both",
			      "answers, but its clock is %lld s %s this one's: the node will look "
			      "dead",
			      difference > 0 ? difference : -difference,
			      difference > 0 ? "behind" : "ahead of");
	else
		preflight_say(preflight, PREFLIGHT_OK, thing, NULL,
			      "answers, and its clock is this one's");
}

static bool is_this_machine(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	       cox_starts_with(host, "127.");
}

static void check_apiserver(struct preflight *preflight, const struct server *server)
{
	cox_autobuf thing = COX_BUF_INIT, answer = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoclose int fd = preflight_connect(&server->url, &err);

	cox_buf_printf(&thing, "apiserver %s", server->text);
	if (fd >= 0 && server->url.tls) {
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL, "answers");
	} else if (fd >= 0 && preflight_get(fd, server->url.host, "/healthz", &answer, &err) == 0) {
		compare_clocks(preflight, thing.data, answer.data);
	} else if (preflight->master && is_this_machine(server->url.host)) {
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL,
			      "not there yet: it is to be this machine's own");
	} else {
		preflight_say(preflight, PREFLIGHT_WARNING, thing.data,
			      "start it; from another machine it is only reached with "
			      "--insecure-bind-address=0.0.0.0 (KUBE_API_ADDRESS), and if its "
			      "firewall lets the port in",
			      "%s; the daemons of a node wait for it", error_text(&err));
	}
}

void preflight_check_servers(struct preflight *preflight)
{
	static const struct place etcd = {"kube-apiserver", "etcd-servers"};
	static const struct place nodes[] = {{"kubelet", "api-servers"}, {"kube-proxy", "master"}};
	struct servers servers = {.count = 0};
	/* What is no URL has been said. */
	struct preflight silent = *preflight;

	silent.out = fopen("/dev/null", "we");
	if (!silent.out)
		return;
	collect_place(&silent, &servers, &etcd);
	for (size_t i = 0; i < servers.count; i++)
		check_etcd(preflight, &servers.items[i]);
	servers.count = 0;
	for (size_t i = 0; i < 2; i++)
		collect_place(&silent, &servers, &nodes[i]);
	for (size_t i = 0; i < servers.count; i++)
		check_apiserver(preflight, &servers.items[i]);
	fclose(silent.out);
}
