#!/usr/bin/env python3
"""adherctl template check: on a folder alone, with a provider's limits, with
a file of registrations, and against what the database says was approved.
The rules themselves: tests/unit/test_template_check.c."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from support import BUILD, ROOT, Site, equal, main

TEMPLATES = os.path.join(ROOT, "templates")
REFILL = "refill/zh-CN.tpl"


class Folder:
    """A copy of the shipped texts that a test may spoil."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="adherd-"))
        self.path.chmod(0o755)
        shutil.copytree(TEMPLATES, self.path / "t")
        self.texts = self.path / "t"
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def replace(self, name, old, new):
        path = self.texts / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def write(self, name, text):
        (self.texts / name).parent.mkdir(exist_ok=True)
        (self.texts / name).write_text(text, encoding="utf-8")


def aliyun_site(folder):
    """A database, and a gateway whose provider approves texts."""
    secret = folder.path / "secret"
    secret.write_text("demo\n", encoding="ascii")
    secret.chmod(0o600)
    return Site(f"""template-dir = {folder.texts}
plugin-dir = {BUILD}/gateways
[gateway "sms"]
plugin = sms_aliyun
access-key-id = demo
access-key-secret-file = {secret}
""")


def check(*arguments):
    """Exit status, output and errors, without any configuration."""
    run = subprocess.run(
        [os.path.join(BUILD, "adherctl"), "template", "check",
         *map(str, arguments)], capture_output=True, text=True, check=False,
        timeout=60)
    return run.returncode, run.stdout, run.stderr


def rules(*arguments):
    return [json.loads(line)["rule"]
            for line in check("--json", *arguments)[1].splitlines()]


def test_the_shipped_texts_are_clean():
    equal(check(TEMPLATES), (0, "", ""))
    equal(check(TEMPLATES, "--gateway", "sms_aliyun"), (0, "", ""))


def test_a_finding_is_a_line_with_its_place():
    with Folder() as f:
        f.replace(REFILL, "您的{{drug}}预计", "您的{{durg}}预计")
        status, out, err = check(f.texts)
        equal((status, err), (1, ""))
        equal(out, f"{f.texts}/{REFILL}:5:28 error unknown-variable "
              "unknown variable, at \"{{durg}}预计{{\"; did you mean "
              "\"drug\"?\n")
        finding = json.loads(check(f.texts, "--json")[1])
        equal(sorted(finding), ["column", "file", "line", "message", "rule",
                                "severity"])
        equal((finding["line"], finding["column"], finding["severity"]),
              (5, 28, "error"))


def test_every_finding_is_told_in_the_order_of_the_files():
    with Folder() as f:
        f.replace(REFILL, "需要帮忙", "限时优惠，需要帮忙")
        f.replace("dose/en.tpl", "All is well", "You forgot it")
        f.write("follow_up/en.tpl", "[stage \"-3d\"]\ntext = hello\n")
        equal([(line.split("/t/")[1].split(":")[0], line.split()[2])
               for line in check(f.texts)[1].splitlines()],
              [("dose/en.tpl", "reproach")]
              + [("follow_up/en.tpl", "missing-locale")] * 3
              + [(REFILL, "promotion-word")] * 2)


def test_warnings_alone_are_no_failure():
    with Folder() as f:
        f.replace("follow_up/zh-CN.tpl", "有复诊", "有{{visit}}")
        status, out, _ = check(f.texts)
        equal((status, out.split()[1:3]), (0, ["warning", "sensitive-name"]))


def test_usage_and_unreadable_folders_have_their_status():
    equal(check("/nonexistent")[0], 65)
    for wrong in ((TEMPLATES, TEMPLATES), (TEMPLATES, "--nope"),
                  (TEMPLATES, "--gateway"),
                  (TEMPLATES, "--registrations", "x.json")):
        equal(check(*wrong)[0], 64)
    status, out, err = check(TEMPLATES, "--gateway", "sms_aliyn")
    equal((status, out), (64, ""))
    assert 'did you mean "sms_aliyun"?' in err, err


def test_a_folder_or_file_that_cannot_be_read_is_told():
    with Folder() as f:
        shutil.rmtree(f.texts / "renewal")
        f.write("dose/zh-CN.fax.tpl", "")
        found = rules(f.texts)
        equal(sorted(set(found)),
              ["missing-stage", "unknown-channel", "unreadable"])


def test_the_words_of_the_folder_go_before_the_shipped_ones():
    with Folder() as f:
        f.replace("dose/en.tpl", "All is well", "You forgot it")
        f.write("words/reproach.txt", "zebra\n")
        equal(rules(f.texts), [])
        (f.texts / "words/reproach.txt").unlink()
        equal(rules(f.texts), ["reproach", "word-list"])
        f.write("words/reproach.txt", "qq ! b\n")
        equal(rules(f.texts), ["word-list"])


def findings(*arguments):
    return [(os.path.basename(x["file"]), x["severity"], x["rule"])
            for x in map(json.loads,
                         check("--json", *arguments)[1].splitlines())]


def test_a_list_that_is_missing_or_empty_is_no_silence():
    with Folder() as f:
        f.write("words/reproach.txt", "# nothing yet\n\n")
        equal(findings(f.texts), [("reproach.txt", "error", "word-list")])
        equal(check(f.texts)[0], 1)
        (f.texts / "words/reproach.txt").unlink()
        equal(findings(f.texts), [("reproach.txt", "warning", "word-list")])
        equal(check(f.texts)[0], 0)
        shutil.rmtree(f.texts / "words")
        equal(findings(f.texts), [("words", "warning", "word-list")])
        shutil.copytree(os.path.join(TEMPLATES, "words"), f.texts / "words")
        (f.texts / "words/reproach.txt").write_bytes(b"no\n\xff\xfe\n")
        status, out, _ = check(f.texts)
        equal((status, out), (1, f"{f.texts}/words/reproach.txt:2 error "
                              "word-list not UTF-8\n"))


def test_what_nobody_would_read_is_told():
    with Folder() as f:
        f.write("refil/zh-CN.tpl", "[stage \"-7d\"]\ntext = x\n")
        f.write("en.tpl", "")
        f.write("words/advertizing.txt", "zebra\n")
        f.write("notes/todo.txt", "none of our business\n")
        equal(findings(f.texts), [("en.tpl", "error", "unknown-kind"),
                                  ("refil", "error", "unknown-kind"),
                                  ("advertizing.txt", "error", "word-list")])
        out = check(f.texts)[1]
        assert 'did you mean "refill"?' in out, out
        assert 'did you mean "advertising"?' in out, out


def test_what_is_no_file_is_not_waited_for():
    with Folder() as f:
        os.mkfifo(f.texts / "refill/en-US.tpl")
        os.symlink("/dev/zero", f.texts / "dose/en-US.tpl")
        (f.texts / "words/purchase.txt").unlink()
        os.mkfifo(f.texts / "words/purchase.txt")
        equal(findings(f.texts), [("en-US.tpl", "error", "unreadable"),
                                  ("en-US.tpl", "error", "unreadable"),
                                  ("purchase.txt", "error", "unreadable")])


def test_a_discreet_folder_names_no_product():
    status, out, _ = check(TEMPLATES, "--discreet")
    equal(status, 1)
    assert "a discreet text has no {{drug}}" in out, out


def registration(**changes):
    return {"kind": "refill", "stage": "-7d", "locale": "zh-CN",
            "code": "SMS_1", "signature": "示例医院",
            "parameters": ["patient", "drug", "run_out", "days", "clinic"],
            **changes}


def test_registrations_are_checked_before_they_are_submitted():
    with Folder() as f:
        path = f.path / "r.json"

        def with_file(gateway, **changes):
            path.write_text(json.dumps([registration(**changes)]),
                            encoding="utf-8")
            return rules(TEMPLATES, "--gateway", gateway, "--registrations",
                         path)
        equal(with_file("sms_aliyun"), [])
        equal(with_file("sms_aliyun", parameters=["patient"]),
              ["parameter-missing"] * 4)
        equal(with_file("sms_aliyun", stage="-5d"), ["registration-unused"])
        equal(with_file("sms_aliyun", **{"class": "promotion"}),
              ["registration-class"])
        equal(with_file("wechat_mini", parameters=["thing1=drug"]),
              ["parameter-length"])
        equal(with_file("wechat_mini", parameters=[
            "thing1=drug|text:20", "date2=run_out|long_date"]), [])


def test_a_registration_that_is_malformed_names_its_place():
    with Folder() as f:
        path = f.path / "r.json"
        good = registration(stage="-3d")
        for rows, told in (
                ([], ": not an array of registrations"),
                ([good, registration(code="")], ": [1].code: is empty"),
                ([good, registration(locale="")], ": [1].locale: is empty"),
                ([registration(code=7)], ': [0]: no "code"'),
                ([registration(parameters="drug")], ": [0].parameters: "),
                ([registration(parameters=None)], ": [0].parameters: "),
                ([registration(**{"class": "promo"})], ": [0].class: "),
                ([registration(), good, registration()],
                 ": [2]: refill -7d zh-CN is registered by [0] already")):
            path.write_text(json.dumps(rows), encoding="utf-8")
            status, out, err = check(TEMPLATES, "--gateway", "sms_aliyun",
                                     "--registrations", path)
            equal((status, out), (65, ""))
            assert err.startswith(f"adherctl: {path}{told}"), err


def test_texts_are_compared_with_what_was_approved():
    with Folder() as f, aliyun_site(f) as site:
        site.ctl("migrate", status=0)

        def found():
            return [(x["file"].split("/")[-2], x["line"], x["rule"])
                    for x in site.lines("template", "check")]
        equal(len(found()), 58)
        equal({x[2] for x in found()}, {"template-unapproved"})
        rows = [{**json.loads(line), "code": f"SMS_{number}",
                 "signature": "示例医院"} for number, line in enumerate(
                     site.ctl("--json", "template", "list",
                              status=0)[1].splitlines())]
        path = f.path / "approved.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        site.ctl("template", "register", "smss", str(path), status=65)
        site.ctl("template", "register", "sms", str(path), status=0)
        equal(found(), [])
        equal(site.ctl("template", "check")[0], 0)
        f.replace(REFILL, "需要帮忙请联系", "要帮忙请联系")
        equal(found(), [("refill", 8, "template-unapproved")])
        # the shipped folder is still the one that was approved
        equal(site.lines("template", "check", TEMPLATES, status=0), [])


def test_a_text_of_the_channel_is_the_one_that_is_registered():
    with Folder() as f, aliyun_site(f) as site:
        f.write("refill/zh-CN.sms.tpl",
                "[stage \"-7d\"]\ntext = {{drug}}快用完了\n")
        f.write("refill/zh-CN.push.tpl",
                "[stage \"-7d\"]\ntext = {{drug}}还有{{days}}天\n")
        site.ctl("migrate", status=0)
        path = f.path / "r.json"
        path.write_text(json.dumps([registration(parameters=["drug"])]),
                        encoding="utf-8")
        site.ctl("template", "register", "sms", str(path), status=0)
        told = [x["message"] for x in site.lines("template", "check")
                if x["file"].endswith("zh-CN.sms.tpl")]
        equal(told, [])


main()
