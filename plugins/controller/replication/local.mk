# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_REPLICATION
pluginexec_LTLIBRARIES += plugins/controller-replication.la
plugins_controller_replication_la_SOURCES = \
	%D%/pods.c \
	%D%/pods.h \
	%D%/replication.c
plugins_controller_replication_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_replication_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_replication_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-replication.7
endif
