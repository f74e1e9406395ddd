#!/usr/bin/env python3
"""Holds `adherctl plan --json` against the second dry run of plan.py.

Random patients in batches, every line compared; a difference is shrunk to a
small bundle and printed with both outputs.  TAP on stdout."""

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import generate  # noqa: E402
import plan  # noqa: E402

BATCH = 40


class Comparer:
    def __init__(self, adherctl, kinds):
        self.adherctl = adherctl
        self.kinds = kinds
        self.folder = tempfile.TemporaryDirectory()
        self.file = os.path.join(self.folder.name, "bundle.json")

    def first(self, resources, window):
        """The lines of adherctl; a string where it failed."""
        with open(self.file, "w", encoding="utf-8") as out:
            json.dump(generate.bundle(resources), out)
        command = [self.adherctl, "plan", "--fhir", self.file, "--from",
                   window.first.isoformat(), "--days", str(window.days),
                   "--json"]
        if window.assumed:
            command += ["--assume-consent", ",".join(window.assumed)]
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=60)
        if done.returncode != 0:
            return "exit %d: %s" % (done.returncode, done.stderr[:500])
        return [json.loads(line) for line in done.stdout.splitlines()]

    def second(self, resources, window):
        return plan.dry_run([generate.bundle(resources)],
                            window.first.isoformat(), window.days,
                            window.assumed)

    def seen(self, lines):
        """patient → its lines, of the kinds looked at."""
        by = {}
        for line in lines:
            if line["kind"] in self.kinds:
                by.setdefault(line["patient"], []).append(
                    json.dumps(line, sort_keys=True))
        return by

    def differing(self, resources, window):
        """Patients with other lines; ["?"] where adherctl failed."""
        mine = self.first(resources, window)
        if isinstance(mine, str):
            return ["?"]
        if [i["at"] for i in mine] and not in_time_order(mine):
            return ["?"]
        one = self.seen(mine)
        two = self.seen(self.second(resources, window))
        return sorted(p for p in one.keys() | two.keys()
                      if one.get(p) != two.get(p))

    def differs(self, resources, window):
        try:
            return self.differing(resources, window) not in ([], ["?"])
        except (KeyError, IndexError, TypeError, ValueError,
                AttributeError):
            return False

    def shrink(self, resources, window):
        """The smallest bundle found that still differs."""
        changed = True
        while changed:
            changed = False
            for smaller in smaller_bundles(resources):
                if self.differs(smaller, window):
                    resources, changed = smaller, True
                    break
        return resources


def in_time_order(lines):
    from datetime import datetime
    times = [datetime.fromisoformat(line["at"]) for line in lines]
    return times == sorted(times)


def smaller_bundles(resources):
    for i in range(len(resources)):
        if resources[i]["resourceType"] not in ("Patient", "RelatedPerson"):
            yield resources[:i] + resources[i + 1:]
    for i, resource in enumerate(resources):
        for smaller in smaller_values(resource):
            yield resources[:i] + [smaller] + resources[i + 1:]


KEEP = set(
    "resourceType id subject patient intent scope status category policyRule "
    "reference url system code valueCode value coding type relationship "
    "medicationCodeableConcept authorizingPrescription class telecom "
    "participant actor authoredOn start end period periodUnit text repeat "
    "timing frequency unit meta dateTime birthDate versionId "
    "lastUpdated".split())


def smaller_values(value):
    if isinstance(value, dict):
        for key in value:
            if key not in KEEP:
                less = dict(value)
                del less[key]
                yield less
            for smaller in smaller_values(value[key]):
                yield dict(value, **{key: smaller})
    elif isinstance(value, list):
        for i, item in enumerate(value):
            if len(value) > 1:
                yield value[:i] + value[i + 1:]
            for smaller in smaller_values(item):
                yield value[:i] + [smaller] + value[i + 1:]


def short(line):
    return "%s %s %s %s %s %s %s" % (
        line["at"], line["patient"], line["action"], line["kind"],
        line["stage"], line["channel"] or line["reason"],
        ",".join(i.split("/")[1] for i in line["items"]))


def report(comparer, resources, window, seed):
    small = comparer.shrink(copy.deepcopy(resources), window)
    print("# seed %s: --from %s --days %d --assume-consent %s" % (
        seed, window.first, window.days, ",".join(window.assumed)))
    print("# " + json.dumps(generate.bundle(small)))
    one, two = comparer.first(small, window), comparer.second(small, window)
    one = [short(i) for i in one if i["kind"] in comparer.kinds]
    two = [short(i) for i in two if i["kind"] in comparer.kinds]
    union = sorted(set(one) | set(two))
    first = next((i for i, line in enumerate(union)
                  if line not in one or line not in two), 0)
    for line in union[max(0, first - 3):first + 12]:
        mark = " " if line in one and line in two else \
            "C" if line in one else "P"
        print("#  %s %s" % (mark, line))


def compare_batch(comparer, seed, slice_, number, show):
    """(cases, differing) of one batch."""
    window, people = generate.batch("%s-%d" % (seed, number), slice_, BATCH)
    everyone = [r for person in people for r in person]
    bad = comparer.differing(everyone, window)
    if bad == ["?"]:
        print("# seed %s-%d: %s" % (seed, number,
                                    comparer.first(everyone, window)))
        return BATCH, BATCH
    for patient in bad[:show]:
        alone = [r for p in people for r in p if p_id(p) == patient]
        if not comparer.differs(alone, window):
            alone = everyone
        report(comparer, alone, window, "%s-%d %s" % (seed, number,
                                                      patient))
    return BATCH, len(bad)


def p_id(person):
    return next(r["id"] for r in person if r["resourceType"] == "Patient")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    root = os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    build = os.path.join(root, os.environ.get("BUILD", "build"))
    parser.add_argument("--adherctl", default=os.path.join(build, "adherctl"))
    parser.add_argument("--cases", type=int, default=160,
                        help="patients of each slice")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--slice", choices=generate.SLICES, action="append")
    parser.add_argument("--kinds", default=",".join(plan.KINDS))
    parser.add_argument("--show", type=int, default=3,
                        help="differences to shrink and print")
    options = parser.parse_args()
    comparer = Comparer(options.adherctl, options.kinds.split(","))
    failed = 0
    for slice_ in options.slice or generate.SLICES:
        cases = different = number = 0
        while cases < options.cases:
            more, bad = compare_batch(comparer, options.seed, slice_, number,
                                      options.show - different)
            cases, different = cases + more, different + bad
            number += 1
        failed += different > 0
        print("%s %s: %d patients, %d differ (seed %s)" % (
            "not ok" if different else "ok", slice_, cases, different,
            options.seed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
