# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_ENDPOINTS
pluginexec_LTLIBRARIES += plugins/controller-endpoints.la
plugins_controller_endpoints_la_SOURCES = \
	%D%/endpoints.c \
	$(controller_common_sources)
plugins_controller_endpoints_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_endpoints_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_endpoints_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-endpoints.7
endif
