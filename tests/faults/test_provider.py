#!/usr/bin/env python3
"""What a provider can do below and above HTTP (faults 23, 24, 25, 27, 28):
nothing is lost, nothing doubled, each request ends at its bound, and the
other gateway goes on.  The seed is printed first; FAULT_SEED repeats a
run."""

import datetime
import os
import random
import socket
import subprocess
import sys
import time

from bad_provider import (DELIVERED, DUE, EXPIRED, QUICK, RETRY, SIMULATED,
                          SPOILED, UNKNOWN, WECHAT, Troubled, authority, body,
                          by_wechat, make_certificate, tls_context)
from fault_table import record
from faults import SEED, recovers, resident_kb, tell
from stack import Tap, get_json, refill_patients, wait_until

CHANCE = random.Random(SEED)
LOOK_S = 1.0
CONNECT_S, REQUEST_S = 3.0, 20.0
# the bounds of the matrix, not the short ones of other tests
LONG = "lease = 60s\nrequest = 20s\nconnect = 3s\nask-after = 5m\n"
ANSWER_KB_MAX = 8 << 10     # read before it is given up, and in sockets
GROWTH_KB_MAX = 8 << 10
PROBE_S = 5     # a minute, where nothing else is set


def goes_on(stack, *numbers):
    """WeChat's people are served meanwhile; how long it took."""
    start = time.monotonic()
    wait_until(lambda: stack.states(WECHAT) == {DELIVERED: len(numbers)}, 20,
               "the other gateway goes on")
    return time.monotonic() - start


def first_retry(stack, limit_s=20):
    start = time.monotonic()
    stack.move_clock(DUE)
    wait_until(lambda: stack.states().get(RETRY, 0) > 0, limit_s, "a retry")
    assert UNKNOWN not in stack.states(), (stack.states(), stack.codes())
    return time.monotonic() - start


# ---- 23: surely not accepted ----

def test_fault_23_refused_connect_is_tried_again():
    with Troubled().begin(refill_patients(5)) as stack:
        took_s = first_retry(stack)
        stack.provider("pass")
        recovers(stack, 5)
        tell(23, "closed port", stack, 5, worst_s=took_s,
             bound_s=CONNECT_S + LOOK_S)


def over_tls(folder, people, **options):
    return Troubled(url="https://localhost", sms=f"ca-file = {folder}/ca.pem",
                    **options).begin(people)


def test_fault_23_reset_before_the_request_is_tried_again():
    with authority() as folder, over_tls(
            folder, refill_patients(5)) as stack:
        bad = stack.provider("reset", tls_context(folder, "good"))
        took_s = first_retry(stack)
        bad.mode = "pass"
        recovers(stack, 5)
        tell(23, "reset before the request", stack, 5, worst_s=took_s,
             bound_s=CONNECT_S + LOOK_S)


def test_fault_23_name_that_does_not_exist_is_tried_again():
    people = refill_patients(3) + by_wechat(3, first=11)
    with Troubled(url="https://provider.invalid").begin(people) as stack:
        # what resolves it may take its time, but has a bound
        took_s = first_retry(stack)
        goes_on(stack, 11, 12, 13)
        tell(23, "name that does not exist", stack, 3, worst_s=took_s,
             bound_s=CONNECT_S + LOOK_S + 2)


def silent_resolver():
    """A name server that takes questions and answers none."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.7.7.7", 53))
    return server


def may_name_a_resolver():
    """Port 53 and a mount of our own are root's, and not every container's."""
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-m", "true"], check=False).returncode == 0


def test_fault_23_resolver_that_says_nothing_stops_nobody():
    if not may_name_a_resolver():
        print("# not tried: needs root and a mount namespace")
        return
    people = refill_patients(3) + by_wechat(3, first=11)
    with silent_resolver(), Troubled(
            url="https://provider.example", settings=LONG) as stack:
        (stack.folder / "resolv.conf").write_text("nameserver 127.7.7.7\n")
        stack.copies[0].launcher = [
            "unshare", "-m", "sh", "-c",
            f"mount --bind {stack.folder}/resolv.conf /etc/resolv.conf && "
            'exec "$@"', "-"]
        stack.copies[0].start()
        stack.import_bundle("clinic", people)
        stack.wait_looked_at()
        stack.move_clock(DUE)
        slowest_s, end = 0.0, time.monotonic() + 20
        while stack.states().get(RETRY, 0) == 0:
            assert time.monotonic() < end, stack.states()
            start = time.monotonic()
            stack.copies[0].ready()
            slowest_s = max(slowest_s, time.monotonic() - start)
            time.sleep(0.05)
        goes_on(stack, 11, 12, 13)
        assert UNKNOWN not in stack.states()
        print(f"# slowest answer of the admin door: {slowest_s:.2f} s")
        record(23, "silent resolver: the loop answers", seed=SEED,
               worst_s=slowest_s, bound_s=1)


# ---- 24: no answer in time ----

def test_fault_24_each_way_to_say_nothing_ends_at_its_bound():
    """Five people, five connections, each treated in another way."""
    modes = ["close", "half_close", "silent", "trickle", "trickle"]
    CHANCE.shuffle(modes)
    with Troubled(settings=LONG).begin(refill_patients(5)) as stack:
        bad = stack.provider("silent")
        bad.modes = list(modes)
        start = time.monotonic()
        stack.move_clock(DUE)
        wait_until(lambda: stack.states().get(UNKNOWN, 0) == 5,
                   5 * (REQUEST_S + LOOK_S), "all are unknown")
        whole_s = time.monotonic() - start
        visits = [visit for visit in bad.visits if visit.ended_s is not None]
        print(f"# {len(visits)} connections in {whole_s:.1f} s: " + ", ".join(
            f"{v.mode} {v.ended_s:.1f}" for v in visits))
        slow = [v for v in visits if v.mode in ("silent", "trickle")]
        assert len(slow) >= 3
        for visit in slow:
            assert visit.ended_s > REQUEST_S - 1, (visit.mode, visit.ended_s)
        # bytes may have left: nobody is tried a second time
        assert len(bad.visits) == 5, [v.mode for v in bad.visits]
        record(24, "closes, half-closes, silent, a byte a second", seed=SEED,
               runs=5, worst_s=max(v.ended_s for v in visits),
               bound_s=REQUEST_S + LOOK_S)


def test_fault_24_full_backlog_ends_after_three_seconds_and_is_sure():
    with Troubled(settings=LONG).begin(refill_patients(2)) as stack:
        stack.provider("full")
        took_s = first_retry(stack)
        assert took_s > CONNECT_S - 0.5, took_s
        stack.provider("pass")
        recovers(stack, 2)
        tell(24, "full listen backlog", stack, 2, worst_s=took_s,
             bound_s=CONNECT_S + 2 * LOOK_S)


def rate(stack, count, since=0):
    """Messages a second that WeChat took, by the ledger, ends cut off."""
    def taken():
        return [datetime.datetime.fromisoformat(e["at"]) for e in
                stack.entries()[since:]]

    wait_until(lambda: len(taken()) == count, 60, "all are taken")
    cut = count // 10
    first, last = sorted(taken())[cut], sorted(taken())[-1 - cut]
    return (count - 2 * cut - 1) / (last - first).total_seconds()


def test_fault_24_dead_provider_leaves_the_other_its_throughput():
    """The window and the simulator's delay decide the rate, not the
    machine: 4 requests of 80 ms at a time."""
    count = 320
    settings = "lease = 60s\nrequest = 20s\nclaim-max = 100\n"
    with Troubled(settings=settings, wechat="window = 4").begin(
            by_wechat(count),
            [{"fault": "delay", "ms": 80, "endpoint": "loopback"}]) as stack:
        stack.provider("silent")
        stack.move_clock(DUE)
        alone = rate(stack, count)
        # a day before run-out: the next one for all, and the dead
        # provider's people
        stack.import_bundle("clinic", refill_patients(40, first=2001))
        stack.move_clock("2026-03-08T10:00:01+08:00")
        beside = rate(stack, count, count)
        waiting = stack.states()
        print(f"# {alone:.1f} a second alone, {beside:.1f} beside a dead one "
              f"whose people are {waiting}")
        assert sum(waiting.values()) > 0
        assert beside >= 0.95 * alone, (beside, alone)
        record(24, "other gateway beside a dead one: "
               f"{100 * beside / alone:.0f} %", seed=SEED, runs=2 * count)


# ---- 25: a 200 that says nothing ----

def test_fault_25_garbage_in_every_form_is_unknown_and_costs_no_memory():
    forms = [*SPOILED, *(f"once:{form}" for form in SIMULATED)]
    CHANCE.shuffle(forms)
    people = 2 * len(forms) + 2
    with Troubled(sms="window = 1").begin(
            refill_patients(people),
            [{"fault": "receipts_off"}]) as stack:
        bad = stack.provider("once")
        bad.answers = SPOILED
        # good ones between, so that nobody gives the provider up; the first
        # two make ready what is kept from then on
        bad.modes = ["once", "once"] + [
            mode for form in forms for mode in (form, "once")]
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) >= 1, 20, "the first")
        before_kb = resident_kb(stack.copies[0].process.pid)
        wait_until(lambda: sum(stack.states().values()) == people and
                   not {1, RETRY} & set(stack.states()), 120, "all are sent")
        growth_kb = resident_kb(stack.copies[0].process.pid) - before_kb
        state_of = {row[0]: int(row[1]) for row in stack.sql(
            "SELECT p.source_id, d.state FROM delivery d JOIN patient p "
            "USING (bucket, patient_id)")}
        assert all(visit.address for visit in bad.visits), [
            v.mode for v in bad.visits if not v.address]
        for visit in bad.visits:
            state = state_of[f"p{int(visit.address[-7:])}"]
            assert state == (3 if visit.mode == "once" else UNKNOWN), (
                visit.mode, state)
        assert len(bad.visits) == people
        longest = max(v.sent_bytes for v in bad.visits)
        print(f"# {len(forms)} forms, {stack.codes()}; the daemon grew by "
              f"{growth_kb} kB; the longest answer was given up after "
              f"{longest >> 10} kB")
        assert growth_kb < GROWTH_KB_MAX, growth_kb
        assert longest < ANSWER_KB_MAX << 10, longest
        stack.check_ledger()
        record(25, f"{len(forms)} forms of garbage, {growth_kb} kB more",
               runs=len(forms), seed=SEED, worst_s=max(
                   v.ended_s for v in bad.visits), bound_s=2 + LOOK_S)


# ---- 27: the account is refused ----

def account_refused(what, refuse, mend, **options):
    """Nobody's message is lost to it: who waits waits until it is too late,
    the others go on, and what comes after the account is mended is sent."""
    people = refill_patients(3) + by_wechat(3, first=11)
    with Troubled(settings=f"{QUICK}probe = {PROBE_S}s\n",
                  **options).begin(people) as stack:
        refuse(stack)
        first_retry(stack)
        goes_on(stack, 11, 12, 13)
        paused = stack.sql("SELECT gateway, scope FROM gateway_pause WHERE "
                           "paused_until > clock_timestamp()")
        assert paused == [["sms", ""]], paused
        assert "gateway.paused" in stack.copies[0].log_text(), "an alarm"
        assert stack.copies[0].ready(), "the other gateway is usable"
        # none is given up while it is valid, and nobody storms
        assert set(stack.states()) == {RETRY}, stack.states()
        stack.move_clock("2026-03-06T10:01:00+08:00")
        wait_until(lambda: stack.states().get(EXPIRED, 0) == 3, 20,
                   f"too late (is {stack.states()})")
        assert not [e for e in stack.entries()
                    if e["address"].startswith("+")]
        mend(stack)
        stack.move_clock("2026-03-08T10:00:01+08:00")
        # at most a probe's pause, then one tries
        start = time.monotonic()
        wait_until(lambda: stack.states().get(DELIVERED, 0) == 3, 30,
                   f"mended (is {stack.states()}, {stack.codes()})")
        assert not get_json(f"{stack.sim}/ledger/duplicates")["by_reference"]
        record(27, what, seed=SEED, worst_s=time.monotonic() - start,
               bound_s=PROBE_S + 3 * LOOK_S)


def test_fault_27_refused_key_pauses_its_gateway_only():
    for status in (401, 403):
        def refuse(stack, status=status):
            bad = stack.provider("refuse")
            bad.answers["refuse"] = body(b"{}", b"HTTP/1.1 %d No\r\n"
                                         b"Connection: close\r\n" % status)

        account_refused(str(status), refuse,
                        lambda stack: stack.provider("pass"))


def test_fault_27_empty_account_pauses_its_gateway_only():
    account_refused(
        "isv.AMOUNT_NOT_ENOUGH",
        lambda stack: stack.fault(fault="code", endpoint="aliyun",
                                  code="isv.AMOUNT_NOT_ENOUGH", message="x"),
        lambda stack: stack.fault(clear=True), plugin="sms_aliyun")


# ---- 28: TLS ----

def test_fault_28_certificate_that_is_wrong_never_gets_a_message():
    with authority() as folder:
        make_certificate(folder, "expired", "localhost", expired=True)
        make_certificate(folder, "stranger", "another.example")
        wrong = {"expired": tls_context(folder, "expired"),
                 "wrong name": tls_context(folder, "stranger"),
                 "TLS 1.1": tls_context(folder, "good", old=True),
                 "plain": None}
        people = refill_patients(3) + by_wechat(3, first=11)
        with over_tls(folder, people,
                      settings=f"{QUICK}probe = 1s\n") as stack:
            for name, context in wrong.items():
                bad = stack.provider("pass", context)
                stack.move_clock("+80m" if stack.states() else DUE)
                wait_until(lambda: [v for v in bad.visits if v.ended_s
                                    is not None], 20,
                           f"{name}: a connection")
                wait_until(lambda: stack.states() == {RETRY: 3}, 20,
                           f"{name}: refused")
                assert not [v for v in bad.visits if v.address], name
            goes_on(stack, 11, 12, 13)
            paused = stack.sql("SELECT gateway, scope FROM gateway_pause")
            assert paused == [["sms", ""]], paused
            assert stack.codes() <= {"certificate_refused", "TLS_failed"}, (
                stack.codes())
            stack.provider("pass", tls_context(folder, "good"))
            recovers(stack, 3)
            tell(28, "expired, wrong name, TLS 1.1, plain", stack, 6,
                 runs=len(wrong))


def test_fault_28_authority_of_a_stranger_is_refused():
    """A good certificate, of an authority that is not in ca-file."""
    with authority() as ours, authority() as theirs, over_tls(
            ours, refill_patients(2)) as stack:
        stack.provider("pass", tls_context(theirs, "good"))
        first_retry(stack)
        assert stack.codes() == {"certificate_refused"}, stack.codes()
        assert stack.entries() == []
        stack.provider("pass", tls_context(ours, "good"))
        recovers(stack, 2)
        tell(28, "unknown authority", stack, 2)


if __name__ == "__main__":
    print(f"# seed {SEED}", flush=True)
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
