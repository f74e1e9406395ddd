/*
 * Who is taken next.  Urgent people and those whose gateway has room again
 * come first and whole; then the timed and, a fifth of it, what an import
 * brought.  While there is a backlog claims walk through the buckets and go
 * on where the last one ended: what was taken is not passed over again, which
 * costs the more the longer somebody's old snapshot keeps it in the index.
 */
#include "flow/claims.h"

#include "base/crypto.h"
#include "flow/statements.h"

#define BLOCKED_PEOPLE 100 /* looked at a round while a gateway is paused */
#define STRAY_US (15 * SECOND_US)

struct claims {
	struct gateways *gateways;
	struct look_round *round; /* of the claim under way; borrowed */
	struct db_array buckets;  /* of the claim under way */
	int64_t ahead_us;
	int first_bucket; /* where the walk goes on; 0: with all buckets */
	bool walking;     /* in a backlog */
	uint32_t asked, asked_bulk; /* of the claim under way */
	uint32_t bulk_fifths;       /* of a person; kept for the next claims */
	int64_t stray_at;           /* when to look for those next; unmoved */
	bool backlog;               /* the last claim gave all that was asked */
	size_t turn;  /* of the claims, where a round may hold one person */
	size_t turns; /* how many there are; 0: all claims in a round */
	size_t vain;  /* turns in a row that gave nobody */
};

struct claims *
claims_create(struct gateways *gateways)
{
	struct claims *claims = mem_alloc(sizeof(*claims));

	claims->gateways = gateways;
	db_array_init(&claims->buckets, DB_I16);
	return claims;
}

void
claims_reload(struct claims *claims, int64_t ahead_us)
{
	claims->ahead_us = ahead_us;
}

uint32_t
claims_room(const struct claims *claims, uint32_t most)
{
	uint64_t sum =
	    gateways_count(claims->gateways) == 0 ? BLOCKED_PEOPLE : 0;

	for (size_t i = 0; i < gateways_count(claims->gateways); i++) {
		const struct gateway *g = gateways_at(claims->gateways, i);

		sum += gateway_paused(g, "") ? BLOCKED_PEOPLE : gateway_room(g);
	}
	return sum < most ? (uint32_t)sum : most;
}

bool
claims_backlog(const struct claims *claims)
{
	if (claims->turns == 0)
		return claims->backlog;
	return claims->vain < claims->turns || claims->walking;
}

static void
take_people(const struct db_result *result, void *arg)
{
	struct claims *claims = arg;
	struct look_round *round = claims->round;

	if (db_rows(result) > 0)
		claims->vain = 0;
	for (int row = 0; row < db_rows(result); row++) {
		struct person *person = list_add(&round->people);
		const uint8_t *recent;

		person->bucket = (int16_t)db_i64(result, row, 0);
		person->patient_id = db_i64(result, row, 1);
		person->tenant_id = (int32_t)db_i64(result, row, 2);
		person->planned_through = db_at(result, row, 4);
		person->attention = db_bool(result, row, 5);
		person->standing = (enum reason)db_i64(result, row, 6);
		person->stopped = db_bool(result, row, 8);
		recent = db_bytes(result, row, 7, &person->recent_bytes);
		person->recent =
		    arena_copy(round->arena, recent, person->recent_bytes);
		list_init(&person->open, round->arena, sizeof(struct open_row));
	}
}

static void
take_urgent(const struct db_result *result, void *arg)
{
	struct look_round *round = ((struct claims *)arg)->round;
	size_t before = round->people.count;

	take_people(result, arg);
	for (size_t i = before; i < round->people.count; i++)
		((struct person *)round->people.data)[i].urgent = true;
	round->urgent_ahead = (uint32_t)(round->people.count - before);
}

/*
 * On with the last bucket that gave somebody; a walk from the first bucket on
 * that does not find enough ends the backlog.  It begins anywhere, so that
 * copies are not in each other's way.
 */
static void
walk(struct claims *claims, bool full, int last_bucket)
{
	uint16_t drawn;

	if (full && claims->walking) {
		claims->first_bucket = last_bucket;
	} else if (full) {
		crypto_random(&drawn, sizeof(drawn));
		claims->first_bucket = drawn % BUCKETS;
	} else if (claims->first_bucket > 0) {
		claims->first_bucket = 0;
		return;
	}
	claims->walking = full;
}

/* The timed ones decide whether there is more where these came from. */
static void
take_timed(const struct db_result *result, void *arg)
{
	struct claims *claims = arg;
	struct look_round *round = claims->round;
	size_t before = round->people.count;
	int rows = db_rows(result);
	struct person *people;

	walk(claims, rows > 0 && (uint32_t)rows >= claims->asked,
	    rows > 0 ? (int)db_i64(result, rows - 1, 0) : 0);
	claims->backlog = claims->walking;
	take_people(result, arg);
	people = round->people.data;
	for (int row = 0; row < rows; row++) {
		int64_t at = db_at(result, row, 3);

		if (at > round->care_now)
			people[before + (size_t)row].ahead_at = at;
		if (at >= round->sent_until)
			round->sent_until = at + 1;
	}
}

static void
take_bulk(const struct db_result *result, void *arg)
{
	struct claims *claims = arg;

	if ((uint32_t)db_rows(result) >= claims->asked_bulk)
		claims->backlog = true;
	take_people(result, arg);
}

static void
choose_buckets(struct claims *claims)
{
	db_array_clear(&claims->buckets);
	for (int i = claims->first_bucket; i < BUCKETS; i++)
		db_array_i64(&claims->buckets, i);
}

static void
add_urgent_claim(struct claims *claims, struct db_unit *unit, uint32_t most)
{
	db_unit_add(unit, "agenda_claim_urgent", take_urgent, claims);
	db_param_at(unit, claims->round->care_now);
	db_param_i32(unit, (int32_t)most);
}

static void
add_parked_claim(struct claims *claims, struct db_unit *unit,
    const struct gateway *g, uint32_t most)
{
	/* who waits for one that is gone is planned anew */
	uint32_t free_slots = g->retired ? BLOCKED_PEOPLE : gateway_room(g);

	if (free_slots == 0)
		return;
	db_unit_add(unit, "agenda_claim_parked", take_people, claims);
	db_param_i16(unit, g->lane);
	db_param_at(unit, claims->round->care_now);
	db_param_i32(unit, (int32_t)(free_slots < most ? free_slots : most));
}

/* Now and then: people in the lane of a gateway that is no more. */
static void
add_stray_claim(struct claims *claims, struct db_unit *unit, uint32_t most)
{
	struct db_array known;

	if (claims->round->now < claims->stray_at)
		return;
	claims->stray_at = claims->round->now + STRAY_US;
	db_array_init(&known, DB_I16);
	for (size_t i = 0; i < gateways_count(claims->gateways); i++)
		db_array_i64(&known, gateways_at(claims->gateways, i)->lane);
	db_unit_add(unit, "agenda_claim_stray", take_people, claims);
	db_param_array(unit, &known);
	db_param_at(unit, claims->round->care_now);
	db_param_i32(unit, (int32_t)most);
	db_array_free(&known);
}

static void
add_claim(struct claims *claims, struct db_unit *unit, int16_t class,
    uint32_t limit, int64_t ahead_us,
    void (*take)(const struct db_result *, void *))
{
	db_unit_add(unit, "agenda_claim", take, claims);
	db_param_array(unit, &claims->buckets);
	db_param_i16(unit, class);
	db_param_at(unit, claims->round->care_now + ahead_us);
	db_param_i32(unit, (int32_t)limit);
	db_param_at(unit, claims->round->care_now);
}

/*
 * A fifth of all that is claimed, however little that is at a time: as soon
 * as others wait, no claim of one or two rounds it up.
 */
static uint32_t
bulk_share(struct claims *claims, uint32_t limit)
{
	uint32_t share;

	claims->bulk_fifths += limit;
	share = claims->bulk_fifths / 5;
	claims->bulk_fifths %= 5;
	return share == 0 && !claims->walking ? 1 : share;
}

static void
add_timed_claim(struct claims *claims, struct db_unit *unit, uint32_t limit)
{
	claims->asked = limit;
	/* those of the next moment, unless some are late already */
	add_claim(claims, unit, CLASS_TIMED, limit,
	    claims->walking ? 0 : claims->ahead_us, take_timed);
}

static void
add_bulk_claim(struct claims *claims, struct db_unit *unit, uint32_t limit)
{
	claims->asked_bulk = limit;
	add_claim(claims, unit, CLASS_BULK, limit, 0, take_bulk);
}

/*
 * One of the claims, by turns: a round of one person shows who it is that
 * cannot be written.
 */
static void
add_turn(struct claims *claims, struct db_unit *unit, uint32_t limit)
{
	size_t lanes = gateways_count(claims->gateways), turn;

	claims->turns = lanes + 4;
	claims->vain++;
	turn = claims->turn++ % claims->turns;
	if (turn < lanes) {
		add_parked_claim(
		    claims, unit, gateways_at(claims->gateways, turn), 1);
	} else if (turn == lanes) {
		add_urgent_claim(claims, unit, 1);
	} else if (turn == lanes + 1) {
		add_stray_claim(claims, unit, 1);
	} else if (limit > 0 && turn == lanes + 2) {
		choose_buckets(claims);
		add_timed_claim(claims, unit, 1);
	} else if (limit > 0) {
		add_bulk_claim(claims, unit, 1); /* of the same buckets */
	}
}

void
claims_add(struct claims *claims, struct db_unit *unit,
    struct look_round *round, uint32_t limit, uint32_t most)
{
	uint32_t bulk;

	claims->round = round;
	claims->backlog = false;
	if (most == 1) {
		add_turn(claims, unit, limit);
		return;
	}
	claims->turns = claims->vain = 0;
	add_urgent_claim(claims, unit, most);
	for (size_t i = 0; i < gateways_count(claims->gateways); i++)
		add_parked_claim(
		    claims, unit, gateways_at(claims->gateways, i), most);
	add_stray_claim(claims, unit, most);
	if (limit == 0)
		return;
	choose_buckets(claims);
	add_timed_claim(claims, unit, limit);
	bulk = bulk_share(claims, limit);
	if (bulk > 0)
		add_bulk_claim(claims, unit, bulk);
}
