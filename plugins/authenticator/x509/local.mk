# SPDX-License-Identifier: Apache-2.0

if PLUGIN_AUTHENTICATOR_X509
pluginexec_LTLIBRARIES += plugins/authenticator-x509.la
plugins_authenticator_x509_la_SOURCES = %D%/x509.c $(authenticator_watched_sources)
plugins_authenticator_x509_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(GNUTLS_CFLAGS) \
	-I$(top_srcdir)/plugins/authenticator/common
plugins_authenticator_x509_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_authenticator_x509_la_LIBADD = $(PLUGIN_LIBADD) $(GNUTLS_LIBS) -lpthread
endif
dist_man_MANS += %D%/cox-authenticator-x509.7
