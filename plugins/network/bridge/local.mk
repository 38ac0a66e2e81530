# SPDX-License-Identifier: Apache-2.0
if PLUGIN_NETWORK_BRIDGE
pluginexec_LTLIBRARIES += plugins/network-bridge.la
plugins_network_bridge_la_SOURCES = \
	%D%/address.c \
	%D%/bridge.c \
	%D%/bridge.h \
	%D%/link.c \
	%D%/pool.c \
	%D%/ports.c \
	%D%/rules.c
plugins_network_bridge_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_network_bridge_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_network_bridge_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/cox-network-bridge.7
endif
