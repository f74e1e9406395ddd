/*
 * The reference line of `make bench`: the bare job on one thread and nothing
 * besides.  Claim 1,000 reminders by ctid with SKIP LOCKED, render them, post
 * each over kept-alive libcurl connections, record what was answered by UNNEST
 * on a second connection; durable commits.  No patients, no plan, no retries,
 * no receipts: what adherd does more is what the ratio shows.
 *
 *	adherd-reference DSN URL IN_FLIGHT PER_REQUEST COUNT
 *
 * Ends when COUNT reminders are recorded and prints the time from the first
 * claim to the last commit, in us.
 */
#include <curl/curl.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define CLAIM 1000
#define QUEUE (4 * CLAIM)
#define MESSAGE_BYTES 512
#define PER_REQUEST_MAX 200
#define IN_FLIGHT_MAX 4096
#define ID_BYTES 24
#define EVENTS 256

static const char claim_text[] =
    "UPDATE reminder SET state = 1, claimed_at = now() WHERE ctid = ANY(ARRAY("
    "SELECT ctid FROM reminder WHERE state = 0 AND due_at <= now() "
    "ORDER BY due_at, id LIMIT $1::int FOR UPDATE SKIP LOCKED)) "
    "RETURNING id, phone, patient_name, drug, due_text";
static const char record_text[] =
    "UPDATE reminder r SET state = 2, provider_id = x.provider_id, "
    "sent_at = now() FROM unnest($1::bigint[], $2::text[]) "
    "x (id, provider_id) WHERE r.id = x.id";

/* id, phone, name, drug, date; name, drug, date */
#define MESSAGE \
	"{\"id\":\"%s\",\"to\":\"%s\",\"template\":\"R1\"," \
	"\"text\":\"【康讯】%s您好，您的%s预计%s用完，请及时续方取药。" \
	"已取药请回复1，咨询请致电医生。\"," \
	"\"params\":{\"name\":\"%s\",\"drug\":\"%s\",\"date\":\"%s\"}}"

struct message {
	char id[ID_BYTES];
	char json[MESSAGE_BYTES];
	size_t bytes;
};

struct request {
	CURL *easy;
	struct request *next; /* free */
	char ids[PER_REQUEST_MAX][ID_BYTES];
	int count;
	char body[PER_REQUEST_MAX * MESSAGE_BYTES];
	char answer[PER_REQUEST_MAX * 96 + 256];
	size_t answered;
};

struct line {
	int epoll;
	CURLM *multi;
	long curl_ms; /* -1: no timer */
	PGconn *claimer, *recorder;
	bool claiming, recording, dry;
	struct message queue[QUEUE];
	size_t first, end;
	struct request *free;
	int per_request;
	char *ids, *provider_ids; /* array literals */
	size_t id_bytes, provider_id_bytes;
	long waiting, in_record, recorded;
};

static void
fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "reference: %s: %s\n", what, why);
	exit(1);
}

static int64_t
now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- recording ---- */

static void
add_recorded(struct line *line, const char *id, const char *provider_id,
    size_t provider_id_bytes)
{
	line->id_bytes += (size_t)sprintf(line->ids + line->id_bytes, "%s%s",
	    line->waiting == 0 ? "{" : ",", id);
	line->provider_id_bytes +=
	    (size_t)sprintf(line->provider_ids + line->provider_id_bytes,
		"%s%.*s", line->waiting == 0 ? "{" : ",",
		(int)provider_id_bytes, provider_id);
	line->waiting++;
}

static void
record(struct line *line)
{
	const char *values[2] = {line->ids, line->provider_ids};

	if (line->recording || line->waiting == 0)
		return;
	strcpy(line->ids + line->id_bytes, "}");
	strcpy(line->provider_ids + line->provider_id_bytes, "}");
	if (PQsendQueryPrepared(
		line->recorder, "record", 2, values, NULL, NULL, 0) != 1 ||
	    PQflush(line->recorder) < 0)
		fail("record", PQerrorMessage(line->recorder));
	line->recording = true;
	line->in_record = line->waiting;
	line->waiting = 0;
	line->id_bytes = line->provider_id_bytes = 0;
}

/* ---- sending ---- */

static const char *
value_after(const char *text, const char *key, size_t *bytes)
{
	text = strstr(text, key);
	if (text == NULL)
		fail("answer", "no id");
	text += strlen(key);
	*bytes = strcspn(text, "\"");
	return text;
}

static void
take_answer(struct line *line, struct request *request)
{
	const char *at = request->answer, *id;
	size_t bytes;

	request->answer[request->answered] = '\0';
	for (int i = 0; i < request->count; i++) {
		id = value_after(at,
		    line->per_request > 1 ? "\"message_id\":\"" : "\"id\":\"",
		    &bytes);
		add_recorded(line, request->ids[i], id, bytes);
		at = id + bytes;
	}
	request->next = line->free;
	line->free = request;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	struct request *request = arg;

	if (request->answered + size * count >= sizeof(request->answer))
		return 0;
	memcpy(request->answer + request->answered, data, size * count);
	request->answered += size * count;
	return size * count;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct line *line = arg;
	struct epoll_event event = {.data.fd = fd};

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(line->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	(void)epoll_ctl(line->epoll,
	    known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	(void)curl_multi_assign(line->multi, fd, line);
	return 0;
}

static int
on_curl_timer(CURLM *multi, long ms, void *arg)
{
	(void)multi;
	((struct line *)arg)->curl_ms = ms;
	return 0;
}

static void
reap(struct line *line)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(line->multi, &left)) != NULL) {
		CURL *easy = message->easy_handle;
		struct request *request;
		long status = 0;

		if (message->data.result != CURLE_OK)
			fail("post", curl_easy_strerror(message->data.result));
		(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
		(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		(void)curl_multi_remove_handle(line->multi, easy);
		if (status != 200)
			fail("post", "not 200");
		take_answer(line, request);
	}
}

static void
act(struct line *line, curl_socket_t fd, int events)
{
	int running;

	(void)curl_multi_socket_action(line->multi, fd, events, &running);
	reap(line);
}

static void
open_requests(struct line *line, const char *url, int in_flight)
{
	struct curl_slist *headers =
	    curl_slist_append(NULL, "Content-Type: application/json");

	line->multi = curl_multi_init();
	(void)curl_multi_setopt(
	    line->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(line->multi, CURLMOPT_SOCKETDATA, line);
	(void)curl_multi_setopt(
	    line->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	(void)curl_multi_setopt(line->multi, CURLMOPT_TIMERDATA, line);
	(void)curl_multi_setopt(
	    line->multi, CURLMOPT_MAXCONNECTS, (long)in_flight + 8);
	headers = curl_slist_append(headers, "Expect:");
	for (int i = 0; i < in_flight; i++) {
		struct request *request = calloc(1, sizeof(*request));

		if (request == NULL)
			fail("memory", strerror(errno));
		request->easy = curl_easy_init();
		(void)curl_easy_setopt(request->easy, CURLOPT_URL, url);
		(void)curl_easy_setopt(
		    request->easy, CURLOPT_HTTPHEADER, headers);
		(void)curl_easy_setopt(
		    request->easy, CURLOPT_WRITEFUNCTION, on_body);
		(void)curl_easy_setopt(
		    request->easy, CURLOPT_WRITEDATA, request);
		(void)curl_easy_setopt(request->easy, CURLOPT_PRIVATE, request);
		(void)curl_easy_setopt(request->easy, CURLOPT_NOSIGNAL, 1L);
		request->next = line->free;
		line->free = request;
	}
}

static void
post(struct line *line, int count)
{
	struct request *request = line->free;
	size_t bytes = 0;

	line->free = request->next;
	if (line->per_request > 1)
		bytes = (size_t)sprintf(request->body, "{\"messages\":[");
	for (int i = 0; i < count; i++) {
		struct message *message = &line->queue[line->first++ % QUEUE];

		if (i > 0)
			request->body[bytes++] = ',';
		memcpy(request->body + bytes, message->json, message->bytes);
		bytes += message->bytes;
		memcpy(request->ids[i], message->id, ID_BYTES);
	}
	if (line->per_request > 1) {
		memcpy(request->body + bytes, "]}", 2);
		bytes += 2;
	}
	request->count = count;
	request->answered = 0;
	(void)curl_easy_setopt(
	    request->easy, CURLOPT_POSTFIELDS, request->body);
	(void)curl_easy_setopt(
	    request->easy, CURLOPT_POSTFIELDSIZE, (long)bytes);
	(void)curl_multi_add_handle(line->multi, request->easy);
}

/* Whole requests, and a last one when no more is to be claimed now. */
static void
post_all(struct line *line)
{
	while (line->free != NULL && line->first != line->end) {
		size_t left = line->end - line->first;

		if (left < (size_t)line->per_request && line->claiming)
			return;
		post(line, left < (size_t)line->per_request
			       ? (int)left
			       : line->per_request);
	}
}

/* ---- claiming ---- */

static void
claim(struct line *line)
{
	static const char *const values[1] = {"1000"};

	if (line->claiming || line->dry || line->end - line->first >= CLAIM)
		return;
	if (PQsendQueryPrepared(
		line->claimer, "claim", 1, values, NULL, NULL, 0) != 1 ||
	    PQflush(line->claimer) < 0)
		fail("claim", PQerrorMessage(line->claimer));
	line->claiming = true;
}

static void
take_claimed(struct line *line, const PGresult *result)
{
	int count = PQntuples(result);

	line->dry = count < CLAIM;
	for (int i = 0; i < count; i++) {
		struct message *message = &line->queue[line->end++ % QUEUE];

		(void)snprintf(
		    message->id, ID_BYTES, "%s", PQgetvalue(result, i, 0));
		message->bytes = (size_t)snprintf(message->json, MESSAGE_BYTES,
		    MESSAGE, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1),
		    PQgetvalue(result, i, 2), PQgetvalue(result, i, 3),
		    PQgetvalue(result, i, 4), PQgetvalue(result, i, 2),
		    PQgetvalue(result, i, 3), PQgetvalue(result, i, 4));
		if (message->bytes >= MESSAGE_BYTES)
			fail("render", "too long");
	}
}

static void
read_results(struct line *line, PGconn *connection)
{
	PGresult *result;

	if (PQconsumeInput(connection) != 1)
		fail("read", PQerrorMessage(connection));
	while (PQisBusy(connection) == 0) {
		ExecStatusType status;

		result = PQgetResult(connection);
		if (result == NULL) {
			if (connection == line->claimer) {
				line->claiming = false;
			} else if (line->recording) {
				line->recording = false;
				line->recorded += line->in_record;
			}
			return;
		}
		status = PQresultStatus(result);
		if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
			fail("statement", PQerrorMessage(connection));
		if (connection == line->claimer)
			take_claimed(line, result);
		PQclear(result);
	}
}

static PGconn *
connect_to(
    struct line *line, const char *dsn, const char *name, const char *text)
{
	PGconn *connection = PQconnectdb(dsn);
	struct epoll_event event = {.events = EPOLLIN};
	PGresult *result;

	if (PQstatus(connection) != CONNECTION_OK)
		fail("connect", PQerrorMessage(connection));
	PQclear(PQexec(connection,
	    "SET random_page_cost = 1.1; SET plan_cache_mode = "
	    "force_generic_plan"));
	result = PQprepare(connection, name, text, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail("prepare", PQerrorMessage(connection));
	PQclear(result);
	(void)PQsetnonblocking(connection, 1);
	event.data.fd = PQsocket(connection);
	if (epoll_ctl(line->epoll, EPOLL_CTL_ADD, event.data.fd, &event) != 0)
		fail("epoll", strerror(errno));
	return connection;
}

static void
turn(struct line *line)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(line->epoll, events, EVENTS,
	    line->curl_ms >= 0 && line->curl_ms < 1000 ? (int)line->curl_ms
						       : 1000);

	for (int i = 0; i < count; i++) {
		int fd = events[i].data.fd;

		if (fd == PQsocket(line->claimer))
			read_results(line, line->claimer);
		else if (fd == PQsocket(line->recorder))
			read_results(line, line->recorder);
		else
			act(line, fd,
			    ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN
							  : 0) |
				((events[i].events & EPOLLOUT)
					? CURL_CSELECT_OUT
					: 0));
	}
	if (line->curl_ms == 0 || (count == 0 && line->curl_ms > 0)) {
		line->curl_ms = -1;
		act(line, CURL_SOCKET_TIMEOUT, 0);
	}
}

int
main(int argc, char **argv)
{
	static struct line line = {.curl_ms = -1};
	int in_flight;
	long count;
	int64_t begun;

	if (argc != 6) {
		fputs("usage: adherd-reference DSN URL IN_FLIGHT PER_REQUEST "
		      "COUNT\n",
		    stderr);
		return 64;
	}
	in_flight = (int)strtol(argv[3], NULL, 10);
	line.per_request = (int)strtol(argv[4], NULL, 10);
	count = strtol(argv[5], NULL, 10);
	if (in_flight < 1 || in_flight > IN_FLIGHT_MAX ||
	    line.per_request < 1 || line.per_request > PER_REQUEST_MAX)
		fail("arguments", "out of bounds");
	line.ids = malloc((size_t)count * ID_BYTES + 16);
	line.provider_ids = malloc((size_t)count * ID_BYTES + 16);
	line.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (line.ids == NULL || line.provider_ids == NULL || line.epoll < 0)
		fail("start", strerror(errno));
	(void)curl_global_init(CURL_GLOBAL_ALL);
	line.claimer = connect_to(&line, argv[1], "claim", claim_text);
	line.recorder = connect_to(&line, argv[1], "record", record_text);
	open_requests(&line, argv[2], in_flight);
	begun = now_us();
	while (line.recorded < count) {
		claim(&line);
		post_all(&line);
		record(&line);
		turn(&line);
	}
	(void)printf("%lld\n", (long long)(now_us() - begun));
	return 0;
}
