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
	if (renewed(look, p) || follow_up_booked(look, p->prescriber,
				    supply->last_start_on, supply->run_out_on))
		return 0;
	return KIND_RENEWAL;
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
 * The date under which the cycle is known: that of a stage already spoken
 * of since the last fill, unless the run-out moved by more than 3 days.
 */
static int32_t
cycle_anchor(const struct look *look, const struct product *product)
{
	const struct said *said = look->said.data;
	int32_t shift = look->rules->kinds[product->kind].cycle_shift_days;

	for (size_t i = look->said.count; i > 0; i--) {
		const struct said *s = &said[i - 1];

		if (s->kind == product->kind &&
		    s->source == product->prescription->no &&
		    s->slot != STAGE_SUPPLY && s->at >= product->opened_at &&
		    abs(s->occurrence_on - product->run_out_on) <= shift)
			return s->occurrence_on;
	}
	return product->run_out_on;
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

		if (supply->run_out_on == ON_UNKNOWN ||
		    supply->run_out_on == ON_NEVER)
			continue;
		p = filled_prescription(look, supply->drug);
		if (p == NULL || choose_kind(look, p, supply) != kind)
			continue;
		product = (struct product){
		    .prescription = p,
		    .kind = kind,
		    .run_out_on = supply->run_out_on,
		    .last_days = supply->last_days,
		    .opened_at = last_fill_at(look, supply->drug),
		    .visited_at =
			kind == KIND_RENEWAL
			    ? follow_up_last_kept_at(look, p->prescriber)
			    : AT_UNKNOWN,
		};
		product.anchor_on = cycle_anchor(look, &product);
		/* its task is made: it left the ladder */
		if (said_find(look, kind, p->no, product.anchor_on, STAGE_P14,
			true) == NULL)
			products[count++] = product;
	}
	qsort(products, count, sizeof(*products), compare_products);
	return count;
}

static const struct fill *
find_fill(const struct dossier *d, int32_t no)
{
	for (uint32_t i = 0; i < d->fill_count; i++)
		if (d->fills[i].no == no)
			return &d->fills[i];
	return NULL;
}

static void
collect_unclear_fill(
    struct look *look, const struct supply *supply, const struct fill *fill)
{
	int32_t no = fill->prescription_no != 0 ? fill->prescription_no
						: supply->prescription_no;
	int32_t given_on = look_date(look, fill->handed_over_at);
	struct candidate *c;

	if (no == 0 || fill->handed_over_at > look->now ||
	    fill->handed_over_at < look->rules->handled_before ||
	    !policy_tasks_allowed(look) ||
	    said_find(look, KIND_REFILL, no, given_on, STAGE_SUPPLY, true) !=
		NULL)
		return;
	/* history that came with an import is nobody's task */
	if (look_task_is_stale(look, fill->handed_over_at))
		return;
	c = look_add(look, KIND_REFILL, STAGE_SUPPLY, fill->handed_over_at, 1);
	c->task = true;
	c->anchor_on = given_on;
	c->item_count = 1;
	c->items[0] = (struct plan_item){
	    .no = no,
	    .reference = look_reference(look, KIND_REFILL, no),
	    .occurrence_on = given_on,
	    .slot = STAGE_SUPPLY,
	    .run_out_on = ON_UNKNOWN,
	    .at = fill->handed_over_at,
	};
}

void
refill_collect_unclear(
    struct look *look, const struct supply *supplies, uint32_t supply_count)
{
	for (uint32_t i = 0; i < supply_count; i++)
		for (uint32_t k = 0; k < supplies[i].unclear_count; k++) {
			const struct fill *fill =
			    find_fill(look->dossier, supplies[i].unclear[k]);

			if (fill != NULL)
				collect_unclear_fill(look, &supplies[i], fill);
		}
}
