#!/usr/bin/env python3
"""What operators say beside stops: pauses of gateways and their end, and that
what a database does not know was sent.  No daemon runs; clocks are the
database's."""

import os
import pty
import subprocess
import sys

from support import BUILD, ROOT, Site
from stack import Tap

NOW = "2026-03-02T10:00:00+08:00"
FAR = "2036-03-02T10:00:00+08:00"   # of real time: pauses are not moved
FARTHER = "2037-03-02T10:00:00+08:00"


class Office(Site):
    """With one gateway, and care time at rest in March 2026."""

    def __init__(self):
        super().__init__()
        with open(self.configuration, "a", encoding="utf-8") as out:
            out.write(f"template-dir = {os.path.dirname(BUILD)}/none\n"
                      f"plugin-dir = {BUILD}/gateways\n"
                      '[gateway "sms"]\nplugin = loopback\nchannel = sms\n'
                      "url = http://127.0.0.1:1/\nplain-http = yes\n")
        self.ctl("migrate", status=0)
        self.sql("INSERT INTO care_clock (one, offset_us) VALUES (true, "
                 f"extract(epoch FROM timestamptz '{NOW}' - now()) * 1000000)")

    def pauses(self, *options):
        return self.lines("gateway", "pauses", *options, status=0)

    def behind(self, sent_at):
        """A copy remembers to have sent until then."""
        self.sql("DELETE FROM assumed_sent; DELETE FROM sending_behind; "
                 "INSERT INTO sending_behind VALUES "
                 f"(decode(repeat('00', 16), 'hex'), 'copy', '{sent_at}', "
                 "now()); INSERT INTO gateway_pause VALUES ('*', '', "
                 "'database_behind', now(), 'infinity') ON CONFLICT (gateway, "
                 "scope) DO UPDATE SET paused_until = 'infinity', "
                 "code = excluded.code")

    def assume(self, until, *options, status=0):
        _, out, err = self.ctl("resume", "--assume-sent-until", until,
                               *options, status=status)
        return out + err

    def assumed(self):
        return self.sql("SELECT to_char(max(until_at) AT TIME ZONE 'UTC', "
                        "'YYYY-MM-DD HH24:MI'), max(made_by) "
                        "FROM assumed_sent")[0]


def test_the_latest_pause_holds_also_where_it_is_shorter():
    with Office() as office:
        office.ctl("gateway", "pause", "sms", "--by", "night", status=0)
        assert [(p["until"], p["code"]) for p in office.pauses()] == [
            (None, "operator night")]
        _, told, _ = office.ctl("gateway", "pause", "sms", "--until", FAR,
                                "--by", "day", status=0)
        assert "until an operator acts (operator night)" in told, told
        assert "no longer holds" in told and "paused until 2036-" in told, told
        pause = office.pauses()[0]
        assert pause["until"].startswith("2036-03-02T02:00:00"), pause
        assert pause["code"] == "operator day", pause
        # a longer one is as good, and so is one that is without end
        _, told, _ = office.ctl("gateway", "pause", "sms", "--until", FARTHER,
                                status=0)
        assert "until 2036-" in told and "paused until 2037-" in told, told
        _, told, _ = office.ctl("gateway", "pause", "sms", status=0)
        assert "paused until an operator acts" in told, told
        # a scope is a pause of its own
        _, told, _ = office.ctl("gateway", "pause", "sms", "--scope",
                                "template:A", "--until", FAR, status=0)
        assert "no longer holds" not in told, told
        assert len(office.pauses()) == 2


def test_the_end_of_a_pause_leaves_a_trace():
    with Office() as office:
        office.ctl("gateway", "pause", "sms", "--by", "night", status=0)
        office.ctl("gateway", "resume", "sms", "--by", "day", status=0)
        assert office.pauses() == []
        over = office.pauses("--all")
        assert [(p["gateway"], p["code"]) for p in over] == [
            ("sms", "operator night, resumed by day")], over
        assert over[0]["ended"] is not None and "until" not in over[0]
        # once only, and a new pause has its own trace
        _, _, told = office.ctl("gateway", "resume", "sms", status=66)
        assert "no pause of it stands" in told, told
        office.ctl("gateway", "pause", "sms", "--by", "noon", status=0)
        assert [p["code"] for p in office.pauses("--all")] == [
            "operator noon"]
        office.ctl("gateway", "resume", "sms", "--until", FAR, status=64)
        office.ctl("gateway", "resume", "sms", "--by", "a\nb", status=64)


def test_what_counts_as_sent_is_told_and_asked_for():
    with Office() as office:
        office.behind("2026-03-02T09:50:30+08:00")
        told = office.assume("2026-03-02T09:50:00+08:00", "--yes", status=65)
        assert "until 2026-03-02T01:50:30+00:00: not before" in told, told
        told = office.assume("2026-03-02T09:55:00+08:00", status=1)
        assert "1 copy remembers" in told and "0 people" in told, told
        assert "nothing was done; with --yes" in told, told
        assert office.assumed() == [None, None]
        assert [p["gateway"] for p in office.pauses()] == ["*"]
        told = office.assume("2026-03-02T09:55:00+08:00", "--yes", "--by",
                             "duty")
        assert "sending goes on" in told, told
        assert office.assumed() == ["2026-03-02 01:55", "duty"]
        assert office.pauses() == []
        assert office.pauses("--all")[0]["code"] == \
            "database_behind, resumed by duty"


def test_a_person_at_a_terminal_is_asked():
    with Office() as office:
        office.behind("2026-03-02T09:50:30+08:00")
        for answer, status in (("n\n", 1), ("y\n", 0)):
            ours, theirs = pty.openpty()
            os.write(ours, answer.encode())
            run = subprocess.run(
                [f"{BUILD}/adherctl", "-c", office.configuration, "resume",
                 "--assume-sent-until", "2026-03-02T09:55:00+08:00"],
                stdin=theirs, capture_output=True, text=True, check=False,
                timeout=30)
            os.close(ours)
            os.close(theirs)
            assert run.returncode == status, run
            assert "count it as sent? [y/N]" in run.stderr, run
            assert (office.assumed()[0] is None) == (status == 1)


def test_nobody_waiting_is_said_before_anything_is_assumed():
    with Office() as office:
        told = office.assume("2026-03-02T09:55:00+08:00", status=1)
        assert "no copy says that this database is behind" in told, told
        assert office.assumed() == [None, None]
        told = office.assume("2026-03-02T10:05:00+08:00", "--yes", status=64)
        assert "lies ahead" in told, told
        told = office.assume("2026-03-02T09:55:00+08:00", "--yes")
        assert "no copy was waiting" in told, told


def test_a_memory_ahead_of_the_clock_can_be_accounted_for():
    with Office() as office:
        office.behind("2026-03-05T09:50:30.25+08:00")
        told = office.assume("2026-03-02T09:59:00+08:00", "--yes", status=65)
        assert "it lies ahead, for a clock went back" in told, told
        # not a second later than what is remembered
        told = office.assume("2026-03-05T09:51:00+08:00", "--yes", status=64)
        assert "lies ahead" in told, told
        told = office.assume("2026-03-05T09:50:30+08:00", "--yes")
        assert "ahead of the clock, 2026-03-02T02:0" in told, told
        assert "what falls due until then is not sent" in told, told
        assert office.assumed()[0] == "2026-03-05 01:50"
        assert office.sql("SELECT count(*) FROM sending_behind") == [["0"]]
        assert office.pauses() == []


def test_a_stop_of_a_text_that_is_not_there_stands_and_is_told():
    with Office() as office:
        _, _, told = office.ctl("stop", "--template", "refill/-7d", status=0)
        assert "whether there is such a text is not known" in told, told
        with open(office.configuration, encoding="utf-8") as file:
            text = file.read().replace(f"{os.path.dirname(BUILD)}/none",
                                       f"{ROOT}/templates")
        office.write("adherd.conf", text)
        _, _, told = office.ctl("stop", "--template", "refill/-3d", status=0)
        assert told == "", told
        _, out, told = office.ctl("stop", "--template", "refill/-6d",
                                  status=65)
        assert "stop 3: template refill/-6d" in out, out
        assert "there is no text refill/-6d" in told, told
        assert "refill/-7d, refill/-3d" in told and "dose" not in told, told


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
