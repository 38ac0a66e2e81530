# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/json.c %D%/json.h %D%/json_scan.h \
	%D%/json_tree.c \
	%D%/jsonpatch.h \
	%D%/mergepatch.h \
	%D%/object.c %D%/object.h \
	%D%/quantity.h \
	%D%/selector.h \
	%D%/value.c %D%/value.h \
	%D%/yaml.h
