/*
 * The decision about follow-up visits: reminders, corrections, missed
 * visits.  Expectations come from the default program's page and from the
 * sample bundles.
 */
#include "plan_world.h"

/* "10:00, 3 days and 1 day before"; "count calendar days back from its
 * local date" */
static void
visit_is_reminded_of_twice(void **state)
{
	(void)state;
	world();
	visit("v", "2026-03-10 23:30");
	expect("2026-03-01", 14,
	    "03-07 10:00 send follow_up -3d sms v\n"
	    "03-09 10:00 send follow_up -1d sms v\n");
}

/* samples: "A-0006 (11:00+08:00) is 09:00 for patient 03" in Urumqi */
static void
sample_visit_in_another_zone(void **state)
{
	int64_t start;
	struct plan plan;

	(void)state;
	world();
	start = at("2026-03-10 11:00");
	w.d.zone = zone_open("Asia/Urumqi");
	visit("A-0006", "2026-03-10 09:00");
	assert_int_equal(w.visits[0].start_at, start);
	plan_at(0, NULL, 0, at("2026-03-09 10:00"), &plan);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].at % DAY_US, 4 * HOUR_US);
}

/* "one message for visits on one day" */
static void
visits_on_one_day_are_one_message(void **state)
{
	(void)state;
	world();
	visit("b", "2026-03-10 09:00");
	visit("a", "2026-03-10 15:00");
	visit("c", "2026-03-11 09:00");
	expect("2026-03-07", 4,
	    "03-07 10:00 send follow_up -3d sms a,b\n"
	    "03-08 10:00 send follow_up -3d sms c\n"
	    "03-09 10:00 send follow_up -1d sms a,b\n"
	    "03-10 10:00 send follow_up -1d sms c\n");
}

/* "took place, cancelled": "a visit kept from its start" */
static void
kept_and_cancelled_visits(void **state)
{
	struct visit *v;

	(void)state;
	world();
	v = visit("a", "2026-03-10 09:00");
	v->status = VISIT_DONE;
	v->status_at = v->start_at;
	v = visit("b", "2026-03-12 09:00");
	v->status = VISIT_CANCELLED;
	v->status_at = at("2026-03-10 12:00");
	expect("2026-03-07", 7,
	    "03-07 10:00 send follow_up -3d sms a\n"
	    "03-09 10:00 send follow_up -1d sms a\n"
	    "03-09 10:02 send follow_up -3d sms b\n");
}

static void
sample_move(void)
{
	w.visits[0].previous_start_at = w.visits[0].start_at;
	w.visits[0].start_at = at("2026-05-14 10:00");
	w.visits[0].moved_at = at("2026-05-05 11:00");
}

/* samples: A-0005 "moved from 05-07 to 05-14 10:00 (known 05-05 11:00,
 * after its -3 d reminder was due)"; "02 has one visit on 05-14, none on
 * 05-07" */
static void
sample_moved_visit_owes_one_correction(void **state)
{
	(void)state;
	world();
	visit("A-0005", "2026-05-07 10:00");
	becomes_known("2026-05-05 11:00", sample_move);
	expect("2026-05-01", 20,
	    "05-04 10:00 send follow_up -3d sms A-0005\n"
	    "05-05 11:00 send follow_up moved sms A-0005\n"
	    "05-11 10:00 send follow_up -3d sms A-0005\n"
	    "05-13 10:00 send follow_up -1d sms A-0005\n");
}

/* the move may stand in the dossier before its time: it acts at moved_at */
static void
move_acts_at_its_own_time(void **state)
{
	(void)state;
	world();
	visit("A-0005", "2026-05-07 10:00");
	sample_move();
	expect("2026-05-01", 20,
	    "05-04 10:00 send follow_up -3d sms A-0005\n"
	    "05-05 11:00 send follow_up moved sms A-0005\n"
	    "05-11 10:00 send follow_up -3d sms A-0005\n"
	    "05-13 10:00 send follow_up -1d sms A-0005\n");
}

/* "What was due before … counts as handled": its reminder too */
static void
move_after_a_handled_reminder_is_corrected(void **state)
{
	(void)state;
	world();
	visit("A-0005", "2026-05-07 10:00");
	becomes_known("2026-05-05 11:00", sample_move);
	expect("2026-05-05", 7,
	    "05-05 11:00 send follow_up moved sms A-0005\n"
	    "05-11 10:00 send follow_up -3d sms A-0005\n");
}

/* "a visit that moves after a reminder for it went out": not before */
static void
early_move(void)
{
	w.visits[0].previous_start_at = w.visits[0].start_at;
	w.visits[0].start_at = at("2026-05-14 10:00");
	w.visits[0].moved_at = at("2026-05-03 11:00");
}

static void
move_before_any_reminder_needs_no_correction(void **state)
{
	(void)state;
	world();
	visit("v", "2026-05-07 10:00");
	becomes_known("2026-05-03 11:00", early_move);
	expect("2026-05-01", 20,
	    "05-11 10:00 send follow_up -3d sms v\n"
	    "05-13 10:00 send follow_up -1d sms v\n");
}

/* "at once, within allowed hours": [08:00, 21:00) */
static void
night_move(void)
{
	w.visits[0].previous_start_at = w.visits[0].start_at;
	w.visits[0].start_at = at("2026-05-14 10:00");
	w.visits[0].moved_at = at("2026-05-05 21:00");
}

static void
correction_waits_for_its_hours(void **state)
{
	(void)state;
	world();
	visit("v", "2026-05-07 10:00");
	becomes_known("2026-05-05 21:00", night_move);
	expect("2026-05-04", 5,
	    "05-04 10:00 send follow_up -3d sms v\n"
	    "05-06 08:00 send follow_up moved sms v\n");
}

/* "shifted, never past the visit" */
static void
move_to_dawn(void)
{
	w.visits[0].previous_start_at = w.visits[0].start_at;
	w.visits[0].start_at = at("2026-05-06 07:30");
	w.visits[0].moved_at = at("2026-05-05 22:00");
}

static void
correction_is_not_shifted_past_the_visit(void **state)
{
	(void)state;
	world();
	visit("v", "2026-05-07 10:00");
	becomes_known("2026-05-05 22:00", move_to_dawn);
	expect("2026-05-04", 5,
	    "05-04 10:00 send follow_up -3d sms v\n"
	    "05-05 22:00 hold follow_up moved quiet_hours v\n");
}

/* a correction names the new day; the reminders that were due before it
 * are covered, the later ones go on */
static void
move_to_tomorrow(void)
{
	w.visits[0].previous_start_at = w.visits[0].start_at;
	w.visits[0].start_at = at("2026-05-07 10:00");
	w.visits[0].moved_at = at("2026-05-05 11:00");
}

static void
correction_covers_stages_already_due(void **state)
{
	(void)state;
	world();
	visit("v", "2026-05-08 10:00");
	becomes_known("2026-05-05 11:00", move_to_tomorrow);
	expect("2026-05-05", 5,
	    "05-05 10:00 send follow_up -3d sms v\n"
	    "05-05 11:00 send follow_up moved sms v\n"
	    "05-06 10:00 send follow_up -1d sms v\n");
}

/* "past caps" */
static void
correction_goes_past_caps(void **state)
{
	(void)state;
	world();
	w.rules.caps.sms_day = 1;
	visit("v", "2026-05-07 10:00");
	visit("u", "2026-05-08 10:00");
	becomes_known("2026-05-05 11:00", sample_move);
	expect("2026-05-04", 3,
	    "05-04 10:00 send follow_up -3d sms v\n"
	    "05-05 10:00 send follow_up -3d sms u\n"
	    "05-05 11:00 send follow_up moved sms v\n");
}

/* "or a new one that names the old in supportingInformation"; "its moved
 * line names the new Appointment" */
static void
book_anew(void)
{
	struct visit *v = visit("new", "2026-05-14 10:00");

	v->replaces_no = 1;
	v->moved_at = at("2026-05-05 11:00");
}

static void
new_appointment_takes_over(void **state)
{
	(void)state;
	world();
	visit("old", "2026-05-07 10:00");
	becomes_known("2026-05-05 11:00", book_anew);
	expect("2026-05-01", 20,
	    "05-04 10:00 send follow_up -3d sms old\n"
	    "05-05 11:00 send follow_up moved sms new\n"
	    "05-11 10:00 send follow_up -3d sms new\n"
	    "05-13 10:00 send follow_up -1d sms new\n");
}

/* two moves after one another: one correction each */
static void
move_again(void)
{
	w.visits[0].previous_start_at = w.visits[0].start_at;
	w.visits[0].start_at = at("2026-05-21 10:00");
	w.visits[0].moved_at = at("2026-05-06 09:00");
}

static void
each_move_has_its_correction(void **state)
{
	(void)state;
	world();
	visit("v", "2026-05-07 10:00");
	becomes_known("2026-05-05 11:00", sample_move);
	becomes_known("2026-05-06 09:00", move_again);
	expect("2026-05-04", 18,
	    "05-04 10:00 send follow_up -3d sms v\n"
	    "05-05 11:00 send follow_up moved sms v\n"
	    "05-06 09:00 send follow_up moved sms v\n"
	    "05-18 10:00 send follow_up -3d sms v\n"
	    "05-20 10:00 send follow_up -1d sms v\n");
}

/* a second move at night, before the first correction left: one tells all */
static void
move_at_night_again(void)
{
	w.visits[0].previous_start_at = w.visits[0].start_at;
	w.visits[0].start_at = at("2026-05-21 10:00");
	w.visits[0].moved_at = at("2026-05-05 23:00");
}

static void
two_moves_in_one_night_owe_one_correction(void **state)
{
	(void)state;
	world();
	visit("v", "2026-05-07 10:00");
	becomes_known("2026-05-05 21:00", night_move);
	becomes_known("2026-05-05 23:00", move_at_night_again);
	expect("2026-05-04", 5,
	    "05-04 10:00 send follow_up -3d sms v\n"
	    "05-06 08:00 send follow_up moved sms v\n");
}

/* back before anybody was told: what was told stands */
static void
move_back(void)
{
	w.visits[0].previous_start_at = w.visits[0].start_at;
	w.visits[0].start_at = at("2026-05-07 10:00");
	w.visits[0].moved_at = at("2026-05-06 07:00");
}

static void
move_back_in_the_same_night_owes_nothing(void **state)
{
	(void)state;
	world();
	visit("v", "2026-05-07 10:00");
	becomes_known("2026-05-05 21:00", night_move);
	becomes_known("2026-05-06 07:00", move_back);
	expect("2026-05-04", 12,
	    "05-04 10:00 send follow_up -3d sms v\n"
	    "05-06 10:00 send follow_up -1d sms v\n");
}

/* moved about on one day: each move is an occurrence of its own */
static void
move_within_the_day(void)
{
	w.visits[0].previous_start_at = w.visits[0].start_at;
	w.visits[0].start_at += 2 * HOUR_US;
	w.visits[0].moved_at = w.visits[0].moved_at == AT_NEVER
				   ? at("2026-05-05 11:00")
				   : at("2026-05-05 14:00");
}

static void
moves_within_a_day_are_told_each(void **state)
{
	(void)state;
	world();
	visit("v", "2026-05-07 10:00");
	becomes_known("2026-05-05 11:00", move_within_the_day);
	becomes_known("2026-05-05 14:00", move_within_the_day);
	expect("2026-05-04", 4,
	    "05-04 10:00 send follow_up -3d sms v\n"
	    "05-05 11:00 send follow_up moved sms v\n"
	    "05-05 14:00 send follow_up moved sms v\n"
	    "05-06 10:00 send follow_up -1d sms v\n");
}

/* "when the visit is recorded as missed: the next 10:00, and a task 14 days
 * after" */
static void
missed_visit_has_a_notice_and_a_task(void **state)
{
	struct visit *v;

	(void)state;
	world();
	v = visit("v", "2026-03-03 09:00");
	v->status = VISIT_NOSHOW;
	v->status_at = at("2026-03-03 17:00");
	expect("2026-03-02", 30,
	    "03-02 10:00 send follow_up -1d sms v\n"
	    "03-04 10:00 send follow_up missed sms v\n"
	    "03-17 10:00 task follow_up +14d - v\n");
}

/* "the next 10:00" comes after the one at which it became known */
static void
missed_at_ten_is_told_the_next_day(void **state)
{
	struct visit *v;

	(void)state;
	world();
	v = visit("v", "2026-03-03 09:00");
	v->status = VISIT_NOSHOW;
	v->status_at = at("2026-03-04 10:00");
	expect("2026-03-03", 3, "03-05 10:00 send follow_up missed sms v\n");
}

/* "valid until the visit starts": one booked late is told of at once, by
 * one message */
static void
book_late(void)
{
	visit("v", "2026-03-10 09:00");
}

static void
visit_booked_late_is_told_of_once(void **state)
{
	(void)state;
	world();
	becomes_known("2026-03-09 12:00", book_late);
	expect("2026-03-08", 3, "03-09 12:00 send follow_up -1d sms v\n");
}

/* "a late noshow still counts its 14 days from the visit's date" */
static void
late_noshow_counts_from_the_visit(void **state)
{
	struct visit *v;

	(void)state;
	world();
	v = visit("v", "2026-03-03 09:00");
	v->status = VISIT_NOSHOW;
	v->status_at = at("2026-03-12 08:00");
	expect("2026-03-02", 30,
	    "03-02 10:00 send follow_up -1d sms v\n"
	    "03-12 10:00 send follow_up missed sms v\n"
	    "03-17 10:00 task follow_up +14d - v\n");
}

/* a status without a time: nobody misses what is still to come */
static void
noshow_counts_from_the_start(void **state)
{
	(void)state;
	world();
	visit("v", "2026-03-05 09:00")->status = VISIT_NOSHOW;
	expect("2026-03-01", 30,
	    "03-02 10:00 send follow_up -3d sms v\n"
	    "03-04 10:00 send follow_up -1d sms v\n"
	    "03-05 10:00 send follow_up missed sms v\n"
	    "03-19 10:00 task follow_up +14d - v\n");
}

/* "A visit counts as missed only on noshow, or where the tenant declares
 * that it feeds attendance." */
static void
visit_without_news_is_not_missed(void **state)
{
	(void)state;
	world();
	visit("v", "2026-03-03 09:00");
	expect("2026-03-03", 30, "");
	w.rules.attendance_fed = true;
	expect("2026-03-03", 30,
	    "03-04 10:00 send follow_up missed sms v\n"
	    "03-17 10:00 task follow_up +14d - v\n");
}

/* one task for those missed on one day */
static void
missed_on_one_day_is_one_task(void **state)
{
	(void)state;
	world();
	visit("b", "2026-03-03 09:00")->status = VISIT_NOSHOW;
	visit("a", "2026-03-03 09:30")->status = VISIT_NOSHOW;
	expect("2026-03-03", 20,
	    "03-03 10:00 send follow_up missed sms a,b\n"
	    "03-17 10:00 task follow_up +14d - a,b\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(visit_is_reminded_of_twice),
	    cmocka_unit_test(sample_visit_in_another_zone),
	    cmocka_unit_test(visits_on_one_day_are_one_message),
	    cmocka_unit_test(kept_and_cancelled_visits),
	    cmocka_unit_test(sample_moved_visit_owes_one_correction),
	    cmocka_unit_test(move_acts_at_its_own_time),
	    cmocka_unit_test(move_after_a_handled_reminder_is_corrected),
	    cmocka_unit_test(move_before_any_reminder_needs_no_correction),
	    cmocka_unit_test(correction_waits_for_its_hours),
	    cmocka_unit_test(correction_is_not_shifted_past_the_visit),
	    cmocka_unit_test(correction_covers_stages_already_due),
	    cmocka_unit_test(correction_goes_past_caps),
	    cmocka_unit_test(new_appointment_takes_over),
	    cmocka_unit_test(each_move_has_its_correction),
	    cmocka_unit_test(two_moves_in_one_night_owe_one_correction),
	    cmocka_unit_test(move_back_in_the_same_night_owes_nothing),
	    cmocka_unit_test(moves_within_a_day_are_told_each),
	    cmocka_unit_test(missed_visit_has_a_notice_and_a_task),
	    cmocka_unit_test(missed_at_ten_is_told_the_next_day),
	    cmocka_unit_test(visit_booked_late_is_told_of_once),
	    cmocka_unit_test(late_noshow_counts_from_the_visit),
	    cmocka_unit_test(noshow_counts_from_the_start),
	    cmocka_unit_test(visit_without_news_is_not_missed),
	    cmocka_unit_test(missed_on_one_day_is_one_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
