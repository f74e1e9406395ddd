/*
 * One patient for adherctl: found by the names that people use, loaded as
 * the daemon would.  Reads only.
 */
#include "ctl_person.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "flow/clock_sync.h"

#define NAMED_MAX 512

struct finding {
	struct ctl_person *person;
	int count;
	struct buf names; /* of all that were found */
};

static void
take_found(const struct db_result *result, void *arg)
{
	struct finding *finding = arg;

	finding->count = db_rows(result);
	for (int i = 0; i < finding->count; i++) {
		finding->person->bucket = (int16_t)db_i64(result, i, 0);
		finding->person->patient_id = db_i64(result, i, 1);
		buf_printf(&finding->names, " %d/%" PRId64,
		    (int)finding->person->bucket, finding->person->patient_id);
	}
}

static bool
parse_numbers(const char *name, struct ctl_person *person)
{
	char end;
	int bucket;
	int64_t patient_id;

	if (strspn(name, "0123456789/") != strlen(name) ||
	    sscanf(name, "%d/%" SCNd64 "%c", &bucket, &patient_id, &end) != 2 ||
	    bucket < 0 || bucket > 1023)
		return false;
	person->bucket = (int16_t)bucket;
	person->patient_id = patient_id;
	return true;
}

void
ctl_person_find(struct ctl *ctl, const char *name, struct ctl_person *person)
{
	struct finding finding = {
	    .person = person, .names = BUF_INIT(NAMED_MAX)};
	const char *bar = strrchr(name, '|');
	struct db_unit *unit;

	*person = (struct ctl_person){.label = name};
	if (parse_numbers(name, person))
		return;
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, "ctl_find_patient", take_found, &finding);
	db_param_text(unit,
	    bar == NULL ? ""
			: arena_text_n(ctl->arena, name, (size_t)(bar - name)));
	db_param_text(unit, bar == NULL ? name : bar + 1);
	ctl_run(unit);
	if (finding.count == 0)
		ctl_fail(EXIT_NO_INPUT, "no patient \"%s\"", name);
	if (finding.count > 1)
		ctl_fail(EXIT_DATA, "several patients \"%s\":%s", name,
		    buf_string(&finding.names));
	buf_free(&finding.names);
}

/* ---- what is known ---- */

struct loading {
	struct ctl *ctl;
	struct ctl_person *person;
	bool found;
};

static const uint8_t *
copy_bytes(struct loading *loading, const struct db_result *result, int column,
    size_t *bytes)
{
	const uint8_t *data = db_bytes(result, 0, column, bytes);

	return arena_copy(loading->ctl->arena, data, *bytes);
}

static void
take_dossier(const struct db_result *result, void *arg)
{
	struct loading *loading = arg;
	struct ctl_person *person = loading->person;
	const uint8_t *doc;
	const char *error;
	size_t bytes;

	if (db_rows(result) != 1)
		return;
	loading->found = true;
	doc = copy_bytes(loading, result, 3, &bytes);
	if (dossier_decode(
		doc, bytes, loading->ctl->arena, &person->dossier, &error) < 0)
		ctl_fail(EXIT_INTERNAL, "%d/%" PRId64 ": %s",
		    (int)person->bucket, person->patient_id, error);
	person->dossier.bucket = person->bucket;
	person->dossier.patient_id = person->patient_id;
	person->dossier.version = db_i64(result, 0, 2);
}

static void
take_agenda(const struct db_result *result, void *arg)
{
	struct loading *loading = arg;
	struct ctl_person *person = loading->person;
	const uint8_t *recent;
	size_t bytes;

	if (db_rows(result) != 1)
		return;
	person->planned = true;
	person->class = (int32_t)db_i64(result, 0, 0);
	person->lane = (int32_t)db_i64(result, 0, 1);
	person->next_at = db_at(result, 0, 2);
	person->planned_through = db_at(result, 0, 3);
	person->standing = (enum reason)db_i64(result, 0, 4);
	recent = copy_bytes(loading, result, 5, &bytes);
	if (said_decode(recent, bytes, loading->ctl->arena,
		&person->dossier.said, &person->dossier.said_count) < 0)
		ctl_fail(EXIT_INTERNAL, "%d/%" PRId64 ": damaged agenda row",
		    (int)person->bucket, person->patient_id);
}

/* In the order of sql/delivery_open.sql. */
static void
take_open(const struct db_result *result, void *arg)
{
	struct loading *loading = arg;
	struct dossier *d = &loading->person->dossier;
	struct open_delivery *open = arena_array(
	    loading->ctl->arena, (size_t)db_rows(result) + 1, sizeof(*open));

	d->open = open;
	d->open_count = (uint32_t)db_rows(result);
	for (int i = 0; i < db_rows(result); i++)
		open[i] = (struct open_delivery){
		    .occurrence_on = db_on(result, i, 2),
		    .kind = (enum kind)db_i64(result, i, 3),
		    .source = (int32_t)db_i64(result, i, 4),
		    .slot = (int32_t)db_i64(result, i, 5),
		    .channel = (enum channel)db_i64(result, i, 6),
		    .state = (enum delivery_state)db_i64(result, i, 7),
		    .attempts = (int32_t)db_i64(result, i, 8),
		    .repeated = db_bool(result, i, 9),
		    .asked = (int32_t)db_i64(result, i, 10),
		    .due_at = db_at(result, i, 11),
		    .sent_at = db_at(result, i, 12),
		    .retry_at = db_at(result, i, 13),
		    .valid_until = db_at(result, i, 14),
		};
}

void
ctl_person_keys(struct db_unit *unit, const struct ctl_person *person)
{
	struct db_array buckets, patient_ids;

	db_array_init(&buckets, DB_I16);
	db_array_init(&patient_ids, DB_I64);
	db_array_i64(&buckets, person->bucket);
	db_array_i64(&patient_ids, person->patient_id);
	db_param_array(unit, &buckets);
	db_param_array(unit, &patient_ids);
	db_array_free(&buckets);
	db_array_free(&patient_ids);
}

void
ctl_person_load(struct ctl *ctl, struct ctl_person *person)
{
	struct loading loading = {.ctl = ctl, .person = person};
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	db_unit_add(unit, "dossier_load", take_dossier, &loading);
	ctl_person_keys(unit, person);
	db_unit_add(unit, "ctl_agenda", take_agenda, &loading);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_unit_add(unit, "delivery_open", take_open, &loading);
	ctl_person_keys(unit, person);
	ctl_run(unit);
	if (!loading.found)
		ctl_fail(EXIT_NO_INPUT, "no patient %d/%" PRId64,
		    (int)person->bucket, person->patient_id);
	person->label = person->dossier.id != NULL
			    ? person->dossier.id
			    : arena_printf(ctl->arena, "%d/%" PRId64,
				  (int)person->bucket, person->patient_id);
}

int64_t
ctl_now(struct ctl *ctl, const char *given)
{
	struct clock clock = {0};
	int64_t at;

	if (given != NULL) {
		if (!instant_parse(given, &at))
			ctl_fail(EXIT_USAGE_, "\"%s\" is no instant", given);
		return at;
	}
	if (!clock_sync_read(ctl_database(ctl), &clock))
		ctl_fail(EXIT_DEPENDENCY, "the database tells no time");
	return clock_care(&clock);
}
