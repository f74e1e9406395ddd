#!/usr/bin/env python3
"""What patients answer, and what follows: through the callback of sms_aliyun,
as `tasks`, `why` and the database have it."""

import concurrent.futures
import json
import subprocess
import sys

from stack import (
    PSQL, Stack, Tap, consent, fill, patient, post, refill_patients,
    wait_until)

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"


class Replies(Stack):
    def hear(self, number, text):
        self.say(number, text)
        self.settle_replies()

    def tasks(self, number, *options):
        return [json.loads(line) for line in self.ctl(
            "tasks", f"p{number}", "--json", *options).splitlines()]

    def replies(self, number):
        lines = [json.loads(line) for line in
                 self.ctl("why", f"p{number}", "--json").splitlines()]
        return [line for line in lines if line["what"] == "reply"]

    def person(self, number):
        """safety_hold, adverse_event, paused"""
        row = self.sql(
            "SELECT safety_hold, adverse_event, paused_until > '2026-03-03' "
            f"FROM patient WHERE source_id = 'p{number}'")[0]
        return tuple(value == "t" for value in row)

    def texts_at(self, address):
        return [e["text"] for e in self.entries() if e["address"] == address]

    def texts_to(self, number):
        return self.texts_at(f"+861990{number:07d}")

    def reminders_to(self, number):
        return [t for t in self.texts_to(number) if not is_answer(t)]

    def answers_to(self, number):
        return [t for t in self.texts_to(number) if is_answer(t)]

    def answered(self, number, *beginnings):
        """Within seconds, so often and in this order."""
        wait_until(lambda: len(self.answers_to(number)) >= len(beginnings),
                   20, f"answers {self.answers_to(number)}")
        got = self.answers_to(number)
        assert len(got) == len(beginnings) and all(
            g.split("】")[-1].startswith(b)
            for g, b in zip(got, beginnings)), got


EMERGENCY = "您说的情况可能很紧急，请马上拨打120"
ADVERSE_EVENT = "您反馈的不适已收到"
HANDED_OVER = "消息已收到，已转给"
SORRY = "消息已收到，抱歉"
OPT_OUT = "已按您的要求停止"
OPT_IN = "已按您的要求恢复"
NOTED = "已记录"
ORDER = "续药申请已收到"
CANCELLED = "续药申请已取消"


def is_answer(text):
    return text.split("】")[-1].startswith((
        EMERGENCY, ADVERSE_EVENT, HANDED_OVER, SORRY, OPT_OUT, OPT_IN, NOTED,
        ORDER, CANCELLED))


def asked(count=1, people=None, **options):
    """So many have been asked about a refill."""
    stack = Replies(BEGIN, settings=QUICK, **options).begin(
        people or refill_patients(count))
    stack.move_clock(DUE)
    wait_until(lambda: stack.number(
        "SELECT count(*) FROM delivery WHERE state = 7") == count,
        20, "they are asked")
    return stack


def at_one_number():
    """Two patients of ours who share a phone."""
    people = refill_patients(2)
    people[4]["telecom"] = people[0]["telecom"]
    return people


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


def consented(stack, number):
    """Topic masks of the denials on record, by who gave them."""
    return sorted((int(actor), int(topics), int(channels))
                  for actor, topics, channels in stack.sql(
        "SELECT c.actor, c.topics, c.channels FROM consent c JOIN patient p "
        "USING (bucket, patient_id) WHERE NOT c.permit AND p.source_id = "
        f"'p{number}'"))


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
        everything = [(1, 15, 30), (2, 15, 30)]
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


def test_answers_end_where_a_robot_replies():
    with asked() as stack:
        for _ in range(5):
            stack.hear(1, "谢谢")
        stack.answered(1, NOTED, NOTED, NOTED)
        # danger is answered all the same
        stack.hear(1, "胸痛喘不上气")
        stack.answered(1, NOTED, NOTED, NOTED, EMERGENCY)
        stack.move_clock("+25h")
        stack.hear(1, "谢谢")
        stack.answered(1, NOTED, NOTED, NOTED, EMERGENCY, NOTED)


def test_answer_at_night_and_after_a_refusal():
    with asked() as stack:
        stack.hear(1, "退订")
        stack.answered(1, OPT_OUT)
        stack.move_clock("2026-03-02T23:30:00+08:00")
        stack.hear(1, "吃了头晕")
        stack.answered(1, OPT_OUT, ADVERSE_EVENT)


def test_answer_waits_for_its_gateway_and_no_longer_than_an_hour():
    with asked(2) as stack:
        stack.ctl("gateway", "pause", "sms")
        stack.hear(1, "谢谢")
        stack.ctl("gateway", "resume", "sms")
        stack.answered(1, NOTED)
        stack.ctl("gateway", "pause", "sms")
        stack.hear(2, "谢谢")
        stack.move_clock("+2h")
        stack.ctl("gateway", "resume", "sms")
        wait_until(lambda: stack.sql(
            "SELECT state, reason FROM delivery WHERE kind = 5 AND "
            "state = 2"), 20, "it is given up")
        assert stack.answers_to(2) == []


def test_answer_is_tried_again_while_it_is_new():
    with asked() as stack:
        stack.fault(fault="code", code="isv.BUSINESS_LIMIT_CONTROL", count=1)
        stack.hear(1, "谢谢")
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE kind = 5 AND state = 5") == 1,
            20, "it is to be tried again")
        stack.move_clock("+2m")
        stack.answered(1, NOTED)


def test_danger_is_answered_however_often_harm_was():
    with asked() as stack:
        for _ in range(3):
            stack.hear(1, "吃了头晕")
        stack.answered(1, *[ADVERSE_EVENT] * 3)
        stack.hear(1, "胸痛喘不上气")
        stack.answered(1, *[ADVERSE_EVENT] * 3, EMERGENCY)


def test_locked_patient_stands_in_nobodys_way():
    with asked(3) as stack:
        held = subprocess.Popen([
            PSQL, "-X", "-q", "-d", stack.dsn, "-c", "BEGIN", "-c",
            "SELECT 1 FROM agenda a JOIN patient p USING (bucket, patient_id) "
            "WHERE p.source_id = 'p1' FOR UPDATE OF a",
            "-c", "SELECT pg_sleep(8)", "-c", "COMMIT"],
            stdout=subprocess.DEVNULL)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
            "'SELECT pg_sleep%'") == 1, 10, "it is locked")
        stack.say(1, "谢谢")
        stack.say(2, "胸痛喘不上气")
        stack.say(3, "谢谢")
        wait_until(lambda: stack.person(2)[0], 5, "danger is heard")
        wait_until(lambda: len(stack.replies(3)) == 1, 5, "and the third")
        assert held.poll() is None and stack.replies(1) == []
        held.wait()
        stack.settle_replies()
        assert len(stack.replies(1)) == 1


def test_word_of_the_echo_never_unsubscribes():
    with asked(2) as stack:
        # too late, and taken up: a person is asked
        stack.hear(1, "1")
        stack.move_clock("+16m")
        stack.hear(1, "取消")
        assert consented(stack, 1) == [], stack.replies(1)
        assert {t["about"] for t in stack.tasks(1)} == {
            "refill_yes", "refill_no"}, stack.tasks(1)
        # whatever was asked since
        stack.hear(2, "1")
        stack.sql("UPDATE reply SET received_at = received_at - interval "
                  "'2 min' WHERE patient_id = 2")
        stack.hear(2, "取消")
        assert stack.replies(2)[1]["effects"] == ["order_cancelled"]
    with asked(2, at_one_number(),
               gateway_settings="reply-codes = yes") as stack:
        code = 100 + stack.number(
            "SELECT patient_id FROM patient WHERE source_id = 'p2'") % 900
        stack.say(1, "1", extension=f"{code}")
        stack.settle_replies()
        assert [t["about"] for t in stack.tasks(2)] == ["refill_yes"]
        stack.hear(1, "取消")
        assert stack.tasks(2) == [] and stack.tasks(1) == []
        assert consented(stack, 1) == [] and consented(stack, 2) == []


def test_order_of_nobody_knows_whom_is_none():
    with asked(2, at_one_number()) as stack:
        stack.hear(1, "要续药")
        stack.answered(1, HANDED_OVER)
        for number in (1, 2):
            assert [t["about"] for t in stack.tasks(number)] == ["unclear"]
        stack.hear(1, "恢复提醒")
        stack.answered(1, HANDED_OVER, HANDED_OVER)


def test_number_that_was_given_up_orders_nothing():
    with asked() as stack:
        stack.hear(1, "你发错人了，我不认识他")
        stack.hear(1, "要续药")
        assert {t["about"] for t in stack.tasks(1)} == {
            "wrong_number", "unclear"}, stack.tasks(1)
        stack.answered(1, SORRY, HANDED_OVER)
        stack.ctl("release", "p1", "--address", "--by", "nurse")
        assert [t["about"] for t in stack.tasks(1)] == ["unclear"]
        stack.move_clock("2026-03-06T10:00:30+08:00")
        wait_until(lambda: len(stack.reminders_to(1)) == 2, 10,
                   "it is used again")


def test_consent_of_the_same_evening_does_not_undo_a_refusal():
    people = refill_patients(1)
    people.append({**people[1], "id": "later",
                   "dateTime": "2026-03-02T18:00:00+08:00"})
    with Replies(BEGIN, settings=QUICK).begin(people) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 7") == 1, 20,
            "asked")
        stack.hear(1, "退订")
        stack.answered(1, OPT_OUT)
        stack.move_clock("2026-03-06T10:00:30+08:00")
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM obstacle WHERE ended_at IS NULL") == 1, 10,
            "no_consent stands")
        assert len(stack.reminders_to(1)) == 1


def test_foreign_bytes_reach_no_terminal():
    with asked() as stack:
        stack.hear(1, "问一下\x1b[31m红\n2026-03-02  URGENT 假的\u202e")
        told = stack.ctl("tasks", "p1", "--text")
        assert "\x1b" not in told and "\u202e" not in told, told
        assert len(told.splitlines()) == 2, told
        assert "\\x1b[31m红\\x0a2026" in told, told


def test_number_out_of_reason_corrects_nothing():
    with asked() as stack:
        stack.hear(1, "还剩20000天的药")
        assert [t["about"] for t in stack.tasks(1)] == ["have_supply"]
        assert stack.number("SELECT count(*) FROM correction") == 0


def test_danger_does_not_wait_for_the_others():
    with asked() as stack:
        others = [{
            "phone_number": f"1980{n:07d}", "send_time": "2026-03-02 10:05:00",
            "content": "自动回复：您好，我正在开会", "sign_name": "示例医院",
            "dest_code": "1234", "sequence_id": 100 + n} for n in range(4000)]
        for begin in range(0, len(others), 100):
            status, answer = post(stack.callback_url(), json.dumps(
                others[begin:begin + 100], ensure_ascii=False))
            assert status == 200, answer
        # alone, behind those whose turn is known
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM inbox WHERE urgency < 0 AND state = 0")
            == 0, 30, "all are sorted")
        stack.say(1, "胸痛喘不上气")
        wait_until(lambda: stack.person(1)[0], 60, "it is heard")
        left = stack.number(
            "SELECT count(*) FROM inbox WHERE type = 2 AND state = 0")
        assert left > 300, left


def test_stranger_in_danger_is_answered_and_seen_to():
    with asked() as stack:
        stack.ctl("staff", "add", "nurse-1", "--role", "nurse", "--address",
                  "sms:+8613900000001")
        stack.say("19912345678", "胸痛喘不上气")
        wait_until(lambda: stack.texts_at("+8619912345678"), 20, "an answer")
        assert EMERGENCY in stack.texts_at("+8619912345678")[0]
        wait_until(lambda: stack.texts_at("+8613900000001"), 20,
                   "the nurse hears of it")
        task = stack.ctl("tasks", "--text")
        assert "URGENT answer  emergency  unlisted-" in task, task
        assert task.endswith(
            "\n    胸痛喘不上气\n    from +8619912345678\n"), task
        name = task.split("emergency  ")[1].split()[0]
        assert stack.ctl("why", name).startswith(f"unlisted {name} ("), name
        # what follows is theirs, and no second person
        stack.say("19912345678", "我在家里")
        stack.settle_replies()
        assert stack.number(
            "SELECT count(*) FROM patient WHERE care_role = -1") == 1
        assert stack.number("SELECT count(*) FROM reply WHERE patient_id = ("
                            "SELECT patient_id FROM patient WHERE "
                            "care_role = -1)") == 2
        stack.ctl("release", name, "--safety-hold", "--adverse-event",
                  "--by", "nurse-1")
        assert "URGENT" not in stack.ctl("tasks")
        stack.check_ledger()


def test_stranger_whom_a_record_knows_later_is_that_patient():
    with asked() as stack:
        stack.say(9, "胸痛喘不上气")
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM task WHERE slot = 0") == 1, 20, "a task")
        stack.import_bundle("clinic", refill_patients(1, first=9))
        stack.wait_looked_at()
        stack.say(9, "吃了头晕")
        stack.settle_replies()
        assert stack.sql(
            "SELECT source_id FROM patient p JOIN reply r USING (bucket, "
            "patient_id) ORDER BY r.received_at")[1:] == [["p9"]]


def test_too_many_strangers_are_told_to_operators():
    with asked() as stack:
        stack.sql("INSERT INTO patient (bucket, patient_id, tenant_id, "
                  "care_role, zone, locale) SELECT 1, -n, 1, -1, 'UTC', 'en' "
                  "FROM generate_series(1, 1000) n")
        stack.say("19912345678", "胸痛喘不上气")
        stack.settle_replies()
        assert "reply.stranger_in_danger" in stack.copies[0].log_text()
        assert 'label="unmatched_harm"} 1' in (
            stack.copies[0].metrics().decode())
        # no danger, no trace
        stack.say("19912345679", "你好")
        stack.settle_replies()
        assert stack.number("SELECT count(*) FROM inbox WHERE state = 2 "
                            "AND type = 2") == 2


def test_callbacks_that_come_together_fail_alone():
    with Replies(BEGIN, settings=QUICK).begin([]) as stack:
        stack.sql("ALTER TABLE inbox ADD CONSTRAINT never CHECK "
                  "(extension <> '666')")
        held = subprocess.Popen([
            PSQL, "-X", "-q", "-d", stack.dsn, "-c", "BEGIN",
            "-c", "LOCK TABLE inbox", "-c", "SELECT pg_sleep(1)",
            "-c", "COMMIT"], stdout=subprocess.DEVNULL)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM pg_locks WHERE relation = 'inbox'::regclass "
            "AND mode = 'AccessExclusiveLock'") == 1, 10, "it is locked")

        def told(number):
            try:
                stack.say(number, "要续药",
                          extension="666" if number == 5 else "1")
                return 200
            except AssertionError as refused:
                return refused.args[0][0]

        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            statuses = list(pool.map(told, range(1, 11)))
        held.wait()
        assert statuses == [200] * 4 + [503] + [200] * 5, statuses
        assert stack.number("SELECT count(*) FROM inbox") == 9


if __name__ == "__main__":
    tests = [value for name, value in list(globals().items())
             if name.startswith("test_")]
    sys.exit(Tap().run(tests))
