# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/arena.c %D%/arena.h \
	%D%/clock.c %D%/clock.h \
	%D%/error.c %D%/error.h \
	%D%/crash.h %D%/lock.h %D%/metrics.h %D%/notify.h %D%/spawn.h \
	%D%/log.c %D%/log.h \
	%D%/workers.c %D%/workers.h \
	%D%/bytes.c %D%/bytes.h \
	%D%/ptree.h
