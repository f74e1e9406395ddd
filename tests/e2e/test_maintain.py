#!/usr/bin/env python3
"""Tests of adherctl maintain: partitions ahead, what nobody keeps any more,
the check of dossiers; beside copies that run."""

import datetime
import os
import subprocess
import sys
import time

from stack import PSQL, Stack, refill_patients, wait_until
from support import SAMPLES, Site, equal, main

SITE = None
TODAY = datetime.datetime.now(datetime.timezone.utc).date()
CLINIC = os.path.join(SAMPLES, "cn-clinic-transaction.json")


def site():
    """One cluster for the tests that leave it as they found it."""
    global SITE
    if SITE is None:
        SITE = Site()
        SITE.ctl("migrate", status=0)
    return SITE


def days_ago(count):
    return TODAY - datetime.timedelta(days=count)


def told(lines, what):
    return [(x["action"], x.get("name"), x["count"])
            for x in lines if x["what"] == what]


def partitions(s):
    return s.sql("SELECT from_on, until_on FROM delivery_partition"
                 " ORDER BY from_on")


def add_deliveries(s, on, count=1, tenant=1, first=1, extra=""):
    s.sql(f"""INSERT INTO delivery (bucket, patient_id, occurrence_on, kind,
        source, slot, channel, tenant_id, stage, state, items, due_at,
        valid_until, planned_at) SELECT n % 1024, n, '{on}', 2, 1, 0, 4,
        {tenant}, 1, 7, ARRAY[1, 20000, 0], '{on}', '{on}', '{on}'
        FROM generate_series({first}, {first + count - 1}) n {extra}""")


def in_default(s):
    return int(s.value("SELECT count(*) FROM delivery_default"))


def set_partition_span(s, span):
    with open(s.configuration, encoding="utf-8") as source:
        lines = [line for line in source
                 if not line.startswith("partition =")]
    s.write("adherd.conf", "".join(lines) + f"\npartition = {span}\n")


def reset(s):
    """No partition, no rows."""
    for from_on, _ in partitions(s):
        s.sql("DROP TABLE delivery_" + from_on.replace("-", "_"))
    s.sql("TRUNCATE delivery, tenant CASCADE; INSERT INTO tenant (tenant_id,"
          " name) VALUES (1, 'default')")
    set_partition_span(s, "month")


def test_partitions_reach_thirty_days_ahead_without_gaps():
    s = site()
    for span, most in (("day", 1), ("week", 7), ("month", 31)):
        reset(s)
        set_partition_span(s, span)
        lines = s.lines("maintain", status=0)
        spans = [(datetime.date.fromisoformat(a),
                  datetime.date.fromisoformat(b)) for a, b in partitions(s)]
        equal(spans[0][0], TODAY)
        equal([a for a, _ in spans[1:]], [b for _, b in spans[:-1]])
        assert max((b - a).days for a, b in spans) == most \
            or span == "month", spans
        assert spans[-1][1] > TODAY + datetime.timedelta(days=30), spans
        equal(told(lines, "partitions"),
              [("ahead, days", None, (spans[-1][1] - TODAY).days)])
        if span == "week":
            assert all(a.weekday() == 0 for a, _ in spans[1:]), spans
        if span == "month":
            assert all(a.day == 1 for a, _ in spans[1:]), spans


def test_partitions_are_fit_for_updates_in_place():
    s = site()
    reset(s)
    s.ctl("maintain", status=0)
    equal(s.value("SELECT count(*) FROM pg_class c JOIN pg_inherits i ON"
                  " i.inhrelid = c.oid WHERE i.inhparent = 'delivery'::regclass"
                  " AND NOT coalesce('fillfactor=50' = ANY (c.reloptions),"
                  " false)"), "0")
    equal(s.value("SELECT count(*) FROM pg_inherits i JOIN pg_index x ON"
                  " x.indrelid = i.inhrelid AND x.indisprimary WHERE"
                  " i.inhparent = 'delivery'::regclass"),
          str(len(partitions(s)) + 1))


def test_a_second_run_does_nothing():
    s = site()
    s.ctl("maintain", status=0)
    before = partitions(s)
    lines = s.lines("maintain", status=0)
    equal(told(lines, "partition"), [])
    equal(partitions(s), before)
    equal([x["count"] for x in lines if x["action"] == "deleted"], [0] * 6)


def test_another_span_goes_on_where_the_last_one_ended():
    s = site()
    reset(s)
    set_partition_span(s, "day")
    s.ctl("maintain", status=0)
    s.sql("DROP TABLE delivery_"
          + (TODAY + datetime.timedelta(days=9)).strftime("%Y_%m_%d"))
    set_partition_span(s, "month")
    s.ctl("maintain", status=0)
    spans = partitions(s)
    equal(spans[9], [str(TODAY + datetime.timedelta(days=9)),
                     str(TODAY + datetime.timedelta(days=10))])
    equal(len(spans), 31)


def test_rows_that_came_before_their_partition_are_moved_into_it():
    s = site()
    reset(s)
    add_deliveries(s, TODAY, 300)
    add_deliveries(s, TODAY + datetime.timedelta(days=12), 200)
    add_deliveries(s, days_ago(3), 10)
    rows = "SELECT md5(string_agg(d::text, ' ' ORDER BY d)) FROM delivery d"
    before = s.value(rows)
    lines = s.lines("maintain", status=0)
    equal(s.value(rows), before)
    equal(sum(count for action, _, count in told(lines, "partition")), 500)
    equal(in_default(s), 10)    # of the past: they stay


def test_too_many_rows_stay_where_they_are_until_copies_rest():
    s = site()
    reset(s)
    add_deliveries(s, TODAY, 10001)
    lines = s.lines("maintain", status=75)
    assert ("not made, too many rows to move", str(TODAY), 0) in \
        told(lines, "partition"), lines
    assert len(partitions(s)) > 0
    equal(in_default(s), 10001)
    lines = s.lines("maintain", "--at-rest", status=0)
    assert ("made, rows moved", str(TODAY), 10001) in \
        told(lines, "partition"), lines
    equal((in_default(s), s.value("SELECT count(*) FROM delivery")),
          (0, "10001"))


def test_two_runs_at_once_make_each_partition_once():
    s = site()
    reset(s)
    set_partition_span(s, "day")
    runs = [s.popen("maintain") for _ in range(3)]
    for run in runs:
        out, err = run.communicate(timeout=120)
        assert run.returncode in (0, 75), out + err
    s.ctl("maintain", status=0)
    equal(len(partitions(s)), 31)


def test_a_partition_goes_when_nobody_keeps_it():
    s = site()
    reset(s)
    s.sql("INSERT INTO tenant (tenant_id, name, retention_days) VALUES"
          " (2, 'short', 100)")
    for from_on, until_on in ((1200, 1096), (1096, 1095), (1095, 1094)):
        s.sql(f"SELECT delivery_partition_add('{days_ago(from_on)}',"
              f" '{days_ago(until_on)}', 10, NULL, 1000)")
    for on in (1101, 1096, 1095, 1094):
        add_deliveries(s, days_ago(on))
    lines = s.lines("maintain", status=0)
    equal([name for action, name, _ in told(lines, "partition")
           if action == "dropped"],
          ["delivery_" + days_ago(n).strftime("%Y_%m_%d")
           for n in (1200, 1096)])
    equal(s.sql("SELECT occurrence_on FROM delivery ORDER BY 1"),
          [[str(days_ago(n))] for n in (1095, 1094)])


def test_a_tenant_that_keeps_less_loses_only_its_own_rows():
    s = site()
    reset(s)
    s.sql("INSERT INTO tenant (tenant_id, name, retention_days) VALUES"
          " (2, 'short', 100), (3, 'shorter', 90)")
    for tenant in (1, 2, 3):
        for on in (1096, 101, 100, 91, 90, 0):
            add_deliveries(s, days_ago(on), 40, tenant, first=tenant * 1000)
    s.ctl("maintain", status=0)
    kept = {tenant: [int(n) for _, n in rows] for tenant, rows in (
        (tenant, s.sql(
            "SELECT occurrence_on, count(*) FROM delivery WHERE tenant_id ="
            f" {tenant} GROUP BY 1 ORDER BY 1")) for tenant in (1, 2, 3))}
    equal(kept, {1: [40] * 5, 2: [40] * 4, 3: [40] * 2})
    equal(s.sql("SELECT swept_on FROM tenant ORDER BY tenant_id"),
          [["-infinity"], [str(days_ago(100))], [str(days_ago(90))]])
    # a shorter retention takes effect at the next run
    s.sql("UPDATE tenant SET retention_days = 95 WHERE tenant_id = 2")
    s.ctl("maintain", status=0)
    equal(s.value("SELECT count(*) FROM delivery WHERE tenant_id = 2"),
          "120")


def test_what_ended_is_deleted_when_its_retention_is_over():
    s = site()
    reset(s)
    s.sql("INSERT INTO tenant (tenant_id, name, retention_days) VALUES"
          " (2, 'short', 100); TRUNCATE agenda, obstacle, task, stop;"
          " INSERT INTO agenda (bucket, patient_id, tenant_id, class, next_at)"
          " VALUES (1, 1, 1, 1, 'infinity'), (1023, 2, 2, 1, 'infinity')")
    for patient, bucket, tenant in ((1, 1, 1), (2, 1023, 2)):
        for days in (1096, 101, 99):
            s.sql(f"INSERT INTO obstacle VALUES ({bucket}, {patient},"
                  f" '{days_ago(days)}', 1, '{days_ago(days)}');"
                  "INSERT INTO task (bucket, patient_id, occurrence_on, kind,"
                  " source, slot, tenant_id, stage, items, due_at,"
                  f" created_at, done_at) VALUES ({bucket}, {patient},"
                  f" '{days_ago(days)}', 1, 1, 1, {tenant}, 1, '{{}}',"
                  f" '{days_ago(days)}', '{days_ago(days)}',"
                  f" '{days_ago(days)}');"
                  "INSERT INTO reply (bucket, patient_id, reply_no,"
                  " tenant_id, received_at, gateway, contact_no, certain,"
                  " asked_kind, asked_source, asked_on, answered, labels,"
                  " rules, slots, effects, answer, event_key) VALUES"
                  f" ({bucket}, {patient}, {days}, {tenant},"
                  f" '{days_ago(days)}', 'sms', 1, true, 0, 0, '-infinity',"
                  " false, '{9}', '{x}', '{}', 0, 0, '')")
        s.sql(f"INSERT INTO obstacle VALUES ({bucket}, {patient},"
              f" '{days_ago(1200)}', 1, NULL);"
              "INSERT INTO task (bucket, patient_id, occurrence_on, kind,"
              " source, slot, tenant_id, stage, items, due_at, created_at)"
              f" VALUES ({bucket}, {patient}, '{days_ago(1200)}', 1, 1, 1,"
              f" {tenant}, 1, '{{}}', '{days_ago(1200)}',"
              f" '{days_ago(1200)}')")
    for days in (1096, 1000):
        s.sql("INSERT INTO stop (began_at, began_by, ended_at) VALUES"
              f" ('{days_ago(days)}', 'op', '{days_ago(days)}')")
    s.sql(f"INSERT INTO stop (began_at, began_by) VALUES"
          f" ('{days_ago(2000)}', 'op')")
    lines = s.lines("maintain", status=0)
    for what in ("obstacles", "tasks", "replies"):
        equal(told(lines, what), [("deleted", None, 3)])
    equal(told(lines, "stops"), [("deleted", None, 1)])
    for table in ("obstacle", "task"):
        equal([int(n) for n, in s.sql(
            f"SELECT count(*) FROM {table} GROUP BY patient_id"
            " ORDER BY patient_id")], [3, 2])
    equal(s.sql("SELECT patient_id, count(*) FROM reply GROUP BY patient_id "
                "ORDER BY patient_id"), [["1", "2"], ["2", "1"]])
    equal(s.value("SELECT count(*) FROM stop"), "2")
    s.sql("TRUNCATE agenda, obstacle, task, stop, reply")


def test_events_and_silent_copies_are_forgotten():
    s = site()
    s.sql("""INSERT INTO inbox (event_key, tenant_id, gateway, type,
        received_at, state, next_at) SELECT sha256(n::text::bytea), 1, 'sms',
        1, now() - n % 10 * interval '1 day', n % 3, now()
        FROM generate_series(0, 2999) n;
        INSERT INTO copy VALUES ('old', 'all', now(), now() - interval '25h'),
        ('new', 'all', now(), now() - interval '23h')""")
    lines = s.lines("maintain", status=0)
    equal(told(lines, "events"), [("deleted", None, 600)])
    equal(s.sql("SELECT state, count(*), max(received_at) >"
                " now() - interval '8 days', min(received_at) <"
                " now() - interval '7 days' FROM inbox GROUP BY 1 ORDER BY 1"),
          [["0", "1000", "t", "t"], ["1", "700", "t", "f"],
           ["2", "700", "t", "f"]])
    equal(told(lines, "copies"), [("forgotten", None, 1)])
    equal(s.sql("SELECT copy_id FROM copy"), [["new"]])
    s.sql("TRUNCATE inbox, copy")


def test_a_dossier_that_differs_is_told():
    s = site()
    reset(s)
    s.ctl("import", "fhir", "--source", "his", CLINIC, status=0)
    count = int(s.value("SELECT count(*) FROM dossier"))
    lines = s.lines("maintain", "--compare", "1024", status=0)
    equal(told(lines, "dossiers"), [("compared", None, count)])
    name = s.value("SELECT bucket || '/' || patient_id FROM patient"
                   " ORDER BY patient_id LIMIT 1")
    bucket, patient = name.split("/")
    s.sql(f"UPDATE patient SET wake_s = 3 WHERE bucket = {bucket} AND"
          f" patient_id = {patient}")
    status, out, err = s.ctl("maintain", "--compare", "1024")
    equal(status, 1)
    assert f"dossier {name} differs" in out, out
    assert f"dossier.differs bucket={bucket} patient={patient}" in err, err
    equal(s.sql("SELECT dossiers_compared, dossiers_differing FROM"
                " maintenance"), [[str(count), "1"]])
    # all buckets within a week, whatever the day
    s.sql("UPDATE maintenance SET ended_at = 'epoch'")
    s.ctl("maintain")
    equal(s.value("SELECT ended_at > now() - interval '1 minute'"
                  " FROM maintenance"), "t")
    s.sql("TRUNCATE patient, dossier, agenda")


def test_a_lock_that_somebody_holds_is_not_waited_for_for_long():
    s = site()
    reset(s)
    held = subprocess.Popen(
        [PSQL, "-Xq", "-d", s.dsn, "-c",
         "BEGIN; SELECT count(*) FROM delivery; SELECT pg_sleep(3); COMMIT"],
        stdout=subprocess.DEVNULL)
    wait_until(lambda: s.value("SELECT count(*) FROM pg_locks WHERE relation"
                               " = 'delivery'::regclass") != "0", 10, "held")
    run = s.popen("maintain")
    longest = 0.0
    while run.poll() is None:
        began = time.monotonic()
        s.sql("SELECT FROM delivery LIMIT 1")
        longest = max(longest, time.monotonic() - began)
    held.wait()
    equal(run.returncode, 0)
    assert len(partitions(s)) >= 2
    assert longest < 2, f"somebody waited {longest:.2f} s"


def test_it_says_what_it_cannot_do():
    s = site()
    for words in (("--compare", "0"), ("--compare", "1025"),
                  ("--minutes", "x"), ("--keep",), ("now",)):
        equal(s.ctl("maintain", *words)[0], 64)
    s.write("adherd.conf", open(s.configuration, encoding="utf-8").read()
            .replace("partition = month", "partition = moon"))
    status, _, err = s.ctl("maintain")
    equal(status, 78)
    assert "partition" in err and "month" in err, err
    set_partition_span(s, "month")


def test_copies_send_while_partitions_are_made():
    """The default partition is full of what is being sent."""
    with Stack("2026-03-02T09:59:40+08:00", copies=2,
               settings="partition = day",
               gateway_settings="batch = 1\nwindow = 4") as stack:
        stack.begin(refill_patients(120),
                    [{"fault": "delay", "ms": 400}])
        runs = 0
        while True:
            stack.ctl("maintain")
            runs += stack.number("SELECT count(*) FROM batch") > 0
            for name, in stack.sql(
                    "SELECT name FROM delivery_partition ORDER BY from_on"
                    " DESC LIMIT 3"):
                stack.sql(f"ALTER TABLE delivery DETACH PARTITION {name};"
                          f" INSERT INTO delivery SELECT * FROM {name};"
                          f" DROP TABLE {name}")
            if stack.number("SELECT count(*) FROM delivery WHERE state = 7") \
                    >= 120:
                break
        assert runs >= 2, "all was sent before"
        stack.ctl("maintain")
        wait_until(stack.at_rest, 60, "all is sent")
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 7") == 120, 60,
            "all is delivered")
        equal(stack.number("SELECT count(*) FROM delivery_default"
                           " WHERE occurrence_on >= '2026-03-02'"), 0)
        stack.check_ledger()
        for copy in stack.copies:
            equal(copy.stop(), 0)


if __name__ == "__main__":
    try:
        main()
    finally:
        if SITE is not None:
            SITE.__exit__()
        sys.stdout.flush()
