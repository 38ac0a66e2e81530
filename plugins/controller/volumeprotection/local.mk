# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_VOLUMEPROTECTION
pluginexec_LTLIBRARIES += plugins/controller-volumeprotection.la
plugins_controller_volumeprotection_la_SOURCES = \
	%D%/volumeprotection.c
plugins_controller_volumeprotection_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_volumeprotection_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_volumeprotection_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-volumeprotection.7
endif
