/*
 * MedicationRequest and MedicationDispense: which drug, how it is taken,
 * how much of it was ordered and handed out.  Owns the key of a drug: one
 * ingredient, one key, whichever house code a sender adds.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "door/fhir_read.h"

#define SYSTEM_COURSE_NHS \
	"https://fhir.nhs.uk/CodeSystem/" \
	"medicationrequest-course-of-therapy"
#define SYSTEM_COURSE \
	"http://terminology.hl7.org/CodeSystem/" \
	"medicationrequest-course-of-therapy"
#define REPEATS_MAX 1000

/* Upper case if it names an ingredient ("C08CA01"), not a group; or NULL. */
static const char *
atc_ingredient(struct arena *arena, const char *code)
{
	char *atc;

	if (code == NULL || strlen(code) != 7)
		return NULL;
	atc = arena_text(arena, code);
	for (unsigned i = 0; i < 7; i++) {
		bool letter = i == 0 || i == 3 || i == 4;

		atc[i] = (char)toupper((unsigned char)atc[i]);
		if (letter ? !isupper((unsigned char)atc[i])
			   : !isdigit((unsigned char)atc[i]))
			return NULL;
	}
	return atc;
}

/* One form for all spellings: case, width, composition, spaces. */
static const char *
normal_text(struct arena *arena, const char *text)
{
	utf8proc_uint8_t *folded = NULL;
	char *key;
	size_t bytes = 0;

	if (utf8proc_map((const utf8proc_uint8_t *)text, 0, &folded,
		UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE |
		    UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_STRIPCC |
		    UTF8PROC_IGNORE) < 0) {
		free(folded);
		return text;
	}
	key = arena_text(arena, (const char *)folded);
	free(folded);
	for (const char *c = key; *c != '\0'; c++)
		if (*c != ' ' || (bytes > 0 && key[bytes - 1] != ' '))
			key[bytes++] = *c;
	while (bytes > 0 && key[bytes - 1] == ' ')
		bytes--;
	key[bytes] = '\0';
	return key;
}

/* Key of the ingredient: ATC, else the first code, else the text. */
static const char *
drug_key(struct arena *arena, const struct json *concept, const char *name)
{
	const char *atc =
	    atc_ingredient(arena, fhir_concept_code(concept, SYSTEM_ATC));

	if (atc != NULL)
		return arena_printf(arena, "%s|%s", SYSTEM_ATC, atc);
	json_each (coding, json_get(concept, "coding")) {
		const char *system = json_get_text(coding, "system");
		const char *code = json_get_text(coding, "code");

		/* a group of the ATC is many drugs */
		if (code == NULL || *code == '\0' ||
		    fhir_characters(code) > FHIR_TEXT_MAX ||
		    (system != NULL &&
			(strcmp(system, SYSTEM_ATC) == 0 ||
			    fhir_characters(system) > FHIR_TEXT_MAX)))
			continue;
		return arena_printf(
		    arena, "%s|%s", system == NULL ? "-" : system, code);
	}
	return arena_printf(arena, "text|%s", normal_text(arena, name));
}

struct drug {
	const char *key; /* NULL: refused */
	const char *name;
};

/* The Medication referred to: its code, or at least what it is called. */
static void
read_medication_reference(
    struct reading *reading, const struct json **concept, const char **name)
{
	static const char path[] = "medicationReference";
	struct reference reference;

	fhir_reference(reading, json_get(reading->record->json, path), path,
	    "Medication", &reference);
	if (reference.contained != NULL)
	*concept = json_get(reference.contained, "code");
	else if (reference.record != NULL) *concept =
	    json_get(reference.record->json, "code");
	*name = fhir_concept_text(*concept);
	if (*name == NULL)
		*name = reference.display;
}

static struct drug
read_drug(struct reading *reading)
{
	static const char path[] = "medicationCodeableConcept";
	const struct json *json = reading->record->json;
	const struct json *concept = json_get(json, path);
	const struct json *refers = json_get(json, "medicationReference");
	struct drug drug = {.name = fhir_concept_text(concept)};

	if (concept != NULL && refers != NULL) {
		fhir_refuse(
		    reading, "structure", "is given in two ways", "%s", path);
		return drug;
	}
	if (refers != NULL)
		read_medication_reference(reading, &concept, &drug.name);
	if (drug.name == NULL || *drug.name == '\0') {
		if (!reading->record->refused)
			fhir_refuse(reading, "required",
			    "names no medication that is known here", "%s",
			    refers != NULL ? "medicationReference" : path);
		return drug;
	}
	if (fhir_characters(drug.name) > FHIR_TEXT_MAX) {
		fhir_refuse(
		    reading, "too-long", "has too long a name", "%s", path);
		return drug;
	}
	drug.key = drug_key(reading->fhir->arena, concept, drug.name);
	return drug;
}

/* The dose as ordered, rather than as calculated. */
static const struct json *
choose_dose(const struct json *doses)
{
	json_each (dose, doses) {
		const char *code = json_get_text(
		    json_at(json_get(json_get(dose, "type"), "coding"), 0),
		    "code");

		if (code != NULL && strcmp(code, "ordered") == 0)
			return dose;
	}
	return json_at(doses, 0);
}

/* PRN or SOS; a boolean, or when. */
static bool
read_as_needed(
    struct reading *reading, const struct json *json, const char *path)
{
	bool coded = json_get(json, "asNeededCodeableConcept") != NULL;

	if (coded && json_get(json, "asNeededBoolean") != NULL)
		fhir_refuse(reading, "structure", "is given in two ways",
		    "%s.asNeededBoolean", path);
	return coded || fhir_boolean(reading, json, "asNeededBoolean",
			    arena_printf(reading->fhir->arena,
				"%s.asNeededBoolean", path),
			    false);
}

/* Written in words: a timing, or NULL where they are not clear. */
static const struct timing *
read_timing_text(struct reading *reading, const struct json *json,
    const char *path, struct dosage *dosage)
{
	const char *text = json_get_text(json, "text");
	struct shorthand shorthand;

	if (text == NULL || fhir_characters(text) > FHIR_NOTE_MAX)
		return NULL;
	timing_read_text(text, reading->fhir->arena, &shorthand);
	dosage->as_needed |= shorthand.as_needed;
	if (shorthand.confirm != NULL)
		fhir_warn(reading, "informational",
		    "空腹 taken as before breakfast, confirm", "%s.text", path);
	return shorthand.timing;
}

/* The schedule, as coded or in words; or why a person must look at it. */
static void
read_timing(struct reading *reading, const struct json *json, const char *path,
    struct dosage *dosage, struct dosage_record *record)
{
	struct arena *arena = reading->fhir->arena;
	struct timing_error error;
	const char *at;

	record->timing = json_get(json, "timing");
	dosage->timing = record->timing != NULL
			     ? timing_parse(record->timing, arena, &error)
			     : read_timing_text(reading, json, path, dosage);
	if (dosage->timing != NULL) {
		record->needs_review = timing_needs_review(dosage->timing);
		return;
	}
	if (record->timing == NULL) {
		if (!dosage->as_needed)
			record->needs_review = "no timing that is clear";
		return;
	}
	/* an invariant is one of the whole element */
	at = strcmp(error.code, "invariant") == 0 ? "repeat" : error.at;
	fhir_refuse(reading, error.code, arena_text(arena, error.text),
	    "%s.timing%s%s", path, *at == '\0' ? "" : ".", at);
}

static void
read_dosage(struct reading *reading, const struct json *json, const char *path,
    struct dosage *dosage, struct dosage_record *record)
{
	struct arena *arena = reading->fhir->arena;
	const struct json *doses = fhir_array(reading, json, "doseAndRate",
	    arena_printf(arena, "%s.doseAndRate", path));
	struct quantity dose;

	dosage->sequence = fhir_integer(reading, json, "sequence",
	    arena_printf(arena, "%s.sequence", path), INT32_MAX);
	if (dosage->sequence < 0)
		dosage->sequence = 0;
	dosage->as_needed = read_as_needed(reading, json, path);
	dose =
	    fhir_quantity(reading, json_get(choose_dose(doses), "doseQuantity"),
		arena_printf(arena, "%s.doseAndRate.doseQuantity", path));
	dosage->dose_micro = dose.micro;
	dosage->dose_unit = dose.unit;
	read_timing(reading, json, path, dosage, record);
}

static void
read_dosages(struct reading *reading, struct prescription *prescription)
{
	struct arena *arena = reading->fhir->arena;
	const struct json *list = fhir_array(reading, reading->record->json,
	    "dosageInstruction", "dosageInstruction");
	struct dosage *dosages;
	struct dosage_record *records;
	uint32_t index = 0;

	if (list == NULL)
		return;
	dosages = arena_array(arena, list->count + 1, sizeof(*dosages));
	records = arena_array(arena, list->count + 1, sizeof(*records));
	json_each (item, list) {
		const char *path =
		    arena_printf(arena, "dosageInstruction[%u]", index);

		read_dosage(
		    reading, item, path, &dosages[index], &records[index]);
		/* whoever sends it should know that nothing will follow */
		if (records[index].needs_review != NULL &&
		    prescription->status == PRESCRIPTION_ACTIVE &&
		    !dosages[index].as_needed && !reading->record->refused)
			fhir_warn(reading, "informational",
			    "is no schedule that can be read: nobody is "
			    "reminded of its doses",
			    "%s", path);
		index++;
	}
	prescription->dosages = dosages;
	prescription->dosage_count = list->count;
	reading->record->dosages = records;
}

static void
read_dispense_request(
    struct reading *reading, struct prescription *prescription)
{
	const struct json *json =
	    json_get(reading->record->json, "dispenseRequest");
	const struct json *first = json_get(json, "initialFill");
	struct quantity quantity = fhir_quantity(
	    reading, json_get(json, "quantity"), "dispenseRequest.quantity");
	struct quantity initial =
	    fhir_quantity(reading, json_get(first, "quantity"),
		"dispenseRequest.initialFill.quantity");
	struct period valid;

	prescription->quantity_micro = quantity.micro;
	prescription->quantity_unit = quantity.unit;
	prescription->supply_days =
	    fhir_days(reading, json_get(json, "expectedSupplyDuration"),
		"dispenseRequest.expectedSupplyDuration");
	prescription->initial_quantity_micro = initial.micro;
	prescription->initial_quantity_unit = initial.unit;
	prescription->initial_days =
	    fhir_days(reading, json_get(first, "duration"),
		"dispenseRequest.initialFill.duration");
	prescription->interval_days =
	    fhir_days(reading, json_get(json, "dispenseInterval"),
		"dispenseRequest.dispenseInterval");
	prescription->repeats_allowed =
	    fhir_integer(reading, json, "numberOfRepeatsAllowed",
		"dispenseRequest.numberOfRepeatsAllowed", REPEATS_MAX);
	(void)fhir_period(reading, json_get(json, "validityPeriod"),
	    "dispenseRequest.validityPeriod", &valid);
	prescription->valid_from_on =
	    valid.has_start ? valid.start.on : ON_UNKNOWN;
	prescription->valid_until_on =
	    valid.has_end ? valid.end.until_on : ON_NEVER;
}

/* A plan, a proposal, an order not to take: nothing that is to be taken. */
static bool
is_no_order(struct reading *reading)
{
	static const struct word intents[] = {
	    {"proposal", true},
	    {"plan", true},
	    {"option", true},
	    {"order", false},
	    {"original-order", false},
	    {"reflex-order", false},
	    {"filler-order", false},
	    {"instance-order", false},
	};
	const struct json *json = reading->record->json;

	return fhir_code(reading, json, "intent", intents, COUNT(intents)) >
		   0 ||
	       fhir_boolean(
		   reading, json, "doNotPerform", "doNotPerform", false);
}

static void
read_status(struct reading *reading, struct prescription *prescription)
{
	static const struct word words[] = {
	    {"active", PRESCRIPTION_ACTIVE},
	    {"on-hold", PRESCRIPTION_ON_HOLD},
	    {"cancelled", PRESCRIPTION_STOPPED},
	    {"stopped", PRESCRIPTION_STOPPED},
	    {"completed", PRESCRIPTION_COMPLETED},
	    {"entered-in-error", PRESCRIPTION_ERROR},
	    {"draft", PRESCRIPTION_DRAFT},
	    {"unknown", PRESCRIPTION_DRAFT},
	};
	int status = fhir_code(
	    reading, reading->record->json, "status", words, COUNT(words));

	if (is_no_order(reading) && status != PRESCRIPTION_ERROR)
		status = PRESCRIPTION_DRAFT;
	prescription->status = (enum prescription_status)status;
	/* what was never in force had no status before */
	prescription->status_at = status == PRESCRIPTION_DRAFT
				      ? AT_UNKNOWN
				      : reading->record->updated_at;
}

/*
 * The code of HL7's or the NHS's system, or the bare word of a coding without
 * one.  A word that nobody knows must not decide about renewals in silence.
 */
static enum course
read_course(struct reading *reading)
{
	static const struct word words[] = {
	    {"continuous", COURSE_CONTINUOUS},
	    {"acute", COURSE_ACUTE},
	    {"seasonal", COURSE_SEASONAL},
	    /* England's own, beside HL7's */
	    {"continuous-repeat-dispensing", COURSE_CONTINUOUS},
	};
	const struct json *concept =
	    json_get(reading->record->json, "courseOfTherapyType");
	const char *code = fhir_concept_code(concept, SYSTEM_COURSE);
	int course;

	if (code == NULL)
		code = fhir_concept_code(concept, SYSTEM_COURSE_NHS);
	if (code == NULL)
		code = fhir_concept_code(concept, NULL);
	course = word_value(words, COUNT(words), code);
	if (course < 0 && concept != NULL)
		fhir_warn(reading, "code-invalid",
		    "is no known course: it counts as not stated",
		    "courseOfTherapyType");
	return course < 0 ? COURSE_UNSTATED : (enum course)course;
}

/* Who prescribed it; NULL where nobody is named. */
static const char *
read_prescriber(struct reading *reading)
{
	struct reference requester;

	fhir_reference(reading, json_get(reading->record->json, "requester"),
	    "requester", NULL, &requester);
	return fhir_reference_key(reading, &requester);
}

void
fhir_read_prescription(struct reading *reading)
{
	struct record *record = reading->record;
	struct prescription *prescription =
	    arena_alloc(reading->fhir->arena, sizeof(*prescription));
	struct moment authored;
	struct drug drug;

	fhir_subject(reading, json_get(record->json, "subject"), "subject");
	read_status(reading, prescription);
	drug = read_drug(reading);
	prescription->id = record->id;
	prescription->drug = drug.key;
	prescription->name = drug.name;
	prescription->course = read_course(reading);
	prescription->sensitive = fhir_sensitive(record->json);
	prescription->prescriber = read_prescriber(reading);
	prescription->authored_at = AT_UNKNOWN;
	if (fhir_moment(
		reading, record->json, "authoredOn", "authoredOn", &authored)) {
		prescription->authored_at = authored.at;
		prescription->authored_has_time = authored.has_time;
	}
	read_dispense_request(reading, prescription);
	read_dosages(reading, prescription);
	fhir_reference(reading, json_get(record->json, "priorPrescription"),
	    "priorPrescription", "MedicationRequest", &record->related);
	record->prescription = prescription;
}

/*
 * When it was handed over.  A completed fill without that moment counts
 * from when it was prepared; without either nobody can say what it covers.
 */
static int64_t
read_handed_over(struct reading *reading, enum fill_status status)
{
	const struct json *json = reading->record->json;
	struct moment prepared, handed;
	bool has_prepared = fhir_moment(
	    reading, json, "whenPrepared", "whenPrepared", &prepared);

	if (fhir_moment(
		reading, json, "whenHandedOver", "whenHandedOver", &handed)) {
		if (has_prepared && handed.until_at <= prepared.at)
			fhir_refuse(reading, "invariant",
			    "is before whenPrepared", "whenHandedOver");
		return handed.at;
	}
	if (status != FILL_COMPLETED)
		return AT_NEVER;
	if (has_prepared) {
		fhir_warn(reading, "required",
		    "is missing: whenPrepared counts", "whenHandedOver");
		return prepared.at;
	}
	if (!reading->record->refused)
		fhir_refuse(
		    reading, "required", "is missing", "whenHandedOver");
	return AT_NEVER;
}

void
fhir_read_fill(struct reading *reading)
{
	static const struct word words[] = {
	    {"completed", FILL_COMPLETED},
	    {"preparation", FILL_IN_PROGRESS},
	    {"in-progress", FILL_IN_PROGRESS},
	    {"on-hold", FILL_IN_PROGRESS},
	    {"cancelled", FILL_CANCELLED},
	    {"stopped", FILL_CANCELLED},
	    {"declined", FILL_CANCELLED},
	    {"unknown", FILL_CANCELLED},
	    {"entered-in-error", FILL_ERROR},
	};
	struct record *record = reading->record;
	struct fill *fill = arena_alloc(reading->fhir->arena, sizeof(*fill));
	struct quantity quantity;
	const struct json *orders;

	fhir_subject(reading, json_get(record->json, "subject"), "subject");
	fill->id = record->id;
	fill->status = (enum fill_status)fhir_code(
	    reading, record->json, "status", words, COUNT(words));
	fill->drug = read_drug(reading).key;
	quantity = fhir_quantity(
	    reading, json_get(record->json, "quantity"), "quantity");
	fill->quantity_micro = quantity.micro;
	fill->quantity_unit = quantity.unit;
	fill->days_supply = fhir_days(
	    reading, json_get(record->json, "daysSupply"), "daysSupply");
	fill->handed_over_at = read_handed_over(reading, fill->status);
	orders = fhir_array(reading, record->json, "authorizingPrescription",
	    "authorizingPrescription");
	fhir_reference(reading, json_at(orders, 0),
	    "authorizingPrescription[0]", "MedicationRequest",
	    &record->related);
	record->fill = fill;
}
