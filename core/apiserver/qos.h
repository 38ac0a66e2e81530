/* SPDX-License-Identifier: Apache-2.0 */
/* The quality-of-service class of a pod, from requests and limits. */
#ifndef COX_APISERVER_QOS_H
#define COX_APISERVER_QOS_H

#include "machinery/value.h"

const char *qos_class_name(const struct value *pod); /* "Guaranteed", … */

#endif
