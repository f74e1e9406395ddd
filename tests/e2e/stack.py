"""Everything that runs, as a test sees it: a private PostgreSQL cluster, the
provider simulator, any number of adherd copies, adherctl.  Python standard
library only.  BUILD names the build directory."""

import datetime
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sim"))
from ledger_check import PSQL, Key, encode_reference  # noqa: E402,F401
from simulator import Tap, in_time  # noqa: E402,F401
import leaks  # noqa: E402
import postgres  # noqa: E402
from cluster import (ROOT, Cluster, Shared,  # noqa: E402
                     build_folder)
import transitions  # noqa: E402

SAMPLES = ROOT / "tests/samples"
SIGNATURE = "示例医院"
WEBHOOK_SIGNS = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
WEBHOOK_CALLS = "whsec_MzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVI="
# the official sample; its last character has bits to spare
WECHAT_AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
WECHAT_TOKEN = "spamtest"
WECOM_ROBOT_KEY = "693a91f6-7aaa-4bc4-97a0-0ec2c1fa5aaa"
CHINA = datetime.timezone(datetime.timedelta(hours=8))
# how a plug-in finds the simulator, and its keys; others take a url
PROVIDERS = {
    "sms_aliyun": """access-key-id = key-id
access-key-secret-file = {folder}/secret
endpoint = {sim}""",
    "sms_tencent": """secret-id = key-id
secret-key-file = {folder}/secret
sdk-app-id = 1400006666
endpoint = {sim}""",
    "wechat_oa": """appid = wxb11529c136998cb6
app-secret-file = {folder}/secret
callback-token-file = {folder}/push-token
callback-aes-key-file = {folder}/aes-key
endpoint = {sim}""",
    "wechat_mini": """appid = wxb11529c136998cb6
app-secret-file = {folder}/secret
callback-token-file = {folder}/push-token
callback-aes-key-file = {folder}/aes-key
page = pages/today
endpoint = {sim}""",
    "wecom": """corpid = ww0123456789abcdef
corpsecret-file = {folder}/secret
agentid = 1000002
callback-token-file = {folder}/push-token
callback-aes-key-file = {folder}/aes-key
endpoint = {sim}""",
    "wecom robot": """robot-key-file = {folder}/robot-key
endpoint = {sim}""",
    "webhook": """signing-secret-file = {folder}/signs
verify-secret-file = {folder}/calls
url = {sim}/webhook"""}

CHANNELS = {"wechat_oa": "wechat_oa", "wechat_mini": "wechat_mini",
            "wecom": "wecom"}
# whose rules the texts are registered by
REGISTERED_AT = {"sms_tencent": ["tencent"], "wechat_oa": ["wechat"],
                 "wechat_mini": ["wechat"]}


def wait_until(condition, limit_s, what):
    """Poll; the last value is returned, a timeout fails."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.05)


# Below what the kernel hands to outgoing connections (from 32768 on): a port
# from there may belong to any client by the time a killed copy comes back.
PORTS = range(10000, 32700)
PORTS_EACH = 100
own_ports = {"held": None, "next": None}


def free_port():
    """A port that no other program of tests is given: this one holds a block,
    by a socket in the abstract namespace, which ends with the process."""
    if own_ports["held"] is None:
        blocks = len(PORTS) // PORTS_EACH
        for attempt in range(blocks):
            block = (os.getpid() + attempt) % blocks
            held = socket.socket(socket.AF_UNIX)
            try:
                held.bind(f"\0adherd-tests-ports-{block}")
            except OSError:
                held.close()
                continue
            first = PORTS[block * PORTS_EACH]
            own_ports["held"] = held
            own_ports["next"] = itertools.cycle(
                range(first, first + PORTS_EACH))
            break
        else:
            raise AssertionError("no block of ports is free")
    for _ in range(PORTS_EACH):
        port = next(own_ports["next"])
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")


def get_json(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def post(url, body, headers=None):
    """Status and text, whatever the status."""
    data = body if isinstance(body, bytes) else body.encode()
    try:
        with urllib.request.urlopen(
                urllib.request.Request(url, data=data, headers=headers or {}),
                timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Copy:
    """One adherd."""

    def __init__(self, stack, number):
        self.admin = f"http://127.0.0.1:{stack.ports[number][1]}"
        self.callback_port = stack.ports[number][0]
        self.log_path = stack.folder / f"adherd-{number}.log"
        self.config = stack.write_config(number)
        self.log_begin = 0      # of its last start
        self.process = None
        self.stack = stack
        self.launcher = []      # words before the program
        self.environment = {}   # besides our own

    def start(self, wait=True, stderr=None):
        """stderr: where its log goes instead of log_path."""
        with open(self.log_path, "ab") as log:
            self.log_begin = log.tell()
            self.process = subprocess.Popen(
                [*self.launcher, self.stack.build / "adherd", "-c",
                 self.config, "--care-time", self.stack.care_time],
                stderr=log if stderr is None else stderr,
                env={**os.environ, **self.environment})
        if wait:
            wait_until(self.ready, 30, "adherd is ready")
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"adherd ended: {self.log_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{self.admin}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def metrics(self):
        """As Prometheus gets them; empty where nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.admin}/metrics",
                                        timeout=1) as answer:
                return answer.read()
        except OSError:
            return b""

    def log_text(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, limit_s=30):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(limit_s)


class Stack:
    """care_time: where the patients' clock begins."""

    def __init__(self, care_time, copies=1, gateway="sms_aliyun",
                 settings="", gateway_settings="", sim_options=(),
                 cluster_options=""):
        self.build = build_folder()
        self.care_time = care_time
        self.gateway = gateway
        self.settings = settings
        self.gateway_settings = gateway_settings
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="adherd-e2e."))
        self.folder.chmod(0o711)
        self.errors = []        # what adherctl wrote to stderr
        self.sequence = itertools.count(1)      # of replies
        self.failed = False
        self.cluster = self.make_cluster(cluster_options)
        self.dsn = self.cluster.dsn
        self.database = postgres.Connections(self.dsn)
        self.ports = [(free_port(), free_port()) for _ in range(copies)]
        self.sim_port = free_port()
        self.sim = f"http://127.0.0.1:{self.sim_port}"
        self.sim_process = None
        self.write_secret("secret", "an-access-key-secret")
        self.write_secret("callback", "a-callback-secret-of-22-characters")
        self.write_secret("signs", WEBHOOK_SIGNS)
        self.write_secret("calls", WEBHOOK_CALLS)
        self.write_secret("push-token", WECHAT_TOKEN)
        self.write_secret("aes-key", WECHAT_AES_KEY)
        self.write_secret("robot-key", WECOM_ROBOT_KEY)
        self.copies = [Copy(self, number) for number in range(copies)]
        self.ctl("keyring", "create", self.folder / "keyring")
        self.ctl("migrate")
        self.cluster.keep_migrated()
        self.watch()
        self.register_templates()
        self.start_sim(sim_options)

    # -- what it is made of

    def make_cluster(self, options):
        """One of its own where it is to be another one."""
        if options:
            return Cluster(self.cluster_folder(), options)
        return Shared.take()

    def cluster_folder(self):
        return str(self.folder / "pg")

    def watch(self):
        transitions.watch(self)

    def write_secret(self, name, text):
        path = self.folder / name
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(0o600)

    def write_config(self, number):
        path = self.folder / f"adherd-{number}.conf"
        plugin = self.gateway.split()[0]
        provider = PROVIDERS.get(self.gateway)
        where = (provider.format(sim=self.sim, folder=self.folder)
                 if provider else f"url = {self.sim}/loopback")
        path.write_text(f"""[adherd]
copy = copy-{number}
database = {self.dsn}
keyring-file = {self.folder}/keyring
template-dir = {ROOT}/templates
plugin-dir = {self.build}/gateways
listen = 127.0.0.1:{self.ports[number][0]}
admin-listen = 127.0.0.1:{self.ports[number][1]}
test-clock = yes
state-dir = {self.folder}
{self.settings}
[gateway "sms"]
plugin = {plugin}
channel = {CHANNELS.get(plugin, "sms")}
{where}
plain-http = yes
callback-secret-file = {self.folder}/callback
{self.gateway_settings}
""", encoding="utf-8")
        return str(path)

    def register_templates(self):
        listed = self.ctl("template", "list", "--dir", ROOT / "templates",
                          "--json")
        subprocess.run(
            [ROOT / "tests/demo/registrations.py",
             self.folder / "sim-templates.json",
             self.folder / "registrations.json",
             *REGISTERED_AT.get(self.gateway, [])],
            input=listed, text=True, check=True)
        self.ctl("template", "register", "sms",
                 self.folder / "registrations.json")

    def callback_url(self, name="sms", copy=0):
        secret = (self.folder / "callback").read_text().strip()
        return (f"http://127.0.0.1:{self.ports[copy][0]}/callback/{name}/"
                f"{secret}")

    def start_sim(self, options=()):
        callback = self.callback_url()
        self.sim_process = subprocess.Popen(
            [self.build / "tests/adherd-sim", "--port", str(self.sim_port),
             "--templates", self.folder / "sim-templates.json",
             "--access-key-id", "key-id",
             "--access-key-secret-file", self.folder / "secret",
             "--ledger", self.folder / "ledger.jsonl",
             "--callback", callback, "--loopback-callback", callback,
             "--tencent-callback", callback,
             "--webhook-callback", callback,
             "--webhook-secret-file", self.folder / "signs",
             "--webhook-callback-secret-file", self.folder / "calls",
             "--wechat-secret-file", self.folder / "secret",
             "--wechat-callback", callback,
             "--wecom-callback", callback,
             "--wechat-token-file", self.folder / "push-token",
             "--wechat-aes-key-file", self.folder / "aes-key",
             *options], stdout=subprocess.DEVNULL)
        wait_until(self.sim_answers, 10, "the simulator answers")

    def sim_answers(self):
        try:
            return get_json(f"{self.sim}/ledger/summary") is not None
        except OSError:
            return False

    # -- what one does with it

    def ctl(self, *words, check=True):
        run = subprocess.run(
            [self.build / "adherctl", "-c", self.folder / "adherd-0.conf",
             *map(str, words)], text=True, capture_output=True, check=False)
        self.errors.append(run.stderr)
        if check and run.returncode != 0:
            raise AssertionError(f"adherctl {words[0]}: {run.returncode} "
                                 f"{run.stderr[-2000:]}")
        return run.stdout if check else run

    def import_fhir(self, source, *files):
        return self.ctl("import", "fhir", "--source", source, *files)

    def write_bundle(self, name, resources, kind="collection"):
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(
            {"resourceType": "Bundle", "type": kind,
             "entry": [{"fullUrl": f"https://clinic.example/fhir/"
                        f"{r['resourceType']}/{r['id']}", "resource": r}
                       for r in resources]}, ensure_ascii=False),
            encoding="utf-8")
        return path

    def import_bundle(self, source, resources, kind="collection"):
        return self.import_fhir(
            source, self.write_bundle(source, resources, kind))

    def sql(self, text):
        """Rows as lists of text."""
        return self.database.query(text)

    def number(self, text):
        return int(self.sql(text)[0][0])

    def wait_looked_at(self, limit_s=20):
        """Until all who were imported or touched are looked at."""
        wait_until(lambda: self.number(
            "SELECT count(*) FROM agenda WHERE class = 2") == 0, limit_s,
            "they are looked at")

    def begin(self, resources, faults=(), limit_s=20):
        """Start the copies and import; looked at when it returns, closed
        where that fails."""
        try:
            for fault in faults:
                self.fault(**fault)
            for copy in self.copies:
                copy.start()
            if resources:
                self.import_bundle("clinic", resources)
                self.wait_looked_at(limit_s)
            return self
        except BaseException:
            self.failed = True
            self.close()
            raise

    def at_rest(self):
        """Nobody is due and nothing is on its way."""
        return self.number(
            "SELECT (SELECT count(*) FROM batch) + (SELECT count(*) FROM "
            "agenda WHERE next_at <= clock_timestamp() + (SELECT offset_us "
            "FROM care_clock) * interval '1 us')") == 0

    def fault(self, **switch):
        status, text = post(f"{self.sim}/control", json.dumps(switch))
        assert status == 200, text

    def entries(self):
        found, since = [], 0
        while True:
            page = get_json(f"{self.sim}/ledger?since={since}&limit=10000")
            if not page["entries"]:
                return found
            found += page["entries"]
            since = page["next"]

    def say(self, who, text, copy=0, sequence_id=None, extension="1234"):
        """Aliyun pushes a reply: from a patient of patient(), or a number."""
        phone = who if isinstance(who, str) else f"1990{who:07d}"
        status, answer = post(self.callback_url(copy=copy), json.dumps([{
            "phone_number": phone, "send_time": "2026-03-02 10:05:00",
            "content": text, "sign_name": SIGNATURE, "dest_code": extension,
            "sequence_id": sequence_id or next(self.sequence)}],
            ensure_ascii=False))
        assert status == 200, (status, answer)

    def settle_replies(self, limit_s=20, count=0):
        """count: what the simulator pushes may be on its way still."""
        wait_until(lambda: self.number(
            "SELECT count(*) FROM inbox WHERE type = 2") >= count, limit_s,
            "replies have come")
        wait_until(lambda: self.number(
            "SELECT count(*) FROM inbox WHERE type = 2 AND state = 0") == 0,
            limit_s, "replies are worked on")

    def move_clock(self, to, copy=0):
        """An instant, or a step like +24h."""
        status, text = post(f"{self.copies[copy].admin}/-/care-time", to)
        assert status == 200, text

    def leap_to_retries(self):
        """What surely did not leave waits minutes of care time: the clock
        leaps over them, and no further, however long the retry takes."""
        if self.number(
                "SELECT count(*) FROM delivery WHERE state = 5 AND retry_at > "
                "clock_timestamp() + (SELECT offset_us FROM care_clock) "
                "* interval '1 us'"):
            self.move_clock("+2m")

    def care_offset_s(self):
        return float(self.sql("SELECT offset_us / 1e6 FROM care_clock")[0][0])

    def check_ledger(self, *options):
        """The checker's report; a violation fails."""
        run = subprocess.run(
            [sys.executable, ROOT / "tests/sim/ledger_check.py",
             "--sim", self.sim, "--care-offset-s", str(self.care_offset_s()),
             "--keyring", self.folder / "keyring", *options], text=True, capture_output=True, check=False,
            env={**os.environ, "ADHERD_DSN": self.dsn})
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def leaks(self):
        """Planted values in what operators collect: leaks.py."""
        sources = [("stderr of adherctl", "".join(self.errors).encode())]
        for copy in self.copies:
            if copy.process and copy.process.poll() is None:
                sources.append((f"/metrics of {copy.log_path.stem}",
                                copy.metrics()))
        return leaks.check(
            sources, [*(copy.log_path for copy in self.copies),
                      *leaks.server_logs(self.cluster.folder)],
            leaks.ring_secrets(self.folder / "keyring"))

    def close(self):
        hits = self.leaks()
        for copy in self.copies:
            if copy.process and copy.process.poll() is None:
                copy.kill()
        if self.sim_process:
            self.sim_process.terminate()
            self.sim_process.wait()
        transitions.add_to_file(self)
        self.database.close()
        self.cluster.close(self.failed or bool(hits))
        shutil.rmtree(self.folder, ignore_errors=True)
        for hit in hits:
            print(f"# leak: {hit}")
        # a test that failed says why; its leaks stand above
        assert not hits or self.failed, f"leak: {hits[0]}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.failed = error[0] is not None
        if self.failed:
            for copy in self.copies:
                if copy.log_path.exists():
                    for line in copy.log_text().splitlines()[-15:]:
                        print(f"# {copy.log_path.name}: {line}")
        self.close()


# ---- patients made for a test ----

def patient(number, phone=None):
    return {
        "resourceType": "Patient", "id": f"p{number}",
        "extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/timezone",
            "valueCode": "Asia/Shanghai"}],
        "name": [{"text": f"甲{number}"}],
        "birthDate": "1960-01-01",
        "communication": [{"language": {"coding": [{
            "system": "urn:ietf:bcp:47", "code": "zh-CN"}]},
            "preferred": True}],
        "telecom": [{"system": "sms",
                     "value": phone or f"+861990{number:07d}"}]}


def consent(number, topics=("refill",), status="active",
            given="2026-01-01T08:00:00+08:00"):
    return {
        "resourceType": "Consent", "id": f"c{number}", "status": status,
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "category": [{"coding": [{"code": "59284-0"}]}],
        "patient": {"reference": f"Patient/p{number}"},
        "dateTime": given,
        "policyRule": {"coding": [{"code": "OPTIN"}]},
        "provision": {"type": "permit", "purpose": [
            {"system": "https://adherd.example/fhir/topic", "code": topic}
            for topic in topics]}}


def prescription(number, repeats=3):
    return {
        "resourceType": "MedicationRequest", "id": f"m{number}",
        "status": "active", "intent": "order",
        "medicationCodeableConcept": {"coding": [{
            "system": "http://www.whocc.no/atc", "code": "C08CA01",
            "display": "amlodipine"}], "text": "氨氯地平片 5mg"},
        "subject": {"reference": f"Patient/p{number}"},
        "authoredOn": "2026-01-01",
        "dosageInstruction": [{"timing": {"repeat": {
            "frequency": 1, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "片"}}]}],
        "dispenseRequest": {"numberOfRepeatsAllowed": repeats,
                            "quantity": {"value": 28, "unit": "片"}}}


def fill(number, on, days=28):
    return {
        "resourceType": "MedicationDispense", "id": f"d{number}-{on}",
        "status": "completed",
        "medicationCodeableConcept": {"coding": [{
            "system": "http://www.whocc.no/atc", "code": "C08CA01"}]},
        "subject": {"reference": f"Patient/p{number}"},
        "authorizingPrescription": [{
            "reference": f"MedicationRequest/m{number}"}],
        "daysSupply": {"value": days, "unit": "d",
                       "system": "http://unitsofmeasure.org", "code": "d"},
        "whenHandedOver": f"{on}T09:00:00+08:00"}


def refill_patients(count, handed_over="2026-02-09", first=1):
    """28 days from 9 February: run-out on 9 March, -7d on 2 March."""
    found = []
    for number in range(first, first + count):
        found += [patient(number), consent(number), prescription(number),
                  fill(number, handed_over)]
    return found
