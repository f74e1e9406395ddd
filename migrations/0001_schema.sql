-- 0001: the whole model.  Serves binaries from 0.1.
--
-- One schema for plain PostgreSQL 15, Patroni and Citus: everything of a
-- patient leads with bucket (0..1023, drawn when the patient is created);
-- small shared tables are reference tables; look-ups by another key are
-- tables of their own.  No triggers, no advisory locks, no clock in SQL.
-- Instants are timestamptz, local calendar dates are date, amounts are
-- millionths of a unit, enums are the numbers of daemon/care/dossier.h.

-- ---- reference tables ----

CREATE TABLE tenant (
	tenant_id       integer PRIMARY KEY,
	name            text NOT NULL UNIQUE,
	display_name    text,                  -- for patients; NULL: "us"
	zone            text NOT NULL DEFAULT 'Asia/Shanghai',
	locale          text NOT NULL DEFAULT 'zh-CN',
	attendance_fed  boolean NOT NULL DEFAULT false,
	abroad          boolean NOT NULL DEFAULT false, -- gateways may carry data abroad
	retention_days  integer NOT NULL DEFAULT 1095
		CHECK (retention_days BETWEEN 30 AND 36500),
	swept_on        date NOT NULL DEFAULT '-infinity' -- deliveries before are deleted
);
INSERT INTO tenant (tenant_id, name) VALUES (1, 'default');

-- Programs as validated data; absent settings mean the defaults of program.md
-- 2.  Rows are added, never changed: a delivery names the version under which
-- it was decided.  Versions count up per tenant and kind, classes included.
CREATE TABLE program (
	tenant_id      integer NOT NULL REFERENCES tenant,
	kind           smallint NOT NULL,      -- 0: what holds for all kinds
	product_class  text NOT NULL DEFAULT '',
	version        integer NOT NULL CHECK (version > 0),
	settings       jsonb NOT NULL CHECK (octet_length(settings::text) <= 65536),
	stored_at      timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, kind, version)
);

-- What is known of a product beyond the prescription's own words.
CREATE TABLE product (
	tenant_id      integer NOT NULL REFERENCES tenant,
	drug           text NOT NULL,          -- key of the ingredient
	product_class  text NOT NULL DEFAULT '',
	name           text NOT NULL,
	sensitive      boolean NOT NULL DEFAULT false,
	PRIMARY KEY (tenant_id, drug)
);

-- The texts as loaded from templates/: what a registration is compared with.
CREATE TABLE template (
	tenant_id  integer NOT NULL REFERENCES tenant,
	kind       smallint NOT NULL,
	stage      smallint NOT NULL,
	locale     text NOT NULL,
	channel    smallint NOT NULL,
	text_hash  bytea NOT NULL CHECK (octet_length(text_hash) = 32),
	PRIMARY KEY (tenant_id, kind, stage, locale, channel)
);

-- What a provider approved.
CREATE TABLE template_registration (
	tenant_id    integer NOT NULL REFERENCES tenant,
	gateway      text NOT NULL,
	kind         smallint NOT NULL,
	stage        smallint NOT NULL,
	locale       text NOT NULL,
	code         text NOT NULL,
	signature    text NOT NULL,
	parameters   text[] NOT NULL,          -- names in the provider's order
	text_hash    bytea NOT NULL CHECK (octet_length(text_hash) = 32),
	class        text NOT NULL CHECK (class IN ('notification', 'promotion')),
	approved_at  timestamptz,
	long_term    boolean NOT NULL DEFAULT false, -- a send spends no credit
	PRIMARY KEY (tenant_id, gateway, kind, stage, locale)
);

-- What operators stopped: nothing leaves that matches all that a row names.
-- A trace: rows are ended, and deleted only when the longest retention is over.
CREATE SEQUENCE stop_id_seq AS integer;

CREATE TABLE stop (
	stop_id    integer PRIMARY KEY DEFAULT nextval('stop_id_seq'),
	tenant_id  integer NOT NULL DEFAULT 0,     -- 0: every tenant
	kind       smallint NOT NULL DEFAULT 0,    -- 0: every kind
	stage      smallint NOT NULL DEFAULT 0,    -- of a template; 0: every one
	drug       text,                           -- NULL: every product, and visits
	reason     text NOT NULL DEFAULT '',
	began_at   timestamptz NOT NULL,           -- care time
	began_by   text NOT NULL,
	ended_at   timestamptz,
	ended_by   text
);
CREATE INDEX stop_standing ON stop (stop_id) WHERE ended_at IS NULL;
-- What stands stands once, whoever says it at the same time.
CREATE UNIQUE INDEX stop_once ON stop (tenant_id, kind, stage, drug)
	NULLS NOT DISTINCT WHERE ended_at IS NULL;

-- ---- look-ups by another key ----

-- INSERT decides: two imports make one patient.  An identifier with a system
-- means the same whoever says it, so that a pharmacy's fills find the
-- hospital's patient; the others are a source's own.
CREATE TABLE identity (
	tenant_id   integer NOT NULL,
	source      text NOT NULL,             -- import fhir --source NAME; '' where a system is named
	system      text NOT NULL,             -- '' for the source's own id, '-' for none
	value       text NOT NULL,
	bucket      smallint NOT NULL,
	patient_id  bigint NOT NULL,
	PRIMARY KEY (tenant_id, source, system, value)
);

-- By address: blind index to the contact points that have it.  An address
-- that several patients share has several rows: no flag says so, for two
-- imports at once would each miss the other's.
CREATE TABLE contact_index (
	address_index  bytea NOT NULL,
	tenant_id      integer NOT NULL,
	bucket         smallint NOT NULL,
	patient_id     bigint NOT NULL,
	contact_no     integer NOT NULL,
	PRIMARY KEY (address_index, tenant_id, bucket, patient_id, contact_no)
);

-- ---- of one patient ----

CREATE SEQUENCE patient_id_seq;

-- Members of the care team have rows as well: whoever is written to has an
-- agenda row.
CREATE TABLE patient (
	bucket          smallint NOT NULL CHECK (bucket BETWEEN 0 AND 1023),
	patient_id      bigint NOT NULL,
	tenant_id       integer NOT NULL,
	care_role       smallint NOT NULL DEFAULT 0,   -- 0: a patient; enum care_role
	source_id       text,                  -- the resource's id, for people
	zone            text NOT NULL,
	locale          text NOT NULL,
	name_sealed     bytea,
	active          boolean NOT NULL DEFAULT true,
	inactive_at     timestamptz NOT NULL DEFAULT '-infinity',
	deceased_at     timestamptz NOT NULL DEFAULT 'infinity',
	paused_until    timestamptz NOT NULL DEFAULT '-infinity',
	safety_hold     boolean NOT NULL DEFAULT false,
	adverse_event   boolean NOT NULL DEFAULT false,
	birth_from_on   date,                  -- earlier where only a month or year is known
	birth_on        date,                  -- the youngest that the patient can be
	wake_s          integer NOT NULL DEFAULT -1,   -- -1: fhir.md 3.4
	breakfast_s     integer NOT NULL DEFAULT -1,
	lunch_s         integer NOT NULL DEFAULT -1,
	dinner_s        integer NOT NULL DEFAULT -1,
	sleep_s         integer NOT NULL DEFAULT -1,
	next_no         integer NOT NULL DEFAULT 1,    -- numbers within the patient
	PRIMARY KEY (bucket, patient_id)
);
CREATE INDEX patient_care_team ON patient (tenant_id) WHERE care_role > 0;
CREATE INDEX patient_unlisted ON patient (tenant_id) WHERE care_role < 0;

-- Where each thing of a patient came from: identifiers to numbers, and the
-- version last taken, so that an older one never overwrites a newer.
-- Sources and systems as in identity.
CREATE TABLE resource (
	bucket          smallint NOT NULL,
	patient_id      bigint NOT NULL,
	source          text NOT NULL,
	type            text NOT NULL,         -- 'MedicationRequest'
	system          text NOT NULL,
	value           text NOT NULL,
	no              integer NOT NULL,      -- 0: the patient
	taken_from      text NOT NULL,         -- the source of that version
	source_version  text,                  -- meta.versionId
	source_at       timestamptz,           -- meta.lastUpdated, or the bundle's
	content_hash    bytea NOT NULL,
	PRIMARY KEY (bucket, patient_id, source, type, system, value)
);

CREATE TABLE contact (
	bucket          smallint NOT NULL,
	patient_id      bigint NOT NULL,
	contact_no      integer NOT NULL,
	tenant_id       integer NOT NULL,
	channel         smallint NOT NULL,
	address_sealed  bytea NOT NULL,
	address_index   bytea NOT NULL CHECK (octet_length(address_index) = 16),
	owner           smallint NOT NULL,
	rank            integer NOT NULL,
	from_at         timestamptz NOT NULL DEFAULT '-infinity',
	until_at        timestamptz NOT NULL DEFAULT 'infinity',
	verified_at     timestamptz,
	usable          boolean NOT NULL DEFAULT true,
	appid           text,
	stated_by       integer[] NOT NULL,    -- resource.no of Patient and RelatedPersons
	PRIMARY KEY (bucket, patient_id, contact_no),
	UNIQUE (bucket, patient_id, channel, address_index, owner)
);

CREATE TABLE consent (                         -- one row a rule of a Consent
	bucket        smallint NOT NULL,
	patient_id    bigint NOT NULL,
	consent_no    integer NOT NULL,
	rule_no       integer NOT NULL,
	tenant_id     integer NOT NULL,
	given_at      timestamptz NOT NULL,
	from_at       timestamptz NOT NULL DEFAULT '-infinity',
	until_at      timestamptz NOT NULL DEFAULT 'infinity',
	permit        boolean NOT NULL,
	withdrawn     boolean NOT NULL DEFAULT false,
	withdrawn_at  timestamptz NOT NULL DEFAULT '-infinity',
	topics        integer NOT NULL,
	channels      integer NOT NULL,
	actor         smallint NOT NULL,
	text_version  text,
	evidence      text,
	PRIMARY KEY (bucket, patient_id, consent_no, rule_no)
);

CREATE TABLE prescription (
	bucket             smallint NOT NULL,
	patient_id         bigint NOT NULL,
	prescription_no    integer NOT NULL,
	tenant_id          integer NOT NULL,
	source_id          text NOT NULL,
	status             smallint NOT NULL,
	course             smallint NOT NULL,
	sensitive          boolean NOT NULL,
	drug               text NOT NULL,
	name               text NOT NULL,
	prescriber         text,
	authored_at        timestamptz NOT NULL,
	authored_has_time  boolean NOT NULL,
	status_at          timestamptz NOT NULL DEFAULT '-infinity',
	quantity_micro     bigint NOT NULL DEFAULT -1,
	quantity_unit      text,
	supply_days        integer NOT NULL DEFAULT -1,
	initial_quantity_micro bigint NOT NULL DEFAULT -1,
	initial_quantity_unit text,
	initial_days       integer NOT NULL DEFAULT -1,
	repeats_allowed    integer NOT NULL DEFAULT -1,
	valid_from_on      date NOT NULL DEFAULT '-infinity',
	valid_until_on     date NOT NULL DEFAULT 'infinity',
	interval_days      integer NOT NULL DEFAULT -1,
	prior_no           integer NOT NULL DEFAULT 0,
	PRIMARY KEY (bucket, patient_id, prescription_no)
);

CREATE TABLE dosage (
	bucket           smallint NOT NULL,
	patient_id       bigint NOT NULL,
	prescription_no  integer NOT NULL,
	dosage_no        integer NOT NULL,
	sequence         integer NOT NULL DEFAULT 0,
	as_needed        boolean NOT NULL,
	dose_micro       bigint NOT NULL DEFAULT -1,
	dose_unit        text,
	timing           jsonb,                -- FHIR Timing as it came
	rule             bytea,                -- compiled: timing_encode()
	needs_review     text,
	PRIMARY KEY (bucket, patient_id, prescription_no, dosage_no)
);

CREATE TABLE fill (
	bucket           smallint NOT NULL,
	patient_id       bigint NOT NULL,
	fill_no          integer NOT NULL,
	tenant_id        integer NOT NULL,
	source_id        text NOT NULL,
	prescription_no  integer NOT NULL DEFAULT 0,
	status           smallint NOT NULL,
	drug             text NOT NULL,
	quantity_micro   bigint NOT NULL DEFAULT -1,
	quantity_unit    text,
	days_supply      integer NOT NULL DEFAULT -1,
	handed_over_at   timestamptz NOT NULL DEFAULT 'infinity',
	PRIMARY KEY (bucket, patient_id, fill_no)
);

CREATE TABLE follow_up (                       -- a visit or contact
	bucket             smallint NOT NULL,
	patient_id         bigint NOT NULL,
	follow_up_no       integer NOT NULL,
	tenant_id          integer NOT NULL,
	source_id          text NOT NULL,
	status             smallint NOT NULL,
	start_at           timestamptz NOT NULL DEFAULT 'infinity',
	start_has_time     boolean NOT NULL DEFAULT true,
	previous_start_at  timestamptz NOT NULL DEFAULT 'infinity',
	moved_at           timestamptz NOT NULL DEFAULT 'infinity',
	status_at          timestamptz NOT NULL DEFAULT '-infinity',
	replaces_no        integer NOT NULL DEFAULT 0,
	practitioners      text,               -- keys, space-separated
	description        text,
	PRIMARY KEY (bucket, patient_id, follow_up_no)
);

CREATE TABLE stay (                            -- in hospital
	bucket      smallint NOT NULL,
	patient_id  bigint NOT NULL,
	stay_no     integer NOT NULL,
	tenant_id   integer NOT NULL,
	from_at     timestamptz NOT NULL,
	until_at    timestamptz NOT NULL DEFAULT 'infinity',
	PRIMARY KEY (bucket, patient_id, stay_no)
);

CREATE TABLE correction (                      -- what is left, as the patient says
	bucket          smallint NOT NULL,
	patient_id      bigint NOT NULL,
	correction_no   integer NOT NULL,
	tenant_id       integer NOT NULL,
	drug            text NOT NULL,
	stated_at       timestamptz NOT NULL,
	days            integer NOT NULL DEFAULT -1,
	quantity_micro  bigint NOT NULL DEFAULT -1,
	quantity_unit   text,
	evidence        text NOT NULL,         -- 'reply'
	PRIMARY KEY (bucket, patient_id, correction_no)
);

-- What a patient agreed to receive at an address: messages of one template.
CREATE TABLE credit (
	bucket         smallint NOT NULL,
	patient_id     bigint NOT NULL,
	contact_no     integer NOT NULL,
	template_code  text NOT NULL,          -- the provider's
	credits_left   integer NOT NULL CHECK (credits_left BETWEEN 0 AND 1000),
	PRIMARY KEY (bucket, patient_id, contact_no, template_code)
) WITH (fillfactor = 70);

-- ---- work ----

-- Compiled from the tables above in the transaction that changes them.
CREATE TABLE dossier (
	bucket      smallint NOT NULL,
	patient_id  bigint NOT NULL,
	version     bigint NOT NULL DEFAULT 1,
	doc         bytea NOT NULL,
	PRIMARY KEY (bucket, patient_id)
);

-- One row per person: when must somebody think about them next?
CREATE TABLE agenda (
	bucket           smallint NOT NULL,
	patient_id       bigint NOT NULL,
	tenant_id        integer NOT NULL,
	class            smallint NOT NULL,    -- 0 urgent, 1 timed, 2 bulk
	lane             smallint NOT NULL DEFAULT 0,  -- > 0: waits for that gateway
	next_at          timestamptz NOT NULL,
	planned_through  timestamptz NOT NULL DEFAULT '-infinity',
	deaths           smallint NOT NULL DEFAULT 0,
	attention        boolean NOT NULL DEFAULT false, -- open deliveries to load
	standing         smallint NOT NULL DEFAULT 0,  -- obstacle recorded as begun
	stopped          boolean NOT NULL DEFAULT false, -- waits for a stop's end
	recent           bytea NOT NULL DEFAULT '',    -- said_encode()
	PRIMARY KEY (bucket, patient_id) WITH (fillfactor = 50)
) WITH (fillfactor = 90);
CREATE INDEX agenda_due ON agenda (bucket, class, next_at);
-- Who waits for a gateway is found when it has room, whatever next_at says.
CREATE INDEX agenda_parked ON agenda (lane, class, next_at) WHERE lane > 0;
CREATE INDEX agenda_urgent ON agenda (next_at) WHERE class = 0;
-- Whom a stop holds: for its end.
CREATE INDEX agenda_stopped ON agenda (bucket, patient_id) WHERE stopped;
-- Whose planning failed: for the operators' numbers.
CREATE INDEX agenda_set_aside ON agenda (bucket, patient_id) WHERE deaths > 0;

-- The natural key is the primary key and the only index: the database
-- refuses a second delivery of an occurrence on one channel.
CREATE TABLE delivery (
	bucket         smallint NOT NULL,
	patient_id     bigint NOT NULL,
	occurrence_on  date NOT NULL,
	kind           smallint NOT NULL,
	source         integer NOT NULL,       -- prescription or follow-up no
	slot           integer NOT NULL,       -- second of the day, or stage
	channel        smallint NOT NULL,      -- 0: held before a channel was chosen
	tenant_id      integer NOT NULL,
	stage          smallint NOT NULL,
	state          smallint NOT NULL,
	reason         smallint NOT NULL DEFAULT 0,
	program_version  integer NOT NULL DEFAULT 0,  -- 0: the defaults
	attempts       smallint NOT NULL DEFAULT 0,
	repeated       boolean NOT NULL DEFAULT false,
	asked          smallint NOT NULL DEFAULT 0,
	contact_no     integer NOT NULL DEFAULT 0,
	address_index  bytea,
	items          integer[] NOT NULL,     -- no, days since 1970, slot; repeated
	gateway        text,
	batch_ref      bigint,
	due_at         timestamptz NOT NULL,
	valid_until    timestamptz NOT NULL,
	planned_at     timestamptz NOT NULL,
	sent_at        timestamptz,            -- unmoved, of the last attempt
	retry_at       timestamptz,
	settled_at     timestamptz,
	provider_id    text,
	code           text,
	PRIMARY KEY (bucket, patient_id, occurrence_on, kind, source, slot, channel)
) PARTITION BY RANGE (occurrence_on);
CREATE TABLE delivery_default PARTITION OF delivery DEFAULT
	WITH (fillfactor = 50);

CREATE VIEW delivery_partition AS              -- without the default one
SELECT c.relname::text AS name, b.ends[1]::date AS from_on,
	b.ends[2]::date AS until_on
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid),
	'FROM \(''([-0-9]+)''\) TO \(''([-0-9]+)''\)') b (ends)
WHERE i.inhparent = 'delivery'::regclass AND b.ends IS NOT NULL;

-- Give a span of dates a partition of its own, with the rows that the default
-- one has of it; returns their number.  Copies that run wait meanwhile, so
-- nothing is done where that would take long: -1 where there are more rows
-- than rows_max, -2 where the default partition, which is read twice, is
-- larger than bytes_max (null: no limit).  Waits lock_ms for the locks.
CREATE FUNCTION delivery_partition_add(begin_on date, end_on date,
	rows_max bigint, bytes_max bigint, lock_ms integer) RETURNS bigint
LANGUAGE plpgsql SET datestyle = 'ISO' AS $$
DECLARE
	made text := 'delivery_' || to_char(begin_on, 'YYYY_MM_DD');
	moved bigint;
BEGIN
	IF pg_relation_size('delivery_default') > bytes_max THEN
		RETURN -2;
	END IF;
	SELECT count(*) INTO moved FROM (
		SELECT FROM delivery_default
		WHERE occurrence_on >= begin_on AND occurrence_on < end_on
		LIMIT rows_max + 1) few;
	IF moved > rows_max THEN
		RETURN -1;
	END IF;
	PERFORM set_config('lock_timeout', lock_ms::text, true);
	EXECUTE format('CREATE TABLE %I (LIKE delivery INCLUDING DEFAULTS) '
		'WITH (fillfactor = 50)', made);
	LOCK TABLE ONLY delivery, delivery_default IN ACCESS EXCLUSIVE MODE;
	EXECUTE format('WITH moved AS (DELETE FROM delivery_default '
		'WHERE occurrence_on >= $1 AND occurrence_on < $2 RETURNING *) '
		'INSERT INTO %I SELECT * FROM moved', made)
		USING begin_on, end_on;
	GET DIAGNOSTICS moved = ROW_COUNT;
	EXECUTE format('ALTER TABLE delivery ATTACH PARTITION %I '
		'FOR VALUES FROM (%L) TO (%L)', made, begin_on, end_on);
	RETURN moved;
END $$;

-- Drop the oldest partition that ends by then; returns its name, or null.
CREATE FUNCTION delivery_partition_drop(before_on date, lock_ms integer)
	RETURNS text
LANGUAGE plpgsql SET datestyle = 'ISO' AS $$
DECLARE
	oldest text := (SELECT name FROM delivery_partition
		WHERE until_on <= before_on ORDER BY until_on LIMIT 1);
BEGIN
	IF oldest IS NOT NULL THEN
		PERFORM set_config('lock_timeout', lock_ms::text, true);
		LOCK TABLE ONLY delivery, delivery_default
			IN ACCESS EXCLUSIVE MODE;
		EXECUTE format('DROP TABLE %I', oldest);
	END IF;
	RETURN oldest;
END $$;

-- One row a round of sending; gone with its last outcome.  A lapsed one
-- names the people to look at again.
CREATE TABLE batch (
	batch_ref    bigint PRIMARY KEY,
	owner        text NOT NULL,
	lease_until  timestamptz NOT NULL,     -- unmoved time
	buckets      smallint[] NOT NULL,
	patient_ids  bigint[] NOT NULL
);

-- Standing obstacles: one row when it begins, ended_at when it ends.
CREATE TABLE obstacle (
	bucket      smallint NOT NULL,
	patient_id  bigint NOT NULL,
	began_at    timestamptz NOT NULL,
	reason      smallint NOT NULL,
	ended_at    timestamptz,
	PRIMARY KEY (bucket, patient_id, began_at, reason)
);

CREATE TABLE task (                            -- for people
	bucket         smallint NOT NULL,
	patient_id     bigint NOT NULL,
	occurrence_on  date NOT NULL,
	kind           smallint NOT NULL,
	source         integer NOT NULL,
	slot           integer NOT NULL,
	tenant_id      integer NOT NULL,
	stage          smallint NOT NULL,
	reason         smallint NOT NULL DEFAULT 0,
	program_version  integer NOT NULL DEFAULT 0,
	owner          text NOT NULL DEFAULT 'care_team',
	items          integer[] NOT NULL,
	due_at         timestamptz NOT NULL,
	created_at     timestamptz NOT NULL,
	rung           smallint NOT NULL DEFAULT 0,    -- how often the team was told
	escalate_at    timestamptz NOT NULL DEFAULT '-infinity', -- the next rung, care time
	taken_at       timestamptz,                    -- somebody sees to it
	taken_by       text,
	done_at        timestamptz,
	done_by        text,
	PRIMARY KEY (bucket, patient_id, occurrence_on, kind, source, slot)
);
-- Urgent are those about an emergency or harm: enum reply_label.
CREATE INDEX task_escalation ON task ((kind = 5 AND slot <= 1), escalate_at)
	WHERE done_at IS NULL AND taken_at IS NULL;

-- Who of the care team was told of which task, and when the message went.
CREATE TABLE notice (
	bucket           smallint NOT NULL,    -- of the member
	patient_id       bigint NOT NULL,
	told_at          timestamptz NOT NULL, -- when the message was owed, care time
	stage            smallint NOT NULL,    -- its text
	task_bucket      smallint NOT NULL,
	task_patient_id  bigint NOT NULL,
	task_on          date NOT NULL,
	task_kind        smallint NOT NULL,
	task_source      integer NOT NULL,
	task_slot        integer NOT NULL,
	PRIMARY KEY (bucket, patient_id, told_at, task_bucket, task_patient_id,
		task_on, task_kind, task_source, task_slot)
);
-- Those whose message left, or may have, and whose task nobody took.
CREATE VIEW notice_open AS
SELECT n.*
FROM notice n
JOIN task t ON t.bucket = n.task_bucket AND t.patient_id = n.task_patient_id
	AND t.occurrence_on = n.task_on AND t.kind = n.task_kind
	AND t.source = n.task_source AND t.slot = n.task_slot
WHERE t.done_at IS NULL AND t.taken_at IS NULL AND EXISTS (
	SELECT FROM delivery d
	WHERE d.bucket = n.bucket AND d.patient_id = n.patient_id
		AND d.occurrence_on = (n.told_at AT TIME ZONE 'UTC')::date
		AND d.kind = 5 AND d.slot = n.stage AND d.due_at = n.told_at
		AND (d.state IN (1, 3, 6, 7, 9) OR d.state = 5 AND d.repeated));
-- What patients wrote, and what it was taken for.
CREATE TABLE reply (
	bucket       smallint NOT NULL,
	patient_id   bigint NOT NULL,
	reply_no     integer NOT NULL,
	tenant_id    integer NOT NULL,
	received_at  timestamptz NOT NULL,     -- care time
	gateway      text NOT NULL,
	contact_no   integer NOT NULL,
	certain      boolean NOT NULL,         -- nobody else can be meant
	asked_kind   smallint NOT NULL,        -- of the question it answers; 0: none
	asked_source integer NOT NULL,
	asked_on     date NOT NULL,
	answered     boolean NOT NULL,         -- that question is no longer open
	labels       smallint[] NOT NULL,      -- the primary first
	rules        text[] NOT NULL,          -- that decided, one a label
	slots        jsonb NOT NULL,
	effects      integer NOT NULL,         -- enum reply_effect
	answer       smallint NOT NULL,        -- stage of the text sent back; 0: none
	event_key    bytea NOT NULL,           -- of the inbox: the text is bound to it
	text_sealed  bytea,
	PRIMARY KEY (bucket, patient_id, reply_no)
);

-- What nobody has done yet: for the operators' numbers.
CREATE INDEX task_open ON task (kind, due_at) WHERE done_at IS NULL;

-- ---- running copies and providers ----

-- How far care time is moved from real time; no row outside demo and tests.
CREATE TABLE care_clock (
	one        boolean PRIMARY KEY CHECK (one),
	offset_us  bigint NOT NULL
);

-- What the last maintenance found, for the alarms: one row.
CREATE TABLE maintenance (
	one                 boolean PRIMARY KEY CHECK (one),
	ended_at            timestamptz NOT NULL,      -- unmoved time
	dossiers_compared   integer NOT NULL,
	dossiers_differing  integer NOT NULL
);

-- Two of one name, a mistake, have a row each.
CREATE TABLE copy (
	copy_id       text NOT NULL,
	role          text NOT NULL,
	started_at    timestamptz NOT NULL,
	heartbeat_at  timestamptz NOT NULL,
	PRIMARY KEY (copy_id, started_at)
);

-- The last round of each copy that left, as its state file has it too: a
-- database that knows less is behind.
CREATE TABLE sending_mark (
	state_id  bytea PRIMARY KEY CHECK (octet_length(state_id) = 16),
	sequence  bigint NOT NULL,
	sent_at   timestamptz NOT NULL         -- care time
) WITH (fillfactor = 50);

-- Copies that found this database behind what they had sent.
CREATE TABLE sending_behind (
	state_id  bytea PRIMARY KEY,
	copy_id   text NOT NULL,
	sent_at   timestamptz NOT NULL,        -- care time
	found_at  timestamptz NOT NULL
);

-- An operator's word: what was due before counts as sent.
CREATE TABLE assumed_sent (
	until_at  timestamptz PRIMARY KEY,     -- care time
	made_at   timestamptz NOT NULL,
	made_by   text NOT NULL
);

-- Plug-ins that ran when their process died.
CREATE TABLE gateway_strike (
	gateway  text PRIMARY KEY,
	deaths   integer NOT NULL,
	last_at  timestamptz NOT NULL
);

-- Pauses by scope: '' the gateway itself, else 'template:CODE', 'sender:…'.
-- Gateway '*': all of them, while the database is behind.
CREATE TABLE gateway_pause (
	gateway       text NOT NULL,
	scope         text NOT NULL,
	code          text NOT NULL,
	paused_at     timestamptz NOT NULL,
	paused_until  timestamptz NOT NULL,    -- infinity: until an operator
	PRIMARY KEY (gateway, scope)
);

-- Messages that copies took of an account's quota and budget, by its days.
CREATE TABLE account_use (
	account  text NOT NULL,
	used_on  date NOT NULL,
	taken    bigint NOT NULL,
	PRIMARY KEY (account, used_on)
) WITH (fillfactor = 50);

-- Tokens of providers, shared by all copies; one refresh under way.
CREATE TABLE gateway_token (
	gateway       text PRIMARY KEY,
	token_sealed  bytea,
	expires_at    timestamptz NOT NULL DEFAULT '-infinity',
	refreshing    text,
	lease_until   timestamptz NOT NULL DEFAULT '-infinity'
);

-- What callbacks told, stored before they are answered.
CREATE TABLE inbox (
	event_key      bytea PRIMARY KEY CHECK (octet_length(event_key) = 32),
	tenant_id      integer NOT NULL,
	gateway        text NOT NULL,
	type           smallint NOT NULL,      -- 1 receipt, 2 reply, 3 credit, 4 address
	received_at    timestamptz NOT NULL,
	event_at       timestamptz,
	reference      text,
	provider_id    text,
	address_index  bytea,
	extension      text,
	text_sealed    bytea,
	address_sealed bytea,                  -- of a reply
	code           text,
	delivered      boolean NOT NULL DEFAULT false,
	opted_out      boolean NOT NULL DEFAULT false,
	address_bad    boolean NOT NULL DEFAULT false,
	credits        integer NOT NULL DEFAULT 0,     -- added; 0: none are left
	urgency        smallint NOT NULL DEFAULT -1,   -- of a reply: -1 not read, 1 harm, 2 an emergency
	state          smallint NOT NULL DEFAULT 0,    -- 0 new, 1 done, 2 unmatched
	tries          smallint NOT NULL DEFAULT 0,
	next_at        timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX inbox_due ON inbox (type, next_at) WHERE state = 0;
CREATE INDEX inbox_unsorted ON inbox (next_at)
	WHERE type = 2 AND state = 0 AND urgency < 0;
CREATE INDEX inbox_danger ON inbox (urgency DESC, next_at)
	WHERE type = 2 AND state = 0 AND urgency > 0;

-- The compiled dossier, from the tables: format 1, big endian, read by
-- dossier_decode() in daemon/care/dossier.c.  dossier_rebuild.sql stores
-- it, dossier_check.sql compares.  Texts and bytes: int4 length (-1: NULL),
-- then the bytes; rows: int4 count, then each row; instants and dates as
-- PostgreSQL sends them.
CREATE VIEW dossier_compiled AS
SELECT p.bucket, p.patient_id,
	'\x01'::bytea
	|| int4send(p.tenant_id)
	|| int2send(p.care_role)
	|| coalesce(int4send(octet_length(convert_to(p.source_id, 'UTF8'))) || convert_to(p.source_id, 'UTF8'), '\xffffffff')
	|| coalesce(int4send(octet_length(convert_to(p.zone, 'UTF8'))) || convert_to(p.zone, 'UTF8'), '\xffffffff')
	|| coalesce(int4send(octet_length(convert_to(p.locale, 'UTF8'))) || convert_to(p.locale, 'UTF8'), '\xffffffff')
	|| coalesce(int4send(octet_length(p.name_sealed)) || p.name_sealed, '\xffffffff')
	|| boolsend(p.active)
	|| timestamptz_send(p.inactive_at)
	|| timestamptz_send(p.deceased_at)
	|| timestamptz_send(p.paused_until)
	|| boolsend(p.safety_hold)
	|| boolsend(p.adverse_event)
	|| date_send(coalesce(p.birth_on, '-infinity'))
	|| int4send(p.wake_s)
	|| int4send(p.breakfast_s)
	|| int4send(p.lunch_s)
	|| int4send(p.dinner_s)
	|| int4send(p.sleep_s)
	|| coalesce((
		SELECT int4send(count(*)::integer) || string_agg(
			int4send(c.contact_no)
			|| int2send(c.channel)
			|| int2send(c.owner)
			|| int4send(c.rank)
			|| timestamptz_send(c.from_at)
			|| timestamptz_send(c.until_at)
			|| boolsend(c.usable)
			|| coalesce(int4send(octet_length(c.address_sealed)) || c.address_sealed, '\xffffffff')
			|| c.address_index, ''::bytea ORDER BY c.contact_no)
		FROM contact c
		WHERE c.bucket = p.bucket AND c.patient_id = p.patient_id
	), '\x00000000')
	|| coalesce((
		SELECT int4send(count(*)::integer) || string_agg(
			int4send(c.consent_no)
			|| timestamptz_send(c.given_at)
			|| timestamptz_send(c.from_at)
			|| timestamptz_send(c.until_at)
			|| boolsend(c.permit)
			|| boolsend(c.withdrawn)
			|| timestamptz_send(c.withdrawn_at)
			|| int4send(c.topics)
			|| int4send(c.channels)
			|| int2send(c.actor), ''::bytea ORDER BY c.consent_no, c.rule_no)
		FROM consent c
		WHERE c.bucket = p.bucket AND c.patient_id = p.patient_id
	), '\x00000000')
	|| coalesce((
		SELECT int4send(count(*)::integer) || string_agg(
			int4send(r.prescription_no)
			|| coalesce(int4send(octet_length(convert_to(r.source_id, 'UTF8'))) || convert_to(r.source_id, 'UTF8'), '\xffffffff')
			|| int2send(r.status)
			|| int2send(r.course)
			|| boolsend(r.sensitive OR coalesce(g.sensitive, false))
			|| coalesce(int4send(octet_length(convert_to(r.drug, 'UTF8'))) || convert_to(r.drug, 'UTF8'), '\xffffffff')
			|| coalesce(int4send(octet_length(convert_to(g.product_class, 'UTF8'))) || convert_to(g.product_class, 'UTF8'), '\xffffffff')
			|| coalesce(int4send(octet_length(convert_to(r.name, 'UTF8'))) || convert_to(r.name, 'UTF8'), '\xffffffff')
			|| coalesce(int4send(octet_length(convert_to(r.prescriber, 'UTF8'))) || convert_to(r.prescriber, 'UTF8'), '\xffffffff')
			|| timestamptz_send(r.authored_at)
			|| boolsend(r.authored_has_time)
			|| timestamptz_send(r.status_at)
			|| int8send(r.quantity_micro)
			|| coalesce(int4send(octet_length(convert_to(r.quantity_unit, 'UTF8'))) || convert_to(r.quantity_unit, 'UTF8'), '\xffffffff')
			|| int4send(r.supply_days)
			|| int8send(r.initial_quantity_micro)
			|| coalesce(int4send(octet_length(convert_to(r.initial_quantity_unit, 'UTF8'))) || convert_to(r.initial_quantity_unit, 'UTF8'), '\xffffffff')
			|| int4send(r.initial_days)
			|| int4send(r.repeats_allowed)
			|| date_send(r.valid_from_on)
			|| date_send(r.valid_until_on)
			|| int4send(r.interval_days)
			|| int4send(r.prior_no)
			|| coalesce((
				SELECT int4send(count(*)::integer) || string_agg(
					int4send(d.sequence)
					|| boolsend(d.as_needed)
					|| int8send(d.dose_micro)
					|| coalesce(int4send(octet_length(convert_to(d.dose_unit, 'UTF8'))) || convert_to(d.dose_unit, 'UTF8'), '\xffffffff')
					|| coalesce(int4send(octet_length(d.rule)) || d.rule, '\xffffffff'), ''::bytea ORDER BY d.dosage_no)
				FROM dosage d
				WHERE d.bucket = r.bucket AND d.patient_id = r.patient_id AND d.prescription_no = r.prescription_no
			), '\x00000000'), ''::bytea ORDER BY r.prescription_no)
		FROM prescription r
		LEFT JOIN product g ON g.tenant_id = r.tenant_id AND g.drug = r.drug
		WHERE r.bucket = p.bucket AND r.patient_id = p.patient_id AND r.status <> 6
	), '\x00000000')
	|| coalesce((
		SELECT int4send(count(*)::integer) || string_agg(
			int4send(f.fill_no)
			|| coalesce(int4send(octet_length(convert_to(f.source_id, 'UTF8'))) || convert_to(f.source_id, 'UTF8'), '\xffffffff')
			|| int4send(f.prescription_no)
			|| int2send(f.status)
			|| coalesce(int4send(octet_length(convert_to(f.drug, 'UTF8'))) || convert_to(f.drug, 'UTF8'), '\xffffffff')
			|| int8send(f.quantity_micro)
			|| coalesce(int4send(octet_length(convert_to(f.quantity_unit, 'UTF8'))) || convert_to(f.quantity_unit, 'UTF8'), '\xffffffff')
			|| int4send(f.days_supply)
			|| timestamptz_send(f.handed_over_at), ''::bytea ORDER BY f.fill_no)
		FROM fill f
		WHERE f.bucket = p.bucket AND f.patient_id = p.patient_id AND f.status IN (1, 2)
	), '\x00000000')
	|| coalesce((
		SELECT int4send(count(*)::integer) || string_agg(
			int4send(v.follow_up_no)
			|| coalesce(int4send(octet_length(convert_to(v.source_id, 'UTF8'))) || convert_to(v.source_id, 'UTF8'), '\xffffffff')
			|| int2send(v.status)
			|| timestamptz_send(v.start_at)
			|| boolsend(v.start_has_time)
			|| timestamptz_send(v.previous_start_at)
			|| timestamptz_send(v.moved_at)
			|| timestamptz_send(v.status_at)
			|| int4send(v.replaces_no)
			|| coalesce(int4send(octet_length(convert_to(v.practitioners, 'UTF8'))) || convert_to(v.practitioners, 'UTF8'), '\xffffffff')
			|| coalesce(int4send(octet_length(convert_to(v.description, 'UTF8'))) || convert_to(v.description, 'UTF8'), '\xffffffff'), ''::bytea ORDER BY v.follow_up_no)
		FROM follow_up v
		WHERE v.bucket = p.bucket AND v.patient_id = p.patient_id AND v.status <> 5
	), '\x00000000')
	|| coalesce((
		SELECT int4send(count(*)::integer) || string_agg(
			int4send(s.stay_no)
			|| timestamptz_send(s.from_at)
			|| timestamptz_send(s.until_at), ''::bytea ORDER BY s.stay_no)
		FROM stay s
		WHERE s.bucket = p.bucket AND s.patient_id = p.patient_id
	), '\x00000000')
	|| coalesce((
		SELECT int4send(count(*)::integer) || string_agg(
			int4send(k.correction_no)
			|| coalesce(int4send(octet_length(convert_to(k.drug, 'UTF8'))) || convert_to(k.drug, 'UTF8'), '\xffffffff')
			|| timestamptz_send(k.stated_at)
			|| int4send(k.days)
			|| int8send(k.quantity_micro)
			|| coalesce(int4send(octet_length(convert_to(k.quantity_unit, 'UTF8'))) || convert_to(k.quantity_unit, 'UTF8'), '\xffffffff'), ''::bytea ORDER BY k.correction_no)
		FROM correction k
		WHERE k.bucket = p.bucket AND k.patient_id = p.patient_id
	), '\x00000000')
	|| coalesce((
		SELECT int4send(count(*)::integer) || string_agg(
			int4send(c.contact_no)
			|| coalesce(int4send(octet_length(convert_to(c.template_code, 'UTF8'))) || convert_to(c.template_code, 'UTF8'), '\xffffffff')
			|| int4send(c.credits_left), ''::bytea ORDER BY c.contact_no, c.template_code COLLATE "C")
		FROM credit c
		WHERE c.bucket = p.bucket AND c.patient_id = p.patient_id
	), '\x00000000') AS doc
FROM patient p;
