"""Breaks every rule of the Runtime API in turn, and answers each event with the statuses it was told."""

import json

from client import Client, Event, say

client = Client()
while True:
    event = client.next()
    story = []
    told = client.respond(Event("00000000-0000-4000-8000-000000000000", b"", {}), b"another's")
    story.append((told.status, json.loads(told.body)["errorType"]))
    told = client.call("POST", "/init/error", b"{}")
    story.append((told.status, json.loads(told.body)["errorType"]))
    story.append((client.call("GET", "/nowhere").status, ""))
    story.append((client.call("POST", "/invocation/next", b"").status, ""))
    story.append((client.call("GET", "/../2015-03-31/functions/function/invocations").status, ""))
    first = client.respond(event, b"")
    del first
    story_text = json.dumps(story).encode()
    say(story_text.decode())
    told = client.respond(event, b"again")
    say(json.dumps([told.status, json.loads(told.body)["errorType"]]))
