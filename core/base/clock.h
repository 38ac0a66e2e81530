/* SPDX-License-Identifier: Apache-2.0 */
/* Time: monotonic for deadlines, real for what people and objects see. */
#ifndef COX_BASE_CLOCK_H
#define COX_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_SECOND UINT64_C(1000000000) /* nanoseconds */
#define CLOCK_MILLISECOND UINT64_C(1000000)

enum { CLOCK_RFC3339_SIZE = 32 };

uint64_t clock_monotonic(void); /* nanoseconds since some start */
uint64_t clock_realtime(void);  /* nanoseconds since 1970 */

/* "2006-01-02T15:04:05Z", as metav1.Time is written. */
void clock_format(uint64_t realtime, char out[CLOCK_RFC3339_SIZE]);
/* "2006-01-02T15:04:05.000000Z", as metav1.MicroTime is written. */
void clock_format_micro(uint64_t realtime, char out[CLOCK_RFC3339_SIZE]);
/* RFC 3339 with any offset and fraction; years 1970 to 2500; 0 or -1. */
int clock_parse(const char *text, size_t size, uint64_t *realtime)
	__attribute__((warn_unused_result));

#endif
