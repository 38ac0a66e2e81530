/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's facts. What it asks for is the sum of its containers, or what its
 * greatest init container needs together with the restartable ones before it,
 * whichever is more, and its overhead.
 */
#include "machinery/json.h"
#include "scheduler/facts.h"
#include "scheduler/facts_internal.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/map.h>
#include <stdlib.h>

/* What a container that asks for nothing counts in scores. */
#define SCORE_MILLI_CPU 100
#define SCORE_MEMORY (INT64_C(200) << 20)

enum { OTHERS_MAX = 64 }; /* extended resources of one pod */

/* Sums under way, in the arena or the block. */
struct sum {
	struct cox_scheduler_resources all;
	struct cox_scheduler_amount *others;
};

static int64_t *slot(struct pack *pack, struct sum *sum, const char *name)
{
	int64_t *usual = facts_usual(&sum->all, name);

	if (usual)
		return usual;
	for (size_t i = 0; i < sum->all.other_count; i++) {
		if (!strcmp(sum->others[i].name, name))
			return &sum->others[i].amount;
	}
	if (sum->all.other_count == OTHERS_MAX)
		return NULL;
	sum->others[sum->all.other_count] = (struct cox_scheduler_amount){pack_text(pack, name), 0};
	return &sum->others[sum->all.other_count++].amount;
}

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static const struct value *requests_of(const struct value *container)
{
	return value_get(value_get(container, "resources"), "requests");
}

static bool is_sidecar(const struct value *container)
{
	return value_string_is(value_get(container, "restartPolicy"), "Always");
}

/* What one container needs of `name`, with what counts for scores if it says nothing. */
static int64_t need(const struct value *container, const char *name, int64_t fallback)
{
	const struct value *value = value_get(requests_of(container), name);

	return value ? facts_amount(value, !strcmp(name, "cpu")) : fallback;
}

static int64_t total(const struct value *spec, const char *name, int64_t fallback)
{
	const struct value *containers = value_get(spec, "containers"), *item;
	const struct value *inits = value_get(spec, "initContainers");
	const struct value *whole = value_get(requests_of(spec), name);
	int64_t sum = 0, sidecars = 0, most = 0, overhead;

	for (size_t i = 0; (item = value_at(containers, i)); i++)
		sum = add(sum, need(item, name, fallback));
	for (size_t i = 0; (item = value_at(inits, i)); i++) {
		int64_t here = need(item, name, fallback);

		if (is_sidecar(item))
			sidecars = here = add(sidecars, here);
		else
			here = add(sidecars, here);
		most = here > most ? here : most;
	}
	sum = add(sum, sidecars);
	sum = most > sum ? most : sum;
	if (whole) /* said for the whole pod */
		sum = facts_amount(whole, !strcmp(name, "cpu"));
	overhead = facts_amount(value_get(value_get(spec, "overhead"), name), !strcmp(name, "cpu"));
	return add(sum, overhead);
}

static void sum_names(struct pack *pack, struct sum *sum, const struct value *spec,
		      const struct value *map)
{
	for (size_t i = 0; value_is(map, VALUE_OBJECT) && i < map->count; i++) {
		const char *name = map->object.members[i].key;
		int64_t *into = slot(pack, sum, name);

		if (into && !*into)
			*into = total(spec, name, 0);
	}
}

static int compare_amounts(const void *a, const void *b)
{
	return strcmp(((const struct cox_scheduler_amount *)a)->name,
		      ((const struct cox_scheduler_amount *)b)->name);
}

static void fill_requests(struct pack *pack, struct cox_scheduler_pod *row,
			  const struct value *spec)
{
	static const char *const lists[] = {"containers", "initContainers"};
	struct cox_scheduler_amount others[OTHERS_MAX];
	struct sum sum = {.others = others};
	const struct value *item;

	for (size_t list = 0; list < 2; list++) {
		for (size_t i = 0; (item = value_at(value_get(spec, lists[list]), i)); i++)
			sum_names(pack, &sum, spec, requests_of(item));
	}
	sum_names(pack, &sum, spec, requests_of(spec));
	sum_names(pack, &sum, spec, value_get(spec, "overhead"));
	sum.all.pods = 1;
	sum.all.others = pack_alloc(pack, sum.all.other_count * sizeof(*others));
	if (sum.all.other_count) {
		qsort(others, sum.all.other_count, sizeof(*others), compare_amounts);
		memcpy((void *)sum.all.others, others, sum.all.other_count * sizeof(*others));
	}
	row->requests = sum.all;
	row->score_milli_cpu = total(spec, "cpu", SCORE_MILLI_CPU);
	row->score_memory = total(spec, "memory", SCORE_MEMORY);
}

/* Host ports and images of all containers. */
static void fill_containers(struct pack *pack, struct cox_scheduler_pod *row,
			    const struct value *containers)
{
	const struct value *item, *port;
	struct cox_scheduler_port *ports;
	struct cox_scheduler_pair *images;
	size_t port_count = 0, count = 0;

	for (; (item = value_at(containers, count)); count++) {
		for (size_t i = 0; (port = value_at(value_get(item, "ports"), i)); i++)
			port_count += value_get_int(port, "hostPort", 0) > 0;
	}
	ports = pack_alloc(pack, port_count * sizeof(*ports));
	images = pack_alloc(pack, count * sizeof(*images));
	row->ports = ports;
	row->images = images;
	row->image_count = count;
	for (count = 0; (item = value_at(containers, count)); count++) {
		images[count].key = pack_text(pack, value_get_text(item, "image"));
		images[count].value = "";
		for (size_t i = 0; (port = value_at(value_get(item, "ports"), i)); i++) {
			int64_t number = value_get_int(port, "hostPort", 0);
			const char *address = value_get_text(port, "hostIP");
			const char *protocol = value_get_text(port, "protocol");

			if (number <= 0 || row->port_count == port_count)
				continue;
			ports[row->port_count++] = (struct cox_scheduler_port){
				pack_text(pack, *address ? address : "0.0.0.0"),
				pack_text(pack, *protocol ? protocol : "TCP"), (uint64_t)number};
		}
	}
}

static void fill_tolerations(struct pack *pack, struct cox_scheduler_pod *row,
			     const struct value *list)
{
	size_t count = value_is(list, VALUE_ARRAY) ? list->count : 0;
	struct cox_scheduler_toleration *items = pack_alloc(pack, count * sizeof(*items));

	for (size_t i = 0; i < count; i++) {
		const struct value *item = value_at(list, i);
		const char *relation = value_get_text(item, "operator");

		items[i].key = pack_text(pack, value_get_text(item, "key"));
		items[i].relation = pack_text(pack, *relation ? relation : "Equal");
		items[i].value = pack_text(pack, value_get_text(item, "value"));
		items[i].effect = pack_text(pack, value_get_text(item, "effect"));
	}
	row->tolerations = items;
	row->toleration_count = count;
}

/* The disk of a volume; false: it has none that could be in the way. */
static bool disk_of(struct arena *arena, const struct value *volume,
		    struct cox_scheduler_disk *disk)
{
	const struct value *source;

	disk->read_only = 0;
	if ((source = value_get(volume, "gcePersistentDisk"))) {
		disk->type = COX_SCHEDULER_DISK_GCE;
		disk->id = value_get_text(source, "pdName");
	} else if ((source = value_get(volume, "awsElasticBlockStore"))) {
		disk->type = COX_SCHEDULER_DISK_EBS;
		disk->id = value_get_text(source, "volumeID");
	} else if ((source = value_get(volume, "rbd"))) {
		disk->type = COX_SCHEDULER_DISK_RBD;
		disk->id = arena_printf(
			arena, "%s %s %s", value_text(value_at(value_get(source, "monitors"), 0)),
			value_get_text(source, "pool"), value_get_text(source, "image"));
	} else if ((source = value_get(volume, "iscsi"))) {
		disk->type = COX_SCHEDULER_DISK_ISCSI;
		disk->id = arena_printf(arena, "%s %lld", value_get_text(source, "iqn"),
					(long long)value_get_int(source, "lun", 0));
	} else {
		return false;
	}
	disk->read_only = value_get_bool(source, "readOnly");
	return *disk->id;
}

static void fill_volumes(struct pack *pack, struct cox_scheduler_pod *row,
			 const struct value *volumes)
{
	cox_autoarena arena = ARENA_INIT;
	size_t count = value_is(volumes, VALUE_ARRAY) ? volumes->count : 0, disk_count = 0;
	struct cox_scheduler_disk disk, *disks;

	for (size_t i = 0; i < count; i++) {
		disk_count += disk_of(&arena, value_at(volumes, i), &disk);
		if (value_get(value_at(volumes, i), "persistentVolumeClaim") ||
		    value_get(value_at(volumes, i), "ephemeral"))
			row->flags |= COX_SCHEDULER_POD_CLAIMS;
	}
	disks = pack_alloc(pack, disk_count * sizeof(*disks));
	for (size_t i = 0; i < count; i++) {
		if (!disk_of(&arena, value_at(volumes, i), &disk))
			continue;
		disk.id = pack_text(pack, disk.id);
		disks[row->disk_count++] = disk;
	}
	row->disks = disks;
}

static void fill_metadata(struct pack *pack, struct cox_scheduler_pod *row,
			  const struct value *metadata)
{
	const struct value *owners = value_get(metadata, "ownerReferences"), *item;

	row->labels = facts_pairs(pack, value_get(metadata, "labels"));
	row->owner_uid = "";
	for (size_t i = 0; (item = value_at(owners, i)); i++) {
		if (value_get_bool(item, "controller"))
			row->owner_uid = pack_text(pack, value_get_text(item, "uid"));
	}
	if (*value_get_text(metadata, "deletionTimestamp"))
		row->flags |= COX_SCHEDULER_POD_DELETED;
}

/* What people were told last about why the pod has no node. */
static const char *unscheduled_message(const struct value *status)
{
	const struct value *conditions = value_get(status, "conditions"), *item;

	for (size_t i = 0; (item = value_at(conditions, i)); i++) {
		if (value_string_is(value_get(item, "type"), "PodScheduled") &&
		    value_string_is(value_get(item, "status"), "False"))
			return value_get_text(item, "message");
	}
	return "";
}

static uint64_t digest_of(const struct value *root)
{
	static const uint64_t seed[2] = {1, 2}; /* compared within this process only */
	cox_autobuf text = COX_BUF_INIT;
	const struct value *spec = value_get(root, "spec");
	const struct value *labels = value_path(root, "metadata.labels");

	if (spec)
		json_write(&text, spec, 0);
	if (labels)
		json_write(&text, labels, 0);
	return cox_siphash13(seed, cox_buf_cstr(&text), text.size);
}

static uint64_t labels_digest(const struct cox_scheduler_pod *row)
{
	static const uint64_t seed[2] = {3, 4}; /* compared within this process only */
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_add(&text, row->namespace_name, strlen(row->namespace_name) + 1);
	for (size_t i = 0; i < row->labels.count; i++) {
		const struct cox_scheduler_pair *label = &row->labels.items[i];

		cox_buf_add(&text, label->key, strlen(label->key) + 1);
		cox_buf_add(&text, label->value, strlen(label->value) + 1);
	}
	return cox_siphash13(seed, text.data, text.size);
}

static bool is_filled(const struct value *value)
{
	return value && (value->kind == VALUE_ARRAY || value->kind == VALUE_OBJECT) && value->count;
}

static struct pod_facts *fill_pod(struct pack *pack, const struct cox_object *object)
{
	struct pod_facts *pod = pack_alloc(pack, sizeof(*pod));
	struct cox_scheduler_pod *row = &pod->row;
	const struct value *root = object_root(object);
	const struct value *spec = value_get(root, "spec"), *status = value_get(root, "status");
	const char *phase = value_get_text(status, "phase");
	const char *scheduler = value_get_text(spec, "schedulerName");

	memset(pod, 0, sizeof(*pod));
	row->struct_size = sizeof(*row);
	row->namespace_name = pack_text(pack, object_namespace(object));
	row->name = pack_text(pack, object_name(object));
	row->uid = pack_text(pack, object_uid(object));
	row->node_name = pack_text(pack, value_get_text(spec, "nodeName"));
	row->priority = value_get_int(spec, "priority", 0);
	fill_metadata(pack, row, value_get(root, "metadata"));
	row->node_selector = facts_pairs(pack, value_get(spec, "nodeSelector"));
	fill_requests(pack, row, spec);
	fill_containers(pack, row, value_get(spec, "containers"));
	fill_tolerations(pack, row, value_get(spec, "tolerations"));
	fill_volumes(pack, row, value_get(spec, "volumes"));
	facts_terms(pack, row, spec);
	facts_spreads(pack, row, spec);
	if (is_filled(value_get(spec, "affinity")))
		row->flags |= COX_SCHEDULER_POD_AFFINITY;
	if (is_filled(value_get(spec, "schedulingGates")))
		row->flags |= COX_SCHEDULER_POD_GATED;
	row->host_data = pod;
	pod->scheduler_name = pack_text(pack, *scheduler ? scheduler : "default-scheduler");
	pod->message = pack_text(pack, unscheduled_message(status));
	pod->ended = !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed");
	atomic_init(&pod->references, 1);
	return pod;
}

struct pod_facts *pod_facts_new(const struct cox_object *object)
{
	cox_autoarena scratch = ARENA_INIT;
	struct pack pack = {.scratch = &scratch};
	struct pod_facts *pod;

	fill_pod(&pack, object);
	pack = (struct pack){.block = cox_alloc(pack.used)};
	pod = fill_pod(&pack, object);
	pod->row.labels_digest = labels_digest(&pod->row);
	if (!*pod->row.node_name && !pod->ended)
		pod->held = object_hold(object);
	if (pod->held)
		pod->digest = digest_of(object_root(object));
	return pod;
}

struct pod_facts *pod_facts_ref(struct pod_facts *pod)
{
	atomic_fetch_add_explicit(&pod->references, 1, memory_order_relaxed);
	return pod;
}

void pod_facts_unref(struct pod_facts *pod)
{
	if (!pod || atomic_fetch_sub_explicit(&pod->references, 1, memory_order_acq_rel) != 1)
		return;
	object_release(pod->held);
	free(pod);
}
