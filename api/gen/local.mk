# SPDX-License-Identifier: Apache-2.0
# The API as data: YAML in api/types and api/kinds becomes constant C tables.

noinst_PROGRAMS += api/gen/schemagen
api_gen_schemagen_SOURCES = \
	%D%/emit.c \
	%D%/gen.h \
	%D%/kinds.c \
	%D%/main.c \
	%D%/pool.c \
	%D%/source.c \
	%D%/types.c
api_gen_schemagen_CPPFLAGS = $(AM_CPPFLAGS) $(YAML_CFLAGS)
api_gen_schemagen_LDADD = api/libcoxkit.la $(YAML_LIBS)

SCHEMA_FILES = \
	api/types/admission.k8s.io/v1.yaml \
	api/types/admissionregistration.k8s.io/v1.yaml \
	api/types/apidiscovery.k8s.io/v2.yaml \
	api/types/apiextensions.k8s.io/v1.yaml \
	api/types/apiregistration.k8s.io/v1.yaml \
	api/types/apps/v1.yaml \
	api/types/authentication.k8s.io/v1.yaml \
	api/types/authorization.k8s.io/v1.yaml \
	api/types/autoscaling/v1.yaml \
	api/types/autoscaling/v2.yaml \
	api/types/batch/v1.yaml \
	api/types/certificates.k8s.io/v1.yaml \
	api/types/coordination.k8s.io/v1.yaml \
	api/types/core/v1.yaml \
	api/types/discovery.k8s.io/v1.yaml \
	api/types/events.k8s.io/v1.yaml \
	api/types/flowcontrol.apiserver.k8s.io/v1.yaml \
	api/types/gates.yaml \
	api/types/meta/v1.yaml \
	api/types/networking.k8s.io/v1.yaml \
	api/types/node.k8s.io/v1.yaml \
	api/types/policy/v1.yaml \
	api/types/rbac.authorization.k8s.io/v1.yaml \
	api/types/resource.k8s.io/v1.yaml \
	api/types/scheduling.k8s.io/v1.yaml \
	api/types/storage.k8s.io/v1.yaml \
	api/kinds/groups.yaml \
	api/kinds/core/bindings.yaml \
	api/kinds/core/componentstatuses.yaml \
	api/kinds/core/configmaps.yaml \
	api/kinds/core/endpoints.yaml \
	api/kinds/core/events.yaml \
	api/kinds/core/limitranges.yaml \
	api/kinds/core/namespaces.yaml \
	api/kinds/core/nodes.yaml \
	api/kinds/core/persistentvolumeclaims.yaml \
	api/kinds/core/persistentvolumes.yaml \
	api/kinds/core/pods.yaml \
	api/kinds/core/podtemplates.yaml \
	api/kinds/core/replicationcontrollers.yaml \
	api/kinds/core/resourcequotas.yaml \
	api/kinds/core/secrets.yaml \
	api/kinds/core/serviceaccounts.yaml \
	api/kinds/core/services.yaml \
	api/kinds/apiregistration.k8s.io/apiservices.yaml \
	api/kinds/apps/controllerrevisions.yaml \
	api/kinds/apps/daemonsets.yaml \
	api/kinds/apps/deployments.yaml \
	api/kinds/apps/replicasets.yaml \
	api/kinds/apps/statefulsets.yaml \
	api/kinds/events.k8s.io/events.yaml \
	api/kinds/authentication.k8s.io/selfsubjectreviews.yaml \
	api/kinds/authentication.k8s.io/tokenreviews.yaml \
	api/kinds/authorization.k8s.io/localsubjectaccessreviews.yaml \
	api/kinds/authorization.k8s.io/selfsubjectaccessreviews.yaml \
	api/kinds/authorization.k8s.io/selfsubjectrulesreviews.yaml \
	api/kinds/authorization.k8s.io/subjectaccessreviews.yaml \
	api/kinds/autoscaling/horizontalpodautoscalers.yaml \
	api/kinds/batch/cronjobs.yaml \
	api/kinds/batch/jobs.yaml \
	api/kinds/certificates.k8s.io/certificatesigningrequests.yaml \
	api/kinds/networking.k8s.io/ingressclasses.yaml \
	api/kinds/networking.k8s.io/ingresses.yaml \
	api/kinds/networking.k8s.io/ipaddresses.yaml \
	api/kinds/networking.k8s.io/networkpolicies.yaml \
	api/kinds/networking.k8s.io/servicecidrs.yaml \
	api/kinds/policy/poddisruptionbudgets.yaml \
	api/kinds/rbac.authorization.k8s.io/clusterrolebindings.yaml \
	api/kinds/rbac.authorization.k8s.io/clusterroles.yaml \
	api/kinds/rbac.authorization.k8s.io/rolebindings.yaml \
	api/kinds/rbac.authorization.k8s.io/roles.yaml \
	api/kinds/storage.k8s.io/csidrivers.yaml \
	api/kinds/storage.k8s.io/csinodes.yaml \
	api/kinds/storage.k8s.io/csistoragecapacities.yaml \
	api/kinds/storage.k8s.io/storageclasses.yaml \
	api/kinds/storage.k8s.io/volumeattachments.yaml \
	api/kinds/storage.k8s.io/volumeattributesclasses.yaml \
	api/kinds/admissionregistration.k8s.io/mutatingadmissionpolicies.yaml \
	api/kinds/admissionregistration.k8s.io/mutatingadmissionpolicybindings.yaml \
	api/kinds/admissionregistration.k8s.io/mutatingwebhookconfigurations.yaml \
	api/kinds/admissionregistration.k8s.io/validatingadmissionpolicies.yaml \
	api/kinds/admissionregistration.k8s.io/validatingadmissionpolicybindings.yaml \
	api/kinds/admissionregistration.k8s.io/validatingwebhookconfigurations.yaml \
	api/kinds/apiextensions.k8s.io/customresourcedefinitions.yaml \
	api/kinds/scheduling.k8s.io/priorityclasses.yaml \
	api/kinds/coordination.k8s.io/leases.yaml \
	api/kinds/node.k8s.io/runtimeclasses.yaml \
	api/kinds/discovery.k8s.io/endpointslices.yaml \
	api/kinds/resource.k8s.io/deviceclasses.yaml \
	api/kinds/resource.k8s.io/resourceclaims.yaml \
	api/kinds/resource.k8s.io/resourceclaimtemplates.yaml \
	api/kinds/resource.k8s.io/resourceslices.yaml \
	api/kinds/flowcontrol.apiserver.k8s.io/flowschemas.yaml \
	api/kinds/flowcontrol.apiserver.k8s.io/prioritylevelconfigurations.yaml
EXTRA_DIST += $(SCHEMA_FILES) api/types/README

api/gen/schema_tables.c: api/gen/schemagen$(EXEEXT) $(SCHEMA_FILES)
	$(AM_V_GEN)api/gen/schemagen$(EXEEXT) $(srcdir) $@ $(SCHEMA_FILES)
CLEANFILES += api/gen/schema_tables.c
