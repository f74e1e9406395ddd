#!/usr/bin/env python3
"""Tests of the simulator as Tencent Cloud SMS, and of the replies that it
pushes, by raw HTTP: test_sim_tencent.py PROGRAM."""

import datetime
import json
import sys
import time

from simulator import (Receiver, Simulator, Tap, tc3_authorization,
                       tc3_canonical, tc3_sign, wait_for)
from test_sim import PROGRAM, SMS, equal, seconds_ahead, vectors

TENCENT = {"PhoneNumberSet": ["+8613800000000"],
           "SmsSdkAppId": "1400006666", "TemplateId": "1234567",
           "SignName": "示例医院",
           "TemplateParamSet": ["张三", "二甲双胍", "08:00"],
           "SessionContext": "rem-000123"}


# ---- who may send ----

def tencent(**changes):
    return {k: v for k, v in {**TENCENT, **changes}.items() if v is not None}


def test_signer_agrees_with_the_published_tc3_vectors():
    for vector in vectors("TC3-HMAC-SHA256"):
        inputs = vector["inputs"]
        text, signed = tc3_canonical(
            inputs["method"], inputs["uri"], inputs["query"],
            inputs["headers"].items(), inputs["payload"].encode())
        equal(text, vector["canonical"])
        equal(tc3_sign(text, inputs["secret_key"], inputs["timestamp"],
                       inputs["service"])[1], vector["signature"])
        equal(tc3_authorization(
            inputs["secret_id"], inputs["secret_key"], inputs["timestamp"],
            list(inputs["headers"].items()), inputs["payload"].encode(),
            inputs["service"]), inputs["expected_authorization"])


def send_tc3_vector(vector, spoil=lambda headers: headers, action=None,
                    payload=None):
    inputs = vector["inputs"]
    headers = dict(inputs["headers"])
    headers.setdefault("x-tc-action", action or "SendSms")
    headers.update({"x-tc-version": "2021-01-11",
                    "x-tc-region": "ap-guangzhou",
                    "x-tc-timestamp": str(inputs["timestamp"]),
                    "authorization": inputs["expected_authorization"]})
    with Simulator(PROGRAM, "--clock-ahead-s",
                   seconds_ahead(inputs["timestamp"]),
                   key_id=inputs["secret_id"],
                   secret=inputs["secret_key"]) as sim:
        answer = sim.request("POST", "/", list(spoil(headers).items()),
                             payload or inputs["payload"].encode())
        return answer, sim.ledger()


def test_tc3_vectors_are_accepted_and_with_a_byte_changed_refused():
    published, *ours = vectors("TC3-HMAC-SHA256")
    # genuine, but of another service than this one
    answer, _ = send_tc3_vector(published)
    equal(answer.code, "AuthFailure.SignatureFailure")
    equal(len(ours), 2)
    for vector in ours:
        answer, ledger = send_tc3_vector(vector)
        equal((answer.status, answer.codes), (200, ["Ok"]))
        equal([entry["text"] for entry in ledger],
              ["【示例医院】张三您好，请按时服用二甲双胍，时间08:00。"])
        for name in ("host", "content-type"):
            answer, ledger = send_tc3_vector(
                vector, lambda h, name=name: {**h, name: h[name] + "x"})
            equal((answer.code, ledger),
                  ("AuthFailure.SignatureFailure", []))
        answer, ledger = send_tc3_vector(
            vector, payload=vector["inputs"]["payload"].encode() + b" ")
        equal((answer.code, ledger), ("AuthFailure.SignatureFailure", []))


def test_tencent_requests_that_are_not_ours_are_refused_and_take_nothing():
    def drop(name):
        return lambda headers: [h for h in headers if h[0] != name]

    def authorization(old, new):
        return lambda headers: [(k, v.replace(old, new) if
                                 k == "authorization" else v)
                                for k, v in headers]

    now = int(time.time())
    with Simulator(PROGRAM) as sim:
        cases = [
            ("AuthFailure.SignatureFailure", {"secret": sim.secret + "x"}),
            ("AuthFailure.SignatureFailure", {"service": "cvm"}),
            ("AuthFailure.SecretIdNotFound", {"key_id": "nobody"}),
            ("AuthFailure.SignatureExpire", {"timestamp": now - 6 * 60}),
            ("AuthFailure.SignatureExpire", {"timestamp": now + 6 * 60}),
            ("AuthFailure.InvalidAuthorization",
             {"change": drop("authorization")}),
            # a space after each comma
            ("AuthFailure.InvalidAuthorization",
             {"change": authorization(", ", ",")}),
            # host and type must be signed, in order, for this service
            ("AuthFailure.SignatureFailure", {"signs": ("host",)}),
            ("AuthFailure.SignatureFailure", {"signs": ("content-type",)}),
            ("AuthFailure.SignatureFailure",
             {"order": lambda pairs: sorted(pairs)[::-1]}),
            ("AuthFailure.SignatureFailure",
             {"change": authorization("/sms/", "/cvm/")}),
            ("MissingParameter", {"change": drop("x-tc-timestamp")}),
            ("NoSuchVersion", {"version": "2019-07-11"}),
            ("UnsupportedRegion", {"region": "mars"}),
            ("UnsupportedRegion", {"change": drop("x-tc-region")}),
        ]
        for code, how in cases:
            answer = sim.tencent("SendSms", TENCENT, **how)
            equal((answer.status, answer.code), (200, code))
            equal(set(answer.json["Response"]), {"Error", "RequestId"})
        equal(sim.tencent("SendFax", TENCENT).code, "InvalidAction")
        equal(sim.ledger(), [])
        for offset in (-4 * 60, 4 * 60):
            equal(sim.tencent("SendSms", tencent(
                PhoneNumberSet=[f"+861380000{offset + 1000:04d}"]),
                timestamp=now + offset,
                signs=("content-type", "host")).codes, ["Ok"])


# ---- what may be sent ----

def test_tencent_refuses_whole_what_is_wrong_with_the_request():
    many = [f"+86138{i:08d}" for i in range(201)]
    cases = [
        ("FailedOperation.JsonParseFail", b"{"),
        ("FailedOperation.JsonParseFail", b"[]"),
        ("UnknownParameter", tencent(PhoneNumbers="13800000000")),
        ("InvalidParameter", tencent(PhoneNumberSet="+8613800000000")),
        ("InvalidParameter", tencent(PhoneNumberSet=[13800000000])),
        ("InvalidParameter", tencent(TemplateParamSet=[1, 2, 3])),
        ("InvalidParameter", tencent(TemplateId=1234567)),
        ("MissingParameter", tencent(PhoneNumberSet=None)),
        ("MissingParameter", tencent(SmsSdkAppId=None)),
        ("MissingParameter", tencent(TemplateId=None)),
        ("MissingParameter.EmptyPhoneNumberSet", tencent(PhoneNumberSet=[])),
        ("LimitExceeded.PhoneNumberCountLimit", tencent(PhoneNumberSet=many)),
        ("InvalidParameterValue", tencent(SessionContext="x" * 512)),
        ("UnauthorizedOperation.SmsSdkAppIdVerifyFail",
         tencent(SmsSdkAppId="1400000000")),
        ("UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
         tencent(PhoneNumberSet=["+8613800000000", "+12025550123"])),
    ]
    with Simulator(PROGRAM) as sim:
        for code, body in cases:
            answer = sim.tencent("SendSms", body)
            equal((answer.status, answer.code), (200, code))
        equal(sim.ledger(), [])
        equal(sim.tencent("SendSms", tencent(
            PhoneNumberSet=many[:200], SessionContext="x" * 511)).codes,
            ["Ok"] * 200)


def test_tencent_says_of_each_number_what_is_wrong_with_it():
    cases = [
        ("FailedOperation.SignatureIncorrectOrUnapproved",
         {"SignName": "别家医院"}),
        ("FailedOperation.SignatureIncorrectOrUnapproved",
         {"SignName": None}),
        ("FailedOperation.TemplateIncorrectOrUnapproved",
         {"TemplateId": "7654321"}),
        ("FailedOperation.TemplateIncorrectOrUnapproved",
         {"TemplateId": "SMS_154950909"}),
        ("FailedOperation.TemplateParamSetNotMatchApprovedTemplate",
         {"TemplateParamSet": ["张三", "药"]}),
        ("FailedOperation.TemplateParamSetNotMatchApprovedTemplate",
         {"TemplateParamSet": None}),
        ("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter",
         {"TemplateParamSet": ["张三", "https://a.cn", "8"]}),
        ("InvalidParameterValue.ContentLengthLimit",
         {"TemplateParamSet": ["张三", "药" * 500, "8"]}),
        ("InvalidParameterValue.IncorrectPhoneNumber",
         {"PhoneNumberSet": ["+861380000"]}),
        ("InvalidParameterValue.IncorrectPhoneNumber",
         {"PhoneNumberSet": ["85261234567"]}),
    ]
    with Simulator(PROGRAM) as sim:
        for code, changes in cases:
            answer = sim.tencent("SendSms", tencent(**changes))
            equal((answer.status, answer.codes), (200, [code]))
            status = answer.json["Response"]["SendStatusSet"][0]
            equal((status["SerialNo"], status["Fee"]), ("", 0))
        equal(sim.ledger(), [])


def test_tencent_mixes_outcomes_in_one_answer():
    with Simulator(PROGRAM) as sim:
        answer = sim.tencent("SendSms", tencent(PhoneNumberSet=[
            "+8613800000000", "999", "13800000001"]))
        statuses = answer.json["Response"]["SendStatusSet"]
        equal(answer.codes, [
            "Ok", "InvalidParameterValue.IncorrectPhoneNumber", "Ok"])
        equal([s["PhoneNumber"] for s in statuses],
              ["+8613800000000", "999", "+8613800000001"])
        equal({s["SessionContext"] for s in statuses}, {"rem-000123"})
        equal(set(statuses[0]), {"SerialNo", "PhoneNumber", "Fee", "Message",
                                 "SessionContext", "Code", "IsoCode"})
        entries = sim.ledger()
        equal([e["message_id"] for e in entries],
              [statuses[0]["SerialNo"], statuses[2]["SerialNo"]])
        equal(len({e["message_id"] for e in entries}), 2)
        equal(len({e["request"] for e in entries}), 1)


def test_tencent_takes_numbers_in_every_documented_form():
    with Simulator(PROGRAM, "--day-limit", "0") as sim:
        equal(sim.tencent("SendSms", tencent(PhoneNumberSet=[
            "+8613800000000", "008613800000000", "8613800000000",
            "13800000000"])).codes, ["Ok"] * 4)
        equal(sim.tencent("SendSms", tencent(
            PhoneNumberSet=["+12025550123", "+85261234567"],
            SignName=None)).codes, ["Ok"] * 2)
        equal([e["address"] for e in sim.ledger()],
              ["+8613800000000"] * 4 + ["+12025550123", "+85261234567"])


def test_tencent_limits_a_number_by_text_and_day():
    def named(name):
        return tencent(TemplateParamSet=[name, "药", "8"])

    with Simulator(PROGRAM, "--day-limit", "3") as sim:
        equal(sim.tencent("SendSms", named("甲")).codes, ["Ok"])
        equal(sim.tencent("SendSms", named("甲")).codes,
              ["LimitExceeded.PhoneNumberThirtySecondLimit"])
        equal(sim.tencent("SendSms", named("乙")).codes, ["Ok"])
        equal(sim.tencent("SendSms", named("丙")).codes, ["Ok"])
        equal(sim.tencent("SendSms", named("丁")).codes,
              ["LimitExceeded.PhoneNumberDailyLimit"])
        equal(sim.tencent("SendSms", tencent(
            PhoneNumberSet=["+8613800000001"])).codes, ["Ok"])
        equal(len(sim.ledger()), 4)


def test_tencent_pull_tells_of_what_was_reported():
    now = int(time.time())
    question = {"BeginTime": now - 60, "Offset": 0, "Limit": 100,
                "PhoneNumber": "+8613800000000", "SmsSdkAppId": "1400006666"}

    def rows(sim, **changes):
        return sim.tencent("PullSmsSendStatusByPhoneNumber",
                           {**question, **changes}).json["Response"][
                               "PullSmsSendStatusSet"]

    with Simulator(PROGRAM, "--receipt-delay-ms", "400") as sim:
        answer = sim.tencent("SendSms", TENCENT)
        sim.tencent("SendSms", tencent(PhoneNumberSet=["+8613800000009"]))
        equal(rows(sim), [])
        row = wait_for(lambda: rows(sim))[0]
        equal({k: v for k, v in row.items() if k != "UserReceiveTime"}, {
            "CountryCode": "86", "SubscriberNumber": "13800000000",
            "PhoneNumber": "+8613800000000", "ReportStatus": "SUCCESS",
            "Description": "DELIVRD", "SessionContext": "rem-000123",
            "SerialNo": answer.json["Response"]["SendStatusSet"][0][
                "SerialNo"]})
        assert abs(row["UserReceiveTime"] - now) < 60
        equal(rows(sim, EndTime=now - 30), [])
        for code, changes in (
                ("InvalidParameterValue.BeginTimeVerifyFail",
                 {"BeginTime": now - 8 * 86400}),
                ("InvalidParameterValue.OffsetVerifyFail", {"Offset": 1}),
                ("InvalidParameterValue.LimitVerifyFail", {"Limit": 101}),
                ("InvalidParameterValue.LimitVerifyFail", {"Limit": 0}),
                ("InvalidParameterValue.IncorrectPhoneNumber",
                 {"PhoneNumber": "1380"}),
                ("InvalidParameter", {"Limit": "100"}),
                ("UnknownParameter", {"Page": 1})):
            equal(sim.tencent("PullSmsSendStatusByPhoneNumber",
                              {**question, **changes}).code, code)


# ---- pushes and faults ----

def test_tencent_status_has_the_vendors_shape():
    receiver = Receiver(body=b'{"result":0,"errmsg":"OK"}')
    with Simulator(PROGRAM, "--tencent-callback", receiver.url,
                   "--receipt-delay-ms", "50") as sim:
        sim.tencent("SendSms", TENCENT)
        assert wait_for(lambda: receiver.posts)
        item = dict(receiver.items()[0])
        when = datetime.datetime.strptime(item.pop("user_receive_time"),
                                          "%Y-%m-%d %H:%M:%S")
        now = datetime.datetime.now(datetime.timezone.utc).replace(
            tzinfo=None)
        assert abs((when - now).total_seconds() - 8 * 3600) < 60
        equal(item, {"nationcode": "86", "mobile": "13800000000",
                     "report_status": "SUCCESS", "errmsg": "DELIVRD",
                     "description": "用户短信送达成功",
                     "sid": sim.ledger()[0]["message_id"],
                     "ext": "rem-000123"})
        sim.control(fault="receipts_undelivered", code="MK:0001")
        sim.tencent("SendSms", tencent(PhoneNumberSet=["+85261234567"]))
        assert wait_for(lambda: len(receiver.posts) == 2)
        item = receiver.items()[1]
        equal((item["nationcode"], item["mobile"], item["report_status"],
               item["errmsg"]), ("852", "61234567", "FAIL", "MK:0001"))
    receiver.close()


def test_tencent_pushes_twice_more_until_the_result_is_0():
    receiver = Receiver(body=b'{"result":1,"errmsg":"no"}')
    with Simulator(PROGRAM, "--tencent-callback", receiver.url,
                   "--retry-scale", "0.001", "--receipt-delay-ms",
                   "10") as sim:
        sim.tencent("SendSms", TENCENT)
        assert wait_for(lambda: sim.get("/ledger/summary")[
            "receipts_dropped"] == 1)
        equal(len(receiver.posts), 3)
        receiver.body = b'{"result":0,"errmsg":"OK"}'
        sim.tencent("SendSms", tencent(PhoneNumberSet=["+8613800000001"]))
        assert wait_for(lambda: sim.get("/ledger/summary")[
            "receipts_acknowledged"] == 1)
        equal(len(receiver.posts), 4)
    receiver.close()


def test_replies_have_the_vendors_shapes_and_come_until_acknowledged():
    tencent_side = Receiver(body=b'{"result":0,"errmsg":"OK"}')
    aliyun_side = Receiver(status=503)
    with Simulator(PROGRAM, "--tencent-callback", tencent_side.url,
                   "--callback", aliyun_side.url, "--retry-scale", "0.001",
                   "--receipt-delay-ms", "5000") as sim:
        sim.tencent("SendSms", TENCENT)
        said = {"from": "+8613800000000", "text": "ｔｄ 😀", "extend": "01"}
        equal(sim.post("/reply", {"endpoint": "tencent", **said}).status, 202)
        assert wait_for(lambda: tencent_side.posts)
        item = dict(tencent_side.posts[0][2])
        assert abs(item.pop("time") - time.time()) < 60
        equal(item, {"extend": "01", "mobile": "13800000000",
                     "nationcode": "86", "sign": "示例医院",
                     "text": "ｔｄ 😀"})
        equal(sim.post("/reply", {"endpoint": "aliyun", **said}).status, 202)
        assert wait_for(lambda: sim.get("/ledger/summary")[
            "replies_dropped"] == 1)
        equal(len(aliyun_side.posts), 4)
        equal([(i["phone_number"], i["content"], i["dest_code"])
               for i in aliyun_side.items()[:1]],
              [("13800000000", "ｔｄ 😀", "01")])
        summary = sim.get("/ledger/summary")
        equal((summary["replies_acknowledged"],
               summary["replies_under_way"]), (1, 0))
        for changes in ({"endpoint": "fax"}, {"from": "13800000000"},
                        {"text": None}, {"text": "x" * 2001},
                        {"extend": "1" * 21}):
            equal(sim.post("/reply", {"endpoint": "tencent", **said,
                                      **changes}).status, 400)
    with Simulator(PROGRAM) as sim:
        equal(sim.post("/reply", {"endpoint": "tencent", **said}).status, 400)
    tencent_side.close()
    aliyun_side.close()


def test_tencent_fails_in_the_ways_it_is_told_to():
    with Simulator(PROGRAM) as sim:
        sim.control(fault="status", status=429, endpoint="tencent",
                    code="RequestLimitExceeded", count=1)
        answer = sim.tencent("SendSms", TENCENT)
        equal((answer.status, answer.code), (429, "RequestLimitExceeded"))
        # of the request, and of each number
        sim.control(fault="code", endpoint="tencent", count=1,
                    code="UnauthorizedOperation.SerivceSuspendDueToArrears")
        equal(sim.tencent("SendSms", TENCENT).code,
              "UnauthorizedOperation.SerivceSuspendDueToArrears")
        sim.control(fault="code", endpoint="tencent", count=1,
                    code="FailedOperation.PhoneNumberInBlacklist")
        equal(sim.tencent("SendSms", TENCENT).codes,
              ["FailedOperation.PhoneNumberInBlacklist"])
        sim.control(fault="reset_before", endpoint="tencent", count=1)
        try:
            sim.tencent("SendSms", TENCENT)
            raise AssertionError("answered")
        except ConnectionResetError:
            pass
        equal(sim.ledger(), [])
        # aliyun has no part in it
        sim.control(fault="garbage", form="cut", endpoint="tencent")
        equal(sim.aliyun("SendSms", SMS).code, "OK")
        try:
            json.loads(sim.tencent("SendSms", TENCENT).body)
            raise AssertionError("readable")
        except (json.JSONDecodeError, UnicodeDecodeError):
            pass
        equal([(e["endpoint"], e["outcome"]) for e in sim.ledger()],
              [("aliyun", "answered"), ("tencent", "garbage")])


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
