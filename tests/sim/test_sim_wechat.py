#!/usr/bin/env python3
"""Tests of the simulator as a WeChat official account, by raw HTTP:
test_sim_wechat.py PROGRAM."""

import hashlib
import json
import os
import re
import sys
import tempfile
import time
import urllib.parse

from simulator import Receiver, Simulator, Tap, wait_for
from test_sim import ONE, PROGRAM, VECTORS, equal

WECHAT_VECTORS = os.path.join(os.path.dirname(VECTORS),
                              "vectors-wechat-push.json")
APPID = "wxb11529c136998cb6"
SECRET = "anAppSecret"
TOKEN = "spamtest"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
OPENID = "oTest00000000000000000000001"
TEMPLATE = "iPk5sOIt5X_flOVKn5GrTFpncEYTojx6ddbt8WYoV50"
DATA = {"thing1": "张三", "time2": "08:00", "thing3": "二甲双胍",
        "character_string4": "A-1"}


def signature(*parts):
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


class Wechat(Simulator):
    def __init__(self, *extra, callback=None, mode="safe"):
        self.secrets = []
        for text in (SECRET, TOKEN, KEY):
            file = tempfile.NamedTemporaryFile("w", encoding="utf-8")
            file.write(text + "\n")
            file.flush()
            self.secrets.append(file)
        if callback:
            extra += ("--wechat-callback", callback,
                      "--wechat-token-file", self.secrets[1].name)
        super().__init__(PROGRAM, "--wechat-secret-file",
                         self.secrets[0].name, "--wechat-aes-key-file",
                         self.secrets[2].name, "--wechat-mode", mode, *extra)

    def token(self, appid=APPID, secret=SECRET, grant="client_credential"):
        return self.get("/cgi-bin/token?" + urllib.parse.urlencode(
            {"grant_type": grant, "appid": appid, "secret": secret}))

    def stable(self, **changes):
        return self.post("/cgi-bin/stable_token", {
            "grant_type": "client_credential", "appid": APPID,
            "secret": SECRET, **changes}).json

    def send(self, body, token=None, what="template", raw=None):
        """What it says of a message; the body is UTF-8, not escaped."""
        token = token or self.stable()["access_token"]
        return self.request(
            "POST", f"/cgi-bin/message/{what}/send?access_token={token}",
            [("Content-Type", "application/json")],
            raw or json.dumps(body, ensure_ascii=False).encode())

    def code(self, body, **how):
        return self.send(body, **how).json["errcode"]

    def do(self, event, **more):
        return self.post("/wechat/push",
                         {"event": event, "from": OPENID, **more}).status


def message(client_msg_id=None, data=None, **changes):
    body = {"touser": OPENID, "template_id": TEMPLATE,
            "data": {name: {"value": value}
                     for name, value in (data or DATA).items()}, **changes}
    if client_msg_id:
        body["client_msg_id"] = client_msg_id
    return body


def answer(text="谢谢"):
    return {"touser": OPENID, "msgtype": "text", "text": {"content": text}}


def test_signer_agrees_with_the_published_vectors():
    with open(WECHAT_VECTORS, encoding="utf-8") as source:
        vectors = [v for v in json.load(source)
                   if v["scheme"] == "wechat-url-signature"]
    equal(len(vectors), 2)
    for vector in vectors:
        given = vector["inputs"]
        equal(signature(given["token"], given["timestamp"], given["nonce"]),
              vector["expected"]["signature"])


def test_tokens_of_two_kinds_live_and_end_as_the_vendor_says():
    with Wechat() as sim:
        first, second = sim.token(), sim.token()
        assert first["access_token"] != second["access_token"]
        equal(second["expires_in"] > 7190, True)
        for token in first, second:     # both, for five minutes
            equal(sim.code(message(), token=token["access_token"]), 0)
        one, two = sim.stable(), sim.stable()
        equal(one["access_token"], two["access_token"])
        forced = sim.stable(force_refresh=True)
        assert forced["access_token"] != one["access_token"]
        equal(sim.code(message(), token=one["access_token"]), 42001)
        equal(sim.code(message(), token=forced["access_token"]), 0)
        equal(sim.code(message(), token=second["access_token"]), 0)
        equal(sim.code(message(), token="nobody's"), 40001)
        sim.post("/wechat/expire", {})
        equal(sim.code(message(), token=forced["access_token"]), 42001)
        equal(sim.get("/ledger/summary")["wechat_tokens"], 4)


def test_who_is_not_the_account_gets_no_token():
    with Wechat() as sim:
        for code, how in ((40013, {"appid": "wx0"}), (40125, {"secret": "x"}),
                          (41002, {"appid": None}), (41004, {"secret": None}),
                          (40002, {"grant_type": "x"})):
            equal(sim.stable(**how)["errcode"], code)
        equal(sim.token(secret="x")["errcode"], 40125)
        equal(sim.get("/ledger/summary")["wechat_tokens"], 0)


def test_a_template_message_is_taken_and_shown():
    with Wechat() as sim:
        said = sim.send(message("id-1", url="https://a.example/",
                                miniprogram={"appid": "wx1"}))
        equal(said.json["errcode"], 0)
        assert said.json["msgid"] > 2 ** 53
        entry, = sim.ledger()
        equal((entry["text"], entry["message_id"], entry["reference"],
               entry["address"], entry["channel"]),
              ("张三您好，请于08:00服用二甲双胍，编号A-1。",
               str(said.json["msgid"]), "id-1", OPENID, "wechat_oa"))


def test_what_the_vendor_refuses_is_refused_and_takes_nothing():
    def data(**changes):
        return message(data={**DATA, **changes})

    with Wechat() as sim:
        for code, body in (
                (47003, data(thing1="阿" * 21)), (47003, data(thing1="")),
                (47003, data(thing1="a\nb")),
                (47003, data(character_string4="编号")),
                (47003, data(character_string4="x" * 33)),
                (47003, data(thing9="x")),
                (47003, message(data={"thing1": "x"})),
                (40037, message(template_id="nobody")),
                (40003, message(touser="+8613800000000")),
                (47001, message(colour="red")), (47001, {**message(), "data": []}),
                (40165, message(miniprogram={"pagepath": "x"})),
                (45067, message("x" * 33)), (45067, message("a b"))):
            equal((sim.code(body), body), (code, body))
        escaped = json.dumps(message()).encode()    # \u5f20
        equal(sim.code(None, raw=escaped), 40033)
        equal(sim.code(None, raw=b"{"), 47001)
        equal(sim.send(None, raw=b"{").status, 200)
        equal(sim.ledger(), [])


def test_an_id_is_delivered_once():
    with Wechat() as sim:
        equal([sim.code(message("id-1")) for _ in range(3)],
              [0, 40241, 40241])
        equal(sim.code(message("id-2")), 0)
        equal(sim.code(message("id-1", touser=OPENID[:-1] + "2")), 0)
        equal([sim.code(message()) for _ in range(2)], [0, 0])
        equal(len(sim.ledger()), 5)


def test_answers_have_a_window_and_a_number():
    receiver = Receiver(body=b"success")
    with Wechat(callback=receiver.url) as sim:
        equal(sim.code(answer(), what="custom"), 45015)
        sim.do("CLICK", text="x")
        equal(sim.code(answer(), what="custom"), 45015)
        sim.do("text", text="1")
        equal([sim.code(answer(), what="custom") for _ in range(6)],
              [0] * 5 + [45047])
        sim.do("text", text="2")
        equal(sim.code(answer("x" * 2049), what="custom"), 45002)
        equal(sim.code(answer(""), what="custom"), 44004)
        equal(sim.code(answer(), what="custom"), 0)
    receiver.close()


def subscribed(data=None, **changes):
    return message(data=data, **{"miniprogram_state": "formal",
                                 "lang": "zh_CN", **changes})


def test_subscription_messages_spend_what_was_agreed_to():
    receiver = Receiver(body=b"success")
    with Wechat(callback=receiver.url) as sim:
        def code(body):
            return sim.code(body, what="subscribe")

        equal(code(subscribed()), 43101)
        for _ in range(2):
            sim.do("accept", text=TEMPLATE)
        equal(code(subscribed(lang="de")), 47001)
        equal(code(subscribed(client_msg_id="a")), 47001)
        equal(code(subscribed(page="/pages/a")), 41030)
        equal(code(subscribed(template_id="nobody")), 40037)
        for data in ({"number1": "12瓶"}, {"letter1": "a1"},
                     {"phrase1": "ok"}, {"time1": "10"}, {"amount1": "x"},
                     {"thing1": "阿" * 21}, {"name1": "阿" * 11}):
            equal((data, code(subscribed(data))), (data, 47003))
        equal([code(subscribed()) for _ in range(3)], [0, 0, 43101])
        sim.do("accept", text=TEMPLATE)
        sim.do("take_back", text=TEMPLATE)
        equal(code(subscribed()), 43101)
        # who enters is answered twice within a minute
        sim.do("user_enter_tempsession")
        equal([sim.code(answer(), what="custom") for _ in range(3)],
              [0, 0, 45047])
    receiver.close()


def test_followers_leave_and_come_back():
    receiver = Receiver(body=b"success")
    with Wechat(callback=receiver.url) as sim:
        for event, code in (("unsubscribe", 43004), ("subscribe", 0),
                            ("off", 48002), ("subscribe", 0)):
            equal(sim.do(event), 202)
            equal((event, sim.code(message())), (event, code))
        equal(sim.do("dance"), 400)
    receiver.close()


def test_pushes_are_signed_and_end_with_success():
    receiver = Receiver(body=b"")
    with Wechat(callback=receiver.url, mode="plain") as sim:
        sim.do("text", text="你好")
        wait_for(lambda: len(receiver.posts) == 1)
        _, path, body = receiver.posts[0]
        query = dict(urllib.parse.parse_qsl(path.partition("?")[2]))
        equal(query["signature"], signature(TOKEN, query["timestamp"],
                                            query["nonce"]))
        assert abs(int(query["timestamp"]) - time.time()) < 5
        equal(query["openid"], OPENID)
        assert "<Content><![CDATA[你好]]></Content>" in body, body
        wait_for(lambda: sim.get("/ledger/summary")[
            "wechat_pushes_acknowledged"] == 1)
        # anything else comes again, three times in all
        receiver.body = b"ok"
        sim.do("image")
        wait_for(lambda: sim.get("/ledger/summary")[
            "wechat_pushes_dropped"] == 1)
        equal(len(receiver.posts), 4)
        equal([p["try"] for p in sim.get("/wechat/pushes")], [1, 1, 2, 3])
    receiver.close()


def test_receipts_have_the_number_alone():
    receiver = Receiver(body=b"success")
    with Wechat("--receipt-delay-ms", "0", callback=receiver.url,
                mode="plain") as sim:
        sim.control(fault="receipts_undelivered", endpoint="wechat",
                    code="failed:user block", count=1)
        for number in "1", "2":
            equal(sim.code(message(number)), 0)
        wait_for(lambda: len(receiver.posts) == 2)
        said = {re.search("<MsgID>(.*)</MsgID>", body)[1]:
                re.search(r"<Status><!\[CDATA\[(.*)\]\]>", body)[1]
                for _, _, body in receiver.posts}
        equal(sorted(said.values()), ["failed:user block", "success"])
        equal(set(said), {e["message_id"] for e in sim.ledger()})
        assert not any(number in body for _, _, body in receiver.posts
                       for number in ("client_msg_id",))
    receiver.close()


def test_wechat_fails_as_it_is_told_to():
    with Wechat() as sim:
        sim.control(fault="code", endpoint="wechat", code="-1",
                    message="system busy")
        said = sim.send(message()).json
        equal(said["errcode"], -1)
        assert said["errmsg"].startswith("system busy rid: "), said
        equal(sim.post("/loopback", ONE).status, 200)
        sim.control(clear=True)
        sim.control(fault="status", endpoint="wechat_token", status=502)
        equal(sim.post("/cgi-bin/stable_token", {}).status, 502)
        equal(sim.get("/ledger/summary")["wechat"], 0)


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
