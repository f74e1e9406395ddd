/*
 * Whoever is written to has a patient row, contact points and an agenda row.
 */
#include "flow/person.h"

#include "base/crypto.h"
#include "flow/seal.h"
#include "flow/statements.h"

int16_t
person_draw_bucket(void)
{
	uint16_t random;

	crypto_random(&random, sizeof(random));
	return (int16_t)(random % BUCKETS);
}

/* A statement about the person: $1 bucket, $2 patient id. */
static void
add(struct db_unit *unit, const struct new_person *person,
    const char *statement)
{
	db_unit_add(unit, statement, NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
}

static void
add_contact(const struct new_person *person, struct keyring *keyring,
    int32_t no, struct db_unit *unit)
{
	const struct person_address *address = &person->addresses[no - 1];
	struct seal_person owner = {
	    person->tenant_id, person->bucket, person->patient_id};
	struct buf sealed = BUF_INIT(0);
	struct db_array stated_by;
	uint8_t index[16];

	seal_address(keyring, &owner, no, address->text, &sealed);
	seal_address_index(
	    keyring, person->tenant_id, address->channel, address->text, index);
	db_array_init(&stated_by, DB_I32);
	add(unit, person, "intake_contact");
	db_param_i32(unit, no);
	db_param_i32(unit, person->tenant_id);
	db_param_i16(unit, (int16_t)address->channel);
	db_param_bytes(unit, sealed.data, sealed.bytes);
	db_param_bytes(unit, index, sizeof(index));
	db_param_i16(unit, OWNER_SELF);
	db_param_i32(unit, no);
	db_param_at(unit, AT_UNKNOWN);
	db_param_at(unit, AT_NEVER);
	db_param_array(unit, &stated_by);
	db_unit_add(unit, "intake_contact_index", NULL, NULL);
	db_param_bytes(unit, index, sizeof(index));
	db_param_i32(unit, person->tenant_id);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_i32(unit, no);
	db_array_free(&stated_by);
	buf_free(&sealed);
}

void
person_add(const struct new_person *person, struct keyring *keyring,
    struct db_unit *unit)
{
	db_unit_add(unit, "intake_identity", NULL, NULL);
	db_param_i32(unit, person->tenant_id);
	db_param_text(unit, person->source);
	db_param_text(unit, "");
	db_param_text(unit, person->id);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	add(unit, person, "person_insert");
	db_param_i32(unit, person->tenant_id);
	db_param_i16(unit, (int16_t)person->role);
	db_param_text(unit, person->id);
	db_param_text(unit, person->zone);
	db_param_text(unit, person->locale);
	for (int32_t no = 1; no <= person->address_count; no++)
		add_contact(person, keyring, no, unit);
	add(unit, person, "intake_agenda");
	db_param_i32(unit, person->tenant_id);
	db_param_at(unit, person->now);
}
