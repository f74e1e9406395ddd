#!/usr/bin/python3
"""learn.py FEATURES LABELS FILE…: the numbers of care/reply_likely.h from
labelled replies.  FEATURES is what `features` writes of them, LABELS the
names in its order; FILEs are those that no rule was made from, by which it is
learned how far rules are to be trusted.  The same input gives the same bytes.

For each label a logistic regression (scikit-learn) of its own: first over the
words of all replies; then, over the FILEs, of what the words say, what rules
say and what they hid.  What the words of a FILE's reply say is told by weights
that were learned without it.  Weights that are small, and features that are
rare, are left out."""

import collections
import math
import sys

import numpy
from scipy import sparse
from sklearn.linear_model import LogisticRegression

SCALE = 4               # LIKELY_SCALE of reply_likely.c
REPLIES_LEAST = 2       # that have a feature
WORDS_C, TRUST_C = 1.0, 0.3     # the inverse of regularization
PARTS = 5               # of the FILEs, each told by the others
WEIGHT_LEAST = 20         # hundredths
WEIGHT_MOST = 3000
LINE_BYTES = 78
HEAD = """\
# Which labels hold, by a reply's words and by what rules found: hundredths of
# the logarithm of odds.  Made by `make likely` from the labelled replies of
# tests/replies, save those that are held out; what a feature is, and the three
# numbers of a label, care/reply_likely.h says.  Do not edit: label a reply
# instead.
"""


class Replies:
    def __init__(self, rows, count):
        self.files = [row[0] for row in rows]
        self.said, self.found, self.hidden = (
            numpy.array([[int(row[field]) >> i & 1 for i in range(count)]
                         for row in rows]) for field in (1, 2, 3))
        self.features = [sorted(set(row[4:])) for row in rows]


def matrix(features, places):
    """A row a reply; the scale keeps what is long from being sure."""
    rows, columns, values = [], [], []
    for i, found in enumerate(features):
        for feature in found:
            if feature in places:
                rows.append(i)
                columns.append(places[feature])
                values.append(SCALE / math.sqrt(len(found)))
    return sparse.csr_matrix((values, (rows, columns)),
                             shape=(len(features), len(places)))


class Words:
    """What the words weigh, learned from some of the replies."""

    def __init__(self, replies, some):
        features = [replies.features[i] for i in some]
        replies_with = collections.Counter(f for row in features for f in row)
        self.places = {f: i for i, f in enumerate(sorted(
            f for f, n in replies_with.items() if n >= REPLIES_LEAST))}
        known = matrix(features, self.places)
        self.weights, self.base = [], []
        for said in replies.said[some].T:
            model = LogisticRegression(
                C=WORDS_C, solver="liblinear", max_iter=500).fit(known, said)
            self.weights.append(model.coef_[0])
            self.base.append(model.intercept_[0])
        self.weights = numpy.array(self.weights)

    def say(self, features):
        return matrix(features, self.places) @ self.weights.T + self.base


def say_of_others(replies, apart):
    """What the words say of each reply of the FILEs, by all but its part."""
    said = numpy.zeros((len(apart), replies.said.shape[1]))
    for part in range(PARTS):
        mine = list(range(part, len(apart), PARTS))
        left_out = {apart[i] for i in mine}
        words = Words(replies, [i for i in range(len(replies.files))
                                if i not in left_out])
        said[mine] = words.say([replies.features[apart[i]] for i in mine])
    return said


def learn(replies, apart):
    """For each label: how much of the words, base, found, hidden."""
    by_words = say_of_others(replies, apart)
    trust = []
    for label in range(replies.said.shape[1]):
        model = LogisticRegression(C=TRUST_C, max_iter=2000).fit(
            numpy.stack([by_words[:, label], replies.found[apart, label],
                         replies.hidden[apart, label]], axis=1),
            replies.said[apart, label])
        trust.append((*model.coef_[0], model.intercept_[0]))
    return trust


def hundredths(number):
    return max(-WEIGHT_MOST, min(WEIGHT_MOST, round(100 * number)))


def write(out, names, words, trust):
    out.write(HEAD)
    for label, (by_words, found, hidden, base) in enumerate(trust):
        base += by_words * words.base[label]
        out.write(f"\nlikely {names[label]} {hundredths(base)} "
                  f"{hundredths(found)} {hundredths(hidden)}\n")
        weights = [(hundredths(by_words * words.weights[label][place]), f)
                   for f, place in words.places.items()]
        line = ""
        for weight, feature in sorted(
                (entry for entry in weights if abs(entry[0]) >= WEIGHT_LEAST),
                key=lambda entry: (-entry[0], entry[1])):
            said = f"{weight} {feature}"
            if line and len(f"\t{line} | {said}".encode()) > LINE_BYTES:
                out.write(f"\t{line}\n")
                line = ""
            line += f" | {said}" if line else said
        if line:
            out.write(f"\t{line}\n")


def main(features, labels, *files):
    with open(labels, encoding="utf-8") as file:
        names = file.read().split()
    with open(features, encoding="utf-8") as file:
        replies = Replies([line.rstrip("\n").split("\t") for line in file],
                          len(names))
    apart = [i for i, name in enumerate(replies.files) if name in files]
    write(sys.stdout, names, Words(replies, range(len(replies.files))),
          learn(replies, apart))


if __name__ == "__main__":
    main(*sys.argv[1:])
