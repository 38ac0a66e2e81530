# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_SERVICE
pluginexec_LTLIBRARIES += plugins/controller-service.la
plugins_controller_service_la_SOURCES = \
	%D%/balancer.c \
	%D%/known.c \
	%D%/nodes.c \
	%D%/service.c \
	%D%/service.h
plugins_controller_service_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_service_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_service_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/cox-controller-service.7
endif
