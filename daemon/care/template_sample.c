/*
 * Sample values of texts.  Pure: constants and the zone of China.
 */
#include "care/template_sample.h"

#include <string.h>

#define CHINESE_LONG "长长长长长长长长长长长长长长长长长长长长"
#define LATIN_LONG "Longlonglonglonglong"
#define DATE_ON 20815 /* 2026-12-28, a Monday */

static const char *const drugs_zh[] = {"二甲双胍缓释片"};
static const char *const drugs_en[] = {"Metformin 500 mg"};
static const char *const drugs_long_zh[] = {CHINESE_LONG CHINESE_LONG};
static const char *const drugs_long_en[] = {LATIN_LONG LATIN_LONG};

static const struct template_values texts[2][SAMPLE_COUNT] = {
    {
	[SAMPLE_USUAL] = {.patient = "Anna Example",
	    .clinic = "Example Clinic",
	    .drugs = drugs_en,
	    .visit = "endocrinology"},
	[SAMPLE_LONGEST] = {.patient = LATIN_LONG LATIN_LONG,
	    .clinic = LATIN_LONG LATIN_LONG,
	    .drugs = drugs_long_en,
	    .visit = LATIN_LONG LATIN_LONG},
	[SAMPLE_DISCREET] = {.discreet = true},
    },
    {
	[SAMPLE_USUAL] = {.patient = "欧阳建国",
	    .clinic = "示例互联网医院",
	    .drugs = drugs_zh,
	    .visit = "内分泌科复诊"},
	[SAMPLE_LONGEST] = {.patient = CHINESE_LONG CHINESE_LONG,
	    .clinic = CHINESE_LONG CHINESE_LONG,
	    .drugs = drugs_long_zh,
	    .visit = CHINESE_LONG CHINESE_LONG},
	[SAMPLE_DISCREET] = {.discreet = true},
    },
};

struct template_values
template_sample(const struct template_words *words, enum template_sample which)
{
	bool chinese = words == template_words_find("zh");
	bool longest = which == SAMPLE_LONGEST;
	struct template_values values = which == SAMPLE_LATIN
					    ? texts[false][SAMPLE_USUAL]
					    : texts[chinese][which];

	values.drug_count = values.drugs == NULL ? 0 : 1;
	values.count = longest ? 99 : 1;
	values.days = longest ? 999 : 7;
	values.run_out_on = values.date_on = DATE_ON;
	values.at = DATE_ON * DAY_US + 2 * HOUR_US + 30 * MINUTE_US;
	values.at_has_time = true;
	values.zone = zone_open("Asia/Shanghai");
	return values;
}
