/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Being a daemon: process settings, the signal thread, the service manager,
 * start, reload and stop. Signals are blocked before the first thread exists
 * and read by one thread; the main thread does what they ask for. A second
 * request to stop is obeyed at once, by the signal thread itself.
 */
#include "daemon.h"

#include "config.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/slab.h"
#include "base/spawn.h"
#include "host/host.h"

#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

enum {
	ARENAS = 2,
	LARGE_BLOCK = 256 << 10,
	TRIM_INTERVAL = 30000, /* milliseconds */
	TRIM_LEAST = 1 << 20
};

static struct {
	int wake;    /* eventfd: something below has changed */
	int signals; /* signalfd */
	pthread_t thread;
	atomic_bool stop;
	atomic_bool reload;
	atomic_bool done; /* the signal thread ends */
	atomic_bool failed;
} service = {.wake = -1, .signals = -1};

static void wake_main(void)
{
	uint64_t one = 1;
	ssize_t done = write(service.wake, &one, sizeof(one));

	(void)done; /* full: it is awake anyway */
}

void daemon_stop(void)
{
	atomic_store(&service.stop, true);
	wake_main();
}

void daemon_fail(void)
{
	atomic_store(&service.failed, true);
	daemon_stop();
}

static void obey(int number)
{
	switch (number) {
	case SIGHUP:
		atomic_store(&service.reload, true);
		wake_main();
		break;
	case SIGUSR1:
		log_info("SIGUSR1: the log goes to standard error, there is no file to reopen");
		break;
	default:
		if (atomic_load(&service.stop)) {
			log_warning("Second SIG%s: ending now", sigabbrev_np(number));
			log_stop();
			_exit(128 + number);
		}
		log_info("SIG%s: stopping", sigabbrev_np(number));
		daemon_stop();
	}
}

static void *read_signals(void *unused)
{
	(void)unused;
	crash_thread_stack();
	while (!atomic_load(&service.done)) {
		struct signalfd_siginfo info;
		ssize_t got = read(service.signals, &info, sizeof(info));

		if (got == (ssize_t)sizeof(info) && info.ssi_signo == SIGUSR2 &&
		    atomic_load(&service.done))
			break;
		if (got == (ssize_t)sizeof(info) && info.ssi_signo != SIGUSR2)
			obey((int)info.ssi_signo);
		else if (got < 0 && errno != EINTR)
			break;
	}
	return NULL;
}

static int watch_signals(struct cox_error *err)
{
	sigset_t set;
	int error;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2); /* ours: ends the thread */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	service.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	service.signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (service.wake < 0 || service.signals < 0)
		return error_errno(err, errno, "watch for signals");
	error = pthread_create(&service.thread, NULL, read_signals, NULL);
	return error ? error_errno(err, error, "watch for signals") : 0;
}

static void unwatch_signals(void)
{
	atomic_store(&service.done, true);
	kill(getpid(), SIGUSR2);
	pthread_join(service.thread, NULL);
	close(cox_steal_fd(&service.signals));
	close(cox_steal_fd(&service.wake));
}

static void set_up_process(const struct daemon *daemon)
{
	struct rlimit files;

	umask(daemon->personality->umask ? daemon->personality->umask : 077);
	/* An arena a thread would keep what each of them once needed: a few are enough. */
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK); /* also fixes it: large blocks go back at once */
	/* Keys live in this memory: no core file, no ptrace by others. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		spawn_set_file_limit(&files);
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			log_warning("Cannot raise the limit of open files: %s",
				    strerrordesc_np(errno));
	}
#ifndef COX_SANITIZED
	crash_install(daemon->personality->name, COX_KUBERNETES_VERSION);
	crash_add_section(host_crash_section);
#else
	(void)daemon;
#endif
	notify_init();
}

static void log_changed(const struct flag *flag, void *arg)
{
	(void)arg;
	if (!(flag->traits & (FLAG_RELOAD | FLAG_META)))
		log_warning("Reload: --%s has changed, which needs a restart", flag->name);
}

static void log_warnings(const struct settings *settings)
{
	for (size_t i = 0; i < settings->flags.warnings.count; i++)
		log_warning("%s", settings->flags.warnings.items[i]);
}

static void use(struct daemon *daemon, const struct settings *settings)
{
	daemon->flags = &settings->flags;
	daemon->config = settings->config;
	daemon->plugin_options = settings->common->plugin_options;
	daemon->plugin_threads = settings->common->plugin_threads;
	daemon->allow_missing = settings->common->allow_missing;
	atomic_store(&log_verbosity, (int)settings->common->verbosity);
}

static int take_over(struct daemon *daemon, struct cox_error *err)
{
	const struct personality *personality = daemon->personality;

	if (personality->check && personality->check(daemon, err) < 0)
		return -1;
	return personality->reload ? personality->reload(daemon, err) : 0;
}

/* What the daemon was started with: what only a restart changes is still that. */
static const struct settings *first_of(const struct settings *settings)
{
	while (settings->before)
		settings = settings->before;
	return settings;
}

/* A broken new configuration changes nothing. */
static void reload(struct daemon *daemon, struct settings **settings, const char *const *words,
		   size_t count)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct settings *old = *settings, *fresh;
	bool usage_error;

	notify_reloading();
	fresh = settings_read(daemon->personality, words, count, &usage_error, &err);
	if (fresh) {
		log_warnings(fresh);
		use(daemon, fresh);
		if (take_over(daemon, &err) == 0) {
			flags_compare(&first_of(old)->flags, &fresh->flags, log_changed, NULL);
			fresh->before = old;
			*settings = fresh;
			log_info("Reload: done");
		} else {
			use(daemon, old);
			settings_free(fresh);
			fresh = NULL;
		}
	}
	if (!fresh)
		log_error("Reload: nothing was changed: %s", error_text(&err));
	notify_ready();
}

/* What a busy time left unused between blocks in use: the allocator keeps it by itself. */
static void give_back_memory(void)
{
	struct mallinfo2 info = mallinfo2();
	struct slab_figures slab;

	if (info.fordblks > TRIM_LEAST && info.fordblks > info.uordblks / 8)
		malloc_trim(0);
	slab_figures(&slab);
	if (slab.chunk_bytes - slab.block_bytes > TRIM_LEAST + slab.block_bytes / 32)
		slab_trim();
}

static void serve(struct daemon *daemon, struct settings **settings, const char *const *words,
		  size_t count)
{
	uint64_t interval = notify_watchdog_interval(), trimmed = clock_monotonic();
	int timeout = TRIM_INTERVAL;

	if (interval && interval / CLOCK_MILLISECOND < TRIM_INTERVAL)
		timeout = (int)(interval / CLOCK_MILLISECOND);

	while (!atomic_load(&service.stop)) {
		struct pollfd wait = {.fd = service.wake, .events = POLLIN};
		uint64_t count_of_wakes;

		if (interval)
			notify_watchdog();
		if (poll(&wait, 1, timeout) > 0 &&
		    read(service.wake, &count_of_wakes, sizeof(count_of_wakes)) < 0 &&
		    errno != EAGAIN)
			break;
		if (atomic_exchange(&service.reload, false) && !atomic_load(&service.stop))
			reload(daemon, settings, words, count);
		if (clock_monotonic() - trimmed >= TRIM_INTERVAL * CLOCK_MILLISECOND) {
			give_back_memory();
			trimmed = clock_monotonic();
		}
	}
}

int service_run(struct daemon *daemon, struct settings **settings, const char *const *words,
		size_t count)
{
	const struct personality *personality = daemon->personality;
	cox_autoerror err = COX_ERROR_INIT;
	int result;

	set_up_process(daemon);
	use(daemon, *settings);
	if (watch_signals(&err) < 0) {
		fprintf(stderr, "%s: %s\n", personality->name, error_text(&err));
		return EXIT_FAILURE;
	}
	log_start();
	log_warnings(*settings);
	result = personality->prepare(daemon, &err);
	if (result == 0)
		result = personality->start(daemon, &err);
	if (result == 0) {
		notify_ready();
		serve(daemon, settings, words, count);
		notify_stopping();
	}
	personality->stop(daemon);
	log_stop();
	/* Behind the log, so that it is the last line on the terminal. */
	if (result < 0)
		fprintf(stderr, "%s: %s\n", personality->name, error_text(&err));
	unwatch_signals();
	notify_close();
	return result < 0 || atomic_load(&service.failed) ? EXIT_FAILURE : EXIT_SUCCESS;
}
