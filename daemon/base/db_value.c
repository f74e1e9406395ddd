/*
 * Values of statements: parameters into a unit, arrays, and the columns of a
 * result, in PostgreSQL's binary formats.  A parameter is copied into the
 * unit's arena; what a result hands out is borrowed from it.
 */
#include "base/db_unit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"

#define POSTGRES_EPOCH_DAYS 10957 /* 2000-01-01, days since 1970 */
#define POSTGRES_EPOCH_US (POSTGRES_EPOCH_DAYS * DAY_US)

enum oid { /* pg_type.dat; fixed for ever */
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_VARCHAR = 1043,
	OID_DATE = 1082,
	OID_TIMESTAMPTZ = 1184
};

/* ---- on the wire ---- */

/* A parameter does not fit its statement: our mistake, found at once. */
_Noreturn static void
param_refuse(const struct statement *statement, int index, const char *reason)
{
	log_error("db.parameter", log_s(STATEMENT, statement->source->name),
	    log_n(COUNT, index + 1), log_s(REASON, reason));
	abort();
}

/* Bytes of an integer type; 0: not one that we send in binary. */
static int
integer_bytes(Oid type)
{
	switch (type) {
	case OID_INT2:
		return 2;
	case OID_INT4:
		return 4;
	case OID_INT8:
		return 8;
	default:
		return 0;
	}
}

static void
put_integer(uint8_t *out, int bytes, int64_t value)
{
	for (int i = bytes - 1; i >= 0; i--) {
		out[i] = (uint8_t)value;
		value = (int64_t)((uint64_t)value >> 8);
	}
}

static int64_t
get_integer(const uint8_t *in, int bytes)
{
	uint64_t value = (in[0] & 0x80) != 0 ? UINT64_MAX : 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | in[i];
	return (int64_t)value;
}

/* Our instants to PostgreSQL's: from 2000 on, the ends are infinite. */
static int64_t
at_to_postgres(int64_t at)
{
	int64_t result;

	if (at == AT_NEVER)
		return INT64_MAX;
	if (__builtin_sub_overflow(at, POSTGRES_EPOCH_US, &result))
		return INT64_MIN;
	return result;
}

static int64_t
at_from_postgres(int64_t value)
{
	if (value == INT64_MAX)
		return AT_NEVER;
	if (value == INT64_MIN)
		return AT_UNKNOWN;
	return value + POSTGRES_EPOCH_US;
}

static int32_t
on_to_postgres(int32_t date_on)
{
	int32_t result;

	if (date_on == ON_NEVER)
		return INT32_MAX;
	if (__builtin_sub_overflow(date_on, POSTGRES_EPOCH_DAYS, &result))
		return INT32_MIN;
	return result;
}

static int32_t
on_from_postgres(int32_t value)
{
	if (value == INT32_MAX)
		return ON_NEVER;
	if (value == INT32_MIN)
		return ON_UNKNOWN;
	return value + POSTGRES_EPOCH_DAYS;
}

/* As the type that the statement wants; others than integers as text. */
static void
wire_number(struct wire *wire, int i, int64_t number, Oid type)
{
	int bytes = integer_bytes(type);

	if (bytes == 0) {
		snprintf((char *)wire->numbers[i], sizeof(wire->numbers[i]),
		    "%lld", (long long)number);
		wire->formats[i] = 0;
		return;
	}
	put_integer(wire->numbers[i], bytes, number);
	wire->lengths[i] = bytes;
	assert(get_integer(wire->numbers[i], bytes) == number);
}

struct element {
	Oid type;
	Oid array;
};

static const struct element elements[] = {
    [DB_I16] = {OID_INT2, 1005},
    [DB_I32] = {OID_INT4, 1007},
    [DB_I64] = {OID_INT8, 1016},
    [DB_AT] = {OID_TIMESTAMPTZ, 1185},
    [DB_ON] = {OID_DATE, 1182},
    [DB_TEXT] = {OID_TEXT, 1009},
    [DB_BYTES] = {OID_BYTEA, 1001},
    [DB_BOOL] = {OID_BOOL, 1000},
};

/* Binary, except texts, which the server reads as whatever it wants. */
static void
wire_param(struct wire *wire, int i, const struct param *param,
    const struct statement *statement)
{
	Oid type = statement->parameters[i];

	wire->formats[i] = 1;
	wire->values[i] = (const char *)wire->numbers[i];
	switch (param->kind) {
	case PARAM_NULL:
		wire->values[i] = NULL;
		break;
	case PARAM_NUMBER:
		wire_number(wire, i, param->number, type);
		break;
	case PARAM_BOOL:
		if (type != OID_BOOL)
			param_refuse(statement, i, "a boolean");
		wire->numbers[i][0] = param->number != 0;
		wire->lengths[i] = 1;
		break;
	case PARAM_AT:
		if (type != OID_TIMESTAMPTZ)
			param_refuse(statement, i, "an instant");
		put_integer(wire->numbers[i], 8, at_to_postgres(param->number));
		wire->lengths[i] = 8;
		break;
	case PARAM_ON:
		if (type != OID_DATE)
			param_refuse(statement, i, "a date");
		put_integer(wire->numbers[i], 4,
		    on_to_postgres((int32_t)param->number));
		wire->lengths[i] = 4;
		break;
	case PARAM_TEXT:
		wire->formats[i] = 0;
		wire->values[i] = param->bytes;
		break;
	case PARAM_BYTES:
		if (type != OID_BYTEA)
			param_refuse(statement, i, "bytes");
		wire->values[i] = param->bytes;
		wire->lengths[i] = (int)param->count;
		break;
	case PARAM_ARRAY:
		if (type != elements[param->element].array)
			param_refuse(statement, i, "an array of another type");
		wire->values[i] = param->bytes;
		wire->lengths[i] = (int)param->count;
		break;
	}
}

void
wire_params(struct wire *wire, const struct command *command)
{
	const struct statement *statement = command->statement;
	const struct param *params = command->params.data;
	int count = (int)command->params.count;

	memset(wire, 0, sizeof(*wire));
	if (count != statement->parameter_count)
		param_refuse(statement, statement->parameter_count,
		    "too few or too many");
	for (int i = 0; i < count; i++)
		wire_param(wire, i, &params[i], statement);
}

/* ---- parameters ---- */

static struct param *
unit_param(struct db_unit *unit, enum param_kind kind)
{
	struct command *commands = unit->commands.data;
	struct param *param;

	assert(unit->commands.count > 0);
	param = list_add(&commands[unit->commands.count - 1].params);
	assert(
	    commands[unit->commands.count - 1].params.count <= PARAMETERS_MAX);
	param->kind = kind;
	return param;
}

void
db_param_i16(struct db_unit *unit, int16_t value)
{
	db_param_i64(unit, value);
}

void
db_param_i32(struct db_unit *unit, int32_t value)
{
	db_param_i64(unit, value);
}

void
db_param_i64(struct db_unit *unit, int64_t value)
{
	unit_param(unit, PARAM_NUMBER)->number = value;
}

void
db_param_bool(struct db_unit *unit, bool value)
{
	unit_param(unit, PARAM_BOOL)->number = value;
}

void
db_param_at(struct db_unit *unit, int64_t at)
{
	unit_param(unit, PARAM_AT)->number = at;
}

void
db_param_on(struct db_unit *unit, int32_t date_on)
{
	unit_param(unit, PARAM_ON)->number = date_on;
}

void
db_param_text(struct db_unit *unit, const char *text)
{
	if (text == NULL)
		db_param_null(unit);
	else
		unit_param(unit, PARAM_TEXT)->bytes =
		    arena_text(unit->arena, text);
}

const char *
db_unit_bad_text(const struct db_unit *unit)
{
	const struct command *commands = unit->commands.data;

	for (size_t i = 0; i < unit->commands.count; i++) {
		const struct param *params = commands[i].params.data;

		for (size_t j = 0; j < commands[i].params.count; j++)
			if (params[j].kind == PARAM_TEXT &&
			    !json_is_utf8(params[j].bytes))
				return params[j].bytes;
	}
	return NULL;
}

void
db_param_bytes(struct db_unit *unit, const void *data, size_t bytes)
{
	struct param *param = unit_param(unit, PARAM_BYTES);

	assert(bytes <= INT32_MAX);
	param->bytes = bytes == 0 ? "" : arena_copy(unit->arena, data, bytes);
	param->count = bytes;
}

void
db_param_null(struct db_unit *unit)
{
	unit_param(unit, PARAM_NULL);
}

#define ARRAY_HEADER_BYTES 20

/* array_recv(): dimensions, any NULLs, type, and for the one its bounds. */
void
db_param_array(struct db_unit *unit, const struct db_array *array)
{
	struct param *param = unit_param(unit, PARAM_ARRAY);
	size_t bytes = array->count == 0 ? 12 : ARRAY_HEADER_BYTES;
	uint8_t *out =
	    arena_alloc(unit->arena, ARRAY_HEADER_BYTES + array->body.bytes);

	assert(!array->body.overflow && array->body.bytes < INT32_MAX - 64);
	put_integer(out, 4, array->count == 0 ? 0 : 1);
	put_integer(out + 4, 4, array->has_null);
	put_integer(out + 8, 4, elements[array->type].type);
	put_integer(out + 12, 4, array->count);
	put_integer(out + 16, 4, 1);
	if (array->body.bytes > 0)
		memcpy(out + bytes, array->body.data, array->body.bytes);
	param->bytes = out;
	param->count = bytes + array->body.bytes;
	param->element = array->type;
}

void
db_array_init(struct db_array *array, enum db_type type)
{
	*array = (struct db_array){.type = type};
}

void
db_array_free(struct db_array *array)
{
	buf_free(&array->body);
	db_array_clear(array);
}

void
db_array_clear(struct db_array *array)
{
	buf_clear(&array->body);
	array->count = 0;
	array->has_null = false;
}

static void
array_add(struct db_array *array, const void *data, size_t bytes)
{
	assert(bytes <= INT32_MAX);
	buf_u32(&array->body, (uint32_t)bytes);
	if (bytes > 0)
		buf_add(&array->body, data, bytes);
	array->count++;
}

static void
array_add_integer(struct db_array *array, int bytes, int64_t value)
{
	uint8_t out[8] = {0};

	put_integer(out, bytes, value);
	assert(get_integer(out, bytes) == value);
	array_add(array, out, (size_t)bytes);
}

void
db_array_i64(struct db_array *array, int64_t value)
{
	int bytes = integer_bytes(elements[array->type].type);

	if (array->type == DB_ON)
		array_add_integer(array, 4, on_to_postgres((int32_t)value));
	else if (array->type == DB_AT)
		db_array_at(array, value);
	else {
		assert(bytes != 0);
		array_add_integer(array, bytes, value);
	}
}

void
db_array_at(struct db_array *array, int64_t at)
{
	assert(array->type == DB_AT);
	array_add_integer(array, 8, at_to_postgres(at));
}

void
db_array_text(struct db_array *array, const char *text)
{
	assert(array->type == DB_TEXT);
	if (text == NULL)
		db_array_null(array);
	else
		array_add(array, text, strlen(text));
}

void
db_array_bytes(struct db_array *array, const void *data, size_t bytes)
{
	assert(array->type == DB_BYTES || array->type == DB_TEXT);
	array_add(array, data, bytes);
}

void
db_array_bool(struct db_array *array, bool value)
{
	assert(array->type == DB_BOOL);
	array_add(array, value ? "\1" : "\0", 1);
}

void
db_array_null(struct db_array *array)
{
	buf_u32(&array->body, UINT32_MAX);
	array->count++;
	array->has_null = true;
}

/* ---- results ---- */

int
db_rows(const struct db_result *result)
{
	return PQntuples(result->pg);
}

int64_t
db_affected(const struct db_result *result)
{
	/* the function only reads, but its prototype is older than const */
	PGresult *pg;

	memcpy(&pg, &result->pg, sizeof(pg));
	return strtoll(PQcmdTuples(pg), NULL, 10);
}

bool
db_null(const struct db_result *result, int row, int column)
{
	assert(row >= 0 && row < PQntuples(result->pg));
	assert(column >= 0 && column < PQnfields(result->pg));
	return PQgetisnull(result->pg, row, column) != 0;
}

/* The bytes of a value that is not NULL and of that many bytes. */
static const uint8_t *
value_of(const struct db_result *result, int row, int column, int bytes)
{
	assert(!db_null(result, row, column));
	assert(PQgetlength(result->pg, row, column) == bytes);
	return (const uint8_t *)PQgetvalue(result->pg, row, column);
}

int64_t
db_i64(const struct db_result *result, int row, int column)
{
	int bytes = integer_bytes(PQftype(result->pg, column));

	assert(bytes != 0);
	return get_integer(value_of(result, row, column, bytes), bytes);
}

bool
db_bool(const struct db_result *result, int row, int column)
{
	assert(PQftype(result->pg, column) == OID_BOOL);
	return *value_of(result, row, column, 1) != 0;
}

int64_t
db_at(const struct db_result *result, int row, int column)
{
	assert(PQftype(result->pg, column) == OID_TIMESTAMPTZ);
	return at_from_postgres(
	    get_integer(value_of(result, row, column, 8), 8));
}

int64_t
db_at_or(const struct db_result *result, int row, int column, int64_t null_at)
{
	return db_null(result, row, column) ? null_at
					    : db_at(result, row, column);
}

int32_t
db_on(const struct db_result *result, int row, int column)
{
	assert(PQftype(result->pg, column) == OID_DATE);
	return on_from_postgres(
	    (int32_t)get_integer(value_of(result, row, column, 4), 4));
}

/* The types whose binary form is their text. */
static bool
is_textual(Oid type)
{
	switch (type) {
	case OID_TEXT:
	case OID_VARCHAR:
	case 18:   /* "char" */
	case 19:   /* name */
	case 114:  /* json */
	case 705:  /* unknown */
	case 1042: /* character */
		return true;
	default:
		return type >= 16384; /* enums; domains are their base */
	}
}

const char *
db_text(const struct db_result *result, int row, int column)
{
	if (db_null(result, row, column))
		return NULL;
	assert(is_textual(PQftype(result->pg, column)));
	return PQgetvalue(result->pg, row, column);
}

const uint8_t *
db_bytes(const struct db_result *result, int row, int column, size_t *bytes)
{
	*bytes = 0;
	if (db_null(result, row, column))
		return NULL;
	*bytes = (size_t)PQgetlength(result->pg, row, column);
	return (const uint8_t *)PQgetvalue(result->pg, row, column);
}

static int64_t
element_value(Oid type, const uint8_t *data, uint32_t bytes)
{
	switch (type) {
	case OID_TIMESTAMPTZ:
		assert(bytes == 8);
		return at_from_postgres(get_integer(data, 8));
	case OID_DATE:
		assert(bytes == 4);
		return on_from_postgres((int32_t)get_integer(data, 4));
	default:
		assert(bytes == (uint32_t)integer_bytes(type) && bytes != 0);
		return get_integer(data, (int)bytes);
	}
}

int
db_i64_array(const struct db_result *result, int row, int column,
    struct arena *arena, int64_t **values)
{
	struct reader reader;
	uint32_t dimensions, count, bytes;
	Oid type;

	*values = NULL;
	if (db_null(result, row, column))
		return -1;
	reader = (struct reader){
	    .at = (const uint8_t *)PQgetvalue(result->pg, row, column),
	    .left = (size_t)PQgetlength(result->pg, row, column)};
	dimensions = reader_u32(&reader);
	(void)reader_u32(&reader);
	type = reader_u32(&reader);
	assert(dimensions <= 1 && !reader.bad);
	if (dimensions == 0)
		return 0;
	count = reader_u32(&reader);
	(void)reader_u32(&reader);
	assert(count <= reader.left / 4);
	*values = arena_array(arena, count, sizeof(**values));
	for (uint32_t i = 0; i < count; i++) {
		bytes = reader_u32(&reader);
		(*values)[i] = bytes == UINT32_MAX
				   ? INT64_MIN
				   : element_value(type,
					 reader_bytes(&reader, bytes), bytes);
		assert(!reader.bad);
	}
	return (int)count;
}
