/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the logs of containers; see the header. */
#include "kubelet/logs.h"

#include "base/clock.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 16 * 1024, LINE_MAX_BYTES = 1024 * 1024 };

struct log_reader {
	char *path;
	int fd;
	struct log_options options;
	struct cox_buf line; /* begun and not yet ended */
	int64_t left;	     /* bytes of the limit; -1: none */
	bool inside;	     /* the last line shown ended with P */
};

/* Where the last `count` lines begin: full lines only count, as people see them. */
static off_t tail_begin(int fd, int64_t count)
{
	cox_autofree char *piece = cox_alloc(PIECE);
	struct stat facts;
	off_t at;

	if (fstat(fd, &facts) != 0)
		return 0;
	at = facts.st_size;
	while (at > 0) {
		size_t size = at < PIECE ? (size_t)at : PIECE;
		ssize_t got = pread(fd, piece, size, at - (off_t)size);

		if (got <= 0)
			return 0;
		for (size_t i = (size_t)got; i > 0; i--) {
			off_t where = at - (off_t)size + (off_t)i;

			/* The line feed at the very end ends the last line, it begins none. */
			if (piece[i - 1] == '\n' && where < facts.st_size && --count <= 0)
				return where;
		}
		at -= (off_t)size;
	}
	return 0;
}

struct log_reader *log_reader_open(const char *path, const struct log_options *options,
				   struct cox_error *err)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct log_reader *reader;
	off_t begin = 0;

	if (fd < 0) {
		error_set(err, errno == ENOENT ? COX_REASON_NOT_FOUND : COX_REASON_INTERNAL_ERROR,
			  "failed to open log file \"%s\": %s", path, strerror(errno));
		return NULL;
	}
	if (options->tail == 0)
		begin = lseek(fd, 0, SEEK_END);
	else if (options->tail > 0)
		begin = tail_begin(fd, options->tail);
	if (lseek(fd, begin, SEEK_SET) < 0) {
		error_errno(err, errno, "read %s", path);
		return NULL;
	}
	reader = cox_new(struct log_reader);
	reader->path = cox_strdup(path);
	reader->fd = cox_steal_fd(&fd);
	reader->options = *options;
	reader->left = options->limit;
	return reader;
}

void log_reader_close(struct log_reader *reader)
{
	if (!reader)
		return;
	close(reader->fd);
	cox_buf_free(&reader->line);
	free(reader->path);
	free(reader);
}

static void put(struct log_reader *reader, struct cox_buf *out, const char *data, size_t size)
{
	if (reader->left >= 0 && (int64_t)size > reader->left)
		size = (size_t)reader->left;
	if (reader->left >= 0)
		reader->left -= (int64_t)size;
	cox_buf_add(out, data, size);
}

/* One line of the file, its line feed cut off. */
static void show_line(struct log_reader *reader, const char *line, size_t size, struct cox_buf *out)
{
	const struct log_options *options = &reader->options;
	const char *stream = memchr(line, ' ', size), *tag, *text;
	const char *end = line + size;
	uint64_t time;
	bool partial;

	tag = stream ? memchr(stream + 1, ' ', (size_t)(end - stream - 1)) : NULL;
	text = tag ? memchr(tag + 1, ' ', (size_t)(end - tag - 1)) : NULL;
	if (!text || clock_parse(line, (size_t)(stream - line), &time))
		return; /* not a line of this format: nobody could tell what it is */
	partial = tag[1] == 'P';
	if ((options->since && time < options->since) ||
	    (options->only_stdout && strncmp(stream + 1, "stdout", 6) != 0) ||
	    (options->only_stderr && strncmp(stream + 1, "stderr", 6) != 0))
		return;
	if (options->timestamps && !reader->inside)
		put(reader, out, line, (size_t)(stream + 1 - line));
	put(reader, out, text + 1, (size_t)(end - text - 1));
	if (!partial)
		put(reader, out, "\n", 1);
	reader->inside = partial;
}

/* True if another file has our path now. */
static bool was_rotated(struct log_reader *reader)
{
	struct stat here, there;
	cox_autoclose int fd = -1;

	if (fstat(reader->fd, &here) != 0 || stat(reader->path, &there) != 0 ||
	    (here.st_ino == there.st_ino && here.st_dev == there.st_dev))
		return false;
	fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	close(reader->fd);
	reader->fd = cox_steal_fd(&fd);
	return true;
}

int log_reader_next(struct log_reader *reader, size_t room, struct cox_buf *out)
{
	size_t before = out->size;

	while (out->size - before < room && reader->left != 0) {
		char *piece = cox_buf_reserve(&reader->line, PIECE);
		ssize_t got = read(reader->fd, piece, PIECE);
		size_t begin = 0;

		if (got <= 0 && was_rotated(reader))
			continue;
		if (got <= 0)
			break;
		cox_buf_added(&reader->line, (size_t)got);
		for (;;) {
			char *line = reader->line.data + begin;
			const char *feed = memchr(line, '\n', reader->line.size - begin);

			if (!feed)
				break;
			show_line(reader, line, (size_t)(feed - line), out);
			begin += (size_t)(feed - line) + 1;
		}
		memmove(reader->line.data, reader->line.data + begin, reader->line.size - begin);
		cox_buf_truncate(&reader->line, reader->line.size - begin);
		if (reader->line.size > LINE_MAX_BYTES)
			cox_buf_clear(&reader->line); /* no log of ours has such lines */
	}
	if (reader->left == 0)
		return -1;
	return out->size > before ? 1 : 0;
}
