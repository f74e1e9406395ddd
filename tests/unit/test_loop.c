/*
 * The loop: order of deferred calls, timers and their owners, signals, and
 * what ends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

static struct loop *loop;
static char trace[64]; /* what was called, a letter each */

static int
set_up(void **state)
{
	(void)state;
	loop = loop_create();
	trace[0] = '\0';
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void
note(char letter)
{
	size_t count = strlen(trace);

	assert_true(count + 1 < sizeof(trace));
	trace[count] = letter;
	trace[count + 1] = '\0';
}

static void
call_note(void *letter)
{
	note(*(const char *)letter);
}

static void
call_stop(void *arg)
{
	(void)arg;
	note('.');
	loop_stop(loop);
}

static void
call_defer_more(void *arg)
{
	(void)arg;
	loop_defer(loop, call_note, "x");
	loop_defer(loop, call_stop, NULL);
	note('d');
}

static void
deferred_calls_keep_their_order(void **state)
{
	(void)state;
	loop_defer(loop, call_note, "a");
	loop_defer(loop, call_note, "b");
	loop_defer(loop, call_defer_more, NULL);
	loop_defer(loop, call_note, "c");
	assert_string_equal(trace, ""); /* never before the loop runs */
	loop_run(loop);
	assert_string_equal(trace, "abdcx.");
}

static void
call_defer_for_ever(void *arg)
{
	loop_defer(loop, call_defer_for_ever, arg);
}

static void
deferring_for_ever_does_not_starve_timers(void **state)
{
	struct loop_timer *timer = loop_timer_create(loop, call_stop, NULL);

	(void)state;
	loop_defer(loop, call_defer_for_ever, NULL);
	loop_timer_arm(timer, 1000);
	loop_run(loop);
	loop_timer_free(timer);
}

static void
calls_left_behind_are_not_made(void **state)
{
	(void)state;
	loop_stop(loop);
	loop_defer(loop, call_note, "a");
	loop_run(loop);
	assert_string_equal(trace, "");
}

static void
timers_fire_in_order_and_not_early(void **state)
{
	struct loop_timer *late = loop_timer_create(loop, call_stop, NULL);
	struct loop_timer *soon = loop_timer_create(loop, call_note, "s");
	struct loop_timer *past = loop_timer_create(loop, call_note, "p");
	int64_t started = clock_boot(), took;

	(void)state;
	loop_timer_arm(late, 20000);
	loop_timer_arm(soon, 5000);
	loop_timer_arm(past, -5);
	assert_true(loop_timer_armed(late));
	loop_run(loop);
	took = clock_boot() - started;
	assert_string_equal(trace, "ps.");
	assert_true(took >= 20000);
	assert_false(loop_timer_armed(late));
	loop_timer_free(late);
	loop_timer_free(soon);
	loop_timer_free(past);
	loop_timer_free(NULL);
}

static void
disarmed_and_freed_timers_stay_silent(void **state)
{
	struct loop_timer *disarmed = loop_timer_create(loop, call_note, "a");
	struct loop_timer *freed = loop_timer_create(loop, call_note, "b");
	struct loop_timer *far = loop_timer_create(loop, call_note, "c");
	struct loop_timer *stop = loop_timer_create(loop, call_stop, NULL);

	(void)state;
	loop_timer_arm(disarmed, 0);
	loop_timer_arm(freed, 0);
	loop_timer_arm(far, AT_NEVER);
	loop_timer_arm(stop, 3000);
	loop_timer_disarm(disarmed);
	loop_timer_free(freed);
	loop_run(loop);
	assert_string_equal(trace, ".");
	loop_timer_free(disarmed);
	loop_timer_free(far);
	loop_timer_free(stop);
}

static void
arming_again_moves_the_timer(void **state)
{
	struct loop_timer *timer = loop_timer_create(loop, call_note, "t");
	struct loop_timer *stop = loop_timer_create(loop, call_stop, NULL);

	(void)state;
	loop_timer_arm(timer, 1000);
	loop_timer_arm(timer, HOUR_US);
	loop_timer_arm(stop, 5000);
	loop_run(loop);
	assert_string_equal(trace, ".");
	loop_timer_free(timer);
	loop_timer_free(stop);
}

static struct loop_timer *own, *other;

static void
call_free_both(void *arg)
{
	(void)arg;
	note('f');
	loop_timer_free(own);
	loop_timer_free(other);
	loop_defer(loop, call_stop, NULL);
}

static void
timer_may_free_itself_and_another_that_is_due(void **state)
{
	(void)state;
	own = loop_timer_create(loop, call_free_both, NULL);
	other = loop_timer_create(loop, call_note, "o");
	loop_timer_arm(own, 0);
	loop_timer_arm(other, 1);
	usleep(1000);
	loop_run(loop);
	assert_string_equal(trace, "f.");
}

static void
call_rearm(void *arg)
{
	note('r');
	if (strlen(trace) < 3)
		loop_timer_arm(*(struct loop_timer **)arg, 10);
	else
		loop_stop(loop);
}

static void
timer_may_arm_itself_again(void **state)
{
	(void)state;
	own = loop_timer_create(loop, call_rearm, &own);
	loop_timer_arm(own, 10);
	loop_run(loop);
	assert_string_equal(trace, "rrr");
	loop_timer_free(own);
}

static void
call_set(void *done)
{
	*(bool *)done = true;
}

static void
run_until_waits_for_one_thing(void **state)
{
	bool done = false;

	(void)state;
	loop_run_until(loop, &(bool){true}); /* nothing to wait for */
	loop_defer(loop, call_set, &done);
	loop_run_until(loop, &done);
	assert_true(done);
}

/* A daemon told to end while it starts must not run afterwards. */
static void
stop_while_waiting_also_stops_the_run(void **state)
{
	bool done = false;

	(void)state;
	loop_defer(loop, call_stop, NULL);
	loop_run_until(loop, &done);
	assert_false(done);
	loop_defer(loop, call_note, "a");
	loop_run(loop);
	assert_string_equal(trace, ".");
	/* and then waits again, to end in order */
	loop_defer(loop, call_set, &done);
	loop_run_until(loop, &done);
	assert_true(done);
}

static void
on_signal(int signal_number, void *arg)
{
	assert_int_equal(signal_number, SIGUSR1);
	call_note(arg);
	loop_stop(loop);
}

static void
signals_come_through_the_loop(void **state)
{
	(void)state;
	loop_on_signal(loop, SIGUSR1, on_signal, "u");
	raise(SIGUSR1);
	assert_string_equal(trace, "");
	loop_run(loop);
	assert_string_equal(trace, "u");
}

static void
broken_pipe_is_an_error_and_no_end(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(write(ends[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(ends[1]);
}

int
main(void)
{
#define loop_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    loop_test(deferred_calls_keep_their_order),
	    loop_test(deferring_for_ever_does_not_starve_timers),
	    loop_test(calls_left_behind_are_not_made),
	    loop_test(timers_fire_in_order_and_not_early),
	    loop_test(disarmed_and_freed_timers_stay_silent),
	    loop_test(arming_again_moves_the_timer),
	    loop_test(timer_may_free_itself_and_another_that_is_due),
	    loop_test(timer_may_arm_itself_again),
	    loop_test(run_until_waits_for_one_thing),
	    loop_test(stop_while_waiting_also_stops_the_run),
	    loop_test(signals_come_through_the_loop),
	    loop_test(broken_pipe_is_an_error_and_no_end),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	libevent_global_shutdown();
	return failed;
}
