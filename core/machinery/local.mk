# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += \
	%D%/field_selector.c \
	%D%/json.c %D%/json.h %D%/json_scan.h \
	%D%/json_tree.c \
	%D%/jsonpatch.c %D%/jsonpatch.h \
	%D%/label_selector.c \
	%D%/label_selector_text.c \
	%D%/label_set.c \
	%D%/mergepatch.c %D%/mergepatch.h \
	%D%/object.c %D%/object.h \
	%D%/protobuf.c %D%/protobuf.h %D%/protobuf_wire.h \
	%D%/protobuf_write.c %D%/protobuf_direct.c %D%/protobuf_put.h %D%/json_jump.c \
	%D%/quantity.c %D%/quantity.h \
	%D%/selector.h %D%/selector_build.h \
	%D%/value.c %D%/value.h \
	%D%/yaml.c %D%/yaml.h \
	%D%/yaml_scalar.c %D%/yaml_scalar.h \
	%D%/yaml_write.c

# Schema: tables made of the YAML of api/, and what walks over them.
core_libcoxcore_la_SOURCES += \
	%D%/apply.c %D%/apply.h \
	%D%/convert.c %D%/convert.h \
	%D%/convert_autoscaler.c %D%/convert_autoscaler.h \
	%D%/create.c %D%/create.h \
	%D%/cron.c %D%/cron.h \
	%D%/decode.c %D%/decode.h \
	%D%/defaults.c %D%/defaults.h \
	%D%/encode.c %D%/encode.h \
	%D%/fieldset.c %D%/fieldset.h \
	%D%/fieldsv1.c \
	%D%/kinds.c %D%/kinds.h \
	%D%/managers.c %D%/managers.h \
	%D%/metadata.c %D%/metadata.h \
	%D%/names.c %D%/names.h \
	%D%/path.c %D%/path.h \
	%D%/problems.c \
	%D%/rules.c \
	%D%/schema.c %D%/schema.h \
	%D%/strategic.c %D%/strategic.h %D%/strategic_merge.h \
	%D%/strategic_list.c \
	%D%/tables.h \
	%D%/typed.c %D%/typed.h \
	%D%/typed_fields.c \
	%D%/typed_merge.c \
	%D%/validate.c %D%/validate.h
nodist_core_libcoxcore_la_SOURCES += api/gen/schema_tables.c

# Rules that data cannot say, beside the kinds they belong to.
core_libcoxcore_la_SOURCES += \
	api/kinds/admissionregistration.k8s.io/admission.h \
	api/kinds/admissionregistration.k8s.io/policies.c \
	api/kinds/admissionregistration.k8s.io/webhooks.c \
	api/kinds/apiextensions.k8s.io/customresourcedefinitions.c \
	api/kinds/apiextensions.k8s.io/definition.h \
	api/kinds/apiextensions.k8s.io/schema.c \
	api/kinds/apiregistration.k8s.io/apiservices.c \
	api/kinds/apps/statefulsets.c \
	api/kinds/apps/workloads.c \
	api/kinds/autoscaling/horizontalpodautoscalers.c \
	api/kinds/batch/cronjobs.c \
	api/kinds/batch/jobs.c \
	api/kinds/certificates.k8s.io/certificatesigningrequests.c \
	api/kinds/coordination.k8s.io/leases.c \
	api/kinds/core/configmaps.c \
	api/kinds/core/containers.c \
	api/kinds/core/endpoints.c \
	api/kinds/core/events.c \
	api/kinds/core/fieldrefs.c \
	api/kinds/core/limitranges.c \
	api/kinds/core/namespaces.c \
	api/kinds/core/nodes.c \
	api/kinds/core/persistentvolumes.c \
	api/kinds/core/placement.c \
	api/kinds/core/pods.c \
	api/kinds/core/replicationcontrollers.c \
	api/kinds/core/resourcequotas.c \
	api/kinds/core/secrets.c \
	api/kinds/core/security.c \
	api/kinds/core/services.c \
	api/kinds/core/volumes.c \
	api/kinds/discovery.k8s.io/endpointslices.c \
	api/kinds/flowcontrol.apiserver.k8s.io/flowcontrol.c \
	api/kinds/networking.k8s.io/addresses.c \
	api/kinds/networking.k8s.io/ingresses.c \
	api/kinds/networking.k8s.io/networkpolicies.c \
	api/kinds/node.k8s.io/runtimeclasses.c \
	api/kinds/policy/poddisruptionbudgets.c \
	api/kinds/rbac.authorization.k8s.io/rbac.c \
	api/kinds/resource.k8s.io/claims.c \
	api/kinds/resource.k8s.io/resourceslices.c \
	api/kinds/scheduling.k8s.io/priorityclasses.c \
	api/kinds/storage.k8s.io/classes.c \
	api/kinds/storage.k8s.io/drivers.c
