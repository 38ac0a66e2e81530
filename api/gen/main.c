/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schemagen DIRECTORY OUTPUT FILE...
 * The files are named relative to the directory. What a file holds is told by
 * its name: types/gates.yaml, kinds/groups.yaml, types/ and kinds/.
 */
#include "gen.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum part { PART_GATES, PART_GROUPS, PART_TYPES, PART_KINDS };

static enum part part_of(const char *path)
{
	if (strstr(path, "types/gates.yaml"))
		return PART_GATES;
	if (strstr(path, "kinds/groups.yaml"))
		return PART_GROUPS;
	return strstr(path, "types/") ? PART_TYPES : PART_KINDS;
}

static void each(struct gen *gen, struct source *sources, char **paths, int count, enum part part,
		 void (*handle)(struct gen *gen, struct source *source))
{
	for (int i = 0; i < count; i++) {
		if (part_of(paths[i]) == part)
			handle(gen, &sources[i]);
	}
}

static void gen_free(struct gen *gen)
{
	for (size_t i = 0; i < gen->known.count; i++)
		free(gen->known.items[i].name);
	for (size_t i = 0; i < gen->gates.count; i++)
		free(gen->gates.items[i].name);
	cox_buf_free(&gen->texts);
	cox_map_free(&gen->text_offsets);
	cox_map_free(&gen->list_offsets);
	cox_vec_free(&gen->lists);
	cox_vec_free(&gen->known);
	cox_vec_free(&gen->gates);
	cox_vec_free(&gen->types);
	cox_vec_free(&gen->fields);
	cox_vec_free(&gen->orders);
	cox_vec_free(&gen->defaults);
	cox_vec_free(&gen->groups);
	cox_vec_free(&gen->resources);
	cox_vec_free(&gen->subresources);
	cox_vec_free(&gen->columns);
	cox_vec_free(&gen->labels);
}

/* Written beside and renamed, so that a broken run leaves no half file. */
static int write_tables(const struct gen *gen, const char *path)
{
	struct cox_buf beside = COX_BUF_INIT;
	FILE *out;
	int result = -1;

	cox_buf_printf(&beside, "%s.new", path);
	out = fopen(beside.data, "we");
	if (out) {
		emit(gen, out);
		result = ferror(out) ? -1 : 0;
		if (fclose(out) || result || rename(beside.data, path))
			result = -1;
	}
	if (result)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	cox_buf_free(&beside);
	return result;
}

int main(int argc, char **argv)
{
	struct gen gen = {0};
	struct source *sources;
	char **paths = argv + 3;
	int count = argc - 3, result;

	if (count < 1) {
		fputs("usage: schemagen DIRECTORY OUTPUT FILE...\n", stderr);
		return EXIT_FAILURE;
	}
	sources = cox_calloc((size_t)count, sizeof(*sources));
	for (int i = 0; i < count; i++)
		source_load(&sources[i], argv[1], paths[i]);
	(void)pool_text(&gen, "");
	(void)pool_list(&gen, NULL, 0);
	each(&gen, sources, paths, count, PART_GATES, gates_build);
	each(&gen, sources, paths, count, PART_TYPES, types_collect);
	types_sort(&gen);
	each(&gen, sources, paths, count, PART_TYPES, types_build);
	types_spread_flags(&gen);
	each(&gen, sources, paths, count, PART_GROUPS, groups_build);
	each(&gen, sources, paths, count, PART_KINDS, kinds_build);
	kinds_sort(&gen);
	result = write_tables(&gen, argv[2]);
	for (int i = 0; i < count; i++)
		source_free(&sources[i]);
	free(sources);
	gen_free(&gen);
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
