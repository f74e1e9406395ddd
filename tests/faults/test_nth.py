#!/usr/bin/env python3
"""The n-th call fails: allocations, queries, writes, requests to providers,
from the start of the daemon to its end.  Whatever n is, the promises hold,
and what survives holds no more descriptors than after a clean run.  Each kind
is sampled by the seed; FAULT_ALL=1 visits every n, FAULT_SEED repeats a run.
A build with sanitizers (BUILD) reports leaks at the end of each run."""

import concurrent.futures
import contextlib
import os
import random
import sys

from fault_table import record
from faults import (EXHAUSTED, SEED, FaultStack, died, main, read_counts,
                    wait_until)

SAMPLES = {"allocation": 24, "query": 32, "write": 10, "request": 8}
PEOPLE = 3
STACKS = 4
# a connection more or less to the provider or the database
DESCRIPTORS_MORE = 6


class NthStack(FaultStack):
    """One copy, started anew for each n, with counts of its own."""

    def __init__(self):
        super().__init__()
        self.counts = self.folder / "counts"
        self.descriptors = None
        self.deaths = 0

    def life(self, kind, nth):
        """One life of the daemon in which that call fails; how many calls of
        this kind there were."""
        copy = self.copies[0]
        self.counts.unlink(missing_ok=True)
        copy.environment = {"FAULT_NTH": str(nth), "FAULT_KIND": kind,
                            "FAULT_COUNTS": str(self.counts)}
        copy.start(wait=False)
        self.add_people(PEOPLE)
        wait_until(lambda: died(copy) or self.is_over(), 60,
                   f"{kind} {nth}: it ends, or all is over")
        if died(copy):
            self.restart(kind, nth)
        else:
            self.look_for_leaks(nth)
        status = copy.stop()
        if status == EXHAUSTED and kind == "allocation":
            # it was one of the drain's
            self.restart(kind, nth)
            status = copy.stop()
        assert status == 0, copy.log_text()[-2000:]
        assert "Sanitizer" not in copy.log_text(), copy.log_text()[-4000:]
        return read_counts(self.counts)[kind]

    def is_over(self):
        with contextlib.suppress(OSError):
            self.leap_to_retries()
        return self.is_settled()

    def restart(self, kind, nth):
        """Only a lack of memory may end it; it comes back by itself."""
        copy = self.copies[0]
        assert copy.process.returncode == EXHAUSTED, (
            f"{kind} {nth}: exit {copy.process.returncode}")
        assert kind == "allocation", kind
        self.deaths += 1
        copy.environment = {"FAULT_COUNTS": str(self.counts)}
        copy.start()
        self.wait_settled()

    def look_for_leaks(self, nth):
        count = len(os.listdir(f"/proc/{self.copies[0].process.pid}/fd"))
        if nth == 0:
            self.descriptors = count
        assert count <= self.descriptors + DESCRIPTORS_MORE, (
            f"{count} descriptors, {self.descriptors} after a clean run")


def run_share(kind, numbers):
    with NthStack() as stack:
        calls = stack.life(kind, 0)
        for nth in numbers(calls):
            stack.life(kind, nth)
        stack.copies[0].start()
        stack.check()
        return calls, stack.deaths, stack.number(
            "SELECT count(*) FROM delivery WHERE repeated")


def run_kind(kind):
    chance = random.Random(f"{SEED} {kind}")
    seeds = [chance.random() for _ in range(STACKS)]
    lives = []

    def share(number):
        def numbers(calls):
            mine = list(range(1 + number, calls + 1, STACKS))
            if not os.environ.get("FAULT_ALL"):
                mine = random.Random(seeds[number]).sample(
                    mine, min(len(mine), SAMPLES[kind] // STACKS))
            lives.extend(mine)
            return sorted(mine)
        return run_share(kind, numbers)

    with concurrent.futures.ThreadPoolExecutor(STACKS) as pool:
        results = list(pool.map(share, range(STACKS)))
    print(f"# {kind}: {max(calls for calls, _, _ in results)} calls, "
          f"{len(lives)} failed, {sum(deaths for _, deaths, _ in results)} "
          f"deaths, n = {sorted(lives)}")
    record("nth", f"the n-th {kind} fails", runs=len(lives), seed=SEED,
           repeats=sum(repeats for _, _, repeats in results))
    assert lives
    return results


def test_nth_allocation_ends_the_process_and_loses_nothing():
    deaths = sum(deaths for _, deaths, _ in run_kind("allocation"))
    assert deaths > 0, "no allocation failed"


def test_nth_query_is_tried_again_or_read_back():
    run_kind("query")


def test_nth_write_is_lost_and_nothing_else():
    run_kind("write")


def test_nth_request_surely_or_perhaps_did_not_arrive():
    run_kind("request")


if __name__ == "__main__":
    sys.exit(main(globals()))
