/*
 * features FILE…: of each labelled reply a line, its primary label and its
 * features (care/reply_likely.h), parted by tabs: what learn.py learns from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "care/reply.h"

#define LINE_BYTES_MAX 8192

static void
tell(void *arg, const char *feature)
{
	(void)arg;
	(void)printf("\t%s", feature);
}

static int
tell_line(const struct reply_rules *rules, const char *line)
{
	struct arena *arena = arena_create();
	struct json_error error;
	const struct json *json =
	    json_parse(line, strlen(line), NULL, arena, &error);
	const char *text = json_get_text(json, "text");
	const char *primary = json_get_text(json, "primary");
	enum reply_context context;
	bool good =
	    text != NULL && primary != NULL &&
	    reply_context_find(json_get_text(json, "context"), &context);

	if (good) {
		(void)printf("%s", primary);
		reply_features(
		    rules, text, strlen(text), context, arena, tell, NULL);
		(void)printf("\n");
	}
	arena_free(arena);
	return good ? 0 : -1;
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
			status = tell_line(rules, line);
		}
		if (status != 0)
			(void)fprintf(stderr, "%s:%d: no labelled reply\n",
			    argv[i], number);
		(void)fclose(file);
	}
	arena_free(arena);
	return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
