#!/usr/bin/env python3
"""Tests of the simulator as WeCom, by raw HTTP, and with the requests that the
gateway's golden files have: test_sim_wecom.py PROGRAM."""

import json
import os
import sys
import tempfile
import urllib.parse

from simulator import HERE, Simulator, Tap
from test_sim import PROGRAM, equal

CORPID, SECRET, AGENTID = "ww0123456789abcdef", "aCorpSecret", 1000002
ROBOT = "693a91f6-7aaa-4bc4-97a0-0ec2c1fa5aaa"
GOLDEN = os.path.join(HERE, "../gateways/wecom/requests.json")


class Wecom(Simulator):
    def __init__(self, *extra):
        self.file = tempfile.NamedTemporaryFile("w", encoding="utf-8")
        self.file.write(SECRET + "\n")
        self.file.flush()
        super().__init__(PROGRAM, "--wechat-secret-file", self.file.name,
                         "--wechat-mode", "plain", *extra)

    def token(self, corpid=CORPID, secret=SECRET):
        return self.get("/cgi-bin/gettoken?" + urllib.parse.urlencode(
            {"corpid": corpid, "corpsecret": secret}))

    def post_raw(self, path, body):
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        return self.request("POST", path,
                            [("Content-Type", "application/json")], body).json

    def send(self, body, token=None):
        token = token or self.token()["access_token"]
        return self.post_raw(f"/cgi-bin/message/send?access_token={token}",
                             body)

    def robot(self, body, key=ROBOT):
        return self.post_raw(f"/cgi-bin/webhook/send?key={key}", body)

    def summary(self):
        return self.get("/ledger/summary")


def message(users="ZhangSan", text="hello", **changes):
    return {"touser": users, "msgtype": "text", "agentid": AGENTID,
            "text": {"content": text}, "safe": 0, **changes}


def say(text="hello", **more):
    return {"msgtype": "text", "text": {"content": text, **more}}


def test_a_token_stays_the_same_while_it_is_good():
    with Wecom() as sim:
        first = sim.token()
        equal((first["errcode"], first["errmsg"]), (0, "ok"))
        assert 7190 <= first["expires_in"] <= 7200, first
        equal(sim.token()["access_token"], first["access_token"])
        equal(sim.token(corpid="ww0")["errcode"], 40013)
        equal(sim.token(secret="x")["errcode"], 40001)
        sim.post("/wecom/expire", {})
        equal(sim.send(message(), first["access_token"])["errcode"], 42001)
        equal(sim.send(message(), "another")["errcode"], 40014)
        equal(sim.post_raw("/cgi-bin/message/send", message())["errcode"],
              41001)
        assert sim.token()["access_token"] != first["access_token"]


def test_it_takes_what_the_gateway_writes():
    with open(GOLDEN, encoding="utf-8") as source:
        cases = [case for case in json.load(source) if "body" in case]
    assert len(cases) >= 12
    with Wecom() as sim:
        for case in cases:
            body = case["body"].encode()
            said = (sim.robot(body) if "/webhook/" in case["url"]
                    else sim.send(body))
            equal((case["name"], said["errcode"]), (case["name"], 0))
            # nothing was so long that they had to cut it
            entry = sim.ledger()[-1]
            told = json.loads(body)
            equal(entry["text"], told[told["msgtype"]]["content"])


def test_part_of_a_message_may_reach_nobody():
    with Wecom() as sim:
        said = sim.send(message("ZhangSan|goneA|BareB|bareC"))
        equal((said["errcode"], said["invaliduser"], said["unlicenseduser"]),
              (0, "gonea", "barec"))
        equal([e["address"] for e in sim.ledger()], ["ZhangSan", "BareB"])
        equal(sim.send(message("goneA|goneB"))["errcode"], 81013)


def test_what_has_another_shape_is_refused():
    with Wecom() as sim:
        for body, code in [
                (b"[]", 40035), (message(agentid=7), 40056),
                (message("a||b"), 40031), (message("a b"), 40031),
                (message("|".join(f"u{n}" for n in range(1001))), 40031),
                (message(msgtype="html"), 40008), (message(text=""), 40035),
                (message(client_msg_id="x"), 40008)]:
            equal((body, sim.send(body)["errcode"]), (body, code))
        for body, code in [(say("x" * 2049), 40058), (say(""), 40035),
                           (message(), 40008)]:
            equal((body, sim.robot(body)["errcode"]), (body, code))
        equal(sim.robot(say(), key="x")["errcode"], 93000)
        equal(sim.ledger(), [])


def test_what_is_too_long_is_cut_without_a_word():
    with Wecom() as sim:
        equal(sim.send(message(text="x" * 3000))["errcode"], 0)
        equal(len(sim.ledger()[0]["text"]), 2048)


def test_the_same_bytes_are_taken_once_where_that_is_asked_for():
    with Wecom() as sim:
        once = message(enable_duplicate_check=1,
                       duplicate_check_interval=1800)
        first, again = sim.send(once), sim.send(once)
        equal(again["msgid"], first["msgid"])
        equal(len(sim.ledger()), 1)
        sim.send({**once, "text": {"content": "other"}})
        sim.send({**once, "touser": "ZhangSan|LiSi"})
        equal(len(sim.ledger()), 4)
        sim.send(message())
        sim.send(message())
        equal(len(sim.ledger()), 6)


def test_what_is_too_much_for_a_member_is_dropped_without_a_word():
    with Wecom() as sim:
        for number in range(32):
            equal(sim.send(message(text=str(number)))["errcode"], 0)
        equal(sim.send(message("LiSi"))["errcode"], 0)
        equal(len(sim.ledger()), 31)
        equal(sim.summary()["wecom_dropped"], 2)


def test_what_is_too_much_for_a_robot_is_refused():
    with Wecom() as sim:
        for number in range(20):
            equal(sim.robot(say(str(number),
                                mentioned_list=["@all"]))["errcode"], 0)
        equal(sim.robot(say("more"))["errcode"], 45009)
        equal(len(sim.ledger()), 20)
        equal(sim.ledger()[0]["address"], "robot:@all")


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
