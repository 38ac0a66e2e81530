/* SPDX-License-Identifier: Apache-2.0 */
/* A store on the fake plugin. */
#include "unit.h"

#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

static const struct store_field pod_fields[] = {
	{"metadata.name", "metadata.name", NULL, false},
	{"spec.nodeName", "spec.nodeName", NULL, true},
	{"status.phase", "status.phase", NULL, false},
};

static int decode(const struct store_decoder *self, struct cox_bytes key, struct cox_bytes value,
		  uint32_t tag, struct cox_buf *out, struct cox_error *err)
{
	const char *name = memrchr(key.data, '/', key.size);

	(void)self;
	if (tag == 666)
		return error_set(err, COX_REASON_STORE_READ_ERROR, "sealed with a lost key");
	/* An old form: the bare text becomes the label `app`. */
	cox_buf_printf(out, "{\"metadata\":{\"name\":\"%.*s\",\"labels\":{\"app\":",
		       (int)((const char *)key.data + key.size - name - 1), name + 1);
	cox_buf_json_string(out, value.data, value.size);
	cox_buf_str(out, "}}}");
	return 0;
}

static const struct store_decoder decoder = {decode};

const struct store_collection_options fixture_pods = {
	.name = "pods",
	.prefix = "/registry/pods/",
	.namespaced = true,
	.tag = FIXTURE_TAG,
	.fields = pod_fields,
	.field_count = sizeof(pod_fields) / sizeof(pod_fields[0]),
	.decoder = &decoder,
};

const struct store_collection_options fixture_nodes = {
	.name = "nodes",
	.prefix = "/registry/minions/",
	.tag = FIXTURE_TAG,
	.decoder = &decoder,
};

void fixture_start(struct fixture *fixture, const struct store_options *options,
		   void (*fill)(struct fake *fake))
{
	cox_autoerror err = COX_ERROR_INIT;
	struct store_backend backend;

	fake_start(&fixture->fake);
	if (fill)
		fill(&fixture->fake);
	backend = fake_backend(&fixture->fake);
	fixture->store = store_create(&backend, options);
	fixture->pods = store_add_collection(fixture->store, &fixture_pods, &err);
	fixture->nodes = store_add_collection(fixture->store, &fixture_nodes, &err);
	assert_non_null(fixture->pods);
	assert_non_null(fixture->nodes);
	if (store_start(fixture->store, &err))
		fail_msg("store_start: %s", error_text(&err));
}

void fixture_stop(struct fixture *fixture)
{
	store_stop(fixture->store);
	assert_int_equal(fixture->fake.entered, 0);
	assert_null(fixture->fake.sink);
	store_free(fixture->store);
	fake_stop(&fixture->fake);
}

const char *pod_json(char room[512], const char *namespace, const char *name, const char *app,
		     const char *node)
{
	snprintf(room, 512,
		 "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",\"labels\":{\"app\":\"%s\"}},"
		 "\"spec\":{\"nodeName\":\"%s\"}}",
		 name, namespace, app, node);
	return room;
}

static struct write submit(struct fixture *fixture, struct store_txn *txn)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct write write = {0};

	if (store_submit_wait(fixture->store, txn, &err))
		fail_msg("store_submit: %s", error_text(&err));
	write.result = txn->result;
	write.revision = txn->revision;
	write.reason = txn->reason;
	memcpy(write.why, txn->why, sizeof(write.why));
	return write;
}

struct write put_pod(struct fixture *fixture, const char *namespace, const char *name,
		     const char *app, const char *node, uint64_t expected)
{
	char json[512];
	cox_autobuf key = COX_BUF_INIT;
	struct cox_compare compare = {.revision = expected};
	struct cox_put put = {.tag = FIXTURE_TAG};
	struct store_txn txn = {.puts = &put, .put_count = 1};

	assert_int_equal(store_key(fixture->pods, namespace, name, &key, NULL), 0);
	pod_json(json, namespace, name, app, node);
	put.key = compare.key = (struct cox_bytes){key.data, key.size};
	put.value = (struct cox_bytes){json, strlen(json)};
	txn.compares = &compare;
	txn.compare_count = expected != ANY;
	return submit(fixture, &txn);
}

struct write delete_pod(struct fixture *fixture, const char *namespace, const char *name)
{
	cox_autobuf key = COX_BUF_INIT;
	struct cox_bytes bytes;
	struct store_txn txn = {.deletes = &bytes, .delete_count = 1};

	assert_int_equal(store_key(fixture->pods, namespace, name, &key, NULL), 0);
	bytes = (struct cox_bytes){key.data, key.size};
	return submit(fixture, &txn);
}
