#!/usr/bin/env python3
"""Reminders through a WeChat mini program: each spends a credit that the
patient gave, and who has none left gets them another way."""

import json
import sys
import time

from stack import Stack, Tap, get_json, post, refill_patients, wait_until
from test_wechat_oa import openid, push, summary

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
NEXT = "2026-03-06T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
MINI, SMS = 1, 4
REJECTED, RETRY, UNKNOWN, DELIVERED, UNCONFIRMED = 4, 5, 6, 7, 9


class MiniStack(Stack):
    """The mini program first, and SMS, whatever it says, behind it."""

    def write_config(self, number):
        path = super().write_config(number)
        with open(path, "a", encoding="utf-8") as out:
            out.write(f"""[gateway "text"]
plugin = loopback
channel = sms
url = {self.sim}/loopback
plain-http = yes
callback-secret-file = {self.folder}/callback
""")
        return path

    def start_sim(self, options=()):
        super().start_sim(("--loopback-callback", self.callback_url("text"),
                           *options))

    def template(self, stage="-7d", kind="refill"):
        """The code of a text that is registered."""
        rows = json.loads((self.folder / "registrations.json").read_text())
        return [row["code"] for row in rows
                if (row["kind"], row["stage"], row["locale"])
                == (kind, stage, "zh-CN")][0]

    def credits(self):
        return [(code, int(left)) for code, left in self.sql(
            "SELECT template_code, credits_left FROM credit ORDER BY 1")]

    def accept(self, *stages, number=1):
        """As in the mini program: one credit for each."""
        before = sum(left for _, left in self.credits())
        time.sleep(1.1)     # the second is what tells two of them apart
        push(self, "accept", number=number,
             text=" ".join(self.template(stage) for stage in stages))
        wait_until(lambda: sum(left for _, left in self.credits())
                   == before + len(stages), 10, "they are counted")

    def rows(self):
        return [tuple(map(int, row)) for row in self.sql(
            "SELECT channel, state FROM delivery WHERE channel > 0 "
            "ORDER BY occurrence_on, slot, channel")]

    def reach(self, *rows, limit_s=20):
        wait_until(lambda: self.rows() == list(rows), limit_s,
                   f"{rows} (is {self.rows()})")


def members(count):
    found = refill_patients(count)
    for resource in found:
        if resource["resourceType"] == "Patient":
            resource["telecom"].append({
                "system": "other", "value": openid(int(resource["id"][1:])),
                "extension": [{
                    "url": "https://adherd.example/fhir/channel",
                    "valueCode": "wechat_mini"}]})
    return found


def ready(count=1, **options):
    options.setdefault("settings", QUICK)
    faults = options.pop("faults", ())
    return MiniStack(BEGIN, gateway="wechat_mini", **options).begin(
        members(count), faults)


def test_a_credit_is_spent_and_the_next_goes_another_way():
    with ready() as stack:
        stack.accept("-7d")
        assert stack.credits() == [(stack.template(), 1)]
        stack.move_clock(DUE)
        stack.reach((MINI, DELIVERED))
        entry, = stack.entries()
        assert entry["channel"] == "wechat_mini", entry
        assert entry["address"] == openid(1), entry
        assert "氨氯地平片" in entry["text"], entry
        # none is left: the page that it opens asks for more
        assert entry["reference"] == "pages/today?ask=1", entry
        assert stack.credits() == [(stack.template(), 0)]
        stack.move_clock(NEXT)
        stack.reach((MINI, DELIVERED), (SMS, DELIVERED))
        told = stack.ctl("why", "p1")
        assert "wechat_mini: no_credit" in told, told
        assert f"for template {stack.template()}: 0 left" in told, told


def test_what_is_told_in_json_counts_the_same():
    with ready(sim_options=("--wechat-format", "json")) as stack:
        stack.accept("-7d", "-3d")
        stack.accept("-7d")
        assert sorted(left for _, left in stack.credits()) == [1, 2]
        stack.move_clock(DUE)
        stack.reach((MINI, DELIVERED))
        assert sorted(left for _, left in stack.credits()) == [1, 1]
        push(stack, "take_back", text=stack.template("-3d"))
        wait_until(lambda: sorted(
            left for _, left in stack.credits()) == [0, 1], 10, "taken back")
        push(stack, "text", text="1")
        stack.settle_replies(count=1)
        assert stack.number("SELECT count(*) FROM reply") == 1


def test_who_refuses_gets_none():
    with ready() as stack:
        stack.accept("-7d")
        push(stack, "reject", text=stack.template())
        wait_until(lambda: stack.credits() == [(stack.template(), 0)], 10,
                   "it is refused")
        stack.move_clock(DUE)
        stack.reach((SMS, DELIVERED))


def test_a_push_that_comes_again_counts_once():
    with ready() as stack:
        stack.accept("-7d")
        first, = get_json(f"{stack.sim}/wechat/pushes")
        for _ in range(2):
            status, text = post(
                f"{stack.callback_url()}?{first['query']}", first["body"])
            assert (status, text) == (200, "success")
        wait_until(lambda: stack.number("SELECT count(*) FROM inbox WHERE "
                                        "state = 0") == 0, 10, "worked off")
        assert stack.credits() == [(stack.template(), 1)]


def test_a_credit_that_the_provider_does_not_know_is_none():
    with ready() as stack:
        stack.accept("-7d")
        stack.accept("-7d")
        push(stack, "take", text=stack.template())
        stack.move_clock(DUE)
        stack.reach((MINI, REJECTED), (SMS, DELIVERED))
        assert stack.sql("SELECT code FROM delivery WHERE channel = 1") == [
            ["43101"]]
        assert stack.credits() == [(stack.template(), 0)]
        assert len(stack.entries()) == 1


def test_what_was_not_taken_gives_its_credit_back():
    with ready() as stack:
        stack.accept("-7d")
        stack.fault(fault="code", endpoint="wechat", code="47003",
                    message="argument invalid!", count=1)
        stack.move_clock(DUE)
        stack.reach((MINI, REJECTED), (SMS, DELIVERED))
        assert stack.credits() == [(stack.template(), 1)]


def test_an_attempt_that_comes_again_spends_one_in_all():
    with ready() as stack:
        stack.accept("-7d")
        stack.fault(fault="code", endpoint="wechat", code="43108",
                    message="concurrent", count=1)
        stack.move_clock(DUE)
        stack.reach((MINI, RETRY))
        assert stack.credits() == [(stack.template(), 1)]
        stack.move_clock("+2m")
        stack.reach((MINI, DELIVERED))
        assert stack.credits() == [(stack.template(), 0)]
        assert stack.number("SELECT attempts FROM delivery") == 2


def test_no_answer_is_not_repeated_and_stays_spent():
    with ready() as stack:
        stack.accept("-7d")
        stack.accept("-7d")
        stack.fault(fault="receipts_off", endpoint="wechat")
        stack.fault(fault="reset_after", endpoint="wechat", count=1)
        stack.move_clock(DUE)
        stack.reach((MINI, UNKNOWN))
        assert stack.credits() == [(stack.template(), 1)]
        stack.move_clock("+4h")
        stack.reach((MINI, UNKNOWN), (SMS, DELIVERED))
        assert [e["endpoint"] for e in stack.entries()] == [
            "wechat", "loopback"]


def test_a_copy_that_dies_between_claim_and_answer_keeps_the_ledger_sound():
    with ready() as stack:
        stack.accept("-7d")
        stack.accept("-7d")
        stack.fault(fault="silent", endpoint="wechat", count=1)
        stack.move_clock(DUE)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 1") == 1, 20, "sent")
        copy, = stack.copies
        copy.kill()
        assert stack.credits() == [(stack.template(), 1)]
        copy.start()
        stack.reach((MINI, UNKNOWN), limit_s=30)
        assert stack.credits() == [(stack.template(), 1)]
        stack.move_clock("+4h")
        stack.reach((MINI, UNKNOWN), (SMS, DELIVERED))


def test_a_long_term_template_needs_no_credit():
    with ready() as stack:
        rows = json.loads((stack.folder / "registrations.json").read_text())
        for row in rows:
            row["long_term"] = True
        path = stack.folder / "long.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        stack.ctl("template", "register", "sms", path)
        copy, = stack.copies
        copy.stop()
        copy.start()
        # the simulator knows nothing else
        push(stack, "give", text=stack.template())
        stack.move_clock(DUE)
        stack.reach((MINI, DELIVERED))
        assert stack.credits() == []
        assert stack.entries()[0]["reference"] == "pages/today"
        assert summary(stack)["wechat_token_requests"] == 1


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_") and callable(value)
                        and value.__module__ == "__main__"]))
