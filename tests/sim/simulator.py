"""The simulator as a test sees it: start and stop it, sign requests, take
its callbacks.  Python standard library only; the signatures are computed
here from the vendor's description, not with any code of ours."""

import base64
import datetime
import hashlib
import hmac
import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
KEY_ID = "testAccessKeyId"
SECRET = "testAccessKeySecret"


def percent(text):
    """RFC 3986: all but the unreserved set."""
    return urllib.parse.quote(str(text), safe="-_.~")


def canonical(params):
    return "&".join(f"{percent(k)}={percent(v)}"
                    for k, v in sorted(params.items()))


def acs3_canonical(method, uri, params, headers, payload_hash):
    """The canonical request and the signed header names."""
    grouped = {}
    for name, value in headers:
        lower = name.lower()
        if lower.startswith("x-acs-") or lower in ("host", "content-type"):
            grouped.setdefault(lower, []).append(value.strip())
    lines = "".join(f"{name}:{','.join(sorted(grouped[name]))}\n"
                    for name in sorted(grouped))
    signed = ";".join(sorted(grouped))
    return (f"{method}\n{uri}\n{canonical(params)}\n{lines}\n{signed}\n"
            f"{payload_hash}", signed)


def acs3_sign(text, secret):
    to_sign = ("ACS3-HMAC-SHA256\n"
               + hashlib.sha256(text.encode()).hexdigest())
    return hmac.new(secret.encode(), to_sign.encode(),
                    hashlib.sha256).hexdigest()


def rpc_sign(method, params, secret):
    to_sign = f"{method}&%2F&{percent(canonical(params))}"
    return base64.b64encode(hmac.new(f"{secret}&".encode(), to_sign.encode(),
                                     hashlib.sha1).digest()).decode()


def tc3_canonical(method, uri, query, headers, payload, order=sorted):
    """The canonical request and the signed header names."""
    ordered = order((name.lower(), value.lower().strip())
                    for name, value in headers)
    lines = "".join(f"{name}:{value}\n" for name, value in ordered)
    signed = ";".join(name for name, _ in ordered)
    return (f"{method}\n{uri}\n{query}\n{lines}\n{signed}\n"
            f"{hashlib.sha256(payload).hexdigest()}", signed)


def tc3_sign(text, secret, timestamp, service="sms"):
    """The scope and the signature of a canonical request."""
    def mac(key, what):
        return hmac.new(key, what.encode(), hashlib.sha256)

    date = datetime.datetime.fromtimestamp(
        timestamp, datetime.timezone.utc).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    to_sign = (f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n"
               + hashlib.sha256(text.encode()).hexdigest())
    key = mac(f"TC3{secret}".encode(), date).digest()
    key = mac(mac(key, service).digest(), "tc3_request").digest()
    return scope, mac(key, to_sign).hexdigest()


def tc3_authorization(key_id, secret, timestamp, headers, payload,
                      service="sms", order=sorted):
    text, signed = tc3_canonical("POST", "/", "", headers, payload, order)
    scope, signature = tc3_sign(text, secret, timestamp, service)
    return (f"TC3-HMAC-SHA256 Credential={key_id}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}")


def webhook_sign(secret, webhook_id, timestamp, body):
    """An entry of webhook-signature, by Standard Webhooks 1.0.0."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(
        key, content, hashlib.sha256).digest()).decode()


def webhook_headers(secret, webhook_id, body, timestamp=None):
    timestamp = str(int(time.time()) if timestamp is None else timestamp)
    return {"Content-Type": "application/json", "webhook-id": webhook_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": webhook_sign(secret, webhook_id, timestamp,
                                              body)}


def utc_text(offset_s=0):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(seconds=offset_s)).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


class Receiver:
    """An HTTP server that remembers what is posted to it."""

    def __init__(self, status=200, body=b'{"code":0,"msg":"ok"}'):
        self.status = status
        self.body = body
        self.posts = []
        self.raw = []           # headers and bytes of each
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append(
                    (time.monotonic(), self.path,
                     json.loads(raw) if raw[:1] in (b"{", b"[")
                     else raw.decode()))
                receiver.raw.append((dict(self.headers), raw))
                self.send_response(receiver.status)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/callback"
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def items(self):
        return [item for _, _, body in list(self.posts) for item in body]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        response = self.json.get("Response")
        if response is not None:
            return response.get("Error", {}).get("Code")
        return self.json.get("Code", self.json.get("code"))

    @property
    def codes(self):
        """Of each number, as Tencent answers."""
        return [status["Code"]
                for status in self.json["Response"]["SendStatusSet"]]


class Simulator:
    """A running adherd-sim; use it in a with statement."""

    def __init__(self, program, *extra, templates=None, key_id=KEY_ID,
                 secret=SECRET):
        self.folder = tempfile.TemporaryDirectory(prefix="adherd-sim-")
        secret_file = os.path.join(self.folder.name, "secret")
        with open(secret_file, "w", encoding="utf-8") as out:
            out.write(secret + "\n")
        os.chmod(secret_file, 0o600)
        self.ledger_file = os.path.join(self.folder.name, "ledger.jsonl")
        self.key_id, self.secret = key_id, secret
        self.process = subprocess.Popen(
            [program, "--port", "0",
             "--templates", templates or os.path.join(HERE, "templates.json"),
             "--access-key-id", key_id,
             "--access-key-secret-file", secret_file,
             "--ledger", self.ledger_file, *extra],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if "127.0.0.1:" not in line:
            raise RuntimeError(f"the simulator did not start: {line!r}")
        self.port = int(line.split("127.0.0.1:")[1].split("/")[0])
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def stop(self):
        """End it; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(10)
        self.process.stdout.close()
        return status

    def request(self, method, target, headers=(), body=b"", timeout=10):
        """Exactly these headers (Host too, if given) and bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=timeout)
        try:
            given = {name.lower() for name, _ in headers}
            connection.putrequest(method, target, skip_host="host" in given,
                                  skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value.encode())
            if body or method == "POST":
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()),
                          response.read())
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path).json

    def post(self, path, value, timeout=10):
        return self.request("POST", path,
                            [("Content-Type", "application/json")],
                            json.dumps(value).encode(), timeout)

    def control(self, **switch):
        answer = self.post("/control", switch)
        if answer.status != 200:
            raise ValueError(answer.body)
        return answer.json

    def ledger(self):
        return self.get("/ledger?limit=10000")["entries"]

    def aliyun(self, action, params, *, form=False, secret=None, key_id=None,
               date=None, nonce=None, version="2017-05-25", change=None,
               timeout=10):
        """One ACS3 request; change(headers) may spoil it after signing."""
        body = canonical(params).encode() if form else b""
        payload_hash = hashlib.sha256(body).hexdigest()
        headers = [("host", self.host), ("x-acs-action", action),
                   ("x-acs-version", version),
                   ("x-acs-date", date or utc_text()),
                   ("x-acs-signature-nonce", nonce or uuid.uuid4().hex),
                   ("x-acs-content-sha256", payload_hash)]
        if form:
            headers.append(("content-type",
                            "application/x-www-form-urlencoded"))
        query = {} if form else params
        text, signed = acs3_canonical("POST", "/", query, headers,
                                      payload_hash)
        signature = acs3_sign(text, secret or self.secret)
        headers.append(("Authorization",
                        "ACS3-HMAC-SHA256 "
                        f"Credential={key_id or self.key_id},"
                        f"SignedHeaders={signed},Signature={signature}"))
        if change:
            headers = change(headers)
        target = "/" + ("?" + canonical(query) if query else "")
        return self.request("POST", target, headers, body, timeout)

    def tencent(self, action, body, *, secret=None, key_id=None,
                timestamp=None, service="sms", version="2021-01-11",
                region="ap-guangzhou", change=None, timeout=10,
                signs=("content-type", "host", "x-tc-action"), order=sorted):
        """One TC3 request of a JSON value, or of these bytes; change(headers)
        may spoil it after signing."""
        payload = (body if isinstance(body, bytes) else
                   json.dumps(body, ensure_ascii=False).encode())
        when = int(time.time()) if timestamp is None else timestamp
        headers = [("content-type", "application/json; charset=utf-8"),
                   ("host", self.host), ("x-tc-action", action)]
        authorization = tc3_authorization(
            key_id or self.key_id, secret or self.secret, when,
            [(name, value) for name, value in headers if name in signs],
            payload, service, order)
        headers += [("x-tc-version", version), ("x-tc-timestamp", str(when)),
                    ("x-tc-region", region),
                    ("authorization", authorization)]
        if change:
            headers = change(headers)
        return self.request("POST", "/", headers, payload, timeout)

    def webhook(self, body, *, secret, webhook_id=None, timestamp=None,
                change=None):
        """One signed request; change(headers) may spoil it."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if webhook_id is None:
            webhook_id = body["data"]["messages"][0]["reference"]
        headers = webhook_headers(secret, webhook_id, raw, timestamp)
        if change:
            change(headers)
        return self.request("POST", "/webhook", list(headers.items()), raw)

    def aliyun_rpc(self, action, params, *, method="GET", secret=None,
                   date=None, nonce=None, change=None):
        """One request in the older scheme; change(params) may spoil it."""
        whole = {"AccessKeyId": self.key_id, "Action": action,
                 "Format": "JSON", "RegionId": "cn-hangzhou",
                 "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
                 "SignatureNonce": nonce or uuid.uuid4().hex,
                 "Timestamp": date or utc_text(), "Version": "2017-05-25",
                 **params}
        whole["Signature"] = rpc_sign(method, whole, secret or self.secret)
        if change:
            change(whole)
        if method == "GET":
            return self.request("GET", "/?" + canonical(whole))
        return self.request(
            "POST", "/",
            [("Content-Type", "application/x-www-form-urlencoded")],
            canonical(whole).encode())


def wait_for(condition, seconds=5.0):
    """Poll until condition() is true; its last value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


class Late(AssertionError):
    """Right, but not within its bound of time."""


def in_time(took_s, bound_s, what):
    if took_s > bound_s:
        raise Late(f"{what}: {took_s:.2f} s > {bound_s:.2f} s")


class Tap:
    """One line for each test; exit status 1 if one failed.  Others use the
    machine as well: a test that was only late is measured once more."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def run(self, tests):
        # told to end: what was started is still cleared away
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        print(f"TAP version 13\n1..{len(tests)}", flush=True)
        for test in tests:
            self.count += 1
            name = test.__name__.removeprefix("test_").replace("_", " ")
            try:
                try:
                    test()
                except Late as late:
                    print(f"# measured once more: {late}", flush=True)
                    test()
                print(f"ok {self.count} - {name}", flush=True)
            except Exception as error:  # every failure is a line
                self.failed += 1
                print(f"not ok {self.count} - {name}\n"
                      f"# {type(error).__name__}: {error}", flush=True)
                frame = error.__traceback__
                while frame.tb_next:
                    frame = frame.tb_next
                print(f"# at {os.path.basename(frame.tb_frame.f_code.co_filename)}"
                      f":{frame.tb_lineno}", flush=True)
        return 1 if self.failed else 0
