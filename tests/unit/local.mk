# SPDX-License-Identifier: Apache-2.0

check_PROGRAMS += tests/unit/kit
TESTS += tests/unit/kit
tests_unit_kit_SOURCES = %D%/kit.c
tests_unit_kit_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_kit_LDADD = $(UNIT_LDADD)

include tests/unit/kubelet.mk

check_PROGRAMS += tests/unit/claims
TESTS += tests/unit/claims
tests_unit_claims_SOURCES = %D%/claims.c
tests_unit_claims_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_claims_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/base
TESTS += tests/unit/base
tests_unit_base_SOURCES = %D%/base.c
tests_unit_base_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_base_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/http
TESTS += tests/unit/http
tests_unit_http_SOURCES = %D%/http.c %D%/http_peer.h
tests_unit_http_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_http_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/http_stream
TESTS += tests/unit/http_stream
tests_unit_http_stream_SOURCES = %D%/http_stream.c %D%/http_peer.h
tests_unit_http_stream_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_http_stream_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/http_tls
TESTS += tests/unit/http_tls
tests_unit_http_tls_SOURCES = %D%/http_tls.c %D%/http_peer.h %D%/http_identity.h
tests_unit_http_tls_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_http_tls_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/hello
TESTS += tests/unit/hello
tests_unit_hello_SOURCES = %D%/hello.c
tests_unit_hello_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_hello_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/http2 tests/unit/http2_hostile
TESTS += tests/unit/http2 tests/unit/http2_hostile
HTTP2_TEST_SOURCES = %D%/http2_fixture.c %D%/http2_fixture.h %D%/http2_peer.c %D%/http2_peer.h \
	%D%/http_peer.h %D%/http_identity.h
tests_unit_http2_SOURCES = %D%/http2.c $(HTTP2_TEST_SOURCES)
tests_unit_http2_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_http2_LDADD = $(UNIT_LDADD)
tests_unit_http2_hostile_SOURCES = %D%/http2_hostile.c $(HTTP2_TEST_SOURCES)
tests_unit_http2_hostile_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_http2_hostile_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/pki
TESTS += tests/unit/pki
tests_unit_pki_SOURCES = %D%/pki.c
tests_unit_pki_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_pki_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/request
TESTS += tests/unit/request
tests_unit_request_SOURCES = %D%/request.c
tests_unit_request_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_request_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/crew
TESTS += tests/unit/crew
tests_unit_crew_SOURCES = %D%/crew.c
tests_unit_crew_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_crew_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/workers
TESTS += tests/unit/workers
tests_unit_workers_SOURCES = %D%/workers.c
tests_unit_workers_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_workers_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/queue
TESTS += tests/unit/queue
tests_unit_queue_SOURCES = %D%/queue.c
tests_unit_queue_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_queue_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/value
TESTS += tests/unit/value
tests_unit_value_SOURCES = %D%/value.c
tests_unit_value_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_value_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/json
TESTS += tests/unit/json
tests_unit_json_SOURCES = %D%/json.c
tests_unit_json_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_json_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/quantity
TESTS += tests/unit/quantity
tests_unit_quantity_SOURCES = %D%/quantity.c
tests_unit_quantity_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_quantity_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/slab
TESTS += tests/unit/slab
tests_unit_slab_SOURCES = %D%/slab.c
tests_unit_slab_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_slab_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/ptree
TESTS += tests/unit/ptree
tests_unit_ptree_SOURCES = %D%/ptree.c
tests_unit_ptree_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_ptree_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/informer
TESTS += tests/unit/informer
tests_unit_informer_SOURCES = %D%/informer.c tests/lib/fake_server.c tests/lib/fake_server.h
tests_unit_informer_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_informer_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/patch
TESTS += tests/unit/patch
tests_unit_patch_SOURCES = %D%/patch.c
tests_unit_patch_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_patch_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/fieldset
TESTS += tests/unit/fieldset
tests_unit_fieldset_SOURCES = %D%/fieldset.c
tests_unit_fieldset_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_fieldset_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/apply
TESTS += tests/unit/apply
tests_unit_apply_SOURCES = %D%/apply.c
tests_unit_apply_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_apply_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/apply_kinds
TESTS += tests/unit/apply_kinds
tests_unit_apply_kinds_SOURCES = %D%/apply_kinds.c
tests_unit_apply_kinds_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_apply_kinds_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/strategic
TESTS += tests/unit/strategic
tests_unit_strategic_SOURCES = %D%/strategic.c
tests_unit_strategic_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_strategic_LDADD = $(UNIT_LDADD)

if PLUGIN_CONTROLLER_REPLICATION
check_PROGRAMS += tests/unit/replication
TESTS += tests/unit/replication
tests_unit_replication_SOURCES = %D%/replication.c tests/lib/fake_server.c tests/lib/fake_server.h
tests_unit_replication_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_replication_LDADD = $(UNIT_LDADD)
endif

check_PROGRAMS += tests/unit/protobuf tests/unit/protobuf_tool
TESTS += tests/unit/protobuf tests/unit/protobuf_protoc.sh
EXTRA_DIST += tests/unit/protobuf_protoc.sh tests/unit/protobuf.proto
tests_unit_protobuf_SOURCES = %D%/protobuf.c
tests_unit_protobuf_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_protobuf_LDADD = $(UNIT_LDADD)
tests_unit_protobuf_tool_SOURCES = %D%/protobuf_tool.c
tests_unit_protobuf_tool_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_protobuf_tool_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/negotiate
TESTS += tests/unit/negotiate
tests_unit_negotiate_SOURCES = %D%/negotiate.c
tests_unit_negotiate_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_negotiate_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/roundtrip
TESTS += tests/unit/roundtrip
tests_unit_roundtrip_SOURCES = %D%/roundtrip.c
tests_unit_roundtrip_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_roundtrip_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/selector
TESTS += tests/unit/selector
tests_unit_selector_SOURCES = %D%/selector.c
tests_unit_selector_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_selector_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/http_client
TESTS += tests/unit/http_client
tests_unit_http_client_SOURCES = %D%/http_client.c tests/lib/fake_http.c tests/lib/fake_http.h \
	tests/lib/fake_server.c tests/lib/fake_server.h
tests_unit_http_client_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_http_client_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/schema
TESTS += tests/unit/schema
tests_unit_schema_SOURCES = %D%/schema.c
tests_unit_schema_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_schema_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/decode
TESTS += tests/unit/decode
tests_unit_decode_SOURCES = %D%/decode.c
tests_unit_decode_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_decode_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/validate
TESTS += tests/unit/validate
tests_unit_validate_SOURCES = %D%/validate.c %D%/checks.h
tests_unit_validate_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_validate_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/validate_cases
TESTS += tests/unit/validate_cases
tests_unit_validate_cases_SOURCES = %D%/validate_cases.c %D%/checks.h
tests_unit_validate_cases_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_validate_cases_LDADD = $(UNIT_LDADD)
EXTRA_DIST += %D%/cases/apiextensions.txt
EXTRA_DIST += %D%/cases/resource.txt
EXTRA_DIST += %D%/cases/apis.txt
EXTRA_DIST += %D%/cases/admissionregistration.txt
EXTRA_DIST += %D%/cases/certificates.txt
EXTRA_DIST += %D%/cases/classes.txt
EXTRA_DIST += %D%/cases/storage.txt
EXTRA_DIST += %D%/cases/rbac.txt
EXTRA_DIST += %D%/cases/networking.txt
EXTRA_DIST += %D%/cases/policy.txt
EXTRA_DIST += %D%/cases/autoscaling.txt
EXTRA_DIST += %D%/cases/apps.txt %D%/cases/batch.txt

check_PROGRAMS += tests/unit/validate_quotas
TESTS += tests/unit/validate_quotas
tests_unit_validate_quotas_SOURCES = %D%/validate_quotas.c %D%/checks.h
tests_unit_validate_quotas_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_validate_quotas_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/leader
TESTS += tests/unit/leader
tests_unit_leader_SOURCES = %D%/leader.c tests/lib/fake_server.c tests/lib/fake_server.h
tests_unit_leader_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_leader_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/yaml
TESTS += tests/unit/yaml
tests_unit_yaml_SOURCES = %D%/yaml.c
tests_unit_yaml_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_yaml_LDADD = $(UNIT_LDADD)

TESTS += tests/unit/schemagen.sh
EXTRA_DIST += tests/unit/schemagen.sh

check_PROGRAMS += tests/unit/kubeconfig
TESTS += tests/unit/kubeconfig
tests_unit_kubeconfig_SOURCES = %D%/kubeconfig.c
tests_unit_kubeconfig_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_kubeconfig_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/store_entry
TESTS += tests/unit/store_entry
tests_unit_store_entry_SOURCES = %D%/store_entry.c
tests_unit_store_entry_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_store_entry_LDADD = $(UNIT_LDADD)

STORE_FIXTURE = tests/unit/store_fixture.c tests/unit/store_fixture.h \
	tests/unit/fake_storage.c tests/unit/fake_storage.h

check_PROGRAMS += tests/unit/store
TESTS += tests/unit/store
tests_unit_store_SOURCES = %D%/store.c $(STORE_FIXTURE)
tests_unit_store_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_store_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/store_watch
TESTS += tests/unit/store_watch
tests_unit_store_watch_SOURCES = %D%/store_watch.c $(STORE_FIXTURE)
tests_unit_store_watch_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_store_watch_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/store_thin
TESTS += tests/unit/store_thin
tests_unit_store_thin_SOURCES = %D%/store_thin.c $(STORE_FIXTURE)
tests_unit_store_thin_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_store_thin_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/store_stress
TESTS += tests/unit/store_stress
tests_unit_store_stress_SOURCES = %D%/store_stress.c $(STORE_FIXTURE)
tests_unit_store_stress_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_store_stress_LDADD = $(UNIT_LDADD)
if PLUGIN_CONTROLLER_REPLICATION
check_PROGRAMS += tests/unit/manager
TESTS += tests/unit/manager
tests_unit_manager_SOURCES = %D%/manager.c tests/lib/fake_http.c tests/lib/fake_http.h \
	tests/lib/fake_server.c tests/lib/fake_server.h
tests_unit_manager_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_manager_LDADD = $(UNIT_LDADD)
endif

check_PROGRAMS += tests/unit/netlink
TESTS += tests/unit/netlink
tests_unit_netlink_SOURCES = %D%/netlink.c
tests_unit_netlink_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_netlink_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/api_request
TESTS += tests/unit/api_request
tests_unit_api_request_SOURCES = %D%/api_request.c
tests_unit_api_request_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_api_request_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/printers
TESTS += tests/unit/printers
tests_unit_printers_SOURCES = %D%/printers.c
tests_unit_printers_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_printers_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/openapi
TESTS += tests/unit/openapi
tests_unit_openapi_SOURCES = %D%/openapi.c
tests_unit_openapi_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_openapi_LDADD = $(UNIT_LDADD)

include tests/unit/controllers.mk

check_PROGRAMS += tests/unit/scheduler
TESTS += tests/unit/scheduler
tests_unit_scheduler_SOURCES = %D%/scheduler.c
tests_unit_scheduler_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_scheduler_LDADD = $(UNIT_LDADD)

if PLUGIN_SCHEDULER_DEFAULT
if PLUGIN_SCHEDULER_PACKED
check_PROGRAMS += tests/unit/scheduler_manager
TESTS += tests/unit/scheduler_manager
tests_unit_scheduler_manager_SOURCES = %D%/scheduler_manager.c tests/lib/fake_http.c \
	tests/lib/fake_http.h tests/lib/fake_server.c tests/lib/fake_server.h
tests_unit_scheduler_manager_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_scheduler_manager_LDADD = $(UNIT_LDADD)
endif
endif

check_PROGRAMS += tests/unit/preflight
TESTS += tests/unit/preflight
tests_unit_preflight_SOURCES = %D%/preflight.c
tests_unit_preflight_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_preflight_LDADD = $(UNIT_LDADD)

# Included by several tests; none of them is its owner.
EXTRA_DIST += %D%/unit.h
EXTRA_DIST += tests/lib/eventually.h
