/*
 * adherctl supply: fills to run-out dates, with the sum behind each.  Pure:
 * reads stdin, writes a JSON line for each vector.  A vector becomes a
 * dossier, so what is answered is what the daemon would reckon.
 */
#include "ctl_supply.h"

enum { EARLY_REFILL_PCT = 75 };

/* Not about stock: a line that says so, where somebody can tell whose. */
static bool
skip(struct vector *vector)
{
	bool rows = json_get(vector->json, "fills") != NULL ||
		    json_get(vector->json, "corrections") != NULL;

	if (rows && json_get(vector->json, "as_of") != NULL)
		return false;
	if (json_get(vector->json, "id") == NULL)
		vector->silent = true;
	else
		json_write_member(vector->out, "skipped",
		    rows ? "no stock: as_of is missing"
			 : "no stock: fills are missing");
	return true;
}

static void
answer_vector(struct vector *vector)
{
	struct stock stock = {.vector = vector,
	    .arena = vector->arena,
	    .early_refill_pct = EARLY_REFILL_PCT,
	    .interval_days = -1};
	struct fill *fills;

	if (skip(vector) || !stock_read(&stock))
		return;
	stock_link_prescriptions(&stock);
	fills = stock.fills.data;
	for (size_t i = 0; i < stock.fills.count; i++)
		stock_find_units(&stock, &fills[i]);
	stock_write(&stock);
}

static int
run_supply(struct ctl *ctl, int argc, char **argv)
{
	(void)argv;
	if (argc > 0)
		ctl_usage(&ctl_supply);
	return vectors_answer(ctl, answer_vector);
}

const struct ctl_verb ctl_supply = {
    "supply",
    "<VECTORS",
    "run-out dates of fills on stdin, each with its derivation\n\n"
    "VECTORS is JSON: an object with \"vectors\", an array, or values one\n"
    "after the other, each {\"id\", \"as_of\", \"fills\"} and, if you like:\n"
    "  fills        {\"date\", \"drug\", \"days_supply\"}; \"quantity\", "
    "\"unit\";\n"
    "               \"status\" (only completed counts), \"returned\" (true, "
    "or\n"
    "               the date); \"delivered\" or \"shipping_days\": when it\n"
    "               begins; \"as_needed\": it has no days\n"
    "  dosages      {\"drug\", \"timing\" or \"text\", \"dose\", \"unit\", "
    "\"from\",\n"
    "               \"sequence\", \"as_needed\"}; a later \"from\" takes over\n"
    "  corrections  {\"date\", \"drug\", \"days\" or \"quantity\"}: what the "
    "patient\n"
    "               counted that day is all there is; what was lost is less\n"
    "  options      \"pauses\" [{\"from\", \"to\"}], both inclusive, without "
    "\"to\"\n"
    "               through as_of; \"early_refill_pct\" (75);\n"
    "               \"dispense_interval_days\", from the last fill, instead;\n"
    "               \"shipping_days\": the reminders come so much earlier\n"
    "  timezone     of the dates (UTC)\n"
    "One line each: \"stock\" by drug, or \"error\" with code and place.  A\n"
    "vector with an id but without fills or as_of is \"skipped\"; without an\n"
    "id it has no line.  Fills after as_of are not looked at.  A key of a\n"
    "row or of options that is not known is an error; \"id\" and \"note\"\n"
    "are free.",
    run_supply,
};
