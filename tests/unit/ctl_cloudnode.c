/* SPDX-License-Identifier: Apache-2.0 */
/* The cloudnode controller with a cloud of the test's own. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <coxswain/cloud.h>
#include <pthread.h>
#include <string.h>

/* What the cloud says of every machine; under the lock. */
static struct {
	pthread_mutex_t mutex;
	struct cox_cloud_instance instance;
	enum cox_reason fails; /* 0: it does not */
	bool silent;	       /* no machine of its own */
	unsigned calls;
} sky = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static int sky_instance(void *self, const struct cox_call *call, const struct cox_cloud_node *node,
			const struct cox_cloud_instance_sink *sink, struct cox_error *err)
{
	struct cox_cloud_instance instance;
	enum cox_reason fails;
	bool silent;

	(void)self;
	(void)call;
	(void)node;
	pthread_mutex_lock(&sky.mutex);
	instance = sky.instance;
	fails = sky.fails;
	silent = sky.silent;
	sky.calls++;
	pthread_mutex_unlock(&sky.mutex);
	if (fails)
		return error_set(err, fails, "it rains");
	if (!silent)
		sink->instance(sink, &instance);
	return 0;
}

static const struct cox_cloud_ops sky_ops = {.instance = sky_instance};
static const struct cox_cloud sky_cloud = {sizeof(sky_cloud), 0, "sky", NULL, &sky_ops};
static const struct cox_cloud_address outside = {"ExternalIP", "192.0.2.1"};
static const struct cox_cloud_instance large = {.struct_size = sizeof(large),
						.provider_id = "sky://1",
						.type = "large",
						.zone = "z1",
						.region = "r1",
						.addresses = &outside,
						.address_count = 1};

static void say(const struct cox_cloud_instance *instance, uint32_t flags, enum cox_reason fails)
{
	pthread_mutex_lock(&sky.mutex);
	sky.instance = *instance;
	sky.instance.flags = flags;
	sky.fails = fails;
	sky.silent = false;
	pthread_mutex_unlock(&sky.mutex);
}

static unsigned calls(void)
{
	unsigned count;

	pthread_mutex_lock(&sky.mutex);
	count = sky.calls;
	pthread_mutex_unlock(&sky.mutex);
	return count;
}

static int begin(void **state)
{
	fixture_set_up(state);
	((struct fixture *)*state)->cloud = &sky_cloud;
	sky.calls = 0;
	say(&large, 0, COX_REASON_NONE);
	return 0;
}
#define with_sky(test) cmocka_unit_test_setup_teardown(test, begin, fixture_tear_down)

#define WAITING                                                                                    \
	"{'key':'node.cloudprovider.kubernetes.io/uninitialized','value':'true','effect':"         \
	"'NoSchedule'}"

static void put_node(struct fixture *f, const char *ready, const char *spec)
{
	put(f, "nodes",
	    "{'kind':'Node','apiVersion':'v1','metadata':{'name':'one','labels':{'a':'b'}},'spec':{"
	    "%s},'status':{'addresses':[{'type':'InternalIP','address':'10.0.0.1'},{'type':"
	    "'ExternalDNS','address':'old.example.com'}],'conditions':[{'type':'Ready','status':"
	    "'%s'}]}}",
	    spec, ready);
}

static const char *of(struct fixture *f, const char *path)
{
	return field(f, "nodes", "", "one", path);
}

static void test_writes(void **state)
{
	struct fixture *f = *state;
	unsigned writes;

	put_node(f, "True", "'taints':[" WAITING ",{'key':'mine','effect':'NoExecute'}]");
	fixture_run(f, "cloudnode", "period", "1s", NULL);
	eventually(!strcmp(of(f, "spec.providerID"), "sky://1"));
	assert_string_equal(of(f, "metadata.labels"),
			    "{\"a\":\"b\",\"node.kubernetes.io/instance-type\":\"large\","
			    "\"topology.kubernetes.io/zone\":\"z1\","
			    "\"topology.kubernetes.io/region\":\"r1\"}");
	assert_string_equal(of(f, "spec.taints"), "[{\"key\":\"mine\",\"effect\":\"NoExecute\"}]");
	assert_string_equal(of(f, "status.addresses"),
			    "[{\"type\":\"InternalIP\",\"address\":\"10.0.0.1\"},"
			    "{\"type\":\"ExternalIP\",\"address\":\"192.0.2.1\"}]");
	/* Asked again, and nothing is written while nothing changes. */
	writes = fake_requests(f->server, CLIENT_PATCH, "nodes");
	{
		unsigned now = calls();

		eventually(calls() >= now + 2);
	}
	assert_int_equal(fake_requests(f->server, CLIENT_PATCH, "nodes"), writes);
	assert_true(writes >= 2);
}

/* What is set already is not changed, and what the cloud does not know is left. */
static void test_leaves(void **state)
{
	static const struct cox_cloud_instance little = {.struct_size = sizeof(little),
							 .provider_id = "sky://2",
							 .type = "",
							 .zone = "z2",
							 .region = ""};
	struct fixture *f = *state;

	say(&little, 0, COX_REASON_NONE);
	put_node(f, "True", "'providerID':'sky://9'");
	fixture_run(f, "cloudnode", NULL);
	eventually(!strcmp(of(f, "metadata.labels"),
			   "{\"a\":\"b\",\"topology.kubernetes.io/zone\":\"z2\"}"));
	assert_string_equal(of(f, "spec.providerID"), "sky://9");
}

static void test_shut_down(void **state)
{
	struct fixture *f = *state;

	/* A node that speaks is not off. */
	say(&large, COX_CLOUD_SHUT_DOWN, COX_REASON_NONE);
	put_node(f, "True", "");
	fixture_run(f, "cloudnode", "period", "1s", NULL);
	eventually(!strcmp(of(f, "spec.providerID"), "sky://1"));
	assert_string_equal(of(f, "spec.taints"), "");
	put_node(f, "Unknown", "'providerID':'sky://1','taints':[{'key':'mine'}]");
	eventually(!strcmp(of(f, "spec.taints"),
			   "[{\"key\":\"mine\"},{\"key\":\"node.cloudprovider.kubernetes.io/"
			   "shutdown\",\"effect\":\"NoSchedule\"}]"));
	say(&large, 0, COX_REASON_NONE);
	eventually(!strcmp(of(f, "spec.taints"), "[{\"key\":\"mine\"}]"));
}

static void test_gone(void **state)
{
	struct fixture *f = *state;
	unsigned before;

	say(&large, 0, COX_REASON_NOT_FOUND);
	put_node(f, "True", "");
	fixture_run(f, "cloudnode", "period", "1s", NULL);
	before = calls();
	eventually(calls() >= before + 2);
	assert_true(exists(f, "nodes", "", "one"));
	put_node(f, "Unknown", "");
	eventually(!exists(f, "nodes", "", "one"));
	eventually(has_event(f, "DeletingNode",
			     "Deleting node one because it does not exist in the cloud provider"));
}

/* Whatever else goes wrong costs no node, and is over when it is over. */
static void test_fails(void **state)
{
	struct fixture *f = *state;

	say(&large, 0, COX_REASON_SERVICE_UNAVAILABLE);
	put_node(f, "Unknown", "'taints':[" WAITING "]");
	fixture_run(f, "cloudnode", "period", "1s", NULL);
	eventually(calls() >= 3);
	assert_true(exists(f, "nodes", "", "one"));
	assert_int_equal(fake_requests(f->server, CLIENT_PATCH, "nodes"), 0);
	say(&large, 0, COX_REASON_NONE);
	eventually(!strcmp(of(f, "spec.taints"), "[]"));
}

/* Machines of somebody else's. */
static void test_not_its_own(void **state)
{
	struct fixture *f = *state;

	sky.silent = true;
	put_node(f, "Unknown", "'taints':[" WAITING "]");
	fixture_run(f, "cloudnode", "period", "1s", NULL);
	eventually(calls() >= 3);
	assert_true(exists(f, "nodes", "", "one"));
	assert_int_equal(fake_requests(f->server, CLIENT_PATCH, "nodes"), 0);
}

static void test_no_cloud(void **state)
{
	struct fixture *f = *state;

	f->cloud = NULL;
	put_node(f, "True", "");
	fixture_run(f, "cloudnode", NULL);
	assert_int_equal(fake_requests(f->server, CLIENT_LIST, "nodes"), 0);
	assert_int_equal(fake_requests(f->server, CLIENT_WATCH, "nodes"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_sky(test_writes),	 with_sky(test_leaves), with_sky(test_shut_down),
		with_sky(test_gone),	 with_sky(test_fails),	with_sky(test_not_its_own),
		with_sky(test_no_cloud),
	};

	return cmocka_run_group_tests_name("cloudnode", tests, NULL, NULL);
}
