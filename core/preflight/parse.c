/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of small texts; see the header. */
#include "preflight/parse.h"

#include <coxswain/kit/text.h>
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- networks ---- */

int preflight_parse_network(const char *text, struct preflight_network *network)
{
	char address[INET6_ADDRSTRLEN];
	size_t size = strcspn(text, "/");
	int64_t bits;

	if (size >= sizeof(address) || strlen(text) >= sizeof(network->text))
		return -1;
	memset(network, 0, sizeof(*network));
	memcpy(address, text, size);
	address[size] = '\0';
	network->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(network->family, address, network->bytes) != 1)
		return -1;
	bits = network->family == AF_INET ? 32 : 128;
	if (text[size] && cox_parse_int(text + size + 1, 0, bits, &bits) != 0)
		return -1;
	network->bits = (unsigned)bits;
	memcpy(network->text, text, strlen(text) + 1);
	return 0;
}

bool preflight_covers(const struct preflight_network *outer, const struct preflight_network *inner)
{
	unsigned whole = outer->bits / 8, rest = outer->bits % 8;

	if (outer->family != inner->family || outer->bits > inner->bits ||
	    memcmp(outer->bytes, inner->bytes, whole) != 0)
		return false;
	return !rest || (outer->bytes[whole] ^ inner->bytes[whole]) >> (8 - rest) == 0;
}

/* ---- rules ---- */

/* The next line of `*at` without its end; false: there is none. */
static bool next_line(const char **at, const char **line, size_t *size)
{
	if (!**at)
		return false;
	*line = *at;
	*size = strcspn(*at, "\n");
	*at += *size + ((*at)[*size] == '\n');
	return true;
}

/* The rest of a line that begins "WORD CHAIN", or NULL. */
static const char *about_chain(const char *line, size_t size, const char *word, const char *chain,
			       size_t *rest)
{
	size_t length = strlen(word) + 1 + strlen(chain);

	if (size < length || strncmp(line, word, strlen(word)) != 0 || line[strlen(word)] != ' ' ||
	    strncmp(line + strlen(word) + 1, chain, strlen(chain)) != 0 ||
	    (size > length && line[length] != ' '))
		return NULL;
	*rest = size - length;
	return line + length;
}

static bool is_exactly(const char *text, size_t size, const char *wanted)
{
	return size == strlen(wanted) && memcmp(text, wanted, size) == 0;
}

/* " -s NETWORK -j ACCEPT" and nothing else */
static bool accepts(const char *rest, size_t size, struct preflight_network *network)
{
	static const char source[] = " -s ", target[] = " -j ACCEPT";
	char text[sizeof(network->text)];
	size_t length;

	if (size < sizeof(source) + sizeof(target) - 2 ||
	    memcmp(rest, source, sizeof(source) - 1) != 0 ||
	    memcmp(rest + size - (sizeof(target) - 1), target, sizeof(target) - 1) != 0)
		return false;
	length = size - (sizeof(source) - 1) - (sizeof(target) - 1);
	if (length >= sizeof(text))
		return false;
	memcpy(text, rest + sizeof(source) - 1, length);
	text[length] = '\0';
	return preflight_parse_network(text, network) == 0;
}

static bool refuses(const char *rest, size_t size, struct preflight_refusal *refusal)
{
	static const char reject[] = " -j REJECT", with[] = " --reject-with ";
	size_t head = sizeof(reject) - 1;

	if (is_exactly(rest, size, " -j DROP")) {
		snprintf(refusal->what, sizeof(refusal->what), "DROP");
		return true;
	}
	if (size < head || memcmp(rest, reject, head) != 0)
		return false;
	if (size == head) {
		snprintf(refusal->what, sizeof(refusal->what), "REJECT");
		return true;
	}
	if (size < head + sizeof(with) - 1 || memcmp(rest + head, with, sizeof(with) - 1) != 0)
		return false;
	head += sizeof(with) - 1;
	snprintf(refusal->what, sizeof(refusal->what), "REJECT %.*s", (int)(size - head),
		 rest + head);
	return true;
}

/* Networks beyond this are looked at as if nobody let them in. */
enum { NETWORKS_MAX = 32 };

bool preflight_find_refusal(const char *rules, const char *chain,
			    const struct preflight_network *networks, size_t count,
			    struct preflight_refusal *refusal)
{
	bool let_in[NETWORKS_MAX] = {false};
	const char *line, *rest;
	size_t size, length;
	unsigned number = 0;

	while (next_line(&rules, &line, &size)) {
		struct preflight_network network;

		rest = about_chain(line, size, "-A", chain, &length);
		if (!rest)
			continue;
		number++;
		if (is_exactly(rest, length, " -j ACCEPT"))
			return false;
		if (refuses(rest, length, refusal)) {
			refusal->number = number;
			refusal->allowed = count > 0 && count <= NETWORKS_MAX;
			for (size_t i = 0; i < count && refusal->allowed; i++)
				refusal->allowed = let_in[i];
			return true;
		}
		if (!accepts(rest, length, &network))
			continue;
		for (size_t i = 0; i < count && i < NETWORKS_MAX; i++)
			if (preflight_covers(&network, &networks[i]))
				let_in[i] = true;
	}
	return false;
}

bool preflight_policy_drops(const char *rules, const char *chain)
{
	const char *line, *rest;
	size_t size, length;

	while (next_line(&rules, &line, &size)) {
		rest = about_chain(line, size, "-P", chain, &length);
		if (rest)
			return is_exactly(rest, length, " DROP");
	}
	return false;
}

/* ---- /proc ---- */

static int hex_address(const char *text, size_t words, unsigned char *address)
{
	/* Each 32 bits are a number of this machine. */
	for (size_t i = 0; i < words; i++) {
		char digits[9], *end;
		uint32_t word;

		memcpy(digits, text + 8 * i, 8);
		digits[8] = '\0';
		word = (uint32_t)strtoul(digits, &end, 16);
		if (*end)
			return -1;
		memcpy(address + 4 * i, &word, 4);
	}
	return 0;
}

bool preflight_next_listener(const char **at, bool v6, struct preflight_listener *listener)
{
	const size_t words = v6 ? 4 : 1;
	const char *line;
	size_t size;

	while (next_line(at, &line, &size)) {
		char text[256], address[33];
		unsigned port, state;
		uint64_t inode;

		snprintf(text, sizeof(text), "%.*s", (int)(size < 255 ? size : 255), line);
		if (sscanf(text, " %*u: %32[0-9A-Fa-f]:%4x %*s %2x %*s %*s %*s %*u %*u %" SCNu64,
			   address, &port, &state, &inode) != 4 ||
		    state != 0x0A || strlen(address) != 8 * words)
			continue;
		memset(listener, 0, sizeof(*listener));
		if (hex_address(address, words, listener->address) != 0)
			continue;
		listener->v6 = v6;
		listener->port = (uint16_t)port;
		listener->inode = inode;
		return true;
	}
	return false;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

bool preflight_in_the_way(const struct preflight_listener *listener, const char *address,
			  uint16_t port)
{
	struct preflight_network wanted;
	size_t size = listener->v6 ? 16 : 4;

	if (listener->port != port)
		return false;
	/* A name, or nothing: whatever it means, all addresses are the safe answer. */
	if (preflight_parse_network(address, &wanted) != 0)
		return true;
	if (is_zero(listener->address, size) || is_zero(wanted.bytes, sizeof(wanted.bytes)))
		return true;
	if ((wanted.family == AF_INET6) != listener->v6)
		return false;
	return memcmp(wanted.bytes, listener->address, size) == 0;
}

int preflight_meminfo(const char *text, const char *key, uint64_t *bytes)
{
	const char *line;
	size_t size;

	while (next_line(&text, &line, &size)) {
		uint64_t kilobytes;

		if (strncmp(line, key, strlen(key)) != 0 || line[strlen(key)] != ':' ||
		    sscanf(line + strlen(key) + 1, " %" SCNu64 " kB", &kilobytes) != 1 ||
		    kilobytes > UINT64_MAX / 1024)
			continue;
		*bytes = kilobytes * 1024;
		return 0;
	}
	return -1;
}

unsigned preflight_swaps(const char *text, char *names, size_t size)
{
	const char *line;
	size_t length, used = 0;
	unsigned count = 0;

	names[0] = '\0';
	while (next_line(&text, &line, &length)) {
		int name = (int)strcspn(line, " \t\n");

		if (*line != '/')
			continue; /* the heading */
		if (used < size)
			used += (size_t)snprintf(names + used, size - used, "%s%.*s",
						 count ? " " : "", name, line);
		count++;
	}
	return count;
}

void preflight_find_cgroups(const char *mountinfo, struct preflight_cgroups *cgroups)
{
	const char *line;
	size_t size, used = 0;

	memset(cgroups, 0, sizeof(*cgroups));
	while (next_line(&mountinfo, &line, &size)) {
		char text[1024], mount[256], type[32], options[256];
		const char *rest;

		snprintf(text, sizeof(text), "%.*s", (int)(size < 1023 ? size : 1023), line);
		rest = strstr(text, " - ");
		if (!rest || sscanf(text, "%*s %*s %*s %*s %255s", mount) != 1 ||
		    sscanf(rest, " - %31s %*s %255s", type, options) != 2)
			continue;
		if (strcmp(type, "cgroup2") == 0) {
			cgroups->v2 = true;
			memcpy(cgroups->v2_mount, mount, sizeof(mount));
		} else if (strcmp(type, "cgroup") == 0) {
			cgroups->v1++;
			if (used < sizeof(cgroups->controllers))
				used += (size_t)snprintf(cgroups->controllers + used,
							 sizeof(cgroups->controllers) - used, "%s,",
							 options);
		}
	}
}

bool preflight_has_word(const char *list, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = list; *at; at += strspn(at, " ,\t\n")) {
		size_t length = strcspn(at, " ,\t\n");

		if (length == size && memcmp(at, word, size) == 0)
			return true;
		at += length;
	}
	return false;
}

/* ---- the network ---- */

int preflight_parse_url(const char *text, struct preflight_url *url)
{
	const char *at = strstr(text, "://"), *host, *end;
	size_t size, length;
	int64_t port;

	memset(url, 0, sizeof(*url));
	url->tls = cox_starts_with(text, "https://");
	if (at && !url->tls && !cox_starts_with(text, "http://"))
		return -1;
	host = at ? at + 3 : text;
	size = strcspn(host, "/?#");
	if (*host == '[') {
		end = memchr(host, ']', size);
		if (!end)
			return -1;
		length = (size_t)(end - host) - 1;
		host++;
		end++;
	} else {
		length = strcspn(host, ":/?#");
		end = host + length;
	}
	if (!length || length >= sizeof(url->host))
		return -1;
	memcpy(url->host, host, length);
	port = url->tls ? 443 : 80;
	if (*end == ':') {
		char digits[8];

		size = strcspn(end + 1, "/?#");
		if (!size || size >= sizeof(digits))
			return -1;
		memcpy(digits, end + 1, size);
		digits[size] = '\0';
		if (cox_parse_int(digits, 1, 65535, &port) != 0)
			return -1;
	} else if (*end && !strchr("/?#", *end)) {
		return -1;
	}
	url->port = (uint16_t)port;
	return 0;
}

int preflight_parse_date(const char *answer, time_t *when)
{
	const char *line;
	size_t size;

	while (next_line(&answer, &line, &size) && size > 1) {
		struct tm parts = {0};
		char text[64];

		if (strncasecmp(line, "Date:", 5) != 0)
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)(size < 63 ? size : 63), line);
		if (!strptime(text + 5, " %a, %d %b %Y %H:%M:%S GMT", &parts))
			return -1;
		*when = timegm(&parts);
		return 0;
	}
	return -1;
}

int preflight_parse_threshold(const char *list, const char *signal, uint64_t total,
			      uint64_t *amount)
{
	size_t name = strlen(signal);

	for (const char *at = list; *at; at += strspn(at, ",")) {
		size_t size = strcspn(at, ",");
		char value[32], *end;
		double percent;

		if (size <= name + 1 || size - name - 1 >= sizeof(value) ||
		    memcmp(at, signal, name) != 0 || !strchr("<=", at[name])) {
			at += size;
			continue;
		}
		memcpy(value, at + name + 1, size - name - 1);
		value[size - name - 1] = '\0';
		end = strchr(value, '%');
		if (!end)
			return cox_parse_size(value, amount);
		percent = strtod(value, &end);
		if (end == value || strcmp(end, "%") != 0 || !(percent >= 0 && percent <= 100))
			return -1;
		*amount = (uint64_t)((double)total * percent / 100);
		return 0;
	}
	return -1;
}
