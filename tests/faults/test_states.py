#!/usr/bin/env python3
"""Every way of design.md 3 from state to state, each by what leads to it in
life, so that the suite can ask which was never gone (reached.py)."""

import pathlib
import signal
import sys

from faults import (LEASE_S, SEED, SETTINGS, FaultStack, arm, main, signalled,
                    wait_until)
from fault_table import from_stack, record

(SENDING, HELD, ACCEPTED, REJECTED, RETRY, UNKNOWN, DELIVERED, UNDELIVERED,
 UNCONFIRMED, EXPIRED) = range(1, 11)
# asked so late that what is unknown stays so
SILENT = SETTINGS.replace("ask-after = 1s", "ask-after = 1h")
REFUSED = {"fault": "code", "code": "isv.MOBILE_NUMBER_ILLEGAL",
           "message": "x", "count": 1}
THROTTLED = {"fault": "status", "status": 429, "code": "Throttling.User",
             "message": "x", "retry_after": "1", "count": 1}


def states(stack):
    return {int(row[0]): int(row[1]) for row in stack.sql(
        "SELECT state, count(*) FROM delivery GROUP BY 1")}


def becomes(stack, wanted, limit_s=20):
    try:
        wait_until(lambda: states(stack) == wanted, limit_s, wanted)
    except AssertionError as error:
        raise AssertionError(f"{error}, but {states(stack)}") from error


def one_who_is(faults=(), settings=SETTINGS, **options):
    """One person, whom these faults of the provider meet."""
    stack = FaultStack(settings=settings, **options)
    try:
        for fault in faults:
            stack.fault(**fault)
        stack.copies[0].start()
        stack.add_people(1)
        return stack
    except BaseException:
        stack.close()
        raise


def test_sending_accepted_delivered():
    with one_who_is() as stack:
        becomes(stack, {DELIVERED: 1})
        stack.check()


def test_accepted_undelivered():
    with one_who_is([{"fault": "receipts_undelivered",
                      "code": "MOBILE_OFF"}]) as stack:
        becomes(stack, {UNDELIVERED: 1})
        stack.check()


def test_sending_rejected():
    with one_who_is([REFUSED]) as stack:
        becomes(stack, {REJECTED: 1})
        stack.check_ledger()


def test_retry_sending():
    with one_who_is([THROTTLED]) as stack:
        becomes(stack, {RETRY: 1})
        wait_until(lambda: stack.leap_to_retries() or states(stack) ==
                   {DELIVERED: 1}, 30, "delivered")
        stack.check()


def test_retry_held_when_it_is_done_meanwhile():
    with one_who_is([THROTTLED]) as stack:
        becomes(stack, {RETRY: 1})
        stack.ctl("consent", "p1", "--topic", "refill", "--channel", "sms",
                  "--deny")
        wait_until(lambda: stack.leap_to_retries() or HELD in states(stack),
                   20, "held")
        assert not stack.entries()


def test_retry_expired():
    with one_who_is([THROTTLED]) as stack:
        becomes(stack, {RETRY: 1})
        stack.copies[0].stop()
        stack.sql("UPDATE care_clock SET offset_us = offset_us + "
                  "40 * 86400000000")
        stack.copies[0].start()
        wait_until(lambda: EXPIRED in states(stack), 20, "expired")


def unknown(*faults):
    """Taken or not: the answer does not come."""
    return one_who_is([{"fault": "silent", "count": 1}, *faults], SILENT)


def test_unknown_delivered_or_not_by_a_late_receipt():
    for fault, state in ((None, DELIVERED),
                         ({"fault": "receipts_undelivered",
                           "code": "MOBILE_OFF"}, UNDELIVERED)):
        late = {"fault": "receipts_late", "ms": 3000}
        with unknown(late, *([fault] if fault else [])) as stack:
            becomes(stack, {UNKNOWN: 1})
            becomes(stack, {state: 1})
            assert len(stack.entries()) == 1


def test_unknown_sending_once_where_the_provider_has_nothing():
    with one_who_is([{"fault": "silent_before", "count": 1}]) as stack:
        becomes(stack, {DELIVERED: 1}, 40)
        counted = from_stack(stack, 1)
        assert counted["repeats"] == 1, counted
        stack.check()
        record("2", "no answer, asked twice, repeated once", seed=SEED,
               **counted)


def answer_after_the_lease(state, faults=()):
    """One copy freezes with the answer in its hands, another gives it up."""
    with FaultStack(copies=2, settings=SILENT) as stack:
        frozen, other = stack.copies
        for fault in faults:
            stack.fault(**fault)
        arm(frozen, "after-response", do="stop").start(wait=False)
        stack.add_people(1)
        wait_until(lambda: states(stack) == {SENDING: 1}, 20, "sending")
        other.start()
        becomes(stack, {UNKNOWN: 1}, LEASE_S + 20)
        signalled(frozen, signal.SIGCONT)
        becomes(stack, {state: 1})


def test_unknown_rejected_by_an_answer_after_the_lease():
    answer_after_the_lease(REJECTED, [REFUSED])


def test_unknown_accepted_by_an_answer_after_the_lease():
    answer_after_the_lease(ACCEPTED, [{"fault": "receipts_off"}])


def test_unknown_expired_when_its_repeat_has_no_hours_left():
    with unknown({"fault": "receipts_off"}) as stack:
        becomes(stack, {UNKNOWN: 1})
        stack.copies[0].stop()
        # asked twice in vain, and at 21:30 the hours are over
        stack.sql("UPDATE delivery SET asked = 2, valid_until = "
                  "'2026-03-02T23:00+08'")
        stack.sql("UPDATE agenda SET next_at = '2026-03-02T21:30+08'")
        stack.sql("UPDATE care_clock SET offset_us = offset_us + "
                  "11 * 3600000000")
        stack.copies[0].start()
        becomes(stack, {EXPIRED: 1})


class LoopStack(FaultStack):
    """A provider without receipts: the test plug-in."""

    def write_config(self, number):
        path = pathlib.Path(super().write_config(number))
        path.write_text(path.read_text(encoding="utf-8").replace(
            f"plugin-dir = {self.build}/gateways",
            f"plugin-dir = {self.build}/tests/plugins").replace(
            f"callback-secret-file = {self.folder}/callback\n", ""),
            encoding="utf-8")
        return str(path)


def test_unconfirmed_where_no_receipt_will_come():
    with LoopStack(gateway="loop") as stack:
        stack.copies[0].start()
        stack.add_people(1)
        becomes(stack, {UNCONFIRMED: 1})
        stack.check()


if __name__ == "__main__":
    sys.exit(main(globals()))
