# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/field_selector.c \
	%D%/json.c %D%/json.h %D%/json_scan.h \
	%D%/json_tree.c \
	%D%/jsonpatch.c %D%/jsonpatch.h \
	%D%/label_selector.c \
	%D%/label_selector_text.c \
	%D%/label_set.c \
	%D%/mergepatch.c %D%/mergepatch.h \
	%D%/object.c %D%/object.h \
	%D%/protobuf.h \
	%D%/quantity.c %D%/quantity.h \
	%D%/selector.h %D%/selector_build.h \
	%D%/value.c %D%/value.h \
	%D%/yaml.h

# Schema: tables made of the YAML of api/, and what walks over them.
core_libcoxcore_la_SOURCES += \
	%D%/decode.c %D%/decode.h \
	%D%/defaults.c %D%/defaults.h \
	%D%/encode.c %D%/encode.h \
	%D%/path.c %D%/path.h \
	%D%/rules.c \
	%D%/schema.c %D%/schema.h \
	%D%/strategic.c %D%/strategic.h %D%/strategic_merge.h \
	%D%/strategic_list.c \
	%D%/tables.h
nodist_core_libcoxcore_la_SOURCES += api/gen/schema_tables.c
