/*
 * Intake's way through the database.  Patients are looked up by their
 * identifiers; then each piece of work (one patient, or a whole transaction
 * bundle) is a transaction: its agenda rows are locked first, what is known
 * is read, the records are decided, what changed is written and the
 * dossiers are compiled anew.  Where nothing changes, nothing is written.
 *
 * Two imports at once: the INSERT into identity decides whose patient it
 * is.  Who loses that, or a deadlock, begins again with the look-up.
 */
#include "door/intake.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/fault.h"
#include "base/log.h"
#include "door/intake_work.h"
#include "flow/statements.h"

#define ATTEMPTS_MAX 5
#define RETRY_US (50 * SECOND_US / 1000) /* times the attempt, jittered */

static void look_up(struct intake *intake);
static void next_piece(struct intake *intake);

/* ---- keys ---- */

const char *
intake_key_text(struct arena *arena, const char *type, const struct key *key)
{
	return arena_printf(arena, "%s\n%s\n%s\n%s", type, key->source,
	    key->system, key->value);
}

struct key
intake_key(const struct intake *intake, const struct identifier *identifier)
{
	bool own = strcmp(identifier->system, "") == 0 ||
		   strcmp(identifier->system, "-") == 0;

	return (struct key){
	    .source = own ? intake->settings->source : "",
	    .system = identifier->system,
	    .value = identifier->value,
	};
}

/* What it asks for by name, its id, its identifiers. */
static void
collect_keys(struct entry *entry)
{
	const struct record *r = entry->record;
	struct intake *intake = entry->intake;
	struct identifier id = {"", r->id};
	struct key *keys =
	    arena_array(intake->arena, r->identifier_count + 3u, sizeof(*keys));
	uint32_t count = 0;

	if (r->match.value != NULL)
		keys[count++] = intake_key(intake, &r->match);
	if (r->id == NULL && r->identifier_count == 0)
		id = record_fallback(r);
	if (id.value != NULL)
		keys[count++] = intake_key(intake, &id);
	for (uint32_t i = 0; i < r->identifier_count; i++)
		if (r->identifiers[i].value != NULL)
			keys[count++] = intake_key(intake, &r->identifiers[i]);
	entry->keys = keys;
	entry->key_count = count;
}

/* ---- answers ---- */

void
intake_refuse(struct entry *entry, const char *code, const char *element,
    const char *text)
{
	struct fhir *fhir = entry->intake->fhir;
	const char *path = entry->record->path;
	struct problem *problem = list_add(&fhir->problems);

	*problem = (struct problem){
	    .path = arena_printf(fhir->arena, "%s%s%s", path,
		*path == '\0' || *element == '\0' ? "" : ".", element),
	    .code = code,
	    .text = text,
	};
	fhir->refused_count++;
	entry->decided = entry->outcome = INTAKE_REFUSED;
	entry->intake->refused = true;
}

static void
refuse_pending(struct intake *intake)
{
	for (uint32_t i = 0; i < intake->fhir->record_count; i++)
		if (intake->entries[i].outcome == INTAKE_PENDING)
			intake->entries[i].outcome = INTAKE_REFUSED;
}

enum intake_outcome
intake_outcome(const struct record *record)
{
	const struct entry *entry = record->mark;

	return entry->outcome;
}

int64_t
intake_known_at(const struct entry *entry)
{
	int64_t at = fhir_source_at(entry->record);
	int64_t now = entry->intake->now;

	return at == AT_UNKNOWN || at > now ? now : at;
}

static void
finish(struct intake *intake, enum db_outcome outcome)
{
	loop_timer_free(intake->timer);
	intake->timer = NULL;
	intake->done(outcome, intake->arg);
}

/* ---- what failed ---- */

static bool
is_transient(const char *sqlstate)
{
	static const char *const states[] = {
	    "40001", "40P01", "55P03", /* serialization, deadlock, lock */
	    "23505",                   /* somebody else's INSERT decided */
	};

	for (size_t i = 0; i < COUNT(states); i++)
		if (strcmp(sqlstate, states[i]) == 0)
			return true;
	return false;
}

static struct person *
piece_person(const struct intake *intake, size_t index)
{
	struct person **persons = intake->persons.data;

	assert(index < intake->piece_count);
	return persons[intake->piece_first + index];
}

static void
on_timer(void *arg)
{
	look_up(arg);
}

/* The piece was rolled back: once more, or without it. */
static void
after_failure(struct intake *intake)
{
	uint32_t random;

	if (is_transient(intake->sqlstate) &&
	    ++intake->attempts < ATTEMPTS_MAX) {
		crypto_random(&random, sizeof(random));
		loop_timer_arm(
		    intake->timer, random % (RETRY_US * intake->attempts) + 1);
		return;
	}
	log_error("intake.failed", log_s(SQLSTATE, intake->sqlstate));
	if (intake->piece_count == 0) {
		finish(intake, DB_FAILED);
		return;
	}
	for (size_t i = 0; i < intake->piece_count; i++) {
		struct person *person = piece_person(intake, i);
		struct entry **entries = person->entries.data;

		for (size_t k = 0; k < person->entries.count; k++)
			if (entries[k]->outcome == INTAKE_PENDING)
				intake_refuse(entries[k], "exception", "",
				    "the database refused it");
	}
	intake->attempts = 0;
	next_piece(intake);
}

/* Nothing is written, or something failed. */
static void
on_rolled_back(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct intake *intake = arg;

	(void)sqlstate;
	intake->in_transaction = false;
	if (outcome != DB_OK)
		finish(intake, DB_LOST);
	else if (intake->sqlstate[0] != '\0')
		after_failure(intake);
	else
		next_piece(intake);
}

static void
roll_back(struct intake *intake)
{
	struct db_unit *unit = db_unit_begin(intake->settings->db);

	db_unit_add(unit, "rollback", NULL, NULL);
	db_unit_send(unit, on_rolled_back, intake);
}

static void
piece_failed(
    struct intake *intake, enum db_outcome outcome, const char *sqlstate)
{
	if (outcome == DB_LOST) {
		finish(intake, DB_LOST);
		return;
	}
	snprintf(intake->sqlstate, sizeof(intake->sqlstate), "%s", sqlstate);
	roll_back(intake);
}

/* ---- a piece: decide and write ---- */

static void
publish(struct intake *intake)
{
	for (size_t i = 0; i < intake->piece_count; i++) {
		struct person *person = piece_person(intake, i);
		struct entry **entries = person->entries.data;

		for (size_t k = 0; k < person->entries.count; k++)
			entries[k]->outcome = entries[k]->decided;
	}
	intake->attempts = 0;
}

static void
on_written(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct intake *intake = arg;

	if (outcome != DB_OK) {
		piece_failed(intake, outcome, sqlstate);
		return;
	}
	fault_point(INTAKE_AFTER_COMMIT);
	intake->in_transaction = false;
	publish(intake);
	next_piece(intake);
}

/* The persons' keys as two arrays. */
static void
add_persons(struct db_unit *unit, const struct list *persons)
{
	struct person **list = persons->data;
	struct db_array buckets, patients;

	db_array_init(&buckets, DB_I16);
	db_array_init(&patients, DB_I64);
	for (size_t i = 0; i < persons->count; i++) {
		db_array_i64(&buckets, list[i]->bucket);
		db_array_i64(&patients, list[i]->patient_id);
	}
	db_param_array(unit, &buckets);
	db_param_array(unit, &patients);
	db_array_free(&buckets);
	db_array_free(&patients);
}

static void
write_piece(struct intake *intake)
{
	struct db_unit *unit = db_unit_begin(intake->settings->db);
	struct list changed, touched;

	list_init(&changed, intake->arena, sizeof(struct person *));
	list_init(&touched, intake->arena, sizeof(struct person *));
	for (size_t i = 0; i < intake->piece_count; i++) {
		struct person *person = piece_person(intake, i);

		if (person->changed)
			*(struct person **)list_add(&changed) = person;
		if (person->changed && !person->is_new)
			*(struct person **)list_add(&touched) = person;
	}
	if (!intake->in_transaction)
		db_unit_add(unit, "begin", NULL, NULL);
	if (touched.count > 0) {
		db_unit_add(unit, "agenda_touch", NULL, NULL);
		add_persons(unit, &touched);
		db_param_at(unit, intake->now);
		db_param_i16(unit, CLASS_BULK);
	}
	for (size_t i = 0; i < changed.count; i++)
		intake_write(intake, unit, ((struct person **)changed.data)[i]);
	if (changed.count > 0) {
		db_unit_add(unit, "dossier_rebuild", NULL, NULL);
		add_persons(unit, &changed);
	}
	if (touched.count > 0) {
		db_unit_add(unit, "agenda_notify_people", NULL, NULL);
		add_persons(unit, &touched);
	} else {
		db_unit_add(unit, "agenda_notify", NULL, NULL);
	}
	db_unit_add(unit, "commit", NULL, NULL);
	fault_point(INTAKE_BEFORE_COMMIT);
	db_unit_send(unit, on_written, intake);
}

static void
on_next(void *arg)
{
	next_piece(arg);
}

static void
decide_piece(struct intake *intake)
{
	bool changed = false;

	for (size_t i = 0; i < intake->piece_count; i++)
		changed |= intake_decide(intake, piece_person(intake, i));
	if (intake->atomic && intake->refused) {
		refuse_pending(intake);
		changed = false;
	}
	if (changed) {
		write_piece(intake);
		return;
	}
	if (!intake->atomic || !intake->refused)
		publish(intake);
	if (intake->in_transaction)
		roll_back(intake);
	else /* not from here: there may be as many as entries */
		loop_defer(intake->settings->loop, on_next, intake);
}

/* ---- a piece: what is known ---- */

static struct person *
known_person(struct intake *intake, const struct db_result *result, int row)
{
	struct person **known = intake->known.data;
	int64_t position = db_i64(result, row, 0);

	assert(position >= 1 && (uint64_t)position <= intake->known.count);
	return known[position - 1];
}

static void
on_patients(const struct db_result *result, void *arg)
{
	struct intake *intake = arg;

	for (int i = 0; i < db_rows(result); i++) {
		struct person *person = known_person(intake, result, i);

		person->zone = zone_open(db_text(result, i, 1));
		if (person->zone == NULL)
			person->zone = intake->settings->zone;
		person->locale =
		    arena_text(intake->arena, db_text(result, i, 2));
		if (!db_null(result, i, 3))
			person->birth_from_on = db_on(result, i, 3);
		if (!db_null(result, i, 4))
			person->birth_on = db_on(result, i, 4);
		person->next_no = (int32_t)db_i64(result, i, 5);
	}
}

static void
on_contacts(const struct db_result *result, void *arg)
{
	struct intake *intake = arg;

	for (int i = 0; i < db_rows(result); i++) {
		struct person *person = known_person(intake, result, i);
		struct contact_row *c = arena_alloc(intake->arena, sizeof(*c));
		const uint8_t *index;
		size_t bytes;

		c->no = (int32_t)db_i64(result, i, 1);
		c->channel = (enum channel)db_i64(result, i, 2);
		c->owner = (enum owner)db_i64(result, i, 3);
		index = db_bytes(result, i, 4, &bytes);
		assert(bytes == sizeof(c->index));
		memcpy(c->index, index, bytes);
		c->rank = (int32_t)db_i64(result, i, 5);
		c->from_at = db_at(result, i, 6);
		c->until_at = db_at(result, i, 7);
		c->stated_count = (uint32_t)db_i64_array(
		    result, i, 8, intake->arena, &c->stated_by);
		*(struct contact_row **)list_add(&person->contacts) = c;
	}
}

static void
on_resources(const struct db_result *result, void *arg)
{
	struct intake *intake = arg;
	struct arena *arena = intake->arena;

	for (int i = 0; i < db_rows(result); i++) {
		int64_t position = db_i64(result, i, 0);
		const struct wanted *wanted = intake->wanted.data;
		struct row *row = arena_alloc(arena, sizeof(*row));
		const uint8_t *hash;
		size_t bytes;

		assert(position >= 1 &&
		       (uint64_t)position <= intake->wanted.count);
		row->no = (int32_t)db_i64(result, i, 1);
		row->taken_from = arena_text(arena, db_text(result, i, 2));
		row->version = arena_text(arena, db_text(result, i, 3));
		row->source_at = db_at_or(result, i, 4, AT_UNKNOWN);
		hash = db_bytes(result, i, 5, &bytes);
		assert(bytes == sizeof(row->hash));
		memcpy(row->hash, hash, bytes);
		row->has_id = db_bool(result, i, 6);
		intake_add_row(intake, &wanted[position - 1], row);
	}
}

static void
on_loaded(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct intake *intake = arg;

	if (outcome == DB_OK)
		decide_piece(intake);
	else
		piece_failed(intake, outcome, sqlstate);
}

/* The keys asked for, as arrays: with their types, or without. */
static void
add_wanted(struct intake *intake, struct db_unit *unit, bool types)
{
	const struct wanted *wanted = intake->wanted.data;
	struct db_array type, source, system, value;

	db_array_init(&type, DB_TEXT);
	db_array_init(&source, DB_TEXT);
	db_array_init(&system, DB_TEXT);
	db_array_init(&value, DB_TEXT);
	for (size_t i = 0; i < intake->wanted.count; i++) {
		db_array_text(&type, wanted[i].type);
		db_array_text(&source, wanted[i].key->source);
		db_array_text(&system, wanted[i].key->system);
		db_array_text(&value, wanted[i].key->value);
	}
	if (types)
		db_param_array(unit, &type);
	db_param_array(unit, &source);
	db_param_array(unit, &system);
	db_param_array(unit, &value);
	db_array_free(&type);
	db_array_free(&source);
	db_array_free(&system);
	db_array_free(&value);
}

static void
load_resources(struct intake *intake, struct db_unit *unit)
{
	const struct wanted *wanted = intake->wanted.data;
	struct list owners;

	list_init(&owners, intake->arena, sizeof(struct person *));
	for (size_t i = 0; i < intake->wanted.count; i++)
		*(struct person **)list_add(&owners) = wanted[i].person;
	db_unit_add(unit, "intake_state_resources", on_resources, intake);
	add_persons(unit, &owners);
	add_wanted(intake, unit, true);
	db_param_text(unit, intake->settings->source);
}

/* Lock the agenda rows of those known before, then read what is known. */
static void
load_piece(struct intake *intake)
{
	struct db_unit *unit = db_unit_begin(intake->settings->db);

	intake->in_transaction = true;
	db_unit_add(unit, "begin", NULL, NULL);
	db_unit_add(unit, "agenda_lock", NULL, NULL);
	add_persons(unit, &intake->known);
	db_unit_add(unit, "intake_state_patients", on_patients, intake);
	add_persons(unit, &intake->known);
	db_unit_add(unit, "intake_state_contacts", on_contacts, intake);
	add_persons(unit, &intake->known);
	load_resources(intake, unit);
	db_unit_send(unit, on_loaded, intake);
}

static void
next_piece(struct intake *intake)
{
	intake->piece_first += intake->piece_count;
	intake->piece_count = intake->atomic
				  ? intake->persons.count - intake->piece_first
				  : intake->piece_first < intake->persons.count;
	intake->sqlstate[0] = '\0';
	if (intake->piece_count == 0) {
		finish(intake, DB_OK);
		return;
	}
	list_init(&intake->known, intake->arena, sizeof(struct person *));
	list_init(&intake->wanted, intake->arena, sizeof(struct wanted));
	for (size_t i = 0; i < intake->piece_count; i++) {
		struct person *person = piece_person(intake, i);

		intake_want_rows(intake, person);
		if (!person->is_new)
			*(struct person **)list_add(&intake->known) = person;
	}
	if (intake->known.count > 0)
		load_piece(intake);
	else
		decide_piece(intake);
}

/* ---- who it is ---- */

static struct person *
new_person(struct intake *intake)
{
	struct person *person = arena_alloc(intake->arena, sizeof(*person));

	list_init(&person->keys, intake->arena, sizeof(struct key));
	list_init(&person->entries, intake->arena, sizeof(struct entry *));
	list_init(
	    &person->contacts, intake->arena, sizeof(struct contact_row *));
	person->birth_from_on = person->birth_on = ON_UNKNOWN;
	person->next_no = 1;
	return person;
}

static struct person *
find_person(struct intake *intake, const struct key *key)
{
	return key_index_find(
	    intake->people, intake_key_text(intake->arena, "Patient", key));
}

static void
on_identities(const struct db_result *result, void *arg)
{
	struct intake *intake = arg;
	const struct wanted *wanted = intake->wanted.data;

	for (int i = 0; i < db_rows(result); i++) {
		int64_t position = db_i64(result, i, 0);
		int64_t bucket = db_i64(result, i, 1);
		int64_t patient_id = db_i64(result, i, 2);
		const char *name = arena_printf(intake->arena, "%d/%lld",
		    (int)bucket, (long long)patient_id);
		struct person *person = key_index_find(intake->people, name);

		assert(position >= 1 &&
		       (uint64_t)position <= intake->wanted.count);
		if (person == NULL) {
			person = new_person(intake);
			person->bucket = (int16_t)bucket;
			person->patient_id = patient_id;
			key_index_add(intake->people, name, person);
		}
		key_index_add(intake->people,
		    intake_key_text(
			intake->arena, "Patient", wanted[position - 1].key),
		    person);
	}
}

/* The person whom all known keys of a Patient name; false: two persons. */
static bool
match_patient(struct entry *entry, struct person **person)
{
	*person = NULL;
	for (uint32_t i = 0; i < entry->key_count; i++) {
		struct person *found =
		    find_person(entry->intake, &entry->keys[i]);

		if (found != NULL && *person != NULL && found != *person)
			return false;
		if (found != NULL)
			*person = found;
	}
	return true;
}

static void
attach(struct entry *entry, struct person *person)
{
	struct intake *intake = entry->intake;

	if (person->entries.count == 0)
		*(struct person **)list_add(&intake->persons) = person;
	*(struct entry **)list_add(&person->entries) = entry;
	entry->person = person;
}

static void
assign_patient(struct entry *entry)
{
	struct intake *intake = entry->intake;
	struct person *person;

	if (!match_patient(entry, &person)) {
		intake_refuse(entry, "multiple-matches", "identifier",
		    "its identifiers name two patients");
		return;
	}
	if (person == NULL) {
		person = new_person(intake);
		person->is_new = true;
	}
	for (uint32_t i = 0; i < entry->key_count; i++) {
		if (find_person(intake, &entry->keys[i]) != NULL)
			continue;
		*(struct key *)list_add(&person->keys) = entry->keys[i];
		key_index_add(intake->people,
		    intake_key_text(intake->arena, "Patient", &entry->keys[i]),
		    person);
	}
	attach(entry, person);
}

static void
assign_other(struct entry *entry)
{
	const struct reference *subject = &entry->record->subject;
	struct intake *intake = entry->intake;
	struct person *person = NULL;

	if (subject->record != NULL) {
		struct entry *patient = subject->record->mark;

		/* one that cannot be read may be known all the same */
		if (patient->person == NULL)
			(void)match_patient(patient, &person);
		else
			person = patient->person;
	} else if (subject->identifier.value != NULL) {
		struct key key = intake_key(intake, &subject->identifier);

		person = find_person(intake, &key);
	}
	if (person == NULL)
		intake_refuse(entry, "not-found",
		    record_subject_element(entry->record->type),
		    "its patient is not known here");
	else
		attach(entry, person);
}

static void
assign(struct intake *intake)
{
	uint32_t count = intake->fhir->record_count;

	for (uint32_t i = 0; i < count; i++) {
		struct entry *entry = &intake->entries[i];

		entry->person = NULL;
		if (entry->outcome == INTAKE_PENDING &&
		    entry->record->type == RECORD_PATIENT)
			assign_patient(entry);
	}
	for (uint32_t i = 0; i < count; i++)
		if (intake->entries[i].outcome == INTAKE_PENDING &&
		    intake->entries[i].record->type != RECORD_PATIENT)
			assign_other(&intake->entries[i]);
}

static void
begin_pieces(struct intake *intake)
{
	intake->piece_first = intake->piece_count = 0;
	next_piece(intake);
}

/* Numbers for the new patients; buckets are drawn. */
static void
on_patient_ids(const struct db_result *result, void *arg)
{
	struct intake *intake = arg;
	struct person **persons = intake->persons.data;
	int row = 0;

	for (size_t i = 0; i < intake->persons.count; i++) {
		uint16_t random;

		if (!persons[i]->is_new)
			continue;
		crypto_random(&random, sizeof(random));
		persons[i]->bucket = (int16_t)(random % BUCKETS);
		persons[i]->patient_id = db_i64(result, row++, 0);
	}
	assert(row == db_rows(result));
}

static void
on_numbered(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct intake *intake = arg;

	if (outcome == DB_OK)
		begin_pieces(intake);
	else
		piece_failed(intake, outcome, sqlstate);
}

static void
on_looked_up(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct intake *intake = arg;
	struct person **persons;
	struct db_unit *unit;
	int32_t fresh = 0;

	if (outcome != DB_OK) {
		piece_failed(intake, outcome, sqlstate);
		return;
	}
	assign(intake);
	if (intake->atomic && intake->refused) {
		refuse_pending(intake);
		finish(intake, DB_OK);
		return;
	}
	persons = intake->persons.data;
	for (size_t i = 0; i < intake->persons.count; i++)
		fresh += persons[i]->is_new;
	if (fresh == 0) {
		begin_pieces(intake);
		return;
	}
	unit = db_unit_begin(intake->settings->db);
	db_unit_add(unit, "intake_patient_ids", on_patient_ids, intake);
	db_param_i32(unit, fresh);
	db_unit_send(unit, on_numbered, intake);
}

static void
want_person(struct intake *intake, const struct key *key)
{
	*(struct wanted *)list_add(&intake->wanted) =
	    (struct wanted){.key = key};
}

/* The keys of the Patients, and of those that others speak of. */
static void
want_people(struct intake *intake, struct entry *entry)
{
	const struct reference *subject = &entry->record->subject;
	struct key *key;

	if (entry->record->type == RECORD_PATIENT) {
		for (uint32_t i = 0; i < entry->key_count; i++)
			want_person(intake, &entry->keys[i]);
	} else if (entry->outcome == INTAKE_PENDING &&
		   subject->record == NULL &&
		   subject->identifier.value != NULL) {
		key = arena_alloc(intake->arena, sizeof(*key));
		*key = intake_key(intake, &subject->identifier);
		want_person(intake, key);
	}
}

/* Whose are the records that are not decided yet? */
static void
look_up(struct intake *intake)
{
	struct db_unit *unit = db_unit_begin(intake->settings->db);

	list_init(&intake->persons, intake->arena, sizeof(struct person *));
	list_init(&intake->wanted, intake->arena, sizeof(struct wanted));
	intake->piece_first = intake->piece_count = 0;
	intake->sqlstate[0] = '\0';
	for (uint32_t i = 0; i < intake->fhir->record_count; i++)
		want_people(intake, &intake->entries[i]);
	intake->people =
	    key_index_create(intake->arena, 2 * intake->wanted.count + 1);
	db_unit_add(unit, "intake_identities", on_identities, intake);
	db_param_i32(unit, intake->settings->tenant_id);
	add_wanted(intake, unit, false);
	db_unit_send(unit, on_looked_up, intake);
}

/* ---- beginning ---- */

static enum intake_outcome
first_outcome(const struct record *record)
{
	if (record->type == RECORD_OTHER)
		return INTAKE_SKIPPED;
	if (record->refused)
		return INTAKE_REFUSED;
	/* of use only to those who refer to it */
	return record->type == RECORD_MEDICATION ? INTAKE_UNCHANGED
						 : INTAKE_PENDING;
}

static void
on_nothing(void *arg)
{
	finish(arg, DB_OK);
}

void
intake_start(const struct intake_settings *settings, struct fhir *fhir,
    int64_t now, void (*done)(enum db_outcome outcome, void *arg), void *arg)
{
	struct intake *intake = arena_alloc(fhir->arena, sizeof(*intake));
	bool pending = false;

	*intake = (struct intake){
	    .settings = settings,
	    .fhir = fhir,
	    .arena = fhir->arena,
	    .now = now,
	    .atomic = fhir->bundle == BUNDLE_TRANSACTION,
	    .refused = fhir->refused_count > 0,
	    .entries = arena_array(
		fhir->arena, fhir->record_count + 1u, sizeof(struct entry)),
	    .timer = loop_timer_create(settings->loop, on_timer, intake),
	    .done = done,
	    .arg = arg,
	};
	for (uint32_t i = 0; i < fhir->record_count; i++) {
		struct entry *entry = &intake->entries[i];

		entry->intake = intake;
		entry->record = &fhir->records[i];
		entry->record->mark = entry;
		entry->outcome = first_outcome(entry->record);
		pending |= entry->outcome == INTAKE_PENDING;
		collect_keys(entry);
	}
	if (intake->atomic && intake->refused)
		refuse_pending(intake);
	if (!pending || (intake->atomic && intake->refused))
		loop_defer(settings->loop, on_nothing, intake);
	else
		look_up(intake);
}
