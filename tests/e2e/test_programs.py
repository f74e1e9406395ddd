#!/usr/bin/env python3
"""Programs as data: documents are checked, stored in versions, shown; what a
change would change is shown beforehand; the daemon obeys what is stored."""

import json
import os
import re
import select
import socket
import subprocess
import tempfile
import threading
import time

from stack import (SAMPLES, Stack, build_folder, in_time, refill_patients,
                   wait_until)
from support import equal, main

QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
CLINIC = SAMPLES / "cn-clinic-transaction.json"
REFILL = SAMPLES / "program-refill.json"
CLASSES = SAMPLES / "program-classes.json"
AMLODIPINE = "http://www.whocc.no/atc|C08CA01"


def offline(*words):
    """adherctl without configuration: status, output, errors."""
    run = subprocess.run([build_folder() / "adherctl", *map(str, words)],
                         text=True, capture_output=True, check=False,
                         timeout=60)
    return run.returncode, run.stdout, run.stderr


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


class Folder:
    """Files of rules, made for a test."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="adherd-rules.")
        self.path = self.folder.name

    def write(self, name, document):
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(document if isinstance(document, str)
                      else json.dumps(document))
        return path


def refill(**settings):
    return {"kind": "refill", "settings": settings}


# ---- files ----

def test_good_rules_are_called_good():
    for path in (REFILL, CLASSES):
        status, out, err = offline("program", "check", path)
        equal((status, err), (0, ""))
        assert "good" in out
    equal(offline("program", "check", REFILL, CLASSES)[0], 0)


def test_what_is_wrong_is_named_with_file_and_place():
    files = Folder()
    bad = files.write("bad.json", [refill(time="10:00"), refill(
        stages=["-7d", "-3d", "-5d"])])
    status, _, err = offline("program", "check", bad)
    equal(status, 65)
    assert f"{bad}[1]: " in err, err
    bad = files.write("bad.json", refill(stages=["-7d", "-3d", "-5d"]))
    status, _, err = offline("program", "check", bad)
    equal(status, 65)
    assert f"{bad}: settings.stages[2]: " in err, err
    status, _, err = offline("program", "check", files.write(
        "bad.json", '{"kind":\n'))
    equal(status, 65)
    assert re.search(r"bad\.json:\d+: ", err), err
    equal(offline("program", "check", files.path + "/none")[0], 66)
    equal(offline("program", "check")[0], 64)
    equal(offline("program", "show", "refills", "--default")[0], 64)


def test_a_folder_of_files_is_read_by_name():
    files = Folder()
    files.write("1.json", refill(time="11:00"))
    files.write("2.json", {"kind": "dose", "settings": {}})
    files.write("notes.txt", "no rules")
    status, out, _ = offline("program", "check", files.path)
    equal((status, len(out.splitlines())), (0, 2))
    files.write("3.json", refill(time="12:00"))
    status, _, err = offline("program", "check", files.path)
    equal(status, 65)
    assert "3.json: a second document" in err, err


def test_what_holds_no_rules_is_not_called_good():
    files = Folder()
    for text, told in (("[]", "an array without a document"),
                       ("[[]]", "not an object"), ("7", "not an object"),
                       ("null", "not an object")):
        path = files.write("r.json", text)
        status, out, err = offline("program", "check", path)
        equal((status, out), (65, ""))
        assert err.startswith(f"adherctl: {path}") and told in err, err


def test_what_is_no_file_is_not_waited_for():
    files = Folder()
    files.write("1.json", refill(time="11:00"))
    os.mkfifo(files.path + "/2.json")
    status, _, err = offline("program", "check", files.path)
    equal((status, err),
          (65, f"adherctl: {files.path}/2.json: not a regular file\n"))


def test_what_is_shown_as_json_can_be_stored_again():
    files = Folder()
    for kind in ("dose", "refill", "renewal", "follow_up", "all"):
        status, out, _ = offline("program", "show", kind, "--default",
                                 "--json")
        equal(status, 0)
        equal(json.loads(out)["kind"], kind)
        equal(offline("program", "check", files.write(
            f"{kind}.json", out))[0], 0)
    window = ("--fhir", CLINIC, "--from", "2026-03-01", "--days", "60")
    equal(offline("plan", "--diff", "default", files.path, *window)[:2],
          (0, ""))


# ---- what a change would change ----

WINDOW = ("--fhir", CLINIC, "--from", "2026-03-01", "--days", "40")


def plan(*words):
    status, out, err = offline("plan", *WINDOW, "--json", *words)
    equal((status, err), (0, ""))
    return lines(out)


def test_the_dry_run_goes_by_other_rules():
    files = Folder()
    rules = files.write("r.json", refill(
        stages=["-10d", "-2d"], task="+5d", time="09:30"))
    before, after = plan(), plan("--program", rules)
    equal({x["stage"] for x in after if x["kind"] == "refill"} - {"supply"},
          {"-10d", "-2d", "+5d"} &
          {x["stage"] for x in after if x["kind"] == "refill"})
    assert any(x["stage"] == "-2d" for x in after)
    assert all(x["at"][11:16] in ("09:30", "09:32", "09:34") for x in after
               if x["kind"] == "refill" and x["stage"] != "supply")
    equal([x for x in before if x["kind"] == "follow_up"],
          [x for x in after if x["kind"] == "follow_up"])


def test_a_diff_is_what_the_two_runs_do_not_share():
    files = Folder()
    rules = files.write("r.json", refill(stages=["-7d", "-1d", "+1d", "+7d"]))
    status, out, err = offline("plan", "--diff", "default", rules, *WINDOW,
                               "--json")
    equal((status, err), (1, ""))
    printed = lines(out)
    changes = [x for x in printed if "change" in x]
    counts = [x for x in printed if "change" not in x]
    before = [json.dumps(x, sort_keys=True) for x in plan()]
    after = [json.dumps(x, sort_keys=True) for x in plan("--program", rules)]
    for sign, these, those in (("-", before, after), ("+", after, before)):
        shown = sorted(json.dumps({k: v for k, v in x.items()
                                   if k != "change"}, sort_keys=True)
                       for x in changes if x["change"] == sign)
        rest = list(those)
        expected = []
        for line in these:
            if line in rest:
                rest.remove(line)
            else:
                expected.append(line)
        equal(shown, sorted(expected))
    assert any(x["stage"] == "-3d" and x["change"] == "-" for x in changes)
    gone = [x for x in counts if (x["kind"], x["stage"], x["action"]) ==
            ("refill", "-3d", "send")]
    equal(len(gone), 1)
    equal(gone[0]["removed"], sum(
        x["change"] == "-" and x["stage"] == "-3d" and x["action"] == "send"
        and x["kind"] == "refill" for x in changes))
    equal(gone[0]["new"], 0)


def test_a_diff_of_the_same_is_empty():
    equal(offline("plan", "--diff", "default", "default", *WINDOW)[:2],
          (0, ""))
    equal(offline("plan", "--diff", REFILL, REFILL, *WINDOW)[:2], (0, ""))


def test_a_diff_for_people_marks_its_lines():
    status, out, _ = offline("plan", "--diff", "default", REFILL, *WINDOW)
    equal(status, 1)
    assert {line[:2] for line in out.splitlines()
            if line[:2] in ("- ", "+ ")} == {"- ", "+ "}, out
    assert re.search(r"(?m)^refill +-3d +send +-\d+ \+0", out), out


def test_a_diff_needs_two_sides_and_patients():
    equal(offline("plan", "--diff", "default", *WINDOW)[0], 64)
    equal(offline("plan", "--diff", "default", "default")[0], 64)
    equal(offline("plan", "--diff", "default", "/none", *WINDOW)[0], 66)
    equal(offline("plan", "--diff", "default", CLINIC, *WINDOW)[0], 65)


def test_a_class_concerns_its_products_alone():
    drugs = ("--product", "http://www.whocc.no/atc|A10BA02=strips")
    rules = ("--program", CLASSES)
    before, after = plan(), plan(*rules)
    equal([x for x in before if x["kind"] == "refill"],
          [x for x in after if x["kind"] == "refill"])
    by_class = plan(*rules, *drugs)
    assert by_class != after
    equal(plan(*rules, "--product", "A10BA02=strips"), by_class)
    equal(offline("plan", *WINDOW, "--product", "A10BA02")[0], 64)
    status, _, err = offline("plan", *WINDOW, "--product", "A10XX99=strips")
    assert status == 0 and 'nobody has a prescription of "A10XX99"' in err, err


# ---- the database and the daemon ----

class DeafToCommit:
    """A way to the database that is cut when a COMMIT went through, before
    its answer."""

    def __init__(self, dsn, folder):
        run = re.search(r"host=(\S+)", dsn)[1]
        self.server = f"{run}/.s.PGSQL.5432"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(f"{folder}/.s.PGSQL.5432")
        self.socket.listen()
        self.dsn = dsn.replace(run, folder)
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            client = self.socket.accept()[0]
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.server)
            while self.pass_on(client, server):
                pass
            client.close()
            server.close()

    @staticmethod
    def pass_on(client, server):
        ready = select.select([client, server], [], [])[0]
        for here, there in ((client, server), (server, client)):
            if here in ready:
                data = here.recv(1 << 16)
                if not data:
                    return False
                there.sendall(data)
                # Bind: of the unnamed portal to the statement "commit"
                if here is client and b"\0commit\0" in data:
                    server.recv(1 << 16)
                    return False
        return True


def test_what_may_not_be_stored_is_not_said_to_be():
    files = Folder()
    rules = files.write("r.json", refill(time="09:30"))
    with Stack("2026-03-02T09:00:00+08:00") as stack:
        config = (stack.folder / "adherd-0.conf").read_text()
        way = DeafToCommit(stack.dsn, files.path)
        deaf = files.write("deaf.conf", config.replace(stack.dsn, way.dsn))
        status, out, err = offline("-c", deaf, "program", "store", rules)
        equal((status, out), (69, ""))
        assert "unknown whether stored; look with program list" in err, err
        equal([x["version"] for x in
               lines(stack.ctl("program", "list", "--json"))], [1])
        # nor what the database refused in the end
        stack.sql("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
                  " 'BEGIN RAISE serialization_failure; END'; CREATE"
                  " CONSTRAINT TRIGGER no AFTER INSERT ON program DEFERRABLE"
                  " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no()")
        files.write("r.json", refill(time="09:45"))
        run = stack.ctl("program", "store", rules, check=False)
        equal((run.returncode, run.stdout), (70, ""))
        assert "nothing is stored" in run.stderr, run.stderr
        equal(stack.number("SELECT count(*) FROM program"), 1)


def test_what_is_not_utf8_is_named():
    with Stack("2026-03-02T09:00:00+08:00") as stack:
        for words in (("product", "set", b"a\xff\nb", "--class", "x"),
                      ("product", "set", "drug", "--name", b"a\xff\nb"),
                      ("program", "store", "--touch", "--tenant",
                       b"a\xff\nb")):
            run = subprocess.run(
                [build_folder() / "adherctl", "-c",
                 stack.folder / "adherd-0.conf", *words], text=True,
                capture_output=True, check=False)
            equal((run.returncode, run.stdout, run.stderr),
                  (64, "", 'adherctl: not valid UTF-8: "a\\xff\\x0ab"\n'))


def test_more_classes_than_a_tenant_may_have_hold_nobody_up():
    with ready("2026-03-02T09:50:00+08:00", 1) as stack:
        stack.sql("INSERT INTO program SELECT 1, 2, 'c' || i, i,"
                  " '{\"time\": \"12:00\"}', '2026-03-02'"
                  " FROM generate_series(1, 10500) i")
        start = time.monotonic()
        stack.ctl("program", "store", "--touch")
        stack.wait_looked_at(5)
        in_time(time.monotonic() - start, 5, "all are looked at")
        refused = [line for line in stack.copies[0].log_text().splitlines()
                   if "program.refused" in line]
        equal(len(refused), 1)
        assert "count=10244" in refused[0], refused

def ready(care_time, count=2, days="2026-02-09"):
    return Stack(care_time, settings=QUICK).begin(refill_patients(count, days))


def sent(stack):
    return stack.sql("SELECT stage, program_version, count(*) FROM delivery"
                     " WHERE channel = 4 GROUP BY 1, 2 ORDER BY 1, 2")


def test_versions_count_up_and_the_same_is_not_stored_again():
    files = Folder()
    rules = files.write("r.json", refill(time="09:30"))
    with Stack("2026-03-02T09:00:00+08:00") as stack:
        assert "refill: version 1" in stack.ctl("program", "store", rules)
        out = stack.ctl("program", "store", rules)
        assert "refill: unchanged" in out and "looked at" not in out, out
        assert "0 people" in stack.ctl("program", "store", "--touch")
        files.write("r.json", [refill(time="09:30"), {
            "kind": "refill", "product_class": "strips",
            "settings": {"stages": ["-3d"]}}])
        out = stack.ctl("program", "store", rules)
        assert "refill: unchanged" in out, out
        assert "refill strips: version 2" in out, out
        equal([(x["kind"], x["product_class"], x["version"]) for x in
               lines(stack.ctl("program", "list", "--json"))],
              [("refill", "", 1), ("refill", "strips", 2)])
        # whose word each setting is
        shown = stack.ctl("program", "show", "refill", "--class", "strips")
        assert re.search(r'(?m)^stages +\["-3d"\] +version 2$', shown), shown
        assert re.search(r'(?m)^time +"09:30" +version 1$', shown), shown
        assert re.search(r'(?m)^merge +"7d" +default$', shown), shown
        files.write("r.json", refill(time="09:45"))
        assert "refill: version 3" in stack.ctl("program", "store", rules)
        shown = stack.ctl("program", "show", "refill", "--version", "2")
        assert re.search(r'(?m)^time +"09:30" +version 1$', shown), shown
        # all or nothing, checked with what is stored
        files.write("r.json", [{"kind": "dose", "settings": {}},
                               refill(task="0d")])
        equal(stack.ctl("program", "store", rules, check=False).returncode,
              65)
        files.write("r.json", {"kind": "refill", "product_class": "strips",
                               "settings": {"stages": ["+14d"]}})
        run = stack.ctl("program", "store", rules, check=False)
        equal(run.returncode, 65)
        assert "settings.task" in run.stderr, run.stderr
        # a day that has no text
        files.write("r.json", refill(stages=["-10d"]))
        run = stack.ctl("program", "store", rules, check=False)
        equal(run.returncode, 65)
        assert "-10d" in run.stderr, run.stderr
        equal(stack.number("SELECT count(*) FROM program"), 3)
        equal(stack.ctl("program", "list", "--tenant", "nobody",
                        check=False).returncode, 65)


def test_a_stored_program_is_obeyed_from_the_next_look_on():
    files = Folder()
    with ready("2026-03-02T09:50:00+08:00") as stack:
        out = stack.ctl("program", "store", files.write(
            "r.json", refill(time="10:30")))
        assert "2 people are looked at again" in out, out
        stack.wait_looked_at()
        stack.move_clock("2026-03-02T10:01:00+08:00")
        stack.ctl("program", "store", "--touch")
        stack.wait_looked_at()
        equal(sent(stack), [])
        # they wait for 10:30, and now hear of another time
        stack.ctl("program", "store", files.write(
            "r.json", refill(time="10:20")))
        stack.wait_looked_at()
        stack.move_clock("2026-03-02T10:20:01+08:00")
        wait_until(lambda: sent(stack) == [["3", "2", "2"]], 10,
                   "-7d at 10:20 under version 2")


def test_an_invalid_row_is_refused_and_the_last_good_stays():
    with ready("2026-03-02T09:50:00+08:00", 1) as stack:
        files = Folder()
        stack.ctl("program", "store", files.write(
            "r.json", refill(time="10:30")))
        stack.sql("INSERT INTO program VALUES (1, 2, '', 2,"
                  " '{\"time\": \"99:00\"}', '2026-03-02'),"
                  " (1, 9, '', 1, '{}', '2026-03-02')")
        stack.ctl("program", "store", "--touch")
        wait_until(lambda: "program.refused" in stack.copies[0].log_text(),
                   10, "an alarm")
        stack.move_clock("2026-03-02T10:30:01+08:00")
        wait_until(lambda: sent(stack) == [["3", "1", "1"]], 10,
                   "-7d at 10:30 under the last good version")
        log = stack.copies[0].log_text()
        assert "settings.time" in log, log
        # edited in place: found within 15 s, the last good stays
        stack.sql("DELETE FROM program WHERE version = 2 OR kind = 9")
        stack.sql("UPDATE program SET settings = '{\"stages\": 1}'")
        wait_until(lambda: "settings.stages" in stack.copies[0].log_text(),
                   25, "a second alarm")
        equal(stack.copies[0].log_text().count("settings.stages"), 1)
        stack.move_clock("2026-03-06T10:29:00+08:00")
        stack.ctl("program", "store", "--touch")
        stack.wait_looked_at()
        equal(sent(stack), [["3", "1", "1"]])
        stack.move_clock("2026-03-06T10:30:01+08:00")
        wait_until(lambda: sent(stack) == [["3", "1", "1"], ["4", "1", "1"]],
                   10, "-3d at 10:30 under the last good version")


def test_a_product_takes_the_program_of_its_class():
    files = Folder()
    with ready("2026-03-02T09:50:00+08:00") as stack:
        listed = lines(stack.ctl("product", "list", "--json"))
        equal([(x["drug"], x["prescriptions"]) for x in listed],
              [(AMLODIPINE, 2)])
        stack.ctl("program", "store", files.write("r.json", {
            "kind": "refill", "product_class": "strips",
            "settings": {"time": "11:00"}}))
        out = stack.ctl("product", "set", AMLODIPINE, "--class", "strips",
                        "--sensitive")
        assert "2 people" in out, out
        equal(stack.ctl("check", "dossiers", check=False).returncode, 0)
        stack.wait_looked_at()
        stack.move_clock("2026-03-02T10:59:00+08:00")
        stack.ctl("program", "store", "--touch")
        stack.wait_looked_at()
        equal(sent(stack), [])
        stack.move_clock("2026-03-02T11:00:01+08:00")
        wait_until(lambda: sent(stack) == [["3", "1", "2"]], 10,
                   "at the time of the class")
        # its name is kept out of the text
        wait_until(lambda: len(stack.entries()) == 2, 10, "two messages")
        assert all("氨氯地平" not in e["text"] for e in stack.entries())
        equal([(x["product_class"], x["sensitive"]) for x in
               lines(stack.ctl("product", "list", "--json"))],
              [("strips", True)])
        # a product without another name than its key has that once
        stack.ctl("product", "set", "X01", "--class", "strips")
        listed = stack.ctl("product", "list").splitlines()
        equal([line.count("X01") for line in listed], [1, 0])
        assert listed[1].endswith("  氨氯地平片 5mg"), listed


if __name__ == "__main__":
    main()
