#!/usr/bin/env python3
"""What an operator reads when something is wrong: the reason of a lost
database, the schema, what is stopped or paused and what ends it, and in the
journal the end of whatever it has the beginning of."""

import json
import pathlib
import signal
import subprocess
import sys
import time

from stack import (Stack, Tap, free_port, post, refill_patients, wait_until)
from support import Site

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"


def log(stack):
    return stack.copies[0].log_text()


def lines(stack, event):
    return [line for line in log(stack).splitlines()
            if line[3:].split(" ")[0] == event]


def told(stack, *words, limit_s=20):
    """Wait for a line that holds these words; it is returned."""
    return wait_until(lambda: [
        line for line in log(stack).splitlines()
        if all(word in line for word in words)], limit_s, " ".join(words))[-1]


def counted(stack):
    """The copy's first heartbeat is stored: with its start, not only when
    the second one would be due, for until then queue says that none runs."""
    wait_until(lambda: stack.number("SELECT count(*) FROM copy") == 1, 4,
               "it is counted")


def adherd(stack):
    """Run it to its end; again where a stranger took its port meanwhile."""
    while True:
        run = subprocess.run(
            [stack.build / "adherd", "-c", stack.copies[0].config],
            capture_output=True, text=True, timeout=30, check=False)
        if run.returncode != 75:
            return run
        time.sleep(1)


# ---- the database ----

def test_no_connection_is_told_with_its_reason():
    port = free_port()
    with Stack(BEGIN) as stack:
        copy, config = stack.copies[0], pathlib.Path(stack.copies[0].config)
        config.write_text(config.read_text(encoding="utf-8").replace(
            f"database = {stack.dsn}", "database = host=127.0.0.1 "
            f"port={port} dbname=adherd user=adherd"), encoding="utf-8")
        copy.start(wait=False)
        line = told(stack, "db.down", 'key="adherd write"')
        assert "sqlstate=connect" in line and "Connection refused" in line \
            and str(port) in line, line
        # the hint that libpq adds is no line of its own
        assert "Is the server" not in log(stack)
        for verb in (("queue",), ("migrate",)):
            run = stack.ctl(*verb, check=False)
            assert run.returncode == 69, run
            assert "Connection refused" in run.stderr.splitlines()[-1], run
        assert copy.stop() == 0


def test_a_reason_quotes_nothing_of_the_connection_string():
    with Site() as site:
        site.ctl("migrate", status=0)
        path = pathlib.Path(site.configuration)
        path.write_text(path.read_text(encoding="utf-8").replace(
            f"database = {site.dsn}",
            f"database = {site.dsn} options='-c planted_value=1'"),
            encoding="utf-8")
        status, _, err = site.ctl("queue")
        assert status == 69 and "planted" not in err, err
        assert 'FATAL: unrecognized configuration parameter ...' in \
            err.replace("  ", " "), err
        status, _, err = site.ctl("migrate")
        assert status == 69 and "planted" not in err, err
        # but the name of a database does not hide
        path.write_text(path.read_text(encoding="utf-8").replace(
            " options='-c planted_value=1'", "").replace(
            "dbname=adherd", "dbname=nowhere"), encoding="utf-8")
        status, _, err = site.ctl("queue")
        assert status == 69 and "database nowhere does not exist" in err, err


def test_a_database_without_schema_is_one_line():
    with Stack(BEGIN) as stack:
        stack.sql("DROP TABLE schema_migration, inbox, agenda CASCADE")
        run = adherd(stack)
        assert run.returncode == 78, run
        told_lines = run.stderr.splitlines()
        assert "db.prepare" not in run.stderr, run.stderr
        assert "schema 0, none" in told_lines[-1], told_lines
        assert "adherctl migrate" in told_lines[-1], told_lines
        for verb in (("queue",), ("why", "p1"), ("stop", "list")):
            run = stack.ctl(*verb, check=False)
            assert run.returncode == 78, run
            assert len(run.stderr.splitlines()) == 1, run
            assert "run adherctl migrate" in run.stderr, run


def test_receipts_that_cannot_be_stored_are_one_line():
    with Stack(BEGIN).begin([]) as stack:
        secret = (stack.folder / "callback").read_text().strip()
        url = f"http://127.0.0.1:{stack.ports[0][0]}/callback/sms/{secret}"
        stack.sql("ALTER TABLE inbox ADD CONSTRAINT none CHECK (false)")
        for number in range(8):
            status, _ = post(url, json.dumps([{
                "phone_number": "19900000001", "success": True,
                "send_time": "2026-03-02 10:00:00",
                "report_time": "2026-03-02 10:00:05",
                "err_code": "DELIVERED", "sms_size": "1",
                "biz_id": f"{number}^0", "out_id": "aedqdqfyaibacbae"}]))
            assert status == 503, status
        line = told(stack, "inbox.store_failed")
        assert "sqlstate=23514 count=1" in line, line
        assert len(lines(stack, "inbox.store_failed")) == 1, log(stack)


# ---- pauses ----

def test_the_journal_has_both_ends_of_a_pause_by_hand():
    with Stack(BEGIN).begin([]) as stack:
        stack.ctl("gateway", "pause", "sms", "--by", "duty one")
        line = told(stack, "gateway.paused", "gateway=sms")
        assert 'reason=operator by="duty one"' in line, line
        stack.ctl("gateway", "resume", "sms", "--by", "duty two")
        line = told(stack, "gateway.resumed", "gateway=sms")
        assert 'reason=operator by="duty two"' in line, line
        # with an end of its own, and of a part alone
        stack.ctl("gateway", "pause", "sms", "--scope", "sender:x", "--by",
                  "duty", "--until", time.strftime(
                      "%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3)))
        told(stack, "gateway.paused", "scope=sender:x", "by=duty")
        told(stack, "gateway.resumed", "scope=sender:x", "reason=over")
        time.sleep(2)           # and no more
        assert len(lines(stack, "gateway.paused")) == 2, log(stack)
        assert len(lines(stack, "gateway.resumed")) == 2, log(stack)


def test_the_journal_has_the_end_of_a_breaker_s_pause():
    with Stack(BEGIN, settings=QUICK, gateway_settings="batch = 1").begin(
            refill_patients(14)) as stack:
        stack.sim_process.terminate()
        stack.sim_process.wait()
        stack.move_clock(DUE)
        told(stack, "gateway.paused", "reason=failed")
        assert lines(stack, "gateway.resumed") == []
        stack.start_sim()
        stack.move_clock("+2m")
        told(stack, "gateway.resumed", "reason=answered", limit_s=60)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 7") == 14, 60,
            "all are told")
        assert len(lines(stack, "gateway.resumed")) == 1, log(stack)


def test_the_journal_has_the_end_of_a_quota():
    with Stack(BEGIN, settings=QUICK, gateway_settings="batch = 1\nquota = 2"
               ).begin(refill_patients(4)) as stack:
        stack.move_clock(DUE)
        assert "gateway=sms count=2" in told(stack, "account.quota_spent")
        config = pathlib.Path(stack.copies[0].config)
        config.write_text(config.read_text(encoding="utf-8").replace(
            "quota = 2", "quota = 9"), encoding="utf-8")
        stack.copies[0].process.send_signal(signal.SIGHUP)
        assert "gateway=sms count=9" in told(stack, "account.quota_again")


# ---- what nothing is sent for ----

def test_queue_says_first_what_is_stopped_or_paused():
    with Stack(BEGIN) as stack:
        said = stack.ctl("queue").splitlines()
        assert said[0].startswith("nothing is sent: no copy"), said
        assert "systemctl start adherd" in said[0], said
        stack.begin(refill_patients(2))
        counted(stack)
        said = stack.ctl("queue").splitlines()
        assert said[0] == "nothing is stopped or paused", said
        assert said[1].startswith("class 1 (timed)  lane 0  people 2"), said
        stack.ctl("stop", "--kind", "refill", "--reason", "recall", "--by",
                  "duty")
        stack.ctl("gateway", "pause", "sms", "--by", "night shift")
        stack.ctl("gateway", "pause", "sms", "--scope", "template:SMS_1",
                  "--by", "duty", "--until", "2099-01-01T00:00:00Z")
        said = stack.ctl("queue").splitlines()
        assert said[0].startswith("stop 1: ") and "recall" in said[0], said
        assert said[1] == "  until: adherctl resume 1", said
        paused = sorted(said[2:4])
        assert paused[0] == (
            "gateway sms, template:SMS_1: paused by operator duty, until "
            "2099-01-01T00:00:00+00:00; sooner with: adherctl gateway resume "
            "sms --scope 'template:SMS_1'"), said
        assert paused[1] == (
            "gateway sms: paused by operator night shift, until somebody "
            "resumes it: adherctl gateway resume sms"), said
        found = [json.loads(line) for line in
                 stack.ctl("--json", "queue").splitlines()]
        assert [x["end"] for x in found if x["what"] == "pause" and
                x["scope"] == ""] == ["adherctl gateway resume sms"], found
        # who waits for a gateway is told which
        stack.copies[0].kill()
        lane = stack.ctl("gateway", "list").split("lane")[1].strip()
        stack.sql(f"UPDATE agenda SET lane = {lane}")
        assert f"lane {lane} (wait for room at sms)" in stack.ctl("queue")


def test_a_database_that_is_behind_is_told_from_beginning_to_end():
    with Stack(BEGIN).begin(refill_patients(2)) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 7") == 2, 20,
            "both are told")
        stack.copies[0].stop()
        stack.sql("DELETE FROM sending_mark")
        stack.copies[0].start(wait=False)
        line = told(stack, "database.behind")
        # until when it had sent, as `resume` takes it
        assert "sent_until=2026-03-02T02:0" in line, line
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM gateway_pause") == 1, 10, "all are paused")
        counted(stack)
        first = stack.ctl("queue").splitlines()[0]
        assert first.startswith("nothing is sent: the database") and \
            "until 2026-03-02T02:0" in first and \
            "adherctl resume --assume-sent-until TIME" in first, first
        why = stack.ctl("why", "p1")
        assert ("  sms: gateway sms, paused for the database is behind what "
                "was sent, until somebody resumes it: adherctl resume "
                "--assume-sent-until TIME") in why, why
        until = stack.sql("SELECT to_char(max(sent_at) AT TIME ZONE 'UTC', "
                          "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM "
                          "sending_behind")[0][0]
        stack.ctl("resume", "--assume-sent-until", until, "--yes", "--by",
                  "duty")
        assert "by=duty" in told(stack, "database.settled")
        wait_until(stack.copies[0].ready, 20, "it is ready")
        assert stack.ctl("queue").startswith("nothing is stopped or paused")


# ---- why ----

def test_why_names_the_pause_of_a_channel_that_could_be_used():
    with Stack(BEGIN).begin(refill_patients(1)) as stack:
        assert "  sms: can be used\n" in stack.ctl("why", "p1")
        stack.ctl("gateway", "pause", "sms", "--by", "duty")
        stack.move_clock(DUE)
        why = stack.ctl("why", "p1")
        assert "channels for refill -7d" in why, why
        assert "  wechat_mini: no_channel\n" in why, why
        assert ("  sms: gateway sms, paused by operator duty, until somebody "
                "resumes it: adherctl gateway resume sms\n") in why, why
        found = [json.loads(line) for line in
                 stack.ctl("--json", "why", "p1").splitlines()]
        sms = [way for x in found if x["what"] == "channels" and
               x["kind"] == "refill" for way in x["channels"]
               if way["channel"] == "sms"]
        assert [(x["obstacle"], x["code"]) for x in sms] == [
            ("gateway_paused", "operator duty")], sms
        # a template alone
        stack.ctl("gateway", "resume", "sms")
        code = json.loads((stack.folder / "registrations.json").read_text())
        code = [x["code"] for x in code if x["kind"] == "refill" and
                x["stage"] == "-7d"][0]
        stack.ctl("gateway", "pause", "sms", "--scope", f"template:{code}",
                  "--by", "duty")
        why = stack.ctl("why", "p1")
        assert f"  sms: gateway sms, template:{code}, paused by" in why, why


def test_why_says_what_was_assumed_sent():
    with Stack(BEGIN).begin([]) as stack:
        stack.move_clock("2026-03-02T12:00:00+08:00")
        stack.sql("INSERT INTO assumed_sent VALUES ('2026-03-02T11:00+08', "
                  "clock_timestamp(), 'duty')")
        time.sleep(1)           # a look
        stack.import_bundle("clinic", refill_patients(1))
        stack.wait_looked_at()
        why = stack.ctl("why", "p1")
        assert ("what was due before 2026-03-02T11:00:00+08:00 is assumed "
                "sent, and is not sent: adherctl resume --assume-sent-until, "
                "by duty, ") in why, why
        assert "    -7d   assumed sent, not by this database, due " \
            "2026-03-02T10:00:00+08:00\n" in why, why
        assert stack.entries() == []


def test_why_does_not_say_sent_of_what_staging_kept_back():
    with Stack(BEGIN, settings="only-to = +8619900000002\n").begin(
            refill_patients(2)) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE code = 'only_to'") == 1, 20,
            "one is kept back")
        # once the person is looked at again
        wait_until(lambda: "    -7d   not sent, rejected by sms: only_to, "
                   in stack.ctl("why", "p1"), 10, "why says so")
        why = stack.ctl("why", "p1")
        assert "sent by sms" not in why, why
        assert "\nstaging: " in why, why
        assert "    -7d   sent by sms, " in stack.ctl("why", "p2")


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
