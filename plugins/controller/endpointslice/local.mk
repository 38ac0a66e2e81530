# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_ENDPOINTSLICE
pluginexec_LTLIBRARIES += plugins/controller-endpointslice.la
plugins_controller_endpointslice_la_SOURCES = \
	%D%/endpointslice.c \
	%D%/endpointslice.h \
	%D%/mirror.c \
	%D%/slices.c \
	%D%/slices.h \
	$(controller_common_sources)
plugins_controller_endpointslice_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_endpointslice_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_endpointslice_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-endpointslice.7
endif
