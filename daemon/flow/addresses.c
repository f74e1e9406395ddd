/*
 * Addresses that came or went, and credits for them.  The event's row is locked
 * first, then the agenda rows of all whose address it is, as by an import; what
 * is still to be sent to them is planned anew.  One that fails is tried again,
 * less and less often, and set aside in the end.
 */
#include "flow/addresses.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "care/dossier.h"
#include "flow/inbox.h"
#include "flow/statements.h"

#define AT_ONCE 20             /* events at one look */
#define PEOPLE_MAX 50          /* at one address */
#define TRY_US (5 * SECOND_US) /* doubled at each try, to an hour */
#define TRIES_MAX 12           /* then it is set aside: seven hours */

struct addresses {
	struct db *db;
	const struct clock *clock;
	struct arena *arena; /* of the event under way */
	int left;            /* at this look */
	bool busy;
	enum gw_event_type type; /* what is looked for */
	/* the event */
	const uint8_t *event_key; /* NULL: there is none */
	int32_t tenant_id;
	const uint8_t *address_index; /* NULL: it says none */
	bool bad;
	const char *template_code; /* of credits; NULL: it says none */
	int32_t credits;
	int64_t tries;
	/* whose it is */
	struct db_array bucket, patient_id, contact_no;
};

static void claim(struct addresses *addresses);

struct addresses *
addresses_create(struct db *db, const struct clock *clock)
{
	struct addresses *addresses = mem_alloc(sizeof(*addresses));

	addresses->db = db;
	addresses->clock = clock;
	addresses->arena = arena_create();
	db_array_init(&addresses->bucket, DB_I16);
	db_array_init(&addresses->patient_id, DB_I64);
	db_array_init(&addresses->contact_no, DB_I32);
	return addresses;
}

bool
addresses_idle(const struct addresses *addresses)
{
	return !addresses->busy;
}

/* ---- the end ---- */

static void
end_work(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct addresses *addresses = arg;

	(void)outcome;
	(void)sqlstate;
	addresses->busy = false;
}

/* Nothing of it stays; it comes again, later each time. */
static void
give_up(
    struct addresses *addresses, enum db_outcome outcome, const char *sqlstate)
{
	int64_t now = clock_unmoved(addresses->clock);
	bool last = addresses->tries + 1 >= TRIES_MAX;
	struct db_unit *unit;

	if (outcome == DB_LOST) {
		addresses->busy = false;
		return;
	}
	log_warning("address.work_failed", log_s(SQLSTATE, sqlstate),
	    log_n(COUNT, addresses->tries + 1));
	unit = db_unit_begin(addresses->db);
	db_unit_add(unit, "rollback", NULL, NULL);
	if (addresses->event_key != NULL && !db_sqlstate_passes(sqlstate))
		inbox_add_done(unit, addresses->event_key,
		    last ? INBOX_UNMATCHED : INBOX_NEW,
		    now + (TRY_US << (addresses->tries < 10 ? addresses->tries
							    : 10)));
	db_unit_send(unit, end_work, addresses);
}

static void
on_committed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct addresses *addresses = arg;

	if (outcome != DB_OK) {
		give_up(addresses, outcome, sqlstate);
		return;
	}
	/* none is left of one kind: the other has its turn */
	if (addresses->event_key == NULL &&
	    addresses->type == GW_EVENT_ADDRESS) {
		addresses->type = GW_EVENT_CREDIT;
		claim(addresses);
	} else if (addresses->event_key != NULL && --addresses->left > 0)
		claim(addresses);
	else
		addresses->busy = false;
}

static void
commit(struct addresses *addresses, struct db_unit *unit)
{
	if (addresses->event_key != NULL)
		inbox_add_done(unit, addresses->event_key, INBOX_DONE,
		    clock_unmoved(addresses->clock));
	db_unit_add(unit, "commit", NULL, NULL);
	db_unit_send(unit, on_committed, addresses);
}

/* ---- whose it is, and what follows ---- */

static void
add_keys(struct addresses *addresses, struct db_unit *unit)
{
	db_param_array(unit, &addresses->bucket);
	db_param_array(unit, &addresses->patient_id);
}

static void
add_change(struct addresses *addresses, struct db_unit *unit)
{
	bool credits = addresses->type == GW_EVENT_CREDIT;

	db_unit_add(unit,
	    credits          ? "credit_change"
	    : addresses->bad ? "contact_bad"
			     : "contact_good",
	    NULL, NULL);
	add_keys(addresses, unit);
	db_param_array(unit, &addresses->contact_no);
	if (!credits)
		return;
	db_param_text(unit, addresses->template_code);
	db_param_i32(unit, addresses->credits);
}

static void
on_people(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct addresses *addresses = arg;
	struct db_unit *unit;

	if (outcome != DB_OK) {
		give_up(addresses, outcome, sqlstate);
		return;
	}
	unit = db_unit_begin(addresses->db);
	/* a stranger's is none of our business */
	if (addresses->bucket.count > 0) {
		db_unit_add(unit, "agenda_touch", NULL, NULL);
		add_keys(addresses, unit);
		db_param_at(unit, clock_care(addresses->clock));
		db_param_i16(unit, CLASS_URGENT);
		add_change(addresses, unit);
		db_unit_add(unit, "dossier_rebuild", NULL, NULL);
		add_keys(addresses, unit);
		db_unit_add(unit, "agenda_notify_people", NULL, NULL);
		add_keys(addresses, unit);
	}
	commit(addresses, unit);
}

static void
take_people(const struct db_result *result, void *arg)
{
	struct addresses *addresses = arg;

	for (int row = 0; row < db_rows(result); row++) {
		db_array_i64(&addresses->bucket, db_i64(result, row, 0));
		db_array_i64(&addresses->patient_id, db_i64(result, row, 1));
		db_array_i64(&addresses->contact_no, db_i64(result, row, 2));
	}
}

/* ---- the event ---- */

static void
on_claimed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct addresses *addresses = arg;
	struct db_unit *unit;

	if (outcome != DB_OK) {
		give_up(addresses, outcome, sqlstate);
		return;
	}
	unit = db_unit_begin(addresses->db);
	if (addresses->event_key == NULL || addresses->address_index == NULL ||
	    (addresses->type == GW_EVENT_CREDIT &&
		addresses->template_code == NULL)) {
		commit(addresses, unit);
		return;
	}
	db_unit_add(unit, "reply_people", take_people, addresses);
	db_param_bytes(unit, addresses->address_index, 16);
	db_param_i32(unit, addresses->tenant_id);
	db_param_i32(unit, PEOPLE_MAX);
	db_unit_send(unit, on_people, addresses);
}

static void
take_event(const struct db_result *result, void *arg)
{
	struct addresses *addresses = arg;
	const uint8_t *data;
	size_t bytes;

	if (db_rows(result) == 0)
		return;
	data = db_bytes(result, 0, 0, &bytes);
	assert(bytes == INBOX_KEY_BYTES);
	addresses->event_key = arena_copy(addresses->arena, data, bytes);
	addresses->tenant_id = (int32_t)db_i64(result, 0, 1);
	data = db_bytes(result, 0, 2, &bytes);
	if (data != NULL && bytes == 16)
		addresses->address_index =
		    arena_copy(addresses->arena, data, bytes);
	addresses->bad = db_bool(result, 0, 3);
	addresses->tries = db_i64(result, 0, 4);
	addresses->template_code =
	    arena_text(addresses->arena, db_text(result, 0, 5));
	addresses->credits = (int32_t)db_i64(result, 0, 6);
}

static void
claim(struct addresses *addresses)
{
	struct db_unit *unit = db_unit_begin(addresses->db);

	arena_reset(addresses->arena);
	addresses->event_key = addresses->address_index = NULL;
	addresses->template_code = NULL;
	db_array_clear(&addresses->bucket);
	db_array_clear(&addresses->patient_id);
	db_array_clear(&addresses->contact_no);
	db_unit_add(unit, "begin", NULL, NULL);
	db_unit_add(unit, "address_claim", take_event, addresses);
	db_param_at(unit, clock_unmoved(addresses->clock));
	db_param_i16(unit, (int16_t)addresses->type);
	db_unit_send(unit, on_claimed, addresses);
}

bool
addresses_look(struct addresses *addresses)
{
	if (addresses->busy || !db_idle(addresses->db) ||
	    !addresses->clock->synced)
		return false;
	addresses->busy = true;
	addresses->left = AT_ONCE;
	addresses->type = GW_EVENT_ADDRESS;
	claim(addresses);
	return true;
}
