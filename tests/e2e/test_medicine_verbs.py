#!/usr/bin/env python3
"""Tests of the pure verbs `adherctl timing` and `adherctl supply`: vectors
on stdin, one JSON line each.  The published vectors value by value, then the
rules that they leave out; no database."""

import json
import os
import subprocess

from support import BUILD, ROOT, equal, main

ADHERCTL = os.path.join(BUILD, "adherctl")
VECTORS = os.path.join(ROOT, "tests", "vectors")
ONCE_DAILY = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}


def run(*arguments, stdin="", status=0):
    done = subprocess.run([ADHERCTL, *arguments], input=stdin, text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == status, \
        f"{arguments}: status {done.returncode}\n{done.stdout}{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def published(name):
    with open(os.path.join(VECTORS, name), encoding="utf-8") as text:
        return json.load(text)


# ---- timing ----

def vector(timing, **more):
    return {"id": "x", "timing": timing, "start": "2025-06-10",
            "timezone": "Asia/Shanghai",
            "window": {"from": "2025-06-10", "to": "2025-06-12"}, **more}


def timing(timing, **more):
    """The answer for one vector."""
    [line] = run("timing", stdin=json.dumps(vector(timing, **more)))
    return line


def times(answer):
    return [x[5:16] for x in answer["doses"]]


def test_published_timing_vectors_hold():
    file = published("vectors-timing.json")
    expected = [{"id": x["id"], "doses": x["expected"]}
                for x in file["vectors"]]
    equal(len(expected), 30)
    equal(run("timing", stdin=json.dumps(file)), expected)


def test_vectors_come_in_every_wrapping():
    file = published("vectors-timing.json")
    vectors = file["vectors"]
    whole = run("timing", stdin=json.dumps(file))
    equal(run("timing", stdin=json.dumps(vectors)), whole)
    equal(run("timing", stdin="\n".join(map(json.dumps, vectors))), whole)
    equal(run("timing", stdin="\ufeff" + "".join(
        json.dumps(x, indent=1) for x in vectors)), whole)
    equal(run("timing", stdin=json.dumps(vectors[4])), [whole[4]])


def test_brackets_that_never_close_cost_no_more_than_their_bytes():
    # read anew from every line, this took minutes
    good = json.dumps(vector(ONCE_DAILY)) + "\n"
    lines = run("timing", stdin="[\n" * 20000 + " " * (30 << 20) + "\n"
                + good)
    equal(len(lines), 20001)
    equal(len(lines[-1]["doses"]), 2)
    assert all(x["error"]["code"] == "invalid" for x in lines[:-1])
    lines = run("timing", stdin="[" * 100000 + "]" * 100000 + "\n"
                + '["[[[{{\\"]", "x\n' + good)
    equal([x.get("message") for x in lines],
          ["nested too deeply", "is no whole JSON value", None])


def test_one_bad_vector_never_stops_the_others():
    good = json.dumps(vector(ONCE_DAILY))
    lines = run("timing", stdin="\n".join([
        good, '{"id": "broken', good, '{"id": }', "nonsense", good,
        '{"id": 7, "timing": {"repeat": {"period": 1}}}', "[1, null]", good,
        "{" + good]))
    told = [x["error"] if "error" in x else len(x["doses"]) for x in lines]
    equal(told, [
        2, {"code": "invalid", "at": "line 2"},
        2, {"code": "invalid", "at": "line 4"},
        {"code": "invalid", "at": "line 5"},
        2, {"code": "invariant", "at": "repeat.periodUnit"},
        {"code": "structure", "at": ""}, {"code": "structure", "at": ""},
        2, {"code": "invalid", "at": "line 10"}])
    equal([x["id"] for x in lines[:7]], ["x", None, "x", None, None, "x", 7])


def test_no_json_at_all_is_65():
    for text in ("", "  \n", "no JSON\nat all\n", "{'id': 1}", "{\"id\": \"x"):
        run("timing", stdin=text, status=65)
    run("timing", "--what", status=64)


def test_broken_invariants_name_their_place():
    for repeat, at in (
            ({"duration": 1}, "durationUnit"),
            ({"period": 1}, "periodUnit"),
            ({"duration": -1, "durationUnit": "h"}, "duration"),
            ({"period": -1, "periodUnit": "d"}, "period"),
            ({"periodMax": 2, "periodUnit": "d"}, "periodMax"),
            ({"durationMax": 2, "durationUnit": "h"}, "durationMax"),
            ({"countMax": 3}, "countMax"),
            ({"offset": 30}, "offset"),
            ({"offset": 30, "when": ["CM"]}, "offset"),
            ({"timeOfDay": ["08:00:00"], "when": ["HS"]}, "timeOfDay")):
        equal(timing({"repeat": repeat})["error"],
              {"code": "invariant", "at": "repeat." + at})


def test_what_is_missing_or_wrong_is_named():
    daily = vector(ONCE_DAILY)
    for change, code, at in (
            ({"timing": None}, "structure", ""),
            ({"timezone": "Mars/Olympus"}, "value", "timezone"),
            ({"start": "10.6.2025"}, "value", "start"),
            ({"start": 5}, "structure", "start"),
            ({"window": {"from": "2025-06-10"}}, "required", "window.to"),
            ({"profile": {"brunch": "10:00"}}, "value", "profile.brunch"),
            ({"window": {"from": "1900-01-01", "to": "2200-01-01"},
              "start": "1900-01-01", "timing": {"repeat": {
                  "frequency": 4, "period": 1, "periodUnit": "d"}}},
             "too-costly", "window")):
        [line] = run("timing", stdin=json.dumps({**daily, **change}))
        equal(line["error"], {"code": code, "at": at})
    for member in ("timing", "timezone", "start"):
        [line] = run("timing", stdin=json.dumps(
            {k: v for k, v in daily.items() if k != member}))
        equal(line["error"], {"code": "required", "at": member})


def test_start_is_not_asked_for_in_vain():
    bounded = {"repeat": {**ONCE_DAILY["repeat"],
                          "boundsPeriod": {"start": "2025-06-11"}}}
    for rule in (bounded, {"event": ["2025-06-11T08:00:00+08:00"]}):
        one = vector(rule)
        del one["start"]
        [line] = run("timing", stdin=json.dumps(one))
        equal(times(line), ["06-11T08:00"])


def test_what_nobody_can_schedule_needs_review():
    for rule in ({"repeat": {"frequency": 3, "period": 2, "periodUnit": "d"}},
                 {"code": {"text": "as the doctor says"}}, {"repeat": {}}):
        answer = timing(rule)
        assert set(answer) == {"id", "needs_review"}, answer
        # as needed comes first
        equal(timing(rule, asNeeded=True)["doses"], [])
    equal(timing(ONCE_DAILY, asNeeded={"text": "pain"})["doses"], [])
    equal(len(timing(ONCE_DAILY, asNeeded=False)["doses"]), 2)


def test_the_day_of_the_file_and_the_patients_over_it():
    after = {"repeat": {"when": ["PCM", "HS"]}}
    file = {"profile": {"breakfast": "06:00", "sleep": "21:00"}, "vectors": [
        vector(after), vector(after, profile={"breakfast": "09:00",
                                              "meal_lead_min": 10})]}
    first, second = run("timing", stdin=json.dumps(file))
    equal(times(first)[:2], ["06-10T06:30", "06-10T21:00"])
    equal(times(second)[:2], ["06-10T09:10", "06-10T21:00"])


def test_shorthand_is_read():
    equal(run("timing", "--text", "每日三次 饭后"), [{"repeat": {
        "frequency": 3, "period": 1, "periodUnit": "d", "when": ["PC"]}}])
    equal(run("timing", "--text=1片 tid pc po"), [{
        "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d",
                              "when": ["PC"]}},
        "route": {"text": "po"},
        "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "片"}}]}])
    equal(run("timing", "--text", "tid po"), [{
        "timing": {"repeat": {"frequency": 3, "period": 1,
                              "periodUnit": "d"}},
        "route": {"text": "po"}}])
    equal(run("timing", "--text", "qd 空腹")[0]["confirm"], "空腹")
    equal(run("timing", "--text", "周一三五 8:00 ×4周"), [{"repeat": {
        "boundsDuration": {"value": 4, "unit": "wk", "code": "wk",
                           "system": "http://unitsofmeasure.org"},
        "frequency": 1, "period": 1, "periodUnit": "d",
        "dayOfWeek": ["mon", "wed", "fri"], "timeOfDay": ["08:00:00"]}}])
    equal(run("timing", "--text", "疼痛时 1片 冲服"), [{
        "asNeededCodeableConcept": {"text": "疼痛时"},
        "method": {"text": "冲服"},
        "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "片"}}]}])


def test_shorthand_is_never_guessed():
    for text, question in (
            ("晚饭后睡前", "one time of the day, or two: 晚饭后, 睡前"),
            ("每0小时一次", "not understood: 每0小时一次"),
            ("每日99次", "more than 24 doses a day: 每日99次"),
            ("晚上 1片", "which hour is not said: 晚上, 1片"),
            ("bid pc", "which meals is not said: bid, pc"),
            ("每日3次 7天", "not understood: 7天"),
            ("阿司匹林 1片 qd", "not understood: 阿司匹林")):
        equal(run("timing", "--text", text), [{"needs_review": question}])


def test_a_moment_that_is_named_twice_is_one_dose():
    arguments = ("--start", "2025-03-08")
    for text, expected in (
            ("晚上睡前 1片", ["22:00"]), ("早上早餐前 1片", ["07:00"]),
            ("早、晚饭后各1片", ["08:00", "18:30"]),
            ("早上空腹 晚上睡前 各1片", ["07:00", "22:00"])):
        [answer] = run("timing", "--text", text, *arguments)
        equal([dose[11:16] for dose in answer["doses"]], expected)


def test_shorthand_shows_its_doses():
    arguments = ("--start", "2025-03-08", "--days", "2", "--zone",
                 "America/New_York")
    [answer] = run("timing", "--text", "bid", *arguments)
    equal(answer["doses"], [
        "2025-03-08T08:00:00-05:00", "2025-03-08T20:00:00-05:00",
        "2025-03-09T08:00:00-04:00", "2025-03-09T20:00:00-04:00"])
    assert "doses" not in run("timing", "--text", "bid pc", *arguments)[0]
    run("timing", "--text", "bid", "--start", "yesterday", status=64)
    run("timing", "--text", "bid", "--start", "2025-03-08", "--days", "0",
        status=64)


# ---- supply ----

def fill(date, days=None, drug="A", **more):
    more = {"days_supply": days, **more} if days is not None else more
    return {"date": date, "drug": drug, **more}


def supply(as_of, *fills, **more):
    """The answer for one vector of drug A."""
    [line] = run("supply", stdin=json.dumps(
        {"id": "x", "as_of": as_of, "fills": list(fills), **more}))
    return line.get("stock", {}).get("A", line)


def numbers(stock):
    return {k: v for k, v in stock.items() if k != "derivation"}


def test_published_stock_vectors_hold():
    file = published("vectors-adherence.json")
    lines = run("supply", stdin=json.dumps(file))
    equal([x["id"] for x in lines], [x["id"] for x in file["vectors"]])
    for line, one in zip(lines, file["vectors"]):
        stock = {k: numbers(v) for k, v in line["stock"].items()}
        equal(stock, one["expected"]["stock"])


def test_what_is_no_stock_is_skipped():
    lines = run("supply", stdin=json.dumps([
        {"id": "curve", "subjects": []}, {"title": "nobody's"},
        {"id": "cma", "fills": [fill("2025-01-01", 30)]},
        {"id": "good", "as_of": "2025-01-02",
         "fills": [fill("2025-01-01", 30)]}]))
    equal([x["id"] for x in lines], ["curve", "cma", "good"])
    equal([x.get("skipped") for x in lines],
          ["no stock: fills are missing", "no stock: as_of is missing", None])


def test_what_does_not_count_is_taken_out():
    first = fill("2025-01-01", 30)
    for more in ({"status": "entered-in-error"}, {"status": "cancelled"},
                 {"status": "returned"}, {"status": "in-progress"},
                 {"returned": True}, {"returned": "2025-01-25"}):
        stock = supply("2025-01-25", first, fill("2025-01-21", 30, **more))
        equal(stock["run_out"], "2025-01-31")
        assert any("not counted" in x for x in stock["derivation"]), stock
    for more in ({"status": "completed"}, {"returned": "2025-01-26"},
                 {"returned": False}):
        equal(supply("2025-01-25", first, fill("2025-01-21", 30, **more))
              ["run_out"], "2025-03-02")
    # not dispensed yet: not a word of it
    equal(supply("2025-01-20", first, fill("2025-01-21", 30)),
          supply("2025-01-20", first))
    [line] = run("supply", stdin=json.dumps({
        "id": "x", "as_of": "2025-01-20",
        "fills": [first, fill("2025-01-21", 30, drug="B")]}))
    equal(list(line["stock"]), ["A"])
    equal(supply("2025-01-20"), {"id": "x", "stock": {}})
    nothing = supply("2025-01-25", {**first, "status": "returned"})
    equal(numbers(nothing), {
        "run_out": None, "on_hand_days": None, "reminders_7_3_1": [],
        "earliest_refill": None})


def test_supply_begins_when_it_arrives():
    equal(supply("2025-01-20", fill("2025-01-01", 30, shipping_days=3))
          ["run_out"], "2025-02-03")
    equal(supply("2025-01-20", fill("2025-01-01", 30,
                                    delivered="2025-01-05"))["run_out"],
          "2025-02-04")
    under_way = supply("2025-01-20", fill("2025-01-01", 30),
                       fill("2025-01-18", 30, shipping_days=4))
    equal(under_way["run_out"], "2025-01-31")
    assert "fill of 2025-01-22: not handed over yet, not counted" in \
        under_way["derivation"]
    equal(supply("2025-01-20", fill("2025-01-01", 30),
                 fill("2025-01-18", 30, delivered=None))["run_out"],
          "2025-01-31")


def test_orders_that_take_long_are_reminded_early():
    equal(supply("2025-01-20", fill("2025-01-01", 30),
                 options={"shipping_days": 5})["reminders_7_3_1"],
          ["2025-01-19", "2025-01-23", "2025-01-25"])


def test_what_the_patient_counted_resets_the_stock():
    def counted(**count):
        return supply("2025-01-20", fill("2025-01-01", 30), corrections=[
            {"date": "2025-01-15", "drug": "A", **count}])
    equal(counted(days=10)["run_out"], "2025-01-25")
    equal(counted(days=10)["on_hand_days"], 5)
    equal(counted(days=10)["earliest_refill"], "2025-01-18")
    equal(counted(days=0)["run_out"], "2025-01-15")
    equal(counted()["error"], {"code": "value", "at": "corrections[0].days"})
    equal(counted(days=1, quantity=1)["error"]["at"], "corrections[0].days")
    # of a drug that nobody dispensed
    equal(supply("2025-01-20", corrections=[
        {"date": "2025-01-15", "drug": "A", "days": 10}])["run_out"],
          "2025-01-25")
    # not counted yet
    equal(supply("2025-01-14", fill("2025-01-01", 30), corrections=[
        {"date": "2025-01-15", "drug": "A", "days": 10}])["run_out"],
          "2025-01-31")


def dosage(dose, timing=None, **more):
    return {"drug": "A", "timing": timing or ONCE_DAILY, "dose": dose, **more}


def test_units_are_used_by_timing_and_dose():
    tablets = fill("2025-01-01", quantity=60)
    equal(supply("2025-01-05", tablets, dosages=[dosage(2)])["run_out"],
          "2025-01-31")
    equal(supply("2025-01-05", tablets, dosages=[dosage(1.5)])["run_out"],
          "2025-02-10")
    equal(supply("2025-01-05", tablets, dosages=[
        {"drug": "A", "text": "1片 tid"}])["run_out"], "2025-01-21")
    # morning 2, evening 1
    equal(supply("2025-01-05", tablets, dosages=[
        dosage(2, {"repeat": {"when": ["MORN"]}}),
        dosage(1, {"repeat": {"when": ["EVE"]}})])["run_out"], "2025-01-21")
    # in pens, of which nobody knows how long one lasts
    equal(supply("2025-01-05", {**tablets, "unit": "pen"},
                 dosages=[dosage(2, unit="IU")])["run_out"], None)
    equal(supply("2025-01-05", tablets)["run_out"], None)


def test_a_change_of_dose_is_reckoned_forward():
    # 30 days at 1: 20 left on the 11th, at 2 a day
    for more in ({"quantity": 30}, {"days": 30}):
        stock = supply("2025-01-12", fill("2025-01-01", **more), dosages=[
            dosage(1), dosage(2, **{"from": "2025-01-11"})])
        equal(stock["run_out"], "2025-01-21")
        assert "from 2025-01-11: 2 units a day" in stock["derivation"]


def test_a_taper_is_walked_day_by_day():
    def five(dose, sequence):
        return dosage(dose, {"repeat": {
            **ONCE_DAILY["repeat"],
            "boundsDuration": {"value": 5, "code": "d"}}}, sequence=sequence)
    # 5 × 4 + 5 × 2 + 12 × 1
    equal(supply("2025-01-05", fill("2025-01-01", quantity=42), dosages=[
        five(4, 1), five(2, 2), dosage(1, sequence=3)])["run_out"],
          "2025-01-23")


def test_as_needed_has_no_date():
    for stock in (
            supply("2025-01-05", fill("2025-01-01", 30, as_needed=True)),
            supply("2025-01-05", fill("2025-01-01", quantity=30),
                   dosages=[dosage(1, as_needed=True)])):
        equal(numbers(stock), {
            "run_out": None, "on_hand_days": None, "reminders_7_3_1": [],
            "earliest_refill": None})
        assert "fill of 2025-01-01: taken as needed, not counted" in \
            stock["derivation"], stock


def test_the_earliest_refill_follows_its_terms():
    def earliest(**options):
        return supply("2025-01-05", fill("2025-01-01", 30),
                      options=options)["earliest_refill"]
    equal(earliest(early_refill_pct=85), "2025-01-27")
    equal(earliest(early_refill_pct=100), "2025-01-31")
    equal(earliest(dispense_interval_days=21), "2025-01-22")
    equal(earliest(early_refill_pct=85, dispense_interval_days=21),
          "2025-01-22")


def test_pauses_move_the_end():
    def paused(*pauses, as_of="2025-01-20"):
        return supply(as_of, fill("2025-01-01", 30), options={"pauses": [
            dict(zip(("from", "to"), x)) for x in pauses]})["run_out"]
    equal(paused(("2025-01-11", "2025-01-20")), "2025-02-10")
    # overlapping ones once; one to come counts, one after the end does not
    equal(paused(("2025-01-11", "2025-01-20"), ("2025-01-15", "2025-01-22")),
          "2025-02-12")
    equal(paused(("2025-01-25", "2025-01-26")), "2025-02-02")
    equal(paused(("2025-01-31", "2025-02-05")), "2025-01-31")
    # an open one lasts through the day
    equal(paused(("2025-01-11",), as_of="2025-01-13"), "2025-02-03")


def test_bad_input_names_its_place():
    good = fill("2025-01-01", 30)
    for change, at in (
            ({"fills": [good, {"date": "2025-01-01"}]}, "fills[1].drug"),
            ({"fills": [fill("2025-02-30", 30)]}, "fills[0].date"),
            ({"fills": [fill("2025-01-01", -3)]}, "fills[0].days_supply"),
            ({"fills": [fill("2025-01-01", 3, status="eaten")]},
             "fills[0].status"),
            ({"fills": {}}, "fills"), ({"fills": [good] * 2001}, "fills"),
            ({"as_of": "today"}, "as_of"), ({"timezone": 5}, "timezone"),
            ({"options": {"early_refill_pct": 101}},
             "options.early_refill_pct"),
            ({"options": {"pauses": [{"from": "2025-01-02",
                                      "to": "2025-01-01"}]}},
             "options.pauses[0].to"),
            ({"dosages": [dosage(1, {"repeat": {"period": 1}})]},
             "dosages[0].timing.repeat.periodUnit"),
            ({"dosages": [{"drug": "A", "text": "now and then"}]},
             "dosages[0].text")):
        [line] = run("supply", stdin=json.dumps(
            {"id": "x", "as_of": "2025-01-05", "fills": [good], **change}))
        equal(line["error"]["at"], at)


def test_a_key_that_is_not_known_is_no_silence():
    good = fill("2025-01-01", 30)

    def refused(**change):
        [line] = run("supply", stdin=json.dumps(
            {"id": "x", "as_of": "2025-01-05", "fills": [good], **change}))
        return line["error"]["at"], line["message"]
    equal(refused(fills=[good, fill("2025-01-01", day_supply=3)]),
          ("fills[1].day_supply", 'is not known; did you mean "days_supply"?'))
    equal(refused(options={"carry_overr": True}),
          ("options.carry_overr", "is not known"))
    equal(refused(options={"pause": []}),
          ("options.pause", 'is not known; did you mean "pauses"?'))
    equal(refused(options={"pauses": [{"form": "2025-01-02"}]})[0],
          "options.pauses[0].form")
    equal(refused(options=[])[0], "options")
    equal(refused(dosages=[dosage(1, doze=2)])[0], "dosages[0].doze")
    equal(refused(corrections=[{"date": "2025-01-02", "drug": "A", "days": 3,
                                "quantit": 3}])[0], "corrections[0].quantit")
    # of other measures, and remarks
    equal(supply("2025-01-05", fill("2025-01-01", 30, id="d1", note="?"),
                 options={"carry_in": True, "permissible_gap_days": 30})
          ["run_out"], "2025-01-31")


def test_the_derivation_can_be_done_again_by_hand():
    stock = supply(
        "2025-02-20", fill("2025-01-01", 30), fill("2025-01-21", 30),
        fill("2025-02-01", 30, status="entered-in-error"),
        corrections=[{"date": "2025-02-10", "drug": "A", "days": 12}],
        options={"pauses": [{"from": "2025-01-05", "to": "2025-01-06"}]})
    equal(stock["derivation"], [
        "2025-01-01: 30 days, from 2025-01-01 until 2025-02-02",
        "2025-01-21: 30 days, 12 days early, from 2025-02-02 until "
        "2025-03-04",
        "2025-02-10: the patient counts 12 days where 22 days were reckoned,"
        " from 2025-02-10 until 2025-02-22",
        "in hospital or paused from 2025-01-05 until 2025-01-07: no own "
        "supply used",
        "fill of 2025-02-01: entered in error, not counted",
        "runs out on 2025-02-22, the first day without",
        "2 days on hand on 2025-02-20, counting it",
        "next refill from 2025-02-15: 7 days before, 25 % of the last 30 "
        "days rounded down"])


if __name__ == "__main__":
    main()
