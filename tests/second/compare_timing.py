#!/usr/bin/env python3
"""Hold `adherctl timing` against the second implementation: the published
vectors, then random schedules, each printed small where they differ."""

import random
import sys
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

import timing
from compare import Bench, as_read, options, published

ZONES = ["Asia/Shanghai", "Europe/London", "America/New_York",
         "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago",
         "Europe/Dublin", "America/St_Johns", "Africa/Casablanca",
         "America/Havana", "Asia/Beirut", "Pacific/Chatham",
         "Pacific/Apia", "Asia/Tokyo", "UTC"]
# GLib misreads the rule that Dublin's winters follow after 2037; a window is
# at most 1,500 days long
DUBLIN_UNTIL = date(2033, 1, 1)
OFFSETS = [timezone.utc, timezone(timedelta(hours=9)),
           timezone(timedelta(hours=-3, minutes=-30))]


@lru_cache(maxsize=None)
def changes(name):
    """The days around which the zone's clocks change."""
    zone, days = ZoneInfo(name), []
    day = datetime(2019, 1, 1, 12)
    while day.year < 2031:
        later = day + timedelta(days=1)
        if day.replace(tzinfo=zone).utcoffset() != \
                later.replace(tzinfo=zone).utcoffset():
            days.append(later.date())
        day = later
    return days


class Maker:
    """One random case."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.zone_name = self.one_of(ZONES)
        self.zone = ZoneInfo(self.zone_name)

    def one_of(self, values):
        return self.random.choice(values)

    def often(self, percent):
        return self.random.randrange(100) < percent

    def between(self, low, high):
        return self.random.randint(low, high)

    def some(self, values, most):
        return self.random.sample(values, self.between(1, most))

    # ---- days and instants ----

    def day(self):
        near = self.between(-3, 2)
        if self.often(35) and changes(self.zone_name):
            return self.one_of(changes(self.zone_name)) + timedelta(near)
        if self.often(30):
            return date(self.between(2019, 2030), self.between(1, 12), 1) \
                - timedelta(self.between(0, 4))
        if self.often(10):
            return self.one_of([date(2020, 2, 29), date(2024, 2, 29)])
        return date(2019, 1, 1) + timedelta(self.between(0, 4000))

    def clock(self, with_seconds=20):
        minute = self.one_of([0, 15, 30, self.between(0, 59)])
        second = self.between(0, 59) if self.often(with_seconds) else 0
        hour = self.between(0, 3 if self.often(35) else 23)
        return f"{hour:02}:{minute:02}:{second:02}"

    def short_clock(self):
        return self.clock()[:5]

    def timed(self, day):
        """An instant of the day, mostly with the zone's own offset."""
        wall = datetime.fromisoformat(f"{day}T{self.clock()}")
        when = timing.instant(wall, self.zone)
        zone = self.zone if self.often(80) else self.one_of(OFFSETS)
        return when.astimezone(zone).isoformat()

    def moment(self, day):
        return str(day) if self.often(60) else self.timed(day)

    def coarse(self, moment):
        """Now and then only the month, or the year."""
        return moment[:self.one_of([4, 7])] if self.often(6) else moment

    def window(self, day, days):
        if self.often(15):
            day += timedelta(self.one_of([
                self.between(0, 60), self.between(300, 1500),
                self.between(2000, 4500)]))
        else:
            day += timedelta(self.between(-4, 1))
        if self.zone_name == "Europe/Dublin":
            day = min(day, DUBLIN_UNTIL)
        return {"from": self.moment(day),
                "to": self.moment(day + timedelta(days))}

    # ---- parts of repeat ----

    def amount(self):
        return self.between(0, 40) if self.often(85) else \
            self.one_of([0.5, 1.5, 2.25, 10.5])

    def quantity(self):
        value, unit = self.amount(), self.one_of(
            ["d", "d", "d", "wk", "mo", "a", "h", "min"])
        return {"value": value, "unit": unit, "code": unit,
                "system": "http://unitsofmeasure.org"}

    def bounds(self, day):
        kind = self.one_of(["start", "end", "both", "duration", "range"])
        if kind == "duration":
            return {"boundsDuration": self.quantity()}
        if kind == "range":
            high = self.quantity()
            low = {**high, "value": max(0, int(high["value"]) - 1)}
            return {"boundsRange": {"low": low, "high": high}
                    if self.often(85) else {"low": low}}
        period = {}
        if kind != "end":
            day += timedelta(self.between(-20, 20))
            period["start"] = self.coarse(self.moment(day))
        if kind != "start":
            day += timedelta(self.between(0, 90))
            period["end"] = self.coarse(self.moment(day))
        return {"boundsPeriod": period}

    def when(self):
        part = {"when": self.some(timing.WHEN, 3)}
        if self.often(45):
            part["offset"] = self.one_of(
                [0, 10, 15, 30, 45, 60, 120, self.between(0, 600)])
        return part

    def rate(self):
        """Frequency and period, whole or not, often, seldom."""
        unit = self.one_of(["d"] * 6 + ["wk"] * 3 + ["mo", "a"])
        part = {"frequency": self.one_of([1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8,
                                          self.between(1, 24)]),
                "period": self.one_of([1, 1, 1, 2, 3, self.between(1, 10)]),
                "periodUnit": unit}
        if unit in ("mo", "a") and self.often(80):
            part["frequency"] = 1
        if unit in ("d", "wk", "mo") and self.often(6):
            part["period"] = self.one_of([0.5, 1.5, 2.5, 0.25, 1.75])
        return self.thinned(self.ranged(part))

    def hours(self):
        """Elapsed time."""
        unit = self.one_of(["h"] * 6 + ["min", "min", "s"])
        period = {"h": self.one_of([1, 2, 3, 4, 6, 8, 12, 24, 36, 48, 72,
                                    2.5, self.between(1, 100)]),
                  "min": self.one_of([30, 45, 90, self.between(10, 2000)]),
                  "s": self.one_of([3600, 5400, self.between(900, 90000)])}
        part = {"frequency": self.one_of([1, 1, 1, 2, 3, self.between(1, 7)]),
                "period": period[unit], "periodUnit": unit}
        return self.ranged(part)

    def ranged(self, part):
        if self.often(12):
            part["periodMax"] = part["period"] + self.between(0, 3)
        if self.often(12):
            part["frequencyMax"] = part["frequency"] + self.between(0, 3)
        return part

    def thinned(self, part):
        """What is left out means one per day."""
        if self.often(8):
            part.pop("frequency")
            part.pop("frequencyMax", None)
        elif self.often(8):
            for name in ("period", "periodMax", "periodUnit"):
                part.pop(name, None)
        return part

    def code(self):
        if self.often(85):
            name = self.one_of(list(timing.CODES))
            system = timing.ABBREVIATIONS
        else:
            name, system = self.one_of([
                ("XYZ", timing.ABBREVIATIONS), ("qd", timing.ABBREVIATIONS),
                ("QD", "https://code.example/")])
        return {"coding": [{"system": system, "code": name}]}

    def broken(self, repeat):
        """Break one of the rules tim-1 … tim-10."""
        kind = self.between(1, 9)
        repeat.update([
            {"duration": 30}, {"period": 2}, {"duration": -5,
                                              "durationUnit": "min"},
            {"period": -1, "periodUnit": "d"}, {"periodMax": 3},
            {"durationMax": 10, "durationUnit": "min"}, {"countMax": 4},
            {"offset": 20}, {"timeOfDay": ["09:00:00"], "when": ["MORN"]},
        ][kind - 1])
        without = {1: "durationUnit", 2: "periodUnit", 5: "period",
                   6: "duration", 7: "count"}.get(kind)
        if without:
            repeat.pop(without, None)
        if kind == 8:
            repeat.pop("when", None)
            if self.often(50):
                repeat.pop("timeOfDay", None)
                repeat["when"] = [self.one_of(["C", "CM", "CD", "CV"])]

    def misspelt(self, repeat):
        """Write what no schedule can hold."""
        repeat.update(self.one_of([
            {"frequency": 0}, {"count": 0}, {"when": ["MORN"], "offset": -5},
            {"period": 1, "periodUnit": "day"}, {"when": ["morning"]},
            {"dayOfWeek": ["monday"]}]))
        if "when" in repeat:
            repeat.pop("timeOfDay", None)

    # ---- the whole ----

    def repeat(self, day):
        part = {}
        if self.often(12):
            part.update(self.hours())
        elif self.often(88):
            part.update(self.rate())
        if self.often(30):
            part.update(self.when())
        elif self.often(20):
            part["timeOfDay"] = [self.clock() for _ in
                                 range(self.between(1, 3))]
        if self.often(20):
            part["dayOfWeek"] = self.some(timing.DAYS, 4)
        return self.framed(part, day)

    def framed(self, part, day):
        """Bounds, count, the length of one dose."""
        if self.often(45):
            part.update(self.bounds(day))
        if self.often(20):
            part["count"] = self.one_of([1, 2, 5, self.between(1, 60)])
            if self.often(20):
                part["countMax"] = part["count"] + self.between(0, 5)
        if self.often(5):
            part.update({"duration": 30, "durationUnit": "min"})
            if self.often(50):
                part["durationMax"] = 45
        return part

    def profile(self):
        """Other hours, those of a day in their order."""
        names = ["breakfast", "lunch", "dinner", "once", "am", "pm"] + \
            timing.WHEN[:11]
        profile = {name: self.short_clock() for name in self.some(names, 4)}
        if self.often(30):
            profile["wake"] = f"0{self.between(4, 9)}:{self.between(0, 59):02}"
        if self.often(30):
            profile["sleep"] = \
                f"{self.between(20, 23)}:{self.between(0, 59):02}"
        if self.often(30):
            profile["meal_lead_min"] = self.between(0, 90)
        if self.often(15):
            profile["daily"] = {"2": ["07:15", "19:45"]}
        return profile

    def timing(self, day):
        kind = self.between(0, 99)
        if kind < 12:
            made = {"code": self.code()}
            if self.often(50):
                made["repeat"] = self.framed({}, day) \
                    if self.often(80) else self.repeat(day)
        elif kind < 16:
            made = {"repeat": self.framed({"count": 1}, day)}
        elif kind < 21:
            made = {"repeat": self.framed({}, day)} if self.often(30) else {}
            made["event"] = self.events(day)
        else:
            made = {"repeat": self.repeat(day)}
            if self.often(6):
                made["event"] = self.events(day)
        if self.often(5):
            self.broken(made.setdefault("repeat", {}))
        elif self.often(2):
            self.misspelt(made.setdefault("repeat", {}))
        if not made.get("repeat", True):
            del made["repeat"]
        return made

    def events(self, day):
        return [self.moment(day + timedelta(self.between(0, 10)))
                for _ in range(self.between(1, 4))]

    def vector(self):
        day = self.day()
        vector = {"timing": self.timing(day), "start": self.moment(day),
                  "timezone": self.zone_name}
        vector["window"] = self.window(day, self.days(vector["timing"]))
        if self.often(20):
            vector["profile"] = self.profile()
        if self.often(4):
            vector["asNeeded"] = self.often(70)
        return vector

    def days(self, made):
        """A window that holds a readable number of doses."""
        unit = made.get("repeat", {}).get("periodUnit", "d")
        if unit in ("mo", "a"):
            return self.between(30, 1500)
        if unit in ("s", "min"):
            return self.between(1, 5)
        return self.one_of([self.between(0, 5), self.between(2, 40)])


def kind_of(answer):
    """Doses, none, or why there can be none."""
    if answer == {"doses": []}:
        return "no doses"
    return next((kind for kind in ("doses", "needs_review", "errors", "error")
                 if kind in answer), "no answer")


def difference(ours, theirs):
    if ours == theirs or "needs_review" in ours and "needs_review" in theirs:
        return None
    if theirs.get("error") in ours.get("errors", []):
        return None
    return kind_of(ours), kind_of(theirs)


def main():
    chosen = options()

    def make(number):
        return Maker(chosen.seed * 1000003 + number).vector()

    bench = Bench(chosen.adherctl, "timing", timing.expand, difference)
    vectors = published("vectors-timing.json")
    bench.told(all(timing.expand(vector) == {"doses": vector["expected"]}
                   for vector in vectors),
               "the second implementation passes the published vectors")
    kinds = Counter(kind_of(timing.expand(as_read(make(number))))
                    for number in range(500))
    print("#", dict(kinds))
    bench.told(len(kinds) == 4 and min(kinds.values()) > 5,
               "random cases reach doses, none, review and errors")
    return bench.finish(vectors, make, chosen)


if __name__ == "__main__":
    sys.exit(main())
