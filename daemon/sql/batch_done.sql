-- Rounds whose last outcome is written.
-- $1 bigint[]  batch_ref
-- Returns nothing.  Locks: the batch rows.  Index: batch_pkey.
DELETE FROM batch WHERE batch_ref = ANY ($1::bigint[])
