/* SPDX-License-Identifier: Apache-2.0 */
/* Kubeconfig files, right and wrong. */
#include "unit.h"

#include "client/kubeconfig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
	char path[64];
	struct arena arena;
	struct client_http_config config;
	struct cox_error err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd;

	snprintf(f->path, sizeof(f->path), "/tmp/cox-kubeconfig-XXXXXX");
	fd = mkostemp(f->path, O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	arena_free(&f->arena);
	error_clear(&f->err);
	free(f);
	return 0;
}

static const char whole[] = "apiVersion: v1\n"
			    "kind: Config\n"
			    "current-context: main\n"
			    "clusters:\n"
			    "- name: here\n"
			    "  cluster:\n"
			    "    server: https://10.0.0.1:6443\n"
			    "    certificate-authority: pki/ca.crt\n"
			    "    tls-server-name: kubernetes\n"
			    "- name: plain\n"
			    "  cluster: {server: 'http://kube-master:8080'}\n"
			    "contexts:\n"
			    "- name: main\n"
			    "  context: {cluster: here, user: me, namespace: web}\n"
			    "- name: second\n"
			    "  context: {cluster: plain, user: tokens}\n"
			    "- name: broken\n"
			    "  context: {cluster: nowhere}\n"
			    "- name: plugin\n"
			    "  context: {cluster: here, user: execs}\n"
			    "users:\n"
			    "- name: me\n"
			    "  user:\n"
			    "    client-certificate-data: UEVN\n"
			    "    client-key: /etc/me.key\n"
			    "- name: tokens\n"
			    "  user: {token: abc, tokenFile: /var/token}\n"
			    "- name: execs\n"
			    "  user: {exec: {command: aws}}\n";

static int read_as(struct fixture *f, const char *text, const char *context)
{
	FILE *file = fopen(f->path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	memset(&f->config, 0, sizeof(f->config));
	return kubeconfig_read(f->path, context, &f->arena, &f->config, &f->err);
}

static void refused(struct fixture *f, const char *text, const char *context, const char *why)
{
	char wanted[256];

	assert_int_equal(read_as(f, text, context), -1);
	snprintf(wanted, sizeof(wanted), "%s: %s", f->path, why);
	assert_string_equal(error_text(&f->err), wanted);
}

static void test_contexts(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_as(f, whole, NULL), 0);
	assert_string_equal(f->config.server, "https://10.0.0.1:6443");
	assert_string_equal(f->config.ca_file, "/tmp/pki/ca.crt");
	assert_string_equal(f->config.tls_server_name, "kubernetes");
	assert_string_equal(f->config.certificate_data, "PEM");
	assert_string_equal(f->config.key_file, "/etc/me.key");
	assert_string_equal(f->config.namespace, "web");
	assert_null(f->config.token);
	assert_int_equal(read_as(f, whole, "second"), 0);
	assert_string_equal(f->config.server, "http://kube-master:8080");
	assert_string_equal(f->config.token, "abc");
	assert_string_equal(f->config.token_file, "/var/token");
	assert_null(f->config.ca_file);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;

	refused(f, whole, "third", "there is no context \"third\"");
	refused(f, whole, "broken", "context \"broken\": there is no cluster \"nowhere\"");
	refused(f, whole, "plugin", "user: exec is not supported");
	refused(f, "kind: Config\n", NULL, "no current-context is set");
	refused(f,
		"current-context: a\n"
		"contexts: [{name: a, context: {cluster: b}}]\n"
		"clusters: [{name: b, cluster: {certificate-authority-data: '%%'}}]\n",
		NULL, "certificate-authority-data is not base64 of PEM text");
	refused(f,
		"current-context: a\n"
		"contexts: [{name: a, context: {cluster: b}}]\n"
		"clusters: [{name: b, cluster: {certificate-authority: x, "
		"insecure-skip-tls-verify: true}}]\n",
		NULL,
		"insecure-skip-tls-verify with a certificate authority: only one of them makes "
		"sense");
}

static void test_daemon(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_as(f, whole, NULL), 0);
	assert_int_equal(kubeconfig_for_daemon(f->path, NULL, &f->arena, &f->config, &f->err), 0);
	assert_string_equal(f->config.server, "https://10.0.0.1:6443");
	assert_int_equal(kubeconfig_for_daemon(f->path, "kube-master:8080,other", &f->arena,
					       &f->config, &f->err),
			 0);
	assert_string_equal(f->config.server, "http://kube-master:8080");
	memset(&f->config, 0, sizeof(f->config));
	assert_int_equal(
		kubeconfig_for_daemon(NULL, "https://a:1/", &f->arena, &f->config, &f->err), 0);
	assert_string_equal(f->config.server, "https://a:1");
	memset(&f->config, 0, sizeof(f->config));
	assert_int_equal(kubeconfig_for_daemon(NULL, "", &f->arena, &f->config, &f->err), -1);
	assert_string_equal(error_text(&f->err), "no API server is known: set --master (or "
						 "--api-servers) or --kubeconfig");
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_file(test_contexts),
		with_file(test_refusals),
		with_file(test_daemon),
	};

	return cmocka_run_group_tests_name("kubeconfig", tests, NULL, NULL);
}
