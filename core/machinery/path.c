/* SPDX-License-Identifier: Apache-2.0 */
/* Writing paths into objects. */
#include "machinery/path.h"

#include <coxswain/kit/buf.h>

static void add(struct cox_buf *out, const struct field_path *at)
{
	if (!at)
		return;
	add(out, at->parent);
	if (at->name)
		cox_buf_printf(out, "%s%s", out->size ? "." : "", at->name);
	else if (at->key)
		cox_buf_printf(out, "[%s]", at->key);
	else
		cox_buf_printf(out, "[%zu]", at->index);
}

const char *field_path_text(struct arena *arena, const struct field_path *at)
{
	cox_autobuf text = COX_BUF_INIT;

	add(&text, at);
	return arena_strndup(arena, cox_buf_cstr(&text), text.size);
}
