"""Two gateways in one stack: SMS by Tencent (T), and WeChat by an official
account (O) or a mini program (M), each with people of its own.  What troubles
one must not concern the other."""

import json
import os
import pathlib
import subprocess
import sys

from bad_provider import BEGIN, DELIVERED, SMS, BadProvider, Watched
from faults import tell
from stack import (PROVIDERS, ROOT, Key, encode_reference, free_port, get_json,
                   refill_patients, wait_until)
from test_wechat_oa import followers, openid, push

QUICK = "lease = 9s\nrequest = 2s\nask-after = 1s\nprobe = 1s\n"
OFFICIAL, MINI = "wechat_oa", "wechat_mini"
CHANNEL = {OFFICIAL: 2, MINI: 1}
WECHAT_FIRST = 1001     # the numbers of WeChat's people


class Pair(Watched):
    """T as sms, kind as wechat; by a proxy each, where url is said."""

    def __init__(self, kind, url=None, more="", wechat="", **options):
        self.kind, self.channel = kind, CHANNEL[kind]
        self.more = f"{more}\n{wechat}"
        self.bad = {}
        self.urls = {name: url and f"{url}:{free_port()}"
                     for name in ("sms", "wechat")}
        self.both = SMS, self.channel
        self.people = 0         # of each
        options.setdefault("settings", QUICK)
        super().__init__(BEGIN, gateway="sms_tencent",
                         gateway_settings=f"batch = 1\n{more}", **options)

    def write_config(self, number):
        path = pathlib.Path(super().write_config(number))
        text = path.read_text(encoding="utf-8") + f"""[gateway "wechat"]
plugin = {self.kind}
channel = {self.kind}
{PROVIDERS[self.kind].format(sim=self.sim, folder=self.folder)}
plain-http = yes
callback-secret-file = {self.folder}/callback
{self.more}
"""
        for url in filter(None, self.urls.values()):
            text = text.replace(f"endpoint = {self.sim}\n",
                                f"endpoint = {url}\n", 1)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def register_templates(self):
        super().register_templates()
        names = [self.folder / f"wechat-{name}.json"
                 for name in ("templates", "registrations")]
        subprocess.run(
            [ROOT / "tests/demo/registrations.py", *names, "wechat"],
            input=self.ctl("template", "list", "--dir", ROOT / "templates",
                           "--json"), text=True, check=True)
        self.ctl("template", "register", "wechat", names[1])
        known = self.folder / "sim-templates.json"
        known.write_text(json.dumps(
            [row for path in (known, names[0])
             for row in json.loads(path.read_text())]), encoding="utf-8")
        self.template, = [row["code"] for row in json.loads(
            names[1].read_text()) if (row["kind"], row["stage"], row["locale"])
            == ("refill", "-7d", "zh-CN")]

    def start_sim(self, options=()):
        super().start_sim(("--wechat-callback", self.callback_url("wechat"),
                           *options))

    def start(self, count, days=1, faults=(), modes=()):
        """So many of each whose day is the 2nd, the 3rd and so on; credits
        are given, and there is a token."""
        self.people = count * days
        found = []
        for day in range(days):
            first, on = 1 + day * count, f"2026-02-{9 + day:02d}"
            found += refill_patients(count, on, first)
            found += followers(count, WECHAT_FIRST - 1 + first, self.kind,
                               handed_over=on)
        try:
            for name in modes:
                self.provider(name)
            self.begin(found, faults)
            if not any(self.urls.values()) or modes:
                wait_until(lambda: self.number(
                    "SELECT count(*) FROM gateway_token WHERE expires_at > "
                    "clock_timestamp()") == 1, 20, "there is a token")
            if self.kind == MINI:
                self.give_credits()
        except BaseException:
            self.failed = True
            self.close()
            raise
        return self

    def give_credits(self):
        for number in range(self.people):
            wait_until(lambda n=number: self.credits() >= n - 30, 20, "room")
            push(self, "accept", WECHAT_FIRST + number, text=self.template)
        wait_until(lambda: self.credits() == self.people, 20,
                   "credits are counted")

    def credits(self):
        return self.number("SELECT coalesce(sum(credits_left), 0) "
                           "FROM credit")

    def day(self, number):
        self.move_clock(f"2026-03-{2 + number:02d}T10:00:00+08:00")

    def provider(self, name, mode="pass", tls=None):
        """What stands before the simulator; mode None: nothing does."""
        if self.bad.get(name):
            self.bad[name].close()
        port = int(self.urls[name].rpartition(":")[2])
        self.bad[name] = BadProvider(
            port, self.sim_port, mode, tls, endpoint="tencent"
            if name == "sms" else "wechat") if mode else None
        return self.bad[name]

    def state_of(self):
        """{address at the provider: the state of its delivery}"""
        return {openid(int(who[1:])) if int(channel) != SMS else
                f"+861990{int(who[1:]):07d}": int(state)
                for who, channel, state in self.sql(
                    "SELECT source_id, channel, d.state FROM delivery d "
                    "JOIN patient USING (bucket, patient_id)")}

    def check_ledger(self, *options):
        """A mini program's messages carry no reference of ours, and so the
        checker cannot tell whose an entry is: here it is told."""
        if self.kind != MINI:
            return super().check_ledger(*options)
        keys = {openid(int(who[1:])): encode_reference(Key(*map(int, key)))
                for who, *key in self.sql(
                    "SELECT source_id, d.bucket, d.patient_id, occurrence_on "
                    "- date '1970-01-01', kind, source, slot, channel FROM "
                    "delivery d JOIN patient USING (bucket, patient_id) "
                    f"WHERE channel = {self.channel}")}
        paths = []
        for what, rows in (
                ("ledger", [{**entry, "reference": keys.get(
                    entry["address"], entry["reference"])}
                            for entry in self.entries()]),
                ("callbacks", get_json(f"{self.sim}/callbacks?since=0&"
                                       "limit=10000")["callbacks"])):
            path = self.folder / f"named-{what}"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            paths += [f"--{what}", path]
        run = subprocess.run(
            [sys.executable, ROOT / "tests/sim/ledger_check.py",
             "--care-offset-s", str(self.care_offset_s()), "--keyring",
             self.folder / "keyring", *paths, *options], text=True,
            capture_output=True, check=False,
            env={**os.environ, "ADHERD_DSN": self.dsn})
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def served(self, channel, count, limit_s=30):
        wait_until(lambda: self.states(channel) == {DELIVERED: count},
                   limit_s, f"channel {channel} is served "
                   f"({self.states(channel)}, {self.codes(channel)})")

    def time(self):
        return self.sql("SELECT clock_timestamp()")[0][0]

    def paused(self, since):
        """[(gateway, code, for how long)], of pauses that began since."""
        return [(name, said, float(s)) for name, said, s in self.sql(
            "SELECT gateway, code, extract(epoch FROM paused_until - "
            "paused_at) FROM gateway_pause WHERE scope = '' AND paused_at > "
            f"'{since}'")]

    def tell(self, row, what, **more):
        """Nobody got nothing, nobody the same thing twice."""
        tell(row, what, self, 2 * self.people, **more)

    def close(self):
        for bad in filter(None, self.bad.values()):
            bad.close()
        super().close()
