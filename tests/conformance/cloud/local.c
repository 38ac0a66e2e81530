/* SPDX-License-Identifier: Apache-2.0 */
/* What the cloud plugin "local" does besides: which address, and when none. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define RANGES "192.0.2.0/30,192.0.2.9,2001:db8::1-2001:db8::2"

static int refused(const struct cox_cloud *cloud, const char *spec, struct cox_error *err)
{
	auto_balancer balancer = balancer_new("refused", spec, "");

	error_clear(err);
	return ask_ensure(cloud, &balancer, NULL, err);
}

/* In the order of the ranges; what is given back is given out again. */
static void test_order(void **state)
{
	auto_balancer one = balancer_new("a1", "", "");
	auto_balancer two = balancer_new("a2", "", "");
	auto_balancer three = balancer_new("a3", "", "");
	auto_balancer four = balancer_new("a4", "", "");
	auto_balancer six = balancer_new("a6", "'ipFamilies':['IPv6']", "");
	const struct cox_cloud *cloud = cloud_begin();
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_string_equal(ensured(cloud, &one), "192.0.2.1/VIP ");
	assert_string_equal(ensured(cloud, &two), "192.0.2.2/VIP ");
	assert_string_equal(ensured(cloud, &three), "192.0.2.9/VIP ");
	assert_string_equal(ensured(cloud, &six), "2001:db8::1/VIP ");
	assert_int_equal(ask_ensure(cloud, &four, NULL, &err), -1);
	assert_int_equal(err.reason, COX_REASON_SERVICE_UNAVAILABLE);
	assert_string_equal(error_text(&err), "no IPv4 address is free in the ranges for load "
					      "balancers (" RANGES ")");
	removed(cloud, &two);
	assert_string_equal(ensured(cloud, &four), "192.0.2.2/VIP ");
	assert_string_equal(ensured(cloud, &one), "192.0.2.1/VIP ");
	cloud_end();
}

static void test_wanted(void **state)
{
	auto_balancer any = balancer_new("a1", "", "");
	auto_balancer wants = balancer_new("a2", "'loadBalancerIP':'192.0.2.1'", "");
	auto_balancer moved = balancer_new("a1", "'loadBalancerIP':'192.0.2.9'", "");
	const struct cox_cloud *cloud = cloud_begin();
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_string_equal(ensured(cloud, &any), "192.0.2.1/VIP ");
	assert_int_equal(ask_ensure(cloud, &wants, NULL, &err), -1);
	assert_int_equal(err.reason, COX_REASON_CONFLICT);
	assert_string_equal(error_text(&err), "loadBalancerIP 192.0.2.1 belongs to default/a1");
	assert_string_equal(ensured(cloud, &moved), "192.0.2.9/VIP ");
	assert_string_equal(ensured(cloud, &wants), "192.0.2.1/VIP ");
	/* Who asks for nothing any more keeps what it has. */
	assert_string_equal(ensured(cloud, &any), "192.0.2.9/VIP ");
	assert_int_equal(refused(cloud, "'loadBalancerIP':'192.0.2.7'", &err), -1);
	assert_string_equal(error_text(&err), "loadBalancerIP 192.0.2.7 is not in the ranges for "
					      "load balancers (" RANGES ")");
	assert_int_equal(refused(cloud, "'loadBalancerIP':'here'", &err), -1);
	assert_string_equal(error_text(&err), "loadBalancerIP \"here\" is no address");
	assert_int_equal(refused(cloud, "'loadBalancerSourceRanges':['10.0.0.0/8']", &err), -1);
	assert_string_equal(error_text(&err), "loadBalancerSourceRanges is set, but nothing here "
					      "can keep other clients out");
	/* What was refused holds nothing. */
	auto_balancer last = balancer_new("a3", "", "");
	assert_string_equal(ensured(cloud, &last), "192.0.2.2/VIP ");
	cloud_end();
}

/* The older of two that claim one address has it; what lies outside is not kept. */
static void test_restore(void **state)
{
	struct cox_cloud_balancer old[] = {
		balancer_new("a1", "", "{'ip':'192.0.2.2'}"),
		balancer_new("a2", "", "{'ip':'192.0.2.2'}"),
		balancer_new("a3", "", "{'ip':'198.51.100.1'}"),
		balancer_new("a4", "", "{'hostname':'elsewhere.example.com'}"),
	};
	const struct cox_cloud *cloud = cloud_begin();
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(cloud->ops->balancer_restore(cloud->self, &no_call, old, 4, &err), 0);
	/* Again, as after a failure: no change. */
	assert_int_equal(cloud->ops->balancer_restore(cloud->self, &no_call, old, 4, &err), 0);
	assert_int_equal(ask_get(cloud, &old[1], NULL, &err), -1);
	assert_int_equal(ask_get(cloud, &old[2], NULL, &err), -1);
	assert_string_equal(ensured(cloud, &old[2]), "192.0.2.1/VIP ");
	assert_string_equal(ensured(cloud, &old[1]), "192.0.2.9/VIP ");
	assert_string_equal(ensured(cloud, &old[0]), "192.0.2.2/VIP ");
	for (size_t i = 0; i < 4; i++)
		balancer_free(&old[i]);
	cloud_end();
}

static void test_options(void **state)
{
	const char *const bad = "addresses=192.0.2.0/24,192.0.2.7";
	const char *const four = "addresses=192.0.2.7";
	auto_balancer balancer = balancer_new("a1", "", "");
	auto_balancer six = balancer_new("a2", "'ipFamilies':['IPv6']", "");
	cox_autoerror err = COX_ERROR_INIT;
	const struct cox_cloud *cloud;

	(void)state;
	assert_int_equal(cloud_refuses(&bad, 1, &err), -1);
	assert_string_equal(error_text(&err), "cloud plugin \"local\": option \"addresses\": "
					      "\"192.0.2.7\": overlaps with a range before it");
	error_clear(&err);
	cloud = cloud_with(NULL, 0);
	assert_int_equal(ask_ensure(cloud, &balancer, NULL, &err), -1);
	assert_string_equal(error_text(&err),
			    "no addresses are set aside for load balancers: the option "
			    "\"addresses\" of the cloud plugin \"local\" is not set");
	error_clear(&err);
	cloud_end();
	cloud = cloud_with(&four, 1);
	assert_int_equal(ask_ensure(cloud, &six, NULL, &err), -1);
	assert_string_equal(error_text(&err), "no IPv6 addresses are set aside for load balancers "
					      "(192.0.2.7)");
	cloud_end();
}

static void zone_is(const struct cox_cloud *cloud, const char *node, const char *wanted)
{
	cox_autobuf text = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	assert_int_equal(ask_instance(cloud, node, &text, &err), 0);
	assert_string_equal(cox_buf_cstr(&text), wanted);
}

static void test_zones(void **state)
{
	static const char *const options[] = {"region=home", "zone=hall",
					      "node-zones=one=cellar,two=attic"};
	static const char *const some[] = {"node-zones=two=attic"};
	static const char *const bad[][2] = {
		{"zone=up stairs",
		 "cloud plugin \"local\": option \"zone\": \"up stairs\" cannot be "
		 "the value of a label: up to 63 letters, digits and, between "
		 "them, '-', '_' and '.'"},
		{"region=-x", "cloud plugin \"local\": option \"region\": \"-x\" cannot be the "
			      "value of a label: up to 63 letters, digits and, between them, '-', "
			      "'_' and '.'"},
		{"node-zones=one=a,two", "cloud plugin \"local\": option \"node-zones\": \"two\": "
					 "want NODE=ZONE"},
		{"node-zones=one=", "cloud plugin \"local\": option \"node-zones\": \"one=\": want "
				    "NODE=ZONE"},
		{"node-zones==a", "cloud plugin \"local\": option \"node-zones\": \"=a\": want "
				  "NODE=ZONE"},
	};
	const struct cox_cloud *cloud = cloud_with(options, 3);

	(void)state;
	zone_is(cloud, "one", "- - cellar home");
	zone_is(cloud, "two", "- - attic home");
	zone_is(cloud, "tw", "- - hall home");
	zone_is(cloud, "o", "- - hall home");
	cloud_end();
	cloud = cloud_with(some, 1);
	zone_is(cloud, "one", "- - - -");
	zone_is(cloud, "two", "- - attic -");
	cloud_end();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cox_autoerror err = COX_ERROR_INIT;

		assert_int_equal(cloud_refuses(&bad[i][0], 1, &err), -1);
		assert_string_equal(error_text(&err), bad[i][1]);
	}
}

/* Load balancers that could be made but not removed are not made. */
static void test_gaps(void **state)
{
	const char *build = getenv("builddir");
	cox_autobuf path = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	cox_buf_printf(&path, "%s/tests/conformance/cloud/.libs/cloud-gaps.so",
		       build ? build : ".");
	harness_plugin(path.data);
	assert_int_equal(cloud_refuses(NULL, 0, &err), -1);
	harness_plugin("local");
	assert_string_equal(error_text(&err),
			    "cloud plugin \"gaps\" has some of \"balancer_get\", "
			    "\"balancer_ensure\", \"balancer_update\" and \"balancer_remove\"; it "
			    "needs all of them, or none");
}

int main(void)
{
	static const char *const options[] = {"addresses=" RANGES};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_restore), cmocka_unit_test(test_options),
		cmocka_unit_test(test_zones),	cmocka_unit_test(test_gaps),
	};
	int failed;

	harness_begin("local", options, 1);
	failed = cmocka_run_group_tests_name("local", tests, NULL, NULL);
	harness_end();
	return failed;
}
