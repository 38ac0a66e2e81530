# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_RESOURCEQUOTA
pluginexec_LTLIBRARIES += plugins/controller-resourcequota.la
plugins_controller_resourcequota_la_SOURCES = \
	%D%/resourcequota.c \
	plugins/admission/resourcequota/resourcequota.h \
	plugins/admission/resourcequota/scope.c \
	plugins/admission/resourcequota/usage.c \
	$(admission_amounts_sources)
plugins_controller_resourcequota_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) \
	-I$(srcdir)/plugins/admission/common
plugins_controller_resourcequota_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_resourcequota_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-resourcequota.7
endif
