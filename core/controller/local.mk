# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/cloud.c %D%/cloud.h \
	%D%/controller.c %D%/controller.h \
	%D%/flags.c %D%/flags.h \
	%D%/manager.c %D%/manager.h \
	%D%/options.c %D%/options.h

dist_man_MANS += %D%/kube-controller-manager.8
