/* SPDX-License-Identifier: Apache-2.0 */
/* Time; see the header. */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t read_clock(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (uint64_t)now.tv_sec * CLOCK_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_realtime(void)
{
	return read_clock(CLOCK_REALTIME);
}

static struct tm split(uint64_t realtime)
{
	time_t seconds = (time_t)(realtime / CLOCK_SECOND);
	struct tm parts;

	gmtime_r(&seconds, &parts);
	return parts;
}

void clock_format(uint64_t realtime, char out[CLOCK_RFC3339_SIZE])
{
	struct tm parts = split(realtime);

	strftime(out, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

void clock_format_micro(uint64_t realtime, char out[CLOCK_RFC3339_SIZE])
{
	struct tm parts = split(realtime);
	size_t size = strftime(out, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);

	snprintf(out + size, CLOCK_RFC3339_SIZE - size, ".%06uZ",
		 (unsigned)(realtime % CLOCK_SECOND / 1000));
}

/* Exactly `digits` digits at `text`; -1 if there are others. */
static int number(const char *text, int digits)
{
	int value = 0;

	for (int i = 0; i < digits; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

/* "Z", "+01:30", "-08:00"; the whole rest of the text. */
static int parse_offset(const char *at, size_t left, int64_t *seconds)
{
	int hours, minutes;

	*seconds = 0;
	if (left == 1 && (*at == 'Z' || *at == 'z'))
		return 0;
	if (left != 6 || (*at != '+' && *at != '-') || at[3] != ':')
		return -1;
	hours = number(at + 1, 2);
	minutes = number(at + 4, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return -1;
	*seconds = (hours * 3600 + minutes * 60) * (*at == '-' ? -1 : 1);
	return 0;
}

static int leap_years_before(int year)
{
	return (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
}

int clock_parse(const char *text, size_t size, uint64_t *realtime)
{
	static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	static const int days_before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int day, hour, minute, second;
	uint64_t fraction = 0, unit = CLOCK_SECOND;
	int64_t offset, seconds;
	int year, month, days;
	bool leap;
	size_t at = 19;

	if (size < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
	    text[13] != ':' || text[16] != ':')
		return -1;
	year = number(text, 4);
	month = number(text + 5, 2);
	day = number(text + 8, 2);
	hour = number(text + 11, 2);
	minute = number(text + 14, 2);
	second = number(text + 17, 2);
	if (year < 1970 || year > 2500 || month < 1 || month > 12)
		return -1;
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (day < 1 || day > month_days[month - 1] + (leap && month == 2) || hour < 0 ||
	    hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
		return -1;
	if (text[at] == '.') {
		size_t first = ++at;

		for (; at < size && text[at] >= '0' && text[at] <= '9'; at++) {
			unit /= 10;
			fraction += (uint64_t)(text[at] - '0') * unit;
		}
		if (at == first)
			return -1;
	}
	if (parse_offset(text + at, size - at, &offset) != 0)
		return -1;
	days = 365 * (year - 1970) + leap_years_before(year) - leap_years_before(1970);
	days += days_before[month - 1] + (leap && month > 2) + day - 1;
	seconds = (int64_t)days * 86400 + hour * 3600 + minute * 60 + second - offset;
	if (seconds < 0)
		return -1;
	*realtime = (uint64_t)seconds * CLOCK_SECOND + fraction;
	return 0;
}
