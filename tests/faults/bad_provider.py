"""A provider that misbehaves below HTTP, and the stack that it troubles.

BadProvider stands in front of the simulator as a raw proxy: what it lets
through is in the simulator's ledger, what it spoils is spoiled in the way
its mode says.  Troubled is a stack whose SMS gateway speaks to it, while a
second gateway, WeChat, speaks to the simulator itself.  Python standard
library; certificates are made with openssl(1), in the test's folder."""

import contextlib
import json
import pathlib
import select
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from stack import Stack, free_port, post, refill_patients  # noqa: E402

BEGIN = "2026-03-02T09:58:00+08:00"
DUE = "2026-03-02T10:00:00+08:00"
QUICK = "lease = 7s\nrequest = 2s\nask-after = 1s\n"
# the states of a delivery
SENDING, HELD, ACCEPTED, REJECTED, RETRY, UNKNOWN = 1, 2, 3, 4, 5, 6
DELIVERED, UNDELIVERED, UNCONFIRMED, EXPIRED = 7, 8, 9, 10
SMS, WECHAT = 4, 1
HEAD_LIMIT_S = 30
# where the protocols say who it is for
ADDRESSES = ("to", "touser", "PhoneNumberSet")
GARBAGE_BYTES_MAX = 32 << 20    # of one answer without end
SPOILING = threading.Lock()


def reset(connection):
    """Close with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack("ii", 1, 0))
    connection.close()


def read_request(connection):
    """Head and body; an OSError where the peer went."""
    data = b""
    connection.settimeout(HEAD_LIMIT_S)
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise OSError("gone")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise OSError("gone")
        body += piece
    return head, body


def wait_for_end(connection):
    """Until the peer closes; what it still says is thrown away."""
    connection.settimeout(HEAD_LIMIT_S)
    while connection.recv(65536):
        pass


class Visit:
    """One connection: how it was treated, and for how long."""

    def __init__(self, mode):
        self.mode = mode
        self.began = time.monotonic()
        self.ended_s = None
        self.address = None
        self.sent_bytes = 0


class BadProvider:
    """On port; modes are used up one a connection, then mode holds.  tls: a
    context, or None for plain.  more: of the simulator's faults, as its
    endpoint."""

    def __init__(self, port, target_port, mode="pass", tls=None, **more):
        self.port, self.target_port = port, target_port
        self.mode, self.modes = mode, []
        self.tls, self.more = tls, more
        self.answers = {}       # mode → bytes of the whole answer
        self.visits = []
        self.lock = threading.Lock()
        self.open = True
        self.listener = socket.create_server(("127.0.0.1", port),
                                             backlog=256)
        self.listener.settimeout(0.1)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while self.open:
            try:
                connection, _ = self.listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with self.lock:
                visit = Visit(self.modes.pop(0) if self.modes else self.mode)
                self.visits.append(visit)
            threading.Thread(target=self.serve, args=(connection, visit),
                             daemon=True).start()

    def serve(self, connection, visit):
        try:
            connection.settimeout(HEAD_LIMIT_S)
            if self.tls and visit.mode != "reset":
                connection = self.tls.wrap_socket(connection,
                                                  server_side=True)
            treat = getattr(self, "mode_" + visit.mode.partition(":")[0],
                            None)
            if treat:
                treat(connection, visit)
            else:
                self.answer(connection, visit, self.answers[visit.mode])
        except (OSError, ValueError):
            pass                # the peer went; ended_s says when
        finally:
            visit.ended_s = time.monotonic() - visit.began
            connection.close()

    def read(self, connection, visit):
        head, body = read_request(connection)
        with contextlib.suppress(ValueError, StopIteration, TypeError):
            said = json.loads(body)
            visit.address = "".join(
                next(said[key] for key in ADDRESSES if key in said))
        return head, body

    def answer(self, connection, visit, pieces):
        """Bytes, or an iterator of them, after the request; then close."""
        self.read(connection, visit)
        for piece in [pieces] if isinstance(pieces, bytes) else pieces():
            connection.sendall(piece)
            visit.sent_bytes += len(piece)
            if visit.sent_bytes > GARBAGE_BYTES_MAX:
                break
        connection.shutdown(socket.SHUT_WR)
        wait_for_end(connection)

    # -- modes

    def mode_pass(self, connection, _visit):
        """Bytes to and fro, until one side ends or this mode does."""
        with socket.create_connection(("127.0.0.1",
                                       self.target_port)) as other:
            pairs = {connection: other, other: connection}
            while self.open and self.mode == "pass":
                pending = isinstance(connection, ssl.SSLSocket) and \
                    connection.pending()
                ready = [connection] if pending else select.select(
                    list(pairs), [], [], 0.1)[0]
                for end in ready:
                    data = end.recv(65536)
                    if not data:
                        return
                    pairs[end].sendall(data)

    def mode_once(self, connection, visit):
        """One request passes; after a colon stands the simulator's garbage
        that answers it."""
        head, body = self.read(connection, visit)
        form = visit.mode.partition(":")[2]
        # the simulator's garbage is one switch, for all that stand before it
        with SPOILING if form else contextlib.nullcontext():
            if form:
                status, text = post(
                    f"http://127.0.0.1:{self.target_port}/control",
                    json.dumps({"fault": "garbage", "form": form, "count": 1,
                                **self.more}))
                assert status == 200, text
            with socket.create_connection(("127.0.0.1",
                                           self.target_port)) as other:
                other.sendall(head + b"\r\nConnection: close\r\n\r\n"
                              + body)
                while data := other.recv(65536):
                    connection.sendall(data)

    def mode_reset(self, connection, _visit):
        reset(connection)

    def mode_close(self, connection, visit):
        """Closes behind the request: before it, it would be tried again."""
        self.read(connection, visit)

    def mode_half_close(self, connection, visit):
        """Reads on, says nothing, has closed its half."""
        self.read(connection, visit)
        connection.shutdown(socket.SHUT_WR)
        wait_for_end(connection)

    def mode_silent(self, connection, visit):
        self.read(connection, visit)
        wait_for_end(connection)

    def mode_trickle(self, connection, visit):
        """A good answer, one byte a second."""
        self.read(connection, visit)
        connection.settimeout(1)
        for byte in (b"HTTP/1.1 200 OK\r\nContent-Type: application/json"
                     b"\r\nContent-Length: 13\r\n\r\n{\"code\":\"OK\"}"):
            connection.sendall(bytes([byte]))
            try:
                if not connection.recv(65536):
                    return
            except TimeoutError:
                continue

    def close(self):
        self.open = False
        self.listener.close()
        self.thread.join()


class FullBacklog:
    """Listens and never accepts, and its queue is full: a connect gets no
    answer at all."""

    def __init__(self, port):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(0)
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            self.fillers.append(filler)
        time.sleep(0.1)

    def close(self):
        for each in [*self.fillers, self.listener]:
            each.close()


# ---- certificates ----

def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True,
                   capture_output=True)


def make_authority(folder):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")


def make_certificate(folder, name, host, expired=False):
    """Signed by the authority in that folder; NAME.pem has key and all."""
    (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{host}\n")
    openssl(folder, "req", "-new", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={host}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem",
            "-CAkey", "ca.key", "-CAcreateserial", "-days",
            "-1" if expired else "30", "-extfile", f"{name}.ext", "-out",
            f"{name}.crt")
    (folder / f"{name}.pem").write_text(
        (folder / f"{name}.key").read_text()
        + (folder / f"{name}.crt").read_text())


@contextlib.contextmanager
def authority():
    """A folder with an authority and a good certificate."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="adherd-tls."))
    make_authority(folder)
    make_certificate(folder, "good", "localhost")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tls_context(folder, name, old=False):
    """old: speaks nothing newer than TLS 1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem")
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


# ---- a 200 that says nothing ----

HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\n")


def body(text, head=HEAD):
    return head + b"Content-Length: %d\r\n\r\n" % len(text) + text


def endless(first, piece):
    def pieces():
        yield first
        while True:
            yield piece
    return pieces


# what the simulator's garbage lacks: it speaks HTTP by a library
SPOILED = {
    "empty": body(b""),
    "zeros": body(b"\0" * 100),
    "bad_utf8": body(b'{"code":"OK","id":"\xff\xfe\xc0\x80"}'),
    "nul_inside": body(b'{"code":"OK\0","id":"1"}'),
    "escaped_nul": body(b'{"code":"O\\u0000K","id":"1"}'),
    "deep": body(b"[" * 30000),
    "deep_objects": body(b'{"code":' * 7000),
    "huge_number": body(b'{"code":' + b"9" * 60000 + b"}"),
    "twice": body(b'{"code":"OK","id":"1"}{"code":"OK","id":"2"}'),
    "shorter_than_said": HEAD + b"Content-Length: 500\r\n\r\n{\"code\":",
    "negative_length": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "two_lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 9\r\n"
                          b"\r\n{}",
    "bad_chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "cut_chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}",
    "no_http": b"\x16\x03\x01\x02\0\1\0\1\xfc\3\3",
    "no_status": b"HTTP/1.1 OK\r\n\r\n",
    "not_gzip": body(b"{}", HEAD + b"Content-Encoding: gzip\r\n"),
    "unknown_encoding": body(b"{}", HEAD + b"Content-Encoding: br\r\n"),
    "no_end": endless(HEAD + b"\r\n", b"x" * 65536),
    "no_end_chunked": endless(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "no_end_of_head": endless(HEAD, b"X-Filler: " + b"y" * 1000 + b"\r\n"),
    "no_end_of_line": endless(HEAD + b"X-Filler: ", b"y" * 65536),
    "no_end_of_continue": endless(b"", b"HTTP/1.1 100 Continue\r\nX-Filler: "
                                  + b"y" * 1000 + b"\r\n\r\n"),
    "redirected": body(b"{}", b"HTTP/1.1 302 Found\r\n"
                       b"Location: http://127.0.0.1:1/\r\n"
                       b"Connection: close\r\n"),
}
SIMULATED = ("html", "cut", "types", "big", "gzip", "headers", "charset")


# ---- the stack ----

class Watched(Stack):
    """What became of the deliveries of a channel."""

    def states(self, channel=SMS):
        return {int(state): int(count) for state, count in self.sql(
            "SELECT state, count(*) FROM delivery WHERE channel = "
            f"{channel} GROUP BY 1")}

    def codes(self, channel=SMS):
        return {row[0] for row in self.sql(
            f"SELECT DISTINCT code FROM delivery WHERE channel = {channel}")}


class Troubled(Watched):
    """SMS by the bad provider, WeChat by the simulator; both speak the
    loopback protocol.  plugin: SMS by that one, and by the simulator too."""

    def __init__(self, care_time=BEGIN, url="http://127.0.0.1", sms="",
                 wechat="", plugin="loopback", **options):
        self.bad_port = free_port()
        self.url = f"{url}:{self.bad_port}/loopback"
        self.wechat = wechat
        self.bad = None
        options.setdefault("settings", QUICK)
        super().__init__(care_time, gateway=plugin,
                         gateway_settings=f"batch = 1\n{sms}", **options)

    def write_config(self, number):
        path = pathlib.Path(super().write_config(number))
        text = path.read_text(encoding="utf-8").replace(
            f"url = {self.sim}/loopback", f"url = {self.url}")
        path.write_text(text + f"""[gateway "wechat"]
plugin = loopback
channel = wechat_mini
url = {self.sim}/loopback
plain-http = yes
callback-secret-file = {self.folder}/callback
batch = 1
{self.wechat}
""", encoding="utf-8")
        return str(path)

    def start_sim(self, options=()):
        secret = (self.folder / "callback").read_text().strip()
        super().start_sim((
            "--loopback-callback", f"http://127.0.0.1:{self.ports[0][0]}"
            f"/callback/wechat/{secret}", *options))

    def provider(self, mode="pass", tls=None):
        """Replace what listens on the bad port; None: nothing does."""
        if self.bad:
            self.bad.close()
        self.bad = (FullBacklog(self.bad_port) if mode == "full" else
                    BadProvider(self.bad_port, self.sim_port, mode, tls)
                    if mode else None)
        return self.bad

    def close(self):
        if self.bad:
            self.bad.close()
        super().close()


def by_wechat(count, first=1):
    """People whom only WeChat reaches."""
    found = refill_patients(count, first=first)
    for resource in found:
        if resource["resourceType"] == "Patient":
            resource["telecom"] = [{
                "system": "other", "value": f"open-{resource['id']}",
                "extension": [{
                    "url": "https://adherd.example/fhir/channel",
                    "valueCode": "wechat_mini"}]}]
    return found
