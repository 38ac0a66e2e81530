# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_CLOUDNODE
pluginexec_LTLIBRARIES += plugins/controller-cloudnode.la
plugins_controller_cloudnode_la_SOURCES = %D%/cloudnode.c
plugins_controller_cloudnode_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_cloudnode_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_cloudnode_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-cloudnode.7
endif
