# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/build.c %D%/build.h \
	%D%/flags.c %D%/flags.h \
	%D%/proxy.c %D%/proxy.h \
	%D%/table.c %D%/table.h

dist_man_MANS += %D%/kube-proxy.8
