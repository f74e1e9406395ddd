"""The leak grep: names, numbers, drugs, texts and secrets that tests plant
must stand in nothing that an operator's tools collect: no log of a daemon or
of PostgreSQL, no metric, no error.  Stack and Site scan what they made when
they close; a hit fails the test and says in which line of what.

Each planted value is looked for in the forms in which programs print bytes:
as it is, escaped (\\xNN, \\uNNNN, percent), in hexadecimal and in base64 at
each of its three alignments.  What may stand there by design is not planted:
ids of patients and deliveries, codes of gateways."""

import base64
import functools
import json
import pathlib
import re
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECRETS = ("an-access-key-secret", "a-callback-secret-of-22-characters",
           "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
           "MzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVI=",
           "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
           "AccessTokenOfTheSimulator", "oTest000000000000")
DRUGS = ("氨氯地平", "雷米普利", "amlodipine")
# of rendered messages: what no log line has another reason to say
TEXTS = ("示例医院", "续方", "取药", "退订")
# What is looked for with a pattern where its literal occurs at all: numbers
# of tests are 1990 and seven digits, whatever stands before them.
PATTERNS = (
    (b"1990", rb"(?<![0-9])(?:(?:\+|00)?86)?1990[ -]?[0-9]{4}[ -]?[0-9]{3}"
     rb"(?![0-9])"),
    (b"31393930", rb"31393930(?:3[0-9]){7}"),
    (b"open-p", rb"open-p[0-9]"),
)
NUMBER_CORES = (b"1990000", b"1990001", b"1990002", b"1990003")
NAME = "甲"     # and a number


def base64_cores(data):
    """What stands in the base64 of any text that holds these bytes."""
    found = set()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + data + b"\0\0")
        first = -(-before * 8 // 6)             # of those wholly ours
        last = (before + len(data)) * 8 // 6
        found.add(text[first:last])
        found.add(text[first:last].replace(b"+", b"-").replace(b"/", b"_"))
    return found


def plain_forms(word):
    """The ways to print a text whose letters may be of either case."""
    data = word.encode()
    found = {data, data.hex().encode(),
             urllib.parse.quote(word, safe="").encode(),
             "".join(f"\\x{byte:02x}" if byte > 126 else chr(byte)
                     for byte in data).encode()}
    if not word.isascii():
        found.add("".join(f"\\u{ord(sign):04x}" for sign in word).encode())
    return {form.lower() for form in found}


@functools.cache
def sample_names():
    """Of the people in the samples: those long enough to mean somebody."""
    names = set()
    for path in (ROOT / "tests/samples").glob("cn-*.json"):
        bundle = json.loads(path.read_text(encoding="utf-8"))
        for entry in bundle["entry"]:
            resource = entry.get("resource", {})
            if resource.get("resourceType") in ("Patient", "RelatedPerson"):
                names |= {name["text"] for name in resource.get("name", ())
                          if len(name.get("text", "")) >= 2}
    return names


@functools.cache
def planted(extra=()):
    """(literal, pattern or None) to find in the folded text, and literals of
    base64.  extra: what a single test plants besides."""
    words = (*SECRETS, *DRUGS, *TEXTS, *sorted(sample_names()), *extra)
    folded = [(literal, re.compile(text)) for literal, text in PATTERNS]
    folded += [(form, re.compile(re.escape(form) + rb"[0-9]"))
               for form in plain_forms(NAME)]
    folded += [(form, None) for word in words for form in plain_forms(word)]
    encoded = {core for digits in NUMBER_CORES
               for core in base64_cores(digits)}
    encoded |= {core for word in words if len(word.encode()) >= 6
                for core in base64_cores(word.encode()) if len(core) >= 7}
    return folded, sorted(encoded)


def find(data, extra=()):
    """Where the first planted value begins and ends, or None."""
    folded, encoded = planted(tuple(extra))
    lower = data.lower()
    for literal, text in folded:
        at = lower.find(literal)
        if at >= 0 and text is None:
            return at, at + len(literal)
        if at >= 0 and (found := text.search(lower)):
            return found.span()
    for core in encoded:
        if (at := data.find(core)) >= 0:
            return at, at + len(core)
    return None


def scan(name, data, extra=()):
    """Where something planted stands: "name:line: what"; None: nowhere."""
    found = find(data, extra)
    if found is None:
        return None
    line = data.count(b"\n", 0, found[0]) + 1
    return (f"{name}:{line}: planted value "
            f"{data[slice(*found)].decode('utf-8', 'replace')!r}")


def server_logs(folder):
    """What the private PostgreSQL wrote."""
    data = pathlib.Path(folder) / "data"
    return sorted(data.glob("log/*")) + sorted(data.glob("start.log"))


def check(sources, paths=(), extra=()):
    """sources: (name, bytes).  Returns the hits."""
    hits = [scan(name, data, extra) for name, data in sources]
    for path in paths:
        try:
            hits.append(scan(path.name, path.read_bytes(), extra))
        except OSError:
            continue        # a test took it away
    return [hit for hit in hits if hit]


def ring_secrets(path):
    """The keys of a key ring file: base64, 22 characters and more."""
    try:
        text = pathlib.Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(sorted(set(re.findall(r"[A-Za-z0-9+/]{22,}", text))))
