/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of pieces; see the header. */
#include "net/pieces.h"

#include <coxswain/kit/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t text_size(const char *text)
{
	return text ? strlen(text) : 0;
}

struct piece_node *piece_node_new(const struct http_piece *piece, size_t inline_size, bool chunked)
{
	struct piece_node *node = cox_alloc(sizeof(*node) + inline_size);

	node->piece = *piece;
	node->before_size = node->after_size = 0;
	node->text_before_size = (uint8_t)text_size(piece->before);
	node->text_after_size = (uint8_t)text_size(piece->after);
	node->size = node->text_before_size + piece->size + node->text_after_size;
	if (chunked) {
		int size = snprintf(node->before, sizeof(node->before), "%x\r\n",
				    (unsigned)node->size);

		node->before_size = (uint8_t)size;
		node->after_size = 2;
	}
	if (inline_size) {
		memcpy(node->inline_data, piece->data, inline_size);
		node->piece.data = node->inline_data;
	}
	return node;
}

size_t piece_node_whole(const struct piece_node *node)
{
	return node->before_size + node->size + node->after_size;
}

void piece_release(const struct http_piece *piece)
{
	if (piece->release)
		piece->release(piece->owner);
}

void piece_queue_add(struct piece_queue *queue, struct piece_node *node)
{
	if (!queue->first)
		queue->last = &queue->first;
	node->next = NULL;
	*queue->last = node;
	queue->last = &node->next;
}

void piece_queue_move(struct piece_queue *to, struct piece_queue *from)
{
	if (!from->first)
		return;
	if (!to->first)
		to->last = &to->first;
	*to->last = from->first;
	to->last = from->last;
	from->first = NULL;
}

void piece_queue_free(struct piece_queue *queue)
{
	struct piece_node *node;

	while ((node = queue->first)) {
		queue->first = node->next;
		piece_release(&node->piece);
		free(node);
	}
}

int piece_queue_gather(const struct piece_queue *queue, size_t skip, struct iovec *vectors,
		       int most)
{
	int count = 0;

	for (const struct piece_node *node = queue->first; node && count + PIECE_PARTS <= most;
	     node = node->next) {
		const struct iovec parts[PIECE_PARTS] = {
			{(void *)(uintptr_t)node->before, node->before_size},
			{(void *)(uintptr_t)node->piece.before, node->text_before_size},
			{(void *)(uintptr_t)node->piece.data, node->piece.size},
			{(void *)(uintptr_t)node->piece.after, node->text_after_size},
			{(void *)(uintptr_t) "\r\n", node->after_size}};

		for (int i = 0; i < PIECE_PARTS; i++) {
			size_t step = skip < parts[i].iov_len ? skip : parts[i].iov_len;

			skip -= step;
			if (parts[i].iov_len > step)
				vectors[count++] = (struct iovec){(char *)parts[i].iov_base + step,
								  parts[i].iov_len - step};
		}
	}
	return count;
}

size_t piece_queue_consume(struct piece_queue *queue, size_t *offset, size_t size)
{
	struct piece_node *node;
	size_t finished = 0;

	*offset += size;
	while ((node = queue->first)) {
		size_t whole = piece_node_whole(node);

		if (*offset < whole)
			break;
		*offset -= whole;
		queue->first = node->next;
		finished += node->size;
		piece_release(&node->piece);
		free(node);
	}
	return finished;
}
