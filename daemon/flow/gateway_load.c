/*
 * Loading plug-ins: a shared object from the plug-in folder for each
 * [gateway "NAME"], checked before it is believed, with its settings.
 * Plug-ins are never unloaded.
 *
 * A change of the gateways is made in two steps: first everything is read
 * and checked into candidates, which touches nothing that is in use; then
 * the candidates take their places, which cannot fail.  Loading for the
 * first time is such a change of nothing.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/watchdog.h"
#include "flow/gateway_call.h"
#include "flow/gateway_check.h"
#include "flow/gateway_load.h"
#include "flow/gateway_token.h"
#include "flow/plugin.h"

#define SETTINGS_BYTES_MAX (1u << 20) /* of one section */
#define SECRET_CHARACTERS_MIN 22      /* 128 bits in base64 */

struct candidate { /* what a gateway will be */
	const struct gateway_settings *from;
	struct gateway *gateway; /* the one in use; NULL: it is new */
	struct gw_api api;
	struct gateway_config *config;
	enum channel channel;
	const struct zone *zone; /* of its account */
};

struct gateways_change {
	struct gateways *gateways;
	struct conf *conf;
	const struct settings *settings;
	struct list sections; /* struct gateway_settings */
	struct candidate *candidates;
	size_t count; /* of candidates that were read */
};

struct loading { /* of one candidate */
	struct gateways_change *change;
	struct candidate *candidate;
	const struct gateway_settings *from;
	struct arena *arena; /* the config's */
	struct conf_error *error;
};

static int fail(const struct loading *loading, const char *key,
    const char *format, ...) printf_like(3, 4);

/* With file and line of the key, or of the section. */
static int
fail(const struct loading *loading, const char *key, const char *format, ...)
{
	char text[sizeof(loading->error->text)];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return conf_blame(loading->change->conf, "gateway", loading->from->name,
	    key, loading->error, "%s", text);
}

/* ---- what a gateway is told ---- */

struct gateway_config *
gateway_config_hold(struct gateway_config *config)
{
	config->users++;
	return config;
}

void
gateway_config_release(struct gateway_config *config)
{
	assert(config->users > 0);
	if (--config->users == 0)
		arena_free(config->arena);
}

static struct gateway_config *
config_create(void)
{
	struct arena *arena = arena_create();
	struct gateway_config *config = arena_alloc(arena, sizeof(*config));

	config->arena = arena;
	config->users = 1;
	return config;
}

/* ---- the shared object ---- */

/* Only what this host can serve: no sessions. */
static int
check_needs(const struct loading *loading, const struct gw_api *api)
{
	if (api->send == NULL || api->sent == NULL || api->batch_max < 1 ||
	    api->session != NULL ||
	    (api->auth == NULL) != (api->authed == NULL) ||
	    (api->query == NULL) != (api->queried == NULL) ||
	    (api->balance == NULL) != (api->balanced == NULL))
		return fail(loading, "plugin",
		    "plug-in %s needs what this version of adherd does not "
		    "offer",
		    api->name);
	return 0;
}

/* The code of a gateway in use stays what it is. */
static int
load_api(const struct loading *loading)
{
	const char *plugin = loading->from->plugin;
	struct gw_api *api = &loading->candidate->api;
	const char *path = arena_printf(loading->arena, "%s/%s.so",
	    loading->change->settings->plugin_dir, plugin);
	const struct gw_api *found;
	char error[512];

	if (loading->candidate->gateway != NULL) {
		*api = loading->candidate->gateway->own->api;
		if (strcmp(api->name, plugin) == 0)
			return 0;
		return fail(loading, "plugin",
		    "a running gateway keeps its plug-in; restart, or give "
		    "it another name");
	}
	if (strspn(plugin, "abcdefghijklmnopqrstuvwxyz0123456789_") !=
	    strlen(plugin))
		return fail(
		    loading, "plugin", "\"%s\": a-z 0-9 _ only", plugin);
	found = plugin_open(path, plugin, error, sizeof(error));
	if (found == NULL)
		return fail(loading, "plugin", "%s", error);
	memcpy(api, found,
	    found->size < sizeof(*api) ? found->size : sizeof(*api));
	return check_needs(loading, api);
}

/* ---- settings ---- */

static const struct gw_option *
find_option(const struct gw_api *api, const char *key, bool *is_file)
{
	size_t bytes = strlen(key);

	*is_file = false;
	for (size_t i = 0; i < api->option_count; i++) {
		const struct gw_option *o = &api->options[i];

		if (!o->secret && strcmp(o->name, key) == 0)
			return o;
		if (o->secret && bytes == strlen(o->name) + 5 &&
		    strncmp(o->name, key, bytes - 5) == 0 &&
		    strcmp(key + bytes - 5, "-file") == 0) {
			*is_file = true;
			return o;
		}
	}
	return NULL;
}

static int
unknown_key(const struct loading *loading, const struct conf_entry *entry)
{
	const struct gw_api *api = &loading->candidate->api;
	struct arena *arena = loading->arena;
	const char **words = arena_array(arena,
	    api->option_count + gateway_settings_table_count, sizeof(*words));
	size_t count = 0;
	const char *near;

	for (size_t i = 0; i < api->option_count; i++)
		words[count++] =
		    api->options[i].secret
			? arena_printf(arena, "%s-file", api->options[i].name)
			: api->options[i].name;
	for (size_t i = 0; i < gateway_settings_table_count; i++)
		words[count++] = gateway_settings_table[i].key;
	near = conf_nearest(entry->key, words, count);
	return conf_fail(loading->error, entry->file, entry->line,
	    "unknown key \"%s\" in [gateway \"%s\"]%s%s%s", entry->key,
	    entry->name, near == NULL ? "" : "; did you mean \"",
	    near == NULL ? "" : near, near == NULL ? "" : "\"?");
}

static int
take_entry(const struct loading *loading, const struct conf_entry *entry,
    struct gw_pair *settings)
{
	const struct gw_api *api = &loading->candidate->api;
	struct conf_error *error = loading->error;
	bool is_file;
	const struct gw_option *option = find_option(api, entry->key, &is_file);
	struct gw_pair *setting;
	const char *wrong;
	char text[256];

	if (option == NULL)
		return unknown_key(loading, entry);
	setting = &settings[option - api->options];
	if (setting->value != NULL)
		return conf_fail(error, entry->file, entry->line,
		    "key \"%s\" again", entry->key);
	setting->value = arena_text(loading->arena, entry->value);
	if (is_file) {
		setting->value = settings_secret(
		    entry->value, loading->arena, text, sizeof(text));
		if (setting->value == NULL)
			return conf_fail(error, entry->file, entry->line,
			    "key \"%s\": %s", entry->key, text);
	}
	wrong = gateway_check_value(
	    option, setting->value, loading->from->plain_http);
	return wrong == NULL ? 0
			     : conf_fail(error, entry->file, entry->line,
				   "key \"%s\": %s", entry->key, wrong);
}

/* It sends nothing, and has no secrets that send: only takes callbacks. */
static bool
is_listener(const struct loading *loading)
{
	return loading->change->settings->role == ROLE_INBOX;
}

static void
digest_settings(struct gateway_config *config)
{
	struct buf all = BUF_INIT(SETTINGS_BYTES_MAX);

	for (size_t i = 0; i < config->setting_count; i++) {
		const char *value = config->settings[i].value;

		buf_u32(&all, value == NULL ? 0 : (uint32_t)strlen(value) + 1);
		buf_text(&all, value == NULL ? "" : value);
	}
	crypto_sha256(all.data, all.bytes, config->digest);
	crypto_wipe(all.data, all.bytes);
	buf_free(&all);
}

static int
take_settings(const struct loading *loading)
{
	const struct gw_api *api = &loading->candidate->api;
	struct gateway_config *config = loading->candidate->config;
	struct gw_pair *settings = arena_array(
	    loading->arena, api->option_count + 1, sizeof(*settings));
	struct conf_entry **entries = loading->from->plugin_entries.data;
	char text[sizeof(loading->error->text)];

	for (size_t i = 0; i < loading->from->plugin_entries.count; i++)
		if (take_entry(loading, entries[i], settings) != 0)
			return -1;
	for (size_t i = 0; i < api->option_count; i++) {
		settings[i].name = api->options[i].name;
		if (settings[i].value == NULL)
			settings[i].value = api->options[i].standard;
		if (settings[i].value != NULL || !api->options[i].required)
			continue;
		settings[i].value = "";
		if (!is_listener(loading))
			return fail(loading, NULL, "lacks the key \"%s%s\"",
			    settings[i].name,
			    api->options[i].secret ? "-file" : "");
	}
	config->settings = settings;
	config->setting_count = api->option_count;
	digest_settings(config);
	config->plain_http = loading->from->plain_http;
	config->ca_file =
	    loading->from->ca_file == NULL
		? NULL
		: arena_text(loading->arena, loading->from->ca_file);
	return config->ca_file == NULL ||
		       gateway_check_certificates(
			   config->ca_file, text, sizeof(text)) == 0
		   ? 0
		   : fail(loading, "ca-file", "%s", text);
}

static int
take_secrets(const struct loading *loading)
{
	static const char *const keys[2] = {
	    "callback-secret-file", "callback-old-secret-file"};
	struct gateway_config *config = loading->candidate->config;
	const char *files[2] = {loading->from->callback_secret_file,
	    loading->from->callback_old_secret_file};
	const char **secrets[2] = {
	    &config->callback_secret, &config->callback_old_secret};
	char text[256];

	for (int i = 0; i < 2; i++) {
		if (files[i] == NULL)
			continue;
		*secrets[i] = settings_secret(
		    files[i], loading->arena, text, sizeof(text));
		if (*secrets[i] == NULL)
			return fail(loading, keys[i], "%s", text);
		if (strlen(*secrets[i]) < SECRET_CHARACTERS_MIN)
			return fail(loading, keys[i],
			    "%s: a callback secret has at least %d characters",
			    files[i], SECRET_CHARACTERS_MIN);
	}
	return files[1] == NULL || files[0] != NULL
		   ? 0
		   : fail(loading, keys[1],
			 "without callback-secret-file no callback is taken");
}

/* The channel asked for, out of those that the plug-in serves. */
static int
take_channel(const struct loading *loading)
{
	const struct gateway_settings *from = loading->from;
	const char *list = loading->candidate->api.channels;
	bool first = true;

	while (list != NULL && *list != '\0') {
		size_t bytes = strcspn(list, ",");
		char word[32];

		(void)snprintf(word, sizeof(word), "%.*s", (int)bytes, list);
		if (from->channel == NULL ? first
					  : strcmp(from->channel, word) == 0) {
			loading->candidate->channel = channel_from_word(word);
			if (loading->candidate->channel != CHANNEL_NONE)
				return 0;
		}
		first = false;
		list += bytes + (list[bytes] == ',');
	}
	list = loading->candidate->api.channels;
	return fail(loading, "channel", "plug-in %s serves %s", from->plugin,
	    list == NULL ? "none" : list);
}

/* FNV-1a of the name: the same lane in every copy. */
static int16_t
lane_of(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return (int16_t)(1 + hash % 32000);
}

/* Channel and tenant stay: what is queued was planned for them. */
static int
check_fixed(const struct loading *loading)
{
	const struct gateway *gateway = loading->candidate->gateway;

	if (gateway == NULL)
		return 0;
	if (gateway->channel != loading->candidate->channel)
		return fail(loading, "channel",
		    "a running gateway keeps its channel; restart, or give "
		    "it another name");
	if (gateway->tenant_id != (int32_t)loading->from->tenant_id)
		return fail(loading, "tenant",
		    "a running gateway keeps its tenant; restart, or give it "
		    "another name");
	return 0;
}

static int
check_lane(const struct loading *loading, const char *other)
{
	const char *name = loading->from->name;

	return strcmp(name, other) == 0 || lane_of(name) != lane_of(other)
		   ? 0
		   : fail(loading, NULL,
			 "its name collides with \"%s\"; choose another",
			 other);
}

/* No two gateways, in use or to come, have one lane. */
static int
check_lanes(const struct loading *loading)
{
	const struct gateways_change *change = loading->change;

	for (size_t i = 0; i < gateways_count(change->gateways); i++)
		if (check_lane(
			loading, gateways_at(change->gateways, i)->name) != 0)
			return -1;
	for (size_t i = 0; i < change->count; i++)
		if (check_lane(loading, change->candidates[i].from->name) != 0)
			return -1;
	return 0;
}

static const char *
account_name(const struct gateway_settings *from)
{
	return from->account == NULL ? from->name : from->account;
}

/* Gateways that share an account say the same of it. */
static int
take_account(const struct loading *loading)
{
	const struct gateways_change *change = loading->change;
	const struct gateway_settings *from = loading->from;

	loading->candidate->zone = zone_open(from->zone);
	if (loading->candidate->zone == NULL)
		return fail(loading, "zone", "%s: no such zone", from->zone);
	for (size_t i = 0; i < change->count; i++) {
		const struct candidate *other = &change->candidates[i];

		if (strcmp(account_name(other->from), account_name(from)) ==
			0 &&
		    (other->from->rate != from->rate ||
			other->from->quota != from->quota ||
			other->from->budget != from->budget ||
			other->zone != loading->candidate->zone))
			return fail(loading, "account",
			    "\"%s\" has another rate, quota, budget or zone in "
			    "[gateway \"%s\"]",
			    account_name(from), other->from->name);
	}
	return 0;
}

/* "*" stands for all of them; longer ones do not fit the state file. */
static int
check_name(const struct loading *loading)
{
	const char *name = loading->from->name;
	size_t bytes = strlen(name);

	if (bytes == 0 || bytes >= STATE_NAME_BYTES ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != bytes)
		return fail(loading, NULL,
		    "a name has 1 to %d of a-z A-Z 0-9 _ . -",
		    STATE_NAME_BYTES - 1);
	return 0;
}

static int
ask_plugin(const struct loading *loading)
{
	const struct candidate *candidate = loading->candidate;
	struct gw_call call;
	const char *text;

	if (candidate->api.check == NULL || is_listener(loading))
		return 0;
	gateway_call_init(&call, loading->arena, loading->from->name,
	    candidate->config->settings, candidate->config->setting_count, 0,
	    NULL);
	call.channel = channel_word(candidate->channel);
	watchdog_enter(loading->from->name);
	text = candidate->api.check(&call);
	watchdog_leave();
	return text == NULL ? 0 : fail(loading, NULL, "%s", text);
}

static int
load_candidate(struct gateways_change *change,
    const struct gateway_settings *from, struct conf_error *error)
{
	struct candidate *candidate = &change->candidates[change->count];
	struct loading loading = {
	    .change = change,
	    .candidate = candidate,
	    .from = from,
	    .error = error,
	};
	int status;

	candidate->from = from;
	candidate->gateway = gateways_find(change->gateways, from->name);
	candidate->config = config_create();
	loading.arena = candidate->config->arena;
	status = check_name(&loading) != 0 || load_api(&loading) != 0 ||
			 take_channel(&loading) != 0 ||
			 check_fixed(&loading) != 0 ||
			 take_settings(&loading) != 0 ||
			 take_secrets(&loading) != 0 ||
			 take_account(&loading) != 0 ||
			 check_lanes(&loading) != 0 || ask_plugin(&loading) != 0
		     ? -1
		     : 0;
	change->count++;
	return status;
}

/* ---- the change ---- */

struct gateways_change *
gateways_prepare(struct gateways *gateways, struct conf *conf,
    const struct settings *settings, struct conf_error *error)
{
	struct gateways_change *change = mem_alloc(sizeof(*change));
	const struct gateway_settings *from;
	size_t fresh = 0;

	change->gateways = gateways;
	change->conf = conf;
	change->settings = settings;
	if (settings_gateways(conf, &change->sections, error) != 0)
		goto bad;
	from = change->sections.data;
	change->candidates = arena_array(conf->arena,
	    change->sections.count + 1, sizeof(*change->candidates));
	for (size_t i = 0; i < change->sections.count; i++) {
		if (load_candidate(change, &from[i], error) != 0)
			goto bad;
		fresh += change->candidates[i].gateway == NULL;
	}
	if (gateways_count(gateways) + fresh <= GATEWAYS_EVER_MAX)
		return change;
	(void)conf_fail(error, NULL, 0,
	    "more than %d gateways since the start, those that were removed "
	    "included: restart",
	    GATEWAYS_EVER_MAX);
bad:
	gateways_drop_change(change);
	return NULL;
}

void
gateways_drop_change(struct gateways_change *change)
{
	for (size_t i = 0; i < change->count; i++)
		gateway_config_release(change->candidates[i].config);
	free(change);
}

static struct gateway *
create_gateway(struct gateways *gateways, const struct candidate *candidate)
{
	struct gateway *gateway =
	    arena_alloc(gateways->arena, sizeof(*gateway));

	gateway->own = arena_alloc(gateways->arena, sizeof(*gateway->own));
	gateway->own->api = candidate->api;
	gateway->api = &gateway->own->api;
	gateway->gateways = gateways;
	gateway->name = arena_text(gateways->arena, candidate->from->name);
	gateway->lane = lane_of(gateway->name);
	gateway->channel = candidate->channel;
	gateway->tenant_id = (int32_t)candidate->from->tenant_id;
	pace_init(&gateway->pace, (uint32_t)candidate->from->window,
	    gateways->probe_us);
	gateway->balance = BALANCE_UNKNOWN;
	if (gateway->api->auth != NULL)
		gateway->own->token = token_create(gateway);
	return gateway;
}

/* All that a reload may change of a gateway. */
static void
configure(struct gateway *gateway, struct candidate *candidate)
{
	const struct gateway_settings *from = candidate->from;

	if (gateway->own->config != NULL)
		gateway_config_release(gateway->own->config);
	gateway->own->config = candidate->config;
	gateway->retired = false;
	gateway->balance_low = from->balance_low;
	pace_set(&gateway->pace, (uint32_t)from->window,
	    gateway->gateways->probe_us);
	gateway->account =
	    accounts_set(gateway->gateways->accounts, account_name(from),
		from->rate, from->quota, from->budget, candidate->zone);
	gateway->takes_callbacks = candidate->config->callback_secret != NULL &&
				   gateway->api->receive != NULL;
	gateway->abroad =
	    from->abroad || (gateway->api->flags & GW_ABROAD) != 0;
	gateway->reply_codes = from->reply_codes;
	gateway->batch_max = gateway->api->batch_max;
	if (from->batch > 0 && (uint32_t)from->batch < gateway->batch_max)
		gateway->batch_max = (uint32_t)from->batch;
}

/* Those of the file, in its order, then those that it no longer names. */
static void
put_in_order(
    struct gateways *gateways, struct gateway *const *named, size_t named_count)
{
	size_t count = gateways->list.count, filled = 0;
	struct gateway **all = mem_alloc((count + 1) * sizeof(*all));

	for (size_t i = 0; i < count; i++)
		all[i] = gateways_at(gateways, i);
	while (gateways->list.count < named_count)
		*(struct gateway **)list_add(&gateways->list) = NULL;
	for (size_t i = 0; i < named_count; i++)
		((struct gateway **)gateways->list.data)[filled++] = named[i];
	for (size_t i = 0; i < count; i++) {
		if (!all[i]->retired)
			continue;
		if (filled == gateways->list.count)
			(void)list_add(&gateways->list);
		((struct gateway **)gateways->list.data)[filled++] = all[i];
	}
	free(all);
}

void
gateways_commit(struct gateways_change *change)
{
	struct gateways *gateways = change->gateways;
	const struct settings *settings = change->settings;
	struct gateway **named =
	    mem_alloc((change->count + 1) * sizeof(*named));

	gateways->lease_us = settings->lease_us;
	gateways->request_us = settings->request_us;
	gateways->connect_us = settings->connect_us;
	gateways->probe_us = settings->probe_us;
	for (size_t i = 0; i < gateways_count(gateways); i++) {
		struct gateway *gateway = gateways_at(gateways, i);

		gateway->retired = true;
		gateway->takes_callbacks = false;
	}
	for (size_t i = 0; i < change->count; i++) {
		struct candidate *candidate = &change->candidates[i];

		named[i] = candidate->gateway != NULL
			       ? candidate->gateway
			       : create_gateway(gateways, candidate);
		configure(named[i], candidate);
	}
	put_in_order(gateways, named, change->count);
	free(named);
	free(change);
}

struct gateways *
gateways_load(struct conf *conf, const struct settings *settings,
    struct loop *loop, struct http_client *client, const struct clock *clock,
    struct conf_error *error)
{
	struct arena *arena = arena_create();
	struct gateways *gateways = arena_alloc(arena, sizeof(*gateways));
	struct gateways_change *change;

	gateways->arena = arena;
	gateways->pause_arena = arena_create();
	gateways->loop = loop;
	gateways->client = client;
	gateways->clock = clock;
	gateways->accounts = accounts_create(clock);
	list_init(&gateways->list, arena, sizeof(struct gateway *));
	list_init(
	    &gateways->pauses, gateways->pause_arena, sizeof(struct pause));
	change = gateways_prepare(gateways, conf, settings, error);
	if (change != NULL) {
		gateways_commit(change);
		return gateways;
	}
	gateways_free(gateways);
	return NULL;
}

void
gateways_free(struct gateways *gateways)
{
	for (size_t i = 0; i < gateways_count(gateways); i++) {
		gateway_config_release(gateways_at(gateways, i)->own->config);
		token_free(gateways_at(gateways, i)->own->token);
	}
	accounts_free(gateways->accounts);
	arena_free(gateways->pause_arena);
	arena_free(gateways->arena);
}
