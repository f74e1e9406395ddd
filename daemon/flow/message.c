/*
 * Texts and addresses.  What the database says about tenants and approvals
 * is loaded whole and read anew each minute; audiences are made from it as
 * patients turn up.
 */
#include "flow/message.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "flow/replies.h"
#include "flow/seal.h"

#define AUDIENCES_MAX 256
#define REGISTRATIONS_MAX 20000
#define PARAMETERS_MAX 32
#define TEXT_BYTES_MAX 4096

struct tenant {
	int32_t tenant_id;
	const char *name; /* for patients; NULL: "us" */
	bool abroad;      /* its gateways may carry data abroad */
};

struct registration {
	int32_t tenant_id;
	const char *gateway, *locale, *code, *signature;
	enum kind kind;
	enum stage stage;
	const char **parameters;
	uint32_t parameter_count;
	uint8_t text_hash[32];
	bool long_term; /* a send spends no credit */
};

struct catalogue { /* as the database said at one moment */
	struct arena *arena;
	struct list tenants;       /* struct tenant */
	struct list registrations; /* struct registration */
	struct arena *audience_arena;
	struct list audiences; /* struct audience * */
};

struct messages {
	struct gateways *gateways;
	const struct template_set *templates;
	struct keyring *keyring;
	const char *const *only_to;  /* NULL: anybody */
	struct catalogue *catalogue; /* NULL before the first answer */
	uint32_t generation;         /* of the catalogue */
	struct catalogue *loading;
	void (*done)(bool answered, void *arg);
	void *arg;
};

static struct catalogue *
catalogue_create(void)
{
	struct arena *arena = arena_create();
	struct catalogue *catalogue = arena_alloc(arena, sizeof(*catalogue));

	catalogue->arena = arena;
	list_init(&catalogue->tenants, arena, sizeof(struct tenant));
	list_init(
	    &catalogue->registrations, arena, sizeof(struct registration));
	catalogue->audience_arena = arena_create();
	list_init(&catalogue->audiences, catalogue->audience_arena,
	    sizeof(struct audience *));
	return catalogue;
}

static void
catalogue_free(struct catalogue *catalogue)
{
	if (catalogue == NULL)
		return;
	arena_free(catalogue->audience_arena);
	arena_free(catalogue->arena);
}

struct messages *
messages_create(struct gateways *gateways, const struct template_set *templates,
    struct keyring *keyring, const char *const *only_to)
{
	struct messages *messages = mem_alloc(sizeof(*messages));

	messages->gateways = gateways;
	messages->templates = templates;
	messages->keyring = keyring;
	messages->only_to = only_to;
	return messages;
}

void
messages_free(struct messages *messages)
{
	catalogue_free(messages->catalogue);
	catalogue_free(messages->loading);
	free(messages);
}

/* ---- loading ---- */

static void
take_tenants(const struct db_result *result, void *arg)
{
	struct catalogue *catalogue = ((struct messages *)arg)->loading;

	for (int row = 0; row < db_rows(result); row++) {
		struct tenant *tenant = list_add(&catalogue->tenants);

		tenant->tenant_id = (int32_t)db_i64(result, row, 0);
		tenant->name =
		    arena_text(catalogue->arena, db_text(result, row, 5));
		tenant->abroad = db_bool(result, row, 6);
	}
}

static void
split_parameters(
    struct arena *arena, const char *names, struct registration *registration)
{
	char *text = arena_text(arena, names), *save = NULL;

	registration->parameters =
	    arena_array(arena, PARAMETERS_MAX, sizeof(char *));
	for (char *name = strtok_r(text, " ", &save);
	     name != NULL && registration->parameter_count < PARAMETERS_MAX;
	     name = strtok_r(NULL, " ", &save))
		registration->parameters[registration->parameter_count++] =
		    name;
}

static void
take_registrations(const struct db_result *result, void *arg)
{
	struct catalogue *catalogue = ((struct messages *)arg)->loading;
	struct arena *arena = catalogue->arena;

	for (int row = 0; row < db_rows(result) && row < REGISTRATIONS_MAX;
	     row++) {
		struct registration *r = list_add(&catalogue->registrations);
		size_t bytes;
		const uint8_t *hash = db_bytes(result, row, 8, &bytes);

		r->tenant_id = (int32_t)db_i64(result, row, 0);
		r->gateway = arena_text(arena, db_text(result, row, 1));
		r->kind = (enum kind)db_i64(result, row, 2);
		r->stage = (enum stage)db_i64(result, row, 3);
		r->locale = arena_text(arena, db_text(result, row, 4));
		r->code = arena_text(arena, db_text(result, row, 5));
		r->signature = arena_text(arena, db_text(result, row, 6));
		split_parameters(arena, db_text(result, row, 7), r);
		if (bytes == sizeof(r->text_hash))
			memcpy(r->text_hash, hash, bytes);
		r->long_term = db_bool(result, row, 10);
	}
}

static void
on_loaded(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct messages *messages = arg;

	if (outcome == DB_OK) {
		catalogue_free(messages->catalogue);
		messages->catalogue = messages->loading;
		messages->generation++;
	} else {
		log_warning("message.load_failed",
		    log_s(SQLSTATE, sqlstate == NULL ? "lost" : sqlstate));
		catalogue_free(messages->loading);
	}
	messages->loading = NULL;
	messages->done(outcome == DB_OK, messages->arg);
}

void
messages_refresh(struct messages *messages, struct db *db, int64_t now,
    void (*done)(bool answered, void *arg), void *arg)
{
	struct db_unit *unit = db_unit_begin(db);

	assert(messages->loading == NULL);
	messages->loading = catalogue_create();
	messages->done = done;
	messages->arg = arg;
	db_unit_add(unit, "tenant_load", take_tenants, messages);
	db_unit_add(unit, "registration_load", take_registrations, messages);
	gateways_read_pauses(messages->gateways, unit, now);
	db_unit_send(unit, on_loaded, messages);
}

void
messages_reload(struct messages *messages, const struct template_set *templates,
    const char *const *only_to)
{
	messages->templates = templates;
	messages->only_to = only_to;
	messages->generation++;
	if (messages->catalogue == NULL)
		return;
	arena_reset(messages->catalogue->audience_arena);
	list_init(&messages->catalogue->audiences,
	    messages->catalogue->audience_arena, sizeof(struct audience *));
}

uint32_t
messages_generation(const struct messages *messages)
{
	return messages->generation;
}

/* ---- audiences ---- */

static const struct registration *
find_registration(const struct catalogue *catalogue, int32_t tenant_id,
    const char *gateway, const struct template *template)
{
	const struct registration *r = catalogue->registrations.data;

	for (size_t i = 0; i < catalogue->registrations.count; i++)
		if (r[i].tenant_id == tenant_id &&
		    r[i].kind == template->kind &&
		    r[i].stage == template->stage &&
		    strcmp(r[i].gateway, gateway) == 0 &&
		    strcmp(r[i].locale, template->locale) == 0)
			return &r[i];
	return NULL;
}

/* Give the phrase its code; false: it is not, or no longer, registered. */
static bool
take_code(const struct catalogue *catalogue, const struct audience *audience,
    const struct gateway *gateway, struct phrase *phrase)
{
	const struct registration *r = find_registration(
	    catalogue, audience->tenant_id, gateway->name, phrase->template);
	struct conf_error error;

	if (r != NULL && memcmp(r->text_hash, phrase->template->text_hash,
			     sizeof(r->text_hash)) == 0)
		phrase->parameters =
		    template_parameters_parse(phrase->template, r->parameters,
			r->parameter_count, catalogue->audience_arena, &error);
	if (phrase->parameters == NULL)
		return false;
	phrase->code = r->code;
	phrase->long_term = r->long_term;
	phrase->signature = r->signature;
	return true;
}

/*
 * A text that differs from what was approved is not usable where only those
 * are taken; elsewhere it goes without a code.
 */
static void
approve(const struct catalogue *catalogue, const struct audience *audience,
    const struct gateway *gateway, struct phrase *phrase)
{
	bool answer = phrase->template->kind == KIND_ANSWER;
	bool free_answers = (gateway->api->flags & GW_FREE_ANSWERS) != 0;

	if (take_code(catalogue, audience, gateway, phrase) ||
	    (gateway->api->flags & GW_TEMPLATES) == 0 ||
	    (answer && free_answers &&
		stage_is_said_back(phrase->template->stage)))
		return;
	/* who did not write there is told elsewhere */
	if (!answer || !free_answers)
		log_warning("template.unapproved",
		    log_s(GATEWAY, gateway->name),
		    log_s(KIND, kind_word(phrase->template->kind)),
		    log_s(KEY, stage_word(phrase->template->stage)));
	phrase->template = NULL;
}

/* Which templates spend a credit each time, and what else spends the same. */
static void
fill_credits(
    struct audience *audience, enum channel channel, struct arena *arena)
{
	struct credit_needs *needs = arena_alloc(arena, sizeof(*needs));
	const struct phrase_place *places = audience->places[channel];
	uint32_t count = audience->place_count[channel];

	for (uint32_t i = 0; i < count; i++) {
		const struct phrase *phrase =
		    &audience
			 ->phrases[channel][places[i].kind][places[i].stage];

		if (phrase->code != NULL && !phrase->long_term)
			needs->code[places[i].kind][places[i].stage] =
			    phrase->code;
	}
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < count; k++) {
			const struct phrase_place *a = &places[i],
						  *b = &places[k];
			const char *code = needs->code[a->kind][a->stage];
			const char *other = needs->code[b->kind][b->stage];

			if (code != NULL && other != NULL &&
			    strcmp(code, other) == 0)
				needs->sharers[a->kind][a->stage] |=
				    (uint8_t)(1u << b->kind);
		}
	audience->credits[channel] = needs;
}

static void
fill_channel(const struct messages *messages, struct audience *audience,
    enum channel channel, bool abroad)
{
	struct gateway *gateway = gateways_for(
	    messages->gateways, audience->tenant_id, channel, abroad);
	struct list places;

	audience->gateways[channel] = gateway;
	if (gateway == NULL)
		return;
	list_init(&places, messages->catalogue->audience_arena,
	    sizeof(struct phrase_place));
	for (enum kind kind = KIND_DOSE; kind <= KIND_ANSWER; kind++)
		for (enum stage stage = STAGE_DUE; stage < STAGE_COUNT;
		     stage++) {
			struct phrase *phrase =
			    &audience->phrases[channel][kind][stage];

			phrase->template = template_find(messages->templates,
			    kind, stage, channel, audience->locale);
			if (phrase->template == NULL)
				continue;
			if ((gateway->api->flags & (GW_TEMPLATES | GW_CODES)) !=
			    0)
				approve(messages->catalogue, audience, gateway,
				    phrase);
			*(struct phrase_place *)list_add(&places) =
			    (struct phrase_place){kind, stage};
		}
	audience->places[channel] = places.data;
	audience->place_count[channel] = (uint32_t)places.count;
	if ((gateway->api->flags & GW_CREDITS) != 0)
		fill_credits(
		    audience, channel, messages->catalogue->audience_arena);
}

const struct audience *
messages_audience(
    struct messages *messages, int32_t tenant_id, const char *locale)
{
	struct catalogue *catalogue = messages->catalogue;
	struct audience **list = catalogue->audiences.data, *audience;
	const struct tenant *tenants = catalogue->tenants.data;
	bool abroad = false;

	for (size_t i = 0; i < catalogue->audiences.count; i++)
		if (list[i]->tenant_id == tenant_id &&
		    strcmp(list[i]->locale, locale) == 0)
			return list[i];
	/* more languages than anybody has: the default serves the rest */
	if (catalogue->audiences.count >= AUDIENCES_MAX)
		return list[0];
	audience = arena_alloc(catalogue->audience_arena, sizeof(*audience));
	audience->tenant_id = tenant_id;
	audience->locale = arena_text(catalogue->audience_arena, locale);
	for (size_t i = 0; i < catalogue->tenants.count; i++)
		if (tenants[i].tenant_id == tenant_id) {
			audience->tenant_name = tenants[i].name;
			abroad = tenants[i].abroad;
		}
	for (enum channel ch = CHANNEL_WECHAT_MINI; ch < CHANNEL_COUNT; ch++)
		fill_channel(messages, audience, ch, abroad);
	*(struct audience **)list_add(&catalogue->audiences) = audience;
	return audience;
}

static bool
phrase_usable(const struct gateway *gateway, const struct phrase *phrase)
{
	char scope[160];

	if (phrase->template == NULL)
		return false;
	if (phrase->code == NULL)
		return true;
	(void)snprintf(scope, sizeof(scope), "template:%s", phrase->code);
	if (gateway_paused(gateway, scope))
		return false;
	(void)snprintf(scope, sizeof(scope), "sender:%s", phrase->signature);
	return !gateway_paused(gateway, scope);
}

void
messages_view(const struct audience *audience, uint32_t reserved,
    struct gateways_view *view)
{
	memset(view, 0, sizeof(*view));
	for (enum channel ch = CHANNEL_WECHAT_MINI; ch < CHANNEL_COUNT; ch++) {
		const struct gateway *gateway = audience->gateways[ch];
		struct gateway_view *v = &view->channels[ch];

		if (gateway == NULL)
			continue;
		v->exists = true;
		v->paused = gateway_paused(gateway, "");
		v->full = gateway_room(gateway) <= reserved;
		v->receipts = (gateway->api->flags & GW_RECEIPTS) != 0;
		v->abroad = gateway->abroad;
		v->lane = gateway->lane;
		v->credits = audience->credits[ch];
		for (uint32_t i = 0; i < audience->place_count[ch]; i++) {
			enum kind kind = audience->places[ch][i].kind;
			enum stage s = audience->places[ch][i].stage;

			v->approved[kind][s] = phrase_usable(
			    gateway, &audience->phrases[ch][kind][s]);
		}
	}
}

/* ---- writing ---- */

const struct contact *
dossier_contact(const struct dossier *dossier, int32_t no)
{
	for (uint32_t i = 0; i < dossier->contact_count; i++)
		if (dossier->contacts[i].no == no)
			return &dossier->contacts[i];
	return NULL;
}

static struct seal_person
person_of(const struct dossier *dossier)
{
	return (struct seal_person){
	    dossier->tenant_id, dossier->bucket, dossier->patient_id};
}

const char *
messages_address(struct messages *messages, const struct dossier *dossier,
    int32_t contact_no, struct arena *arena)
{
	const struct contact *contact = dossier_contact(dossier, contact_no);
	struct seal_person person = person_of(dossier);

	if (contact == NULL || contact->sealed == NULL)
		return NULL;
	return seal_open_address(messages->keyring, &person, contact_no,
	    contact->sealed, contact->sealed_bytes, arena);
}

static void
write_text(const struct phrase *phrase, const struct template_values *values,
    struct arena *arena, struct gw_message *message)
{
	const struct template_parameter *filled;
	struct buf text = BUF_INIT(TEXT_BYTES_MAX);
	struct gw_pair *pairs;

	template_render(phrase->template, values, &text);
	message->text = arena_text(arena, buf_string(&text));
	buf_free(&text);
	/* copies: catalogue and templates may be read anew before it left */
	message->locale = arena_text(arena, phrase->template->locale);
	message->template_code = arena_text(arena, phrase->code);
	message->signature = arena_text(arena, phrase->signature);
	if (phrase->parameters == NULL)
		return;
	filled = template_parameters_fill(phrase->parameters, values, arena);
	pairs =
	    arena_array(arena, phrase->parameters->count + 1, sizeof(*pairs));
	for (uint32_t i = 0; i < phrase->parameters->count; i++)
		pairs[i] = (struct gw_pair){
		    arena_text(arena, filled[i].name), filled[i].value};
	message->parameters = pairs;
	message->parameter_count = phrase->parameters->count;
}

/* Staging lets nothing out but to these addresses. */
static bool
may_go_to(const struct messages *messages, const char *address)
{
	if (messages->only_to == NULL)
		return true;
	for (size_t i = 0; messages->only_to[i] != NULL; i++)
		if (strcmp(messages->only_to[i], address) == 0)
			return true;
	return false;
}

/* The credit that it spends, and what the address has left then. */
static void
take_credit(const struct audience *audience, const struct dossier *dossier,
    const struct plan_step *step, struct arena *arena,
    struct delivery *delivery, struct gw_message *message)
{
	const struct credit_needs *needs = audience->credits[step->channel];
	int32_t left;

	message->credits_left = -1;
	if (needs == NULL || needs->code[step->kind][step->stage] == NULL)
		return;
	delivery->credit =
	    arena_text(arena, needs->code[step->kind][step->stage]);
	left = dossier_credits(dossier, step->contact_no, delivery->credit);
	message->credits_left = left > 0 ? left - 1 : 0;
}

void
messages_write(struct messages *messages, const struct audience *audience,
    const struct dossier *dossier, const struct plan_step *step,
    struct arena *arena, struct delivery *delivery)
{
	const struct phrase *phrase =
	    &audience->phrases[step->channel][step->kind][step->stage];
	struct seal_person person = person_of(dossier);
	struct gw_message *message = arena_alloc(arena, sizeof(*message));
	char reference[DELIVERY_REFERENCE_MAX + 1];
	struct template_values values;
	const char *name = NULL;

	assert(phrase->template != NULL);
	message->address =
	    messages_address(messages, dossier, step->contact_no, arena);
	if (message->address == NULL) {
		delivery->problem = "address_sealed";
		return;
	}
	if (!may_go_to(messages, message->address)) {
		delivery->problem = "only_to";
		return;
	}
	if (dossier->sealed_name != NULL)
		name = seal_open_name(messages->keyring, &person,
		    dossier->sealed_name, dossier->sealed_name_bytes, arena);
	template_values_from_step(
	    dossier, step, name, audience->tenant_name, arena, &values);
	write_text(phrase, &values, arena, message);
	if (delivery->gateway->reply_codes)
		message->extension = arena_printf(
		    arena, "%03d", reply_code(dossier->patient_id));
	take_credit(audience, dossier, step, arena, delivery, message);
	delivery_reference(&delivery->key, reference);
	message->reference = arena_text(arena, reference);
	delivery->message = message;
}
