#!/usr/bin/env python3
"""What must not get out: planted values in logs, metrics, errors, core files
and PostgreSQL's messages (the leak grep, which every stack does when it
closes); and what happens when nobody takes the log (fault 43)."""

import base64
import json
import os
import pathlib
import re
import resource
import select
import signal
import socket
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import leaks  # noqa: E402
from fault_table import from_stack, record  # noqa: E402
from stack import (Stack, Tap, consent, patient, post,  # noqa: E402
                   refill_patients, wait_until)

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
DELIVERED = 7
# what PostgreSQL writes by itself: statements that failed, with details
TALKATIVE = ("-c log_min_messages=warning -c log_min_error_statement=error "
             "-c log_error_verbosity=verbose")


def states(stack):
    return {int(state): int(count) for state, count in stack.sql(
        "SELECT state, count(*) FROM delivery WHERE state <> 2 GROUP BY 1")}


def delivered(stack, people):
    wait_until(lambda: states(stack) == {DELIVERED: people}, 20,
               f"delivered (is {states(stack)})")


# ---- the grep ----

def test_grep_finds_every_form_of_a_planted_value():
    for word in ("+8619900000017", "19900000017", "1990 0000 017", "甲17",
                 "氨氯地平片", "amlodipine", "an-access-key-secret",
                 "张秀兰", "open-p7"):
        data = word.encode()
        forms = [data, "".join(f"\\x{b:02x}" if b > 126 else chr(b)
                               for b in data).encode(),
                 urllib.parse.quote(word, safe="").replace(
                     "%2B", "+").replace("%20", " ").encode()]
        if " " not in word and word != "open-p7":
            forms.append(data.hex().encode())
        if len(data) >= 9 and " " not in word:
            forms += [base64.b64encode(b"x" * n + data) for n in range(3)]
        if word[0] in "甲氨张":
            forms.append(json.dumps(word).encode())
        for form in forms:
            hit = leaks.scan("log", b"<6>a b=c\n<6>d e=" + form + b"\n")
            assert hit and hit.startswith("log:2:"), (word, form)
    for line in (b"<6>delivery.outcome gateway=sms code=1990 count=199000\n",
                 b"at=1772416800000000 port=19900 n=119900000017\n",
                 b"delivery=agyqebosyabaeaidaq patient=17 name=-\n"):
        assert leaks.scan("log", line) is None, line


def test_grep_fails_a_test_whose_daemon_says_a_name():
    """Each place that is looked into, with a value put there."""
    stack = Stack(BEGIN, settings=QUICK).begin([])
    where = {
        "log": lambda: open(stack.copies[0].log_path, "a").write("x 甲1\n"),
        "error": lambda: stack.errors.append("to +8619900000001\n"),
        "server": lambda: stack.cluster_log("19900000001")}
    stack.cluster_log = lambda text: leaks.server_logs(
        stack.cluster.folder)[0].open("a").write(text + "\n")
    try:
        assert not stack.leaks(), stack.leaks()
        for number, plant in enumerate(where.values(), 1):
            plant()
            assert len(stack.leaks()) == number, stack.leaks()
    finally:
        stack.failed = True     # the leaks are the test's own
        stack.close()


def test_leak_none_in_errors_of_what_import_refuses():
    """Bad data around planted values: what is wrong is told by place and
    code, never by quoting it."""
    bad = [patient(n) for n in range(1, 9)]
    bad[0]["telecom"][0]["value"] = "+8619900000001x"
    bad[1]["telecom"][0]["value"] = "1990000000219900000002"
    bad[2]["birthDate"] = "甲3 1960"
    bad[3]["name"] = [{"text": {"甲4": "19900000004"}}]
    bad[4]["communication"] = [{"language": {"text": "甲5"}}]
    bad[5]["extension"][0]["valueCode"] = "Asia/甲6"
    bad[6]["deceasedDateTime"] = "19900000007"
    bad[7]["telecom"] = [{"system": "甲8", "value": "+8619900000008"}]
    orders = refill_patients(1, first=20)
    orders[2]["dosageInstruction"] = [{"text": "氨氯地平 每日一次 甲20",
                                       "timing": "氨氯地平"}]
    orders[2]["authoredOn"] = "氨氯地平"
    orders[3]["whenHandedOver"] = "氨氯地平 19900000020"
    given = consent(21)
    given["patient"] = {"reference": "Patient/甲21"}
    with Stack(BEGIN, settings=QUICK) as stack:
        said = ""
        path = stack.folder / "bad.json"
        for resources in (bad, orders, [given]):
            path.write_text(json.dumps(
                {"resourceType": "Bundle", "type": "collection",
                 "entry": [{"resource": r} for r in resources]},
                ensure_ascii=False), encoding="utf-8")
            for words in ((), ("--json",)):
                run = stack.ctl(*words, "import", "fhir", "--source",
                                "clinic", path, check=False)
                said += run.stdout + run.stderr
        # cut, doubled and spoilt in the middle of a value
        whole = json.dumps(patient(30), ensure_ascii=False)
        for text in (whole[:whole.index("甲30") + 2],
                     whole.replace("甲30\"", "甲30"),
                     whole.replace(":", " ", 3), whole + "甲30",
                     whole.replace("+86", "+86\\u0000")):
            path.write_text(text, encoding="utf-8")
            run = stack.ctl("import", "fhir", "--source", "clinic", path,
                            check=False)
            assert run.returncode == 65, text
            said += run.stdout + run.stderr
        hit = leaks.scan("adherctl import", said.encode())
        assert hit is None, (hit, said[:2000])
        assert "bad.json" in said


def test_leak_none_in_a_talkative_servers_log_of_what_the_daemon_does():
    """A server with its own settings logs failed statements with the row
    that failed: what the daemon writes there is sealed or a number."""
    with Stack(BEGIN, settings=QUICK, cluster_options=TALKATIVE).begin(
            refill_patients(3)) as stack:
        stack.sql("ALTER TABLE delivery ADD CHECK (state <> 1)")
        stack.move_clock(DUE)
        log = leaks.server_logs(stack.cluster.folder)
        wait_until(lambda: any(b"Failing row" in path.read_bytes()
                               for path in log), 20, "a statement failed")
        stack.sql("ALTER TABLE delivery DROP CONSTRAINT delivery_state_check")
        delivered(stack, 3)
        assert not stack.leaks(), stack.leaks()


def test_leak_no_core_and_no_environment():
    with Stack(BEGIN, settings=QUICK).begin(refill_patients(1)) as stack:
        copy = stack.copies[0]
        copy.stop()
        soft = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (
            resource.RLIM_INFINITY if soft[1] == resource.RLIM_INFINITY
            else soft[1], soft[1]))
        copy.launcher = ["env", "-C", stack.folder]
        try:
            copy.start()
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, soft)
        stack.move_clock(DUE)
        delivered(stack, 1)
        proc = pathlib.Path(f"/proc/{copy.process.pid}")
        ring = leaks.ring_secrets(stack.folder / "keyring")
        assert ring
        for name in ("environ", "cmdline", "status"):
            hit = leaks.scan(name, (proc / name).read_bytes(), ring)
            assert hit is None, hit
        # root's: nobody of the daemon's own user may look or trace
        if os.geteuid() != 0:
            assert (proc / "environ").stat().st_uid == 0
        copy.process.send_signal(6)
        _, status = os.waitpid(copy.process.pid, 0)
        copy.process.returncode = -6
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == 6, status
        assert not os.WCOREDUMP(status), "a core was written"
        assert not list(stack.folder.glob("core*"))


# ---- 43 ----

def works_without_log(stack, what, stderr, after=lambda copy: None):
    """Sends, and then restarts, with that as stderr."""
    people = 5
    copy = stack.copies[0].start(stderr=stderr)
    after(copy)
    stack.import_bundle("clinic", refill_patients(people))
    stack.wait_looked_at()
    start = time.monotonic()
    stack.move_clock(DUE)
    delivered(stack, people)
    took_s = time.monotonic() - start
    assert copy.stop() == 0
    stack.check_ledger()
    record(43, what, worst_s=took_s, bound_s=10,
           **from_stack(stack, people))


def noisy():
    """A stack whose daemon writes a line of each message at least."""
    return Stack(BEGIN, settings=QUICK, gateway_settings="batch = 1")


def test_fault_43_log_that_nobody_reads_stops_no_work():
    with noisy() as stack:
        ends = os.pipe()
        works_without_log(stack, "log pipe closed", ends[1],
                          lambda copy: os.close(ends[0]))
        os.close(ends[1])
    with noisy() as stack, open("/dev/full", "wb") as full:
        works_without_log(stack, "disk of the log full", full)
    with noisy() as stack:
        stack.copies[0].launcher = ["sh", "-c", 'exec "$@" 2>&-', "-"]
        works_without_log(stack, "stderr closed", None)
    with noisy() as stack:
        ends = os.pipe()
        os.set_blocking(ends[1], False)
        while select.select([], [ends[1]], [], 0)[1]:
            os.write(ends[1], b"x" * 4096)
        os.set_blocking(ends[1], True)
        works_without_log(stack, "log pipe full", ends[1])
        os.close(ends[0])
        os.close(ends[1])


def test_fault_43_peers_that_went_away_before_their_answer_stop_no_work():
    """Each asks for much, twice, and goes: the answers find nobody."""
    with noisy() as stack:
        def go_away(copy):
            port = int(copy.admin.rpartition(":")[2])
            for _ in range(50):
                with socket.create_connection(("127.0.0.1", port)) as peer:
                    peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
                                 b"\r\n" * 2)
        works_without_log(stack, "peers gone before their answer", None,
                          go_away)


def test_fault_43_bad_configuration_is_told_by_the_status_without_a_log():
    """What starts it again goes by the status: 78 is no matter of trying."""
    with Stack(BEGIN, settings=QUICK) as stack:
        path = pathlib.Path(stack.copies[0].config)
        path.write_text(path.read_text(encoding="utf-8").replace(
            "[adherd]", "[adherd]\nno-such-key = 1"), encoding="utf-8")
        ends = os.pipe()
        os.close(ends[0])
        copy = stack.copies[0].start(wait=False, stderr=ends[1])
        os.close(ends[1])
        assert copy.process.wait(20) == 78, copy.process.returncode
        record(43, "bad configuration, log pipe closed")


def ends_of(copy):
    """A reload came to its end; what it said."""
    return [line for line in copy.log_text().splitlines()
            if "reload." in line]


def hang_up(copy):
    """SIGHUP; what came of it."""
    before = len(ends_of(copy))
    copy.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(ends_of(copy)) > before, 10, "it is reloaded")
    return ends_of(copy)[-1]


def spoiled(text, line):
    """With that line: a section's at the end, a key's instead of its own, or
    behind all of [adherd]."""
    key = line.split(" = ")[0]
    if line.startswith("["):
        return f"{text}{line}\n"
    if f"\n{key} = " in text:
        return re.sub(rf"(?m)^{key} = .*$", line, text)
    return text.replace('[gateway "sms"]', f'{line}\n[gateway "sms"]', 1)


def metric(copy, name):
    found = re.search(rf"(?m)^{re.escape(name)} (\S+)$",
                      copy.metrics().decode())
    return float(found[1]) if found else None


# each good by itself, and none may take force: whom to write to, how many
# requests at once, how long a round may take
CHANGED = (("[adherd]\n", "[adherd]\nonly-to = +8619911111111\n"),
           ("batch = 1\n", "batch = 1\nwindow = 3\n"),
           ("lease = 7s", "lease = 50s"))


def test_fault_43_bad_reload_keeps_the_old_settings():
    people = 4
    bad_lines = ("no-such-key = 1", "look = never", "[gateway",
                 "keyring-file = /nowhere", "template-dir = /nowhere",
                 "\0\xff", '[gateway "sms"]\nnonsense = 1',
                 '[gateway "more"]\nplugin = nonsense',
                 '[gateway "more"]\nplugin = loopback\nurl = ftp://x')
    with Stack(BEGIN, settings=QUICK, gateway_settings="batch = 1\n").begin(
            refill_patients(people)) as stack:
        copy = stack.copies[0]
        path = pathlib.Path(copy.config)
        good = path.read_text(encoding="utf-8")
        changed = good
        for old, other in CHANGED:
            assert old in changed, old
            changed = changed.replace(old, other)
        window = metric(copy, 'adherd_gateway_window{gateway="sms"}')
        path.unlink()
        assert "reload.refused" in hang_up(copy)
        for line in bad_lines:
            path.write_text(spoiled(changed, line), encoding="utf-8")
            assert "reload.refused" in hang_up(copy), line
            assert copy.ready(), line
            assert metric(copy, 'adherd_gateway_window{gateway="sms"}'
                          ) == window, line
        stack.fault(fault="delay", ms=500, endpoint="aliyun")
        stack.move_clock(DUE)
        lease_s = wait_until(lambda: [float(row[0]) for row in stack.sql(
            "SELECT extract(epoch FROM lease_until - clock_timestamp()) "
            "FROM batch")], 15, "a round")
        assert max(lease_s) <= 7, lease_s
        delivered(stack, people)
        secret = (stack.folder / "callback").read_text().strip()
        assert post(f"http://127.0.0.1:{stack.ports[0][0]}/callback/sms/"
                    f"{secret}", "[]")[0] == 200, "the old gateway"
        # and that these can take force at all
        path.write_text(changed, encoding="utf-8")
        assert "reload.done" in hang_up(copy)
        assert metric(copy, 'adherd_gateway_window{gateway="sms"}') == 3
        assert copy.ready()
        stack.check_ledger()
        record(43, "bad reload keeps the old settings",
               runs=len(bad_lines) + 1, **from_stack(stack, people))


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
