/*
 * --ready: ask the running daemon at its admin address, for scripts and
 * health checks.  One blocking request, with a deadline.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "main.h"

#define DEADLINE_S 5
#define ANSWER_BYTES_MAX 4096

/* A socket to the admin address; -1 with errno. */
static int
connect_to(const struct listen_address *address)
{
	struct sockaddr_in v4 = {
	    .sin_family = AF_INET, .sin_port = htons(address->port)};
	struct sockaddr_in6 v6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(address->port)};
	bool is_v4 = inet_pton(AF_INET, address->address, &v4.sin_addr) == 1;
	const struct timeval deadline = {.tv_sec = DEADLINE_S};
	int fd =
	    socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!is_v4)
		v6.sin6_addr = in6addr_loopback;
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline,
		sizeof(deadline)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline,
		sizeof(deadline)) != 0 ||
	    connect(fd,
		is_v4 ? (const struct sockaddr *)&v4
		      : (const struct sockaddr *)&v6,
		is_v4 ? sizeof(v4) : sizeof(v6)) != 0) {
		int saved = errno;

		if (fd >= 0)
			(void)close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Ask, and read up to the end; -1 with errno. */
static ssize_t
exchange(int fd, char *answer, size_t bytes)
{
	static const char question[] = "GET /-/ready HTTP/1.1\r\n"
				       "Host: localhost\r\n"
				       "Connection: close\r\n\r\n";
	size_t filled = 0;
	ssize_t got = send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL);

	while (got > 0 && filled < bytes - 1) {
		got = recv(fd, answer + filled, bytes - 1 - filled, 0);
		if (got > 0)
			filled += (size_t)got;
	}
	answer[filled] = '\0';
	return got < 0 ? -1 : (ssize_t)filled;
}

int
daemon_ask_ready(const char *admin_listen)
{
	struct listen_address address;
	char answer[ANSWER_BYTES_MAX];
	const char *body;
	ssize_t got = -1;
	int fd;

	if (listen_parse(admin_listen, &address) != 0)
		return EXIT_CONFIGURATION;
	fd = connect_to(&address);
	if (fd >= 0)
		got = exchange(fd, answer, sizeof(answer));
	if (got < 0) {
		(void)printf(
		    "not ready: %s: %s\n", admin_listen, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return 1;
	}
	(void)close(fd);
	body = strstr(answer, "\r\n\r\n");
	(void)fputs(
	    body == NULL ? "not ready: not an answer of adherd\n" : body + 4,
	    stdout);
	return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ? 0 : 1;
}
