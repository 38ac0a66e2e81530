/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of pod addresses: the cluster's range cut into pieces of one size.
 * Which are taken is read off the nodes, and off what was given and is not
 * seen in them yet. Pieces inside the range of services are never given.
 */
#include "node.h"

#include <arpa/inet.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES_BITS_MAX = 16 };

struct range {
	uint8_t address[16];
	unsigned prefix;
	int family;
};

static int parse_range(const char *text, struct range *range)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = text ? strchr(text, '/') : NULL;
	int64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return -1;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	range->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(range->family, address, range->address) != 1 ||
	    cox_parse_int(slash + 1, 0, range->family == AF_INET ? 32 : 128, &prefix))
		return -1;
	range->prefix = (unsigned)prefix;
	return 0;
}

static bool get_bit(const struct range *range, unsigned bit)
{
	return range->address[bit / 8] >> (7 - bit % 8) & 1;
}

static bool overlap(const struct range *a, const struct range *b)
{
	unsigned shorter = a->prefix < b->prefix ? a->prefix : b->prefix;

	if (a->family != b->family)
		return false;
	for (unsigned bit = 0; bit < shorter; bit++) {
		if (get_bit(a, bit) != get_bit(b, bit))
			return false;
	}
	return true;
}

/* The `index`th piece of `size` in `whole`. */
static struct range piece_of(const struct range *whole, unsigned size, unsigned index)
{
	struct range piece = *whole;

	piece.prefix = size;
	for (unsigned bit = whole->prefix; bit < size; bit++) {
		uint8_t mask = (uint8_t)(1u << (7 - bit % 8));

		piece.address[bit / 8] &= (uint8_t)~mask;
		if (index >> (size - 1 - bit) & 1)
			piece.address[bit / 8] |= mask;
	}
	for (unsigned bit = size; bit < (whole->family == AF_INET ? 32u : 128u); bit++)
		piece.address[bit / 8] &= (uint8_t) ~(1u << (7 - bit % 8));
	return piece;
}

int ranges_check(struct nodes *self, struct cox_error *err)
{
	struct range whole, services;

	if (!self->allocate)
		return 0;
	if (parse_range(self->cluster_range, &whole))
		return self->host->fail(err, COX_REASON_INVALID,
					"cluster-cidr: \"%s\" is no range of addresses; "
					"allocate-node-cidrs needs one, such as 10.244.0.0/16",
					self->cluster_range ? self->cluster_range : "");
	if (self->service_range && parse_range(self->service_range, &services))
		return self->host->fail(err, COX_REASON_INVALID,
					"service-cluster-ip-range: \"%s\" is no range of addresses",
					self->service_range);
	if (self->mask_size < whole.prefix ||
	    self->mask_size > (whole.family == AF_INET ? 32u : 128u) ||
	    self->mask_size - whole.prefix > PIECES_BITS_MAX)
		return self->host->fail(err, COX_REASON_INVALID,
					"node-cidr-mask-size: /%u does not fit the cluster's range "
					"%s: it must be longer, by %d at most",
					self->mask_size, self->cluster_range, PIECES_BITS_MAX);
	return 0;
}

/* ---- which are taken ---- */

struct taken {
	const struct nodes *self;
	struct range whole;
	uint8_t *pieces; /* a byte a piece */
	unsigned count;
};

static void take(struct taken *taken, const char *text)
{
	struct range range;

	if (parse_range(text, &range))
		return;
	for (unsigned i = 0; i < taken->count; i++) {
		struct range piece = piece_of(&taken->whole, taken->self->mask_size, i);

		if (overlap(&piece, &range))
			taken->pieces[i] = 1;
	}
}

static int take_of_node(void *to, const struct cox_object *node)
{
	struct taken *taken = to;
	const struct cox_objects *objects = taken->self->objects;

	take(taken, objects->text(objects->root(node), "spec.podCIDR"));
	return 0;
}

/* The first free one as text; NULL: none is left. */
static char *find_free(const struct nodes *self)
{
	struct taken taken = {.self = self};
	const struct cox_object_sink sink = {take_of_node, &taken};
	char address[INET6_ADDRSTRLEN];
	struct cox_buf text = COX_BUF_INIT;
	void *health;

	if (parse_range(self->cluster_range, &taken.whole))
		return NULL;
	taken.count = 1u << (self->mask_size - taken.whole.prefix);
	taken.pieces = cox_calloc(taken.count, 1);
	take(&taken, self->service_range);
	self->cluster->list(self->node_lister, NULL, &sink);
	for (size_t at = 0; cox_map_next(&self->healths, &at, NULL, NULL, &health);)
		take(&taken, ((struct health *)health)->range);
	for (unsigned i = 0; i < taken.count && !text.size; i++) {
		struct range piece = piece_of(&taken.whole, self->mask_size, i);

		if (!taken.pieces[i] &&
		    inet_ntop(piece.family, piece.address, address, sizeof(address)))
			cox_buf_printf(&text, "%s/%u", address, piece.prefix);
	}
	free(taken.pieces);
	return text.size ? cox_buf_steal(&text) : NULL;
}

int ranges_assign(struct nodes *self, const struct cox_call *call, const struct cox_object *node,
		  struct health *health, struct cox_error *err)
{
	const struct cox_place place = {&nodes_resource, NULL, self->objects->name(node), NULL};
	struct cox_buf body = COX_BUF_INIT;
	int failed;

	if (!self->allocate || *self->objects->text(self->objects->root(node), "spec.podCIDR"))
		return 0;
	if (!health->range)
		health->range = find_free(self);
	if (!health->range) {
		self->cluster->event(self->cluster->context, node, "Normal", "CIDRNotAvailable",
				     "Node %s status is now: CIDRNotAvailable", place.name);
		return self->host->fail(err, COX_REASON_TOO_MANY_REQUESTS,
					"no range of pod addresses is left in %s for node %s",
					self->cluster_range, place.name);
	}
	cox_buf_printf(&body,
		       "{\"metadata\":{\"uid\":\"%s\"},\"spec\":{\"podCIDR\":\"%s\",\"podCIDRs\":["
		       "\"%s\"]}}",
		       self->objects->uid(node), health->range, health->range);
	failed = cox_write(self->cluster, call, COX_PATCH_MERGE, &place, &body, NULL, err);
	cox_buf_free(&body);
	return failed && !cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? -1 : 0;
}
