/* SPDX-License-Identifier: Apache-2.0 */
/* Starting processes, metrics, and talking to the service manager. */
#include "unit.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/notify.h"
#include "base/spawn.h"

#include <coxswain/kit/cleanup.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DEADLINE (clock_monotonic() + 20 * CLOCK_SECOND)

/* Runs a shell script with its output in `out`; the exit status. */
static int run(const char *script, char *out, size_t size, const struct cox_spawn_fd *more)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	const char *const env[] = {"PATH=/usr/bin:/bin", "ONLY=this", NULL};
	cox_autoclose int reader = -1, writer = -1, child = -1;
	cox_autoerror err = COX_ERROR_INIT;
	struct cox_spawn_fd fds[2];
	struct cox_spawn what = {.struct_size = sizeof(what),
				 .path = "/bin/sh",
				 .argv = argv,
				 .env = env,
				 .fds = fds,
				 .fd_count = more ? 2 : 1};
	int ends[2], status;
	size_t used = 0;
	ssize_t got;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	reader = ends[0];
	writer = ends[1];
	fds[0] = (struct cox_spawn_fd){writer, 1};
	if (more)
		fds[1] = *more;
	if (spawn_process(&what, &child, NULL, &err) < 0)
		fail_msg("%s", err.message);
	close(cox_steal_fd(&writer));
	while (used + 1 < size && (got = read(reader, out + used, size - used - 1)) > 0)
		used += (size_t)got;
	out[used] = '\0';
	assert_int_equal(spawn_wait(child, DEADLINE, &status, &err), 0);
	return status;
}

static void child_gets_only_what_is_listed(void **state)
{
	char out[4096];

	(void)state;
	assert_int_equal(run("env | sort | grep -v '^_=\\|^PWD='", out, sizeof(out), NULL), 0);
	assert_string_equal(out, "ONLY=this\nPATH=/usr/bin:/bin\n");
	assert_int_equal(run("pwd; umask", out, sizeof(out), NULL), 0);
	assert_string_equal(out, "/\n0022\n");
}

static void child_has_no_other_descriptors(void **state)
{
	/* On purpose without O_CLOEXEC: what a careless library would leak. */
	cox_autoclose int leak = open("/dev/zero", O_RDONLY);
	cox_autoclose int wanted = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	struct cox_spawn_fd fd = {wanted, 7};
	char out[4096];

	(void)state;
	assert_true(leak >= 0 && wanted >= 0);
	/* No glob and no subshell: both would open descriptors of their own. */
	assert_int_equal(run("n=0; while [ $n -lt 64 ]; do [ ! -e /proc/$$/fd/$n ] || echo $n; "
			     "n=$((n + 1)); done; [ /proc/$$/fd/0 -ef /dev/null ] && "
			     "[ /proc/$$/fd/2 -ef /dev/null ] && [ /proc/$$/fd/7 -ef /etc/passwd ]",
			     out, sizeof(out), &fd),
			 0);
	assert_string_equal(out, "0\n1\n2\n7\n");
}

static void child_can_swap_descriptors(void **state)
{
	cox_autoclose int a = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	cox_autoclose int b = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	cox_autoclose int child = -1;
	cox_autoclose int five = fcntl(a, F_DUPFD_CLOEXEC, 5), six = fcntl(b, F_DUPFD_CLOEXEC, 5);
	struct cox_spawn_fd fds[] = {{six, five}, {five, six}};
	struct cox_spawn what = {.path = "/bin/sh", .fds = fds, .fd_count = 2};
	cox_autoerror err = COX_ERROR_INIT;
	char script[96];
	int status = -1;

	(void)state;
	snprintf(script, sizeof(script), "test -c /dev/fd/%d && test -f /dev/fd/%d", five, six);
	what.argv = (const char *const[]){"sh", "-c", script, NULL};
	assert_int_equal(spawn_process(&what, &child, NULL, &err), 0);
	assert_int_equal(spawn_wait(child, DEADLINE, &status, &err), 0);
	assert_int_equal(status, 0);
}

static void child_has_no_signals_blocked_or_ignored(void **state)
{
	sigset_t blocked, before;
	char out[4096];

	(void)state;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	assert_int_equal(run("grep -E 'Sig(Blk|Ign)' /proc/self/status", out, sizeof(out), NULL),
			 0);
	signal(SIGHUP, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	assert_string_equal(out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

static void child_that_cannot_start_is_told(void **state)
{
	const char *const argv[] = {"x", NULL};
	struct cox_spawn what = {.path = "/proc/none/program", .argv = argv};
	struct cox_spawn_fd twice[] = {{0, 5}, {1, 5}};
	cox_autoerror err = COX_ERROR_INIT;
	int child = -1;

	(void)state;
	assert_int_equal(spawn_process(&what, &child, NULL, &err), -1);
	assert_string_equal(err.message,
			    "start /proc/none/program: exec: No such file or directory");
	what.path = "/bin/true";
	what.cwd = "/proc/none";
	assert_int_equal(spawn_process(&what, &child, NULL, &err), -1);
	assert_string_equal(err.message,
			    "start /bin/true: change directory: No such file or directory");
	what.cwd = NULL;
	what.path = "true";
	assert_int_equal(spawn_process(&what, &child, NULL, &err), -1);
	what.path = "/bin/true";
	what.fds = twice;
	what.fd_count = 2;
	assert_int_equal(spawn_process(&what, &child, NULL, &err), -1);
	assert_string_equal(err.message, "start /bin/true: descriptor 5 is given twice");
	assert_int_equal(child, -1);
}

static void child_can_be_waited_for_and_killed(void **state)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	struct cox_spawn what = {.path = "/bin/sleep", .argv = argv};
	cox_autoclose int child = -1;
	cox_autoerror err = COX_ERROR_INIT;
	int32_t pid = 0;
	int status = 0;

	(void)state;
	assert_int_equal(spawn_process(&what, &child, &pid, &err), 0);
	assert_true(pid > 0);
	assert_int_equal(spawn_wait(child, clock_monotonic() + 1000, &status, &err), -1);
	assert_int_equal(err.reason, COX_REASON_TIMEOUT);
	assert_int_equal(spawn_signal(child, SIGKILL, &err), 0);
	assert_int_equal(spawn_wait(child, DEADLINE, &status, &err), 0);
	assert_int_equal(status, 128 + SIGKILL);
}

static void *add_many(void *counter)
{
	for (int i = 0; i < 10000; i++)
		metrics_add(counter, 1);
	return NULL;
}

static void metrics_are_written(void **state)
{
	static const double bounds[] = {0.5, 1};
	cox_autobuf labels = COX_BUF_INIT, out = COX_BUF_INIT;
	struct metric *counter, *gauge, *histogram;
	pthread_t threads[4];

	(void)state;
	metrics_label(&labels, "code", "200");
	metrics_label(&labels, "path", "a\"b\\c\nd");
	counter = metrics_counter("test_total", "Counts.", cox_buf_cstr(&labels));
	assert_ptr_equal(counter, metrics_counter("test_total", "Counts.", cox_buf_cstr(&labels)));
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, add_many, counter);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metrics_value(counter), 40000);
	gauge = metrics_gauge("test_level", "A level.", NULL);
	metrics_set(gauge, 3);
	metrics_move(gauge, -5);
	histogram = metrics_histogram("test_seconds", "Times.", NULL, bounds, 2);
	metrics_observe(histogram, 0.5);
	metrics_observe(histogram, 0.75);
	metrics_observe_ns(histogram, UINT64_C(2000000000));
	/* The name is a counter's: refused, and the counter stays what it was. */
	metrics_set(metrics_gauge("test_total", "x", NULL), 9);
	metrics_write(&out);
	assert_string_equal(cox_buf_cstr(&out),
			    "# HELP test_total Counts.\n# TYPE test_total counter\n"
			    "test_total{code=\"200\",path=\"a\\\"b\\\\c\\nd\"} 40000\n"
			    "# HELP test_level A level.\n# TYPE test_level gauge\n"
			    "test_level -2\n"
			    "# HELP test_seconds Times.\n# TYPE test_seconds histogram\n"
			    "test_seconds_bucket{le=\"0.5\"} 1\n"
			    "test_seconds_bucket{le=\"1\"} 2\n"
			    "test_seconds_bucket{le=\"+Inf\"} 3\n"
			    "test_seconds_sum 3.25\ntest_seconds_count 3\n"
			    "# HELP coxswain_metrics_refused_total Series that there was no room "
			    "for.\n# TYPE coxswain_metrics_refused_total counter\n"
			    "coxswain_metrics_refused_total 1\n");
}

static void expect_message(int fd, const char *text)
{
	char got[256];
	ssize_t size = recv(fd, got, sizeof(got) - 1, 0);

	assert_true(size >= 0);
	got[size] = '\0';
	assert_string_equal(got, text);
}

static void notify_talks_to_the_manager(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cox_autoclose int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[64];

	(void)state;
	/* Abstract: nothing is left behind in the file system. */
	snprintf(name, sizeof(name), "@coxswain-test-%d", getpid());
	memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	notify_ready(); /* nobody asked: no-op */
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "3000000", 1);
	notify_init();
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_int_equal(notify_watchdog_interval(), UINT64_C(1500000000));
	notify_ready();
	expect_message(fd, "READY=1");
	notify_status("so so");
	expect_message(fd, "STATUS=so so");
	notify_watchdog();
	expect_message(fd, "WATCHDOG=1");
	notify_stopping();
	expect_message(fd, "STOPPING=1");
	notify_close();
	assert_int_equal(notify_watchdog_interval(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_gets_only_what_is_listed),
		cmocka_unit_test(child_has_no_other_descriptors),
		cmocka_unit_test(child_can_swap_descriptors),
		cmocka_unit_test(child_has_no_signals_blocked_or_ignored),
		cmocka_unit_test(child_that_cannot_start_is_told),
		cmocka_unit_test(child_can_be_waited_for_and_killed),
		cmocka_unit_test(metrics_are_written),
		cmocka_unit_test(notify_talks_to_the_manager),
	};

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
