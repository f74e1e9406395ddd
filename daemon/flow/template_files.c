/*
 * The directory of templates.  Reads files, at start-up and in adherctl;
 * what they hold is care/template's.
 */
#include "flow/template_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (64u << 10)
#define SUFFIX ".tpl"

/* Names that end in .tpl; all else in a folder is none of our business. */
static int
is_template(const struct dirent *entry)
{
	size_t bytes = strlen(entry->d_name);

	return entry->d_name[0] != '.' && bytes > strlen(SUFFIX) &&
	       strcmp(entry->d_name + bytes - strlen(SUFFIX), SUFFIX) == 0;
}

static int
read_file(const char *path, struct buf *out, struct conf_error *error)
{
	FILE *file = fopen(path, "re");
	const char *wrong = NULL;
	char chunk[4096];
	size_t bytes;

	while (
	    file != NULL && (bytes = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(out, chunk, bytes);
	if (file == NULL || ferror(file))
		wrong = strerror(errno);
	else if (out->overflow)
		wrong = "too big a file";
	else if (strlen(buf_string(out)) != out->bytes)
		wrong = "a NUL byte in it";
	if (wrong != NULL)
		(void)snprintf(
		    error->text, sizeof(error->text), "%s: %s", path, wrong);
	if (file != NULL)
		(void)fclose(file);
	return wrong == NULL ? 0 : -1;
}

/* LOCALE.tpl or LOCALE.CHANNEL.tpl: name is cut into its parts. */
static int
split_name(char *name, enum channel *channel)
{
	char *dot;

	name[strlen(name) - strlen(SUFFIX)] = '\0';
	dot = strchr(name, '.');
	*channel = CHANNEL_NONE;
	if (dot == NULL)
		return 0;
	*dot = '\0';
	*channel = channel_from_word(dot + 1);
	return *channel == CHANNEL_NONE ? -1 : 0;
}

static int
load_file(struct template_set *set, enum kind kind, const char *folder,
    const char *name, struct arena *arena, struct conf_error *error)
{
	const char *path = arena_printf(arena, "%s/%s", folder, name);
	char *locale = arena_text(arena, name);
	struct buf text = BUF_INIT(FILE_BYTES_MAX);
	enum channel channel;
	int result = -1;

	if (split_name(locale, &channel) != 0)
		(void)snprintf(error->text, sizeof(error->text),
		    "%s: no channel of that name", path);
	else if (read_file(path, &text, error) == 0)
		result = template_set_add(
		    set, kind, locale, channel, path, buf_string(&text), error);
	buf_free(&text);
	return result;
}

/* In name order, so that the first error is always the same one. */
static int
load_folder(struct template_set *set, enum kind kind, const char *directory,
    struct arena *arena, struct conf_error *error)
{
	const char *folder =
	    arena_printf(arena, "%s/%s", directory, kind_word(kind));
	struct dirent **entries;
	int count = scandir(folder, &entries, is_template, alphasort);
	int result = 0;

	if (count < 0) {
		(void)snprintf(error->text, sizeof(error->text), "%s: %s",
		    folder, strerror(errno));
		return -1;
	}
	for (int i = 0; i < count; i++) {
		if (result == 0)
			result = load_file(set, kind, folder,
			    entries[i]->d_name, arena, error);
		free(entries[i]);
	}
	free(entries);
	return result;
}

struct template_set *
template_files_load(
    const char *directory, const char *default_locale, struct conf_error *error)
{
	struct template_set *set = template_set_create(default_locale);
	struct arena *arena = arena_create();
	int result = 0;

	for (enum kind kind = KIND_DOSE; result == 0 && kind <= KIND_FOLLOW_UP;
	     kind++)
		result = load_folder(set, kind, directory, arena, error);
	arena_free(arena);
	if (result == 0)
		return set;
	template_set_free(set);
	return NULL;
}
