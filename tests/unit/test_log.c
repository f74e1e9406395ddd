/*
 * Log lines: to stderr as lines, to the journal as entries with fields; what
 * a stranger chose forges neither, and nobody who does not read them holds
 * up the work.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

static int saved_stderr;
static int out[2]; /* what stands in for stderr */
static char folder[] = "/tmp/adherd-log.XXXXXX";
static char path[64];
static char text[65536];

static int
set_up(void **state)
{
	(void)state;
	alarm(20); /* ends who waits for a reader */
	unsetenv("JOURNAL_STREAM");
	saved_stderr = dup(STDERR_FILENO);
	if (pipe2(out, O_NONBLOCK) != 0 || dup2(out[1], STDERR_FILENO) < 0)
		return -1;
	close(out[1]);
	log_open(NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	alarm(0);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(out[0]);
	unlink(path);
	unsetenv("JOURNAL_STREAM");
	log_open(NULL);
	return 0;
}

/* What was written since the last time. */
static const char *
receive(int fd)
{
	ssize_t bytes = read(fd, text, sizeof(text) - 1);

	text[bytes > 0 ? bytes : 0] = '\0';
	return text;
}

/* A journal of our own, and stderr said to be it. */
static int
open_journal(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct stat status;
	char stream[64];

	(void)snprintf(path, sizeof(path), "%s/socket", folder);
	strcpy(address.sun_path, path);
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu",
	    (unsigned long long)status.st_dev,
	    (unsigned long long)status.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(path);
	return fd;
}

static void
test_a_line_has_priority_event_and_fields(void **state)
{
	(void)state;
	log_warning("gateway.paused", log_s(GATEWAY, "sms"), log_n(COUNT, -3));
	assert_string_equal(
	    receive(out[0]), "<4>gateway.paused gateway=sms count=-3\n");
}

static void
test_a_value_with_spaces_is_quoted(void **state)
{
	(void)state;
	log_info("db.ready", log_s(KEY, "adherd write"), log_s(CODE, "a\"b\\c"),
	    log_s(SCOPE, "a=b"), log_s(REASON, ""));
	assert_string_equal(receive(out[0]),
	    "<6>db.ready key=\"adherd write\" code=\"a\\\"b\\\\c\" "
	    "scope=\"a=b\" reason=\"\"\n");
}

static void
test_a_value_forges_neither_line_nor_field(void **state)
{
	/* the length of what holds a line end, and then the value as it is */
	static const char entry[] =
	    "PRIORITY=6\nSYSLOG_IDENTIFIER=adherd\n"
	    "ADHERD_EVENT=delivery.outcome\n"
	    "MESSAGE=delivery.outcome code=\"a\\x0aPRIORITY=0 b=c\\x1b\" "
	    "key=\"adherd write\"\n"
	    "ADHERD_CODE\n\x11\0\0\0\0\0\0\0"
	    "a\nPRIORITY=0 b=c\x1b\n"
	    "ADHERD_KEY=adherd write\n";
	int journal = open_journal();

	(void)state;
	log_info("delivery.outcome", log_s(CODE, "a\nPRIORITY=0 b=c\x1b"),
	    log_s(KEY, "adherd write"));
	receive(journal);
	assert_memory_equal(text, entry, sizeof(entry));
	close(journal);
	log_open(NULL);
	unsetenv("JOURNAL_STREAM");
}

static void
test_the_journal_gets_an_entry_with_fields(void **state)
{
	int journal = open_journal();

	(void)state;
	log_error("worker.set_aside", log_n(BUCKET, 7), log_s(DELIVERY, NULL));
	receive(journal);
	assert_non_null(strstr(text, "PRIORITY=3\n"));
	assert_non_null(strstr(text, "\nMESSAGE_ID="));
	assert_int_equal(
	    strspn(strstr(text, "\nMESSAGE_ID=") + 12, "0123456789abcdef"), 32);
	assert_non_null(strstr(text, "\nADHERD_EVENT=worker.set_aside\n"));
	assert_non_null(
	    strstr(text, "\nMESSAGE=worker.set_aside bucket=7 delivery=-\n"));
	assert_non_null(strstr(text, "\nADHERD_BUCKET=7\nADHERD_DELIVERY=-\n"));
	assert_string_equal(receive(out[0]), "");
	close(journal);
}

static void
test_an_entry_that_is_too_long_is_cut_and_still_ends(void **state)
{
	int journal = open_journal();
	struct log_pair pairs[100];
	char value[201];

	(void)state;
	memset(value, ' ', sizeof(value) - 1);
	value[200] = '\0';
	for (size_t i = 0; i < COUNT(pairs); i++)
		pairs[i] = log_s(ERROR, value);
	log_write(LOG_LEVEL_INFO, "long", pairs, COUNT(pairs));
	receive(journal);
	/* whole fields, as many as there is room for */
	assert_in_range(strlen(text), 16384 - 220, 16384);
	assert_string_equal(text + strlen(text) - 4, "   \n");
	for (const char *at = text; (at = strstr(at, "\nADHERD_ERROR="));) {
		at += strlen("\nADHERD_ERROR=");
		assert_int_equal(strspn(at, " "), 200);
	}
	close(journal);
}

static void
test_what_the_journal_does_not_take_goes_to_stderr(void **state)
{
	int journal = open_journal();
	int lines = 0;

	(void)state;
	for (int i = 0; i < 100000 && receive(out[0])[0] == '\0'; i++)
		log_info("full", log_n(COUNT, 0)); /* until its queue is */
	assert_string_equal(text, "<6>full count=0\n");
	while (receive(journal)[0] != '\0')
		lines++;
	assert_true(lines > 0);
	log_info("again", log_n(COUNT, 0));
	assert_string_equal(receive(out[0]), "");
	close(journal);
	unlink(path);
	log_info("gone", log_n(COUNT, 0));
	assert_string_equal(receive(out[0]), "<6>gone count=0\n");
}

static void
test_another_stream_than_stderr_is_not_the_journal(void **state)
{
	int journal = open_journal();
	char *stream = strdup(getenv("JOURNAL_STREAM"));
	char *end = stream + strlen(stream) - 1;

	(void)state;
	*end = *end == '1' ? '2' : '1';
	setenv("JOURNAL_STREAM", stream, 1);
	free(stream);
	log_open(path);
	log_info("here", log_n(COUNT, 0));
	assert_string_equal(receive(journal), "");
	assert_string_equal(receive(out[0]), "<6>here count=0\n");
	close(journal);
}

static void
test_a_full_pipe_holds_nobody_up(void **state)
{
	uint64_t before = log_dropped();

	(void)state;
	fcntl(STDERR_FILENO, F_SETFL, 0); /* a write would wait */
	for (int i = 0; i < 100000; i++)
		log_info("full", log_n(COUNT, i));
	assert_true(log_dropped() - before > 90000);
	/* all that came through are whole lines */
	assert_non_null(strstr(receive(out[0]), "<6>full count=0\n"));
}

static void
test_a_closed_pipe_and_a_full_disk_are_survived(void **state)
{
	int full = open("/dev/full", O_WRONLY);
	uint64_t before = log_dropped();

	(void)state;
	close(out[0]);
	log_info("nobody", log_n(COUNT, 0));
	dup2(full, STDERR_FILENO);
	log_info("full", log_n(COUNT, 0));
	close(full);
	close(STDERR_FILENO);
	log_info("closed", log_n(COUNT, 0));
	assert_int_equal(log_dropped() - before, 3);
	out[0] = open("/dev/null", O_RDONLY);
}

static void
test_a_closed_stderr_is_not_taken_by_the_next_file(void **state)
{
	int fd;

	(void)state;
	close(STDIN_FILENO);
	close(STDERR_FILENO);
	log_open(NULL);
	fd = open("/dev/null", O_RDONLY);
	assert_true(fd > STDERR_FILENO);
	close(fd);
}

static void
test_debug_lines_are_told_when_asked_for(void **state)
{
	(void)state;
	log_debug("quiet", log_n(COUNT, 0));
	log_level_set(LOG_LEVEL_DEBUG);
	log_debug("loud", log_n(COUNT, 0));
	log_level_set(LOG_LEVEL_INFO);
	assert_string_equal(receive(out[0]), "<7>loud count=0\n");
}

#define with_stderr(test) \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    with_stderr(test_a_line_has_priority_event_and_fields),
	    with_stderr(test_a_value_with_spaces_is_quoted),
	    with_stderr(test_a_value_forges_neither_line_nor_field),
	    with_stderr(test_the_journal_gets_an_entry_with_fields),
	    with_stderr(test_an_entry_that_is_too_long_is_cut_and_still_ends),
	    with_stderr(test_what_the_journal_does_not_take_goes_to_stderr),
	    with_stderr(test_another_stream_than_stderr_is_not_the_journal),
	    with_stderr(test_a_full_pipe_holds_nobody_up),
	    with_stderr(test_a_closed_pipe_and_a_full_disk_are_survived),
	    with_stderr(test_a_closed_stderr_is_not_taken_by_the_next_file),
	    with_stderr(test_debug_lines_are_told_when_asked_for),
	};
	int status;

	(void)signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(folder) == NULL)
		return 1;
	status = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return status;
}
