/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates; see the header. */
#include "apiserver/credentials.h"

#include "base/clock.h"
#include "base/log.h"
#include "pki/certificate.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const uint64_t year = 365 * 24 * 3600;
enum { RENEW_BEFORE_DAYS = 30, BACKDATED = 3600 };

static char *joined_path(const char *directory, const char *name)
{
	cox_autobuf path = COX_BUF_INIT;

	cox_buf_printf(&path, "%s/%s", directory, name);
	return cox_buf_steal(&path);
}

static char *pki_path(const struct apiserver_config *config, const char *name)
{
	cox_autobuf path = COX_BUF_INIT;

	cox_buf_printf(&path, "%s/pki/%s", config->data_dir, name);
	return cox_buf_steal(&path);
}

char *credentials_client_ca(const struct apiserver_config *config)
{
	return *config->client_ca_file ? cox_strdup(config->client_ca_file)
				       : pki_path(config, "ca.crt");
}

char *credentials_token_keys(const struct apiserver_config *config)
{
	cox_autobuf list = COX_BUF_INIT;

	for (size_t i = 0; i < config->service_account_key_file.count; i++)
		cox_buf_printf(&list, "%s%s", i ? "," : "",
			       config->service_account_key_file.items[i]);
	return list.size ? cox_buf_steal(&list) : pki_path(config, "sa.pub");
}

char *credentials_server_certificate(const struct apiserver_config *config)
{
	return *config->tls_cert_file ? cox_strdup(config->tls_cert_file)
				      : joined_path(config->cert_dir, "apiserver.crt");
}

char *credentials_server_key(const struct apiserver_config *config)
{
	return *config->tls_private_key_file ? cox_strdup(config->tls_private_key_file)
					     : joined_path(config->cert_dir, "apiserver.key");
}

/* Like mkdir -p, for the last two parts of a path. */
static int make_directory(const char *path, struct cox_error *err)
{
	cox_autofree char *parent = cox_strdup(path);
	char *slash = strrchr(parent, '/');

	if (slash && slash != parent) {
		*slash = '\0';
		if (mkdir(parent, 0755) != 0 && errno != EEXIST && errno != ENOENT)
			return error_errno(err, errno, "make the directory %s", parent);
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return error_errno(err, errno, "make the directory %s", path);
	return 0;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static int write_key(const char *path, const struct pki_key *key, struct cox_error *err)
{
	cox_autobuf pem = COX_BUF_INIT;
	int status = pki_key_pem(key, &pem, err);

	if (status == 0)
		status = pki_file_write(path, pem.data, pem.size, 0600, err);
	pki_wipe(&pem);
	return status;
}

static int make_ca(const struct apiserver_config *config, struct cox_error *err)
{
	cox_autofree char *certificate_path = pki_path(config, "ca.crt");
	cox_autofree char *key_path = pki_path(config, "ca.key");
	cox_autobuf pem = COX_BUF_INIT;
	cox_autokey key = NULL;

	if (exists(certificate_path) && exists(key_path))
		return 0;
	key = pki_key_generate(PKI_ECDSA_P256, err);
	if (!key || pki_make_ca(key, "kubernetes", 10 * year, &pem, err) != 0 ||
	    write_key(key_path, key, err) != 0 ||
	    pki_file_write(certificate_path, pem.data, pem.size, 0644, err) != 0)
		return error_wrap(err, "make the cluster's CA");
	log_info("Made the cluster's CA in %s", certificate_path);
	return 0;
}

static int make_token_key(const struct apiserver_config *config, struct cox_error *err)
{
	cox_autofree char *private_path = pki_path(config, "sa.key");
	cox_autofree char *public_path = pki_path(config, "sa.pub");
	cox_autobuf pem = COX_BUF_INIT;
	cox_autokey key = NULL;

	if (exists(private_path) && exists(public_path))
		return 0;
	key = pki_key_generate(PKI_RSA_2048, err);
	if (!key || pki_key_public_pem(key, &pem, err) != 0 ||
	    write_key(private_path, key, err) != 0 ||
	    pki_file_write(public_path, pem.data, pem.size, 0644, err) != 0)
		return error_wrap(err, "make the key that signs service account tokens");
	log_info("Made the key that signs service account tokens in %s", private_path);
	return 0;
}

int credentials_prepare(const struct apiserver_config *config, struct cox_error *err)
{
	cox_autofree char *directory = joined_path(config->data_dir, "pki");

	if (make_directory(directory, err) != 0 || make_ca(config, err) != 0)
		return -1;
	return make_token_key(config, err);
}

bool credentials_signs_tokens(const struct apiserver_config *config)
{
	return *config->service_account_signing_key_file || !config->service_account_key_file.count;
}

struct pki_key *credentials_signing_key(const struct apiserver_config *config,
					struct cox_error *err)
{
	cox_autofree char *made = pki_path(config, "sa.key");

	/* With keys of others to check tokens by, ours would not be accepted. */
	if (!credentials_signs_tokens(config))
		return NULL;
	return pki_key_load(*config->service_account_signing_key_file
				    ? config->service_account_signing_key_file
				    : made,
			    err);
}

/* Whether the certificate is there, fits its key, and lasts for a while. */
static bool is_fresh(const char *certificate_path, const char *key_path)
{
	cox_autobuf pem = COX_BUF_INIT;
	cox_autofacts facts = {0};
	cox_autokey key = NULL;
	uint64_t now = clock_realtime() / CLOCK_SECOND;

	if (!exists(certificate_path) || !exists(key_path) ||
	    pki_file_read(certificate_path, &pem, NULL) != 0 ||
	    pki_certificate_read(pem.data, pem.size, &facts, NULL) != 0)
		return false;
	key = pki_key_load(key_path, NULL);
	return key && pki_certificate_matches(pem.data, pem.size, key, NULL) == 0 &&
	       facts.not_after > now + (uint64_t)RENEW_BEFORE_DAYS * 24 * 3600;
}

static int sign_server(const struct apiserver_config *config, struct pki_key *key,
		       const struct pki_subject *subject, struct cox_buf *out,
		       struct cox_error *err)
{
	cox_autofree char *ca_path = pki_path(config, "ca.crt");
	cox_autofree char *ca_key_path = pki_path(config, "ca.key");
	cox_autobuf ca = COX_BUF_INIT;
	cox_autokey ca_key = pki_key_load(ca_key_path, err);

	if (!ca_key || pki_file_read(ca_path, &ca, err) != 0)
		return -1;
	return pki_sign(ca.data, ca.size, ca_key, key, subject, out, err);
}

int credentials_make_server(const struct apiserver_config *config, const char *service_address,
			    const char *advertise, struct cox_error *err)
{
	cox_autofree char *certificate_path = credentials_server_certificate(config);
	cox_autofree char *key_path = credentials_server_key(config);
	char host[256] = "localhost";
	const char *const names[] = {"kubernetes",
				     "kubernetes.default",
				     "kubernetes.default.svc",
				     "kubernetes.default.svc.cluster.local",
				     "localhost",
				     host};
	const char *addresses[4] = {service_address, "127.0.0.1", "::1"};
	struct pki_subject subject = {.common_name = "kube-apiserver",
				      .dns_names = names,
				      .dns_count = sizeof(names) / sizeof(names[0]),
				      .addresses = addresses,
				      .address_count = 3,
				      .usage = PKI_SERVER,
				      .lifetime = year,
				      .backdated = BACKDATED};
	cox_autobuf pem = COX_BUF_INIT;
	cox_autokey key = NULL;

	if (*config->tls_cert_file || is_fresh(certificate_path, key_path))
		return 0;
	gethostname(host, sizeof(host) - 1);
	if (advertise)
		addresses[subject.address_count++] = advertise;
	if (make_directory(config->cert_dir, NULL) != 0)
		return error_open(err, errno, certificate_path);
	key = pki_key_generate(PKI_ECDSA_P256, err);
	if (!key || sign_server(config, key, &subject, &pem, err) != 0 ||
	    write_key(key_path, key, err) != 0)
		return -1;
	return pki_file_write(certificate_path, pem.data, pem.size, 0644, err);
}
