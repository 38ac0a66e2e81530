/* SPDX-License-Identifier: Apache-2.0 */
/* From stored bytes to entries: what is spliced in, taken out, refused. */
#include "unit.h"

#include "store/forms.h"
#include "store/scan.h"

#include <string.h>

static const struct store_field fields[] = {
	{"metadata.name", "metadata.name", NULL, false},
	{"metadata.namespace", "metadata.namespace", NULL, false},
	{"spec.nodeName", "spec.nodeName", NULL, true},
	{"spec.hostNetwork", "spec.hostNetwork", "false", false},
	{"status.podIP", "status.podIPs[0].ip", NULL, false},
	{"source", "source.component|reportingComponent", NULL, false},
	{"status.replicas", "status.replicas", "0", false},
};

static const struct store_collection_options pods = {
	.name = "pods",
	.prefix = "/registry/pods/",
	.namespaced = true,
	.tag = 7,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
};

static struct scan_plan plan;
static struct arena scratch;

static int set_up(void **state)
{
	(void)state;
	return scan_plan_init(&plan, &pods, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	scan_plan_free(&plan);
	arena_free(&scratch);
	return 0;
}

static struct cox_bytes bytes(const char *text)
{
	return (struct cox_bytes){text, strlen(text)};
}

static struct store_entry *scan(const char *json, struct cox_error *err)
{
	return scan_entry(&plan, &scratch, bytes("/registry/pods/default/web"), bytes(json), 42,
			  err);
}

static void assert_bytes(struct cox_bytes found, const char *expected)
{
	assert_non_null(found.data);
	assert_int_equal(((const char *)found.data)[found.size], 0);
	assert_string_equal(found.data, expected);
	assert_int_equal(found.size, strlen(expected));
}

static void test_splice(void **state)
{
	static const struct {
		const char *stored, *read;
	} cases[] = {
		{"{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"u-1\","
		 "\"generation\":1}}",
		 "{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"u-1\","
		 "\"resourceVersion\":\"42\",\"generation\":1}}"},
		{"{\"metadata\":{\"name\":\"web\"},\"spec\":{}}",
		 "{\"metadata\":{\"name\":\"web\",\"resourceVersion\":\"42\"},\"spec\":{}}"},
		{"{\"metadata\":{\"labels\":{}}}",
		 "{\"metadata\":{\"resourceVersion\":\"42\",\"labels\":{}}}"},
		{"{\"metadata\":{}}", "{\"metadata\":{\"resourceVersion\":\"42\"}}"},
		{"{\"spec\":1,\"metadata\":{\"resourceVersion\":\"7\",\"uid\":\"u-1\"}}",
		 "{\"spec\":1,\"metadata\":{\"resourceVersion\":\"42\",\"uid\":\"u-1\"}}"},
		{"{\"metadata\":{\"uid\":\"u-1\",\"resourceVersion\":null}}",
		 "{\"metadata\":{\"uid\":\"u-1\",\"resourceVersion\":\"42\"}}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cox_autoerror err = COX_ERROR_INIT;
		struct store_entry *entry = scan(cases[i].stored, &err);
		struct store_entry *later;
		const char *json;

		assert_string_equal(err.message ? err.message : "", "");
		assert_bytes(store_entry_json(entry), cases[i].read);
		json = store_entry_json(entry).data;
		assert_memory_equal(json + store_entry_metadata_at(entry) - 11, "\"metadata\":{",
				    12);
		assert_string_equal(store_entry_uid(entry).size ? "u-1" : "",
				    strstr(cases[i].stored, "u-1") ? "u-1" : "");
		assert_int_equal(store_entry_list_size(entry), 0);
		store_entry_note_list_size(entry, 4711);
		assert_int_equal(store_entry_list_size(entry), 4711);
		later = store_entry_at_revision(entry, 123456789);
		assert_int_equal(store_entry_list_size(later), 0); /* another length */
		assert_int_equal(store_entry_revision(later), 123456789);
		assert_non_null(
			strstr(store_entry_json(later).data, "\"resourceVersion\":\"123456789\""));
		assert_int_equal(store_entry_json(later).size, store_entry_json(entry).size + 7);
		if (store_entry_uid(entry).size)
			assert_memory_equal(store_entry_uid(later).data, "u-1", 3);
		assert_bytes(store_entry_field(later, 0), "web");
		store_entry_unref(later);
		store_entry_unref(entry);
	}
}

static void test_extract(void **state)
{
	struct store_entry *entry =
		scan("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\",\"namespace\":\"default\","
		     "\"uid\":\"u-1\",\"labels\":{\"tier\":\"\",\"app\":\"we\\u0062\",\"a\":\"b\"},"
		     "\"ownerReferences\":[{\"kind\":\"X\",\"uid\":\"o-1\"},{\"uid\":\"o-2\"}],"
		     "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"},"
		     "\"spec\":{\"containers\":[{\"name\":\"c\",\"nodeName\":\"no\"}],"
		     "\"nodeName\":\"n\\u002d1\",\"hostNetwork\":true},"
		     "\"status\":{\"podIPs\":[{\"ip\":\"10.0.0.1\"},{\"ip\":\"fd00::1\"}],"
		     "\"replicas\":3},\"source\":{},\"reportingComponent\":\"me\"}",
		     NULL);
	struct cox_bytes labels;
	size_t count;

	(void)state;
	assert_non_null(entry);
	assert_bytes(store_entry_key(entry), "/registry/pods/default/web");
	assert_bytes(store_entry_name(entry), "web");
	assert_memory_equal(store_entry_namespace(entry).data, "default/", 8);
	assert_int_equal(store_entry_namespace(entry).size, 7);
	assert_memory_equal(store_entry_uid(entry).data, "u-1", 3);
	assert_int_equal(store_entry_revision(entry), 42);
	assert_true(store_entry_deleting(entry));
	assert_null(store_entry_error(entry));
	labels = store_entry_labels(entry, &count);
	assert_int_equal(count, 3);
	assert_int_equal(labels.size, 18);
	assert_memory_equal(labels.data, "a\0b\0app\0web\0tier\0\0", 18);
	assert_bytes(store_entry_label(entry, "app"), "web");
	assert_bytes(store_entry_label(entry, "tier"), "");
	assert_null(store_entry_label(entry, "ap").data);
	assert_null(store_entry_label(entry, "z").data);
	assert_bytes(store_entry_field(entry, 0), "web");
	assert_bytes(store_entry_field(entry, 1), "default");
	assert_bytes(store_entry_field(entry, 2), "n-1");
	assert_bytes(store_entry_field(entry, 3), "true");
	assert_bytes(store_entry_field(entry, 4), "10.0.0.1");
	assert_bytes(store_entry_field(entry, 5), "me");
	assert_bytes(store_entry_field(entry, 6), "3");
	assert_bytes(store_entry_field(entry, 7), "");
	assert_bytes(store_entry_owner(entry, 0), "o-1");
	assert_bytes(store_entry_owner(entry, 1), "o-2");
	assert_null(store_entry_owner(entry, 2).data);
	store_entry_unref(entry);

	entry = scan("{\"metadata\":{\"deletionTimestamp\":null},\"status\":{\"podIPs\":[]},"
		     "\"spec\":{\"nodeName\":null}}",
		     NULL);
	assert_false(store_entry_deleting(entry));
	assert_bytes(store_entry_field(entry, 2), "");
	assert_bytes(store_entry_field(entry, 3), "false");
	assert_bytes(store_entry_field(entry, 4), "");
	assert_bytes(store_entry_field(entry, 6), "0");
	store_entry_unref(entry);
}

static void test_refuse(void **state)
{
	static const struct {
		const char *json, *why;
	} cases[] = {
		{"[]", "not a JSON object"},
		{"{}", "no metadata"},
		{"{\"metadata\":1}", "metadata is not an object"},
		{"{\"metadata\":{},\"metadata\":{}}", "metadata is there twice"},
		{"{\"metadata\":{\"name\":\"other\"}}",
		 "metadata.name \"other\" is not that of the key"},
		{"{\"metadata\":{\"namespace\":\"kube\"}}",
		 "metadata.namespace \"kube\" is not that of the key"},
		{"{\"metadata\":{\"labels\":[]}}", "metadata.labels is not an object"},
		{"{\"metadata\":{\"labels\":{\"a\":1}}}", "a label's value is not a string"},
		{"{\"metadata\":{\"labels\":{\"a\":\"b\\u0000c\"}}}",
		 "a label contains a zero byte"},
	};
	static const char *const broken[] = {"",
					     "{",
					     "{\"metadata\":{}",
					     "{\"metadata\":{}}x",
					     "{\"metadata\":{\"labels\":{\"a\":\"b\",}}}",
					     "{\"metadata\":{},\"spec\":{\"nodeName\":nul}}"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cox_autoerror err = COX_ERROR_INIT;

		assert_null(scan(cases[i].json, &err));
		assert_string_equal(error_text(&err), cases[i].why);
	}
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		cox_autoerror err = COX_ERROR_INIT;

		assert_null(scan(broken[i], &err));
		assert_memory_equal(error_text(&err), "not", 3);
		assert_int_equal(err.reason, COX_REASON_STORE_READ_ERROR);
	}
}

static void test_bad_entry(void **state)
{
	struct store_entry *entry =
		scan_bad_entry(&plan, bytes("/registry/pods/default/web"), 9, "not JSON: eh");
	struct store_entry *later = store_entry_at_revision(entry, 10);

	(void)state;
	assert_string_equal(store_entry_error(entry), "not JSON: eh");
	assert_string_equal(store_entry_error(later), "not JSON: eh");
	assert_int_equal(store_entry_revision(later), 10);
	assert_int_equal(store_entry_json(entry).size, 0);
	assert_bytes(store_entry_name(entry), "web");
	assert_bytes(store_entry_field(entry, 2), "");
	store_entry_unref(entry);
	store_entry_unref(later);
	assert_true(scan_key_fits(&plan, bytes("/registry/pods/a/b")));
	assert_false(scan_key_fits(&plan, bytes("/registry/pods/a")));
	assert_false(scan_key_fits(&plan, bytes("/registry/pods/a/")));
	assert_false(scan_key_fits(&plan, bytes("/registry/pods//b")));
	assert_false(scan_key_fits(&plan, bytes("/registry/pods/a/b/c")));
	assert_false(scan_key_fits(&plan, bytes("/registry/pods/")));
}

static void test_forms(void **state)
{
	struct store_forms *forms = store_forms_create(16 * 4096);
	struct store_entry *entry = scan("{\"metadata\":{}}", NULL);
	struct store_entry *later = store_entry_at_revision(entry, 43);
	struct store_forms_figures figures;
	struct bytes *made, *found;

	(void)state;
	assert_null(store_forms_get(forms, entry, 1));
	made = store_forms_put(forms, entry, 1, bytes_copy("one", 3));
	found = store_forms_get(forms, entry, 1);
	assert_ptr_equal(found, made);
	bytes_unref(found);
	found = store_forms_put(forms, entry, 1, bytes_copy("two", 3));
	assert_ptr_equal(found, made); /* the first stays */
	bytes_unref(found);
	assert_null(store_forms_get(forms, later, 1));
	assert_null(store_forms_get(forms, entry, 2));
	for (uint64_t form = 2; form < 1000; form++)
		bytes_unref(store_forms_put(forms, later, form, bytes_new(200)));
	store_forms_figures(forms, &figures);
	assert_true(figures.bytes <= 16 * 4096);
	assert_true(figures.count >= 100 && figures.count < 300);
	assert_int_equal(figures.count + figures.evicted, 999);
	found = store_forms_put(forms, entry, 5000, bytes_new(2000));
	bytes_unref(found);
	assert_null(store_forms_get(forms, entry, 5000)); /* too large to keep */
	assert_string_equal(made->data, "one");
	bytes_unref(made);
	store_forms_free(forms);
	store_entry_unref(entry);
	store_entry_unref(later);
}

static void test_plan(void **state)
{
	static const struct store_field into_metadata = {"x", "metadata.labels", NULL, false};
	static const struct store_field empty_step = {"x", "spec..y", NULL, false};
	struct store_collection_options options = pods;
	struct scan_plan other;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	options.fields = &into_metadata;
	options.field_count = 1;
	assert_int_equal(scan_plan_init(&other, &options, &err), -1);
	assert_string_equal(error_text(&err), "pods: field path \"metadata.labels\" is empty or "
					      "leads into metadata");
	options.fields = &empty_step;
	assert_int_equal(scan_plan_init(&other, &options, &err), -1);
	assert_string_equal(error_text(&err),
			    "pods: field path \"spec..y\" is empty in a step or too deep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_splice), cmocka_unit_test(test_extract),
		cmocka_unit_test(test_refuse), cmocka_unit_test(test_bad_entry),
		cmocka_unit_test(test_forms),  cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests_name("store entry", tests, set_up, tear_down);
}
