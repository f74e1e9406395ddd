/*
 * The decision around a run-out: refills, renewals, their ladders and what
 * makes them one, cycles, and the tasks of supplies.  Expectations come
 * from the default program's page and from the worked facts of the sample
 * bundles ("What an importer can check").
 */
#include "plan_world.h"

static struct fill *known_fill;

static void
fill_first(void)
{
	known_fill = fill(&w.prescriptions[0], "2026-03-08 15:00", 28);
}

/* samples: R-0101 and R-0102 run out 03-03 after the clinic file; "10:00,
 * on days -7, -3, -1, +1, +7 around run-out; +14: task" */
static void
sample_patient_01_climbs_one_ladder(void **state)
{
	struct prescription *p, *q;

	(void)state;
	world();
	p = rx("R-0101");
	q = rx("R-0102");
	p->repeats_allowed = q->repeats_allowed = 2;
	fill(p, "2026-01-06", 28);
	fill(p, "2026-02-01", 28);
	fill(q, "2026-01-06", 28);
	fill(q, "2026-02-01", 28);
	expect("2026-03-01", 20,
	    "03-02 10:00 send refill -1d sms R-0101,R-0102\n"
	    "03-04 10:00 send refill +1d sms R-0101,R-0102\n"
	    "03-10 10:00 send refill +7d sms R-0101,R-0102\n"
	    "03-17 10:00 task refill +14d - R-0101,R-0102\n");
}

/* the same with the pharmacy's fills of 03-02: run-out 03-31 */
static void
sample_fill_ends_the_ladder_and_opens_the_next(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("R-0101");
	fill(p, "2026-01-06", 28);
	fill(p, "2026-02-01", 28);
	fill(p, "2026-03-02 16:00", 28);
	expect("2026-03-01", 31,
	    "03-02 10:00 send refill -1d sms R-0101\n"
	    "03-24 10:00 send refill -7d sms R-0101\n"
	    "03-28 10:00 send refill -3d sms R-0101\n"
	    "03-30 10:00 send refill -1d sms R-0101\n");
}

/* "a fill from whenHandedOver"; known before 10:00 it comes in time */
static void
fill_before_ten_comes_in_time(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-02-03", 28); /* 03-03 */
	fill(&w.prescriptions[0], "2026-03-02 09:59", 28);
	expect("2026-03-01", 10, "");
}

/* samples: R-0301 runs out 03-12, "before and after the batch": an
 * in-progress dispense adds no stock; Asia/Urumqi */
static void
sample_dispense_in_progress_adds_no_stock(void **state)
{
	struct prescription *p;
	struct fill *f;

	(void)state;
	world();
	w.d.zone = zone_open("Asia/Urumqi");
	p = rx("R-0301");
	fill(p, "2026-01-15", 28);
	fill(p, "2026-02-10", 28);
	f = fill(p, "2026-03-10", 28);
	f->status = FILL_IN_PROGRESS;
	f->handed_over_at = AT_NEVER;
	expect("2026-03-01", 14,
	    "03-05 10:00 send refill -7d sms R-0301\n"
	    "03-09 10:00 send refill -3d sms R-0301\n"
	    "03-11 10:00 send refill -1d sms R-0301\n"
	    "03-13 10:00 send refill +1d sms R-0301\n");
}

/* samples: R-1201 "end of the course, so neither refill nor renewal" */
static void
sample_acute_course_has_no_ladder(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("R-1201");
	p->course = COURSE_ACUTE;
	p->repeats_allowed = 0;
	p->valid_until_on = on("2026-03-01");
	fill(p, "2026-02-27", 7);
	expect("2026-02-27", 30, "");
}

/* samples: no refills left for R-0901, run-out 03-06; "10:00, on days -14,
 * -7, 0, +7 around run-out; +14: task" */
static void
sample_nothing_left_means_renewal(void **state)
{
	struct prescription *p;
	struct fill *f;

	(void)state;
	world();
	p = rx("R-0901");
	p->repeats_allowed = 1;
	fill(p, "2026-01-05", 30);
	fill(p, "2026-02-03", 30);
	f = fill(p, "2026-03-01", 30);
	f->status = FILL_ERROR;
	expect("2026-02-20", 30,
	    "02-20 10:00 send renewal -14d sms R-0901\n"
	    "02-27 10:00 send renewal -7d sms R-0901\n"
	    "03-06 10:00 send renewal 0d sms R-0901\n"
	    "03-13 10:00 send renewal +7d sms R-0901\n"
	    "03-20 10:00 task renewal +14d - R-0901\n");
}

/* samples: R-0501, none left, run-out 04-10, a visit with its prescriber
 * on 04-07 */
static void
sample_booked_visit_stands_for_the_renewal(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("R-0501");
	p->repeats_allowed = 0;
	p->prescriber = "S102";
	fill(p, "2026-01-16", 84);
	visit("A-0008", "2026-04-07 10:00")->practitioners = "S101 S102";
	expect("2026-03-20", 30,
	    "04-04 10:00 send follow_up -3d sms A-0008\n"
	    "04-06 10:00 send follow_up -1d sms A-0008\n");
}

/* samples: A-0008 took place on 04-07; nobody is asked for a visit while
 * sitting in it, but later, where no new prescription came of it */
static void
kept_visit_is_not_asked_for_again(void **state)
{
	struct prescription *p;
	struct visit *v;

	(void)state;
	world();
	p = rx("R-0501");
	p->repeats_allowed = 0;
	p->prescriber = "S102";
	fill(p, "2026-01-16", 84); /* 04-10; -7d would be 04-03 */
	v = visit("A-0008", "2026-04-07 10:00");
	v->practitioners = "S101 S102";
	v->status = VISIT_DONE;
	v->status_at = v->start_at;
	expect("2026-04-01", 30,
	    "04-04 10:00 send follow_up -3d sms A-0008\n"
	    "04-06 10:00 send follow_up -1d sms A-0008\n"
	    "04-10 10:00 send renewal 0d sms R-0501\n"
	    "04-17 10:00 send renewal +7d sms R-0501\n"
	    "04-24 10:00 task renewal +14d - R-0501\n");
}

/* "a visit with that prescriber booked for a day before the run-out": not
 * on the day, not with another, not a cancelled one */
static void
other_visits_do_not_stand_for_the_renewal(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	p->repeats_allowed = 0;
	p->prescriber = "S102";
	fill(p, "2026-02-10", 28); /* 03-10 */
	visit("u", "2026-03-10 10:00")->practitioners = "S102";
	visit("v", "2026-03-09 10:00")->practitioners = "S1029";
	visit("x", "2026-03-09 10:00")->practitioners = "S102";
	w.visits[2].status = VISIT_CANCELLED;
	expect("2026-03-02", 2, "03-03 10:00 send renewal -7d sms a\n");
}

/* "no stage before half of the last supply is used"; what falls there is
 * dropped, "not sent later" */
static void
half_of_the_supply_must_be_used(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	p->repeats_allowed = 0;
	fill(p, "2026-03-01", 27); /* 03-28; half is 13.5 days */
	expect("2026-03-01", 40,
	    "03-21 10:00 send renewal -7d sms a\n"
	    "03-28 10:00 send renewal 0d sms a\n"
	    "04-04 10:00 send renewal +7d sms a\n");
}

/* exactly half is enough */
static void
exactly_half_is_enough(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	p->repeats_allowed = 0;
	fill(p, "2026-03-01", 28); /* 03-29 */
	expect("2026-03-01", 15, "03-15 10:00 send renewal -14d sms a\n");
}

/* "numberOfRepeatsAllowed minus later fills; absent counts as left" */
static void
last_repeat_turns_refill_into_renewal(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	p->repeats_allowed = 1;
	fill(p, "2026-02-01", 28);       /* 03-01 */
	fill(p, "2026-02-28 12:00", 28); /* 03-29 */
	expect("2026-02-25", 40,
	    "02-26 10:00 send refill -3d sms a\n"
	    "02-28 10:00 send refill -1d sms a\n"
	    "03-15 10:00 send renewal -14d sms a\n"
	    "03-22 10:00 send renewal -7d sms a\n"
	    "03-29 10:00 send renewal 0d sms a\n"
	    "04-05 10:00 send renewal +7d sms a\n");
}

/* "Validity before run-out means renewal; its anchor is the run-out date
 * all the same." */
static void
validity_before_run_out_means_renewal(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	p->repeats_allowed = 3;
	p->valid_until_on = on("2026-03-09");
	fill(p, "2026-02-10", 28); /* 03-10 */
	expect("2026-03-01", 10,
	    "03-03 10:00 send renewal -7d sms a\n"
	    "03-10 10:00 send renewal 0d sms a\n");
	w.prescriptions[0].valid_until_on = on("2026-03-10");
	expect("2026-03-01", 10,
	    "03-03 10:00 send refill -7d sms a\n"
	    "03-07 10:00 send refill -3d sms a\n"
	    "03-09 10:00 send refill -1d sms a\n");
}

/* "Only for therapy that goes on: course continuous, or course unstated and
 * dosage without an end." */
static void
renewal_only_for_therapy_that_goes_on(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = daily("a", "23:00:00");
	p->course = COURSE_UNSTATED;
	p->repeats_allowed = 0;
	fill(p, "2026-02-10", 28); /* 03-10 */
	w.d.consents = NULL;
	w.dosages[0][0].as_needed = true; /* no doses in the way */
	expect("2026-03-03", 1, "03-03 10:00 send renewal -7d sms a\n");
	w.prescriptions[0].course = COURSE_SEASONAL;
	expect("2026-03-03", 1, "");
}

static void
unstated_course_with_an_end_is_over(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	p->course = COURSE_UNSTATED;
	p->repeats_allowed = 0;
	dosage(p, "{\"repeat\":{\"boundsPeriod\":{\"start\":\"2026-01-01\","
		  "\"end\":\"2026-06-30\"},\"frequency\":1,\"period\":1,"
		  "\"periodUnit\":\"d\",\"timeOfDay\":[\"08:00:00\"]}}");
	fill(p, "2026-02-10", 28);
	expect("2026-03-03", 1, "03-03 08:00 send dose due sms a\n");
}

/* "new prescription" ends a renewal; "a prescription without any fill
 * gives nothing" */
static void
prescribe_anew(void)
{
	struct prescription *p = rx("b");

	p->drug = "a";
	p->authored_at = at("2026-03-05 12:00");
}

static void
new_prescription_ends_the_renewal(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	p->repeats_allowed = 0;
	fill(p, "2026-02-10", 28); /* 03-10 */
	becomes_known("2026-03-05 12:00", prescribe_anew);
	expect("2026-03-01", 30, "03-03 10:00 send renewal -7d sms a\n");
}

/* "stopped" */
static void
stop_first(void)
{
	w.prescriptions[0].status = PRESCRIPTION_STOPPED;
}

static void
stop_ends_the_ladder(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-02-10", 28); /* 03-10 */
	becomes_known("2026-03-05", stop_first);
	expect("2026-03-01", 30, "03-03 10:00 send refill -7d sms a\n");
}

/* "Refills: 7 days exactly is within" */
static void
seven_days_apart_is_one_ladder(void **state)
{
	(void)state;
	world();
	fill(rx("b"), "2026-02-10", 28); /* 03-10 */
	fill(rx("a"), "2026-02-17", 28); /* 03-17 */
	expect("2026-03-01", 40,
	    "03-03 10:00 send refill -7d sms a,b\n"
	    "03-07 10:00 send refill -3d sms a,b\n"
	    "03-09 10:00 send refill -1d sms a,b\n"
	    "03-11 10:00 send refill +1d sms a,b\n"
	    "03-17 10:00 send refill +7d sms a,b\n"
	    "03-24 10:00 task refill +14d - a,b\n");
}

static void
eight_days_apart_are_two_ladders(void **state)
{
	(void)state;
	world();
	fill(rx("b"), "2026-02-10", 28); /* 03-10 */
	fill(rx("a"), "2026-02-18", 28); /* 03-18 */
	expect("2026-03-07", 6,
	    "03-07 10:00 send refill -3d sms b\n"
	    "03-09 10:00 send refill -1d sms b\n"
	    "03-11 10:00 send refill +1d sms b\n"
	    "03-11 10:02 send refill -7d sms a\n");
}

/* "A merged ladder whose earliest member is filled goes on at the next
 * run-out, no stage twice." */
static void
ladder_goes_on_at_the_next_run_out(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-02-10", 28); /* 03-10 */
	fill(rx("b"), "2026-02-14", 28); /* 03-14 */
	becomes_known("2026-03-08 15:00", fill_first);
	expect("2026-03-01", 29,
	    "03-03 10:00 send refill -7d sms a,b\n"
	    "03-07 10:00 send refill -3d sms a,b\n"
	    "03-13 10:00 send refill -1d sms b\n"
	    "03-15 10:00 send refill +1d sms b\n"
	    "03-21 10:00 send refill +7d sms b\n"
	    "03-28 10:00 task refill +14d - b\n");
}

/* "a member drops out when it is filled, the ladder stays on the earliest
 * that is open" */
static void
filled_member_drops_out(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-02-14", 28); /* 03-14 */
	fill(rx("b"), "2026-02-10", 28); /* 03-10 */
	becomes_known("2026-03-08 15:00", fill_first);
	expect("2026-03-01", 12,
	    "03-03 10:00 send refill -7d sms a,b\n"
	    "03-07 10:00 send refill -3d sms a,b\n"
	    "03-09 10:00 send refill -1d sms b\n"
	    "03-11 10:00 send refill +1d sms b\n");
}

/* a corrected run-out "does not repeat a stage of the same cycle (a shift
 * of more than 3 days opens a new one)" */
static void
three_days_more(void)
{
	w.fills[0].days_supply += 3;
}

static void
small_correction_keeps_the_cycle(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-02-10", 28); /* 03-10, then 03-13 */
	becomes_known("2026-03-07 12:00", three_days_more);
	expect("2026-03-01", 14,
	    "03-03 10:00 send refill -7d sms a\n"
	    "03-07 10:00 send refill -3d sms a\n"
	    "03-12 10:00 send refill -1d sms a\n"
	    "03-14 10:00 send refill +1d sms a\n");
}

static void
four_days_more(void)
{
	w.fills[0].days_supply += 4;
}

static void
larger_correction_opens_a_new_cycle(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-02-10", 28); /* 03-10, then 03-14 */
	becomes_known("2026-03-07 12:00", four_days_more);
	expect("2026-03-01", 14,
	    "03-03 10:00 send refill -7d sms a\n"
	    "03-07 10:00 send refill -3d sms a\n"
	    "03-07 12:00 send refill -7d sms a\n"
	    "03-11 10:00 send refill -3d sms a\n"
	    "03-13 10:00 send refill -1d sms a\n");
}

/* a fill of few days is a fill: its cycle has stages of its own, though
 * none that was due before it */
static void
small_fill_opens_a_cycle(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-02-10", 28);                  /* 03-10 */
	fill(&w.prescriptions[0], "2026-03-09 12:00", 3); /* 03-13 */
	expect("2026-03-09", 6,
	    "03-09 10:00 send refill -1d sms a\n"
	    "03-10 10:00 send refill -3d sms a\n"
	    "03-12 10:00 send refill -1d sms a\n"
	    "03-14 10:00 send refill +1d sms a\n");
}

/* what was due before the fill belongs to the cycle before */
static void
stage_before_the_fill_is_not_its_own(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-03-02 11:00", 7); /* 03-09: -7d on 03-02 10:00 */
	expect("2026-03-01", 7, "03-06 10:00 send refill -3d sms a\n");
}

/* "one ladder" for renewals as well; the half-supply rule holds for each
 * product */
static void
renewals_merge_too(void **state)
{
	struct prescription *p, *q;

	(void)state;
	world();
	p = rx("a");
	q = rx("b");
	p->repeats_allowed = q->repeats_allowed = 0;
	fill(p, "2026-02-01", 28); /* 03-01 */
	fill(q, "2026-02-03", 28); /* 03-03 */
	expect("2026-02-14", 30,
	    "02-15 10:00 send renewal -14d sms a\n"
	    "02-22 10:00 send renewal -7d sms a,b\n"
	    "03-01 10:00 send renewal 0d sms a,b\n"
	    "03-08 10:00 send renewal +7d sms a,b\n"
	    "03-15 10:00 task renewal +14d - a,b\n");
}

/* "missing consent prints one hold for each due stage"; the task comes
 * where the patient consented to something */
static void
refused_refills_are_held_stage_by_stage(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_PUSH);
	consent("2026-01-08 15:30", true, TOPIC_DOSE | TOPIC_FOLLOW_UP,
	    CHANNEL_BIT(CHANNEL_PUSH));
	consent("2026-01-08 15:31", false, TOPIC_REFILL, CHANNEL_ALL);
	fill(rx("a"), "2026-02-20", 14); /* 03-06, sample R-0801 */
	expect("2026-03-01", 21,
	    "03-03 10:00 hold refill -3d no_consent a\n"
	    "03-05 10:00 hold refill -1d no_consent a\n"
	    "03-07 10:00 hold refill +1d no_consent a\n"
	    "03-13 10:00 hold refill +7d no_consent a\n"
	    "03-20 10:00 task refill +14d - a\n");
}

/* "No tasks … where the patient consented to nothing" */
static void
no_task_where_nothing_was_consented_to(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	fill(rx("a"), "2026-02-10", 14); /* 02-24 */
	fill(rx("b"), "2026-03-09 12:00", -1);
	expect("2026-03-09", 10, "");
}

/* "A fill whose days' supply cannot be worked out gives one task, stage
 * supply, when it becomes known"; "at whenHandedOver" */
static void
unclear_fill_gives_one_task(void **state)
{
	(void)state;
	world();
	rx("b");
	fill(rx("a"), "2026-03-04 13:20", -1);
	fill(&w.prescriptions[1], "2026-02-20", -1);
	expect("2026-03-01", 20, "03-04 13:20 task refill supply - a\n");
}

/* whoever climbs along only since the fill of another is not told what was
 * due before; c was on no ladder whose -7d came on 03-09 */
static void
late_joiner_is_not_told_of_the_past(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-02-10", 28); /* 03-10 */
	fill(rx("b"), "2026-02-16", 28); /* 03-16 */
	fill(rx("c"), "2026-02-19", 28); /* 03-19 */
	fill(&w.prescriptions[0], "2026-03-09 15:00", 28);
	expect("2026-03-09", 9,
	    "03-09 10:00 send refill -1d sms a,b\n"
	    "03-13 10:00 send refill -3d sms c\n"
	    "03-15 10:00 send refill -1d sms c\n"
	    "03-17 10:00 send refill +1d sms b,c\n");
}

/* … but what an outage kept back is told while valid, whatever else was
 * filled since */
static void
outage_is_made_up_for_after_another_fill(void **state)
{
	struct plan plan;

	(void)state;
	world();
	fill(rx("a"), "2026-02-10", 28); /* 03-10 */
	fill(rx("z"), "2026-03-07 11:00", 28);
	w.planned_through = at("2026-03-06 12:00");
	plan_at(0, NULL, 0, at("2026-03-07 12:00"), &plan);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].action, PLAN_SEND);
	assert_int_equal(plan.steps[0].stage, STAGE_M3);
	assert_int_equal(plan.steps[0].item_count, 1);
}

/* in hospital until nobody knows when: there is no run-out date */
static void
open_stay_has_no_ladder(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-02-10", 28); /* 03-10 */
	stay("2026-03-04 08:00", "2026-03-05");
	w.stays[0].until_at = AT_NEVER;
	expect("2026-03-01", 40, "");
}

/* "Hospital stay: … supply pauses": the stages move with the run-out */
static void
hospital_days_move_the_ladder(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-02-10", 28);              /* 03-10 */
	stay("2026-03-06 08:00", "2026-03-08 08:00"); /* known: 03-12 */
	expect("2026-03-01", 14,
	    "03-05 10:00 send refill -7d sms a\n"
	    "03-09 10:00 send refill -3d sms a\n"
	    "03-11 10:00 send refill -1d sms a\n"
	    "03-13 10:00 send refill +1d sms a\n");
}

/* "texts after run-out"; the program's hours: 10:00 in the patient's zone */
static void
ladder_follows_the_patients_clock(void **state)
{
	struct plan plan;

	(void)state;
	world();
	w.d.zone = zone_open("Europe/Berlin");
	fill(rx("a"), "2026-03-02", 28); /* 03-30 */
	plan_at(0, NULL, 0, at("2026-03-29 10:00"), &plan);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].stage, STAGE_M1);
	assert_int_equal(plan.steps[0].at % DAY_US, 8 * HOUR_US);
	assert_int_equal(plan.steps[0].items[0].run_out_on, on("2026-03-30"));
	/* hours end before the next stage comes */
	assert_int_equal(plan.steps[0].not_after, at("2026-03-29 21:00"));
}

/* "What was due before local midnight of from counts as handled", the task
 * too, with which a merged ladder ends */
static void
ladder_before_the_window_is_handled(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-01-10", 28); /* 02-07: task 02-21 */
	fill(rx("b"), "2026-01-15", 28); /* 02-12, merged with a */
	becomes_known("2026-02-23 12:00", fill_first);
	expect("2026-02-22", 6, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sample_patient_01_climbs_one_ladder),
	    cmocka_unit_test(sample_fill_ends_the_ladder_and_opens_the_next),
	    cmocka_unit_test(fill_before_ten_comes_in_time),
	    cmocka_unit_test(sample_dispense_in_progress_adds_no_stock),
	    cmocka_unit_test(sample_acute_course_has_no_ladder),
	    cmocka_unit_test(sample_nothing_left_means_renewal),
	    cmocka_unit_test(sample_booked_visit_stands_for_the_renewal),
	    cmocka_unit_test(kept_visit_is_not_asked_for_again),
	    cmocka_unit_test(other_visits_do_not_stand_for_the_renewal),
	    cmocka_unit_test(half_of_the_supply_must_be_used),
	    cmocka_unit_test(exactly_half_is_enough),
	    cmocka_unit_test(last_repeat_turns_refill_into_renewal),
	    cmocka_unit_test(validity_before_run_out_means_renewal),
	    cmocka_unit_test(renewal_only_for_therapy_that_goes_on),
	    cmocka_unit_test(unstated_course_with_an_end_is_over),
	    cmocka_unit_test(new_prescription_ends_the_renewal),
	    cmocka_unit_test(stop_ends_the_ladder),
	    cmocka_unit_test(seven_days_apart_is_one_ladder),
	    cmocka_unit_test(eight_days_apart_are_two_ladders),
	    cmocka_unit_test(ladder_goes_on_at_the_next_run_out),
	    cmocka_unit_test(filled_member_drops_out),
	    cmocka_unit_test(small_correction_keeps_the_cycle),
	    cmocka_unit_test(larger_correction_opens_a_new_cycle),
	    cmocka_unit_test(small_fill_opens_a_cycle),
	    cmocka_unit_test(stage_before_the_fill_is_not_its_own),
	    cmocka_unit_test(renewals_merge_too),
	    cmocka_unit_test(refused_refills_are_held_stage_by_stage),
	    cmocka_unit_test(no_task_where_nothing_was_consented_to),
	    cmocka_unit_test(unclear_fill_gives_one_task),
	    cmocka_unit_test(late_joiner_is_not_told_of_the_past),
	    cmocka_unit_test(outage_is_made_up_for_after_another_fill),
	    cmocka_unit_test(open_stay_has_no_ladder),
	    cmocka_unit_test(hospital_days_move_the_ladder),
	    cmocka_unit_test(ladder_follows_the_patients_clock),
	    cmocka_unit_test(ladder_before_the_window_is_handled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
