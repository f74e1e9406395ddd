-- The texts that providers approved.
-- Returns tenant_id, gateway, kind, stage, locale, code, signature,
-- parameters joined by spaces, text_hash, class, long_term.  Locks: none.
-- Index: none, the whole table is read.
SELECT tenant_id, gateway, kind, stage, locale, code, signature,
	array_to_string(parameters, ' '), text_hash, class,
	long_term
FROM template_registration
WHERE approved_at IS NOT NULL
