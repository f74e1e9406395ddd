"""A second dry run, written from program.md alone and from no line of C.

It is slow and plain on purpose: the clock visits every instant at which
something can be due or become known, derives from the bundles what was known
then, and decides.  compare_plan.py holds it against `adherctl plan --json`.
Reads bundles (dicts), returns lines (dicts); no other side effects."""

import heapq
from datetime import date, datetime, time, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

CHANNEL = "https://adherd.example/fhir/channel"
TOPIC = "https://adherd.example/fhir/topic"
ZONE = "http://hl7.org/fhir/StructureDefinition/timezone"

CHANNELS = ("wechat_mini", "wechat_oa", "push", "sms")
KINDS = ("follow_up", "refill", "renewal", "dose")
TOPICS = ("dose", "refill", "follow_up", "marketing")
TOPIC_OF = {"follow_up": "follow_up", "refill": "refill",
            "renewal": "refill", "dose": "dose"}
STAGES = {"refill": (-7, -3, -1, 1, 7), "renewal": (-14, -7, 0, 7)}
TASK_DAY = 14
MERGE_DAYS = 7
CYCLE_DAYS = 3
VISIT_STAGES = (3, 1)
MISSED_DAYS = 7
DOSE_MERGE_S = 15 * 60
DOSE_VALID_S = 60 * 60
DOSES_A_DAY = 6
GAP_S = 120
DAY_CAP = {"sms": 3, "wechat_mini": 8, "wechat_oa": 8, "push": 8}
SMS_WEEK_CAP = 10
MESSAGE_HOURS = (time(8), time(21))
DOSE_HOURS = (time(6), time(22, 30))
ADULT = 14
BEGINNING = float("-inf")
NEVER = float("inf")
HISTORY_DAYS = 120

WHEN = {"MORN": 480, "NOON": 720, "AFT": 900, "EVE": 1140, "NIGHT": 1320,
        "HS": 1320, "ACM": 420, "CM": 450, "PCM": 480, "CV": 1080,
        "PCV": 1110}
DAILY = {1: (480,), 2: (480, 1200), 3: (480, 840, 1200),
         4: (480, 720, 960, 1200)}


# ---- time ----

def instant(zone, day, at=time(0)):
    """Seconds since 1970 of a wall clock time; a gap moves forward."""
    return int(datetime.combine(day, at, zone).timestamp())


def local(zone, at):
    return datetime.fromtimestamp(at, zone)


def local_date(zone, at):
    return local(zone, at).date()


def read_time(zone, text):
    """Instant of a FHIR date or dateTime; a date is its local midnight."""
    if len(text) == 10:
        return instant(zone, date.fromisoformat(text))
    return int(datetime.fromisoformat(text.replace("Z", "+00:00"))
               .timestamp())


def read_period(zone, period):
    """(first second, last second) of a FHIR period; its end is inclusive."""
    period = period or {}
    start, end = period.get("start"), period.get("end")
    first = read_time(zone, start) if start else BEGINNING
    if not end:
        return first, NEVER
    if len(end) == 10:
        day = date.fromisoformat(end) + timedelta(days=1)
        return first, instant(zone, day) - 1
    return first, read_time(zone, end)


def in_hours(zone, at, hours):
    return hours[0] <= local(zone, at).time() < hours[1]


def next_opening(zone, at):
    day = local_date(zone, at)
    opening = instant(zone, day, MESSAGE_HOURS[0])
    if opening > at:
        return opening
    return instant(zone, day + timedelta(days=1), MESSAGE_HOURS[0])


def ten(zone, day):
    return instant(zone, day, time(10))


# ---- bundles ----

class Version:
    """One entry of a bundle and the instant from which it is known."""

    def __init__(self, resource, order):
        self.resource = resource
        meta = resource.get("meta", {})
        self.updated = meta.get("lastUpdated")
        number = meta.get("versionId", "0")
        self.rank = (int(number) if number.isdigit() else 0, order)
        self.known_at = BEGINNING

    @property
    def status(self):
        return self.resource.get("status")


def current(versions, at):
    """The newest version known at an instant, or None."""
    known = [v for v in versions if v.known_at <= at]
    return max(known, key=lambda v: v.rank) if known else None


def codes(concept, system):
    return [c["code"] for c in concept if c.get("system") == system]


def reference(resource, field):
    return (resource.get(field) or {}).get("reference", "")


def channel_of(telecom, phone_is_mobile):
    system = telecom.get("system")
    if system == "sms":
        return "sms"
    if system == "phone":
        mobile = telecom.get("use") == "mobile" or phone_is_mobile
        return "sms" if mobile else None
    if system == "other":
        for extension in telecom.get("extension", []):
            if extension["url"] == CHANNEL:
                return extension.get("valueCode")
    return None


# ---- dose times (the simple part of fhir.md §3) ----

def clock_minutes(repeat):
    if "timeOfDay" in repeat:
        return sorted({int(t[:2]) * 60 + int(t[3:5])
                       for t in repeat["timeOfDay"]})
    if "when" in repeat:
        return sorted({WHEN[w] for w in repeat["when"]})
    n = repeat.get("frequency", 1)
    if n in DAILY:
        return DAILY[n]
    return sorted({420 + i * 900 // (n - 1) for i in range(n)})


def dose_bounds(zone, request, repeat):
    """(anchor, limit) of a dosage, the limit exclusive."""
    bounds = repeat.get("boundsPeriod", {})
    start = bounds.get("start") or request.get("authoredOn")
    first = read_time(zone, start)
    days = repeat.get("boundsDuration")
    if days:
        at = local(zone, first)
        end = instant(zone, at.date() + timedelta(days=days["value"]),
                      at.time())
        return first, end
    return first, read_period(zone, bounds)[1] + 1


def dose_times(zone, request, first_day, last_day):
    """All dose instants of a prescription on the days given."""
    found = set()
    for dosage in request.get("dosageInstruction", []):
        repeat = dosage.get("timing", {}).get("repeat")
        if not repeat or dosage.get("asNeededBoolean"):
            continue
        anchor, limit = dose_bounds(zone, request, repeat)
        anchor_day = local_date(zone, anchor)
        step = repeat.get("period", 1)
        day = max(first_day, anchor_day)
        while day <= last_day:
            if (day - anchor_day).days % step == 0:
                for minute in clock_minutes(repeat):
                    at = instant(zone, day, time(minute // 60, minute % 60))
                    if anchor <= at < limit:
                        found.add(at)
            day += timedelta(days=1)
    return sorted(found)


def therapy_end(zone, request):
    """The local date on which the last dosage ends, or None."""
    ends = []
    for dosage in request.get("dosageInstruction", []):
        repeat = dosage.get("timing", {}).get("repeat", {})
        bounds = repeat.get("boundsPeriod", {})
        if "end" not in bounds and "boundsDuration" not in repeat:
            return None
        limit = dose_bounds(zone, request, repeat)[1]
        if len(bounds.get("end", "")) > 10:
            limit -= 1
        ends.append(local_date(zone, limit))
    return max(ends) if ends else None


def daily_amount(request):
    """Units a day as a fraction, or None where it cannot be said."""
    total = Fraction(0)
    for dosage in request.get("dosageInstruction", []):
        repeat = dosage.get("timing", {}).get("repeat")
        rate = dosage.get("doseAndRate", [{}])[0].get("doseQuantity")
        if not repeat or not rate or dosage.get("asNeededBoolean"):
            return None
        doses = Fraction(len(clock_minutes(repeat)), repeat.get("period", 1))
        total += doses * Fraction(str(rate["value"]))
    return total or None


def days_supplied(fill, request):
    """Days of a fill: stated, expected, or quantity ÷ daily amount."""
    stated = fill.get("daysSupply")
    if stated:
        return Fraction(str(stated["value"]))
    expected = request.get("dispenseRequest", {}).get(
        "expectedSupplyDuration")
    if expected:
        return Fraction(str(expected["value"]))
    amount = daily_amount(request)
    if "quantity" in fill and amount:
        return Fraction(str(fill["quantity"]["value"])) / amount
    return None


# ---- stock ----

class Stock:
    """Where the supply of one drug ends, day by day."""

    def __init__(self, fills, paused):
        """fills: (date, days) in order; paused: day → bool."""
        by_day = {}
        for day, days in fills:
            by_day[day] = by_day.get(day, 0) + days
        self.last_days = fills[-1][1]
        self.consumed = []
        self.run_out = None
        left, day, last = Fraction(0), min(by_day), max(by_day)
        while day <= last or left >= 1:
            left += by_day.get(day, 0)
            if left >= 1 and not paused(day):
                left -= 1
                self.consumed.append(day)
            elif not paused(day):
                left = Fraction(0)
            day += timedelta(days=1)
            if (day - last).days > 4000:
                return
        end = self.consumed[-1] if self.consumed else last
        self.run_out = end + timedelta(days=1)
        if not self.consumed:
            self.run_out = last

    def half_used(self, day):
        """Is half of the last supply used on the morning of this day?"""
        ahead = sum(1 for d in self.consumed if d >= day)
        return 2 * ahead <= self.last_days


class Product:
    """An open supply cycle of one prescription at an instant."""

    def __init__(self, item, cycle, kind, stock):
        self.item = item
        self.cycle = cycle
        self.kind = kind
        self.stock = stock
        self.run_out = stock.run_out


class Visit:
    """One visit at an instant, under whatever Appointment it goes now."""

    def __init__(self, root, version, status, start, zone):
        self.root = root
        self.item = "Appointment/" + version.resource["id"]
        self.resource = version.resource
        self.status = status
        self.start = start
        self.day = local_date(zone, start)
        self.known_at = version.known_at
        self.recorded_at = max(version.known_at, start)


# ---- one person ----

class Person:
    def __init__(self, run, patient, order):
        self.run = run
        self.id = patient["id"]
        self.order = order
        self.zone = ZoneInfo(run.zone)
        for extension in patient.get("extension", []):
            if extension["url"] == ZONE:
                self.zone = ZoneInfo(extension["valueCode"])
        self.from_at = instant(self.zone, run.first_day)
        self.until_at = instant(self.zone, run.last_day + timedelta(days=1))
        self.patients, self.guardians = [], []
        self.requests, self.fills, self.visits = {}, {}, {}
        self.stays, self.consents = {}, {}
        self.said, self.closed, self.told = set(), set(), {}
        self.cycles, self.pending, self.worlds = {}, [], {}
        self.sent, self.last_on, self.last_due = [], {}, {}
        self.tasked, self.refusals, self.schedules = set(), {}, {}
        self.refused_since, self.rungs = {}, {}

    # -- reading --

    def learn(self, version):
        """Take in one version that belongs to this person."""
        kind, key = version.resource["resourceType"], version.resource["id"]
        if version.updated:
            at = read_time(self.zone, version.updated)
            if self.from_at <= at < self.until_at:
                version.known_at = at
        if kind == "Patient":
            self.patients.append(version)
        elif kind == "RelatedPerson":
            self.guardians.append(version)
        else:
            shelf = {"MedicationRequest": self.requests,
                     "MedicationDispense": self.fills,
                     "Appointment": self.visits, "Encounter": self.stays,
                     "Consent": self.consents}[kind]
            shelf.setdefault(key, []).append(version)

    def settle(self):
        """After the last version: what is known from its own time."""
        for versions in self.fills.values():
            for version in versions:
                at = version.resource.get("whenHandedOver")
                if version.status == "completed":
                    version.known_at = read_time(self.zone, at) if at \
                        else NEVER
        for versions in self.visits.values():
            first = min(versions, key=lambda v: v.rank)
            for version in versions:
                if version.status == "fulfilled":
                    version.known_at = BEGINNING if version is first else \
                        read_time(self.zone, version.resource["start"])
        self.newest = max(self.patients, key=lambda v: v.rank).resource
        self.dose_days = {}
        self.facts = sorted(self.fact_instants())
        self.records = {v.known_at for v in self.late_versions()}

    def late_versions(self):
        """Versions that became known in the window, apart from fills."""
        for shelf in (self.requests, self.fills, self.visits, self.stays):
            for versions in shelf.values():
                for version in versions:
                    if version.known_at != BEGINNING and \
                            version.updated and \
                            version.status not in ("completed",
                                                   "fulfilled"):
                        yield version

    def fact_instants(self):
        found = set()

        def note(*instants):
            found.update(at for at in instants
                         if at not in (BEGINNING, NEVER))

        def note_period(period):
            first, last = read_period(self.zone, period)
            note(first, last, last + 1)

        for shelf in (self.requests, self.fills, self.visits, self.stays,
                      self.consents):
            for versions in shelf.values():
                note(*(v.known_at for v in versions))
        for version in self.patients:
            note(version.known_at)
            at = version.resource.get("deceasedDateTime")
            if at:
                note(read_time(self.zone, at))
            for telecom in version.resource.get("telecom", []):
                note_period(telecom.get("period"))
        for version in self.guardians:
            for telecom in version.resource.get("telecom", []):
                note_period(telecom.get("period"))
        for versions in self.visits.values():
            for version in versions:
                note(read_time(self.zone, version.resource["start"]))
        for versions in self.stays.values():
            for version in versions:
                note_period(version.resource.get("period"))
        for versions in self.consents.values():
            for version in versions:
                if "dateTime" in version.resource:
                    note(read_time(self.zone, version.resource["dateTime"]))
                for rule in self.rules(version.resource):
                    note_period(rule.get("period"))
        if "birthDate" in self.newest:
            note(instant(self.zone, self.birthday()))
        return found

    def birthday(self):
        born = date.fromisoformat(self.newest["birthDate"])
        try:
            return born.replace(year=born.year + ADULT)
        except ValueError:
            return date(born.year + ADULT, 3, 1)

    # -- status, contacts, consent --

    def status(self, at):
        version = current(self.patients, at)
        if version:
            resource = version.resource
            died = resource.get("deceasedDateTime")
            if resource.get("deceasedBoolean") or (
                    died and read_time(self.zone, died) <= at):
                return "patient_deceased"
            if resource.get("active") is False:
                return "patient_inactive"
        return "patient_in_hospital" if self.in_hospital(at, at) else None

    def in_hospital(self, then, at):
        """Was the patient in hospital then, by the record of now?"""
        return any(first <= then <= last
                   for first, last in self.stay_periods(at))

    def stay_periods(self, at):
        for versions in self.stays.values():
            version = current(versions, at)
            if not version or version.resource.get("class", {}) \
                    .get("code") != "IMP":
                continue
            if version.status in ("cancelled", "entered-in-error"):
                continue
            if "period" in version.resource:
                yield read_period(self.zone, version.resource["period"])

    def is_child(self, at):
        return "birthDate" in self.newest and \
            local_date(self.zone, at) < self.birthday()

    def contacts(self, at):
        """channel → address that can be used at an instant."""
        if self.is_child(at):
            telecoms = [t for v in self.guardians
                        for t in v.resource.get("telecom", [])]
        else:
            telecoms = self.newest.get("telecom", [])
        found = {}
        for telecom in sorted(telecoms, key=lambda t: t.get("rank", 99)):
            channel = channel_of(telecom, self.run.phone_is_mobile)
            first, last = read_period(self.zone, telecom.get("period"))
            if channel and telecom.get("use") != "old" and \
                    first <= at <= last:
                found.setdefault(channel, telecom["value"])
        return found

    @staticmethod
    def rules(resource):
        root = resource.get("provision")
        if not root:
            return []
        nested = root.get("provision", [])
        own = [root] if "type" in root or not nested else []
        return own + nested

    def deciding(self, at, topic, channel):
        """(instant, Consent, its answer) of the latest one, or None.

        What a stranger signed, or what has not begun, decides nothing;
        but it is recorded, so nothing is assumed beside it."""
        best = None
        for versions in self.consents.values():
            version = current(versions, at)
            if not version or version.status not in ("active", "inactive"):
                continue
            resource = version.resource
            given = read_time(self.zone, resource["dateTime"])
            rules = [rule for rule in self.rules(resource)
                     if self.speaks(rule, topic, channel)]
            if given > at or not rules:
                continue
            begun = [r for r in rules if at >= read_period(
                self.zone, r.get("period"))[0]]
            if not begun or not self.counts(resource, at):
                given = BEGINNING
            if best is None or given >= best[0]:
                best = (given, resource, given != BEGINNING and all(
                    self.permits(resource, r, at) for r in begun))
        return best

    def counts(self, resource, at):
        """Is it by one who may give it: patient or known guardian?"""
        by = [r.get("reference", "") for r in resource.get("performer", [])]
        guardian = any("RelatedPerson/" + g.resource["id"] in by
                       for g in self.guardians)
        if self.is_child(at):
            return guardian
        return guardian or not any(r.startswith("RelatedPerson/")
                                   for r in by)

    def permits(self, resource, rule, at):
        end = rule.get("period", {}).get("end")
        if resource["status"] == "inactive" and (
                not end or at >= read_time(self.zone, end)):
            return False
        last = read_period(self.zone, rule.get("period"))[1]
        return rule.get("type") == "permit" and at <= last

    @staticmethod
    def speaks(rule, topic, channel):
        topics = codes(rule.get("purpose", []), TOPIC)
        channels = [c for action in rule.get("action", [])
                    for c in codes(action["coding"], CHANNEL)]
        return (not topics or topic in topics) and \
            (not channels or channel in channels)

    def any_hour(self, at, channel):
        """Does the newest word on doses at this channel say any hour?"""
        topics = ("dose", "any-hour")
        decided = max((d for d in (self.deciding(at, t, channel)
                                   for t in topics) if d),
                      key=lambda d: d[0], default=None)
        return bool(decided and decided[2]) and any(
            "any-hour" in codes(rule.get("purpose", []), TOPIC)
            and rule.get("type") == "permit"
            and any(self.speaks(rule, t, channel) for t in topics)
            for rule in self.rules(decided[1]))

    def consents_to(self, at, topic):
        """The channels on which a topic is allowed at an instant."""
        allowed = set()
        has = self.contacts(at)
        for channel in CHANNELS:
            decided = self.deciding(at, topic, channel)
            if decided and decided[2] or not decided and \
                    topic in self.run.assumed and channel in has:
                allowed.add(channel)
        return allowed

    # -- dose schedules --

    def schedule(self, version):
        """All doses of a prescription up to a week after the window."""
        if id(version) not in self.schedules:
            self.schedules[id(version)] = dose_times(
                self.zone, version.resource,
                self.run.first_day - timedelta(days=HISTORY_DAYS),
                self.run.last_day + timedelta(days=7))
        return self.schedules[id(version)]

    def refused(self, at):
        """The prescriptions whose schedule went over the daily cap."""
        epoch = sum(1 for fact in self.facts if fact <= at)
        if epoch not in self.refusals:
            since = at if self.refusals else BEGINNING
            for key in self.find_refused(at):
                self.refused_since.setdefault(key, since)
            self.refusals[epoch] = set(self.refused_since)
        return self.refusals[epoch]

    def find_refused(self, at):
        active = []
        for key, versions in self.requests.items():
            version = current(versions, at)
            if version and version.status == "active" and \
                    key not in self.refused_since:
                authored = read_time(self.zone,
                                     version.resource["authoredOn"])
                since = min(v.known_at for v in versions)
                active.append((authored, key, [
                    due for due in self.schedule(version) if due >= since]))
        taken, refused = set(), set()
        for _, key, doses in sorted(active, key=lambda a: a[:2]):
            if self.over_cap(taken | set(doses), doses):
                refused.add(key)
            else:
                taken |= set(doses)
        return refused

    def over_cap(self, doses, own):
        """More than six messages on a day on which it has a dose?"""
        days = {local_date(self.zone, due) for due in own}
        count, first = {}, BEGINNING
        for due in sorted(doses):
            if due > first + DOSE_MERGE_S:
                first = due
                day = local_date(self.zone, due)
                count[day] = count.get(day, 0) + 1
        return any(count.get(day, 0) > DOSES_A_DAY for day in days)

    # -- the world at an instant --

    def world(self, at):
        """(products, visits) as known at an instant, kept per fact."""
        epoch = sum(1 for fact in self.facts if fact <= at)
        if epoch not in self.worlds:
            visits = self.known_visits(at)
            self.worlds[epoch] = (self.known_products(at, at, visits),
                                  visits)
        return self.worlds[epoch]

    def past_products(self, then, at):
        """What was open then, by the record of today."""
        key = tuple(sum(1 for fact in self.facts if fact <= t)
                    for t in (then, at))
        if key not in self.worlds:
            visits = self.known_visits(then, at)
            self.worlds[key] = self.known_products(then, at, visits)
        return self.worlds[key]

    def known_visits(self, at, record_at=None):
        """The visits of an instant; those known late stand as recorded."""
        known, late = {}, {}
        for key, versions in self.visits.items():
            version = current(versions, at)
            if not version and record_at:
                version = late[key] = current(versions, record_at)
            if version and version.status != "entered-in-error":
                known[key] = version
        replaced = {}
        by_identifier = {}
        for key, version in known.items():
            if key in late:
                continue
            for ref in version.resource.get("supportingInformation", []):
                old = ref.get("reference", "").partition("/")[2]
                if old in known and old != key:
                    replaced[old] = key
            for name in version.resource.get("identifier", []):
                by_identifier.setdefault(
                    (name.get("system"), name["value"]), []).append(version)
        for same in by_identifier.values():
            same.sort(key=lambda v: (self.first_known(v),
                                     v.status != "cancelled",
                                     v.resource["id"]))
            for old, new in zip(same, same[1:]):
                replaced.setdefault(old.resource["id"], new.resource["id"])
        roots = {key: key for key in known}

        def age(key):
            return self.first_known(known[key]), key

        for key in known:
            new = key
            for _ in range(len(known)):
                if new not in replaced:
                    break
                new = replaced[new]
                roots[new] = min(roots[new], roots[key], key=age)
        found = []
        for key, version in known.items():
            if key in replaced:
                continue
            start = read_time(self.zone, version.resource["start"])
            status = version.status
            if status in ("fulfilled", "noshow") and at < start:
                status = "booked"
            found.append(Visit(roots[key], version, status, start,
                               self.zone))
        return sorted(found, key=lambda v: (v.start, v.item))

    def first_known(self, version):
        versions = self.visits[version.resource["id"]]
        return min(v.known_at for v in versions)

    def known_fills(self, then, at):
        """request id → [(handed over, fill)] up to then, as known now."""
        found = {}
        for versions in self.fills.values():
            version = current(versions, at)
            if version and version.status == "completed" and \
                    version.known_at <= then:
                for ref in version.resource.get("authorizingPrescription",
                                                []):
                    key = ref["reference"].partition("/")[2]
                    found.setdefault(key, []).append(
                        (version.known_at, version.resource))
        for fills in found.values():
            fills.sort(key=lambda f: (f[0], f[1]["id"]))
        return found

    def drug(self, request):
        concept = request["medicationCodeableConcept"]
        coding = concept.get("coding")
        if coding:
            return coding[0].get("system"), coding[0].get("code")
        return concept.get("text")

    def known_products(self, then, at, visits):
        requests = {}
        for key, versions in self.requests.items():
            version = current(versions, at)
            if version:
                old = current(versions, then) or version
                requests[key] = dict(version.resource, status=old.status)
        fills, after = self.known_fills(then, at), self.known_fills(at, at)
        drugs = {}
        for key, request in requests.items():
            drugs.setdefault(self.drug(request), []).append(key)
        paused = self.pause_test(at)
        products = []
        for keys in drugs.values():
            later = {key: after.get(key) for key in keys} != {
                key: fills.get(key) for key in keys}
            product = self.known_product(keys, requests, fills, visits,
                                         paused, later)
            if product:
                products.append(product)
        return products

    def pause_test(self, at):
        days = [(local_date(self.zone, first) if first != BEGINNING
                 else date.min,
                 local_date(self.zone, last) if last != NEVER else date.max)
                for first, last in self.stay_periods(at)]
        return lambda day: any(a <= day <= b for a, b in days)

    def known_product(self, keys, requests, fills, visits, paused, past):
        """The product that one drug has under one of its prescriptions."""
        walk, last = [], None
        for key in keys:
            for handed_at, fill in fills.get(key, []):
                days = days_supplied(fill, requests[key])
                if days is not None:
                    walk.append((handed_at, fill["id"], days))
                if last is None or (handed_at, fill["id"]) >= last[:2]:
                    last = (handed_at, fill["id"], key, days)
        if last is None or last[3] is None:
            return None
        key = last[2]
        walk = [(local_date(self.zone, at), days)
                for at, _, days in sorted(walk)]
        stock = Stock(walk, paused)
        if stock.run_out is None:
            return None
        cycle = self.cycle_of(key, last[0], stock.run_out, past)
        request = requests[key]
        if request["status"] != "active":
            return None
        kind = self.kind_of(request, len(fills[key]), stock.run_out)
        if kind == "renewal" and self.renewed(
                key, keys, requests, visits, walk[-1][0], stock.run_out):
            return None
        if not kind:
            return None
        return Product("MedicationRequest/" + key, cycle, kind, stock)

    def cycle_of(self, key, filled_at, run_out, past):
        """The number of a cycle: a fill opens one, and a long shift."""
        opened = self.cycles.setdefault(key, [])
        newest = max((at for at, _ in opened), default=BEGINNING)
        if filled_at <= newest:
            near = [(past and at == filled_at, number)
                    for number, (at, anchor) in enumerate(opened)
                    if abs((run_out - anchor).days) <= CYCLE_DAYS]
            if near:
                return key, max(near)[1]
        opened.append((filled_at, run_out))
        return key, len(opened) - 1

    def kind_of(self, request, fills, run_out):
        supply = request.get("dispenseRequest", {})
        repeats = supply.get("numberOfRepeatsAllowed")
        left = repeats is None or repeats - (fills - 1) > 0
        end = read_period(self.zone, supply.get("validityPeriod"))[1]
        valid = end == NEVER or local_date(self.zone, end) >= run_out
        course = [c["code"] for c in request.get("courseOfTherapyType", {})
                  .get("coding", [])]
        ends = therapy_end(self.zone, request)
        if "continuous" not in course and ends and ends <= run_out:
            return None
        if left and valid:
            return "refill"
        goes_on = "continuous" in course or (
            not course and not ends)
        return "renewal" if goes_on else None

    def renewed(self, key, keys, requests, visits, filled, run_out):
        request = requests[key]
        for other in keys:
            if other != key and requests[other]["status"] == "active" and \
                    requests[other]["authoredOn"] > request["authoredOn"]:
                return True
        prescriber = reference(request, "requester")
        if not prescriber:
            return False
        return any(v.status == "booked" and filled <= v.day < run_out and
                   prescriber in [reference(p, "actor")
                    for p in v.resource["participant"]]
                   for v in visits)


# ---- what is due ----

class Occurrence:
    """A message that is due: what it says, until when, and of what."""

    def __init__(self, kind, stage, items, keys, due_at, valid_until,
                 order=(), alive=None, told=()):
        self.kind = kind
        self.stage = stage
        self.items = items
        self.keys = keys
        self.due_at = due_at
        self.valid_until = valid_until
        self.order = order
        self.alive = alive
        self.told = told
        self.held = False
        self.then = None


class DryRun:
    def __init__(self, bundles, first_day, days, assumed=(),
                 phone_is_mobile=False, zone="Asia/Shanghai"):
        self.first_day = date.fromisoformat(first_day)
        self.last_day = self.first_day + timedelta(days=days - 1)
        self.assumed = set(assumed)
        self.phone_is_mobile = phone_is_mobile
        self.zone = zone
        self.lines = []
        self.by_address = {}
        self.read(bundles)

    def read(self, bundles):
        versions = [Version(entry["resource"], order) for order, entry in
                    enumerate(e for b in bundles for e in b["entry"])]
        self.people = {}
        for version in versions:
            resource = version.resource
            if resource["resourceType"] == "Patient" and \
                    resource["id"] not in self.people:
                self.people[resource["id"]] = Person(
                    self, resource, len(self.people))
        for version in versions:
            person = self.people.get(self.owner(version.resource))
            if person:
                person.learn(version)
        for person in self.people.values():
            person.settle()

    @staticmethod
    def owner(resource):
        kind = resource["resourceType"]
        if kind == "Patient":
            return resource["id"]
        if kind == "Appointment":
            for participant in resource["participant"]:
                ref = reference(participant, "actor")
                if ref.startswith("Patient/"):
                    return ref[8:]
        for field in ("subject", "patient"):
            ref = reference(resource, field)
            if ref.startswith("Patient/"):
                return ref[8:]
        return None

    # -- the clock --

    def run(self):
        self.clock = []
        for person in self.people.values():
            for at in self.instants(person):
                self.wake(person, at)
        done = None
        while self.clock:
            at, order, key = heapq.heappop(self.clock)
            if (at, order) == done:
                continue
            done = (at, order)
            self.look(self.people[key], at)
        self.lines.sort(key=lambda line: line[:6])
        return [line[6] for line in self.lines]

    def wake(self, person, at):
        if at < person.until_at:
            heapq.heappush(self.clock, (at, person.order, person.id))

    def instants(self, person):
        day = self.first_day - timedelta(days=HISTORY_DAYS)
        begin = instant(person.zone, day)
        found = {at for at in person.facts if at >= begin}
        while day <= self.last_day:
            found.add(ten(person.zone, day))
            day += timedelta(days=1)
        before = self.first_day - timedelta(days=1)
        for key, versions in person.requests.items():
            for version in versions:
                times = dose_times(person.zone, version.resource, before,
                                   self.last_day)
                person.dose_days[id(version)] = set(times)
                found.update(times)
        return found

    def look(self, person, at):
        """One instant of one person: new dues, then what may go out."""
        products, visits = person.world(at)
        in_window = at >= person.from_at
        if at in person.facts and in_window:
            self.supply_tasks(person, at)
        due = self.due_moved(person, visits, at)
        if at == ten(person.zone, local_date(person.zone, at)):
            due += self.due_visits(person, visits, at)
            due += self.due_ladders(person, products, at)
        due += self.due_doses(person, at)
        if in_window and at in person.records:
            due += self.due_late(person, products, visits, at)
        if not in_window:
            for occurrence in due:
                self.settle(person, occurrence)
            return
        fresh = {k[:2] for o in due for k in o.keys
                 if o.kind == "follow_up"}
        person.pending = [p for p in person.pending if not
                          fresh & {k[:2] for k in p.keys}] + due
        self.send_pending(person, at)

    @staticmethod
    def settle(person, occurrence):
        """It went out, or counts as handled."""
        person.said.update(occurrence.keys)
        for root, start in occurrence.told:
            person.told[root] = start

    # -- refill and renewal --

    def due_late(self, person, products, visits, at):
        """What a late record shows to have been due and still counts."""
        due = []
        open_now = {(p.kind, p.cycle) for p in products}
        person.rungs = {}
        day = self.first_day
        while ten(person.zone, day) < at:
            then = ten(person.zone, day)
            past = person.past_products(then, at)
            for o in self.due_ladders(person, past, then, at, open_now):
                if at < o.valid_until:
                    o.then = then
                    due.append(o)
            day += timedelta(days=1)
        pending = {k for p in person.pending for k in p.keys}
        for o in due:
            keep = [(i, k) for i, k in zip(o.items, o.keys)
                    if k not in pending and person.rungs[k[:2]] == o.then]
            o.items = [i for i, _ in keep]
            o.keys = [k for _, k in keep]
        due = [o for o in due if o.items]
        due += self.late_visits(person, visits, at)
        return due + self.late_doses(person, at)

    def due_ladders(self, person, products, at, now=None, still=None):
        due = []
        now = now or at
        today = local_date(person.zone, at)
        for kind in ("refill", "renewal"):
            open_now = [p for p in products if p.kind == kind
                        and p.cycle not in person.closed
                        and (today - p.run_out).days <= TASK_DAY]
            open_now.sort(key=lambda p: (p.run_out, p.item))
            while open_now:
                first = open_now[0].run_out
                group = [p for p in open_now
                         if (p.run_out - first).days <= MERGE_DAYS]
                open_now = open_now[len(group):]
                if still is not None:
                    group = [p for p in group if (kind, p.cycle) in still]
                if group:
                    due += self.due_rung(person, kind, group, first, now,
                                         today)
        return due

    def due_rung(self, person, kind, group, first, at, today):
        offset = (today - first).days
        if offset == TASK_DAY:
            person.closed.update(p.cycle for p in group)
            self.task(person, at, kind, "+14d",
                      sorted(p.item for p in group), None, (first,))
            return []
        if offset not in STAGES[kind]:
            return []
        stage = "%+dd" % offset if offset else "0d"
        for product in group:
            person.rungs[kind, product.cycle] = ten(person.zone, today)
        members = [p for p in group
                   if (kind, p.cycle, stage) not in person.said
                   and (kind == "refill" or p.stock.half_used(today))]
        if not members:
            return []
        later = [o for o in STAGES[kind] + (TASK_DAY,) if o > offset]
        until = ten(person.zone, first + timedelta(days=later[0]))
        members.sort(key=lambda p: p.item)
        return [Occurrence(
            kind, stage, [p.item for p in members],
            [(kind, p.cycle, stage) for p in members], at, until,
            (first, members[0].item), self.product_alive)]

    def product_alive(self, person, occurrence, at):
        """Keep of a due message what is still open."""
        products, _ = person.world(at)
        open_now = {(p.kind, p.cycle) for p in products
                    if p.cycle not in person.closed}
        keep = [(i, k) for i, k in zip(occurrence.items, occurrence.keys)
                if (k[0], k[1]) in open_now]
        occurrence.items = [i for i, _ in keep]
        occurrence.keys = [k for _, k in keep]
        return bool(keep)

    def supply_tasks(self, person, at):
        """A completed fill whose days cannot be worked out."""
        for key, fills in person.known_fills(at, at).items():
            versions = person.requests.get(key)
            version = current(versions, at) if versions else None
            if not version:
                continue
            for handed_at, fill in fills:
                known_at = max(handed_at, versions[0].known_at)
                if handed_at >= person.from_at and known_at == at and \
                        days_supplied(fill, version.resource) is None:
                    self.task(person, at, "refill", "supply",
                              ["MedicationRequest/" + key], None,
                              (date.min, key))

    # -- follow-up --

    def due_visits(self, person, visits, at):
        due = []
        today = local_date(person.zone, at)
        for day in sorted({v.day for v in visits}):
            same = [v for v in visits if v.day == day]
            for before in VISIT_STAGES:
                if (day - today).days == before:
                    due += self.due_reminder(person, same, before, at)
            due += self.due_missed(person, same, at, today)
        return due

    def due_reminder(self, person, visits, before, at):
        stage = "-%dd" % before
        ready = [v for v in visits if v.status == "booked" and v.start > at
                 and (v.root, v.day, stage) not in person.said]
        return self.visit_message(person, ready, stage, at,
                                  lambda v: (v.root, v.day, stage))

    def late_visits(self, person, visits, at):
        """The newest reminder that a visit known late has missed."""
        due = []
        today = local_date(person.zone, at)
        for day in sorted({v.day for v in visits}):
            times = {b: ten(person.zone, day - timedelta(days=b))
                     for b in VISIT_STAGES}
            if at in times.values():
                continue
            passed = [b for b in VISIT_STAGES
                      if person.from_at <= times[b] < at]
            same = [v for v in visits if v.day == day and
                    person.told.get(v.root, v.start) == v.start and
                    v.known_at == at]
            if passed and day >= today:
                found = self.due_reminder(person, same, min(passed), at)
                for message in found:
                    message.then = times[min(passed)]
                due += found
        return due

    def visit_message(self, person, visits, stage, at, key):
        if not visits:
            return []
        message = Occurrence(
            "follow_up", stage, sorted(v.item for v in visits),
            [key(v) for v in visits], at, min(v.start for v in visits),
            (visits[0].start, visits[0].item), self.visit_alive(visits),
            [(v.root, v.start) for v in visits])
        message.by_start = [v.item for v in visits]
        return [message]

    @staticmethod
    def visit_alive(visits):
        starts = {v.root: (v.start, v.status) for v in visits}

        def alive(person, occurrence, at):
            _, now = person.world(at)
            return any(starts.get(v.root) == (v.start, v.status)
                       for v in now)
        return alive

    def due_moved(self, person, visits, at):
        due = []
        waiting = {k for p in person.pending for k in p.keys}
        moved = [v for v in visits if v.status == "booked" and v.start > at
                 and person.told.get(v.root, v.start) != v.start
                 and (v.root, v.start, "moved") not in waiting
                 and (v.root, v.start, "moved") not in person.said]
        for day in sorted({v.day for v in moved}):
            due += self.visit_message(
                person, [v for v in moved if v.day == day], "moved", at,
                lambda v: (v.root, v.start, "moved"))
        return due

    def due_missed(self, person, visits, at, today):
        due = []
        missed = [v for v in visits if v.status == "noshow"]
        fresh, over = [], []
        for visit in missed:
            recorded = local_date(person.zone, visit.recorded_at)
            notice = ten(person.zone, recorded)
            if notice <= visit.recorded_at:
                notice = ten(person.zone, recorded + timedelta(days=1))
            task = max(notice, ten(person.zone,
                                   visit.day + timedelta(days=TASK_DAY)))
            if at == notice:
                fresh.append(visit)
            if at == task:
                over.append(visit)
        if over:
            self.task(person, at, "follow_up", "+14d",
                      sorted(v.item for v in over), None,
                      (over[0].start, over[0].item))
        if fresh:
            due = self.visit_message(
                person, fresh, "missed", at,
                lambda v: (v.root, v.day, "missed"))
            due[0].valid_until = at + MISSED_DAYS * 86400
            due[0].told = []
        return due

    # -- doses --

    def due_doses(self, person, at):
        """The doses of one instant, merged with those soon after."""
        mine = self.doses_between(person, at, at, at)
        self.refusal_tasks(person, at)
        if not mine:
            return []
        if not self.dose_hour(person, at):
            self.quiet_tasks(person, mine, at)
            return [self.dose_message(person, [d], at) for d in mine]
        if person.status(at):
            return [self.dose_message(person, [d], at) for d in mine]
        soon = [d for d in self.doses_between(person, at, at,
                                              at + DOSE_MERGE_S)
                if self.dose_hour(person, d[1])]
        return [self.dose_message(person, soon, at)]

    def quiet_tasks(self, person, doses, at):
        """One task for a schedule, at its first dose outside hours."""
        for key, _ in doses:
            version = current(person.requests[key], at)
            if key in person.tasked or any(
                    not in_hours(person.zone, due, DOSE_HOURS)
                    for due in person.schedule(version)
                    if due < min(at, person.from_at)):
                continue
            person.tasked.add(key)
            self.task(person, at, "dose", "due",
                      ["MedicationRequest/" + key], "quiet_hours", (key,))

    def refusal_tasks(self, person, at):
        """One task for a schedule over the cap, at its first dose."""
        for key in person.refused(at):
            version = current(person.requests[key], at)
            if version.status != "active":
                continue
            doses = person.schedule(version)
            first = next((due for due in doses
                          if due >= person.refused_since[key]), None)
            if first == at and doses[0] >= person.from_at:
                self.task(person, at, "dose", "due",
                          ["MedicationRequest/" + key], "cap", (key,))

    def doses_between(self, person, at, first, last):
        """(request id, instant) of unsaid doses known at an instant."""
        found = []
        for key, versions in person.requests.items():
            version = current(versions, at)
            if not version or version.status != "active" or \
                    key in person.refused(at):
                continue
            for due in person.dose_days[id(version)]:
                if first <= due <= last and \
                        ("dose", key, due) not in person.said:
                    found.append((key, due))
        return sorted(found, key=lambda d: (d[1], d[0]))

    def dose_hour(self, person, at):
        if in_hours(person.zone, at, DOSE_HOURS):
            return True
        return any(person.any_hour(at, c) for c in CHANNELS)

    def dose_message(self, person, doses, at):
        keys = [("dose", key, due) for key, due in doses]
        person.said.update(keys)
        until = at + DOSE_VALID_S
        return Occurrence(
            "dose", "due", sorted({"MedicationRequest/" + key
                                   for key, _ in doses}), keys, at, until,
            alive=self.dose_alive)

    @staticmethod
    def dose_alive(person, occurrence, at):
        """Keep of a due message what is still prescribed."""
        keep = [k for k in occurrence.keys if k[1] not in person.refused(at)
                and current(person.requests[k[1]], at).status == "active"]
        occurrence.keys = keep
        occurrence.items = sorted({"MedicationRequest/" + k[1]
                                   for k in keep})
        return bool(keep)

    def late_doses(self, person, at):
        """Doses of the last hour that became known just now."""
        due = []
        since = max(person.from_at, at - DOSE_VALID_S + 1)
        for key, then in self.doses_between(person, at, since, at - 1):
            newer = {k for k, _ in self.doses_between(person, at, then + 1,
                                                      at)}
            if key in newer or ("dose", key, then) in person.said:
                continue
            soon = [(k, d) for k, d in self.doses_between(
                person, at, then, then + DOSE_MERGE_S)
                if self.dose_hour(person, d)]
            message = self.dose_message(person, soon or [(key, then)], then)
            message.due_at = at
            due.append(message)
        return due

    # -- sending --

    @staticmethod
    def merge_held(person):
        """Members held at two times on one rung make one message."""
        rungs = {}
        for o in list(person.pending):
            if not o.held or o.kind not in STAGES:
                continue
            first = rungs.setdefault((o.kind, o.stage, o.order[0]), o)
            if first is not o:
                pairs = sorted(zip(first.items + o.items,
                                   first.keys + o.keys))
                first.items = [item for item, _ in pairs]
                first.keys = [key for _, key in pairs]
                person.pending.remove(o)

    def send_pending(self, person, at):
        self.merge_held(person)
        person.pending.sort(key=lambda p: (KINDS.index(p.kind), p.order))
        for occurrence in list(person.pending):
            if self.consider(person, occurrence, at):
                person.pending.remove(occurrence)

    def consider(self, person, occurrence, at):
        """Judge one due message; True when it is done with."""
        o = occurrence
        if at >= o.valid_until:
            return True
        if o.alive and not o.alive(person, o, at):
            return True
        status = person.status(at)
        if o.then and person.in_hospital(o.then, at) and (
                status in (None, "patient_in_hospital")):
            self.hold(person, o, "patient_in_hospital", at)
            return True
        o.then = None
        if status:
            self.hold(person, o, status, at)
            return status == "patient_in_hospital"
        if o.kind == "dose" and not (
                self.dose_hour(person, o.keys[0][2])
                and self.dose_hour(person, at)):
            self.hold(person, o, "quiet_hours", at)
            return True
        awake = o.kind == "dose" or in_hours(person.zone, at,
                                             MESSAGE_HOURS)
        opening = at if awake else next_opening(person.zone, at)
        if opening >= o.valid_until:
            self.hold(person, o, "quiet_hours", at)
            return True
        channel, reason = self.choose(person, o, at)
        if reason in ("no_consent", "no_channel"):
            self.hold(person, o, reason, at)
            return False
        if not awake:
            self.wake(person, opening)
            return False
        if reason:
            self.hold(person, o, reason, o.due_at)
            return True
        ready = max(person.last_on.get(channel, BEGINNING),
                    person.last_due.get(o.due_at, BEGINNING)) + GAP_S
        if ready > at:
            self.wake(person, ready)
            return False
        self.send(person, o, channel, at)
        return True

    def choose(self, person, o, at):
        """(channel, None) or (None, reason)."""
        topic = TOPIC_OF[o.kind]
        allowed = person.consents_to(at, topic)
        if o.kind == "dose" and not in_hours(person.zone, o.keys[0][2],
                                             DOSE_HOURS):
            allowed = {c for c in allowed if person.any_hour(at, c)}
        if not allowed:
            return None, "no_consent"
        contacts = person.contacts(at)
        obstacles = []
        for channel in CHANNELS:
            if channel not in allowed:
                obstacles.append("no_consent")
            elif channel not in contacts:
                obstacles.append("no_channel")
            elif o.kind != "dose" and o.stage != "moved" and \
                    self.capped(person, channel, contacts[channel], at):
                obstacles.append("cap")
            else:
                return channel, None
        return None, obstacles[0]

    def capped(self, person, channel, address, at):
        today = local_date(person.zone, at)
        mine = [s for c, s in person.sent if c == channel]
        theirs = self.by_address.get((channel, address), [])
        for sent in (mine, theirs):
            ages = [(today - local_date(person.zone, s)).days for s in sent]
            if ages.count(0) >= DAY_CAP[channel]:
                return True
            if channel == "sms" and \
                    sum(1 for a in ages if a <= 6) >= SMS_WEEK_CAP:
                return True
        return False

    def send(self, person, o, channel, at):
        self.settle(person, o)
        person.last_on[channel] = at
        person.last_due[o.due_at] = at
        if o.kind != "dose":
            person.sent.append((channel, at))
            address = person.contacts(at)[channel]
            self.by_address.setdefault((channel, address), []).append(at)
        self.line(person, at, "send", o.kind, o.stage, channel, o.items,
                  None, o.order)

    # -- lines --

    def hold(self, person, o, reason, at):
        if o.held:
            return
        o.held = True
        person.said.update(o.keys)
        groups = [o.items]
        if o.kind == "follow_up" and reason.startswith("patient_"):
            groups = [[item] for item in o.by_start]
        for items in groups:
            self.line(person, at, "hold", o.kind, o.stage, None,
                      list(items), reason, o.order)

    def task(self, person, at, kind, stage, items, reason, order):
        if at < person.from_at:
            return
        if person.status(at) in ("patient_deceased", "patient_inactive"):
            return
        if not any(person.consents_to(at, topic) for topic in TOPICS):
            return
        self.line(person, at, "task", kind, stage, None, items, reason,
                  order)

    def line(self, person, at, action, kind, stage, channel, items, reason,
             order):
        text = local(person.zone, at).isoformat()
        self.lines.append((at, person.order, KINDS.index(kind), order,
                           action == "task", len(self.lines), {
            "at": text, "patient": person.id, "action": action,
            "kind": kind, "stage": stage, "channel": channel,
            "items": items, "reason": reason}))


def dry_run(bundles, first_day, days, assumed=(), **options):
    """The decisions of a window as a list of lines, in time order."""
    return DryRun(bundles, first_day, days, assumed, **options).run()
