# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_NODE
pluginexec_LTLIBRARIES += plugins/controller-node.la
plugins_controller_node_la_SOURCES = \
	%D%/node.h \
	%D%/nodecontroller.c \
	%D%/ranges.c \
	%D%/taints.c
plugins_controller_node_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_node_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_node_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-node.7
endif
