"""A second reading of FHIR Timing: which instants a schedule names.

Written from the rules alone, to be held against daemon/care/timing*.c by
compare_timing.py.  It goes the plain way wherever the other may be clever:
rational numbers, one day after another, zones by zoneinfo.  Pure functions;
expand() answers {"doses": […]}, {"needs_review": why} or {"errors": […]},
all that are there, for nothing says which is to be told.
"""

import calendar
import itertools
from datetime import date, datetime, time, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

PROFILE = {
    "wake": "07:00", "breakfast": "07:30", "lunch": "12:00",
    "dinner": "18:00", "sleep": "22:00", "meal_lead_min": 30,
    "once": "08:00", "am": "08:00", "pm": "15:00",
    "daily": {"1": ["08:00"], "2": ["08:00", "20:00"],
              "3": ["08:00", "14:00", "20:00"],
              "4": ["08:00", "12:00", "16:00", "20:00"]},
    "MORN": "08:00", "MORN.early": "06:00", "MORN.late": "10:00",
    "NOON": "12:00",
    "AFT": "15:00", "AFT.early": "13:00", "AFT.late": "17:00",
    "EVE": "19:00", "EVE.early": "18:00", "EVE.late": "21:00",
    "NIGHT": "22:00",
}
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WHEN = ["MORN", "MORN.early", "MORN.late", "NOON", "AFT", "AFT.early",
        "AFT.late", "EVE", "EVE.early", "EVE.late", "NIGHT", "PHS", "HS",
        "WAKE", "C", "CM", "CD", "CV", "AC", "ACM", "ACD", "ACV", "PC",
        "PCM", "PCD", "PCV"]
UNITS = ["s", "min", "h", "d", "wk", "mo", "a"]
MEALS = {"M": "breakfast", "D": "lunch", "V": "dinner"}
UNIT_S = {"s": 1, "min": 60, "h": 3600, "d": 86400, "wk": 604800}
ABBREVIATIONS = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
CODES = {
    "QD": {"frequency": 1, "period": 1, "periodUnit": "d"},
    "BID": {"frequency": 2, "period": 1, "periodUnit": "d"},
    "TID": {"frequency": 3, "period": 1, "periodUnit": "d"},
    "QID": {"frequency": 4, "period": 1, "periodUnit": "d"},
    "QOD": {"frequency": 1, "period": 2, "periodUnit": "d"},
    "AM": {"profile": "am"}, "PM": {"profile": "pm"},
    "BED": {"when": ["HS"]},
    "WK": {"frequency": 1, "period": 1, "periodUnit": "wk"},
    "MO": {"frequency": 1, "period": 1, "periodUnit": "mo"},
}
CODES.update({f"Q{n}H": {"frequency": 1, "period": n, "periodUnit": "h"}
              for n in (1, 2, 3, 4, 6, 8)})
SCHEDULE = ("frequency", "period", "timeOfDay", "when", "dayOfWeek")


class Review(Exception):
    """The schedule cannot be told from what is written."""


# ---- what is not allowed to be written ----

def invariants(repeat):
    """The elements at fault, for each rule tim-1 … tim-10 that is broken."""
    def lacks(there, base):
        return there in repeat and base not in repeat
    when = repeat.get("when", [])
    faults = [
        ("durationUnit", lacks("duration", "durationUnit")),
        ("periodUnit", lacks("period", "periodUnit")),
        ("duration", repeat.get("duration", 0) < 0),
        ("period", repeat.get("period", 0) < 0),
        ("periodMax", lacks("periodMax", "period")),
        ("durationMax", lacks("durationMax", "duration")),
        ("countMax", lacks("countMax", "count")),
        ("offset", "offset" in repeat and
         (not when or any(code in ("C", "CM", "CD", "CV") for code in when))),
        ("timeOfDay", "timeOfDay" in repeat and bool(when)),
    ]
    return ["repeat." + name for name, broken in faults if broken]


def values(repeat):
    """The elements that hold what no schedule can hold."""
    counts = ("frequency", "frequencyMax", "count", "countMax")
    faults = [(name, name in repeat and repeat[name] < 1) for name in counts]
    faults += [
        ("offset", repeat.get("offset", 0) < 0),
        ("periodUnit", repeat.get("periodUnit", "d") not in UNITS),
        ("when", not set(repeat.get("when", [])) <= set(WHEN)),
        ("dayOfWeek", not set(repeat.get("dayOfWeek", [])) <= set(DAYS)),
    ]
    return ["repeat." + name for name, broken in faults if broken]


# ---- clocks ----

def minutes(clock):
    hour, minute = clock.split(":")[:2]
    return int(hour) * 60 + int(minute)


def seconds(clock):
    parts = [int(part) for part in clock.split(":")]
    return parts[0] * 3600 + parts[1] * 60 + (parts[2] if parts[2:] else 0)


def instant(wall, zone):
    """A wall clock inside a gap moves on by it; of two, the first counts."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)


def at(day, second_of_day, zone):
    midnight = datetime.combine(day, time())
    return instant(midnight + timedelta(seconds=second_of_day), zone)


def read(text, zone):
    """An instant, and whether the text was a date without a time."""
    if "T" in text:
        return datetime.fromisoformat(text).astimezone(timezone.utc), False
    return at(first_day(text), 0, zone), True


def first_day(text):
    """The first day of a day, a month or a year."""
    return date.fromisoformat(text + "-01-01"[len(text) - 4:])


def day_after(text):
    """The first day that is no longer of it."""
    if len(text) == 10:
        return first_day(text) + timedelta(days=1)
    return months_later(first_day(text), 1 if len(text) == 7 else 12)


def shown(when, zone):
    return when.astimezone(zone).isoformat(timespec="seconds")


def months_later(day, months):
    """The same day some months on, or the last one of a short month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


# ---- the hours of a day ----

def code_seconds(code, offset, profile):
    """A `when` code to seconds after midnight: several for all meals."""
    if code in ("AC", "PC", "C"):
        return [second for meal in "MDV"
                for second in code_seconds(code + meal, offset, profile)]
    lead = profile["meal_lead_min"] if offset is None else offset
    shift = offset or 0
    if code[-1] in MEALS and code[:-1] in ("AC", "PC", "C"):
        sense = {"AC": -lead, "PC": lead, "C": 0}[code[:-1]]
        return [60 * (minutes(profile[MEALS[code[-1]]]) + sense)]
    if code in ("HS", "PHS"):
        sense = -shift if code == "HS" else shift
        return [60 * (minutes(profile["sleep"]) + sense)]
    if code == "WAKE":
        return [60 * (minutes(profile["wake"]) + shift)]
    return [60 * (minutes(profile[code]) + shift)]


def daily(count, profile):
    """The hours of so many doses a day."""
    if count <= 4:
        return [seconds(clock) for clock in profile["daily"][str(count)]]
    wake, sleep = minutes(profile["wake"]), minutes(profile["sleep"])
    return [60 * (wake + i * (sleep - wake) // (count - 1))
            for i in range(count)]


def explicit(repeat, profile):
    """The hours that are written down, or None."""
    if repeat.get("timeOfDay"):
        return [seconds(clock) for clock in repeat["timeOfDay"]]
    if repeat.get("when"):
        return [second for code in repeat["when"] for second in
                code_seconds(code, repeat.get("offset"), profile)]
    if "profile" in repeat:
        return [seconds(profile[repeat["profile"]])]
    return None


# ---- the days ----

def spread(frequency, period_days):
    """Days 0 … of a block that carry one of its doses."""
    return {i * period_days // frequency for i in range(frequency)}


def block(anchor, offsets, length):
    return lambda day: (day - anchor).days % length in offsets


def per_day(repeat, frequency, period, anchor, profile):
    hours = explicit(repeat, profile)
    if hours is not None:
        return block(anchor, {0}, period), hours
    if period == 1:
        return block(anchor, {0}, 1), daily(frequency, profile)
    if frequency <= period:
        return (block(anchor, spread(frequency, period), period),
                [seconds(profile["once"])])
    if frequency % period:
        raise Review("more doses than days, not evenly")
    return block(anchor, {0}, 1), daily(frequency // period, profile)


def per_week(repeat, frequency, period, anchor, profile):
    hours = explicit(repeat, profile)
    named = set(repeat.get("dayOfWeek", []))
    if named:
        if hours is None and frequency > len(named):
            if frequency % len(named):
                raise Review("more doses than days of the week, not evenly")
            hours = daily(frequency // len(named), profile)
        monday = anchor - timedelta(days=anchor.weekday())
        days = block(monday, set(range(7)), 7 * period)
    else:
        if frequency > 7 * period and \
                frequency != 7 * period * len(hours or ()):
            raise Review("more doses than days in the weeks")
        days = block(anchor, spread(frequency, 7 * period), 7 * period)
    return days, hours or [seconds(profile["once"])]


def per_month(repeat, frequency, months, anchor, profile):
    if frequency != 1:
        raise Review("several times a month")

    def falls(day):
        apart = (day.year - anchor.year) * 12 + day.month - anchor.month
        return apart % months == 0 and day == months_later(anchor, apart)
    return falls, explicit(repeat, profile) or [seconds(profile["once"])]


def calendar_rule(repeat, anchor, profile):
    """Which days have doses, and the hours of such a day."""
    frequency = repeat.get("frequency", 1)
    unit = repeat.get("periodUnit", "d")
    period = period_of(repeat)
    if unit in ("s", "min", "h"):
        if explicit(repeat, profile) is None:
            raise Review("hours and days of the week")
        unit, period = "d", 1
    if period.denominator != 1 or period == 0:
        raise Review("part of a period")
    period = int(period)
    if unit == "d":
        days, hours = per_day(repeat, frequency, period, anchor, profile)
    elif unit == "wk":
        days, hours = per_week(repeat, frequency, period, anchor, profile)
    else:
        months = period * (12 if unit == "a" else 1)
        days, hours = per_month(repeat, frequency, months, anchor, profile)
    named = repeat.get("dayOfWeek") or DAYS
    return lambda day: days(day) and DAYS[day.weekday()] in named, hours


def calendar_doses(rule, anchor, since, until, zone):
    """Instants of the days that the rule names, between two instants."""
    falls, hours = rule
    day = max(anchor, since.astimezone(zone).date() - timedelta(days=3))
    last = until.astimezone(zone).date() + timedelta(days=3)
    while day <= last:
        if falls(day):
            yield from sorted(at(day, hour, zone) for hour in hours)
        day += timedelta(days=1)


# ---- elapsed time ----

def period_of(repeat):
    """Ranges are read as the least frequent."""
    period = repeat.get("period", 1)
    return Fraction(max(period, repeat.get("periodMax", period)))


def is_elapsed(repeat):
    if any(repeat.get(name) for name in ("timeOfDay", "when", "dayOfWeek")) \
            or "profile" in repeat:
        return False
    unit = repeat.get("periodUnit", "d")
    return unit in ("s", "min", "h") or \
        (unit in ("d", "wk") and period_of(repeat).denominator != 1)


def step_of(repeat):
    return period_of(repeat) * UNIT_S[repeat["periodUnit"]] \
        / repeat.get("frequency", 1)


def elapsed_doses(repeat, first, since, until):
    """Every so many seconds from the first, whatever the clocks do."""
    step = step_of(repeat)
    if step <= 0:
        raise Review("no time between doses")
    start = max(0, int((since - first).total_seconds() / step) - 1)
    for i in itertools.count(start):
        due = first + timedelta(seconds=int(i * step))
        if due > until:
            return
        yield due


# ---- doses of a day ----

def doses_on(repeat, begin):
    """How many doses a day has, where no clock changes and the first day
    begins at the hour of a single dose; for open-ended rules."""
    assert any(name in repeat for name in SCHEDULE)
    if not is_elapsed(repeat):
        falls, hours = calendar_rule(repeat, begin, PROFILE)
        return lambda day: len(set(hours)) if falls(day) else 0
    step_s = int(step_of(repeat))
    first_s = seconds(PROFILE["once"])

    def since_begin(day):
        """Doses before a day."""
        return max(0, -((first_s - (day - begin).days * 86400) // step_s))
    return lambda day: since_begin(day + timedelta(days=1)) - since_begin(day)


# ---- the whole ----

def wall_later(anchor, amount, unit, zone):
    """The anchor's wall clock, so many whole days, weeks, months on."""
    wall = anchor.astimezone(zone).replace(tzinfo=None)
    if unit in ("d", "wk"):
        wall += timedelta(days=amount * (7 if unit == "wk" else 1))
    else:
        day = months_later(wall.date(), amount * (12 if unit == "a" else 1))
        wall = datetime.combine(day, wall.time())
    return instant(wall, zone)


def limit_of(repeat, anchor, zone):
    """The first instant that is too late, or None."""
    end = repeat.get("boundsPeriod", {}).get("end")
    if end:
        if "T" in end:
            return read(end, zone)[0] + timedelta(microseconds=1)
        return at(day_after(end), 0, zone)
    length = repeat.get("boundsDuration") or \
        repeat.get("boundsRange", {}).get("high")
    if not length:
        return None
    amount = Fraction(length["value"])
    unit = length.get("code", length.get("unit"))
    if unit in ("d", "wk", "mo", "a") and amount.denominator == 1:
        return wall_later(anchor, int(amount), unit, zone)
    if unit not in UNIT_S:
        raise Review(f"a fraction of {unit}")
    return anchor + timedelta(seconds=int(amount * UNIT_S[unit]))


def known_code(timing):
    for coding in timing.get("code", {}).get("coding", []):
        if coding.get("system") == ABBREVIATIONS and coding["code"] in CODES:
            return CODES[coding["code"]]
    return None


def schedule_of(timing):
    """What the code says where repeat says nothing, else what repeat says."""
    repeat = dict(timing.get("repeat", {}))
    if not any(name in repeat for name in SCHEDULE):
        meant = known_code(timing)
        if meant:
            return {**repeat, **meant}
        if "code" in timing and not timing.get("event"):
            raise Review("unknown code")
    return repeat


def rule_doses(repeat, timing, anchor, date_only, span, zone, profile):
    """The doses of the rule, without those of the events."""
    since, until = span
    anchor_on = anchor.astimezone(zone).date()
    first = at(anchor_on, seconds(profile["once"]), zone) if date_only \
        else anchor
    if not any(name in repeat
               for name in SCHEDULE + ("profile", "frequencyMax")):
        if timing.get("event"):
            return iter(())
        if repeat.get("count") == 1:
            return iter([first])
        raise Review("nothing says how often")
    if is_elapsed(repeat):
        return itertools.islice(elapsed_doses(repeat, first, since, until),
                                repeat.get("count"))
    rule = calendar_rule(repeat, anchor_on, profile)
    return calendar_doses(rule, anchor_on, since, until, zone)


def anchor_of(repeat, events, start, zone):
    begin = repeat.get("boundsPeriod", {}).get("start")
    if begin:
        return read(begin, zone)
    if events:
        return min(events)
    return read(start, zone)


def event_doses(events, zone, profile):
    """A day without a time is meant at the hour of a single dose."""
    for when, date_only in events:
        yield at(when.astimezone(zone).date(), seconds(profile["once"]),
                 zone) if date_only else when


def doses_of(vector):
    zone = ZoneInfo(vector["timezone"])
    profile = {**PROFILE, **vector.get("profile", {})}
    profile["daily"] = {**PROFILE["daily"], **profile["daily"]}
    timing = vector["timing"]
    repeat = schedule_of(timing)
    since, until = (read(vector["window"][name], zone)[0]
                    for name in ("from", "to"))
    events = [read(text, zone) for text in timing.get("event", [])]
    anchor, date_only = anchor_of(repeat, events, vector.get("start"), zone)
    limit = limit_of(repeat, anchor, zone)
    count = repeat.get("count")
    begin = anchor if count else max(anchor, since)
    rule = rule_doses(repeat, timing, anchor, date_only, (begin, until), zone,
                      profile)
    doses = sorted(set(itertools.chain(
        rule, event_doses(events, zone, profile))))
    doses = [due for due in doses
             if anchor <= due and (limit is None or due < limit)]
    return [shown(due, zone) for due in doses[:count]
            if since <= due < until]


def expand(vector):
    repeat = vector["timing"].get("repeat", {})
    faults = [{"code": code, "at": name}
              for code, names in (("invariant", invariants(repeat)),
                                  ("value", values(repeat)))
              for name in names]
    if faults:
        return {"errors": faults}
    if vector.get("asNeeded"):
        return {"doses": []}
    try:
        return {"doses": doses_of(vector)}
    except Review as why:
        return {"needs_review": str(why)}
