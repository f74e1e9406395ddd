#!/usr/bin/env python3
"""Tests of the provider simulator by raw HTTP: test_sim.py PROGRAM.

Signatures come from the vendor's published vectors or from the signer in
simulator.py, which the first tests hold against those vectors."""

import datetime
import gzip
import http.client
import json
import os
import re
import socket
import sys
import time

from simulator import (Receiver, Simulator, Tap, acs3_canonical, acs3_sign,
                       canonical, rpc_sign, utc_text, wait_for)

PROGRAM = (sys.argv[1] if len(sys.argv) > 1 else
           os.environ.get("ADHERD_SIM", "build/tests/adherd-sim"))
VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../vectors/vectors-sms.json")
SMS = {"PhoneNumbers": "13800000000", "SignName": "示例医院",
       "TemplateCode": "SMS_154950909",
       "TemplateParam": json.dumps({"name": "张三", "drug": "二甲双胍 0.5g",
                                    "time": "08:00"}, ensure_ascii=False),
       "OutId": "rem-000123"}


def vectors(scheme):
    with open(VECTORS, encoding="utf-8") as source:
        found = [v for v in json.load(source) if v["scheme"] == scheme]
    assert found
    return found


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def sms(**changes):
    return {k: v for k, v in {**SMS, **changes}.items() if v is not None}


def params(**values):
    return json.dumps(values, ensure_ascii=False)


def seconds_ahead(text):
    """From now to this instant, which may be seconds since 1970."""
    if isinstance(text, int):
        return str(text - int(time.time()))
    then = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=datetime.timezone.utc)
    now = datetime.datetime.now(datetime.timezone.utc)
    return str(int((then - now).total_seconds()))


# ---- the witness itself, then the published requests as bytes ----

def test_signer_agrees_with_the_published_acs3_vectors():
    for vector in vectors("ACS3-HMAC-SHA256"):
        inputs = vector["inputs"]
        headers = (list(inputs["headers"].items()) if "headers" in inputs
                   else inputs["headers_list"])
        payload = (inputs["hashed_payload"] if "hashed_payload" in inputs
                   else dict(headers)["x-acs-content-sha256"])
        text, _ = acs3_canonical(inputs["method"], inputs["uri"],
                                 inputs["query"], headers, payload)
        equal(text, vector["canonical"])
        equal(acs3_sign(text, inputs["access_key_secret"]),
              vector["signature"])


def test_signer_agrees_with_the_published_rpc_vectors():
    for vector in vectors("Aliyun-RPC-HMAC-SHA1"):
        inputs = vector["inputs"]
        equal(rpc_sign(inputs["method"], inputs["params"],
                       inputs["access_key_secret"]), vector["signature"])


def send_acs3_vector(vector, spoil=None):
    inputs = vector["inputs"]
    headers = list(inputs["headers"].items())
    headers.append(("Authorization", inputs["expected_authorization"]))
    if spoil:
        headers = spoil(headers)
    with Simulator(PROGRAM, "--clock-ahead-s",
                   seconds_ahead(inputs["headers"]["x-acs-date"]),
                   key_id=inputs["access_key_id"],
                   secret=inputs["access_key_secret"]) as sim:
        answer = sim.request(inputs["method"],
                             "/?" + canonical(inputs["query"]), headers)
        return answer, sim.ledger()


def test_published_acs3_request_passes_the_signature():
    ecs, sms_vector = [v for v in vectors("ACS3-HMAC-SHA256")
                       if "headers" in v["inputs"]]
    answer, _ = send_acs3_vector(ecs)
    equal((answer.status, answer.code), (400, "InvalidVersion"))
    answer, ledger = send_acs3_vector(sms_vector)
    equal((answer.status, answer.code), (200, "OK"))
    equal([entry["text"] for entry in ledger],
          ["【示例医院】张三您好，请按时服用二甲双胍 0.5g，时间08:00。"])


def test_published_acs3_request_with_one_header_byte_changed_is_refused():
    vector = [v for v in vectors("ACS3-HMAC-SHA256")
              if "headers" in v["inputs"]][1]
    for name in ("host", "x-acs-signature-nonce", "x-acs-action"):
        answer, ledger = send_acs3_vector(
            vector, lambda headers: [
                (k, v + "x" if k == name else v) for k, v in headers])
        equal((answer.status, answer.code), (400, "SignatureDoesNotMatch"))
        equal(ledger, [])


def test_published_rpc_requests_are_accepted():
    for vector in vectors("Aliyun-RPC-HMAC-SHA1"):
        inputs = vector["inputs"]
        if "Timestamp" not in inputs["params"]:
            continue
        whole = dict(inputs["params"], Signature=vector["signature"])
        with Simulator(PROGRAM, "--clock-ahead-s",
                       seconds_ahead(inputs["params"]["Timestamp"]),
                       key_id=inputs["params"]["AccessKeyId"],
                       secret=inputs["access_key_secret"]) as sim:
            answer = sim.request(inputs["method"], "/?" + canonical(whole))
            # the batch vector's template parameters lack drug and time
            equal(answer.code,
                  "OK" if inputs["params"]["Action"] == "SendSms"
                  else "isv.TEMPLATE_MISSING_PARAMETERS")
            whole["Signature"] = whole["Signature"].swapcase()
            answer = sim.request(inputs["method"], "/?" + canonical(whole))
            equal((answer.status, answer.code),
                  (400, "SignatureDoesNotMatch"))


# ---- Aliyun: who may send ----

def test_send_by_query_by_form_and_by_the_older_scheme():
    with Simulator(PROGRAM) as sim:
        answers = [sim.aliyun("SendSms", SMS),
                   sim.aliyun("SendSms", SMS, form=True),
                   sim.aliyun_rpc("SendSms", SMS),
                   sim.aliyun_rpc("SendSms", SMS, method="POST")]
        for answer in answers:
            equal((answer.status, answer.code), (200, "OK"))
            equal(set(answer.json), {"RequestId", "BizId", "Code", "Message"})
            assert re.fullmatch(r"\d{18}\^0", answer.json["BizId"])
        equal(len({answer.json["BizId"] for answer in answers}), 4)
        summary = sim.get("/ledger/summary")
        equal((summary["signed_acs3"], summary["signed_rpc"]), (2, 2))
        equal(len(sim.ledger()), 4)


def test_requests_that_are_not_ours_are_refused_and_take_nothing():
    def drop(name):
        return lambda headers: [h for h in headers if h[0] != name]

    with Simulator(PROGRAM) as sim:
        cases = [
            (400, "SignatureDoesNotMatch", {"secret": sim.secret[:-1] + "u"}),
            (404, "InvalidAccessKeyId.NotFound", {"key_id": "nobody"}),
            (400, "InvalidTimeStamp.Expired", {"date": utc_text(-16 * 60)}),
            (400, "InvalidTimeStamp.Expired", {"date": utc_text(16 * 60)}),
            (400, "InvalidTimeStamp.Format", {"date": "now"}),
            (400, "MissingAccessKeyId", {"change": drop("Authorization")}),
            (400, "SignatureDoesNotMatch",
             {"change": drop("x-acs-content-sha256")}),
            (400, "SignatureDoesNotMatch",  # added after signing
             {"change": lambda h: h + [("x-acs-security-token", "t")]}),
            (400, "IncompleteSignature",
             {"change": lambda h: h[:-1] + [
                 (h[-1][0], h[-1][1].replace(",", ", "))]}),
            (400, "InvalidVersion", {"version": "2014-05-26"}),
        ]
        for status, code, how in cases:
            answer = sim.aliyun("SendSms", SMS, **how)
            equal((answer.status, answer.code), (status, code))
            equal(set(answer.json),
                  {"RequestId", "HostId", "Code", "Message", "Recommend"})
        answer = sim.aliyun("SendFax", SMS)
        equal((answer.status, answer.code), (404, "InvalidAction.NotFound"))
        equal(sim.ledger(), [])


def test_older_requests_that_are_not_ours_are_refused_and_take_nothing():
    def put(name, value):
        return lambda whole: whole.update({name: value})

    def as_get(whole):
        whole["Signature"] = rpc_sign("GET", {
            k: v for k, v in whole.items() if k != "Signature"}, sim.secret)

    mismatch = (400, "SignatureDoesNotMatch")
    with Simulator(PROGRAM) as sim:
        cases = [
            (mismatch, {}, {"secret": sim.secret[:-1] + "u"}),
            (mismatch, {}, {"change": put("OutId", "x")}),
            (mismatch, {}, {"change": put("More", "x")}),
            (mismatch, {}, {"change": lambda w: w.pop("OutId")}),
            (mismatch, {}, {"change": put("Signature", "")}),
            (mismatch, {}, {"change": as_get}),
            ((400, "MissingAccessKeyId"), {},
             {"change": lambda w: w.pop("Signature")}),
            ((404, "InvalidAccessKeyId.NotFound"), {"AccessKeyId": "x"}, {}),
            ((400, "IncompleteSignature"), {"SignatureVersion": "2.0"}, {}),
            ((400, "IncompleteSignature"),
             {"SignatureMethod": "HMAC-SHA256"}, {}),
            ((400, "InvalidTimeStamp.Expired"), {},
             {"date": utc_text(-16 * 60)}),
            ((400, "InvalidTimeStamp.Expired"), {},
             {"date": utc_text(16 * 60)}),
            ((400, "InvalidTimeStamp.Format"), {}, {"date": "now"}),
            ((400, "MissingSignatureNonce"), {"SignatureNonce": ""}, {}),
            ((400, "InvalidVersion"), {"Version": "2014-05-26"}, {}),
        ]
        for expected, changes, how in cases:
            answer = sim.aliyun_rpc("SendSms", {**SMS, **changes},
                                    method="POST", **how)
            equal((answer.status, answer.code), expected)
        equal(sim.ledger(), [])


def test_times_within_fifteen_minutes_are_accepted():
    with Simulator(PROGRAM) as sim:
        for offset in (-14 * 60, 14 * 60):
            equal(sim.aliyun("SendSms", SMS, date=utc_text(offset)).code,
                  "OK")


def test_body_that_was_changed_is_refused():
    with Simulator(PROGRAM) as sim:
        def spoil(headers):
            return [(k, "0" * 64 if k == "x-acs-content-sha256" else v)
                    for k, v in headers]
        equal(sim.aliyun("SendSms", SMS, form=True, change=spoil).code,
              "SignatureDoesNotMatch")
        # signed for an empty body, sent with one
        original = sim.request
        sim.request = lambda method, target, headers, body, timeout: original(
            method, target, headers, b"OutId=forged", timeout)
        answer = sim.aliyun("SendSms", SMS)
        sim.request = original
        equal(answer.code, "SignatureDoesNotMatch")
        equal(sim.ledger(), [])


def test_nonce_is_good_once_and_a_forger_cannot_spend_it():
    with Simulator(PROGRAM) as sim:
        equal(sim.aliyun("SendSms", SMS, nonce="n-1", secret="wrong").code,
              "SignatureDoesNotMatch")
        equal(sim.aliyun("SendSms", SMS, nonce="n-1").code, "OK")
        equal(sim.aliyun("SendSms", SMS, nonce="n-1").code,
              "SignatureNonceUsed")
        equal(sim.aliyun_rpc("SendSms", SMS, nonce="n-1").code,
              "SignatureNonceUsed")
        equal(len(sim.ledger()), 1)


# ---- Aliyun: what may be sent ----

def test_wrong_parameters_have_the_documented_codes():
    cases = [
        ("isv.MOBILE_NUMBER_ILLEGAL", {"PhoneNumbers": "1380000000"}),
        ("isv.MOBILE_NUMBER_ILLEGAL", {"PhoneNumbers": "12800000000"}),
        ("isv.MOBILE_NUMBER_ILLEGAL", {"PhoneNumbers": "+8612800000000"}),
        ("isv.MOBILE_NUMBER_ILLEGAL", {"PhoneNumbers": "+1202555012"}),
        ("isv.MOBILE_NUMBER_ILLEGAL", {"PhoneNumbers": "13800000000,x"}),
        ("isv.MOBILE_COUNT_OVER_LIMIT",
         {"PhoneNumbers": ",".join(["13800000000"] * 1001)}),
        ("isv.SMS_TEMPLATE_ILLEGAL", {"TemplateCode": "SMS_0"}),
        ("isv.SMS_SIGNATURE_ILLEGAL", {"SignName": "别家医院"}),
        ("isv.INVALID_JSON_PARAM", {"TemplateParam": "{'name':1}"}),
        ("isv.INVALID_JSON_PARAM", {"TemplateParam": "[1]"}),
        ("isv.TEMPLATE_MISSING_PARAMETERS", {"TemplateParam": None}),
        ("isv.TEMPLATE_MISSING_PARAMETERS",
         {"TemplateParam": params(name="张三", drug="药")}),
        ("isv.TEMPLATE_PARAMS_ILLEGAL",
         {"TemplateParam": params(name="张三", drug="药", time=8)}),
        ("isv.TEMPLATE_PARAMS_ILLEGAL",
         {"TemplateParam": params(name="张三", drug="【药】", time="8")}),
        ("isv.TEMPLATE_PARAMS_ILLEGAL",
         {"TemplateParam": params(name="张三", drug="药💊", time="8")}),
        ("isv.TEMPLATE_PARAMS_ILLEGAL",
         {"TemplateParam": params(name="", drug="药", time="8")}),
        ("isv.PARAM_NOT_SUPPORT_URL",
         {"TemplateParam": params(name="张三", drug="https://a.cn", time="8")}),
        ("isv.PARAM_LENGTH_LIMIT",
         {"TemplateParam": params(name="张三", drug="药" * 36, time="8")}),
        ("isv.PARAM_LENGTH_LIMIT", {"OutId": "x" * 256}),
    ]
    with Simulator(PROGRAM) as sim:
        for code, changes in cases:
            answer = sim.aliyun("SendSms", sms(**changes), form=True)
            equal((answer.status, answer.code), (200, code))
            assert "BizId" not in answer.json
        for name in ("PhoneNumbers", "SignName", "TemplateCode"):
            answer = sim.aliyun("SendSms", sms(**{name: None}))
            equal((answer.status, answer.code), (400, f"Missing{name}"))
        equal(sim.ledger(), [])


def test_the_longest_value_that_fits_is_sent():
    with Simulator(PROGRAM) as sim:
        equal(sim.aliyun("SendSms", sms(TemplateParam=params(
            name="张三", drug="药" * 35, time="8"))).code, "OK")


def test_numbers_in_every_documented_form_reach_one_phone():
    with Simulator(PROGRAM) as sim:
        for number in ("13800000000", "+8613800000000", "008613800000000",
                       "8613800000000"):
            equal(sim.aliyun("SendSms", sms(PhoneNumbers=number)).code, "OK")
        for number in ("85261234567", "+12025550123", "0012025550123"):
            equal(sim.aliyun("SendSms", sms(PhoneNumbers=number)).code, "OK")
        equal([entry["address"] for entry in sim.ledger()],
              ["+8613800000000"] * 4 + ["+85261234567"]
              + ["+12025550123"] * 2)


def test_one_send_to_several_numbers_shares_its_biz_id():
    with Simulator(PROGRAM) as sim:
        answer = sim.aliyun("SendSms", sms(
            PhoneNumbers="13800000001,13800000002,13800000003"))
        entries = sim.ledger()
        equal([e["address"][-1] for e in entries], ["1", "2", "3"])
        equal({e["message_id"] for e in entries}, {answer.json["BizId"]})
        equal(sim.get("/ledger/duplicates")["by_reference"], [])


BATCH = {"PhoneNumberJson": '["13800000001","13800000002"]',
         "SignNameJson": '["示例医院","示例医院"]',
         "TemplateCode": "SMS_154950910",
         "TemplateParamJson": '[{"name":"张三"},{"name":"李四"}]',
         "OutId": "batch-7"}


def test_batch_matches_parameters_by_position():
    with Simulator(PROGRAM) as sim:
        equal(sim.aliyun("SendBatchSms", BATCH).code, "OK")
        equal(sim.aliyun_rpc("SendBatchSms", BATCH, method="POST").code, "OK")
        equal([(e["address"], e["params"], e["reference"])
               for e in sim.ledger()[:2]],
              [("+8613800000001", {"name": "张三"}, "batch-7"),
               ("+8613800000002", {"name": "李四"}, "batch-7")])


def test_batch_is_refused_whole_for_one_member():
    cases = [
        ("isv.INVALID_PARAMETERS", {"SignNameJson": '["示例医院"]'}),
        ("isv.INVALID_PARAMETERS", {"TemplateParamJson": '[{"name":"a"}]'}),
        ("isv.INVALID_JSON_PARAM", {"PhoneNumberJson": "13800000001"}),
        ("isv.INVALID_JSON_PARAM", {"TemplateParamJson": '["a","b"]'}),
        ("isv.MOBILE_NUMBER_ILLEGAL",
         {"PhoneNumberJson": '["13800000001","999"]'}),
        ("isv.SMS_SIGNATURE_ILLEGAL",
         {"SignNameJson": '["示例医院","别家医院"]'}),
        ("isv.TEMPLATE_MISSING_PARAMETERS",
         {"TemplateParamJson": '[{"name":"a"},{}]'}),
        ("isv.MOBILE_COUNT_OVER_LIMIT",
         {"PhoneNumberJson": json.dumps(["13800000001"] * 101),
          "SignNameJson": json.dumps(["示例医院"] * 101),
          "TemplateParamJson": json.dumps([{"name": "a"}] * 101)}),
    ]
    with Simulator(PROGRAM) as sim:
        for code, changes in cases:
            answer = sim.aliyun("SendBatchSms", {**BATCH, **changes},
                                form=True)
            equal((answer.status, answer.code), (200, code))
        equal(sim.ledger(), [])


def test_day_limit_is_per_number_signature_and_template():
    with Simulator(PROGRAM, "--day-limit", "3") as sim:
        for _ in range(3):
            equal(sim.aliyun("SendSms", SMS).code, "OK")
        answer = sim.aliyun("SendSms", SMS)
        equal(answer.code, "isv.BUSINESS_LIMIT_CONTROL")
        equal(answer.json["Message"], "触发天级流控Permits:3")
        equal(sim.aliyun("SendSms", sms(PhoneNumbers="13800000001")).code,
              "OK")
        equal(sim.aliyun("SendSms", sms(TemplateCode="SMS_154950911")).code,
              "OK")
        equal(len(sim.ledger()), 5)


def test_query_tells_of_a_send():
    china = datetime.timezone(datetime.timedelta(hours=8))
    today = datetime.datetime.now(china).strftime("%Y%m%d")
    question = {"PhoneNumber": "13800000000", "SendDate": today,
                "PageSize": "10", "CurrentPage": "1"}

    def rows(sim, **changes):
        answer = sim.aliyun("QuerySendDetails", {**question, **changes})
        equal((answer.status, answer.code), (200, "OK"))
        return answer.json["SmsSendDetailDTOs"]["SmsSendDetailDTO"]

    with Simulator(PROGRAM, "--receipt-delay-ms", "400") as sim:
        equal(rows(sim), [])
        biz_id = sim.aliyun("SendSms", SMS).json["BizId"]
        sim.aliyun("SendSms", sms(PhoneNumbers="13800000009"))
        equal(rows(sim)[0]["SendStatus"], 1)
        row = wait_for(lambda: [r for r in rows(sim)
                                if r["SendStatus"] == 3])[0]
        equal((row["PhoneNum"], row["OutId"], row["ErrCode"],
               row["TemplateCode"]),
              ("13800000000", "rem-000123", "DELIVERED", "SMS_154950909"))
        equal(len(rows(sim, BizId=biz_id)), 1)
        equal(rows(sim, BizId="other"), [])
        equal(rows(sim, CurrentPage="2"), [])
        for changes in ({"SendDate": "20200101"}, {"PageSize": "51"},
                        {"CurrentPage": "0"}):
            equal(sim.aliyun("QuerySendDetails",
                             {**question, **changes}).code,
                  "isv.INVALID_PARAMETERS")


# ---- receipts ----

def test_receipts_have_the_vendors_shape():
    receiver = Receiver()
    with Simulator(PROGRAM, "--callback", receiver.url,
                   "--receipt-delay-ms", "50") as sim:
        biz_id = sim.aliyun("SendSms", SMS).json["BizId"]
        assert wait_for(lambda: receiver.posts)
        item = receiver.items()[0]
        equal(set(item), {"phone_number", "send_time", "report_time",
                          "success", "err_code", "err_msg", "sms_size",
                          "biz_id", "out_id"})
        equal((item["phone_number"], item["success"], item["err_code"],
               item["sms_size"], item["biz_id"], item["out_id"]),
              ("13800000000", True, "DELIVERED", "1", biz_id, "rem-000123"))
        china = datetime.datetime.strptime(item["send_time"],
                                           "%Y-%m-%d %H:%M:%S")
        now = datetime.datetime.now(datetime.timezone.utc).replace(
            tzinfo=None)
        assert abs((china - now).total_seconds() - 8 * 3600) < 60
        entry = wait_for(lambda: [e for e in sim.ledger()
                                  if e["receipt_stored"]])[0]
        equal(entry["receipt"], "delivered")
    receiver.close()


def test_receipts_come_in_batches():
    receiver = Receiver()
    with Simulator(PROGRAM, "--callback", receiver.url,
                   "--receipt-delay-ms", "300") as sim:
        numbers = [f"138{i:08d}" for i in range(250)]
        sim.aliyun("SendSms", sms(PhoneNumbers=",".join(numbers)), form=True)
        assert wait_for(lambda: len(receiver.items()) == 250)
        equal(max(len(body) for _, _, body in receiver.posts), 100)
        equal(sorted(i["phone_number"] for i in receiver.items()), numbers)
    receiver.close()


def test_receipts_are_not_put_off_by_a_steady_stream():
    receiver = Receiver()
    with Simulator(PROGRAM, "--loopback-callback", receiver.url,
                   "--receipt-delay-ms", "20") as sim:
        start = time.monotonic()
        sent = 0
        while time.monotonic() - start < 1:
            sim.post("/loopback", {**ONE, "id": f"s{sent}"})
            sent += 1
        # before the stream ended
        assert len(receiver.items()) > sent / 2
        assert wait_for(lambda: len(receiver.items()) == sent)
    receiver.close()


def test_receipts_not_acknowledged_come_again_by_the_schedule():
    receiver = Receiver(status=503)
    with Simulator(PROGRAM, "--callback", receiver.url, "--retry-scale",
                   "0.002", "--receipt-delay-ms", "10") as sim:
        sim.aliyun("SendSms", SMS)
        # at once, after 120 ms, 600 ms, 1200 ms; then given up
        assert wait_for(lambda: len(receiver.posts) == 4)
        assert wait_for(lambda: len(
            sim.get("/callbacks")["callbacks"]) == 4)
        times = [at for at, _, _ in receiver.posts]
        gaps = [b - a for a, b in zip(times, times[1:])]
        for gap, least in zip(gaps, (0.12, 0.6, 1.2)):
            assert least <= gap < least + 0.5, gaps
        equal(sim.get("/ledger/summary")["receipts_dropped"], 1)
        callbacks = sim.get("/callbacks")["callbacks"]
        equal([(c["status"], c["acknowledged"]) for c in callbacks],
              [(503, False)] * 4)
        equal([c["items"][0]["try"] for c in callbacks], [1, 2, 3, 4])
    receiver.close()


def test_200_without_a_numeric_code_is_no_acknowledgement():
    receiver = Receiver(body=b'{"code":"0"}')
    with Simulator(PROGRAM, "--callback", receiver.url, "--retry-scale",
                   "0.001", "--receipt-delay-ms", "10") as sim:
        sim.aliyun("SendSms", SMS)
        assert wait_for(lambda: len(receiver.posts) >= 2)
        receiver.body = b'{"code":0}'
        assert wait_for(
            lambda: sim.get("/ledger/summary")["receipts_acknowledged"] == 1)
    receiver.close()


def receipts_under(count=20, **switch):
    """The receipts of so many sends under a switch, and their order."""
    receiver = Receiver()
    with Simulator(PROGRAM, "--callback", receiver.url,
                   "--receipt-delay-ms", "20") as sim:
        sim.control(**switch)
        for i in range(count):
            sim.aliyun("SendSms", sms(PhoneNumbers=f"138{i:08d}",
                                      OutId=f"r-{i:03d}"))
        wait_for(lambda: sim.get("/ledger/summary")["receipts_queued"] == 0
                 and sim.get("/ledger/summary")["receipts_under_way"] == 0)
        items = receiver.items()
        known = {e["reference"] for e in sim.ledger()}
    receiver.close()
    return items, known


def test_receipts_off_double_triple():
    equal(len(receipts_under(fault="receipts_off")[0]), 0)
    equal(len(receipts_under(fault="receipts_double")[0]), 40)
    items, _ = receipts_under(fault="receipts_triple")
    equal(sorted(i["out_id"] for i in items),
          sorted([f"r-{i:03d}" for i in range(20)] * 3))


def test_receipts_shuffled_unknown_undelivered():
    items, _ = receipts_under(fault="receipts_shuffled")
    order = [i["out_id"] for i in items]
    equal(len(order), 20)
    assert order != sorted(order)
    items, known = receipts_under(fault="receipts_unknown")
    equal(len(items), 40)
    equal(len([i for i in items if i["out_id"] not in known]), 20)
    items, _ = receipts_under(fault="receipts_undelivered", code="MK:0001")
    equal({(i["success"], i["err_code"]) for i in items},
          {(False, "MK:0001")})


def test_receipt_late_and_before_the_answer():
    receiver = Receiver()
    with Simulator(PROGRAM, "--callback", receiver.url,
                   "--receipt-delay-ms", "10") as sim:
        sim.control(fault="receipts_late", ms=600, count=1)
        start = time.monotonic()
        sim.aliyun("SendSms", SMS)
        assert wait_for(lambda: receiver.posts)
        assert receiver.posts[0][0] - start >= 0.6
        sim.control(fault="receipts_early")
        sim.aliyun("SendSms", SMS)
        answered = time.monotonic()
        equal(len(receiver.posts), 2)
        assert receiver.posts[1][0] < answered
    receiver.close()


# ---- loopback ----

ONE = {"id": "abc234", "to": "+8613800000000", "channel": "sms",
       "template": "refill", "text": "您的二甲双胍还可用3天。"}


def test_loopback_takes_one_and_a_batch():
    receiver = Receiver()
    with Simulator(PROGRAM, "--loopback-callback", receiver.url,
                   "--receipt-delay-ms", "20") as sim:
        one = sim.post("/loopback", ONE).json
        equal(one["code"], "OK")
        batch = sim.post("/loopback", {"messages": [
            {**ONE, "id": "b2"}, {**ONE, "id": "b3", "to": ""}]}).json
        equal([(r["id"], r["code"]) for r in batch["results"]],
              [("b2", "OK"), ("b3", "invalid_address")])
        entries = sim.ledger()
        equal([(e["reference"], e["message_id"]) for e in entries],
              [("abc234", one["id"]),
               ("b2", batch["results"][0]["message_id"])])
        equal(entries[0]["text"], ONE["text"])
        assert wait_for(lambda: len(receiver.items()) == 2)
        item = receiver.items()[0]
        equal((item["reference"], item["message_id"], item["delivered"]),
              ("abc234", one["id"], True))
        at = datetime.datetime.fromisoformat(item["at"].replace("Z",
                                                                "+00:00"))
        now = datetime.datetime.now(datetime.timezone.utc)
        assert abs((at - now).total_seconds()) < 60
    receiver.close()


def test_loopback_refuses_other_shapes_and_takes_nothing():
    with Simulator(PROGRAM) as sim:
        for body in ([], {"messages": []}, {"messages": [1]}, {},
                     {**ONE, "id": "UPPER"}, {**ONE, "id": "a" * 65},
                     {**ONE, "text": ""}, {**ONE, "extra": 1},
                     {"messages": [ONE], "id": "x"},
                     {"messages": [ONE, {**ONE, "text": 7}]}):
            equal(sim.post("/loopback", body).status, 400)
        equal(sim.request("POST", "/loopback", [], b"{").status, 400)
        equal(sim.request("GET", "/loopback").status, 405)
        equal(sim.ledger(), [])


# ---- faults ----

def ends(sim, timeout=2.0):
    """How a send ends: an answer's status, or the name of what went wrong."""
    try:
        return sim.aliyun("SendSms", SMS, timeout=timeout).status
    except ConnectionResetError:
        return "reset"
    except http.client.RemoteDisconnected:
        return "closed"
    except (socket.timeout, TimeoutError):
        return "timeout"


def test_refusals_take_nothing():
    with Simulator(PROGRAM) as sim:
        sim.control(fault="status", status=429, retry_after="-5",
                    ratelimit="Limit:1,Remain:0,TimeLeft:2000,Reset:1234")
        answer = sim.aliyun("SendSms", SMS)
        equal((answer.status, answer.code), (429, "Throttling.User"))
        equal((answer.headers["Retry-After"],
               answer.headers["x-ratelimit-user"]),
              ("-5", "Limit:1,Remain:0,TimeLeft:2000,Reset:1234"))
        for status in (500, 503):
            sim.control(fault="status", status=status)
            equal(sim.aliyun("SendSms", SMS).status, status)
            equal(sim.post("/loopback", ONE).status, status)
        sim.control(clear=True)
        sim.control(fault="reset_before")
        equal(ends(sim), "reset")
        sim.control(clear=True)
        sim.control(fault="silent_before")
        equal(ends(sim, 0.5), "timeout")
        sim.control(clear=True)
        sim.control(fault="code", code="isv.AMOUNT_NOT_ENOUGH")
        equal(sim.aliyun("SendSms", SMS).code, "isv.AMOUNT_NOT_ENOUGH")
        equal(sim.post("/loopback", ONE).json,
              {"code": "isv.AMOUNT_NOT_ENOUGH"})
        equal(sim.ledger(), [])


def test_withheld_answers_stand_in_the_ledger():
    with Simulator(PROGRAM) as sim:
        sim.control(fault="reset_after")
        equal(ends(sim), "reset")
        sim.control(clear=True)
        sim.control(fault="silent")
        equal(ends(sim, 0.5), "timeout")
        sim.control(clear=True)
        sim.control(fault="delay", ms=300)
        start = time.monotonic()
        equal(ends(sim), 200)
        assert time.monotonic() - start >= 0.3
        sim.control(clear=True)
        equal(ends(sim), 200)
        equal([e["outcome"] for e in sim.ledger()],
              ["reset_after", "silent", "delay", "answered"])


def test_trickle_gives_a_byte_each_second():
    with Simulator(PROGRAM) as sim:
        sim.control(fault="trickle")
        with socket.create_connection(("127.0.0.1", sim.port)) as peer:
            body = json.dumps(ONE).encode()
            peer.sendall(b"POST /loopback HTTP/1.1\r\nHost: x\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            peer.settimeout(0.2)
            got, start = b"", time.monotonic()
            while time.monotonic() - start < 2.5:
                try:
                    got += peer.recv(4096)
                except (socket.timeout, TimeoutError):
                    pass
        head, _, rest = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        equal(rest.replace(b"1\r\n", b"").replace(b"\r\n", b""), b'{"c')
        equal(len(sim.ledger()), 1)


def garbage(sim, form):
    sim.control(fault="garbage", form=form)
    return sim.post("/loopback", ONE)


def test_garbage_has_status_200_and_is_no_answer():
    with Simulator(PROGRAM) as sim:
        assert garbage(sim, "html").headers["Content-Type"] == "text/html"
        for form in ("cut", "charset"):
            try:
                garbage(sim, form).body.decode().encode("ascii")
                cut = garbage(sim, form).json
                raise AssertionError(f"{form}: readable, {cut}")
            except (json.JSONDecodeError, UnicodeDecodeError):
                pass
        equal(garbage(sim, "types").json["Code"], 200)
        big = garbage(sim, "big")
        assert len(big.body) >= 10 << 20 and big.json["code"] == "OK"
        bomb = garbage(sim, "gzip")
        equal(bomb.headers["Content-Encoding"], "gzip")
        assert len(bomb.body) < 120_000
        equal(len(gzip.decompress(bomb.body).strip(b"\0")), 0)
        assert len(gzip.decompress(bomb.body)) > 16_000_000
        sim.control(fault="garbage", form="headers")
        with socket.create_connection(("127.0.0.1", sim.port)) as peer:
            body = json.dumps(ONE).encode()
            peer.sendall(b"POST /loopback HTTP/1.1\r\nHost: x\r\n"
                         b"Connection: close\r\nContent-Length: %d\r\n\r\n"
                         % len(body) + body)
            whole = b""
            while chunk := peer.recv(65536):
                whole += chunk
        equal(whole.count(b"x-filler-"), 1000)
        equal({e["outcome"] for e in sim.ledger()}, {"garbage"})


def test_counts_rates_and_endpoints_of_switches():
    with Simulator(PROGRAM) as sim:
        sim.control(fault="status", status=503, count=2)
        equal([sim.aliyun("SendSms", SMS).status for _ in range(4)],
              [503, 503, 200, 200])
        sim.control(fault="status", status=503, endpoint="loopback")
        equal((sim.aliyun("SendSms", SMS).status,
               sim.post("/loopback", ONE).status), (200, 503))

        def pattern(seed):
            sim.control(fault="status", status=503, rate=0.5, seed=seed)
            return [sim.post("/loopback", ONE).status for _ in range(60)]

        first = pattern(7)
        assert 10 < first.count(503) < 50
        equal(pattern(7), first)
        assert pattern(8) != first
        state = sim.get("/control")["faults"]
        equal(list(state), ["status"])
        equal(sim.control(clear=True), {"faults": {}})


def test_controls_that_are_not_understood_change_nothing():
    with Simulator(PROGRAM) as sim:
        for switch in ({"fault": "statsu"}, {"fault": "status", "rat": 1},
                       {"fault": "status", "rate": 1.1},
                       {"fault": "status", "endpoint": "fax"},
                       {"fault": "garbage", "form": "xml"},
                       {"clear": True, "fault": "none"}, {"fault": 7}, [],
                       [1], "status"):
            equal(sim.post("/control", switch).status, 400)
        equal(sim.get("/control"), {"faults": {}})


# ---- the ledger ----

def test_duplicates_are_found_by_reference_and_by_text():
    with Simulator(PROGRAM) as sim:
        sim.post("/loopback", ONE)
        sim.post("/loopback", {**ONE, "id": "other", "text": "another"})
        equal(sim.get("/ledger/duplicates"),
              {"by_reference": [], "by_text": []})
        sim.post("/loopback", {**ONE, "to": "+8613800000001"})
        sim.post("/loopback", {**ONE, "id": "fresh"})
        found = sim.get("/ledger/duplicates")
        equal([[e["seq"] for e in group] for group in found["by_reference"]],
              [[1, 3]])
        equal([[e["seq"] for e in group] for group in found["by_text"]],
              [[1, 4]])


def test_ledger_pages_and_survives_the_end():
    with Simulator(PROGRAM) as sim:
        for i in range(25):
            sim.post("/loopback", {**ONE, "id": f"m{i}"})
        page = sim.get("/ledger?since=5&limit=10")
        equal([e["seq"] for e in page["entries"]], list(range(6, 16)))
        equal((page["next"], page["forgotten"]), (15, 0))
        equal(sim.get("/ledger?since=25")["entries"], [])
        summary = sim.get("/ledger/summary")
        equal((summary["messages"], summary["loopback"], summary["aliyun"]),
              (25, 25, 0))
        memory = sim.ledger()
        equal(sim.stop(), 0)
        with open(sim.ledger_file, encoding="utf-8") as lines:
            kept = [json.loads(line) for line in lines]
        equal([(e["reference"], e["text"], e["at"]) for e in kept],
              [(e["reference"], e["text"], e["at"]) for e in memory])


def test_phones_page_stands_alone():
    with Simulator(PROGRAM) as sim:
        equal(sim.get("/phones.json"), {"messages": 0, "phones": []})
        sim.post("/loopback", ONE)
        sim.aliyun("SendSms", SMS)
        phones = sim.get("/phones.json")["phones"]
        equal([p["address"] for p in phones], ["+8613800000000"])
        equal([m["gateway"] for m in phones[0]["messages"]],
              ["loopback", "aliyun"])
        page = sim.request("GET", "/phones").body.decode()
        assert "<title>" in page
        equal(re.findall(r"(?:src|href)=(?!.data:)[^>]*", page), [])
        assert "://" not in page
        equal(sim.request("GET", "/", [("Accept", "text/html")]).headers[
            "Location"], "/phones")


# ---- what is typed on the phones ----

PHONE = "+8613800000000"
SAID = {"endpoint": "aliyun", "from": PHONE, "text": "吃了头晕"}


def said(sim):
    """Text and state of what the first phone said."""
    return [(r["text"], r["state"])
            for r in sim.get("/phones.json")["phones"][0]["replies"]]


def test_phones_have_the_replies_and_how_far_they_came():
    receiver = Receiver(status=503)
    with Simulator(PROGRAM, "--callback", receiver.url, "--retry-scale",
                   "0.003", "--receipt-delay-ms", "600000") as sim:
        sim.aliyun("SendSms", SMS)
        equal(said(sim), [])
        equal(sim.post("/reply", SAID).status, 202)
        assert wait_for(lambda: receiver.posts)
        equal(said(sim), [("吃了头晕", "sent")])
        receiver.status = 200
        assert wait_for(lambda: said(sim) == [("吃了头晕", "stored")])
        phone = sim.get("/phones.json")["phones"][0]
        reply = phone["replies"][0]
        equal((phone["address"], phone["reply"], reply["gateway"]),
              (PHONE, "aliyun", "aliyun"))
        assert phone["messages"][0]["at"] <= reply["at"], phone
        # what nobody takes is lost; another's is not shown here
        receiver.status = 503
        equal(sim.post("/reply", {**SAID, "from": "+8613800000001"}).status,
              202)
        equal(sim.post("/reply", {**SAID, "text": "1"}).status, 202)
        assert wait_for(lambda: said(sim) == [
            ("吃了头晕", "stored"), ("1", "lost")], 20), said(sim)
    receiver.close()


def test_phones_show_the_last_fifty_replies():
    receiver = Receiver()
    with Simulator(PROGRAM, "--callback", receiver.url) as sim:
        sim.aliyun("SendSms", SMS)
        for i in range(60):
            equal(sim.post("/reply", {**SAID, "text": f"r{i}"}).status, 202)
        equal([text for text, _ in said(sim)],
              [f"r{i}" for i in range(10, 60)])
        # 2000 are kept of all phones together
        other = {**SAID, "from": "+8613800000001"}
        for i in range(1989):
            equal(sim.post("/reply", other).status, 202)
            if i % 200 == 0 or i == 1988:
                assert wait_for(lambda: sim.get("/ledger/summary")[
                    "replies_under_way"] == 0, 20)
        equal([text for text, _ in said(sim)],
              [f"r{i}" for i in range(49, 60)])
    receiver.close()


def test_phones_without_a_way_back_are_told_apart():
    receiver = Receiver()
    with Simulator(PROGRAM, "--callback", receiver.url,
                   "--loopback-callback", receiver.url) as sim:
        sim.post("/loopback", {**ONE, "to": "+8613800000001"})
        equal(sim.get("/phones.json")["phones"][0]["reply"], None)
        sim.aliyun("SendSms", {**SMS, "PhoneNumbers": "13800000001"})
        sim.post("/loopback", {**ONE, "to": "+8613800000001"})
        equal(sim.get("/phones.json")["phones"][0]["reply"], "aliyun")
    receiver.close()
    with Simulator(PROGRAM) as sim:
        sim.aliyun("SendSms", SMS)
        equal(sim.get("/phones.json")["phones"][0]["reply"], None)


def reply_status(sim, headers, body=None, method="POST"):
    raw = json.dumps(SAID).encode() if body is None else body
    return sim.request(method, "/reply", list(headers.items()), raw).status


def test_reply_of_another_page_is_refused():
    receiver = Receiver()
    typed = {"Content-Type": "application/json"}
    with Simulator(PROGRAM, "--callback", receiver.url) as sim:
        near = f"localhost:{sim.port}"
        for origin, host in (
                ("https://example.com", sim.host), ("null", sim.host),
                ("", sim.host), (f"https://{sim.host}", sim.host),
                (f"http://{near}", sim.host),
                (f"http://{sim.host}.example.com", sim.host),
                ("http://127.0.0.1", sim.host),
                # a stranger's name that was made to point here
                (f"http://example.com:{sim.port}",
                 f"example.com:{sim.port}"),
                (f"http://localhost.example.com:{sim.port}",
                 f"localhost.example.com:{sim.port}"),
                (f"http://127.0.0.1:{sim.port}x",
                 f"127.0.0.1:{sim.port}x")):
            equal((origin, reply_status(
                sim, {**typed, "Host": host, "Origin": origin})),
                (origin, 403))
        # what a form can send, or a page elsewhere without being asked
        for kind in ("text/plain", "application/x-www-form-urlencoded",
                     "multipart/form-data; boundary=x", "",
                     "text/plain; application/json", "application/jsonp"):
            equal((kind, reply_status(sim, {"Content-Type": kind})),
                  (kind, 415))
        equal(reply_status(sim, {}), 415)
        equal(reply_status(sim, typed, b"", "GET"), 405)
        equal(sim.get("/ledger/summary")["replies_under_way"], 0)
        equal(receiver.posts, [])
        # our own page, under both of our names, and who is no browser
        for host in (sim.host, near):
            equal(reply_status(sim, {**typed, "Host": host,
                                     "Origin": f"http://{host}"}), 202)
        equal(reply_status(
            sim, {"Content-Type": "Application/JSON; charset=utf-8"}), 202)
        assert wait_for(lambda: len(receiver.posts) == 3)
        # nobody is told from elsewhere that it may
        equal([name for name in sim.request("GET", "/phones.json").headers
               if name.lower().startswith("access-control")], [])
    receiver.close()


def test_replies_that_are_none_are_refused_with_a_reason():
    receiver = Receiver()
    with Simulator(PROGRAM, "--callback", receiver.url) as sim:
        for changes, reason in (
                ({"endpoint": "loopback"}, "endpoint"),
                ({"endpoint": "tencent"}, "endpoint"),
                ({"endpoint": None}, "endpoint"), ({"from": None}, "from"),
                ({"from": "+86"}, "from"), ({"from": "+8613x"}, "from"),
                ({"from": "+86" + "1" * 14}, "from"),
                ({"from": "+14155550123"}, "from"), ({"text": 1}, "text"),
                ({"text": "x" * 2001}, "text"), ({"extend": 1}, "extend"),
                ({"extend": "1x"}, "extend"),
                ({"extend": "1" * 21}, "extend")):
            answer = sim.post("/reply", {**SAID, **changes})
            equal((changes, answer.status), (changes, 400))
            assert answer.json["message"].startswith(reason), answer.body
        typed = {"Content-Type": "application/json"}
        for body in (b"", b"[]", b"{", b'{"text":"\xff"}'):
            equal((body, reply_status(sim, typed, body)), (body, 400))
        equal(sim.get("/ledger/summary")["replies_under_way"], 0)
        equal(receiver.posts, [])
    receiver.close()


def test_page_speaks_to_its_own_origin_and_puts_in_texts_alone():
    with Simulator(PROGRAM) as sim:
        answer = sim.request("GET", "/phones")
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy, policy
        for rule in ("form-action", "base-uri", "frame-ancestors"):
            assert f"{rule} 'none'" in policy, policy
        page = answer.body.decode()
        equal(re.findall(r"(?i)innerHTML|outerHTML|insertAdjacent|"
                         r"document\.write|eval\(|\son[a-z]+\s*=", page), [])
        equal(sorted(set(re.findall(r'fetch\("([^"]*)"', page))),
              ["/phones.json", "/reply"])
        equal(page.count("fetch("), 2)


def test_it_listens_on_loopback_only():
    with Simulator(PROGRAM) as sim:
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split()[1] for line in table.readlines()[1:]]
        listening = [r for r in rows if r.endswith(f":{sim.port:04X}")]
        assert listening
        equal({row.split(":")[0] for row in listening}, {"0100007F"})


def test_wrong_arguments_end_it():
    import subprocess
    for arguments, status in (([], 64), (["--port", "70000"], 64),
                              (["--port", "0", "--templates", "/nowhere",
                                "--access-key-id", "x",
                                "--access-key-secret-file", __file__], 78)):
        run = subprocess.run([PROGRAM, *arguments], capture_output=True,
                             timeout=10, check=False)
        equal(run.returncode, status)


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
