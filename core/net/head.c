/* SPDX-License-Identifier: Apache-2.0 */
/* Status lines and headers of the connections that were taken over. */
#include "net/stream.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *stream_status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} texts[] = {{101, "Switching Protocols"},
		     {200, "OK"},
		     {201, "Created"},
		     {202, "Accepted"},
		     {400, "Bad Request"},
		     {401, "Unauthorized"},
		     {403, "Forbidden"},
		     {404, "Not Found"},
		     {405, "Method Not Allowed"},
		     {408, "Request Timeout"},
		     {409, "Conflict"},
		     {410, "Gone"},
		     {413, "Content Too Large"},
		     {429, "Too Many Requests"},
		     {500, "Internal Server Error"},
		     {502, "Bad Gateway"},
		     {503, "Service Unavailable"},
		     {504, "Gateway Timeout"}};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Status";
}

static void add_header(struct cox_buf *out, const char *name, const char *value)
{
	if (strpbrk(value, "\r\n") || strpbrk(name, "\r\n: ")) {
		log_error("a header %s with a line break in it was left out", name);
		return;
	}
	cox_buf_printf(out, "%s: %s\r\n", name, value);
}

void stream_date(char out[STREAM_DATE_SIZE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = time(NULL);
	struct tm date;

	gmtime_r(&now, &date);
	snprintf(out, STREAM_DATE_SIZE, "%.3s, %02d %.3s %d %02d:%02d:%02d GMT",
		 days + date.tm_wday * 3, date.tm_mday, months + date.tm_mon * 3,
		 date.tm_year + 1900, date.tm_hour, date.tm_min, date.tm_sec);
}

void stream_head_write(struct cox_buf *out, const struct http_response *head, bool http10)
{
	char date[STREAM_DATE_SIZE];

	cox_buf_printf(out, "HTTP/1.%d %u %s\r\n", !http10, head->status,
		       stream_status_text(head->status));
	stream_date(date);
	cox_buf_printf(out, "Date: %s\r\n", date);
	if (head->content_type)
		add_header(out, "Content-Type", head->content_type);
	for (size_t i = 0; i < head->header_count; i++)
		add_header(out, head->headers[i].name, head->headers[i].value);
	if (head->status == 101) {
		cox_buf_str(out, "Connection: Upgrade\r\n");
	} else {
		cox_buf_str(out, "Connection: close\r\n");
		if (head->length != HTTP_LENGTH_UNKNOWN && head->length)
			cox_buf_printf(out, "Content-Length: %" PRIu64 "\r\n", head->length);
		else if (!http10)
			cox_buf_str(out, "Transfer-Encoding: chunked\r\n");
	}
	cox_buf_str(out, "\r\n");
}
