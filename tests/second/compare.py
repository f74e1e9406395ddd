"""What the two comparers share: asking adherctl, comparing answers, making a
case small that two implementations read differently, and telling in TAP."""

import argparse
import copy
import json
import os
import subprocess
from decimal import Decimal

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BATCH = 1000
SHRUNK_MAX = 20


def options():
    parser = argparse.ArgumentParser()
    build = os.path.join(ROOT, os.environ.get("BUILD", "build"))
    parser.add_argument("--adherctl", default=os.path.join(build, "adherctl"))
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def published(name):
    path = os.path.join(ROOT, "tests", "vectors", name)
    with open(path, encoding="utf-8") as text:
        return json.load(text)["vectors"]


def as_read(vector):
    """The vector as its reader sees it: decimals exact."""
    return json.loads(json.dumps(vector), parse_float=Decimal)


def ask(adherctl, verb, vectors):
    """adherctl's answers, by id."""
    text = json.dumps({"vectors": vectors})
    done = subprocess.run([adherctl, verb], input=text, text=True,
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, \
        f"adherctl {verb}: status {done.returncode}: {done.stderr[:500]}"
    answers = {}
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        answers[answer.pop("id", None)] = answer
    return answers


def without(value):
    """Copies of a JSON value that lack one member or element somewhere."""
    keys = list(value) if isinstance(value, dict) else \
        range(len(value)) if isinstance(value, list) else []
    for key in keys:
        smaller = copy.copy(value)
        del smaller[key]
        yield smaller
        for inner in without(value[key]):
            smaller = copy.copy(value)
            smaller[key] = inner
            yield smaller


class Bench:
    """One verb of adherctl against one function of ours.

    difference(ours, theirs) says in what way two answers are unlike; None
    if they are not.  A case is made smaller as long as that stays.
    """

    def __init__(self, adherctl, verb, second, difference):
        self.adherctl, self.verb = adherctl, verb
        self.second, self.difference = second, difference
        self.number, self.failed, self.shrunk = 0, 0, 0

    def told(self, good, name):
        self.number += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}",
              flush=True)

    def differences(self, vectors):
        """(vector, our answer, theirs), for each that is read in two ways."""
        asked = [{**vector, "id": str(i)} for i, vector in enumerate(vectors)]
        theirs = ask(self.adherctl, self.verb, asked)
        for i, vector in enumerate(vectors):
            ours = self.second(as_read(vector))
            answer = theirs.get(str(i), {})
            if self.difference(ours, answer):
                yield vector, ours, answer

    def answerable(self, vector):
        """Is what is left still a case, by our own reading?"""
        try:
            return bool(self.second(as_read(vector)))
        except (KeyError, ValueError, TypeError, AttributeError,
                OverflowError, AssertionError):
            return False

    def shrink(self, found):
        """Leave out what can be left out of a difference."""
        way = self.difference(*found[1:])

        def alike(other):
            return self.difference(*other[1:]) == way
        while True:
            smaller = filter(self.answerable, without(found[0]))
            again = next(filter(alike, self.differences(list(smaller))), None)
            if again is None:
                return found
            found = again

    def tell(self, found):
        if self.shrunk < SHRUNK_MAX:
            self.shrunk += 1
            found = self.shrink(found)
        vector, ours, theirs = found
        print(f"#   {json.dumps(vector, ensure_ascii=False)}\n"
              f"#     second {json.dumps(ours)}\n"
              f"#     adherd {json.dumps(theirs)}")

    def check(self, vectors, name):
        found = list(self.differences(vectors))
        self.told(not found, name)
        for difference in found:
            self.tell(difference)

    def finish(self, vectors, make, chosen):
        """The published vectors, random cases, the plan; exit status."""
        self.check(vectors, "adherctl agrees on the published vectors")
        self.check_random(make, chosen.cases, chosen.seed)
        print(f"1..{self.number}")
        return 1 if self.failed else 0

    def check_random(self, make, cases, seed):
        """make(n) gives the nth case of the seed."""
        for first in range(0, cases, BATCH):
            last = min(first + BATCH, cases)
            self.check([make(n) for n in range(first, last)],
                       f"cases {first} to {last - 1} of seed {seed}")
