/*
 * Loading plug-ins: a shared object from the plug-in folder for each
 * [gateway "NAME"], checked before it is believed, with its settings.
 * Plug-ins are never unloaded.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/gateway_call.h"
#include "flow/gateway_load.h"

/* The part of struct gw_api that every plug-in must have. */
#define API_BYTES_MIN (offsetof(struct gw_api, sent) + sizeof(void *))
#define SECRET_CHARACTERS_MIN 22 /* 128 bits in base64 */

static int fail(struct conf_error *error, const char *format, ...)
    printf_like(2, 3);

static int
fail(struct conf_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

/* ---- the shared object ---- */

static int
check_file(const char *name, const char *path, struct conf_error *error)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return fail(error, "gateway \"%s\": %s: %s", name, path,
		    strerror(errno));
	if (!S_ISREG(status.st_mode))
		return fail(
		    error, "gateway \"%s\": %s: not a file", name, path);
	if ((status.st_mode & 022) != 0 ||
	    (status.st_uid != 0 && status.st_uid != geteuid()))
		return fail(error,
		    "gateway \"%s\": %s: must belong to root or to us and be "
		    "writable by nobody else",
		    name, path);
	return 0;
}

static int
check_api(const char *name, const char *plugin, const struct gw_api *api,
    struct conf_error *error)
{
	if (api->abi != GW_ABI)
		return fail(error,
		    "gateway \"%s\": plug-in %s speaks interface %u, not %u",
		    name, plugin, (unsigned)api->abi, (unsigned)GW_ABI);
	if (api->size < API_BYTES_MIN)
		return fail(error, "gateway \"%s\": plug-in %s is incomplete",
		    name, plugin);
	if (api->name == NULL || strcmp(api->name, plugin) != 0)
		return fail(error, "gateway \"%s\": plug-in %s calls itself %s",
		    name, plugin, api->name == NULL ? "nothing" : api->name);
	return 0;
}

/* Only what this host can serve: no tokens, no sessions. */
static int
check_needs(
    const char *name, const struct gw_api *api, struct conf_error *error)
{
	if (api->send == NULL || api->sent == NULL || api->batch_max < 1 ||
	    api->session != NULL || api->auth != NULL ||
	    (api->query == NULL) != (api->queried == NULL))
		return fail(error,
		    "gateway \"%s\": plug-in %s needs what this version of "
		    "adherd does not offer",
		    name, api->name);
	return 0;
}

static int
load_api(struct gateways *gateways, const char *dir,
    const struct gateway_settings *from, struct gw_api *api,
    struct conf_error *error)
{
	const char *path =
	    arena_printf(gateways->arena, "%s/%s.so", dir, from->plugin);
	const struct gw_api *found;
	void *handle;

	if (strspn(from->plugin, "abcdefghijklmnopqrstuvwxyz0123456789_") !=
	    strlen(from->plugin))
		return fail(error,
		    "gateway \"%s\": plugin \"%s\": a-z 0-9 _ only", from->name,
		    from->plugin);
	if (check_file(from->name, path, error) != 0)
		return -1;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	found = handle == NULL ? NULL : dlsym(handle, "adherd_gateway");
	if (found == NULL)
		return fail(error, "gateway \"%s\": %s", from->name, dlerror());
	if (check_api(from->name, from->plugin, found, error) != 0)
		return -1;
	memset(api, 0, sizeof(*api));
	memcpy(api, found,
	    found->size < sizeof(*api) ? found->size : sizeof(*api));
	return check_needs(from->name, api, error);
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
unknown_key(struct gateways *gateways, const struct gw_api *api,
    const struct conf_entry *entry, struct conf_error *error)
{
	const char **words = arena_array(gateways->arena,
	    api->option_count + gateway_settings_table_count, sizeof(*words));
	size_t count = 0;
	const char *near;

	for (size_t i = 0; i < api->option_count; i++)
		words[count++] = api->options[i].secret
				     ? arena_printf(gateways->arena, "%s-file",
					   api->options[i].name)
				     : api->options[i].name;
	for (size_t i = 0; i < gateway_settings_table_count; i++)
		words[count++] = gateway_settings_table[i].key;
	near = conf_nearest(entry->key, words, count);
	return fail(error,
	    "%s:%d: unknown key \"%s\" in [gateway \"%s\"]%s%s%s", entry->file,
	    entry->line, entry->key, entry->name,
	    near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
	    near == NULL ? "" : "\"?");
}

static bool
is_integer(const char *text)
{
	size_t bytes = strlen(text), sign = text[0] == '-' ? 1 : 0;

	return bytes > sign && bytes <= 18 &&
	       strspn(text + sign, "0123456789") == bytes - sign;
}

static const char *
wrong_type(const struct gw_option *option, const char *value, bool plain)
{
	if (option->type == GW_OPTION_INTEGER && !is_integer(value))
		return "not an integer";
	if (option->type == GW_OPTION_BOOLEAN && strcmp(value, "yes") != 0 &&
	    strcmp(value, "no") != 0)
		return "neither yes nor no";
	if (option->type == GW_OPTION_URL &&
	    strncmp(value, "https://", 8) != 0 &&
	    !(plain && strncmp(value, "http://", 7) == 0))
		return "not an https:// URL";
	return NULL;
}

static int
take_entry(struct gateways *gateways, struct gateway *gateway,
    const struct conf_entry *entry, struct gw_pair *settings,
    struct conf_error *error)
{
	const struct gw_api *api = gateway->api;
	bool is_file;
	const struct gw_option *option = find_option(api, entry->key, &is_file);
	struct gw_pair *setting;
	const char *wrong;
	char text[256];

	if (option == NULL)
		return unknown_key(gateways, api, entry, error);
	setting = &settings[option - api->options];
	if (setting->value != NULL)
		return fail(error, "%s:%d: \"%s\" was given before",
		    entry->file, entry->line, entry->key);
	setting->value = entry->value;
	if (is_file) {
		setting->value = settings_secret(
		    entry->value, gateways->arena, text, sizeof(text));
		if (setting->value == NULL)
			return fail(error, "%s:%d: %s: %s", entry->file,
			    entry->line, entry->key, text);
	}
	wrong = wrong_type(option, setting->value, gateway->own->plain_http);
	return wrong == NULL ? 0
			     : fail(error, "%s:%d: %s: %s", entry->file,
				   entry->line, entry->key, wrong);
}

static int
take_settings(struct gateways *gateways, struct gateway *gateway,
    const struct gateway_settings *from, struct conf_error *error)
{
	const struct gw_api *api = gateway->api;
	struct gw_pair *settings = arena_array(
	    gateways->arena, api->option_count + 1, sizeof(*settings));
	struct conf_entry **entries = from->plugin_entries.data;

	for (size_t i = 0; i < from->plugin_entries.count; i++)
		if (take_entry(
			gateways, gateway, entries[i], settings, error) != 0)
			return -1;
	for (size_t i = 0; i < api->option_count; i++) {
		settings[i].name = api->options[i].name;
		if (settings[i].value == NULL)
			settings[i].value = api->options[i].standard;
		if (settings[i].value == NULL && api->options[i].required)
			return fail(error,
			    "gateway \"%s\": \"%s%s\" is missing", from->name,
			    settings[i].name,
			    api->options[i].secret ? "-file" : "");
	}
	gateway->own->settings = settings;
	gateway->own->setting_count = api->option_count;
	return 0;
}

static int
take_secrets(struct gateways *gateways, struct gateway *gateway,
    const struct gateway_settings *from, struct conf_error *error)
{
	const char *files[2] = {
	    from->callback_secret_file, from->callback_old_secret_file};
	const char **secrets[2] = {
	    &gateway->own->callback_secret, &gateway->own->callback_old_secret};
	char text[256];

	for (int i = 0; i < 2; i++) {
		if (files[i] == NULL)
			continue;
		*secrets[i] = settings_secret(
		    files[i], gateways->arena, text, sizeof(text));
		if (*secrets[i] == NULL)
			return fail(error,
			    "gateway \"%s\": callback secret: %s", from->name,
			    text);
		if (strlen(*secrets[i]) < SECRET_CHARACTERS_MIN)
			return fail(error,
			    "gateway \"%s\": %s: a callback secret has at "
			    "least "
			    "%d characters",
			    from->name, files[i], SECRET_CHARACTERS_MIN);
	}
	gateway->takes_callbacks =
	    files[0] != NULL && gateway->api->receive != NULL;
	return 0;
}

/* The channel asked for, out of those that the plug-in serves. */
static int
take_channel(struct gateway *gateway, const struct gateway_settings *from,
    struct conf_error *error)
{
	const char *list = gateway->api->channels;
	bool first = true;

	while (list != NULL && *list != '\0') {
		size_t bytes = strcspn(list, ",");
		char word[32];

		(void)snprintf(word, sizeof(word), "%.*s", (int)bytes, list);
		if (from->channel == NULL ? first
					  : strcmp(from->channel, word) == 0) {
			gateway->channel = channel_from_word(word);
			if (gateway->channel != CHANNEL_NONE)
				return 0;
		}
		first = false;
		list += bytes + (list[bytes] == ',');
	}
	return fail(error, "gateway \"%s\": channel: plug-in %s serves %s",
	    from->name, from->plugin,
	    gateway->api->channels == NULL ? "none" : gateway->api->channels);
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

static int
check_others(const struct gateways *gateways, const struct gateway *gateway,
    struct conf_error *error)
{
	for (size_t i = 0; i < gateways_count(gateways); i++) {
		const struct gateway *other = gateways_at(gateways, i);

		if (other->lane == gateway->lane)
			return fail(error,
			    "gateway \"%s\": its name collides with \"%s\"; "
			    "choose another",
			    gateway->name, other->name);
	}
	return 0;
}

static int
ask_plugin(struct gateways *gateways, const struct gateway *gateway,
    struct conf_error *error)
{
	struct gw_call call;
	const char *text;

	if (gateway->api->check == NULL)
		return 0;
	gateway_call_init(&call, gateways->arena, gateway->name,
	    gateway->own->settings, gateway->own->setting_count, 0, NULL);
	text = gateway->api->check(&call);
	return text == NULL
		   ? 0
		   : fail(error, "gateway \"%s\": %s", gateway->name, text);
}

static int
load_gateway(struct gateways *gateways, const char *dir,
    const struct gateway_settings *from, struct conf_error *error)
{
	struct gateway *gateway =
	    arena_alloc(gateways->arena, sizeof(*gateway));

	gateway->own = arena_alloc(gateways->arena, sizeof(*gateway->own));
	gateway->api = &gateway->own->api;
	gateway->gateways = gateways;
	gateway->name = arena_text(gateways->arena, from->name);
	gateway->lane = lane_of(from->name);
	gateway->tenant_id = (int32_t)from->tenant_id;
	gateway->window = (uint32_t)from->window;
	gateway->own->plain_http = from->plain_http;
	gateway->own->ca_file = from->ca_file;
	if (load_api(gateways, dir, from, &gateway->own->api, error) != 0 ||
	    take_channel(gateway, from, error) != 0 ||
	    take_settings(gateways, gateway, from, error) != 0 ||
	    take_secrets(gateways, gateway, from, error) != 0 ||
	    check_others(gateways, gateway, error) != 0 ||
	    ask_plugin(gateways, gateway, error) != 0)
		return -1;
	gateway->abroad =
	    from->abroad || (gateway->api->flags & GW_ABROAD) != 0;
	gateway->batch_max = gateway->api->batch_max;
	if (from->batch > 0 && (uint32_t)from->batch < gateway->batch_max)
		gateway->batch_max = (uint32_t)from->batch;
	*(struct gateway **)list_add(&gateways->list) = gateway;
	return 0;
}

struct gateways *
gateways_load(struct conf *conf, const struct settings *settings,
    struct loop *loop, struct http_client *client, const struct clock *clock,
    struct conf_error *error)
{
	struct arena *arena = arena_create();
	struct gateways *gateways = arena_alloc(arena, sizeof(*gateways));
	struct gateway_settings *from;
	struct list sections;

	gateways->arena = arena;
	gateways->pause_arena = arena_create();
	gateways->loop = loop;
	gateways->client = client;
	gateways->clock = clock;
	gateways->lease_us = settings->lease_us;
	gateways->request_us = settings->request_us;
	gateways->connect_us = settings->connect_us;
	list_init(&gateways->list, arena, sizeof(struct gateway *));
	gateways_pauses_clear(gateways);
	if (settings_gateways(conf, &sections, error) != 0)
		goto bad;
	from = sections.data;
	for (size_t i = 0; i < sections.count; i++)
		if (load_gateway(
			gateways, settings->plugin_dir, &from[i], error) != 0)
			goto bad;
	return gateways;
bad:
	gateways_free(gateways);
	return NULL;
}

void
gateways_free(struct gateways *gateways)
{
	arena_free(gateways->pause_arena);
	arena_free(gateways->arena);
}
