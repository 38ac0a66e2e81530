/* SPDX-License-Identifier: Apache-2.0 */
/* A record of changes to files: entries, each followed by its texts and data. */
#ifndef TESTS_STORAGE_RECORD_H
#define TESTS_STORAGE_RECORD_H

#include <stdint.h>

enum record_kind {
	RECORD_CREATE = 1,    /* an empty file */
	RECORD_DIRECTORY = 2, /* an empty directory */
	RECORD_WRITE = 3,
	RECORD_TRUNCATE = 4, /* to `offset` */
	RECORD_SYNC = 5,     /* a file's bytes, or a directory's names */
	RECORD_RENAME = 6,   /* path to other */
	RECORD_LINK = 7,     /* path to other */
	RECORD_UNLINK = 8
};

struct record_entry {
	uint8_t kind;
	uint8_t reserved;
	uint16_t path_size;
	uint16_t other_size;
	uint16_t reserved2;
	uint64_t offset;
	uint64_t size; /* of the data */
};

#endif
