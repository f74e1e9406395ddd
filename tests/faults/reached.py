#!/usr/bin/env python3
"""Run last, over what the whole suite left behind: no crash point, no kind of
failing call, no state of a delivery and no transition of design.md 3 that was
never reached, and no transition that it does not allow.  FAULT_COUNTS and
TRANSITIONS name the files."""

import os
import pathlib
import re
import sys

from faults import main, read_counts
from transitions import read_file

STATES = {0: "new", 1: "sending", 2: "held", 3: "accepted", 4: "rejected",
          5: "retry", 6: "unknown", 7: "delivered", 8: "undelivered",
          9: "unconfirmed", 10: "expired"}
ALLOWED = {
    "new": ["sending", "held"],
    "sending": ["accepted", "rejected", "retry", "unknown"],
    "retry": ["sending", "expired", "held"],
    "unknown": ["accepted", "delivered", "undelivered", "rejected", "sending",
                "expired"],
    "accepted": ["delivered", "undelivered"],
}
# accepted and at once unconfirmed, where a provider sends no receipts
AT_ONCE = [("sending", "unconfirmed"), ("unknown", "unconfirmed")]
TABLE = {(was, state) for was, states in ALLOWED.items() for state in states}


def names():
    """Of all points and kinds, as the daemon's header has them: a file of
    counts that knows one less hides nothing."""
    text = (pathlib.Path(__file__).resolve().parents[2]
            / "daemon/base/fault.h").read_text(encoding="utf-8")
    tables = text[text.index("#define FAULT_POINTS"):
                  text.index("#define FAULT_NAME_")]
    return set(re.findall(r'"([a-z-]+)"', tables))


def transitions():
    return {(STATES[was], STATES[state]): count for (was, state), count
            in read_file(os.environ["TRANSITIONS"]).items()}


def test_every_crash_point_and_every_kind_of_call_was_reached():
    counts = read_counts(pathlib.Path(os.environ["FAULT_COUNTS"]))
    never = sorted(name for name in names() if not counts.get(name))
    assert names() and not never, never


def test_every_state_was_reached():
    never = set(STATES.values()) - {"new"} - {
        state for _, state in transitions()}
    assert not never, never


def test_every_allowed_transition_was_made():
    for (was, state), count in sorted(transitions().items()):
        print(f"# {was} → {state}: {count}")
    never = TABLE - set(transitions())
    assert not never, never


def test_no_other_transition_was_made():
    others = set(transitions()) - TABLE - set(AT_ONCE)
    assert not others, others


if __name__ == "__main__":
    sys.exit(main(globals()))
