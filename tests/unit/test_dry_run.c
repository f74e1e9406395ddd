/*
 * The dry run's own part: who is looked at when, what is known by then, in
 * which order lines come.  What is decided is tested with plan, and from
 * the command line in tests/e2e/test_dry_run.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "door/dry_run.h"
#include "door/fhir_dossier.h"

#define PATIENT(id, zone) \
	"{\"resourceType\":\"Patient\",\"id\":\"" id "\",\"extension\":[{" \
	"\"url\":\"http://hl7.org/fhir/StructureDefinition/timezone\"," \
	"\"valueCode\":\"" zone "\"}],\"telecom\":[{\"system\":\"sms\"," \
	"\"value\":\"+8613800000001\"}]}"
#define VISIT(id, of, start, more) \
	"{\"resourceType\":\"Appointment\",\"id\":\"" id "\",\"status\":" \
	"\"booked\",\"participant\":[{\"status\":\"accepted\",\"actor\":{" \
	"\"reference\":\"Patient/" of "\"}}],\"start\":\"" start "\"," \
	"\"end\":\"" start "\"" more "}"
#define DISPENSE(id, of, given) \
	"{\"resourceType\":\"MedicationDispense\",\"id\":\"" id "\"," \
	"\"status\":\"completed\",\"subject\":{\"reference\":\"Patient/" of \
	"\"},\"medicationCodeableConcept\":{\"text\":\"x\"}," \
	"\"whenHandedOver\":\"" given "\"}"
#define UPDATED(at, version) \
	",\"meta\":{\"lastUpdated\":\"" at "\",\"versionId\":\"" version "\"}"
#define FILES_MAX 4

struct world {
	struct arena *arena;
	struct fhir_options options;
	struct fhir_view view;
	struct fhir_file files[FILES_MAX];
	size_t count;
};

static struct world w;

static int
set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.arena = arena_create();
	w.options.zone = w.view.zone = zone_open("Asia/Shanghai");
	w.view.assume = TOPIC_ALL;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(w.arena);
	return 0;
}

/* One more file: a collection of these resources. */
static void
file(const char *resources)
{
	struct buf text = BUF_INIT(0);
	struct json_error error;
	const struct json *list;
	const char *comma = "";

	buf_printf(&text, "[%s]", resources);
	list = json_parse(text.data, text.bytes, NULL, w.arena, &error);
	assert_non_null(list);
	buf_clear(&text);
	buf_text(&text, "{\"resourceType\":\"Bundle\",\"type\":\"collection\","
			"\"entry\":[");
	json_each (item, list) {
		struct json_writer writer;

		buf_printf(&text, "%s{\"resource\":", comma);
		json_write_init(&writer, &text);
		json_write_tree(&writer, item);
		buf_char(&text, '}');
		comma = ",";
	}
	buf_text(&text, "]}");
	w.files[w.count++] = (struct fhir_file){
	    "test", fhir_parse(text.data, text.bytes, &w.options, w.arena)};
	buf_free(&text);
}

static const struct fhir_people *
people(const char *from, int32_t days)
{
	assert_true(civil_parse(from, &w.view.from_on));
	w.view.days = days;
	return fhir_people_create(w.files, w.count, &w.view, w.arena);
}

static int64_t
at(const char *text)
{
	int64_t instant;

	assert_true(instant_parse(text, &instant));
	return instant;
}

static int64_t
know(const void *source, int64_t now, struct arena *arena, struct dossier *d)
{
	return fhir_person_dossier(source, now, arena, d);
}

/* "MM-DDTHH:MM patient action stage items" of each line. */
static const char *
play(const struct fhir_people *all)
{
	static const char *const actions[] = {"", "send", "hold", "task"};
	struct dry_patient *patients =
	    arena_array(w.arena, all->count, sizeof(*patients));
	const struct dry_line *lines;
	struct buf out = BUF_INIT(0);
	const char *text;
	uint32_t count;

	for (uint32_t i = 0; i < all->count; i++)
		patients[i] = (struct dry_patient){
		    .id = all->persons[i]->id,
		    .from = all->persons[i]->from,
		    .to = all->persons[i]->to,
		    .handled_before = all->persons[i]->from,
		    .planned_through = all->persons[i]->from,
		    .know = know,
		    .source = all->persons[i],
		};
	count =
	    dry_run(patients, all->count, program_default(), w.arena, &lines);
	for (uint32_t i = 0; i < count; i++) {
		char when[32];

		zone_format(lines[i].zone, lines[i].at, when, sizeof(when));
		when[16] = '\0';
		buf_printf(&out, "%s %s %s %s", when + 5, lines[i].patient,
		    actions[lines[i].action], stage_word(lines[i].stage));
		for (uint32_t k = 0; k < lines[i].item_count; k++)
			buf_printf(
			    &out, " %s", strchr(lines[i].items[k], '/') + 1);
		buf_char(&out, '\n');
	}
	text = arena_text(w.arena, buf_string(&out));
	buf_free(&out);
	return text;
}

/* "in global time order", then by patient id */
static void
lines_come_by_instant_then_patient(void **state)
{
	(void)state;
	file(PATIENT("b", "Asia/Shanghai") "," PATIENT("a",
	    "Europe/Berlin") "," PATIENT("c", "Asia/Shanghai") "," VISIT("vc",
	    "c", "2026-03-11T09:00:00+08:00",
	    "") "," VISIT("va", "a", "2026-03-11T09:00:00+01:00",
	    "") "," VISIT("vb", "b", "2026-03-11T09:00:00+08:00", ""));
	assert_string_equal(play(people("2026-03-08", 1)),
	    "03-08T10:00 b send -3d vb\n"
	    "03-08T10:00 c send -3d vc\n"
	    "03-08T10:00 a send -3d va\n");
}

/* a number names a thing, whatever else becomes known */
static void
numbers_stay_as_more_becomes_known(void **state)
{
	const struct fhir_person *person;
	struct dossier early, late;

	(void)state;
	file(PATIENT("p", "Asia/Shanghai") "," VISIT("v1", "p",
	    "2026-03-20T09:00:00+08:00",
	    UPDATED("2026-03-10T12:00:00+08:00", "1")) "," DISPENSE("f", "p",
	    "2026-03-01T09:00:00+08:00") "," VISIT("v2", "p",
	    "2026-03-21T09:00:00+08:00", ""));
	person = people("2026-03-08", 30)->persons[0];
	assert_int_equal(
	    fhir_person_dossier(person, person->from, w.arena, &early),
	    at("2026-03-10T12:00:00+08:00"));
	assert_int_equal(early.visit_count, 1);
	assert_int_equal(early.fill_count, 1);
	assert_int_equal(fhir_person_dossier(person,
			     at("2026-03-10T12:00:00+08:00"), w.arena, &late),
	    AT_NEVER);
	assert_int_equal(late.visit_count, 2);
	assert_int_equal(late.fills[0].no, early.fills[0].no);
	assert_string_equal(early.visits[0].id, "v2");
	assert_int_equal(dossier_visit(&late, early.visits[0].no)->start_at,
	    early.visits[0].start_at);
}

/* "the older known until the newer's lastUpdated" */
static void
versions_take_turns(void **state)
{
	const struct fhir_person *person;
	struct dossier d;

	(void)state;
	file(PATIENT("p", "Asia/Shanghai") "," VISIT("v", "p",
	    "2026-03-20T09:00:00+08:00",
	    UPDATED("2026-02-10T12:00:00+08:00", "1")));
	file(VISIT("v", "p", "2026-03-25T09:00:00+08:00",
	    UPDATED("2026-03-12T12:00:00+08:00", "3")));
	file(VISIT("v", "p", "2026-03-22T09:00:00+08:00",
	    UPDATED("2026-03-10T12:00:00+08:00", "2")));
	person = people("2026-03-08", 30)->persons[0];
	assert_int_equal(fhir_person_dossier(person, person->from, w.arena, &d),
	    at("2026-03-10T12:00:00+08:00"));
	assert_int_equal(d.visits[0].start_at, at("2026-03-20T09:00:00+08:00"));
	assert_int_equal(d.visits[0].previous_start_at, AT_NEVER);
	assert_int_equal(fhir_person_dossier(person,
			     at("2026-03-11T00:00:00+08:00"), w.arena, &d),
	    at("2026-03-12T12:00:00+08:00"));
	assert_int_equal(d.visits[0].start_at, at("2026-03-22T09:00:00+08:00"));
	(void)fhir_person_dossier(
	    person, at("2026-03-12T12:00:00+08:00"), w.arena, &d);
	assert_int_equal(d.visits[0].start_at, at("2026-03-25T09:00:00+08:00"));
	assert_int_equal(
	    d.visits[0].previous_start_at, at("2026-03-22T09:00:00+08:00"));
	assert_int_equal(d.visits[0].moved_at, at("2026-03-12T12:00:00+08:00"));
}

/* "SMS 3 a day … per patient and per address" */
static void
an_address_has_one_cap_for_all(void **state)
{
	(void)state;
	file(PATIENT("a", "Asia/Shanghai") "," PATIENT("b",
	    "Asia/Shanghai") "," VISIT("a1", "a", "2026-03-11T09:00:00+08:00",
	    "") "," VISIT("a2", "a", "2026-03-09T09:00:00+08:00",
	    "") "," VISIT("b1", "b", "2026-03-11T09:00:00+08:00",
	    "") "," VISIT("b2", "b", "2026-03-09T09:00:00+08:00", ""));
	assert_string_equal(play(people("2026-03-08", 1)),
	    "03-08T10:00 a send -1d a2\n"
	    "03-08T10:00 b send -1d b2\n"
	    "03-08T10:00 b hold -3d b1\n"
	    "03-08T10:02 a send -3d a1\n");
}

/* however many there are, each is looked at in its turn */
static void
many_patients_keep_the_order(void **state)
{
	enum { MANY = 100 };
	struct buf text = BUF_INIT(0);
	const char *lines, *before = "";

	(void)state;
	for (int i = 0; i < MANY; i++) {
		/* scattered: 37 and 100 have no divisor in common */
		int n = i * 37 % MANY;

		buf_printf(&text,
		    "%s{\"resourceType\":\"Patient\",\"id\":\"p%02d\","
		    "\"telecom\":[{\"system\":\"sms\",\"value\":"
		    "\"+86138000001%02d\"}]},"
		    "{\"resourceType\":\"Appointment\",\"id\":\"v%02d\","
		    "\"status\":\"booked\",\"participant\":[{\"status\":"
		    "\"accepted\",\"actor\":{\"reference\":\"Patient/p%02d\"}}]"
		    ",\"start\":\"2026-03-%02dT09:00:00+08:00\","
		    "\"end\":\"2026-03-%02dT09:00:00+08:00\"}",
		    i > 0 ? "," : "", n, n, n, n, 10 + n % 10, 10 + n % 10);
	}
	file(text.data);
	buf_free(&text);
	lines = play(people("2026-03-01", 30));
	for (int i = 0; i < 2 * MANY; i++) {
		const char *end = strchr(lines, '\n');

		assert_non_null(end);
		assert_true(strcmp(before, lines) < 0);
		before = lines;
		lines = end + 1;
	}
	assert_string_equal(lines, "");
}

/* what the database still has to attempt is attempted once */
static int64_t
know_retry(
    const void *source, int64_t now, struct arena *arena, struct dossier *d)
{
	static const struct visit visit = {
	    .no = 1,
	    .id = "v",
	    .status = VISIT_PLANNED,
	    .previous_start_at = AT_NEVER,
	    .moved_at = AT_NEVER,
	    .status_at = AT_UNKNOWN,
	};
	struct visit *visits = arena_copy(arena, &visit, sizeof(visit));
	struct open_delivery *open = arena_alloc(arena, sizeof(*open));

	(void)now;
	*d = *(const struct dossier *)source;
	visits->start_at = at("2026-03-11T09:00:00+08:00");
	*open = (struct open_delivery){
	    .kind = KIND_FOLLOW_UP,
	    .channel = CHANNEL_SMS,
	    .state = DELIVERY_RETRY,
	    .source = 1,
	    .occurrence_on = zone_local(d->zone, visits->start_at, NULL),
	    .slot = STAGE_M3,
	    .attempts = 1,
	    .due_at = at("2026-03-08T10:00:00+08:00"),
	    .retry_at = at("2026-03-08T10:05:00+08:00"),
	    .valid_until = visits->start_at,
	};
	d->visits = visits;
	d->visit_count = 1;
	d->open = open;
	d->open_count = 1;
	return AT_NEVER;
}

static void
an_open_attempt_is_made_once(void **state)
{
	static const struct contact contact = {
	    .no = 1,
	    .channel = CHANNEL_SMS,
	    .owner = OWNER_SELF,
	    .rank = 1,
	    .from_at = AT_UNKNOWN,
	    .until_at = AT_NEVER,
	    .usable = true,
	};
	static const struct consent consent = {
	    .no = 1,
	    .given_at = AT_UNKNOWN,
	    .from_at = AT_UNKNOWN,
	    .until_at = AT_NEVER,
	    .permit = true,
	    .topics = TOPIC_ALL,
	    .channels = CHANNEL_ALL,
	    .actor = OWNER_SELF,
	};
	struct said said = {
	    .kind = KIND_FOLLOW_UP,
	    .channel = CHANNEL_SMS,
	    .state = DELIVERY_RETRY,
	    .source = 1,
	    .slot = STAGE_M3,
	    .at = at("2026-03-08T10:00:00+08:00"),
	    .leads = true,
	};
	struct dossier d = {
	    .zone = zone_open("Asia/Shanghai"),
	    .active = true,
	    .deceased_at = AT_NEVER,
	    .paused_until = AT_UNKNOWN,
	    .birth_on = ON_UNKNOWN,
	    .contacts = &contact,
	    .contact_count = 1,
	    .consents = &consent,
	    .consent_count = 1,
	};
	struct dry_patient patient = {
	    .id = "p",
	    .from = at("2026-03-08T10:01:00+08:00"),
	    .to = at("2026-03-10T11:00:00+08:00"),
	    .handled_before = AT_UNKNOWN,
	    .planned_through = at("2026-03-08T10:00:00+08:00"),
	    .said = &said,
	    .said_count = 1,
	    .know = know_retry,
	    .source = &d,
	};
	const struct dry_line *lines;

	(void)state;
	said.occurrence_on =
	    zone_local(d.zone, at("2026-03-11T09:00:00+08:00"), NULL);
	assert_int_equal(
	    dry_run(&patient, 1, program_default(), w.arena, &lines), 2);
	assert_int_equal(lines[0].action, PLAN_SEND);
	assert_int_equal(lines[0].stage, STAGE_M3);
	assert_int_equal(lines[1].stage, STAGE_M1);
	assert_int_equal(lines[0].at, at("2026-03-08T10:05:00+08:00"));
}

/* program.md 3, to the letter */
static void
line_has_the_form_of_the_page(void **state)
{
	static const char *const items[] = {"MedicationRequest/m1"};
	struct dry_line line = {
	    .at = at("2026-03-08T10:00:00+08:00"),
	    .zone = zone_open("Asia/Shanghai"),
	    .patient = "p1",
	    .action = PLAN_SEND,
	    .kind = KIND_REFILL,
	    .stage = STAGE_M3,
	    .channel = CHANNEL_SMS,
	    .items = items,
	    .item_count = 1,
	};
	struct buf out = BUF_INIT(0);

	(void)state;
	dry_line_json(&line, &out);
	assert_string_equal(buf_string(&out),
	    "{\"at\":\"2026-03-08T10:00:00+08:00\",\"patient\":\"p1\","
	    "\"action\":\"send\",\"kind\":\"refill\",\"stage\":\"-3d\","
	    "\"channel\":\"sms\",\"items\":[\"MedicationRequest/m1\"],"
	    "\"reason\":null}");
	buf_clear(&out);
	line.action = PLAN_TASK;
	line.kind = KIND_DOSE;
	line.stage = STAGE_DUE;
	line.channel = CHANNEL_NONE;
	line.reason = REASON_CAP;
	dry_line_json(&line, &out);
	assert_non_null(strstr(buf_string(&out),
	    "\"action\":\"task\",\"kind\":\"dose\",\"stage\":\"due\","
	    "\"channel\":null,"));
	assert_non_null(strstr(buf_string(&out), "\"reason\":\"cap\"}"));
	buf_free(&out);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(lines_come_by_instant_then_patient),
	    TEST(numbers_stay_as_more_becomes_known),
	    TEST(versions_take_turns),
	    TEST(an_address_has_one_cap_for_all),
	    TEST(many_patients_keep_the_order),
	    TEST(an_open_attempt_is_made_once),
	    TEST(line_has_the_form_of_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
