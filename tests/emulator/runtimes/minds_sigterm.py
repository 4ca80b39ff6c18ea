"""Answers every event, and says so when SIGTERM comes; with $INNER it registers an internal extension."""

import os
import signal
import sys
import threading

from client import Client, say

ROOT = "/2020-01-01/extension"
registered = threading.Event()


def poll(connection):
    """An extension that registered for nothing polls once, and is never answered."""
    connection.request("POST", f"{ROOT}/register", b'{"events": []}', {"Lambda-Extension-Name": "inner"})
    response = connection.getresponse()
    response.read()
    headers = {"Lambda-Extension-Identifier": response.getheader("Lambda-Extension-Identifier")}
    connection.request("GET", f"{ROOT}/event/next", headers=headers)
    registered.set()
    connection.getresponse()


def goodbye(*_):
    say("goodbye")
    sys.exit(0)


signal.signal(signal.SIGTERM, goodbye)
if os.environ.get("INNER"):
    threading.Thread(target=poll, args=[Client().connection], daemon=True).start()
    registered.wait()
client = Client()
while True:
    event = client.next()
    client.respond(event, event.body)
