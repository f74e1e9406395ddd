#ifndef ADHERD_BASE_WATCHDOG_H
#define ADHERD_BASE_WATCHDOG_H

#include "base/loop.h"

/*
 * A guard against a loop that does not turn: code of others that never
 * returns, a lock, an endless retry.  A timer of the kernel looks ten times
 * in limit_us whether the loop turned; after nine looks in vain the process
 * ends with EXIT_INTERNAL and one line that says whose call was under way.
 * Looks are counted, not time: a process that was stopped or a machine that
 * slept is not taken for a loop that hangs.
 */

/*
 * Begin; once in a process.  stuck (may be NULL) is called before the end,
 * in a signal handler, with what watchdog_enter() named last, or NULL.
 */
void watchdog_start(
    struct loop *loop, int64_t limit_us, void (*stuck)(const char *doing));
/* A call of somebody else's code begins: name must live until it returns. */
void watchdog_enter(const char *name);
void watchdog_leave(void);
/* How often the loop has turned. */
uint64_t watchdog_turns(void);

#endif
