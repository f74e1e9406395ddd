/*
 * More people for `make bench` than an import makes in its time: copies of
 * people who came through the real door, each with a number, a name and
 * phones of their own, sealed for their own row as the door seals them.
 *
 *	adherd-multiply DSN KEYRING SOURCES FIRST LAST
 *
 * The people numbered 1 to SOURCES (patient.source_id p1, p2, …) are copied
 * in turn as the people FIRST to LAST: every row that a patient owns, with
 * the number in it exchanged.  Only resource.content_hash stays that of the
 * source: it says whether a file that is imported again brings anything new.
 * Rows are loaded by COPY, ROUND people a transaction; then the daemon's own
 * statement compiles the dossiers.  Prints a person's share, in us, of the
 * backend's processor's time for that, of the time that it took, and of the
 * time of loading.  Owns nothing but its connections.
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/db.h"
#include "base/log.h"
#include "flow/seal.h"
#include "flow/statements.h"

#define ROUND 10000    /* people a transaction of loading */
#define REBUILDS 200   /* people a transaction of compiling */
#define CONTACTS_MAX 4 /* of a person */
#define DIGITS 7       /* of a phone's number that are the person's */
#define SEALED_MAX 512 /* bytes in hexadecimal */
#define NUMBER_MAX 9999999
#define PHONE_BYTES 64

/* What stands in a source's line in place of what is the copy's own. */
enum mark { NUMBER = 1, BUCKET, PATIENT_ID, NAME, ADDRESS, INDEX };

static const char *const tables[] = {"patient", "identity", "resource",
    "contact", "contact_index", "consent", "prescription", "dosage", "fill",
    "follow_up", "stay", "obstacle", "delivery", "task", "agenda"};

struct contact_text {
	int no;
	char address[PHONE_BYTES];
	enum channel channel;
};

struct source {
	int16_t bucket;
	int64_t patient_id;
	int32_t tenant_id;
	long number;
	struct contact_text contacts[CONTACTS_MAX];
	int contact_count;
	struct buf lines[COUNT(tables)];
};

struct sealed {
	char address[SEALED_MAX], index[33];
};

struct fresh { /* a copy */
	const struct source *source;
	long number;
	int16_t bucket;
	int64_t patient_id;
	char name[SEALED_MAX];
	struct sealed contacts[CONTACTS_MAX];
};

struct multiply {
	PGconn *connection;
	struct keyring *keyring;
	struct source *sources;
	long source_count;
	char *columns[COUNT(tables)];
	struct fresh *round;
	struct db *db;
	int rebuilder; /* process of its backend */
};

static _Noreturn void
fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "multiply: %s: %s\n", what, why);
	exit(1);
}

static PGresult *
ask(struct multiply *m, const char *text)
{
	PGresult *result = PQexec(m->connection, text);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
	    status != PGRES_COPY_OUT && status != PGRES_COPY_IN)
		fail(text, PQerrorMessage(m->connection));
	return result;
}

static long
to_number(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || *end != '\0' || number < 1 || number > NUMBER_MAX)
		fail("no number", text);
	return number;
}

/* ---- the sources ---- */

static void
read_people(struct multiply *m, long count)
{
	char text[256];
	PGresult *result;

	(void)snprintf(text, sizeof(text),
	    "SELECT bucket, patient_id, tenant_id, substr(source_id, 2) "
	    "FROM patient WHERE source_id ~ '^p[0-9]+$' "
	    "AND substr(source_id, 2)::bigint <= %ld "
	    "ORDER BY bucket, patient_id",
	    count);
	result = ask(m, text);
	if (PQntuples(result) != count)
		fail("sources", "are not all there");
	m->sources = mem_alloc((size_t)count * sizeof(*m->sources));
	m->source_count = count;
	for (int i = 0; i < PQntuples(result); i++)
		m->sources[i] = (struct source){
		    .bucket = (int16_t)atoi(PQgetvalue(result, i, 0)),
		    .patient_id = atoll(PQgetvalue(result, i, 1)),
		    .tenant_id = atoi(PQgetvalue(result, i, 2)),
		    .number = to_number(PQgetvalue(result, i, 3)),
		};
	PQclear(result);
}

static int
compare_sources(const void *left, const void *right)
{
	const struct source *a = left, *b = right;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	return (a->patient_id > b->patient_id) -
	       (a->patient_id < b->patient_id);
}

static struct source *
find_source(struct multiply *m, int16_t bucket, int64_t patient_id)
{
	struct source key = {.bucket = bucket, .patient_id = patient_id};

	return bsearch(&key, m->sources, (size_t)m->source_count, sizeof(key),
	    compare_sources);
}

/* Their addresses as they are: copies get others of the same form. */
static void
read_contacts(struct multiply *m)
{
	PGresult *result = PQexecParams(m->connection,
	    "SELECT bucket, patient_id, contact_no, channel::integer, "
	    "address_sealed FROM contact ORDER BY 1, 2, 3",
	    0, NULL, NULL, NULL, NULL, 0);
	struct arena *arena = arena_create();

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail("contacts", PQerrorMessage(m->connection));
	for (int i = 0; i < PQntuples(result); i++) {
		struct source *source =
		    find_source(m, (int16_t)atoi(PQgetvalue(result, i, 0)),
			atoll(PQgetvalue(result, i, 1)));
		struct contact_text *contact;
		size_t bytes;
		unsigned char *sealed;
		const char *address;

		if (source == NULL)
			continue;
		if (source->contact_count == CONTACTS_MAX)
			fail("contacts", "too many of one person");
		contact = &source->contacts[source->contact_count++];
		contact->no = atoi(PQgetvalue(result, i, 2));
		contact->channel = (enum channel)atoi(PQgetvalue(result, i, 3));
		sealed = PQunescapeBytea(
		    (unsigned char *)PQgetvalue(result, i, 4), &bytes);
		address = seal_open_address(m->keyring,
		    &(struct seal_person){
			source->tenant_id, source->bucket, source->patient_id},
		    contact->no, sealed, bytes, arena);
		if (address == NULL || strlen(address) < DIGITS ||
		    strlen(address) >= PHONE_BYTES)
			fail("contacts", "an address that cannot be copied");
		strcpy(contact->address, address);
		PQfreemem(sealed);
	}
	PQclear(result);
	arena_free(arena);
}

/* How a column is read of a source: itself, or a mark. */
static void
add_expression(struct buf *select, const char *column)
{
	if (strcmp(column, "bucket") == 0)
		buf_printf(select, "chr(%d)", BUCKET);
	else if (strcmp(column, "patient_id") == 0)
		buf_printf(select, "chr(%d)", PATIENT_ID);
	else if (strcmp(column, "name_sealed") == 0)
		buf_printf(select, "chr(%d)", NAME);
	else if (strcmp(column, "address_sealed") == 0)
		buf_printf(select, "chr(%d) || contact_no", ADDRESS);
	else if (strcmp(column, "address_index") == 0)
		buf_printf(select,
		    "CASE WHEN contact_no > 0 THEN chr(%d) || contact_no END",
		    INDEX);
	else if (strcmp(column, "source_id") == 0 ||
		 strcmp(column, "value") == 0 ||
		 strcmp(column, "evidence") == 0)
		buf_printf(select, "regexp_replace(%s, '[0-9]+', chr(%d))",
		    column, NUMBER);
	else
		buf_text(select, column);
}

static char *
find_columns(struct multiply *m, const char *table, struct buf *select)
{
	const char *values[1] = {table};
	PGresult *result = PQexecParams(m->connection,
	    "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass "
	    "AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
	    1, NULL, values, NULL, NULL, 0);
	struct buf columns = BUF_INIT(0);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail(table, PQerrorMessage(m->connection));
	for (int i = 0; i < PQntuples(result); i++) {
		const char *column = PQgetvalue(result, i, 0);

		buf_text(&columns, i > 0 ? ", " : "");
		buf_text(&columns, column);
		buf_text(select, ", ");
		add_expression(select, column);
	}
	PQclear(result);
	return columns.data;
}

/* The rows that a table has of the sources, ready to be copied in again. */
static void
read_lines(struct multiply *m, size_t table)
{
	struct buf select = BUF_INIT(0);
	char *line;
	int bytes;

	buf_text(&select, "COPY (SELECT bucket, patient_id");
	m->columns[table] = find_columns(m, tables[table], &select);
	buf_printf(&select, " FROM %s) TO STDOUT", tables[table]);
	PQclear(ask(m, buf_string(&select)));
	while ((bytes = PQgetCopyData(m->connection, &line, 0)) > 0) {
		char *id, *rest;
		long bucket = strtol(line, &id, 10);
		int64_t patient_id = strtoll(id, &rest, 10);
		struct source *source =
		    find_source(m, (int16_t)bucket, patient_id);

		if (source != NULL)
			buf_add(&source->lines[table], rest + 1,
			    (size_t)(bytes - (rest + 1 - line)));
		PQfreemem(line);
	}
	if (bytes != -1)
		fail(tables[table], PQerrorMessage(m->connection));
	PQclear(PQgetResult(m->connection));
	buf_free(&select);
}

/* ---- the copies ---- */

static void
write_hex(const void *data, size_t bytes, char *out, size_t room)
{
	if (bytes * 2 >= room)
		fail("sealed", "too long");
	crypto_hex(data, bytes, out);
}

static void
seal_contact(struct multiply *m, struct fresh *fresh, int i)
{
	const struct source *source = fresh->source;
	const struct contact_text *contact = &source->contacts[i];
	struct seal_person person = {
	    source->tenant_id, fresh->bucket, fresh->patient_id};
	size_t kept = strlen(contact->address) - DIGITS;
	char address[PHONE_BYTES + DIGITS];
	struct buf sealed = BUF_INIT(0);
	uint8_t index[16];

	(void)snprintf(address, sizeof(address), "%.*s%0*ld", (int)kept,
	    contact->address, DIGITS, fresh->number);
	seal_address(m->keyring, &person, contact->no, address, &sealed);
	seal_address_index(
	    m->keyring, person.tenant_id, contact->channel, address, index);
	write_hex(sealed.data, sealed.bytes, fresh->contacts[i].address,
	    sizeof(fresh->contacts[i].address));
	write_hex(index, sizeof(index), fresh->contacts[i].index,
	    sizeof(fresh->contacts[i].index));
	buf_free(&sealed);
}

static void
make_fresh(struct multiply *m, struct fresh *fresh, long number, int64_t id)
{
	struct buf sealed = BUF_INIT(0);
	char name[PHONE_BYTES];
	uint16_t random;

	crypto_random(&random, sizeof(random));
	fresh->source = &m->sources[number % m->source_count];
	fresh->number = number;
	fresh->bucket = (int16_t)(random % BUCKETS);
	fresh->patient_id = id;
	(void)snprintf(name, sizeof(name), "甲%ld", number);
	seal_name(m->keyring,
	    &(struct seal_person){
		fresh->source->tenant_id, fresh->bucket, fresh->patient_id},
	    name, &sealed);
	write_hex(sealed.data, sealed.bytes, fresh->name, sizeof(fresh->name));
	for (int i = 0; i < fresh->source->contact_count; i++)
		seal_contact(m, fresh, i);
	buf_free(&sealed);
}

/* The contact whose number stands there; moves over it. */
static const struct sealed *
contact_at(const struct fresh *fresh, const char **at)
{
	char *end;
	long no = strtol(*at, &end, 10);

	*at = end;
	for (int i = 0; i < fresh->source->contact_count; i++)
		if (fresh->source->contacts[i].no == no)
			return &fresh->contacts[i];
	fail("contact", "not found");
}

static void
add_marked(struct buf *out, const struct fresh *fresh, const char **at)
{
	switch ((enum mark) * (*at)++) {
	case NUMBER:
		buf_printf(out, "%ld", fresh->number);
		break;
	case BUCKET:
		buf_printf(out, "%" PRId16, fresh->bucket);
		break;
	case PATIENT_ID:
		buf_printf(out, "%" PRId64, fresh->patient_id);
		break;
	case NAME:
		buf_printf(out, "\\\\x%s", fresh->name);
		break;
	case ADDRESS:
		buf_printf(out, "\\\\x%s", contact_at(fresh, at)->address);
		break;
	case INDEX:
		buf_printf(out, "\\\\x%s", contact_at(fresh, at)->index);
		break;
	}
}

/* A source's lines as the copy's. */
static void
add_lines(struct buf *out, const struct fresh *fresh, const struct buf *lines)
{
	static const char marks[] = {
	    NUMBER, BUCKET, PATIENT_ID, NAME, ADDRESS, INDEX, '\0'};
	const char *at = lines->data;

	while (at != NULL && *at != '\0') {
		size_t plain = strcspn(at, marks);

		buf_add(out, at, plain);
		at += plain;
		if (*at != '\0')
			add_marked(out, fresh, &at);
	}
}

static void
load_table(struct multiply *m, size_t table, long count)
{
	struct buf text = BUF_INIT(0);
	PGresult *result;

	buf_printf(
	    &text, "COPY %s (%s) FROM STDIN", tables[table], m->columns[table]);
	PQclear(ask(m, buf_string(&text)));
	for (long i = 0; i < count; i++) {
		const struct fresh *fresh = &m->round[i];

		buf_clear(&text);
		add_lines(&text, fresh, &fresh->source->lines[table]);
		if (text.bytes > 0 && PQputCopyData(m->connection, text.data,
					  (int)text.bytes) != 1)
			fail(tables[table], PQerrorMessage(m->connection));
	}
	buf_free(&text);
	if (PQputCopyEnd(m->connection, NULL) != 1)
		fail(tables[table], PQerrorMessage(m->connection));
	while ((result = PQgetResult(m->connection)) != NULL) {
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			fail(tables[table], PQerrorMessage(m->connection));
		PQclear(result);
	}
}

static void
load_round(struct multiply *m, long first, long count)
{
	char text[128];
	PGresult *ids;

	(void)snprintf(text, sizeof(text),
	    "SELECT nextval('patient_id_seq') FROM generate_series(1, %ld)",
	    count);
	ids = ask(m, text);
	for (long i = 0; i < count; i++)
		make_fresh(m, &m->round[i], first + i,
		    atoll(PQgetvalue(ids, (int)i, 0)));
	PQclear(ids);
	PQclear(ask(m, "BEGIN"));
	for (size_t table = 0; table < COUNT(tables); table++)
		load_table(m, table, count);
	PQclear(ask(m, "COMMIT"));
}

/* ---- dossiers ---- */

static void
rebuild(struct multiply *m, long count)
{
	for (long first = 0; first < count; first += REBUILDS) {
		struct db_unit *unit = db_unit_begin(m->db);
		struct db_array buckets, ids;
		char sqlstate[6];

		db_array_init(&buckets, DB_I16);
		db_array_init(&ids, DB_I64);
		for (long i = first; i < count && i < first + REBUILDS; i++) {
			db_array_i64(&buckets, m->round[i].bucket);
			db_array_i64(&ids, m->round[i].patient_id);
		}
		db_unit_add(unit, "dossier_rebuild", NULL, NULL);
		db_param_array(unit, &buckets);
		db_param_array(unit, &ids);
		db_array_free(&buckets);
		db_array_free(&ids);
		if (db_unit_run(unit, sqlstate) != DB_OK)
			fail("dossiers", sqlstate);
	}
}

/* By the scheduler's count; 0 where it cannot be seen. */
static int64_t
backend_ns(const struct multiply *m)
{
	char path[64];
	FILE *file;
	int64_t ran = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/schedstat", m->rebuilder);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%" SCNd64, &ran) != 1)
		ran = 0;
	(void)fclose(file);
	return ran;
}

static void
find_backend(struct multiply *m, const char *label)
{
	const char *values[1] = {label};
	PGresult *result = PQexecParams(m->connection,
	    "SELECT pid FROM pg_stat_activity WHERE application_name = $1", 1,
	    NULL, values, NULL, NULL, 0);

	if (PQntuples(result) != 1)
		fail("backend", "not found");
	m->rebuilder = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
}

static void
open_all(struct multiply *m, const char *dsn, const char *keyring)
{
	char label[64];
	struct db_settings settings = {
	    .dsn = dsn,
	    .label = label,
	    .statements = statements,
	    .statement_count = statement_count,
	    .patient = true,
	};
	char error[256];

	(void)snprintf(
	    label, sizeof(label), "adherd multiply %ld", (long)getpid());
	m->keyring = keyring_open(keyring, error, sizeof(error));
	if (m->keyring == NULL)
		fail("keyring", error);
	m->connection = PQconnectdb(dsn);
	if (PQstatus(m->connection) != CONNECTION_OK)
		fail("database", PQerrorMessage(m->connection));
	m->db = db_open(loop_create(), &settings);
	if (!db_wait_ready(m->db, 10 * SECOND_US))
		fail("database", db_last_reason(m->db));
	find_backend(m, label);
	m->round = mem_alloc(ROUND * sizeof(*m->round));
}

int
main(int argc, char **argv)
{
	static struct multiply m;
	int64_t loading = 0, rebuilding = 0, ran;
	long first, last, count;

	if (argc != 6) {
		fputs("usage: adherd-multiply DSN KEYRING SOURCES FIRST LAST\n",
		    stderr);
		return 64;
	}
	log_level_set(LOG_LEVEL_WARNING);
	first = to_number(argv[4]);
	last = to_number(argv[5]);
	open_all(&m, argv[1], argv[2]);
	read_people(&m, to_number(argv[3]));
	read_contacts(&m);
	for (size_t table = 0; table < COUNT(tables); table++)
		read_lines(&m, table);
	ran = backend_ns(&m);
	for (long at = first; at <= last; at += ROUND) {
		int64_t begun = clock_monotonic(), loaded;

		count = last - at + 1 < ROUND ? last - at + 1 : ROUND;
		load_round(&m, at, count);
		loaded = clock_monotonic();
		rebuild(&m, count);
		loading += loaded - begun;
		rebuilding += clock_monotonic() - loaded;
	}
	count = last - first + 1;
	(void)printf("%.1f %.1f %.1f\n",
	    (double)(backend_ns(&m) - ran) / 1000 / (double)count,
	    (double)rebuilding / (double)count,
	    (double)loading / (double)count);
	return 0;
}
