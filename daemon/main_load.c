/*
 * Everything that the configuration names, read and checked: at the start,
 * for -t, and for a reload, always the same way.  Reads files; opens nothing
 * and changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zone.h"
#include "flow/template_files.h"
#include "main.h"

#define PHONE_DIGITS_MIN 7 /* of E.164, after the + */
#define PHONE_DIGITS_MAX 15
#define APP_ADDRESS_BYTES_MIN 16 /* open ids have 28, tokens more */

int
listen_parse(const char *listen, struct listen_address *address)
{
	const char *colon = strrchr(listen, ':');
	size_t bytes = colon == NULL ? 0 : (size_t)(colon - listen);
	char *end;
	long port;

	if (bytes == 0 || bytes >= sizeof(address->address))
		return -1;
	if (listen[0] == '[' && colon[-1] == ']') {
		listen++;
		bytes -= 2;
	}
	(void)snprintf(address->address, sizeof(address->address), "%.*s",
	    (int)bytes, listen);
	port = strtol(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port > 65535)
		return -1;
	address->port = (uint16_t)port;
	return 0;
}

/*
 * Loopback only: neither door has a setting for authentication, so that no
 * line of the file could make another address safe.
 */
static int
check_listen(const struct conf *conf, const char *key, const char *listen,
    struct conf_error *error)
{
	struct listen_address address;

	if (listen_parse(listen, &address) != 0)
		return conf_blame(conf, "adherd", NULL, key, error,
		    "\"%s\" is not ADDRESS:PORT", listen);
	if (strcmp(address.address, "127.0.0.1") != 0 &&
	    strcmp(address.address, "::1") != 0)
		return conf_blame(conf, "adherd", NULL, key, error,
		    "\"%s\" would be open to others without authentication; "
		    "listen on 127.0.0.1 or [::1], behind a proxy that has it",
		    listen);
	return 0;
}

/* Two doors, two places: the second could not be opened. */
static int
check_doors(const struct loaded *loaded, struct conf_error *error)
{
	const struct settings *settings = &loaded->settings;
	const struct conf *conf = loaded->conf;
	struct listen_address listen, admin;
	bool admin_is_set = conf_has(conf, "adherd", NULL, "admin-listen");

	if (check_listen(conf, "listen", settings->listen, error) != 0 ||
	    check_listen(conf, "admin-listen", settings->admin_listen, error) !=
		0)
		return -1;
	if (listen_parse(settings->listen, &listen) != 0 ||
	    listen_parse(settings->admin_listen, &admin) != 0 ||
	    listen.port != admin.port || listen.port == 0 ||
	    strcmp(listen.address, admin.address) != 0)
		return 0;
	return conf_blame(conf, "adherd", NULL,
	    admin_is_set ? "admin-listen" : "listen", error,
	    "%s is the place of \"%s\", too",
	    admin_is_set ? settings->admin_listen : settings->listen,
	    admin_is_set ? "listen" : "admin-listen");
}

/* Whoever checks may be another than who runs it: root sees most. */
static int
check_folder(const struct conf *conf, const char *key, const char *path,
    int mode, struct conf_error *error)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return conf_blame(conf, "adherd", NULL, key, error, "%s: %s",
		    path, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return conf_blame(
		    conf, "adherd", NULL, key, error, "%s: no folder", path);
	if (faccessat(AT_FDCWD, path, mode, AT_EACCESS) != 0)
		return conf_blame(conf, "adherd", NULL, key, error,
		    "%s: not %s by the user who runs this: %s", path,
		    (mode & W_OK) != 0 ? "writable" : "readable",
		    strerror(errno));
	return 0;
}

/* That of the texts is read whole, which says more. */
static int
check_folders(const struct loaded *loaded, struct conf_error *error)
{
	const struct settings *settings = &loaded->settings;
	struct conf *conf = loaded->conf;
	const char *state_dir = settings_state_dir(settings);

	if (state_dir != NULL && check_folder(conf, "state-dir", state_dir,
				     R_OK | W_OK | X_OK, error) != 0)
		return -1;
	if (*conf_names(conf, "gateway") == NULL &&
	    !conf_has(conf, "adherd", NULL, "plugin-dir"))
		return 0;
	return check_folder(
	    conf, "plugin-dir", settings->plugin_dir, R_OK | X_OK, error);
}

/*
 * A number as it is kept, or the long name that an app gives a person: what
 * is neither would silently keep everything in.
 */
static bool
is_address(const char *text)
{
	size_t bytes = strlen(text), digits;

	if (*text != '+')
		return bytes >= APP_ADDRESS_BYTES_MIN &&
		       text[strcspn(text, " \t")] == '\0';
	digits = strspn(text + 1, "0123456789");
	return digits == bytes - 1 && digits >= PHONE_DIGITS_MIN &&
	       digits <= PHONE_DIGITS_MAX;
}

/* What is said goes to the journal: no address in it. */
static int
check_only_to(const struct loaded *loaded, struct conf_error *error)
{
	const char *const *list = loaded->settings.only_to;

	if (list == NULL)
		return 0;
	if (list[0] == NULL)
		return conf_blame(loaded->conf, "adherd", NULL, "only-to",
		    error, "names no address: nothing would leave");
	for (int i = 0; list[i] != NULL; i++)
		if (!is_address(list[i]))
			return conf_blame(loaded->conf, "adherd", NULL,
			    "only-to", error,
			    "number %d in the list is no address as it stands "
			    "in the dossier: +8613…, or the id that an app "
			    "gave",
			    i + 1);
	return 0;
}

static int
check_database(const struct loaded *loaded, struct conf_error *error)
{
	const char *wrong = db_dsn_wrong(loaded->settings.database);

	return wrong == NULL ? 0
			     : conf_blame(loaded->conf, "adherd", NULL,
				   "database", error, "%s", wrong);
}

static int
read_keyring(struct loaded *loaded, struct conf_error *error)
{
	const char *path = settings_secret_path(
	    loaded->settings.keyring_file, loaded->conf->arena);
	char text[256];

	loaded->keyring = keyring_open(path, text, sizeof(text));
	return loaded->keyring != NULL
		   ? 0
		   : conf_blame(loaded->conf, "adherd", NULL, "keyring-file",
			 error, "%s", text);
}

static int
read_templates(struct loaded *loaded, struct conf_error *error)
{
	struct conf_error why;

	loaded->templates =
	    template_files_load(loaded->settings.template_dir, "zh-CN", &why);
	if (loaded->templates != NULL &&
	    template_set_check(loaded->templates, program_default(), &why) == 0)
		return 0;
	return conf_blame(loaded->conf, "adherd", NULL, "template-dir", error,
	    "%s", why.text);
}

int
loaded_read(const char *path, struct loaded *loaded, struct conf_error *error)
{
	memset(loaded, 0, sizeof(*loaded));
	loaded->conf = settings_read(path, &loaded->settings, error);
	if (loaded->conf != NULL && check_database(loaded, error) == 0 &&
	    check_doors(loaded, error) == 0 &&
	    check_only_to(loaded, error) == 0 &&
	    check_folders(loaded, error) == 0 &&
	    read_keyring(loaded, error) == 0 &&
	    read_templates(loaded, error) == 0)
		return 0;
	loaded_free(loaded);
	return -1;
}

void
loaded_free(struct loaded *loaded)
{
	template_set_free(loaded->templates);
	keyring_free(loaded->keyring);
	conf_free(loaded->conf);
	memset(loaded, 0, sizeof(*loaded));
}
