# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += %D%/flags.c %D%/flags.h
core_libcoxcore_la_SOURCES += \
	%D%/negotiate.c %D%/negotiate.h \
	%D%/options.c %D%/options.h \
	%D%/route.c %D%/route.h \
	%D%/status.c %D%/status.h
