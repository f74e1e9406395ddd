/*
 * Findings: a list that grows in an arena.  No side effects.
 */
#include "care/finding.h"

#include <stdio.h>
#include <string.h>

#define TEXT_BYTES_MAX 1024

void
findings_init(struct findings *findings, struct arena *arena)
{
	*findings = (struct findings){.arena = arena};
	list_init(&findings->list, arena, sizeof(struct finding));
}

void
findings_add(struct findings *findings, const struct place *place,
    enum severity severity, const char *rule, const char *format, ...)
{
	struct finding *finding = list_add(&findings->list);
	char text[TEXT_BYTES_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	*finding = (struct finding){
	    .place = *place,
	    .severity = severity,
	    .rule = rule,
	    .text = arena_text(findings->arena, text),
	};
	findings->error_count += severity == SEVERITY_ERROR;
}

static bool
goes_before(const struct place *a, const struct place *b)
{
	int files = strcmp(a->file, b->file);

	if (files != 0)
		return files < 0;
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* By insertion: stable, and they come nearly in order. */
void
findings_sort(struct findings *findings)
{
	struct finding *list = findings->list.data;

	for (size_t i = 1; i < findings->list.count; i++) {
		struct finding moved = list[i];
		size_t j = i;

		for (; j > 0 && goes_before(&moved.place, &list[j - 1].place);
		     j--)
			list[j] = list[j - 1];
		list[j] = moved;
	}
}

int
findings_fail(const struct findings *findings, struct conf_error *error)
{
	const struct finding *list = findings->list.data;
	const struct finding *first = list;

	if (findings->error_count == 0)
		return 0;
	while (first->severity != SEVERITY_ERROR)
		first++;
	if (first->place.line > 0)
		(void)snprintf(error->text, sizeof(error->text), "%s:%d: %s",
		    first->place.file, first->place.line, first->text);
	else
		(void)snprintf(error->text, sizeof(error->text), "%s: %s",
		    first->place.file, first->text);
	return -1;
}

const char *
severity_word(enum severity severity)
{
	return severity == SEVERITY_ERROR ? "error" : "warning";
}
