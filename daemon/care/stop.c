/*
 * Operators' stops: does one hold this message?
 */
#include "care/stop.h"

#include <string.h>

/* By its key, "http://www.whocc.no/atc|C08CA01", or by the code in it. */
static bool
names_drug(const char *named, const char *drug)
{
	const char *bar;

	if (drug == NULL)
		return false;
	bar = strchr(drug, '|');
	return strcmp(named, drug) == 0 ||
	       (bar != NULL && strcmp(named, bar + 1) == 0);
}

const struct stop *
stops_find(const struct stops *stops, int32_t tenant_id, enum kind kind,
    enum stage stage, const char *drug)
{
	for (uint32_t i = 0; stops != NULL && i < stops->count; i++) {
		const struct stop *s = &stops->list[i];

		if ((s->tenant_id == 0 || s->tenant_id == tenant_id) &&
		    (s->kind == 0 || s->kind == kind) &&
		    (s->stage == STAGE_NONE || s->stage == stage) &&
		    (s->drug == NULL || names_drug(s->drug, drug)))
			return s;
	}
	return NULL;
}
