"""Answers in chunks, in response mode streaming.

With the event true it breaks the stream off in its trailers; "die", "hang" and "hang up" say what it does after the
first chunk, "flood" is a stream of 64 MiB, and "small flood" one of 7.
"""

import json
import os
import socket
import time

from client import ROOT, Client

MIB = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"

client = Client()
while True:
    event = client.next()
    wish = json.loads(event.body)
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST {ROOT}/invocation/{event.id}/response HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: text/plain\r\n\r\n"
            "3\r\none\r\n".encode()
        )
        if wish in {"die", "hang", "hang up"}:
            time.sleep(0.1)  # the chunk goes first
            if wish == "die":
                os._exit(7)
            if wish == "hang":
                time.sleep(60)
            continue
        if wish in {"flood", "small flood"}:
            for _ in range(64 if wish == "flood" else 7):
                connection.sendall(MIB)
            connection.sendall(b"0\r\n")
        else:
            connection.sendall(b"3\r\ntwo\r\n0\r\n")
        connection.sendall(b"Lambda-Runtime-Function-Error-Type: Runtime.Midway\r\n\r\n" if wish is True else b"\r\n")
        connection.recv(4096)
