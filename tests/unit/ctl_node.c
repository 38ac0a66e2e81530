/* SPDX-License-Identifier: Apache-2.0 */
/* The node controller: silence, taints, evictions and ranges of addresses. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

static void put_node(struct fixture *f, const char *name, const char *ready, const char *spec)
{
	put(f, "nodes",
	    "{'kind':'Node','apiVersion':'v1','metadata':{'name':'%s'},'spec':{%s},'status':{"
	    "'conditions':[{'type':'Ready','status':'%s','lastHeartbeatTime':"
	    "'2026-01-01T00:00:00Z'}]}}",
	    name, spec, ready);
}

static void renew(struct fixture *f, const char *name, unsigned count)
{
	put(f, "leases",
	    "{'kind':'Lease','apiVersion':'coordination.k8s.io/v1','metadata':{'name':'%s',"
	    "'namespace':'kube-node-lease'},'spec':{'renewTime':'2026-01-01T00:00:00.%06uZ'}}",
	    name, count);
}

static void put_pod(struct fixture *f, const char *name, const char *node, const char *spec)
{
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'%s','namespace':'n'},'spec':{"
	    "'nodeName':'%s'%s},'status':{'phase':'Running','conditions':[{'type':'Ready','status':"
	    "'True'}]}}",
	    name, node, spec);
}

static const char *of(struct fixture *f, const char *name, const char *path)
{
	return field(f, "nodes", "", name, path);
}

static void test_lost(void **state)
{
	struct fixture *f = *state;
	unsigned count = 0;

	put_node(f, "alive", "True", "");
	put_node(f, "lost", "True", "");
	put_pod(f, "a", "lost", "");
	put_pod(f, "b", "alive", "");
	put_pod(f, "stays", "lost",
		",'tolerations':[{'key':'node.kubernetes.io/unreachable','operator':'Exists'}]");
	fixture_run(f, "node", "monitor-period", "20ms", "monitor-grace-period", "500ms",
		    "eviction-timeout", "1s", NULL);
	/* One renews its lease, the other does not. */
	eventually((renew(f, "alive", ++count),
		    !strcmp(of(f, "lost", "status.conditions[0].status"), "Unknown")));
	assert_string_equal(of(f, "lost", "status.conditions[0].reason"), "NodeStatusUnknown");
	assert_string_equal(of(f, "lost", "status.conditions[0].message"),
			    "Kubelet stopped posting node status.");
	assert_string_equal(of(f, "alive", "status.conditions[0].status"), "True");
	eventually((renew(f, "alive", ++count),
		    !strcmp(of(f, "lost", "spec.taints[1].effect"), "NoExecute")));
	assert_string_equal(of(f, "lost", "spec.taints[0].key"), "node.kubernetes.io/unreachable");
	assert_string_equal(of(f, "lost", "spec.taints[0].effect"), "NoSchedule");
	assert_true(exists(f, "pods", "n", "a")); /* it has a second */
	eventually(
		(renew(f, "alive", ++count),
		 !strcmp(field(f, "pods", "n", "stays", "status.conditions[0].status"), "False")));
	eventually((renew(f, "alive", ++count), !exists(f, "pods", "n", "a")));
	assert_true(exists(f, "pods", "n", "b"));
	assert_true(exists(f, "pods", "n", "stays"));
	eventually((renew(f, "alive", ++count),
		    has_event(f, "NodeNotReady", "Node lost status is now: NodeNotReady")));
	eventually((renew(f, "alive", ++count),
		    has_event(f, "TaintManagerEviction", "Marking for deletion Pod n/a")));
}

static void test_comes_back(void **state)
{
	struct fixture *f = *state;

	put_node(f, "m", "Unknown",
		 "'taints':[{'key':'node.kubernetes.io/unreachable','effect':'NoSchedule'},{'key':"
		 "'mine','effect':'NoSchedule'},{'key':'node.kubernetes.io/unreachable','effect':"
		 "'NoExecute'}]");
	put_pod(f, "a", "m", "");
	fixture_run(f, "node", "monitor-period", "20ms", NULL);
	put_node(f, "m", "True",
		 "'taints':[{'key':'mine','effect':'NoSchedule'},{'key':"
		 "'node.kubernetes.io/unreachable','effect':'NoSchedule'}]");
	eventually(!strcmp(of(f, "m", "spec.taints"),
			   "[{\"key\":\"mine\",\"effect\":\"NoSchedule\"}]"));
}

static void test_none_alive(void **state)
{
	struct fixture *f = *state;

	put_node(f, "a", "True", "");
	put_node(f, "b", "True", "");
	put_pod(f, "p", "a", "");
	fixture_run(f, "node", "monitor-period", "20ms", "monitor-grace-period", "50ms",
		    "eviction-timeout", "0", NULL);
	eventually(!strcmp(of(f, "a", "spec.taints[0].key"), "node.kubernetes.io/unreachable"));
	eventually(!strcmp(of(f, "b", "spec.taints[0].key"), "node.kubernetes.io/unreachable"));
	/* The one that came last found a ready one before it, perhaps; then none is left. */
	put_node(f, "late", "Unknown", "");
	eventually(!strcmp(of(f, "late", "spec.taints[0].effect"), "NoSchedule"));
	assert_string_equal(of(f, "late", "spec.taints[1].effect"), "");
}

static void test_never_posted(void **state)
{
	struct fixture *f = *state;

	put(f, "nodes", "{'kind':'Node','apiVersion':'v1','metadata':{'name':'m'}}");
	fixture_run(f, "node", "monitor-period", "20ms", "startup-grace-period", "50ms", NULL);
	eventually(!strcmp(of(f, "m", "status.conditions[3].type"), "PIDPressure"));
	assert_string_equal(of(f, "m", "status.conditions[0].status"), "Unknown");
	assert_string_equal(of(f, "m", "status.conditions[0].reason"), "NodeStatusNeverUpdated");
	assert_string_equal(of(f, "m", "status.conditions[0].message"),
			    "Kubelet never posted node status.");
	eventually(has_event(f, "RegisteredNode", "Node m event: Registered Node m in Controller"));
}

static void test_conditions_taint(void **state)
{
	struct fixture *f = *state;

	put(f, "nodes",
	    "{'kind':'Node','apiVersion':'v1','metadata':{'name':'m'},'spec':{'unschedulable':true}"
	    ","
	    "'status':{'conditions':[{'type':'Ready','status':'True'},{'type':'DiskPressure',"
	    "'status':'True'}]}}");
	fixture_run(f, "node", NULL);
	eventually(!strcmp(of(f, "m", "spec.taints[1].key"), "node.kubernetes.io/unschedulable"));
	assert_string_equal(of(f, "m", "spec.taints[0].key"), "node.kubernetes.io/disk-pressure");
	assert_string_equal(of(f, "m", "spec.taints[0].effect"), "NoSchedule");
}

static void test_ranges(void **state)
{
	struct fixture *f = *state;

	put_node(f, "a", "True", "'podCIDR':'10.244.1.0/24'");
	fixture_run(f, "node", "monitor-period", "50ms", "allocate-node-cidrs", "true",
		    "cluster-cidr", "10.244.0.0/22", "service-cluster-ip-range", "10.244.3.0/24",
		    NULL);
	put_node(f, "b", "True", "");
	eventually(!strcmp(of(f, "b", "spec.podCIDR"), "10.244.0.0/24"));
	put_node(f, "c", "True", "");
	eventually(!strcmp(of(f, "c", "spec.podCIDRs"), "[\"10.244.2.0/24\"]"));
	put_node(f, "d", "True", "");
	eventually(has_event(f, "CIDRNotAvailable", "Node d status is now: CIDRNotAvailable"));
	assert_string_equal(of(f, "d", "spec.podCIDR"), "");
	/* What a node leaves is given again. */
	fake_remove(f->server, "nodes", "", "a");
	eventually(!strcmp(of(f, "d", "spec.podCIDR"), "10.244.1.0/24"));
}

static void test_bad_range(void **state)
{
	struct fixture *f = *state;
	cox_autoerror err = COX_ERROR_INIT;

	f->plugin = host_open(f->host, "controller", "node", "test", &err);
	assert_non_null(f->plugin);
	assert_int_equal(host_set_option(f->plugin, "allocate-node-cidrs", "true", "t", &err), 0);
	assert_int_equal(host_set_option(f->plugin, "cluster-cidr", "10.0.0.0", "t", &err), 0);
	assert_int_equal(host_configure(f->plugin, &err), -1);
	assert_non_null(strstr(error_text(&err),
			       "cluster-cidr: \"10.0.0.0\" is no range of addresses; "
			       "allocate-node-cidrs needs one, such as 10.244.0.0/16"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_lost),
		with_server(test_comes_back),
		with_server(test_none_alive),
		with_server(test_never_posted),
		with_server(test_conditions_taint),
		with_server(test_ranges),
		with_server(test_bad_range),
	};

	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
