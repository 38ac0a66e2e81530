/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many requests there were and how long they took, by resource, verb and
 * code, under the names that monitoring of this API looks for. Series are made
 * at the first request of their kind; after that counting takes no lock.
 */
#ifndef COX_APISERVER_MEASURE_H
#define COX_APISERVER_MEASURE_H

#include "apiserver/call.h"

enum { MEASURE_CODES = 16, MEASURE_VERBS = VERB_DELETECOLLECTION + 1 };

struct metric;

/* The series of one resource; zeroed to begin with. */
struct measures {
	_Atomic(struct metric *) requests[MEASURE_VERBS][MEASURE_CODES];
	_Atomic(struct metric *) seconds[MEASURE_VERBS];
};

/* A request has been answered with `code`. */
void measure_request(const struct api_call *call, unsigned code);

#endif
