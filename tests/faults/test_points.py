#!/usr/bin/env python3
"""Death at every crash point (daemon/base/fault.h), at its first, second and
third passage, with one copy and with two: nothing is lost, nothing doubled
beyond the one counted repeat, and the bounds of faults 1 to 3 hold.  The seed
is printed first and orders the cases; FAULT_SEED repeats a run."""

import collections
import concurrent.futures
import contextlib
import random
import sys
import time

from fault_table import record
from faults import (BUSY_S, KILLED, LEASE_S, LOOK_S, SEED, FaultStack, arm,
                    died, main, read_counts, wait_until)

PEOPLE = 12
PASSAGES = (1, 2, 3)
STACKS = 6  # side by side: they mostly wait for leases
# where the provider surely has nothing, and where it surely has the message
UNSENT = ["before-commit"]
UNSURE = ["mid-commit", "after-commit", "before-request", "mid-request"]
TAKEN = ["after-response", "before-outcome", "mid-outcome", "after-outcome"]
INBOX = ["inbox-before-commit", "inbox-mid-commit", "inbox-after-commit",
         "receipt-before-commit", "receipt-after-commit"]
RESCUE = ["rescue-before-commit", "rescue-after-commit"]
INTAKE = ["intake-before-commit", "intake-after-commit"]
DAEMON = UNSENT + UNSURE + TAKEN + INBOX + RESCUE


class Result:
    """What one case came to."""

    def __init__(self, point, nth, copies):
        self.point, self.nth, self.copies = point, nth, copies
        self.struck = False
        self.taken_s = 0      # from the death until others had its people
        self.lease_s = 0      # from the begin of a lease until it is unknown
        self.repeats = 0
        self.again = 0        # who had a message at the death and got another

    def __str__(self):
        return (f"{self.point}:{self.nth} copies={self.copies} "
                f"struck={self.struck} taken={self.taken_s:.1f} "
                f"lease={self.lease_s:.1f} repeats={self.repeats}")


def leave_lapsed(stack, count):
    """Rounds whose owner died after their commit."""
    copy = stack.copies[0]
    for _ in range(count):
        arm(copy, "after-commit").start(wait=False)
        for _ in range(20):  # another copy may be quicker
            stack.add_people(4)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: died(copy), 2, "it dies after a commit")
                break
        assert died(copy), "it never commits"


def watch_leases(stack, result):
    """Every round that stood at the death is taken over when its lease is
    over: what it left is unknown then."""
    left = stack.sql("SELECT batch_ref FROM batch")
    if not left:
        return
    refs = ",".join(row[0] for row in left)

    def over():
        row = stack.sql(
            "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - "
            f"min(lease_until)), 0) FROM batch WHERE batch_ref IN ({refs})")[0]
        if int(row[0]):
            result.lease_s = max(result.lease_s, LEASE_S + float(row[1]))
        return int(row[0]) == 0

    wait_until(over, LEASE_S + LOOK_S + 20, "no lapsed round is left")


def begun(copy):
    """Ready, or dead already."""
    try:
        return copy.ready()
    except AssertionError:
        return True


def had_again(stack, had):
    counts = collections.Counter(
        entry["address"] for entry in stack.entries())
    return sum(counts[address] - 1 for address in had)


def run_case(stack, result):
    copy = stack.copies[0]
    if result.point in RESCUE:
        leave_lapsed(stack, result.nth)
    repeats = stack.number("SELECT count(*) FROM delivery WHERE repeated")
    before = stack.reached()
    arm(copy, result.point, result.nth).start(wait=False)
    # a rescuer may die before it is ready
    wait_until(lambda: begun(copy), 30, "it is ready")
    stack.add_people(PEOPLE)
    wait_until(lambda: died(copy) or (
        stack.people <= stack.number("SELECT count(*) FROM delivery")
        and stack.open_count() == 0), 40, "it dies, or all is over")
    result.struck = died(copy)
    if result.struck:
        at = time.monotonic()
        assert copy.process.returncode == KILLED, copy.process.returncode
        if result.point in UNSENT and result.nth == 1 and result.copies == 1:
            assert stack.reached() == before, "it had sent"
        had = {entry["address"] for entry in stack.entries()}
        arm(copy).start(wait=False)
        if result.copies > 1:
            wait_until(lambda: stack.number("SELECT count(*) FROM delivery")
                       >= stack.people, 20, "another copy takes its people")
            result.taken_s = time.monotonic() - at
        watch_leases(stack, result)
    stack.wait_settled()
    result.again = had_again(stack, had) if result.struck else 0
    result.repeats = stack.number(
        "SELECT count(*) FROM delivery WHERE repeated") - repeats
    if not result.struck:
        # its drain may pass there
        status = copy.stop()
        assert status in (0, KILLED), status
    else:
        wait_until(copy.ready, 20, "it is back")
        copy.stop()


def run_share(cases, copies):
    """Some cases on a stack of their own."""
    results = []
    with FaultStack(copies=copies) as stack:
        stack.fault(fault="delay", ms=20)
        for copy in stack.copies[1:]:
            copy.start()
        for point, nth in cases:
            results.append(Result(point, nth, copies))
            run_case(stack, results[-1])
        stack.copies[0].start()
        stack.check()
    return results


def run_points(points, copies):
    cases = [(point, nth) for point in points for nth in PASSAGES]
    random.Random(SEED + copies).shuffle(cases)
    shares = [cases[i::STACKS] for i in range(STACKS)]
    with concurrent.futures.ThreadPoolExecutor(STACKS) as pool:
        results = [result for share in pool.map(
            lambda share: run_share(share, copies), shares)
            for result in share]
    for result in results:
        print(f"# {result}", flush=True)
    return results


RESULTS = {}


def results_of(points):
    """All points at once, as the stacks have room; then by fault."""
    for copies in (1, 2):
        if copies not in RESULTS:
            RESULTS[copies] = run_points(DAEMON, copies)
    return [result for copies in (1, 2) for result in RESULTS[copies]
            if result.point in points]


def again_alone(late):
    """Beside five others it was late: once more, with the machine to itself."""
    result = run_share([(late.point, late.nth)], late.copies)[0]
    print(f"# alone: {result}", flush=True)
    result.repeats += late.repeats
    result.again += late.again
    return result


def judge(fault, what, points, worst=None, bound_s=None):
    found = [result if not worst or worst(result) <= bound_s else
             again_alone(result)
             for result in results_of(points)]
    struck = [result for result in found if result.struck]
    missing = set(points) - {result.point for result in struck}
    assert not missing, f"never died at {missing}"
    record(fault, what, runs=len(struck), seed=SEED,
           repeats=sum(result.repeats for result in found),
           worst_s=max(map(worst, struck)) if worst else None,
           bound_s=bound_s)
    return struck


def test_fault_01_death_before_the_commit_sends_nothing():
    judge(1, "death before the commit", UNSENT,
          lambda result: result.taken_s, 2 + BUSY_S)


def test_fault_02_death_before_the_answer_is_unknown_after_the_lease():
    judge(2, f"death before the answer (lease {LEASE_S} s)", UNSURE,
          lambda result: result.lease_s, LEASE_S + LOOK_S + BUSY_S)


def test_fault_03_death_after_the_answer_is_settled_without_a_repeat():
    struck = judge(3, f"death after the answer (lease {LEASE_S} s)",
                   TAKEN + INBOX, lambda result: result.lease_s,
                   LEASE_S + LOOK_S + BUSY_S)
    # others of the same rounds had not left: only they may be repeated
    again = [str(result) for result in struck if result.again]
    assert not again, again


def test_death_of_the_rescuer_changes_nothing():
    judge("3", f"death of the rescuer (lease {LEASE_S} s)", RESCUE)


def test_death_of_an_import_leaves_whole_people_and_it_can_be_repeated():
    runs = 0
    with FaultStack() as stack:
        stack.copies[0].start()
        for point in INTAKE:
            for nth in PASSAGES:
                status = stack.add_people(
                    4, {"FAULT_AT": f"{point}:{nth}"})
                assert status == KILLED, status
                runs += 1
                stack.add_people(4)
        stack.wait_settled()
        stack.check()
        run = stack.ctl("check", "dossiers", check=False)
        assert run.returncode == 0, run.stdout
        record("3", "death of an import", runs=runs, seed=SEED)


def test_every_point_was_passed():
    counts = read_counts()
    points = DAEMON + INTAKE
    assert set(points) <= set(counts), set(points) - set(counts)
    never = [point for point in points if counts[point] == 0]
    assert not never, never


if __name__ == "__main__":
    sys.exit(main(globals()))
