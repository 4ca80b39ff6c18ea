"""An extension, not a runtime: copied into a folder of extensions under any name, with a habit from $AGENT_HABIT.

It says on stdout what it is told. Habits: "silent" never registers, "init error" and "exit error" report one and
exit, "crash" exits on its first INVOKE and "leave" exits with status 0, both after $AGENT_PAUSE seconds, "slow" takes
half a second for each, "deaf" registers for INVOKE alone, "stubborn" does not end at SHUTDOWN, "telemetry" subscribes
and waits for `platform.runtimeDone` before it polls again.
"""

import http.client
import http.server
import json
import os
import queue
import sys
import threading
import time

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
HABIT = os.environ.get("AGENT_HABIT", "")
NAME = sys.argv[0].rpartition("/")[2]
ROOT = "/2020-01-01/extension"


def say(*words):
    os.write(1, (f"{NAME} " + " ".join(map(str, words)) + "\n").encode())


def call(method, path, body=None, **headers):
    connection = http.client.HTTPConnection(API)
    named = {f"Lambda-Extension-{name.replace('_', '-')}": value for name, value in headers.items()}
    connection.request(method, path, body, named)
    response = connection.getresponse()
    return response.status, response.read(), response


done = queue.Queue()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        for event in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            say("telemetry", json.dumps([event["type"], event["record"]]))
            if event["type"] == "platform.runtimeDone":
                done.put(event)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


if HABIT == "silent":
    time.sleep(60)
events = ["INVOKE"] if HABIT == "deaf" else ["INVOKE", "SHUTDOWN"]
status, body, response = call(
    "POST", f"{ROOT}/register", json.dumps({"events": events}), Name=NAME, Accept_Feature="accountId"
)
me = response.getheader("Lambda-Extension-Identifier")
say("registered", status, body.decode().strip())
if HABIT == "telemetry":
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    wanted = {
        "schemaVersion": "2022-12-13", "types": ["platform", "function"],
        "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
        "destination": {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{server.server_port}/t"},
    }  # fmt: skip
    status, body, _ = call("PUT", "/2022-07-01/telemetry", json.dumps(wanted), Identifier=me)
    say("subscribed", status, body.decode())
if HABIT == "init error":
    say(call("POST", f"{ROOT}/init/error", b"{}", Identifier=me, Function_Error_Type="Extension.Bad")[0])
    sys.exit(3)
while True:
    status, body, response = call("GET", f"{ROOT}/event/next", Identifier=me)
    event = json.loads(body)
    say(event.pop("eventType"), json.dumps(event, sort_keys=True))
    if "shutdownReason" in event:
        if HABIT == "stubborn":
            time.sleep(60)
        sys.exit(0)
    if HABIT in {"crash", "leave", "exit error"}:
        time.sleep(float(os.environ.get("AGENT_PAUSE", "0")))
    if HABIT == "crash":
        os._exit(9)
    if HABIT == "leave":
        os._exit(0)
    if HABIT == "slow":
        time.sleep(0.5)
    if HABIT == "exit error":
        say(call("POST", f"{ROOT}/exit/error", b"{}", Identifier=me, Function_Error_Type="Extension.Bad")[0])
        sys.exit(4)
    if HABIT == "telemetry":
        done.get()
