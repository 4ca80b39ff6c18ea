"""Polls again before it answers: it gets the same event again."""

import json

from client import Client

client = Client()
while True:
    first, second = client.next(), client.next()
    client.respond(first, json.dumps([first.id == second.id, first.body == second.body]).encode())
