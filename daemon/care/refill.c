/*
 * Refill cycles: which product of a patient runs out when, whether a refill
 * or a renewal is asked for, and under which date the cycle is known.  The
 * supply walk is the only source of dates; no supply data, no cycle.
 */
#include "care/refill.h"

#include <stdlib.h>
#include <string.h>

#include "care/dose_schedule.h"
#include "care/follow_up.h"
#include "care/policy.h"

static bool
fill_counts(const struct fill *fill, int64_t now)
{
	return fill->status == FILL_COMPLETED && fill->handed_over_at <= now;
}

/* Was it ever filled?  A prescription without any fill gives nothing. */
static bool
has_fill(const struct look *look, const struct prescription *p)
{
	const struct dossier *d = look->dossier;

	for (uint32_t i = 0; i < d->fill_count; i++) {
		const struct fill *fill = &d->fills[i];

		if (fill_counts(fill, look->now) &&
		    (fill->prescription_no == p->no ||
			(fill->prescription_no == 0 &&
			    look_same(fill->drug, p->drug))))
			return true;
	}
	return false;
}

/* The newest prescription of the drug in force that was ever filled. */
static const struct prescription *
filled_prescription(const struct look *look, const char *drug)
{
	const struct dossier *d = look->dossier;
	const struct prescription *best = NULL;

	for (uint32_t i = 0; i < d->prescription_count; i++) {
		const struct prescription *p = &d->prescriptions[i];

		if (look_same(p->drug, drug) &&
		    dose_prescription_active(p, look->now) &&
		    has_fill(look, p) &&
		    (best == NULL || look_compare_authored(p, best) > 0))
			best = p;
	}
	return best;
}

/* A newer prescription of the same drug: the renewal took place. */
static bool
renewed(const struct look *look, const struct prescription *p)
{
	const struct dossier *d = look->dossier;

	for (uint32_t i = 0; i < d->prescription_count; i++) {
		const struct prescription *other = &d->prescriptions[i];

		if (other->no != p->no && look_same(other->drug, p->drug) &&
		    dose_prescription_active(other, look->now) &&
		    look_compare_authored(other, p) > 0)
			return true;
	}
	return false;
}

static int64_t
last_fill_at(const struct look *look, const char *drug)
{
	const struct dossier *d = look->dossier;
	int64_t last = AT_UNKNOWN;

	for (uint32_t i = 0; i < d->fill_count; i++) {
		const struct fill *fill = &d->fills[i];

		if (fill_counts(fill, look->now) &&
		    look_same(fill->drug, drug) && fill->handed_over_at > last)
			last = fill->handed_over_at;
	}
	return last;
}

/*
 * Refill where one can be dispensed at run-out, else renewal where the
 * therapy goes on, else nothing (0).
 */
static enum kind
choose_kind(const struct look *look, const struct prescription *p,
    const struct supply *supply)
{
	bool valid = p->valid_until_on == ON_UNKNOWN ||
		     p->valid_until_on >= supply->run_out_on;
	int64_t end = p->course == COURSE_CONTINUOUS
			  ? AT_NEVER
			  : dose_schedule_end(look->dossier, p);

	/* the course is over within that day: nothing more is needed */
	if (end < look_instant(look, supply->run_out_on + 1, 0))
		return 0;
	if (valid && supply_refills_left(look->dossier, p, look->now) != 0)
		return KIND_REFILL;
	if (p->course != COURSE_CONTINUOUS &&
	    (p->course != COURSE_UNSTATED || end != AT_NEVER))
		return 0;
	/* a visit before the last fill was about that one */
	if (renewed(look, p) ||
	    follow_up_booked(look, p->prescriber,
		look_date(look, last_fill_at(look, supply->drug)),
		supply->run_out_on))
		return 0;
	return KIND_RENEWAL;
}

/*
 * The date under which the cycle is known: that of a stage already spoken
 * of since the last fill, unless the run-out moved by more than 3 days.
 */
static int32_t
cycle_anchor(
    const struct look *look, const struct product *product, enum kind kind)
{
	const struct said *said = look->said.data;
	int32_t shift = product->program->cycle_shift_days;

	for (size_t i = look->said.count; i > 0; i--) {
		const struct said *s = &said[i - 1];

		if (s->kind == kind && s->source == product->prescription->no &&
		    look_slot_stage(s->slot) != STAGE_SUPPLY &&
		    s->at >= product->opened_at &&
		    abs(s->occurrence_on - product->run_out_on) <= shift)
			return s->occurrence_on;
	}
	return product->run_out_on;
}

/* Its task is made, and be it as a refill that is a renewal by now. */
static bool
has_left(const struct look *look, const struct product *product)
{
	for (enum kind kind = KIND_REFILL; kind <= KIND_RENEWAL; kind++)
		if (said_ladder_task(look, kind, product->prescription->no,
			cycle_anchor(look, product, kind)))
			return true;
	return false;
}

static int
compare_products(const void *left, const void *right)
{
	const struct product *a = left, *b = right;

	if (a->run_out_on != b->run_out_on)
		return a->run_out_on < b->run_out_on ? -1 : 1;
	return look_compare_id(a->prescription->id, a->prescription->no,
	    b->prescription->id, b->prescription->no);
}

static const struct fill *
find_fill(const struct dossier *d, int32_t no)
{
	for (uint32_t i = 0; i < d->fill_count; i++)
		if (d->fills[i].no == no)
			return &d->fills[i];
	return NULL;
}

/*
 * Is the last that is known of the supply a fill whose days cannot be worked
 * out?  It ended the cycle, and no date is invented for the next one.
 */
static bool
ends_unclear(const struct look *look, const struct supply *supply)
{
	const struct dossier *d = look->dossier;
	int64_t last_at = AT_UNKNOWN, unclear_at = AT_UNKNOWN;

	for (uint32_t i = 0; i < supply->unclear_count; i++) {
		const struct fill *fill = find_fill(d, supply->unclear[i]);

		if (fill->handed_over_at > unclear_at)
			unclear_at = fill->handed_over_at;
	}
	for (uint32_t i = 0; i < supply->fill_count; i++) {
		const struct fill *fill =
		    find_fill(d, supply->fills[i].fill_no);

		if (!supply->fills[i].correction &&
		    fill->handed_over_at > last_at)
			last_at = fill->handed_over_at;
	}
	for (uint32_t i = 0; i < d->correction_count; i++)
		if (look_same(d->corrections[i].drug, supply->drug) &&
		    d->corrections[i].at <= look->now &&
		    d->corrections[i].at > last_at)
			last_at = d->corrections[i].at;
	return unclear_at > last_at;
}

static bool
is_since(const struct look *look, int64_t since, int64_t at)
{
	return since < at && at <= look->now;
}

bool
refill_changed_since(const struct look *look, int64_t at)
{
	const struct dossier *d = look->dossier;

	for (uint32_t i = 0; i < d->fill_count; i++)
		if (is_since(look, at, d->fills[i].handed_over_at))
			return true;
	for (uint32_t i = 0; i < d->prescription_count; i++)
		if (is_since(look, at, d->prescriptions[i].status_at))
			return true;
	for (uint32_t i = 0; i < d->visit_count; i++)
		if (is_since(look, at, d->visits[i].status_at) ||
		    is_since(look, at, d->visits[i].moved_at) ||
		    is_since(look, at, d->visits[i].start_at))
			return true;
	return false;
}

uint32_t
refill_products(const struct look *look, enum kind kind,
    const struct supply *supplies, uint32_t supply_count,
    struct product *products)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < supply_count; i++) {
		const struct supply *supply = &supplies[i];
		const struct prescription *p;
		struct product product;

		/* in hospital, until nobody knows when: nothing runs out */
		if (supply->run_out_on == ON_UNKNOWN ||
		    supply->run_out_on == ON_NEVER || supply->paused ||
		    (supply->unclear_count > 0 && ends_unclear(look, supply)))
			continue;
		p = filled_prescription(look, supply->drug);
		if (p == NULL || choose_kind(look, p, supply) != kind)
			continue;
		product = (struct product){
		    .prescription = p,
		    .kind = kind,
		    .program = program_for(look->rules, kind, p->product_class),
		    .run_out_on = supply->run_out_on,
		    .supply = supply,
		    .opened_at = last_fill_at(look, supply->drug),
		    .visited_at = kind == KIND_RENEWAL
				      ? follow_up_last_kept_at(look,
					    p->prescriber, supply->run_out_on)
				      : AT_UNKNOWN,
		};
		product.anchor_on = cycle_anchor(look, &product, kind);
		if (!has_left(look, &product))
			products[count++] = product;
	}
	qsort(products, count, sizeof(*products), compare_products);
	return count;
}

static int32_t
unclear_prescription(const struct supply *supply, const struct fill *fill)
{
	return fill->prescription_no != 0 ? fill->prescription_no
					  : supply->prescription_no;
}

/* Its number among those of one prescription and day. */
static int32_t
unclear_slot(
    const struct look *look, const struct supply *supply, uint32_t index)
{
	const struct dossier *d = look->dossier;
	const struct fill *fill = find_fill(d, supply->unclear[index]);
	int32_t slot = STAGE_SUPPLY;

	for (uint32_t i = 0; i < index; i++) {
		const struct fill *other = find_fill(d, supply->unclear[i]);

		if (unclear_prescription(supply, other) ==
			unclear_prescription(supply, fill) &&
		    look_date(look, other->handed_over_at) ==
			look_date(look, fill->handed_over_at))
			slot += SLOT_AGAIN;
	}
	return slot;
}

static void
collect_unclear_fill(
    struct look *look, const struct supply *supply, uint32_t index)
{
	const struct fill *fill =
	    find_fill(look->dossier, supply->unclear[index]);
	int32_t no = unclear_prescription(supply, fill);
	int32_t given_on = look_date(look, fill->handed_over_at);
	int32_t slot = unclear_slot(look, supply, index);
	struct candidate *c;

	/* history that came with an import is nobody's task */
	if (no == 0 || fill->handed_over_at < look->rules->handled_before ||
	    look_task_is_stale(look, fill->handed_over_at) ||
	    said_find(look, KIND_REFILL, no, given_on, slot, true) != NULL)
		return;
	if (!policy_tasks_allowed(look)) {
		said_mark_over(look, KIND_REFILL, no, given_on, slot, true);
		return;
	}
	c = look_add(look, KIND_REFILL, STAGE_SUPPLY, fill->handed_over_at, 1);
	c->task = true;
	c->anchor_on = given_on;
	c->item_count = 1;
	c->items[0] = (struct plan_item){
	    .no = no,
	    .reference = look_reference(look, KIND_REFILL, no),
	    .occurrence_on = given_on,
	    .slot = slot,
	    .run_out_on = ON_UNKNOWN,
	    .at = fill->handed_over_at,
	};
}

void
refill_collect_unclear(
    struct look *look, const struct supply *supplies, uint32_t supply_count)
{
	for (uint32_t i = 0; i < supply_count; i++)
		for (uint32_t k = 0; k < supplies[i].unclear_count; k++)
			collect_unclear_fill(look, &supplies[i], k);
}
