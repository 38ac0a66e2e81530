/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authenticators under test: loaded by the real host, asked with any
 * credential, and their answer written down as one line, so that a table of
 * credentials and lines is a test.
 */
#ifndef COX_TESTS_AUTHENTICATOR_HARNESS_H
#define COX_TESTS_AUTHENTICATOR_HARNESS_H

#include "../../unit/unit.h"

#include "host/host.h"

#include <coxswain/authenticator.h>
#include <coxswain/kit/buf.h>

struct option {
	const char *key, *value;
};

extern char harness_directory[]; /* the test's own, empty at the start */

int harness_begin(void **state); /* group set-up and tear-down */
int harness_end(void **state);

/* Opens and configures; NULL: `err`. `options` ends with a NULL key. */
struct host_plugin *harness_open(const char *name, const struct option *options,
				 struct cox_error *err);
/* The same up to start; the test fails if it does not come up. */
struct host_plugin *harness_start(const char *name, const struct option *options,
				  const struct cox_cluster *cluster);
/* Asserts that the plugin does not come up, and why; `%s` is the test's directory. */
void harness_refused(const char *name, const struct option *options, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * "yes USER uid=UID groups=A,B KEY=VALUE aud=A,B expires=SECONDS", parts that are
 * not there left out; "not mine"; "bad: WHY"; "error: WHY". Free it.
 */
char *harness_ask(struct host_plugin *plugin, const struct cox_authn_request *request);
void harness_expect(struct host_plugin *plugin, const struct cox_authn_request *request,
		    const char *answer);

/* PATH below the directory; from a ring of static buffers. */
const char *harness_path(const char *name);
/* Writes it whole, by a rename. */
void harness_write(const char *name, const char *data, size_t size);
void harness_text(const char *name, const char *text);
/* How often `text` is in the log's last lines. */
unsigned harness_logged(const char *text);

#endif
