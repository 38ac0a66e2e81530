/* SPDX-License-Identifier: Apache-2.0 */
/* Random UUIDs (RFC 9562, version 4) in their text form. Any thread. */
#ifndef COX_BASE_UUID_H
#define COX_BASE_UUID_H

enum { UUID_SIZE = 37 }; /* with the zero byte */

void uuid_make(char out[UUID_SIZE]);

#endif
