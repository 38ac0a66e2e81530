/* SPDX-License-Identifier: Apache-2.0 */
/* The authenticators token and basic: good, bad and changing files. */
#include "harness.h"

#include "access/authenticate.h"
#include "base/clock.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char users[] =
	"s3cret,jane,7\n"
	"\n"
	"\"quo\"\"ted,one\",\"joe, the second\",8,\"dev, ops,,system:masters \"\r\n"
	"third,max,,\n"
	"geheim\xc3\xbc,j\xc3\xbcrgen,9,\xc3\xa4rzte";

struct row {
	const char *first, *second, *answer;
};

static struct host_plugin *start(const char *name, const char *text)
{
	const struct option options[] = {
		{"file", harness_path(name)}, {"check-interval", "0s"}, {NULL, NULL}};

	harness_text(name, text);
	return harness_start(name, options, NULL);
}

static void expect_token(struct host_plugin *plugin, const char *token, const char *answer)
{
	const struct cox_authn_request request = {.struct_size = sizeof(request),
						  .bearer_token = token};

	harness_expect(plugin, &request, answer);
}

static void expect_basic(struct host_plugin *plugin, const char *user, const char *password,
			 const char *answer)
{
	const struct cox_authn_request request = {
		.struct_size = sizeof(request), .basic_user = user, .basic_password = password};

	harness_expect(plugin, &request, answer);
}

static void tokens_name_users(void **state)
{
	static const struct row rows[] = {
		{"s3cret", "", "yes jane uid=7"},
		{"quo\"ted,one", "", "yes joe, the second uid=8 groups=dev,ops,system:masters"},
		{"third", "", "yes max"},
		{"geheim\xc3\xbc", "", "yes j\xc3\xbcrgen uid=9 groups=\xc3\xa4rzte"},
		{"s3cre", "", "not mine"},
		{"s3cret ", "", "not mine"},
		{"S3cret", "", "not mine"},
		{"jane", "", "not mine"},
		{"", "", "not mine"},
		{NULL, "", "not mine"},
	};
	struct host_plugin *plugin = start("token", users);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_token(plugin, rows[i].first, rows[i].answer);
	expect_basic(plugin, "jane", "s3cret", "not mine");
	host_close(plugin);
}

static void passwords_prove_users(void **state)
{
	static const char refused[] = "bad: unknown user or wrong password";
	static const struct row rows[] = {
		{"jane", "s3cret", "yes jane uid=7"},
		{"joe, the second", "quo\"ted,one",
		 "yes joe, the second uid=8 groups=dev,ops,system:masters"},
		{"max", "third", "yes max"},
		{"jane", "third", refused},
		{"jane", "s3cre", refused},
		{"jane", "s3crets", refused},
		{"jane", "", refused},
		{"nobody", "s3cret", refused},
		{"", "", refused},
		{NULL, NULL, "not mine"},
	};
	struct host_plugin *plugin = start("basic", users);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_basic(plugin, rows[i].first, rows[i].second, rows[i].answer);
	expect_token(plugin, "s3cret", "not mine");
	host_close(plugin);
}

static void broken_files_are_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"a,b,c\nd,e\n", "2: 2 columns; at least 3 are needed: token, user name, user uid"},
		{"\n\nalone", "3: 1 column; at least 3 are needed: token, user name, user uid"},
		{"a,,c", "1: the user name is empty"},
		{"a,\"b\" ,c", "1: text after a closing quotation mark"},
		{"a,b,c\na, \"b\",c",
		 "2: a quotation mark inside a field that does not begin with one"},
		{"a,\"b,c\nd,e,f\n", "1: a quotation mark is never closed"},
		{"a,b,c\n\"a\nb\",c,\xff", "3: bytes that are not UTF-8"},
		{"a,b,\xe2\x80\x9c"
		 "7\xe2\x80\x9d",
		 "1: a field begins with the character U+201C; quote with plain \"quotation "
		 "marks\""},
		{"\xef\xbb\xbf"
		 "a,b,c",
		 "1: a field begins with the character U+FEFF; quote with plain \"quotation "
		 "marks\""},
		{"a,\xc2\xa0"
		 "b,c",
		 "1: a field begins with the character U+00A0; quote with plain \"quotation "
		 "marks\""},
	};
	const struct option options[] = {{"file", harness_path("broken")}, {NULL, NULL}};
	cox_autobuf many = COX_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		harness_text("broken", rows[i].text);
		harness_refused("token", options, "authenticator plugin \"token\": %s/broken:%s",
				harness_directory, rows[i].why);
	}
	harness_write("broken", "a,b\0c,d", 7);
	harness_refused("token", options,
			"authenticator plugin \"token\": %s/broken:1: a zero byte",
			harness_directory);
	harness_text("broken", "a,b");
	harness_refused("basic", options,
			"authenticator plugin \"basic\": %s/broken:1: 2 columns; at least 3 are "
			"needed: password, user name, user uid",
			harness_directory);
	for (unsigned i = 0; i < 65; i++)
		cox_buf_str(&many, "a,");
	harness_text("broken", many.data);
	harness_refused("token", options,
			"authenticator plugin \"token\": %s/broken:1: more than 64 columns",
			harness_directory);
}

static void missing_files_are_refused(void **state)
{
	const struct option missing[] = {{"file", harness_path("nowhere")}, {NULL, NULL}};
	const struct option directory[] = {{"file", harness_directory}, {NULL, NULL}};
	const struct option none[] = {{NULL, NULL}};

	(void)state;
	harness_refused("token", missing,
			"authenticator plugin \"token\": %s/nowhere: No such file or directory",
			harness_directory);
	harness_refused("basic", directory,
			"authenticator plugin \"basic\": %s: not a regular file",
			harness_directory);
	harness_refused("token", none,
			"authenticator plugin \"token\" needs the option \"file\" (file with lines "
			"token,user,uid,\"group,group\")");
}

/* Legal, but said: nothing of it lets anybody else in. */
static void idle_lines_are_said(void **state)
{
	struct host_plugin *plugin = start("token", ",empty,1\nsame,first,1\nsame,second,2\n"
						    "wide,u,1,g1,g2\n");

	(void)state;
	expect_token(plugin, "", "not mine");
	expect_token(plugin, "same", "yes second uid=2");
	expect_token(plugin, "wide", "yes u uid=1 groups=g1");
	assert_int_equal(harness_logged("/token:1: an empty token lets nobody in; the line is "
					"skipped"),
			 1);
	assert_int_equal(harness_logged("/token:2: the same token as in line 3, which counts"), 1);
	assert_int_equal(harness_logged("/token:4: 5 columns, only 4 count; several groups go "
					"between quotation marks: \"one,two\""),
			 1);
	host_close(plugin);
}

static void a_changed_file_is_read_again(void **state)
{
	struct host_plugin *plugin = start("token", "old,jane,7");

	(void)state;
	expect_token(plugin, "old", "yes jane uid=7");
	harness_text("token", "new,jane,7");
	expect_token(plugin, "old", "not mine");
	expect_token(plugin, "new", "yes jane uid=7");
	/* broken: what was read before stays, said once */
	harness_text("token", "broken");
	for (unsigned i = 0; i < 3; i++)
		expect_token(plugin, "new", "yes jane uid=7");
	assert_int_equal(harness_logged("/token:1: 1 column; at least 3 are needed: token, user "
					"name, user uid; what was read before stays in force"),
			 1);
	assert_int_equal(unlink(harness_path("token")), 0);
	for (unsigned i = 0; i < 3; i++)
		expect_token(plugin, "new", "yes jane uid=7");
	assert_int_equal(harness_logged("/token: No such file or directory; what was read before "
					"stays in force"),
			 1);
	harness_text("token", "last,jane,7");
	expect_token(plugin, "last", "yes jane uid=7");
	expect_token(plugin, "new", "not mine");
	host_close(plugin);
}

/* With the ordinary interval nobody looks at the file in the next 10 s. */
static void the_interval_is_kept(void **state)
{
	const struct option options[] = {{"file", harness_path("rare")}, {NULL, NULL}};
	uint64_t begin = clock_monotonic();
	struct host_plugin *plugin;
	cox_autofree char *got = NULL;
	const struct cox_authn_request request = {.struct_size = sizeof(request),
						  .bearer_token = "new"};

	(void)state;
	harness_text("rare", "old,jane,7");
	plugin = harness_start("token", options, NULL);
	harness_text("rare", "new,jane,7");
	got = harness_ask(plugin, &request);
	if (clock_monotonic() - begin < 10 * CLOCK_SECOND)
		assert_string_equal(got, "not mine");
	host_close(plugin);
}

enum { ASKERS = 4, CHANGES = 50 };

struct asker {
	pthread_t thread;
	struct host_plugin *plugin;
	atomic_bool *done;
	unsigned long wrong, asked;
};

static void *ask_on(void *context)
{
	struct asker *asker = context;
	const struct cox_authn_request request = {.struct_size = sizeof(request),
						  .bearer_token = "always"};

	do {
		cox_autofree char *got = harness_ask(asker->plugin, &request);

		asker->wrong += strcmp(got, "yes jane uid=7 groups=dev") != 0;
		asker->asked++;
	} while (!atomic_load(asker->done));
	return NULL;
}

/* A user who is in every version of the file is never refused while it changes. */
static void threads_ask_while_the_file_changes(void **state)
{
	struct asker askers[ASKERS];
	struct host_plugin *plugin = start("token", "always,jane,7,dev");
	atomic_bool done;

	(void)state;
	atomic_init(&done, false);
	for (size_t i = 0; i < ASKERS; i++) {
		askers[i] = (struct asker){.plugin = plugin, .done = &done};
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_on, &askers[i]), 0);
	}
	for (unsigned i = 0; i < CHANGES; i++) {
		cox_autobuf text = COX_BUF_INIT;

		cox_buf_printf(&text, "%s,jane,7,dev\nother%u,joe,8%s\n", "always", i,
			       i % 5 == 4 ? "\nbroken" : "");
		harness_text("token", text.data);
	}
	atomic_store(&done, true);
	for (size_t i = 0; i < ASKERS; i++) {
		assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
		assert_int_equal(askers[i].wrong, 0);
		assert_true(askers[i].asked > 0);
	}
	host_close(plugin);
}

static unsigned released;

static void release(void *context)
{
	assert_ptr_equal(context, &released);
	released++;
}

/* Through the chain: what one does not know the next may. */
static void a_chain_asks_all(void **state)
{
	struct authenticators *chain = authenticators_new();
	struct cox_authn_request request = {
		.struct_size = sizeof(request), .basic_user = "joe", .basic_password = "pass"};
	const struct cox_call call = {.struct_size = sizeof(call)};
	cox_autoerror err = COX_ERROR_INIT;
	struct identity *identity;

	(void)state;
	authenticators_add(chain, start("token", "tok,jane,7"));
	authenticators_add(chain, start("basic", "pass,joe,8"));
	authenticators_keep(chain, &released, release);
	identity = authenticators_ask(chain, &request, &call, &err);
	assert_non_null(identity);
	assert_string_equal(identity->user, "joe");
	identity_unref(identity);
	request.basic_password = "wrong";
	assert_null(authenticators_ask(chain, &request, &call, &err));
	assert_string_equal(error_text(&err), "Unauthorized");
	request.bearer_token = "tok";
	identity = authenticators_ask(chain, &request, &call, NULL);
	assert_non_null(identity);
	assert_string_equal(identity->user, "jane");
	identity_unref(identity);
	assert_int_equal(released, 0);
	authenticators_unref(chain);
	assert_int_equal(released, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_name_users),
		cmocka_unit_test(passwords_prove_users),
		cmocka_unit_test(broken_files_are_refused),
		cmocka_unit_test(missing_files_are_refused),
		cmocka_unit_test(idle_lines_are_said),
		cmocka_unit_test(a_changed_file_is_read_again),
		cmocka_unit_test(the_interval_is_kept),
		cmocka_unit_test(threads_ask_while_the_file_changes),
		cmocka_unit_test(a_chain_asks_all),
	};

	return cmocka_run_group_tests_name("accounts", tests, harness_begin, harness_end);
}
