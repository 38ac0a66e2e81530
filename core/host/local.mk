# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/descriptor.c \
	%D%/dump.c \
	%D%/host.h \
	%D%/instance.c \
	%D%/internal.h \
	%D%/kinds.c %D%/kinds.h \
	%D%/loader.c \
	%D%/locks.c \
	%D%/options.c \
	%D%/present.c \
	%D%/registry.c \
	%D%/table.c
