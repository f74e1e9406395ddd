#ifndef ADHERD_FLOW_SETTINGS_H
#define ADHERD_FLOW_SETTINGS_H

#include "base/clock.h"
#include "base/conf.h"

/*
 * The configuration of adherd and adherctl: one table row per setting makes
 * the parser, --example, --dump-config and the manual page.  The keys of a
 * [gateway "NAME"] section that belong to its plug-in are described by the
 * plug-in itself (struct gw_option).
 */
enum role { ROLE_ALL, ROLE_PLAN, ROLE_INBOX };

struct settings {
	/* [adherd] */
	int role;             /* enum role */
	const char *database; /* libpq connection string */
	const char *keyring_file;
	const char *template_dir;
	const char *plugin_dir;
	const char *listen;       /* callbacks: ADDRESS:PORT, loopback only */
	const char *admin_listen; /* health and metrics */
	const char *copy;         /* name of this copy; NULL: host and pid */
	int64_t look_us;          /* between looks when nothing is due */
	int64_t lease_us;
	int64_t request_us;
	int64_t connect_us;
	int64_t drain_us;
	int64_t ask_after_us;
	int64_t claim_max; /* people in one round */
	bool test_clock;   /* care time may be moved: demo and tests */
};

struct gateway_settings { /* [gateway "NAME"] */
	const char *name;
	const char *plugin;  /* "sms_aliyun" */
	const char *channel; /* of gw_api's channels; NULL: the first */
	int64_t window;      /* requests in flight */
	int64_t batch;   /* messages in one request; 0: the plug-in's most */
	bool plain_http; /* http:// to loopback is allowed */
	const char *ca_file;
	const char *callback_secret_file;     /* NULL: no callbacks */
	const char *callback_old_secret_file; /* during rotation */
	bool abroad;       /* carries data abroad, whatever the plug-in says */
	int64_t tenant_id; /* whom it serves, whose callbacks these are */
	struct list plugin_entries; /* struct conf_entry *: the rest */
};

#define SETTINGS_PATH "/etc/adherd/adherd.conf"

extern const struct conf_setting settings_table[];
extern const size_t settings_table_count;
extern const struct conf_setting gateway_settings_table[];
extern const size_t gateway_settings_table_count;

/*
 * Read a file, then the files NAME.conf of conf.d beside it, in name order.
 * NULL with error.  Everything lives in the conf's arena; free with
 * conf_free().
 */
must_check struct conf *settings_read(
    const char *path, struct settings *settings, struct conf_error *error);
/* All [gateway] sections, in file order; -1 with error. */
must_check int settings_gateways(
    struct conf *conf, struct list *gateways, struct conf_error *error);
/*
 * The first line of a secret file, in the arena; NULL with a message if it
 * is missing, empty, over 4 kB, or readable by group or others.  A bare
 * name is looked up in $CREDENTIALS_DIRECTORY.
 */
must_check const char *settings_secret(
    const char *path, struct arena *arena, char *error, size_t bytes);

#endif
