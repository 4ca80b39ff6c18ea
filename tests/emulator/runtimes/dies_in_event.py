"""Ends when it is given an event: with the status in it, or by the signal if it is negative."""

import os

from client import Client, say

event = Client().next()
say("got it")
code = int(event.body)
os._exit(code) if code >= 0 else os.kill(os.getpid(), -code)
