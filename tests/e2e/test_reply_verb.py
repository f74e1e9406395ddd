#!/usr/bin/env python3
"""Tests of the pure verb `adherctl reply`: JSON lines in, one line for each
out, in order; what is wrong with a line is told with its number; no
database."""

import json
import os
import subprocess
import tempfile

from support import BUILD, ROOT, equal, main

ADHERCTL = os.path.join(BUILD, "adherctl")
REPLIES = os.path.join(ROOT, "tests", "replies")


def run(*arguments, stdin="", status=0, stderr=""):
    done = subprocess.run([ADHERCTL, "reply", *arguments], input=stdin,
                          text=True, capture_output=True, timeout=60,
                          check=False)
    equal((done.returncode, done.stderr), (status, stderr))
    return [json.loads(line) for line in done.stdout.splitlines()]


def reply(context, text, **more):
    return json.dumps({"id": "x", "context": context, "text": text, **more})


def test_every_line_is_answered_in_order():
    path = os.path.join(REPLIES, "dev.jsonl")
    with open(path, encoding="utf-8") as lines:
        given = [json.loads(line) for line in lines]
    answers = run(path)
    equal([x["id"] for x in answers], [x["id"] for x in given])
    for answer in answers:
        equal(list(answer), ["id", "primary", "intents", "slots"])
        equal(answer["primary"], answer["intents"][0])


def test_slots_are_as_the_manual_has_them():
    for line, slots in (
            (reply("refill", "还剩半个月"), {"days_left": 15}),
            (reply("refill", "剩半瓶"), {"units_left": 0.5, "unit": "瓶"}),
            (reply("refill", "够吃到月底"), {"until": "月底"}),
            (reply("followup", "改到下周三下午"), {"when": "下周三下午"}),
            (reply("dose", "马上吃"), {"later": True}),
            (reply("none", "短信别发了，微信通知就行"), {"channel": "sms"}),
            (reply("multi", "1和3", open_items=["refill:a", "followup",
                                               "refill:b"]),
             {"items": [1, 3]}),
            (reply("multi", "都要", open_items=["refill:a", "followup"]),
             {"items": "all"}),
            (reply("multi", "都不要", open_items=["refill:a", "followup"]),
             {"items": []})):
        [answer] = run(stdin=line)
        equal(answer["slots"], slots)


def test_why_names_a_rule_for_each_label():
    [answer] = run("--why", stdin=reply("dose", "吃了，有点头晕"))
    equal(answer["intents"], ["adverse_event", "taken"])
    equal(answer["rules"], {"adverse_event": "symptom", "taken": "took-it"})
    [answer] = run("--why", stdin=reply("dose", "2"))
    equal(answer["rules"], {"adverse_event": "menu"})


def test_a_line_that_is_none_is_told_and_the_rest_answered():
    wrong = [
        ('{"text": ', ""),
        ("[]", "is no JSON object"),
        ('{"context": "dose"}', "text: must be a text"),
        ('{"text": 7}', "text: must be a text"),
        ('{"text": "a", "context": "meal"}',
         "context: must be dose, refill, followup, multi or none"),
        ('{"text": "a", "open_items": 7}', "open_items: must be an array"),
        ('{"text": "a", "open_items": [7]}', "open_items: must be texts"),
        ('{"text": "a", "open_items": [' + ",".join(['"a"'] * 21) + "]}",
         "open_items: more than 20"),
    ]
    for line, why in wrong:
        done = subprocess.run(
            [ADHERCTL, "reply"], input=f"\n{line}\n" + reply("none", "TD"),
            text=True, capture_output=True, timeout=60, check=False)
        equal(done.returncode, 65)
        assert done.stderr.startswith("adherctl: line 2: "), done.stderr
        assert why in done.stderr, done.stderr
        equal(json.loads(done.stdout)["primary"], "opt_out")


def test_no_file_and_stray_words():
    done = subprocess.run([ADHERCTL, "reply", "/no/such"],
                          capture_output=True, timeout=60, check=False)
    equal(done.returncode, 66)
    done = subprocess.run([ADHERCTL, "reply", "--what"],
                          capture_output=True, timeout=60, check=False)
    equal(done.returncode, 64)


def test_a_file_and_no_context():
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write('{"text": "退订"}\n')
        file.flush()
        equal(run(file.name), [{"id": None, "primary": "opt_out",
                                "intents": ["opt_out"], "slots": {}}])
    equal(run(stdin=""), [])


if __name__ == "__main__":
    main()
