"""Writes each event to its stdout before it answers with it."""

import os

from client import Client

client = Client()
while True:
    event = client.next()
    os.write(1, b"event %b\n" % event.body)
    client.respond(event, event.body)
