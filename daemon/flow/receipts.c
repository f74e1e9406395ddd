/*
 * Receipts: found by our reference, which encodes the delivery's key; in a
 * batch, where one reference covers a request, by the batch and the address;
 * where there is no reference, by the provider's id and the address.  One
 * that comes before the send's answer waits and is tried again; one that fits
 * nothing for a week is left as unmatched.
 */
#include "flow/receipts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"
#include "flow/delivery.h"
#include "flow/inbox.h"

#define WORK_MAX 500
#define KEPT_US (7 * DAY_US)
/* what only the provider's id names may be another program's message */
#define KEPT_BY_ID_US HOUR_US
#define BY_ID_DAYS 31          /* so old is no delivery that it may name */
#define TRY_US (SECOND_US / 2) /* doubled at each try, to an hour */
#define LOCKED_SHIFT_MAX 4     /* no row is held for long */

struct item { /* an event being worked on */
	const uint8_t *event_key;
	int32_t tenant_id;
	int64_t received_at;
	const char *provider_id, *code;
	const uint8_t *address_index; /* 16 bytes, or NULL */
	bool delivered;
	bool address_bad; /* stop using the address: dead, or it refused */
	int32_t contact_no;
	int64_t tries;
	bool has_key; /* of the reference, then of the member that is meant */
	bool locked;  /* has_key, and the person's row is ours now */
	struct delivery_key key;
	bool found; /* key names a delivery, its state is known */
	enum delivery_state state;
	int64_t batch_ref; /* of the delivery that the reference names */
	bool by_address;   /* another member of that request is meant */
	bool by_id;        /* no reference: by address and provider_id */
	bool applies;      /* its state changes now */
	bool given_up;     /* it fits nothing */
};

struct receipts {
	struct db *db;
	const struct clock *clock;
	struct arena *arena; /* of the work under way */
	struct list items;   /* struct item */
	int32_t limit;       /* events at once; halved when one is poison */
	bool members;        /* those by address are looked at, no others */
	bool busy;
};

struct receipts *
receipts_create(struct db *db, const struct clock *clock)
{
	struct receipts *receipts = mem_alloc(sizeof(*receipts));

	receipts->db = db;
	receipts->clock = clock;
	receipts->arena = arena_create();
	receipts->limit = WORK_MAX;
	return receipts;
}

bool
receipts_idle(const struct receipts *receipts)
{
	return !receipts->busy;
}

/* ---- working ---- */

static void
end_work(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct receipts *receipts = arg;

	(void)outcome;
	(void)sqlstate;
	receipts->busy = false;
}

struct done_arrays { /* what becomes of events */
	struct db_array key, state, next_at;
};

static void
done_init(struct done_arrays *a)
{
	db_array_init(&a->key, DB_BYTES);
	db_array_init(&a->state, DB_I16);
	db_array_init(&a->next_at, DB_AT);
}

static void
done_add(struct done_arrays *a, const struct item *item, enum inbox_state state,
    int64_t next_at)
{
	db_array_bytes(&a->key, item->event_key, INBOX_KEY_BYTES);
	db_array_i64(&a->state, state);
	db_array_at(&a->next_at, next_at);
}

static void
done_statement(struct done_arrays *a, struct db_unit *unit)
{
	db_unit_add(unit, "inbox_done", NULL, NULL);
	db_param_array(unit, &a->key);
	db_param_array(unit, &a->state);
	db_param_array(unit, &a->next_at);
	db_array_free(&a->key);
	db_array_free(&a->state);
	db_array_free(&a->next_at);
}

static void
on_set_aside(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	if (outcome == DB_OK)
		metric_add(METRIC_RECEIPTS_UNMATCHED, NULL, NULL, 1);
	end_work(outcome, sqlstate, arg);
}

/* The one event that cannot be worked on stands in nobody's way. */
static void
add_set_aside(struct receipts *receipts, struct db_unit *unit)
{
	struct done_arrays done;

	done_init(&done);
	done_add(&done, receipts->items.data, INBOX_UNMATCHED,
	    clock_unmoved(receipts->clock));
	done_statement(&done, unit);
}

/*
 * The transaction failed: nothing of it stays, it comes again; with half as
 * many where that would not help, until the guilty event is alone.
 */
static void
give_up(
    struct receipts *receipts, enum db_outcome outcome, const char *sqlstate)
{
	struct db_unit *unit;
	bool alone = receipts->items.count == 1;

	if (outcome == DB_LOST) {
		receipts->busy = false;
		return;
	}
	log_warning("inbox.work_failed", log_s(SQLSTATE, sqlstate),
	    log_n(COUNT, receipts->items.count));
	unit = db_unit_begin(receipts->db);
	db_unit_add(unit, "rollback", NULL, NULL);
	if (db_sqlstate_passes(sqlstate)) {
		db_unit_send(unit, end_work, receipts);
		return;
	}
	receipts->limit = receipts->limit > 1 ? receipts->limit / 2 : 1;
	if (alone)
		add_set_aside(receipts, unit);
	db_unit_send(unit, alone ? on_set_aside : end_work, receipts);
}

static void
count_given_up(const struct receipts *receipts)
{
	const struct item *items = receipts->items.data;

	for (size_t i = 0; i < receipts->items.count; i++)
		if (items[i].given_up)
			metric_add(METRIC_RECEIPTS_UNMATCHED, NULL, NULL, 1);
}

static void
on_applied(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct receipts *receipts = arg;

	if (outcome != DB_OK) {
		give_up(receipts, outcome, sqlstate);
		return;
	}
	fault_point(RECEIPT_AFTER_COMMIT);
	count_given_up(receipts);
	if (receipts->limit < WORK_MAX)
		receipts->limit *= 2;
	receipts->busy = false;
}

/*
 * While it is being sent the answer comes soon: that wait does not grow.  Nor
 * does it much for a row that is held; what fits nothing has no such row, and
 * may be a stranger's: it must not come back each few seconds for a week.
 */
static int64_t
next_try(const struct item *item, int64_t now)
{
	bool soon = item->found && item->state == DELIVERY_SENDING;
	bool held = item->found && !item->locked;
	int64_t shift_max = soon ? 0 : held ? LOCKED_SHIFT_MAX : 13;
	int64_t shift = item->tries < shift_max ? item->tries : shift_max;
	int64_t wait = TRY_US << shift;

	return now + (wait < HOUR_US ? wait : HOUR_US);
}

static enum delivery_state
state_told(const struct item *item)
{
	return item->delivered ? DELIVERY_DELIVERED : DELIVERY_UNDELIVERED;
}

/* Sending, or not found: the send's answer may still come. */
static bool
must_wait(const struct item *item, int64_t now)
{
	if (item->applies ||
	    now - item->received_at > (item->by_id ? KEPT_BY_ID_US : KEPT_US))
		return false;
	if (!item->has_key)
		return item->by_id;
	return !item->locked || !item->found ||
	       item->state == DELIVERY_SENDING || item->state == DELIVERY_RETRY;
}

static void
add_receipts(struct receipts *receipts, struct db_unit *unit, int64_t now)
{
	struct item *items = receipts->items.data;
	struct db_array state, code;
	struct delivery_keys keys;

	delivery_keys_init(&keys);
	db_array_init(&state, DB_I16);
	db_array_init(&code, DB_TEXT);
	for (size_t i = 0; i < receipts->items.count; i++) {
		if (!items[i].applies)
			continue;
		delivery_keys_add(&keys, &items[i].key);
		db_array_i64(&state, state_told(&items[i]));
		db_array_text(&code, items[i].code);
	}
	if (state.count > 0) {
		db_unit_add(unit, "delivery_receipt", NULL, NULL);
		delivery_keys_params(&keys, unit);
		db_param_array(unit, &state);
		db_param_array(unit, &code);
		db_param_at(unit, now);
	}
	delivery_keys_free(&keys);
	db_array_free(&state);
	db_array_free(&code);
}

/* Whom an undelivered receipt, or one that ends a doubt, concerns. */
static bool
concerns_person(const struct item *item)
{
	return item->applies &&
	       (!item->delivered || item->state == DELIVERY_UNKNOWN);
}

static void
add_wakes(struct receipts *receipts, struct db_unit *unit)
{
	struct item *items = receipts->items.data;
	struct db_array bucket, patient_id, at;

	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	db_array_init(&at, DB_AT);
	for (size_t i = 0; i < receipts->items.count; i++)
		if (concerns_person(&items[i])) {
			db_array_i64(&bucket, items[i].key.bucket);
			db_array_i64(&patient_id, items[i].key.patient_id);
			db_array_at(&at, clock_care(receipts->clock));
		}
	if (bucket.count > 0) {
		db_unit_add(unit, "agenda_wake", NULL, NULL);
		db_param_array(unit, &bucket);
		db_param_array(unit, &patient_id);
		db_param_array(unit, &at);
	}
	db_array_free(&bucket);
	db_array_free(&patient_id);
	db_array_free(&at);
}

static void
add_bad_contacts(struct receipts *receipts, struct db_unit *unit)
{
	struct item *items = receipts->items.data;
	struct contacts_bad bad;

	contacts_bad_init(&bad);
	for (size_t i = 0; i < receipts->items.count; i++)
		if (items[i].applies && items[i].address_bad &&
		    !items[i].delivered)
			contacts_bad_add(
			    &bad, &items[i].key, items[i].contact_no);
	contacts_bad_statements(&bad, unit);
	contacts_bad_free(&bad);
}

static void
add_done(struct receipts *receipts, struct db_unit *unit, int64_t now)
{
	struct item *items = receipts->items.data;
	struct done_arrays done;

	done_init(&done);
	for (size_t i = 0; i < receipts->items.count; i++) {
		bool waits = must_wait(&items[i], now);

		items[i].given_up =
		    !waits && (!items[i].found || !items[i].locked);
		done_add(&done, &items[i],
		    waits               ? INBOX_NEW
		    : items[i].given_up ? INBOX_UNMATCHED
					: INBOX_DONE,
		    waits ? next_try(&items[i], now) : now);
	}
	done_statement(&done, unit);
}

static void
apply(struct receipts *receipts)
{
	struct item *items = receipts->items.data;
	struct db_unit *unit = db_unit_begin(receipts->db);
	int64_t now = clock_unmoved(receipts->clock);

	for (size_t i = 0; i < receipts->items.count; i++)
		items[i].applies =
		    items[i].found && items[i].locked &&
		    delivery_may_become(items[i].state, state_told(&items[i]));
	add_receipts(receipts, unit, now);
	add_bad_contacts(receipts, unit);
	add_wakes(receipts, unit);
	add_done(receipts, unit, now);
	db_unit_add(unit, "commit", NULL, NULL);
	fault_point(RECEIPT_BEFORE_COMMIT);
	db_unit_send(unit, on_applied, receipts);
}

/* ---- finding ---- */

/* First those whom references name, then members of their requests. */
static bool
is_looked_at(const struct receipts *receipts, const struct item *item)
{
	return receipts->members ? item->by_address && item->found
				 : item->has_key;
}

static void
take_states(const struct db_result *result, void *arg)
{
	struct receipts *receipts = arg;
	struct item *items = receipts->items.data;
	struct item **asked = arena_array(
	    receipts->arena, receipts->items.count + 1, sizeof(*asked));
	size_t count = 0;

	for (size_t i = 0; i < receipts->items.count; i++)
		if (is_looked_at(receipts, &items[i]))
			asked[count++] = &items[i];
	for (int row = 0; row < db_rows(result); row++) {
		struct item *item = asked[db_i64(result, row, 0) - 1];
		const uint8_t *index;
		size_t bytes;

		item->state = (enum delivery_state)db_i64(result, row, 1);
		item->batch_ref =
		    db_null(result, row, 2) ? 0 : db_i64(result, row, 2);
		index = db_bytes(result, row, 3, &bytes);
		item->contact_no = (int32_t)db_i64(result, row, 5);
		item->found = true;
		if (item->address_index != NULL && index != NULL &&
		    bytes == 16 &&
		    memcmp(index, item->address_index, 16) != 0) {
			item->found = false;
			item->by_address = item->batch_ref != 0;
		}
	}
}

/* Rows that others hold make nobody wait: their receipts come again. */
static void
take_locked(const struct db_result *result, void *arg)
{
	struct receipts *receipts = arg;
	struct item *items = receipts->items.data;

	for (int row = 0; row < db_rows(result); row++) {
		int64_t bucket = db_i64(result, row, 0);
		int64_t patient_id = db_i64(result, row, 1);

		for (size_t i = 0; i < receipts->items.count; i++)
			if (is_looked_at(receipts, &items[i]) &&
			    items[i].key.bucket == bucket &&
			    items[i].key.patient_id == patient_id)
				items[i].locked = true;
	}
}

/* Lock people and read their states: no repeat leaves before the write. */
static void
look_at(struct receipts *receipts,
    void (*done)(enum db_outcome outcome, const char *sqlstate, void *arg))
{
	const struct item *items = receipts->items.data;
	struct db_unit *unit = db_unit_begin(receipts->db);
	struct delivery_keys keys;

	delivery_keys_init(&keys);
	for (size_t i = 0; i < receipts->items.count; i++)
		if (is_looked_at(receipts, &items[i]))
			delivery_keys_add(&keys, &items[i].key);
	db_unit_add(unit, "agenda_lock_free", take_locked, receipts);
	db_param_array(unit, &keys.bucket);
	db_param_array(unit, &keys.patient_id);
	db_unit_add(unit, "delivery_states", take_states, receipts);
	delivery_keys_params(&keys, unit);
	delivery_keys_free(&keys);
	db_unit_send(unit, done, receipts);
}

static void
on_members(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct receipts *receipts = arg;

	if (outcome == DB_OK)
		apply(receipts);
	else
		give_up(receipts, outcome, sqlstate);
}

/*
 * Of the deliveries to that address in that batch the one that carries the
 * provider's id; the only one, where it has none yet.
 */
static void
take_by_address(const struct db_result *result, void *arg)
{
	struct receipts *receipts = arg;
	struct item *items = receipts->items.data;
	int64_t position = 0;

	for (size_t i = 0; i < receipts->items.count; i++) {
		if (!items[i].by_address)
			continue;
		items[i].locked = false; /* that was of who led */
		position++;
		for (int row = 0; row < db_rows(result); row++) {
			const char *id = db_text(result, row, 9);
			struct item *item = &items[i];

			if (db_i64(result, row, 0) != position ||
			    (id != NULL && item->provider_id != NULL &&
				strcmp(id, item->provider_id) != 0))
				continue;
			item->key = delivery_key_read(result, row, 1);
			item->state =
			    (enum delivery_state)db_i64(result, row, 8);
			item->contact_no = (int32_t)db_i64(result, row, 10);
			item->found = true;
			if (id != NULL)
				break;
		}
	}
}

static void
on_found_by_address(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct receipts *receipts = arg;

	if (outcome != DB_OK) {
		give_up(receipts, outcome, sqlstate);
		return;
	}
	receipts->members = true;
	look_at(receipts, on_members);
}

static void
find_by_address(struct receipts *receipts)
{
	struct item *items = receipts->items.data;
	struct db_unit *unit = db_unit_begin(receipts->db);
	struct db_array ref, index, tenant;

	db_array_init(&ref, DB_I64);
	db_array_init(&index, DB_BYTES);
	db_array_init(&tenant, DB_I32);
	for (size_t i = 0; i < receipts->items.count; i++)
		if (items[i].by_address) {
			db_array_i64(&ref, items[i].batch_ref);
			db_array_bytes(&index, items[i].address_index, 16);
			db_array_i64(&tenant, items[i].tenant_id);
		}
	db_unit_add(unit, "delivery_by_address", take_by_address, receipts);
	db_param_array(unit, &ref);
	db_param_array(unit, &index);
	db_param_array(unit, &tenant);
	db_array_free(&ref);
	db_array_free(&index);
	db_array_free(&tenant);
	db_unit_send(unit, on_found_by_address, receipts);
}

static void
on_states(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct receipts *receipts = arg;
	const struct item *items = receipts->items.data;

	if (outcome != DB_OK) {
		give_up(receipts, outcome, sqlstate);
		return;
	}
	for (size_t i = 0; i < receipts->items.count; i++)
		if (items[i].by_address) {
			find_by_address(receipts);
			return;
		}
	apply(receipts);
}

static void
take_by_id(const struct db_result *result, void *arg)
{
	struct receipts *receipts = arg;
	struct item *items = receipts->items.data;
	int64_t position = 0;

	for (size_t i = 0; i < receipts->items.count; i++) {
		if (!items[i].by_id)
			continue;
		position++;
		for (int row = 0; row < db_rows(result); row++) {
			if (db_i64(result, row, 0) != position)
				continue;
			items[i].key = delivery_key_read(result, row, 1);
			items[i].has_key = true;
			break;
		}
	}
}

static void
on_found_by_id(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct receipts *receipts = arg;

	if (outcome == DB_OK)
		look_at(receipts, on_states);
	else
		give_up(receipts, outcome, sqlstate);
}

static void
find_by_id(struct receipts *receipts)
{
	const struct item *items = receipts->items.data;
	struct db_unit *unit = db_unit_begin(receipts->db);
	struct db_array id, index, tenant;

	db_array_init(&id, DB_TEXT);
	db_array_init(&index, DB_BYTES);
	db_array_init(&tenant, DB_I32);
	for (size_t i = 0; i < receipts->items.count; i++)
		if (items[i].by_id) {
			db_array_text(&id, items[i].provider_id);
			db_array_bytes(&index, items[i].address_index, 16);
			db_array_i64(&tenant, items[i].tenant_id);
		}
	db_unit_add(unit, "delivery_by_provider", take_by_id, receipts);
	db_param_array(unit, &id);
	db_param_array(unit, &index);
	db_param_array(unit, &tenant);
	db_param_on(
	    unit, (int32_t)(clock_care(receipts->clock) / DAY_US) - BY_ID_DAYS);
	db_array_free(&id);
	db_array_free(&index);
	db_array_free(&tenant);
	db_unit_send(unit, on_found_by_id, receipts);
}

static bool
any_by_id(const struct receipts *receipts)
{
	const struct item *items = receipts->items.data;

	for (size_t i = 0; i < receipts->items.count; i++)
		if (items[i].by_id)
			return true;
	return false;
}

static void
on_claimed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct receipts *receipts = arg;
	struct db_unit *unit;

	if (outcome != DB_OK) {
		give_up(receipts, outcome, sqlstate);
		return;
	}
	if (receipts->items.count > 0) {
		receipts->members = false;
		if (any_by_id(receipts))
			find_by_id(receipts);
		else
			look_at(receipts, on_states);
		return;
	}
	unit = db_unit_begin(receipts->db);
	db_unit_add(unit, "commit", NULL, NULL);
	db_unit_send(unit, end_work, receipts);
}

static void
take_items(const struct db_result *result, void *arg)
{
	struct receipts *receipts = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct item *item = list_add(&receipts->items);
		const char *reference = db_text(result, row, 3);
		size_t bytes;
		const uint8_t *data = db_bytes(result, row, 0, &bytes);

		assert(bytes == INBOX_KEY_BYTES);
		item->event_key = arena_copy(receipts->arena, data, bytes);
		item->tenant_id = (int32_t)db_i64(result, row, 1);
		item->received_at = db_at(result, row, 2);
		item->provider_id =
		    arena_text(receipts->arena, db_text(result, row, 4));
		data = db_bytes(result, row, 5, &bytes);
		if (data != NULL && bytes == 16)
			item->address_index =
			    arena_copy(receipts->arena, data, bytes);
		item->code =
		    arena_text(receipts->arena, db_text(result, row, 6));
		item->delivered = db_bool(result, row, 7);
		item->address_bad =
		    db_bool(result, row, 8) || db_bool(result, row, 9);
		item->tries = db_i64(result, row, 10);
		item->has_key = reference != NULL &&
				delivery_reference_read(reference, &item->key);
		item->by_id = reference == NULL && item->provider_id != NULL &&
			      item->address_index != NULL;
	}
}

bool
receipts_look(struct receipts *receipts)
{
	struct db_unit *unit;

	if (receipts->busy || !db_idle(receipts->db) ||
	    !receipts->clock->synced)
		return false;
	receipts->busy = true;
	arena_reset(receipts->arena);
	list_init(&receipts->items, receipts->arena, sizeof(struct item));
	unit = db_unit_begin(receipts->db);
	db_unit_add(unit, "begin", NULL, NULL);
	db_unit_add(unit, "receipt_claim", take_items, receipts);
	db_param_at(unit, clock_unmoved(receipts->clock));
	db_param_i32(
	    unit, receipts->limit < WORK_MAX ? receipts->limit : WORK_MAX);
	db_unit_send(unit, on_claimed, receipts);
	return true;
}
