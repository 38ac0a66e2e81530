# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/admission.c %D%/admission.h \
	%D%/allocate.c %D%/allocate.h \
	%D%/answer.c %D%/answer.h \
	%D%/binding.c %D%/binding.h \
	%D%/body.c %D%/body.h \
	%D%/call.c %D%/call.h \
	%D%/chains.c %D%/chains.h \
	%D%/clients.c \
	%D%/collections.c %D%/collections.h \
	%D%/components.c %D%/components.h \
	%D%/credentials.c %D%/credentials.h \
	%D%/delete.c %D%/delete.h \
	%D%/discovery.c %D%/discovery.h \
	%D%/dispatch.c %D%/dispatch.h \
	%D%/endpoints.c %D%/endpoints.h \
	%D%/feed.c %D%/feed.h \
	%D%/fieldmanager.c %D%/fieldmanager.h \
	%D%/flags.c %D%/flags.h \
	%D%/handle.c %D%/handle.h \
	%D%/initial.c %D%/initial.h \
	%D%/liststream.c %D%/liststream.h \
	%D%/local.c %D%/local.h \
	%D%/measure.c %D%/measure.h \
	%D%/metadata.c %D%/metadata.h \
	%D%/negotiate.c %D%/negotiate.h \
	%D%/openapi.c %D%/openapi.h \
	%D%/openapi_model.h \
	%D%/openapi_operations.c \
	%D%/openapi_paths.c \
	%D%/openapi_protobuf.c \
	%D%/openapi_types.c \
	%D%/options.c %D%/options.h \
	%D%/patch.c %D%/patch.h \
	%D%/personality.c %D%/personality.h \
	%D%/podlog.c %D%/podlog.h \
	%D%/portmap.c %D%/portmap.h \
	%D%/printers.c %D%/printers.h \
	%D%/printers_access.c \
	%D%/printers_event.c \
	%D%/printers_network.c \
	%D%/printers_node.c \
	%D%/printers_plain.c \
	%D%/printers_pod.c \
	%D%/printers_storage.c \
	%D%/printers_workload.c \
	%D%/read.c %D%/read.h \
	%D%/route.c %D%/route.h \
	%D%/scale.c %D%/scale.h \
	%D%/select.c %D%/select.h \
	%D%/server.c %D%/server.h \
	%D%/servicetype.c %D%/servicetype.h \
	%D%/serving.c %D%/serving.h \
	%D%/shape.c %D%/shape.h \
	%D%/shapelist.c \
	%D%/status.c %D%/status.h \
	%D%/strategies.c \
	%D%/strategy.h \
	%D%/subresource.c %D%/subresource.h \
	%D%/table.c %D%/table.h \
	%D%/token.c %D%/token.h \
	%D%/transcode.c %D%/transcode.h \
	%D%/virtual.c %D%/virtual.h \
	%D%/watch.c %D%/watch.h \
	%D%/write.c %D%/write.h \
	%D%/writeops.c

dist_man_MANS += %D%/kube-apiserver.8
