/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables: the words that people and scripts see in `kubectl get`. */
#include "unit.h"

#include "apiserver/table.h"
#include "base/clock.h"
#include "machinery/json.h"

#include <string.h>

static const char now_text[] = "2026-09-21T14:13:20Z";

static uint64_t now(void)
{
	uint64_t time = 0;

	assert_int_equal(clock_parse(now_text, strlen(now_text), &time), 0);
	return time;
}

/* The cells of an object. */
static void cells(const char *group, const char *kind, const char *json, struct cox_buf *out)
{
	cox_autoarena arena = ARENA_INIT;
	struct api_resource resource = {.group = group, .kind = kind};
	struct value *object = json_parse(&arena, json, strlen(json), NULL, NULL);

	assert_non_null(object);
	cox_buf_clear(out);
	table_write_cells(&resource, object, now(), out);
}

#define META "\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"}"

static void check(const char *group, const char *kind, const char *json, const char *wanted)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf out = COX_BUF_INIT, text = COX_BUF_INIT;
	struct value *tree = json_parse(&arena, wanted, strlen(wanted), NULL, NULL);

	/* Written anew: < and > have escapes on the wire. */
	assert_non_null(tree);
	json_write(&text, tree, 0);
	cells(group, kind, json, &out);
	assert_string_equal(out.data, text.data);
}

/* The Status cell of a pod, and in front of it the Ready cell. */
static void check_pod(const char *spec, const char *status, const char *wanted)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf out = COX_BUF_INIT;
	const struct value *row;
	const char *json =
		arena_printf(&arena, "{" META ",\"spec\":{%s},\"status\":{%s}}", spec, status);

	cells("", "Pod", json, &out);
	row = json_parse(&arena, out.data, out.size, NULL, NULL);
	assert_non_null(row);
	assert_int_equal(row->count, 9);
	assert_string_equal(arena_printf(&arena, "%s %s %s", value_text(value_at(row, 1)),
					 value_text(value_at(row, 2)),
					 value_text(value_at(row, 3))),
			    wanted);
}

#define TWO "\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]"
#define INIT "\"initContainers\":[{\"name\":\"i\"},{\"name\":\"j\"}]"
#define SIDECAR "\"initContainers\":[{\"name\":\"i\",\"restartPolicy\":\"Always\"}]"
#define RUNNING "{\"name\":\"a\",\"ready\":true,\"restartCount\":0,\"state\":{\"running\":{}}}"
#define STATUSES(list) "\"containerStatuses\":[" list "]"
#define INITS(list) "\"phase\":\"Pending\",\"initContainerStatuses\":[" list "]"
#define ENDED(more) "{\"name\":\"i\",\"restartCount\":0,\"state\":{\"terminated\":{" more "}}}"
#define WAITING(why)                                                                               \
	"{\"name\":\"i\",\"restartCount\":0,\"state\":{\"waiting\":{\"reason\":\"" why "\"}}}"

static void test_pod_phases(void **state)
{
	(void)state;
	check_pod(TWO, "\"phase\":\"Pending\"", "0/2 Pending 0");
	check_pod(TWO, "\"phase\":\"Failed\",\"reason\":\"Evicted\"", "0/2 Evicted 0");
	check_pod(TWO,
		  "\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\","
		  "\"status\":\"False\",\"reason\":\"SchedulingGated\"}]",
		  "0/2 SchedulingGated 0");
	check_pod(TWO, "\"phase\":\"Running\"," STATUSES(RUNNING), "1/2 Running 0");
	check_pod(TWO, "\"phase\":\"Pending\"," STATUSES(WAITING("ImagePullBackOff")),
		  "0/2 ImagePullBackOff 0");
	check_pod(TWO, "\"phase\":\"Failed\"," STATUSES(ENDED("\"exitCode\":3")),
		  "0/2 ExitCode:3 0");
	check_pod(TWO, "\"phase\":\"Failed\"," STATUSES(ENDED("\"exitCode\":137,\"signal\":9")),
		  "0/2 Signal:9 0");
	/* One has completed and the other runs: ready or not is the condition's to say. */
	check_pod(TWO,
		  "\"phase\":\"Running\"," STATUSES(
			  ENDED("\"exitCode\":0,\"reason\":\"Completed\"") "," RUNNING),
		  "1/2 NotReady 0");
	check_pod(TWO,
		  "\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]"
		  "," STATUSES(ENDED("\"exitCode\":0,\"reason\":\"Completed\"") "," RUNNING),
		  "1/2 Running 0");
	/* The first container that has something to say wins. */
	check_pod(TWO, "\"phase\":\"Running\"," STATUSES(WAITING("First") "," WAITING("Second")),
		  "0/2 First 0");
}

static void test_pod_init(void **state)
{
	(void)state;
	check_pod(TWO "," INIT, INITS("{\"name\":\"i\",\"state\":{\"running\":{}}}"),
		  "0/2 Init:0/2 0");
	check_pod(TWO "," INIT,
		  INITS(ENDED("\"exitCode\":0") ",{\"name\":\"j\",\"state\":{\"running\":{}}}"),
		  "0/2 Init:1/2 0");
	check_pod(TWO "," INIT, INITS(ENDED("\"exitCode\":1,\"reason\":\"Error\"")),
		  "0/2 Init:Error 0");
	check_pod(TWO "," INIT, INITS(ENDED("\"exitCode\":2")), "0/2 Init:ExitCode:2 0");
	check_pod(TWO "," INIT, INITS(ENDED("\"exitCode\":2,\"signal\":15")),
		  "0/2 Init:Signal:15 0");
	check_pod(TWO "," INIT, INITS(WAITING("CrashLoopBackOff")), "0/2 Init:CrashLoopBackOff 0");
	check_pod(TWO "," INIT, INITS(WAITING("PodInitializing")), "0/2 Init:0/2 0");
	/* A sidecar counts among the containers, started or not. */
	check_pod(TWO "," SIDECAR,
		  INITS("{\"name\":\"i\",\"started\":true,\"ready\":true,\"restartCount\":2,"
			"\"state\":{\"running\":{}}}") "," STATUSES(RUNNING),
		  "2/3 Pending 2");
	check_pod(TWO "," SIDECAR, INITS("{\"name\":\"i\",\"state\":{\"running\":{}}}"),
		  "0/3 Init:0/1 0");
	/* Initialized once: what the containers say counts again. */
	check_pod(TWO "," INIT,
		  INITS(WAITING("Again")) ",\"conditions\":[{\"type\":\"Initialized\","
					  "\"status\":\"True\"}]," STATUSES(WAITING("Later")),
		  "0/2 Later 0");
}

static void test_pod_restarts(void **state)
{
	static const char last[] =
		"\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"a\",\"restartCount\":3,"
		"\"lastState\":{\"terminated\":{\"finishedAt\":\"2026-09-21T14:08:20Z\"}},"
		"\"state\":{\"running\":{}}},{\"name\":\"b\",\"restartCount\":1,"
		"\"lastState\":{\"terminated\":{\"finishedAt\":\"2026-09-21T13:13:20Z\"}},"
		"\"state\":{\"running\":{}}}]";

	(void)state;
	check_pod(TWO, last, "0/2 Running 4 (5m ago)");
	/* Those of init containers count while the pod is held by them. */
	check_pod(TWO "," INIT,
		  INITS("{\"name\":\"i\",\"restartCount\":7,\"state\":{\"running\":{}}}"),
		  "0/2 Init:0/2 7");
}

static void test_pod_deleted(void **state)
{
	static const char head[] = "{\"metadata\":{\"name\":\"n\",\"deletionTimestamp\":"
				   "\"2026-09-21T14:13:20Z\"},\"spec\":{" TWO "},\"status\":{";
	cox_autoarena arena = ARENA_INIT;

	(void)state;
	check("", "Pod", arena_printf(&arena, "%s\"phase\":\"Running\"}}", head),
	      "[\"n\",\"0/2\",\"Terminating\",\"0\",\"<unknown>\",\"<none>\",\"<none>\","
	      "\"<none>\",\"<none>\"]");
	check("", "Pod", arena_printf(&arena, "%s\"phase\":\"Succeeded\"}}", head),
	      "[\"n\",\"0/2\",\"Succeeded\",\"0\",\"<unknown>\",\"<none>\",\"<none>\","
	      "\"<none>\",\"<none>\"]");
	check("", "Pod",
	      arena_printf(&arena, "%s\"phase\":\"Running\",\"reason\":\"NodeLost\"}}", head),
	      "[\"n\",\"0/2\",\"Unknown\",\"0\",\"<unknown>\",\"<none>\",\"<none>\","
	      "\"<none>\",\"<none>\"]");
}

static void test_pod_wide(void **state)
{
	(void)state;
	check("", "Pod",
	      "{" META ",\"spec\":{\"nodeName\":\"n1\",\"readinessGates\":[{\"conditionType\":"
	      "\"a\"},{\"conditionType\":\"b\"}]," TWO "},\"status\":{\"phase\":\"Running\","
	      "\"nominatedNodeName\":\"n2\",\"podIPs\":[{\"ip\":\"10.0.0.1\"},{\"ip\":\"fd::1\"}],"
	      "\"conditions\":[{\"type\":\"b\",\"status\":\"True\"},{\"type\":\"a\",\"status\":"
	      "\"False\"}]}}",
	      "[\"n\",\"0/2\",\"Running\",\"0\",\"10m\",\"10.0.0.1\",\"n1\",\"n2\",\"1/2\"]");
}

static void test_services(void **state)
{
	(void)state;
	check("", "Service",
	      "{" META ",\"spec\":{\"type\":\"NodePort\",\"clusterIPs\":[\"10.0.0.1\"],\"ports\":"
	      "[{\"port\":80,\"nodePort\":30001,\"protocol\":\"TCP\"},{\"port\":53,\"protocol\":"
	      "\"UDP\"}],\"selector\":{\"b\":\"2\",\"a\":\"1\"}}}",
	      "[\"n\",\"NodePort\",\"10.0.0.1\",\"<none>\",\"80:30001/TCP,53/UDP\",\"10m\","
	      "\"a=1,b=2\"]");
	check("", "Service",
	      "{" META ",\"spec\":{\"type\":\"LoadBalancer\",\"clusterIPs\":[\"10.0.0.1\"]}}",
	      "[\"n\",\"LoadBalancer\",\"10.0.0.1\",\"<pending>\",\"<none>\",\"10m\",\"<none>\"]");
	check("", "Service",
	      "{" META ",\"spec\":{\"type\":\"LoadBalancer\",\"externalIPs\":[\"192.0.2.9\"]},"
	      "\"status\":{\"loadBalancer\":{\"ingress\":[{\"hostname\":\"z\"},{\"ip\":\"1.1.1.1\"}"
	      ","
	      "{\"ip\":\"1.1.1.1\"}]}}}",
	      "[\"n\",\"LoadBalancer\",\"<none>\",\"1.1.1.1,z,192.0.2.9\",\"<none>\",\"10m\","
	      "\"<none>\"]");
	check("", "Service",
	      "{" META ",\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"example.org\"}}",
	      "[\"n\",\"ExternalName\",\"<none>\",\"example.org\",\"<none>\",\"10m\",\"<none>\"]");
	check("", "Service",
	      "{" META ",\"spec\":{\"type\":\"ClusterIP\",\"clusterIPs\":[\"None\"],"
	      "\"externalIPs\":[\"b\",\"a\"]}}",
	      "[\"n\",\"ClusterIP\",\"None\",\"b,a\",\"<none>\",\"10m\",\"<none>\"]");
}

static void test_endpoints(void **state)
{
	(void)state;
	check("", "Endpoints", "{" META "}", "[\"n\",\"<none>\",\"10m\"]");
	check("", "Endpoints", "{" META ",\"subsets\":[{\"ports\":[{\"port\":1}]}]}",
	      "[\"n\",\"\",\"10m\"]");
	check("", "Endpoints", "{" META ",\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.0.1\"}]}]}",
	      "[\"n\",\"10.0.0.1\",\"10m\"]");
	check("", "Endpoints",
	      "{" META ",\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.0.1\"},{\"ip\":\"fd::1\"}],"
	      "\"ports\":[{\"port\":80},{\"port\":81},{\"port\":82}]}]}",
	      "[\"n\",\"10.0.0.1:80,[fd::1]:80,10.0.0.1:81 + 3 more...\",\"10m\"]");
	check("discovery.k8s.io", "EndpointSlice",
	      "{" META ",\"addressType\":\"IPv4\",\"ports\":[{\"port\":80},{\"name\":\"web\"},{}],"
	      "\"endpoints\":[{\"addresses\":[\"1\",\"2\"]},{\"addresses\":[\"3\"]},"
	      "{\"addresses\":[\"4\"]}]}",
	      "[\"n\",\"IPv4\",\"80,web,*\",\"1,2,3 + 1 more...\",\"10m\"]");
	check("discovery.k8s.io", "EndpointSlice", "{" META ",\"addressType\":\"IPv6\"}",
	      "[\"n\",\"IPv6\",\"<unset>\",\"<unset>\",\"10m\"]");
}

static void test_nodes(void **state)
{
	(void)state;
	check("", "Node", "{" META "}",
	      "[\"n\",\"Unknown\",\"<none>\",\"10m\",\"\",\"<none>\",\"<none>\",\"<unknown>\","
	      "\"<unknown>\",\"<unknown>\"]");
	check("", "Node",
	      "{\"metadata\":{\"name\":\"n\",\"labels\":{\"node-role.kubernetes.io/z\":\"\","
	      "\"kubernetes.io/role\":\"a\",\"node-role.kubernetes.io/a\":\"\",\"x\":\"y\"}},"
	      "\"spec\":{\"unschedulable\":true},\"status\":{\"conditions\":[{\"type\":\"Ready\","
	      "\"status\":\"True\"}],\"addresses\":[{\"type\":\"Hostname\",\"address\":\"h\"},"
	      "{\"type\":\"InternalIP\",\"address\":\"10.0.0.1\"},{\"type\":\"ExternalIP\","
	      "\"address\":\"192.0.2.1\"}],\"nodeInfo\":{\"kubeletVersion\":\"v1\",\"osImage\":"
	      "\"os\",\"kernelVersion\":\"6.1\",\"containerRuntimeVersion\":\"oci://1\"}}}",
	      "[\"n\",\"Ready,SchedulingDisabled\",\"a,z\",\"<unknown>\",\"v1\",\"10.0.0.1\","
	      "\"192.0.2.1\",\"os\",\"6.1\",\"oci://1\"]");
	check("", "ComponentStatus",
	      "{" META ",\"conditions\":[{\"type\":\"Healthy\",\"status\":\"False\",\"message\":"
	      "\"m\",\"error\":\"e\"}]}",
	      "[\"n\",\"Unhealthy\",\"m\",\"e\"]");
	check("coordination.k8s.io", "Lease", "{" META ",\"spec\":{\"holderIdentity\":\"me\"}}",
	      "[\"n\",\"me\",\"10m\"]");
}

static void test_events(void **state)
{
	(void)state;
	check("", "Event",
	      "{" META ",\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"p\",\"fieldPath\":"
	      "\"spec\"},\"type\":\"Normal\",\"reason\":\"R\",\"message\":\" two words\\n\","
	      "\"source\":{\"component\":\"c\",\"host\":\"h\"},\"firstTimestamp\":"
	      "\"2026-09-21T13:13:20Z\",\"lastTimestamp\":\"2026-09-21T14:13:00Z\",\"count\":4}",
	      "[\"20s\",\"Normal\",\"R\",\"pod/p\",\"spec\",\"c, h\",\"two words\",\"60m\",4,"
	      "\"n\"]");
	/* The newer form: a time and a series instead of two stamps and a count. */
	check("", "Event",
	      "{" META ",\"involvedObject\":{\"kind\":\"Node\"},\"eventTime\":"
	      "\"2026-09-21T14:12:20.000000Z\",\"reportingComponent\":\"r\","
	      "\"reportingInstance\":\"i\"}",
	      "[\"60s\",\"\",\"\",\"node\",\"\",\"r, i\",\"\",\"60s\",1,\"n\"]");
	check("events.k8s.io", "Event",
	      "{" META ",\"regarding\":{\"kind\":\"Pod\",\"name\":\"p\"},\"note\":\"text\","
	      "\"eventTime\":\"2026-09-21T14:12:20.000000Z\",\"reportingController\":\"r\","
	      "\"series\":{\"count\":5,\"lastObservedTime\":\"2026-09-21T14:13:10.000000Z\"}}",
	      "[\"10s\",\"\",\"\",\"pod/p\",\"\",\"r\",\"text\",\"60s\",5,\"n\"]");
	check("events.k8s.io", "Event",
	      "{" META ",\"regarding\":{\"kind\":\"Pod\",\"name\":\"p\"},\"deprecatedCount\":2,"
	      "\"deprecatedSource\":{\"component\":\"c\"},\"deprecatedFirstTimestamp\":"
	      "\"2026-09-21T14:12:20Z\",\"deprecatedLastTimestamp\":\"2026-09-21T14:13:20Z\"}",
	      "[\"0s\",\"\",\"\",\"pod/p\",\"\",\"c\",\"\",\"60s\",2,\"n\"]");
}

static void test_storage(void **state)
{
	(void)state;
	check("", "PersistentVolume",
	      "{" META ",\"spec\":{\"capacity\":{\"storage\":\"1Gi\"},\"accessModes\":"
	      "[\"ReadWriteMany\",\"ReadWriteOnce\",\"ReadWriteMany\"],"
	      "\"persistentVolumeReclaimPolicy\":\"Retain\",\"storageClassName\":\"fast\","
	      "\"volumeMode\":\"Filesystem\",\"claimRef\":{\"namespace\":\"ns\",\"name\":\"c\"}},"
	      "\"status\":{\"phase\":\"Bound\",\"reason\":\"why\"}}",
	      "[\"n\",\"1Gi\",\"RWO,RWX\",\"Retain\",\"Bound\",\"ns/c\",\"fast\",\"<unset>\","
	      "\"why\",\"10m\",\"Filesystem\"]");
	check("", "PersistentVolumeClaim",
	      "{" META ",\"spec\":{\"volumeName\":\"v\",\"volumeAttributesClassName\":\"gold\"},"
	      "\"status\":{\"phase\":\"Bound\",\"capacity\":{\"storage\":\"2Gi\"},"
	      "\"accessModes\":[\"ReadOnlyMany\",\"ReadWriteOncePod\"]}}",
	      "[\"n\",\"Bound\",\"v\",\"2Gi\",\"ROX,RWOP\",\"\",\"gold\",\"10m\",\"<unset>\"]");
	check("", "PersistentVolumeClaim",
	      "{\"metadata\":{\"name\":\"n\",\"deletionTimestamp\":\"2026-09-21T14:13:20Z\","
	      "\"annotations\":{\"volume.beta.kubernetes.io/storage-class\":\"old\"}},\"spec\":"
	      "{\"storageClassName\":\"new\",\"volumeMode\":\"Block\"},\"status\":{\"phase\":"
	      "\"Pending\"}}",
	      "[\"n\",\"Terminating\",\"\",\"\",\"\",\"old\",\"<unset>\",\"<unknown>\","
	      "\"Block\"]");
}

static void test_plain(void **state)
{
	(void)state;
	check("", "Namespace", "{" META ",\"status\":{\"phase\":\"Active\"}}",
	      "[\"n\",\"Active\",\"10m\"]");
	check("", "ReplicationController",
	      "{" META
	      ",\"spec\":{\"replicas\":3,\"selector\":{\"a\":\"b\"},\"template\":{\"spec\":"
	      "{\"containers\":[{\"name\":\"x\",\"image\":\"i\"},{\"name\":\"y\",\"image\":\"j\"}]"
	      "}}},\"status\":{\"replicas\":2,\"readyReplicas\":1}}",
	      "[\"n\",3,2,1,\"10m\",\"x,y\",\"i,j\",\"a=b\"]");
	check("", "PodTemplate",
	      "{" META ",\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":"
	      "{\"containers\":[{\"name\":\"x\",\"image\":\"i\"}]}}}",
	      "[\"n\",\"x\",\"i\",\"a=b\"]");
	check("", "Secret", "{" META ",\"type\":\"Opaque\",\"data\":{\"a\":\"\",\"b\":\"\"}}",
	      "[\"n\",\"Opaque\",2,\"10m\"]");
	check("", "ConfigMap", "{" META ",\"data\":{\"a\":\"\"},\"binaryData\":{\"b\":\"\"}}",
	      "[\"n\",2,\"10m\"]");
	check("", "ResourceQuota",
	      "{" META ",\"status\":{\"hard\":{\"pods\":\"3\",\"limits.cpu\":\"2\",\"cpu\":\"1\"},"
	      "\"used\":{\"pods\":\"1\",\"limits.cpu\":\"500m\"}}}",
	      "[\"n\",\"cpu: 0/1, pods: 1/3\",\"limits.cpu: 500m/2\",\"10m\"]");
	check("", "LimitRange", "{" META "}", "[\"n\",\"2026-09-21T14:03:20Z\"]");
	check("rbac.authorization.k8s.io", "Role", "{" META "}",
	      "[\"n\",\"2026-09-21T14:03:20Z\"]");
	check("", "ServiceAccount", "{" META "}", "[\"n\",\"10m\"]");
	check("networking.k8s.io", "IPAddress",
	      "{" META ",\"spec\":{\"parentRef\":{\"resource\":\"Services\",\"namespace\":\"d\","
	      "\"name\":\"K\"}}}",
	      "[\"n\",\"services/d/K\"]");
	check("networking.k8s.io", "IPAddress",
	      "{" META ",\"spec\":{\"parentRef\":{\"group\":\"g\",\"resource\":\"r\","
	      "\"name\":\"k\"}}}",
	      "[\"n\",\"r.g/k\"]");
	check("networking.k8s.io", "ServiceCIDR",
	      "{" META ",\"spec\":{\"cidrs\":[\"10.0.0.0/16\",\"fd::/64\"]}}",
	      "[\"n\",\"10.0.0.0/16,fd::/64\",\"10m\"]");
}

static void test_workloads(void **state)
{
	(void)state;
	check("apps", "Deployment",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\""
	      ":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\""
	      "c\",\"image\":\"i\"},{\"name\":\"d\",\"image\":\"j\"}],\"nodeSelector\":{\"z\":"
	      "\"1\"}}}},\"status\":{\"readyReplicas\":1,\"updatedReplicas\":2,\"availableRepli"
	      "cas\":1}}",
	      "[\"n\",\"1/3\",2,1,\"10m\",\"c,d\",\"i,j\",\"a=b\"]");
	check("apps", "ReplicaSet",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\""
	      ":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\""
	      "c\",\"image\":\"i\"},{\"name\":\"d\",\"image\":\"j\"}],\"nodeSelector\":{\"z\":"
	      "\"1\"}}}},\"status\":{\"replicas\":2}}",
	      "[\"n\",3,2,0,\"10m\",\"c,d\",\"i,j\",\"a=b\"]");
	check("apps", "DaemonSet",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":"
	      "{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"
	      "\"i\"},{\"name\":\"d\",\"image\":\"j\"}],\"nodeSelector\":{\"z\":\"1\"}}}},\"sta"
	      "tus\":{\"desiredNumberScheduled\":4,\"numberReady\":3}}",
	      "[\"n\",4,0,3,0,0,\"z=1\",\"10m\",\"c,d\",\"i,j\",\"a=b\"]");
	check("apps", "StatefulSet",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"replicas\":2,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"s"
	      "pec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"d\",\"image"
	      "\":\"j\"}],\"nodeSelector\":{\"z\":\"1\"}}}}}",
	      "[\"n\",\"0/2\",\"10m\",\"c,d\",\"i,j\"]");
	check("apps", "ControllerRevision",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\",\"o"
	      "wnerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"name\":"
	      "\"w\",\"controller\":true}]},\"revision\":4}",
	      "[\"n\",\"statefulset.apps/w\",4,\"10m\"]");
	check("batch", "Job",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"completions\":2,\"parallelism\":1,\"template\":{\"metadata\":{\"labels"
	      "\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\""
	      "name\":\"d\",\"image\":\"j\"}],\"nodeSelector\":{\"z\":\"1\"}}}},\"status\":{\"s"
	      "ucceeded\":1,\"startTime\":\"2026-09-21T14:12:20Z\"}}",
	      "[\"n\",\"Running\",\"1/2\",\"60s\",\"10m\",\"c,d\",\"i,j\",\"<none>\"]");
	check("batch", "Job",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"parallelism\":3,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},"
	      "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"d\",\"ima"
	      "ge\":\"j\"}],\"nodeSelector\":{\"z\":\"1\"}}}},\"status\":{\"succeeded\":1,\"con"
	      "ditions\":[{\"type\":\"Complete\",\"status\":\"True\"}],\"startTime\":\"2026-09-"
	      "21T14:03:20Z\",\"completionTime\":\"2026-09-21T14:03:50Z\"}}",
	      "[\"n\",\"Complete\",\"1/1 of 3\",\"30s\",\"10m\",\"c,d\",\"i,j\",\"<none>\"]");
	check("batch", "CronJob",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"schedule\":\"@daily\",\"suspend\":false,\"jobTemplate\":{\"spec\":{\"t"
	      "emplate\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\""
	      "name\":\"c\",\"image\":\"i\"},{\"name\":\"d\",\"image\":\"j\"}],\"nodeSelector\""
	      ":{\"z\":\"1\"}}}}}},\"status\":{\"active\":[{}]}}",
	      "[\"n\",\"@daily\",\"<none>\",\"False\",1,\"<none>\",\"10m\",\"c,d\",\"i,j\",\"<n"
	      "one>\"]");
	check("policy", "PodDisruptionBudget",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"minAvailable\":\"50%\"},\"status\":{\"disruptionsAllowed\":1}}",
	      "[\"n\",\"50%\",\"N/A\",1,\"10m\"]");
	check("autoscaling", "HorizontalPodAutoscaler",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},\"minReplica"
	      "s\":1,\"maxReplicas\":4,\"metrics\":[{\"type\":\"Resource\",\"resource\":{\"name"
	      "\":\"cpu\",\"target\":{\"averageUtilization\":80}}},{\"type\":\"Pods\",\"pods\":"
	      "{\"target\":{\"averageValue\":\"5\"}}},{\"type\":\"External\",\"external\":{\"ta"
	      "rget\":{\"averageValue\":\"5\"}}}]},\"status\":{\"currentReplicas\":2,\"currentM"
	      "etrics\":[{\"type\":\"Resource\",\"resource\":{\"current\":{\"averageUtilization"
	      "\":7}}}]}}",
	      "[\"n\",\"Deployment/d\",\"cpu: 7%/80%, <unknown>/5 + 1 more...\",\"1\",4,2,\"10m"
	      "\"]");
}

static void test_access(void **state)
{
	(void)state;
	check("rbac.authorization.k8s.io", "RoleBinding",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "roleRef\":{\"kind\":\"Role\",\"name\":\"r\"},\"subjects\":[{\"kind\":\"User\",\""
	      "name\":\"u\"},{\"kind\":\"User\",\"name\":\"v\"},{\"kind\":\"ServiceAccount\",\""
	      "namespace\":\"s\",\"name\":\"a\"}]}",
	      "[\"n\",\"Role/r\",\"10m\",\"u, v\",\"\",\"s/a\"]");
	check("certificates.k8s.io", "CertificateSigningRequest",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"signerName\":\"s\",\"username\":\"u\",\"expirationSeconds\":3600},\"st"
	      "atus\":{\"conditions\":[{\"type\":\"Approved\",\"status\":\"True\"}],\"certifica"
	      "te\":\"AA==\"}}",
	      "[\"n\",\"10m\",\"s\",\"u\",\"60m\",\"Approved,Issued\"]");
	check("admissionregistration.k8s.io", "ValidatingAdmissionPolicy",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"validations\":[{}],\"paramKind\":{\"apiVersion\":\"v1\",\"kind\":\"Con"
	      "figMap\"}}}",
	      "[\"n\",1,\"v1/ConfigMap\",\"10m\"]");
	check("scheduling.k8s.io", "PriorityClass",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "value\":7,\"preemptionPolicy\":\"Never\"}",
	      "[\"n\",7,false,\"10m\",\"Never\"]");
	check("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"type\":\"Limited\",\"limited\":{\"nominalConcurrencyShares\":5,\"limit"
	      "Response\":{\"queuing\":{\"queues\":1,\"handSize\":2,\"queueLengthLimit\":3}}}}}",
	      "[\"n\",\"Limited\",5,1,2,3,\"10m\"]");
	check("apiregistration.k8s.io", "APIService",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"service\":{\"namespace\":\"a\",\"name\":\"b\"}},\"status\":{\"conditio"
	      "ns\":[{\"type\":\"Available\",\"status\":\"False\",\"reason\":\"R\"}]}}",
	      "[\"n\",\"a/b\",\"False (R)\",\"10m\"]");
	check("resource.k8s.io", "ResourceClaim",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "status\":{\"allocation\":{},\"reservedFor\":[{}]}}",
	      "[\"n\",\"allocated,reserved\",\"10m\"]");
	check("networking.k8s.io", "Ingress",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"tls\":[{}],\"rules\":[{\"host\":\"a\"},{\"host\":\"b\"},{\"host\":\"c"
	      "\"},{\"host\":\"d\"}]},\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"2.2."
	      "2.2\"},{\"hostname\":\"h\"}]}}}",
	      "[\"n\",\"<none>\",\"a,b,c + 1 more...\",\"2.2.2.2,h\",\"80, 443\",\"10m\"]");
	check("storage.k8s.io", "StorageClass",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\",\"a"
	      "nnotations\":{\"storageclass.kubernetes.io/is-default-class\":\"true\"}},\"provi"
	      "sioner\":\"p\"}",
	      "[\"n (default)\",\"p\",\"Delete\",\"Immediate\",false,\"10m\"]");
	check("storage.k8s.io", "CSIDriver",
	      "{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-09-21T14:03:20Z\"},\""
	      "spec\":{\"tokenRequests\":[{\"audience\":\"a\"},{\"audience\":\"b\"}]}}",
	      "[\"n\",true,false,false,\"a,b\",false,\"<none>\",\"10m\"]");
}

/* Of every kind there are as many cells as columns, also of nothing. */
static void test_every_column_has_a_cell(void **state)
{
	cox_autobuf out = COX_BUF_INIT;
	unsigned seen = 0;

	(void)state;
	for (uint32_t i = 0; i < schema_builtin.resource_count; i++) {
		const struct schema_resource *row = &schema_builtin.resources[i];
		cox_autoarena arena = ARENA_INIT;
		const struct value *made;

		if (!(row->verbs & SCHEMA_LIST))
			continue;
		cells(schema_text(&schema_builtin, row->group),
		      schema_text(&schema_builtin, row->kind), "{}", &out);
		made = json_parse(&arena, out.data, out.size, NULL, NULL);
		assert_non_null(made);
		if (made->count != row->column_count)
			fail_msg("%s: %u cells, %u columns",
				 schema_text(&schema_builtin, row->kind), made->count,
				 row->column_count);
		seen++;
	}
	assert_true(seen > 55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pod_phases),   cmocka_unit_test(test_pod_init),
		cmocka_unit_test(test_pod_restarts), cmocka_unit_test(test_pod_deleted),
		cmocka_unit_test(test_pod_wide),     cmocka_unit_test(test_services),
		cmocka_unit_test(test_endpoints),    cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_events),	     cmocka_unit_test(test_storage),
		cmocka_unit_test(test_plain),	     cmocka_unit_test(test_every_column_has_a_cell),
		cmocka_unit_test(test_workloads),    cmocka_unit_test(test_access),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
