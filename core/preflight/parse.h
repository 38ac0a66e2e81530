/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checks read: lists of rules, files of /proc, URLs. Texts are the
 * system's or an administrator's; nothing is believed beyond its size. Pure.
 */
#ifndef COX_PREFLIGHT_PARSE_H
#define COX_PREFLIGHT_PARSE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct preflight_network {
	int family;
	unsigned char bytes[16];
	unsigned bits;
	char text[INET6_ADDRSTRLEN + 4];
};

/* "10.254.0.0/16", or an address alone. -1: neither. */
int preflight_parse_network(const char *text, struct preflight_network *network)
	__attribute__((warn_unused_result));
/* Whether all of `inner` lies in `outer`. */
bool preflight_covers(const struct preflight_network *outer, const struct preflight_network *inner);

/* The rule of a chain that lets nothing through that came so far. */
struct preflight_refusal {
	unsigned number; /* as iptables --line-numbers counts */
	char what[96];	 /* "REJECT icmp-host-prohibited", "DROP" */
	bool allowed;	 /* every network was let in by its source before */
};

/*
 * Looks in what `iptables -S` prints. False: everything comes to the end of
 * the chain, or somebody lets everything in before.
 */
bool preflight_find_refusal(const char *rules, const char *chain,
			    const struct preflight_network *networks, size_t count,
			    struct preflight_refusal *refusal);
/* Whether the policy of the chain is DROP. */
bool preflight_policy_drops(const char *rules, const char *chain);

struct preflight_listener {
	bool v6;
	unsigned char address[16];
	uint16_t port;
	uint64_t inode;
};

/* The next listening socket in /proc/net/tcp or tcp6; `*at` begins at the text. */
bool preflight_next_listener(const char **at, bool v6, struct preflight_listener *listener);
/*
 * Whether a socket for `address` ("0.0.0.0", "127.0.0.1", "::", …) and the
 * port cannot be had while the listener is there.
 */
bool preflight_in_the_way(const struct preflight_listener *listener, const char *address,
			  uint16_t port);

/* "MemTotal:  16 kB" in bytes. -1: no such line. */
int preflight_meminfo(const char *text, const char *key, uint64_t *bytes)
	__attribute__((warn_unused_result));
/* The names of /proc/swaps, with blanks between; how many. */
unsigned preflight_swaps(const char *text, char *names, size_t size);

struct preflight_cgroups {
	bool v2;	       /* a v2 hierarchy is mounted */
	unsigned v1;	       /* hierarchies of v1 */
	char v2_mount[256];    /* where */
	char controllers[512]; /* of the v1 hierarchies, with commas between */
};

/* From /proc/self/mountinfo. */
void preflight_find_cgroups(const char *mountinfo, struct preflight_cgroups *cgroups);
/* Whether a list separated by blanks, commas or line ends has the word. */
bool preflight_has_word(const char *list, const char *word);

struct preflight_url {
	bool tls;
	char host[256];
	uint16_t port;
};

/* http://HOST[:PORT][/…]; without a scheme it is http. -1: not understood. */
int preflight_parse_url(const char *text, struct preflight_url *url)
	__attribute__((warn_unused_result));
/* The Date of an HTTP answer. -1: it has none. */
int preflight_parse_date(const char *answer, time_t *when) __attribute__((warn_unused_result));

/* What "nodefs.available<10%" leaves of `total`: percent, or a size. -1: not understood. */
int preflight_parse_threshold(const char *list, const char *signal, uint64_t total,
			      uint64_t *amount) __attribute__((warn_unused_result));

#endif
