"""P5 and P6 of the fault matrix, which no ledger shows afterwards: P1 to P4
are ledger_check.py's.

P5  containment: others' p99 delay with somebody misbehaving, against the same
    without, in the same run
P6  it comes back alone: nobody calls adherctl or starts a copy meanwhile"""

import contextlib
import datetime
import math

# below it a doubled delay is the machine's, not the party's
FLOOR_S = 0.5


def p99(values):
    """The least that 99 of 100 do not exceed."""
    ordered = sorted(values)
    assert ordered, "nobody was served"
    return ordered[max(0, math.ceil(len(ordered) * 0.99) - 1)]


def delays_s(entries, since, addresses=None):
    """From `since` (time.time()) to the first entry of each address; all, or
    of these addresses, each of which must have one."""
    found = {}
    for entry in entries:
        at = datetime.datetime.fromisoformat(
            entry["at"].replace("Z", "+00:00")).timestamp()
        if at >= since:
            found.setdefault(entry["address"], at - since)
    if addresses is None:
        return list(found.values())
    missing = set(addresses) - set(found)
    assert not missing, f"{len(missing)} were not served"
    return [found[address] for address in addresses]


def contained(without_s, with_s, floor_s=FLOOR_S):
    """P5: (p99 with, twice the p99 without); record() compares them."""
    return p99(with_s), 2 * max(p99(without_s), floor_s)


@contextlib.contextmanager
def alone(stack, but_restarts=False):
    """P6: inside, whoever acts as an operator fails the test.  Copies that a
    supervisor would start again are started `but_restarts`."""
    def forbid(what):
        def refuse(*words, **_):
            raise AssertionError(f"P6: {what} {words} is a human step")
        return refuse

    saved = [(stack, "ctl", stack.ctl)]
    for copy in stack.copies:
        saved.append((copy, "stop", copy.stop))
        if not but_restarts:
            saved.append((copy, "start", copy.start))
    for thing, name, _ in saved:
        setattr(thing, name, forbid(name))
    try:
        yield
    finally:
        for thing, name, method in saved:
            setattr(thing, name, method)
