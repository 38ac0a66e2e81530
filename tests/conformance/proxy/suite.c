/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a proxy plugin must do, seen from a client on the node. The test lives
 * in a network namespace of its own, which is the node (192.0.2.1); endpoints
 * are servers in this process, which say their letter and then, when the client
 * has sent everything, all that they heard.
 */
#include "../../unit/unit.h"

#include "base/error.h"
#include "base/spawn.h"
#include "host/host.h"

#include <arpa/inet.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/proxy.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define SERVICE_ADDRESS "10.254.0.7"
#define OTHER_ADDRESS "10.254.0.8"

enum { MANY = 300, BULK = 4 << 20, PATIENCE = 20 /* seconds */ };

static const struct cox_call no_call = {.struct_size = sizeof(no_call)};
static struct host *host;
static struct host_plugin *plugin;
static const struct cox_proxy_ops *ops;

struct server {
	char letter;
	int fd;
	uint16_t port;
	pthread_t thread;
};

static struct server one = {.letter = 'a'}, two = {.letter = 'b'};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* The exit status of a line of shell. */
static int run(const char *line)
{
	const char *argv[] = {"/bin/sh", "-ec", line, NULL};
	const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	const struct cox_spawn_fd fds[] = {{2, 2}};
	struct cox_spawn what = {.struct_size = sizeof(what),
				 .path = argv[0],
				 .argv = argv,
				 .env = env,
				 .fds = fds,
				 .fd_count = 1};
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoclose int pidfd = -1;
	int status = -1;

	if (spawn_process(&what, &pidfd, NULL, &err) != 0 ||
	    spawn_wait(pidfd, now_ns() + 30 * SECOND, &status, &err) != 0)
		fail_msg("%s: %s", line, error_text(&err));
	return status;
}

/* ---- servers ---- */

static bool send_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t done = send(fd, data, size, MSG_NOSIGNAL);

		if (done <= 0)
			return false;
		data += done;
		size -= (size_t)done;
	}
	return true;
}

static void receive_all(int fd, struct cox_buf *out)
{
	ssize_t got;

	do {
		char *room = cox_buf_reserve(out, 65536);

		got = recv(fd, room, 65536, 0);
		cox_buf_added(out, got > 0 ? (size_t)got : 0);
	} while (got > 0);
}

struct visit {
	int fd;
	char letter;
};

static void *serve_one(void *argument)
{
	struct visit *visit = argument;
	cox_autobuf heard = COX_BUF_INIT;

	receive_all(visit->fd, &heard);
	if (send_all(visit->fd, &visit->letter, 1))
		send_all(visit->fd, cox_buf_cstr(&heard), heard.size);
	close(visit->fd);
	free(visit);
	return NULL;
}

static void *serve(void *argument)
{
	struct server *server = argument;
	pthread_t threads[2 * MANY];
	size_t count = 0;

	for (;;) {
		struct visit *visit;
		int fd = accept(server->fd, NULL, NULL);

		if (fd < 0 || count == 2 * MANY)
			break;
		visit = malloc(sizeof(*visit));
		*visit = (struct visit){fd, server->letter};
		pthread_create(&threads[count++], NULL, serve_one, visit);
	}
	while (count)
		pthread_join(threads[--count], NULL);
	return NULL;
}

static void server_start(struct server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(server->fd, MANY), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

/* ---- the client ---- */

/* Connected within `patience` seconds, or -1. */
static int dial_for(const char *to, time_t patience)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
	const struct timeval connecting = {.tv_sec = patience}, talking = {.tv_sec = PATIENCE};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, to, &address.sin_addr), 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &talking, sizeof(talking));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &connecting, sizeof(connecting));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &talking, sizeof(talking));
		return fd;
	}
	close(fd);
	return -1;
}

static int dial(const char *to)
{
	return dial_for(to, PATIENCE);
}

/* Says `text`, hears everything; the letter of the server, or 0: nobody answers. */
static char ask_on(int connected, const char *text)
{
	cox_autoclose int fd = connected;
	cox_autobuf heard = COX_BUF_INIT;

	if (fd < 0 || !send_all(fd, text, strlen(text)))
		return 0;
	shutdown(fd, SHUT_WR);
	receive_all(fd, &heard);
	if (!heard.size)
		return 0;
	assert_string_equal(cox_buf_cstr(&heard) + 1, text);
	return cox_buf_cstr(&heard)[0];
}

static char ask(const char *to, const char *text)
{
	return ask_on(dial(to), text);
}

/* Where nobody listens, the packets are just lost: a test of it ends after a second. */
static bool nobody_answers(const char *to)
{
	return ask_on(dial_for(to, 1), "hello") == 0;
}

/* ---- updates ---- */

struct wanted {
	const char *name;
	const char *address;
	struct server *servers[2]; /* NULL: none */
	uint32_t flags[2];	   /* 0: ready */
	uint32_t affinity;
};

static void sync_with(const struct wanted *wanted, size_t count, uint32_t flags, const char *gone)
{
	const struct cox_proxy_port port = {.name = "", .protocol = "TCP", .port = 80};
	const struct cox_proxy_name gone_name = {"default", gone};
	struct cox_proxy_service services[2] = {{0}};
	struct cox_proxy_endpoints lists[2] = {{0}};
	struct cox_proxy_endpoint endpoints[2][2] = {{{0}}};
	struct cox_proxy_update update = {.struct_size = sizeof(update),
					  .flags = flags,
					  .services = services,
					  .service_count = count,
					  .endpoints = lists,
					  .endpoints_count = count,
					  .gone = &gone_name,
					  .gone_count = gone ? 1 : 0};
	cox_autoerror err = COX_ERROR_INIT;

	for (size_t i = 0; i < count; i++) {
		services[i] = (struct cox_proxy_service){.struct_size = sizeof(services[i]),
							 .namespace_name = "default",
							 .name = wanted[i].name,
							 .cluster_ips = &wanted[i].address,
							 .cluster_ip_count = 1,
							 .ports = &port,
							 .port_count = 1,
							 .affinity = wanted[i].affinity,
							 .affinity_seconds = 10800};
		lists[i] = (struct cox_proxy_endpoints){.struct_size = sizeof(lists[i]),
							.namespace_name = "default",
							.service = wanted[i].name,
							.port_name = "",
							.protocol = "TCP",
							.endpoints = endpoints[i]};
		for (size_t k = 0; k < 2 && wanted[i].servers[k]; k++) {
			uint32_t said = wanted[i].flags[k];

			endpoints[i][lists[i].endpoint_count++] = (struct cox_proxy_endpoint){
				.address = "127.0.0.1",
				.node_name = "node",
				.zone = "",
				.port = wanted[i].servers[k]->port,
				.flags = said ? said : COX_PROXY_READY | COX_PROXY_SERVING};
		}
	}
	host_call_scope(plugin);
	if (ops->sync(host_self(plugin), &no_call, &update, &err) != 0)
		fail_msg("%s", error_text(&err));
}

static void open_plugin(void)
{
	const char *builddir = getenv("builddir");
	cox_autoerror err = COX_ERROR_INIT;
	char plugins[512];

	snprintf(plugins, sizeof(plugins), "%s/plugins/.libs", builddir ? builddir : ".");
	host = host_new("kube-proxy", plugins);
	plugin = host_open(host, "proxy", PROXY_NAME, NULL, &err);
	if (!plugin || host_set_option(plugin, "host-name", "192.0.2.1", NULL, &err) != 0 ||
	    host_configure(plugin, &err) != 0 || host_get_ready(plugin, &err) != 0 ||
	    host_start(plugin, &err) != 0)
		fail_msg("%s", error_text(&err));
	ops = host_ops(plugin);
}

static void close_plugin(void)
{
	host_close(plugin);
	host_free(host);
}

/* ---- tests ---- */

static int setup(void **state)
{
	(void)state;
	server_start(&one);
	server_start(&two);
	open_plugin();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_plugin();
	server_stop(&one);
	server_stop(&two);
	return 0;
}

static void test_updates(void **state)
{
	const struct wanted both[] = {{.name = "x", .address = SERVICE_ADDRESS, .servers = {&one}},
				      {.name = "y", .address = OTHER_ADDRESS, .servers = {&two}}};
	struct wanted changed = both[0];

	(void)state;
	sync_with(both, 2, COX_PROXY_FULL, NULL);
	assert_int_equal(ask(SERVICE_ADDRESS, "hello"), 'a');
	assert_int_equal(ask(OTHER_ADDRESS, "hello"), 'b');
	changed.servers[0] = &two;
	sync_with(&changed, 1, 0, NULL); /* the other one stays as it is */
	assert_int_equal(ask(SERVICE_ADDRESS, "hello"), 'b');
	assert_int_equal(ask(OTHER_ADDRESS, "hello"), 'b');
	sync_with(NULL, 0, 0, "y");
	assert_true(nobody_answers(OTHER_ADDRESS));
	assert_int_equal(ask(SERVICE_ADDRESS, "hello"), 'b');
	sync_with(both + 1, 1, COX_PROXY_FULL, NULL); /* names the other one only */
	assert_true(nobody_answers(SERVICE_ADDRESS));
	assert_int_equal(ask(OTHER_ADDRESS, "hello"), 'b');
	sync_with(both + 1, 1, COX_PROXY_FULL, NULL); /* the same again is no change */
	assert_int_equal(ask(OTHER_ADDRESS, "hello"), 'b');
}

static void test_choice(void **state)
{
	struct wanted service = {.name = "x", .address = SERVICE_ADDRESS, .servers = {&one, &two}};
	char first, second;

	(void)state;
	sync_with(&service, 1, COX_PROXY_FULL, NULL);
	first = ask(SERVICE_ADDRESS, "1");
	second = ask(SERVICE_ADDRESS, "2");
	assert_int_equal(first + second, 'a' + 'b');
	service.affinity = COX_PROXY_AFFINITY_CLIENT_IP;
	sync_with(&service, 1, 0, NULL);
	first = ask(SERVICE_ADDRESS, "3");
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(SERVICE_ADDRESS, "4"), first);
	service.affinity = COX_PROXY_AFFINITY_NONE;
	service.flags[0] = COX_PROXY_SERVING | COX_PROXY_TERMINATING;
	sync_with(&service, 1, 0, NULL);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ask(SERVICE_ADDRESS, "5"), 'b');
	service.servers[1] = NULL; /* nobody is ready: one that still serves will do */
	sync_with(&service, 1, 0, NULL);
	assert_int_equal(ask(SERVICE_ADDRESS, "6"), 'a');
	service.servers[0] = NULL;
	sync_with(&service, 1, 0, NULL);
	assert_true(nobody_answers(SERVICE_ADDRESS));
}

/* Half-close: the server answers only when the client has said everything. */
static void test_bulk(void **state)
{
	const struct wanted service = {.name = "x", .address = SERVICE_ADDRESS, .servers = {&one}};
	char *text = malloc(BULK + 1);

	(void)state;
	for (size_t i = 0; i < BULK; i++)
		text[i] = (char)('A' + i * 7 % 26);
	text[BULK] = '\0';
	sync_with(&service, 1, COX_PROXY_FULL, NULL);
	assert_int_equal(ask(SERVICE_ADDRESS, text), 'a');
	free(text);
}

static void test_many(void **state)
{
	const struct wanted service = {
		.name = "x", .address = SERVICE_ADDRESS, .servers = {&one, &two}};
	int fds[MANY];

	(void)state;
	sync_with(&service, 1, COX_PROXY_FULL, NULL);
	for (int i = 0; i < MANY; i++) {
		fds[i] = dial(SERVICE_ADDRESS);
		assert_true(fds[i] >= 0);
		assert_true(send_all(fds[i], "x", 1));
	}
	for (int i = 0; i < MANY; i++) {
		cox_autobuf heard = COX_BUF_INIT;

		shutdown(fds[i], SHUT_WR);
		receive_all(fds[i], &heard);
		close(fds[i]);
		assert_int_equal(heard.size, 2);
		assert_int_equal(heard.data[1], 'x');
	}
}

/* What was open is cut by a stop, not waited for; nothing is taken away. */
static void test_stop(void **state)
{
	const struct wanted service = {.name = "x", .address = SERVICE_ADDRESS, .servers = {&one}};
	cox_autobuf heard = COX_BUF_INIT;
	cox_autoclose int fd = -1;
	uint64_t begin;

	(void)state;
	sync_with(&service, 1, COX_PROXY_FULL, NULL);
	fd = dial(SERVICE_ADDRESS);
	assert_true(fd >= 0 && send_all(fd, "x", 1));
	begin = now_ns();
	close_plugin();
	assert_true(now_ns() - begin < 5 * SECOND);
	receive_all(fd, &heard);
	assert_true(heard.size <= 2);
	assert_int_equal(run("iptables-save -t nat | grep -q -- '--dport 80 '"), 0);
	open_plugin();
	assert_int_equal(run("! iptables-save -t nat | grep -q -- '--dport 80 '"), 0);
	sync_with(&service, 1, COX_PROXY_FULL, NULL);
	assert_int_equal(ask(SERVICE_ADDRESS, "hello"), 'a');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_updates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_choice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bulk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
	};

	if (geteuid() != 0 || access("/usr/sbin/iptables", X_OK) != 0 ||
	    unshare(CLONE_NEWNET) != 0) {
		printf("1..0 # SKIP needs root, iptables and a network namespace of its own\n");
		return 77;
	}
	if (run("ip link set lo up; ip address add 192.0.2.1/24 dev lo;"
		"ip route add 10.254.0.0/16 dev lo src 192.0.2.1") != 0)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
