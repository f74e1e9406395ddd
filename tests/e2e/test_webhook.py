#!/usr/bin/env python3
"""A hospital's own gateway: what leaves is signed and taken once, and what
it signs comes back: receipts and replies."""

import json

from stack import (Stack, Tap, WEBHOOK_CALLS, WEBHOOK_SIGNS, get_json, post,
                   refill_patients, wait_until)
from simulator import webhook_headers, webhook_sign

DUE = "2026-03-02T09:59:55+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
DELIVERED = "SELECT count(*) FROM delivery WHERE state = 7"
OLD_SIGNS = "whsec_ZWZnaGlqa2xtbm9wcXJzdHV2d3h5ent8"
OLD_CALLS = "whsec_l5iZmpucnZ6foKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uA=="


class Hospital(Stack):
    """old: the secrets are being changed; prepare: SQL, before it starts."""

    def __init__(self, old=False, prepare=None):
        self.old = old
        self.prepare = prepare
        super().__init__(DUE, gateway="webhook", settings=QUICK)

    def write_config(self, number):
        if self.old:
            self.write_secret("old-signs", OLD_SIGNS)
            self.write_secret("old-calls", OLD_CALLS)
            self.gateway_settings = (
                f"signing-old-secret-file = {self.folder}/old-signs\n"
                f"verify-old-secret-file = {self.folder}/old-calls\n")
        return super().write_config(number)

    def register_templates(self):
        super().register_templates()
        if self.prepare:
            self.sql(self.prepare)

    def requests(self):
        return get_json(f"{self.sim}/webhook/requests")

    def delivered(self, count):
        wait_until(lambda: self.number(DELIVERED) == count, 30,
                   "all is delivered")

    def tell(self, events, webhook_id="evt_r1", secret=WEBHOOK_CALLS,
             **headers):
        """A callback as the hospital makes it; its status."""
        raw = (events if isinstance(events, bytes)
               else json.dumps(events, ensure_ascii=False).encode())
        callback = (self.folder / "callback").read_text().strip()
        return post(f"http://127.0.0.1:{self.ports[0][0]}/callback/sms/"
                    f"{callback}", raw,
                    {**webhook_headers(secret, webhook_id, raw), **headers})

    def replies(self):
        return self.number("SELECT count(*) FROM inbox WHERE type = 2")


def reply(number=1, text="取药 1", **more):
    return {"type": "reply.received", "timestamp": "2026-03-02T10:05:00+08:00",
            "data": {"address": f"+861990{number:07d}", "text": text, **more}}


def test_messages_leave_signed_and_receipts_come_back_signed():
    with Hospital().begin(refill_patients(30)) as stack:
        stack.delivered(30)
        requests = stack.requests()
        sent = []
        for request in requests:
            raw = request["body"].encode()
            assert request["webhook-signature"] == webhook_sign(
                WEBHOOK_SIGNS, request["webhook-id"],
                request["webhook-timestamp"], raw), request
            data = json.loads(raw)["data"]
            assert data["channel"] == "sms", data
            sent += data["messages"]
        assert len(sent) == 30, sent
        assert max(len(json.loads(r["body"])["data"]["messages"])
                   for r in requests) == 20, len(requests)
        codes = {row["code"]: row for row in json.loads(
            (stack.folder / "registrations.json").read_text())}
        for message in sent:
            registered = codes[message["template"]]
            assert registered["kind"] == "refill", registered
            assert list(message["parameters"]) == [
                p if isinstance(p, str) else p["name"]
                for p in registered["parameters"]], message
            assert message["locale"] == "zh-CN", message
            assert message["valid_until"] > "2026", message
            assert "氨氯地平" in message["text"], message
        stack.check_ledger()


def test_text_that_is_not_registered_goes_without_a_code():
    with Hospital(prepare="DELETE FROM template_registration").begin(
            refill_patients(2)) as stack:
        stack.delivered(2)
        for entry in stack.entries():
            assert entry["template"] == "" and entry["text"], entry
            assert entry["params"] == {}, entry
        stack.check_ledger()


def test_replies_that_are_signed_are_stored_once():
    with Hospital().begin(refill_patients(1)) as stack:
        stack.delivered(1)
        for _ in range(2):
            assert stack.tell(reply(extension="12")) == (204, "")
        assert stack.replies() == 1
        assert stack.sql("SELECT extension, text_sealed IS NOT NULL, event_at"
                         " = '2026-03-02 02:05:00+00' FROM inbox WHERE"
                         " type = 2") == [["12", "t", "t"]]
        # several in one callback, each by its place
        for _ in range(2):
            assert stack.tell([reply(), reply()], "evt_r2")[0] == 204
        assert stack.replies() == 3
        stack.check_ledger()


def test_callbacks_that_are_forged_or_malformed_are_not_stored():
    with Hospital().begin([]) as stack:
        before = stack.number("SELECT count(*) FROM inbox")
        for headers in ({"webhook-signature": "v1,AAAA"},
                        {"webhook-timestamp": "1"}, {"webhook-id": "x"}):
            status, text = stack.tell(reply(), **headers)
            assert (status, list(json.loads(text))) == (401, ["error"]), text
        assert stack.tell(reply(), secret=WEBHOOK_SIGNS)[0] == 401
        assert stack.tell(reply(), secret=OLD_CALLS)[0] == 401
        status, text = stack.tell([reply(), reply(text="")])
        assert status == 400 and "event 1: data.text" in text, text
        assert stack.tell(b"<html>")[0] == 400
        # what we post is no callback, whoever posts it back
        assert stack.tell({"type": "message.send", "timestamp":
                           "2026-03-02T10:05:00Z", "data": {}})[0] == 400
        assert stack.number("SELECT count(*) FROM inbox") == before
        log = stack.copies[0].log_text()
        assert log.count("malformed or forged") == 8, log


def test_secrets_change_without_a_gap():
    with Hospital(old=True).begin(refill_patients(1)) as stack:
        stack.delivered(1)
        request = stack.requests()[0]
        assert request["webhook-signature"].split(" ") == [
            webhook_sign(secret, request["webhook-id"],
                         request["webhook-timestamp"],
                         request["body"].encode())
            for secret in (WEBHOOK_SIGNS, OLD_SIGNS)], request
        assert stack.tell(reply(), secret=OLD_CALLS)[0] == 204
        assert stack.tell(reply(), "evt_r2")[0] == 204
        assert stack.replies() == 2


def test_answers_that_are_lost_lead_to_a_repeat_that_is_taken_once():
    with Hospital().begin(refill_patients(3), (
            {"fault": "reset_after", "endpoint": "webhook", "count": 1},
            {"fault": "receipts_off", "endpoint": "webhook"})) as stack:
        wait_until(lambda: len(stack.entries()) == 3, 20, "all are taken")
        wait_until(lambda: len(stack.requests()) >= 2, 60, "it is repeated")
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 3") == 3, 30,
            "all are accepted")
        assert len(stack.entries()) == 3
        stack.check_ledger()


def test_hospital_that_is_away_is_waited_for_as_it_asks():
    with Hospital().begin(refill_patients(2), (
            {"fault": "status", "endpoint": "webhook", "status": 503,
             "retry_after": "3", "count": 1},)) as stack:
        wait_until(lambda: "gateway.paused" in stack.copies[0].log_text(),
                   20, "the gateway rests")
        line, = [line for line in stack.copies[0].log_text().splitlines()
                 if "gateway.paused" in line]
        assert "HTTP_503" in line and "3000" in line, line
        assert stack.entries() == []
        stack.move_clock("+2m")
        stack.delivered(2)
        stack.check_ledger()


if __name__ == "__main__":
    raise SystemExit(Tap().run([
        test_messages_leave_signed_and_receipts_come_back_signed,
        test_text_that_is_not_registered_goes_without_a_code,
        test_replies_that_are_signed_are_stored_once,
        test_callbacks_that_are_forged_or_malformed_are_not_stored,
        test_secrets_change_without_a_gap,
        test_answers_that_are_lost_lead_to_a_repeat_that_is_taken_once,
        test_hospital_that_is_away_is_waited_for_as_it_asks]))
