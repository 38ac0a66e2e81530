/* SPDX-License-Identifier: Apache-2.0 */
/* What every C test includes: cmocka with the headers that it wants first. */
#ifndef COX_TESTS_UNIT_H
#define COX_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
