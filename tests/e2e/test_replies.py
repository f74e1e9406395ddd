#!/usr/bin/env python3
"""What patients answer, and what follows: as `tasks`, `why` and the database
have it."""

import sys

from asked import (
    BEGIN, CANCELLED, DUE, EMERGENCY, HANDED_OVER, NOTED, OPT_OUT, ORDER,
    QUICK, Replies, asked, at_one_number, consented)
from stack import (
    Tap, consent, fill, patient, prescription, refill_patients, wait_until)


def test_digit_answers_the_question_that_is_open():
    with asked() as stack:
        stack.hear(1, "１")
        reply = stack.replies(1)[0]
        assert reply["intents"] == ["refill_yes"], reply
        assert reply["asked"] == "refill" and reply["certain"], reply
        assert reply["rules"] == ["menu"], reply
        task = stack.tasks(1, "--text")
        assert [t["about"] for t in task] == ["refill_yes"], task
        assert task[0]["text"] == "１" and not task[0]["urgent"], task
        # it is answered: the next digit answers nothing
        stack.move_clock("+16m")
        stack.hear(1, "1")
        second = stack.replies(1)[1]
        assert second["intents"] == ["unclear"], second
        assert second["asked"] is None, second
        stack.answered(1, ORDER, HANDED_OVER)
        stack.check_ledger()


def test_word_that_is_no_answer_leaves_the_question_open():
    with asked() as stack:
        stack.hear(1, "谢谢")
        stack.hear(1, "1")
        assert [r["intents"] for r in stack.replies(1)] == [
            ["thanks_or_chitchat"], ["refill_yes"]], stack.replies(1)


def test_question_of_three_days_ago_is_not_open():
    with asked() as stack:
        stack.move_clock("+49h")
        stack.hear(1, "1")
        assert stack.replies(1)[0]["intents"] == ["unclear"]


def test_emergency_holds_everything_until_a_person_ends_it():
    with asked() as stack:
        stack.hear(1, "胸痛喘不上气")
        assert stack.person(1) == (True, True, False), stack.person(1)
        task = stack.tasks(1)
        assert [(t["about"], t["urgent"]) for t in task] == [
            ("emergency", True)], task
        assert "adverse_event" in stack.replies(1)[0]["intents"]
        stack.move_clock("2026-03-06T10:00:30+08:00")
        wait_until(lambda: "safety_hold" in stack.ctl(
            "why", "p1"), 10, "it is held")
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM obstacle WHERE ended_at IS NULL") == 1, 10,
            "the obstacle is on record")
        assert len(stack.reminders_to(1)) == 1
        stack.answered(1, EMERGENCY)
        run = stack.ctl("release", "p1", "--safety-hold", check=False)
        assert run.returncode == 64, run
        stack.ctl("release", "p1", "--safety-hold", "--adverse-event",
                  "--by", "nurse")
        assert stack.person(1) == (False, False, False)
        wait_until(lambda: len(stack.reminders_to(1)) == 2, 10,
                   "the reminder of that day goes out")
        assert stack.tasks(1) == []
        done = stack.tasks(1, "--done")
        assert [t["done_by"] for t in done] == ["nurse"], done


def test_side_effect_holds_refills():
    with asked() as stack:
        stack.hear(1, "吃了头晕")
        assert stack.person(1) == (False, True, False)
        task = stack.tasks(1)
        assert [(t["about"], t["urgent"]) for t in task] == [
            ("adverse_event", True)], task
        stack.ctl("task", "done", task[0]["task"], "--by", "pharmacist")
        assert stack.tasks(1) == []
        run = stack.ctl("task", "done", task[0]["task"], "--by", "x",
                        check=False)
        assert run.returncode == 65, run
        # done is not released: that is another word
        assert stack.person(1) == (False, True, False)


def test_refusal_is_obeyed_for_all_at_that_number():
    people = refill_patients(3)
    shared = people[0]["telecom"][0]["value"]
    second = [r for r in people if r["resourceType"] == "Patient"][1]
    second["telecom"][0]["value"] = shared
    with Replies(BEGIN, settings=QUICK).begin(people) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 7") == 3, 20,
            "they are asked")
        stack.hear(1, "退订")
        everything = [(1, 79, 30), (2, 79, 30)]   # the caregiver, too
        assert consented(stack, 1) == everything, consented(stack, 1)
        assert consented(stack, 2) == everything, consented(stack, 2)
        assert consented(stack, 3) == []
        assert stack.tasks(1) == [] and stack.tasks(2) == []
        stack.answered(1, OPT_OUT)
        sent = len(stack.reminders_to(1))
        stack.move_clock("2026-03-06T10:00:30+08:00")
        wait_until(lambda: len(stack.reminders_to(3)) == 2, 10,
                   "who did not refuse is reminded")
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM obstacle WHERE ended_at IS NULL") == 2, 10,
            "no_consent stands")
        assert len(stack.reminders_to(1)) == sent
        stack.hear(1, "恢复提醒")
        assert [r["intents"] for r in stack.replies(1)][-1] == ["opt_in"]


def test_code_says_who_is_meant_at_a_shared_number():
    with asked(2, at_one_number(),
               gateway_settings="reply-codes = yes") as stack:
        code = 100 + stack.number(
            "SELECT patient_id FROM patient WHERE source_id = 'p2'") % 900
        assert sorted(e["extension"] for e in stack.entries()) == sorted(
            str(100 + int(row[0]) % 900) for row in stack.sql(
                "SELECT patient_id FROM patient"))
        # a code of nobody's: it is not clear
        stack.say(1, "1", extension="77099")
        stack.settle_replies()
        assert not stack.replies(1)[0]["certain"]
        assert not stack.replies(2)[0]["certain"]
        stack.say(1, "1", extension=f"77{code}")
        stack.settle_replies()
        assert len(stack.replies(1)) == 1
        reply = stack.replies(2)[1]
        assert reply["certain"], reply
        assert reply["intents"] == ["refill_yes"], reply


def test_danger_at_a_shared_number_concerns_both():
    with asked(2, at_one_number()) as stack:
        stack.hear(1, "1")
        for number in (1, 2):
            reply = stack.replies(number)[0]
            assert not reply["certain"], reply
            assert reply["intents"] == ["unclear"], reply
        stack.hear(1, "胸痛喘不上气")
        assert stack.person(1)[0] and stack.person(2)[0]


def test_danger_in_answer_to_one_of_two_concerns_both():
    people = at_one_number()
    people[5]["provision"]["type"] = "deny"
    with asked(people=people) as stack:
        stack.hear(1, "胸痛喘不上气")
        assert stack.person(1)[0] and stack.person(2)[0]
        assert stack.replies(1)[0]["certain"]
        assert not stack.replies(2)[0]["certain"]
        assert stack.replies(2)[0]["effects"] == ["safety_hold", "task"]
        stack.answered(1, EMERGENCY)


def test_pauses_and_addresses():
    with asked(4) as stack:
        stack.hear(1, "我爸上个月去世了，别再发了")
        assert stack.person(1)[2], "paused"
        assert stack.sql("SELECT deceased_at FROM patient WHERE source_id = "
                         "'p1'") == [["infinity"]]
        stack.hear(2, "你发错人了，我不认识他")
        assert stack.sql(
            "SELECT c.usable FROM contact c JOIN patient p USING (bucket, "
            "patient_id) WHERE p.source_id = 'p2'") == [["f"]]
        stack.hear(3, "医生让我停药了")
        assert stack.person(3)[2], "paused"
        assert [t["about"] for t in stack.tasks(3)] == ["stopped"]
        stack.ctl("release", "p3", "--pause", "--by", "nurse")
        assert not stack.person(3)[2] and stack.tasks(3) == []
        stack.hear(4, "请问这个药能和阿司匹林一起吃吗")
        assert [t["about"] for t in stack.tasks(4)] == ["question"]


def test_stranger_and_repeats():
    with asked() as stack:
        stack.say("19912345678", "退订")
        stack.say(1, "要续药", sequence_id=777)
        stack.say(1, "要续药", sequence_id=777)
        stack.settle_replies()
        assert stack.sql("SELECT state, count(*) FROM inbox WHERE type = 2 "
                         "GROUP BY state ORDER BY state") == [
            ["1", "1"], ["2", "1"]]
        assert len(stack.replies(1)) == 1 and len(stack.tasks(1)) == 1
        metrics = stack.copies[0].metrics().decode()
        assert 'adherd_replies_total{label="refill_yes"} 1' in metrics
        assert 'adherd_replies_total{label="unmatched"} 1' in metrics


def test_reply_to_a_patient_without_any_message():
    with Replies(BEGIN, settings=QUICK).begin([patient(1)]) as stack:
        stack.hear(1, "吃了")
        reply = stack.replies(1)[0]
        assert reply["asked"] is None and reply["certain"], reply


def test_order_waits_and_can_be_cancelled():
    with asked(3) as stack:
        stack.hear(1, "1")
        stack.answered(1, ORDER)
        task = stack.tasks(1)[0]
        assert task["due"].startswith("2026-03-02T10:15:"), task
        # twice is one order
        stack.hear(1, "好的，要")
        assert len(stack.tasks(1)) == 1, stack.tasks(1)
        stack.hear(1, "取消")
        assert stack.tasks(1) == []
        assert [t["done_by"] for t in stack.tasks(1, "--done")] == ["patient"]
        stack.answered(1, ORDER, ORDER, CANCELLED)
        # too late
        stack.hear(2, "1")
        stack.move_clock("+16m")
        stack.hear(2, "取消")
        assert "refill_yes" in [t["about"] for t in stack.tasks(2)]
        # an order of somebody unwell is held
        stack.hear(3, "要续药")
        stack.hear(3, "吃了头晕")
        assert [(t["about"], t["held"]) for t in stack.tasks(3)] == [
            ("adverse_event", False), ("refill_yes", True)], stack.tasks(3)


def test_order_and_what_was_bought_elsewhere_end_the_cycle():
    with asked(4) as stack:
        stack.hear(1, "1")
        assert "cycle_ended" in stack.replies(1)[0]["effects"]
        stack.hear(2, "我已经在药店买了")
        assert stack.replies(2)[0]["effects"] == ["cycle_ended"]
        stack.hear(3, "1")
        stack.hear(3, "取消")
        stack.move_clock("2026-03-06T10:00:00+08:00")   # -3d
        wait_until(lambda: len(stack.reminders_to(4)) == 2, 20, "p4 is asked")
        wait_until(lambda: len(stack.reminders_to(3)) == 2, 20, "p3 is asked")
        stack.move_clock("2026-03-10T10:00:00+08:00")   # +1d
        wait_until(lambda: len(stack.reminders_to(4)) >= 3, 20, "p4 again")
        assert len(stack.reminders_to(1)) == 1, stack.reminders_to(1)
        assert len(stack.reminders_to(2)) == 1, stack.reminders_to(2)
        # the next fill opens another
        stack.import_bundle("clinic", [fill(2, "2026-03-10")])
        stack.move_clock("2026-03-31T10:00:00+08:00")
        wait_until(lambda: len(stack.reminders_to(2)) == 2, 20,
                   "the next cycle")
        stack.check_ledger()


def visit(number, day, updated="2026-03-01T08:00:00+08:00"):
    return {"resourceType": "Appointment", "id": f"v{number}",
            "status": "booked", "meta": {"lastUpdated": updated},
            "start": f"2026-03-{day:02}T14:00:00+08:00",
            "end": f"2026-03-{day:02}T14:30:00+08:00",
            "participant": [{"actor": {"reference": f"Patient/p{number}"},
                             "status": "accepted"}]}


def test_no_to_a_later_question_cancels_no_order():
    people = [patient(1), consent(1, ("refill", "follow_up")),
              prescription(1), fill(1, "2026-02-09"), visit(1, 6)]
    with asked(1, people) as stack:
        stack.hear(1, "1")
        stack.move_clock("2026-03-03T10:00:00+08:00")   # the visit's -3d
        wait_until(lambda: len(stack.reminders_to(1)) == 2, 20, "the visit")
        stack.hear(1, "不要了")
        assert stack.replies(1)[-1]["intents"] == ["followup_cancel"]
        assert {t["about"] for t in stack.tasks(1)} == {
            "refill_yes", "followup_cancel"}, stack.tasks(1)


def test_visit_that_the_patient_will_not_come_to_is_silent():
    people = []
    for number in range(1, 4):
        people += [patient(number), consent(number, ("follow_up",)),
                   visit(number, 5)]
    with asked(3, people) as stack:                     # -3d
        stack.hear(1, "那天去不了，能不能改到下周四")
        stack.hear(2, "不去了")
        stack.hear(3, "1")
        assert [stack.replies(n)[0]["effects"] for n in (1, 2, 3)] == [
            ["task", "visit_silenced"], ["task", "visit_silenced"], []]
        stack.move_clock("2026-03-04T10:00:00+08:00")   # -1d
        wait_until(lambda: len(stack.reminders_to(3)) == 2, 20, "p3 again")
        # staff moves it: that is told, and the new day has its reminders
        stack.import_bundle("clinic", [
            visit(1, 12, "2026-03-04T11:00:00+08:00")])
        stack.move_clock("2026-03-04T11:00:30+08:00")
        wait_until(lambda: len(stack.reminders_to(1)) == 2, 20, "it moved")
        stack.move_clock("2026-03-09T10:00:00+08:00")
        wait_until(lambda: len(stack.reminders_to(1)) == 3, 20, "-3d")
        assert len(stack.reminders_to(2)) == 1, stack.reminders_to(2)
        stack.check_ledger()


def test_what_is_left_moves_the_run_out():
    with asked(2) as stack:
        # 7 days by the record; refills of 9 March go on from 22 March
        stack.hear(1, "还剩20天的药")
        reply = stack.replies(1)[0]
        assert reply["intents"] == ["have_supply"], reply
        assert reply["slots"] == {"days_left": 20}, reply
        assert reply["effects"] == ["supply_corrected"], reply
        assert stack.sql("SELECT days, quantity_micro FROM correction") == [
            ["20", "-1"]]
        told = stack.ctl("why", "p1")
        assert "runs out on 2026-03-22" in told, told
        stack.answered(1, NOTED)
        # how much nobody can tell: a person asks
        stack.hear(2, "还剩不少")
        assert [t["about"] for t in stack.tasks(2)] == ["have_supply"]
        assert stack.number("SELECT count(*) FROM correction") == 1
        stack.ctl("check", "dossiers")


if __name__ == "__main__":
    tests = [value for name, value in list(globals().items())
             if name.startswith("test_")]
    sys.exit(Tap().run(tests))
