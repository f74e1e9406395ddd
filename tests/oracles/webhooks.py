#!/usr/bin/env python3
"""The libraries of Standard Webhooks against the webhook gateway: they
verify what the daemon really sent, and the daemon believes what they sign.
NODE_PATH names where they are installed, BUILD a built tree.  TAP."""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from stack import (Tap, WEBHOOK_CALLS, WEBHOOK_SIGNS,  # noqa: E402
                   refill_patients)
from test_webhook import Hospital, OLD_CALLS, OLD_SIGNS, reply  # noqa: E402


def node(given, *words):
    run = subprocess.run(["node", HERE / "webhooks.js", *words],
                         input=given, text=True, capture_output=True,
                         check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_libraries_verify_what_the_daemon_sent():
    with Hospital(old=True).begin(refill_patients(3)) as stack:
        stack.delivered(3)
        requests = stack.requests()
        for secret in (WEBHOOK_SIGNS, OLD_SIGNS):
            found = node(json.dumps(requests), "verify", secret)
            assert len(found) == 2 * len(requests) > 0, found
            for row, request in zip(found, requests * 2):
                assert row["genuine"] == json.loads(request["body"]), row
                assert row["in_time"] == row["genuine"], row
                assert row["changed"] == "No matching signature found", row
                assert row["late"] == "Message timestamp too old", row
        for row in node(json.dumps(requests), "verify", WEBHOOK_CALLS):
            assert row["genuine"] == "No matching signature found", row


def test_daemon_believes_what_libraries_sign():
    with Hospital().begin(refill_patients(1)) as stack:
        stack.delivered(1)
        for count, library in enumerate(("standardwebhooks", "svix"), 1):
            body = json.dumps(reply(text=f"已服药 {library} é\n"),
                              ensure_ascii=False)
            headers = node(body, "sign", library, WEBHOOK_CALLS, f"e{count}")
            answer = stack.tell(body.encode(), **headers)
            assert answer == (204, ""), answer
            assert stack.replies() == count
            answer = stack.tell((body + " ").encode(), **headers)
            assert answer[0] == 401, answer
            headers = node(body, "sign", library, OLD_CALLS, f"x{count}")
            assert stack.tell(body.encode(), **headers)[0] == 401
        assert stack.replies() == 2


if __name__ == "__main__":
    raise SystemExit(Tap().run([
        test_libraries_verify_what_the_daemon_sent,
        test_daemon_believes_what_libraries_sign]))
