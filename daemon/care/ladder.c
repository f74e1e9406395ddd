/*
 * Ladders: the stages around a run-out.  Products of one kind that run out
 * within 7 days of the earliest climb one ladder, that of the earliest; a
 * product leaves it at its fill, stop or task, and no stage is said twice
 * of the same product and cycle.
 */
#include "care/ladder.h"

#include <assert.h>
#include <string.h>

#include "care/policy.h"
#include "care/refill.h"

/* Products on one ladder; members[0] runs out first. */
struct ladder {
	enum kind kind;
	const struct program *program;
	const struct product *members;
	uint32_t count;
};

/*
 * Take the next ladder from the products, earliest first: whoever runs out
 * within 7 days of it, under the same program, climbs along.
 */
static bool
next_ladder(struct look *look, struct product *products, uint32_t *count,
    struct ladder *ladder)
{
	struct product *members =
	    arena_array(look->arena, *count + 1, sizeof(*members));
	int32_t last_on;
	uint32_t left = 0;

	if (*count == 0)
		return false;
	last_on = products[0].run_out_on + products[0].program->merge_days;
	*ladder = (struct ladder){
	    .kind = products[0].kind,
	    .program = products[0].program,
	    .members = members,
	};
	for (uint32_t i = 0; i < *count; i++)
		if (products[i].program == ladder->program &&
		    products[i].run_out_on <= last_on &&
		    ladder->count < CANDIDATE_ITEMS_MAX)
			members[ladder->count++] = products[i];
		else
			products[left++] = products[i];
	*count = left;
	return true;
}

static int64_t
stage_at(const struct look *look, const struct ladder *ladder, uint32_t index)
{
	return look_stage_at(look, ladder->program,
	    ladder->members[0].run_out_on + ladder->program->stages[index].day);
}

/*
 * Does this stage speak of the product?  Not before half of its last supply
 * is used (renewal), not of what was due before its last fill or before the
 * visit that a renewal asks for.
 */
static bool
stage_concerns(const struct ladder *ladder, const struct product *product,
    uint32_t index, int64_t due_at)
{
	int32_t date_on =
	    ladder->members[0].run_out_on + ladder->program->stages[index].day;

	if (due_at < product->opened_at || due_at < product->visited_at)
		return false;
	return ladder->kind != KIND_RENEWAL ||
	       2 * supply_left_days(product->supply, date_on) <=
		   product->supply->last_days;
}

/*
 * Did the product stand on this rung when that was due?  Who climbs along
 * only since, because another one was filled or a visit was missed, is not
 * told late what was never due.  What an outage or a hold kept back is.
 */
static bool
stood_there(struct look *look, const struct ladder *ladder,
    const struct product *product, int64_t due_at)
{
	struct look then = *look;
	const struct supply *supplies;
	struct product *products;
	struct ladder its;
	uint32_t count;

	if (due_at >= look->now || !refill_changed_since(look, due_at))
		return true;
	then.now = due_at;
	count = supply_walk(look->dossier, due_at, look->arena, &supplies);
	products = arena_array(look->arena, count + 1, sizeof(*products));
	count = refill_products(&then, ladder->kind, supplies, count, products);
	while (next_ladder(look, products, &count, &its))
		for (uint32_t i = 0; i < its.count; i++)
			if (its.members[i].prescription ==
			    product->prescription)
				return its.members[0].run_out_on ==
				       ladder->members[0].run_out_on;
	return false;
}

static const struct said *
stage_said(const struct look *look, const struct ladder *ladder,
    const struct product *product, uint32_t index)
{
	const struct program_stage *stage = &ladder->program->stages[index];

	return said_find(look, ladder->kind, product->prescription->no,
	    product->anchor_on, (int32_t)stage->stage, stage->task);
}

/* Note a stage of every member without a line. */
static void
mark_stage(struct look *look, const struct ladder *ladder, uint32_t index,
    int64_t due_at)
{
	const struct program_stage *stage = &ladder->program->stages[index];

	for (uint32_t i = 0; i < ladder->count; i++) {
		const struct product *product = &ladder->members[i];

		if (stage->task)
			said_mark_over(look, ladder->kind,
			    product->prescription->no, product->anchor_on,
			    (int32_t)stage->stage, true);
		else if (stage_said(look, ladder, product, index) == NULL &&
			 stage_concerns(ladder, product, index, due_at) &&
			 stood_there(look, ladder, product, due_at))
			said_mark_told(look, ladder->kind,
			    product->prescription->no, product->anchor_on,
			    (int32_t)stage->stage, due_at);
	}
}

static void
add_item(struct look *look, struct candidate *c, const struct ladder *ladder,
    const struct product *product, bool held)
{
	c->items[c->item_count++] = (struct plan_item){
	    .no = product->prescription->no,
	    .reference =
		look_reference(look, ladder->kind, product->prescription->no),
	    .occurrence_on = product->anchor_on,
	    .slot = (int32_t)c->stage,
	    .run_out_on = product->run_out_on,
	    .at = c->due_at,
	    .held = held,
	};
}

/*
 * A candidate for the members that a stage still has to speak of; those
 * under an obstacle of their own (a stopped drug) get one each.
 */
static void
add_stage(struct look *look, const struct ladder *ladder, uint32_t index,
    int64_t due_at, int64_t valid_until, enum reason expired)
{
	const struct program_stage *stage = &ladder->program->stages[index];
	/* places in the list, which may move; 0: none yet */
	size_t groups[REASON_COUNT] = {0};

	for (uint32_t i = 0; i < ladder->count; i++) {
		const struct product *product = &ladder->members[i];
		const struct said *said =
		    stage_said(look, ladder, product, index);
		bool held = said != NULL, final = false;
		enum reason reason = expired;
		struct candidate *c;

		if ((held && !said_is_open_hold(said)) ||
		    (held && expired != REASON_NONE) ||
		    !stage_concerns(ladder, product, index, due_at))
			continue;
		if (!stood_there(look, ladder, product, due_at))
			continue;
		if (expired == REASON_NONE && !stage->task)
			reason = policy_item_obstacle(look, ladder->kind,
			    stage->stage, product->prescription->drug, due_at,
			    &final);
		if (groups[reason] == 0) {
			c = look_add(look, ladder->kind, stage->stage, due_at,
			    ladder->count);
			c->program = ladder->program;
			c->task = stage->task;
			c->reason = reason;
			c->final = final || expired != REASON_NONE;
			c->valid_until = valid_until;
			c->anchor_on = ladder->members[0].run_out_on;
			if (!stage->task)
				c->ready_at = policy_next_hours(
				    look, ladder->program, due_at);
			groups[reason] = look->candidates.count;
		}
		c = (struct candidate *)look->candidates.data + groups[reason] -
		    1;
		if (held)
			c->tried |= said_tried(look, said);
		/* what left before it was stopped is held from now on */
		add_item(look, c, ladder, product,
		    held && said->channel == CHANNEL_NONE);
	}
}

/* The last rung: a task for people, with which the products leave. */
static void
climb_task(struct look *look, const struct ladder *ladder, uint32_t index,
    int64_t due_at)
{
	if (due_at < look->rules->handled_before ||
	    look_task_is_stale(look, due_at) || !policy_tasks_allowed(look))
		mark_stage(look, ladder, index, due_at);
	else
		add_stage(look, ladder, index, due_at, AT_NEVER, REASON_NONE);
}

/* Until the next rung, or as long as the program says where that is less. */
static int64_t
valid_until(const struct look *look, const struct ladder *ladder,
    uint32_t index, int64_t due_at)
{
	const struct program *program = ladder->program;
	int64_t until = index + 1 < program->stage_count
			    ? stage_at(look, ladder, index + 1)
			    : AT_NEVER;

	if (program->valid_us > 0 && due_at + program->valid_us < until)
		return due_at + program->valid_us;
	return until;
}

/* Rung by rung up to now; true if the ladder is over with its task. */
static bool
climb(struct look *look, const struct ladder *ladder)
{
	const struct program *program = ladder->program;

	for (uint32_t i = 0; i < program->stage_count; i++) {
		int64_t due_at = stage_at(look, ladder, i);
		int64_t until = valid_until(look, ladder, i, due_at);

		if (due_at > look->now) {
			if (program->stages[i].task)
				look_wake(look, due_at);
			else
				look_wake_kind(look, ladder->kind, due_at);
			/* whoever sleeps still gets the task */
			if (!look->asleep[ladder->kind])
				return false;
			continue;
		}
		if (program->stages[i].task) {
			climb_task(look, ladder, i, due_at);
			return true;
		}
		if (due_at < look->rules->handled_before)
			mark_stage(look, ladder, i, due_at);
		else if (look->now < until)
			add_stage(look, ladder, i, due_at, until, REASON_NONE);
		else if (!look->rules->each_hold &&
			 due_at > look->planned_through &&
			 said_standing(look, ladder->kind) == REASON_NONE)
			add_stage(
			    look, ladder, i, due_at, look->now, REASON_EXPIRED);
	}
	return false;
}

static void
climb_all(struct look *look, enum kind kind, const struct supply *supplies,
    uint32_t supply_count, struct product *products)
{
	uint32_t count =
	    refill_products(look, kind, supplies, supply_count, products);
	struct ladder ladder;

	while (next_ladder(look, products, &count, &ladder))
		(void)climb(look, &ladder);
}

int32_t
ladder_run_out_on(
    struct look *look, enum kind kind, int32_t source, int32_t occurrence_on)
{
	const struct supply *supplies;
	uint32_t supply_count =
	    supply_walk(look->dossier, look->now, look->arena, &supplies);
	struct product *products =
	    arena_array(look->arena, supply_count + 1, sizeof(*products));
	uint32_t count =
	    refill_products(look, kind, supplies, supply_count, products);

	for (uint32_t i = 0; i < count; i++)
		if (products[i].prescription->no == source &&
		    products[i].anchor_on == occurrence_on)
			return products[i].run_out_on;
	return ON_UNKNOWN;
}

void
ladder_collect(struct look *look)
{
	const struct supply *supplies;
	uint32_t supply_count =
	    supply_walk(look->dossier, look->now, look->arena, &supplies);
	struct product *products =
	    arena_array(look->arena, supply_count + 1, sizeof(*products));

	refill_collect_unclear(look, supplies, supply_count);
	for (enum kind kind = KIND_REFILL; kind <= KIND_RENEWAL; kind++)
		climb_all(look, kind, supplies, supply_count, products);
}
