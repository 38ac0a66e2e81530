/* SPDX-License-Identifier: Apache-2.0 */
/* Identities of candidates; see the header, and proc(5) for the fields of stat. */
#include "client/identity.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { FIELDS_TO_THREADS = 17, FIELDS_TO_START = 19 }; /* behind the state */

struct process {
	int pid;
	uint64_t start; /* clock ticks since the boot */
	char state;
	unsigned threads;
};

/* With a zero byte; 0, or -1. */
static int read_small(const char *path, char *out, size_t room)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, out, room - 1);

	if (size <= 0)
		return -1;
	out[size] = '\0';
	return 0;
}

static int read_process(const char *name, struct process *process)
{
	char path[64], text[1024];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%s/stat", name);
	if (read_small(path, text, sizeof(text)) != 0)
		return -1;
	/* The name in parentheses may hold anything, parentheses too. */
	at = strrchr(text, ')');
	if (!at || sscanf(text, "%d", &process->pid) != 1 ||
	    sscanf(at, ") %c", &process->state) != 1)
		return -1;
	at += 2;
	for (int field = 1; field <= FIELDS_TO_START; field++) {
		at = strchr(at + 1, ' ');
		if (!at)
			return -1;
		if (field == FIELDS_TO_THREADS && sscanf(at, "%u", &process->threads) != 1)
			return -1;
	}
	return sscanf(at, "%" SCNu64, &process->start) == 1 ? 0 : -1;
}

static int add_link(struct cox_buf *to, const char *path)
{
	char text[64];
	ssize_t size = readlink(path, text, sizeof(text));

	if (size <= 0)
		return -1;
	cox_buf_add(to, text, (size_t)size);
	return 0;
}

/* -1: it cannot be told where we are. */
static int find_place(uint64_t *place, struct process *self)
{
	static const uint64_t seed[2];
	cox_autobuf text = COX_BUF_INIT;
	char boot[64];

	/* A /proc of other namespaces than ours has another number for us. */
	if (read_process("self", self) != 0 || self->pid != getpid() ||
	    read_small("/proc/sys/kernel/random/boot_id", boot, sizeof(boot)) != 0)
		return -1;
	cox_buf_str(&text, boot);
	if (add_link(&text, "/proc/self/ns/pid") != 0 || add_link(&text, "/proc/self/ns/time") != 0)
		return -1;
	*place = cox_siphash13(seed, text.data, text.size);
	return 0;
}

char *identity_make(void)
{
	struct cox_buf text = COX_BUF_INIT;
	char host[256] = "";
	struct process self;
	uint64_t place, random[2];

	gethostname(host, sizeof(host) - 1);
	if (find_place(&place, &self) == 0) {
		cox_buf_printf(&text, "%s_%016" PRIx64 "-%d-%" PRIu64, host, place, self.pid,
			       self.start);
	} else {
		while (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
			;
		cox_buf_printf(&text, "%s_%016" PRIx64 "%016" PRIx64, host, random[0], random[1]);
	}
	return cox_buf_steal(&text);
}

bool identity_has_ended(const char *identity)
{
	const char *rest = strrchr(identity, '_');
	struct process self, holder;
	uint64_t place, here, start;
	char name[16];
	int pid, end = 0;

	if (!rest ||
	    sscanf(rest, "_%16" SCNx64 "-%9d-%20" SCNu64 "%n", &place, &pid, &start, &end) != 3 ||
	    rest[end] || pid <= 0 || find_place(&here, &self) != 0 || here != place)
		return false;
	if (kill(pid, 0) != 0 && errno == ESRCH)
		return true;
	snprintf(name, sizeof(name), "%d", pid);
	if (read_process(name, &holder) != 0)
		return false; /* of somebody else, and hidden from us */
	/* Another one by the same number, or one that only waits for its parent to look. */
	return holder.start != start || (holder.state == 'Z' && holder.threads <= 1);
}
