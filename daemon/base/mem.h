#ifndef ADHERD_BASE_MEM_H
#define ADHERD_BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Memory.  Allocation does not fail: it ends the process, and leases give
 * the work back.  Bounds at the doors keep strangers from causing it.
 */

#define must_check __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * For a process that frees and takes the same again all day: what is free is
 * kept up to 8 MiB, pieces below 2 MiB are the heap's.  Without it the
 * kernel clears each page anew, a tenth of a drain's processor time in us.
 */
void mem_keep(void);
/*
 * Until mem_keep() again: pieces from 32 KiB on are apart from the heap, which
 * what comes once would leave full of holes, and gone once they are freed.
 */
void mem_keep_less(void);
/* What is free goes back to the kernel, after work that comes once. */
void mem_return(void);
/*
 * A constant of the program's that was read and is not needed soon: the kernel
 * reads it from the file again if it is.  Never of memory that is written to.
 */
void mem_forget(const void *constant, size_t bytes);
void *mem_alloc(size_t bytes); /* zeroed; free with free() */
void *mem_resize(void *old, size_t count, size_t size); /* overflow-checked */
char *mem_text(const char *text); /* a copy; NULL stays NULL */

/*
 * An arena is the memory of one piece of work: many small pieces, freed
 * together.  Not shared between pieces of work.
 */
struct arena;

struct arena *arena_create(void);
void arena_reset(struct arena *arena);         /* keeps its first block */
void arena_free(struct arena *arena);          /* NULL is fine */
size_t arena_bytes(const struct arena *arena); /* handed out since reset */
void *arena_alloc(struct arena *arena, size_t bytes); /* zeroed, aligned */
void *arena_array(struct arena *arena, size_t count, size_t size);
void *arena_copy(struct arena *arena, const void *data, size_t bytes);
char *arena_text(struct arena *arena, const char *text); /* NULL: NULL */
char *arena_text_n(struct arena *arena, const char *text, size_t bytes);
char *arena_printf(struct arena *arena, const char *format, ...)
    printf_like(2, 3);

/* A growing array of elements of one size inside an arena. */
struct list {
	struct arena *arena;
	size_t size; /* of one element */
	size_t count;
	size_t capacity;
	void *data;
};

void list_init(struct list *list, struct arena *arena, size_t size);
void *list_add(struct list *list); /* a zeroed element at the end */

#endif
