# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_NAMESPACE
pluginexec_LTLIBRARIES += plugins/controller-namespace.la
plugins_controller_namespace_la_SOURCES = \
	%D%/content.c \
	%D%/content.h \
	%D%/namespace.c
plugins_controller_namespace_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_namespace_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_namespace_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-namespace.7
endif
