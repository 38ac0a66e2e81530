# SPDX-License-Identifier: Apache-2.0

# What the fuzzers compile, too.
authenticator_serviceaccount_parsers = \
	%D%/claims.c \
	%D%/claims.h \
	%D%/jwt.c \
	%D%/jwt.h

if PLUGIN_AUTHENTICATOR_SERVICEACCOUNT
pluginexec_LTLIBRARIES += plugins/authenticator-serviceaccount.la
plugins_authenticator_serviceaccount_la_SOURCES = \
	%D%/keys.c \
	%D%/keys.h \
	%D%/lookup.c \
	%D%/lookup.h \
	%D%/serviceaccount.c \
	$(authenticator_serviceaccount_parsers) \
	$(authenticator_watched_sources)
plugins_authenticator_serviceaccount_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(GNUTLS_CFLAGS) \
	$(JSONC_CFLAGS) -I$(top_srcdir)/plugins/authenticator/common
plugins_authenticator_serviceaccount_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_authenticator_serviceaccount_la_LIBADD = $(PLUGIN_LIBADD) $(GNUTLS_LIBS) $(JSONC_LIBS) \
	-lpthread
endif
dist_man_MANS += %D%/cox-authenticator-serviceaccount.7
