"""Behind a function URL: the header x-wish says what becomes of the request's body.

`say` posts it as the response, `stream` streams it as an HTTP integration response, `plain` as plain text; `break`
streams it and then fails in the trailers, `error` posts it as an error, `flood` streams 64 MiB after it, or as many as
x-mib says; without a wish the event itself is the body. Then it works on until the file x-works-on is there.
"""

import base64
import json
import os
import socket
import time
from pathlib import Path

from client import ROOT, Client

PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response"
MIB = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"

client = Client()
while True:
    invocation = client.next()
    event = json.loads(invocation.body)
    wish = event["headers"].get("x-wish")
    body = base64.b64decode(event.get("body", "")) if event["isBase64Encoded"] else event.get("body", "").encode()
    if wish is None:
        client.respond(invocation, json.dumps({"statusCode": 200, "body": json.dumps(event)}).encode())
    elif wish == "say":
        client.respond(invocation, body)
    elif wish == "error":
        client.fail(invocation, body, "E")
    else:
        host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
        content_type = "text/plain" if wish == "plain" else event["headers"].get("x-type", PRELUDE_TYPE)
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                f"POST {ROOT}/invocation/{invocation.id}/response HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                f"Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: {content_type}\r\n\r\n".encode()
            )
            if body:
                connection.sendall(b"%x\r\n%b\r\n" % (len(body), body))
            if wish == "flood":
                for _ in range(int(event["headers"].get("x-mib", "64"))):
                    connection.sendall(MIB)
            trailers = b"Lambda-Runtime-Function-Error-Type: Runtime.Midway\r\n" if wish == "break" else b""
            connection.sendall(b"0\r\n" + trailers + b"\r\n")
            connection.recv(4096)
    while "x-works-on" in event["headers"] and not Path(event["headers"]["x-works-on"]).exists():
        time.sleep(0.01)
