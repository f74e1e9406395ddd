#ifndef ADHERD_DOOR_DRY_RUN_H
#define ADHERD_DOOR_DRY_RUN_H

#include "base/json.h"
#include "care/plan.h"

/*
 * The dry run of program.md 3: plan on a virtual clock, every message
 * delivered at once, for any number of patients together, for those who
 * share an address share its caps.  Pure.
 */
struct dry_patient {
	const char *id;
	/*
	 * The window: looks at from ≤ now < to, and, where something counts
	 * as handled, at what came before, without a line.
	 */
	int64_t from, to;
	int64_t handled_before; /* as in struct rules */
	int64_t planned_through;
	const struct gateways_view *gateways; /* NULL: every one is free */
	const struct said *said; /* what was said before; borrowed */
	uint32_t said_count;
	/*
	 * Fill in the dossier as known at `at`, in the arena, without said.
	 * Returns the next instant at which more is known, or AT_NEVER.
	 */
	int64_t (*know)(const void *source, int64_t at, struct arena *arena,
	    struct dossier *dossier);
	const void *source;
};

struct dry_line {   /* one decision */
	int64_t at; /* as printed: of a hold when it was due */
	const struct zone *zone;
	const char *patient;
	enum plan_action action;
	enum kind kind;
	enum stage stage;
	enum channel channel;
	enum reason reason;
	const char *const *items; /* references, in id order */
	uint32_t item_count;
	uint64_t order; /* of decision */
};

/*
 * All decisions under these rules (borrowed), by instant, then patient id,
 * then order of decision.
 */
uint32_t dry_run(const struct dry_patient *patients, uint32_t count,
    const struct rules *rules, struct arena *arena,
    const struct dry_line **lines);

/* The line of one decision, its texts in the arena; order is 0. */
void dry_line_set(struct dry_line *line, const struct plan_step *step,
    const char *patient, const struct zone *zone, struct arena *arena);
/* The line as JSON, without a line end: the form of program.md 3. */
void dry_line_json(const struct dry_line *line, struct buf *out);
/* A line of a table for people, with its line end. */
void dry_line_table(
    const struct dry_line *line, int patient_width, struct buf *out);

#endif
