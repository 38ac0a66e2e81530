/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a ClientHello; see the header. Whatever is not as it should be is
 * "other": TLS itself then finds the words for it.
 */
#include "net/hello.h"

#include <stdbool.h>
#include <string.h>

enum {
	RECORD_HEAD = 5,
	RECORD_MAX = 16 * 1024,
	RECORD_HANDSHAKE = 22,
	HANDSHAKE_HEAD = 4,
	CLIENT_HELLO = 1,
	EXTENSION_ALPN = 16,
	VERSION_AND_RANDOM = 2 + 32
};

/* What is left to read; a step past the end makes it bad for good. */
struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static size_t take_number(struct reader *reader, unsigned bytes)
{
	size_t value = 0;

	if (reader->bad || reader->left < bytes) {
		reader->bad = true;
		return 0;
	}
	while (bytes--) {
		value = value << 8 | *reader->at++;
		reader->left--;
	}
	return value;
}

/* The next `size` bytes as a reader of their own. */
static struct reader take(struct reader *reader, size_t size)
{
	struct reader part = {reader->at, size, false};

	if (reader->bad || reader->left < size) {
		reader->bad = true;
		return (struct reader){NULL, 0, true};
	}
	reader->at += size;
	reader->left -= size;
	return part;
}

/* A run of bytes behind its length. */
static struct reader take_run(struct reader *reader, unsigned length_bytes)
{
	return take(reader, take_number(reader, length_bytes));
}

static bool offers_h2(struct reader extension)
{
	struct reader names = take_run(&extension, 2);
	bool found = false;

	while (!names.bad && names.left) {
		struct reader name = take_run(&names, 1);

		found |= !name.bad && name.left == 2 && memcmp(name.at, "h2", 2) == 0;
	}
	return found && !names.bad && !extension.left;
}

static enum hello read_client_hello(struct reader hello)
{
	struct reader extensions;

	take(&hello, VERSION_AND_RANDOM);
	take_run(&hello, 1); /* session */
	take_run(&hello, 2); /* ciphers */
	take_run(&hello, 1); /* compression */
	extensions = take_run(&hello, 2);
	while (!extensions.bad && extensions.left) {
		size_t type = take_number(&extensions, 2);
		struct reader extension = take_run(&extensions, 2);

		if (!extension.bad && type == EXTENSION_ALPN)
			return offers_h2(extension) ? HELLO_H2 : HELLO_OTHER;
	}
	return HELLO_OTHER;
}

enum hello hello_read(const uint8_t *data, size_t size)
{
	struct reader all = {data, size, false}, record, hello;
	size_t length;

	if (size && data[0] != RECORD_HANDSHAKE)
		return HELLO_OTHER;
	if (size < RECORD_HEAD)
		return HELLO_MORE;
	take_number(&all, 3); /* the kind, and a version that says nothing */
	length = take_number(&all, 2);
	if (length < HANDSHAKE_HEAD || length > RECORD_MAX)
		return HELLO_OTHER;
	if (all.left && *all.at != CLIENT_HELLO)
		return HELLO_OTHER;
	if (all.left < length)
		return HELLO_MORE;
	record = take(&all, length);
	take_number(&record, 1);
	hello = take_run(&record, 3);
	/* One that goes on in a second record is longer than those of real clients. */
	return hello.bad ? HELLO_OTHER : read_client_hello(hello);
}
