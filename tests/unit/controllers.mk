# SPDX-License-Identifier: Apache-2.0
# Tests of controller plugins, run as in the daemon on a fake API server.
CONTROLLER_FIXTURE = tests/lib/controllers.c tests/lib/controllers.h \
	tests/lib/fake_server.c tests/lib/fake_server.h

if PLUGIN_CONTROLLER_NAMESPACE
check_PROGRAMS += tests/unit/ctl_namespace
TESTS += tests/unit/ctl_namespace
tests_unit_ctl_namespace_SOURCES = %D%/ctl_namespace.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_namespace_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_namespace_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_SERVICEACCOUNT
check_PROGRAMS += tests/unit/ctl_serviceaccount
TESTS += tests/unit/ctl_serviceaccount
tests_unit_ctl_serviceaccount_SOURCES = %D%/ctl_serviceaccount.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_serviceaccount_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_serviceaccount_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_ENDPOINTS
check_PROGRAMS += tests/unit/ctl_endpoints
TESTS += tests/unit/ctl_endpoints
tests_unit_ctl_endpoints_SOURCES = %D%/ctl_endpoints.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_endpoints_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_endpoints_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_ENDPOINTSLICE
check_PROGRAMS += tests/unit/ctl_endpointslice
TESTS += tests/unit/ctl_endpointslice
tests_unit_ctl_endpointslice_SOURCES = %D%/ctl_endpointslice.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_endpointslice_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_endpointslice_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_GARBAGECOLLECTOR
check_PROGRAMS += tests/unit/ctl_garbagecollector
TESTS += tests/unit/ctl_garbagecollector
tests_unit_ctl_garbagecollector_SOURCES = %D%/ctl_garbagecollector.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_garbagecollector_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_garbagecollector_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_NODE
check_PROGRAMS += tests/unit/ctl_node
TESTS += tests/unit/ctl_node
tests_unit_ctl_node_SOURCES = %D%/ctl_node.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_node_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_node_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_PERSISTENTVOLUME
check_PROGRAMS += tests/unit/ctl_persistentvolume
TESTS += tests/unit/ctl_persistentvolume
tests_unit_ctl_persistentvolume_SOURCES = %D%/ctl_persistentvolume.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_persistentvolume_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_persistentvolume_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_PODGC
check_PROGRAMS += tests/unit/ctl_podgc
TESTS += tests/unit/ctl_podgc
tests_unit_ctl_podgc_SOURCES = %D%/ctl_podgc.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_podgc_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_podgc_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_RESOURCEQUOTA
check_PROGRAMS += tests/unit/ctl_resourcequota
TESTS += tests/unit/ctl_resourcequota
tests_unit_ctl_resourcequota_SOURCES = %D%/ctl_resourcequota.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_resourcequota_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_resourcequota_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_SERVICE
check_PROGRAMS += tests/unit/ctl_service
TESTS += tests/unit/ctl_service
tests_unit_ctl_service_SOURCES = %D%/ctl_service.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_service_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_service_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_CLOUDNODE
check_PROGRAMS += tests/unit/ctl_cloudnode
TESTS += tests/unit/ctl_cloudnode
tests_unit_ctl_cloudnode_SOURCES = %D%/ctl_cloudnode.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_cloudnode_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_cloudnode_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_EPHEMERALVOLUME
check_PROGRAMS += tests/unit/ctl_ephemeralvolume
TESTS += tests/unit/ctl_ephemeralvolume
tests_unit_ctl_ephemeralvolume_SOURCES = %D%/ctl_ephemeralvolume.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_ephemeralvolume_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_ephemeralvolume_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_CONTROLLER_VOLUMEPROTECTION
check_PROGRAMS += tests/unit/ctl_volumeprotection
TESTS += tests/unit/ctl_volumeprotection
tests_unit_ctl_volumeprotection_SOURCES = %D%/ctl_volumeprotection.c $(CONTROLLER_FIXTURE)
tests_unit_ctl_volumeprotection_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_ctl_volumeprotection_LDADD = $(UNIT_LDADD)
endif
