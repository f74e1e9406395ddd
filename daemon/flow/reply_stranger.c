/*
 * Danger told from nobody's number: whoever wrote gets a row, so that the
 * answer, the task and the care team's ladder are those of a patient.
 */
#include <string.h>

#include "base/crypto.h"
#include "flow/person.h"
#include "flow/reply_work.h"

#define SOURCE "unlisted"
/* Of one tenant: more are somebody's game, and operators hear of them. */
#define STRANGERS_MAX 1000

static void
take_number(const struct db_result *result, void *arg)
{
	struct reply_work *work = arg;
	struct reply_stranger *stranger = &work->stranger;

	if (db_rows(result) == 0)
		return;
	stranger->patient_id = db_i64(result, 0, 0);
	stranger->zone = arena_text(work->arena, db_text(result, 0, 1));
	stranger->locale = arena_text(work->arena, db_text(result, 0, 2));
}

void
reply_ask_number(struct reply_work *work, struct db_unit *unit)
{
	work->stranger = (struct reply_stranger){0};
	db_unit_add(unit, "stranger_number", take_number, work);
	db_param_i32(unit, work->tenant_id);
	db_param_i32(unit, STRANGERS_MAX);
}

bool
reply_add_stranger(struct reply_work *work, enum channel channel,
    const char *address, struct keyring *keyring, struct db_unit *unit)
{
	const struct reply_stranger *stranger = &work->stranger;
	struct new_person person = {
	    .tenant_id = work->tenant_id,
	    .bucket = person_draw_bucket(),
	    .patient_id = stranger->patient_id,
	    .role = CARE_UNLISTED,
	    .source = SOURCE,
	    .zone = stranger->zone,
	    .locale = stranger->locale,
	    .addresses = {{channel, address}},
	    .address_count = 1,
	    .now = work->now,
	};
	char name[2 * 6 + 1];

	if (stranger->patient_id == 0)
		return false;
	crypto_hex(work->address_index, 6, name);
	person.id = arena_printf(work->arena, SOURCE "-%s", name);
	person_add(&person, keyring, unit);
	*(struct reply_person *)list_add(&work->people) = (struct reply_person){
	    .bucket = person.bucket,
	    .patient_id = person.patient_id,
	    .contact_no = 1,
	    .channel = channel,
	    .owner = OWNER_SELF,
	    .usable = true,
	};
	return true;
}
