/* SPDX-License-Identifier: Apache-2.0 */
/* Leader election: one leader, hand-over, take-over, loss. */
#include "unit.h"

#include "base/clock.h"
#include "client/identity.h"
#include "client/leader.h"
#include "lib/eventually.h"
#include "lib/fake_server.h"

#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* A process that says who it is, and ends when `*end` is closed. */
static pid_t candidate_elsewhere(char identity[256], int *end)
{
	int says[2], ends[2];
	ssize_t size;
	pid_t pid;

	assert_int_equal(pipe(says), 0);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		char *mine = identity_make();

		close(ends[1]);
		size = write(says[1], mine, strlen(mine));
		_exit(size < 0 || read(ends[0], &size, 1) < 0);
	}
	close(says[1]);
	close(ends[0]);
	*end = ends[1];
	size = read(says[0], identity, 255);
	assert_true(size > 0);
	identity[size] = '\0';
	close(says[0]);
	return pid;
}

static void test_identity(void **state)
{
	cox_autofree char *mine = identity_make(), *again = identity_make();
	char other[256], changed[256 + 8];
	char *place;
	siginfo_t info;
	int end;
	pid_t pid = candidate_elsewhere(other, &end);

	(void)state;
	assert_string_equal(mine, again);
	assert_false(identity_has_ended(mine));
	assert_false(identity_has_ended(other));
	/* Our number, but another process that had it before us. */
	snprintf(changed, sizeof(changed), "%s0", mine);
	assert_true(identity_has_ended(changed));
	/* Killed, and nobody has looked after it yet. */
	close(end);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(identity_has_ended(other));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(identity_has_ended(other));
	/* The same number in another place says nothing. */
	place = strrchr(other, '_') + 1;
	*place = *place == '0' ? '1' : '0';
	assert_false(identity_has_ended(other));
	assert_false(identity_has_ended(""));
	assert_false(identity_has_ended("host_0123456789abcdef0123456789abcdef"));
	assert_false(identity_has_ended("host_0123456789abcdef-1"));
	snprintf(changed, sizeof(changed), "%s-1", mine);
	assert_false(identity_has_ended(changed));
}

/* A leader of this machine that was killed is followed at once. */
static void test_dead_neighbour(void **state)
{
	char dead[256], lease[512];
	int end;
	pid_t pid = candidate_elsewhere(dead, &end); /* before there are threads */
	struct fake_server *server = fake_server_new();
	struct client *client = fake_server_client(server);
	struct candidate b = {0};
	uint64_t before = clock_monotonic();
	struct leader *leader;

	(void)state;
	close(end);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(lease, sizeof(lease),
		 "{\"kind\":\"Lease\",\"metadata\":{\"name\":\"kube-controller-manager\","
		 "\"namespace\":\"kube-system\"},\"spec\":{\"holderIdentity\":\"%s\","
		 "\"leaseDurationSeconds\":3600}}",
		 dead);
	fake_put(server, "leases", lease);
	leader = begin(client, &b, NULL);
	eventually(leader_is(leader));
	assert_true(clock_monotonic() - before < 60 * CLOCK_SECOND);
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
		cmocka_unit_test(test_hand_over), cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_identity),  cmocka_unit_test(test_dead_neighbour),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests_name("leader", tests, NULL, NULL);
}
