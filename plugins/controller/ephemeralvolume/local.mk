# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_EPHEMERALVOLUME
pluginexec_LTLIBRARIES += plugins/controller-ephemeralvolume.la
plugins_controller_ephemeralvolume_la_SOURCES = \
	%D%/ephemeralvolume.c
plugins_controller_ephemeralvolume_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_ephemeralvolume_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_ephemeralvolume_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-ephemeralvolume.7
endif
