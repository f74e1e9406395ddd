/*
 * Operators' stops: does one hold this message?
 */
#include "care/stop.h"

const struct stop *
stops_find(const struct stops *stops, int32_t tenant_id, enum kind kind,
    enum stage stage, const char *drug)
{
	for (uint32_t i = 0; stops != NULL && i < stops->count; i++) {
		const struct stop *s = &stops->list[i];

		if ((s->tenant_id == 0 || s->tenant_id == tenant_id) &&
		    (s->kind == kind ||
			(s->kind == 0 && kind != KIND_ANSWER)) &&
		    (s->stage == STAGE_NONE || s->stage == stage) &&
		    (s->drug == NULL || drug_is_named(drug, s->drug)))
			return s;
	}
	return NULL;
}
