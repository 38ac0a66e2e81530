/* SPDX-License-Identifier: Apache-2.0 */
/* LimitRanger: defaults, and every sentence that it refuses with. */
#include "harness.h"

#include <coxswain/kit/buf.h>
#include <stdio.h>

#define CONTAINER(name, more) "{\"name\":\"" name "\",\"image\":\"i\"" more "}"
#define ASKS(resources) ",\"resources\":{" resources "}"
#define POD(containers) "{\"metadata\":{\"name\":\"web\"},\"spec\":{" containers "}}"
#define ONE(resources) POD("\"containers\":[" CONTAINER("c", ASKS(resources)) "]")

static void put_range(struct fixture *f, const char *name, const char *limits)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_printf(&text,
		       "{\"kind\":\"LimitRange\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		       "\"%s\",\"namespace\":\"default\"},\"spec\":{\"limits\":[%s]}}",
		       name, limits);
	fake_put(f->server, "limitranges", text.data);
}

static void defaults_are_given(void **state)
{
	struct fixture *f = *state;
	const struct attempt create = {
		.object = POD(
			"\"initContainers\":[" CONTAINER("i", "") "],\"containers\":[" CONTAINER(
				"a",
				"") "," CONTAINER("b",
						  ASKS("\"requests\":{\"cpu\":\"1\"},\"limits\":{"
						       "\"cpu\":"
						       "\"2\",\"example.com/gpu\":\"1\"}")) "]")};
	struct cox_object *object;

	put_range(f, "l",
		  "{\"type\":\"Container\",\"default\":{\"cpu\":\"500m\",\"memory\":\"64Mi\"},"
		  "\"defaultRequest\":{\"cpu\":\"100m\"}},{\"type\":\"Pod\",\"default\":{"
		  "\"cpu\":\"9\"}}");
	add_plugin(f, "LimitRanger", NULL, NULL);
	object = admitted(f, &create);
	is_json(object, "spec.containers[0].resources.limits",
		"{\"cpu\":\"500m\",\"memory\":\"64Mi\"}");
	is_json(object, "spec.containers[0].resources.requests.cpu", "\"100m\"");
	is_json(object, "spec.containers[1].resources.limits",
		"{\"cpu\":\"2\",\"example.com/gpu\":\"1\",\"memory\":\"64Mi\"}");
	is_json(object, "spec.containers[1].resources.requests.cpu", "\"1\"");
	is_json(object, "spec.initContainers[0].resources.limits.cpu", "\"500m\"");
	is_json(object, "metadata.annotations",
		"{\"kubernetes.io/limit-ranger\":\"LimitRanger plugin set: cpu request for "
		"container a; cpu, memory limit for container a; memory limit for container b; "
		"cpu request for init container i; cpu, memory limit for init container i\"}");
	object_unref(object);
}

static void nothing_to_give_changes_nothing(void **state)
{
	struct fixture *f = *state;
	const struct attempt create = {.object = ONE("\"limits\":{\"cpu\":\"1\"}")};
	struct cox_object *object;

	put_range(f, "l", "{\"type\":\"Container\",\"default\":{\"cpu\":\"500m\"}}");
	add_plugin(f, "LimitRanger", NULL, NULL);
	object = admitted(f, &create);
	is_json(object, "spec.containers[0].resources.limits", "{\"cpu\":\"1\"}");
	is_json(object, "metadata.annotations", "nothing");
	object_unref(object);
}

/* One range, one pod, one answer: NULL passes. */
static const struct {
	const char *limits, *pod, *why;
} rows[] = {
	{"{\"type\":\"Container\",\"min\":{\"cpu\":\"1\"}}", ONE("\"requests\":{\"cpu\":\"1\"}"),
	 NULL},
	{"{\"type\":\"Container\",\"min\":{\"cpu\":\"1\"}}", ONE(""),
	 "minimum cpu usage per Container is 1.  No request is specified"},
	{"{\"type\":\"Container\",\"min\":{\"cpu\":\"1\"}}", ONE("\"requests\":{\"cpu\":\"500m\"}"),
	 "minimum cpu usage per Container is 1, but request is 500m"},
	{"{\"type\":\"Container\",\"min\":{\"cpu\":\"1\"}}", ONE("\"limits\":{\"cpu\":\"500m\"}"),
	 "[minimum cpu usage per Container is 1, but request is 500m, minimum cpu usage "
	 "per "
	 "Container is 1, but limit is 500m]"},
	{"{\"type\":\"Container\",\"max\":{\"memory\":\"1Gi\"}}", ONE(""),
	 "maximum memory usage per Container is 1Gi.  No limit is specified"},
	{"{\"type\":\"Container\",\"max\":{\"memory\":\"1Gi\"}}",
	 ONE("\"limits\":{\"memory\":\"2Gi\"},\"requests\":{\"memory\":\"1Gi\"}"),
	 "maximum memory usage per Container is 1Gi, but limit is 2Gi"},
	{"{\"type\":\"Container\",\"max\":{\"memory\":\"1Gi\"}}",
	 ONE("\"requests\":{\"memory\":\"1025Mi\"},\"limits\":{\"memory\":\"1Gi\"}"),
	 "maximum memory usage per Container is 1Gi, but request is 1025Mi"},
	{"{\"type\":\"Container\",\"maxLimitRequestRatio\":{\"cpu\":\"2\"}}",
	 ONE("\"requests\":{\"cpu\":\"1\"},\"limits\":{\"cpu\":\"2\"}"), NULL},
	{"{\"type\":\"Container\",\"maxLimitRequestRatio\":{\"cpu\":\"2\"}}",
	 ONE("\"requests\":{\"cpu\":\"1\"},\"limits\":{\"cpu\":\"2500m\"}"),
	 "cpu max limit to request ratio per Container is 2, but provided ratio is "
	 "2.500000"},
	{"{\"type\":\"Container\",\"maxLimitRequestRatio\":{\"cpu\":\"2\"}}",
	 ONE("\"requests\":{\"cpu\":\"1\"}"),
	 "cpu max limit to request ratio per Container is 2, but no limit is specified or "
	 "limit "
	 "is 0"},
	{"{\"type\":\"Container\",\"maxLimitRequestRatio\":{\"cpu\":\"2\"}}",
	 ONE("\"requests\":{\"cpu\":\"0\"},\"limits\":{\"cpu\":\"1\"}"),
	 "cpu max limit to request ratio per Container is 2, but no request is specified "
	 "or "
	 "request is 0"},
	/* a pod is the sum of its containers, or its largest init container */
	{"{\"type\":\"Pod\",\"max\":{\"cpu\":\"2\"}}",
	 POD("\"containers\":[" CONTAINER(
		 "a", ASKS("\"limits\":{\"cpu\":"
			   "\"1\"}")) "," CONTAINER("b",
						    ASKS("\"limits\":{\"cpu\":\"1500m\"}")) "]"),
	 "[maximum cpu usage per Pod is 2, but limit is 2500m, maximum cpu usage "
	 "per Pod is 2, "
	 "but request is 2500m]"},
	{"{\"type\":\"Pod\",\"max\":{\"cpu\":\"2\"}}",
	 POD("\"initContainers\":[" CONTAINER(
		 "i", ASKS("\"limits\":{\"cpu\":\"2\"}")) "],\"containers\":"
							  "[" CONTAINER("a", ASKS("\"limit"
										  "s\":{"
										  "\"cpu\""
										  ":\"1\""
										  "}")) "]"),
	 NULL},
	{"{\"type\":\"Pod\",\"max\":{\"cpu\":\"2\"}}",
	 POD("\"initContainers\":[{\"name\":\"s\",\"image\":\"i\",\"restartPolicy\":"
	     "\"Always\"" ASKS(
		     "\"limits\":{\"cpu\":\"1\"},\"requests\":{\"cpu\":"
		     "\"0\"}") "}," CONTAINER("i", ASKS("\"limits\":{\"cpu\":\"1500m\"},"
							"\"requests\":{\"cpu\":"
							"\"0\"}")) "],\"containers\":"
								   "[" CONTAINER("a",
										 ASKS("\"limit"
										      "s\":{"
										      "\"cpu\""
										      ":"
										      "\"1\"},"
										      "\"reque"
										      "sts\":"
										      "{\"cpu"
										      "\":"
										      "\"0\""
										      "}")) "]"),
	 "maximum cpu usage per Pod is 2, but limit is 2500m"},
	/* everything at once */
	{"{\"type\":\"Container\",\"max\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}",
	 POD("\"containers\":[" CONTAINER("a", ASKS("\"limits\":{\"cpu\":\"2\"},\"requests\":{"
						    "\"cpu\":\"1\"}")) "]"),
	 "[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per "
	 "Container is 1Gi.  No limit is specified]"},
};

static void limits_are_kept(void **state)
{
	struct fixture *f = *state;

	add_plugin(f, "LimitRanger", NULL, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *own = fixture_new();
		cox_autobuf text = COX_BUF_INIT;

		put_range(own, "l", rows[i].limits);
		add_plugin(own, "LimitRanger", NULL, NULL);
		cox_buf_printf(&text, "pods \"web\" is forbidden: %s",
			       rows[i].why ? rows[i].why : "");
		if (rows[i].why)
			refused(own, &(struct attempt){.object = rows[i].pod}, COX_REASON_FORBIDDEN,
				text.data);
		else
			passes(own, &(struct attempt){.object = rows[i].pod});
		/* without ranges nobody objects */
		passes(f, &(struct attempt){.object = rows[i].pod});
		fixture_free(own);
	}
}

#define CLAIM(size)                                                                                \
	"{\"metadata\":{\"name\":\"web\"},\"spec\":{\"resources\":{\"requests\":{\"storage\":"     \
	"\"" size "\"}}}}"

static void claims_are_limited(void **state)
{
	struct fixture *f = *state;
	struct attempt create = {.resource = "persistentvolumeclaims", .object = CLAIM("5Gi")};

	put_range(f, "l",
		  "{\"type\":\"PersistentVolumeClaim\",\"min\":{\"storage\":\"1Gi\"},\"max\":{"
		  "\"storage\":\"5Gi\"}}");
	add_plugin(f, "LimitRanger", NULL, NULL);
	passes(f, &create);
	create.object = CLAIM("6Gi");
	refused(f, &create, COX_REASON_FORBIDDEN,
		"persistentvolumeclaims \"web\" is forbidden: maximum storage usage per "
		"PersistentVolumeClaim is 5Gi, but request is 6Gi");
	create.object = CLAIM("512Mi");
	refused(f, &create, COX_REASON_FORBIDDEN,
		"persistentvolumeclaims \"web\" is forbidden: minimum storage usage per "
		"PersistentVolumeClaim is 1Gi, but request is 512Mi");
	/* a claim that grows is checked, too */
	create.operation = WRITE_UPDATE;
	create.old = CLAIM("5Gi");
	create.object = CLAIM("6Gi");
	refused(f, &create, COX_REASON_FORBIDDEN,
		"persistentvolumeclaims \"web\" is forbidden: maximum storage usage per "
		"PersistentVolumeClaim is 5Gi, but request is 6Gi");
}

static void pods_are_not_looked_at_again(void **state)
{
	struct fixture *f = *state;
	const struct attempt update = {
		.operation = WRITE_UPDATE, .object = ONE(""), .old = ONE("")};

	put_range(f, "l", "{\"type\":\"Container\",\"min\":{\"cpu\":\"1\"}}");
	add_plugin(f, "LimitRanger", NULL, NULL);
	passes(f, &update);
}

/* A server whose listers are not complete yet knows the limits all the same. */
static void a_late_lister_lets_nothing_through(void **state)
{
	struct fixture *f = *state;
	const struct attempt create = {.object = ONE("")};

	put_range(f, "l", "{\"type\":\"Container\",\"min\":{\"cpu\":\"1\"}}");
	add_plugin_unready(f, "LimitRanger");
	refused(f, &create, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: minimum cpu usage per Container is 1.  No request is "
		"specified");
	fake_hold_watches(f->server, false);
}

const struct CMUnitTest limit_tests[] = {
	SUITE_TEST(defaults_are_given),
	SUITE_TEST(nothing_to_give_changes_nothing),
	SUITE_TEST(limits_are_kept),
	SUITE_TEST(claims_are_limited),
	SUITE_TEST(pods_are_not_looked_at_again),
	SUITE_TEST(a_late_lister_lets_nothing_through),
};
SUITE_END(limit);
