#!/usr/bin/env python3
"""Faults 21 to 33 and 35 against Tencent's SMS (T), an official account (O)
and a mini program (M): what test_flow.py, test_provider.py, test_receipts.py
and test_door.py do to Aliyun's and to the loopback, as far as these are
another thing.  The seed is printed first; FAULT_SEED repeats a run."""

import hashlib
import json
import random
import sys
import time

from bad_provider import (ACCEPTED, DELIVERED, RETRY, SENDING, SIMULATED, SMS,
                          SPOILED, UNCONFIRMED, UNDELIVERED, UNKNOWN,
                          authority, body, make_certificate, tls_context)
from fault_table import record
from faults import (FORWARD, HISTORY, SEED, joined_late, main, moves,
                    recovers, resident_kb, tell)
from pair import MINI, OFFICIAL, QUICK, WECHAT_FIRST, Pair
from stack import (WECHAT_TOKEN, get_json, post, refill_patients, wait_until)
from test_wechat_oa import followers, openid, push, pushes, summary

PATIENT = QUICK.replace("ask-after = 1s", "ask-after = 10m")
REQUEST_S, LOOK_S = 2, 1
GROWTH_KB_MAX = 8 << 10
CHANCE = random.Random(SEED)


# ---- 21 and 27: slower, and the account is refused ----

def code(endpoint, value, **more):
    return {"fault": "code", "endpoint": endpoint, "code": value,
            "message": "x", **more}


def status(endpoint, value, **more):
    return {"fault": "status", "endpoint": endpoint, "status": value,
            "code": "Throttling", "message": "x", **more}


HOUR_S, REFUSED = 3600, None
REFUSALS = {     # which gateway, by what, for how long; each in turn
    OFFICIAL: [("sms", code("tencent", "AuthFailure.SignatureFailure"),
                REFUSED),
               ("wechat", code("wechat_token", "40125"), REFUSED),
               ("sms", code("tencent", "RequestLimitExceeded"), 1),
               ("wechat", code("wechat", "45009"), HOUR_S)],
    MINI: [("wechat", code("wechat", "-1"), 1),
           ("sms", code("tencent", "UnauthorizedOperation."
                        "SerivceSuspendDueToArrears"), REFUSED),
           ("wechat", code("wechat", "43104"), REFUSED),
           ("sms", status("tencent", 429, retry_after="3"), 3)]}


def obeyed(stack, mine, done, told_s, pause_s, begun):
    """A time is kept, and the others go on when it is over."""
    # a day's limit ends at midnight, an hour is the longest pause
    assert told_s - 0.6 <= pause_s <= told_s + 0.1 or (
        told_s == HOUR_S and pause_s < HOUR_S), (told_s, pause_s)
    if told_s < HOUR_S:
        wait_until(lambda: stack.states(mine).get(DELIVERED, 0) >= done - 1,
                   told_s + 10, "the others go on")
        assert time.monotonic() - begun > told_s


def waits(stack, mine, count):
    """An alarm; nobody is given up, and nobody storms."""
    time.sleep(3)       # probes
    assert stack.copies[0].ready(), "the other gateway is usable"
    # who did not come to be tried has no delivery yet; probes are on their way
    wait_until(lambda: set(stack.states(mine)) - {DELIVERED} == {RETRY}, 10,
               f"they wait (are {stack.states(mine)})")
    (_, fault), = get_json(f"{stack.sim}/control")["faults"].items()
    assert fault["taken"] <= count + 2, fault


def refusals(kind):
    """Each is of that gateway only, and costs nobody a message or a credit.
    Who waited is served on the next day, and before it is a gateway's turn
    again."""
    count, steps = 3, REFUSALS[kind]
    # a time that is told is another one than the probe's
    with Pair(kind, more="window = 1", settings=QUICK.replace(
            "probe = 1s", "probe = 2s")).start(count, len(steps)) as stack:
        for day, (gateway, fault, told_s) in enumerate(steps):
            done = count * (day + 1)
            mine, others = ((SMS, stack.channel) if gateway == "sms" else
                            (stack.channel, SMS))
            if fault["endpoint"] == "wechat_token":
                assert post(f"{stack.sim}/wechat/expire", "")[0] == 200
            stack.fault(**fault, count=1 if told_s else 1000)
            begun, since = time.monotonic(), stack.time()
            stack.day(day)
            (name, word, pause_s), = wait_until(
                lambda s=since: stack.paused(s), 20, f"{fault}: a pause")
            assert (name, word) == (gateway, fault["code"]), fault
            assert f"gateway.paused gateway={gateway} " in (
                stack.copies[0].log_text()), "an alarm"
            stack.served(others, done)
            if kind == MINI and gateway == "wechat":
                wait_until(lambda d=done: stack.credits() == stack.people -
                           stack.states(mine).get(DELIVERED, 0), 10,
                           "what was not sent is not spent")
            if told_s:
                obeyed(stack, mine, done, told_s, pause_s, begun)
            else:
                waits(stack, mine, count)
            stack.fault(clear=True)
            if told_s == HOUR_S:
                stack.ctl("gateway", "resume", gateway)
        recovers(stack, stack.people, channels=stack.both, step="+20m")
        assert stack.credits() == 0
        for row in (21, 27):
            what = [fault["code"] for _, fault, told_s in steps
                    if (row == 27) == (told_s is REFUSED)]
            stack.tell(row, f"{kind} and T: " + ", ".join(what),
                      runs=len(what))


def test_fault_21_27_refusals_concern_their_gateway_only():
    refusals(OFFICIAL)


def test_fault_21_27_refusals_of_a_mini_program_spend_nothing():
    refusals(MINI)


# ---- 22: a burst of errors ----

def test_fault_22_burst_opens_both_breakers_and_nothing_is_doubled():
    count, window = 60, 4
    with Pair(OFFICIAL, more=f"window = {window}",
              settings=PATIENT).start(count) as stack:
        stack.fault(fault="status", status=503)
        stack.day(0)
        for name in ("sms", "wechat"):
            wait_until(lambda n=name: f"gateway.paused gateway={n} "
                       in stack.copies[0].log_text(), 20,
                       f"the breaker of {name} opens")
        time.sleep(0.3)     # those under way arrive
        struck = get_json(f"{stack.sim}/control")["faults"]["status"]["taken"]
        # ten in a row and those under way; O repeats each at once
        assert struck <= 3 * (10 + window), struck
        stack.fault(clear=True)
        taken = 0
        for channel in stack.both:
            wait_until(lambda c=channel: set(stack.states(c)) == {
                DELIVERED, UNKNOWN}, 40, f"{channel} drains")
            taken += stack.states(channel)[DELIVERED]
            assert stack.states(channel)[UNKNOWN] <= 10 + window
        stack.check_ledger()
        tell(22, f"503 burst, O and T: {struck} requests before the breakers",
             stack, taken, runs=2 * count)


# ---- 24 and 25: no answer, or one that says nothing ----

NO_ANSWER = ("close", "half_close", "silent", "trickle")
# nearly right: what a parser of theirs could take for a verdict
NEARLY = {
    "sms": [b'{"Response":[]}', b'{"Response":{"SendStatusSet":[]}}',
            b'{"Response":{"SendStatusSet":{"Code":"Ok"}}}',
            b'{"Response":{"SendStatusSet":[{"Code":"Ok"}]}}',
            b'{"Response":{"SendStatusSet":[[],7,null]}}',
            b'{"Response":{"SendStatusSet":[{"PhoneNumber":"+8619900000000",'
            b'"Code":"Ok","SerialNo":"1"}]}}',
            b'{"Response":{"Error":{"Code":5}}}',
            b'{"Response":{"Error":{"Code":""}}}',
            b'{"SendStatusSet":[{"Code":"Ok"}]}', b'"Ok"'],
    "wechat": [b'{"errcode":null}', b'{"errcode":[0]}', b'{"errcode":""}',
               b'{"errcode":false}', b'{"errcode":{"errcode":0}}',
               b'{"errcode":00000000000000000}', b'{"errmsg":"ok"}',
               b'[{"errcode":0}]', b'{"errcode":"0\\u0000"}', b'0']}


def no_verdict(kind):
    """Who got no verdict is unknown: T asks later, O repeats at once what the
    provider knows again, M never does.  Good ones between, so that nobody
    gives the provider up; the first two make ready what is kept."""
    # how a transfer goes wrong is the same for all
    common = [*NO_ANSWER, *(SPOILED if kind == OFFICIAL else ()),
              *(f"once:{form}" for form in SIMULATED)]
    forms = {name: [*common, *(f"nearly {i}" for i in range(len(texts)))]
             for name, texts in NEARLY.items()}
    count = 2 + 2 * len(forms["sms"])
    with Pair(kind, "http://127.0.0.1", "window = 1", settings=PATIENT.replace(
            "lease = 9s", "lease = 60s")).start(
                count, faults=[{"fault": "receipts_off"}],
                modes=("sms", "wechat")) as stack:
        for name, bad in stack.bad.items():
            bad.answers = {**SPOILED, **{
                f"nearly {i}": body(text)
                for i, text in enumerate(NEARLY[name])}}
            CHANCE.shuffle(forms[name])
            bad.modes = ["once", "once"] + [
                mode for form in forms[name] for mode in (form, "once")]
            bad.mode = "once"
        stack.day(0)
        wait_until(lambda: len(stack.entries()) >= 2, 20, "the first")
        before_kb = resident_kb(stack.copies[0].process.pid)
        wait_until(lambda: len(stack.state_of()) == 2 * count and
                   not {SENDING, RETRY} & set(stack.state_of().values()), 120,
                   "all are sent")
        growth_kb = resident_kb(stack.copies[0].process.pid) - before_kb
        state_of, modes = stack.state_of(), {}
        took = [v for bad in stack.bad.values() for v in bad.visits
                if v.mode != "pass"]
        for visit in took:
            modes.setdefault(visit.address, []).append(visit.mode)
        assert set(modes) == set(state_of), set(modes) ^ set(state_of)
        for address, of in modes.items():
            again = of[0] != "once" and kind == OFFICIAL and address[0] == "o"
            assert len(of) == 1 + again, (of, state_of[address])
            assert state_of[address] in (
                (ACCEPTED, UNCONFIRMED) if of[-1] == "once"
                else (UNKNOWN,)), (address, of, state_of[address])
        assert growth_kb < GROWTH_KB_MAX, growth_kb
        assert stack.credits() == 0, "what nobody knows of is spent"
        taken = len({v.address for v in took if v.mode.startswith("once")})
        stack.check_ledger()
        tell(24, f"{kind} and T: no answer", stack, taken, runs=len(NO_ANSWER),
             worst_s=max(v.ended_s for v in took if v.mode in NO_ANSWER),
             bound_s=REQUEST_S + LOOK_S)
        tell(25, f"{kind} and T: garbage, {growth_kb} kB more", stack, taken,
             runs=len(forms["sms"]) + len(forms["wechat"]),
             worst_s=max(v.ended_s for v in took), bound_s=REQUEST_S + LOOK_S)


def test_fault_24_25_no_verdict_is_unknown_and_repeated_where_known_again():
    no_verdict(OFFICIAL)


def test_fault_24_25_no_verdict_of_a_mini_program_is_never_repeated():
    no_verdict(MINI)


# ---- 26: the token ----

def test_fault_26_token_that_ends_is_asked_for_once_and_without_a_storm():
    count, copies = 4, 2
    with Pair(OFFICIAL, copies=copies).start(count, 3) as stack:
        for day, fault in enumerate((None, status("wechat_token", 503), {
                "fault": "garbage", "endpoint": "wechat_token"})):
            asked = summary(stack)["wechat_token_requests"]
            for _ in stack.copies:      # each knows one
                assert post(f"{stack.sim}/wechat/expire", "")[0] == 200
            if fault:
                stack.fault(**fault)
            stack.day(day)
            stack.served(SMS, count * (day + 1))
            if fault:
                time.sleep(3)
                struck = get_json(f"{stack.sim}/control")["faults"][
                    fault["fault"]]["taken"]
                assert 1 <= struck <= 2 * copies, struck
                assert UNKNOWN not in stack.states(stack.channel)
                stack.fault(clear=True)
            recovers(stack, count * (day + 1), channels=stack.both)
            # garbage is counted as an answer there, a 503 is not
            asked = summary(stack)["wechat_token_requests"] - asked
            assert asked <= 1 + copies and (fault or asked == 1), asked
        stack.tell(26, "O: token ended in two copies, 503 and garbage for one")


# ---- 23 and 28: surely not accepted; TLS ----

def test_fault_23_28_what_is_surely_not_taken_is_tried_again():
    """Neither a message nor the secret that a token is asked for with leaves
    for a wrong certificate, and no credit is spent."""
    count = 2
    with authority() as folder:
        for name, host, expired in (("expired", "localhost", True),
                                    ("stranger", "another.example", False)):
            make_certificate(folder, name, host, expired=expired)
        good = tls_context(folder, "good")
        wrong = {"expired": ("pass", tls_context(folder, "expired")),
                 "wrong name": ("pass", tls_context(folder, "stranger")),
                 "TLS 1.1": ("pass", tls_context(folder, "good", old=True)),
                 "plain": ("pass", None),
                 "reset before the request": ("reset", good)}
        with Pair(MINI, "https://localhost",
                  f"ca-file = {folder}/ca.pem").start(count) as stack:
            start = time.monotonic()
            stack.day(0)        # no port is open
            wait_until(lambda: stack.states() == stack.states(
                stack.channel) == {RETRY: count}, 20, "both wait")
            took_s = time.monotonic() - start
            for what, (mode, context) in wrong.items():
                bad = [stack.provider(name, mode, context)
                       for name in ("sms", "wechat")]
                stack.move_clock("+80m")
                wait_until(lambda b=bad: all(any(
                    v.ended_s is not None for v in one.visits)
                    for one in b), 30, f"{what}: connections")
            wait_until(lambda: stack.states() == stack.states(
                stack.channel) == {RETRY: count}, 20, "both wait")
            assert stack.entries() == []
            assert summary(stack)["wechat_token_requests"] == 0
            assert stack.credits() == count
            for name in ("sms", "wechat"):
                stack.provider(name, "pass", good)
            recovers(stack, count, channels=stack.both, step="+20m")
            assert stack.credits() == 0
            stack.tell(23, "M and T: closed port, reset", runs=4,
                       worst_s=took_s, bound_s=3 + LOOK_S)
            stack.tell(28, "M and T: " + ", ".join(list(wrong)[:-1]),
                       runs=2 * len(wrong) - 2)


# ---- 29, 30 and 31: receipts ----

def receipts(kind, **options):
    count = 8
    with Pair(kind, **options) as stack:
        stack.sql(HISTORY)
        stack.start(count, 3, [{"fault": "receipts_early"}])
        stack.day(0)
        for channel in stack.both:
            stack.served(channel, count)
        tell(29, f"{kind} and T: before the answer", stack, 2 * count,
             runs=2 * count, worst_s=joined_late(stack), bound_s=LOOK_S)
        stack.fault(clear=True)
        stack.fault(fault="receipts_unknown")
        stack.fault(fault="receipts_triple")
        stack.fault(fault="receipts_shuffled")
        stack.day(1)
        for channel in stack.both:
            stack.served(channel, 2 * count)
        stack.fault(fault="receipts_undelivered")
        stack.day(2)
        for channel in stack.both:
            wait_until(lambda c=channel: stack.states(c) == {
                DELIVERED: 2 * count, UNDELIVERED: count}, 30, "not delivered")
        for was, state in moves(stack):
            assert state in FORWARD[was], (was, state)
        # a stranger's for each message since the second day
        kept = ("SELECT gateway, count(*) FROM inbox WHERE state <> 1 AND "
                "(state = 2 OR tries > 0) GROUP BY 1 ORDER BY 1")
        strangers = str(2 * count)
        wait_until(lambda: stack.sql(kept) == [
            ["sms", strangers], ["wechat", strangers]], 20,
            f"strangers' are kept (is {stack.sql(kept)})")
        told = get_json(f"{stack.sim}/callbacks?since=0&limit=10000")
        assert {one["status"] for one in told["callbacks"]} == {200}
        stack.check_ledger()
        stack.tell(30, f"{kind} and T: receipts of strangers", runs=4 * count)
        stack.tell(31, f"{kind} and T: three of each, shuffled",
                  runs=3 * 4 * count)


def test_fault_29_30_31_receipts_in_any_order():
    receipts(OFFICIAL)


def test_fault_29_30_31_receipts_of_a_mini_program_in_json():
    receipts(MINI, sim_options=("--wechat-format", "json"))


# ---- 32, 33 and 35: replies twice, forged callbacks, bad text ----

def signed(stack, text, at=0, token=WECHAT_TOKEN, name="wechat"):
    """A plain push of WeChat, whose signature is not of its text."""
    query = [str(int(time.time()) + at), "77"]
    mark = hashlib.sha1("".join(sorted([token, *query])).encode()).hexdigest()
    return post(f"{stack.callback_url(name)}?signature={mark}&timestamp="
                f"{query[0]}&nonce={query[1]}", text)[0]


def tencent(stack, value, name="sms"):
    return post(stack.callback_url(name), value if isinstance(
        value, bytes) else json.dumps(value))[0]


def sms_reply(**more):
    return {"extend": "01", "mobile": "19900000001", "nationcode": "86",
            "sign": "示例医院", "text": "1", "time": 1772416860, **more}


def sms_receipt(**more):
    return {"user_receive_time": "2026-03-02 10:00:05", "nationcode": "86",
            "mobile": "19900000001", "report_status": "SUCCESS",
            "errmsg": "DELIVRD", "description": "x", "sid": "1:2",
            "ext": "aedqdqfyaibacbae", **more}


def wechat_words(kind, **more):
    said = {"ToUserName": "gh_0", "FromUserName": openid(WECHAT_FIRST),
            "CreateTime": int(time.time()), "MsgType": "text",
            "Content": "1", "MsgId": 77, **more}
    return json.dumps(said) if kind == MINI else "<xml>" + "".join(
        f"<{key}><![CDATA[{value}]]></{key}>"
        for key, value in said.items()) + "</xml>"


def twice(stack):
    """A provider that tells it again, and a double tap: one order each."""
    for changes in ({}, {}, {"time": 1772416861}):
        assert tencent(stack, sms_reply(**changes)) == 200
    push(stack, "text", WECHAT_FIRST, xml=wechat_words(stack.kind))
    wait_until(lambda: stack.number(
        "SELECT count(*) FROM inbox WHERE type = 2") == 3, 10, "it is there")
    for number in (77, 78):
        assert signed(stack, wechat_words(stack.kind, MsgId=number)) == 200
    stack.settle_replies()
    assert stack.sql("SELECT gateway, count(*) FROM inbox WHERE type = 2 "
                     "GROUP BY 1 ORDER BY 1") == [["sms", "2"],
                                                  ["wechat", "2"]]
    for number in (1, WECHAT_FIRST):
        tasks = stack.ctl("tasks", f"p{number}", "--json").splitlines()
        assert [json.loads(task)["about"] for task in tasks] == [
            "refill_yes"], tasks
    if stack.kind == MINI:
        for one in pushes(stack)[:4]:
            assert post(f"{stack.callback_url('wechat')}?{one['query']}",
                        one["body"]) == (200, "success")
        assert stack.number("SELECT count(*) FROM inbox WHERE state = 0") == 0
        assert stack.credits() == 0, "a credit that is told of again"
    record(32, f"{stack.kind} and T: told again, double tap", seed=SEED,
           runs=6)


def callbacks_counted(stack):
    """By gateway; all under no name."""
    lines = [line for line in stack.copies[0].metrics().decode().splitlines()
             if line.startswith("adherd_callbacks_total")]
    return {name: sum(float(line.split()[-1]) for line in lines
                      if name == "" or f'gateway="{name}"' in line)
            for name in ("sms", "wechat", "")}


# but what genuine receipts and escalations go on changing
EVERYTHING = "SELECT " + ", ".join(
    f"(SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t)"
    for table in (
        "(SELECT type, text_sealed FROM inbox WHERE type <> 1 OR "
        "provider_id = '1:2')", "reply", "consent", "credit",
        "(SELECT patient_id, usable FROM contact)",
        "(SELECT count(*) FROM task)"))


def forged(stack):
    """Refused, and nothing but a counter changes."""
    # no receipt of an answer comes in between
    wait_until(lambda: stack.at_rest() and stack.number(
        "SELECT count(*) FROM delivery WHERE state IN (1, 3) AND "
        "gateway = 'sms'") == 0, 20, "at rest")
    before, counted = stack.sql(EVERYTHING), callbacks_counted(stack)
    words = wechat_words(stack.kind, MsgId=99, Content="退订")
    url, sms_url = stack.callback_url("wechat"), stack.callback_url()
    receipt = json.dumps([sms_receipt()])
    for wrong, (found, wanted) in {
            "token": (signed(stack, words, token="spamtesu"), 403),
            "stale": (signed(stack, words, at=-400), 403),
            "of the future": (signed(stack, words, at=400), 403),
            "not signed": (post(url, words)[0], 403),
            "empty": (post(f"{url}?signature=&timestamp=&nonce=", words)[0],
                      403),
            "secret of wechat": (post(url[:-1] + "x", words)[0], 404),
            "secret of sms": (post(sms_url[:-1] + "x", receipt)[0], 404),
            "receipt of sms": (post(url, receipt)[0], 403),
            "reply of sms": (tencent(stack, sms_reply(), "wechat"), 403),
            "words of wechat": (signed(stack, words, name="sms"), 400)
            }.items():
        assert found == wanted, (wrong, found)
    for wrong, wanted in (("signature", 403), ("altered", 403),
                          ("appid", 400), ("padding", 400)):
        many = len(pushes(stack))
        push(stack, "text", WECHAT_FIRST, text="退订", wrong=wrong)
        # told three times, then given up
        wait_until(lambda m=many: len(pushes(stack)) == m + 3, 20, wrong)
        assert {one["status"] for one in pushes(stack)[many:]} == {wanted}
    assert stack.sql(EVERYTHING) == before
    now = callbacks_counted(stack)
    assert {name: now[name] - counted[name] for name in now} == {
        "sms": 1, "wechat": 7 + 12, "": 22}, (counted, now)
    record(33, f"{stack.kind} and T: forged, stale, of the other", seed=SEED,
           runs=22)


# what jsmn or a parser of XML accepts, and PostgreSQL does not
BAD = ["\0", "a\0b", "\ud800", "长" * 1000, "9" * 1000, "", "\x1b[2J", 1e300,
       -1, True, None, [], {}, ["1"]]
BAD_XML = [b"&#0;", b"&#xd800;", b"\xff\xfe", b"\xc0\x80", b"\0",
           b"\xed\xa0\x80", b"<![CDATA[a\0b]]>", b"<![CDATA[\x1b[2J]]>",
           b"<![CDATA[" + "长".encode() * 20000 + b"]]>", b"<a>" * 500]


def bad_bodies(kind):
    """[(of which gateway, body)]"""
    found = [(name, data) for name in ("sms", "wechat") for data in (
        b"", b"\0", b"{", b"[1,2", b"[}]", b"{}", b"[[]]", b"<xml>", b"<xml/>",
        b"[" * 60000, b"{\"a\":" * 12000, b"\xff\xfe{}")]
    for value in BAD:
        found += [("sms", json.dumps([sms_receipt(**{key: value})]).encode())
                  for key in sms_receipt()]
        found += [("sms", json.dumps(sms_reply(**{key: value})).encode())
                  for key in sms_reply()]
        if kind == MINI:
            found += [("wechat", wechat_words(kind, **{key: value}).encode())
                      for key in ("FromUserName", "CreateTime", "MsgType",
                                  "Content", "MsgId")]
            found += [("wechat", wechat_words(
                kind, MsgType="event", Event=event, List={
                    "TemplateId": "x", "SubscribeStatusString": "accept",
                    "MsgID": "7", "ErrorCode": "0", key: value}).encode())
                for event in ("subscribe_msg_popup_event",
                              "subscribe_msg_sent_event")
                for key in ("TemplateId", "SubscribeStatusString", "MsgID",
                            "ErrorCode")]
    for text in BAD_XML if kind == OFFICIAL else ():
        found += [("wechat", wechat_words(kind, MsgId=200).encode().replace(
            b"<![CDATA[%s]]>" % field, text)) for field in (
                b"1", b"200", openid(WECHAT_FIRST).encode(), b"text")]
    return found


NAMES = ["甲" * 60, "\u202e甲\u202c\x1b[2J", "甲\n乙", "😀" * 40, "{1}${name}"]


def bad_text(stack):
    """A code for what is bad, and nobody else is hurt by it."""
    bodies = bad_bodies(stack.kind)
    for name, data in bodies:
        said = (signed if name == "wechat" else tencent)(stack, data)
        assert said in (200, 400), (name, said, data[:80])
    assert tencent(stack, sms_reply(text="2", time=1772416899)) == 200
    assert signed(stack, wechat_words(stack.kind, MsgId=990)) == 200
    stack.settle_replies(60)
    log = stack.copies[0].log_text()
    for word in ("22021", "22P02", "internal", "\x1b"):
        assert word not in log, word
    record(35, f"{stack.kind} and T: bad callbacks", seed=SEED,
           runs=len(bodies))


def bad_names(stack):
    """Each is told, made harmless; too long ones the import refuses."""
    first = 501
    people = refill_patients(len(NAMES), first=first) + followers(
        len(NAMES), WECHAT_FIRST + first, stack.kind)
    for place, one in enumerate(
            one for one in people if one["resourceType"] == "Patient"):
        one["name"] = [{"text": NAMES[place % len(NAMES)]}]
    stack.import_bundle("clinic", people)

    def told():
        return [entry["text"] for entry in stack.entries()
                if int(entry["address"][-3:]) >= first]

    texts = wait_until(
        lambda: len(told()) == 2 * len(NAMES) and told(), 20,
        f"names (is {stack.codes()}, {stack.codes(stack.channel)})")
    assert not [text for text in texts if set("\0\n\x1b\u202e{}") & set(text)]
    record(35, f"{stack.kind} and T: bad names", seed=SEED, runs=len(texts))


def callbacks(kind, form):
    with Pair(kind, wechat="callback-mode = compatible", sim_options=(
            "--wechat-mode", "compatible", "--wechat-format", form)
            ).start(4) as stack:
        stack.day(0)
        for channel in stack.both:
            stack.served(channel, 4)
        twice(stack)
        forged(stack)
        bad_text(stack)
        if kind == OFFICIAL:    # M's people have no credit for them
            bad_names(stack)
        # no ledger check: WeChat's answers to replies carry no reference, and
        # a person has several of them, so whose an entry is cannot be told
        told = [entry["address"] for entry in stack.entries()
                if "预计3月9日用完" in entry["text"]]
        assert len(told) == len(set(told)) >= 2 * stack.people, told


def test_fault_32_33_35_callbacks():
    callbacks(OFFICIAL, "xml")


def test_fault_32_33_35_callbacks_of_a_mini_program_in_json():
    callbacks(MINI, "json")


if __name__ == "__main__":
    sys.exit(main({name: value for name, value in globals().items()
                   if getattr(value, "__module__", "") == "__main__"}))
