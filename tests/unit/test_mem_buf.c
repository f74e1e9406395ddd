/*
 * Arenas, lists, buffers, the reader and log lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

/* ---- memory ---- */

static void
pieces_are_zeroed_aligned_and_apart(void **state)
{
	struct arena *arena = arena_create();
	char *before = NULL;
	size_t before_bytes = 0;

	(void)state;
	for (size_t bytes = 0; bytes < 20000; bytes += 37) {
		char *piece = arena_alloc(arena, bytes);

		assert_int_equal((uintptr_t)piece % alignof(max_align_t), 0);
		for (size_t i = 0; i < bytes; i++)
			assert_int_equal(piece[i], 0);
		for (size_t i = 0; i < before_bytes; i++)
			assert_int_equal((unsigned char)before[i], 0xa5);
		memset(piece, 0xa5, bytes);
		before = piece;
		before_bytes = bytes;
	}
	arena_free(arena);
}

static void
reset_gives_zeroed_memory_again(void **state)
{
	struct arena *arena = arena_create();

	(void)state;
	for (int round = 0; round < 3; round++) {
		char *small = arena_alloc(arena, 100);
		char *big = arena_alloc(arena, 1 << 20);

		for (size_t i = 0; i < 100; i++)
			assert_int_equal(small[i], 0);
		memset(small, 1, 100);
		memset(big, 1, 1 << 20);
		assert_int_equal(arena_bytes(arena), 100 + (1 << 20));
		arena_reset(arena);
		assert_int_equal(arena_bytes(arena), 0);
	}
	arena_free(arena);
}

static void
texts_are_copied(void **state)
{
	struct arena *arena = arena_create();
	char source[] = "metformin";
	char *copy = arena_text(arena, source);
	char *part = arena_text_n(arena, source, 3);

	(void)state;
	source[0] = 'X';
	assert_string_equal(copy, "metformin");
	assert_string_equal(part, "met");
	assert_string_equal(
	    arena_printf(arena, "%d-%s", 7, copy), "7-metformin");
	assert_null(arena_text(arena, NULL));
	assert_null(mem_text(NULL));
	arena_free(arena);
	arena_free(NULL);
}

static void
list_keeps_its_elements_while_it_grows(void **state)
{
	struct arena *arena = arena_create();
	struct list list;

	(void)state;
	list_init(&list, arena, sizeof(int64_t));
	for (int64_t i = 0; i < 10000; i++) {
		int64_t *element = list_add(&list);

		assert_int_equal(*element, 0);
		*element = i;
	}
	assert_int_equal(list.count, 10000);
	for (int64_t i = 0; i < 10000; i++)
		assert_int_equal(((int64_t *)list.data)[i], i);
	arena_free(arena);
}

/* The exit status of a child that does this. */
static int
status_of(void (*act)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
ask_for_too_many(void)
{
	volatile size_t count = SIZE_MAX / 8 + 2;

	mem_resize(NULL, count, 8);
}

static void
ask_arena_for_too_many(void)
{
	volatile size_t count = SIZE_MAX / 8 + 2;

	arena_array(arena_create(), count, 8);
}

static void
overflowing_size_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(status_of(ask_for_too_many), EXIT_INTERNAL);
	assert_int_equal(status_of(ask_arena_for_too_many), EXIT_INTERNAL);
}

/* ---- buffers ---- */

static void
buf_holds_what_was_written(void **state)
{
	struct buf buf = BUF_INIT(0);

	(void)state;
	assert_string_equal(buf_string(&buf), "");
	for (int i = 0; i < 1000; i++) {
		buf_text(&buf, "ab");
		buf_char(&buf, 'c');
		buf_printf(&buf, "%03d", i);
	}
	assert_int_equal(buf.bytes, 6000);
	assert_int_equal(strlen(buf_string(&buf)), 6000);
	assert_memory_equal(buf_string(&buf) + 5994, "abc999", 7);
	buf_clear(&buf);
	assert_string_equal(buf_string(&buf), "");
	buf_free(&buf);
	assert_string_equal(buf_string(&buf), "");
	buf_free(&buf);
}

static void
buf_stops_at_its_bound(void **state)
{
	struct buf buf = BUF_INIT(10);

	(void)state;
	buf_text(&buf, "0123456789");
	assert_false(buf.overflow);
	buf_char(&buf, 'x');
	assert_true(buf.overflow);
	assert_string_equal(buf_string(&buf), "0123456789");
	buf_clear(&buf);
	assert_false(buf.overflow);
	buf_printf(&buf, "%s", "abcdefghijklm");
	assert_true(buf.overflow);
	assert_string_equal(buf_string(&buf), "abcdefghij");
	buf_free(&buf);
}

static void
reader_reads_what_buf_wrote(void **state)
{
	static const char expected[] = "\x12\x34\x12\x34\x56\x78"
				       "\x01\x02\x03\x04\x05\x06\x07\x08";
	struct arena *arena = arena_create();
	struct buf buf = BUF_INIT(0);
	struct reader reader;

	(void)state;
	buf_u16(&buf, 0x1234);
	buf_u32(&buf, 0x12345678);
	buf_u64(&buf, UINT64_C(0x0102030405060708));
	assert_memory_equal(buf.data, expected, 14);
	buf_char(&buf, 7);
	buf_u32(&buf, 3);
	buf_text(&buf, "abc");
	buf_u32(&buf, UINT32_MAX);
	buf_u32(&buf, 0);
	reader = (struct reader){(const uint8_t *)buf.data, buf.bytes, false};
	assert_int_equal(reader_u16(&reader), 0x1234);
	assert_int_equal(reader_u32(&reader), 0x12345678);
	assert_true(reader_u64(&reader) == UINT64_C(0x0102030405060708));
	assert_int_equal(reader_u8(&reader), 7);
	assert_string_equal(reader_text(&reader, arena), "abc");
	assert_null(reader_text(&reader, arena));
	assert_string_equal(reader_text(&reader, arena), "");
	assert_int_equal(reader.left, 0);
	assert_false(reader.bad);
	buf_free(&buf);
	arena_free(arena);
}

static void
reader_past_the_end_gives_zeros(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct reader reader = {bytes, sizeof(bytes), false};

	(void)state;
	assert_int_equal(reader_u32(&reader), 0);
	assert_true(reader.bad);
	/* and no byte is read after that, though three are there */
	assert_int_equal(reader_u8(&reader), 0);
	assert_null(reader_bytes(&reader, 0));
}

static void
reader_refuses_texts_that_are_none(void **state)
{
	static const uint8_t too_long[] = {0, 0, 0, 4, 'a', 'b', 'c'};
	static const uint8_t with_nul[] = {0, 0, 0, 3, 'a', 0, 'c'};
	struct reader reader = {too_long, sizeof(too_long), false};
	struct arena *arena = arena_create();

	(void)state;
	assert_null(reader_text(&reader, arena));
	assert_true(reader.bad);
	reader = (struct reader){with_nul, sizeof(with_nul), false};
	assert_null(reader_text(&reader, arena));
	assert_true(reader.bad);
	arena_free(arena);
}

/* ---- log ---- */

static int log_pipe[2];

/* Send stderr into a pipe, return where it went before. */
static int
log_capture(void)
{
	int before = dup(STDERR_FILENO);

	assert_int_equal(pipe(log_pipe), 0);
	dup2(log_pipe[1], STDERR_FILENO);
	return before;
}

/* What went into the pipe, with one read: a line is one write. */
static void
log_release(int before, char *out, size_t bytes)
{
	ssize_t got;

	dup2(before, STDERR_FILENO);
	close(before);
	close(log_pipe[1]);
	got = read(log_pipe[0], out, bytes - 1);
	close(log_pipe[0]);
	assert_true(got >= 0);
	out[got] = '\0';
}

static void
log_line_has_event_and_fields(void **state)
{
	char line[8192];
	int before = log_capture();

	(void)state;
	log_info("worker.round", log_n(COUNT, 12), log_s(GATEWAY, "sms-ali"),
	    log_s(REASON, NULL), log_n(CODE, INT64_MIN));
	log_release(before, line, sizeof(line));
	assert_string_equal(line,
	    "<6>worker.round count=12 gateway=sms-ali reason=- "
	    "code=-9223372036854775808\n");
}

static void
log_value_cannot_forge_anything(void **state)
{
	char line[8192];
	int before = log_capture();

	(void)state;
	log_error("x", log_s(ERROR, "a b\n<3>y z=1\x1b[2J\\\x7f\xc2\x9b"));
	log_release(before, line, sizeof(line));
	assert_string_equal(line,
	    "<3>x error=\"a b\\x0a<3>y z=1\\x1b[2J\\\\\\x7f\\xc2\\x9b\"\n");
}

static void
log_line_is_bounded(void **state)
{
	char line[8192], value[300];
	int before = log_capture();

	(void)state;
	memset(value, '\n', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_warning("x", log_s(ERROR, value), log_s(ERROR, value),
	    log_s(ERROR, value), log_s(ERROR, value), log_s(ERROR, value),
	    log_s(ERROR, value), log_s(ERROR, value), log_s(ERROR, value));
	log_release(before, line, sizeof(line));
	assert_int_equal(strlen(line), 4096);
	assert_int_equal(line[4095], '\n');
	assert_ptr_equal(strchr(line, '\n'), line + 4095);

	before = log_capture();
	memset(value, 'v', sizeof(value) - 1);
	log_warning("x", log_s(ERROR, value));
	log_release(before, line, sizeof(line));
	assert_int_equal(strspn(line + strlen("<4>x error="), "v"), 200);
}

static void
log_level_bounds_what_is_written(void **state)
{
	char line[8192];
	int before = log_capture();

	(void)state;
	log_debug("quiet", log_n(COUNT, 1));
	log_level_set(LOG_LEVEL_DEBUG);
	log_debug("loud", log_n(COUNT, 1));
	log_level_set(LOG_LEVEL_INFO);
	log_debug("quiet", log_n(COUNT, 1));
	log_release(before, line, sizeof(line));
	assert_string_equal(line, "<7>loud count=1\n");
}

static void
end_fatally(void)
{
	fatal(EXIT_CONFIGURATION, "%s", "no such file");
}

static void
fatal_exits_with_its_status(void **state)
{
	(void)state;
	assert_int_equal(status_of(end_fatally), EXIT_CONFIGURATION);
}

static const volatile char constant[5 * 4096] = {
    [5000] = 'x', [5 * 4096 - 1] = 'y'};

static long
page_faults(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt + usage.ru_majflt;
}

static void
what_is_forgotten_is_read_again(void **state)
{
	long before;

	(void)state;
	assert_int_equal(constant[5000], 'x');
	mem_forget((const char *)constant, sizeof(constant));
	before = page_faults();
	assert_int_equal(constant[5000], 'x');
	assert_true(page_faults() > before);
	assert_int_equal(constant[sizeof(constant) - 1], 'y');
	mem_forget((const char *)constant, 1); /* no whole page */
}

/* ---- clock ---- */

static void
clock_goes_on_from_the_database(void **state)
{
	struct clock clock = {.care_offset = 3 * DAY_US};
	int64_t boot = clock_boot(), database = 1000 * DAY_US, now;

	(void)state;
	clock_sync(&clock, database, boot - 4 * SECOND_US, boot, true);
	now = clock_unmoved(&clock);
	/* somewhere between question and answer: at the latest just now */
	assert_true(now >= database);
	assert_true(now < database + MINUTE_US);
	assert_true(clock_care(&clock) >= now + 3 * DAY_US);
	assert_true(clock_care(&clock) < now + 3 * DAY_US + MINUTE_US);
	now = clock_wall() - clock_unmoved(&clock);
	assert_true(llabs(clock_wall_ahead(&clock) - now) < MINUTE_US);
	assert_true(clock_unmoved(&clock) <= clock_unmoved(&clock));
}

/*
 * What is known of the database's clock is narrowed by every answer; where it
 * was is known to a microsecond, for the instants are given.
 */
static void
clock_is_narrowed_by_answers(void **state)
{
	static const struct {
		int64_t asked, answered, said, ahead; /* then, of 1000 days */
	} answers[] = {
	    {0, 10000, 4000, -6000},        /* as late as can be */
	    {20000, 60000, 50000, -6000},   /* slow, and it fits */
	    {100000, 100300, 100200, -100}, /* it is later than that */
	    {200000, 205000, 203000, -100}, /* fits again */
	    {300000, 300200, 299900, -100}, /* drifted: to the least change */
	    {400000, 400200, 399800, -200}, /* back */
	};
	struct clock clock = {0};
	int64_t boot = clock_boot() - SECOND_US;

	(void)state;
	for (unsigned i = 0; i < COUNT(answers); i++) {
		clock_sync(&clock, 1000 * DAY_US + answers[i].said,
		    boot + answers[i].asked, boot + answers[i].answered, true);
		assert_int_equal(
		    clock.database_at - 1000 * DAY_US - (clock.boot_at - boot),
		    answers[i].ahead);
	}
}

/* Our clock, that much ahead of the wall clock. */
static struct clock
clock_ahead(int64_t ahead)
{
	struct clock clock = {0};
	int64_t boot = clock_boot();

	clock_sync(&clock, clock_wall() + ahead, boot, boot, false);
	return clock;
}

/* The database tells the wall clock's time plus that much. */
static void
answer(struct clock *clock, int64_t ahead, bool witness)
{
	int64_t boot = clock_boot();

	clock_sync(clock, clock_wall() + ahead, boot, boot, witness);
}

/* What the clocks agreed on they have agreed on for a while. */
static void
let_settle(struct clock *clock)
{
	clock->agreed_at -= CLOCK_SETTLE_US;
	clock->wall_with_database_at -= CLOCK_SETTLE_US;
}

static void
clock_guard_does_not_follow_a_database_that_jumped(void **state)
{
	struct clock clock = clock_ahead(0);

	(void)state;
	assert_true(clock_agrees(&clock));
	answer(&clock, 2 * DAY_US, true);
	assert_false(clock_agrees(&clock));
	assert_true(clock_watch(&clock));
	assert_true(clock_unmoved(&clock) < clock_wall() + MINUTE_US);
	answer(&clock, 0, true);
	assert_false(clock_watch(&clock));
	assert_false(clock_agrees(&clock)); /* not for long enough */
	let_settle(&clock);
	assert_true(clock_watch(&clock));
	assert_true(clock_agrees(&clock));
}

static void
clock_guard_sees_a_wall_clock_that_jumped(void **state)
{
	struct clock clock = clock_ahead(-6 * SECOND_US);

	(void)state;
	assert_false(clock_agrees(&clock));
	assert_true(clock_watch(&clock));
	clock = clock_ahead(-4 * SECOND_US);
	assert_true(clock_agrees(&clock));
}

static void
clock_guard_follows_both_clocks_back_after_a_while(void **state)
{
	struct clock clock = clock_ahead(HOUR_US);

	(void)state;
	answer(&clock, 0, false);
	assert_true(clock_unmoved(&clock) > clock_wall() + MINUTE_US);
	let_settle(&clock);
	answer(&clock, 0, false);
	assert_true(clock_unmoved(&clock) < clock_wall() + MINUTE_US);
}

static void
clock_guard_follows_both_forward_with_a_witness_or_an_operator(void **state)
{
	struct clock clock = clock_ahead(-2 * DAY_US);

	(void)state;
	answer(&clock, 0, false);
	let_settle(&clock);
	answer(&clock, 0, false);
	assert_false(clock_agrees(&clock));
	answer(&clock, 0, true);
	assert_true(clock_agrees(&clock));
	clock = clock_ahead(-2 * DAY_US);
	clock_accept(&clock);
	answer(&clock, 0, false);
	assert_true(clock_agrees(&clock));
}

static void
clock_guard_leaves_out_slow_answers(void **state)
{
	struct clock clock = clock_ahead(0);
	int64_t boot = clock_boot();

	(void)state;
	clock_sync(&clock, clock_wall() - 8 * SECOND_US, boot - 8 * SECOND_US,
	    boot, false);
	assert_true(clock_agrees(&clock));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
	    cmocka_unit_test(reset_gives_zeroed_memory_again),
	    cmocka_unit_test(texts_are_copied),
	    cmocka_unit_test(list_keeps_its_elements_while_it_grows),
	    cmocka_unit_test(overflowing_size_ends_the_process),
	    cmocka_unit_test(buf_holds_what_was_written),
	    cmocka_unit_test(buf_stops_at_its_bound),
	    cmocka_unit_test(reader_reads_what_buf_wrote),
	    cmocka_unit_test(reader_past_the_end_gives_zeros),
	    cmocka_unit_test(reader_refuses_texts_that_are_none),
	    cmocka_unit_test(log_line_has_event_and_fields),
	    cmocka_unit_test(log_value_cannot_forge_anything),
	    cmocka_unit_test(log_line_is_bounded),
	    cmocka_unit_test(log_level_bounds_what_is_written),
	    cmocka_unit_test(fatal_exits_with_its_status),
	    cmocka_unit_test(what_is_forgotten_is_read_again),
	    cmocka_unit_test(clock_goes_on_from_the_database),
	    cmocka_unit_test(clock_is_narrowed_by_answers),
	    cmocka_unit_test(
		clock_guard_does_not_follow_a_database_that_jumped),
	    cmocka_unit_test(clock_guard_sees_a_wall_clock_that_jumped),
	    cmocka_unit_test(
		clock_guard_follows_both_clocks_back_after_a_while),
	    cmocka_unit_test(
		clock_guard_follows_both_forward_with_a_witness_or_an_operator),
	    cmocka_unit_test(clock_guard_leaves_out_slow_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
