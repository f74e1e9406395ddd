#!/usr/bin/env python3
"""A recall with 10,000 due: by the provider's ledger, nothing of the stopped
product leaves once each copy has looked, the others go on, and what is
resumed leaves once.  RECALL_PEOPLE changes the number."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import recall  # noqa: E402
from stack import Tap  # noqa: E402

PEOPLE = int(os.environ.get("RECALL_PEOPLE", 10000))


def test_a_recall_among_ten_thousand_due():
    recall.run(PEOPLE, copies=2)


if __name__ == "__main__":
    sys.exit(Tap().run([test_a_recall_among_ten_thousand_due]))
