/*
 * Output lines that verbs share.
 */
#include "ctl_line.h"

#include <stdio.h>

/* Bytes of one character that a terminal obeys; 0: it shows it. */
static size_t
control_bytes(const unsigned char *at)
{
	if (at[0] < 0x20 || at[0] == 0x7f)
		return 1;
	if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
		return 2; /* C1 */
	if (at[0] != 0xe2)
		return 0;
	/* marks and overrides of direction, line and paragraph ends */
	if (at[1] == 0x80 && (at[2] == 0x8e || at[2] == 0x8f ||
				 (at[2] >= 0xa8 && at[2] <= 0xae)))
		return 3;
	return at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9 ? 3 : 0;
}

void
ctl_line_foreign(struct buf *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at != '\0') {
		size_t bytes = control_bytes(at);

		if (bytes == 0) {
			buf_char(out, (char)*at++);
			continue;
		}
		for (; bytes > 0; bytes--)
			buf_printf(out, "\\x%02x", *at++);
	}
}

void
ctl_line_print(struct buf *out)
{
	buf_char(out, '\n');
	(void)fwrite(out->data, 1, out->bytes, stdout);
	buf_clear(out);
}

struct json_writer
ctl_line_begin(struct buf *out, const char *what)
{
	struct json_writer w;

	json_write_init(&w, out);
	json_write_object(&w);
	if (what != NULL)
		json_write_member(&w, "what", what);
	return w;
}

void
ctl_line_end(struct json_writer *w)
{
	json_write_end_object(w);
	ctl_line_print(w->buf);
}

const char *
ctl_show_at(const struct zone *zone, int64_t at, char out[32])
{
	if (at == AT_NEVER || at == AT_UNKNOWN)
		(void)snprintf(out, 32, "-");
	else
		zone_format(zone, at, out, 32);
	return out;
}

const char *
ctl_show_on(int32_t date_on, char out[11])
{
	if (date_on == ON_NEVER || date_on == ON_UNKNOWN)
		(void)snprintf(out, 11, "-");
	else
		civil_format(date_on, out);
	return out;
}

void
ctl_line_at(
    struct json_writer *w, const char *key, const struct zone *zone, int64_t at)
{
	char text[32];

	json_write_member(w, key,
	    at == AT_NEVER || at == AT_UNKNOWN ? NULL
					       : ctl_show_at(zone, at, text));
}

void
ctl_line_on(struct json_writer *w, const char *key, int32_t date_on)
{
	char text[11];

	json_write_member(w, key,
	    date_on == ON_NEVER || date_on == ON_UNKNOWN
		? NULL
		: ctl_show_on(date_on, text));
}

void
ctl_line_number(struct json_writer *w, const char *key, int64_t value)
{
	json_write_key(w, key);
	json_write_i64(w, value);
}

void
ctl_line_number_if(struct json_writer *w, const char *key, int64_t value)
{
	if (value != 0)
		ctl_line_number(w, key, value);
	else
		json_write_member(w, key, NULL);
}

void
ctl_line_step(struct buf *out, const char *what, const struct dry_line *line)
{
	struct json_writer w = ctl_line_begin(out, what);
	struct buf step = BUF_INIT(0);

	dry_line_json(line, &step);
	json_write_key(&w, "step");
	json_write_raw(&w, buf_string(&step));
	ctl_line_end(&w);
	buf_free(&step);
}
