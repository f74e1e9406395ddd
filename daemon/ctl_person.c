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
#include "flow/delivery.h"
#include "flow/statements.h"

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
	    bucket < 0 || bucket >= BUCKETS)
		return false;
	person->bucket = (int16_t)bucket;
	person->patient_id = patient_id;
	return true;
}

void
ctl_person_find(struct ctl *ctl, const char *tenant, const char *name,
    struct ctl_person *person)
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
	db_param_text(unit, tenant);
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
	struct arena *arena;
	struct ctl_person *people; /* by key */
	size_t count;
	int64_t care_offset, care_now;
};

static int
compare_people(const void *left, const void *right)
{
	const struct ctl_person *a = left, *b = right;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	return (a->patient_id > b->patient_id) -
	       (a->patient_id < b->patient_id);
}

/* Whom a row speaks of: its first two columns say. */
static struct ctl_person *
person_of(
    const struct loading *loading, const struct db_result *result, int row)
{
	struct ctl_person key = {
	    .bucket = (int16_t)db_i64(result, row, 0),
	    .patient_id = db_i64(result, row, 1),
	};

	return bsearch(
	    &key, loading->people, loading->count, sizeof(key), compare_people);
}

static const uint8_t *
copy_bytes(struct loading *loading, const struct db_result *result, int row,
    int column, size_t *bytes)
{
	const uint8_t *data = db_bytes(result, row, column, bytes);

	return arena_copy(loading->arena, data, *bytes);
}

static void
take_dossiers(const struct db_result *result, void *arg)
{
	struct loading *loading = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct ctl_person *person = person_of(loading, result, row);
		const uint8_t *doc;
		const char *error;
		size_t bytes;

		doc = copy_bytes(loading, result, row, 3, &bytes);
		if (dossier_decode(doc, bytes, loading->arena, &person->dossier,
			&error) < 0)
			ctl_fail(EXIT_INTERNAL, "%d/%" PRId64 ": %s",
			    (int)person->bucket, person->patient_id, error);
		person->known = true;
		person->dossier.bucket = person->bucket;
		person->dossier.patient_id = person->patient_id;
		person->dossier.version = db_i64(result, row, 2);
	}
}

static void
take_agenda(const struct db_result *result, void *arg)
{
	struct loading *loading = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct ctl_person *person = person_of(loading, result, row);
		const uint8_t *recent;
		size_t bytes;

		person->planned = true;
		person->class = (int32_t)db_i64(result, row, 2);
		person->lane = (int32_t)db_i64(result, row, 3);
		person->next_at = db_at(result, row, 4);
		person->planned_through = db_at(result, row, 5);
		person->standing = (enum reason)db_i64(result, row, 6);
		recent = copy_bytes(loading, result, row, 7, &bytes);
		person->stopped = db_bool(result, row, 8);
		if (said_decode(recent, bytes, loading->arena,
			&person->dossier.said, &person->dossier.said_count) < 0)
			ctl_fail(EXIT_INTERNAL,
			    "%d/%" PRId64 ": damaged agenda row",
			    (int)person->bucket, person->patient_id);
	}
}

static void
take_open(const struct db_result *result, void *arg)
{
	struct loading *loading = arg;
	struct list *lists =
	    arena_array(loading->arena, loading->count + 1, sizeof(*lists));

	for (int i = 0; i < db_rows(result); i++) {
		struct ctl_person *person = person_of(loading, result, i);
		struct list *list = &lists[person - loading->people];

		if (list->arena == NULL)
			list_init(
			    list, loading->arena, sizeof(struct open_delivery));
		*(struct open_delivery *)list_add(list) = delivery_open_read(
		    result, i, loading->care_offset, loading->care_now);
	}
	for (size_t i = 0; i < loading->count; i++) {
		loading->people[i].dossier.open = lists[i].data;
		loading->people[i].dossier.open_count =
		    (uint32_t)lists[i].count;
	}
}

/* Two parameters, as most statements want them. */
static void
add_keys(struct db_unit *unit, const struct ctl_person *people, size_t count)
{
	struct db_array buckets, patient_ids;

	db_array_init(&buckets, DB_I16);
	db_array_init(&patient_ids, DB_I64);
	for (size_t i = 0; i < count; i++) {
		db_array_i64(&buckets, people[i].bucket);
		db_array_i64(&patient_ids, people[i].patient_id);
	}
	db_param_array(unit, &buckets);
	db_param_array(unit, &patient_ids);
	db_array_free(&buckets);
	db_array_free(&patient_ids);
}

void
ctl_person_keys(struct db_unit *unit, const struct ctl_person *person)
{
	add_keys(unit, person, 1);
}

/* As the daemon does it: by what was said. */
static void
load_open(struct ctl *ctl, struct loading *loading)
{
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));
	struct delivery_keys keys;

	delivery_keys_init(&keys);
	for (size_t i = 0; i < loading->count; i++) {
		const struct ctl_person *person = &loading->people[i];

		for (uint32_t k = 0; k < person->dossier.said_count; k++) {
			const struct said *s = &person->dossier.said[k];

			if (said_may_be_open(s))
				delivery_keys_add(&keys,
				    &(struct delivery_key){person->bucket,
					person->patient_id, s->occurrence_on,
					s->kind, s->source, s->slot,
					s->channel});
		}
	}
	db_unit_add(unit, "delivery_recent", take_open, loading);
	delivery_keys_params(&keys, unit);
	ctl_run(unit);
	delivery_keys_free(&keys);
}

void
ctl_people_load(struct ctl *ctl, struct ctl_person *people, size_t count,
    struct arena *arena)
{
	struct clock clock = ctl_clock(ctl);
	struct loading loading = {
	    .arena = arena,
	    .people = people,
	    .count = count,
	    .care_offset = clock.care_offset,
	    .care_now = clock_care(&clock),
	};
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	qsort(people, count, sizeof(*people), compare_people);
	/* the dossier's rows are set first: the others add to it */
	db_unit_add(unit, "dossier_load", take_dossiers, &loading);
	add_keys(unit, people, count);
	db_unit_add(unit, "ctl_agenda", take_agenda, &loading);
	add_keys(unit, people, count);
	ctl_run(unit);
	load_open(ctl, &loading);
	for (size_t i = 0; i < count; i++)
		people[i].label =
		    people[i].dossier.id != NULL
			? people[i].dossier.id
			: arena_printf(arena, "%d/%" PRId64,
			      (int)people[i].bucket, people[i].patient_id);
}

void
ctl_person_load(struct ctl *ctl, struct ctl_person *person)
{
	ctl_people_load(ctl, person, 1, ctl->arena);
	if (!person->known)
		ctl_fail(EXIT_NO_INPUT, "no patient %d/%" PRId64,
		    (int)person->bucket, person->patient_id);
}

/* ---- a dry run ---- */

struct dry_source {
	const struct ctl_person *person;
	const struct rules *rules; /* NULL: nothing is on its way */
	int64_t from;
};

/*
 * Does it wait for another attempt, its repeat or the next channel?  What was
 * accepted counts as delivered while its receipt can still come in time.
 */
static bool
is_waiting(const struct dry_source *source, const struct open_delivery *open)
{
	const struct prescription *p =
	    open->kind == KIND_FOLLOW_UP
		? NULL
		: dossier_prescription(&source->person->dossier, open->source);
	const struct program *program = program_for(
	    source->rules, open->kind, p == NULL ? NULL : p->product_class);

	return open->state != DELIVERY_DELIVERED &&
	       (open->state != DELIVERY_ACCEPTED ||
		   open->planned_at + program->fallback_us <= source->from);
}

/* All that the database knows it knows now. */
static int64_t
know_stored(
    const void *arg, int64_t at, struct arena *arena, struct dossier *dossier)
{
	const struct dry_source *source = arg;
	const struct dossier *d = &source->person->dossier;
	struct open_delivery *open =
	    arena_array(arena, d->open_count + 1, sizeof(*open));

	(void)at;
	*dossier = *d;
	dossier->open = open;
	dossier->open_count = 0;
	for (uint32_t i = 0; i < d->open_count && source->rules != NULL; i++)
		if (is_waiting(source, &d->open[i]))
			open[dossier->open_count++] = d->open[i];
	return AT_NEVER;
}

void
ctl_person_dry(const struct ctl_person *person, const struct rules *rules,
    int64_t from, int64_t to, struct arena *arena, struct dry_patient *patient)
{
	struct dry_source *source = arena_alloc(arena, sizeof(*source));

	*source = (struct dry_source){person, rules, from};
	*patient = (struct dry_patient){
	    .id = person->label,
	    .from = from,
	    .to = to,
	    .handled_before = AT_UNKNOWN,
	    .planned_through =
		person->planned ? person->planned_through : AT_UNKNOWN,
	    .said = person->dossier.said,
	    .said_count = person->dossier.said_count,
	    .know = know_stored,
	    .source = source,
	};
}
