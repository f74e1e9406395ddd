#!/usr/bin/env python3
"""The care team hears of tasks: up the ladder while nobody takes them, once
for what comes together, and no more once somebody answered."""

import json
import sys

from stack import PROVIDERS, Stack, Tap, post, refill_patients, wait_until

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"

NURSE, PHARMACIST, DOCTOR = "+8619980000001", "+8619980000002", "+8619980000003"
CAREGIVER = "+8619990000009"
EMERGENCY = "紧急：有患者反馈可能的紧急情况"
HARM = "有患者反馈疑似不良反应"
TASKS = "有患者事项等待处理"
TAKEN = "已登记由您负责"


class Team(Stack):
    def join(self, name, role, number):
        self.ctl("staff", "add", name, "--role", role, "--address",
                 f"sms:{number}")

    def texts(self, number):
        return [e["text"].split("】", 1)[1] for e in self.entries()
                if e["address"] == number]

    def told(self, number, *beginnings):
        wait_until(lambda: len(self.texts(number)) >= len(beginnings), 20,
                   f"{number} hears: {self.texts(number)}")
        got = self.texts(number)
        assert len(got) == len(beginnings) and all(
            g.startswith(b) for g, b in zip(got, beginnings)), got

    def tasks(self, *words):
        return [json.loads(line) for line in
                self.ctl("tasks", "--json", *words).splitlines()]

    def hear(self, number, text):
        self.say(number, text)
        self.settle_replies()


class WeComTeam(Team):
    """Patients by SMS, the team by WeCom."""

    def write_config(self, number):
        path = super().write_config(number)
        provider = PROVIDERS["wecom"].format(sim=self.sim, folder=self.folder)
        with open(path, "a", encoding="utf-8") as config:
            config.write(f"""
[gateway "team"]
plugin = wecom
channel = wecom
plain-http = yes
callback-secret-file = {self.folder}/callback
{provider}
""")
        return path

    def start_sim(self, options=()):
        super().start_sim(["--wecom-callback", self.callback_url("team"),
                           *options])

    def join(self, name, role, number):
        self.ctl("staff", "add", name, "--role", role, "--address",
                 f"wecom:{name}", "--address", f"sms:{number}")

    def texts(self, number):
        return [e["text"] for e in self.entries() if e["address"] == number]


def asked(count=1, team=("nurse", "doctor"), people=None, kind=Team):
    stack = kind(BEGIN, settings=QUICK).begin(
        people or refill_patients(count))
    for role in team:
        stack.join(f"{role}-1", role,
                   {"nurse": NURSE, "pharmacist": PHARMACIST,
                    "doctor": DOCTOR}[role])
    stack.move_clock(DUE)
    wait_until(lambda: stack.number(
        "SELECT count(*) FROM delivery WHERE state = 7") == count,
        20, "they are asked")
    return stack


def test_emergency_climbs_until_somebody_answers():
    with asked() as stack:
        stack.hear(1, "胸痛喘不上气")
        stack.told(NURSE, EMERGENCY)
        assert stack.texts(DOCTOR) == []
        task = stack.tasks()[0]
        assert task["told"] == 1 and task["taken_by"] is None, task
        stack.move_clock("+14m")
        stack.wait_looked_at()
        assert stack.texts(DOCTOR) == []
        stack.move_clock("+1m")
        stack.told(DOCTOR, EMERGENCY)
        stack.told(NURSE, EMERGENCY)
        stack.move_clock("+15m")
        stack.told(NURSE, EMERGENCY, EMERGENCY)
        stack.told(DOCTOR, EMERGENCY, EMERGENCY)
        stack.hear(DOCTOR, "收到")
        stack.told(DOCTOR, EMERGENCY, EMERGENCY, TAKEN)
        task = stack.tasks()[0]
        assert task["taken_by"] == "doctor-1", task
        assert "taken by doctor-1" in stack.ctl("tasks")
        # a doctor is no patient: nothing was recorded of their word
        assert stack.number("SELECT count(*) FROM reply") == 1
        stack.move_clock("+15m")
        stack.wait_looked_at()
        assert len(stack.texts(NURSE)) == 2, stack.texts(NURSE)
        # it is taken, not done: the patient is on hold until somebody ends it
        assert stack.number(
            "SELECT count(*) FROM patient WHERE safety_hold") == 1
        stack.check_ledger()


def test_what_comes_together_is_one_message():
    with asked(3) as stack:
        for number in (1, 2, 3):
            stack.hear(number, "我胸口疼得厉害")
        wait_until(lambda: [t["told"] for t in stack.tasks()] == [1, 1, 1], 20,
                   "all are told of")
        wait_until(lambda: stack.texts(NURSE), 20, "the nurse hears")
        first = len(stack.texts(NURSE))
        stack.move_clock("+2m")
        wait_until(stack.at_rest, 20, "what was owed has left")
        assert 1 <= len(stack.texts(NURSE)) <= 2, stack.texts(NURSE)
        assert first == 1, first
        stack.hear(NURSE, "OK")
        assert [t["taken_by"] for t in stack.tasks()] == ["nurse-1"] * 3
        assert stack.ctl("staff", "list").count("0 open") == 2


def test_harm_goes_to_the_team_then_to_the_doctor():
    with asked() as stack:
        stack.hear(1, "吃了头晕")
        stack.told(NURSE, HARM)
        stack.move_clock("+61m")
        stack.told(DOCTOR, HARM)


def test_other_tasks_wait_for_the_hours_of_work():
    with asked() as stack:
        stack.move_clock("2026-03-02T21:00:00+08:00")
        stack.hear(1, "这个药能和西柚一起吃吗")
        wait_until(lambda: [t["told"] for t in stack.tasks()] == [1], 20,
                   "it is owed")
        stack.wait_looked_at()
        assert stack.texts(NURSE) == []
        stack.move_clock("2026-03-03T08:00:00+08:00")
        stack.told(NURSE, TASKS)
        # a day later it stands in the doctor's digest
        stack.move_clock("2026-03-03T21:01:00+08:00")
        wait_until(lambda: [t["told"] for t in stack.tasks()] == [2], 20,
                   "the next rung")
        assert stack.texts(DOCTOR) == []
        stack.move_clock("2026-03-04T08:30:00+08:00")
        stack.told(DOCTOR, TASKS)


def test_order_is_told_of_once_it_can_be_cancelled_no_more():
    with asked(team=("pharmacist",)) as stack:
        stack.hear(1, "1")
        stack.move_clock("+14m")
        stack.wait_looked_at()
        assert stack.texts(PHARMACIST) == []
        stack.move_clock("+1m")
        stack.told(PHARMACIST, TASKS)
        # what is done is told to nobody
        stack.ctl("task", "done", stack.tasks()[0]["task"], "--by", "chen")
        stack.move_clock("+25h")
        stack.wait_looked_at()
        assert len(stack.texts(PHARMACIST)) == 1


def test_rung_without_anybody_is_passed_over():
    with asked(team=("doctor",)) as stack:
        stack.hear(1, "胸痛喘不上气")
        stack.told(DOCTOR, EMERGENCY)


def test_team_of_nobody_leaves_the_task():
    with asked(team=()) as stack:
        stack.hear(1, "胸痛喘不上气")
        wait_until(lambda: b'adherd_escalations_total{to="nobody"} 1' in
            stack.copies[0].metrics(), 20, "it is counted")
        assert [t["told"] for t in stack.tasks()] == [0]
        assert "escalation.nobody" in stack.copies[0].log_text()


def test_taken_by_hand_and_members_that_end():
    with asked() as stack:
        stack.ctl("staff", "end", "nurse-1")
        stack.hear(1, "吃了头晕")
        stack.told(DOCTOR, HARM)
        assert stack.texts(NURSE) == []
        stack.ctl("task", "take", stack.tasks()[0]["task"], "--by", "li")
        assert stack.tasks()[0]["taken_by"] == "li"
        stack.ctl("staff", "end", "nurse-1", "--again")
        stack.move_clock("+25h")
        stack.wait_looked_at()
        assert stack.texts(NURSE) == [] and len(stack.texts(DOCTOR)) == 1
        # the same member is not made twice
        for name in ("nurse-1", "p1"):
            again = stack.ctl("staff", "add", name, "--role", "nurse",
                              "--address", f"sms:{NURSE}", check=False)
            assert (again.returncode, again.stderr) == (
                65, f'adherctl: "{name}" is somebody already\n'), again
        assert stack.ctl("why", "nurse-1").startswith("nurse nurse-1 (")
        # nothing holds them, for nothing is due to them
        assert stack.number("SELECT count(*) FROM obstacle o JOIN patient p "
                            "USING (bucket, patient_id) WHERE care_role > 0"
                            ) == 0
        assert stack.number(
            "SELECT count(*) FROM patient WHERE care_role > 0") == 2


def test_nurse_who_is_a_patient_too():
    with asked(team=()) as stack:
        stack.join("nurse-1", "nurse", "+8619900000001")
        stack.hear(1, "吃了头晕")
        reply = stack.number("SELECT count(*) FROM reply")
        assert reply == 1, reply
        assert [t["about"] for t in stack.tasks()] == ["adverse_event"]
        wait_until(lambda: any(t.startswith(HARM) for t in
                               stack.texts("+8619900000001")), 20, "told")
        # whose word that is nobody can tell: the task is not taken by it
        stack.hear(1, "收到")
        assert stack.tasks()[0]["taken_by"] is None, stack.tasks()


def test_word_takes_nothing_whose_message_did_not_leave():
    with asked(2, team=("nurse",)) as stack:
        stack.hear(1, "胸痛喘不上气")
        stack.told(NURSE, EMERGENCY)
        stack.move_clock("+2m")
        stack.fault(fault="status", status=429, code="Throttling.User",
                    message="x", retry_after="1", count=2)
        stack.hear(2, "我胸口疼得厉害")
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 5") == 2, 20,
            "the answer and the notice are put off")
        stack.hear(NURSE, "收到")
        stack.told(NURSE, EMERGENCY, TAKEN)
        assert sorted(str(t["taken_by"]) for t in stack.tasks()) == [
            "None", "nurse-1"], stack.tasks()
        stack.leap_to_retries()
        stack.told(NURSE, EMERGENCY, TAKEN, EMERGENCY)
        stack.hear(NURSE, "收到")
        stack.told(NURSE, EMERGENCY, TAKEN, EMERGENCY, TAKEN)
        assert [t["taken_by"] for t in stack.tasks()] == ["nurse-1"] * 2
        # nothing is left to be taken, and nothing is claimed to be
        stack.hear(NURSE, "收到")
        stack.wait_looked_at()
        assert stack.texts(NURSE)[-1].startswith(TAKEN)
        assert len(stack.texts(NURSE)) == 4, stack.texts(NURSE)


def test_word_takes_all_that_a_message_told_of_though_it_was_late():
    with asked(2, team=("nurse",)) as stack:
        stack.fault(fault="status", status=429, code="Throttling.User",
                    message="x", retry_after="5", count=1)
        # the answer closes the gateway, the message to the nurse waits
        stack.hear(1, "胸痛喘不上气")
        wait_until(lambda: [t["told"] for t in stack.tasks()] == [1], 20,
                   "the nurse is owed a message")
        stack.hear(2, "我胸口疼得厉害")
        wait_until(lambda: [t["told"] for t in stack.tasks()] == [1, 1], 20,
                   "of the other one, too")
        assert not stack.texts(NURSE)
        stack.leap_to_retries()
        stack.told(NURSE, EMERGENCY)
        stack.hear(NURSE, "收到")
        assert [t["taken_by"] for t in stack.tasks()] == ["nurse-1"] * 2


def test_team_hears_and_answers_by_wecom():
    with asked(kind=WeComTeam) as stack:
        stack.hear(1, "胸痛喘不上气")
        stack.told("nurse-1", EMERGENCY)
        stack.move_clock("+15m")
        stack.told("doctor-1", EMERGENCY)
        status, text = post(f"{stack.sim}/wecom/push", json.dumps(
            {"event": "text", "from": "doctor-1", "text": "收到"}))
        assert status == 202, text
        wait_until(lambda: stack.tasks()[0]["taken_by"] == "doctor-1", 20,
                   "it is taken")
        stack.told("doctor-1", EMERGENCY, TAKEN)
        assert not any(e["address"] == NURSE for e in stack.entries())


def test_emergency_that_nobody_could_be_told_of_is_soon_tried_again():
    with asked(team=()) as stack:
        stack.hear(1, "胸痛喘不上气")
        wait_until(lambda: "escalation.nobody" in stack.copies[0].log_text(),
                   20, "nobody is there")
        stack.join("nurse-1", "nurse", NURSE)
        stack.move_clock("+16m")
        stack.told(NURSE, EMERGENCY)


def test_refused_address_is_tried_where_a_member_has_no_other():
    with asked() as stack:
        stack.sql("UPDATE contact SET usable = false WHERE (bucket, "
                  "patient_id) IN (SELECT bucket, patient_id FROM patient "
                  "WHERE source_id = 'nurse-1')")
        stack.hear(1, "胸痛喘不上气")
        stack.told(NURSE, EMERGENCY)


def test_number_of_a_member_who_left_is_nobody_of_the_team():
    with asked() as stack:
        stack.ctl("staff", "end", "nurse-1")
        stack.hear(NURSE, "胸痛喘不上气")
        stack.told(NURSE, "您说的情况可能很紧急")
        stack.told(DOCTOR, EMERGENCY)


def with_caregiver():
    return [*refill_patients(1), {
        "resourceType": "RelatedPerson", "id": "r1",
        "patient": {"reference": "Patient/p1"},
        "telecom": [{"system": "sms", "value": "19990000009"}]}]


def test_caregiver_hears_where_the_patient_wants_it():
    with asked(people=with_caregiver()) as stack:
        stack.ctl("consent", "p1", "--topic", "caregiver", "--channel", "sms",
                  "--permit")
        stack.hear(1, "胸痛喘不上气")
        stack.told(CAREGIVER, "您关心的人刚刚回复")
        stack.check_ledger()


def test_caregiver_hears_of_silence_a_day_before_the_team():
    with asked(people=with_caregiver()) as stack:
        stack.ctl("consent", "p1", "--topic", "caregiver", "--channel", "sms",
                  "--permit")
        stack.move_clock("2026-03-23T10:00:00+08:00")   # +14d: a task
        stack.told(CAREGIVER, "您关心的人近来没有回复")
        assert len(stack.tasks()) == 1
        stack.move_clock("2026-03-24T09:59:00+08:00")
        stack.wait_looked_at()
        assert stack.texts(NURSE) == []
        stack.move_clock("2026-03-24T10:01:00+08:00")
        stack.told(NURSE, TASKS)
        assert len(stack.texts(CAREGIVER)) == 1
        stack.check_ledger()


def test_caregiver_without_consent_hears_nothing_of_silence():
    with asked(people=with_caregiver()) as stack:
        stack.move_clock("2026-03-23T10:00:00+08:00")
        stack.told(NURSE, TASKS)
        assert stack.texts(CAREGIVER) == []
        stack.check_ledger()


if __name__ == "__main__":
    tests = [value for name, value in list(globals().items())
             if name.startswith("test_")]
    sys.exit(Tap().run(tests))
