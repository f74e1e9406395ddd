/*
 * The natural key of a delivery, its reference, and the states that it may
 * take.  Pure, but for filling parameters of statements.
 */
#include "flow/delivery.h"

#include <assert.h>
#include <string.h>

#include "base/crypto.h"

#define REFERENCE_VERSION 1
#define KEY_NUMBERS 7
/* Days since 1970 of an occurrence: 1900 to 2200.  The database refuses
 * dates far beyond, and a stranger's reference may say anything. */
#define OCCURRENCE_ON_MIN (-25567)
#define OCCURRENCE_ON_MAX 84006
#define KEY_BYTES_MAX 39 /* 62 base32 characters */

int
delivery_key_compare(const void *left, const void *right)
{
	const struct delivery_key *a = left, *b = right;
	int64_t order[][2] = {
	    {a->bucket, b->bucket},
	    {a->patient_id, b->patient_id},
	    {a->occurrence_on, b->occurrence_on},
	    {a->kind, b->kind},
	    {a->source, b->source},
	    {a->slot, b->slot},
	    {a->channel, b->channel},
	};

	for (unsigned i = 0; i < COUNT(order); i++)
		if (order[i][0] != order[i][1])
			return order[i][0] < order[i][1] ? -1 : 1;
	return 0;
}

static size_t
put_varint(uint8_t *out, uint64_t value)
{
	size_t bytes = 0;

	for (; value >= 0x80; value >>= 7)
		out[bytes++] = (uint8_t)(value | 0x80);
	out[bytes++] = (uint8_t)value;
	return bytes;
}

void
delivery_reference(
    const struct delivery_key *key, char reference[DELIVERY_REFERENCE_MAX + 1])
{
	uint64_t numbers[KEY_NUMBERS] = {
	    (uint64_t)key->bucket,
	    (uint64_t)key->patient_id,
	    (uint32_t)key->occurrence_on << 1 ^
		(key->occurrence_on < 0 ? UINT32_MAX : 0),
	    (uint64_t)key->kind,
	    (uint32_t)key->source,
	    (uint32_t)key->slot,
	    (uint64_t)key->channel,
	};
	uint8_t bytes[1 + KEY_NUMBERS * 10] = {REFERENCE_VERSION};
	struct buf text = BUF_INIT(DELIVERY_REFERENCE_MAX);
	size_t count = 1;

	for (unsigned i = 0; i < KEY_NUMBERS; i++)
		count += put_varint(bytes + count, numbers[i]);
	assert(count <= KEY_BYTES_MAX);
	crypto_base32(bytes, count, &text);
	assert(!text.overflow);
	memcpy(reference, buf_string(&text), text.bytes + 1);
	buf_free(&text);
}

/* One varint of at most 63 bits; false where it is malformed. */
static bool
take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 63 && *at < end; shift += 7) {
		uint8_t byte = *(*at)++;

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return byte != 0 || shift == 0;
	}
	return false;
}

bool
delivery_reference_read(const char *reference, struct delivery_key *key)
{
	uint8_t bytes[KEY_BYTES_MAX];
	uint64_t n[KEY_NUMBERS];
	size_t length = strlen(reference);
	const uint8_t *at = bytes + 1;
	long count;

	if (length > DELIVERY_REFERENCE_MAX)
		return false;
	count = crypto_base32_decode(reference, length, bytes, sizeof(bytes));
	if (count < 1 + KEY_NUMBERS || bytes[0] != REFERENCE_VERSION)
		return false;
	for (unsigned i = 0; i < KEY_NUMBERS; i++)
		if (!take_varint(&at, bytes + count, &n[i]))
			return false;
	if (at != bytes + count || n[0] > 1023 || n[1] > INT64_MAX ||
	    n[2] > UINT32_MAX || n[3] < KIND_DOSE || n[3] > KIND_ANSWER ||
	    n[4] > INT32_MAX || n[5] > INT32_MAX || n[6] >= CHANNEL_COUNT)
		return false;
	*key = (struct delivery_key){
	    .bucket = (int16_t)n[0],
	    .patient_id = (int64_t)n[1],
	    .occurrence_on =
		(int32_t)((uint32_t)n[2] >> 1 ^ (0 - ((uint32_t)n[2] & 1))),
	    .kind = (enum kind)n[3],
	    .source = (int32_t)n[4],
	    .slot = (int32_t)n[5],
	    .channel = (enum channel)n[6],
	};
	return key->occurrence_on >= OCCURRENCE_ON_MIN &&
	       key->occurrence_on <= OCCURRENCE_ON_MAX;
}

#define TO(state) (1u << DELIVERY_##state)

bool
delivery_may_become(enum delivery_state from, enum delivery_state to)
{
	static const uint32_t next[DELIVERY_STATE_COUNT] = {
	    [0] = TO(SENDING) | TO(HELD), /* new */
	    [DELIVERY_SENDING] =
		TO(ACCEPTED) | TO(REJECTED) | TO(RETRY) | TO(UNKNOWN),
	    [DELIVERY_RETRY] = TO(SENDING) | TO(EXPIRED) | TO(HELD),
	    [DELIVERY_UNKNOWN] = TO(ACCEPTED) | TO(DELIVERED) |
				 TO(UNDELIVERED) | TO(REJECTED) | TO(SENDING) |
				 TO(EXPIRED),
	    [DELIVERY_ACCEPTED] =
		TO(DELIVERED) | TO(UNDELIVERED) | TO(UNCONFIRMED),
	};

	return from < DELIVERY_STATE_COUNT && to < DELIVERY_STATE_COUNT &&
	       (next[from] & 1u << to) != 0;
}

void
delivery_keys_init(struct delivery_keys *keys)
{
	db_array_init(&keys->bucket, DB_I16);
	db_array_init(&keys->patient_id, DB_I64);
	db_array_init(&keys->occurrence_on, DB_ON);
	db_array_init(&keys->kind, DB_I16);
	db_array_init(&keys->source, DB_I32);
	db_array_init(&keys->slot, DB_I32);
	db_array_init(&keys->channel, DB_I16);
}

void
delivery_keys_free(struct delivery_keys *keys)
{
	db_array_free(&keys->bucket);
	db_array_free(&keys->patient_id);
	db_array_free(&keys->occurrence_on);
	db_array_free(&keys->kind);
	db_array_free(&keys->source);
	db_array_free(&keys->slot);
	db_array_free(&keys->channel);
}

void
delivery_keys_add(struct delivery_keys *keys, const struct delivery_key *key)
{
	db_array_i64(&keys->bucket, key->bucket);
	db_array_i64(&keys->patient_id, key->patient_id);
	db_array_i64(&keys->occurrence_on, key->occurrence_on);
	db_array_i64(&keys->kind, key->kind);
	db_array_i64(&keys->source, key->source);
	db_array_i64(&keys->slot, key->slot);
	db_array_i64(&keys->channel, key->channel);
}

void
delivery_keys_params(const struct delivery_keys *keys, struct db_unit *unit)
{
	db_param_array(unit, &keys->bucket);
	db_param_array(unit, &keys->patient_id);
	db_param_array(unit, &keys->occurrence_on);
	db_param_array(unit, &keys->kind);
	db_param_array(unit, &keys->source);
	db_param_array(unit, &keys->slot);
	db_param_array(unit, &keys->channel);
}

struct delivery_key
delivery_key_read(const struct db_result *result, int row, int column)
{
	return (struct delivery_key){
	    .bucket = (int16_t)db_i64(result, row, column),
	    .patient_id = db_i64(result, row, column + 1),
	    .occurrence_on = db_on(result, row, column + 2),
	    .kind = (enum kind)db_i64(result, row, column + 3),
	    .source = (int32_t)db_i64(result, row, column + 4),
	    .slot = (int32_t)db_i64(result, row, column + 5),
	    .channel = (enum channel)db_i64(result, row, column + 6),
	};
}

void
contacts_bad_init(struct contacts_bad *bad)
{
	db_array_init(&bad->bucket, DB_I16);
	db_array_init(&bad->patient_id, DB_I64);
	db_array_init(&bad->contact_no, DB_I32);
}

void
contacts_bad_free(struct contacts_bad *bad)
{
	db_array_free(&bad->bucket);
	db_array_free(&bad->patient_id);
	db_array_free(&bad->contact_no);
}

void
contacts_bad_add(struct contacts_bad *bad, const struct delivery_key *key,
    int32_t contact_no)
{
	db_array_i64(&bad->bucket, key->bucket);
	db_array_i64(&bad->patient_id, key->patient_id);
	db_array_i64(&bad->contact_no, contact_no);
}

void
contacts_bad_statements(const struct contacts_bad *bad, struct db_unit *unit)
{
	if (bad->bucket.count == 0)
		return;
	db_unit_add(unit, "contact_bad", NULL, NULL);
	db_param_array(unit, &bad->bucket);
	db_param_array(unit, &bad->patient_id);
	db_param_array(unit, &bad->contact_no);
	db_unit_add(unit, "dossier_rebuild", NULL, NULL);
	db_param_array(unit, &bad->bucket);
	db_param_array(unit, &bad->patient_id);
}

struct open_delivery
delivery_open_read(const struct db_result *result, int row, int64_t care_offset,
    int64_t null_at)
{
	struct delivery_key key = delivery_key_read(result, row, 0);

	return (struct open_delivery){
	    .kind = key.kind,
	    .channel = key.channel,
	    .source = key.source,
	    .occurrence_on = key.occurrence_on,
	    .slot = key.slot,
	    .state = (enum delivery_state)db_i64(result, row, 7),
	    .attempts = (int32_t)db_i64(result, row, 8),
	    .repeated = db_bool(result, row, 9),
	    .asked = (int32_t)db_i64(result, row, 10),
	    .due_at = db_at(result, row, 11),
	    .sent_at =
		db_at_or(result, row, 12, null_at - care_offset) + care_offset,
	    .retry_at = db_at_or(result, row, 13, null_at),
	    .valid_until = db_at(result, row, 14),
	    .planned_at = db_at(result, row, 18),
	};
}
