#!/usr/bin/env python3
"""Self-test of ledger_check.py: a private database with a clean run, then
one planted violation at a time; each must be named, and nothing else.

With ADHERD_DSN set that (empty, throw-away) database is used instead."""

import base64
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest.mock

import ledger_check
from ledger_check import (ANSWER, DOSE, FOLLOW_UP, PSQL, REFILL, Key,
                          blind_index, decode_reference, encode_reference)
from simulator import Tap

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = sorted((HERE / "../../migrations").glob("[0-9]*.sql"))
SMS = 4
ON = 20000  # days since 1970: 2024-10-04
# 10:00:01 in Shanghai; every planted instant is relative to it
AT = datetime.datetime(2024, 10, 4, 2, 0, 1, tzinfo=datetime.timezone.utc)


class Cluster:
    """A private PostgreSQL on a socket in a temporary folder."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="adherd-check-")
        self.data = os.path.join(self.folder, "data")
        self.user = (["runuser", "-u", "postgres", "--"]
                     if os.geteuid() == 0 else [])
        if self.user:
            shutil.chown(self.folder, "postgres")
        self.bin = subprocess.run(["pg_config", "--bindir"], text=True,
                                  capture_output=True,
                                  check=True).stdout.strip()
        self.command("initdb", "--no-sync", "-D", self.data, "-U", "adherd",
                     "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.command("pg_ctl", "-D", self.data, "-w", "-l",
                     os.path.join(self.folder, "log"), "-o",
                     f"-k {self.folder} -c listen_addresses='' -c fsync=off",
                     "start")
        self.dsn = f"host={self.folder} user=adherd dbname=postgres"

    def command(self, name, *arguments):
        subprocess.run([*self.user, os.path.join(self.bin, name), *arguments],
                       check=True, stdout=subprocess.DEVNULL, cwd="/")

    def close(self):
        self.command("pg_ctl", "-D", self.data, "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def psql(sql):
    subprocess.run([PSQL, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d",
                    os.environ["ADHERD_DSN"], "-f", "-"],
                   input=sql, text=True, check=True,
                   stdout=subprocess.DEVNULL)


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def at_text(seconds=0.0):
    return (AT + datetime.timedelta(seconds=seconds)).strftime(
        "%Y-%m-%dT%H:%M:%S.%fZ")


# ---- a clean run ----

FIRST = Key(7, 1, ON, REFILL, 1, 4, SMS)
SECOND = Key(9, 2, ON, FOLLOW_UP, 3, 2, SMS)
THIRD = Key(11, 3, ON, DOSE, 1, 36000, SMS)


def delivery_sql(key, *, state=7, reason=0, repeated=False, items=None,
                 sent=0.0, stage=4, index="11", more=""):
    items = items or [key.source, key.occurrence_on, key.slot]
    sent_at = "NULL" if sent is None else f"'{at_text(sent)}'"
    return f"""
INSERT INTO delivery (bucket, patient_id, occurrence_on, kind, source, slot,
    channel, tenant_id, stage, state, reason, repeated, items, gateway,
    address_index, due_at, valid_until, planned_at, sent_at, provider_id)
VALUES ({key.bucket}, {key.patient_id}, date '1970-01-01'
    + {key.occurrence_on}, {key.kind}, {key.source}, {key.slot},
    {key.channel}, 1, {stage}, {state}, {reason}, {repeated},
    ARRAY{items}, 'loopback', decode(repeat('{index}', 16), 'hex'),
    '{at_text(-1)}', '{at_text(3000)}', '{at_text(-0.1)}', {sent_at},
    'p-{key.patient_id}');
{more}"""


def person_sql(bucket, patient_id):
    return f"""
INSERT INTO patient (bucket, patient_id, tenant_id, source_id, zone, locale)
VALUES ({bucket}, {patient_id}, 1, 'p{patient_id}', 'Asia/Shanghai',
    'zh-CN');
INSERT INTO consent (bucket, patient_id, consent_no, rule_no, tenant_id,
    given_at, permit, topics, channels, actor)
VALUES ({bucket}, {patient_id}, 1, 1, 1, '{at_text(-86400)}', true, 7, 30, 1);
INSERT INTO agenda (bucket, patient_id, tenant_id, class, next_at)
VALUES ({bucket}, {patient_id}, 1, 1, now() + interval '1 hour');"""


BASE = ("TRUNCATE delivery, inbox, patient, consent, batch, agenda, program;"
        + person_sql(7, 1) + person_sql(9, 2) + person_sql(11, 3)
        + delivery_sql(FIRST) + delivery_sql(SECOND, index="22")
        + delivery_sql(THIRD, index="33", stage=1))


def entry(key, seq, *, seconds=0.0, **changes):
    return {"seq": seq, "at": at_text(seconds), "endpoint": "loopback",
            "request": seq, "reference": encode_reference(key),
            "address": f"+861380000000{key.patient_id}", "text": "…",
            **changes}


def callback(*keys, status=200, seq=1):
    return {"seq": seq, "status": status, "acknowledged": status == 200,
            "items": [{"reference": encode_reference(key),
                       "message_id": f"lo-{key.patient_id}", "known": True}
                      for key in keys]}


def clean_entries():
    return [entry(FIRST, 1), entry(SECOND, 2), entry(THIRD, 3)]


def run(sql="", entries=None, callbacks=None, arguments=(), people=None,
        keyring=None):
    """Exit status and the violations found, by promise."""
    psql(BASE + sql)
    if entries is None:
        entries = clean_entries()
    if callbacks is None:
        callbacks = [callback(FIRST, SECOND)]
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, lines in (("ledger", entries), ("callbacks", callbacks)):
            paths[name] = os.path.join(folder, name)
            with open(paths[name], "w", encoding="utf-8") as out:
                out.writelines(json.dumps(line) + "\n" for line in lines)
        if people:
            paths["people"] = os.path.join(folder, "people")
            with open(paths["people"], "w", encoding="utf-8") as out:
                json.dump(people, out)
            arguments = [*arguments, "--people", paths["people"]]
        if keyring:
            paths["keyring"] = os.path.join(folder, "keyring")
            with open(paths["keyring"], "w", encoding="ascii") as out:
                out.write(keyring)
            arguments = [*arguments, "--keyring", paths["keyring"]]
        result = subprocess.run(
            [sys.executable, HERE / "ledger_check.py", "--ledger",
             paths["ledger"], "--callbacks", paths["callbacks"], *arguments],
            capture_output=True, text=True, check=False)
    found = {}
    for line in result.stdout.splitlines():
        if " VIOLATED " in line:
            promise, _, what = line.split(" ", 2)
            found.setdefault(promise, []).append(what)
    assert result.returncode != 2, result.stderr
    equal(result.returncode, 1 if found else 0)
    return found


def catches(promise, words, **case):
    """This case violates this promise, with these words, and no other."""
    found = run(**case)
    equal(list(found), [promise])
    assert any(words in line for line in found[promise]), found


def update(key, assignment):
    return (f"UPDATE delivery SET {assignment} WHERE bucket = {key.bucket} "
            f"AND patient_id = {key.patient_id};")


# ---- references ----

def test_references_decode_to_their_key():
    # written out by hand: 01, bucket 0, patient 300 = ac 02, day -1 = 01,
    # kind 2, source 1, slot 86399 = ff a2 05, channel 4
    equal(decode_reference("aeakyaqbaia77iqfaq"),
          Key(0, 300, -1, 2, 1, 86399, 4))
    for key in (FIRST, Key(1023, 2**62, -25567, 5, 0, 0, 1)):
        equal(decode_reference(encode_reference(key)), key)
    for wrong in ("", "!", "aaaa", "aeakyaqbaia77iqf", "rem-000123"):
        try:
            decode_reference(wrong)
        except ledger_check.Undecodable:
            continue
        raise AssertionError(f"{wrong!r} was taken")


# ---- nothing to find ----

def test_clean_run_keeps_all_promises():
    equal(run(), {})


def test_counted_repeat_after_unknown_is_no_duplicate():
    equal(run(sql=update(FIRST, "repeated = true"),
              entries=clean_entries() + [entry(FIRST, 4, seconds=90)]), {})


def test_open_states_with_their_reason_are_fine():
    equal(run(sql=update(FIRST, "state = 6, code = 'timeout'")
              + update(SECOND, "state = 3"), callbacks=[]), {})


def test_young_sending_is_fine():
    equal(run(sql=update(FIRST, "state = 1, sent_at = now()"),
              callbacks=[]), {})


# ---- P1 ----

def test_p1_sending_beyond_the_lease():
    catches("P1", "sending beyond its lease",
            sql=update(FIRST, "state = 1"), callbacks=[])


def test_p1_unknown_without_a_reason():
    catches("P1", "unknown without a reason",
            sql=update(FIRST, "state = 6"), callbacks=[])


def test_p1_held_without_a_reason():
    catches("P1", "held without a reason",
            sql=update(FIRST, "state = 2"),
            entries=clean_entries()[1:], callbacks=[])


def test_p1_accepted_but_never_sent():
    catches("P1", "accepted but never sent",
            sql=update(FIRST, "state = 3, sent_at = NULL"), callbacks=[])


def test_p1_retry_past_its_validity():
    catches("P1", "retry past its validity",
            sql=update(FIRST, "state = 5, retry_at = due_at"),
            entries=clean_entries()[1:], callbacks=[])


def test_p1_lapsed_batch():
    catches("P1", "lapsed batch",
            sql="INSERT INTO batch VALUES (5, 'copy', "
                "now() - interval '1 minute', '{7}', '{1}');")


def test_p1_person_late():
    catches("P1", "person late: bucket=7",
            sql="UPDATE agenda SET next_at = now() - interval '1 minute' "
                "WHERE bucket = 7;")


# ---- P2 ----

def test_p2_sent_twice_without_a_counted_repeat():
    catches("P2", "sent 2 times",
            entries=clean_entries() + [entry(FIRST, 4, seconds=60)])


def test_p2_sent_three_times_with_one_repeat():
    catches("P2", "sent 3 times", sql=update(FIRST, "repeated = true"),
            entries=clean_entries() + [entry(FIRST, 4, seconds=90),
                                       entry(FIRST, 5, seconds=120)])


def test_p2_repeated_dose():
    catches("P2", "repeated where no repeat is allowed",
            sql=update(THIRD, "repeated = true"))


def test_p2_repeat_that_spends_a_credit():
    catches("P2", "repeated where no repeat is allowed",
            sql=update(FIRST, "repeated = true"),
            arguments=["--credit-gateways", "loopback"])


def test_p2_item_in_two_digests():
    other = FIRST._replace(source=2)
    catches("P2", "item said 2 times",
            sql=delivery_sql(other, items=[2, ON, 4, 1, ON, 4]),
            entries=clean_entries() + [entry(other, 4)])


def test_p2_entry_that_no_delivery_explains():
    stray = FIRST._replace(patient_id=99)
    catches("P2", "no delivery explains this entry: ledger seq=4",
            entries=clean_entries() + [entry(stray, 4)])
    catches("P2", "no delivery explains this entry: ledger seq=4",
            entries=clean_entries() + [entry(FIRST, 4, reference="rem-1")])


KEY_TEXT = base64.b64encode(bytes(range(32))).decode()
BATCH_MATE = FIRST._replace(bucket=13, patient_id=4)
PEOPLE = {"+8613800000001": "p1", "+8613800000004": "p4"}


def batch_entries(*more):
    """FIRST leads a batch whose second address is patient 4's."""
    return ([entry(FIRST, 1, request=1), entry(SECOND, 2), entry(THIRD, 3),
             entry(FIRST, 4, request=1, address="+8613800000004")]
            + list(more))


def test_batch_members_are_told_apart():
    sql = person_sql(13, 4) + delivery_sql(BATCH_MATE, index="44")
    equal(run(sql=sql, entries=batch_entries(), people=PEOPLE), {})


def test_p2_batch_member_sent_twice():
    sql = person_sql(13, 4) + delivery_sql(BATCH_MATE, index="44")
    again = entry(BATCH_MATE, 5, seconds=30)
    for people in (PEOPLE, None):  # None: learned from the single send
        catches("P2", "sent 2 times: bucket=13", sql=sql,
                entries=batch_entries(again), people=people)


KEYRING = f"1 {base64.b64encode(bytes(32)).decode()}\nindex {KEY_TEXT}\n"


def indexed(key):
    """The blind index that the key ring above gives this patient."""
    return ("UPDATE delivery SET address_index = decode('" + blind_index(
        bytes(range(32)), 1, SMS, f"+861380000000{key.patient_id}")
        + f"', 'hex') WHERE patient_id = {key.patient_id};")


def test_index_is_that_of_the_daemon():
    # printed by keyring_index() for this key, tenant 1, "sms"
    equal(blind_index(bytes(range(32)), 1, SMS, "+8619900000001"),
          "37217815291e340057989496f541d0a1")


def test_batch_members_are_told_apart_by_their_index():
    sql = (person_sql(13, 4) + delivery_sql(BATCH_MATE, index="44")
           + "".join(map(indexed, (FIRST, SECOND, THIRD, BATCH_MATE))))
    equal(run(sql=sql, entries=batch_entries(), keyring=KEYRING), {})
    again = [entry(FIRST, 5, request=5, seconds=30,
                   address="+8613800000004"),
             entry(FIRST, 6, request=5, seconds=30, address="+8613800000009")]
    found = run(sql=sql, entries=batch_entries(*again), keyring=KEYRING)
    equal(list(found), ["P2"])
    assert any("sent 2 times: bucket=13" in line for line in found["P2"])
    assert any("explains this entry: ledger seq=6" in line
               for line in found["P2"]), found


# ---- P3 ----

def test_p3_receipt_that_was_answered_and_not_stored():
    catches("P3", "receipt answered 200 and not stored",
            sql=update(FIRST, "state = 3"))


def test_p3_receipt_for_an_unknown_id_that_was_not_kept():
    stray = FIRST._replace(patient_id=99)
    catches("P3", "message_id=lo-99",
            callbacks=[callback(stray, status=204)])


def test_receipt_in_the_inbox_or_refused_is_fine():
    inbox = ("INSERT INTO inbox (event_key, tenant_id, gateway, type, "
             "received_at, reference, next_at) VALUES (decode(repeat('ab', "
             f"32), 'hex'), 1, 'loopback', 1, now(), "
             f"'{encode_reference(FIRST)}', now());")
    equal(run(sql=update(FIRST, "state = 3") + inbox), {})
    equal(run(sql=update(FIRST, "state = 3"),
              callbacks=[callback(FIRST, status=503)]), {})


# ---- P4 ----

def test_p4_consent_withdrawn_before():
    catches("P4", "no consent",
            sql="UPDATE consent SET withdrawn = true, permit = false, "
                f"withdrawn_at = '{at_text(-60)}' WHERE bucket = 7;")


def test_p4_never_consented_to_this_channel_or_topic():
    for change in ("channels = 2", "topics = 1", "permit = false",
                   f"until_at = '{at_text(-60)}'"):
        catches("P4", "no consent",
                sql=f"UPDATE consent SET {change} WHERE bucket = 7;")


def test_p4_newer_refusal_beats_older_consent():
    catches("P4", "no consent",
            sql="INSERT INTO consent (bucket, patient_id, consent_no, "
                "rule_no, tenant_id, given_at, permit, topics, channels, "
                f"actor) VALUES (7, 1, 2, 1, 1, '{at_text(-60)}', false, 2, "
                "16, 1);")


def test_withdrawal_after_the_claim_is_no_violation():
    equal(run(sql="UPDATE consent SET withdrawn = true, "
                  f"withdrawn_at = '{at_text(5)}' WHERE bucket = 7;"), {})


def test_p4_dead_or_inactive():
    catches("P4", "the patient had died",
            sql=f"UPDATE patient SET deceased_at = '{at_text(-60)}' "
                "WHERE bucket = 7;")
    catches("P4", "the patient was inactive",
            sql="UPDATE patient SET active = false WHERE bucket = 7;")


def test_p4_after_its_time():
    catches("P4", "after its time",
            entries=[entry(FIRST, 1, seconds=3600)] + clean_entries()[1:])


def test_p4_outside_the_hours():
    shift = 12 * 3600  # 22:00
    late = [entry(FIRST, 1, seconds=shift)] + clean_entries()[1:]
    sql = update(FIRST, f"valid_until = valid_until + interval '{shift} s'")
    catches("P4", "outside the hours", sql=sql, entries=late)
    # a dose until 22:30, and any hour where the consent says so
    shift = 13 * 3600
    sql = update(THIRD, f"valid_until = valid_until + interval '{shift} s'")
    late = clean_entries()[:2] + [entry(THIRD, 3, seconds=shift)]
    catches("P4", "outside the hours", sql=sql, entries=late)
    equal(run(sql=sql + "UPDATE consent SET topics = 23 WHERE bucket = 11;",
              entries=late), {})


def test_entries_are_judged_by_the_clock_of_their_moment():
    # ten hours were leapt over after they were sent
    sql = ("CREATE TABLE care_clock_history (at timestamptz, offset_us "
           f"bigint); INSERT INTO care_clock_history VALUES "
           f"('{at_text(-60)}', 0), ('{at_text(30)}', 36000000000);")
    try:
        arguments = ["--care-offset-s", "36000"]
        equal(run(sql=sql, arguments=[*arguments, "--late-s", "99999"]), {})
        sql = sql.replace(at_text(30), at_text(-30))
        found = run(sql="DROP TABLE care_clock_history;" + sql,
                    arguments=[*arguments, "--late-s", "99999"])
        equal(list(found), ["P4"])
        assert any("after its time" in line for line in found["P4"]), found
    finally:
        psql("DROP TABLE IF EXISTS care_clock_history")


def test_p4_held_and_sent():
    catches("P4", "held, and sent all the same",
            sql=update(FIRST, "state = 2, reason = 10"), callbacks=[])


def test_answers_need_no_consent():
    key = Key(7, 1, ON, ANSWER, 0, 1, SMS)
    equal(run(sql=delivery_sql(key, stage=0)
              + "UPDATE consent SET topics = 2 WHERE bucket = 7;",
              entries=clean_entries() + [entry(key, 4)]), {})


# ---- without a database ----

def test_no_database_is_no_success():
    with unittest.mock.patch.dict(os.environ, {"ADHERD_DSN": "port=1"}):
        equal(subprocess.run(
            [sys.executable, HERE / "ledger_check.py", "--ledger",
             os.devnull], capture_output=True, check=False).returncode, 2)


def main():
    cluster = None
    if not os.environ.get("ADHERD_DSN"):
        cluster = Cluster()
        os.environ["ADHERD_DSN"] = cluster.dsn
    try:
        for path in SCHEMA:
            psql(path.read_text(encoding="utf-8"))
        return Tap().run([value for name, value in globals().items()
                          if name.startswith("test_")])
    finally:
        if cluster:
            cluster.close()


if __name__ == "__main__":
    sys.exit(main())
