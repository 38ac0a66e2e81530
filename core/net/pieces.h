/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of what was written to a stream and has not left yet: pieces with
 * their texts and, where there are chunks, the framing around each. Whoever
 * owns a queue guards it.
 */
#ifndef COX_NET_PIECES_H
#define COX_NET_PIECES_H

#include "net/http.h"

#include <sys/uio.h>

enum { PIECE_MAX = 0x7fffffff, PIECE_PARTS = 5 /* runs of bytes in a node */ };

struct piece_node {
	struct piece_node *next;
	struct http_piece piece;
	size_t size; /* of the piece with its texts */
	uint8_t before_size, text_before_size, text_after_size, after_size;
	char before[12]; /* chunk size and CRLF */
	char inline_data[];
};

struct piece_queue {
	struct piece_node *first, **last;
};

/* With `inline_size` the node has a copy of the piece's bytes. */
struct piece_node *piece_node_new(const struct http_piece *piece, size_t inline_size, bool chunked);
/* The node with its framing. */
size_t piece_node_whole(const struct piece_node *node);
void piece_release(const struct http_piece *piece);

void piece_queue_add(struct piece_queue *queue, struct piece_node *node);
/* Puts all of `from` behind what `to` has. */
void piece_queue_move(struct piece_queue *to, struct piece_queue *from);
void piece_queue_free(struct piece_queue *queue);

/* Lays out what comes behind `skip` bytes as runs, whole nodes only; how many. */
int piece_queue_gather(const struct piece_queue *queue, size_t skip, struct iovec *vectors,
		       int most);
/*
 * Takes `size` bytes off the front, of which `*offset` counts those of the first
 * node. Returns how many bytes of finished nodes there were, framing not counted.
 */
size_t piece_queue_consume(struct piece_queue *queue, size_t *offset, size_t size);

#endif
