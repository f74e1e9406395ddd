#!/usr/bin/env python3
"""The Chinese clinic through 120 days of a moved clock: prescriptions first,
the pharmacy's fills and the hospital's changes when they become known.  Every
message and every task of the daemon is one that the dry run of the same files
had printed, to the minute, and none is missing.  Then the same with the daemon
killed and the database crashed on the way.  CLINIC_DAYS changes the length."""

import concurrent.futures
import datetime
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from stack import CHINA, SAMPLES, Stack, Tap, get_json, wait_until  # noqa: E402

DAYS = int(os.environ.get("CLINIC_DAYS", 120))
# the daemon begins a day earlier: what was due before a dry run's first day
# counts as handled, and by then the daemon has handled it
FROM = datetime.datetime(2026, 3, 2, tzinfo=CHINA)
BEGIN = FROM - datetime.timedelta(days=1)
FILES = [SAMPLES / f"cn-{name}.json" for name in (
    "clinic-transaction", "pharmacy-batch", "hospital-update-transaction")]
CHANNELS = [None, "wechat_mini", "wechat_oa", "push", "sms"]
KINDS = [None, "dose", "refill", "renewal", "follow_up"]
STAGES = [None, "due", "-14d", "-7d", "-3d", "-1d", "0d", "+1d", "+7d", "+14d",
          "moved", "missed", "supply"]
# a second channel each for the loopback provider, who takes anything
MORE = "".join(f"""
[gateway "{name}"]
plugin = loopback
channel = {name}
url = SIM/loopback
plain-http = yes
callback-secret-file = FOLDER/callback
""" for name in CHANNELS[1:4])
REST = """SELECT (SELECT count(*) FROM batch)
  + (SELECT count(*) FROM delivery WHERE state IN (1, 3, 5, 6))
  + (SELECT count(*) FROM agenda WHERE next_at <= clock_timestamp()
     + (SELECT offset_us FROM care_clock) * interval '1 us')"""


class ClinicStack(Stack):
    """Every channel has a gateway."""

    def write_config(self, number):
        path = pathlib.Path(super().write_config(number))
        path.write_text(path.read_text(encoding="utf-8") + MORE.replace(
            "SIM", self.sim).replace("FOLDER", str(self.folder)),
            encoding="utf-8")
        return str(path)


def instant(text):
    return datetime.datetime.fromisoformat(text)


def minute(moment):
    return moment.astimezone(datetime.timezone.utc).strftime("%d.%m. %H:%M")


def known_at(entry):
    """When program.md 3 lets a fact be known; None: from the beginning."""
    resource = entry["resource"]
    if resource["resourceType"] == "MedicationDispense":
        text = resource.get("whenHandedOver")
    else:
        text = resource.get("meta", {}).get("lastUpdated")
    moment = instant(text) if text and "T" in text else None
    return moment if moment and moment >= FROM else None


def news():
    """What becomes known inside the window: instants in order."""
    found = set()
    for path in FILES:
        bundle = json.loads(path.read_text(encoding="utf-8"))
        found |= {known_at(entry) for entry in bundle["entry"]}
    return sorted(moment for moment in found if moment)


def import_known(stack, now):
    """Each file as far as it is known by now."""
    for path in FILES:
        bundle = json.loads(path.read_text(encoding="utf-8"))
        bundle["entry"] = [
            entry for entry in bundle["entry"]
            if (known_at(entry) or FROM) <= now]
        if not bundle["entry"]:
            continue
        # some entries are there to be refused
        part = stack.folder / path.name
        part.write_text(json.dumps(bundle, ensure_ascii=False),
                        encoding="utf-8")
        run = stack.ctl("import", "fhir", "--source", "clinic", part,
                        check=False)
        assert run.returncode in (0, 65), run.stderr


def dry_run(stack, begin, days):
    run = stack.ctl("plan", "--fhir", *FILES, "--from", f"{begin:%Y-%m-%d}",
                    "--days", str(days), "--json", check=False)
    assert run.returncode in (0, 65), run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def said_lines(lines):
    return sorted(
        (minute(instant(line["at"])), line["patient"], line["action"],
         line["kind"], line["stage"], line["channel"] or "",
         " ".join(line["items"]))
        for line in lines if line["action"] in ("send", "task"))


def names_of(stack):
    """Resource ids by patient and number."""
    return {
        (row[0], row[1], row[2]): row[3] for row in stack.sql(
            "SELECT p.source_id, 'MedicationRequest', prescription_no, "
            "r.source_id FROM prescription r JOIN patient p USING "
            "(bucket, patient_id) UNION ALL "
            "SELECT p.source_id, 'Appointment', follow_up_no, r.source_id "
            "FROM follow_up r JOIN patient p USING (bucket, patient_id)")}


def done_lines(stack):
    names = names_of(stack)
    found = []
    for action, rows in (
            ("send", stack.sql(
                "SELECT p.source_id, kind, stage, channel, planned_at, items "
                "FROM delivery JOIN patient p USING (bucket, patient_id) "
                f"WHERE state <> 2 AND due_at >= '{FROM}'")),
            ("task", stack.sql(
                "SELECT p.source_id, kind, stage, 0, created_at, items "
                "FROM task JOIN patient p USING (bucket, patient_id) "
                f"WHERE due_at >= '{FROM}'"))):
        for who, kind, stage, channel, at, items in rows:
            moment = instant(at + ":00" if at[-3] in "+-" else at)
            numbers = items.strip("{}").split(",")[::3]
            word = KINDS[int(kind)]
            what = ("Appointment" if word == "follow_up"
                    else "MedicationRequest")
            refs = list(dict.fromkeys(
                f"{what}/{names[who, what, no]}" for no in numbers))
            found.append((minute(moment), who, action, word,
                          STAGES[int(stage)], CHANNELS[int(channel)] or "",
                          " ".join(refs)))
    return sorted(found)


def walk(stack, instants, disturb):
    """Move the clock from one instant to the next; all rests at each."""
    last, lag = BEGIN, 1
    imports = set(news())
    for number, at in enumerate(instants):
        # what waits its two minutes waits them from when the first left
        lag = lag + 4 if at - last < datetime.timedelta(minutes=3) else 1
        last = at
        disturb(number)
        stack.move_clock((at + datetime.timedelta(seconds=lag)).isoformat())
        if at in imports:
            import_known(stack, at)
        wait_until(lambda: stack.number(REST) == 0, 60, f"rest at {at}")


def clinic(disturb):
    with ClinicStack(BEGIN.isoformat(),
                     settings="look = 20ms\nlease = 7s\nrequest = 2s\n"
                     "ask-after = 1s\n", gateway="loopback",
                     sim_options=("--receipt-delay-ms", "20")) as stack:
        lines = dry_run(stack, FROM, DAYS)
        stack.copies[0].start()
        import_known(stack, FROM)
        stack.wait_looked_at(30)
        end = FROM + datetime.timedelta(days=DAYS)
        # on the first day what is old waits its turn from eight o'clock on
        instants = sorted(
            {BEGIN.replace(hour=8, minute=m) for m in range(0, 12, 2)}
            | {instant(line["at"]) for line in dry_run(stack, BEGIN, 1)
               + lines} | {moment for moment in news() if moment < end})
        walk(stack, instants, lambda number: disturb(
            stack, number, len(instants)))
        said, done = said_lines(lines), done_lines(stack)
        missing = [line for line in said if line not in done]
        more = [line for line in done if line not in said]
        print(f"# {len(said)} lines of the dry run, {len(instants)} instants, "
              f"{len(stack.entries())} messages at the provider")
        for line in missing:
            print("# said, not done:", *line)
        for line in more:
            print("# done, not said:", *line)
        assert said and not missing and not more
        assert said == done, "something twice"
        twice = get_json(f"{stack.sim}/ledger/duplicates")["by_reference"]
        assert not twice, twice


def disturbed(stack, number, count):
    if number == count // 3:
        stack.copies[0].kill()
        stack.copies[0].start()
    if number == count // 2:
        stack.copies[0].stop()
        stack.copies[0].start()
    if number == 2 * count // 3:
        stack.cluster.crash()
        wait_until(stack.copies[0].ready, 30, "ready again")


# both spend their time waiting: side by side
POOL = concurrent.futures.ThreadPoolExecutor(2)
RUNS = [POOL.submit(clinic, way) for way in (lambda *_: None, disturbed)]


def test_every_message_of_120_days_is_the_one_that_the_dry_run_said():
    RUNS[0].result()


def test_the_same_with_the_daemon_killed_and_the_database_crashed():
    RUNS[1].result()


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
