#!/usr/bin/env python3
"""Every statement of daemon/sql prepares against the migrated schema, and the
hot ones find their rows by an index: on tables with 20,000 rows, under the
planner settings of the daemon's own connections.  BUILD names a built tree.
Prints TAP."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from support import Site  # noqa: E402
from stack import Tap  # noqa: E402

ROWS = 20000
FILES = sorted((ROOT / "daemon/sql").glob("*.sql"))
# no transaction command can be prepared by a statement
TRANSACTION = {"begin", "commit", "rollback"}
HOT = re.compile(
    r"agenda_(claim.*|store|lock|touch|wake|set_aside)$|dossier_load$"
    r"|maintain_(sweep|sweep_default|inbox)$|(delivery|inbox|batch|reply)_"
    r"|(task|notice|care|credit)_|metrics_")
# few rows by nature: the rounds under way, what stands once for all copies
SMALL = {"batch", "copy", "gateway_pause", "gateway_token", "maintenance"}
PLANNER = """SET plan_cache_mode = force_generic_plan;
SET random_page_cost = 1.1;
SET jit = off;
"""
FILL = f"""
INSERT INTO agenda (bucket, patient_id, tenant_id, class, lane, next_at,
	recent)
SELECT n % 1024, n, 1,
	CASE WHEN n % 1000 = 0 THEN 0 WHEN n % 10 = 0 THEN 2 ELSE 1 END,
	CASE WHEN n % 200 = 0 THEN 7 ELSE 0 END,
	timestamptz '2026-03-02 00:00+00' + n * interval '20 s',
	decode(repeat('00', 40), 'hex')
FROM generate_series(1, {ROWS}) n;
INSERT INTO dossier (bucket, patient_id, doc)
SELECT n % 1024, n, decode(repeat('00', 600), 'hex')
FROM generate_series(1, {ROWS}) n;
INSERT INTO credit (bucket, patient_id, contact_no, template_code,
	credits_left)
SELECT n % 1024, n, 1, 'T', 1
FROM generate_series(1, {ROWS}) n;
INSERT INTO contact_index (address_index, tenant_id, bucket, patient_id,
	contact_no)
SELECT decode(md5(n::text), 'hex'), 1, n % 1024, n, 1
FROM generate_series(1, {ROWS}) n;
INSERT INTO delivery (bucket, patient_id, occurrence_on, kind, source, slot,
	channel, tenant_id, stage, state, items, contact_no, address_index,
	gateway, batch_ref, due_at, valid_until, planned_at)
SELECT n % 1024, n, date '2026-02-01' + n % 28, 2, 1, 0, 4, 1, 1,
	CASE WHEN n % 50 = 0 THEN 6 ELSE 7 END, ARRAY[1, 20000, 0], 1,
	decode(md5(n::text), 'hex'), 'sms', n / 100, '2026-02-01', '2026-02-02',
	'2026-02-01'
FROM generate_series(1, {ROWS}) n;
INSERT INTO inbox (event_key, tenant_id, gateway, type, received_at, state,
	next_at)
SELECT sha256(n::text::bytea), 1, 'sms', 1, '2026-02-01',
	CASE WHEN n % 1000 = 0 THEN 0 ELSE 1 END, '2026-02-01'
FROM generate_series(1, {ROWS}) n;
INSERT INTO inbox (event_key, tenant_id, gateway, type, received_at, state,
	next_at)
SELECT sha256((n + 1000000)::text::bytea), 1, 'sms', 2, '2026-02-01',
	CASE WHEN n % 1000 = 0 THEN 0 ELSE 1 END, '2026-02-01'
FROM generate_series(1, {ROWS}) n;
INSERT INTO reply (bucket, patient_id, reply_no, tenant_id, received_at,
	gateway, contact_no, certain, asked_kind, asked_source, asked_on,
	answered, labels, rules, slots, effects, answer, event_key)
SELECT n % 1024, n, 1, 1, '2026-02-01', 'sms', 1, true, 2, 1, '2026-02-01',
	true, '{{11}}', '{{menu}}', '{{}}', 0, 139, sha256(n::text::bytea)
FROM generate_series(1, {ROWS}) n;
INSERT INTO patient (bucket, patient_id, tenant_id, zone, locale)
SELECT n % 1024, n, 1, 'Asia/Shanghai', 'zh-CN'
FROM generate_series(1, {ROWS}) n;
INSERT INTO contact (bucket, patient_id, contact_no, tenant_id, channel,
	address_sealed, address_index, owner, rank, stated_by)
SELECT n % 1024, n, 1, 1, 4, decode(md5(n::text), 'hex'),
	decode(md5(n::text), 'hex'), 1, 1, '{{0}}'
FROM generate_series(1, {ROWS}) n;
INSERT INTO consent (bucket, patient_id, consent_no, rule_no, tenant_id,
	given_at, permit, topics, channels, actor)
SELECT n % 1024, n, 3, 1, 1, '2026-01-01', true, 2, 30, 1
FROM generate_series(1, {ROWS}) n;
INSERT INTO prescription (bucket, patient_id, prescription_no, tenant_id,
	source_id, status, course, sensitive, drug, name, authored_at,
	authored_has_time)
SELECT n % 1024, n, 2, 1, 'm', 1, 1, false, 'd', 'd', '2026-01-01', true
FROM generate_series(1, {ROWS}) n;
INSERT INTO batch (batch_ref, owner, lease_until, buckets, patient_ids)
SELECT n, 'copy', '2026-03-01', '{{1}}', '{{1}}' FROM generate_series(1, 20) n;
INSERT INTO task (bucket, patient_id, occurrence_on, kind, source, slot,
	tenant_id, stage, items, due_at, created_at, escalate_at, done_at)
SELECT n % 1024, n, '2026-02-01', 1 + n % 5, 1, 0, 1, 1, ARRAY[1, 20000, 0],
	'2026-02-01', '2026-02-01', timestamptz '2026-02-01' + n * interval '1 s',
	CASE WHEN n % 100 = 0 THEN NULL ELSE timestamptz '2026-02-02' END
FROM generate_series(1, {ROWS}) n;
INSERT INTO patient (bucket, patient_id, tenant_id, care_role, source_id, zone,
	locale)
SELECT n, 1000000 + n, 1, 1 + n % 3, 'n', 'Asia/Shanghai', 'zh-CN'
FROM generate_series(1, 20) n;
INSERT INTO notice (bucket, patient_id, told_at, stage, task_bucket,
	task_patient_id, task_on, task_kind, task_source, task_slot)
SELECT 1 + n % 20, 1000001 + n % 20, '2026-02-01', 146, n % 1024, n, '2026-02-01',
	1 + n % 5, 1, 0
FROM generate_series(1, {ROWS}) n;
INSERT INTO stop (tenant_id, kind, began_at, began_by, ended_at)
SELECT n, 1, '2026-02-01', 'x',
	CASE WHEN n % 100 = 0 THEN NULL ELSE timestamptz '2026-02-02' END
FROM generate_series(1, {ROWS}) n;
INSERT INTO account_use (account, used_on, taken)
SELECT n::text, '2026-02-01', n FROM generate_series(1, {ROWS}) n;
ANALYZE;
"""

site = None


def statement(path):
    """What is sent, without its opening comment."""
    return "\n".join(line for line in path.read_text().splitlines()
                     if not line.startswith("--"))


def prepare(path):
    return ("DEALLOCATE ALL; "
            f"PREPARE {path.stem} AS {statement(path)};\n")


def failures(paths, check):
    """What check() raises, by file; all of them, not only the first."""
    found = []
    for path in paths:
        try:
            check(path)
        except (AssertionError, RuntimeError) as error:
            found.append(f"{path.name}: {str(error).strip()}")
    assert not found, "; ".join(found).replace("\n", "\n# ")


def hot():
    found = [path for path in FILES if HOT.match(path.stem)]
    assert len(found) > 15, "the hot statements have other names now"
    return found


def explain(path):
    """The lines of the generic plan; it is the same for all values, so that
    nulls will do."""
    count = max(map(int, re.findall(r"\$(\d+)", statement(path))), default=0)
    values = f"({', '.join(['NULL'] * count)})" if count else ""
    return [row[0] for row in site.sql(
        PLANNER + prepare(path) + f"EXPLAIN EXECUTE {path.stem}{values}")]


def no_sequential_scan(path):
    plan = explain(path)
    for line in plan:
        scan = re.search(r"Seq Scan on (\w+)", line)
        assert scan is None or scan[1] in SMALL, \
            f"Seq Scan on {scan[1]}\n" + "\n".join(plan)


def test_every_file_opens_with_its_purpose_and_holds_one_statement():
    def check(path):
        text = path.read_text()
        assert text.startswith("-- "), "no opening comment"
        assert ";" not in statement(path), "a semicolon"
    failures(FILES, check)


def test_every_statement_prepares():
    failures([path for path in FILES if path.stem not in TRANSACTION],
             lambda path: site.sql(prepare(path)))


def test_a_scan_of_the_whole_table_would_be_seen():
    path = ROOT / "daemon/sql/ctl_queue_agenda.sql"
    try:
        no_sequential_scan(path)
    except AssertionError:
        return
    raise AssertionError("ctl_queue_agenda counts everybody, yet passes")


def test_hot_statements_use_an_index():
    failures(hot(), no_sequential_scan)


def test_hot_statements_use_an_index_beside_an_empty_new_partition():
    site.sql("""CREATE TABLE delivery_of_a_new_day PARTITION OF delivery
        FOR VALUES FROM ('2026-04-01') TO ('2026-04-02')
        WITH (fillfactor = 50)""")
    failures(hot(), no_sequential_scan)


with Site() as site:
    site.ctl("migrate", status=0)
    site.sql(FILL)
    STATUS = Tap().run([
        test_every_file_opens_with_its_purpose_and_holds_one_statement,
        test_every_statement_prepares,
        test_a_scan_of_the_whole_table_would_be_seen,
        test_hot_statements_use_an_index,
        test_hot_statements_use_an_index_beside_an_empty_new_partition])
sys.exit(STATUS)
