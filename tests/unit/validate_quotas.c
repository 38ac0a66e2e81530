/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of the scopes of quotas. */
#include "checks.h"

#include <stdio.h>

/* Of a quota with this spec; `problem` NULL: it is fine. */
static void quota(const char *spec, const char *problem)
{
	char json[1024], expected[1024];

	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\"},\"spec\":{%s}}", spec);
	snprintf(expected, sizeof(expected), "ResourceQuota \"x\" is invalid: %s", problem);
	check("", "v1", "resourcequotas", json, NULL, "", problem ? expected : NULL);
}

#define AT "spec.scopeSelector.matchExpressions[0]."
#define WRONG ": unsupported scope applied to resource"
#define PLAIN                                                                                      \
	"must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "                     \
	"ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "                         \
	"ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"

static void test_quota_scopes(void **state)
{
	static const struct {
		const char *hard, *scope, *operator, * values, *problem;
	} selectors[] = {
		{"pods", "VolumeAttributesClass", "Exists", "",
		 AT "scopeName: Invalid value: \"VolumeAttributesClass\"" WRONG},
		{"requests.storage", "VolumeAttributesClass", "In", "\"a\"", NULL},
		{"cpu", "PriorityClass", "In", "",
		 AT "values: Required value: must be at least one value when `operator` is 'In' or "
		    "'NotIn' for scope selector"},
		{"cpu", "PriorityClass", "Exists", "\"a\"",
		 AT
		 "values: Invalid value: [\"a\"]: must be no value when `operator` is 'Exist' or "
		 "'DoesNotExist' for scope selector"},
		{"cpu", "PriorityClass", "Is", "",
		 AT "operator: Invalid value: \"Is\": not a valid selector operator"},
		{"pods", "BestEffort", "DoesNotExist", "",
		 AT "operator: Invalid value: \"DoesNotExist\": " PLAIN},
		{"pods", "Best", "Exists", "",
		 AT "scopeName: Invalid value: \"Best\": unsupported scope"},
	};
	char spec[512];

	(void)state;
	quota("\"hard\":{\"persistentvolumeclaims\":\"1\",\"count/x.example.com\":\"1\"},"
	      "\"scopes\":[\"VolumeAttributesClass\"]",
	      NULL);
	quota("\"hard\":{\"requests.storage\":\"1\"},\"scopes\":[\"Terminating\"]",
	      "spec.scopes: Invalid value: [\"Terminating\"]" WRONG);
	quota("\"hard\":{\"cpu\":\"1\"},\"scopes\":[\"BestEffort\"]",
	      "spec.scopes: Invalid value: [\"BestEffort\"]" WRONG);
	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
		snprintf(spec, sizeof(spec),
			 "\"hard\":{\"%s\":\"1\"},\"scopeSelector\":{\"matchExpressions\":[{"
			 "\"scopeName\":\"%s\",\"operator\":\"%s\",\"values\":[%s]}]}",
			 selectors[i].hard, selectors[i].scope, selectors[i].operator,
			 selectors[i].values);
		quota(spec, selectors[i].problem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_quota_scopes)};

	return cmocka_run_group_tests_name("validate_quotas", tests, NULL, NULL);
}
