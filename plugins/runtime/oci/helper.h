/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs of coxswain-oci-helper; see helper.c. All of them end the process on errors. */
#ifndef OCI_HELPER_H
#define OCI_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void keep_capabilities(uint64_t kept);

/* Unpacks descriptor 0 into `directory`, at most `maximum` bytes. */
void helper_unpack(const char *directory, uint64_t maximum, bool layer);
/* Copies the layers a:b:c of `layers`, top first, together into `target`. */
void helper_copy(const char *layers, const char *target, const char *names);

#endif
