/*
 * Crash points and failing calls of test builds.  Reads the environment at
 * the first passage; owns the counters, which lie in a file that all
 * processes of a test share, so that no death loses a count.  Allocates
 * nothing, for it is asked by the allocator.
 */
#include "base/fault.h"

#ifdef ADHERD_FAULTS

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define STATUS_KILLED 137 /* as a shell says of kill -9 */

struct counter { /* a record of the file */
	char name[56];
	_Atomic uint64_t count;
};

enum action { ACTION_EXIT, ACTION_ABORT, ACTION_STOP, ACTION_DELAY };

static const char *const names[] = {
#define NAME(id, name) name,
    FAULT_POINTS(NAME) FAULT_KINDS(NAME)
#undef NAME
};

static struct {
	bool read;
	enum fault_point point; /* FAULT_POINT_COUNT: none */
	uint64_t point_nth;
	enum action action;
	long delay_ms;
	uint64_t call_nth; /* 0: none */
	int kind;          /* -1: any */
	uint64_t passed[FAULT_POINT_COUNT], calls;
	struct counter *counters; /* NULL: not counted */
} fault = {.point = FAULT_POINT_COUNT, .kind = -1};

static struct counter *
map_counters(const char *path)
{
	size_t bytes = COUNT(names) * sizeof(struct counter);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	struct counter *counters;

	if (fd == -1 || ftruncate(fd, (off_t)bytes) != 0)
		abort();
	counters = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counters == MAP_FAILED)
		abort();
	close(fd);
	for (size_t i = 0; i < COUNT(names); i++)
		strncpy(counters[i].name, names[i], sizeof(counters[i].name));
	return counters;
}

/* A misspelt name must not make a test that tests nothing. */
static size_t
find_name(const char *text, size_t bytes, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		if (strlen(names[i]) == bytes &&
		    strncmp(names[i], text, bytes) == 0)
			return i - first;
	abort();
}

static void
read_action(const char *text)
{
	if (text == NULL || strcmp(text, "exit") == 0)
		fault.action = ACTION_EXIT;
	else if (strcmp(text, "abort") == 0)
		fault.action = ACTION_ABORT;
	else if (strcmp(text, "stop") == 0)
		fault.action = ACTION_STOP;
	else if (strncmp(text, "delay:", 6) == 0) {
		fault.action = ACTION_DELAY;
		fault.delay_ms = strtol(text + 6, NULL, 10);
	} else
		abort();
}

static void
read_environment(void)
{
	const char *at = getenv("FAULT_AT"), *nth = getenv("FAULT_NTH");
	const char *kind = getenv("FAULT_KIND");
	const char *counts = getenv("FAULT_COUNTS");

	fault.read = true;
	if (at != NULL && *at != '\0') {
		size_t bytes = strcspn(at, ":");

		fault.point = (enum fault_point)find_name(
		    at, bytes, 0, FAULT_POINT_COUNT);
		fault.point_nth =
		    at[bytes] == ':' ? strtoull(at + bytes + 1, NULL, 10) : 1;
		read_action(getenv("FAULT_DO"));
	}
	if (nth != NULL)
		fault.call_nth = strtoull(nth, NULL, 10);
	if (kind != NULL && *kind != '\0')
		fault.kind = (int)find_name(
		    kind, strlen(kind), FAULT_POINT_COUNT, COUNT(names));
	if (counts != NULL && *counts != '\0')
		fault.counters = map_counters(counts);
}

static void
count(size_t name)
{
	if (fault.counters != NULL)
		atomic_fetch_add(&fault.counters[name].count, 1);
}

static void
strike(void)
{
	struct timespec delay = {
	    fault.delay_ms / 1000, fault.delay_ms % 1000 * 1000000};

	switch (fault.action) {
	case ACTION_EXIT:
		_exit(STATUS_KILLED);
	case ACTION_ABORT:
		abort();
	case ACTION_STOP:
		(void)raise(SIGSTOP);
		break;
	case ACTION_DELAY:
		(void)nanosleep(&delay, NULL);
		break;
	}
}

void
fault_pass(enum fault_point point)
{
	assert(point < FAULT_POINT_COUNT);
	if (!fault.read)
		read_environment();
	count(point);
	if (++fault.passed[point] == fault.point_nth && point == fault.point)
		strike();
}

void
fault_poison(int64_t patient_id)
{
	const char *poison = getenv("FAULT_POISON");

	if (poison != NULL && strtoll(poison, NULL, 10) == patient_id)
		abort();
}

uint64_t
fault_call(enum fault_kind kind)
{
	if (!fault.read)
		read_environment();
	count((size_t)FAULT_POINT_COUNT + kind);
	if (fault.kind >= 0 && (int)kind != fault.kind)
		return 0;
	return ++fault.calls == fault.call_nth ? fault.call_nth : 0;
}

#else
/* ISO C wants something in every file. */
extern const char fault_absent;
#endif
