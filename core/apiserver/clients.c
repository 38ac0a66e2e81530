/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and kubeconfigs of those who call the server; see credentials.h. */
#include "apiserver/credentials.h"

#include "base/clock.h"
#include "base/log.h"
#include "pki/certificate.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t lifetime = UINT64_C(365) * 24 * 3600;
enum { RENEW_BEFORE = 30 * 24 * 3600, BACKDATED = 3600 };

/* Somebody with a certificate. */
struct holder {
	const char *file;
	const char *name;
	const char *group; /* NULL: none */
};

static char *data_path(const struct apiserver_config *config, const char *directory,
		       const char *name, const char *suffix)
{
	cox_autobuf path = COX_BUF_INIT;

	cox_buf_printf(&path, "%s/%s%s%s", config->data_dir, directory, name, suffix);
	return cox_buf_steal(&path);
}

char *credentials_kubelet_certificate(const struct apiserver_config *config)
{
	return *config->kubelet_client_certificate
		       ? cox_strdup(config->kubelet_client_certificate)
		       : data_path(config, "pki/", "apiserver-kubelet-client", ".crt");
}

char *credentials_kubelet_key(const struct apiserver_config *config)
{
	return *config->kubelet_client_key
		       ? cox_strdup(config->kubelet_client_key)
		       : data_path(config, "pki/", "apiserver-kubelet-client", ".key");
}

/* A key and a certificate for it, as PEM. */
static int certify(const struct apiserver_config *config, const struct holder *holder,
		   struct cox_buf *certificate, struct cox_buf *key_pem, struct cox_error *err)
{
	cox_autofree char *ca_path = data_path(config, "pki/", "ca", ".crt");
	cox_autofree char *ca_key_path = data_path(config, "pki/", "ca", ".key");
	struct pki_subject subject = {.common_name = holder->name,
				      .organizations = &holder->group,
				      .organization_count = holder->group ? 1 : 0,
				      .usage = PKI_CLIENT,
				      .lifetime = lifetime,
				      .backdated = BACKDATED};
	cox_autobuf ca = COX_BUF_INIT;
	cox_autokey ca_key = pki_key_load(ca_key_path, err);
	cox_autokey key = ca_key ? pki_key_generate(PKI_ECDSA_P256, err) : NULL;

	if (!key || pki_file_read(ca_path, &ca, err) != 0 ||
	    pki_sign(ca.data, ca.size, ca_key, key, &subject, certificate, err) != 0)
		return -1;
	return pki_key_pem(key, key_pem, err);
}

static bool lasts(const char *certificate, size_t size)
{
	cox_autofacts facts = {0};

	return pki_certificate_read(certificate, size, &facts, NULL) == 0 &&
	       facts.not_after > clock_realtime() / CLOCK_SECOND + RENEW_BEFORE;
}

static int make_kubelet_client(const struct apiserver_config *config, struct cox_error *err)
{
	static const struct holder holder = {"", "kube-apiserver-kubelet-client", "system:masters"};
	cox_autofree char *path = credentials_kubelet_certificate(config);
	cox_autofree char *key_path = credentials_kubelet_key(config);
	cox_autobuf certificate = COX_BUF_INIT;
	cox_autobuf key = COX_BUF_INIT;
	cox_autobuf old = COX_BUF_INIT;
	int status;

	if (*config->kubelet_client_certificate ||
	    (pki_file_read(path, &old, NULL) == 0 && lasts(old.data, old.size)))
		return 0;
	status = certify(config, &holder, &certificate, &key, err);
	if (status == 0)
		status = pki_file_write(key_path, key.data, key.size, 0600, err);
	if (status == 0)
		status = pki_file_write(path, certificate.data, certificate.size, 0644, err);
	pki_wipe(&key);
	return status;
}

static void put_data(struct cox_buf *out, const char *name, const struct cox_buf *data)
{
	char *text = cox_alloc(cox_base64_size(data->size));

	cox_base64_encode(data->data, data->size, text);
	cox_buf_printf(out, "    %s: %s\n", name, text);
	explicit_bzero(text, strlen(text));
	free(text);
}

static int write_kubeconfig(const struct apiserver_config *config, const struct holder *holder,
			    const char *path, struct cox_error *err)
{
	cox_autofree char *ca_path = data_path(config, "pki/", "ca", ".crt");
	cox_autobuf ca = COX_BUF_INIT;
	cox_autobuf certificate = COX_BUF_INIT;
	struct cox_buf key = COX_BUF_INIT, text = COX_BUF_INIT;
	int status = -1;

	if (pki_file_read(ca_path, &ca, err) != 0 ||
	    certify(config, holder, &certificate, &key, err) != 0)
		goto out;
	cox_buf_printf(&text,
		       "apiVersion: v1\nkind: Config\ncurrent-context: %s\nclusters:\n"
		       "- name: %s\n  cluster:\n    server: https://127.0.0.1:%" PRId64 "\n",
		       config->cluster_name, config->cluster_name, config->secure_port);
	put_data(&text, "certificate-authority-data", &ca);
	cox_buf_printf(&text, "contexts:\n- name: %s\n  context:\n    cluster: %s\n    user: %s\n",
		       config->cluster_name, config->cluster_name, holder->file);
	cox_buf_printf(&text, "users:\n- name: %s\n  user:\n", holder->file);
	put_data(&text, "client-certificate-data", &certificate);
	put_data(&text, "client-key-data", &key);
	status = pki_file_write(path, text.data, text.size, 0600, err);
out:
	pki_wipe(&key);
	pki_wipe(&text);
	return status;
}

/* What was written lasts as long as its certificate: it is made anew in time by its age. */
static bool is_recent(const char *path)
{
	struct stat facts;

	return stat(path, &facts) == 0 &&
	       (uint64_t)facts.st_mtime + lifetime - RENEW_BEFORE >
		       clock_realtime() / CLOCK_SECOND;
}

int credentials_make_clients(const struct apiserver_config *config, struct cox_error *err)
{
	char host[256] = "localhost";
	cox_autobuf node = COX_BUF_INIT;
	struct holder holders[] = {
		{"admin", "kubernetes-admin", "system:masters"},
		{"kube-proxy", "system:kube-proxy", NULL},
		{"kube-scheduler", "system:kube-scheduler", NULL},
		{"kube-controller-manager", "system:kube-controller-manager", NULL},
		{"kubelet", NULL, "system:nodes"},
	};

	if (gethostname(host, sizeof(host) - 1) != 0)
		log_warning("This host has no name; its node is called %s", host);
	for (char *at = host; *at; at++)
		*at = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
	cox_buf_printf(&node, "system:node:%s", host);
	holders[4].name = node.data;
	if (make_kubelet_client(config, err) != 0)
		return error_wrap(err, "make the certificate that is shown to kubelets");
	for (size_t i = 0; config->secure_port && i < sizeof(holders) / sizeof(holders[0]); i++) {
		cox_autofree char *path = data_path(config, "", holders[i].file, ".kubeconfig");

		if (!is_recent(path) && write_kubeconfig(config, &holders[i], path, err) != 0)
			return error_wrap(err, "make %s", path);
	}
	return 0;
}
