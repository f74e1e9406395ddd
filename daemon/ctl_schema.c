/*
 * adherctl migrate: bring the schema up to this binary's.  adherctl check
 * dossiers: hold the compiled rows against the tables.
 *
 * Migrations go forward only, one transaction each, under a lock that lets
 * one run at a time do so.  A file of many statements, and a database that
 * has no schema yet, are not for base/db.h: this is the one place that
 * talks to libpq itself.
 */
#include "ctl.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "flow/schema.h"
#include "flow/statements.h"
#include "migrations.h"

/* ---- migrate ---- */

/* Two runs at once may both make the table: the loser finds it made. */
#define TABLE \
	"CREATE TABLE IF NOT EXISTS schema_migration (" \
	"number integer PRIMARY KEY, name text NOT NULL, " \
	"sha256 text NOT NULL, applied_at timestamptz NOT NULL)"
#define LOCK "LOCK TABLE schema_migration IN ACCESS EXCLUSIVE MODE"

/* Exits with what failed and its SQLSTATE: the words may quote rows. */
static void
check_result(const PGresult *result, const char *what)
{
	const char *sqlstate;

	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_EMPTY_QUERY:
		return;
	default:
		sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		ctl_fail(EXIT_INTERNAL, "%s: the database refused: %s", what,
		    sqlstate != NULL ? sqlstate : "connection lost");
	}
}

static void
run_script(PGconn *connection, const char *text, const char *what)
{
	PGresult *result = PQexec(connection, text);

	check_result(result, what);
	PQclear(result);
}

static const struct db_statement *
find_statement(const char *name)
{
	for (size_t i = 0; i < statement_count; i++)
		if (strcmp(statements[i]->name, name) == 0)
			return statements[i];
	abort(); /* it is embedded */
}

/* A statement of daemon/sql, by name. */
static PGresult *
run_query(PGconn *connection, const char *name, int count,
    const char *const *values, const char *what)
{
	PGresult *result = PQexecParams(connection, find_statement(name)->text,
	    count, NULL, values, NULL, NULL, 0);

	check_result(result, what);
	return result;
}

static PGconn *
connect_plainly(struct ctl *ctl)
{
	PGconn *connection = PQconnectdb(ctl_settings(ctl)->database);
	char reason[DB_REASON_BYTES];

	if (PQstatus(connection) != CONNECTION_OK) {
		db_connect_reason(connection, reason);
		ctl_fail(EXIT_DEPENDENCY, "no database: %s", reason);
	}
	(void)PQsetErrorVerbosity(connection, PQERRORS_SQLSTATE);
	run_script(connection, "SET client_min_messages = warning", "set");
	return connection;
}

static void
make_table(PGconn *connection)
{
	PGresult *result = PQexec(connection, TABLE);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (sqlstate == NULL ||
	    (strcmp(sqlstate, "23505") != 0 && strcmp(sqlstate, "42P07") != 0))
		check_result(result, "schema_migration");
	PQclear(result);
}

/* Is it applied?  Exits where what was applied is not what we have. */
static bool
is_applied(
    PGconn *connection, const struct migration *migration, const char *number)
{
	PGresult *result = run_query(
	    connection, "schema_applied", 1, &number, migration->name);
	bool applied = PQntuples(result) > 0;

	if (applied && strcmp(PQgetvalue(result, 0, 0), migration->sha256) != 0)
		ctl_fail(EXIT_CONFIGURATION,
		    "%s was applied in another form: it must not change",
		    migration->name);
	PQclear(result);
	return applied;
}

static bool
apply(PGconn *connection, const struct migration *migration)
{
	char number[16];
	const char *values[3] = {number, migration->name, migration->sha256};
	bool applied;

	(void)snprintf(number, sizeof(number), "%d", migration->number);
	run_script(connection, "BEGIN", migration->name);
	run_script(connection, LOCK, migration->name);
	applied = is_applied(connection, migration, number);
	if (!applied) {
		run_script(connection, migration->text, migration->name);
		PQclear(run_query(
		    connection, "schema_record", 3, values, migration->name));
	}
	run_script(connection, "COMMIT", migration->name);
	return !applied;
}

/* A schema from the future is not ours to touch. */
static void
check_newest(PGconn *connection)
{
	PGresult *result = run_query(connection, SCHEMA_PROBE, 0, NULL, "look");
	long newest = strtol(PQgetvalue(result, 0, 0), NULL, 10);

	PQclear(result);
	if (migration_count > 0 &&
	    newest > migrations[migration_count - 1].number)
		ctl_fail(EXIT_CONFIGURATION,
		    "the schema, %ld, is newer than this program", newest);
}

static int
run_migrate(struct ctl *ctl, int argc, char **argv)
{
	PGconn *connection;
	size_t applied = 0;

	(void)argv;
	if (argc > 0)
		ctl_usage(&ctl_migrate);
	connection = connect_plainly(ctl);
	make_table(connection);
	check_newest(connection);
	for (size_t i = 0; i < migration_count; i++) {
		if (!apply(connection, &migrations[i]))
			continue;
		applied++;
		(void)printf("applied %s\n", migrations[i].name);
	}
	if (applied == 0)
		(void)puts("nothing to do");
	PQfinish(connection);
	return 0;
}

const struct ctl_verb ctl_migrate = {
    .words = "migrate",
    .usage = "",
    .help = "Bring the database's schema up to this program's.",
    .run = run_migrate,
};

/* ---- check dossiers ---- */

struct check {
	int16_t bucket;
	size_t differing;
};

static void
on_differing(const struct db_result *result, void *arg)
{
	struct check *check = arg;

	for (int i = 0; i < db_rows(result); i++)
		(void)printf("%d/%lld\n", check->bucket,
		    (long long)db_i64(result, i, 0));
	check->differing += (size_t)db_rows(result);
}

static int
run_check_dossiers(struct ctl *ctl, int argc, char **argv)
{
	struct check check = {0};
	struct db *db;

	(void)argv;
	if (argc > 0)
		ctl_usage(&ctl_check_dossiers);
	db = ctl_database(ctl);
	for (; check.bucket < BUCKETS; check.bucket++) {
		struct db_unit *unit = db_unit_begin(db);

		db_unit_add(unit, "dossier_check", on_differing, &check);
		db_param_i16(unit, check.bucket);
		ctl_run(unit);
	}
	return check.differing > 0 ? 1 : 0;
}

const struct ctl_verb ctl_check_dossiers = {
    .words = "check dossiers",
    .usage = "",
    .help = "Print BUCKET/PATIENT of every dossier that is not what the "
	    "tables say; exit 1 if there are any.",
    .run = run_check_dossiers,
};
