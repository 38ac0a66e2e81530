# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_GARBAGECOLLECTOR
pluginexec_LTLIBRARIES += plugins/controller-garbagecollector.la
plugins_controller_garbagecollector_la_SOURCES = \
	%D%/garbagecollector.c \
	%D%/graph.c \
	%D%/graph.h
plugins_controller_garbagecollector_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_garbagecollector_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_garbagecollector_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-garbagecollector.7
endif
