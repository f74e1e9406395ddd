/*
 * adherctl resume --assume-sent-until: after a restore or a fail-over that
 * lost commits.  What was due before that instant counts as sent; the pause
 * of all gateways ends.  Refused where a copy remembers to have sent later,
 * and for what lies ahead, unless that is what a copy remembers: a clock
 * went back, and what is due until then went out.  Says first what it comes
 * to, and asks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl_line.h"
#include "ctl_stop.h"

struct assumption { /* the command line */
	const char *text, *by;
	int64_t until_at;
	bool yes;
};

struct behind {
	int64_t copies, sent_at;
};

static void
take_behind(const struct db_result *result, void *arg)
{
	struct behind *behind = arg;

	behind->copies = db_i64(result, 0, 0);
	behind->sent_at = db_at_or(result, 0, 1, AT_UNKNOWN);
}

static struct behind
find_behind(struct ctl *ctl)
{
	struct behind behind;
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	db_unit_add(unit, "ctl_behind", take_behind, &behind);
	ctl_run(unit);
	return behind;
}

static void
take_due(const struct db_result *result, void *arg)
{
	*(int64_t *)arg = db_i64(result, 0, 1);
}

/* People for whom something is due before then. */
static int64_t
count_due(struct ctl *ctl, int64_t until_at)
{
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));
	int64_t people = 0;

	db_unit_add(unit, "stop_due", take_due, &people);
	db_param_i32(unit, 0);
	db_param_text(unit, NULL);
	db_param_at(unit, until_at);
	ctl_run(unit);
	return people;
}

static void
store(struct ctl *ctl, int64_t until_at, const char *by)
{
	struct clock clock = ctl_clock(ctl);
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	db_unit_add(unit, "ctl_assume_sent", NULL, NULL);
	db_param_at(unit, until_at);
	db_param_at(unit, clock_unmoved(&clock));
	db_param_text(unit, stop_by(ctl, by));
	db_unit_add(unit, "ctl_behind_over", NULL, NULL);
	db_param_at(unit, until_at);
	db_unit_add(unit, "gateway_pause_end", NULL, NULL);
	db_param_text(unit, "*");
	db_param_text(unit, "");
	db_param_at(unit, clock_unmoved(&clock));
	db_param_text(unit, stop_by(ctl, by));
	db_unit_add(unit, "agenda_notify", NULL, NULL);
	ctl_run(unit);
}

static void
read_assumption(int argc, char **argv, struct assumption *assumption)
{
	const char *value;

	*assumption = (struct assumption){0};
	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(&ctl_resume, argc, argv, &i,
			 "--assume-sent-until")) != NULL)
			assumption->text = value;
		else if ((value = ctl_option(
			      &ctl_resume, argc, argv, &i, "--by")) != NULL)
			assumption->by = value;
		else if (strcmp(argv[i], "--yes") == 0)
			assumption->yes = true;
		else
			ctl_stray(&ctl_resume, argv[i]);
	}
	if (!instant_parse(assumption->text, &assumption->until_at))
		ctl_fail(EXIT_USAGE_,
		    "--assume-sent-until %s: not an instant like "
		    "2026-03-08T09:59:30+08:00",
		    assumption->text);
}

/* Neither before what was sent nor, without a memory of it, ahead. */
static void
check_assumption(
    struct assumption *assumption, const struct behind *behind, int64_t now)
{
	bool remembers = behind->copies > 0;
	int64_t latest =
	    remembers && behind->sent_at > now ? behind->sent_at : now;
	char when[32];

	if (assumption->until_at > latest)
		ctl_fail(EXIT_USAGE_,
		    "--assume-sent-until %s lies ahead: what "
		    "is due then would not be sent",
		    assumption->text);
	/* whole seconds are what people read and type */
	if (assumption->until_at % SECOND_US == 0)
		assumption->until_at += SECOND_US - 1;
	if (assumption->until_at > latest)
		assumption->until_at = latest;
	if (!remembers || behind->sent_at <= assumption->until_at)
		return;
	ctl_fail(EXIT_DATA,
	    "a copy remembers to have sent until %s: not before that%s",
	    ctl_show_at(zone_open("UTC"), behind->sent_at, when),
	    behind->sent_at > now
		? "; it lies ahead, for a clock went back or the database is "
		  "another one: see adherd(8), After a restore"
		: "");
}

static void
tell_json(const struct assumption *assumption, const struct behind *behind,
    int64_t people)
{
	struct buf out = BUF_INIT(0);
	struct json_writer w = ctl_line_begin(&out, "concerns");

	ctl_line_number(&w, "copies", behind->copies);
	ctl_line_at(&w, "remembered", zone_open("UTC"), behind->sent_at);
	ctl_line_at(&w, "until", zone_open("UTC"), assumption->until_at);
	ctl_line_number(&w, "people", people);
	ctl_line_end(&w);
	buf_free(&out);
}

/* What it comes to, before it is done. */
static void
tell(struct ctl *ctl, const struct assumption *assumption,
    const struct behind *behind, int64_t now)
{
	const struct zone *utc = zone_open("UTC");
	int64_t people = count_due(ctl, assumption->until_at);
	char when[32];

	if (ctl->json) {
		tell_json(assumption, behind, people);
		return;
	}
	if (behind->copies > 0)
		(void)printf("%" PRId64 " %s to have sent what this database "
			     "does not know, until %s\n",
		    behind->copies,
		    behind->copies == 1 ? "copy remembers" : "copies remember",
		    ctl_show_at(utc, behind->sent_at, when));
	else
		(void)printf("no copy says that this database is behind\n");
	if (assumption->until_at > now)
		(void)printf("that lies ahead of the clock, %s: what falls "
			     "due until then is not sent\n",
		    ctl_show_at(utc, now, when));
	(void)printf("%" PRId64 " people have something due before %s, which "
		     "then counts as sent; this cannot be taken back\n",
	    people, ctl_show_at(utc, assumption->until_at, when));
	(void)fflush(stdout);
}

int
ctl_assume_sent(struct ctl *ctl, int argc, char **argv)
{
	struct assumption assumption;
	struct behind behind;
	int64_t now;
	char when[32];

	read_assumption(argc, argv, &assumption);
	now = ctl_now(ctl, NULL);
	behind = find_behind(ctl);
	check_assumption(&assumption, &behind, now);
	tell(ctl, &assumption, &behind, now);
	if (!resume_confirmed(assumption.yes, "count it as sent"))
		return 1;
	store(ctl, assumption.until_at, assumption.by);
	if (ctl->json)
		(void)printf("{\"what\":\"assumed\"}\n");
	else
		(void)printf("what was due before %s counts as sent; %s\n",
		    ctl_show_at(zone_open("UTC"), assumption.until_at, when),
		    behind.copies > 0 ? "sending goes on"
				      : "no copy was waiting");
	return 0;
}
