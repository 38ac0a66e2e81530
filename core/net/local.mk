# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/http.h %D%/transport.h %D%/connection.h \
	%D%/body.c %D%/body.h \
	%D%/head.c \
	%D%/health.c %D%/health.h \
	%D%/hello.c %D%/hello.h \
	%D%/http2.c %D%/http2.h %D%/http2_inner.h \
	%D%/http2_request.c %D%/http2_stream.c \
	%D%/intake.c %D%/intake.h \
	%D%/listen.c %D%/listen.h \
	%D%/mhd.c \
	%D%/pieces.c %D%/pieces.h \
	%D%/request.c %D%/request.h \
	%D%/server.c %D%/server.h \
	%D%/stream.c %D%/stream.h \
	%D%/sweep.c \
	%D%/tls.c %D%/tls.h

# libcurl, opened at the first use of the HTTP client (net/curl.h)
pluginexec_LTLIBRARIES += plugins/internal-curl.la
plugins_internal_curl_la_SOURCES = %D%/curl.c %D%/curl.h
plugins_internal_curl_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(top_srcdir)/core $(CURL_CFLAGS)
plugins_internal_curl_la_LDFLAGS = -module -avoid-version -shared \
	-export-symbols-regex '^cox_curl_module$$' $(COX_PLUGIN_DEFS) $(COX_LDFLAGS)
plugins_internal_curl_la_LIBADD = $(PLUGIN_LIBADD) $(CURL_LIBS) -lpthread
