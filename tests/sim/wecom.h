#ifndef ADHERD_TESTS_SIM_WECOM_H
#define ADHERD_TESTS_SIM_WECOM_H

#include "tests/sim/wechat.h"

/*
 * WeCom: the token, messages of an application to members, a group's robot,
 * and encrypted pushes.  Written from the vendor's description, sharing
 * nothing with the gateway.
 */
#define WECOM_AGENTID "1000002"
#define WECOM_ROBOT_KEY "693a91f6-7aaa-4bc4-97a0-0ec2c1fa5aaa"

struct wecom;

/* appid: the corpid; mode: safe. */
struct wecom *wecom_create(
    struct sim *sim, const struct wechat_settings *settings);
void wecom_free(struct wecom *wecom);
void wecom_serve(struct sim *sim);
void wecom_write_summary(const struct wecom *wecom, struct json_writer *writer);

#endif
