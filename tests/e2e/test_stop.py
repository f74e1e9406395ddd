#!/usr/bin/env python3
"""Operators' stops from end to end: what is stopped does not leave, the rest
does, and what is resumed leaves once."""

import json
import subprocess
import sys
import time

import recall
from stack import PSQL, Stack, Tap, refill_patients, wait_until

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
SETTINGS = "lease = 20s\nrequest = 2s\n"
SINGLY = "window = 4\nbatch = 1"


def ready_stack(count, gateway_settings=SINGLY):
    return Stack(BEGIN, settings=SETTINGS, gateway_settings=gateway_settings
                 ).begin(refill_patients(count))


def count(stack, where):
    return stack.number(f"SELECT count(*) FROM delivery WHERE {where}")


def held(stack, number, stage="-7d"):
    wait_until(lambda: count(
        stack, "state = 2 AND reason = 5 AND channel = 0 AND stage = "
        f"{ {'-7d': 3, '-3d': 4}[stage]}") == number, 20, f"{stage} is held")


def delivered(stack, number):
    wait_until(lambda: count(stack, "state = 7") == number, 20, "delivered")


def test_a_recall_among_two_hundred_due():
    recall.run(200, gateway_settings="window = 2\nbatch = 1")


def test_what_waits_in_memory_for_a_slow_provider_does_not_leave():
    with ready_stack(40, "window = 1\nbatch = 1") as stack:
        stack.fault(fault="delay", ms=300)
        stack.move_clock(DUE)
        wait_until(lambda: count(stack, "state = 1") > 10 and
                   stack.entries(), 20, "some wait in memory")
        stack.ctl("stop", "--all")
        left = len(stack.entries())
        wait_until(lambda: count(stack, "code = 'stopped_by_operator'") > 10,
                   20, "given back")
        wait_until(lambda: count(stack, "state = 1") == 0, 20, "at rest")
        # the request under way, and one more in the worst case
        assert len(stack.entries()) <= left + 2, (left, len(stack.entries()))
        stack.fault(fault="delay", ms=0)
        stack.ctl("resume", "--all", "--yes")
        delivered(stack, 40)
        assert len(stack.entries()) == 40
        stack.check_ledger()


def test_what_is_over_when_it_is_resumed_stays_held():
    with ready_stack(3) as stack:
        stack.ctl("stop", "--kind", "refill", "--reason", "text under review")
        stack.move_clock(DUE)
        held(stack, 3)
        # the kind sleeps; what comes meanwhile is the stop's, too
        stack.move_clock("2026-03-06T11:00:00+08:00")
        time.sleep(0.5)
        assert count(stack, "channel > 0") == 0
        stack.ctl("resume", "--kind", "refill", "--yes")
        delivered(stack, 3)
        assert stack.sql("SELECT DISTINCT stage FROM delivery "
                         "WHERE channel > 0") == [["4"]]
        stack.check_ledger()


def test_a_template_is_stopped_alone_and_by_daemons_that_start_later():
    with ready_stack(3) as stack:
        stack.copies[0].stop()
        stack.ctl("stop", "--template", "refill/-7d")
        stack.copies[0].start()
        stack.move_clock(DUE)
        held(stack, 3)
        stack.move_clock("2026-03-06T10:00:00+08:00")
        delivered(stack, 3)
        assert {entry["text"][-40:] for entry in stack.entries()}
        assert count(stack, "channel > 0 AND stage = 4") == 3


def test_one_tenant_is_stopped_alone():
    with ready_stack(2) as stack:
        stack.sql("INSERT INTO tenant (tenant_id, name) VALUES (2, 'north')")
        stack.ctl("stop", "--tenant", "north")
        stack.move_clock(DUE)
        delivered(stack, 2)
        run = stack.ctl("stop", "--tenant", "nroth", check=False)
        assert run.returncode == 65 and "nroth" in run.stderr, run
        stack.ctl("stop", "--tenant", "default")
        stack.move_clock("2026-03-06T10:00:00+08:00")
        held(stack, 2, "-3d")


def test_resume_says_first_what_would_leave_and_asks():
    with ready_stack(4) as stack:
        stack.ctl("stop", "--product", "C08CA01", "--by", "ann")
        stack.move_clock(DUE)
        held(stack, 4)
        run = stack.ctl("resume", "1", "--list", check=False)
        assert run.returncode == 1, run
        assert "refill -7d by sms, 4 at once" in run.stdout, run.stdout
        assert run.stdout.count("MedicationRequest/m") == 4, run.stdout
        assert "--yes" in run.stderr, run.stderr
        assert stack.number("SELECT count(*) FROM stop "
                            "WHERE ended_at IS NULL") == 1
        assert "4 people" in stack.ctl("resume", "1", "--yes")
        delivered(stack, 4)
        assert stack.ctl("resume", "7", check=False).returncode == 66
        # one more time: nobody waits, nothing changes
        assert "0 people" in stack.ctl("resume", "1")
        assert len(stack.entries()) == 4


def test_everything_can_be_stopped_however_much_is():
    with ready_stack(1) as stack:
        stack.sql("INSERT INTO stop (drug, began_at, began_by) SELECT "
                  "'X' || n, '2026-03-01', 'ann' FROM generate_series(1, "
                  "1000) n")
        run = stack.ctl("stop", "--product", "C08CA01", check=False)
        assert run.returncode == 65 and "1000 stops" in run.stderr, run
        assert "everything" in stack.ctl("stop", "--all")
        stack.move_clock(DUE)
        wait_until(stack.at_rest, 20, "nobody is due")
        assert stack.entries() == []


def test_resume_that_was_killed_is_called_again():
    with ready_stack(3) as stack:
        stack.ctl("stop", "--all")
        stack.move_clock(DUE)
        held(stack, 3)
        # as if it died between the end of the stop and the first touch
        stack.sql("UPDATE stop SET ended_at = began_at, ended_by = 'bob'")
        time.sleep(0.5)
        assert count(stack, "channel > 0") == 0
        assert "3 people" in stack.ctl("resume", "--all")
        delivered(stack, 3)
        # it stood against the person as a whole, from … to …
        assert stack.sql("SELECT reason, count(*), count(ended_at) "
                         "FROM obstacle GROUP BY 1") == [["5", "3", "3"]]


def test_the_end_of_a_stop_waits_for_the_rounds_that_obey_it():
    with ready_stack(2) as stack:
        stack.ctl("stop", "--all")

        def lock(statement):
            locker = subprocess.Popen(
                [PSQL, "-X", "-q", "-d", stack.dsn, "-c",
                 f"BEGIN; {statement}; SELECT pg_sleep(1.5); COMMIT"],
                stdout=subprocess.DEVNULL)
            time.sleep(0.4)
            return locker
        # a round holds the row shared: it cannot be ended meanwhile
        locker = lock("SELECT FROM stop FOR SHARE")
        began = time.monotonic()
        stack.ctl("resume", "--all", "--yes")
        assert time.monotonic() - began > 0.7
        locker.wait()
        # somebody ends it: no round can read it until that is over
        stack.ctl("stop", "--all")
        locker = lock("UPDATE stop SET reason = '' WHERE ended_at IS NULL")
        stack.move_clock(DUE)
        time.sleep(0.6)
        assert count(stack, "true") == 0
        locker.wait()
        held(stack, 2)


def test_the_same_from_two_shells_at_once_stands_once():
    with ready_stack(1) as stack:
        for kind in ("dose", "refill", "renewal", "follow_up"):
            shells = [subprocess.Popen(
                [stack.build / "adherctl", "-c",
                 stack.folder / "adherd-0.conf", "stop", "--kind", kind],
                text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for _ in range(3)]
            told = [shell.communicate(timeout=30) for shell in shells]
            assert all(shell.returncode == 0 for shell in shells), told
            assert len({out.split(":")[0] for out, _ in told}) == 1, told
            assert sum("stood already" in err for _, err in told) == 2, told
        assert stack.number("SELECT count(*) FROM stop") == 4


def refuses_what_is_not_clear(stack):
    for words in ((), ("--all", "--kind", "dose"), ("--kind", "doses"),
                  ("--template", "refill"), ("--template", "refill/-9x"),
                  ("--product", ""), ("3",), ("--all", "--yes"),
                  ("--product", "a", "--product", "b"),
                  ("--kind", "answer"), ("--template", "dose/-7d"),
                  ("--product", "a", "--reason", "\x1b[2J")):
        run = stack.ctl("stop", *words, check=False)
        assert run.returncode == 64, (words, run)
    for words in ((), ("1", "--all"), ("x",), ("0",)):
        run = stack.ctl("resume", *words, check=False)
        assert run.returncode == 64, (words, run)
    assert stack.number("SELECT count(*) FROM stop") == 2


def test_a_stop_leaves_a_trace_and_is_told_once():
    with ready_stack(1) as stack:
        first = stack.ctl("stop", "--kind", "refill", "--reason", "lot 7",
                          "--by", "ann")
        assert first.startswith("stop 1: kind refill; since 2026-03-02T"), \
            first
        assert "by ann (lot 7)" in first and "1 people" in first, first
        # the same again is the same
        assert stack.ctl("stop", "--kind", "refill").startswith("stop 1:")
        run = stack.ctl("stop", "--product", "C99ZZ99", check=False)
        assert run.returncode == 65 and "nobody" in run.stderr, run
        listed = [json.loads(line) for line in
                  stack.ctl("stop", "list", "--json").splitlines()]
        assert [(s["product"], s["kind"]) for s in listed] == \
            [(None, "refill"), ("C99ZZ99", None)], listed
        stack.ctl("resume", "2", "--yes", "--by", "bob")
        assert "C99ZZ99" not in stack.ctl("stop", "list")
        assert "ended 2026" in stack.ctl("stop", "list", "--all")
        told = stack.ctl("why", "p1")
        assert "stop 1: kind refill" in told and "lot 7" in told, told
        refuses_what_is_not_clear(stack)


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
