/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins that lie in the plugin directory, for those who named another one. */
#include "host/internal.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 16, LOOKED_AT_MAX = 1024 };

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* NAME of "KIND-NAME.so"; NULL: it is something else. */
static char *name_in(const char *file, const char *kind)
{
	size_t prefix = strlen(kind), size = strlen(file);

	if (size <= prefix + 4 || strncmp(file, kind, prefix) != 0 || file[prefix] != '-' ||
	    strcmp(file + size - 3, ".so") != 0)
		return NULL;
	return cox_strndup(file + prefix + 1, size - prefix - 4);
}

void present_hint(const char *directory, const char *kind, const char *wanted, struct cox_buf *out)
{
	COX_VEC(char *) names = {0};
	DIR *list = opendir(directory);
	const struct dirent *entry;
	const char *near;

	if (!list)
		return;
	while (names.count < LOOKED_AT_MAX && (entry = readdir(list))) {
		char *name = name_in(entry->d_name, kind);

		if (name)
			cox_vec_push(&names, name);
	}
	closedir(list);
	if (names.count)
		qsort(names.items, names.count, sizeof(*names.items), by_name);
	near = cox_nearest(wanted, (const char *const *)names.items, names.count);
	if (near)
		cox_buf_printf(out, "did you mean \"%s\"?", near);
	for (size_t i = 0; !near && i < names.count && i <= SHOWN_MAX; i++)
		cox_buf_printf(out, "%s%s", i ? ", " : "there are ",
			       i < SHOWN_MAX ? names.items[i] : "others");
	for (size_t i = 0; i < names.count; i++)
		free(names.items[i]);
	cox_vec_free(&names);
}
