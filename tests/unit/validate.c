/* SPDX-License-Identifier: Apache-2.0 */
/* Validation: the texts that clients see, kind by kind. */
#include "checks.h"

#include "machinery/names.h"

#include <stdio.h>
#include <string.h>

#define META "\"metadata\":{\"name\":\"x\",\"namespace\":\"n\"}"
#define POD(spec) "{" META ",\"spec\":{" spec "}}"
#define ONE "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"
#define SERVICE(spec) "{" META ",\"spec\":{" spec "}}"

static void pod(const char *json, const char *expected)
{
	check("", "v1", "pods", json, NULL, "", expected);
}

static void core(const char *plural, const char *json, const char *expected)
{
	check("", "v1", plural, json, NULL, "", expected);
}

static void test_metadata(void **state)
{
	(void)state;
	pod(POD(ONE), NULL);
	pod("{\"metadata\":{\"name\":\"Nginx_1\",\"namespace\":\"n\"},\"spec\":{" ONE "}}",
	    "Pod \"Nginx_1\" is invalid: metadata.name: Invalid value: \"Nginx_1\": a lowercase "
	    "RFC "
	    "1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
	    "must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
	    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
	pod("{\"metadata\":{\"namespace\":\"n\"},\"spec\":{" ONE "}}",
	    "Pod \"\" is invalid: metadata.name: Required value: name or generateName is required");
	pod("{\"metadata\":{\"name\":\"x\"},\"spec\":{" ONE "}}",
	    "Pod \"x\" is invalid: metadata.namespace: Required value");
	core("namespaces", "{\"metadata\":{\"name\":\"x\",\"namespace\":\"y\"}}",
	     "Namespace \"x\" is invalid: metadata.namespace: Forbidden: not allowed on this type");
	core("namespaces", "{\"metadata\":{\"name\":\"a.b\"}}",
	     "Namespace \"a.b\" is invalid: metadata.name: Invalid value: \"a.b\": must not "
	     "contain "
	     "dots");
	pod("{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"labels\":{\"a\":\"no way\"}},"
	    "\"spec\":{" ONE "}}",
	    "Pod \"x\" is invalid: metadata.labels: Invalid value: \"no way\": a valid label must "
	    "be "
	    "an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
	    "start "
	    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
	    "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
	pod("{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"ownerReferences\":[{"
	    "\"apiVersion\":"
	    "\"v1\",\"kind\":\"Pod\",\"name\":\"y\",\"uid\":\"\"}],\"finalizers\":[\"plain\"]},"
	    "\"spec\":{" ONE "}}",
	    "Pod \"x\" is invalid: [metadata.ownerReferences.uid: Invalid value: \"\": must not be "
	    "empty, metadata.finalizers[0]: Invalid value: \"plain\": name is neither a standard "
	    "finalizer name nor is it fully qualified]");
}

static void test_label_lengths(void **state)
{
	char value[65];
	cox_autobuf json = COX_BUF_INIT;

	(void)state;
	memset(value, 'a', 64);
	value[64] = '\0';
	cox_buf_printf(
		&json,
		"{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"labels\":{\"a\":\"%s\"}},"
		"\"data\":{}}",
		value);
	cox_autobuf expected = COX_BUF_INIT;

	cox_buf_printf(
		&expected,
		"ConfigMap \"x\" is invalid: metadata.labels: Invalid value: \"%s\": must be "
		"no more than 63 bytes",
		value);
	core("configmaps", json.data, expected.data);
}

static void test_pod_required(void **state)
{
	(void)state;
	pod(POD(""), "Pod \"x\" is invalid: spec.containers: Required value");
	pod(POD("\"containers\":[{\"name\":\"c\"}]"),
	    "Pod \"x\" is invalid: spec.containers[0].image: Required value");
	pod(POD("\"containers\":[{\"ports\":[{}]}]"),
	    "Pod \"x\" is invalid: [spec.containers[0].name: Required value, "
	    "spec.containers[0].image: Required value, spec.containers[0].ports[0].containerPort: "
	    "Required value]");
	pod(POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"c\",\"image\":\"i\"}"
		"]"),
	    "Pod \"x\" is invalid: spec.containers[1].name: Duplicate value: \"c\"");
	pod(POD("\"initContainers\":[{\"name\":\"c\",\"image\":\"i\"}]," ONE),
	    "Pod \"x\" is invalid: spec.initContainers[0].name: Duplicate value: \"c\"");
	pod(POD("\"restartPolicy\":\"Sometimes\"," ONE),
	    "Pod \"x\" is invalid: spec.restartPolicy: Unsupported value: \"Sometimes\": supported "
	    "values: \"Always\", \"Never\", \"OnFailure\"");
	pod(POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":[{\"containerPort\":"
		"70000,\"protocol\":\"tcp\"}]}]"),
	    "Pod \"x\" is invalid: [spec.containers[0].ports[0].containerPort: Invalid value: "
	    "70000: "
	    "must be between 1 and 65535, inclusive, spec.containers[0].ports[0].protocol: "
	    "Unsupported value: \"tcp\": supported values: \"SCTP\", \"TCP\", \"UDP\"]");
}

static void test_pod_volumes(void **state)
{
	(void)state;
	pod(POD("\"volumes\":[{\"name\":\"v\",\"emptyDir\":{},\"hostPath\":{\"path\":\"/"
		"x\"}}]," ONE),
	    "Pod \"x\" is invalid: spec.volumes[0].hostPath: Forbidden: may not specify more than "
	    "1 "
	    "volume type");
	pod(POD("\"volumes\":[{\"name\":\"v\"},{\"name\":\"v\"}]," ONE),
	    "Pod \"x\" is invalid: spec.volumes[1].name: Duplicate value: \"v\"");
	pod(POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"volumeMounts\":[{\"name\":"
		"\"no\","
		"\"mountPath\":\"/a\"}]}]"),
	    "Pod \"x\" is invalid: spec.containers[0].volumeMounts[0].name: Not found: \"no\"");
	pod(POD("\"volumes\":[{\"name\":\"v\"}],\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/a\"},{\"name\":\"v\","
		"\"mountPath\":\"/a\",\"subPath\":\"../b\"}]}]"),
	    "Pod \"x\" is invalid: [spec.containers[0].volumeMounts[1].mountPath: Invalid value: "
	    "\"/a\": must be unique, spec.containers[0].volumeMounts[1].subPath: Invalid value: "
	    "\"../b\": must not contain '..']");
	pod(POD("\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/a/../"
		"b\",\"type\":\"Odd\"}}]," ONE),
	    "Pod \"x\" is invalid: [spec.volumes[0].hostPath.type: Unsupported value: \"Odd\": "
	    "supported values: \"BlockDevice\", \"CharDevice\", \"Directory\", "
	    "\"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\", "
	    "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..']");
	pod(POD("\"volumes\":[{\"name\":\"v\",\"secret\":{}}]," ONE),
	    "Pod \"x\" is invalid: spec.volumes[0].secret.secretName: Required value");
	/* A name of two dots at its head is a name like any other. */
	pod(POD("\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/..data\"}}]," ONE), NULL);
}

static void test_pod_containers(void **state)
{
	(void)state;
	pod(POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"livenessProbe\":{"
		"\"successThreshold\":2,\"httpGet\":{\"port\":\"no_port\"},\"exec\":{\"command\":["
		"\"a\"]}}}]"),
	    "Pod \"x\" is invalid: [spec.containers[0].livenessProbe.httpGet: Forbidden: may not "
	    "specify more than 1 handler type, spec.containers[0].livenessProbe.httpGet.port: "
	    "Invalid value: \"no_port\": must contain only alpha-numeric characters (a-z, 0-9), "
	    "and "
	    "hyphens (-), spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: "
	    "must "
	    "be 1]");
	pod(POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{\"requests\":{"
		"\"cpu\":\"2\",\"odd\":\"1\"},\"limits\":{\"cpu\":\"1\"}}}]"),
	    "Pod \"x\" is invalid: [spec.containers[0].resources.requests[odd]: Invalid value: "
	    "\"odd\": must be a standard resource type or fully qualified, "
	    "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or "
	    "equal "
	    "to cpu limit of 1]");
	pod(POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"env\":[{\"name\":\"a=b\"},{"
		"\"name\":\"k\",\"value\":\"v\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":"
		"\"metadata.name\"}}},{\"name\":\"f\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":"
		"\"spec.odd\"}}}]}]"),
	    "Pod \"x\" is invalid: [spec.containers[0].env[0].name: Invalid value: \"a=b\": a "
	    "valid "
	    "environment variable name must consist only of printable ASCII characters other than "
	    "'=', spec.containers[0].env[1].valueFrom: Invalid value: \"\": may not be specified "
	    "when `value` is not empty, spec.containers[0].env[2].valueFrom.fieldRef.fieldPath: "
	    "Invalid value: \"spec.odd\": error converting fieldPath: field label not supported: "
	    "spec.odd]");
	pod(POD("\"containers\":[{\"name\":\"a\",\"image\":\"i\",\"ports\":[{\"containerPort\":1,"
		"\"hostPort\":80}]},{\"name\":\"b\",\"image\":\" "
		"i\",\"ports\":[{\"containerPort\":2,"
		"\"hostPort\":80}]}]"),
	    "Pod \"x\" is invalid: [spec.containers[1].image: Invalid value: \" i\": must not have "
	    "leading or trailing whitespace, spec.containers[1].ports[0].hostPort: Duplicate "
	    "value: "
	    "\"TCP//80\"]");
	pod(POD("\"containers\":[{\"name\":\"a\",\"image\":\"i\xc2\xa0\"},"
		"{\"name\":\"b\",\"image\":\"\xe3\x80\x80i\"},"
		"{\"name\":\"c\",\"image\":\"i\xc2\xa0i\"}]"),
	    "Pod \"x\" is invalid: [spec.containers[0].image: Invalid value: \"i\xc2\xa0\" (with "
	    "U+00A0, a no-break space): must not have leading or trailing whitespace, "
	    "spec.containers[1].image: Invalid value: \"\xe3\x80\x80i\" (with U+3000, an "
	    "ideographic space): must not have leading or trailing whitespace]");
}

static void test_pod_placement(void **state)
{
	(void)state;
	pod(POD("\"tolerations\":[{\"key\":\"k\",\"operator\":\"Exists\",\"value\":\"v\"},{"
		"\"tolerationSeconds\":5}]," ONE),
	    "Pod \"x\" is invalid: [spec.tolerations[0].operator: Invalid value: "
	    "{\"key\":\"k\",\"operator\":\"Exists\",\"value\":\"v\"}: value must be empty when "
	    "`operator` is 'Exists', spec.tolerations[1].operator: Invalid value: \"\": operator "
	    "must be Exists when `key` is empty, which means \"match all values and all keys\", "
	    "spec.tolerations[1].effect: Invalid value: \"\": effect must be 'NoExecute' when "
	    "`tolerationSeconds` is set]");
	pod(POD("\"affinity\":{\"nodeAffinity\":{"
		"\"requiredDuringSchedulingIgnoredDuringExecution\":"
		"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"k\",\"operator\":\"In\"}"
		"]}]"
		"},\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":101,"
		"\"preference\":{}}]}}," ONE),
	    "Pod \"x\" is invalid: [spec.affinity.nodeAffinity."
	    "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
	    "matchExpressions[0].values: Required value: must be specified when `operator` is 'In' "
	    "or 'NotIn', spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"
	    "[0].weight: Invalid value: 101: must be in the range 1-100]");
	pod(POD("\"nodeSelector\":{\"a/b/c\":\"\"},\"dnsPolicy\":\"None\"," ONE),
	    "Pod \"x\" is invalid: [spec.nodeSelector: Invalid value: \"a/b/c\": a qualified name "
	    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
	    "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used "
	    "for "
	    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS "
	    "subdomain prefix and '/' (e.g. 'example.com/MyName'), spec.dnsConfig: Required value: "
	    "must provide `dnsConfig` when `dnsPolicy` is None]");
}

#define POD_UPDATE_TEXT                                                                            \
	"Pod \"x\" is invalid: spec: Forbidden: pod updates may not change fields other than "     \
	"`spec.containers[*].image`,`spec.initContainers[*].image`,"                               \
	"`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "             \
	"tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "    \
	"previously negative)"

static void pod_update(const char *now, const char *before, const char *expected)
{
	check("", "v1", "pods", now, before, "", expected);
}

static void test_pod_update(void **state)
{
	(void)state;
	pod_update(POD(ONE), POD(ONE), NULL);
	pod_update(POD("\"containers\":[{\"name\":\"c\",\"image\":\"j\",\"imagePullPolicy\":"
		       "\"Always\"}],\"activeDeadlineSeconds\":5,\"tolerations\":[{\"operator\":"
		       "\"Exists\"}]"),
		   POD(ONE), NULL);
	pod_update(POD("\"nodeName\":\"other\"," ONE), POD(ONE), POD_UPDATE_TEXT);
	pod_update(POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"command\":[\"a\"]}]"),
		   POD(ONE), POD_UPDATE_TEXT);
	pod_update(POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"d\",\"image\":"
		       "\"i\"}]"),
		   POD(ONE),
		   "Pod \"x\" is invalid: spec.containers: Forbidden: pod updates may not add or "
		   "remove containers");
	pod_update(POD(ONE), POD("\"tolerations\":[{\"operator\":\"Exists\"}]," ONE),
		   "Pod \"x\" is invalid: spec.tolerations: Forbidden: existing toleration can not "
		   "be modified except its tolerationSeconds");
	pod_update(
		POD(ONE), POD("\"activeDeadlineSeconds\":5," ONE),
		"Pod \"x\" is invalid: spec.activeDeadlineSeconds: Invalid value: null: must not "
		"update from a positive integer to nil value");
	pod_update(POD(ONE), POD("\"schedulingGates\":[{\"name\":\"a/b\"}]," ONE), NULL);
	pod_update("{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"uid\":\"2\"},\"spec\":{" ONE
		   "}}",
		   "{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"uid\":\"1\"},\"spec\":{" ONE
		   "}}",
		   "Pod \"x\" is invalid: metadata.uid: Invalid value: \"2\": field is immutable");
	/* Through /status the spec is the old one by then; nothing else is looked at. */
	check("", "v1", "pods", POD("\"nodeName\":\"other\"," ONE), POD(ONE), "status", NULL);
}

static void test_services(void **state)
{
	(void)state;
	core("services", SERVICE("\"ports\":[{\"port\":80}],\"selector\":{\"a\":\"b\"}"), NULL);
	core("services", SERVICE(""), "Service \"x\" is invalid: spec.ports: Required value");
	core("services", SERVICE("\"ports\":[{\"port\":80},{\"port\":80}]"),
	     "Service \"x\" is invalid: [spec.ports[0].name: Required value, spec.ports[1].name: "
	     "Required value, spec.ports[1]: Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}]");
	core("services", SERVICE("\"ports\":[{\"port\":80,\"protocol\":\"tcp\"}]"),
	     "Service \"x\" is invalid: spec.ports[0].protocol: Unsupported value: \"tcp\": "
	     "supported "
	     "values: \"SCTP\", \"TCP\", \"UDP\"");
	core("services", SERVICE("\"ports\":[{\"port\":80,\"nodePort\":30000}]"),
	     "Service \"x\" is invalid: spec.ports[0].nodePort: Forbidden: may not be used when "
	     "`type` is 'ClusterIP'");
	core("services", SERVICE("\"ports\":[{\"port\":0}]"),
	     "Service \"x\" is invalid: [spec.ports[0].port: Invalid value: 0: must be between 1 "
	     "and "
	     "65535, inclusive, spec.ports[0].targetPort: Invalid value: 0: must be between 1 and "
	     "65535, inclusive]");
	core("services",
	     SERVICE("\"type\":\"LoadBalancer\",\"ports\":[{\"port\":53,\"protocol\":\"UDP\"}]"),
	     NULL);
	core("services", SERVICE("\"type\":\"ExternalName\""),
	     "Service \"x\" is invalid: spec.externalName: Required value");
	core("services",
	     SERVICE("\"ports\":[{\"port\":80}],\"externalTrafficPolicy\":\"Local\",\"clusterIP\":"
		     "\"1.2.3\""),
	     "Service \"x\" is invalid: [spec.clusterIPs[0]: Invalid value: \"1.2.3\": must be a "
	     "valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), spec.externalTrafficPolicy: "
	     "Invalid value: \"Local\": may only be set for externally-accessible services]");
	core("services",
	     SERVICE("\"type\":\"NodePort\",\"clusterIP\":\"None\",\"ports\":[{\"port\":80}]"),
	     "Service \"x\" is invalid: spec.clusterIPs[0]: Invalid value: \"None\": may not be "
	     "set to "
	     "'None' for NodePort services");
	core("services",
	     "{\"metadata\":{\"name\":\"1x\",\"namespace\":\"n\"},\"spec\":{\"ports\":[{\"port\":1}"
	     "]}"
	     "}",
	     "Service \"1x\" is invalid: metadata.name: Invalid value: \"1x\": a DNS-1035 label "
	     "must "
	     "consist of lower case alphanumeric characters or '-', start with an alphabetic "
	     "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
	     "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')");
	check("", "v1", "services", SERVICE("\"clusterIP\":\"10.0.0.2\",\"ports\":[{\"port\":80}]"),
	      SERVICE("\"clusterIP\":\"10.0.0.1\",\"ports\":[{\"port\":80}]"), "",
	      "Service \"x\" is invalid: spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may "
	      "not "
	      "change once set");
}

#define TEMPLATE(labels, more)                                                                     \
	"\"template\":{\"metadata\":{\"labels\":{" labels "}},\"spec\":{" ONE more "}}"

static void test_controllers(void **state)
{
	(void)state;
	core("replicationcontrollers", POD(TEMPLATE("\"a\":\"b\"", "")), NULL);
	core("replicationcontrollers", POD("\"selector\":{\"a\":\"b\"}"),
	     "ReplicationController \"x\" is invalid: spec.template: Required value");
	core("replicationcontrollers", POD(TEMPLATE("", "")),
	     "ReplicationController \"x\" is invalid: spec.selector: Required value");
	core("replicationcontrollers",
	     POD("\"replicas\":-1,\"selector\":{\"a\":\"c\"}," TEMPLATE("\"a\":\"b\"", "")),
	     "ReplicationController \"x\" is invalid: [spec.replicas: Invalid value: -1: must be "
	     "greater than or equal to 0, spec.template.metadata.labels: Invalid value: "
	     "{\"a\":\"b\"}: `selector` does not match template `labels`]");
	core("replicationcontrollers", POD(TEMPLATE("\"a\":\"b\"", ",\"restartPolicy\":\"Never\"")),
	     "ReplicationController \"x\" is invalid: spec.template.spec.restartPolicy: "
	     "Unsupported "
	     "value: \"Never\": supported values: \"Always\"");
}

static void test_data_kinds(void **state)
{
	(void)state;
	core("configmaps", "{" META ",\"data\":{\"a b\":\"\"}}",
	     "ConfigMap \"x\" is invalid: data[a b]: Invalid value: \"a b\": a valid config key "
	     "must "
	     "consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
	     "'KEY_NAME', "
	     " or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')");
	core("configmaps", "{" META ",\"data\":{\"a\":\"\"},\"binaryData\":{\"a\":\"eA==\"}}",
	     "ConfigMap \"x\" is invalid: data[a]: Invalid value: \"a\": duplicate of key present "
	     "in "
	     "binaryData");
	check("", "v1", "configmaps", "{" META ",\"data\":{\"a\":\"2\"},\"immutable\":true}",
	      "{" META ",\"data\":{\"a\":\"1\"},\"immutable\":true}", "",
	      "ConfigMap \"x\" is invalid: data: Forbidden: field is immutable when `immutable` is "
	      "set");
	core("secrets", "{" META ",\"type\":\"kubernetes.io/tls\"}",
	     "Secret \"x\" is invalid: [data[tls.crt]: Required value, data[tls.key]: Required "
	     "value]");
	core("secrets",
	     "{" META ",\"type\":\"kubernetes.io/dockercfg\",\"data\":{\".dockercfg\":\"e30=\"}}",
	     NULL);
	check("", "v1", "secrets", "{" META ",\"type\":\"a\"}", "{" META ",\"type\":\"b\"}", "",
	      "Secret \"x\" is invalid: type: Invalid value: \"a\": field is immutable");
}

static void test_limits(void **state)
{
	(void)state;
	core("limitranges",
	     POD("\"limits\":[{\"type\":\"Container\",\"min\":{\"cpu\":\"2\"},\"max\":{\"cpu\":"
		 "\"1\"}}]"),
	     "LimitRange \"x\" is invalid: [spec.limits[0].min[cpu]: Invalid value: \"2\": min "
	     "value "
	     "2 is greater than max value 1, spec.limits[0].defaultRequest[cpu]: Invalid value: "
	     "\"1\": min value 2 is greater than default request value 1, "
	     "spec.limits[0].default[cpu]: Invalid value: \"1\": min value 2 is greater than "
	     "default "
	     "value 1]");
	core("limitranges",
	     POD("\"limits\":[{\"type\":\"Pod\",\"default\":{\"cpu\":\"1\"}},{\"type\":\"Pod\"}]"),
	     "LimitRange \"x\" is invalid: [spec.limits[0].default: Forbidden: may not be "
	     "specified "
	     "when `type` is 'Pod', spec.limits[1].type: Duplicate value: \"Pod\"]");
	core("resourcequotas", POD("\"hard\":{\"pods\":\"1.5\",\"cpu\":\"-1\",\"odd\":\"1\"}"),
	     "ResourceQuota \"x\" is invalid: [spec.hard[pods]: Invalid value: \"1500m\": must be "
	     "an "
	     "integer, spec.hard[cpu]: Invalid value: \"-1\": must be greater than or equal to 0, "
	     "spec.hard[odd]: Invalid value: \"odd\": must be a standard resource type or fully "
	     "qualified]");
}

#define NAMED "\"metadata\":{\"name\":\"x\"}"

static void test_storage(void **state)
{
	(void)state;
	core("persistentvolumes", "{" NAMED ",\"spec\":{}}",
	     "PersistentVolume \"x\" is invalid: [spec.accessModes: Required value, spec.capacity: "
	     "Required value, spec: Required value: must specify a volume type]");
	core("persistentvolumes",
	     "{" NAMED ",\"spec\":{\"capacity\":{\"storage\":\"0\"},\"accessModes\":[\"Odd\"],"
	     "\"hostPath\":{\"path\":\"/\"},\"persistentVolumeReclaimPolicy\":\"Recycle\"}}",
	     "PersistentVolume \"x\" is invalid: [spec.accessModes: Unsupported value: \"Odd\": "
	     "supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", "
	     "\"ReadWriteOncePod\", spec.capacity[storage]: Invalid value: \"0\": must be greater "
	     "than zero, spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a "
	     "hostPath mount of '/']");
	core("persistentvolumeclaims", POD(""),
	     "PersistentVolumeClaim \"x\" is invalid: [spec.accessModes: Required value: at least "
	     "1 "
	     "access mode is required, spec.resources[storage]: Required value]");
#define CLAIM(size, more)                                                                          \
	POD("\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"" size \
	    "\"}}" more)
	check("", "v1", "persistentvolumeclaims", CLAIM("1Gi", ",\"volumeName\":\"v\""),
	      CLAIM("1Gi", ""), "", NULL);
	check("", "v1", "persistentvolumeclaims", CLAIM("2Gi", ""), CLAIM("1Gi", ""), "",
	      "PersistentVolumeClaim \"x\" is invalid: spec: Forbidden: spec is immutable after "
	      "creation except resources.requests and volumeAttributesClassName for bound claims");
}

static void test_nodes_and_leases(void **state)
{
	(void)state;
	core("nodes",
	     "{" NAMED ",\"spec\":{\"taints\":[{\"key\":\"k\",\"effect\":\"Odd\"},{\"key\":\"l\","
	     "\"effect\":\"NoSchedule\"},{\"key\":\"l\",\"effect\":\"NoSchedule\"}]}}",
	     "Node \"x\" is invalid: [spec.taints[0].effect: Unsupported value: \"Odd\": supported "
	     "values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\", spec.taints[2]: "
	     "Duplicate "
	     "value: {\"key\":\"l\",\"effect\":\"NoSchedule\"}]");
	check("", "v1", "nodes", "{" NAMED ",\"spec\":{\"podCIDRs\":[\"10.1.0.0/24\"]}}",
	      "{" NAMED ",\"spec\":{\"podCIDRs\":[\"10.2.0.0/24\"]}}", "",
	      "Node \"x\" is invalid: spec.podCIDRs: Forbidden: node updates may not change "
	      "podCIDR "
	      "except from \"\" to valid");
	check("coordination.k8s.io", "v1", "leases",
	      POD("\"holderIdentity\":\"\",\"leaseDurationSeconds\":0"), NULL, "",
	      "Lease.coordination.k8s.io \"x\" is invalid: [spec.leaseDurationSeconds: Invalid "
	      "value: 0: must be greater than 0, spec.holderIdentity: Invalid value: \"\": must "
	      "not "
	      "be empty]");
}

static void test_endpoints(void **state)
{
	(void)state;
	core("endpoints", "{" META ",\"subsets\":[{}]}",
	     "Endpoints \"x\" is invalid: subsets[0]: Required value: must specify `addresses` or "
	     "`notReadyAddresses`");
	core("endpoints",
	     "{" META ",\"subsets\":[{\"addresses\":[{\"ip\":\"127.0.0.1\"},{\"ip\":\"x\"}],"
	     "\"ports\":[{\"port\":1},{\"port\":0,\"name\":\"b\"}]}]}",
	     "Endpoints \"x\" is invalid: [subsets[0].ports[1].port: Invalid value: 0: must be "
	     "between "
	     "1 and 65535, inclusive, subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": "
	     "may "
	     "not be in the loopback range (127.0.0.0/8), subsets[0].addresses[1].ip: Invalid "
	     "value: "
	     "\"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), "
	     "subsets[0].ports[0].name: Required value]");
	check("discovery.k8s.io", "v1", "endpointslices",
	      "{" META ",\"addressType\":\"IPv4\",\"endpoints\":[{},{\"addresses\":[\"::2\"]}],"
	      "\"ports\":[{\"port\":1},{\"port\":2}]}",
	      NULL, "",
	      "EndpointSlice.discovery.k8s.io \"x\" is invalid: [endpoints[0].addresses: Required "
	      "value: must contain at least 1 address, endpoints[1].addresses[0]: Invalid value: "
	      "\"::2\": must be an IPv4 address, ports[1].name: Duplicate value: \"\"]");
	check("discovery.k8s.io", "v1", "endpointslices",
	      "{" META ",\"addressType\":\"IPv6\",\"endpoints\":[]}",
	      "{" META ",\"addressType\":\"IPv4\",\"endpoints\":[]}", "",
	      "EndpointSlice.discovery.k8s.io \"x\" is invalid: addressType: Invalid value: "
	      "\"IPv6\": "
	      "field is immutable");
}

static void test_networking(void **state)
{
	(void)state;
	check("networking.k8s.io", "v1", "ipaddresses",
	      "{\"metadata\":{\"name\":\"10.0.0.1\"},\"spec\":{\"parentRef\":{\"resource\":"
	      "\"services\",\"namespace\":\"n\",\"name\":\"s\"}}}",
	      NULL, "", NULL);
	check("networking.k8s.io", "v1", "ipaddresses",
	      "{\"metadata\":{\"name\":\"2001:db8:0::1\"},\"spec\":{}}", NULL, "",
	      "IPAddress.networking.k8s.io \"2001:db8:0::1\" is invalid: [spec.parentRef: Required "
	      "value, metadata.name: Invalid value: \"2001:db8:0::1\": must be a valid IP address "
	      "in "
	      "canonical form (2001:db8::1)]");
	check("networking.k8s.io", "v1", "servicecidrs",
	      "{" NAMED ",\"spec\":{\"cidrs\":[\"10.0.0.0/99\"]}}", NULL, "",
	      "ServiceCIDR.networking.k8s.io \"x\" is invalid: spec.cidrs[0]: Invalid value: "
	      "\"10.0.0.0/99\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
	check("networking.k8s.io", "v1", "servicecidrs",
	      "{" NAMED ",\"spec\":{\"cidrs\":[\"10.1.0.0/16\"]}}",
	      "{" NAMED ",\"spec\":{\"cidrs\":[\"10.0.0.0/16\"]}}", "",
	      "ServiceCIDR.networking.k8s.io \"x\" is invalid: spec.cidrs[0]: Invalid value: "
	      "\"10.1.0.0/16\": field is immutable");
}

static void test_events(void **state)
{
	(void)state;
	core("events", "{" META ",\"involvedObject\":{\"namespace\":\"n\"}}", NULL);
	core("events", "{" META ",\"involvedObject\":{\"namespace\":\"other\"}}",
	     "Event \"x\" is invalid: involvedObject.namespace: Invalid value: \"other\": does not "
	     "match event.namespace");
	check("events.k8s.io", "v1", "events",
	      "{" META ",\"regarding\":{\"namespace\":\"n\"},\"eventTime\":"
	      "\"2026-01-02T03:04:05Z\",\"type\":\"Odd\"}",
	      NULL, "",
	      "Event.events.k8s.io \"x\" is invalid: [reportingController: Required value, "
	      "reportingInstance: Required value, action: Required value, reason: Required value, "
	      "type: Unsupported value: \"Odd\": supported values: \"Normal\", \"Warning\"]");
}

#define MOUNT(more) "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/a\"," more "}]"
#define VOLUME(source) "\"volumes\":[{\"name\":\"v\"," source "}]"
#define TERM "\"topologyKey\":\"z\",\"whenUnsatisfiable\":"
#define RESOURCES                                                                                  \
	"\"limits.cpu\", \"limits.ephemeral-storage\", \"limits.memory\", \"requests.cpu\", "      \
	"\"requests.ephemeral-storage\", \"requests.memory\""

/*
 * A pod with `spec` and one container with `members` has the one `problem`, or
 * one that begins as it says before a "*"; "": it is valid.
 */
static void check_pod_rule(const char *spec, const char *members, const char *problem)
{
	const struct schema_resource *pods = schema_resource_get(s, "", "v1", "pods");
	cox_autobuf json = COX_BUF_INIT;
	cox_autobuf wanted = COX_BUF_INIT;
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct validation v;
	size_t size;

	cox_buf_printf(&json, "{" META ",\"spec\":{\"containers\":[{\"name\":\"c\",%s}],%s}}",
		       members, spec);
	validation_init(&v, &arena, s, pods);
	schema_validate(&v, load(&arena, pods, cox_buf_cstr(&json)), NULL, "");
	if (validation_result(&v, "x", &err) == 0) {
		if (*problem)
			fail_msg("found valid, wanted: %s", problem);
		return;
	}
	cox_buf_printf(&wanted, "Pod \"x\" is invalid: %s", problem);
	size = wanted.size;
	if (size > 0 && wanted.data[size - 1] == '*') {
		wanted.data[size - 1] = '\0';
		if (strncmp(error_text(&err), wanted.data, size - 1) == 0 && v.count == 1)
			return;
	}
	assert_string_equal(error_text(&err), cox_buf_cstr(&wanted));
}

/* Each a spec beside one good container, and the one thing that is wrong with it. */
static void test_pod_rules(void **state)
{
	static const struct {
		const char *spec, *problem;
	} rules[] = {
		{"\"os\":{\"name\":\"x\"}", "spec.os.name: Unsupported value: \"x\": supported "
					    "values: \"linux\", \"windows\""},
		{"\"ephemeralContainers\":[{\"name\":\"e\",\"image\":\"x\"}]",
		 "spec.ephemeralContainers: Forbidden: cannot be set on create"},
		{"\"nodeName\":\"n\",\"schedulingGates\":[{\"name\":\"g\"}]",
		 "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been "
		 "cleared"},
		{"\"initContainers\":[{\"name\":\"i\",\"image\":\"x\",\"restartPolicy\":\"Never\"}"
		 "]",
		 ""},
		{"\"initContainers\":[{\"name\":\"i\",\"image\":\"x\",\"restartPolicy\":\"Once\"}"
		 "]",
		 "spec.initContainers[0].restartPolicy: Unsupported value: \"Once\": supported "
		 "values: \"Always\", \"Never\", \"OnFailure\""},
		{"\"overhead\":{\"cpu\":\"-1\"}",
		 "spec.overhead[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"},
		{"\"hostAliases\":[{\"ip\":\"10.0.0.1\",\"hostnames\":[\"-\"]}]",
		 "spec.hostAliases[0].hostnames: Invalid value: \"-\": a lowercase RFC 1123 "
		 "subdomain *"},
		{"\"dnsConfig\":{\"options\":[{\"value\":\"x\"}]}",
		 "spec.dnsConfig.options[0]: Required value: must not be empty"},
		{"\"dnsConfig\":{\"nameservers\":[\"10.0.0.1\",\"10.0.0.2\",\"10.0.0.3\",\"10.0.0."
		 "4\"]}",
		 "spec.dnsConfig.nameservers: Invalid value: "
		 "[\"10.0.0.1\",\"10.0.0.2\",\"10.0.0.3\",\"10.0.0.4\"]: must not have more than 3 "
		 "nameservers"},
		{"\"dnsConfig\":{\"searches\":[\".\",\"_a.example.com.\",\"b\"]}", ""},
		{"\"securityContext\":{\"supplementalGroups\":[0,-1]}",
		 "spec.securityContext.supplementalGroups[1]: Invalid value: -1: must be between 0 "
		 "and "
		 "2147483647, inclusive"},
		{"\"securityContext\":{\"seccompProfile\":{\"type\":\"Localhost\"}}",
		 "spec.securityContext.seccompProfile.localhostProfile: Required value: must be "
		 "set "
		 "when seccomp type is Localhost"},
		{"\"securityContext\":{\"appArmorProfile\":{\"type\":\"Unconfined\","
		 "\"localhostProfile\":\"p\"}}",
		 "spec.securityContext.appArmorProfile.localhostProfile: Invalid value: \"p\": may "
		 "only be set when AppArmor type is Localhost"},
		{"\"securityContext\":{\"sysctls\":[{\"name\":\"net.ipv4.ip_forward\"},{\"name\":"
		 "\"net/ipv4/x\"}]}",
		 ""},
		{"\"securityContext\":{\"sysctls\":[{\"name\":\"a..b\"}]}",
		 "spec.securityContext.sysctls[0].name: Invalid value: \"a..b\": must have at most "
		 "253 characters and match regex *"},
		{"\"securityContext\":{\"sysctls\":[{\"name\":\"a_\"}]}",
		 "spec.securityContext.sysctls[0].name: Invalid value: \"a_\": must have at most "
		 "253 characters and match regex *"},
		{"\"securityContext\":{\"sysctls\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
		 "spec.securityContext.sysctls[1].name: Duplicate value: \"a\""},
		{"\"topologySpreadConstraints\":[{\"maxSkew\":0," TERM "\"DoNotSchedule\"}]",
		 "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater "
		 "than "
		 "zero"},
		{"\"topologySpreadConstraints\":[{\"maxSkew\":1,\"minDomains\":2," TERM
		 "\"ScheduleAnyway\"}]",
		 "spec.topologySpreadConstraints[0].minDomains: Invalid value: 2: can only use "
		 "minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"},
		{"\"topologySpreadConstraints\":[{\"maxSkew\":1," TERM
		 "\"DoNotSchedule\"},{\"maxSkew\":2," TERM "\"DoNotSchedule\"}]",
		 "spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate "
		 "value: "
		 "\"{z, DoNotSchedule}\""},
		{VOLUME("\"image\":{\"pullPolicy\":\"Always\"}"),
		 "spec.volumes[0].image.reference: Required value"},
		{VOLUME("\"ephemeral\":{}"),
		 "spec.volumes[0].ephemeral.volumeClaimTemplate: Required value"},
		{VOLUME("\"csi\":{\"driver\":\"A.Example.com\"}"), ""},
		{VOLUME("\"csi\":{\"driver\":\"a_b\"}"),
		 "spec.volumes[0].csi.driver: Invalid value: \"a_b\": a lowercase RFC 1123 "
		 "subdomain *"},
		{VOLUME("\"projected\":{\"sources\":[{\"configMap\":{}}]}"),
		 "spec.volumes[0].projected.sources[0].configMap.name: Required value"},
		{VOLUME("\"projected\":{\"sources\":[{\"configMap\":{\"name\":\"a\",\"items\":[{"
			"\"key\":"
			"\"k\",\"path\":\"p\"}]}},{\"secret\":{\"name\":\"b\",\"items\":[{\"key\":"
			"\"k\","
			"\"path\":\"p\"}]}}]}"),
		 "spec.volumes[0].projected.sources[1].secret: Invalid value: \"b\": conflicting "
		 "duplicate paths"},
		{VOLUME("\"downwardAPI\":{\"items\":[{\"path\":\"p\",\"fieldRef\":{\"fieldPath\":"
			"\"metadata.labels['a']\"}}]}"),
		 ""},
		{VOLUME("\"downwardAPI\":{\"items\":[{\"path\":\"p\",\"fieldRef\":{\"fieldPath\":"
			"\"spec.nodeName\"}}]}"),
		 "spec.volumes[0].downwardAPI.items[0].fieldRef.fieldPath: Unsupported value: "
		 "\"spec.nodeName\": supported values: \"metadata.annotations\", "
		 "\"metadata.labels\", "
		 "\"metadata.name\", \"metadata.namespace\", \"metadata.uid\""},
		{VOLUME("\"downwardAPI\":{\"items\":[{\"path\":\"p\",\"resourceFieldRef\":{"
			"\"resource\":"
			"\"limits.cpu\"}}]}"),
		 "spec.volumes[0].downwardAPI.items[0].resourceFieldRef.containerName: Required "
		 "value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		check_pod_rule(rules[i].spec, "\"image\":\"x\"", rules[i].problem);
}

#define RESTART(policy, more) "\"restartPolicy\":\"" policy "\"" more
#define RULE(action, more) ",\"restartPolicyRules\":[{\"action\":\"" action "\"," more "}]"
#define CODES(how) "\"exitCodes\":{\"operator\":\"" how "\",\"values\":[0,42]}"
#define C0 "spec.containers[0]."

/* Each a member of the one container, whose pod has a volume "v". */
static void test_container_rules(void **state)
{
	static const struct {
		const char *member, *problem;
	} rules[] = {
		{RESTART("Always", ""), ""},
		{RESTART("always", ""),
		 C0 "restartPolicy: Unsupported value: \"always\": supported "
		    "values: \"Always\", \"Never\", \"OnFailure\""},
		{RESTART("Never", RULE("Restart", CODES("In"))), ""},
		{"\"restartPolicyRules\":[{\"action\":\"Restart\"," CODES("In") "}]", C0
		 "restartPolicy: Required value: must specify restartPolicy when restart rules are "
		 "used"},
		{RESTART("Never", RULE("Stop", CODES("In"))),
		 C0 "restartPolicyRules[0].action: Unsupported value: \"Stop\": supported values: "
		    "\"Restart\""},
		{RESTART("Never", RULE("Restart", "\"exitCodes\":null")),
		 C0 "restartPolicyRules[0].exitCodes: Required value: must be specified"},
		{RESTART("Never", RULE("Restart", CODES("Is"))), C0
		 "restartPolicyRules[0].exitCodes.operator: Unsupported value: \"Is\": supported "
		 "values: \"In\", \"NotIn\""},
		{MOUNT("\"mountPropagation\":\"Bidirectional\""),
		 "spec.containers[0].volumeMounts[0].mountPropagation: Forbidden: Bidirectional "
		 "mount "
		 "propagation is available only to privileged containers"},
		{MOUNT("\"mountPropagation\":\"Bidirectional\"") ",\"securityContext\":{"
								 "\"privileged\":true}",
		 ""},
		{MOUNT("\"recursiveReadOnly\":\"Enabled\""),
		 "spec.containers[0].volumeMounts[0].recursiveReadOnly: Forbidden: may only be "
		 "specified when readOnly is true"},
		{MOUNT("\"recursiveReadOnly\":\"IfPossible\",\"readOnly\":true"), ""},
		{"\"volumeDevices\":[{\"name\":\"v\",\"devicePath\":\"/d\"}]",
		 "spec.containers[0].volumeDevices[0].name: Invalid value: \"v\": can only use "
		 "volume "
		 "source type of PersistentVolumeClaim or Ephemeral for block mode"},
		{"\"resizePolicy\":[{\"resourceName\":\"cpu\",\"restartPolicy\":\"NotRequired\"},{"
		 "\"resourceName\":\"cpu\",\"restartPolicy\":\"NotRequired\"}]",
		 "spec.containers[0].resizePolicy: Duplicate value: \"cpu\""},
		{"\"resources\":{\"limits\":{\"hugepages-2Mi\":\"2Mi\"},\"requests\":{\"hugepages-"
		 "2Mi\":"
		 "\"2Mi\"}}",
		 "spec.containers[0].resources: Forbidden: HugePages require cpu or memory"},
		{"\"lifecycle\":{\"preStop\":{\"sleep\":{\"seconds\":31}}}",
		 "spec.containers[0].lifecycle.preStop.sleep.seconds: Invalid value: 31: must be "
		 "non-negative and less than terminationGracePeriodSeconds (30)"},
		{"\"securityContext\":{\"allowPrivilegeEscalation\":false,\"capabilities\":{"
		 "\"add\":["
		 "\"CAP_SYS_ADMIN\"]}}",
		 "spec.containers[0].securityContext: Invalid value: "
		 "{\"allowPrivilegeEscalation\":false,\"capabilities\":{\"add\":[\"CAP_SYS_ADMIN\"]"
		 "}}: "
		 "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
		 "CAP_SYS_ADMIN"},
		{"\"envFrom\":[{\"prefix\":\"a=b\",\"secretRef\":{\"name\":\"s\"}}]",
		 "spec.containers[0].envFrom[0].prefix: Invalid value: \"a=b\": a valid "
		 "environment "
		 "variable name must consist only of printable ASCII characters other than '='"},
		{"\"envFrom\":[{\"secretRef\":{}}]",
		 "spec.containers[0].envFrom[0].secretRef.name: Required value"},
		{"\"env\":[{\"name\":\"A\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":\"x\"}"
		 "}}]",
		 "spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: Unsupported "
		 "value: "
		 "\"x\": supported values: " RESOURCES},
		{"\"env\":[{\"name\":\"A\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":"
		 "\"limits.cpu\",\"divisor\":\"2\"}}}]",
		 "spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "
		 "\"2\": "
		 "only divisor's values 1m and 1 are supported with the cpu resource"},
		{"\"env\":[{\"name\":\"A\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":"
		 "\"limits.memory\",\"divisor\":\"1Mi\"}}}]",
		 ""},
		{"\"env\":[{\"name\":\"A\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":"
		 "\"a "
		 "b\"}}}]",
		 "spec.containers[0].env[0].valueFrom.secretKeyRef.key: Invalid value: \"a b\": a "
		 "valid config key *"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		char container[1024];

		snprintf(container, sizeof(container), "\"image\":\"x\",%s", rules[i].member);
		check_pod_rule(VOLUME("\"emptyDir\":{}"), container, rules[i].problem);
	}
}

static void test_one_way_to_write(void **state)
{
	(void)state;
	check("networking.k8s.io", "v1", "servicecidrs",
	      "{" NAMED ",\"spec\":{\"cidrs\":[\"10.0.3.0/23\",\"fd00:0::/64\"]}}", NULL, "",
	      "ServiceCIDR.networking.k8s.io \"x\" is invalid: [spec.cidrs[0]: Invalid value: "
	      "\"10.0.3.0/23\": must be in canonical form (\"10.0.2.0/23\"), spec.cidrs[1]: "
	      "Invalid "
	      "value: \"fd00:0::/64\": must be in canonical form (\"fd00::/64\")]");
	check("networking.k8s.io", "v1", "servicecidrs",
	      "{" NAMED ",\"spec\":{\"cidrs\":[\"10.0.2.0/23\",\"fd00::/64\"]}}", NULL, "", NULL);
	core("limitranges", "{" META ",\"spec\":{\"limits\":[{\"type\":\"Foo\"}]}}",
	     "LimitRange \"x\" is invalid: spec.limits[0].type: Invalid value: \"Foo\": must be a "
	     "standard limit type or fully qualified");
	core("limitranges", "{" META ",\"spec\":{\"limits\":[{\"type\":\"example.com/Foo\"}]}}",
	     NULL);
}

static void test_namespace_finalizers(void **state)
{
	(void)state;
	check("", "v1", "namespaces",
	      "{" NAMED ",\"spec\":{\"finalizers\":[\"foo\",\"kubernetes\",\"a.b/c\"]}}", NULL, "",
	      "Namespace \"x\" is invalid: spec.finalizers[0]: Invalid value: \"foo\": name is "
	      "neither a standard finalizer name nor is it fully qualified");
}

/* A member of old and the list that replaced it say the same. */
static void test_first_of_the_list(void **state)
{
	(void)state;
	check("", "v1", "nodes", "{" NAMED ",\"spec\":{\"podCIDR\":\"x\"}}", NULL, "",
	      "Node \"x\" is invalid: spec.podCIDRs[0]: Invalid value: \"x\": must be a valid CIDR "
	      "value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
	check("", "v1", "nodes",
	      "{" NAMED ",\"spec\":{\"podCIDRs\":[\"10.1.0.0/24\",\"10.2.0.0/24\"]}}", NULL, "",
	      "Node \"x\" is invalid: spec.podCIDRs: Invalid value: "
	      "[\"10.1.0.0/24\",\"10.2.0.0/24\"]: may specify no more than one CIDR for each IP "
	      "family");
	check("", "v1", "nodes",
	      "{" NAMED ",\"spec\":{\"podCIDRs\":[\"10.1.0.0/24\",\"fd00::/64\"]}}",
	      "{" NAMED ",\"spec\":{\"podCIDR\":\"10.2.0.0/24\"}}", "",
	      "Node \"x\" is invalid: spec.podCIDRs: Forbidden: node updates may not change "
	      "podCIDR "
	      "except from \"\" to valid");
}

static void test_resize_keeps_the_class(void **state)
{
	static const char before[] =
		"{" META ",\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"
		"\"x\",\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]}}";

	(void)state;
	check("", "v1", "pods",
	      "{" META ",\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\",\"resources\":{"
	      "\"requests\":{\"cpu\":\"2\"}}}]}}",
	      before, "resize", NULL);
	check("", "v1", "pods",
	      "{" META ",\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\"}]}}", before,
	      "resize",
	      "Pod \"x\" is invalid: spec: Invalid value: \"BestEffort\": Pod QOS Class may not "
	      "change as a result of resizing");
}

static void test_owner_that_cannot_be(void **state)
{
	(void)state;
	core("configmaps",
	     "{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"ownerReferences\":[{"
	     "\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"e\",\"uid\":\"u\"}]}}",
	     "ConfigMap \"x\" is invalid: metadata.ownerReferences: Invalid value: "
	     "{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"e\",\"uid\":\"u\"}: /v1, "
	     "Kind=Event is disallowed from being an owner");
}

static void test_problems_are_bounded(void **state)
{
	cox_autobuf json = COX_BUF_INIT;
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	const struct schema_resource *pods = schema_resource_get(s, "", "v1", "pods");
	struct validation v;

	(void)state;
	cox_buf_str(&json, "{" META ",\"spec\":{\"containers\":[{}");
	for (int i = 0; i < VALIDATION_PROBLEM_MAX; i++)
		cox_buf_str(&json, ",{}");
	cox_buf_str(&json, "]}}");
	validation_init(&v, &arena, s, pods);
	schema_validate(&v, load(&arena, pods, json.data), NULL, "");
	assert_int_equal(v.count, VALIDATION_PROBLEM_MAX);
	assert_int_equal(validation_result(&v, "x", &err), -1);
	assert_int_equal(err.cause_count, VALIDATION_PROBLEM_MAX);
	assert_string_equal(err.causes[0].reason, "FieldValueRequired");
	assert_string_equal(err.causes[0].field, "spec.containers[0].name");
	assert_string_equal(err.causes[0].message, "Required value");
	assert_string_equal(err.kind, "Pod");
}

static void test_names(void **state)
{
	static const struct {
		const char *format, *text;
		size_t problems;
	} rows[] = {
		{"dnsLabel", "a-b", 0},	       {"dnsLabel", "", 1},
		{"dnsLabel", "-a", 1},	       {"dnsLabel", "a.b", 1},
		{"dnsSubdomain", "a.b", 0},    {"dnsSubdomain", "a..b", 1},
		{"dnsSubdomain", "a.", 1},     {"qualifiedName", "a/b", 0},
		{"qualifiedName", "/b", 1},    {"qualifiedName", "a/", 2},
		{"qualifiedName", "A_b.c", 0}, {"labelValue", "", 0},
		{"labelValue", "-", 1},	       {"configKey", "..", 1},
		{"configKey", "..a", 1},       {"portName", "http", 0},
		{"portName", "80", 1},	       {"portName", "a--b", 1},
		{"portName", "-a", 1},	       {"portName", "sixteen-letters-x", 1},
		{"ip", "10.0.0.1", 0},	       {"ip", "010.0.0.1", 1},
		{"ip", "10.0.0", 1},	       {"ip", "::1", 0},
		{"cidr", "10.0.0.0/8", 0},     {"cidr", "10.0.0.0/33", 1},
		{"cidr", "10.0.0.0/08", 1},    {"cidr", "::/128", 0},
		{"cidr", "10.0.0.0", 1},       {"pathSegment", "system:x", 0},
		{"pathSegment", "a/b%", 2},    {"pathSegment", "..", 1},
		{"httpHeader", "X-A", 0},      {"httpHeader", "X_A", 1},
		{"serviceName", "1a", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct names_problems problems = {.count = 0};

		names_check_named(rows[i].format)(rows[i].text, strlen(rows[i].text), &problems);
		if (problems.count != rows[i].problems)
			fail_msg("%s \"%s\": %zu problems", rows[i].format, rows[i].text,
				 problems.count);
	}
	assert_null(names_check_named("nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_label_lengths),
		cmocka_unit_test(test_pod_required),
		cmocka_unit_test(test_pod_volumes),
		cmocka_unit_test(test_pod_containers),
		cmocka_unit_test(test_pod_placement),
		cmocka_unit_test(test_pod_update),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_controllers),
		cmocka_unit_test(test_data_kinds),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_storage),
		cmocka_unit_test(test_nodes_and_leases),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_networking),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_pod_rules),
		cmocka_unit_test(test_container_rules),
		cmocka_unit_test(test_namespace_finalizers),
		cmocka_unit_test(test_first_of_the_list),
		cmocka_unit_test(test_resize_keeps_the_class),
		cmocka_unit_test(test_owner_that_cannot_be),
		cmocka_unit_test(test_one_way_to_write),
		cmocka_unit_test(test_problems_are_bounded),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
