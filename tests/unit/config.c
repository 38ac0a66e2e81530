/* SPDX-License-Identifier: Apache-2.0 */
/* Environment files and flags: what is read, and the exact words of what is refused. */
#include "unit.h"

#include "apiserver/flags.h"
#include "config/envfile.h"
#include "controller/flags.h"
#include "kubelet/flags.h"
#include "proxy/flags.h"
#include "scheduler/flags.h"

#include <string.h>

static void read_text(struct envfile *env, const char *text)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (envfile_parse(env, "f", text, strlen(text), &err) < 0)
		fail_msg("%s", err.message);
}

static void assert_value(const char *text, const char *key, const char *value)
{
	struct envfile env = ENVFILE_INIT;

	read_text(&env, text);
	assert_non_null(envfile_get(&env, key));
	assert_string_equal(envfile_get(&env, key)->value, value);
	envfile_free(&env);
}

static void assert_refused(const char *text, const char *message)
{
	struct envfile env = ENVFILE_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	assert_int_equal(envfile_parse(&env, "f", text, strlen(text), &err), -1);
	assert_string_equal(err.message, message);
	envfile_free(&env);
}

static void envfile_reads_values(void **state)
{
	(void)state;
	assert_value("A=\"--x=1\"\n", "A", "--x=1");
	assert_value("A='--insecure-registry 10.20.161.77:5000'", "A",
		     "--insecure-registry 10.20.161.77:5000");
	assert_value("A=--storage-driver devicemapper  \nB=2\n", "A",
		     "--storage-driver devicemapper");
	assert_value("# c\n; c\n  # c\nA = \"1\"  \n", "A", "1");
	assert_value("A=1\nA=2\n", "A", "2");
	assert_value("#A=1\nA=\n", "A", "");
	assert_value("A=\"one \\\ntwo\"\n", "A", "one two");
	assert_value("A=one\\\ntwo\n", "A", "onetwo");
	assert_value("A=\"a\\\"b\\n\"", "A", "a\"b\\n");
	assert_value("A='a\\b'\r\n", "A", "a\\b");
	assert_value("A=x\\ \n", "A", "x ");
	assert_value("A=--a=\"b c\"\n", "A", "--a=\"b c\"");
}

static void envfile_tells_lines(void **state)
{
	struct envfile env = ENVFILE_INIT;

	(void)state;
	read_text(&env, "# one\nA=\"1\n2\"\nB=3\n");
	assert_string_equal(envfile_get(&env, "A")->origin, "f:2");
	assert_string_equal(envfile_get(&env, "B")->origin, "f:4");
	assert_null(envfile_get(&env, "C"));
	envfile_free(&env);
}

static void envfile_refuses(void **state)
{
	(void)state;
	assert_refused("\nA=\"--etcd_servers=http://m:4001\"   #comment\n",
		       "f:2: text behind the closing quote: \"#comment\"; a comment needs a line "
		       "of its own");
	assert_refused("A=\xe2\x80\x9d--master=x\xe2\x80\xb3\n",
		       "f:1: U+201D (right double quotation mark) in place of '\"'");
	assert_refused("A=\"--api_servers=x\xe2\x80\x9c\nB=\"2\"\n",
		       "f:1: U+201C (left double quotation mark) in place of '\"'");
	assert_refused("A=\"\xe2\x80\x93master=http://x\"\n",
		       "f:1: U+2013 (en dash) in place of \"-\": did you mean \"--master\"?");
	assert_refused("A=\"1\"\nB=\"--v\xc2\xa0"
		       "2\"\n",
		       "f:2: U+00A0 (no-break space) in place of a blank");
	assert_refused("A=\"never\nB=1\n", "f:1: the quote \" is never closed");
	assert_refused("hello\n", "f:1: \"hello\" is no assignment; want KEY=\"--flag=value\"");
	assert_refused("export A=1\n", "f:1: \"export A\" is no name of a variable; take away "
				       "\"export\", this is no shell script");
	assert_refused("1A=1\n", "f:1: \"1A\" is no name of a variable");
	assert_refused("# a \\\nA=1\n", "f:1: the comment ends with '\\', which makes the next "
					"line part of it; take it away");
	assert_refused("A=1\nB=\xff\n", "f:2: byte 0xff is not UTF-8");
	assert_refused("A=\x01\n", "f:1: control character 0x01");
	assert_refused("\xef\xbb\xbf"
		       "A=1\n",
		       "f:1: U+FEFF (byte order mark) in place of nothing");
}

static void envfile_lets_comments_be(void **state)
{
	struct envfile env = ENVFILE_INIT;

	(void)state;
	read_text(&env, "# \xe2\x80\x9cquoted\xe2\x80\x9d \xe2\x80\x93 text\nA=1\n");
	assert_string_equal(envfile_get(&env, "A")->value, "1");
	envfile_free(&env);
}

static void envfile_splits_words(void **state)
{
	char value[] = " --a=1  --b='x y' \"--c\"=\\\"z\t", open_quote[] = "--a='x";
	char key[] = "A", origin[] = "f:1";
	struct envfile_entry entry = {key, value, origin};
	struct envfile_words words = {{NULL, 0, 0}};
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(envfile_split(&entry, &words, &err), 0);
	assert_int_equal(words.items.count, 3);
	assert_string_equal(words.items.items[0], "--a=1");
	assert_string_equal(words.items.items[1], "--b=x y");
	assert_string_equal(words.items.items[2], "--c=\"z");
	envfile_words_free(&words);
	entry.value = open_quote;
	assert_int_equal(envfile_split(&entry, &words, &err), -1);
	assert_string_equal(err.message, "f:1: a quote inside the value of A is never closed");
	envfile_words_free(&words);
}

struct sample_config {
	const char *text;
	bool truth;
	int64_t number;
	double rate;
	uint64_t wait;
	struct flag_list list;
	struct flag_list again;
	struct flag_list keyed;
	const char *secret;
	const char *ignored;
};

#define SAMPLE(kind, name, member, fallback, ...)                                                  \
	FLAG_ENTRY(struct sample_config, kind, name, member, fallback, "Help", __VA_ARGS__)

static const struct flag sample[] = {
	SAMPLE(STRING, "some-text", text, "usual", .traits = FLAG_RELOAD),
	SAMPLE(BOOL, "truth", truth, NULL, .shorthand = 't'),
	SAMPLE(INT, "number", number, "7", .shorthand = 'n', .low = 1, .high = 9),
	SAMPLE(FLOAT, "rate", rate, "0.5", .traits = 0),
	SAMPLE(DURATION, "wait", wait, "5s", .traits = 0),
	SAMPLE(LIST, "list", list, "a,b", .traits = 0),
	SAMPLE(REPEAT, "again", again, NULL, .traits = 0),
	SAMPLE(REPEAT, "keyed", keyed, "x=usual", .traits = FLAG_KEYED),
	SAMPLE(STRING, "password", secret, NULL, .traits = FLAG_SECRET),
	SAMPLE(STRING, "ignored", ignored, "x", .traits = FLAG_NO_EFFECT),
	FLAG_ALIAS("old-text", "some-text", .deprecated = "use --some-text instead"),
	FLAG_ALIAS("count", "number", .traits = 0),
};

static void sample_init(struct flag_set *set, struct sample_config *config)
{
	flags_init(set, "sample");
	flags_add(set, sample, FLAG_COUNT(sample), config);
}

static void parse(struct flag_set *set, const char *origin, const char *const *words, size_t count)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (flags_parse(set, words, count, origin, &err) < 0)
		fail_msg("%s", err.message);
}

#define PARSE(set, origin, ...)                                                                    \
	parse(set, origin, (const char *const[]){__VA_ARGS__},                                     \
	      sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void assert_flags_refused(const char *origin, const char *message, const char *first,
				 const char *second)
{
	struct sample_config config;
	struct flag_set set;
	cox_autoerror err = COX_ERROR_INIT;
	const char *words[] = {first, second};

	sample_init(&set, &config);
	assert_int_equal(flags_parse(&set, words, second ? 2 : 1, origin, &err), -1);
	assert_string_equal(err.message, message);
	flags_free(&set);
}

static void flags_have_defaults(void **state)
{
	struct sample_config config;
	struct flag_set set;

	(void)state;
	sample_init(&set, &config);
	assert_string_equal(config.text, "usual");
	assert_false(config.truth);
	assert_int_equal(config.number, 7);
	assert_true(config.rate == 0.5);
	assert_int_equal(config.wait, 5000000000);
	assert_int_equal(config.list.count, 2);
	assert_int_equal(config.again.count, 0);
	assert_string_equal(config.secret, "");
	assert_string_equal(flags_origin(&set, "some-text"), "default");
	assert_string_equal(flags_value(&set, "some-text"), "usual");
	assert_string_equal(flags_value(&set, "truth"), "false");
	assert_null(flags_value(&set, "no-such-flag"));
	assert_false(flags_given(&set, "some-text"));
	flags_free(&set);
}

static void flags_take_every_form(void **state)
{
	struct sample_config config;
	struct flag_set set;

	(void)state;
	sample_init(&set, &config);
	PARSE(&set, FLAGS_COMMAND_LINE, "--some_text=a=b", "--truth", "--number", "3",
	      "--wait=250ms", "--rate=1e2", "--list=x,,y", "--again=1,2", "--again", "3", "word",
	      "--", "--list=z");
	assert_string_equal(config.text, "a=b");
	assert_true(config.truth);
	assert_int_equal(config.number, 3);
	assert_int_equal(config.wait, 250000000);
	assert_true(config.rate == 100);
	assert_int_equal(config.list.count, 3);
	assert_string_equal(config.list.items[1], "");
	assert_int_equal(config.again.count, 2);
	assert_string_equal(config.again.items[0], "1,2");
	assert_string_equal(flags_value(&set, "wait"), "250ms");
	assert_string_equal(flags_value(&set, "list"), "x,,y");
	assert_string_equal(flags_value(&set, "again"), "1,2\n3");
	assert_int_equal(set.arguments.count, 2);
	assert_string_equal(set.arguments.items[1], "--list=z");
	PARSE(&set, FLAGS_COMMAND_LINE, "--truth=false", "-n4", "-t");
	assert_true(config.truth);
	assert_int_equal(config.number, 4);
	PARSE(&set, FLAGS_COMMAND_LINE, "-tn=5", "--count=6");
	assert_int_equal(config.number, 6);
	flags_free(&set);
}

static void flags_lists_grow_and_are_replaced(void **state)
{
	struct sample_config config;
	struct flag_set set;

	(void)state;
	sample_init(&set, &config);
	PARSE(&set, "f:1", "--list=1,2");
	PARSE(&set, "f:2", "--list=3");
	assert_int_equal(config.list.count, 3);
	PARSE(&set, FLAGS_COMMAND_LINE, "--list=4", "--list=5");
	assert_int_equal(config.list.count, 2);
	assert_string_equal(config.list.items[0], "4");
	flags_free(&set);
}

static void flags_with_keys_come_from_everywhere(void **state)
{
	struct sample_config config;
	struct flag_set set;

	(void)state;
	sample_init(&set, &config);
	assert_string_equal(config.keyed.items[0], "x=usual");
	PARSE(&set, FLAGS_COMMAND_LINE, "--keyed=b=early", "--keyed=d=early");
	PARSE(&set, "f:1", "--keyed=a=1", "--keyed=b=2", "--keyed=ab=3,=");
	PARSE(&set, "f:2", "--keyed=a=4");
	PARSE(&set, FLAGS_COMMAND_LINE, "--keyed=b=5", "--keyed=b=6", "--keyed=c");
	assert_string_equal(flags_value(&set, "keyed"), "d=early\nab=3,=\na=4\nb=6\nc");
	assert_int_equal(config.keyed.count, 5);
	assert_string_equal(config.keyed.items[2], "a=4");
	assert_string_equal(flags_item_origin(&set, "keyed", 0), "command line");
	assert_string_equal(flags_item_origin(&set, "keyed", 1), "f:1");
	assert_string_equal(flags_item_origin(&set, "keyed", 2), "f:2");
	assert_string_equal(flags_item_origin(&set, "keyed", 3), "command line");
	assert_string_equal(flags_item_origin(&set, "keyed", 4), "command line");
	flags_free(&set);
}

static void flags_refuse(void **state)
{
	(void)state;
	assert_flags_refused("command line",
			     "unknown flag: --some-tetx (did you mean --some-text?)", "--some-tetx",
			     NULL);
	assert_flags_refused("f:3", "unknown flag: --qqqqqq (set in f:3)", "--qqqqqq=1", NULL);
	assert_flags_refused("command line",
			     "unknown shorthand flag: 's' in -some-text=1 (did you mean "
			     "--some-text?)",
			     "-some-text=1", NULL);
	assert_flags_refused("command line", "flag needs an argument: --number", "--number", NULL);
	assert_flags_refused("command line", "flag needs an argument: 'n' in -n", "-n", NULL);
	assert_flags_refused("command line", "bad flag syntax: --=x", "--=x", NULL);
	assert_flags_refused("command line",
			     "invalid argument \"x\" for --number=x: want a whole number",
			     "--number", "x");
	assert_flags_refused("f:3",
			     "invalid argument \"10\" for --count=10: must be between 1 and 9 (set "
			     "in f:3)",
			     "--count=10", NULL);
	assert_flags_refused("command line",
			     "invalid argument \"yes\" for --truth=yes: want true or false",
			     "--truth=yes", NULL);
	assert_flags_refused("command line",
			     "invalid argument \"5\" for --wait=5: want a duration such as 10s or "
			     "1h30m",
			     "--wait=5", NULL);
	assert_flags_refused("command line",
			     "invalid argument \"nan\" for --rate=nan: want a number", "--rate=nan",
			     NULL);
	assert_flags_refused("command line",
			     "\"\xe2\x80\x93number=3\" is not a flag: U+2013 (en dash) in place of "
			     "\"-\", did you mean --number?",
			     "\xe2\x80\x93number=3", NULL);
}

static void flags_warn_and_tell_origins(void **state)
{
	struct sample_config config;
	struct flag_set set;
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	sample_init(&set, &config);
	PARSE(&set, "/etc/kubernetes/config:4", "--old_text=q", "--ignored=x", "--password=pw");
	assert_int_equal(set.warnings.count, 1);
	PARSE(&set, FLAGS_COMMAND_LINE, "--ignored=y");
	assert_string_equal(set.warnings.items[0],
			    "Flag --old-text has been deprecated, use --some-text instead");
	assert_string_equal(set.warnings.items[1], "Flag --ignored is accepted and has no effect");
	flags_dump(&set, &out);
	assert_string_equal(cox_buf_cstr(&out), "some-text=q # /etc/kubernetes/config:4\n"
						"truth=false # default\n"
						"number=7 # default\n"
						"rate=0.5 # default\n"
						"wait=5s # default\n"
						"list=a,b # default\n"
						"again= # default\n"
						"keyed=x=usual # default\n"
						"password=*** # /etc/kubernetes/config:4\n"
						"ignored=y # command line\n");
	flags_free(&set);
}

static void count_change(const struct flag *flag, void *arg)
{
	assert_string_equal(flag->name, "some-text");
	++*(int *)arg;
}

static void flags_find_changes(void **state)
{
	struct sample_config one, two;
	struct flag_set before, after;
	int changes = 0;

	(void)state;
	sample_init(&before, &one);
	sample_init(&after, &two);
	PARSE(&after, "f:1", "--some-text=new", "--number=7");
	flags_compare(&before, &after, count_change, &changes);
	assert_int_equal(changes, 1);
	flags_free(&before);
	flags_free(&after);
}

/* flags_add aborts on a table with a bad default, a name twice or a lost alias. */
static void daemon_tables_are_sound(void **state)
{
	struct apiserver_config apiserver;
	struct scheduler_config scheduler;
	struct controller_manager_config controller;
	struct kubelet_config kubelet;
	struct proxy_config proxy;
	struct flag_set set;

	(void)state;
	flags_init(&set, "kube-apiserver");
	flags_add(&set, apiserver_flags, apiserver_flag_count, &apiserver);
	PARSE(&set, FLAGS_COMMAND_LINE, "--address=0.0.0.0", "--port=8081",
	      "--etcd_servers=http://a:4001,http://b:4001", "--portal_net=10.254.0.0/16",
	      "--admission_control=NamespaceLifecycle,ServiceAccount", "--kubelet_port=10250");
	assert_string_equal(apiserver.insecure_bind_address, "0.0.0.0");
	assert_int_equal(apiserver.insecure_port, 8081);
	assert_int_equal(apiserver.secure_port, 6443);
	assert_int_equal(apiserver.etcd_servers.count, 2);
	assert_string_equal(apiserver.service_cluster_ip_range, "10.254.0.0/16");
	assert_int_equal(apiserver.event_ttl, UINT64_C(3600000000000));
	flags_free(&set);
	flags_init(&set, "kube-scheduler");
	flags_add(&set, scheduler_flags, scheduler_flag_count, &scheduler);
	assert_int_equal(scheduler.port, 10251);
	flags_free(&set);
	flags_init(&set, "kube-controller-manager");
	flags_add(&set, controller_manager_flags, controller_manager_flag_count, &controller);
	assert_int_equal(controller.node_monitor_grace_period, UINT64_C(40000000000));
	assert_true(controller.deleting_pods_qps == 0.1);
	flags_free(&set);
	flags_init(&set, "kubelet");
	flags_add(&set, kubelet_flags, kubelet_flag_count, &kubelet);
	PARSE(&set, FLAGS_COMMAND_LINE, "--api_servers=http://m:8080", "--hostname_override=n1");
	assert_string_equal(kubelet.hostname_override, "n1");
	assert_int_equal(kubelet.healthz_port, 10248);
	flags_free(&set);
	flags_init(&set, "kube-proxy");
	flags_add(&set, proxy_flags, proxy_flag_count, &proxy);
	assert_string_equal(proxy.proxy_mode, "userspace");
	flags_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envfile_reads_values),
		cmocka_unit_test(envfile_tells_lines),
		cmocka_unit_test(envfile_refuses),
		cmocka_unit_test(envfile_lets_comments_be),
		cmocka_unit_test(envfile_splits_words),
		cmocka_unit_test(flags_have_defaults),
		cmocka_unit_test(flags_take_every_form),
		cmocka_unit_test(flags_lists_grow_and_are_replaced),
		cmocka_unit_test(flags_with_keys_come_from_everywhere),
		cmocka_unit_test(flags_refuse),
		cmocka_unit_test(flags_warn_and_tell_origins),
		cmocka_unit_test(flags_find_changes),
		cmocka_unit_test(daemon_tables_are_sound),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
