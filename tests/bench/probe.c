/*
 * The probe of `make bench`: the daemon's own statements on the daemon's own
 * data, in rounds of its size but one at a time, and nothing besides: no
 * plan, no texts, no HTTP.  What is written is made up from what was claimed:
 * one message a person, of the size that a plan's has.  So it says what
 * PostgreSQL allows at most, and the ratio what all the rest costs.
 *
 *	adherd-probe DSN PEOPLE DATE INSTANT
 *
 * INSTANT is care time, at which PEOPLE are due; DATE is the occurrence that
 * the deliveries are of.  Ends when nobody is left; prints the time from the
 * first claim to the last outcome, in us.  The database is spoilt after it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/db.h"
#include "base/log.h"
#include "base/zone.h"
#include "flow/delivery.h"
#include "flow/planning.h"
#include "flow/statements.h"

#define CLAIM_MAX 500
#define BULK (CLAIM_MAX / 5)
#define SLICE 64 /* buckets a claim */
#define LEASE_US MINUTE_US
#define CONTACTS 2    /* whose addresses are asked for */
#define SAID_BYTES 64 /* that a look adds to what was said, about */
#define GATEWAY "sms"

struct address { /* of a person */
	int16_t bucket;
	int64_t patient_id;
	uint8_t index[CONTACTS][16];
	int count;
};

struct claimed {
	int16_t bucket;
	int64_t patient_id;
	int32_t tenant_id;
	bool attention;
	const uint8_t *recent;
	size_t recent_bytes;
	const struct address *address;
};

struct batch { /* the outcome's part, behind the next claim */
	struct arena *arena;
	struct list people; /* struct claimed */
	int64_t batch_ref;
};

struct probe {
	struct loop *loop;
	struct db *claimer, *writer;
	struct arena *arena;
	struct list addresses; /* struct address */
	struct batch *batch;   /* being claimed and written */
	struct batch *waiting; /* committed; NULL: none */
	struct batch *settling;
	int64_t care_now, now;
	int32_t occurrence_on;
	int first_bucket, quiet;
	long people, claimed, settled;
	uint8_t mark[16];
	int64_t sequence;
	bool over;
};

static void claim(struct probe *probe);

static _Noreturn void
fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "probe: %s: %s\n", what, why);
	exit(1);
}

static void
check(enum db_outcome outcome, const char *sqlstate)
{
	if (outcome != DB_OK)
		fail("database", sqlstate != NULL ? sqlstate : "lost");
}

/* ---- addresses, read before the time counts ---- */

static int
compare_addresses(const void *left, const void *right)
{
	const struct address *a = left, *b = right;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	return (a->patient_id > b->patient_id) -
	       (a->patient_id < b->patient_id);
}

static const struct address *
find_address(const struct probe *probe, int16_t bucket, int64_t patient_id)
{
	struct address key = {.bucket = bucket, .patient_id = patient_id};
	const struct address *found = bsearch(&key, probe->addresses.data,
	    probe->addresses.count, sizeof(key), compare_addresses);

	if (found == NULL)
		fail("people", "without an address");
	return found;
}

static void
take_addresses(const struct db_result *result, void *arg)
{
	struct probe *probe = arg;
	struct address *last = NULL;

	for (int row = 0; row < db_rows(result); row++) {
		int64_t patient_id = db_i64(result, row, 1);
		const uint8_t *index;
		size_t bytes;

		if (last == NULL || last->patient_id != patient_id) {
			last = list_add(&probe->addresses);
			last->bucket = (int16_t)db_i64(result, row, 0);
			last->patient_id = patient_id;
		}
		index = db_bytes(result, row, 2, &bytes);
		if (bytes == 16 && last->count < CONTACTS)
			memcpy(last->index[last->count++], index, bytes);
	}
}

static const struct db_statement read_addresses = {"addresses",
    "SELECT bucket, patient_id, address_index FROM contact "
    "ORDER BY bucket, patient_id, contact_no"};

static struct db *
open_database(struct probe *probe, const char *dsn, const char *label,
    const struct db_statement *const *list, size_t count)
{
	struct db_settings settings = {
	    .dsn = dsn,
	    .label = label,
	    .statements = list,
	    .statement_count = count,
	    .patient = true,
	};
	struct db *db = db_open(probe->loop, &settings);

	if (!db_wait_ready(db, 10 * SECOND_US))
		fail("database", db_last_reason(db));
	return db;
}

static void
load_addresses(struct probe *probe, const char *dsn)
{
	static const struct db_statement *const list[] = {&read_addresses};
	struct db *db =
	    open_database(probe, dsn, "adherd addresses", list, COUNT(list));
	struct db_unit *unit = db_unit_begin(db);
	char sqlstate[6];

	db_unit_add(unit, "addresses", take_addresses, probe);
	check(db_unit_run(unit, sqlstate), sqlstate);
	db_close(db);
}

/* ---- outcomes, on the other connection ---- */

static void settle(struct probe *probe);

static struct delivery_key
key_of(const struct probe *probe, const struct claimed *person)
{
	return (struct delivery_key){
	    .bucket = person->bucket,
	    .patient_id = person->patient_id,
	    .occurrence_on = probe->occurrence_on,
	    .kind = KIND_REFILL,
	    .source = 1,
	    .slot = STAGE_P14,
	    .channel = CHANNEL_SMS,
	};
}

static void
on_settled(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct probe *probe = arg;

	check(outcome, sqlstate);
	probe->settled += (long)probe->settling->people.count;
	arena_free(probe->settling->arena);
	probe->settling = NULL;
	if (probe->waiting != NULL)
		settle(probe);
	/* the claimer waited for room */
	if (probe->batch == NULL && !probe->over)
		claim(probe);
	if (probe->over && probe->waiting == NULL && probe->settling == NULL)
		loop_stop(probe->loop);
}

static void
settle(struct probe *probe)
{
	struct batch *batch = probe->waiting;
	const struct claimed *people = batch->people.data;
	struct db_unit *unit = db_unit_begin(probe->writer);
	struct db_array ref, state, provider_id, code, retry_at, sent_at, refs;
	struct delivery_keys keys;

	probe->waiting = NULL;
	probe->settling = batch;
	delivery_keys_init(&keys);
	db_array_init(&ref, DB_I64);
	db_array_init(&state, DB_I16);
	db_array_init(&provider_id, DB_TEXT);
	db_array_init(&code, DB_TEXT);
	db_array_init(&retry_at, DB_AT);
	db_array_init(&sent_at, DB_AT);
	db_array_init(&refs, DB_I64);
	for (size_t i = 0; i < batch->people.count; i++) {
		struct delivery_key key = key_of(probe, &people[i]);
		char id[32];

		(void)snprintf(
		    id, sizeof(id), "s-%ld", probe->settled + (long)i);
		delivery_keys_add(&keys, &key);
		db_array_i64(&ref, batch->batch_ref);
		db_array_i64(&state, DELIVERY_ACCEPTED);
		db_array_text(&provider_id, id);
		db_array_text(&code, "OK");
		db_array_null(&retry_at);
		db_array_at(&sent_at, probe->now);
	}
	db_array_i64(&refs, batch->batch_ref);
	db_unit_add(unit, "delivery_outcome", NULL, NULL);
	delivery_keys_params(&keys, unit);
	db_param_array(unit, &ref);
	db_param_array(unit, &state);
	db_param_array(unit, &provider_id);
	db_param_array(unit, &code);
	db_param_array(unit, &retry_at);
	db_param_array(unit, &sent_at);
	db_param_at(unit, probe->now);
	db_unit_add(unit, "batch_done", NULL, NULL);
	db_param_array(unit, &refs);
	delivery_keys_free(&keys);
	db_array_free(&ref);
	db_array_free(&state);
	db_array_free(&provider_id);
	db_array_free(&code);
	db_array_free(&retry_at);
	db_array_free(&sent_at);
	db_array_free(&refs);
	db_unit_send(unit, on_settled, probe);
}

/* ---- a round ---- */

static void
on_written(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct probe *probe = arg;

	check(outcome, sqlstate);
	probe->waiting = probe->batch;
	probe->batch = NULL;
	if (probe->settling == NULL) {
		settle(probe);
		claim(probe);
	}
}

/* One message a person, of two prescriptions. */
static void
add_deliveries(struct probe *probe, struct db_unit *unit)
{
	struct batch *batch = probe->batch;
	const struct claimed *people = batch->people.data;
	struct delivery_keys keys;
	struct db_array tenant, stage, state, reason, contact_no, index, items,
	    from, to, gateway, due_at, valid_until, version;

	delivery_keys_init(&keys);
	db_array_init(&tenant, DB_I32);
	db_array_init(&stage, DB_I16);
	db_array_init(&state, DB_I16);
	db_array_init(&reason, DB_I16);
	db_array_init(&contact_no, DB_I32);
	db_array_init(&index, DB_BYTES);
	db_array_init(&items, DB_I32);
	db_array_init(&from, DB_I32);
	db_array_init(&to, DB_I32);
	db_array_init(&gateway, DB_TEXT);
	db_array_init(&due_at, DB_AT);
	db_array_init(&valid_until, DB_AT);
	db_array_init(&version, DB_I32);
	for (size_t i = 0; i < batch->people.count; i++) {
		struct delivery_key key = key_of(probe, &people[i]);

		delivery_keys_add(&keys, &key);
		db_array_i64(&tenant, people[i].tenant_id);
		db_array_i64(&stage, key.slot);
		db_array_i64(&state, DELIVERY_SENDING);
		db_array_i64(&reason, REASON_NONE);
		db_array_i64(&contact_no, 1);
		db_array_bytes(&index, people[i].address->index[0], 16);
		db_array_i64(&from, (int64_t)items.count + 1);
		for (int item = 1; item <= 2; item++) {
			db_array_i64(&items, item);
			db_array_i64(&items, key.occurrence_on);
			db_array_i64(&items, key.slot);
		}
		db_array_i64(&to, items.count);
		db_array_text(&gateway, GATEWAY);
		db_array_at(&due_at, probe->care_now);
		db_array_at(&valid_until, probe->care_now + DAY_US);
		db_array_i64(&version, 0);
	}
	db_unit_add(unit, "delivery_insert", NULL, NULL);
	delivery_keys_params(&keys, unit);
	db_param_array(unit, &tenant);
	db_param_array(unit, &stage);
	db_param_array(unit, &state);
	db_param_array(unit, &reason);
	db_param_array(unit, &contact_no);
	db_param_array(unit, &index);
	db_param_array(unit, &items);
	db_param_array(unit, &from);
	db_param_array(unit, &to);
	db_param_array(unit, &gateway);
	db_param_array(unit, &due_at);
	db_param_array(unit, &valid_until);
	db_param_i64(unit, batch->batch_ref);
	db_param_at(unit, probe->care_now);
	db_param_at(unit, probe->now);
	db_param_array(unit, &version);
	delivery_keys_free(&keys);
	db_array_free(&tenant);
	db_array_free(&stage);
	db_array_free(&state);
	db_array_free(&reason);
	db_array_free(&contact_no);
	db_array_free(&index);
	db_array_free(&items);
	db_array_free(&from);
	db_array_free(&to);
	db_array_free(&gateway);
	db_array_free(&due_at);
	db_array_free(&valid_until);
	db_array_free(&version);
}

static void
add_looks(struct probe *probe, struct db_unit *unit)
{
	struct batch *batch = probe->batch;
	const struct claimed *people = batch->people.data;
	struct db_array bucket, patient_id, next_at, lane, attention, standing,
	    recent, stopped, class;
	struct buf said = BUF_INIT(0);

	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	db_array_init(&next_at, DB_AT);
	db_array_init(&lane, DB_I16);
	db_array_init(&attention, DB_BOOL);
	db_array_init(&standing, DB_I16);
	db_array_init(&recent, DB_BYTES);
	db_array_init(&stopped, DB_BOOL);
	db_array_init(&class, DB_I16);
	for (size_t i = 0; i < batch->people.count; i++) {
		static const uint8_t more[SAID_BYTES];

		buf_clear(&said);
		buf_add(&said, people[i].recent, people[i].recent_bytes);
		buf_add(&said, more, sizeof(more));
		db_array_i64(&bucket, people[i].bucket);
		db_array_i64(&patient_id, people[i].patient_id);
		db_array_at(&next_at, probe->care_now + 22 * HOUR_US);
		db_array_i64(&lane, 0);
		db_array_bool(&attention, people[i].attention);
		db_array_i64(&standing, REASON_NONE);
		db_array_bytes(&recent, said.data, said.bytes);
		db_array_bool(&stopped, false);
		db_array_i64(&class, CLASS_TIMED);
	}
	db_unit_add(unit, "batch_insert", NULL, NULL);
	db_param_i64(unit, batch->batch_ref);
	db_param_text(unit, "probe");
	db_param_at(unit, probe->now + LEASE_US);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_unit_add(unit, "sending_mark_store", NULL, NULL);
	db_param_bytes(unit, probe->mark, sizeof(probe->mark));
	db_param_i64(unit, ++probe->sequence);
	db_param_at(unit, probe->care_now);
	db_unit_add(unit, "agenda_store", NULL, NULL);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_param_array(unit, &next_at);
	db_param_array(unit, &lane);
	db_param_array(unit, &attention);
	db_param_array(unit, &standing);
	db_param_array(unit, &recent);
	db_param_at(unit, probe->care_now);
	db_param_array(unit, &stopped);
	db_param_array(unit, &class);
	db_array_free(&bucket);
	db_array_free(&patient_id);
	db_array_free(&next_at);
	db_array_free(&lane);
	db_array_free(&attention);
	db_array_free(&standing);
	db_array_free(&recent);
	db_array_free(&stopped);
	db_array_free(&class);
	buf_free(&said);
}

static void
on_shared(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct probe *probe = arg;
	struct db_unit *unit = db_unit_begin(probe->claimer);

	check(outcome, sqlstate);
	add_deliveries(probe, unit);
	add_looks(probe, unit);
	db_unit_add(unit, "commit", NULL, NULL);
	db_unit_send(unit, on_written, probe);
}

static void
on_loaded(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct probe *probe = arg;
	const struct claimed *people = probe->batch->people.data;
	struct db_unit *unit = db_unit_begin(probe->claimer);
	struct db_array index, tenant;

	check(outcome, sqlstate);
	db_array_init(&index, DB_BYTES);
	db_array_init(&tenant, DB_I32);
	for (size_t i = 0; i < probe->batch->people.count; i++)
		for (int j = 0; j < people[i].address->count; j++) {
			db_array_bytes(&index, people[i].address->index[j], 16);
			db_array_i64(&tenant, people[i].tenant_id);
		}
	db_unit_add(unit, "contact_shared", NULL, NULL);
	db_param_array(unit, &index);
	db_param_array(unit, &tenant);
	db_param_i32(unit, 1001);
	db_param_i32(unit, 20001);
	db_array_free(&index);
	db_array_free(&tenant);
	db_unit_send(unit, on_shared, probe);
}

static int
compare_claimed(const void *left, const void *right)
{
	const struct claimed *a = left, *b = right;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	return (a->patient_id > b->patient_id) -
	       (a->patient_id < b->patient_id);
}

static void
load(struct probe *probe)
{
	struct batch *batch = probe->batch;
	struct claimed *people = batch->people.data;
	struct db_unit *unit = db_unit_begin(probe->claimer);
	struct delivery_keys recent;
	struct db_array buckets, ids;

	qsort(people, batch->people.count, sizeof(*people), compare_claimed);
	db_array_init(&buckets, DB_I16);
	db_array_init(&ids, DB_I64);
	delivery_keys_init(&recent);
	for (size_t i = 0; i < batch->people.count; i++) {
		people[i].address =
		    find_address(probe, people[i].bucket, people[i].patient_id);
		db_array_i64(&buckets, people[i].bucket);
		db_array_i64(&ids, people[i].patient_id);
		if (people[i].attention)
			planning_add_recent(
			    &(struct person){.bucket = people[i].bucket,
				.patient_id = people[i].patient_id,
				.recent = people[i].recent,
				.recent_bytes = people[i].recent_bytes},
			    batch->arena, &recent);
	}
	db_unit_add(unit, "dossier_load", NULL, NULL);
	db_param_array(unit, &buckets);
	db_param_array(unit, &ids);
	if (recent.bucket.count > 0) {
		db_unit_add(unit, "delivery_recent", NULL, NULL);
		delivery_keys_params(&recent, unit);
	}
	db_array_free(&buckets);
	db_array_free(&ids);
	delivery_keys_free(&recent);
	db_unit_send(unit, on_loaded, probe);
}

static void
take_people(const struct db_result *result, void *arg)
{
	struct probe *probe = arg;
	struct batch *batch = probe->batch;

	for (int row = 0; row < db_rows(result); row++) {
		struct claimed *person = list_add(&batch->people);
		const uint8_t *recent;

		person->bucket = (int16_t)db_i64(result, row, 0);
		person->patient_id = db_i64(result, row, 1);
		person->tenant_id = (int32_t)db_i64(result, row, 2);
		person->attention = db_bool(result, row, 5);
		recent = db_bytes(result, row, 7, &person->recent_bytes);
		person->recent =
		    arena_copy(batch->arena, recent, person->recent_bytes);
	}
}

static void
on_nobody(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct probe *probe = arg;

	check(outcome, sqlstate);
	arena_free(probe->batch->arena);
	probe->batch = NULL;
	if (probe->claimed < probe->people && ++probe->quiet > BUCKETS / SLICE)
		fail("people", "are not due");
	if (probe->claimed < probe->people) {
		claim(probe);
		return;
	}
	probe->over = true;
	if (probe->settling == NULL && probe->waiting == NULL)
		loop_stop(probe->loop);
}

static void
on_claimed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct probe *probe = arg;
	struct db_unit *unit;

	check(outcome, sqlstate);
	probe->claimed += (long)probe->batch->people.count;
	if (probe->batch->people.count > 0) {
		probe->quiet = 0;
		load(probe);
		return;
	}
	unit = db_unit_begin(probe->claimer);
	db_unit_add(unit, "commit", NULL, NULL);
	db_unit_send(unit, on_nobody, probe);
}

static void
add_claim(struct probe *probe, struct db_unit *unit,
    const struct db_array *slice, int16_t class, int32_t limit)
{
	db_unit_add(unit, "agenda_claim", take_people, probe);
	db_param_array(unit, slice);
	db_param_i16(unit, class);
	db_param_at(unit, probe->care_now);
	db_param_i32(unit, limit);
	db_param_at(unit, probe->care_now);
}

static void
claim(struct probe *probe)
{
	struct arena *arena = arena_create();
	struct db_unit *unit = db_unit_begin(probe->claimer);
	struct db_array slice;

	probe->batch = arena_alloc(arena, sizeof(*probe->batch));
	probe->batch->arena = arena;
	crypto_random(&probe->batch->batch_ref, sizeof(int64_t));
	probe->batch->batch_ref &= INT64_MAX;
	list_init(&probe->batch->people, arena, sizeof(struct claimed));
	db_array_init(&slice, DB_I16);
	for (int i = 0; i < SLICE; i++)
		db_array_i64(&slice, probe->first_bucket + i);
	probe->first_bucket = (probe->first_bucket + SLICE) % BUCKETS;
	db_unit_add(unit, "begin", NULL, NULL);
	db_unit_add(unit, "agenda_claim_urgent", take_people, probe);
	db_param_at(unit, probe->care_now);
	db_param_i32(unit, CLAIM_MAX);
	db_unit_add(unit, "agenda_claim_parked", take_people, probe);
	db_param_i16(unit, 1);
	db_param_at(unit, probe->care_now);
	db_param_i32(unit, CLAIM_MAX);
	add_claim(probe, unit, &slice, CLASS_TIMED, CLAIM_MAX);
	add_claim(probe, unit, &slice, CLASS_BULK, BULK);
	db_unit_add(unit, "stop_load", NULL, NULL);
	db_param_i32(unit, 1000);
	db_unit_add(unit, "gateway_pauses", NULL, NULL);
	db_param_at(unit, probe->now);
	db_unit_add(unit, "program_count", NULL, NULL);
	db_array_free(&slice);
	db_unit_send(unit, on_claimed, probe);
}

int
main(int argc, char **argv)
{
	static struct probe probe;
	int64_t begun, date_at;
	char *end;

	if (argc != 5 || !instant_parse(argv[3], &date_at) ||
	    !instant_parse(argv[4], &probe.care_now)) {
		fputs("usage: adherd-probe DSN PEOPLE DATE INSTANT\n", stderr);
		return 64;
	}
	log_level_set(LOG_LEVEL_WARNING);
	probe.people = strtol(argv[2], &end, 10);
	probe.occurrence_on = (int32_t)(date_at / DAY_US);
	probe.now = clock_wall();
	probe.loop = loop_create();
	probe.arena = arena_create();
	crypto_random(probe.mark, sizeof(probe.mark));
	list_init(&probe.addresses, probe.arena, sizeof(struct address));
	load_addresses(&probe, argv[1]);
	probe.claimer = open_database(
	    &probe, argv[1], "adherd claim", statements, statement_count);
	probe.writer = open_database(
	    &probe, argv[1], "adherd write", statements, statement_count);
	begun = clock_monotonic();
	claim(&probe);
	loop_run(probe.loop);
	if (probe.settled != probe.people)
		fail("people", "are not all settled");
	(void)printf("%lld\n", (long long)(clock_monotonic() - begun));
	return 0;
}
