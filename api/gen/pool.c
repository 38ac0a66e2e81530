/* SPDX-License-Identifier: Apache-2.0 */
/* Texts and lists of texts, each kept once. */
#include "gen.h"

#include <string.h>

uint32_t pool_text(struct gen *gen, const char *text)
{
	size_t size = strlen(text);
	void *found;
	uint32_t offset;

	if (gen->texts.size == 0)
		cox_buf_char(&gen->texts, '\0');
	if (size == 0)
		return 0;
	found = cox_map_get(&gen->text_offsets, text, size);
	if (found)
		return (uint32_t)(uintptr_t)found;
	offset = (uint32_t)gen->texts.size;
	cox_buf_add(&gen->texts, text, size + 1);
	(void)cox_map_put(&gen->text_offsets, text, size, (void *)(uintptr_t)offset);
	return offset;
}

uint32_t pool_list(struct gen *gen, const uint32_t *texts, size_t count)
{
	void *found;
	uint32_t offset;

	if (gen->lists.count == 0)
		cox_vec_push(&gen->lists, 0); /* offset 0 is the empty list */
	if (count == 0)
		return 0;
	found = cox_map_get(&gen->list_offsets, (const char *)texts, count * sizeof(*texts));
	if (found)
		return (uint32_t)(uintptr_t)found;
	offset = (uint32_t)gen->lists.count;
	cox_vec_push(&gen->lists, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		cox_vec_push(&gen->lists, texts[i]);
	(void)cox_map_put(&gen->list_offsets, (const char *)texts, count * sizeof(*texts),
			  (void *)(uintptr_t)offset);
	return offset;
}

uint32_t pool_sequence(struct gen *gen, struct source *source, yaml_node_t *sequence)
{
	COX_VEC(uint32_t) texts = {0};
	size_t count = source_count(source, sequence);
	uint32_t list;

	for (size_t i = 0; i < count; i++)
		cox_vec_push(&texts,
			     pool_text(gen, source_text(source, source_item(source, sequence, i))));
	list = pool_list(gen, texts.items, texts.count);
	cox_vec_free(&texts);
	return list;
}
