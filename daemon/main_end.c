/*
 * What ends the process while a plug-in runs, a fatal signal or a loop that
 * does not turn, is put down to that plug-in before the end.  A kill from
 * outside is not, nor memory that ran out: whoever was at work then was there
 * by chance.
 */
#include <signal.h>

#include "main.h"

#define STACK_BYTES (64 * 1024)

static struct state_file *blamed; /* NULL: nothing is remembered */
static struct sigaction former[NSIG];

/*
 * The handler before us is next, a sanitizer's or the default.  A fault comes
 * again when we return; what somebody sent does not.
 */
static void
on_fatal(int number, siginfo_t *info, void *context)
{
	(void)context;
	state_file_blame(blamed);
	(void)sigaction(number, &former[number], NULL);
	if (info->si_code <= 0)
		(void)raise(number);
}

void
daemon_on_stuck(const char *doing)
{
	(void)doing;
	if (blamed != NULL)
		state_file_blame(blamed);
}

/* A plug-in may have used up the stack that it had. */
static void
use_own_stack(void)
{
	static char stack[STACK_BYTES];
	const stack_t own = {.ss_sp = stack, .ss_size = sizeof(stack)};
	stack_t present;

	if (sigaltstack(NULL, &present) == 0 &&
	    (present.ss_flags & SS_DISABLE) != 0)
		(void)sigaltstack(&own, NULL);
}

void
daemon_watch_end(struct state_file *state)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	struct sigaction action = {
	    .sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	blamed = state;
	use_own_stack();
	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (sigaction(numbers[i], &action, &former[numbers[i]]) != 0)
			fatal(EXIT_INTERNAL, "cannot watch for signal %d",
			    numbers[i]);
}
