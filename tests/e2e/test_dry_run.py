#!/usr/bin/env python3
"""Tests of `adherctl plan --fhir`: bundles in, decisions out, no database.

Expectations come from the text of the default program; lines are shortened
to "MM-DD HH:MM patient action kind stage channel-or-reason items"."""

import json
import os
import subprocess
import tempfile

from support import BUILD, SAMPLES, main

ADHERCTL = os.path.join(BUILD, "adherctl")
TOPIC = "https://adherd.example/fhir/topic"
CHANNEL = "https://adherd.example/fhir/channel"
ZONE = "http://hl7.org/fhir/StructureDefinition/timezone"
UCUM = "http://unitsofmeasure.org"
REFILL = ("--assume-consent", "refill")
DOSE = ("--assume-consent", "dose")
VISIT = ("--assume-consent", "follow_up")
ALL = ("--assume-consent", "dose,refill,follow_up")


# ---- bundles ----

def merged(resource, more):
    return {k: v for k, v in {**resource, **more}.items() if v is not None}


def meta(updated=None, version=None):
    fields = {"lastUpdated": updated, "versionId": version}
    return {k: v for k, v in fields.items() if v is not None} or None


def phone(number="+8613800000001", **more):
    return {"system": "sms", "value": number, **more}


def wechat(channel, value):
    return {"system": "other", "value": value,
            "extension": [{"url": CHANNEL, "valueCode": channel}]}


def patient(id="p1", zone="Asia/Shanghai", telecom=None, **more):
    extension = [{"url": ZONE, "valueCode": zone}] if zone else None
    return merged({"resourceType": "Patient", "id": id,
                   "extension": extension,
                   "telecom": [phone()] if telecom is None else telecom},
                  more)


def coding(system, *codes):
    return [{"system": system, "code": code} for code in codes]


def consent(id, topics=None, channels=None, type="permit", given="2026-01-01",
            status="active", of="p1", period=None, **more):
    provision = {"type": type}
    if topics:
        provision["purpose"] = coding(TOPIC, *topics)
    if channels:
        provision["action"] = [{"coding": coding(CHANNEL, *channels)}]
    if period:
        provision["period"] = period
    return merged({
        "resourceType": "Consent", "id": id, "status": status,
        "scope": {"coding": coding(
            "http://terminology.hl7.org/CodeSystem/consentscope",
            "patient-privacy")},
        "category": [{"text": "reminders"}],
        "policyRule": {"text": "opt in"},
        "patient": {"reference": f"Patient/{of}"},
        "dateTime": given, "provision": provision}, more)


def daily(*times, **bounds):
    return {"timing": {"repeat": {"frequency": 1, "period": 1,
                                  "periodUnit": "d",
                                  "timeOfDay": [f"{t}:00" for t in times],
                                  **bounds}}}


def rx(id="m1", drug=None, dosage=None, course=None, dispense=None,
       of="p1", authored="2026-01-01T09:00:00+08:00", **more):
    concept = {"coding": coding("http://terminology.hl7.org/CodeSystem/"
                                "medicationrequest-course-of-therapy",
                                course)} if course else None
    return merged({
        "resourceType": "MedicationRequest", "id": id, "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": coding("http://www.whocc.no/atc", drug or id)},
        "subject": {"reference": f"Patient/{of}"}, "authoredOn": authored,
        "courseOfTherapyType": concept, "dosageInstruction": dosage,
        "dispenseRequest": dispense}, more)


def days(count):
    return {"value": count, "unit": "d", "system": UCUM, "code": "d"}


def fill(given, supply=28, rx="m1", drug=None, id=None, of="p1", **more):
    return merged({
        "resourceType": "MedicationDispense", "id": id or f"f-{rx}-{given[:10]}",
        "status": "completed",
        "medicationCodeableConcept": {
            "coding": coding("http://www.whocc.no/atc", drug or rx)},
        "subject": {"reference": f"Patient/{of}"},
        "authorizingPrescription": [
            {"reference": f"MedicationRequest/{rx}"}],
        "daysSupply": days(supply) if supply else None,
        "whenHandedOver": given if "T" in given
        else f"{given}T09:00:00+08:00"}, more)


def visit(id, start, status="booked", of="p1", doctor=None, **more):
    who = [{"actor": {"reference": f"Patient/{of}"}, "status": "accepted"}]
    if doctor:
        who.append({"actor": {"reference": f"Practitioner/{doctor}"},
                    "status": "accepted"})
    at = f"{start}:00+08:00".replace(" ", "T")
    return merged({"resourceType": "Appointment", "id": id, "status": status,
                   "start": at, "end": at, "participant": who}, more)


def stay(start, end=None, of="p1", **more):
    period = {"start": start, "end": end} if end else {"start": start}
    return merged({
        "resourceType": "Encounter", "id": "stay",
        "status": "finished" if end else "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                  "code": "IMP"},
        "subject": {"reference": f"Patient/{of}"}, "period": period}, more)


def bundle(*resources):
    return {"resourceType": "Bundle", "type": "collection",
            "entry": [{"resource": r} for r in resources]}


# ---- running ----

def run(files, start, count, *options, status=0, form="--json"):
    """stdout and stderr of the dry run over bundles (dicts) or paths."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, one in enumerate(files):
            if isinstance(one, dict):
                path = os.path.join(folder, f"{number}.json")
                with open(path, "w", encoding="utf-8") as out:
                    json.dump(one, out, ensure_ascii=False)
                paths.append(path)
            else:
                paths.append(os.path.join(SAMPLES, one))
        command = [ADHERCTL, "plan", "--fhir", *paths, "--from", start,
                   "--days", str(count), *options]
        done = subprocess.run(command + ([form] if form else []),
                              capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == status, (done.returncode, done.stderr)
        return done.stdout, done.stderr.replace(folder + "/", "")


def lines(files, start, count, *options):
    out, err = run(files, start, count, *options)
    assert err == "", err
    return [json.loads(line) for line in out.splitlines()]


def short(line):
    return " ".join([line["at"][5:16].replace("T", " "), line["patient"],
                     line["action"], line["kind"], line["stage"],
                     line["channel"] or line["reason"] or "-",
                     ",".join(i.split("/")[1] for i in line["items"])])


def plan(files, start, count, *options):
    return [short(line) for line in lines(files, start, count, *options)]


def expect(got, *expected):
    assert got == list(expected), "\n".join(
        ["got", *got, "expected", *expected])


# ---- the form of a line ----

def test_line_is_written_to_the_letter():
    out, _ = run([bundle(patient(), rx(), fill("2026-02-11"))],
                 "2026-03-08", 1, *REFILL)
    assert out == (
        '{"at":"2026-03-08T10:00:00+08:00","patient":"p1","action":"send",'
        '"kind":"refill","stage":"-3d","channel":"sms",'
        '"items":["MedicationRequest/m1"],"reason":null}\n'), out


def test_people_read_a_table():
    out, _ = run([bundle(patient(), rx(), fill("2026-02-11"))],
                 "2026-03-08", 1, *REFILL, form=None)
    words = out.split()
    assert words == ["2026-03-08", "10:00", "+08:00", "p1", "send", "refill",
                     "-3d", "sms", "MedicationRequest/m1"], out


# ---- refill and renewal ----

def test_refill_ladder_stands_around_the_run_out():
    expect(plan([bundle(patient(), rx(), fill("2026-02-11"))],
                "2026-03-01", 40, *REFILL),
           "03-04 10:00 p1 send refill -7d sms m1",
           "03-08 10:00 p1 send refill -3d sms m1",
           "03-10 10:00 p1 send refill -1d sms m1",
           "03-12 10:00 p1 send refill +1d sms m1",
           "03-18 10:00 p1 send refill +7d sms m1",
           "03-25 10:00 p1 task refill +14d - m1")


def test_a_fill_ends_the_cycle_when_it_is_handed_over():
    expect(plan([bundle(patient(), rx(), fill("2026-02-11"),
                        fill("2026-03-09T15:00:00+08:00"))],
                "2026-03-01", 40, *REFILL),
           "03-04 10:00 p1 send refill -7d sms m1",
           "03-08 10:00 p1 send refill -3d sms m1",
           "04-01 10:00 p1 send refill -7d sms m1",
           "04-05 10:00 p1 send refill -3d sms m1",
           "04-07 10:00 p1 send refill -1d sms m1",
           "04-09 10:00 p1 send refill +1d sms m1")


def test_products_that_run_out_within_seven_days_climb_one_ladder():
    b = bundle(patient(), rx("a"), fill("2026-02-11", rx="a"),
               rx("b"), fill("2026-02-18", rx="b"),
               rx("c"), fill("2026-02-19", rx="c"))
    expect(plan([b], "2026-03-04", 3, *REFILL),
           "03-04 10:00 p1 send refill -7d sms a,b",
           )
    expect(plan([b], "2026-03-12", 1, *REFILL),
           "03-12 10:00 p1 send refill +1d sms a,b",
           "03-12 10:02 p1 send refill -7d sms c")


def test_renewal_where_no_refill_is_left():
    none = {"numberOfRepeatsAllowed": 0}
    expect(plan([bundle(patient(), rx(course="continuous", dispense=none),
                        fill("2026-02-20"))], "2026-03-01", 40, *REFILL),
           "03-06 10:00 p1 send renewal -14d sms m1",
           "03-13 10:00 p1 send renewal -7d sms m1",
           "03-20 10:00 p1 send renewal 0d sms m1",
           "03-27 10:00 p1 send renewal +7d sms m1",
           "04-03 10:00 p1 task renewal +14d - m1")


def test_no_renewal_stage_before_half_of_the_supply_is_used():
    none = {"numberOfRepeatsAllowed": 0}
    expect(plan([bundle(patient(), rx(dispense=none),
                        fill("2026-03-06", 14))], "2026-03-01", 15, *REFILL),
           "03-13 10:00 p1 send renewal -7d sms m1")


def test_no_renewal_of_an_acute_course():
    none = {"numberOfRepeatsAllowed": 0}
    expect(plan([bundle(patient(), rx(course="acute", dispense=none),
                        fill("2026-02-20"))], "2026-03-01", 40, *REFILL))


def test_validity_before_the_run_out_means_renewal():
    valid = {"validityPeriod": {"start": "2026-01-01", "end": "2026-03-19"},
             "numberOfRepeatsAllowed": 3}
    expect(plan([bundle(patient(), rx(course="continuous", dispense=valid),
                        fill("2026-02-20"))], "2026-03-13", 1, *REFILL),
           "03-13 10:00 p1 send renewal -7d sms m1")


def test_a_visit_with_the_prescriber_makes_renewal_needless():
    none = {"numberOfRepeatsAllowed": 0}
    by = {"requester": {"reference": "Practitioner/d1"}}
    expect(plan([bundle(patient(), rx(course="continuous", dispense=none,
                                      **by), fill("2026-02-20"),
                        visit("v1", "2026-03-19 09:00", doctor="d1"))],
                "2026-03-01", 15, *REFILL))


def test_a_fill_without_days_gives_one_task():
    expect(plan([bundle(patient(), rx(), fill("2026-03-03", None))],
                "2026-03-01", 30, *REFILL),
           "03-03 09:00 p1 task refill supply - m1")
    expect(plan([bundle(patient(), rx())], "2026-03-01", 30, *REFILL))


def test_entered_in_error_adds_no_stock():
    expect(plan([bundle(patient(), rx(), fill("2026-02-11"),
                        fill("2026-02-12", id="x",
                             status="entered-in-error"))],
                "2026-03-08", 1, *REFILL),
           "03-08 10:00 p1 send refill -3d sms m1")


# ---- doses ----

def test_doses_within_fifteen_minutes_are_one_message():
    expect(plan([bundle(patient(), rx("a", dosage=[daily("08:00")]),
                        rx("b", dosage=[daily("08:15")]),
                        rx("c", dosage=[daily("08:16")]))],
                "2026-03-01", 1, *DOSE),
           "03-01 08:00 p1 send dose due sms a,b",
           "03-01 08:16 p1 send dose due sms c")


def test_a_dose_outside_its_hours_is_held_and_gives_one_task():
    expect(plan([bundle(patient(), rx(dosage=[daily("22:30")],
                                      authored="2026-03-02"))],
                "2026-03-01", 3, *DOSE),
           "03-02 22:30 p1 hold dose due quiet_hours m1",
           "03-02 22:30 p1 task dose due quiet_hours m1",
           "03-03 22:30 p1 hold dose due quiet_hours m1")


def test_any_hour_lets_night_doses_out():
    expect(plan([bundle(patient(), rx(dosage=[daily("22:30")]),
                        consent("c", ["dose", "any-hour"], ["sms"]))],
                "2026-03-01", 1),
           "03-01 22:30 p1 send dose due sms m1")


def test_a_consent_for_everything_is_not_for_any_hour():
    expect(plan([bundle(patient(), rx(dosage=[daily("21:00", "05:59")],
                                      authored="2026-03-01"),
                        consent("c"))], "2026-03-01", 1),
           "03-01 05:59 p1 hold dose due quiet_hours m1",
           "03-01 05:59 p1 task dose due quiet_hours m1",
           "03-01 21:00 p1 send dose due sms m1")


def test_a_schedule_over_the_cap_is_refused_whole():
    expect(plan([bundle(patient(),
                        rx("a", dosage=[daily("08:00", "10:00", "12:00",
                                              "14:00", "16:00", "18:00")]),
                        rx("b", dosage=[daily("09:00")],
                           authored="2026-03-02"))],
                "2026-03-02", 1, *DOSE),
           "03-02 08:00 p1 send dose due sms a",
           "03-02 09:00 p1 task dose due cap b",
           "03-02 10:00 p1 send dose due sms a",
           "03-02 12:00 p1 send dose due sms a",
           "03-02 14:00 p1 send dose due sms a",
           "03-02 16:00 p1 send dose due sms a",
           "03-02 18:00 p1 send dose due sms a")


# ---- visits ----

def test_visit_is_reminded_of_and_kept_from_its_start():
    expect(plan([bundle(patient(), visit("v1", "2026-03-10 09:00",
                                         "fulfilled"))],
                "2026-03-01", 20, *VISIT),
           "03-07 10:00 p1 send follow_up -3d sms v1",
           "03-09 10:00 p1 send follow_up -1d sms v1")


def test_versions_of_a_visit_move_it():
    first = visit("v1", "2026-05-07 10:00", meta=meta(version="1"))
    later = visit("v1", "2026-05-14 10:00",
                  meta=meta("2026-05-05T11:00:00+08:00", "2"))
    moved = ["05-04 10:00 p1 send follow_up -3d sms v1",
             "05-05 11:00 p1 send follow_up moved sms v1",
             "05-11 10:00 p1 send follow_up -3d sms v1",
             "05-13 10:00 p1 send follow_up -1d sms v1"]
    for files in ([bundle(patient(), first, later)],
                  [bundle(patient(), later, first)],
                  [bundle(patient(), first), bundle(later)],
                  [bundle(later), bundle(first, patient())]):
        expect(plan(files, "2026-05-01", 20, *VISIT), *moved)


def test_a_new_appointment_takes_over():
    new = visit("v2", "2026-05-14 10:00",
                meta=meta("2026-05-05T11:00:00+08:00"),
                supportingInformation=[{"reference": "Appointment/v1"}])
    twins = [visit("v1", "2026-05-07 10:00",
                   identifier=[{"system": "urn:a", "value": "7"}]),
             visit("v2", "2026-05-14 10:00",
                   identifier=[{"system": "urn:a", "value": "7"}],
                   meta=meta("2026-05-05T11:00:00+08:00"))]
    for visits in ([visit("v1", "2026-05-07 10:00"), new], twins,
                   twins[::-1]):
        expect(plan([bundle(patient(), *visits)], "2026-05-01", 20, *VISIT),
               "05-04 10:00 p1 send follow_up -3d sms v1",
               "05-05 11:00 p1 send follow_up moved sms v2",
               "05-11 10:00 p1 send follow_up -3d sms v2",
               "05-13 10:00 p1 send follow_up -1d sms v2")


def test_without_a_date_the_newer_version_is_known_from_the_beginning():
    versions = [visit("v1", f"2026-05-{day} 10:00",
                      meta=meta(version=version))
                for day, version in (("14", "10"), ("07", "9"))]
    expect(plan([bundle(patient(), *versions)], "2026-05-01", 14, *VISIT),
           "05-11 10:00 p1 send follow_up -3d sms v1",
           "05-13 10:00 p1 send follow_up -1d sms v1")


def test_a_missed_visit():
    booked = visit("v1", "2026-03-03 09:00", meta=meta(version="1"))
    missed = visit("v1", "2026-03-03 09:00", "noshow",
                   meta=meta("2026-03-03T17:00:00+08:00", "2"))
    expect(plan([bundle(patient(), booked, missed)], "2026-03-02", 30,
                *VISIT),
           "03-02 10:00 p1 send follow_up -1d sms v1",
           "03-04 10:00 p1 send follow_up missed sms v1",
           "03-17 10:00 p1 task follow_up +14d - v1")


def test_a_resource_is_not_known_before_its_last_update():
    expect(plan([bundle(patient(), visit(
        "v1", "2026-03-10 09:00", meta=meta("2026-03-08T12:00:00+08:00")))],
                "2026-03-01", 20, *VISIT),
           "03-08 12:00 p1 send follow_up -3d sms v1",
           "03-09 10:00 p1 send follow_up -1d sms v1")


def test_a_last_update_outside_the_window_delays_nothing():
    for updated in ("2026-02-27T12:00:00+08:00", "2026-04-01T12:00:00+08:00"):
        expect(plan([bundle(patient(), visit(
            "v1", "2026-03-10 09:00", meta=meta(updated)))],
                    "2026-03-01", 20, *VISIT),
               "03-07 10:00 p1 send follow_up -3d sms v1",
               "03-09 10:00 p1 send follow_up -1d sms v1")


# ---- the person ----

def test_status_holds_each_due_stage():
    b = bundle(patient(active=False), rx(), fill("2026-02-11"))
    expect(plan([b], "2026-03-08", 20, *REFILL),
           "03-08 10:00 p1 hold refill -3d patient_inactive m1",
           "03-10 10:00 p1 hold refill -1d patient_inactive m1",
           "03-12 10:00 p1 hold refill +1d patient_inactive m1",
           "03-18 10:00 p1 hold refill +7d patient_inactive m1")


def test_last_update_of_a_patient_delays_the_status_only():
    b = bundle(patient(active=False,
                       meta=meta("2026-03-09T12:00:00+08:00")),
               rx(), fill("2026-02-11"))
    expect(plan([b], "2026-03-08", 4, *REFILL),
           "03-08 10:00 p1 send refill -3d sms m1",
           "03-10 10:00 p1 hold refill -1d patient_inactive m1")


def test_death_acts_at_its_own_time():
    b = bundle(patient(deceasedDateTime="2026-03-09"), rx(),
               fill("2026-02-11"))
    expect(plan([b], "2026-03-08", 4, *REFILL),
           "03-08 10:00 p1 send refill -3d sms m1",
           "03-10 10:00 p1 hold refill -1d patient_deceased m1")


def test_death_counts_when_it_is_known():
    death = {"deceasedDateTime": "2026-03-08T23:15:00+08:00",
             "meta": meta("2026-03-09T09:00:00+08:00", "2")}
    for people in ([patient(**death)],
                   [patient(meta=meta(version="1")), patient(**death)]):
        expect(plan([bundle(rx(dosage=[daily("08:00")]), *people)],
                    "2026-03-08", 3, *DOSE),
               "03-08 08:00 p1 send dose due sms m1",
               "03-09 08:00 p1 send dose due sms m1",
               "03-10 08:00 p1 hold dose due patient_deceased m1")


def test_hospital_pauses_supply_and_holds_messages():
    b = bundle(patient(), rx(dosage=[daily("08:00")]), fill("2026-02-11"),
               stay("2026-03-09T10:00:00+08:00", "2026-03-10T12:00:00+08:00"))
    got = plan([b], "2026-03-09", 3, *DOSE)
    expect(got, "03-09 08:00 p1 send dose due sms m1",
           "03-10 08:00 p1 hold dose due patient_in_hospital m1",
           "03-10 10:00 p1 hold refill -3d patient_in_hospital m1",
           "03-11 08:00 p1 send dose due sms m1")


# ---- consent and channels ----

def test_nothing_is_assumed():
    expect(plan([bundle(patient(), rx(), fill("2026-02-11"))],
                "2026-03-08", 5),
           "03-08 10:00 p1 hold refill -3d no_consent m1",
           "03-10 10:00 p1 hold refill -1d no_consent m1",
           "03-12 10:00 p1 hold refill +1d no_consent m1")


def test_assumed_consent_lasts_until_one_is_known():
    deny = consent("c", ["refill"], ["sms"], "deny", "2026-03-09")
    expect(plan([bundle(patient(), rx(), fill("2026-02-11"), deny)],
                "2026-03-08", 4, *REFILL),
           "03-08 10:00 p1 send refill -3d sms m1",
           "03-10 10:00 p1 hold refill -1d no_consent m1")


def test_assumed_consent_ends_though_the_consent_has_not_begun():
    later = consent("c", ["refill"], ["sms"], given="2026-03-01",
                    period={"start": "2026-03-10"})
    expect(plan([bundle(patient(), rx(), fill("2026-02-11"), later)],
                "2026-03-08", 4, *REFILL),
           "03-08 10:00 p1 hold refill -3d no_consent m1",
           "03-10 08:00 p1 send refill -3d sms m1",
           "03-10 10:00 p1 send refill -1d sms m1")


def test_channels_in_their_order():
    telecom = [phone(), wechat("push", "t"), wechat("wechat_oa", "o")]
    b = bundle(patient(telecom=telecom), rx(), fill("2026-02-11"),
               consent("c", ["refill"], ["wechat_oa"], "deny"))
    expect(plan([b], "2026-03-08", 1, *REFILL),
           "03-08 10:00 p1 send refill -3d push m1")


def test_old_numbers_and_plain_phones_do_not_count():
    telecom = [phone(use="old"), {"system": "phone", "value": "13800000002"}]
    b = bundle(patient(telecom=telecom), rx(), fill("2026-02-11"),
               consent("c"))
    expect(plan([b], "2026-03-08", 1),
           "03-08 10:00 p1 hold refill -3d no_channel m1")
    expect(plan([b], "2026-03-08", 1, "--phone-is-mobile"),
           "03-08 10:00 p1 send refill -3d sms m1")


def test_a_child_is_reached_through_the_guardian():
    guardian = {"relationship": [{"coding": coding(
        "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "MTH")}],
                "telecom": [phone("+8613800000009")]}
    b = bundle(patient(birthDate="2015-06-01", contact=[guardian],
                       telecom=[wechat("wechat_mini", "x")]),
               rx(), fill("2026-02-11"))
    expect(plan([b], "2026-03-08", 1, *REFILL),
           "03-08 10:00 p1 send refill -3d sms m1")


def test_a_carers_address_is_not_the_patients():
    carer = {"telecom": [wechat("wechat_mini", "x")]}
    b = bundle(patient(contact=[carer], telecom=[]), rx(),
               fill("2026-02-11"))
    expect(plan([b], "2026-03-08", 1, *REFILL),
           "03-08 10:00 p1 hold refill -3d no_consent m1")


def test_the_caps_of_an_address_count_for_all_who_share_it():
    def one(of):
        return [patient(of)] + [
            visit(f"{of}-{n}", f"2026-03-{n:02d} 09:00", of=of)
            for n in (6, 8)]
    got = plan([bundle(*one("a"), *one("b"))], "2026-03-05", 1, *VISIT)
    expect(got, "03-05 10:00 a send follow_up -1d sms a-6",
           "03-05 10:00 b send follow_up -1d sms b-6",
           "03-05 10:00 b hold follow_up -3d no_consent b-8",
           "03-05 10:02 a send follow_up -3d sms a-8")


def test_kinds_at_one_instant_go_out_in_their_order():
    b = bundle(patient(), rx("a", dosage=[daily("10:00")]),
               fill("2026-02-11", rx="a"), visit("v1", "2026-03-11 09:00"))
    expect(plan([b], "2026-03-08", 1, *ALL),
           "03-08 10:00 p1 send follow_up -3d sms v1",
           "03-08 10:02 p1 send refill -3d sms a",
           "03-08 10:04 p1 send dose due sms a")


# ---- windows, zones, files ----

def test_the_window_is_in_each_patients_zone():
    b = bundle(patient("a", "Europe/Berlin"), patient("b"),
               patient("c", None),
               *[rx(f"m{p}", dosage=[daily("08:00")], of=p) for p in "abc"])
    got = [(x["at"], x["patient"])
           for x in lines([b], "2026-03-29", 1, "--zone", "America/New_York",
                          *DOSE)]
    assert got == [("2026-03-29T08:00:00+08:00", "b"),
                   ("2026-03-29T08:00:00+02:00", "a"),
                   ("2026-03-29T08:00:00-04:00", "c")], got


def test_a_date_takes_effect_at_midnight_where_the_patient_lives():
    given = fill("2026-03-05", None, whenHandedOver="2026-03-05")
    for files in ([bundle(patient(zone="Europe/Berlin"), rx(), given)],
                  [bundle(rx(), given), bundle(patient(
                      zone="Europe/Berlin"))]):
        assert [(x["at"], x["action"]) for x in
                lines(files, "2026-03-01", 9, *REFILL)] == [
                    ("2026-03-05T00:00:00+01:00", "task")]


def test_what_was_due_before_the_window_counts_as_handled():
    expect(plan([bundle(patient(), rx(), fill("2026-02-11"))],
                "2026-03-11", 1, *REFILL))


def test_references_lead_from_file_to_file():
    other = fill("2026-02-12", rx="m1", id="pd",
                 subject={"identifier": {"system": "urn:mrn", "value": "1"}},
                 authorizingPrescription=[{"reference":
                     "MedicationRequest?identifier=urn:rx%7CR1"}])
    first = bundle(patient(identifier=[{"system": "urn:mrn", "value": "1"}]),
                   rx(identifier=[{"system": "urn:rx", "value": "R1"}]))
    for files in ([first, bundle(other)], [bundle(other), first]):
        expect(plan(files, "2026-03-09", 1, *REFILL),
               "03-09 10:00 p1 send refill -3d sms m1")


def test_a_conditional_create_changes_nothing_that_is_there():
    key = [{"system": "urn:d", "value": "D1"}]
    first = fill("2026-02-11", identifier=key)
    again = {"resourceType": "Bundle", "type": "batch", "entry": [{
        "resource": fill("2026-02-11", 56, identifier=key, id="other"),
        "request": {"method": "POST", "url": "MedicationDispense",
                    "ifNoneExist": "identifier=urn:d|D1"}}]}
    expect(plan([bundle(patient(), rx(), first), again], "2026-03-08", 1,
                *REFILL), "03-08 10:00 p1 send refill -3d sms m1")


def test_problems_go_to_stderr_and_the_rest_goes_on():
    broken = fill("2026-02-11", id="bad", status="done")
    orphan = fill("2026-02-11", id="lost", of="nobody")
    out, err = run([bundle(patient(), rx(), fill("2026-02-11"), broken,
                           orphan)], "2026-03-08", 1, *REFILL, status=65)
    assert len(out.splitlines()) == 1, out
    told = err.splitlines()
    assert len(told) == 2, err
    assert told[0].startswith("0.json: entry[3].resource.status: "), err
    assert told[1] == ("0.json: entry[4].resource.subject: "
                       "the patient is in none of the files"), err


def test_nothing_usable_is_an_error_of_the_data():
    _, err = run([{"resourceType": "Bundle", "type": "nonsense"}],
                 "2026-03-08", 1, status=65)
    assert err.startswith("0.json: type: "), err
    run([bundle(rx())], "2026-03-08", 1, status=65)
    run([bundle(patient())], "2026-03-08", 0, status=64)
    run([bundle(patient())], "today", 1, status=64)
    run([bundle(patient())], "2026-03-08", 1, "--assume-consent", "all",
        status=64)


# ---- the Chinese samples ----

CLINIC = "cn-clinic-transaction.json"
PHARMACY = "cn-pharmacy-batch.json"
UPDATE = "cn-hospital-update-transaction.json"


def sample(start, count, who, kind, *files, options=()):
    out, _ = run(files or [CLINIC], start, count, *options,
                 status=65 if PHARMACY in files else 0)
    return [x for x in map(json.loads, out.splitlines())
            if x["patient"] == who and x["kind"] == kind]


def test_samples_doses():
    """README fact 8"""
    march = sample("2026-03-01", 31, "cn-p10", "dose")
    days_10 = sorted({x["at"][:10] for x in march
                      if "MedicationRequest/cn-rx-1002" in x["items"]})
    assert days_10 == [f"2026-03-{d:02d}" for d in range(2, 31, 2)], days_10
    weekly = [x["at"][8:10] for x in
              sample("2026-03-01", 31, "cn-p11", "dose")]
    assert weekly == ["02", "09", "16", "23", "30"], weekly
    course = sample("2026-02-27", 20, "cn-p12", "dose")
    assert len(course) == 21, len(course)
    assert course[0]["at"] == "2026-02-27T18:30:00+08:00", course[0]
    assert course[-1]["at"] == "2026-03-06T12:30:00+08:00", course[-1]
    later = sample("2026-03-01", 20, "cn-p12", "dose")
    assert len(later) == 17, len(later)
    assert not [x for x in sample("2026-03-01", 31, "cn-p06", "dose")
                if "MedicationRequest/cn-rx-0602" in x["items"]]


def test_samples_zones():
    """README fact 9"""
    doses = [x["at"] for x in sample("2026-03-28", 2, "cn-p05", "dose")]
    assert doses == ["2026-03-28T07:00:00+01:00",
                     "2026-03-29T07:00:00+02:00"], doses
    doses = [x["at"] for x in sample("2026-03-02", 1, "cn-p03", "dose")]
    assert doses == ["2026-03-02T18:30:00+06:00"], doses


def test_samples_problems():
    """README fact 10: nothing is invented, the duplicate adds nothing"""
    _, err = run([CLINIC, PHARMACY], "2026-03-10", 1, status=65)
    told = err.splitlines()
    assert any("cn-pharmacy-batch.json: entry[5].resource.subject: " in x
               for x in told), err
    assert any("cn-pharmacy-batch.json: entry[7].resource.daysSupply: " in x
               for x in told), err
    # R-0301 runs out on 03-12 all the same
    refills = sample("2026-03-09", 6, "cn-p03", "refill", CLINIC, PHARMACY)
    assert [(x["stage"], x["at"][:10]) for x in refills] == [
        ("-3d", "2026-03-09"), ("-1d", "2026-03-11"),
        ("+1d", "2026-03-13")], refills


def test_samples_after_the_update_levothyroxine():
    """README fact 11: 84.5 / 1.5 = 56 whole days, run-out 06-04"""
    files = (CLINIC, PHARMACY, UPDATE)
    renewal = sample("2026-04-10", 70, "cn-p05", "renewal", *files)
    assert [(x["stage"], x["at"][:10]) for x in renewal] == [
        ("-14d", "2026-05-21"), ("-7d", "2026-05-28"), ("0d", "2026-06-04"),
        ("+7d", "2026-06-11"), ("+14d", "2026-06-18")], renewal
    doses = sample("2026-04-06", 4, "cn-p05", "dose", *files)
    assert [(x["at"][:10], x["items"]) for x in doses] == [
        ("2026-04-06", ["MedicationRequest/cn-rx-0501"]),
        ("2026-04-07", ["MedicationRequest/cn-rx-0501"]),
        ("2026-04-08", ["MedicationRequest/cn-rx-0502"]),
        ("2026-04-09", ["MedicationRequest/cn-rx-0502"])], doses


def test_samples_after_the_update_people():
    """README fact 12"""
    files = (CLINIC, PHARMACY, UPDATE)
    out, _ = run(files, "2026-04-10", 50, status=65)
    every = [json.loads(x) for x in out.splitlines()]

    def sent(who, since):
        return [x for x in every if x["patient"] == who and
                x["action"] == "send" and x["at"] >= since]
    assert sent("cn-p01", "2026-04-21T07") != []
    assert sent("cn-p01", "2026-04-21T09") == []
    assert sent("cn-p11", "2026-04-21T09") != []
    assert sent("cn-p06", "2026-04-15T09") == []
    assert sent("cn-p06", "2026-04-15T08") != []
    visits = [(x["at"][:16], x["action"], x["stage"]) for x in every
              if x["patient"] == "cn-p02" and x["kind"] == "follow_up"]
    assert visits == [("2026-05-04T10:00", "send", "-3d"),
                      ("2026-05-05T11:00", "send", "moved"),
                      ("2026-05-11T10:00", "send", "-3d"),
                      ("2026-05-13T10:00", "send", "-1d")], visits


def test_samples_the_dead_get_nothing():
    out, _ = run([CLINIC], "2026-03-01", 30)
    for line in map(json.loads, out.splitlines()):
        if line["patient"] == "cn-p04":
            assert line["action"] == "hold", line
            assert line["reason"] == "patient_deceased", line


if __name__ == "__main__":
    main()
