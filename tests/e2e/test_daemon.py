#!/usr/bin/env python3
"""The daemon from end to end: prescriptions in, reminders out through the
provider's protocol, answers and receipts back."""

import json
import signal
import subprocess
import sys
import time

from stack import (SAMPLES, Key, Stack, Tap, encode_reference, fill, get_json,
                   post, refill_patients, wait_until)

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"


def states(stack):
    return {int(state): int(count) for state, count in stack.sql(
        "SELECT state, count(*) FROM delivery GROUP BY 1")}


def ready_stack(count=1, **options):
    options.setdefault("settings", QUICK)
    return Stack(BEGIN, **options).begin(refill_patients(count))


def test_the_chinese_clinic_hears_on_the_phone():
    # a request a message: two of them share a phone, and the checker must
    # tell them apart
    with Stack("2026-03-02T09:59:55+08:00", settings=QUICK,
               gateway_settings="batch = 1") as stack:
        stack.copies[0].start()
        stack.import_fhir("clinic", SAMPLES / "cn-clinic-transaction.json")
        wait_until(lambda: len(stack.entries()) >= 3, 30, "three messages")
        wait_until(lambda: states(stack).get(7, 0) >= 3, 20, "receipts")
        texts = {e["address"]: e["text"] for e in stack.entries()}
        # patient 11 runs out on 03-09: seven days before, by SMS
        assert "【示例医院】" in texts["+8619900000001"], texts
        assert "3月9日" in texts["+8619900000001"], texts
        # 04 is dead, 09 denies SMS
        numbers = " ".join(texts)
        assert "+8619900000004" not in numbers
        stack.check_ledger()


def test_what_the_dry_run_said_is_what_was_sent():
    with Stack("2026-03-02T07:00:00+08:00", settings=QUICK) as stack:
        stack.copies[0].start()
        stack.import_fhir("clinic", SAMPLES / "cn-clinic-transaction.json")
        stack.wait_looked_at()
        said = stack.ctl("plan", "--fhir",
                         SAMPLES / "cn-clinic-transaction.json",
                         "--from", "2026-03-02", "--days", "1", "--json")
        wanted = sorted(
            (line["patient"], line["kind"], line["stage"],
             tuple(line["items"]))
            for line in map(json.loads, said.splitlines())
            if line["action"] == "send" and line["channel"] == "sms"
            and "T07:" <= line["at"][10:14] < "T21")
        assert wanted
        for hour in range(8, 21):
            for minute in (0, 32):
                stack.move_clock(f"2026-03-02T{hour:02d}:{minute:02d}:00"
                                 "+08:00")
                wait_until(stack.at_rest, 20, "all is sent")
                # the second kind of one instant leaves 2 minutes later
                stack.move_clock("+2m")
                wait_until(stack.at_rest, 20, "all is sent")
        # who has another channel in the dry run gets SMS here, and what was
        # due before that day is still valid for a daemon that just began
        by_sms = {row[0] for row in wanted}
        got = [row for row in stack.sql(
            "SELECT p.source_id, d.kind, d.stage FROM delivery d JOIN "
            "patient p USING (bucket, patient_id) WHERE d.state <> 2 AND "
            "d.due_at >= '2026-03-02T00:00+08'") if row[0] in by_sms]
        kinds = {"1": "dose", "2": "refill", "3": "renewal",
                 "4": "follow_up"}
        stages = {"1": "due", "2": "-14d", "3": "-7d", "4": "-3d",
                  "5": "-1d", "6": "0d", "7": "+1d", "8": "+7d"}
        sent = sorted((who, kinds[kind], stages[stage])
                      for who, kind, stage in got)
        assert sent == sorted(row[:3] for row in wanted), (
            f"sent {sent}\nsaid {wanted}")


def test_a_batch_goes_out_in_one_request_and_each_gets_its_receipt():
    with ready_stack(30) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {7: 30}, 20, "30 delivered")
        requests = {e["request"] for e in stack.entries()}
        assert len(requests) < 10, requests
        assert len({e["address"] for e in stack.entries()}) == 30


def test_refused_number_is_not_used_again():
    with ready_stack(2, gateway_settings="batch = 1") as stack:
        stack.fault(fault="code", code="isv.MOBILE_NUMBER_ILLEGAL",
                    message="x", count=1)
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {4: 1, 7: 1}, 20, "one of two")
        assert stack.number(
            "SELECT count(*) FROM contact WHERE NOT usable") == 1
        run = stack.ctl("check", "dossiers", check=False)
        assert run.returncode == 0, run.stdout


def test_throttled_gateway_waits_and_tries_again():
    with ready_stack(3, gateway_settings="batch = 1") as stack:
        stack.fault(fault="status", status=429, code="Throttling.User",
                    message="x", retry_after="2", count=1)
        stack.move_clock(DUE)
        wait_until(lambda: states(stack).get(5, 0) >= 1, 20, "a retry")
        assert stack.number("SELECT count(*) FROM gateway_pause") == 1
        stack.move_clock("+2m")
        wait_until(lambda: states(stack) == {7: 3}, 90, "all delivered")
        assert not get_json(f"{stack.sim}/ledger/duplicates")["by_reference"]


def test_dead_provider_loses_nothing():
    with ready_stack(3) as stack:
        stack.sim_process.terminate()
        stack.sim_process.wait()
        stack.move_clock(DUE)
        wait_until(lambda: states(stack).get(5, 0) >= 1, 20, "a retry")
        assert 6 not in states(stack), "refused connections are sure"
        stack.start_sim()
        stack.move_clock("+2m")
        wait_until(lambda: states(stack) == {7: 3}, 90, "all delivered")


def test_silent_provider_is_asked_and_repeats_nothing_it_has():
    # asked later than it is given up: so that "unknown" can be seen
    with ready_stack(1, settings=QUICK.replace(
            "ask-after = 1s", "ask-after = 4s")) as stack:
        stack.fault(fault="silent", count=1)
        stack.fault(fault="receipts_off")
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {6: 1}, 20, "unknown")
        wait_until(lambda: states(stack) in ({7: 1}, {3: 1}), 20,
                   "the provider had it")
        assert len(stack.entries()) == 1
        assert stack.number(
            "SELECT count(*) FROM delivery WHERE repeated") == 0


def test_garbage_is_unknown_and_repeated_once_at_most():
    with ready_stack(2, gateway_settings="batch = 1") as stack:
        stack.fault(fault="garbage", form="cut")
        stack.fault(fault="receipts_off")
        stack.move_clock(DUE)
        # taken, answered with half a body: nobody knows, the provider does
        wait_until(lambda: len(stack.entries()) >= 2, 20, "both were taken")
        wait_until(lambda: stack.at_rest() and
                   not {1, 5} & set(states(stack)),
                   20, "nothing is on its way")
        assert states(stack) == {6: 2}, states(stack)
        # that nothing happens takes time to see: asked several times by then
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert len(stack.entries()) <= 4
            time.sleep(0.2)
        stack.check_ledger()


def test_receipts_three_times_in_any_order_and_of_strangers():
    with ready_stack(5) as stack:
        stack.fault(fault="receipts_triple")
        stack.fault(fault="receipts_unknown")
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {7: 5}, 20, "5 delivered")
        assert stack.number("SELECT count(*) FROM inbox WHERE state = 1") == 5


def test_a_poisoned_receipt_stops_no_other():
    with ready_stack(1) as stack:
        stack.fault(fault="receipts_off")
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {3: 1}, 20, "accepted")
        entry = stack.entries()[0]
        secret = (stack.folder / "callback").read_text().strip()
        poison = [encode_reference(Key(1, 1, day, 2, 1, 4, 4))
                  for day in (-3000000, 5999999, 2147483647)]
        items = [{
            "phone_number": "19900000001", "success": True,
            "send_time": "2026-03-02 10:00:00",
            "report_time": "2026-03-02 10:00:05", "err_code": "DELIVERED",
            "sms_size": "1", "biz_id": entry["message_id"],
            "out_id": reference}
            for reference in [*poison, "x" * 200, entry["reference"]]]
        status, _ = post(f"http://127.0.0.1:{stack.ports[0][0]}/callback/sms/"
                         f"{secret}", json.dumps(items))
        assert status == 200, status
        wait_until(lambda: states(stack) == {7: 1}, 10, "delivered")


def test_receipt_before_the_answer_is_joined():
    with ready_stack(1) as stack:
        stack.fault(fault="receipts_early")
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {7: 1}, 20, "delivered")


def test_consent_withdrawn_before_the_hour_is_obeyed():
    with ready_stack(2) as stack:
        stack.ctl("consent", "p1", "--topic", "refill", "--channel", "sms",
                  "--deny")
        stack.move_clock(DUE)
        wait_until(lambda: states(stack).get(7) == 1, 20, "one delivered")
        time.sleep(1)
        assert [e["address"] for e in stack.entries()] == ["+8619900000002"]
        held = stack.sql("SELECT reason, channel FROM delivery "
                         "WHERE state = 2")
        assert held == [["11", "0"]], held  # on the first channel
        stack.check_ledger()


def test_a_fill_silences_the_rest_of_the_ladder():
    with ready_stack(1) as stack:
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {7: 1}, 20, "-7d")
        stack.move_clock("2026-03-05T12:00:00+08:00")
        stack.import_bundle("clinic", refill_patients(1)
                            + [fill(1, "2026-03-05")])
        for day in (6, 8, 10):
            stack.move_clock(f"2026-03-{day:02d}T10:00:05+08:00")
            time.sleep(0.5)
        assert len(stack.entries()) == 1


def test_unapproved_text_is_held():
    with ready_stack(1) as stack:
        stack.sql("UPDATE template_registration SET text_hash = "
                  "sha256('another text')")
        stack.copies[0].stop()
        stack.copies[0].start()
        stack.move_clock(DUE)
        wait_until(lambda: states(stack) == {2: 1}, 20, "held")
        assert stack.entries() == []
        # the first channel in the order says why: there is no contact
        assert stack.sql("SELECT reason FROM delivery") == [["11"]]
        assert stack.entries() == []


def test_sigterm_ends_in_order():
    # receipts that find it stopped come again after 3 s, not after a minute
    with ready_stack(40, gateway_settings="window = 2\nbatch = 1",
                     sim_options=("--retry-scale", "0.05")) as stack:
        stack.fault(fault="delay", ms=100)
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) >= 3, 20, "some are sent")
        assert stack.copies[0].stop() == 0
        assert stack.number("SELECT count(*) FROM batch") == 0
        assert stack.number("SELECT count(*) FROM delivery WHERE state IN "
                            "(1, 6)") == 0
        assert stack.number("SELECT count(*) FROM copy") == 0
        stack.copies[0].start()
        stack.move_clock("+2m")
        wait_until(lambda: states(stack) == {7: 40}, 60, "the rest")
        assert len(stack.entries()) == 40


def test_frozen_longer_than_its_lease_it_sends_nothing():
    with ready_stack(40, gateway_settings="window = 1\nbatch = 1",
                     copies=2) as stack:
        stack.copies[1].stop()
        stack.fault(fault="delay", ms=100)
        stack.move_clock(DUE)
        wait_until(lambda: len(stack.entries()) >= 3, 20, "some are sent")
        stack.copies[0].process.send_signal(signal.SIGSTOP)
        stack.copies[1].start()
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state IN (1, 6)") == 0
            and states(stack).get(7, 0) + states(stack).get(3, 0) == 40, 60,
            "the other copy did it")
        stack.copies[0].process.send_signal(signal.SIGCONT)
        time.sleep(3)
        stack.check_ledger()


def test_wrong_secret_gets_404_and_changes_nothing():
    with ready_stack(0) as stack:
        base = f"http://127.0.0.1:{stack.ports[0][0]}/callback/sms"
        for path in ("/wrong", "", "/", "/a-callback-secret-of-22-character"):
            status, _ = post(base + path, "[]")
            assert status == 404, (path, status)
        secret = (stack.folder / "callback").read_text().strip()
        status, _ = post(f"{base}/{secret}", "not json")
        assert status >= 400, status
        assert stack.number("SELECT count(*) FROM inbox") == 0


def test_callback_that_cannot_be_stored_gets_503():
    with ready_stack(0) as stack:
        secret = (stack.folder / "callback").read_text().strip()
        url = f"http://127.0.0.1:{stack.ports[0][0]}/callback/sms/{secret}"
        report = json.dumps([{
            "phone_number": "19900000001", "success": True,
            "send_time": "2026-03-02 10:00:00",
            "report_time": "2026-03-02 10:00:05", "err_code": "DELIVERED",
            "sms_size": "1", "biz_id": "1^0", "out_id": "aedqdqfyaibacbae"}])
        stack.cluster.run("stop", "fast")
        status, _ = post(url, report)
        assert status == 503, status
        assert post(f"{stack.copies[0].admin}/-/ready", "")[0] != 200
        stack.cluster.run("start")
        wait_until(stack.copies[0].ready, 20, "ready again")
        status, _ = post(url, report)
        assert status == 200, status
        status, _ = post(url, report)
        assert status == 200, status
        assert stack.number("SELECT count(*) FROM inbox") == 1


def test_moved_clock_is_refused_outside_tests():
    with ready_stack(0) as stack:
        stack.copies[0].stop()
        path = stack.folder / "adherd-0.conf"
        path.write_text(path.read_text().replace("test-clock = yes", ""))
        run = subprocess.run([stack.build / "adherd", "-c", path],
                             capture_output=True, text=True, timeout=20,
                             check=False)
        assert run.returncode == 78, run
        assert "test-clock" in run.stderr
        run = subprocess.run(
            [stack.build / "adherd", "-c", path, "--care-time", BEGIN],
            capture_output=True, text=True, timeout=20, check=False)
        assert run.returncode == 78, run


def test_schema_that_is_missing_is_named():
    with ready_stack(0) as stack:
        stack.copies[0].stop()
        stack.sql("DROP TABLE inbox")
        run = subprocess.run(
            [stack.build / "adherd", "-c", stack.folder / "adherd-0.conf"],
            capture_output=True, text=True, timeout=20, check=False)
        assert run.returncode == 78, run
        assert "adherctl migrate" in run.stderr, run.stderr


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
