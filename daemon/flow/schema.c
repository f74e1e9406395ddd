/*
 * The schema's number, judged: what to do where it is not ours.
 */
#include "flow/schema.h"

#include <stdio.h>
#include <string.h>

bool
schema_lacks(const char *sqlstate)
{
	return strcmp(sqlstate, "42P01") == 0 ||
	       strcmp(sqlstate, "42703") == 0 || strcmp(sqlstate, "42883") == 0;
}

int
schema_check(
    const struct db_result *result, const char *sqlstate, char error[160])
{
	int schema =
	    result != NULL && db_rows(result) == 1 && !db_null(result, 0, 0)
		? (int)db_i64(result, 0, 0)
		: 0;

	if (schema == SCHEMA_NUMBER ||
	    (result == NULL && !schema_lacks(sqlstate)))
		return 0;
	if (schema > SCHEMA_NUMBER)
		(void)snprintf(error, 160,
		    "the database has schema %d, newer than this version, "
		    "which serves %d: run the same version that migrated it",
		    schema, SCHEMA_NUMBER);
	else
		(void)snprintf(error, 160,
		    "the database has schema %d%s, this version serves %d: "
		    "run adherctl migrate with the same version",
		    schema, schema == 0 ? ", none" : "", SCHEMA_NUMBER);
	return -1;
}
