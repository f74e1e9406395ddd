#!/usr/bin/env python3
"""Reminders through a WeChat official account: one token for all copies,
template messages, receipts, what followers say, do and press."""

import hashlib
import json
import sys
import time
import urllib.request

from stack import (Stack, Tap, get_json, post, refill_patients, wait_until)

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
REJECTED, UNKNOWN, DELIVERED, UNDELIVERED, UNCONFIRMED = 4, 6, 7, 8, 9


def openid(number):
    return f"oTest{number:023d}"


def followers(count, first=1, channel="wechat_oa", **fill):
    """Patients whose only address is an openid."""
    found = refill_patients(count, first=first, **fill)
    for resource in found:
        if resource["resourceType"] == "Patient":
            resource["telecom"] = [{
                "system": "other", "value": openid(int(resource["id"][1:])),
                "extension": [{
                    "url": "https://adherd.example/fhir/channel",
                    "valueCode": channel}]}]
    return found


def ready_stack(resources, **options):
    options.setdefault("settings", QUICK)
    faults = options.pop("faults", ())
    return Stack(BEGIN, gateway="wechat_oa", **options).begin(
        resources, faults)


def states(stack):
    return {int(state): int(count) for state, count in stack.sql(
        "SELECT state, count(*) FROM delivery GROUP BY 1")}


def reach(stack, wanted, what, limit_s=20):
    wait_until(lambda: states(stack) == wanted, limit_s,
               f"{what}: {wanted} (is {states(stack)})")


def push(stack, event, number=1, **more):
    status, text = post(f"{stack.sim}/wechat/push", json.dumps(
        {"event": event, "from": openid(number), **more}))
    assert status == 202, text


def pushes(stack):
    return get_json(f"{stack.sim}/wechat/pushes")


def answered(stack, count):
    """The last pushes, once so many were answered."""
    wait_until(lambda: len(pushes(stack)) >= count, 10, "pushes are answered")
    return pushes(stack)


def summary(stack):
    return get_json(f"{stack.sim}/ledger/summary")


def usable(stack):
    return stack.sql("SELECT usable FROM contact")[0][0] == "t"


def test_a_reminder_leaves_and_its_receipt_comes_back():
    with ready_stack(followers(1)) as stack:
        stack.move_clock(DUE)
        reach(stack, {DELIVERED: 1}, "delivered")
        entry, = stack.entries()
        assert entry["endpoint"] == "wechat", entry
        assert entry["text"].startswith("甲1，您的氨氯地平片"), entry
        assert "3月9日" in entry["text"], entry
        assert entry["address"] == openid(1), entry
        # found by the number of the answer: a receipt has nothing else
        provider_id, code = stack.sql(
            "SELECT provider_id, code FROM delivery")[0]
        assert provider_id == entry["message_id"], provider_id
        assert code == "success", code
        wait_until(lambda: stack.entries()[0]["receipt_stored"], 10,
                   "the provider knows that we have it")
        stack.check_ledger()


def test_two_copies_share_one_token():
    with ready_stack(followers(40), copies=2) as stack:
        stack.move_clock(DUE)
        reach(stack, {DELIVERED: 40}, "all are delivered", 40)
        assert summary(stack)["wechat_token_requests"] == 1
        assert stack.sql("SELECT octet_length(token_sealed) > 40 "
                         "FROM gateway_token") == [["t"]]
        stack.check_ledger()


def test_a_token_that_ends_is_replaced_and_no_attempt_is_lost():
    with ready_stack(followers(20), copies=2) as stack:
        wait_until(lambda: stack.number("SELECT count(*) FROM gateway_token "
                                        "WHERE expires_at > now()") == 1,
                   10, "there is a token")
        for _ in stack.copies:      # both know it
            assert post(f"{stack.sim}/wechat/expire", "")[0] == 200
        stack.move_clock(DUE)
        reach(stack, {DELIVERED: 20}, "all are delivered", 40)
        assert stack.number("SELECT max(attempts) FROM delivery") == 1
        assert stack.number("SELECT count(*) FROM gateway_pause") == 0
        # one refresh, whoever was refused how often
        assert summary(stack)["wechat_token_requests"] == 2
        stack.check_ledger()


def test_a_token_that_nobody_gives_pauses_the_gateway_and_loses_nothing():
    with ready_stack(followers(2), settings=QUICK + "probe = 3s\n", faults=[
            {"fault": "code", "endpoint": "wechat_token", "code": "40125",
             "message": "invalid appsecret"}]) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: stack.sql(
            "SELECT code FROM gateway_pause") == [["40125"]], 20, "it rests")
        assert stack.entries() == []
        stack.fault(clear=True)
        stack.move_clock("+2m")
        reach(stack, {DELIVERED: 2}, "all are delivered", 60)


def test_a_second_refusal_of_the_token_pauses_the_gateway():
    with ready_stack(followers(1)) as stack:
        stack.fault(fault="code", endpoint="wechat", code="40001",
                    message="invalid credential", count=2)
        stack.move_clock(DUE)
        wait_until(lambda: stack.sql(
            "SELECT code FROM gateway_pause") == [["40001"]], 20, "it rests")
        assert summary(stack)["wechat_token_requests"] <= 3
        assert stack.entries() == []


def test_no_answer_is_repeated_at_once_and_delivered_once():
    with ready_stack(followers(3)) as stack:
        stack.fault(fault="reset_after", endpoint="wechat", count=3)
        stack.move_clock(DUE)
        # the second is told that it is the same: no number, so no receipt
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE code = '40241'") == 3, 20,
            f"they are known again: {states(stack)}")
        assert len(stack.entries()) == 3
        assert not get_json(f"{stack.sim}/ledger/duplicates")["by_reference"]
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE repeated") == 0
        stack.check_ledger()


def test_a_repeat_that_is_put_off_leaves_the_first_in_doubt():
    with ready_stack(followers(1), settings=QUICK.replace(
            "ask-after = 1s", "ask-after = 60s")) as stack:
        stack.fault(fault="silent", endpoint="wechat", count=1)
        stack.fault(fault="receipts_off", endpoint="wechat")
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) == 1, 20, "it is taken")
        stack.fault(fault="code", endpoint="wechat", code="45009")
        reach(stack, {UNKNOWN: 1}, "nobody knows")
        assert stack.sql("SELECT code FROM delivery") == [["45009"]]


def test_a_token_is_of_the_settings_that_it_was_got_with():
    with ready_stack([]) as stack:
        copy, = stack.copies
        wait_until(lambda: summary(stack)["wechat_token_requests"] == 1, 10,
                   "there is a token")
        copy.stop()
        copy.start()
        time.sleep(2)   # it looks each second
        with open(copy.config, "a", encoding="utf-8") as config:
            config.write("miniprogram-appid = wx0000000000000001\n")
        assert summary(stack)["wechat_token_requests"] == 1
        copy.stop()
        copy.start()
        wait_until(lambda: summary(stack)["wechat_token_requests"] == 2, 10,
                   "another account may have another token")


def test_a_refresh_that_a_dead_copy_holds_is_taken_over():
    with Stack(BEGIN, gateway="wechat_oa", settings=QUICK) as stack:
        ends = stack.sql("INSERT INTO gateway_token (gateway, refreshing, "
                         "lease_until) VALUES ('sms', 'dead', "
                         "clock_timestamp() + interval '6 s') "
                         "RETURNING lease_until")[0][0]
        stack.begin(followers(1))
        wait_until(lambda: summary(stack)["wechat_token_requests"] == 1, 12,
                   "the lease has ended")
        assert stack.sql(f"SELECT clock_timestamp() >= '{ends}'") == [["t"]]
        stack.move_clock(DUE)
        reach(stack, {DELIVERED: 1}, "delivered")


def test_who_does_not_follow_is_left_alone_until_they_do():
    with ready_stack(followers(1)) as stack:
        push(stack, "unsubscribe")
        wait_until(lambda: not usable(stack), 10, "it is not used")
        stack.move_clock(DUE)
        wait_until(stack.at_rest, 10, "at rest")
        assert stack.entries() == []
        push(stack, "subscribe")
        wait_until(lambda: usable(stack), 10, "it is used again")
        wait_until(lambda: states(stack).get(DELIVERED) == 1, 30,
                   f"delivered: {states(stack)}")


def test_a_refusal_by_the_provider_ends_the_address():
    with ready_stack(followers(2)) as stack:
        stack.fault(fault="code", endpoint="wechat", code="43004",
                    message="require subscribe", count=1)
        stack.move_clock(DUE)
        reach(stack, {REJECTED: 1, DELIVERED: 1}, "one of two")
        assert stack.number(
            "SELECT count(*) FROM contact WHERE NOT usable") == 1


def test_a_blocked_receipt_ends_the_address():
    with ready_stack(followers(1)) as stack:
        stack.fault(fault="receipts_undelivered", code="failed:user block")
        stack.move_clock(DUE)
        reach(stack, {UNDELIVERED: 1}, "undelivered")
        assert stack.sql("SELECT code FROM delivery") == [["user_block"]]
        assert not usable(stack)


def test_a_receipt_before_the_answer_is_matched():
    with ready_stack(followers(5)) as stack:
        stack.fault(fault="receipts_early")
        stack.fault(fault="receipts_triple")
        stack.fault(fault="receipts_unknown", count=2)
        stack.move_clock(DUE)
        reach(stack, {DELIVERED: 5}, "all are delivered")
        assert stack.number(
            "SELECT count(*) FROM inbox WHERE type = 1") <= 5 + 2


def test_a_reply_is_answered_in_the_window_that_it_opens():
    with ready_stack(followers(1)) as stack:
        stack.move_clock(DUE)
        reach(stack, {DELIVERED: 1}, "delivered")
        push(stack, "text", text="1")
        stack.settle_replies(count=1)
        labels = stack.sql("SELECT labels, asked_kind FROM reply")
        assert len(labels) == 1 and labels[0][1] == "2", labels
        wait_until(lambda: len(stack.entries()) == 2, 20, "the answer")
        answer = stack.entries()[1]
        assert answer["template"] == "" and answer["reference"] == "", answer
        # no receipt will come: accepted is all that is known
        reach(stack, {DELIVERED: 1, UNCONFIRMED: 1}, "it is on record")
        push_, = pushes(stack)
        assert (push_["status"], push_["answer"]) == (200, "success"), push_
        assert push_["ms"] < 5000 and push_["try"] == 1, push_
        assert "encrypt_type=aes" in push_["query"], push_


def test_a_menu_and_a_voice_message_are_replies():
    with ready_stack(followers(1)) as stack:
        push(stack, "CLICK", text="taken")
        push(stack, "voice")
        push(stack, "SCAN", text="1")
        push(stack, "VIEW", text="https://clinic.example")
        assert all(p["answer"] == "success" for p in answered(stack, 4))
        stack.settle_replies()
        assert stack.number("SELECT count(*) FROM inbox") == 2
        assert stack.number("SELECT count(*) FROM reply") == 2


def test_a_push_that_comes_again_is_stored_once():
    with ready_stack(followers(1)) as stack:
        push(stack, "text", text="hello")
        first, = answered(stack, 1)
        for _ in range(2):
            status, text = post(
                f"{stack.callback_url()}?{first['query']}", first["body"])
            assert (status, text) == (200, "success")
        assert stack.number("SELECT count(*) FROM inbox") == 1


def test_what_is_forged_or_malformed_is_refused_and_leaves_nothing():
    with ready_stack([]) as stack:
        for wrong, status in [("signature", 403), ("altered", 403),
                              ("appid", 400), ("padding", 400),
                              ("plain", 403)]:
            before = len(pushes(stack))
            push(stack, "text", text="x", wrong=wrong)
            # told three times, then given up
            told = answered(stack, before + 3)[before:]
            assert [p["status"] for p in told] == [status] * 3, (wrong, told)
        push(stack, "doctype")
        assert answered(stack, 18)[-1]["status"] == 400
        assert stack.number("SELECT count(*) FROM inbox") == 0


def test_plain_and_compatible_pushes_are_taken_where_that_is_set():
    for mode in "plain", "compatible":
        with ready_stack(followers(1), sim_options=("--wechat-mode", mode),
                         gateway_settings=f"callback-mode = {mode}"
                         ) as stack:
            push(stack, "text", text="2")
            assert answered(stack, 1)[0]["answer"] == "success", mode
            stack.settle_replies()
            assert stack.number("SELECT count(*) FROM reply") == 1
            assert ("Encrypt" in pushes(stack)[0]["body"]) == (
                mode == "compatible")


def test_the_address_is_verified_as_the_console_asks():
    with ready_stack([]) as stack:
        now = str(int(time.time()))
        signature = hashlib.sha1("".join(sorted(
            ["spamtest", now, "77"])).encode()).hexdigest()
        url = (f"{stack.callback_url()}?signature={signature}"
               f"&timestamp={now}&nonce=77&echostr=4375120948345356249")
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.read() == b"4375120948345356249"
        assert post(f"{stack.callback_url()}?signature={'0' * 40}"
                    f"&timestamp={now}&nonce=77", "<xml/>")[0] == 403


def test_what_is_wrong_with_an_account_pauses_it_and_names_the_code():
    with ready_stack(followers(1)) as stack:
        stack.fault(fault="code", endpoint="wechat", code="40164",
                    message="invalid ip", count=1)
        stack.move_clock(DUE)
        wait_until(lambda: stack.sql(
            "SELECT code FROM gateway_pause") == [["40164"]], 20, "it rests")
        stack.move_clock("+2m")
        reach(stack, {DELIVERED: 1}, "delivered", 90)


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
