#!/usr/bin/env python3
"""Killed and crashed among 2,000 due messages: nothing lost, nothing doubled
beyond the one counted repeat, by the simulator's ledger.  The seed is
printed first; FAULT_SEED repeats a run, FAULT_MESSAGES and FAULT_KILLS
change its size."""

import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from stack import Stack, Tap, refill_patients, wait_until  # noqa: E402

SEED = int(os.environ.get("FAULT_SEED", random.randrange(1 << 30)))
MESSAGES = int(os.environ.get("FAULT_MESSAGES", 2000))
KILLS = int(os.environ.get("FAULT_KILLS", 20))
BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
# short leases, so that what a death left behind is found within the test
SETTINGS = "lease = 7s\nrequest = 2s\nask-after = 1s\nclaim-max = 50\n"
# one request a message: its reference is then its own
SINGLY = "window = 4\nbatch = 1"
OVER = "state NOT IN (1, 5) AND NOT (state = 6 AND settled_at IS NULL)"


def stack_with_patients(**options):
    stack = Stack(BEGIN, settings=SETTINGS, **options).begin(
        refill_patients(MESSAGES), [{"fault": "delay", "ms": 15}], 60)
    assert stack.number("SELECT count(*) FROM delivery") == 0
    return stack


def settle(stack):
    """Until nothing is open: a lapsed lease makes it unknown, the provider
    is asked twice, and what it does not have is repeated once."""
    def written():
        return stack.number("SELECT count(*) FROM delivery") >= MESSAGES

    def closed():
        return stack.number("SELECT (SELECT count(*) FROM batch) + (SELECT "
                            "count(*) FROM delivery WHERE NOT "
                            f"({OVER}))") == 0

    wait_until(written, 120, "every occurrence was written")
    try:
        wait_until(closed, 60, "nothing stays open")
    except AssertionError as error:
        raise AssertionError(f"{error}: " + str(stack.sql(
            "SELECT state, code, count(*) FROM delivery GROUP BY 1, 2"))
        ) from error


def report(stack, name):
    settle(stack)
    # receipts come 0.5 s after the message, or after their own retry
    wait_until(lambda: stack.number(
        "SELECT count(*) FROM inbox WHERE state = 0 AND type = 1") == 0, 30,
        "receipts are worked off")
    text = stack.check_ledger()
    repeated = stack.number("SELECT count(*) FROM delivery WHERE repeated")
    states = stack.sql("SELECT state, count(*) FROM delivery GROUP BY 1 "
                       "ORDER BY 1")
    print(f"# {name}: seed {SEED}, messages {MESSAGES}, ledger entries "
          f"{len(stack.entries())}, counted repeats {repeated}, "
          f"states {states}")
    for line in text.splitlines():
        print(f"# {line}")
    assert stack.number("SELECT count(*) FROM delivery") == MESSAGES
    sent = {entry["address"] for entry in stack.entries()}
    assert len(sent) == MESSAGES, f"{len(sent)} of {MESSAGES} were reached"


def test_killed_twenty_times_among_due_messages():
    chance = random.Random(SEED)
    with stack_with_patients(gateway_settings=SINGLY) as stack:
        daemon = stack.copies[0]
        stack.move_clock(DUE)
        for number in range(KILLS):
            time.sleep(chance.uniform(0.02, 0.8))
            daemon.kill()
            daemon.start(wait=number % 3 == 0)
        wait_until(daemon.ready, 30, "adherd is ready")
        left = stack.number(
            "SELECT count(*) FROM delivery WHERE state = 1")
        print(f"# {KILLS} kills, {left} were sending after the last")
        report(stack, "kill -9")


def test_database_crashes_among_due_messages():
    chance = random.Random(SEED + 1)
    with stack_with_patients(gateway_settings=SINGLY) as stack:
        stack.move_clock(DUE)
        for _ in range(5):
            time.sleep(chance.uniform(0.2, 1.5))
            stack.cluster.crash()
        report(stack, "pg_ctl stop -m immediate, five times")
        assert stack.copies[0].process.poll() is None


def test_two_copies_share_the_work():
    with stack_with_patients(copies=2,
                             gateway_settings=SINGLY) as stack:
        stack.move_clock(DUE)
        owners = set()
        wait_until(lambda: owners.update(
            row[0] for row in stack.sql("SELECT owner FROM batch"))
            or stack.number("SELECT count(*) FROM delivery") >= MESSAGES, 120,
            "all is planned")
        report(stack, "two copies")
        assert owners == {"copy-0", "copy-1"}, owners
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE repeated") == 0
        assert len(stack.entries()) == MESSAGES


def test_two_copies_and_one_is_killed():
    chance = random.Random(SEED + 2)
    with stack_with_patients(copies=2,
                             gateway_settings=SINGLY) as stack:
        stack.move_clock(DUE)
        for _ in range(5):
            time.sleep(chance.uniform(0.1, 0.6))
            victim = stack.copies[chance.randrange(2)]
            victim.kill()
            time.sleep(chance.uniform(0, 0.3))
            victim.start(wait=False)
        for copy in stack.copies:
            wait_until(copy.ready, 30, "adherd is ready")
        report(stack, "two copies, one killed five times")


if __name__ == "__main__":
    print(f"# seed {SEED}")
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
