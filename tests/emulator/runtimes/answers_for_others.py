"""Answers the invocation whose id and Runtime API its event names, before its own, and tells what it was told."""

import http.client
import json
import os
import time

from client import ROOT, Client, say

client = Client()
while True:
    event = client.next()
    wish = json.loads(event.body)
    if wish == "wait":
        say(event.id, os.environ["AWS_LAMBDA_RUNTIME_API"])
        while not os.path.exists("done"):  # noqa: PTH110
            time.sleep(0.01)
        client.respond(event, b'"mine"')
        continue
    told = []
    for kind in ("response", "error"):
        connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        connection.request("POST", f"{ROOT}/invocation/{wish}/{kind}", b'"forged"')
        told.append(connection.getresponse().status)
    open("done", "w").close()  # noqa: PTH123
    client.respond(event, json.dumps(told).encode())
