#!/usr/bin/env python3
"""From `adherctl template list --json` on stdin: what the simulator has
registered (argv[1]) and the registrations that adherctl takes (argv[2]), at
aliyun or the provider named (argv[3])."""

import json
import sys

SIGNATURE = "示例医院"


def main(simulator_file, registrations_file, provider="aliyun"):
    prefix = {"aliyun": "SMS_", "tencent": "",
              "wechat": "iPk5sOIt5X_flOVKn5GrTFpncEYTojx6ddbt8WYoV5"}[provider]
    simulator, registrations = [], []
    for number, line in enumerate(sys.stdin):
        template = json.loads(line)
        # answers go as customer-service messages
        if provider == "wechat" and template["kind"] == "answer":
            continue
        code = f"{prefix}{10000001 + number}"
        parameters = template["parameters"]
        text = template.get(provider)
        if provider == "wechat":
            text = template["aliyun"]
            for place, name in enumerate(parameters, 1):
                text = text.replace("${" + name + "}",
                                    "{{thing" + str(place) + ".DATA}}")
            parameters = [f"thing{place}={name}"
                          for place, name in enumerate(parameters, 1)]
        simulator.append({"code": code, "signature": SIGNATURE,
                          "text": text})
        registrations.append({
            "kind": template["kind"], "stage": template["stage"],
            "locale": template["locale"], "code": code,
            "signature": SIGNATURE, "parameters": parameters})
    for path, rows in ((simulator_file, simulator),
                       (registrations_file, registrations)):
        with open(path, "w", encoding="utf-8") as out:
            json.dump(rows, out, ensure_ascii=False, indent=0)


main(*sys.argv[1:])
