#!/usr/bin/env python3
"""What operators watch: /metrics is what Prometheus wants and tells what
happened, the alarms fire, the dashboard's expressions are ones, and every
name in them is a metric that exists.  Needs promtool and prometheus (Debian's
package prometheus).  Prints TAP."""

import contextlib
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from stack import (PSQL, Stack, Tap, free_port, get_json,  # noqa: E402
                   post, refill_patients, wait_until)

MONITORING = ROOT / "systemd/monitoring"
RULES = MONITORING / "adherd.rules.yml"
RULES_TEST = ROOT / "tests/monitoring/adherd.rules.test.yml"
DASHBOARD = MONITORING / "grafana/adherd.json"
PAGE = MONITORING / "alarms.mdoc"
DUE = "2026-03-02T10:00:00+08:00"
LATER = "2026-03-08T10:00:00+08:00"    # the day before the run-out
PEOPLE = 12
STALE_S = 60
# fault-matrix.md, Alarms: each has one of these
WANTED = """UnknownOutcomes BatchesTakenOver SendingTooLong PeopleLate LaneClosed
    BreakerOpen GatewayPaused TemplatePaused TokenNearEnd QuotaNearEnd
    AccountRefused BudgetLow UnknownReceipts ClocksApart CopySilent PeopleSetAside
    TasksUnacknowledged EmergencyUnacknowledged PartitionsShort DatabaseBehind
    DossierDifference DiskLow""".split()
# of others than us
FOREIGN = {"up", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"}
SUFFIX = re.compile(r"_(bucket|sum|count)$")

stack = None


def promtool(*words, text=None):
    return subprocess.run(["promtool", *map(str, words)], input=text,
                          text=True, capture_output=True, check=False)


def metrics():
    """The text, within a second."""
    with urllib.request.urlopen(f"{stack.copies[0].admin}/metrics",
                                timeout=1) as answer:
        assert answer.headers["Content-Type"] == \
            "text/plain; version=0.0.4; charset=utf-8"
        return answer.read().decode()


def value(name, text=None):
    """Of a sample by its whole name with labels; None if it is not told."""
    for line in (metrics() if text is None else text).splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    return None


def known():
    return set(re.findall(r"^# HELP (\w+) ", metrics(), re.M))


def names_in(expression):
    """The metrics of an expression: names that are no function, label, or
    word of the language."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\[[^]]*\]", "", bare)
    return {name for name in re.findall(r"\b[a-z_][\w:]*\b(?!\s*\()", bare)
            if name not in ("and", "or", "unless", "by", "on", "le")}


def check_names(expressions, also=()):
    """Each is a metric of ours, one of others, or one of `also`."""
    there = known() | FOREIGN | set(also)
    for where, expression in expressions:
        found = names_in(expression)
        assert found, f"{where}: no metric"
        missing = {name for name in found
                   if name not in there and SUFFIX.sub("", name) not in there}
        assert not missing, f"{where}: {missing}"


def blocks(kind):
    """Name and text of each rule of a kind."""
    parts = re.split(r"^ +- (alert|record): (\S+)$", RULES.read_text(),
                     flags=re.M)
    return {name: text for which, name, text in
            zip(parts[1::3], parts[2::3], parts[3::3]) if which == kind}


def expression(text):
    found = re.search(r"expr: (?:\|-\n((?: {10}.*\n)+)|(.*)\n)", text)
    return found[1] or found[2]


# ---- the daemon ----

def test_metrics_are_what_prometheus_wants():
    text = metrics()
    check = promtool("check", "metrics", text=text)
    assert check.returncode == 0 and not check.stdout + check.stderr, \
        check.stdout + check.stderr
    bad = promtool("check", "metrics", text=text + "adherd_x_ms 1\n")
    assert bad.returncode != 0, "it takes everything"


def test_what_was_sent_is_counted():
    sent = 'adherd_messages_total{gateway="sms",outcome="accepted"}'
    stack.move_clock(DUE)
    wait_until(lambda: value(sent) == PEOPLE, 20, "all are accepted")
    wait_until(lambda: (value(
        'adherd_callbacks_total{gateway="sms",status="stored"}') or 0) > 0,
        20, "receipts")
    text = metrics()
    assert value("adherd_lag_seconds_count", text) == PEOPLE
    assert 0 < value('adherd_send_seconds_count{gateway="sms"}', text) \
        <= PEOPLE
    assert value("adherd_looks_total", text) >= PEOPLE
    assert value("adherd_rounds_total", text) > 0
    assert value(
        'adherd_messages_total{gateway="sms",outcome="unknown"}', text) == 0
    assert value('adherd_gateway_window{gateway="sms"}', text) > 0
    assert value('adherd_gateway_paused{gateway="sms"}', text) == 0
    for connection in ("claim", "write", "chores"):
        assert value(
            f'adherd_database_up{{connection="{connection}"}}', text) == 1
    assert value("adherd_process_open_fds", text) > 5
    assert value("adherd_process_resident_memory_bytes", text) > 1 << 20
    assert abs(value("adherd_clock_wall_ahead_seconds", text)) < 2
    assert abs(value("adherd_process_start_time_seconds", text)
               - time.time()) < 120


def test_a_callback_with_a_wrong_secret_is_counted_without_it():
    before = value('adherd_callbacks_total{gateway="none",status="refused"}')
    status, _ = post(f"http://127.0.0.1:{stack.copies[0].callback_port}"
                     "/callback/planted-name/planted-secret", "{}")
    text = metrics()
    assert status == 404
    assert value('adherd_callbacks_total{gateway="none",status="refused"}',
                 text) == (before or 0) + 1
    assert "planted" not in text


def test_metrics_name_no_patient():
    text = metrics()
    phone = re.search(r"\+?86199\d*", text)
    assert phone is None, phone
    assert all(ord(sign) < 128 for sign in text), "a name"


@contextlib.contextmanager
def somebody_late():
    """One person is due since January, and locked, so that it stays so; the
    copy is frozen meanwhile, so that it does not look first."""
    process = stack.copies[0].process
    process.send_signal(signal.SIGSTOP)
    stack.sql("UPDATE agenda SET next_at = '2026-01-01' WHERE patient_id = "
              "(SELECT max(patient_id) FROM agenda)")
    with subprocess.Popen(
            [PSQL, "-X", "-q", "-d", stack.dsn, "-c",
             "BEGIN; SELECT FROM agenda WHERE next_at = '2026-01-01' "
             "FOR UPDATE; SELECT pg_sleep(100)"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as lock:
        try:
            wait_until(lambda: stack.number(
                "SELECT count(*) FROM pg_locks WHERE relation = "
                "'agenda'::regclass AND mode = 'RowShareLock'") > 0, 10,
                "it is locked")
            process.send_signal(signal.SIGCONT)
            yield
        finally:
            process.send_signal(signal.SIGCONT)
            lock.kill()


def test_what_the_database_knows_is_told():
    stack.sql("""
        UPDATE account_use SET taken = 100;
        INSERT INTO copy VALUES ('dead', 'all', clock_timestamp(),
            clock_timestamp() - interval '2 min');
        UPDATE agenda SET deaths = 3 WHERE patient_id = (
            SELECT min(patient_id) FROM agenda);
        INSERT INTO gateway_pause VALUES ('sms', 'template:SMS_1', 'x',
            clock_timestamp(), 'infinity'),
            ('*', '', 'database_behind', clock_timestamp(), 'infinity');
        INSERT INTO batch VALUES (1, 'dead',
            clock_timestamp() + interval '1 h', '{1}', '{1}');
        INSERT INTO task (bucket, patient_id, occurrence_on, kind, source,
            slot, tenant_id, stage, items, due_at, created_at)
        VALUES (1, 1, '2026-03-01', 5, 0, 0, 1, 1, '{0,0,0}',
            '2026-03-01 00:00+08', '2026-03-01 00:00+08'),
            (1, 1, '2026-03-01', 5, 1, 18, 1, 1, '{0,0,0}',
            '2026-03-02 00:00+08', '2026-03-01 00:00+08');
        INSERT INTO maintenance VALUES (true, clock_timestamp(), 10, 2)
        ON CONFLICT (one) DO UPDATE SET dossiers_differing = 2""")
    wanted = {'adherd_copies{state="alive"}': 1,
              'adherd_copies{state="silent"}': 1,
              'adherd_copies{state="named_twice"}': 0,
              "adherd_people_set_aside": 1,
              'adherd_gateway_pauses{gateway="sms",scope="template"}': 1,
              'adherd_gateway_pauses{gateway="sms",scope="gateway"}': 0,
              'adherd_tasks_open{urgency="urgent"}': 1,
              'adherd_tasks_open{urgency="normal"}': 1,
              "adherd_dossier_differences": 2,
              "adherd_database_behind": 1,
              'adherd_sending_paused{reason="database_behind"}': 1,
              'adherd_gateway_paused{gateway="sms"}': 1,
              'adherd_gateway_quota{gateway="sms"}': 1000,
              'adherd_agenda_late_seconds{class="bulk"}': 0}

    late = 'adherd_agenda_late_seconds{class="timed"}'

    def wrong():
        text = metrics()
        return {name: value(name, text) for name in wanted
                if value(name, text) != wanted[name]} or (
                    {late} if (value(late, text) or 0) < 50 * 86400 else {})
    with somebody_late():
        end = time.monotonic() + 40
        while wrong() and time.monotonic() < end:
            time.sleep(0.1)
        assert not wrong(), wrong()
    text = metrics()
    assert value('adherd_tasks_oldest_seconds{urgency="urgent"}', text) \
        >= 86400
    assert value("adherd_batches", text) >= 1
    # the copy may have taken another portion meanwhile
    assert 500 < value('adherd_gateway_quota_left{gateway="sms"}', text) <= 900
    assert value('adherd_gateway_budget_ratio{gateway="sms"}', text) > 0
    assert value("adherd_partitions_ahead_seconds", text) is not None
    stack.sql("DELETE FROM batch; DELETE FROM gateway_pause; "
              "DELETE FROM task; DELETE FROM copy WHERE copy_id = 'dead'")


def test_prometheus_scrapes_it():
    port = free_port()
    admin = stack.copies[0].admin.removeprefix("http://")
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "prometheus.yml")
        config.write_text(f"""global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: ["{RULES}"]
scrape_configs:
  - job_name: adherd
    static_configs:
      - targets: ["{admin}"]
""", encoding="utf-8")
        with subprocess.Popen(
                ["prometheus", f"--config.file={config}",
                 f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{port}"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL) as prometheus:
            def query(text):
                try:
                    found = get_json(
                        f"http://127.0.0.1:{port}/api/v1/query?"
                        + urllib.parse.urlencode({"query": text}))
                except OSError:
                    return None
                return [row["value"][1] for row in found["data"]["result"]]
            try:
                wait_until(lambda: query('up{job="adherd"}') == ["1"], 40,
                           "it is up")
                wait_until(lambda: query("sum(adherd:messages:rate5m)"), 20,
                           "the rules are evaluated")
            finally:
                prometheus.terminate()


# ---- alarms and dashboard ----

def test_the_rules_are_rules():
    check = promtool("check", "rules", RULES)
    assert check.returncode == 0, check.stderr


def test_each_alarm_fires_and_is_silent():
    run = promtool("test", "rules", RULES_TEST)
    assert run.returncode == 0, run.stdout + run.stderr
    text = RULES_TEST.read_text()
    for name in blocks("alert"):
        for what in ("fires", "is silent"):
            assert f"name: {name} {what}\n" in text, f"{name} {what}"


def test_there_is_an_alarm_for_each_thing():
    missing = [name for name in WANTED
               if "Adherd" + name not in blocks("alert")]
    assert not missing, missing


def test_each_alarm_says_what_to_do():
    paragraphs = re.findall(r"^\.Ss (\w+)\n(?!\.Ss).", PAGE.read_text(), re.M)
    assert paragraphs == list(blocks("alert")), "another list than the page"
    for name, text in blocks("alert").items():
        assert f'runbook: "adherd(8), ALARMS, {name}"' in text, name
        assert "summary:" in text, name
        assert re.search(r"severity: (critical|warning)\n", text), name


def test_the_events_of_the_page_have_message_ids():
    """journalctl MESSAGE_ID=… finds what a paragraph speaks of."""
    source = "".join(path.read_text()
                     for path in (ROOT / "daemon").rglob("*.c"))
    events = set(re.findall(r"^\.Ql ([a-z]+\.[a-z_]+)", PAGE.read_text(),
                            re.M))
    log = (ROOT / "daemon/base/log.c").read_text()
    ids = dict(re.findall(r'{"([a-z_.]+)",\s+"([0-9a-f]{32})"}', log))
    assert len(set(ids.values())) == len(ids) > len(events) > 5
    for event in events:
        assert f'"{event}"' in source.replace(log, ""), f"no event {event}"
        assert event in ids, f"{event} has no id"


def test_the_alarms_name_metrics_that_exist():
    rules = {**blocks("record"), **blocks("alert")}
    check_names([(name, expression(text)) for name, text in rules.items()],
                blocks("record"))
    try:
        check_names([("x", "max(adherd_no_such_thing) > 1")])
    except AssertionError:
        return
    raise AssertionError("it takes every name")


def panels():
    board = json.loads(DASHBOARD.read_text())
    assert board["uid"] == "adherd"
    assert board["__inputs"][0]["name"] == "DS_PROMETHEUS"
    # a provisioned file has no inputs: there it is a variable
    assert board["templating"]["list"][0]["name"] == "DS_PROMETHEUS"
    found = [(panel["title"], target) for panel in board["panels"]
             for target in panel.get("targets", [])]
    assert found
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)), "two panels of one id"
    assert all(target["datasource"]["uid"] == "${DS_PROMETHEUS}"
               for _, target in found)
    return [(title, target["expr"]) for title, target in found]


def test_the_dashboard_is_of_expressions():
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as rules:
        rules.write("groups:\n  - name: panels\n    rules:\n" + "".join(
            f"      - record: panel:{number}\n"
            f"        expr: {json.dumps(expr)}\n"
            for number, (_, expr) in enumerate(panels())))
        rules.flush()
        check = promtool("check", "rules", rules.name)
        assert check.returncode == 0, check.stderr
        rules.write('      - record: panel:bad\n        expr: "sum(x"\n')
        rules.flush()
        assert promtool("check", "rules", rules.name).returncode != 0


def test_the_dashboard_names_metrics_that_exist():
    check_names(panels(), blocks("record"))


def test_every_metric_is_on_the_dashboard_or_in_an_alarm():
    used = set()
    for text in [expr for _, expr in panels()] + [
            expression(text) for text in
            (*blocks("record").values(), *blocks("alert").values())]:
        used |= {SUFFIX.sub("", name) for name in names_in(text)} \
            | names_in(text)
    left = known() - used
    assert not left, left


# ---- without a database ----

def test_without_the_database_it_answers_at_once():
    assert value("adherd_people_set_aside") is not None
    stack.cluster.run("stop", "immediate")
    wait_until(lambda: value('adherd_database_up{connection="claim"}') == 0,
               10, "it is told that the database is away")
    for _ in range(20):
        start = time.monotonic()
        metrics()
        assert time.monotonic() - start < 1


def test_what_is_old_is_not_told():
    wait_until(lambda: value("adherd_people_set_aside") is None, STALE_S + 20,
               "what the database knew is left out")
    text = metrics()
    assert value("adherd_database_metrics_age_seconds", text) >= STALE_S
    assert "\nadherd_agenda_late_seconds{" not in text
    assert "\nadherd_copies{" not in text
    assert promtool("check", "metrics", text=text).returncode == 0


def test_it_tells_again_when_the_database_is_back():
    stack.cluster.run("start")
    wait_until(lambda: value("adherd_people_set_aside") is not None, 40,
               "it tells again")
    assert value('adherd_database_reconnects_total{connection="chores"}') >= 1


def test_what_the_provider_refuses_is_counted():
    wait_until(stack.copies[0].ready, 20, "it is ready")
    stack.fault(fault="code", code="isv.AMOUNT_NOT_ENOUGH", message="x")
    stack.move_clock(LATER)
    refused = 'adherd_gateway_pauses_total{gateway="sms",reason="refused"}'
    wait_until(lambda: value(refused) == 1, 30, "the account is refused")
    text = metrics()
    assert value('adherd_gateway_paused{gateway="sms"}', text) == 1
    assert value('adherd_messages_total{gateway="sms",outcome="retry"}',
                 text) > 0


with Stack("2026-03-02T09:58:00+08:00",
           gateway_settings="quota = 1000\nbudget = 24").begin(
        refill_patients(PEOPLE)) as stack:
    STATUS = Tap().run([
        test_metrics_are_what_prometheus_wants,
        test_what_was_sent_is_counted,
        test_a_callback_with_a_wrong_secret_is_counted_without_it,
        test_metrics_name_no_patient,
        test_what_the_database_knows_is_told,
        # what is told then goes stale while the rest is looked at
        test_without_the_database_it_answers_at_once,
        test_prometheus_scrapes_it,
        test_the_rules_are_rules,
        test_each_alarm_fires_and_is_silent,
        test_there_is_an_alarm_for_each_thing,
        test_each_alarm_says_what_to_do,
        test_the_events_of_the_page_have_message_ids,
        test_the_alarms_name_metrics_that_exist,
        test_the_dashboard_is_of_expressions,
        test_the_dashboard_names_metrics_that_exist,
        test_every_metric_is_on_the_dashboard_or_in_an_alarm,
        test_what_is_old_is_not_told,
        test_it_tells_again_when_the_database_is_back,
        test_what_the_provider_refuses_is_counted])
sys.exit(STATUS)
