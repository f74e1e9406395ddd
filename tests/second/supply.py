"""A second reading of the supply ledger: what is on hand, when it runs out.

Written from the rules alone, to be held against daemon/care/supply*.c by
compare_supply.py.  Where the other may reckon with intervals, this one lives
through the days one by one and takes each day's need out of the box.  Pure
functions; stock() answers {"stock": {drug: {…}}}.
"""

from datetime import date, timedelta
from fractions import Fraction

import timing

DAY = timedelta(days=1)
DAYS_MAX = 366 * 12


def day_of(text):
    return date.fromisoformat(text)


class Pauses:
    """Days, both ends included, on which nothing of one's own is used."""

    def __init__(self, spans, as_of):
        self.spans = [(day_of(span["from"]),
                       day_of(span["to"]) if "to" in span else as_of)
                      for span in spans]

    def __contains__(self, day):
        return any(first <= day <= last for first, last in self.spans)


# ---- what a day needs ----

class Dosage:
    """One line of a prescription: doses of a day times the dose."""

    def __init__(self, dosage, begin):
        repeat = dict(dosage["timing"]["repeat"])
        length = repeat.pop("boundsDuration", None)
        self.end = begin + int(length["value"]) * DAY if length else date.max
        self.begin, self.dose = begin, Fraction(dosage["dose"])
        self.doses = timing.doses_on(repeat, begin)

    def __call__(self, day):
        return self.dose * self.doses(day) \
            if self.begin <= day < self.end else 0


def follow(dosages, begin):
    """Lines of one sequence run together, those of the next after them."""
    lines = []
    for sequence in sorted({row.get("sequence", 0) for row in dosages}):
        if lines:
            begin = max(line.end for line in lines)
        lines = [Dosage(row, begin) for row in dosages
                 if row.get("sequence", 0) == sequence]
        yield from lines


class Need:
    """What the prescriptions of a drug need, the newest in force each day."""

    def __init__(self, dosages, first):
        begins = {}
        for row in dosages:
            begin = day_of(row["from"]) if "from" in row else first
            begins.setdefault(begin, []).append(row)
        self.periods = [(begin, list(follow(begins[begin], begin)))
                        for begin in sorted(begins, reverse=True)]
        self.known = {}

    def __call__(self, day):
        if day not in self.known:
            lines = next((lines for begin, lines in self.periods
                          if begin <= day), [])
            self.known[day] = sum(line(day) for line in lines)
        return self.known[day]


# ---- what comes in ----

def arrival(fill):
    """Supply begins where it is delivered, or so many days after."""
    if "delivered" in fill:
        return day_of(fill["delivered"])
    return day_of(fill["date"]) + fill.get("shipping_days", 0) * DAY


def counts(fill, as_of):
    returned = fill.get("returned", False)
    if isinstance(returned, str):
        returned = day_of(returned) <= as_of
    return fill.get("status", "completed") == "completed" and \
        not returned and arrival(fill) <= as_of


class Box:
    """One drug: what comes in, what was counted, what each day takes out."""

    def __init__(self, need, pauses, counted):
        self.need, self.pauses, self.counted = need, pauses, counted

    def run_out(self, arrivals):
        """The day after the last one whose need was met; None if there is
        always enough."""
        days = [*arrivals, *self.counted]
        if not days:
            return None
        day, last, left = min(days), max(days), 0
        end = day
        for _ in range(DAYS_MAX):
            left = self.counted.get(day, left + arrivals.get(day, 0))
            if day in self.counted:
                end = day
            elif day in arrivals:
                end = max(end, day)
            if day not in self.pauses:
                need = self.need(day)
                if left >= need:
                    end = day + DAY
                elif day >= last:
                    return end
                left = max(0, left - need)
            day += DAY
        return None

    def days_of_last(self, arrivals, last):
        """Days that the last fill adds once all before it is used up; what
        the patient counted later does not make it smaller."""
        day, amount = last
        box = Box(self.need, self.pauses, {
            on: left for on, left in self.counted.items() if on < day})
        before = {on: what - (amount if on == day else 0)
                  for on, what in arrivals.items()}
        end = box.run_out(arrivals)
        if end is None:
            return 0
        begin = max(day, box.run_out(before))
        days = [begin + n * DAY for n in range((end - begin).days)]
        needed = [day for day in days if self.need(day)]
        return sum(day >= needed[0] and day not in self.pauses
                   for day in days) if needed else 0


def in_units(fill, need):
    """Units dispensed, or those of the days at the dose of their time."""
    if "quantity" in fill:
        return Fraction(fill["quantity"])
    dose = need(arrival(fill))
    assert dose > 0, "no dose to count the days by"
    return fill["days_supply"] * dose


class Drug:
    """The rows of one drug, as far as they are known."""

    def __init__(self, vector, drug, as_of):
        def rows(name):
            return [row for row in vector.get(name, [])
                    if row["drug"] == drug]
        dated = [row for row in rows("fills")
                 if day_of(row["date"]) <= as_of]
        self.given = sorted((fill for fill in dated if counts(fill, as_of)),
                            key=arrival)
        self.by_units = bool(rows("dosages"))
        self.need = lambda day: 1
        if self.by_units:
            first = min([day_of(row["date"]) for row in dated] or [as_of])
            self.need = Need(rows("dosages"), first)
        self.counted = {day_of(row["date"]): self.left(row)
                        for row in rows("corrections")
                        if day_of(row["date"]) <= as_of}

    def left(self, correction):
        if self.by_units and "quantity" in correction:
            return Fraction(correction["quantity"])
        if self.by_units:
            return correction["days"] * self.need(day_of(correction["date"]))
        return correction["days"]

    def amounts(self):
        """What is taken as needed lasts nobody knows how long."""
        return [(arrival(fill), in_units(fill, self.need) if self.by_units
                 else fill["days_supply"]) for fill in self.given
                if not fill.get("as_needed")]


def answer(run_out, as_of, refill, shipping):
    return {
        "run_out": str(run_out) if run_out else None,
        "on_hand_days": max(0, (run_out - as_of).days) if run_out else None,
        "reminders_7_3_1": [str(run_out - (n + shipping) * DAY)
                            for n in (7, 3, 1)] if run_out else [],
        "earliest_refill": str(refill) if refill else None,
    }


def stock_of(drug, pauses, as_of, options):
    amounts, arrivals = drug.amounts(), {}
    for day, amount in amounts:
        arrivals[day] = arrivals.get(day, 0) + amount
    box = Box(drug.need, pauses, drug.counted)
    run_out = box.run_out(arrivals)
    spare, interval = 0, options.get("dispense_interval_days")
    if amounts and run_out:
        days = box.days_of_last(arrivals, amounts[-1]) \
            if drug.by_units else amounts[-1][1]
        spare = (100 - options.get("early_refill_pct", 75)) * days // 100
    refill = run_out and run_out - spare * DAY
    if interval is not None and drug.given:
        refill = arrival(drug.given[-1]) + interval * DAY
    return answer(run_out, as_of, refill, options.get("shipping_days", 0))


def stock(vector):
    as_of = day_of(vector["as_of"])
    options = vector.get("options", {})
    pauses = Pauses(options.get("pauses", []), as_of)
    names = [row["drug"] for name in ("fills", "corrections")
             for row in vector.get(name, []) if day_of(row["date"]) <= as_of]
    return {"stock": {
        name: stock_of(Drug(vector, name, as_of), pauses, as_of, options)
        for name in dict.fromkeys(names)}}
