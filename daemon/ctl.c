/*
 * adherctl: finds the verb and says how it is used.  Owns the process: what
 * ctl_open.c opens for a verb lives until it exits.
 */
#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define WORDS_MAX 64 /* bytes of a verb's words */
#define DAYS_MAX 3660

static const struct ctl_verb *const verbs[] = {&ctl_migrate, &ctl_maintain,
    &ctl_check_dossiers, &ctl_import_fhir, &ctl_plan, &ctl_why, &ctl_consent,
    &ctl_tasks, &ctl_task_done, &ctl_task_take, &ctl_staff_add, &ctl_staff_list,
    &ctl_staff_end, &ctl_release, &ctl_stop, &ctl_stop_list, &ctl_resume,
    &ctl_queue, &ctl_program_check, &ctl_program_store, &ctl_program_list,
    &ctl_program_show, &ctl_product_set, &ctl_product_list, &ctl_template_list,
    &ctl_template_render, &ctl_template_register, &ctl_template_check,
    &ctl_gateway_list, &ctl_gateway_pauses, &ctl_gateway_pause,
    &ctl_gateway_resume, &ctl_keyring_create, &ctl_timing, &ctl_supply,
    &ctl_reply};

void
ctl_fail(int status, const char *format, ...)
{
	va_list args;

	(void)fflush(stdout);
	(void)fputs("adherctl: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(status);
}

void
ctl_usage(const struct ctl_verb *verb)
{
	(void)fprintf(stderr, "usage: adherctl [-c FILE] %s %s\n", verb->words,
	    verb->usage);
	exit(EXIT_USAGE_);
}

void
ctl_stray(const struct ctl_verb *verb, const char *word)
{
	(void)fprintf(
	    stderr, "adherctl: %s takes no \"%s\" here\n", verb->words, word);
	ctl_usage(verb);
}

const char *
ctl_option(const struct ctl_verb *verb, int argc, char **argv, int *at,
    const char *name)
{
	size_t bytes = strlen(name);

	if (strncmp(argv[*at], name, bytes) != 0)
		return NULL;
	if (argv[*at][bytes] == '=')
		return argv[*at] + bytes + 1;
	if (argv[*at][bytes] != '\0')
		return NULL;
	if (++*at >= argc) {
		(void)fprintf(stderr, "adherctl: %s takes a value\n", name);
		ctl_usage(verb);
	}
	return argv[*at];
}

bool
ctl_number(const char *text, int32_t max, int32_t *number)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 1 || value > max)
		return false;
	*number = (int32_t)value;
	return true;
}

int32_t
ctl_days(const char *text)
{
	int32_t days;

	if (!ctl_number(text, DAYS_MAX, &days))
		ctl_fail(EXIT_USAGE_, "--days takes 1 to %d", DAYS_MAX);
	return days;
}

/* ---- which verb ---- */

static const struct ctl_verb *
find_verb(const char *words)
{
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (strcmp(verbs[i]->words, words) == 0)
			return verbs[i];
	return NULL;
}

/* The verb of the first one or two words; *used says how many. */
static const struct ctl_verb *
take_verb(int argc, char **argv, int *used)
{
	char words[WORDS_MAX];

	*used = 1;
	if (argc > 1) {
		(void)snprintf(words, sizeof(words), "%s %s", argv[0], argv[1]);
		if (find_verb(words) != NULL) {
			*used = 2;
			return find_verb(words);
		}
	}
	return find_verb(argv[0]);
}

static _Noreturn void
fail_unknown(int argc, char **argv)
{
	const char *known[COUNT(verbs)], *nearest;
	char given[WORDS_MAX];

	for (size_t i = 0; i < COUNT(verbs); i++)
		known[i] = verbs[i]->words;
	nearest = conf_nearest(argv[0], known, COUNT(verbs));
	(void)snprintf(
	    given, sizeof(given), "%s %s", argv[0], argc > 1 ? argv[1] : "");
	if (nearest == NULL)
		nearest = conf_nearest(given, known, COUNT(verbs));
	/* the first word of a longer verb */
	for (size_t i = 0; i < COUNT(verbs) && nearest == NULL; i++)
		if (strncmp(known[i], argv[0], strlen(argv[0])) == 0)
			nearest = known[i];
	if (nearest != NULL)
		ctl_fail(EXIT_USAGE_, "no verb \"%s\"; did you mean \"%s\"?",
		    argv[0], nearest);
	ctl_fail(EXIT_USAGE_, "no verb \"%s\"; see adherctl help", argv[0]);
}

static int
print_help(void)
{
	(void)puts("usage: adherctl [-c FILE] [--json] VERB …\n");
	for (size_t i = 0; i < COUNT(verbs); i++)
		(void)printf("  %-20s %.*s\n", verbs[i]->words,
		    (int)strcspn(verbs[i]->help, "\n"), verbs[i]->help);
	(void)puts("\nadherctl help VERB says how a verb is used.");
	return 0;
}

static void
print_usage(const struct ctl_verb *verb)
{
	(void)printf("usage: adherctl [-c FILE] %s %s\n\n%s\n", verb->words,
	    verb->usage, verb->help);
}

/* Does the verb begin with that word, and go on? */
static bool
goes_on(const struct ctl_verb *verb, const char *word)
{
	size_t bytes = strlen(word);

	return strncmp(verb->words, word, bytes) == 0 &&
	       verb->words[bytes] == ' ';
}

/* Of a verb, or of all that begin with one word. */
static int
print_verb_help(int argc, char **argv)
{
	const struct ctl_verb *verb;
	bool printed;
	int used;

	if (argc == 0)
		return print_help();
	verb = take_verb(argc, argv, &used);
	printed = verb != NULL;
	if (verb != NULL)
		print_usage(verb);
	for (size_t i = 0; i < COUNT(verbs) && argc == 1; i++) {
		if (!goes_on(verbs[i], argv[0]))
			continue;
		if (printed)
			(void)putchar('\n');
		print_usage(verbs[i]);
		printed = true;
	}
	if (!printed)
		fail_unknown(argc, argv);
	return 0;
}

/* Take out what may stand anywhere on the line; the rest moves up. */
static int
take_common_options(struct ctl *ctl, int argc, char **argv, bool *help)
{
	int kept = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			ctl->json = true;
		else if (strcmp(argv[i], "--help") == 0 ||
			 strcmp(argv[i], "-h") == 0)
			*help = true;
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			ctl->config_path = argv[++i];
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return kept;
}

int
main(int argc, char **argv)
{
	struct ctl ctl = {.arena = arena_create()};
	const struct ctl_verb *verb;
	bool help = false;
	int used, status;

	log_level_set(LOG_LEVEL_WARNING);
	argc = take_common_options(&ctl, argc, argv, &help);
	if (argc > 0 && strcmp(argv[0], "--version") == 0) {
		(void)puts("adherctl " ADHERD_VERSION);
		return 0;
	}
	if (help || (argc > 0 && strcmp(argv[0], "help") == 0)) {
		bool verb_word = argc > 0 && strcmp(argv[0], "help") == 0;

		status = print_verb_help(argc - verb_word, argv + verb_word);
		arena_free(ctl.arena);
		return status;
	}
	if (argc == 0) {
		(void)print_help();
		return EXIT_USAGE_;
	}
	verb = take_verb(argc, argv, &used);
	if (verb == NULL)
		fail_unknown(argc, argv);
	status = verb->run(&ctl, argc - used, argv + used);
	if (fflush(stdout) != 0 || ferror(stdout))
		ctl_fail(EXIT_INTERNAL, "cannot write the output");
	if (ctl.db != NULL)
		db_close(ctl.db);
	if (ctl.loop != NULL)
		loop_free(ctl.loop);
	keyring_free(ctl.keyring);
	if (ctl.conf != NULL)
		conf_free(ctl.conf);
	arena_free(ctl.arena);
	return status;
}
