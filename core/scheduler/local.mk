# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/attempt.c %D%/attempt.h \
	%D%/binder.c %D%/binder.h \
	%D%/chain.c %D%/chain.h \
	%D%/diagnosis.c %D%/diagnosis.h \
	%D%/facts.c %D%/facts.h %D%/facts_internal.h \
	%D%/flags.c %D%/flags.h \
	%D%/inbox.c %D%/inbox.h \
	%D%/manager.c %D%/manager.h \
	%D%/nodes.c %D%/nodes.h \
	%D%/pack.h \
	%D%/pending.c %D%/pending.h \
	%D%/pod_facts.c \
	%D%/policy.c %D%/policy.h \
	%D%/scheduler.c %D%/scheduler.h \
	%D%/terms.c

dist_man_MANS += %D%/kube-scheduler.8
