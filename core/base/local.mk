# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/arena.c %D%/arena.h \
	%D%/bytes.c %D%/bytes.h \
	%D%/cancel.h \
	%D%/character.c %D%/character.h \
	%D%/clock.c %D%/clock.h \
	%D%/confine.c %D%/confine.h \
	%D%/crash.c %D%/crash.h \
	%D%/crew.c %D%/crew.h \
	%D%/error.c %D%/error.h \
	%D%/intern.c %D%/intern.h \
	%D%/lock.h \
	%D%/log.c %D%/log.h \
	%D%/metrics.c %D%/metrics.h \
	%D%/notify.c %D%/notify.h \
	%D%/ptree.c %D%/ptree.h \
	%D%/slab.c %D%/slab.h \
	%D%/spawn.c %D%/spawn.h \
	%D%/uuid.c %D%/uuid.h \
	%D%/version.h \
	%D%/workers.c %D%/workers.h
