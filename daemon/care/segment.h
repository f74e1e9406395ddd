#ifndef ADHERD_CARE_SEGMENT_H
#define ADHERD_CARE_SEGMENT_H

#include "base/mem.h"

/*
 * How an SMS is split and paid for.  International: GSM 03.38 where every
 * character is in its table (160 septets, or 153 a part), else UCS-2 (70
 * units, or 67); an escape pair or surrogate pair is never split.  Mainland
 * China: always UCS-2, and the signature 【…】 in front counts.
 */
#define SEGMENTS_MAX 255 /* a part's number is one byte */

enum segment_rule { SEGMENT_INTERNATIONAL, SEGMENT_MAINLAND };
enum segment_encoding { SEGMENT_GSM7, SEGMENT_UCS2 };

struct segments {
	enum segment_encoding encoding;
	uint32_t units; /* septets or UTF-16 units, all parts together */
	uint32_t count; /* of parts, at least 1 */
	uint8_t parts[SEGMENTS_MAX]; /* units of each */
};

/*
 * Split text with the sender's signature (without its 【】; NULL: none) in
 * front.  -1 if it is not UTF-8 or has more than SEGMENTS_MAX parts.
 */
must_check int segment_text(enum segment_rule rule, const char *signature,
    const char *text, struct segments *segments);

#endif
