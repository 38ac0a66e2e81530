/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader and the host: every refusal in its exact words, the life of an
 * instance, options, thread models, and a plugin replaced while it is loaded.
 */
#include "unit.h"

#include "base/log.h"
#include "base/metrics.h"
#include "host/host.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/storage.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char directory[4096];
static char scratch[] = "/tmp/coxswain-loader.XXXXXX";

static struct host *new_host(void)
{
	return host_new("kube-apiserver", directory);
}

/* `message` begins behind the path of the file. */
static void assert_refused(const char *name, const char *message)
{
	struct host *host = new_host();
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf wanted = COX_BUF_INIT;

	cox_buf_printf(&wanted, "%s/storage-%s.so: %s (set in f:4)", directory, name, message);
	assert_null(host_open(host, "storage", name, "f:4", &err));
	assert_string_equal(err.message, cox_buf_cstr(&wanted));
	host_free(host);
}

static void bad_descriptors_are_refused(void **state)
{
	cox_autobuf text = COX_BUF_INIT;

	(void)state;
	assert_refused("symbol", "not a Coxswain plugin (exports no \"cox_plugin\")");
	assert_refused("magic",
		       "not a Coxswain plugin (magic 0x00000007, 0x31584f43 needed); build "
		       "it with the headers of <coxswain/>");
	assert_refused("abi", "plugin ABI 3, this kube-apiserver speaks 1; rebuild the plugin or "
			      "upgrade kube-apiserver");
	cox_buf_printf(&text, "descriptor of 40 bytes, at least %zu needed; rebuild the plugin",
		       offsetof(struct cox_plugin, dump) + sizeof(void *));
	assert_refused("struct-size", cox_buf_cstr(&text));
	cox_buf_clear(&text);
	cox_buf_printf(&text, "needs a newer kube-apiserver (host table 4096 bytes, have %zu)",
		       sizeof(struct cox_host));
	assert_refused("host", cox_buf_cstr(&text));
	assert_refused("kind", "is of the kind authorizer, storage is needed");
	assert_refused("name",
		       "calls itself \"other\", \"name\" is needed; name the file after the "
		       "plugin");
	assert_refused("ops-abi", "storage operations ABI 9, this kube-apiserver speaks 0; rebuild "
				  "the plugin or upgrade kube-apiserver");
	assert_refused("release", "built for release 0.0.1, this kube-apiserver is " COX_RELEASE
				  "; the storage operations are not frozen yet, so rebuild the "
				  "plugin");
	assert_refused("no-ops", "storage plugin has no table of operations");
	assert_refused("ops-size", "storage operations table of 13 bytes; it must be a multiple of "
				   "8, at most 4096");
	assert_refused("lacks-op", "storage plugin lacks the required \"health\" operation");
	assert_refused("short-ops", "storage plugin lacks the required \"range\" operation");
	assert_refused("lacks-create", "storage plugin lacks the required \"create\" function");
	assert_refused("threads", "thread model 7; known are 1 (serial), 2 (per instance) and 3 "
				  "(parallel)");
	assert_refused("flags", "plugin flags 0x80 are not known to this kube-apiserver; upgrade "
				"kube-apiserver");
}

static void bad_options_are_refused(void **state)
{
	(void)state;
	assert_refused("option-name",
		       "option \"Big_Name\": a name is lower-case words joined by '-'");
	assert_refused("option-type", "option \"some\" is of the unknown type 99");
	assert_refused("option-twice", "option \"some\" is listed twice");
	assert_refused("option-help", "option \"some\" has no help text");
	assert_refused("option-default",
		       "default of: option \"some\": invalid value \"often\", want a whole number");
	assert_refused("option-size", "options of 8 bytes each, at least 32 needed; rebuild the "
				      "plugin");
}

static void assert_message(const char *kind, const char *name, const char *origin,
			   const char *message)
{
	struct host *host = new_host();
	cox_autoerror err = COX_ERROR_INIT;

	assert_null(host_open(host, kind, name, origin, &err));
	assert_string_equal(err.message, message);
	host_free(host);
}

static void touch(const char *name)
{
	cox_autobuf path = COX_BUF_INIT;
	int fd;

	cox_buf_printf(&path, "%s/%s", scratch, name);
	fd = open(cox_buf_cstr(&path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void what_there_is_is_told(void **state)
{
	static const char *const files[] = {"runtime-toy.so", "runtime-cri.so", "runtime-cri.txt",
					    "runtimes-other.so", "runtime-.so"};
	struct host *host = host_new("kubelet", scratch);
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf text = COX_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		touch(files[i]);
	cox_buf_printf(
		&text,
		"runtime-docker: not found in %s (there are cri, toy; from the command line)",
		scratch);
	assert_null(host_open(host, "runtime", "docker", "command line", &err));
	assert_string_equal(err.message, cox_buf_cstr(&text));
	host_free(host);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		cox_buf_clear(&text);
		cox_buf_printf(&text, "%s/%s", scratch, files[i]);
		assert_int_equal(unlink(cox_buf_cstr(&text)), 0);
	}
}

static void bad_names_are_refused(void **state)
{
	cox_autobuf text = COX_BUF_INIT;

	(void)state;
	cox_buf_printf(&text,
		       "storage-godo: not found in %s (did you mean \"good\"? set in "
		       "/etc/kubernetes/apiserver:4)",
		       directory);
	assert_message("storage", "godo", "/etc/kubernetes/apiserver:4", cox_buf_cstr(&text));
	cox_buf_clear(&text);
	cox_buf_printf(&text, "network-bridge: not found in %s", directory);
	assert_message("network", "bridge", NULL, cox_buf_cstr(&text));
	assert_message("storage", "../etcd", "command line",
		       "\"../etcd\" is no name of a storage plugin; use letters, digits and '-', "
		       "or a path that begins with '/' (from the command line)");
	assert_message("storage", "-a", NULL,
		       "\"-a\" is no name of a storage plugin; use letters, digits and '-', or a "
		       "path that begins with '/'");
	assert_message("storage", "/nowhere/x.so", NULL, "/nowhere/x.so: not found");
	assert_message("storage", "/dev/null", NULL, "/dev/null: not a regular file");
}

static void copy_file(const char *from, const char *to)
{
	cox_autoclose int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	char bytes[8192];
	ssize_t got;

	assert_true(in >= 0);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(out >= 0);
	while ((got = read(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(out, bytes, (size_t)got), got);
	assert_int_equal(got, 0);
}

static void in_scratch(struct cox_buf *path, const char *name)
{
	cox_buf_clear(path);
	cox_buf_printf(path, "%s/%s", scratch, name);
}

static void good_path(struct cox_buf *path)
{
	cox_buf_clear(path);
	cox_buf_printf(path, "%s/storage-good.so", directory);
}

static void root_loads_only_what_is_roots(void **state)
{
	cox_autobuf from = COX_BUF_INIT, path = COX_BUF_INIT, text = COX_BUF_INIT;

	(void)state;
	if (geteuid() != 0)
		skip();
	good_path(&from);
	in_scratch(&path, "writable.so");
	copy_file(cox_buf_cstr(&from), cox_buf_cstr(&path));
	assert_int_equal(chmod(cox_buf_cstr(&path), 0666), 0);
	cox_buf_printf(&text, "%s: mode 0666 lets others than root write; chmod go-w",
		       cox_buf_cstr(&path));
	assert_message("storage", cox_buf_cstr(&path), NULL, cox_buf_cstr(&text));

	assert_int_equal(chmod(cox_buf_cstr(&path), 0644), 0);
	assert_int_equal(chown(cox_buf_cstr(&path), 12345, 0), 0);
	cox_buf_clear(&text);
	cox_buf_printf(&text,
		       "%s: belongs to user 12345; what root loads must belong to root "
		       "(chown root)",
		       cox_buf_cstr(&path));
	assert_message("storage", cox_buf_cstr(&path), NULL, cox_buf_cstr(&text));

	assert_int_equal(chown(cox_buf_cstr(&path), 0, 0), 0);
	assert_int_equal(chmod(scratch, 0777), 0);
	cox_buf_clear(&text);
	cox_buf_printf(&text, "%s: mode 0777 lets others than root write; chmod go-w", scratch);
	assert_message("storage", cox_buf_cstr(&path), NULL, cox_buf_cstr(&text));
	assert_int_equal(chmod(scratch, 0700), 0);
	unlink(cox_buf_cstr(&path));
}

static void what_is_no_library_is_refused(void **state)
{
	cox_autobuf path = COX_BUF_INIT, text = COX_BUF_INIT;
	cox_autoclose int fd = -1;

	(void)state;
	in_scratch(&path, "text.so");
	fd = open(cox_buf_cstr(&path), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "hello", 5), 5);
	cox_buf_printf(&text, "%s: cannot be loaded: file too short", cox_buf_cstr(&path));
	assert_message("storage", cox_buf_cstr(&path), NULL, cox_buf_cstr(&text));
	unlink(cox_buf_cstr(&path));
}

static struct host_plugin *open_good(struct host *host)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct host_plugin *plugin = host_open(host, "storage", "good", NULL, &err);

	if (!plugin)
		fail_msg("%s", err.message);
	return plugin;
}

static void set(struct host_plugin *plugin, const char *key, const char *value)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (host_set_option(plugin, key, value, NULL, &err) < 0)
		fail_msg("%s", err.message);
}

static const char *dumped(struct host *host, struct cox_buf *out, const char *key)
{
	cox_autoerror err = COX_ERROR_INIT;
	const char *at;

	cox_buf_clear(out);
	if (host_dump(host, "storage/good", out, &err) < 0)
		fail_msg("%s", err.message);
	at = strstr(cox_buf_cstr(out), key);
	assert_non_null(at);
	return at + strlen(key);
}

/* The plugin notes what is called; its trace grows over the whole program. */
static void an_instance_lives_in_order(void **state)
{
	struct host *host = new_host();
	cox_autobuf out = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct host_plugin *plugin;
	const char *trace;

	(void)state;
	plugin = open_good(host);
	set(plugin, "directory", "/var/lib/x");
	set(plugin, "cache", "2Ki");
	set(plugin, "eager", "true");
	set(plugin, "count", "1");
	set(plugin, "count", "-5");
	set(plugin, "rules", "{\"a\": [1, 2]}");
	assert_int_equal(host_start(plugin, &err), -1);
	assert_string_equal(err.message, "storage/good: \"start\" is out of order");
	assert_int_equal(host_configure(plugin, &err), 0);
	assert_int_equal(host_get_ready(plugin, &err), 0);
	assert_int_equal(host_start(plugin, &err), 0);
	host_close(plugin);
	trace = dumped(host, &out, "\ntrace=");
	assert_string_equal(trace,
			    "create;config(directory=/var/lib/x);config(cache=2048);"
			    "config(interval=90000000000);config(eager=true);config(count=-5);"
			    "config(rules={\"a\": [1, 2]});config_complete;get_ready;start;stop;"
			    "destroy;create;\n");
	host_free(host);
}

static void the_dump_tells_all(void **state)
{
	struct host *host = new_host();
	cox_autobuf out = COX_BUF_INIT, list = COX_BUF_INIT;
	const char *text;

	(void)state;
	dumped(host, &out, "\nkind=storage\nname=good\nversion=1.5\n");
	text = cox_buf_cstr(&out);
	assert_non_null(strstr(text, "\nthread_model=serial\n"));
	assert_non_null(strstr(text, "\noption_directory=path,required\n"));
	assert_non_null(strstr(text, "\noption_cache_default=4Mi\n"));
	assert_non_null(strstr(text, "\noption_password=int,secret\n"));
	assert_non_null(strstr(text, "\nhas_snapshot=false\nhas_stats=true\n"));
	assert_null(strstr(text, "\nbuild_id=none\n"));
	host_list(&list);
	assert_non_null(strstr(cox_buf_cstr(&list), "/storage-good.so\ninode="));
	host_free(host);
}

static void assert_option_refused(struct host_plugin *plugin, const char *key, const char *value,
				  const char *message)
{
	cox_autoerror err = COX_ERROR_INIT;

	assert_int_equal(host_set_option(plugin, key, value, "f:9", &err), -1);
	assert_string_equal(err.message, message);
}

static void wrong_options_are_refused(void **state)
{
	struct host *host = new_host();
	struct host_plugin *plugin = open_good(host);
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_option_refused(plugin, "diretory", "/x",
			      "storage plugin \"good\" has no option \"diretory\", did you mean "
			      "\"directory\"? (set in f:9)");
	assert_option_refused(plugin, "cache", "much",
			      "storage plugin \"good\": option \"cache\": invalid value \"much\", "
			      "want a size such as 512, 64Ki, 8Mi or 2Gi (set in f:9)");
	assert_option_refused(
		plugin, "rules", "{",
		"storage plugin \"good\": option \"rules\": invalid value \"{\", want "
		"a JSON document (set in f:9)");
	assert_option_refused(plugin, "rules", "1 2",
			      "storage plugin \"good\": option \"rules\": invalid value \"1 2\", "
			      "want a JSON document (set in f:9)");
	assert_option_refused(plugin, "password", "hunter2",
			      "storage plugin \"good\": option \"password\": want a whole number "
			      "(set in f:9)");
	assert_int_equal(host_configure(plugin, &err), -1);
	assert_string_equal(err.message, "storage plugin \"good\" needs the option \"directory\" "
					 "(Where to keep it)");
	host_close(plugin);
	plugin = open_good(host);
	set(plugin, "directory", "/x");
	set(plugin, "names", "refuse");
	assert_int_equal(host_configure(plugin, &err), -1);
	assert_string_equal(err.message, "storage plugin \"good\": option \"names\": not that one");
	host_close(plugin);
	host_free(host);
}

static void bring_up(struct host_plugin *plugin)
{
	cox_autoerror err = COX_ERROR_INIT;

	set(plugin, "directory", "/x");
	assert_int_equal(host_configure(plugin, &err), 0);
	assert_int_equal(host_get_ready(plugin, &err), 0);
	assert_int_equal(host_start(plugin, &err), 0);
}

static void operations_go_through(void **state)
{
	struct host *host = new_host();
	struct host_plugin *plugin = open_good(host);
	const struct cox_storage_ops *ops = host_ops(plugin);
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	bring_up(plugin);
	{
		host_call_scope(plugin);
		assert_int_equal(ops->capabilities(host_self(plugin)), 42);
		assert_null(ops->snapshot);
		assert_int_equal(ops->submit(host_self(plugin), NULL, NULL, 0, NULL, &err), -1);
		assert_int_equal(ops->health(host_self(plugin), NULL, NULL), 0);
	}
	assert_int_equal(err.reason, COX_REASON_CONFLICT);
	assert_string_equal(err.message, "refused always");
	assert_int_equal(host_op_failed(plugin, "submit", &err), -1);
	assert_string_equal(err.message, "refused always");
	error_clear(&err);
	assert_int_equal(host_op_failed(plugin, "range", &err), -1);
	assert_int_equal(err.reason, COX_REASON_INTERNAL_ERROR);
	assert_string_equal(err.message, "storage/good: \"range\" failed without saying why");
	metrics_write(&out);
	assert_non_null(strstr(cox_buf_cstr(&out), "coxswain_plugin_health_total{kind=\"storage\","
						   "name=\"good\"} 2\n"));
	assert_non_null(strstr(cox_buf_cstr(&out),
			       "coxswain_plugin_mood{kind=\"storage\",name=\"good\"} -1\n"));
	host_close(plugin);
	host_free(host);
}

static void exclusive_plugins_run_once(void **state)
{
	struct host *host = new_host();
	struct host_plugin *first = open_good(host), *second = open_good(host);
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	bring_up(first);
	set(second, "directory", "/y");
	assert_int_equal(host_configure(second, &err), 0);
	assert_int_equal(host_get_ready(second, &err), -1);
	assert_string_equal(err.message, "storage plugin \"good\" is in use already, and two of it "
					 "cannot run at a time");
	host_close(first);
	error_clear(&err);
	assert_int_equal(host_get_ready(second, &err), 0);
	host_close(second);
	host_free(host);
}

static struct {
	struct host_plugin *plugins[2];
	atomic_int inside;
	atomic_int most;
} crowd;

static void *call_often(void *number)
{
	for (int i = 0; i < 200; i++) {
		host_call_scope(crowd.plugins[*(int *)number]);
		int inside = atomic_fetch_add(&crowd.inside, 1) + 1;
		int most = atomic_load(&crowd.most);

		while (inside > most && !atomic_compare_exchange_weak(&crowd.most, &most, inside))
			;
		sched_yield();
		atomic_fetch_sub(&crowd.inside, 1);
	}
	return NULL;
}

static void serial_plugins_are_called_one_at_a_time(void **state)
{
	struct host *host = new_host();
	int numbers[4] = {0, 1, 0, 1};
	pthread_t threads[4];

	(void)state;
	crowd.plugins[0] = open_good(host);
	crowd.plugins[1] = open_good(host);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, &numbers[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&crowd.most), 1);
	host_close(crowd.plugins[0]);
	host_close(crowd.plugins[1]);
	host_free(host);
}

static void thread_models_are_not_widened(void **state)
{
	struct host *host = new_host();
	struct host_plugin *plugin = open_good(host);
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(host_limit_threads(plugin, COX_THREADS_PARALLEL, &err), -1);
	assert_string_equal(err.message, "storage/good declares the thread model serial, which can "
					 "be narrowed but not widened");
	assert_int_equal(host_limit_threads(plugin, COX_THREADS_SERIAL, &err), 0);
	host_close(plugin);
	host_free(host);
}

/* In a child process, because a call of a plugin from inside itself ends the process. */
static int status_of_entering(struct host_plugin *first, struct host_plugin *second)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		cox_autoclose int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

		signal(SIGABRT, SIG_DFL);
		dup2(quiet, STDERR_FILENO);
		{
			host_call_scope(first);
			{
				host_call_scope(second);
			}
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void a_plugin_is_not_entered_twice_by_a_thread(void **state)
{
	struct host *host = new_host();
	cox_autoerror err = COX_ERROR_INIT;
	struct host_plugin *serial[2] = {open_good(host), open_good(host)};
	struct host_plugin *single[2] = {host_open(host, "storage", "single", NULL, &err),
					 host_open(host, "storage", "single", NULL, &err)};

	(void)state;
	assert_non_null(single[0]);
	assert_non_null(single[1]);
	assert_int_equal(status_of_entering(serial[0], serial[1]), 128 + SIGABRT);
	assert_int_equal(status_of_entering(single[0], single[0]), 128 + SIGABRT);
	assert_int_equal(status_of_entering(single[0], single[1]), 0);
	assert_int_equal(status_of_entering(serial[0], single[0]), 0);
	assert_int_equal(host_limit_threads(single[0], COX_THREADS_SERIAL, &err), 0);
	assert_int_equal(host_limit_threads(single[1], COX_THREADS_SERIAL, &err), 0);
	assert_int_equal(status_of_entering(single[0], single[1]), 128 + SIGABRT);
	for (int i = 0; i < 2; i++) {
		host_close(serial[i]);
		host_close(single[i]);
	}
	host_free(host);
}

static size_t count_loaded(const char *path)
{
	cox_autobuf list = COX_BUF_INIT, wanted = COX_BUF_INIT;
	size_t count = 0;

	cox_buf_printf(&wanted, "path=%s\n", path);
	host_list(&list);
	for (const char *at = cox_buf_cstr(&list); (at = strstr(at, cox_buf_cstr(&wanted))); at++)
		count++;
	return count;
}

/* A new file under a known name is loaded anew, the old one goes on, the same one is shared. */
static void a_replaced_file_is_loaded_again(void **state)
{
	struct host *host = new_host();
	cox_autobuf from = COX_BUF_INIT, path = COX_BUF_INIT, fresh = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct host_plugin *old, *same, *new;
	struct timespec times[2] = {{1, 0}, {1, 0}};

	(void)state;
	good_path(&from);
	in_scratch(&path, "swap.so");
	in_scratch(&fresh, "swap.so.new");
	copy_file(cox_buf_cstr(&from), cox_buf_cstr(&path));
	old = host_open(host, "storage", cox_buf_cstr(&path), NULL, &err);
	same = host_open(host, "storage", cox_buf_cstr(&path), NULL, &err);
	assert_non_null(old);
	assert_non_null(same);
	assert_int_equal(count_loaded(cox_buf_cstr(&path)), 1);
	copy_file(cox_buf_cstr(&from), cox_buf_cstr(&fresh));
	assert_int_equal(rename(cox_buf_cstr(&fresh), cox_buf_cstr(&path)), 0);
	new = host_open(host, "storage", cox_buf_cstr(&path), NULL, &err);
	if (!new)
		fail_msg("%s", err.message);
	assert_int_equal(count_loaded(cox_buf_cstr(&path)), 2);
	assert_ptr_not_equal(*(void *const *)host_ops(old), *(void *const *)host_ops(new));
	assert_ptr_equal(*(void *const *)host_ops(old), *(void *const *)host_ops(same));
	/* Written over in place: the mapped code is no longer what the file says. */
	assert_int_equal(utimensat(AT_FDCWD, cox_buf_cstr(&path), times, 0), 0);
	assert_null(host_open(host, "storage", cox_buf_cstr(&path), NULL, &err));
	assert_non_null(strstr(err.message, ": was written over while it is loaded; restart "));
	host_close(old);
	host_close(same);
	host_close(new);
	unlink(cox_buf_cstr(&path));
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_lives_in_order),
		cmocka_unit_test(bad_descriptors_are_refused),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(bad_names_are_refused),
		cmocka_unit_test(what_there_is_is_told),
		cmocka_unit_test(root_loads_only_what_is_roots),
		cmocka_unit_test(what_is_no_library_is_refused),
		cmocka_unit_test(the_dump_tells_all),
		cmocka_unit_test(wrong_options_are_refused),
		cmocka_unit_test(operations_go_through),
		cmocka_unit_test(exclusive_plugins_run_once),
		cmocka_unit_test(serial_plugins_are_called_one_at_a_time),
		cmocka_unit_test(thread_models_are_not_widened),
		cmocka_unit_test(a_plugin_is_not_entered_twice_by_a_thread),
		cmocka_unit_test(a_replaced_file_is_loaded_again),
	};
	cox_autobuf libs = COX_BUF_INIT;
	const char *build = getenv("builddir");
	int result;

	cox_buf_printf(&libs, "%s/tests/loader/.libs", build ? build : ".");
	if (!realpath(cox_buf_cstr(&libs), directory) || !mkdtemp(scratch)) {
		printf("Bail out! %s or %s is not there\n", cox_buf_cstr(&libs), scratch);
		return 1;
	}
	result = cmocka_run_group_tests_name("loader", tests, NULL, NULL);
	rmdir(scratch);
	return result;
}
