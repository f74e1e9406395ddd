/*
 * The dossier of a person as known at an instant, from the versions that
 * are known by then.  Owns what a version means for a decision; pure.
 */
#include "door/fhir_dossier.h"

#include "door/fhir_thing.h"

#define CONTACTS_EACH 1000 /* numbers for the contacts of one resource */

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
		const struct version *version = fhir_version(thing, i);

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
			    fhir_version(actor, 0)->record->person->owner;
	}
}

/* When it took its status, of the versions known so far. */
static int64_t
prescription_status_at(const struct thing *thing, const struct version *version)
{
	const struct version *since = version;

	while (since > fhir_version(thing, 0) &&
	       since[-1].record->prescription != NULL &&
	       since[-1].record->prescription->status ==
		   version->record->prescription->status)
		since--;
	return since == fhir_version(thing, 0) ? AT_UNKNOWN : since->known_at;
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
	p->status_at = prescription_status_at(thing, version);
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
	return at >= b->person->from && at < b->person->to ? at : AT_UNKNOWN;
}

/* Where it stood before, of the versions known so far. */
static void
set_moves(
    const struct building *b, const struct thing *thing, struct visit *visit)
{
	int64_t start_at = AT_NEVER;

	for (size_t i = 0; i < thing->versions.count; i++) {
		const struct version *version = fhir_version(thing, i);
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
			const struct version *v = fhir_version(thing, k);
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
			    .actor = contact->owner,
			};
		}
}

static void
note_changes(struct building *b, const struct thing *thing)
{
	for (size_t i = 0; i < thing->versions.count; i++) {
		int64_t at = fhir_version(thing, i)->known_at;

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
	    .profile = DAY_PROFILE_DEFAULT,
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
