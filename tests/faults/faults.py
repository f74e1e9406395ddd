"""What tests of faults have in common: the test build with its crash points
(daemon/base/fault.h), cohorts of people who are due at once, and the words
for waiting.  BUILD names a build with -DADHERD_FAULTS; where it has none, the
one in BUILD/faults is taken."""

import atexit
import datetime
import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
if (pathlib.Path(__file__).resolve().parents[2] /
        os.environ.get("BUILD", "build") / "faults/adherd").exists():
    os.environ["BUILD"] = os.path.join(os.environ.get("BUILD", "build"),
                                       "faults")
from stack import (PSQL, Stack, Tap, build_folder, get_json,  # noqa: E402
                   consent, fill, in_time, patient,  # noqa: F401
                   prescription, wait_until)  # noqa: F401
from bad_provider import (ACCEPTED, DELIVERED, SENDING, SMS,  # noqa: E402
                          UNDELIVERED)
from fault_table import from_stack, record  # noqa: E402

SEED = int(os.environ.get("FAULT_SEED", random.randrange(1 << 30)))
KILLED = 137
EXHAUSTED = 70
# within the hours of a refill reminder that fell due at 10:00
MORNING = "2026-03-02T10:30:00+08:00"
LEASE_S, REQUEST_S, LOOK_S = 6, 1, 1
# what two cores that others use may add to a bound
BUSY_S = 1
SETTINGS = (f"lease = {LEASE_S}s\nrequest = {REQUEST_S}s\n"
            "ask-after = 1s\nclaim-max = 4\n")
# one request a message: its reference is then its own
SINGLY = "window = 4\nbatch = 1"
# nothing under way, nobody looked at again soon
OPEN = """SELECT (SELECT count(*) FROM batch) + (SELECT count(*) FROM delivery
WHERE state IN (1, 3, 5) OR (state = 6 AND settled_at IS NULL))"""
# how states may move, and what notes how they did
FORWARD = {SENDING: {ACCEPTED}, ACCEPTED: {DELIVERED, UNDELIVERED},
           DELIVERED: set(), UNDELIVERED: set()}
HISTORY = """
CREATE TABLE state_history (patient_id bigint, was smallint, state smallint,
  at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION state_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO state_history VALUES (NEW.patient_id, CASE TG_OP WHEN 'UPDATE'
    THEN OLD.state ELSE 0 END, NEW.state);
  RETURN NULL;
END $$;
CREATE TRIGGER state_note AFTER INSERT OR UPDATE OF state ON delivery_default
  FOR EACH ROW EXECUTE FUNCTION state_note();
"""
RECORD = struct.Struct("<56sQ")


def counts_path():
    """Where passages are counted: the suite's file, or one of our own."""
    if "FAULT_COUNTS" not in os.environ:
        path = build_folder() / f"counts.{os.getpid()}"
        atexit.register(path.unlink, missing_ok=True)
        os.environ["FAULT_COUNTS"] = str(path)
    return pathlib.Path(os.environ["FAULT_COUNTS"])


def read_counts(path=None):
    """{name of a point or a kind of call: how often}, of all processes."""
    data = (path or counts_path()).read_bytes()
    return {name.rstrip(b"\0").decode(): count
            for name, count in RECORD.iter_unpack(data)}


def arm(copy, point=None, nth=1, do="exit"):
    """From its next start on; None: it lives."""
    copy.environment = {**copy.environment, "FAULT_AT": (
        "" if point is None else f"{point}:{nth}"), "FAULT_DO": do}
    return copy


def died(copy):
    return copy.process.poll() is not None


def cohort(first, count, days=28):
    """People whose refill is to be spoken of this morning, at once."""
    found = []
    for number in range(first, first + count):
        found += [patient(number), consent(number), prescription(number),
                  fill(number, "2026-02-09", days)]
    return found


class FaultStack(Stack):
    """Short leases; people come in cohorts and are due when they come."""

    def __init__(self, copies=1, settings=SETTINGS, gateway_settings=SINGLY,
                 **options):
        counts_path()
        self.people = 0
        # receipts come back after 3, 15 and 30 s
        options.setdefault("sim_options", ("--retry-scale", "0.05"))
        super().__init__(MORNING, copies=copies, settings=settings,
                         gateway_settings=gateway_settings, **options)
        # who is imported before any copy ran is due, too
        moved_s = (datetime.datetime.fromisoformat(MORNING).timestamp()
                   - time.time())
        self.sql(f"INSERT INTO care_clock VALUES (true, {moved_s * 1e6:.0f})")

    def add_people(self, count, environment=None, days=28):
        """Import; the exit status.  With an environment it may die, and the
        same people come again at the next call."""
        path = self.folder / "people.json"
        path.write_text(json.dumps(
            {"resourceType": "Bundle", "type": "collection", "entry": [
                {"fullUrl": f"https://clinic.example/fhir/"
                 f"{r['resourceType']}/{r['id']}", "resource": r}
                for r in cohort(self.people + 1, count, days)]},
            ensure_ascii=False), encoding="utf-8")
        run = subprocess.run(
            [self.build / "adherctl", "-c", self.folder / "adherd-0.conf",
             "import", "fhir", "--source", "clinic", path], text=True,
            capture_output=True, check=False,
            env={**os.environ, **(environment or {})})
        if not environment:
            assert run.returncode == 0, run.stderr[-2000:]
            self.people += count
        return run.returncode

    def open_count(self):
        return self.number(OPEN)

    def reached(self):
        """How many people the provider has a message for."""
        return len({entry["address"] for entry in self.entries()})

    def receipts_given_up(self):
        """The provider's tries can all meet a copy that is down."""
        return get_json(f"{self.sim}/ledger/summary")["receipts_dropped"]

    def is_settled(self):
        """Every one of the people has a message, and all is over but what
        waits for a receipt that does not come any more, accepted or not
        known to be."""
        waiting = self.open_count()
        if waiting and waiting == self.number(
                "SELECT count(*) FROM delivery WHERE state IN (3, 6)"):
            waiting -= min(waiting, self.receipts_given_up())
        return (self.number("SELECT count(*) FROM delivery WHERE state <> 2")
                >= self.people and waiting == 0
                and self.number("SELECT count(*) FROM inbox WHERE state = 0 "
                                "AND type = 1") == 0)

    def wait_settled(self, limit_s=60):
        try:
            wait_until(self.is_settled, limit_s, "all is over")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.people} people; " + str(
                self.sql("SELECT state, code, count(*) FROM delivery "
                         "GROUP BY 1, 2"))) from error

    def check(self, lease_s=LEASE_S):
        """P1 to P4, and nobody forgotten."""
        report = self.check_ledger("--lease-s", str(lease_s), "--late-s",
                                   "30")
        assert self.reached() == self.people, (
            f"{self.reached()} of {self.people} were reached")
        return report


def stop_in_order(copy):
    """SIGTERM, and it says that it drained; one that was told before it said
    its first word had nothing to end."""
    status = copy.stop()
    silent = copy.log_path.stat().st_size == copy.log_begin
    assert status == 0 or (status == -signal.SIGTERM and silent), status


def cpu_s(copy):
    with open(f"/proc/{copy.process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def signalled(copy, number):
    copy.process.send_signal(number)


def psql(stack, user="postgres", **options):
    """A session of somebody else; the caller ends it."""
    dsn = stack.dsn.replace("user=adherd", f"user={user}")
    return subprocess.Popen(
        [PSQL, "-X", "-q", "-v", "ON_ERROR_STOP=0", "-d", dsn],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, text=True, **options)


class Rival:
    """A session that takes what the daemon needs."""

    def __init__(self, stack):
        self.session = psql(stack)

    def say(self, text):
        self.session.stdin.write(text + "\n")
        self.session.stdin.flush()

    def close(self):
        self.session.stdin.close()
        self.session.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def run_psql(stack, text, user="postgres"):
    dsn = stack.dsn.replace("user=adherd", f"user={user}")
    return subprocess.run(
        [PSQL, "-X", "-q", "-A", "-t", "-d", dsn, "-c", text], text=True,
        capture_output=True, check=False)


def tell(fault, what, stack, people, **more):
    record(fault, what, seed=SEED, **from_stack(stack, people), **more)


def recovers(stack, people, limit_s=60, channels=(SMS,), step="+1m"):
    """Whom the provider did not take is served once it is well, with nobody's
    help; retries wait minutes of care time."""
    end = time.monotonic() + limit_s
    for channel in channels:
        while stack.states(channel) != {DELIVERED: people}:
            assert time.monotonic() < end, (
                stack.states(channel), stack.codes(channel))
            stack.move_clock(step)
            time.sleep(0.5)
    stack.check_ledger()


def resident_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0])


def moves(stack):
    return [(int(was), int(state)) for was, state in stack.sql(
        "SELECT was, state FROM state_history WHERE was > 0 AND "
        "was <> state")]


def joined_late(stack):
    """How long after the answer was stored the receipt was."""
    return float(stack.sql(
        "SELECT max(extract(epoch FROM d.at - a.at)) FROM state_history a "
        f"JOIN state_history d USING (patient_id) WHERE a.state = {ACCEPTED} "
        f"AND d.state = {DELIVERED}")[0][0])


def now():
    return time.monotonic()


def main(tests):
    print(f"# seed {SEED}")
    return Tap().run([value for name, value in list(tests.items())
                      if name.startswith("test_")])
