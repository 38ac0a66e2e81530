/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of addresses; see the header. */
#include "ranges.h"

#include <arpa/inet.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <string.h>

_Static_assert(ADDRESS_TEXT_SIZE >= INET6_ADDRSTRLEN, "room for every address");

/* ---- addresses ---- */

static unsigned address_size(const struct address *address)
{
	return address->family == 4 ? 4 : 16;
}

int address_parse(const char *text, struct address *address)
{
	*address = (struct address){.family = strchr(text, ':') ? 6 : 4};
	return inet_pton(address->family == 4 ? AF_INET : AF_INET6, text, address->bytes) == 1 ? 0
											       : -1;
}

void address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE])
{
	inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, out,
		  ADDRESS_TEXT_SIZE);
}

static int address_compare(const struct address *a, const struct address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static void address_add(struct address *address, int step)
{
	for (unsigned i = address_size(address); i > 0; i--) {
		uint8_t before = address->bytes[i - 1];

		address->bytes[i - 1] = (uint8_t)(before + step);
		if (step > 0 ? before != 0xff : before != 0)
			break;
	}
}

/* ---- ranges ---- */

/* Where no service can be reached from outside. */
static const struct {
	const char *low, *high, *what;
} special[] = {
	{"0.0.0.0", "0.255.255.255", "0.0.0.0/8 stands for no address"},
	{"127.0.0.0", "127.255.255.255", "127.0.0.0/8 is the loopback"},
	{"224.0.0.0", "255.255.255.255", "224.0.0.0/3 is for multicast, and reserved"},
	{"::", "::1", "::/127 is the loopback"},
	{"::ffff:0:0", "::ffff:ffff:ffff", "::ffff:0:0/96 is IPv4"},
	{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::/10 is link-local"},
	{"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::/8 is multicast"},
};

static bool overlap(const struct range *a, const struct range *b)
{
	return a->low.family == b->low.family && address_compare(&a->low, &b->high) <= 0 &&
	       address_compare(&b->low, &a->high) <= 0;
}

static int refuse(struct cox_buf *why, const char *item, const char *reason)
{
	cox_buf_clear(why);
	cox_buf_printf(why, "\"%s\": %s", item, reason);
	return -1;
}

static const char not_a_range[] =
	"no range of addresses; want 192.0.2.0/28, 192.0.2.10-192.0.2.19 or 192.0.2.7";

/* The bits behind the prefix: all set, or found set. */
static bool host_bits(struct address *address, unsigned prefix, bool set)
{
	bool found = false;

	for (unsigned bit = prefix; bit < address_size(address) * 8; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		found |= (address->bytes[bit / 8] & mask) != 0;
		if (set)
			address->bytes[bit / 8] |= mask;
	}
	return found;
}

static int parse_network(const char *item, const char *prefix_text, struct range *range,
			 struct cox_buf *why)
{
	unsigned bits = address_size(&range->low) * 8;
	int64_t prefix;

	if (cox_parse_int(prefix_text, 1, bits, &prefix))
		return refuse(why, item, not_a_range);
	range->high = range->low;
	if (host_bits(&range->low, (unsigned)prefix, false))
		return refuse(why, item, "bits are set behind the prefix");
	host_bits(&range->high, (unsigned)prefix, true);
	if (range->low.family == 4 && prefix < 31) {
		address_add(&range->low, 1);
		address_add(&range->high, -1);
	}
	return 0;
}

/* `first` is a copy of the item to cut up. */
static int parse_range(const char *item, char *first, struct range *range, struct cox_buf *why)
{
	char *slash = strchr(first, '/'), *hyphen = strchr(first, '-');

	if (slash)
		*slash = '\0';
	else if (hyphen)
		*hyphen = '\0';
	if (address_parse(first, &range->low))
		return refuse(why, item, not_a_range);
	if (slash)
		return parse_network(item, slash + 1, range, why);
	range->high = range->low;
	if (!hyphen)
		return 0;
	if (address_parse(hyphen + 1, &range->high) || range->high.family != range->low.family)
		return refuse(why, item, not_a_range);
	if (address_compare(&range->low, &range->high) > 0)
		return refuse(why, item, "the last address comes before the first");
	return 0;
}

static int check_range(const struct ranges *ranges, const char *item, const struct range *range,
		       struct cox_buf *why)
{
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		struct range other;

		if (!address_parse(special[i].low, &other.low) &&
		    !address_parse(special[i].high, &other.high) && overlap(range, &other))
			return refuse(why, item, special[i].what);
	}
	for (size_t i = 0; i < ranges->count; i++) {
		if (overlap(range, &ranges->items[i]))
			return refuse(why, item, "overlaps with a range before it");
	}
	if (ranges->count >= RANGES_MAX)
		return refuse(why, item, "too many ranges, 64 are possible");
	return 0;
}

int ranges_parse(struct ranges *ranges, const char *list, struct cox_buf *why)
{
	cox_autofree char *copy = cox_strdup(list);
	char *at = copy, *word;

	while ((word = strsep(&at, ","))) {
		cox_autofree char *first = cox_strdup(word);
		struct range range;

		if (parse_range(word, first, &range, why) || check_range(ranges, word, &range, why))
			return -1;
		cox_vec_push(ranges, range);
	}
	return 0;
}

void ranges_free(struct ranges *ranges)
{
	cox_vec_free(ranges);
}

/* ---- questions ---- */

bool ranges_have(const struct ranges *ranges, const struct address *address)
{
	const struct range alone = {*address, *address};

	for (size_t i = 0; i < ranges->count; i++) {
		if (overlap(&ranges->items[i], &alone))
			return true;
	}
	return false;
}

bool ranges_have_family(const struct ranges *ranges, unsigned family)
{
	for (size_t i = 0; i < ranges->count; i++) {
		if (ranges->items[i].low.family == family)
			return true;
	}
	return false;
}

/* However wide a range is: no more steps than addresses are taken. */
bool ranges_find(const struct ranges *ranges, unsigned family,
		 bool (*taken)(const void *context, const struct address *address),
		 const void *context, struct address *found)
{
	for (size_t i = 0; i < ranges->count; i++) {
		struct address at = ranges->items[i].low;

		if (at.family != family)
			continue;
		while (taken(context, &at)) {
			if (!address_compare(&at, &ranges->items[i].high))
				break;
			address_add(&at, 1);
		}
		if (taken(context, &at))
			continue;
		*found = at;
		return true;
	}
	return false;
}
