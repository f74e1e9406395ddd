/*
 * Memory that does not fail, and arenas.
 *
 * An arena owns a chain of blocks, the current one first.  Each new block is
 * twice as big as the one before, up to a bound, so that small work costs
 * one block and big work few.  Under AddressSanitizer each piece gets a
 * block of its own, so that a step past its end is seen.
 */
#include "base/mem.h"

#include <assert.h>
#include <malloc.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

#ifdef SANITIZED
#define BLOCK_BYTES_MIN 1
#define BLOCK_BYTES_MAX 1
#else
#define BLOCK_BYTES_MIN ((size_t)4096)
#define BLOCK_BYTES_MAX ((size_t)1 << 20)
#endif
#define LIST_CAPACITY_MIN 8
#define KEPT_BYTES (8 << 20) /* free, at the end of the heap */
#define MAPPED_BYTES (2 << 20)
#define BRIEF_BYTES (32 << 10)

struct block {
	struct block *next; /* older */
	size_t capacity;
	size_t used;
	alignas(max_align_t) char data[];
};

struct arena {
	struct block *blocks; /* owned; new pieces come from the first */
	size_t bytes;         /* handed out since reset */
};

/* End the process, saying why without allocating. */
static _Noreturn void
out_of_memory(void)
{
	static const char line[] = "<2>mem.exhausted\n";
	ssize_t written = write(STDERR_FILENO, line, sizeof(line) - 1);

	(void)written;
	_exit(EXIT_INTERNAL);
}

void
mem_keep(void)
{
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
}

void
mem_keep_less(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, BRIEF_BYTES);
}

void
mem_return(void)
{
	(void)malloc_trim(0);
}

void
mem_forget(const void *constant, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t before = (page - (uintptr_t)constant % page) % page;

	if (bytes >= before + page)
		(void)madvise((char *)constant + before,
		    (bytes - before) / page * page, MADV_DONTNEED);
}

void *
mem_alloc(size_t bytes)
{
	void *memory = calloc(1, bytes > 0 ? bytes : 1);

	if (memory == NULL || fault_fails(ALLOCATION))
		out_of_memory();
	return memory;
}

void *
mem_resize(void *old, size_t count, size_t size)
{
	size_t bytes;
	void *memory;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory();
	memory = realloc(old, bytes > 0 ? bytes : 1);
	if (memory == NULL || fault_fails(ALLOCATION))
		out_of_memory();
	return memory;
}

char *
mem_text(const char *text)
{
	char *copy;

	if (text == NULL)
		return NULL;
	copy = strdup(text);
	if (copy == NULL || fault_fails(ALLOCATION))
		out_of_memory();
	return copy;
}

struct arena *
arena_create(void)
{
	return mem_alloc(sizeof(struct arena));
}

/* Free every block from this one to the oldest but, if asked, the oldest. */
static struct block *
blocks_free(struct block *block, bool keep_oldest)
{
	while (block != NULL && (block->next != NULL || !keep_oldest)) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
	return block;
}

void
arena_reset(struct arena *arena)
{
	arena->blocks = blocks_free(arena->blocks, true);
	if (arena->blocks != NULL)
		arena->blocks->used = 0;
	arena->bytes = 0;
}

void
arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	blocks_free(arena->blocks, false);
	free(arena);
}

size_t
arena_bytes(const struct arena *arena)
{
	return arena->bytes;
}

/* Put a block with room for this many bytes in front. */
static void
arena_grow(struct arena *arena, size_t bytes)
{
	size_t capacity = BLOCK_BYTES_MIN;
	struct block *block;

	if (arena->blocks != NULL)
		capacity = arena->blocks->capacity * 2;
	if (capacity > BLOCK_BYTES_MAX)
		capacity = BLOCK_BYTES_MAX;
	if (capacity < bytes)
		capacity = bytes;
	block = malloc(sizeof(*block) + capacity);
	if (block == NULL || fault_fails(ALLOCATION))
		out_of_memory();
	block->next = arena->blocks;
	block->capacity = capacity;
	block->used = 0;
	arena->blocks = block;
}

void *
arena_alloc(struct arena *arena, size_t bytes)
{
	const size_t align = alignof(max_align_t);
	struct block *block = arena->blocks;
	void *piece;

	if (bytes > PTRDIFF_MAX - sizeof(*block) - align)
		out_of_memory();
	if (block == NULL || block->capacity - block->used < bytes) {
		arena_grow(arena, bytes);
		block = arena->blocks;
	}
	piece = block->data + block->used;
	memset(piece, 0, bytes);
	block->used += (bytes + align - 1) / align * align;
	if (block->used > block->capacity)
		block->used = block->capacity;
	arena->bytes += bytes;
	return piece;
}

void *
arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory();
	return arena_alloc(arena, bytes);
}

void *
arena_copy(struct arena *arena, const void *data, size_t bytes)
{
	void *copy = arena_alloc(arena, bytes);

	if (bytes > 0)
		memcpy(copy, data, bytes);
	return copy;
}

char *
arena_text(struct arena *arena, const char *text)
{
	return text != NULL ? arena_text_n(arena, text, strlen(text)) : NULL;
}

char *
arena_text_n(struct arena *arena, const char *text, size_t bytes)
{
	char *copy = arena_alloc(arena, bytes + 1);

	if (bytes > 0)
		memcpy(copy, text, bytes);
	return copy;
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;
	char *text;
	int bytes;

	va_start(args, format);
	va_copy(again, args);
	bytes = vsnprintf(NULL, 0, format, args);
	assert(bytes >= 0);
	text = arena_alloc(arena, (size_t)bytes + 1);
	vsnprintf(text, (size_t)bytes + 1, format, again);
	va_end(again);
	va_end(args);
	return text;
}

void
list_init(struct list *list, struct arena *arena, size_t size)
{
	assert(size > 0);
	*list = (struct list){.arena = arena, .size = size};
}

void *
list_add(struct list *list)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity * 2;
		void *data;

		if (capacity < LIST_CAPACITY_MIN)
			capacity = LIST_CAPACITY_MIN;
		data = arena_array(list->arena, capacity, list->size);
		if (list->count > 0)
			memcpy(data, list->data, list->count * list->size);
		list->data = data;
		list->capacity = capacity;
	}
	return (char *)list->data + list->count++ * list->size;
}
