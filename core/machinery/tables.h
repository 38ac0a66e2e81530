/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the schema tables; schema.h says what they are and has the
 * lookups. Texts and lists are offsets, 0 is "" and the empty list.
 */
#ifndef COX_MACHINERY_TABLES_H
#define COX_MACHINERY_TABLES_H

#include <stdint.h>

/* What a value is in JSON, and how it is checked and written. */
enum schema_kind {
	SCHEMA_BOOL = 1,
	SCHEMA_INT32,
	SCHEMA_INT64,
	SCHEMA_DOUBLE,
	SCHEMA_STRING,
	SCHEMA_BYTES,	      /* a string in base64 */
	SCHEMA_TIME,	      /* meta.v1.Time: RFC 3339, whole seconds, or null */
	SCHEMA_MICRO_TIME,    /* meta.v1.MicroTime */
	SCHEMA_QUANTITY,      /* resource.Quantity: a string; a number is taken */
	SCHEMA_INT_OR_STRING, /* intstr.IntOrString */
	SCHEMA_OBJECT,	      /* of a type: schema_field_type */
	SCHEMA_RAW,	      /* an object of any content: RawExtension, FieldsV1 */
	SCHEMA_ANY,	      /* any JSON value */
	SCHEMA_STRINGS,	      /* as an element only: an array of strings */
	SCHEMA_ARRAY,	      /* of field->element */
	SCHEMA_MAP	      /* from string to field->element */
};

enum schema_list_type {
	SCHEMA_LIST_NONE = 0,
	SCHEMA_LIST_ATOMIC,
	SCHEMA_LIST_SET,
	SCHEMA_LIST_MAP
};

/* schema_field.flags */
#define SCHEMA_REQUIRED 0x0001u	  /* said in the published schema */
#define SCHEMA_POINTER 0x0002u	  /* absent and zero differ */
#define SCHEMA_OMIT_EMPTY 0x0004u /* zero, "" and empty are not written */
#define SCHEMA_OMIT_ZERO 0x0008u  /* a zero struct is not written either */
#define SCHEMA_MERGE 0x0010u	  /* strategic merge patch */
#define SCHEMA_RETAIN_KEYS 0x0020u
#define SCHEMA_REPLACE 0x0040u
#define SCHEMA_ATOMIC_MAP 0x0080u   /* a map or object replaced whole by apply */
#define SCHEMA_GRANULAR_MAP 0x0100u /* said on the field, against its type */
#define SCHEMA_IMMUTABLE 0x0200u    /* may not change once the object exists */
#define SCHEMA_DISABLED 0x0400u	    /* behind a gate that is off: dropped on the way in */
#define SCHEMA_HAS_MINIMUM 0x0800u
#define SCHEMA_HAS_MAXIMUM 0x1000u
#define SCHEMA_ENUM_OPEN 0x2000u /* the enum is told, not enforced by the walker */
#define SCHEMA_UNIQUE 0x8000u	 /* no two entries with the same key */
#define SCHEMA_NEEDED 0x4000u	 /* validation wants it: "Required value" */

enum { SCHEMA_FIELDS_MAX = 64 }; /* of one type */

struct schema_field {
	uint32_t name;
	uint32_t type; /* index of the type + 1; 0: a plain one. See schema_field_type */
	uint32_t description;
	uint32_t enumeration; /* list; 0: open */
	uint32_t merge_key;
	uint32_t map_keys;  /* list, for SCHEMA_LIST_MAP */
	uint32_t published; /* default in the published schema, as JSON; 0: none */
	uint32_t applied;   /* default put in when the field is absent, as JSON; 0: none */
	uint32_t format;    /* what the text must be: "dnsLabel", …; see validate.h */
	uint32_t gate;	    /* name of the feature gate */
	int32_t minimum, maximum;
	uint16_t flags;
	uint8_t kind;	   /* enum schema_kind */
	uint8_t element;   /* enum schema_kind, for SCHEMA_ARRAY and SCHEMA_MAP */
	uint8_t list_type; /* enum schema_list_type */
	uint8_t depth;	   /* protobuf: how many of `number` count; 0: no number */
	uint8_t number[4]; /* field number inside embedded messages: {2, 1} is 2.1 */
	uint8_t wrapped;   /* protobuf: a list of strings that is a message of its own */
	uint8_t reserved[1];
};

/* schema_type.flags */
#define SCHEMA_TYPE_ATOMIC 0x01u    /* apply replaces it whole */
#define SCHEMA_TYPE_PRIVATE 0x02u   /* not in the published OpenAPI documents */
#define SCHEMA_TYPE_SPRINGS 0x08u   /* has defaults that make it when it is absent */
#define SCHEMA_TYPE_DEFAULTS 0x10u  /* it or something below it has defaults */
#define SCHEMA_TYPE_CHECKED 0x20u   /* it or something below it has rules to hold */
#define SCHEMA_TYPE_ANY_GROUP 0x04u /* options, WatchEvent: a kind of every group */

struct schema_type {
	uint32_t name;		       /* "core.v1.PodSpec"; types are sorted by it */
	uint32_t group, version, kind; /* of what is an object by itself; kind "": a part */
	uint32_t description;
	uint32_t fields;   /* index of the first; they are in output order */
	uint32_t order;	   /* index into schema.orders: the fields by name, then by number */
	uint32_t defaults; /* index of the first of default_count computed defaults */
	uint16_t field_count;
	uint16_t default_count;
	uint8_t form; /* enum schema_kind: SCHEMA_OBJECT, or what it is instead */
	uint8_t flags;
	uint8_t reserved[2];
};

/* A default that depends on other fields; applied in this order. */
struct schema_default {
	uint32_t path;	    /* "spec.ports[].protocol", from the type; [] = each element */
	uint32_t value;	    /* JSON; "": the rule does it */
	uint32_t condition; /* "spec.type=NodePort & !spec.x"; "": always when absent */
	uint32_t rule;	    /* name of a function of defaults.c; "": none */
};

enum schema_verb { /* in discovery's order */
	SCHEMA_CREATE = 1 << 0,
	SCHEMA_DELETE = 1 << 1,
	SCHEMA_DELETE_COLLECTION = 1 << 2,
	SCHEMA_GET = 1 << 3,
	SCHEMA_LIST = 1 << 4,
	SCHEMA_PATCH = 1 << 5,
	SCHEMA_UPDATE = 1 << 6,
	SCHEMA_WATCH = 1 << 7
};

/* schema_resource.flags */
#define SCHEMA_NAMESPACED 0x01u
#define SCHEMA_CREATE_ON_UPDATE 0x02u	  /* PUT of what is not there creates it */
#define SCHEMA_UNCONDITIONAL_UPDATE 0x04u /* a write without resourceVersion is taken */
#define SCHEMA_GENERATION 0x08u		  /* metadata.generation is kept */
#define SCHEMA_STATUS_DROPPED 0x10u	  /* create and update leave status out */
#define SCHEMA_HAS_STATUS 0x40u		  /* has the subresource status */
#define SCHEMA_VIRTUAL 0x80u		  /* never stored: reviews, bindings */

struct schema_subresource {
	uint32_t name; /* "status" */
	uint32_t type; /* index of the type + 1 of what goes in; 0: none in the tables */
	uint32_t group, version, kind; /* as discovery tells it */
	uint32_t verbs;
};

struct schema_column {
	uint32_t name, type, format, description;
	int32_t priority;
};

#define SCHEMA_LABEL_ACCEPTED 1u /* else the server answers 400 */
#define SCHEMA_LABEL_MATCHED 2u	 /* else it compares with "" */
#define SCHEMA_LABEL_BOOLEAN 4u	 /* "true" or "false" also when absent */

#define SCHEMA_LABEL_NUMBER 8u /* "0" also when absent */

struct schema_label {
	uint32_t name;
	uint32_t maps_to; /* the label after conversion: the name of an index */
	uint32_t values;  /* list of paths; the first that is not empty counts */
	uint32_t flags;
};

/* One row for each group, version and plural. */
struct schema_resource {
	uint32_t group, version, name, kind, singular;
	uint32_t type;			  /* index of the type + 1 */
	uint32_t list_kind;		  /* "PodList" */
	uint32_t short_names, categories; /* lists */
	uint32_t verbs;			  /* enum schema_verb */
	uint32_t prefix;		  /* "/registry/pods/": the namespace and name follow */
	uint32_t storage_group, storage_version, storage_resource; /* of the stored form */
	uint32_t storage_hash; /* discovery's storageVersionHash */
	uint32_t conversion;   /* list of "new=stored" names, if the stored form differs */
	uint32_t description;
	uint32_t name_format;			/* of metadata.name; "": dnsSubdomain */
	uint32_t deprecated;			/* "use X instead", as a warning; "": it is not */
	uint32_t subresources, columns, labels; /* index of the first */
	uint16_t subresource_count, column_count, label_count;
	uint16_t flags;
};

struct schema_group {
	uint32_t name;
	uint32_t versions; /* list, the preferred one first */
};

struct schema {
	const char *texts;
	const uint32_t *lists; /* a list: its length, then texts */
	const uint16_t *orders;
	const struct schema_type *types;
	const struct schema_field *fields;
	const struct schema_default *defaults;
	const struct schema_group *groups;	 /* in the order of /apis, "" first */
	const struct schema_resource *resources; /* in discovery's order */
	const struct schema_subresource *subresources;
	const struct schema_column *columns;
	const struct schema_label *labels;
	uint32_t type_count, field_count, group_count, resource_count;
	uint32_t epoch; /* hash of types, defaults and conversions; never 0 */
	uint32_t reserved;
};

#endif
