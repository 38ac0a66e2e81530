# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/http.h %D%/transport.h %D%/connection.h \
	%D%/body.c %D%/body.h \
	%D%/head.c \
	%D%/listen.c %D%/listen.h \
	%D%/mhd.c \
	%D%/request.c %D%/request.h \
	%D%/server.c %D%/server.h \
	%D%/stream.c %D%/stream.h \
	%D%/sweep.c \
	%D%/tls.c %D%/tls.h
