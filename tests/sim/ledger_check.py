#!/usr/bin/env python3
"""Hold the simulator's ledger against the database after a fault run.

    ADHERD_DSN=… ledger_check.py --sim http://127.0.0.1:PORT
    ADHERD_DSN=… ledger_check.py --ledger FILE [--callbacks FILE]

Four promises are checked, each from facts that adherd did not report of
itself: what the provider took and what it was answered.

P1  nothing lost: every delivery is over, or accepted, or unknown with its
    reason; none is `sending` longer than lease + look, no lapsed batch and
    no late person is left, no retry outlives its validity
P2  no silent duplicate: of one occurrence on one channel at most one entry,
    two where its one repeat was counted and its kind allows one; the same
    for each item of a digest; no entry that no delivery explains
P3  acknowledged means stored: each receipt that was answered 2xx is in the
    inbox or shows in its delivery
P4  no wrong send: no entry for somebody dead, inactive or without consent,
    outside the hours, after its time, or for a delivery that was held

Times.  The ledger has real time, the database care time where patients are
concerned.  Where a test moves the clock, its database keeps the history of
the offset in care_clock_history (at, offset_us), and each entry is judged by
the offset of its moment; --care-offset-s holds before and without it.

Whose entry it is.  A reference covers one request, so in a batch it names
only the first address.  --keyring tells the others apart by the blind index
of their address; without it --people, or what single sends taught.

Prints counts and each violation by its keys, never an address or a text.
Exit status: 0 all promises kept, 1 violated, 2 could not check.
"""

import argparse
import base64
import bisect
import collections
import datetime
import hashlib
import hmac
import json
import os
import subprocess
import sys
import urllib.request
import zoneinfo

# the one in PATH is a script in another language, which takes 70 ms
PSQL = os.path.join(os.environ.get(
    "LOCAL_CLUSTER_BIN", "/usr/lib/postgresql/15/bin"), "psql")

# Numbers of daemon/care/dossier.h, stored in the tables.
DOSE, REFILL, RENEWAL, FOLLOW_UP, ANSWER = 1, 2, 3, 4, 5
SENDING, HELD, ACCEPTED, REJECTED, RETRY, UNKNOWN = 1, 2, 3, 4, 5, 6
DELIVERED, UNDELIVERED, UNCONFIRMED, EXPIRED = 7, 8, 9, 10
FINAL = {HELD, REJECTED, DELIVERED, UNDELIVERED, UNCONFIRMED, EXPIRED}
TOPIC = {DOSE: 1, REFILL: 2, RENEWAL: 2, FOLLOW_UP: 4}
TOPIC_ANY_HOUR = 16
HOURS = {DOSE: (6 * 3600, 22 * 3600 + 1800)}
HOURS_OTHER = (8 * 3600, 21 * 3600)
CHANNELS = {1: "wechat_mini", 2: "wechat_oa", 3: "push", 4: "sms",
            5: "wecom"}
LISTED_MAX = 50

Key = collections.namedtuple(
    "Key", "bucket patient_id occurrence_on kind source slot channel")


class Undecodable(ValueError):
    pass


def decode_reference(reference):
    """Our reference to a natural key: base32 of version 1, then varints."""
    try:
        data = base64.b32decode(
            reference.upper() + "=" * (-len(reference) % 8))
    except ValueError as error:
        raise Undecodable("no base32") from error
    if not data or data[0] != 1:
        raise Undecodable("not version 1")
    values, value, shift = [], 0, 0
    for byte in data[1:]:
        value |= (byte & 0x7f) << shift
        shift += 7
        if shift > 70:
            raise Undecodable("varint too long")
        if not byte & 0x80:
            values.append(value)
            value = shift = 0
    if shift or len(values) != len(Key._fields):
        raise Undecodable("not seven numbers")
    day = values[2]
    values[2] = (day >> 1) ^ -(day & 1)
    return Key(*values)


def encode_reference(key):
    """The inverse, for the self-test."""
    out = bytearray([1])
    for name, value in key._asdict().items():
        if name == "occurrence_on":
            value = value << 1 if value >= 0 else (-value << 1) - 1
        while value >= 0x80:
            out.append(value & 0x7f | 0x80)
            value >>= 7
        out.append(value)
    return base64.b32encode(bytes(out)).decode().lower().rstrip("=")


def instant(text):
    """RFC 3339 to seconds since 1970."""
    return datetime.datetime.fromisoformat(
        text.replace("Z", "+00:00")).timestamp()


def read_index_key(path):
    """The key of the blind indexes, of a key ring file."""
    with open(path, encoding="ascii") as lines:
        for line in lines:
            if line.startswith("index "):
                return base64.b64decode(line.split()[1])
    raise ValueError("the key ring has no index key")


def blind_index(key, tenant_id, channel, address):
    """As daemon/base/keyring.c makes it, in hexadecimal."""
    text = (tenant_id.to_bytes(4, "big") + CHANNELS[channel].encode()
            + b"\0" + address.encode())
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:32]


# ---- the database ----

EPOCH = "extract(epoch FROM {0})::float8 AS {0}"
TABLES = {
    "delivery": "bucket, patient_id, occurrence_on - date '1970-01-01' AS "
                "occurrence_on, kind, source, slot, channel, tenant_id, "
                "stage, state, reason, attempts, repeated, items, gateway, "
                "encode(address_index, 'hex') AS address_index, batch_ref, "
                "provider_id, code, "
                + ", ".join(EPOCH.format(c) for c in (
                    "due_at", "valid_until", "planned_at", "sent_at",
                    "retry_at", "settled_at")),
    "inbox": "gateway, type, reference, provider_id, state",
    "patient": "bucket, patient_id, tenant_id, source_id, zone, active, "
               + ", ".join(EPOCH.format(c) for c in (
                   "inactive_at", "deceased_at")),
    "consent": "bucket, patient_id, consent_no, rule_no, permit, withdrawn, "
               "topics, channels, "
               + ", ".join(EPOCH.format(c) for c in (
                   "given_at", "from_at", "until_at", "withdrawn_at")),
    "batch": "batch_ref, owner, " + EPOCH.format("lease_until"),
    "agenda": "bucket, patient_id, lane, " + EPOCH.format("next_at"),
    "program": "tenant_id, kind",
}


def rows_of(dsn, sql):
    """Rows as dictionaries; infinite times as float infinities."""
    run = subprocess.run(
        [PSQL, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", dsn,
         "-c", f"SELECT row_to_json(r) FROM ({sql}) r"],
        capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"psql: {run.stderr.strip()}")
    rows = [json.loads(line) for line in run.stdout.splitlines() if line]
    for row in rows:
        for name, value in row.items():
            if value in ("Infinity", "-Infinity"):
                row[name] = float(value.replace("Infinity", "inf"))
    return rows


def key_of(row):
    return Key(*(row[name] for name in Key._fields))


def text_of(key):
    return " ".join(f"{name}={value}" for name, value in
                    key._asdict().items())


class Database:
    def __init__(self, dsn):
        tables = {name: rows_of(dsn, f"SELECT {columns} FROM {name}")
                  for name, columns in TABLES.items()}
        self.now = rows_of(dsn, "SELECT extract(epoch FROM clock_timestamp())"
                                "::float8 AS now")[0]["now"]
        self.deliveries = {key_of(r): r for r in tables["delivery"]}
        self.patients = {(r["bucket"], r["patient_id"]): r
                         for r in tables["patient"]}
        self.consents = collections.defaultdict(list)
        for row in tables["consent"]:
            self.consents[row["bucket"], row["patient_id"]].append(row)
        self.inbox_references = {r["reference"] for r in tables["inbox"]}
        self.inbox_ids = {r["provider_id"] for r in tables["inbox"]}
        self.by_source_id = {r["source_id"]: key
                             for key, r in self.patients.items()}
        self.by_person = collections.defaultdict(list)
        self.by_index = collections.defaultdict(list)
        for key, row in self.deliveries.items():
            self.by_person[key.bucket, key.patient_id].append(key)
            self.by_index[row["address_index"]].append(key)
        self.batches = tables["batch"]
        self.leases = {r["batch_ref"]: r["lease_until"]
                       for r in tables["batch"]}
        self.offsets = self.read_offsets(dsn)
        self.agenda = tables["agenda"]
        # a tenant's own program may have other hours: not judged
        self.own_programs = {(r["tenant_id"], r["kind"])
                             for r in tables["program"]}


    @staticmethod
    def read_offsets(dsn):
        """[(real time, care offset from then on)], where a test keeps it."""
        if rows_of(dsn, "SELECT to_regclass('care_clock_history') IS NULL "
                   "AS none")[0]["none"]:
            return []
        return [(row["at"], row["offset_us"] / 1e6) for row in rows_of(
            dsn, f"SELECT {EPOCH.format('at')}, offset_us FROM "
            "care_clock_history ORDER BY at")]


# ---- the provider's side ----

def fetch_all(url, path, field):
    found, since = [], 0
    while True:
        with urllib.request.urlopen(
                f"{url}{path}?since={since}&limit=10000", timeout=30) as page:
            value = json.load(page)
        if value["forgotten"] > since:
            raise RuntimeError(f"{path}: the simulator forgot entries; "
                               "use its ledger file")
        if not value[field]:
            return found
        found += value[field]
        since = value["next"]


def read_lines(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


# ---- the check ----

class Check:
    def __init__(self, database, entries, callbacks, options):
        self.database = database
        self.entries = entries
        self.callbacks = callbacks
        self.options = options
        self.care_now = database.now + self.offset_at(database.now)
        self.violations = collections.defaultdict(list)
        self.by_key = collections.defaultdict(list)

    def offset_at(self, at):
        """Care time minus real time at this moment."""
        offsets = self.database.offsets
        found = bisect.bisect_right(offsets, (at, float("inf")))
        return offsets[found - 1][1] if found else self.options.care_offset_s

    def violated(self, promise, what, subject):
        self.violations[promise].append(f"{what}: {subject}")

    # whose entry is it?

    def attribute(self):
        """by_key: the ledger entries of each delivery."""
        people = self.learn_addresses()
        for entry in self.entries:
            key = self.owner_of(entry, people)
            if key is None:
                self.violated("P2", "no delivery explains this entry",
                              f"ledger seq={entry['seq']}")
            else:
                self.by_key[key].append(entry)

    def learn_addresses(self):
        """Address to blind index, from entries that stand alone in their
        request: in a batch one reference covers several addresses."""
        alone = collections.Counter(
            (e["endpoint"], e["request"]) for e in self.entries)
        known = {}
        for entry in self.entries:
            if alone[entry["endpoint"], entry["request"]] != 1:
                continue
            delivery = self.delivery_of(entry["reference"])
            if delivery:
                known[entry["address"]] = delivery["address_index"]
        return known

    def delivery_of(self, reference):
        try:
            return self.database.deliveries.get(decode_reference(reference))
        except Undecodable:
            return None

    def owner_of(self, entry, known):
        named = self.delivery_of(entry["reference"])
        if named is None:
            return None
        person = self.person_of(entry["address"])
        index = known.get(entry["address"])
        if self.options.keyring is not None:
            index = blind_index(self.options.keyring, named["tenant_id"],
                                named["channel"], entry["address"])
        if person is None and index in (None, named["address_index"]):
            return key_of(named)
        if person is not None and person == (named["bucket"],
                                             named["patient_id"]):
            return key_of(named)
        return self.member_of(entry, named, person, index)

    def person_of(self, address):
        source_id = self.options.people.get(address)
        return self.database.by_source_id.get(source_id)

    def member_of(self, entry, named, person, index):
        """The delivery of another address of the batch that `named` led:
        the one nearest in time, and not explained by an entry before."""
        deliveries = self.database.deliveries
        if person is not None:
            candidates = self.database.by_person[person]
        elif index is not None:
            candidates = self.database.by_index[index]
        else:
            return None
        same = ("kind", "stage", "channel", "gateway", "tenant_id")
        found = [key for key in candidates if all(
            deliveries[key][name] == named[name] for name in same)]
        at = instant(entry["at"])
        # two people may share a phone: the provider's id tells them apart
        found.sort(key=lambda key: (
            deliveries[key]["provider_id"] != entry.get("message_id"),
            deliveries[key]["batch_ref"] != named["batch_ref"],
            len(self.by_key[key]),
            abs((deliveries[key]["sent_at"] or 0) - at)))
        return found[0] if found else None

    # P1

    def nothing_lost(self):
        options = self.options
        for key, row in self.database.deliveries.items():
            problem = self.unfinished(row)
            if problem:
                self.violated("P1", problem, text_of(key))
        for row in self.database.batches:
            if row["lease_until"] + options.look_s < self.database.now:
                self.violated("P1", "lapsed batch not taken over",
                              f"batch_ref={row['batch_ref']}")
        for row in self.database.agenda:
            if (row["lane"] == 0 and
                    row["next_at"] + options.late_s < self.care_now):
                self.violated(
                    "P1", "person late",
                    f"bucket={row['bucket']} patient_id={row['patient_id']}")

    def unfinished(self, row):
        """Why this delivery is not where it should be, or None."""
        options = self.options
        state = row["state"]
        if state == HELD and not row["reason"]:
            return "held without a reason"
        if state in FINAL:
            return None
        if state == SENDING:
            lease_until = self.database.leases.get(row["batch_ref"])
            if lease_until is not None:
                # a lapsed round is a violation of its own
                return None
            since = (row["sent_at"] if row["sent_at"] is not None
                     else row["planned_at"]
                     - self.offset_at(self.database.now))
            if since + options.lease_s + options.look_s < self.database.now:
                return "sending beyond its lease"
            return None
        if state == UNKNOWN:
            return None if row["reason"] or row["code"] else (
                "unknown without a reason")
        if state == ACCEPTED:
            return None if row["sent_at"] is not None else (
                "accepted but never sent")
        if state == RETRY:
            if row["retry_at"] is None:
                return "retry without a time"
            if row["valid_until"] + options.late_s < self.care_now:
                return "retry past its validity"
            return None
        return f"no such state {state}"

    # P2

    def no_duplicates(self):
        options = self.options
        items = collections.Counter()
        repeats = collections.Counter()
        for key, row in self.database.deliveries.items():
            entries = len(self.by_key[key])
            allowed = (row["kind"] in options.repeat_kinds and
                       row["gateway"] not in options.credit_gateways)
            if row["repeated"] and not allowed:
                self.violated("P2", "repeated where no repeat is allowed",
                              text_of(key))
            if entries > 1 + (1 if row["repeated"] and allowed else 0):
                self.violated("P2", f"sent {entries} times", text_of(key))
            for item in self.items_of(key, row):
                items[item] += entries
                repeats[item] |= row["repeated"] and allowed
        for item, count in items.items():
            if count > 1 + repeats[item]:
                self.violated("P2", f"item said {count} times",
                              text_of(item))

    @staticmethod
    def items_of(key, row):
        """The occurrences that a message speaks of, its own included."""
        values = row["items"]
        found = {key._replace(source=no, occurrence_on=day, slot=slot)
                 for no, day, slot in zip(values[0::3], values[1::3],
                                          values[2::3])}
        return found | {key}

    # P3

    def acknowledged_is_stored(self):
        for callback in self.callbacks:
            if callback["status"] // 100 != 2:
                continue
            for item in callback["items"]:
                if not self.stored(item):
                    self.violated(
                        "P3", "receipt answered "
                        f"{callback['status']} and not stored",
                        f"callback seq={callback['seq']} "
                        f"message_id={item['message_id']}")

    def stored(self, item):
        if item["message_id"] in self.database.inbox_ids:
            return True
        if item["reference"] in self.database.inbox_references:
            return True
        row = self.delivery_of(item["reference"])
        return row is not None and row["state"] in (DELIVERED, UNDELIVERED)

    # P4

    def no_wrong_send(self):
        for key, entries in self.by_key.items():
            row = self.database.deliveries[key]
            if entries and row["state"] == HELD and not row["repeated"]:
                self.violated("P4", "held, and sent all the same",
                              text_of(key))
            for number, entry in enumerate(entries):
                for problem in self.forbidden(key, row, entry, number):
                    self.violated(
                        "P4", problem,
                        f"ledger seq={entry['seq']} {text_of(key)}")

    def forbidden(self, key, row, entry, number):
        """What forbade this send at its claim.  A copy learns a little later
        that the clock was moved: only what both offsets forbid counts."""
        at = instant(entry["at"])
        offsets = {self.offset_at(at),
                   self.offset_at(at - self.options.grace_s)}
        found = [list(self.forbidden_at(key, row, at + offset, number))
                 for offset in offsets]
        return [problem for problem in found[0]
                if all(problem in others for others in found)]

    def forbidden_at(self, key, row, at, number):
        """The same at this instant of care time.  Facts within grace_s of
        the claim are not judged: their commit may have come after it."""
        options = self.options
        claimed = min(row["planned_at"], at) if number == 0 else (
            at - options.lease_s)
        before = claimed - options.grace_s
        patient = self.database.patients.get((key.bucket, key.patient_id))
        if patient is None:
            yield "nobody: the patient is gone"
            return
        if patient["deceased_at"] < before:
            yield "the patient had died"
        if not patient["active"] and patient["inactive_at"] < before:
            yield "the patient was inactive"
        if at > row["valid_until"] + options.grace_s:
            yield "after its time"
        if key.kind == ANSWER:
            return
        consents = self.database.consents[key.bucket, key.patient_id]
        if not allowed_by(consents, TOPIC[key.kind], key.channel, before,
                          claimed):
            yield "no consent"
        if (row["tenant_id"], key.kind) not in self.database.own_programs:
            if not self.hour_allowed(key, patient, consents, at):
                yield "outside the hours"

    def hour_allowed(self, key, patient, consents, at):
        if key.kind == DOSE and any(
                c["permit"] and c["topics"] & TOPIC_ANY_HOUR
                for c in consents):
            return True
        local = datetime.datetime.fromtimestamp(
            at, zoneinfo.ZoneInfo(patient["zone"]))
        second = local.hour * 3600 + local.minute * 60 + local.second
        start, end = HOURS.get(key.kind, HOURS_OTHER)
        grace = self.options.grace_s
        return start - grace <= second < end + grace

    def run(self):
        self.attribute()
        self.nothing_lost()
        self.no_duplicates()
        self.acknowledged_is_stored()
        self.no_wrong_send()
        return self.violations


def allowed_by(consents, topic, channel, before, claimed):
    """The latest Consent for this topic and channel decides.  Only what
    stood so both at `before` and at the claim is held against a send."""
    covering = [c for c in consents
                if c["topics"] & topic and c["channels"] >> channel & 1
                and c["given_at"] <= claimed]
    if not covering:
        return False
    last = max((c["given_at"], c["consent_no"]) for c in covering)
    if last[0] > before:
        return True  # changed at the moment of the claim
    rules = [c for c in covering
             if (c["given_at"], c["consent_no"]) == last]
    if any(c["withdrawn"] and c["withdrawn_at"] < before for c in rules):
        return False
    in_force = [c for c in rules
                if c["from_at"] <= claimed and c["until_at"] > before]
    if any(not c["permit"] for c in in_force):
        return False
    if in_force:
        return True
    # the latest has run out: an earlier one may still stand
    return allowed_by([c for c in consents
                       if (c["given_at"], c["consent_no"]) != last],
                      topic, channel, before, claimed)


# ---- the program ----

def numbers(text):
    return {int(word) for word in text.split(",") if word}


def parse(arguments):
    parser = argparse.ArgumentParser(
        description="hold the simulator's ledger against the database",
        epilog="ADHERD_DSN names the database")
    add = parser.add_argument
    add("--sim", help="URL of the running simulator")
    add("--ledger", help="its ledger file, instead")
    add("--callbacks", help="JSON lines as GET /callbacks has them")
    add("--people", type=read_people, default={},
        help='JSON file {"address": "patient source_id"}, where batches '
             "share one reference")
    add("--keyring", type=read_index_key,
        help="key ring file of the daemon: whose address is whose")
    add("--lease-s", type=float, default=60)
    add("--look-s", type=float, default=1)
    add("--late-s", type=float, default=10,
        help="how late a person may be looked at")
    add("--grace-s", type=float, default=2,
        help="facts this near to a claim are not judged")
    add("--care-offset-s", type=float, default=0,
        help="care time minus real time in the run")
    add("--repeat-kinds", type=numbers, default={REFILL, RENEWAL, FOLLOW_UP})
    add("--credit-gateways", type=lambda text: set(text.split(",")),
        default=set())
    options = parser.parse_args(arguments)
    if (options.sim is None) == (options.ledger is None):
        parser.error("one of --sim and --ledger")
    return options


def read_people(path):
    with open(path, encoding="utf-8") as source:
        return json.load(source)


def report(check):
    states = collections.Counter(
        row["state"] for row in check.database.deliveries.values())
    print(f"deliveries {len(check.database.deliveries)} by state "
          + " ".join(f"{s}:{n}" for s, n in sorted(states.items())))
    print(f"ledger entries {len(check.entries)} "
          f"callbacks {len(check.callbacks)} "
          f"people {len(check.database.patients)}")
    for promise in ("P1", "P2", "P3", "P4"):
        found = check.violations[promise]
        for line in found[:LISTED_MAX]:
            print(f"{promise} VIOLATED {line}")
        if len(found) > LISTED_MAX:
            print(f"{promise} … and {len(found) - LISTED_MAX} more")
        print(f"{promise} {'kept' if not found else len(found)}")


def main(arguments=None):
    options = parse(arguments)
    dsn = os.environ.get("ADHERD_DSN")
    if not dsn:
        print("ledger_check: ADHERD_DSN is not set", file=sys.stderr)
        return 2
    try:
        if options.sim:
            entries = fetch_all(options.sim, "/ledger", "entries")
            callbacks = fetch_all(options.sim, "/callbacks", "callbacks")
        else:
            entries = read_lines(options.ledger)
            callbacks = (read_lines(options.callbacks) if options.callbacks
                         else [])
        check = Check(Database(dsn), entries, callbacks, options)
        check.run()
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        print(f"ledger_check: {type(error).__name__}: {error}",
              file=sys.stderr)
        return 2
    report(check)
    return 1 if any(check.violations.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
