/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds the reader of ClientHellos. What it says of all bytes it must say of
 * them whatever comes behind, and while it waits it has said nothing else before.
 */
#include "net/hello.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum hello last = HELLO_MORE;

	for (size_t part = 0; part <= size; part += size / 64 + 1) {
		enum hello now = hello_read(data, part);

		if (last != HELLO_MORE && now != last)
			abort();
		last = now;
	}
	if (last != HELLO_MORE && hello_read(data, size) != last)
		abort();
	if (size >= HELLO_MAX && hello_read(data, size) == HELLO_MORE)
		abort();
	return 0;
}
