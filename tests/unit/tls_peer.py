#!/usr/bin/env python3
"""
tls_peer.py CERTIFICATE KEY: an HTTP peer over TLS for test_http_direct.c.
It prints its port.  The path says how it answers; X-Test in an answer says how
many connections and requests there were.  It ends when its input does.
"""
import os
import socket
import ssl
import sys
import threading
import time

connections = requests = 0


def read_request(peer):
    text = b""
    while b"\r\n\r\n" not in text:
        piece = peer.recv(65536)
        if not piece:
            return None
        text += piece
    head, body = text.split(b"\r\n\r\n", 1)
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += peer.recv(65536)
    assert len(body) == length
    return head.split(b" ")[1].decode()


def answer(body, more=""):
    return (f"HTTP/1.1 200 OK\r\nX-Test: {connections}/{requests}\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def drop(peer):
    """Close without a word: no close_notify."""
    os.close(peer.detach())


def serve(raw, context):
    global connections, requests
    connections += 1
    try:
        peer = context.wrap_socket(raw, server_side=True)
    except OSError:
        return
    try:
        while (path := read_request(peer)) is not None:
            requests += 1
            if path == "/drop":
                return drop(peer)
            if path == "/notify":
                return peer.unwrap()
            if path == "/cut":
                peer.sendall(answer("hello")[:-2])
                return drop(peer)
            if path == "/rest":
                peer.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
                return peer.unwrap()
            if path == "/behind":
                peer.sendall(answer("hello") + b"more")
            elif path == "/late":
                peer.sendall(answer("hello"))
                time.sleep(0.02)
                peer.sendall(answer("late"))
            elif path == "/bytes":
                for byte in answer("hello"):
                    peer.sendall(bytes([byte]))
            elif path == "/long":
                peer.sendall(answer("a" * 60000))
            elif path == "/end":
                peer.sendall(answer("hello"))
                return peer.unwrap()
            else:
                peer.sendall(answer("hello"))
    except OSError:
        pass
    finally:
        peer.close()


def accept(listener, context):
    while True:
        raw, _ = listener.accept()
        threading.Thread(
            target=serve, args=(raw, context), daemon=True).start()


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(
        target=accept, args=(listener, context), daemon=True).start()
    sys.stdin.read()


main()
