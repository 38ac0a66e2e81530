/* SPDX-License-Identifier: Apache-2.0 */
/* Leader election: one leader, hand-over, take-over, loss. */
#include "unit.h"

#include "base/clock.h"
#include "client/leader.h"
#include "lib/eventually.h"
#include "lib/fake_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct candidate {
	_Atomic int elected, lost;
};

static void on_elected(void *context)
{
	atomic_fetch_add(&((struct candidate *)context)->elected, 1);
}

static void on_lost(void *context)
{
	atomic_fetch_add(&((struct candidate *)context)->lost, 1);
}

static struct leader *begin(struct client *client, struct candidate *candidate,
			    const char *identity)
{
	const struct leader_config config = {
		.namespace = "kube-system",
		.name = "kube-controller-manager",
		.identity = identity,
		.duration = CLOCK_SECOND,
		.renew_deadline = 300 * CLOCK_MILLISECOND,
		.retry = 20 * CLOCK_MILLISECOND,
		.elected = on_elected,
		.lost = on_lost,
		.context = candidate,
	};
	struct leader *leader = leader_new(client, &config, NULL);

	assert_non_null(leader);
	return leader;
}

static int64_t transitions(struct fake_server *server, const char *holder)
{
	cox_autoobject *lease =
		fake_get(server, "leases", "kube-system", "kube-controller-manager");
	const struct value *spec = value_get(object_root(lease), "spec");

	if (strcmp(value_get_text(spec, "holderIdentity"), holder) != 0)
		return -1;
	return value_get_int(spec, "leaseTransitions", -1);
}

static void test_hand_over(void **state)
{
	struct fake_server *server = fake_server_new();
	struct client *client = fake_server_client(server);
	struct candidate a = {0}, b = {0};
	struct leader *first = begin(client, &a, "a"), *second;
	cox_autoobject *lease = NULL;

	(void)state;
	eventually(leader_is(first));
	lease = fake_get(server, "leases", "kube-system", "kube-controller-manager");
	assert_int_equal(
		value_get_int(value_get(object_root(lease), "spec"), "leaseDurationSeconds", 0), 1);
	assert_int_equal(transitions(server, "a"), 0);
	second = begin(client, &b, "b");
	/* Longer than the duration: renewing keeps the other away. */
	for (unsigned before = fake_requests(server, CLIENT_UPDATE, "leases");
	     fake_requests(server, CLIENT_UPDATE, "leases") < before + 60;)
		sched_yield();
	assert_int_equal(b.elected, 0);
	assert_false(leader_is(second));
	leader_free(first);
	eventually(leader_is(second));
	assert_int_equal(a.elected, 1);
	assert_int_equal(a.lost, 0);
	eventually(atomic_load(&b.elected) == 1);
	assert_int_equal(transitions(server, "b"), 1);
	leader_free(second);
	assert_int_equal(transitions(server, ""), 1);
	client_free(client);
	fake_server_free(server);
}

static void test_take_over(void **state)
{
	struct fake_server *server = fake_server_new();
	struct client *client = fake_server_client(server);
	struct candidate b = {0};
	uint64_t before = clock_monotonic();
	struct leader *leader;

	(void)state;
	/* Its holder is dead, and its clock was an hour ahead. */
	fake_put(server, "leases",
		 "{\"kind\":\"Lease\",\"metadata\":{\"name\":\"kube-controller-manager\","
		 "\"namespace\":\"kube-system\"},\"spec\":{\"holderIdentity\":\"dead\","
		 "\"leaseDurationSeconds\":1,\"leaseTransitions\":4,\"renewTime\":"
		 "\"2099-01-01T00:00:00.000000Z\"}}");
	leader = begin(client, &b, "b");
	eventually(leader_is(leader));
	assert_true(clock_monotonic() - before >= CLOCK_SECOND);
	assert_int_equal(transitions(server, "b"), 5);
	leader_free(leader);
	client_free(client);
	fake_server_free(server);
}

static void test_lost(void **state)
{
	struct fake_server *server = fake_server_new();
	struct client *client = fake_server_client(server);
	struct candidate a = {0};
	struct leader *leader = begin(client, &a, "a");

	(void)state;
	eventually(leader_is(leader));
	fake_fail(server, CLIENT_UPDATE, "leases", 503, "ServiceUnavailable", "down", 30);
	eventually(atomic_load(&a.lost) == 1);
	/* The server comes back, and nobody else wanted it. */
	eventually(atomic_load(&a.elected) == 2);
	leader_free(leader);
	client_free(client);
	fake_server_free(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hand_over),
		cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests_name("leader", tests, NULL, NULL);
}
