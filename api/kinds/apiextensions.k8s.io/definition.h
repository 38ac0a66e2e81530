/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules of custom resource definitions are made of. */
#ifndef COX_KINDS_DEFINITION_H
#define COX_KINDS_DEFINITION_H

#include "machinery/kinds.h"

/* A JSONSchemaProps at the root of a version. */
void validate_structural(struct validation *v, const struct field_path *at,
			 const struct value *schema);

#endif
