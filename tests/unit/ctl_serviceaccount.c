/* SPDX-License-Identifier: Apache-2.0 */
/* The service account controller: default accounts and the root CA. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEM "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"

static void put_namespace(struct fixture *f, const char *name, const char *phase)
{
	put(f, "namespaces",
	    "{'kind':'Namespace','apiVersion':'v1','metadata':{'name':'%s'},'status':{'phase':"
	    "'%s'}}",
	    name, phase);
}

static void write_file(char path[64], const char *text)
{
	int fd;

	snprintf(path, 64, "/tmp/coxswain-ca.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void test_both(void **state)
{
	struct fixture *f = *state;
	char path[64];

	write_file(path, PEM);
	put_namespace(f, "a", "Active");
	put_namespace(f, "going", "Terminating");
	fixture_run(f, "serviceaccount", "root-ca-file", path, NULL);
	put_namespace(f, "b", "Active");
	eventually(exists(f, "configmaps", "a", "kube-root-ca.crt"));
	eventually(exists(f, "configmaps", "b", "kube-root-ca.crt"));
	assert_true(exists(f, "serviceaccounts", "a", "default"));
	assert_true(exists(f, "serviceaccounts", "b", "default"));
	assert_string_equal(field(f, "configmaps", "a", "kube-root-ca.crt", "data[\"ca.crt\"]"),
			    PEM);
	/* Nothing begins in a namespace that ends. */
	assert_int_equal(fake_count(f->server, "serviceaccounts"), 2);
	assert_int_equal(fake_count(f->server, "configmaps"), 2);
	assert_int_equal(unlink(path), 0);
}

static void test_come_back(void **state)
{
	struct fixture *f = *state;
	char path[64];

	write_file(path, PEM);
	put_namespace(f, "a", "Active");
	fixture_run(f, "serviceaccount", "root-ca-file", path, NULL);
	eventually(exists(f, "configmaps", "a", "kube-root-ca.crt"));
	fake_remove(f->server, "serviceaccounts", "a", "default");
	eventually(exists(f, "serviceaccounts", "a", "default"));
	fake_remove(f->server, "configmaps", "a", "kube-root-ca.crt");
	eventually(exists(f, "configmaps", "a", "kube-root-ca.crt"));
	put(f, "configmaps",
	    "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'kube-root-ca.crt',"
	    "'namespace':'a'},'data':{'ca.crt':'mine','more':'x'}}");
	eventually(
		!strcmp(field(f, "configmaps", "a", "kube-root-ca.crt", "data[\"ca.crt\"]"), PEM));
	assert_string_equal(field(f, "configmaps", "a", "kube-root-ca.crt", "data.more"), "");
	/* Other maps are nobody's business. */
	put(f, "configmaps",
	    "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'other','namespace':'a'}}");
	fake_remove(f->server, "configmaps", "a", "other");
	put_namespace(f, "mark", "Active");
	eventually(exists(f, "configmaps", "mark", "kube-root-ca.crt"));
	assert_false(exists(f, "configmaps", "a", "other"));
	assert_int_equal(unlink(path), 0);
}

static void test_no_ca(void **state)
{
	struct fixture *f = *state;

	put_namespace(f, "a", "Active");
	fixture_run(f, "serviceaccount", NULL);
	eventually(exists(f, "configmaps", "a", "kube-root-ca.crt"));
	assert_string_equal(field(f, "configmaps", "a", "kube-root-ca.crt", "data"),
			    "{\"ca.crt\":\"\"}");
}

static void test_bad_file(void **state)
{
	struct fixture *f = *state;
	cox_autoerror err = COX_ERROR_INIT;
	char path[64], text[256];

	write_file(path, "nothing\n");
	f->plugin = host_open(f->host, "controller", "serviceaccount", "test", &err);
	assert_non_null(f->plugin);
	assert_int_equal(host_set_option(f->plugin, "root-ca-file", path, "test", &err), 0);
	assert_int_equal(host_configure(f->plugin, &err), 0);
	assert_int_equal(host_get_ready(f->plugin, &err), -1);
	snprintf(text, sizeof(text), "root CA: %s: no certificate in PEM form", path);
	assert_non_null(strstr(error_text(&err), text));
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_both),
		with_server(test_come_back),
		with_server(test_no_ca),
		with_server(test_bad_file),
	};

	return cmocka_run_group_tests_name("serviceaccount", tests, NULL, NULL);
}
