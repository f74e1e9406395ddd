"""A recall: a product is stopped while its reminders leave at full speed.
Run with few people by test_stop.py, with 10,000 by tests/faults/
test_recall.py."""

import datetime
import json
import time

from stack import (Key, Stack, consent, encode_reference, fill, get_json,
                   patient, prescription, wait_until)

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
RECALLED, OTHER = "C08CA01", "C09AA05"
BUNDLE = 1000       # people in one
LOOK_S = 1.0        # a copy looks every 0.2 s, and its round takes a while
SINGLY = "window = 16\nbatch = 1"
SETTINGS = "lease = 20s\nrequest = 2s\nclaim-max = 200\n"


def drug(resource, code, name):
    resource["medicationCodeableConcept"] = {"coding": [{
        "system": "http://www.whocc.no/atc", "code": code}], "text": name}
    return resource


def other(number):
    """The second product: its prescription and its fill."""
    order = drug(prescription(number), OTHER, "雷米普利片 5mg")
    order["id"] = f"n{number}"
    given = drug(fill(number, "2026-02-09"), OTHER, "雷米普利片 5mg")
    given["id"] = f"e{number}"
    given["authorizingPrescription"] = [
        {"reference": f"MedicationRequest/n{number}"}]
    return [order, given]


def has(number):
    """Seven in ten take the recalled product, two another, one takes both."""
    return ({RECALLED} if number % 10 < 7 else
            {OTHER} if number % 10 < 9 else {RECALLED, OTHER})


def person(number):
    made = [patient(number), consent(number)]
    if RECALLED in has(number):
        made += [prescription(number), fill(number, "2026-02-09")]
    if OTHER in has(number):
        made += other(number)
    return made


def import_people(stack, count):
    for first in range(1, count + 1, BUNDLE):
        stack.import_bundle("clinic", [
            resource for number in range(first, min(first + BUNDLE, count + 1))
            for resource in person(number)])
    stack.wait_looked_at(120)
    assert stack.number("SELECT count(*) FROM delivery") == 0


def messages(stack):
    """What the provider took: (when, person, drugs it spoke of)."""
    spoken = {}
    for row in stack.sql(
            "SELECT d.bucket, d.patient_id, d.occurrence_on - date "
            "'1970-01-01', d.kind, d.source, d.slot, d.channel, "
            "p.source_id, string_agg(r.drug, ' ') FROM delivery d "
            "JOIN patient p USING (bucket, patient_id) "
            "CROSS JOIN generate_series(1, array_length(d.items, 1), 3) i "
            "JOIN prescription r ON r.bucket = d.bucket AND r.patient_id = "
            "d.patient_id AND r.prescription_no = d.items[i] "
            "WHERE d.channel > 0 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"):
        key = encode_reference(Key(*map(int, row[:7])))
        spoken[key] = (int(row[7][1:]), {name.rpartition("|")[2]
                                         for name in row[8].split()})
    return [(datetime.datetime.fromisoformat(entry["at"]).timestamp(),
             *spoken[entry["reference"]]) for entry in stack.entries()]


def told(stack, product):
    """Who heard of it, once for each time."""
    return sorted(number for _, number, drugs in messages(stack)
                  if product in drugs)


def held(stack):
    """Who does not hear of the recalled product for the stop alone: held by
    plan, or given back by dispatch and waiting."""
    return sorted(int(row[0][1:]) for row in stack.sql(
        "SELECT p.source_id FROM delivery d JOIN patient p "
        "USING (bucket, patient_id) WHERE (d.state = 2 AND d.reason = 5) "
        "OR (d.state = 5 AND d.code = 'stopped_by_operator')"))


def settle(stack):
    """Twice: a second message to somebody keeps its two minutes."""
    wait_until(stack.at_rest, 120, "all is sent or held")
    stack.move_clock("+2m")
    wait_until(stack.at_rest, 120, "the second ones are, too")


def stop_in_the_middle(stack, count):
    """Returns when the stop was surely not yet, and when it surely was."""
    stack.move_clock(DUE)
    wait_until(lambda: get_json(f"{stack.sim}/ledger/summary")["messages"] >
               count // 5, 60, "a fifth has left")
    before = time.time()
    stack.ctl("stop", "--product", RECALLED, "--reason", "lot 7", "--by",
              "ann")
    return before, time.time()


def check_stopped(stack, count, before, after):
    takers = [n for n in range(1, count + 1) if RECALLED in has(n)]
    late = [when - before for when, _, drugs in messages(stack)
            if RECALLED in drugs and when > before]
    print(f"# {count} people, stop after {len(told(stack, RECALLED))} of "
          f"{len(takers)}; {len(late)} left after adherctl began, the last "
          f"{max(late, default=0):.2f} s, it ended {after - before:.2f} s")
    assert not [s for s in late if s > after - before + LOOK_S], late[-5:]
    # everybody either heard of it or is held, nobody both, nobody neither
    assert held(stack), "it came too late to be a test"
    assert sorted(told(stack, RECALLED) + held(stack)) == takers
    # the other product went on, alone where both were due
    assert told(stack, OTHER) == [
        n for n in range(1, count + 1) if OTHER in has(n)]
    assert any(when > after for when, _, drugs in messages(stack)
               if OTHER in drugs), "the others were over before"


def check_resumed(stack, count):
    waiting = len(held(stack))
    said = [json.loads(line) for line in stack.ctl(
        "resume", "--product", RECALLED, "--json", check=False).stdout
        .splitlines()]
    assert said[-1] == {"what": "waiting", "people": waiting,
                        "messages": waiting}, said
    assert said[1]["kind"] == "refill" and waiting == \
        said[1]["at_once"] + said[1]["within_24_h"], said
    assert stack.number("SELECT count(*) FROM stop WHERE ended_at IS NULL") \
        == 1, "the preview alone ended it"
    stack.ctl("resume", "--product", RECALLED, "--yes", "--by", "bob")
    settle(stack)
    assert told(stack, RECALLED) == [
        n for n in range(1, count + 1) if RECALLED in has(n)]
    assert stack.number("SELECT count(*) FROM agenda WHERE stopped") == 0
    assert stack.sql("SELECT drug, reason, began_by, ended_by, "
                     "ended_at IS NOT NULL FROM stop") == [
        [RECALLED, "lot 7", "ann", "bob", "t"]]


def run(count, **options):
    with Stack(BEGIN, settings=SETTINGS,
               **{"gateway_settings": SINGLY, **options}) as stack:
        stack.fault(fault="delay", ms=15)
        for copy in stack.copies:
            copy.start()
        import_people(stack, count)
        before, after = stop_in_the_middle(stack, count)
        settle(stack)
        check_stopped(stack, count, before, after)
        check_resumed(stack, count)
        stack.check_ledger()
