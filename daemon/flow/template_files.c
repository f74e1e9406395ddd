/*
 * The directory of templates and of the lists of words.  Reads files, at
 * start-up and in adherctl; what they hold is care/template's and
 * care/word_list's.
 */
#include "flow/template_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (64u << 10)
#define SUFFIX ".tpl"
#define LIST_SUFFIX ".txt"

/* Names that end in .tpl; all else in a folder is none of our business. */
static int
is_template(const struct dirent *entry)
{
	size_t bytes = strlen(entry->d_name);

	return entry->d_name[0] != '.' && bytes > strlen(SUFFIX) &&
	       strcmp(entry->d_name + bytes - strlen(SUFFIX), SUFFIX) == 0;
}

/* Open a file that has an end: a FIFO or a device could go on for ever. */
static FILE *
open_file(const char *path, const char **wrong)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	FILE *file;

	*wrong = NULL;
	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
		file = fdopen(fd, "r");
		if (file != NULL)
			return file;
	}
	*wrong = fd < 0 ? strerror(errno) : "not a regular file";
	if (fd >= 0) {
		(void)close(fd);
		errno = 0;
	}
	return NULL;
}

/* NULL, or why not; errno is ENOENT where there is no file. */
static const char *
read_file(const char *path, struct buf *out)
{
	const char *wrong;
	FILE *file = open_file(path, &wrong);
	char chunk[4096];
	size_t bytes;

	if (file == NULL)
		return wrong;
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

/* A folder or a text beside those of the kinds, which nobody would read. */
static void
tell_unread(const char *directory, const struct dirent *entry,
    struct findings *findings)
{
	const char *words[KIND_ANSWER + 1], *nearest;
	const struct place place = {.file = arena_printf(findings->arena,
					"%s/%s", directory, entry->d_name)};
	size_t count = 0;

	for (enum kind kind = KIND_DOSE; kind <= KIND_ANSWER; kind++)
		words[count++] = kind_word(kind);
	nearest = conf_nearest(entry->d_name, words, count);
	findings_add(findings, &place, SEVERITY_ERROR, "unknown-kind",
	    "not the folder of a kind: what it says is never sent%s%s%s",
	    nearest == NULL ? "" : "; did you mean \"",
	    nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
}

/* Does it hold texts?  All else is none of our business. */
static bool
holds_texts(
    const char *directory, const struct dirent *entry, struct arena *arena)
{
	struct dirent **entries;
	int count;

	if (is_template(entry))
		return true;
	if (entry->d_name[0] == '.')
		return false;
	count = scandir(arena_printf(arena, "%s/%s", directory, entry->d_name),
	    &entries, is_template, NULL);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	if (count >= 0)
		free(entries);
	return count > 0;
}

static void
check_folders(const char *directory, struct findings *findings)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		enum kind kind = kind_from_word(entries[i]->d_name);

		if ((kind < KIND_DOSE || kind > KIND_ANSWER) &&
		    holds_texts(directory, entries[i], findings->arena))
			tell_unread(directory, entries[i], findings);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
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
	for (enum kind kind = KIND_DOSE; kind <= KIND_ANSWER; kind++)
		load_folder(set, kind, directory, findings);
	check_folders(directory, findings);
	return set;
}

static const char *
words_path(const char *directory, const char *name, struct arena *arena)
{
	return arena_printf(arena, "%s/words/%s", directory, name);
}

/* The file of one list; without it, the shipped one. */
static void
read_words(const char *directory, const struct word_file *file,
    struct word_list *list, bool told, struct findings *findings)
{
	const char *path = words_path(directory,
	    arena_printf(findings->arena, "%s.txt", file->name),
	    findings->arena);
	const struct place place = {.file = path};
	struct buf text = BUF_INIT(FILE_BYTES_MAX);
	const char *wrong = read_file(path, &text);
	bool missing = wrong != NULL && errno == ENOENT;
	uint32_t errors = findings->error_count;

	word_list_read(list, path,
	    wrong == NULL ? buf_string(&text) : file->text, findings);
	buf_free(&text);
	if (missing && !told)
		findings_add(findings, &place, SEVERITY_WARNING, "word-list",
		    "no such file; the shipped list is used");
	else if (wrong != NULL && !missing)
		tell(findings, path, "unreadable", wrong);
	else if (list->words.count == 0 && findings->error_count == errors)
		tell(findings, path, "word-list",
		    "no word in it: nothing is checked; without the file the "
		    "shipped list would be");
}

/* A list of another name, which nobody would read. */
static void
check_list_name(
    const char *directory, const char *name, struct findings *findings)
{
	const char *words[WORDS_COUNT], *nearest;
	const struct place place = {
	    .file = words_path(directory, name, findings->arena)};
	size_t bytes = strlen(name);
	char *word = arena_text(findings->arena, name);

	if (name[0] == '.' || bytes < strlen(LIST_SUFFIX) ||
	    strcmp(name + bytes - strlen(LIST_SUFFIX), LIST_SUFFIX) != 0)
		return;
	word[bytes - strlen(LIST_SUFFIX)] = '\0';
	for (enum word_list_name i = 0; i < WORDS_COUNT; i++) {
		words[i] = word_list_word(i);
		if (strcmp(words[i], word) == 0)
			return;
	}
	nearest = conf_nearest(word, words, WORDS_COUNT);
	findings_add(findings, &place, SEVERITY_ERROR, "word-list",
	    "no list of that name%s%s%s",
	    nearest == NULL ? "" : "; did you mean \"",
	    nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
}

void
template_files_words(
    const char *directory, struct word_lists *words, struct findings *findings)
{
	const char *folder =
	    arena_printf(findings->arena, "%s/words", directory);
	const struct place place = {.file = folder};
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort);

	*words = (struct word_lists){0};
	if (count < 0)
		findings_add(findings, &place, SEVERITY_WARNING, "word-list",
		    "%s; the shipped lists are used", strerror(errno));
	for (size_t i = 0; i < word_file_count; i++)
		for (enum word_list_name name = 0; name < WORDS_COUNT; name++)
			if (strcmp(word_list_word(name), word_files[i].name) ==
			    0)
				read_words(directory, &word_files[i],
				    &words->lists[name], count < 0, findings);
	for (int i = 0; i < count; i++) {
		check_list_name(directory, entries[i]->d_name, findings);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
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
