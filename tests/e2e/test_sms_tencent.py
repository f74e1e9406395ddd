#!/usr/bin/env python3
"""Reminders through Tencent Cloud SMS: requests of one text, a status for
each number, receipts and replies by callback."""

import json
import sys

from stack import (Stack, Tap, get_json, post, refill_patients, wait_until)

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
REJECTED, UNKNOWN, DELIVERED = 4, 6, 7


def ready_stack(resources, **options):
    options.setdefault("settings", QUICK)
    return Stack(BEGIN, gateway="sms_tencent", **options).begin(resources)


def namesakes(count):
    """So many whose texts are the same to the last character."""
    found = refill_patients(count)
    for resource in found:
        if resource["resourceType"] == "Patient":
            resource["name"] = [{"text": "王芳"}]
    return found


def states(stack):
    return {int(state): int(count) for state, count in stack.sql(
        "SELECT state, count(*) FROM delivery GROUP BY 1")}


def reach(stack, wanted, what, limit_s=20):
    wait_until(lambda: states(stack) == wanted, limit_s,
               f"{what}: {wanted} (is {states(stack)})")


def callback(stack, value):
    secret = (stack.folder / "callback").read_text().strip()
    return post(f"http://127.0.0.1:{stack.ports[0][0]}/callback/sms/{secret}",
                json.dumps(value))


def test_a_reminder_leaves_and_its_receipt_comes_back():
    with ready_stack(refill_patients(1)) as stack:
        stack.move_clock(DUE)
        reach(stack, {DELIVERED: 1}, "delivered")
        entry, = stack.entries()
        assert entry["endpoint"] == "tencent", entry
        assert entry["text"].startswith("【示例医院】甲1，您的氨氯地平片"), entry
        assert "3月9日" in entry["text"], entry
        provider_id, code = stack.sql(
            "SELECT provider_id, code FROM delivery")[0]
        assert provider_id == entry["message_id"], provider_id
        assert code == "DELIVRD", code
        wait_until(lambda: stack.entries()[0]["receipt_stored"], 10,
                   "the provider knows that we have it")
        stack.check_ledger()


def test_one_text_shares_a_request_and_another_has_its_own():
    with ready_stack(namesakes(30)
                     + refill_patients(3, first=101)) as stack:
        stack.move_clock(DUE)
        reach(stack, {DELIVERED: 33}, "all are delivered")
        entries = stack.entries()
        texts = {}
        for entry in entries:
            texts.setdefault(entry["request"], set()).add(entry["text"])
        assert {len(of_one) for of_one in texts.values()} == {1}, texts
        assert len(texts) < 15, len(texts)
        assert len({e["address"] for e in entries}) == len(entries) == 33
        stack.check_ledger()


def test_receipts_of_a_request_find_their_own_deliveries():
    with ready_stack(namesakes(10)) as stack:
        stack.fault(fault="receipts_shuffled")
        stack.fault(fault="receipts_undelivered", count=4)
        stack.move_clock(DUE)
        reach(stack, {DELIVERED: 6, 8: 4}, "six of ten are delivered", 30)
        sent = {e["message_id"]: e["receipt"] for e in stack.entries()}
        for provider_id, state in stack.sql(
                "SELECT provider_id, state FROM delivery"):
            assert sent[provider_id] == {
                "7": "delivered", "8": "undelivered"}[state], provider_id


def test_a_number_refused_in_a_request_stops_no_other():
    resources = namesakes(4)
    for resource in resources:
        if resource["id"] == "p2":  # no number that the provider takes
            resource["telecom"][0]["value"] = "+8612000000002"
    with ready_stack(resources) as stack:
        stack.move_clock(DUE)
        reach(stack, {REJECTED: 1, DELIVERED: 3}, "three of four")
        assert stack.number(
            "SELECT count(*) FROM contact WHERE NOT usable") == 1
        assert len({e["request"] for e in stack.entries()}) == 1
        assert not get_json(f"{stack.sim}/ledger/duplicates")["by_reference"]


def test_a_silent_provider_is_asked_and_repeats_nothing_it_has():
    # asked later than it is given up: so that "unknown" can be seen
    with ready_stack(refill_patients(1), settings=QUICK.replace(
            "ask-after = 1s", "ask-after = 4s")) as stack:
        stack.fault(fault="silent", count=1)
        stack.fault(fault="receipts_off")
        stack.move_clock(DUE)
        reach(stack, {UNKNOWN: 1}, "unknown")
        reach(stack, {DELIVERED: 1}, "the provider had it")
        assert len(stack.entries()) == 1
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE repeated") == 0


def test_a_wrong_key_pauses_the_gateway_and_loses_nothing():
    with ready_stack(refill_patients(2)) as stack:
        stack.fault(fault="code", code="AuthFailure.SignatureFailure",
                    count=1)
        stack.move_clock(DUE)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM gateway_pause") == 1, 20, "it rests")
        stack.move_clock("+2m")
        reach(stack, {DELIVERED: 2}, "all are delivered", 90)


def test_a_reply_comes_back_once():
    with ready_stack(refill_patients(1)) as stack:
        stack.move_clock(DUE)
        reach(stack, {DELIVERED: 1}, "delivered")
        status, text = post(f"{stack.sim}/reply", json.dumps({
            "endpoint": "tencent", "from": "+8619900000001", "text": "ＴＤ 😀",
            "extend": "01"}), {"Content-Type": "application/json"})
        assert status == 202, text
        replies = ("SELECT extension, provider_id IS NULL, length(text_sealed)"
                   " > 8, address_index IS NOT NULL FROM inbox WHERE type = 2")
        wait_until(lambda: stack.sql(replies), 10, "the reply is there")
        assert stack.sql(replies) == [["01", "t", "t", "t"]]
        wait_until(lambda: get_json(f"{stack.sim}/ledger/summary")[
            "replies_acknowledged"] == 1, 10, "it was acknowledged")
        # a push that comes again is known by what it says
        reply = {"extend": "01", "mobile": "19900000001", "nationcode": "86",
                 "sign": "示例医院", "text": "1", "time": 1772416860}
        for _ in range(2):
            assert callback(stack, reply) == (
                200, '{"result":0,"errmsg":"OK"}')
        assert len(stack.sql(replies)) == 2


def test_a_malformed_push_is_refused_and_leaves_nothing():
    with ready_stack([]) as stack:
        for value in ({}, [{}], [{"report_status": "SUCCESS"}], "x"):
            assert callback(stack, value) == (
                400, '{"result":1,"errmsg":"malformed"}'), value
        assert stack.number("SELECT count(*) FROM inbox") == 0


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
