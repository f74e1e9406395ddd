#!/usr/bin/env python3
"""Replies through deaths: at each crash point of their work, at a crash of
the database, with two copies at them: each is worked on once, and answered
once."""

import sys
import time

from fault_table import record
from faults import SEED, FaultStack, arm, died, main, wait_until

PEOPLE = 4
QUESTION = "能和阿司匹林一起吃吗"
POINTS = ["reply-before-commit", "reply-after-commit"]


def told(stack):
    """How many replies, tasks of theirs, and answers that left."""
    return (stack.number("SELECT count(*) FROM reply"),
            stack.number("SELECT count(*) FROM task WHERE kind = 5"),
            sum("已转给" in entry["text"] for entry in stack.entries()))


def wait_told(stack, count, limit_s=40):
    stack.settle_replies(limit_s)
    wait_until(lambda: told(stack) == (count,) * 3, limit_s,
               f"{count} replies, tasks and answers (are {told(stack)})")
    time.sleep(1)
    assert told(stack) == (count,) * 3, told(stack)
    assert stack.number("SELECT count(*) FROM inbox WHERE type = 2 AND "
                        "state <> 1") == 0


def begin(stack):
    for copy in stack.copies:
        copy.start()
    stack.add_people(PEOPLE)
    stack.wait_settled()


def test_death_at_each_point_loses_and_doubles_nothing():
    runs = 0
    with FaultStack() as stack:
        begin(stack)
        copy = stack.copies[0]
        for point in POINTS:
            for nth in (1, 2):
                copy.stop()
                arm(copy, point, nth).start()
                for number in range(1, PEOPLE + 1):
                    # the last may meet a dead one: the provider comes again
                    try:
                        stack.say(number, QUESTION)
                    except OSError:
                        pass
                wait_until(lambda: died(copy), 20, "it dies")
                arm(copy).start()
                kept = stack.number(
                    "SELECT count(*) FROM inbox WHERE type = 2")
                assert kept >= nth, kept
                runs += 1
                wait_told_all(stack)
        record("21", "death while a reply is worked on", runs=runs, seed=SEED)


def wait_told_all(stack):
    """Each stored reply has its row; of answers three a day."""
    stack.settle_replies(40)
    rows, tasks, _ = told(stack)
    stored = stack.number("SELECT count(*) FROM inbox WHERE type = 2")
    assert (rows, tasks) == (stored, stored), (rows, tasks, stored)
    owed = stack.number("SELECT count(*) FROM reply WHERE answer > 0")
    # what was leaving at a death may have left: it is not said again
    wait_until(lambda: told(stack)[2] + stack.number(
        "SELECT count(*) FROM delivery WHERE kind = 5 AND state = 6 AND "
        "settled_at IS NOT NULL") >= owed, 30,
        f"{owed} answers leave: {told(stack)}")
    assert told(stack)[2] <= owed, (told(stack), owed)


def test_crash_of_the_database_between_replies():
    with FaultStack() as stack:
        begin(stack)
        for number in range(1, PEOPLE + 1):
            stack.say(number, QUESTION)
            if number == 2:
                stack.cluster.crash()
                wait_until(stack.copies[0].ready, 30, "it is back")
        wait_told(stack, PEOPLE)
        record("16", "crash of the database between replies", seed=SEED)


def test_two_copies_work_on_each_once():
    with FaultStack(copies=2) as stack:
        begin(stack)
        for number in range(1, PEOPLE + 1):
            stack.say(number, QUESTION, copy=number % 2)
        wait_told(stack, PEOPLE)


def test_reply_that_cannot_be_worked_on_stands_in_nobodys_way():
    with FaultStack() as stack:
        begin(stack)
        first = stack.number(
            "SELECT patient_id FROM patient WHERE source_id = 'p1'")
        stack.sql("ALTER TABLE reply ADD CONSTRAINT never CHECK "
                  f"(patient_id <> {first})")
        stack.say(1, "胸痛喘不上气")
        stack.say(2, QUESTION)
        wait_until(lambda: told(stack)[0] == 1, 20, "the other is worked on")
        wait_until(lambda: stack.number(
            "SELECT max(tries) FROM inbox WHERE type = 2") >= 1, 20,
            "it was tried")
        assert "reply.work_failed" in stack.copies[0].log_text()
        stack.sql("ALTER TABLE reply DROP CONSTRAINT never")
        wait_until(lambda: told(stack)[0] == 2, 40, "it comes again")
        assert stack.number("SELECT count(*) FROM patient WHERE "
                            "safety_hold") == 1


if __name__ == "__main__":
    sys.exit(main(globals()))
