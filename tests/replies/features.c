/*
 * features FILE…: of each labelled reply a line, parted by tabs: the file, its
 * labels, those that rules found and whose words they hid, each as the bits of
 * a number, and its features (care/reply_likely.h).  What learn.py learns from.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labelled.h"

#define LINE_BYTES_MAX 8192

static void
collect(void *arg, const char *feature)
{
	buf_printf(arg, "\t%s", feature);
}

static int
tell_line(const struct reply_rules *rules, const char *file, const char *line)
{
	struct arena *arena = arena_create();
	struct buf features = BUF_INIT(0);
	const char *items[REPLY_ITEMS_MAX];
	struct json_error error;
	struct reply_question question;
	struct reply_evidence evidence;
	const struct json *record =
	    json_parse(line, strlen(line), NULL, arena, &error);
	uint32_t labels = labelled_intents(record);
	bool good = labels != 0 && labelled_question(record, &question, items);

	if (good) {
		const char *text = json_get_text(record, "text");

		reply_features(rules, text, strlen(text), &question, arena,
		    collect, &features, &evidence);
		(void)printf("%s\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "%s\n",
		    file, labels, evidence.found, evidence.hidden,
		    buf_string(&features));
	}
	buf_free(&features);
	arena_free(arena);
	return good ? 0 : -1;
}

/* Their names, in the order of the bits. */
static int
tell_labels(void)
{
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		(void)printf("%s\n", reply_label_row(i)->name);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct arena *arena = arena_create();
	struct findings findings;
	const struct reply_rules *rules;
	static char line[LINE_BYTES_MAX];
	int status = 0;

	findings_init(&findings, arena);
	if (argc == 2 && strcmp(argv[1], "labels") == 0)
		return tell_labels();
	rules = reply_rules_read(reply_files, reply_file_count, &findings);
	for (int i = 1; i < argc && status == 0; i++) {
		FILE *file = fopen(argv[i], "rb");
		int number = 0;

		if (file == NULL) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		while (status == 0 && fgets(line, sizeof(line), file) != NULL) {
			number++;
			status = tell_line(rules, argv[i], line);
		}
		if (status != 0)
			(void)fprintf(stderr, "%s:%d: no labelled reply\n",
			    argv[i], number);
		(void)fclose(file);
	}
	arena_free(arena);
	return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
