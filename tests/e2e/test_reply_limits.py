#!/usr/bin/env python3
"""What is answered whatever it costs, and what is not believed: robots,
strangers, shared and lost numbers, floods, foreign bytes."""

import concurrent.futures
import json
import subprocess
import sys

from asked import (
    ADVERSE_EVENT, BEGIN, DUE, EMERGENCY, HANDED_OVER, NOTED, OPT_IN, OPT_OUT,
    ORDER, QUICK, SORRY, Replies, asked, at_one_number, consented)
from stack import PSQL, Tap, patient, post, refill_patients, wait_until


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


def test_refusal_has_one_confirmation():
    with asked() as stack:
        for text in "退订", "TD", "别再发了！！":
            stack.hear(1, text)
        stack.answered(1, OPT_OUT)
        assert [r["intents"] for r in stack.replies(1)] == [["opt_out"]] * 3
        stack.hear(1, "恢复提醒")
        stack.answered(1, OPT_OUT, OPT_IN)
        stack.hear(1, "退订")
        stack.answered(1, OPT_OUT, OPT_IN, OPT_OUT)


def test_order_that_cannot_be_echoed_is_for_a_person():
    with asked() as stack:
        for _ in range(3):
            stack.hear(1, "谢谢")
        stack.hear(1, "帮我续药")
        stack.answered(1, NOTED, NOTED, NOTED)
        task, = stack.tasks(1)
        assert task["about"] == "refill_yes", task
        assert not task["due"].startswith("2026-03-02T10:15:"), task
        assert stack.sql("SELECT effects & 1024 FROM reply ORDER BY reply_no "
                         "DESC LIMIT 1") == [["0"]]


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


def test_number_of_child_and_guardian_is_one():
    people = refill_patients(1)
    people[0]["birthDate"] = "2015-06-01"
    people[0]["contact"] = [{
        "relationship": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
            "code": "MTH"}]}],
        "telecom": people[0]["telecom"]}]
    people[1]["performer"] = [{"reference": "RelatedPerson/mother"}]
    people.append({"resourceType": "RelatedPerson", "id": "mother",
                   "patient": {"reference": "Patient/p1"},
                   "relationship": [{"coding": [{
                       "system": "http://terminology.hl7.org/CodeSystem/"
                       "v3-RoleCode", "code": "MTH"}]}]})
    with asked(people=people) as stack:
        assert stack.number("SELECT count(*) FROM contact") == 2
        # it is the guardian's address that was written to
        stack.hear(1, "1")
        stack.answered(1, "续药申请已收到")
        assert stack.tasks(1), "the order waits"
        stack.hear(1, "你发错人了，我不认识他")
        assert stack.number(
            "SELECT count(*) FROM contact WHERE usable") == 0


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
            == 0, 90, "all are sorted")
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
        stack.sql("INSERT INTO task (bucket, patient_id, occurrence_on, kind, "
                  "source, slot, tenant_id, stage, items, due_at, created_at, "
                  "escalate_at) SELECT 1, -n, '2026-03-02', 5, 1, 0, 1, 134, "
                  "'{}', now(), now(), 'infinity' "
                  "FROM generate_series(1, 1000) n")
        stack.say("19912345678", "胸痛喘不上气")
        stack.settle_replies()
        assert "reply.stranger_in_danger" in stack.copies[0].log_text()
        assert 'label="unmatched_harm"} 1' in (
            stack.copies[0].metrics().decode())
        # somebody saw to one of them: there is room
        stack.sql("UPDATE task SET done_at = now() WHERE patient_id = -7")
        stack.say("19912345677", "胸痛喘不上气")
        wait_until(lambda: stack.texts_at("+8619912345677"), 20, "an answer")
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
