/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of IPv4 and IPv6 addresses: a network like 192.0.2.0/28, all from one
 * to another like 192.0.2.10-192.0.2.19, or one address alone.
 */
#ifndef CLOUD_LOCAL_RANGES_H
#define CLOUD_LOCAL_RANGES_H

#include <coxswain/kit/buf.h>
#include <coxswain/kit/vec.h>
#include <stdbool.h>
#include <stdint.h>

enum { ADDRESS_TEXT_SIZE = 46, RANGES_MAX = 64 };

struct address {
	uint8_t bytes[16]; /* IPv4: the first four; the rest is zero */
	uint8_t family;	   /* 4 or 6 */
};

struct range {
	struct address low, high; /* both belong to it */
};

struct ranges {
	struct range *items;
	size_t count;
	size_t capacity;
};

/* The usual way to write it, and nothing else; 0 or -1. */
int address_parse(const char *text, struct address *address) __attribute__((warn_unused_result));
void address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE]);

/*
 * Adds the ranges of a list, separated by commas. Of an IPv4 network its first
 * and last address are left out, unless it is a /31 or /32: they are nobody's.
 * -1: `why` says what is wrong.
 */
int ranges_parse(struct ranges *ranges, const char *list, struct cox_buf *why)
	__attribute__((warn_unused_result));
void ranges_free(struct ranges *ranges);

bool ranges_have(const struct ranges *ranges, const struct address *address);
bool ranges_have_family(const struct ranges *ranges, unsigned family);
/* The first address of that family, in the order of the list, that is not taken. */
bool ranges_find(const struct ranges *ranges, unsigned family,
		 bool (*taken)(const void *context, const struct address *address),
		 const void *context, struct address *found);

#endif
