/* SPDX-License-Identifier: Apache-2.0 */
/* SecurityContextDeny. */
#include "harness.h"

#include <stdio.h>

#define POD(context, more)                                                                         \
	"{\"metadata\":{\"name\":\"web\"},\"spec\":{" context "\"containers\":[{\"name\":\"c\","   \
	"\"image\":\"i\"" more "}]}}"

static void security_contexts_are_refused(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *pod, *text;
	} rows[] = {
		{POD("\"securityContext\":{\"supplementalGroups\":[1]},", ""),
		 "pods \"web\" is forbidden: pod.Spec.SecurityContext.SupplementalGroups is "
		 "forbidden"},
		{POD("\"securityContext\":{\"seLinuxOptions\":{\"level\":\"s0\"}},", ""),
		 "pods \"web\" is forbidden: pod.Spec.SecurityContext.SELinuxOptions is "
		 "forbidden"},
		{POD("\"securityContext\":{\"runAsUser\":0},", ""),
		 "pods \"web\" is forbidden: pod.Spec.SecurityContext.RunAsUser is forbidden"},
		{POD("\"securityContext\":{\"fsGroup\":7},", ""),
		 "pods \"web\" is forbidden: pod.Spec.SecurityContext.FSGroup is forbidden"},
		{POD("", ",\"securityContext\":{\"runAsUser\":7}"),
		 "pods \"web\" is forbidden: SecurityContext.RunAsUser is forbidden"},
		{POD("", ",\"securityContext\":{\"seLinuxOptions\":{\"level\":\"s0\"}}"),
		 "pods \"web\" is forbidden: SecurityContext.SELinuxOptions is forbidden"},
		{POD("\"initContainers\":[{\"name\":\"i\",\"image\":\"i\",\"securityContext\":{"
		     "\"runAsUser\":7}}],",
		     ""),
		 "pods \"web\" is forbidden: SecurityContext.RunAsUser is forbidden"},
	};

	add_plugin(f, "SecurityContextDeny", NULL, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refused(f, &(struct attempt){.object = rows[i].pod}, COX_REASON_FORBIDDEN,
			rows[i].text);
}

static void other_contexts_pass(void **state)
{
	struct fixture *f = *state;

	add_plugin(f, "SecurityContextDeny", NULL, NULL);
	passes(f, &(struct attempt){.object = POD("", "")});
	passes(f, &(struct attempt){.object = POD("\"securityContext\":{\"runAsNonRoot\":true},",
						  ",\"securityContext\":{\"privileged\":true,"
						  "\"capabilities\":{\"add\":[\"SYS_TIME\"]}}")});
	/* a status is no choice */
	passes(f, &(struct attempt){.operation = WRITE_UPDATE,
				    .subresource = "status",
				    .object = POD("\"securityContext\":{\"runAsUser\":0},", ""),
				    .old = POD("", "")});
}

const struct CMUnitTest pod_tests[] = {
	SUITE_TEST(security_contexts_are_refused),
	SUITE_TEST(other_contexts_pass),
};
SUITE_END(pod);
