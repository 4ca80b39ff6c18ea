"""Begins an answer, closes the connection half-way, and answers properly on a new one; polls with a hang-up first."""

import os
import socket

from client import ROOT, Client


def raw(data: bytes) -> None:
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(data)


raw(f"GET {ROOT}/invocation/next HTTP/1.1\r\nHost: a\r\n\r\n".encode())
client = Client()
while True:
    event = client.next()
    raw(f"POST {ROOT}/invocation/{event.id}/response HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf".encode())
    client.respond(event, b'"whole"')
