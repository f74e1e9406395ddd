/*
 * The event loop: libevent's, with one-shot timers, deferred calls in the
 * order they were asked for, and signals.
 *
 * The loop owns its event base, the signal events and the calls that wait.
 * A deferred call runs in the next pass, after the kernel was asked for
 * events, so that code which defers for ever starves nobody.
 *
 * Creating a loop ignores SIGPIPE for the whole process: a peer that went
 * away is an EPIPE to handle, not an end.
 */
#include "base/loop.h"

#include <assert.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/log.h"

/* libevent adds a delay to its clock; keep that far from any end. */
#define DELAY_US_MAX (366 * DAY_US)
#define CALLS_AT_A_TIME 16

struct deferred {
	struct deferred *next;
	void (*call)(void *);
	void *arg;
};

struct loop_signal {
	struct loop_signal *next;
	struct event *event; /* owned */
	void (*call)(int, void *);
	void *arg;
};

struct loop {
	struct event_base *base;     /* owned */
	struct event *wake;          /* owned; pending while calls wait */
	struct deferred *first;      /* owned, in order */
	struct deferred **end;       /* where the next one goes */
	struct loop_signal *signals; /* owned */
	bool stopped;
};

struct loop_timer {
	struct event *event; /* owned */
	void (*fired)(void *);
	void *arg;
};

/* Make the calls that waited when the pass began, not those they defer. */
static void
loop_run_deferred(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct deferred *deferred = loop->first;

	(void)fd;
	(void)what;
	loop->first = NULL;
	loop->end = &loop->first;
	while (deferred != NULL) {
		struct deferred *next = deferred->next;

		deferred->call(deferred->arg);
		free(deferred);
		deferred = next;
	}
}

/*
 * A base with fine timers: libevent's own default is a clock of 4 ms steps,
 * read once a pass.  After CALLS_AT_A_TIME others it looks whether something
 * came that goes first.
 */
static struct event_base *
base_create(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER |
					      EVENT_BASE_FLAG_NO_CACHE_TIME) ==
		0 &&
	    event_config_set_max_dispatch_interval(
		config, NULL, CALLS_AT_A_TIME, LOOP_OTHERS) == 0)
		base = event_base_new_with_config(config);
	if (base != NULL &&
	    event_base_priority_init(base, LOOP_OTHERS + 1) != 0) {
		event_base_free(base);
		base = NULL;
	}
	if (config != NULL)
		event_config_free(config);
	return base;
}

struct loop *
loop_create(void)
{
	struct loop *loop = mem_alloc(sizeof(*loop));

	signal(SIGPIPE, SIG_IGN);
	loop->end = &loop->first;
	loop->base = base_create();
	if (loop->base != NULL)
		loop->wake = evtimer_new(loop->base, loop_run_deferred, loop);
	if (loop->wake == NULL)
		fatal(EXIT_INTERNAL, "cannot create the event loop");
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	while (loop->first != NULL) {
		struct deferred *next = loop->first->next;

		free(loop->first);
		loop->first = next;
	}
	while (loop->signals != NULL) {
		struct loop_signal *next = loop->signals->next;

		event_free(loop->signals->event);
		free(loop->signals);
		loop->signals = next;
	}
	event_free(loop->wake);
	event_base_free(loop->base);
	free(loop);
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

/* Wait for events and call what they are for, once. */
static void
loop_pass(struct loop *loop)
{
	int result = event_base_loop(loop->base, EVLOOP_ONCE);

	/* 1: nothing to wait for, so nothing would ever end this. */
	assert(result == 0);
	(void)result;
}

void
loop_run(struct loop *loop)
{
	while (!loop->stopped)
		loop_pass(loop);
	loop->stopped = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

void
loop_run_until(struct loop *loop, const bool *done)
{
	while (!*done && !loop->stopped)
		loop_pass(loop);
}

/* The owner may free the timer in the call: do not touch it afterwards. */
static void
loop_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd;
	(void)what;
	timer->fired(timer->arg);
}

struct loop_timer *
loop_timer_create(struct loop *loop, void (*fired)(void *), void *arg)
{
	struct loop_timer *timer = mem_alloc(sizeof(*timer));

	timer->fired = fired;
	timer->arg = arg;
	timer->event = evtimer_new(loop->base, loop_on_timer, timer);
	assert(timer->event != NULL);
	return timer;
}

void
loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	event_free(timer->event);
	free(timer);
}

/* Add an event that comes after this long; too long is a long time. */
static void
event_after(struct event *event, int64_t delay_us)
{
	struct timeval delay;
	int failed;

	if (delay_us < 0)
		delay_us = 0;
	if (delay_us > DELAY_US_MAX)
		delay_us = DELAY_US_MAX;
	delay.tv_sec = delay_us / SECOND_US;
	delay.tv_usec = delay_us % SECOND_US;
	failed = evtimer_add(event, &delay);
	assert(failed == 0);
	(void)failed;
}

void
loop_timer_arm(struct loop_timer *timer, int64_t delay_us)
{
	event_after(timer->event, delay_us);
}

void
loop_timer_disarm(struct loop_timer *timer)
{
	evtimer_del(timer->event);
}

bool
loop_timer_armed(const struct loop_timer *timer)
{
	return evtimer_pending(timer->event, NULL);
}

void
loop_defer(struct loop *loop, void (*call)(void *), void *arg)
{
	struct deferred *deferred = mem_alloc(sizeof(*deferred));

	deferred->call = call;
	deferred->arg = arg;
	if (loop->first == NULL)
		event_after(loop->wake, 0);
	*loop->end = deferred;
	loop->end = &deferred->next;
}

static void
loop_on_signal_event(evutil_socket_t signal_number, short what, void *arg)
{
	struct loop_signal *handler = arg;

	(void)what;
	handler->call((int)signal_number, handler->arg);
}

void
loop_on_signal(struct loop *loop, int signal_number,
    void (*call)(int signal_number, void *), void *arg)
{
	struct loop_signal *handler = mem_alloc(sizeof(*handler));
	int failed;

	handler->call = call;
	handler->arg = arg;
	handler->event = evsignal_new(
	    loop->base, signal_number, loop_on_signal_event, handler);
	assert(handler->event != NULL);
	handler->next = loop->signals;
	loop->signals = handler;
	failed = evsignal_add(handler->event, NULL);
	assert(failed == 0);
	(void)failed;
}
