#!/usr/bin/env python3
"""What happens to the process: frozen longer than its lease, told to stop
under load, killed and restarted at random, without memory or descriptors
(faults 4, 5, 6, 9).  The seed is printed first; FAULT_SEED repeats a run,
FAULT_SECONDS (60; the matrix says 600) is how long copies are restarted."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time

from fault_table import from_stack, record
from faults import (BUSY_S, EXHAUSTED, LEASE_S, LOOK_S, SEED,
                    SETTINGS, FaultStack, arm, cpu_s, died, in_time,
                    main, signalled, stop_in_order, wait_until)

SECONDS = int(os.environ.get("FAULT_SECONDS", 60))
FROZEN_S = LEASE_S + 3  # the matrix: 90 s with a lease of 60 s
DRAIN_S = 25
DELIVERIES = ("SELECT md5(string_agg(d::text, ',' ORDER BY d::text)) FROM "
              "delivery d")


def stopped(copy):
    """In state T: it struck."""
    with open(f"/proc/{copy.process.pid}/stat", encoding="ascii") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"


def tell(fault, what, stack, **more):
    stack.check()
    record(fault, what, seed=SEED, **from_stack(stack, stack.people), **more)


def freeze_at(point, count=8):
    """One copy freezes there, the other goes on; thawed when all is over,
    the first changes no row and sends nothing.  How long the others took."""
    with FaultStack(copies=2) as stack:
        frozen, other = stack.copies
        arm(frozen, point, do="stop").start()
        stack.add_people(count)
        wait_until(lambda: stopped(frozen), 20, "it freezes")
        start = time.monotonic()
        other.start(wait=False)
        # receipts go to the first copy's door: asking settles it
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state NOT IN (3, 7)") == 0
            and stack.reached() == count, FROZEN_S + 20, "others go on")
        took = time.monotonic() - start
        time.sleep(max(0, FROZEN_S - took))
        rows, sent = stack.sql(DELIVERIES), len(stack.entries())
        inbox = stack.number("SELECT count(*) FROM inbox")
        signalled(frozen, signal.SIGCONT)
        wait_until(lambda: stack.open_count() == 0, 20, "receipts are in")
        if stack.number("SELECT count(*) FROM inbox") == inbox:
            assert stack.sql(DELIVERIES) == rows, "it changed rows"
        assert len(stack.entries()) == sent, "it sent after its lease"
        assert frozen.process.poll() is None
        tell(4, f"frozen at {point}, {FROZEN_S} s for 90", stack,
             worst_s=took, bound_s=LEASE_S + LOOK_S + 5 + BUSY_S)


def test_fault_04_frozen_before_the_commit_it_frees_its_people():
    freeze_at("before-commit")


def test_fault_04_frozen_after_the_commit_it_sends_nothing_when_thawed():
    freeze_at("after-commit")


def test_fault_04_frozen_before_a_request_it_looks_at_its_lease_again():
    freeze_at("before-request")


def test_fault_04_frozen_under_load_nothing_is_sent_twice():
    chance = random.Random(SEED)
    with FaultStack(copies=2) as stack:
        stack.fault(fault="delay", ms=30)
        for copy in stack.copies:
            copy.start()
        stack.add_people(150)
        for _ in range(2):
            victim = stack.copies[chance.randrange(2)]
            time.sleep(chance.uniform(0.1, 1))
            signalled(victim, signal.SIGSTOP)
            stack.add_people(50)
            time.sleep(FROZEN_S)
            signalled(victim, signal.SIGCONT)
        stack.wait_settled(90)
        tell(4, f"frozen under load, {FROZEN_S} s for 90", stack, runs=2)


def test_fault_05_orderly_stop_under_load_and_a_successor():
    settings = SETTINGS.replace("request = 1s", "request = 5s").replace(
        f"lease = {LEASE_S}s", "lease = 15s")
    with FaultStack(settings=settings) as stack:
        copy = stack.copies[0]
        stack.fault(fault="silent", count=2)
        stack.fault(fault="delay", ms=200)
        stack.add_people(400)
        copy.start()
        wait_until(lambda: len(stack.entries()) > 20, 20, "under load")
        start = time.monotonic()
        signalled(copy, signal.SIGTERM)
        wait_until(lambda: "stopping" in copy.log_text(), 5, "it stops")
        time.sleep(0.5)  # a claim under way may still be written
        written = stack.number("SELECT count(*) FROM delivery")
        status = copy.process.wait(DRAIN_S)
        took = time.monotonic() - start
        assert status == 0, status
        assert stack.number(
            "SELECT count(*) FROM delivery") == written, "claimed"
        assert written < stack.people, "it was not under load any more"
        assert stack.number("SELECT count(*) FROM batch") == 0
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE state = 1") == 0
        start = time.monotonic()
        copy.start()
        in_time(time.monotonic() - start, 5 + BUSY_S, "the successor")
        # what it gave back is a retry, in a minute of care time
        for _ in range(10):
            stack.leap_to_retries()
            time.sleep(0.2)
        stack.wait_settled(90)
        tell(5, "orderly stop under load", stack, worst_s=took,
             bound_s=DRAIN_S)


def test_fault_06_three_copies_restarted_at_random():
    chance = random.Random(SEED + 6)
    restarts = 0
    with FaultStack(copies=3) as stack:
        stack.fault(fault="delay", ms=15)
        for copy in stack.copies:
            copy.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            stack.add_people(chance.randrange(5, 40))
            victim = stack.copies[chance.randrange(3)]
            if chance.randrange(3):
                victim.kill()
            else:
                stop_in_order(victim)
            restarts += 1
            time.sleep(chance.uniform(0, 0.4))
            victim.start(wait=False)
            time.sleep(chance.uniform(0, 0.6))
        for copy in stack.copies:
            wait_until(copy.ready, 30, "adherd is ready")
        stack.wait_settled(90)
        shared = stack.number(
            "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE NOT repeated "
            "GROUP BY bucket, patient_id, occurrence_on, kind, source, slot, "
            "channel HAVING count(*) > 1) d")
        assert shared == 0
        assert stack.receipts_given_up() * 20 < stack.people
        tell(6, f"three copies restarted for {SECONDS} s", stack,
             runs=restarts)


def given_back(copy, why):
    """How many deliveries did not leave for that reason."""
    found = re.search(
        rf'(?m)^adherd_messages_given_back_total{{gateway="sms",reason="{why}"}} (\S+)$',
        copy.metrics().decode())
    return float(found[1]) if found else 0


def test_fault_06_copy_frozen_with_a_full_hand_sends_none_of_it():
    """Its people are taken over by the two others and hear of it by them;
    what it still holds when it thaws does not leave once more."""
    count = 60
    with FaultStack(copies=3, settings=SETTINGS.replace(
            "claim-max = 4", f"claim-max = {count}")) as stack:
        victim = stack.copies[1]
        stack.fault(fault="delay", ms=250)
        stack.add_people(count)
        victim.start()
        held = "SELECT count(*) FROM delivery WHERE state = 1"
        wait_until(lambda: stack.number(held) >= 12, 20, "its hand is full")
        signalled(victim, signal.SIGSTOP)
        start = time.monotonic()
        # four are under way
        assert stack.number(held) >= 8, stack.number(held)
        stack.fault(clear=True)
        for copy in (stack.copies[0], stack.copies[2]):
            copy.start(wait=False)
        stack.wait_settled(LEASE_S + 30)
        took = time.monotonic() - start
        sent = len(stack.entries())
        signalled(victim, signal.SIGCONT)
        wait_until(lambda: given_back(victim, "lease_short") > 0
                   or len(stack.entries()) != sent, 20, "it goes on")
        wait_until(victim.ready, 20, "it is at work again")
        stack.add_people(4)     # and by whomsoever these are sent
        stack.wait_settled(30)
        assert len(stack.entries()) == sent + 4, (
            f"{len(stack.entries()) - sent - 4} were sent after their lease")
        assert victim.process.poll() is None
        tell(6, "frozen with a full hand, two others", stack,
             worst_s=took, bound_s=LEASE_S + LOOK_S + 15 + BUSY_S)


def size_kb(copy):
    with open(f"/proc/{copy.process.pid}/status", encoding="ascii") as status:
        return int(next(line for line in status
                        if line.startswith("VmSize")).split()[1])


def hold_bodies(stack, copy, count=120):
    """Callers whose bodies are not whole, as many as one address may have:
    they fill what is free in its heap."""
    path = stack.callback_url().split(str(copy.callback_port))[1]
    head = (f"POST {path} HTTP/1.1\r\nHost: adherd\r\n"
            "Content-Length: 60000\r\n\r\n").encode()
    callers = []
    with contextlib.suppress(OSError):      # it may be over already
        for _ in range(count):
            callers.append(socket.create_connection(
                ("127.0.0.1", copy.callback_port), 5))
            callers[-1].setblocking(False)
            callers[-1].send(head + b"[" * 59000)
    return callers


def die_of_memory(stack, copy):
    """Enough to begin, not enough to go on: what it left in its hands."""
    for more_kb in (0, 500, 1000, 2000, 4000):
        copy.start()
        stack.add_people(200)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 1"), 10, "it sends")
        subprocess.run(
            ["prlimit", "--pid", str(copy.process.pid),
             f"--as={(size_kb(copy) + more_kb) * 1024}"], check=True)
        callers = hold_bodies(stack, copy)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: died(copy), 8, "its memory is refused")
        for caller in callers:
            caller.close()
        if not died(copy):
            copy.stop()
            continue
        assert copy.process.returncode in (EXHAUSTED, -signal.SIGABRT), (
            copy.process.returncode)
        left = stack.number("SELECT count(*) FROM delivery WHERE state = 1")
        if left:
            return left
    raise AssertionError("it did not die at work")


def test_fault_09_memory_refused_ends_it_and_others_take_over():
    with FaultStack(copies=2, settings=SETTINGS.replace(
            "claim-max = 4", "claim-max = 20"),
            gateway_settings="window = 200\nbatch = 1") as stack:
        first, second = stack.copies
        stack.fault(fault="delay", ms=800)
        print(f"# {die_of_memory(stack, first)} were sending when it died")
        second.start()
        first.start(wait=False)
        stack.wait_settled(120)
        tell(9, "address space refused", stack)


def test_fault_09_descriptors_gone_it_waits_and_never_spins():
    with FaultStack(gateway_settings="window = 200\nbatch = 1",
                    settings=SETTINGS.replace("claim-max = 4",
                                              "claim-max = 300")) as stack:
        copy = stack.copies[0]
        copy.launcher = ["prlimit", "--nofile=64"]
        stack.fault(fault="delay", ms=700)
        copy.start()
        stack.add_people(300)
        wait_until(lambda: len(os.listdir(
            f"/proc/{copy.process.pid}/fd")) >= 60, 20, "none is left")
        # and callers who cannot be let in
        callers = []
        for _ in range(80):
            callers.append(socket.socket())
            callers[-1].setblocking(False)
            callers[-1].connect_ex(("127.0.0.1", copy.callback_port))
        before, start = cpu_s(copy), time.monotonic()
        time.sleep(3)
        share = (cpu_s(copy) - before) / (time.monotonic() - start)
        print(f"# {share:.0%} of a core")
        assert share < 0.1, f"{share:.0%} of a core"
        for caller in callers:
            caller.close()
        end = time.monotonic() + 60
        while stack.reached() < stack.people:
            assert time.monotonic() < end, stack.sql(
                "SELECT state, code, count(*) FROM delivery GROUP BY 1, 2")
            stack.move_clock("+1m")  # retries wait minutes of care time
            time.sleep(0.5)
        stack.wait_settled(60)
        assert copy.process.poll() is None
        tell(9, "64 descriptors", stack)


def test_killed_among_two_thousand_due():
    messages = int(os.environ.get("FAULT_MESSAGES", 2000))
    kills = int(os.environ.get("FAULT_KILLS", 20))
    chance = random.Random(SEED)
    with FaultStack(settings=SETTINGS.replace(
            "claim-max = 4", "claim-max = 50")) as stack:
        copy = stack.copies[0]
        stack.fault(fault="delay", ms=15)
        stack.add_people(messages)
        for number in range(kills):
            copy.start(wait=number % 3 == 0)
            time.sleep(chance.uniform(0.05, 0.8))
            copy.kill()
        left = stack.number("SELECT count(*) FROM delivery WHERE state = 1")
        print(f"# {kills} kills, {left} were sending after the last")
        copy.start()
        stack.wait_settled(120)
        tell(3, "kill -9 among 2,000 due", stack, runs=kills)


def test_two_copies_share_the_work():
    with FaultStack(copies=2, settings=SETTINGS.replace(
            "claim-max = 4", "claim-max = 50")) as stack:
        stack.fault(fault="delay", ms=15)
        stack.add_people(500)
        for copy in stack.copies:
            copy.start(wait=False)
        owners = set()
        wait_until(lambda: owners.update(
            row[0] for row in stack.sql("SELECT owner FROM batch"))
            or stack.number("SELECT count(*) FROM delivery") >= 500, 60,
            "all is planned")
        stack.wait_settled(60)
        assert owners == {"copy-0", "copy-1"}, owners
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE repeated") == 0
        assert len(stack.entries()) == 500
        tell(6, "two copies share the work", stack)


if __name__ == "__main__":
    sys.exit(main(globals()))
