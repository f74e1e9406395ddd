#!/usr/bin/env python3
"""Clocks that jump (faults 36, 37: libfaketime, which cannot go with ASan)
and clocks that people change (fault 38: summer time and another zone, on the
moved clock of patients).  The seed is printed first; FAULT_SEED repeats a
run."""

import datetime
import os
import pathlib
import random
import sys
import time
import zoneinfo

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from cluster import Cluster  # noqa: E402
from fault_table import from_stack, record  # noqa: E402
from stack import (Stack, Tap, consent, get_json,  # noqa: E402
                   patient, prescription, refill_patients, wait_until)
from test_service import FAKETIME, WallClock, stays, sweep_faketime  # noqa: E402

SEED = int(os.environ.get("FAULT_SEED", random.randrange(1 << 30)))
BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
SINGLY = "window = 1\nbatch = 1"
SENDING, HELD, RETRY, DELIVERED, EXPIRED = 1, 2, 5, 7, 10
PEOPLE = 40
# a request was under way, the next look at the clocks, a page of outcomes
STOP_S = 2.0


def states(stack):
    return {int(state): int(count) for state, count in stack.sql(
        "SELECT state, count(*) FROM delivery WHERE state <> 2 GROUP BY 1")}


# ---- 36, 37 ----

class FakedCluster(Cluster):
    """Its wall clock is read from a file."""

    def __init__(self, folder, options):
        self.path = pathlib.Path(folder).parent / "database-clock"
        self.move("+0")
        super().__init__(folder, options)

    def move(self, step):
        self.path.write_text(step + "\n", encoding="utf-8")

    def call(self, verb, *arguments):
        faked = {"LD_PRELOAD": FAKETIME[0], "FAKETIME_NO_CACHE": "1",
                 "FAKETIME_TIMESTAMP_FILE": str(self.path),
                 "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                 "FAKETIME_DONT_RESET": "1"}
        sweep_faketime()
        before = dict(os.environ)
        os.environ.update(faked)
        try:
            return super().call(verb, *arguments)
        finally:
            os.environ.clear()
            os.environ.update(before)
            sweep_faketime()


class FakedStack(Stack):
    """wall: the daemon's clock; cluster: the database's."""

    def __init__(self, **options):
        # receipts that found nobody come back after 3, 15 and 30 s
        super().__init__(BEGIN, settings=QUICK, gateway_settings=SINGLY,
                         sim_options=("--retry-scale", "0.05"), **options)
        self.wall = WallClock(self)

    def make_cluster(self, options):
        return FakedCluster(self.cluster_folder(), options)

    def move_all(self, step, database=True, daemon=True):
        if database:
            self.cluster.move(step)
        if daemon:
            self.wall.move(step)


def sending(stack):
    """Some are sent, many are not yet."""
    stack.fault(fault="delay", ms=60)
    stack.move_clock(DUE)
    wait_until(lambda: len(stack.entries()) >= 5, 20, "some are sent")


def stops(stack):
    """Nothing more leaves; after how long that began."""
    start = time.monotonic()
    count, since = len(stack.entries()), start
    while time.monotonic() - since < STOP_S:
        if len(stack.entries()) != count:
            count, since = len(stack.entries()), time.monotonic()
        assert time.monotonic() - start < 10, "it goes on"
        time.sleep(0.05)
    return since - start


def nothing_happens(stack, for_s=3):
    """Nothing is sent, given up or expired, and nobody is ready."""
    before = len(stack.entries())
    stays(lambda: len(stack.entries()) == before
          and not {EXPIRED, HELD} & set(states(stack)), for_s,
          "nothing is sent and nothing expires")
    assert not stack.copies[0].ready(), "not ready"
    assert "clock.apart" in stack.copies[0].log_text(), "an alarm"


def finishes(stack, fault, what, stopped_s):
    """All are sent, once each."""
    def over():
        now = states(stack)
        return sum(now.values()) == PEOPLE and not {SENDING, RETRY} & set(now)

    end = time.monotonic() + 60
    while not over():
        assert time.monotonic() < end, states(stack)
        stack.move_clock("+30s")    # what was given back waits a minute
        time.sleep(0.5)
    wait_until(lambda: states(stack) == {DELIVERED: PEOPLE}, 60,
               f"delivered (is {states(stack)})")
    record(fault, what, seed=SEED, worst_s=stopped_s,
           bound_s=None if stopped_s is None else STOP_S,
           **from_stack(stack, PEOPLE))
    assert not get_json(f"{stack.sim}/ledger/duplicates")["by_reference"]


def jump(fault, what, step, **which):
    with FakedStack() as stack:
        stack.begin(refill_patients(PEOPLE))
        sending(stack)
        stack.move_all(step, **which)
        stopped_s = stops(stack)
        left = PEOPLE - len(stack.entries())
        assert left > 0
        nothing_happens(stack)
        stack.move_all("+0", **which)
        wait_until(stack.copies[0].ready, 20, "all agree again")
        assert "clock.agrees" in stack.copies[0].log_text()
        finishes(stack, fault, f"{what}; {left} of {PEOPLE} waited",
                 stopped_s)


def test_fault_36_wall_clock_of_the_daemon_two_days_ahead():
    jump(36, "wall clock +2d", "+2d", database=False)


def test_fault_36_clock_of_the_database_two_days_ahead():
    jump(36, "database +2d", "+2d", daemon=False)


def test_fault_36_both_clocks_two_days_ahead():
    jump(36, "machine of both +2d", "+2d")


def test_fault_37_wall_clock_of_the_daemon_an_hour_back():
    jump(37, "wall clock -1h", "-1h", database=False)


def test_fault_37_clock_of_the_database_an_hour_back():
    jump(37, "database -1h", "-1h", daemon=False)


def test_fault_37_machine_an_hour_back_for_good():
    """It is followed, but not at once: what was due is due an hour later,
    nothing twice.  By loopback: a provider that dates its requests keeps the
    old time here."""
    with FakedStack(gateway="loopback") as stack:
        stack.begin(refill_patients(PEOPLE))
        sending(stack)
        stack.move_all("-1h")
        stopped_s = stops(stack)
        sent = len(stack.entries())
        wait_until(stack.copies[0].ready, 30, "the jump is followed")
        log = stack.copies[0].log_text()
        assert 0 < log.find("clock.apart") < log.find("clock.agrees"), (
            "followed without a rest")
        stack.move_clock("+1h")     # as long as the jump, no longer
        finishes(stack, 37, f"machine of both -1h; {sent} of {PEOPLE} had "
                 "left", stopped_s)


def test_fault_37_lease_of_a_dead_copy_is_judged_by_database_time():
    """Killed in the middle; its successor's wall clock is two days ahead and
    takes nothing over sooner, nor sends."""
    with FakedStack() as stack:
        stack.begin(refill_patients(PEOPLE))
        sending(stack)
        copy = stack.copies[0]
        copy.kill()
        held = stack.number("SELECT count(*) FROM batch")
        stack.wall.move("+2d")
        before = len(stack.entries())
        copy.start(wait=False)
        stays(lambda: stack.number("SELECT count(*) FROM batch") == held
              and len(stack.entries()) == before, 4, "leases hold")
        stack.wall.move("+0")
        wait_until(copy.ready, 30, "ready")
        finishes(stack, 37, "lease of a dead copy, wall clock apart", None)


def test_fault_37_lease_of_a_dead_copy_is_not_judged_by_a_wall_clock():
    """Its successor's is ahead by less than what stops it: by that much the
    leases would be over too soon."""
    with FakedStack() as stack:
        stack.begin(refill_patients(PEOPLE))
        sending(stack)
        copy = stack.copies[0]
        copy.kill()
        left = ", ".join(row[0] for row in stack.sql(
            "SELECT batch_ref FROM batch"))
        assert left, "nothing was under way"
        over_at = float(stack.sql("SELECT extract(epoch FROM "
                                  "min(lease_until)) FROM batch")[0][0])
        stack.wall.move("+4")
        copy.start()

        def taken():
            """When that was seen, by the database."""
            count, at = stack.sql(
                "SELECT (SELECT count(*) FROM batch WHERE batch_ref IN "
                f"({left})), extract(epoch FROM clock_timestamp())")[0]
            return float(at) if int(count) < left.count(",") + 1 else None

        early_s = over_at - wait_until(taken, 30, "it is taken over")
        assert early_s <= 0, f"taken over {early_s:.1f} s too soon"
        finishes(stack, 37, "lease of a dead copy, wall clock 4 s ahead",
                 None)


# ---- 38 ----

def doses(zone, *times):
    person = patient(1)
    person["extension"][0]["valueCode"] = zone
    agreed = consent(1, topics=("dose", "any-hour"))
    agreed["provision"]["action"] = [{"coding": [{
        "system": "https://adherd.example/fhir/channel", "code": "sms"}]}]
    order = prescription(1)
    order["dosageInstruction"][0]["timing"] = {"repeat": {
        "frequency": 1, "period": 1, "periodUnit": "d",
        "timeOfDay": [f"{text}:00" for text in times]}}
    return [person, agreed, order]


class Local(Stack):
    """A patient's local days, walked through."""

    def __init__(self, begin, zone):
        self.zone = zoneinfo.ZoneInfo(zone)
        self.stood = datetime.datetime.min.replace(
            tzinfo=datetime.timezone.utc)
        super().__init__(self.instant(begin), settings=QUICK)

    def instant(self, text, zone=None):
        local = datetime.datetime.fromisoformat(text)
        return local.replace(tzinfo=zone or self.zone).isoformat()

    def walk(self, begin, end, step_min=30):
        """Half hours of elapsed time, a minute after each; where it stood
        already is left out."""
        at, end = (datetime.datetime.fromisoformat(self.instant(text))
                   .astimezone(datetime.timezone.utc)
                   for text in (begin, end))
        if at <= self.stood:
            at = self.stood + datetime.timedelta(minutes=step_min)
        while at <= end:
            self.stood = at
            self.move_clock((at + datetime.timedelta(minutes=1)).isoformat())
            wait_until(self.at_rest, 20, f"rest at {at}")
            at += datetime.timedelta(minutes=step_min)

    def said(self):
        """Local date, slot and instant of each message that left."""
        return [(on, f"{int(slot) // 3600:02d}:{int(slot) % 3600 // 60:02d}",
                 due) for on, slot, due in self.sql(
            "SELECT occurrence_on, slot, to_char(due_at AT TIME ZONE 'UTC', "
            "'DD HH24:MI') FROM delivery WHERE kind = 1 AND state <> 2 AND "
            "stage = 1 ORDER BY due_at, slot")]


def changes(zone, on, what, slot, night, after):
    """A dose at 02:30 through the night of a change: slot and UTC time of
    that night, and UTC times of the doses after it."""
    day = datetime.date.fromisoformat(on)
    eve, morrow = day - datetime.timedelta(1), day + datetime.timedelta(1)
    with Local(f"{eve}T20:00", zone) as stack:
        stack.begin(doses(zone, "02:30", "08:00"))
        stack.walk(f"{day}T00:00", f"{day}T04:30")
        stack.move_clock(stack.instant(f"{day}T08:01"))
        wait_until(stack.at_rest, 20, "rest")
        stack.walk(f"{morrow}T02:00", f"{morrow}T03:30")
        got = stack.said()
        assert got == [
            (on, slot, f"{day:%d} {night}"),
            (on, "08:00", f"{day:%d} {after[1]}"),
            (str(morrow), "02:30", f"{morrow:%d} {after[0]}")], got
        assert len(stack.entries()) == 3
        record(38, f"{zone}: {what}", seed=SEED, runs=3,
               doubled=len(stack.entries()) - len(got),
               lost=3 - len(got))


def test_fault_38_hour_that_does_not_exist():
    # it moves forward by the gap, and so does its slot
    changes("Europe/Berlin", "2026-03-29", "gap", "03:30", "01:30",
            ("00:30", "06:00"))
    changes("America/New_York", "2026-03-08", "gap", "03:30", "07:30",
            ("06:30", "12:00"))


def test_fault_38_hour_that_comes_twice_is_told_once():
    # 02:30 exists twice in Berlin: the first of them
    changes("Europe/Berlin", "2026-10-25", "overlap", "02:30", "00:30",
            ("01:30", "07:00"))


def moves(begin, first, second, when, until, times):
    """The zone of the patient changes when both say; what was said."""
    with Local(begin, first) as stack:
        stack.begin(doses(first, *times))
        stack.walk(begin, when, 60)
        stack.import_bundle("clinic", doses(second, *times))
        stack.wait_looked_at()
        stack.walk(when, until, 60)
        got = stack.said()
        keys = [(on, slot) for on, slot, _ in got]
        assert len(keys) == len(set(keys)), got
        assert len(stack.entries()) == len(got)
        return got


def test_fault_38_patient_who_changes_zone_hears_each_occurrence_once():
    # had 08:00 in Shanghai; lands where the same day's 08:00 comes again
    west = moves("2026-06-10T06:00", "Asia/Shanghai", "Europe/Berlin",
                 "2026-06-10T12:00", "2026-06-11T18:00", ("08:00", "20:00"))
    assert west == [("2026-06-10", "08:00", "10 00:00"),
                    ("2026-06-10", "20:00", "10 18:00"),
                    ("2026-06-11", "08:00", "11 06:00")], west
    # eastward: what was skipped by the flight is over, and not said late
    east = moves("2026-06-10T06:00", "Europe/Berlin", "Asia/Shanghai",
                 "2026-06-10T12:00", "2026-06-11T03:00", ("08:00", "20:00"))
    assert east == [("2026-06-10", "08:00", "10 06:00"),
                    ("2026-06-10", "20:00", "10 12:00"),
                    ("2026-06-11", "08:00", "11 00:00")], east
    record(38, "patient changes zone, west and east", seed=SEED, runs=2)


if __name__ == "__main__":
    print(f"# seed {SEED}", flush=True)
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
