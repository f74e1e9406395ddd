#ifndef ADHERD_CTL_SUPPLY_H
#define ADHERD_CTL_SUPPLY_H

#include "care/dossier.h"
#include "ctl_vectors.h"

/*
 * adherctl supply, in four parts: values of a row (ctl_supply_row.c),
 * dosages (ctl_supply_dosage.c), the whole vector (ctl_supply_read.c) and
 * the answer (ctl_supply_write.c).
 */
enum { SUPPLY_DAYS_MAX = 3660 };

/* One vector, as the rows of a dossier; all of it in the vector's arena. */
struct stock {
	struct vector *vector;
	struct arena *arena;
	const struct zone *zone;
	int32_t as_of_on;
	struct list fills, prescriptions, stays, corrections;
	struct list as_needed; /* struct fill: of no days */
	struct list drugs;     /* const char *: what to answer */
	int32_t early_refill_pct;
	int32_t interval_days; /* -1 */
	int32_t shipping_days; /* the reminders are so much earlier */
};

/* One object of a list, for what is read from it and its errors. */
struct row {
	struct stock *stock;
	const struct json *json;
	const char *list; /* "fills" */
	uint32_t index;
};

/*
 * Each is false where the value is broken, which is then answered.  What is
 * absent or null stays as it is, a required date and the drug excepted.
 */
must_check bool row_read_date(
    const struct row *row, const char *key, bool required, int32_t *on);
must_check bool row_read_days(
    const struct row *row, const char *key, int32_t least, int32_t *days);
must_check bool row_read_amount(
    const struct row *row, const char *key, int64_t *micro);
must_check bool row_read_drug(const struct row *row, const char **drug);
/* Answer with the error; always false. */
bool row_refuse(
    const struct row *row, const char *key, const char *code, const char *text);

/*
 * Has the object, "fills[2]", no other members than these, NULL-ended?
 * False where it has, which is then answered.
 */
must_check bool stock_check_keys(struct stock *stock, const struct json *object,
    const char *at, const char *const *keys);

must_check bool stock_read_dosage(const struct row *row);
/* The unit of an amount that names none: the dose's, or the fills'. */
const char *stock_usual_unit(const struct stock *stock, const char *drug);
/* A later dosage takes over from the one before. */
void stock_link_prescriptions(struct stock *stock);
/*
 * Units of a fill of which only the days are stated, by the dose at that
 * time: so a later change of dose can be reckoned forward.
 */
void stock_find_units(struct stock *stock, struct fill *fill);

/* Read the whole vector; false where it is refused, which is answered. */
must_check bool stock_read(struct stock *stock);
int64_t stock_midnight(const struct stock *stock, int32_t on);

/* "stock": every drug of the vector; one of which nothing counts, no date. */
void stock_write(struct stock *stock);

#endif
