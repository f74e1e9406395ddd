"""What the tests of adherctl share: a private PostgreSQL cluster and a
configuration that leads to it.  Those of the daemon have stack.py."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import leaks
import postgres
from cluster import Cluster
from stack import Tap

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
SAMPLES = os.path.join(ROOT, "tests", "samples")


class Site:
    """A cluster in a directory of its own, and adherctl on it."""

    def __init__(self, settings=""):
        self.errors = []                # what adherctl wrote to stderr
        self.folder = tempfile.mkdtemp(prefix="adherd-", dir="/tmp")
        os.chmod(self.folder, 0o755)    # the cluster's owner must get in
        self.cluster = Cluster(os.path.join(self.folder, "c"))
        self.dsn = self.cluster.dsn
        self.database = postgres.Connections(self.dsn)
        self.configuration = self.write("adherd.conf", f"""[adherd]
database = {self.dsn}
keyring-file = {self.folder}/keyring
{settings}""")
        self.ctl("keyring", "create", os.path.join(self.folder, "keyring"),
                 status=0)

    def __enter__(self):
        return self

    def __exit__(self, kind=None, *_):
        hits = leaks.check(
            [("stderr of adherctl", "".join(self.errors).encode())],
            leaks.server_logs(self.cluster.folder),
            leaks.ring_secrets(os.path.join(self.folder, "keyring")))
        self.database.close()
        self.cluster.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        # a test that failed says why
        assert not hits or kind, f"leak: {hits[0]}"

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def popen(self, *arguments):
        return subprocess.Popen(
            [os.path.join(BUILD, "adherctl"), "-c", self.configuration,
             *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)

    def ctl(self, *arguments, status=None):
        """Run adherctl; check its exit status if one is given."""
        process = self.popen(*arguments)
        out, err = process.communicate(timeout=300)
        self.errors.append(err)
        assert status is None or process.returncode == status, \
            f"{arguments}: status {process.returncode}\n{out}{err}"
        return process.returncode, out, err

    def lines(self, *arguments, status=None):
        """The JSON lines that adherctl --json prints."""
        _, out, _ = self.ctl("--json", *arguments, status=status)
        return [json.loads(line) for line in out.splitlines()]

    def sql(self, text):
        """The rows of a query, as lists of text; None for NULL."""
        return self.database.query(text, None)

    def value(self, text):
        return self.sql(text)[0][0]

    def dump(self):
        """Every row of every table, with the transaction that wrote it."""
        tables = [row[0] for row in self.sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        assert tables
        return sorted(map(tuple, self.sql(" UNION ALL ".join(
            f"SELECT '{table}', xmin::text, t::text FROM {table} t"
            for table in tables))))


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def main():
    """Run the functions test_… of the program."""
    tests = [value for name, value in vars(sys.modules["__main__"]).items()
             if name.startswith("test_")]
    sys.exit(Tap().run(tests))
