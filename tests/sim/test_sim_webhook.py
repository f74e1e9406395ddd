#!/usr/bin/env python3
"""Tests of the simulator as a hospital's own gateway, by raw HTTP:
test_sim_webhook.py PROGRAM."""

import json
import os
import sys
import tempfile
import time

from simulator import (Receiver, Simulator, Tap, utc_text, wait_for,
                       webhook_sign)
from test_sim import ONE, PROGRAM, VECTORS, equal

WEBHOOK_VECTORS = os.path.join(os.path.dirname(VECTORS),
                               "vectors-webhooks.json")
SIGNS = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
CALLS = "whsec_MzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVI="


def webhook_body(*messages, **changes):
    return {"type": "message.send", "timestamp": utc_text(), **changes,
            "data": {"channel": "sms", "messages": list(messages)}}


def webhook_message(reference="abc234", **changes):
    return {"reference": reference, "address": "+8613800000000",
            "text": "您的二甲双胍还可用3天。", "locale": "zh-CN", **changes}


class Webhook(Simulator):
    def __init__(self, *extra, callback=None):
        self.secrets = []
        for text in (SIGNS, CALLS):
            file = tempfile.NamedTemporaryFile("w", encoding="utf-8")
            file.write(text + "\n")
            file.flush()
            self.secrets.append(file)
        if callback:
            extra += ("--webhook-callback", callback,
                      "--webhook-callback-secret-file", self.secrets[1].name)
        super().__init__(PROGRAM, "--webhook-secret-file",
                         self.secrets[0].name, *extra)

    def send(self, body, **how):
        return self.webhook(body, **{"secret": SIGNS, **how})


def test_signer_agrees_with_the_published_webhook_vectors():
    with open(WEBHOOK_VECTORS, encoding="utf-8") as source:
        vectors_of = json.load(source)["sign"]
    equal(len(vectors_of), 6)
    for vector in vectors_of:
        equal(webhook_sign(vector["secret"], vector["msg_id"],
                           vector["timestamp"], vector["body"].encode()),
              vector["signature"])


def test_webhook_takes_each_reference_once():
    with Webhook() as sim:
        first = sim.send(webhook_body(webhook_message()))
        equal((first.status, first.json), (200, {"results": [
            {"reference": "abc234", "verdict": "accepted", "id": "wh-1"}]}))
        equal(sim.send(webhook_body(webhook_message())).json, first.json)
        batch = webhook_body(
            webhook_message("b"), webhook_message("abc234"),
            webhook_message("c", address="a b"),
            webhook_message("d", template="T1", parameters={"name": "张三"},
                            link="https://a.example/", extension="12",
                            valid_until=utc_text(60)))
        answer = sim.send(batch, webhook_id="batch_" + "0" * 32)
        equal([(r["reference"], r["verdict"], r.get("id"), r.get("scope"))
               for r in answer.json["results"]],
              [("b", "accepted", "wh-2", None),
               ("abc234", "accepted", "wh-1", None),
               ("c", "rejected", None, "recipient"),
               ("d", "accepted", "wh-3", None)])
        equal([(e["reference"], e["template"], e["params"], e["channel"])
               for e in sim.ledger()],
              [("abc234", "", {}, "sms"), ("b", "", {}, "sms"),
               ("d", "T1", {"name": "张三"}, "sms")])
        kept = sim.get("/webhook/requests")
        equal([json.loads(r["body"]) for r in kept][2], batch)
        equal(kept[2]["webhook-id"], "batch_" + "0" * 32)


def test_webhook_that_is_not_ours_is_refused_and_takes_nothing():
    def drop(name):
        return lambda headers: headers.pop(name)

    def put(name, value):
        return lambda headers: headers.update({name: value})

    now = int(time.time())
    good = webhook_body(webhook_message())
    with Webhook() as sim:
        for error, how in (
                ("webhook-signature", {"secret": CALLS}),
                ("webhook-signature", {"change": drop("webhook-signature")}),
                ("webhook-signature",
                 {"change": put("webhook-signature", "v1,")}),
                ("webhook-signature",
                 {"change": lambda h: put("webhook-signature", "v2"
                                          + h["webhook-signature"][2:])(h)}),
                ("webhook-signature",
                 {"change": lambda h: put("webhook-timestamp", str(
                     int(h["webhook-timestamp"]) - 1))(h)}),
                ("webhook-signature", {"change": put("webhook-id", "x")}),
                ("webhook-timestamp", {"timestamp": now - 302}),
                ("webhook-timestamp", {"timestamp": now + 302}),
                ("webhook-timestamp", {"timestamp": f"{now}.0"}),
                ("webhook-timestamp", {"change": drop("webhook-timestamp")}),
                ("webhook-id", {"webhook_id": "a.b"}),
                ("webhook-id", {"change": drop("webhook-id")})):
            answer = sim.send(good, **how)
            equal((answer.status, answer.json), (401, {"error": error}))
        equal(sim.request("GET", "/webhook").status, 405)
        equal(sim.ledger(), [])
    with Simulator(PROGRAM) as sim:
        equal(sim.webhook(good, secret=SIGNS).status, 404)


def test_webhook_refuses_other_shapes_and_takes_nothing():
    m = webhook_message
    with Webhook() as sim:
        for body in (
                webhook_body(m(), more=1), webhook_body(m(), type="send"),
                webhook_body(m(), timestamp=utc_text(-5)), webhook_body(),
                webhook_body(*[m()] * 21), webhook_body(m(more="x")),
                webhook_body(m(text="")), webhook_body(m(text=7)),
                webhook_body(m("UPPER")), webhook_body(m("a" * 65)),
                webhook_body(m(template="T1")),
                webhook_body(m(parameters={})),
                webhook_body(m(template="T", parameters={"a": 1})),
                webhook_body(m(valid_until=utc_text(-1))),
                webhook_body(m(valid_until="soon")),
                {**webhook_body(m()), "data": {"messages": [m()]}},
                {**webhook_body(m()), "data": {"channel": "fax",
                                               "messages": [m()]}}):
            answer = sim.send(body, webhook_id="abc234")
            equal((answer.status, list(answer.json)), (400, ["error"]))
        equal(sim.send(webhook_body(m()), webhook_id="other").status, 400)
        equal(sim.send(webhook_body(m(), m("b")),
                       webhook_id="abc234").status, 400)
        equal(sim.send(webhook_body(m()), change=lambda h: h.update(
            {"Content-Type": "text/plain"})).status, 400)
        equal(sim.send(b"{", webhook_id="a").status, 400)
        equal(sim.ledger(), [])


def test_webhook_receipts_are_signed_and_keep_their_id():
    receiver = Receiver(status=503)
    with Webhook("--receipt-delay-ms", "20", "--retry-scale", "0.005",
                 callback=receiver.url) as sim:
        sim.control(fault="receipts_undelivered", code="ABSENT", count=1)
        sim.send(webhook_body(webhook_message("a")))
        assert wait_for(lambda: len(receiver.posts) >= 2)
        receiver.status = 204
        receiver.body = b""
        sim.send(webhook_body(webhook_message("b")))
        assert wait_for(
            lambda: sim.get("/ledger/summary")["receipts_acknowledged"] == 2)
        for headers, raw in receiver.raw:
            equal(headers["webhook-signature"],
                  webhook_sign(CALLS, headers["webhook-id"],
                               headers["webhook-timestamp"], raw))
        ids = {}
        for (headers, _), (_, _, body) in zip(receiver.raw, receiver.posts):
            ids.setdefault(body["data"]["reference"],
                           set()).add(headers["webhook-id"])
        equal(sorted((r, len(i)) for r, i in ids.items()),
              [("a", 1), ("b", 1)])
        told = {body["data"]["reference"]: (body["type"], body["data"])
                for _, _, body in receiver.posts}
        equal(told, {
            "a": ("message.undelivered",
                  {"reference": "a", "id": "wh-1", "code": "ABSENT"}),
            "b": ("message.delivered", {"reference": "b", "id": "wh-2"})})
    receiver.close()


def test_webhook_fails_as_it_is_told_to():
    with Webhook() as sim:
        sim.control(fault="status", endpoint="webhook", status=429,
                    retry_after="7")
        answer = sim.send(webhook_body(webhook_message()))
        equal((answer.status, answer.headers["Retry-After"]), (429, "7"))
        equal(sim.post("/loopback", ONE).status, 200)
        sim.control(clear=True)
        sim.control(fault="code", endpoint="webhook", code="full")
        equal(sim.send(webhook_body(webhook_message())).json["results"],
              [{"reference": "abc234", "verdict": "retry", "code": "full"}])
        equal(sim.get("/ledger/summary")["webhook"], 0)


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
