#!/usr/bin/env python3
"""Hold `adherctl supply` against the second implementation: the published
vectors, then random ledgers, each printed small where they differ."""

import random
import sys
from collections import Counter
from datetime import date, timedelta

import supply
from compare import Bench, as_read, options, published


class Maker:
    """One random ledger."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.begin = self.day()

    def one_of(self, values):
        return self.random.choice(values)

    def often(self, percent):
        return self.random.randrange(100) < percent

    def between(self, low, high):
        return self.random.randint(low, high)

    def day(self):
        """Often just before a leap day or the turn of a year."""
        if self.often(25):
            return date(self.one_of([2020, 2024, 2028]), 2,
                        self.between(1, 29))
        if self.often(20):
            return date(self.between(2022, 2027), 12, self.between(1, 31))
        return date(2023, 1, 1) + timedelta(self.between(0, 1500))

    def fills(self, drug):
        """Punctual, early, late, twice on one day."""
        day, fills = self.begin + timedelta(self.between(0, 20)), []
        days = self.one_of([7, 14, 28, 30, 30, 60, 84, 90,
                            self.between(1, 120)])
        for _ in range(self.one_of([1, 1, 2, 3, 4, 5])):
            fills.append({"date": str(day), "drug": drug, "days_supply": days})
            if self.often(25):
                days = self.between(1, 100)
            day += timedelta(self.one_of([
                0, days, days, self.between(0, days),
                days + self.between(0, 60)]))
        return fills

    def pause(self):
        first = self.begin + timedelta(self.between(-10, 150))
        last = first + timedelta(self.one_of([0, 1, self.between(0, 60)]))
        return {"from": str(first), "to": str(last)} if self.often(90) else \
            {"from": str(first)}

    def options(self):
        chosen = {}
        if self.often(50):
            chosen["pauses"] = [self.pause() for _ in
                                range(self.between(1, 3))]
        if self.often(40):
            chosen["early_refill_pct"] = self.one_of(
                [75, 80, 85, 100, 0, self.between(50, 100)])
        for name in ("dispense_interval_days", "shipping_days"):
            if self.often(10):
                chosen[name] = self.between(0, 40)
        return chosen

    # ---- by units ----

    def dosage(self, drug):
        """Rules that need the same every day: of others, units and days
        supply tell different dates, and the rules allow both."""
        rule = self.one_of([
            {"frequency": self.between(1, 4), "period": 1, "periodUnit": "d"},
            {"when": self.one_of([["MORN"], ["MORN", "EVE"], ["AC"]])},
            {"timeOfDay": ["08:00:00", "20:30:00"]}])
        return {"drug": drug, "dose": self.one_of([1, 1, 2, 0.5, 1.5]),
                "timing": {"repeat": rule}}

    def sparse(self, drug, day):
        """Doses some days apart, from the fill on, and what they need."""
        rule = self.one_of([
            {"frequency": 1, "period": self.between(2, 4), "periodUnit": "d"},
            {"frequency": 1, "period": 1, "periodUnit": "wk"},
            {"frequency": 1, "period": 2, "periodUnit": "wk"}])
        dose, count = self.one_of([1, 2, 0.5, 1.5]), self.between(1, 30)
        return [{"drug": drug, "dose": dose, "from": str(day),
                 "timing": {"repeat": rule}}], \
            [{"date": str(day), "drug": drug, "quantity": dose * count,
              "unit": "tablet"}]

    def dosages(self, drug, day):
        """One dose, two at once, one that changes, or a taper."""
        rows = [self.dosage(drug)]
        if self.often(85):
            rows[0]["from"] = str(day)
        kind = self.between(0, 3)
        if kind == 1:
            rows.append({**self.dosage(drug), **{
                name: rows[0][name] for name in ("from",) if name in rows[0]}})
        elif kind == 2:
            for _ in range(self.between(1, 3)):
                day += timedelta(self.between(1, 40))
                rows.append({**self.dosage(drug), "from": str(day)})
        elif kind == 3:
            rows = self.taper(drug, day)
        return rows

    def taper(self, drug, day):
        rows = [{**self.dosage(drug), "sequence": i + 1, "from": str(day)}
                for i in range(self.between(2, 4))]
        for row in rows[:-1]:
            row["timing"] = {"repeat": {**row["timing"]["repeat"],
                "boundsDuration": {"value": self.between(1, 20), "code": "d",
                                   "unit": "d",
                                   "system": "http://unitsofmeasure.org"}}}
        return rows

    def one_line(self, dosages):
        """One dosage at a time, the first from the first fill: then days
        that are stated are units as well."""
        begins = [row.get("from") for row in dosages]
        return len(set(begins)) == len(begins) and None not in begins

    def in_units(self, fills):
        for fill in fills:
            fill["quantity"] = self.one_of([28, 30, 60, 100,
                                            self.between(1, 120)])
            fill["unit"] = "tablet"
            del fill["days_supply"]

    # ---- what befalls a ledger ----

    def spoil(self, fills, as_of, by_days):
        """Not all is handed over at once, nor kept."""
        for fill in fills:
            if self.often(10):
                fill["status"] = self.one_of([
                    "completed", "cancelled", "entered-in-error", "stopped",
                    "in-progress"])
            if self.often(6):
                fill["returned"] = self.one_of([
                    True, False, str(as_of + timedelta(self.between(-9, 9)))])
            if self.often(6):
                day = date.fromisoformat(fill["date"])
                fill["delivered"] = str(day + timedelta(self.between(0, 9)))
            elif self.often(6):
                fill["shipping_days"] = self.between(0, 9)
            if self.often(4) and by_days:
                fill["as_needed"] = True

    def corrections(self, drug, as_of, by_units):
        name, most = ("quantity", 60) if by_units else ("days", 40)
        days = {as_of - timedelta(self.between(-5, 90))
                for _ in range(self.one_of([1, 1, 2]))}
        return [{"date": str(day), "drug": drug, name: self.between(0, most)}
                for day in sorted(days)]

    def vector(self):
        as_of = self.begin + timedelta(self.between(0, 200))
        chosen = self.options()
        vector = {"fills": [], "as_of": str(as_of),
                  "window": {"start": str(self.begin), "end": str(as_of)}}
        for drug in self.random.sample("ABC", self.one_of([1, 1, 1, 2, 3])):
            fills, by_units = self.fills(drug), self.often(40)
            first = min(date.fromisoformat(f["date"]) for f in fills)
            if by_units and "pauses" not in chosen and self.often(30):
                dosages, vector["fills"][:0] = self.sparse(drug, first)
                vector.setdefault("dosages", []).extend(dosages)
                continue
            if by_units:
                dosages = self.dosages(drug, first)
                vector.setdefault("dosages", []).extend(dosages)
                if not self.one_line(dosages) or self.often(80):
                    self.in_units(fills)
            if self.often(40):
                self.spoil(fills, as_of, not by_units)
            if self.often(25):
                vector.setdefault("corrections", []).extend(
                    self.corrections(drug, as_of, by_units))
            vector["fills"] += fills
        if self.often(50):
            self.random.shuffle(vector["fills"])
        return {**vector, "options": chosen} if chosen else vector


def difference(ours, theirs):
    """Which numbers of a drug differ, and which are missing."""
    if "stock" not in theirs:
        return [*theirs] or "no answer"
    if set(ours["stock"]) != set(theirs["stock"]):
        return "drugs"
    return sorted({(name, value is None, theirs["stock"][drug][name] is None)
                   for drug, found in ours["stock"].items()
                   for name, value in found.items()
                   if value != theirs["stock"][drug][name]})


def reached(vectors):
    """How often each thing that matters comes up."""
    seen = Counter()
    for vector in vectors:
        for found in supply.stock(as_read(vector))["stock"].values():
            seen["out" if found["on_hand_days"] == 0 else
                 "on hand" if found["run_out"] else "no date"] += 1
        seen.update(name for name in ("dosages", "corrections")
                    if name in vector)
        seen.update(list(vector.get("options", {})))
        seen.update({name for fill in vector["fills"] for name in fill
                     if name not in ("date", "drug", "unit")})
    return seen


def main():
    chosen = options()

    def make(number):
        return Maker(chosen.seed * 1000003 + number).vector()

    bench = Bench(chosen.adherctl, "supply", supply.stock, difference)
    vectors = published("vectors-adherence.json")
    bench.told(all(supply.stock(vector)["stock"] == vector["expected"]["stock"]
                   for vector in vectors),
               "the second implementation passes the published vectors")
    seen = reached(make(number) for number in range(500))
    print("#", dict(seen))
    bench.told(len(seen) == 15 and min(seen.values()) > 5,
               "random cases reach what a ledger can hold")
    return bench.finish(vectors, make, chosen)


if __name__ == "__main__":
    sys.exit(main())
