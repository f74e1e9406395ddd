#!/usr/bin/env python3
"""That nobody waits for another's trouble: the p99 of doses beside 50,000 who
wait for a dead provider, and beside an import (fault 42), each against the
p99 alone in the same run.  FLOW_WAITING and FLOW_BULK change the sizes."""

import os
import subprocess
import sys

from fault_table import record
from faults import SEED, SETTINGS, FaultStack, Tap, wait_until
from stack import patient, refill_patients
from test_flow import BUNDLE, Flow, dose_patients, seconds

WAITING = int(os.environ.get("FLOW_WAITING", 50000))
BULK = int(os.environ.get("FLOW_BULK", 20000))
DOSES, EVERY_MS = 100, 200      # five a second
# what one look and the machine's own jitter are allowed to be
FLOOR_S = 0.25
FIRST, SECOND = "10:00:10", "10:30:10"
EARLY = "2026-03-02T08:00:00+08:00"     # imports take their time


def lags(stack, endpoint="loopback"):
    """How late each dose was, by the provider's clock: by its id."""
    due = {row[0]: float(row[1]) for row in stack.sql(
        "SELECT provider_id, extract(epoch FROM due_at) - "
        f"{stack.care_offset_s()} FROM delivery WHERE kind = 1 AND "
        "provider_id IS NOT NULL")}
    return {e["message_id"]: seconds(e) - due[e["message_id"]]
            for e in stack.of(endpoint) if e["message_id"] in due}


def trickle(stack, begin, known):
    """The doses from ten seconds before the first on; their lags."""
    before = len(known)
    stack.move_clock(f"2026-03-02T{begin[:6]}05+08:00")
    wait_until(lambda: len(stack.of("loopback")) >= before + DOSES,
               DOSES * EVERY_MS / 1000 + 90, "all doses")
    # their ids are stored a moment later
    wait_until(lambda: len(lags(stack)) >= before + DOSES, 10, "recorded")
    return [lag for name, lag in lags(stack).items() if name not in known]


def two_trickles():
    return (dose_patients(DOSES, 1, EVERY_MS, FIRST)
            + dose_patients(DOSES, 1 + DOSES, EVERY_MS, SECOND))


def compare(stack, what, beside):
    """p99 alone, then beside what `beside` brings about."""
    alone = trickle(stack, FIRST, {})
    known = lags(stack)
    done = beside()
    both = trickle(stack, SECOND, known)
    told = done()
    print(f"# {what}: {told}; p99 of {DOSES} doses alone {p99(alone):.3f} s, "
          f"beside it {p99(both):.3f} s; worst {max(both):.3f} s")
    return {"worst_s": p99(both), "bound_s": 2 * max(p99(alone), FLOOR_S),
            "seed": SEED}


def test_lanes_fifty_thousand_waiting_for_a_dead_provider_slow_nobody():
    with Flow(sms_url="http://127.0.0.1:9", begin_at=EARLY).begin(
            []) as stack:
        stack.import_in_pieces("clinic", refill_patients(
            WAITING, first=1000), 4)
        stack.import_bundle("doses", two_trickles())
        stack.wait_looked_at(900)
        # their reminders fall due at 10:00; until then they are asleep
        stack.sql("UPDATE agenda SET next_at = next_at + interval '20 min' "
                  "WHERE next_at = '2026-03-02 10:00+08'")

        def beside():
            stack.move_clock("2026-03-02T10:21:00+08:00")
            wait_until(waiting, 300, "all of them wait")
            return lambda: f"{waiting()} wait for a dead provider"

        def waiting():
            # in its lane, or tried before the breaker opened
            count = stack.number(
                "SELECT (SELECT count(*) FROM agenda WHERE lane > 0) + "
                "(SELECT count(*) FROM delivery WHERE state = 5)")
            return count if count >= WAITING else 0

        record("lanes", f"{WAITING} wait for a dead provider: others' p99",
               **compare(stack, "lanes", beside))


def test_fault_42_import_of_one_tenant_slows_nobody():
    with Flow(begin_at=EARLY).begin([]) as stack:
        stack.import_bundle("doses", two_trickles())
        stack.wait_looked_at()
        paths = [stack.write_bundle(
            f"bulk-{first}", refill_patients(
                BUNDLE, handed_over="2026-03-01", first=first))
            for first in range(1000, 1000 + BULK, BUNDLE)]

        def beside():
            process = subprocess.Popen(
                [stack.build / "adherctl", "-c",
                 stack.folder / "adherd-0.conf", "import", "fhir",
                 "--source", "bulk", *paths], stdout=subprocess.DEVNULL)

            def done():
                running = process.poll() is None
                process.kill()
                process.wait()
                came = stack.number("SELECT count(*) FROM patient")
                assert came > 10 * DOSES, f"only {came} came"
                return (f"{came - 2 * DOSES} people were imported"
                        + ("" if not running else ", and more were coming"))
            return done

        record(42, f"an import of {BULK} people: others' p99",
               **compare(stack, "import", beside))


def share_of_bulk(claim_max, people, sent):
    """As many who are due at a time as an import brings, all of them due:
    how many of the first that are sent are of the import.  Enough people for
    each slice of the buckets to give a whole claim."""
    with FaultStack(settings=SETTINGS.replace(
            "claim-max = 4", f"claim-max = {claim_max}"),
            gateway_settings="window = 20\nbatch = 1") as stack:
        stack.add_people(people)
        stack.sql("UPDATE agenda SET class = 1")
        stack.add_people(people)
        stack.copies[0].start()
        wait_until(lambda: len(stack.entries()) >= sent, 60, "they are sent")
        bulk = {patient(number)["telecom"][0]["value"]
                for number in range(people + 1, 2 * people + 1)}
        return sum(e["address"] in bulk for e in stack.entries()[:sent])


def test_fault_42_import_gets_a_fifth_of_what_is_claimed_while_others_wait():
    for claim_max, people, sent in ((20, 800, 300), (2, 120, 60)):
        bulk = share_of_bulk(claim_max, people, sent)
        print(f"# claims of {claim_max}: {bulk} of the first {sent} were of "
              "the import")
        # they arrive a little out of order
        assert 0 < bulk <= sent / 5 + 3, f"{bulk} of {sent}"
    record(42, "what an import gets while others wait: a fifth at most",
           seed=SEED, runs=2)


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


if __name__ == "__main__":
    print(f"# seed {SEED}")
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
