# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/envfile.c %D%/envfile.h \
	%D%/flags.c %D%/flags.h \
	%D%/personality.h \
	%D%/typo.c %D%/typo.h
