# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CLOUD_LOCAL
pluginexec_LTLIBRARIES += plugins/cloud-local.la
plugins_cloud_local_la_SOURCES = \
	%D%/local.c \
	%D%/ranges.c \
	%D%/ranges.h
plugins_cloud_local_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_cloud_local_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_cloud_local_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/cox-cloud-local.7
endif
