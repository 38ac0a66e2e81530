/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and opens the internal module with libcurl, once in a process. */
#ifndef COX_CLIENT_MODULE_H
#define COX_CLIENT_MODULE_H

#include "base/error.h"
#include "net/curl.h"

/*
 * Where to look before the built-in directory: what --plugin-dir says. Before
 * the first client; the string must stay.
 */
void client_module_directory(const char *directory);

/* NULL: `err` says what was not found, or what is wrong with it. */
const struct curl_module *client_curl_module(struct cox_error *err);

#endif
