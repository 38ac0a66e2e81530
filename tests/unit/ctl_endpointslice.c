/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint slice controller: slices of pods and copies of Endpoints. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define SLICES "endpointslices"

static void put_service(struct fixture *f, const char *name, const char *spec)
{
	put(f, "services",
	    "{'kind':'Service','apiVersion':'v1','metadata':{'name':'%s','namespace':'n',"
	    "'labels':{'tier':'x'},'creationTimestamp':'2026-01-01T00:00:00Z'},'spec':{%s}}",
	    name, spec);
}

static void put_pod(struct fixture *f, const char *name, const char *ip, bool ready,
		    const char *metadata)
{
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'%s','namespace':'n','labels':{"
	    "'app':'web'}%s},'spec':{'nodeName':'m1','containers':[]},'status':{'phase':'Running',"
	    "'podIP':'%s','conditions':[{'type':'Ready','status':'%s','lastTransitionTime':"
	    "'2026-01-02T00:00:00Z'}]}}",
	    name, metadata, ip, ready ? "True" : "False");
}

/* Of the `index`th slice; "" if there is none. */
static const char *of(struct fixture *f, size_t index, const char *path)
{
	cox_autoobject *slice = fake_at(f->server, SLICES, index);

	return slice ? field(f, SLICES, object_namespace(slice), object_name(slice), path) : "";
}

static size_t endpoints_in(struct fixture *f, size_t index)
{
	cox_autoobject *slice = fake_at(f->server, SLICES, index);
	const struct value *list = object_path(object_root(slice), "endpoints");

	return list ? list->count : 0;
}

static void test_slice(void **state)
{
	struct fixture *f = *state;
	char wanted[512];

	put(f, "nodes",
	    "{'kind':'Node','apiVersion':'v1','metadata':{'name':'m1','labels':{"
	    "'topology.kubernetes.io/zone':'z'}}}");
	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80}]");
	put_pod(f, "a", "10.0.0.1", true, "");
	fixture_run(f, "endpointslice", NULL);
	eventually(fake_count(f->server, SLICES) == 1);
	snprintf(wanted, sizeof(wanted),
		 "[{\"addresses\":[\"10.0.0.1\"],\"conditions\":{\"ready\":true,\"serving\":true,"
		 "\"terminating\":false},\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"n\","
		 "\"name\":\"a\",\"uid\":\"%s\"},\"nodeName\":\"m1\",\"zone\":\"z\"}]",
		 field(f, "pods", "n", "a", "metadata.uid"));
	assert_string_equal(of(f, 0, "endpoints"), wanted);
	assert_string_equal(of(f, 0, "addressType"), "IPv4");
	assert_string_equal(of(f, 0, "ports"),
			    "[{\"name\":\"\",\"protocol\":\"TCP\",\"port\":80}]");
	assert_memory_equal(of(f, 0, "metadata.name"), "web-", 4);
	assert_string_equal(of(f, 0, "metadata.labels"),
			    "{\"tier\":\"x\",\"endpointslice.kubernetes.io/managed-by\":"
			    "\"endpointslice-controller.k8s.io\",\"kubernetes.io/service-name\":"
			    "\"web\"}");
	assert_string_equal(of(f, 0, "metadata.ownerReferences[0].kind"), "Service");
	assert_string_equal(of(f, 0, "metadata.ownerReferences[0].uid"),
			    field(f, "services", "n", "web", "metadata.uid"));
	assert_string_equal(
		of(f, 0,
		   "metadata.annotations[\"endpoints.kubernetes.io/last-change-trigger-time\"]"),
		"2026-01-01T00:00:00Z");
	/* On its way out it still serves. */
	put_pod(f, "a", "10.0.0.1", true,
		",'deletionTimestamp':'2026-01-03T00:00:00Z','finalizers':['x.io/y']");
	eventually(!strcmp(of(f, 0, "endpoints[0].conditions"),
			   "{\"ready\":false,\"serving\":true,\"terminating\":true}"));
	assert_int_equal(fake_requests(f->server, CLIENT_CREATE, SLICES), 1);
}

static void test_placeholder(void **state)
{
	struct fixture *f = *state;

	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80}]");
	fixture_run(f, "endpointslice", NULL);
	eventually(fake_count(f->server, SLICES) == 1);
	assert_string_equal(of(f, 0, "endpoints"), "[]");
	assert_string_equal(of(f, 0, "ports"), "[]");
	put_pod(f, "a", "10.0.0.1", true, "");
	/* The empty one is written over, none is made or deleted. */
	eventually(!strcmp(of(f, 0, "endpoints[0].addresses[0]"), "10.0.0.1"));
	fake_remove(f->server, "pods", "n", "a");
	eventually(!strcmp(of(f, 0, "endpoints"), "[]"));
	assert_int_equal(fake_requests(f->server, CLIENT_CREATE, SLICES), 1);
	assert_int_equal(fake_requests(f->server, CLIENT_DELETE, SLICES), 0);
	assert_int_equal(fake_requests(f->server, CLIENT_UPDATE, SLICES), 2);
}

static void test_hundred(void **state)
{
	struct fixture *f = *state;
	char name[32], ip[64];

	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "p%03d", i);
		snprintf(ip, sizeof(ip), "10.0.1.%d", i + 1);
		put_pod(f, name, ip, true, "");
	}
	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80}]");
	fixture_run(f, "endpointslice", NULL);
	eventually(endpoints_in(f, 0) == 100 && endpoints_in(f, 1) == 50);
	/* One more goes where there is room; the full slice is not touched. */
	put_pod(f, "p150", "10.0.2.1", true, "");
	eventually(endpoints_in(f, 1) == 51);
	assert_int_equal(fake_requests(f->server, CLIENT_UPDATE, SLICES), 1);
	/* One less in the full one is one write more. */
	fake_remove(f->server, "pods", "n", "p000");
	eventually(endpoints_in(f, 0) == 99);
	put_pod(f, "p160", "10.0.2.2", true, "");
	eventually(endpoints_in(f, 0) == 100);
	assert_int_equal(fake_requests(f->server, CLIENT_UPDATE, SLICES), 3);
	assert_int_equal(fake_count(f->server, SLICES), 2);
}

static void test_unready_published(void **state)
{
	struct fixture *f = *state;

	put_service(f, "db",
		    "'clusterIP':'None','publishNotReadyAddresses':true,'selector':{'app':'web'}");
	put_pod(f, "a", "10.0.0.1", false, "");
	fixture_run(f, "endpointslice", NULL);
	eventually(!strcmp(of(f, 0, "endpoints[0].conditions"),
			   "{\"ready\":true,\"serving\":false,\"terminating\":false}"));
	assert_non_null(
		strstr(of(f, 0, "metadata.labels"), "\"service.kubernetes.io/headless\":\"\""));
}

/* Finds the slice of an address family; "" if there is none. */
static const char *of_family(struct fixture *f, const char *family, const char *path)
{
	for (size_t i = 0; i < fake_count(f->server, SLICES); i++) {
		if (!strcmp(of(f, i, "addressType"), family))
			return of(f, i, path);
	}
	return "";
}

static void put_endpoints(struct fixture *f, const char *labels, const char *ip)
{
	put(f, "endpoints",
	    "{'kind':'Endpoints','apiVersion':'v1','metadata':{'name':'ext','namespace':'n',"
	    "'labels':{%s}},'subsets':[{'addresses':[{'ip':'%s'}],'notReadyAddresses':[{'ip':"
	    "'fd00::1'}],'ports':[{'name':'p','port':5432}]}]}",
	    labels, ip);
}

static void test_mirror(void **state)
{
	struct fixture *f = *state;

	put_service(f, "ext", "'ports':[{'port':5432}]");
	put_endpoints(f, "'a':'b'", "1.2.3.4");
	fixture_run(f, "endpointslice", NULL);
	eventually(fake_count(f->server, SLICES) == 2);
	assert_string_equal(of(f, 0, "endpoints"),
			    "[{\"addresses\":[\"1.2.3.4\"],\"conditions\":{\"ready\":true}}]");
	assert_string_equal(of(f, 0, "ports"),
			    "[{\"name\":\"p\",\"protocol\":\"TCP\",\"port\":5432}]");
	assert_string_equal(of(f, 0, "metadata.labels"),
			    "{\"a\":\"b\",\"endpointslice.kubernetes.io/managed-by\":"
			    "\"endpointslicemirroring-controller.k8s.io\","
			    "\"kubernetes.io/service-name\":\"ext\"}");
	assert_string_equal(of(f, 0, "metadata.ownerReferences[0].kind"), "Endpoints");
	assert_string_equal(of(f, 1, "addressType"), "IPv6");
	assert_string_equal(of(f, 1, "endpoints[0].conditions.ready"), "false");
	put_endpoints(f, "'a':'b'", "1.2.3.5");
	eventually(!strcmp(of(f, 0, "endpoints[0].addresses[0]"), "1.2.3.5"));
	put_endpoints(f, "'endpointslice.kubernetes.io/skip-mirror':'true'", "1.2.3.5");
	eventually(fake_count(f->server, SLICES) == 0);
}

static void put_annotated(struct fixture *f, const char *annotations)
{
	put(f, "endpoints",
	    "{'kind':'Endpoints','apiVersion':'v1','metadata':{'name':'ext','namespace':'n',"
	    "'annotations':{%s}},'subsets':[{'addresses':[{'ip':'1.2.3.4'}]}]}",
	    annotations);
}

static void test_mirrored_annotations(void **state)
{
	struct fixture *f = *state;

	put_service(f, "ext", "'ports':[{'port':5432}]");
	put_annotated(f, "'a':'1','endpoints.kubernetes.io/last-change-trigger-time':'t'");
	fixture_run(f, "endpointslice", NULL);
	eventually(!strcmp(of(f, 0, "metadata.annotations"), "{\"a\":\"1\"}"));
	/* They alone are reason enough to write. */
	put_annotated(f, "'a':'2','b':'3'");
	eventually(!strcmp(of(f, 0, "metadata.annotations"), "{\"a\":\"2\",\"b\":\"3\"}"));
	put_annotated(f, "");
	eventually(strcmp(of(f, 0, "metadata.annotations"), "{\"a\":\"2\",\"b\":\"3\"}") != 0);
	assert_int_equal(fake_count(f->server, SLICES), 1);
	assert_int_equal(fake_requests(f->server, CLIENT_CREATE, SLICES), 1);
	/* What is not copied is none: no write before the next change of an address. */
	put_annotated(f, "'kubectl.kubernetes.io/last-applied-configuration':'{}'");
	put_endpoints(f, "'a':'b'", "1.2.3.5");
	eventually(!strcmp(of_family(f, "IPv4", "endpoints[0].addresses"), "[\"1.2.3.5\"]"));
	assert_int_equal(fake_requests(f->server, CLIENT_UPDATE, SLICES), 3);
}

static void test_not_mirrored(void **state)
{
	struct fixture *f = *state;

	put_endpoints(f, "'a':'b'", "1.2.3.4");
	fixture_run(f, "endpointslice", NULL);
	put_service(f, "mark", "'selector':{'app':'web'}");
	eventually(fake_count(f->server, SLICES) == 1);
	/* No service, no copy; its service comes, and it is copied. */
	assert_string_equal(of(f, 0, "metadata.labels[\"kubernetes.io/service-name\"]"), "mark");
	put_service(f, "ext", "'ports':[{'port':5432}]");
	eventually(fake_count(f->server, SLICES) == 3);
}

static void test_families(void **state)
{
	struct fixture *f = *state;

	put_service(f, "web",
		    "'ipFamilies':['IPv4','IPv6'],'selector':{'app':'web'},'ports':[{'port':80}]");
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'both','namespace':'n','labels':{"
	    "'app':'web'}},'status':{'phase':'Running','podIP':'10.0.0.4','podIPs':[{'ip':"
	    "'10.0.0.4'},{'ip':'fd00::4'}],'conditions':[{'type':'Ready','status':'True'}]}}");
	fixture_run(f, "endpointslice", NULL);
	eventually(!strcmp(of_family(f, "IPv4", "endpoints[0].addresses"), "[\"10.0.0.4\"]"));
	eventually(!strcmp(of_family(f, "IPv6", "endpoints[0].addresses"), "[\"fd00::4\"]"));
	assert_int_equal(fake_count(f->server, SLICES), 2);
}

/* Each family has an empty slice while it has no endpoints. */
static void test_empty_families(void **state)
{
	struct fixture *f = *state;

	put_service(f, "web",
		    "'ipFamilies':['IPv6','IPv4'],'selector':{'app':'web'},'ports':[{'port':80}]");
	fixture_run(f, "endpointslice", NULL);
	eventually(!strcmp(of_family(f, "IPv4", "endpoints"), "[]") &&
		   !strcmp(of_family(f, "IPv6", "endpoints"), "[]"));
	put_pod(f, "a", "10.0.0.1", true, "");
	eventually(!strcmp(of_family(f, "IPv4", "endpoints[0].addresses[0]"), "10.0.0.1"));
	assert_string_equal(of_family(f, "IPv6", "endpoints"), "[]");
	fake_remove(f->server, "pods", "n", "a");
	eventually(!strcmp(of_family(f, "IPv4", "endpoints"), "[]"));
	assert_int_equal(fake_count(f->server, SLICES), 2);
	assert_int_equal(fake_requests(f->server, CLIENT_CREATE, SLICES), 2);
	assert_int_equal(fake_requests(f->server, CLIENT_DELETE, SLICES), 0);
}

/* A named port is another one in every pod: each number has its slice. */
static void test_named_ports(void **state)
{
	struct fixture *f = *state;

	put_service(f, "web",
		    "'selector':{'app':'web'},'ports':[{'name':'n','port':80,'targetPort':'http',"
		    "'appProtocol':'kubernetes.io/h2c'}]");
	for (int i = 0; i < 3; i++)
		put(f, "pods",
		    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'p%d','namespace':'n',"
		    "'labels':{'app':'web'}},'spec':{'containers':[{'name':'c','ports':[{'name':"
		    "'http','containerPort':%d}]}]},'status':{'phase':'Running','podIP':"
		    "'10.0.0.%d'}}",
		    i, i ? 9090 : 8080, i + 1);
	fixture_run(f, "endpointslice", NULL);
	eventually(fake_count(f->server, SLICES) == 2);
	for (size_t i = 0; i < 2; i++) {
		bool many = endpoints_in(f, i) == 2;

		assert_string_equal(of(f, i, "ports"),
				    many ? "[{\"name\":\"n\",\"protocol\":\"TCP\",\"port\":9090,"
					   "\"appProtocol\":\"kubernetes.io/h2c\"}]"
					 : "[{\"name\":\"n\",\"protocol\":\"TCP\",\"port\":8080,"
					   "\"appProtocol\":\"kubernetes.io/h2c\"}]");
		assert_int_equal(endpoints_in(f, i), many ? 2 : 1);
	}
	assert_int_equal(endpoints_in(f, 0) + endpoints_in(f, 1), 3);
}

static void put_distributed(struct fixture *f, const char *wish)
{
	char spec[256];

	snprintf(spec, sizeof(spec), "'selector':{'app':'web'},'ports':[{'port':80}]%s", wish);
	put_service(f, "web", spec);
}

static void test_hints(void **state)
{
	struct fixture *f = *state;

	put(f, "nodes",
	    "{'kind':'Node','apiVersion':'v1','metadata':{'name':'m1','labels':{"
	    "'topology.kubernetes.io/zone':'z'}}}");
	put_distributed(f, ",'trafficDistribution':'PreferClose'");
	put_pod(f, "a", "10.0.0.1", true, "");
	put_pod(f, "b", "10.0.0.2", false, "");
	fixture_run(f, "endpointslice", NULL);
	eventually(endpoints_in(f, 0) == 2);
	assert_string_equal(of(f, 0, "endpoints[0].hints"), "{\"forZones\":[{\"name\":\"z\"}]}");
	/* Nobody is to prefer what is not ready. */
	assert_string_equal(of(f, 0, "endpoints[1].hints"), "");
	put_distributed(f, ",'trafficDistribution':'PreferSameNode'");
	eventually(!strcmp(of(f, 0, "endpoints[0].hints"),
			   "{\"forZones\":[{\"name\":\"z\"}],\"forNodes\":[{\"name\":\"m1\"}]}"));
	put_distributed(f, ",'trafficDistribution':'PreferSameZone'");
	eventually(!strcmp(of(f, 0, "endpoints[0].hints"), "{\"forZones\":[{\"name\":\"z\"}]}"));
	put_distributed(f, "");
	eventually(!*of(f, 0, "endpoints[0].hints"));
	assert_string_equal(of(f, 0, "endpoints[0].zone"), "z");
}

/* Without a zone there is none to prefer; the node is known all the same. */
static void test_hints_without_zones(void **state)
{
	struct fixture *f = *state;

	put_distributed(f, ",'trafficDistribution':'PreferSameZone'");
	put_pod(f, "a", "10.0.0.1", true, "");
	fixture_run(f, "endpointslice", NULL);
	eventually(endpoints_in(f, 0) == 1);
	assert_string_equal(of(f, 0, "endpoints[0].hints"), "");
	put_distributed(f, ",'trafficDistribution':'PreferSameNode'");
	eventually(!strcmp(of(f, 0, "endpoints[0].hints"), "{\"forNodes\":[{\"name\":\"m1\"}]}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_slice),	  with_server(test_placeholder),
		with_server(test_hundred),	  with_server(test_unready_published),
		with_server(test_mirror),	  with_server(test_mirrored_annotations),
		with_server(test_empty_families), with_server(test_not_mirrored),
		with_server(test_families),	  with_server(test_named_ports),
		with_server(test_hints),	  with_server(test_hints_without_zones),
	};

	return cmocka_run_group_tests_name("endpointslice", tests, NULL, NULL);
}
