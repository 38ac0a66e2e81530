# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/authenticate.c %D%/authenticate.h \
	%D%/authorize.c %D%/authorize.h \
	%D%/identity.c %D%/identity.h
