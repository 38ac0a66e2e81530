/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube-controller-manager as a personality: which controllers it chooses, and
 * a whole life against the fake API server over HTTP.
 */
#include "unit.h"

#include "base/clock.h"
#include "controller/flags.h"
#include "controller/manager.h"
#include "host/host.h"
#include "lib/eventually.h"
#include "lib/fake_http.h"
#include "lib/fake_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic unsigned stops;

/* The daemon's side of config/personality.h, as much as this test needs. */
void daemon_stop(void)
{
	stops++;
}

int daemon_open_plugin(struct daemon *daemon, const char *kind, const char *name, const char *flag,
		       struct host_plugin **plugin, struct cox_error *err)
{
	(void)flag;
	*plugin = host_open(daemon->host, kind, name, "test", err);
	return *plugin ? 0 : -1;
}

static void chosen_are(const char *flags, const char *wanted)
{
	char words[256], got[512] = "", *at = words, *word;
	char *items[8];
	struct flag_list list = {items, 0};
	struct controller_names names = {0};

	snprintf(words, sizeof(words), "%s", flags);
	while ((word = strsep(&at, ",")))
		items[list.count++] = word;
	controller_names_choose(&list, &names);
	for (size_t i = 0; i < names.count; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? "," : "",
			 names.items[i]);
	assert_string_equal(got, wanted);
	cox_vec_free(&names);
}

/* What is on by default, but for the last one. */
#define REST                                                                                       \
	"endpoints,endpointslice,garbagecollector,node,persistentvolume,podgc,resourcequota,"      \
	"service,cloudnode,ephemeralvolume,volumeprotection"
#define ALL "serviceaccount,namespace," REST ","
#define BUT_NAMESPACE "serviceaccount," REST

static void test_choice(void **state)
{
	(void)state;
	chosen_are("*", ALL "replication");
	chosen_are("*,-replication,-namespace", BUT_NAMESPACE);
	chosen_are("*,-replicationcontroller-controller,-namespace-controller", BUT_NAMESPACE);
	chosen_are("*,mine", ALL "replication,mine");
	chosen_are("mine,replicationcontroller,replication", "mine,replication");
	chosen_are("mine,-mine", "");
}

static void test_life(void **state)
{
	static const char rc[] =
		"{\"kind\":\"ReplicationController\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		"\"web\",\"namespace\":\"n\"},\"spec\":{\"replicas\":2,\"selector\":{\"a\":\"b\"},"
		"\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}}}}}";
	struct fake_server *server = fake_server_new();
	struct client *backend = fake_server_client(server);
	struct fake_http *http = fake_http_new(backend);
	const char *build = getenv("builddir");
	char directory[4096], *items[] = {(char *)"replication"};
	struct controller_manager_config config = {
		.master = fake_http_url(http),
		.leader_elect = true,
		.leader_elect_lease_duration = 15 * CLOCK_SECOND,
		.leader_elect_renew_deadline = 10 * CLOCK_SECOND,
		.leader_elect_retry_period = 2 * CLOCK_SECOND,
		.concurrent_rc_syncs = 2,
		.controllers = {items, 1},
	};
	const struct personality *personality = &controller_manager_personality;
	struct daemon daemon = {.config = &config};
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoobject *lease = NULL;

	(void)state;
	snprintf(directory, sizeof(directory), "%s/plugins/.libs", build ? build : ".");
	daemon.host = host_new("kube-controller-manager", directory);
	fake_put(server, "replicationcontrollers", rc);
	if (personality->check(&daemon, &err) || personality->prepare(&daemon, &err) ||
	    personality->start(&daemon, &err))
		fail_msg("%s", error_text(&err));
	eventually(fake_count(server, "pods") == 2);
	eventually(fake_count(server, "events") == 2);
	personality->stop(&daemon);
	lease = fake_get(server, "leases", "kube-system", "kube-controller-manager");
	assert_string_equal(value_text(value_path(object_root(lease), "spec.holderIdentity")), "");
	assert_int_equal(stops, 0);
	host_free(daemon.host);
	fake_http_free(http);
	client_free(backend);
	fake_server_free(server);
}

static void test_check(void **state)
{
	struct controller_manager_config config = {.leader_elect = true,
						   .leader_elect_lease_duration = 1,
						   .leader_elect_renew_deadline = 1};
	struct daemon daemon = {.config = &config};
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(controller_manager_personality.check(&daemon, &err), -1);
	assert_string_equal(error_text(&err), "--leader-elect-lease-duration must be longer than "
					      "--leader-elect-renew-deadline, and that longer than "
					      "--leader-elect-retry-period");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests_name("manager", tests, NULL, NULL);
}
