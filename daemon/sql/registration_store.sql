-- Record what a provider approved.
-- $1 integer     tenant
-- $2 text        gateway
-- $3 smallint[]  kind
-- $4 smallint[]  stage
-- $5 text[]      locale
-- $6 text[]      the provider's code
-- $7 text[]      signature
-- $8 text[]      parameters in the provider's order, joined by spaces
-- $9 bytea[]     SHA-256 of the text
-- $10 timestamptz  now
-- $11 boolean[]  a send spends no credit
-- Returns nothing.  Locks: the rows.  Index: template_registration_pkey.
INSERT INTO template_registration (tenant_id, gateway, kind, stage, locale,
	code, signature, parameters, text_hash, class, approved_at, long_term)
SELECT $1::integer, $2::text, u.kind, u.stage, u.locale, u.code, u.signature,
	string_to_array(u.parameters, ' '), u.text_hash, 'notification',
	$10::timestamptz, u.long_term
FROM unnest($3::smallint[], $4::smallint[], $5::text[], $6::text[],
	$7::text[], $8::text[], $9::bytea[], $11::boolean[])
	u (kind, stage, locale, code, signature, parameters, text_hash,
	long_term)
ON CONFLICT (tenant_id, gateway, kind, stage, locale) DO UPDATE
SET code = excluded.code, signature = excluded.signature,
	parameters = excluded.parameters, text_hash = excluded.text_hash,
	approved_at = excluded.approved_at, long_term = excluded.long_term
