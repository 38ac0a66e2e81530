# SPDX-License-Identifier: Apache-2.0

if PLUGIN_AUTHENTICATOR_BASIC
pluginexec_LTLIBRARIES += plugins/authenticator-basic.la
plugins_authenticator_basic_la_SOURCES = %D%/basic.c $(authenticator_accounts_sources)
plugins_authenticator_basic_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) \
	-I$(top_srcdir)/plugins/authenticator/common
plugins_authenticator_basic_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_authenticator_basic_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
endif
dist_man_MANS += %D%/cox-authenticator-basic.7
