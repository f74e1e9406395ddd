#!/usr/bin/env python3
"""The text of the default program, sentence by sentence, where it is easily
read past: what `adherctl plan --fhir` must print was written down from the
sentence above each test."""

from support import main
from test_dry_run import (
    DOSE, REFILL, VISIT, bundle, consent, daily, days, expect, fill, meta,
    patient, plan, rx, stay, visit)

CARE = ("--assume-consent", "refill,follow_up")
DOCTOR = {"requester": {"reference": "Practitioner/d1"}}
NONE_LEFT = {"numberOfRepeatsAllowed": 0}


def known(day, time="12:00:00", version=None):
    return meta(f"2026-{day}T{time}+08:00", version)


def moves(*versions):
    """One appointment, known to start then since then."""
    return bundle(patient(), *[
        visit("v1", f"2026-{start}", meta=meta(
            f"2026-{since}:00+08:00" if since else None, str(number)))
        for number, (start, since) in enumerate(versions, 1)])


# ---- supply ----

def test_the_first_fill_may_be_another():
    """fhir.md 2: "initialFill{quantity,duration} overrides the first fill\""""
    request = {"expectedSupplyDuration": days(28),
               "initialFill": {"duration": days(14)}}
    b = bundle(patient(), rx(dispense=request), fill("2026-03-01", None))
    expect(plan([b], "2026-03-05", 5, *REFILL),
           "03-08 10:00 p1 send refill -7d sms m1")
    b = bundle(patient(), rx(dispense=request), fill("2026-02-15", None),
               fill("2026-03-01", None))
    expect(plan([b], "2026-03-05", 18, *REFILL),
           "03-22 10:00 p1 send refill -7d sms m1")


# ---- hospital: "supply pauses, messages are held" ----

def test_a_stay_is_known_before_it_begins():
    """"anything else … from the beginning": the run-out moves at once"""
    b = bundle(patient(), rx(), fill("2026-03-01", 30),
               stay("2026-03-30T09:00:00+08:00", "2026-04-02T15:00:00+08:00"))
    expect(plan([b], "2026-03-22", 30, *REFILL),
           "03-28 10:00 p1 send refill -7d sms m1",
           "04-01 10:00 p1 hold refill -3d patient_in_hospital m1",
           "04-03 10:00 p1 send refill -1d sms m1",
           "04-05 10:00 p1 send refill +1d sms m1",
           "04-11 10:00 p1 send refill +7d sms m1",
           "04-18 10:00 p1 task refill +14d - m1")


def test_nothing_runs_out_in_a_stay_without_an_end():
    b = bundle(patient(), rx(), fill("2026-03-01", 30),
               rx("old"), fill("2026-02-01", 28, rx="old"),
               stay("2026-03-07T09:00:00+08:00",
                    meta=known("03-07", "09:00:00")))
    expect(plan([b], "2026-03-02", 40, *REFILL),
           "03-02 10:00 p1 send refill +1d sms old",
           "03-08 10:00 p1 hold refill +7d patient_in_hospital old",
           "03-15 10:00 p1 task refill +14d - old")
    # what was used up the day before has nothing left to pause
    b = bundle(patient(), rx(), fill("2026-03-01", 30),
               stay("2026-03-31T00:00:00+08:00"))
    expect(plan([b], "2026-03-29", 14, *REFILL),
           "03-30 10:00 p1 send refill -1d sms m1",
           "04-01 10:00 p1 hold refill +1d patient_in_hospital m1",
           "04-07 10:00 p1 hold refill +7d patient_in_hospital m1")


def test_days_in_hospital_use_none_of_the_supply():
    """"before half of the last supply is used": 10 of 20 days by 03-11"""
    used = [fill("2026-03-01", 20),
            rx(course="continuous", dispense=NONE_LEFT)]
    expect(plan([bundle(patient(), *used,
                        stay("2026-03-12", "2026-03-15"))],
                "2026-03-01", 15, *REFILL),
           "03-11 10:00 p1 send renewal -14d sms m1")
    expect(plan([bundle(patient(), *used)], "2026-03-01", 13, *REFILL))


# ---- visits ----

def test_a_visit_that_nobody_agreed_to_is_none():
    """neither told of, nor "a visit … booked for a day before the run-out\""""
    for status in ("proposed", "waitlist"):
        b = bundle(patient(), rx(course="continuous", dispense=NONE_LEFT,
                                 **DOCTOR), fill("2026-02-01", 28),
                   visit("v1", "2026-02-25 10:00", status, doctor="d1"))
        expect(plan([b], "2026-02-20", 10, *CARE),
               "02-22 10:00 p1 send renewal -7d sms m1",
               "03-01 10:00 p1 send renewal 0d sms m1")
    b = bundle(patient(),
               visit("v1", "2026-03-10 10:00", meta=meta(version="1")),
               visit("v2", "2026-03-20 10:00", "proposed",
                     meta=known("03-05"), supportingInformation=[
                         {"reference": "Appointment/v1"}]),
               visit("v2", "2026-03-20 10:00", meta=known(
                   "03-08", version="2"), supportingInformation=[
                       {"reference": "Appointment/v1"}]))
    expect(plan([b], "2026-03-04", 10, *VISIT),
           "03-07 10:00 p1 send follow_up -3d sms v1",
           "03-08 12:00 p1 send follow_up moved sms v2")


def test_a_prescriber_may_be_named_by_an_identifier_alone():
    """"a visit with that prescriber": a Reference may be logical only"""
    number = {"system": "https://hospital.example/staff", "value": "7"}
    doctor = {"identifier": number}
    who = {"resourceType": "Practitioner", "id": "d1", "identifier": [number]}
    care = [rx(course="continuous", dispense=NONE_LEFT, requester=doctor),
            fill("2026-02-01", 28)]
    booked = visit("v1", "2026-02-25 10:00")
    booked["participant"].append({"actor": doctor, "status": "accepted"})
    literal = visit("v1", "2026-02-25 10:00", doctor="d1")
    other = visit("v1", "2026-02-25 10:00")
    other["participant"].append(
        {"actor": {"identifier": {**number, "value": "8"}},
         "status": "accepted"})
    for around in ([booked], [literal, who]):
        expect(plan([bundle(patient(), *care, *around)], "2026-02-20", 10,
                    *REFILL),
               "02-22 10:00 p1 hold follow_up -3d no_consent v1",
               "02-24 10:00 p1 hold follow_up -1d no_consent v1")
    expect([x for x in plan([bundle(patient(), *care, other)], "2026-02-20",
                            5, *REFILL) if " renewal " in x],
           "02-22 10:00 p1 send renewal -7d sms m1")


def test_the_next_ten_oclock_comes_after_the_noshow():
    """"when the visit is recorded as missed: the next 10:00\""""
    b = bundle(patient(), visit("v1", "2026-03-03 10:00", "noshow"))
    expect(plan([b], "2026-03-03", 30, *VISIT),
           "03-04 10:00 p1 send follow_up missed sms v1",
           "03-17 10:00 p1 task follow_up +14d - v1")


def test_visits_missed_on_one_day_are_one_message():
    b = bundle(patient(),
               visit("v1", "2026-03-03 08:00", "noshow", meta=known("03-03")),
               visit("v2", "2026-03-03 15:00", "noshow",
                     meta=known("03-03", "18:00:00")))
    expect(plan([b], "2026-03-03", 30, *VISIT),
           "03-04 10:00 p1 send follow_up missed sms v1,v2",
           "03-17 10:00 p1 task follow_up +14d - v1,v2")


def test_the_task_does_not_come_before_the_notice():
    """"a late noshow still counts its 14 days from the visit's date\""""
    for since, day in (("03-17", "03-18"), ("03-20", "03-21")):
        b = bundle(patient(),
                   visit("v1", "2026-03-03 09:00", meta=meta(version="1")),
                   visit("v1", "2026-03-03 09:00", "noshow",
                         meta=known(since, "10:00:00", "2")))
        expect(plan([b], "2026-03-03", 30, *VISIT),
               f"{day} 10:00 p1 send follow_up missed sms v1",
               f"{day} 10:00 p1 task follow_up +14d - v1")


def test_a_visit_that_is_back_owes_no_correction():
    """"A visit that moves after a reminder for it went out\""""
    expect(plan([moves(("05-07 10:00", None),
                       ("05-14 10:00", "05-05T21:30"),
                       ("05-07 10:00", "05-06T07:00"))],
                "2026-05-01", 20, *VISIT),
           "05-04 10:00 p1 send follow_up -3d sms v1",
           "05-06 10:00 p1 send follow_up -1d sms v1")


def test_each_move_is_told_once():
    """"one correction at once", though it comes back or stays on its day"""
    expect(plan([moves(("05-07 10:00", None),
                       ("05-14 10:00", "05-05T11:30"),
                       ("05-07 10:00", "05-06T11:00"))],
                "2026-05-01", 20, *VISIT),
           "05-04 10:00 p1 send follow_up -3d sms v1",
           "05-05 11:30 p1 send follow_up moved sms v1",
           "05-06 11:00 p1 send follow_up moved sms v1")
    expect(plan([moves(("05-07 10:00", None),
                       ("05-07 14:00", "05-05T11:30"),
                       ("05-07 16:00", "05-05T12:00"),
                       ("05-07 10:00", "05-05T13:00"))],
                "2026-05-04", 5, *VISIT),
           "05-04 10:00 p1 send follow_up -3d sms v1",
           "05-05 11:30 p1 send follow_up moved sms v1",
           "05-05 12:00 p1 send follow_up moved sms v1",
           "05-05 13:00 p1 send follow_up moved sms v1",
           "05-06 10:00 p1 send follow_up -1d sms v1")


def test_a_new_appointment_at_the_same_time_is_no_news():
    b = bundle(patient(), visit("v1", "2026-05-07 10:00"),
               visit("v2", "2026-05-07 10:00", meta=known("05-05"),
                     supportingInformation=[
                         {"reference": "Appointment/v1"}]))
    expect(plan([b], "2026-05-01", 20, *VISIT),
           "05-04 10:00 p1 send follow_up -3d sms v1",
           "05-06 10:00 p1 send follow_up -1d sms v2")


def test_a_cancelled_appointment_takes_over_from_none():
    """"a new one that … shares its identifier", cancelled when it is booked"""
    key = {"identifier": [{"system": "urn:a", "value": "7"}]}
    old = visit("old", "2026-05-07 10:00", meta=meta(version="1"), **key)
    off = visit("old", "2026-05-07 10:00", "cancelled",
                meta=known("05-05", "12:01:00", "2"), **key)
    new = visit("new", "2026-05-14 10:00", meta=known("05-05"), **key)
    for visits in ([old, off, new], [new, off, old], [off, new, old]):
        expect(plan([bundle(patient(), *visits)], "2026-05-05", 8, *VISIT),
               "05-05 12:00 p1 send follow_up moved sms new",
               "05-11 10:00 p1 send follow_up -3d sms new")


def test_a_visit_moved_within_its_day_has_no_stages_anew():
    """"one moved to another day has its stages anew\""""
    key = {"identifier": [{"system": "urn:a", "value": "7"}]}
    b = bundle(patient(),
               visit("a", "2026-03-09 21:08", meta=meta(version="1"), **key),
               visit("b", "2026-03-09 21:30",
                     meta=known("03-09", "18:00:00"), **key))
    expect(plan([b], "2026-03-06", 5),
           "03-06 10:00 p1 hold follow_up -3d no_consent a",
           "03-08 10:00 p1 hold follow_up -1d no_consent a")


def test_a_childs_own_channel_is_not_consented_to():
    """"Under 14: the guardian's addresses and consent only.\""""
    b = bundle(patient(birthDate="2020-01-01"),
               visit("v1", "2026-03-04 14:00", "noshow"))
    expect(plan([b], "2026-03-04", 20, *VISIT),
           "03-05 10:00 p1 hold follow_up missed no_consent v1")


def test_a_reminder_before_the_window_went_out():
    """"What was due before local midnight of from counts as handled\""""
    expect(plan([moves(("02-20 09:00", None),
                       ("03-12 13:00", "03-05T12:00"))],
                "2026-03-01", 20, *VISIT),
           "03-05 12:00 p1 send follow_up moved sms v1",
           "03-09 10:00 p1 send follow_up -3d sms v1",
           "03-11 10:00 p1 send follow_up -1d sms v1")


def test_a_last_update_after_the_window_is_known_from_the_beginning():
    """"where that lies inside the window, else from the beginning\""""
    b = bundle(patient(), visit("v1", "2026-03-04 08:15"),
               visit("v1", "2026-03-04 08:15", "noshow",
                     meta=known("05-01", version="2")))
    expect(plan([b], "2026-03-04", 20, *VISIT),
           "03-04 10:00 p1 send follow_up missed sms v1",
           "03-18 10:00 p1 task follow_up +14d - v1")


def test_a_noshow_recorded_before_the_window_is_known_from_the_beginning():
    """the next 10:00 after the visit is handled, though it was known later"""
    b = bundle(patient(), visit("v1", "2026-03-02 17:00", "noshow",
                                meta=known("03-03", "13:06:00")))
    expect(plan([b], "2026-03-04", 20, *VISIT),
           "03-16 10:00 p1 task follow_up +14d - v1")


def test_corrections_keep_their_hours():
    """"Hours include their first minute and exclude their last.\""""
    for since, sent in (("05-05T20:59", "05-05 20:59"),
                        ("05-05T21:00", "05-06 08:00"),
                        ("05-06T08:00", "05-06 08:00")):
        expect(plan([moves(("05-07 10:00", None), ("05-14 10:00", since))],
                    "2026-05-05", 3, *VISIT),
               f"{sent} p1 send follow_up moved sms v1")


# ---- refill and renewal ----

def test_of_one_kind_the_earlier_goes_first():
    """"earlier run-out or visit first, then id\""""
    b = bundle(patient(active=False), visit("a", "2026-03-05 16:00"),
               visit("b", "2026-03-05 14:00"))
    expect(plan([b], "2026-03-04", 1, *VISIT),
           "03-04 10:00 p1 hold follow_up -1d patient_inactive b",
           "03-04 10:00 p1 hold follow_up -1d patient_inactive a")
    b = bundle(patient(), rx("b", dosage=[daily("08:00")]),
               rx("a", dosage=[daily("08:25")]),
               consent("c", given="2026-03-04T08:56:00+08:00"))
    expect(plan([b], "2026-03-04", 1),
           "03-04 08:00 p1 hold dose due no_consent b",
           "03-04 08:25 p1 hold dose due no_consent a",
           "03-04 08:56 p1 send dose due sms b",
           "03-04 08:58 p1 send dose due sms a")


def test_what_becomes_possible_at_one_instant_goes_in_the_order_of_kinds():
    """a consent that begins at 17:30: the renewal was due before"""
    b = bundle(patient(), rx("a"), fill("2026-02-11", rx="a"),
               rx("b", course="continuous", dispense=NONE_LEFT),
               fill("2026-02-11", rx="b"),
               consent("c", period={"start": "2026-03-12T17:30:00+08:00"}))
    expect(plan([b], "2026-03-11", 2),
           "03-11 10:00 p1 hold renewal 0d no_consent b",
           "03-12 10:00 p1 hold refill +1d no_consent a",
           "03-12 17:30 p1 send refill +1d sms a",
           "03-12 17:32 p1 send renewal 0d sms b")


def test_a_late_joiner_is_not_told_what_was_due_before():
    """"A merged ladder whose earliest member is filled goes on at the next
    run-out": c was on no ladder whose -7d came on 03-09"""
    b = bundle(patient(), rx("a"), fill("2026-02-10", rx="a"),
               rx("b"), fill("2026-02-16", rx="b"),
               rx("c"), fill("2026-02-19", rx="c"),
               fill("2026-03-09T15:00:00+08:00", rx="a"))
    expect(plan([b], "2026-03-01", 18, *REFILL),
           "03-03 10:00 p1 send refill -7d sms a,b",
           "03-07 10:00 p1 send refill -3d sms a,b",
           "03-09 10:00 p1 send refill -1d sms a,b",
           "03-13 10:00 p1 send refill -3d sms c",
           "03-15 10:00 p1 send refill -1d sms c",
           "03-17 10:00 p1 send refill +1d sms b,c")


def test_a_missed_visit_opens_the_renewal_from_then_on():
    b = bundle(patient(), fill("2026-02-20"),
               rx(course="continuous", dispense=NONE_LEFT, **DOCTOR),
               visit("v1", "2026-03-12 09:00", doctor="d1",
                     meta=meta(version="1")),
               visit("v1", "2026-03-12 09:00", "noshow", doctor="d1",
                     meta=known("03-14", version="2")))
    expect(plan([b], "2026-03-10", 18, *CARE),
           "03-11 10:00 p1 send follow_up -1d sms v1",
           "03-15 10:00 p1 send follow_up missed sms v1",
           "03-20 10:00 p1 send renewal 0d sms m1",
           "03-26 10:00 p1 task follow_up +14d - v1",
           "03-27 10:00 p1 send renewal +7d sms m1")


def test_a_visit_since_the_last_fill_stands_for_the_renewal():
    """"booked for a day before the run-out", and not for the fill before"""
    for day, sent in (("02-19", ["03-09 10:00 p1 send renewal 0d sms m1"]),
                      ("02-20", []), ("03-08", []),
                      ("03-09", ["03-09 10:00 p1 send renewal 0d sms m1"])):
        b = bundle(patient(), fill("2026-02-18", 9), fill("2026-02-20", 10),
                   rx(course="continuous", dispense=NONE_LEFT, **DOCTOR),
                   visit("v1", f"2026-{day} 14:00", doctor="d1"))
        expect(plan([b], "2026-03-09", 1, *REFILL), *sent)


def test_a_fill_that_names_no_prescription_uses_up_a_repeat():
    """"numberOfRepeatsAllowed minus later fills\""""
    again = fill("2026-02-11", id="x")
    del again["authorizingPrescription"]
    b = bundle(patient(), fill("2026-01-14"), again,
               rx(course="continuous",
                  dispense={"numberOfRepeatsAllowed": 1}))
    expect(plan([b], "2026-03-11", 1, *REFILL),
           "03-11 10:00 p1 send renewal 0d sms m1")


def test_one_task_for_a_cycle_whatever_its_kind_becomes():
    """"a product leaves it at its fill, stop or task\""""
    gone = fill("2026-02-01", 3, id="x")
    b = bundle(patient(), {**gone, "meta": meta(version="1")},
               {**gone, "status": "entered-in-error",
                "meta": known("03-07", version="2")},
               fill("2026-02-04", 3), fill("2026-02-05", 1),
               rx(course="continuous",
                  dispense={"numberOfRepeatsAllowed": 2}))
    expect(plan([b], "2026-02-22", 20, *REFILL),
           "02-22 10:00 p1 task renewal +14d - m1")


def test_a_visit_stands_until_it_was_missed():
    """… and stands for the renewal until then"""
    b = bundle(patient(), fill("2026-01-19", 20),
               rx(course="continuous", dispense=NONE_LEFT, **DOCTOR),
               visit("v1", "2026-02-06 08:00", "noshow", doctor="d1"))
    expect(plan([b], "2026-01-24", 20, *CARE),
           "02-03 10:00 p1 send follow_up -3d sms v1",
           "02-05 10:00 p1 send follow_up -1d sms v1",
           "02-06 10:00 p1 send follow_up missed sms v1",
           "02-08 10:00 p1 send renewal 0d sms m1")


def test_what_was_due_while_on_hold_is_not_sent_later():
    b = bundle(patient(), fill("2026-02-11"), rx(meta=meta(version="1")),
               rx(status="on-hold", meta=known("03-07", version="2")),
               rx(meta=known("03-09", version="3")))
    expect(plan([b], "2026-03-01", 12, *REFILL),
           "03-04 10:00 p1 send refill -7d sms m1",
           "03-10 10:00 p1 send refill -1d sms m1",
           "03-12 10:00 p1 send refill +1d sms m1")


def test_a_stage_of_another_ladder_is_no_stage_of_its_own():
    """m stood on its own ladder when o's -7d fell due"""
    b = bundle(patient(),
               rx("m", course="continuous", dispense=NONE_LEFT),
               fill("2026-03-01T18:47:00+08:00", 28, rx="m"),
               rx("o", course="continuous", dispense=NONE_LEFT),
               fill("2026-03-15T17:09:00+08:00", 7, rx="o"),
               fill("2026-03-18T18:37:00+08:00", 7, rx="o"))
    expect(plan([b], "2026-03-19", 12, *REFILL),
           "03-22 10:00 p1 send renewal -7d sms m",
           "03-29 10:00 p1 send renewal 0d sms m,o")


def test_a_prescription_known_late_is_reminded_of_while_valid():
    """"valid until the next stage\""""
    b = bundle(patient(), fill("2026-02-11"), rx(meta=known("03-08")))
    expect(plan([b], "2026-03-01", 10, *REFILL),
           "03-08 12:00 p1 send refill -3d sms m1",
           "03-10 10:00 p1 send refill -1d sms m1")


def test_a_task_known_late_is_still_a_task():
    b = bundle(patient(), fill("2026-02-11"), rx(meta=known("04-05")))
    expect(plan([b], "2026-03-01", 60, *REFILL),
           "04-05 12:00 p1 task refill +14d - m1")


def test_a_fill_of_unknown_days_ends_the_cycle():
    """"It ends with a fill"; "no supply data → no invented date\""""
    b = bundle(patient(), rx(), fill("2026-03-01", 30),
               fill("2026-03-27T12:00:00+08:00", None))
    expect(plan([b], "2026-03-20", 40, *REFILL),
           "03-24 10:00 p1 send refill -7d sms m1",
           "03-27 12:00 p1 task refill supply - m1")


def test_each_fill_of_unknown_days_gives_a_task():
    b = bundle(patient(), rx(), fill("2026-03-03T00:00:00+08:00", None, id="x"),
               fill("2026-03-03T09:30:00+08:00", None, id="y"))
    expect(plan([b], "2026-03-01", 9, *REFILL),
           "03-03 00:00 p1 task refill supply - m1",
           "03-03 09:30 p1 task refill supply - m1")


def test_no_task_where_nothing_was_consented_to_and_none_later():
    b = bundle(patient(), rx(), fill("2026-03-03", None),
               consent("c", given="2026-03-05"))
    expect(plan([b], "2026-03-01", 30))


def test_no_stage_twice_though_the_first_was_on_another_ladder():
    """b stood on the ladder of a, which ran out on 02-06, until 02-07"""
    b = bundle(patient(), rx("a"), fill("2026-01-07", 30, rx="a"),
               fill("2026-02-07T00:23:00+08:00", 30, rx="a"),
               rx("b"), fill("2026-02-04", 7, rx="b"))
    expect(plan([b], "2026-02-10", 4, *REFILL),
           "02-12 10:00 p1 send refill +1d sms b")


def test_as_needed_therapy_can_end():
    """"course unstated and dosage without an end\""""
    for end, sent in (("2026-03-01", []),
                      (None, ["03-11 10:00 p1 send renewal 0d sms m1"])):
        bounds = {"boundsPeriod": {
            k: v for k, v in (("start", "2026-01-01"), ("end", end)) if v}}
        b = bundle(patient(), fill("2026-02-11"), rx(
            dispense=NONE_LEFT,
            dosage=[{**daily("08:00", **bounds), "asNeededBoolean": True}]))
        expect(plan([b], "2026-03-08", 7, *REFILL), *sent)


def test_an_acute_course_needs_no_system():
    acute = {"courseOfTherapyType": {"coding": [{"code": "acute"}]}}
    b = bundle(patient(), rx(dispense=NONE_LEFT, **acute), fill("2026-02-11"))
    expect(plan([b], "2026-03-01", 30, *REFILL))


def test_a_fill_counts_from_when_it_was_handed_over():
    """… and not from lastUpdated"""
    b = bundle(patient(), rx(), fill("2026-02-11"),
               fill("2026-03-07", meta=known("03-12")))
    expect(plan([b], "2026-03-01", 20, *REFILL),
           "03-04 10:00 p1 send refill -7d sms m1")


# ---- doses ----

def test_a_dose_in_the_message_before_midnight_is_handled():
    b = bundle(patient(), rx("a", dosage=[daily("23:50")]),
               rx("b", dosage=[daily("00:05")]),
               rx("c", dosage=[daily("00:06")]),
               consent("c", ["dose", "any-hour"], ["sms"]))
    expect(plan([b], "2026-03-01", 1),
           "03-01 00:06 p1 send dose due sms c",
           "03-01 23:50 p1 send dose due sms a,b")


def test_a_schedule_is_refused_whole_for_what_begins_later():
    """"the one with the later authoredOn … is refused whole\""""
    bounds = {"boundsPeriod": {"start": "2026-03-20", "end": "2026-03-25"}}
    six = daily("08:00", "10:00", "12:00", "14:00", "16:00", "18:00",
                **bounds)
    b = bundle(patient(), rx("a", dosage=[six]),
               rx("b", dosage=[daily("09:00")],
                  authored="2026-03-01T00:00:00+08:00"))
    expect(plan([b], "2026-03-01", 5, *DOSE),
           "03-01 09:00 p1 task dose due cap b")
    expect(plan([b], "2026-03-20", 1, *DOSE),
           *[f"03-20 {hour}:00 p1 send dose due sms a"
             for hour in ("08", "10", "12", "14", "16", "18")])
    # … and stays refused when that is over
    expect(plan([b], "2026-04-20", 2, *DOSE))


def test_a_schedule_stays_refused_though_nobody_was_told():
    """"no hold lines", and no task "where the patient consented to nothing"
    """
    five = {"dosage": [daily("08:00", "10:00", "12:00", "14:00", "16:00")],
            "authored": "2026-01-01"}
    b = bundle(patient(),
               rx("a", **five, meta=meta(version="1")),
               rx("a", **five, status="completed",
                  meta=known("03-04", "09:00:00", "2")),
               rx("b", dosage=[daily("05:59", "12:35")],
                  authored="2026-01-02"))
    expect(plan([b], "2026-03-04", 3),
           "03-04 08:00 p1 hold dose due no_consent a")
    seven = daily(*[f"{hour:02}:00" for hour in range(8, 15)])
    b = bundle(patient(), rx(dosage=[seven], authored="2026-03-02"),
               consent("c", given="2026-03-03T21:00:00+08:00"))
    expect(plan([b], "2026-03-02", 5))


def test_the_task_about_a_schedule_comes_at_its_first_dose():
    """… outside its hours, though that is held for the hospital"""
    b = bundle(patient(), rx(dosage=[daily("23:00")], authored="2026-03-02"),
               stay("2026-03-01T09:00:00+08:00", "2026-03-03T09:00:00+08:00"))
    expect(plan([b], "2026-03-02", 2, *DOSE),
           "03-02 23:00 p1 hold dose due patient_in_hospital m1",
           "03-02 23:00 p1 task dose due quiet_hours m1",
           "03-03 23:00 p1 hold dose due quiet_hours m1")


def test_a_schedule_is_outside_its_hours_by_its_own_times():
    """22:00 is inside, though somebody looks again at 22:39"""
    b = bundle(patient(), rx(dosage=[daily("22:00")], authored="2026-03-02"),
               visit("v", "2026-03-20 10:00", meta=known("03-02", "22:39:00")))
    expect(plan([b], "2026-03-02", 1, *VISIT),
           "03-02 22:00 p1 hold dose due no_consent m1")


def test_what_is_on_record_as_held_needs_no_second_line():
    """… though it would be told with another now"""
    b = bundle(patient(), rx("a", dosage=[daily("16:00")]),
               rx("b", dosage=[daily("15:55")],
                  meta=known("03-02", "16:50:00")))
    expect(plan([b], "2026-03-02", 1),
           "03-02 16:00 p1 hold dose due no_consent a",
           "03-02 16:50 p1 hold dose due no_consent b")


def test_a_hold_is_dated_when_it_is_due_or_known():
    b = bundle(patient(), visit("v1", "2026-03-05 10:00",
                                meta=known("03-04", "10:29:00")),
               *[visit("v2", f"2026-03-{day} 10:00", meta=about)
                 for day, about in (("04", meta(version="1")), ("20", meta(
                     "2026-03-03T04:41:00+08:00", "2")))])
    expect(plan([b], "2026-03-03", 2, *REFILL),
           "03-03 04:41 p1 hold follow_up moved no_consent v2",
           "03-04 10:29 p1 hold follow_up -1d no_consent v1")


if __name__ == "__main__":
    main()
