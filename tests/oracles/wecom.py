#!/usr/bin/env python3
"""@wecom/crypto opens what the simulator of WeCom pushes and asks, and the
daemon believes what it seals.  NODE_PATH names where it is installed, BUILD a
built tree.  TAP."""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from stack import (Tap, WECHAT_AES_KEY, WECHAT_TOKEN, get_json,  # noqa: E402
                   post)
from test_wecom import answered, ask, push, wecom_stack  # noqa: E402
from wechat import node, text_xml  # noqa: E402

CORPID = "ww0123456789abcdef"
OTHER_KEY = "b" + WECHAT_AES_KEY[1:]


def crypto(given, action, *words):
    return node(given, action, *words, program="wecom.js")


def test_the_library_opens_what_the_simulator_pushes_and_asks():
    with wecom_stack() as stack:
        texts = ["1", "接手 é 😀", "x" * 31, "x" * 32, "y" * 2000]
        for text in texts:
            push(stack, "text", text=text)
        asked = get_json(f"{stack.sim}/wecom/verify")
        pushes = answered(stack, len(texts))
        opened = crypto(json.dumps([*pushes, asked]), "open", WECHAT_TOKEN,
                        WECHAT_AES_KEY)
        for found in opened:
            assert found["id"] == CORPID, found
            assert found["given"] == found["expected"], found
        assert opened[-1]["message"] == asked["echo"], opened[-1]
        for text in texts:
            assert sum(f"<![CDATA[{text}]]></Content>" in found["message"]
                       for found in opened) == 1, text


def test_the_daemon_believes_what_the_library_seals():
    with wecom_stack() as stack:
        for number, text in enumerate(["1", "é 😀", "z" * 3000], 1):
            sealed = crypto(text_xml(number, text), "seal", WECHAT_TOKEN,
                            WECHAT_AES_KEY, CORPID)
            url = f"{stack.callback_url()}?{sealed['query']}"
            assert post(url, sealed["body"]) == (200, "success")
            # a character of what is encrypted
            changed = sealed["body"].replace("<Encrypt><![CDATA[",
                                             "<Encrypt><![CDATA[A")
            assert post(url, changed)[0] == 403
        asking = crypto("1616140317555161061", "seal", WECHAT_TOKEN,
                        WECHAT_AES_KEY, CORPID)["asking"]
        assert ask(f"{stack.callback_url()}?{asking}") == (
            200, b"1616140317555161061")
        for key, token, corpid, status in [
                (OTHER_KEY, WECHAT_TOKEN, CORPID, 400),
                (WECHAT_AES_KEY, "othertoken", CORPID, 403),
                (WECHAT_AES_KEY, WECHAT_TOKEN, "ww0", 400)]:
            sealed = crypto(text_xml(9, "x"), "seal", token, key, corpid)
            assert post(f"{stack.callback_url()}?{sealed['query']}",
                        sealed["body"])[0] == status, (key, token, corpid)
        assert stack.number("SELECT count(*) FROM inbox") == 3


if __name__ == "__main__":
    raise SystemExit(Tap().run([
        test_the_library_opens_what_the_simulator_pushes_and_asks,
        test_the_daemon_believes_what_the_library_seals]))
