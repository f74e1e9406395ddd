#ifndef ADHERD_FLOW_SCHEMA_H
#define ADHERD_FLOW_SCHEMA_H

#include "base/db.h"

/*
 * Is the database's schema the one that this program serves?  Asked on each
 * connection before any other statement is prepared, so that one that is not
 * is told in one line.
 */
#define SCHEMA_PROBE "schema_version" /* the statement that asks */
enum { SCHEMA_NUMBER = 1 }; /* the newest migration that this program knows */

/*
 * What the probe answered (NULL: refused, with sqlstate).  -1 with error
 * where the schema is another or there is none; else 0, also where the probe
 * was refused for another reason, which the connection then ends with.
 */
must_check int schema_check(
    const struct db_result *result, const char *sqlstate, char error[160]);
/* Something that a statement names is not there. */
bool schema_lacks(const char *sqlstate);

#endif
