/*
 * adherd-sim: a provider simulator.  Takes messages as Aliyun SMS, as Tencent
 * Cloud SMS or as the provider of the loopback gateway, keeps a ledger of
 * them, sends receipts and replies, shows phones, and fails in the ways it is
 * told to.  Listens on loopback.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "tests/sim/acs.h"
#include "tests/sim/door.h"
#include "tests/sim/fault.h"
#include "tests/sim/ledger.h"
#include "tests/sim/receipt.h"
#include "tests/sim/reply.h"
#include "tests/sim/sms_template.h"
#include "tests/sim/webhook.h"
#include "tests/sim/wechat.h"
#include "tests/sim/wecom.h"

#define SECRET_BYTES_MAX 256
#define CHINA_OFFSET_US (8 * HOUR_US)

struct arguments {
	int64_t port;
	const char *templates;
	const char *access_key_id;
	const char *secret_file;
	const char *callback;
	const char *loopback_callback;
	const char *tencent_callback;
	const char *sdk_app_id;
	const char *webhook_secret_file;
	const char *webhook_callback;
	const char *webhook_callback_secret_file;
	struct wechat_settings wechat; /* secrets: their files */
	const char *wechat_callback;
	const char *wecom_callback, *corpid;
	const char *ledger;
	int64_t receipt_delay_ms;
	int64_t retry_scale_micro;
	int64_t day_limit;
	int64_t seed;
	int64_t clock_ahead_s;
	int64_t balance;
};

const char *
endpoint_word(enum endpoint endpoint)
{
	static const char *const words[] = {"aliyun", "loopback", "tencent",
	    "webhook", "wechat", "wechat_token", "wecom", "wecom_token"};

	return words[endpoint];
}

uint64_t
sim_random(struct sim *sim)
{
	uint64_t mixed = sim->random += 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
	return mixed ^ mixed >> 31;
}

const char *
sim_time_text(int64_t at, struct arena *arena)
{
	time_t seconds = (time_t)(at / SECOND_US);
	struct tm when;
	char text[32];

	(void)gmtime_r(&seconds, &when);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &when);
	return arena_printf(
	    arena, "%s.%03dZ", text, (int)(at % SECOND_US / 1000));
}

const char *
sim_china_text(int64_t at, struct arena *arena)
{
	time_t seconds = (time_t)((at + CHINA_OFFSET_US) / SECOND_US);
	struct tm when;
	char text[32];

	(void)gmtime_r(&seconds, &when);
	(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &when);
	return arena_text(arena, text);
}

const char *
sim_china_date(int64_t at, struct arena *arena)
{
	time_t seconds = (time_t)((at + CHINA_OFFSET_US) / SECOND_US);
	struct tm when;
	char text[16];

	(void)gmtime_r(&seconds, &when);
	(void)strftime(text, sizeof(text), "%Y%m%d", &when);
	return arena_text(arena, text);
}

uint64_t
sim_hash(const char *const *texts, size_t count)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < count; i++) {
		const char *at = texts[i];

		do {
			hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
		} while (*at++ != '\0');
	}
	hash ^= hash >> 32; /* the table looks at the low bits */
	return hash != 0 ? hash : 1;
}

/* ---- arguments ---- */

static _Noreturn void
usage(int status)
{
	(void)fprintf(status == 0 ? stdout : stderr,
	    "usage: adherd-sim --port N --templates FILE.json\n"
	    "    --access-key-id ID --access-key-secret-file FILE\n"
	    "    [--callback URL] [--loopback-callback URL]\n"
	    "    [--tencent-callback URL] [--sdk-app-id ID (1400006666)]\n"
	    "    [--webhook-secret-file FILE] [--webhook-callback URL\n"
	    "     --webhook-callback-secret-file FILE]\n"
	    "    [--wechat-secret-file FILE] [--wechat-appid ID]\n"
	    "    [--wechat-callback URL --wechat-token-file FILE]\n"
	    "    [--wechat-mode plain|compatible|safe (safe)]\n"
	    "    [--wechat-format xml|json (xml)]\n"
	    "    [--wechat-aes-key-file FILE]\n"
	    "    [--wecom-corpid ID] [--wecom-callback URL]\n"
	    "    [--receipt-delay-ms N (500)] [--retry-scale X (1)]\n"
	    "    [--day-limit N (50, 0: none)] [--ledger FILE] [--seed N (1)]\n"
	    "    [--clock-ahead-s N (0, may be negative)] [--balance N "
	    "(1000000)]\n"
	    "Listens on 127.0.0.1 and prints where; port 0 is any free one.\n"
	    "/ Aliyun and Tencent SMS, /loopback, /webhook, /cgi-bin, "
	    "/wechat,\n"
	    "/control, /reply,\n"
	    "/ledger, /ledger/duplicates, /ledger/summary, /callbacks,\n"
	    "/phones.\n");
	exit(status);
}

static int64_t
number(const char *text, int64_t min, int64_t max)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < min ||
	    value > max)
		fatal(EXIT_USAGE_, "%s: not a number from %lld to %lld", text,
		    (long long)min, (long long)max);
	return value;
}

/* A decimal from 0 to 1000, in millionths. */
static int64_t
scale(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= 0 && value <= 1000))
		fatal(EXIT_USAGE_, "%s: not a scale from 0 to 1000", text);
	return (int64_t)(value * 1000000);
}

/* Where the value of an option belongs that is taken as it is, or NULL. */
static const char **
text_option(struct arguments *arguments, int option)
{
	switch (option) {
	case 't':
		return &arguments->templates;
	case 'i':
		return &arguments->access_key_id;
	case 'k':
		return &arguments->secret_file;
	case 'c':
		return &arguments->callback;
	case 'C':
		return &arguments->loopback_callback;
	case 'T':
		return &arguments->tencent_callback;
	case 'A':
		return &arguments->sdk_app_id;
	case 'w':
		return &arguments->webhook_secret_file;
	case 'W':
		return &arguments->webhook_callback;
	case 'v':
		return &arguments->webhook_callback_secret_file;
	case 'x':
		return &arguments->wechat.secret;
	case 'X':
		return &arguments->wechat.appid;
	case 'y':
		return &arguments->wechat_callback;
	case 'Y':
		return &arguments->wechat.callback_token;
	case 'z':
		return &arguments->wechat.mode;
	case 'F':
		return &arguments->wechat.format;
	case 'Z':
		return &arguments->wechat.aes_key;
	case 'q':
		return &arguments->corpid;
	case 'Q':
		return &arguments->wecom_callback;
	case 'l':
		return &arguments->ledger;
	default:
		return NULL;
	}
}

static void
take_option(struct arguments *arguments, int option, const char *value)
{
	const char **text = text_option(arguments, option);

	if (text != NULL) {
		*text = value;
		return;
	}
	switch (option) {
	case 'p':
		arguments->port = number(value, 0, 65535);
		break;
	case 'd':
		arguments->receipt_delay_ms = number(value, 0, 86400000);
		break;
	case 'r':
		arguments->retry_scale_micro = scale(value);
		break;
	case 'D':
		arguments->day_limit = number(value, 0, 10000);
		break;
	case 's':
		arguments->seed = number(value, 0, INT64_MAX);
		break;
	case 'a':
		arguments->clock_ahead_s =
		    number(value, INT64_C(-10000000000), INT64_C(10000000000));
		break;
	case 'b':
		arguments->balance = number(value, 0, INT64_MAX / 2);
		break;
	default:
		usage(option == 'h' ? 0 : EXIT_USAGE_);
	}
}

static void
read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
	    {"port", required_argument, NULL, 'p'},
	    {"templates", required_argument, NULL, 't'},
	    {"access-key-id", required_argument, NULL, 'i'},
	    {"access-key-secret-file", required_argument, NULL, 'k'},
	    {"callback", required_argument, NULL, 'c'},
	    {"loopback-callback", required_argument, NULL, 'C'},
	    {"tencent-callback", required_argument, NULL, 'T'},
	    {"sdk-app-id", required_argument, NULL, 'A'},
	    {"webhook-secret-file", required_argument, NULL, 'w'},
	    {"webhook-callback", required_argument, NULL, 'W'},
	    {"webhook-callback-secret-file", required_argument, NULL, 'v'},
	    {"wechat-secret-file", required_argument, NULL, 'x'},
	    {"wechat-appid", required_argument, NULL, 'X'},
	    {"wechat-callback", required_argument, NULL, 'y'},
	    {"wechat-token-file", required_argument, NULL, 'Y'},
	    {"wechat-mode", required_argument, NULL, 'z'},
	    {"wechat-format", required_argument, NULL, 'F'},
	    {"wechat-aes-key-file", required_argument, NULL, 'Z'},
	    {"wecom-corpid", required_argument, NULL, 'q'},
	    {"wecom-callback", required_argument, NULL, 'Q'},
	    {"ledger", required_argument, NULL, 'l'},
	    {"receipt-delay-ms", required_argument, NULL, 'd'},
	    {"retry-scale", required_argument, NULL, 'r'},
	    {"day-limit", required_argument, NULL, 'D'},
	    {"seed", required_argument, NULL, 's'},
	    {"clock-ahead-s", required_argument, NULL, 'a'},
	    {"balance", required_argument, NULL, 'b'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(arguments, option, optarg);
	if (optind != argc || arguments->port < 0 ||
	    arguments->templates == NULL || arguments->access_key_id == NULL ||
	    arguments->secret_file == NULL ||
	    (arguments->webhook_callback == NULL) !=
		(arguments->webhook_callback_secret_file == NULL) ||
	    (arguments->wechat_callback == NULL) !=
		(arguments->wechat.callback_token == NULL))
		usage(EXIT_USAGE_);
}

/* The file's first line, NULL without a file; the caller frees it. */
static char *
read_secret(const char *path)
{
	char line[SECRET_BYTES_MAX];
	FILE *file;

	if (path == NULL)
		return NULL;
	file = fopen(path, "re");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		fatal(EXIT_CONFIGURATION, "%s: cannot read the secret", path);
	(void)fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	return mem_text(line);
}

/* ---- the whole ---- */

static void
on_stop(int signal_number, void *arg)
{
	(void)signal_number;
	loop_stop(arg);
}

static void
open_files(struct sim *sim, const struct arguments *arguments)
{
	char error[512] = "";

	sim->templates =
	    sms_templates_open(arguments->templates, error, sizeof(error));
	if (sim->templates == NULL)
		fatal(EXIT_CONFIGURATION, "%s", error);
	sim->ledger = ledger_open(arguments->ledger, error, sizeof(error));
	if (sim->ledger == NULL)
		fatal(EXIT_CONFIGURATION, "%s", error);
	sim->door = door_open(
	    sim->loop, (uint16_t)arguments->port, error, sizeof(error));
	if (sim->door == NULL)
		fatal(EXIT_DEPENDENCY, "%s", error);
}

static void
take_settings(struct sim *sim, const struct arguments *arguments)
{
	sim->access_key_id = arguments->access_key_id;
	sim->sdk_app_id = arguments->sdk_app_id;
	sim->callback[ENDPOINT_ALIYUN] = arguments->callback;
	sim->callback[ENDPOINT_LOOPBACK] = arguments->loopback_callback;
	sim->callback[ENDPOINT_TENCENT] = arguments->tencent_callback;
	sim->callback[ENDPOINT_WEBHOOK] = arguments->webhook_callback;
	sim->callback[ENDPOINT_WECHAT] = arguments->wechat_callback;
	sim->callback[ENDPOINT_WECOM] = arguments->wecom_callback;
	sim->receipt_delay_us = arguments->receipt_delay_ms * 1000;
	sim->retry_scale_micro = arguments->retry_scale_micro;
	sim->clock_ahead_us = arguments->clock_ahead_s * SECOND_US;
	sim->day_limit = arguments->day_limit;
	sim->balance = arguments->balance;
	sim->random = (uint64_t)arguments->seed;
}

static struct webhook *
open_webhook(const struct arguments *arguments)
{
	char *secret = read_secret(arguments->webhook_secret_file);
	char *callbacks = read_secret(arguments->webhook_callback_secret_file);
	struct webhook *webhook = webhook_create(secret, callbacks);

	free(secret);
	free(callbacks);
	return webhook;
}

static struct wechat *
open_wechat(struct sim *sim, const struct arguments *arguments)
{
	const struct wechat_settings *files = &arguments->wechat;
	char *secret = read_secret(files->secret);
	char *token = read_secret(files->callback_token);
	char *key = read_secret(files->aes_key);
	struct wechat *wechat = wechat_create(
	    sim, &(struct wechat_settings){files->appid, secret, token, key,
		     files->mode, files->format, NULL});

	/* the same secrets serve both */
	sim->wecom = wecom_create(
	    sim, &(struct wechat_settings){arguments->corpid, secret, token,
		     key, "safe", "xml", WECOM_AGENTID});
	free(secret);
	free(token);
	free(key);
	return wechat;
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {.port = -1,
	    .sdk_app_id = "1400006666",
	    .corpid = "ww0123456789abcdef",
	    .wechat = {.appid = "wxb11529c136998cb6",
		.mode = "safe",
		.format = "xml"},
	    .receipt_delay_ms = 500,
	    .retry_scale_micro = 1000000,
	    .day_limit = 50,
	    .balance = 1000000,
	    .seed = 1};
	struct sim sim = {0};
	char *secret;

	read_arguments(argc, argv, &arguments);
	(void)signal(SIGPIPE, SIG_IGN);
	secret = read_secret(arguments.secret_file);
	sim.access_key_secret = secret;
	take_settings(&sim, &arguments);
	sim.loop = loop_create();
	open_files(&sim, &arguments);
	sim.faults = faults_create(&sim);
	sim.receipts = receipts_create(&sim);
	sim.replies = replies_create(&sim);
	sim.nonces = nonces_create();
	sim.webhook = open_webhook(&arguments);
	sim.wechat = open_wechat(&sim, &arguments);
	loopback_serve(&sim);
	webhook_serve(&sim);
	wechat_serve(&sim);
	wecom_serve(&sim);
	views_serve(&sim);
	loop_on_signal(sim.loop, SIGTERM, on_stop, sim.loop);
	loop_on_signal(sim.loop, SIGINT, on_stop, sim.loop);
	(void)printf("adherd-sim: http://127.0.0.1:%u/phones seed %lld\n",
	    (unsigned)door_port(sim.door), (long long)arguments.seed);
	(void)fflush(stdout);
	loop_run(sim.loop);

	door_close(sim.door);
	replies_free(sim.replies);
	receipts_free(sim.receipts);
	ledger_close(sim.ledger);
	faults_free(sim.faults);
	nonces_free(sim.nonces);
	webhook_free(sim.webhook);
	wechat_free(sim.wechat);
	wecom_free(sim.wecom);
	sms_templates_free(sim.templates);
	loop_free(sim.loop);
	free(secret);
	return 0;
}
