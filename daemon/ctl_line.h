#ifndef ADHERD_CTL_LINE_H
#define ADHERD_CTL_LINE_H

#include "base/json.h"
#include "base/zone.h"
#include "door/dry_run.h"

/*
 * Lines of verbs that print several kinds of things: as JSON each says first
 * what it is.
 */

/* Append foreign text for a terminal: nothing in it moves or colours. */
void ctl_line_foreign(struct buf *out, const char *text);
/* Print and forget what was written, with a line end. */
void ctl_line_print(struct buf *out);
/* Begin a JSON line: {"what": …; or, with NULL, without that word. */
struct json_writer ctl_line_begin(struct buf *out, const char *what);
void ctl_line_end(struct json_writer *w);
/* null for AT_NEVER and AT_UNKNOWN, ON_NEVER and ON_UNKNOWN */
void ctl_line_at(struct json_writer *w, const char *key,
    const struct zone *zone, int64_t at);
void ctl_line_on(struct json_writer *w, const char *key, int32_t date_on);
void ctl_line_number(struct json_writer *w, const char *key, int64_t value);
/* null for 0 */
void ctl_line_number_if(struct json_writer *w, const char *key, int64_t value);
/* Print {"what": …, "step": the line as `plan --json` has it}. */
void ctl_line_step(
    struct buf *out, const char *what, const struct dry_line *line);
/* For people; "-" for none. */
const char *ctl_show_at(const struct zone *zone, int64_t at, char out[32]);
const char *ctl_show_on(int32_t date_on, char out[11]);

#endif
