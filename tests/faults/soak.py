#!/usr/bin/env python3
"""Half an hour of everything at once: three copies killed, stopped and frozen
at random, the database restarted, the provider failing in every way that the
simulator knows, people coming all the while.  P1 to P4 by the ledger; it
comes back alone; one copy lives through all of it, and its memory and
descriptors stay flat.  SOAK_SECONDS (1800) and FAULT_SEED change a run."""

import os
import random
import signal
import statistics
import sys
import time

from fault_table import record
from faults import SEED, FaultStack, died, stop_in_order, wait_until

SECONDS = float(os.environ.get("SOAK_SECONDS", 1800))
HANDS, HAND = 3, 200    # of people that a copy may claim at once
SETTINGS = (f"lease = 7s\nrequest = 2s\nask-after = 1s\nclaim-max = {HAND}\n"
            "probe = 2s\n")
EVERY_S, PEOPLE = 2.0, 12
FAULTS = (
    {"fault": "delay", "ms": 300, "rate": 0.3},
    {"fault": "status", "status": 429, "code": "Throttling.User",
     "message": "x", "retry_after": "1", "rate": 0.3},
    {"fault": "status", "status": 503, "code": "x", "message": "x",
     "rate": 0.5},
    {"fault": "reset_before", "rate": 0.3},
    {"fault": "reset_after", "rate": 0.2},
    {"fault": "silent", "rate": 0.2},
    {"fault": "silent_before", "rate": 0.2},
    {"fault": "garbage", "form": "html", "rate": 0.2},
    {"fault": "garbage", "form": "cut", "rate": 0.2},
    {"fault": "code", "code": "isp.SYSTEM_ERROR", "message": "x",
     "rate": 0.2},
    {"fault": "receipts_triple"},
    {"fault": "receipts_shuffled"},
    {"fault": "receipts_early", "rate": 0.3},
    {"fault": "receipts_unknown", "rate": 0.3},
    {"fault": "receipts_late", "ms": 2000},
)


# under way, or yet to be tried; what is unknown after its repeat may rest so
# for a day
OPEN = """SELECT (SELECT count(*) FROM batch) + (SELECT count(*) FROM delivery
WHERE state IN (1, 5) OR (state = 6 AND settled_at IS NULL AND NOT repeated))
"""


class Witness:
    """The copy that is never killed: memory and descriptors, by time."""

    def __init__(self, copy):
        self.pid = copy.process.pid
        self.samples = []

    def look(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
            pages = int(statm.read().split()[1])
        self.samples.append((pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
                             len(os.listdir(f"/proc/{self.pid}/fd"))))

    def third(self, number, column):
        count = len(self.samples) // 3
        return statistics.median(
            sample[column] for sample in
            self.samples[number * count:(number + 1) * count])


def harm(stack, chance, counts):
    """One thing that happens, by the seed."""
    what = chance.choice(("kill", "kill", "freeze", "stop", "fault", "fault",
                          "fault", "clear", "database", "crash", "sessions"))
    victim = stack.copies[chance.randrange(1, 3)]
    counts[what] = counts.get(what, 0) + 1
    if what == "kill":
        victim.kill()
    elif what == "freeze":
        victim.process.send_signal(signal.SIGSTOP)
        time.sleep(chance.uniform(0.5, 9))      # or longer than its lease
        victim.process.send_signal(signal.SIGCONT)
    elif what == "stop":
        stop_in_order(victim)
    elif what == "fault":
        stack.fault(endpoint="aliyun", **chance.choice(FAULTS))
    elif what == "clear":
        stack.fault(clear=True)
    elif what == "database":
        stack.cluster.run("stop")
        time.sleep(chance.uniform(0, 4))
        stack.cluster.run("start")
    elif what == "crash":
        stack.cluster.crash()
    else:
        stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                  "WHERE application_name LIKE 'adherd%'")
    for copy in stack.copies[1:]:
        if died(copy):
            copy.start(wait=False)


def fill_hands(stack):
    """The witness alone, with all that it may hold, an unhurried provider and
    then a failing one: what that takes the allocator keeps, and it is no
    growth when it comes later."""
    witness = stack.copies[0]
    for fault in FAULTS[:2]:
        stack.fault(endpoint="aliyun", **fault)
        witness.process.send_signal(signal.SIGSTOP)
        stack.add_people(HANDS * HAND)
        witness.process.send_signal(signal.SIGCONT)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery") >= stack.people, 60,
            "all are claimed")
    stack.fault(clear=True)


def settle(stack):
    """The retries of the ladder come 1, 5, 15 and 60 minutes later."""
    for step in ("+2m", "+7m", "+20m", "+80m"):
        try:
            wait_until(lambda: stack.number(OPEN) == 0, 45, "nothing is open")
            return
        except AssertionError:
            stack.move_clock(step)
    wait_until(lambda: stack.number(OPEN) == 0, 60, "nothing is open: " + str(
        stack.sql("SELECT state, code, repeated, count(*) FROM delivery "
                  "GROUP BY 1, 2, 3")))


def main():
    print(f"# seed {SEED}, {SECONDS:.0f} s")
    chance = random.Random(SEED)
    counts = {}
    with FaultStack(copies=3, settings=SETTINGS,
                    gateway_settings="window = 32\nbatch = 1\n") as stack:
        stack.copies[0].start()
        fill_hands(stack)
        for copy in stack.copies[1:]:
            copy.start()
        witness = Witness(stack.copies[0])
        begun = told = time.monotonic()
        while time.monotonic() - begun < SECONDS:
            stack.add_people(PEOPLE)
            time.sleep(chance.uniform(0, EVERY_S))
            harm(stack, chance, counts)
            assert not died(stack.copies[0]), "the witness died"
            witness.look()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"# {told - begun:.0f} s: {stack.people} people, "
                      f"{stack.open_count()} open, memory "
                      f"{witness.samples[-1][0]:.1f} MB, descriptors "
                      f"{witness.samples[-1][1]}", flush=True)
        stack.fault(clear=True)
        recovered = time.monotonic()
        # nobody acts from here on
        settle(stack)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM inbox WHERE state = 0 AND type = 1") == 0,
            60, "receipts are worked off")
        recovered = time.monotonic() - recovered
        for line in stack.check_ledger("--lease-s", "7", "--late-s",
                                       "30").splitlines():
            print(f"# {line}")
        people = stack.number("SELECT count(*) FROM patient")
        told = stack.number("SELECT count(DISTINCT patient_id) FROM delivery "
                            "WHERE state <> 2")
        repeats = stack.number("SELECT count(*) FROM delivery WHERE repeated")
        states = stack.sql("SELECT state, count(*) FROM delivery GROUP BY 1 "
                           "ORDER BY 1")
        print(f"# {counts}; {people} people, states {states}")
        memory = [witness.third(n, 0) for n in (0, 2)]
        files = [witness.third(n, 1) for n in (0, 2)]
        print(f"# memory {memory[0]:.1f} to {memory[1]:.1f} MB, descriptors "
              f"{files[0]:.0f} to {files[1]:.0f}, medians of the first and "
              "last third")
        assert memory[1] <= memory[0] * 1.1 + 2, memory
        assert files[1] <= files[0] + 16, files
        record("soak", f"{SECONDS:.0f} s, three copies, {people} people",
               runs=sum(counts.values()), seed=SEED, lost=people - told,
               repeats=repeats, worst_s=recovered, bound_s=240)
    print("ok 1 - soak")


if __name__ == "__main__":
    sys.exit(main())
