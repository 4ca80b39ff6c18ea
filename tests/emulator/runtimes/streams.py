"""Answers in chunks, in response mode streaming; with the event true it breaks the stream off in its trailers."""

import os
import socket

from client import ROOT, Client

client = Client()
while True:
    event = client.next()
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST {ROOT}/invocation/{event.id}/response HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: text/plain\r\n\r\n"
            "3\r\none\r\n3\r\ntwo\r\n0\r\n".encode()
        )
        connection.sendall(
            b"Lambda-Runtime-Function-Error-Type: Runtime.Midway\r\n\r\n" if event.body == b"true" else b"\r\n"
        )
        connection.recv(4096)
