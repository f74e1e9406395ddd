/*
 * SIGHUP: the configuration read anew and checked whole, as at the start;
 * then all of it takes force at once, or nothing does and the journal says
 * why.  What is under way ends as it began.
 */
#include <string.h>

#include "base/systemd.h"
#include "main.h"

/* What a running process cannot change must be what it was. */
static int
check_fixed(const struct daemon *daemon, const struct loaded *fresh,
    struct conf_error *error)
{
	for (size_t i = 0; i < settings_table_count; i++) {
		const struct conf_setting *row = &settings_table[i];

		if (row->fixed &&
		    !conf_same(row, &daemon->settings, &fresh->settings))
			return conf_blame(fresh->conf, row->section, NULL,
			    row->key, error, "a change needs a restart");
	}
	if (!keyring_may_replace(daemon->keyring, fresh->keyring))
		return conf_blame(fresh->conf, "adherd", NULL, "keyring-file",
		    error,
		    "another index key: what was stored could not be found");
	return 0;
}

/*
 * The parts hold what the first configuration said of fixed settings: the
 * same strings stay in force, and with them that configuration.
 */
static void
keep_fixed(const struct daemon *daemon, struct settings *fresh)
{
	for (size_t i = 0; i < settings_table_count; i++) {
		const struct conf_setting *row = &settings_table[i];

		if (row->fixed && row->type == CONF_TEXT)
			memcpy((char *)fresh + row->offset,
			    (const char *)&daemon->settings + row->offset,
			    sizeof(void *));
	}
}

struct worker_settings
daemon_worker_settings(const struct daemon *daemon)
{
	return (struct worker_settings){
	    .copy = daemon->copy,
	    .look_us = daemon->settings.look_us,
	    .ahead_us = daemon->settings.ahead_us,
	    .lease_us = daemon->settings.lease_us,
	    .claim_max = (uint32_t)daemon->settings.claim_max,
	};
}

/* Nothing in here can fail. */
static void
put_in_force(
    struct daemon *daemon, struct loaded *fresh, struct gateways_change *change)
{
	struct worker_settings settings;

	gateways_commit(change);
	keep_fixed(daemon, &fresh->settings);
	daemon->settings = fresh->settings;
	settings = daemon_worker_settings(daemon);
	keyring_replace(daemon->keyring, fresh->keyring);
	messages_reload(
	    daemon->messages, fresh->templates, daemon->settings.only_to);
	dispatch_reload(daemon->dispatch, daemon->settings.request_us);
	rule_book_ask_after(daemon->rules, daemon->settings.ask_after_us);
	worker_reload(daemon->worker, &settings);
	clock_accept(&daemon->clock);

	template_set_free(daemon->templates);
	daemon->templates = fresh->templates;
	if (daemon->conf_now != daemon->conf)
		conf_free(daemon->conf_now);
	daemon->conf_now = fresh->conf;
}

static int
reload(struct daemon *daemon, struct conf_error *error)
{
	struct gateways_change *change;
	struct loaded fresh;

	if (loaded_read(daemon->conf_path, &fresh, error) != 0)
		return -1;
	if (check_fixed(daemon, &fresh, error) == 0) {
		change = gateways_prepare(
		    daemon->gateways, fresh.conf, &fresh.settings, error);
		if (change != NULL) {
			put_in_force(daemon, &fresh, change);
			return 0;
		}
	}
	loaded_free(&fresh);
	return -1;
}

void
daemon_on_reload(int signal_number, void *arg)
{
	struct daemon *daemon = arg;
	struct conf_error error;

	(void)signal_number;
	if (daemon->stopping)
		return;
	systemd_notify_reloading();
	if (reload(daemon, &error) == 0)
		log_notice("reload.done", log_s(FILE, daemon->conf_path));
	else
		log_error("reload.refused", log_s(ERROR, error.text));
	daemon_tell_ready(daemon);
}
