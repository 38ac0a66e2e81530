/* SPDX-License-Identifier: Apache-2.0 */
/* ClientHellos as GnuTLS writes them, whole and in part, and broken ones. */
#include "unit.h"

#include "net/hello.h"

#include <coxswain/kit/buf.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <string.h>

static ssize_t keep(gnutls_transport_ptr_t context, const void *data, size_t size)
{
	cox_buf_add(context, data, size);
	return (ssize_t)size;
}

static ssize_t nothing(gnutls_transport_ptr_t context, void *data, size_t size)
{
	(void)context;
	(void)data;
	(void)size;
	errno = EAGAIN;
	return -1;
}

/* What a client sends first who offers these protocols, separated by commas. */
static void make_hello(struct cox_buf *out, const char *priorities, const char *protocols)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_datum_t names[4];
	gnutls_session_t session;
	unsigned count = 0;

	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	gnutls_priority_set_direct(session, priorities, NULL);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_server_name_set(session, GNUTLS_NAME_DNS, "kubernetes", 10);
	while (*protocols) {
		size_t size = strcspn(protocols, ",");

		names[count++] =
			(gnutls_datum_t){(unsigned char *)(uintptr_t)protocols, (unsigned)size};
		protocols += size + (protocols[size] == ',');
	}
	if (count)
		gnutls_alpn_set_protocols(session, names, count, 0);
	gnutls_transport_set_ptr(session, out);
	gnutls_transport_set_push_function(session, keep);
	gnutls_transport_set_pull_function(session, nothing);
	cox_buf_clear(out);
	assert_int_equal(gnutls_handshake(session), GNUTLS_E_AGAIN);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(credentials);
}

static enum hello read_all(const struct cox_buf *bytes)
{
	return hello_read((const uint8_t *)bytes->data, bytes->size);
}

static void test_offers(void **state)
{
	static const struct {
		const char *protocols;
		enum hello expected;
	} cases[] = {{"", HELLO_OTHER},		{"h2", HELLO_H2},
		     {"http/1.1", HELLO_OTHER}, {"http/1.1,h2", HELLO_H2},
		     {"h2,http/1.1", HELLO_H2}, {"h3,h2c,xh2", HELLO_OTHER}};
	static const char *const priorities[] = {"NORMAL", "NORMAL:-VERS-ALL:+VERS-TLS1.2"};
	cox_autobuf hello = COX_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t j = 0; j < 2; j++) {
			make_hello(&hello, priorities[j], cases[i].protocols);
			assert_int_equal(read_all(&hello), cases[i].expected);
			/* what comes behind it says nothing */
			cox_buf_str(&hello, "more");
			assert_int_equal(read_all(&hello), cases[i].expected);
			cox_buf_truncate(&hello, hello.size - 4);
			/* no part of it is taken for another */
			for (size_t size = 0; size < hello.size; size++)
				assert_int_equal(hello_read((const uint8_t *)hello.data, size),
						 HELLO_MORE);
		}
	}
}

static void test_strangers(void **state)
{
	cox_autobuf hello = COX_BUF_INIT;
	uint8_t record[] = {22, 3, 1, 0, 4, 1, 0, 0, 0};

	(void)state;
	cox_buf_str(&hello, "GET / HTTP/1.1\r\n");
	assert_int_equal(read_all(&hello), HELLO_OTHER);
	assert_int_equal(hello_read(record, sizeof(record)), HELLO_OTHER); /* an empty one */
	record[5] = 2;							   /* a ServerHello */
	assert_int_equal(hello_read(record, 6), HELLO_OTHER);
	record[4] = 3; /* too short for any */
	assert_int_equal(hello_read(record, 5), HELLO_OTHER);
	record[3] = 0x40; /* longer than a record may be */
	record[4] = 1;
	assert_int_equal(hello_read(record, 5), HELLO_OTHER);
	record[4] = 0; /* as long as it may be: to be waited for */
	record[5] = 1;
	assert_int_equal(hello_read(record, sizeof(record)), HELLO_MORE);
	assert_int_equal(5 + 0x4000, HELLO_MAX);
}

/* Each length in it made too long: nothing is read beyond, and nothing believed. */
static void test_broken(void **state)
{
	cox_autobuf hello = COX_BUF_INIT;
	size_t believed = 0;

	(void)state;
	make_hello(&hello, "NORMAL", "h2");
	for (size_t i = 5; i < hello.size; i++) {
		char byte = hello.data[i];

		hello.data[i] = (char)0xff;
		believed += read_all(&hello) == HELLO_H2;
		hello.data[i] = byte;
	}
	/* those in random bytes, names and keys do no harm */
	assert_in_range(believed, 1, hello.size - 20);
	/* the record says that it is longer than what the message says of itself */
	hello.data[8] = (char)(hello.data[8] - 1);
	assert_int_equal(read_all(&hello), HELLO_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_offers),
					   cmocka_unit_test(test_strangers),
					   cmocka_unit_test(test_broken)};

	return cmocka_run_group_tests_name("hello", tests, NULL, NULL);
}
