#!/usr/bin/env python3
"""How fast, beside what this machine can do at most: drains of people who
fall due at once, through the real daemon, each between two runs of the
reference line (reference.c) on the same cluster and sink (sink.c).  Only the
ratios of one run count.  BENCH_PEOPLE (20000) falls due at a time."""

import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from stack import (Stack, consent, fill, get_json, patient,  # noqa: E402
                   post, prescription, wait_until)

PEOPLE = int(os.environ.get("BENCH_PEOPLE", 20000))
SOURCES = 1000          # imported; the others are copies of them
CLUSTER = "-c shared_buffers=1GB -c max_wal_size=8GB -c random_page_cost=1.1"
BEGIN = "2026-03-02T09:00:00+08:00"
HANDED_OVER = "2026-02-09"      # 28 days: the run-out is on 9 March
TICKS = os.sysconf("SC_CLK_TCK")
# what, the day on which all fall due at 10:00, in flight, a request, delay in
# ms, the least ratio (issue: none where it is the first, which is warm-up)
DRAINS = (
    ("first, nothing sent before", "2026-03-02", 64, 1, 0, None),
    ("64 in flight, 0 ms", "2026-03-06", 64, 1, 0, 0.55),
    ("100 a request", "2026-03-08", 64, 100, 0, 0.9),
    ("512 in flight, 50 ms", "2026-03-10", 512, 1, 50, None),
)
REMINDERS = """
DROP TABLE IF EXISTS reminder;
CREATE TABLE reminder (id bigint PRIMARY KEY, due_at timestamptz NOT NULL,
  phone text NOT NULL, patient_name text NOT NULL, drug text NOT NULL,
  due_text text NOT NULL, state smallint NOT NULL DEFAULT 0,
  claimed_at timestamptz, provider_id text, sent_at timestamptz)
  WITH (fillfactor = 60, autovacuum_enabled = off);
CREATE INDEX reminder_due ON reminder (due_at, id) WHERE state = 0;
INSERT INTO reminder (id, due_at, phone, patient_name, drug, due_text)
  SELECT i, now() - interval '1 s', '+861' || lpad((9900000000 + i)::text, 10,
    '0'), '甲' || i, '氨氯地平片 5mg', '3月9日' FROM generate_series(1, {n}) i;
"""


def second(resource, number):
    """The same of another medicine."""
    text = json.dumps(resource, ensure_ascii=False)
    return json.loads(text.replace("C08CA01", "C09CA03").replace(
        f'"m{number}"', f'"n{number}"').replace(
        f'MedicationRequest/m{number}"', f'MedicationRequest/n{number}"'
        ).replace(f'"d{number}-', f'"e{number}-').replace(
        "氨氯地平片 5mg", "缬沙坦胶囊 80mg"))


def person(number):
    """2 prescriptions, 3 fills, 2 contacts, consent."""
    who = patient(number)
    who["telecom"][0]["rank"] = 1
    who["telecom"].append({"system": "sms", "rank": 2,
                           "value": f"+861991{number:07d}"})
    return [who, consent(number), prescription(number),
            second(prescription(number), number),
            fill(number, "2026-01-12"), fill(number, HANDED_OVER),
            second(fill(number, HANDED_OVER), number)]


def cpu_s(pid):
    """Of a process and of its children that ended."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def memory_mb(pid, what):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line for line in status
                        if line.startswith(what)).split()[1]) / 1024


class Bench(Stack):
    """Its provider is the sink."""

    def __init__(self):
        super().__init__(
            BEGIN, gateway="loopback", cluster_options=CLUSTER,
            gateway_settings="window = 64\nbatch = 1")

    def start_sim(self, options=()):
        self.sim_process = subprocess.Popen(
            [self.build / "tests/adherd-sink", "-p", str(self.sim_port)],
            stdout=subprocess.DEVNULL)
        wait_until(self.sink_answers, 10, "the sink answers")

    def sink_answers(self):
        try:
            return self.stats() is not None
        except OSError:
            return False

    def stats(self):
        return get_json(f"{self.sim}/stats")

    def reset(self, delay_ms):
        post(f"{self.sim}/reset?delay={delay_ms}", "")

    def postmaster(self):
        path = pathlib.Path(self.cluster.folder) / "data/postmaster.pid"
        return int(path.read_text(encoding="ascii").split()[0])

    def server_cpu_s(self):
        """Of all backends, living and ended."""
        server = self.postmaster()
        return cpu_s(server) + sum(map(cpu_s, children(server)))

    def wal_bytes(self):
        return self.number("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn()"
                           ", '0/0')::bigint")

    def looks(self):
        for line in self.copies[0].metrics().decode().splitlines():
            if line.startswith("adherd_looks_total"):
                return float(line.split()[1])
        return 0.0

    def rest(self, limit_s=600):
        wait_until(self.at_rest, limit_s, "nobody is due")

    def use(self, in_flight, per_request):
        """Restarted with these, so that its memory is its own."""
        copy = self.copies[0]
        if copy.process and copy.process.poll() is None:
            copy.stop()
        self.gateway_settings = f"window = {in_flight}\nbatch = {per_request}"
        copy.config = self.write_config(0)
        copy.start()


def load(stack):
    """Import, and wait until everybody was looked at once."""
    # the first copy sets the clock that the import reads
    stack.copies[0].start()
    begun = time.monotonic()
    found = []
    for number in range(1, SOURCES + 1):
        found += person(number)
    stack.import_bundle("clinic", found)
    imported = time.monotonic()
    stack.wait_looked_at(600)
    stack.sql("ANALYZE")
    run = subprocess.run(
        [stack.build / "tests/adherd-multiply", stack.dsn,
         stack.folder / "keyring", str(SOURCES), str(SOURCES + 1),
         str(PEOPLE)], text=True, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    stack.sql("VACUUM ANALYZE")
    print(f"# {SOURCES} people imported in {imported - begun:.1f} s, "
          f"{PEOPLE} in {time.monotonic() - begun:.0f} s; a dossier "
          f"{float(run.stdout):.0f} us", flush=True)


def reference(stack, in_flight, per_request, delay_ms):
    """Messages a second of the bare job."""
    stack.sql(REMINDERS.format(n=PEOPLE))
    stack.sql("VACUUM ANALYZE reminder")
    stack.reset(delay_ms)
    run = subprocess.run(
        [stack.build / "tests/adherd-reference", stack.dsn,
         f"{stack.sim}/loopback", str(in_flight), str(per_request),
         str(PEOPLE)], text=True, capture_output=True, check=True)
    counts = stack.stats()
    assert counts["distinct"] == counts["messages"] == PEOPLE, counts
    stack.sql("DROP TABLE reminder")
    return PEOPLE / (int(run.stdout) / 1e6)


class Drain:
    """What one drain took."""

    def __init__(self, stack, day, in_flight, per_request, delay_ms):
        due = datetime.datetime.fromisoformat(f"{day}T10:00:00+08:00")
        stack.use(in_flight, per_request)
        stack.move_clock((due - datetime.timedelta(minutes=5)).isoformat())
        stack.rest()
        stack.reset(delay_ms)
        copy = stack.copies[0].process.pid
        before = (stack.server_cpu_s(), cpu_s(copy), cpu_s(
            stack.sim_process.pid), stack.wal_bytes(), stack.looks())
        stack.move_clock(due.isoformat())
        wait_until(lambda: stack.stats()["distinct"] >= PEOPLE, 300,
                   f"all of {day} are sent")
        while stack.number("SELECT count(*) FROM batch") > 0:
            pass
        ended = time.time()
        after = (stack.server_cpu_s(), cpu_s(copy), cpu_s(
            stack.sim_process.pid), stack.wal_bytes(), stack.looks())
        counts = stack.stats()
        assert counts["messages"] == counts["distinct"] == PEOPLE, counts
        self.rate = PEOPLE / (ended - counts["first_us"] / 1e6)
        spent = [(now - then) / PEOPLE for then, now in zip(before, after)]
        self.server_us, self.client_us, self.sink_us = (
            share * 1e6 for share in spent[:3])
        self.wal_bytes, self.looks = spent[3:]
        self.peak_mb = memory_mb(copy, "VmHWM")


def main():
    rows = []
    with Bench() as stack:
        load(stack)
        for what, day, in_flight, per_request, delay_ms, least in DRAINS:
            how = in_flight, per_request, delay_ms
            lines = [reference(stack, *how)]
            drain = Drain(stack, day, *how)
            lines.append(reference(stack, *how))
            line = statistics.mean(lines)
            ceiling = in_flight * per_request / delay_ms * 1000 if (
                delay_ms) else None
            rows.append((
                what, f"{drain.rate:.0f}", f"{line:.0f}",
                f"{drain.rate / line:.2f}", f"{least or '-'}",
                f"{drain.rate / ceiling:.2f}" if ceiling else "-",
                f"{drain.server_us:.1f}", f"{drain.client_us:.1f}",
                f"{drain.sink_us:.1f}", f"{drain.wal_bytes:.0f}",
                f"{drain.looks:.2f}", f"{drain.peak_mb:.1f}"))
            print("# " + "  ".join(rows[-1]), flush=True)
    head = ("drain of " + str(PEOPLE), "a second", "line", "ratio", "least",
            "of window", "PG us", "adherd us", "sink us", "WAL B", "looks",
            "peak MB")
    widths = [max(len(row[i]) for row in [head, *rows])
              for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(word.ljust(width) if i == 0 else word.rjust(width)
                        for i, (word, width) in enumerate(zip(row, widths))))


if __name__ == "__main__":
    main()
