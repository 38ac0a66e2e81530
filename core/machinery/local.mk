# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/json.h \
	%D%/jsonpatch.h \
	%D%/mergepatch.h \
	%D%/object.c %D%/object.h \
	%D%/quantity.h \
	%D%/selector.h \
	%D%/value.h \
	%D%/yaml.h
