/* SPDX-License-Identifier: Apache-2.0 */
/* Cron jobs: a schedule that means something, in a time zone that there is. */
#include "machinery/cron.h"
#include "machinery/kinds.h"

#include <strings.h>

enum { CRON_NAME_MAX = 52 }; /* jobs are called after it, with 11 letters more */

static void validate_schedule(struct validation *v, const struct field_path *at,
			      const struct value *spec, const struct value *old)
{
	const struct value *schedule = value_get(spec, "schedule");
	const char *text = value_text(schedule), *why;
	bool zone = strstr(text, "TZ") != NULL;
	struct cron cron;

	if (is_unset(schedule))
		return;
	if (zone && value_get(spec, "timeZone"))
		field_invalid(v, at, schedule,
			      "cannot use both timeZone field and TZ or CRON_TZ in schedule");
	else if (zone && !strstr(value_get_text(old, "schedule"), "TZ"))
		field_invalid(v, at, schedule,
			      "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
	why = cron_parse(v->arena, text, &cron);
	if (why)
		field_invalid(v, at, schedule, "%s", why);
}

static void validate_zone(struct validation *v, const struct field_path *at,
			  const struct value *zone)
{
	if (!value_is(zone, VALUE_STRING))
		return;
	if (zone->count == 0)
		field_invalid(v, at, zone, "timeZone must be nil or non-empty string");
	else if (strcasecmp(zone->text, "Local") == 0)
		field_invalid(v, at, zone,
			      "timeZone must be an explicit time zone as defined in "
			      "https://www.iana.org/time-zones");
	else if (!cron_zone_exists(zone->text))
		field_invalid(v, at, zone, "unknown time zone %s", zone->text);
}

static void validate_cron_job(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct field_path *job_at = FIELD(FIELD(at, "jobTemplate"), "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *job = value_path(spec, "jobTemplate.spec");
	const struct value *name = value_path(object, "metadata.name");

	if (v->creating)
		validate_schedule(v, FIELD(at, "schedule"), spec, NULL);
	validate_zone(v, FIELD(at, "timeZone"), value_get(spec, "timeZone"));
	if (value_is(value_get(job, "selector"), VALUE_OBJECT))
		field_invalid(v, FIELD(job_at, "selector"), value_get(job, "selector"),
			      "`selector` will be auto-generated");
	if (value_get_bool(job, "manualSelector"))
		field_not_supported(v, FIELD(job_at, "manualSelector"),
				    value_get(job, "manualSelector"),
				    (const char *const[]){"nil", "false", NULL});
	validate_job_spec(v, job_at, job);
	if (v->creating && value_is(name, VALUE_STRING) && name->count > CRON_NAME_MAX)
		field_invalid(v, FIELD(FIELD(NULL, "metadata"), "name"), name,
			      "must be no more than %d characters", CRON_NAME_MAX);
}

static void validate_cron_job_update(struct validation *v, const struct value *object,
				     const struct value *old, const char *subresource)
{
	(void)subresource;
	validate_schedule(v, FIELD(FIELD(NULL, "spec"), "schedule"), value_get(object, "spec"),
			  value_get(old, "spec"));
}

const struct kind_rules rules_cronjobs = {"batch", "cronjobs", validate_cron_job,
					  validate_cron_job_update};
