# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_PODGC
pluginexec_LTLIBRARIES += plugins/controller-podgc.la
plugins_controller_podgc_la_SOURCES = \
	%D%/podgc.c
plugins_controller_podgc_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_podgc_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_podgc_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-podgc.7
endif
