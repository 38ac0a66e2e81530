# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/client.c %D%/client.h \
	%D%/connect.c %D%/connect.h \
	%D%/cluster.c %D%/cluster.h \
	%D%/mirror.c %D%/mirror.h \
	%D%/http.c \
	%D%/identity.c %D%/identity.h \
	%D%/informer.c %D%/informer.h \
	%D%/kubeconfig.c %D%/kubeconfig.h \
	%D%/leader.c %D%/leader.h \
	%D%/list.c %D%/list.h \
	%D%/local.c %D%/local.h \
	%D%/module.c %D%/module.h \
	%D%/outage.c %D%/outage.h \
	%D%/queue.c %D%/queue.h \
	%D%/recorder.c %D%/recorder.h \
	%D%/reflector.c %D%/reflector.h \
	%D%/transport.h
