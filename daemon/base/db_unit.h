#ifndef ADHERD_BASE_DB_UNIT_H
#define ADHERD_BASE_DB_UNIT_H

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/db.h"

/*
 * What a unit is made of and how values lie in it: between db_unit.c, which
 * sends and receives, and db_value.c, which puts values in and takes them out.
 */
#define PARAMETERS_MAX 64

/* What a prepared statement takes, as the server described it. */
struct statement {
	const struct db_statement *source;
	int parameter_count;
	Oid parameters[PARAMETERS_MAX];
};

enum param_kind {
	PARAM_NULL,
	PARAM_NUMBER,
	PARAM_BOOL,
	PARAM_AT,
	PARAM_ON,
	PARAM_TEXT,
	PARAM_BYTES,
	PARAM_ARRAY
};

struct param {
	enum param_kind kind;
	int64_t number;
	const void *bytes;
	size_t count; /* of bytes */
	enum db_type element;
};

enum command_kind {
	COMMAND_EXECUTE,
	COMMAND_PREPARE,
	COMMAND_DESCRIBE,
	COMMAND_TEXT /* without parameters, not prepared */
};

struct command {
	enum command_kind kind;
	struct statement *statement;
	const char *text;   /* COMMAND_TEXT */
	struct list params; /* struct param */
	void (*on_result)(const struct db_result *result, void *arg);
	void *arg;
};

struct db_unit {
	struct db *db;
	struct arena *arena;
	struct db_unit *next; /* in db->under_way or db->lost */
	struct list commands; /* struct command */
	size_t answered;      /* how many of them */
	size_t refused;       /* which of them failed, if sqlstate */
	char sqlstate[6];
	int64_t deadline_at; /* clock_boot(); AT_NEVER: none */
	void (*done)(enum db_outcome outcome, const char *sqlstate, void *arg);
	void *arg;
};

struct db_result {
	const PGresult *pg;
};

/* What PQsendQueryPrepared() takes. */
struct wire {
	const char *values[PARAMETERS_MAX];
	int lengths[PARAMETERS_MAX];
	int formats[PARAMETERS_MAX];
	uint8_t numbers[PARAMETERS_MAX][24];
};

/* Of a command; dies where they do not fit its statement: our mistake. */
void wire_params(struct wire *wire, const struct command *command);

#endif
