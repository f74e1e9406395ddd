/*
 * Bundles of strangers: as raw bytes, and put together from members of
 * resources in good forms and bad.  Whatever comes, nothing breaks, and a
 * record that is not refused has all that its kind needs.
 */
#include <string.h>

#include "door/fhir.h"
#include "fuzz.h"

#define TEXT_BYTES_MAX ((size_t)1 << 16)

struct input {
	const uint8_t *at;
	size_t left;
};

/* Each kind with its members, each of these in some forms, good and bad. */
#define FORMS_MAX 4

struct member {
	const char *key;
	const char *forms[FORMS_MAX];
};

static const struct member patient_members[] = {
    {"active", {"true", "false", "\"yes\""}},
    {"identifier", {"[{\"system\":\"a\",\"value\":\"b\"}]",
		       "[{\"value\":\"1\"},{}]", "{}"}},
    {"birthDate",
	{"\"2012-02-29\"", "\"2012\"", "\"0000-01-01\"", "\"9999-12-31\""}},
    {"deceasedBoolean", {"true", "false"}},
    {"deceasedDateTime", {"\"2026-03-02\"", "\"2026-03-02T10:00:00Z\""}},
    {"name", {"[{\"text\":\"x\"}]",
		 "[{\"family\":\"\\u738b\",\"given\":[\"\\u4e00\"]}]",
		 "[{\"use\":\"old\"}]"}},
    {"communication", {"[{\"language\":{\"coding\":[{\"code\":\"zh-CN\"}]},"
		       "\"preferred\":true}]",
			  "[1]"}},
    {"extension", {"[{\"url\":\"http://hl7.org/fhir/StructureDefinition/"
		   "timezone\",\"valueCode\":\"Europe/Berlin\"}]",
		      "[{\"url\":\"http://hl7.org/fhir/StructureDefinition/"
		      "timezone\",\"valueCode\":\"x\"}]"}},
    {"telecom", {"[{\"system\":\"sms\",\"value\":\"199 0000 "
		 "0001\",\"rank\":1},{\"system\":\"sms\",\"value\":\"+"
		 "8619900000001\",\"period\":{\"end\":\"2026-03-02\"}}]",
		    "[{\"system\":\"phone\",\"use\":\"home\",\"value\":\"tel:"
		    "0049 (0)171 000\"}]",
		    "[{\"system\":\"other\",\"value\":\"t\",\"extension\":[{"
		    "\"url\":\"https://adherd.example/fhir/"
		    "channel\",\"valueCode\":\"push\"}],\"period\":{\"start\":"
		    "\"2026-03-03\",\"end\":\"2026-03-02\"}}]"}},
    {"contact", {"[{\"relationship\":[{\"coding\":[{\"code\":\"MTH\"}]}],"
		 "\"telecom\":[{\"system\":\"sms\",\"value\":\"+491710000000\"}"
		 "],\"period\":{\"start\":\"2026-03-02\"}}]",
		    "[[]]"}},
};
static const struct member relatedperson_members[] = {
    {"patient", {"{\"reference\":\"urn:uuid:0\"}",
		    "{\"identifier\":{\"system\":\"a\",\"value\":\"b\"}}"}},
    {"relationship", {"[{\"text\":\"\\u76d1\\u62a4\"}]",
			 "[{\"coding\":[{\"code\":\"HUSB\"}]}]"}},
    {"period", {"{\"start\":\"2026-03-02T10:00:00Z\",\"end\":\"2026-03-02T10:"
		"00:00Z\"}",
		   "{\"end\":\"2026\"}"}},
    {"telecom",
	{"[{\"system\":\"sms\",\"value\":\"19900000002\"}]",
	    "[{\"system\":\"phone\",\"use\":\"mobile\",\"value\":\"5\"}]"}},
};
static const struct member medicationrequest_members[] = {
    {"status",
	{"\"active\"", "\"stopped\"", "\"draft\"", "\"entered-in-error\""}},
    {"intent", {"\"order\"", "\"plan\"", "\"order\"", "\"x\""}},
    {"subject", {"{\"reference\":\"urn:uuid:0\"}",
		    "{\"reference\":\"Patient/1/_history/2\"}",
		    "{\"reference\":\"Patient?identifier=a%7Cb\"}",
		    "{\"display\":\"x\"}"}},
    {"medicationCodeableConcept",
	{"{\"coding\":[{\"system\":\"http://www.whocc.no/"
	 "atc\",\"code\":\"c08ca01\"}],\"text\":\"x\"}",
	    "{\"text\":\" \\uff21  b \"}", "{\"coding\":[{\"code\":\"c\"}]}"}},
    {"authoredOn",
	{"\"2026-03-02\"", "\"2026-03-02T10:00:00+08:00\"", "\"2026-03\""}},
    {"requester", {"{\"reference\":\"Practitioner/1\"}", "{\"display\":\"d\"}",
		      "{\"reference\":\"urn:uuid:3\"}"}},
    {"dosageInstruction",
	{"[{\"sequence\":1,\"timing\":{\"repeat\":{\"frequency\":2,\"period\":"
	 "1,\"periodUnit\":\"d\"}},\"doseAndRate\":[{\"doseQuantity\":{"
	 "\"value\":1.5,\"unit\":\"\\u7247\"}}]}]",
	    "[{\"text\":\"bid\"},{\"text\":\"?\"}]",
	    "[{\"asNeededBoolean\":true}]",
	    "[{\"timing\":{\"repeat\":{\"period\":1}}}]"}},
    {"dispenseRequest",
	{"{\"quantity\":{\"value\":28,\"code\":\"TAB\",\"system\":\"http://"
	 "terminology.hl7.org/CodeSystem/"
	 "v3-orderableDrugForm\"},\"numberOfRepeatsAllowed\":2}",
	    "{\"validityPeriod\":{\"start\":\"2026-03-02\",\"end\":\"2026-06\"}"
	    ",\"expectedSupplyDuration\":{\"value\":4,\"code\":\"wk\"}}",
	    "{\"dispenseInterval\":{\"value\":1e9,\"unit\":\"d\"}}"}},
    {"priorPrescription",
	{"{\"reference\":\"MedicationRequest/1\"}", "{\"reference\":\"#c\"}"}},
    {"contained", {"[{\"resourceType\":\"MedicationRequest\",\"id\":\"c\","
		   "\"identifier\":[{\"value\":\"1\"}]}]",
		      "[{\"resourceType\":\"Medication\",\"id\":\"c\",\"code\":"
		      "{\"text\":\"y\"}}]"}},
};
static const struct member medicationdispense_members[] = {
    {"status",
	{"\"completed\"", "\"in-progress\"", "\"completed\"", "\"declined\""}},
    {"subject", {"{\"reference\":\"urn:uuid:0\"}",
		    "{\"reference\":\"http://a.example/Patient/1\"}",
		    "{\"reference\":\"Group/1\"}"}},
    {"medicationReference",
	{"{\"reference\":\"Medication/1\",\"display\":\"x\"}",
	    "{\"reference\":\"urn:uuid:2\",\"display\":\"y\"}",
	    "{\"reference\":\"#c\"}"}},
    {"contained", {"[{\"resourceType\":\"Medication\",\"id\":\"c\",\"code\":{"
		   "\"text\":\"y\"}}]"}},
    {"quantity", {"{\"value\":28,\"unit\":\"ml\"}", "{\"value\":-1}",
		     "{\"value\":0.0000001}"}},
    {"daysSupply",
	{"{\"value\":28,\"code\":\"d\"}", "{\"value\":28,\"code\":\"{tbl}\"}",
	    "{\"value\":1,\"code\":\"mo\"}"}},
    {"whenPrepared", {"\"2026-03-02T10:00:00Z\"", "\"2026-03-02\""}},
    {"whenHandedOver",
	{"\"2026-03-02T11:00:00Z\"", "\"2026-03-02\"", "\"2026-03-01\""}},
    {"authorizingPrescription", {"[{\"identifier\":{\"value\":\"1\"}}]",
				    "[{\"reference\":\"urn:uuid:1\"}]"}},
};
static const struct member appointment_members[] = {
    {"status", {"\"booked\"", "\"proposed\"", "\"noshow\"", "\"fulfilled\""}},
    {"start", {"\"2026-03-02T10:00:00+08:00\"", "\"2026-03-02\""}},
    {"end", {"\"2026-03-02T11:00:00+08:00\"", "\"2026-03-02T01:00:00Z\""}},
    {"participant", {"[{\"actor\":{\"reference\":\"urn:uuid:0\"}},{\"actor\":{"
		     "\"reference\":\"Practitioner/1\"}}]",
			"[{\"actor\":{\"reference\":\"Patient/"
			"1\"}},{\"actor\":{\"reference\":\"Patient/2\"}}]",
			"[{}]"}},
    {"description", {"\"d\"", "\"\""}},
    {"supportingInformation",
	{"[{\"reference\":\"Appointment/1\"}]", "[{\"reference\":\"x\"}]"}},
};
static const struct member consent_members[] = {
    {"status", {"\"active\"", "\"inactive\"", "\"rejected\"", "\"draft\""}},
    {"patient", {"{\"reference\":\"urn:uuid:0\"}",
		    "{\"identifier\":{\"value\":\"b\"}}"}},
    {"policyRule", {"{\"text\":\"x\"}"}},
    {"dateTime", {"\"2026-03-02\"", "\"2026-03-02T10:00:00Z\""}},
    {"performer", {"[{\"reference\":\"urn:uuid:1\"}]",
		      "[{\"reference\":\"RelatedPerson/1\"}]",
		      "[{\"reference\":\"Patient/1\"}]"}},
    {"provision", {"{\"type\":\"permit\",\"period\":{\"start\":\"2026-03-02\","
		   "\"end\":\"2026-06-30\"},\"purpose\":[{\"system\":\"https://"
		   "adherd.example/fhir/topic\",\"code\":\"dose\"}]}",
		      "{\"provision\":[{\"type\":\"permit\",\"action\":[{"
		      "\"coding\":[{\"system\":\"https://adherd.example/fhir/"
		      "channel\",\"code\":\"sms\"}]}]},{\"type\":\"deny\","
		      "\"purpose\":[{\"system\":\"x\",\"code\":\"y\"}]}]}",
		      "{\"type\":\"deny\",\"action\":[{\"coding\":[{\"code\":"
		      "\"z\"}]}],\"provision\":[{\"type\":\"permit\","
		      "\"provision\":[{\"type\":\"deny\"}]}]}"}},
};
static const struct member encounter_members[] = {
    {"status", {"\"finished\"", "\"in-progress\"", "\"cancelled\""}},
    {"class", {"{\"code\":\"IMP\"}", "{\"code\":\"AMB\"}"}},
    {"subject",
	{"{\"reference\":\"Patient/1\"}", "{\"reference\":\"urn:uuid:0\"}"}},
    {"period", {"{\"start\":\"2026-03-02\",\"end\":\"2026-03-04\"}",
		   "{\"start\":\"2026-03-02\"}", "{\"end\":\"2026-03-04\"}"}},
};
static const struct member medication_members[] = {
    {"code", {"{\"text\":\"z\"}", "{\"coding\":[{\"system\":\"http://"
				  "www.whocc.no/atc\",\"code\":\"A10\"}]}"}},
};

static const struct kind_of {
	const char *name;
	const struct member *members;
	uint32_t count;
} kinds[] = {
    {"Patient", patient_members, COUNT(patient_members)},
    {"RelatedPerson", relatedperson_members, COUNT(relatedperson_members)},
    {"MedicationRequest", medicationrequest_members,
	COUNT(medicationrequest_members)},
    {"MedicationDispense", medicationdispense_members,
	COUNT(medicationdispense_members)},
    {"Appointment", appointment_members, COUNT(appointment_members)},
    {"Consent", consent_members, COUNT(consent_members)},
    {"Encounter", encounter_members, COUNT(encounter_members)},
    {"Medication", medication_members, COUNT(medication_members)},
};

/* What any resource may have, or nowhere belongs. */
static const char *const extras[] = {
    "\"id\":\"1\"",
    "\"id\":\"a b\"",
    "\"meta\":{\"versionId\":\"3\",\"lastUpdated\":\"2026-03-02T10:00:00Z\"}",
    ("\"meta\":{\"security\":[{\"system\":\"http://terminology.hl7.org/"
     "CodeSystem/v3-ActCode\",\"code\":\"HIV\"}]}"),
    "\"modifierExtension\":[{\"url\":\"x\"}]",
    "\"x\":{\"y\":[[{\"modifierExtension\":1}]]}",
    "\"implicitRules\":\"x\"",
    "\"\":null",
    "\"x\":\"\\ud83d\\ude00\"",
    "\"x\":\"\\u0000\"",
};
static const char *const junk[] = {"null", "true", "-1", "\"\"", "\"x\"", "[]",
    "{}", "[null]", "[[]]", "[{}]", "{\"reference\":\"?\"}", "1e400",
    "{\"value\":1,\"comparator\":\"<\"}", "{\"start\":1}"};
static const char *const requests[] = {
    "\"method\":\"POST\",\"url\":\"Patient\"",
    "\"method\":\"PUT\",\"url\":\"Patient/1\",\"ifMatch\":\"W/\\\"3\\\"\"",
    "\"method\":\"PUT\",\"url\":\"Consent?identifier=a|b\"",
    ("\"method\":\"POST\",\"url\":\"Patient\",\"ifNoneExist\":"
     "\"identifier=a%7Cb\\\\,\""),
    "\"method\":\"DELETE\"",
};
static const char *const bundles[] = {
    "collection", "message", "batch", "transaction"};

static uint32_t
take(struct input *in, uint32_t below)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++ % below;
}

#define pick(in, list) ((list)[take((in), COUNT(list))])

/* A member is mostly there, mostly in one of its forms. */
static void
write_member(struct input *in, struct buf *out, const struct member *member)
{
	uint32_t form = take(in, 32);

	if (form >= 28)
		return;
	buf_printf(out, ",\"%s\":", member->key);
	if (form == 27)
		buf_text(out, pick(in, junk));
	else if (form < FORMS_MAX && member->forms[form] != NULL)
		buf_text(out, member->forms[form]);
	else
		buf_text(out, member->forms[0]);
}

static void
write_resource(struct input *in, struct buf *out, const struct kind_of *kind)
{
	buf_printf(out, "{\"resourceType\":\"%s\"", kind->name);
	for (uint32_t i = 0; i < kind->count; i++)
		write_member(in, out, &kind->members[i]);
	if (take(in, 4) == 3)
		buf_printf(out, ",%s", pick(in, extras));
	buf_char(out, '}');
}

/* A bundle of up to six resources, the first a patient; or one resource. */
static void
write_document(struct input *in, struct buf *out)
{
	uint32_t count = take(in, 7);

	if (count == 0) {
		write_resource(in, out, &pick(in, kinds));
		return;
	}
	buf_printf(out,
	    "{\"resourceType\":\"Bundle\",\"type\":\"%s\",\"entry\":[",
	    pick(in, bundles));
	for (uint32_t i = 0; i < count; i++) {
		buf_printf(out, "%s{\"fullUrl\":\"urn:uuid:%u\",\"resource\":",
		    i > 0 ? "," : "", take(in, 16) == 15 ? 0 : i);
		write_resource(in, out, i == 0 ? &kinds[0] : &pick(in, kinds));
		if (take(in, 2) == 1)
			buf_printf(
			    out, ",\"request\":{%s}", pick(in, requests));
		buf_char(out, '}');
	}
	buf_text(out, "]}");
}

static void
check_person(const struct record *record)
{
	const struct person_record *person = record->person;

	must(person != NULL);
	must(person->birth_on <= person->birth_until_on);
	for (uint32_t i = 0; i < person->contact_count; i++) {
		const struct contact *c = &person->contacts[i];

		must(c->channel > CHANNEL_NONE && c->channel < CHANNEL_COUNT);
		must(c->address != NULL && *c->address != '\0');
		must(c->from_at < c->until_at);
		must(c->channel != CHANNEL_SMS || *c->address == '+');
	}
}

static void
check_medicine(const struct record *record)
{
	const struct prescription *p = record->prescription;
	const struct fill *fill = record->fill;

	if (p != NULL) {
		must(p->status >= PRESCRIPTION_ACTIVE && p->drug != NULL);
		must(p->name != NULL && *p->name != '\0');
		must(p->quantity_micro >= -1 && p->supply_days >= -1);
		must(p->dosage_count == 0 || record->dosages != NULL);
		for (uint32_t i = 0; i < p->dosage_count; i++)
			must(p->dosages[i].timing != NULL ||
			     p->dosages[i].as_needed ||
			     record->dosages[i].needs_review != NULL);
	}
	if (fill != NULL) {
		must(fill->status >= FILL_COMPLETED && fill->drug != NULL);
		must(fill->status != FILL_COMPLETED ||
		     fill->handed_over_at != AT_NEVER);
		must(fill->days_supply >= -1 && fill->days_supply <= 3660);
	}
}

static void
check_record(const struct record *record)
{
	if (record->refused || record->type == RECORD_OTHER ||
	    record->type == RECORD_MEDICATION)
		return;
	must(record->type == RECORD_PATIENT || record->subject.record != NULL ||
	     record->subject.identifier.value != NULL);
	if (record->type == RECORD_PATIENT ||
	    record->type == RECORD_RELATED_PERSON)
		check_person(record);
	check_medicine(record);
	for (uint32_t i = 0; i < record->consent_count; i++) {
		const struct consent *c = &record->consents[i];

		must(c->topics != 0 && c->channels != 0);
		must(c->from_at < c->until_at);
	}
	must(record->type != RECORD_VISIT || record->visit->status > 0);
	must(record->type != RECORD_STAY || record->empty ||
	     record->stay->from_at != AT_UNKNOWN);
}

static void
check_all(struct fhir *fhir)
{
	uint32_t refused = 0;
	size_t problems = fhir->problems.count;

	for (size_t i = 0; i < problems; i++) {
		const struct problem *p =
		    &((const struct problem *)fhir->problems.data)[i];

		must(p->path != NULL && p->code != NULL && p->text != NULL);
		refused += !p->warning;
	}
	must(refused == fhir->refused_count);
	must(fhir->bundle != BUNDLE_REFUSED || refused > 0);
	for (uint32_t i = 0; i < fhir->record_count; i++) {
		struct record *record = &fhir->records[i];
		uint8_t hash[32];

		check_record(record);
		must(!record->refused || refused > 0);
		fhir_hash(record, hash);
		must(record_fallback(record).value != NULL);
		must(fhir_compare(record, record) == 0);
		must(fhir_compare(record, &fhir->records[0]) ==
		     -fhir_compare(&fhir->records[0], record));
		fhir_read_in(record, zone_open("Asia/Urumqi"));
		check_record(record);
	}
	/* nothing is told twice */
	must(fhir->problems.count == problems);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input in = {data, bytes};
	struct arena *arena = arena_create();
	struct buf text = BUF_INIT(TEXT_BYTES_MAX);
	struct fhir_options options = {.zone = zone_open("Asia/Shanghai")};

	options.phone_is_mobile = take(&in, 2) == 0;
	if (take(&in, 8) == 0)
		buf_add(&text, in.at, in.left);
	else
		write_document(&in, &text);
	if (!text.overflow)
		check_all(
		    fhir_parse(buf_string(&text), text.bytes, &options, arena));
	buf_free(&text);
	arena_free(arena);
	return 0;
}
