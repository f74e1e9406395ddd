#ifndef ADHERD_BASE_SYSTEMD_H
#define ADHERD_BASE_SYSTEMD_H

#include "base/mem.h"

/*
 * What systemd(1) and a service tell each other, sd_notify(3) and
 * sd_listen_fds(3) by hand.  Without systemd all of it does nothing.
 */

/* Send lines such as "READY=1\nSTATUS=…" to $NOTIFY_SOCKET; never blocks. */
void systemd_notify(const char *format, ...) printf_like(1, 2);
/* "RELOADING=1" with the time that systemd wants beside it. */
void systemd_notify_reloading(void);
/* How often the watchdog wants to hear of us, microseconds; 0: never. */
int64_t systemd_watchdog_us(void);
/*
 * The socket passed under this name, or without names at this place (from
 * 0); -1: none.  It is not passed on to children.
 */
int systemd_socket(const char *name, int place);

#endif
