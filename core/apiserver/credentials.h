/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and certificates of the API server. What the configuration does not
 * name is made at the first start: in DATA-DIR/pki the cluster's CA (ca.crt,
 * ca.key) and the key that signs tokens (sa.key, sa.pub), in CERT-DIR the
 * server's certificate (apiserver.crt, apiserver.key).
 */
#ifndef COX_APISERVER_CREDENTIALS_H
#define COX_APISERVER_CREDENTIALS_H

#include "apiserver/flags.h"
#include "base/error.h"

struct pki_key;

#define CREDENTIALS_ISSUER "https://kubernetes.default.svc.cluster.local"

/* Paths, to be freed: as configured, or where they are made. */
char *credentials_client_ca(const struct apiserver_config *config);
char *credentials_token_keys(const struct apiserver_config *config); /* comma separated */
char *credentials_server_certificate(const struct apiserver_config *config);
char *credentials_server_key(const struct apiserver_config *config);

/* Makes the CA and the token key if they are not there. */
int credentials_prepare(const struct apiserver_config *config,
			struct cox_error *err) COX_MUST_CHECK;
/* Whether the server has, or will have made, a key that signs tokens. */
bool credentials_signs_tokens(const struct apiserver_config *config);
/* The key that signs tokens. NULL and no error: none is configured. */
struct pki_key *credentials_signing_key(const struct apiserver_config *config,
					struct cox_error *err);
/*
 * Makes the server's certificate if it is not there, or about to expire:
 * signed by the cluster's CA, for the names of the service `kubernetes`, its
 * first address, this host and `advertise` (may be NULL).
 */
int credentials_make_server(const struct apiserver_config *config, const char *service_address,
			    const char *advertise, struct cox_error *err) COX_MUST_CHECK;

/*
 * Makes what is missing of: the certificate that the server shows to kubelets
 * (DATA-DIR/pki/apiserver-kubelet-client.crt and .key), and a kubeconfig for
 * each part of the cluster and for its administrator, with a certificate of
 * its own: DATA-DIR/{admin,kubelet,kube-proxy,kube-scheduler,
 * kube-controller-manager}.kubeconfig. All are readable by their owner only.
 */
int credentials_make_clients(const struct apiserver_config *config,
			     struct cox_error *err) COX_MUST_CHECK;
/* Paths, to be freed: what is shown to kubelets. */
char *credentials_kubelet_certificate(const struct apiserver_config *config);
char *credentials_kubelet_key(const struct apiserver_config *config);

#endif
