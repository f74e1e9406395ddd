/*
 * The dossier's stored form and the words of its enums.  The compiled row
 * is written by the view dossier_compiled (migrations/0001_schema.sql):
 * format 1, big endian, every field in the order read here.  `recent`, what
 * was decided before, is written and read here only.
 */
#include "care/dossier.h"

#include <assert.h>
#include <string.h>

#include "care/timing.h"

#define DOC_FORMAT 1
#define SAID_FORMAT 2
#define ROWS_MAX 20000 /* of one kind in one dossier */
#define SAID_MAX 512

/* PostgreSQL's epoch, 2000-01-01, from ours. */
#define PG_EPOCH_DAYS 10957
#define PG_EPOCH_US (PG_EPOCH_DAYS * DAY_US)

static int64_t
read_at(struct reader *in)
{
	int64_t at = (int64_t)reader_u64(in);

	if (at == INT64_MAX)
		return AT_NEVER;
	if (at == INT64_MIN || at > INT64_MAX - PG_EPOCH_US)
		return AT_UNKNOWN;
	return at + PG_EPOCH_US;
}

static int32_t
read_on(struct reader *in)
{
	int32_t on = (int32_t)reader_u32(in);

	if (on == INT32_MAX || on > INT32_MAX - PG_EPOCH_DAYS)
		return ON_NEVER;
	if (on == INT32_MIN)
		return ON_UNKNOWN;
	return on + PG_EPOCH_DAYS;
}

static bool
read_bool(struct reader *in)
{
	return reader_u8(in) != 0;
}

/* Length-prefixed bytes, borrowed from the row; NULL where it was NULL. */
static const uint8_t *
read_bytes(struct reader *in, uint32_t *bytes)
{
	*bytes = reader_u32(in);
	if (*bytes == UINT32_MAX) {
		*bytes = 0;
		return NULL;
	}
	return reader_bytes(in, *bytes);
}

/* An array of count rows; a count beyond the bound spoils the reader. */
static void *
read_rows(struct reader *in, size_t size, struct arena *arena, uint32_t *count)
{
	*count = reader_u32(in);
	if (in->bad || *count > ROWS_MAX || *count > in->left) {
		in->bad = true;
		*count = 0;
	}
	return arena_array(arena, *count > 0 ? *count : 1, size);
}

static void
read_contacts(struct reader *in, struct arena *arena, struct dossier *d)
{
	struct contact *rows;

	rows = read_rows(in, sizeof(*rows), arena, &d->contact_count);
	d->contacts = rows;
	for (uint32_t i = 0; i < d->contact_count && !in->bad; i++) {
		struct contact *c = &rows[i];
		const uint8_t *index;

		c->no = (int32_t)reader_u32(in);
		c->channel = (enum channel)reader_u16(in);
		c->owner = (enum owner)reader_u16(in);
		c->rank = (int32_t)reader_u32(in);
		c->from_at = read_at(in);
		c->until_at = read_at(in);
		c->usable = read_bool(in);
		c->sealed = read_bytes(in, &c->sealed_bytes);
		index = reader_bytes(in, sizeof(c->index));
		if (index != NULL)
			memcpy(c->index, index, sizeof(c->index));
		if (c->channel >= CHANNEL_COUNT)
			in->bad = true;
	}
}

static void
read_consents(struct reader *in, struct arena *arena, struct dossier *d)
{
	struct consent *rows;

	rows = read_rows(in, sizeof(*rows), arena, &d->consent_count);
	d->consents = rows;
	for (uint32_t i = 0; i < d->consent_count && !in->bad; i++) {
		struct consent *c = &rows[i];

		c->no = (int32_t)reader_u32(in);
		c->given_at = read_at(in);
		c->from_at = read_at(in);
		c->until_at = read_at(in);
		c->permit = read_bool(in);
		c->withdrawn = read_bool(in);
		c->withdrawn_at = read_at(in);
		c->topics = reader_u32(in);
		c->channels = reader_u32(in);
		c->actor = (enum owner)reader_u16(in);
	}
}

static void
read_dosages(struct reader *in, struct arena *arena, struct prescription *p)
{
	struct dosage *rows;

	rows = read_rows(in, sizeof(*rows), arena, &p->dosage_count);
	p->dosages = rows;
	for (uint32_t i = 0; i < p->dosage_count && !in->bad; i++) {
		struct dosage *g = &rows[i];
		const uint8_t *rule;
		uint32_t bytes;

		g->sequence = (int32_t)reader_u32(in);
		g->as_needed = read_bool(in);
		g->dose_micro = (int64_t)reader_u64(in);
		g->dose_unit = reader_text(in, arena);
		rule = read_bytes(in, &bytes);
		if (rule == NULL)
			continue;
		g->timing = timing_decode(rule, bytes, arena);
		if (g->timing == NULL)
			in->bad = true;
	}
}

static void
read_prescriptions(struct reader *in, struct arena *arena, struct dossier *d)
{
	struct prescription *rows;

	rows = read_rows(in, sizeof(*rows), arena, &d->prescription_count);
	d->prescriptions = rows;
	for (uint32_t i = 0; i < d->prescription_count && !in->bad; i++) {
		struct prescription *p = &rows[i];

		p->no = (int32_t)reader_u32(in);
		p->id = reader_text(in, arena);
		p->status = (enum prescription_status)reader_u16(in);
		p->course = (enum course)reader_u16(in);
		p->sensitive = read_bool(in);
		p->drug = reader_text(in, arena);
		p->product_class = reader_text(in, arena);
		p->name = reader_text(in, arena);
		p->prescriber = reader_text(in, arena);
		p->authored_at = read_at(in);
		p->authored_has_time = read_bool(in);
		p->status_at = read_at(in);
		p->quantity_micro = (int64_t)reader_u64(in);
		p->quantity_unit = reader_text(in, arena);
		p->supply_days = (int32_t)reader_u32(in);
		p->initial_quantity_micro = (int64_t)reader_u64(in);
		p->initial_quantity_unit = reader_text(in, arena);
		p->initial_days = (int32_t)reader_u32(in);
		p->repeats_allowed = (int32_t)reader_u32(in);
		p->valid_from_on = read_on(in);
		p->valid_until_on = read_on(in);
		p->interval_days = (int32_t)reader_u32(in);
		p->prior_no = (int32_t)reader_u32(in);
		read_dosages(in, arena, p);
		if (p->id == NULL || p->drug == NULL || p->name == NULL)
			in->bad = true;
	}
}

static void
read_fills(struct reader *in, struct arena *arena, struct dossier *d)
{
	struct fill *rows;

	rows = read_rows(in, sizeof(*rows), arena, &d->fill_count);
	d->fills = rows;
	for (uint32_t i = 0; i < d->fill_count && !in->bad; i++) {
		struct fill *f = &rows[i];

		f->no = (int32_t)reader_u32(in);
		f->id = reader_text(in, arena);
		f->prescription_no = (int32_t)reader_u32(in);
		f->status = (enum fill_status)reader_u16(in);
		f->drug = reader_text(in, arena);
		f->quantity_micro = (int64_t)reader_u64(in);
		f->quantity_unit = reader_text(in, arena);
		f->days_supply = (int32_t)reader_u32(in);
		f->handed_over_at = read_at(in);
		if (f->id == NULL || f->drug == NULL)
			in->bad = true;
	}
}

static void
read_visits(struct reader *in, struct arena *arena, struct dossier *d)
{
	struct visit *rows;

	rows = read_rows(in, sizeof(*rows), arena, &d->visit_count);
	d->visits = rows;
	for (uint32_t i = 0; i < d->visit_count && !in->bad; i++) {
		struct visit *v = &rows[i];

		v->no = (int32_t)reader_u32(in);
		v->id = reader_text(in, arena);
		v->status = (enum visit_status)reader_u16(in);
		v->start_at = read_at(in);
		v->start_has_time = read_bool(in);
		v->previous_start_at = read_at(in);
		v->moved_at = read_at(in);
		v->status_at = read_at(in);
		v->replaces_no = (int32_t)reader_u32(in);
		v->practitioners = reader_text(in, arena);
		v->description = reader_text(in, arena);
		if (v->id == NULL)
			in->bad = true;
	}
}

static void
read_stays(struct reader *in, struct arena *arena, struct dossier *d)
{
	struct stay *rows;

	rows = read_rows(in, sizeof(*rows), arena, &d->stay_count);
	d->stays = rows;
	for (uint32_t i = 0; i < d->stay_count && !in->bad; i++) {
		rows[i].no = (int32_t)reader_u32(in);
		rows[i].from_at = read_at(in);
		rows[i].until_at = read_at(in);
	}
}

static void
read_corrections(struct reader *in, struct arena *arena, struct dossier *d)
{
	struct correction *rows;

	rows = read_rows(in, sizeof(*rows), arena, &d->correction_count);
	d->corrections = rows;
	for (uint32_t i = 0; i < d->correction_count && !in->bad; i++) {
		rows[i].no = (int32_t)reader_u32(in);
		rows[i].drug = reader_text(in, arena);
		rows[i].at = read_at(in);
		rows[i].days = (int32_t)reader_u32(in);
		rows[i].quantity_micro = (int64_t)reader_u64(in);
		rows[i].quantity_unit = reader_text(in, arena);
		if (rows[i].drug == NULL)
			in->bad = true;
	}
}

static void
read_credits(struct reader *in, struct arena *arena, struct dossier *d)
{
	struct credit *rows;

	rows = read_rows(in, sizeof(*rows), arena, &d->credit_count);
	d->credits = rows;
	for (uint32_t i = 0; i < d->credit_count && !in->bad; i++) {
		rows[i].contact_no = (int32_t)reader_u32(in);
		rows[i].template_code = reader_text(in, arena);
		rows[i].left = (int32_t)reader_u32(in);
		if (rows[i].template_code == NULL)
			in->bad = true;
	}
}

static void
read_patient(struct reader *in, struct arena *arena, struct dossier *d)
{
	const char *zone;

	d->tenant_id = (int32_t)reader_u32(in);
	d->id = reader_text(in, arena);
	zone = reader_text(in, arena);
	d->zone = zone != NULL ? zone_open(zone) : NULL;
	d->locale = reader_text(in, arena);
	d->sealed_name = read_bytes(in, &d->sealed_name_bytes);
	d->active = read_bool(in);
	d->inactive_at = read_at(in);
	d->deceased_at = read_at(in);
	d->paused_until = read_at(in);
	d->safety_hold = read_bool(in);
	d->adverse_event = read_bool(in);
	d->birth_on = read_on(in);
	d->profile.wake = (int32_t)reader_u32(in);
	d->profile.breakfast = (int32_t)reader_u32(in);
	d->profile.lunch = (int32_t)reader_u32(in);
	d->profile.dinner = (int32_t)reader_u32(in);
	d->profile.sleep = (int32_t)reader_u32(in);
	if (d->zone == NULL || d->locale == NULL)
		in->bad = true;
}

int
dossier_decode(const uint8_t *doc, size_t bytes, struct arena *arena,
    struct dossier *dossier, const char **error)
{
	struct reader in = {.at = doc, .left = bytes};

	if (reader_u8(&in) != DOC_FORMAT) {
		*error = "unknown dossier format";
		return -1;
	}
	read_patient(&in, arena, dossier);
	read_contacts(&in, arena, dossier);
	read_consents(&in, arena, dossier);
	read_prescriptions(&in, arena, dossier);
	read_fills(&in, arena, dossier);
	read_visits(&in, arena, dossier);
	read_stays(&in, arena, dossier);
	read_corrections(&in, arena, dossier);
	read_credits(&in, arena, dossier);
	if (in.bad || in.left != 0) {
		*error = "damaged dossier";
		return -1;
	}
	dossier->said = NULL;
	dossier->said_count = 0;
	dossier->open = NULL;
	dossier->open_count = 0;
	return 0;
}

bool
said_may_be_open(const struct said *said)
{
	if (!said->leads || said->task || said->channel == CHANNEL_NONE)
		return false;
	return said->state == DELIVERY_SENDING ||
	       said->state == DELIVERY_UNKNOWN;
}

/* 29 bytes an entry; flags: 1 task, 2 leads. */
void
said_encode(const struct said *said, uint32_t count, struct buf *out)
{
	if (count == 0)
		return;
	assert(count <= SAID_MAX);
	buf_char(out, SAID_FORMAT);
	for (uint32_t i = 0; i < count; i++) {
		const struct said *s = &said[i];

		buf_char(out, (char)s->kind);
		buf_char(out, (char)s->channel);
		buf_char(out, (char)s->state);
		buf_char(out, (char)s->reason);
		buf_char(out, (char)((s->task ? 1 : 0) | (s->leads ? 2 : 0)));
		buf_u32(out, (uint32_t)s->source);
		buf_u32(out, (uint32_t)s->occurrence_on);
		buf_u32(out, (uint32_t)s->slot);
		buf_u64(out, (uint64_t)s->at);
		buf_u32(out, (uint32_t)s->contact_no);
	}
}

int
said_decode(const uint8_t *recent, size_t bytes, struct arena *arena,
    const struct said **said, uint32_t *count)
{
	const size_t entry = 29;
	struct reader in = {.at = recent, .left = bytes};
	struct said *list;

	*said = NULL;
	*count = 0;
	if (bytes == 0)
		return 0;
	if (reader_u8(&in) != SAID_FORMAT || in.left % entry != 0 ||
	    in.left / entry > SAID_MAX)
		return -1;
	*count = (uint32_t)(in.left / entry);
	list = arena_array(arena, *count + 1, sizeof(*list));
	for (uint32_t i = 0; i < *count; i++) {
		struct said *s = &list[i];
		uint8_t flags;

		s->kind = (enum kind)reader_u8(&in);
		s->channel = (enum channel)reader_u8(&in);
		s->state = (enum delivery_state)reader_u8(&in);
		s->reason = (enum reason)reader_u8(&in);
		flags = reader_u8(&in);
		s->task = flags & 1;
		s->leads = flags & 2;
		s->source = (int32_t)reader_u32(&in);
		s->occurrence_on = (int32_t)reader_u32(&in);
		s->slot = (int32_t)reader_u32(&in);
		s->at = (int64_t)reader_u64(&in);
		s->contact_no = (int32_t)reader_u32(&in);
	}
	*said = list;
	return in.bad ? -1 : 0;
}

/* ---- words ---- */

static const char *const kind_words[] = {[KIND_DOSE] = "dose",
    [KIND_REFILL] = "refill",
    [KIND_RENEWAL] = "renewal",
    [KIND_FOLLOW_UP] = "follow_up",
    [KIND_ANSWER] = "answer"};

static const char *const channel_words[CHANNEL_COUNT] = {
    [CHANNEL_WECHAT_MINI] = "wechat_mini",
    [CHANNEL_WECHAT_OA] = "wechat_oa",
    [CHANNEL_PUSH] = "push",
    [CHANNEL_SMS] = "sms",
    [CHANNEL_WECOM] = "wecom"};

/* Days that have a stage of their own; stored numbers never change. */
static const int16_t stage_days[STAGE_DAYS] = {[STAGE_M14] = -14,
    [STAGE_M7] = -7,
    [STAGE_M3] = -3,
    [STAGE_M1] = -1,
    [STAGE_D0] = 0,
    [STAGE_P1] = 1,
    [STAGE_P7] = 7,
    [STAGE_P14] = 14};

static const char *const stage_words[STAGE_DAYS] = {[STAGE_DUE] = "due",
    [STAGE_MOVED] = "moved",
    [STAGE_MISSED] = "missed",
    [STAGE_SUPPLY] = "supply"};

#define DAYS_UP(ten) \
	ten "0d", ten "1d", ten "2d", ten "3d", ten "4d", ten "5d", ten "6d", \
	    ten "7d", ten "8d", ten "9d"
#define DAYS_DOWN(ten) \
	ten "9d", ten "8d", ten "7d", ten "6d", ten "5d", ten "4d", ten "3d", \
	    ten "2d", ten "1d", ten "0d"

static const char *const day_words[] = {"-60d", DAYS_DOWN("-5"),
    DAYS_DOWN("-4"), DAYS_DOWN("-3"), DAYS_DOWN("-2"), DAYS_DOWN("-1"), "-9d",
    "-8d", "-7d", "-6d", "-5d", "-4d", "-3d", "-2d", "-1d", "0d", "+1d", "+2d",
    "+3d", "+4d", "+5d", "+6d", "+7d", "+8d", "+9d", DAYS_UP("+1"),
    DAYS_UP("+2"), DAYS_UP("+3"), DAYS_UP("+4"), DAYS_UP("+5"), "+60d"};

_Static_assert(COUNT(day_words) == 2 * STAGE_DAY_MAX + 1 &&
		   STAGE_ANSWERS == STAGE_DAYS + COUNT(day_words),
    "a word for each day");

static const char *const answer_words[STAGE_COUNT - STAGE_ANSWERS] = {
    [STAGE_EMERGENCY - STAGE_ANSWERS] = "emergency",
    [STAGE_ADVERSE_EVENT - STAGE_ANSWERS] = "adverse_event",
    [STAGE_SORRY - STAGE_ANSWERS] = "sorry",
    [STAGE_OPT_OUT - STAGE_ANSWERS] = "opt_out",
    [STAGE_OPT_IN - STAGE_ANSWERS] = "opt_in",
    [STAGE_HANDED_OVER - STAGE_ANSWERS] = "handed_over",
    [STAGE_NOTED - STAGE_ANSWERS] = "noted",
    [STAGE_ORDER - STAGE_ANSWERS] = "order",
    [STAGE_ORDER_CANCELLED - STAGE_ANSWERS] = "order_cancelled",
    [STAGE_CAREGIVER - STAGE_ANSWERS] = "caregiver",
    [STAGE_TEAM_EMERGENCY - STAGE_ANSWERS] = "team_emergency",
    [STAGE_TEAM_ADVERSE_EVENT - STAGE_ANSWERS] = "team_adverse_event",
    [STAGE_TEAM_TASKS - STAGE_ANSWERS] = "team_tasks",
    [STAGE_TEAM_TAKEN - STAGE_ANSWERS] = "team_taken",
};

static const char *const reason_words[REASON_COUNT] = {
    [REASON_PATIENT_DECEASED] = "patient_deceased",
    [REASON_PATIENT_INACTIVE] = "patient_inactive",
    [REASON_PATIENT_PAUSED] = "patient_paused",
    [REASON_PATIENT_IN_HOSPITAL] = "patient_in_hospital",
    [REASON_STOPPED_BY_OPERATOR] = "stopped_by_operator",
    [REASON_SAFETY_HOLD] = "safety_hold",
    [REASON_ALREADY_DONE] = "already_done",
    [REASON_EXPIRED] = "expired",
    [REASON_QUIET_HOURS] = "quiet_hours",
    [REASON_NO_CONSENT] = "no_consent",
    [REASON_NO_CHANNEL] = "no_channel",
    [REASON_NO_CREDIT] = "no_credit",
    [REASON_TEMPLATE_UNAPPROVED] = "template_unapproved",
    [REASON_GATEWAY_PAUSED] = "gateway_paused",
    [REASON_CAP] = "cap"};

static const char *const state_words[DELIVERY_STATE_COUNT] = {
    [DELIVERY_SENDING] = "sending",
    [DELIVERY_HELD] = "held",
    [DELIVERY_ACCEPTED] = "accepted",
    [DELIVERY_REJECTED] = "rejected",
    [DELIVERY_RETRY] = "retry",
    [DELIVERY_UNKNOWN] = "unknown",
    [DELIVERY_DELIVERED] = "delivered",
    [DELIVERY_UNDELIVERED] = "undelivered",
    [DELIVERY_UNCONFIRMED] = "unconfirmed",
    [DELIVERY_EXPIRED] = "expired"};

static const char *
word_of(const char *const *words, size_t count, unsigned value)
{
	return value < count ? words[value] : NULL;
}

/* The index of a word, or 0. */
static unsigned
word_find(const char *const *words, size_t count, const char *word)
{
	for (unsigned i = 1; i < count && word != NULL; i++)
		if (words[i] != NULL && strcmp(words[i], word) == 0)
			return i;
	return 0;
}

const char *
kind_word(enum kind kind)
{
	return word_of(kind_words, COUNT(kind_words), kind);
}

const char *
channel_word(enum channel channel)
{
	return word_of(channel_words, COUNT(channel_words), channel);
}

const char *
stage_word(enum stage stage)
{
	int32_t day;

	if (stage_day(stage, &day))
		return day_words[STAGE_DAY_MAX + day];
	if (stage >= STAGE_ANSWERS && stage < STAGE_COUNT)
		return answer_words[stage - STAGE_ANSWERS];
	return word_of(stage_words, COUNT(stage_words), stage);
}

const char *
reason_word(enum reason reason)
{
	return word_of(reason_words, COUNT(reason_words), reason);
}

const char *
delivery_state_word(enum delivery_state state)
{
	return word_of(state_words, COUNT(state_words), state);
}

enum kind
kind_from_word(const char *word)
{
	return (enum kind)word_find(kind_words, COUNT(kind_words), word);
}

enum channel
channel_from_word(const char *word)
{
	return (enum channel)word_find(
	    channel_words, COUNT(channel_words), word);
}

enum channel
patient_channel_from_word(const char *word)
{
	enum channel channel = channel_from_word(word);

	return channel < CHANNEL_PATIENT_END ? channel : CHANNEL_NONE;
}

enum stage
stage_from_word(const char *word)
{
	for (unsigned i = 0; i < COUNT(day_words) && word != NULL; i++)
		if (strcmp(day_words[i], word) == 0)
			return stage_of_day((int32_t)i - STAGE_DAY_MAX);
	for (unsigned i = 0; i < COUNT(answer_words) && word != NULL; i++)
		if (strcmp(answer_words[i], word) == 0)
			return (enum stage)(STAGE_ANSWERS + i);
	return (enum stage)word_find(stage_words, COUNT(stage_words), word);
}

enum stage
stage_of_day(int32_t day)
{
	assert(day >= -STAGE_DAY_MAX && day <= STAGE_DAY_MAX);
	for (unsigned i = STAGE_M14; i <= STAGE_P14; i++)
		if (stage_days[i] == day)
			return (enum stage)i;
	return (enum stage)(STAGE_DAYS + STAGE_DAY_MAX + day);
}

bool
stage_day(enum stage stage, int32_t *day)
{
	if (stage >= STAGE_DAYS && stage < STAGE_ANSWERS)
		*day = (int32_t)stage - STAGE_DAYS - STAGE_DAY_MAX;
	else if (stage >= STAGE_M14 && stage <= STAGE_P14)
		*day = stage_days[stage];
	else
		return false;
	return true;
}

bool
drug_is_named(const char *drug, const char *name)
{
	const char *bar;

	if (drug == NULL)
		return false;
	bar = strchr(drug, '|');
	return strcmp(name, drug) == 0 ||
	       (bar != NULL && strcmp(name, bar + 1) == 0);
}

bool
stage_fits(enum kind kind, enum stage stage)
{
	int32_t day;

	switch (kind) {
	case KIND_DOSE:
		return stage == STAGE_DUE;
	case KIND_REFILL:
	case KIND_RENEWAL:
		return stage_day(stage, &day);
	case KIND_FOLLOW_UP:
		return (stage_day(stage, &day) && day <= 0) ||
		       stage == STAGE_MOVED || stage == STAGE_MISSED;
	case KIND_ANSWER:
		return stage >= STAGE_ANSWERS && stage < STAGE_COUNT;
	}
	return false;
}

uint32_t
topic_from_word(const char *word)
{
	static const char *const words[] = {"dose", "refill", "follow_up",
	    "marketing", "any-hour", "abroad", "caregiver"};

	for (unsigned i = 0; i < COUNT(words) && word != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return 1u << i;
	return 0;
}

uint32_t
topic_of_kind(enum kind kind)
{
	switch (kind) {
	case KIND_DOSE:
		return TOPIC_DOSE;
	case KIND_REFILL:
	case KIND_RENEWAL:
		return TOPIC_REFILL;
	case KIND_FOLLOW_UP:
		return TOPIC_FOLLOW_UP;
	case KIND_ANSWER:
		break;
	}
	return 0;
}

const struct prescription *
dossier_prescription(const struct dossier *dossier, int32_t no)
{
	for (uint32_t i = 0; i < dossier->prescription_count; i++)
		if (dossier->prescriptions[i].no == no)
			return &dossier->prescriptions[i];
	return NULL;
}

int32_t
dossier_credits(const struct dossier *dossier, int32_t contact_no,
    const char *template_code)
{
	for (uint32_t i = 0; i < dossier->credit_count; i++)
		if (dossier->credits[i].contact_no == contact_no &&
		    strcmp(dossier->credits[i].template_code, template_code) ==
			0)
			return dossier->credits[i].left;
	return 0;
}

const struct visit *
dossier_visit(const struct dossier *dossier, int32_t no)
{
	for (uint32_t i = 0; i < dossier->visit_count; i++)
		if (dossier->visits[i].no == no)
			return &dossier->visits[i];
	return NULL;
}

const char *
dossier_reference(const struct dossier *dossier, enum kind kind, int32_t no,
    struct arena *arena)
{
	const struct prescription *prescription;
	const char *type = "MedicationRequest", *id = NULL;
	const struct visit *visit;

	if (kind == KIND_ANSWER)
		return arena_printf(arena, "Reply/%d", (int)no);
	if (kind == KIND_FOLLOW_UP) {
		type = "Appointment";
		visit = dossier_visit(dossier, no);
		id = visit == NULL ? NULL : visit->id;
	} else {
		prescription = dossier_prescription(dossier, no);
		id = prescription == NULL ? NULL : prescription->id;
	}
	if (id == NULL)
		return arena_printf(arena, "%s/%d", type, (int)no);
	return arena_printf(arena, "%s/%s", type, id);
}
