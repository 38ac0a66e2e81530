# SPDX-License-Identifier: Apache-2.0
if PLUGIN_PROXY_USERSPACE
pluginexec_LTLIBRARIES += plugins/proxy-userspace.la
plugins_proxy_userspace_la_SOURCES = \
	%D%/address.c \
	%D%/balance.c \
	%D%/datagram.c \
	%D%/iptables.c \
	%D%/loop.c \
	%D%/ports.c \
	%D%/relay.h \
	%D%/rules.c \
	%D%/stream.c \
	%D%/userspace.c \
	%D%/userspace.h
plugins_proxy_userspace_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_proxy_userspace_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_proxy_userspace_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/cox-proxy-userspace.7
endif
