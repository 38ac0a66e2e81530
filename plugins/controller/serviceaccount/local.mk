# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_SERVICEACCOUNT
pluginexec_LTLIBRARIES += plugins/controller-serviceaccount.la
plugins_controller_serviceaccount_la_SOURCES = \
	%D%/serviceaccount.c \
	%D%/serviceaccount.h \
	%D%/sign.c \
	%D%/sign.h \
	%D%/tokens.c
plugins_controller_serviceaccount_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(GNUTLS_CFLAGS)
plugins_controller_serviceaccount_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_serviceaccount_la_LIBADD = $(PLUGIN_LIBADD) $(GNUTLS_LIBS)
dist_man_MANS += %D%/cox-controller-serviceaccount.7
endif
