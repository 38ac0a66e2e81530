# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/certificate.c %D%/certificate.h \
	%D%/facts.c \
	%D%/file.c \
	%D%/jwt.c %D%/jwt.h \
	%D%/key.c %D%/key.h %D%/private.h
