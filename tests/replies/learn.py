#!/usr/bin/env python3
"""learn.py: weights of reply_likely.h from labelled replies.  Reads what
`features` writes, writes daemon/care/reply/likely.rules; the same input gives
the same bytes.  Multinomial logistic regression, by stochastic gradient
descent; weights that are small, and features that are rare, are left out."""

import collections
import math
import random
import sys

EPOCHS, RATE, DECAY = 25, 1.0, 0.9
SCALE = 4               # LIKELY_SCALE of reply_likely.c
REPLIES_LEAST = 2       # that have a feature
WEIGHT_LEAST = 0.2
LINE_BYTES = 78
HEAD = """\
# What no rule understands is guessed by the words below, each with its weight
# for a label: hundredths of the logarithm of odds.  Made by `make likely` from
# the labelled replies of tests/replies, save those that are held out; what a
# feature is, care/reply_likely.h says.  Do not edit: label a reply instead.
"""


def read(file):
    """[(label, features that several replies have, scale)]; the scale keeps
    what is long from being sure of anything."""
    rows = [(line.rstrip("\n").split("\t")[0],
             sorted(set(line.rstrip("\n").split("\t")[1:]))) for line in file]
    replies = collections.Counter(f for _, found in rows for f in found)
    return [(label, [f for f in found if replies[f] >= REPLIES_LEAST],
             SCALE / math.sqrt(len(found))) for label, found in rows]


def learn(rows):
    labels = sorted({label for label, _, _ in rows})
    place = {label: i for i, label in enumerate(labels)}
    weights = collections.defaultdict(lambda: [0.0] * len(labels))
    chance, rate = random.Random(1), RATE
    for _ in range(EPOCHS):
        chance.shuffle(rows)
        for label, found, scale in rows:
            mine = [weights[f] for f in found]
            scores = [scale * sum(column) for column in zip(*mine)]
            most = max(scores)
            odds = [math.exp(s - most) for s in scores]
            step = rate * scale / SCALE
            moves = [step * ((i == place[label]) - odd / sum(odds))
                     for i, odd in enumerate(odds)]
            for weight in mine:
                for i, move in enumerate(moves):
                    weight[i] += move
        rate *= DECAY
    return labels, weights


def write(out, labels, weights):
    out.write(HEAD)
    for i, label in enumerate(labels):
        entries = sorted(
            ((row[i], feature) for feature, row in weights.items()
             if abs(row[i]) >= WEIGHT_LEAST),
            key=lambda entry: (-entry[0], entry[1]))
        out.write(f"\nlikely {label}\n")
        line = ""
        for weight, feature in entries:
            said = f"{round(100 * weight)} {feature}"
            if line and len(f"\t{line} | {said}".encode()) > LINE_BYTES:
                out.write(f"\t{line}\n")
                line = ""
            line += f" | {said}" if line else said
        if line:
            out.write(f"\t{line}\n")


if __name__ == "__main__":
    write(sys.stdout, *learn(read(sys.stdin)))
