#ifndef ADHERD_BASE_LOOP_H
#define ADHERD_BASE_LOOP_H

#include "base/mem.h"

/*
 * The event loop: libevent's, with timers and deferred calls.  One thread,
 * one loop.  Callbacks are only ever called from loop_run().
 */
struct event_base;
struct loop;
struct loop_timer;

struct loop *loop_create(void);
void loop_free(struct loop *loop);
/*
 * For events of one's own; their priority is LOOP_OTHERS unless they set
 * LOOP_FIRST (event_priority_set()): the database's, for while it waits for
 * us nobody works, and its events are few.
 */
enum loop_priority { LOOP_FIRST, LOOP_OTHERS };
struct event_base *loop_base(struct loop *loop);
void loop_run(struct loop *loop);  /* until loop_stop() */
void loop_stop(struct loop *loop); /* after the current callbacks */
/* Run until *done or loop_stop(); for programs that wait for one thing. */
void loop_run_until(struct loop *loop, const bool *done);

/* A one-shot timer; the owner frees it, also inside its own callback. */
struct loop_timer *loop_timer_create(
    struct loop *loop, void (*fired)(void *), void *arg);
void loop_timer_free(struct loop_timer *timer); /* NULL is fine */
void loop_timer_arm(struct loop_timer *timer, int64_t delay_us);
void loop_timer_disarm(struct loop_timer *timer);
bool loop_timer_armed(const struct loop_timer *timer);

/* Call once from the loop, after the current callback returned. */
void loop_defer(struct loop *loop, void (*call)(void *), void *arg);
/* Call on this signal, from the loop. */
void loop_on_signal(struct loop *loop, int signal_number,
    void (*call)(int signal_number, void *), void *arg);

#endif
