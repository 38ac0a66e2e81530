/* SPDX-License-Identifier: Apache-2.0 */
/* Accept headers: what wins, what is refused and in which words. */
#include "unit.h"

#include "apiserver/negotiate.h"

#include <coxswain/kit/buf.h>
#include <string.h>

#define OBJECTS (OFFER_JSON | OFFER_YAML | OFFER_PROTOBUF | OFFER_TABLE | OFFER_PARTIAL)
#define WATCHES (OFFER_JSON | OFFER_PROTOBUF | OFFER_TABLE | OFFER_PARTIAL | OFFER_WATCH)

#define JSON "application/json"
#define PROTOBUF "application/vnd.kubernetes.protobuf"
#define YAML "application/yaml"
#define META ";g=meta.k8s.io;v=v1"

/* The Content-Type that `accept` leads to, or "". */
static const char *chosen(const char *accept, unsigned offers, struct arena *arena)
{
	struct media_choice choice;

	if (negotiate_accept(accept, offers, &choice, NULL) != 0)
		return "";
	return negotiate_content_type(&choice, (offers & OFFER_WATCH) != 0, arena);
}

static void test_choice(void **state)
{
	static const struct {
		const char *accept, *type;
	} cases[] = {
		{NULL, JSON},
		{"", JSON},
		{" , ,", JSON},
		{"*/*", JSON},
		{"*", JSON},
		{"application/*", JSON},
		{"text/*", ""},
		{"text/html", ""},
		{"application/json, text/html", JSON},
		{"APPLICATION/JSON", JSON},
		{"application/json; charset=utf-8", JSON},
		{"application/json;profile=nopeer", JSON},
		{PROTOBUF "," JSON, PROTOBUF},
		{JSON "," PROTOBUF, JSON},
		{YAML, YAML},
		{"application/cbor", ""},
		{"application/cbor," JSON, JSON},
		/* weights */
		{JSON ";q=0.5," PROTOBUF ";q=0.9", PROTOBUF},
		{JSON ";q=0.501," YAML ";q=0.5", JSON},
		{JSON ";q=0", ""},
		{JSON ";q=0.000", ""},
		{JSON ";q=0," YAML, YAML},
		{JSON ";q=1.000," YAML, JSON},
		{JSON ";q=rubbish," YAML ";q=0.9", JSON},
		/* what is excluded is not what a wildcard means */
		{JSON ";q=0,*/*", YAML},
		{"*/*," JSON ";q=0", YAML},
		{JSON ";q=0.0," YAML ";q=0,*/*;q=0.1", PROTOBUF},
		{"application/*;q=0,*/*", ""},
		{"application/*;q=0," YAML, YAML},
		{"*/*;q=0," PROTOBUF ";q=0.1", PROTOBUF},
		{"*/*;q=0", ""},
		{JSON ";as=Table" META ";q=0," JSON, JSON},
		{JSON ";q=0," JSON ";as=Table" META, ""},
		/* a type before a wildcard, at the same weight */
		{"*/*," YAML, YAML},
		{"*/*, application/*," PROTOBUF, PROTOBUF},
		{"*/*;q=0.9," YAML ";q=0.1", JSON},
		{"text/html, image/png, */*;q=0.8", JSON},
		/* forms */
		{JSON ";as=Table" META, JSON META ";as=Table"},
		{JSON ";as=Table;v=v1;g=meta.k8s.io", JSON META ";as=Table"},
		{JSON ";as=\"Table\"" META, JSON META ";as=Table"},
		{JSON ";as=Table;g=meta.k8s.io;v=v1beta1",
		 JSON ";g=meta.k8s.io;v=v1beta1;as=Table"},
		{YAML ";as=Table" META, YAML META ";as=Table"},
		{PROTOBUF ";as=Table" META, ""},
		{PROTOBUF ";as=Table" META "," JSON, JSON},
		{JSON ";as=Table;v=v9;g=meta.k8s.io", ""},
		{JSON ";as=Table;v=v1;g=example.com", ""},
		{JSON ";as=Chair" META, ""},
		{JSON ";as=Chair" META ",*/*", JSON},
		{JSON ";as=PartialObjectMetadataList" META, ""},
		{PROTOBUF ";as=PartialObjectMetadata" META,
		 PROTOBUF META ";as=PartialObjectMetadata"},
		{JSON ";g=meta.k8s.io", ""},
		{JSON ";v=v1", ""},
		/* streams */
		{JSON ";stream=watch", JSON},
		{JSON ";stream=else", ""},
		{JSON ";stream=", JSON},
		{YAML ";stream=watch", ""},
		{JSON ";sv=v1", JSON},
		{JSON ";sv=v2", ""},
	};
	cox_autoarena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *type = chosen(cases[i].accept, OBJECTS, &arena);

		if (strcmp(type, cases[i].type) != 0)
			fail_msg("%s gave %s", cases[i].accept, type);
	}
}

static void test_watch(void **state)
{
	static const struct {
		const char *accept, *type;
	} cases[] = {
		{NULL, JSON},
		{PROTOBUF, PROTOBUF ";stream=watch"},
		{PROTOBUF ";stream=watch", PROTOBUF ";stream=watch"},
		{JSON ";stream=watch", JSON},
		{YAML, ""},
		{YAML "," JSON, JSON},
		{PROTOBUF ";as=PartialObjectMetadata" META,
		 PROTOBUF META ";as=PartialObjectMetadata;stream=watch"},
		{PROTOBUF ";as=Table" META "," JSON ";as=Table" META, JSON META ";as=Table"},
	};
	cox_autoarena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *type = chosen(cases[i].accept, WATCHES, &arena);

		if (strcmp(type, cases[i].type) != 0)
			fail_msg("%s gave %s", cases[i].accept, type);
	}
}

static void test_refusals(void **state)
{
	struct media_choice choice;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(negotiate_accept("image/png", OBJECTS, &choice, &err), -1);
	assert_int_equal(err.reason, COX_REASON_NOT_ACCEPTABLE);
	assert_string_equal(error_text(&err), "only the following media types are accepted: "
					      "application/json, application/yaml, "
					      "application/vnd.kubernetes.protobuf");
	error_clear(&err);
	assert_int_equal(negotiate_accept(YAML, WATCHES, &choice, &err), -1);
	assert_string_equal(error_text(&err), "only the following media types are accepted: "
					      "application/json;stream=watch, "
					      "application/vnd.kubernetes.protobuf;stream=watch");
}

static void test_bounds(void **state)
{
	struct media_choice choice;
	cox_autobuf accept = COX_BUF_INIT;

	(void)state;
	/* What comes behind many others does not count. */
	for (int i = 0; i < 1000; i++)
		cox_buf_str(&accept, "text/html;level=1,");
	cox_buf_str(&accept, JSON);
	assert_int_equal(negotiate_accept(accept.data, OBJECTS, &choice, NULL), -1);
}

static void test_pretty(void **state)
{
	struct media_choice choice;

	(void)state;
	assert_int_equal(negotiate_accept(JSON ";pretty=1", OBJECTS, &choice, NULL), 0);
	assert_true(choice.pretty);
	assert_int_equal(negotiate_accept(JSON ";pretty=0", OBJECTS, &choice, NULL), 0);
	assert_false(choice.pretty);
	assert_true(negotiate_indents("curl/7.88.1"));
	assert_true(negotiate_indents("Wget/1.21.3"));
	assert_true(negotiate_indents("Mozilla/5.0 (X11; Linux x86_64; rv:128.0)"));
	assert_false(negotiate_indents("Mozilla/4.0"));
	assert_false(negotiate_indents("my-curl/1"));
	assert_false(negotiate_indents("kubectl/v1.36.0 (linux/amd64) kubernetes/abcdef"));
	assert_false(negotiate_indents(""));
	assert_false(negotiate_indents(NULL));
}

static void test_bodies(void **state)
{
	(void)state;
	assert_int_equal(negotiate_body(NULL), MEDIA_JSON);
	assert_int_equal(negotiate_body("Application/JSON; charset=utf-8"), MEDIA_JSON);
	assert_int_equal(negotiate_body(YAML), MEDIA_YAML);
	assert_int_equal(negotiate_body(PROTOBUF ";x=y"), MEDIA_PROTOBUF);
	assert_int_equal(negotiate_body("application/cbor"), MEDIA_NONE);
	assert_int_equal(negotiate_body("text/plain"), MEDIA_NONE);
	assert_int_equal(negotiate_body("application/json2"), MEDIA_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),	 cmocka_unit_test(test_watch),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_pretty),	 cmocka_unit_test(test_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
