"""Private PostgreSQL clusters of tests.  A stack that does nothing to its
cluster leaves it to the next one of the same program, which gets a new
database there: made once by `adherctl migrate`, then copied."""

import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile
import zlib

import postgres

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIGRATED = "adherd_migrated"
# what outlives a database
TRACES = """SELECT (SELECT count(*) FROM pg_roles WHERE rolname NOT LIKE 'pg_%'
  AND rolname NOT IN ('postgres', 'adherd'))
  + (SELECT count(*) FROM pg_database WHERE datname NOT IN ('postgres',
     'template0', 'template1', 'adherd', 'adherd_migrated'))
  + (SELECT count(*) FROM pg_db_role_setting)
  + (SELECT count(*) FROM pg_replication_slots)
  + (SELECT count(*) FROM pg_prepared_xacts)
  + (SELECT count(*) FROM pg_stat_replication)
  + (SELECT count(*) FROM pg_file_settings
     WHERE sourcefile LIKE '%postgresql.auto.conf')"""


def build_folder():
    return pathlib.Path(ROOT, os.environ.get("BUILD", "build"))


def template():
    """Where this build keeps a new cluster, which each test gets a copy of."""
    made_by = (ROOT / "migrations/local-cluster").read_bytes()
    return build_folder() / f"cluster-{zlib.crc32(made_by):08x}.tar"


class Cluster:
    """A private cluster in a folder of its own.  No power cut is played, so
    nothing waits for the disk."""

    def __init__(self, folder, options=""):
        self.folder = folder
        # in its own folder, so that one that crashed leaves nothing behind
        self.options = (f"{options} -c dynamic_shared_memory_type=mmap "
                        "-c fsync=off")
        self.touched = False    # stopped, crashed, …
        self.dsn = self.call("start").strip()

    def call(self, verb, *arguments):
        return subprocess.run(
            [ROOT / "migrations/local-cluster", verb, self.folder,
             *arguments], text=True, stdout=subprocess.PIPE, check=True,
            env={**os.environ, "LOCAL_CLUSTER_OPTIONS": self.options,
                 "LOCAL_CLUSTER_TEMPLATE": template()}).stdout

    def run(self, verb, *arguments):
        self.touched = True
        return self.call(verb, *arguments)

    def crash(self):
        """All processes at once, and start again."""
        self.run("stop", "immediate")
        self.run("start")

    def close(self, failed=False):
        """Whether it failed or not."""
        self.call("destroy")

    def administer(self, *statements):
        """As the superuser, beside the database; the last one's rows."""
        connection = postgres.Connection(
            f"host={self.folder}/run dbname=postgres user=postgres")
        try:
            for statement in statements:
                rows = connection.query(statement)
            return rows
        finally:
            connection.close()

    def keep_migrated(self):
        """Nobody else will be there."""


class Shared(Cluster):
    """One that goes from stack to stack."""

    free, made = [], []

    def __init__(self):
        self.made.append(self)
        self.has_migrated = False
        self.home = tempfile.mkdtemp(prefix="adherd-e2e-pg.")
        os.chmod(self.home, 0o711)      # the cluster's owner must get in
        super().__init__(os.path.join(self.home, "pg"))

    @classmethod
    def take(cls):
        while cls.free:
            cluster = cls.free.pop()
            try:
                cluster.renew()
                return cluster
            except RuntimeError:        # it ended by itself
                cluster.destroy()
        return cls()

    def keep_migrated(self):
        """What `adherctl migrate` made, before anybody else is there."""
        if not self.has_migrated:
            self.administer(f"CREATE DATABASE {MIGRATED} TEMPLATE adherd")
            self.has_migrated = True

    def renew(self):
        self.administer(
            "DROP DATABASE adherd WITH (FORCE)",
            f"CREATE DATABASE adherd OWNER adherd TEMPLATE {MIGRATED}")

    def is_untouched(self):
        return (not self.touched and self.has_migrated
                and self.administer(TRACES) == [["0"]])

    def destroy(self):
        self.made.remove(self)
        super().close()
        shutil.rmtree(self.home, ignore_errors=True)

    def close(self, failed=False):
        """Whoever failed may have left anything."""
        try:
            if not failed and self.is_untouched():
                self.free.append(self)
                return
        except RuntimeError:
            pass
        self.destroy()


@atexit.register
def destroy_all():
    """Those that a stack left half-made, too."""
    for cluster in list(Shared.made):
        try:
            cluster.destroy()
        except subprocess.CalledProcessError as error:
            print(f"# {cluster.home} stays: {error}")
