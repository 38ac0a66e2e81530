/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts the power at any moment. A child runs the workload under the recorder;
 * then its changes are replayed up to every point of interest, into a model of
 * a disk that keeps only what was synced, and of the rest whatever it likes:
 * all, nothing, a torn beginning, or any of the writes with holes of zeros
 * between them; of unsynced names all, none, or any. Each outcome is opened. It
 * must hold every durable step that was acknowledged, no later one without an
 * earlier one, and give out no revision again.
 *
 * COX_TEST_LONG=N tries N times as many outcomes.
 */
#include "record.h"
#include "workload.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/vec.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { STEPS = 400, OUTCOMES = 400, PAGE = 4096 };

static const struct option_value small_buffer[] = {{"write-buffer", "65536"}, {NULL, NULL}};
static const struct cox_plugin *plugin;

/* The model */

struct node;

struct name {
	char *text;
	struct node *node; /* NULL: the name goes */
};

typedef COX_VEC(struct name) name_list;

/* A change to a file's bytes that has not been synced. */
struct piece {
	bool truncate;
	uint64_t offset;
	struct cox_bytes data; /* in the record */
};

/* Unsynced changes to a directory happen whole: a rename takes one and gives one. */
struct renaming {
	struct name gone, come; /* text NULL: none */
};

struct node {
	bool directory;
	struct cox_buf synced;
	COX_VEC(struct piece) pieces;
	name_list now, kept; /* names as seen, and as on disk */
	COX_VEC(struct renaming) renamings;
};

enum policy { KEEP_ALL, KEEP_NONE, KEEP_TORN, KEEP_ANY, POLICIES };

static struct node *find_name(const name_list *names, const char *text)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i].text, text) == 0)
			return names->items[i].node;
	return NULL;
}

static void set_name(name_list *names, const char *text, struct node *node)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i].text, text) == 0) {
			names->items[i] = names->items[names->count - 1];
			names->count--;
			break;
		}
	if (node)
		cox_vec_push(names, (struct name){(char *)text, node});
}

static void apply_renaming(name_list *names, const struct renaming *renaming)
{
	if (renaming->gone.text)
		set_name(names, renaming->gone.text, NULL);
	if (renaming->come.text)
		set_name(names, renaming->come.text, renaming->come.node);
}

/* The directory that holds `path` (below the root), and its last name. */
static struct node *resolve(struct node *root, const char *path, const char **last)
{
	struct node *node = root;

	for (;;) {
		const char *slash = strchr(path, '/');
		char part[NAME_MAX + 1];

		if (!slash) {
			*last = path;
			return node;
		}
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		node = find_name(&node->now, part);
		if (!node)
			return NULL;
		path = slash + 1;
	}
}

static struct node *lookup(struct node *root, const char *path)
{
	const char *last;
	struct node *parent = path[0] ? resolve(root, path, &last) : NULL;

	if (!path[0])
		return root;
	return parent ? find_name(&parent->now, last) : NULL;
}

static void change_names(struct node *directory, struct renaming renaming)
{
	apply_renaming(&directory->now, &renaming);
	cox_vec_push(&directory->renamings, renaming);
}

static void apply_piece(struct cox_buf *bytes, const struct piece *piece, size_t size)
{
	size_t end = piece->offset + size;

	if (piece->truncate && bytes->size > piece->offset)
		cox_buf_truncate(bytes, piece->offset);
	if (end > bytes->size) {
		size_t more = end - bytes->size;

		memset(cox_buf_reserve(bytes, more), 0, more);
		cox_buf_added(bytes, more);
	}
	if (size)
		memcpy(bytes->data + piece->offset, piece->data.data, size);
}

static void sync_node(struct node *node)
{
	for (size_t i = 0; i < node->pieces.count; i++)
		apply_piece(&node->synced, &node->pieces.items[i], node->pieces.items[i].data.size);
	node->pieces.count = 0;
	for (size_t i = 0; i < node->renamings.count; i++)
		apply_renaming(&node->kept, &node->renamings.items[i]);
	node->renamings.count = 0;
}

/*
 * Syncing a new file also puts its first name on disk. POSIX does not say so,
 * but the file systems of Linux do it, and leveldb counts on it: it writes the
 * name of a synced table into its manifest before it syncs the directory.
 */
static void sync_creation(struct node *directory, const struct node *node)
{
	for (size_t i = 0; i < directory->renamings.count; i++) {
		struct renaming *renaming = &directory->renamings.items[i];

		if (renaming->come.node == node && !renaming->gone.text) {
			apply_renaming(&directory->kept, renaming);
			renaming->come.text = NULL;
		}
	}
}

/* One entry of the record. Paths are below the root. */
static void replay(struct node *root, const struct record_entry *entry, const char *path,
		   const char *other, const void *data)
{
	const char *last = NULL, *to = NULL;
	struct node *parent = path[0] ? resolve(root, path, &last) : NULL;
	struct node *node = lookup(root, path);
	struct node *target = other[0] ? resolve(root, other, &to) : NULL;

	switch (entry->kind) {
	case RECORD_CREATE:
	case RECORD_DIRECTORY:
		node = cox_new(struct node);
		node->directory = entry->kind == RECORD_DIRECTORY;
		change_names(parent, (struct renaming){{NULL, NULL}, {(char *)last, node}});
		break;
	case RECORD_WRITE:
		cox_vec_push(&node->pieces,
			     (struct piece){false, entry->offset, {data, entry->size}});
		break;
	case RECORD_TRUNCATE:
		cox_vec_push(&node->pieces, (struct piece){true, entry->offset, {NULL, 0}});
		break;
	case RECORD_SYNC:
		if (node)
			sync_node(node);
		if (node && parent && !node->directory)
			sync_creation(parent, node);
		break;
	case RECORD_RENAME:
		if (parent != target)
			abort(); /* not modelled, and not done */
		change_names(parent, (struct renaming){{(char *)last, NULL}, {(char *)to, node}});
		break;
	case RECORD_LINK:
		change_names(target, (struct renaming){{NULL, NULL}, {(char *)to, node}});
		break;
	case RECORD_UNLINK:
		change_names(parent, (struct renaming){{(char *)last, NULL}, {NULL, NULL}});
		break;
	default:
		abort();
	}
}

/* What the disk has after the cut */

static void file_after(const struct node *node, enum policy policy, struct cox_buf *bytes)
{
	size_t count = node->pieces.count, whole = count;

	cox_buf_add(bytes, node->synced.data ? node->synced.data : "", node->synced.size);
	if (policy == KEEP_NONE)
		return;
	if (policy == KEEP_TORN && count)
		whole = (size_t)random() % count;
	for (size_t i = 0; i < count; i++) {
		const struct piece *piece = &node->pieces.items[i];
		size_t size = piece->data.size;

		if (i > whole)
			break;
		if (policy == KEEP_TORN && i == whole)
			size = size ? (size_t)random() % size : 0;
		if (policy != KEEP_ANY || piece->truncate) {
			apply_piece(bytes, piece, size);
			continue;
		}
		/* The size came, of the bytes any pages. */
		for (size_t at = 0; at < size;) {
			size_t part = PAGE - (piece->offset + at) % PAGE;
			struct piece page = {false, piece->offset + at, {NULL, 0}};

			if (part > size - at)
				part = size - at;
			if (random() % 2)
				page.data = (struct cox_bytes){(const char *)piece->data.data + at,
							       part};
			else
				page.offset += part; /* only the size */
			apply_piece(bytes, &page, page.data.size);
			at += part;
		}
	}
}

static void write_out(const struct node *node, const char *path, enum policy names,
		      enum policy bytes)
{
	name_list list = {0};

	if (!node->directory) {
		cox_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		cox_autobuf content = COX_BUF_INIT;

		file_after(node, bytes, &content);
		if (fd < 0 ||
		    write(fd, cox_buf_cstr(&content), content.size) != (ssize_t)content.size)
			abort();
		return;
	}
	if (mkdir(path, 0700))
		abort();
	for (size_t i = 0; i < node->kept.count; i++)
		cox_vec_push(&list, node->kept.items[i]);
	for (size_t i = 0; i < node->renamings.count; i++)
		if (names == KEEP_ALL || (names == KEEP_ANY && random() % 2) ||
		    (names == KEEP_TORN && i < node->renamings.count / 2))
			apply_renaming(&list, &node->renamings.items[i]);
	for (size_t i = 0; i < list.count; i++) {
		char below[PATH_MAX];

		snprintf(below, sizeof(below), "%s/%s", path, list.items[i].text);
		write_out(list.items[i].node, below, names, bytes);
	}
	cox_vec_free(&list);
}

/* The store after the cut */

struct expected {
	unsigned durable;   /* newest step acknowledged as durable */
	unsigned attempted; /* newest that may have begun */
	uint64_t revision;  /* newest reported */
};

static const char *check_store(struct store *store, const struct expected *expected)
{
	static char wrong[256];
	cox_autofree char *seq = store_get(store, "/seq", NULL);
	unsigned n = seq ? (unsigned)strtoul(seq, NULL, 10) : 0;

	if (n < expected->durable || n > expected->attempted) {
		snprintf(wrong, sizeof(wrong), "holds step %u, acknowledged is %u, begun %u", n,
			 expected->durable, expected->attempted);
		return wrong;
	}
	if (store_revision(store) < expected->revision)
		return "gives out a revision again";
	for (unsigned number = n; number > 0 && number + WORKLOAD_KEYS > n; number--) {
		char key[16];
		cox_autofree char *value = NULL;

		snprintf(key, sizeof(key), "/k%02u", number % WORKLOAD_KEYS);
		value = store_get(store, key, NULL);
		if (!value || strtoul(value, NULL, 10) != number) {
			snprintf(wrong, sizeof(wrong), "holds step %u and %s is %s", n, key,
				 value ? value : "missing");
			return wrong;
		}
	}
	return workload_step(store, n + 1, true, 100).result ? "cannot be written to" : NULL;
}

static const char *check_outcome(const char *directory, const struct expected *expected)
{
	static struct cox_error err;
	struct store store;
	const char *wrong;

	if (access(directory, F_OK)) /* the directory itself was not there yet */
		return expected->durable ? "is gone" : NULL;
	err = (struct cox_error){0};
	if (store_open(&store, plugin, directory, small_buffer, &err))
		return err.text;
	wrong = check_store(&store, expected);
	store_close(&store);
	return wrong;
}

/* The record */

struct recording {
	char *data;
	size_t size;
	size_t entries;
};

static void read_recording(const char *path, size_t root_size, struct recording *recording,
			   void (*each)(void *argument, size_t number,
					const struct record_entry *entry, const char *file,
					const char *other, const void *data),
			   void *argument)
{
	for (size_t at = 0; at + sizeof(struct record_entry) <= recording->size;) {
		struct record_entry entry;
		const char *text;
		char *file, *other;

		memcpy(&entry, recording->data + at, sizeof(entry));
		text = recording->data + at + sizeof(entry);
		file = cox_strndup(text, entry.path_size);
		other = cox_strndup(text + entry.path_size, entry.other_size);
		/* Below the root; names live as long as the model. */
		each(argument, recording->entries++, &entry,
		     strlen(file) > root_size ? file + root_size + 1 : "",
		     entry.other_size ? other + root_size + 1 : "",
		     text + entry.path_size + entry.other_size);
		at += sizeof(entry) + entry.path_size + entry.other_size + entry.size;
	}
	(void)path;
}

struct run {
	struct node root;
	struct expected expected;
	char base[600];
	size_t total; /* entries; 0: only counting */
	unsigned outcomes, wanted, failed;
};

static void try_outcome(struct run *run, size_t number, enum policy names, enum policy bytes)
{
	char disk[700], store[800];
	const char *wrong;

	snprintf(disk, sizeof(disk), "%s/disk", run->base);
	snprintf(store, sizeof(store), "%s/store", disk);
	harness_remove(disk);
	write_out(&run->root, disk, names, bytes);
	wrong = check_outcome(store, &run->expected);
	run->outcomes++;
	if (wrong && run->failed++ < 5)
		printf("# cut after change %zu, names %d, bytes %d: the store %s\n", number, names,
		       bytes, wrong);
}

static void take_entry(void *argument, size_t number, const struct record_entry *entry,
		       const char *path, const char *other, const void *data)
{
	struct run *run = argument;

	if (!run->total)
		return;
	/* The workload's own notes are on no disk. */
	if (strcmp(path, "ack") == 0) {
		uint64_t note[3];

		if (entry->kind != RECORD_WRITE)
			return;
		memcpy(note, data, sizeof(note));
		run->expected.attempted = (unsigned)note[0] + 1;
		run->expected.revision = note[1];
		if (note[2])
			run->expected.durable = (unsigned)note[0];
		return;
	}
	replay(&run->root, entry, path, other, data);
	/* Spread evenly, with every kind of loss in turn. */
	for (size_t left = run->wanted; left > 0; left -= left < run->total ? left : run->total)
		if ((size_t)random() % run->total < left)
			try_outcome(run, number, (enum policy)(random() % POLICIES),
				    (enum policy)(random() % POLICIES));
}

/* The child: notes step, revision and whether it was durable, each after its answer. */
static int work(const char *root)
{
	struct store store;
	struct cox_error err = {0};
	char path[600];
	int ack;

	snprintf(path, sizeof(path), "%s/ack", root);
	ack = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	snprintf(path, sizeof(path), "%s/store", root);
	for (unsigned life = 0; life < 3; life++) {
		if (store_open(&store, plugin, path, small_buffer, &err)) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		for (unsigned i = 1 + life * STEPS / 3; i <= (life + 1) * STEPS / 3; i++) {
			bool durable = i % 5 == 0;
			struct result result = workload_step(&store, i, durable, 700 + i % 900);
			uint64_t note[3] = {i, result.revision, durable};

			if (result.result || write(ack, note, sizeof(note)) != sizeof(note))
				return 1;
			if (i % 100 == 0)
				store_compact(&store, result.revision - 20);
		}
		store_close(&store);
	}
	close(ack);
	return 0;
}

static void record_work(const char *self, const char *root, const char *file)
{
	const char *builddir = getenv("builddir");
	char recorder[600];
	pid_t child = fork();
	int status;

	if (child == 0) {
		snprintf(recorder, sizeof(recorder),
			 "%s/tests/conformance/storage/.libs/recorder.so",
			 builddir ? builddir : ".");
		if (access(recorder, R_OK))
			_exit(1);
		setenv("LD_PRELOAD", recorder, 1);
		setenv("COX_RECORD_ROOT", root, 1);
		setenv("COX_RECORD_FILE", file, 1);
		execl("/proc/self/exe", self, root, NULL);
		_exit(1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
		printf("Bail out! the workload failed\n");
		exit(1);
	}
}

static void load(const char *path, struct recording *recording)
{
	FILE *file = fopen(path, "rbe");
	struct stat status;

	if (!file || fstat(fileno(file), &status))
		abort();
	recording->size = (size_t)status.st_size;
	recording->data = cox_alloc(recording->size);
	if (fread(recording->data, 1, recording->size, file) != recording->size)
		abort();
	fclose(file);
}

int main(int count, char **arguments)
{
	const char *builddir = getenv("builddir"), *sanitizer = getenv("COX_SANITIZER");
	const char *factor = getenv("COX_TEST_LONG");
	struct recording recording = {0};
	struct run run = {.root.directory = true, .expected.attempted = 1};
	char path[700], root[600], directory[512];
	size_t entries;

	snprintf(path, sizeof(path), "%s/plugins/.libs/storage-leveldb.so",
		 builddir ? builddir : ".");
	plugin = harness_load(path);
	if (count == 2)
		return work(arguments[1]);
	if (sanitizer && strcmp(sanitizer, "no") != 0) {
		printf("1..0 # SKIP a sanitizer must be loaded before the recorder\n");
		return 0;
	}
	srandom(7);
	harness_directory(directory);
	snprintf(run.base, sizeof(run.base), "%s", directory);
	snprintf(root, sizeof(root), "%s/root", directory);
	snprintf(path, sizeof(path), "%s/record", directory);
	if (mkdir(root, 0700))
		abort();
	record_work(arguments[0], root, path);
	load(path, &recording);
	read_recording(path, strlen(root), &recording, take_entry, &run);
	entries = recording.entries;
	run.total = entries;
	run.wanted = OUTCOMES * (factor ? (unsigned)strtoul(factor, NULL, 10) : 1);
	recording.entries = 0;
	read_recording(path, strlen(root), &recording, take_entry, &run);
	printf("1..2\n");
	printf("# %zu changes recorded, %u outcomes of a power cut tried\n", entries, run.outcomes);
	printf("%s 1 - the record is of a whole run\n",
	       run.expected.durable == STEPS && run.outcomes > OUTCOMES / 2 ? "ok" : "not ok");
	printf("%s 2 - every outcome holds what was acknowledged (%u do not)\n",
	       run.failed ? "not ok" : "ok", run.failed);
	harness_cleanup();
	return run.failed ? 1 : 0;
}
