#!/usr/bin/env python3
"""reached.py judges what a suite left behind; here it is given suites that
left out one thing each, and must name it."""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest.mock

import reached
from faults import RECORD, Tap, in_time

HERE = pathlib.Path(__file__).resolve().parent
NUMBERS = {name: number for number, name in reached.STATES.items()}
POINTS = "test_every_crash_point_and_every_kind_of_call_was_reached"
STATE = "test_every_state_was_reached"
MADE = "test_every_allowed_transition_was_made"
OTHER = "test_no_other_transition_was_made"


@contextlib.contextmanager
def left_behind(counts, made):
    """A suite's two files, named in the environment."""
    with tempfile.TemporaryDirectory(prefix="adherd-reached.") as folder:
        folder = pathlib.Path(folder)
        (folder / "counts").write_bytes(b"".join(
            RECORD.pack(name.encode(), count)
            for name, count in counts.items()))
        (folder / "transitions").write_text("".join(
            f"{NUMBERS[was]} {NUMBERS[state]} 3\n" for was, state in made),
            encoding="utf-8")
        with unittest.mock.patch.dict(os.environ, {
                "FAULT_COUNTS": str(folder / "counts"),
                "TRANSITIONS": str(folder / "transitions")}):
            yield


def judge(counts, made):
    """{what failed: why}"""
    failed = {}
    with left_behind(counts, made):
        for name, test in vars(reached).items():
            if not name.startswith("test_"):
                continue
            try:
                with contextlib.redirect_stdout(None):
                    test()
            except AssertionError as error:
                failed[name] = str(error)
    return failed


def whole():
    return ({name: 1 for name in reached.names()},
            reached.TABLE | set(reached.AT_ONCE))


def test_suite_that_reached_all_is_good():
    assert len(reached.names()) > 20, reached.names()
    counts, made = whole()
    assert judge(counts, made) == {}


def test_crash_point_or_kind_of_call_that_is_missing_is_named():
    counts, made = whole()
    for name in sorted(counts):
        left_out = {other: 1 for other in counts if other != name}
        # counted as never, or not known to the file at all
        for few in ({**counts, name: 0}, left_out):
            failed = judge(few, made)
            assert set(failed) == {POINTS}, (name, failed)
            assert repr(name) in failed[POINTS], failed


def test_state_that_is_missing_is_named():
    counts, made = whole()
    for state in sorted(set(NUMBERS) - {"new"}):
        failed = judge(counts, [way for way in made if way[1] != state])
        assert repr(state) in failed[STATE], (state, failed)
        assert OTHER not in failed, failed


def test_transition_that_is_missing_is_named():
    counts, made = whole()
    for way in sorted(reached.TABLE):
        failed = judge(counts, made - {way})
        assert repr(way) in failed[MADE], (way, failed)
        # the state may have been reached by another way, or by this alone
        assert set(failed) <= {MADE, STATE}, (way, failed)


def test_transition_that_is_not_allowed_is_named():
    counts, made = whole()
    for was in NUMBERS:
        for state in set(NUMBERS) - {"new", was}:
            way = (was, state)
            failed = judge(counts, made | {way}) if way not in made else {}
            assert way in made or (
                set(failed) == {OTHER} and repr(way) in failed[OTHER]), (
                    way, failed)


def test_suite_that_left_nothing_fails_in_all():
    assert set(judge({}, [])) == {POINTS, STATE, MADE}


def test_status_tells_the_suite():
    counts, made = whole()
    way = min(reached.TABLE)
    for less, status in ((set(), 0), ({way}, 1)):
        with left_behind(counts, made - less):
            run = subprocess.run(
                [sys.executable, HERE / "reached.py"], text=True,
                capture_output=True, check=False)
        assert run.returncode == status, run
        assert (repr(way) in run.stdout) == (status == 1), run.stdout


def tap_of(delays_s):
    """What Tap says of a test with a bound of 1 s that took so long, and how
    often it ran."""
    taken = []

    def test_of_a_bound():
        taken.append(delays_s[len(taken)])
        in_time(taken[-1], 1, "it")

    with contextlib.redirect_stdout(None):
        return Tap().run([test_of_a_bound]), len(taken)


def test_bound_that_is_missed_is_measured_once_more_and_no_oftener():
    assert tap_of([0.5]) == (0, 1)
    assert tap_of([1.5, 0.5]) == (0, 2)
    assert tap_of([1.5, 1.5, 0.5]) == (1, 2)


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
