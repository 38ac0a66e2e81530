/* SPDX-License-Identifier: Apache-2.0 */
/* Owners, finalizers, conditions and labels of objects. */
#include <coxswain/kit/meta.h>

#include <coxswain/kit/time.h>
#include <string.h>

bool cox_deleting(const struct cox_objects *objects, const struct cox_object *object)
{
	return *objects->text(objects->root(object), "metadata.deletionTimestamp");
}

bool cox_has_finalizer(const struct cox_objects *objects, const struct cox_object *object,
		       const char *name)
{
	const struct cox_value *list = objects->get(objects->root(object), "metadata.finalizers");
	const struct cox_value *item;

	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		if (!strcmp(objects->text(item, ""), name))
			return true;
	}
	return false;
}

uint64_t cox_created_ns(const struct cox_objects *objects, const struct cox_object *object)
{
	uint64_t when;

	if (cox_parse_time(objects->text(objects->root(object), "metadata.creationTimestamp"),
			   &when))
		return 0;
	return when;
}

static const struct cox_value *owners(const struct cox_objects *objects,
				      const struct cox_object *object)
{
	return objects->get(objects->root(object), "metadata.ownerReferences");
}

const struct cox_value *cox_owner_controller(const struct cox_objects *objects,
					     const struct cox_object *object)
{
	const struct cox_value *list = owners(objects, object), *owner;

	for (size_t i = 0; (owner = objects->at(list, i, NULL)); i++) {
		if (objects->boolean(owner, "controller"))
			return owner;
	}
	return NULL;
}

const struct cox_value *cox_owner_by_uid(const struct cox_objects *objects,
					 const struct cox_object *object, const char *uid)
{
	const struct cox_value *list = owners(objects, object), *owner;

	for (size_t i = 0; (owner = objects->at(list, i, NULL)); i++) {
		if (!strcmp(objects->text(owner, "uid"), uid))
			return owner;
	}
	return NULL;
}

void cox_owner_write(struct cox_json *json, const struct cox_objects *objects,
		     const char *api_version, const char *kind, const struct cox_object *owner)
{
	cox_json_object(json, NULL);
	cox_json_text(json, "apiVersion", api_version);
	cox_json_text(json, "kind", kind);
	cox_json_text(json, "name", objects->name(owner));
	cox_json_text(json, "uid", objects->uid(owner));
	cox_json_bool(json, "controller", true);
	cox_json_bool(json, "blockOwnerDeletion", true);
	cox_json_end(json);
}

const struct cox_value *cox_condition(const struct cox_objects *objects,
				      const struct cox_object *object, const char *type)
{
	const struct cox_value *list = objects->get(objects->root(object), "status.conditions");
	const struct cox_value *condition;

	for (size_t i = 0; (condition = objects->at(list, i, NULL)); i++) {
		if (!strcmp(objects->text(condition, "type"), type))
			return condition;
	}
	return NULL;
}

bool cox_condition_is(const struct cox_objects *objects, const struct cox_object *object,
		      const char *type, const char *status)
{
	return !strcmp(objects->text(cox_condition(objects, object, type), "status"), status);
}

bool cox_labels_match(const struct cox_objects *objects, const struct cox_value *selector,
		      const struct cox_value *labels)
{
	const struct cox_value *wanted;
	const char *key;

	if (!objects->count(selector))
		return false;
	for (size_t i = 0; (wanted = objects->at(selector, i, &key)); i++) {
		const struct cox_value *label = objects->member(labels, key);

		if (!label || strcmp(objects->text(label, ""), objects->text(wanted, "")) != 0)
			return false;
	}
	return true;
}

void cox_json_value(struct cox_json *json, const char *key, const struct cox_objects *objects,
		    const struct cox_value *value)
{
	const struct cox_writer writer = {cox_buf_sink, json->out};

	if (!value)
		return;
	cox_json_key(json, key);
	objects->write(value, &writer);
}
