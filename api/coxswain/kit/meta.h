/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What controllers ask about objects of any kind: who owns them, whether they
 * are going, what their conditions say. Pure functions; what they return is
 * borrowed from the object.
 */
#ifndef COXSWAIN_KIT_META_H
#define COXSWAIN_KIT_META_H

#include <coxswain/kit/json.h>
#include <coxswain/object.h>
#include <stdbool.h>

/* metadata.deletionTimestamp is set. */
bool cox_deleting(const struct cox_objects *objects, const struct cox_object *object);
bool cox_has_finalizer(const struct cox_objects *objects, const struct cox_object *object,
		       const char *name);
/* metadata.creationTimestamp, nanoseconds since 1970; 0: not set. */
uint64_t cox_created_ns(const struct cox_objects *objects, const struct cox_object *object);

/* The owner reference with controller: true, or NULL. */
const struct cox_value *cox_owner_controller(const struct cox_objects *objects,
					     const struct cox_object *object);
/* The owner reference with this uid, or NULL. */
const struct cox_value *cox_owner_by_uid(const struct cox_objects *objects,
					 const struct cox_object *object, const char *uid);
/* An item for an ownerReferences array: the controller of what is written. */
void cox_owner_write(struct cox_json *json, const struct cox_objects *objects,
		     const char *api_version, const char *kind, const struct cox_object *owner);

/* The item of status.conditions with this type, or NULL. */
const struct cox_value *cox_condition(const struct cox_objects *objects,
				      const struct cox_object *object, const char *type);
/* Whether that condition's status is `status` ("True"). */
bool cox_condition_is(const struct cox_objects *objects, const struct cox_object *object,
		      const char *type, const char *status);

/* Whether `labels` has every member of `selector`; an empty one selects nothing. */
bool cox_labels_match(const struct cox_objects *objects, const struct cox_value *selector,
		      const struct cox_value *labels);

/* Writes `value` under `key` (NULL: an item of an array), if there is one. */
void cox_json_value(struct cox_json *json, const char *key, const struct cox_objects *objects,
		    const struct cox_value *value);

#endif
