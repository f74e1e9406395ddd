-- How many dossiers has a bucket?
-- $1 smallint  bucket
-- Returns one number.  Locks: none.  Index: dossier_pkey.
SELECT count(*) FROM dossier WHERE bucket = $1::smallint
