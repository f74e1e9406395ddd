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
enum partition_span { PARTITION_DAY, PARTITION_WEEK, PARTITION_MONTH };

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
	int64_t ahead_us;         /* how early who will be due is claimed */
	int64_t lease_us;
	int64_t request_us;
	int64_t connect_us;
	int64_t drain_us;
	int64_t ask_after_us;
	int64_t claim_max;     /* people in one round */
	const char *state_dir; /* NULL: $STATE_DIRECTORY, or none */
	int64_t probe_us;      /* a closed gateway is tried so often */
	int64_t watchdog_us;   /* the loop may stand still so long */
	const char **only_to;  /* addresses, NULL-ended; NULL: anybody */
	bool test_clock;       /* care time may be moved: demo and tests */
	int partition;         /* enum partition_span, for adherctl maintain */
};

struct gateway_settings { /* [gateway "NAME"] */
	const char *name;
	const char *plugin;  /* "sms_aliyun" */
	const char *channel; /* of gw_api's channels; NULL: the first */
	int64_t window;      /* requests in flight at most */
	const char *account; /* NULL: its own name */
	int64_t rate;        /* messages a second, all copies; 0: no limit */
	int64_t quota;       /* messages a day; 0: no limit */
	int64_t budget;      /* messages a month, for an alarm; 0: none */
	int64_t balance_low; /* less left is an alarm; 0: none */
	const char *zone;    /* whose days and months */
	int64_t batch;    /* messages in one request; 0: the plug-in's most */
	bool reply_codes; /* the sender's number says whom a reply is about */
	bool plain_http;  /* http:// to loopback is allowed */
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
/* Where this copy remembers; NULL: nowhere.  A listener has nothing to. */
const char *settings_state_dir(const struct settings *settings);
/* Where a secret lies: a bare name is one of $CREDENTIALS_DIRECTORY. */
const char *settings_secret_path(const char *path, struct arena *arena);
/*
 * The first line of a secret file, in the arena; NULL with a message if it
 * is missing, empty, over 4 kB, or readable by group or others.  A bare
 * name is looked up in $CREDENTIALS_DIRECTORY.
 */
must_check const char *settings_secret(
    const char *path, struct arena *arena, char *error, size_t bytes);

#endif
