/*
 * More people like those that were imported: their rows copied under numbers
 * and buckets of their own, name and addresses sealed anew for them, and
 * their dossiers made by the daemon's own statement.  A million people would
 * take the door hours; what a drain reads is the same.  Identities and
 * resources, which only the door reads, are left out.
 *
 *	adherd-multiply DSN KEYRING SOURCES FIRST LAST
 *
 * People FIRST to LAST become copies of people 1 to SOURCES.  Prints how long
 * the database took for a dossier, in us.
 */
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "flow/seal.h"
#include "flow/statements.h"

#define AT_ONCE 20000  /* people a transaction */
#define IN_PIPE 500    /* dossiers a sync */
#define CONTACTS_MAX 8 /* of a source */

struct source {
	int tenant_id, contact_count;
	int contact_no[CONTACTS_MAX];
};

struct copy { /* one that is to be made */
	int16_t bucket;
	long id;
};

static const char prepare_text[] =
    "CREATE TEMPORARY TABLE copied (bucket smallint, patient_id bigint, "
    "from_id bigint, name_sealed bytea);"
    "CREATE TEMPORARY TABLE copied_contact (patient_id bigint, "
    "contact_no integer, address_sealed bytea, address_index bytea);";

/* FROM and WHERE of each: the source's rows t for each copy c. */
#define EACH(table) \
	" FROM copied c JOIN source s ON s.patient_id = c.from_id JOIN " table \
	" t ON t.bucket = s.bucket AND t.patient_id = s.patient_id " \
	"ORDER BY c.patient_id;"
#define KEY "c.bucket, c.patient_id, "
static const char copy_text[] =
    "INSERT INTO patient (bucket, patient_id, tenant_id, source_id, zone, "
    "locale, name_sealed, birth_from_on, birth_on, next_no) SELECT " KEY
    "t.tenant_id, 'p' || c.patient_id, t.zone, t.locale, c.name_sealed, "
    "t.birth_from_on, t.birth_on, t.next_no" EACH(
	"patient") "INSERT INTO agenda (bucket, patient_id, tenant_id, class, "
		   "next_at, "
		   "planned_through, standing, recent) SELECT " KEY
		   "t.tenant_id, t.class, t.next_at, t.planned_through, "
		   "t.standing, t.recent" EACH(
		       "agenda") "INSERT INTO consent (bucket, patient_id, "
				 "consent_no, rule_no, tenant_id, "
				 "given_at, permit, topics, channels, actor, "
				 "evidence) SELECT " KEY
				 "t.consent_no, t.rule_no, t.tenant_id, "
				 "t.given_at, t.permit, t.topics, "
				 "t.channels, t.actor, t.evidence" EACH(
				     "consent") "INSERT INTO prescription "
						"(bucket, patient_id, "
						"prescription_no, tenant_id,"
						" source_id, status, course, "
						"sensitive, drug, name, "
						"authored_at, "
						"authored_has_time, status_at, "
						"quantity_micro, "
						"quantity_unit, "
						"repeats_allowed, supply_days) "
						"SELECT " KEY
						"t.prescription_no, "
						"t.tenant_id, t.source_id, "
						"t.status, t.course, "
						"t.sensitive, t.drug, t.name, "
						"t.authored_at, "
						"t.authored_has_time, "
						"t.status_at, "
						"t.quantity_micro, "
						"t.quantity_unit, "
						"t.repeats_allowed, "
						"t.supply_days" EACH(
						    "prescription") "INSERT "
								    "INTO "
								    "dosage "
								    "(bucket, "
								    "patient_"
								    "id, "
								    "prescripti"
								    "on_no, "
								    "dosage_no,"
								    " "
								    "sequence, "
								    "as_needed,"
								    " dose_"
								    "micro, "
								    "dose_unit,"
								    " timing, "
								    "rule) "
								    "SELECT"
								    " " KEY
								    "t."
								    "prescripti"
								    "on_no, "
								    "t.dosage_"
								    "no, "
								    "t."
								    "sequence, "
								    "t.as_"
								    "needed, "
								    "t.dose_"
								    "micro, "
								    "t.dose_"
								    "unit, "
								    "t.timing, "
								    "t."
								    "rule" EACH(
									"dosag"
									"e") "I"
									     "N"
									     "S"
									     "E"
									     "R"
									     "T"
									     " "
									     "I"
									     "N"
									     "T"
									     "O"
									     " "
									     "f"
									     "i"
									     "l"
									     "l"
									     " "
									     "("
									     "b"
									     "u"
									     "c"
									     "k"
									     "e"
									     "t"
									     ","
									     " "
									     "p"
									     "a"
									     "t"
									     "i"
									     "e"
									     "n"
									     "t"
									     "_"
									     "i"
									     "d"
									     ","
									     " "
									     "f"
									     "i"
									     "l"
									     "l"
									     "_"
									     "n"
									     "o"
									     ","
									     " "
									     "t"
									     "e"
									     "n"
									     "a"
									     "n"
									     "t"
									     "_"
									     "i"
									     "d"
									     ","
									     " "
									     "s"
									     "o"
									     "u"
									     "r"
									     "c"
									     "e"
									     "_"
									     "i"
									     "d"
									     ","
									     " "
									     "p"
									     "r"
									     "e"
									     "s"
									     "c"
									     "r"
									     "i"
									     "p"
									     "t"
									     "i"
									     "o"
									     "n"
									     "_"
									     "n"
									     "o"
									     ","
									     " "
									     "s"
									     "t"
									     "a"
									     "t"
									     "u"
									     "s"
									     ","
									     " "
									     "d"
									     "r"
									     "u"
									     "g"
									     ","
									     " "
									     "q"
									     "u"
									     "a"
									     "n"
									     "t"
									     "i"
									     "t"
									     "y"
									     "_"
									     "m"
									     "i"
									     "c"
									     "r"
									     "o"
									     ","
									     " "
									     "q"
									     "u"
									     "a"
									     "n"
									     "t"
									     "i"
									     "t"
									     "y"
									     "_"
									     "u"
									     "n"
									     "i"
									     "t"
									     ","
									     " "
									     "d"
									     "a"
									     "y"
									     "s"
									     "_"
									     "s"
									     "u"
									     "p"
									     "p"
									     "l"
									     "y"
									     ","
									     " "
									     "h"
									     "a"
									     "n"
									     "d"
									     "e"
									     "d"
									     "_"
									     "o"
									     "v"
									     "e"
									     "r"
									     "_"
									     "a"
									     "t"
									     ")"
									     " "
									     "S"
									     "E"
									     "L"
									     "E"
									     "C"
									     "T"
									     " " KEY
									     "t"
									     "."
									     "f"
									     "i"
									     "l"
									     "l"
									     "_"
									     "n"
									     "o"
									     ","
									     " "
									     "t"
									     "."
									     "t"
									     "e"
									     "n"
									     "a"
									     "n"
									     "t"
									     "_"
									     "i"
									     "d"
									     ","
									     " "
									     "t"
									     "."
									     "s"
									     "o"
									     "u"
									     "r"
									     "c"
									     "e"
									     "_"
									     "i"
									     "d"
									     ","
									     " "
									     "t"
									     "."
									     "p"
									     "r"
									     "e"
									     "s"
									     "c"
									     "r"
									     "i"
									     "p"
									     "t"
									     "i"
									     "o"
									     "n"
									     "_"
									     "n"
									     "o"
									     ","
									     " "
									     "t"
									     "."
									     "s"
									     "t"
									     "a"
									     "t"
									     "u"
									     "s"
									     ","
									     " "
									     "t"
									     "."
									     "d"
									     "r"
									     "u"
									     "g"
									     ","
									     " "
									     "t"
									     "."
									     "q"
									     "u"
									     "a"
									     "n"
									     "t"
									     "i"
									     "t"
									     "y"
									     "_"
									     "m"
									     "i"
									     "c"
									     "r"
									     "o"
									     ","
									     " "
									     "t"
									     "."
									     "q"
									     "u"
									     "a"
									     "n"
									     "t"
									     "i"
									     "t"
									     "y"
									     "_"
									     "u"
									     "n"
									     "i"
									     "t"
									     ","
									     " "
									     "t"
									     "."
									     "d"
									     "a"
									     "y"
									     "s"
									     "_"
									     "s"
									     "u"
									     "p"
									     "p"
									     "l"
									     "y"
									     ","
									     " "
									     "t"
									     "."
									     "h"
									     "a"
									     "n"
									     "d"
									     "e"
									     "d"
									     "_"
									     "o"
									     "v"
									     "e"
									     "r"
									     "_"
									     "a"
									     "t" EACH(
										 "fill") "INSERT INTO contact (bucket, patient_id, contact_no, tenant_id, channel, "
											 "address_sealed, address_index, owner, rank, stated_by) SELECT " KEY
											 "t.contact_no, t.tenant_id, t.channel, a.address_sealed, a.address_index, "
											 "t.owner, t.rank, t.stated_by FROM copied c "
											 "JOIN source s ON s.patient_id = c.from_id "
											 "JOIN contact t ON t.bucket = s.bucket AND t.patient_id = s.patient_id "
											 "JOIN copied_contact a ON a.patient_id = c.patient_id "
											 "AND a.contact_no = t.contact_no;"
											 "INSERT INTO contact_index SELECT a.address_index, t.tenant_id, " KEY
											 "a.contact_no FROM copied c JOIN copied_contact a USING (patient_id) "
											 "JOIN contact t ON t.bucket = c.bucket AND t.patient_id = c.patient_id "
											 "AND t.contact_no = a.contact_no;"
											 "TRUNCATE copied, copied_contact;";

static void __attribute__((noreturn, format(printf, 1, 2)))
stop(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("adherd-multiply: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static PGresult *
run(PGconn *db, const char *text, ExecStatusType wanted)
{
	PGresult *result = PQexec(db, text);

	if (PQresultStatus(result) != wanted)
		stop("%.40s: %s", text, PQerrorMessage(db));
	return result;
}

static void
command(PGconn *db, const char *text)
{
	PQclear(run(db, text, PGRES_COMMAND_OK));
}

static void
read_sources(PGconn *db, struct source *sources, long count)
{
	char text[256];
	PGresult *result;

	(void)snprintf(text, sizeof(text),
	    "CREATE TEMPORARY TABLE source AS SELECT bucket, patient_id FROM "
	    "patient WHERE patient_id <= %ld",
	    count);
	command(db, text);
	command(db, "CREATE INDEX ON source (patient_id); ANALYZE source");
	result = run(db,
	    "SELECT c.patient_id, c.tenant_id, c.contact_no FROM contact c "
	    "JOIN source s USING (bucket, patient_id) ORDER BY 1, 3",
	    PGRES_TUPLES_OK);
	for (int row = 0; row < PQntuples(result); row++) {
		long id = atol(PQgetvalue(result, row, 0));
		struct source *source = &sources[id - 1];

		if (source->contact_count == CONTACTS_MAX)
			stop("person %ld has too many contacts", id);
		source->tenant_id = atoi(PQgetvalue(result, row, 1));
		source->contact_no[source->contact_count++] =
		    atoi(PQgetvalue(result, row, 2));
	}
	PQclear(result);
}

static void
add_hex(struct buf *out, const void *data, size_t bytes)
{
	char hex[512];

	if (bytes * 2 >= sizeof(hex))
		stop("%zu bytes are too many for a field", bytes);
	crypto_hex(data, bytes, hex);
	buf_text(out, "\\\\x");
	buf_text(out, hex);
}

static void
put(PGconn *db, const char *table, struct buf *rows)
{
	PGresult *result = run(db, table, PGRES_COPY_IN);

	PQclear(result);
	if (PQputCopyData(db, rows->data, (int)rows->bytes) != 1 ||
	    PQputCopyEnd(db, NULL) != 1)
		stop("COPY: %s", PQerrorMessage(db));
	result = PQgetResult(db);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		stop("COPY: %s", PQerrorMessage(db));
	PQclear(result);
	while ((result = PQgetResult(db)) != NULL)
		PQclear(result);
	buf_clear(rows);
}

static void
seal_copy(struct keyring *keyring, const struct source *source, long from_id,
    const struct copy *copy, struct buf *people, struct buf *contacts)
{
	const struct seal_person owner = {
	    source->tenant_id, copy->bucket, copy->id};
	struct buf sealed = BUF_INIT(512);
	char text[64];

	(void)snprintf(text, sizeof(text), "甲%ld", copy->id);
	seal_name(keyring, &owner, text, &sealed);
	buf_printf(people, "%d\t%ld\t%ld\t", copy->bucket, copy->id, from_id);
	add_hex(people, sealed.data, sealed.bytes);
	buf_char(people, '\n');
	for (int i = 0; i < source->contact_count; i++) {
		uint8_t index[16];

		(void)snprintf(
		    text, sizeof(text), "+86199%d%07ld", i, copy->id);
		buf_clear(&sealed);
		seal_address(
		    keyring, &owner, source->contact_no[i], text, &sealed);
		seal_address_index(
		    keyring, source->tenant_id, CHANNEL_SMS, text, index);
		buf_printf(
		    contacts, "%ld\t%d\t", copy->id, source->contact_no[i]);
		add_hex(contacts, sealed.data, sealed.bytes);
		buf_char(contacts, '\t');
		add_hex(contacts, index, sizeof(index));
		buf_char(contacts, '\n');
	}
	buf_free(&sealed);
}

static const char *
statement(const char *name)
{
	for (size_t i = 0; i < statement_count; i++)
		if (strcmp(statements[i]->name, name) == 0)
			return statements[i]->text;
	stop("there is no statement %s", name);
}

static void
wait_for_pipe(PGconn *db)
{
	for (;;) {
		PGresult *result = PQgetResult(db);
		ExecStatusType status = PQresultStatus(result);

		PQclear(result);
		if (status == PGRES_PIPELINE_SYNC)
			return;
		if (result != NULL && status != PGRES_COMMAND_OK)
			stop("dossier: %s", PQerrorMessage(db));
	}
}

/* One by one, as the door does; microseconds in all. */
static double
make_dossiers(PGconn *db, const struct copy *copies, long count)
{
	struct timespec from, to;

	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	if (PQenterPipelineMode(db) != 1)
		stop("pipeline: %s", PQerrorMessage(db));
	for (long i = 0; i < count; i++) {
		char bucket[8], id[24];
		const char *values[2] = {bucket, id};

		(void)snprintf(bucket, sizeof(bucket), "%d", copies[i].bucket);
		(void)snprintf(id, sizeof(id), "%ld", copies[i].id);
		if (PQsendQueryPrepared(
			db, "dossier", 2, values, NULL, NULL, 0) != 1)
			stop("dossier: %s", PQerrorMessage(db));
		if (i % IN_PIPE == IN_PIPE - 1 || i == count - 1) {
			if (PQpipelineSync(db) != 1)
				stop("sync: %s", PQerrorMessage(db));
			wait_for_pipe(db);
		}
	}
	if (PQexitPipelineMode(db) != 1)
		stop("pipeline: %s", PQerrorMessage(db));
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	return (double)(to.tv_sec - from.tv_sec) * 1e6 +
	       (double)(to.tv_nsec - from.tv_nsec) / 1e3;
}

int
main(int argc, char **argv)
{
	struct buf people = BUF_INIT(64u << 20);
	struct buf contacts = BUF_INIT(64u << 20);
	struct copy *copies = calloc(AT_ONCE, sizeof(*copies));
	char error[256];
	struct source *sources;
	struct keyring *keyring;
	long source_count, first, last;
	double us = 0;
	PGconn *db;

	if (argc != 6)
		stop("usage: adherd-multiply DSN KEYRING SOURCES FIRST LAST");
	source_count = atol(argv[3]);
	first = atol(argv[4]);
	last = atol(argv[5]);
	keyring = keyring_open(argv[2], error, sizeof(error));
	if (keyring == NULL)
		stop("%s", error);
	db = PQconnectdb(argv[1]);
	if (PQstatus(db) != CONNECTION_OK)
		stop("%s", PQerrorMessage(db));
	sources = calloc((size_t)source_count, sizeof(*sources));
	command(db, prepare_text);
	read_sources(db, sources, source_count);
	PQclear(
	    PQprepare(db, "dossier", statement("dossier_rebuild"), 0, NULL));
	for (long begin = first; begin <= last; begin += AT_ONCE) {
		long count = 0;

		for (long id = begin; id <= last && count < AT_ONCE; id++) {
			struct copy *copy = &copies[count++];
			long from = (id - 1) % source_count;
			uint16_t drawn;

			crypto_random(&drawn, sizeof(drawn));
			copy->bucket = (int16_t)(drawn % BUCKETS);
			copy->id = id;
			seal_copy(keyring, &sources[from], from + 1, copy,
			    &people, &contacts);
		}
		command(db, "BEGIN");
		put(db, "COPY copied FROM STDIN", &people);
		put(db, "COPY copied_contact FROM STDIN", &contacts);
		command(db, "ANALYZE copied; ANALYZE copied_contact");
		command(db, copy_text);
		us += make_dossiers(db, copies, count);
		command(db, "COMMIT");
	}
	(void)printf("%.1f\n", us / (double)(last - first + 1));
	PQfinish(db);
	keyring_free(keyring);
	free(sources);
	free(copies);
	buf_free(&people);
	buf_free(&contacts);
	return 0;
}
