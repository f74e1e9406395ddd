/*
 * Templates: loading, the vendor's rules for variables, rendering.  Owns
 * the parsed file.
 */
#include "tests/sim/sms_template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_BYTES_MAX (4u << 20)
#define TEMPLATES_MAX 10000
#define VALUE_CHARACTERS_MAX 35
#define TEXT_CHARACTERS_MAX 500
#define NAME_BYTES_MAX 63

struct sms_templates {
	struct arena *arena;
	struct sms_template *list;
	size_t count;
};

static int
read_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "re");
	char chunk[4096];
	size_t bytes;

	if (file == NULL)
		return -1;
	while ((bytes = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(out, chunk, bytes);
	(void)fclose(file);
	if (out->overflow)
		errno = EFBIG;
	return out->overflow ? -1 : 0;
}

/* False if an element is no template. */
static bool
take_list(struct sms_templates *templates, const struct json *array)
{
	if (!json_is(array, JSON_ARRAY) || array->count > TEMPLATES_MAX)
		return false;
	templates->list = arena_array(
	    templates->arena, array->count + 1, sizeof(*templates->list));
	json_each (item, array) {
		struct sms_template *template =
		    &templates->list[templates->count++];

		if (!json_is(item, JSON_OBJECT))
			return false;
		template->code = json_get_text(item, "code");
		template->text = json_get_text(item, "text");
		template->signature = json_get_text(item, "signature");
		if (template->code == NULL || template->text == NULL ||
		    template->signature == NULL)
			return false;
	}
	return true;
}

struct sms_templates *
sms_templates_open(const char *path, char *error, size_t bytes)
{
	struct sms_templates *templates = mem_alloc(sizeof(*templates));
	struct buf text = BUF_INIT(FILE_BYTES_MAX);
	struct json_limits limits = {.bytes_max = FILE_BYTES_MAX};
	struct json_error bad = {.reason = "not a list of templates"};
	const struct json *array;
	bool good = false;

	templates->arena = arena_create();
	if (read_file(path, &text) != 0) {
		(void)snprintf(error, bytes, "%s: %s", path, strerror(errno));
	} else {
		array = json_parse(buf_string(&text), text.bytes, &limits,
		    templates->arena, &bad);
		good = array != NULL && take_list(templates, array);
		if (!good)
			(void)snprintf(error, bytes, "%s:%d: %s", path,
			    bad.line, bad.reason);
	}
	buf_free(&text);
	if (good)
		return templates;
	sms_templates_free(templates);
	return NULL;
}

void
sms_templates_free(struct sms_templates *templates)
{
	arena_free(templates->arena);
	free(templates);
}

const struct sms_template *
sms_template_find(const struct sms_templates *templates, const char *code)
{
	for (size_t i = 0; i < templates->count; i++)
		if (strcmp(templates->list[i].code, code) == 0)
			return &templates->list[i];
	return NULL;
}

bool
sms_signature_known(
    const struct sms_templates *templates, const char *signature)
{
	for (size_t i = 0; i < templates->count; i++)
		if (strcmp(templates->list[i].signature, signature) == 0)
			return true;
	return false;
}

static size_t
characters(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static bool
has_url(const char *value)
{
	return strcasestr(value, "http://") != NULL ||
	       strcasestr(value, "https://") != NULL ||
	       strcasestr(value, "www.") != NULL;
}

/* Emoji: the planes above the first, and the dingbats. */
static bool
has_emoji(const char *value)
{
	for (const unsigned char *at = (const unsigned char *)value; *at != 0;
	     at++) {
		if (at[0] == 0xf0 && at[1] == 0x9f)
			return true;
		if (at[0] == 0xe2 && at[1] >= 0x98 && at[1] <= 0x9e)
			return true;
	}
	return false;
}

static struct sms_refusal
check_value(const struct json *value)
{
	const char *text = json_text(value);

	if (value == NULL)
		return (struct sms_refusal){
		    "isv.TEMPLATE_MISSING_PARAMETERS", "模板缺少变量"};
	if (text == NULL || text[0] == '\0' || has_emoji(text) ||
	    strstr(text, "【") != NULL || strstr(text, "】") != NULL)
		return (struct sms_refusal){
		    "isv.TEMPLATE_PARAMS_ILLEGAL", "模板变量里包含非法字符"};
	if (has_url(text))
		return (struct sms_refusal){
		    "isv.PARAM_NOT_SUPPORT_URL", "变量不支持传入URL"};
	if (characters(text) > VALUE_CHARACTERS_MAX)
		return (struct sms_refusal){
		    "isv.PARAM_LENGTH_LIMIT", "参数超过长度限制"};
	return (struct sms_refusal){0};
}

/* The next "${name}" in text, its name copied; NULL if there is none. */
static const char *
next_variable(const char *text, char name[NAME_BYTES_MAX + 1], size_t *bytes)
{
	while ((text = strstr(text, "${")) != NULL) {
		size_t count = strcspn(text + 2, "}");

		if (text[2 + count] == '}' && count <= NAME_BYTES_MAX) {
			memcpy(name, text + 2, count);
			name[count] = '\0';
			*bytes = count + 3;
			return text;
		}
		text += 2;
	}
	return NULL;
}

struct sms_refusal
sms_template_render(const struct sms_template *template, const char *signature,
    const struct json *params, struct buf *out)
{
	const char *from = template->text, *variable;
	struct sms_refusal refusal;
	char name[NAME_BYTES_MAX + 1];
	size_t bytes;

	buf_printf(out, "【%s】", signature);
	while ((variable = next_variable(from, name, &bytes)) != NULL) {
		const struct json *value = json_get(params, name);

		refusal = check_value(value);
		if (refusal.code != NULL)
			return refusal;
		buf_add(out, from, (size_t)(variable - from));
		buf_text(out, json_text(value));
		from = variable + bytes;
	}
	buf_text(out, from);
	if (characters(buf_string(out)) > TEXT_CHARACTERS_MAX)
		return (struct sms_refusal){
		    "isv.PARAM_LENGTH_LIMIT", "参数超过长度限制"};
	return (struct sms_refusal){0};
}

int
sms_parts(const char *text)
{
	size_t count = characters(text);

	return count <= 70 ? 1 : (int)((count + 66) / 67);
}

/* ---- numbered variables ---- */

/* The next "{n}" in text and its number; NULL if there is none. */
static const char *
next_number(const char *text, uint32_t *number, size_t *bytes)
{
	while ((text = strchr(text, '{')) != NULL) {
		size_t digits = strspn(text + 1, "0123456789");

		if (digits >= 1 && digits <= 3 && text[1 + digits] == '}') {
			*number = (uint32_t)strtoul(text + 1, NULL, 10);
			*bytes = digits + 2;
			return text;
		}
		text++;
	}
	return NULL;
}

/* Of {1} to {n} the n. */
static uint32_t
numbers_in(const char *text)
{
	uint32_t number, most = 0;
	size_t bytes = 0;

	while ((text = next_number(text + bytes, &number, &bytes)) != NULL)
		most = number > most ? number : most;
	return most;
}

struct sms_refusal
sms_template_render_numbered(const struct sms_template *template,
    const char *signature, const struct json *params, struct buf *out)
{
	const char *from = template->text, *variable;
	uint32_t number;
	size_t bytes;

	if ((params != NULL ? params->count : 0) != numbers_in(from))
		return (struct sms_refusal){
		    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate",
		    "content of template param set not match approved "
		    "template"};
	if (signature != NULL)
		buf_printf(out, "【%s】", signature);
	while ((variable = next_number(from, &number, &bytes)) != NULL) {
		const char *value = json_text(json_at(params, number - 1));

		if (value == NULL || has_url(value))
			return (struct sms_refusal){
			    "InvalidParameterValue."
			    "ProhibitedUseUrlInTemplateParameter",
			    "template parameter contains a URL"};
		buf_add(out, from, (size_t)(variable - from));
		buf_text(out, value);
		from = variable + bytes;
	}
	buf_text(out, from);
	if (characters(buf_string(out)) > TEXT_CHARACTERS_MAX)
		return (struct sms_refusal){
		    "InvalidParameterValue.ContentLengthLimit",
		    "the content of the message is too long"};
	return (struct sms_refusal){0};
}
