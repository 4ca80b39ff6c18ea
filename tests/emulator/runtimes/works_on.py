"""Answers, and works on for a while before it polls again.

With the event `pid` it answers with its number after a while, and with `die` it ends.
"""

import os
import time

from client import Client, say

client = Client()
while True:
    event = client.next()
    if event.body == b"die":
        os._exit(9)
    if event.body == b"pid":
        time.sleep(0.1)
        client.respond(event, b"%d" % os.getpid())
        continue
    client.respond(event, b'"early"')
    time.sleep(float(event.body))
    say("worked on")
