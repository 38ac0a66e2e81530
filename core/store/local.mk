# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/entry.h \
	%D%/forms.h \
	%D%/snapshot.h \
	%D%/store.h \
	%D%/submit.h \
	%D%/watch.h
