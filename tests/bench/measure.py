"""What a case takes: rates, processor's time by part, memory, WAL, lags."""

import datetime
import os
import pathlib
import resource
import statistics
import subprocess
import time

from world import BEGIN, STATEMENTS, Session
from stack import (WEBHOOK_CALLS, Key, encode_reference, free_port, get_json,
                   wait_until)

TICKS = os.sysconf("SC_CLK_TCK")
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
failures = []           # of checks: something early, twice or lost
KNOCKS = 16             # callbacks at once


def check(good, what):
    if not good:
        failures.append(what)
        print(f"# WRONG: {what}", flush=True)


def instant(text):
    return datetime.datetime.fromisoformat(text)


# ---- processes ----

def ran_s(pid):
    """On a processor, by the scheduler's count, of all its threads."""
    found = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            found += int((task / "schedstat").read_text().split()[0])
        except OSError:
            continue    # it ended
    return found / 1e9


def ended_children_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[13:15])) / TICKS


def memory_mb(pid, what):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line for line in status
                        if line.startswith(what)).split()[1]) / 1024


def server_s(world):
    """Of backends that serve somebody, and of all other processes."""
    pidfile = pathlib.Path(world.cluster.folder) / "data/postmaster.pid"
    postmaster = pidfile.read_text(encoding="ascii").split()[0]
    children = pathlib.Path(
        f"/proc/{postmaster}/task/{postmaster}/children")
    backends, others = 0.0, ran_s(postmaster)
    for child in children.read_text(encoding="ascii").split():
        try:
            title = pathlib.Path(f"/proc/{child}/cmdline").read_text(
                encoding="utf-8")
            spent = ran_s(child)
        except OSError:
            continue    # it ended: postmaster has it
        if title.startswith("postgres: adherd "):
            backends += spent
        else:
            others += spent
    return backends, others + ended_children_s(postmaster)


class Usage:
    """Of everything, until now; or between two of them."""

    def __init__(self, world, session):
        self.backends_s, self.others_s = server_s(world)
        self.daemon_s = sum(ran_s(copy.process.pid)
                            for copy in world.running())
        provider = world.simulator or world.sim_process
        self.provider_s = ran_s(provider.pid)
        self.wal_bytes = session.number(
            "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"
            "::bigint")
        self.looks = world.count("adherd_looks_total")
        self.plan_s = world.count("adherd_planning_cpu_seconds_total")

    def since(self, then):
        for name, value in vars(then).items():
            setattr(self, name, getattr(self, name) - value)
        return self


# ---- the reference line ----

def spent_s(world):
    """By the server and by children of ours that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(server_s(world)) + used.ru_utime + used.ru_stime


def reference(world, people, in_flight, per_request, delay_ms):
    """Messages a second of the bare job, in a database of its own, and
    processor's time a message, in us, without the provider's."""
    case = world.dsn
    world.point_at(world.dsn_of("reference"))
    try:
        world.sql(REMINDERS.format(n=people))
        world.sql("VACUUM ANALYZE reminder")
        world.reset(delay_ms)
        before = spent_s(world)
        run = subprocess.run(
            [world.build / "tests/adherd-reference", world.dsn,
             f"{world.sink}/loopback", str(in_flight), str(per_request),
             str(people)], text=True, capture_output=True, check=True)
        spent_us = (spent_s(world) - before) / people * 1e6
        counts = world.stats()
        assert counts["distinct"] == counts["messages"] == people, counts
        world.sql("DROP TABLE reminder")
    finally:
        world.point_at(case)
    return people / (int(run.stdout) / 1e6), spent_us


# ---- by statement ----

SLOWEST = """SELECT format('# %s us in %s calls: %s',
  round((total_exec_time * 1000 / {people})::numeric, 1), calls,
  left(regexp_replace(query, '\\s+', ' ', 'g'), 60))
FROM pg_stat_statements WHERE total_exec_time * 1000 / {people} >= 0.1
ORDER BY total_exec_time DESC"""


class Statements:
    """What each took while this is open, in us a message."""

    def __init__(self, world, people):
        self.people = people
        self.session = STATEMENTS and world.open_statements()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.session:
            print("\n".join(self.session.ask(SLOWEST.format(
                people=self.people))), flush=True)
            self.session.close()


# ---- cases ----

def arrived(world):
    """How many came, and how many different ones."""
    if world.simulator:
        count = get_json(f"{world.sim}/ledger/summary")["messages"]
        return count, count
    counts = world.stats()
    return counts["messages"], counts["distinct"]


def first_arrival_s(world):
    if world.simulator:
        entry = get_json(f"{world.sim}/ledger?since=0&limit=1")["entries"][0]
        return instant(entry["at"]).timestamp()
    return world.stats()["first_us"] / 1e6


def bring_to(world, people, due):
    """The running copies, to five minutes before everybody is due."""
    world.move_clock((instant(due) - datetime.timedelta(
        minutes=5)).isoformat())
    world.rest(people)


class Result:
    """Of one case, a message; lags in ms."""

    def __init__(self, name, people):
        self.name = name
        self.people = people
        self.rate = self.line = self.window_rate = None
        self.backends_us = self.others_us = self.daemon_us = None
        self.plan_us = self.line_us = None
        self.provider_us = self.wal_bytes = self.looks = None
        self.peak_mb = self.p50_ms = self.p99_ms = None

    def take_usage(self, usage, world):
        for name in ("backends", "others", "daemon", "plan", "provider"):
            setattr(self, f"{name}_us",
                    getattr(usage, f"{name}_s") / self.people * 1e6)
        self.wal_bytes = usage.wal_bytes / self.people
        self.looks = usage.looks / self.people
        self.peak_mb = max(memory_mb(copy.process.pid, "VmHWM")
                           for copy in world.running())

    def take_lines(self, lines):
        """What runs of the reference line came to."""
        self.line, self.line_us = map(statistics.mean, zip(*lines))

    def ratio(self):
        return self.rate / self.line if self.rate and self.line else None


def drain(world, name, people, due, meanwhile=None):
    """All of them fall due at once; the copies run and rest."""
    result = Result(name, people)
    with Session(world.dsn) as session, Statements(world, people):
        before = Usage(world, session)
        if meanwhile:
            meanwhile.begin()
        world.move_clock(due)
        wait_until(lambda: arrived(world)[1] >= people, 60 + people / 500,
                   f"{name}: all are sent")
        while session.number("SELECT count(*) FROM batch") > 0:
            time.sleep(0.002)
        ended = time.time()
        result.take_usage(Usage(world, session).since(before), world)
        if meanwhile:
            meanwhile.end()
        begun = first_arrival_s(world)
        result.rate = people / (ended - begun)
        check_all_sent(world, session, name, people, due, begun)
    return result


def check_all_sent(world, session, name, people, due, begun):
    """None early, none twice, none lost."""
    time.sleep(0.5)     # for one too many
    messages, distinct = arrived(world)
    if world.simulator:
        distinct -= len(get_json(f"{world.sim}/ledger/duplicates")[
            "by_reference"])
    check(messages == people, f"{name}: {messages} sent of {people}")
    check(messages == distinct, f"{name}: {messages - distinct} twice")
    offset = session.number("SELECT offset_us FROM care_clock") / 1e6
    check(begun + offset >= instant(due).timestamp(),
          f"{name}: one came before it was due")
    taken = session.number("SELECT count(*) FROM delivery WHERE state = 3 "
                           f"AND due_at = '{due}'")
    check(taken == people, f"{name}: {taken} on record of {people}")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(session, people, first, rate):
    """So many people are looked at one after another from `first` on, the
    others next week.  They are due by plan already: a plan knows minutes, so
    an even flow is made of when they are looked at."""
    session.ask(f"""
UPDATE agenda a SET next_at = CASE WHEN n <= {people}
    THEN timestamptz '{first}' + n * interval '1 s' / {rate}
    ELSE timestamptz '{first}' + interval '7 days' END
FROM (SELECT bucket, patient_id, row_number() OVER (ORDER BY random()) n
      FROM agenda) s
WHERE a.bucket = s.bucket AND a.patient_id = s.patient_id""")
    session.ask("CREATE TABLE wanted AS SELECT bucket, patient_id, next_at "
                f"FROM agenda WHERE next_at < timestamptz '{first}' + "
                "interval '6 days'")


def flow(world, name, people, due, rate):
    """An even flow of so many a second, from a minute after `due` on; lag is
    from agenda.next_at to the arrival at the sink."""
    first = instant(due) + datetime.timedelta(minutes=1)
    result = Result(name, people)
    with Session(world.dsn) as session:
        spread(session, people, first.isoformat(), rate)
        session.ask("VACUUM ANALYZE agenda")
        world.reset(0, note=True)
        world.move_clock((first - datetime.timedelta(seconds=2)).isoformat())
        before = Usage(world, session)
        wait_until(lambda: arrived(world)[1] >= people,
                   30 + 2 * people / rate, f"{name}: all are sent")
        result.take_usage(Usage(world, session).since(before), world)
        check_flow(world, session, result)
    return result


def check_flow(world, session, result):
    time.sleep(0.5)
    came = {}
    with world.open_arrivals() as lines:
        for line in lines:
            reference_text, at_us = line.decode().split()
            came.setdefault(reference_text, []).append(int(at_us))
    offset_us = session.number("SELECT offset_us FROM care_clock")
    lags = []
    early = lost = 0
    rows = session.ask("""
SELECT d.bucket, d.patient_id, d.occurrence_on - date '1970-01-01', d.kind,
  d.source, d.slot, d.channel, (extract(epoch FROM w.next_at) * 1e6)::bigint
FROM wanted w JOIN delivery d USING (bucket, patient_id)
WHERE d.sent_at IS NOT NULL
  AND d.planned_at >= w.next_at - interval '10 s'""")
    for row in rows:
        *key, next_us = map(int, row.split("|"))
        times = came.get(encode_reference(Key(*key)))
        if times is None:
            lost += 1
            continue
        lags.append((times[0] + offset_us - next_us) / 1e3)
        early += lags[-1] < 0
    twice = sum(len(times) - 1 for times in came.values())
    check(len(lags) == len(came) == result.people and lost == 0,
          f"{result.name}: {len(came)} came, {len(lags)} are known, "
          f"{lost} did not come, of {result.people}")
    check(early == 0, f"{result.name}: {early} early")
    check(twice == 0, f"{result.name}: {twice} twice")
    if lags:
        moments = [times[0] for times in came.values()]
        result.rate = len(moments) * 1e6 / (max(moments) - min(moments))
        result.p50_ms = percentile(lags, 0.5)
        result.p99_ms = percentile(lags, 0.99)


class OldSnapshot:
    """Somebody's transaction that sees the database as it was."""

    def __init__(self, world):
        self.world = world
        self.session = None

    def begin(self):
        self.session = Session(self.world.dsn)
        self.session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ")
        self.session.ask("SELECT count(*) FROM agenda")

    def end(self):
        self.session.close()


def idle(world, seconds=20):
    """Nothing is due: processor's time a second, in ms, and memory."""
    with Session(world.dsn) as session:
        time.sleep(2)
        before = Usage(world, session)
        time.sleep(seconds)
        used = Usage(world, session).since(before)
    copy = world.copies[0].process.pid
    return {"daemon_ms": used.daemon_s / seconds * 1e3,
            "backends_ms": used.backends_s / seconds * 1e3,
            "others_ms": used.others_s / seconds * 1e3,
            "idle_mb": memory_mb(copy, "VmRSS")}


def knock(world, url, count, first):
    """Signed callbacks a second, KNOCKS at a time."""
    told = subprocess.run(
        [world.build / "tests/adherd-knock", url, WEBHOOK_CALLS[6:],
         str(count), str(KNOCKS), str(first)], text=True,
        stdout=subprocess.PIPE, check=False)
    check(told.returncode == 0, f"callbacks of {url} were refused")
    return count / (int(told.stdout) / 1e6)


def bare_door(world, count):
    """What libevent's own server answers, and nothing besides."""
    port = free_port()
    server = subprocess.Popen(
        [world.build / "tests/adherd-knock", "--answer", str(port)])
    try:
        time.sleep(0.5)
        return knock(world, f"http://127.0.0.1:{port}/", count, 1)
    finally:
        server.kill()
        server.wait()


def door(world, count):
    """Replies taken in a second, worked on in all, and the bare door."""
    bare = [bare_door(world, count)]
    begun = time.monotonic()
    stored = knock(world, world.callback_url("desk"), count, 1)
    wait_until(lambda: world.number(
        "SELECT count(*) FROM inbox WHERE type = 2 AND state = 0") == 0,
        60 + count / 50, "replies are worked on")
    worked = count / (time.monotonic() - begun)
    bare.append(bare_door(world, count))
    check(world.number("SELECT count(*) FROM reply") == count,
          "replies were lost or doubled")
    return {"stored": stored, "worked": worked,
            "bare": sum(bare) / len(bare)}


def probe(world, people, due):
    """A second, by the daemon's statements alone; spoils the database."""
    occurrence = instant(BEGIN).date() + datetime.timedelta(days=7)
    told = subprocess.run(
        [world.build / "tests/adherd-probe", world.dsn, str(people),
         f"{occurrence}T00:00:00Z",
         (instant(due) + datetime.timedelta(seconds=1)).isoformat()],
        text=True, stdout=subprocess.PIPE, check=True).stdout
    return people / (int(told) / 1e6)
