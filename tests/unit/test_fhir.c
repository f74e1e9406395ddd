/*
 * FHIR in: the samples of tests/samples are read or refused as their README
 * says, and each rule of what is refused has a resource that breaks it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "door/fhir.h"

#define MRN "https://his.example-hospital.cn/mrn"
#define RX "https://his.example-hospital.cn/rx"
#define SAMPLE_BYTES_MAX ((size_t)4 << 20)

static struct arena *arena;
static struct fhir_options options;

static int
setup(void **state)
{
	(void)state;
	arena = arena_create();
	options = (struct fhir_options){.zone = zone_open("Asia/Shanghai")};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct fhir *
parse(const char *text)
{
	return fhir_parse(text, strlen(text), &options, arena);
}

static struct fhir *
sample(const char *name)
{
	FILE *file = fopen(arena_printf(arena, "tests/samples/%s", name), "r");
	char *text = arena_alloc(arena, SAMPLE_BYTES_MAX);
	size_t bytes;

	assert_non_null(file);
	bytes = fread(text, 1, SAMPLE_BYTES_MAX, file);
	(void)fclose(file);
	assert_in_range(bytes, 1, SAMPLE_BYTES_MAX - 1);
	return fhir_parse(text, bytes, &options, arena);
}

static const struct record *
find(const struct fhir *fhir, const char *value)
{
	for (uint32_t i = 0; i < fhir->record_count; i++) {
		const struct record *r = &fhir->records[i];

		for (uint32_t k = 0; k < r->identifier_count; k++)
			if (strcmp(r->identifiers[k].value, value) == 0)
				return r;
	}
	fail_msg("no record %s", value);
	return NULL;
}

static uint32_t
count_type(const struct fhir *fhir, enum record_type type)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fhir->record_count; i++)
		count += fhir->records[i].type == type;
	return count;
}

static const struct problem *
problem(const struct fhir *fhir, size_t i)
{
	assert_true(i < fhir->problems.count);
	return &((const struct problem *)fhir->problems.data)[i];
}

static void
assert_problem(
    const struct fhir *fhir, size_t i, const char *code, const char *path)
{
	assert_string_equal(problem(fhir, i)->code, code);
	assert_string_equal(problem(fhir, i)->path, path);
	assert_true(problem(fhir, i)->text[0] != '\0');
}

/* One problem, of this kind, and everything refused that it stands in. */
static void
assert_refused(const char *text, const char *code, const char *path)
{
	const struct fhir *fhir = parse(text);

	assert_int_equal(fhir->problems.count, 1);
	assert_problem(fhir, 0, code, path);
	assert_false(problem(fhir, 0)->warning);
	assert_int_equal(fhir->refused_count, 1);
	if (fhir->record_count == 1)
		assert_true(fhir->records[0].refused);
}

static void
assert_fine(const struct fhir *fhir)
{
	for (size_t i = 0; i < fhir->problems.count; i++)
		print_message("%s %s %s\n", problem(fhir, i)->path,
		    problem(fhir, i)->code, problem(fhir, i)->text);
	assert_int_equal(fhir->problems.count, 0);
	assert_int_equal(fhir->refused_count, 0);
	for (uint32_t i = 0; i < fhir->record_count; i++)
		assert_false(fhir->records[i].refused);
}

static int64_t
instant(const char *text)
{
	int64_t at;

	assert_true(instant_parse(text, &at));
	return at;
}

static int32_t
day(const char *text)
{
	int32_t on;

	assert_true(civil_parse(text, &on));
	return on;
}

/* ---- the samples ---- */

static void
clinic_sample_has_the_counts_of_its_readme(void **state)
{
	static const struct {
		enum record_type type;
		uint32_t count;
	} counts[] = {
	    {RECORD_PATIENT, 12},
	    {RECORD_RELATED_PERSON, 1},
	    {RECORD_CONSENT, 14},
	    {RECORD_PRESCRIPTION, 17},
	    {RECORD_FILL, 34},
	    {RECORD_VISIT, 14},
	    {RECORD_STAY, 0},
	    {RECORD_OTHER, 4 + 4 + 12 + 2},
	};
	const struct fhir *fhir = sample("cn-clinic-transaction.json");
	uint32_t by_fill[FILL_ERROR + 1] = {0};
	uint32_t by_visit[VISIT_ERROR + 1] = {0};

	(void)state;
	assert_fine(fhir);
	assert_int_equal(fhir->bundle, BUNDLE_TRANSACTION);
	assert_int_equal(fhir->record_count, 114);
	assert_true(fhir->timestamp == instant("2026-03-01T00:00:00+08:00"));
	for (size_t i = 0; i < COUNT(counts); i++)
		assert_int_equal(
		    count_type(fhir, counts[i].type), counts[i].count);
	for (uint32_t i = 0; i < fhir->record_count; i++) {
		const struct record *r = &fhir->records[i];

		if (r->type != RECORD_OTHER && r->type != RECORD_PATIENT) {
			assert_non_null(r->subject.record);
			assert_int_equal(
			    r->subject.record->type, RECORD_PATIENT);
		}
		if (r->fill != NULL)
			by_fill[r->fill->status]++;
		if (r->visit != NULL)
			by_visit[r->visit->status]++;
		if (r->prescription != NULL) {
			assert_int_equal(
			    r->prescription->status, PRESCRIPTION_ACTIVE);
			assert_null(r->dosages[0].needs_review);
		}
		assert_int_equal(r->method, RECORD_POST);
		if (r->type != RECORD_OTHER)
			assert_non_null(r->match.value);
	}
	assert_int_equal(by_fill[FILL_COMPLETED], 33);
	assert_int_equal(by_fill[FILL_ERROR], 1);
	assert_int_equal(by_visit[VISIT_PLANNED], 8);
	assert_int_equal(by_visit[VISIT_DONE], 4);
	assert_int_equal(by_visit[VISIT_CANCELLED], 1);
	assert_int_equal(by_visit[VISIT_NOSHOW], 1);
}

static void
prescription_is_read_whole(void **state)
{
	const struct fhir *fhir = sample("cn-clinic-transaction.json");
	const struct record *record = find(fhir, "R-0801");
	const struct prescription *p = record->prescription;

	(void)state;
	assert_string_equal(p->id, "cn-rx-0801");
	assert_string_equal(p->drug, "http://www.whocc.no/atc|N06AB06");
	assert_string_equal(p->name, "盐酸舍曲林片 50mg");
	assert_string_equal(record->match.system, RX);
	assert_string_equal(record->match.value, "R-0801");
	assert_true(p->sensitive);
	assert_int_equal(p->course, COURSE_CONTINUOUS);
	assert_true(p->authored_at == instant("2026-01-08T15:20:00+08:00"));
	assert_true(p->authored_has_time);
	assert_true(p->status_at == AT_UNKNOWN);
	assert_true(p->quantity_micro == 14000000);
	assert_string_equal(p->quantity_unit, "TAB");
	assert_int_equal(p->supply_days, 14);
	assert_int_equal(p->interval_days, 12);
	assert_int_equal(p->repeats_allowed, 5);
	assert_int_equal(p->valid_from_on, day("2026-01-08"));
	assert_int_equal(p->valid_until_on, day("2026-04-08"));
	assert_int_equal(p->dosage_count, 1);
	assert_int_equal(p->dosages[0].sequence, 1);
	assert_true(p->dosages[0].dose_micro == 1000000);
	assert_string_equal(p->dosages[0].dose_unit, "TAB");
	assert_false(p->dosages[0].as_needed);
	assert_non_null(p->dosages[0].timing);
	/* without dispenseInterval, and a dose range as needed */
	p = find(fhir, "R-0602")->prescription;
	assert_int_equal(p->interval_days, -1);
	assert_int_equal(p->supply_days, -1);
	assert_string_equal(p->quantity_unit, "支");
	assert_true(p->dosages[0].as_needed);
	assert_null(p->dosages[0].timing);
	assert_true(p->dosages[0].dose_micro == -1);
	assert_false(p->sensitive);
	assert_int_equal(
	    find(fhir, "R-1201")->prescription->course, COURSE_ACUTE);
	assert_true(find(fhir, "R-0901")->prescription->sensitive);
}

static void
prescriber_has_one_key_in_visit_and_prescription(void **state)
{
	const struct fhir *clinic = sample("cn-clinic-transaction.json");
	const struct fhir *update =
	    sample("cn-hospital-update-transaction.json");
	const char *key = "https://his.example-hospital.cn/staff|S102";

	(void)state;
	assert_string_equal(
	    find(clinic, "R-0501")->prescription->prescriber, key);
	assert_string_equal(find(clinic, "A-0008")->visit->practitioners, key);
	assert_string_equal(
	    find(update, "R-0501")->prescription->prescriber, key);
	assert_string_equal(find(update, "A-0008")->visit->practitioners, key);
}

static void
phone_spellings_become_one(void **state)
{
	static const char *const patients[][2] = {
	    {"10000001", "+8619900000001"}, /* +86 199 0000 0001 */
	    {"10000002", "+8619900000002"}, /* sms 19900000002 */
	    {"10000006", "+8619900000006"}, /* 199-0000-0006 */
	    {"10000011", "+8619900000001"}, /* shared with 01 */
	    {"10000012", "+8619900000012"}, /* 199 0000 0012 */
	};
	const struct fhir *fhir = sample("cn-clinic-transaction.json");

	(void)state;
	for (size_t i = 0; i < COUNT(patients); i++) {
		const struct person_record *p =
		    find(fhir, patients[i][0])->person;

		assert_int_equal(p->contacts[0].channel, CHANNEL_SMS);
		assert_int_equal(p->contacts[0].owner, OWNER_SELF);
		assert_string_equal(p->contacts[0].address, patients[i][1]);
	}
}

static void
patient_is_read_whole(void **state)
{
	const struct fhir *fhir = sample("cn-clinic-transaction.json");
	const struct record *record = find(fhir, "10000005");
	const struct person_record *p = record->person;

	(void)state;
	assert_string_equal(record->id, "cn-p05");
	assert_string_equal(record->identifiers[0].system, MRN);
	assert_string_equal(zone_name(p->zone), "Europe/Berlin");
	assert_ptr_equal(record->zone, p->zone);
	assert_string_equal(p->name, "赵敏");
	assert_string_equal(p->locale, "zh-CN");
	assert_true(p->active);
	assert_true(p->deceased_at == AT_NEVER);
	assert_int_equal(p->birth_on, day("1985-02-14"));
	assert_int_equal(p->birth_until_on, p->birth_on);
	/* e-mail is no channel */
	assert_int_equal(p->contact_count, 3);
	assert_int_equal(p->contacts[1].channel, CHANNEL_WECHAT_MINI);
	assert_string_equal(
	    p->contacts[1].address, "oSAMPLE00000000000000000P05B");
	assert_int_equal(p->contacts[2].channel, CHANNEL_PUSH);
	assert_int_equal(p->contacts[2].rank, 3);
	assert_true(find(fhir, "10000004")->person->deceased_at ==
		    instant("2026-02-18T06:40:00+08:00"));
	/* no zone stated: the tenant's counts */
	record = find(fhir, "10000012");
	assert_null(record->person->zone);
	assert_ptr_equal(record->zone, options.zone);
}

static void
former_phone_does_not_count(void **state)
{
	const struct person_record *p =
	    find(sample("cn-clinic-transaction.json"), "10000010")->person;

	(void)state;
	assert_int_equal(p->contact_count, 2);
	assert_string_equal(p->contacts[0].address, "+8619900000010");
	assert_int_equal(p->contacts[1].channel, CHANNEL_WECHAT_OA);
	assert_int_equal(p->contacts[1].rank, 1);
}

static void
carers_and_guardians_are_told_apart(void **state)
{
	const struct fhir *fhir = sample("cn-clinic-transaction.json");
	const struct person_record *p = find(fhir, "10000007")->person;
	const struct record *mother = find(fhir, "G-071");
	const struct record *consent = find(fhir, "C-071");

	(void)state;
	assert_int_equal(p->contact_count, 3);
	assert_int_equal(p->contacts[0].owner, OWNER_SELF);
	assert_int_equal(p->contacts[1].owner, OWNER_GUARDIAN);
	assert_string_equal(p->contacts[1].address, "+8619900000007");
	assert_int_equal(p->contacts[2].channel, CHANNEL_WECHAT_OA);
	assert_int_equal(mother->person->owner, OWNER_GUARDIAN);
	assert_int_equal(mother->person->contact_count, 2);
	assert_ptr_equal(consent->actor.record, mother);
	assert_int_equal(consent->consents[0].actor, OWNER_GUARDIAN);
	p = find(fhir, "10000001")->person;
	assert_int_equal(p->contacts[1].owner, OWNER_CAREGIVER);
	assert_int_equal(find(fhir, "C-011")->consents[0].actor, OWNER_SELF);
}

static void
consent_rules_stand_in_root_or_nested(void **state)
{
	const struct fhir *fhir = sample("cn-clinic-transaction.json");
	const struct record *record = find(fhir, "C-091");
	const struct consent *c = record->consents;
	uint32_t push = CHANNEL_BIT(CHANNEL_PUSH);

	(void)state;
	assert_int_equal(record->consent_count, 3);
	assert_true(c[0].permit && c[1].permit && !c[2].permit);
	assert_int_equal(c[0].topics, TOPIC_DOSE | TOPIC_ANY_HOUR);
	assert_int_equal(c[0].channels, push);
	assert_int_equal(c[1].topics, TOPIC_REFILL | TOPIC_FOLLOW_UP);
	assert_int_equal(c[2].topics, TOPIC_ALL);
	assert_int_equal(c[2].channels, CHANNEL_BIT(CHANNEL_SMS));
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(
		    c[i].given_at == instant("2026-01-05T10:30:00+08:00"));
		/* the period of the provision around them */
		assert_true(
		    c[i].from_at == instant("2026-01-05T00:00:00+08:00"));
		assert_true(c[i].until_at == AT_NEVER && !c[i].withdrawn);
	}
	/* without an action: every channel */
	c = find(fhir, "C-082")->consents;
	assert_false(c->permit);
	assert_int_equal(c->topics, TOPIC_REFILL);
	assert_int_equal(c->channels, CHANNEL_ALL);
	/* the last day of a period counts whole */
	c = find(fhir, "C-121")->consents;
	assert_true(c->until_at == instant("2026-04-01T00:00:00+08:00"));
}

static void
dates_are_read_in_the_patients_own_zone(void **state)
{
	const struct fhir *fhir = sample("cn-clinic-transaction.json");
	struct record *consent = (struct record *)find(fhir, "C-051");

	(void)state;
	assert_true(consent->consents[0].from_at ==
		    instant("2026-01-09T00:00:00+01:00"));
	fhir_read_in(consent, zone_open("Asia/Urumqi"));
	assert_true(consent->consents[0].from_at ==
		    instant("2026-01-09T00:00:00+06:00"));
	assert_ptr_equal(consent->zone, zone_open("Asia/Urumqi"));
	assert_int_equal(fhir->problems.count, 0);
}

static void
house_codes_of_one_drug_share_a_key(void **state)
{
	const struct fhir *clinic = sample("cn-clinic-transaction.json");
	const struct fhir *pharmacy = sample("cn-pharmacy-batch.json");

	(void)state;
	assert_string_equal(find(clinic, "R-0101")->prescription->drug,
	    find(pharmacy, "PD-260302-0104")->fill->drug);
	assert_string_not_equal(find(clinic, "R-0102")->prescription->drug,
	    find(pharmacy, "PD-260302-0104")->fill->drug);
}

static void
pharmacy_sample_names_patients_by_identifier(void **state)
{
	const struct fhir *fhir = sample("cn-pharmacy-batch.json");
	const struct record *record = find(fhir, "PD-260302-0104");

	(void)state;
	assert_int_equal(fhir->bundle, BUNDLE_BATCH);
	assert_int_equal(count_type(fhir, RECORD_FILL), 9);
	assert_null(record->subject.record);
	assert_string_equal(record->subject.identifier.system, MRN);
	assert_string_equal(record->subject.identifier.value, "10000001");
	assert_string_equal(record->related.identifier.system, RX);
	assert_string_equal(record->related.identifier.value, "R-0101");
	assert_false(record->subject.search);
	assert_int_equal(record->fill->days_supply, 28);
	assert_true(record->fill->handed_over_at ==
		    instant("2026-03-02T15:20:00+08:00"));
	/* entry 5: no daysSupply; entry 6: no prescription */
	record = &fhir->records[4];
	assert_int_equal(record->fill->days_supply, -1);
	assert_true(record->fill->quantity_micro == 4000000);
	assert_false(fhir->records[5].related.given);
	/* entry 9: ready, not picked up */
	record = &fhir->records[8];
	assert_int_equal(record->fill->status, FILL_IN_PROGRESS);
	assert_true(record->fill->handed_over_at == AT_NEVER);
}

static void
supply_in_tablets_is_refused_as_days(void **state)
{
	const struct fhir *fhir = sample("cn-pharmacy-batch.json");

	(void)state;
	assert_int_equal(fhir->problems.count, 1);
	assert_problem(fhir, 0, "value", "entry[7].resource.daysSupply");
	for (uint32_t i = 0; i < fhir->record_count; i++)
		assert_int_equal(fhir->records[i].refused, i == 7);
}

static void
update_sample_refers_by_search_and_urn(void **state)
{
	const struct fhir *fhir = sample("cn-hospital-update-transaction.json");
	const struct record *old = find(fhir, "R-0501");
	const struct record *new = find(fhir, "R-0502");
	const struct record *r;

	(void)state;
	assert_fine(fhir);
	assert_true(old->subject.search);
	assert_string_equal(old->subject.identifier.value, "10000005");
	assert_null(old->id);
	assert_int_equal(old->method, RECORD_PUT);
	assert_string_equal(old->match.value, "R-0501");
	assert_int_equal(old->prescription->status, PRESCRIPTION_STOPPED);
	assert_true(old->prescription->status_at ==
		    instant("2026-04-07T16:30:00+08:00"));
	assert_int_equal(new->method, RECORD_POST);
	assert_ptr_equal(new->related.record, old);
	assert_true(new->prescription->dosages[0].dose_micro == 1500000);
	assert_ptr_equal(find(fhir, "PD-260408-0231")->related.record, new);
	r = find(fhir, "A-0005");
	assert_true(r->visit->start_at == instant("2026-05-14T10:00:00+08:00"));
	assert_string_equal(r->visit->description, "糖化血红蛋白复查");
	assert_true(fhir_source_at(r) == instant("2026-05-05T11:00:00+08:00"));
	/* without lastUpdated the bundle's time counts */
	assert_true(fhir_source_at(find(fhir, "PD-260408-0231")) ==
		    instant("2026-05-06T08:00:00+08:00"));
	r = find(fhir, "C-061");
	assert_int_equal(r->consent_count, 1);
	assert_true(r->consents[0].withdrawn);
	assert_true(r->consents[0].withdrawn_at ==
		    instant("2026-04-15T09:30:00+08:00"));
	r = find(fhir, "10000001");
	assert_true(
	    r->person->deceased_at == instant("2026-04-20T23:15:00+08:00"));
}

static void
hl7_transaction_sample_is_refused_for_what_is_not_taken(void **state)
{
	static const char *const paths[] = {"entry[5]", "entry[6]",
	    "entry[7].request.url", "entry[8]", "entry[9]"};
	const struct fhir *fhir = sample("hl7-bundle-transaction.json");

	(void)state;
	assert_int_equal(count_type(fhir, RECORD_PATIENT), 5);
	assert_string_equal(fhir->records[1].match.value, "234234");
	assert_string_equal(fhir->records[2].id, "123");
	assert_int_equal(fhir->records[3].method, RECORD_PUT);
	assert_string_equal(fhir->records[3].match.value, "456456");
	assert_string_equal(fhir->records[4].if_match, "2");
	/* the operation is the only record refused; delete and get have none */
	assert_int_equal(fhir->refused_count, COUNT(paths));
	for (size_t i = 0; i < COUNT(paths); i++)
		assert_string_equal(problem(fhir, i)->path, paths[i]);
	fhir = sample("hl7-bundle-transaction-response.json");
	assert_int_equal(fhir->bundle, BUNDLE_REFUSED);
	assert_problem(fhir, 0, "not-supported", "type");
}

static void
hl7_prescriptions_are_read_with_what_they_contain(void **state)
{
	const struct fhir *fhir = sample("hl7-medrx0321-multi-step-acm.json");
	const struct prescription *p = fhir->records[0].prescription;

	(void)state;
	assert_fine(fhir);
	assert_int_equal(fhir->bundle, BUNDLE_SINGLE);
	assert_string_equal(fhir->records[0].path, "");
	assert_string_equal(p->name, "Novolog 100u/ml");
	assert_string_equal(
	    p->drug, "http://hl7.org/fhir/sid/ndc|0169-7501-11");
	assert_string_equal(p->quantity_unit, "mL");
	assert_int_equal(p->dosage_count, 3);
	assert_int_equal(p->dosages[2].sequence, 1);
	assert_false(p->authored_has_time);
	assert_true(p->authored_at == instant("2015-01-15T00:00:00+08:00"));
	assert_string_equal(p->prescriber, "Practitioner/f007");
	assert_string_equal(fhir->records[0].subject.identifier.system, "");
	assert_string_equal(fhir->records[0].subject.identifier.value, "pat1");
	fhir = sample("hl7-medrx0303-taper-bounds.json");
	p = fhir->records[0].prescription;
	assert_fine(fhir);
	assert_int_equal(p->dosage_count, 3);
	assert_true(p->dosages[0].dose_micro == 4000000);
	assert_string_equal(p->dosages[0].dose_unit, "TAB");
	assert_int_equal(p->supply_days, 21);
}

static void
message_bundles_need_no_request(void **state)
{
	const struct fhir *fhir = sample("nhs-message-concurrent-dosage.json");
	const struct record *r;

	(void)state;
	assert_fine(fhir);
	assert_int_equal(fhir->bundle, BUNDLE_MESSAGE);
	r = &fhir->records[1];
	assert_int_equal(r->method, RECORD_UPSERT);
	assert_int_equal(r->prescription->dosage_count, 3);
	assert_ptr_equal(r->subject.record, &fhir->records[2]);
	assert_true(r->prescription->authored_at == AT_UNKNOWN);
	options.zone = zone_open("Europe/London");
	fhir = sample("nhs-message-repeat-dispensing.json");
	assert_fine(fhir);
	r = find(fhir, "a54219b8-f741-4c47-b662-e4f8dfa49ab6");
	assert_int_equal(r->prescription->repeats_allowed, 6);
	assert_int_equal(r->prescription->supply_days, 10);
	assert_int_equal(r->prescription->valid_from_on, day("2022-10-21"));
	assert_int_equal(r->prescription->valid_until_on, day("2022-11-21"));
	fhir = sample("nhs-message-dispense-notification.json");
	assert_fine(fhir);
	assert_int_equal(count_type(fhir, RECORD_FILL), 4);
	r = &fhir->records[1];
	assert_non_null(r->related.contained);
	assert_string_equal(r->related.identifier.value,
	    "a54219b8-f741-4c47-b662-e4f8dfa49ab6");
	assert_string_equal(r->fill->quantity_unit, "TAB");
	assert_int_equal(r->fill->days_supply, -1);
}

static void
mixed_batch_refuses_each_for_itself(void **state)
{
	const struct fhir *fhir = sample("ms-batch-mixed.json");

	(void)state;
	assert_int_equal(fhir->bundle, BUNDLE_BATCH);
	assert_int_equal(fhir->record_count, 34);
	/* "med0302" is no reference */
	assert_problem(fhir, 0, "value",
	    "entry[4].resource.medicationReference.reference");
	assert_problem(fhir, 1, "value",
	    "entry[5].resource.medicationReference.reference");
	assert_int_equal(fhir->problems.count, 2);
	assert_string_equal(fhir->records[18].prescription->drug, "-|test");
	assert_int_equal(
	    fhir->records[18].prescription->status, PRESCRIPTION_DRAFT);
	assert_ptr_equal(fhir->records[18].subject.record, &fhir->records[19]);
	assert_string_equal(fhir->records[20].identifiers[0].system, "-");
	assert_string_equal(fhir->records[6].version, "19");
	/* outpatient encounters are not stays */
	assert_int_equal(count_type(fhir, RECORD_STAY), 0);
	assert_int_equal(count_type(fhir, RECORD_MEDICATION), 2);
}

static void
synthea_samples_are_read(void **state)
{
	const struct fhir *fhir = sample("synthea-transaction-rufus.json");
	const struct person_record *p;
	uint32_t timed = 0;

	(void)state;
	assert_fine(fhir);
	assert_int_equal(count_type(fhir, RECORD_PRESCRIPTION), 7);
	for (uint32_t i = 0; i < fhir->record_count; i++) {
		const struct prescription *rx = fhir->records[i].prescription;

		timed += rx != NULL && rx->dosage_count > 0 &&
			 rx->dosages[0].timing != NULL;
	}
	assert_int_equal(timed, 1);
	p = find(fhir, "999-18-9440")->person;
	assert_string_equal(p->name, "Rufus Kihn");
	assert_int_equal(p->contact_count, 0);
	assert_fine(sample("synthea-transaction-marc.json"));
}

/* ---- what is refused ---- */

#define CONCEPT "\"medicationCodeableConcept\":{\"text\":\"x\"}"
#define SUBJECT "\"subject\":{\"reference\":\"Patient/1\"}"
#define ORDER \
	"\"resourceType\":\"MedicationRequest\",\"status\":\"active\"," \
	"\"intent\":\"order\","

static void
bundles_of_no_use_are_refused(void **state)
{
	(void)state;
	assert_refused("", "structure", "");
	assert_refused("{\"resourceType\":", "structure", "");
	assert_refused("[]", "structure", "");
	assert_refused("{\"id\":\"a\"}", "structure", "");
	assert_refused("{\"resourceType\":\"Bundle\",\"type\":\"history\"}",
	    "not-supported", "type");
	assert_refused("{\"resourceType\":\"Bundle\",\"type\":\"batch\","
		       "\"entry\":{}}",
	    "structure", "entry");
	assert_int_equal(parse("{\"resourceType\":\"Observation\"}")->bundle,
	    BUNDLE_REFUSED);
	assert_int_equal(
	    fhir_parse("", FHIR_BYTES_MAX + 1, &options, arena)->bundle,
	    BUNDLE_REFUSED);
	assert_fine(parse("{\"resourceType\":\"Bundle\",\"type\":\"batch\"}"));
}

static void
requests_go_with_transactions_only(void **state)
{
	(void)state;
	assert_refused("{\"resourceType\":\"Bundle\",\"type\":\"transaction\","
		       "\"entry\":[{\"resource\":{\"resourceType\":"
		       "\"Patient\"}}]}",
	    "required", "entry[0].request");
	assert_refused("{\"resourceType\":\"Bundle\",\"type\":\"collection\","
		       "\"entry\":[{\"resource\":{\"resourceType\":"
		       "\"Patient\"},\"request\":{\"method\":\"POST\","
		       "\"url\":\"Patient\"}}]}",
	    "invariant", "entry[0].request");
}

/* A transaction of one Patient with this request. */
static const char *
request(const char *id, const char *members)
{
	return arena_printf(arena,
	    "{\"resourceType\":\"Bundle\",\"type\":\"transaction\","
	    "\"entry\":[{\"resource\":{\"resourceType\":\"Patient\","
	    "\"id\":\"%s\"},\"request\":{%s}}]}",
	    id, members);
}

static void
requests_are_read_or_refused(void **state)
{
	const struct fhir *fhir;

	(void)state;
	assert_refused(
	    request("1", "\"method\":\"DELETE\",\"url\":\"Patient/1\""),
	    "not-supported", "entry[0].request.method");
	assert_refused(request("1", "\"method\":\"PUT\",\"url\":\"Patient/2\""),
	    "value", "entry[0].request.url");
	assert_refused(request("1", "\"method\":\"POST\",\"url\":\"Consent\""),
	    "value", "entry[0].request.url");
	assert_refused(
	    request("1", "\"method\":\"PUT\",\"url\":\"Patient?name=peter\""),
	    "value", "entry[0].request.url");
	assert_refused(request("1", "\"method\":\"POST\",\"url\":\"Patient\","
				    "\"ifNoneExist\":\"identifier=a|b,a|c\""),
	    "not-supported", "entry[0].request.ifNoneExist");
	assert_refused(request("1", "\"method\":\"POST\",\"url\":\"Patient\","
				    "\"ifNoneExist\":\"identifier=a%7\""),
	    "not-supported", "entry[0].request.ifNoneExist");
	assert_refused(request("1", "\"method\":\"PUT\",\"url\":\"Patient/1\","
				    "\"ifMatch\":\"3\""),
	    "value", "entry[0].request.ifMatch");
	fhir = parse(request("1", "\"method\":\"POST\",\"url\":\"Patient\","
				  "\"ifNoneExist\":\"identifier=http%3A%2F%2F"
				  "a%7Cb%5C%7Cc\""));
	assert_fine(fhir);
	assert_string_equal(fhir->records[0].match.system, "http://a");
	assert_string_equal(fhir->records[0].match.value, "b|c");
}

static void
two_entries_may_not_write_to_one_resource(void **state)
{
	static const char put[] =
	    "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\"},"
	    "\"request\":{\"method\":\"PUT\",\"url\":\"Patient/1\"}}";
	const struct fhir *fhir = parse(arena_printf(arena,
	    "{\"resourceType\":\"Bundle\",\"type\":\"transaction\","
	    "\"entry\":[%s,%s]}",
	    put, put));

	(void)state;
	assert_problem(fhir, 0, "duplicate", "entry[1].resource");
	assert_false(fhir->records[0].refused);
	assert_true(fhir->records[1].refused);
}

static void
versions_of_one_resource_may_stand_in_one_transaction(void **state)
{
	static const char entry[] =
	    "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\","
	    "\"meta\":{\"versionId\":\"%d\"}},"
	    "\"request\":{\"method\":\"PUT\",\"url\":\"Patient/1\"}}";
	static const char unversioned[] =
	    "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\"},"
	    "\"request\":{\"method\":\"PUT\",\"url\":\"Patient/1\"}}";
	static const char bundle[] =
	    "{\"resourceType\":\"Bundle\",\"type\":\"transaction\","
	    "\"entry\":[%s,%s,%s]}";
	char one[200], two[200];
	const struct fhir *fhir;

	(void)state;
	(void)snprintf(one, sizeof(one), entry, 1);
	(void)snprintf(two, sizeof(two), entry, 2);
	fhir = parse(arena_printf(arena, bundle, one, two, unversioned));
	assert_problem(fhir, 0, "duplicate", "entry[2].resource");
	assert_false(fhir->records[0].refused || fhir->records[1].refused);
	fhir = parse(arena_printf(arena, bundle, one, two, two));
	assert_problem(fhir, 0, "duplicate", "entry[2].resource");
	assert_int_equal(fhir->refused_count, 1);
}

static void
full_urls_are_unique_but_for_versions(void **state)
{
	static const char entry[] =
	    "{\"fullUrl\":\"urn:uuid:1\",\"resource\":{\"resourceType\":"
	    "\"Patient\",\"id\":\"1\",\"meta\":{\"versionId\":\"%d\"}}}";
	static const char bundle[] =
	    "{\"resourceType\":\"Bundle\",\"type\":\"collection\","
	    "\"entry\":[%s,%s]}";
	char one[200], two[200];
	const struct fhir *fhir;

	(void)state;
	(void)snprintf(one, sizeof(one), entry, 9);
	(void)snprintf(two, sizeof(two), entry, 10);
	fhir = parse(arena_printf(arena, bundle, one, one));
	assert_problem(fhir, 0, "invariant", "entry[1].resource");
	fhir = parse(arena_printf(arena, bundle, one, two));
	assert_fine(fhir);
	assert_true(fhir_compare(&fhir->records[0], &fhir->records[1]) < 0);
	assert_true(fhir_compare(&fhir->records[1], &fhir->records[0]) > 0);
}

static void
newer_is_who_was_updated_later(void **state)
{
	const struct fhir *early = sample("cn-clinic-transaction.json");
	const struct fhir *late = sample("cn-hospital-update-transaction.json");
	const struct record *old = find(early, "A-0005");
	const struct record *new = find(late, "A-0005");
	struct record other = *new;

	(void)state;
	/* one has no lastUpdated, none a version: the bundles' times */
	assert_true(fhir_compare(old, new) < 0);
	assert_true(fhir_compare(new, old) > 0);
	/* lastUpdated outranks the version */
	other.updated_at = new->updated_at - 1;
	other.version = "2";
	assert_true(fhir_compare(&other, new) < 0);
	other.updated_at = new->updated_at;
	other.version = NULL;
	assert_int_equal(fhir_compare(&other, new), 0);
}

static void
versions_compare_as_numbers(void **state)
{
	(void)state;
	assert_true(fhir_compare_versions("9", "10") < 0);
	assert_true(fhir_compare_versions("010", "9") > 0);
	assert_int_equal(fhir_compare_versions("7", "007"), 0);
	assert_int_equal(fhir_compare_versions("a", "b"), 0);
	assert_int_equal(fhir_compare_versions(NULL, "1"), 0);
}

static void
modifier_extensions_are_refused_wherever_they_stand(void **state)
{
	(void)state;
	assert_refused("{\"resourceType\":\"Patient\",\"modifierExtension\":"
		       "[{\"url\":\"http://a\"}]}",
	    "extension", "modifierExtension");
	assert_refused("{" ORDER CONCEPT "," SUBJECT
		       ",\"dosageInstruction\":[{\"text\":\"qd\"},{\"text\":"
		       "\"qd\",\"modifierExtension\":[{\"url\":\"x\"}]}]}",
	    "extension", "dosageInstruction[1].modifierExtension");
	/* an extension may be passed over */
	assert_fine(parse("{\"resourceType\":\"Patient\",\"extension\":"
			  "[{\"url\":\"http://a\",\"valueCode\":\"b\"}]}"));
	assert_refused(
	    "{\"resourceType\":\"Patient\",\"implicitRules\":\"http://a\"}",
	    "not-supported", "implicitRules");
}

static void
timing_invariants_name_their_place(void **state)
{
	char text[4096];
	size_t used;

	(void)state;
	used = (size_t)snprintf(text, sizeof(text),
	    "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[");
	for (int i = 0; i < 12; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "{\"resource\":{\"resourceType\":\"Basic\"}},");
	(void)snprintf(text + used, sizeof(text) - used,
	    "{\"resource\":{" ORDER CONCEPT "," SUBJECT
	    ",\"dosageInstruction\":[{\"timing\":{\"repeat\":{\"frequency\":1,"
	    "\"period\":1}}}]}}]}");
	assert_refused(text, "invariant",
	    "entry[12].resource.dosageInstruction[0].timing.repeat");
}

static void
what_a_resource_needs_is_asked_for(void **state)
{
	static const struct {
		const char *text, *code, *path;
	} cases[] = {
	    {"{" ORDER CONCEPT "}", "required", "subject"},
	    {"{" ORDER SUBJECT "}", "required", "medicationCodeableConcept"},
	    {"{" ORDER CONCEPT ",\"subject\":{\"reference\":\"Group/1\"}}",
		"value", "subject"},
	    {"{" ORDER CONCEPT ",\"subject\":{\"display\":\"x\"}}", "required",
		"subject"},
	    {"{" ORDER CONCEPT "," SUBJECT ",\"medicationReference\":"
	     "{\"reference\":\"Medication/1\"}}",
		"structure", "medicationCodeableConcept"},
	    {"{" ORDER SUBJECT ",\"medicationReference\":"
	     "{\"reference\":\"#nowhere\"}}",
		"value", "medicationReference.reference"},
	    {"{" ORDER SUBJECT ",\"medicationReference\":"
	     "{\"reference\":\"Medication/1\"}}",
		"required", "medicationReference"},
	    {"{" ORDER CONCEPT "," SUBJECT ",\"authoredOn\":\"2026-02-30\"}",
		"value", "authoredOn"},
	    {"{" ORDER CONCEPT "," SUBJECT
	     ",\"authoredOn\":\"2026-02-03T10:00:00\"}",
		"value", "authoredOn"},
	    {"{" ORDER CONCEPT "," SUBJECT ",\"dispenseRequest\":"
	     "{\"validityPeriod\":{\"start\":\"2026-02-02\","
	     "\"end\":\"2026-02-01\"}}}",
		"invariant", "dispenseRequest.validityPeriod"},
	    {"{" ORDER CONCEPT "," SUBJECT ",\"dispenseRequest\":"
	     "{\"quantity\":{\"value\":-1}}}",
		"value", "dispenseRequest.quantity.value"},
	    {"{" ORDER CONCEPT "," SUBJECT ",\"dosageInstruction\":{}}",
		"structure", "dosageInstruction"},
	    {"{\"resourceType\":\"MedicationRequest\",\"intent\":\"order\","
	     "\"status\":\"aktiv\"," CONCEPT "," SUBJECT "}",
		"code-invalid", "status"},
	    {"{\"resourceType\":\"MedicationDispense\",\"status\":"
	     "\"completed\"," CONCEPT "," SUBJECT "}",
		"required", "whenHandedOver"},
	    {"{\"resourceType\":\"MedicationDispense\",\"status\":"
	     "\"completed\"," CONCEPT "," SUBJECT
	     ",\"whenPrepared\":\"2026-03-02T10:00:00+08:00\","
	     "\"whenHandedOver\":\"2026-03-02T09:59:00+08:00\"}",
		"invariant", "whenHandedOver"},
	    {"{\"resourceType\":\"Consent\",\"status\":\"active\","
	     "\"patient\":{\"reference\":\"Patient/1\"}}",
		"invariant", "policyRule"},
	    {"{\"resourceType\":\"Patient\",\"birthDate\":\"1985-13-01\"}",
		"value", "birthDate"},
	    {"{\"resourceType\":\"Patient\",\"id\":\"a b\"}", "value", "id"},
	    {"{\"resourceType\":\"Patient\",\"active\":\"true\"}", "structure",
		"active"},
	    {"{\"resourceType\":\"Patient\",\"meta\":{\"lastUpdated\":"
	     "\"2026-01-01\"}}",
		"value", "meta.lastUpdated"},
	    {"{\"resourceType\":\"Patient\",\"extension\":[{\"url\":"
	     "\"http://hl7.org/fhir/StructureDefinition/timezone\","
	     "\"valueCode\":\"Mars/Olympus\"}]}",
		"value", "extension"},
	    {"{\"resourceType\":\"RelatedPerson\"}", "required", "patient"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_refused(cases[i].text, cases[i].code, cases[i].path);
}

static void
long_lists_and_texts_are_refused(void **state)
{
	char text[4096];
	size_t used;

	(void)state;
	used = (size_t)snprintf(text, sizeof(text),
	    "{\"resourceType\":\"Patient\",\"telecom\":[{}");
	for (int i = 0; i < 100; i++)
		used +=
		    (size_t)snprintf(text + used, sizeof(text) - used, ",{}");
	(void)snprintf(text + used, sizeof(text) - used, "]}");
	assert_refused(text, "too-costly", "telecom");
	(void)snprintf(text, sizeof(text),
	    "{\"resourceType\":\"Patient\",\"name\":[{\"text\":\"%0201d\"}]}",
	    1);
	assert_refused(text, "too-long", "name.text");
}

static void
medication_may_stand_elsewhere_in_the_bundle(void **state)
{
	const struct fhir *fhir = parse(
	    "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":["
	    "{\"resource\":{" ORDER SUBJECT ",\"medicationReference\":"
	    "{\"reference\":\"Medication/m1\"}}},"
	    "{\"resource\":{" ORDER SUBJECT ",\"medicationReference\":"
	    "{\"reference\":\"Medication/m9\",\"display\":\"Else  WHERE\"}}},"
	    "{\"resource\":{\"resourceType\":\"Medication\",\"id\":\"m1\","
	    "\"code\":{\"coding\":[{\"system\":\"http://www.whocc.no/atc\","
	    "\"code\":\"C08\"},{\"system\":\"http://a\",\"code\":\"b\","
	    "\"display\":\"B\"}]}}}]}");

	(void)state;
	assert_fine(fhir);
	/* a group of the ATC is no drug */
	assert_string_equal(fhir->records[0].prescription->drug, "http://a|b");
	assert_string_equal(fhir->records[0].prescription->name, "B");
	assert_string_equal(
	    fhir->records[1].prescription->drug, "text|else where");
}

static void
references_lead_to_identifiers(void **state)
{
	static const struct {
		const char *reference, *system, *value;
	} cases[] = {
	    {"\"reference\":\"Patient/1/_history/3\"", "", "1"},
	    {"\"reference\":\"https://a.example/fhir/Patient/1\"", "", "1"},
	    {"\"reference\":\"urn:uuid:1\"", "", "urn:uuid:1"},
	    {"\"reference\":\"Patient?identifier=a|b\"", "a", "b"},
	    {"\"identifier\":{\"value\":\"b\"}", "-", "b"},
	    {"\"reference\":\"Patient/1\",\"identifier\":{\"system\":\"a\","
	     "\"value\":\"b\"}",
		"a", "b"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct fhir *fhir = parse(
		    arena_printf(arena, "{" ORDER CONCEPT ",\"subject\":{%s}}",
			cases[i].reference));
		const struct reference *subject = &fhir->records[0].subject;

		assert_fine(fhir);
		assert_string_equal(
		    subject->identifier.system, cases[i].system);
		assert_string_equal(subject->identifier.value, cases[i].value);
	}
}

static void
orders_that_order_nothing_are_drafts(void **state)
{
	const struct fhir *fhir =
	    parse("{" ORDER CONCEPT "," SUBJECT ",\"doNotPerform\":true}");

	(void)state;
	assert_fine(fhir);
	assert_int_equal(
	    fhir->records[0].prescription->status, PRESCRIPTION_DRAFT);
}

static enum course
course_of(const char *coding, bool *warned)
{
	const struct fhir *fhir = parse(arena_printf(arena,
	    "{" ORDER CONCEPT "," SUBJECT
	    ",\"courseOfTherapyType\":{\"coding\":[%s]}}",
	    coding));

	*warned = fhir->problems.count > 0;
	assert_int_equal(fhir->refused_count, 0);
	return fhir->records[0].prescription->course;
}

static void
course_is_told_by_its_code_and_never_guessed(void **state)
{
	bool warned;

	(void)state;
	assert_int_equal(
	    course_of("{\"code\":\"acute\"}", &warned), COURSE_ACUTE);
	assert_false(warned);
	assert_int_equal(course_of("{\"system\":\"urn:own\",\"code\":"
				   "\"acute\"}",
			     &warned),
	    COURSE_UNSTATED);
	assert_true(warned);
	assert_int_equal(
	    course_of("{\"code\":\"for ever\"}", &warned), COURSE_UNSTATED);
	assert_true(warned);
}

static void
dosage_in_words_is_read_where_it_is_clear(void **state)
{
	const struct fhir *fhir =
	    parse("{" ORDER CONCEPT "," SUBJECT ",\"dosageInstruction\":["
		  "{\"text\":\"bid\"},"
		  "{\"text\":\"遵医嘱\"},"
		  "{\"asNeededCodeableConcept\":{}}]}");
	const struct record *r = &fhir->records[0];

	(void)state;
	/* nobody is reminded of what nobody can read: that is told */
	assert_int_equal(fhir->problems.count, 1);
	assert_problem(fhir, 0, "informational", "dosageInstruction[1]");
	assert_true(problem(fhir, 0)->warning);
	assert_int_equal(fhir->refused_count, 0);
	assert_non_null(r->prescription->dosages[0].timing);
	assert_null(r->dosages[0].needs_review);
	assert_non_null(r->dosages[1].needs_review);
	assert_true(r->prescription->dosages[2].as_needed);
	assert_null(r->dosages[2].needs_review);
}

static void
empty_stomach_is_taken_and_to_be_confirmed(void **state)
{
	const struct fhir *fhir =
	    parse("{" ORDER CONCEPT "," SUBJECT ",\"dosageInstruction\":["
		  "{\"text\":\"qd 空腹\"},"
		  "{\"text\":\"qd 晚餐前空腹\"}]}");
	const struct record *r = &fhir->records[0];

	(void)state;
	assert_int_equal(fhir->problems.count, 1);
	assert_problem(fhir, 0, "informational", "dosageInstruction[0].text");
	assert_true(problem(fhir, 0)->warning);
	assert_string_equal(
	    problem(fhir, 0)->text, "空腹 taken as before breakfast, confirm");
	assert_non_null(r->prescription->dosages[0].timing);
	assert_null(r->dosages[0].needs_review);
}

static void
durations_are_counted_in_days_or_left_out(void **state)
{
	static const struct {
		const char *duration;
		int32_t days;
		size_t problems;
		uint32_t refused;
	} cases[] = {
	    {"{\"value\":4,\"unit\":\"周\"}", 28, 0, 0},
	    {"{\"value\":28.0,\"code\":\"d\",\"unit\":\"x\"}", 28, 0, 0},
	    {"{\"value\":1,\"code\":\"mo\"}", -1, 1, 0},
	    {"{\"value\":28}", -1, 1, 0},
	    {"{\"value\":28,\"unit\":\"片\"}", -1, 1, 1},
	    {"{\"value\":2.5,\"code\":\"d\"}", -1, 1, 1},
	    {"{\"value\":3661,\"code\":\"d\"}", -1, 1, 1},
	    {"{\"value\":28,\"code\":\"d\",\"comparator\":\"<\"}", -1, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct fhir *fhir = parse(arena_printf(arena,
		    "{\"resourceType\":\"MedicationDispense\",\"status\":"
		    "\"in-progress\"," CONCEPT "," SUBJECT
		    ",\"daysSupply\":%s}",
		    cases[i].duration));

		assert_int_equal(
		    fhir->records[0].fill->days_supply, cases[i].days);
		assert_int_equal(fhir->problems.count, cases[i].problems);
		assert_int_equal(fhir->refused_count, cases[i].refused);
	}
}

/* A visit with these members. */
static struct fhir *
visit(const char *members)
{
	return parse(arena_printf(arena,
	    "{\"resourceType\":\"Appointment\",\"participant\":[{\"actor\":"
	    "{\"reference\":\"Patient/1\"}}],%s}",
	    members));
}

static void
visits_have_times_unless_proposed_or_cancelled(void **state)
{
	(void)state;
	assert_problem(visit("\"status\":\"booked\""), 0, "invariant", "start");
	assert_problem(visit("\"status\":\"booked\",\"start\":"
			     "\"2026-03-02T10:00:00+08:00\""),
	    0, "invariant", "end");
	assert_problem(visit("\"status\":\"booked\",\"start\":\"2026-03-02\","
			     "\"end\":\"2026-03-02\""),
	    0, "value", "start");
	assert_problem(visit("\"status\":\"booked\","
			     "\"start\":\"2026-03-02T10:00:00+08:00\","
			     "\"end\":\"2026-03-02T09:00:00+08:00\""),
	    0, "invariant", "end");
	assert_fine(visit("\"status\":\"proposed\""));
	assert_true(
	    visit("\"status\":\"cancelled\"")->records[0].visit->start_at ==
	    AT_NEVER);
	assert_problem(parse("{\"resourceType\":\"Appointment\",\"status\":"
			     "\"proposed\",\"participant\":[{\"actor\":"
			     "{\"reference\":\"Practitioner/1\"}}]}"),
	    0, "required", "participant");
}

static void
visit_names_the_one_that_it_replaces(void **state)
{
	const struct record *r =
	    &visit("\"status\":\"proposed\",\"supportingInformation\":["
		   "{\"reference\":\"Observation/3\"},"
		   "{\"reference\":\"Appointment/7\"}]")
		 ->records[0];

	(void)state;
	assert_true(r->related.given);
	assert_string_equal(r->related.type, "Appointment");
	assert_string_equal(r->related.identifier.value, "7");
}

static void
sensitive_visit_says_nothing_of_its_purpose(void **state)
{
	const struct fhir *fhir = sample("cn-clinic-transaction.json");

	(void)state;
	assert_string_equal(
	    find(fhir, "A-0012")->visit->description, "痛风复诊");
	assert_null(find(fhir, "A-0011")->visit->description);
}

/* A consent with this status and provision. */
static struct fhir *
consent(const char *status, const char *provision)
{
	return parse(arena_printf(arena,
	    "{\"resourceType\":\"Consent\",\"status\":\"%s\",\"patient\":"
	    "{\"reference\":\"Patient/1\"},\"policyRule\":{\"text\":\"x\"},"
	    "\"dateTime\":\"2026-01-02T10:00:00+08:00\",\"provision\":%s}",
	    status, provision));
}

static void
consent_without_rules_for_messages_is_empty(void **state)
{
	const struct fhir *fhir = consent("draft", "{\"type\":\"permit\"}");

	(void)state;
	assert_fine(fhir);
	assert_true(fhir->records[0].empty);
	fhir = consent("entered-in-error", "{\"type\":\"permit\"}");
	assert_true(fhir->records[0].empty);
	/* it permits treatment, or research: not messages */
	fhir = consent("active",
	    "{\"type\":\"permit\",\"purpose\":[{\"system\":"
	    "\"http://terminology.hl7.org/CodeSystem/v3-ActReason\","
	    "\"code\":\"TREAT\"}]}");
	assert_true(fhir->records[0].empty);
	fhir = parse("{\"resourceType\":\"Consent\",\"status\":\"active\","
		     "\"scope\":{\"coding\":[{\"system\":"
		     "\"http://terminology.hl7.org/CodeSystem/consentscope\","
		     "\"code\":\"research\"}]},\"patient\":{\"reference\":"
		     "\"Patient/1\"},\"policyRule\":{},\"provision\":"
		     "{\"type\":\"permit\"}}");
	assert_true(fhir->records[0].empty);
	/* everything, but never any hour */
	fhir = consent("active", "{\"type\":\"permit\"}");
	assert_false(fhir->records[0].empty);
	assert_int_equal(fhir->records[0].consents[0].topics, TOPIC_ALL);
	assert_int_equal(fhir->records[0].consents[0].channels, CHANNEL_ALL);
}

static void
misspelt_topic_is_not_taken_for_all(void **state)
{
	const struct fhir *fhir = consent("active",
	    "{\"type\":\"permit\",\"purpose\":[{\"system\":"
	    "\"https://adherd.example/fhir/topic\",\"code\":\"doses\"}]}");

	(void)state;
	assert_problem(fhir, 0, "code-invalid", "provision.purpose");
	assert_true(fhir->records[0].refused);
	assert_int_equal(fhir->records[0].consent_count, 0);
}

static void
rejected_consent_never_was_one(void **state)
{
	const struct fhir *fhir = consent("rejected",
	    "{\"type\":\"permit\",\"period\":{\"end\":\"2026-06-30\"}}");
	const struct consent *c = fhir->records[0].consents;

	(void)state;
	assert_true(c->withdrawn);
	assert_true(c->withdrawn_at == AT_UNKNOWN);
	/* withdrawn on a day: from that day's midnight on */
	fhir = consent("inactive",
	    "{\"type\":\"permit\",\"period\":{\"end\":\"2026-06-30\"}}");
	c = fhir->records[0].consents;
	assert_true(c->withdrawn_at == instant("2026-06-30T00:00:00+08:00"));
}

/* An encounter of class IMP with these members. */
static struct fhir *
stay(const char *members)
{
	return parse(arena_printf(arena,
	    "{\"resourceType\":\"Encounter\",\"class\":{\"code\":\"IMP\"}"
	    "," SUBJECT ",%s}",
	    members));
}

static void
inpatient_encounter_is_a_stay(void **state)
{
	const struct fhir *fhir =
	    stay("\"status\":\"finished\",\"period\":{\"start\":\"2026-03-02\","
		 "\"end\":\"2026-03-04\"}");

	(void)state;
	assert_fine(fhir);
	assert_int_equal(fhir->records[0].type, RECORD_STAY);
	assert_true(fhir->records[0].stay->from_at ==
		    instant("2026-03-02T00:00:00+08:00"));
	assert_true(fhir->records[0].stay->until_at ==
		    instant("2026-03-05T00:00:00+08:00"));
	fhir = stay("\"status\":\"in-progress\",\"period\":{\"start\":"
		    "\"2026-03-02\"}");
	assert_true(fhir->records[0].stay->until_at == AT_NEVER);
	assert_problem(stay("\"status\":\"finished\",\"period\":{\"start\":"
			    "\"2026-03-02\"}"),
	    0, "required", "period.end");
	assert_true(stay("\"status\":\"cancelled\"")->records[0].empty);
}

static void
phones_become_e164_or_nothing(void **state)
{
	static const struct {
		const char *text;
		bool china;
		const char *number;
	} cases[] = {
	    {"0086 199 0000 0001", true, "+8619900000001"},
	    {"8619900000001", true, "+8619900000001"},
	    {"8619900000001", false, NULL},
	    {"tel:+1-202-555-0143", false, "+12025550143"},
	    {"+49 (0)171 0000000", false, "+491710000000"},
	    {"19900000001", false, NULL},
	    {"12900000001", true, NULL},
	    {"010-1234 5678", true, NULL},
	    {"+0123456789", false, NULL},
	    {"+1234567", false, NULL},
	    {"+1234567890123456", false, NULL},
	    {"+86 199 0000 0001 ext 3", true, NULL},
	    {"", true, NULL},
	    {"+", true, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *number =
		    fhir_phone(cases[i].text, cases[i].china, arena);

		if (cases[i].number == NULL)
			assert_null(number);
		else
			assert_string_equal(number, cases[i].number);
	}
	assert_true(fhir_zone_is_chinese(zone_open("Asia/Urumqi")));
	assert_false(fhir_zone_is_chinese(zone_open("Europe/Berlin")));
}

static void
addresses_count_while_they_are_in_use(void **state)
{
	const struct person_record *p =
	    parse("{\"resourceType\":\"Patient\",\"telecom\":["
		  "{\"system\":\"sms\",\"use\":\"old\",\"value\":"
		  "\"19900000001\"},"
		  "{\"system\":\"sms\",\"value\":\"19900000002\","
		  "\"period\":{\"end\":\"2026-01-31\"}},"
		  "{\"system\":\"sms\",\"value\":\"+86 199 0000 0002\","
		  "\"period\":{\"start\":\"2026-02-01\"},\"rank\":2},"
		  "{\"system\":\"sms\",\"value\":\"19900000003\","
		  "\"period\":{\"end\":\"2026-01-31\"}},"
		  "{\"system\":\"sms\",\"value\":\"19900000003\","
		  "\"period\":{\"end\":\"2025-01-31\"}},"
		  "{\"system\":\"sms\",\"value\":\"19900000004\","
		  "\"period\":{\"end\":\"2025-01-31\"}},"
		  "{\"system\":\"sms\",\"value\":\"19900000004\","
		  "\"period\":{\"start\":\"2026-01-31\"}}]}")
		->records[0]
		.person;

	(void)state;
	assert_int_equal(p->contact_count, 3);
	/* one address, two times that meet */
	assert_true(p->contacts[0].from_at == AT_UNKNOWN);
	assert_string_equal(p->contacts[0].address, "+8619900000002");
	assert_int_equal(p->contacts[0].rank, 2);
	assert_true(p->contacts[0].until_at == AT_NEVER);
	assert_string_equal(p->contacts[1].address, "+8619900000003");
	assert_true(
	    p->contacts[1].until_at == instant("2026-02-01T00:00:00+08:00"));
	/* two times apart: the later */
	assert_true(
	    p->contacts[2].from_at == instant("2026-01-31T00:00:00+08:00"));
}

static void
parents_are_guardians(void **state)
{
	static const struct {
		const char *relationship;
		enum owner owner;
	} cases[] = {
	    {"{\"coding\":[{\"code\":\"MTH\"}]}", OWNER_GUARDIAN},
	    {"{\"text\":\"法定监护人\"}", OWNER_GUARDIAN},
	    {"{\"coding\":[{\"code\":\"HUSB\"}]}", OWNER_CAREGIVER},
	    {"{\"coding\":[{\"system\":\"x\",\"code\":\"MTH\"}]}",
		OWNER_CAREGIVER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct fhir *fhir = parse(arena_printf(arena,
		    "{\"resourceType\":\"RelatedPerson\",\"patient\":"
		    "{\"reference\":\"Patient/1\"},\"relationship\":[%s]}",
		    cases[i].relationship));

		assert_fine(fhir);
		assert_int_equal(
		    fhir->records[0].person->owner, cases[i].owner);
	}
}

static void
any_phone_takes_sms_where_the_option_says_so(void **state)
{
	static const char text[] =
	    "{\"resourceType\":\"Patient\",\"telecom\":[{\"system\":\"phone\","
	    "\"use\":\"home\",\"value\":\"199 0000 0001\"}]}";

	(void)state;
	assert_int_equal(parse(text)->records[0].person->contact_count, 0);
	options.phone_is_mobile = true;
	assert_int_equal(parse(text)->records[0].person->contact_count, 1);
}

static void
partial_birth_dates_keep_their_width(void **state)
{
	const struct person_record *p =
	    parse("{\"resourceType\":\"Patient\",\"birthDate\":\"2012-02\","
		  "\"deceasedBoolean\":true}")
		->records[0]
		.person;

	(void)state;
	assert_int_equal(p->birth_on, day("2012-02-01"));
	assert_int_equal(p->birth_until_on, day("2012-02-29"));
	assert_true(p->deceased_at == AT_UNKNOWN);
}

static void
hash_is_of_the_content_alone(void **state)
{
	static const char *const texts[] = {
	    "{\"resourceType\":\"Patient\",\"id\":\"1\",\"active\":true,"
	    "\"meta\":{\"versionId\":\"1\"},\"name\":[{\"text\":\"a\"}]}",
	    "{\"name\":[{\"text\":\"a\"}], \"active\":true, \"id\":\"1\","
	    "\"resourceType\":\"Patient\"}",
	    "{\"name\":[{\"text\":\"b\"}], \"active\":true, \"id\":\"1\","
	    "\"resourceType\":\"Patient\"}",
	};
	uint8_t hash[3][32];

	(void)state;
	for (int i = 0; i < 3; i++)
		fhir_hash(&parse(texts[i])->records[0], hash[i]);
	assert_memory_equal(hash[0], hash[1], 32);
	assert_memory_not_equal(hash[0], hash[2], 32);
}

static void
problems_tell_no_value_of_the_patient(void **state)
{
	const struct fhir *fhir = parse(
	    "{\"resourceType\":\"Patient\",\"id\":\"secret secret\","
	    "\"birthDate\":\"secret\",\"deceasedDateTime\":\"secret\","
	    "\"secret\":{\"modifierExtension\":[]},\"telecom\":[{\"system\":"
	    "\"sms\",\"value\":\"secret\"}]}");

	(void)state;
	assert_int_equal(fhir->problems.count, 5);
	for (size_t i = 0; i < fhir->problems.count; i++)
		assert_null(strstr(problem(fhir, i)->text, "secret"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(clinic_sample_has_the_counts_of_its_readme),
	    TEST(prescription_is_read_whole),
	    TEST(prescriber_has_one_key_in_visit_and_prescription),
	    TEST(phone_spellings_become_one),
	    TEST(patient_is_read_whole),
	    TEST(former_phone_does_not_count),
	    TEST(carers_and_guardians_are_told_apart),
	    TEST(consent_rules_stand_in_root_or_nested),
	    TEST(dates_are_read_in_the_patients_own_zone),
	    TEST(house_codes_of_one_drug_share_a_key),
	    TEST(pharmacy_sample_names_patients_by_identifier),
	    TEST(supply_in_tablets_is_refused_as_days),
	    TEST(update_sample_refers_by_search_and_urn),
	    TEST(hl7_transaction_sample_is_refused_for_what_is_not_taken),
	    TEST(hl7_prescriptions_are_read_with_what_they_contain),
	    TEST(message_bundles_need_no_request),
	    TEST(mixed_batch_refuses_each_for_itself),
	    TEST(synthea_samples_are_read),
	    TEST(bundles_of_no_use_are_refused),
	    TEST(requests_go_with_transactions_only),
	    TEST(requests_are_read_or_refused),
	    TEST(two_entries_may_not_write_to_one_resource),
	    TEST(versions_of_one_resource_may_stand_in_one_transaction),
	    TEST(full_urls_are_unique_but_for_versions),
	    TEST(newer_is_who_was_updated_later),
	    TEST(versions_compare_as_numbers),
	    TEST(modifier_extensions_are_refused_wherever_they_stand),
	    TEST(timing_invariants_name_their_place),
	    TEST(what_a_resource_needs_is_asked_for),
	    TEST(long_lists_and_texts_are_refused),
	    TEST(medication_may_stand_elsewhere_in_the_bundle),
	    TEST(references_lead_to_identifiers),
	    TEST(orders_that_order_nothing_are_drafts),
	    TEST(course_is_told_by_its_code_and_never_guessed),
	    TEST(dosage_in_words_is_read_where_it_is_clear),
	    TEST(empty_stomach_is_taken_and_to_be_confirmed),
	    TEST(durations_are_counted_in_days_or_left_out),
	    TEST(visits_have_times_unless_proposed_or_cancelled),
	    TEST(visit_names_the_one_that_it_replaces),
	    TEST(sensitive_visit_says_nothing_of_its_purpose),
	    TEST(consent_without_rules_for_messages_is_empty),
	    TEST(misspelt_topic_is_not_taken_for_all),
	    TEST(rejected_consent_never_was_one),
	    TEST(inpatient_encounter_is_a_stay),
	    TEST(phones_become_e164_or_nothing),
	    TEST(addresses_count_while_they_are_in_use),
	    TEST(parents_are_guardians),
	    TEST(any_phone_takes_sms_where_the_option_says_so),
	    TEST(partial_birth_dates_keep_their_width),
	    TEST(hash_is_of_the_content_alone),
	    TEST(problems_tell_no_value_of_the_patient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
