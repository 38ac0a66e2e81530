/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors: the text form of a parsed one parses to the same text. */
#include "machinery/selector.h"

#include <coxswain/kit/cleanup.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf text = COX_BUF_INIT, again = COX_BUF_INIT;
	const char *in = (const char *)data;
	cox_autofree struct label_selector *labels = label_selector_parse(in, size, &err);
	cox_autofree struct field_selector *fields = field_selector_parse(in, size, &err);

	if (labels) {
		label_selector_format(labels, &text);
		free(labels);
		labels = label_selector_parse(cox_buf_cstr(&text), text.size, &err);
		if (!labels)
			abort();
		label_selector_format(labels, &again);
		if (strcmp(cox_buf_cstr(&text), cox_buf_cstr(&again)) != 0)
			abort();
	}
	cox_buf_clear(&text);
	cox_buf_clear(&again);
	if (fields) {
		field_selector_format(fields, &text);
		free(fields);
		fields = field_selector_parse(cox_buf_cstr(&text), text.size, &err);
		if (!fields)
			abort();
		field_selector_format(fields, &again);
		if (strcmp(cox_buf_cstr(&text), cox_buf_cstr(&again)) != 0)
			abort();
	}
	return 0;
}
