/*
 * Any bytes as the head of a request: it is not whole, refused with a status,
 * or read into strings that hide nothing.
 */
#include <string.h>

#include "base/http_head.h"
#include "fuzz.h"

/* No control byte, and so no line that a value could begin. */
static void
must_be_clean(const char *text)
{
	for (; *text != '\0'; text++)
		must(((unsigned char)*text >= ' ' || *text == '\t') &&
		     *text != 0x7f);
}

static void
check_head(const struct http_head *head)
{
	must(head->path[0] == '/');
	must_be_clean(head->path);
	must_be_clean(head->query);
	must(strchr(head->query, ' ') == NULL);
	must(head->method != 0);
	must(!head->chunked || head->content_bytes == 0);
	must(http_head_field(head, "host") != NULL);
	must(head->field_count <= HTTP_HEADERS_MAX);
	for (size_t i = 0; i < head->field_count; i++) {
		must(head->fields[i].name[0] != '\0');
		must(strpbrk(head->fields[i].name, " \t:") == NULL);
		must_be_clean(head->fields[i].name);
		must_be_clean(head->fields[i].value);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	/* A copy of just this size, so that a step past its end is seen. */
	char *text = malloc(bytes > 0 ? bytes : 1);
	struct arena *arena = arena_create();
	struct http_head head;
	long whole;

	must(text != NULL);
	if (bytes > 0)
		memcpy(text, data, bytes);
	whole = http_head_bytes(text, bytes);
	must(whole >= -1 && whole <= (long)bytes);
	if (whole > 0) {
		int refused =
		    http_head_parse(text, (size_t)whole, arena, &head);

		must(refused == 0 || (refused >= 400 && refused <= 505));
		if (refused == 0)
			check_head(&head);
	}
	if (http_decode(text, bytes, bytes % 2 == 0, arena) == NULL)
		must(bytes > 0);
	arena_free(arena);
	free(text);
	return 0;
}
