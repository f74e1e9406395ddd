"""Random bundles for compare_plan.py: patients with untidy histories.

Everything follows from the seed.  A slice names what the bundles hold:
ladders, visits, doses, policy; each takes in what the ones before it have."""

import random
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

CHANNEL = "https://adherd.example/fhir/channel"
TOPIC = "https://adherd.example/fhir/topic"
ZONE = "http://hl7.org/fhir/StructureDefinition/timezone"
UCUM = "http://unitsofmeasure.org"
COURSE = ("http://terminology.hl7.org/CodeSystem/"
          "medicationrequest-course-of-therapy")
SLICES = ("ladders", "visits", "doses", "policy")
DAYS = (3, 5, 7, 10, 13, 14, 15, 20, 28, 28, 30, 30, 56, 84)
STARTS = ("2026-03-01", "2026-03-20", "2026-10-10", "2026-02-20",
          "2028-02-10", "2026-12-20", "2027-01-25", "2026-06-01")
TOPICS = ("dose", "refill", "follow_up", "marketing")
CHANNELS = ("sms", "wechat_mini", "wechat_oa", "push")


class Window:
    """First day, number of days and assumed topics of one call."""

    def __init__(self, rng, slice_):
        self.first = date.fromisoformat(rng.choice(STARTS)) + \
            timedelta(days=rng.randrange(-4, 5))
        self.days = rng.randrange(14, 46)
        self.assumed = ["dose", "refill", "follow_up"]
        if slice_ == "policy":
            self.assumed = [t for t in self.assumed if rng.random() < .6]


class Maker:
    """Makes the resources of one patient."""

    def __init__(self, rng, window, slice_, number):
        self.rng = rng
        self.window = window
        self.level = SLICES.index(slice_)
        self.id = "p%d" % number
        self.number = number
        self.zone = ZoneInfo(self.pick({"Asia/Shanghai": 6,
                                        "Europe/London": 2,
                                        "America/New_York": 2}))
        self.made = []
        self.child = False

    def pick(self, weights):
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def chance(self, p):
        return self.rng.random() < p

    # -- times --

    def day(self, low, high):
        """A date that many days from the window's first."""
        return self.window.first + timedelta(days=self.rng.randint(low,
                                                                   high))

    def inside(self):
        return self.day(0, self.window.days - 1)

    def clock(self):
        if self.chance(.2):
            return self.rng.choice((time(10), time(9, 59), time(10, 1),
                                    time(8), time(0), time(20, 59)))
        return time(self.rng.randrange(24), self.rng.randrange(60))

    def at(self, day, clock=None):
        clock = clock or self.clock()
        moment = datetime.combine(day, clock, self.zone)
        if self.chance(.2):
            moment = moment.astimezone(timezone.utc)
        return moment.isoformat()

    def later(self, text, low, high):
        """An instant so many minutes after another."""
        moment = datetime.fromisoformat(text) + timedelta(
            minutes=self.rng.randint(low, high))
        return moment.astimezone(self.zone).isoformat()

    # -- resources --

    def add(self, type_, id_, **fields):
        resource = {"resourceType": type_, "id": "%s-%s" % (self.id, id_)
                    if type_ != "Patient" else self.id}
        resource.update((k, v) for k, v in fields.items() if v is not None)
        self.made.append(resource)
        return resource

    def subject(self):
        return {"reference": "Patient/" + self.id}

    def version(self, resource, number, updated, **changes):
        """A second entry of the same resource."""
        day = datetime.fromisoformat(updated).astimezone(self.zone).date()
        if (day - self.window.first).days >= self.window.days:
            return resource
        before = resource.get("meta", {}).get("lastUpdated")
        if before and datetime.fromisoformat(before) >= \
                datetime.fromisoformat(updated):
            del resource["meta"]
        newer = dict(resource)
        newer.update(changes)
        newer["meta"] = {"versionId": str(number), "lastUpdated": updated}
        self.made.append(newer)
        return newer

    def known_late(self, resource, p):
        """Now and then a resource that becomes known in the window."""
        if self.chance(p):
            resource["meta"] = {"versionId": "1",
                                "lastUpdated": self.at(self.inside())}
        elif self.chance(.1):
            resource["meta"] = {"versionId": "1", "lastUpdated":
                                self.at(self.day(-50, -1))}

    def everything(self):
        self.patient()
        for n in range(self.pick({1: 4, 2: 3, 3: 2, 4: 1})):
            self.prescription(n)
        if self.chance(.25):
            for n in range(self.pick({1: 4, 2: 1})):
                self.stay(n)
        if self.level >= 1 and self.chance(.7) or self.chance(.1):
            for n in range(self.pick({1: 5, 2: 3, 3: 1})):
                self.visit(n)
        if self.level >= 3:
            for n in range(self.pick({0: 2, 1: 3, 2: 2, 3: 1})):
                self.consent(n)
        return self.made

    # -- people --

    def patient(self):
        fields = {"birthDate": "1960-05-01", "telecom": self.telecoms()}
        if self.level >= 3:
            self.status_fields(fields)
        if str(self.zone) != "Asia/Shanghai" or self.chance(.8):
            fields["extension"] = [{"url": ZONE,
                                    "valueCode": str(self.zone)}]
        patient = self.add("Patient", self.id, **fields)
        if self.level >= 3 and self.chance(.15):
            patient["meta"] = {"lastUpdated": self.at(self.inside()),
                               "versionId": "1"}

    def status_fields(self, fields):
        if self.chance(.06):
            fields["deceasedDateTime"] = self.rng.choice((
                self.at(self.inside()), self.inside().isoformat()))
        elif self.chance(.03):
            fields["deceasedBoolean"] = True
        elif self.chance(.06):
            fields["active"] = False
        if self.chance(.12):
            self.child = True
            born = self.window.first.replace(
                year=self.window.first.year - 14, day=1) + \
                timedelta(days=self.rng.randrange(-60, 90))
            fields["birthDate"] = born.isoformat()
            if self.chance(.85):
                self.add("RelatedPerson", "g", active=True,
                         patient=self.subject(), relationship=[{"coding": [{
                             "system": "http://terminology.hl7.org/"
                             "CodeSystem/v3-RoleCode", "code": "GUARD"}]}],
                         telecom=self.telecoms())

    def number_of(self):
        if self.level >= 3 and self.chance(.15):
            return "+8613900000%03d" % (self.number // 4)
        return "+86138%08d" % (self.number * 10 + self.rng.randrange(10))

    def telecoms(self):
        if self.level < 3:
            return [{"system": "sms", "value": self.number_of()}]
        found = []
        for _ in range(self.pick({0: 1, 1: 5, 2: 3, 3: 1})):
            telecom = self.telecom()
            if self.chance(.1):
                telecom["use"] = "old"
            if self.chance(.15):
                telecom["period"] = self.period()
            found.append(telecom)
        return found

    def telecom(self):
        if self.chance(.55):
            return {"system": "sms", "value": self.number_of()}
        if self.chance(.3):
            return {"system": "phone", "value": self.number_of(),
                    "use": self.rng.choice(("mobile", "home"))}
        return {"system": "other", "value": "o%06d" % self.number,
                "extension": [{"url": CHANNEL, "valueCode": self.rng.choice(
                    CHANNELS[1:])}]}

    def period(self):
        period = {}
        if self.chance(.6):
            period["start"] = self.edge(-30, 10)
        if self.chance(.6) or not period:
            period["end"] = self.edge(11, 40)
        return period

    def edge(self, low, high):
        day = self.day(low, high)
        return day.isoformat() if self.chance(.5) else self.at(day)

    # -- prescriptions --

    def prescription(self, n):
        dosage, per_day = self.dosage()
        days = self.rng.choice(DAYS)
        units = self.chance(.15)
        if units and dosage:
            dosage["timing"]["repeat"].pop("boundsPeriod", None)
        supply = {}
        repeats = self.pick({None: 4, 0: 4, 1: 2, 2: 2, 3: 1})
        if repeats is not None:
            supply["numberOfRepeatsAllowed"] = repeats
        if self.chance(.4):
            end = self.day(-20, 90)
            supply["validityPeriod"] = {
                "start": self.day(-90, -60).isoformat(),
                "end": end.isoformat() if self.chance(.8)
                else self.at(end)}
        expected = self.chance(.2)
        if expected:
            supply["expectedSupplyDuration"] = self.duration(days)
        course = self.pick({None: 4, "continuous": 4, "acute": 1})
        request = self.add(
            "MedicationRequest", "m%d" % n, status="active", intent="order",
            medicationCodeableConcept={"coding": [{
                "system": "http://www.whocc.no/atc", "code": "X%d" % n}],
                "text": "drug %d" % n},
            subject=self.subject(),
            authoredOn=self.authored(), requester={
                "reference": "Practitioner/d%d" % self.rng.randrange(2)},
            courseOfTherapyType=course and {"coding": [
                {"system": COURSE, "code": course}]},
            dosageInstruction=[dosage] if dosage else None,
            dispenseRequest=supply or None)
        self.known_late(request, .08)
        if self.chance(.15):
            self.version(request, 2, self.at(self.inside()),
                         status=self.pick({"stopped": 3, "cancelled": 1,
                                           "completed": 1}))
        self.fills(n, days, per_day if units else None, expected)

    def authored(self):
        day = self.day(-70, -61)
        return day.isoformat() if self.chance(.6) else self.at(day)

    @staticmethod
    def duration(days):
        return {"value": days, "unit": "days", "system": UCUM, "code": "d"}

    def dosage(self):
        if self.chance(.05):
            return None, None
        repeat, per_day = self.repeat()
        if self.chance(.25):
            bounds = {"start": self.day(-60, 5).isoformat()}
            if self.chance(.6):
                bounds["end"] = self.edge(0, 60)
            repeat["boundsPeriod"] = bounds
        dosage = {"sequence": 1, "timing": {"repeat": repeat},
                  "doseAndRate": [{"doseQuantity": {
                      "value": 1, "unit": "tablet"}}]}
        if self.chance(.05):
            dosage["asNeededBoolean"] = True
            per_day = None
        return dosage, per_day

    def repeat(self):
        repeat = {"frequency": 1, "period": 1, "periodUnit": "d"}
        if self.level < 2:
            repeat["frequency"] = self.rng.randint(1, 3)
            return repeat, repeat["frequency"]
        shape = self.pick({"frequency": 3, "timeOfDay": 3, "when": 2})
        if shape == "frequency":
            repeat["frequency"] = self.pick({1: 5, 2: 4, 3: 3, 4: 2, 5: .5,
                                             7: .5})
            return repeat, repeat["frequency"]
        if shape == "when":
            repeat["when"] = self.rng.sample(
                ("MORN", "NOON", "EVE", "HS", "ACM", "PCV", "NIGHT"),
                self.rng.randint(1, 2))
            if set(repeat["when"]) == {"HS", "NIGHT"}:
                repeat["when"] = ["HS"]
            return repeat, len(repeat["when"])
        times = {self.dose_clock() for _ in range(self.rng.randint(1, 3))}
        repeat["timeOfDay"] = sorted(times)
        return repeat, len(times)

    def dose_clock(self):
        if self.chance(.3):
            return self.rng.choice(("10:00:00", "08:00:00", "08:15:00",
                                    "08:16:00", "05:59:00", "06:00:00",
                                    "22:29:00", "22:30:00", "23:00:00"))
        hour = self.rng.choices(range(24), [1, 1, 1] + [3] * 21)[0]
        return "%02d:%02d:00" % (hour, self.rng.randrange(0, 60, 5))

    def fills(self, n, days, per_day, expected):
        day = self.day(-60, 6)
        for k in range(self.pick({0: 1, 1: 4, 2: 4, 3: 3, 4: 1})):
            self.fill("f%d-%d" % (n, k), n, day, days, per_day, expected)
            step = self.pick({0: 1, days: 3, days - 3: 3, days + 2: 3,
                              days + 9: 1, days // 2: 1, 1: 1})
            day += timedelta(days=max(step, 0))

    def fill(self, id_, n, day, days, per_day, expected):
        fields = {}
        if per_day:
            fields["quantity"] = {"value": days * per_day +
                                  self.pick({0: 3, 1: 1}), "unit": "tablet"}
        elif not (expected and self.chance(.8)) and not self.chance(.04):
            fields["daysSupply"] = self.duration(days)
        handed = day.isoformat() if self.chance(.15) else self.at(day)
        fill = self.add(
            "MedicationDispense", id_, status=self.pick({
                "completed": 20, "entered-in-error": 1, "cancelled": 1,
                "in-progress": 1}),
            medicationCodeableConcept={"coding": [{
                "system": "http://www.whocc.no/atc", "code": "X%d" % n}],
                "text": "drug %d" % n},
            subject=self.subject(), authorizingPrescription=[{
                "reference": "MedicationRequest/%s-m%d" % (self.id, n)}],
            whenHandedOver=handed, **fields)
        if self.chance(.06):
            self.version(fill, 2, self.at(self.inside()),
                         status="entered-in-error")

    def stay(self, n):
        first = self.day(-20, self.window.days)
        last = first + timedelta(days=self.pick({0: 1, 1: 2, 3: 3, 4: 2,
                                                 6: 2, 12: 1}))
        start, end = self.at(first, time(9)), self.at(last, time(15))
        if self.chance(.3):
            start, end = first.isoformat(), last.isoformat()
        period = {"start": start, "end": end}
        cut = self.chance(.3)
        if cut:
            period = {"start": start}
        stay = self.add(
            "Encounter", "e%d" % n, status="in-progress" if cut
            else "finished", subject=self.subject(), period=period,
            **{"class": {"system": "http://terminology.hl7.org/CodeSystem/"
                         "v3-ActCode",
                         "code": self.pick({"IMP": 9, "AMB": 1})}})
        self.known_late(stay, .3)
        if cut and self.chance(.8):
            self.version(stay, 2, self.at(last, time(15, 30)),
                         status="finished",
                         period={"start": start, "end": end})

    # -- visits --

    def visit(self, n):
        day = self.day(-18, self.window.days + 5)
        start = self.at(day, time(self.rng.randrange(8, 18),
                                  self.rng.choice((0, 15, 30))))
        status = self.pick({"booked": 12, "fulfilled": 3, "noshow": 3,
                            "cancelled": 2, "entered-in-error": .5}
                           if self.level >= 1 else {"booked": 1})
        visit = self.appointment("a%d" % n, start, status)
        self.known_late(visit, .2)
        if self.level < 1:
            return
        change = self.pick({"none": 6, "moved": 3, "replaced": 2,
                            "identifier": 1, "ended": 3})
        if status != "booked" or change == "none":
            return
        if change == "ended":
            status = self.pick({"cancelled": 2, "noshow": 3,
                                "fulfilled": 2})
            updated = self.at(self.inside()) if status == "cancelled" \
                else self.later(start, 0, 3000 if self.chance(.8)
                                else 30000)
            self.version(visit, 2, updated, status=status)
            return
        self.move(visit, n, start, change)

    def appointment(self, id_, start, status, **more):
        return self.add(
            "Appointment", id_, status=status, start=start,
            end=self.later(start, 20, 20), participant=[
                {"actor": self.subject(), "status": "accepted"},
                {"actor": {"reference": "Practitioner/d%d" %
                           self.rng.randrange(2)}, "status": "accepted"}],
            **more)

    def move(self, visit, n, start, change):
        """To another start, in one of FHIR's three ways."""
        if self.chance(.2):
            later = self.later(start, -120, 120)
        else:
            later = self.at(self.day(0, self.window.days + 5),
                            time(self.rng.randrange(8, 18)))
        updated = self.at(self.inside())
        if change == "moved":
            newer = self.version(visit, 2, updated, start=later,
                                 end=self.later(later, 20, 20))
            if self.chance(.2):
                back = start if self.chance(.5) else self.later(
                    later, 1440, 9000)
                self.version(newer, 3, self.later(updated, 1, 3000),
                             start=back, end=self.later(back, 20, 20))
            return
        more = {}
        if change == "replaced":
            more["supportingInformation"] = [
                {"reference": "Appointment/" + visit["id"]}]
        else:
            same = [{"system": "urn:visit", "value": visit["id"]}]
            visit["identifier"] = same
            more["identifier"] = same
        self.appointment("b%d" % n, later, "booked", meta={
            "versionId": "1", "lastUpdated": updated}, **more)
        if self.chance(.4):
            self.version(visit, 2, updated, status="cancelled")

    # -- consent --

    def consent(self, n):
        rule = {"type": self.pick({"permit": 3, "deny": 1})}
        if self.chance(.6):
            topics = self.rng.sample(TOPICS, self.rng.randint(1, 3))
            if "dose" in topics and self.chance(.4):
                topics.append("any-hour")
            rule["purpose"] = [{"system": TOPIC, "code": t} for t in topics]
        if self.chance(.5):
            rule["action"] = [
                {"coding": [{"system": CHANNEL, "code": c}]} for c in
                self.rng.sample(CHANNELS, self.rng.randint(1, 3))]
        if self.chance(.15):
            rule["period"] = self.period()
        by = self.subject()
        if self.child and self.chance(.9):
            by = {"reference": "RelatedPerson/%s-g" % self.id}
        given = self.at(self.inside()) if self.chance(.3) \
            else self.at(self.day(-60, -1))
        consent = self.add(
            "Consent", "c%d" % n, status="active", scope={"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/"
                "consentscope", "code": "patient-privacy"}]},
            category=[{"coding": [{"system": "http://loinc.org",
                                   "code": "59284-0"}]}],
            patient=self.subject(), dateTime=given, performer=[by],
            policyRule={"coding": [{"system": "http://terminology.hl7.org/"
                                    "CodeSystem/v3-ActCode",
                                    "code": "OPTIN"}]}, provision=rule)
        if self.chance(.15):
            consent["meta"] = {"versionId": "1",
                               "lastUpdated": self.at(self.inside())}
        if self.chance(.12):
            self.version(consent, 2, self.at(self.inside()),
                         status="inactive")


def batch(seed, slice_, patients):
    """(window, [[resources of one patient], …]) of one call."""
    rng = random.Random(seed)
    window = Window(rng, slice_)
    return window, [Maker(rng, window, slice_, n).everything()
                    for n in range(1, patients + 1)]


def bundle(resources):
    return {"resourceType": "Bundle", "type": "collection",
            "entry": [{"resource": r} for r in resources]}
