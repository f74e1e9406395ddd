#!/usr/bin/env python3
"""How fast, beside what this machine can do at most: people who fall due at
once, or one after another, through the real daemon, each case between two runs
of the reference line (reference.c) on the same cluster and sink (sink.c).
Only the ratios of one run count.

BENCH_PEOPLE (20000) and BENCH_MANY (100000) are how many; BENCH_MILLION=1
does the case of a million and nothing else.  Words say which cases: plain,
batch, two, aliyun, door; bare, many, snapshot, delay, idle, flow, trickle."""

import os
import sys
import time

import measure
from measure import (OldSnapshot, bring_to, door, drain, failures, flow,
                     idle, probe, reference)
from world import DUE, FIRST_DUE, SOURCES, World, size

PEOPLE = size("BENCH_PEOPLE", 20000)
MANY = size("BENCH_MANY", 100000)
MILLION = size("BENCH_MILLION_PEOPLE", 1000000)
FLOW = 500              # a second
FLOW_S = 60
TRICKLE = 50
TRICKLE_S = 20
REPLIES = 5000
SMALL_CASES = ("plain", "batch", "two", "aliyun", "door")
MANY_CASES = ("bare", "many", "snapshot", "delay", "idle", "flow",
              "trickle")
ALL_CASES = SMALL_CASES + MANY_CASES


class Bench:
    """What was measured so far."""

    def __init__(self, world, wanted):
        self.world = world
        self.wanted = wanted
        self.results = []
        self.figures = {}       # what is no row of the table

    def wants(self, name):
        return not self.wanted or name in self.wanted

    def done(self, result):
        self.results.append(result)
        print("# " + "  ".join(text for text in row_of(result)
                               if text != "-"), flush=True)

    def begin(self, base, people, in_flight=64, per_request=1, copies=1,
              extra=""):
        """A database of its own, its people about to be due."""
        self.world.copy_database("case", base)
        self.world.start(in_flight, per_request, copies, extra)
        bring_to(self.world, people, DUE)

    def drain(self, name, base, people, in_flight=64, per_request=1,
              delay_ms=0, copies=1, meanwhile=None):
        how = in_flight, per_request, delay_ms
        lines = [reference(self.world, people, *how)]
        self.begin(base, people, in_flight, per_request, copies)
        self.world.reset(delay_ms)
        result = drain(self.world, name, people, DUE, meanwhile)
        self.world.stop()
        lines.append(reference(self.world, people, *how))
        result.take_lines(lines)
        if delay_ms:
            result.window_rate = in_flight * per_request / delay_ms * 1000
        self.done(result)
        return result

    # -- people

    def make_base(self, name, people, processes=1):
        """So many, who were sent something once: the first drain."""
        world = self.world
        world.copy_database(name, "adherd")
        rebuild_us = world.multiply(SOURCES, people, processes)
        if rebuild_us:
            self.figures["rebuild"] = rebuild_us
        world.start(64, 1)
        world.rest(people)
        world.reset(0)
        result = drain(world, f"first of {people}", people, FIRST_DUE)
        checked = world.ctl("check", "dossiers")
        world.stop()
        world.vacuum()
        self.done(result)
        measure.check(not checked, f"dossiers of copies differ: {checked}")

    # -- cases

    def small(self):
        self.make_base("small", PEOPLE)
        if self.wants("plain"):
            self.drain(f"{PEOPLE}", "small", PEOPLE)
        if self.wants("batch"):
            self.drain("100 a request", "small", PEOPLE, per_request=100)
        if self.wants("two"):
            self.drain("two copies, 64 each", "small", PEOPLE, copies=2)
        if self.wants("aliyun"):
            self.aliyun()
        if self.wants("door"):
            self.door()
        self.world.drop_database("small")

    def door(self):
        """Nobody is due: callbacks alone, then what comes of them."""
        self.world.copy_database("case", "small")
        self.world.desk = True
        self.world.start(64, 1)
        self.figures.update(door(self.world, min(PEOPLE, REPLIES)))
        self.world.stop()
        self.world.desk = False

    def aliyun(self):
        self.world.use_simulator()
        try:
            self.begin("small", PEOPLE)
            self.done(drain(self.world, "sms_aliyun, signed", PEOPLE, DUE))
        finally:
            self.world.stop()
            self.world.use_sink()

    def many(self):
        self.make_base("many", MANY)
        if self.wants("bare"):
            self.bare()
        plain = held = None
        if self.wants("many"):
            plain = self.drain(f"{MANY}", "many", MANY)
        if self.wants("snapshot"):
            held = self.drain("old snapshot held", "many", MANY,
                              meanwhile=OldSnapshot(self.world))
        if plain and held:
            self.figures["snapshot"] = held.ratio() / plain.ratio()
        if self.wants("delay"):
            self.drain("50 ms, 512 in flight", "many", MANY,
                       in_flight=512, delay_ms=50)
        if self.wants("idle"):
            self.world.copy_database("case", "many")
            self.world.start(64, 1)
            self.figures.update(idle(self.world))
            self.world.stop()
        if self.wants("flow"):
            people = min(MANY, FLOW * FLOW_S)
            self.begin("many", MANY)
            self.done(flow(self.world, f"{FLOW}/s", people, DUE, FLOW))
        if self.wants("trickle"):
            self.begin("many", MANY)
            self.done(flow(self.world, f"trickle, {TRICKLE}/s",
                           TRICKLE * TRICKLE_S, DUE, TRICKLE))
        self.world.stop()
        self.world.drop_database("many")

    def bare(self):
        """PostgreSQL alone."""
        self.begin("many", MANY)
        self.world.stop()
        self.world.sql("UPDATE care_clock SET offset_us = 1e6 * extract("
                       f"epoch FROM timestamptz '{DUE}' - clock_timestamp())")
        self.figures["probe"] = probe(self.world, MANY, DUE)
        print(f"# probe {self.figures['probe']:.0f} a second", flush=True)

    def million(self):
        self.make_base("million", MILLION, processes=2)
        world = self.world
        lines = [reference(world, MILLION, 64, 1, 0)]
        world.start(64, 1)
        bring_to(world, MILLION, DUE)
        world.reset(0)
        result = drain(world, f"{MILLION}", MILLION, DUE)
        world.stop()
        lines.append(reference(world, MILLION, 64, 1, 0))
        result.take_lines(lines)
        self.done(result)


# ---- what is printed ----

HEAD = ("", "a second", "line", "line us", "ratio", "of window", "PG us", "others us",
        "adherd us", "plan us", "client us", "sink us", "WAL B", "looks",
        "peak MB", "p50 ms", "p99 ms")


def text_of(value, digits=0):
    return "-" if value is None else f"{value:.{digits}f}"


def row_of(result):
    client_us = result.daemon_us - result.plan_us
    share = (result.rate / result.window_rate if result.window_rate
             else None)
    return (result.name, text_of(result.rate), text_of(result.line),
            text_of(result.line_us, 1), text_of(result.ratio(), 2),
            text_of(share, 2),
            text_of(result.backends_us, 1), text_of(result.others_us, 1),
            text_of(result.daemon_us, 1), text_of(result.plan_us, 1),
            text_of(client_us, 1), text_of(result.provider_us, 1),
            text_of(result.wal_bytes), text_of(result.looks, 2),
            text_of(result.peak_mb, 1), text_of(result.p50_ms, 1),
            text_of(result.p99_ms, 1))


def print_table(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(word.ljust(width) if i == 0 else word.rjust(width)
                        for i, (word, width) in enumerate(zip(row, widths))))


def targets(results, figures):
    """What, how it is, at least or at most, the bound; None: not run."""
    by = {result.name: result for result in results}
    many = by.get(f"{MANY}") or by.get(f"{PEOPLE}") or by.get(f"{MILLION}")
    even = by.get(f"{FLOW}/s")
    delay = by.get("50 ms, 512 in flight")
    batch = by.get("100 a request")
    plain = by.get(f"{PEOPLE}")

    def ratio(name):
        return by[name].ratio() if name in by else None

    of_probe = (many.rate / figures["probe"] if many and "probe" in figures
                else None)
    return (
        (f"{MANY} at 0 ms, 64 in flight: ratio", ratio(f"{MANY}"), ">=",
         0.55),
        (f"{MILLION}: ratio", ratio(f"{MILLION}"), ">=", 0.48),
        ("100 a request: of the line with one",
         batch.rate / plain.line if batch and plain else None, ">=", 0.9),
        ("50 ms, 512 in flight: of in flight / delay",
         delay.rate / delay.window_rate if delay else None, ">=", 0.93),
        ("of the probe", of_probe, ">=", 0.85),
        ("an old snapshot held: of the same without",
         figures.get("snapshot"), ">=", 0.97),
        (f"{FLOW}/s: p99, ms", even.p99_ms if even else None, "<=", 10),
        ("PostgreSQL, us a message", many.backends_us if many else None,
         "<=", 45),
        ("client, us a message",
         many.daemon_us - many.plan_us if many else None, "<=", 35),
        ("peak, MB", many.peak_mb if many else None, "<=", 48),
        ("idle, MB", figures.get("idle_mb"), "<=", 20),
        ("a dossier rebuilt, 200 at a time, us of a backend",
         figures.get("rebuild"), "<=", 150),
        ("looks a message", many.looks if many else None, "<=", 1.05),
    )


def print_targets(results, figures):
    for what, value, relation, bound in targets(results, figures):
        if value is None:
            verdict = "not run"
        elif value >= bound if relation == ">=" else value <= bound:
            verdict = "met"
        else:
            verdict = "NOT MET"
        print(f"{verdict:8} {what} {relation} {bound}: "
              f"{text_of(value, 2)}")
    print(f"{'NOT MET' if failures else 'met':8} none early, none twice, "
          "none lost" + "".join(f"\n         {what}" for what in failures))


ABOUT = """\
a second: messages from the first arrival to the last outcome on record
line: the reference line, mean of a run before and one after; line us: what it
  takes of processors, server and client, the provider's part left out
PG us: processor's time of the backends a message, by the scheduler's count;
  others us: of the server's other processes (WAL writer, checkpoints, vacuum)
adherd us: of the daemon; plan us: of its looks, as its metrics count them (the
  dossier read, decided, texts and rows written); client us: the rest, HTTP,
  libpq and loop
p50, p99 ms: from agenda.next_at to the arrival at the sink; each person's
  next_at was set for an even flow, for a plan's own instants are whole minutes
"""


def main():
    for word in sys.argv[1:]:
        if word not in ALL_CASES:
            sys.exit(f"bench: {word} is none of {' '.join(ALL_CASES)}")
    begun = time.monotonic()
    with World() as world:
        world.admin("CREATE DATABASE reference OWNER adherd")
        world.import_sources(SOURCES)
        bench = Bench(world, sys.argv[1:])
        if os.environ.get("BENCH_MILLION"):
            bench.million()
        else:
            if any(map(bench.wants, SMALL_CASES)):
                bench.small()
            if any(map(bench.wants, MANY_CASES)):
                bench.many()
    figures = bench.figures
    print(f"\n{ABOUT}")
    print_table([HEAD, *map(row_of, bench.results)])
    if "probe" in figures:
        print(f"\nprobe: {figures['probe']:.0f} a second, the daemon's "
              "statements alone")
    if "stored" in figures:
        print("replies: {stored:.0f} a second signed and stored, {:.2f} of "
              "libevent's bare answer, {bare:.0f}; {worked:.0f} a second "
              "worked on in all".format(
                  figures["stored"] / figures["bare"], **figures))
    if "idle_mb" in figures:
        print("nothing due, {} people: adherd {:.1f} ms of a processor a "
              "second, PostgreSQL {:.1f} and {:.1f}; {:.1f} MB".format(
                  MANY, *(figures[name] for name in (
                      "daemon_ms", "backends_ms", "others_ms", "idle_mb"))))
    print(f"all in {time.monotonic() - begun:.0f} s\n")
    print_targets(bench.results, figures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
