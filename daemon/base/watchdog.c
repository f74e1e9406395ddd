/*
 * The guard against a loop that does not turn.  Owns one timer of the loop,
 * which counts, and one of the kernel, whose signal looks at the count.
 * Side effects: takes SIGALRM; ends the process.
 */
#include "base/watchdog.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define LOOKS 10     /* in the limit */
#define LOOKS_VAIN 9 /* so many without a turn are the end */

/* One process has one loop: the handler can be given nothing. */
static volatile sig_atomic_t turned;
static volatile sig_atomic_t looks_vain;
static const char *volatile doing;
static void (*volatile on_stuck)(const char *);
static uint64_t turns;
static struct loop_timer *beat;
static int64_t beat_us;

static void
on_beat(void *arg)
{
	(void)arg;
	turned = 1;
	turns++;
	loop_timer_arm(beat, beat_us);
}

/* Only what a signal handler may call. */
static void
say(const char *text)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	(void)written;
}

static _Noreturn void
end(void)
{
	const char *name = doing;

	say("<3>watchdog.stuck reason=\"the loop does not turn\"");
	say(" gateway=");
	say(name == NULL ? "-" : name);
	say("\n");
	if (on_stuck != NULL)
		on_stuck(name);
	_exit(EXIT_INTERNAL);
}

static void
on_look(int signal_number)
{
	(void)signal_number;
	if (turned) {
		turned = 0;
		looks_vain = 0;
		return;
	}
	looks_vain = looks_vain + 1;
	if (looks_vain >= LOOKS_VAIN)
		end();
}

void
watchdog_start(
    struct loop *loop, int64_t limit_us, void (*stuck)(const char *doing))
{
	struct sigaction action = {
	    .sa_handler = on_look, .sa_flags = SA_RESTART};
	struct sigevent event = {
	    .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct itimerspec period = {0};
	timer_t timer;

	assert(beat == NULL && limit_us >= LOOKS);
	on_stuck = stuck;
	beat_us = limit_us / LOOKS / 2;
	beat = loop_timer_create(loop, on_beat, NULL);
	loop_timer_arm(beat, 0);
	period.it_interval.tv_sec = limit_us / LOOKS / SECOND_US;
	period.it_interval.tv_nsec = limit_us / LOOKS % SECOND_US * 1000;
	period.it_value = period.it_interval;
	(void)sigemptyset(&action.sa_mask);
	if (sigaction(SIGALRM, &action, NULL) != 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &period, NULL) != 0)
		fatal(EXIT_INTERNAL, "cannot start the watchdog's timer");
}

void
watchdog_enter(const char *name)
{
	doing = name;
}

void
watchdog_leave(void)
{
	doing = NULL;
}

uint64_t
watchdog_turns(void)
{
	return turns;
}
