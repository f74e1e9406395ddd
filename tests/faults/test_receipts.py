#!/usr/bin/env python3
"""Receipts that come too early, for nobody, often and in any order (faults
29, 30, 31).  A trigger of the test's own database notes each state that a
delivery had, so that the daemon is not asked.  The seed is printed first;
FAULT_SEED repeats a run."""

import itertools
import json
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from bad_provider import ACCEPTED, DELIVERED, UNDELIVERED  # noqa: E402
from fault_table import from_stack, record  # noqa: E402
from faults import (FORWARD, HISTORY, Rival, joined_late,  # noqa: E402
                    moves)
from stack import (Key, Stack, Tap, encode_reference, post,  # noqa: E402
                   refill_patients, wait_until)

SEED = int(os.environ.get("FAULT_SEED", random.randrange(1 << 30)))
CHANCE = random.Random(SEED)
BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 15s\nrequest = 8s\nask-after = 60s\n"
LOOK_S = 1.0
def watched(people, faults=(), **options):
    stack = Stack(BEGIN, settings=QUICK, **options)
    stack.sql(HISTORY)
    return stack.begin(refill_patients(people), faults)


def states(stack):
    return {int(state): int(count) for state, count in stack.sql(
        "SELECT state, count(*) FROM delivery GROUP BY 1")}


def callback(stack, items):
    secret = (stack.folder / "callback").read_text().strip()
    return post(f"http://127.0.0.1:{stack.ports[0][0]}/callback/sms/{secret}",
                json.dumps(items))[0]


def report(reference, success=True, message_id="1^0", at=5,
           phone="19900000001"):
    """What Aliyun pushes of one message."""
    return {"phone_number": phone, "success": success,
            "send_time": "2026-03-02 10:00:00",
            "report_time": f"2026-03-02 10:00:{at:02d}",
            "err_code": "DELIVERED" if success else "UNDELIV",
            "sms_size": "1", "biz_id": message_id, "out_id": reference}


# ---- 29 ----

def test_fault_29_receipt_before_the_answer_is_joined_within_a_look():
    for batch in (1, 20):
        with watched(20, [{"fault": "receipts_early"}],
                     gateway_settings=f"batch = {batch}") as stack:
            stack.move_clock(DUE)
            wait_until(lambda s=stack: states(s) == {DELIVERED: 20}, 20,
                       "all delivered")
            stack.check_ledger()
            record(29, f"receipt before the answer, {batch} a request",
                   seed=SEED, runs=20, worst_s=joined_late(stack),
                   bound_s=LOOK_S, **from_stack(stack, 20))


def test_fault_29_receipt_long_before_the_answer_waits_no_longer():
    """The answer takes seconds, in which the receipt is tried in vain."""
    with watched(1, gateway_settings="batch = 1") as stack:
        stack.fault(fault="receipts_off")
        stack.fault(fault="delay", ms=6000)
        stack.move_clock(DUE)
        entry = wait_until(stack.entries, 20, "it was taken")[0]
        assert callback(stack, [report(entry["reference"], True,
                                       entry["message_id"])]) == 200
        wait_until(lambda: states(stack) == {DELIVERED: 1}, 20, "delivered")
        record(29, "receipt 6 s before the answer", seed=SEED,
               worst_s=joined_late(stack), bound_s=LOOK_S,
               **from_stack(stack, 1))


def test_receipts_of_a_request_do_not_wait_for_a_member_that_is_held():
    """One reference covers all; of those held one at most leads."""
    people, held = 6, 2
    with watched(people, gateway_settings="batch = 20") as stack:
        stack.fault(fault="receipts_off")
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {ACCEPTED: people}, 20, "accepted")
        entries = stack.entries()
        assert len({entry["reference"] for entry in entries}) == 1, entries
        with Rival(stack) as rival:
            rival.say("BEGIN; SELECT FROM agenda ORDER BY patient_id "
                      f"LIMIT {held} FOR UPDATE;")
            wait_until(lambda: stack.number(
                "SELECT count(*) FROM (SELECT FROM agenda FOR UPDATE SKIP "
                "LOCKED) a") == people - held, 20, "some are held")
            start = time.monotonic()
            assert callback(stack, [
                report(entry["reference"], False, entry["message_id"],
                       phone=entry["address"].removeprefix("+86"))
                for entry in entries]) == 200
            wait_until(lambda: states(stack) == {
                ACCEPTED: held, UNDELIVERED: people - held}, 20,
                "all others are settled")
            record(29, "receipts of a request, two members held", seed=SEED,
                   runs=people, worst_s=time.monotonic() - start,
                   bound_s=2 * LOOK_S)
            rival.say("COMMIT;")
        wait_until(lambda: states(stack) == {UNDELIVERED: people}, 20,
                   "the held come later")


REFUSE_ONE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = 7 AND NEW.patient_id = (SELECT min(patient_id) FROM agenda)
  THEN RAISE 'bad' USING ERRCODE = '22003'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON delivery_default FOR EACH ROW
  EXECUTE FUNCTION refuse();
"""


def test_receipt_that_cannot_be_worked_on_is_set_aside_and_counted():
    people = 12
    with watched(people, gateway_settings="batch = 1") as stack:
        stack.sql(REFUSE_ONE)
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {ACCEPTED: 1,
                                             DELIVERED: people - 1}, 30,
                   "all others are settled")
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM inbox WHERE state = 2") == 1, 20,
            "the one is set aside")
        wait_until(lambda: b"\nadherd_receipts_unmatched_total 1\n"
                   in stack.copies[0].metrics(), 5, "and counted")


# ---- 30 ----

def test_fault_30_receipt_for_an_unknown_id_is_taken_kept_and_counted():
    with watched(1) as stack:
        strangers = [
            encode_reference(Key(1, 999999, 20000, 2, 1, 4, 4)),
            "somebody-elses-id", "x" * 200, ""]
        for _ in range(3):
            for reference in strangers:
                assert callback(stack, [report(reference)]) == 200, reference
        kept = "SELECT count(*) FROM inbox"
        assert stack.number(kept) == len(strangers)
        # nothing is tried without pause
        wait_until(lambda: stack.number("SELECT count(*) FROM inbox WHERE "
                                        "state = 0 AND tries = 0") == 0, 10,
                   "each was tried")
        time.sleep(2)
        tries = stack.number("SELECT max(tries) FROM inbox")
        assert tries <= 4, tries
        waiting = stack.number(f"{kept} WHERE state = 0")
        # ours in form but not there, and one with the provider's id alone
        assert waiting == 2, "they may come"
        # after a while hourly: a stranger's may be many
        stack.sql("UPDATE inbox SET tries = 13, next_at = '-infinity' "
                  "WHERE state = 0")
        wait_until(lambda: stack.number(
            f"{kept} WHERE state = 0 AND tries = 14") == 2, 10, "tried again")
        assert stack.number(
            f"{kept} WHERE state = 0 AND next_at > clock_timestamp() + "
            "interval '50 minutes'") == 2
        # a week later it is given up, not deleted
        stack.sql("UPDATE inbox SET received_at = received_at - interval "
                  "'7 days 1 minute', next_at = '-infinity' WHERE state = 0")
        wait_until(lambda: stack.number(f"{kept} WHERE state = 2")
                   == len(strangers), 10, "unmatched")
        assert b"\nadherd_receipts_unmatched_total %d\n" % len(
            strangers) in stack.copies[0].metrics(), "counted"
        # others are not held up
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {DELIVERED: 1}, 20, "delivered")
        record(30, "receipts for unknown ids", seed=SEED,
               runs=3 * len(strangers), **from_stack(stack, 1))


# ---- 31 ----

def test_fault_31_three_times_in_any_order_moves_forward_once():
    """Each of two different receipts three times: all orders of the firsts,
    and a shuffled rest; who came first is believed."""
    people = 12
    with watched(people, [{"fault": "receipts_off"}],
                 gateway_settings="batch = 1") as stack:
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {ACCEPTED: people}, 20, "taken")
        first = {}
        posts = []
        orders = itertools.cycle(itertools.permutations(
            [(True, 5), (False, 6), (True, 7)]))
        for entry in stack.entries():
            order = next(orders)
            first[entry["address"]] = order[0][0]
            posts.append([report(entry["reference"], success,
                                 entry["message_id"], at,
                                 entry["address"][-11:])
                          for success, at in order])
        # the first of each, and then the whole three times, shuffled
        again = [item for items in posts for item in items] * 3
        CHANCE.shuffle(again)
        for items in posts:
            assert callback(stack, items[:1]) == 200
        wait_until(lambda: ACCEPTED not in states(stack), 10, "first ones")
        for start in range(0, len(again), 7):
            assert callback(stack, again[start:start + 7]) == 200
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM inbox WHERE state = 0") == 0, 10, "all done")
        assert stack.number("SELECT count(*) FROM inbox") == 3 * people
        good = sum(first.values())
        assert states(stack) == {DELIVERED: good, UNDELIVERED: people - good}
        for was, state in moves(stack):
            assert state in FORWARD[was], (was, state)
        finals = [state for _, state in moves(stack)
                  if state in (DELIVERED, UNDELIVERED)]
        assert len(finals) == people, "one event each"
        record(31, "three receipts, each in any order", seed=SEED,
               runs=len(again) + people, **from_stack(stack, people))


def test_fault_31_simulator_that_doubles_and_shuffles():
    with watched(30) as stack:
        for fault in ("receipts_triple", "receipts_shuffled"):
            stack.fault(fault=fault)
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {DELIVERED: 30}, 30, "delivered")
        for was, state in moves(stack):
            assert state in FORWARD[was], (was, state)
        stack.check_ledger()
        record(31, "three of each, shuffled", seed=SEED, runs=90,
               **from_stack(stack, 30))


if __name__ == "__main__":
    print(f"# seed {SEED}", flush=True)
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
