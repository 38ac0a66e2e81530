/* SPDX-License-Identifier: Apache-2.0 */
/* Times of API objects, <coxswain/kit/time.h>. */
#include <coxswain/kit/time.h>

#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

static const char form[] = "%Y-%m-%dT%H:%M:%SZ";

void cox_format_time(uint64_t realtime_ns, char out[COX_TIME_SIZE])
{
	time_t seconds = (time_t)(realtime_ns / SECOND);
	struct tm parts;

	out[0] = '\0';
	if (gmtime_r(&seconds, &parts))
		strftime(out, COX_TIME_SIZE, form, &parts);
}

int cox_parse_time(const char *text, uint64_t *realtime_ns)
{
	struct tm parts = {0};
	char again[COX_TIME_SIZE];
	time_t seconds;

	if (strlen(text) != 20 || !strptime(text, form, &parts))
		return -1;
	seconds = timegm(&parts);
	if (seconds < 0)
		return -1;
	*realtime_ns = (uint64_t)seconds * SECOND;
	/* strptime lets blanks and dates that are none through. */
	cox_format_time(*realtime_ns, again);
	return strcmp(again, text) ? -1 : 0;
}
