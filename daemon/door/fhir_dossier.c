/*
 * Records of several bundles → the dossier of each patient as known at an
 * instant.  A thing is a resource with its versions; each version is known
 * from an instant on.  Owns the rules of who is meant by a reference and
 * of when a fact is known; no side effects but problems and marks.
 */
#include "door/fhir_dossier.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CONTACTS_EACH 1000 /* numbers for the contacts of one resource */

struct version {
	struct record *record;
	struct thing *related; /* what it refers to; NULL */
	int64_t known_at;      /* AT_UNKNOWN: from the beginning */
};

struct thing {
	enum record_type type;
	int32_t no;
	const char *id;       /* the first that was stated, or a fallback */
	struct list versions; /* struct version, oldest first */
	struct fhir_person *person;
	struct thing *replaced; /* the Appointment that this one takes over */
};

struct gathering {
	struct arena *arena;
	const struct fhir_view *view;
	struct key_index *index; /* of things, by type and key */
	struct list things;      /* struct thing *, in order of appearance */
	struct list persons;     /* struct fhir_person * */
};

static struct version *
version_at(const struct thing *thing, size_t index)
{
	return (struct version *)thing->versions.data + index;
}

/* ---- who is meant ---- */

static const char *
key_of(struct gathering *g, enum record_type type,
    const struct identifier *identifier)
{
	const char *name = record_type_name(type);

	if (identifier->system == NULL || identifier->system[0] == '\0')
		return arena_printf(g->arena, "%s/%s", name, identifier->value);
	return arena_printf(
	    g->arena, "%s?%s|%s", name, identifier->system, identifier->value);
}

static struct thing *
find_by(struct gathering *g, enum record_type type,
    const struct identifier *identifier)
{
	if (identifier->value == NULL)
		return NULL;
	return key_index_find(g->index, key_of(g, type, identifier));
}

static struct thing *
find_by_identifiers(struct gathering *g, const struct record *r)
{
	struct thing *thing = find_by(g, r->type, &r->match);

	for (uint32_t i = 0; i < r->identifier_count && thing == NULL; i++)
		thing = find_by(g, r->type, &r->identifiers[i]);
	return thing;
}

static struct thing *
new_thing(struct gathering *g, enum record_type type)
{
	struct thing *thing = arena_alloc(g->arena, sizeof(*thing));

	thing->type = type;
	list_init(&thing->versions, g->arena, sizeof(struct version));
	*(struct thing **)list_add(&g->things) = thing;
	return thing;
}

/* What people call it: where no id is stated, an identifier. */
static const char *
name_of(const struct thing *thing)
{
	const struct record *r = version_at(thing, 0)->record;

	if (thing->id != NULL)
		return thing->id;
	return r->identifier_count > 0 ? r->identifiers[0].value
				       : record_fallback(r).value;
}

static void
index_thing(struct gathering *g, struct thing *thing, const struct record *r)
{
	struct identifier id = {"", r->id};

	if (r->id == NULL && r->identifier_count == 0)
		id = record_fallback(r);
	if (id.value != NULL)
		key_index_add(g->index, key_of(g, r->type, &id), thing);
	for (uint32_t i = 0; i < r->identifier_count; i++)
		/* of two Appointments the later is meant */
		if (r->identifiers[i].value != NULL)
			key_index_replace(g->index,
			    key_of(g, r->type, &r->identifiers[i]), thing);
	if (thing->id == NULL)
		thing->id = r->id;
}

/*
 * Are two ids under one identifier two things?  Appointments are, one takes
 * over from the other; so is what stands in one bundle side by side.
 */
static bool
is_another(const struct thing *thing, const struct record *r)
{
	if (r->id == NULL || thing->id == NULL ||
	    strcmp(r->id, thing->id) == 0 || r->type == RECORD_PATIENT)
		return false;
	return r->type == RECORD_VISIT ||
	       version_at(thing, 0)->record->fhir == r->fhir;
}

/* The thing that a record speaks of: by id, else by identifier. */
static struct thing *
thing_of(struct gathering *g, const struct record *r)
{
	struct identifier id = {"", r->id};
	struct thing *thing, *other = NULL;

	if (r->id == NULL && r->identifier_count == 0)
		id = record_fallback(r);
	thing = find_by(g, r->type, &id);
	if (thing == NULL)
		thing = find_by_identifiers(g, r);
	if (thing != NULL && is_another(thing, r)) {
		other = thing;
		thing = NULL;
	}
	if (thing == NULL) {
		thing = new_thing(g, r->type);
		if (r->type == RECORD_VISIT)
			thing->replaced = other;
	}
	index_thing(g, thing, r);
	return thing;
}

/*
 * Which is newer (> 0: a)?  Side by side in one file, what states when it
 * changed is newer than what does not.
 */
static int
compare_versions(const struct record *a, const struct record *b)
{
	int order = fhir_compare(a, b);

	if (order != 0 || a->fhir != b->fhir)
		return order;
	return (a->updated_at != AT_UNKNOWN) - (b->updated_at != AT_UNKNOWN);
}

/* Keep the versions in order; where nothing tells, the later is newer. */
static void
add_version(struct thing *thing, struct record *r)
{
	size_t at = thing->versions.count;

	/* a conditional create changes nothing that is there */
	if (at > 0 && r->method == RECORD_POST && r->match.value != NULL &&
	    fhir_compare(r, version_at(thing, at - 1)->record) == 0)
		return;
	(void)list_add(&thing->versions);
	for (; at > 0; at--) {
		struct version *before = version_at(thing, at - 1);

		if (compare_versions(r, before->record) >= 0)
			break;
		*version_at(thing, at) = *before;
	}
	*version_at(thing, at) = (struct version){.record = r};
}

static void
add_record(struct gathering *g, struct record *r)
{
	struct thing *thing;

	r->mark = NULL;
	if (r->type == RECORD_OTHER || r->type == RECORD_MEDICATION ||
	    r->refused)
		return;
	thing = thing_of(g, r);
	add_version(thing, r);
	r->mark = thing;
}

static struct thing *
resolve(struct gathering *g, const struct reference *reference,
    enum record_type type)
{
	if (!reference->given)
		return NULL;
	if (reference->record != NULL)
		return reference->record->mark;
	return find_by(g, type, &reference->identifier);
}

/* ---- whose it is ---- */

static const char *
subject_element(enum record_type type)
{
	switch (type) {
	case RECORD_RELATED_PERSON:
	case RECORD_CONSENT:
		return "patient";
	case RECORD_VISIT:
		return "participant";
	default:
		return "subject";
	}
}

static void
report_orphan(struct gathering *g, const struct record *r)
{
	struct problem *problem = list_add(&r->fhir->problems);

	problem->path = arena_printf(g->arena, "%s%s%s", r->path,
	    r->path[0] == '\0' ? "" : ".", subject_element(r->type));
	problem->code = "not-found";
	problem->text = "the patient is in none of the files";
	r->fhir->refused_count++;
}

static struct fhir_person *
person_of(struct gathering *g, struct thing *thing)
{
	for (size_t i = 0; i < thing->versions.count; i++) {
		const struct record *r = version_at(thing, i)->record;
		struct thing *self = resolve(g, &r->subject, RECORD_PATIENT);

		if (self != NULL && self->type == RECORD_PATIENT)
			return self->person;
	}
	return NULL;
}

static void
add_persons(struct gathering *g)
{
	struct thing **things = g->things.data;

	for (size_t i = 0; i < g->things.count; i++) {
		struct fhir_person *person;

		if (things[i]->type != RECORD_PATIENT)
			continue;
		person = arena_alloc(g->arena, sizeof(*person));
		person->view = g->view;
		person->self = things[i];
		person->id = name_of(things[i]);
		list_init(&person->things, g->arena, sizeof(struct thing *));
		things[i]->person = person;
		*(struct fhir_person **)list_add(&g->persons) = person;
	}
}

/* Who gave a consent, what was filled, renewed, replaced. */
static struct thing *
resolve_related(struct gathering *g, const struct record *r)
{
	switch (r->type) {
	case RECORD_CONSENT:
		return resolve(g, &r->actor, RECORD_RELATED_PERSON);
	case RECORD_VISIT:
		return resolve(g, &r->related, RECORD_VISIT);
	default:
		return resolve(g, &r->related, RECORD_PRESCRIPTION);
	}
}

static void
link_thing(struct gathering *g, struct thing *thing)
{
	struct thing *other = thing->replaced;

	for (size_t i = 0; i < thing->versions.count; i++) {
		struct version *version = version_at(thing, i);

		version->related = resolve_related(g, version->record);
	}
	/* whichever is newer takes over */
	if (other != NULL && other->replaced == NULL &&
	    compare_versions(version_at(thing, 0)->record,
		version_at(other, 0)->record) < 0) {
		other->replaced = thing;
		thing->replaced = NULL;
	}
}

static void
share_out(struct gathering *g)
{
	struct thing **things = g->things.data;

	for (size_t i = 0; i < g->things.count; i++) {
		struct thing *thing = things[i];

		if (thing->type == RECORD_PATIENT)
			continue;
		thing->person = person_of(g, thing);
		if (thing->person == NULL) {
			for (size_t k = 0; k < thing->versions.count; k++)
				report_orphan(g, version_at(thing, k)->record);
			continue;
		}
		link_thing(g, thing);
		*(struct thing **)list_add(&thing->person->things) = thing;
		thing->no = (int32_t)thing->person->things.count;
		thing->id = name_of(thing);
	}
}

/* ---- when it is known ---- */

/* When a version of a thing came to be known; index 0 is its first. */
static int64_t
known_at(
    const struct fhir_person *person, const struct thing *thing, size_t index)
{
	const struct record *r = version_at(thing, index)->record;
	const struct record *before =
	    index == 0 ? NULL : version_at(thing, index - 1)->record;
	int64_t at = r->updated_at;

	/* a fill counts from whenHandedOver, which plan knows of */
	if (r->type == RECORD_FILL && r->fill->status == FILL_COMPLETED &&
	    (before == NULL || before->fill->status != FILL_COMPLETED))
		return AT_UNKNOWN;
	if (r->type == RECORD_VISIT && r->visit->status == VISIT_DONE)
		return before == NULL ? AT_UNKNOWN : r->visit->start_at;
	if (before == NULL && (r->type == RECORD_PATIENT || at < person->from ||
				  at >= person->to))
		return AT_UNKNOWN;
	return at;
}

/* Drop the versions that a newer one supersedes from its beginning. */
static void
date_versions(const struct fhir_person *person, struct thing *thing)
{
	size_t count = thing->versions.count, kept = count;
	int64_t newer_at = AT_NEVER;

	for (size_t i = 0; i < count; i++)
		version_at(thing, i)->known_at = known_at(person, thing, i);
	for (size_t i = count; i > 0; i--) {
		struct version *version = version_at(thing, i - 1);

		if (i < count && version->known_at >= newer_at)
			continue;
		newer_at = version->known_at;
		*version_at(thing, --kept) = *version;
	}
	thing->versions.count = count - kept;
	memmove(thing->versions.data, version_at(thing, kept),
	    thing->versions.count * sizeof(struct version));
}

/* The window, in the zone of the newest Patient known when it begins. */
static void
set_window(struct fhir_person *person)
{
	const struct fhir_view *view = person->view;

	for (size_t i = person->self->versions.count; i > 0; i--) {
		const struct record *r =
		    version_at(person->self, i - 1)->record;

		person->zone =
		    r->person->zone != NULL ? r->person->zone : view->zone;
		person->from = zone_instant(person->zone, view->from_on, 0);
		person->to =
		    zone_instant(person->zone, view->from_on + view->days, 0);
		if (r->updated_at <= person->from)
			return;
	}
}

static void
settle_person(struct fhir_person *person, int32_t number)
{
	struct thing **things = person->things.data;

	person->number = number;
	set_window(person);
	date_versions(person, person->self);
	for (size_t i = 0; i < person->things.count; i++) {
		struct thing *thing = things[i];

		for (size_t k = 0; k < thing->versions.count; k++) {
			struct record *r = version_at(thing, k)->record;

			if (r->zone != person->zone)
				fhir_read_in(r, person->zone);
		}
		date_versions(person, thing);
	}
}

static int
compare_persons(const void *left, const void *right)
{
	const struct fhir_person *a = *(struct fhir_person *const *)left;
	const struct fhir_person *b = *(struct fhir_person *const *)right;

	return strcmp(a->id, b->id);
}

const struct fhir_people *
fhir_people_create(const struct fhir_file *files, size_t count,
    const struct fhir_view *view, struct arena *arena)
{
	struct gathering g = {.arena = arena, .view = view};
	struct fhir_people *people = arena_alloc(arena, sizeof(*people));
	size_t keys = 1;

	for (size_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < files[i].fhir->record_count; k++)
			keys += files[i].fhir->records[k].identifier_count + 1u;
	g.index = key_index_create(arena, keys);
	list_init(&g.things, arena, sizeof(struct thing *));
	list_init(&g.persons, arena, sizeof(struct fhir_person *));
	for (size_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < files[i].fhir->record_count; k++)
			add_record(&g, &files[i].fhir->records[k]);
	add_persons(&g);
	share_out(&g);
	people->persons = g.persons.data;
	people->count = (uint32_t)g.persons.count;
	if (people->count > 1)
		qsort(people->persons, people->count, sizeof(*people->persons),
		    compare_persons);
	for (uint32_t i = 0; i < people->count; i++)
		settle_person(people->persons[i], (int32_t)i + 1);
	return people;
}

/* ---- what is known ---- */

struct building {
	const struct fhir_person *person;
	int64_t at;
	int64_t next_at;
	struct list contacts, consents, prescriptions, fills, visits, stays;
};

/* The newest version known by then; NULL where none is or it is void. */
static const struct version *
known_version(const struct thing *thing, int64_t at)
{
	const struct version *known = NULL;

	for (size_t i = 0; i < thing->versions.count; i++) {
		const struct version *version = version_at(thing, i);

		if (version->known_at <= at)
			known = version;
	}
	return known == NULL || known->record->refused || known->record->empty
		   ? NULL
		   : known;
}

/* The number of another thing of that kind that is known by then; 0. */
static int32_t
number_of(
    const struct building *b, const struct thing *thing, enum record_type type)
{
	if (thing == NULL || thing->person != b->person ||
	    thing->type != type || known_version(thing, b->at) == NULL)
		return 0;
	return thing->no;
}

static void
add_contacts(struct building *b, const struct thing *thing,
    const struct person_record *person)
{
	for (uint32_t i = 0; i < person->contact_count; i++) {
		struct contact *contact = list_add(&b->contacts);

		*contact = person->contacts[i];
		contact->no = thing->no * CONTACTS_EACH + (int32_t)i + 1;
	}
}

static void
add_consents(struct building *b, const struct thing *thing,
    const struct version *version)
{
	const struct record *r = version->record;
	const struct thing *actor = version->related;

	for (uint32_t i = 0; i < r->consent_count; i++) {
		struct consent *consent = list_add(&b->consents);

		*consent = r->consents[i];
		consent->no = thing->no;
		/* somebody who stands in another file */
		if (actor != NULL && actor->type == RECORD_RELATED_PERSON)
			consent->actor =
			    version_at(actor, 0)->record->person->owner;
	}
}

static void
add_prescription(struct building *b, const struct thing *thing,
    const struct version *version)
{
	struct prescription *p;

	if (version->record->prescription->status == PRESCRIPTION_ERROR)
		return;
	p = list_add(&b->prescriptions);
	*p = *version->record->prescription;
	p->no = thing->no;
	p->id = thing->id;
	p->status_at = AT_UNKNOWN;
	p->prior_no = number_of(b, version->related, thing->type);
}

static void
add_fill(struct building *b, const struct thing *thing,
    const struct version *version)
{
	struct fill *fill;

	if (version->record->fill->status != FILL_COMPLETED &&
	    version->record->fill->status != FILL_IN_PROGRESS)
		return;
	fill = list_add(&b->fills);
	*fill = *version->record->fill;
	fill->no = thing->no;
	fill->id = thing->id;
	fill->prescription_no =
	    number_of(b, version->related, RECORD_PRESCRIPTION);
}

/* From when the status of a visit counts. */
static int64_t
visit_status_at(const struct building *b, const struct version *version)
{
	int64_t at = version->record->updated_at;

	if (version->record->visit->status == VISIT_DONE)
		return version->record->visit->start_at;
	return at < b->person->to ? at : AT_UNKNOWN;
}

/* Where it stood before, of the versions known so far. */
static void
set_moves(
    const struct building *b, const struct thing *thing, struct visit *visit)
{
	int64_t start_at = AT_NEVER;

	for (size_t i = 0; i < thing->versions.count; i++) {
		const struct version *version = version_at(thing, i);
		const struct visit *then = version->record->visit;

		if (version->known_at > b->at)
			break;
		if (visit->replaces_no != 0 && i == 0)
			visit->moved_at = version->known_at;
		if (start_at != AT_NEVER && then->start_at != start_at) {
			visit->previous_start_at = start_at;
			visit->moved_at = version->known_at;
		}
		start_at = then->start_at;
	}
}

static void
add_visit(struct building *b, const struct thing *thing,
    const struct version *version)
{
	struct visit *visit;

	if (version->record->visit->status == VISIT_ERROR)
		return;
	visit = list_add(&b->visits);
	*visit = *version->record->visit;
	visit->no = thing->no;
	visit->id = thing->id;
	visit->status_at = visit_status_at(b, version);
	visit->replaces_no = number_of(b, version->related, RECORD_VISIT);
	if (visit->replaces_no == 0)
		visit->replaces_no =
		    number_of(b, thing->replaced, RECORD_VISIT);
	set_moves(b, thing, visit);
}

static void
add_thing(struct building *b, const struct thing *thing)
{
	const struct version *version = known_version(thing, b->at);

	if (version == NULL)
		return;
	switch (thing->type) {
	case RECORD_RELATED_PERSON:
		if (version->record->person->active)
			add_contacts(b, thing, version->record->person);
		break;
	case RECORD_CONSENT:
		add_consents(b, thing, version);
		break;
	case RECORD_PRESCRIPTION:
		add_prescription(b, thing, version);
		break;
	case RECORD_FILL:
		add_fill(b, thing, version);
		break;
	case RECORD_VISIT:
		add_visit(b, thing, version);
		break;
	case RECORD_STAY:
		*(struct stay *)list_add(&b->stays) = *version->record->stay;
		((struct stay *)b->stays.data)[b->stays.count - 1].no =
		    thing->no;
		break;
	default:
		break;
	}
}

/*
 * When the first Consent for that topic and channel is known; of those
 * known so far, whatever came of them.
 */
static int64_t
first_consent_at(const struct building *b, uint32_t topic, uint32_t channels)
{
	struct thing **things = b->person->things.data;
	int64_t first = AT_NEVER;

	for (size_t i = 0; i < b->person->things.count; i++) {
		const struct thing *thing = things[i];

		if (thing->type != RECORD_CONSENT)
			continue;
		for (size_t k = 0; k < thing->versions.count; k++) {
			const struct version *v = version_at(thing, k);
			const struct record *r = v->record;

			if (v->known_at > b->at || r->empty || r->refused)
				continue;
			for (uint32_t n = 0; n < r->consent_count; n++)
				if ((r->consents[n].topics & topic) != 0 &&
				    (r->consents[n].channels & channels) != 0 &&
				    r->consents[n].given_at < first)
					first = r->consents[n].given_at;
		}
	}
	return first;
}

/* Assumed consent: a rule for each topic and contact of the patient. */
static void
assume_consents(struct building *b)
{
	const struct contact *contacts = b->contacts.data;

	for (size_t i = 0; i < b->contacts.count; i++)
		for (uint32_t topic = 1; topic <= TOPIC_ANY_HOUR; topic <<= 1) {
			const struct contact *contact = &contacts[i];
			uint32_t channels = CHANNEL_BIT(contact->channel);
			int64_t until_at;
			struct consent *consent;

			if ((b->person->view->assume & topic) == 0 ||
			    contact->owner == OWNER_CAREGIVER)
				continue;
			until_at = first_consent_at(b, topic, channels);
			if (contact->until_at < until_at)
				until_at = contact->until_at;
			consent = list_add(&b->consents);
			*consent = (struct consent){
			    .given_at = AT_UNKNOWN,
			    .from_at = contact->from_at,
			    .until_at = until_at,
			    .permit = true,
			    .topics = topic,
			    .channels = channels,
			    .actor = OWNER_SELF,
			};
		}
}

static void
note_changes(struct building *b, const struct thing *thing)
{
	for (size_t i = 0; i < thing->versions.count; i++) {
		int64_t at = version_at(thing, i)->known_at;

		if (at > b->at && at < b->next_at)
			b->next_at = at;
	}
}

/* lastUpdated inside the window delays the status of a first version. */
static void
fill_in_patient(struct building *b, struct dossier *d)
{
	const struct fhir_person *person = b->person;
	const struct version *version = known_version(person->self, b->at);
	const struct person_record *p = version->record->person;
	int64_t updated_at = version->record->updated_at;

	*d = (struct dossier){
	    .patient_id = person->number,
	    .id = person->id,
	    .zone = p->zone != NULL ? p->zone : person->view->zone,
	    .locale = p->locale != NULL ? p->locale : "zh-CN",
	    .name = p->name,
	    .active = p->active,
	    .inactive_at = AT_UNKNOWN,
	    .deceased_at = p->deceased_at,
	    .paused_until = AT_UNKNOWN,
	    .birth_on = p->birth_until_on,
	    .profile = {-1, -1, -1, -1, -1},
	};
	if (version->known_at == AT_UNKNOWN && updated_at >= person->from &&
	    updated_at < person->to) {
		d->inactive_at = updated_at;
		if (d->deceased_at < updated_at)
			d->deceased_at = updated_at;
	}
	add_contacts(b, person->self, p);
}

int64_t
fhir_person_dossier(const struct fhir_person *person, int64_t at,
    struct arena *arena, struct dossier *d)
{
	struct building b = {.person = person, .at = at, .next_at = AT_NEVER};
	struct thing **things = person->things.data;

	list_init(&b.contacts, arena, sizeof(struct contact));
	list_init(&b.consents, arena, sizeof(struct consent));
	list_init(&b.prescriptions, arena, sizeof(struct prescription));
	list_init(&b.fills, arena, sizeof(struct fill));
	list_init(&b.visits, arena, sizeof(struct visit));
	list_init(&b.stays, arena, sizeof(struct stay));
	fill_in_patient(&b, d);
	note_changes(&b, person->self);
	for (size_t i = 0; i < person->things.count; i++) {
		add_thing(&b, things[i]);
		note_changes(&b, things[i]);
	}
	assume_consents(&b);
	d->contacts = b.contacts.data;
	d->contact_count = (uint32_t)b.contacts.count;
	d->consents = b.consents.data;
	d->consent_count = (uint32_t)b.consents.count;
	d->prescriptions = b.prescriptions.data;
	d->prescription_count = (uint32_t)b.prescriptions.count;
	d->fills = b.fills.data;
	d->fill_count = (uint32_t)b.fills.count;
	d->visits = b.visits.data;
	d->visit_count = (uint32_t)b.visits.count;
	d->stays = b.stays.data;
	d->stay_count = (uint32_t)b.stays.count;
	return b.next_at;
}
