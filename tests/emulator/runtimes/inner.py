"""A runtime with an internal extension: a thread that registers in init and polls; "late" registers one too late."""

import http.client
import json
import os
import threading

from client import Client, say

ROOT = "/2020-01-01/extension"


def call(method, path, body=None, **headers):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, f"{ROOT}{path}", body, headers)
    response = connection.getresponse()
    return response.status, response.read().decode().strip(), response


def poll(identifier):
    while True:
        status, body, _ = call("GET", "/event/next", **{"Lambda-Extension-Identifier": identifier})
        say("inner", status, body)


_, _, registered = call("POST", "/register", '{"events": ["INVOKE"]}', **{"Lambda-Extension-Name": "inner"})
identifier = registered.getheader("Lambda-Extension-Identifier")
threading.Thread(target=poll, args=[identifier], daemon=True).start()
client = Client()
while True:
    event = client.next()
    if event.body == b'"late"':
        answer = call("POST", "/register", '{"events": []}', **{"Lambda-Extension-Name": "late"})[:2]
        client.respond(event, json.dumps(answer).encode())
    else:
        client.respond(event, event.body)
