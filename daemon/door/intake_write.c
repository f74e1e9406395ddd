/*
 * What changed of a patient, as statements of one transaction whose agenda
 * row is held.  Identities first: where another import was faster, they
 * fail and nothing else happens.
 */
#include "door/intake_work.h"
#include "flow/seal.h"

#include "care/timing.h"

struct writing {
	const struct intake *intake;
	struct db_unit *unit;
	const struct person *person;
	struct seal_person owner;
	struct buf scratch;
};

/* A statement about the person: $1 bucket, $2 patient id. */
static void
add(const struct writing *w, const char *statement)
{
	db_unit_add(w->unit, statement, NULL, NULL);
	db_param_i16(w->unit, w->person->bucket);
	db_param_i64(w->unit, w->person->patient_id);
}

/* … and $3 number. */
static void
add_numbered(const struct writing *w, const char *statement, int32_t no)
{
	add(w, statement);
	db_param_i32(w->unit, no);
}

/* … and $4 tenant: a thing that names its own. */
static void
add_thing(const struct writing *w, const char *statement, int32_t no)
{
	add_numbered(w, statement, no);
	db_param_i32(w->unit, w->owner.tenant_id);
}

/* ---- the patient ---- */

static void
write_identities(const struct writing *w)
{
	const struct key *keys = w->person->keys.data;

	for (size_t i = 0; i < w->person->keys.count; i++) {
		db_unit_add(w->unit, "intake_identity", NULL, NULL);
		db_param_i32(w->unit, w->owner.tenant_id);
		db_param_text(w->unit, keys[i].source);
		db_param_text(w->unit, keys[i].system);
		db_param_text(w->unit, keys[i].value);
		db_param_i16(w->unit, w->person->bucket);
		db_param_i64(w->unit, w->person->patient_id);
	}
}

static void
write_agenda(const struct writing *w)
{
	if (!w->person->is_new)
		return;
	add(w, "intake_agenda");
	db_param_i32(w->unit, w->owner.tenant_id);
	db_param_at(w->unit, w->intake->now);
}

static void
param_birth(const struct writing *w, int32_t birth_on)
{
	if (birth_on == ON_UNKNOWN)
		db_param_null(w->unit);
	else
		db_param_on(w->unit, birth_on);
}

static void
param_name(struct writing *w, const char *name)
{
	if (name == NULL) {
		db_param_null(w->unit);
		return;
	}
	buf_clear(&w->scratch);
	seal_name(w->intake->settings->keyring, &w->owner, name, &w->scratch);
	db_param_bytes(w->unit, w->scratch.data, w->scratch.bytes);
}

static void
write_patient(struct writing *w, const struct entry *entry)
{
	const struct person_record *stated = entry->record->person;
	const struct person *person = w->person;
	const struct intake_settings *settings = w->intake->settings;
	const struct zone *zone =
	    person->zone != NULL ? person->zone : settings->zone;

	add(w, "intake_patient");
	db_param_i32(w->unit, w->owner.tenant_id);
	db_param_text(w->unit, entry->record->id);
	db_param_text(w->unit, zone_name(zone));
	db_param_text(w->unit,
	    person->locale != NULL ? person->locale : settings->locale);
	param_name(w, stated->name);
	db_param_bool(w->unit, stated->active);
	db_param_at(
	    w->unit, stated->active ? AT_UNKNOWN : intake_known_at(entry));
	db_param_at(w->unit, stated->deceased_at);
	param_birth(w, person->birth_from_on);
	param_birth(w, person->birth_on);
	db_param_i32(w->unit, person->next_no);
}

/* ---- identifiers and versions ---- */

static void
param_version(const struct writing *w, const struct row *row)
{
	db_param_text(w->unit, row->taken_from);
	db_param_text(w->unit, row->version);
	db_param_at(w->unit, row->source_at);
	db_param_bytes(w->unit, row->hash, sizeof(row->hash));
}

static void
write_resource(const struct writing *w, const struct entry *entry)
{
	const struct row *row = entry->row;
	const char *type = entry->record->type_name;

	if (!row->is_new) {
		add(w, "intake_resource_version");
		db_param_text(w->unit, type);
		db_param_i32(w->unit, row->no);
		param_version(w, row);
	}
	for (uint32_t i = 0; i < entry->key_count; i++) {
		add(w, "intake_resource");
		db_param_text(w->unit, entry->keys[i].source);
		db_param_text(w->unit, type);
		db_param_text(w->unit, entry->keys[i].system);
		db_param_text(w->unit, entry->keys[i].value);
		db_param_i32(w->unit, row->no);
		param_version(w, row);
	}
}

/* ---- what resources hold ---- */

/* The name for people: the id, else the first identifier. */
static void
param_source_id(const struct writing *w, const struct entry *entry)
{
	const struct record *r = entry->record;

	db_param_text(w->unit, r->id != NULL ? r->id : entry->keys[0].value);
}

static void
write_dosage(struct writing *w, int32_t no, int32_t dosage_no,
    const struct dosage *dosage, const struct dosage_record *record)
{
	struct json_writer writer;

	add_numbered(w, "intake_dosage", no);
	db_param_i32(w->unit, dosage_no);
	db_param_i32(w->unit, dosage->sequence);
	db_param_bool(w->unit, dosage->as_needed);
	db_param_i64(w->unit, dosage->dose_micro);
	db_param_text(w->unit, dosage->dose_unit);
	buf_clear(&w->scratch);
	if (record->timing != NULL) {
		json_write_init(&writer, &w->scratch);
		json_write_tree(&writer, record->timing);
		db_param_text(w->unit, buf_string(&w->scratch));
	} else {
		db_param_null(w->unit);
	}
	buf_clear(&w->scratch);
	if (dosage->timing != NULL) {
		timing_encode(dosage->timing, &w->scratch);
		db_param_bytes(w->unit, w->scratch.data, w->scratch.bytes);
	} else {
		db_param_null(w->unit);
	}
	db_param_text(w->unit, record->needs_review);
}

static void
write_prescription(struct writing *w, const struct entry *entry)
{
	const struct prescription *p = entry->record->prescription;
	int32_t no = entry->row->no;

	add_thing(w, "intake_prescription", no);
	param_source_id(w, entry);
	db_param_i16(w->unit, (int16_t)p->status);
	db_param_i16(w->unit, (int16_t)p->course);
	db_param_bool(w->unit, p->sensitive);
	db_param_text(w->unit, p->drug);
	db_param_text(w->unit, p->name);
	db_param_text(w->unit, p->prescriber);
	db_param_at(w->unit, p->authored_at);
	db_param_bool(w->unit, p->authored_has_time);
	db_param_at(w->unit, intake_known_at(entry));
	db_param_i64(w->unit, p->quantity_micro);
	db_param_text(w->unit, p->quantity_unit);
	db_param_i32(w->unit, p->supply_days);
	db_param_i32(w->unit, p->repeats_allowed);
	db_param_on(w->unit, p->valid_from_on);
	db_param_on(w->unit, p->valid_until_on);
	db_param_i32(w->unit, p->interval_days);
	db_param_i32(w->unit, entry->related_no);
	db_param_i64(w->unit, p->initial_quantity_micro);
	db_param_text(w->unit, p->initial_quantity_unit);
	db_param_i32(w->unit, p->initial_days);
	if (!entry->row->is_new)
		add_numbered(w, "intake_dosages_clear", no);
	for (uint32_t i = 0; i < p->dosage_count; i++)
		write_dosage(w, no, (int32_t)i + 1, &p->dosages[i],
		    &entry->record->dosages[i]);
}

static void
write_fill(const struct writing *w, const struct entry *entry)
{
	const struct fill *f = entry->record->fill;

	add_thing(w, "intake_fill", entry->row->no);
	param_source_id(w, entry);
	db_param_i32(w->unit, entry->related_no);
	db_param_i16(w->unit, (int16_t)f->status);
	db_param_text(w->unit, f->drug);
	db_param_i64(w->unit, f->quantity_micro);
	db_param_text(w->unit, f->quantity_unit);
	db_param_i32(w->unit, f->days_supply);
	db_param_at(w->unit, f->handed_over_at);
}

static void
write_visit(const struct writing *w, const struct entry *entry)
{
	const struct visit *v = entry->record->visit;

	add_thing(w, "intake_follow_up", entry->row->no);
	param_source_id(w, entry);
	db_param_i16(w->unit, (int16_t)v->status);
	db_param_at(w->unit, v->start_at);
	db_param_bool(w->unit, v->start_has_time);
	db_param_i32(w->unit, entry->related_no);
	db_param_text(w->unit, v->practitioners);
	db_param_text(w->unit, v->description);
	db_param_at(w->unit, intake_known_at(entry));
}

static void
write_consent(const struct writing *w, const struct entry *entry)
{
	const struct record *r = entry->record;
	int32_t no = entry->row->no;

	if (!entry->row->is_new)
		add_numbered(w, "intake_consent_clear", no);
	for (uint32_t i = 0; i < r->consent_count; i++) {
		const struct consent *c = &r->consents[i];

		add_numbered(w, "intake_consent", no);
		db_param_i32(w->unit, (int32_t)i + 1);
		db_param_i32(w->unit, w->owner.tenant_id);
		db_param_at(w->unit, c->given_at);
		db_param_at(w->unit, c->from_at);
		db_param_at(w->unit, c->until_at);
		db_param_bool(w->unit, c->permit);
		db_param_bool(w->unit, c->withdrawn);
		db_param_at(w->unit, c->withdrawn_at);
		db_param_i32(w->unit, (int32_t)c->topics);
		db_param_i32(w->unit, (int32_t)c->channels);
		db_param_i16(w->unit, (int16_t)c->actor);
		param_source_id(w, entry);
	}
}

static void
write_stay(const struct writing *w, const struct entry *entry)
{
	const struct stay *stay = entry->record->stay;

	if (entry->record->empty) {
		add_numbered(w, "intake_stay_clear", entry->row->no);
		return;
	}
	add_thing(w, "intake_stay", entry->row->no);
	db_param_at(w->unit, stay->from_at);
	db_param_at(w->unit, stay->until_at);
}

static void
write_entry(struct writing *w, const struct entry *entry)
{
	/* a later version of the same may stand in the same file */
	if (!intake_takes(entry) || entry->row->entry != entry)
		return;
	switch (entry->record->type) {
	case RECORD_PATIENT:
		write_patient(w, entry);
		break;
	case RECORD_PRESCRIPTION:
		write_prescription(w, entry);
		break;
	case RECORD_FILL:
		write_fill(w, entry);
		break;
	case RECORD_VISIT:
		write_visit(w, entry);
		break;
	case RECORD_CONSENT:
		write_consent(w, entry);
		break;
	case RECORD_STAY:
		write_stay(w, entry);
		break;
	default:
		break; /* carers have contact points only */
	}
	write_resource(w, entry);
}

/* ---- contact points ---- */

static void
param_use(const struct writing *w, const struct contact_row *contact)
{
	struct db_array numbers;

	db_param_i32(w->unit, contact->rank);
	db_param_at(w->unit, contact->from_at);
	db_param_at(w->unit, contact->until_at);
	db_array_init(&numbers, DB_I32);
	for (uint32_t i = 0; i < contact->stated_count; i++)
		db_array_i64(&numbers, contact->stated_by[i]);
	db_param_array(w->unit, &numbers);
	db_array_free(&numbers);
}

static void
write_contact(struct writing *w, const struct contact_row *contact)
{
	if (contact->address == NULL) {
		add_numbered(w, "intake_contact_change", contact->no);
		param_use(w, contact);
		return;
	}
	add_thing(w, "intake_contact", contact->no);
	db_param_i16(w->unit, (int16_t)contact->channel);
	buf_clear(&w->scratch);
	seal_address(w->intake->settings->keyring, &w->owner, contact->no,
	    contact->address, &w->scratch);
	db_param_bytes(w->unit, w->scratch.data, w->scratch.bytes);
	db_param_bytes(w->unit, contact->index, sizeof(contact->index));
	db_param_i16(w->unit, (int16_t)contact->owner);
	param_use(w, contact);
	db_unit_add(w->unit, "intake_contact_index", NULL, NULL);
	db_param_bytes(w->unit, contact->index, sizeof(contact->index));
	db_param_i32(w->unit, w->owner.tenant_id);
	db_param_i16(w->unit, w->person->bucket);
	db_param_i64(w->unit, w->person->patient_id);
	db_param_i32(w->unit, contact->no);
}

void
intake_write(const struct intake *intake, struct db_unit *unit,
    const struct person *person)
{
	struct contact_row *const *contacts = person->contacts.data;
	struct entry *const *entries = person->entries.data;
	struct writing w = {
	    .intake = intake,
	    .unit = unit,
	    .person = person,
	    .owner = {intake->settings->tenant_id, person->bucket,
		person->patient_id},
	};

	write_identities(&w);
	write_agenda(&w);
	for (size_t i = 0; i < person->entries.count; i++)
		write_entry(&w, entries[i]);
	for (size_t i = 0; i < person->contacts.count; i++)
		if (contacts[i]->changed)
			write_contact(&w, contacts[i]);
	add_numbered(&w, "intake_numbers", person->next_no);
	buf_free(&w.scratch);
}
