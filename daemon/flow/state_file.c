/*
 * The state file: STATE_RECORDS_MAX records of fixed size behind a head,
 * mapped shared.  A record is locked by its bytes (open file description
 * locks), for as long as its copy lives.  Marks are written in an order that
 * a death in between leaves readable: names first, flags last.
 */
#include "flow/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"

#define FILE_NAME "adherd.state"
#define MAGIC "adherd state 1\n"

struct head {
	char magic[64];
};

enum call { CALL_NONE, CALL_UNDER_WAY, CALL_ENDED_US };

struct slot { /* as it lies in the file; this machine's byte order */
	struct state_record record;
	int64_t patient_id;
	int16_t bucket;
	uint8_t used; /* record.id is drawn */
	uint8_t planning;
	uint8_t calling; /* enum call */
	char gateway[STATE_NAME_BYTES];
	uint8_t spare[123];
};

struct file {
	struct head head;
	struct slot slots[STATE_RECORDS_MAX];
};

struct state_file {
	int fd;
	struct file *file; /* mapped */
	struct slot *own;
	struct state_death deaths[STATE_RECORDS_MAX];
	uint32_t death_count;
};

/* The compiler must not move the writes of a mark over each other. */
static void
in_order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

static bool
lock_slot(int fd, uint32_t index, short type)
{
	struct flock lock = {
	    .l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = (off_t)(offsetof(struct file, slots) +
			       index * sizeof(struct slot)),
	    .l_len = sizeof(struct slot),
	};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Nobody runs under it: what it says is of one that died. */
static void
take_death(struct state_file *state, struct slot *slot)
{
	struct state_death *death = &state->deaths[state->death_count];

	bool by_call = slot->calling == CALL_ENDED_US;

	slot->calling = CALL_NONE;
	if (!slot->planning && !by_call)
		return;
	*death = (struct state_death){
	    .planning = slot->planning != 0,
	    .bucket = slot->bucket,
	    .patient_id = slot->patient_id,
	};
	if (by_call)
		(void)snprintf(death->gateway, sizeof(death->gateway), "%.*s",
		    (int)sizeof(slot->gateway) - 1, slot->gateway);
	state->death_count++;
	slot->planning = 0;
}

/* Deaths of all that nobody runs under; the first of them becomes ours. */
static bool
take_slots(struct state_file *state)
{
	for (uint32_t i = 0; i < STATE_RECORDS_MAX; i++) {
		struct slot *slot = &state->file->slots[i];

		if (!lock_slot(state->fd, i, F_WRLCK))
			continue;
		take_death(state, slot);
		if (state->own == NULL)
			state->own = slot;
		else
			(void)lock_slot(state->fd, i, F_UNLCK);
	}
	if (state->own == NULL)
		return false;
	if (!state->own->used) {
		crypto_random(state->own->record.id, STATE_ID_BYTES);
		in_order();
		state->own->used = 1;
	}
	return true;
}

/* New, or of this kind; a power cut may have left a new one without head. */
static bool
check_head(struct state_file *state)
{
	static const struct head empty;
	struct head *head = &state->file->head;

	if (memcmp(head, &empty, sizeof(empty)) == 0)
		memcpy(head->magic, MAGIC, sizeof(MAGIC));
	return memcmp(head->magic, MAGIC, sizeof(MAGIC)) == 0;
}

static bool
map(struct state_file *state)
{
	struct stat status;
	void *found;

	if (fstat(state->fd, &status) != 0)
		return false;
	errno = EINVAL;
	if (!S_ISREG(status.st_mode))
		return false;
	if (status.st_size == 0 &&
	    ftruncate(state->fd, sizeof(struct file)) != 0)
		return false;
	if (status.st_size != 0 &&
	    status.st_size != (off_t)sizeof(struct file)) {
		errno = EINVAL;
		return false;
	}
	/* the disk must have room now: a full one would kill us by SIGBUS */
	errno = posix_fallocate(state->fd, 0, sizeof(struct file));
	if (errno != 0)
		return false;
	found = mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE,
	    MAP_SHARED, state->fd, 0);
	if (found == MAP_FAILED)
		return false;
	state->file = found;
	return true;
}

struct state_file *
state_file_open(const char *dir, char *error, size_t bytes)
{
	struct state_file *state = mem_alloc(sizeof(*state));
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, FILE_NAME);
	state->fd = open(
	    path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (state->fd < 0 || !map(state))
		(void)snprintf(error, bytes, "%s: %s", path,
		    errno == EINVAL ? "no state file" : strerror(errno));
	else if (!check_head(state))
		(void)snprintf(error, bytes, "%s: no state file", path);
	else if (!take_slots(state))
		(void)snprintf(error, bytes, "%s: %d copies use it already",
		    path, STATE_RECORDS_MAX);
	else
		return state;
	state_file_close(state);
	return NULL;
}

void
state_file_close(struct state_file *state)
{
	if (state == NULL)
		return;
	if (state->file != NULL)
		(void)munmap(state->file, sizeof(struct file));
	if (state->fd >= 0)
		(void)close(state->fd);
	free(state);
}

uint32_t
state_file_deaths(
    struct state_file *state, struct state_death deaths[STATE_RECORDS_MAX])
{
	uint32_t count = state->death_count;

	memcpy(deaths, state->deaths, count * sizeof(*deaths));
	state->death_count = 0;
	return count;
}

uint32_t
state_file_records(const struct state_file *state,
    struct state_record records[STATE_RECORDS_MAX])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < STATE_RECORDS_MAX; i++)
		if (state->file->slots[i].used &&
		    state->file->slots[i].record.sequence > 0)
			records[count++] = state->file->slots[i].record;
	return count;
}

const struct state_record *
state_file_own(const struct state_file *state)
{
	return &state->own->record;
}

void
state_file_sent(struct state_file *state, int64_t sequence, int64_t at)
{
	state->own->record.sent_at = at;
	in_order();
	state->own->record.sequence = sequence;
	in_order();
}

void
state_file_planning(
    struct state_file *state, int16_t bucket, int64_t patient_id)
{
	state->own->bucket = bucket;
	state->own->patient_id = patient_id;
	in_order();
	state->own->planning = 1;
	in_order();
}

void
state_file_planned(struct state_file *state)
{
	in_order();
	state->own->planning = 0;
	in_order();
}

void
state_file_calling(struct state_file *state, const char *gateway)
{
	size_t bytes = strnlen(gateway, STATE_NAME_BYTES - 1);

	memcpy(state->own->gateway, gateway, bytes);
	state->own->gateway[bytes] = '\0';
	in_order();
	state->own->calling = CALL_UNDER_WAY;
	in_order();
}

void
state_file_blame(struct state_file *state)
{
	if (state->own->calling == CALL_UNDER_WAY)
		state->own->calling = CALL_ENDED_US;
}

void
state_file_called(struct state_file *state)
{
	in_order();
	state->own->calling = CALL_NONE;
	in_order();
}
