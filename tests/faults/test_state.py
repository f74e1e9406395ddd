#!/usr/bin/env python3
"""What a copy remembers beyond its own death and beyond the database: fault 7
(a person whose planning kills), and a database that is behind what was sent,
because it was restored or failed over."""

import shutil
import subprocess
import sys
import time

from fault_table import from_stack, record
from faults import (SEED, SETTINGS, FaultStack, Rival, Tap, died,
                    wait_until)
from stack import Stack, refill_patients
from test_database import FailoverStack, Standby, superuser

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
PEOPLE = 30


def run_until_it_lives(copy, stack, limit_s=60):
    """As a service manager does: started again whenever it dies.  How often
    it died before all others were served."""
    deaths, end = 0, time.monotonic() + limit_s
    copy.start(wait=False)
    while True:
        assert time.monotonic() < end, f"{deaths} deaths and no end"
        if died(copy):
            deaths += 1
            copy.start(wait=False)
        elif copy_is_ready(copy) and stack.reached() >= PEOPLE - 1:
            return deaths
        time.sleep(0.05)


def copy_is_ready(copy):
    try:
        return copy.ready()
    except AssertionError:      # it died meanwhile
        return False


def test_fault_07_poison_patient_is_set_aside_after_three_deaths():
    # with the short lease: a death may leave others' messages under way
    with FaultStack(settings=SETTINGS.replace(
            "claim-max = 4", "claim-max = 500")) as stack:
        stack.add_people(PEOPLE)
        poison = stack.number(
            "SELECT patient_id FROM agenda ORDER BY patient_id LIMIT 1")
        copy = stack.copies[0]
        copy.environment["FAULT_POISON"] = str(poison)
        begun = time.monotonic()
        run_until_it_lives(copy, stack)
        # the two tries left come 5 s after each death
        wait_until(lambda: restarted(copy) and stack.number(
            "SELECT max(deaths) FROM agenda") >= 3, 40, "it is set aside")
        wait_until(lambda: restarted(copy) and copy_is_ready(copy), 30,
                   "it lives")
        took = time.monotonic() - begun
        time.sleep(6)           # longer than between two tries
        assert not died(copy), "it is planned once more"
        assert stack.sql("SELECT patient_id, deaths FROM agenda WHERE deaths "
                         "> 0") == [[str(poison), "3"]]
        log = copy.log_text()
        assert log.count("worker.died") == 2, log[-2000:]
        assert log.count("worker.set_aside") == 1, log[-2000:]
        assert stack.reached() == PEOPLE - 1
        record(7, "planning kills the process", seed=SEED, worst_s=took,
               bound_s=60, **from_stack(stack, PEOPLE - 1))


def restarted(copy):
    if died(copy):
        copy.start(wait=False)
    return True


class Backup:
    """Of the cluster's files, while it is stopped."""

    def __init__(self, stack):
        self.data = f"{stack.cluster.folder}/data"
        self.copy = f"{stack.folder}/pg.backup"

    def take(self):
        subprocess.run(["cp", "-a", self.data, self.copy], check=True)

    def restore(self):
        shutil.rmtree(self.data)
        subprocess.run(["cp", "-a", self.copy, self.data], check=True)


def yesterday(stack, clock_back_s=0):
    """One morning's messages sent, then the database of the evening before.
    Its clock may have gone back, too."""
    copy, backup = stack.copies[0], Backup(stack)
    # something it knows: without it any database would be news
    stack.move_clock("2026-03-02T09:59:00+08:00")
    copy.stop()
    stack.cluster.run("stop")
    backup.take()
    stack.cluster.run("start")
    copy.start()
    stack.move_clock(DUE)
    wait_until(lambda: stack.number(
        "SELECT count(*) FROM delivery WHERE state = 7") == PEOPLE, 30,
        "all are told")
    offset = stack.number("SELECT offset_us FROM care_clock")
    copy.kill()
    stack.cluster.run("stop", "immediate")
    backup.restore()
    stack.cluster.run("start")
    offset -= clock_back_s * 1_000_000
    stack.sql(f"UPDATE care_clock SET offset_us = {offset}")
    assert stack.number("SELECT count(*) FROM delivery") == 0


def notices(copy):
    copy.start(wait=False)
    wait_until(lambda: "database.behind" in copy.log_text(), 20,
               "it is noticed")


def restored(stack, clock_back_s=0):
    """The same, and the copy runs again on it."""
    yesterday(stack, clock_back_s)
    notices(stack.copies[0])


def test_restored_database_sends_nothing_before_an_operator_says_so():
    with Stack(BEGIN).begin(refill_patients(PEOPLE)) as stack:
        restored(stack)
        sent = stack.entries()
        time.sleep(3)           # fifteen looks
        assert stack.entries() == sent
        status = stack.ctl("gateway", "pauses").split()
        assert status[0] == "*" and status[-1] == "database_behind", status
        # less than was sent is not enough
        early = stack.ctl("resume", "--assume-sent-until",
                          "2026-03-02T09:59:30+08:00", check=False)
        assert early.returncode == 65, early
        assert "remembers to have sent until 2026-03-02T02:0" in early.stderr
        ahead = stack.ctl("resume", "--assume-sent-until",
                          "2026-03-03T10:00:00+08:00", check=False)
        assert ahead.returncode == 64, ahead
        until = early.stderr.split(" until ")[1].split(":  ")[0].split(
            ": not")[0]
        said = stack.ctl("resume", "--assume-sent-until", until, "--yes")
        assert "sending goes on" in said, said
        wait_until(stack.at_rest, 20, "everybody is looked at")
        assert stack.entries() == sent, "yesterday's messages again"
        assert stack.number("SELECT count(*) FROM delivery") == 0
        # and what comes next is sent: a stage of four days later
        stack.move_clock("2026-03-06T10:00:10+08:00")
        wait_until(lambda: len(stack.entries()) == 2 * PEOPLE, 30,
                   "the next stage is told")
        record("state", "database restored from yesterday", seed=SEED,
               **from_stack(stack, PEOPLE) | {
                   "doubled": len(sent) - PEOPLE})


def test_operator_s_word_lasts_for_copies_that_start_later():
    with Stack(BEGIN).begin(refill_patients(PEOPLE)) as stack:
        restored(stack)
        sent = stack.entries()
        refused = stack.ctl("resume", "--assume-sent-until",
                            "2026-03-02T09:00:00+08:00", check=False)
        until = refused.stderr.split(" until ")[1].split(": not")[0]
        stack.ctl("resume", "--assume-sent-until", until, "--yes")
        stack.copies[0].stop()
        stack.copies[0].start()
        wait_until(stack.at_rest, 20, "everybody is looked at")
        assert stack.entries() == sent
        assert stack.copies[0].log_text().count("database.behind") == 1


def test_memory_ahead_of_the_clock_is_accounted_for_and_obeyed():
    with Stack(BEGIN).begin(refill_patients(PEOPLE)) as stack:
        restored(stack, clock_back_s=3600)
        sent = stack.entries()
        refused = stack.ctl("resume", "--assume-sent-until",
                            "2026-03-02T08:57:00+08:00", check=False)
        assert "lies ahead" in refused.stderr, refused
        until = refused.stderr.split(" until ")[1].split(": not")[0]
        said = stack.ctl("resume", "--assume-sent-until", until, "--yes")
        assert "what falls due until then is not sent" in said, said
        stack.move_clock("2026-03-02T10:00:30+08:00")
        wait_until(stack.at_rest, 20, "everybody is looked at")
        assert stack.entries() == sent, "that morning's messages again"
        stack.move_clock("2026-03-06T10:00:10+08:00")
        wait_until(lambda: len(stack.entries()) == 2 * PEOPLE, 30,
                   "the next stage is told")


def test_pause_that_cannot_be_stored_holds_all_the_same():
    with Stack(BEGIN).begin(refill_patients(PEOPLE)) as stack:
        yesterday(stack)
        sent = stack.entries()
        with Rival(stack) as rival:
            # the same row, not committed: who stores it waits, in vain
            rival.say("BEGIN; INSERT INTO gateway_pause VALUES ('*', '', "
                      "'rival', now(), now());")
            notices(stack.copies[0])
            time.sleep(13)      # a pause is known by itself for ten seconds
            assert stack.number("SELECT count(*) FROM gateway_pause") == 0
            assert stack.entries() == sent, "yesterday's messages again"
            rival.say("ROLLBACK;")
        wait_until(lambda: stack.sql(
            "SELECT gateway, code FROM gateway_pause") == [
                ["*", "database_behind"]], 20, "the pause is stored")
        assert stack.entries() == sent, "yesterday's messages again"


def test_file_older_than_the_database_catches_up():
    """A power cut took the file's last pages: nothing is behind then, and
    the next restore is noticed all the same."""
    singly = "claim-max = 2\n"
    with Stack(BEGIN, settings=singly).begin(refill_patients(PEOPLE)) as stack:
        copy, file = stack.copies[0], stack.folder / "adherd.state"
        stack.move_clock("2026-03-02T09:59:00+08:00")
        older = file.read_bytes()
        stack.move_clock(DUE)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 7") == PEOPLE, 30,
            "all are told")
        copy.stop()
        stack.cluster.run("stop")
        backup = Backup(stack)
        backup.take()
        stack.cluster.run("start")
        file.write_bytes(older)
        # fewer rounds than it took to tell them first
        stack.settings = "claim-max = 500\n"
        stack.write_config(0)
        copy.start()
        stack.move_clock("2026-03-06T10:00:10+08:00")
        wait_until(lambda: told(stack) == 2 * PEOPLE, 30,
                   "the next stage is told")
        assert "database.behind" not in copy.log_text()
        offset = stack.number("SELECT offset_us FROM care_clock")
        copy.kill()
        stack.cluster.run("stop", "immediate")
        backup.restore()
        stack.cluster.run("start")
        stack.sql(f"UPDATE care_clock SET offset_us = {offset}")
        notices(copy)
        time.sleep(2)
        assert told(stack) == 2 * PEOPLE, "the next stage again"


def told(stack):
    return len(stack.entries())


def caught_up(stack):
    return superuser(stack, "SELECT count(*) FROM pg_stat_replication WHERE "
                     "replay_lsn = pg_current_wal_lsn()") == "1"


def test_fault_12_asynchronous_fail_over_repeats_nothing():
    with FailoverStack() as stack:
        standby = Standby(stack.cluster)
        try:
            stack.add_people(PEOPLE)
            wait_until(lambda: caught_up(stack), 20, "it streams")
            # from here on the standby gets nothing
            standby.call("psql", "-q", "-h", stack.cluster.folder + "/run",
                         "-p", "5433", "-U", "postgres", "-c",
                         "ALTER SYSTEM SET primary_conninfo = ''", "-c",
                         "SELECT pg_reload_conf()")
            wait_until(lambda: superuser(
                stack, "SELECT count(*) FROM pg_stat_replication") == "0", 20,
                "it is cut off")
            copy = stack.copies[0].start()
            wait_until(lambda: stack.number(
                "SELECT count(*) FROM delivery WHERE state IN (3, 7)")
                == PEOPLE, 30, "all are told")
            sent = stack.entries()
            stack.cluster.run("stop", "immediate")
            standby.promote()
            stack.follow()
            assert stack.number("SELECT count(*) FROM delivery") == 0
            wait_until(lambda: "database.behind" in copy.log_text(), 30,
                       "it is noticed")
            time.sleep(2)
            assert told(stack) == len(sent), (told(stack), len(sent))
            until = stack.sql("SELECT to_char(max(sent_at) AT TIME ZONE "
                              "'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
                              "FROM sending_behind")[0][0]
            stack.ctl("resume", "--assume-sent-until", until, "--yes")
            wait_until(stack.at_rest, 20, "everybody is looked at")
            assert told(stack) == len(sent), "sent again"
            record(12, "fail-over, asynchronous: waits for an operator",
                   seed=SEED, **from_stack(stack, PEOPLE))
        finally:
            standby.close()


def test_crashed_database_that_lost_nothing_is_not_behind():
    with Stack(BEGIN).begin(refill_patients(PEOPLE)) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) == PEOPLE, 30, "all are told")
        stack.cluster.crash()
        wait_until(stack.copies[0].ready, 30, "ready again")
        stack.move_clock("2026-03-06T10:00:10+08:00")
        wait_until(lambda: len(stack.entries()) == 2 * PEOPLE, 30,
                   "the next stage is told")
        assert "database.behind" not in stack.copies[0].log_text()


if __name__ == "__main__":
    print(f"# seed {SEED}")
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
