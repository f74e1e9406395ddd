/*
 * adherctl resume: end a stop.  Says first what would leave, by planning
 * everybody who waits for it with and without; then the stop's row is
 * ended, which waits for the rounds under way that obey it, and whoever
 * waited is looked at again.  Killed in between it is called once more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl_line.h"
#include "ctl_person.h"
#include "ctl_stop.h"
#include "ctl_touch.h"
#include "ctl_world.h"
#include "flow/stop_book.h"

#define PAGE 500 /* people loaded at once */

static int run(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_resume = {
    .words = "resume",
    .usage = "NUMBER|--product DRUG|--kind KIND|--template KIND/STAGE|"
	     "--tenant NAME|--all\n"
	     "           [--list] [--yes] [--by NAME] [--json]\n"
	     "       adherctl [-c FILE] resume --assume-sent-until TIME "
	     "[--yes] [--by NAME]",
    .help = "end a stop: says what would leave, and asks\n"
	    "  NUMBER  as `stop list` has it; or the words of the stop\n"
	    "  --list  name each message that would leave, not only how many\n"
	    "  --yes   do not ask\n"
	    "  --by    who, for the trace\n"
	    "Whatever is still valid leaves; what is over stays held.\n"
	    "  --assume-sent-until TIME  the database was restored or failed\n"
	    "          over, and copies that remember more wait: what was due\n"
	    "          before TIME counts as sent, and sending goes on.\n"
	    "          Says how many people that concerns, and asks; ahead of\n"
	    "          the clock only as far as a copy remembers",
    .run = run,
};

/* ---- whom it concerns ---- */

struct page {
	struct ctl_person *people;
	size_t count;
};

static void
take_page(const struct db_result *result, void *arg)
{
	struct page *page = arg;

	page->count = (size_t)db_rows(result);
	for (int i = 0; i < db_rows(result); i++)
		page->people[i] = (struct ctl_person){
		    .bucket = (int16_t)db_i64(result, i, 0),
		    .patient_id = db_i64(result, i, 1),
		};
}

/* The next for whom something waits and whom the stop may concern. */
static void
find_held(struct db_unit *unit, void (*take)(const struct db_result *, void *),
    void *taker, int16_t after_bucket, int64_t after_patient, int32_t slice,
    void *arg)
{
	const struct stop *stop = arg;

	db_unit_add(unit, "stop_held", take, taker);
	db_param_i16(unit, after_bucket);
	db_param_i64(unit, after_patient);
	db_param_i32(unit, stop->tenant_id);
	db_param_text(unit, stop->drug);
	db_param_i32(unit, slice);
}

/* ---- what would leave ---- */

struct count {
	enum kind kind;
	enum stage stage;
	enum channel channel;
	uint64_t at_once, later;
};

struct preview {
	struct ctl *ctl;
	struct ctl_world *world;
	struct stops without; /* the stops that would still stand */
	int64_t now;
	bool list;
	struct list counts; /* struct count */
	uint64_t messages;
	struct buf out;
};

static bool
same_message(const struct dry_line *a, const struct dry_line *b)
{
	if (a->action != b->action || a->kind != b->kind ||
	    a->stage != b->stage || a->item_count != b->item_count)
		return false;
	for (uint32_t i = 0; i < a->item_count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static void
count_line(struct preview *preview, const struct dry_line *line)
{
	struct count *counts = preview->counts.data, *count = NULL;

	for (size_t i = 0; i < preview->counts.count && count == NULL; i++)
		if (counts[i].kind == line->kind &&
		    counts[i].stage == line->stage &&
		    counts[i].channel == line->channel)
			count = &counts[i];
	if (count == NULL) {
		count = list_add(&preview->counts);
		count->kind = line->kind;
		count->stage = line->stage;
		count->channel = line->channel;
	}
	if (line->at <= preview->now)
		count->at_once++;
	else
		count->later++;
	preview->messages++;
}

static void
print_line(struct preview *preview, const struct dry_line *line)
{
	if (preview->ctl->json) {
		ctl_line_step(&preview->out, "message", line);
		return;
	}
	dry_line_table(line, 0, &preview->out);
	(void)fputs(buf_string(&preview->out), stdout);
	buf_clear(&preview->out);
}

/* What leaves within a day without the stop, and would not with it. */
static void
preview_person(struct preview *preview, const struct ctl_person *person,
    struct arena *arena)
{
	const struct dossier *d = &person->dossier;
	const struct rules *with =
	    ctl_world_rules(preview->world, d->tenant_id);
	struct rules without = *with;
	const struct dry_line *stays, *leaves;
	struct dry_patient patient;
	uint32_t stay_count, leave_count;

	if (!person->known)
		return;
	without.stops = &preview->without;
	ctl_person_dry(
	    person, with, preview->now, preview->now + DAY_US, arena, &patient);
	patient.gateways =
	    ctl_world_gateways(preview->world, d->tenant_id, d->locale);
	stay_count = dry_run(&patient, 1, with, arena, &stays);
	leave_count = dry_run(&patient, 1, &without, arena, &leaves);
	for (uint32_t i = 0; i < leave_count; i++) {
		bool leaves_anyway = false;

		for (uint32_t k = 0; k < stay_count; k++)
			leaves_anyway |= same_message(&stays[k], &leaves[i]);
		if (leaves[i].action != PLAN_SEND || leaves_anyway)
			continue;
		count_line(preview, &leaves[i]);
		if (preview->list)
			print_line(preview, &leaves[i]);
	}
}

/* Page by page, in key order; returns how many wait. */
static uint64_t
preview_all(struct preview *preview, struct stop *stop)
{
	struct arena *arena = arena_create();
	struct ctl_person last = {.bucket = -1};
	struct page page;
	uint64_t people = 0;

	do {
		struct db_unit *unit =
		    db_unit_begin(ctl_database(preview->ctl));

		arena_reset(arena);
		page.people = arena_array(arena, PAGE, sizeof(*page.people));
		page.count = 0;
		find_held(unit, take_page, &page, last.bucket, last.patient_id,
		    PAGE, stop);
		ctl_run(unit);
		if (page.count == 0)
			break;
		last = page.people[page.count - 1];
		people += page.count;
		ctl_people_load(preview->ctl, page.people, page.count, arena);
		for (size_t i = 0; i < page.count; i++)
			preview_person(preview, &page.people[i], arena);
	} while (page.count == PAGE);
	arena_free(arena);
	return people;
}

static void
print_count(struct preview *preview, const struct count *count)
{
	struct json_writer w;

	if (!preview->ctl->json) {
		(void)printf("would leave: %s %s by %s, %" PRIu64
			     " at once, %" PRIu64 " later within 24 h\n",
		    kind_word(count->kind), stage_word(count->stage),
		    channel_word(count->channel), count->at_once, count->later);
		return;
	}
	w = ctl_line_begin(&preview->out, "would_leave");
	json_write_member(&w, "kind", kind_word(count->kind));
	json_write_member(&w, "stage", stage_word(count->stage));
	json_write_member(&w, "channel", channel_word(count->channel));
	ctl_line_number(&w, "at_once", (int64_t)count->at_once);
	ctl_line_number(&w, "within_24_h", (int64_t)count->later);
	ctl_line_end(&w);
}

static int
compare_counts(const void *left, const void *right)
{
	const struct count *a = left, *b = right;
	int order[][2] = {{(int)a->kind, (int)b->kind},
	    {(int)a->stage, (int)b->stage}, {(int)a->channel, (int)b->channel}};

	for (unsigned i = 0; i < COUNT(order); i++)
		if (order[i][0] != order[i][1])
			return order[i][0] < order[i][1] ? -1 : 1;
	return 0;
}

static void
print_preview(struct preview *preview, uint64_t people)
{
	struct count *counts = preview->counts.data;
	struct json_writer w;

	if (preview->counts.count > 1)
		qsort(counts, preview->counts.count, sizeof(*counts),
		    compare_counts);
	for (size_t i = 0; i < preview->counts.count; i++)
		print_count(preview, &counts[i]);
	if (preview->ctl->json) {
		w = ctl_line_begin(&preview->out, "waiting");
		ctl_line_number(&w, "people", (int64_t)people);
		ctl_line_number(&w, "messages", (int64_t)preview->messages);
		ctl_line_end(&w);
	} else {
		(void)printf("%" PRIu64 " people wait; %" PRIu64
			     " messages would leave within 24 h\n",
		    people, preview->messages);
	}
	ctl_world_warn(preview->world);
	(void)fflush(stdout);
}

/* ---- which stops ---- */

struct ending {
	const struct stop_row *rows[STOPS_MAX + 1]; /* that end */
	uint32_t count;
	struct stop what;      /* which all of them name */
	bool over;             /* somebody ended it before */
	struct stop *standing; /* what else stands */
	uint32_t standing_count;
};

static bool
is_meant(const struct stop_wish *wish, const struct stop_row *row)
{
	if (wish->number != 0)
		return row->stop.stop_id == wish->number;
	return row->ended_at == AT_NEVER && stop_same(&row->stop, &wish->stop);
}

/*
 * By its words, and none stands: the newest that did, for the call that ended
 * it may have been cut short before everybody was looked at again.
 */
static void
take_newest(const struct stop_wish *wish, const struct stop_row *rows,
    uint32_t count, struct ending *ending)
{
	for (uint32_t i = count; i > 0; i--) {
		if (wish->number != 0 ||
		    !stop_same(&rows[i - 1].stop, &wish->stop))
			continue;
		ending->rows[ending->count++] = &rows[i - 1];
		ending->over = true;
		return;
	}
}

static void
find_stops(struct ctl *ctl, const struct stop_wish *wish, struct ending *ending)
{
	const struct stop_row *rows;
	uint32_t count = stop_rows_load(ctl, true, &rows);

	*ending = (struct ending){
	    .standing = arena_array(ctl->arena, count + 1, sizeof(struct stop)),
	};
	for (uint32_t i = 0; i < count; i++) {
		bool stands = rows[i].ended_at == AT_NEVER;

		if (is_meant(wish, &rows[i]) && ending->count < STOPS_MAX) {
			ending->rows[ending->count++] = &rows[i];
			ending->over |= !stands;
		} else if (stands) {
			ending->standing[ending->standing_count++] =
			    rows[i].stop;
		}
	}
	if (ending->count == 0)
		take_newest(wish, rows, count, ending);
	if (ending->count > 0)
		ending->what = ending->rows[0]->stop;
	else
		ctl_fail(EXIT_NO_INPUT, "there is no such stop; see adherctl "
					"stop list");
}

/* ---- doing it ---- */

bool
resume_confirmed(bool yes, const char *deed)
{
	char answer[8];

	if (yes)
		return true;
	if (isatty(STDIN_FILENO) == 0) {
		(void)fprintf(stderr,
		    "adherctl: nothing was done; with --yes: %s\n", deed);
		return false;
	}
	(void)fprintf(stderr, "%s? [y/N] ", deed);
	return fgets(answer, sizeof(answer), stdin) != NULL &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

static void
end_stops(
    struct ctl *ctl, const struct stop_wish *wish, const struct ending *ending)
{
	struct db_unit *unit;
	struct db_array ids;
	int64_t now = ctl_now(ctl, NULL);

	unit = db_unit_begin(ctl_database(ctl));
	db_array_init(&ids, DB_I32);
	for (uint32_t i = 0; i < ending->count; i++)
		db_array_i64(&ids, ending->rows[i]->stop.stop_id);
	db_unit_add(unit, "stop_end", NULL, NULL);
	db_param_array(unit, &ids);
	db_param_at(unit, now);
	db_param_text(unit, stop_by(ctl, wish->by));
	ctl_run(unit);
	db_array_free(&ids);
}

static void
preview(struct ctl *ctl, const struct stop_wish *wish, struct ending *ending)
{
	struct preview preview = {
	    .ctl = ctl,
	    .without = {ending->standing, ending->standing_count},
	    .now = ctl_now(ctl, NULL),
	    .list = wish->list,
	};

	preview.world = ctl_world_load(ctl);
	list_init(&preview.counts, ctl->arena, sizeof(struct count));
	print_preview(&preview, preview_all(&preview, &ending->what));
	buf_free(&preview.out);
	ctl_world_free(preview.world);
}

/* What is resumed here may still be held by another stop. */
static void
tell_still_standing(struct ctl *ctl)
{
	const struct stop_row *rows;
	uint32_t count = stop_rows_load(ctl, false, &rows);

	if (count > 0 && !ctl->json)
		(void)puts("still stopped:");
	for (uint32_t i = 0; i < count && !ctl->json; i++)
		stop_row_print(ctl, &rows[i]);
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct ending *ending = arena_alloc(ctl->arena, sizeof(*ending));
	struct stop_wish wish;
	uint64_t people;

	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], "--assume-sent-until", 19) == 0)
			return ctl_assume_sent(ctl, argc, argv);
	stop_wish_read(ctl, &ctl_resume, argc, argv, &wish);
	if (wish.reason != NULL)
		ctl_usage(&ctl_resume);
	find_stops(ctl, &wish, ending);
	for (uint32_t i = 0; i < ending->count; i++)
		stop_row_print(ctl, ending->rows[i]);
	if (!ending->over) {
		preview(ctl, &wish, ending);
		if (!resume_confirmed(wish.yes, "end the stop"))
			return 1;
		end_stops(ctl, &wish, ending);
	}
	people = ctl_touch_people(ctl, find_held, &ending->what, false);
	if (ctl->json)
		(void)printf(
		    "{\"what\":\"resumed\",\"people\":%" PRIu64 "}\n", people);
	else
		(void)printf("resumed; %" PRIu64
			     " people are looked at again\n",
		    people);
	tell_still_standing(ctl);
	return 0;
}
