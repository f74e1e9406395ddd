/*
 * adherctl timing: FHIR Timing to dose times, and shorthand to FHIR Timing.
 * Pure: reads stdin, writes a JSON line for each vector.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/zone.h"
#include "care/timing.h"
#include "ctl_vectors.h"

#define DAYS_MAX 36500
#define TEXT_ANSWER_BYTES_MAX ((size_t)4 << 20)

struct expansion {
	const struct timing *timing;
	const struct zone *zone;
	struct day_profile profile;
	struct timing_start start;
	int64_t from, to;
};

static bool
refuse_timing(struct vector *vector, const struct timing_error *error)
{
	vector_refuse(vector, error->code, error->at, error->text);
	return false;
}

/* The day of the file, then the patient's own over it. */
static bool
read_profile(struct vector *vector, struct day_profile *profile)
{
	const struct json *days[] = {json_get(vector->file, "profile"),
	    json_get(vector->json, "profile")};
	struct timing_error error;

	*profile = (struct day_profile)DAY_PROFILE_DEFAULT;
	for (unsigned i = 0; i < COUNT(days); i++)
		if (days[i] != NULL && !timing_read_profile(days[i],
					   vector->arena, profile, &error))
			return refuse_timing(vector, &error);
	return true;
}

static bool
read_zone(struct vector *vector, struct expansion *e)
{
	const char *name = json_get_text(vector->json, "timezone");

	e->zone = name == NULL ? NULL : zone_open(name);
	if (e->zone == NULL)
		vector_refuse(vector,
		    json_get(vector->json, "timezone") == NULL ? "required"
							       : "value",
		    "timezone", "must be an IANA time zone");
	return e->zone != NULL;
}

/* Is there no use for `start`?  (rule 3) */
static bool
has_anchor(const struct json *timing)
{
	const struct json *period =
	    json_get(json_get(timing, "repeat"), "boundsPeriod");
	const struct json *events = json_get(timing, "event");

	return json_get(period, "start") != NULL ||
	       (events != NULL && events->count > 0);
}

static bool
read_times(struct vector *vector, struct expansion *e)
{
	const struct json *window = json_get(vector->json, "window");
	const struct json *start = json_get(vector->json, "start");

	if (!has_anchor(json_get(vector->json, "timing")) &&
	    !vector_moment(vector, start, "start", e->zone, &e->start.at,
		&e->start.has_time))
		return false;
	return vector_moment(vector, json_get(window, "from"), "window.from",
		   e->zone, &e->from, NULL) &&
	       vector_moment(vector, json_get(window, "to"), "window.to",
		   e->zone, &e->to, NULL);
}

static void
write_doses(struct json_writer *w, const struct zone *zone,
    const int64_t *doses, int count)
{
	char text[32];

	json_write_key(w, "doses");
	json_write_array(w);
	for (int i = 0; i < count; i++) {
		zone_format(zone, doses[i], text, sizeof(text));
		json_write_text(w, text);
	}
	json_write_end_array(w);
}

/* True, or a CodeableConcept of what it is needed for. */
static bool
is_as_needed(const struct json *json)
{
	return json_is(json, JSON_TRUE) || json_is(json, JSON_OBJECT);
}

static void
answer_expansion(struct vector *vector, const struct expansion *e)
{
	const int64_t *doses;
	int count = timing_expand(e->timing, e->start, e->zone, &e->profile,
	    e->from, e->to, vector->arena, &doses);

	if (count < 0)
		vector_refuse(vector, "too-costly", "window",
		    "more than 100,000 doses in the window");
	else
		write_doses(vector->out, e->zone, doses, count);
}

static void
answer_vector(struct vector *vector)
{
	const struct json *timing = json_get(vector->json, "timing");
	struct expansion e = {.timing = NULL};
	struct timing_error error;

	if (timing == NULL) {
		vector_refuse(vector, "required", "timing", "is missing");
		return;
	}
	e.timing = timing_parse(timing, vector->arena, &error);
	if (e.timing == NULL) {
		(void)refuse_timing(vector, &error);
		return;
	}
	if (is_as_needed(json_get(vector->json, "asNeeded"))) {
		write_doses(vector->out, NULL, NULL, 0);
		return;
	}
	if (timing_needs_review(e.timing) != NULL) {
		json_write_member(
		    vector->out, "needs_review", timing_needs_review(e.timing));
		return;
	}
	if (read_zone(vector, &e) && read_profile(vector, &e.profile) &&
	    read_times(vector, &e))
		answer_expansion(vector, &e);
}

/* ---- --text ---- */

struct text_options {
	const char *text, *start, *days, *zone;
};

/* The doses of some days, where --start asks for them. */
static void
write_text_doses(const struct text_options *o, const struct shorthand *s,
    struct arena *arena, struct json_writer *w)
{
	struct expansion e = {.profile = DAY_PROFILE_DEFAULT,
	    .timing = s->timing,
	    .zone = zone_open(o->zone != NULL ? o->zone : "Asia/Shanghai")};
	const int64_t *doses;
	int32_t start_on, days = 1;
	int count;

	if (e.zone == NULL)
		ctl_fail(EXIT_USAGE_, "no time zone \"%s\"", o->zone);
	if (!civil_parse(o->start, &start_on))
		ctl_fail(EXIT_USAGE_, "--start takes a date, YYYY-MM-DD");
	if (o->days != NULL && !ctl_number(o->days, DAYS_MAX, &days))
		ctl_fail(EXIT_USAGE_, "--days takes 1 to %d", DAYS_MAX);
	if (s->timing == NULL || s->review != NULL)
		return;
	e.start.at = zone_instant(e.zone, start_on, 0);
	count = timing_expand(e.timing, e.start, e.zone, &e.profile, e.start.at,
	    zone_instant(e.zone, start_on + days, 0), arena, &doses);
	if (count < 0)
		ctl_fail(EXIT_DATA, "more than 100,000 doses");
	write_doses(w, e.zone, doses, count);
}

static int
answer_text(struct ctl *ctl, const struct text_options *options)
{
	struct buf out = BUF_INIT(TEXT_ANSWER_BYTES_MAX);
	struct shorthand shorthand;
	struct json_writer w;

	timing_read_text(options->text, ctl->arena, &shorthand);
	json_write_init(&w, &out);
	json_write_object(&w);
	timing_write_text(&shorthand, &w);
	if (options->start != NULL)
		write_text_doses(options, &shorthand, ctl->arena, &w);
	json_write_end_object(&w);
	if (out.overflow)
		ctl_fail(EXIT_DATA, "an answer of over %zu bytes",
		    TEXT_ANSWER_BYTES_MAX);
	(void)puts(buf_string(&out));
	buf_free(&out);
	return 0;
}

static int
run_timing(struct ctl *ctl, int argc, char **argv)
{
	struct text_options options = {.text = NULL};
	const struct {
		const char *name;
		const char **value;
	} names[] = {{"--text", &options.text}, {"--start", &options.start},
	    {"--days", &options.days}, {"--zone", &options.zone}};

	for (int i = 0; i < argc; i++) {
		const char *value = NULL;

		for (unsigned k = 0; k < COUNT(names) && value == NULL; k++) {
			value = ctl_option(
			    &ctl_timing, argc, argv, &i, names[k].name);
			if (value != NULL)
				*names[k].value = value;
		}
		if (value == NULL)
			ctl_stray(&ctl_timing, argv[i]);
	}
	if (options.text != NULL)
		return answer_text(ctl, &options);
	if (argc > 0)
		ctl_usage(&ctl_timing);
	return vectors_answer(ctl, answer_vector);
}

const struct ctl_verb ctl_timing = {
    "timing",
    "<VECTORS | --text TEXT [--start DATE [--days N] [--zone ZONE]]",
    "dose times of FHIR Timings on stdin; shorthand as FHIR\n\n"
    "VECTORS is JSON: an object with \"vectors\", an array, or values one\n"
    "after the other, each {\"id\", \"timing\", \"start\", \"timezone\",\n"
    "\"window\": {\"from\", \"to\"}} and, if you like, \"asNeeded\" and\n"
    "\"profile\", the patient's day; a file's own profile holds for all.\n"
    "One line each: \"doses\", \"needs_review\" with the reason, or \"error\"\n"
    "with code and place.  Bounds: 64 MB, 100,000 vectors, and 100,000\n"
    "doses in a window.\n\n"
    "TEXT is a dosage as people write it: \"每日三次 饭后\", \"1片 tid pc "
    "po\".\n"
    "It comes back as a FHIR Timing, or as a Dosage where more is said; with\n"
    "--start also its doses (--days 1, --zone Asia/Shanghai).  What has more\n"
    "than one reading is \"needs_review\", with the words; \"confirm\" has\n"
    "words whose usual reading was taken.",
    run_timing,
};
