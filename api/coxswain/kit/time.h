/* SPDX-License-Identifier: Apache-2.0 */
/* Times as API objects write them: "2006-01-02T15:04:05Z", to the second. */
#ifndef COXSWAIN_KIT_TIME_H
#define COXSWAIN_KIT_TIME_H

#include <stdint.h>

enum { COX_TIME_SIZE = 32 };

/* `realtime_ns` since 1970, as host->realtime_ns() tells it. */
void cox_format_time(uint64_t realtime_ns, char out[COX_TIME_SIZE]);
/* Nothing but this form, not before 1970; 0 or -1. */
int cox_parse_time(const char *text, uint64_t *realtime_ns) __attribute__((warn_unused_result));

#endif
