/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field tracking stage of writes: who manages which field of an object, in
 * its metadata.managedFields (KEP-555). It comes before admission: what is put
 * in by admission and by the server is nobody's.
 */
#ifndef COX_APISERVER_FIELDMANAGER_H
#define COX_APISERVER_FIELDMANAGER_H

#include "apiserver/write.h"

/* fieldManager, or what User-Agent has before its first slash. */
const char *fieldmanager_name(const struct write *write);

/* The update of write->old to write->object, or the create of the latter. */
int fieldmanager_track(struct write *write, struct cox_error *err) COX_MUST_CHECK;

/* Makes write->object of what there is and a configuration. */
int fieldmanager_apply(struct write *write, const struct value *config,
		       struct cox_error *err) COX_MUST_CHECK;

/*
 * The same for write->subresource "scale". The managers of the object's number
 * of replicas are those of the scale's: *merged is the scale, *list becomes the
 * object's list (NULL: none).
 */
int fieldmanager_apply_scale(struct write *write, const struct schema_type *type,
			     struct value *scale, const struct value *config, struct value **merged,
			     struct value **list, struct cox_error *err) COX_MUST_CHECK;

/* Whether both are managed by the same, at whatever times. */
bool fieldmanager_same(const struct value *object, const struct value *old);

#endif
