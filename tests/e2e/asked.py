"""Patients who were asked and answer, by the callback of sms_aliyun; what
tests of replies share."""

import json

from stack import Stack, refill_patients, wait_until

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


def consented(stack, number):
    """Topic masks of the denials on record, by who gave them."""
    return sorted((int(actor), int(topics), int(channels))
                  for actor, topics, channels in stack.sql(
        "SELECT c.actor, c.topics, c.channels FROM consent c JOIN patient p "
        "USING (bucket, patient_id) WHERE NOT c.permit AND p.source_id = "
        f"'p{number}'"))
