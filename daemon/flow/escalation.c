/*
 * One transaction a rung: tasks of one sort are locked, then the agenda rows
 * of the members, without waiting, so that no circle closes; what each is
 * owed, who was told of what, and when the next rung is due are written
 * together.  Tasks of a tenant without anybody on any rung come again a day
 * later.
 */
#include "flow/escalation.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/metric.h"
#include "care/answer.h"
#include "care/escalation.h"
#include "flow/statements.h"

#define TASKS_MAX 500    /* at one look */
#define MEMBERS_MAX 50   /* of a tenant's team; more do not hear */
#define NOBODY_US DAY_US /* until it is looked for somebody again */
#define NOBODY_URGENT_US (15 * MINUTE_US)
#define IDLE_US (SECOND_US / 2) /* between looks that find nothing */
#define HELD_US (SECOND_US / 5) /* after one whose members were held */
#define FAILED_US (5 * SECOND_US)

struct member {
	int16_t bucket;
	int64_t patient_id;
	enum care_role role;
	struct care_member team;
	int32_t no; /* of the message that is owed */
	bool locked;
};

struct task_rows { /* keys, as six parameters */
	struct db_array bucket, patient_id, on, kind, source, slot;
};

struct escalations {
	struct db *db;
	const struct clock *clock;
	struct arena *arena; /* of the look under way */
	bool busy;
	int64_t again_at; /* clock_boot(): not before */
	int64_t now;      /* care time */
	/* the tasks, of one sort and rung */
	int32_t tenant_id;
	enum kind kind;
	int32_t slot, rung;
	struct task_rows tasks;
	struct list members; /* struct member, those on the rung */
	struct escalation escalation;
};

static void
tasks_init(struct task_rows *tasks)
{
	db_array_init(&tasks->bucket, DB_I16);
	db_array_init(&tasks->patient_id, DB_I64);
	db_array_init(&tasks->on, DB_ON);
	db_array_init(&tasks->kind, DB_I16);
	db_array_init(&tasks->source, DB_I32);
	db_array_init(&tasks->slot, DB_I32);
}

static void
tasks_clear(struct task_rows *tasks)
{
	db_array_clear(&tasks->bucket);
	db_array_clear(&tasks->patient_id);
	db_array_clear(&tasks->on);
	db_array_clear(&tasks->kind);
	db_array_clear(&tasks->source);
	db_array_clear(&tasks->slot);
}

static void
tasks_params(const struct task_rows *tasks, struct db_unit *unit)
{
	db_param_array(unit, &tasks->bucket);
	db_param_array(unit, &tasks->patient_id);
	db_param_array(unit, &tasks->on);
	db_param_array(unit, &tasks->kind);
	db_param_array(unit, &tasks->source);
	db_param_array(unit, &tasks->slot);
}

struct escalations *
escalations_create(struct db *db, const struct clock *clock)
{
	struct escalations *e = mem_alloc(sizeof(*e));

	e->db = db;
	e->clock = clock;
	e->arena = arena_create();
	tasks_init(&e->tasks);
	return e;
}

bool
escalations_idle(const struct escalations *e)
{
	return !e->busy;
}

/* ---- the end ---- */

static void
end_look(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	(void)outcome;
	(void)sqlstate;
	((struct escalations *)arg)->busy = false;
}

/* Nothing of it stays: the tasks are due all the same. */
static void
give_up(struct escalations *e, enum db_outcome outcome, const char *sqlstate)
{
	struct db_unit *unit;

	e->again_at = clock_boot() + (sqlstate == NULL ? HELD_US : FAILED_US);
	if (outcome == DB_LOST) {
		e->busy = false;
		return;
	}
	if (sqlstate != NULL)
		log_warning(
		    "escalation.work_failed", log_s(SQLSTATE, sqlstate));
	unit = db_unit_begin(e->db);
	db_unit_add(unit, "rollback", NULL, NULL);
	db_unit_send(unit, end_look, e);
}

static void
on_committed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct escalations *e = arg;

	if (outcome != DB_OK) {
		give_up(e, outcome, sqlstate);
		return;
	}
	if (e->tasks.bucket.count == 0)
		e->again_at = clock_boot() + IDLE_US;
	else
		metric_add(METRIC_ESCALATIONS,
		    e->members.count == 0 ? "nobody"
		    : e->escalation.roles == CARE_ROLE_BIT(CARE_DOCTOR)
			? "doctor"
			: "team",
		    NULL, e->tasks.bucket.count);
	e->busy = false;
}

static void
commit(struct escalations *e, struct db_unit *unit)
{
	db_unit_add(unit, "commit", NULL, NULL);
	db_unit_send(unit, on_committed, e);
}

/* ---- what is written ---- */

static void
add_escalated(
    struct escalations *e, struct db_unit *unit, int32_t rung, int64_t next_at)
{
	db_unit_add(unit, "task_escalated", NULL, NULL);
	tasks_params(&e->tasks, unit);
	db_param_i16(unit, (int16_t)rung);
	db_param_at(unit, next_at);
}

/* Nobody is on any rung: operators see it in the numbers. */
static void
tell_nobody(struct escalations *e)
{
	struct db_unit *unit = db_unit_begin(e->db);
	struct escalation first;

	escalation_rung(e->kind, e->slot, 0, &first);
	log_warning("escalation.nobody", log_n(TENANT, e->tenant_id),
	    log_n(COUNT, (int64_t)e->tasks.bucket.count));
	add_escalated(e, unit, 0,
	    e->now + (first.at_once ? NOBODY_URGENT_US : NOBODY_US));
	commit(e, unit);
}

/* Nobody is on a rung above those who were told: it ends there. */
static void
end_ladder(struct escalations *e, int32_t rung)
{
	struct db_unit *unit = db_unit_begin(e->db);

	add_escalated(e, unit, rung, AT_NEVER);
	commit(e, unit);
}

static void
add_keys(struct escalations *e, struct db_unit *unit)
{
	const struct member *members = e->members.data;
	struct db_array bucket, patient_id;

	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	for (size_t i = 0; i < e->members.count; i++) {
		db_array_i64(&bucket, members[i].bucket);
		db_array_i64(&patient_id, members[i].patient_id);
	}
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_array_free(&bucket);
	db_array_free(&patient_id);
}

/* The instant at which the member hears, by a message of now or of before. */
static int64_t
owe(struct escalations *e, struct db_unit *unit, const struct member *member)
{
	const struct care_member *team = &member->team;
	uint32_t count = team->said_count;
	const struct said *said;
	struct buf recent = BUF_INIT(0);
	int64_t at;

	if (!escalation_owe(team, &e->escalation, e->now, &at))
		return at;
	said = answer_owing(team->said, &count,
	    answer_owe(member->no, e->escalation.stage, team->contact_no, at),
	    e->arena);
	said_encode(said, count, &recent);
	db_unit_add(unit, "agenda_remember", NULL, NULL);
	db_param_i16(unit, member->bucket);
	db_param_i64(unit, member->patient_id);
	db_param_bytes(unit, recent.data, recent.bytes);
	buf_free(&recent);
	return at;
}

static void
tell(struct escalations *e)
{
	const struct member *members = e->members.data;
	struct db_unit *unit = db_unit_begin(e->db);
	struct db_array told_at;

	db_array_init(&told_at, DB_AT);
	for (size_t i = 0; i < e->members.count; i++)
		db_array_at(&told_at, owe(e, unit, &members[i]));
	db_unit_add(unit, "notice_store", NULL, NULL);
	add_keys(e, unit);
	db_param_array(unit, &told_at);
	db_param_i16(unit, (int16_t)e->escalation.stage);
	tasks_params(&e->tasks, unit);
	db_array_free(&told_at);
	add_escalated(e, unit, e->rung + 1,
	    e->escalation.wait_us == AT_NEVER ? AT_NEVER
					      : e->now + e->escalation.wait_us);
	db_unit_add(unit, "agenda_notify_people", NULL, NULL);
	add_keys(e, unit);
	commit(e, unit);
}

/* ---- the members ---- */

static struct member *
find_member(struct escalations *e, const struct db_result *result, int row)
{
	struct member *members = e->members.data;
	int64_t bucket = db_i64(result, row, 0);
	int64_t patient_id = db_i64(result, row, 1);

	for (size_t i = 0; i < e->members.count; i++)
		if (members[i].bucket == bucket &&
		    members[i].patient_id == patient_id)
			return &members[i];
	return NULL;
}

static void
take_recent(const struct db_result *result, void *arg)
{
	struct escalations *e = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct member *member = find_member(e, result, row);
		const uint8_t *recent;
		size_t bytes;

		if (member == NULL)
			continue;
		recent = db_bytes(result, row, 2, &bytes);
		recent = arena_copy(e->arena, recent, bytes);
		if (said_decode(recent, bytes, e->arena, &member->team.said,
			&member->team.said_count) < 0)
			member->team.said_count = 0;
	}
}

static void
take_numbers(const struct db_result *result, void *arg)
{
	struct escalations *e = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct member *member = find_member(e, result, row);

		if (member != NULL)
			member->no = (int32_t)db_i64(result, row, 2);
	}
}

static void
on_loaded(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct escalations *e = arg;

	if (outcome == DB_OK)
		tell(e);
	else
		give_up(e, outcome, sqlstate);
}

static void
take_locked(const struct db_result *result, void *arg)
{
	struct escalations *e = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct member *member = find_member(e, result, row);

		if (member != NULL)
			member->locked = true;
	}
}

/* Somebody plans for one of them: all of it soon again. */
static void
on_locked(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct escalations *e = arg;
	const struct member *members = e->members.data;
	struct db_unit *unit;

	for (size_t i = 0; i < e->members.count && outcome == DB_OK; i++)
		if (!members[i].locked) {
			give_up(e, outcome, NULL);
			return;
		}
	if (outcome != DB_OK) {
		give_up(e, outcome, sqlstate);
		return;
	}
	unit = db_unit_begin(e->db);
	db_unit_add(unit, "agenda_touch", NULL, NULL);
	add_keys(e, unit);
	db_param_at(unit, e->now);
	db_param_i16(unit, CLASS_URGENT);
	db_unit_add(unit, "agenda_recent", take_recent, e);
	add_keys(e, unit);
	db_unit_add(unit, "care_number", take_numbers, e);
	add_keys(e, unit);
	db_unit_send(unit, on_loaded, e);
}

static void
take_members(const struct db_result *result, void *arg)
{
	struct escalations *e = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct member *member = list_add(&e->members);
		const struct zone *zone = zone_open(db_text(result, row, 3));

		*member = (struct member){
		    .bucket = (int16_t)db_i64(result, row, 0),
		    .patient_id = db_i64(result, row, 1),
		    .role = (enum care_role)db_i64(result, row, 2),
		    .team = {.zone = zone == NULL ? zone_open("UTC") : zone,
			.contact_no = (int32_t)db_i64(result, row, 4)},
		};
	}
}

/* The first rung from here on that somebody stands on; false: there is none. */
static bool
find_rung(struct escalations *e)
{
	const struct member *members = e->members.data;

	for (;; e->rung++) {
		escalation_rung(e->kind, e->slot, e->rung, &e->escalation);
		if (e->escalation.roles == 0)
			return false;
		for (size_t i = 0; i < e->members.count; i++)
			if ((e->escalation.roles &
				CARE_ROLE_BIT(members[i].role)) != 0)
				return true;
	}
}

static void
keep_rung(struct escalations *e)
{
	struct member *members = e->members.data;
	size_t kept = 0;

	for (size_t i = 0; i < e->members.count; i++)
		if ((e->escalation.roles & CARE_ROLE_BIT(members[i].role)) != 0)
			members[kept++] = members[i];
	e->members.count = kept;
}

static void
on_members(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct escalations *e = arg;
	int32_t told = e->rung;
	struct db_unit *unit;

	if (outcome != DB_OK) {
		give_up(e, outcome, sqlstate);
		return;
	}
	if (!find_rung(e)) {
		e->members.count = 0;
		if (told > 0)
			end_ladder(e, told);
		else
			tell_nobody(e);
		return;
	}
	keep_rung(e);
	unit = db_unit_begin(e->db);
	db_unit_add(unit, "agenda_lock_free", take_locked, e);
	add_keys(e, unit);
	db_unit_send(unit, on_locked, e);
}

/* ---- the tasks ---- */

static void
take_tasks(const struct db_result *result, void *arg)
{
	struct escalations *e = arg;

	for (int row = 0; row < db_rows(result); row++) {
		db_array_i64(&e->tasks.bucket, db_i64(result, row, 1));
		db_array_i64(&e->tasks.patient_id, db_i64(result, row, 2));
		db_array_i64(&e->tasks.on, db_on(result, row, 3));
		db_array_i64(&e->tasks.kind, db_i64(result, row, 4));
		db_array_i64(&e->tasks.source, db_i64(result, row, 5));
		db_array_i64(&e->tasks.slot, db_i64(result, row, 6));
	}
	if (db_rows(result) == 0)
		return;
	e->tenant_id = (int32_t)db_i64(result, 0, 0);
	e->kind = (enum kind)db_i64(result, 0, 4);
	e->slot = (int32_t)db_i64(result, 0, 6);
	e->rung = (int32_t)db_i64(result, 0, 7);
}

static void
on_claimed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct escalations *e = arg;
	struct db_unit *unit;

	if (outcome != DB_OK) {
		give_up(e, outcome, sqlstate);
		return;
	}
	unit = db_unit_begin(e->db);
	if (e->tasks.bucket.count == 0) {
		commit(e, unit);
		return;
	}
	db_unit_add(unit, "care_team", take_members, e);
	db_param_i32(unit, e->tenant_id);
	db_param_i32(unit, MEMBERS_MAX);
	db_unit_send(unit, on_members, e);
}

bool
escalations_look(struct escalations *e)
{
	struct db_unit *unit;

	if (e->busy || !db_idle(e->db) || !e->clock->synced ||
	    clock_boot() < e->again_at)
		return false;
	e->busy = true;
	arena_reset(e->arena);
	list_init(&e->members, e->arena, sizeof(struct member));
	tasks_clear(&e->tasks);
	e->now = clock_care(e->clock);
	unit = db_unit_begin(e->db);
	db_unit_add(unit, "begin", NULL, NULL);
	db_unit_add(unit, "task_escalate", take_tasks, e);
	db_param_at(unit, e->now);
	db_param_i32(unit, TASKS_MAX);
	db_unit_send(unit, on_claimed, e);
	return true;
}
