/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log; see the header. One lock, `ring.lock`, taken last of all and never
 * held across a write. head and tail count bytes for ever and are taken modulo
 * the ring's size.
 */
#include "base/log.h"

#include "base/clock.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { RING_SIZE = 1 << 20, LINE_MAX_SIZE = 16 * 1024 };

_Atomic int log_verbosity;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t added;
	pthread_t writer;
	bool running;
	bool stopping;
	size_t head; /* bytes ever added */
	size_t tail; /* bytes ever written out */
	size_t dropped;
	char bytes[RING_SIZE];
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER, .added = PTHREAD_COND_INITIALIZER};

static void write_all(const char *data, size_t size)
{
	while (size) {
		ssize_t done = write(STDERR_FILENO, data, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* nobody left to tell */
		data += done;
		size -= (size_t)done;
	}
}

static void copy_in(const char *data, size_t size)
{
	size_t at = ring.head % RING_SIZE;
	size_t first = size < RING_SIZE - at ? size : RING_SIZE - at;

	memcpy(ring.bytes + at, data, first);
	memcpy(ring.bytes, data + first, size - first);
	ring.head += size;
}

static void put_header(struct cox_buf *out, int level, const char *file, int line)
{
	uint64_t now = clock_realtime();
	time_t seconds = (time_t)(now / CLOCK_SECOND);
	const char *slash = strrchr(file, '/');
	struct tm parts;

	localtime_r(&seconds, &parts);
	cox_buf_printf(out, "%c%02d%02d %02d:%02d:%02d.%06u %7d %s:%d] ", level, parts.tm_mon + 1,
		       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
		       (unsigned)(now % CLOCK_SECOND / 1000), getpid(), slash ? slash + 1 : file,
		       line);
}

/* With the lock held: what was dropped is told as soon as there is room. */
static void tell_dropped(void)
{
	cox_autobuf text = COX_BUF_INIT;

	if (!ring.dropped)
		return;
	put_header(&text, COX_LOG_WARNING, __FILE__, __LINE__);
	cox_buf_printf(&text, "%zu log lines were dropped: the reader of stderr was too slow\n",
		       ring.dropped);
	if (RING_SIZE - (ring.head - ring.tail) < text.size)
		return;
	ring.dropped = 0;
	copy_in(text.data, text.size);
}

static void *write_lines(void *unused)
{
	char chunk[8192];

	(void)unused;
	pthread_mutex_lock(&ring.lock);
	for (;;) {
		size_t at, size;

		while (ring.head == ring.tail && !ring.stopping)
			pthread_cond_wait(&ring.added, &ring.lock);
		if (ring.head == ring.tail)
			break;
		at = ring.tail % RING_SIZE;
		size = ring.head - ring.tail;
		if (size > sizeof(chunk))
			size = sizeof(chunk);
		if (size > RING_SIZE - at)
			size = RING_SIZE - at;
		memcpy(chunk, ring.bytes + at, size);
		ring.tail += size;
		pthread_mutex_unlock(&ring.lock);
		write_all(chunk, size);
		pthread_mutex_lock(&ring.lock);
	}
	pthread_mutex_unlock(&ring.lock);
	return NULL;
}

void log_start(void)
{
	sigset_t all, before;

	cox_lock_scope(&ring.lock);
	if (ring.running)
		return;
	ring.stopping = false;
	/* Signals are for the thread that asked for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ring.running = pthread_create(&ring.writer, NULL, write_lines, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void log_stop(void)
{
	pthread_mutex_lock(&ring.lock);
	if (!ring.running) {
		pthread_mutex_unlock(&ring.lock);
		return;
	}
	tell_dropped();
	ring.stopping = true;
	pthread_cond_signal(&ring.added);
	pthread_mutex_unlock(&ring.lock);
	pthread_join(ring.writer, NULL);
	pthread_mutex_lock(&ring.lock);
	ring.running = false;
	pthread_mutex_unlock(&ring.lock);
}

void log_vline(int level, const char *file, int line, const char *format, va_list args)
{
	cox_autobuf text = COX_BUF_INIT;
	bool direct;

	put_header(&text, level, file, line);
	cox_buf_vprintf(&text, format, args);
	if (text.size > LINE_MAX_SIZE) {
		cox_buf_truncate(&text, LINE_MAX_SIZE);
		cox_buf_str(&text, "… (cut)");
	}
	/* One call, one line: foreign text must not forge a second one. */
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] == '\n' || text.data[i] == '\r')
			text.data[i] = ' ';
	cox_buf_char(&text, '\n');

	pthread_mutex_lock(&ring.lock);
	direct = !ring.running;
	if (direct || RING_SIZE - (ring.head - ring.tail) >= text.size) {
		if (!direct)
			tell_dropped();
		if (RING_SIZE - (ring.head - ring.tail) >= text.size)
			copy_in(text.data, text.size);
		if (direct)
			ring.tail = ring.head;
		pthread_cond_signal(&ring.added);
	} else {
		ring.dropped++;
	}
	pthread_mutex_unlock(&ring.lock);
	if (direct)
		write_all(text.data, text.size);
}

void log_line(int level, const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vline(level, file, line, format, args);
	va_end(args);
}

size_t log_tail(char *out, size_t size)
{
	size_t head = ring.head;
	size_t count = head < RING_SIZE ? head : RING_SIZE;
	size_t from;

	if (count > size)
		count = size;
	from = head - count;
	for (size_t i = 0; i < count; i++)
		out[i] = ring.bytes[(from + i) % RING_SIZE];
	return count;
}
