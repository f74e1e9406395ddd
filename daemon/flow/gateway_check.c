/*
 * What a gateway's section may say: its values against the types that the
 * plug-in declares, and the file of certificates.  Nothing is kept.
 */
#include "flow/gateway_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool
is_integer(const char *text)
{
	size_t bytes = strlen(text), sign = text[0] == '-' ? 1 : 0;

	return bytes > sign && bytes <= 18 &&
	       strspn(text + sign, "0123456789") == bytes - sign;
}

/* Does this http:// URL stay on this machine, as far as its name says? */
static bool
stays_here(const char *url)
{
	const char *authority = url + 7;
	size_t bytes = strcspn(authority, "/?#");
	char host[16];
	struct in_addr address;

	if (memchr(authority, '@', bytes) != NULL)
		return false;
	if (strncmp(authority, "[::1]", 5) == 0)
		return bytes == 5 || authority[5] == ':';
	if (strcspn(authority, ":") < bytes)
		bytes = strcspn(authority, ":");
	if (bytes >= sizeof(host))
		return false;
	(void)snprintf(host, sizeof(host), "%.*s", (int)bytes, authority);
	return strcmp(host, "localhost") == 0 ||
	       (inet_pton(AF_INET, host, &address) == 1 &&
		   ntohl(address.s_addr) >> 24 == 127);
}

static const char *
wrong_url(const char *value, bool plain)
{
	if (strncmp(value, "https://", 8) == 0)
		return NULL;
	if (!plain || strncmp(value, "http://", 7) != 0)
		return "not an https:// URL";
	return stays_here(value)
		   ? NULL
		   : "http:// would leave this machine: https://, or for a "
		     "simulator 127.0.0.1, [::1] or localhost";
}

const char *
gateway_check_value(
    const struct gw_option *option, const char *value, bool plain)
{
	if (option->type == GW_OPTION_INTEGER && !is_integer(value))
		return "not an integer";
	if (option->type == GW_OPTION_BOOLEAN && strcmp(value, "yes") != 0 &&
	    strcmp(value, "no") != 0)
		return "neither yes nor no";
	if (option->type == GW_OPTION_URL)
		return wrong_url(value, plain);
	return NULL;
}

/* Enough to know that the right file is named: the rest is the library's. */
int
gateway_check_certificates(const char *path, char *error, size_t bytes)
{
	bool found = false;
	char line[256];
	struct stat status;
	FILE *file;

	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
		(void)snprintf(error, bytes, "%s: not a file", path);
		return -1;
	}
	file = fopen(path, "re");
	if (file == NULL) {
		(void)snprintf(error, bytes, "%s: %s", path, strerror(errno));
		return -1;
	}
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = strncmp(line, "-----BEGIN ", 11) == 0;
	(void)fclose(file);
	if (found)
		return 0;
	(void)snprintf(error, bytes, "%s: no certificate in it (PEM)", path);
	return -1;
}
