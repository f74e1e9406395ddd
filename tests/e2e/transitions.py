"""What a test's database keeps besides: where the care clock stood when, and
which ways the deliveries of a test went from state to state, noted by its
database itself: a trigger that exists in tests only, so that nothing the
daemon says of itself is believed.  TRANSITIONS names the file that the stacks
of a suite add theirs to; without it nothing is watched."""

import os

# for ledger_check.py: where the patients' clock stood when
KEEP_OFFSETS = """
CREATE TABLE care_clock_history (at timestamptz, offset_us bigint);
CREATE FUNCTION care_clock_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO care_clock_history VALUES (clock_timestamp(), NEW.offset_us);
  RETURN NULL;
END $$;
CREATE TRIGGER care_clock_note AFTER INSERT OR UPDATE ON care_clock
  FOR EACH ROW EXECUTE FUNCTION care_clock_note();
"""
WATCH = """
CREATE TABLE transition (was smallint, state smallint, count bigint);
CREATE FUNCTION transition_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO transition SELECT 0, state, count(*) FROM fresh GROUP BY 2;
  ELSE
    INSERT INTO transition SELECT o.state, f.state, count(*)
    FROM former o JOIN fresh f USING (bucket, patient_id, occurrence_on, kind,
      source, slot, channel)
    WHERE o.state <> f.state GROUP BY 1, 2;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER transition_insert AFTER INSERT ON delivery
  REFERENCING NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION transition_note();
CREATE TRIGGER transition_update AFTER UPDATE ON delivery
  REFERENCING OLD TABLE AS former NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION transition_note();
"""


def watch(stack):
    stack.sql(KEEP_OFFSETS + (WATCH if os.environ.get("TRANSITIONS") else ""))


def add_to_file(stack):
    """Before the database goes."""
    path = os.environ.get("TRANSITIONS")
    if not path:
        return
    try:
        rows = stack.sql("SELECT was, state, sum(count) FROM transition "
                         "GROUP BY 1, 2")
    except RuntimeError:
        return  # a test took the database away
    with open(path, "a", encoding="utf-8") as out:
        for row in rows:
            out.write(" ".join(row) + "\n")


def read_file(path):
    """{(state before or 0, state after): count}"""
    found = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            was, state, count = map(int, line.split())
            found[was, state] = found.get((was, state), 0) + count
    return found
