/*
 * Configuration files: what is read, what is refused with which words, and
 * that example, manual and dump say what the table says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/conf.h"

struct settings {
	const char *address;
	const char *password;
	int64_t port;
	bool enabled;
	int64_t look;
	int64_t body_bytes;
	int role;
	const char **only_to;
};

static const char *const roles[] = {"all", "plan", "inbox", NULL};

static const struct conf_setting table[] = {
    {"door", "address", CONF_TEXT, offsetof(struct settings, address),
	.standard = "127.0.0.1", .help = "Where to listen."},
    {"door", "password", CONF_TEXT, offsetof(struct settings, password),
	.secret = true, .help = "What to ask for. \\ and # are fine."},
    {"door", "port", CONF_INTEGER, offsetof(struct settings, port),
	.standard = "8080", .min = 1, .max = 65535,
	.help = "Which port to listen on; with a help that goes on for so "
		"long that it needs a second line in the example."},
    {"door", "enabled", CONF_BOOLEAN, offsetof(struct settings, enabled),
	.standard = "yes", .help = "Whether to listen at all."},
    {"door", "look", CONF_DURATION, offsetof(struct settings, look),
	.standard = "1s", .min = SECOND_US / 10, .max = DAY_US,
	.help = "How often."},
    {"door", "body-bytes", CONF_BYTES, offsetof(struct settings, body_bytes),
	.standard = "64k", .min = 1, .max = INT64_MAX, .help = "How much."},
    {"door", "role", CONF_WORD, offsetof(struct settings, role),
	.standard = "all", .words = roles, .help = "Which part."},
    {"door", "only-to", CONF_LIST, offsetof(struct settings, only_to),
	.help = "Let nothing else out."},
    {"gateway", "address", CONF_TEXT, offsetof(struct settings, address),
	.required = true, .help = "Whom to call."},
};

static struct conf *conf;
static struct conf_error error;
static struct settings settings;

static int
begin(void **state)
{
	(void)state;
	conf = conf_create();
	memset(&error, 0, sizeof(error));
	memset(&settings, 0, sizeof(settings));
	return 0;
}

static int
end(void **state)
{
	(void)state;
	conf_free(conf);
	return 0;
}

static int
take(const char *text)
{
	if (conf_read_text(conf, "a.conf", text, &error) != 0)
		return -1;
	return conf_take(
	    conf, "door", NULL, table, COUNT(table), &settings, &error);
}

/* Each test of a message starts anew. */
static void
expect_error(const char *text, const char *message)
{
	end(NULL);
	begin(NULL);
	assert_int_equal(take(text), -1);
	assert_string_equal(error.text, message);
}

/* The password that this line sets. */
static void
expect_password(const char *line, const char *value)
{
	char text[256];

	end(NULL);
	begin(NULL);
	snprintf(text, sizeof(text), "[door]\n%s\n", line);
	if (take(text) != 0)
		print_message("# %s\n", error.text);
	assert_string_equal(settings.password, value);
}

static void
defaults_hold_where_nothing_is_said(void **state)
{
	(void)state;
	assert_int_equal(take(""), 0);
	assert_string_equal(settings.address, "127.0.0.1");
	assert_null(settings.password);
	assert_int_equal(settings.port, 8080);
	assert_true(settings.enabled);
	assert_int_equal(settings.look, SECOND_US);
	assert_int_equal(settings.body_bytes, 65536);
	assert_int_equal(settings.role, 0);
	assert_null(settings.only_to);
}

static void
every_type_is_read(void **state)
{
	(void)state;
	assert_int_equal(take("# first\n; second\n\n[Door] ; third\n"
			      "  address\t=  ::1  \r\n"
			      "port = 65535\nenabled=OFF\nlook = 500ms\n"
			      "body-bytes = 10M # much\nrole = inbox\n"
			      "only-to = a , ,b c,\n"),
	    0);
	assert_string_equal(settings.address, "::1");
	assert_int_equal(settings.port, 65535);
	assert_false(settings.enabled);
	assert_int_equal(settings.look, SECOND_US / 2);
	assert_int_equal(settings.body_bytes, 10 << 20);
	assert_int_equal(settings.role, 2);
	assert_string_equal(settings.only_to[0], "a");
	assert_string_equal(settings.only_to[1], "b c");
	assert_null(settings.only_to[2]);
}

static void
values_are_quoted_where_they_need_it(void **state)
{
	(void)state;
	expect_password("password = a b", "a b");
	expect_password("password = a#b;c=d", "a#b;c=d");
	expect_password("password = a #b", "a");
	expect_password("password =#fff", "#fff");
	expect_password("password = # none", "");
	expect_password("password =", "");
	expect_password("password = \"\"", "");
	expect_password("password = \" a # b \" # c", " a # b ");
	expect_password("password = \"a\\\"b\\\\c\\nd\\te\"", "a\"b\\c\nd\te");
	expect_password("password = a\\b", "a\\b");
	expect_password("password = 复诊", "复诊");
}

static void
backslash_joins_lines_but_not_comments(void **state)
{
	(void)state;
	expect_password("password = a\\\n  b\\\r\nc", "a  bc");
	expect_password("# see C:\\\npassword = d", "d");
	expect_error("[door]\npassword = a\\\nb\nprot = 1\n",
	    "a.conf:4: unknown key \"prot\" in [door]; did you mean "
	    "\"port\"?");
	expect_error("[door]\npassword = a\\\n",
	    "a.conf:2: the file ends in a line that goes on");
}

static void
unknown_keys_are_refused_with_the_nearest(void **state)
{
	(void)state;
	expect_error("[door]\nadress = ::1\n",
	    "a.conf:2: unknown key \"adress\" in [door]; did you mean "
	    "\"address\"?");
	expect_error("[door]\nbody_bytes = 1\n",
	    "a.conf:2: unknown key \"body_bytes\" in [door]; did you mean "
	    "\"body-bytes\"?");
	expect_error("[door]\nfrequency = 1\n",
	    "a.conf:2: unknown key \"frequency\" in [door]");
}

static void
repeated_keys_are_refused_across_files(void **state)
{
	(void)state;
	expect_error("[door]\nport = 1\n[other]\n[door]\nport = 1\n",
	    "a.conf:5: key \"port\" again; it is set at a.conf:2");
	end(NULL);
	begin(NULL);
	assert_int_equal(
	    conf_read_text(conf, "conf.d/b.conf", "[door]\nport = 1\n", &error),
	    0);
	assert_int_equal(take("[door]\n\nport = 2\n"), -1);
	assert_string_equal(error.text,
	    "a.conf:3: key \"port\" again; it is set at conf.d/b.conf:2");
}

static void
bad_values_are_refused_with_what_is_expected(void **state)
{
	(void)state;
	expect_error("[door]\nport = 0\n",
	    "a.conf:2: key \"port\": expected "
	    "a whole number, 1 to 65535, not \"0\"");
	expect_error("[door]\nport = 80x\n",
	    "a.conf:2: key \"port\": "
	    "expected a whole number, 1 to 65535, not \"80x\"");
	expect_error("[door]\nport = 99999999999999999999\n",
	    "a.conf:2: key "
	    "\"port\": expected a whole number, 1 to 65535, not "
	    "\"99999999999999999999\"");
	expect_error("[door]\nlook = 5\n",
	    "a.conf:2: key \"look\": expected "
	    "a duration (500ms, 20s, 5m, 2h, 1d), 100ms to 1d, not \"5\"");
	expect_error("[door]\nlook = 9223372036854775807d\n",
	    "a.conf:2: key "
	    "\"look\": expected a duration (500ms, 20s, 5m, 2h, 1d), 100ms to "
	    "1d, not \"9223372036854775807d\"");
	expect_error("[door]\nbody-bytes = -1k\n",
	    "a.conf:2: key "
	    "\"body-bytes\": expected a size (500, 64k, 10M), 1 or more, not "
	    "\"-1k\"");
	expect_error("[door]\nenabled = 1\n", "a.conf:2: key \"enabled\": "
					      "expected yes or no, not \"1\"");
	expect_error("[door]\nrole = planner\n",
	    "a.conf:2: key \"role\": "
	    "expected one of all, plan, inbox, not \"planner\"");
}

static void
malformed_lines_are_refused(void **state)
{
	(void)state;
	expect_error(
	    "port = 1\n", "a.conf:1: key \"port\" before any [section]");
	expect_error(
	    "[door]\nport\n", "a.conf:2: expected [section] or key = value");
	expect_error(
	    "[door]\n= 1\n", "a.conf:2: expected [section] or key = value");
	expect_error(
	    "[door\n", "a.conf:1: expected [section] or [section \"name\"]");
	expect_error(
	    "[door] x\n", "a.conf:1: expected [section] or [section \"name\"]");
	expect_error(
	    "[]\n", "a.conf:1: expected [section] or [section \"name\"]");
	expect_error(
	    "[door \"\"]\n", "a.conf:1: malformed name in [door \"…\"]");
	expect_error(
	    "[door \"a]\n", "a.conf:1: malformed name in [door \"…\"]");
	expect_error("[door]\npassword = \"a\n",
	    "a.conf:2: key \"password\": malformed quotes; inside them, "
	    "write \\\" \\\\ \\n \\t");
	expect_error("[door]\npassword = \"a\" b\n",
	    "a.conf:2: key \"password\": malformed quotes; inside them, "
	    "write \\\" \\\\ \\n \\t");
	expect_error("[door]\npassword = \"\\x41\"\n",
	    "a.conf:2: key \"password\": malformed quotes; inside them, "
	    "write \\\" \\\\ \\n \\t");
	expect_error("[door]\npassword = a \"b\"\n",
	    "a.conf:2: key \"password\": a quote in mid-value; quote the "
	    "whole value");
	expect_error(
	    "[door]\npassword = a\rb\n", "a.conf:2: a control character");
}

static void
subsections_are_named_and_taken_one_by_one(void **state)
{
	const char **names;

	(void)state;
	assert_int_equal(
	    take("[gateway \"ali\"]\naddress = x\n"
		 "[gateway \"T\\\"x\"]\naddress = y\n[gateway \"ali\"]\n"),
	    0);
	names = conf_names(conf, "gateway");
	assert_string_equal(names[0], "ali");
	assert_string_equal(names[1], "T\"x");
	assert_null(names[2]);
	assert_int_equal(conf_take(conf, "gateway", names[1], table,
			     COUNT(table), &settings, &error),
	    0);
	assert_string_equal(settings.address, "y");
	assert_int_equal(conf_take(conf, "gateway", names[0], table,
			     COUNT(table), &settings, &error),
	    0);
	assert_string_equal(settings.address, "x");
}

static void
required_keys_are_missed(void **state)
{
	(void)state;
	assert_int_equal(take("[door]\n[gateway \"ali\"]\n"), 0);
	assert_int_equal(conf_take(conf, "gateway", "ali", table, COUNT(table),
			     &settings, &error),
	    -1);
	assert_string_equal(error.text,
	    "a.conf:2: [gateway \"ali\"] lacks the key \"address\"");
	assert_int_equal(conf_take(conf, "gateway", NULL, table, COUNT(table),
			     &settings, &error),
	    -1);
	assert_string_equal(error.text, "[gateway] lacks the key \"address\"");
}

static void
sections_that_nobody_took_are_refused(void **state)
{
	static const char *const known[] = {"door", "gateway", NULL};

	(void)state;
	assert_int_equal(take("[door]\n[gatway \"ali\"]\nx = 1\n"), 0);
	assert_int_equal(conf_check_taken(conf, known, &error), -1);
	assert_string_equal(error.text,
	    "a.conf:2: unknown section "
	    "[gatway \"ali\"]; did you mean \"gateway\"?");
	end(NULL);
	begin(NULL);
	assert_int_equal(take("[door \"x\"]\n"), 0);
	assert_int_equal(conf_check_taken(conf, known, &error), -1);
	assert_string_equal(
	    error.text, "a.conf:1: section [door \"x\"] takes no name");
	end(NULL);
	begin(NULL);
	assert_int_equal(take("[gateway]\n"), 0);
	assert_int_equal(conf_check_taken(conf, known, &error), -1);
	assert_string_equal(
	    error.text, "a.conf:1: section [gateway] needs a name");
	end(NULL);
	begin(NULL);
	assert_int_equal(take("[door]\nport = 1\n"), 0);
	assert_int_equal(conf_check_taken(conf, known, &error), 0);
}

/* A bad value of a secret must not stand in a log. */
static void
secrets_are_neither_dumped_nor_quoted(void **state)
{
	static const struct conf_setting pin[] = {
	    {"door", "pin", CONF_INTEGER, offsetof(struct settings, port),
		.min = 1, .max = 9, .secret = true}};
	struct buf out = BUF_INIT(0);

	(void)state;
	assert_int_equal(take("[door]\npassword = hunter2\n"), 0);
	conf_dump(table, COUNT(table), "door", NULL, &settings, &out);
	assert_null(strstr(out.data, "hunter2"));
	assert_non_null(strstr(out.data, "\npassword = ***\n"));
	buf_free(&out);
	end(NULL);
	begin(NULL);
	assert_int_equal(
	    conf_read_text(conf, "a.conf", "[door]\npin = 1234\n", &error), 0);
	assert_int_equal(
	    conf_take(conf, "door", NULL, pin, 1, &settings, &error), -1);
	assert_string_equal(error.text, "a.conf:2: key \"pin\": expected a "
					"whole number, 1 to 9");
}

static void
dump_reads_back_as_it_was(void **state)
{
	static const char text[] =
	    "[door]\naddress = \" a\\\"\\\\\\n#b \"\n"
	    "port = 80\nenabled = no\nlook = 90m\nbody-bytes = 1500k\n"
	    "role = plan\nonly-to = \"a#1, b\"\n";
	struct buf first = BUF_INIT(0), second = BUF_INIT(0);

	(void)state;
	assert_int_equal(take(text), 0);
	conf_dump(table, COUNT(table), "door", NULL, &settings, &first);
	assert_string_equal(first.data, text);
	end(NULL);
	begin(NULL);
	assert_int_equal(take(first.data), 0);
	conf_dump(table, COUNT(table), "door", NULL, &settings, &second);
	assert_string_equal(first.data, second.data);
	buf_clear(&first);
	conf_dump(table, 0, "door", "a\"b", &settings, &first);
	assert_string_equal(first.data, "[door \"a\\\"b\"]\n");
	buf_free(&first);
	buf_free(&second);
}

/* Uncommented, the example is a file that says what the defaults say. */
static void
example_can_be_read(void **state)
{
	struct buf out = BUF_INIT(0), bare = BUF_INIT(0);

	(void)state;
	conf_example(table, 7, &out);
	assert_non_null(strstr(out.data, "[door]\n\n# Where to listen. Takes "
					 "text.\n#address = 127.0.0.1\n"));
	assert_non_null(strstr(out.data, "#look = 1s\n"));
	for (const char *c = out.data; *c != '\0'; c++)
		if (*c != '#' || c[1] == ' ')
			buf_char(&bare, *c);
	assert_int_equal(take(bare.data), 0);
	assert_int_equal(settings.port, 8080);
	assert_string_equal(settings.password, "");
	buf_free(&out);
	buf_free(&bare);
}

static void
manual_is_escaped_mdoc(void **state)
{
	struct buf out = BUF_INIT(0);

	(void)state;
	conf_manual(table, 3, &out);
	assert_string_equal(out.data,
	    ".It Ic address No = Ar text\n"
	    "Where to listen.\nTakes text.\n"
	    "The default is \"127.0.0.1\".\n"
	    ".It Ic password No = Ar text\n"
	    "What to ask for.\n\\e and # are fine.\nTakes text.\n"
	    ".It Ic port No = Ar number\n"
	    "Which port to listen on; with a help that goes on for so "
	    "long that it needs a second line in the example.\n"
	    "Takes a whole number, 1 to 65535.\n"
	    "The default is \"8080\".\n");
	buf_free(&out);
}

static void
nearest_word_is_near_or_none(void **state)
{
	static const char *const words[] = {"address", "port", "role"};

	(void)state;
	assert_string_equal(conf_nearest("prot", words, 3), "port");
	assert_string_equal(conf_nearest("address", words, 3), "address");
	assert_null(conf_nearest("xyz", words, 3));
	assert_null(conf_nearest("", words, 3));
	assert_null(conf_nearest("port", words, 0));
}

/* What conf_read() says of a file with these bytes. */
static void
expect_file(const void *bytes, size_t count, const char *message)
{
	char path[] = "/tmp/test_conf.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, count), count);
	close(fd);
	end(NULL);
	begin(NULL);
	if (message == NULL) {
		assert_int_equal(conf_read(conf, path, &error), 0);
	} else {
		assert_int_equal(conf_read(conf, path, &error), -1);
		assert_memory_equal(error.text, path, strlen(path));
		assert_string_equal(error.text + strlen(path), message);
	}
	unlink(path);
}

static void
files_are_bounded_text(void **state)
{
	static char large[(1 << 20) + 1];

	(void)state;
	expect_file("[door]\nport = 1", 15, NULL);
	assert_int_equal(conf->entries.count, 2);
	expect_file("", 0, NULL);
	expect_file("[door]\n\0port = 1", 16, ":2: a NUL byte");
	expect_file("[door]\nport = \xff", 15, ":2: not UTF-8");
	memset(large, '\n', sizeof(large));
	expect_file(large, sizeof(large) - 1, NULL);
	expect_file(large, sizeof(large), ": larger than 1 MB");
	assert_int_equal(conf_read(conf, "/nowhere/a.conf", &error), -1);
	assert_string_equal(
	    error.text, "/nowhere/a.conf: No such file or directory");
	assert_int_equal(conf_read(conf, "/tmp", &error), -1);
	assert_string_equal(error.text, "/tmp: not a regular file");
}

static void
blame_finds_the_key_else_its_section(void **state)
{
	(void)state;
	assert_int_equal(conf_read_text(conf, "a",
			     "[door]\nport = 1\n[gateway \"x\"]\n"
			     "address = y\n",
			     &error),
	    0);
	assert_int_equal(
	    conf_blame(conf, "door", NULL, "port", &error, "is %d", 1), -1);
	assert_string_equal(error.text, "a:2: key \"port\": is 1");
	(void)conf_blame(conf, "door", NULL, "look", &error, "is short");
	assert_string_equal(error.text, "a:1: key \"look\": is short");
	(void)conf_blame(conf, "gateway", "x", NULL, &error, "is wrong");
	assert_string_equal(error.text, "a:3: gateway \"x\": is wrong");
	(void)conf_blame(conf, "gateway", "z", "address", &error, "is gone");
	assert_string_equal(
	    error.text, "gateway \"z\": key \"address\": is gone");
}

static const struct conf_setting *
row_of(const char *key)
{
	size_t i = 0;

	while (strcmp(table[i].key, key) != 0)
		i++;
	return &table[i];
}

static void
same_values_are_the_same_and_others_are_not(void **state)
{
	static const struct {
		const char *key, *text, *other;
	} cases[] = {{"address", "a", "b"}, {"port", "1", "2"},
	    {"enabled", "yes", "no"}, {"look", "1s", "2s"},
	    {"body-bytes", "1k", "2k"}, {"role", "all", "plan"},
	    {"only-to", "a, b", "a"}, {"only-to", "a", "b"}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct conf_setting *row = row_of(cases[i].key);
		const char *texts[3] = {
		    cases[i].text, cases[i].text, cases[i].other};
		struct settings taken[3] = {{0}, {0}, {0}};
		struct conf *files[3];

		for (int j = 0; j < 3; j++) {
			char text[64];

			files[j] = conf_create();
			(void)snprintf(text, sizeof(text), "[door]\n%s = %s\n",
			    cases[i].key, texts[j]);
			assert_int_equal(
			    conf_read_text(files[j], "a", text, &error), 0);
			assert_int_equal(
			    conf_take(files[j], "door", NULL, table,
				COUNT(table), &taken[j], &error),
			    0);
		}
		assert_true(conf_same(row, &taken[0], &taken[1]));
		assert_false(conf_same(row, &taken[0], &taken[2]));
		for (int j = 0; j < 3; j++)
			conf_free(files[j]);
	}
}

int
main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    test(defaults_hold_where_nothing_is_said),
	    test(every_type_is_read),
	    test(values_are_quoted_where_they_need_it),
	    test(backslash_joins_lines_but_not_comments),
	    test(unknown_keys_are_refused_with_the_nearest),
	    test(repeated_keys_are_refused_across_files),
	    test(bad_values_are_refused_with_what_is_expected),
	    test(malformed_lines_are_refused),
	    test(subsections_are_named_and_taken_one_by_one),
	    test(required_keys_are_missed),
	    test(sections_that_nobody_took_are_refused),
	    test(secrets_are_neither_dumped_nor_quoted),
	    test(dump_reads_back_as_it_was),
	    test(example_can_be_read),
	    test(manual_is_escaped_mdoc),
	    test(nearest_word_is_near_or_none),
	    test(files_are_bounded_text),
	    test(blame_finds_the_key_else_its_section),
	    test(same_values_are_the_same_and_others_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
