# SPDX-License-Identifier: Apache-2.0

if PLUGIN_AUTHORIZER_ALWAYSDENY
pluginexec_LTLIBRARIES += plugins/authorizer-AlwaysDeny.la
plugins_authorizer_AlwaysDeny_la_SOURCES = %D%/alwaysdeny.c
plugins_authorizer_AlwaysDeny_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_authorizer_AlwaysDeny_la_LDFLAGS = $(PLUGIN_LDFLAGS)
endif
dist_man_MANS += %D%/cox-authorizer-AlwaysDeny.7
