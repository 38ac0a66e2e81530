/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast JSON is read, by CPU time: a tree of a pod, the reader skipping the pod, the
 * reader handing out every token; what protobuf of it costs, with and without a
 * tree; and memcpy of the same bytes as the limit. A word on the command line
 * chooses the measurements that have it in their name.
 */
#include "machinery/json.h"
#include "machinery/json_scan.h"
#include "machinery/protobuf.h"
#include "pod.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "bench json: %s\n", what);
	exit(1);
}

static void parse_once(void)
{
	static struct arena arena = ARENA_INIT;

	arena_reset(&arena);
	if (!json_parse(&arena, bench_pod, sizeof(bench_pod) - 1, NULL, NULL))
		die("the pod is no JSON");
}

static void skip_once(void)
{
	struct json_reader reader;

	json_reader_init(&reader, bench_pod, sizeof(bench_pod) - 1);
	if (json_next(&reader) != JSON_OBJECT_BEGIN || json_skip(&reader) != 0)
		die("the pod is no JSON");
}

static void read_once(void)
{
	struct json_reader reader;
	enum json_token token;

	json_reader_init(&reader, bench_pod, sizeof(bench_pod) - 1);
	while ((token = json_next(&reader)) != JSON_END)
		if (token == JSON_BAD)
			die("the pod is no JSON");
}

static void write_once(void)
{
	static struct arena arena = ARENA_INIT;
	static struct value *tree;
	static struct cox_buf out = COX_BUF_INIT;

	if (!tree)
		tree = json_parse(&arena, bench_pod, sizeof(bench_pod) - 1, NULL, NULL);
	cox_buf_clear(&out);
	json_write(&out, tree, 0);
}

static void jump_once(void)
{
	if (json_jump(bench_pod, bench_pod + sizeof(bench_pod) - 1) !=
	    bench_pod + sizeof(bench_pod) - 1)
		die("the pod is no JSON");
}

static void encode_once(void)
{
	static struct arena arena = ARENA_INIT;
	static struct cox_buf out = COX_BUF_INIT;
	struct value *tree;

	arena_reset(&arena);
	cox_buf_clear(&out);
	tree = json_parse(&arena, bench_pod, sizeof(bench_pod) - 1, NULL, NULL);
	if (protobuf_encode(&out, &schema_builtin,
			    schema_type_named(&schema_builtin, "core.v1.Pod"), tree, NULL) != 0)
		die("the pod has no protobuf");
}

static void direct_once(void)
{
	static struct cox_buf out = COX_BUF_INIT;

	cox_buf_clear(&out);
	if (protobuf_encode_json(&out, &schema_builtin,
				 schema_type_named(&schema_builtin, "core.v1.Pod"), bench_pod,
				 sizeof(bench_pod) - 1, NULL) != 0)
		die("the pod has no protobuf");
}

static void copy_once(void)
{
	static char room[sizeof(bench_pod)];

	memcpy(room, bench_pod, sizeof(bench_pod));
	__asm__ volatile("" ::"r"(room) : "memory");
}

static const char *chosen = "";

static void measure(const char *what, void (*once)(void))
{
	double best = 1e9;

	if (!strstr(what, chosen))
		return;

	for (int round = 0; round < 5; round++) {
		double start = now(), spent;
		unsigned count = 0;

		do {
			for (int i = 0; i < 100; i++)
				once();
			count += 100;
			spent = now() - start;
		} while (spent < 0.1);
		if (spent / count < best)
			best = spent / count;
	}
	printf("json %-24s %8.2f us  %8.0f MB/s\n", what, best * 1e6,
	       (double)(sizeof(bench_pod) - 1) / best / 1e6);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		chosen = argv[1];
	printf("json pod of %zu bytes\n", sizeof(bench_pod) - 1);
	measure("parse into a tree", parse_once);
	measure("reader, skip", skip_once);
	measure("reader, all tokens", read_once);
	measure("write a tree", write_once);
	measure("jump", jump_once);
	measure("protobuf by a tree", encode_once);
	measure("protobuf directly", direct_once);
	measure("memcpy (limit)", copy_once);
	return 0;
}
