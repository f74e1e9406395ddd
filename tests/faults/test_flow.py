#!/usr/bin/env python3
"""How hard providers are used: windows, breaker, rates shared by copies,
quota.  Faults 8, 21, 22 and 39 of the matrix; lanes are in test_lanes.py."""

import datetime
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

from fault_table import from_stack, record
from faults import SEED, Tap, cpu_s, wait_until
from stack import (Stack, consent, fill, get_json, patient, prescription,
                   refill_patients)

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 12s\nrequest = 2s\nask-after = 1s\nprobe = 2s\n"
BUNDLE = 2000


class Flow(Stack):
    """SMS by Aliyun; push by loopback, for those whom another provider's
    troubles must not concern."""

    def __init__(self, push="", sms_url=None, **options):
        self.push = push
        self.sms_url = sms_url
        options.setdefault("settings", QUICK)
        super().__init__(options.pop("begin_at", BEGIN), **options)

    def write_config(self, number):
        path = super().write_config(number)
        text = open(path, encoding="utf-8").read()
        if self.sms_url:
            text = text.replace(f"endpoint = {self.sim}\n",
                                f"endpoint = {self.sms_url}\n")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text + f"""[gateway "push"]
plugin = loopback
channel = push
url = {self.sim}/loopback
plain-http = yes
callback-secret-file = {self.folder}/callback
{self.push}
""")
        return path

    def start_sim(self, options=()):
        secret = (self.folder / "callback").read_text().strip()
        super().start_sim(("--loopback-callback",
                           f"http://127.0.0.1:{self.ports[0][0]}"
                           f"/callback/push/{secret}", *options))

    def of(self, endpoint):
        return [e for e in self.entries() if e["endpoint"] == endpoint]

    def struck(self, fault):
        """How often a fault of the simulator struck."""
        return get_json(f"{self.sim}/control")["faults"][fault]["taken"]

    def metric(self, name, copy=0):
        with urllib.request.urlopen(f"{self.copies[copy].admin}/metrics",
                                    timeout=5) as answer:
            found = re.search(
                rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.M)
        return float(found[1]) if found else None

    def delivered(self, count, limit_s=60):
        wait_until(lambda: self.number(
            "SELECT count(*) FROM delivery WHERE state IN (3, 7)") >= count,
            limit_s, f"{count} delivered: " + str(self.sql(
                "SELECT state, code, count(*) FROM delivery GROUP BY 1, 2")))

    def move_offset(self, to):
        """Care time, while no copy runs."""
        at = datetime.datetime.fromisoformat(to).timestamp()
        self.sql("UPDATE care_clock SET offset_us = "
                 f"({at} - extract(epoch FROM clock_timestamp())) * 1e6")

    def import_in_pieces(self, source, resources, per_person):
        for first in range(0, len(resources), BUNDLE * per_person):
            self.import_bundle(
                source, resources[first:first + BUNDLE * per_person])


def on_push(resource):
    resource["telecom"] = [{
        "system": "other", "value": f"token-{resource['id']}",
        "extension": [{"url": "https://adherd.example/fhir/channel",
                       "valueCode": "push"}]}]
    return resource


def push_patients(count, first=1):
    return [on_push(r) if r["resourceType"] == "Patient" else r
            for r in refill_patients(count, first=first)]


def dose_patients(count, first, every_ms, begin):
    """Each with one dose, one after another from then on, by push."""
    found = []
    for i in range(count):
        number = first + i
        at = (datetime.datetime.fromisoformat(f"2026-03-02T{begin}")
              + datetime.timedelta(milliseconds=every_ms * i))
        order = prescription(number)
        order["dosageInstruction"][0]["timing"]["repeat"] = {
            "frequency": 1, "period": 1, "periodUnit": "d",
            "timeOfDay": [at.strftime("%H:%M:%S")]}
        found += [on_push(patient(number)),
                  consent(number, topics=("dose",)), order,
                  fill(number, "2026-02-20")]
    return found


def seconds(entry):
    return datetime.datetime.fromisoformat(
        entry["at"].replace("Z", "+00:00")).timestamp()


def most_in_a_second(entries):
    times = sorted(map(seconds, entries))
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


# ---- 21: slower ----

def slowed(retry_after, people=12, **fault):
    """One answer says "slower"; the next request's delay after it, and the
    stack's pause rows."""
    with Flow(gateway_settings="batch = 1\nwindow = 1").begin(
            refill_patients(people) + push_patients(5, first=100),
            [dict(fault="status", endpoint="aliyun", status=429, count=1,
                  code="Throttling.User", message="x",
                  **({"retry_after": retry_after} if retry_after else {}),
                  **fault)]) as stack:
        begun = time.time()
        stack.move_clock(DUE)
        rows = wait_until(lambda: stack.sql(
            "SELECT gateway, extract(epoch FROM paused_until - paused_at) "
            "FROM gateway_pause"), 10, "a pause")
        # push is not concerned
        wait_until(lambda: len(stack.of("loopback")) == 5, 10, "push")
        if retry_after and len(retry_after) > 6 and "GMT" not in retry_after:
            assert stack.of("aliyun") == []
            return None, rows
        wait_until(lambda: len(stack.of("aliyun")) >= people - 1, 30,
                   "it goes on")
        return seconds(stack.of("aliyun")[0]) - begun, rows


def test_fault_21_told_seconds_are_obeyed_and_only_that_gateway_waits():
    waited, rows = slowed("3")
    assert 3 <= waited, waited
    assert [row[0] for row in rows] == ["sms"], rows
    record(21, "429, Retry-After in seconds", seed=SEED, worst_s=waited,
           bound_s=3 + 3)


def test_fault_21_told_date_is_obeyed():
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
        seconds=12)
    waited, _ = slowed(at.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    # the stack takes some seconds to start
    assert waited >= 1, waited
    record(21, "429, Retry-After as a date", seed=SEED, worst_s=waited,
           bound_s=15)


def test_fault_21_negative_or_no_time_waits_a_second():
    for told in ("-5", None):
        waited, rows = slowed(told)
        assert 0.7 <= waited, waited
        assert 0.7 <= float(rows[0][1]) <= 1.3, rows
        record(21, f"429, Retry-After {told}", seed=SEED, worst_s=waited,
               bound_s=5)


def test_fault_21_ten_years_are_an_hour():
    _, rows = slowed("315360000")
    assert [(name, round(float(s))) for name, s in rows] == [
        ("sms", 3600)], rows
    record(21, "429, Retry-After ten years: an hour", seed=SEED)


def test_fault_21_window_halves_and_grows_again():
    with Flow(gateway_settings="batch = 1\nwindow = 64").begin(
            refill_patients(400),
            [{"fault": "delay", "ms": 30, "endpoint": "aliyun"}]) as stack:
        stack.fault(fault="status", endpoint="aliyun", status=429, count=40,
                    code="Throttling.User", message="x", retry_after="1")
        name = 'adherd_gateway_window{gateway="sms"}'
        assert stack.metric(name) == 64
        stack.move_clock(DUE)
        narrow = wait_until(
            lambda: stack.metric(name) < 64 and stack.metric(name), 10,
            "the window narrows")
        assert narrow <= 32, narrow
        stack.move_clock("+2m")
        stack.delivered(400)
        assert stack.metric(name) > narrow, "it grew again"
        record(21, "window halves, grows slowly", seed=SEED,
               **from_stack(stack, 400))


# ---- 22: a burst of errors ----

def test_fault_22_breaker_opens_probes_and_drains_within_the_rate():
    people, rate = 300, 60
    with Flow(gateway_settings=f"batch = 1\nwindow = 4\nrate = {rate}").begin(
            refill_patients(people),
            [{"fault": "status", "endpoint": "aliyun", "status": 503}]
    ) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: "gateway.paused" in stack.copies[0].log_text(), 20,
                   "the breaker opens")
        time.sleep(0.3)     # those under way arrive; no pause is as short
        first = stack.struck("status")
        # ten in a row, and those that were under way then
        assert first <= 10 + 4, first
        begun = time.monotonic()
        wait_until(lambda: stack.copies[0].log_text().count(
            "gateway.paused") >= 4, 30, "it is probed")
        probes = stack.struck("status") - first
        # one by one: as often as it was closed again, and one under way
        closed = stack.copies[0].log_text().count("gateway.paused")
        assert probes <= closed + 1, (probes, closed)
        assert time.monotonic() - begun >= 2, "probes follow too quickly"
        stack.fault(clear=True)
        stack.delivered(people - 20, 60)
        # what failed is asked about, retried by the ladder
        for _ in range(4):
            stack.move_clock("+2m")
        stack.delivered(people, 60)
        entries = stack.of("aliyun")
        assert most_in_a_second(entries) <= rate, most_in_a_second(entries)
        record(22, "503 burst: breaker, probes, drain at the rate",
               seed=SEED, **from_stack(stack, people))


def test_questions_that_fail_open_the_breaker_too():
    people = 8      # fewer messages than failures that open it
    with Flow(gateway_settings="batch = 1\nwindow = 4").begin(
            refill_patients(people),
            [{"fault": "status", "endpoint": "aliyun", "status": 503}]
    ) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 6") == people, 20,
            "nothing is known of any")
        stack.move_clock("+2m")
        wait_until(lambda: "gateway.paused" in stack.copies[0].log_text(), 20,
                   "the breaker opens")
        asked = stack.struck("status") - people
        assert 2 <= asked <= 2 + 4, asked
        stack.fault(clear=True)
        stack.delivered(people, 60)


# ---- rates and quotas ----

class Namesakes(Flow):
    """All copies have one name."""

    def write_config(self, number):
        path = super().write_config(number)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as out:
            out.write(text.replace(f"copy = copy-{number}\n", "copy = one\n"))
        return path


def named_twice(copy):
    """As its metrics have it, which are as old as 15 s."""
    found = re.search(r'(?m)^adherd_copies\{state="named_twice"\} (\S+)$',
                      copy.metrics().decode())
    return float(found[1]) if found else None


def test_copies_of_one_name_are_told_of_and_share_the_rate():
    people, rate = 200, 40
    with Namesakes(copies=3, gateway_settings=f"batch = 1\nrate = {rate}",
                   settings=QUICK + "claim-max = 20\n").begin(
                       refill_patients(people)) as stack:
        for copy in stack.copies:
            wait_until(lambda c=copy: "copy.named_twice copy=one"
                       in c.log_text(), 20, "each sees the other")
        time.sleep(6)           # and counts it at its next heartbeat
        assert stack.number("SELECT count(*) FROM copy") == 3
        wait_until(lambda: named_twice(stack.copies[0]) == 2, 30, "metrics")
        stack.move_clock(DUE)
        stack.delivered(people, 60)
        entries = stack.of("aliyun")
        assert most_in_a_second(entries) <= rate, most_in_a_second(entries)
        # an orderly stop takes its own row only
        assert stack.copies[2].stop() == 0
        assert stack.number("SELECT count(*) FROM copy") == 2
        # who starts after a death under its own name is no namesake
        for copy in stack.copies:
            copy.kill()
        stack.copies[0].start()
        time.sleep(11)          # two heartbeats
        assert stack.copies[0].log_text().count("copy.named_twice") == 1


def test_two_copies_share_a_rate_and_use_it():
    people, rate = 400, 40
    with Flow(copies=2, gateway_settings=f"batch = 1\nrate = {rate}",
              settings=QUICK + "claim-max = 20\n").begin(
                  refill_patients(people)) as stack:
        # both have counted each other
        wait_until(lambda: stack.number("SELECT count(*) FROM copy") == 2, 10,
                   "two copies")
        time.sleep(7)
        stack.move_clock(DUE)
        stack.delivered(people, 60)
        entries = stack.of("aliyun")
        took = seconds(entries[-1]) - seconds(entries[0])
        assert most_in_a_second(entries) <= rate, most_in_a_second(entries)
        assert people / took >= rate * 0.6, f"{people / took} a second"
        record("rate", f"{rate} a second by two copies: most in a second "
               f"{most_in_a_second(entries)}, on average "
               f"{people / took:.0f}", seed=SEED,
               **from_stack(stack, people))


def test_quota_is_never_exceeded_and_the_rest_waits():
    people, quota = 60, 25
    with Flow(copies=3, gateway_settings=f"batch = 1\nquota = {quota}",
              settings=QUICK + "claim-max = 10\n").begin(
                  refill_patients(people)) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) >= quota, 30, "the quota")
        wait_until(lambda: "account.quota_spent" in "".join(
            copy.log_text() for copy in stack.copies), 20, "it is told")
        time.sleep(3)
        assert len(stack.entries()) == quota, len(stack.entries())
        assert stack.number("SELECT taken FROM account_use") == quota
        # they are not lost: parked, or held back with their reason
        assert stack.number(
            "SELECT count(*) FROM agenda WHERE lane > 0") == people - quota
        # an operator buys more: at the next start it goes on
        for copy in stack.copies:
            copy.stop()
            stack.gateway_settings = f"batch = 1\nquota = {2 * people}"
            copy.config = stack.write_config(stack.copies.index(copy))
            copy.start()
        stack.delivered(people, 40)
        record("quota", f"{quota} a day by three copies", seed=SEED,
               **from_stack(stack, people))


def reload(stack, **settings):
    """The copies' gateway settings changed, by SIGHUP."""
    for name, value in settings.items():
        setattr(stack, name, value)
    for number, copy in enumerate(stack.copies):
        stack.write_config(number)
        before = copy.log_text().count("reload.done")
        copy.process.send_signal(signal.SIGHUP)
        wait_until(lambda: copy.log_text().count("reload.done") > before, 10,
                   "it is reloaded")


def test_quota_that_is_raised_or_taken_away_by_a_reload_goes_on():
    with Flow(gateway_settings="batch = 1\nquota = 5").begin(
            refill_patients(30)) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: "quota_spent" in stack.copies[0].log_text(), 20,
                   "it is spent")
        assert len(stack.entries()) == 5
        assert "quota of 5 is used up" in stack.ctl("gateway", "pauses")
        reload(stack, gateway_settings="batch = 1\nquota = 12")
        wait_until(lambda: len(stack.entries()) == 12, 20, "the new quota")
        time.sleep(2)
        assert len(stack.entries()) == 12, len(stack.entries())
        reload(stack, gateway_settings="batch = 1")
        stack.delivered(30, 30)


def test_quota_is_kept_where_a_budget_stood_before():
    with Flow(gateway_settings="batch = 1\nbudget = 2000").begin(
            refill_patients(30)) as stack:
        reload(stack, gateway_settings="batch = 1\nquota = 5")
        stack.move_clock(DUE)
        wait_until(lambda: "quota_spent" in stack.copies[0].log_text(), 20,
                   "it is spent")
        time.sleep(1)
        assert len(stack.entries()) == 5, len(stack.entries())


def test_budget_counts_what_was_sent_and_no_more():
    with Flow(gateway_settings="batch = 1\nbudget = 2000").begin(
            refill_patients(4)) as stack:
        stack.move_clock(DUE)
        stack.delivered(4)
        wait_until(lambda: stack.number(
            "SELECT coalesce(sum(taken), 0) FROM account_use") == 4, 10,
            "it is counted")
        assert "budget_low" not in stack.copies[0].log_text()


def test_gateways_of_one_account_take_turns():
    """One rate for both: who has few messages does not wait for the other."""
    shared = "account = both\nrate = 3\nbatch = 1"
    with Flow(gateway_settings=shared, push=shared).begin(
            refill_patients(200) + push_patients(4, first=900)) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.of("loopback")) == 4, 15,
                   "the few are sent")
        assert most_in_a_second(stack.entries()) <= 3
        # what waits for longer than its lease surely did not leave
        time.sleep(14)
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE state = 6") == 0


def test_rate_of_less_than_one_each_is_used():
    with Flow(copies=2, gateway_settings="rate = 1\nbatch = 1",
              settings="lease = 7s\nrequest = 1s\n").begin(
                  refill_patients(6)) as stack:
        wait_until(lambda: stack.number("SELECT count(*) FROM copy") == 2, 10,
                   "two copies")
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) == 6, 60, "all are sent")
        assert most_in_a_second(stack.entries()) <= 2


def test_who_waits_for_a_gateway_that_was_renamed_is_looked_at():
    with Flow(gateway_settings="batch = 1\nquota = 2").begin(
            push_patients(1, first=900) + refill_patients(20)) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM agenda WHERE lane > 0") == 18, 20, "parked")
        copy = stack.copies[0]
        copy.stop()
        with open(copy.config, encoding="utf-8") as source:
            text = source.read()
        with open(copy.config, "w", encoding="utf-8") as out:
            out.write(text.replace('[gateway "sms"]', '[gateway "other"]')
                      .replace("quota = 2\n", ""))
        stack.sql("UPDATE template_registration SET gateway = 'other'")
        copy.start()
        wait_until(lambda: len(stack.of("aliyun")) == 20, 40,
                   "they are sent by the other")


def test_why_tells_what_comes_where_there_is_a_quota():
    with Flow(gateway_settings="quota = 100\nbatch = 1").begin(
            refill_patients(1)) as stack:
        said = stack.ctl("why", "p1")
        assert re.search(r"2026-03-02 10:00 .*send +refill", said), said


def test_balance_that_is_low_is_an_alarm_and_a_budget_too():
    with Flow(sim_options=("--balance", "104"), gateway_settings="budget = 10",
              push="balance-low = 100").begin(
            refill_patients(9) + push_patients(5, first=100)) as stack:
        wait_until(lambda: stack.metric(
            'adherd_gateway_balance{gateway="push"}') == 104, 20, "it is told")
        assert stack.metric(
            'adherd_gateway_balance_low{gateway="push"}') == 100
        assert "balance_low" not in stack.copies[0].log_text()
        stack.move_clock(DUE)
        stack.delivered(14)
        assert stack.metric(
            'adherd_gateway_budget_ratio{gateway="sms"}') is not None
        # it is asked again after a quarter of an hour, or at the next start
        stack.copies[0].stop()
        stack.copies[0].start()
        wait_until(lambda: "gateway.balance_low gateway=push count=99" in
                   stack.copies[0].log_text(), 20, "it is low")
        wait_until(lambda: "account.budget_low" in
                   stack.copies[0].log_text(), 20, "the budget is spent")
        assert stack.metric('adherd_gateway_budget_ratio{gateway="sms"}') >= 0.9


def test_stop_gives_the_unused_portion_back():
    with Flow(gateway_settings="batch = 1\nquota = 5000").begin(
            refill_patients(3)) as stack:
        stack.move_clock(DUE)
        stack.delivered(3)
        assert stack.number("SELECT taken FROM account_use") >= 50
        stack.copies[0].stop()
        assert stack.number("SELECT taken FROM account_use") == 3


def test_paused_by_an_operator_until_resumed():
    with Flow(gateway_settings="batch = 1").begin(
            refill_patients(10) + push_patients(3, first=100)) as stack:
        stack.ctl("gateway", "pause", "sms", "--by", "duty")
        time.sleep(1)           # one look
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.of("loopback")) == 3, 10, "push")
        time.sleep(1)
        assert stack.of("aliyun") == []
        assert "operator duty" in stack.ctl("gateway", "pauses")
        stack.ctl("gateway", "resume", "sms")
        stack.delivered(13, 20)


# ---- 8: a plug-in that never returns ----

class Looping(Flow):
    """The push gateway's plug-in loops for ever at each text, or crashes."""
    crash = "no"

    def write_config(self, number):
        path = super().write_config(number)
        plugins = self.folder / "plugins"
        if not plugins.exists():
            plugins.mkdir(mode=0o755)
            for name in ("gateways/sms_aliyun.so", "tests/plugins/loop.so"):
                shutil.copy(self.build / name, plugins)
        text = open(path, encoding="utf-8").read()
        head, tail = text.split('[gateway "push"]')
        with open(path, "w", encoding="utf-8") as out:
            out.write(head.replace(f"{self.build}/gateways", str(plugins))
                      + '[gateway "push"]\nplugin = loop\nchannel = push\n'
                      + f"url = {self.sim}/loopback\nplain-http = yes\n"
                      + f"marker = 药\ncrash = {self.crash}\n")
        return path


class Crashing(Looping):
    crash = "yes"


def set_aside_after_three(kind, what, status, limit_s=5):
    people = 5
    with kind(settings=QUICK + f"watchdog = {limit_s}s\n",
              gateway_settings="batch = 1").begin(
            refill_patients(people) + push_patients(3, first=100)) as stack:
        copy, deaths, worst = stack.copies[0], 0, 0.0
        stack.move_clock(DUE)
        begun = last = time.monotonic()
        while "gateway.quarantined" not in copy.log_text():
            assert time.monotonic() - begun < 120, copy.log_text()[-2000:]
            if copy.process.poll() is not None:
                assert copy.process.returncode == status, (
                    copy.process.returncode)
                worst = max(worst, time.monotonic() - last)
                deaths += 1
                # somebody else wants to hear by that gateway
                copy.start()
                stack.import_bundle(
                    f"more-{deaths}", push_patients(1, first=200 + deaths))
                last = time.monotonic()
            time.sleep(0.05)
        assert deaths == 3, deaths
        wait_until(lambda: ready(copy), 20, "it lives")
        stack.delivered(people, 40)
        time.sleep(limit_s + 1)
        assert copy.process.poll() is None
        assert stack.of("loopback") == []
        assert "plugin_dies" in stack.ctl("gateway", "pauses")
        record(8, f"plug-in {what}; watchdog {limit_s} s, {deaths} deaths",
               seed=SEED, worst_s=worst, bound_s=30,
               **from_stack(stack, people))


def test_fault_08_plugin_that_loops_is_ended_and_set_aside_after_three():
    set_aside_after_three(Looping, "loops", 70)


def test_fault_08_plugin_that_crashes_is_set_aside_after_three():
    set_aside_after_three(Crashing, "crashes", -signal.SIGSEGV)


def test_fault_08_kill_in_the_middle_of_a_call_is_no_fault_of_the_plugin():
    kills = 4
    with Looping(settings=QUICK + "watchdog = 60s\n",
                 gateway_settings="batch = 1").begin(
            push_patients(1, first=100)) as stack:
        copy = stack.copies[0]
        stack.move_clock(DUE)
        for number in range(kills):
            begun = cpu_s(copy)
            wait_until(lambda c=copy, b=begun: cpu_s(c) > b + 1, 20,
                       "it loops")
            copy.kill()
            copy.start()
            stack.import_bundle(
                f"more-{number}", push_patients(1, first=200 + number))
        assert "gateway.died" not in copy.log_text()
        assert "plugin_dies" not in stack.ctl("gateway", "pauses")
        record(8, "killed in the middle of a call", seed=SEED, runs=kills)


def ready(copy):
    try:
        return copy.ready()
    except AssertionError:
        return False


# ---- 39: eight hours down ----

def test_fault_39_eight_hours_down_make_no_herd():
    people, rate, urgent, doses = 1500, 200, 20, 100
    four_times = [r | {"dosageInstruction": [{"timing": {"repeat": {
        "frequency": 4, "period": 1, "periodUnit": "d", "timeOfDay": [
            "08:00:00", "12:00:00", "16:00:00", "20:00:00"]}},
        "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "片"}}]}]}
                  if r["resourceType"] == "MedicationRequest" else r
                  for r in dose_patients(doses, 5000, 0, "10:00:10")]
    with Flow(gateway_settings=f"batch = 1\nrate = {rate}").begin(
            refill_patients(people) + four_times, limit_s=60) as stack:
        stack.copies[0].stop()
        stack.move_offset("2026-03-02T17:58:00+08:00")
        stack.sql("UPDATE agenda SET class = 0 WHERE patient_id IN (SELECT "
                  "patient_id FROM prescription WHERE source_id LIKE 'm%' "
                  f"ORDER BY patient_id LIMIT {urgent})")
        first = {row[0] for row in stack.sql(
            "SELECT p.source_id FROM agenda a JOIN patient p USING (bucket, "
            "patient_id) WHERE a.class = 0")}
        stack.copies[0].start()
        wait_until(lambda: len(stack.of("aliyun")) > rate, 20, "it drains")
        # what falls due meanwhile is not starved
        stack.move_clock("2026-03-02T20:00:00+08:00")
        wait_until(lambda: len(stack.of("loopback")) == doses, 10,
                   "ordinary traffic")
        stack.delivered(people + doses, 60)
        entries = stack.of("aliyun")
        assert most_in_a_second(entries) <= rate, most_in_a_second(entries)
        numbers = [f"p{int(e['address'][6:])}" for e in entries]
        late = [n for n in first if n in numbers and
                numbers.index(n) > people / 5]
        assert not late, f"urgent ones came late: {late}"
        # the doses of the night are over, each with its line
        assert stack.sql("SELECT state, reason, count(*) FROM delivery WHERE "
                         "kind = 1 AND due_at < '2026-03-02 20:00+08' GROUP "
                         "BY 1, 2")[0][0] in ("2", "10")
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE kind = 1 AND state = 7 AND "
            "due_at < '2026-03-02 19:59+08'") == 0
        record(39, f"eight hours down, {people + doses} due, most in a "
               f"second {most_in_a_second(entries)} of {rate}", seed=SEED,
               **from_stack(stack, people + doses))


if __name__ == "__main__":
    print(f"# seed {SEED}")
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
