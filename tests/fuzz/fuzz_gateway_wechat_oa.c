/* The WeChat official account. */
#define ACCOUNT adherd_gateway_wechat_oa
#include "wechat_account.h"
