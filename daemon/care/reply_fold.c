/*
 * Characters as they are compared: full-width and circled forms, case and
 * accents by Unicode's own compatibility folding, traditional characters by
 * a table of those that patients use.  Pure, without state.
 */
#include <uchar.h>

#include <utf8proc.h>

#include "care/reply_text.h"

/* Pairs of characters: traditional, simplified. */
static const char16_t *const pairs[] = {
    u"個个們们這这來来會会時时說说對对為为於于後后過过",
    u"還还沒没樣样點点從从開开長长見见問问題题頭头體体",
    u"麼么嗎吗讓让幾几錢钱買买賣卖貴贵價价醫医藥药師师",
    u"護护療疗診诊單单訂订購购貨货訊讯號号電电話话機机",
    u"網网閱阅關关閉闭斷断續续繼继補补給给結结約约經经",
    u"終终絡络紅红細细紙纸級级練练組组絕绝統统紀纪純纯",
    u"絲丝綠绿線线編编緩缓總总縮缩織织繞绕繳缴認认識识",
    u"記记計计討讨訓训許许設设試试詢询該该詳详語语誤误",
    u"請请論论談谈調调謝谢講讲證证變变讀读譯译議议貼贴",
    u"費费質质資资賬账賠赔賺赚贈赠贊赞責责敗败貧贫貪贪",
    u"財财員员負负賴赖車车軍军軟软較较輕轻輪轮輸输轉转",
    u"辦办農农進进運运遠远達达違违遲迟遞递選选遺遗邊边",
    u"郵邮鄰邻醬酱釋释針针鈣钙鈉钠鉀钾鐵铁銀银錄录錯错",
    u"鍋锅鎮镇鏡镜鐘钟鍾钟門门閃闪間间閒闲聞闻陽阳陰阴",
    u"陣阵際际隨随險险隱隐隻只雙双雜杂離离難难雲云霧雾",
    u"靜静響响頁页項项順顺須须預预頓顿頗颇領领頸颈頻频",
    u"額额顏颜願愿類类顧顾顯显風风飛飞飯饭飲饮飽饱餓饿",
    u"養养餘余館馆馬马駕驾驗验騙骗驚惊騎骑骯肮髒脏髮发",
    u"鬆松鬧闹魚鱼鮮鲜鳥鸟麥麦麵面黃黄齊齐齒齿龍龙龜龟",
    u"亞亚亂乱亙亘佈布併并俠侠倆俩倉仓傷伤傾倾僅仅億亿",
    u"儀仪優优儲储兒儿內内兩两冊册凍冻減减凱凯別别刪删",
    u"則则剛刚創创劃划劇剧劑剂劍剑勁劲動动務务勝胜勞劳",
    u"勢势勵励勸劝匯汇區区協协卻却厭厌厲厉參参叢丛吳吴",
    u"嗚呜嘔呕嚇吓嚐尝嘗尝嚴严囉啰囑嘱國国圍围園园圖图",
    u"團团圓圆執执堅坚報报場场塊块塗涂塵尘墊垫壓压壞坏",
    u"壯壮壽寿夠够夢梦夾夹奪夺奮奋妝妆婦妇媽妈嬸婶孫孙",
    u"學学寧宁實实寫写審审寶宝將将專专尋寻導导層层屬属",
    u"島岛帥帅帶带帳帐幫帮幹干庫库廁厕廈厦廚厨廠厂廣广",
    u"廳厅張张強强彈弹歸归當当彎弯徵征徑径復复恆恒悶闷",
    u"惡恶惱恼愛爱態态慘惨慣惯慮虑慶庆憂忧憶忆應应懶懒",
    u"懷怀戀恋戰战戲戏戶户拋抛掃扫採采換换揮挥損损搖摇",
    u"搶抢摟搂撐撑撥拨擁拥擇择擊击擋挡擔担據据擠挤擬拟",
    u"擴扩擾扰攝摄攤摊敵敌數数斃毙昇升晝昼暈晕暫暂曆历",
    u"曉晓書书東东條条棄弃業业極极榮荣構构槍枪樂乐樓楼",
    u"標标樹树橋桥檔档檢检櫃柜欄栏權权歡欢歲岁歷历歐欧",
    u"殘残殺杀殼壳毀毁氣气決决沖冲況况淚泪淨净淺浅測测",
    u"湊凑湯汤溫温滅灭滾滚滿满漢汉漲涨漸渐潔洁潰溃澀涩",
    u"濃浓濕湿濟济瀉泻瀏浏灑洒灣湾災灾無无煙烟煩烦煉炼",
    u"熱热燈灯燒烧燙烫營营爐炉爛烂爭争爺爷爾尔牆墙狀状",
    u"狹狭獎奖獨独獲获現现環环產产畢毕畫画異异痠酸瘋疯",
    u"瘡疮瘧疟癢痒癥症癱瘫癲癫發发皺皱盜盗盡尽監监盤盘",
    u"眾众睏困瞭了睜睁矇蒙礎础碼码磚砖禮礼禍祸稅税種种",
    u"稱称穀谷穩稳窩窝窮穷竊窃競竞筆笔節节範范築筑籃篮",
    u"籌筹籤签簡简簽签粵粤糧粮糾纠紛纷紮扎絆绊絞绞綁绑",
    u"維维緊紧緒绪緣缘縣县績绩罰罚罷罢羅罗義义習习翹翘",
    u"聖圣聯联聰聪聲声聽听職职肅肃脅胁脈脉脫脱脹胀腎肾",
    u"腦脑腫肿腸肠膚肤膠胶膽胆臉脸臟脏臨临舉举舊旧艙舱",
    u"艱艰艷艳莊庄華华萬万葉叶著着蓋盖蒼苍蓮莲蔣蒋薦荐",
    u"薩萨藍蓝藝艺蘇苏蘋苹處处虛虚蟲虫蝕蚀蝦虾螞蚂衛卫",
    u"衝冲術术裝装裡里裏里製制複复褲裤襪袜襯衬規规視视",
    u"親亲覺觉覽览觀观觸触訴诉註注詐诈評评詞词誇夸誌志",
    u"誠诚誰谁課课諒谅謀谋謊谎譜谱豐丰豬猪貓猫貝贝貢贡",
    u"販贩貫贯貸贷貿贸賀贺賓宾賞赏賢贤賭赌賽赛趕赶趙赵",
    u"跡迹踐践躍跃軀躯輔辅輛辆輩辈輯辑辭辞辯辩迴回逕径",
    u"連连週周遊游適适遷迁遼辽鄉乡鄭郑醜丑釀酿釘钉鈴铃",
    u"鉛铅銅铜銷销鋪铺鋼钢錶表鍵键鎖锁鏈链鐳镭鑰钥閘闸",
    u"閩闽闆板闊阔陳陈陸陆階阶隊队雖虽雞鸡靈灵韌韧韓韩",
    u"頂顶頑顽頒颁頰颊顆颗顫颤飄飘飼饲餅饼餡馅饑饥饒饶",
    u"馳驰駐驻駛驶騷骚驟骤髖髋鬍胡魯鲁鴨鸭鵝鹅鹽盐麗丽",
    u"黨党鼕冬鼴鼹喺在佢他哋们冇没唔不嘅的咗了嚟来睇看",
    u"啲些畀给俾给諗想攞拿瞓睡咩吗乜什喎啊嗰那嗮完晒完",
    u"嘢事啱对攰累搵找噉样咪别囖咯嘞了喇啦妳你祂他牠它",
    u"甦苏鍼针鬱郁癬癣癮瘾癤疖痺痹癒愈鷄鸡薑姜蔥葱鹼碱",
    u"醣糖膿脓疊叠顳颞顱颅頷颔頦颏顎颚齶腭齲龋讚赞鬥斗",
    u"鬚须鬢鬓絨绒緻致繩绳繫系罈坛羶膻聾聋臍脐臘腊舖铺",
    u"誡诫謹谨譴谴豎竖趨趋蹤踪輾辗轟轰辮辫遜逊邁迈鄧邓",
    u"鈔钞鈕钮鉗钳鋒锋錐锥錘锤鍛锻鎂镁鏽锈閥阀隸隶雋隽",
    u"顛颠颱台飢饥駁驳駝驼騰腾驅驱鯊鲨鳳凤鴿鸽鶴鹤鷹鹰",
    u"黴霉齡龄諮咨擺摆攔拦攪搅擰拧攏拢撈捞撫抚揀拣殭僵",
    u"氈毡滯滞漿浆濾滤瀕濒煥焕燭烛牽牵獄狱瑪玛瓊琼疇畴",
    u"瘍疡盧卢睞睐矯矫禪禅稈秆窪洼窯窑竇窦筍笋籠笼紐纽",
    u"紡纺紳绅綜综緝缉纏缠纖纤聳耸脛胫臥卧藉借蘿萝虧亏",
    u"蝸蜗蠟蜡蠶蚕係是",
    u"乾干咀嘴傳传備备偉伟側侧儘尽奧奥屆届懸悬掛挂揚扬",
    u"敘叙暢畅渾浑潤润蕩荡諾诺餵喂託托誼谊幣币廢废擱搁",
    u"檯台歎叹嘆叹汙污涼凉渦涡滲渗濁浊瘓痪瞞瞒礙碍祕秘",
    u"紋纹縱纵罵骂膩腻葷荤訪访誘诱贏赢餃饺飾饰駱骆鉤钩",
    u"銘铭吋寸滷卤醃腌",
};

uint32_t
reply_simplify(uint32_t codepoint)
{
	if (codepoint < 0x4e00 || codepoint > 0x9fff)
		return codepoint;
	for (unsigned i = 0; i < COUNT(pairs); i++)
		for (const char16_t *at = pairs[i]; *at != 0; at += 2)
			if (*at == codepoint)
				return at[1];
	return codepoint;
}

/* Skin tones, joiners of emoji, keycaps, selectors: they say nothing. */
static bool
is_silent(uint32_t codepoint)
{
	return codepoint == 0xfe0f || codepoint == 0xfe0e ||
	       codepoint == 0x20e3 || codepoint == 0xad || codepoint == 0x34f ||
	       (codepoint >= 0x200b && codepoint <= 0x200f) ||
	       (codepoint >= 0x202a && codepoint <= 0x202e) ||
	       (codepoint >= 0x2060 && codepoint <= 0x206f) ||
	       codepoint == 0xfeff ||
	       (codepoint >= 0x1f3fb && codepoint <= 0x1f3ff) ||
	       (codepoint >= 0xe0000 && codepoint <= 0xe0fff);
}

size_t
reply_fold(uint32_t codepoint, uint32_t *out, size_t max)
{
	/* ➀ … and ❶ … have no compatibility form of their own */
	static const uint32_t rings[] = {0x2776, 0x2780, 0x278a};
	utf8proc_int32_t parts[18];
	utf8proc_ssize_t count;
	int boundary = 0;

	if (is_silent(codepoint))
		return 0;
	for (unsigned i = 0; i < COUNT(rings); i++)
		if (codepoint >= rings[i] && codepoint < rings[i] + 9) {
			out[0] = '1' + codepoint - rings[i];
			return 1;
		}
	if (codepoint == 0xbd) { /* ½ */
		out[0] = 0x534a;
		return 1;
	}
	count = utf8proc_decompose_char((utf8proc_int32_t)codepoint, parts,
	    COUNT(parts),
	    UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD |
		UTF8PROC_STRIPMARK,
	    &boundary);
	if (count < 0 || (size_t)count > COUNT(parts))
		return 0;
	if ((size_t)count > max)
		count = (utf8proc_ssize_t)max;
	for (utf8proc_ssize_t i = 0; i < count; i++)
		out[i] = reply_simplify((uint32_t)parts[i]);
	return (size_t)count;
}
