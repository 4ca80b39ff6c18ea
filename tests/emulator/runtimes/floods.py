"""Writes a lot to both streams, then answers."""

import os

from client import Client

client = Client()
while True:
    event = client.next()
    for _ in range(int(event.body)):
        os.write(1, b"o" * 1023 + b"\n")
        os.write(2, b"e" * 1023 + b"\n")
    os.write(1, b"the end\n")
    client.respond(event, b"null")
