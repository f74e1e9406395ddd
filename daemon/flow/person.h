#ifndef ADHERD_FLOW_PERSON_H
#define ADHERD_FLOW_PERSON_H

#include "base/db.h"
#include "base/keyring.h"
#include "care/escalation.h"

/*
 * Somebody who is written to and comes from no hospital's records: a member
 * of the care team, or whoever told of danger from nobody's number.
 */
#define PERSON_ADDRESSES_MAX 4

struct person_address {
	enum channel channel;
	const char *text; /* as its channel writes it */
};

struct new_person {
	int32_t tenant_id;
	int16_t bucket;
	int64_t patient_id;
	enum care_role role;
	const char *source, *id; /* the identity: of two at once one fails */
	const char *zone, *locale;
	struct person_address addresses[PERSON_ADDRESSES_MAX];
	int32_t address_count;
	int64_t now; /* care time */
};

/* Buckets are drawn. */
int16_t person_draw_bucket(void);
/*
 * The statements that store them: 23505 where the identity is somebody's
 * already.  Their dossier is for the caller to rebuild.
 */
void person_add(const struct new_person *person, struct keyring *keyring,
    struct db_unit *unit);

#endif
