#!/usr/bin/env python3
"""Tests of the verbs that speak of one patient in the database: plan, why,
consent; and of queue."""

import os

from support import SAMPLES, Site, equal, main

SITE = None
CLINIC = os.path.join(SAMPLES, "cn-clinic-transaction.json")
START = "2026-03-01T00:00:00+08:00"
MRN = "https://his.example-hospital.cn/mrn|"


def site():
    """One cluster for all tests, with the clinic's patients."""
    global SITE
    if SITE is None:
        SITE = Site()
        SITE.ctl("migrate", status=0)
        SITE.ctl("import", "fhir", "--source", "his", CLINIC, status=0)
    return SITE


def numbers(name):
    return site().value("SELECT bucket || '/' || patient_id FROM patient"
                        f" WHERE source_id = '{name}'")


def doses(lines):
    """Hours and items: a refill of the same hour may push a dose back."""
    return [(x["at"][:13], x["patient"], x["action"], x["items"])
            for x in lines if x["kind"] == "dose"]


def test_the_database_plans_the_doses_of_the_files():
    s = site()
    offline = s.lines("plan", "--fhir", CLINIC, "--from", "2026-03-01",
                      "--days", "5", status=0)
    for name in ("cn-p01", "cn-p02", "cn-p09", "cn-p12"):
        expected = [x for x in offline if x["patient"] == name]
        assert doses(expected)
        equal(doses(s.lines("plan", name, "--at", START, "--days", "5",
                            status=0)), doses(expected))


def test_a_patient_goes_by_three_names():
    s = site()
    told = [s.ctl("plan", name, "--at", START, "--days", "2", status=0)[1]
            for name in ("cn-p02", MRN + "10000002", numbers("cn-p02"))]
    assert told[0] and told[0] == told[1] == told[2], told
    for name in ("nobody", MRN + "1", "1/99999999"):
        equal(s.ctl("plan", name, "--at", START)[0], 66)


def test_why_tells_what_is_and_why():
    lines = site().lines("why", "cn-p02", "--at",
                         "2026-03-01T08:00:00+08:00", status=0)
    steps = [x["step"] for x in lines if x["what"] == "plan"]
    equal([(x["kind"], x["stage"]) for x in steps], [("refill", "-3d")])
    traces = [x["text"] for x in lines if x["what"] == "trace"]
    assert any("sent by wechat_oa" in text for text in traces), traces
    supplies = {x["run_out"]: x for x in lines if x["what"] == "supply"}
    equal(sorted(supplies), ["2026-03-03", "2026-03-09"])
    assert all(x["derivation"] for x in supplies.values())
    first = supplies["2026-03-03"]
    equal((first["on"], first["on_hand_days"]), ("2026-03-01", 2))
    assert "MedicationDispense/cn-d-0202-2, 2026-02-05" in first["from"], \
        first
    equal((first["cycle"]["of"], first["cycle"]["program_version"]),
          ("2026-03-03", 0))
    equal(first["cycle"]["stages"]["+1d"], "to come")
    equal(lines[0]["what"], "patient")
    equal(lines[0]["status"], ["active"])
    nexts = [x["step"] for x in lines if x["what"] == "next"]
    assert ("2026-03-02T10:00:00+08:00", "refill", "-1d") in [
        (x["at"], x["kind"], x["stage"]) for x in nexts], nexts
    equal([x["what"] for x in lines][-1], "agenda")


def test_why_tells_what_was_decided():
    s = site()
    where = "FROM patient WHERE source_id = 'cn-p03'"
    no = s.value("SELECT prescription_no FROM prescription JOIN patient"
                 " USING (bucket, patient_id) WHERE patient.source_id ="
                 " 'cn-p03'")
    s.sql("INSERT INTO delivery (bucket, patient_id, occurrence_on, kind,"
          " source, slot, channel, tenant_id, stage, state, reason, items,"
          " due_at, valid_until, planned_at) SELECT bucket, patient_id,"
          f" '2026-02-28', 1, {no}, 66600, 0, 1, 1, 2, 9,"
          f" ARRAY[{no}, 20512, 66600], '2026-02-28T18:30+06',"
          f" '2026-02-28T19:30+06', '2026-02-28T18:30+06' {where}")
    s.sql("INSERT INTO obstacle (bucket, patient_id, began_at, reason)"
          f" SELECT bucket, patient_id, '2026-02-20T10:00+06', 10 {where}")
    lines = [x for x in s.lines("why", "cn-p03", "--at", START, status=0)
             if x["what"] in ("obstacle", "delivery")]
    equal([x["what"] for x in lines], ["obstacle", "delivery"])
    equal(lines[0]["reason"], "no_consent")
    equal([lines[1][key] for key in
           ("at", "kind", "stage", "state", "reason", "items")],
          ["2026-02-28T18:30:00+06:00", "dose", "due", "held", "quiet_hours",
           ["MedicationRequest/cn-rx-0301"]])
    told = s.lines("why", "cn-p03", "--on", "2026-02-20", "--at", START,
                   status=0)
    equal([x["what"] for x in told if x["what"] in ("obstacle", "delivery")],
          ["obstacle"])


def test_a_day_without_a_record_is_planned_again():
    s = site()

    def told(day, now):
        return [(x["what"], x["step"]["at"][11:16], x["step"]["kind"],
                 x["step"]["stage"]) for x in s.lines(
            "why", "cn-p02", "--on", day, "--at", now, status=0)
            if "step" in x]
    past = told("2026-03-02", "2026-03-20T08:00:00+08:00")
    assert ("replayed", "10:00", "refill", "-1d") in past, past
    assert {what for what, *_ in past} == {"replayed"}
    # a day to come: what plan says of it
    future = told("2026-03-04", START)
    assert ("next", "10:00", "refill", "+1d") in future, future
    planned = [(x["at"][11:16], x["kind"], x["stage"]) for x in s.lines(
        "plan", "cn-p02", "--at", START, "--days", "4", status=0)
        if x["at"].startswith("2026-03-04")]
    equal([x[1:] for x in future], planned)


def test_doses_that_one_look_closed_are_one_line():
    s = site()
    no = s.value("SELECT prescription_no FROM prescription r JOIN patient p"
                 " USING (bucket, patient_id) WHERE p.source_id = 'cn-p02'"
                 " AND r.source_id = 'cn-rx-0201'")

    def at_eight(day):
        return [x["what"] for x in s.lines(
            "why", "cn-p02", "--on", day, "--at", START, status=0)
            if x.get("step", {}).get("at") == day + "T08:00:00+08:00"]
    equal(at_eight("2026-02-22"), ["replayed"])
    for day in (20, 21, 22):
        s.sql("INSERT INTO delivery (bucket, patient_id, occurrence_on, kind,"
              " source, slot, channel, tenant_id, stage, state, reason,"
              " items, due_at, valid_until, planned_at) SELECT bucket,"
              f" patient_id, '2026-02-{day}', 1, {no}, 28800, 0, 1, 1, 2, 8,"
              f" ARRAY[{no}, {20504 + day - 20}, 28800],"
              f" '2026-02-{day} 08:00+08', '2026-02-{day} 09:00+08',"
              " '2026-02-23 07:00+08' FROM patient WHERE source_id ="
              " 'cn-p02'")
    _, out, _ = s.ctl("why", "cn-p02", "--at", START, status=0)
    assert out.count("expired") == 1 and "3 of them" in out, out
    equal(len([x for x in s.lines("why", "cn-p02", "--at", START, status=0)
               if x["what"] == "delivery"]), 3)
    # what is on record is not planned once more; what is not, is
    equal(at_eight("2026-02-22"), [])
    equal(at_eight("2026-02-23"), ["replayed"])


def test_a_tenant_narrows_the_search():
    s = site()
    s.sql("INSERT INTO tenant (tenant_id, name) VALUES (2, 'north')")
    s.sql("INSERT INTO identity SELECT 2, source, system, value, bucket,"
          " patient_id FROM identity WHERE system = '' AND value = 'cn-p09'")
    s.sql("UPDATE identity SET value = 'cn-p12' WHERE tenant_id = 2")
    equal(s.ctl("why", "cn-p12", "--at", START)[0], 65)
    for tenant, who in (("north", "cn-p09"), ("default", "cn-p12")):
        lines = s.lines("why", "cn-p12", "--tenant", tenant, "--at", START,
                        status=0)
        equal(lines[0]["patient"], who)
    s.sql("DELETE FROM identity WHERE tenant_id = 2")


def test_no_name_and_no_number_is_told():
    s = site()
    for arguments in (("why", "cn-p02"), ("plan", "cn-p02"), ("queue",)):
        for form in ((), ("--json",)):
            _, out, err = s.ctl(*arguments, *form, status=0)
            for secret in ("李梅", "1990000", "oSAMPLE"):
                assert secret not in out + err, secret


def test_consent_counts_from_the_next_look():
    s = site()

    def reasons():
        return {x["reason"] for x in s.lines(
            "plan", "cn-p02", "--at", "2026-03-02T09:00:00+08:00", "--days",
            "1", status=0) if x["kind"] == "refill"}
    equal(reasons(), {None})
    s.ctl("consent", "cn-p02", "--topic", "refill", "--channel",
          "wechat_oa,sms", "--deny", "--evidence", "by phone", "--at",
          "2026-03-02T08:00:00+08:00", status=0)
    equal(reasons(), {"no_consent"})
    equal(s.sql("SELECT class, next_at <= '2026-03-02T08:00+08' FROM agenda"
                " JOIN patient USING (bucket, patient_id)"
                " WHERE source_id = 'cn-p02'"), [["1", "t"]])
    s.ctl("consent", "cn-p02", "--topic", "refill", "--channel", "sms",
          "--permit", "--at", "2026-03-02T08:30:00+08:00", status=0)
    equal(reasons(), {None})
    equal(s.ctl("check", "dossiers", status=0)[1], "")


def test_a_wish_that_is_not_clear_is_refused():
    s = site()
    before = s.value("SELECT count(*) FROM consent")
    for wish in (("--topic", "refill", "--channel", "sms"),
                 ("--topic", "refill", "--permit"),
                 ("--topic", "all", "--channel", "sms", "--permit"),
                 ("--topic", "refill", "--channel", "fax", "--deny"),
                 ("--topic", "refill", "--channel", "sms", "--permit",
                  "--deny")):
        equal(s.ctl("consent", "cn-p05", *wish)[0], 64)
    equal(s.value("SELECT count(*) FROM consent"), before)


def test_help_of_a_group_names_all_of_it():
    out = site().ctl("help", "stop", status=0)[1]
    assert " stop --product" in out and " stop list " in out, out
    out = site().ctl("help", "program", status=0)[1]
    equal(out.count("usage: "), 4)
    equal(site().ctl("help", "prog")[0], 64)


def test_queue_counts():
    s = site()
    s.sql("INSERT INTO batch VALUES (1, 'copy-1', '2026-01-01', '{1}',"
          " '{1}')")
    lines = s.lines("queue", status=0)
    equal(sum(x["people"] for x in lines if x["what"] == "agenda"), 12)
    equal([(x["owner"], x["count"]) for x in lines if x["what"] == "lapsed"],
          [("copy-1", 1)])


if __name__ == "__main__":
    try:
        main()
    finally:
        if SITE is not None:
            SITE.__exit__()
