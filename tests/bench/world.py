"""What a benchmark runs in: a cluster of its own, the sink as provider,
people with a dossier, and a copy of their database for each case, so that
every case begins from the same rows."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import postgres  # noqa: E402
from stack import (PSQL, WEBHOOK_CALLS, WEBHOOK_SIGNS, Stack,  # noqa: E402
                   build_folder, consent, fill, free_port, get_json,
                   patient, post, prescription, wait_until)

SOURCES = 1000          # people who come through the door; others are copies
CLUSTER = "-c shared_buffers=1GB -c max_wal_size=8GB -c random_page_cost=1.1"
# STATEMENTS=1: where PostgreSQL's time goes, waits included
STATEMENTS = bool(os.environ.get("STATEMENTS"))
if STATEMENTS:
    CLUSTER += " -c shared_preload_libraries=pg_stat_statements"
BEGIN = "2026-03-02T09:00:00+08:00"
HANDED_OVER = "2026-02-09"      # 28 days: the run-out is on 9 March
FIRST_DUE = "2026-03-02T10:00:00+08:00"     # a week before
DUE = "2026-03-06T10:00:00+08:00"           # three days before


def second(resource, number):
    """The same of another medicine."""
    text = json.dumps(resource, ensure_ascii=False)
    return json.loads(text.replace("C08CA01", "C09CA03").replace(
        f'"m{number}"', f'"n{number}"').replace(
        f'MedicationRequest/m{number}"', f'MedicationRequest/n{number}"'
        ).replace(f'"d{number}-', f'"e{number}-').replace(
        "氨氯地平片 5mg", "缬沙坦胶囊 80mg"))


def person(number):
    """2 prescriptions, 3 fills, 2 phones, 2 consents; due once a day."""
    who = patient(number)
    who["telecom"].append({"system": "sms", "rank": 2,
                           "value": f"+861991{number:07d}"})
    visits = consent(number, topics=("follow_up",))
    visits["id"] = f"v{number}"
    return [who, consent(number), visits, prescription(number),
            second(prescription(number), number),
            fill(number, "2026-01-12"), fill(number, HANDED_OVER),
            second(fill(number, HANDED_OVER), number)]


WARM = """
SELECT sum(pg_prewarm(c.oid::regclass)) FROM pg_class c
JOIN pg_class t ON t.oid = c.oid OR t.oid = (
  SELECT indrelid FROM pg_index WHERE indexrelid = c.oid)
WHERE t.relname ~ '^(agenda|dossier|contact_index|delivery)'
  AND t.relkind IN ('r', 'i') AND c.relkind IN ('r', 'i')"""


class Session:
    """psql that stays: a question costs no new process."""

    def __init__(self, dsn):
        self.process = subprocess.Popen(
            [PSQL, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d",
             dsn], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, text):
        self.process.stdin.write(f"{text};\n\\echo .\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == ".\n":
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"psql ended: {text}")

    def number(self, text):
        return int(self.ask(text)[0])

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class World(Stack):
    """Its provider is the sink; a second copy waits for its case."""

    def __init__(self):
        self.extra = ""         # settings of [adherd] for one case
        self.desk = False       # a hospital's own gateway calls back
        self.state_folder = None
        self.simulator = None
        assert (build_folder() / "adherd").exists(), "it is not built"
        super().__init__(BEGIN, copies=2, gateway="loopback",
                         cluster_options=CLUSTER,
                         gateway_settings="window = 64\nbatch = 1")
        self.sink = self.sim
        self.own_dsn = self.dsn

    def watch(self):
        """Nothing: a trigger on deliveries would be measured, too."""

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

    def reset(self, delay_ms, note=False):
        post(f"{self.sim}/reset?delay={delay_ms}&note={int(note)}", "")

    def open_arrivals(self):
        return urllib.request.urlopen(f"{self.sim}/arrivals", timeout=60)

    def write_config(self, number):
        """Each case remembers by itself: its database was copied before."""
        path = pathlib.Path(super().write_config(number))
        text = path.read_text(encoding="utf-8")
        if self.state_folder:
            text = text.replace(f"state-dir = {self.folder}\n",
                                f"state-dir = {self.state_folder}\n")
        text = text.replace('[gateway "sms"]', f"""{self.extra}
[gateway "sms"]""")
        if self.desk:
            text += self.desk_section()
        path.write_text(text, encoding="utf-8")
        return str(path)

    def desk_section(self):
        """Behind the gateway that sends: it only takes callbacks."""
        self.write_secret("signs", WEBHOOK_SIGNS)
        self.write_secret("calls", WEBHOOK_CALLS)
        return f"""[gateway "desk"]
plugin = webhook
channel = sms
url = {self.sim}/desk
plain-http = yes
signing-secret-file = {self.folder}/signs
verify-secret-file = {self.folder}/calls
callback-secret-file = {self.folder}/callback
"""

    # -- databases

    def dsn_of(self, name, user="adherd"):
        return re.sub(r"user=\S+", f"user={user}", re.sub(
            r"dbname=\S+", f"dbname={name}", self.own_dsn))

    def admin(self, text, database="postgres"):
        """As the cluster's superuser."""
        subprocess.run(
            [PSQL, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d",
             self.dsn_of(database, "postgres"),
             "-c", "SET client_min_messages = warning", "-c", text],
            check=True, stdout=subprocess.DEVNULL)

    def open_statements(self):
        """A session of the superuser's that counts from now on."""
        self.admin("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        session = Session(self.dsn_of("postgres", "postgres"))
        session.ask("SELECT pg_stat_statements_reset()")
        return session

    def point_at(self, dsn):
        """Where statements go from now on."""
        self.database.close()
        self.dsn = dsn
        self.database = postgres.Connections(dsn)

    def use_database(self, name):
        self.point_at(self.dsn_of(name))
        self.state_folder = self.folder / f"state-{name}"
        self.state_folder.mkdir(exist_ok=True)

    def copy_database(self, name, source):
        self.stop()
        self.database.close()       # nobody may be in what is copied
        self.admin(f'DROP DATABASE IF EXISTS "{name}"')
        shutil.rmtree(self.folder / f"state-{name}", ignore_errors=True)
        self.admin(f'CREATE DATABASE "{name}" TEMPLATE "{source}" '
                   "OWNER adherd STRATEGY file_copy")
        self.use_database(name)
        # a copy lies on the disk only, what it was copied from did not
        self.admin("CREATE EXTENSION IF NOT EXISTS pg_prewarm", name)
        self.admin(WARM, name)

    def vacuum(self):
        """As autovacuum does in time, or an operator at night."""
        tables = self.sql(
            "SELECT string_agg(oid::regclass::text, ', ') FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")[
                0][0]
        self.sql(f"VACUUM ANALYZE {tables}")

    def drop_database(self, name):
        self.admin(f'DROP DATABASE IF EXISTS "{name}"')

    # -- copies of the daemon

    def stop(self):
        for copy in self.copies:
            if copy.process and copy.process.poll() is None:
                copy.stop()

    def start(self, in_flight, per_request, copies=1, extra=""):
        """Started anew with these, so that memory is the case's own."""
        self.stop()
        self.gateway_settings = f"window = {in_flight}\nbatch = {per_request}"
        self.extra = extra
        for number, copy in enumerate(self.copies[:copies]):
            copy.config = self.write_config(number)
            copy.start()

    def running(self):
        return [copy for copy in self.copies
                if copy.process and copy.process.poll() is None]

    def count(self, metric):
        """Of all copies."""
        found = 0.0
        for copy in self.running():
            for line in copy.metrics().decode().splitlines():
                if line.startswith(f"{metric} "):
                    found += float(line.split()[1])
        return found

    def rest(self, people):
        """Until nobody is due and nothing is on its way."""
        wait_until(self.at_rest, 60 + people / 500, "nobody is due")

    # -- people

    def import_sources(self, count):
        """Through the real door, and looked at once."""
        # the first copy sets the clock that the import reads
        self.copies[0].start()
        begun = time.monotonic()
        found = []
        for number in range(1, count + 1):
            found += person(number)
        self.import_bundle("clinic", found)
        taken = time.monotonic() - begun
        self.wait_looked_at(60)
        self.ctl("maintain")    # the partitions of the next days
        self.stop()
        self.vacuum()
        print(f"# {count} people imported in {taken:.1f} s", flush=True)

    def multiply(self, sources, people, processes=1):
        """Copies of them, up to so many people.  What a backend needs to
        compile a dossier, in us."""
        if people <= sources:
            return None
        begun = time.monotonic()
        each = -(-(people - sources) // processes)
        running = [subprocess.Popen(
            [self.build / "tests/adherd-multiply", self.dsn,
             self.folder / "keyring", str(sources), str(first),
             str(min(first + each - 1, people))],
            stdout=subprocess.PIPE, text=True)
            for first in range(sources + 1, people + 1, each)]
        told = [run.communicate()[0] for run in running]
        assert all(run.returncode == 0 for run in running), told
        taken = time.monotonic() - begun
        self.vacuum()
        rebuild_us, took_us, load_us = map(float, told[0].split())
        print(f"# {people - sources} more in {taken:.0f} s: {load_us:.0f} us "
              f"a person to load, {took_us:.0f} to compile the dossier, of "
              f"that {rebuild_us:.0f} in the backend", flush=True)
        return rebuild_us

    # -- the provider simulator, for the gateway that signs

    def use_simulator(self):
        port = free_port()
        self.sim = f"http://127.0.0.1:{port}"
        self.gateway = "sms_aliyun"
        self.simulator = subprocess.Popen(
            [self.build / "tests/adherd-sim", "--port", str(port),
             "--templates", self.folder / "sim-templates.json",
             "--access-key-id", "key-id",
             "--access-key-secret-file", self.folder / "secret"],
            stdout=subprocess.DEVNULL)
        wait_until(self.sim_answers, 10, "the simulator answers")

    def use_sink(self):
        self.end_simulator()
        self.sim = self.sink
        self.gateway = "loopback"

    def end_simulator(self):
        if self.simulator:
            self.simulator.terminate()
            self.simulator.wait()
            self.simulator = None

    def close(self):
        self.end_simulator()
        self.dsn = self.own_dsn
        super().close()


def size(name, default):
    return int(os.environ.get(name, default))
