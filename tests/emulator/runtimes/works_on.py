"""Answers, and works on for a while before it polls again."""

import time

from client import Client, say

client = Client()
while True:
    event = client.next()
    client.respond(event, b'"early"')
    time.sleep(float(event.body))
    say("worked on")
