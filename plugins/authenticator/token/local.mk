# SPDX-License-Identifier: Apache-2.0

if PLUGIN_AUTHENTICATOR_TOKEN
pluginexec_LTLIBRARIES += plugins/authenticator-token.la
plugins_authenticator_token_la_SOURCES = %D%/token.c $(authenticator_accounts_sources)
plugins_authenticator_token_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) \
	-I$(top_srcdir)/plugins/authenticator/common
plugins_authenticator_token_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_authenticator_token_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
endif
dist_man_MANS += %D%/cox-authenticator-token.7
