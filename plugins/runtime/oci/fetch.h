/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coxswain-oci-fetch: downloads one image from a registry. See fetch.c for the
 * conversation with the plugin; this is what its two files share.
 */
#ifndef OCI_FETCH_H
#define OCI_FETCH_H

#include <coxswain/kit/buf.h>
#include <coxswain/plugin.h>
#include <stdbool.h>
#include <stdint.h>

#define FETCH_MANIFEST_MAX (4u << 20)
#define FETCH_CA_FILE "ca.pem" /* in the directory on descriptor 3, which is ours */
#define FETCH_CERTIFICATE_FILE "certificate.pem"
#define FETCH_KEY_FILE "key.pem"
#define FETCH_DIGEST_SIZE 72 /* "sha256:", 64 digits, zero byte */

/* What is asked for; all texts are "" where not set. */
struct fetch_request {
	const char *registry; /* host[:port] */
	const char *repository;
	const char *reference; /* a tag or a digest */
	const char *username, *password;
	const char *identity_token, *registry_token;
	const char *architecture, *os, *variant;
	bool insecure;
	uint64_t maximum;		     /* bytes of all blobs */
	struct cox_buf ca, certificate, key; /* PEM; empty: none */
};

extern struct fetch_request fetch_request;

/* Says "error REASON text" and ends the process. */
void fetch_die(enum cox_reason reason, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* One line for the plugin. */
void fetch_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Downloads /v2/REPOSITORY/KIND/REFERENCE. With `into` -1 the body (at most
 * FETCH_MANIFEST_MAX bytes) goes to `body`; else to the file, whose `size`
 * bytes are known, and progress is said for `layer`. `digest` is set to the
 * SHA-256 of what came.
 */
void fetch_get(const char *kind, const char *reference, struct cox_buf *body, int into,
	       uint64_t size, unsigned layer, char digest[FETCH_DIGEST_SIZE]);
void fetch_start(void);
void fetch_end(void);

#endif
