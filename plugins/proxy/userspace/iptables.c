/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the nat table with iptables-save and writes our part of it with
 * iptables-restore, in one transaction: four chains of our own, and one jump to
 * each. Nothing else is ever touched. Works the same with both back ends.
 */
#include "userspace.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { RUN_TIME = 30, OUTPUT_MAX = 256 << 20, COMPLAINT_MAX = 500 };

/* ---- programs ---- */

static int read_all(int fd, struct cox_buf *out)
{
	off_t end = lseek(fd, 0, SEEK_END);
	size_t size = end < 0 ? 0 : (size_t)end, at = 0;
	char *room;

	if (end < 0 || end > OUTPUT_MAX)
		return -1;
	room = cox_buf_reserve(out, size);
	while (at < size) {
		ssize_t got = pread(fd, room + at, size - at, (off_t)at);

		if (got <= 0)
			return -1;
		at += (size_t)got;
	}
	cox_buf_added(out, size);
	return 0;
}

/* The exit status, or 128 + the signal; -1: it did not end in time and was killed. */
static int wait_for(int pidfd)
{
	struct pollfd end = {.fd = pidfd, .events = POLLIN};
	siginfo_t info = {0};
	bool late;
	int ready;

	do
		ready = poll(&end, 1, RUN_TIME * 1000);
	while (ready < 0 && errno == EINTR);
	late = ready <= 0;
	if (late)
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) && errno == EINTR) {
		/* again */
	}
	if (late)
		return -1;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* Returns -1. */
static int fail(const struct iptables *iptables, struct cox_error *err, enum cox_reason reason,
		const char *format, ...) COX_PRINTF(4, 5);
static int fail(const struct iptables *iptables, struct cox_error *err, enum cox_reason reason,
		const char *format, ...)
{
	const struct cox_host *host = iptables->host;
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	if (err)
		return host->fail(err, reason, "%s", text.data);
	host->log(host->context, COX_LOG_ERROR, "The rules were not looked at: %s", text.data);
	return -1;
}

static int complain(const struct iptables *iptables, const char *path, int status,
		    const struct cox_buf *said, struct cox_error *err)
{
	const char *text = cox_buf_cstr(said);
	size_t size = strcspn(text, "\n");

	if (status < 0)
		return fail(iptables, err, COX_REASON_TIMEOUT, "%s did not end within %d s", path,
			    RUN_TIME);
	return fail(iptables, err, COX_REASON_INTERNAL_ERROR, "%s ended with status %d: %.*s", path,
		    status, (int)(size < COMPLAINT_MAX ? size : COMPLAINT_MAX), text);
}

static int make_file(const struct iptables *iptables, const char *name, struct cox_error *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		fail(iptables, err, COX_REASON_INTERNAL_ERROR, "make a file in memory: %s",
		     strerrordesc_np(errno));
	return fd;
}

/* Runs "<program><suffix> <argv...>" with `input`; what it prints goes to `output`. */
static int run(const struct iptables *iptables, const char *suffix, const char **argv,
	       const struct cox_buf *input, struct cox_buf *output, struct cox_error *err)
{
	static const char *const env[] = {"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	cox_autoclose int in = make_file(iptables, "rules", err), out = -1, errors = -1, pidfd = -1;
	cox_autobuf path = COX_BUF_INIT;
	cox_autobuf said = COX_BUF_INIT;
	struct cox_spawn what = {.struct_size = sizeof(what), .argv = argv, .env = env};
	struct cox_spawn_fd fds[3];
	int status;

	if (in < 0 || (out = make_file(iptables, "output", err)) < 0 ||
	    (errors = make_file(iptables, "errors", err)) < 0)
		return -1;
	if (input && (write(in, input->data, input->size) != (ssize_t)input->size ||
		      lseek(in, 0, SEEK_SET) < 0))
		return fail(iptables, err, COX_REASON_INTERNAL_ERROR, "write the rules: %s",
			    strerrordesc_np(errno));
	cox_buf_printf(&path, "%s%s", iptables->program, suffix);
	argv[0] = what.path = path.data;
	for (int i = 0; i < 3; i++)
		fds[i] = (struct cox_spawn_fd){(const int[]){in, out, errors}[i], i};
	what.fds = fds;
	what.fd_count = 3;
	if (iptables->host->spawn(iptables->host->context, &what, &pidfd, NULL, err))
		return -1;
	status = wait_for(pidfd);
	if (status == 0 && (!output || !read_all(out, output)))
		return 0;
	if (read_all(errors, &said))
		cox_buf_clear(&said);
	return complain(iptables, path.data, status, &said, err);
}

/* ---- what is there ---- */

struct present {
	struct cox_buf chains[CHAIN_COUNT];
	bool made[CHAIN_COUNT];
	unsigned hooks[CHAIN_COUNT];  /* how many jumps */
	unsigned places[CHAIN_COUNT]; /* line of the last one */
};

static void present_free(struct present *present)
{
	for (int i = 0; i < CHAIN_COUNT; i++)
		cox_buf_free(&present->chains[i]);
}

/* Whether `text` up to its end of `size` begins with the word `word`. */
static bool first_word(const char *text, size_t size, const char *word)
{
	size_t length = strlen(word);

	return size > length && !strncmp(text, word, length) && text[length] == ' ';
}

static void take_line(struct present *present, const char *line, size_t size, unsigned number)
{
	for (int i = 0; i < CHAIN_COUNT; i++) {
		const char *name = rules_chain_names[i];

		if (line[0] == ':' && first_word(line + 1, size - 1, name))
			present->made[i] = true;
		if (size < 3 || strncmp(line, "-A ", 3) != 0)
			continue;
		if (first_word(line + 3, size - 3, name)) {
			cox_buf_add(&present->chains[i], line, size);
			cox_buf_char(&present->chains[i], '\n');
		} else if (size - 3 == strlen(rules_hooks[i]) &&
			   !strncmp(line + 3, rules_hooks[i], size - 3)) {
			present->hooks[i]++;
			present->places[i] = number;
		}
	}
}

static int look(const struct iptables *iptables, struct present *present, struct cox_error *err)
{
	const char *argv[] = {NULL, "-t", "nat", NULL};
	cox_autobuf text = COX_BUF_INIT;
	unsigned number = 0;
	const char *at;

	if (run(iptables, "-save", argv, NULL, &text, err))
		return -1;
	for (at = cox_buf_cstr(&text); *at;) {
		size_t size = strcspn(at, "\n");

		if (size)
			take_line(present, at, size, ++number);
		at += size + (at[size] ? 1 : 0);
	}
	return 0;
}

/* ---- what is to be done ---- */

/* Chains 0 and 2 hang in PREROUTING, 1 and 3 in OUTPUT: the portal comes first. */
static bool hooks_right(const struct present *present, int portal)
{
	int node = portal + 2;

	return present->hooks[portal] == 1 && present->hooks[node] == 1 &&
	       present->places[portal] < present->places[node];
}

static void put_hook(struct cox_buf *script, const char *hook, bool first)
{
	size_t chain = strcspn(hook, " ");

	if (first)
		cox_buf_printf(script, "-I %.*s 1%s\n", (int)chain, hook, hook + chain);
	else
		cox_buf_printf(script, "-A %s\n", hook);
}

static void drop_hook(struct cox_buf *script, const struct present *present, int index)
{
	for (unsigned i = 0; i < present->hooks[index]; i++)
		cox_buf_printf(script, "-D %s\n", rules_hooks[index]);
}

/* A hook that is there once stays where it is, unless the order is wrong. */
static void mend_hooks(struct cox_buf *script, const struct present *present, int portal)
{
	int node = portal + 2;
	bool swapped = present->hooks[portal] && present->hooks[node] &&
		       present->places[portal] > present->places[node];

	if (hooks_right(present, portal))
		return;
	if (present->hooks[portal] != 1 || swapped) {
		drop_hook(script, present, portal);
		put_hook(script, rules_hooks[portal], true);
	}
	if (present->hooks[node] != 1) {
		drop_hook(script, present, node);
		put_hook(script, rules_hooks[node], false);
	}
}

static bool chain_right(const struct present *present, const struct rules *rules, int index)
{
	return present->made[index] &&
	       !strcmp(cox_buf_cstr(&present->chains[index]), cox_buf_cstr(&rules->chains[index]));
}

static int restore(const struct iptables *iptables, const struct cox_buf *script,
		   struct cox_error *err)
{
	const char *argv[] = {NULL, "--noflush", "-w", "5", "-T", "nat", NULL};

	return run(iptables, "-restore", argv, script, NULL, err);
}

int iptables_ensure(const struct iptables *iptables, const struct rules *rules, bool *changed,
		    struct cox_error *err)
{
	cox_auto(present_free) struct present present = {.made = {false}};
	cox_autobuf script = COX_BUF_INIT;
	bool right = true;

	if (changed)
		*changed = false;
	if (look(iptables, &present, err))
		return -1;
	cox_buf_str(&script, "*nat\n");
	/* Naming a chain makes it or empties it. */
	for (int i = 0; i < CHAIN_COUNT; i++) {
		if (chain_right(&present, rules, i))
			continue;
		right = false;
		cox_buf_printf(&script, ":%s - [0:0]\n", rules_chain_names[i]);
		cox_buf_str(&script, cox_buf_cstr(&rules->chains[i]));
	}
	if (right && hooks_right(&present, 0) && hooks_right(&present, 1))
		return 0;
	mend_hooks(&script, &present, 0);
	mend_hooks(&script, &present, 1);
	cox_buf_str(&script, "COMMIT\n");
	if (restore(iptables, &script, err))
		return -1;
	if (changed)
		*changed = true;
	return 0;
}

int iptables_remove(const struct iptables *iptables, struct cox_error *err)
{
	cox_auto(present_free) struct present present = {.made = {false}};
	cox_autobuf script = COX_BUF_INIT;

	if (look(iptables, &present, err))
		return -1;
	cox_buf_str(&script, "*nat\n");
	for (int i = 0; i < CHAIN_COUNT; i++) {
		drop_hook(&script, &present, i);
		if (present.made[i])
			cox_buf_printf(&script, ":%s - [0:0]\n", rules_chain_names[i]);
	}
	for (int i = 0; i < CHAIN_COUNT; i++) {
		if (present.made[i])
			cox_buf_printf(&script, "-X %s\n", rules_chain_names[i]);
	}
	cox_buf_str(&script, "COMMIT\n");
	return restore(iptables, &script, err);
}
