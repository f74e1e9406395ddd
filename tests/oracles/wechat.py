#!/usr/bin/env python3
"""co-wechat-api against the simulator of WeChat; wechat-crypto opens what the
simulator pushes, and the daemon believes what it seals.  NODE_PATH names
where they are installed, BUILD a built tree.  TAP."""

import json
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from stack import (Tap, WECHAT_AES_KEY, WECHAT_TOKEN, post)  # noqa: E402
from test_wechat_oa import (answered, followers, openid, push,  # noqa: E402
                            ready_stack)

APPID = "wxb11529c136998cb6"
OTHER_KEY = "b" + WECHAT_AES_KEY[1:]


def node(given, *words, program="wechat.js"):
    run = subprocess.run(["node", "--no-deprecation", HERE / program,
                          *words], input=given, text=True,
                         capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def text_xml(number, text):
    return (f"<xml><ToUserName><![CDATA[gh_0]]></ToUserName>"
            f"<FromUserName><![CDATA[{openid(1)}]]></FromUserName>"
            f"<CreateTime>{int(time.time())}</CreateTime>"
            f"<MsgType><![CDATA[text]]></MsgType>"
            f"<Content><![CDATA[{text}]]></Content>"
            f"<MsgId>{number}</MsgId></xml>")


def test_the_sdk_and_the_simulator_understand_each_other():
    with ready_stack([]) as stack:
        template = json.loads(
            (stack.folder / "sim-templates.json").read_text())[0]
        places = template["text"].count(".DATA}}")
        data = {f"thing{n}": {"value": f"值{n} *~'()!\\ 😀"}
                for n in range(1, places + 1)}
        secret = (stack.folder / "secret").read_text().strip()
        said = node(json.dumps({"openid": openid(1), "data": data,
                                "template": template["code"]}),
                    "api", stack.sim, APPID, secret)
        codes = {name: answer.get("errcode") for name, answer in said.items()}
        assert codes == {
            "template": 0, "no_template": 40037, "too_long": 47003,
            "no_openid": 40003, "wrong_secret": 40125, "wrong_appid": 40013,
            "early": 45015, "answer": 0, "overlap": 0, "renewed": 0}, said
        entries = stack.entries()
        assert len(entries) == 4, entries
        assert entries[0]["message_id"] == said["template"]["msgid"]
        assert entries[0]["params"]["thing1"]["value"] == "值1 *~'()!\\ 😀"
        assert entries[1]["text"] == "谢谢 \"1\"\n😀"
        assert "rid:" in said["early"]["message"], said["early"]


def test_the_library_opens_what_the_simulator_pushes():
    for mode in "safe", "compatible":
        with ready_stack(followers(1), sim_options=("--wechat-mode", mode),
                         gateway_settings=f"callback-mode = {mode}") as stack:
            texts = ["1", "已服药 é 😀", "x" * 31, "x" * 32, "y" * 2000]
            for text in texts:
                push(stack, "text", text=text)
            push(stack, "unsubscribe")
            pushes = answered(stack, len(texts) + 1)
            opened = node(json.dumps(pushes), "open", WECHAT_TOKEN,
                          WECHAT_AES_KEY, APPID)
            for found in opened:
                assert found["id"] == APPID, found
                assert found["given"] == found["expected"], found
            assert ([text for text in texts for found in opened
                     if f"<![CDATA[{text}]]></Content>" in found["message"]]
                    == texts)


def test_the_daemon_believes_what_the_library_seals():
    with ready_stack(followers(1)) as stack:
        for number, text in enumerate(["1", "é 😀", "z" * 3000], 1):
            sealed = node(text_xml(number, text), "seal", WECHAT_TOKEN,
                          WECHAT_AES_KEY, APPID)
            url = f"{stack.callback_url()}?{sealed['query']}"
            assert post(url, sealed["body"]) == (200, "success")
            # a character of what is encrypted
            changed = sealed["body"].replace("CDATA[", "CDATA[A", 2)
            assert post(url, changed)[0] == 403
        for key, token, appid, status in [
                (OTHER_KEY, WECHAT_TOKEN, APPID, 400),
                (WECHAT_AES_KEY, "othertoken", APPID, 403),
                (WECHAT_AES_KEY, WECHAT_TOKEN, "wx0", 400)]:
            sealed = node(text_xml(9, "x"), "seal", token, key, appid)
            assert post(f"{stack.callback_url()}?{sealed['query']}",
                        sealed["body"])[0] == status, (key, token, appid)
        assert stack.number("SELECT count(*) FROM inbox") == 3


if __name__ == "__main__":
    raise SystemExit(Tap().run([
        test_the_sdk_and_the_simulator_understand_each_other,
        test_the_library_opens_what_the_simulator_pushes,
        test_the_daemon_believes_what_the_library_seals]))
