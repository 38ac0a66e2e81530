/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints controller: subsets, readiness, ports and few writes. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

static void put_service(struct fixture *f, const char *name, const char *spec)
{
	put(f, "services",
	    "{'kind':'Service','apiVersion':'v1','metadata':{'name':'%s','namespace':'n',"
	    "'labels':{'tier':'x'},'creationTimestamp':'2026-01-01T00:00:00Z'},'spec':{%s}}",
	    name, spec);
}

static void put_pod(struct fixture *f, const char *name, const char *ip, bool ready,
		    const char *spec)
{
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'%s','namespace':'n','labels':{"
	    "'app':'web'}},'spec':{'nodeName':'m1',%s'containers':[{'name':'c','ports':[{'name':"
	    "'http','containerPort':8080}]}]},'status':{'phase':'Running','podIP':'%s','podIPs':"
	    "[{'ip':'%s'}],'conditions':[{'type':'Ready','status':'%s','lastTransitionTime':"
	    "'2026-01-02T00:00:00Z'}]}}",
	    name, spec, ip, ip, ready ? "True" : "False");
}

static const char *of(struct fixture *f, const char *name, const char *path)
{
	return field(f, "endpoints", "n", name, path);
}

static void test_lists(void **state)
{
	struct fixture *f = *state;
	char wanted[512];

	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80,'targetPort':'http'}]");
	put_pod(f, "a", "10.0.0.1", true, "");
	put_pod(f, "b", "10.0.0.2", false, "");
	fixture_run(f, "endpoints", NULL);
	eventually(exists(f, "endpoints", "n", "web"));
	snprintf(wanted, sizeof(wanted),
		 "[{\"addresses\":[{\"ip\":\"10.0.0.1\",\"nodeName\":\"m1\",\"targetRef\":{"
		 "\"kind\":\"Pod\",\"namespace\":\"n\",\"name\":\"a\",\"uid\":\"%s\"}}],"
		 "\"notReadyAddresses\":[{\"ip\":\"10.0.0.2\",\"nodeName\":\"m1\",\"targetRef\":{"
		 "\"kind\":\"Pod\",\"namespace\":\"n\",\"name\":\"b\",\"uid\":\"%s\"}}],"
		 "\"ports\":[{\"port\":8080,\"protocol\":\"TCP\"}]}]",
		 field(f, "pods", "n", "a", "metadata.uid"),
		 field(f, "pods", "n", "b", "metadata.uid"));
	assert_string_equal(of(f, "web", "subsets"), wanted);
	assert_string_equal(
		of(f, "web", "metadata.labels"),
		"{\"tier\":\"x\",\"endpoints.kubernetes.io/managed-by\":\"endpoint-controller\"}");
	assert_string_equal(
		of(f, "web",
		   "metadata.annotations[\"endpoints.kubernetes.io/last-change-trigger-time\"]"),
		"2026-01-01T00:00:00Z");
	/* Ready now, and then gone. */
	put_pod(f, "b", "10.0.0.2", true, "");
	eventually(!strcmp(of(f, "web", "subsets[0].addresses[1].ip"), "10.0.0.2"));
	assert_string_equal(of(f, "web", "subsets[0].notReadyAddresses"), "");
	fake_remove(f->server, "pods", "n", "a");
	eventually(!strcmp(of(f, "web", "subsets[0].addresses[0].ip"), "10.0.0.2"));
	fake_remove(f->server, "services", "n", "web");
	eventually(!exists(f, "endpoints", "n", "web"));
}

static void test_few_writes(void **state)
{
	struct fixture *f = *state;

	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80}]");
	put_pod(f, "a", "10.0.0.1", true, "");
	fixture_run(f, "endpoints", NULL);
	eventually(exists(f, "endpoints", "n", "web"));
	put_pod(f, "a", "10.0.0.1", true, "'priority':7,");
	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80}],'x':1");
	put_service(f, "mark", "'selector':{'app':'web'}");
	eventually(exists(f, "endpoints", "n", "mark"));
	assert_int_equal(fake_requests(f->server, CLIENT_UPDATE, "endpoints"), 0);
	assert_int_equal(fake_requests(f->server, CLIENT_CREATE, "endpoints"), 2);
	/* No ports and not headless: nothing to offer. */
	assert_string_equal(of(f, "mark", "subsets"), "[]");
}

static void test_unready_published(void **state)
{
	struct fixture *f = *state;

	put_service(f, "db",
		    "'clusterIP':'None','publishNotReadyAddresses':true,'selector':{'app':'web'}");
	put_pod(f, "a", "10.0.0.1", false, "'hostname':'db-0','subdomain':'db',");
	fixture_run(f, "endpoints", NULL);
	eventually(!strcmp(of(f, "db", "subsets[0].addresses[0].hostname"), "db-0"));
	assert_string_equal(of(f, "db", "subsets[0].ports"), "");
	assert_string_equal(of(f, "db", "metadata.labels[\"service.kubernetes.io/headless\"]"), "");
	assert_non_null(
		strstr(of(f, "db", "metadata.labels"), "\"service.kubernetes.io/headless\":\"\""));
}

static void test_ports_apart(void **state)
{
	struct fixture *f = *state;

	put_service(f, "web",
		    "'selector':{'app':'web'},'ports':[{'name':'n','port':80,'targetPort':'http'},"
		    "{'name':'x','port':81,'targetPort':'extra'}]");
	put_pod(f, "a", "10.0.0.1", true, "");
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'b','namespace':'n','labels':{"
	    "'app':'web'}},'spec':{'containers':[{'name':'c','ports':[{'name':'http',"
	    "'containerPort':9090},{'name':'extra','containerPort':9091}]}]},'status':{'phase':"
	    "'Running','podIP':'10.0.0.2'}}");
	fixture_run(f, "endpoints", NULL);
	eventually(!strcmp(of(f, "web", "subsets[1].ports"),
			   "[{\"name\":\"n\",\"port\":9090,\"protocol\":\"TCP\"},{\"name\":\"x\","
			   "\"port\":9091,\"protocol\":\"TCP\"}]"));
	assert_string_equal(of(f, "web", "subsets[0].ports"),
			    "[{\"name\":\"n\",\"port\":8080,\"protocol\":\"TCP\"}]");
	assert_string_equal(of(f, "web", "subsets[1].notReadyAddresses[0].ip"), "10.0.0.2");
}

static void test_left_out(void **state)
{
	struct fixture *f = *state;

	put(f, "endpoints",
	    "{'kind':'Endpoints','apiVersion':'v1','metadata':{'name':'glusterfs','namespace':'n'},"
	    "'subsets':[{'addresses':[{'ip':'1.2.3.4'}]}]}");
	put(f, "endpoints",
	    "{'kind':'Endpoints','apiVersion':'v1','metadata':{'name':'left','namespace':'n',"
	    "'labels':{'endpoints.kubernetes.io/managed-by':'endpoint-controller'}}}");
	put_service(f, "byhand", "'ports':[{'port':80}]");
	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80}]");
	put_pod(f, "a", "", true, "");
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'ended','namespace':'n','labels':{"
	    "'app':'web'}},'status':{'phase':'Succeeded','podIP':'10.0.0.3'}}");
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'going','namespace':'n','labels':{"
	    "'app':'web'},'deletionTimestamp':'2026-01-01T00:00:00Z','finalizers':['x.io/y']},"
	    "'status':{'phase':'Running','podIP':'10.0.0.4'}}");
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'bare','namespace':'n'},'status':{"
	    "'phase':'Running','podIP':'10.0.0.5'}}");
	fixture_run(f, "endpoints", NULL);
	eventually(exists(f, "endpoints", "n", "web"));
	assert_string_equal(of(f, "web", "subsets"), "[]");
	/* One that was made for a service that is gone goes; a hand-made one stays. */
	eventually(!exists(f, "endpoints", "n", "left"));
	assert_true(exists(f, "endpoints", "n", "glusterfs"));
	assert_false(exists(f, "endpoints", "n", "byhand"));
}

static void test_too_many(void **state)
{
	struct fixture *f = *state;
	char name[32], ip[64];

	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80}]");
	for (int i = 0; i < 1001; i++) {
		snprintf(name, sizeof(name), "p%04d", i);
		snprintf(ip, sizeof(ip), "10.0.%d.%d", i / 250, i % 250 + 1);
		put_pod(f, name, ip, i > 0, "");
	}
	fixture_run(f, "endpoints", NULL);
	eventually(!strcmp(
		of(f, "web", "metadata.annotations[\"endpoints.kubernetes.io/over-capacity\"]"),
		"truncated"));
	/* The one that is not ready had to stay out. */
	assert_string_equal(of(f, "web", "subsets[0].addresses[999].targetRef.name"), "p1000");
	assert_string_equal(of(f, "web", "subsets[0].notReadyAddresses"), "");
}

/* Ready pods of the second subset come before those of the first that are not. */
static void test_too_many_in_two_subsets(void **state)
{
	struct fixture *f = *state;
	char name[32], ip[64];

	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80,'targetPort':'http'}]");
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "p%04d", i);
		snprintf(ip, sizeof(ip), "10.0.%d.%d", i / 250, i % 250 + 1);
		put_pod(f, name, ip, i < 300, "");
		put(f, "pods",
		    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'q%04d','namespace':'n',"
		    "'labels':{'app':'web'}},'spec':{'containers':[{'name':'c','ports':[{'name':"
		    "'http','containerPort':9090}]}]},'status':{'phase':'Running','podIP':"
		    "'10.1.%d.%d','conditions':[{'type':'Ready','status':'True'}]}}",
		    i, i / 250, i % 250 + 1);
	}
	fixture_run(f, "endpoints", NULL);
	eventually(!strcmp(
		of(f, "web", "metadata.annotations[\"endpoints.kubernetes.io/over-capacity\"]"),
		"truncated"));
	assert_string_equal(of(f, "web", "subsets[0].addresses[299].targetRef.name"), "p0299");
	assert_string_equal(of(f, "web", "subsets[0].addresses[300].ip"), "");
	assert_string_equal(of(f, "web", "subsets[0].notReadyAddresses[99].targetRef.name"),
			    "p0399");
	assert_string_equal(of(f, "web", "subsets[0].notReadyAddresses[100].ip"), "");
	assert_string_equal(of(f, "web", "subsets[1].addresses[599].targetRef.name"), "q0599");
}

/* A peer that is on its way out is still told of, where unready ones are wanted. */
static void test_going_published(void **state)
{
	struct fixture *f = *state;

	put_service(f, "db",
		    "'clusterIP':'None','publishNotReadyAddresses':true,'selector':{'app':'web'}");
	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80}]");
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'going','namespace':'n','labels':{"
	    "'app':'web'},'deletionTimestamp':'2026-01-01T00:00:00Z','finalizers':['x.io/y']},"
	    "'status':{'phase':'Running','podIP':'10.0.0.4','conditions':[{'type':'Ready','status':"
	    "'True'}]}}");
	fixture_run(f, "endpoints", NULL);
	eventually(!strcmp(of(f, "db", "subsets[0].addresses[0].ip"), "10.0.0.4"));
	eventually(!strcmp(of(f, "web", "subsets"), "[]"));
}

/* The annotation goes when there is room again. */
static void test_capacity_again(void **state)
{
	struct fixture *f = *state;
	char name[32], ip[64];

	put_service(f, "web", "'selector':{'app':'web'},'ports':[{'port':80}]");
	for (int i = 0; i < 1001; i++) {
		snprintf(name, sizeof(name), "p%04d", i);
		snprintf(ip, sizeof(ip), "10.0.%d.%d", i / 250, i % 250 + 1);
		put_pod(f, name, ip, true, "");
	}
	fixture_run(f, "endpoints", NULL);
	eventually(!strcmp(
		of(f, "web", "metadata.annotations[\"endpoints.kubernetes.io/over-capacity\"]"),
		"truncated"));
	fake_remove(f->server, "pods", "n", "p0000");
	eventually(
		!*of(f, "web", "metadata.annotations[\"endpoints.kubernetes.io/over-capacity\"]"));
	assert_string_equal(of(f, "web", "subsets[0].addresses[999].targetRef.name"), "p1000");
}

/* An IPv6 service lists the IPv6 addresses of its pods; who has none is left out. */
static void test_families(void **state)
{
	struct fixture *f = *state;

	put_service(f, "six",
		    "'ipFamilies':['IPv6'],'clusterIP':'fd00::1','selector':{'app':'web'},'ports':["
		    "{'port':80}]");
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'both','namespace':'n','labels':{"
	    "'app':'web'}},'status':{'phase':'Running','podIP':'10.0.0.4','podIPs':[{'ip':"
	    "'10.0.0.4'},{'ip':'fd00::4'}],'conditions':[{'type':'Ready','status':'True'}]}}");
	put_pod(f, "four", "10.0.0.5", true, "");
	fixture_run(f, "endpoints", NULL);
	eventually(!strcmp(of(f, "six", "subsets[0].addresses[0].ip"), "fd00::4"));
	assert_string_equal(of(f, "six", "subsets[0].addresses[1].ip"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_lists),
		with_server(test_few_writes),
		with_server(test_unready_published),
		with_server(test_ports_apart),
		with_server(test_left_out),
		with_server(test_too_many),
		with_server(test_too_many_in_two_subsets),
		with_server(test_capacity_again),
		with_server(test_going_published),
		with_server(test_families),
	};

	return cmocka_run_group_tests_name("endpoints", tests, NULL, NULL);
}
