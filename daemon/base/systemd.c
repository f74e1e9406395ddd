/*
 * Datagrams to $NOTIFY_SOCKET, sockets from $LISTEN_FDS.  Owns nothing: a
 * datagram's socket lives for one call.
 */
#include "base/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define FIRST_SOCKET 3 /* SD_LISTEN_FDS_START */
#define SOCKETS_MAX 16
#define STATE_BYTES_MAX 1024

/* The address in $NOTIFY_SOCKET: a path, or abstract with an @; 0: none. */
static socklen_t
notify_address(struct sockaddr_un *address)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t bytes = path == NULL ? 0 : strlen(path);

	if (bytes < 2 || bytes >= sizeof(address->sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return 0;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, bytes);
	if (path[0] == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
}

void
systemd_notify(const char *format, ...)
{
	struct sockaddr_un address;
	socklen_t address_bytes = notify_address(&address);
	char state[STATE_BYTES_MAX];
	va_list args;
	ssize_t sent;
	int fd;

	if (address_bytes == 0)
		return;
	va_start(args, format);
	(void)vsnprintf(state, sizeof(state), format, args);
	va_end(args);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	do
		sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		    (const struct sockaddr *)&address, address_bytes);
	while (sent < 0 && errno == EINTR);
	(void)close(fd);
}

void
systemd_notify_reloading(void)
{
	systemd_notify(
	    "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_monotonic());
}

/* A number of the environment; -1 if it is none. */
static int64_t
number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long long number;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	number = strtoll(text, &end, 10);
	return errno != 0 || *end != '\0' ? -1 : number;
}

/* Is what this variable speaks of meant for our process? */
static bool
is_ours(const char *name)
{
	return getenv(name) == NULL || number_of(name) == getpid();
}

int64_t
systemd_watchdog_us(void)
{
	int64_t period_us = number_of("WATCHDOG_USEC");

	return period_us > 0 && is_ours("WATCHDOG_PID") ? period_us : 0;
}

/* The place of a name in "listen:admin-listen"; -1 if it is not there. */
static int
place_of(const char *names, const char *name)
{
	size_t bytes = strlen(name);

	for (int place = 0;; place++) {
		size_t word_bytes = strcspn(names, ":");

		if (word_bytes == bytes && strncmp(names, name, bytes) == 0)
			return place;
		if (names[word_bytes] == '\0')
			return -1;
		names += word_bytes + 1;
	}
}

/* systemd-socket-activate(1) and units without names say "unknown" or so. */
static bool
names_us(const char *names)
{
	return names != NULL && (place_of(names, "listen") >= 0 ||
				    place_of(names, "admin-listen") >= 0);
}

int
systemd_socket(const char *name, int place)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int64_t count = number_of("LISTEN_FDS");

	if (count < 1 || count > SOCKETS_MAX || getenv("LISTEN_PID") == NULL ||
	    !is_ours("LISTEN_PID"))
		return -1;
	if (names_us(names))
		place = place_of(names, name);
	if (place < 0 || place >= count)
		return -1;
	(void)fcntl(FIRST_SOCKET + place, F_SETFD, FD_CLOEXEC);
	return FIRST_SOCKET + place;
}
