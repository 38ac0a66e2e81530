/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a store, to be copied and spoilt; what fails fails the test. */
#ifndef TESTS_STORAGE_FILES_H
#define TESTS_STORAGE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Anew; files alone, without what is hidden. */
void copy_directory(const char *from, const char *to);
/* The path of the file with this ending that sorts last (or first). */
void find_file(const char *directory, const char *ending, bool last, char out[1024]);
const char *base_name(const char *path);
uint64_t file_size(const char *path);
void overwrite(const char *path, uint64_t at, const void *data, size_t size);

#endif
