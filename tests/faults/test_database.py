#!/usr/bin/env python3
"""What happens to the database: crashed, away, failed over, hanging, full,
slow, behind a pooler, of another version (faults 10 to 18 and 20).  The seed
is printed first; FAULT_SEED repeats a run, FAULT_AWAY_S (30; the matrix says
600) is how long the database is away."""

import atexit
import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from fault_table import from_stack, record
from promises import alone
from faults import (BUSY_S, LEASE_S, PSQL, SEED, SETTINGS, FaultStack, Rival,
                    cpu_s, died, get_json, in_time, main, psql, run_psql,
                    signalled, wait_until)
import postgres
from cluster import Cluster

AWAY_S = int(os.environ.get("FAULT_AWAY_S", 30))
BIN = pathlib.Path(PSQL).parent
HEALTHY_S = 1
BACKOFF_S = 5  # the longest, with full jitter
UNIT_S = 15    # how long the daemon waits for an answer
CONFIGURATION = 78
# outcomes outlive what the database does in them
LONG = SETTINGS.replace(f"lease = {LEASE_S}s", "lease = 60s").replace(
    "request = 1s", "request = 5s").replace("claim-max = 4", "claim-max = 50")


def tell(fault, what, stack, lease_s=LEASE_S, **more):
    stack.check(lease_s)
    record(fault, what, seed=SEED, **from_stack(stack, stack.people), **more)


def superuser(stack, text):
    run = run_psql(stack, text)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def set_option(stack, name, value):
    """For the whole cluster; None: as it was.  Nothing waits for it."""
    superuser(stack, "ALTER SYSTEM " + (
        f"RESET {name}" if value is None else f"SET {name} = '{value}'"))
    superuser(stack, "SELECT pg_reload_conf()")


def ask(copy, path):
    """Status and how long it took."""
    start = time.monotonic()
    try:
        with urllib.request.urlopen(copy.admin + path, timeout=10) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status, time.monotonic() - start


class Health(threading.Thread):
    """Asks /-/healthy all the time; the slowest answer."""

    def __init__(self, copy):
        super().__init__(daemon=True)
        self.copy = copy
        self.over = threading.Event()
        self.worst_s = 0
        self.failed = []

    def run(self):
        while not self.over.wait(0.2):
            try:
                status, took = ask(self.copy, "/-/healthy")
                self.worst_s = max(self.worst_s, took)
                if status != 200:
                    self.failed.append(status)
            except OSError as error:
                self.failed.append(error)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def check(self):
        assert not self.failed, self.failed[:3]
        in_time(self.worst_s, HEALTHY_S + BUSY_S, "/-/healthy")


# ---- 10: crashes, and a COMMIT without an answer ----

def test_fault_10_database_crashes_among_due_messages():
    chance = random.Random(SEED + 1)
    with FaultStack(settings=SETTINGS.replace(
            "claim-max = 4", "claim-max = 50")) as stack:
        stack.fault(fault="delay", ms=15)
        stack.add_people(1000)
        stack.copies[0].start()
        with alone(stack):
            for _ in range(5):
                time.sleep(chance.uniform(0.1, 1))
                stack.cluster.crash()
            stack.wait_settled(120)
        assert stack.copies[0].process.poll() is None
        tell(10, "pg_ctl stop -m immediate, start", stack, runs=5)


def commit_hangs(stack):
    """The checkpointer tells the backends, when it comes to it."""
    commit = subprocess.Popen(
        [PSQL, "-X", "-q", "-d",
         stack.dsn.replace("user=adherd", "user=postgres"),
         "-c", "SELECT pg_logical_emit_message(true, 'a', 'b')"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while commit.poll() is None:
        if superuser(stack, "SELECT count(*) FROM pg_stat_activity WHERE "
                     "wait_event = 'SyncRep'") != "0":
            return True
        time.sleep(0.02)
    return False


@contextlib.contextmanager
def commits_hang(stack):
    """Each COMMIT waits for a standby that is not there."""
    set_option(stack, "synchronous_standby_names", "x")
    try:
        wait_until(lambda: commit_hangs(stack), 20, "a COMMIT hangs")
        yield
    finally:
        set_option(stack, "synchronous_standby_names", None)


def waiting_commits(stack):
    return int(superuser(
        stack, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
        "'SyncRep' AND application_name = 'adherd claim'"))


def test_fault_10_a_commit_in_doubt_is_read_back_before_anything_is_sent():
    with FaultStack(settings=LONG) as stack:
        copy = stack.copies[0].start()
        signalled(copy, signal.SIGSTOP)
        stack.add_people(20)
        with commits_hang(stack):
            signalled(copy, signal.SIGCONT)
            wait_until(lambda: waiting_commits(stack), 20, "it commits")
            assert stack.number("SELECT count(*) FROM delivery") == 0
            stack.cluster.crash()
        stack.wait_settled(30)
        assert "worker.commit_in_doubt" in copy.log_text()
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE repeated") == 0
        assert len(stack.entries()) == 20
        tell(10, "crash in a COMMIT", stack, 60)


def test_fault_10_doubt_while_the_database_is_away_is_no_busy_loop():
    with FaultStack(settings=LONG) as stack:
        copy = stack.copies[0].start()
        signalled(copy, signal.SIGSTOP)
        stack.add_people(8)
        with commits_hang(stack):
            signalled(copy, signal.SIGCONT)
            wait_until(lambda: waiting_commits(stack), 20, "it commits")
            stack.cluster.run("stop", "immediate")
            wait_until(lambda: "worker.commit_in_doubt" in copy.log_text(),
                       20, "it is in doubt")
            before, start = cpu_s(copy), time.monotonic()
            time.sleep(4)
            share = (cpu_s(copy) - before) / (time.monotonic() - start)
            stack.cluster.run("start")
        print(f"# {share:.0%} of a core")
        assert share < 0.1, f"{share:.0%} of a core"
        stack.wait_settled(90)
        tell(10, "in doubt, and away", stack, 60)


# ---- 11: away ----

class Refuser:
    """Sits where the database was, counts who knocks, and hangs up."""

    def __init__(self, stack):
        self.path = pathlib.Path(stack.cluster.folder,
                                 "run/.s.PGSQL.5432")
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen(100)
        self.count = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                self.socket.accept()[0].close()
                self.count += 1
            except OSError:
                return

    def close(self):
        # so that accept() ends, too
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()
        self.path.unlink(missing_ok=True)


def test_fault_11_database_away():
    with FaultStack(settings=LONG) as stack:
        copy = stack.copies[0]
        stack.fault(fault="delay", ms=1500)
        copy.start()
        sessions = stack.number(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name "
            "LIKE 'adherd %'")
        stack.add_people(40)
        wait_until(lambda: len(stack.entries()) >= 4, 20, "under way")
        stack.cluster.run("stop", "fast")
        refuser = Refuser(stack)
        away_at = time.monotonic()
        with Health(copy) as health:
            wait_until(lambda: ask(copy, "/-/ready")[0] == 503, 5, "not ready")
            worst = 0
            while time.monotonic() < away_at + AWAY_S:
                status, took = ask(copy, "/-/ready")
                assert status == 503, status
                worst = max(worst, took)
                time.sleep(0.5)
            refuser.close()
            stack.cluster.run("start")
            wait_until(copy.ready, BACKOFF_S * 2 + 5, "ready again")
        health.check()
        in_time(worst, HEALTHY_S + BUSY_S, "/-/ready")
        # full jitter below a bound that doubles: few at once, then one in
        # half the bound on the average
        most = sessions * (8 + 3 * AWAY_S / BACKOFF_S)
        print(f"# {refuser.count} connects of {sessions} sessions in "
              f"{AWAY_S} s, at most {most:.0f}")
        assert 0 < refuser.count < most, refuser.count
        answers = {entry["status"] for entry in get_json(
            f"{stack.sim}/callbacks?since=0&limit=1000")["callbacks"]}
        assert 503 in answers, answers
        stack.wait_settled(90)
        assert "batch.taken_over" not in copy.log_text(), "an outcome was lost"
        assert copy.process.poll() is None
        tell(11, f"database away for {AWAY_S} s (600)", stack, 60,
             worst_s=max(health.worst_s, worst), bound_s=HEALTHY_S + BUSY_S)


# ---- 12: fail-over ----

class Standby:
    """Streams from the cluster; lives in its folder, on another port."""

    def __init__(self, cluster):
        self.run_folder = pathlib.Path(cluster.folder, "run")
        self.data = pathlib.Path(cluster.folder, "standby")
        self.data.mkdir(mode=0o700)
        owner = self.run_folder.stat()
        os.chown(self.data, owner.st_uid, owner.st_gid)
        self.owner = owner
        self.call("pg_basebackup", "-h", self.run_folder, "-U", "postgres",
                  "-D", self.data, "-R", "-c", "fast", "-X", "stream")
        self.call("pg_ctl", "-D", self.data, "-s", "-w", "-o", "-p 5433",
                  "-l", self.data / "start.log", "start")

    def call(self, program, *words):
        command = [BIN / program, *words]
        if os.getuid() == 0:
            command = ["setpriv", f"--reuid={self.owner.st_uid}",
                       f"--regid={self.owner.st_gid}", "--clear-groups",
                       "--", *command]
        subprocess.run([str(word) for word in command], check=True, cwd="/",
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def promote(self):
        self.call("pg_ctl", "-D", self.data, "-s", "-w", "promote")

    def close(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.call("pg_ctl", "-D", self.data, "-s", "-m", "immediate",
                      "stop")
        shutil.rmtree(self.data, ignore_errors=True)


class FailoverStack(FaultStack):
    """Everybody knows both servers and wants the one that can be written."""

    def write_config(self, number):
        path = pathlib.Path(super().write_config(number))
        text = path.read_text(encoding="utf-8")
        run = pathlib.Path(self.cluster.folder, "run")
        path.write_text(text.replace(
            f"database = {self.dsn}",
            f"database = host={run},{run} port=5432,5433 dbname=adherd "
            "user=adherd target_session_attrs=read-write"), encoding="utf-8")
        return str(path)

    def follow(self):
        """Our own looks go to the new server, too."""
        self.dsn += " port=5433"
        self.database = postgres.Connections(self.dsn)


def test_fault_12_fail_over_to_a_synchronous_standby_loses_nothing():
    with FailoverStack(settings=SETTINGS.replace(
            "claim-max = 4", "claim-max = 20")) as stack:
        copy = stack.copies[0]
        standby = Standby(stack.cluster)
        try:
            set_option(stack, "synchronous_standby_names", "*")
            wait_until(lambda: superuser(
                stack, "SELECT count(*) FROM pg_stat_replication WHERE "
                "sync_state = 'sync'") == "1", 20, "it streams")
            stack.fault(fault="delay", ms=30)
            copy.start()
            stack.add_people(300)
            wait_until(lambda: len(stack.entries()) > 40, 20, "under load")
            stack.cluster.run("stop", "immediate")
            start = time.monotonic()
            # the standby stands for itself from now on
            standby.promote()
            stack.follow()
            set_option(stack, "synchronous_standby_names", None)
            wait_until(copy.ready, 30, "ready on the other server")
            took = time.monotonic() - start
            stack.wait_settled(90)
            assert copy.process.poll() is None
            tell(12, "fail-over, synchronous", stack, worst_s=took,
                 bound_s=2 * BACKOFF_S + 5)
        finally:
            standby.close()


# ---- 13: COMMIT hangs ----

def test_fault_13_a_hanging_commit_is_ended_and_read_back():
    with FaultStack(settings=LONG) as stack:
        copy = stack.copies[0].start()
        signalled(copy, signal.SIGSTOP)
        stack.add_people(20)
        with commits_hang(stack):
            signalled(copy, signal.SIGCONT)
            start = time.monotonic()
            wait_until(lambda: waiting_commits(stack), 20, "it commits")
            with Health(copy) as health:
                # it gives the session up, ends it, and reads back: the rows
                # are there, so its messages leave though the standby is away
                wait_until(lambda: stack.reached() > 0,
                           UNIT_S + BACKOFF_S + 10, "its deadline")
                took = time.monotonic() - start
            health.check()
            assert "worker.commit_in_doubt" in copy.log_text()
        stack.wait_settled(90)
        assert len(stack.entries()) == 20
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE repeated") == 0
        tell(13, "COMMIT hangs", stack, 60, worst_s=took,
             bound_s=UNIT_S + BACKOFF_S + 10)


# ---- 14, 15: sessions killed, conflicts ----

def test_fault_14_sessions_killed_each_second():
    with FaultStack(settings=SETTINGS.replace(
            "claim-max = 4", "claim-max = 20")) as stack:
        copy = stack.copies[0]
        stack.fault(fault="delay", ms=30)
        stack.add_people(600)
        copy.start()
        runs, before = 0, 0
        while stack.reached() < stack.people:
            killed = superuser(
                stack, "SELECT count(pg_terminate_backend(pid)) FROM "
                "pg_stat_activity WHERE application_name LIKE 'adherd %'")
            runs += int(killed)
            time.sleep(1)
            if runs % 15 == 0:
                assert stack.reached() > before, "no progress"
                before = stack.reached()
            assert runs < 300, "no end"
        with alone(stack):
            stack.wait_settled(60)
        assert runs > 0
        tell(14, "sessions killed each second", stack, runs=runs)


def sqlstates(copy):
    return {word.split("=", 1)[1] for line in copy.log_text().splitlines()
            for word in line.split() if word.startswith("sqlstate=")}


def waits_for_a_lock(stack):
    return int(superuser(
        stack, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type "
        "= 'Lock' AND application_name LIKE 'adherd %'"))


def test_fault_15_deadlocks():
    with FaultStack(settings=LONG) as stack:
        copy = stack.copies[0].start()
        stack.fault(fault="receipts_late", ms=2500)
        stack.add_people(6)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 3") == 6, 20,
            "all are accepted")
        with Rival(stack) as rival:
            # delivery first, then agenda, and patient enough to win
            rival.say("SET deadlock_timeout = '20s'; BEGIN; SELECT FROM "
                      "delivery FOR UPDATE;")
            wait_until(lambda: waits_for_a_lock(stack), 20, "it waits")
            rival.say("SELECT FROM agenda FOR UPDATE;")
            wait_until(lambda: "40P01" in sqlstates(copy), 20, "a deadlock")
            # others go on meanwhile
            start = time.monotonic()
            stack.add_people(4)
            wait_until(lambda: stack.reached() == stack.people, 20,
                       "others are served")
            took = time.monotonic() - start
            rival.say("COMMIT;")
        stack.wait_settled(60)
        print(f"# sqlstates {sorted(sqlstates(copy))}")
        assert copy.process.poll() is None
        tell(15, "deadlock", stack, 60, worst_s=took,
             bound_s=5 + BUSY_S)


@contextlib.contextmanager
def row_held(stack, table):
    """Somebody holds the row of one person, in the middle."""
    with Rival(stack) as rival:
        rival.say(f"BEGIN; SELECT FROM {table} WHERE (bucket, patient_id) = "
                  "(SELECT bucket, patient_id FROM delivery ORDER BY 1, 2 "
                  "LIMIT 1 OFFSET 20) FOR UPDATE;")
        yield
        rival.say("COMMIT;")


def wait_deliveries(stack, condition, count, limit_s, what):
    wait_until(lambda: stack.number(
        f"SELECT count(*) FROM delivery WHERE {condition}") == count,
        limit_s, what)


def test_fault_15_a_locked_row_times_out_and_holds_up_no_other_outcome():
    people, recorded = 40, "state <> 1"
    with FaultStack(settings=LONG,
                    gateway_settings="window = 64\nbatch = 1") as stack:
        copy = stack.copies[0].start()
        stack.fault(fault="delay", ms=1500)
        stack.add_people(people)
        wait_deliveries(stack, "state = 1", people, 20, "all are on their way")
        with row_held(stack, "delivery"):
            start = time.monotonic()
            wait_deliveries(stack, recorded, people - 1, 40, "all others")
            took = time.monotonic() - start
            wait_until(lambda: "55P03" in sqlstates(copy), 20,
                       "who waits for the row gives up")
            # its round is not over: a death now would still be noticed
            assert stack.number("SELECT count(*) FROM batch") >= 1
            # and who comes now does not wait behind it
            stack.add_people(3)
            wait_deliveries(stack, recorded, people + 2, 10, "those later")
        stack.wait_settled(60)
        assert stack.number("SELECT count(*) FROM batch") == 0
        # halved six times, two seconds each
        tell(15, "one row locked: others' outcomes", stack, 60,
             worst_s=took, bound_s=20 + BUSY_S)


def test_fault_15_a_locked_row_holds_up_no_other_receipt():
    people, delivered = 40, "state = 7"
    with FaultStack(settings=LONG,
                    gateway_settings="window = 64\nbatch = 1") as stack:
        stack.copies[0].start()
        stack.fault(fault="receipts_late", ms=3000)
        stack.add_people(people)
        wait_deliveries(stack, "state = 3", people, 20, "all are accepted")
        with row_held(stack, "agenda"):
            start = time.monotonic()
            wait_deliveries(stack, delivered, people - 1, 40, "all others")
            took = time.monotonic() - start
            stack.fault(fault="receipts_late", ms=0)
            stack.add_people(3)
            wait_deliveries(stack, delivered, people + 2, 20, "those later")
        wait_deliveries(stack, delivered, people + 3, 40, "the one at last")
        tell(15, "one row locked: others' receipts", stack, 60,
             worst_s=took, bound_s=5 + BUSY_S)


def test_fault_15_serialization_failures():
    with FaultStack(copies=2, settings=LONG) as stack:
        # the daemon's own sessions do not look there, those of a test do
        os.environ["PGOPTIONS"] = (
            "-c default_transaction_isolation=read\\ committed")
        try:
            superuser(stack, "ALTER DATABASE adherd SET "
                      "default_transaction_isolation = 'serializable'")
            stack.fault(fault="delay", ms=15)
            stack.add_people(200)
            for copy in stack.copies:
                copy.start()
            stack.wait_settled(90)
            found = set().union(*map(sqlstates, stack.copies))
            print(f"# sqlstates {sorted(found)}")
            assert "40001" in found, found
            tell(15, "serialization failures", stack, 60)
        finally:
            del os.environ["PGOPTIONS"]


# ---- 16: full ----

class FullStack(FaultStack):
    """The data directory is a small disk of its own."""

    def __init__(self, **options):
        self.disk = None
        super().__init__(**options)

    def make_cluster(self, options):
        base = pathlib.Path(self.cluster_folder())
        base.mkdir(mode=0o711)
        (base / "made-by").write_text("adherd local-cluster 1\n",
                                      encoding="utf-8")
        disk = base / "data"
        disk.mkdir(mode=0o700)
        shutil.chown(disk, "postgres", "postgres")
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        "size=64m,mode=0700,uid=postgres,gid=postgres",
                        "tmpfs", disk], check=True)
        self.disk = disk
        atexit.register(self.unmount)   # where no stack comes of it
        return Cluster(self.cluster_folder(), options)

    def unmount(self):
        if self.disk:
            subprocess.run(["umount", "-l", self.disk], check=True)
            self.disk = None

    def is_settled(self):
        """A server that recovers while room is made may still give up."""
        try:
            return super().is_settled()
        except RuntimeError:
            self.cluster.run("start")
            return False

    def close(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.cluster.run("stop", "immediate")
        self.unmount()
        super().close()


def may_mount():
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        here = pathlib.Path("/tmp", f"adherd-mount.{os.getpid()}")
        here.mkdir()
        try:
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", here], check=True,
                           stderr=subprocess.DEVNULL)
            subprocess.run(["umount", here], check=True)
            return True
        finally:
            here.rmdir()
    return False


def test_fault_16_disk_full():
    if not may_mount():
        print("# skip: mount is not permitted here")
        return
    with FullStack(settings=LONG) as stack:
        copy = stack.copies[0]
        stack.fault(fault="delay", ms=100)
        stack.add_people(400)
        copy.start()
        wait_until(lambda: len(stack.entries()) > 20, 20, "under load")
        ballast = stack.disk / "ballast"
        with contextlib.suppress(OSError), open(ballast, "wb") as out:
            while True:
                out.write(bytes(8192))
                out.flush()

        def is_full():
            return "53100" in copy.log_text() or not copy_ready(copy)

        # pages and WAL still have some room: fill it
        with contextlib.suppress(RuntimeError):
            for _ in range(200):
                if is_full():
                    break
                stack.sql("CREATE TABLE IF NOT EXISTS filler AS SELECT "
                          "repeat('x', 900) AS x FROM generate_series(1, 999)")
                stack.sql("INSERT INTO filler SELECT x FROM filler LIMIT 900")
        # long enough for a round to be halved to one person, were it not
        # known that this passes
        before = copy.log_text().count("worker.round_failed")
        time.sleep(8)
        failed = copy.log_text().count("worker.round_failed") - before
        print(f"# sqlstates {sorted(sqlstates(copy))}, rounds failed {failed}")
        assert failed <= 50, "one every 200 ms, however many wait"
        assert "worker.set_aside" not in copy.log_text()
        ballast.unlink()
        stack.cluster.run("start")  # where it gave up altogether
        wait_until(copy.ready, 30, "ready again")
        stack.wait_settled(120)
        assert copy.process.poll() is None
        tell(16, "64 MB disk full", stack, 60)


def copy_ready(copy):
    return ask(copy, "/-/ready")[0] == 200


REFUSE = """CREATE FUNCTION refuse_full() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END$$;
CREATE TRIGGER refuse_new BEFORE INSERT ON delivery
  FOR EACH ROW EXECUTE FUNCTION refuse_full();
CREATE TRIGGER refuse_receipt BEFORE UPDATE ON delivery
  FOR EACH ROW WHEN (NEW.state = 7) EXECUTE FUNCTION refuse_full();
CREATE TRIGGER refuse_event BEFORE INSERT ON inbox
  FOR EACH ROW EXECUTE FUNCTION refuse_full()"""


def test_fault_16_what_a_full_disk_refuses_is_nobodys_fault():
    """Only what grows is refused: a person who is set aside, or a receipt
    that is given up, would find room to be written.  Enough failures for
    either to be found alone."""
    people, failures = 12, 12
    with FaultStack(settings=LONG) as stack:
        copy = stack.copies[0].start()
        superuser(stack, REFUSE)
        stack.add_people(people)
        wait_until(lambda: copy.log_text().count("worker.round_failed")
                   >= failures, 60, "rounds fail")
        assert "worker.set_aside" not in copy.log_text()
        assert stack.number(
            "SELECT count(*) FROM agenda WHERE deaths > 0") == 0
        superuser(stack, "DROP TRIGGER refuse_new ON delivery")
        wait_until(lambda: "inbox.store_failed" in copy.log_text(), 30,
                   "no receipt can be kept")
        assert stack.number("SELECT count(*) FROM inbox") == 0
        superuser(stack, "DROP TRIGGER refuse_event ON inbox")
        wait_until(lambda: copy.log_text().count("inbox.work_failed")
                   >= failures, 60, "receipts cannot be worked on")
        # new, every one of them
        assert stack.number("SELECT count(*) FROM inbox WHERE state <> 0") == 0
        assert sqlstates(copy) == {"53100"}, sqlstates(copy)
        superuser(stack, "DROP TRIGGER refuse_receipt ON delivery")
        stack.wait_settled(90)
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE state = 7") == people
        tell(16, "53100 of each write that grows", stack, 60)


# ---- tables that grow under a plan ----

# so that a plan by index is the best for all days but the empty ones
EARLIER_DAYS = """INSERT INTO delivery (bucket, patient_id, occurrence_on, kind,
  source, slot, channel, tenant_id, stage, state, reason, items, due_at,
  valid_until, planned_at)
SELECT 1, n, '2026-01-01', 2, 1, 3, 0, 1, 3, 2, 11, '{1,2,3}', now(), now(),
  now()
FROM generate_series(1, 20000) n"""


def test_plan_made_for_an_empty_day_is_not_kept_while_it_fills():
    """A night's VACUUM, a message about another day, and then the many: by
    the plan of the first each outcome and each receipt would read the whole
    day, until autovacuum comes by."""
    people = 6000
    with FaultStack(settings=LONG.replace("claim-max = 50", "partition = day"),
                    gateway_settings="window = 64\nbatch = 1") as stack:
        set_option(stack, "autovacuum", "off")
        stack.ctl("maintain")
        superuser(stack, EARLIER_DAYS)
        superuser(stack, "VACUUM ANALYZE delivery")
        stack.copies[0].start()
        stack.add_people(1, days=27)
        stack.wait_settled()
        stack.add_people(people)
        stack.wait_settled(300)
        time.sleep(2)   # backends tell what they did once a second
        read = stack.number("SELECT sum(seq_tup_read) FROM pg_stat_user_tables"
                            " WHERE relname LIKE 'delivery_2%'")
        print(f"# {read} rows read in sequence")
        assert read < people * 500, read
        stack.check(60)


# ---- 17: slow ----

def test_fault_17_a_frozen_backend():
    with FaultStack(settings=LONG) as stack:
        copy = stack.copies[0]
        stack.fault(fault="delay", ms=50)
        copy.start()
        stack.add_people(50)
        wait_until(lambda: len(stack.entries()) > 5, 20, "under load")
        pids = [int(pid) for pid in superuser(
            stack, "SELECT pid FROM pg_stat_activity WHERE application_name "
            "IN ('adherd claim', 'adherd write')").split()]
        assert len(pids) == 2, pids
        with Health(copy) as health:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                start = time.monotonic()
                wait_until(lambda: "sqlstate=timeout" in copy.log_text(),
                           UNIT_S + 5, "its deadline")
                took = time.monotonic() - start
                time.sleep(max(0, 20 - took))
            finally:
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
        health.check()
        stack.wait_settled(120)
        print(f"# given up after {took:.1f} s")
        tell(17, "backends frozen for 20 s", stack, 60,
             worst_s=health.worst_s, bound_s=HEALTHY_S + BUSY_S)


# ---- 18: a pooler ----

class Pooler:
    """pgbouncer before the cluster."""

    def __init__(self, stack, more):
        self.folder = stack.folder / "pooler"
        self.folder.mkdir(mode=0o777)
        self.folder.chmod(0o777)
        run = pathlib.Path(stack.cluster.folder, "run")
        settings = self.folder / "pgbouncer.ini"
        (self.folder / "users").write_text('"adherd" ""\n', encoding="utf-8")
        settings.write_text(f"""[databases]
adherd = host={run} port=5432 dbname=adherd user=adherd
[pgbouncer]
unix_socket_dir = {self.folder}
listen_port = 6432
auth_type = any
auth_file = {self.folder}/users
pool_mode = transaction
{more}
""", encoding="utf-8")
        # the socket's folder lets nobody else in
        command = ["pgbouncer", str(settings)]
        if os.getuid() == 0:
            command[1:1] = ["-u", "postgres"]
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            # pylint: disable-next=consider-using-with
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until((self.folder / ".s.PGSQL.6432").exists, 10, "it listens")

    @property
    def dsn(self):
        return f"host={self.folder} port=6432 dbname=adherd user=adherd"

    def close(self):
        self.process.terminate()
        self.process.wait()


def refused_at_start(stack, dsn, *words):
    """78 and one line that says so."""
    copy = stack.copies[0]
    path = pathlib.Path(copy.config)
    path.write_text(path.read_text(encoding="utf-8").replace(
        f"database = {stack.dsn}", f"database = {dsn}"), encoding="utf-8")
    copy.start(wait=False)
    wait_until(lambda: died(copy), 20, "it refuses")
    assert copy.process.returncode == CONFIGURATION, copy.process.returncode
    last = copy.log_text().splitlines()[-1]
    for word in words:
        assert word in last, last
    return last


def pooler_is_refused(more):
    with FaultStack() as stack:
        pooler = Pooler(stack, more)
        try:
            print("# " + refused_at_start(stack, pooler.dsn, "pooler"))
        finally:
            pooler.close()
        record(18, f"pgbouncer in transaction mode{' ' + more[:6]}".strip(),
               seed=SEED)


def test_fault_18_a_pooler_that_knows_no_options_is_refused_at_start():
    pooler_is_refused("")


def test_fault_18_a_pooler_that_ignores_them_is_refused_at_start():
    pooler_is_refused("ignore_startup_parameters = options")


# ---- 20: another schema ----

def test_fault_20_an_older_schema_is_refused():
    with FaultStack() as stack:
        superuser(stack, "CREATE DATABASE old OWNER adherd")
        dsn = stack.dsn.replace("dbname=adherd", "dbname=old")
        print("# " + refused_at_start(
            stack, dsn, "schema 0", "serves 1", "adherctl migrate"))
        record(20, "schema older", seed=SEED)


def test_fault_20_a_newer_schema_is_refused():
    with FaultStack() as stack:
        stack.sql("UPDATE schema_migration SET number = number + 1")
        print("# " + refused_at_start(
            stack, stack.dsn, "schema 2", "serves 1", "same version"))
        record(20, "schema newer", seed=SEED)


def test_fault_20_a_schema_with_a_newer_table_is_refused():
    with FaultStack() as stack:
        stack.sql("UPDATE schema_migration SET number = number + 1")
        stack.sql("ALTER TABLE agenda RENAME next_at TO due_at")
        print("# " + refused_at_start(
            stack, stack.dsn, "schema 2", "serves 1", "same version"))
        record(20, "schema newer, other columns", seed=SEED)


if __name__ == "__main__":
    sys.exit(main(globals()))
