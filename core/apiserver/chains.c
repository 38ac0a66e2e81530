/* SPDX-License-Identifier: Apache-2.0 */
/* Chains from the configuration; see the header. */
#include "apiserver/chains.h"

#include "apiserver/admission.h"
#include "apiserver/local.h"
#include "apiserver/credentials.h"
#include "client/cluster.h"
#include "host/host.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/vec.h>
#include <stdlib.h>
#include <string.h>

enum chain_kind {
	CHAIN_AUTHENTICATOR,
	CHAIN_AUTHORIZER,
	CHAIN_ADMISSION
};

struct planned {
	enum chain_kind kind;
	struct host_plugin *plugin;
};

struct chain_plan {
	COX_VEC(struct planned) plugins;
};

static const char *const kind_names[] = {[CHAIN_AUTHENTICATOR] = "authenticator",
					 [CHAIN_AUTHORIZER] = "authorizer",
					 [CHAIN_ADMISSION] = "admission"};

void chain_plan_free(struct chain_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = plan->plugins.count; i-- > 0;)
		host_close(plan->plugins.items[i].plugin);
	cox_vec_free(&plan->plugins);
	free(plan);
}

/* One option that a flag feeds. */
struct fed_option {
	const char *key, *value, *flag;
};

static int plan_plugin(struct daemon *daemon, struct chain_plan *plan, enum chain_kind kind,
		       const char *name, const char *flag, const struct fed_option *options,
		       size_t option_count, struct cox_error *err)
{
	struct host_plugin *plugin = NULL;

	if (daemon_open_plugin(daemon, kind_names[kind], name, flag, &plugin, err) != 0)
		return -1;
	if (!plugin)
		return 0;
	for (size_t i = 0; i < option_count; i++)
		if (*options[i].value &&
		    host_set_option(plugin, options[i].key, options[i].value,
				    flags_origin(daemon->flags, options[i].flag), err) != 0)
			goto fail;
	if (host_configure(plugin, err) != 0)
		goto fail;
	cox_vec_push(&plan->plugins, (struct planned){kind, plugin});
	return 0;
fail:
	host_close(plugin);
	return -1;
}

/* Items of a list flag joined again, as plugins take lists. */
static char *joined(const struct flag_list *list)
{
	cox_autobuf text = COX_BUF_INIT;

	for (size_t i = 0; i < list->count; i++)
		cox_buf_printf(&text, "%s%s", i ? "," : "", list->items[i]);
	return cox_buf_steal(&text);
}

static int plan_service_accounts(struct daemon *daemon, const struct apiserver_config *config,
				 struct chain_plan *plan, struct cox_error *err)
{
	cox_autofree char *keys = credentials_token_keys(config);
	cox_autofree char *issuers = joined(&config->service_account_issuer);
	cox_autofree char *audiences = joined(&config->api_audiences);
	const struct fed_option options[] = {
		{"key-file", keys, "service-account-key-file"},
		{"issuer", *issuers ? issuers : CREDENTIALS_ISSUER, "service-account-issuer"},
		{"audience", *audiences ? audiences : CREDENTIALS_ISSUER, "api-audiences"},
		{"lookup", config->service_account_lookup ? "true" : "false",
		 "service-account-lookup"}};

	return plan_plugin(daemon, plan, CHAIN_AUTHENTICATOR, "serviceaccount",
			   "service-account-key-file", options,
			   sizeof(options) / sizeof(options[0]), err);
}

static int plan_authenticators(struct daemon *daemon, const struct apiserver_config *config,
			       struct chain_plan *plan, struct cox_error *err)
{
	cox_autofree char *client_ca = credentials_client_ca(config);
	const struct fed_option ca = {"ca-file", client_ca, "client-ca-file"};
	const struct fed_option tokens = {"file", config->token_auth_file, "token-auth-file"};
	const struct fed_option passwords = {"file", config->basic_auth_file, "basic-auth-file"};

	if (plan_plugin(daemon, plan, CHAIN_AUTHENTICATOR, "x509", "client-ca-file", &ca, 1, err) !=
	    0)
		return -1;
	if (*config->token_auth_file &&
	    plan_plugin(daemon, plan, CHAIN_AUTHENTICATOR, "token", "token-auth-file", &tokens, 1,
			err) != 0)
		return -1;
	if (*config->basic_auth_file &&
	    plan_plugin(daemon, plan, CHAIN_AUTHENTICATOR, "basic", "basic-auth-file", &passwords,
			1, err) != 0)
		return -1;
	return plan_service_accounts(daemon, config, plan, err);
}

static bool in_list(const struct flag_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

/* What the server tells a plugin of an admission list, whatever the list says. */
static size_t options_of(const struct apiserver_config *config, enum chain_kind kind,
			 const char *name, struct fed_option option[1])
{
	if (kind != CHAIN_ADMISSION || strcmp(name, "ServiceAccount") != 0)
		return 0;
	option[0] = (struct fed_option){"token-signing",
					credentials_signs_tokens(config) ? "true" : "false",
					"service-account-signing-key-file"};
	return 1;
}

static int plan_named(struct daemon *daemon, const struct apiserver_config *config,
		      struct chain_plan *plan, enum chain_kind kind, const struct flag_list *names,
		      const struct flag_list *without, const char *flag, struct cox_error *err)
{
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		struct fed_option option[1];

		if (!*name) {
			cox_autofree char *list = joined(names);

			return error_set(err, COX_REASON_INVALID,
					 "--%s=%s (%s): an empty name in the list; remove the "
					 "stray comma",
					 flag, list, flags_origin(daemon->flags, flag));
		}
		if (without && in_list(without, name))
			continue;
		if (plan_plugin(daemon, plan, kind, name, flag, option,
				options_of(config, kind, name, option), err) == 0)
			continue;
		/* The sentence that users of the first release know comes first. */
		if (kind == CHAIN_ADMISSION && err->reason == COX_REASON_NOT_FOUND) {
			cox_autofree char *details = cox_strdup(error_text(err));

			return error_set(err, COX_REASON_NOT_FOUND,
					 "Unknown admission plugin: %s (%s)", name, details);
		}
		return -1;
	}
	return 0;
}

/* What runs when nobody says --admission-control. */
static char *default_admission[] = {(char *)"NamespaceLifecycle", (char *)"LimitRanger",
				    (char *)"ServiceAccount", (char *)"DefaultStorageClass",
				    (char *)"StorageObjectInUseProtection",
				    (char *)"ResourceQuota"};

static int plan_admission(struct daemon *daemon, const struct apiserver_config *config,
			  struct chain_plan *plan, struct cox_error *err)
{
	struct flag_list defaults = {default_admission,
				     sizeof(default_admission) / sizeof(default_admission[0])};

	if (flags_given(daemon->flags, "admission-control"))
		return plan_named(daemon, config, plan, CHAIN_ADMISSION, &config->admission_control,
				  NULL, "admission-control", err);
	if (plan_named(daemon, config, plan, CHAIN_ADMISSION, &defaults,
		       &config->disable_admission_plugins, "disable-admission-plugins", err) != 0)
		return -1;
	return plan_named(daemon, config, plan, CHAIN_ADMISSION, &config->enable_admission_plugins,
			  &defaults, "enable-admission-plugins", err);
}

struct chain_plan *chain_plan_new(struct daemon *daemon, const struct apiserver_config *config,
				  struct cox_error *err)
{
	struct chain_plan *plan = cox_new(struct chain_plan);

	if (plan_authenticators(daemon, config, plan, err) != 0 ||
	    plan_named(daemon, config, plan, CHAIN_AUTHORIZER, &config->authorization_mode, NULL,
		       "authorization-mode", err) != 0 ||
	    plan_admission(daemon, config, plan, err) != 0) {
		chain_plan_free(plan);
		return NULL;
	}
	return plan;
}

/* The server as a plugin's own client: system:admission:NAME and the like. */
static struct client *plugin_client(struct apiserver *server, enum chain_kind kind,
				    const struct host_plugin *plugin)
{
	static const char *const groups[] = {"system:masters"};
	struct client_local local = apiserver_local(server);
	struct client_identity who = {.groups = groups, .group_count = 1};
	cox_autobuf name = COX_BUF_INIT;

	cox_buf_printf(&name, "system:%s:%s", kind_names[kind], host_name(plugin));
	who.user = name.data;
	return client_new_local(&local, &who);
}

static int start_admission(struct apiserver *server, struct admission *chain,
			   struct host_plugin *plugin, struct cox_error *err)
{
	return admission_add(chain, plugin, plugin_client(server, CHAIN_ADMISSION, plugin),
			     server->informers, server->recorder, err);
}

static void free_cluster(void *context)
{
	struct cluster *cluster = context;

	client_free(cluster->client);
	free(cluster);
}

/* The chain has the plugin already and closes it, whatever comes of this. */
static int start_authenticator(struct apiserver *server, struct authenticators *chain,
			       struct host_plugin *plugin, struct cox_error *err)
{
	const struct cox_authenticator_ops *ops = host_ops(plugin);
	int status = 0;

	if (ops->setup) {
		struct cluster *cluster = cox_new(struct cluster);

		cluster_init(cluster, plugin_client(server, CHAIN_AUTHENTICATOR, plugin),
			     server->informers, server->recorder, NULL);
		authenticators_keep(chain, cluster, free_cluster);
		host_call_scope(plugin);
		status = ops->setup(host_self(plugin), &cluster->table, err);
	}
	if (status != 0)
		return host_op_failed(plugin, "setup", err);
	return host_start(plugin, err);
}

struct api_chains *chain_plan_start(struct chain_plan *plan, struct apiserver *server,
				    struct cox_error *err)
{
	struct api_chains *chains = api_chains_new();

	chains->authenticators = authenticators_new();
	chains->authorizers = authorizers_new();
	chains->admission = admission_new();
	for (size_t i = 0; i < plan->plugins.count; i++) {
		struct host_plugin *plugin = plan->plugins.items[i].plugin;

		if (host_get_ready(plugin, err) != 0)
			goto fail;
		plan->plugins.items[i].plugin = NULL; /* the chain's from here on */
		switch (plan->plugins.items[i].kind) {
		case CHAIN_AUTHENTICATOR:
			authenticators_add(chains->authenticators, plugin);
			if (start_authenticator(server, chains->authenticators, plugin, err) != 0)
				goto fail;
			break;
		case CHAIN_AUTHORIZER:
			authorizers_add(chains->authorizers, plugin,
					host_flags(plugin) & COX_FAST);
			if (host_start(plugin, err) != 0)
				goto fail;
			break;
		case CHAIN_ADMISSION:
			if (start_admission(server, chains->admission, plugin, err) != 0)
				goto fail;
			break;
		}
	}
	return chains;
fail:
	api_chains_unref(chains);
	return NULL;
}
