/*
 * The directory of templates and of the lists of words.  Reads files, at
 * start-up and in adherctl; what they hold is care/template's and
 * care/word_list's.
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

/* NULL, or why not; errno is ENOENT where there is no file. */
static const char *
read_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "re");
	const char *wrong = NULL;
	char chunk[4096];
	size_t bytes;

	if (file == NULL)
		return strerror(errno);
	while ((bytes = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(out, chunk, bytes);
	if (ferror(file))
		wrong = strerror(errno);
	else if (out->overflow)
		wrong = "too big a file";
	else if (strlen(buf_string(out)) != out->bytes)
		wrong = "a NUL byte in it";
	(void)fclose(file);
	if (wrong != NULL)
		errno = 0;
	return wrong;
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

/* What is wrong with a file as a whole. */
static void
tell(struct findings *findings, const char *path, const char *rule,
    const char *text)
{
	const struct place place = {.file = path};

	findings_add(findings, &place, SEVERITY_ERROR, rule, "%s", text);
}

static void
load_file(struct template_set *set, enum kind kind, const char *folder,
    const char *name, struct findings *findings)
{
	const char *path = arena_printf(findings->arena, "%s/%s", folder, name);
	char *locale = arena_text(findings->arena, name);
	struct buf text = BUF_INIT(FILE_BYTES_MAX);
	enum channel channel;
	const char *wrong;

	if (split_name(locale, &channel) != 0) {
		tell(findings, path, "unknown-channel",
		    "no channel of that name");
		return;
	}
	wrong = read_file(path, &text);
	if (wrong == NULL) {
		template_set_read(set, kind, locale, channel, path,
		    buf_string(&text), findings);
	} else {
		tell(findings, path, "unreadable", wrong);
		template_set_tear(set);
	}
	buf_free(&text);
}

/* In name order, so that the first error is always the same one. */
static void
load_folder(struct template_set *set, enum kind kind, const char *directory,
    struct findings *findings)
{
	const char *folder =
	    arena_printf(findings->arena, "%s/%s", directory, kind_word(kind));
	struct dirent **entries;
	int count = scandir(folder, &entries, is_template, alphasort);

	if (count < 0) {
		tell(findings, folder, "unreadable", strerror(errno));
		return;
	}
	for (int i = 0; i < count; i++) {
		load_file(set, kind, folder, entries[i]->d_name, findings);
		free(entries[i]);
	}
	free(entries);
}

struct template_set *
template_files_read(const char *directory, const char *default_locale,
    struct findings *findings, struct conf_error *error)
{
	struct template_set *set;
	DIR *opened = opendir(directory);

	if (opened == NULL) {
		(void)snprintf(error->text, sizeof(error->text), "%s: %s",
		    directory, strerror(errno));
		return NULL;
	}
	(void)closedir(opened);
	set = template_set_create(default_locale);
	for (enum kind kind = KIND_DOSE; kind <= KIND_FOLLOW_UP; kind++)
		load_folder(set, kind, directory, findings);
	return set;
}

void
template_files_words(
    const char *directory, struct word_lists *words, struct findings *findings)
{
	*words = (struct word_lists){0};
	for (size_t i = 0; i < word_file_count; i++) {
		const char *path = arena_printf(findings->arena,
		    "%s/words/%s.txt", directory, word_files[i].name);
		struct buf text = BUF_INIT(FILE_BYTES_MAX);
		const char *wrong = read_file(path, &text);
		const char *content = word_files[i].text;

		if (wrong == NULL)
			content = buf_string(&text);
		else if (errno != ENOENT)
			tell(findings, path, "unreadable", wrong);
		for (enum word_list_name name = 0; name < WORDS_COUNT; name++)
			if (strcmp(word_list_word(name), word_files[i].name) ==
			    0)
				word_list_read(&words->lists[name], path,
				    content, findings);
		buf_free(&text);
	}
}

struct template_set *
template_files_load(
    const char *directory, const char *default_locale, struct conf_error *error)
{
	struct arena *arena = arena_create();
	struct findings findings;
	struct word_lists words;
	struct template_set *set;

	findings_init(&findings, arena);
	set = template_files_read(directory, default_locale, &findings, error);
	if (set != NULL) {
		const struct template_check check = {
		    .set = set, .words = &words, .findings = &findings};

		template_files_words(directory, &words, &findings);
		template_check_law(&check);
	}
	if (set != NULL && findings_fail(&findings, error) != 0) {
		template_set_free(set);
		set = NULL;
	}
	arena_free(arena);
	return set;
}
