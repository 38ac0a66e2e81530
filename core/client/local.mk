# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/client.c %D%/client.h \
	%D%/local.c \
	%D%/queue.c %D%/queue.h \
	%D%/transport.h
