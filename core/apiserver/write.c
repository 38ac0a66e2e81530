/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of every write; see the header. */
#include "apiserver/write.h"

#include "apiserver/admission.h"
#include "apiserver/fieldmanager.h"
#include "apiserver/metadata.h"
#include "apiserver/read.h"
#include "apiserver/status.h"
#include "apiserver/strategy.h"
#include "base/clock.h"
#include "machinery/convert.h"
#include "machinery/create.h"
#include "machinery/decode.h"
#include "machinery/encode.h"
#include "machinery/json.h"
#include "machinery/validate.h"
#include "store/snapshot.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Events are forgotten after this; --event-ttl. */
static uint32_t ttl_of(const struct write *write)
{
	return strcmp(write->resource->name, "events") == 0 ? write->call->server->event_ttl_seconds
							    : 0;
}

static void release_current(void *what)
{
	struct write *write = what;

	store_entry_unref(write->current);
	write->current = NULL;
}

struct write *write_new(struct api_call *call, const struct api_resource *resource,
			enum write_operation operation)
{
	struct write *write = arena_new(call->arena, struct write);

	write->call = call;
	write->resource = resource;
	write->operation = operation;
	write->namespace_ = resource->namespaced ? call->route.namespace_ : "";
	write->name = call->route.name;
	write->subresource = call->route.subresource;
	write->success_code = operation == WRITE_CREATE ? 201 : 200;
	write->options.manager = "";
	call_on_end(call, release_current, write);
	return write;
}

/* Room for one more part of the transaction, or NULL. */
static void *add_part(struct write *write, void *parts, size_t count, size_t size,
		      struct cox_error *err)
{
	if (count < WRITE_PARTS_MAX)
		return arena_grow(write->call->arena, parts, count * size, (count + 1) * size);
	error_set(err, COX_REASON_INVALID, "the object needs more than %d reservations at once",
		  WRITE_PARTS_MAX);
	return NULL;
}

static struct cox_bytes copy_bytes(struct write *write, const void *data, size_t size)
{
	return (struct cox_bytes){arena_strndup(write->call->arena, data, size), size};
}

int write_add_compare(struct write *write, const char *key, size_t size, uint64_t revision,
		      struct cox_error *err)
{
	struct cox_compare *parts =
		add_part(write, write->compares, write->txn.compare_count, sizeof(*parts), err);

	if (!parts)
		return -1;
	write->compares = parts;
	parts[write->txn.compare_count++] =
		(struct cox_compare){copy_bytes(write, key, size), revision};
	return 0;
}

int write_add_put(struct write *write, const char *key, size_t key_size, const void *value,
		  size_t value_size, uint32_t tag, struct cox_error *err)
{
	struct cox_put *parts =
		add_part(write, write->puts, write->txn.put_count, sizeof(*parts), err);

	if (!parts)
		return -1;
	write->puts = parts;
	parts[write->txn.put_count++] =
		(struct cox_put){.key = copy_bytes(write, key, key_size),
				 .value = copy_bytes(write, value, value_size),
				 .tag = tag};
	return 0;
}

int write_add_delete(struct write *write, const char *key, size_t size, struct cox_error *err)
{
	struct cox_bytes *parts =
		add_part(write, write->deletes, write->txn.delete_count, sizeof(*parts), err);

	if (!parts)
		return -1;
	write->deletes = parts;
	parts[write->txn.delete_count++] = copy_bytes(write, key, size);
	return 0;
}

struct cox_bytes write_encode(struct write *write, const struct value *object, uint64_t revision)
{
	struct arena *arena = write->call->arena;
	struct value *copy = value_copy(arena, object);
	cox_autobuf out = COX_BUF_INIT;

	if (revision)
		value_set(arena, metadata_of(arena, copy), "resourceVersion",
			  value_printf(arena, "%" PRIu64, revision));
	schema_encode(&out, write->call->server->schema, write->resource->stored_type, copy, 0);
	return (struct cox_bytes){arena_strndup(arena, out.data, out.size), out.size};
}

/* Answers */

/* The bytes that were put are made to the answer by nothing but their version. */
static struct cox_bytes with_version(struct write *write, uint64_t revision)
{
	const struct cox_bytes stored = write->stored;
	const size_t at = write->version_at;
	char version[48];
	int size = revision ? snprintf(version, sizeof(version),
				       ",\"resourceVersion\":\"%" PRIu64 "\"", revision)
			    : 0;
	char *out = arena_alloc(write->call->arena, stored.size + (size_t)size + 1);

	memcpy(out, stored.data, at);
	memcpy(out + at, version, (size_t)size);
	memcpy(out + at + size, (const char *)stored.data + at, stored.size - at);
	out[stored.size + (size_t)size] = '\0';
	return (struct cox_bytes){out, stored.size + (size_t)size};
}

static void answer_object(struct write *write, uint64_t revision)
{
	read_answer_json(write->call, write->success_code, &write->shape,
			 write->version_at ? with_version(write, revision)
					   : write_encode(write, write->object, revision));
}

static void answer(struct write *write, uint64_t revision)
{
	if (write->answer)
		write->answer(write, revision);
	else
		answer_object(write, revision);
}

static void answer_committed(struct api_call *call)
{
	struct write *write = call->wait;

	answer(write, write->txn.revision);
}

/* Attempts */

static void run_attempt(struct write *write);

static void run_again(struct api_call *call)
{
	struct write *write = call->wait;

	store_entry_unref(write->current);
	write->current = NULL;
	if (write->creates_absent) {
		write->operation = WRITE_UPDATE;
		write->success_code = 200;
	}
	run_attempt(write);
}

static void fail_conflict(struct write *write)
{
	const struct api_resource *resource = write->resource;
	cox_autoerror err = COX_ERROR_INIT;

	if (write->operation == WRITE_CREATE && write->txn.index == 0)
		status_already_exists(&err, resource->group, resource->name, write->name);
	else
		status_conflict(&err, resource->group, resource->name, write->name);
	call_fail(write->call, &err);
}

/*
 * A generated name that is taken is tried again with another; an update that
 * named no version is tried again from the new state; a reservation that went
 * to somebody else is made anew.
 */
static bool may_retry(const struct write *write)
{
	bool own_key = write->txn.index == 0;

	if (write->attempts >= WRITE_ATTEMPTS)
		return false;
	if (!own_key)
		return true;
	if (write->operation == WRITE_CREATE)
		return write->creates_absent ||
		       (*write->call->route.name == '\0' && write->generated_name &&
			write->attempts < WRITE_NAME_ATTEMPTS);
	return write->retry;
}

static void fail_submitted(struct write *write)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, write->txn.reason, "%s", write->txn.why);
	if (write->txn.reason == COX_REASON_TOO_MANY_REQUESTS)
		err.retry_after = 1;
	call_fail(write->call, &err);
}

/* On a thread of the store: short work, or handing over. */
static void submitted(struct store_txn *txn)
{
	struct write *write = (struct write *)(void *)((char *)txn - offsetof(struct write, txn));

	const struct strategy *strategy = write->resource->strategy;

	switch (txn->result) {
	case STORE_COMMITTED:
		if (strategy->committed)
			strategy->committed(write);
		if (write->call->local || !shape_is_canonical(&write->shape))
			call_resume(write->call, answer_committed);
		else
			answer(write, txn->revision);
		break;
	case STORE_CONFLICT:
		if (strategy->refused)
			strategy->refused(write, txn->index);
		if (may_retry(write))
			call_resume(write->call, run_again);
		else
			fail_conflict(write);
		break;
	case STORE_UNKNOWN:
	case STORE_FAILED:
		fail_submitted(write);
		break;
	}
}

static int own_key(struct write *write, struct cox_buf *key, struct cox_error *err)
{
	return store_key(write->resource->collection, write->namespace_, write->name, key, err);
}

static bool is_relaxed(const struct write *write)
{
	const char *holder, *before;

	if (strcmp(write->resource->name, "events") == 0)
		return true;
	/* Heartbeats of nodes, as long as the holder stays the same. */
	if (strcmp(write->resource->name, "leases") != 0 || write->operation != WRITE_UPDATE ||
	    strcmp(write->namespace_, "kube-node-lease") != 0 || write->remove)
		return false;
	holder = value_text(value_path(write->object, "spec.holderIdentity"));
	before = value_text(value_path(write->old, "spec.holderIdentity"));
	return strcmp(holder, before) == 0;
}

/* The object as it is to be stored, as the last part of the transaction. */
static int add_object(struct write *write, const struct cox_buf *key, struct cox_error *err)
{
	const struct schema *schema = write->call->server->schema;
	cox_autobuf value = COX_BUF_INIT;

	schema_encode_stored(&value, schema, write->resource->stored_type, write->object,
			     &write->version_at);
	/* Rather than not at all, a large object is kept without the word on who managed it. */
	if (value.size > WRITE_MANAGED_MAX &&
	    value_remove(value_get(write->object, "metadata"), "managedFields")) {
		cox_buf_clear(&value);
		schema_encode_stored(&value, schema, write->resource->stored_type, write->object,
				     &write->version_at);
	}
	if (write_add_put(write, key->data, key->size, value.data, value.size, schema->epoch,
			  err) != 0)
		return -1;
	write->puts[write->txn.put_count - 1].ttl_seconds = ttl_of(write);
	write->stored = write->puts[write->txn.put_count - 1].value;
	return 0;
}

/* The object's own key is the first compare: conflicts elsewhere are others' doing. */
static int build_txn(struct write *write, struct cox_error *err)
{
	const struct strategy *strategy = write->resource->strategy;
	cox_autobuf key = COX_BUF_INIT;

	write->txn.compare_count = write->txn.put_count = write->txn.delete_count = 0;
	if (own_key(write, &key, err) != 0 ||
	    write_add_compare(write, key.data, key.size,
			      write->current ? store_entry_revision(write->current) : 0, err) != 0)
		return -1;
	/*
	 * What is allocated becomes part of the object, and goes with it: the
	 * last finalizer may be taken off through a subresource, too.
	 */
	if (strategy->allocate && (write->remove || !*write->subresource) &&
	    strategy->allocate(write, write->remove ? NULL : write->object, write->old, err) != 0)
		return -1;
	if (write->remove)
		return write_add_delete(write, key.data, key.size, err);
	return add_object(write, &key, err);
}

/* Equal but for the times at which somebody managed fields: nothing is written. */
static bool changes_nothing(struct write *write)
{
	struct arena *arena = write->call->arena;
	struct value *list;
	const struct schema *schema = write->call->server->schema;
	const struct schema_type *type = write->resource->stored_type;
	const unsigned flags = ENCODE_STORAGE | ENCODE_NO_MANAGED_FIELDS;
	cox_autobuf before = COX_BUF_INIT;
	cox_autobuf after = COX_BUF_INIT;

	if (write->operation == WRITE_CREATE || write->remove)
		return false;
	schema_encode(&before, schema, type, write->old, flags);
	schema_encode(&after, schema, type, write->object, flags);
	if (before.size != after.size || memcmp(before.data, after.data, before.size) != 0 ||
	    !fieldmanager_same(write->object, write->old))
		return false;
	list = value_get(value_get(write->old, "metadata"), "managedFields");
	if (list) /* the times, too, stay what they were */
		value_set(arena, metadata_of(arena, write->object), "managedFields", list);
	return true;
}

static void submit(struct write *write)
{
	struct api_call *call = write->call;
	cox_autoerror err = COX_ERROR_INIT;

	write->txn.compares = write->compares;
	write->txn.puts = write->puts;
	write->txn.deletes = write->deletes;
	write->txn.durability = is_relaxed(write) ? COX_RELAXED : COX_DURABLE;
	write->txn.class = strcmp(write->resource->name, "leases") == 0 ? STORE_CLASS_LEASE
									: STORE_CLASS_NORMAL;
	write->txn.done = submitted;
	call->wait = write;
	if (store_submit(call->server->store, &write->txn, &err) != 0)
		call_fail(call, &err);
}

/* The object as it stands, as a tree that may be changed. */
static int load_current(struct write *write, struct cox_error *err)
{
	const struct api_resource *resource = write->resource;
	struct cox_bytes json;

	if (write->operation == WRITE_CREATE)
		return 0;
	write->current = store_get(resource->collection, write->namespace_, write->name);
	if (!write->current)
		return status_not_found(err, resource->group, resource->name, write->name);
	if (store_entry_error(write->current) && write->operation != WRITE_DELETE)
		return error_set(err, COX_REASON_STORE_READ_ERROR, "%s",
				 store_entry_error(write->current));
	if (store_entry_error(write->current)) {
		/* Unreadable: it can be deleted, whatever it is. */
		write->old = value_object(write->call->arena);
		return 0;
	}
	json = store_entry_json(write->current);
	write->old = json_parse(write->call->arena, json.data, json.size, NULL, err);
	/* In the same form as what comes in: absent and empty are one. */
	return write->old ? schema_decode(write->call->server->schema, resource->stored_type,
					  write->call->arena, write->old, NULL, err)
			  : -1;
}

static int check_version(struct write *write, struct cox_error *err)
{
	const struct api_resource *resource = write->resource;

	if (!write->current || !write->wanted_version ||
	    write->wanted_version == store_entry_revision(write->current))
		return 0;
	return status_conflict(err, resource->group, resource->name, write->name);
}

static int set_metadata(struct write *write, struct cox_error *err)
{
	const struct api_resource *resource = write->resource;
	struct arena *arena = write->call->arena;

	if (write->operation == WRITE_CREATE)
		return metadata_prepare_create(arena, write->object,
					       resource->row->flags & SCHEMA_GENERATION, err);
	return metadata_prepare_update(resource, arena, write->object, write->old, err);
}

/* A member of the old object, or none, in place of what was sent. */
static void restore(struct write *write, const char *key)
{
	struct value *value = write->old ? value_get(write->old, key) : NULL;

	if (value)
		value_set(write->call->arena, write->object, key,
			  value_copy(write->call->arena, value));
	else
		value_remove(write->object, key);
}

static bool is_kept_by_status(const char *key)
{
	return strcmp(key, "status") != 0 && strcmp(key, "metadata") != 0 &&
	       strcmp(key, "kind") != 0 && strcmp(key, "apiVersion") != 0;
}

/* Only one member of the spec is taken over from what was sent. */
static void take_member(struct write *write, const char *member)
{
	struct arena *arena = write->call->arena;
	struct value *sent = value_get(value_get(write->object, "spec"), member);
	struct value *spec;

	write->object = value_copy(arena, write->old);
	spec = value_make_object(arena, write->object, "spec");
	if (sent)
		value_set(arena, spec, member, sent);
	else
		value_remove(spec, member);
}

static struct value *container_named(const struct value *list, const char *name)
{
	for (size_t i = 0; value_at(list, i); i++)
		if (value_string_is(value_get(value_at(list, i), "name"), name))
			return value_at(list, i);
	return NULL;
}

/* Only the resources of containers that were there before. */
static void take_resources(struct write *write)
{
	struct arena *arena = write->call->arena;
	const struct value *sent = value_path(write->object, "spec.containers");
	struct value *kept;

	write->object = value_copy(arena, write->old);
	kept = value_path(write->object, "spec.containers");
	for (size_t i = 0; value_at(kept, i); i++) {
		struct value *container = value_at(kept, i);
		struct value *other = container_named(sent, value_get_text(container, "name"));
		struct value *resources = value_get(other, "resources");

		if (resources)
			value_set(arena, container, "resources", resources);
	}
}

/* A write of the status takes over that and the metadata. */
static void take_status(struct write *write)
{
	const struct value *object = write->object;

	for (uint32_t i = object->count; i-- > 0;)
		if (is_kept_by_status(object->object.members[i].key))
			restore(write, object->object.members[i].key);
	for (uint32_t i = 0; i < write->old->count; i++)
		if (is_kept_by_status(write->old->object.members[i].key))
			restore(write, write->old->object.members[i].key);
}

/* Each way to an object writes its part of it; the status has one of its own. */
static void reset_parts(struct write *write)
{
	const char *subresource = write->subresource;

	if (!*subresource && (write->resource->row->flags & SCHEMA_STATUS_DROPPED))
		restore(write, "status");
	else if (strcmp(subresource, "status") == 0)
		take_status(write);
	else if (strcmp(subresource, "finalize") == 0)
		take_member(write, "finalizers");
	else if (strcmp(subresource, "ephemeralcontainers") == 0)
		take_member(write, "ephemeralContainers");
	else if (strcmp(subresource, "resize") == 0)
		take_resources(write);
}

static int prepare(struct write *write, struct cox_error *err)
{
	const struct strategy *strategy = write->resource->strategy;

	if (write->operation == WRITE_CREATE) {
		schema_prepare_create(write->call->server->schema, write->resource->stored_row,
				      write->call->arena, write->object, clock_realtime());
		return strategy->prepare_create
			       ? strategy->prepare_create(write, write->object, err)
			       : 0;
	}
	if (strategy->prepare_update &&
	    strategy->prepare_update(write, write->object, write->old, err) != 0)
		return -1;
	if (write->resource->row->flags & SCHEMA_GENERATION)
		metadata_bump_generation(write->call->arena, write->object, write->old);
	return 0;
}

/* The form that the client speaks: its rules are told in its own words. */
static int as_served(struct write *write, const struct value *stored, const struct value **served,
		     struct cox_error *err)
{
	const struct api_resource *resource = write->resource;
	struct arena *arena = write->call->arena;
	struct value *copy;

	*served = stored;
	if (!stored || resource->row == resource->stored_row)
		return 0;
	copy = value_copy(arena, stored);
	*served = copy;
	return schema_convert(write->call->server->schema, resource->stored_row, resource->row,
			      arena, copy, err);
}

static int validate(struct write *write, struct cox_error *err)
{
	const struct value *object, *old;
	struct validation v;

	if (as_served(write, write->object, &object, err) != 0 ||
	    as_served(write, write->old, &old, err) != 0)
		return -1;
	validation_init(&v, write->call->arena, write->call->server->schema, write->resource->row);
	schema_validate(&v, object, old, write->subresource);
	return validation_result(&v, value_get_text(value_get(write->object, "metadata"), "name"),
				 err);
}

/* From `object` as made to a transaction. */
static int complete(struct write *write, struct cox_error *err)
{
	struct api_call *call = write->call;

	if ((write->tracks && fieldmanager_track(write, err) != 0) ||
	    admission_admit(call->chains->admission, write, err) != 0)
		return -1;
	reset_parts(write);
	if (set_metadata(write, err) != 0 || prepare(write, err) != 0 ||
	    validate(write, err) != 0 ||
	    admission_validate(call->chains->admission, write, err) != 0)
		return -1;
	write->name = value_get_text(value_get(write->object, "metadata"), "name");
	/* The last finalizer of an object that waits for its end is gone. */
	if (write->operation == WRITE_UPDATE && write_end_reached(write->resource, write->object))
		write->remove = true;
	return 0;
}

bool write_end_reached(const struct api_resource *resource, const struct value *object)
{
	return metadata_deleting(object) && metadata_finalizer_count(object) == 0 &&
	       value_get_int(value_get(object, "metadata"), "deletionGracePeriodSeconds", 0) == 0 &&
	       !(resource->strategy->waits && resource->strategy->waits(object));
}

static void run_attempt(struct write *write)
{
	struct api_call *call = write->call;
	cox_autoerror err = COX_ERROR_INIT;

	write->attempts++;
	write->wanted_version = 0;
	write->version_at = 0;
	write->remove = false;
	if (load_current(write, &err) != 0) {
		if (err.reason == COX_REASON_NOT_FOUND && write->absent)
			write->absent(write);
		else
			call_fail(call, &err);
		return;
	}
	if (write->make(write, &err) != 0 || check_version(write, &err) != 0 ||
	    (write->operation != WRITE_DELETE && complete(write, &err) != 0))
		goto fail;
	if (changes_nothing(write)) {
		answer(write, store_entry_revision(write->current));
		return;
	}
	if (build_txn(write, &err) != 0)
		goto fail;
	if (write->options.dry_run)
		answer(write, write->current ? store_entry_revision(write->current) : 0);
	else
		submit(write);
	return;
fail:
	call_fail(call, &err);
}

void write_run(struct write *write)
{
	run_attempt(write);
}
