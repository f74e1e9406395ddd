#!/usr/bin/env python3
"""Random lives by the hundred thousand: what plan promises whatever the facts
(tests/life).  The seed is printed first; LIVES_SEED repeats a run, LIVES sets
the number.  One process a core."""

import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from stack import Tap, build_folder  # noqa: E402

LIVES = int(os.environ.get("LIVES", 200_000))
SEED = int(os.environ.get("LIVES_SEED", random.randrange(1 << 30)))


def test_every_life_keeps_what_plan_promises():
    cores = os.cpu_count() or 1
    each = LIVES // cores
    print(f"# LIVES_SEED={SEED} {each * cores} lives")
    runs = [subprocess.Popen(
        [build_folder() / "tests/test_lives"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "LIVES": str(each), "LIVES_SEED": str(SEED),
             "LIVES_FIRST": str(each * core)}) for core in range(cores)]
    for run in runs:
        out, _ = run.communicate()
        assert run.returncode == 0, out[-2000:]


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
