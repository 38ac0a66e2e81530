# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/admit.c \
	%D%/admit_host.c \
	%D%/affinity.c %D%/affinity.h \
	%D%/backoff.c %D%/backoff.h \
	%D%/claims.c %D%/claims.h \
	%D%/container.c %D%/container.h \
	%D%/container_config.c \
	%D%/dial.c %D%/dial.h \
	%D%/dns.c \
	%D%/env.c %D%/env.h \
	%D%/events.c %D%/events.h \
	%D%/fields.c %D%/fields.h \
	%D%/flags.c %D%/flags.h \
	%D%/grpc.c %D%/grpc.h \
	%D%/hooks.c \
	%D%/housekeeping.c %D%/housekeeping.h \
	%D%/image_auth.c \
	%D%/image_list.c \
	%D%/images.c %D%/images.h \
	%D%/jobs.c %D%/jobs.h \
	%D%/kubelet.c %D%/kubelet.h \
	%D%/log_files.c \
	%D%/logs.c %D%/logs.h \
	%D%/manifest.c \
	%D%/mirror_pods.c \
	%D%/names.h \
	%D%/node.c %D%/node.h \
	%D%/node_status.c \
	%D%/personality.c %D%/personality.h \
	%D%/pod.h \
	%D%/pod_containers.c \
	%D%/pod_status.c \
	%D%/pod_worker.c %D%/pod_worker.h \
	%D%/pods.c \
	%D%/probes.c \
	%D%/report.c \
	%D%/resources.c %D%/resources.h \
	%D%/run_once.c %D%/run_once.h \
	%D%/sandbox.c %D%/sandbox.h \
	%D%/security.c %D%/security.h \
	%D%/server.c %D%/server.h \
	%D%/sources.c %D%/sources.h \
	%D%/subpath.c \
	%D%/view.c \
	%D%/volumes.c %D%/volumes.h

dist_man_MANS += %D%/kubelet.8
