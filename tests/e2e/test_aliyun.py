#!/usr/bin/env python3
"""What is special with Aliyun: the older signature, and replies that are
pushed beside receipts."""

import json

from stack import Stack, Tap, get_json, post, refill_patients, wait_until

DUE = "2026-03-02T09:59:55+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
DELIVERED = "SELECT count(*) FROM delivery WHERE state = 7"
REPLIES = "SELECT count(*) FROM inbox WHERE type = 2"


def aliyun(people, gateway_settings="", faults=()):
    return Stack(DUE, settings=QUICK, gateway_settings=gateway_settings
                 ).begin(refill_patients(people), faults)


def signed(stack):
    """Genuine requests by ACS3 and by the older scheme."""
    summary = get_json(f"{stack.sim}/ledger/summary")
    return summary["signed_acs3"], summary["signed_rpc"]


def push(stack, *items):
    secret = (stack.folder / "callback").read_text().strip()
    return post(f"http://127.0.0.1:{stack.ports[0][0]}/callback/sms/{secret}",
                json.dumps(items, ensure_ascii=False))


def reply(number=1, **changes):
    return {"phone_number": f"1990{number:07d}", "content": "取药",
            "send_time": "2026-03-02 10:05:00", "sign_name": "示例医院",
            "dest_code": "1234", "sequence_id": 1234567890, **changes}


def test_one_and_a_batch_leave_by_the_older_signature():
    for batch in (1, 100):
        with aliyun(3, f"signature = rpc\nbatch = {batch}\n") as stack:
            wait_until(lambda: stack.number(DELIVERED) == 3, 30, "delivered")
            requests = {entry["request"] for entry in stack.entries()}
            assert signed(stack) == (0, len(requests)), signed(stack)
            assert (len(requests) == 3) == (batch == 1), requests
            stack.check_ledger()


def test_the_unknown_is_asked_about_by_the_older_signature():
    with aliyun(1, "signature = rpc\n", (
            {"fault": "reset_after", "count": 1},
            {"fault": "receipts_off"})) as stack:
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state IN (3, 7)") == 1, 30,
            "the provider had it")
        assert len(stack.entries()) == 1
        acs3, rpc = signed(stack)
        assert acs3 == 0 and rpc >= 2, (acs3, rpc)
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE repeated") == 0


def test_replies_are_stored_once_beside_receipts():
    with aliyun(1, faults=({"fault": "receipts_off"},)) as stack:
        wait_until(lambda: len(stack.entries()) == 1, 20, "taken")
        entry = stack.entries()[0]
        receipt = {"phone_number": "19900000001", "success": True,
                   "send_time": "2026-03-02 10:00:00",
                   "report_time": "2026-03-02 10:00:05",
                   "err_code": "DELIVERED", "sms_size": "1",
                   "biz_id": entry["message_id"],
                   "out_id": entry["reference"]}
        for _ in range(2):
            status, text = push(stack, receipt, reply())
            assert (status, json.loads(text)) == (
                200, {"code": 0, "msg": "接收成功"}), text
        wait_until(lambda: stack.number(DELIVERED) == 1, 20, "delivered")
        assert stack.number(REPLIES) == 1
        assert stack.sql(
            "SELECT extension, text_sealed IS NOT NULL, event_at = "
            "'2026-03-02 02:05:00+00', address_index IS NOT NULL FROM inbox "
            "WHERE type = 2") == [["1234", "t", "t", "t"]]
        # another one; and two without a number, told apart by the text
        for text, more in (("1", {"sequence_id": 1234567891}),
                           ("2", {"sequence_id": None}),
                           ("3", {"sequence_id": None}),
                           ("3", {"sequence_id": None})):
            assert push(stack, reply(content=text, **more))[0] == 200
        assert stack.number(REPLIES) == 4
        stack.check_ledger()


def test_a_reply_that_is_none_costs_no_other_of_its_push():
    with aliyun(0) as stack:
        for bad in ({"phone_number": "me"}, {"content": None},
                    {"content": "药" * 2731}):
            status, text = push(stack, reply(), reply(**bad))
            assert (status, json.loads(text)["code"]) == (400, 400), text
        # the good one is stored, once; the provider comes again for the rest
        assert stack.number(REPLIES) == 1


if __name__ == "__main__":
    raise SystemExit(Tap().run([
        test_one_and_a_batch_leave_by_the_older_signature,
        test_the_unknown_is_asked_about_by_the_older_signature,
        test_replies_are_stored_once_beside_receipts,
        test_a_reply_that_is_none_costs_no_other_of_its_push]))
