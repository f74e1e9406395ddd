#!/usr/bin/env python3
"""The daemon as a service: what systemd hears from it, its watchdogs, its
clock guard, reload, drain, health while things are broken, staging."""

import contextlib
import fcntl
import glob
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from stack import (Stack, Tap, build_folder, in_time, refill_patients,
                   wait_until)

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")


def stays(condition, for_s, what):
    """What must not change does not, for a while."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        assert condition(), what
        time.sleep(0.1)


def sanitized():
    return b"__asan_init" in (build_folder() / "adherd").read_bytes()


def sweep_faketime():
    """What the library left of processes that were killed: one of another
    user, found under the same process id, would be refused."""
    for path in glob.glob("/dev/shm/*faketime_s*_[0-9]*"):
        if not os.path.exists(f"/proc/{path.rpartition('_')[2]}"):
            with contextlib.suppress(OSError):
                os.unlink(path)


class WallClock:
    """The wall clock of a copy that is started after this, to be moved."""

    def __init__(self, stack):
        sweep_faketime()
        self.path = stack.folder / "wall-clock"
        self.move("+0")
        stack.copies[0].environment |= {
            "LD_PRELOAD": FAKETIME[0], "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def move(self, step):
        self.path.write_text(step + "\n", encoding="utf-8")


# ---- clocks ----

def clocks_apart(step):
    if sanitized():
        print("# not with a sanitizer: the library that moves clocks and it "
              "exclude each other")
        return
    with Stack(BEGIN, settings=QUICK, gateway_settings="batch = 1") as stack:
        wall = WallClock(stack)
        stack.begin(refill_patients(5))
        copy = stack.copies[0]
        wall.move(step)
        wait_until(lambda: not copy.ready(), 10, "it is not ready")
        wait_until(lambda: "clock.apart key=wall" in copy.log_text(), 5,
                   "it says why")
        stack.move_clock(DUE)
        stays(lambda: stack.entries() == [], 4, "nothing leaves")
        assert stack.number("SELECT count(*) FROM delivery") == 0
        wall.move("+0")
        wait_until(lambda: len(stack.entries()) == 5, 15, "all five leave")
        wait_until(copy.ready, 5, "it is ready")
        assert "clock.agrees" in copy.log_text()
        stack.check_ledger()


def test_receipts_are_taken_while_the_clocks_are_apart():
    if sanitized():
        return
    with Stack(BEGIN, settings=QUICK, gateway_settings="batch = 1") as stack:
        wall = WallClock(stack)
        stack.begin(refill_patients(3),
                    [{"fault": "receipts_late", "ms": 5000}])
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) == 3, 15, "all leave")
        wall.move("+2d")
        wait_until(lambda: "clock.apart" in stack.copies[0].log_text(), 5,
                   "it notices")
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE state = 7") == 0
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 7") == 3, 15,
            "the receipts")
        assert not stack.copies[0].ready()


def test_nothing_leaves_while_the_wall_clock_is_two_days_ahead():
    clocks_apart("+2d")


def test_nothing_leaves_while_the_wall_clock_is_an_hour_behind():
    clocks_apart("-1h")


# ---- reload ----

def config(stack):
    return pathlib.Path(stack.copies[0].config)


def reloads(copy, how):
    return copy.log_text().count(f"reload.{how}")


def reload(copy, how="done"):
    """Send HUP and wait for what came of it; the last such line."""
    before = reloads(copy, how)
    copy.process.send_signal(signal.SIGHUP)
    wait_until(lambda: reloads(copy, how) > before, 10, f"reload.{how}")
    return [line for line in copy.log_text().splitlines()
            if f"reload.{how}" in line][-1].replace('\\"', '"')


def rewrite(stack, old, new):
    text = config(stack).read_text()
    assert old in text
    config(stack).write_text(text.replace(old, new))


def memory_kb(copy):
    status = pathlib.Path(f"/proc/{copy.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def descriptors(copy):
    return len(os.listdir(f"/proc/{copy.process.pid}/fd"))


SECOND = """
[gateway "second"]
plugin = loopback
channel = push
url = {sim}/loopback
plain-http = yes
"""


def test_reloads_under_load_lose_and_double_nothing():
    people = 400
    with Stack(BEGIN, settings=QUICK + "claim-max = 20\n",
               gateway_settings="batch = 1\nwindow = 2\n") as stack:
        stack.begin(refill_patients(people), limit_s=60)
        copy = stack.copies[0]
        plain = config(stack).read_text()
        others = [plain.replace("window = 2", "window = 1"),
                  plain + SECOND.format(sim=stack.sim),
                  plain.replace("claim-max = 20", "claim-max = 30"),
                  plain]
        stack.fault(fault="delay", ms=20)
        stack.move_clock(DUE)
        for number in range(200):
            config(stack).write_text(others[number % len(others)])
            reload(copy)
            if number == 40:
                before = memory_kb(copy), descriptors(copy)
        after = memory_kb(copy), descriptors(copy)
        wait_until(lambda: len(stack.entries()) >= people, 60, "all leave")
        wait_until(stack.at_rest, 20, "all is recorded")
        assert len(stack.entries()) == people
        stack.check_ledger()
        # a sanitizer keeps what was freed
        assert sanitized() or after[0] - before[0] < 2048, (before, after)
        # kept connections come and go; one a reload would be 160
        assert after[1] - before[1] <= 10, (before, after)
        assert reloads(copy, "refused") == 0


def test_a_bad_reload_leaves_everything_as_it_was():
    with Stack(BEGIN, settings=QUICK, gateway_settings="batch = 1") as stack:
        stack.begin(refill_patients(5))
        copy = stack.copies[0]
        good = config(stack).read_text()
        (stack.folder / "open").write_text("a-callback-secret-of-22-charac")
        bad = [
            (good.replace("lease = 7s", "laese = 7s"), 'mean "lease"'),
            (good.replace("lease = 7s", "lease = 6s"), "longer than request"),
            (good + "[gateway", "expected [section]"),
            (good.replace("/keyring", "/no-keyring"), "keyring-file"),
            (good.replace(f"{stack.folder}/callback", f"{stack.folder}/open"),
             "chmod 600"),
            (good.replace("/templates", "/no-templates"), "template-dir"),
            (good.replace("plugin = sms_aliyun", "plugin = loopback"),
             "keeps its plug-in"),
            (good.replace("copy = copy-0", "copy = other"),
             'key "copy": a change needs a restart'),
            (good.replace("database = ", "database = port=1 "),
             'key "database": a change needs a restart'),
            (good.replace("access-key-id = key-id", ""), "access-key-id"),
            (good + SECOND.format(sim=stack.sim) + "nonsense = 1\n",
             "unknown key"),
            (good[:good.index("= sms_aliyun")], "expected [section] or key"),
        ]
        descriptors_before = descriptors(copy)
        for text, said in bad:
            # what is good of it takes no force either
            config(stack).write_text(text.replace(
                "[adherd]\n", "[adherd]\nonly-to = +8619911111111\n"))
            line = reload(copy, "refused")
            assert said in line, (said, line)
            assert copy.ready()
        # one a reload would be more
        assert descriptors(copy) < descriptors_before + len(bad) / 2
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) == 5, 15, "all five leave")
        config(stack).write_text(good)
        reload(copy)
        stack.check_ledger()


def test_a_removed_gateway_gives_back_and_a_new_one_is_used_at_once():
    with Stack(BEGIN, settings=QUICK, gateway="loopback",
               gateway_settings="batch = 1\nwindow = 1\n") as stack:
        stack.begin(refill_patients(20))
        copy = stack.copies[0]
        stack.fault(fault="delay", ms=300)
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) >= 4, 15, "it sends")
        sent = len(stack.entries())
        rewrite(stack, '[gateway "sms"]', '[gateway "other"]')
        reload(copy)
        wait_until(lambda: len(stack.entries()) == 20, 40, "all leave")
        wait_until(stack.at_rest, 20, "all is recorded")
        by = {row[0]: int(row[1]) for row in stack.sql(
            "SELECT gateway, count(*) FROM delivery GROUP BY 1")}
        # one may have been under way, and one have left meanwhile
        assert 4 <= by["sms"] <= sent + 2, by
        assert by["sms"] + by["other"] == 20, by
        stack.check_ledger()


def test_hangups_at_start_and_while_stopping_do_no_harm():
    with Stack(BEGIN, settings=QUICK) as stack:
        copy = stack.copies[0].start(wait=False)
        wait_until(lambda: "listening" in copy.log_text(), 10, "it starts")
        for _ in range(20):
            copy.process.send_signal(signal.SIGHUP)
        wait_until(copy.ready, 20, "it is ready")
        wait_until(lambda: reloads(copy, "done"), 10, "it reloads")
        copy.process.send_signal(signal.SIGTERM)
        copy.process.send_signal(signal.SIGHUP)
        copy.process.send_signal(signal.SIGTERM)
        assert copy.process.wait(10) == 0


# ---- systemd ----

class Notify:
    """What a service says to systemd, as (when, text)."""

    def __init__(self, address):
        self.heard = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            text = self.socket.recv(4096).decode()
            self.heard += [(time.monotonic(), line)
                           for line in text.split("\n")]

    def lines(self, begin, since=0.0):
        return [line for at, line in list(self.heard)
                if at >= since and line.startswith(begin)]

    def pings_go_on(self, for_s):
        """One more each second."""
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            since = time.monotonic()
            wait_until(lambda: self.lines("WATCHDOG=1", since), 3, "a ping")


def with_systemd(stack, abstract=False, watchdog_us=1000000):
    path = str(stack.folder / "notify")
    address = f"@adherd-test-{os.getpid()}" if abstract else path
    stack.copies[0].environment |= {
        "NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(watchdog_us)}
    return Notify(address)


def backends(stack):
    return [int(row[0]) for row in stack.sql(
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE "
        "'adherd %' AND backend_type = 'client backend'")]


def probe(copy, path):
    """Status and text, and that it took less than a second."""
    began = time.monotonic()
    try:
        with urllib.request.urlopen(copy.admin + path, timeout=5) as answer:
            found = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        found = error.code, error.read().decode()
    in_time(time.monotonic() - began, 1, path)
    return found


def test_systemd_hears_of_start_reload_and_stop():
    with Stack(BEGIN, settings=QUICK + "only-to = +8619900000001\n") as stack:
        notify = with_systemd(stack, abstract=True)
        copy = stack.copies[0].start()
        wait_until(lambda: notify.lines("READY=1"), 5, "READY=1")
        wait_until(lambda: notify.lines("STATUS=ready"), 5, "a status")
        status = notify.lines("STATUS=ready")[0]
        for part in ("copy copy-0", "role all", "database up",
                     "0 of 1 gateways paused", "only 1 addresses"):
            assert part in status, status
        notify.pings_go_on(2)
        began = time.monotonic()
        reload(copy)
        wait_until(lambda: notify.lines("READY=1", began), 5, "READY=1")
        words = [line for at, line in notify.heard if at >= began]
        assert words[0] == "RELOADING=1", words
        assert words[1].startswith("MONOTONIC_USEC="), words
        told = int(words[1].split("=")[1]) / 1e6
        assert abs(told - time.monotonic()) < 5, told
        assert copy.stop() == 0
        assert notify.lines("STOPPING=1")


def test_a_watchdog_of_another_process_hears_nothing():
    with Stack(BEGIN, settings=QUICK) as stack:
        notify = with_systemd(stack)
        stack.copies[0].environment["WATCHDOG_PID"] = "1"
        stack.copies[0].start()
        wait_until(lambda: notify.lines("STATUS=ready"), 5, "a status")
        stays(lambda: not notify.lines("WATCHDOG=1"), 2, "no ping")


def test_a_database_that_is_away_does_not_get_the_daemon_killed():
    with Stack(BEGIN, settings=QUICK, gateway_settings="batch = 1") as stack:
        notify = with_systemd(stack)
        stack.begin(refill_patients(5))
        copy = stack.copies[0]
        stack.cluster.run("stop", "immediate")
        wait_until(lambda: probe(copy, "/-/ready")[0] == 503, 5, "503")
        for _ in range(10):
            assert probe(copy, "/-/healthy")[0] == 200
            assert "database" in probe(copy, "/-/ready")[1]
        # longer than an answer may be old
        notify.pings_go_on(23)
        stack.cluster.run("start")
        wait_until(copy.ready, 15, "it comes back alone")
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) == 5, 15, "all five leave")
        stack.check_ledger()


def test_a_frozen_database_is_told_and_survived():
    with Stack(BEGIN, settings=QUICK, gateway_settings="batch = 1") as stack:
        notify = with_systemd(stack)
        stack.begin(refill_patients(5))
        copy = stack.copies[0]
        frozen = backends(stack)
        assert len(frozen) >= 3
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: probe(copy, "/-/ready")[0] == 503, 12, "503")
            end = time.monotonic() + 16
            while time.monotonic() < end:
                assert probe(copy, "/-/healthy")[0] == 200
                notify.pings_go_on(1)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        wait_until(copy.ready, 15, "it comes back alone")
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) == 5, 20, "all five leave")
        stack.check_ledger()


def test_a_loop_that_hangs_ends_itself_and_names_the_gateway():
    with Stack(BEGIN, settings=QUICK + "watchdog = 3s\n",
               gateway="loopback", gateway_settings="") as stack:
        rewrite(stack, "plugin = loopback", "plugin = loop\nmarker = 药")
        rewrite(stack, f"{stack.build}/gateways",
                f"{stack.build}/tests/plugins")
        notify = with_systemd(stack)
        stack.begin(refill_patients(1))
        copy = stack.copies[0]
        stack.move_clock(DUE)
        began = time.monotonic()
        assert copy.process.wait(30) == 70
        took = time.monotonic() - began
        assert took > 2, took
        in_time(took, 8, "the watchdog")
        assert "watchdog.stuck" in copy.log_text()
        assert "gateway=sms" in copy.log_text().splitlines()[-1]
        assert not notify.lines("WATCHDOG=1", began + 1.5)


def test_a_process_that_was_stopped_is_not_taken_for_one_that_hangs():
    with Stack(BEGIN, settings=QUICK + "watchdog = 1s\n") as stack:
        copy = stack.copies[0].start()
        copy.process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        copy.process.send_signal(signal.SIGCONT)
        wait_until(copy.ready, 15, "it goes on")
        assert copy.stop() == 0


# ---- the orderly stop ----

def test_a_stop_ends_in_time_while_the_database_is_away():
    with Stack(BEGIN, settings=QUICK + "drain = 5s\n",
               gateway_settings="batch = 1") as stack:
        stack.begin(refill_patients(10))
        copy = stack.copies[0]
        stack.fault(fault="delay", ms=1500)
        stack.move_clock(DUE)
        wait_until(lambda: stack.number("SELECT count(*) FROM delivery") > 0,
                   10, "it sends")
        stack.cluster.run("stop", "immediate")
        began = time.monotonic()
        assert copy.stop(10) == 0
        in_time(time.monotonic() - began, 6.5, "drained")
        stack.cluster.run("start")


def test_a_stop_ends_in_time_while_the_database_is_frozen():
    with Stack(BEGIN, settings=QUICK + "drain = 4s\n") as stack:
        copy = stack.copies[0].start()
        frozen = backends(stack)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            copy.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert copy.stop(10) == 0
            in_time(time.monotonic() - began, 5.5, "drained")
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)


# ---- sockets from systemd ----

LAUNCH = """
import os, sys
for place, number in enumerate(map(int, sys.argv[2].split(","))):
    os.dup2(number, 3 + place)
names = sys.argv[1]
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(sys.argv[2].split(",")))
if names != "-":
    os.environ["LISTEN_FDNAMES"] = names
os.execv(sys.argv[3], sys.argv[3:])
"""


def passed_sockets(names, order):
    """Start with sockets made here; the ports of the configuration stay
    free, so that an answer at these shows that they are used."""
    with Stack(BEGIN, settings=QUICK) as stack:
        copy = stack.copies[0]
        made = {}
        for name in ("listen", "admin-listen"):
            # far from the low numbers that they are moved to
            made[name] = socket.create_server(("127.0.0.1", 0))
        numbers = [fcntl.fcntl(made[name].fileno(), fcntl.F_DUPFD, 50)
                   for name in order]
        with open(copy.log_path, "ab") as log:
            copy.process = subprocess.Popen(
                [sys.executable, "-c", LAUNCH, names,
                 ",".join(map(str, numbers)), stack.build / "adherd", "-c",
                 copy.config, "--care-time", stack.care_time], stderr=log,
                pass_fds=numbers)
        copy.admin = ("http://127.0.0.1:"
                      f"{made['admin-listen'].getsockname()[1]}")
        for number in numbers:
            os.close(number)
        for passed in made.values():
            passed.close()
        wait_until(copy.ready, 20, "it answers at the socket passed")
        assert copy.stop() == 0


def test_sockets_are_taken_by_name():
    passed_sockets("admin-listen:listen", ("admin-listen", "listen"))


def test_sockets_without_names_are_taken_in_order():
    passed_sockets("-", ("listen", "admin-listen"))


def test_a_socket_open_to_others_is_refused():
    with Stack(BEGIN, settings=QUICK) as stack:
        with socket.create_server(("0.0.0.0", 0)) as made:
            number = fcntl.fcntl(made.fileno(), fcntl.F_DUPFD, 50)
            run = subprocess.run(
                [sys.executable, "-c", LAUNCH, "admin-listen", str(number),
                 stack.build / "adherd", "-c", stack.copies[0].config],
                capture_output=True, text=True, pass_fds=[number],
                timeout=20, check=False)
            os.close(number)
        assert run.returncode == 75, run
        assert "does not listen on loopback" in run.stderr, run.stderr


# ---- staging ----

def test_only_to_lets_nothing_else_out():
    with Stack(BEGIN, gateway_settings="batch = 1", settings=QUICK +
               "only-to = +8619900000002, +8619900000004\n") as stack:
        stack.begin(refill_patients(5))
        assert "staging key=only-to count=2" in stack.copies[0].log_text()
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) == 2, 15, "two leave")
        wait_until(stack.at_rest, 20, "all is recorded")
        assert sorted(e["address"] for e in stack.entries()) == [
            "+8619900000002", "+8619900000004"]
        rows = stack.sql("SELECT state, code, count(*) FROM delivery "
                         "WHERE code = 'only_to' GROUP BY 1, 2")
        assert len(rows) == 1 and rows[0][2] == "3", rows
        # and after a reload without it the next stage reaches everybody
        rewrite(stack, "only-to =", "# only-to =")
        reload(stack.copies[0])
        stack.move_clock("2026-03-08T10:00:01+08:00")
        wait_until(lambda: len({e["address"] for e in stack.entries()}) == 5,
                   20, "all five hear of it")


# ---- the command line ----

def adherd(stack, *words):
    return subprocess.run(
        [stack.build / "adherd", *words], capture_output=True, text=True,
        timeout=20, check=False)


def stack_dump(stack):
    run = adherd(stack, "-T", "-c", stack.copies[0].config)
    assert run.returncode == 0, run
    return run.stdout


def test_the_dump_reads_back_and_holds_no_secret():
    with Stack(BEGIN, settings=QUICK) as stack:
        dump = stack_dump(stack)
        assert "an-access-key-secret" not in dump
        assert "a-callback-secret" not in dump
        assert "access-key-id = key-id" in dump
        copy = stack.folder / "dumped.conf"
        copy.write_text(dump)
        again = adherd(stack, "--dump-config", "--config", copy)
        assert again.stdout == dump, again
        good = adherd(stack, "--check-config", "-c", copy)
        assert good.returncode == 0 and "good" in good.stdout, good


def test_ready_asks_the_running_daemon():
    with Stack(BEGIN, settings=QUICK) as stack:
        copy = stack.copies[0]
        words = ("--ready", "-c", copy.config)
        run = adherd(stack, *words)
        assert run.returncode == 1 and "refused" in run.stdout, run
        copy.start()
        run = adherd(stack, *words)
        assert run.returncode == 0 and run.stdout == "ready\n", run
        stack.cluster.run("stop", "immediate")
        wait_until(lambda: not copy.ready(), 5, "it is not ready")
        run = adherd(stack, *words)
        assert run.returncode == 1, run
        assert "the database is away" in run.stdout, run


def test_exit_codes():
    with Stack(BEGIN, settings=QUICK) as stack:
        config_path = stack.copies[0].config
        for words, status in (
                (("--help",), 0), (("--version",), 0), (("--example",), 0),
                (("--manual",), 0), (("--nonsense",), 64), (("word",), 64),
                (("-c",), 64), (("-t", "-c", "/nowhere"), 78),
                (("--ready", "-c", "/nowhere"), 78),
                (("-c", config_path, "--care-time", "noon"), 64)):
            run = adherd(stack, *words)
            assert run.returncode == status, (words, run)
        run = subprocess.run(
            [stack.build / "adherd", "-t", "-c", config_path], text=True,
            capture_output=True, timeout=20, check=False,
            env={**os.environ, "TZDIR": "/nowhere"})
        assert run.returncode == 69 and "tzdata" in run.stderr, run
        with socket.create_server(("127.0.0.1", stack.ports[0][1])):
            run = adherd(stack, "-c", config_path)
        assert run.returncode == 75, run
        assert 'key "admin-listen"' in run.stderr, run.stderr
        assert "Address already in use" in run.stderr, run.stderr


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
