/*
 * What a patient's records change: each is held against what is known under
 * its identifiers, and against its versions there.  Decides in memory only;
 * a decision counts once it is committed.
 */
#include <stdlib.h>
#include <string.h>

#include "door/intake_work.h"
#include "flow/seal.h"

/* ---- rows ---- */

static void
want(struct intake *intake, struct person *person, const char *type,
    const struct key *key)
{
	*(struct wanted *)list_add(&intake->wanted) = (struct wanted){
	    .key = key,
	    .type = type,
	    .person = person,
	};
}

/* What a record's other reference may lead to; NULL: nothing that is kept. */
static const char *
related_type(enum record_type type)
{
	switch (type) {
	case RECORD_PRESCRIPTION:
	case RECORD_FILL:
		return record_type_name(RECORD_PRESCRIPTION);
	case RECORD_VISIT:
		return record_type_name(RECORD_VISIT);
	default:
		return NULL;
	}
}

static bool
related_key(const struct entry *entry, struct key *key)
{
	const struct reference *related = &entry->record->related;

	if (related_type(entry->record->type) == NULL ||
	    related->record != NULL || related->identifier.value == NULL)
		return false;
	*key = intake_key(entry->intake, &related->identifier);
	return true;
}

void
intake_want_rows(struct intake *intake, struct person *person)
{
	struct entry **entries = person->entries.data;
	size_t keys = 1;

	for (size_t i = 0; i < person->entries.count; i++) {
		const struct entry *entry = entries[i];
		struct key *key = arena_alloc(intake->arena, sizeof(*key));

		keys += entry->key_count + 1;
		if (person->is_new)
			continue;
		for (uint32_t k = 0; k < entry->key_count; k++)
			want(intake, person, entry->record->type_name,
			    &entry->keys[k]);
		if (related_key(entry, key))
			want(intake, person, related_type(entry->record->type),
			    key);
	}
	person->rows = key_index_create(intake->arena, keys);
	person->numbers = key_index_create(intake->arena, keys);
}

static void
index_row(struct intake *intake, struct person *person, const char *type,
    const struct key *key, struct row *row)
{
	key_index_replace(
	    person->rows, intake_key_text(intake->arena, type, key), row);
}

static struct row *
find_row(const struct entry *entry, const char *type, const struct key *key)
{
	return key_index_find(entry->person->rows,
	    intake_key_text(entry->intake->arena, type, key));
}

/* Several keys of one thing: one row. */
void
intake_add_row(
    struct intake *intake, const struct wanted *wanted, struct row *row)
{
	const char *number =
	    arena_printf(intake->arena, "%s#%d", wanted->type, (int)row->no);
	struct row *same = key_index_find(wanted->person->numbers, number);

	if (same == NULL)
		key_index_add(wanted->person->numbers, number, row);
	index_row(intake, wanted->person, wanted->type, wanted->key,
	    same != NULL ? same : row);
}

/*
 * The thing that a record speaks of.  Its id tells better than identifiers:
 * what has another id of the same source is another thing, *twin, which
 * bore the identifier before.
 */
static struct row *
match_row(const struct entry *entry, struct row **twin)
{
	const struct record *r = entry->record;
	struct identifier id = {"", r->id};

	*twin = NULL;
	if (r->id != NULL) {
		struct key key = intake_key(entry->intake, &id);
		struct row *row = find_row(entry, r->type_name, &key);

		if (row != NULL)
			return row;
	}
	for (uint32_t i = 0; i < entry->key_count; i++) {
		struct row *row =
		    find_row(entry, r->type_name, &entry->keys[i]);

		if (row == NULL)
			continue;
		if (r->type == RECORD_PATIENT || r->match.value != NULL ||
		    r->id == NULL || !row->has_id)
			return row;
		*twin = row;
	}
	return NULL;
}

static struct row *
new_row(struct entry *entry)
{
	struct person *person = entry->person;
	struct row *row = arena_alloc(entry->intake->arena, sizeof(*row));

	row->is_new = true;
	row->no = entry->record->type == RECORD_PATIENT ? 0 : person->next_no++;
	return row;
}

/* ---- versions ---- */

/* Does the record's own version say that it is newer (> 0) or older? */
static int
compare_own_version(const struct entry *entry, const struct row *row)
{
	const struct record *r = entry->record;

	if (r->updated_at != AT_UNKNOWN && row->source_at != AT_UNKNOWN &&
	    r->updated_at != row->source_at)
		return r->updated_at > row->source_at ? 1 : -1;
	/* numbers count within one source only */
	if (r->version == NULL || row->version == NULL ||
	    strcmp(row->taken_from, entry->intake->settings->source) != 0)
		return 0;
	return fhir_compare_versions(r->version, row->version);
}

static int
compare_version(const struct entry *entry, const struct row *row)
{
	int64_t at = fhir_source_at(entry->record);
	int order = compare_own_version(entry, row);

	if (order != 0 || at == AT_UNKNOWN || row->source_at == AT_UNKNOWN)
		return order;
	return at < row->source_at ? -1 : at > row->source_at;
}

static enum intake_outcome
compare(const struct entry *entry, const struct row *row)
{
	uint8_t hash[32];

	if (compare_version(entry, row) < 0)
		return INTAKE_OLDER;
	fhir_hash(entry->record, hash);
	/* the same once more, unless it says itself that it is newer: then
	 * a version between the two must come too late */
	if (memcmp(hash, row->hash, sizeof(hash)) == 0 &&
	    compare_own_version(entry, row) == 0)
		return INTAKE_UNCHANGED;
	return INTAKE_UPDATED;
}

/* ---- decisions ---- */

/* May the patient have been born when the record says? */
static bool
birth_agrees(const struct entry *entry)
{
	const struct person_record *stated = entry->record->person;
	const struct person *person = entry->person;

	return stated->birth_on == ON_UNKNOWN ||
	       person->birth_on == ON_UNKNOWN ||
	       (stated->birth_on <= person->birth_on &&
		   person->birth_from_on <= stated->birth_until_on);
}

/* False: the entry was refused. */
static bool
check(struct entry *entry, const struct row *row)
{
	const struct record *r = entry->record;

	if (r->if_match != NULL &&
	    (row == NULL || row->version == NULL ||
		strcmp(row->version, r->if_match) != 0)) {
		intake_refuse(entry, "conflict", "",
		    "the version that it must match is not the one on record");
		return false;
	}
	if (entry->intake->atomic && row != NULL && row->entry != NULL) {
		intake_refuse(entry, "duplicate", "",
		    "another entry of the transaction changes the same");
		return false;
	}
	if (r->type == RECORD_PATIENT && !birth_agrees(entry)) {
		intake_refuse(entry, "conflict", "birthDate",
		    "contradicts the birth date on record");
		return false;
	}
	return true;
}

/* The row becomes what the record says, for those that follow. */
static void
take(struct entry *entry, struct row *row)
{
	const struct record *r = entry->record;

	row->taken_from = entry->intake->settings->source;
	row->version = r->version;
	row->source_at = fhir_source_at(r);
	row->has_id |= r->id != NULL;
	row->entry = entry;
	fhir_hash(r, row->hash);
	for (uint32_t i = 0; i < entry->key_count; i++)
		index_row(entry->intake, entry->person, r->type_name,
		    &entry->keys[i], row);
}

static void
decide(struct entry *entry)
{
	const struct record *r = entry->record;
	struct row *twin;
	struct row *row = match_row(entry, &twin);

	entry->row = row;
	entry->related_no =
	    r->type == RECORD_VISIT && twin != NULL ? twin->no : 0;
	if (row != NULL && r->method == RECORD_POST && r->match.value != NULL) {
		entry->decided = INTAKE_UNCHANGED;
		return;
	}
	if (!check(entry, row))
		return;
	entry->decided = row == NULL ? INTAKE_CREATED : compare(entry, row);
	if (row == NULL)
		entry->row = row = new_row(entry);
	if (intake_takes(entry))
		take(entry, row);
}

/* The number of the thing that the record's other reference leads to. */
static void
resolve_related(struct entry *entry)
{
	const struct reference *related = &entry->record->related;
	const struct row *row = NULL;
	struct key key;

	if (!related->given || related_type(entry->record->type) == NULL)
		return;
	if (related->record != NULL) {
		const struct entry *other = related->record->mark;

		if (other->person == entry->person)
			row = other->row;
	} else if (related_key(entry, &key)) {
		row = find_row(entry, related_type(entry->record->type), &key);
	}
	if (row != NULL && row != entry->row)
		entry->related_no = row->no;
	else if (related->search && entry->intake->atomic)
		intake_refuse(entry, "not-found", "",
		    "it searches for what is not known of this patient");
}

/* Patients first, for their zone; then carers; then as they stand there. */
static int
compare_entries(const void *left, const void *right)
{
	const struct record *a = (*(struct entry *const *)left)->record;
	const struct record *b = (*(struct entry *const *)right)->record;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* Is it of a Patient who was refused just now? */
static bool
shares_refusal(const struct entry *entry)
{
	const struct record *patient = entry->record->subject.record;
	const struct entry *other = patient != NULL ? patient->mark : NULL;

	return other != NULL && other->person == entry->person &&
	       other->decided == INTAKE_REFUSED;
}

/* Dates without a time are the patient's: read them again if need be. */
static void
decide_in_zone(struct entry *entry)
{
	struct person *person = entry->person;

	if (shares_refusal(entry)) {
		intake_refuse(entry, "conflict", "", "its patient is refused");
		return;
	}
	if (entry->record->zone != person->zone)
		fhir_read_in(entry->record, person->zone);
	if (entry->record->refused)
		intake_refuse(
		    entry, "value", "", "cannot be read in the patient's zone");
	else
		decide(entry);
}

static void
decide_patient(struct entry *entry)
{
	const struct person_record *stated = entry->record->person;
	struct person *person = entry->person;

	decide(entry);
	if (!intake_takes(entry))
		return;
	if (stated->zone != NULL)
		person->zone = stated->zone;
	if (stated->locale != NULL)
		person->locale = stated->locale;
	if (stated->birth_on != ON_UNKNOWN) {
		person->birth_from_on = stated->birth_on;
		person->birth_on = stated->birth_until_on;
	}
}

/* ---- contact points ---- */

static bool
states(const struct contact_row *contact, int32_t no)
{
	for (uint32_t i = 0; i < contact->stated_count; i++)
		if (contact->stated_by[i] == no)
			return true;
	return false;
}

static void
add_statement(struct intake *intake, struct contact_row *contact, int32_t no)
{
	int64_t *all = arena_array(
	    intake->arena, contact->stated_count + 1u, sizeof(*all));

	if (contact->stated_count > 0)
		memcpy(all, contact->stated_by,
		    contact->stated_count * sizeof(*all));
	all[contact->stated_count++] = no;
	contact->stated_by = all;
	contact->changed = true;
}

/* Nobody states it any more: its use ends. */
static void
end_statement(
    struct contact_row *contact, const struct entry *entry, int32_t no)
{
	uint32_t kept = 0;
	int64_t at = intake_known_at(entry);

	for (uint32_t i = 0; i < contact->stated_count; i++)
		if (contact->stated_by[i] != no)
			contact->stated_by[kept++] = contact->stated_by[i];
	contact->stated_count = kept;
	contact->changed = true;
	if (kept == 0 && contact->until_at > at)
		contact->until_at = at;
}

static struct contact_row *
find_contact(struct entry *entry, const struct contact *stated)
{
	struct intake *intake = entry->intake;
	struct person *person = entry->person;
	struct contact_row **list = person->contacts.data;
	struct contact_row *contact;
	uint8_t index[16];

	seal_address_index(intake->settings->keyring,
	    intake->settings->tenant_id, stated->channel, stated->address,
	    index);
	for (size_t i = 0; i < person->contacts.count; i++)
		if (list[i]->channel == stated->channel &&
		    list[i]->owner == stated->owner &&
		    memcmp(list[i]->index, index, sizeof(index)) == 0)
			return list[i];
	contact = arena_alloc(intake->arena, sizeof(*contact));
	contact->no = person->next_no++;
	contact->channel = stated->channel;
	contact->owner = stated->owner;
	memcpy(contact->index, index, sizeof(index));
	contact->address = stated->address;
	*(struct contact_row **)list_add(&person->contacts) = contact;
	return contact;
}

static void
merge_contact(struct entry *entry, const struct contact *stated)
{
	struct contact_row *contact = find_contact(entry, stated);

	if (!states(contact, entry->row->no))
		add_statement(entry->intake, contact, entry->row->no);
	contact->changed |= contact->rank != stated->rank ||
			    contact->from_at != stated->from_at ||
			    contact->until_at != stated->until_at;
	contact->rank = stated->rank;
	contact->from_at = stated->from_at;
	contact->until_at = stated->until_at;
	contact->seen = entry;
}

/* A Patient or RelatedPerson states all of its contact points anew. */
static void
merge_contacts(struct entry *entry)
{
	const struct record *r = entry->record;
	struct person *person = entry->person;
	struct contact_row **list;
	bool none = r->type == RECORD_RELATED_PERSON &&
		    (r->empty || !r->person->active);

	for (uint32_t i = 0; i < r->person->contact_count && !none; i++)
		if (r->person->contacts[i].address != NULL)
			merge_contact(entry, &r->person->contacts[i]);
	list = person->contacts.data;
	for (size_t i = 0; i < person->contacts.count; i++)
		if (list[i]->seen != entry && states(list[i], entry->row->no))
			end_statement(list[i], entry, entry->row->no);
}

/* ---- a person ---- */

bool
intake_decide(struct intake *intake, struct person *person)
{
	struct entry **entries = person->entries.data;
	size_t count = person->entries.count;

	qsort(entries, count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < count; i++) {
		if (entries[i]->record->type == RECORD_PATIENT) {
			decide_patient(entries[i]);
			continue;
		}
		if (person->zone == NULL)
			person->zone = intake->settings->zone;
		decide_in_zone(entries[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (!intake_takes(entries[i]))
			continue;
		resolve_related(entries[i]);
		if (entries[i]->record->person != NULL)
			merge_contacts(entries[i]);
	}
	person->changed = false;
	for (size_t i = 0; i < count; i++)
		person->changed |= intake_takes(entries[i]);
	return person->changed;
}
