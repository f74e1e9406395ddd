/*
 * Values of one row of a supply vector: its dates, days, amounts and drug.
 * What is broken is answered with its place, "fills[2].date".
 */
#include <string.h>

#include "base/conf.h"
#include "ctl_supply.h"

bool
row_refuse(
    const struct row *row, const char *key, const char *code, const char *text)
{
	const char *at = arena_printf(row->stock->arena, "%s[%u].%s", row->list,
	    (unsigned)row->index, key);

	vector_refuse(row->stock->vector, code, at, text);
	return false;
}

bool
stock_check_keys(struct stock *stock, const struct json *object, const char *at,
    const char *const *keys)
{
	size_t count = 0;

	while (keys[count] != NULL)
		count++;
	json_each (member, object) {
		const char *nearest;
		size_t i = 0;

		if (member->key == NULL)
			return true; /* no object: refused where it is read */
		while (i < count && strcmp(keys[i], member->key) != 0)
			i++;
		if (i < count)
			continue;
		nearest = conf_nearest(member->key, keys, count);
		vector_refuse(stock->vector, "structure",
		    arena_printf(stock->arena, "%s.%s", at, member->key),
		    nearest == NULL
			? "is not known"
			: arena_printf(stock->arena,
			      "is not known; did you mean \"%s\"?", nearest));
		return false;
	}
	return true;
}

bool
row_read_date(
    const struct row *row, const char *key, bool required, int32_t *on)
{
	const struct json *json = json_get(row->json, key);

	if (json == NULL || json_is(json, JSON_NULL))
		return !required || row_refuse(row, key, "required",
					"must be a date, YYYY-MM-DD");
	if (json_text(json) == NULL || !civil_parse(json_text(json), on))
		return row_refuse(
		    row, key, "value", "must be a date, YYYY-MM-DD");
	return true;
}

bool
row_read_days(
    const struct row *row, const char *key, int32_t least, int32_t *days)
{
	const struct json *json = json_get(row->json, key);
	int64_t number;

	if (json == NULL || json_is(json, JSON_NULL))
		return true;
	if (!json_i64(json, &number) || number < least ||
	    number > SUPPLY_DAYS_MAX)
		return row_refuse(
		    row, key, "value", "must be a whole number of days");
	*days = (int32_t)number;
	return true;
}

bool
row_read_amount(const struct row *row, const char *key, int64_t *micro)
{
	const struct json *json = json_get(row->json, key);

	if (json == NULL || json_is(json, JSON_NULL))
		return true;
	if (!json_micro(json, micro) || *micro < 0)
		return row_refuse(
		    row, key, "value", "must be a number, not negative");
	return true;
}

bool
row_read_drug(const struct row *row, const char **drug)
{
	*drug = json_get_text(row->json, "drug");
	return *drug != NULL ||
	       row_refuse(row, "drug", "required", "must name the ingredient");
}
