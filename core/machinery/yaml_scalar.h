/* SPDX-License-Identifier: Apache-2.0 */
/* What a YAML scalar means; yaml.h says the rules. Private to YAML's files. */
#ifndef COX_MACHINERY_YAML_SCALAR_H
#define COX_MACHINERY_YAML_SCALAR_H

#include "machinery/value.h"

/* `tag` may be NULL. NULL with a reason if the scalar has no JSON value. */
struct value *yaml_scalar_value(struct arena *arena, const char *text, size_t size, const char *tag,
				bool plain, const char **why);
/*
 * Where a plain scalar has a character that was meant as a blank (in
 * front, behind, after a colon, in front of a folded line) or as a quote (in
 * front); `size` if nowhere.
 */
size_t yaml_scalar_trap(const char *text, size_t size, bool folded);
bool yaml_scalar_is_blank(uint32_t code); /* looks like a blank, is none */

#endif
