/*
 * Storing: an event has a key that is made of what it says, so that the same
 * one is stored once, whoever sends it how often.  What comes while a unit is
 * under way goes together into the next: a commit costs the same for all.
 */
#include "flow/inbox.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/fault.h"
#include "base/log.h"
#include "flow/seal.h"

#define TEXT_BYTES_MAX 8192
#define STORE_TOLD_US MINUTE_US /* between lines of what was not stored */
#define GROUP_MAX 64            /* callbacks in one unit */

struct event_arrays {
	struct db_array key, type, at, reference, provider_id, index, extension,
	    text, code, delivered, opted_out, bad, next_at, credits, address;
};

struct storing { /* one callback */
	const struct gateway *gateway;
	struct event_arrays events;
	int64_t now;
	void (*done)(bool stored, void *arg);
	void *arg;
	struct storing *next;
};

struct group { /* of one unit */
	struct inbox *inbox;
	struct storing *first;
	size_t count;
};

struct inbox {
	struct db *db;
	const struct clock *clock;
	struct keyring *keyring;
	struct group waiting; /* for the unit under way */
	struct storing **last;
	int under_way;
	int64_t store_failures;   /* that no line told yet */
	int64_t failures_told_at; /* clock_boot(); AT_UNKNOWN: not failing */
};

struct inbox *
inbox_create(struct db *db, const struct clock *clock, struct keyring *keyring)
{
	struct inbox *inbox = mem_alloc(sizeof(*inbox));

	inbox->db = db;
	inbox->clock = clock;
	inbox->keyring = keyring;
	inbox->last = &inbox->waiting.first;
	inbox->failures_told_at = AT_UNKNOWN;
	return inbox;
}

bool
inbox_ready(const struct inbox *inbox)
{
	return inbox->clock->synced;
}

static void
hash_text(struct buf *out, const char *text)
{
	buf_text(out, text == NULL ? "" : text);
	buf_char(out, '\0');
}

static void
event_key(const struct gateway *gateway, const struct gw_event *e,
    uint8_t key[INBOX_KEY_BYTES])
{
	struct buf text = BUF_INIT(0);

	hash_text(&text, gateway->name);
	buf_u32(&text, (uint32_t)e->type);
	hash_text(&text, e->id);
	if (e->id == NULL) {
		hash_text(&text, e->reference);
		hash_text(&text, e->provider_id);
		hash_text(&text, e->address);
		hash_text(&text, e->extension);
		hash_text(&text, e->text);
		hash_text(&text, e->code);
		buf_u64(&text, (uint64_t)e->at_us);
	}
	crypto_sha256(text.data, text.bytes, key);
	buf_free(&text);
}

/* A flood of receipts is no flood of lines. */
static void
note_store_failed(struct inbox *inbox, const char *sqlstate)
{
	int64_t now = clock_boot();

	inbox->store_failures++;
	if (inbox->failures_told_at != AT_UNKNOWN &&
	    now < inbox->failures_told_at + STORE_TOLD_US)
		return;
	log_warning("inbox.store_failed", log_s(SQLSTATE, sqlstate),
	    log_n(COUNT, inbox->store_failures));
	inbox->store_failures = 0;
	inbox->failures_told_at = now;
}

/* Its end, with those that no line told. */
static void
note_stored(struct inbox *inbox)
{
	if (inbox->failures_told_at == AT_UNKNOWN ||
	    clock_boot() < inbox->failures_told_at + STORE_TOLD_US)
		return;
	log_notice("inbox.stores_again", log_n(COUNT, inbox->store_failures));
	inbox->store_failures = 0;
	inbox->failures_told_at = AT_UNKNOWN;
}

static void
event_arrays_init(struct event_arrays *a)
{
	db_array_init(&a->key, DB_BYTES);
	db_array_init(&a->type, DB_I16);
	db_array_init(&a->at, DB_AT);
	db_array_init(&a->reference, DB_TEXT);
	db_array_init(&a->provider_id, DB_TEXT);
	db_array_init(&a->index, DB_BYTES);
	db_array_init(&a->extension, DB_TEXT);
	db_array_init(&a->text, DB_BYTES);
	db_array_init(&a->code, DB_TEXT);
	db_array_init(&a->delivered, DB_BOOL);
	db_array_init(&a->opted_out, DB_BOOL);
	db_array_init(&a->bad, DB_BOOL);
	db_array_init(&a->next_at, DB_AT);
	db_array_init(&a->credits, DB_I32);
	db_array_init(&a->address, DB_BYTES);
}

static void
event_arrays_free(struct event_arrays *a)
{
	db_array_free(&a->key);
	db_array_free(&a->type);
	db_array_free(&a->at);
	db_array_free(&a->reference);
	db_array_free(&a->provider_id);
	db_array_free(&a->index);
	db_array_free(&a->extension);
	db_array_free(&a->text);
	db_array_free(&a->code);
	db_array_free(&a->delivered);
	db_array_free(&a->opted_out);
	db_array_free(&a->bad);
	db_array_free(&a->next_at);
	db_array_free(&a->credits);
	db_array_free(&a->address);
}

/* Whom to answer, where the number turns out to be nobody's. */
static void
add_address(struct inbox *inbox, const struct gateway *gateway,
    const struct gw_event *e, const uint8_t *key, struct db_array *addresses)
{
	struct buf sealed = BUF_INIT(0);

	if (e->type != GW_EVENT_REPLY || e->address == NULL) {
		db_array_null(addresses);
		return;
	}
	seal_inbox_address(
	    inbox->keyring, gateway->tenant_id, key, e->address, &sealed);
	db_array_bytes(addresses, sealed.data, sealed.bytes);
	buf_free(&sealed);
}

static void
add_event(struct inbox *inbox, const struct gateway *gateway,
    const struct gw_event *e, int64_t now, struct event_arrays *a)
{
	struct buf text = BUF_INIT(TEXT_BYTES_MAX); /* the rest is left */
	struct buf sealed = BUF_INIT(0);
	uint8_t key[INBOX_KEY_BYTES], index[16];

	event_key(gateway, e, key);
	db_array_bytes(&a->key, key, sizeof(key));
	db_array_i64(&a->type, e->type);
	if (e->at_us > 0)
		db_array_at(&a->at, e->at_us);
	else
		db_array_null(&a->at);
	db_array_text(&a->reference, e->reference);
	db_array_text(&a->provider_id, e->provider_id);
	if (e->address != NULL) {
		seal_address_index(inbox->keyring, gateway->tenant_id,
		    gateway->channel, e->address, index);
		db_array_bytes(&a->index, index, sizeof(index));
	} else
		db_array_null(&a->index);
	db_array_text(&a->extension, e->extension);
	if (e->text != NULL) {
		buf_text(&text, e->text);
		seal_inbox_text(inbox->keyring, gateway->tenant_id, key,
		    buf_string(&text), &sealed);
		db_array_bytes(&a->text, sealed.data, sealed.bytes);
	} else
		db_array_null(&a->text);
	buf_free(&text);
	buf_free(&sealed);
	db_array_text(&a->code, e->code);
	db_array_bool(&a->delivered, e->delivered);
	db_array_bool(&a->opted_out, e->opted_out);
	db_array_bool(&a->bad, e->address_bad);
	db_array_at(&a->next_at, now);
	db_array_i64(&a->credits, e->credits);
	add_address(inbox, gateway, e, key, &a->address);
}

static void
add_statement(const struct storing *storing, struct db_unit *unit)
{
	const struct event_arrays *a = &storing->events;

	db_unit_add(unit, "inbox_insert", NULL, NULL);
	db_param_array(unit, &a->key);
	db_param_i32(unit, storing->gateway->tenant_id);
	db_param_text(unit, storing->gateway->name);
	db_param_array(unit, &a->type);
	db_param_at(unit, storing->now);
	db_param_array(unit, &a->at);
	db_param_array(unit, &a->reference);
	db_param_array(unit, &a->provider_id);
	db_param_array(unit, &a->index);
	db_param_array(unit, &a->extension);
	db_param_array(unit, &a->text);
	db_param_array(unit, &a->code);
	db_param_array(unit, &a->delivered);
	db_param_array(unit, &a->opted_out);
	db_param_array(unit, &a->bad);
	db_param_array(unit, &a->next_at);
	db_param_array(unit, &a->credits);
	db_param_array(unit, &a->address);
}

static void send_group(struct inbox *inbox, struct group group);

static void
send_waiting(struct inbox *inbox)
{
	struct group group = inbox->waiting;

	inbox->waiting = (struct group){.inbox = inbox};
	inbox->last = &inbox->waiting.first;
	send_group(inbox, group);
}

static void
finish(struct storing *storing, bool stored)
{
	void (*done)(bool stored, void *arg) = storing->done;
	void *arg = storing->arg;

	event_arrays_free(&storing->events);
	free(storing);
	done(stored, arg);
}

/* What one of them cannot have must not cost the others theirs. */
static void
send_each(struct inbox *inbox, struct group group)
{
	for (struct storing *storing = group.first, *next; storing != NULL;
	     storing = next) {
		next = storing->next;
		storing->next = NULL;
		send_group(inbox, (struct group){inbox, storing, 1});
	}
}

static void
on_stored(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct group group = *(struct group *)arg;
	struct inbox *inbox = group.inbox;

	inbox->under_way--;
	if (outcome == DB_FAILED && group.count > 1) {
		send_each(inbox, group);
		return;
	}
	if (outcome == DB_OK) {
		fault_point(INBOX_AFTER_COMMIT);
		note_stored(inbox);
	} else {
		note_store_failed(
		    inbox, outcome == DB_FAILED ? sqlstate : "lost");
	}
	if (inbox->under_way == 0 && inbox->waiting.count > 0)
		send_waiting(inbox);
	for (struct storing *storing = group.first, *next; storing != NULL;
	     storing = next) {
		next = storing->next;
		finish(storing, outcome == DB_OK);
	}
}

static void
send_group(struct inbox *inbox, struct group group)
{
	struct db_unit *unit = db_unit_begin(inbox->db);
	struct group *kept = arena_alloc(db_unit_arena(unit), sizeof(*kept));

	*kept = group;
	for (const struct storing *storing = group.first; storing != NULL;
	     storing = storing->next)
		add_statement(storing, unit);
	inbox->under_way++;
	fault_point(INBOX_BEFORE_COMMIT);
	db_unit_send(unit, on_stored, kept);
	fault_point(INBOX_MID_COMMIT);
}

void
inbox_store(struct inbox *inbox, const struct gateway *gateway,
    const struct gw_event *events, size_t count,
    void (*done)(bool stored, void *arg), void *arg)
{
	struct storing *storing = mem_alloc(sizeof(*storing));

	*storing = (struct storing){
	    .gateway = gateway,
	    .now = clock_unmoved(inbox->clock),
	    .done = done,
	    .arg = arg,
	};
	event_arrays_init(&storing->events);
	for (size_t i = 0; i < count; i++)
		add_event(
		    inbox, gateway, &events[i], storing->now, &storing->events);
	*inbox->last = storing;
	inbox->last = &storing->next;
	inbox->waiting.inbox = inbox;
	inbox->waiting.count++;
	if (inbox->under_way == 0 || inbox->waiting.count == GROUP_MAX)
		send_waiting(inbox);
}

void
inbox_add_done(struct db_unit *unit, const uint8_t *event_key,
    enum inbox_state state, int64_t next_at)
{
	struct db_array key, states, at;

	db_array_init(&key, DB_BYTES);
	db_array_init(&states, DB_I16);
	db_array_init(&at, DB_AT);
	db_array_bytes(&key, event_key, INBOX_KEY_BYTES);
	db_array_i64(&states, state);
	db_array_at(&at, next_at);
	db_unit_add(unit, "inbox_done", NULL, NULL);
	db_param_array(unit, &key);
	db_param_array(unit, &states);
	db_param_array(unit, &at);
	db_array_free(&key);
	db_array_free(&states);
	db_array_free(&at);
}
