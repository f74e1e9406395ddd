/*
 * Plug-ins as files, and the manual of their keys: made of the same options
 * that the loader checks.  Opens shared objects, which runs what they run
 * when they are loaded.
 */
#include "flow/plugin.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"

/* The part of struct gw_api that every plug-in must have. */
#define API_BYTES_MIN (offsetof(struct gw_api, sent) + sizeof(void *))
#define SUFFIX ".so"

static int fail(char *error, size_t bytes, const char *format, ...)
    printf_like(3, 4);

static int
fail(char *error, size_t bytes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(error, bytes, format, args);
	va_end(args);
	return -1;
}

static int
check_file(const char *path, char *error, size_t bytes)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return fail(error, bytes, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return fail(error, bytes, "%s: not a file", path);
	if ((status.st_mode & 022) != 0 ||
	    (status.st_uid != 0 && status.st_uid != geteuid()))
		return fail(error, bytes,
		    "%s: must belong to root or to us and be writable by "
		    "nobody else",
		    path);
	return 0;
}

static int
check_api(const struct gw_api *api, const char *name, char *error, size_t bytes)
{
	if (api->abi != GW_ABI)
		return fail(error, bytes,
		    "plug-in %s speaks interface %u, not %u", name,
		    (unsigned)api->abi, (unsigned)GW_ABI);
	if (api->size < API_BYTES_MIN)
		return fail(error, bytes, "plug-in %s is incomplete", name);
	if (api->name == NULL || strcmp(api->name, name) != 0)
		return fail(error, bytes, "plug-in %s calls itself %s", name,
		    api->name == NULL ? "nothing" : api->name);
	return 0;
}

const struct gw_api *
plugin_open(const char *path, const char *name, char *error, size_t bytes)
{
	const struct gw_api *found;
	void *handle;

	if (check_file(path, error, bytes) != 0)
		return NULL;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	found = handle == NULL ? NULL : dlsym(handle, "adherd_gateway");
	if (found == NULL) {
		(void)fail(error, bytes, "%s", dlerror());
		return NULL;
	}
	return check_api(found, name, error, bytes) == 0 ? found : NULL;
}

/* ---- the keys, for people ---- */

/* An option as a row of a table: what the manual and example are made of. */
static struct conf_setting
setting_of(const struct gw_option *option, struct arena *arena)
{
	static const enum conf_type types[] = {[GW_OPTION_TEXT] = CONF_TEXT,
	    [GW_OPTION_INTEGER] = CONF_INTEGER,
	    [GW_OPTION_BOOLEAN] = CONF_BOOLEAN,
	    [GW_OPTION_URL] = CONF_TEXT};
	const char *more = option->secret ? " The file that holds it."
			   : option->type == GW_OPTION_URL ? " An https:// URL."
							   : "";

	return (struct conf_setting){
	    .section = "",
	    .key = option->secret ? arena_printf(arena, "%s-file", option->name)
				  : option->name,
	    .type = types[option->type],
	    .standard = option->standard,
	    .help = arena_printf(
		arena, "%s%s", option->help == NULL ? "" : option->help, more),
	    .required = option->required,
	};
}

static void
write_plugin(const struct gw_api *api, struct buf *out, bool manual)
{
	struct arena *arena = arena_create();
	struct conf_setting *table =
	    arena_array(arena, api->option_count + 1, sizeof(*table));

	for (size_t i = 0; i < api->option_count; i++)
		table[i] = setting_of(&api->options[i], arena);
	if (manual) {
		buf_printf(out,
		    ".Ss [gateway \\(dqNAME\\(dq] with plugin = %s\n"
		    "Channels: %s.\n.Bl -tag -width Ds\n",
		    api->name, api->channels == NULL ? "none" : api->channels);
		conf_manual(table, api->option_count, out);
		buf_text(out, ".El\n");
	} else {
		buf_printf(out, "\n# with plugin = %s:\n", api->name);
		conf_example(table, api->option_count, out);
	}
	arena_free(arena);
}

static void
write_all(const char *dir, struct buf *out, bool manual)
{
	struct dirent **entries;
	int count = scandir(dir, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		char path[4096], name[sizeof(entries[i]->d_name)], error[512];
		const char *file = entries[i]->d_name;
		size_t bytes = strlen(file), suffix = strlen(SUFFIX);
		const struct gw_api *api = NULL;

		if (bytes > suffix &&
		    strcmp(file + bytes - suffix, SUFFIX) == 0) {
			(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
			(void)snprintf(name, sizeof(name), "%.*s",
			    (int)(bytes - suffix), file);
			api = plugin_open(path, name, error, sizeof(error));
		}
		if (api != NULL)
			write_plugin(api, out, manual);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

void
plugins_manual(const char *dir, struct buf *out)
{
	write_all(dir, out, true);
}

void
plugins_example(const char *dir, struct buf *out)
{
	write_all(dir, out, false);
}
