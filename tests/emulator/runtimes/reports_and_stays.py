"""Reports that its init failed, and does not end."""

import time

from client import Client, say

reply = Client().call(
    "POST", "/init/error", b'{"errorType": "Runtime.Sad"}', {"Lambda-Runtime-Function-Error-Type": "Runtime.Sad"}
)
second = Client().call("POST", "/init/error", b"{}")
say(reply.status, second.status)
time.sleep(600)
