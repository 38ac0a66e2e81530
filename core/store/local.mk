# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/collection.c \
	%D%/committer.c %D%/committer.h \
	%D%/entry.c %D%/entry.h %D%/entry_layout.h \
	%D%/forms.c %D%/forms.h \
	%D%/history.c %D%/history.h \
	%D%/ingest.c \
	%D%/internal.h \
	%D%/keeper.c \
	%D%/load.c \
	%D%/plan.c \
	%D%/scan.c %D%/scan.h \
	%D%/snapshot.c %D%/snapshot.h \
	%D%/store.c %D%/store.h \
	%D%/submit.h \
	%D%/thin.c %D%/thin.h \
	%D%/version.c \
	%D%/wait.c \
	%D%/watch.c %D%/watch.h
