/*
 * The state file: records that belong to who runs, what was left by who died.
 * A closed file is what a dead process leaves: the kernel dropped its lock.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow/state_file.h"

static char folder[] = "/tmp/test_state.XXXXXX";
static char path[64];
static struct state_death deaths[STATE_RECORDS_MAX];

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/adherd.state", folder);
	return 0;
}

static int
remove_file(void **state)
{
	(void)state;
	(void)unlink(path);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static struct state_file *
opened(void)
{
	char error[256];
	struct state_file *file = state_file_open(folder, error, sizeof(error));

	assert_non_null(file);
	return file;
}

static void
refused(const char *word)
{
	char error[256];

	assert_null(state_file_open(folder, error, sizeof(error)));
	assert_non_null(strstr(error, word));
	assert_non_null(strstr(error, folder));
}

static void
what_was_sent_is_found_again(void **state)
{
	struct state_record records[STATE_RECORDS_MAX], own;
	struct state_file *file = opened();

	(void)state;
	assert_int_equal(state_file_records(file, records), 0);
	state_file_sent(file, 1, 1000);
	state_file_sent(file, 2, 2000);
	own = *state_file_own(file);
	state_file_close(file);
	file = opened();
	assert_memory_equal(state_file_own(file), &own, sizeof(own));
	assert_int_equal(state_file_records(file, records), 1);
	assert_int_equal(records[0].sequence, 2);
	assert_int_equal(records[0].sent_at, 2000);
	state_file_close(file);
}

static void
copies_have_records_of_their_own_and_see_all(void **state)
{
	struct state_record records[STATE_RECORDS_MAX];
	struct state_file *a = opened(), *b = opened();

	(void)state;
	assert_memory_not_equal(
	    state_file_own(a)->id, state_file_own(b)->id, STATE_ID_BYTES);
	state_file_sent(a, 7, 1);
	state_file_sent(b, 9, 2);
	assert_int_equal(state_file_records(a, records), 2);
	assert_int_equal(records[0].sequence + records[1].sequence, 16);
	state_file_close(a);
	/* what a dead one sent is still known */
	assert_int_equal(state_file_records(b, records), 2);
	state_file_close(b);
}

static void
deaths_are_told_once(void **state)
{
	struct state_file *a = opened(), *b = opened();

	(void)state;
	state_file_planning(a, 12, 3456);
	state_file_calling(b, "sms");
	state_file_blame(a); /* nothing is called there */
	state_file_blame(b);
	state_file_close(a);
	state_file_close(b);
	a = opened();
	assert_int_equal(state_file_deaths(a, deaths), 2);
	assert_true(deaths[0].planning);
	assert_int_equal(deaths[0].bucket, 12);
	assert_int_equal(deaths[0].patient_id, 3456);
	assert_string_equal(deaths[0].gateway, "");
	assert_false(deaths[1].planning);
	assert_string_equal(deaths[1].gateway, "sms");
	assert_int_equal(state_file_deaths(a, deaths), 0);
	state_file_close(a);
	a = opened();
	assert_int_equal(state_file_deaths(a, deaths), 0);
	state_file_close(a);
}

static void
who_lives_or_ended_well_is_no_death(void **state)
{
	struct state_file *a = opened(), *b;

	(void)state;
	state_file_planning(a, 1, 2);
	b = opened(); /* a is at work */
	assert_int_equal(state_file_deaths(b, deaths), 0);
	state_file_planned(a);
	state_file_calling(a, "sms");
	state_file_called(a);
	state_file_blame(a);
	state_file_close(a);
	state_file_close(b);
	a = opened();
	assert_int_equal(state_file_deaths(a, deaths), 0);
	state_file_close(a);
}

/* A real death in the middle of both marks: a kill says nothing of a call. */
static void
killed_process_leaves_its_marks(void **state)
{
	struct state_file *file;
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		file = opened();
		state_file_sent(file, 41, 5);
		state_file_planning(file, 1023, INT64_MAX);
		state_file_calling(file, "push");
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	file = opened();
	assert_int_equal(state_file_deaths(file, deaths), 1);
	assert_int_equal(deaths[0].patient_id, INT64_MAX);
	assert_string_equal(deaths[0].gateway, "");
	assert_int_equal(state_file_own(file)->sequence, 41);
	state_file_close(file);
}

static void
long_name_is_cut(void **state)
{
	struct state_file *file = opened();
	char name[200];

	(void)state;
	memset(name, 'g', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	state_file_calling(file, name);
	state_file_blame(file);
	state_file_close(file);
	file = opened();
	assert_int_equal(state_file_deaths(file, deaths), 1);
	assert_int_equal(strlen(deaths[0].gateway), STATE_NAME_BYTES - 1);
	state_file_close(file);
}

static void
one_copy_too_many_is_refused(void **state)
{
	struct state_file *all[STATE_RECORDS_MAX];

	(void)state;
	for (int i = 0; i < STATE_RECORDS_MAX; i++)
		all[i] = opened();
	refused("64 copies");
	for (int i = 0; i < STATE_RECORDS_MAX; i++)
		state_file_close(all[i]);
}

static void
write_file(const char *text, size_t bytes)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (size_t i = 0; i < bytes; i++)
		(void)fputc(text[i % strlen(text)], file);
	(void)fclose(file);
}

static void
something_else_is_refused(void **state)
{
	struct stat status;

	(void)state;
	write_file("no state", 100);
	refused("no state file");
	state_file_close(NULL);
	(void)unlink(path);
	state_file_close(opened());
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 077, 0);
	write_file("x", (size_t)status.st_size);
	refused("no state file");
	(void)unlink(path);
	assert_int_equal(symlink("/dev/zero", path), 0);
	refused("adherd.state");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(
		what_was_sent_is_found_again, remove_file),
	    cmocka_unit_test_teardown(
		copies_have_records_of_their_own_and_see_all, remove_file),
	    cmocka_unit_test_teardown(deaths_are_told_once, remove_file),
	    cmocka_unit_test_teardown(
		who_lives_or_ended_well_is_no_death, remove_file),
	    cmocka_unit_test_teardown(
		killed_process_leaves_its_marks, remove_file),
	    cmocka_unit_test_teardown(long_name_is_cut, remove_file),
	    cmocka_unit_test_teardown(
		one_copy_too_many_is_refused, remove_file),
	    cmocka_unit_test_teardown(something_else_is_refused, remove_file),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
