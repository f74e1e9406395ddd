/*
 * Judging whether somebody may be written to, in the order of program.md 2.
 * Pure questions about the dossier, the rules and what was said; nothing is
 * changed here.
 */
#include "care/policy.h"

#include <assert.h>
#include <string.h>

static bool
in_stay(const struct dossier *dossier, int64_t at)
{
	for (uint32_t i = 0; i < dossier->stay_count; i++)
		if (dossier->stays[i].from_at <= at &&
		    at < dossier->stays[i].until_at)
			return true;
	return false;
}

static enum reason
status_obstacle(const struct look *look)
{
	const struct dossier *d = look->dossier;

	if (d->deceased_at <= look->now)
		return REASON_PATIENT_DECEASED;
	if (!d->active && d->inactive_at <= look->now)
		return REASON_PATIENT_INACTIVE;
	if (look->now < d->paused_until)
		return REASON_PATIENT_PAUSED;
	if (in_stay(d, look->now))
		return REASON_PATIENT_IN_HOSPITAL;
	return REASON_NONE;
}

enum reason
policy_person_obstacle(const struct look *look)
{
	enum reason reason = status_obstacle(look);

	if (reason != REASON_NONE)
		return reason;
	if (stops_find(look->rules->stops, look->dossier->tenant_id, 0,
		STAGE_NONE, NULL) != NULL)
		return REASON_STOPPED_BY_OPERATOR;
	return look->dossier->safety_hold ? REASON_SAFETY_HOLD : REASON_NONE;
}

enum reason
policy_item_obstacle(const struct look *look, enum kind kind, enum stage stage,
    const char *drug, int64_t due_at, bool *final)
{
	const struct dossier *d = look->dossier;
	enum reason reason = status_obstacle(look);

	*final = in_stay(d, due_at);
	if (reason == REASON_NONE && *final)
		reason = REASON_PATIENT_IN_HOSPITAL;
	if (reason != REASON_NONE)
		return reason;
	if (stops_find(look->rules->stops, d->tenant_id, kind, stage, drug) !=
	    NULL)
		return REASON_STOPPED_BY_OPERATOR;
	/* a suspected adverse event holds refills, not the way to the doctor */
	if (d->safety_hold || (d->adverse_event && kind == KIND_REFILL))
		return REASON_SAFETY_HOLD;
	return REASON_NONE;
}

bool
policy_reason_stands(enum reason reason)
{
	switch (reason) {
	case REASON_PATIENT_DECEASED:
	case REASON_PATIENT_INACTIVE:
	case REASON_PATIENT_PAUSED:
	case REASON_PATIENT_IN_HOSPITAL:
	case REASON_STOPPED_BY_OPERATOR:
	case REASON_SAFETY_HOLD:
	case REASON_NO_CONSENT:
	case REASON_NO_CHANNEL:
		return true;
	default:
		return false;
	}
}

/* Under this age the guardian's addresses and consent count alone. */
static bool
is_child(const struct look *look)
{
	const struct dossier *d = look->dossier;

	if (d->birth_on == ON_UNKNOWN)
		return false;
	return look_date(look, look->now) <
	       civil_add_months(d->birth_on, 12 * look->rules->guardian_age);
}

static bool
actor_counts(const struct consent *consent, bool child)
{
	if (consent->no == 0) /* assumed for this owner's channel */
		return consent->actor == (child ? OWNER_GUARDIAN : OWNER_SELF);
	return child ? consent->actor == OWNER_GUARDIAN
		     : consent->actor != OWNER_CAREGIVER;
}

/* Does this rule, of the deciding Consent, speak in favour now? */
static bool
rule_permits(const struct consent *c, int64_t now)
{
	return c->permit && !(c->withdrawn && c->withdrawn_at <= now) &&
	       c->from_at <= now && now < c->until_at;
}

static bool
rule_denies(const struct consent *c, int64_t now)
{
	return !c->permit && !(c->withdrawn && c->withdrawn_at <= now) &&
	       c->from_at <= now && now < c->until_at;
}

/*
 * For a topic and channel the latest Consent that names them decides; of
 * its rules (and of Consents of the same instant) a denial outranks.  One
 * whose period has not begun does not speak yet; one that is over, or was
 * withdrawn, permits nothing and brings no older one back.  What permits
 * must carry all of `need`.
 */
static bool
consent_decides(const struct look *look, uint32_t names, uint32_t need,
    enum channel channel)
{
	const struct dossier *d = look->dossier;
	bool child = is_child(look);
	int64_t latest = AT_UNKNOWN;
	bool permitted = false, denied = false;

	for (uint32_t i = 0; i < d->consent_count; i++) {
		const struct consent *c = &d->consents[i];

		if ((c->topics & names) == 0 || c->given_at > look->now ||
		    c->from_at > look->now || c->given_at < latest ||
		    (c->channels & CHANNEL_BIT(channel)) == 0 ||
		    !actor_counts(c, child))
			continue;
		if (c->given_at > latest) {
			latest = c->given_at;
			permitted = denied = false;
		}
		permitted |=
		    (c->topics & need) == need && rule_permits(c, look->now);
		denied |= (c->topics & need) != 0 && rule_denies(c, look->now);
	}
	return permitted && !denied;
}

bool
policy_consented(const struct look *look, uint32_t topic, enum channel channel)
{
	return consent_decides(look, topic, topic, channel);
}

/* "any-hour" counts with the dose consent that says so. */
static bool
any_hour_on(const struct look *look, enum channel channel)
{
	return policy_consented(look, TOPIC_DOSE, channel) &&
	       consent_decides(
		   look, TOPIC_DOSE | TOPIC_ANY_HOUR, TOPIC_ANY_HOUR, channel);
}

/* Data goes abroad where the deciding Consent of the topic says so, alone. */
static bool
abroad_on(const struct look *look, uint32_t topic, enum channel channel)
{
	return consent_decides(
	    look, topic | TOPIC_ABROAD, TOPIC_ABROAD, channel);
}

bool
policy_consented_to_nothing(const struct look *look)
{
	static const uint32_t topics[] = {
	    TOPIC_DOSE, TOPIC_REFILL, TOPIC_FOLLOW_UP, TOPIC_MARKETING};

	for (enum channel ch = CHANNEL_WECHAT_MINI; ch < CHANNEL_PATIENT_END;
	     ch++)
		for (unsigned i = 0; i < COUNT(topics); i++)
			if (policy_consented(look, topics[i], ch))
				return false;
	return true;
}

bool
policy_any_hour(const struct look *look)
{
	for (enum channel ch = CHANNEL_WECHAT_MINI; ch < CHANNEL_PATIENT_END;
	     ch++)
		if (any_hour_on(look, ch))
			return true;
	return false;
}

bool
policy_tasks_allowed(const struct look *look)
{
	enum reason status = status_obstacle(look);

	return status != REASON_PATIENT_DECEASED &&
	       status != REASON_PATIENT_INACTIVE &&
	       !policy_consented_to_nothing(look);
}

bool
policy_in_hours(
    const struct look *look, const struct program *program, int64_t at)
{
	int32_t time_s;

	(void)zone_local(look->dossier->zone, at, &time_s);
	return program->hours_from_s <= time_s &&
	       time_s < program->hours_until_s;
}

int64_t
policy_next_hours(
    const struct look *look, const struct program *program, int64_t at)
{
	int32_t date_on = look_date(look, at);

	if (policy_in_hours(look, program, at))
		return at;
	/* today's opening, or tomorrow's; a third day covers odd zones */
	for (int32_t day = 0; day < 3; day++) {
		int64_t opens =
		    look_instant(look, date_on + day, program->hours_from_s);

		if (opens > at)
			return opens;
	}
	return at + DAY_US;
}

int64_t
policy_hours_end(
    const struct look *look, const struct program *program, int64_t at)
{
	return look_instant(look, look_date(look, at), program->hours_until_s);
}

/* The contact to use on a channel: lowest rank, then number; or NULL. */
static const struct contact *
choose_contact(const struct look *look, enum channel channel)
{
	const struct dossier *d = look->dossier;
	enum owner owner = is_child(look) ? OWNER_GUARDIAN : OWNER_SELF;
	const struct contact *best = NULL;

	for (uint32_t i = 0; i < d->contact_count; i++) {
		const struct contact *c = &d->contacts[i];

		if (c->channel != channel || c->owner != owner || !c->usable ||
		    c->from_at > look->now || look->now >= c->until_at)
			continue;
		if (best == NULL || c->rank < best->rank ||
		    (c->rank == best->rank && c->no < best->no))
			best = c;
	}
	return best;
}

bool
policy_counts_for_caps(const struct said *s)
{
	return s->leads && said_was_sent(s) && s->kind != KIND_DOSE &&
	       s->kind != KIND_ANSWER;
}

/* Messages of other patients to the same address since a local date. */
static int32_t
address_uses(const struct look *look, int32_t contact_no, int32_t since_on)
{
	const struct rules *rules = look->rules;
	int32_t count = 0;

	for (uint32_t i = 0; i < rules->address_use_count; i++) {
		const struct address_use *use = &rules->address_uses[i];

		/* another copy's clock may be ahead by a little */
		if (use->contact_no == contact_no &&
		    look_date(look, use->at) >= since_on)
			count++;
	}
	return count;
}

/* An SMS day is a local calendar day, 7 days that one and the six before. */
static bool
over_cap(const struct look *look, enum channel channel, int32_t contact_no)
{
	const struct program_caps *caps = &look->rules->caps;
	const struct said *said = look->said.data;
	int32_t today = look_date(look, look->now);
	int32_t day = look->reserved[channel], week = day;
	bool sms = channel == CHANNEL_SMS;

	for (size_t i = 0; i < look->said.count; i++) {
		int32_t date_on;

		if (said[i].channel != channel ||
		    !policy_counts_for_caps(&said[i]) ||
		    said[i].at < look->now - 9 * DAY_US)
			continue;
		date_on = look_date(look, said[i].at);
		day += date_on == today;
		week += date_on > today - 7;
	}
	day += address_uses(look, contact_no, today);
	week += address_uses(look, contact_no, today - 6);
	return day >= (sms ? caps->sms_day : caps->other_day) ||
	       (sms && week >= caps->sms_week);
}

/*
 * Has the address too few credits left?  The last ones are kept for kinds that
 * spend the same and matter more: those with a smaller reserve.
 */
static bool
lacks_credit(const struct look *look, const struct credit_needs *needs,
    enum kind kind, enum stage stage, int32_t contact_no)
{
	const struct program *kinds = look->rules->kinds;
	const char *code = needs == NULL ? NULL : needs->code[kind][stage];
	int32_t kept = 0;

	if (code == NULL)
		return false;
	for (enum kind other = KIND_DOSE; other <= KIND_FOLLOW_UP; other++)
		if ((needs->sharers[kind][stage] & 1u << other) != 0 &&
		    kinds[other].credit_reserve < kinds[kind].credit_reserve)
			kept = kinds[kind].credit_reserve;
	return dossier_credits(look->dossier, contact_no, code) <= kept;
}

enum reason
policy_channel_obstacle(const struct look *look, enum kind kind,
    enum stage stage, enum channel channel, bool any_hour, bool past_caps,
    int32_t *contact_no)
{
	const struct gateway_view *view = &look->gateways->channels[channel];
	const struct contact *contact;

	if (!policy_consented(look, topic_of_kind(kind), channel) ||
	    (any_hour && !any_hour_on(look, channel)) ||
	    (view->abroad && !abroad_on(look, topic_of_kind(kind), channel)))
		return REASON_NO_CONSENT;
	contact = choose_contact(look, channel);
	if (contact == NULL || !view->exists)
		return REASON_NO_CHANNEL;
	*contact_no = contact->no;
	if (lacks_credit(look, view->credits, kind, stage, contact->no))
		return REASON_NO_CREDIT;
	if (!view->approved[kind][stage])
		return REASON_TEMPLATE_UNAPPROVED;
	if (view->paused)
		return REASON_GATEWAY_PAUSED;
	if (kind != KIND_DOSE && kind != KIND_ANSWER && !past_caps &&
	    over_cap(look, channel, contact->no))
		return REASON_CAP;
	return REASON_NONE;
}

void
policy_choose(const struct look *look, enum kind kind, enum stage stage,
    bool any_hour, bool past_caps, struct choice *choice)
{
	policy_choose_except(look, kind, stage, any_hour, past_caps, 0, choice);
}

void
policy_choose_except(const struct look *look, enum kind kind, enum stage stage,
    bool any_hour, bool past_caps, uint32_t except, struct choice *choice)
{
	const struct program *program = &look->rules->kinds[kind];
	bool consented = false;

	*choice = (struct choice){.channel = CHANNEL_NONE, .standing = true};
	for (uint32_t i = 0; i < program->channel_count; i++) {
		enum channel ch = program->channels[i];
		enum reason reason;

		if ((except & CHANNEL_BIT(ch)) != 0)
			continue;
		reason = policy_channel_obstacle(look, kind, stage, ch,
		    any_hour, past_caps, &choice->contact_no);
		if (reason == REASON_NONE) {
			choice->channel = ch;
			choice->reason = REASON_NONE;
			choice->standing = false;
			choice->full = look->gateways->channels[ch].full;
			choice->lane = look->gateways->channels[ch].lane;
			return;
		}
		if (choice->reason == REASON_NONE)
			choice->reason = reason;
		if (!policy_reason_stands(reason))
			choice->standing = false;
		consented |= reason != REASON_NO_CONSENT;
		choice->capped |= reason == REASON_CAP;
		choice->later |= reason == REASON_GATEWAY_PAUSED ||
				 reason == REASON_TEMPLATE_UNAPPROVED;
		if (reason == REASON_GATEWAY_PAUSED && choice->lane == 0)
			choice->lane = look->gateways->channels[ch].lane;
	}
	if (!consented)
		choice->reason = REASON_NO_CONSENT;
}

int64_t
policy_gap_end(const struct look *look, enum channel channel, int64_t ready_at,
    const struct said *except)
{
	const struct said *said = look->said.data;
	int64_t earliest = look->now;

	for (size_t i = 0; i < look->said.count; i++) {
		const struct said *s = &said[i];

		if (s == except || !said_was_sent(s) || !s->leads)
			continue;
		if ((s->channel == channel || s->at >= ready_at) &&
		    s->at + look->rules->gap_us > earliest)
			earliest = s->at + look->rules->gap_us;
	}
	return earliest;
}

/* The smaller of two instants after now; *next keeps the best. */
static void
note(const struct look *look, int64_t at, int64_t *next)
{
	if (at > look->now && at < *next)
		*next = at;
}

static void
person_facts(const struct look *look, int64_t *next)
{
	const struct dossier *d = look->dossier;

	note(look, d->deceased_at, next);
	if (!d->active)
		note(look, d->inactive_at, next);
	note(look, d->paused_until, next);
	for (uint32_t i = 0; i < d->stay_count; i++) {
		note(look, d->stays[i].from_at, next);
		note(look, d->stays[i].until_at, next);
		/* what it pauses is known day by day */
		if (d->stays[i].until_at == AT_NEVER)
			note(look,
			    look_instant(
				look, look_date(look, look->now) + 1, 0),
			    next);
	}
	for (uint32_t i = 0; i < d->contact_count; i++) {
		note(look, d->contacts[i].from_at, next);
		note(look, d->contacts[i].until_at, next);
	}
	for (uint32_t i = 0; i < d->consent_count; i++) {
		note(look, d->consents[i].given_at, next);
		note(look, d->consents[i].from_at, next);
		note(look, d->consents[i].until_at, next);
		if (d->consents[i].withdrawn)
			note(look, d->consents[i].withdrawn_at, next);
	}
	if (is_child(look))
		note(look,
		    look_instant(look,
			civil_add_months(
			    d->birth_on, 12 * look->rules->guardian_age),
			0),
		    next);
}

int64_t
policy_facts_next_at(const struct look *look)
{
	const struct dossier *d = look->dossier;
	int64_t next = AT_NEVER;

	person_facts(look, &next);
	for (uint32_t i = 0; i < d->prescription_count; i++)
		note(look, d->prescriptions[i].status_at, &next);
	for (uint32_t i = 0; i < d->fill_count; i++)
		note(look, d->fills[i].handed_over_at, &next);
	for (uint32_t i = 0; i < d->visit_count; i++) {
		note(look, d->visits[i].status_at, &next);
		note(look, d->visits[i].moved_at, &next);
	}
	return next;
}
