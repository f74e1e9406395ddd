/*
 * Connection strings, judged before anything connects, and what libpq says
 * when nothing did: its own messages would quote the string, and with it what
 * may be a secret.
 */
#include <libpq-fe.h>
#include <string.h>

#include "base/buf.h"
#include "base/db.h"

const char *
db_dsn_wrong(const char *dsn)
{
	PQconninfoOption *options = PQconninfoParse(dsn, NULL);
	bool password = false;

	if (options == NULL)
		return "not a connection string as libpq takes it";
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
		password |= strcmp(o->keyword, "password") == 0 &&
			    o->val != NULL && o->val[0] != '\0';
	PQconninfoFree(options);
	return password ? "a password does not belong here: name a "
			  "passfile=FILE instead"
			: NULL;
}

/* ---- why there is no connection ---- */

/* May that be told: is it where we connect to, and as whom? */
static bool
is_whereabouts(const struct pg_conn *connection, const char *text, size_t bytes)
{
	const char *known[] = {PQhost(connection), PQhostaddr(connection),
	    PQport(connection), PQuser(connection), PQdb(connection)};

	for (size_t i = 0; i < COUNT(known); i++)
		if (known[i] != NULL && strlen(known[i]) == bytes &&
		    memcmp(known[i], text, bytes) == 0)
			return true;
	return false;
}

/* The way to a socket: the folder is the host. */
static bool
is_socket(const struct pg_conn *connection, const char *text, size_t bytes)
{
	const char *host = PQhost(connection);
	size_t host_bytes = host == NULL ? 0 : strlen(host);

	return host_bytes > 0 && host[0] == '/' && bytes > host_bytes &&
	       memcmp(host, text, host_bytes) == 0 && text[host_bytes] == '/';
}

/*
 * A line for each host that was tried, joined by "; ", less the hints that
 * are indented below.  What stands in quotes is left out unless we know it.
 */
static void
add_reason(const struct pg_conn *connection, const char *text, struct buf *out)
{
	while (*text != '\0') {
		size_t bytes = strcspn(text, "\n\"");

		buf_add(out, text, bytes);
		text += bytes;
		if (*text == '"') {
			bytes = strcspn(++text, "\"\n");
			if (is_whereabouts(connection, text, bytes) ||
			    is_socket(connection, text, bytes))
				buf_add(out, text, bytes);
			else
				buf_text(out, "...");
			text += bytes;
			text += *text == '"';
		} else if (*text == '\n') {
			while (*++text == '\t')
				text += strcspn(text, "\n");
			if (*text != '\0')
				buf_text(out, "; ");
		}
	}
}

void
db_connect_reason(
    const struct pg_conn *connection, char reason[DB_REASON_BYTES])
{
	struct buf out = BUF_INIT(0);
	size_t bytes;

	add_reason(connection, PQerrorMessage(connection), &out);
	bytes = out.bytes < DB_REASON_BYTES ? out.bytes : DB_REASON_BYTES - 1;
	memcpy(reason, buf_string(&out), bytes);
	reason[bytes] = '\0';
	buf_free(&out);
}
