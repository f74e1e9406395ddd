#ifndef ADHERD_TESTS_SIM_SMS_TEMPLATE_H
#define ADHERD_TESTS_SIM_SMS_TEMPLATE_H

#include "tests/sim/sim.h"

/*
 * Registered SMS templates and signatures, from a JSON file:
 * [{"code":"SMS_1","text":"…${name}…","signature":"示例医院"}].  Tencent's
 * codes are numbers, and its variables {1}, {2}, ….
 */
struct sms_template {
	const char *code;
	const char *text;
	const char *signature;
};

struct sms_refusal { /* NULL code: none */
	const char *code;
	const char *message;
};

/* NULL with a message in error. */
struct sms_templates *sms_templates_open(
    const char *path, char *error, size_t bytes);
void sms_templates_free(struct sms_templates *templates);
const struct sms_template *sms_template_find(
    const struct sms_templates *templates, const char *code);
bool sms_signature_known(
    const struct sms_templates *templates, const char *signature);
/*
 * Fill params (an object) into the template as the vendor would, signature
 * first.  What the vendor refuses is refused.
 */
struct sms_refusal sms_template_render(const struct sms_template *template,
    const char *signature, const struct json *params, struct buf *out);
/*
 * As Tencent does: the texts of params (an array) for {1}, {2}, …; signature
 * NULL: none.
 */
struct sms_refusal sms_template_render_numbered(
    const struct sms_template *template, const char *signature,
    const struct json *params, struct buf *out);
/* 70 characters are one message, longer ones have parts of 67. */
int sms_parts(const char *text);

#endif
