/* The WeChat mini program. */
#define ACCOUNT adherd_gateway_wechat_mini
#include "wechat_account.h"
