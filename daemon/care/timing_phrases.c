/*
 * The fixed phrases of shorthand (fhir.md 3.6) and what each says.  Only
 * what has one meaning stands here.  Pure.
 */
#include <string.h>

#include "care/timing_words.h"

#define OFTEN(word, times, in_a, of) \
	{ \
		.text = (word), .frequency = (times), .period = (in_a), \
		.unit = (of) \
	}
#define EACH_DAY(word, at) \
	{ \
		.text = (word), .frequency = 1, .period = 1, .unit = UNIT_D, \
		.when = (at) \
	}
#define TIME(word, at) \
	{ \
		.text = (word), .when = (at) \
	}
#define MEALS(word, which) \
	{ \
		.text = (word), .meals = (which) \
	}
#define MARK(word, bit) \
	{ \
		.text = (word), .mark = MARK_##bit \
	}
#define ROUTE(word, way) \
	{ \
		.text = (word), .route = ROUTE_##way \
	}

static const struct phrase phrases[] = {
    OFTEN("qd", 1, 1, UNIT_D),
    OFTEN("bid", 2, 1, UNIT_D),
    OFTEN("bd", 2, 1, UNIT_D),
    OFTEN("tid", 3, 1, UNIT_D),
    OFTEN("tds", 3, 1, UNIT_D),
    OFTEN("qid", 4, 1, UNIT_D),
    OFTEN("qod", 1, 2, UNIT_D),
    OFTEN("隔日", 1, 2, UNIT_D),
    OFTEN("隔天", 1, 2, UNIT_D),
    OFTEN("qh", 1, 1, UNIT_H),
    OFTEN("qw", 1, 1, UNIT_WK),
    OFTEN("biw", 2, 1, UNIT_WK),
    OFTEN("tiw", 3, 1, UNIT_WK),
    OFTEN("隔周", 1, 2, UNIT_WK),
    OFTEN("双周", 1, 2, UNIT_WK),
    OFTEN("每双周", 1, 2, UNIT_WK),
    OFTEN("qm", 1, 1, UNIT_MO),
    EACH_DAY("qn", W(HS)),
    EACH_DAY("qhs", W(HS)),
    EACH_DAY("qam", W(MORN)),
    EACH_DAY("每早", W(MORN)),
    EACH_DAY("每晨", W(MORN)),
    MARK("每日", DAILY),
    MARK("每天", DAILY),
    /*
     * "Every night" is bedtime by the table.  "晚上" alone may be the hour
     * of the evening pills as well as that of going to bed, three hours
     * later: nobody decides that here.  "每天晚上" is "每晚".
     */
    {.text = "每晚",
	.frequency = 1,
	.period = 1,
	.unit = UNIT_D,
	.when = W(EVE),
	.mark = MARK_NIGHTLY},
    {.text = "每天晚上", .when = W(EVE), .mark = MARK_NIGHTLY | MARK_DAILY},
    {.text = "每日晚上", .when = W(EVE), .mark = MARK_NIGHTLY | MARK_DAILY},
    TIME("hs", W(HS)),
    TIME("睡前", W(HS)),
    TIME("临睡前", W(HS)),
    TIME("睡觉前", W(HS)),
    TIME("晨起", W(WAKE)),
    TIME("早", W(MORN)),
    TIME("晨", W(MORN)),
    TIME("早上", W(MORN)),
    TIME("早晨", W(MORN)),
    TIME("清晨", W(MORN)),
    TIME("上午", W(AM)),
    TIME("中", W(NOON)),
    TIME("午", W(NOON)),
    TIME("中午", W(NOON)),
    TIME("下午", W(PM)),
    TIME("晚", W(EVE)),
    TIME("晚上", W(EVE)),
    TIME("早晚", W(MORN) | W(EVE)),
    TIME("早中晚", W(MORN) | W(NOON) | W(EVE)),
    TIME("早餐前", W(ACM)),
    TIME("早饭前", W(ACM)),
    TIME("早餐后", W(PCM)),
    TIME("早饭后", W(PCM)),
    TIME("早餐时", W(CM)),
    TIME("午餐前", W(ACD)),
    TIME("午饭前", W(ACD)),
    TIME("中餐前", W(ACD)),
    TIME("中饭前", W(ACD)),
    TIME("午餐后", W(PCD)),
    TIME("午饭后", W(PCD)),
    TIME("中餐后", W(PCD)),
    TIME("中饭后", W(PCD)),
    TIME("午餐时", W(CD)),
    TIME("晚餐前", W(ACV)),
    TIME("晚饭前", W(ACV)),
    TIME("晚餐后", W(PCV)),
    TIME("晚饭后", W(PCV)),
    TIME("晚餐时", W(CV)),
    TIME("三餐前", WHEN_AC),
    TIME("三餐饭前", WHEN_AC),
    TIME("三餐后", WHEN_PC),
    TIME("三餐饭后", WHEN_PC),
    /* all three meals, unless single ones are named */
    MEALS("ac", WHEN_AC),
    MEALS("饭前", WHEN_AC),
    MEALS("餐前", WHEN_AC),
    MEALS("pc", WHEN_PC),
    MEALS("饭后", WHEN_PC),
    MEALS("餐后", WHEN_PC),
    MEALS("随餐", WHEN_C),
    MEALS("随餐同服", WHEN_C),
    MEALS("与餐同服", WHEN_C),
    MEALS("餐中", WHEN_C),
    MEALS("进餐时", WHEN_C),
    MARK("空腹", FASTING),
    MARK("prn", NEEDED),
    MARK("必要时", NEEDED),
    MARK("sos", NEEDED),
    MARK("需要时", NEEDED),
    MARK("需要时一次", NEEDED),
    MARK("疼痛时", REASON),
    MARK("痛时", REASON),
    MARK("头痛时", REASON),
    MARK("胸痛时", REASON),
    MARK("胸闷时", REASON),
    MARK("心绞痛时", REASON),
    MARK("心绞痛发作时", REASON),
    MARK("发作时", REASON),
    MARK("发热时", REASON),
    MARK("发烧时", REASON),
    MARK("高热时", REASON),
    MARK("咳嗽时", REASON),
    MARK("气喘时", REASON),
    MARK("喘息时", REASON),
    MARK("失眠时", REASON),
    MARK("便秘时", REASON),
    MARK("腹泻时", REASON),
    MARK("腹痛时", REASON),
    MARK("瘙痒时", REASON),
    MARK("st", ONCE),
    MARK("stat", ONCE),
    MARK("立即", ONCE),
    MARK("顿服", WHOLE),
    MARK("遵医嘱", DIRECTED),
    MARK("按医嘱", DIRECTED),
    ROUTE("po", MOUTH),
    ROUTE("口服", MOUTH),
    ROUTE("内服", MOUTH),
    ROUTE("舌下", TONGUE),
    ROUTE("舌下含服", TONGUE),
    ROUTE("含服", CHEEK),
    ROUTE("含化", CHEEK),
    ROUTE("iv", VEIN),
    ROUTE("静脉注射", VEIN),
    ROUTE("静注", VEIN),
    ROUTE("静推", VEIN),
    ROUTE("ivgtt", DRIP),
    ROUTE("静滴", DRIP),
    ROUTE("静脉滴注", DRIP),
    ROUTE("静脉点滴", DRIP),
    ROUTE("im", MUSCLE),
    ROUTE("肌注", MUSCLE),
    ROUTE("肌内注射", MUSCLE),
    ROUTE("肌肉注射", MUSCLE),
    ROUTE("ih", SKIN),
    ROUTE("sc", SKIN),
    ROUTE("皮下", SKIN),
    ROUTE("皮下注射", SKIN),
    ROUTE("吸入", LUNG),
    ROUTE("雾化吸入", LUNG),
    ROUTE("外用", TOPICAL),
    ROUTE("外涂", TOPICAL),
    ROUTE("外敷", TOPICAL),
    ROUTE("滴眼", EYE),
    ROUTE("点眼", EYE),
    ROUTE("滴耳", EAR),
    ROUTE("滴鼻", NOSE),
    ROUTE("喷鼻", NOSE),
    ROUTE("鼻喷", NOSE),
    ROUTE("塞肛", RECTUM),
    ROUTE("肛塞", RECTUM),
    ROUTE("直肠给药", RECTUM),
    ROUTE("阴道给药", VAGINA),
    MARK("冲服", METHOD),
    MARK("温水冲服", METHOD),
    MARK("开水冲服", METHOD),
    MARK("温水送服", METHOD),
    MARK("嚼服", METHOD),
    MARK("吞服", METHOD),
    MARK("含漱", METHOD),
    MARK("服用", SILENT),
    MARK("使用", SILENT),
    MARK("服", SILENT),
    MARK("每次", SILENT),
};

const struct phrase *
words_find_phrase(const char *at)
{
	const struct phrase *best = NULL;

	for (unsigned i = 0; i < COUNT(phrases); i++)
		if (words_go_on(at, phrases[i].text) &&
		    (best == NULL ||
			strlen(phrases[i].text) > strlen(best->text)))
			best = &phrases[i];
	return best;
}
