#!/usr/bin/env python3
"""Tests of adherctl import fhir, migrate and check dossiers on a private
PostgreSQL: what is stored, what is refused, and that importing again, late
or twice at once makes no difference.  $BUILD holds adherctl."""

import copy
import json
import os
import re
import time

from support import SAMPLES, Site, equal, main

MRN = "https://his.example-hospital.cn/mrn"
CN = ("cn-clinic-transaction.json", "cn-pharmacy-batch.json",
      "cn-hospital-update-transaction.json")
FOREIGN = ("synthea-transaction-rufus.json", "synthea-transaction-marc.json",
           "nhs-message-concurrent-dosage.json",
           "nhs-message-repeat-dispensing.json",
           "nhs-message-dispense-notification.json")


# ---- the site: one cluster, emptied for each test ----

class Import(Site):
    def __init__(self):
        super().__init__()
        self.ctl("migrate", status=0)

    def empty(self):
        self.sql("TRUNCATE " + ", ".join(
            table for (table,) in self.sql(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                " AND tablename NOT IN ('tenant', 'schema_migration',"
                " 'program', 'product', 'delivery_default')")))

    def run(self, path, status=None, source="his", options=()):
        """The outcomes by entry, the problems, and the summary."""
        lines = self.lines("import", "fhir", "--source", source, *options,
                           path, status=status)
        return ([line for line in lines if "outcome" in line],
                [line for line in lines if "severity" in line],
                [line for line in lines if "skipped_kinds" in line][0])

    def sample(self, name, status=None):
        return self.run(os.path.join(SAMPLES, name), status)

    def resources(self, *resources, status=0, **more):
        """Import these as a collection."""
        return self.run(self.bundle(resources, **more), status)

    def bundle(self, resources, kind="collection", timestamp=None,
               name="bundle.json"):
        text = {"resourceType": "Bundle", "type": kind,
                "entry": [{"resource": r} for r in resources]}
        if timestamp:
            text["timestamp"] = timestamp
        if kind == "transaction":
            for entry in text["entry"]:
                entry["request"] = {
                    "method": "PUT", "url": "{resourceType}/{id}".format(
                        **entry["resource"])}
        return self.write(name, json.dumps(text))

    def check(self):
        equal(self.ctl("check", "dossiers", status=0)[1], "")


SITE = None


def site():
    global SITE
    if SITE is None:
        SITE = Import()
    SITE.empty()
    return SITE


def load(name):
    with open(os.path.join(SAMPLES, name), encoding="utf-8") as file:
        return json.load(file)


def statuses(outcomes):
    return [line["status"] for line in outcomes]


def outcome(outcomes, index=0):
    return outcomes[index]["outcome"]


# ---- resources ----

def patient(id="p1", **more):
    return {"resourceType": "Patient", "id": id,
            "identifier": [{"system": "urn:mrn", "value": id}],
            "telecom": [{"system": "sms", "value": "+8619900001001"}], **more}


def visit(id="a1", start="2026-12-01T10:00:00+08:00", status="booked",
          whom="p1", **more):
    resource = {"resourceType": "Appointment", "id": id, "status": status,
                "participant": [{"status": "accepted", "actor": {
                    "reference": f"Patient/{whom}"}}], **more}
    if start:
        resource.update(start=start, end=start.replace("T10", "T11"))
    return resource


def prescription(id="m1", whom="p1", **more):
    return {"resourceType": "MedicationRequest", "id": id, "status": "active",
            "intent": "order", "subject": {"reference": f"Patient/{whom}"},
            "medicationCodeableConcept": {"text": "metformin 500 mg"},
            "authoredOn": "2026-01-05", "dosageInstruction": [{
                "timing": {"repeat": {"frequency": 2, "period": 1,
                                      "periodUnit": "d"}}}], **more}


def meta(updated=None, version=None):
    fields = {"lastUpdated": updated, "versionId": version}
    return {"meta": {k: v for k, v in fields.items() if v is not None}}


# ---- the Chinese samples ----

def test_clinic_file_counts_agree_with_its_readme():
    s = site()
    outcomes, problems, tally = s.sample(CN[0], 0)
    equal(problems, [])
    equal(len(outcomes), 114)
    equal(tally["skipped_kinds"], {"Coverage": 12, "SupplyRequest": 2,
                                   "Practitioner": 4, "Organization": 4})
    equal(tally["created"], 92)
    equal(s.sql("SELECT count(*) FROM patient"), [["12"]])
    equal(s.sql("SELECT status, count(*) FROM prescription GROUP BY 1"),
          [["1", "17"]])
    equal(s.sql("SELECT status, count(*) FROM fill GROUP BY 1 ORDER BY 1"),
          [["1", "33"], ["4", "1"]])
    equal(s.sql("SELECT status, count(*) FROM follow_up GROUP BY 1"
                " ORDER BY 1"),
          [["1", "8"], ["2", "4"], ["3", "1"], ["4", "1"]])
    equal(s.value("SELECT count(DISTINCT (bucket, patient_id, consent_no))"
                  " FROM consent"), "14")
    equal(s.value("SELECT count(*) FROM agenda WHERE class = 2"), "12")
    s.check()


def test_second_import_writes_nothing():
    s = site()
    for name in CN + FOREIGN:
        s.sample(name)
    before = s.dump()
    for name in CN + FOREIGN:
        outcomes, _, tally = s.sample(name)
        equal(tally["created"] + tally["updated"], 0)
        assert {200, 422, None} >= set(statuses(outcomes)), name
    equal(s.dump(), before)


def test_batch_answers_entry_by_entry():
    s = site()
    s.sample(CN[0])
    outcomes, problems, _ = s.sample(CN[1], 65)
    equal(statuses(outcomes),
          [201, 201, 201, 201, 201, 422, 200, 422, 201])
    equal({p["path"] for p in problems},
          {"entry[5].resource.subject", "entry[7].resource.daysSupply"})
    equal(s.value("SELECT count(*) FROM patient"), "12")
    equal(s.value("SELECT count(*) FROM fill WHERE source_id ="
                  " 'cn-pd-260210-0057'"), "1")
    # each fill knows its prescription by the identifier alone
    equal(s.value("SELECT count(*) FROM fill WHERE prescription_no = 0"), "0")
    s.check()


def test_another_source_finds_patients_and_things_by_their_identifiers():
    s = site()
    s.sample(CN[0])
    outcomes, _, _ = s.run(os.path.join(SAMPLES, CN[1]), source="pharmacy")
    equal(statuses(outcomes),
          [201, 201, 201, 201, 201, 422, 200, 422, 201])


def test_update_changes_what_it_says():
    s = site()
    for name in CN[:2]:
        s.sample(name)
    outcomes, problems, _ = s.sample(CN[2], 0)
    equal(problems, [])
    equal(sorted(statuses(outcomes)), [200] * 5 + [201] * 2)
    equal(s.sql("SELECT source_id, status, status_at FROM prescription"
                " WHERE source_id LIKE 'cn-rx-05%' ORDER BY 1"),
          [["cn-rx-0501", "3", "2026-04-07 08:30:00+00"],
           ["cn-rx-0502", "1", "-infinity"]])
    equal(s.sql("SELECT a.source_id, b.source_id FROM prescription a"
                " JOIN prescription b ON (a.bucket, a.patient_id, a.prior_no)"
                " = (b.bucket, b.patient_id, b.prescription_no)"),
          [["cn-rx-0502", "cn-rx-0501"]])
    equal(s.sql("SELECT start_at, previous_start_at, moved_at FROM follow_up"
                " WHERE previous_start_at < 'infinity'"),
          [["2026-05-14 02:00:00+00", "2026-05-07 02:00:00+00",
            "2026-05-05 03:00:00+00"]])
    equal(s.sql("SELECT p.source_id, withdrawn_at FROM consent"
                " JOIN patient p USING (bucket, patient_id)"
                " WHERE withdrawn"), [["cn-p06", "2026-04-15 01:30:00+00"]])
    equal(s.value("SELECT deceased_at FROM patient"
                  " WHERE source_id = 'cn-p01'"), "2026-04-20 15:15:00+00")
    s.check()


def test_shared_phone_belongs_to_both_and_nobody_can_read_it():
    s = site()
    s.sample(CN[0])
    equal(s.sql("SELECT string_agg(DISTINCT p.source_id, ' ')"
                " FROM contact_index i JOIN patient p USING (bucket,"
                " patient_id) GROUP BY address_index"
                " HAVING count(DISTINCT p.patient_id) > 1"),
          [["cn-p01 cn-p11"]])
    dump = s.dump()
    assert len(dump) > 100
    for table, _, row in dump:
        assert "王建国" not in row and "1990000" not in row, table


def run_outs(s, number, at):
    _, out, _ = s.ctl("why", f"cn-p{number:02}", "--at", at, status=0)
    return sorted(re.findall(r"runs out on 2026-(\S+),", out))


def test_what_is_stored_runs_out_when_the_readme_says():
    s = site()
    s.sample(CN[0])
    for number, expected in {
            1: ["03-03", "03-03"], 2: ["03-03", "03-09"], 3: ["03-12"],
            5: ["04-10"], 6: ["03-21", "03-21"], 7: ["03-26"],
            8: ["03-06"], 9: ["03-06"], 10: ["03-16", "03-16"],
            11: ["03-09"], 12: ["03-06"]}.items():
        equal((number, run_outs(s, number, "2026-03-01T00:00:00+08:00")),
              (number, expected))
    s.sample(CN[1])
    s.sample(CN[2])
    for number, expected in {
            1: ["03-31", "03-31"], 2: ["03-09", "03-28"], 3: ["03-12"],
            5: ["06-04"], 8: ["03-20"], 11: ["04-06"]}.items():
        equal((number, run_outs(s, number, "2026-05-06T08:00:00+08:00")),
              (number, expected))


# ---- foreign samples ----

def test_foreign_samples_import_or_say_why_not():
    s = site()
    for name in FOREIGN:
        _, problems, tally = s.sample(name, 0)
        equal([p for p in problems if p["severity"] == "error"], [])
        assert tally["created"] > 0, name
    for name, path, code in (
            ("hl7-bundle-transaction.json", "entry[5]", "not-supported"),
            ("hl7-bundle-transaction-response.json", "type",
             "not-supported"),
            ("hl7-medrx0303-taper-bounds.json", "subject", "not-found"),
            ("hl7-medrx0321-multi-step-acm.json", "subject", "not-found")):
        before = s.dump()
        _, problems, tally = s.sample(name, 65)
        assert (path, code) in [(p["path"], p["code"]) for p in problems], \
            problems
        equal(tally["created"], 0)
        equal(s.dump(), before)
    _, problems, tally = s.sample("ms-batch-mixed.json", 65)
    equal(tally["refused"], len({p["path"].split(".")[0] for p in problems
                                 if p["severity"] == "error"}))
    assert tally["created"] > 0
    s.check()


# ---- versions ----

def test_older_version_never_overwrites_a_newer():
    s = site()
    s.resources(patient(), visit(**meta("2026-03-02T00:00:00Z")))
    before = s.dump()
    outcomes, _, _ = s.resources(
        visit(start="2026-12-05T10:00:00+08:00",
              **meta("2026-03-01T00:00:00Z")))
    equal((outcome(outcomes), outcomes[0]["status"]), ("older", 200))
    equal(s.dump(), before)
    # numbers count where there is no time, and not as text
    s.resources(prescription(status="stopped", **meta(version="10")))
    outcomes, _, _ = s.resources(prescription(**meta(version="9")))
    equal(outcome(outcomes), "older")
    # a bundle's time counts where there is neither
    s.resources(visit("a2"), timestamp="2026-03-02T00:00:00Z")
    outcomes, _, _ = s.resources(visit("a2", status="cancelled"),
                                 timestamp="2026-03-01T00:00:00Z")
    equal(outcome(outcomes), "older")


def test_a_version_between_two_like_ones_comes_too_late():
    s = site()
    s.resources(patient(), visit(**meta(version="1")))
    s.resources(visit(**meta(version="3")))
    outcomes, _, _ = s.resources(visit(status="cancelled",
                                       **meta(version="2")))
    equal(outcome(outcomes), "older")


def test_versions_in_one_file_count_in_their_order():
    s = site()
    new = visit(status="cancelled", **meta("2026-03-02T00:00:00Z", "2"))
    old = visit(**meta("2026-03-01T00:00:00Z", "1"))
    for versions in ((new, old), (old, new)):
        s.empty()
        s.resources(patient(), *versions)
        equal(s.sql("SELECT status FROM follow_up"), [["3"]])
    s.check()


def test_a_moved_visit_remembers_where_it_stood():
    s = site()
    s.resources(patient(), visit(**meta("2026-03-01T00:00:00Z")))
    s.resources(visit(start="2026-12-05T10:00:00+08:00",
                      **meta("2026-03-02T00:00:00Z")))
    s.resources(visit(start="2026-12-05T10:00:00+08:00", status="noshow",
                      **meta("2026-03-03T00:00:00Z")))
    equal(s.sql("SELECT status, start_at, previous_start_at, moved_at,"
                " status_at FROM follow_up"),
          [["4", "2026-12-05 02:00:00+00", "2026-12-01 02:00:00+00",
            "2026-03-02 00:00:00+00", "2026-03-03 00:00:00+00"]])


def test_another_appointment_with_the_identifier_takes_over():
    s = site()
    number = {"identifier": [{"system": "urn:visit", "value": "7"}]}
    s.resources(patient(), visit("a1", **number))
    s.resources(visit("a2", "2026-12-05T10:00:00+08:00", **number))
    equal(s.sql("SELECT a.source_id, b.source_id FROM follow_up a"
                " JOIN follow_up b ON a.replaces_no = b.follow_up_no"),
          [["a2", "a1"]])


def test_if_match_must_match():
    s = site()
    s.resources(patient(**meta(version="3")))
    path = s.bundle([patient(active=False, **meta(version="4"))],
                    "transaction")
    with open(path, encoding="utf-8") as file:
        bundle = json.load(file)
    for tag, status in (('W/"2"', 65), ('W/"3"', 0)):
        bundle["entry"][0]["request"]["ifMatch"] = tag
        s.run(s.write("bundle.json", json.dumps(bundle)), status)
        equal(s.value("SELECT active FROM patient"),
              "t" if status else "f")


def test_many_refused_at_once_are_all_told():
    s = site()
    text = {"resourceType": "Bundle", "type": "batch", "entry": [
        {"resource": patient(f"p{i}"),
         "request": {"method": "PUT", "url": f"Patient/p{i}",
                     "ifMatch": 'W/"1"'}} for i in range(9000)]}
    _, problems, tally = s.run(s.write("many.json", json.dumps(text)), 65)
    equal((len(problems), tally["refused"]), (9000, 9000))
    equal(s.value("SELECT count(*) FROM identity"), "0")


def test_consent_rules_are_replaced_together():
    s = site()

    def consent(*channels, **more):
        return {"resourceType": "Consent", "id": "c1", "status": "active",
                "scope": {"text": "x"}, "category": [{"text": "x"}],
                "patient": {"reference": "Patient/p1"},
                "policyRule": {"text": "x"},
                "dateTime": "2026-01-05T10:00:00+08:00",
                "provision": {"provision": [
                    {"type": "permit", "action": [{"coding": [{
                        "system": "https://adherd.example/fhir/channel",
                        "code": channel}]}]} for channel in channels]},
                **more}

    s.resources(patient(), consent("sms", "push"))
    equal(s.sql("SELECT rule_no, channels FROM consent ORDER BY 1"),
          [["1", "16"], ["2", "8"]])
    s.resources(consent("wechat_oa"))
    equal(s.sql("SELECT rule_no, channels FROM consent"), [["1", "4"]])
    s.resources(consent("sms", status="entered-in-error"))
    equal(s.sql("SELECT rule_no FROM consent"), [])
    s.check()


# ---- people ----

def test_contact_points_end_when_nobody_states_them_any_more():
    s = site()
    own, hers = "+8619900001001", "+8619900001002"
    carer = {"resourceType": "RelatedPerson", "id": "r1",
             "patient": {"reference": "Patient/p1"},
             "relationship": [{"coding": [{
                 "system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
                 "code": "MTH"}]}],
             "telecom": [{"system": "sms", "value": hers}]}
    contact = [{"relationship": carer["relationship"],
                "telecom": carer["telecom"]}]
    open_now = ("SELECT owner FROM contact WHERE until_at = 'infinity'"
                " ORDER BY 1")
    s.resources(patient(contact=contact), carer)
    equal(s.sql(open_now), [["1"], ["2"]])
    number = s.value("SELECT contact_no FROM contact WHERE owner = 1")
    s.resources(patient(telecom=[]))
    equal(s.sql(open_now), [["2"]])    # the carer's own resource states it
    s.resources({**carer, "telecom": []})
    equal(s.sql(open_now), [])
    equal(s.value("SELECT count(*) FROM contact_index"), "2")
    s.resources(patient(telecom=[{"system": "sms", "value": own}]))
    equal(s.sql(open_now), [["1"]])
    equal(s.value("SELECT contact_no FROM contact WHERE owner = 1"), number)
    s.check()


def test_patients_match_by_identifiers_alone():
    s = site()
    alike = {"name": [{"text": "张三"}], "birthDate": "1980-01-01"}
    s.resources(patient("p1", **alike), patient("p2", **alike))
    equal(s.value("SELECT count(*) FROM patient"), "2")
    # a card of the hospital's, seen with the number of another
    two = patient("p1")
    two["identifier"].append({"system": "urn:mrn", "value": "p2"})
    _, problems, _ = s.resources(two, status=65)
    equal([p["code"] for p in problems], ["multiple-matches"])
    # the number without the id is still that patient
    again = patient("p3", **alike)
    del again["id"]
    again["identifier"][0]["value"] = "p1"
    outcomes, _, _ = s.resources(again)
    equal(outcome(outcomes), "updated")


def test_contradicting_birth_date_is_refused_with_all_that_hangs_on_it():
    s = site()
    s.resources(patient(birthDate="1980-05"))
    outcomes, problems, _ = s.resources(
        patient(birthDate="1981-05-02"), prescription(), status=65)
    equal(statuses(outcomes), [422, 422])
    equal(problems[0]["path"], "entry[0].resource.birthDate")
    equal(problems[0]["code"], "conflict")
    equal(s.value("SELECT count(*) FROM prescription"), "0")
    s.resources(patient(birthDate="1980-05-02"))
    equal(s.sql("SELECT birth_from_on, birth_on FROM patient"),
          [["1980-05-02", "1980-05-02"]])


def test_dates_are_read_in_the_zone_on_record():
    s = site()
    s.resources(patient(extension=[{
        "url": "http://hl7.org/fhir/StructureDefinition/timezone",
        "valueCode": "Europe/Berlin"}]))
    s.resources(prescription())
    equal(s.value("SELECT authored_at FROM prescription"),
          "2026-01-04 23:00:00+00")


def test_a_changed_fact_is_looked_at_soon():
    s = site()
    s.resources(patient(), patient("p2"))
    s.sql("UPDATE agenda SET class = 1, lane = 3,"
          " next_at = now() + interval '5 days'")
    s.resources(prescription())
    equal(s.sql("SELECT p.source_id, class, lane, next_at <= now()"
                " FROM agenda JOIN patient p USING (bucket, patient_id)"
                " ORDER BY 1"),
          [["p1", "2", "0", "t"], ["p2", "1", "3", "f"]])


# ---- what is refused ----

def test_a_broken_entry_is_named_and_the_rest_goes_on():
    s = site()
    broken = prescription("m2")
    broken["dosageInstruction"][0]["timing"]["repeat"] = {
        "frequency": 1, "period": 1}    # tim-2: no unit
    path = s.bundle([patient(), prescription(), broken, visit()])
    _, out, err = s.ctl("import", "fhir", "--source", "his", path, status=65)
    pattern = (re.escape(path) + r": entry\[2\]\.resource\."
               r"dosageInstruction\[0\]\.timing\.repeat\S*: .+\n")
    assert re.fullmatch(pattern, err), err
    equal(out, f"{path}: 3 created, 1 refused\n")
    equal(s.value("SELECT count(*) FROM prescription"), "1")
    equal(s.value("SELECT count(*) FROM follow_up"), "1")
    s.check()


def test_a_transaction_is_all_or_nothing():
    s = site()
    before = s.dump()
    for bad in (prescription("m2", whom="nobody"),
                prescription("m2", status="nonsense")):
        _, out, err = s.ctl(
            "import", "fhir", "--source", "his",
            s.bundle([patient(), prescription(), bad], "transaction"),
            status=65)
        assert "nothing of it is stored" in err, err
        equal(out.split(": ")[1], "3 refused\n")
        equal(s.dump(), before)
    s.run(s.bundle([patient(), prescription()], "transaction"), 0)
    equal(s.value("SELECT count(*) FROM prescription"), "1")


def test_a_search_of_a_transaction_must_find():
    s = site()
    bundle = load(CN[2])
    s.sample(CN[0])
    before = s.dump()
    bad = copy.deepcopy(bundle)
    bad["entry"][2]["resource"]["authorizingPrescription"] = [{
        "reference": "MedicationRequest?identifier="
                     "https://his.example-hospital.cn/rx|R-9999"}]
    s.run(s.write("bad.json", json.dumps(bad)), 65)
    equal(s.dump(), before)


# ---- two at once ----

def test_two_imports_at_once_make_one_of_each():
    s = site()
    many = s.bundle([r for i in range(60) for r in (
        patient(f"p{i}"), prescription(f"m{i}", f"p{i}"),
        visit(f"a{i}", whom=f"p{i}"))], name="many.json")
    for path in (os.path.join(SAMPLES, CN[0]), many):
        s.empty()
        runs = [s.popen("import", "fhir", "--source", "his", path)
                for _ in range(3)]
        for process in runs:
            _, err = process.communicate(timeout=60)
            equal((process.returncode, err), (0, ""))
        both = s.dump()
        s.run(path, 0)
        equal(s.dump(), both)
        count = s.value("SELECT count(*) FROM patient")
        equal(count, "60" if path == many else "12")
        equal(s.value("SELECT count(*) FROM agenda"), count)
        equal(s.value("SELECT count(*) FROM dossier"), count)
    s.check()


def test_opposite_orders_do_not_deadlock_for_good():
    s = site()
    people = [patient(f"p{i}") for i in range(150)]

    def bundle(name, order, active):
        return s.bundle([{**p, "active": active} for p in order],
                        "transaction", name=name)

    paths = (bundle("up.json", people, False),
             bundle("down.json", people[::-1], True))
    for _ in range(4):    # first they are new, then they are known
        runs = [s.popen("import", "fhir", "--source", "his", path)
                for path in paths]
        for process in runs:
            _, err = process.communicate(timeout=60)
            equal((process.returncode, err), (0, ""))
        # each is whole, so the last one to commit decides for all
        equal(s.sql("SELECT count(DISTINCT active), count(*) FROM patient"),
              [["1", "150"]])


def test_a_database_that_dies_loses_nothing_that_a_second_import_lacks():
    s = site()
    path = s.bundle([r for i in range(1500) for r in (
        patient(f"p{i}"), visit(f"a{i}", whom=f"p{i}"))], name="many.json")
    process = s.popen("import", "fhir", "--source", "his", path)
    deadline = time.monotonic() + 30
    while s.value("SELECT count(*) > 20 FROM patient") == "f":
        assert time.monotonic() < deadline
    s.cluster.crash()
    _, err = process.communicate(timeout=60)
    equal(process.returncode, 75)
    assert "import it again" in err, err
    assert int(s.value("SELECT count(*) FROM patient")) < 1500
    s.run(path, 0)
    equal(s.sql("SELECT count(*), (SELECT count(*) FROM agenda),"
                " (SELECT count(*) FROM follow_up) FROM patient"),
          [["1500"] * 3])
    s.check()


# ---- the schema ----

def test_migrations_apply_once_also_by_two_at_once():
    with Site() as other:
        runs = [other.popen("migrate") for _ in range(2)]
        outs = [process.communicate(timeout=60) for process in runs]
        equal([process.returncode for process in runs], [0, 0])
        applied = [line for out, _ in outs for line in out.splitlines()
                   if line.startswith("applied")]
        equal(len(applied), len(set(applied)))
        equal(other.ctl("migrate", status=0)[1], "nothing to do\n")
        other.sql("UPDATE schema_migration SET sha256 = 'other'"
                  " WHERE number = 1")
        _, _, err = other.ctl("migrate", status=78)
        assert "0001_schema" in err, err


def test_check_names_dossiers_that_differ():
    s = site()
    s.resources(patient(), patient("p2"))
    s.check()
    s.sql("UPDATE patient SET wake_s = 5 WHERE source_id = 'p1'")
    number = s.value("SELECT bucket || '/' || patient_id FROM patient"
                     " WHERE source_id = 'p1'")
    equal(s.ctl("check", "dossiers", status=1)[1], number + "\n")


if __name__ == "__main__":
    try:
        main()
    finally:
        if SITE is not None:
            SITE.__exit__()
