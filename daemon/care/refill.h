#ifndef ADHERD_CARE_REFILL_H
#define ADHERD_CARE_REFILL_H

#include "care/look.h"
#include "care/supply.h"

/*
 * A product with an open cycle: what runs out, when, whether a refill can
 * be dispensed then or a visit is needed, and the date under which its
 * cycle was opened.
 */
struct product {
	const struct prescription *prescription;
	enum kind kind; /* REFILL or RENEWAL */
	const struct program *program;
	int32_t run_out_on;
	int32_t anchor_on; /* of its cycle: a small correction keeps it */
	const struct supply *supply;
	int64_t opened_at; /* the last fill: earlier stages are not its own */
	/*
	 * RENEWAL: the last visit with the prescriber before run-out.  What
	 * was due before it asked for that visit.
	 */
	int64_t visited_at;
};

/*
 * Did something happen since then, a fill, a visit or another status, by
 * which products may have come or gone?
 */
bool refill_changed_since(const struct look *look, int64_t at);
/* Products of one kind that are still open, by run-out, then id. */
uint32_t refill_products(const struct look *look, enum kind kind,
    const struct supply *supplies, uint32_t supply_count,
    struct product *products);
/* One task for each fill whose days' supply cannot be worked out. */
void refill_collect_unclear(
    struct look *look, const struct supply *supplies, uint32_t supply_count);

#endif
