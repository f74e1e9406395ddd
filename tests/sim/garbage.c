/*
 * Unusable answers.  Makes them afresh each time; owns nothing.
 */
#include "tests/sim/garbage.h"

#include <string.h>

#define BIG_BYTES (10u << 20)
#define BOMB_BYTES (16u << 20)
#define MATCH_BYTES 258 /* the longest match of DEFLATE */

struct bits { /* a writer of bits, lowest first */
	struct buf *out;
	uint32_t held;
	int count;
};

static void
bits_add(struct bits *bits, uint32_t value, int count)
{
	bits->held |= value << bits->count;
	bits->count += count;
	while (bits->count >= 8) {
		buf_char(bits->out, (char)(bits->held & 0xff));
		bits->held >>= 8;
		bits->count -= 8;
	}
}

/* CRC-32 of so many zero bytes (RFC 1952, 8). */
static uint32_t
crc_of_zeros(size_t bytes)
{
	uint32_t table[256];
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] =
			    table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
	}
	for (size_t i = 0; i < bytes; i++)
		crc = table[crc & 0xff] ^ crc >> 8;
	return ~crc;
}

static void
little_endian(struct buf *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		buf_char(out, (char)(value >> 8 * i & 0xff));
}

/*
 * One zero, then matches of 258 at distance 1 in a block with fixed codes
 * (RFC 1951, 3.2.6): 13 bits each.
 */
static void
fill_bomb(struct buf *out)
{
	static const char header[] = "\x1f\x8b\x08\0\0\0\0\0\0\xff";
	struct bits bits = {.out = out};
	size_t bytes = 1;

	buf_add(out, header, 10);
	bits_add(&bits, 1, 1);    /* last block */
	bits_add(&bits, 1, 2);    /* fixed codes */
	bits_add(&bits, 0x0c, 8); /* literal 0: 00110000, highest bit first */
	for (; bytes + MATCH_BYTES <= BOMB_BYTES; bytes += MATCH_BYTES) {
		bits_add(&bits, 0xa3, 8); /* length 258: 11000101 */
		bits_add(&bits, 0, 5);    /* distance 1 */
	}
	bits_add(&bits, 0, 7); /* end of block */
	bits_add(&bits, 0, (8 - bits.count) % 8);
	little_endian(out, crc_of_zeros(bytes));
	little_endian(out, (uint32_t)bytes);
}

static void
fill_big(struct buf *out)
{
	static const char line[] = "0123456789abcdef0123456789abcdef";

	buf_text(out, "{\"Code\":\"OK\",\"code\":\"OK\",\"Message\":\"");
	while (out->bytes < BIG_BYTES)
		buf_add(out, line, sizeof(line) - 1);
	buf_text(out, "\"}");
}

static void
fill_html(struct door_reply *reply)
{
	reply->content_type = "text/html";
	buf_clear(&reply->body);
	buf_text(&reply->body,
	    "<!DOCTYPE html><html><head><title>502</title></head><body>"
	    "<h1>Bad Gateway</h1></body></html>\n");
}

/* JSON whose bytes are no UTF-8, as the header admits. */
static void
fill_charset(struct door_reply *reply)
{
	reply->content_type = "application/json; charset=GBK";
	buf_clear(&reply->body);
	buf_text(&reply->body, "{\"Code\":\"OK\",\"code\":\"OK\",\"Message\":"
			       "\"\xb3\xc9\xb9\xa6\"}");
}

static void
fill_types(struct buf *out)
{
	buf_clear(out);
	buf_text(out,
	    "{\"Code\":200,\"BizId\":[],\"Message\":{},\"RequestId\":false,"
	    "\"code\":{\"OK\":true},\"id\":7,\"results\":\"OK\"}");
}

static void
fill_cut(struct buf *out)
{
	if (out->bytes > 1)
		out->bytes = out->bytes * 2 / 3;
}

bool
garbage_known(const char *form)
{
	static const char *const words[] = {
	    "html", "cut", "types", "big", "gzip", "headers", "charset"};

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(words[i], form) == 0)
			return true;
	return false;
}

void
garbage_fill(const char *form, struct door_reply *reply)
{
	reply->status = 200;
	if (strcmp(form, "cut") == 0) {
		fill_cut(&reply->body);
	} else if (strcmp(form, "types") == 0) {
		fill_types(&reply->body);
	} else if (strcmp(form, "headers") == 0) {
		buf_clear(&reply->body);
		reply->filler_headers = 1000;
	} else if (strcmp(form, "charset") == 0) {
		fill_charset(reply);
	} else if (strcmp(form, "big") == 0) {
		buf_clear(&reply->body);
		fill_big(&reply->body);
	} else if (strcmp(form, "gzip") == 0) {
		buf_clear(&reply->body);
		door_reply_header(reply, "Content-Encoding", "gzip");
		fill_bomb(&reply->body);
	} else {
		fill_html(reply);
	}
}
