-- Store what a callback told.  What is there already stays.
-- $1 bytea[]        event key
-- $2 integer        tenant
-- $3 text           gateway
-- $4 smallint[]     type: 1 receipt, 2 reply, 3 credit, 4 address
-- $5 timestamptz    received at, unmoved
-- $6 timestamptz[]  of the event, as the provider says, or null
-- $7 text[]         our reference, or null
-- $8 text[]         the provider's message id, or null
-- $9 bytea[]        blind index of the address, or null
-- $10 text[]        extension, or null
-- $11 bytea[]       sealed text, or null
-- $12 text[]        code, or null
-- $13 boolean[]     delivered
-- $14 boolean[]     opted out
-- $15 boolean[]     address bad
-- $16 timestamptz[] when to work on it, unmoved
-- $17 integer[]     credits added; 0: none are left
-- $18 bytea[]       sealed address of a reply, or null
-- Returns nothing.  Index: inbox_pkey.
INSERT INTO inbox (event_key, tenant_id, gateway, type, received_at, event_at,
	reference, provider_id, address_index, extension, text_sealed, code,
	delivered, opted_out, address_bad, next_at, credits,
	address_sealed)
SELECT u.event_key, $2::integer, $3::text, u.type, $5::timestamptz,
	u.event_at, u.reference, u.provider_id, u.address_index, u.extension,
	u.text_sealed, u.code, u.delivered, u.opted_out, u.address_bad,
	u.next_at, u.credits, u.address_sealed
FROM unnest($1::bytea[], $4::smallint[], $6::timestamptz[], $7::text[],
	$8::text[], $9::bytea[], $10::text[], $11::bytea[], $12::text[],
	$13::boolean[], $14::boolean[], $15::boolean[], $16::timestamptz[],
	$17::integer[], $18::bytea[])
	u (event_key, type, event_at, reference, provider_id, address_index,
	extension, text_sealed, code, delivered, opted_out, address_bad,
	next_at, credits, address_sealed)
ON CONFLICT (event_key) DO NOTHING
