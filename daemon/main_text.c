/*
 * What adherd prints about itself: usage, the example configuration,
 * adherd.conf(5), the settings in force.  Writes to stdout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "care/program_read.h"
#include "flow/plugin.h"
#include "main.h"

const char usage_text[] =
    "usage: adherd [-v] [-c FILE]   run in the foreground\n"
    "       adherd -t [-c FILE]     check the configuration\n"
    "       adherd -T [-c FILE]     print the settings in force\n"
    "       adherd --ready [-c FILE]\n"
    "                               ask the running daemon: 0 or 1, and why\n"
    "       adherd --example[=DIR]  print a configuration, with comments\n"
    "       adherd --manual[=DIR]   adherd.conf(5), as mdoc; both with the\n"
    "                               keys of the plug-ins in DIR, else of "
    "those\n"
    "                               that are installed\n"
    "       adherd --version | --help\n"
    "options:\n"
    "  -c, --config FILE      default " SETTINGS_PATH "\n"
    "  -t, --check-config\n"
    "  -T, --dump-config\n"
    "  -v, --verbose          log more\n"
    "      --care-time TIME   start care time there, where test-clock = yes\n"
    "                         and the database has no other: demo and tests\n"
    "signals: HUP reads the configuration anew, all of it or nothing;\n"
    "TERM and INT stop after what is under way\n"
    "exit status: 0; 64 usage; 69 something that is needed is missing;\n"
    "70 internal; 75 try again; 78 configuration\n";

static const char *
plugin_dir(const char *dir)
{
	for (size_t i = 0; dir == NULL && i < settings_table_count; i++)
		if (strcmp(settings_table[i].key, "plugin-dir") == 0)
			dir = settings_table[i].standard;
	return dir;
}

_Noreturn void
print_example(const char *dir)
{
	struct buf text = BUF_INIT(1 << 20);

	conf_example(settings_table, settings_table_count, &text);
	buf_text(&text, "\n");
	conf_example(
	    gateway_settings_table, gateway_settings_table_count, &text);
	plugins_example(plugin_dir(dir), &text);
	(void)fputs(buf_string(&text), stdout);
	exit(0);
}

/* How a file is written, as conf.c reads it. */
static void
write_format(struct buf *text)
{
	buf_text(text,
	    ".Sh DESCRIPTION\n"
	    "The file is read whole when\n.Xr adherd 8\n"
	    "starts and on each reload, and by each\n.Xr adherctl 1 .\n"
	    "Files named\n.Pa conf.d/*.conf\n"
	    "beside it are read after it, in name order, as if they were its\n"
	    "continuation: a key that was set before is an error there, too.\n"
	    ".Pp\n"
	    "It has sections, and in them lines of the form\n"
	    ".Ar key No = Ar value :\n"
	    ".Bl -bullet -compact\n.It\n"
	    "A section begins with its name in square brackets.\n"
	    "Settings of the daemon stand below\n"
	    ".Li [adherd] ,\n"
	    "those of each account with a provider below a\n"
	    ".Li [gateway \\(dqNAME\\(dq]\n"
	    "of its own: the quotes belong to it, and\n.Ar NAME\n"
	    "has letters, digits,\n.Ql _ ,\n.Ql \\&.\nand\n.Ql - .\n"
	    "The same section may stand several times.\n.It\n"
	    "A value needs no quotes, unless it begins or ends with a blank "
	    "or\n"
	    "has a double quote in it, or a\n.Ql #\nor\n.Ql \\&;\n"
	    "after a blank.\n"
	    "Then the whole value stands in double quotes; inside them\n"
	    ".Li \\e\\(dq , \\e\\e , \\en\nand\n.Li \\et\n"
	    "are a double quote, a backslash, a line end and a tab.\n"
	    "Single quotes are nothing special, but to libpq in\n"
	    ".Cm database .\n.It\n"
	    "A comment begins with\n.Ql #\nor\n.Ql \\&; ,\n"
	    "at the start of a line or after a blank.\n.It\n"
	    "A line that ends in a backslash goes on in the next one.\n.It\n"
	    "Durations have a unit:\n.Li ms , s , m , h\nor\n.Li d ;\n"
	    "lists have commas between their parts.\n.El\n.Pp\n"
	    "The file is UTF-8, 1 MB at most.\n"
	    "An unknown key or section is an error, and told with its file,\n"
	    "line and the nearest one that exists.\n"
	    "Secrets are never values but files, whose first line is read\n"
	    "when the configuration is; only their owner may read them.\n"
	    "A secret that was changed takes force with a reload.\n"
	    "Under\n.Xr systemd 1\n"
	    "credentials are copied when the unit starts, so that it takes a\n"
	    "restart; see\n.Xr adherd 8 ,\nCredentials.\n");
}

static void
write_whole_example(struct buf *text)
{
	buf_text(text,
	    ".Sh EXAMPLES\n"
	    "A clinic on one machine, with one account for SMS; the secrets "
	    "are\n"
	    "credentials of the unit:\n"
	    ".Bd -literal -offset indent\n"
	    "[adherd]\n"
	    "database = host=/run/postgresql dbname=adherd user=adherd\n"
	    "keyring-file = keyring\n"
	    "\n"
	    "[gateway \"sms\"]\n"
	    "plugin = sms_aliyun\n"
	    "access-key-id = LTAI4Gxxxxxxxxxx\n"
	    "access-key-secret-file = aliyun-secret\n"
	    "callback-secret-file = aliyun-callback\n"
	    "rate = 200            # messages a second, as was agreed\n"
	    "budget = 300000\n"
	    ".Ed\n.Pp\n"
	    "Two accounts, and a staging system that reaches two telephones\n"
	    "and nobody else.\n"
	    "A password of the database stands in a file of libpq's own:\n"
	    ".Bd -literal -offset indent\n"
	    "[adherd]\n"
	    "database = \"host=db1,db2 dbname=adherd user=adherd \\e\n"
	    "    passfile=/etc/adherd/pgpass sslmode=verify-full \\e\n"
	    "    target_session_attrs=read-write\"\n"
	    "keyring-file = /etc/adherd/keyring\n"
	    "state-dir = /var/lib/adherd\n"
	    "only-to = +8613900000001, +8613900000002\n"
	    "\n"
	    "[gateway \"sms\"]\n"
	    "plugin = sms_aliyun\n"
	    "access-key-id = LTAI4Gxxxxxxxxxx\n"
	    "access-key-secret-file = /etc/adherd/aliyun-secret\n"
	    "\n"
	    "[gateway \"sms-north\"]\n"
	    "plugin = sms_aliyun\n"
	    "tenant = 2\n"
	    "access-key-id = LTAI4Gyyyyyyyyyy\n"
	    "access-key-secret-file = /etc/adherd/aliyun-north-secret\n"
	    ".Ed\n");
}

static void
write_programs(struct buf *text)
{
	buf_text(text,
	    ".Sh PROGRAMS\n"
	    "What is said when is no part of this file.\n"
	    "It is told by documents, one for each kind and, where products\n"
	    "of a class differ, one for each kind and class:\n"
	    ".Bd -literal -offset indent\n"
	    "{\"kind\": \"refill\", \"product_class\": \"strips\",\n"
	    " \"settings\": {\"stages\": [\"-7d\", \"-1d\"]}}\n"
	    ".Ed\n.Pp\n"
	    "A setting that is not named is that of the kind's own document,\n"
	    "else the default.\n"
	    ".Ql adherctl program store\n"
	    "stores them as new versions, which every copy obeys from its\n"
	    "next look on;\n"
	    ".Ql adherctl plan --diff\n"
	    "shows beforehand what they would change, and\n"
	    ".Ql adherctl product set\n"
	    "says of which class a product is.\n"
	    "Durations are like 90s, 15min, 4h or 7d.\n");
	program_manual(text);
}

/* adherd.conf(5), made of the same rows as the parsers. */
_Noreturn void
print_manual(const char *dir)
{
	struct buf text = BUF_INIT(1 << 20);

	buf_text(&text, ".Dd November 26, 2026\n.Dt ADHERD.CONF 5\n.Os\n"
			".Sh NAME\n.Nm adherd.conf\n"
			".Nd configuration of the adherence daemon\n");
	write_format(&text);
	buf_text(&text, ".Ss [adherd]\n.Bl -tag -width Ds\n");
	conf_manual(settings_table, settings_table_count, &text);
	buf_text(&text, ".El\n.Ss [gateway \\(dqNAME\\(dq]\n"
			"One for each account with a provider.\n"
			"The keys of its plug-in, below, stand in the same "
			"section.\n"
			".Bl -tag -width Ds\n");
	conf_manual(
	    gateway_settings_table, gateway_settings_table_count, &text);
	buf_text(&text, ".El\n");
	plugins_manual(plugin_dir(dir), &text);
	write_programs(&text);
	buf_text(&text, ".Sh FILES\n.Bl -tag -width Ds\n"
			".It Pa " SETTINGS_PATH "\n"
			"Read where no other file is named.\n"
			".It Pa /etc/adherd/conf.d/*.conf\n"
			"Read after it.\n.El\n");
	write_whole_example(&text);
	buf_text(&text, ".Sh SEE ALSO\n.Xr adherctl 1 ,\n.Xr gateway 3 ,\n"
			".Xr adherd 8\n");
	(void)fputs(buf_string(&text), stdout);
	exit(0);
}

/* Read once more: loading the gateways took the entries out of the first. */
void
print_settings(const char *path)
{
	struct buf text = BUF_INIT(1 << 20);
	struct conf_error error;
	struct settings settings;
	struct conf *conf = settings_read(path, &settings, &error);
	struct list gateways;
	const struct gateway_settings *list;

	if (conf == NULL || settings_gateways(conf, &gateways, &error) != 0)
		fatal(EXIT_CONFIGURATION, "%s", error.text);
	list = gateways.data;
	conf_dump(settings_table, settings_table_count, "adherd", NULL,
	    &settings, &text);
	for (size_t i = 0; i < gateways.count; i++) {
		struct conf_entry **entries = list[i].plugin_entries.data;

		buf_text(&text, "\n");
		conf_dump(gateway_settings_table, gateway_settings_table_count,
		    "gateway", list[i].name, &list[i], &text);
		for (size_t j = 0; j < list[i].plugin_entries.count; j++)
			conf_dump_entry(entries[j], &text);
	}
	(void)fputs(buf_string(&text), stdout);
	buf_free(&text);
	conf_free(conf);
}
