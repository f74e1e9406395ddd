/*
 * A provider that costs little: what the loopback gateway posts is answered
 * at once, or after a delay, and counted by its id.  One thread, epoll, on
 * loopback only; for benchmarks, where the simulator would be most of what is
 * measured.  It believes its clients: it is no HTTP server for strangers.
 *
 *	adherd-sink [-p PORT] [-d DELAY_MS]
 *
 * POST /…       {"id":"…",…}, or {"messages":[{"id":"…",…},…]}
 * POST /reset   counts to zero; ?delay=MS sets another delay, &note=1 keeps
 *               what /arrivals tells
 * GET  /stats   counts as JSON
 * GET  /arrivals  a line `id us` a message, wall clock, in the order of coming
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 8192
#define REQUEST_BYTES_MAX (1u << 20)
#define ANSWER_BYTES 256   /* of one message */
#define IDS_MAX (1u << 22) /* a power of two, above what is ever sent */
#define EVENTS 256
#define SECOND_NS INT64_C(1000000000)

struct bytes {
	char *data;
	size_t count, room;
};

struct connection {
	int fd;
	uint32_t generation; /* of the descriptor */
	struct bytes in, out;
	size_t written;
	bool waits; /* its answer is not due yet */
};

struct late { /* an answer that waits */
	int fd;
	uint32_t generation;
	int64_t at_ns;
};

struct sink {
	int epoll;
	int64_t delay_ns;
	struct connection *connections[DESCRIPTORS_MAX];
	uint32_t generation;
	struct late late[DESCRIPTORS_MAX]; /* a ring: all wait equally long */
	size_t late_first, late_end;
	uint64_t *ids; /* hashes of what came; 0: free */
	bool noting;
	struct bytes arrivals; /* as /arrivals tells them */
	uint64_t requests, messages, distinct, under_way, most_under_way;
	int64_t first_ns, last_ns; /* arrivals, wall clock */
};

static volatile sig_atomic_t ending;

static void
on_signal(int number)
{
	(void)number;
	ending = 1;
}

static int64_t
now_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Room for so many more, and a NUL. */
static void
reserve(struct bytes *bytes, size_t more)
{
	if (bytes->room - bytes->count > more)
		return;
	bytes->room = (bytes->count + more + 1) * 2;
	bytes->data = realloc(bytes->data, bytes->room);
	if (bytes->data == NULL)
		fail("memory");
}

static void
add(struct bytes *bytes, const char *text, size_t count)
{
	reserve(bytes, count);
	memcpy(bytes->data + bytes->count, text, count);
	bytes->count += count;
	bytes->data[bytes->count] = '\0';
}

/* ---- counting ---- */

/* FNV-1a, of 64 bits: two of a million ids share one once in 10^7 runs. */
static uint64_t
hash(const char *text, size_t count)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < count; i++)
		value = (value ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
	return value == 0 ? 1 : value;
}

static void
note_arrival(struct sink *sink, const char *id, size_t bytes)
{
	char text[ANSWER_BYTES];

	add(&sink->arrivals, text,
	    (size_t)snprintf(text, sizeof(text), "%.*s %lld\n",
		(int)(bytes < 64 ? bytes : 64), id,
		(long long)(sink->last_ns / 1000)));
}

static void
count_message(struct sink *sink, const char *id, size_t bytes)
{
	uint64_t value = hash(id, bytes);
	size_t at = value % IDS_MAX;

	sink->messages++;
	sink->last_ns = now_ns(CLOCK_REALTIME);
	if (sink->first_ns == 0)
		sink->first_ns = sink->last_ns;
	if (sink->noting)
		note_arrival(sink, id, bytes);
	while (sink->ids[at] != 0 && sink->ids[at] != value)
		at = (at + 1) % IDS_MAX;
	if (sink->ids[at] == value)
		return;
	sink->ids[at] = value;
	if (++sink->distinct > IDS_MAX / 2) {
		fputs("sink: too many ids\n", stderr);
		exit(1);
	}
}

static void
reset(struct sink *sink, const char *head)
{
	const char *delay = strstr(head, "delay=");
	const char *note = strstr(head, "note=1");

	if (delay != NULL)
		sink->delay_ns =
		    strtol(delay + 6, NULL, 10) * (SECOND_NS / 1000);
	sink->noting = note != NULL && note < strstr(head, "\r\n");
	sink->arrivals.count = 0;
	memset(sink->ids, 0, IDS_MAX * sizeof(*sink->ids));
	sink->requests = sink->messages = sink->distinct = 0;
	sink->most_under_way = sink->under_way;
	sink->first_ns = sink->last_ns = 0;
}

/* ---- answers ---- */

/* The next id from there on; NULL: no more. */
static const char *
next_id(const char *at, size_t *bytes)
{
	static const char key[] = "\"id\":\"";

	at = strstr(at, key);
	if (at == NULL)
		return NULL;
	at += sizeof(key) - 1;
	*bytes = strcspn(at, "\"");
	return at;
}

static void
answer_one(struct sink *sink, const char *body, struct bytes *out)
{
	char text[ANSWER_BYTES];
	size_t bytes;
	const char *id = next_id(body, &bytes);

	if (id == NULL) {
		add(out, "{\"code\":\"no_id\"}", 16);
		return;
	}
	count_message(sink, id, bytes);
	add(out, text,
	    (size_t)snprintf(text, sizeof(text),
		"{\"code\":\"OK\",\"id\":\"s-%llu\"}",
		(unsigned long long)sink->messages));
}

static void
answer_batch(struct sink *sink, const char *body, struct bytes *out)
{
	char text[ANSWER_BYTES];
	size_t bytes;
	bool first = true;

	add(out, "{\"results\":[", 12);
	for (const char *id = next_id(body, &bytes); id != NULL;
	     id = next_id(id, &bytes)) {
		count_message(sink, id, bytes);
		add(out, text,
		    (size_t)snprintf(text, sizeof(text),
			"%s{\"id\":\"%.*s\",\"code\":\"OK\","
			"\"message_id\":\"s-%llu\"}",
			first ? "" : ",", (int)(bytes < 64 ? bytes : 64), id,
			(unsigned long long)sink->messages));
		first = false;
	}
	add(out, "]}", 2);
}

static void
answer_stats(const struct sink *sink, struct bytes *out)
{
	char text[ANSWER_BYTES * 2];
	struct rusage used;

	(void)getrusage(RUSAGE_SELF, &used);
	add(out, text,
	    (size_t)snprintf(text, sizeof(text),
		"{\"requests\":%llu,\"messages\":%llu,\"distinct\":%llu,"
		"\"first_us\":%lld,\"last_us\":%lld,\"most_under_way\":%llu,"
		"\"cpu_us\":%lld}\n",
		(unsigned long long)sink->requests,
		(unsigned long long)sink->messages,
		(unsigned long long)sink->distinct,
		(long long)(sink->first_ns / 1000),
		(long long)(sink->last_ns / 1000),
		(unsigned long long)sink->most_under_way,
		(long long)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) *
			1000000 +
		    used.ru_utime.tv_usec + used.ru_stime.tv_usec));
}

/* ---- connections ---- */

static void
drop(struct sink *sink, struct connection *connection)
{
	if (connection->waits)
		sink->under_way--;
	sink->connections[connection->fd] = NULL;
	(void)close(connection->fd);
	free(connection->in.data);
	free(connection->out.data);
	free(connection);
}

/* Until it takes more; false: it does not, for seconds. */
static bool
wait_for(int fd)
{
	struct pollfd one = {.fd = fd, .events = POLLOUT};

	return poll(&one, 1, 5000) > 0;
}

/*
 * An answer is small beside what a socket takes, but for /arrivals, which
 * comes after what is measured: there we wait.
 */
static void
write_out(struct sink *sink, struct connection *connection)
{
	struct bytes *out = &connection->out;

	while (connection->written < out->count) {
		ssize_t got =
		    send(connection->fd, out->data + connection->written,
			out->count - connection->written, MSG_NOSIGNAL);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN && wait_for(connection->fd))
			continue;
		if (got <= 0) {
			drop(sink, connection);
			return;
		}
		connection->written += (size_t)got;
	}
	out->count = connection->written = 0;
}

static void
answer_late(struct sink *sink, struct connection *connection)
{
	connection->waits = true;
	if (++sink->under_way > sink->most_under_way)
		sink->most_under_way = sink->under_way;
	sink->late[sink->late_end++ % DESCRIPTORS_MAX] =
	    (struct late){connection->fd, connection->generation,
		now_ns(CLOCK_MONOTONIC) + sink->delay_ns};
}

/* One whole request, its body ended by a NUL. */
static void
handle(struct sink *sink, struct connection *connection, const char *head,
    const char *body)
{
	char text[ANSWER_BYTES];
	static struct bytes answer;
	bool is_message = false;

	answer.count = 0;
	if (strncmp(head, "GET /stats", 10) == 0) {
		answer_stats(sink, &answer);
	} else if (strncmp(head, "POST /reset", 11) == 0) {
		reset(sink, head);
		add(&answer, "{}\n", 3);
	} else if (strncmp(head, "GET /arrivals", 13) == 0) {
		if (sink->arrivals.count > 0)
			add(&answer, sink->arrivals.data, sink->arrivals.count);
	} else {
		is_message = true;
		sink->requests++;
		if (strncmp(body, "{\"messages\":", 12) == 0)
			answer_batch(sink, body, &answer);
		else
			answer_one(sink, body, &answer);
	}
	add(&connection->out, text,
	    (size_t)snprintf(text, sizeof(text),
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		answer.count));
	add(&connection->out, answer.data, answer.count);
	if (is_message && sink->delay_ns > 0)
		answer_late(sink, connection);
	else
		write_out(sink, connection);
}

/* Bytes of the body that the head announces. */
static size_t
body_bytes(const char *head)
{
	for (const char *line = strstr(head, "\r\n");
	     line != NULL && strncmp(line, "\r\n\r\n", 4) != 0;
	     line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, "content-length:", 15) == 0)
			return strtoul(line + 17, NULL, 10);
	return 0;
}

/* False when the connection is gone. */
static bool
take_request(struct sink *sink, struct connection *connection)
{
	struct bytes *in = &connection->in;
	int fd = connection->fd;
	char *end = in->count > 0 ? strstr(in->data, "\r\n\r\n") : NULL;
	size_t head, whole;
	char after;

	if (end == NULL)
		return true;
	head = (size_t)(end - in->data) + 4;
	whole = head + body_bytes(in->data);
	if (in->count < whole)
		return true;
	after = in->data[whole];
	in->data[whole] = '\0';
	handle(sink, connection, in->data, in->data + head);
	if (sink->connections[fd] != connection)
		return false;
	in->data[whole] = after;
	memmove(in->data, in->data + whole, in->count - whole + 1);
	in->count -= whole;
	return true;
}

static void
read_in(struct sink *sink, struct connection *connection)
{
	struct bytes *in = &connection->in;
	ssize_t got;

	reserve(in, 65536);
	got = recv(connection->fd, in->data + in->count, 65536, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || in->count + (size_t)got > REQUEST_BYTES_MAX) {
		drop(sink, connection);
		return;
	}
	in->count += (size_t)got;
	in->data[in->count] = '\0';
	(void)take_request(sink, connection);
}

static void
accept_all(struct sink *sink, int listener)
{
	int fd;

	while ((fd = accept4(
		    listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *connection;
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
		int one = 1;

		if (fd >= DESCRIPTORS_MAX) {
			(void)close(fd);
			continue;
		}
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		connection = calloc(1, sizeof(*connection));
		if (connection == NULL ||
		    epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
			fail("accept");
		connection->fd = fd;
		connection->generation = ++sink->generation;
		sink->connections[fd] = connection;
	}
}

/* Answers that are due; ms until the next, -1: none. */
static int
answer_due(struct sink *sink)
{
	int64_t now = now_ns(CLOCK_MONOTONIC);

	while (sink->late_first != sink->late_end) {
		struct late *late =
		    &sink->late[sink->late_first % DESCRIPTORS_MAX];
		struct connection *connection = sink->connections[late->fd];

		if (late->at_ns > now)
			return (int)((late->at_ns - now) * 1000 / SECOND_NS) +
			       1;
		sink->late_first++;
		if (connection == NULL ||
		    connection->generation != late->generation)
			continue;
		connection->waits = false;
		sink->under_way--;
		write_out(sink, connection);
	}
	return -1;
}

static int
listen_on(struct sink *sink, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN};
	socklen_t bytes = sizeof(address);
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	event.data.fd = fd;
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (const struct sockaddr *)&address, bytes) != 0 ||
	    listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &bytes) != 0 ||
	    epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("listen");
	(void)printf("listening port=%d\n", ntohs(address.sin_port));
	(void)fflush(stdout);
	return fd;
}

int
main(int argc, char **argv)
{
	static struct sink sink;
	struct epoll_event events[EVENTS];
	struct sigaction action = {.sa_handler = on_signal};
	uint16_t port = 0;
	int option, listener;

	while ((option = getopt(argc, argv, "p:d:")) != -1) {
		if (option == 'p') {
			port = (uint16_t)strtoul(optarg, NULL, 10);
		} else if (option == 'd') {
			sink.delay_ns =
			    strtol(optarg, NULL, 10) * (SECOND_NS / 1000);
		} else {
			fputs("usage: adherd-sink [-p PORT] [-d DELAY_MS]\n",
			    stderr);
			return 64;
		}
	}
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	sink.ids = calloc(IDS_MAX, sizeof(*sink.ids));
	sink.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (sink.ids == NULL || sink.epoll < 0)
		fail("start");
	listener = listen_on(&sink, port);
	while (!ending) {
		int count =
		    epoll_wait(sink.epoll, events, EVENTS, answer_due(&sink));

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == listener)
				accept_all(&sink, listener);
			else if (sink.connections[fd] != NULL)
				read_in(&sink, sink.connections[fd]);
		}
	}
	return 0;
}
