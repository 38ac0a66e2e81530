# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/files.c \
	%D%/firewall.c \
	%D%/internal.h \
	%D%/kernel.c \
	%D%/machine.c \
	%D%/parse.c %D%/parse.h \
	%D%/ports.c \
	%D%/preflight.c %D%/preflight.h \
	%D%/probe.c \
	%D%/programs.c \
	%D%/reach.c

dist_man_MANS += %D%/coxswain-troubleshooting.7
