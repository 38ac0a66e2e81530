/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube-scheduler as a personality: a whole life against the fake API server
 * over HTTP, with a policy file, a reload and the health port.
 */
#include "unit.h"

#include "base/clock.h"
#include "host/host.h"
#include "lib/eventually.h"
#include "lib/fake_http.h"
#include "lib/fake_server.h"
#include "scheduler/flags.h"
#include "scheduler/manager.h"

#include <arpa/inet.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define POLICY(rest) "{\"kind\":\"Policy\",\"apiVersion\":\"v1\"," rest "}"

static _Atomic unsigned stops;

/* The daemon's side of config/personality.h, as much as this test needs. */
void daemon_stop(void)
{
	stops++;
}

int daemon_open_plugin(struct daemon *daemon, const char *kind, const char *name, const char *flag,
		       struct host_plugin **plugin, struct cox_error *err)
{
	assert_string_equal(flag, "scheduler-plugins");
	*plugin = host_open(daemon->host, kind, name, "test", err);
	return *plugin ? 0 : -1;
}

struct life {
	struct fake_server *server;
	struct client *backend;
	struct fake_http *http;
	struct scheduler_config config;
	struct daemon daemon;
	char *plugins[2];
	char policy[64];
};

static uint16_t free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cox_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

static void write_policy(struct life *life, const char *text)
{
	cox_autofclose FILE *file = fopen(life->policy, "we");

	assert_non_null(file);
	fputs(text, file);
}

static int life_open(void **state)
{
	struct life *life = calloc(1, sizeof(*life));
	const char *build = getenv("builddir");
	static char directory[4096];
	int fd;

	snprintf(life->policy, sizeof(life->policy), "/tmp/policy.XXXXXX");
	fd = mkstemp(life->policy);
	close(fd);
	unlink(life->policy);
	life->server = fake_server_new();
	life->backend = fake_server_client(life->server);
	life->http = fake_http_new(life->backend);
	life->plugins[0] = (char *)"default";
	life->config = (struct scheduler_config){
		.master = fake_http_url(life->http),
		.address = "127.0.0.1",
		.port = free_port(),
		.leader_elect = true,
		.leader_elect_lease_duration = 15 * CLOCK_SECOND,
		.leader_elect_renew_deadline = 10 * CLOCK_SECOND,
		.leader_elect_retry_period = 2 * CLOCK_SECOND,
		.algorithm_provider = "DefaultProvider",
		.policy_config_file = life->policy,
		.scheduler_name = "default-scheduler",
		.scheduler_plugins = {life->plugins, 1},
	};
	snprintf(directory, sizeof(directory), "%s/plugins/.libs", build ? build : ".");
	life->daemon.config = &life->config;
	life->daemon.host = host_new("kube-scheduler", directory);
	*state = life;
	return 0;
}

static int life_close(void **state)
{
	struct life *life = *state;

	scheduler_personality.stop(&life->daemon);
	host_free(life->daemon.host);
	fake_http_free(life->http);
	client_free(life->backend);
	fake_server_free(life->server);
	unlink(life->policy);
	free(life);
	return 0;
}

static void start(struct life *life)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (scheduler_personality.check(&life->daemon, &err) ||
	    scheduler_personality.prepare(&life->daemon, &err) ||
	    scheduler_personality.start(&life->daemon, &err))
		fail_msg("%s", error_text(&err));
}

static void prepare_fails(struct life *life, const char *why)
{
	cox_autoerror err = COX_ERROR_INIT;

	assert_int_equal(scheduler_personality.prepare(&life->daemon, &err), -1);
	assert_string_equal(error_text(&err), why);
}

static void put_node(struct life *life, const char *name)
{
	char json[512];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\"},"
		 "\"status\":{\"allocatable\":{\"cpu\":\"4\",\"memory\":\"8Gi\",\"pods\":\"110\"},"
		 "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
		 name);
	fake_put(life->server, "nodes", json);
}

static void put_pod(struct life *life, const char *name, const char *cpu)
{
	char json[512];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"n\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":{"
		 "\"requests\":{\"cpu\":\"%s\"}}}]}}",
		 name, cpu);
	fake_put(life->server, "pods", json);
}

static bool is_on(struct life *life, const char *pod, const char *node)
{
	cox_autoobject *object = fake_get(life->server, "pods", "n", pod);

	return value_string_is(value_path(object_root(object), "spec.nodeName"), node);
}

/* The answer of the health port to GET `path`, head and all. */
static void get(struct life *life, const char *path, char *out, size_t size)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)life->config.port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cox_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char request[128];
	size_t have = 0;
	ssize_t got;

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	snprintf(request, sizeof(request),
		 "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	while (have < size - 1 && (got = read(fd, out + have, size - 1 - have)) > 0)
		have += (size_t)got;
	out[have] = 0;
}

static void test_life(void **state)
{
	struct life *life = *state;
	static char answer[1 << 17];

	put_node(life, "a");
	put_pod(life, "p", "1");
	start(life);
	eventually(is_on(life, "p", "a"));
	eventually(fake_count(life->server, "events") == 1);
	get(life, "/healthz", answer, sizeof(answer));
	assert_int_equal(strncmp(answer, "HTTP/1.1 200", 12), 0);
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\nok");
	get(life, "/readyz", answer, sizeof(answer));
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\nok");
	get(life, "/metrics", answer, sizeof(answer));
	assert_non_null(
		strstr(answer, "\nscheduler_schedule_attempts_total{result=\"scheduled\"} 1\n"));
	get(life, "/nothing", answer, sizeof(answer));
	assert_int_equal(strncmp(answer, "HTTP/1.1 404", 12), 0);
	scheduler_personality.stop(&life->daemon);
	assert_int_equal(stops, 0);
}

static void test_reload(void **state)
{
	struct life *life = *state;
	cox_autoerror err = COX_ERROR_INIT;

	write_policy(life, POLICY("\"predicates\":[{\"name\":\"PodFitsResources\"}]"));
	put_node(life, "a");
	put_node(life, "b");
	put_node(life, "c");
	start(life);
	put_pod(life, "big", "5");
	eventually(fake_requests(life->server, CLIENT_PATCH, "pods") == 1);
	/* A broken one changes nothing. */
	write_policy(life, POLICY("\"predicates\":[{\"name\":\"NoSuch\"}]"));
	assert_int_equal(scheduler_personality.reload(&life->daemon, &err), -1);
	assert_string_equal(error_text(&err),
			    "Invalid configuration: Predicate type not found for NoSuch");
	assert_false(is_on(life, "big", "a"));
	/* Without the predicate it fits, on the node that the other plugin prefers. */
	write_policy(life, POLICY("\"predicates\":[]"));
	life->plugins[0] = (char *)"packed";
	assert_int_equal(scheduler_personality.reload(&life->daemon, NULL), 0);
	eventually(is_on(life, "big", "a"));
	put_pod(life, "next", "5");
	eventually(is_on(life, "next", "a"));
}

static void test_refused(void **state)
{
	struct life *life = *state;
	char why[256];

	life->config.algorithm_provider = "DefaultProvidr";
	prepare_fails(life, "--algorithm-provider: plugin \"DefaultProvidr\" has not been "
			    "registered (did you mean \"DefaultProvider\"?)");
	scheduler_personality.stop(&life->daemon);
	life->config.algorithm_provider = "DefaultProvider";
	write_policy(life, "{\"kind\":\"Policy\",\"apiVersion\":\"v2\"}");
	snprintf(why, sizeof(why), "--policy-config-file: %s: kind Policy, apiVersion v1 is needed",
		 life->policy);
	prepare_fails(life, why);
	scheduler_personality.stop(&life->daemon);
	life->plugins[1] = life->plugins[0];
	life->config.scheduler_plugins.count = 2;
	prepare_fails(life, "--scheduler-plugins: default is there twice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, life_open, life_close),
		cmocka_unit_test_setup_teardown(test_reload, life_open, life_close),
		cmocka_unit_test_setup_teardown(test_refused, life_open, life_close),
	};

	return cmocka_run_group_tests_name("scheduler_manager", tests, NULL, NULL);
}
