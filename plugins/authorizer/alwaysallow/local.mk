# SPDX-License-Identifier: Apache-2.0

if PLUGIN_AUTHORIZER_ALWAYSALLOW
pluginexec_LTLIBRARIES += plugins/authorizer-AlwaysAllow.la
plugins_authorizer_AlwaysAllow_la_SOURCES = %D%/alwaysallow.c
plugins_authorizer_AlwaysAllow_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_authorizer_AlwaysAllow_la_LDFLAGS = $(PLUGIN_LDFLAGS)
endif
dist_man_MANS += %D%/cox-authorizer-AlwaysAllow.7
