/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads leveldb's logs before leveldb does.
 *
 * leveldb drops what it cannot read of a log: it skips a run of zeros without
 * a word, and goes on behind it. After a power cut that would keep later
 * unsynced writes and lose earlier ones. Every batch of ours carries its serial
 * number and the newest serial that was on disk when it was written. So what is
 * missing before a good record was either never synced (then the log ends
 * before it, and is cut there) or had been (then the disk has lost it, and
 * nothing is touched).
 *
 * The log: blocks of 32 KiB; in them records of crc32c (4, masked), length (2),
 * type (1: whole, 2: first, 3: middle, 4: last) and data. Fewer than 7 bytes at
 * the end of a block are filled with zeros.
 */
#include "level.h"

#include <coxswain/kit/alloc.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

enum { BLOCK = 32768, HEADER = 7, WHOLE = 1, FIRST = 2, MIDDLE = 3, LAST = 4 };
/* Batch: sequence 8, count 4, type 1, size of key 1, key, size of value 1, value. */
enum { STATE_AT = 8 + 4 + 1 + 1 + 5 + 1, HEAD_SIZE = STATE_AT + STATE_SIZE };

/* Where the reading of a log is at. */
struct scan {
	uint32_t crc_table[256];
	uint64_t start; /* of the batch being put together */
	bool open;	/* one is */
	char head[HEAD_SIZE];
	size_t head_size;
	uint64_t last_serial; /* of the last batch before anything bad; 0: none */
	bool foreign;	      /* a batch is not one of ours */
	uint64_t bad_at;      /* UINT64_MAX: nothing bad */
	bool proof;	      /* something bad had been synced */
};

static void crc_init(uint32_t table[256])
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
		table[byte] = crc;
	}
}

/* As leveldb masks it, so that a crc of data with crcs in it stays good. */
static uint32_t crc_masked(const uint32_t table[256], const char *data, size_t size)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < size; i++)
		crc = table[(crc ^ (unsigned char)data[i]) & 0xff] ^ crc >> 8;
	crc = ~crc;
	return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void mark_bad(struct scan *scan, uint64_t at)
{
	if (scan->bad_at == UINT64_MAX)
		scan->bad_at = scan->open ? scan->start : at;
	scan->open = false;
}

/* The state at the head of a batch; -1: not one of ours. */
static int batch_state(const struct scan *scan, struct state *state)
{
	static const char expected[] = {1, 5, 's', 't', 'a', 't', 'e', STATE_SIZE};

	if (scan->head_size < HEAD_SIZE || memcmp(scan->head + 12, expected, sizeof(expected)) != 0)
		return -1;
	return state_decode(scan->head + STATE_AT, STATE_SIZE, state);
}

/* Of the layout before this one, of which the marker tells: see check_format in open.c. */
static bool batch_is_older(const struct scan *scan)
{
	static const char expected[] = {1, 6, 'm', 's', 't', 'a', 't', 'e'};

	return scan->head_size >= 12 + sizeof(expected) &&
	       memcmp(scan->head + 12, expected, sizeof(expected)) == 0;
}

static void finish_batch(struct scan *scan)
{
	struct state state;

	scan->open = false;
	if (batch_state(scan, &state)) {
		if (!batch_is_older(scan))
			scan->foreign = true;
		return;
	}
	if (scan->bad_at == UINT64_MAX)
		scan->last_serial = state.serial;
	/* A good batch behind the bad place: was one that is missing on disk? */
	else if (state.synced >= (scan->last_serial ? scan->last_serial + 1 : state.log_first))
		scan->proof = true;
}

static void take_fragment(struct scan *scan, uint64_t at, int type, const char *data, size_t size)
{
	size_t room;

	if (type == WHOLE || type == FIRST) {
		if (scan->open)
			mark_bad(scan, at);
		scan->open = true;
		scan->start = at;
		scan->head_size = 0;
	} else if (!scan->open) {
		mark_bad(scan, at);
		return;
	}
	room = sizeof(scan->head) - scan->head_size;
	memcpy(scan->head + scan->head_size, data, size < room ? size : room);
	scan->head_size += size < room ? size : room;
	if (type == WHOLE || type == LAST)
		finish_batch(scan);
}

/* Reads one block of `size` bytes that begins at `base`. */
static void scan_block(struct scan *scan, uint64_t base, const char *block, size_t size)
{
	size_t at = 0;

	while (size - at >= HEADER) {
		size_t length = get_little(block + at + 4, 2);
		int type = block[at + 6];

		if (type < WHOLE || type > LAST || length > size - at - HEADER ||
		    get_little(block + at, 4) !=
			    crc_masked(scan->crc_table, block + at + 6, length + 1)) {
			mark_bad(scan, base + at);
			return; /* the next block may be good */
		}
		take_fragment(scan, base + at, type, block + at + HEADER, length);
		at += HEADER + length;
	}
	/* A header that ends with the file is a write that did not. */
	if (size < BLOCK && at < size)
		mark_bad(scan, base + at);
}

static int scan_log(int fd, struct scan *scan, uint64_t *size)
{
	cox_autofree char *block = cox_alloc(BLOCK);
	ssize_t got;

	scan->bad_at = UINT64_MAX;
	crc_init(scan->crc_table);
	for (*size = 0;; *size += (uint64_t)got) {
		size_t have = 0;

		while (have < BLOCK) {
			got = pread(fd, block + have, BLOCK - have, (off_t)(*size + have));
			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0)
				return -1;
			if (got == 0)
				break;
			have += (size_t)got;
		}
		got = (ssize_t)have;
		if (have == 0)
			break;
		scan_block(scan, *size, block, have);
	}
	if (scan->open) /* begun and not ended */
		mark_bad(scan, *size);
	return 0;
}

/* Checks one log; only the newest may be cut. */
static int check_log(struct level *level, uint64_t number, bool newest, struct cox_error *err)
{
	cox_autofree struct scan *scan = cox_new(struct scan);
	char name[32];
	cox_autoclose int fd = -1;
	uint64_t size;

	snprintf(name, sizeof(name), "%06" PRIu64 ".log", number);
	fd = openat(level->directory_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || scan_log(fd, scan, &size))
		return level->host->fail(err, COX_REASON_STORE_READ_ERROR, "cannot read %s/%s: %s",
					 level->directory, name, strerror(errno));
	if (scan->foreign)
		return directory_foreign(level, err);
	if (scan->bad_at == UINT64_MAX)
		return 0;
	if (!newest || scan->proof)
		return directory_damaged(level, err,
					 "%s has a bad record at byte %" PRIu64
					 " and synced writes behind it",
					 name, scan->bad_at);
	level->host->log(level->host->context, COX_LOG_WARNING,
			 "%s/%s: cut at byte %" PRIu64 " of %" PRIu64
			 ": an unfinished write, never acknowledged as durable, was behind it",
			 level->directory, name, scan->bad_at, size);
	if (ftruncate(fd, (off_t)scan->bad_at) || fsync(fd))
		return level->host->fail(err, COX_REASON_INTERNAL_ERROR, "cannot cut %s/%s: %s",
					 level->directory, name, strerror(errno));
	return 0;
}

int logfile_check_all(struct level *level, struct cox_error *err)
{
	uint64_t newest;
	DIR *directory;
	struct dirent *entry;
	int failed = 0;

	if (directory_newest_log(level, &newest))
		return level->host->fail(err, COX_REASON_INTERNAL_ERROR, "cannot list %s: %s",
					 level->directory, strerror(errno));
	if (newest == 0)
		return 0;
	directory = directory_list(level->directory_fd);
	while (directory && !failed && (entry = readdir(directory))) {
		uint64_t number;

		if (directory_number(entry->d_name, ".log", &number))
			failed = check_log(level, number, number == newest, err);
	}
	if (directory)
		closedir(directory);
	return failed;
}
