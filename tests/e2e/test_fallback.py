#!/usr/bin/env python3
"""Whom a message reaches when its first channel does not carry it: the next
channel; and what several patients at one address may get."""

import json
import signal
import subprocess
import sys

from stack import (PSQL, Stack, Tap, consent, fill, patient, post,
                   prescription, refill_patients, wait_until)

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
MINI, SMS = "1", "4"
HELD, ACCEPTED, RETRY, DELIVERED, UNDELIVERED = (
    "2", "3", "5", "7", "8")


class Channels(Stack):
    """WeChat mini program by loopback, SMS by Aliyun; both have receipts."""

    def __init__(self, begin=BEGIN, mini="", mini_url=None, **options):
        self.mini = mini
        self.mini_url = mini_url
        options.setdefault("settings", QUICK)
        super().__init__(begin, **options)

    def write_config(self, number):
        path = super().write_config(number)
        with open(path, "a", encoding="utf-8") as out:
            out.write(f"""[gateway "mini"]
plugin = loopback
channel = wechat_mini
url = {self.mini_url or self.sim + "/loopback"}
plain-http = yes
callback-secret-file = {self.folder}/callback
{self.mini}
""")
        return path

    def start_sim(self, options=()):
        super().start_sim(("--loopback-callback", self.callback_url("mini"),
                           *options))

    def rows(self):
        """Channel and state of each delivery, in the order of channels."""
        return [tuple(row) for row in self.sql(
            "SELECT channel, state FROM delivery WHERE channel > 0 ORDER BY "
            "patient_id, occurrence_on, channel")]

    def reaches(self, rows, what, limit_s=20):
        wait_until(lambda: self.rows() == rows, limit_s,
                   f"{what}: {rows} (is {self.rows()})")

    def settle(self):
        wait_until(self.at_rest, 20, "nobody is due")

    def receipt(self, delivered):
        """What WeChat says of its one message, late."""
        entry = [e for e in self.entries() if e["endpoint"] == "loopback"][0]
        status, _ = post(self.callback_url("mini"), json.dumps([{
            "reference": entry["reference"],
            "message_id": entry["message_id"], "delivered": delivered,
            "code": "LATE"}]))
        assert status == 200, status
        wait_until(lambda: self.number(
            "SELECT count(*) FROM inbox WHERE state = 0 AND type = 1") == 0,
            10, "the receipt is worked off")
        self.settle()


def on_wechat(resource):
    resource["telecom"].append({
        "system": "other", "value": f"open-{resource['id']}",
        "extension": [{"url": "https://adherd.example/fhir/channel",
                       "valueCode": "wechat_mini"}]})
    return resource


def both_channels(count):
    return [on_wechat(r) if r["resourceType"] == "Patient" else r
            for r in refill_patients(count)]


def channels(resources=None, copies=1, faults=(), **options):
    return Channels(copies=copies, **options).begin(
        resources or both_channels(1), faults)


def endpoints(stack):
    return sorted(e["endpoint"] for e in stack.entries())


def test_undelivered_on_wechat_arrives_by_sms():
    with channels() as stack:
        stack.fault(fault="receipts_undelivered", endpoint="loopback",
                    code="REFUSED")
        stack.move_clock(DUE)
        stack.reaches([(MINI, UNDELIVERED), (SMS, DELIVERED)], "by SMS")
        said = stack.sql("SELECT items, due_at, valid_until FROM delivery")
        assert said[0] == said[1], said
        stack.check_ledger()


def test_phone_that_becomes_known_later_gets_what_wechat_lost():
    people = both_channels(1)
    phone = people[0]["telecom"].pop(0)
    assert phone["value"].startswith("+"), phone
    with channels(people) as stack:
        stack.fault(fault="receipts_undelivered", endpoint="loopback",
                    code="REFUSED")
        stack.move_clock(DUE)
        stack.reaches([(MINI, UNDELIVERED)], "nobody else can carry it")
        stack.settle()
        people[0]["telecom"].append(phone)
        stack.import_bundle("clinic", people)
        stack.reaches([(MINI, UNDELIVERED), (SMS, DELIVERED)], "by SMS")
        stack.check_ledger()


def test_refused_on_wechat_arrives_by_sms():
    with channels() as stack:
        stack.fault(fault="status", endpoint="loopback", status=400,
                    code="BAD", message="x")
        stack.move_clock(DUE)
        stack.reaches([(MINI, "4"), (SMS, DELIVERED)], "by SMS")
        stack.check_ledger()


def test_silence_of_four_hours_is_answered_by_sms():
    with channels() as stack:
        stack.fault(fault="receipts_off", endpoint="loopback")
        stack.move_clock(DUE)
        stack.reaches([(MINI, ACCEPTED)], "accepted")
        stack.move_clock("2026-03-02T13:59:00+08:00")
        stack.settle()
        assert endpoints(stack) == ["loopback"]
        stack.move_clock("2026-03-02T14:00:05+08:00")
        stack.reaches([(MINI, ACCEPTED), (SMS, DELIVERED)], "by SMS")
        # what the first channel says now settles the books, no more
        stack.receipt(delivered=False)
        assert stack.rows() == [(MINI, UNDELIVERED), (SMS, DELIVERED)]
        for hour in (18, 20):
            stack.move_clock(f"2026-03-02T{hour}:30:00+08:00")
            stack.settle()
        assert endpoints(stack) == ["aliyun", "loopback"]
        stack.check_ledger()


def test_late_delivery_ends_it():
    with channels() as stack:
        stack.fault(fault="receipts_off")
        stack.move_clock(DUE)
        stack.reaches([(MINI, ACCEPTED)], "accepted")
        stack.move_clock("2026-03-02T14:00:05+08:00")
        stack.reaches([(MINI, ACCEPTED), (SMS, ACCEPTED)], "by SMS")
        stack.receipt(delivered=True)
        assert stack.rows() == [(MINI, DELIVERED), (SMS, ACCEPTED)]
        stack.move_clock("2026-03-02T18:30:00+08:00")
        stack.settle()
        assert len(stack.entries()) == 2
        stack.check_ledger()


def test_receipt_in_time_costs_a_look_and_no_message():
    with channels(both_channels(2)[:-4] + refill_patients(1, first=2)
                  ) as stack:
        stack.move_clock(DUE)
        stack.reaches([(MINI, DELIVERED), (SMS, DELIVERED)], "delivered")
        stack.settle()
        # who has one channel is looked at once a message
        waits = ("SELECT attention, next_at < '2026-03-02T15:00+08' "
                 "FROM agenda ORDER BY patient_id")
        assert stack.sql(waits) == [["t", "t"], ["f", "f"]], stack.sql(waits)
        stack.move_clock("2026-03-02T14:00:05+08:00")
        stack.settle()
        assert stack.sql(waits) == [["f", "f"], ["f", "f"]], stack.sql(waits)
        assert len(stack.entries()) == 2


def test_fallback_waits_for_the_morning():
    # begun in the evening: what was due at 10:00 leaves at once
    with channels(begin="2026-03-02T19:58:00+08:00", faults=(
            {"fault": "receipts_off", "endpoint": "loopback"},)) as stack:
        stack.reaches([(MINI, ACCEPTED)], "accepted")
        stack.move_clock("2026-03-03T00:30:00+08:00")
        stack.settle()
        assert endpoints(stack) == ["loopback"]
        stack.move_clock("2026-03-03T08:00:05+08:00")
        stack.reaches([(MINI, ACCEPTED), (SMS, DELIVERED)], "by SMS")
        stack.check_ledger()


def test_withdrawn_and_done_get_no_fallback():
    with channels(both_channels(2)) as stack:
        stack.fault(fault="receipts_off", endpoint="loopback")
        stack.move_clock(DUE)
        stack.reaches([(MINI, ACCEPTED)] * 2, "accepted")
        stack.ctl("consent", "p1", "--topic", "refill", "--channel", "sms",
                  "--deny")
        stack.move_clock("2026-03-02T12:00:00+08:00")
        stack.import_bundle("clinic", both_channels(2)
                            + [fill(2, "2026-03-02")])
        stack.move_clock("2026-03-02T14:10:00+08:00")
        stack.settle()
        assert endpoints(stack) == ["loopback"] * 2
        stack.check_ledger()


def test_stopped_fallback_is_told_of_and_leaves_when_it_is_resumed():
    with channels(faults=({"fault": "receipts_off", "endpoint": "loopback"},)
                  ) as stack:
        stack.move_clock(DUE)
        stack.reaches([(MINI, ACCEPTED)], "on its way")
        assert "by sms" not in stack.ctl("plan", "p1", "--days", "1")
        stack.ctl("stop", "--kind", "refill")
        stack.move_clock("2026-03-02T14:00:05+08:00")
        stack.settle()
        stack.reaches([(MINI, ACCEPTED)], "stopped")
        run = stack.ctl("resume", "--kind", "refill", check=False)
        assert "refill -7d by sms, 1 at once" in run.stdout, run
        stack.ctl("resume", "--kind", "refill", "--yes")
        stack.reaches([(MINI, ACCEPTED), (SMS, DELIVERED)], "resumed")


def test_crash_in_the_middle_of_a_fallback_sends_no_third_message():
    with channels() as stack:
        stack.fault(fault="receipts_undelivered", endpoint="loopback",
                    code="REFUSED")
        stack.fault(fault="silent", endpoint="aliyun", count=1)
        stack.move_clock(DUE)
        wait_until(lambda: endpoints(stack) == ["aliyun", "loopback"], 20,
                   "the fallback is on its way")
        stack.copies[0].process.send_signal(signal.SIGKILL)
        stack.copies[0].process.wait()
        stack.copies[0].start()
        wait_until(lambda: (SMS, "1") not in stack.rows(), 30,
                   "the lease has lapsed")
        stack.reaches([(MINI, UNDELIVERED), (SMS, DELIVERED)],
                      "the provider had it", 30)
        assert endpoints(stack) == ["aliyun", "loopback"]
        stack.check_ledger()


def test_receipts_in_any_order_make_one_fallback():
    with channels(both_channels(5), gateway_settings="batch = 1") as stack:
        stack.fault(fault="receipts_undelivered", endpoint="loopback",
                    code="REFUSED")
        stack.fault(fault="receipts_triple")
        stack.fault(fault="receipts_shuffled")
        stack.move_clock(DUE)
        stack.reaches([(MINI, UNDELIVERED), (SMS, DELIVERED)] * 5, "by SMS")
        stack.settle()
        assert len(stack.entries()) == 10
        stack.check_ledger()


def test_unplugged_gateway_is_passed():
    with channels(mini_url="http://127.0.0.1:9/loopback") as stack:
        stack.move_clock(DUE)
        stack.reaches([(MINI, RETRY)], "refused connections are sure")
        stack.copies[0].stop()
        path = stack.folder / "adherd-0.conf"
        text = path.read_text()
        path.write_text(text[:text.index('[gateway "mini"]')])
        stack.copies[0].start()
        stack.move_clock("+2m")
        stack.reaches([(MINI, HELD), (SMS, DELIVERED)], "by SMS", 40)
        stack.check_ledger()


def test_dead_provider_is_passed_after_four_hours():
    with channels(mini_url="http://127.0.0.1:9/loopback") as stack:
        stack.move_clock(DUE)
        stack.reaches([(MINI, RETRY)], "a retry")
        for _ in range(20):
            if len(stack.rows()) > 1:
                break
            # each pause of the gateway is in real time
            stack.sql("UPDATE gateway_pause SET paused_until = '-infinity'")
            stack.move_clock("+30m")
            stack.settle()
        stack.reaches([(MINI, HELD), (SMS, DELIVERED)], "by SMS")
        stack.check_ledger()


# ---- one address, several patients ----

def two_messages(number, phone):
    """Two messages at 10:00: refill, run-out on 9 March, and renewal, on 16."""
    drugs = (("a", "2026-02-09", 3), ("b", "2026-02-16", 0))
    found = [patient(number, phone), consent(number)]
    for letter, handed_over, repeats in drugs:
        medicine = {"coding": [{
            "system": "http://www.whocc.no/atc", "code": f"X{letter}"}],
            "text": f"药{letter}"}
        found += [{**prescription(number, repeats), "id": f"m{number}{letter}",
                   "medicationCodeableConcept": medicine},
                  {**fill(number, handed_over),
                   "id": f"d{number}{letter}",
                   "medicationCodeableConcept": medicine,
                   "authorizingPrescription": [{
                       "reference": f"MedicationRequest/m{number}{letter}"}]}]
    return found


def taken(stack):
    found = {}
    for entry in stack.entries():
        found[entry["address"]] = found.get(entry["address"], 0) + 1
    return found


def test_one_phone_gets_three_messages_a_day_whoever_they_are_for():
    phone = "+8619900000042"
    # a request a message: the checker must tell sharers apart
    with channels(two_messages(1, phone) + two_messages(2, phone)
                  + two_messages(3, "+8619900000043"),
                  gateway_settings="batch = 1") as stack:
        for step in (DUE, "+3m", "+3m"):
            stack.move_clock(step)
            stack.settle()
        wait_until(lambda: taken(stack) == {phone: 3, "+8619900000043": 2},
                   20, "three on the shared phone")
        # the fourth is held for good, by its cap alone
        held = stack.sql("SELECT state, kind FROM delivery WHERE channel = 0 "
                         "AND kind IN (2, 3)")
        assert held == [[HELD, "3"]], held
        stack.move_clock("2026-03-02T18:00:00+08:00")
        stack.settle()
        assert taken(stack)[phone] == 3
        stack.check_ledger()


def refills(first, count, phone):
    """One message each."""
    return [patient(int(r["id"][1:]), phone)
            if r["resourceType"] == "Patient" else r
            for r in refill_patients(count, first=first)]


def with_open_id(number, phone, open_id):
    """One message, by WeChat while that may get any."""
    found = refills(number, 1, phone)
    on_wechat(found[0])["telecom"][-1]["value"] = open_id
    return found


def test_past_a_full_address_the_next_is_asked_about_too():
    """Eight a day on WeChat, three by SMS."""
    family, full, free = "open-family", "+8619900000042", "+8619900000043"
    first = two_messages(11, full) + two_messages(12, full)
    for number in range(1, 9):
        first += with_open_id(number, None, family)
    with channels(first, gateway_settings="batch = 1",
                  mini="batch = 1") as stack:
        for step in (DUE, "+3m", "+3m"):
            stack.move_clock(step)
            stack.settle()
        both = {family: 8, full: 3}
        wait_until(lambda: taken(stack) == both, 20,
                   f"both are full: {both} (is {taken(stack)})")
        stack.import_bundle("later", with_open_id(21, full, family)
                            + with_open_id(22, free, family)
                            + [patient(23, free)])
        wait_until(lambda: taken(stack) == {**both, free: 1}, 20,
                   "who has a phone with room is reached there")
        stack.settle()
        assert taken(stack) == {**both, free: 1}, taken(stack)
        stack.check_ledger()


def test_a_phone_of_hundreds_gets_three_and_one_of_a_thousand_none():
    ward, exchange = "+8619900000042", "+8619900000044"
    with channels(refills(1, 300, ward),
                  gateway_settings="batch = 1") as stack:
        stack.import_bundle("exchange", refills(301, 1001, exchange))
        stack.move_clock(DUE)
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE channel = 0 "
            f"AND state = {HELD}") == 297 + 1001, 60, "all but three are held")
        stack.settle()
        assert taken(stack) == {ward: 3}, taken(stack)
        assert "sharing.crowded" in stack.copies[0].log_text()


def test_two_copies_keep_the_cap_of_a_phone_between_them():
    phone = "+8619900000042"
    with channels(refills(1, 2, phone), copies=2, settings=QUICK
                  + "claim-max = 1\n", gateway_settings="batch = 1") as stack:
        for copy in (0, 1):
            stack.move_clock(DUE, copy)
        wait_until(lambda: taken(stack) == {phone: 2}, 20, "one is left")
        # both copies come as far as writing, each with somebody else
        barrier = subprocess.Popen(
            [PSQL, "-X", "-q", "-d", stack.dsn, "-c", "BEGIN; "
             "LOCK TABLE batch IN EXCLUSIVE MODE; SELECT pg_sleep(1.8); "
             "COMMIT"], stdout=subprocess.DEVNULL)
        wait_until(lambda: stack.sql(
            "SELECT 1 FROM pg_locks WHERE mode = 'ExclusiveLock' AND "
            "relation = 'batch'::regclass"), 5, "nobody can write")
        stack.import_bundle("other", refills(3, 4, phone))
        barrier.wait()
        stack.settle()
        assert taken(stack) == {phone: 3}, taken(stack)
        stack.check_ledger()


def test_data_goes_abroad_where_tenant_and_consent_allow_it():
    with channels(refill_patients(2), gateway_settings="abroad = yes"
                  ) as stack:
        stack.move_clock(DUE)
        stack.settle()
        wish = ("--topic", "refill,abroad", "--channel", "sms", "--permit")
        stack.ctl("consent", "p1", *wish)
        stack.settle()
        assert stack.entries() == []
        stack.copies[0].stop()
        stack.sql("UPDATE tenant SET abroad = true")
        stack.copies[0].start()
        # touched, but the second never said so
        stack.ctl("consent", "p2", "--topic", "refill", "--channel", "sms",
                  "--permit")
        stack.ctl("consent", "p1", *wish)
        stack.reaches([(SMS, DELIVERED)], "by consent")
        stack.settle()
        assert [e["address"] for e in stack.entries()] == ["+8619900000001"]
        stack.check_ledger()


if __name__ == "__main__":
    sys.exit(Tap().run([value for name, value in list(globals().items())
                        if name.startswith("test_")]))
