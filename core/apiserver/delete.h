/* SPDX-License-Identifier: Apache-2.0 */
/* Deletes: of one object, gracefully where its kind knows grace, and of many. */
#ifndef COX_APISERVER_DELETE_H
#define COX_APISERVER_DELETE_H

#include "apiserver/options.h"
#include "apiserver/write.h"

void delete_one(struct api_call *call);
void delete_collection(struct api_call *call);

/*
 * A write that deletes write->name as the options say; for eviction, too. Both
 * must live as long as the call.
 */
void delete_prepare(struct write *write, const struct delete_options *options);

#endif
