"""Answers every event with what it was given; the headers too, if the event asks for them."""

import json
import os

from client import Client

client = Client()
while True:
    event = client.next()
    if event.body == b'"headers"':
        client.respond(event, json.dumps(event.headers).encode())
    elif event.body == b'"variables"':
        client.respond(event, json.dumps(dict(os.environ)).encode())
    elif event.body == b'"pid"':
        client.respond(event, str(os.getpid()).encode())
    else:
        client.respond(event, event.body, Content_Type="application/json")
