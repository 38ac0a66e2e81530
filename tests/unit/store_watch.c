/* SPDX-License-Identifier: Apache-2.0 */
/* Watches: order, meaning through a selector, resuming, what is missed. */
#include "unit.h"

#include "base/clock.h"
#include "store_fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct cox_bytes bytes(const char *text)
{
	return (struct cox_bytes){text, strlen(text)};
}

struct watching {
	struct store_watch *watch;
	const char *app; /* selector: this label; NULL: none */
	_Atomic int wakes;
	char seen[2048]; /* "ADDED web@5 …" */
	size_t seen_size;
};

static bool has_app(void *context, const struct store_entry *entry)
{
	const struct watching *watching = context;
	struct cox_bytes app = store_entry_label(entry, "app");

	return app.data && strcmp(app.data, watching->app) == 0;
}

static void count_wake(void *context)
{
	atomic_fetch_add(&((struct watching *)context)->wakes, 1);
}

static struct store_watch_options options_for(struct watching *watching, const char *app)
{
	struct store_watch_options options = {
		.scope = STORE_SCOPE_ALL, .wake = count_wake, .context = watching};

	memset(watching, 0, sizeof(*watching));
	watching->app = app;
	if (app) {
		options.match = has_app;
		options.match_context = watching;
	}
	return options;
}

static enum store_watch_type drain(struct watching *watching)
{
	static const char *const names[] = {"NONE",    "ADDED", "MODIFIED",
					    "DELETED", "ERROR", "EXPIRED"};
	struct store_watch_event event;

	while (store_watch_next(watching->watch, &event) != STORE_WATCH_NONE) {
		char *end = watching->seen + watching->seen_size;
		size_t room = sizeof(watching->seen) - watching->seen_size;

		if (!event.entry) {
			snprintf(end, room, "%s", names[event.type]);
			return event.type;
		}
		/* The object always carries the event's own revision. */
		if (event.type != STORE_WATCH_ERROR) {
			char expected[48];

			snprintf(expected, sizeof(expected), "\"resourceVersion\":\"%lu\"",
				 (unsigned long)event.revision);
			assert_non_null(strstr(store_entry_json(event.entry).data, expected));
		}
		watching->seen_size += (size_t)snprintf(
			end, room, "%s%s %s@%lu", watching->seen_size ? " " : "", names[event.type],
			(const char *)store_entry_name(event.entry).data,
			(unsigned long)event.revision);
		store_watch_event_clear(&event);
	}
	return STORE_WATCH_NONE;
}

static void assert_seen(struct watching *watching, const char *expected)
{
	drain(watching);
	assert_string_equal(watching->seen, expected);
	watching->seen[0] = '\0';
	watching->seen_size = 0;
}

static void test_meaning(void **state)
{
	struct watching all, selected, on_n1, on_n2, in_b, named;
	struct store_watch_options options;
	struct fixture fixture;
	uint64_t start;

	(void)state;
	fixture_start(&fixture, NULL, NULL);
	start = store_revision(fixture.store);
	assert_int_equal(start, 1);
	options = options_for(&all, NULL);
	all.watch = store_watch_open(fixture.pods, &options, start, NULL);
	options = options_for(&selected, "x");
	selected.watch = store_watch_open(fixture.pods, &options, start, NULL);
	options = options_for(&on_n1, NULL);
	options.scope.field = store_field_index(fixture.pods, "spec.nodeName");
	options.scope.value = bytes("n1");
	on_n1.watch = store_watch_open(fixture.pods, &options, start, NULL);
	options.context = &on_n2;
	memset(&on_n2, 0, sizeof(on_n2));
	options.scope.value = bytes("n2");
	on_n2.watch = store_watch_open(fixture.pods, &options, start, NULL);
	options = options_for(&in_b, NULL);
	options.scope.namespace = bytes("b");
	in_b.watch = store_watch_open(fixture.pods, &options, start, NULL);
	options = options_for(&named, NULL);
	options.scope.namespace = bytes("a");
	options.scope.name = bytes("web");
	named.watch = store_watch_open(fixture.pods, &options, start, NULL);
	assert_seen(&all, "");
	assert_seen(&selected, "");
	assert_seen(&on_n1, "");
	assert_seen(&on_n2, "");
	assert_seen(&in_b, "");
	assert_seen(&named, "");

	put_pod(&fixture, "a", "web", "x", "", 0);
	put_pod(&fixture, "b", "web", "y", "n2", 0);
	put_pod(&fixture, "a", "web", "x", "n1", ANY);
	put_pod(&fixture, "a", "web", "y", "n1", ANY);
	put_pod(&fixture, "b", "web", "x", "n2", ANY);
	put_pod(&fixture, "a", "web", "x", "n2", ANY);
	delete_pod(&fixture, "a", "web");

	assert_seen(&all, "ADDED web@2 ADDED web@3 MODIFIED web@4 MODIFIED web@5 MODIFIED web@6 "
			  "MODIFIED web@7 DELETED web@8");
	assert_seen(&selected, "ADDED web@2 MODIFIED web@4 DELETED web@5 ADDED web@6 ADDED web@7 "
			       "DELETED web@8");
	assert_seen(&on_n1, "ADDED web@4 MODIFIED web@5 DELETED web@7");
	assert_seen(&on_n2, "ADDED web@3 MODIFIED web@6 ADDED web@7 DELETED web@8");
	assert_seen(&in_b, "ADDED web@3 MODIFIED web@6");
	assert_seen(&named, "ADDED web@2 MODIFIED web@4 MODIFIED web@5 MODIFIED web@7 DELETED "
			    "web@8");
	/* Everyone that was at rest was woken once, and nobody else. */
	eventually(all.wakes == 1 && on_n1.wakes == 1 && in_b.wakes == 1 && named.wakes == 1);
	put_pod(&fixture, "c", "other", "z", "n3", 0);
	eventually(all.wakes == 2 && selected.wakes == 2);
	assert_int_equal(on_n1.wakes, 1);
	assert_int_equal(in_b.wakes, 1);
	assert_int_equal(named.wakes, 1);
	assert_seen(&selected, "");
	assert_seen(&on_n2, "");
	assert_int_equal(store_watch_revision(on_n2.watch), 9);
	store_watch_close(all.watch);
	store_watch_close(selected.watch);
	store_watch_close(on_n1.watch);
	store_watch_close(on_n2.watch);
	store_watch_close(in_b.watch);
	store_watch_close(named.watch);
	fixture_stop(&fixture);
}

static void test_resume(void **state)
{
	struct watching one, again;
	struct store_watch_options options;
	struct store_snapshot *snapshot = NULL;
	struct fixture fixture;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	fixture_start(&fixture, NULL, NULL);
	put_pod(&fixture, "a", "p1", "x", "", 0);
	put_pod(&fixture, "a", "p2", "x", "", 0);
	put_pod(&fixture, "a", "p3", "x", "", 0);
	options = options_for(&one, NULL);
	one.watch = store_watch_open(fixture.pods, &options, 2, NULL);
	assert_int_equal(store_watch_revision(one.watch), 2); /* nothing was handed out yet */
	assert_seen(&one, "ADDED p2@3 ADDED p3@4");
	assert_int_equal(store_watch_revision(one.watch), 4);
	store_watch_close(one.watch);
	/* From before this store began: gone. From the future: quiet until then. */
	assert_null(store_watch_open(fixture.pods, &options, 0, &err));
	assert_int_equal(err.reason, COX_REASON_EXPIRED);
	assert_string_equal(error_text(&err), "too old resource version: 0 (1)");
	one.watch = store_watch_open(fixture.pods, &options, 5, NULL);
	put_pod(&fixture, "a", "p4", "x", "", 0);
	put_pod(&fixture, "a", "p5", "x", "", 0);
	assert_seen(&one, "ADDED p5@6");
	/* Initial state and what follows meet without a gap. */
	options = options_for(&again, NULL);
	again.watch = store_watch_open_now(fixture.pods, &options, &snapshot, NULL);
	assert_int_equal(store_snapshot_revision(snapshot), 6);
	assert_int_equal(store_snapshot_count(snapshot), 5);
	store_snapshot_unref(snapshot);
	assert_seen(&again, "");
	put_pod(&fixture, "a", "p6", "x", "", 0);
	assert_seen(&again, "ADDED p6@7");
	store_watch_close(again.watch);
	store_watch_close(one.watch);
	fixture_stop(&fixture);
}

static void test_missed(void **state)
{
	struct store_options small = {.history_bytes = 32 << 10};
	struct watching slow, idle, quiet;
	struct store_watch_options options;
	struct fixture fixture;
	cox_autoerror err = COX_ERROR_INIT;
	struct store_figures figures;
	uint64_t revision = 0;

	(void)state;
	fixture_start(&fixture, &small, NULL);
	options = options_for(&slow, NULL);
	slow.watch = store_watch_open(fixture.pods, &options, 1, NULL);
	options = options_for(&idle, NULL);
	options.scope.field = store_field_index(fixture.pods, "spec.nodeName");
	options.scope.value = bytes("n1");
	idle.watch = store_watch_open(fixture.pods, &options, 1, NULL);
	options = options_for(&quiet, NULL);
	quiet.watch = store_watch_open(fixture.nodes, &options, 1, NULL);
	assert_seen(&idle, "");
	assert_seen(&quiet, "");
	for (int i = 0; i < 500; i++)
		revision = put_pod(&fixture, "a", "p", i % 2 ? "x" : "y", "n2", ANY).revision;
	store_figures(fixture.store, &figures);
	assert_true(figures.history_events < 400);
	assert_true(figures.history_bytes <= small.history_bytes);
	/* Only who has something undelivered has missed something. */
	assert_seen(&slow, "EXPIRED");
	assert_int_equal(drain(&slow), STORE_WATCH_EXPIRED);
	store_watch_close(slow.watch);
	assert_int_equal(idle.wakes, 0);
	assert_int_equal(store_watch_revision(idle.watch), revision);
	put_pod(&fixture, "a", "p", "x", "n1", ANY);
	eventually(idle.wakes == 1);
	drain(&idle);
	assert_memory_equal(idle.seen, "ADDED p@", 8);
	options = options_for(&slow, NULL);
	assert_null(store_watch_open(fixture.pods, &options, 1, &err));
	assert_int_equal(err.reason, COX_REASON_EXPIRED);
	assert_int_equal(store_watch_revision(quiet.watch), revision + 1);
	store_watch_close(quiet.watch);
	quiet.watch = store_watch_open(fixture.nodes, &options, 1, &err);
	assert_non_null(quiet.watch); /* nothing of the nodes was dropped */
	store_watch_close(quiet.watch);
	store_watch_close(idle.watch);
	fixture_stop(&fixture);
}

static void fill_with_past(struct fake *fake)
{
	char json[512];

	fake_put(fake, "/registry/pods/a/p1", pod_json(json, "a", "p1", "x", "n1"), FIXTURE_TAG);
	fake_put(fake, "/registry/pods/a/p2", pod_json(json, "a", "p2", "x", "n1"), FIXTURE_TAG);
	fake_put(fake, "/registry/pods/a/p1", pod_json(json, "a", "p1", "y", "n2"), FIXTURE_TAG);
	fake_delete(fake, "/registry/pods/a/p2");
	fake->capabilities = COX_STORAGE_AT_REVISION | COX_STORAGE_PROGRESS;
	fake->compacted = 3;
}

/* A watch of before the restart goes on after it. */
static void test_restart(void **state)
{
	struct watching one;
	struct store_watch_options options;
	struct store_snapshot *past;
	struct fixture fixture;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	fixture_start(&fixture, NULL, fill_with_past);
	assert_int_equal(store_revision(fixture.store), 5); /* not before it has caught up */
	assert_null(store_get(fixture.pods, "a", "p2"));
	options = options_for(&one, NULL);
	assert_null(store_watch_open(fixture.pods, &options, 2, &err));
	assert_string_equal(error_text(&err), "too old resource version: 2 (3)");
	one.watch = store_watch_open(fixture.pods, &options, 3, NULL);
	assert_seen(&one, "MODIFIED p1@4 DELETED p2@5");
	store_watch_close(one.watch);
	past = store_snapshot_at(fixture.pods, 3, &err);
	assert_int_equal(store_snapshot_count(past), 2);
	store_snapshot_unref(past);
	fixture_stop(&fixture);
}

static void test_bad_values(void **state)
{
	struct watching plain, selected, other;
	struct store_watch_options options;
	struct fixture fixture;
	char json[512];

	(void)state;
	fixture_start(&fixture, NULL, NULL);
	put_pod(&fixture, "a", "p", "x", "n1", 0);
	options = options_for(&plain, NULL);
	plain.watch = store_watch_open(fixture.pods, &options, 2, NULL);
	options = options_for(&selected, "x");
	selected.watch = store_watch_open(fixture.pods, &options, 2, NULL);
	options = options_for(&other, "y");
	other.watch = store_watch_open(fixture.pods, &options, 2, NULL);
	fake_put(&fixture.fake, "/registry/pods/a/p", "{\"metadata\":", FIXTURE_TAG);
	fake_put(&fixture.fake, "/registry/pods/a/p", pod_json(json, "a", "p", "x", "n1"),
		 FIXTURE_TAG);
	eventually(store_revision(fixture.store) == 4);
	/* Never told as a deletion: that could end a pod that runs. */
	assert_seen(&plain, "ERROR p@3 ADDED p@4");
	assert_seen(&selected, "ERROR p@3 ADDED p@4");
	assert_seen(&other, "");
	store_watch_close(plain.watch);
	store_watch_close(selected.watch);
	store_watch_close(other.watch);
	fixture_stop(&fixture);
}

static void test_ends(void **state)
{
	struct watching one, two;
	struct store_watch_options options;
	struct fixture fixture;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	fixture_start(&fixture, NULL, NULL);
	options = options_for(&one, NULL);
	one.watch = store_watch_open(fixture.pods, &options, 1, NULL);
	assert_seen(&one, "");
	assert_int_equal(store_reload_collection(fixture.pods, FIXTURE_TAG + 1, NULL, &err), 0);
	assert_int_equal(one.wakes, 1);
	assert_seen(&one, "EXPIRED");
	store_watch_close(one.watch);

	options = options_for(&one, NULL);
	one.watch = store_watch_open(fixture.pods, &options, store_revision(fixture.store), NULL);
	assert_seen(&one, "");
	fake_set(&fixture.fake, &fixture.fake.lose, true);
	eventually(one.wakes == 1);
	assert_seen(&one, "EXPIRED");
	store_watch_close(one.watch);

	options = options_for(&one, NULL);
	one.watch = store_watch_open(fixture.pods, &options, store_revision(fixture.store), NULL);
	options.context = &two;
	memset(&two, 0, sizeof(two));
	two.watch = store_watch_open(fixture.nodes, &options, store_revision(fixture.store), NULL);
	assert_seen(&one, "");
	assert_seen(&two, "");
	store_remove_collection(fixture.pods);
	assert_int_equal(one.wakes, 1);
	assert_int_equal(two.wakes, 0);
	assert_null(store_watch_open(fixture.pods, &options, 1, &err));
	assert_string_equal(error_text(&err), "pods is not served any more");
	store_stop(fixture.store);
	assert_int_equal(two.wakes, 1);
	assert_seen(&one, "EXPIRED");
	assert_seen(&two, "EXPIRED");
	store_watch_close(one.watch);
	store_watch_close(two.watch);
	fixture_stop(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meaning), cmocka_unit_test(test_resume),
		cmocka_unit_test(test_missed),	cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_ends),	cmocka_unit_test(test_restart),
	};

	return cmocka_run_group_tests_name("store watch", tests, NULL, NULL);
}
