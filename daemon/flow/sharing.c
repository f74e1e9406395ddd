/*
 * Who shares an address, and what they were sent of late.  Read within the
 * round's transaction, behind its row locks; kept in the round's arena.
 */
#include "flow/sharing.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "care/policy.h"

/*
 * Of one address.  Beyond it is no patient's phone but a mistake, or a ward's:
 * it is taken to have had all that an address may get.
 */
#define SHARERS_MAX 1000
#define HOLDERS_MAX 20000 /* of one round; the rest wait for another look */

struct holder { /* a patient with an address that was asked about */
	int16_t bucket;
	int64_t patient_id;
	int32_t contact_no;
};

struct address {
	const uint8_t *index; /* 16 bytes */
	int32_t tenant_id;
	size_t first, count; /* holders */
	bool unread;         /* the round had too many before it */
};

struct use { /* a sharer's contact at an address */
	const struct sharer *sharer;
	size_t address;
};

struct record { /* what a patient was sent; by key */
	int16_t bucket;
	int64_t patient_id;
	bool locked; /* by us: nobody else is at work on them */
	const struct said *said;
	uint32_t said_count;
};

struct sharing {
	struct arena *arena;
	struct list sharers;       /* struct sharer */
	struct address *addresses; /* each once */
	size_t address_count;
	struct use *uses;    /* one a sharer, in the order of people's keys */
	struct list holders; /* struct holder, by address */
	struct record *records;
	size_t record_count;
};

struct sharing *
sharing_create(struct arena *arena)
{
	struct sharing *sharing = arena_alloc(arena, sizeof(*sharing));

	*sharing = (struct sharing){.arena = arena};
	list_init(&sharing->sharers, arena, sizeof(struct sharer));
	list_init(&sharing->holders, arena, sizeof(struct holder));
	return sharing;
}

void
sharing_add(struct sharing *sharing, const struct sharer *sharer)
{
	*(struct sharer *)list_add(&sharing->sharers) = *sharer;
}

bool
sharing_empty(const struct sharing *sharing)
{
	return sharing->sharers.count == 0;
}

/* Does anybody else have it?  One patient may have it twice. */
static bool
is_shared(const struct sharing *sharing, const struct address *address)
{
	const struct holder *holders = sharing->holders.data;

	for (size_t i = 1; i < address->count; i++) {
		const struct holder *a = &holders[address->first];

		if (a[i].bucket != a->bucket ||
		    a[i].patient_id != a->patient_id)
			return true;
	}
	return address->unread;
}

static bool
is_crowded(const struct address *address)
{
	return address->count > SHARERS_MAX;
}

bool
sharing_found(const struct sharing *sharing)
{
	for (size_t i = 0; i < sharing->address_count; i++)
		if (is_shared(sharing, &sharing->addresses[i]))
			return true;
	return false;
}

/* ---- who ---- */

static int
compare_uses(const void *left, const void *right)
{
	const struct sharer *a = ((const struct use *)left)->sharer;
	const struct sharer *b = ((const struct use *)right)->sharer;
	int order;

	if (a->tenant_id != b->tenant_id)
		return a->tenant_id < b->tenant_id ? -1 : 1;
	order = memcmp(a->index, b->index, 16);
	return order != 0 ? order : (a > b) - (a < b);
}

static int
compare_sharers(const void *left, const void *right)
{
	const struct sharer *a = ((const struct use *)left)->sharer;
	const struct sharer *b = ((const struct use *)right)->sharer;

	return (a > b) - (a < b);
}

/* Each address once, and which of them each sharer has. */
static void
find_addresses(struct sharing *sharing)
{
	const struct sharer *sharers = sharing->sharers.data;
	size_t count = sharing->sharers.count, kept = 0;
	struct address *addresses =
	    arena_array(sharing->arena, count, sizeof(*addresses));
	struct use *uses = arena_array(sharing->arena, count, sizeof(*uses));

	for (size_t i = 0; i < count; i++)
		uses[i] = (struct use){.sharer = &sharers[i]};
	qsort(uses, count, sizeof(*uses), compare_uses);
	for (size_t i = 0; i < count; i++) {
		const struct sharer *s = uses[i].sharer;

		if (kept == 0 ||
		    addresses[kept - 1].tenant_id != s->tenant_id ||
		    memcmp(addresses[kept - 1].index, s->index, 16) != 0)
			addresses[kept++] = (struct address){
			    .index = s->index,
			    .tenant_id = s->tenant_id,
			};
		uses[i].address = kept - 1;
	}
	qsort(uses, count, sizeof(*uses), compare_sharers);
	sharing->addresses = addresses;
	sharing->address_count = kept;
	sharing->uses = uses;
}

/* By address; what a full answer cuts off is left for another look. */
static void
take_holders(const struct db_result *result, void *arg)
{
	struct sharing *sharing = arg;
	int rows = db_rows(result);

	for (int row = 0; row < rows; row++) {
		size_t at = (size_t)db_i64(result, row, 0) - 1;
		struct address *address = &sharing->addresses[at];

		if (address->count++ == 0)
			address->first = sharing->holders.count;
		*(struct holder *)list_add(&sharing->holders) = (struct holder){
		    .bucket = (int16_t)db_i64(result, row, 1),
		    .patient_id = db_i64(result, row, 2),
		    .contact_no = (int32_t)db_i64(result, row, 3),
		};
		if (address->count > SHARERS_MAX)
			log_warning("sharing.crowded",
			    log_n(TENANT, address->tenant_id),
			    log_n(COUNT, SHARERS_MAX));
	}
	if (rows < HOLDERS_MAX)
		return;
	for (size_t i = (size_t)db_i64(result, rows - 1, 0) - 1;
	     i < sharing->address_count; i++)
		sharing->addresses[i].unread = true;
}

void
sharing_ask(struct sharing *sharing, struct db_unit *unit)
{
	struct db_array index, tenant;

	find_addresses(sharing);
	db_array_init(&index, DB_BYTES);
	db_array_init(&tenant, DB_I32);
	for (size_t i = 0; i < sharing->address_count; i++) {
		db_array_bytes(&index, sharing->addresses[i].index, 16);
		db_array_i64(&tenant, sharing->addresses[i].tenant_id);
	}
	db_unit_add(unit, "contact_shared", take_holders, sharing);
	db_param_array(unit, &index);
	db_param_array(unit, &tenant);
	db_param_i32(unit, SHARERS_MAX + 1);
	db_param_i32(unit, HOLDERS_MAX);
	db_array_free(&index);
	db_array_free(&tenant);
}

/* ---- what ---- */

static int
compare_records(const void *left, const void *right)
{
	const struct record *a = left, *b = right;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	return (a->patient_id > b->patient_id) -
	       (a->patient_id < b->patient_id);
}

static struct record *
find_record(const struct sharing *sharing, int16_t bucket, int64_t patient_id)
{
	struct record key = {.bucket = bucket, .patient_id = patient_id};

	return sharing->record_count == 0
		   ? NULL
		   : bsearch(&key, sharing->records, sharing->record_count,
			 sizeof(key), compare_records);
}

/* A record for each of those who share, once. */
static void
make_records(struct sharing *sharing)
{
	const struct holder *holders = sharing->holders.data;
	struct record *records = arena_array(
	    sharing->arena, sharing->holders.count, sizeof(*records));
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < sharing->address_count; i++) {
		const struct address *address = &sharing->addresses[i];

		if (!is_shared(sharing, address) || is_crowded(address) ||
		    address->unread)
			continue;
		for (size_t k = 0; k < address->count; k++)
			records[count++] = (struct record){
			    .bucket = holders[address->first + k].bucket,
			    .patient_id =
				holders[address->first + k].patient_id,
			};
	}
	if (count > 0)
		qsort(records, count, sizeof(*records), compare_records);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 ||
		    compare_records(&records[kept - 1], &records[i]) != 0)
			records[kept++] = records[i];
	sharing->records = records;
	sharing->record_count = kept;
}

static void
take_locked(const struct db_result *result, void *arg)
{
	struct sharing *sharing = arg;

	for (int row = 0; row < db_rows(result); row++)
		find_record(sharing, (int16_t)db_i64(result, row, 0),
		    db_i64(result, row, 1))
		    ->locked = true;
}

static void
take_recent(const struct db_result *result, void *arg)
{
	struct sharing *sharing = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct record *record = find_record(sharing,
		    (int16_t)db_i64(result, row, 0), db_i64(result, row, 1));
		size_t bytes;
		const uint8_t *recent = db_bytes(result, row, 2, &bytes);

		/* damaged: told of when that patient is planned */
		if (said_decode(recent, bytes, sharing->arena, &record->said,
			&record->said_count) != 0)
			record->said_count = 0;
	}
}

void
sharing_ask_recent(struct sharing *sharing, struct db_unit *unit)
{
	struct db_array bucket, patient_id;

	make_records(sharing);
	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	for (size_t i = 0; i < sharing->record_count; i++) {
		db_array_i64(&bucket, sharing->records[i].bucket);
		db_array_i64(&patient_id, sharing->records[i].patient_id);
	}
	/* in this order: what is locked is read as it then stands */
	db_unit_add(unit, "agenda_lock_free", take_locked, sharing);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_unit_add(unit, "agenda_recent", take_recent, sharing);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_array_free(&bucket);
	db_array_free(&patient_id);
}

/* ---- counting ---- */

void
sharing_planned(struct sharing *sharing, int16_t bucket, int64_t patient_id,
    const struct said *said, uint32_t count)
{
	struct record *record = find_record(sharing, bucket, patient_id);

	if (record == NULL)
		return;
	record->said = said;
	record->said_count = count;
}

static void
add_use(struct list *uses, int32_t contact_no, int64_t at)
{
	*(struct address_use *)list_add(uses) =
	    (struct address_use){contact_no, at};
}

/* What one of the others got at the address. */
static void
count_uses(const struct record *record, const struct holder *holder,
    int32_t contact_no, int64_t since_at, struct list *uses)
{
	for (uint32_t i = 0; i < record->said_count; i++) {
		const struct said *s = &record->said[i];

		if (s->contact_no == holder->contact_no && s->at >= since_at &&
		    policy_counts_for_caps(s))
			add_use(uses, contact_no, s->at);
	}
}

/* One address of a sharer, with what the others got there. */
static enum sharing_answer
use_address(const struct sharing *sharing, const struct use *use,
    int64_t since_at, int64_t now, struct list *uses)
{
	const struct address *address = &sharing->addresses[use->address];
	const struct sharer *sharer = use->sharer;
	enum sharing_answer answer = SHARING_ALONE;

	if (address->unread)
		return SHARING_LATER;
	if (is_crowded(address)) {
		for (int i = 0; i < PROGRAM_CAP_MAX; i++)
			add_use(uses, sharer->contact_no, now);
		return SHARING_SHARED;
	}
	for (size_t i = 0; i < address->count; i++) {
		const struct holder *holder =
		    (const struct holder *)sharing->holders.data +
		    address->first + i;
		const struct record *record;

		if (holder->bucket == sharer->bucket &&
		    holder->patient_id == sharer->patient_id)
			continue;
		record =
		    find_record(sharing, holder->bucket, holder->patient_id);
		if (!record->locked)
			return SHARING_LATER;
		answer = SHARING_SHARED;
		count_uses(record, holder, sharer->contact_no, since_at, uses);
	}
	return answer;
}

/* Where this patient's begin: they are in the order of people's keys. */
static size_t
first_use(const struct sharing *sharing, int16_t bucket, int64_t patient_id)
{
	size_t from = 0, until = sharing->sharers.count;

	while (from < until) {
		size_t middle = from + (until - from) / 2;
		const struct sharer *s = sharing->uses[middle].sharer;

		if (s->bucket < bucket ||
		    (s->bucket == bucket && s->patient_id < patient_id))
			from = middle + 1;
		else
			until = middle;
	}
	return from;
}

bool
sharing_of(const struct sharing *sharing, int16_t bucket, int64_t patient_id)
{
	for (size_t i = first_use(sharing, bucket, patient_id);
	     i < sharing->sharers.count; i++) {
		const struct use *use = &sharing->uses[i];

		if (use->sharer->bucket != bucket ||
		    use->sharer->patient_id != patient_id)
			return false;
		if (is_shared(sharing, &sharing->addresses[use->address]))
			return true;
	}
	return false;
}

enum sharing_answer
sharing_uses(const struct sharing *sharing, int16_t bucket, int64_t patient_id,
    int64_t since_at, int64_t now, struct arena *arena,
    const struct address_use **uses, uint32_t *count)
{
	enum sharing_answer answer = SHARING_ALONE;
	struct list list;

	list_init(&list, arena, sizeof(struct address_use));
	for (size_t i = first_use(sharing, bucket, patient_id);
	     i < sharing->sharers.count; i++) {
		const struct use *use = &sharing->uses[i];
		enum sharing_answer one;

		if (use->sharer->bucket != bucket ||
		    use->sharer->patient_id != patient_id)
			break;
		one = use_address(sharing, use, since_at, now, &list);
		if (one == SHARING_LATER)
			return one;
		if (one == SHARING_SHARED)
			answer = one;
	}
	*uses = list.data;
	*count = (uint32_t)list.count;
	return answer;
}
