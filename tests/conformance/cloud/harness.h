/* SPDX-License-Identifier: Apache-2.0 */
/* A cloud plugin as the controller manager has it, and services to ask it about. */
#ifndef CONFORMANCE_CLOUD_HARNESS_H
#define CONFORMANCE_CLOUD_HARNESS_H

#include "../../unit/unit.h"

#include "base/error.h"
#include "controller/cloud.h"
#include "machinery/object.h"

#include <coxswain/cloud.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>

extern const struct cox_call no_call;

/* The plugin of the test (by name, or by path), and its options: "NAME=VALUE". */
void harness_begin(const char *plugin, const char *const *options, size_t count);
/* Another one from now on. */
void harness_plugin(const char *plugin);
void harness_end(void);

/* One instance at a time, with the options of the test or with these. */
const struct cox_cloud *cloud_begin(void);
const struct cox_cloud *cloud_with(const char *const *options, size_t count);
void cloud_end(void);
/* -1: the plugin refuses these options. */
int cloud_refuses(const char *const *options, size_t count, struct cox_error *err);

/* A load balancer; `spec` is JSON, ' stands for ", "": none. Free with balancer_free. */
struct cox_cloud_balancer balancer_new(const char *name, const char *spec, const char *ingress);
void balancer_free(struct cox_cloud_balancer *balancer);
#define auto_balancer __attribute__((cleanup(balancer_free))) struct cox_cloud_balancer

/*
 * The operations; what a load balancer has comes as "ip/mode hostname ", so that
 * two can be compared, and `out` may be NULL.
 */
int ask_get(const struct cox_cloud *cloud, const struct cox_cloud_balancer *balancer,
	    struct cox_buf *out, struct cox_error *err);
int ask_ensure(const struct cox_cloud *cloud, const struct cox_cloud_balancer *balancer,
	       struct cox_buf *out, struct cox_error *err);
/*
 * What it says of a node of that name: "ID TYPE ZONE REGION", "-" for nothing;
 * "": not its own.
 */
int ask_instance(const struct cox_cloud *cloud, const char *name, struct cox_buf *out,
		 struct cox_error *err);
/* The same as ask_ensure, and the test fails if it does; the text is valid for three more calls. */
const char *ensured(const struct cox_cloud *cloud, const struct cox_cloud_balancer *balancer);
void removed(const struct cox_cloud *cloud, const struct cox_cloud_balancer *balancer);

#endif
