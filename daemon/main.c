/*
 * adherd: reads its command line and its configuration, opens what they
 * name, and turns the loop.
 */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/zone.h"
#include "flow/template_files.h"
#include "main.h"

enum action { RUN, CHECK, DUMP, ASK_READY };

struct arguments {
	const char *config;
	const char *care_time;
	enum action action;
};

static void
read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check-config", no_argument, NULL, 't'},
	    {"dump-config", no_argument, NULL, 'T'},
	    {"ready", no_argument, NULL, 'r'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"care-time", required_argument, NULL, 'C'},
	    {"example", optional_argument, NULL, 'e'},
	    {"manual", optional_argument, NULL, 'm'},
	    {"version", no_argument, NULL, 'V'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while (
	    (option = getopt_long(argc, argv, "c:tTv", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments->config = optarg;
			break;
		case 't':
			arguments->action = CHECK;
			break;
		case 'T':
			arguments->action = DUMP;
			break;
		case 'r':
			arguments->action = ASK_READY;
			break;
		case 'v':
			log_level_set(LOG_LEVEL_DEBUG);
			break;
		case 'C':
			arguments->care_time = optarg;
			break;
		case 'e':
			print_example(optarg);
		case 'm':
			print_manual(optarg);
		case 'V':
			(void)puts("adherd " ADHERD_VERSION);
			exit(0);
		case 'h':
			(void)fputs(usage_text, stdout);
			exit(0);
		default:
			(void)fputs(usage_text, stderr);
			exit(EXIT_USAGE_);
		}
	}
	if (optind != argc) {
		(void)fputs(usage_text, stderr);
		exit(EXIT_USAGE_);
	}
}

static void
name_copy(struct daemon *daemon)
{
	char host[HOST_NAME_MAX + 1] = "host";

	daemon->copy = daemon->settings.copy;
	if (daemon->copy != NULL)
		return;
	(void)gethostname(host, sizeof(host) - 1);
	daemon->copy =
	    arena_printf(daemon->conf->arena, "%s-%ld", host, (long)getpid());
}

/* Everything that the configuration names, before anything is started. */
static void
load(struct daemon *daemon, const struct arguments *arguments)
{
	struct conf_error error;
	struct loaded loaded;

	daemon->conf_path =
	    arguments->config == NULL ? SETTINGS_PATH : arguments->config;
	if (loaded_read(daemon->conf_path, &loaded, &error) != 0)
		fatal(EXIT_CONFIGURATION, "%s", error.text);
	daemon->conf = loaded.conf;
	daemon->conf_now = loaded.conf;
	daemon->settings = loaded.settings;
	daemon->keyring = loaded.keyring;
	daemon->templates = loaded.templates;
	/* without zones every patient would live in the wrong one */
	if (zone_open("Asia/Shanghai") == NULL)
		fatal(EXIT_DEPENDENCY,
		    "no time zones on this machine: install tzdata");
	name_copy(daemon);
	daemon->loop = loop_create();
	daemon->client = http_client_create(daemon->loop);
	daemon->gateways = gateways_load(daemon->conf, &daemon->settings,
	    daemon->loop, daemon->client, &daemon->clock, &error);
	if (daemon->gateways == NULL)
		fatal(EXIT_CONFIGURATION, "%s", error.text);
}

/* --care-time: where the clock of a demo or test begins. */
static void
set_start(struct daemon *daemon, const char *care_time)
{
	daemon->start_care_at = AT_UNKNOWN;
	if (care_time == NULL)
		return;
	if (!daemon->settings.test_clock)
		fatal(EXIT_CONFIGURATION,
		    "--care-time needs test-clock = yes: real patients live "
		    "in real time");
	if (!instant_parse(care_time, &daemon->start_care_at))
		fatal(EXIT_USAGE_,
		    "--care-time %s: not an instant like "
		    "2026-03-08T09:59:30+08:00",
		    care_time);
}

/* Needs no more of the file than where the daemon listens. */
static int
ask_ready(const char *config)
{
	struct conf_error error;
	struct settings settings;
	struct conf *conf = settings_read(
	    config == NULL ? SETTINGS_PATH : config, &settings, &error);
	int status;

	if (conf == NULL)
		fatal(EXIT_CONFIGURATION, "%s", error.text);
	status = daemon_ask_ready(settings.admin_listen);
	conf_free(conf);
	return status;
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {0};
	static struct daemon daemon;

	mem_keep();
	read_arguments(argc, argv, &arguments);
	log_open(NULL);
	/* long before the loop does: fatal() ends with its own status */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (arguments.action == ASK_READY)
		return ask_ready(arguments.config);
	/* libpq looks names up while the loop waits: not for half a minute */
	(void)setenv("RES_OPTIONS", "timeout:1 attempts:2", 0);
	/* from now on a reload that comes too early is no reason to end */
	(void)signal(SIGHUP, SIG_IGN);
	load(&daemon, &arguments);
	set_start(&daemon, arguments.care_time);
	if (arguments.action == CHECK)
		(void)puts("adherd: the configuration is good");
	if (arguments.action == DUMP)
		print_settings(daemon.conf_path);
	if (arguments.action != RUN)
		return 0;
	daemon_start(&daemon);
	daemon_run(&daemon);
	/* what is still open the kernel closes, leases give back the rest */
	return 0;
}
