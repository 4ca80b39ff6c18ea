"""Answers in a response mode that does not exist."""

import sys

from client import Client, say

client = Client()
event = client.next()
told = client.respond(event, b"x", Lambda_Runtime_Function_Response_Mode="sideways")
after = client.call("GET", "/invocation/next")
say(told.status, after.status)
sys.exit(1)
