#!/usr/bin/env python3
"""Claim-ahead: who will be due is claimed before, what is for them leaves at
its instant, and what happens meanwhile is obeyed."""

import datetime
import sys
import time

from stack import CHINA, Stack, Tap, refill_patients, wait_until

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = datetime.datetime(2026, 3, 2, 10, tzinfo=CHINA)
SETTINGS = "claim-ahead = 5s\nlease = 20s\nrequest = 2s\n"


def sending(stack):
    return stack.number("SELECT count(*) FROM delivery WHERE state = 1")


def held(count, before_s=4.0):
    """A stack whose people are all claimed, and nothing has left."""
    stack = Stack(BEGIN, settings=SETTINGS).begin(refill_patients(count))
    stack.move_clock((DUE - datetime.timedelta(seconds=before_s)).isoformat())
    wait_until(lambda: sending(stack) == count, 3, "all are claimed ahead")
    assert not stack.entries()
    return stack


def lags_s(stack):
    """How long after its instant, care time, each message arrived."""
    offset = datetime.timedelta(seconds=stack.care_offset_s())
    return [(datetime.datetime.fromisoformat(
        entry["at"].replace("Z", "+00:00")) + offset - DUE).total_seconds()
        for entry in stack.entries()]


def test_leaves_at_its_instant():
    """claimed ahead, nothing leaves early and all at once"""
    with held(30) as stack:
        wait_until(lambda: len(stack.entries()) == 30, 10, "all have left")
        lags = lags_s(stack)
        print(f"# lags {min(lags) * 1000:.0f} to {max(lags) * 1000:.0f} ms")
        assert 0 <= min(lags) and max(lags) < 1, lags
        wait_until(stack.at_rest, 10, "outcomes are written")
        stack.check_ledger()


def test_counts_as_sent_at_its_instant():
    """what a copy remembers to have sent covers what it claimed ahead"""
    with held(2) as stack:
        wait_until(lambda: len(stack.entries()) == 2, 10, "both have left")
        wait_until(stack.at_rest, 10, "outcomes are written")
        assert stack.sql("SELECT sent_at > %s FROM sending_mark" % (
            f"'{DUE.isoformat()}'")) == [["t"]]


def test_withdrawn_while_held():
    """consent withdrawn while a message is held: it does not leave"""
    with held(3) as stack:
        stack.ctl("consent", "p2", "--topic", "refill", "--channel", "sms",
                  "--deny")
        wait_until(lambda: len(stack.entries()) == 2, 10, "two have left")
        wait_until(stack.at_rest, 10, "outcomes are written")
        time.sleep(0.5)
        assert len(stack.entries()) == 2
        assert stack.number("SELECT count(*) FROM delivery "
                            "WHERE state IN (3, 7) AND attempts = 1") == 2
        assert stack.number("SELECT count(*) FROM delivery WHERE state = 2 "
                            "AND code = 'touched'") == 1
        stack.check_ledger()


def test_stop_while_held():
    """an orderly stop gives back what is held; it leaves once, later"""
    with held(5) as stack:
        stack.copies[0].stop()
        assert sending(stack) == 0
        assert not stack.entries()
        stack.copies[0].start()
        wait_until(lambda: len(stack.entries()) >= 5, 15, "all have left")
        wait_until(stack.at_rest, 10, "outcomes are written")
        assert len(stack.entries()) == 5
        assert min(lags_s(stack)) >= 0
        stack.check_ledger()


def test_clock_moved_while_held():
    """care time moved while messages are held: they leave once"""
    with held(5) as stack:
        stack.move_clock("+10m")
        wait_until(lambda: len(stack.entries()) == 5, 10, "all have left")
        assert min(lags_s(stack)) >= 595
        wait_until(stack.at_rest, 10, "outcomes are written")
        stack.check_ledger()


if __name__ == "__main__":
    sys.exit(Tap().run([
        test_leaves_at_its_instant, test_counts_as_sent_at_its_instant,
        test_withdrawn_while_held,
        test_stop_while_held, test_clock_moved_while_held]))
