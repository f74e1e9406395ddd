/*
 * Appointment, Consent and Encounter: visits to come, what the patient
 * agreed to hear, and days in hospital.
 */
#include <string.h>

#include "door/fhir_read.h"

#define SYSTEM_CONFIDENTIALITY \
	"http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
#define SYSTEM_ACT "http://terminology.hl7.org/CodeSystem/v3-ActCode"
#define SYSTEM_SCOPE "http://terminology.hl7.org/CodeSystem/consentscope"

static bool
is_one_of(const char *const *list, size_t count, const char *text)
{
	for (size_t i = 0; i < count && text != NULL; i++)
		if (strcmp(list[i], text) == 0)
			return true;
	return false;
}

bool
fhir_sensitive(const struct json *resource)
{
	static const char *const degrees[] = {"R", "V"};
	static const char *const topics[] = {"HIV", "PSY", "PSYTHPN", "MH",
	    "BH", "SUD", "ETH", "ETHUD", "OPIOIDUD", "STD", "SEX", "SDV",
	    "GDIS", "SICKLE"};

	json_each (label, json_get(json_get(resource, "meta"), "security")) {
		const char *system = json_get_text(label, "system");
		const char *code = json_get_text(label, "code");

		if (system == NULL)
			continue;
		if ((strcmp(system, SYSTEM_CONFIDENTIALITY) == 0 &&
			is_one_of(degrees, COUNT(degrees), code)) ||
		    (strcmp(system, SYSTEM_ACT) == 0 &&
			is_one_of(topics, COUNT(topics), code)))
			return true;
	}
	return false;
}

/* Resolve a reference to any kind, and say which; NULL: not known. */
static const char *
reference_type(struct reading *reading, const struct json *json,
    const char *path, struct reference *reference)
{
	fhir_reference(reading, json, path, NULL, reference);
	return reference->type;
}

/* The patient, and the keys of those who see them. */
static void
read_participants(struct reading *reading, struct visit *visit)
{
	struct arena *arena = reading->fhir->arena;
	const struct json *list = fhir_array(
	    reading, reading->record->json, "participant", "participant");
	const struct json *patient = NULL;
	uint32_t index = 0;

	json_each (participant, list) {
		const struct json *actor = json_get(participant, "actor");
		const char *path =
		    arena_printf(arena, "participant[%u].actor", index++);
		struct reference reference;
		const char *type =
		    reference_type(reading, actor, path, &reference);
		const char *key;

		if (type != NULL && strcmp(type, "Patient") == 0) {
			if (patient != NULL)
				fhir_refuse(reading, "not-supported",
				    "is a second patient", "%s", path);
			patient = actor;
			continue;
		}
		/* of an unknown kind: only whoever prescribes has its key */
		key = fhir_reference_key(reading, &reference);
		if ((type != NULL && strncmp(type, "Practitioner", 12) != 0) ||
		    key == NULL)
			continue;
		visit->practitioners = visit->practitioners == NULL
					   ? key
					   : arena_printf(arena, "%s %s",
						 visit->practitioners, key);
	}
	fhir_subject(reading, patient, "participant");
}

static void
read_visit_times(
    struct reading *reading, const char *status, struct visit *visit)
{
	static const char *const open[] = {
	    "proposed", "cancelled", "waitlist", "entered-in-error"};
	const struct json *json = reading->record->json;
	struct moment start, end;
	bool has_start = fhir_moment(reading, json, "start", "start", &start);
	bool has_end = fhir_moment(reading, json, "end", "end", &end);

	visit->start_at = AT_NEVER;
	if (reading->record->refused)
		return;
	if (has_start != has_end) {
		fhir_refuse(reading, "invariant", "start and end come together",
		    has_start ? "end" : "start");
		return;
	}
	if (!has_start) {
		if (!is_one_of(open, COUNT(open), status))
			fhir_refuse(reading, "invariant",
			    "is missing in a visit of this status", "start");
		return;
	}
	if (!start.has_time || !end.has_time)
		fhir_refuse(reading, "value", "must have a time", "%s",
		    start.has_time ? "end" : "start");
	else if (end.at < start.at)
		fhir_refuse(reading, "invariant", "is before start", "end");
	visit->start_at = start.at;
	visit->start_has_time = true;
}

/* What the visit is for; of a sensitive one nothing is told. */
static const char *
read_description(struct reading *reading)
{
	const struct json *json = reading->record->json;
	const char *text;

	if (fhir_sensitive(json))
		return NULL;
	text = fhir_text(
	    reading, json, "description", "description", FHIR_NOTE_MAX);
	if (text == NULL)
		text = fhir_concept_text(
		    json_at(json_get(json, "serviceType"), 0));
	if (text == NULL)
		text = fhir_concept_text(json_get(json, "appointmentType"));
	return text == NULL || fhir_characters(text) > FHIR_NOTE_MAX ? NULL
								     : text;
}

/* The Appointment that this one takes over. */
static void
read_replaced(struct reading *reading)
{
	struct arena *arena = reading->fhir->arena;
	const struct json *list = fhir_array(reading, reading->record->json,
	    "supportingInformation", "supportingInformation");
	uint32_t index = 0;

	json_each (item, list) {
		struct reference reference;
		const char *type = reference_type(reading, item,
		    arena_printf(arena, "supportingInformation[%u]", index++),
		    &reference);

		if (type != NULL && strcmp(type, "Appointment") == 0) {
			reading->record->related = reference;
			return;
		}
	}
}

void
fhir_read_visit(struct reading *reading)
{
	static const struct word words[] = {
	    {"proposed", VISIT_WISHED},
	    {"pending", VISIT_PLANNED},
	    {"booked", VISIT_PLANNED},
	    {"waitlist", VISIT_WISHED},
	    {"arrived", VISIT_DONE},
	    {"checked-in", VISIT_DONE},
	    {"fulfilled", VISIT_DONE},
	    {"cancelled", VISIT_CANCELLED},
	    {"noshow", VISIT_NOSHOW},
	    {"entered-in-error", VISIT_ERROR},
	};
	struct record *record = reading->record;
	struct visit *visit = arena_alloc(reading->fhir->arena, sizeof(*visit));

	read_participants(reading, visit);
	visit->id = record->id;
	visit->status = (enum visit_status)fhir_code(
	    reading, record->json, "status", words, COUNT(words));
	visit->status_at = record->updated_at;
	visit->previous_start_at = visit->moved_at = AT_NEVER;
	read_visit_times(reading, json_get_text(record->json, "status"), visit);
	visit->description = read_description(reading);
	read_replaced(reading);
	record->visit = visit;
}

/* The bits that codings of our system name; other systems say nothing. */
static uint32_t
named_bits(struct reading *reading, const struct json *codings,
    const char *system, uint32_t (*bit)(const char *word), const char *path)
{
	uint32_t bits = 0;

	json_each (coding, codings) {
		const char *its = json_get_text(coding, "system");
		const char *code = json_get_text(coding, "code");
		uint32_t one;

		if (its == NULL || strcmp(its, system) != 0)
			continue;
		one = code == NULL ? 0 : bit(code);
		/* left out, it would make a rule for everything */
		if (one == 0)
			fhir_refuse(reading, "code-invalid",
			    "is no code of its system", "%s", path);
		bits |= one;
	}
	return bits;
}

static uint32_t
channel_bit(const char *word)
{
	enum channel channel = patient_channel_from_word(word);

	return channel == CHANNEL_NONE ? 0 : CHANNEL_BIT(channel);
}

static uint32_t
read_topics(struct reading *reading, const struct json *provision,
    const char *path, uint32_t inherited)
{
	const char *at = arena_printf(reading->fhir->arena, "%s.purpose", path);
	const struct json *list = fhir_array(reading, provision, "purpose", at);

	if (list == NULL || list->count == 0)
		return inherited;
	return named_bits(reading, list, SYSTEM_TOPIC, topic_from_word, at);
}

static uint32_t
read_channels(struct reading *reading, const struct json *provision,
    const char *path, uint32_t inherited)
{
	const char *at = arena_printf(reading->fhir->arena, "%s.action", path);
	const struct json *list = fhir_array(reading, provision, "action", at);
	uint32_t bits = 0;

	if (list == NULL || list->count == 0)
		return inherited;
	json_each (action, list)
		bits |= named_bits(reading, json_get(action, "coding"),
		    SYSTEM_CHANNEL, channel_bit, at);
	return bits;
}

/*
 * A provision and those in it: a rule each where they have a type.  What
 * one does not state itself it takes from the one around it.
 */
static void
read_provision(struct reading *reading, const struct json *json,
    const char *path, struct consent above, struct list *rules)
{
	uint32_t around = above.channels;
	struct arena *arena = reading->fhir->arena;
	const struct json *nested;
	const char *type = fhir_text(reading, json, "type",
	    arena_printf(arena, "%s.type", path), FHIR_TEXT_MAX);
	uint32_t index = 0;
	struct period period;

	if (rules->count >= FHIR_ITEMS_MAX) {
		fhir_refuse(
		    reading, "too-costly", "is one rule too many", "%s", path);
		return;
	}
	if (fhir_period(reading, json_get(json, "period"),
		arena_printf(arena, "%s.period", path), &period)) {
		above.from_at = period.from_at;
		above.until_at = period.until_at;
	}
	above.topics = read_topics(reading, json, path, above.topics);
	above.channels = read_channels(reading, json, path, above.channels);
	if (type != NULL) {
		above.permit = strcmp(type, "permit") == 0;
		if (!above.permit && strcmp(type, "deny") != 0)
			fhir_refuse(reading, "code-invalid",
			    "is neither permit nor deny", "%s.type", path);
		/* a denial of ways that are not ours denies them all */
		if (!above.permit && above.channels == 0)
			above.channels = around;
		if (above.topics != 0 && above.channels != 0)
			*(struct consent *)list_add(rules) = above;
	}
	path = arena_printf(arena, "%s.provision", path);
	nested = fhir_array(reading, json, "provision", path);
	json_each (item, nested)
		read_provision(reading, item,
		    arena_printf(arena, "%s[%u]", path, index++), above, rules);
}

/*
 * When a consent that is no more was withdrawn: where its period ended,
 * else when that became known.  One that was rejected never was.
 */
static int64_t
read_withdrawn_at(struct reading *reading, const char *status)
{
	const struct json *json = reading->record->json;
	const char *end = json_get_text(
	    json_get(json_get(json, "provision"), "period"), "end");
	struct moment moment;

	if (strcmp(status, "rejected") == 0)
		return AT_UNKNOWN;
	if (end != NULL && moment_parse(reading->zone, end, &moment))
		return moment.at;
	return reading->record->updated_at;
}

/* Who gave it: the first performer that is the patient or a carer. */
static enum owner
read_actor(struct reading *reading)
{
	struct record *record = reading->record;
	const struct json *list =
	    fhir_array(reading, record->json, "performer", "performer");
	uint32_t index = 0;

	json_each (performer, list) {
		struct reference reference;
		const char *type = reference_type(reading, performer,
		    arena_printf(
			reading->fhir->arena, "performer[%u]", index++),
		    &reference);

		if (type == NULL || (strcmp(type, "Patient") != 0 &&
					strcmp(type, "RelatedPerson") != 0))
			continue;
		record->actor = reference;
		if (strcmp(type, "Patient") == 0)
			return OWNER_SELF;
		if (reference.record != NULL &&
		    reference.record->person != NULL)
			return reference.record->person->owner;
		/* elsewhere: whoever stores it may know better */
		return fhir_owner(
		    json_get(reference.contained, "relationship"));
	}
	return OWNER_SELF;
}

/* Is it about privacy, rather than treatment, research, last wishes? */
static bool
is_privacy_consent(const struct json *json)
{
	const char *scope =
	    fhir_concept_code(json_get(json, "scope"), SYSTEM_SCOPE);

	return scope == NULL || strcmp(scope, "patient-privacy") == 0;
}

static void
read_rules(struct reading *reading, const char *status)
{
	struct record *record = reading->record;
	struct list rules;
	struct consent common = {
	    .from_at = AT_UNKNOWN,
	    .until_at = AT_NEVER,
	    .topics = TOPIC_ALL,
	    .channels = CHANNEL_ALL,
	    .withdrawn = strcmp(status, "active") != 0,
	    .withdrawn_at = AT_UNKNOWN,
	};
	struct moment given;

	common.given_at = fhir_source_at(record);
	if (fhir_moment(reading, record->json, "dateTime", "dateTime", &given))
		common.given_at = given.at;
	if (common.withdrawn)
		common.withdrawn_at = read_withdrawn_at(reading, status);
	common.actor = read_actor(reading);
	list_init(&rules, reading->fhir->arena, sizeof(struct consent));
	read_provision(reading, json_get(record->json, "provision"),
	    "provision", common, &rules);
	record->consents = rules.data;
	record->consent_count = (uint32_t)rules.count;
}

void
fhir_read_consent(struct reading *reading)
{
	static const struct word words[] = {
	    {"draft", false},
	    {"proposed", false},
	    {"entered-in-error", false},
	    {"active", true},
	    {"inactive", true},
	    {"rejected", true},
	};
	struct record *record = reading->record;
	const struct json *json = record->json;
	int speaks = fhir_code(reading, json, "status", words, COUNT(words));

	fhir_subject(reading, json_get(json, "patient"), "patient");
	if (json_get(json, "policyRule") == NULL &&
	    json_get(json, "policy") == NULL)
		fhir_refuse(reading, "invariant",
		    "needs a policy or a policyRule", "policyRule");
	record->consents = NULL;
	record->consent_count = 0;
	if (speaks > 0 && is_privacy_consent(json))
		read_rules(reading, json_get_text(json, "status"));
	record->empty = record->consent_count == 0;
}

bool
fhir_is_stay(const struct json *encounter)
{
	static const char *const classes[] = {"IMP", "ACUTE", "NONAC"};
	const struct json *class = json_get(encounter, "class");
	const char *system = json_get_text(class, "system");

	return (system == NULL || strcmp(system, SYSTEM_ACT) == 0) &&
	       is_one_of(classes, COUNT(classes), json_get_text(class, "code"));
}

void
fhir_read_stay(struct reading *reading)
{
	enum { NOTHING, OPEN, OVER };
	static const struct word words[] = {
	    {"planned", NOTHING},
	    {"cancelled", NOTHING},
	    {"entered-in-error", NOTHING},
	    {"unknown", NOTHING},
	    {"arrived", OPEN},
	    {"triaged", OPEN},
	    {"in-progress", OPEN},
	    {"onleave", OPEN},
	    {"finished", OVER},
	};
	struct record *record = reading->record;
	struct stay *stay = arena_alloc(reading->fhir->arena, sizeof(*stay));
	int status =
	    fhir_code(reading, record->json, "status", words, COUNT(words));
	struct period period;

	fhir_subject(reading, json_get(record->json, "subject"), "subject");
	(void)fhir_period(
	    reading, json_get(record->json, "period"), "period", &period);
	record->empty = status == NOTHING;
	if (status > NOTHING && !period.has_start && !record->refused)
		fhir_refuse(reading, "required", "is missing", "period.start");
	/* without an end it would hold the patient for ever */
	if (status == OVER && !period.has_end && !record->refused)
		fhir_refuse(reading, "required", "is missing", "period.end");
	stay->from_at = period.from_at;
	stay->until_at = period.until_at;
	record->stay = stay;
}
