/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the logs of containers: files of lines "TIME STREAM TAG TEXT", where
 * the tag P says that the line goes on in the next one, and F that it ends.
 */
#ifndef COX_KUBELET_LOGS_H
#define COX_KUBELET_LOGS_H

#include "base/error.h"

#include <coxswain/kit/buf.h>
#include <stdbool.h>
#include <stdint.h>

struct log_options {
	int64_t tail;	/* lines; -1: all */
	int64_t limit;	/* bytes; -1: none */
	uint64_t since; /* realtime; 0: all */
	bool timestamps;
	bool only_stdout, only_stderr;
};

struct log_reader;

/* NULL: `err` says why. */
struct log_reader *log_reader_open(const char *path, const struct log_options *options,
				   struct cox_error *err);
/*
 * Appends what is there now, about `room` bytes; 1: there was something, 0:
 * nothing for now, -1: the limit is reached. A file that was renamed away and
 * made anew is followed once the old one is read.
 */
int log_reader_next(struct log_reader *reader, size_t room, struct cox_buf *out);
void log_reader_close(struct log_reader *reader);

/* ---- log_files.c ---- */

/* Of the full files of the log at `path`, the newest `count` stay. */
void logs_keep(const char *path, size_t count);
/* The log at `path` with its full files; "" is fine. */
void logs_remove(const char *path);
/* The directory of a pod's logs. */
void logs_remove_pod(const char *directory);

#endif
