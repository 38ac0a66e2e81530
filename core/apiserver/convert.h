/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a served version of a kind and the one that is stored: members of
 * the object are renamed, as the kind's `conversion` list says, and kind and
 * apiVersion change. Nothing happens where both are the same.
 */
#ifndef COX_APISERVER_CONVERT_H
#define COX_APISERVER_CONVERT_H

#include "apiserver/server.h"
#include "machinery/value.h"

void convert_to_stored(const struct api_resource *resource, struct arena *arena,
		       struct value *object);
void convert_from_stored(const struct api_resource *resource, struct arena *arena,
			 struct value *object);

#endif
