"""Takes the given number of MB, itself and once more in a child, gives it back, and answers."""

import os

from client import Client

client = Client()
while True:
    event = client.next()
    size = int(event.body) * 1024 * 1024
    block = bytearray(os.urandom(1024)) * (size // 1024)
    del block
    client.respond(event, b"null")
