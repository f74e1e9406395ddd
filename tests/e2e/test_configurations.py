#!/usr/bin/env python3
"""Broken configurations: each is refused with exit status 78 and one line
that names file, line and key, and the nearest key where one is near."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from stack import ROOT, Tap, build_folder

BUILD = build_folder()


class Place:
    """A folder with a good configuration, to be broken."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "adherd.conf"
        self.launcher = []
        self.secret("callback", "a-callback-secret-of-22-characters")
        self.secret("key", "an-access-key-secret")
        shutil.copytree(ROOT / "templates", self.folder / "templates")
        shutil.copytree(BUILD / "gateways", self.folder / "gateways",
                        ignore=lambda _, names: [
                            n for n in names if not n.endswith(".so")])
        self.path.write_text(f"""[adherd]
database = host=/nowhere
keyring-file = {self.folder}/keyring
template-dir = {self.folder}/templates
plugin-dir = {self.folder}/gateways
lease = 60s

[gateway "sms"]
plugin = sms_aliyun
endpoint = https://127.0.0.1
access-key-id = id
access-key-secret-file = {self.folder}/key
callback-secret-file = {self.folder}/callback
""", encoding="utf-8")
        subprocess.run([BUILD / "adherctl", "-c", self.path, "keyring",
                        "create", self.folder / "keyring"], check=True,
                       stdout=subprocess.DEVNULL)

    def secret(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(mode)

    def replace(self, old, new):
        text = self.path.read_text()
        assert old in text, old
        self.path.write_text(text.replace(old, new))

    def add(self, text):
        with open(self.path, "a", encoding="utf-8") as out:
            out.write(text)

    def conf_d(self, name, text):
        (self.folder / "conf.d").mkdir(exist_ok=True)
        (self.folder / "conf.d" / name).write_text(text)

    def plugin(self, name, mode=0o755):
        path = self.folder / "gateways" / f"{name}.so"
        if not path.exists():
            shutil.copy(BUILD / f"tests/plugins/{name}.so", path)
        path.chmod(mode)

    def set(self, line):
        self.replace("lease = 60s", line)

    def check(self):
        return subprocess.run(
            [*self.launcher, BUILD / "adherd", "-t", "-c", self.path],
            capture_output=True, text=True, timeout=20, check=False)


def as_folder(place):
    place.path.unlink()
    place.path.mkdir()


def as_fifo(place):
    place.path.unlink()
    os.mkfifo(place.path)


def raw(place, data):
    with open(place.path, "ab") as out:
        out.write(data)


def second(place, line):
    place.add(f'[gateway "b"]\n{line}\n')


def template(place, text):
    with open(place.folder / "templates/refill/zh-CN.tpl", "a",
              encoding="utf-8") as out:
        out.write(text)


def write(place, name, text):
    (place.folder / name).write_text(text)


def closed_folder(place):
    """To root, too: it is run without the right to write anywhere."""
    (place.folder / "state").mkdir(mode=0o500)
    place.set(f"state-dir = {place.folder}/state")
    if os.geteuid() == 0:
        place.launcher = [
            "setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def plainly(place, url):
    place.replace("https://127.0.0.1", url)
    place.add("plain-http = yes\n")


# what is wrong, how to do it, where it is told, what else is said.
# Lines: 2 database … 6 lease, 8 [gateway "sms"], 9 plugin … 13; 14 is new
CASES = (
    ("unknown key", lambda p: p.replace("lease =", "leese ="),
     ":6:", 'unknown key "leese"', 'did you mean "lease"?'),
    ("unknown key, nothing near", lambda p: p.replace("lease =", "colour ="),
     ":6:", 'unknown key "colour"'),
    ("misspelt section", lambda p: p.add('[gatewy "b"]\nplugin = x\n'),
     ":14:", '[gatewy "b"]', 'did you mean "gateway"?'),
    ("misspelt section of the daemon", lambda p: p.replace(
        "[adherd]", "[adherdd]"),
     ":1:", "[adherdd]", 'did you mean "adherd"?'),
    ("section of the daemon missing", lambda p: p.path.write_text(
        '[gateway "b"]\nplugin = loopback\n'),
     "adherd.conf:", "no section [adherd]"),
    ("only a named section of the daemon", lambda p: p.replace(
        "[adherd]", '[adherd "b"]'), ":1:", '"b"', "takes no name"),
    ("section without a name", lambda p: p.add("[gateway]\nplugin = x\n"),
     ":14:", "[gateway]", "needs a name"),
    ("section with a name", lambda p: p.add('[adherd "b"]\nlook = 1s\n'),
     ":14:", '[adherd "b"]', "takes no name"),
    ("key before any section", lambda p: p.replace("[adherd]", "role = all"),
     ":1:", '"role"', "before any [section]"),
    ("bad duration", lambda p: p.replace("60s", "60"),
     ":6:", '"lease"', "a duration"),
    ("duration out of range", lambda p: p.replace("60s", "2h"),
     ":6:", '"lease"', "5s to 10m"),
    ("number out of range", lambda p: p.add("window = 5000\n"),
     ":14:", '"window"', "1 to 4096"),
    ("word that is none", lambda p: p.replace("lease = 60s", "role = sender"),
     ":6:", '"role"', "all, plan, inbox"),
    ("neither yes nor no", lambda p: p.add("abroad = perhaps\n"),
     ":14:", '"abroad"', "yes or no"),
    ("key twice", lambda p: p.replace("lease = 60s", "lease = 60s\nlease = 9s"),
     ":7:", '"lease" again', ":6"),
    ("required key missing", lambda p: p.replace("database =", "# "),
     ":1:", '"database"'),
    ("lease shorter than request", lambda p: p.replace("60s", "24s"),
     ":6:", '"lease"', "5s longer than request"),
    ("unterminated quote", lambda p: p.replace("host=", '"host='),
     ":2:", '"database"', "quotes"),
    ("quote in mid-value", lambda p: p.replace("host=", 'host="'),
     ":2:", '"database"', "quote"),
    ("line that goes on at the end", lambda p: p.add("batch = 1\\"),
     ":14:", "goes on"),
    ("half a section", lambda p: p.add('[gateway "b'),
     ":14:", "[gateway"),
    ("NUL byte", lambda p: raw(p, b"batch = \0\n"), ":14:", "NUL"),
    ("control character", lambda p: raw(p, b"batch = \x1b\n"),
     ":14:", "control character"),
    ("not UTF-8", lambda p: raw(p, b"batch = \xff\xfe\n"), ":14:", "UTF-8"),
    ("larger than 1 MB", lambda p: p.add("# x\n" * 300000),
     "adherd.conf:", "larger than 1 MB"),
    ("no file", lambda p: p.path.unlink(), "adherd.conf:", "No such file"),
    ("a folder", as_folder, "adherd.conf:", "not a regular file"),
    ("a FIFO", as_fifo, "adherd.conf:", "not a regular file"),
    ("conf.d broken", lambda p: p.conf_d("10-a.conf", "[adherd]\nlok = 1s\n"),
     "conf.d/10-a.conf:2:", '"lok"', 'did you mean "look"?'),
    ("conf.d in name order", lambda p: (
        p.conf_d("20-b.conf", "[adherd]\nlook = 1s\n"),
        p.conf_d("10-a.conf", "[adherd]\nlook = 100ms\n")),
     "conf.d/20-b.conf:2:", '"look" again', "conf.d/10-a.conf:2"),
    ("password in the file", lambda p: p.replace(
        "host=/nowhere", "host=/nowhere password=swordfish"),
     ":2:", '"database"', "passfile"),
    ("connection string", lambda p: p.replace("host=", "hots="),
     ":2:", '"database"', "connection string"),
    ("listening to all", lambda p: p.replace(
        "lease = 60s", "listen = 0.0.0.0:8480"),
     ":6:", '"listen"', "without authentication"),
    ("admin to all", lambda p: p.replace(
        "lease = 60s", "admin-listen = [::]:8481"),
     ":6:", '"admin-listen"', "without authentication"),
    ("no port", lambda p: p.replace("lease = 60s", "listen = 127.0.0.1"),
     ":6:", '"listen"', "ADDRESS:PORT"),
    ("port out of range", lambda p: p.replace(
        "lease = 60s", "listen = 127.0.0.1:70000"),
     ":6:", '"listen"', "ADDRESS:PORT"),
    ("both doors in one place", lambda p: p.set(
        "listen = [::1]:8490\nadmin-listen = [::1]:8490"),
     ":7:", '"admin-listen"', '"listen", too'),
    ("callbacks where health is told", lambda p: p.set(
        "listen = 127.0.0.1:8481"),
     ":6:", '"listen"', '"admin-listen", too'),
    ("no state folder", lambda p: p.set("state-dir = /nowhere/adherd"),
     ":6:", '"state-dir"', "/nowhere/adherd: No such file"),
    ("state folder that is a file", lambda p: p.set(
        f"state-dir = {p.folder}/key"), ":6:", '"state-dir"', "no folder"),
    ("state folder that is not ours to write", closed_folder,
     ":6:", '"state-dir"', "not writable"),
    ("only-to a name", lambda p: p.set("only-to = +8613900000001, Wang"),
     ":6:", '"only-to"', "number 2 ", "no address"),
    ("only-to a number without its country", lambda p: p.set(
        "only-to = 13900000001"), ":6:", '"only-to"', "number 1 ", "+86"),
    ("only-to nobody", lambda p: p.set("only-to ="),
     ":6:", '"only-to"', "nothing would leave"),
    ("no key ring", lambda p: (p.folder / "keyring").unlink(),
     ":3:", '"keyring-file"', "No such file"),
    ("key ring open to others", lambda p: (p.folder / "keyring").chmod(0o644),
     ":3:", '"keyring-file"', "chmod 600"),
    ("broken key ring", lambda p: write(p, "keyring", "1 short\n"),
     ":3:", '"keyring-file"', "keyring:1:", "base64"),
    ("no templates", lambda p: shutil.rmtree(p.folder / "templates"),
     ":4:", '"template-dir"', "No such file"),
    ("broken template", lambda p: template(p, "\n{{nonsense}}\n"),
     ":4:", '"template-dir"', "refill/zh-CN.tpl"),
    ("no plug-ins at all", lambda p: shutil.rmtree(p.folder / "gateways"),
     ":5:", '"plugin-dir"', "No such file"),
    ("no plug-in", lambda p: p.replace("sms_aliyun", "sms_aliyum"),
     ":9:", 'gateway "sms"', '"plugin"', "sms_aliyum.so: No such file"),
    ("plug-in with a path", lambda p: p.replace("sms_aliyun", "../x"),
     ":9:", '"plugin"', "a-z 0-9 _ only"),
    ("plug-in that others may write", lambda p: p.plugin("sms_aliyun", 0o777),
     ":9:", '"plugin"', "writable by nobody else"),
    ("plug-in that is none", lambda p: (
        second(p, "plugin = x"), write(p, "gateways/x.so", "not ELF")),
     ":15:", '"plugin"', "x.so"),
    ("plug-in of another interface", lambda p: (
        second(p, "plugin = old_abi"), p.plugin("old_abi")),
     ":15:", '"plugin"', "speaks interface"),
    ("plug-in under another name", lambda p: (
        second(p, "plugin = alias"), shutil.copy(
            BUILD / "tests/plugins/loop.so", p.folder / "gateways/alias.so")),
     ":15:", '"plugin"', "calls itself loop"),
    ("plug-in's key unknown", lambda p: p.replace("endpoint =", "endpiont ="),
     ":10:", '"endpiont"', 'did you mean "endpoint"?'),
    ("plug-in's key of another type", lambda p: p.replace(
        "https://", "ftp://"), ":10:", '"endpoint"', "https://"),
    ("plain http to a provider", lambda p: plainly(
        p, "http://dysmsapi.aliyuncs.com"),
     ":10:", '"endpoint"', "leave this machine"),
    ("plain http to a name that begins like this machine",
     lambda p: plainly(p, "http://127.0.0.1.example"),
     ":10:", '"endpoint"', "leave this machine"),
    ("plain http behind this machine's name",
     lambda p: plainly(p, "http://127.0.0.1:80@provider.example"),
     ":10:", '"endpoint"', "leave this machine"),
    ("plain http that nobody allowed", lambda p: p.replace(
        "https://127.0.0.1", "http://127.0.0.1"),
     ":10:", '"endpoint"', "not an https://"),
    ("plug-in's key twice", lambda p: p.add("access-key-id = other\n"),
     ":14:", '"access-key-id" again'),
    ("plug-in's key missing", lambda p: p.replace("access-key-id", "# "),
     ":8:", 'gateway "sms"', '"access-key-id"'),
    ("two gateways of one name", lambda p: p.add(
        '[gateway "sms"]\nplugin = loopback\n'),
     ":15:", '"plugin" again', ":9"),
    ("channel that it does not serve", lambda p: p.add("channel = push\n"),
     ":14:", '"channel"', "serves sms"),
    ("secret open to others", lambda p: (p.folder / "key").chmod(0o640),
     ":12:", '"access-key-secret-file"', "chmod 600"),
    ("no secret file", lambda p: (p.folder / "callback").unlink(),
     ":13:", '"callback-secret-file"', "No such file"),
    ("empty secret", lambda p: p.secret("key", ""),
     ":12:", '"access-key-secret-file"', "no secret in its first line"),
    ("a pipe for a secret", lambda p: (
        (p.folder / "key").unlink(), os.mkfifo(p.folder / "key", 0o600)),
     ":12:", '"access-key-secret-file"', "not a file"),
    ("only the old callback secret", lambda p: p.replace(
        "callback-secret-file", "callback-old-secret-file"),
     ":13:", '"callback-old-secret-file"', "callback-secret-file"),
    ("callback secret too short", lambda p: p.secret("callback", "short"),
     ":13:", '"callback-secret-file"', "at least 22"),
    ("no certificates", lambda p: p.add("ca-file = /nowhere/ca.pem\n"),
     ":14:", '"ca-file"', "No such file"),
    ("certificates that are none", lambda p: p.add(
        f"ca-file = {p.folder}/callback\n"),
     ":14:", '"ca-file"', "no certificate"),
    ("a folder for certificates", lambda p: p.add(
        f"ca-file = {p.folder}\n"), ":14:", '"ca-file"', "not a file"),
    ("zone that is none", lambda p: p.add("zone = Asia/Shangai\n"),
     ":14:", '"zone"', "no such zone"),
    ("account with two rates", lambda p: p.add(
        "account = a\nrate = 5\n" '[gateway "b"]\nplugin = loopback\n'
        "url = https://127.0.0.1\nchannel = push\naccount = a\nrate = 6\n"),
     ":20:", '"account"', 'has another rate', '[gateway "sms"]'),
)


def make_test(name, breaks, where, parts):
    def test():
        with tempfile.TemporaryDirectory(prefix="adherd-conf.") as folder:
            place = Place(folder)
            breaks(place)
            run = place.check()
            assert run.returncode == 78, run
            assert run.stderr.count("\n") == 1, run.stderr
            told = run.stderr.replace(f"{folder}/", "")
            if where[0] == ":":
                where_told = f"adherd: adherd.conf{where}"
            else:
                where_told = f"adherd: {where}"
            assert told.startswith(where_told), (where_told, told)
            for part in parts:
                assert part in told, (part, told)
            for secret in ("an-access-key", "a-callback", "swordfish",
                           "3900000001"):
                assert secret not in run.stderr, run.stderr
    test.__name__ = f"test_{name}"
    return test


def test_the_good_one_is_good():
    with tempfile.TemporaryDirectory(prefix="adherd-conf.") as folder:
        run = Place(folder).check()
        assert run.returncode == 0, run


def test_what_is_said_of_this_machine_is_good():
    for lines in ("only-to = +8613900000001, oABCDEFGHIJKLMNOPQRSTUVWXYZ0\n",
                  "state-dir = STATE\n", "listen = 127.0.0.1:0\n"
                  "admin-listen = 127.0.0.1:0\n"):
        with tempfile.TemporaryDirectory(prefix="adherd-conf.") as folder:
            place = Place(folder)
            (place.folder / "STATE").mkdir()
            place.set(lines.replace("STATE", f"{folder}/STATE"))
            run = place.check()
            assert run.returncode == 0, run
    for url in ("http://127.0.0.1:81", "http://[::1]:81", "http://localhost"):
        with tempfile.TemporaryDirectory(prefix="adherd-conf.") as folder:
            place = Place(folder)
            plainly(place, url)
            run = place.check()
            assert run.returncode == 0, run


def manual_examples():
    """The configurations of adherd.conf(5), as they would be typed."""
    page = subprocess.run([BUILD / "adherd", f"--manual={BUILD}/gateways"],
                          capture_output=True, text=True, check=True).stdout
    page = page[page.index(".Sh EXAMPLES"):]
    return [part[part.index("\n") + 1:part.index(".Ed")].replace("\\e", "\\")
            for part in page.split(".Bd ")[1:]]


def test_the_examples_of_the_manual_are_good():
    assert len(manual_examples()) == 2
    for example in manual_examples():
        with tempfile.TemporaryDirectory(prefix="adherd-conf.") as folder:
            place = Place(folder)
            for name in ("aliyun-secret", "aliyun-north-secret",
                         "aliyun-callback", "pgpass"):
                place.secret(name, "a-secret-of-22-characters")
            place.path.write_text(
                example.replace("/etc/adherd/", f"{folder}/").replace(
                    "/var/lib/adherd", folder), encoding="utf-8")
            place.conf_d("folders.conf", f"[adherd]\ntemplate-dir = {folder}"
                         f"/templates\nplugin-dir = {folder}/gateways\n")
            place.launcher = ["env", f"CREDENTIALS_DIRECTORY={folder}"]
            run = place.check()
            assert run.returncode == 0, run


def test_a_listener_needs_no_state_folder():
    with tempfile.TemporaryDirectory(prefix="adherd-conf.") as folder:
        place = Place(folder)
        place.set("role = inbox\nstate-dir = /nowhere/adherd")
        run = place.check()
        assert run.returncode == 0, run


if __name__ == "__main__":
    sys.exit(Tap().run([
        test_the_good_one_is_good, test_what_is_said_of_this_machine_is_good,
        test_the_examples_of_the_manual_are_good,
        test_a_listener_needs_no_state_folder] + [
        make_test(name, breaks, where, parts)
        for name, breaks, where, *parts in CASES]))
