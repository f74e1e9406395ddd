/*
 * The dossier's stored form, and look-ups in it.  The compiled row is written
 * by the view dossier_compiled (migrations/0001_schema.sql):
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
	d->care_role = (int16_t)reader_u16(in);
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

/* ---- look-ups ---- */

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
