#!/usr/bin/env python3
"""The listener for callbacks stands alone: a copy with role = inbox, a
database role that may only store what it took, and no secret that sends;
another copy sends and works on what was stored."""

import re

import postgres
from stack import Copy, ROOT, Stack, Tap, refill_patients, wait_until

DUE = "2026-03-02T09:59:55+08:00"
SENDS = re.compile(r"^(access-key.*|role .*)\n", re.MULTILINE)


class Listening(Stack):
    """Copy 0 plans and sends, copy 1 listens: where the simulator calls."""

    def __init__(self):
        super().__init__(DUE, copies=2, settings="role = plan",
                         gateway_settings="batch = 1")
        self.ports.reverse()
        self.copies = [Copy(self, number) for number in range(2)]
        self.sql((ROOT / "systemd/listener.sql").read_text())
        with open(self.copies[1].config, encoding="utf-8") as source:
            text = SENDS.sub("", source.read())
        text = text.replace("user=adherd", "user=adherd-inbox")
        with open(self.copies[1].config, "w", encoding="utf-8") as target:
            target.write(text.replace("[adherd]\n",
                                      "[adherd]\nrole = inbox\n"))


def test_a_listener_takes_receipts_and_another_copy_works_on_them():
    with Listening().begin(refill_patients(5)) as stack:
        wait_until(lambda: stack.number(
            "SELECT count(*) FROM delivery WHERE state = 7") == 5, 30,
            "all is delivered")
        stack.check_ledger()
        log = stack.copies[1].log_text()
        assert "42501" not in log, log
        assert stack.number("SELECT count(*) FROM copy") == 2
        for copy in stack.copies:
            assert copy.stop() == 0


def test_a_listener_may_not_read_who_anybody_is():
    with Listening().begin([]) as stack:
        listener = postgres.Connections(
            stack.dsn.replace("user=adherd", "user=adherd-inbox"))
        for table in ("patient", "contact", "dossier", "delivery", "inbox",
                      "agenda", "stop"):
            try:
                listener.query(f"SELECT * FROM {table}")
            except RuntimeError as error:
                assert "permission denied" in str(error), error
            else:
                raise AssertionError(f"it reads {table}")
        for change in ("DELETE FROM inbox", "UPDATE inbox SET state = 1",
                       "INSERT INTO stop (began_at, began_by)"
                       " VALUES (now(), 'me')"):
            try:
                listener.query(change)
            except RuntimeError as error:
                assert "permission denied" in str(error), error
            else:
                raise AssertionError(change)


if __name__ == "__main__":
    raise SystemExit(Tap().run([
        test_a_listener_takes_receipts_and_another_copy_works_on_them,
        test_a_listener_may_not_read_who_anybody_is]))
