/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: what is known of a unit or an image, as a JSON file. One table for
 * each struct says what is kept; reading and writing walk the table.
 */
#include "oci.h"

#include <errno.h>
#include <string.h>

enum kind { TEXT, INTEGER, PAIRS, INTEGERS, STRINGS };

struct field {
	const char *name;
	size_t offset;
	enum kind kind;
};

#define UNIT(name, member, kind)                                                                   \
	{                                                                                          \
		name, offsetof(struct oci_unit, member), kind                                      \
	}
#define IMAGE(name, member, kind)                                                                  \
	{                                                                                          \
		name, offsetof(struct oci_image, member), kind                                     \
	}

static const struct field unit_fields[] = {
	UNIT("sandboxId", sandbox_id, TEXT),
	UNIT("name", name, TEXT),
	UNIT("uid", uid_text, TEXT),
	UNIT("namespace", namespace_name, TEXT),
	UNIT("runtimeHandler", runtime_handler, TEXT),
	UNIT("image", image, TEXT),
	UNIT("imageRef", image_ref, TEXT),
	UNIT("imageId", image_id, TEXT),
	UNIT("logPath", log_path, TEXT),
	UNIT("logDirectory", log_directory, TEXT),
	UNIT("cgroup", cgroup, TEXT),
	UNIT("cgroupParent", cgroup_parent, TEXT),
	UNIT("hostname", hostname, TEXT),
	UNIT("attempt", attempt, INTEGER),
	UNIT("createdAt", created_at, INTEGER),
	UNIT("userId", uid, INTEGER),
	UNIT("groupId", gid, INTEGER),
	UNIT("stopSignal", stop_signal, INTEGER),
	UNIT("tty", tty, INTEGER),
	UNIT("stdin", stdin_open, INTEGER),
	UNIT("networkMode", network_mode, INTEGER),
	UNIT("pidMode", pid_mode, INTEGER),
	UNIT("ipcMode", ipc_mode, INTEGER),
	UNIT("privileged", privileged, INTEGER),
	UNIT("labels", labels, PAIRS),
	UNIT("annotations", annotations, PAIRS),
	UNIT("groups", groups, INTEGERS),
	UNIT("state", state, INTEGER),
	UNIT("exitCode", exit_code, INTEGER),
	UNIT("startedAt", started_at, INTEGER),
	UNIT("finishedAt", finished_at, INTEGER),
	UNIT("end", end, INTEGER),
	UNIT("letGo", let_go, INTEGER),
	UNIT("pid", init.pid, INTEGER),
	UNIT("pidStart", init.start, INTEGER),
	UNIT("conmonPid", conmon.pid, INTEGER),
	UNIT("conmonStart", conmon.start, INTEGER),
};

static const struct field image_fields[] = {
	IMAGE("id", id, TEXT),
	IMAGE("tags", tags, STRINGS),
	IMAGE("digests", digests, STRINGS),
	IMAGE("layers", layers, STRINGS),
	IMAGE("size", size, INTEGER),
	IMAGE("user", uid, INTEGER),
	IMAGE("userName", username, TEXT),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

char *oci_strdup(const char *text)
{
	return cox_strdup(text ? text : "");
}

struct cox_pairs oci_copy_pairs(struct cox_pairs from)
{
	struct cox_pair *items = from.count ? cox_calloc(from.count, sizeof(*items)) : NULL;

	for (size_t i = 0; i < from.count; i++)
		items[i] = (struct cox_pair){oci_strdup(from.items[i].key),
					     oci_strdup(from.items[i].value)};
	return (struct cox_pairs){items, from.count};
}

struct cox_integers oci_copy_integers(const int64_t *items, size_t count)
{
	return (struct cox_integers){count ? cox_memdup(items, count * sizeof(*items)) : NULL,
				     count};
}

struct cox_strings oci_copy_strings(struct cox_strings from)
{
	const char **items = from.count ? cox_calloc(from.count, sizeof(*items)) : NULL;

	for (size_t i = 0; i < from.count; i++)
		items[i] = oci_strdup(from.items[i]);
	return (struct cox_strings){items, from.count};
}

void oci_free_pairs(struct cox_pairs pairs)
{
	for (size_t i = 0; i < pairs.count; i++) {
		free((char *)pairs.items[i].key);
		free((char *)pairs.items[i].value);
	}
	free((void *)pairs.items);
}

void oci_free_strings(struct cox_strings strings)
{
	for (size_t i = 0; i < strings.count; i++)
		free((char *)strings.items[i]);
	free((void *)strings.items);
}

static struct json_object *write_field(enum kind kind, const void *at)
{
	const struct cox_pairs *pairs = at;
	const struct cox_integers *integers = at;
	const struct cox_strings *strings = at;
	struct json_object *out;

	switch (kind) {
	case TEXT:
		return json_object_new_string(*(char *const *)at ? *(char *const *)at : "");
	case INTEGER:
		return json_object_new_int64(*(const int64_t *)at);
	case PAIRS:
		out = json_object_new_object();
		for (size_t i = 0; i < pairs->count; i++)
			json_object_object_add(out, pairs->items[i].key,
					       json_object_new_string(pairs->items[i].value));
		return out;
	case INTEGERS:
		out = json_object_new_array();
		for (size_t i = 0; i < integers->count; i++)
			json_object_array_add(out, json_object_new_int64(integers->items[i]));
		return out;
	case STRINGS:
		out = json_object_new_array();
		for (size_t i = 0; i < strings->count; i++)
			json_object_array_add(out, json_object_new_string(strings->items[i]));
		return out;
	}
	return NULL;
}

static void read_list(enum kind kind, void *at, struct json_object *value)
{
	size_t count = json_object_array_length(value);

	if (kind == INTEGERS) {
		int64_t *items = count ? cox_calloc(count, sizeof(*items)) : NULL;

		for (size_t i = 0; i < count; i++)
			items[i] = json_object_get_int64(json_object_array_get_idx(value, i));
		*(struct cox_integers *)at = (struct cox_integers){items, count};
	} else {
		const char **items = count ? cox_calloc(count, sizeof(*items)) : NULL;

		for (size_t i = 0; i < count; i++)
			items[i] = oci_strdup(
				json_object_get_string(json_object_array_get_idx(value, i)));
		*(struct cox_strings *)at = (struct cox_strings){items, count};
	}
}

static void read_pairs(struct cox_pairs *out, struct json_object *value)
{
	size_t count = (size_t)json_object_object_length(value), at = 0;
	struct cox_pair *items = count ? cox_calloc(count, sizeof(*items)) : NULL;

	json_object_object_foreach(value, key, text)
	{
		items[at++] = (struct cox_pair){cox_strdup(key),
						oci_strdup(json_object_get_string(text))};
	}
	*out = (struct cox_pairs){items, at};
}

static void read_field(enum kind kind, void *at, struct json_object *record, const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(record, name, &value);
	if (kind == TEXT)
		*(char **)at = cox_strdup(oci_text(record, name));
	else if (kind == INTEGER)
		*(int64_t *)at = json_object_get_int64(value);
	else if (kind == PAIRS && json_object_is_type(value, json_type_object))
		read_pairs(at, value);
	else if (kind != PAIRS && json_object_is_type(value, json_type_array))
		read_list(kind, at, value);
}

static int save(struct oci *oci, const struct field *fields, size_t count, const void *base,
		const char *path, struct cox_error *err)
{
	struct json_object *record = json_object_new_object();
	const char *text;
	int result;

	for (size_t i = 0; i < count; i++)
		json_object_object_add(
			record, fields[i].name,
			write_field(fields[i].kind, (const char *)base + fields[i].offset));
	text = json_object_to_json_string_ext(record, JSON_C_TO_STRING_PLAIN);
	result = oci_write_file(oci, path, text, strlen(text), 0600, err);
	json_object_put(record);
	return result;
}

static int load(const struct field *fields, size_t count, void *base, const char *path)
{
	size_t size;
	cox_autofree char *text = oci_read_file(path, OCI_RECORD_MAX, &size);
	struct json_object *record = text ? oci_parse(text, size) : NULL;

	if (!record)
		return -1;
	for (size_t i = 0; i < count; i++)
		read_field(fields[i].kind, (char *)base + fields[i].offset, record, fields[i].name);
	json_object_put(record);
	return 0;
}

static void release(const struct field *fields, size_t count, void *base)
{
	for (size_t i = 0; i < count; i++) {
		void *at = (char *)base + fields[i].offset;

		if (fields[i].kind == TEXT)
			free(*(char **)at);
		else if (fields[i].kind == PAIRS)
			oci_free_pairs(*(struct cox_pairs *)at);
		else if (fields[i].kind == INTEGERS)
			free((void *)((struct cox_integers *)at)->items);
		else if (fields[i].kind == STRINGS)
			oci_free_strings(*(struct cox_strings *)at);
	}
}

char *oci_unit_path(struct oci *oci, const struct oci_unit *unit, const char *file)
{
	return oci_format("%s/%s/%s%s%s", oci->root, unit->sandbox ? "sandboxes" : "containers",
			  unit->id, *file ? "/" : "", file);
}

int oci_save_unit(struct oci *oci, struct oci_unit *unit, struct cox_error *err)
{
	cox_autofree char *path = oci_unit_path(oci, unit, "record.json");

	return save(oci, unit_fields, COUNT(unit_fields), unit, path, err);
}

struct oci_unit *oci_load_unit(struct oci *oci, const char *id, bool sandbox)
{
	struct oci_unit *unit;
	cox_autofree char *path = NULL;

	if (strlen(id) != OCI_ID_LENGTH || strspn(id, "0123456789abcdef") != OCI_ID_LENGTH)
		return NULL;
	unit = cox_new(struct oci_unit);
	memcpy(unit->id, id, OCI_ID_LENGTH);
	unit->sandbox = sandbox;
	unit->refs = 1;
	unit->init.fd = unit->conmon.fd = -1;
	pthread_mutex_init(&unit->op, NULL);
	path = oci_unit_path(oci, unit, "record.json");
	if (load(unit_fields, COUNT(unit_fields), unit, path) != 0) {
		oci_free_unit(unit);
		return NULL;
	}
	return unit;
}

void oci_free_unit(struct oci_unit *unit)
{
	oci_process_close(&unit->init);
	oci_process_close(&unit->conmon);
	release(unit_fields, COUNT(unit_fields), unit);
	pthread_mutex_destroy(&unit->op);
	free(unit);
}

int oci_save_image(struct oci *oci, const struct oci_image *image, struct cox_error *err)
{
	cox_autofree char *path = oci_format("%s/images/%s/record.json", oci->root, image->id + 7);

	return save(oci, image_fields, COUNT(image_fields), image, path, err);
}

struct oci_image *oci_load_image(struct oci *oci, const char *hex)
{
	cox_autofree char *path = oci_format("%s/images/%s/record.json", oci->root, hex);
	struct oci_image *image = cox_new(struct oci_image);

	if (load(image_fields, COUNT(image_fields), image, path) != 0 ||
	    !oci_digest_valid(image->id) || strcmp(image->id + 7, hex) != 0) {
		oci_free_image(image);
		return NULL;
	}
	return image;
}

void oci_free_image(struct oci_image *image)
{
	release(image_fields, COUNT(image_fields), image);
	free(image);
}
