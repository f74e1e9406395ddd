/*
 * The ledger.  Owns a ring of entries with their texts, two tables of the
 * newest entry by phone and by frequency key, and the file of JSON lines.
 */
#include "tests/sim/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/table.h"

#define TEXTS 9 /* that an entry owns */

struct kept {
	struct entry entry;
	uint64_t phone_hash;
	uint64_t limit_hash;
	char *texts; /* one block */
};

struct ledger {
	struct kept *ring; /* LEDGER_KEPT_MAX */
	uint64_t last;
	uint64_t counts[ENDPOINT_COUNT];
	struct table *phones;
	struct table *limits;
	struct arena *arena;
	struct buf line;
	FILE *file; /* NULL: none */
};

struct ledger *
ledger_open(const char *path, char *error, size_t bytes)
{
	struct ledger *ledger = mem_alloc(sizeof(*ledger));

	if (path != NULL) {
		ledger->file = fopen(path, "ae");
		if (ledger->file == NULL) {
			(void)snprintf(
			    error, bytes, "%s: %s", path, strerror(errno));
			free(ledger);
			return NULL;
		}
	}
	ledger->ring = mem_alloc(LEDGER_KEPT_MAX * sizeof(*ledger->ring));
	ledger->phones = table_create(LEDGER_KEPT_MAX);
	ledger->limits = table_create(LEDGER_KEPT_MAX);
	ledger->arena = arena_create();
	ledger->line = (struct buf)BUF_INIT(1u << 20);
	return ledger;
}

void
ledger_flush(struct ledger *ledger)
{
	if (ledger->file != NULL && fflush(ledger->file) != 0) {
		perror("adherd-sim: ledger");
		exit(70); /* a ledger with gaps would bear false witness */
	}
}

void
ledger_close(struct ledger *ledger)
{
	ledger_flush(ledger);
	if (ledger->file != NULL) {
		if (fsync(fileno(ledger->file)) != 0)
			perror("adherd-sim: ledger");
		(void)fclose(ledger->file);
	}
	for (size_t i = 0; i < LEDGER_KEPT_MAX; i++)
		free(ledger->ring[i].texts);
	free(ledger->ring);
	table_free(ledger->phones);
	table_free(ledger->limits);
	arena_free(ledger->arena);
	buf_free(&ledger->line);
	free(ledger);
}

static struct kept *
kept_at(struct ledger *ledger, uint64_t seq)
{
	return &ledger->ring[seq % LEDGER_KEPT_MAX];
}

/* Forget the oldest, to make room in its place. */
static void
evict(struct ledger *ledger, struct kept *kept)
{
	if (kept->texts == NULL)
		return;
	if (table_get(ledger->phones, kept->phone_hash) == kept->entry.seq)
		table_remove(ledger->phones, kept->phone_hash);
	if (table_get(ledger->limits, kept->limit_hash) == kept->entry.seq)
		table_remove(ledger->limits, kept->limit_hash);
	free(kept->texts);
	*kept = (struct kept){0};
}

/* Copy the texts into one block that kept owns. */
static void
own_texts(struct kept *kept)
{
	const char **texts[TEXTS] = {&kept->entry.reference,
	    &kept->entry.address, &kept->entry.channel, &kept->entry.template,
	    &kept->entry.signature, &kept->entry.text, &kept->entry.params,
	    &kept->entry.message_id, &kept->entry.extension};
	size_t bytes = 0;
	char *at;

	if (kept->entry.extension == NULL)
		kept->entry.extension = "";
	for (size_t i = 0; i < TEXTS; i++)
		bytes += strlen(*texts[i]) + 1;
	kept->texts = at = mem_alloc(bytes);
	for (size_t i = 0; i < TEXTS; i++) {
		bytes = strlen(*texts[i]) + 1;
		memcpy(at, *texts[i], bytes);
		*texts[i] = at;
		at += bytes;
	}
}

static uint64_t
limit_hash(const char *address, const char *signature, const char *template)
{
	const char *texts[] = {address, signature, template};

	return sim_hash(texts, 3);
}

static void
write_line(struct ledger *ledger, const struct entry *entry)
{
	struct json_writer writer;

	if (ledger->file == NULL)
		return;
	arena_reset(ledger->arena);
	buf_clear(&ledger->line);
	json_write_init(&writer, &ledger->line);
	ledger_write_entry(&writer, entry, ledger->arena);
	buf_char(&ledger->line, '\n');
	(void)fwrite(ledger->line.data, 1, ledger->line.bytes, ledger->file);
}

struct entry *
ledger_add(struct ledger *ledger, const struct entry *entry)
{
	uint64_t seq = ++ledger->last;
	struct kept *kept = kept_at(ledger, seq);

	evict(ledger, kept);
	kept->entry = *entry;
	kept->entry.seq = seq;
	own_texts(kept);
	kept->phone_hash = sim_hash(&kept->entry.address, 1);
	kept->limit_hash =
	    limit_hash(entry->address, entry->signature, entry->template);
	kept->entry.previous_of_phone =
	    table_get(ledger->phones, kept->phone_hash);
	kept->entry.previous_of_limit =
	    table_get(ledger->limits, kept->limit_hash);
	table_put(ledger->phones, kept->phone_hash, seq);
	table_put(ledger->limits, kept->limit_hash, seq);
	ledger->counts[entry->endpoint]++;
	write_line(ledger, &kept->entry);
	return &kept->entry;
}

struct entry *
ledger_get(struct ledger *ledger, uint64_t seq)
{
	struct kept *kept = kept_at(ledger, seq);

	return seq != 0 && kept->entry.seq == seq ? &kept->entry : NULL;
}

uint64_t
ledger_last(const struct ledger *ledger)
{
	return ledger->last;
}

struct entry *
ledger_phone(struct ledger *ledger, const char *address)
{
	return ledger_get(
	    ledger, table_get(ledger->phones, sim_hash(&address, 1)));
}

int64_t
ledger_sent_since(struct ledger *ledger, const char *address,
    const char *signature, const char *template, int64_t since, int64_t max)
{
	uint64_t hash = limit_hash(address, signature, template);
	struct entry *entry =
	    ledger_get(ledger, table_get(ledger->limits, hash));
	int64_t count = 0;

	while (entry != NULL && entry->at > since && count < max) {
		count++;
		entry = ledger_get(ledger, entry->previous_of_limit);
	}
	return count;
}

/* ---- views ---- */

enum receipt_state
entry_receipt(const struct entry *entry)
{
	return clock_wall() < entry->receipt_at ? RECEIPT_WAITING
						: entry->receipt;
}

const char *
entry_receipt_word(const struct entry *entry)
{
	static const char *const words[] = {
	    "waiting", "delivered", "undelivered"};

	return words[entry_receipt(entry)];
}

void
ledger_write_entry(
    struct json_writer *writer, const struct entry *entry, struct arena *arena)
{
	json_write_object(writer);
	json_write_key(writer, "seq");
	json_write_i64(writer, (int64_t)entry->seq);
	json_write_member(writer, "at", sim_time_text(entry->at, arena));
	json_write_member(writer, "endpoint", endpoint_word(entry->endpoint));
	json_write_key(writer, "request");
	json_write_i64(writer, (int64_t)entry->request);
	json_write_member(writer, "reference", entry->reference);
	json_write_member(writer, "address", entry->address);
	json_write_member(writer, "channel", entry->channel);
	json_write_member(writer, "template", entry->template);
	json_write_member(writer, "signature", entry->signature);
	json_write_member(writer, "text", entry->text);
	json_write_key(writer, "params");
	json_write_raw(writer, entry->params);
	json_write_member(writer, "message_id", entry->message_id);
	json_write_member(writer, "extension", entry->extension);
	json_write_member(writer, "outcome", entry->outcome);
	json_write_member(writer, "receipt", entry_receipt_word(entry));
	json_write_key(writer, "receipt_stored");
	json_write_bool(writer, entry->receipt_stored);
	json_write_end_object(writer);
}

static uint64_t
first_kept(const struct ledger *ledger)
{
	return ledger->last <= LEDGER_KEPT_MAX
		   ? 1
		   : ledger->last - LEDGER_KEPT_MAX + 1;
}

void
ledger_write(struct ledger *ledger, uint64_t since, uint64_t limit,
    struct buf *out, struct arena *arena)
{
	struct json_writer writer;
	uint64_t seq = since + 1;

	if (seq < first_kept(ledger))
		seq = first_kept(ledger);
	json_write_init(&writer, out);
	json_write_object(&writer);
	json_write_key(&writer, "entries");
	json_write_array(&writer);
	for (; seq <= ledger->last && limit > 0; seq++, limit--)
		ledger_write_entry(
		    &writer, &kept_at(ledger, seq)->entry, arena);
	json_write_end_array(&writer);
	json_write_key(&writer, "next");
	json_write_i64(&writer, (int64_t)seq - 1);
	json_write_key(&writer, "forgotten");
	json_write_i64(&writer, (int64_t)first_kept(ledger) - 1);
	json_write_end_object(&writer);
}

void
ledger_write_summary(struct ledger *ledger, struct json_writer *writer)
{
	int64_t receipts[RECEIPT_UNDELIVERED + 1] = {0};
	int64_t stored = 0;

	for (uint64_t seq = first_kept(ledger); seq <= ledger->last; seq++) {
		receipts[entry_receipt(&kept_at(ledger, seq)->entry)]++;
		stored += kept_at(ledger, seq)->entry.receipt_stored;
	}
	json_write_key(writer, "messages");
	json_write_i64(writer, (int64_t)ledger->last);
	json_write_key(writer, "forgotten");
	json_write_i64(writer, (int64_t)first_kept(ledger) - 1);
	for (int i = 0; i < ENDPOINT_COUNT; i++) {
		json_write_key(writer, endpoint_word(i));
		json_write_i64(writer, (int64_t)ledger->counts[i]);
	}
	json_write_key(writer, "waiting");
	json_write_i64(writer, receipts[RECEIPT_WAITING]);
	json_write_key(writer, "delivered");
	json_write_i64(writer, receipts[RECEIPT_DELIVERED]);
	json_write_key(writer, "undelivered");
	json_write_i64(writer, receipts[RECEIPT_UNDELIVERED]);
	json_write_key(writer, "receipts_stored");
	json_write_i64(writer, stored);
}

/* ---- duplicates ---- */

static int
compare_seq(const struct entry *a, const struct entry *b)
{
	return (a->seq > b->seq) - (a->seq < b->seq);
}

static int
by_reference(const void *left, const void *right)
{
	const struct entry *a = *(const struct entry *const *)left;
	const struct entry *b = *(const struct entry *const *)right;
	int order = strcmp(a->reference, b->reference);

	return order != 0 ? order : compare_seq(a, b);
}

static int
by_text(const void *left, const void *right)
{
	const struct entry *a = *(const struct entry *const *)left;
	const struct entry *b = *(const struct entry *const *)right;
	int order = strcmp(a->address, b->address);

	if (order == 0)
		order = strcmp(a->text, b->text);
	return order != 0 ? order : compare_seq(a, b);
}

/*
 * Is a group of one reference a repetition?  One batch has one reference
 * for several addresses: that alone is none.
 */
static bool
repeats_reference(const struct entry *const *group, size_t count)
{
	if (group[0]->reference[0] == '\0')
		return false;
	for (size_t i = 1; i < count; i++) {
		if (group[i]->request != group[0]->request)
			return true;
		for (size_t j = 0; j < i; j++)
			if (strcmp(group[i]->address, group[j]->address) == 0)
				return true;
	}
	return false;
}

static bool
repeats_text(const struct entry *const *group, size_t count)
{
	(void)group;
	return count > 1;
}

/* The groups of neighbours that compare equal and are repetitions. */
static void
write_groups(struct json_writer *writer, const struct entry **sorted,
    size_t count, int (*order)(const void *, const void *),
    bool (*repeats)(const struct entry *const *, size_t), struct arena *arena)
{
	json_write_array(writer);
	for (size_t from = 0, to; from < count; from = to) {
		/* order() ends in seq: compare with that set equal */
		for (to = from + 1; to < count; to++) {
			struct entry same = *sorted[to];
			const struct entry *pointer = &same;

			same.seq = sorted[from]->seq;
			if (order(&sorted[from], &pointer) != 0)
				break;
		}
		if (!repeats(sorted + from, to - from))
			continue;
		json_write_array(writer);
		for (size_t i = from; i < to; i++)
			ledger_write_entry(writer, sorted[i], arena);
		json_write_end_array(writer);
	}
	json_write_end_array(writer);
}

void
ledger_write_duplicates(
    struct ledger *ledger, struct buf *out, struct arena *arena)
{
	uint64_t first = first_kept(ledger);
	size_t count = (size_t)(ledger->last + 1 - first);
	const struct entry **sorted =
	    arena_array(arena, count + 1, sizeof(*sorted));
	struct json_writer writer;

	for (size_t i = 0; i < count; i++)
		sorted[i] = &kept_at(ledger, first + i)->entry;
	json_write_init(&writer, out);
	json_write_object(&writer);
	json_write_key(&writer, "by_reference");
	qsort(sorted, count, sizeof(*sorted), by_reference);
	write_groups(
	    &writer, sorted, count, by_reference, repeats_reference, arena);
	json_write_key(&writer, "by_text");
	qsort(sorted, count, sizeof(*sorted), by_text);
	write_groups(&writer, sorted, count, by_text, repeats_text, arena);
	json_write_end_object(&writer);
}
