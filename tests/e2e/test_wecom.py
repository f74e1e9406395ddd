#!/usr/bin/env python3
"""WeCom: the token, the address verified as the console asks, what members
write, and what of it is believed.  Sending is in tests/unit/test_wecom.c, for
no patient has this channel."""

import json
import sys
import time
import urllib.error
import urllib.request

from stack import Stack, Tap, get_json, post, refill_patients, wait_until

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"


def wecom_stack(resources=(), **options):
    options.setdefault("settings", QUICK)
    options.setdefault("gateway", "wecom")
    return Stack(BEGIN, **options).begin(list(resources), ())


def push(stack, event, user="ZhangSan", **more):
    status, text = post(f"{stack.sim}/wecom/push", json.dumps(
        {"event": event, "from": user, **more}))
    assert status == 202, text


def answered(stack, count):
    """The last pushes, once so many were answered."""
    def pushes():
        return get_json(f"{stack.sim}/wecom/pushes")
    wait_until(lambda: len(pushes()) >= count, 10, "pushes are answered")
    return pushes()


def summary(stack):
    return get_json(f"{stack.sim}/ledger/summary")


def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_address_is_verified_by_an_encrypted_echo():
    with wecom_stack() as stack:
        asked = get_json(f"{stack.sim}/wecom/verify")
        url = f"{stack.callback_url()}?{asked['query']}"
        assert ask(url) == (200, asked["echo"].encode())
        signature = asked["query"].index("msg_signature=") + 14
        other = "0" if asked["query"][signature] != "0" else "1"
        forged = (asked["query"][:signature] + other
                  + asked["query"][signature + 1:])
        assert ask(f"{stack.callback_url()}?{forged}")[0] == 403
        assert ask(f"{stack.callback_url()}?echostr=123")[0] == 403


def test_what_a_member_writes_is_stored_once():
    with wecom_stack() as stack:
        push(stack, "text", text="接手 😀")
        first, = answered(stack, 1)
        assert (first["status"], first["answer"]) == (200, "success"), first
        assert first["ms"] < 5000 and first["try"] == 1, first
        assert "encrypt_type" not in first["query"], first
        assert "接手" not in first["body"], first
        for _ in range(2):
            assert post(f"{stack.callback_url()}?{first['query']}",
                        first["body"]) == (200, "success")
        stack.settle_replies()
        assert stack.number("SELECT count(*) FROM inbox") == 1
        log = stack.copies[0].log_text()
        assert "ZhangSan" not in log and "接手" not in log, log


def test_what_else_is_pushed_is_acknowledged_and_left_alone():
    with wecom_stack() as stack:
        for event in "enter_agent", "subscribe", "image", "change_contact":
            push(stack, event)
        assert [p["answer"] for p in answered(stack, 4)] == ["success"] * 4
        assert stack.number("SELECT count(*) FROM inbox") == 0


def test_what_is_forged_or_malformed_is_refused_and_leaves_nothing():
    with wecom_stack() as stack:
        for wrong, status in [("signature", 403), ("altered", 403),
                              ("appid", 400), ("padding", 400),
                              ("plain", 403)]:
            before = len(answered(stack, 0))
            push(stack, "text", text="x", wrong=wrong)
            told = answered(stack, before + 3)[before:]
            assert [p["status"] for p in told] == [status] * 3, (wrong, told)
        assert stack.number("SELECT count(*) FROM inbox") == 0


def test_two_copies_share_one_token():
    with wecom_stack(copies=2) as stack:
        wait_until(lambda: stack.number("SELECT count(*) FROM gateway_token "
                                        "WHERE expires_at > now()") == 1,
                   10, "there is a token")
        time.sleep(2)   # they look each second
        assert summary(stack)["wecom_token_requests"] == 1


def test_a_robot_alone_asks_for_no_token():
    with wecom_stack(gateway="wecom robot") as stack:
        time.sleep(2)
        assert summary(stack)["wecom_token_requests"] == 0
        listed = stack.ctl("gateway", "list")
        assert "wecom" in listed, listed


def test_no_patient_is_written_to_by_it():
    patients = refill_patients(1)
    for resource in patients:
        if resource["resourceType"] == "Patient":
            resource["telecom"] = [{
                "system": "other", "value": "ZhangSan",
                "extension": [{
                    "url": "https://adherd.example/fhir/channel",
                    "valueCode": "wecom"}]}]
    with wecom_stack(patients) as stack:
        assert stack.number("SELECT count(*) FROM contact") == 0
        stack.move_clock(DUE)
        wait_until(stack.at_rest, 10, "at rest")
        assert stack.entries() == []
        assert stack.number("SELECT count(*) FROM delivery "
                            "WHERE channel <> 0") == 0


def test_no_patient_can_be_given_it():
    with wecom_stack(refill_patients(1)) as stack:
        before = stack.number("SELECT count(*) FROM consent")
        stack.ctl("consent", "p1", "--topic", "refill", "--channel", "wecom",
                  "--evidence", "by phone", check=False)
        assert 'no channel "wecom"' in "".join(stack.errors), stack.errors
        assert stack.number("SELECT count(*) FROM consent") == before
        program = json.loads(stack.ctl("program", "show", "refill", "--json"))
        program["settings"]["channels"] = ["wecom", "sms"]
        path = stack.folder / "program.json"
        path.write_text(json.dumps(program), encoding="utf-8")
        stack.ctl("program", "check", path, check=False)
        assert "settings.channels[0]" in "".join(stack.errors), stack.errors


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
