/*
 * The decision, as the dry run shows it: doses, status, consent, channels,
 * caps and the order of messages.  Each case quotes the sentence of the
 * program (the default program's page) that it holds the code to.
 */
#include "plan_world.h"

/* "dose: at the dose time"; "Doses do not depend on stock: they go on after
 * run-out and without any fill." */
static void
dose_is_sent_at_its_time(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00\",\"20:00:00");
	expect("2026-03-01", 2,
	    "03-01 08:00 send dose due sms a\n"
	    "03-01 20:00 send dose due sms a\n"
	    "03-02 08:00 send dose due sms a\n"
	    "03-02 20:00 send dose due sms a\n");
}

/* "the 15 minutes count from that one, 15 exactly is within" */
static void
doses_within_15_minutes_are_one_message(void **state)
{
	(void)state;
	world();
	daily("c", "08:00:00");
	daily("a", "08:15:00");
	daily("b", "08:16:00");
	expect("2026-03-01", 1,
	    "03-01 08:00 send dose due sms a,c\n"
	    "03-01 08:16 send dose due sms b\n");
}

/* "a dose message is sent at its first dose": no chain of quarters */
static void
doses_merge_from_the_first(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	daily("b", "08:10:00");
	daily("c", "08:20:00");
	expect("2026-03-01", 1,
	    "03-01 08:00 send dose due sms a,b\n"
	    "03-01 08:20 send dose due sms c\n");
}

/* "held quiet_hours, never shifted; one task per schedule"; "every such
 * dose is held, the first too; the task comes in addition" */
static void
dose_outside_its_hours_is_held_with_one_task(void **state)
{
	(void)state;
	world();
	daily("a", "23:00:00")->authored_at = at("2026-03-01 09:00");
	expect("2026-03-01", 3,
	    "03-01 23:00 hold dose due quiet_hours a\n"
	    "03-01 23:00 task dose due quiet_hours a\n"
	    "03-02 23:00 hold dose due quiet_hours a\n"
	    "03-03 23:00 hold dose due quiet_hours a\n");
}

/* "What was due before local midnight of from counts as handled"; the task
 * is "dated at its first such dose" */
static void
schedule_task_before_the_window_is_handled(void **state)
{
	(void)state;
	world();
	daily("a", "23:00:00");
	expect("2026-03-01", 2,
	    "03-01 23:00 hold dose due quiet_hours a\n"
	    "03-02 23:00 hold dose due quiet_hours a\n");
}

/* "[06:00, 22:30)"; "Hours include their first minute and exclude their
 * last" */
static void
dose_hours_include_the_first_minute(void **state)
{
	(void)state;
	world();
	daily("a", "06:00:00\",\"22:29:00\",\"22:30:00")->authored_at =
	    at("2026-03-01");
	expect("2026-03-01", 1,
	    "03-01 06:00 send dose due sms a\n"
	    "03-01 22:29 send dose due sms a\n"
	    "03-01 22:30 hold dose due quiet_hours a\n"
	    "03-01 22:30 task dose due quiet_hours a\n");
}

/* the order of judging: "quiet_hours, then merging (digest)" */
static void
held_dose_is_not_merged(void **state)
{
	(void)state;
	world();
	daily("a", "22:20:00");
	daily("b", "22:30:00");
	expect("2026-03-01", 1,
	    "03-01 22:20 send dose due sms a\n"
	    "03-01 22:30 hold dose due quiet_hours b\n");
}

/* "or any hour if the dose consent says so" */
static void
any_hour_needs_a_consent_that_says_so(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	contact(CHANNEL_PUSH);
	consent("2026-01-01", true, TOPIC_DOSE | TOPIC_ANY_HOUR,
	    CHANNEL_BIT(CHANNEL_SMS));
	consent("2026-01-01", true, TOPIC_DOSE, CHANNEL_BIT(CHANNEL_PUSH));
	daily("a", "08:00:00\",\"23:00:00");
	expect("2026-03-01", 1,
	    "03-01 08:00 send dose due push a\n"
	    "03-01 23:00 send dose due sms a\n");
}

/* "absent means all of them, but never any hour" */
static void
consent_to_all_topics_is_not_any_hour(void **state)
{
	(void)state;
	world();
	daily("a", "05:59:00");
	expect("2026-03-01", 1, "03-01 05:59 hold dose due quiet_hours a\n");
}

/* "cap 6 a day per patient; a schedule over it is refused"; "one task at
 * its first dose, no hold lines" */
static void
schedule_over_the_cap_is_refused_whole(void **state)
{
	(void)state;
	world();
	daily("a", "06:00:00\",\"08:00:00\",\"10:00:00\",\"12:00:00\",\""
		   "14:00:00\",\"16:00:00\",\"18:00:00")
	    ->authored_at = at("2026-03-01");
	expect("2026-03-01", 4, "03-01 06:00 task dose due cap a\n");
}

/* six a day are allowed */
static void
six_doses_a_day_are_within_the_cap(void **state)
{
	(void)state;
	world();
	daily("a", "06:00:00\",\"08:00:00\",\"10:00:00\",\"12:00:00\",\""
		   "14:00:00\",\"16:00:00");
	expect("2026-03-01", 1,
	    "03-01 06:00 send dose due sms a\n"
	    "03-01 08:00 send dose due sms a\n"
	    "03-01 10:00 send dose due sms a\n"
	    "03-01 12:00 send dose due sms a\n"
	    "03-01 14:00 send dose due sms a\n"
	    "03-01 16:00 send dose due sms a\n");
}

/* "the one with the later authoredOn (then id) is refused whole" */
static void
later_schedule_is_the_one_refused(void **state)
{
	(void)state;
	world();
	daily("a", "07:00:00\",\"11:00:00\",\"15:00:00\",\"19:00:00")
	    ->authored_at = at("2026-03-01 00:30");
	daily("z", "09:00:00\",\"13:00:00\",\"17:00:00")->authored_at =
	    at("2026-02-10");
	expect("2026-03-01", 1,
	    "03-01 07:00 task dose due cap a\n"
	    "03-01 09:00 send dose due sms z\n"
	    "03-01 13:00 send dose due sms z\n"
	    "03-01 17:00 send dose due sms z\n");
}

/* "(then id)" */
static void
of_two_schedules_of_one_day_the_later_id_is_refused(void **state)
{
	(void)state;
	world();
	daily("b", "07:00:00\",\"11:00:00\",\"15:00:00\",\"19:00:00")
	    ->authored_at = at("2026-03-01 00:30");
	daily("a", "09:00:00\",\"13:00:00\",\"17:00:00")->authored_at =
	    at("2026-03-01 00:30");
	expect("2026-03-01", 1,
	    "03-01 07:00 task dose due cap b\n"
	    "03-01 09:00 send dose due sms a\n"
	    "03-01 13:00 send dose due sms a\n"
	    "03-01 17:00 send dose due sms a\n");
}

/* the cap counts messages: what is merged is one */
static void
merged_doses_count_once_for_the_cap(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00\",\"12:00:00\",\"16:00:00\",\"20:00:00");
	daily("b", "08:05:00\",\"12:05:00\",\"16:05:00\",\"20:05:00");
	expect("2026-03-01", 1,
	    "03-01 08:00 send dose due sms a,b\n"
	    "03-01 12:00 send dose due sms a,b\n"
	    "03-01 16:00 send dose due sms a,b\n"
	    "03-01 20:00 send dose due sms a,b\n");
}

/* "rising sequence run one after another" (FHIR facts) */
static void
dosages_of_rising_sequence_follow_one_another(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	p->authored_at = at("2026-03-01");
	p->authored_has_time = false;
	dosage(p,
	    "{\"repeat\":{\"boundsDuration\":{\"value\":1,\"unit\":"
	    "\"d\",\"system\":\"http://unitsofmeasure.org\",\"code\":\"d\"},"
	    "\"frequency\":1,\"period\":1,\"periodUnit\":\"d\",\"timeOfDay\":"
	    "[\"08:00:00\",\"20:00:00\"]}}");
	dosage(p, "{\"repeat\":{\"frequency\":1,\"period\":1,\"periodUnit\":"
		  "\"d\",\"timeOfDay\":[\"12:00:00\"]}}")
	    ->sequence = 2;
	expect("2026-03-01", 3,
	    "03-01 08:00 send dose due sms a\n"
	    "03-01 20:00 send dose due sms a\n"
	    "03-02 12:00 send dose due sms a\n"
	    "03-03 12:00 send dose due sms a\n");
}

static void
as_needed_is_never_reminded_of(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	w.dosages[0][0].as_needed = true;
	expect("2026-03-01", 3, "");
}

/* samples: "R-0501 is due 07:00 in Berlin, 06:00Z on 03-28 and 05:00Z on
 * 03-29" */
static void
dose_follows_the_patients_clock_over_dst(void **state)
{
	struct plan plan;

	(void)state;
	world();
	w.d.zone = zone_open("Europe/Berlin");
	daily("a", "07:00:00");
	expect("2026-03-28", 2,
	    "03-28 07:00 send dose due sms a\n"
	    "03-29 07:00 send dose due sms a\n");
	plan_at(0, NULL, 0, at("2026-03-28 07:00"), &plan);
	assert_int_equal(plan.steps[0].at % DAY_US, 6 * HOUR_US);
	assert_int_equal(plan.next_at % DAY_US, 5 * HOUR_US);
}

/* "Status: deceasedDateTime … act at their own time"; "a patient status
 * prints one hold for each due stage" */
static void
the_dead_get_nothing(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00\",\"20:00:00");
	visit("v", "2026-03-04 09:00");
	w.d.deceased_at = at("2026-03-01 12:00");
	expect("2026-03-01", 2,
	    "03-01 08:00 send dose due sms a\n"
	    "03-01 10:00 send follow_up -3d sms v\n"
	    "03-01 20:00 hold dose due patient_deceased a\n"
	    "03-02 08:00 hold dose due patient_deceased a\n"
	    "03-02 20:00 hold dose due patient_deceased a\n");
}

/* "No tasks for the dead, the inactive" */
static void
the_inactive_have_no_tasks(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	fill(p, "2026-01-20", 30); /* until 02-19 */
	w.d.active = false;
	expect("2026-02-25", 10,
	    "02-26 10:00 hold refill +7d patient_inactive a\n");
}

/* "patient_paused" outranks the rest of its order */
static void
paused_waits_and_goes_on(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	visit("v", "2026-03-04 09:00");
	w.d.paused_until = at("2026-03-01 11:00");
	expect("2026-03-01", 1,
	    "03-01 08:00 hold dose due patient_paused a\n"
	    "03-01 10:00 hold follow_up -3d patient_paused v\n"
	    "03-01 11:00 send follow_up -3d sms v\n");
}

/* "a stage that falls in them is dropped (held in hospital), not sent
 * later" */
static void
hospital_stages_are_not_sent_later(void **state)
{
	(void)state;
	world();
	visit("v", "2026-03-04 09:00");
	daily("a", "12:00:00");
	stay("2026-03-01 08:00", "2026-03-02 12:00");
	expect("2026-03-01", 3,
	    "03-01 10:00 hold follow_up -3d patient_in_hospital v\n"
	    "03-01 12:00 hold dose due patient_in_hospital a\n"
	    "03-02 12:00 send dose due sms a\n"
	    "03-03 10:00 send follow_up -1d sms v\n"
	    "03-03 12:00 send dose due sms a\n");
}

/* "A person who reports an emergency is on safety_hold: everything else
 * waits" */
static void
safety_hold_stops_everything(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	visit("v", "2026-03-04 09:00");
	w.d.safety_hold = true;
	expect("2026-03-01", 1,
	    "03-01 08:00 hold dose due safety_hold a\n"
	    "03-01 10:00 hold follow_up -3d safety_hold v\n");
}

/* "a suspected adverse event holds refills and orders of that patient" */
static void
adverse_event_holds_refills_alone(void **state)
{
	struct prescription *p, *q;

	(void)state;
	world();
	p = rx("a");
	fill(p, "2026-02-04", 28); /* 03-04 */
	q = rx("b");
	q->repeats_allowed = 0;
	fill(q, "2026-02-10", 29); /* 03-11: -7d on 03-04 */
	visit("v", "2026-03-06 09:00");
	w.d.adverse_event = true;
	expect("2026-03-03", 2,
	    "03-03 10:00 send follow_up -3d sms v\n"
	    "03-03 10:00 hold refill -1d safety_hold a\n"
	    "03-04 10:00 send renewal -7d sms b\n");
}

/* "operator's stop (stopped_by_operator)" of one drug */
static void
stopped_drug_is_held_and_the_rest_goes_on(void **state)
{
	static const struct stop stop = {.stop_id = 1, .drug = "b"};
	static const struct stops stops = {&stop, 1};

	(void)state;
	world();
	daily("a", "08:00:00");
	daily("b", "08:00:00");
	fill(&w.prescriptions[0], "2026-02-01", 30); /* 03-03 */
	fill(&w.prescriptions[1], "2026-02-01", 30);
	w.rules.stops = &stops;
	expect("2026-03-02", 1,
	    "03-02 08:00 send dose due sms a\n"
	    "03-02 08:00 hold dose due stopped_by_operator b\n"
	    "03-02 10:00 send refill -1d sms a\n"
	    "03-02 10:00 hold refill -1d stopped_by_operator b\n");
}

/* "Channel order: WeChat mini program, WeChat official account, app push,
 * SMS." */
static void
channels_are_tried_in_their_order(void **state)
{
	(void)state;
	world_empty();
	consent(NULL, true, TOPIC_ALL, CHANNEL_ALL);
	contact(CHANNEL_SMS);
	contact(CHANNEL_WECHAT_MINI)->until_at = at("2026-03-02");
	contact(CHANNEL_PUSH)->until_at = at("2026-03-04");
	contact(CHANNEL_WECHAT_OA)->until_at = at("2026-03-03");
	daily("a", "08:00:00");
	expect("2026-03-01", 4,
	    "03-01 08:00 send dose due wechat_mini a\n"
	    "03-02 08:00 send dose due wechat_oa a\n"
	    "03-03 08:00 send dose due push a\n"
	    "03-04 08:00 send dose due sms a\n");
}

/* "The reason given is the obstacle on the most preferred channel"; it is
 * "the first in the order, whether or not the patient has it" */
static void
reason_is_that_of_the_first_channel(void **state)
{
	(void)state;
	world_empty();
	consent(NULL, true, TOPIC_ALL, CHANNEL_ALL);
	daily("a", "08:00:00");
	expect("2026-03-01", 1, "03-01 08:00 hold dose due no_channel a\n");
}

/* "no_consent outranks no_channel when the patient consented to no channel
 * at all" */
static void
no_consent_outranks_no_channel(void **state)
{
	(void)state;
	world_empty();
	daily("a", "08:00:00");
	expect("2026-03-01", 1, "03-01 08:00 hold dose due no_consent a\n");
}

/* "for each topic and channel the latest Consent by dateTime decides"; the
 * sample's patient 10: a later Consent denies dose */
static void
latest_consent_decides_by_topic(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	consent("2026-01-05 09:30", true,
	    TOPIC_DOSE | TOPIC_REFILL | TOPIC_FOLLOW_UP,
	    CHANNEL_BIT(CHANNEL_WECHAT_OA) | CHANNEL_BIT(CHANNEL_SMS));
	consent("2026-02-16 09:40", false, TOPIC_DOSE, CHANNEL_ALL);
	daily("a", "08:00:00");
	visit("v", "2026-02-19 09:00");
	expect("2026-02-16", 2,
	    "02-16 08:00 send dose due sms a\n"
	    "02-16 10:00 send follow_up -3d sms v\n"
	    "02-17 08:00 hold dose due no_consent a\n");
}

/* the sample's patient 9: within one Consent a denial outranks */
static void
denial_within_a_consent_outranks(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	consent("2026-01-05", true, TOPIC_DOSE, CHANNEL_ALL);
	consent("2026-01-05", false, TOPIC_ALL, CHANNEL_BIT(CHANNEL_SMS));
	daily("a", "08:00:00");
	expect("2026-03-01", 1, "03-01 08:00 hold dose due no_channel a\n");
}

/* the sample's patient 6: "nothing to 06 from 04-15 09:30"; and an older
 * Consent does not come back */
static void
withdrawal_acts_at_its_time(void **state)
{
	struct consent *c;

	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	consent("2026-01-01", true, TOPIC_ALL, CHANNEL_ALL);
	c = consent(
	    "2026-01-20 14:40", true, TOPIC_DOSE, CHANNEL_BIT(CHANNEL_SMS));
	c->withdrawn = true;
	c->withdrawn_at = at("2026-04-15 09:30");
	daily("a", "09:10:00");
	daily("b", "09:30:00");
	expect("2026-04-15", 1,
	    "04-15 09:10 send dose due sms a\n"
	    "04-15 09:30 hold dose due no_channel b\n");
}

/* the sample's patient 12: consent until 03-31 */
static void
consent_period_ends(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	consent("2026-02-27", true, TOPIC_DOSE, CHANNEL_BIT(CHANNEL_SMS))
	    ->until_at = at("2026-04-01");
	daily("a", "08:00:00");
	expect("2026-03-31", 2,
	    "03-31 08:00 send dose due sms a\n"
	    "04-01 08:00 hold dose due no_consent a\n");
}

/* "a hold that expires later prints no second line"; what is held may
 * still go out while it is valid */
static void
held_stage_goes_out_when_consent_comes(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	consent("2026-03-01 14:00", true, TOPIC_FOLLOW_UP, CHANNEL_ALL);
	visit("v", "2026-03-04 09:00");
	expect("2026-03-01", 2,
	    "03-01 10:00 hold follow_up -3d no_consent v\n"
	    "03-01 14:00 send follow_up -3d sms v\n");
}

/* "An assumed consent lasts until the first Consent for that topic and
 * channel is known." */
static void
assumed_consent_gives_way(void **state)
{
	(void)state;
	world();
	consent("2026-03-01 12:00", false, TOPIC_DOSE, CHANNEL_ALL);
	daily("a", "08:00:00\",\"20:00:00");
	expect("2026-03-01", 1,
	    "03-01 08:00 send dose due sms a\n"
	    "03-01 20:00 hold dose due no_consent a\n");
}

/* "Under 14: the guardian's addresses and consent only." */
static void
child_is_reached_through_the_guardian(void **state)
{
	(void)state;
	world_empty();
	w.d.birth_on = on("2012-03-02");
	contact(CHANNEL_SMS);
	contact(CHANNEL_PUSH)->owner = OWNER_GUARDIAN;
	consent("2026-01-01", true, TOPIC_DOSE, CHANNEL_ALL)->actor =
	    OWNER_GUARDIAN;
	daily("a", "08:00:00");
	expect("2026-03-01", 2,
	    "03-01 08:00 send dose due push a\n"
	    "03-02 08:00 send dose due sms a\n");
}

static void
childs_own_consent_does_not_count(void **state)
{
	(void)state;
	world_empty();
	w.d.birth_on = on("2018-05-01");
	contact(CHANNEL_SMS)->owner = OWNER_GUARDIAN;
	consent("2026-01-01", true, TOPIC_DOSE, CHANNEL_ALL);
	daily("a", "08:00:00");
	expect("2026-03-01", 1, "03-01 08:00 hold dose due no_consent a\n");
}

/* bad and ended contacts do not count; lower rank first */
static void
unusable_contacts_do_not_count(void **state)
{
	struct plan plan;
	struct contact *best;

	(void)state;
	world_empty();
	consent(NULL, true, TOPIC_ALL, CHANNEL_ALL);
	contact(CHANNEL_SMS)->usable = false;
	contact(CHANNEL_SMS)->owner = OWNER_CAREGIVER;
	contact(CHANNEL_SMS)->until_at = at("2026-01-01");
	contact(CHANNEL_SMS)->rank = 2;
	best = contact(CHANNEL_SMS);
	best->rank = 1;
	daily("a", "08:00:00");
	plan_at(1, NULL, 0, at("2026-03-01 08:00"), &plan);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].contact_no, best->no);
}

/* "Two kinds at one instant go out in the order follow_up, refill, renewal,
 * dose, each 2 minutes after the one before, with no hold line" */
static void
kinds_at_one_instant_stand_in_line(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	daily("d", "10:00:00");
	p = rx("r");
	fill(p, "2026-02-04", 28); /* 03-04 */
	p = rx("n");
	p->repeats_allowed = 0;
	fill(p, "2026-01-13", 56); /* 03-10 */
	visit("v", "2026-03-06 09:00");
	expect("2026-03-03", 1,
	    "03-03 10:00 send follow_up -3d sms v\n"
	    "03-03 10:02 send refill -1d sms r\n"
	    "03-03 10:04 send renewal -7d sms n\n"
	    "03-03 10:06 send dose due sms d\n");
}

/* "One kind twice at one instant: earlier run-out or visit first, then
 * id." */
static void
one_kind_twice_goes_by_run_out(void **state)
{
	(void)state;
	world();
	visit("a", "2026-03-06 09:00"); /* -3d */
	visit("z", "2026-03-04 09:00"); /* -1d */
	expect("2026-03-03", 1,
	    "03-03 10:00 send follow_up -1d sms z\n"
	    "03-03 10:02 send follow_up -3d sms a\n");
}

/* "At least 2 minutes between messages on one channel." */
static void
one_channel_keeps_two_minutes(void **state)
{
	(void)state;
	world();
	daily("d", "10:01:00");
	visit("v", "2026-03-04 09:00");
	expect("2026-03-03", 1,
	    "03-03 10:00 send follow_up -1d sms v\n"
	    "03-03 10:02 send dose due sms d\n");
}

static void
another_channel_need_not_wait(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	contact(CHANNEL_PUSH);
	consent("2026-01-01", true, TOPIC_DOSE, CHANNEL_BIT(CHANNEL_PUSH));
	consent("2026-01-01", true, TOPIC_FOLLOW_UP, CHANNEL_BIT(CHANNEL_SMS));
	daily("d", "10:01:00");
	visit("v", "2026-03-04 09:00");
	expect("2026-03-03", 1,
	    "03-03 10:00 send follow_up -1d sms v\n"
	    "03-03 10:01 send dose due push d\n");
}

/* "SMS 3 a day"; "a capped stage is final, its hold dated at its due time;
 * the next stage stands alone"; the reason is the first channel's */
static void
sms_are_capped_at_three_a_day(void **state)
{
	(void)state;
	world();
	visit("a", "2026-03-04 09:00");
	visit("b", "2026-03-06 09:00");
	fill(rx("c"), "2026-02-04", 28); /* 03-04 */
	daily("f", "12:00:00");
	fill(rx("g"), "2026-02-20", 18); /* 03-10 */
	w.prescriptions[2].repeats_allowed = 0;
	expect("2026-03-03", 3,
	    "03-03 10:00 send follow_up -1d sms a\n"
	    "03-03 10:00 hold renewal -7d no_consent g\n"
	    "03-03 10:02 send follow_up -3d sms b\n"
	    "03-03 10:04 send refill -1d sms c\n"
	    "03-03 12:00 send dose due sms f\n"
	    "03-04 12:00 send dose due sms f\n"
	    "03-05 10:00 send follow_up -1d sms b\n"
	    "03-05 10:02 send refill +1d sms c\n"
	    "03-05 12:00 send dose due sms f\n");
}

/* the same where the first channel itself is the one that is full */
static void
cap_is_the_reason_on_the_first_channel(void **state)
{
	struct address_use uses[8];

	(void)state;
	world_empty();
	contact(CHANNEL_WECHAT_MINI);
	consent(NULL, true, TOPIC_ALL, CHANNEL_ALL);
	visit("v", "2026-03-04 09:00");
	/* "per patient and per address": others used it today */
	for (unsigned i = 0; i < 8; i++)
		uses[i] = (struct address_use){1, at("2026-03-03 09:00")};
	w.rules.address_uses = uses;
	w.rules.address_use_count = 8;
	expect("2026-03-03", 2, "03-03 10:00 hold follow_up -1d cap v\n");
	w.rules.address_use_count = 7;
	expect(
	    "2026-03-03", 2, "03-03 10:00 send follow_up -1d wechat_mini v\n");
}

/* "10 in 7 days"; "7 days is that day and the six before" */
static void
sms_are_capped_at_ten_in_seven_days(void **state)
{
	static const char *const ids[] = {"a", "b", "c", "d", "e", "f", "g"};

	(void)state;
	world();
	/* a visit on each of seven days: two reminders a day */
	for (int i = 0; i < 7; i++) {
		char start[32];

		snprintf(start, sizeof(start), "2026-03-%02d 09:00", 4 + i);
		visit(ids[i], start);
	}
	expect("2026-03-01", 9,
	    "03-01 10:00 send follow_up -3d sms a\n"
	    "03-02 10:00 send follow_up -3d sms b\n"
	    "03-03 10:00 send follow_up -1d sms a\n"
	    "03-03 10:02 send follow_up -3d sms c\n"
	    "03-04 10:00 send follow_up -1d sms b\n"
	    "03-04 10:02 send follow_up -3d sms d\n"
	    "03-05 10:00 send follow_up -1d sms c\n"
	    "03-05 10:02 send follow_up -3d sms e\n"
	    "03-06 10:00 send follow_up -1d sms d\n"
	    "03-06 10:02 send follow_up -3d sms f\n"
	    "03-07 10:00 hold follow_up -1d no_consent e\n"
	    "03-07 10:00 hold follow_up -3d no_consent g\n"
	    "03-08 10:00 send follow_up -1d sms f\n"
	    "03-09 10:00 send follow_up -1d sms g\n");
}

/* "What was due before local midnight of from counts as handled." */
static void
what_was_due_before_the_window_is_handled(void **state)
{
	(void)state;
	world();
	daily("a", "23:50:00");
	visit("v", "2026-03-04 09:00");
	fill(rx("r"), "2026-02-03", 28); /* 03-03 */
	consent("2026-01-01", true, TOPIC_DOSE | TOPIC_ANY_HOUR,
	    CHANNEL_BIT(CHANNEL_SMS));
	expect("2026-03-03", 1,
	    "03-03 10:00 send follow_up -1d sms v\n"
	    "03-03 23:50 send dose due sms a\n");
}

/* "each local occurrence once: its key holds local date and slot" */
static void
move_to_berlin(void)
{
	w.d.zone = zone_open("Europe/Berlin");
}

static void
change_of_zone_does_not_double_a_dose(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	becomes_known("2026-03-02 09:00", move_to_berlin);
	/* 08:00 in Berlin of the same date is the same occurrence */
	expect("2026-03-01", 3,
	    "03-01 08:00 send dose due sms a\n"
	    "03-02 08:00 send dose due sms a\n"
	    "03-03 08:00 send dose due sms a\n");
}

/* "each 2 minutes after the one before", whatever the channel */
static void
channels_of_one_instant_stand_in_one_line(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	contact(CHANNEL_PUSH);
	consent("2026-01-01", true, TOPIC_DOSE, CHANNEL_BIT(CHANNEL_PUSH));
	consent("2026-01-01", true, TOPIC_FOLLOW_UP, CHANNEL_BIT(CHANNEL_SMS));
	daily("d", "10:00:00");
	visit("v", "2026-03-04 09:00");
	expect("2026-03-03", 1,
	    "03-03 10:00 send follow_up -1d sms v\n"
	    "03-03 10:02 send dose due push d\n");
}

/* nobody overtakes: the follow-up waits for its channel, the refill of the
 * same instant for the follow-up */
static void
nobody_overtakes_in_the_line(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	contact(CHANNEL_PUSH);
	consent("2026-01-01", true, TOPIC_DOSE | TOPIC_FOLLOW_UP,
	    CHANNEL_BIT(CHANNEL_SMS));
	consent("2026-01-01", true, TOPIC_REFILL, CHANNEL_BIT(CHANNEL_PUSH));
	daily("d", "09:59:00");
	visit("v", "2026-03-04 09:00");
	fill(rx("r"), "2026-02-04", 28); /* 03-04 */
	expect("2026-03-03", 1,
	    "03-03 09:59 send dose due sms d\n"
	    "03-03 10:01 send follow_up -1d sms v\n"
	    "03-03 10:03 send refill -1d push r\n");
}

static void
stop_first(void)
{
	w.prescriptions[0].status = PRESCRIPTION_STOPPED;
}

static void
stopped_prescription_has_no_doses(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00\",\"20:00:00");
	becomes_known("2026-03-01 12:00", stop_first);
	expect("2026-03-01", 2, "03-01 08:00 send dose due sms a\n");
}

/* a product is named once, however many of its doses a message covers */
static void
two_doses_of_one_product_name_it_once(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00\",\"08:10:00");
	expect("2026-03-01", 2,
	    "03-01 08:00 send dose due sms a\n"
	    "03-02 08:00 send dose due sms a\n");
}

/* discreet text where one of the products is of a sensitive class */
static void
sensitive_product_is_marked(void **state)
{
	struct plan plan;

	(void)state;
	world();
	daily("a", "08:00:00");
	daily("b", "08:00:00")->sensitive = true;
	plan_at(0, NULL, 0, at("2026-03-01 08:00"), &plan);
	assert_int_equal(plan.step_count, 1);
	assert_true(plan.steps[0].sensitive);
	assert_int_equal(plan.steps[0].item_count, 2);
	assert_string_equal(
	    plan.steps[0].items[0].reference, "MedicationRequest/a");
	/* "60 min" */
	assert_int_equal(plan.steps[0].not_after, at("2026-03-01 09:00"));
	assert_true(plan.trace_count > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dose_is_sent_at_its_time),
	    cmocka_unit_test(doses_within_15_minutes_are_one_message),
	    cmocka_unit_test(doses_merge_from_the_first),
	    cmocka_unit_test(dose_outside_its_hours_is_held_with_one_task),
	    cmocka_unit_test(schedule_task_before_the_window_is_handled),
	    cmocka_unit_test(dose_hours_include_the_first_minute),
	    cmocka_unit_test(held_dose_is_not_merged),
	    cmocka_unit_test(any_hour_needs_a_consent_that_says_so),
	    cmocka_unit_test(consent_to_all_topics_is_not_any_hour),
	    cmocka_unit_test(schedule_over_the_cap_is_refused_whole),
	    cmocka_unit_test(six_doses_a_day_are_within_the_cap),
	    cmocka_unit_test(later_schedule_is_the_one_refused),
	    cmocka_unit_test(
		of_two_schedules_of_one_day_the_later_id_is_refused),
	    cmocka_unit_test(merged_doses_count_once_for_the_cap),
	    cmocka_unit_test(dosages_of_rising_sequence_follow_one_another),
	    cmocka_unit_test(as_needed_is_never_reminded_of),
	    cmocka_unit_test(dose_follows_the_patients_clock_over_dst),
	    cmocka_unit_test(the_dead_get_nothing),
	    cmocka_unit_test(the_inactive_have_no_tasks),
	    cmocka_unit_test(paused_waits_and_goes_on),
	    cmocka_unit_test(hospital_stages_are_not_sent_later),
	    cmocka_unit_test(safety_hold_stops_everything),
	    cmocka_unit_test(adverse_event_holds_refills_alone),
	    cmocka_unit_test(stopped_drug_is_held_and_the_rest_goes_on),
	    cmocka_unit_test(channels_are_tried_in_their_order),
	    cmocka_unit_test(reason_is_that_of_the_first_channel),
	    cmocka_unit_test(no_consent_outranks_no_channel),
	    cmocka_unit_test(latest_consent_decides_by_topic),
	    cmocka_unit_test(denial_within_a_consent_outranks),
	    cmocka_unit_test(withdrawal_acts_at_its_time),
	    cmocka_unit_test(consent_period_ends),
	    cmocka_unit_test(held_stage_goes_out_when_consent_comes),
	    cmocka_unit_test(assumed_consent_gives_way),
	    cmocka_unit_test(child_is_reached_through_the_guardian),
	    cmocka_unit_test(childs_own_consent_does_not_count),
	    cmocka_unit_test(unusable_contacts_do_not_count),
	    cmocka_unit_test(kinds_at_one_instant_stand_in_line),
	    cmocka_unit_test(one_kind_twice_goes_by_run_out),
	    cmocka_unit_test(one_channel_keeps_two_minutes),
	    cmocka_unit_test(another_channel_need_not_wait),
	    cmocka_unit_test(channels_of_one_instant_stand_in_one_line),
	    cmocka_unit_test(nobody_overtakes_in_the_line),
	    cmocka_unit_test(sms_are_capped_at_three_a_day),
	    cmocka_unit_test(cap_is_the_reason_on_the_first_channel),
	    cmocka_unit_test(sms_are_capped_at_ten_in_seven_days),
	    cmocka_unit_test(what_was_due_before_the_window_is_handled),
	    cmocka_unit_test(change_of_zone_does_not_double_a_dose),
	    cmocka_unit_test(stopped_prescription_has_no_doses),
	    cmocka_unit_test(two_doses_of_one_product_name_it_once),
	    cmocka_unit_test(sensitive_product_is_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
