#ifndef ADHERD_BASE_BUF_H
#define ADHERD_BASE_BUF_H

#include "base/mem.h"

/*
 * A growing byte buffer with an upper bound.  Writing past the bound sets
 * `overflow` and drops the rest; callers check it once, at the end.
 * data is always NUL-terminated once anything was written (buf_text()).
 */
struct buf {
	char *data;
	size_t bytes;
	size_t capacity;
	size_t bytes_max; /* 0: 64 MB */
	bool overflow;
};

#define BUF_INIT(max) \
	{ \
		.bytes_max = (max) \
	}

void buf_free(struct buf *buf);  /* frees data, leaves it usable */
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_add(struct buf *buf, const void *data, size_t bytes);
void buf_text(struct buf *buf, const char *text);
void buf_char(struct buf *buf, char byte);
void buf_printf(struct buf *buf, const char *format, ...) printf_like(2, 3);
void buf_u16(struct buf *buf, uint16_t value); /* big endian, as the next */
void buf_u32(struct buf *buf, uint32_t value);
void buf_u64(struct buf *buf, uint64_t value);
const char *buf_string(struct buf *buf); /* never NULL */

/*
 * A bounded reader over bytes that somebody else wrote.  Reading past the
 * end gives zeros and sets `bad`; check it once, at the end.
 */
struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
const uint8_t *reader_bytes(struct reader *reader, size_t bytes);
/* u32 length (0xffffffff: NULL), then the bytes; a NUL-terminated copy */
const char *reader_text(struct reader *reader, struct arena *arena);

#endif
