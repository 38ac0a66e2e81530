/* SPDX-License-Identifier: Apache-2.0 */
/* The workload of the crash tests; see the header. */
#include "workload.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <stdio.h>

struct result workload_step(struct store *store, unsigned number, bool durable, size_t padding)
{
	char key[16], value[16];
	cox_autofree char *padded = cox_calloc(1, padding + 16);
	struct cox_put puts[2] = {{bytes_of("/seq"), {0}, 0, 0}, {{0}, {0}, 0, 0}};
	struct cox_txn txn = {
		.puts = puts, .put_count = 2, .durability = durable ? COX_DURABLE : COX_RELAXED};
	struct result result;

	snprintf(key, sizeof(key), "/k%02u", number % WORKLOAD_KEYS);
	snprintf(value, sizeof(value), "%u", number);
	snprintf(padded, 16, "%u", number);
	/* Not compressible: the sizes on disk are to be those written. */
	for (size_t i = strlen(padded) + 1; i < padding; i++)
		padded[i] = (char)(number * 2654435761u * (i + 7) >> 11);
	puts[0].value = bytes_of(value);
	puts[1].key = bytes_of(key);
	puts[1].value =
		(struct cox_bytes){padded, padding > strlen(padded) ? padding : strlen(padded)};
	store_submit(store, &txn, 1, &result);
	return result;
}
