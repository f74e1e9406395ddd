/*
 * Follow-up visits: reminders before them, one correction for a visit that
 * moved after somebody was told, the notice and the task after a missed
 * one.  Silent once the visit took place, was cancelled or was replaced.
 */
#include "care/follow_up.h"

#include <stdlib.h>
#include <string.h>

#include "care/policy.h"

#define CHAIN_MAX 16 /* appointments that replaced one another */

/* A visit as it stands at this look. */
struct appointment {
	const struct visit *visit;
	enum visit_status status;
	int64_t start_at;
	int32_t start_on;
	bool moved;       /* it stood elsewhere before moved_at */
	int64_t moved_at; /* AT_NEVER: not known when */
};

/* Did the visit that takes over from another one do so by now? */
static bool
replacement_counts(const struct look *look, const struct visit *visit)
{
	return visit->replaces_no != 0 && visit->status != VISIT_ERROR &&
	       visit->status != VISIT_WISHED &&
	       (visit->moved_at == AT_NEVER || visit->moved_at <= look->now);
}

static bool
replaced(const struct look *look, int32_t no)
{
	const struct dossier *d = look->dossier;

	for (uint32_t i = 0; i < d->visit_count; i++)
		if (d->visits[i].replaces_no == no && d->visits[i].no != no &&
		    replacement_counts(look, &d->visits[i]))
			return true;
	return false;
}

/*
 * The visit as now known: false if it has no start, was replaced, or is not
 * known yet.  A status or a move acts from its own time.
 */
static bool
read_appointment(
    const struct look *look, const struct visit *visit, struct appointment *out)
{
	bool has_moved = visit->previous_start_at != AT_NEVER &&
			 visit->previous_start_at != visit->start_at;
	bool awaits_move =
	    visit->moved_at != AT_NEVER && visit->moved_at > look->now;

	if (visit->replaces_no != 0 && !has_moved && awaits_move)
		return false;
	*out = (struct appointment){
	    .visit = visit,
	    .status =
		visit->status_at > look->now ? VISIT_PLANNED : visit->status,
	    .start_at = has_moved && awaits_move ? visit->previous_start_at
						 : visit->start_at,
	    .moved = !awaits_move && (has_moved || visit->replaces_no != 0),
	    .moved_at = visit->moved_at,
	};
	if (out->start_at == AT_NEVER || replaced(look, visit->no))
		return false;
	/* nobody misses what is still to come */
	if (out->status == VISIT_NOSHOW && out->start_at > look->now)
		out->status = VISIT_PLANNED;
	out->start_on = look_date(look, out->start_at);
	return true;
}

/* One of the space-separated keys. */
static bool
names_practitioner(const char *practitioners, const char *key)
{
	size_t bytes = strlen(key);

	for (const char *at = practitioners; at != NULL && bytes > 0;) {
		at = strstr(at, key);
		if (at == NULL)
			return false;
		if ((at == practitioners || at[-1] == ' ') &&
		    (at[bytes] == ' ' || at[bytes] == '\0'))
			return true;
		at++;
	}
	return false;
}

static bool
is_with(const struct visit *visit, const char *prescriber)
{
	return prescriber != NULL && visit->practitioners != NULL &&
	       names_practitioner(visit->practitioners, prescriber);
}

bool
follow_up_booked(const struct look *look, const char *prescriber,
    int32_t from_on, int32_t until_on)
{
	const struct dossier *d = look->dossier;

	for (uint32_t i = 0; i < d->visit_count; i++) {
		struct appointment a;

		if (is_with(&d->visits[i], prescriber) &&
		    read_appointment(look, &d->visits[i], &a) &&
		    a.status == VISIT_PLANNED && a.start_on >= from_on &&
		    a.start_on < until_on)
			return true;
	}
	return false;
}

int64_t
follow_up_last_kept_at(
    const struct look *look, const char *prescriber, int32_t before_on)
{
	const struct dossier *d = look->dossier;
	int64_t last = AT_UNKNOWN;

	for (uint32_t i = 0; i < d->visit_count; i++) {
		struct appointment a;

		if (is_with(&d->visits[i], prescriber) &&
		    read_appointment(look, &d->visits[i], &a) &&
		    a.status == VISIT_DONE && a.start_at <= look->now &&
		    a.start_on < before_on && a.start_at > last)
			last = a.start_at;
	}
	return last;
}

bool
follow_up_is_open(const struct look *look, int32_t source,
    int32_t occurrence_on, int32_t slot)
{
	const struct visit *visit = dossier_visit(look->dossier, source);
	struct appointment a;

	if (visit == NULL || !read_appointment(look, visit, &a) ||
	    a.start_on != occurrence_on)
		return false;
	if (slot == STAGE_MISSED)
		return a.status == VISIT_NOSHOW || a.status == VISIT_PLANNED;
	return a.status == VISIT_PLANNED && look->now < a.start_at;
}

static bool
in_chain(const int32_t *chain, uint32_t count, int32_t no)
{
	for (uint32_t i = 0; i < count; i++)
		if (chain[i] == no)
			return true;
	return false;
}

/* This visit and those it took over from. */
static uint32_t
collect_chain(const struct look *look, const struct visit *visit,
    int32_t chain[CHAIN_MAX])
{
	uint32_t count = 0;

	while (visit != NULL && count < CHAIN_MAX &&
	       !in_chain(chain, count, visit->no)) {
		chain[count++] = visit->no;
		visit = replacement_counts(look, visit)
			    ? dossier_visit(look->dossier, visit->replaces_no)
			    : NULL;
	}
	return count;
}

/* The last that the patient heard of a visit, or of one it took over from. */
static const struct said *
last_told(const struct look *look, const struct visit *visit)
{
	const struct said *said = look->said.data, *last = NULL;
	int32_t chain[CHAIN_MAX];
	uint32_t count = collect_chain(look, visit, chain);

	for (size_t i = 0; i < look->said.count; i++) {
		const struct said *s = &said[i];

		if (s->kind == KIND_FOLLOW_UP && said_went_out(s) &&
		    s->slot != STAGE_MISSED &&
		    in_chain(chain, count, s->source) &&
		    (last == NULL || s->at >= last->at))
			last = s;
	}
	return last;
}

/*
 * The start that was told: the visit's own then.  Of a visit that moved
 * more than once since, the date tells which; AT_UNKNOWN: another one.
 */
static int64_t
told_start(const struct look *look, const struct said *s)
{
	const struct visit *visit = dossier_visit(look->dossier, s->source);

	if (visit->previous_start_at == AT_NEVER ||
	    visit->moved_at == AT_NEVER || s->at >= visit->moved_at)
		return visit->start_at;
	if (look_date(look, visit->previous_start_at) == s->occurrence_on)
		return visit->previous_start_at;
	return look_date(look, visit->start_at) == s->occurrence_on
		   ? visit->start_at
		   : AT_UNKNOWN;
}

/*
 * Under which number the correction of this move is known: a visit can be
 * moved about on one day, and each move is told once.
 */
static int32_t
correction_slot(const struct look *look, const struct appointment *a)
{
	const struct said *said = look->said.data;
	int32_t slot = STAGE_MOVED;

	for (size_t i = 0; i < look->said.count; i++) {
		const struct said *s = &said[i];

		if (s->kind != KIND_FOLLOW_UP || s->source != a->visit->no ||
		    s->occurrence_on != a->start_on ||
		    look_slot_stage(s->slot) != STAGE_MOVED)
			continue;
		if (a->moved_at == AT_NEVER || s->at >= a->moved_at)
			return s->slot;
		if (s->slot >= slot)
			slot = s->slot + SLOT_AGAIN;
	}
	return slot;
}

static int32_t
slot_of(const struct look *look, const struct appointment *a, enum stage stage)
{
	return stage == STAGE_MOVED ? correction_slot(look, a) : (int32_t)stage;
}

/*
 * What was said of that day, of this appointment or one that it took over
 * from; each correction is its own.
 */
static const struct said *
stage_said(const struct look *look, const struct appointment *a,
    enum stage stage, bool task)
{
	const struct said *said = said_find(look, KIND_FOLLOW_UP, a->visit->no,
	    a->start_on, slot_of(look, a, stage), task);
	int32_t chain[CHAIN_MAX];
	uint32_t count;

	if (said != NULL || stage == STAGE_MOVED || a->visit->replaces_no == 0)
		return said;
	count = collect_chain(look, a->visit, chain);
	for (uint32_t i = 1; i < count && said == NULL; i++)
		said = said_find(look, KIND_FOLLOW_UP, chain[i], a->start_on,
		    (int32_t)stage, task);
	return said;
}

/* Add one visit's occurrence as a candidate of its own. */
static struct candidate *
add_stage(struct look *look, const struct appointment *a, enum stage stage,
    bool task, int64_t due_at, int64_t valid_until)
{
	int32_t slot = slot_of(look, a, stage);
	const struct said *said = stage_said(look, a, stage, task);
	struct candidate *c;

	if (said != NULL && !said_is_open_hold(said))
		return NULL;
	c = look_add(look, KIND_FOLLOW_UP, stage, due_at,
	    look->dossier->visit_count < CANDIDATE_ITEMS_MAX
		? look->dossier->visit_count
		: CANDIDATE_ITEMS_MAX);
	c->task = task;
	c->tried = said == NULL ? 0 : said_tried(look, said);
	c->valid_until = valid_until;
	c->anchor_on = a->start_on;
	c->item_count = 1;
	c->items[0] = (struct plan_item){
	    .no = a->visit->no,
	    .reference = look_reference(look, KIND_FOLLOW_UP, a->visit->no),
	    .occurrence_on = a->start_on,
	    .slot = slot,
	    .run_out_on = ON_UNKNOWN,
	    .at = a->start_at,
	    .held = said != NULL && said->channel == CHANNEL_NONE,
	};
	return c;
}

/* The same as a message: judged by itself, and not before its hours. */
static void
add_message(struct look *look, const struct appointment *a, enum stage stage,
    int64_t due_at, int64_t valid_until)
{
	struct candidate *c;

	if (due_at < look->rules->handled_before) {
		said_mark_told(look, KIND_FOLLOW_UP, a->visit->no, a->start_on,
		    slot_of(look, a, stage), due_at);
		return;
	}
	c = add_stage(look, a, stage, false, due_at, valid_until);
	if (c == NULL)
		return;
	c->past_caps = stage == STAGE_MOVED;
	c->reason = policy_item_obstacle(
	    look, KIND_FOLLOW_UP, stage, NULL, due_at, &c->final);
	c->ready_at = policy_next_hours(look, c->program, due_at);
}

/*
 * A later reminder of the same visit is due as well: one is enough.  What
 * an outage kept from going out is recorded.
 */
static void
supersede(struct look *look, const struct appointment *a, enum stage stage,
    int64_t due_at)
{
	struct candidate *c;

	if (stage_said(look, a, stage, false) != NULL)
		return;
	if (look->rules->each_hold || due_at <= look->planned_through ||
	    said_standing(look, KIND_FOLLOW_UP) != REASON_NONE) {
		said_mark_over(look, KIND_FOLLOW_UP, a->visit->no, a->start_on,
		    (int32_t)stage, false);
		return;
	}
	c = add_stage(look, a, stage, false, due_at, look->now);
	c->reason = REASON_EXPIRED;
	c->final = true;
}

/* The last reminder that fell due; NULL: none yet. */
static const struct program_stage *
latest_stage(
    const struct look *look, const struct appointment *a, int64_t *latest_at)
{
	const struct program *program = &look->rules->kinds[KIND_FOLLOW_UP];
	const struct program_stage *latest = NULL;

	for (uint32_t i = 0; i < program->stage_count; i++) {
		const struct program_stage *stage = &program->stages[i];
		int64_t due_at =
		    look_stage_at(look, program, a->start_on + stage->day);

		if (stage->task || due_at > look->now)
			continue;
		latest = stage;
		*latest_at = due_at;
	}
	return latest;
}

/*
 * What was told last of a visit that moved.  What counts as handled was told,
 * too, also at the first look, which is to remember it only now.
 */
static const struct said *
told_before_move(struct look *look, const struct appointment *a)
{
	const struct said *told = last_told(look, a->visit);
	const struct program_stage *latest;
	int64_t due_at;

	if (told != NULL)
		return told;
	latest = latest_stage(look, a, &due_at);
	if (latest == NULL || due_at >= look->rules->handled_before)
		return NULL;
	said_mark_told(look, KIND_FOLLOW_UP, a->visit->no, a->start_on,
	    (int32_t)latest->stage, due_at);
	return last_told(look, a->visit);
}

/* The patient said not to come that day: somebody sees to it. */
static bool
is_silenced(const struct look *look, const struct appointment *a)
{
	return said_ladder_task(
	    look, KIND_FOLLOW_UP, a->visit->no, a->start_on);
}

/* Which day has a reminder: its stage, in the order of the program. */
static void
collect_planned(struct look *look, const struct appointment *a)
{
	const struct program *program = &look->rules->kinds[KIND_FOLLOW_UP];
	const struct program_stage *latest = NULL;
	int64_t moved_at = a->moved_at == AT_NEVER ? look->now : a->moved_at;
	int64_t latest_at = 0;
	const struct said *told;
	bool owed;

	if (a->start_at <= look->now)
		return;
	/* one correction is owed where another start was told of last */
	told = a->moved ? told_before_move(look, a) : NULL;
	owed = told != NULL && told_start(look, told) != a->start_at;
	if (owed)
		add_message(look, a, STAGE_MOVED, moved_at, a->start_at);
	if (is_silenced(look, a))
		return;
	for (uint32_t i = 0; i < program->stage_count; i++) {
		const struct program_stage *stage = &program->stages[i];
		int64_t due_at;

		if (stage->task)
			continue;
		due_at = look_stage_at(look, program, a->start_on + stage->day);
		if (due_at > look->now) {
			look_wake_kind(look, KIND_FOLLOW_UP, due_at);
			continue;
		}
		/* the correction names the new day: what it covers is over */
		if (owed && due_at <= moved_at) {
			said_mark_over(look, KIND_FOLLOW_UP, a->visit->no,
			    a->start_on, (int32_t)stage->stage, false);
			continue;
		}
		if (latest != NULL)
			supersede(look, a, latest->stage, latest_at);
		latest = stage;
		latest_at = due_at;
	}
	if (latest != NULL)
		add_message(look, a, latest->stage, latest_at, a->start_at);
}

/* Reminders that an outage swallowed are recorded, not sent. */
static void
collect_lapsed(struct look *look, const struct appointment *a)
{
	const struct program *program = &look->rules->kinds[KIND_FOLLOW_UP];

	if (look->rules->each_hold || a->start_at > look->now ||
	    a->start_at <= look->planned_through || is_silenced(look, a) ||
	    said_standing(look, KIND_FOLLOW_UP) != REASON_NONE)
		return;
	for (uint32_t i = 0; i < program->stage_count; i++) {
		const struct program_stage *stage = &program->stages[i];
		int64_t due_at =
		    look_stage_at(look, program, a->start_on + stage->day);
		struct candidate *c;

		if (stage->task || due_at <= look->planned_through ||
		    stage_said(look, a, stage->stage, false) != NULL)
			continue;
		c = add_stage(look, a, stage->stage, false, due_at, look->now);
		c->reason = REASON_EXPIRED;
		c->final = true;
	}
}

/* The first 10:00 after an instant. */
static int64_t
next_stage_time(const struct look *look, int64_t at)
{
	const struct program *program = &look->rules->kinds[KIND_FOLLOW_UP];
	int32_t date_on = look_date(look, at);
	int64_t same_day = look_stage_at(look, program, date_on);

	return same_day > at ? same_day
			     : look_stage_at(look, program, date_on + 1);
}

/* A task 14 days after the visit's date, but not before the notice. */
static void
collect_missed_task(
    struct look *look, const struct appointment *a, int64_t notice_at)
{
	const struct program *program = &look->rules->kinds[KIND_FOLLOW_UP];

	for (uint32_t i = 0; i < program->stage_count; i++) {
		const struct program_stage *stage = &program->stages[i];
		int64_t due_at =
		    look_stage_at(look, program, a->start_on + stage->day);

		if (!stage->task)
			continue;
		if (due_at < notice_at)
			due_at = notice_at;
		look_wake(look, due_at);
		if (due_at > look->now)
			continue;
		if (look_task_is_stale(look, due_at) ||
		    due_at < look->rules->handled_before ||
		    !policy_tasks_allowed(look)) {
			said_mark_over(look, KIND_FOLLOW_UP, a->visit->no,
			    a->start_on, (int32_t)stage->stage, true);
			continue;
		}
		(void)add_stage(look, a, stage->stage, true, due_at, AT_NEVER);
	}
}

static void
collect_missed(
    struct look *look, const struct appointment *a, int64_t recorded_at)
{
	int64_t due_at = next_stage_time(look, recorded_at);
	int64_t until = due_at + look->rules->kinds[KIND_FOLLOW_UP].valid_us;

	if (is_silenced(look, a))
		return;
	look_wake_kind(look, KIND_FOLLOW_UP, due_at);
	if (due_at <= look->now && look->now < until)
		add_message(look, a, STAGE_MISSED, due_at, until);
	collect_missed_task(look, a, due_at);
}

static void
collect_visit(struct look *look, const struct visit *visit)
{
	struct appointment a;
	int64_t day_end;

	if (!read_appointment(look, visit, &a))
		return;
	if (a.status == VISIT_NOSHOW) {
		collect_missed(look, &a,
		    visit->status_at > a.start_at ? visit->status_at
						  : a.start_at);
		return;
	}
	if (a.status != VISIT_PLANNED)
		return;
	look_wake(look, a.start_at);
	collect_planned(look, &a);
	collect_lapsed(look, &a);
	if (!look->rules->attendance_fed)
		return;
	day_end = look_instant(look, a.start_on + 1, 0);
	look_wake(look, day_end);
	if (day_end <= look->now)
		collect_missed(look, &a, day_end);
}

/* May these two be told in one message? */
static bool
same_message(const struct candidate *a, const struct candidate *b)
{
	return a->reason == REASON_NONE && b->reason == REASON_NONE &&
	       a->stage == b->stage && a->anchor_on == b->anchor_on &&
	       a->task == b->task && a->due_at == b->due_at &&
	       a->item_count < CANDIDATE_ITEMS_MAX;
}

/* One message for visits on one day: later ones join the first like them. */
static void
merge_visits(struct look *look, size_t first)
{
	struct candidate *list = look->candidates.data;
	size_t kept = first;

	for (size_t i = first; i < look->candidates.count; i++) {
		bool joined = false;

		for (size_t k = first; k < kept && !joined; k++) {
			if (!same_message(&list[k], &list[i]))
				continue;
			list[k].items[list[k].item_count++] = list[i].items[0];
			if (list[i].valid_until < list[k].valid_until)
				list[k].valid_until = list[i].valid_until;
			joined = true;
		}
		if (!joined)
			list[kept++] = list[i];
	}
	look->candidates.count = kept;
}

static int
compare_visits(const void *left, const void *right)
{
	const struct visit *a = *(const struct visit *const *)left;
	const struct visit *b = *(const struct visit *const *)right;

	return look_compare_id(a->id, a->no, b->id, b->no);
}

void
follow_up_collect(struct look *look)
{
	const struct dossier *d = look->dossier;
	const struct visit **list =
	    arena_array(look->arena, d->visit_count + 1, sizeof(*list));
	size_t first = look->candidates.count;

	for (uint32_t i = 0; i < d->visit_count; i++)
		list[i] = &d->visits[i];
	qsort(list, d->visit_count, sizeof(*list), compare_visits);
	for (uint32_t i = 0; i < d->visit_count; i++)
		collect_visit(look, list[i]);
	merge_visits(look, first);
}
