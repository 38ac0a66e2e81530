/* SPDX-License-Identifier: Apache-2.0 */
/* Strategic merge patch against the types that it is used with. */
#include "unit.h"

#include "machinery/json.h"
#include "machinery/strategic.h"

#include <stdio.h>
#include <string.h>

static struct value *tree(struct arena *arena, const char *json)
{
	struct value *value = json_parse(arena, json, strlen(json), NULL, NULL);

	if (!value)
		fail_msg("%s", json);
	return value;
}

/* Type, original, patch, result or error. */
static const struct {
	const char *type, *original, *patch, *result;
} cases[] = {
	/* objects and maps, as a merge patch */
	{"core.v1.Pod", "{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}}",
	 "{\"metadata\":{\"labels\":{\"a\":null,\"c\":\"3\"}},\"spec\":{\"nodeName\":null}}",
	 "{\"metadata\":{\"labels\":{\"b\":\"2\",\"c\":\"3\"}},\"spec\":{}}"},
	/* a container by name; only its image changes */
	{"core.v1.Pod",
	 "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x\",\"tty\":true},"
	 "{\"name\":\"b\",\"image\":\"y\"}]}}",
	 "{\"spec\":{\"containers\":[{\"name\":\"b\",\"image\":\"z\"}]}}",
	 "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x\",\"tty\":true},"
	 "{\"name\":\"b\",\"image\":\"z\"}]}}"},
	/* a new one goes where the patch says; the others keep their places */
	{"core.v1.PodSpec", "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]}",
	 "{\"containers\":[{\"name\":\"n\"},{\"name\":\"b\",\"image\":\"i\"}]}",
	 "{\"containers\":[{\"name\":\"n\"},{\"name\":\"a\"},{\"name\":\"b\",\"image\":\"i\"},"
	 "{\"name\":\"c\"}]}"},
	/* deletion of an entry, and of one that is added again */
	{"core.v1.PodSpec", "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
	 "{\"containers\":[{\"$patch\":\"delete\",\"name\":\"a\"}]}",
	 "{\"containers\":[{\"name\":\"b\"}]}"},
	{"core.v1.PodSpec", "{\"containers\":[{\"name\":\"a\",\"image\":\"x\"},{\"name\":\"b\"}]}",
	 "{\"containers\":[{\"$patch\":\"delete\",\"name\":\"a\"},{\"name\":\"a\"}]}",
	 "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"},
	/* a whole list */
	{"core.v1.PodSpec", "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
	 "{\"containers\":[{\"$patch\":\"replace\"},{\"name\":\"c\"}]}",
	 "{\"containers\":[{\"name\":\"c\"}]}"},
	/* numbers as keys */
	{"core.v1.Container",
	 "{\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\"},{\"containerPort\":443}]}",
	 "{\"ports\":[{\"containerPort\":443,\"name\":\"tls\"}]}",
	 "{\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\"},{\"containerPort\":443,"
	 "\"name\":\"tls\"}]}"},
	/* lists that are replaced */
	{"core.v1.Container", "{\"args\":[\"a\",\"b\"]}", "{\"args\":[\"c\"]}",
	 "{\"args\":[\"c\"]}"},
	{"core.v1.PodSpec", "{\"tolerations\":[{\"key\":\"a\"}]}",
	 "{\"tolerations\":[{\"key\":\"b\"}]}", "{\"tolerations\":[{\"key\":\"b\"}]}"},
	/* sets of plain values */
	{"meta.v1.ObjectMeta", "{\"finalizers\":[\"a\",\"b\",\"c\"]}",
	 "{\"finalizers\":[\"d\",\"b\"]}", "{\"finalizers\":[\"d\",\"a\",\"b\",\"c\"]}"},
	{"meta.v1.ObjectMeta", "{\"finalizers\":[\"a\",\"b\",\"c\"]}",
	 "{\"$deleteFromPrimitiveList/finalizers\":[\"b\",\"x\"]}",
	 "{\"finalizers\":[\"a\",\"c\"]}"},
	{"meta.v1.ObjectMeta", "{\"finalizers\":[\"a\",\"b\"]}",
	 "{\"$deleteFromPrimitiveList/finalizers\":[\"a\"],\"finalizers\":[\"c\"],"
	 "\"$setElementOrder/finalizers\":[\"c\",\"b\"]}",
	 "{\"finalizers\":[\"c\",\"b\"]}"},
	/* orders */
	{"core.v1.PodSpec",
	 "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"s\"},"
	 "{\"name\":\"c\"}]}",
	 "{\"$setElementOrder/containers\":[{\"name\":\"c\"},{\"name\":\"b\"},{\"name\":\"a\"}]}",
	 "{\"containers\":[{\"name\":\"s\"},{\"name\":\"c\"},{\"name\":\"b\"},{\"name\":\"a\"}]}"},
	{"core.v1.PodSpec", "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
	 "{\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}],"
	 "\"containers\":[{\"name\":\"b\",\"image\":\"i\"}]}",
	 "{\"containers\":[{\"name\":\"b\",\"image\":\"i\"},{\"name\":\"a\"}]}"},
	{"core.v1.PodSpec", "{}", "{\"$setElementOrder/containers\":[{\"name\":\"a\"}]}", "{}"},
	{"core.v1.PodSpec", "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
	 "{\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}],"
	 "\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
	 "invalid strategic merge patch: containers[1]: the order of the entries does not match "
	 "$setElementOrder"},
	/* one of a union: retainKeys drops the other members */
	{"core.v1.PodSpec", "{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}},{\"name\":\"w\"}]}",
	 "{\"volumes\":[{\"name\":\"v\",\"$retainKeys\":[\"name\",\"hostPath\"],"
	 "\"hostPath\":{\"path\":\"/x\"}}]}",
	 "{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/x\"}},{\"name\":\"w\"}]}"},
	{"core.v1.PodSpec", "{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}",
	 "{\"volumes\":[{\"name\":\"v\",\"$retainKeys\":[\"name\"],\"hostPath\":{}}]}",
	 "invalid strategic merge patch: volumes[0].hostPath: the patch sets a field that "
	 "$retainKeys does not list"},
	/* directives of objects */
	{"core.v1.Pod", "{\"spec\":{\"a\":1,\"nodeName\":\"n\"}}",
	 "{\"spec\":{\"$patch\":\"replace\",\"hostname\":\"h\"}}",
	 "{\"spec\":{\"hostname\":\"h\"}}"},
	{"core.v1.Pod", "{\"spec\":{\"nodeName\":\"n\"}}", "{\"spec\":{\"$patch\":\"delete\"}}",
	 "{\"spec\":{}}"},
	{"core.v1.Pod", "{\"spec\":{\"nodeName\":\"n\"}}",
	 "{\"spec\":{\"$patch\":\"merge\",\"hostname\":\"h\"}}",
	 "{\"spec\":{\"nodeName\":\"n\",\"hostname\":\"h\"}}"},
	{"meta.v1.ObjectMeta", "{\"labels\":{\"a\":\"1\"}}",
	 "{\"labels\":{\"$patch\":\"replace\",\"b\":\"2\"}}", "{\"labels\":{\"b\":\"2\"}}"},
	/* what is new comes without nulls and directives */
	{"core.v1.Pod", "{}",
	 "{\"spec\":{\"nodeName\":null,\"containers\":[{\"name\":\"a\",\"image\":null},"
	 "{\"$patch\":\"delete\",\"name\":\"b\"}],"
	 "\"$setElementOrder/containers\":[{\"name\":\"a\"}]}}",
	 "{\"spec\":{\"containers\":[{\"name\":\"a\"}]}}"},
	/* unknown fields: as a merge patch, for the decoder to report */
	{"core.v1.Pod", "{\"x\":{\"l\":[1]}}", "{\"x\":{\"l\":[2],\"y\":1}}",
	 "{\"x\":{\"l\":[2],\"y\":1}}"},
	/* what is no patch */
	{"core.v1.PodSpec", "{\"containers\":[{\"name\":\"a\"}]}",
	 "{\"containers\":[{\"image\":\"i\"}]}",
	 "invalid strategic merge patch: containers[0]: the entry does not have the merge key "
	 "\"name\""},
	{"core.v1.PodSpec", "{\"containers\":[{\"name\":\"a\"}]}", "{\"containers\":[\"a\"]}",
	 "invalid strategic merge patch: containers[0]: the entry must be an object"},
	{"core.v1.Pod", "{\"spec\":{}}", "{\"spec\":{\"$patch\":\"drop\"}}",
	 "invalid strategic merge patch: spec: $patch must be replace, delete or merge"},
	{"core.v1.PodSpec", "{\"containers\":[]}",
	 "{\"containers\":[{\"$patch\":\"drop\",\"name\":\"a\"}]}",
	 "invalid strategic merge patch: containers[0]: $patch must be replace, delete or merge"},
	{"core.v1.PodSpec", "{}", "{\"$setElementOrder/nodeName\":[1]}",
	 "invalid strategic merge patch: $setElementOrder/nodeName: no list of that name is "
	 "merged"},
	{"core.v1.PodSpec", "{\"containers\":[]}", "{\"$setElementOrder/containers\":1}",
	 "invalid strategic merge patch: $setElementOrder/containers: must be a list"},
	{"core.v1.PodSpec", "{}", "{\"$retainKeys\":\"x\"}",
	 "invalid strategic merge patch: $retainKeys must be a list of field names"},
	{"core.v1.PodSpec", "{}", "[]", "invalid strategic merge patch: it must be an object"},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cox_autoarena arena = ARENA_INIT;
		cox_autoerror err = COX_ERROR_INIT;
		cox_autobuf out = COX_BUF_INIT;
		const struct schema_type *type = schema_type_named(&schema_builtin, cases[i].type);
		struct value *result;

		assert_non_null(type);
		result = strategic_apply(&arena, &schema_builtin, type,
					 tree(&arena, cases[i].original),
					 tree(&arena, cases[i].patch), &err);
		if (result)
			json_write(&out, result, 0);
		assert_string_equal(result ? cox_buf_cstr(&out) : error_text(&err),
				    cases[i].result);
	}
}

/* Long lists must not take time by the square of their length. */
static void test_long_list(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf text = COX_BUF_INIT;
	const struct schema_type *type = schema_type_named(&schema_builtin, "core.v1.Container");
	const struct value *env;
	struct value *result;
	enum { MANY = 50000 };

	(void)state;
	cox_buf_str(&text, "{\"env\":[");
	for (int i = 0; i < MANY; i++)
		cox_buf_printf(&text, "%s{\"name\":\"E%d\"}", i ? "," : "", i);
	cox_buf_str(&text, "]}");
	result = tree(&arena, text.data);
	cox_buf_clear(&text);
	cox_buf_str(&text, "{\"env\":[");
	for (int i = MANY; i > 0; i--)
		cox_buf_printf(&text, "%s{\"name\":\"E%d\",\"value\":\"%d\"}", i < MANY ? "," : "",
			       i, i);
	cox_buf_str(&text, "]}");
	result = strategic_apply(&arena, &schema_builtin, type, result, tree(&arena, text.data),
				 NULL);
	env = value_get(result, "env");
	assert_int_equal(env->count, MANY + 1);
	assert_string_equal(value_get_text(value_at(env, 0), "name"), "E50000");
	assert_string_equal(value_get_text(value_at(env, 1), "name"), "E0");
	assert_string_equal(value_get_text(value_at(env, 2), "value"), "49999");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_long_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
