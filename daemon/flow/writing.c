/*
 * The rows of one round as arrays of parameters.  No decision is taken
 * here: what stands in the rows was decided by plan.
 */
#include "flow/writing.h"
#include "flow/statements.h"

#include <assert.h>
#include <stdlib.h>

/* Items of many rows in one array, each row a slice of it. */
struct items {
	struct db_array all, from, to;
};

struct rows_insert {
	struct delivery_keys keys;
	struct db_array tenant, stage, state, reason, contact_no, index,
	    gateway, due_at, valid_until, version;
	struct items items;
	int64_t sending; /* rows that are messages */
};

struct rows_again {
	struct delivery_keys keys;
	struct db_array believed, repeat, contact_no, index, gateway;
	struct items items;
};

struct rows_close {
	struct delivery_keys keys;
	struct db_array believed, state, reason;
};

struct rows_task {
	struct delivery_keys keys; /* channel is not used */
	struct db_array tenant, stage, reason, due_at, team_at, version;
	struct items items;
};

struct rows_credit { /* that its messages spend */
	struct db_array bucket, patient_id, contact_no, code;
};

struct rows_people {
	struct db_array bucket, patient_id, next_at, lane, attention, standing,
	    stopped, recent, class;
};

struct rows_obstacle {
	struct db_array bucket, patient_id, reason;
};

struct writing {
	const char *owner;
	int64_t care_now, now, batch_ref, lease_until;
	struct delivery_keys mine; /* every message, in order of adding */
	struct db_array sent_bucket, sent_patient_id;
	struct rows_insert insert;
	struct rows_again again;
	struct rows_close close;
	struct rows_task task;
	struct rows_credit credit;
	struct rows_people people;
	struct rows_obstacle ended, begun;
	bool inserted_all, again_all;
	const uint8_t *mark_id; /* NULL: no mark */
	size_t mark_id_bytes;
	int64_t sent_until; /* care time, of the mark */
	int64_t last_sequence, sequence;
};

static void
items_init(struct items *items)
{
	db_array_init(&items->all, DB_I32);
	db_array_init(&items->from, DB_I32);
	db_array_init(&items->to, DB_I32);
}

static void
items_free(struct items *items)
{
	db_array_free(&items->all);
	db_array_free(&items->from);
	db_array_free(&items->to);
}

/* no, date, slot of each thing that a row speaks of. */
static void
items_add(struct items *items, const struct plan_step *step)
{
	db_array_i64(&items->from, (int64_t)items->all.count + 1);
	for (uint32_t i = 0; i < step->item_count; i++) {
		db_array_i64(&items->all, step->items[i].no);
		db_array_i64(&items->all, step->items[i].occurrence_on);
		db_array_i64(&items->all, step->items[i].slot);
	}
	db_array_i64(&items->to, items->all.count);
}

static void
items_params(const struct items *items, struct db_unit *unit)
{
	db_param_array(unit, &items->all);
	db_param_array(unit, &items->from);
	db_param_array(unit, &items->to);
}

struct array_field {
	struct db_array *array;
	enum db_type type;
};

/* Every array of a writing but keys and items, with its type. */
static size_t
list_arrays(struct writing *w, struct array_field fields[])
{
	const struct array_field all[] = {
	    {&w->sent_bucket, DB_I16},
	    {&w->sent_patient_id, DB_I64},
	    {&w->insert.tenant, DB_I32},
	    {&w->insert.stage, DB_I16},
	    {&w->insert.state, DB_I16},
	    {&w->insert.reason, DB_I16},
	    {&w->insert.contact_no, DB_I32},
	    {&w->insert.index, DB_BYTES},
	    {&w->insert.gateway, DB_TEXT},
	    {&w->insert.due_at, DB_AT},
	    {&w->insert.valid_until, DB_AT},
	    {&w->insert.version, DB_I32},
	    {&w->again.believed, DB_I16},
	    {&w->again.repeat, DB_BOOL},
	    {&w->again.contact_no, DB_I32},
	    {&w->again.index, DB_BYTES},
	    {&w->again.gateway, DB_TEXT},
	    {&w->close.believed, DB_I16},
	    {&w->close.state, DB_I16},
	    {&w->close.reason, DB_I16},
	    {&w->task.tenant, DB_I32},
	    {&w->task.stage, DB_I16},
	    {&w->task.reason, DB_I16},
	    {&w->task.due_at, DB_AT},
	    {&w->task.team_at, DB_AT},
	    {&w->task.version, DB_I32},
	    {&w->credit.bucket, DB_I16},
	    {&w->credit.patient_id, DB_I64},
	    {&w->credit.contact_no, DB_I32},
	    {&w->credit.code, DB_TEXT},
	    {&w->people.bucket, DB_I16},
	    {&w->people.patient_id, DB_I64},
	    {&w->people.next_at, DB_AT},
	    {&w->people.lane, DB_I16},
	    {&w->people.attention, DB_BOOL},
	    {&w->people.standing, DB_I16},
	    {&w->people.stopped, DB_BOOL},
	    {&w->people.recent, DB_BYTES},
	    {&w->people.class, DB_I16},
	    {&w->ended.bucket, DB_I16},
	    {&w->ended.patient_id, DB_I64},
	    {&w->ended.reason, DB_I16},
	    {&w->begun.bucket, DB_I16},
	    {&w->begun.patient_id, DB_I64},
	    {&w->begun.reason, DB_I16},
	};

	for (size_t i = 0; i < COUNT(all) && fields != NULL; i++)
		fields[i] = all[i];
	return COUNT(all);
}

#define ARRAYS_MAX 48

struct writing *
writing_create(const char *owner, int64_t care_now, int64_t now,
    int64_t batch_ref, int64_t lease_until)
{
	struct writing *w = mem_alloc(sizeof(*w));
	struct array_field fields[ARRAYS_MAX];
	size_t count = list_arrays(w, fields);

	assert(count <= ARRAYS_MAX);
	w->owner = owner;
	w->care_now = care_now;
	w->now = now;
	w->batch_ref = batch_ref;
	w->lease_until = lease_until;
	for (size_t i = 0; i < count; i++)
		db_array_init(fields[i].array, fields[i].type);
	delivery_keys_init(&w->mine);
	delivery_keys_init(&w->insert.keys);
	delivery_keys_init(&w->again.keys);
	delivery_keys_init(&w->close.keys);
	delivery_keys_init(&w->task.keys);
	items_init(&w->insert.items);
	items_init(&w->again.items);
	items_init(&w->task.items);
	w->inserted_all = w->again_all = true;
	return w;
}

void
writing_free(struct writing *w)
{
	struct array_field fields[ARRAYS_MAX];
	size_t count = list_arrays(w, fields);

	for (size_t i = 0; i < count; i++)
		db_array_free(fields[i].array);
	delivery_keys_free(&w->mine);
	delivery_keys_free(&w->insert.keys);
	delivery_keys_free(&w->again.keys);
	delivery_keys_free(&w->close.keys);
	delivery_keys_free(&w->task.keys);
	items_free(&w->insert.items);
	items_free(&w->again.items);
	items_free(&w->task.items);
	free(w);
}

/* ---- gathering ---- */

struct delivery_key
writing_step_key(const struct dossier *dossier, const struct plan_step *step)
{
	return (struct delivery_key){
	    .bucket = dossier->bucket,
	    .patient_id = dossier->patient_id,
	    .occurrence_on = step->occurrence_on,
	    .kind = step->kind,
	    .source = step->source,
	    .slot = step->slot,
	    .channel = step->channel,
	};
}

struct delivery_key
writing_open_key(
    const struct dossier *dossier, const struct open_delivery *open)
{
	return (struct delivery_key){
	    .bucket = dossier->bucket,
	    .patient_id = dossier->patient_id,
	    .occurrence_on = open->occurrence_on,
	    .kind = open->kind,
	    .source = open->source,
	    .slot = open->slot,
	    .channel = open->channel,
	};
}

static void
add_insert(struct writing *w, const struct delivery_key *key, int32_t tenant_id,
    const struct plan_step *step, enum delivery_state state,
    const struct contact *contact, const char *gateway)
{
	struct rows_insert *rows = &w->insert;

	delivery_keys_add(&rows->keys, key);
	db_array_i64(&rows->tenant, tenant_id);
	db_array_i64(&rows->stage, step->stage);
	db_array_i64(&rows->state, state);
	db_array_i64(&rows->reason, step->reason);
	db_array_i64(&rows->contact_no, contact == NULL ? 0 : contact->no);
	if (contact == NULL)
		db_array_null(&rows->index);
	else
		db_array_bytes(
		    &rows->index, contact->index, sizeof(contact->index));
	db_array_text(&rows->gateway, gateway);
	db_array_at(&rows->due_at, step->due_at);
	db_array_at(&rows->valid_until, step->valid_until);
	db_array_i64(&rows->version, step->program_version);
	items_add(&rows->items, step);
	rows->sending += state == DELIVERY_SENDING;
}

static void
add_credit(struct writing *w, const struct delivery *delivery)
{
	struct rows_credit *rows = &w->credit;

	if (delivery->credit == NULL)
		return;
	db_array_i64(&rows->bucket, delivery->key.bucket);
	db_array_i64(&rows->patient_id, delivery->key.patient_id);
	db_array_i64(&rows->contact_no, delivery->contact_no);
	db_array_text(&rows->code, delivery->credit);
}

void
writing_add_send(struct writing *w, int32_t tenant_id,
    const struct delivery *delivery, const struct plan_step *step,
    enum delivery_state believed, const struct contact *contact)
{
	struct rows_again *rows = &w->again;

	delivery_keys_add(&w->mine, &delivery->key);
	db_array_i64(&w->sent_bucket, delivery->key.bucket);
	db_array_i64(&w->sent_patient_id, delivery->key.patient_id);
	add_credit(w, delivery);
	if (!step->attempt_again) {
		add_insert(w, &delivery->key, tenant_id, step, DELIVERY_SENDING,
		    contact, delivery->gateway->name);
		return;
	}
	assert(delivery_may_become(believed, DELIVERY_SENDING));
	delivery_keys_add(&rows->keys, &delivery->key);
	db_array_i64(&rows->believed, believed);
	db_array_bool(&rows->repeat, step->repeat);
	db_array_i64(&rows->contact_no, contact->no);
	db_array_bytes(&rows->index, contact->index, sizeof(contact->index));
	db_array_text(&rows->gateway, delivery->gateway->name);
	items_add(&rows->items, step);
}

void
writing_add_hold(struct writing *w, const struct dossier *dossier,
    const struct plan_step *step)
{
	struct delivery_key key = writing_step_key(dossier, step);

	add_insert(
	    w, &key, dossier->tenant_id, step, DELIVERY_HELD, NULL, NULL);
}

void
writing_add_task(struct writing *w, const struct dossier *dossier,
    const struct plan_step *step)
{
	struct delivery_key key = writing_step_key(dossier, step);
	struct rows_task *rows = &w->task;

	delivery_keys_add(&rows->keys, &key);
	db_array_i64(&rows->tenant, dossier->tenant_id);
	db_array_i64(&rows->stage, step->stage);
	db_array_i64(&rows->reason, step->reason);
	db_array_at(&rows->due_at, step->due_at);
	db_array_at(&rows->team_at, step->team_at);
	db_array_i64(&rows->version, step->program_version);
	items_add(&rows->items, step);
}

void
writing_add_close(struct writing *w, const struct dossier *dossier,
    const struct plan_close *close)
{
	struct delivery_key key = writing_open_key(dossier, close->delivery);
	struct rows_close *rows = &w->close;

	assert(close->state == close->delivery->state ||
	       delivery_may_become(close->delivery->state, close->state));
	delivery_keys_add(&rows->keys, &key);
	db_array_i64(&rows->believed, close->delivery->state);
	db_array_i64(&rows->state, close->state);
	db_array_i64(&rows->reason, close->reason);
}

static void
obstacle_add(struct rows_obstacle *rows, const struct looked *looked)
{
	db_array_i64(&rows->bucket, looked->bucket);
	db_array_i64(&rows->patient_id, looked->patient_id);
	db_array_i64(&rows->reason, looked->standing);
}

void
writing_add_looked(struct writing *w, const struct looked *looked)
{
	struct rows_people *rows = &w->people;
	struct buf recent = BUF_INIT(1 << 20);

	said_encode(looked->said, looked->said_count, &recent);
	db_array_i64(&rows->bucket, looked->bucket);
	db_array_i64(&rows->patient_id, looked->patient_id);
	db_array_at(&rows->next_at, looked->next_at);
	db_array_i64(&rows->lane, looked->lane);
	db_array_bool(&rows->attention, looked->attention);
	db_array_i64(&rows->standing, looked->standing);
	db_array_bool(&rows->stopped, looked->stopped);
	db_array_i64(&rows->class,
	    looked->urgent && looked->lane > 0 ? CLASS_URGENT : CLASS_TIMED);
	db_array_bytes(&rows->recent, recent.data == NULL ? "" : recent.data,
	    recent.bytes);
	buf_free(&recent);
	if (looked->standing == looked->standing_before)
		return;
	if (looked->standing_before != REASON_NONE)
		obstacle_add(&w->ended, looked);
	if (looked->standing != REASON_NONE)
		obstacle_add(&w->begun, looked);
}

/* ---- statements ---- */

static void
on_inserted(const struct db_result *result, void *arg)
{
	struct writing *w = arg;

	/* a held row that was there before does not matter */
	w->inserted_all =
	    db_affected(result) == (int64_t)w->insert.tenant.count ||
	    w->insert.sending == 0;
}

static void
on_again(const struct db_result *result, void *arg)
{
	struct writing *w = arg;

	w->again_all = db_affected(result) == (int64_t)w->again.believed.count;
}

static void
add_insert_statement(struct writing *w, struct db_unit *unit)
{
	const struct rows_insert *rows = &w->insert;

	db_unit_add(unit, "delivery_insert", on_inserted, w);
	delivery_keys_params(&rows->keys, unit);
	db_param_array(unit, &rows->tenant);
	db_param_array(unit, &rows->stage);
	db_param_array(unit, &rows->state);
	db_param_array(unit, &rows->reason);
	db_param_array(unit, &rows->contact_no);
	db_param_array(unit, &rows->index);
	items_params(&rows->items, unit);
	db_param_array(unit, &rows->gateway);
	db_param_array(unit, &rows->due_at);
	db_param_array(unit, &rows->valid_until);
	db_param_i64(unit, w->batch_ref);
	db_param_at(unit, w->care_now);
	db_param_at(unit, w->now);
	db_param_array(unit, &rows->version);
}

static void
add_again_statement(struct writing *w, struct db_unit *unit)
{
	const struct rows_again *rows = &w->again;

	db_unit_add(unit, "delivery_again", on_again, w);
	delivery_keys_params(&rows->keys, unit);
	db_param_array(unit, &rows->believed);
	db_param_array(unit, &rows->repeat);
	db_param_array(unit, &rows->contact_no);
	db_param_array(unit, &rows->index);
	items_params(&rows->items, unit);
	db_param_array(unit, &rows->gateway);
	db_param_i64(unit, w->batch_ref);
	db_param_at(unit, w->care_now);
	db_param_at(unit, w->now);
}

static void
add_close_statement(struct writing *w, struct db_unit *unit)
{
	const struct rows_close *rows = &w->close;

	db_unit_add(unit, "delivery_close", NULL, NULL);
	delivery_keys_params(&rows->keys, unit);
	db_param_array(unit, &rows->believed);
	db_param_array(unit, &rows->state);
	db_param_array(unit, &rows->reason);
	db_param_at(unit, w->now);
}

static void
add_task_statement(struct writing *w, struct db_unit *unit)
{
	const struct rows_task *rows = &w->task;

	db_unit_add(unit, "task_insert", NULL, NULL);
	db_param_array(unit, &rows->keys.bucket);
	db_param_array(unit, &rows->keys.patient_id);
	db_param_array(unit, &rows->keys.occurrence_on);
	db_param_array(unit, &rows->keys.kind);
	db_param_array(unit, &rows->keys.source);
	db_param_array(unit, &rows->keys.slot);
	db_param_array(unit, &rows->tenant);
	db_param_array(unit, &rows->stage);
	db_param_array(unit, &rows->reason);
	items_params(&rows->items, unit);
	db_param_array(unit, &rows->due_at);
	db_param_at(unit, w->care_now);
	db_param_array(unit, &rows->version);
	db_param_array(unit, &rows->team_at);
}

static void
add_credit_statements(struct writing *w, struct db_unit *unit)
{
	db_unit_add(unit, "credit_spend", NULL, NULL);
	db_param_array(unit, &w->credit.bucket);
	db_param_array(unit, &w->credit.patient_id);
	db_param_array(unit, &w->credit.contact_no);
	db_param_array(unit, &w->credit.code);
	db_unit_add(unit, "dossier_rebuild", NULL, NULL);
	db_param_array(unit, &w->credit.bucket);
	db_param_array(unit, &w->credit.patient_id);
}

static void
add_obstacle_statements(struct writing *w, struct db_unit *unit)
{
	if (w->ended.bucket.count > 0) {
		db_unit_add(unit, "obstacle_end", NULL, NULL);
		db_param_array(unit, &w->ended.bucket);
		db_param_array(unit, &w->ended.patient_id);
		db_param_at(unit, w->care_now);
	}
	if (w->begun.bucket.count > 0) {
		db_unit_add(unit, "obstacle_begin", NULL, NULL);
		db_param_array(unit, &w->begun.bucket);
		db_param_array(unit, &w->begun.patient_id);
		db_param_array(unit, &w->begun.reason);
		db_param_at(unit, w->care_now);
	}
}

static void
add_batch_statement(struct writing *w, struct db_unit *unit)
{
	db_unit_add(unit, "batch_insert", NULL, NULL);
	db_param_i64(unit, w->batch_ref);
	db_param_text(unit, w->owner);
	db_param_at(unit, w->lease_until);
	db_param_array(unit, &w->sent_bucket);
	db_param_array(unit, &w->sent_patient_id);
}

void
writing_mark(struct writing *w, const uint8_t *id, size_t bytes,
    int64_t last_sequence, int64_t sent_until)
{
	w->mark_id = id;
	w->mark_id_bytes = bytes;
	w->last_sequence = last_sequence;
	w->sent_until = sent_until;
}

int64_t
writing_sequence(const struct writing *w)
{
	return w->sequence;
}

static void
take_sequence(const struct db_result *result, void *arg)
{
	struct writing *w = arg;

	if (db_rows(result) == 1)
		w->sequence = db_i64(result, 0, 0);
}

static void
add_mark_statement(struct writing *w, struct db_unit *unit)
{
	db_unit_add(unit, "sending_mark_store", take_sequence, w);
	db_param_bytes(unit, w->mark_id, w->mark_id_bytes);
	db_param_i64(unit, w->last_sequence);
	db_param_at(unit, w->sent_until);
}

static void
add_agenda_statement(struct writing *w, struct db_unit *unit)
{
	const struct rows_people *rows = &w->people;

	db_unit_add(unit, "agenda_store", NULL, NULL);
	db_param_array(unit, &rows->bucket);
	db_param_array(unit, &rows->patient_id);
	db_param_array(unit, &rows->next_at);
	db_param_array(unit, &rows->lane);
	db_param_array(unit, &rows->attention);
	db_param_array(unit, &rows->standing);
	db_param_array(unit, &rows->recent);
	db_param_at(unit, w->care_now);
	db_param_array(unit, &rows->stopped);
	db_param_array(unit, &rows->class);
}

void
writing_statements(struct writing *w, struct db_unit *unit)
{
	if (w->insert.tenant.count > 0)
		add_insert_statement(w, unit);
	if (w->again.believed.count > 0)
		add_again_statement(w, unit);
	if (w->close.believed.count > 0)
		add_close_statement(w, unit);
	if (w->task.tenant.count > 0)
		add_task_statement(w, unit);
	if (w->credit.code.count > 0)
		add_credit_statements(w, unit);
	add_obstacle_statements(w, unit);
	if (w->sent_bucket.count > 0)
		add_batch_statement(w, unit);
	if (w->people.bucket.count > 0)
		add_agenda_statement(w, unit);
	if (w->sent_bucket.count > 0 && w->mark_id != NULL)
		add_mark_statement(w, unit);
	db_unit_add(unit, "commit", NULL, NULL);
}

bool
writing_complete(const struct writing *w)
{
	return w->inserted_all && w->again_all;
}

static void
take_mine(const struct db_result *result, void *arg)
{
	bool *mine = arg;

	for (int row = 0; row < db_rows(result); row++)
		mine[db_i64(result, row, 0) - 1] = true;
}

void
writing_ask_mine(struct writing *w, struct db_unit *unit, bool *mine)
{
	db_unit_add(unit, "delivery_of_batch", take_mine, mine);
	delivery_keys_params(&w->mine, unit);
	db_param_i64(unit, w->batch_ref);
	if (w->mark_id == NULL)
		return;
	/* the number of this round, or of a later one that was committed, too
	 */
	db_unit_add(unit, "sending_mark_own", take_sequence, w);
	db_param_bytes(unit, w->mark_id, w->mark_id_bytes);
}
