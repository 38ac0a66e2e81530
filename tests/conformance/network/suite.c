/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a network plugin must do. The test lives in a network namespace of its
 * own, which plays the node; pods are namespaces held by sleeping processes,
 * and one more plays the world outside.
 */
#include "../../unit/unit.h"

#include "base/error.h"
#include "base/spawn.h"
#include "host/host.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/network.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull

static const struct cox_call no_call = {.struct_size = sizeof(no_call)};
static struct host *host;
static struct host_plugin *plugin;
static const struct cox_network_ops *ops;
static void *self;
static char directory[256];

struct space {
	int pidfd;
	int32_t pid;
	char path[64];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static int run(const char *format, ...) COX_PRINTF(1, 2);
static int run(const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	const char *argv[] = {"/bin/sh", "-ec", NULL, NULL};
	const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	const struct cox_spawn_fd fds[] = {{2, 2}};
	struct cox_spawn what = {.struct_size = sizeof(what),
				 .path = "/bin/sh",
				 .argv = argv,
				 .env = env,
				 .cwd = directory,
				 .fds = fds,
				 .fd_count = 1};
	cox_autoerror err = COX_ERROR_INIT;
	int pidfd = -1, status = -1;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	argv[2] = text.data;
	if (spawn_process(&what, &pidfd, NULL, &err) != 0 ||
	    spawn_wait(pidfd, now_ns() + 60 * SECOND, &status, &err) != 0)
		print_error("%s: %s\n", text.data, error_text(&err));
	close(pidfd);
	return status;
}

static void space_make(struct space *space)
{
	const char *const argv[] = {"/usr/bin/unshare", "-n", "/bin/sleep", "600", NULL};
	struct cox_spawn what = {.struct_size = sizeof(what), .path = argv[0], .argv = argv};
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t end = now_ns() + 10 * SECOND;
	struct stat own, theirs;

	if (spawn_process(&what, &space->pidfd, &space->pid, &err) != 0)
		fail_msg("%s", error_text(&err));
	snprintf(space->path, sizeof(space->path), "/proc/%d/ns/net", space->pid);
	assert_int_equal(stat("/proc/self/ns/net", &own), 0);
	while (stat(space->path, &theirs) != 0 || theirs.st_ino == own.st_ino) {
		assert_true(now_ns() < end);
		poll(NULL, 0, 5);
	}
}

static void space_end(struct space *space)
{
	int status;

	assert_int_equal(spawn_signal(space->pidfd, SIGKILL, NULL), 0);
	assert_int_equal(spawn_wait(space->pidfd, now_ns() + 10 * SECOND, &status, NULL), 0);
	close(space->pidfd);
}

static void open_plugin(const char *extra)
{
	const char *builddir = getenv("builddir");
	char plugins[512];
	cox_autoerror err = COX_ERROR_INIT;

	snprintf(plugins, sizeof(plugins), "%s/plugins/.libs", builddir ? builddir : ".");
	host = host_new("kubelet", plugins);
	plugin = host_open(host, "network", "bridge", NULL, &err);
	if (!plugin || host_set_option(plugin, "directory", directory, NULL, &err) != 0 ||
	    (extra && host_set_option(plugin, "direct", extra, NULL, &err) != 0) ||
	    host_configure(plugin, &err) != 0 || host_get_ready(plugin, &err) != 0 ||
	    host_start(plugin, &err) != 0)
		fail_msg("%s", error_text(&err));
	ops = host_ops(plugin);
	self = host_self(plugin);
}

static void close_plugin(void)
{
	host_close(plugin);
	host_free(host);
}

static void set_range(const char *first, const char *second)
{
	const char *const ranges[] = {first, second};
	cox_autoerror err = COX_ERROR_INIT;

	if (ops->set_pod_cidrs(self, &no_call, ranges, second ? 2 : 1, &err) != 0)
		fail_msg("%s", error_text(&err));
}

struct taken {
	struct cox_network_sink sink;
	struct cox_buf text;
};

static void take(const struct cox_network_sink *sink, const struct cox_network_address *address)
{
	struct taken *taken = (struct taken *)(uintptr_t)sink;

	cox_buf_printf(&taken->text, "%s/%u via %s ", address->address, address->prefix,
		       address->gateway);
}

static int set_up_ports(const char *id, const char *path, const struct cox_port_mapping *ports,
			size_t port_count, struct cox_buf *text, struct cox_error *err)
{
	struct taken taken = {.sink = {sizeof(taken.sink), 0, take}};
	const struct cox_network_sandbox sandbox = {.struct_size = sizeof(sandbox),
						    .id = id,
						    .network_namespace = path,
						    .pod_name = "pod",
						    .pod_namespace = "default",
						    .pod_uid = "u",
						    .ports = ports,
						    .port_count = port_count};
	int result = ops->set_up(self, &no_call, &sandbox, &taken.sink, err);

	cox_buf_clear(text);
	cox_buf_str(text, cox_buf_cstr(&taken.text));
	cox_buf_free(&taken.text);
	return result;
}

static int set_up_pod(const char *id, const char *path, struct cox_buf *text, struct cox_error *err)
{
	return set_up_ports(id, path, NULL, 0, text, err);
}

static void assert_set_up(const char *id, const struct space *space, const char *expected)
{
	cox_autobuf text = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (set_up_pod(id, space->path, &text, &err) != 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(cox_buf_cstr(&text), expected);
}

static void tear_down_pod(const char *id)
{
	const struct cox_network_sandbox sandbox = {.struct_size = sizeof(sandbox),
						    .id = id,
						    .network_namespace = "",
						    .pod_name = "",
						    .pod_namespace = "",
						    .pod_uid = ""};
	cox_autoerror err = COX_ERROR_INIT;

	if (ops->tear_down(self, &no_call, &sandbox, &err) != 0)
		fail_msg("%s", error_text(&err));
}

static int ping(const struct space *from, const char *address)
{
	return run("nsenter -t %d -n busybox ping -c 1 -W 2 %s >/dev/null", from->pid, address);
}

static void test_refusals(void **state)
{
	struct space pod;
	cox_autobuf text = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	const char *bad[] = {"10.1.0.0/31", "10.1.0.0", "10.1.0.0/33", "pods/8"};

	(void)state;
	open_plugin(NULL);
	space_make(&pod);
	assert_int_equal(ops->status(self, &no_call, &err), -1);
	assert_string_equal(error_text(&err), "the node has no pod CIDR yet");
	assert_int_equal(set_up_pod("a", pod.path, &text, &err), -1);
	assert_int_equal(err.reason, COX_REASON_SERVICE_UNAVAILABLE);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(ops->set_pod_cidrs(self, &no_call, &bad[i], 1, &err), -1);
		assert_int_equal(err.reason, COX_REASON_INVALID);
	}
	set_range("10.1.0.0/24", NULL);
	assert_int_equal(ops->status(self, &no_call, &err), 0);
	/* The node's own namespace would lose its network. */
	assert_int_equal(set_up_pod("a", "/proc/self/ns/net", &text, &err), -1);
	assert_string_equal(error_text(&err),
			    "\"/proc/self/ns/net\" is the node's own network namespace");
	assert_int_equal(ops->addresses(self, &no_call, "a", NULL, &err), -1);
	assert_int_equal(err.reason, COX_REASON_NOT_FOUND);
	tear_down_pod("a");
	space_end(&pod);
	close_plugin();
}

static void test_pods(void **state)
{
	struct space one, two;

	(void)state;
	open_plugin(NULL);
	set_range("10.1.0.0/24", "fd00:1::/64");
	space_make(&one);
	space_make(&two);
	assert_set_up("one", &one, "10.1.0.2/24 via 10.1.0.1 fd00:1::2/64 via fd00:1::1 ");
	assert_set_up("two", &two, "10.1.0.3/24 via 10.1.0.1 fd00:1::3/64 via fd00:1::1 ");
	/* Again: the same, and nothing is touched. */
	assert_set_up("one", &one, "10.1.0.2/24 via 10.1.0.1 fd00:1::2/64 via fd00:1::1 ");
	assert_int_equal(ping(&one, "10.1.0.3"), 0);
	assert_int_equal(ping(&two, "fd00:1::2"), 0);
	assert_int_equal(ping(&one, "10.1.0.1"), 0);
	assert_int_equal(ping(&one, "127.0.0.1"), 0);
	assert_int_equal(run("test $(cat /proc/sys/net/ipv4/ip_forward) = 1"), 0);
	/* A neighbour must not reach the node's loopback (CVE-2020-8558). */
	assert_int_equal(run("for f in /proc/sys/net/ipv4/conf/*/route_localnet; do "
			     "test $(cat $f) = 0; done"),
			 0);
	assert_int_equal(run("for f in /sys/class/net/cox0/brif/*/hairpin_mode; do :; done; "
			     "bridge -d link show | grep -c 'hairpin on' | grep -qx 2"),
			 0);
	tear_down_pod("one");
	assert_true(ping(&two, "10.1.0.2") != 0);
	/* Addresses go round: the one just freed is not the next one. */
	assert_set_up("three", &one, "10.1.0.4/24 via 10.1.0.1 fd00:1::4/64 via fd00:1::1 ");
	tear_down_pod("three");
	tear_down_pod("two");
	assert_int_equal(run("! ip -o link show type veth | grep ."), 0);
	assert_int_equal(run("test -z \"$(ls addresses)\""), 0);
	space_end(&one);
	space_end(&two);
	close_plugin();
}

static void test_restart(void **state)
{
	struct space one, two;
	const char *const alive[] = {"two"};
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	open_plugin(NULL);
	set_range("10.1.0.0/24", NULL);
	space_make(&one);
	space_make(&two);
	assert_set_up("one", &one, "10.1.0.2/24 via 10.1.0.1 ");
	assert_set_up("two", &two, "10.1.0.3/24 via 10.1.0.1 ");
	close_plugin();
	/* A crash between address and link leaves an address alone. */
	assert_int_equal(run("printf lost > addresses/10.1.0.9"), 0);
	open_plugin(NULL);
	set_range("10.1.0.0/24", NULL);
	assert_int_equal(ping(&one, "10.1.0.3"), 0);
	assert_set_up("two", &two, "10.1.0.3/24 via 10.1.0.1 ");
	assert_int_equal(ops->reconcile(self, &no_call, alive, 1, &err), 0);
	assert_int_equal(run("test \"$(ls addresses)\" = 10.1.0.3"), 0);
	assert_int_equal(run("ip -o link show type veth | grep -c . | grep -qx 1"), 0);
	/* A pod whose link was taken away is set up anew. */
	assert_int_equal(run("nsenter -t %d -n ip link del eth0", two.pid), 0);
	assert_set_up("two", &two, "10.1.0.2/24 via 10.1.0.1 ");
	assert_int_equal(ping(&two, "10.1.0.1"), 0);
	tear_down_pod("two");
	space_end(&one);
	space_end(&two);
	close_plugin();
}

static void test_full(void **state)
{
	struct space pod;
	cox_autobuf text = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	open_plugin(NULL);
	set_range("10.2.0.0/30", NULL);
	space_make(&pod);
	assert_set_up("one", &pod, "10.2.0.2/30 via 10.2.0.1 ");
	assert_int_equal(set_up_pod("two", pod.path, &text, &err), -1);
	assert_string_equal(error_text(&err), "no address is free in 10.2.0.0/30");
	assert_int_equal(run("test \"$(ls addresses)\" = 10.2.0.2"), 0);
	tear_down_pod("one");
	space_end(&pod);
	close_plugin();
}

/* The world sees the node's address, a direct range the pod's. */
static void test_masquerade(void **state)
{
	struct space pod, world;

	(void)state;
	open_plugin("192.168.8.0/24");
	set_range("10.3.0.0/24", NULL);
	space_make(&pod);
	space_make(&world);
	assert_set_up("one", &pod, "10.3.0.2/24 via 10.3.0.1 ");
	assert_int_equal(run("ip link add up0 type veth peer name up1 netns %d; "
			     "ip addr add 192.168.7.1/24 dev up0; ip link set up0 up; "
			     "ip addr add 192.168.8.1/24 dev up0",
			     world.pid),
			 0);
	assert_int_equal(run("nsenter -t %d -n sh -ec 'ip addr add 192.168.7.2/24 dev up1; "
			     "ip addr add 192.168.8.2/24 dev up1; ip link set up1 up'",
			     world.pid),
			 0);
	/* The world has no way back to the pods: only masqueraded packets return. */
	assert_int_equal(ping(&pod, "192.168.7.2"), 0);
	assert_true(ping(&pod, "192.168.8.2") != 0);
	assert_int_equal(
		run("nsenter -t %d -n ip route add 10.3.0.0/24 via 192.168.8.1", world.pid), 0);
	assert_int_equal(ping(&pod, "192.168.8.2"), 0);
	tear_down_pod("one");
	assert_int_equal(run("ip link del up0"), 0);
	space_end(&pod);
	space_end(&world);
	close_plugin();
}

/* A server in the pod that answers each connection with a word. */
static void serve(struct space *server, const struct space *pod, const char *port, const char *word)
{
	char pid[16];
	const char *argv[] = {"/usr/bin/nsenter",
			      "-t",
			      pid,
			      "-n",
			      "/bin/busybox",
			      "nc",
			      "-ll",
			      "-p",
			      port,
			      "-e",
			      "/bin/busybox",
			      "echo",
			      word,
			      NULL};
	struct cox_spawn what = {.struct_size = sizeof(what), .path = argv[0], .argv = argv};
	cox_autoerror err = COX_ERROR_INIT;

	snprintf(pid, sizeof(pid), "%d", pod->pid);
	if (spawn_process(&what, &server->pidfd, &server->pid, &err) != 0)
		fail_msg("%s", error_text(&err));
}

/* Whether a connection is answered with the word; waits for the server to come up. */
static int asked(int32_t pid, const char *address, const char *port, const char *word)
{
	char enter[64] = "";

	if (pid)
		snprintf(enter, sizeof(enter), "nsenter -t %d -n", pid);
	return run("for i in $(seq 100); do test \"$(%s busybox nc -w 2 %s %s </dev/null "
		   "2>/dev/null)\" = %s && exit 0; busybox usleep 20000; done; exit 1",
		   enter, address, port, word);
}

static int refused(int32_t pid, const char *address, const char *port)
{
	char enter[64] = "";

	if (pid)
		snprintf(enter, sizeof(enter), "nsenter -t %d -n", pid);
	return run("! %s busybox nc -w 1 %s %s </dev/null 2>/dev/null | grep .", enter, address,
		   port);
}

/* Whether the links that may carry packets of the loopback are these, each with a blank. */
static int open_links(const char *names)
{
	return run("cd /proc/sys/net/ipv4/conf; "
		   "for f in *; do test \"$(cat \"$f/route_localnet\")\" = 0 || "
		   "open=\"$open$f \"; done; test \"$open\" = '%s'",
		   names);
}

/* A port of the node is the pod's, for the world, the node and other pods. */
static void test_ports(void **state)
{
	static const struct cox_port_mapping ports[] = {
		{.protocol = "TCP", .host_ip = "", .host_port = 8080, .container_port = 80},
		{.protocol = "TCP",
		 .host_ip = "192.168.7.1",
		 .host_port = 8081,
		 .container_port = 80},
		{.protocol = "UDP", .host_ip = "0.0.0.0", .host_port = 53, .container_port = 53}};
	static const struct cox_port_mapping bad = {
		.protocol = "TCP", .host_ip = "nowhere", .host_port = 1, .container_port = 1};
	const char *const alive[] = {"two"};
	const struct space here = {.pid = getpid()};
	struct space pod, other, fresh, world, server, elsewhere, loopback;
	cox_autobuf text = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	open_plugin(NULL);
	set_range("10.4.0.0/24", NULL);
	space_make(&pod);
	space_make(&other);
	space_make(&fresh);
	space_make(&world);
	assert_int_equal(run("ip link set lo up; ip link add up0 type veth peer name up1 netns %d; "
			     "ip addr add 192.168.7.1/24 dev up0; "
			     "ip addr add 192.168.9.1/24 dev up0; ip link set up0 up",
			     world.pid),
			 0);
	assert_int_equal(run("nsenter -t %d -n sh -ec 'ip link set lo up; "
			     "ip addr add 192.168.7.2/24 dev up1; "
			     "ip addr add 192.168.9.2/24 dev up1; ip link set up1 up'",
			     world.pid),
			 0);
	if (set_up_ports("one", pod.path, ports, 3, &text, &err) != 0)
		fail_msg("%s", error_text(&err));
	assert_set_up("two", &other, "10.4.0.3/24 via 10.4.0.1 ");
	serve(&server, &pod, "80", "pod");
	serve(&elsewhere, &world, "8080", "world");
	assert_int_equal(asked(world.pid, "192.168.7.1", "8080", "pod"), 0);
	assert_int_equal(asked(0, "192.168.7.1", "8080", "pod"), 0);
	assert_int_equal(asked(other.pid, "192.168.7.1", "8080", "pod"), 0);
	assert_int_equal(asked(pod.pid, "192.168.7.1", "8080", "pod"), 0);
	/* One address only. */
	assert_int_equal(asked(world.pid, "192.168.7.1", "8081", "pod"), 0);
	assert_int_equal(refused(world.pid, "192.168.9.1", "8081"), 0);
	/* What is not for the node is left alone. */
	assert_int_equal(asked(other.pid, "192.168.7.2", "8080", "world"), 0);
	/* The node's loopback is as good, but of the links the bridge alone may carry it. */
	assert_int_equal(asked(0, "127.0.0.1", "8080", "pod"), 0);
	assert_int_equal(asked(0, "127.9.9.9", "8080", "pod"), 0);
	assert_int_equal(refused(0, "127.0.0.1", "8081"), 0);
	assert_int_equal(open_links("cox0 "), 0);
	/* And not to what listens there, whoever asks in whatever way. */
	serve(&loopback, &here, "8082", "secret");
	assert_int_equal(asked(0, "127.0.0.1", "8082", "secret"), 0);
	assert_int_equal(run("nsenter -t %d -n sh -ec 'echo 1 "
			     ">/proc/sys/net/ipv4/conf/eth0/route_localnet; "
			     "ip addr del 127.0.0.1/8 dev lo; "
			     "ip route add 127.0.0.1 via 10.4.0.1 src 10.4.0.3'",
			     other.pid),
			 0);
	assert_int_equal(refused(other.pid, "127.0.0.1", "8082"), 0);
	space_end(&loopback);
	/* A restart keeps them; so does another pod's end. */
	close_plugin();
	open_plugin(NULL);
	set_range("10.4.0.0/24", NULL);
	assert_int_equal(asked(world.pid, "192.168.7.1", "8080", "pod"), 0);
	/* What the node cannot map is no pod. */
	assert_int_equal(set_up_ports("bad", fresh.path, &bad, 1, &text, &err), -1);
	assert_string_equal(error_text(&err), "host port 1: \"nowhere\" is no address");
	assert_int_equal(
		run("! ls addresses ports | grep -q bad; test $(ls addresses | wc -l) = 2"), 0);
	tear_down_pod("one");
	assert_int_equal(refused(world.pid, "192.168.7.1", "8080"), 0);
	assert_int_equal(refused(0, "127.0.0.1", "8080"), 0);
	assert_int_equal(open_links(""), 0);
	/* And of one that a crash left. */
	space_end(&server);
	space_end(&pod);
	space_make(&pod);
	if (set_up_ports("three", pod.path, ports, 3, &text, &err) != 0)
		fail_msg("%s", error_text(&err));
	serve(&server, &pod, "80", "third");
	assert_int_equal(asked(world.pid, "192.168.7.1", "8080", "third"), 0);
	assert_int_equal(ops->reconcile(self, &no_call, alive, 1, &err), 0);
	assert_int_equal(refused(world.pid, "192.168.7.1", "8080"), 0);
	assert_int_equal(run("test -z \"$(ls ports)\""), 0);
	assert_int_equal(open_links(""), 0);
	tear_down_pod("two");
	space_end(&server);
	space_end(&elsewhere);
	assert_int_equal(run("ip link del up0"), 0);
	space_end(&pod);
	space_end(&other);
	space_end(&fresh);
	space_end(&world);
	close_plugin();
}

/* Each test begins with a node without a bridge. */
static int clean_node(void **state)
{
	(void)state;
	run("ip link del cox0 2>/dev/null || true; rm -rf addresses ports");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_refusals, clean_node),
					   cmocka_unit_test_setup(test_pods, clean_node),
					   cmocka_unit_test_setup(test_restart, clean_node),
					   cmocka_unit_test_setup(test_full, clean_node),
					   cmocka_unit_test_setup(test_masquerade, clean_node),
					   cmocka_unit_test_setup(test_ports, clean_node)};
	const char *base = getenv("TMPDIR");
	int failed;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0 || access("/bin/busybox", X_OK) != 0) {
		printf("1..0 # SKIP needs root, network namespaces and busybox-static\n");
		return 77;
	}
	snprintf(directory, sizeof(directory), "%s/cox-network-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(directory)) {
		perror(directory);
		return 99;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	run("rm -rf '%s'", directory);
	return failed ? 1 : 0;
}
