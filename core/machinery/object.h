/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API objects as they travel between rooms and to plugins: immutable JSON
 * bytes, counted, with the metadata that everybody asks for taken out and a
 * tree that is made at the first look inside.
 *
 * A tree takes ten times the room of the bytes, so it lives only while
 * somebody reads. Two kinds of reference tell who does:
 *   - a reader (object_new, object_ref) may look inside; the last reader's
 *     object_unref frees the tree, and with no holder left the object;
 *   - a holder (object_hold) keeps the bytes: caches hold, and give readers
 *     to those who ask.
 * Any thread. The plugin's view of the same thing is <coxswain/object.h>.
 */
#ifndef COX_MACHINERY_OBJECT_H
#define COX_MACHINERY_OBJECT_H

#include "base/error.h"
#include "machinery/value.h"

#include <coxswain/object.h>

/* A reader of a copy of `data`. NULL: not a JSON object; `err` says why. */
struct cox_object *object_new(const void *data, size_t size, struct cox_error *err);
/*
 * The same without a copy: the bytes stay valid until release(owner), which is
 * called once, at the end of the object, or never if this fails.
 */
struct cox_object *object_adopt(const void *data, size_t size, void (*release)(void *owner),
				void *owner, struct cox_error *err);

/* Another reader, from any reference; NULL is fine, as for the next three. */
struct cox_object *object_ref(const struct cox_object *object);
void object_unref(struct cox_object *object);
struct cox_object *object_hold(const struct cox_object *object);
void object_release(struct cox_object *object);

static inline void object_cleanup(struct cox_object **slot)
{
	object_unref(*slot);
}
#define cox_autoobject __attribute__((cleanup(object_cleanup))) struct cox_object

/* Never NULL; "" where not set. Any reference will do. */
const char *object_name(const struct cox_object *object);
const char *object_namespace(const struct cox_object *object);
const char *object_uid(const struct cox_object *object);
const char *object_revision(const struct cox_object *object);
const char *object_kind(const struct cox_object *object);
const char *object_api_version(const struct cox_object *object);
struct cox_bytes object_json(const struct cox_object *object);

/* Readers only. NULL for NULL. */
const struct value *object_root(const struct cox_object *object);
/* "spec.containers[0].image", metadata.labels["a.b/c"]; NULL: nothing there. */
const struct value *object_path(const struct value *from, const char *path);

/* What plugins get. */
extern const struct cox_objects object_table;

#endif
