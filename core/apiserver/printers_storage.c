/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of persistent volumes and the claims on them. */
#include "apiserver/printers.h"

#include <string.h>

/* "RWO,ROX": each mode once, in a fixed order. */
static void print_access_modes(struct table_row *row, const struct value *modes)
{
	static const char *const names[][2] = {{"ReadWriteOnce", "RWO"},
					       {"ReadOnlyMany", "ROX"},
					       {"ReadWriteMany", "RWX"},
					       {"ReadWriteOncePod", "RWOP"}};
	cox_autobuf text = COX_BUF_INIT;

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		for (size_t i = 0; value_at(modes, i); i++)
			if (value_string_is(value_at(modes, i), names[n][0])) {
				cox_buf_printf(&text, "%s%s", text.size ? "," : "", names[n][1]);
				break;
			}
	cell_text(row, cox_buf_cstr(&text));
}

/* An amount of storage; "0" where nothing is said. */
static void print_storage(struct table_row *row, const struct value *amounts)
{
	print_text_or(row, value_get_text(amounts, "storage"), "0");
}

/* Being deleted is no phase, but what people want to know. */
static void print_phase(struct table_row *row)
{
	if (*value_text(value_path(row->object, "metadata.deletionTimestamp")))
		cell_text(row, "Terminating");
	else
		cell_text(row, value_text(value_path(row->object, "status.phase")));
}

/* The annotation is older than the field, and wins. */
static void print_class(struct table_row *row)
{
	const struct value *annotations = value_path(row->object, "metadata.annotations");
	const struct value *old = value_get(annotations, "volume.beta.kubernetes.io/storage-class");

	cell_text(row, old ? value_text(old)
			   : value_text(value_path(row->object, "spec.storageClassName")));
}

static void print_optional(struct table_row *row, const char *path)
{
	const struct value *value = value_path(row->object, path);

	cell_text(row, value_is(value, VALUE_STRING) ? value_text(value) : "<unset>");
}

void print_persistent_volume(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");
	const struct value *claim = value_get(spec, "claimRef");

	print_name(row);
	print_storage(row, value_get(spec, "capacity"));
	print_access_modes(row, value_get(spec, "accessModes"));
	cell_text(row, value_get_text(spec, "persistentVolumeReclaimPolicy"));
	print_phase(row);
	cell_printf(row, "%s%s%s", value_get_text(claim, "namespace"), claim ? "/" : "",
		    value_get_text(claim, "name"));
	print_class(row);
	print_optional(row, "spec.volumeAttributesClassName");
	cell_text(row, value_text(value_path(row->object, "status.reason")));
	print_created(row);
	print_optional(row, "spec.volumeMode");
}

/* What a claim got is shown once a volume is bound to it. */
void print_persistent_volume_claim(struct table_row *row)
{
	const struct value *status = value_get(row->object, "status");
	const char *volume = value_text(value_path(row->object, "spec.volumeName"));

	print_name(row);
	print_phase(row);
	cell_text(row, volume);
	if (*volume) {
		print_storage(row, value_get(status, "capacity"));
		print_access_modes(row, value_get(status, "accessModes"));
	} else {
		cell_text(row, "");
		cell_text(row, "");
	}
	print_class(row);
	print_optional(row, "spec.volumeAttributesClassName");
	print_created(row);
	print_optional(row, "spec.volumeMode");
}

/* The name, marked if an annotation makes it the one that is taken unasked. */
static void print_class_name(struct table_row *row, const char *const *annotations)
{
	const struct value *given = value_path(row->object, "metadata.annotations");
	bool marked = false;

	for (; *annotations; annotations++)
		marked = marked || value_string_is(value_get(given, *annotations), "true");
	cell_printf(row, "%s%s", value_text(value_path(row->object, "metadata.name")),
		    marked ? " (default)" : "");
}

void print_storage_class(struct table_row *row)
{
	static const char *const marks[] = {"storageclass.kubernetes.io/is-default-class",
					    "storageclass.beta.kubernetes.io/is-default-class",
					    NULL};

	print_class_name(row, marks);
	cell_text(row, value_get_text(row->object, "provisioner"));
	print_text_or(row, value_get_text(row->object, "reclaimPolicy"), "Delete");
	print_text_or(row, value_get_text(row->object, "volumeBindingMode"), "Immediate");
	cell_bool(row, value_get_bool(row->object, "allowVolumeExpansion"));
	print_created(row);
}

void print_attributes_class(struct table_row *row)
{
	static const char *const marks[] = {
		"volumeattributesclass.alpha.kubernetes.io/is-default-class", NULL};

	print_class_name(row, marks);
	cell_text(row, value_get_text(row->object, "driverName"));
	print_created(row);
}

void print_csi_driver(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");
	const struct value *attach = value_get(spec, "attachRequired");
	const struct value *modes = value_get(spec, "volumeLifecycleModes");
	const struct value *tokens = value_get(spec, "tokenRequests");

	print_name(row);
	cell_bool(row, !value_is(attach, VALUE_BOOL) || attach->boolean);
	cell_bool(row, value_get_bool(spec, "podInfoOnMount"));
	cell_bool(row, value_get_bool(spec, "storageCapacity"));
	if (tokens)
		print_joined(row, tokens, "audience");
	else
		cell_text(row, "<unset>");
	cell_bool(row, value_get_bool(spec, "requiresRepublish"));
	if (value_is(modes, VALUE_ARRAY) && modes->count)
		print_joined(row, modes, NULL);
	else
		cell_text(row, "<none>");
	print_created(row);
}

void print_csi_node(struct table_row *row)
{
	const struct value *drivers = value_path(row->object, "spec.drivers");

	print_name(row);
	cell_int(row, value_is(drivers, VALUE_ARRAY) ? drivers->count : 0);
	print_created(row);
}

void print_volume_attachment(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");

	print_name(row);
	cell_text(row, value_get_text(spec, "attacher"));
	cell_text(row, value_text(value_path(spec, "source.persistentVolumeName")));
	cell_text(row, value_get_text(spec, "nodeName"));
	cell_bool(row, value_get_bool(value_get(row->object, "status"), "attached"));
	print_created(row);
}
