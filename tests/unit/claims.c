/* SPDX-License-Identifier: Apache-2.0 */
/* Which volume will do for which claim, and the selectors behind it. */
#include "unit.h"

#include "base/error.h"
#include "machinery/object.h"

#include <coxswain/kit/claims.h>
#include <stdio.h>
#include <string.h>

/* An object from JSON in which ' stands for ". */
static struct cox_object *make(const char *text)
{
	cox_autoerror err = COX_ERROR_INIT;
	char json[2048];
	struct cox_object *object;

	snprintf(json, sizeof(json), "%s", text);
	for (char *at = json; *at; at++) {
		if (*at == '\'')
			*at = '"';
	}
	object = object_new(json, strlen(json), &err);
	if (!object)
		fail_msg("%s: %s", json, error_text(&err));
	return object;
}

static struct cox_object *volume(const char *metadata, const char *spec)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{'metadata':{'name':'v'%s},'spec':{'accessModes':['ReadWriteOnce',"
		 "'ReadOnlyMany'],'volumeMode':'Filesystem'%s},'status':{'phase':'Available'}}",
		 metadata, spec);
	return make(text);
}

static struct cox_object *claim(const char *spec)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{'metadata':{'name':'c','namespace':'n','uid':'u1'},'spec':{%s}}", spec);
	return make(text);
}

#define SIZE "'resources':{'requests':{'storage':'2Gi'}}"
#define RWO "'accessModes':['ReadWriteOnce'],"

static void check_fit(const char *metadata, const char *of_volume, const char *of_claim,
		      const char *why)
{
	cox_autoobject *left = volume(metadata, of_volume), *right = claim(of_claim);
	const char *found = cox_volume_unfit(&object_table, left, right);

	if (!why)
		assert_null(found);
	else
		assert_string_equal(found ? found : "it fits", why);
}

static void test_fit(void **state)
{
	static const char two[] = ",'capacity':{'storage':'2Gi'}";

	(void)state;
	check_fit("", two, RWO SIZE, NULL);
	check_fit("", ",'capacity':{'storage':'2147483648'}", RWO SIZE, NULL);
	check_fit("", ",'capacity':{'storage':'2G'}", RWO SIZE, "requested PV is too small");
	check_fit("", "", RWO SIZE, "requested PV is too small");
	check_fit("", two, "'accessModes':['ReadOnlyMany','ReadWriteOnce']," SIZE, NULL);
	check_fit("", two, "'accessModes':['ReadWriteOnce','ReadWriteMany']," SIZE,
		  "incompatible accessMode");
	check_fit("", two, "'volumeMode':'Block'," RWO SIZE, "incompatible volumeMode");
	check_fit("", two, "'storageClassName':''," RWO SIZE, NULL);
	check_fit("", two, "'storageClassName':'fast'," RWO SIZE,
		  "storageClassName does not match");
	check_fit("", ",'storageClassName':'fast','capacity':{'storage':'3Gi'}",
		  "'storageClassName':'fast'," RWO SIZE, NULL);
	check_fit(",'annotations':{'volume.beta.kubernetes.io/storage-class':'fast'}", two,
		  "'storageClassName':'fast'," RWO SIZE, NULL);
	check_fit("", two, "'volumeAttributesClassName':'gold'," RWO SIZE,
		  "volumeAttributesClassName does not match");
}

static void test_fit_selector(void **state)
{
	static const char labels[] = ",'labels':{'disk':'ssd','zone':'a'}";
	static const char two[] = ",'capacity':{'storage':'2Gi'}";
	static const char no[] = "the claim's selector does not match the volume's labels";

	(void)state;
	check_fit(labels, two, "'selector':{}," RWO SIZE, NULL);
	check_fit(labels, two, "'selector':{'matchLabels':{'disk':'ssd'}}," RWO SIZE, NULL);
	check_fit("", two, "'selector':{'matchLabels':{'disk':'ssd'}}," RWO SIZE, no);
	check_fit(labels, two,
		  "'selector':{'matchLabels':{'disk':'ssd'},'matchExpressions':[{'key':'zone',"
		  "'operator':'NotIn','values':['b','c']},{'key':'rack','operator':"
		  "'DoesNotExist'}]}," RWO SIZE,
		  NULL);
	check_fit(labels, two,
		  "'selector':{'matchExpressions':[{'key':'zone','operator':'In','values':"
		  "['b']}]}," RWO SIZE,
		  no);
	check_fit(labels, two,
		  "'selector':{'matchExpressions':[{'key':'zone','operator':'Near','values':"
		  "['a']}]}," RWO SIZE,
		  no);
}

static void test_claimed(void **state)
{
	cox_autoobject *mine = claim(RWO SIZE);
	static const struct {
		const char *ref;
		bool is_mine;
	} cases[] = {
		{",'claimRef':{'namespace':'n','name':'c'}", true},
		{",'claimRef':{'namespace':'n','name':'c','uid':'u1'}", true},
		{",'claimRef':{'namespace':'n','name':'c','uid':'u0'}", false},
		{",'claimRef':{'namespace':'m','name':'c'}", false},
		{",'claimRef':{'namespace':'n','name':'d'}", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cox_autoobject *one = volume("", cases[i].ref);

		assert_int_equal(cox_volume_is_claimed_by(&object_table, one, mine),
				 cases[i].is_mine);
		assert_int_equal(cox_volume_is_free(&object_table, one), !*cases[i].ref);
	}
}

static void test_available(void **state)
{
	cox_autoobject *going = volume(",'deletionTimestamp':'2026-01-01T00:00:00Z'", "");
	cox_autoobject *new = make("{'metadata':{'name':'v'},'status':{'phase':'Pending'}}");

	(void)state;
	assert_false(cox_volume_is_free(&object_table, going));
	assert_false(cox_volume_is_free(&object_table, new));
}

static void check_reach(const char *terms, const char *node, bool reaches)
{
	char spec[512];

	snprintf(spec, sizeof(spec), ",'nodeAffinity':{'required':{'nodeSelectorTerms':%s}}",
		 terms);
	{
		cox_autoobject *one = volume("", spec);
		cox_autoobject *other = make(node);

		assert_int_equal(cox_volume_reaches_node(&object_table, one, other), reaches);
	}
}

static void test_reach(void **state)
{
	static const char a[] = "{'metadata':{'name':'a','labels':{'zone':'east','cores':'8'}}}";
	static const char b[] = "{'metadata':{'name':'b'}}";
	cox_autoobject *anywhere = volume("", ""), *node = make(b);

	(void)state;
	assert_true(cox_volume_reaches_node(&object_table, anywhere, node));
	check_reach("[{'matchExpressions':[{'key':'zone','operator':'In','values':['east']}]}]", a,
		    true);
	check_reach("[{'matchExpressions':[{'key':'zone','operator':'In','values':['east']}]}]", b,
		    false);
	check_reach("[{'matchFields':[{'key':'metadata.name','operator':'In','values':['b']}]}]", b,
		    true);
	check_reach("[{'matchFields':[{'key':'metadata.name','operator':'In','values':['b']}]}]", a,
		    false);
	/* One of the terms, and all of it. */
	check_reach("[{'matchExpressions':[{'key':'gpu','operator':'Exists'}]},"
		    "{'matchExpressions':[{'key':'cores','operator':'Gt','values':['4']}]}]",
		    a, true);
	check_reach("[{'matchExpressions':[{'key':'zone','operator':'Exists'},"
		    "{'key':'cores','operator':'Lt','values':['4']}]}]",
		    a, false);
	check_reach("[{'matchExpressions':[{'key':'cores','operator':'Gt','values':['many']}]}]", a,
		    false);
	/* What asks for nothing is for nobody. */
	check_reach("[{}]", a, false);
	check_reach("[]", a, false);
}

static void test_pod_claim(void **state)
{
	cox_autoobject *pod = make("{'metadata':{'name':'p'},'spec':{'volumes':["
				   "{'name':'a','persistentVolumeClaim':{'claimName':'c'}},"
				   "{'name':'b','ephemeral':{'volumeClaimTemplate':{}}},"
				   "{'name':'c','emptyDir':{}}]}}");
	static const struct {
		const char *name;
		bool ephemeral;
	} wanted[] = {{"c", false}, {"p-b", true}, {"", false}};
	char room[COX_CLAIM_NAME_SIZE];
	bool ephemeral;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct cox_value *list =
			object_table.get(object_table.root(pod), "spec.volumes");

		assert_string_equal(cox_pod_claim(&object_table, pod,
						  object_table.at(list, i, NULL), room, &ephemeral),
				    wanted[i].name);
		assert_int_equal(ephemeral, wanted[i].ephemeral);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fit),	cmocka_unit_test(test_fit_selector),
		cmocka_unit_test(test_claimed), cmocka_unit_test(test_available),
		cmocka_unit_test(test_reach),	cmocka_unit_test(test_pod_claim),
	};

	return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
