/*
 * The configuration: tables of settings, the reading of the file and its
 * conf.d, secrets.  Reads files; changes nothing.
 */
#include "flow/settings.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECRET_BYTES_MAX 4096
#define GATEWAYS_MAX 64
#define CONF_FILES_MAX 100

static const char *const role_words[] = {"all", "plan", "inbox", NULL};
static const char *const partition_words[] = {"day", "week", "month", NULL};

/* Where `make install` puts them. */
#ifndef ADHERD_TEMPLATE_DIR
#define ADHERD_TEMPLATE_DIR "/usr/share/adherd/templates"
#endif
#ifndef ADHERD_PLUGIN_DIR
#define ADHERD_PLUGIN_DIR "/usr/lib/adherd/gateways"
#endif

#define ADHERD(key, type, field, standard, min, max, help) \
	{ \
		"adherd", key, type, offsetof(struct settings, field), \
		    standard, min, max, NULL, help, false, false, false \
	}
/* one that a reload cannot change */
#define FIXED(key, type, field, standard, min, max, help) \
	{ \
		"adherd", key, type, offsetof(struct settings, field), \
		    standard, min, max, NULL, help, false, false, true \
	}

const struct conf_setting settings_table[] = {
    {"adherd", "role", CONF_WORD, offsetof(struct settings, role), "all", 0, 0,
	role_words,
	"What this copy does: all; plan and send; or only take callbacks "
	"(inbox).",
	false, false, true},
    {"adherd", "database", CONF_TEXT, offsetof(struct settings, database), NULL,
	0, 0, NULL,
	"Connection string of PostgreSQL 15, as libpq takes it. A password "
	"belongs into a passfile.",
	true, false, true},
    {"adherd", "keyring-file", CONF_TEXT,
	offsetof(struct settings, keyring_file), NULL, 0, 0, NULL,
	"Keys of sealed fields and blind indexes; made by adherctl keyring "
	"create. A bare name is looked up in $CREDENTIALS_DIRECTORY.",
	true, false, false},
    ADHERD("template-dir", CONF_TEXT, template_dir, ADHERD_TEMPLATE_DIR, 0, 0,
	"Folder of the texts."),
    ADHERD("plugin-dir", CONF_TEXT, plugin_dir, ADHERD_PLUGIN_DIR, 0, 0,
	"Folder of the gateway plug-ins."),
    FIXED("listen", CONF_TEXT, listen, "127.0.0.1:8480", 0, 0,
	"Where providers' callbacks come in; loopback only, a proxy stands in "
	"front."),
    FIXED("admin-listen", CONF_TEXT, admin_listen, "127.0.0.1:8481", 0, 0,
	"Where health is told; loopback only."),
    FIXED("copy", CONF_TEXT, copy, NULL, 0, 0,
	"Name of this copy among its equals; host name and process id if not "
	"set."),
    ADHERD("look", CONF_DURATION, look_us, "200ms", 10000, SECOND_US,
	"Pause between looks for work when nothing is due."),
    ADHERD("claim-ahead", CONF_DURATION, ahead_us, "1s", 0, 5 * SECOND_US,
	"How early people are claimed who will be due; what is for them leaves "
	"at its instant."),
    ADHERD("lease", CONF_DURATION, lease_us, "60s", 5 * SECOND_US,
	600 * SECOND_US,
	"How long a round of sending belongs to this copy; longer than "
	"request plus 5 s."),
    ADHERD("request", CONF_DURATION, request_us, "20s", SECOND_US,
	120 * SECOND_US, "Longest request to a provider."),
    ADHERD("connect", CONF_DURATION, connect_us, "3s", SECOND_US / 10,
	60 * SECOND_US, "Longest connect to a provider."),
    ADHERD("drain", CONF_DURATION, drain_us, "25s", 0, 300 * SECOND_US,
	"How long a stop waits for requests under way."),
    ADHERD("ask-after", CONF_DURATION, ask_after_us, "5m", SECOND_US, HOUR_US,
	"How long after a send that nobody answered the provider is asked "
	"about it, and asked again."),
    ADHERD("claim-max", CONF_INTEGER, claim_max, "500", 1, 5000,
	"People in one round."),
    FIXED("state-dir", CONF_TEXT, state_dir, NULL, 0, 0,
	"Folder where copies on this machine remember what they sent and whom "
	"they died of; $STATE_DIRECTORY if not set. Without one a restored "
	"database is not noticed."),
    ADHERD("probe", CONF_DURATION, probe_us, "60s", SECOND_US, HOUR_US,
	"How often a gateway that fails or refuses is tried with one "
	"request."),
    {"adherd", "partition", CONF_WORD, offsetof(struct settings, partition),
	"month", 0, 0, partition_words,
	"How long a span of dates adherctl maintain gives a partition: each "
	"statement looks at all of them, so that there should be fewer than "
	"200 within the longest retention.",
	false, false, false},
    ADHERD("only-to", CONF_LIST, only_to, NULL, 0, 0,
	"For staging: addresses, as they stand in the dossier. Nothing else "
	"leaves; what would have is refused with the code only_to."),
    FIXED("watchdog", CONF_DURATION, watchdog_us, "30s", SECOND_US, HOUR_US,
	"The process ends itself when its loop has not turned for so long, as "
	"when a plug-in never returns."),
    FIXED("test-clock", CONF_BOOLEAN, test_clock, "no", 0, 0,
	"Care time may be moved. For demo and tests: real patients live in "
	"real time."),
};
const size_t settings_table_count = COUNT(settings_table);

#define GATEWAY(key, type, field, standard, min, max, help) \
	{ \
		"gateway", key, type, \
		    offsetof(struct gateway_settings, field), standard, min, \
		    max, NULL, help, false, false, false \
	}

const struct conf_setting gateway_settings_table[] = {
    {"gateway", "plugin", CONF_TEXT, offsetof(struct gateway_settings, plugin),
	NULL, 0, 0, NULL,
	"Name of the plug-in, such as sms_aliyun. A gateway keeps its "
	"plug-in, channel and tenant until a restart: give it another name.",
	true, false, false},
    GATEWAY("channel", CONF_TEXT, channel, NULL, 0, 0,
	"The channel that it serves, where its plug-in can serve several: "
	"wechat_mini, wechat_oa, push, sms, or wecom of the care team."),
    GATEWAY("window", CONF_INTEGER, window, "512", 1, 4096,
	"Requests in flight at most. It begins with 64, grows while answers "
	"are good and halves when the provider asks for less."),
    GATEWAY("account", CONF_TEXT, account, NULL, 0, 0,
	"The account with the provider, where several gateways share one; "
	"its own name if not set. They give the same rate, quota, budget "
	"and zone."),
    GATEWAY("rate", CONF_INTEGER, rate, "0", 0, 100000,
	"Messages a second to that account, by all copies together; 0: no "
	"limit."),
    GATEWAY("quota", CONF_INTEGER, quota, "0", 0, INT64_C(1000000000),
	"Messages a day to that account; then it is paused until midnight. "
	"0: no limit."),
    GATEWAY("budget", CONF_INTEGER, budget, "0", 0, INT64_C(1000000000000),
	"Messages a month; nearing it raises an alarm and stops nothing. 0: "
	"none."),
    GATEWAY("balance-low", CONF_INTEGER, balance_low, "0", 0,
	INT64_C(1000000000000000000),
	"Less than that left on the account, in the provider's unit, raises "
	"an alarm; its plug-in must be able to ask. 0: it is not asked."),
    GATEWAY("zone", CONF_TEXT, zone, "Asia/Shanghai", 0, 0,
	"Time zone of the days and months of quota and budget."),
    GATEWAY("batch", CONF_INTEGER, batch, "0", 0, 1000,
	"Messages in one request; 0: as many as its plug-in takes."),
    GATEWAY("reply-codes", CONF_BOOLEAN, reply_codes, "no", 0, 0,
	"Three digits after the sender's number say which patient a message "
	"is about, so that a reply to it from a number that several share "
	"is not asked back about. The provider must have the extension of "
	"replies switched on."),
    GATEWAY("plain-http", CONF_BOOLEAN, plain_http, "no", 0, 0,
	"Allow http:// to loopback: for simulators."),
    GATEWAY("ca-file", CONF_TEXT, ca_file, NULL, 0, 0,
	"Certificates to trust instead of the system's."),
    GATEWAY("callback-secret-file", CONF_TEXT, callback_secret_file, NULL, 0, 0,
	"Secret part of /callback/NAME/SECRET, at least 22 characters; "
	"without it no callback is taken."),
    GATEWAY("callback-old-secret-file", CONF_TEXT, callback_old_secret_file,
	NULL, 0, 0, "The previous one, while a rotation is under way."),
    GATEWAY("tenant", CONF_INTEGER, tenant_id, "1", 1, INT32_MAX,
	"The tenant whom it serves and whose callbacks these are."),
    GATEWAY("abroad", CONF_BOOLEAN, abroad, "no", 0, 0,
	"It carries data abroad, and is used only where the tenant "
	"(tenant.abroad) and the patient's consent (topic abroad) allow it. "
	"Some plug-ins say so themselves."),
};
const size_t gateway_settings_table_count = COUNT(gateway_settings_table);

/* conf.d/NAME.conf beside the file, by name; a missing folder is fine. */
static int
read_conf_d(struct conf *conf, const char *path, struct conf_error *error)
{
	const char *slash = strrchr(path, '/');
	const char *dir = slash == NULL
			      ? "conf.d"
			      : arena_printf(conf->arena, "%.*s/conf.d",
				    (int)(slash - path), path);
	struct dirent **entries;
	int count = scandir(dir, &entries, NULL, alphasort), status = 0;

	if (count < 0)
		return 0;
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		size_t bytes = strlen(name);

		if (status == 0 && i < CONF_FILES_MAX && name[0] != '.' &&
		    bytes > 5 && strcmp(name + bytes - 5, ".conf") == 0)
			status = conf_read(conf,
			    arena_printf(conf->arena, "%s/%s", dir, name),
			    error);
		free(entries[i]);
	}
	free(entries);
	return status;
}

static const char *const sections[] = {"adherd", "gateway", NULL};

/* Before the keys that [adherd] lacks: it may only be misspelt. */
static int
check_sections(struct conf *conf, const char *path, struct conf_error *error)
{
	const char *name = *conf_names(conf, "adherd");

	if (conf_check_sections(conf, sections, error) != 0)
		return -1;
	if (conf_has(conf, "adherd", NULL, NULL))
		return 0;
	if (name != NULL)
		return conf_blame(
		    conf, "adherd", name, NULL, error, "takes no name");
	return conf_fail(error, path, 0,
	    "there is no section [adherd]; adherd --example prints one");
}

struct conf *
settings_read(
    const char *path, struct settings *settings, struct conf_error *error)
{
	struct conf *conf = conf_create();

	*settings = (struct settings){0};
	if (conf_read(conf, path, error) == 0 &&
	    read_conf_d(conf, path, error) == 0 &&
	    check_sections(conf, path, error) == 0 &&
	    conf_take(conf, "adherd", NULL, settings_table,
		settings_table_count, settings, error) == 0) {
		if (settings->lease_us >= settings->request_us + 5 * SECOND_US)
			return conf;
		(void)conf_blame(conf, "adherd", NULL, "lease", error,
		    "must be at least 5s longer than request");
	}
	conf_free(conf);
	return NULL;
}

static bool
is_gateway_key(const char *key)
{
	for (size_t i = 0; i < gateway_settings_table_count; i++)
		if (strcmp(gateway_settings_table[i].key, key) == 0)
			return true;
	return false;
}

/* Put aside the keys of the plug-in, which its loader checks. */
static void
set_plugin_entries(struct conf *conf, struct gateway_settings *gateway)
{
	struct conf_entry *entries = conf->entries.data;

	list_init(&gateway->plugin_entries, conf->arena, sizeof(entries));
	for (size_t i = 0; i < conf->entries.count; i++) {
		struct conf_entry *e = &entries[i];

		if (strcmp(e->section, "gateway") != 0 || e->name == NULL ||
		    strcmp(e->name, gateway->name) != 0 || e->key == NULL ||
		    is_gateway_key(e->key))
			continue;
		*(struct conf_entry **)list_add(&gateway->plugin_entries) = e;
		e->taken = true;
	}
}

int
settings_gateways(
    struct conf *conf, struct list *gateways, struct conf_error *error)
{
	const char **names = conf_names(conf, "gateway");

	list_init(gateways, conf->arena, sizeof(struct gateway_settings));
	for (; *names != NULL; names++) {
		struct gateway_settings *gateway = list_add(gateways);

		if (gateways->count > GATEWAYS_MAX) {
			(void)snprintf(error->text, sizeof(error->text),
			    "more than %d gateways", GATEWAYS_MAX);
			return -1;
		}
		gateway->name = *names;
		set_plugin_entries(conf, gateway);
		if (conf_take(conf, "gateway", *names, gateway_settings_table,
			gateway_settings_table_count, gateway, error) != 0)
			return -1;
	}
	return conf_check_taken(conf, sections, error);
}

const char *
settings_state_dir(const struct settings *settings)
{
	if (settings->role == ROLE_INBOX)
		return NULL;
	return settings->state_dir != NULL ? settings->state_dir
					   : getenv("STATE_DIRECTORY");
}

const char *
settings_secret_path(const char *path, struct arena *arena)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (strchr(path, '/') != NULL || dir == NULL)
		return path;
	return arena_printf(arena, "%s/%s", dir, path);
}

const char *
settings_secret(
    const char *path, struct arena *arena, char *error, size_t bytes)
{
	char line[SECRET_BYTES_MAX];
	struct stat status;
	FILE *file;

	path = settings_secret_path(path, arena);
	/* a pipe would be waited for */
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
		(void)snprintf(error, bytes, "%s: not a file", path);
		return NULL;
	}
	file = fopen(path, "re");
	if (file == NULL || fstat(fileno(file), &status) != 0) {
		(void)snprintf(error, bytes, "%s: %s", path, strerror(errno));
		if (file != NULL)
			(void)fclose(file);
		return NULL;
	}
	if ((status.st_mode & 077) != 0) {
		(void)snprintf(error, bytes,
		    "%s: readable by group or others: chmod 600", path);
		(void)fclose(file);
		return NULL;
	}
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	(void)fclose(file);
	if (strlen(line) == sizeof(line) - 1)
		line[0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '\0') {
		(void)snprintf(
		    error, bytes, "%s: no secret in its first line", path);
		return NULL;
	}
	return arena_text(arena, line);
}
