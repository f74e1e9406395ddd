#!/usr/bin/env python3
"""Consent that is withdrawn around the claim (fault 40), and what is bad of
one person or one template among others (fault 41).  The seed is printed
first; FAULT_SEED repeats a run."""

import json
import pathlib
import random
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from fault_table import from_stack, record  # noqa: E402
from faults import SEED, SETTINGS, FaultStack, arm, main  # noqa: E402
from test_database import superuser  # noqa: E402
from stack import Stack, get_json, refill_patients, wait_until  # noqa: E402

CHANCE = random.Random(SEED)
BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 9s\nrequest = 2s\nask-after = 1s\n"
LOOK_S = 1.0
HELD, REJECTED, RETRY, DELIVERED = 2, 4, 5, 7
REASON_NO_CONTACT_WITH_CONSENT = "11"
DELAY_MS = 2000


def states(stack):
    return {int(state): int(count) for state, count in stack.sql(
        "SELECT state, count(*) FROM delivery GROUP BY 1")}


def deny(stack, number):
    stack.ctl("consent", f"p{number}", "--topic", "refill", "--channel",
              "sms", "--deny")


# ---- 40 ----

def withdrawn_at(point):
    """The daemon rests at that point while the consent is withdrawn; the
    stack, when all is over, and whether the command had to wait."""
    stack = Stack(BEGIN, settings=QUICK).begin(refill_patients(1))
    try:
        copy = stack.copies[0]
        if point:
            copy.stop()
            arm(copy, point, do=f"delay:{DELAY_MS}").start()
        else:
            deny(stack, 1)
        stack.move_clock(DUE)
        if point:
            # asleep in there: it does not answer
            wait_until(lambda: not answers(copy), 10, f"it rests at {point}")
            deny(stack, 1)
        wait_until(lambda: {HELD, DELIVERED} & set(states(stack)), 20,
                   f"decided (is {states(stack)})")
        wait_until(stack.at_rest, 20, "all is over")
        return stack
    except BaseException:
        stack.close()
        raise


def answers(copy):
    """Within a quarter of a second?"""
    try:
        with urllib.request.urlopen(f"{copy.admin}/-/healthy", timeout=0.25):
            return True
    except OSError:
        return False


def test_fault_40_withdrawn_before_the_claim_is_not_sent():
    with withdrawn_at(None) as stack:
        assert stack.entries() == []
        assert stack.sql("SELECT state, reason FROM delivery") == [
            [str(HELD), REASON_NO_CONTACT_WITH_CONSENT]]
        stack.check_ledger()
        record(40, "withdrawn before the claim: not sent", seed=SEED)


def test_fault_40_withdrawn_during_or_after_the_claim_is_sent_and_told():
    for point, when in (("before-commit", "during"),
                        ("after-commit", "after")):
        with withdrawn_at(point) as stack:
            assert len(stack.entries()) == 1, when
            # planned under the consent of its time; the withdrawal is later
            planned, given = stack.sql(
                "SELECT d.planned_at, c.given_at FROM delivery d JOIN "
                "consent c USING (bucket, patient_id) WHERE NOT c.permit AND "
                f"d.state = {DELIVERED}")[0]
            assert planned <= given, (planned, given)
            why = stack.ctl("why", "p1")
            assert "delivered" in why, why
            stack.check_ledger()
            record(40, f"withdrawn {when} the claim: sent, and told so",
                   seed=SEED, **from_stack(stack, 1))


def test_fault_40_withdrawals_race_claims_and_each_is_one_or_the_other():
    people = 24
    with Stack(BEGIN, settings=QUICK + "claim-max = 1\n",
               gateway_settings="window = 1\nbatch = 1").begin(
            refill_patients(people),
            [{"fault": "delay", "ms": 40}]) as stack:
        order = list(range(1, people + 1))
        CHANCE.shuffle(order)
        mover = threading.Timer(CHANCE.uniform(0.1, 0.4), stack.move_clock,
                                (DUE,))
        mover.start()
        for number in order:
            deny(stack, number)
        mover.join()
        wait_until(lambda: stack.number(
            f"SELECT count(*) FROM delivery WHERE state IN ({HELD}, "
            f"{DELIVERED})") == people, 30, f"all decided ({states(stack)})")
        stack.check_ledger()
        sent = len(stack.entries())
        assert states(stack).get(DELIVERED, 0) == sent
        late = stack.number(
            "SELECT count(*) FROM delivery d JOIN consent c USING (bucket, "
            f"patient_id) WHERE NOT c.permit AND d.state = {DELIVERED} AND "
            "c.given_at < d.planned_at")
        print(f"# {sent} of {people} were claimed first")
        assert late == 0, f"{late} sent after their withdrawal"
        record(40, f"{people} withdrawals race the claim", seed=SEED,
               runs=people)


# ---- 41 ----

def test_fault_41_recipient_whom_the_provider_refuses_is_alone():
    """The provider refuses the batch for one member, and then this one."""
    people = 30
    with Stack(BEGIN, settings=QUICK).begin(
            refill_patients(people),
            [{"fault": "code", "code": "isv.MOBILE_NUMBER_ILLEGAL",
              "message": "x", "count": 2}]) as stack:
        start = time.monotonic()
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) == people - 1, 20,
                   f"the others (is {states(stack)})")
        took_s = time.monotonic() - start
        wait_until(lambda: states(stack) == {
            REJECTED: 1, DELIVERED: people - 1}, 20, "delivered")
        assert stack.number(
            "SELECT count(*) FROM contact WHERE NOT usable") == 1
        stack.check_ledger()
        record(41, "recipient refused among 30", seed=SEED, runs=people,
               worst_s=took_s, bound_s=2 * LOOK_S,
               **from_stack(stack, people - 1))


def test_fault_41_address_that_cannot_be_expressed_is_alone():
    people = refill_patients(30)
    for resource in people:
        if resource["id"] == "p7":
            # E.164 in form, and no number of the provider's
            resource["telecom"][0]["value"] = "+8612"
    with Stack(BEGIN, settings=QUICK).begin(people) as stack:
        start = time.monotonic()
        stack.move_clock(DUE)
        wait_until(lambda: states(stack).get(DELIVERED) == 29, 20,
                   f"the others (is {states(stack)})")
        took_s = time.monotonic() - start
        assert sum(states(stack).values()) == 30
        assert {REJECTED, HELD} & set(states(stack)), states(stack)
        stack.check_ledger()
        record(41, "bad address among 30", seed=SEED, runs=30,
               worst_s=took_s, bound_s=2 * LOOK_S + 1,
               **from_stack(stack, 29))


class OneTemplateMissing(Stack):
    """The provider does not know the text of one stage."""

    def register_templates(self):
        super().register_templates()
        for row in json.loads((self.folder / "registrations.json"
                               ).read_text()):
            if (row["kind"], row["stage"]) == ("refill", "-7d") and \
                    row["locale"] == "zh-CN":
                missing = row["code"]
        path = self.folder / "sim-templates.json"
        path.write_text(json.dumps([
            row for row in json.loads(path.read_text())
            if row["code"] != missing], ensure_ascii=False))


def test_fault_41_template_that_is_refused_stops_no_other():
    # twenty run out in a week, twenty tomorrow: another text
    people = refill_patients(20) + refill_patients(20, "2026-02-03", 101)
    with OneTemplateMissing(BEGIN, settings=QUICK).begin(people) as stack:
        start = time.monotonic()
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) >= 20, 20,
                   f"the others (is {states(stack)})")
        took_s = time.monotonic() - start
        assert all(int(entry["address"][-7:]) > 100
                   for entry in stack.entries())
        wait_until(lambda: states(stack).get(DELIVERED, 0) >= 20
                   and states(stack).get(RETRY) == 20, 20, "delivered")
        paused = stack.sql("SELECT scope, code FROM gateway_pause")
        assert len(paused) == 1 and paused[0][0].startswith("template:"), (
            paused)
        assert paused[0][1] == "isv.SMS_TEMPLATE_ILLEGAL", paused
        # some have a second thing to hear, two minutes later
        entries = stack.entries()
        twice = get_json(f"{stack.sim}/ledger/duplicates")["by_reference"]
        record(41, "one template refused", seed=SEED, runs=40,
               lost=20 - len({entry["address"] for entry in entries}),
               doubled=len(twice), worst_s=took_s, bound_s=2 * LOOK_S + 1)


# ---- and whom the database refuses ----

def test_person_who_cannot_be_written_is_found_among_all_kinds_of_others():
    """Urgent, and others are due in every slice of the buckets: a round of
    one of each kind would never show who it is."""
    people = 400
    with FaultStack(settings=SETTINGS.replace(
            "claim-max = 4", "claim-max = 16")) as stack:
        stack.add_people(people)
        bad = stack.number("SELECT min(patient_id) FROM agenda")
        stack.sql("UPDATE agenda SET class = CASE patient_id WHEN "
                  f"{bad} THEN 0 ELSE 1 END")
        assert stack.number("SELECT count(DISTINCT bucket / 64) FROM agenda "
                            "WHERE class = 1") == 16
        superuser(stack, f"""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF NEW.patient_id = {bad} THEN
                RAISE 'bad' USING ERRCODE = '22003';
              END IF;
              RETURN NEW;
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON delivery FOR EACH ROW
              EXECUTE FUNCTION refuse()""")
        start = time.monotonic()
        copy = stack.copies[0].start()
        wait_until(lambda: stack.reached() == people - 1, 30,
                   "all others hear of it")
        took_s = time.monotonic() - start
        log = copy.log_text()
        assert log.count("worker.set_aside") == 1, log[-2000:]
        assert f"patient={bad}" in log.split("worker.set_aside")[1]
        record(41, "one whom the database refuses, urgent", seed=SEED,
               runs=people, worst_s=took_s, bound_s=20)


if __name__ == "__main__":
    sys.exit(main(globals()))
