/*
 * adherctl plan --diff: two dry runs over the same patients, and what they
 * do not have in common.  Prints; changes nothing.
 */
#include "ctl_plan_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct diff_line {
	const struct dry_line *line;
	const char *json; /* equal lines have equal ones */
};

struct tally { /* of one kind, stage and action */
	uint64_t old_count, new_count, removed, added;
};

enum { ACTIONS = PLAN_TASK + 1 };

struct diff {
	struct ctl *ctl;
	int patient_width;
	bool differs;
	struct tally tallies[KIND_ANSWER + 1][STAGE_COUNT][ACTIONS];
};

static const char *const action_words[ACTIONS] = {
    [PLAN_SEND] = "send", [PLAN_HOLD] = "hold", [PLAN_TASK] = "task"};

static int
compare_lines(const void *left, const void *right)
{
	const struct diff_line *a = left, *b = right;
	int order;

	if (a->line->at != b->line->at)
		return a->line->at < b->line->at ? -1 : 1;
	order = strcmp(a->line->patient, b->line->patient);
	return order != 0 ? order : strcmp(a->json, b->json);
}

/* What happens under these rules, in time order. */
static struct diff_line *
run(struct diff *diff, const struct dry_patient *patients, uint32_t count,
    const struct rules *rules, uint32_t *line_count)
{
	struct arena *arena = diff->ctl->arena;
	struct buf json = BUF_INIT(0);
	const struct dry_line *lines;
	struct diff_line *list;

	*line_count = dry_run(patients, count, rules, arena, &lines);
	list = arena_array(arena, *line_count + 1, sizeof(*list));
	for (uint32_t i = 0; i < *line_count; i++) {
		int width = (int)strlen(lines[i].patient);

		buf_clear(&json);
		dry_line_json(&lines[i], &json);
		list[i] = (struct diff_line){
		    &lines[i], arena_text(arena, buf_string(&json))};
		if (width > diff->patient_width)
			diff->patient_width = width;
	}
	buf_free(&json);
	qsort(list, *line_count, sizeof(*list), compare_lines);
	return list;
}

static struct tally *
tally_of(struct diff *diff, const struct dry_line *line)
{
	return &diff->tallies[line->kind][line->stage][line->action];
}

static void
print_line(struct diff *diff, const struct diff_line *line, char sign)
{
	struct buf out = BUF_INIT(0);

	diff->differs = true;
	if (diff->ctl->json) {
		(void)printf("{\"change\":\"%c\",%s\n", sign, line->json + 1);
	} else {
		dry_line_table(line->line, diff->patient_width, &out);
		(void)printf("%c %s", sign, buf_string(&out));
	}
	buf_free(&out);
}

static void
print_tally(const struct diff *diff, enum kind kind, enum stage stage,
    enum plan_action action)
{
	const struct tally *t = &diff->tallies[kind][stage][action];

	if (t->removed + t->added == 0)
		return;
	if (diff->ctl->json)
		(void)printf("{\"kind\":\"%s\",\"stage\":\"%s\",\"action\":"
			     "\"%s\",\"removed\":%llu,\"added\":%llu,"
			     "\"old\":%llu,\"new\":%llu}\n",
		    kind_word(kind), stage_word(stage), action_words[action],
		    (unsigned long long)t->removed,
		    (unsigned long long)t->added,
		    (unsigned long long)t->old_count,
		    (unsigned long long)t->new_count);
	else
		(void)printf("%-9s  %-6s  %s  -%llu +%llu  (%llu, now %llu)\n",
		    kind_word(kind), stage_word(stage), action_words[action],
		    (unsigned long long)t->removed,
		    (unsigned long long)t->added,
		    (unsigned long long)t->old_count,
		    (unsigned long long)t->new_count);
}

/* Numbers of stages are as they were stored; people read them by day. */
static void
print_tallies(const struct diff *diff)
{
	for (enum kind kind = KIND_DOSE; kind <= KIND_FOLLOW_UP; kind++)
		for (int32_t day = -STAGE_DAY_MAX; day <= STAGE_DAY_MAX; day++)
			for (int action = PLAN_SEND; action < ACTIONS; action++)
				print_tally(diff, kind, stage_of_day(day),
				    (enum plan_action)action);
	for (enum kind kind = KIND_DOSE; kind <= KIND_FOLLOW_UP; kind++)
		for (enum stage stage = STAGE_DUE; stage < STAGE_DAYS;
		     stage++) {
			int32_t day;

			for (int action = PLAN_SEND; action < ACTIONS; action++)
				if (!stage_day(stage, &day))
					print_tally(diff, kind, stage,
					    (enum plan_action)action);
		}
}

bool
ctl_plan_diff(struct ctl *ctl, const struct dry_patient *patients,
    uint32_t count, const struct rules *old_rules,
    const struct rules *new_rules)
{
	struct diff *diff = arena_alloc(ctl->arena, sizeof(*diff));
	struct diff_line *old_lines, *new_lines;
	uint32_t old_count, new_count, i = 0, k = 0;

	diff->ctl = ctl;
	old_lines = run(diff, patients, count, old_rules, &old_count);
	new_lines = run(diff, patients, count, new_rules, &new_count);
	while (i < old_count || k < new_count) {
		int order = i == old_count ? 1
			    : k == new_count
				? -1
				: compare_lines(&old_lines[i], &new_lines[k]);

		if (order < 0) {
			print_line(diff, &old_lines[i], '-');
			tally_of(diff, old_lines[i].line)->removed++;
		} else if (order > 0) {
			print_line(diff, &new_lines[k], '+');
			tally_of(diff, new_lines[k].line)->added++;
		}
		if (order <= 0)
			tally_of(diff, old_lines[i++].line)->old_count++;
		if (order >= 0)
			tally_of(diff, new_lines[k++].line)->new_count++;
	}
	print_tallies(diff);
	return diff->differs;
}
