/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and ranges of both families as bytes. */
#include "bridge.h"

#include <string.h>

size_t bridge_address_size(const struct bridge_address *address)
{
	return address->family == AF_INET ? 4 : 16;
}

int bridge_parse_range(const char *text, struct bridge_address *out)
{
	cox_autofree char *copy = cox_strndup(text, 64);
	char *slash = strchr(copy, '/');
	int64_t prefix;
	size_t size;

	*out = (struct bridge_address){0};
	if (!slash)
		return -1;
	*slash++ = '\0';
	out->family = strchr(copy, ':') ? AF_INET6 : AF_INET;
	size = bridge_address_size(out);
	if (inet_pton(out->family, copy, out->bytes) != 1 ||
	    cox_parse_int(slash, 0, (int64_t)size * 8, &prefix) != 0)
		return -1;
	out->prefix = (unsigned)prefix;
	for (size_t i = 0; i < size; i++) {
		unsigned bits = out->prefix > 8 * i ? out->prefix - (unsigned)(8 * i) : 0;

		out->bytes[i] &= bits >= 8 ? 0xff : (unsigned char)(0xff00 >> bits);
	}
	return 0;
}

struct bridge_address bridge_host(const struct bridge_address *range, uint32_t host)
{
	struct bridge_address out = *range;
	size_t size = bridge_address_size(range);

	for (size_t i = 0; i < 4; i++)
		out.bytes[size - 1 - i] |= (unsigned char)(host >> 8 * i);
	return out;
}

struct bridge_address bridge_gateway(const struct bridge_address *range)
{
	return bridge_host(range, 1);
}

void bridge_format(const struct bridge_address *address, char out[INET6_ADDRSTRLEN])
{
	inet_ntop(address->family, address->bytes, out, INET6_ADDRSTRLEN);
}

bool bridge_in_range(const struct bridge_address *range, const struct bridge_address *address)
{
	unsigned whole = range->prefix / 8, rest = range->prefix % 8;
	unsigned char mask = (unsigned char)(0xff00 >> rest);

	return range->family == address->family &&
	       memcmp(range->bytes, address->bytes, whole) == 0 &&
	       (!rest || (range->bytes[whole] & mask) == (address->bytes[whole] & mask));
}
