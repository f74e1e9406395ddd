#ifndef ADHERD_FLOW_MESSAGE_H
#define ADHERD_FLOW_MESSAGE_H

#include "base/keyring.h"
#include "care/template.h"
#include "flow/dispatch.h"

/*
 * Messages: which text goes to which patients over which gateway, and a
 * planned step as a message for a gateway.  Knows the tenants, what
 * providers approved, and the templates; opens sealed names and addresses.
 */
struct messages;

struct phrase { /* how one gateway says one thing in one language */
	const struct template *template; /* NULL: there is none */
	/* where the provider sends registered texts only; else NULL */
	const char *code;
	const char *signature;
	const struct template_parameters *parameters;
	bool long_term; /* registered so: a send spends no credit */
};

/* The patients of one tenant who read one language. */
struct audience {
	int32_t tenant_id;
	const char *locale;
	const char *tenant_name;
	struct gateway *gateways[CHANNEL_COUNT];     /* NULL: none */
	struct credit_needs *credits[CHANNEL_COUNT]; /* NULL: none is spent */
	struct phrase phrases[CHANNEL_COUNT][KIND_ANSWER + 1][STAGE_COUNT];
	/* those that there are, for stages are many and texts few */
	struct phrase_place {
		enum kind kind;
		enum stage stage;
	} * places[CHANNEL_COUNT];
	uint32_t place_count[CHANNEL_COUNT];
};

/*
 * templates, keyring and only_to are borrowed.  only_to, NULL-ended: nothing
 * leaves but to these addresses (staging); NULL: anybody.
 */
struct messages *messages_create(struct gateways *gateways,
    const struct template_set *templates, struct keyring *keyring,
    const char *const *only_to);
void messages_free(struct messages *messages);
/*
 * Load tenants and registrations, pauses too.  done is called from the
 * loop; until the first answer nothing may be planned.
 */
void messages_refresh(struct messages *messages, struct db *db, int64_t now,
    void (*done)(bool answered, void *arg), void *arg);

/*
 * The gateways were changed; these are the templates and addresses from now
 * on, and nothing holds the old ones any more.
 */
void messages_reload(struct messages *messages,
    const struct template_set *templates, const char *const *only_to);
/* Another one after each refresh that brought anything, and each reload. */
uint32_t messages_generation(const struct messages *messages);

/* Audiences live until the next refresh or reload. */
const struct audience *messages_audience(
    struct messages *messages, int32_t tenant_id, const char *locale);
/*
 * Who can take a message now: room, pauses, approvals.  reserved: so many
 * slots of each gateway are kept for others.
 */
void messages_view(const struct audience *audience, uint32_t reserved,
    struct gateways_view *view);
/*
 * Fill delivery->message for a step of that dossier, in the arena; or
 * delivery->problem where it cannot be written.  The key is set already.
 */
void messages_write(struct messages *messages, const struct audience *audience,
    const struct dossier *dossier, const struct plan_step *step,
    struct arena *arena, struct delivery *delivery);
/* A contact's address in the arena; NULL: not there, or not to be opened. */
const char *messages_address(struct messages *messages,
    const struct dossier *dossier, int32_t contact_no, struct arena *arena);
/* NULL if the dossier has no such contact. */
const struct contact *dossier_contact(
    const struct dossier *dossier, int32_t no);

#endif
