-- Until when copies had sent that this database does not know (adherctl).
-- Returns how many copies say so, the latest time (care time) or null.
-- Locks: none.  Index: none, a handful of rows.
SELECT count(*), max(sent_at) FROM sending_behind
