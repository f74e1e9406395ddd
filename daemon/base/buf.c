/*
 * Growing byte buffers with a bound, and a bounded reader for bytes that
 * somebody else wrote.
 */
#include "base/buf.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_BYTES_MAX ((size_t)64 << 20)
#define BUF_CAPACITY_MIN ((size_t)128)
#define TEXT_NULL UINT32_MAX

void
buf_free(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf)BUF_INIT(buf->bytes_max);
}

void
buf_clear(struct buf *buf)
{
	buf->bytes = 0;
	buf->overflow = false;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

/* Make room for as many of these bytes as the bound lets in; how many. */
static size_t
buf_reserve(struct buf *buf, size_t bytes)
{
	size_t bytes_max = buf->bytes_max > 0 ? buf->bytes_max : BUF_BYTES_MAX;
	size_t capacity;

	assert(buf->bytes <= bytes_max);
	if (bytes > bytes_max - buf->bytes) {
		buf->overflow = true;
		bytes = bytes_max - buf->bytes;
	}
	if (buf->data == NULL || buf->capacity - buf->bytes <= bytes) {
		capacity = buf->capacity * 2;
		if (capacity < BUF_CAPACITY_MIN)
			capacity = BUF_CAPACITY_MIN;
		if (capacity < buf->bytes + bytes + 1)
			capacity = buf->bytes + bytes + 1;
		buf->data = mem_resize(buf->data, capacity, 1);
		buf->data[buf->bytes] = '\0';
		buf->capacity = capacity;
	}
	return bytes;
}

void
buf_add(struct buf *buf, const void *data, size_t bytes)
{
	bytes = buf_reserve(buf, bytes);
	if (bytes > 0)
		memcpy(buf->data + buf->bytes, data, bytes);
	buf->bytes += bytes;
	buf->data[buf->bytes] = '\0';
}

void
buf_text(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void
buf_char(struct buf *buf, char byte)
{
	buf_add(buf, &byte, 1);
}

void
buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	size_t room;
	int bytes;

	va_start(args, format);
	va_copy(again, args);
	bytes = vsnprintf(NULL, 0, format, args);
	assert(bytes >= 0);
	room = buf_reserve(buf, (size_t)bytes);
	vsnprintf(buf->data + buf->bytes, room + 1, format, again);
	buf->bytes += room;
	va_end(again);
	va_end(args);
}

void
buf_u16(struct buf *buf, uint16_t value)
{
	value = htobe16(value);
	buf_add(buf, &value, sizeof(value));
}

void
buf_u32(struct buf *buf, uint32_t value)
{
	value = htobe32(value);
	buf_add(buf, &value, sizeof(value));
}

void
buf_u64(struct buf *buf, uint64_t value)
{
	value = htobe64(value);
	buf_add(buf, &value, sizeof(value));
}

const char *
buf_string(struct buf *buf)
{
	return buf->data != NULL ? buf->data : "";
}

const uint8_t *
reader_bytes(struct reader *reader, size_t bytes)
{
	const uint8_t *at = reader->at;

	if (reader->bad || bytes > reader->left) {
		reader->bad = true;
		reader->left = 0;
		return NULL;
	}
	reader->at += bytes;
	reader->left -= bytes;
	return at;
}

/* The next bytes as one big-endian number. */
static uint64_t
reader_number(struct reader *reader, size_t bytes)
{
	const uint8_t *at = reader_bytes(reader, bytes);
	uint64_t value = 0;

	for (size_t i = 0; at != NULL && i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

uint8_t
reader_u8(struct reader *reader)
{
	return (uint8_t)reader_number(reader, 1);
}

uint16_t
reader_u16(struct reader *reader)
{
	return (uint16_t)reader_number(reader, 2);
}

uint32_t
reader_u32(struct reader *reader)
{
	return (uint32_t)reader_number(reader, 4);
}

uint64_t
reader_u64(struct reader *reader)
{
	return reader_number(reader, 8);
}

const char *
reader_text(struct reader *reader, struct arena *arena)
{
	uint32_t bytes = reader_u32(reader);
	const uint8_t *at;

	if (bytes == TEXT_NULL || reader->bad)
		return NULL;
	at = reader_bytes(reader, bytes);
	if (at == NULL)
		return NULL;
	/* A C string would silently end there. */
	if (memchr(at, '\0', bytes) != NULL) {
		reader->bad = true;
		reader->left = 0;
		return NULL;
	}
	return arena_text_n(arena, (const char *)at, bytes);
}
