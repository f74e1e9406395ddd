/*
 * Records of several bundles → people and the things that are theirs, each
 * with its versions.  Owns the rules of who is meant by a reference and of
 * when a version is known; no side effects but problems and marks.
 */
#include "door/fhir_thing.h"

#include <stdlib.h>
#include <string.h>

struct gathering {
	struct arena *arena;
	const struct fhir_view *view;
	struct key_index *index; /* of things, by type and key */
	struct list things;      /* struct thing *, in order of appearance */
	struct list persons;     /* struct fhir_person * */
};

struct version *
fhir_version(const struct thing *thing, size_t index)
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
	const struct record *r = fhir_version(thing, 0)->record;

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
	       fhir_version(thing, 0)->record->fhir == r->fhir;
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
	    fhir_compare(r, fhir_version(thing, at - 1)->record) == 0)
		return;
	(void)list_add(&thing->versions);
	for (; at > 0; at--) {
		struct version *before = fhir_version(thing, at - 1);

		if (compare_versions(r, before->record) >= 0)
			break;
		*fhir_version(thing, at) = *before;
	}
	*fhir_version(thing, at) = (struct version){.record = r};
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

static void
report_orphan(struct gathering *g, const struct record *r)
{
	struct problem *problem = list_add(&r->fhir->problems);

	problem->path = arena_printf(g->arena, "%s%s%s", r->path,
	    r->path[0] == '\0' ? "" : ".", record_subject_element(r->type));
	problem->code = "not-found";
	problem->text = "the patient is in none of the files";
	r->fhir->refused_count++;
}

static struct fhir_person *
person_of(struct gathering *g, struct thing *thing)
{
	for (size_t i = 0; i < thing->versions.count; i++) {
		const struct record *r = fhir_version(thing, i)->record;
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

static bool
is_cancelled(const struct thing *thing)
{
	const struct record *r =
	    fhir_version(thing, thing->versions.count - 1)->record;

	return r->visit != NULL && r->visit->status == VISIT_CANCELLED;
}

/*
 * Does the visit take over from the other?  The newer one does, but none
 * that was cancelled from one that was not: a visit is often booked anew
 * before the old one is cancelled.
 */
static bool
takes_over(const struct thing *thing, const struct thing *other)
{
	if (is_cancelled(thing) != is_cancelled(other))
		return is_cancelled(other);
	return compare_versions(fhir_version(thing, 0)->record,
		   fhir_version(other, 0)->record) >= 0;
}

static void
link_thing(struct gathering *g, struct thing *thing)
{
	struct thing *other = thing->replaced;

	for (size_t i = 0; i < thing->versions.count; i++) {
		struct version *version = fhir_version(thing, i);

		version->related = resolve_related(g, version->record);
	}
	if (other != NULL && other->replaced == NULL &&
	    !takes_over(thing, other)) {
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
				report_orphan(
				    g, fhir_version(thing, k)->record);
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
	const struct record *r = fhir_version(thing, index)->record;
	const struct record *before =
	    index == 0 ? NULL : fhir_version(thing, index - 1)->record;
	int64_t at = r->updated_at;

	/* a fill counts from whenHandedOver, which plan knows of */
	if (r->type == RECORD_FILL && r->fill->status == FILL_COMPLETED &&
	    (before == NULL || before->fill->status != FILL_COMPLETED))
		return AT_UNKNOWN;
	if (r->type == RECORD_VISIT && r->visit->status == VISIT_DONE)
		return before == NULL ? AT_UNKNOWN : r->visit->start_at;
	if (before == NULL && (r->type == RECORD_PATIENT || at < person->from))
		return AT_UNKNOWN;
	if (at >= person->to)
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
		fhir_version(thing, i)->known_at = known_at(person, thing, i);
	for (size_t i = count; i > 0; i--) {
		struct version *version = fhir_version(thing, i - 1);

		if (i < count && version->known_at >= newer_at)
			continue;
		newer_at = version->known_at;
		*fhir_version(thing, --kept) = *version;
	}
	thing->versions.count = count - kept;
	memmove(thing->versions.data, fhir_version(thing, kept),
	    thing->versions.count * sizeof(struct version));
}

/* The window, in the zone of the newest Patient known when it begins. */
static void
set_window(struct fhir_person *person)
{
	const struct fhir_view *view = person->view;

	for (size_t i = person->self->versions.count; i > 0; i--) {
		const struct record *r =
		    fhir_version(person->self, i - 1)->record;

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
			struct record *r = fhir_version(thing, k)->record;

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
