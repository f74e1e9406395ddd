/*
 * Who is taken next.  Urgent people and those whose gateway has room again
 * come first and whole; then the timed and, a fifth of it, what an import
 * brought.  While there is a backlog a claim looks at a slice of the buckets,
 * so that its cost does not grow with those who wait.
 */
#include "flow/claims.h"

#include "flow/statements.h"

#define SLICE_MIN 64       /* buckets of a claim while there is a backlog */
#define BLOCKED_PEOPLE 100 /* looked at a round while a gateway is paused */
#define STRAY_US (15 * SECOND_US)

struct claims {
	struct gateways *gateways;
	struct look_round *round; /* of the claim under way; borrowed */
	struct db_array slice;
	int64_t ahead_us;
	int first_bucket;           /* of the next slice; -1: all at once */
	int width;                  /* buckets of a slice */
	int quiet_buckets;          /* in a row that gave less than was asked */
	bool full;                  /* the last slice gave what was asked */
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
	claims->first_bucket = -1;
	db_array_init(&claims->slice, DB_I16);
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
	return claims->vain < claims->turns || claims->first_bucket >= 0;
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
 * Enough in two slices in a row: half as wide, so that all buckets get their
 * turn; not enough: twice as wide, so that the rest of a flood is not taken
 * in crumbs.  A whole turn without enough ends the backlog.
 */
static void
fit_slice(struct claims *claims, bool full)
{
	claims->quiet_buckets =
	    full ? 0 : claims->quiet_buckets + claims->width;
	if (claims->quiet_buckets >= BUCKETS)
		claims->first_bucket = -1;
	if (!full && claims->width < BUCKETS)
		claims->width *= 2;
	else if (full && claims->full && claims->width > SLICE_MIN)
		claims->width /= 2;
	claims->full = full;
}

/* The timed ones decide whether there is more where these came from. */
static void
take_timed(const struct db_result *result, void *arg)
{
	struct claims *claims = arg;
	struct look_round *round = claims->round;
	bool full = (uint32_t)db_rows(result) >= claims->asked;
	size_t before = round->people.count;
	struct person *people;

	if (claims->first_bucket >= 0) {
		fit_slice(claims, full);
	} else if (full) {
		claims->first_bucket = 0;
		claims->width = SLICE_MIN;
		claims->quiet_buckets = 0;
	}
	claims->backlog = full || claims->first_bucket >= 0;
	take_people(result, arg);
	people = round->people.data;
	for (int row = 0; row < db_rows(result); row++) {
		int64_t at = db_at(result, row, 3);

		if (at > round->care_now)
			people[before + (size_t)row].ahead_at = at;
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

/* The buckets of this claim: all, or the next slice of a backlog. */
static void
next_slice(struct claims *claims)
{
	int first = claims->first_bucket < 0 ? 0 : claims->first_bucket;
	int count = claims->first_bucket < 0 ? BUCKETS : claims->width;

	db_array_clear(&claims->slice);
	for (int i = 0; i < count; i++)
		db_array_i64(&claims->slice, (first + i) % BUCKETS);
	if (claims->first_bucket >= 0)
		claims->first_bucket = (first + count) % BUCKETS;
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
	db_param_array(unit, &claims->slice);
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
	return share == 0 && claims->first_bucket < 0 ? 1 : share;
}

static void
add_timed_claim(struct claims *claims, struct db_unit *unit, uint32_t limit)
{
	claims->asked = limit;
	/* those of the next moment, unless some are late already */
	add_claim(claims, unit, CLASS_TIMED, limit,
	    claims->first_bucket < 0 ? claims->ahead_us : 0, take_timed);
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
		next_slice(claims);
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
	next_slice(claims);
	add_timed_claim(claims, unit, limit);
	bulk = bulk_share(claims, limit);
	if (bulk > 0)
		add_bulk_claim(claims, unit, bulk);
}
