/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authorizer plugin: may this user do this?
 *
 * The host asks its authorizers in the configured order. The first that allows
 * or denies decides; if none has an opinion, or one fails, the request is
 * refused (fail closed). About members of the group system:masters nobody is
 * asked: they may do everything.
 */
#ifndef COXSWAIN_AUTHORIZER_H
#define COXSWAIN_AUTHORIZER_H

#include <coxswain/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_AUTHORIZER_OPS_ABI 0u

struct cox_extra {
	const char *key;
	const char *const *values;
	size_t value_count;
};

/* What is asked. Texts are never NULL; "" means not given. */
struct cox_attributes {
	uint32_t struct_size;
	uint32_t is_resource; /* 1: an API object; 0: `path` alone counts */
	const char *user;
	const char *uid;
	const char *const *groups;
	size_t group_count;
	const struct cox_extra *extra;
	size_t extra_count;
	const char *verb; /* get list watch create update patch delete
			   * deletecollection …; for paths the HTTP method in
			   * lower case */
	const char *api_group;
	const char *api_version;
	const char *resource;
	const char *subresource;
	const char *namespace_;
	const char *name;
	const char *path;
	const char *label_selector; /* as sent; list, watch, deletecollection */
	const char *field_selector;
};

enum cox_decision {
	COX_DECISION_ERROR = -1, /* `err` says why */
	COX_DECISION_NO_OPINION = 0,
	COX_DECISION_ALLOW = 1,
	COX_DECISION_DENY = 2
};

/* Takes the reason, a sentence for the person refused; copied. */
struct cox_reason_sink {
	uint32_t struct_size;
	uint32_t reserved;
	void (*reason)(const struct cox_reason_sink *sink, const char *text);
};

/* One rule of a user, as in SubjectRulesReviewStatus. Lists may hold "*". */
struct cox_rule {
	uint32_t struct_size;
	uint32_t is_resource;
	const char *const *verbs;
	size_t verb_count;
	const char *const *api_groups;
	size_t api_group_count;
	const char *const *resources; /* non-resource paths if !is_resource */
	size_t resource_count;
	const char *const *names;
	size_t name_count;
};

struct cox_rule_sink {
	uint32_t struct_size;
	uint32_t reserved;
	void (*rule)(const struct cox_rule_sink *sink, const struct cox_rule *rule);
	/* The list is not whole, and why. */
	void (*incomplete)(const struct cox_rule_sink *sink, const char *why);
};

struct cox_authorizer_ops {
	/* Required. */
	enum cox_decision (*authorize)(void *self, const struct cox_call *call,
				       const struct cox_attributes *attributes,
				       const struct cox_reason_sink *sink, struct cox_error *err);
	/*
	 * The rules that apply to the user of `attributes` in its namespace,
	 * for `kubectl auth can-i --list`. Optional.
	 */
	int (*rules)(void *self, const struct cox_call *call,
		     const struct cox_attributes *attributes, const struct cox_rule_sink *sink,
		     struct cox_error *err);
};

COX_STATIC_ASSERT(sizeof(struct cox_authorizer_ops) % sizeof(void *) == 0, "no tail padding");

#define COX_AUTHORIZER_PLUGIN(ops_table, ...)                                                  \
	COX_PLUGIN_DESCRIPTOR("authorizer", COX_AUTHORIZER_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
